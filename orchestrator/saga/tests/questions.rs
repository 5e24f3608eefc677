//! Questions between coordinators: an order whose answer is not heard is asked again, done once, or not begun at all;
//! and its caller is told which of these are possible.
#![expect(clippy::unwrap_used, reason = "what tests share speaks by panicking")]

use async_trait::async_trait;
use saga::core::bus::{Ailment, AnyBus, Bus, BusError, Calls, Inbox, Line, Message, Onward};
use saga::core::command::Common;
use saga::core::control::{Asks, ask};
use saga::core::envelope::Actor;
use saga::core::json::Payload;
use saga::core::outcome::Refused;
use saga::core::ports::{Clock, Stores};
use saga::core::time::Timestamp;
use saga::prelude::*;
use saga::{Error, JOURNAL, LocalBus, LocalControl, SystemClock, keyed};
use saga_engine::journal::{group_of, stream_of};
use saga_engine::memory::MemoryStores;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use test_servers::waiting::{until, until_so, within};

const GROUPS: u16 = 4;

#[derive(Serialize, Deserialize)]
struct Row {}
impl Saga for Row {
    const NAME: &'static str = "row";
    const VERSION: u16 = 1;
    fn plan(plan: Plan) -> Definition {
        plan.step("a", hold, free).end()
    }
}
/// It asks a module that runs elsewhere.
#[derive(Serialize, Deserialize)]
struct Asking {}
impl Saga for Asking {
    const NAME: &'static str = "asking";
    const VERSION: u16 = 1;
    fn plan(plan: Plan) -> Definition {
        plan.pivot("render", render).end()
    }
}
#[derive(Clone, Serialize, Deserialize)]
struct Render {}
const STUDIO: &str = "studio";
saga::core::port!(STUDIO: Render -> String, Common);
fn render() -> Render {
    Render {}
}
async fn hold(key: StepKey) -> Step<StepKey> {
    Ok(key)
}
async fn free(Undoing(_): Undoing) -> Step<()> {
    Ok(())
}

/// A clock on which time passes fifty times as fast, and which shows a time that is this far from the right one.
struct Hurried {
    ahead: i64,
}
const HASTE: u32 = 50;
#[async_trait]
impl Clock for Hurried {
    fn now(&self) -> Timestamp {
        let passed = i64::try_from(self.passed().as_micros()).unwrap();
        Timestamp(1_800_000_000_000_000 + passed + self.ahead)
    }
    async fn sleep_until(&self, due: Timestamp) {
        self.pause(due.since(self.now())).await;
    }
    fn passed(&self) -> Duration {
        SystemClock.passed() * HASTE
    }
    async fn pause(&self, time: Duration) {
        SystemClock.pause(time / HASTE).await;
    }
}

/// What becomes of the questions of one process.
#[derive(Clone, Copy, PartialEq)]
enum Way {
    Open,
    /// The first answer is lost on its way back, in a connection that breaks.
    LosesAnAnswer,
    /// Nothing arrives while its caller waits for it.
    Holds,
    /// Nothing can be asked.
    Shut,
    /// There is no connection to the broker.
    Away,
    /// The broker takes no command.
    Full,
}
/// What a broker says of itself that is away.
const AWAY: &str = "no connection to nats://10.0.0.7:4222; it is tried again until it is back";
struct Road {
    bus: Arc<LocalBus>,
    way: Mutex<Way>,
    held: Mutex<Vec<(Line, Payload)>>,
}
#[async_trait]
impl Onward for Road {
    fn behind(&self) -> &dyn AnyBus {
        &*self.bus
    }
    async fn call(
        &self,
        line: &Line,
        question: &Payload,
        patience: Duration,
    ) -> Result<Result<Payload, Refused>, BusError> {
        let way = *self.way.lock().unwrap();
        match way {
            Way::Open | Way::Full => self.bus.call(line, question, patience).await,
            Way::LosesAnAnswer => {
                self.bus.call(line, question, patience).await?.unwrap();
                *self.way.lock().unwrap() = Way::Open;
                Err(BusError::Unanswered("the connection broke".to_owned()))
            }
            Way::Holds => {
                self.held.lock().unwrap().push((line.clone(), question.clone()));
                Err(BusError::Unanswered("the connection broke".to_owned()))
            }
            Way::Shut | Way::Away => Err(BusError::Unavailable("nobody answers".to_owned())),
        }
    }
    async fn publish(&self, message: Message) -> Result<(), BusError> {
        let way = *self.way.lock().unwrap();
        match way {
            Way::Full => Err(BusError::Unavailable("insufficient resources (10023)".to_owned())),
            _ => self.bus.publish(message).await,
        }
    }
    fn is_deaf(&self, _: &Inbox) -> bool {
        *self.way.lock().unwrap() == Way::Away
    }
    fn ailments(&self) -> Vec<Ailment> {
        let ailment = || Ailment { place: "broker".to_owned(), says: AWAY.to_owned() };
        self.is_deaf(&Inbox::Outside).then(ailment).into_iter().collect()
    }
}

