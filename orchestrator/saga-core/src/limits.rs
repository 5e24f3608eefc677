//! Bounds of input: how large, how long and how far in the future a value from outside of the engine may be.
//!
//! They are checked where a value comes in, and they leave room for what the engine adds: a value that is accepted
//! makes facts that every store can keep and every program can read back. Nothing else may invent a bound of its own
//! for these things.

use crate::json::{PAYLOAD_BYTES_MAX, Payload};
use crate::plain::is_blank;
use crate::time::Timestamp;
use unicode_normalization::UnicodeNormalization;

/// 960 KiB for an input, the data of a signal, an output, a reply or a command: an event may have 1 MiB, and 64 KiB of it
/// belong to what the engine writes beside a body (names, paths, who, why).
pub const BODY_BYTES_MAX: usize = 983_040;
/// 64 KiB: what a fact may hold beside its body. All texts of an order at their limits and written with escapes are less.
pub const BESIDE_BYTES_MAX: usize = PAYLOAD_BYTES_MAX - BODY_BYTES_MAX;
/// 4 KiB for a note, a reason or the reason of a refusal: two pages of prose. More is a document, and belongs into one.
pub const TEXT_BYTES_MAX: usize = 4_096;
/// 200 characters for a business key: people read and type it, and stores and brokers index it.
pub const KEY_CHARS_MAX: usize = 200;
/// 64 characters for the code of a refusal: it is compared and counted, not read.
pub const CODE_CHARS_MAX: usize = 64;
/// 1,000 bytes for the name of a step, a gate or a person in an input: the path of a step through five blocks is less.
pub const NAME_BYTES_MAX: usize = 1_000;
/// 200 characters of what is strange: enough to recognise it, too few to hurt.
pub const HEAD_CHARS_MAX: usize = 200;
/// 30 days for the `after_ms` of a `retry`: a longer pause is not weather, and the plan has a wait for it.
pub const AFTER_MS_MAX: u64 = 30 * 24 * 3_600_000;
/// Five years for waits and timers: longer than any contract, short enough for every clock.
pub const WAIT_MS_MAX: u64 = crate::policy::DEADLINE_MS_MAX;
/// 1970: no clock that this program can trust shows less.
pub const TIME_MIN: Timestamp = Timestamp(0);
/// The last microsecond of 9999: later times have no RFC 3339 text that others can read.
pub const TIME_MAX: Timestamp = Timestamp(253_402_300_799_999_999);

/// What does not fit, and why: a sentence for the sender.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} {why}")]
pub struct Unfit {
    /// What: "the input", "the note".
    pub what: &'static str,
    /// What is wrong with it, with the limit.
    pub why: String,
}

fn unfit<T>(what: &'static str, why: impl Into<String>) -> Result<T, Unfit> {
    Err(Unfit { what, why: why.into() })
}

/// Checks the size of an input, of data, an output, a reply or a command.
pub fn body(what: &'static str, payload: &Payload) -> Result<(), Unfit> {
    let bytes = payload.as_str().len();
    if bytes > BODY_BYTES_MAX {
        return unfit(what, format!("has {bytes} bytes, at most {BODY_BYTES_MAX} are allowed"));
    }
    Ok(())
}

/// Checks a text that people wrote: something in it that is seen, at most [`TEXT_BYTES_MAX`], and no NUL.
pub fn text(what: &'static str, text: &str) -> Result<(), Unfit> {
    if is_blank(text) {
        return unfit(what, "is empty, or has nothing in it that is seen");
    }
    if text.len() > TEXT_BYTES_MAX {
        return unfit(what, format!("has {} bytes, at most {TEXT_BYTES_MAX} are allowed", text.len()));
    }
    if text.contains('\0') {
        return unfit(what, "holds a NUL character, which not every store can keep");
    }
    Ok(())
}

/// Checks a name from outside: at most [`NAME_BYTES_MAX`], and no NUL.
pub fn name(what: &'static str, name: &str) -> Result<(), Unfit> {
    if name.len() > NAME_BYTES_MAX {
        return unfit(what, format!("has {} bytes, at most {NAME_BYTES_MAX} are allowed", name.len()));
    }
    if name.contains('\0') {
        return unfit(what, "holds a NUL character, which not every store can keep");
    }
    Ok(())
}

