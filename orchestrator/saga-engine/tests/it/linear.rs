//! A saga of modules' commands in a row, with every policy for silence, a gate, a pivot and a step behind it.
#![expect(clippy::unwrap_used, reason = "what tests share speaks by panicking")]

use crate::ledger::{Put, ledger};
use saga_core::control::OrderKind;
use saga_core::id::SagaId;
use saga_core::json::Payload;
use saga_core::policy::{Deadline, OnUnknown, Retry};
use saga_core::saga::{Plan, Saga, define};
use saga_core::step::{Gate, In};
use saga_testkit::laws::saga::Case;
use saga_testkit::world::World;
use serde::{Deserialize, Serialize};

pub(crate) const APPROVAL: Gate<Approval> = Gate::named("approval").example(r#"{"yes":true}"#);
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Approval {
    pub(crate) yes: bool,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Linear {
    pub(crate) note: u32,
}
impl Saga for Linear {
    const NAME: &'static str = "linear";
    const VERSION: u16 = 1;
    fn plan(plan: Plan) -> saga_core::definition::Definition {
        plan.ask("a", put_a)
            .ask("b", put_a)
            .retry(Retry::brief())
            .wait("gate", APPROVAL, Deadline::days(2))
            .ask("c", put_a)
            .on_unknown(OnUnknown::Probe)
            .ask("d", put_a)
            .on_unknown(OnUnknown::Park)
            .pivot("p", put_a)
            .then("t", put_a)
            .end()
    }
}
fn put_a(In(job): In<Linear>) -> Put {
    Put::of(format!("note {}", job.note))
}
pub(crate) fn approve(world: &mut World, saga: SagaId) {
    let data = Payload::of(&Approval { yes: true }).unwrap();
    world.order(saga, OrderKind::Signal { gate: "approval".to_owned(), data, opening: None });
}
pub(crate) async fn linear() -> Case {
    let mut world = World::new(vec![define::<Linear>()], vec![ledger()]).await.unwrap();
    let saga = world.start(&Linear { note: 7 }).unwrap();
    Case { world, saga, answer: approve }
}
/// S4 by what lies in the world, and not by what the engine thinks that it owes: whatever was put down was taken back.
pub(crate) async fn nothing_lies_there(case: &saga_testkit::laws::saga::Case) -> Result<(), String> {
    let mut lies = std::collections::BTreeMap::<_, i32>::new();
    for (_, log) in case.world.logs().iter().skip(1) {
        for event in log.read_log(saga_core::id::Position::ZERO, usize::MAX).await.unwrap() {
            *lies.entry(event.stream).or_default() += if event.name == "PutDown" { 1 } else { -1 };
        }
    }
    let left: Vec<_> = lies.into_iter().filter(|(_, many)| *many != 0).collect();
    if left.is_empty() { Ok(()) } else { Err(format!("S4: compensated, and this still lies there: {left:?}")) }
}
