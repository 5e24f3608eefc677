//! What the engine itself records. Its facts are defined beside the state machine that lives by them, in `saga_core::fact`;
//! they are named here so that the catalogue holds all there is.

pub use saga_core::fact::{
    BranchFailed, CompensationDispatched, CompensationFailed, CompensationSkipped, CompensationStarted,
    ConditionRecorded, LateReplyRecorded, ListRecorded, OperatorNote, Orchestration, PivotPassed, RetryOrdered,
    RoundEnded, SagaCancelled, SagaCompensated, SagaCompleted, SagaFact, SagaParked, SagaPaused, SagaResumed,
    SagaStarted, SignalReceived, StepCompensated, StepDispatched, StepFailed, StepFailedV1, StepFailedV2,
    StepOutcomeUnknown, StepProbed, StepRetryScheduled, StepSkipped, StepSucceeded, TimerFired, WaitStarted,
};

/// Every version of every fact, alphabetical.
pub const CATALOGUE: &[(&str, u16)] = &[
    ("BranchFailed", 1),
    ("CompensationDispatched", 1),
    ("CompensationFailed", 1),
    ("CompensationSkipped", 1),
    ("CompensationStarted", 1),
    ("ConditionRecorded", 1),
    ("LateReplyRecorded", 1),
    ("ListRecorded", 1),
    ("OperatorNote", 1),
    ("PivotPassed", 1),
    ("RetryOrdered", 1),
    ("RoundEnded", 1),
    ("SagaCancelled", 1),
    ("SagaCompensated", 1),
    ("SagaCompleted", 1),
    ("SagaParked", 1),
    ("SagaPaused", 1),
    ("SagaResumed", 1),
    ("SagaStarted", 1),
    ("SignalReceived", 1),
    ("StepCompensated", 1),
    ("StepDispatched", 1),
    ("StepFailed", 1),
    ("StepFailed", 2),
    ("StepOutcomeUnknown", 1),
    ("StepProbed", 1),
    ("StepRetryScheduled", 1),
    ("StepSkipped", 1),
    ("StepSucceeded", 1),
    ("TimerFired", 1),
    ("WaitStarted", 1),
];
