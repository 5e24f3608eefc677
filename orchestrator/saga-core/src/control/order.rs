//! What people may order: a start, or something of one saga.

use crate::id::{RequestId, SagaId};
use crate::json::Payload;
use serde::{Deserialize, Serialize};

/// An order, with who is accountable for it beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// The same request id twice is one effect.
    pub request: RequestId,
    /// Why; some orders need it.
    pub reason: Option<String>,
    /// Only if the saga has exactly so many facts (its `rev`): then the order fits what its author saw. Checked in the
    /// decision of the order itself.
    pub if_rev: Option<u64>,
    /// What.
    pub what: What,
}

/// What can be ordered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// Start a saga: the same key and input give the same saga, another input is refused.
    Start {
        /// Name of the definition.
        kind: String,
        /// Version of it; the newest when not given.
        version: Option<u16>,
        /// The business key; a fresh one when not given.
        key: Option<String>,
        /// The input.
        input: Payload,
    },
    /// Something of a saga that there is.
    Of {
        /// Which saga, in any form of an id.
        saga: String,
        /// What.
        kind: OrderKind,
    },
}

/// What can be ordered of one saga. Its JSON travels between the processes of a coordinator and only grows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum OrderKind {
    /// Answer a gate.
    Signal {
        /// The gate's name, or the step's.
        gate: String,
        /// The decision.
        data: Payload,
        /// The opening that it is for, by its name ([`Waiting::opening`](crate::waiting::Waiting::opening)); without it,
        /// the first one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        opening: Option<String>,
    },
    /// Undo what was done and end as cancelled; `abandon` ends at once.
    Cancel {
        /// Undo nothing: leave everything as it is.
        abandon: bool,
    },
    /// Undo what was done and end as compensated.
    Compensate,
    /// Let nothing new begin.
    Pause,
    /// Go on.
    Resume,
    /// Try a parked or waiting step again now.
    Retry {
        /// Which step; every parked one when not given, though not more than 400 at a time.
        step: Option<String>,
    },
    /// Go on without a step, or accept an undo as done by hand.
    Skip {
        /// Which step.
        step: String,
        /// The output to go on with, which may be `null`; without it the step's undo is skipped.
        result: Option<Payload>,
    },
    /// Write something into the history.
    Note(String),
}

impl OrderKind {
    /// The verbs, as people and addresses name them.
    pub const VERBS: [&str; 8] = ["signal", "retry", "skip", "compensate", "pause", "resume", "cancel", "note"];

    /// The verb.
    pub fn verb(&self) -> &'static str {
        match self {
            OrderKind::Signal { .. } => "signal",
            OrderKind::Cancel { .. } => "cancel",
            OrderKind::Compensate => "compensate",
            OrderKind::Pause => "pause",
            OrderKind::Resume => "resume",
            OrderKind::Retry { .. } => "retry",
            OrderKind::Skip { .. } => "skip",
            OrderKind::Note(_) => "note",
        }
    }
    /// Whether it must say why: what it does cannot be taken back.
    pub fn needs_reason(&self) -> bool {
        matches!(self, OrderKind::Cancel { .. } | OrderKind::Compensate | OrderKind::Skip { .. })
    }
    /// Ordered of this saga.
    pub fn of(self, saga: impl Into<String>) -> What {
        What::Of { saga: saga.into(), kind: self }
    }
}

/// An order was accepted (which is not that it succeeded).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct Receipt {
    /// The request.
    pub request: RequestId,
    /// The saga it concerns.
    pub saga: SagaId,
    /// Whether this request (or, for a start, this key) was known before: nothing new happened.
    pub repeated: bool,
}
