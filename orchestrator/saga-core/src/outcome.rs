//! The answers a deed can get, as they are recorded and as they travel.

use crate::json::Payload;
use serde::{Deserialize, Serialize};

/// An answer. Silence is not among them: no answer by the deadline is the *Unknown* of the step, and evidence of nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Answer {
    /// It is done.
    Done {
        /// The reply.
        output: Payload,
    },
    /// A business no; nothing happened.
    Refused(Refused),
    /// Weather: nothing is recorded, ask again with the same key.
    Retry {
        /// Not before this many milliseconds.
        after_ms: u64,
        /// What the weather is.
        reason: String,
    },
}

/// A refusal as data: what sagas and people read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// `UPPER_SNAKE`.
    pub code: String,
    /// A sentence for people.
    pub reason: String,
    /// The refusal's own fields, if it has any.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub fields: Option<Payload>,
}

impl Refused {
    /// A refusal without fields.
    pub fn new(code: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { code: code.into(), reason: reason.into(), fields: None }
    }
}

/// Answer of a barrier to a deed that comes after its undo.
pub const TOMBSTONED: &str = "TOMBSTONED";
/// Answer of a barrier to a known key with another payload.
pub const KEY_REUSED: &str = "KEY_REUSED";
