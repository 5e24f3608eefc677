//! A consumer that has read what its source's log does not have says so and reads nothing more, however it came about.
#![expect(clippy::unwrap_used, reason = "what tests share speaks by panicking")]

use saga::core::batch::{Batch, Commit, StreamWrite};
use saga::core::control::{Asks, ask};
use saga::core::envelope::{Actor, NewEvent};
use saga::core::event::{Event, Owner};
use saga::core::id::{EventId, Position, StreamId, Version};
use saga::core::json::Payload;
use saga::core::module::Module;
use saga::core::ports::{Clock, SharedStore, Stores};
use saga::core::projection::Projection;
use saga::core::read_model::ReadModel;
use saga::core::uuid::Uuid;
use saga::prelude::*;
use saga::{Hosting, LocalBus, Orchestrator, SystemClock};
use saga_engine::memory::MemoryStores;
use saga_engine::recover::recover;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use test_servers::waiting::until;

enum Ledger {}
impl Owner for Ledger {
    const MODULE: &'static str = "ledger";
}
enum Reader {}
impl Owner for Reader {
    const MODULE: &'static str = "reader";
}
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct PutDown {
    number: u32,
}
saga::story! { enum NoteEvent of Ledger in "ledger_note" { PutDown } }
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    number: u32,
}
const CONSUMER: &str = "projection:reader.kept.v1@ledger";

const KEPT: ReadModel<Kept> = ReadModel::new("reader.kept", 1, &[]);