/// A business key as it is kept: trimmed and in NFC, so that keys that look alike are alike; 1 to [`KEY_CHARS_MAX`]
/// characters, all of them seen: none acts on a terminal, turns the direction of a text, takes no room, or looks like a
/// space or a letter of another script ([`crate::plain::identifies`]).
pub fn key(key: &str) -> Result<String, Unfit> {
    let key: String = key.trim().nfc().collect();
    let chars = key.chars().count();
    if chars == 0 {
        return unfit("the key", "is empty; leave it out to get a fresh one");
    }
    if chars > KEY_CHARS_MAX {
        return unfit("the key", format!("has {chars} characters, at most {KEY_CHARS_MAX} are allowed"));
    }
    match crate::plain::identifies(&key) {
        Ok(()) => Ok(key),
        Err(why) => unfit("the key", why),
    }
}

/// Checks what a decision says of itself beside the answer: its note is as long as a note may be, and who decided (`by`) is
/// named as people are. A blank text counts as not given.
pub fn said_in(data: &Payload) -> Result<(), Unfit> {
    let read = data.read::<serde_json::Value>().unwrap_or_default();
    let said = |field: &str| read.get(field).and_then(serde_json::Value::as_str).filter(|text| !text.trim().is_empty());
    said("note").map_or(Ok(()), |note| text("the note in the data", note))?;
    match said("by").map(crate::plain::name) {
        Some(Err(why)) => unfit("the name in the data (by):", why),
        Some(Ok(_)) | None => Ok(()),
    }
}

/// Whether a refusal's code is one: 1 to [`CODE_CHARS_MAX`] of `A-Z`, `0-9` and `_`.
pub fn is_code(code: &str) -> bool {
    let legal = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
    (1..=CODE_CHARS_MAX).contains(&code.len()) && code.bytes().all(legal)
}

/// A text that must be kept although it may be too long: cut to [`TEXT_BYTES_MAX`], with a mark that says so and how long
/// it was; without NUL. A module's text is not refused for its length: the answer in it would be lost.
pub fn cut(text: &str) -> String {
    let mark = format!(" … ({} bytes in all)", text.len());
    let most = if text.len() > TEXT_BYTES_MAX { TEXT_BYTES_MAX - mark.len() } else { text.len() };
    let end = (0..=most).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    let kept = text[..end].replace('\0', "\u{fffd}");
    if end < text.len() { kept + &mark } else { kept }
}

