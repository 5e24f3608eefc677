//! What people see: rows, causes and the actions that are possible now. Every face shows these and invents none.

mod foreseen;
mod states;
mod trouble;

pub use foreseen::Foreseen;
pub use states::{SagaState, StepState};
pub use trouble::Trouble;

use crate::id::{Position, SagaId};
use crate::json::Payload;
use crate::time::Timestamp;
use crate::waiting::Waiting;
use serde::{Deserialize, Serialize};

/// One saga in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct SagaRow {
    /// Its id.
    pub id: SagaId,
    /// Name of its definition.
    #[serde(rename = "type")]
    pub kind: String,
    /// Version of its definition.
    pub version: u16,
    /// The key it was started with.
    pub key: String,
    /// Its state.
    pub state: SagaState,
    /// The step that matters now, if any; `↩` is not part of it, see `undoing`.
    pub step: Option<String>,
    /// Whether that step is being undone.
    pub undoing: bool,
    /// Which attempt, and how many there are at most (0: no limit).
    pub attempt: Option<(u32, u32)>,
    /// When it started.
    pub started_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// Why it failed or what it waits for, in words.
    pub reason: Option<String>,
    /// What it waits for, the most troublesome first.
    pub waiting: Vec<Waiting>,
}

impl SagaRow {
    /// Whether a person has to decide, or should look: a step has met weather that only a person can mend, or nothing but
    /// weather past its deadline; or it is paused, which nobody but a person ends.
    pub fn needs_attention(&self, now: Timestamp) -> bool {
        let overdue = |waiting: &Waiting| waiting.mend || waiting.overdue_at.is_some_and(|at| at <= now);
        self.state.needs_person() || self.state == SagaState::Paused || self.waiting.iter().any(overdue)
    }
}

/// One step of a saga.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct StepRow {
    /// Its path, for example `assets[2]/render`.
    pub path: String,
    /// How deep it stands inside blocks.
    pub depth: usize,
    /// The module that performs it; `None` for steps of the saga itself.
    pub module: Option<String>,
    /// The command; `None` for local steps, gates and blocks.
    pub command: Option<String>,
    /// Forward.
    pub state: StepState,
    /// Backward, once it began.
    pub undo: Option<StepState>,
    /// The command that takes it back, if it is of a module.
    pub undo_command: Option<String>,
    /// Which attempt, and how many at most (0: no limit).
    pub attempt: Option<(u32, u32)>,
    /// From dispatch to answer.
    pub took_ms: Option<u64>,
    /// The answer in a few words.
    pub result: Option<String>,
    /// The whole output, when asked for.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub output: Option<Payload>,
    /// Point of no return.
    pub pivot: bool,
}

/// Something a person may order now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct Possible {
    /// In words: "undo everything".
    pub words: String,
    /// The verb: `cancel`, `retry` ...
    pub verb: String,
    /// The step or gate it concerns, if any.
    pub at: Option<String>,
    /// Whether a reason must be given.
    pub reason_needed: bool,
    /// Of a decision: the opening of the gate that it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opening: Option<String>,
    /// Of a decision: one that fits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub example: Option<Payload>,
}

/// One saga, whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct SagaShow {
    /// The row of the list.
    #[serde(flatten)]
    pub row: SagaRow,
    /// How many facts it has.
    pub rev: u64,
    /// Digest of its definition.
    pub digest: String,
    /// What it was started with, when asked for.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub input: Option<Payload>,
    /// Its steps, in plan order.
    pub steps: Vec<StepRow>,
    /// What would be sent if it were compensated now, first to last.
    pub undo_plan: Vec<String>,
    /// What would not be undone, with the reason.
    pub not_undone: Vec<String>,
    /// What a person may order now.
    pub possible: Vec<Possible>,
    /// Unexpected messages that were kept.
    pub anomalies: u64,
    /// Where it was asked for as it was: what all of this is of. Nothing can be ordered then.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub as_of: Option<AsOf>,
}

/// The moment that a saga is shown at, when that is not now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct AsOf {
    /// When the last fact until then was recorded.
    pub at: Timestamp,
    /// How many facts it has by now.
    pub facts: u64,
}

/// One fact of a saga's history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct HistoryRow {
    /// Its version in the saga's stream.
    pub rev: u64,
    /// Its place in the log.
    pub position: Position,
    /// When.
    pub at: Timestamp,
    /// Its name.
    pub fact: String,
    /// Who.
    pub by: String,
    /// What, in one line.
    pub detail: String,
    /// The fact's JSON.
    pub data: Payload,
}

/// How likely a cause is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Likelihood {
    /// Recorded as such.
    Certain,
    /// Nothing else fits the evidence.
    VeryLikely,
    /// Fits the evidence.
    Possible,
}

/// One ranked cause.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct Cause {
    /// The code, for labels and runbooks.
    pub code: String,
    /// How likely.
    pub likelihood: Likelihood,
    /// What it means here, in one sentence.
    pub says: String,
    /// The numbers behind it.
    pub evidence: Vec<String>,
    /// What to do first.
    pub remedy: String,
}

/// Why a saga is stuck.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct Why {
    /// The saga.
    pub saga: SagaRow,
    /// Ranked causes; empty when it does not wait.
    pub causes: Vec<Cause>,
    /// How many causes were checked.
    pub checked: usize,
}

/// One module in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct ModuleRow {
    /// Its name.
    pub name: String,
    /// Its contract version.
    pub contract: String,
    /// Commands it answers.
    pub commands: Vec<String>,
    /// Queries it answers.
    pub queries: Vec<String>,
    /// Read models, with their version and how many events they are behind.
    pub projections: Vec<ProjectionRow>,
    /// Last position of its log.
    pub head: Position,
    /// Commands that wait to be served.
    pub lag: u64,
    /// Messages that were put aside.
    pub parked: u64,
    /// When it last answered.
    pub last_seen: Option<Timestamp>,
    /// `up`, or what is wrong.
    pub state: String,
}

/// One read model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct ProjectionRow {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: u16,
    /// Events it has not folded yet, over all sources; at least so many where `unknown` names some.
    pub lag: u64,
    /// Sources whose end could not be looked up.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub unknown: Vec<String>,
}

/// One promise that was checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct Finding {
    /// The promise's id: `S4`, `L8`.
    pub promise: String,
    /// Where: module and position, saga, key.
    pub place: String,
    /// What is wrong.
    pub says: String,
}

/// The result of checking the logs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct Verdicts {
    /// Events read, per module.
    pub events: Vec<(String, u64)>,
    /// Sagas checked.
    pub sagas: u64,
    /// Promises checked.
    pub promises: Vec<String>,
    /// What is wrong; empty is good.
    pub findings: Vec<Finding>,
    /// What could not be compared, for a reason that is no fault.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub notes: Vec<String>,
}
