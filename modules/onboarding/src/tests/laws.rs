//! Each command that can be undone: done and undone is as before; undone first it never happens; twice is once.

use super::{CLIENT, COMPLETE, answers, capture, captured, key, mia, next, saga, seen, stage};
use crate::api::commands::{CreateProject, NormalizeBrief, RevertBriefNormalization, ValidateBrief};
use crate::api::dtos::{BriefStatus, OnboardingStage, ProjectStatus};
use crate::api::events::{BriefNormalizationReverted, intake_of};
use crate::api::queries::{GetBrief, GetProject, Status};
use events::ids::{BriefId, ProjectId};
use saga_core::command::Compensable;
use saga_testkit::stage::Stage;
use serde_json::Value;
use std::fmt::Debug;

/// The law of a module, over any command. `view` is the business state without the declared residue.
fn law<C: Compensable>(prepare: impl Fn(&mut Stage) -> C, view: impl Fn(&Stage) -> Value)
where
    C::Reply: Debug + PartialEq,
{
    // do, undo, undo: as before
    let mut world = stage();
    let command = prepare(&mut world);
    let before = view(&world);
    let first = world.ask(&command, saga(1), "step").unwrap();
    assert_ne!(view(&world), before, "the deed shows");
    // twice is once
    let events = world.log().len();
    assert_eq!(world.ask(&command, saga(1), "step").unwrap(), first);
    assert_eq!(world.log().len(), events);
    assert_eq!(world.undo(&command, saga(1), "step"), Ok(true));
    assert_eq!(view(&world), before);
    let events = world.log().len();
    assert_eq!(world.undo(&command, saga(1), "step"), Ok(true), "the first answer again");
    assert_eq!(world.log().len(), events);
    // undo first: a tombstone
    let mut world = stage();
    let command = prepare(&mut world);
    let before = view(&world);
    assert_eq!(world.undo(&command, saga(1), "step"), Ok(false));
    let late = world.ask(&command, saga(1), "step").unwrap_err();
    assert_eq!(late.code, "TOMBSTONED");
    assert_eq!(view(&world), before);
}

/// The brief of a saga's own capture.
fn own(step: &str) -> BriefId {
    BriefId::from(key(saga(1), step))
}

#[test]
fn capturing_a_new_intake_obeys_the_law() {
    law(|_| capture(answers(COMPLETE)), |stage| seen(stage, own("step")));
}

#[test]
fn capturing_a_further_form_obeys_the_law_but_for_its_number() {
    let first = captured(&mut stage(), answers(COMPLETE));
    law(
        |stage| {
            let known = captured(stage, answers(COMPLETE));
            assert_eq!(known, first, "the stage counts its requests");
            next(&known, 2, super::with("/notes", Value::from("the second form")))
        },
        |stage| {
            let mut seen = seen(stage, first.brief_id);
            seen[2]["next_version"] = Value::Null; // residue: numbers are not used again
            seen
        },
    );
}

#[test]
fn normalising_obeys_the_law_but_for_the_word_reverted() {
    let first = captured(&mut stage(), answers(COMPLETE));
    law(
        |stage| NormalizeBrief { brief_id: captured(stage, answers(COMPLETE)).brief_id, notes: None },
        |stage| {
            let mut seen = seen(stage, first.brief_id);
            if seen[1]["status"] == "REVERTED" {
                seen[1]["status"] = Value::from("CAPTURED");
            }
            seen
        },
    );
}

#[test]
fn validating_obeys_the_law_but_takes_the_normalisation_along() {
    let first = captured(&mut stage(), answers(COMPLETE));
    law(
        |stage| {
            let brief_id = captured(stage, answers(COMPLETE)).brief_id;
            stage.send(&NormalizeBrief { brief_id, notes: None }, mia()).unwrap();
            ValidateBrief { brief_id }
        },
        |stage| {
            let validated = stage.query(&Status { client_id: CLIENT }).unwrap().brief_validated;
            let card = stage.query(&GetBrief { brief_id: first.brief_id }).unwrap();
            Value::from(vec![validated, card.status == BriefStatus::Validated])
        },
    );
}