/// The first [`HEAD_CHARS_MAX`] characters, without NUL.
pub fn head(text: &str) -> String {
    text.chars().take(HEAD_CHARS_MAX).map(|char| if char == '\0' { '\u{fffd}' } else { char }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_trimmed_composed_and_bounded() {
        assert_eq!(key("  acme-7\t").unwrap(), "acme-7");
        assert_eq!(key("cafe\u{301}").unwrap(), key("caf\u{e9}").unwrap());
        assert_eq!(key(&"é".repeat(KEY_CHARS_MAX)).unwrap().chars().count(), KEY_CHARS_MAX);
        for bad in ["", " ", "\n", "a\nb", "a\u{0}b", "a\u{7f}b", &"x".repeat(KEY_CHARS_MAX + 1)]
            .iter()
            .chain(&["a\u{202e}b", "a\u{200b}b", "a\u{61c}b", "a\u{180e}b", "a\u{ad}b", "a\u{34f}b", "a\u{3164}b"])
            .chain(&["a\u{fff9}b", "a\u{e0041}b", "a\u{feff}b", "a\u{2066}b"])
        {
            assert!(key(bad).is_err(), "{bad:?}");
        }
        for odd in ["foo/bar", "base64/+==/x", "x'|work|'y", "workflow ()", "parent:Portal:1", "q?x=1&y=2", "hash#tag"]
            .iter()
            .chain(&["percent%20two", "100%", "%2F", "ümlaut-✖-日本", "..", "../../etc", "a\\b", "star*star"])
        {
            assert_eq!(key(odd).as_deref(), Ok(*odd));
        }
    }

    /// Over all of Unicode: what is not seen makes no key, no name and no note, and stands in no key and no name.
    #[test]
    fn what_is_not_seen_identifies_nothing_and_says_nothing() {
        use unicode_properties::{GeneralCategoryGroup as Group, UnicodeGeneralCategory};
        // Planes of ideographs and those that are empty or private are alike throughout: every 97th character of them.
        let looked = |code: &u32| !(0x20000..0xe0000).contains(code) && *code < 0xf0000 || code.is_multiple_of(97);
        for character in (0..=u32::from(char::MAX)).filter(looked).filter_map(char::from_u32) {
            let group = character.general_category_group();
            let blank = is_blank(&character.to_string());
            let unseen = matches!(group, Group::Other | Group::Separator);
            assert!(!unseen || blank, "U+{:04X} is of the category {group:?} and seen", u32::from(character));
            let alone = character.to_string();
            let between = format!("a{character}b");
            if blank {
                let said = (key(&alone).is_ok(), crate::plain::name(&alone).is_ok(), text("the note", &alone).is_ok());
                assert_eq!(said, (false, false, false), "U+{:04X} alone", u32::from(character));
            }
            if (unseen && character != ' ') || crate::plain::is_hidden(character) {
                let said = (key(&between).is_ok(), crate::plain::name(&between).is_ok());
                assert_eq!(said, (false, false), "U+{:04X} between letters", u32::from(character));
            }
        }
        for bad in [
            "\u{2800}",
            "\u{a0}",
            "\u{fe0f}",
            "\u{e000}",
            "\u{301}",
            "a\u{2800}b",
            "a\u{a0}b",
            "a\u{fe0f}b",
            "a\u{378}b",
        ] {
            assert!(key(bad).is_err() && crate::plain::name(bad).is_err(), "{bad:?}");
        }
        assert!(text("the note", "\u{200b} \u{2800}").is_err());
        assert_eq!(text("the note", "✔\u{fe0f} 👩\u{200d}👩"), Ok(()), "a text may have what joins its signs");
    }

    /// Two people or two sagas never look the same because one is written with letters of another script.
    #[test]
    fn a_word_is_of_one_script() {
        for bad in ["\u{430}nn", "p\u{430}ypal-7", "acme \u{41e}rder", "\u{3b1}cme", "ann\u{435}", "ο\u{43b}ga"] {
            assert!(key(bad).unwrap_err().to_string().contains("mixes"), "{bad:?}");
            assert!(crate::plain::name(bad).unwrap_err().contains("mixes"), "{bad:?}");
        }
        for good in [
            "анна",
            "заказ-ABC-7",
            "Ольга Ivanova",
            "Σοφία",
            "LINE公式",
            "株式会社さくら",
            "10x倍",
            "हिन्दी",
            "Änn O'Neil",
            "한국 KB",
        ] {
            assert!(key(good).is_ok(), "{good:?}");
        }
    }

    #[test]
    fn the_edges_are_exact() {
        let body_of = |bytes: usize| Payload::trusted(format!("\"{}\"", "x".repeat(bytes - 2)));
        assert_eq!(body("the input", &body_of(BODY_BYTES_MAX)), Ok(()));
        let why = body("the input", &body_of(BODY_BYTES_MAX + 1)).unwrap_err();
        assert_eq!(why.to_string(), "the input has 983041 bytes, at most 983040 are allowed");
        assert_eq!(text("the note", &"n".repeat(TEXT_BYTES_MAX)), Ok(()));
        assert!(text("the note", &"n".repeat(TEXT_BYTES_MAX + 1)).is_err());
        assert!(text("the note", " \n").is_err() && text("the note", "a\0").is_err());
        assert!(is_code("A_9") && is_code(&"A".repeat(CODE_CHARS_MAX)));
        for bad in ["", "a", "A B", "Ä", &"A".repeat(CODE_CHARS_MAX + 1)] {
            assert!(!is_code(bad), "{bad:?}");
        }
    }

    #[test]
    fn what_is_cut_says_so_and_fits() {
        assert_eq!(cut("short"), "short");
        assert_eq!(cut(&"x".repeat(TEXT_BYTES_MAX)), "x".repeat(TEXT_BYTES_MAX));
        let long = "ß".repeat(TEXT_BYTES_MAX);
        let kept = cut(&long);
        assert!(kept.len() <= TEXT_BYTES_MAX && kept.ends_with("(8192 bytes in all)"), "{kept}");
        assert!(!cut("a\0b").contains('\0') && !head("a\0b").contains('\0'));
        assert_eq!(head(&long).chars().count(), HEAD_CHARS_MAX);
    }
}
