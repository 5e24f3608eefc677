//! A bus that does not do what it says: the relay believes the log and not the bus, and nothing is acknowledged whose
//! answer is not on its way.
#![expect(clippy::unwrap_used, reason = "what tests share speaks by panicking")]

use async_trait::async_trait;
use saga::core::batch::{Batch, Commit, StreamWrite};
use saga::core::bus::{
    Answerer, AnyBus, Aside, Bus, BusError, Calls, DeadLetters, Delivery, EventBus, Inbox, Line, Message, Settle,
    Standing, Tip, Traffic, Upkeep,
};
use saga::core::command::Common;
use saga::core::control::{Asks, ask};
use saga::core::envelope::{Actor, NewEvent, Recorded};
use saga::core::event::Owner;
use saga::core::id::{EventId, StreamId, Version};
use saga::core::json::Payload;
use saga::core::module::{Cx, Handled, Module};
use saga::core::outcome::Refused;
use saga::core::ports::{Clock, Stores};
use saga::core::time::Timestamp;
use saga::core::uuid::Uuid;
use saga::core::view::SagaState;
use saga::prelude::*;
use saga::{JOURNAL, LocalBus, LocalControl, SystemClock};
use saga_engine::memory::MemoryStores;
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use test_servers::waiting::{until, within};

const STUDIO: &str = "studio";

/// Pauses are fifty times as short.
struct Hasty;
#[async_trait]
impl Clock for Hasty {
    fn now(&self) -> Timestamp {
        Timestamp(1_765_627_200_000_000).plus(self.passed())
    }
    async fn sleep_until(&self, due: Timestamp) {
        self.pause(due.since(self.now())).await;
    }
    fn passed(&self) -> Duration {
        SystemClock.passed() * 50
    }
    async fn pause(&self, time: Duration) {
        SystemClock.pause(time / 50).await;
    }
}

/// What it does wrong; everything else is passed on.
struct Liar {
    bus: Arc<LocalBus>,
    /// So many replies are not taken.
    deaf: AtomicU32,
    /// The next acknowledgement of events is wrong by this.
    wrong_by: AtomicI64,
    /// What it says is the last event.
    tip: Mutex<Option<Tip>>,
    /// The public sequences of the studio that were handed over.
    published: Mutex<Vec<u64>>,
    /// What was settled, after how many replies that were not taken.
    settled: Mutex<Vec<(u32, Settle)>>,
}
#[async_trait]
impl Bus for Liar {
    async fn publish(&self, message: Message) -> Result<(), BusError> {
        if matches!(message, Message::Reply(_)) && self.deaf.load(Ordering::SeqCst) > 0 {
            self.deaf.fetch_sub(1, Ordering::SeqCst);
            return Err(BusError::Unavailable("it is away".to_owned()));
        }
        self.bus.publish(message).await
    }
    async fn receive(&self, inbox: &Inbox, max: usize) -> Result<Vec<Delivery>, BusError> {
        self.bus.receive(inbox, max).await
    }
    async fn settle(&self, inbox: &Inbox, settled: Vec<(u64, Settle)>) -> Result<(), BusError> {
        if *inbox == Inbox::Commands(STUDIO.to_owned()) {
            let deaf = self.deaf.load(Ordering::SeqCst);
            self.settled.lock().unwrap().extend(settled.iter().map(|(_, how)| (deaf, how.clone())));
        }
        self.bus.settle(inbox, settled).await
    }
    async fn leave(&self, inbox: &Inbox) -> Result<(), BusError> {
        self.bus.leave(inbox).await
    }
}
#[async_trait]
impl DeadLetters for Liar {
    async fn put_aside(&self, aside: Aside) -> Result<(), BusError> {
        self.bus.put_aside(aside).await
    }
    async fn aside_count(&self, module: &str) -> Result<u64, BusError> {
        self.bus.aside_count(module).await
    }
    async fn aside(&self, module: &str, limit: usize) -> Result<Vec<Aside>, BusError> {
        self.bus.aside(module, limit).await
    }
}
#[async_trait]
impl Traffic for Liar {
    async fn queued(&self, inbox: &Inbox) -> Result<u64, BusError> {
        self.bus.queued(inbox).await
    }
}
#[async_trait]
impl EventBus for Liar {
    async fn publish_events(&self, module: &str, events: &[Recorded]) -> Result<u64, BusError> {
        if module != STUDIO {
            return self.bus.publish_events(module, events).await;
        }
        self.published.lock().unwrap().extend(events.iter().filter_map(|event| event.public_seq));
        let last = self.bus.publish_events(module, events).await?;
        Ok(last.saturating_add_signed(self.wrong_by.swap(0, Ordering::SeqCst)))
    }
    async fn tip(&self, module: &str) -> Result<Tip, BusError> {
        let lie = self.tip.lock().unwrap().clone().filter(|_| module == STUDIO);
        match lie {
            Some(lie) => Ok(lie),
            None => self.bus.tip(module).await,
        }
    }
    async fn events(&self, module: &str, after: u64, max: usize) -> Result<Vec<Recorded>, BusError> {
        self.bus.events(module, after, max).await
    }
    async fn owner_head(&self, module: &str) -> Result<u64, BusError> {
        self.bus.owner_head(module).await
    }
    async fn standing(&self, module: &str, seq: u64) -> Result<Standing, BusError> {
        self.bus.standing(module, seq).await
    }
    async fn missing(&self, module: &str, head: u64) -> Result<Vec<RangeInclusive<u64>>, BusError> {
        self.bus.missing(module, head).await
    }
}
#[async_trait]
impl Calls for Liar {
    async fn serve(&self, lines: Vec<(Line, Answerer)>) -> Result<(), BusError> {
        self.bus.serve(lines).await
    }
    async fn call(
        &self,
        line: &Line,
        question: &Payload,
        patience: Duration,
    ) -> Result<Result<Payload, Refused>, BusError> {
        self.bus.call(line, question, patience).await
    }
}
impl Upkeep for Liar {}

