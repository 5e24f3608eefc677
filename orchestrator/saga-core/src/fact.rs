//! What the orchestrator itself records: every fact of a saga, as versioned events of the module `orchestration`.
//!
//! What follows from the saga's id, the path and the frozen definition (keys, deadlines) is not recorded a second time.

use crate::envelope::Actor;
use crate::event::{EventSet, Origin, Owner, Upcast};
use crate::id::RequestId;
use crate::json::Payload;
use crate::path::StepPath;
use crate::reason::{ParkReason, UndoFailure};
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

mod examples;

/// The owner of all facts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Orchestration {}
impl Owner for Orchestration {
    const MODULE: &'static str = "orchestration";
}

/// What [`StepRetryScheduled`] says of a try that nobody answered. Every other reason is weather, in a module's own words.
pub const NO_ANSWER: &str = "no answer";
/// The category of saga streams.
pub const SAGA_CATEGORY: &str = SagaFact::CATEGORY;
/// The category of streams that keep messages nobody could place.
pub const ANOMALY_CATEGORY: &str = "orchestration_anomaly";

/// Who ordered something, why, and under which request id.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct By {
    /// Who.
    pub actor: Actor,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<String>,
    /// The same request id is one order.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub request: Option<RequestId>,
}

/// What the saga's backward run was caused by, and so how it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// A step was refused, or its rounds or branches are used up.
    Refused,
    /// A step's answer never came.
    Unknown,
    /// The saga's deadline passed.
    Deadline,
    /// Somebody ordered it: ends as compensated.
    Ordered,
    /// Somebody cancelled it: ends as cancelled.
    Cancelled,
}

