//! Replies that go astray: to the wrong group, from the wrong module. The saga hears what is its own, once, from its group.
#![expect(clippy::unwrap_used, clippy::panic, reason = "what tests share speaks by panicking")]

use saga::core::bus::{Bus, CommandMessage, Inbox, Message, ReplyMessage, Says, Settle};
use saga::core::command::Common;
use saga::core::control::{AwaitSaga, Control};
use saga::core::envelope::Actor;
use saga::core::json::Payload;
use saga::core::outcome::{Answer, Refused};
use saga::core::view::{SagaShow, SagaState};
use saga::prelude::*;
use saga::{LocalBus, LocalControl, SystemClock};
use saga_engine::memory::MemoryStores;
use std::sync::Arc;
use std::time::Duration;
use test_servers::waiting::{until_so, within};

const STUDIO: &str = "studio";
/// As many as make it unlikely that a reply to any other group is right by chance.
const GROUPS: u16 = 16;

#[derive(Clone, Serialize, Deserialize)]
struct Render {}
saga::core::port!(STUDIO: Render -> String, Common);

#[derive(Serialize, Deserialize)]
struct Picture {}
impl Saga for Picture {
    const NAME: &'static str = "picture";
    const VERSION: u16 = 1;
    fn plan(plan: Plan) -> Definition {
        plan.pivot("render", render).end()
    }
}
fn render() -> Render {
    Render {}
}

struct World {
    bus: Arc<LocalBus>,
    sagas: Sagas,
}
impl World {
    async fn new() -> Self {
        let bus = Arc::new(LocalBus::new(Arc::new(SystemClock)));
        let stores = Arc::new(MemoryStores::new(Arc::new(SystemClock)));
        let orchestrator = Orchestrator::on(stores).groups(GROUPS).bus(bus.clone()).register::<Picture>();
        Self { bus, sagas: orchestrator.start().await.unwrap() }
    }
    /// The command that the studio receives.
    async fn asked(&self) -> CommandMessage {
        let inbox = Inbox::Commands(STUDIO.to_owned());
        let delivery = within("the command", self.bus.receive(&inbox, 1)).await.unwrap().remove(0);
        self.bus.settle(&inbox, vec![(delivery.tag, Settle::Done)]).await.unwrap();
        let Message::Command(command) = delivery.message else { panic!("a command") };
        command
    }
    async fn reply(&self, asked: &CommandMessage, group: u16, module: &str, answer: Answer) {
        let deed = &asked.delivered.deed;
        let reply = ReplyMessage {
            group,
            saga: deed.saga,
            step: deed.step.clone(),
            direction: deed.direction,
            attempt: deed.attempt,
            key: deed.key,
            module: module.to_owned(),
            says: Says::Answer(answer),
        };
        self.bus.publish(Message::Reply(reply)).await.unwrap();
    }
    async fn ended(&self, id: SagaId) -> SagaShow {
        let control = LocalControl::new(self.sagas.clone(), "memory", "in process");
        let of = AwaitSaga { id: id.to_string(), after: None };
        control.outcome(&Actor::operator("dana"), of, Duration::from_secs(60)).await.unwrap().unwrap()
    }
}
fn done() -> Answer {
    Answer::Done { output: Payload::of("a picture").unwrap() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reply_to_the_wrong_group_is_handed_on_to_its_own() {
    let world = World::new().await;
    let id = world.sagas.start(Picture {}).await.unwrap().saga;
    let asked = world.asked().await;
    let wrong = (asked.reply_to + 1) % GROUPS;
    world.reply(&asked, wrong, STUDIO, done()).await;
    assert_eq!(world.ended(id).await.row.state, SagaState::Completed);
    let incidents = world.sagas.health().incidents();
    assert_eq!(incidents.get("answers that came to the wrong group"), Some(&1), "{incidents:?}");
    // It was acknowledged where it came: nothing waits there any more.
    until_so("its acknowledgement", || world.bus.waiting(&Inbox::Replies(wrong)) == 0).await;
    world.sagas.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reply_of_another_module_is_kept_and_decides_nothing() {
    let world = World::new().await;
    let id = world.sagas.start(Picture {}).await.unwrap().saga;
    let asked = world.asked().await;
    world.reply(&asked, asked.reply_to, "qc", Answer::Refused(Refused::new("NO", "no"))).await;
    world.reply(&asked, asked.reply_to, STUDIO, done()).await;
    let show = world.ended(id).await;
    assert_eq!((show.row.state, show.anomalies), (SagaState::Completed, 1));
    world.sagas.shutdown().await.unwrap();
}
