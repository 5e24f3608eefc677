//! Stores that fail under a running process: whether or not a commit succeeds, read models, reactions and sagas end as
//! they would have, and nothing happens twice. Poison blocks its own story and nothing else, also after a restart.
#![expect(clippy::unwrap_used, reason = "what tests share speaks by panicking")]

use async_trait::async_trait;
use saga::core::aggregate::Aggregate;
use saga::core::batch::{Batch, Cause, Commit, StreamWrite};
use saga::core::command::{Command, Common, Compensable};
use saga::core::envelope::NewEvent;
use saga::core::event::{Event, Owner};
use saga::core::id::{EventId, Position, StreamId, Version};
use saga::core::json::Payload;
use saga::core::module::{Cx, Handled, Module, OrRetry, Reactor};
use saga::core::ports::{Clock, OpenError, SharedStore, Stores};
use saga::core::projection::Projection;
use saga::core::public_log::public_head;
use saga::core::read_model::ReadModel;
use saga::core::time::Timestamp;
use saga::core::uuid::Uuid;
use saga::core::view::SagaState;
use saga::prelude::*;
use saga::{Error, Health, Orchestrator, SystemClock};
use saga_engine::audit::audit_logs;
use saga_engine::machine::projector::{PARKED, Parked};
use saga_engine::memory::MemoryStores;
use saga_testkit::between::{Between, between};
use saga_testkit::fates::{Fate, Fates, Schedule};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use test_servers::waiting::{until, until_so, within};

