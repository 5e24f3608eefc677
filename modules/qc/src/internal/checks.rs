//! The thirteen checks of rules version 1.6. Each is a pure function; one that breaks is a failed blocker, not a crash.

use super::lexicon::{CALLS, CLAIMS, ENGLISH, OPENERS, PLACEHOLDERS};
use super::script::{foreign_majority, mostly_spaceless, scripts_of};
use super::text::{first_word, folded, has_word, invisible, visible};
use crate::api::events::{CheckOutcome, CheckStatus, Severity};
use crate::api::ports::EvaluateContent;
use std::panic::{AssertUnwindSafe, catch_unwind};
use unicode_script::Script;

/// Which rules judged.
pub(super) const RULES_VERSION: &str = "1.6";
/// 50 visible characters: less is a label, not a content.
const VISIBLE_MIN: usize = 50;
/// 30 words: the mean from which readers lose the beginning of a sentence before its end.
const SENTENCE_WORDS_MAX: usize = 30;
/// 40 characters for each emoji.
const CHARS_PER_EMOJI: usize = 40;
/// Four small words: a quoted slogan has two or three.
const ENGLISH_WORDS_MIN: usize = 4;
/// One word in eight: English has twice as many, other languages none.
const WORDS_PER_ENGLISH: usize = 8;

/// The largest number of characters that a platform takes.
fn platform_limit(platform: &str) -> Option<usize> {
    match platform {
        "twitter" => Some(280),
        "instagram" | "tiktok" => Some(2_200),
        "linkedin" => Some(3_000),
        "youtube" => Some(5_000),
        "facebook" => Some(63_206),
        "email" => Some(100_000),
        _ => None,
    }
}

/// What a check looks at: the request, and its text folded once.
pub(super) struct Sight<'a> {
    pub(super) asked: &'a EvaluateContent,
    pub(super) folded: String,
}

/// One check: `None` is a pass, otherwise the reason.
pub(super) struct Check {
    pub(super) name: &'static str,
    pub(super) severity: Severity,
    /// Which part of the content an issue points at.
    pub(super) section: &'static str,
    pub(super) look: fn(&Sight<'_>) -> Option<String>,
}

const fn check(
    name: &'static str,
    severity: Severity,
    section: &'static str,
    look: fn(&Sight<'_>) -> Option<String>,
) -> Check {
    Check { name, severity, section, look }
}

/// In the order in which they are reported.
pub(super) const CHECKS: [Check; 13] = [
    check("not_empty", Severity::Blocker, "body", not_empty),
    check("no_placeholder", Severity::Blocker, "body", no_placeholder),
    check("forbidden_words", Severity::Blocker, "body", forbidden_words),
    check("must_include", Severity::Major, "body", must_include),
    check("other_constraints", Severity::Major, "body", other_constraints),
    check("unsupported_claim", Severity::Major, "body", unsupported_claim),
    check("language_match", Severity::Major, "language", language_match),
    check("cta_present", Severity::Major, "cta", cta_present),
    check("platform_length", Severity::Major, "body", platform_length),
    check("competitor_named", Severity::Minor, "body", competitor_named),
    check("reading_ease", Severity::Warn, "body", reading_ease),
    check("emoji_density", Severity::Warn, "body", emoji_density),
    check("duplicate_hook", Severity::Minor, "hook", duplicate_hook),
];

/// Runs the checks, in their order.
pub(super) fn run(checks: &[Check], asked: &EvaluateContent) -> Vec<CheckOutcome> {
    let sight = Sight { asked, folded: folded(&asked.content) };
    let outcome = |check: &Check| {
        let seen = catch_unwind(AssertUnwindSafe(|| (check.look)(&sight)));
        let (status, severity, reason) = match seen {
            Ok(None) => (CheckStatus::Pass, check.severity, String::new()),
            Ok(Some(reason)) if check.severity == Severity::Warn => (CheckStatus::Warn, check.severity, reason),
            Ok(Some(reason)) => (CheckStatus::Fail, check.severity, reason),
            Err(_) => (CheckStatus::Crash, Severity::Blocker, "the check itself broke".to_owned()),
        };
        CheckOutcome { check: check.name.to_owned(), status, severity, reason }
    };
    checks.iter().map(outcome).collect()
}

/// Which part of the content a check points at.
pub(super) fn section_of(name: &str) -> &'static str {
    CHECKS.iter().find(|check| check.name == name).map_or("body", |check| check.section)
}

fn not_empty(sight: &Sight<'_>) -> Option<String> {
    let seen = visible(&sight.asked.content);
    (seen < VISIBLE_MIN).then(|| format!("{seen} visible characters, at least {VISIBLE_MIN} are expected"))
}

fn no_placeholder(sight: &Sight<'_>) -> Option<String> {
    placeholder_in(&sight.folded).map(|word| format!("the placeholder \"{word}\" remains"))
}

/// The first placeholder of a folded text.
pub(super) fn placeholder_in(folded: &str) -> Option<&'static str> {
    let opener = OPENERS.iter().find(|opener| folded.contains(**opener));
    opener.or_else(|| PLACEHOLDERS.iter().find(|word| has_word(folded, word))).copied()
}

