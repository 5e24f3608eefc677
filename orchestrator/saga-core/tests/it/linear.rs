//! A saga of modules' commands in a row, with every policy for silence, a gate, a pivot and a step behind it.
#![expect(clippy::unwrap_used, reason = "what tests share speaks by panicking")]

use crate::ledger::{Put, ledger};
use saga_core::execution::OrderKind;
use saga_core::id::SagaId;
use saga_core::json::Payload;
use saga_core::laws::saga::Case;
use saga_core::policy::{Deadline, OnUnknown, Retry};
use saga_core::saga::{Plan, Saga, define};
use saga_core::step::{Gate, In};
use saga_core::world::World;
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
