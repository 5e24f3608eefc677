//! The code of a refusal is the module's own: whatever it is called, it is a refusal to the saga, and to a question for it.
#![expect(clippy::unwrap_used, reason = "what tests share speaks by panicking")]

use saga::core::bus::{Bus, CommandMessage, Inbox, Message, Says, Settle};
use saga::core::command::Refusal;
use saga::core::event::Owner;
use saga::core::module::{Cx, Halt, Handled, Module};
use saga::core::outcome::{Answer, KEY_REUSED};
use saga::core::view::SagaState;
use saga::prelude::*;
use saga::{LocalBus, SystemClock};
use saga_engine::memory::MemoryStores;
use std::sync::Arc;
use test_servers::waiting::within;

enum Oracle {}
impl Owner for Oracle {
    const MODULE: &'static str = "oracle";
}
/// A refusal that is called like what the engine says of silence.
#[derive(Debug, Serialize, Deserialize)]
struct Unwise {}
impl std::fmt::Display for Unwise {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("nothing is known of this")
    }
}
impl Refusal for Unwise {
    fn code(&self) -> &'static str {
        "NOTHING_KNOWN"
    }
}
#[derive(Clone, Serialize, Deserialize)]
struct Tell {}
const ORACLE: &str = "oracle";
saga::core::port!(ORACLE: Tell -> (), Unwise);
async fn tell(_: Cx<()>, _: Tell) -> Handled<Tell> {
    Err(Halt::Refuse(Unwise {}))
}

#[derive(Serialize, Deserialize)]
struct Pilgrimage {}
impl Saga for Pilgrimage {
    const NAME: &'static str = "pilgrimage";
    const VERSION: u16 = 1;
    fn plan(plan: Plan) -> Definition {
        plan.step("walk", walk, turn).pivot("tell", || Tell {}).end()
    }
}
async fn walk() -> Step<u32> {
    Ok(7)
}
async fn turn(Undoing(_): Undoing) -> Step<()> {
    Ok(())
}

#[tokio::test]
async fn a_refusal_that_is_called_like_silence_is_a_refusal() {
    let bus = Arc::new(LocalBus::new(Arc::new(SystemClock)));
    let stores = Arc::new(MemoryStores::new(Arc::new(SystemClock)));
    let module = Module::new::<Oracle, ()>("1.0", ()).command(tell).build();
    let sagas = Orchestrator::on(stores).bus(bus.clone()).module(module).register::<Pilgrimage>();
    let sagas = sagas.start().await.unwrap();
    let report = within("the refusal", sagas.run(Pilgrimage {})).await.unwrap();
    assert_eq!(report.0.row.state, SagaState::Compensated);
    assert_eq!(report.0.row.reason.as_deref(), Some("nothing is known of this"));

    // A question whether there is an answer hears the refusal too; a question with another payload hears that it is
    // another.
    let saga = report.0.row.id;
    let keys = saga::core::definition::deed_keys(saga.0, "tell", 0, 0);
    let group = 900;
    for (payload, code) in [("{}", "NOTHING_KNOWN"), (r#"{"of":"it"}"#, KEY_REUSED)] {
        bus.publish(Message::Command(probe(saga, keys, group, payload))).await.unwrap();
        let inbox = Inbox::Replies(group);
        let delivery = within("the answer to the question", bus.receive(&inbox, 1)).await.unwrap().remove(0);
        bus.settle(&inbox, vec![(delivery.tag, Settle::Done)]).await.unwrap();
        let Message::Reply(reply) = delivery.message else { panic!("a reply") };
        assert!(matches!(&reply.says, Says::Answer(Answer::Refused(no)) if no.code == code), "{code}: {reply:?}");
    }
    sagas.shutdown().await.unwrap();
}

/// Asks for the remembered answer to a step.
fn probe(saga: SagaId, keys: (StepKey, StepKey), reply_to: u16, payload: &str) -> CommandMessage {
    use saga::core::id::{Direction, Epoch};
    let deed = saga::core::module::Deed {
        saga: saga.0,
        step: "tell".to_owned(),
        key: keys.0,
        direction: Direction::Do,
        attempt: 1,
        actor: saga::core::envelope::Actor::saga(saga),
        correlation: saga.0,
        causation: keys.0.uuid(),
        traceparent: None,
        deadline: None,
    };
    let (command, version) = ("Tell".to_owned(), 1);
    let payload = saga::core::json::Payload::parse(payload).unwrap();
    let delivered = saga::core::bus::Delivered { command, version, payload, deed, epoch: Epoch(1), keys };
    CommandMessage { module: ORACLE.to_owned(), delivered: Arc::new(delivered), reply_to, probe: true }
}
