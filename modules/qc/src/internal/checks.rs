//! The fourteen checks of rules version 1.8. Each is a pure function; one that breaks is a failed blocker, not a crash.

use super::lexicon::{CALLS, CLAIMS, NEIGHBOURS, OPENERS, PLACEHOLDERS, SMALL};
use super::mixed::{mixed, primary, words};
use super::parts::{Part, parts_of, whose};
use super::script::{foreign_majority, mostly_spaceless, scripts_of};
use super::text::{first_word, folded, has_word, invisible, visible};
use crate::api::commands::EvaluateContent;
use crate::api::events::{CheckOutcome, CheckStatus, Severity};
use std::panic::{AssertUnwindSafe, catch_unwind};
use unicode_script::Script;

/// Which rules judged.
pub(super) const RULES_VERSION: &str = "1.8";
/// 50 visible characters: less is a label, not a content.
const VISIBLE_MIN: usize = 50;
/// 30 words: the mean from which readers lose the beginning of a sentence before its end.
const SENTENCE_WORDS_MAX: usize = 30;
/// 40 characters for each emoji.
const CHARS_PER_EMOJI: usize = 40;
/// Four small words: a quoted slogan has two or three.
const SMALL_WORDS_MIN: usize = 4;
/// One word in eight: a language has twice as many of its own, and none of another.
const WORDS_PER_SMALL: usize = 8;
/// Two sentences are shown of those that a person has to look at.
const MIXED_SHOWN: usize = 2;

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

/// What a check looks at: the request, its parts, their whole text, and that text folded once.
pub(super) struct Sight<'a> {
    pub(super) asked: &'a EvaluateContent,
    parts: Vec<Part<'a>>,
    text: String,
    pub(super) folded: String,
}