fn forbidden_words(sight: &Sight<'_>) -> Option<String> {
    let found = first_word(&sight.folded, &sight.asked.constraints.must_avoid)?;
    Some(format!("the forbidden word \"{found}\" occurs"))
}

fn must_include(sight: &Sight<'_>) -> Option<String> {
    let messages = &sight.asked.constraints.must_include;
    let missing = messages.iter().find(|message| !sight.folded.contains(&folded(message)))?;
    Some(format!("the message \"{missing}\" is missing"))
}

/// A rule in the client's own words: no program can tell whether a text keeps it, unless it stands there as it is.
fn other_constraints(sight: &Sight<'_>) -> Option<String> {
    let rules = sight.asked.benchmarks.iter().filter(|rule| !rule.trim().is_empty());
    let open: Vec<_> = rules.filter(|rule| !sight.folded.contains(&folded(rule))).collect();
    let first = open.first()?;
    let more = match open.len() {
        1 => String::new(),
        count => format!(" (and {} more)", count - 1),
    };
    Some(format!("the rule \"{first}\"{more} is not in the text; a person has to see to it that it is kept"))
}

fn unsupported_claim(sight: &Sight<'_>) -> Option<String> {
    if !sight.asked.constraints.proof_references.is_empty() {
        return None;
    }
    let claim = CLAIMS.iter().find(|claim| has_word(&sight.folded, claim))?;
    Some(format!("\"{claim}\" is claimed without proof"))
}

fn language_match(sight: &Sight<'_>) -> Option<String> {
    let language = &sight.asked.language;
    let expected = scripts_of(language)?;
    if let Some(script) = foreign_majority(&sight.asked.content, &expected) {
        return Some(format!("most of the text is in {script} script, the language is {language}"));
    }
    let another = primary(language) != "en" && expected.contains(&Script::Latin);
    (another && reads_as_english(&sight.folded)).then(|| format!("the text is English, the language is {language}"))
}

/// The language of a tag, without script and region.
fn primary(tag: &str) -> String {
    tag.split(['-', '_']).next().unwrap_or_default().to_ascii_lowercase()
}

/// English names and phrases stand in texts of every language; sentences betray themselves by their small words.
fn reads_as_english(folded: &str) -> bool {
    let words = folded.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    let (small, all) =
        words.fold((0_usize, 0_usize), |(small, all), word| (small + usize::from(ENGLISH.contains(&word)), all + 1));
    small >= ENGLISH_WORDS_MIN && small * WORDS_PER_ENGLISH >= all
}

fn cta_present(sight: &Sight<'_>) -> Option<String> {
    let language = primary(&sight.asked.language);
    let calls = CALLS.iter().filter(|(tag, _)| *tag == "en" || *tag == language).flat_map(|(_, calls)| *calls);
    let text = format!("{} ", sight.folded);
    let called = calls.into_iter().any(|call| contains_stem(&text, call))
        || sight.asked.constraints.cta_hints.iter().any(|hint| !hint.is_empty() && text.contains(&folded(hint)))
        || text.contains("https://");
    (!called).then(|| "there is no call to action".to_owned())
}