/// Two coordinators; `road` is the way of the first, `hers` of the second, and `key` names a saga that belongs to the second.
struct World {
    stores: Arc<dyn Stores>,
    road: Arc<Road>,
    hers: Arc<Road>,
    one: Sagas,
    two: Sagas,
    key: String,
}
impl World {
    async fn new(way: Way, ahead: Duration) -> Self {
        let clock = Arc::new(Hurried { ahead: 0 });
        let stores: Arc<dyn Stores> = Arc::new(MemoryStores::new(clock.clone()));
        let bus = Arc::new(LocalBus::new(clock.clone()));
        bus.carry(JOURNAL, stores.open(JOURNAL).await.unwrap(), 0);
        let road = || Arc::new(Road { bus: bus.clone(), way: Mutex::new(Way::Open), held: Mutex::default() });
        let (road, hers) = (road(), road());
        let process = |bus: Arc<dyn AnyBus>, clock| {
            // A lease that no haste takes away from a busy machine: six seconds of real time.
            let lease = Duration::from_secs(6) * HASTE;
            Orchestrator::on(stores.clone())
                .bus(bus)
                .clock(clock)
                .groups(GROUPS)
                .lease(lease)
                .register::<Row>()
                .register::<Asking>()
        };
        let two = Arc::new(Hurried { ahead: i64::try_from(ahead.as_micros()).unwrap() });
        let one = process(road.clone(), clock).start().await.unwrap();
        let two = process(hers.clone(), two).start().await.unwrap();
        until_so("each to have two groups", || one.groups().len() == 2 && two.groups().len() == 2).await;
        let groups = two.groups();
        let mut keys = (0..).map(|number: u32| number.to_string());
        let is_hers = |name: &str, key: &str| groups.contains(&group_of(keyed(name, key), GROUPS));
        let key = keys.find(|key| is_hers("row", key) && is_hers("asking", key)).unwrap();
        *road.way.lock().unwrap() = way;
        World { stores, road, hers, one, two, key }
    }
    fn saga(&self) -> SagaId {
        keyed("row", &self.key)
    }
    async fn start(&self) -> Result<saga::Begun, Error> {
        self.one.start_raw("row", None, Some(&self.key), Payload::of(&Row {}).unwrap(), None).await
    }
    /// How many facts the saga has.
    async fn facts(&self) -> usize {
        let store = self.stores.open(JOURNAL).await.unwrap();
        let stream = stream_of(self.saga()).unwrap();
        store.read(&stream, saga::core::id::Version::ZERO, 100).await.unwrap().len()
    }
    /// Begins a saga of the second, that asks a module.
    async fn ask_elsewhere(&self) -> SagaId {
        let input = Payload::of(&Asking {}).unwrap();
        self.two.start_raw("asking", None, Some(&self.key), input, None).await.unwrap().saga
    }
    /// Why a saga waits, as one of the two says it.
    async fn causes(&self, sagas: &Sagas, saga: SagaId) -> Vec<(String, String)> {
        let control = LocalControl::new(sagas.clone(), "memory", "");
        let why = control.ask(&Actor::system("test"), ask::WhyStuck { id: saga.to_string() }).await.unwrap();
        why.causes.into_iter().map(|cause| (cause.code, cause.says)).collect()
    }
    async fn end(self) {
        self.one.shutdown().await.unwrap();
        self.two.shutdown().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_whose_answer_was_lost_is_asked_again_and_done_once() {
    let world = World::new(Way::LosesAnAnswer, Duration::ZERO).await;
    let begun = world.start().await.unwrap();
    assert!(begun.repeated, "the second answer is heard, and says that the first one was it");
    within("the end of a saga", world.two.wait(world.saga())).await.unwrap();
    assert!(*world.road.way.lock().unwrap() == Way::Open, "an answer was lost");
    assert!(world.facts().await > 1);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_arrives_after_its_caller_gave_up_is_not_begun_and_the_error_says_what_is_not_known() {
    let world = World::new(Way::Holds, Duration::ZERO).await;
    let told = world.start().await.unwrap_err();
    assert!(matches!(told, Error::Unheard { .. }), "{told}");
    let held = std::mem::take(&mut *world.road.held.lock().unwrap());
    assert!(held.len() > 1, "it is asked again");
    for (line, question) in held {
        let late = world.road.bus.call(&line, &question, Duration::from_secs(60)).await.unwrap();
        assert_eq!(late.map_err(|refused| refused.code), Err("TOO_LATE".to_owned()));
    }
    assert_eq!(world.facts().await, 0);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_nobody_could_be_asked_nothing_was_done() {
    let world = World::new(Way::Shut, Duration::ZERO).await;
    let told = world.start().await.unwrap_err();
    assert!(matches!(told, Error::Unowned { .. }) && told.to_string().ends_with("Nothing was done"), "{told}");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_owner_whose_clock_is_ahead_says_what_it_shows_and_is_asked_by_it() {
    let world = World::new(Way::Open, Duration::from_secs(3_600)).await;
    world.start().await.unwrap();
    within("the end of a saga", world.two.wait(world.saga())).await.unwrap();
    world.end().await;
}

/// What processes of before send has no bound, and is begun.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_question_of_before_is_answered() {
    let world = World::new(Way::Holds, Duration::ZERO).await;
    world.start().await.unwrap_err();
    let (line, question) = world.road.held.lock().unwrap().remove(0);
    let mut question: serde_json::Value = question.read().unwrap();
    question["Start"].as_object_mut().unwrap().remove("until").unwrap();
    let question = Payload::of(&question).unwrap();
    world.road.bus.call(&line, &question, Duration::from_secs(60)).await.unwrap().unwrap();
    assert!(world.facts().await > 0);
    world.end().await;
}

/// Every coordinator says the same of why a saga waits: what does not work where the saga is moved.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_coordinator_says_the_same_of_why_a_saga_waits() {
    let world = World::new(Way::Open, Duration::ZERO).await;
    *world.hers.way.lock().unwrap() = Way::Full;
    let saga = world.ask_elsewhere().await;
    for sagas in [&world.two, &world.one] {
        let refused = async || {
            let causes = world.causes(sagas, saga).await;
            let told = |(code, says): &(String, String)| code == "NOT_PUBLISHED" && says.contains("(10023)");
            if causes.len() == 1 && told(&causes[0]) { Ok(()) } else { Err(format!("{causes:?}")) }
        };
        until("the refusal to be told", refused).await;
    }
    world.end().await;
}

/// While the broker is away it is named, and no owner of a group is blamed who can be asked over it only.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_is_away_is_named_first() {
    let world = World::new(Way::Open, Duration::ZERO).await;
    let saga = world.ask_elsewhere().await;
    *world.road.way.lock().unwrap() = Way::Away;
    let named = async || {
        let causes = world.causes(&world.one, saga).await;
        let first = causes.first().is_some_and(|(code, says)| code == "BROKER_AWAY" && says == AWAY);
        let blames = causes.iter().any(|(code, _)| code == "LEASE");
        if first && !blames { Ok(()) } else { Err(format!("{causes:?}")) }
    };
    until("the broker to be named", named).await;
    assert_eq!(world.one.health().troubles()[0].place, "broker");
    let told = world.start().await.unwrap_err();
    assert!(matches!(told, Error::Unowned { .. }) && told.to_string().contains(AWAY), "{told}");
    world.end().await;
}
