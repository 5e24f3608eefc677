//! A saga that uses every word: local steps, asks, a read, a gate, parallel branches, a fan-out, a condition, rounds.
#![expect(clippy::unwrap_used, reason = "what tests share speaks by panicking")]

use crate::ledger::{Put, Taken, ledger};
use crate::linear::{APPROVAL, Approval};
use saga_core::control::OrderKind;
use saga_core::id::{SagaId, StepKey};
use saga_core::json::Payload;
use saga_core::policy::{AtMost, Deadline};
use saga_core::saga::{Plan, Saga, define};
use saga_core::step::{In, Item, Maybe, Out, Outs, Step, Undoing};
use saga_testkit::laws::saga::Case;
use saga_testkit::stage::ready;
use saga_testkit::world::World;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Slot {
    held_by: StepKey,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Everything {
    pub(crate) items: Vec<u32>,
}
impl Saga for Everything {
    const NAME: &'static str = "everything";
    const VERSION: u16 = 1;
    fn plan(plan: Plan) -> saga_core::definition::Definition {
        plan.step("slot", hold, free)
            .read("look", look)
            .all("both", |all| {
                all.branch("left", |p| p.ask("put-left", put_first).ask("put-more", put_second))
                    .branch("right", |p| p.step("hold-right", hold, free))
            })
            .repeat("rounds", AtMost(3), good_enough, |p| {
                p.ask("try", put_round).wait("approved", APPROVAL, Deadline::days(1))
            })
            .when("has-items", has_items, |p| p.each("items", items, AtMost(2), |p| p.ask("put", put_item)))
            .pivot("commit", commit)
            .then("tell", put_last)
            .end()
    }
}
pub(crate) async fn hold(key: StepKey) -> Step<Slot> {
    Ok(Slot { held_by: key })
}
pub(crate) async fn free(Undoing(_): Undoing) -> Step<()> {
    Ok(())
}
async fn look(Out(slot): Out<Slot>) -> Step<String> {
    Ok(slot.held_by.short())
}
fn put_first(In(_): In<Everything>) -> Put {
    Put::of("first")
}
fn put_second(Out(taken): Out<Taken>) -> Put {
    Put::of(format!("after {}", taken.what))
}
fn put_round(Maybe(answer): Maybe<Approval>) -> Put {
    Put::of(format!("round, last answer {answer:?}"))
}
fn good_enough(Out(answer): Out<Approval>) -> bool {
    answer.yes
}
fn has_items(In(job): In<Everything>) -> bool {
    !job.items.is_empty()
}
fn items(In(job): In<Everything>) -> Vec<u32> {
    job.items
}
fn put_item(Item(item): Item<u32>, In(job): In<Everything>) -> Put {
    Put::of(format!("item {item} of {}", job.items.len()))
}
async fn commit(Outs(items): Outs<Taken>) -> Step<usize> {
    Ok(items.len())
}
fn put_last(Out(count): Out<usize>) -> Put {
    Put::of(format!("{count} items"))
}

/// Says no to the first round and yes to the second.
pub(crate) fn answer(world: &mut World, saga: SagaId) {
    let rounds = ready(world.story(saga)).unwrap().iter().filter(|fact| fact.starts_with("RoundEnded")).count();
    let data = Payload::of(&Approval { yes: rounds > 0 }).unwrap();
    let opening = ready(world.opening(saga, "approval")).unwrap();
    world.order(saga, OrderKind::Signal { gate: "approval".to_owned(), data, opening });
}
pub(crate) async fn everything() -> Case {
    let mut world = World::new(vec![define::<Everything>()], vec![ledger()]).await.unwrap();
    let saga = world.start(&Everything { items: vec![1, 2, 3] }).unwrap();
    Case { world, saga, answer }
}
