//! Which language a text is probably in, by the script that most of its letters belong to.

/// The language that stands for the script of most letters, and whether the script says so at all: Latin letters serve
/// too many languages, so `en` is only the house's default there.
pub(crate) fn detect(texts: &[&str]) -> (&'static str, bool) {
    let mut counts = [0_usize; SCRIPTS.len()];
    for letter in texts.iter().flat_map(|text| text.chars()).filter(|letter| letter.is_alphabetic()) {
        if let Some(script) = script_of(letter) {
            counts[script] += 1;
        }
    }
    // Japanese mixes kana and Chinese characters; Chinese has no kana.
    if counts[KANA] > 0 {
        counts[KANA] += counts[HAN];
        counts[HAN] = 0;
    }
    let most = counts.iter().max().copied().unwrap_or_default();
    match counts.iter().position(|count| *count == most) {
        Some(script) if most > 0 && script != LATIN => (SCRIPTS[script].0, true),
        Some(_) | None => ("en", false),
    }
}

/// 40 letters of answers: fewer may be names alone.
const LETTERS_MIN: usize = 40;
/// One letter in ten in a language's own script: names and phrases of others leave it more.
const LETTERS_PER_OWN: usize = 10;

/// Whether texts are surely in another language than the one of a tag: hardly a letter of them is in its script. The language
/// that stands for the letters that they are in.
pub(crate) fn surely_not(texts: &[&str], tag: &str) -> Option<&'static str> {
    let primary = tag.split(['-', '_']).next().unwrap_or_default().to_ascii_lowercase();
    let own: &[usize] = match primary.as_str() {
        // Japanese may be all Chinese characters; Chinese has no kana.
        "ja" => &[HAN, KANA],
        primary => &[SCRIPTS.iter().position(|(language, _)| *language == primary).unwrap_or(LATIN)],
    };
    let letters = texts.iter().flat_map(|text| text.chars()).filter(|letter| letter.is_alphabetic());
    let (of_own, all) = letters.fold((0_usize, 0_usize), |(of_own, all), letter| {
        (of_own + usize::from(script_of(letter).is_some_and(|script| own.contains(&script))), all + 1)
    });
    let kana = texts.iter().flat_map(|text| text.chars()).filter(|letter| script_of(*letter) == Some(KANA)).count();
    let is_japanese = primary == "zh" && kana > of_own;
    (all >= LETTERS_MIN && (is_japanese || of_own * LETTERS_PER_OWN < all)).then(|| detect(texts).0)
}

const LATIN: usize = 0;
const HAN: usize = 8;
const KANA: usize = 9;

/// Language and letter ranges of each script; earlier wins a draw.
const SCRIPTS: [(&str, &[(u32, u32)]); 11] = [
    ("en", &[(0x41, 0x24F), (0x1E00, 0x1EFF)]),
    ("ru", &[(0x400, 0x52F)]),
    ("el", &[(0x370, 0x3FF), (0x1F00, 0x1FFF)]),
    ("ar", &[(0x600, 0x6FF), (0x750, 0x77F), (0x8A0, 0x8FF), (0xFB50, 0xFDFF), (0xFE70, 0xFEFF)]),
    ("he", &[(0x590, 0x5FF)]),
    ("hi", &[(0x900, 0x97F)]),
    ("th", &[(0xE00, 0xE7F)]),
    ("ko", &[(0x1100, 0x11FF), (0x3130, 0x318F), (0xAC00, 0xD7AF)]),
    ("zh", &[(0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x2FA1F)]),
    ("ja", &[(0x3040, 0x30FF), (0x31F0, 0x31FF), (0xFF66, 0xFF9D)]),
    ("bn", &[(0x980, 0x9FF)]),
];

fn script_of(letter: char) -> Option<usize> {
    let code = u32::from(letter);
    SCRIPTS.iter().position(|(_, ranges)| ranges.iter().any(|(from, to)| (*from..=*to).contains(&code)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_texts_with_hardly_a_letter_of_its_script_are_surely_not_in_a_language() {
        let (latin, russian) = (
            "Repairable tents, sewn to order for people who walk",
            "утренние буханки испечены в четыре и привезены до семи",
        );
        let table = [
            (latin.to_owned(), "en", None),
            (latin.to_owned(), "de-CH", None),
            (latin.to_owned(), "ru", Some("en")),
            (latin.to_owned(), "ja", Some("en")),
            (russian.to_owned(), "en", Some("ru")),
            (russian.to_owned(), "ru", None),
            (format!("{latin} и утро"), "ru", None),
            ("三か月で新規会員八百人".repeat(5), "zh", None),
            ("朝四時に焼いてお届けします".repeat(5), "zh-Hans", Some("ja")),
            (format!("{}お茶の水", "外卖订单翻倍".repeat(9)), "zh", None),
            ("外卖订单翻倍".repeat(9), "ja-JP", None),
            ("外卖订单翻倍".repeat(9), "ko", Some("zh")),
            ("Tidewell".to_owned(), "ru", None),
        ];
        for (text, tag, found) in table {
            assert_eq!(surely_not(&[text.as_str()], tag), found, "{tag}: {text}");
        }
    }

    #[test]
    fn the_script_of_most_letters_decides() {
        let table = [
            ("40 qualified demos", ("en", false)),
            ("", ("en", false)),
            ("12345 !?", ("en", false)),
            ("60 демонстраций SaaS", ("ru", true)),
            ("δύο χιλιάδες παραγγελίες", ("el", true)),
            ("بيع ٣٠٠٠ صندوق", ("ar", true)),
            ("שלום לכולם", ("he", true)),
            ("दस हज़ार नामांकन", ("hi", true)),
            ("สวัสดีครับ", ("th", true)),
            ("신규 회원 천이백 명", ("ko", true)),
            ("外卖订单翻倍", ("zh", true)),
            ("三か月で新規会員八百人", ("ja", true)),
            ("株式会社 さくら SAKURA", ("ja", true)),
        ];
        for (text, expected) in table {
            assert_eq!(detect(&[text]), expected, "{text}");
        }
    }
}
