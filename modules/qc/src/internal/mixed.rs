//! Sentences that are not in the language of the text around them. Pure.
//!
//! Nobody tells the language of a few words for sure, so this refuses nothing: it says what a person has to look at. Two
//! things are sure enough to be said: what was demanded in one language stands in a piece of another; and a sentence has
//! several words in another script, or small words of another language and less than half as many of its own.

use super::lexicon::{CHINESE, IN_NAMES, SMALL};
use super::parts::Part;
use super::script::{foreign_majority, letters, scripts_of, spaceless};
use super::text::folded;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;
use unicode_normalization::char::is_combining_mark;
use unicode_script::{Script, UnicodeScript as _};

/// Five words in another script are no name any more.
const FOREIGN_WORDS_MIN: usize = 5;
/// Three letters of a script without spaces count as one word.
const LETTERS_PER_WORD: usize = 3;
/// Two words of what is demanded in another script: one may be a name.
const DEMANDED_WORDS_MIN: usize = 2;
/// Two different small words of another language.
const SMALL_WORDS_MIN: usize = 2;
/// Twice as many as of its own: languages share small words.
const TIMES_OWN: usize = 2;
/// Four hiragana make the grammar of a Japanese sentence; a name has fewer.
const HIRAGANA_MIN: usize = 4;
/// One letter in four of a Japanese sentence is hiragana, at least.
const LETTERS_PER_HIRAGANA: usize = 4;
/// Two different characters that only Chinese writes.
const CHINESE_MIN: usize = 2;
/// 60 characters of a sentence are shown: enough to find it.
const SHOWN_CHARS: usize = 60;

/// A sentence that is not in the language of its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mixed {
    /// The part in which it stands.
    pub part: String,
    /// How it begins.
    pub sentence: String,
    /// What it is in, as far as it shows it: a language, or a script (ISO 15924).
    pub found: String,
    /// The language that the part is to be in.
    pub wanted: String,
}

/// The language of a tag, without script and region; Bokmål is Norwegian here.
pub(super) fn primary(tag: &str) -> String {
    match tag.split(['-', '_']).next().unwrap_or_default().to_ascii_lowercase().as_str() {
        "nb" => "no".to_owned(),
        language => language.to_owned(),
    }
}

/// The words of a folded text.
pub(super) fn words(folded: &str) -> impl Iterator<Item = &str> {
    folded.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty())
}

/// Which languages have a word among their small ones, by their index in [`SMALL`].
static LANGUAGES_OF: LazyLock<BTreeMap<&'static str, Vec<usize>>> = LazyLock::new(|| {
    let mut languages: BTreeMap<_, Vec<usize>> = BTreeMap::new();
    for (language, (_, small)) in SMALL.iter().enumerate() {
        small.iter().for_each(|word| languages.entry(*word).or_default().push(language));
    }
    languages
});

/// How much each language shows of itself in a folded text: its different small words, those that names have as well as one.
fn small_words(folded: &str) -> impl Iterator<Item = (&'static str, usize)> {
    let (mut sure, mut in_names) = (vec![0; SMALL.len()], vec![false; SMALL.len()]);
    for word in words(folded).collect::<BTreeSet<&str>>() {
        let named = IN_NAMES.contains(&word);
        for language in LANGUAGES_OF.get(word).into_iter().flatten() {
            if named { in_names[*language] = true } else { sure[*language] += 1 }
        }
    }
    let count = sure.into_iter().zip(in_names).map(|(sure, in_names)| sure + usize::from(in_names));
    SMALL.iter().map(|(language, _)| *language).zip(count)
}

