//! Every command in every state: what moves, what stays, what is refused.

use super::{CLIENT, COMPLETE, answers, captured, mia, next, stage};
use crate::api::commands::{
    CancelBrief, CloseProject, CreateProject, NormalizeBrief, RevertBriefNormalization, ValidateBrief, WithdrawIntake,
};
use crate::api::dtos::BriefStatus;
use crate::api::queries::GetBrief;
use events::ids::BriefId;
use saga_core::outcome::Refused;
use saga_testkit::stage::Stage;

fn normalize(stage: &mut Stage, brief_id: BriefId) -> Result<(), Refused> {
    stage.send(&NormalizeBrief { brief_id, notes: None }, mia()).map(drop)
}
fn validate(stage: &mut Stage, brief_id: BriefId) -> Result<(), Refused> {
    stage.send(&ValidateBrief { brief_id }, mia()).map(drop)
}
fn revert(stage: &mut Stage, brief_id: BriefId) -> Result<(), Refused> {
    stage.send(&RevertBriefNormalization { brief_id, reason: "why not".to_owned(), deed: None }, mia())
}
fn cancel(stage: &mut Stage, brief_id: BriefId) -> Result<(), Refused> {
    stage.send(&CancelBrief { brief_id }, mia()).map(drop)
}

type Move = fn(&mut Stage, BriefId) -> Result<(), Refused>;

#[test]
fn a_brief_moves_as_its_machine_says() {
    use BriefStatus::{Cancelled, Captured, Normalized, Reverted, Validated};
    let ways: [(BriefStatus, &[Move]); 5] = [
        (Captured, &[]),
        (Normalized, &[normalize]),
        (Validated, &[normalize, validate]),
        (Reverted, &[normalize, revert]),
        (Cancelled, &[cancel]),
    ];
    let moves: [(&str, Move); 4] =
        [("normalize", normalize), ("validate", validate), ("revert", revert), ("cancel", cancel)];
    // What each move comes to, in the order of `moves`; a text is a refusal.
    let no = |state| Err(("WRONG_STATE", state));
    let table = [
        (Captured, [Ok(Normalized), no("CAPTURED"), no("CAPTURED"), Ok(Cancelled)]),
        (Normalized, [Ok(Normalized), Ok(Validated), Ok(Reverted), Ok(Cancelled)]),
        (Validated, [Ok(Validated), Ok(Validated), Ok(Reverted), Ok(Cancelled)]),
        (Reverted, [Ok(Normalized), no("REVERTED"), Ok(Reverted), Ok(Cancelled)]),
        (Cancelled, [no("CANCELLED"), no("CANCELLED"), no("CANCELLED"), Ok(Cancelled)]),
    ];
    for ((from, way), (same, row)) in ways.iter().zip(table) {
        assert_eq!(*from, same);
        for ((name, order), expected) in moves.iter().zip(row) {
            let mut stage = stage();
            let brief_id = captured(&mut stage, answers(COMPLETE)).brief_id;
            for step in *way {
                step(&mut stage, brief_id).unwrap();
            }
            let outcome = order(&mut stage, brief_id);
            let status = stage.query(&GetBrief { brief_id }).unwrap().status;
            match expected {
                Ok(to) => assert_eq!((outcome, status), (Ok(()), to), "{name} of {from:?}"),
                Err((code, state)) => {
                    let refused = outcome.unwrap_err();
                    assert_eq!((refused.code.as_str(), status), (code, *from), "{name} of {from:?}");
                    assert_eq!(refused.reason, format!("not possible in state {state}"));
                }
            }
        }
    }
}

#[test]
fn an_intake_moves_as_its_machine_says() {
    let mut stage = stage();
    let first = captured(&mut stage, answers(COMPLETE));
    let withdraw =
        |version| WithdrawIntake { intake_id: first.intake_id, version, reason: "sent by mistake".to_owned() };
    stage.send(&next(&first, 2, answers(COMPLETE)), mia()).unwrap();
    stage.send(&withdraw(2), mia()).unwrap();
    stage.send(&withdraw(2), mia()).unwrap();
    assert_eq!(stage.send(&withdraw(9), mia()).unwrap_err().code, "NOT_FOUND");
    // The number 2 is not used again.
    let again = stage.send(&next(&first, 2, answers(COMPLETE)), mia()).unwrap_err();
    assert_eq!(again.code, "VERSION_CONFLICT");
    assert_eq!(stage.send(&next(&first, 3, answers(COMPLETE)), mia()).unwrap().version, 3);
    stage.send(&withdraw(1), mia()).unwrap();
    stage.send(&withdraw(3), mia()).unwrap();
    let over = stage.send(&next(&first, 4, answers(COMPLETE)), mia()).unwrap_err();
    assert_eq!((over.code.as_str(), over.reason.as_str()), ("WRONG_STATE", "not possible in state WITHDRAWN"));
    let read = stage.send(&NormalizeBrief { brief_id: first.brief_id, notes: None }, mia()).unwrap_err();
    assert_eq!(read.code, "WRONG_STATE");
    let captured_and_withdrawn = ["IntakeCaptured", "IntakeCaptured", "IntakeWithdrawn", "IntakeCaptured"];
    assert_eq!(stage.names()[..4], captured_and_withdrawn);
    assert_eq!(stage.names().len(), 6, "nothing is deleted, and nothing is recorded twice");
}

#[test]
fn a_project_closes_once() {
    let mut stage = stage();
    let project = stage.send(&CreateProject { client_id: CLIENT, brief_id: None }, mia()).unwrap();
    let close = CloseProject { project_id: project.project_id, reason: "done".to_owned() };
    stage.send(&close, mia()).unwrap();
    stage.send(&close, mia()).unwrap();
    assert_eq!(stage.names(), ["WorkspaceCreated", "ProjectClosed"]);
}

#[test]
fn a_form_that_comes_after_the_brief_is_not_read_silently() {
    let mut stage = stage();
    let first = captured(&mut stage, answers(COMPLETE));
    normalize(&mut stage, first.brief_id).unwrap();
    stage.send(&next(&first, 2, answers(COMPLETE)), mia()).unwrap();
    assert_eq!(normalize(&mut stage, first.brief_id).unwrap_err().code, "WRONG_STATE");
    revert(&mut stage, first.brief_id).unwrap();
    let brief = stage.send(&NormalizeBrief { brief_id: first.brief_id, notes: None }, mia()).unwrap();
    assert_eq!(brief.intake.version, 2);
}
