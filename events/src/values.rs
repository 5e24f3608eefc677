//! Values that the events of two or more modules share.

use saga_core::envelope::sha256_hex;
use serde::{Deserialize, Serialize};

pub mod world;

/// An amount in integer minor units of a currency (ISO 4217).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Money {
    pub minor: i64,
    pub currency: String,
}

/// 100,000,000,000,000 minor units (10^14): more than any client has, and times 10,000 basis points it still is an `i64`.
pub const MONEY_MINOR_MAX: i64 = 100_000_000_000_000;
/// The whole in basis points: 100 %.
pub const WHOLE_BP: u32 = 10_000;

/// 65,536 bytes: longer texts live beside the log, and events stay small.
pub const TEXT_BYTES_MAX: usize = 65_536;
/// How many characters of a long text stand in the event itself.
pub const TEXT_HEAD_CHARS: usize = 1_024;

/// A text: itself, or a reference to it when it is longer than [`TEXT_BYTES_MAX`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(untagged, expecting = "expected a text")]
pub enum Text {
    Inline(String),
    Ref { sha256: String, bytes: u64, head: String },
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
