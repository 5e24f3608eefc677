//! Texts of any length: an event carries a short one whole, and of a long one its name, its length and its beginning; the
//! whole of that is kept beside the log, by the handler of a command.

use crate::envelope::sha256_hex;
use serde::{Deserialize, Serialize};

/// 65,536 bytes: longer texts live beside the log, and events stay small.
pub const TEXT_BYTES_MAX: usize = 65_536;
/// How many characters of a long text stand in the event itself.
pub const TEXT_HEAD_CHARS: usize = 1_024;

/// A text: itself, or a reference to it when it is longer than [`TEXT_BYTES_MAX`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(untagged, expecting = "expected a text")]
pub enum Text {
    /// All of it.
    Inline(String),
    /// What stands in its place.
    Ref {
        /// Its name, in hex.
        sha256: String,
        /// Its length.
        bytes: u64,
        /// Its first [`TEXT_HEAD_CHARS`] characters.
        head: String,
    },
}

impl Text {
    /// Takes a text; NUL becomes U+FFFD. The second value is what has to be kept as a blob, if anything.
    pub fn of(text: &str) -> (Self, Option<String>) {
        let clean = text.replace('\0', "\u{fffd}");
        if clean.len() <= TEXT_BYTES_MAX {
            return (Text::Inline(clean), None);
        }
        let head = clean.chars().take(TEXT_HEAD_CHARS).collect();
        let reference = Text::Ref { sha256: sha256_hex(clean.as_bytes()), bytes: clean.len() as u64, head };
        (reference, Some(clean))
    }
    /// What of the text stands here: all of it, or its head.
    pub fn head(&self) -> &str {
        match self {
            Text::Inline(text) => text,
            Text::Ref { head, .. } => head,
        }
    }
}

impl Default for Text {
    fn default() -> Self {
        Text::Inline(String::new())
    }
}
