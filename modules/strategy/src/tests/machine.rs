//! Every command in every state: what moves, what stays, what is refused.

use super::{
    amend, ana, approve, approved, discard, mia, new_summary, reject, revoke, saga, stage, submit, submitted, versions,
    withdraw, written,
};
use crate::api::dtos::StrategyStatus;
use crate::api::events::StrategyApproved;
use crate::api::queries::Current;
use events::ids::StrategyId;
use saga_core::outcome::Refused;
use saga_testkit::stage::Stage;

type Make = fn(&mut Stage) -> StrategyId;
type Move = fn(&mut Stage, StrategyId) -> Result<(), Refused>;

fn rejected(stage: &mut Stage) -> StrategyId {
    let id = submitted(stage);
    stage.send(&reject(id), mia()).unwrap();
    id
}
fn discarded(stage: &mut Stage) -> StrategyId {
    let id = written(stage);
    stage.send(&discard(id), mia()).unwrap();
    id
}
fn superseded(stage: &mut Stage) -> StrategyId {
    let id = approved(stage);
    approved(stage);
    id
}
fn revoked(stage: &mut Stage) -> StrategyId {
    let id = approved(stage);
    stage.send(&revoke(id), mia()).unwrap();
    id
}

#[test]
fn a_version_moves_as_its_machine_says() {
    use StrategyStatus::{Approved, Discarded, Draft, Rejected, Revoked, Submitted, Superseded};
    let made: [(StrategyStatus, Make); 7] = [
        (Draft, written),
        (Submitted, submitted),
        (Approved, approved),
        (Rejected, rejected),
        (Discarded, discarded),
        (Superseded, superseded),
        (Revoked, revoked),
    ];
    let moves: [(&str, Move); 6] = [
        ("submit", |stage, id| stage.send(&submit(id), ana()).map(drop)),
        ("withdraw", |stage, id| stage.send(&withdraw(id), ana())),
        ("approve", |stage, id| stage.send(&approve(id), mia()).map(drop)),
        ("reject", |stage, id| stage.send(&reject(id), mia()).map(drop)),
        ("revoke", |stage, id| stage.send(&revoke(id), mia())),
        ("discard", |stage, id| stage.send(&discard(id), mia())),
    ];
    // `None` is a refusal with WRONG_STATE; the same state again is an order that changes nothing.
    let table = [
        (Draft, [Some(Submitted), Some(Draft), None, None, None, Some(Discarded)]),
        (Submitted, [None, Some(Draft), Some(Approved), Some(Rejected), None, Some(Discarded)]),
        (Approved, [None, None, None, None, Some(Revoked), None]),
        (Rejected, [None; 6]),
        (Discarded, [None, None, None, None, None, Some(Discarded)]),
        (Superseded, [None; 6]),
        (Revoked, [None, None, None, None, Some(Revoked), None]),
    ];
    for ((from, make), (same, row)) in made.iter().zip(table) {
        assert_eq!(*from, same);
        for ((name, order), expected) in moves.iter().zip(row) {
            let mut stage = stage();
            let id = make(&mut stage);
            let events = stage.log().len();
            let outcome = order(&mut stage, id);
            let shown = versions(&stage).into_iter().find(|doc| doc.strategy_id == id).map(|doc| doc.status);
            match expected {
                Some(to) => {
                    assert_eq!(outcome, Ok(()), "{name} of {from:?}");
                    assert_eq!(shown, (to != Discarded).then_some(to), "{name} of {from:?}");
                    assert_eq!(stage.log().len() == events, to == *from, "{name} of {from:?}");
                }
                None => {
                    let refused = outcome.unwrap_err();
                    assert_eq!(refused.code, "WRONG_STATE", "{name} of {from:?}");
                    assert_eq!(refused.reason, format!("not possible in state {}", from.word()));
                    assert_eq!(stage.log().len(), events);
                }
            }
        }
    }
}

#[test]
fn every_version_but_a_discarded_one_can_be_amended_into_the_next() {
    let table: [(Make, bool); 7] = [
        (written, true),
        (submitted, true),
        (approved, true),
        (rejected, true),
        (discarded, false),
        (superseded, true),
        (revoked, true),
    ];
    for (make, can) in table {
        let mut stage = stage();
        let id = make(&mut stage);
        let next = stage.send(&amend(id, new_summary()), mia());
        assert_eq!(
            next.as_ref().map(|doc| (doc.status, doc.amends)).ok(),
            can.then_some((StrategyStatus::Draft, Some(id)))
        );
    }
}

#[test]
fn one_version_is_approved_at_most_and_numbers_have_no_gap() {
    let mut stage = stage();
    let ids = [approved(&mut stage), approved(&mut stage), approved(&mut stage)];
    let docs = versions(&stage);
    let numbers: Vec<_> = docs.iter().map(|doc| doc.version).collect();
    assert_eq!(numbers, [1, 2, 3]);
    let states: Vec<_> = docs.iter().map(|doc| doc.status).collect();
    use StrategyStatus::{Approved, Superseded};
    assert_eq!(states, [Superseded, Superseded, Approved]);
    assert_eq!(docs[0].superseded_by, Some(ids[1]));
    let order: Vec<_> =
        stage.names().into_iter().filter(|name| name.contains("ed") && name != "StrategyGenerated").collect();
    // The old approval ends before the new one begins, so that no reader ever sees two.
    assert_eq!(order[2..5], ["StrategySubmitted", "StrategySuperseded", "StrategyApproved"]);
    let last = stage.events::<StrategyApproved>().pop().unwrap();
    assert_eq!((last.version, last.content_hash), (3, Some(docs[2].content_hash.clone())));
}

#[test]
fn the_current_version_is_the_approved_one_or_the_newest_in_work() {
    let mut stage = stage();
    let current = |stage: &Stage| stage.query(&Current { brief_id: super::BRIEF }).unwrap().map(|doc| doc.version);
    assert_eq!(current(&stage), None);
    let first = approved(&mut stage);
    let second = submitted(&mut stage);
    assert_eq!(current(&stage), Some(1));
    stage.send(&revoke(first), mia()).unwrap();
    assert_eq!(current(&stage), Some(2));
    stage.send(&reject(second), mia()).unwrap();
    assert_eq!(current(&stage), None);
}

#[test]
fn a_saga_passes_on_who_decided() {
    let mut stage = stage();
    let id = written(&mut stage);
    stage.ask(&submit(id), saga(1), "submit").unwrap();
    let order = super::ApproveStrategy { approver: Some(mia()), ..approve(id) };
    let reply = stage.ask(&order, saga(1), "approve").unwrap();
    assert_eq!((reply.version, reply.status), (1, StrategyStatus::Approved));
    assert_eq!(stage.events::<StrategyApproved>()[0].approved_by, mia());
    assert_eq!(versions(&stage)[0].decided_by, Some(mia()));
}
