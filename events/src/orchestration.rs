//! What the engine itself records. Its facts are defined beside the state machine that lives by them, in `saga_core::fact`;
//! they are named here so that the catalogue holds all there is.

pub use saga_core::fact::{
    BranchFailed, CompensationDispatched, CompensationFailed, CompensationSkipped, CompensationStarted,
    ConditionRecorded, LateReplyRecorded, ListRecorded, OperatorNote, Orchestration, PivotPassed, RetryOrdered,
    RoundEnded, SagaCancelled, SagaCompensated, SagaCompleted, SagaFact, SagaParked, SagaPaused, SagaResumed,
    SagaStarted, SignalReceived, StepCompensated, StepDispatched, StepFailed, StepFailedV1, StepFailedV2,
    StepOutcomeUnknown, StepProbed, StepRetryScheduled, StepSkipped, StepSucceeded, TimerFired, WaitStarted,
};

published! {
    SagaFact of Orchestration in "orchestration_saga" {
        SagaStarted, StepDispatched, StepSucceeded, StepFailed(StepFailedV1, StepFailedV2), StepRetryScheduled,
        StepProbed, StepOutcomeUnknown, ListRecorded, ConditionRecorded, RoundEnded, BranchFailed, WaitStarted,
        SignalReceived, TimerFired, PivotPassed, CompensationStarted, CompensationDispatched, StepCompensated,
        CompensationFailed, SagaParked, SagaPaused, SagaResumed, RetryOrdered, StepSkipped, CompensationSkipped,
        OperatorNote, LateReplyRecorded, SagaCompleted, SagaCompensated, SagaCancelled,
    }
}
