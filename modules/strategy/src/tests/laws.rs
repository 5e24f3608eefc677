//! Each command that can be undone: done and undone is as before; undone first it never happens; twice is once.

use super::{
    amend, approve, approved, generate, mia, new_summary, own, saga, seen, stage, submit, submitted, versions,
    withdraw, written,
};
use crate::api::dtos::StrategyStatus;
use events::ids::StrategyId;
use saga_core::command::Compensable;
use saga_testkit::stage::Stage;
use serde_json::Value;
use std::fmt::Debug;

/// The law of a module, over any command. `view` is the business state without the declared residue.
fn law<C: Compensable>(prepare: impl Fn(&mut Stage) -> C, view: impl Fn(&Stage) -> Value)
where
    C::Reply: Debug + PartialEq,
{
    let mut world = stage();
    let command = prepare(&mut world);
    let before = view(&world);
    let first = world.ask(&command, saga(1), "step").unwrap();
    assert_ne!(view(&world), before, "the deed shows");
    let events = world.log().len();
    assert_eq!(world.ask(&command, saga(1), "step").unwrap(), first, "twice is once");
    assert_eq!(world.log().len(), events);
    assert_eq!(world.undo(&command, saga(1), "step"), Ok(true));
    assert_eq!(view(&world), before);
    let events = world.log().len();
    assert_eq!(world.undo(&command, saga(1), "step"), Ok(true), "the first answer again");
    assert_eq!(world.log().len(), events);

    let mut world = stage();
    let command = prepare(&mut world);
    let before = view(&world);
    assert_eq!(world.undo(&command, saga(1), "step"), Ok(false), "a tombstone");
    assert_eq!(world.ask(&command, saga(1), "step").unwrap_err().code, "TOMBSTONED");
    assert_eq!(view(&world), before);
}

/// The id of the first version that a person writes on a fresh stage.
fn first() -> StrategyId {
    written(&mut stage())
}

#[test]
fn generating_obeys_the_law() {
    law(|_| generate(), seen);
    law(
        |stage| {
            approved(stage);
            generate()
        },
        seen,
    );
}

#[test]
fn amending_obeys_the_law() {
    law(|stage| amend(written(stage), new_summary()), seen);
}

#[test]
fn submitting_obeys_the_law() {
    law(|stage| submit(written(stage)), seen);
}

#[test]
fn approving_obeys_the_law_but_for_the_word_revoked() {
    law(
        |stage| approve(submitted(stage)),
        |stage| {
            let mine = versions(stage).into_iter().find(|doc| doc.strategy_id == first()).unwrap();
            Value::from(mine.status == StrategyStatus::Approved)
        },
    );
}

#[test]
fn numbers_of_discarded_versions_are_not_used_again() {
    let mut stage = stage();
    stage.ask(&generate(), saga(1), "write").unwrap();
    stage.undo(&generate(), saga(1), "write").unwrap();
    assert_eq!(stage.ask(&generate(), saga(2), "write").unwrap().version, 2);
}

#[test]
fn an_undo_takes_its_version_back_whatever_became_of_it() {
    use StrategyStatus::{Approved, Draft, Rejected, Revoked, Submitted};
    for became in [Draft, Submitted, Approved, Rejected, Revoked] {
        let mut stage = stage();
        let id = own(saga(1), "write");
        stage.ask(&generate(), saga(1), "write").unwrap();
        if became != Draft {
            stage.send(&submit(id), mia()).unwrap();
        }
        if matches!(became, Approved | Revoked) {
            stage.send(&approve(id), mia()).unwrap();
        }
        if became == Rejected {
            stage.send(&super::reject(id), mia()).unwrap();
        }
        if became == Revoked {
            stage.send(&super::revoke(id), mia()).unwrap();
        }
        assert_eq!(versions(&stage)[0].status, became);
        assert_eq!(stage.undo(&generate(), saga(1), "write"), Ok(true));
        assert_eq!(versions(&stage), []);
        let names = stage.names();
        assert_eq!(names.last().unwrap(), "StrategyDiscarded");
        let revocations = names.iter().filter(|name| *name == "StrategyApprovalRevoked").count();
        assert_eq!(revocations, usize::from(matches!(became, Approved | Revoked)), "{became:?}");
    }
}

#[test]
fn an_undo_leaves_what_a_newer_run_superseded() {
    let mut stage = stage();
    let old = own(saga(1), "write");
    stage.ask(&generate(), saga(1), "write").unwrap();
    stage.ask(&submit(old), saga(1), "submit").unwrap();
    stage.ask(&approve(old), saga(1), "approve").unwrap();
    approved(&mut stage);
    assert_eq!(stage.undo(&approve(old), saga(1), "approve"), Ok(true));
    assert_eq!(stage.undo(&submit(old), saga(1), "submit"), Ok(true));
    assert_eq!(stage.undo(&generate(), saga(1), "write"), Ok(true));
    let states: Vec<_> = versions(&stage).into_iter().map(|doc| doc.status).collect();
    assert_eq!(states, [StrategyStatus::Superseded, StrategyStatus::Approved]);
}

#[test]
fn an_undo_withdraws_its_own_submission_only() {
    let mut stage = stage();
    let id = written(&mut stage);
    stage.ask(&submit(id), saga(1), "submit").unwrap();
    stage.send(&withdraw(id), mia()).unwrap();
    stage.ask(&submit(id), saga(2), "submit").unwrap();
    assert_eq!(stage.undo(&submit(id), saga(1), "submit"), Ok(true));
    assert_eq!(versions(&stage)[0].status, StrategyStatus::Submitted, "it is the second run's");
    assert_eq!(stage.undo(&submit(id), saga(2), "submit"), Ok(true));
    assert_eq!(versions(&stage)[0].status, StrategyStatus::Draft);
}
