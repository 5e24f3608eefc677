//! The languages that content is delivered in: those that the house writes whole.
//!
//! A writer that lacks a language would give sentences of another one around the client's own nouns. So a brief that asks
//! for any other language is refused at the door, and the built-in writers hold exactly these.

/// Primary tags, each with the script that its words are written in (ISO 15924).
pub const LANGUAGES: [(&str, &str); 14] = [
    ("en", "Latn"),
    ("de", "Latn"),
    ("fr", "Latn"),
    ("es", "Latn"),
    ("pt", "Latn"),
    ("ja", "Jpan"),
    ("zh", "Hans"),
    ("ar", "Arab"),
    ("hi", "Deva"),
    ("ru", "Cyrl"),
    ("el", "Grek"),
    ("ko", "Kore"),
    ("tr", "Latn"),
    ("no", "Latn"),
];
/// Where Chinese is written in the traditional script when the tag names none.
const TRADITIONAL: [&str; 3] = ["tw", "hk", "mo"];

/// The language that a tag asks for, as one of [`LANGUAGES`]; nothing when nobody here writes it, or not in that script.
///
/// A region changes nothing: `pt-BR` is `pt`. `nb` is `no`, and Nynorsk is written by nobody.
pub fn written(tag: &str) -> Option<&'static str> {
    let tag = tag.trim().to_ascii_lowercase();
    // What follows a single letter (`-u-`, `-x-`) is about sorting and calendars, not about words.
    let mut parts = tag.split(['-', '_']).take_while(|part| part.len() != 1);
    let primary = match parts.next()? {
        "nb" => "no",
        primary => primary,
    };
    let (language, script) = LANGUAGES.into_iter().find(|(language, _)| *language == primary)?;
    let mut asked = None;
    for part in parts {
        if part.len() == 4 && part.bytes().all(|byte| byte.is_ascii_alphabetic()) {
            asked = Some(part);
        } else if language == "zh" && asked.is_none() && TRADITIONAL.contains(&part) {
            asked = Some("hant");
        }
    }
    asked.is_none_or(|asked| asked.eq_ignore_ascii_case(script)).then_some(language)
}

/// The language in which the summary of a strategy is called so.
pub fn of_summary(heading: &str) -> Option<&'static str> {
    crate::internal::language_of_summary(heading)
}

/// All of them, for people.
pub fn all() -> String {
    LANGUAGES.map(|(language, _)| language).join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_written_when_its_language_and_its_script_are() {
        for (language, script) in LANGUAGES {
            assert_eq!(written(language), Some(language));
            assert_eq!(written(&format!("{language}-{script}")), Some(language));
            assert_eq!(written(&format!("{language}-Cher")), None, "nobody writes {language} in Cherokee");
        }
        let table = [
            ("pt-BR", Some("pt")),
            ("EN_us", Some("en")),
            (" de-CH-1996 ", Some("de")),
            ("nb", Some("no")),
            ("nn-NO", None),
            ("nb-NO", Some("no")),
            ("zh-Hans-SG", Some("zh")),
            ("zh-CN", Some("zh")),
            ("zh-Hans-TW", Some("zh")),
            ("zh-Hant", None),
            ("zh_TW", None),
            ("zh-HK", None),
            ("hi-Latn", None),
            ("ru-Latn", None),
            ("en-u-ca-buddhist", Some("en")),
            ("en-x-hant", Some("en")),
            ("he", None),
            ("th", None),
            ("vi", None),
            ("sw-KE", None),
            ("english", None),
            ("und", None),
            ("", None),
            ("-", None),
            ("x", None),
        ];
        for (tag, expected) in table {
            assert_eq!(written(tag), expected, "{tag:?}");
        }
    }
}
