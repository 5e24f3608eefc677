//! The answers a deed can get, as they are recorded and as they travel.

use crate::json::Payload;
use serde::{Deserialize, Serialize};

/// An answer. Silence is not among them: no answer by the deadline is the *Unknown* of the step, and evidence of nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case", try_from = "Flat")]
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

/// An answer as it is read: all fields side by side, so that outputs keep their text to the last digit.
#[derive(Deserialize)]
struct Flat {
    outcome: Outcome,
    #[serde(default, deserialize_with = "crate::json::present")]
    output: Option<Payload>,
    code: Option<String>,
    reason: Option<String>,
    #[serde(default)]
    fields: Option<Payload>,
    after_ms: Option<u64>,
}
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Outcome {
    Done,
    Refused,
    Retry,
}
impl TryFrom<Flat> for Answer {
    type Error = String;
    fn try_from(flat: Flat) -> Result<Self, String> {
        fn there<T>(name: &str, field: Option<T>) -> Result<T, String> {
            field.ok_or_else(|| format!("missing field `{name}`"))
        }
        Ok(match flat.outcome {
            Outcome::Done => Answer::Done { output: there("output", flat.output)? },
            Outcome::Refused => Answer::Refused(Refused {
                code: there("code", flat.code)?,
                reason: there("reason", flat.reason)?,
                fields: flat.fields,
            }),
            Outcome::Retry => {
                Answer::Retry { after_ms: there("after_ms", flat.after_ms)?, reason: there("reason", flat.reason)? }
            }
        })
    }
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