/// A stem at the beginning of a word; anywhere in scripts without spaces.
fn contains_stem(text: &str, stem: &str) -> bool {
    let (core, open) = (folded(stem), !stem.ends_with(' '));
    text.match_indices(core.as_str()).any(|(start, _)| {
        let before = text[..start].chars().next_back();
        let begins = before.is_none_or(|c| !c.is_alphanumeric() || super::script::spaceless(c));
        let after = text[start + core.len()..].chars().next();
        begins && (open || after.is_none_or(|c| !c.is_alphanumeric()))
    })
}

fn platform_length(sight: &Sight<'_>) -> Option<String> {
    let platform = sight.asked.platform.as_deref()?;
    let limit = platform_limit(&platform.to_ascii_lowercase())?;
    let length = sight.asked.content.chars().count();
    (length > limit).then(|| format!("{length} characters, {platform} takes {limit}"))
}

fn competitor_named(sight: &Sight<'_>) -> Option<String> {
    let found = first_word(&sight.folded, &sight.asked.constraints.competitors)?;
    Some(format!("the competitor \"{found}\" is named"))
}

fn reading_ease(sight: &Sight<'_>) -> Option<String> {
    let content = &sight.asked.content;
    if mostly_spaceless(content) {
        return None;
    }
    let ends = ['.', '!', '?', '…', '。', '！', '？', '؟', '۔', '।'];
    // A dot inside of a number or an address ends nothing: only one that is followed by white space does.
    let (mut sentences, mut words, mut open) = (0_usize, 0_usize, 0_usize);
    for line in content.split('\n') {
        for token in line.split_whitespace() {
            open += usize::from(token.chars().any(char::is_alphanumeric));
            let last = token.trim_end_matches(['"', '\'', ')', '»', '”', '’']).chars().next_back();
            if last.is_some_and(|c| ends.contains(&c)) && open > 0 {
                (sentences, words, open) = (sentences + 1, words + open, 0);
            }
        }
        if open > 0 {
            (sentences, words, open) = (sentences + 1, words + open, 0);
        }
    }
    (words > SENTENCE_WORDS_MAX * sentences)
        .then(|| format!("{words} words in {sentences} sentences; {SENTENCE_WORDS_MAX} words a sentence are enough"))
}

fn emoji_density(sight: &Sight<'_>) -> Option<String> {
    let content = &sight.asked.content;
    let (count, length) = (emojis(content), content.chars().filter(|c| !invisible(*c)).count());
    (count * CHARS_PER_EMOJI > length).then(|| format!("{count} emoji in {length} characters"))
}

/// Emoji as people count them: a family, a flag or a waving hand of any colour is one.
pub(super) fn emojis(text: &str) -> usize {
    let (mut count, mut glued, mut half_flag) = (0, false, false);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let flag = matches!(c, '\u{1f1e6}'..='\u{1f1ff}');
        let coloured = chars.peek() == Some(&'\u{fe0f}');
        let emoji = matches!(c, '\u{1f000}'..='\u{1faff}' | '⌚' | '⌛' | '⏩'..='⏬' | '⏰' | '⏳' | '☔' | '☕'
            | '♈'..='♓' | '⚡' | '⚽' | '⚾' | '⛄' | '⛔' | '⛪' | '⛵' | '✅' | '✊' | '✋' | '✨' | '❌' | '❓'..='❕'
            | '❗' | '➕'..='➗' | '⬛' | '⬜' | '⭐' | '⭕')
            || (coloured && matches!(c, '\u{2190}'..='\u{2bff}' | '\u{3030}' | '\u{303d}' | '\u{3297}' | '\u{3299}'));
        let shade = matches!(c, '\u{1f3fb}'..='\u{1f3ff}');
        let continues = glued || shade || (flag && half_flag);
        count += usize::from(emoji && !continues);
        half_flag = flag && !half_flag;
        if !matches!(c, '\u{fe0f}') {
            glued = c == '\u{200d}';
        }
    }
    count
}

fn duplicate_hook(sight: &Sight<'_>) -> Option<String> {
    let own = sight.asked.content_hash.as_ref()?;
    sight.asked.live_hooks.contains(own).then(|| "another live asset of the campaign has the same content".to_owned())
}