enum Studio {}
impl Owner for Studio {
    const MODULE: &'static str = STUDIO;
}
#[derive(Clone, Serialize, Deserialize)]
struct Render {}
saga::core::port!(STUDIO: Render -> String, Common);
async fn rendered(cx: Cx<()>, _: Render) -> Handled<Render> {
    Ok(cx.done("a picture".to_owned()))
}
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
    stores: Arc<MemoryStores>,
    bus: Arc<Liar>,
    sagas: Sagas,
}
impl World {
    async fn new(tip: Option<Tip>) -> Self {
        let clock: Arc<dyn Clock> = Arc::new(Hasty);
        let stores = Arc::new(MemoryStores::new(Arc::clone(&clock)));
        let bus = Arc::new(LocalBus::new(Arc::clone(&clock)));
        for module in [JOURNAL, STUDIO] {
            bus.carry(module, stores.open(module).await.unwrap(), 0);
        }
        let bus = Arc::new(Liar {
            bus,
            deaf: AtomicU32::new(0),
            wrong_by: AtomicI64::new(0),
            tip: Mutex::new(tip),
            published: Mutex::default(),
            settled: Mutex::default(),
        });
        let orchestrator = Orchestrator::on(Arc::clone(&stores) as Arc<dyn Stores>).clock(clock);
        let orchestrator = orchestrator.bus(Arc::clone(&bus) as Arc<dyn AnyBus>).lease(Duration::from_secs(3_600));
        let studio = Module::new::<Studio, ()>("1.0", ()).command(rendered).build();
        let sagas = orchestrator.module(studio).register::<Picture>().start().await.unwrap();
        Self { stores, bus, sagas }
    }
    async fn record(&self, numbers: std::ops::RangeInclusive<u64>) {
        let store = self.stores.open(STUDIO).await.unwrap();
        for number in numbers {
            let event = NewEvent {
                id: EventId(Uuid::from_u128(number.into())),
                name: "Noted",
                version: 1,
                data: Payload::null(),
                meta: Payload::trusted("{}"),
                time: Hasty.now(),
                public: true,
            };
            let write = StreamWrite {
                stream: StreamId::new("studio_note", number).unwrap(),
                expected: Version::ZERO,
                events: vec![event],
            };
            let written = store.commit(Batch { writes: vec![write], ..Batch::default() }).await;
            assert!(matches!(written, Commit::Ok(_)), "{written:?}");
        }
    }
    async fn until(&self, what: &str, mut holds: impl FnMut() -> bool) {
        let look = async || match holds() {
            true => Ok(()),
            false => Err(format!("{:?} {:?}", self.published(), self.sagas.health().troubles())),
        };
        until(what, look).await;
    }
    fn published(&self) -> Vec<u64> {
        self.bus.published.lock().unwrap().clone()
    }
    fn phantoms(&self) -> u64 {
        self.sagas.health().incidents().get("phantom").copied().unwrap_or(0)
    }
    fn halted(&self) -> bool {
        let says = "that the log of studio does not know";
        let troubles = self.sagas.health().troubles();
        troubles.iter().any(|trouble| trouble.says.contains(says))
    }
}

