//! The states of a saga and of a step, with the word and the sign that every face shows for each.

use serde::{Deserialize, Serialize};

/// The states of a saga. The last three are the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum SagaState {
    /// An undo failed for good; a person has to look.
    UndoFailed,
    /// Going forward is over until a person decides.
    Parked,
    /// A step is tried again.
    Retrying,
    /// What was done is being undone.
    Compensating,
    /// Somebody paused it.
    Paused,
    /// Steps are under way.
    Running,
    /// A gate or timer is awaited.
    Waiting,
    /// Every step on the taken path happened.
    Completed,
    /// Everything done was undone.
    Compensated,
    /// Cancelled: undone by order, or abandoned.
    Cancelled,
}

impl SagaState {
    /// All of them, trouble first: the order of lists.
    pub const ALL: [SagaState; 10] = [
        SagaState::UndoFailed,
        SagaState::Parked,
        SagaState::Retrying,
        SagaState::Compensating,
        SagaState::Paused,
        SagaState::Running,
        SagaState::Waiting,
        SagaState::Completed,
        SagaState::Compensated,
        SagaState::Cancelled,
    ];
    /// The word.
    pub fn word(self) -> &'static str {
        match self {
            SagaState::UndoFailed => "undo-failed",
            SagaState::Parked => "parked",
            SagaState::Retrying => "retrying",
            SagaState::Compensating => "compensating",
            SagaState::Paused => "paused",
            SagaState::Running => "running",
            SagaState::Waiting => "waiting",
            SagaState::Completed => "completed",
            SagaState::Compensated => "compensated",
            SagaState::Cancelled => "cancelled",
        }
    }
    /// The state of a word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.word() == word)
    }
    /// The sign: one column wide.
    pub fn sign(self) -> &'static str {
        match self {
            SagaState::UndoFailed => "‼",
            SagaState::Parked => "✖",
            SagaState::Retrying => "↻",
            SagaState::Compensating => "↩",
            SagaState::Paused => "‖",
            SagaState::Running => "●",
            SagaState::Waiting => "◔",
            SagaState::Completed => "✔",
            SagaState::Compensated => "↺",
            SagaState::Cancelled => "⊘",
        }
    }
    /// The sign where only ASCII is safe.
    pub fn ascii(self) -> &'static str {
        match self {
            SagaState::UndoFailed => "!",
            SagaState::Parked => "X",
            SagaState::Retrying => "r",
            SagaState::Compensating => "<",
            SagaState::Paused => "p",
            SagaState::Running => "*",
            SagaState::Waiting => "w",
            SagaState::Completed => "+",
            SagaState::Compensated => "u",
            SagaState::Cancelled => "-",
        }
    }
    /// Whether it is the end.
    pub fn is_end(self) -> bool {
        matches!(self, SagaState::Completed | SagaState::Compensated | SagaState::Cancelled)
    }
    /// Whether a person has to decide.
    pub fn needs_person(self) -> bool {
        matches!(self, SagaState::UndoFailed | SagaState::Parked)
    }
}

/// The states of a step, in both directions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum StepState {
    /// Not its turn yet.
    Pending,
    /// Under way.
    Running,
    /// A gate or timer.
    Waiting,
    /// The next try lies in the future.
    Retrying,
    /// It happened.
    Done,
    /// A gate decided.
    Decided,
    /// A business no; nothing happened.
    Refused,
    /// No answer: it may have happened.
    Unknown,
    /// A person decides.
    Parked,
    /// Passed over by order.
    Skipped,
    /// The path did not need it.
    NotNeeded,
    /// The undo is under way.
    Undoing,
    /// Taken back.
    Undone,
    /// The undo failed for good.
    UndoFailed,
}

impl StepState {
    /// All of them, in the order of a step's life: forward, then back.
    pub const ALL: [StepState; 14] = [
        StepState::Pending,
        StepState::Running,
        StepState::Waiting,
        StepState::Retrying,
        StepState::Done,
        StepState::Decided,
        StepState::Refused,
        StepState::Unknown,
        StepState::Parked,
        StepState::Skipped,
        StepState::NotNeeded,
        StepState::Undoing,
        StepState::Undone,
        StepState::UndoFailed,
    ];
    /// The word.
    pub fn word(self) -> &'static str {
        match self {
            StepState::Pending => "pending",
            StepState::Running => "running",
            StepState::Waiting => "waiting",
            StepState::Retrying => "retrying",
            StepState::Done => "done",
            StepState::Decided => "decided",
            StepState::Refused => "refused",
            StepState::Unknown => "unknown",
            StepState::Parked => "parked",
            StepState::Skipped => "skipped",
            StepState::NotNeeded => "not needed",
            StepState::Undoing => "undoing",
            StepState::Undone => "undone",
            StepState::UndoFailed => "undo failed",
        }
    }
    /// The sign: one column wide.
    pub fn sign(self) -> &'static str {
        match self {
            StepState::Pending => "·",
            StepState::Running => "●",
            StepState::Waiting => "◔",
            StepState::Retrying => "↻",
            StepState::Done | StepState::Decided => "✔",
            StepState::Refused | StepState::Parked => "✖",
            StepState::Unknown => "?",
            StepState::Skipped => "–",
            StepState::NotNeeded => "⋯",
            StepState::Undoing => "↩",
            StepState::Undone => "↺",
            StepState::UndoFailed => "‼",
        }
    }
    /// The sign where only ASCII is safe.
    pub fn ascii(self) -> &'static str {
        match self {
            StepState::Pending => ".",
            StepState::Running => "*",
            StepState::Waiting => "w",
            StepState::Retrying => "r",
            StepState::Done | StepState::Decided => "+",
            StepState::Refused | StepState::Parked => "X",
            StepState::Unknown => "?",
            StepState::Skipped => "-",
            StepState::NotNeeded => "_",
            StepState::Undoing => "<",
            StepState::Undone => "u",
            StepState::UndoFailed => "!",
        }
    }
}
