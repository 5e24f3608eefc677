//! The answers a deed can get, as they are recorded and as they travel.

use crate::json::Payload;
use crate::limits;
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

impl Answer {
    /// The same answer within the bounds of what a fact can hold: texts are cut with a mark, a code that is none moves
    /// into the reason, and a time is held at [`limits::AFTER_MS_MAX`]. Nothing of its meaning is lost. An output has
    /// no shorter form: its receiver checks the size.
    #[must_use]
    pub fn bounded(self) -> Self {
        match self {
            Answer::Done { .. } => self,
            Answer::Refused(refused) => Answer::Refused(refused.bounded()),
            Answer::Retry { after_ms, reason } => {
                Answer::Retry { after_ms: after_ms.min(limits::AFTER_MS_MAX), reason: limits::cut(&reason) }
            }
        }
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
    /// Within the bounds: see [`Answer::bounded`].
    #[must_use]
    pub fn bounded(self) -> Self {
        let Refused { code, reason, fields } = self;
        let fields = fields.filter(|fields| limits::body("the fields", fields).is_ok());
        if limits::is_code(&code) {
            return Self { code, reason: limits::cut(&reason), fields };
        }
        let reason = limits::cut(&format!("{}: {reason}", limits::head(&code)));
        Self { code: UNNAMED.to_owned(), reason, fields }
    }
}

/// How the reason of weather begins that does not pass by itself: nothing happened, and nothing will until a person mends
/// what the rest of it names (rights, room, a quota, something that stands in the way). It is asked again all the same.
pub const MEND: &str = "MEND";

/// The reason of weather that a person must mend. The mark stands in the text, because answers and facts of weather keep
/// their shape: a program that does not know the mark shows it as it is.
pub fn mend(words: &str) -> String {
    format!("{MEND}: {words}")
}
/// What a person must mend, if a reason says so.
pub fn must_mend(reason: &str) -> Option<&str> {
    reason.strip_prefix(MEND)?.strip_prefix(':').map(str::trim)
}

/// The code of a refusal whose own code is none; that one stands in front of the reason.
pub const UNNAMED: &str = "REFUSED";
/// Answer of a barrier to a deed that comes after its undo.
pub const TOMBSTONED: &str = "TOMBSTONED";
/// Answer of a barrier to a known key with another payload.
pub const KEY_REUSED: &str = "KEY_REUSED";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_held_within_its_bounds_and_keeps_its_meaning() {
        let refused = |code: &str, reason: &str| {
            let Answer::Refused(refused) = Answer::Refused(Refused::new(code, reason)).bounded() else { panic!() };
            (refused.code, refused.reason)
        };
        assert_eq!(refused("NO_STOCK", "none left"), ("NO_STOCK".to_owned(), "none left".to_owned()));
        for odd in ["", "no stock", "Nein", "x-1"] {
            assert_eq!(refused(odd, "why"), (UNNAMED.to_owned(), format!("{odd}: why")));
        }
        let (code, reason) = refused(&"A".repeat(100_000), &"r".repeat(2_000_000));
        assert!(limits::is_code(&code) && reason.len() <= limits::TEXT_BYTES_MAX && reason.contains("bytes in all"));
        for after_ms in [limits::AFTER_MS_MAX + 1, 251_600_000_000_000, u64::MAX] {
            let answer = Answer::Retry { after_ms, reason: "busy".to_owned() }.bounded();
            assert_eq!(answer, Answer::Retry { after_ms: limits::AFTER_MS_MAX, reason: "busy".to_owned() });
        }
    }
}