#[test]
fn creating_a_project_obeys_the_law_but_for_the_closed_card() {
    let project_id = ProjectId::from(key(saga(1), "step"));
    law(
        |_| CreateProject { client_id: CLIENT, brief_id: None },
        |stage| {
            let status = stage.query(&Status { client_id: CLIENT }).unwrap();
            let open = stage.query(&GetProject { project_id }).is_ok_and(|view| view.status == ProjectStatus::Ready);
            Value::from(vec![status.workspace_created, status.stage == OnboardingStage::Complete, open])
        },
    );
}

#[test]
fn withdrawing_takes_the_own_form_and_no_other() {
    let mut stage = stage();
    let first = captured(&mut stage, answers(COMPLETE));
    let second = next(&first, 2, answers(COMPLETE));
    let third = next(&first, 3, answers(COMPLETE));
    stage.ask(&second, saga(1), "capture").unwrap();
    stage.ask(&third, saga(2), "capture").unwrap();
    assert_eq!(stage.undo(&second, saga(1), "capture"), Ok(true));
    let seen = seen(&stage, first.brief_id);
    assert_eq!((&seen[2]["version"], &seen[2]["versions"]), (&Value::from(3), &Value::from(vec![1, 3])));
}

#[test]
fn undoing_normalise_and_validate_comes_to_the_same_in_either_order() {
    for validate_first in [true, false] {
        let mut stage = stage();
        let brief_id = captured(&mut stage, answers(COMPLETE)).brief_id;
        let (normalize, validate) = (NormalizeBrief { brief_id, notes: None }, ValidateBrief { brief_id });
        stage.ask(&normalize, saga(1), "normalize").unwrap();
        stage.ask(&validate, saga(1), "validate").unwrap();
        let undo_validate = |stage: &mut Stage| assert_eq!(stage.undo(&validate, saga(1), "validate"), Ok(true));
        if validate_first {
            undo_validate(&mut stage);
        }
        assert_eq!(stage.undo(&normalize, saga(1), "normalize"), Ok(true));
        if !validate_first {
            undo_validate(&mut stage);
        }
        assert_eq!(stage.query(&GetBrief { brief_id }).unwrap().status, BriefStatus::Reverted);
        assert_eq!(stage.events::<BriefNormalizationReverted>().len(), 1);
    }
}

#[test]
fn a_run_takes_nothing_back_that_another_run_did() {
    let mut stage = stage();
    let brief_id = captured(&mut stage, answers(COMPLETE)).brief_id;
    let (normalize, validate) = (NormalizeBrief { brief_id, notes: None }, ValidateBrief { brief_id });
    let first = stage.ask(&normalize, saga(1), "normalize").unwrap();
    stage.ask(&validate, saga(1), "validate").unwrap();
    // The second run reads the finished brief as it is ...
    let second = stage.ask(&normalize, saga(2), "normalize").unwrap();
    assert_eq!(second, first);
    stage.ask(&validate, saga(2), "validate").unwrap();
    // ... and compensates without touching it.
    assert_eq!(stage.undo(&validate, saga(2), "validate"), Ok(true));
    assert_eq!(stage.undo(&normalize, saga(2), "normalize"), Ok(true));
    assert_eq!(stage.query(&GetBrief { brief_id }).unwrap().status, BriefStatus::Validated);
    // A person reverts what is there; the first run's late undo then finds nothing of its own.
    let revert = RevertBriefNormalization { brief_id, reason: "wrong client".to_owned(), deed: None };
    stage.send(&revert, mia()).unwrap();
    stage.ask(&normalize, saga(3), "normalize").unwrap();
    assert_eq!(stage.undo(&normalize, saga(1), "normalize"), Ok(true));
    assert_eq!(stage.query(&GetBrief { brief_id }).unwrap().status, BriefStatus::Normalized);
}

#[test]
fn ids_follow_from_the_key_before_any_reply() {
    let mut stage = stage();
    let reply = stage.ask(&capture(answers(COMPLETE)), saga(1), "capture").unwrap();
    assert_eq!(reply.brief_id, own("capture"));
    assert_eq!((reply.intake_id, reply.version), (intake_of(own("capture")), 1));
}