/// Whatever the bus has that is not ours stops the relay: an event under a sequence of ours, and one behind our last.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_phantom_stops_the_real_relay_until_it_is_gone() {
    for (seq, recorded) in [(2, 3), (3, 3), (4, 3), (1, 0)] {
        let strange = "is somebody's".to_owned();
        let phantom = Tip { seq, id: Some(EventId(Uuid::from_u128(99))), strange };
        let world = World::new(Some(phantom)).await;
        world.record(1..=recorded).await;
        world.until("it stops", || world.halted() && world.phantoms() > 0).await;
        assert_eq!(world.published(), Vec::<u64>::new(), "nothing is published behind a phantom");
        let troubles = format!("{:?}", world.sagas.health().troubles());
        // What stands there is told, as far as the bus knows it, and the order that mends it.
        for told in [" It is somebody's. ", "sagactl events republish studio --config FILE"] {
            assert!(troubles.contains(told), "{told:?} is not in {troubles}");
        }
        *world.bus.tip.lock().unwrap() = None;
        world.record(recorded + 1..=5).await;
        world.until("it goes on", || world.published() == [1, 2, 3, 4, 5] && !world.halted()).await;
        assert_eq!(world.phantoms(), 1, "it happened once, however often it was looked at");
        world.sagas.shutdown().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_acknowledgement_with_another_sequence_is_not_believed() {
    for wrong_by in [1, -1, 7] {
        let world = World::new(None).await;
        world.bus.wrong_by.store(wrong_by, Ordering::SeqCst);
        world.record(1..=3).await;
        world.until("it stops", || world.phantoms() == 1).await;
        // What the bus has, when it is asked, is right: nothing is lost, and nothing comes twice.
        world.record(4..=5).await;
        world.until("it goes on", || world.published().last() == Some(&5) && !world.halted()).await;
        assert_eq!(world.published(), [1, 2, 3, 4, 5], "wrong by {wrong_by}");
        world.sagas.shutdown().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_whose_answer_the_bus_does_not_take_is_not_acknowledged() {
    let world = World::new(None).await;
    world.bus.deaf.store(3, Ordering::SeqCst);
    let saga = world.sagas.start(Picture {}).await.unwrap().saga;
    within("the end of a saga", world.sagas.wait(saga)).await.unwrap();
    assert_eq!(world.sagas.state(saga).await.unwrap(), Some(SagaState::Completed));
    let settled = world.bus.settled.lock().unwrap().clone();
    let done: Vec<u32> = settled.iter().filter(|(_, how)| *how == Settle::Done).map(|(deaf, _)| *deaf).collect();
    assert!(done.iter().all(|deaf| *deaf == 0), "acknowledged without an answer: {settled:?}");
    assert!(settled.iter().filter(|(_, how)| matches!(how, Settle::Later(_))).count() >= 3, "{settled:?}");
    // It came again by itself: nobody had to ask a second time.
    let control = LocalControl::new(world.sagas.clone(), "memory", "in process");
    let history = ask::History { id: saga.to_string(), after: 0, limit: 0 };
    let page = control.ask(&Actor::operator("dana"), history).await.unwrap();
    let asked = page.items.iter().filter(|row| row.fact == "StepDispatched").count();
    assert_eq!(asked, 1, "{:?}", page.items);
    world.sagas.shutdown().await.unwrap();
}
