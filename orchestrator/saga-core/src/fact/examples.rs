//! One realistic value per version of each fact: the golden samples. All tell of one saga that hands over a campaign.

use super::{
    BranchFailed, By, Cause, CompensationDispatched, CompensationFailed, CompensationSkipped, CompensationStarted,
    ConditionRecorded, LateReplyRecorded, ListRecorded, OperatorNote, PivotPassed, RetryOrdered, RoundEnded,
    SagaCancelled, SagaCompensated, SagaCompleted, SagaParked, SagaPaused, SagaResumed, SagaStarted, SignalReceived,
    StepCompensated, StepDispatched, StepFailedV1, StepFailedV2, StepOutcomeUnknown, StepProbed, StepRetryScheduled,
    StepSkipped, StepSucceeded, TimerFired, WaitStarted,
};
use crate::envelope::Actor;
use crate::id::RequestId;
use crate::json::Payload;
use crate::path::StepPath;
use crate::time::Timestamp;
use uuid::Uuid;

const NOON: Timestamp = Timestamp(1_765_627_200_000_000);

fn mia() -> By {
    let request = RequestId(Uuid::from_u128(0x0193_c000_0000_7000_8000_0000_0000_4e90));
    By { actor: Actor::operator("mia"), reason: Some("the client called".to_owned()), request: Some(request) }
}
fn path(text: &str) -> StepPath {
    text.parse().unwrap_or_default()
}
fn payload(text: &str) -> Payload {
    Payload::trusted(text)
}

/// Thirty-one equal places: each version of each fact has its sample.
macro_rules! example {
    ($($fact:ident { $($field:ident: $value:expr),* $(,)? })+) => {$(
        impl $fact {
            /// A golden sample.
            pub fn example() -> Self {
                Self { $($field: $value),* }
            }
        }
    )+};
}
example! {
    SagaStarted {
        definition: "client_to_delivery".to_owned(), version: 1,
        digest: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08".to_owned(),
        meaning: None,
        deadline_ms: None,
        key: "fjordlys-2025".to_owned(), input: payload(r#"{"client":"Fjordlys Rederi"}"#), by: Some(mia()),
    }
    StepDispatched {
        step: path("assets[2]/render"), attempt: 1, command: Some(payload(r#"{"asset_id":"a-2"}"#)),
        undo: Some(payload(r#"{"asset_id":"a-2","reason":"undone"}"#)),
    }
    StepSucceeded { step: path("assets[2]/render"), output: payload(r#"{"url":"asset://5f1d.svg"}"#) }
    StepFailedV1 {
        saga_id: Some("g-1".to_owned()), step: "qc_evaluate".to_owned(), error_message: "boom".to_owned(),
    }
    StepFailedV2 {
        saga_id: None, step: path("qc_evaluate"), code: "SUBJECT_EMPTY".to_owned(), class: "refused".to_owned(),
        message: "there is nothing to judge".to_owned(), attempt: 1,
    }
    StepRetryScheduled {
        step: path("deliver"), attempt: 2, due: NOON, reason: "no answer within 30 s".to_owned(), undo: true,
    }
    StepProbed { step: path("deliver") }
    StepOutcomeUnknown { step: path("deliver"), attempt: 5, reason: "no answer within 30 s".to_owned() }
    ListRecorded { step: path("assets"), items: vec![payload(r#"{"variant":1}"#), payload("2")] }
    ConditionRecorded { step: path("rush?"), taken: true }
    RoundEnded { step: path("revisions"), round: 2, satisfied: false }
    BranchFailed {
        step: path("assets[2]"), code: "FORMAT_UNSUPPORTED".to_owned(), message: "no reels here".to_owned(),
    }
    WaitStarted { step: path("approval"), gate: "approval".to_owned(), deadline: NOON }
    SignalReceived {
        gate: "approval".to_owned(), step: Some(path("approval")), data: payload(r#"{"approved":true}"#), by: mia(),
    }
    TimerFired { step: path("approval") }
    PivotPassed { step: path("deliver") }
    CompensationStarted {
        cause: Cause::Refused, step: Some(path("qc_evaluate")), code: "SUBJECT_EMPTY".to_owned(),
        message: "there is nothing to judge".to_owned(), by: Some(mia()),
    }
    CompensationDispatched { step: path("generate"), attempt: 1 }
    StepCompensated { step: path("generate"), nothing: true }
    CompensationFailed {
        step: path("generate"), code: "WRONG_STATE".to_owned().into(), message: "not possible in state SENT".to_owned(),
    }
    SagaParked { step: path("generate"), code: "SG0201".to_owned().into(), message: "asks for a person".to_owned() }
    SagaPaused { by: mia() }
    SagaResumed { by: mia() }
    RetryOrdered { step: path("generate"), undo: true, new_round: true, by: mia() }
    StepSkipped { step: path("generate"), output: payload("null"), by: mia() }
    CompensationSkipped { step: path("generate"), by: mia() }
    OperatorNote { text: "asked the client by telephone".to_owned(), by: mia() }
    LateReplyRecorded {
        step: "generate".to_owned(), kind: "duplicate".to_owned(), answer: "refused NOT_FOUND".to_owned(),
    }
    SagaCompleted {}
    SagaCompensated {}
    SagaCancelled { abandoned: true, by: Some(mia()) }
}