impl<'a> Sight<'a> {
    fn of(asked: &'a EvaluateContent) -> Self {
        let parts = parts_of(&asked.content, &asked.language);
        let text = parts.iter().map(|part| part.text).collect::<Vec<_>>().join("\n\n");
        let folded = folded(&text);
        Self { asked, parts, text, folded }
    }
    /// The parts of which something holds, and how a sentence names them.
    fn where_is(&self, holds: impl Fn(&Part<'a>) -> bool) -> Option<String> {
        let found: Vec<_> = self.parts.iter().copied().filter(|part| holds(part)).collect();
        (!found.is_empty()).then(|| whose(&found, self.parts.len()))
    }
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
pub(super) const CHECKS: [Check; 14] = [
    check("not_empty", Severity::Blocker, "body", not_empty),
    check("no_placeholder", Severity::Blocker, "body", no_placeholder),
    check("forbidden_words", Severity::Blocker, "body", forbidden_words),
    check("must_include", Severity::Major, "body", must_include),
    check("other_constraints", Severity::Major, "body", other_constraints),
    check("unsupported_claim", Severity::Major, "body", unsupported_claim),
    check("language_match", Severity::Major, "language", language_match),
    check("one_language", Severity::Warn, "language", one_language),
    check("cta_present", Severity::Major, "cta", cta_present),
    check("platform_length", Severity::Major, "body", platform_length),
    check("competitor_named", Severity::Minor, "body", competitor_named),
    check("reading_ease", Severity::Warn, "body", reading_ease),
    check("emoji_density", Severity::Warn, "body", emoji_density),
    check("duplicate_hook", Severity::Minor, "hook", duplicate_hook),
];

/// Runs the checks, in their order.
pub(super) fn run(checks: &[Check], asked: &EvaluateContent) -> Vec<CheckOutcome> {
    let sight = Sight::of(asked);
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
    let seen = visible(&sight.text);
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

/// Each part is delivered alone, so each has to say it.
fn must_include(sight: &Sight<'_>) -> Option<String> {
    let messages = sight.asked.constraints.must_include.iter();
    let mut missing = messages.filter_map(|message| {
        let wanted = folded(message);
        Some((message, sight.where_is(|part| !folded(part.text).contains(&wanted))?))
    });
    let (message, place) = missing.next()?;
    let more = match missing.count() {
        0 => String::new(),
        more => format!("; {more} more are missing somewhere"),
    };
    Some(format!("the message \"{message}\" is missing{place}{more}"))
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

/// Each part by its own language: the first that is in another one.
fn language_match(sight: &Sight<'_>) -> Option<String> {
    let several = sight.parts.len();
    sight.parts.iter().find_map(|part| {
        let (what, language, place) = (another_language(part)?, part.language, whose(&[*part], several));
        Some(format!("{what}, the language is {language}{place}"))
    })
}

/// What most of a part is written in, where that is not its language.
fn another_language(part: &Part<'_>) -> Option<String> {
    let expected = scripts_of(part.language)?;
    if let Some(script) = foreign_majority(part.text, &expected) {
        return Some(format!("most of the text is in {script} script"));
    }
    let found = reads_as(&folded(part.text), &primary(part.language)).filter(|_| expected.contains(&Script::Latin))?;
    Some(format!("the text reads as {found}"))
}

/// The other language whose small words make the sentences of a folded text. Names and phrases of other languages stand in
/// texts of every language; sentences betray themselves by their small words. Only those count that no other language here
/// has, and against them all of its own.
fn reads_as(folded: &str, own: &str) -> Option<&'static str> {
    let of_own = SMALL.iter().find(|(tag, _)| *tag == own).map_or(&[] as &[&str], |(_, small)| *small);
    let near = NEIGHBOURS.iter().find(|(tag, _)| *tag == own).map_or(&[] as &[&str], |(_, near)| *near);
    let all = words(folded).count();
    let own_count = words(folded).filter(|word| of_own.contains(word)).count();
    let is_alone = |word: &str| SMALL.iter().filter(|(_, small)| small.contains(&word)).count() == 1;
    let alone: Vec<_> = words(folded).filter(|word| is_alone(word)).collect();
    let others = SMALL.iter().filter(|(tag, _)| *tag != own && !near.contains(tag));
    let counted = others.map(|(tag, small)| (*tag, alone.iter().filter(|word| small.contains(*word)).count()));
    let (tag, found) = counted.max_by_key(|(_, found)| *found)?;
    (found >= SMALL_WORDS_MIN && found * WORDS_PER_SMALL >= all && found > own_count).then_some(tag)
}

/// What a person has to look at. A part that is in another language as a whole has been told already.
fn one_language(sight: &Sight<'_>) -> Option<String> {
    let parts: Vec<_> = sight.parts.iter().copied().filter(|part| another_language(part).is_none()).collect();
    let found = mixed(&parts, &sight.asked.language, &sight.asked.constraints.must_include);
    let shown = found.iter().take(MIXED_SHOWN).map(|one| {
        let place = if sight.parts.len() < 2 { String::new() } else { format!(" in {}", one.part) };
        format!("\"{}\"{place} seems to be in {}, the language is {}", one.sentence, one.found, one.wanted)
    });
    let shown: Vec<_> = shown.collect();
    let more = match found.len().saturating_sub(shown.len()) {
        0 => String::new(),
        more => format!("; and {more} more"),
    };
    (!shown.is_empty()).then(|| format!("{}{more}; a person has to look at it", shown.join("; ")))
}

/// Each part asks for something, in its own language.
fn cta_present(sight: &Sight<'_>) -> Option<String> {
    let place = sight.where_is(|part| !calls(part, &sight.asked.constraints.cta_hints))?;
    Some(format!("there is no call to action{place}"))
}

fn calls(part: &Part<'_>, hints: &[String]) -> bool {
    let language = primary(part.language);
    let mut calls = CALLS.iter().filter(|(tag, _)| *tag == "en" || *tag == language).flat_map(|(_, calls)| *calls);
    let text = format!("{} ", folded(part.text));
    calls.any(|call| contains_stem(&text, call))
        || hints.iter().any(|hint| !hint.is_empty() && text.contains(&folded(hint)))
        || text.contains("https://")
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
    let length = sight.text.chars().count();
    (length > limit).then(|| format!("{length} characters, {platform} takes {limit}"))
}

fn competitor_named(sight: &Sight<'_>) -> Option<String> {
    let found = first_word(&sight.folded, &sight.asked.constraints.competitors)?;
    Some(format!("the competitor \"{found}\" is named"))
}

fn reading_ease(sight: &Sight<'_>) -> Option<String> {
    let content = &sight.text;
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
    let content = &sight.text;
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