enum Ledger {}
impl Owner for Ledger {
    const MODULE: &'static str = "ledger";
}
enum Till {}
impl Owner for Till {
    const MODULE: &'static str = "till";
}
enum Reader {}
impl Owner for Reader {
    const MODULE: &'static str = "reader";
}
macro_rules! events {
    ($($name:ident),+) => {$(
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        struct $name {
            number: u32,
        }
    )+};
}
events!(PutDown, Paid, Noted, Struck);
saga::story! { enum LedgerEvent of Ledger in "ledger_note" { PutDown } }
saga::story! { enum TillEvent of Till in "till_payment" { Paid } }
saga::story! { enum NoteEvent of Reader in "reader_note" { Noted, Struck } }
#[derive(Default)]
struct Story {
    lies: bool,
}
impl Aggregate for Story {
    type Event = NoteEvent;
    fn evolve(&mut self, event: &NoteEvent) {
        self.lies = matches!(event, NoteEvent::Noted(_));
    }
}
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Note {
    number: u32,
}
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Strike {
    deed: StepKey,
}
impl Command for Note {
    const MODULE: &'static str = "reader";
    const NAME: &'static str = "Note";
    type Reply = u32;
    type Refusal = Common;
}
impl Command for Strike {
    const MODULE: &'static str = "reader";
    const NAME: &'static str = "Strike";
    type Reply = ();
    type Refusal = Common;
}
impl Compensable for Note {
    type Undo = Strike;
    fn undo(&self, deed: StepKey) -> Strike {
        Strike { deed }
    }
}
async fn note(cx: Cx<()>, cmd: Note) -> Handled<Note> {
    let story = cx.load::<Story>(cx.key()).await.or_retry()?;
    Ok(cx.done(cmd.number).append(&story, [Noted { number: cmd.number }.into()]))
}
async fn strike(cx: Cx<()>, cmd: Strike) -> Handled<Strike> {
    let story = cx.load::<Story>(cmd.deed).await.or_retry()?;
    let events = story.state.lies.then(|| Struck { number: 0 }.into());
    Ok(cx.done(()).append(&story, events))
}
/// Everything that was ever heard, in the order in which it was folded: a fold that is done twice shows.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Heard {
    numbers: Vec<u32>,
}
fn with(heard: Option<Heard>, number: u32) -> Option<Heard> {
    let mut heard = heard.unwrap_or_default();
    heard.numbers.push(number);
    Some(heard)
}
const HEARD: &str = "reader.heard";
/// This number cannot be folded and not be reacted to: a bug of the reader.
const POISON: u32 = 13;
fn reader() -> Module {
    let key = |number: u32| {
        assert_ne!(number, POISON, "this one is too much");
        Some("all".to_owned())
    };
    let heard = Projection::new(ReadModel::<Heard>::new(HEARD, 1, &[]))
        .on::<PutDown>(move |event, _| key(event.number), |heard, event, _| with(heard, event.number))
        .on::<Paid>(move |event, _| key(event.number), |heard, event, _| with(heard, event.number));
    let alone = Projection::new(ReadModel::<Heard>::new("reader.alone", 1, &[]))
        .on::<PutDown>(move |event, _| key(event.number), |heard, event, _| with(heard, event.number));
    let notes = Reactor::new("notes").on::<PutDown, Note>(|event, _| {
        assert_ne!(event.number, POISON, "this one is too much");
        Some(Note { number: event.number })
    });
    // Two reactions to one event, and two commands that differ in nothing but their place.
    let notes = notes
        .on::<Paid, Note>(|_, _| Some(Note { number: 9_000 }))
        .on::<Paid, Note>(|_, _| Some(Note { number: 9_000 }));
    Module::new::<Reader, ()>("1.0", ())
        .command(note)
        .command(strike)
        .projection(heard.build())
        .projection(alone.build())
        .reactor(notes)
        .build()
}
#[derive(Serialize, Deserialize)]
struct Sum {
    number: u32,
}
impl Saga for Sum {
    const NAME: &'static str = "sum";
    const VERSION: u16 = 1;
    fn plan(plan: Plan) -> Definition {
        plan.ask("one", ask).ask("two", ask).step("even", even, free).end()
    }
}
fn ask(In(sum): In<Sum>) -> Note {
    Note { number: 1_000 + sum.number }
}
async fn even(In(sum): In<Sum>) -> Step<bool> {
    if sum.number.is_multiple_of(2) { Ok(true) } else { Err(refuse("odd")) }
}
async fn free(Undoing(_): Undoing) -> Step<()> {
    Ok(())
}
/// Pauses are fifty times as short.
struct Hasty;
const HASTE: u32 = 50;
#[async_trait]
impl Clock for Hasty {
    fn now(&self) -> Timestamp {
        Timestamp(1_765_627_200_000_000).plus(self.passed())
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

/// Stores that have fates, once they are open.
struct World {
    plain: Arc<MemoryStores>,
    schedule: Arc<Schedule>,
}
#[async_trait]
impl Stores for World {
    async fn open(&self, module: &str) -> Result<SharedStore, OpenError> {
        Ok(self.schedule.over(self.plain.open(module).await?))
    }
    async fn has(&self, module: &str) -> Result<bool, OpenError> {
        self.plain.has(module).await
    }
    async fn peek(&self, module: &str) -> Result<SharedStore, OpenError> {
        self.open(module).await
    }
    async fn release(&self) {}
}
impl World {
    fn new() -> Arc<Self> {
        Arc::new(Self { plain: Arc::new(MemoryStores::new(Arc::new(Hasty))), schedule: Arc::default() })
    }
    async fn start(self: &Arc<Self>) -> Sagas {
        self.schedule.follow(Fates::Kind);
        Self::start_on(Arc::clone(self) as Arc<dyn Stores>).await
    }
    async fn start_on(stores: Arc<dyn Stores>) -> Sagas {
        let ledger = Module::new::<Ledger, ()>("1.0", ()).build();
        let till = Module::new::<Till, ()>("1.0", ()).build();
        let orchestrator = Orchestrator::on(stores).clock(Arc::new(Hasty)).lease(Duration::from_secs(3_600));
        orchestrator.module(ledger).module(till).module(reader()).register::<Sum>().start().await.unwrap()
    }
    /// As the module itself would have recorded it: six stories, one after the other.
    async fn record<E: Event>(&self, numbers: std::ops::Range<u32>, event: fn(u32) -> E) {
        let module = E::Owner::MODULE;
        let store = self.plain.open(module).await.unwrap();
        for number in numbers {
            let stream = StreamId::new(&format!("{module}_story"), number % 6).unwrap();
            let expected = Version(store.read(&stream, Version::ZERO, usize::MAX).await.unwrap().len() as u64);
            let event = NewEvent {
                id: EventId(Uuid::new_v5(&Uuid::NAMESPACE_OID, format!("{module} {number}").as_bytes())),
                name: E::NAME,
                version: E::VERSION,
                data: Payload::of(&event(number)).unwrap(),
                meta: Payload::trusted("{}"),
                time: Hasty.now(),
                public: true,
            };
            let write = StreamWrite { stream, expected, events: vec![event] };
            let written = store.commit(Batch { writes: vec![write], ..Batch::default() }).await;
            assert!(matches!(written, Commit::Ok(_)), "{written:?}");
        }
    }
    /// Waits until everybody has heard everything.
    async fn all_heard(&self, health: &Health) {
        let store = self.plain.open("reader").await.unwrap();
        let mut consumers = BTreeMap::new();
        for source in ["ledger", "till"] {
            let head = public_head(&self.plain.open(source).await.unwrap()).await.unwrap();
            consumers.insert(format!("projection:{HEARD}.v1@{source}"), head);
            consumers.insert(format!("reactor:reader.notes@{source}"), head);
            if source == "ledger" {
                consumers.insert(format!("projection:reader.alone.v1@{source}"), head);
            }
        }
        for (consumer, head) in consumers {
            let come = async || match store.checkpoint(&consumer).await.unwrap() {
                Position(at) if at == head => Ok(()),
                at => Err(format!("{at:?}, {:?}", health.troubles())),
            };
            until(format!("{consumer} to come to {head}"), come).await;
        }
    }
    async fn heard(&self, projection: &str) -> Vec<u32> {
        let document = self.plain.open("reader").await.unwrap().get(projection, 1, "all").await.unwrap();
        document.map(|document| document.body.read::<Heard>().unwrap().numbers).unwrap_or_default()
    }
    /// The numbers of all notes in the reader's own log.
    async fn noted(&self) -> Vec<u32> {
        let log = self.plain.open("reader").await.unwrap().read_log(Position::ZERO, usize::MAX).await.unwrap();
        let noted = log.iter().filter(|event| event.name == Noted::NAME);
        let mut numbers: Vec<u32> = noted.map(|event| event.data.read::<Noted>().unwrap().number).collect();
        numbers.sort_unstable();
        numbers
    }
    /// What lies aside, as `(consumer, number of the event)`.
    async fn parked(&self) -> Vec<(String, u64)> {
        let found = self.plain.open("reader").await.unwrap().find(PARKED.all().as_find()).await.unwrap();
        found.iter().map(|found| found.body.read::<Parked>().unwrap()).map(|p| (p.consumer, p.position.0)).collect()
    }
}
/// Looks at what is written.
struct Watched {
    store: SharedStore,
    unfenced: Arc<Mutex<Vec<String>>>,
}
#[async_trait]
impl Between for Watched {
    fn store(&self) -> &SharedStore {
        &self.store
    }
    async fn commit(&self, batch: Batch) -> Commit {
        let leads = |consumer: &str| consumer.starts_with("reactor:") || consumer.starts_with("projection:");
        let places = batch.marks.iter().filter(|mark| batch.fence.is_none() && leads(&mark.consumer));
        self.unfenced.lock().unwrap().extend(places.map(|mark| mark.consumer.clone()));
        self.store.commit(batch).await
    }
}

/// A leader that was replaced and does not know it yet folds nothing: every commit that only a leader makes has its fence.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_only_a_leader_writes_is_fenced() {
    let (world, unfenced) = (World::new(), Arc::new(Mutex::new(Vec::new())));
    let found = Arc::clone(&unfenced);
    let stores =
        between(Arc::clone(&world) as Arc<dyn Stores>, move |store| Watched { store, unfenced: Arc::clone(&found) });
    let sagas = World::start_on(stores).await;
    world.record::<PutDown>(20..30, |number| PutDown { number }).await;
    world.record::<Paid>(50..60, |number| Paid { number }).await;
    world.all_heard(sagas.health()).await;
    sagas.shutdown().await.unwrap();
    assert_eq!(*unfenced.lock().unwrap(), Vec::<String>::new());
}

/// A store that does not keep where the reactor stands, for as long as it is told.
struct Forgetful {
    store: SharedStore,
    forgets: Arc<AtomicBool>,
}
#[async_trait]
impl Between for Forgetful {
    fn store(&self) -> &SharedStore {
        &self.store
    }
    async fn commit(&self, batch: Batch) -> Commit {
        let place = batch.marks.iter().any(|mark| mark.consumer.starts_with("reactor:"));
        if place && self.forgets.load(Ordering::SeqCst) {
            return Commit::Retryable(Cause("the disk is full".to_owned()));
        }
        self.store.commit(batch).await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reactor_whose_place_is_not_kept_says_so_until_it_is() {
    let (world, forgets) = (World::new(), Arc::new(AtomicBool::new(true)));
    let told = Arc::clone(&forgets);
    let stores =
        between(Arc::clone(&world) as Arc<dyn Stores>, move |store| Forgetful { store, forgets: Arc::clone(&told) });
    let sagas = World::start_on(stores).await;
    world.record::<PutDown>(20..22, |number| PutDown { number }).await;
    let troubles = || sagas.health().troubles().into_iter().filter(|trouble| trouble.place.starts_with("reactor:"));
    let told = || troubles().any(|trouble| trouble.says.contains("the disk is full"));
    until_so("a trouble that names the full disk", told).await;
    forgets.store(false, Ordering::SeqCst);
    world.all_heard(sagas.health()).await;
    until_so("the end of the trouble", || troubles().count() == 0).await;
    assert_eq!(world.noted().await, [20, 21]);
    sagas.shutdown().await.unwrap();
}

fn sorted(mut numbers: Vec<u32>) -> Vec<u32> {
    numbers.sort_unstable();
    numbers
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_becomes_of_a_commit_events_are_folded_and_reacted_to_once() {
    let every = |fate| [Fates::Every(2, fate), Fates::Every(3, fate)];
    let any = (1..=4).map(|seed| Fates::Any { seed, one_in: 3 });
    for fates in Fate::ALL.into_iter().flat_map(every).chain(any) {
        let world = World::new();
        let sagas = world.start().await;
        world.schedule.follow(fates);
        world.record::<PutDown>(20..50, |number| PutDown { number }).await;
        world.record::<Paid>(50..80, |number| Paid { number }).await;
        world.all_heard(sagas.health()).await;
        assert_eq!(sorted(world.heard(HEARD).await), (20..80).collect::<Vec<_>>(), "{fates:?}");
        assert_eq!(world.heard("reader.alone").await, (20..50).collect::<Vec<_>>(), "{fates:?}");
        let noted: Vec<u32> = (20..50).chain([9_000; 60]).collect();
        assert_eq!(world.noted().await, noted, "{fates:?}");
        assert!(world.schedule.met() > 0, "{fates:?}: nothing failed");
        sagas.shutdown().await.unwrap();
    }
}

/// Starts a saga as a client does: when the store takes nothing now, it sends the same start again.
async fn begin(sagas: &Sagas, number: u32) -> SagaId {
    let start = async || match sagas.start_keyed(&number.to_string(), Sum { number }).await {
        Err(why @ Error::Unanswered { .. }) => Err(why),
        begun => Ok(begun.unwrap().saga),
    };
    until(format!("the start of saga {number}"), start).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sagas_on_stores_that_fail_end_as_they_would_have() {
    let fates = [Fate::Refused, Fate::Lost, Fate::Unsure, Fate::Moved].into_iter();
    for fates in fates.flat_map(|fate| [Fates::Every(2, fate), Fates::Every(3, fate)]) {
        let world = World::new();
        let sagas = world.start().await;
        world.schedule.follow(fates);
        let begun = futures::future::join_all((0..6).map(|number| begin(&sagas, number))).await;
        for (number, saga) in (0..6).zip(begun) {
            within("the end of a saga", sagas.wait(saga)).await.unwrap();
            let wanted = if number % 2 == 0 { SagaState::Completed } else { SagaState::Compensated };
            assert_eq!(sagas.state(saga).await.unwrap(), Some(wanted), "{fates:?} {number}");
        }
        world.schedule.follow(Fates::Kind);
        let verdicts = audit_logs(Arc::clone(sagas.definitions()), &sagas.logs(), false).await.unwrap();
        assert_eq!(verdicts.findings, [], "{fates:?}");
        let twice = (0..6).flat_map(|number| [1_000 + number; 2]).collect::<Vec<_>>();
        assert_eq!(world.noted().await, twice, "{fates:?}: each saga notes its number in two steps");
        sagas.shutdown().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn poison_is_parked_once_with_its_story_behind_it_and_stays_so_after_a_restart() {
    let world = World::new();
    let sagas = world.start().await;
    // What comes later in its story comes in a page of its own, too.
    for numbers in [10..16, 16..22] {
        world.record::<PutDown>(numbers, |number| PutDown { number }).await;
        world.all_heard(sagas.health()).await;
    }
    sagas.shutdown().await.unwrap();
    let sagas = world.start().await;
    world.schedule.follow(Fates::Any { seed: 8, one_in: 3 });
    world.record::<PutDown>(22..34, |number| PutDown { number }).await;
    world.record::<Paid>(50..60, |number| Paid { number }).await;
    world.all_heard(sagas.health()).await;
    sagas.shutdown().await.unwrap();
    // The story of 13 is every sixth: 13, 19, 25, 31. In the log they are the fourth and every sixth behind it.
    let good: Vec<u32> = (10..34).filter(|number| number % 6 != POISON % 6).collect();
    assert_eq!(world.heard("reader.alone").await, good);
    assert_eq!(sorted(world.heard(HEARD).await), good.iter().copied().chain(50..60).collect::<Vec<_>>());
    // Reactions keep the order of a story as folds do; other stories do not hang on it.
    let noted: Vec<u32> = good.iter().copied().chain([9_000; 20]).collect();
    assert_eq!(world.noted().await, noted);
    let consumers =
        ["projection:reader.alone.v1@ledger", "projection:reader.heard.v1@ledger", "reactor:reader.notes@ledger"];
    let wanted = consumers.iter().flat_map(|one| [4, 10, 16, 22].map(|at| ((*one).to_owned(), at)));
    assert_eq!(world.parked().await, wanted.collect::<Vec<_>>());
}