fn reader() -> Module {
    let kept = Projection::new(KEPT)
        .on::<PutDown>(|event, _| Some(event.number.to_string()), |_, event, _| Some(Kept { number: event.number }));
    Module::new::<Reader, ()>("1.0", ()).projection(kept.build()).build()
}
/// The numbers that the read model has.
async fn kept(store: &SharedStore) -> BTreeSet<u32> {
    let found = store.find(KEPT.all().as_find()).await.unwrap();
    found.iter().map(|document| document.body.read::<Kept>().unwrap().number).collect()
}
fn memory() -> Arc<MemoryStores> {
    Arc::new(MemoryStores::new(Arc::new(SystemClock)))
}
/// The process of the reader, and that of the ledger, whose stores can be exchanged without the other's being asked.
struct Two {
    reader: Hosting,
    ledger: Hosting,
}
impl Two {
    async fn shutdown(self) {
        self.reader.shutdown().await;
        self.ledger.shutdown().await;
    }
}
async fn start(ledger: &Arc<MemoryStores>, others: &Arc<MemoryStores>) -> Two {
    let bus = Arc::new(LocalBus::new(Arc::new(SystemClock)));
    let log = ledger.open("ledger").await.unwrap();
    let head = log.head().await.unwrap().0;
    bus.carry("ledger", log, head);
    bus.carry("reader", others.open("reader").await.unwrap(), 0);
    let host = async |stores: &Arc<MemoryStores>, module| {
        let stores = Arc::clone(stores) as Arc<dyn Stores>;
        Orchestrator::on(stores).bus(bus.clone()).module(module).host().await.unwrap()
    };
    let writes = Module::new::<Ledger, ()>("1.0", ()).build();
    Two { ledger: host(ledger, writes).await, reader: host(others, reader()).await }
}
/// As the module itself would have recorded it.
async fn put_down(ledger: &MemoryStores, numbers: std::ops::RangeInclusive<u32>) {
    let store = ledger.open("ledger").await.unwrap();
    for number in numbers {
        let event = NewEvent {
            id: EventId(Uuid::from_u128(u128::from(number))),
            name: PutDown::NAME,
            version: PutDown::VERSION,
            data: Payload::of(&PutDown { number }).unwrap(),
            meta: Payload::trusted("{}"),
            time: SystemClock.now(),
            public: true,
        };
        let stream = StreamId::new("ledger_note", number).unwrap();
        let write = StreamWrite { stream, expected: Version::ZERO, events: vec![event] };
        let written = store.commit(Batch { writes: vec![write], ..Batch::default() }).await;
        assert!(matches!(written, Commit::Ok(_)), "{written:?}");
    }
}
/// Waits for what `look` gives.
async fn seen<T>(sagas: &Two, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let troubles = || format!("{:?}", sagas.reader.health().troubles());
    until("what the reader does", async || look().await.ok_or_else(troubles)).await
}
async fn read_to(sagas: &Two, others: &MemoryStores, wanted: u64) {
    let store = others.open("reader").await.unwrap();
    seen(sagas, async || (store.checkpoint(CONSUMER).await.unwrap() == Position(wanted)).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_consumer_beyond_its_source_stops_and_says_so() {
    for (begins_with, why) in [(2, "ends at 2"), (9, "has another event there")] {
        let (ledger, others) = (memory(), memory());
        let sagas = start(&ledger, &others).await;
        put_down(&ledger, 1..=5).await;
        read_to(&sagas, &others, 5).await;
        sagas.shutdown().await;
        // Another log in its place, which is shorter, or has gone on.
        let exchanged = memory();
        put_down(&exchanged, 101..=100 + begins_with).await;
        let sagas = start(&exchanged, &others).await;
        let says = seen(&sagas, async || {
            sagas
                .reader
                .health()
                .troubles()
                .into_iter()
                .find(|trouble| trouble.place == CONSUMER)
                .map(|trouble| trouble.says)
        })
        .await;
        for words in ["up to 5", why, "sagactl store recover", "its --data or --config", "SG0313"] {
            assert!(says.contains(words), "{words}: {says}");
        }
        put_down(&exchanged, 201..=209).await;
        let store = others.open("reader").await.unwrap();
        assert_eq!(store.checkpoint(CONSUMER).await.unwrap(), Position(5), "nothing is passed by");
        assert_eq!(kept(&store).await, (1..=5).collect());
        sagas.shutdown().await;
        // The remedy, while nothing runs: the read model is what the log tells, to its end.
        let logs = BTreeMap::from([("ledger".to_owned(), exchanged.open("ledger").await.unwrap())]);
        let recovered = recover(&reader(), &store, &logs, None).await.unwrap();
        assert_eq!((recovered.compared, recovered.changed.len()), (1, 1), "{recovered:?}");
        let says = &recovered.changed[0];
        let events = format!("reader.kept@1 was emptied and folded anew from {} events", begins_with + 9);
        assert!(says.contains("stood at 5") && says.contains(&events), "{says}");
        let whole: BTreeSet<u32> = (101..=100 + begins_with).chain(201..=209).collect();
        assert_eq!(kept(&store).await, whole);
        let again = recover(&reader(), &store, &logs, None).await.unwrap();
        assert_eq!((again.compared, again.changed), (1, vec![]), "a second time changes nothing");
        let sagas = start(&exchanged, &others).await;
        put_down(&exchanged, 301..=301).await;
        read_to(&sagas, &others, u64::from(begins_with) + 10).await;
        assert_eq!(sagas.reader.health().troubles(), []);
        sagas.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_consumer_goes_on_after_a_restart() {
    let (ledger, others) = (memory(), memory());
    for round in 0..3 {
        let sagas = start(&ledger, &others).await;
        put_down(&ledger, round * 10 + 1..=round * 10 + 5).await;
        read_to(&sagas, &others, u64::from(round + 1) * 5).await;
        assert_eq!(sagas.reader.health().troubles(), []);
        sagas.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_says_which_stores_it_could_not_compare_with_its_own() {
    let (ledger, others) = (memory(), memory());
    let two = start(&ledger, &others).await;
    let expected = [(&two.reader, &["ledger", "orchestration"][..]), (&two.ledger, &["orchestration"])];
    for (hosting, elsewhere) in expected {
        let control = hosting.control("memory", "local");
        let status = control.ask(&Actor::operator("test"), ask::WhoIsThere {}).await.unwrap();
        assert_eq!(status.not_compared, elsewhere);
    }
    two.shutdown().await;
}
