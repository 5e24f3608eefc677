//! Bounds of what enters: how large, how long and how far away anything may be that somebody outside of the engine says.
//!
//! They stand at the door, and they leave room for what the engine adds: whatever is accepted makes facts that every
//! store can keep and everybody can read back. Nothing else may invent a bound of its own for these things.

use crate::json::{PAYLOAD_BYTES_MAX, Payload};
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
/// 1,000 bytes for a name that somebody uses for a step, a gate or a person: the path of a step through five blocks is less.
pub const NAME_BYTES_MAX: usize = 1_000;
/// 200 characters of what is strange: enough to recognise it, too few to hurt.
pub const HEAD_CHARS_MAX: usize = 200;
/// 30 days for the `after_ms` of a `retry`: who needs longer is not weather, and a wait is the word for that.
pub const AFTER_MS_MAX: u64 = 30 * 24 * 3_600_000;
/// Five years for waits and timers: longer than any contract, short enough for every clock.
pub const WAIT_MS_MAX: u64 = crate::policy::DEADLINE_MS_MAX;
/// 1970: no clock that this program can trust shows less.
pub const TIME_MIN: Timestamp = Timestamp(0);
/// The last microsecond of 9999: later times have no RFC 3339 text that others can read.
pub const TIME_MAX: Timestamp = Timestamp(253_402_300_799_999_999);

/// What does not fit, and why: a sentence for whoever sent it.
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

/// Checks a text that people wrote: something in it, at most [`TEXT_BYTES_MAX`], and no NUL.
pub fn text(what: &'static str, text: &str) -> Result<(), Unfit> {
    if text.trim().is_empty() {
        return unfit(what, "is empty");
    }
    if text.len() > TEXT_BYTES_MAX {
        return unfit(what, format!("has {} bytes, at most {TEXT_BYTES_MAX} are allowed", text.len()));
    }
    if text.contains('\0') {
        return unfit(what, "holds a NUL character, which not every store can keep");
    }
    Ok(())
}

/// Checks a name that somebody used for something: at most [`NAME_BYTES_MAX`], and no NUL.
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
/// characters, all of them seen: none acts on a terminal, turns the direction of a text, or takes no room.
pub fn key(key: &str) -> Result<String, Unfit> {
    let key: String = key.trim().nfc().collect();
    let chars = key.chars().count();
    if chars == 0 {
        return unfit("the key", "is empty; leave it out to get a fresh one");
    }
    if chars > KEY_CHARS_MAX {
        return unfit("the key", format!("has {chars} characters, at most {KEY_CHARS_MAX} are allowed"));
    }
    if let Some(hidden) = key.chars().find(|char| crate::plain::is_hidden(*char)) {
        return unfit("the key", format!("holds the character U+{:04X}, which is not seen", u32::from(hidden)));
    }
    Ok(key)
}

/// Checks the note that a decision carries beside itself, as a text under that name: it is as long as a note may be.
pub fn note_in(data: &Payload) -> Result<(), Unfit> {
    let read = data.read::<serde_json::Value>().unwrap_or_default();
    match read.get("note").and_then(serde_json::Value::as_str) {
        Some(note) if !note.trim().is_empty() => text("the note in the data", note),
        Some(_) | None => Ok(()),
    }
}

/// Whether a refusal's code is one: 1 to [`CODE_CHARS_MAX`] of `A-Z`, `0-9` and `_`.
pub fn is_code(code: &str) -> bool {
    let legal = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
    (1..=CODE_CHARS_MAX).contains(&code.len()) && code.bytes().all(legal)
}

/// A text that must be kept although it may be too long: cut to [`TEXT_BYTES_MAX`], with a mark that says so and how long
/// it was; without NUL. What comes from a module is not refused for its length: the answer in it would be lost.
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