/// Everything in these parts that is not in the language of its part. `demanded` stands in each of them as it was given, in
/// the language `own`.
pub(super) fn mixed(parts: &[Part<'_>], own: &str, demanded: &[String]) -> Vec<Mixed> {
    parts.iter().flat_map(|part| within(part, own, demanded)).collect()
}

fn within(part: &Part<'_>, own: &str, demanded: &[String]) -> Vec<Mixed> {
    let tell = |sentence: &str, found: String| Mixed {
        part: part.name().to_owned(),
        sentence: head(sentence),
        found,
        wanted: part.language.to_owned(),
    };
    let Some(expected) = scripts_of(part.language) else { return Vec::new() };
    let (language, own) = (primary(part.language), primary(own));
    let whole = folded(part.text);
    let here = demanded.iter().filter(|text| says_something(text) && whole.contains(&folded(text)));
    let quoted: Vec<_> =
        here.filter_map(|text| Some((text, demanded_in(text, (&language, &expected), &own)?))).collect();
    let others = sentences(part.text).filter_map(|sentence| {
        // A demanded text is reported already: only the rest of its sentence is checked.
        let mut rest = folded(sentence);
        quoted.iter().for_each(|(text, _)| rest = rest.replace(&folded(text), " "));
        let found = other_script(&rest, &expected).or_else(|| other_eastern(&rest, &language));
        Some(tell(sentence, found.or_else(|| other_language(&rest, &language))?))
    });
    quoted.iter().map(|(text, found)| tell(text, found.clone())).chain(others).collect()
}

/// What a demanded text is in, where that is not the language of the part: its letters say it, or else the brief's language.
fn demanded_in(text: &str, (language, expected): (&str, &[Script]), own: &str) -> Option<String> {
    let foreign_here = foreign_majority(text, expected).is_some();
    if scripts_of(own).is_some_and(|scripts| foreign_majority(text, &scripts).is_some()) {
        let several = longest_run(text, expected) >= DEMANDED_WORDS_MIN;
        return (foreign_here && several).then(|| most_of(text, expected)).flatten();
    }
    (own != language && own != "und").then(|| own.to_owned())
}

/// Whether a text has a language at all: an address or a number has none.
fn says_something(text: &str) -> bool {
    let of_language = |word: &&str| !word.contains("://") && !word.contains('@');
    text.split_whitespace().filter(of_language).any(|word| word.chars().any(char::is_alphabetic))
}

/// Lines, and in them what ends with a full stop before white space.
fn sentences(text: &str) -> impl Iterator<Item = &str> {
    let ends = |pair: &(usize, char)| matches!(pair.1, '.' | '!' | '?' | '…' | '。' | '！' | '？' | '؟' | '۔' | '।');
    text.lines().flat_map(move |line| {
        let mut rest = line;
        std::iter::from_fn(move || {
            let taken = rest;
            let end = taken.char_indices().filter(ends).map(|(at, c)| at + c.len_utf8());
            let mut end = end.filter(|end| taken[*end..].chars().next().is_none_or(char::is_whitespace));
            let end = end.next().unwrap_or(taken.len());
            rest = &taken[end..];
            (!taken.is_empty()).then(|| taken[..end].trim())
        })
    })
}

/// The script in which a sentence has several words on end, where its language is not written in it.
fn other_script(sentence: &str, expected: &[Script]) -> Option<String> {
    let without = sentence.split_whitespace().filter(|word| !word.contains("://")).collect::<Vec<_>>().join(" ");
    if longest_run(&without, expected) < FOREIGN_WORDS_MIN {
        return None;
    }
    most_of(&without, expected)
}

/// The script of most letters that are in none of the expected ones.
fn most_of(text: &str, expected: &[Script]) -> Option<String> {
    let others = letters(text).into_values().filter(|(script, _)| !expected.contains(script));
    others.max_by_key(|(_, count)| *count).map(|(script, _)| script.short_name().to_owned())
}

/// Japanese among Chinese, and Chinese among Japanese: they share characters, and each has some that the other never writes.
fn other_eastern(sentence: &str, own: &str) -> Option<String> {
    let of = |script: Script| sentence.chars().filter(|c| c.script() == script).count();
    match own {
        "zh" => {
            let (hiragana, all) = (of(Script::Hiragana), sentence.chars().filter(|c| c.is_alphabetic()).count());
            (hiragana >= HIRAGANA_MIN && hiragana * LETTERS_PER_HIRAGANA >= all).then(|| "ja".to_owned())
        }
        "ja" => {
            let kana = of(Script::Hiragana) + of(Script::Katakana);
            let chinese = CHINESE.iter().filter(|c| sentence.contains(**c)).count();
            (kana == 0 && chinese >= CHINESE_MIN).then(|| "zh".to_owned())
        }
        _ => None,
    }
}

/// The most words in other scripts that no letter of the expected ones stands between.
fn longest_run(text: &str, expected: &[Script]) -> usize {
    if text.is_ascii() && expected.contains(&Script::Latin) {
        return 0;
    }
    let (mut longest, mut words, mut letters, mut in_word) = (0, 0, 0, false);
    for c in text.chars().filter(|c| !is_combining_mark(*c)) {
        let script = c.script();
        let is_letter = c.is_alphabetic() && !matches!(script, Script::Common | Script::Inherited | Script::Unknown);
        if is_letter && expected.contains(&script) {
            (words, letters) = (0, 0);
        } else if is_letter && spaceless(c) {
            letters += 1;
        } else if is_letter {
            words += usize::from(!in_word);
        }
        in_word = is_letter;
        longest = longest.max(words + letters / LETTERS_PER_WORD);
    }
    longest
}

/// The language that a sentence in the letters of its own has the small words of; two names when two languages have as many.
fn other_language(text: &str, own: &str) -> Option<String> {
    let found: Vec<_> = small_words(text).collect();
    let (_, of_own) = found.iter().find(|(known, _)| *known == own)?;
    let most = found.iter().filter(|(known, _)| *known != own).map(|(_, count)| *count).max()?;
    let likely = found.iter().filter(|(known, count)| *known != own && *count == most).map(|(known, _)| *known);
    (most >= SMALL_WORDS_MIN && most >= of_own * TIMES_OWN).then(|| likely.collect::<Vec<_>>().join(" or "))
}

fn head(sentence: &str) -> String {
    let mut head: String = sentence.trim().chars().take(SHOWN_CHARS).collect();
    if sentence.trim().chars().nth(SHOWN_CHARS).is_some() {
        head.push('…');
    }
    head
}

#[cfg(test)]
mod tests;