macro_rules! facts {
    ($($(#[$meta:meta])* $name:ident { $($(#[$fmeta:meta])* $field:ident: $type:ty),* $(,)? })+) => {$(
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
        #[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
        pub struct $name { $($(#[$fmeta])* pub $field: $type),* }
    )+};
}

facts! {
    /// It began, with this definition, for good.
    SagaStarted {
        /// Name of the definition.
        definition: String,
        /// Its version.
        version: u16,
        /// Its digest.
        digest: String,
        /// The digest of what it means. It stands in the metadata of the event, whose shape is published: `None` where an
        /// older program wrote it.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        #[cfg_attr(feature = "schemas", schemars(skip))]
        meaning: Option<String>,
        /// The deadline of the whole that it began with, in the metadata too.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        #[cfg_attr(feature = "schemas", schemars(skip))]
        deadline_ms: Option<u64>,
        /// The business key.
        key: String,
        /// The input.
        input: Payload,
        /// Who.
        #[serde(skip_serializing_if = "Option::is_none", default)] by: Option<By>,
    }
    /// A try of a step was decided; only after this is recorded, the command is sent or the function called.
    StepDispatched {
        /// The step's path.
        step: StepPath,
        /// From 1.
        attempt: u32,
        /// The command, on the first try.
        #[serde(skip_serializing_if = "Option::is_none", default)] command: Option<Payload>,
        /// The command that takes it back, known before the deed.
        #[serde(skip_serializing_if = "Option::is_none", default)] undo: Option<Payload>,
    }
    /// It happened.
    StepSucceeded {
        /// The step's path.
        step: StepPath,
        /// The reply.
        output: Payload,
    }
    /// No answer, or weather: the next try has its time.
    StepRetryScheduled {
        /// The step's path.
        step: StepPath,
        /// The try that did not work.
        attempt: u32,
        /// When the next one begins.
        due: Timestamp,
        /// What was heard.
        reason: String,
        /// Whether this is about the undo.
        #[serde(skip_serializing_if = "std::ops::Not::not", default)] undo: bool,
    }
    /// The module is asked for the answer that it may have recorded.
    StepProbed {
        /// The step's path.
        step: StepPath,
    }
    /// The answer never came.
    StepOutcomeUnknown {
        /// The step's path.
        step: StepPath,
        /// After so many tries.
        attempt: u32,
        /// What was last heard.
        reason: String,
    }
    /// The list of a fan-out, before its first branch.
    ListRecorded {
        /// The block's path.
        step: StepPath,
        /// The items.
        items: Vec<Payload>,
    }
    /// Whether a branch is taken.
    ConditionRecorded {
        /// The block's path.
        step: StepPath,
        /// Yes or no.
        taken: bool,
    }
    /// A round of a repeated body ended.
    RoundEnded {
        /// The block's path.
        step: StepPath,
        /// From 1.
        round: u32,
        /// Whether the condition holds now.
        satisfied: bool,
    }
    /// A branch of a fan-out failed, and may.
    BranchFailed {
        /// The branch's path: `assets[2]`.
        step: StepPath,
        /// Why.
        code: String,
        /// For people.
        message: String,
    }
    /// A gate is open, or a timer runs.
    WaitStarted {
        /// The step's path.
        step: StepPath,
        /// The gate's name.
        gate: String,
        /// When waiting ends.
        deadline: Timestamp,
    }
    /// A gate was answered; kept when nothing waits for it yet.
    SignalReceived {
        /// The gate's name.
        gate: String,
        /// The step it was for; `None` when it came early.
        #[serde(skip_serializing_if = "Option::is_none", default)] step: Option<StepPath>,
        /// The decision.
        data: Payload,
        /// Who.
        by: By,
    }
    /// The deadline of a gate passed, or a timer is over.
    TimerFired {
        /// The step's path.
        step: StepPath,
    }
    /// Nothing before this is undone any more.
    PivotPassed {
        /// The step's path.
        step: StepPath,
    }
    /// From here on it goes backward.
    CompensationStarted {
        /// What for.
        cause: Cause,
        /// The step that failed, if one did.
        #[serde(skip_serializing_if = "Option::is_none", default)] step: Option<StepPath>,
        /// A code.
        code: String,
        /// For people.
        message: String,
        /// Who ordered it, if somebody did.
        #[serde(skip_serializing_if = "Option::is_none", default)] by: Option<By>,
    }
    /// A try of an undo was decided.
    CompensationDispatched {
        /// The step's path.
        step: StepPath,
        /// From 1.
        attempt: u32,
    }
    /// It is taken back.
    StepCompensated {
        /// The step's path.
        step: StepPath,
        /// Whether there was nothing to take back.
        #[serde(skip_serializing_if = "std::ops::Not::not", default)] nothing: bool,
    }
    /// The undo will not be tried again until a person says so.
    CompensationFailed {
        /// The step's path.
        step: StepPath,
        /// A code.
        #[cfg_attr(feature = "schemas", schemars(with = "String"))]
        code: UndoFailure,
        /// For people.
        message: String,
    }
    /// A step waits for a person.
    SagaParked {
        /// The step's path.
        step: StepPath,
        /// A code.
        #[cfg_attr(feature = "schemas", schemars(with = "String"))]
        code: ParkReason,
        /// For people.
        message: String,
    }
    /// Nothing new begins.
    SagaPaused {
        /// Who.
        by: By,
    }
    /// It goes on.
    SagaResumed {
        /// Who.
        by: By,
    }
    /// A person wants a step tried again.
    RetryOrdered {
        /// The step's path.
        step: StepPath,
        /// Whether it is the undo.
        #[serde(skip_serializing_if = "std::ops::Not::not", default)] undo: bool,
        /// Whether the deed gets a new key, because the old one has its answer.
        #[serde(skip_serializing_if = "std::ops::Not::not", default)] new_round: bool,
        /// Who.
        by: By,
    }
    /// A person passed over a step, with this output in its place.
    StepSkipped {
        /// The step's path.
        step: StepPath,
        /// What the others go on with.
        output: Payload,
        /// Who.
        by: By,
    }
    /// A person took a step back by hand.
    CompensationSkipped {
        /// The step's path.
        step: StepPath,
        /// Who.
        by: By,
    }
    /// Somebody wrote something down.
    OperatorNote {
        /// What.
        text: String,
        /// Who.
        by: By,
    }
    /// A message that came too late, twice with different content, or for nothing; kept, and changed nothing.
    LateReplyRecorded {
        /// The step's path.
        step: String,
        /// What is strange about it.
        kind: String,
        /// The answer, in one line.
        answer: String,
    }
    /// The end: everything on the taken path happened once.
    SagaCompleted {}
    /// The end: everything was taken back.
    SagaCompensated {}
    /// The end by order.
    SagaCancelled {
        /// Whether nothing was taken back.
        #[serde(skip_serializing_if = "std::ops::Not::not", default)] abandoned: bool,
        /// Who.
        #[serde(skip_serializing_if = "Option::is_none", default)] by: Option<By>,
    }
}

/// A business no, as the first version told it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct StepFailedV1 {
    /// The saga.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub saga_id: Option<String>,
    /// The step.
    pub step: String,
    /// What was printed.
    pub error_message: String,
}
/// A business no: nothing happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct StepFailedV2 {
    /// The saga, in events of version 1.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub saga_id: Option<String>,
    /// The step's path.
    pub step: StepPath,
    /// The refusal's code.
    pub code: String,
    /// `refused`, or `unknown` for events of version 1.
    pub class: String,
    /// For people.
    pub message: String,
    /// Which try.
    pub attempt: u32,
}
impl Upcast<StepFailedV2> for StepFailedV1 {
    fn upcast(self, _: &Origin) -> StepFailedV2 {
        // Older programs named steps as they liked: a name that is no path stays in the message.
        let (step, message) = match self.step.parse() {
            Ok(step) => (step, self.error_message),
            Err(_) => (StepPath::ROOT, format!("{}: {}", self.step, self.error_message)),
        };
        StepFailedV2 {
            saga_id: self.saga_id,
            step,
            code: "legacy".to_owned(),
            class: "unknown".to_owned(),
            message,
            attempt: 1,
        }
    }
}

crate::story! {
    /// Everything that is recorded of a saga.
    pub enum SagaFact of Orchestration in "orchestration_saga" {
        SagaStarted, StepDispatched, StepSucceeded, StepFailed(StepFailedV1, StepFailedV2), StepRetryScheduled,
        StepProbed, StepOutcomeUnknown, ListRecorded, ConditionRecorded, RoundEnded, BranchFailed, WaitStarted,
        SignalReceived, TimerFired, PivotPassed, CompensationStarted, CompensationDispatched, StepCompensated,
        CompensationFailed, SagaParked, SagaPaused, SagaResumed, RetryOrdered, StepSkipped, CompensationSkipped,
        OperatorNote, LateReplyRecorded, SagaCompleted, SagaCompensated, SagaCancelled,
    }
}

impl SagaFact {
    /// The first fact of a saga, if this is one.
    pub fn as_start(&self) -> Option<&SagaStarted> {
        if let SagaFact::SagaStarted(started) = self { Some(started) } else { None }
    }
    /// Whether nothing but notes and late replies may follow.
    pub fn is_terminal(&self) -> bool {
        matches!(self, SagaFact::SagaCompleted(_) | SagaFact::SagaCompensated(_) | SagaFact::SagaCancelled(_))
    }
}
