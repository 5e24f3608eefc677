//! Scripts: which one a language is written in, which one a text is mostly written in, and which know no spaces.

use std::collections::BTreeMap;
use unicode_script::{Script, UnicodeScript};

/// Whether a character belongs to a script that writes words without spaces between them.
pub(super) fn spaceless(c: char) -> bool {
    const SCRIPTS: [Script; 9] = [
        Script::Han,
        Script::Hiragana,
        Script::Katakana,
        Script::Bopomofo,
        Script::Thai,
        Script::Lao,
        Script::Khmer,
        Script::Myanmar,
        Script::Tibetan,
    ];
    // The long-vowel mark belongs to both kana.
    SCRIPTS.contains(&c.script()) || c == 'ー'
}

/// The scripts of a language tag; `None` when the tag says nothing about it. A script in the tag (`sr-Latn`) wins.
pub(super) fn scripts_of(tag: &str) -> Option<Vec<Script>> {
    let mut parts = tag.split(['-', '_']);
    let language = parts.next().unwrap_or_default().to_ascii_lowercase();
    if let Some(named) = parts.find(|part| part.len() == 4 && part.bytes().all(|b| b.is_ascii_alphabetic())) {
        return match named.to_ascii_lowercase().as_str() {
            "jpan" => Some(vec![Script::Han, Script::Hiragana, Script::Katakana]),
            "hans" | "hant" => Some(vec![Script::Han, Script::Bopomofo]),
            "kore" => Some(vec![Script::Hangul, Script::Han]),
            other => {
                let titled = other[..1].to_ascii_uppercase() + &other[1..];
                Script::from_short_name(&titled).map(|script| vec![script])
            }
        };
    }
    let scripts = match language.as_str() {
        "" | "und" | "mul" | "zxx" | "mis" => return None,
        "ja" => vec![Script::Han, Script::Hiragana, Script::Katakana],
        "zh" | "yue" | "wuu" => vec![Script::Han, Script::Bopomofo],
        "ko" => vec![Script::Hangul, Script::Han],
        "ru" | "uk" | "be" | "bg" | "mk" | "kk" | "ky" | "mn" | "tg" | "tt" | "ba" => vec![Script::Cyrillic],
        "sr" => vec![Script::Cyrillic, Script::Latin],
        "uz" | "az" => vec![Script::Latin, Script::Cyrillic],
        "el" => vec![Script::Greek],
        "ar" | "fa" | "ur" | "ps" | "ckb" | "sd" | "ug" => vec![Script::Arabic],
        "he" | "iw" | "yi" => vec![Script::Hebrew],
        "hi" | "mr" | "ne" | "sa" | "bho" | "mai" => vec![Script::Devanagari],
        "pa" => vec![Script::Gurmukhi, Script::Arabic],
        "bn" | "as" => vec![Script::Bengali],
        "gu" => vec![Script::Gujarati],
        "ta" => vec![Script::Tamil],
        "te" => vec![Script::Telugu],
        "kn" => vec![Script::Kannada],
        "ml" => vec![Script::Malayalam],
        "or" => vec![Script::Oriya],
        "si" => vec![Script::Sinhala],
        "th" => vec![Script::Thai],
        "lo" => vec![Script::Lao],
        "km" => vec![Script::Khmer],
        "my" => vec![Script::Myanmar],
        "bo" | "dz" => vec![Script::Tibetan],
        "ka" => vec![Script::Georgian],
        "hy" => vec![Script::Armenian],
        "am" | "ti" => vec![Script::Ethiopic],
        _ => vec![Script::Latin],
    };
    Some(scripts)
}

/// How many letters of each script a text has; what belongs to no script is left out.
pub(super) fn letters(text: &str) -> BTreeMap<&'static str, (Script, usize)> {
    let mut counts = BTreeMap::new();
    for c in text.chars().filter(|c| c.is_alphabetic()) {
        let script = c.script();
        if !matches!(script, Script::Common | Script::Inherited | Script::Unknown) {
            counts.entry(script.full_name()).or_insert((script, 0)).1 += 1;
        }
    }
    counts
}

/// The script that outnumbers the expected ones, if any does.
pub(super) fn foreign_majority(text: &str, expected: &[Script]) -> Option<&'static str> {
    let counts = letters(text);
    let own: usize = counts.values().filter(|(script, _)| expected.contains(script)).map(|(_, count)| count).sum();
    let others = counts.iter().filter(|(_, (script, _))| !expected.contains(script));
    let (name, (_, count)) = others.max_by_key(|(_, (_, count))| *count)?;
    (*count > own).then_some(*name)
}

/// Whether most of a text is written without spaces between words.
pub(super) fn mostly_spaceless(text: &str) -> bool {
    let letters = text.chars().filter(|c| c.is_alphabetic());
    let (without, all) = letters.fold((0_usize, 0_usize), |(n, all), c| (n + usize::from(spaceless(c)), all + 1));
    without * 2 > all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_compared_with_the_script_of_its_language() {
        let table = [
            ("Hello there", "en", None),
            ("Привет всем", "en", Some("Cyrillic")),
            ("Hello there", "ru", Some("Latin")),
            ("絵本定期便をどうぞ", "ja", None),
            ("凉茶小馆", "zh", None),
            ("ひらがなだけ", "zh-Hans", Some("Hiragana")),
            ("한빛 피트니스 PT", "ko", None),
            ("zdravo svima", "sr-Latn", None),
            ("zdravo svima", "sr-Cyrl", Some("Latin")),
            ("שלום", "he", None),
            ("123 !!!", "el", None),
            ("Καλημέρα Nordlys", "el-GR", None),
            ("whatever", "und", None),
        ];
        for (text, tag, expected) in table {
            let found = scripts_of(tag).and_then(|scripts| foreign_majority(text, &scripts));
            assert_eq!(found, expected, "{text:?} as {tag}");
        }
    }
}
