//! Why a saga waits, as data, from the first day: for what, where, since, until.

use crate::id::StepKey;
use crate::json::Payload;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

/// One thing that a saga waits for. A saga with parallel branches may wait for several.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct Waiting {
    /// What kind of waiting.
    pub reason: WaitReason,
    /// The step's path.
    pub step: String,
    /// Forward or backward.
    pub undo: bool,
    /// The subject, gate or code that is awaited.
    pub subject: String,
    /// The deed that is awaited, for traces.
    pub key: Option<StepKey>,
    /// Since when.
    pub since: Timestamp,
    /// When waiting ends by itself: a deadline, or the next try.
    pub until: Option<Timestamp>,
    /// Which attempt it is.
    pub attempt: u32,
    /// What was last heard, if anything.
    pub last: Option<String>,
    /// When it becomes the matter of a person: the module answers, but with nothing but weather. It is tried on and on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overdue_at: Option<Timestamp>,
    /// The performer's last words instead of an answer; silence afterwards does not remove them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub said: Option<String>,
    /// It does not pass by itself: a person mends what `said` names.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub mend: bool,
    /// It stands behind the point of no return: the saga can be completed and not be undone.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub passed: bool,
    /// Of a gate: whether it has opened for the first time.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub first: bool,
    /// Of a gate: the name of the opening that waits. An answer names it, so that it decides what was seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opening: Option<String>,
    /// Of a gate: a decision that fits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub example: Option<Payload>,
}

impl Waiting {
    /// A reason, what is awaited, the step in its direction and the key of its deed, and since when; nothing else is known.
    pub fn of(
        reason: WaitReason,
        subject: String,
        (step, undo): (String, bool),
        key: Option<StepKey>,
        since: Timestamp,
    ) -> Self {
        Waiting {
            reason,
            step,
            undo,
            subject,
            key,
            since,
            until: None,
            attempt: 0,
            last: None,
            overdue_at: None,
            said: None,
            mend: false,
            passed: false,
            first: false,
            opening: None,
            example: None,
        }
    }
}

impl Waiting {
    /// Whether only a person ends it well: by deciding, resuming, mending, deploying or looking.
    pub fn ends_by_a_person(&self) -> bool {
        match self.reason {
            WaitReason::NoReply | WaitReason::Backoff => self.mend,
            WaitReason::WaitingTimer => false,
            WaitReason::WaitingSignal
            | WaitReason::Paused
            | WaitReason::RetriesExhausted
            | WaitReason::RefusedAfterPivot
            | WaitReason::PivotUnknown
            | WaitReason::UndoFailed
            | WaitReason::KeyReused
            | WaitReason::Fault
            | WaitReason::NoDefinition
            | WaitReason::Unreadable
            | WaitReason::DigestMismatch => true,
        }
    }
    /// Whether something is under way that may move the saga without anybody: a step, or weather that passes.
    pub(crate) fn goes_on(&self) -> bool {
        matches!(self.reason, WaitReason::NoReply | WaitReason::Backoff) && !self.mend
    }
}

/// The reason codes of waiting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum WaitReason {
    /// A command or local action is under way, no answer yet.
    NoReply,
    /// The next try lies in the future.
    Backoff,
    /// A person or an outside event decides.
    WaitingSignal,
    /// A time has to come.
    WaitingTimer,
    /// Somebody paused it.
    Paused,
    /// Going forward is over until a person decides.
    RetriesExhausted,
    /// A step after the pivot was refused.
    RefusedAfterPivot,
    /// The pivot never answered.
    PivotUnknown,
    /// An undo is over until a person decides.
    UndoFailed,
    /// A module keeps an answer to another payload under the step's key: two of the stores do not belong together.
    KeyReused,
    /// A bug in the definition or in a function of the saga.
    Fault,
    /// The definition is not registered in this process.
    NoDefinition,
    /// A fact of it cannot be read here.
    Unreadable,
    /// The definition is registered under the same version with other content.
    DigestMismatch,
}

impl WaitReason {
    /// The code, as printed and put into labels.
    pub fn code(self) -> &'static str {
        match self {
            WaitReason::NoReply => "NO_REPLY",
            WaitReason::Backoff => "BACKOFF",
            WaitReason::WaitingSignal => "WAITING_SIGNAL",
            WaitReason::WaitingTimer => "WAITING_TIMER",
            WaitReason::Paused => "PAUSED",
            WaitReason::RetriesExhausted => "RETRIES_EXHAUSTED",
            WaitReason::RefusedAfterPivot => "REFUSED_AFTER_PIVOT",
            WaitReason::PivotUnknown => "PIVOT_UNKNOWN",
            WaitReason::UndoFailed => "UNDO_FAILED",
            WaitReason::KeyReused => "KEY_REUSED",
            WaitReason::Fault => "FAULT",
            WaitReason::NoDefinition => "NO_DEFINITION",
            WaitReason::Unreadable => "UNREADABLE",
            WaitReason::DigestMismatch => "DIGEST_MISMATCH",
        }
    }
}
