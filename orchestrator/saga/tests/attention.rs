//! The status of a process while stores and the bus are away: it tells what it has in memory, names what it cannot
//! read, and waits for all of them at once. And a saga that a person has paused is listed among those that need a
//! person.
#![expect(clippy::unwrap_used, reason = "what tests share speaks by panicking")]

use async_trait::async_trait;
use saga::core::bus::{AnyBus, BusError, Onward};
use saga::core::command::Common;
use saga::core::control::{Ask, Asks, Control, Order, OrderKind, Page, Selector, Status, What, ask};
use saga::core::envelope::Actor;
use saga::core::event::Owner;
use saga::core::id::RequestId;
use saga::core::json::Payload;
use saga::core::module::{Cx, Handled, Module};
use saga::core::ports::{OpenError, ReadError, SharedStore, Stores};
use saga::core::uuid::Uuid;
use saga::core::view::{ModuleRow, SagaRow, SagaState};
use saga::prelude::*;
use saga::{JOURNAL, LocalBus, LocalControl, SystemClock};
use saga_engine::memory::MemoryStores;
use saga_testkit::between::{Between, between};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use test_servers::waiting::{until, until_so, within};

const STUDIO: &str = "studio";
/// Counts that were asked of a bus that is away: how many now, and how many at once at most.
#[derive(Default)]
struct Asked {
    now: AtomicUsize,
    most: AtomicUsize,
}
struct UnderWay<'a>(&'a Asked);
impl Asked {
    fn begin(&self) -> UnderWay<'_> {
        let now = self.now.fetch_add(1, Ordering::AcqRel) + 1;
        self.most.fetch_max(now, Ordering::AcqRel);
        UnderWay(self)
    }
}
impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.now.fetch_sub(1, Ordering::AcqRel);
    }
}

/// A bus that can go away: it counts nothing then, and does not say so.
struct Deaf {
    bus: Arc<LocalBus>,
    away: Arc<AtomicBool>,
    asked: Arc<Asked>,
}
#[async_trait]
impl Onward for Deaf {
    fn behind(&self) -> &dyn AnyBus {
        &*self.bus
    }
    async fn aside_count(&self, module: &str) -> Result<u64, BusError> {
        let _under_way = self.asked.begin();
        match self.away.load(Ordering::Acquire) {
            true => std::future::pending().await,
            false => self.behind().aside_count(module).await,
        }
    }
}
/// A store that can go away, or have a page that cannot be read.
struct Unread {
    store: SharedStore,
    away: Arc<AtomicBool>,
    damaged: Arc<AtomicBool>,
}
impl Between for Unread {
    fn store(&self) -> &SharedStore {
        &self.store
    }
    fn readable(&self) -> Result<(), ReadError> {
        if self.damaged.load(Ordering::Acquire) {
            return Err(ReadError::Corrupt { place: "page 7".to_owned(), why: "it is no page".to_owned() });
        }
        match self.away.load(Ordering::Acquire) {
            true => Err(ReadError::Unavailable("nobody answers at its address".to_owned())),
            false => Ok(()),
        }
    }
}
/// Stores that count how often they were asked whether they are in their places.
struct Places {
    stores: Arc<dyn Stores>,
    looks: Arc<AtomicUsize>,
}
#[async_trait]
impl Stores for Places {
    async fn open(&self, module: &str) -> Result<SharedStore, OpenError> {
        self.stores.open(module).await
    }
    async fn has(&self, module: &str) -> Result<bool, OpenError> {
        self.looks.fetch_add(1, Ordering::AcqRel);
        self.stores.has(module).await
    }
    async fn peek(&self, module: &str) -> Result<SharedStore, OpenError> {
        self.stores.peek(module).await
    }
    async fn release(&self) {
        self.stores.release().await;
    }
}

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
const YES: Gate<bool> = Gate::named("yes");
#[derive(Serialize, Deserialize)]
struct Picture {}
impl Saga for Picture {
    const NAME: &'static str = "picture";
    const VERSION: u16 = 1;
    fn plan(plan: Plan) -> Definition {
        plan.wait("approval", YES, Deadline::days(9)).pivot("render", || Render {}).end()
    }
}

fn so(holds: bool) -> Result<(), &'static str> {
    if holds { Ok(()) } else { Err("it is not so") }
}

/// A process with one module, whose stores and bus can go away.
struct Process {
    stores: Arc<dyn Stores>,
    sagas: Sagas,
    control: LocalControl,
    stores_away: Arc<AtomicBool>,
    damaged: Arc<AtomicBool>,
    looks: Arc<AtomicUsize>,
    bus_away: Arc<AtomicBool>,
    asked: Arc<Asked>,
}
impl Process {
    async fn start() -> Self {
        let (stores_away, bus_away) = (Arc::<AtomicBool>::default(), Arc::<AtomicBool>::default());
        let memory: Arc<dyn Stores> = Arc::new(MemoryStores::new(Arc::new(SystemClock)));
        let bus = Arc::new(LocalBus::new(Arc::new(SystemClock)));
        let (damaged, looks) = (Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default());
        let (away, torn) = (Arc::clone(&stores_away), Arc::clone(&damaged));
        let unread = move |store| Unread { store, away: Arc::clone(&away), damaged: Arc::clone(&torn) };
        let stores: Arc<dyn Stores> = Arc::new(Places { stores: between(memory, unread), looks: Arc::clone(&looks) });
        for module in [JOURNAL, STUDIO] {
            bus.carry(module, stores.open(module).await.unwrap(), 0);
        }
        let asked = Arc::<Asked>::default();
        let bus: Arc<dyn AnyBus> = Arc::new(Deaf { bus, away: Arc::clone(&bus_away), asked: Arc::clone(&asked) });
        let studio = Module::new::<Studio, ()>("1.0", ()).command(rendered).build();
        let sagas = Orchestrator::on(Arc::clone(&stores)).bus(bus).groups(1).module(studio).register::<Picture>();
        let sagas = sagas.start().await.unwrap();
        let control = LocalControl::new(sagas.clone(), "memory", "in process");
        Self { stores, sagas, control, stores_away, damaged, looks, bus_away, asked }
    }
    async fn look<A: Ask>(&self, what: A) -> A::View {
        within("a look", self.control.ask(&Actor::operator("dana"), what)).await.unwrap()
    }
    async fn status(&self) -> Status {
        self.look(ask::WhoIsThere {}).await
    }
    async fn modules(&self) -> Page<ModuleRow> {
        self.look(ask::Modules {}).await
    }
    async fn in_need(&self) -> Vec<SagaRow> {
        let selector = Selector { attention: true, ..Selector::default() };
        let page = self.look(selector).await;
        page.items
    }
    async fn act(&self, number: u128, what: What) {
        let order = Order { request: RequestId(Uuid::from_u128(number)), reason: None, what, if_rev: None };
        self.control.act(&Actor::operator("dana"), order).await.unwrap();
    }
    async fn start_one(&self) {
        let (kind, key, input) = ("picture".to_owned(), Some("k".to_owned()), Payload::trusted("{}"));
        self.act(1, What::Start { kind, version: None, key, input }).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_away_is_named_and_everything_else_is_told_all_at_once() {
    let process = Process::start().await;
    process.start_one().await;
    let at_gate = async || so(process.status().await.attention.iter().any(|one| one.says.contains("at a gate")));
    until("the saga is at its gate", at_gate).await;
    assert_eq!(process.status().await.not_known, Vec::<String>::new());
    process.sagas.health().trouble("relay of studio", "the wire is cut");
    for (stores, bus) in [(true, false), (false, true), (true, true)] {
        process.stores_away.store(stores, Ordering::Release);
        process.bus_away.store(bus, Ordering::Release);
        process.asked.most.store(0, Ordering::Release);
        let status = process.status().await;
        let what = format!("stores {stores}, bus {bus}: {status:#?}");
        // What is in memory is told as before.
        assert!(status.troubles.iter().any(|trouble| trouble.says == "the wire is cut"), "{what}");
        assert!(status.attention.iter().any(|one| one.says.contains("at a gate")), "{what}");
        let named = |part: &str| status.not_known.iter().any(|line| line.contains(part));
        assert_eq!(named("how many events lie aside in studio: "), stores, "{what}");
        assert_eq!(named("nobody answers at its address"), stores, "{what}");
        assert_eq!(
            named("how many dead letters of orchestration, studio, in lie aside: no answer within 1 s"),
            bus,
            "{what}"
        );
        let most = || process.asked.most.swap(0, Ordering::AcqRel);
        assert!(!bus || most() == 3, "each is asked while none has answered: {what}");
        let listed = process.look(Selector { all: true, ..Selector::default() }).await;
        assert_eq!((listed.items.len(), listed.truncated), (1, stores), "what is in memory is listed: {listed:?}");
        assert_eq!(listed.notes.iter().any(|note| note.contains("only open sagas of groups that answered")), stores);
        let page = process.modules().await;
        assert!(!bus || stores || most() == 2, "{page:#?}");
        let unsaid = page.items.iter().filter(|row| row.state.contains("how many messages lie aside is not known"));
        assert_eq!(unsaid.count(), if bus && !stores { 2 } else { 0 }, "{page:#?}");
        let away = page.items.iter().filter(|row| row.state.contains("cannot be read")).count();
        assert_eq!((page.items.len(), away), (2, if stores { 2 } else { 0 }), "{page:#?}");
    }
    process.stores_away.store(false, Ordering::Release);
    process.bus_away.store(false, Ordering::Release);
    assert_eq!(process.status().await.not_known, Vec::<String>::new());
    process.sagas.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_person_paused_is_among_what_waits_for_a_person() {
    let process = Process::start().await;
    process.start_one().await;
    assert_eq!(process.in_need().await, []);
    process.act(2, OrderKind::Pause.of("picture/k")).await;
    let paused = async || so(process.in_need().await.iter().map(|row| row.state).eq([SagaState::Paused]));
    until("the list has it", paused).await;
    let status = process.status().await;
    let told = status.attention.iter().find(|one| one.says == "saga is paused until somebody resumes it");
    assert!(
        told.is_some_and(|one| one.count == 1 && !one.urgent && one.next.ends_with("--state paused")),
        "{status:#?}"
    );
    process.act(3, OrderKind::Resume.of("picture/k")).await;
    until("the list is empty", async || so(process.in_need().await.is_empty())).await;
    process.sagas.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_that_could_not_be_read_stays_a_trouble_while_the_process_runs() {
    let process = Process::start().await;
    process.start_one().await;
    let at_gate = async || so(process.status().await.attention.iter().any(|one| one.says.contains("at a gate")));
    until("the saga is at its gate", at_gate).await;
    let history = async || {
        let look = ask::History { id: "picture/k".to_owned(), after: 0, limit: 10 };
        process.control.ask(&Actor::operator("dana"), look).await
    };
    process.damaged.store(true, Ordering::Release);
    assert_eq!(within("a look", history()).await.unwrap_err().code, "SG0005");
    process.damaged.store(false, Ordering::Release);
    assert!(within("a look", history()).await.is_ok(), "the next page is well");
    // Each store is found in its place once more: the file is there, and the page is damaged all the same.
    let seen = process.looks.load(Ordering::Acquire);
    until_so("two looks at the places", || process.looks.load(Ordering::Acquire) >= seen + 4).await;
    let status = process.status().await;
    let told = |says: &str| status.troubles.iter().any(|one| one.says.contains(says));
    assert!(told("page 7") && told("restore a backup") && !status.ready, "{status:#?}");
    process.sagas.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_for_a_person_is_counted_where_nobody_runs() {
    let process = Process::start().await;
    for (number, key) in [(1, "k"), (2, "l"), (3, "m")] {
        let (kind, key, input) = ("picture".to_owned(), Some(key.to_owned()), Payload::trusted("{}"));
        process.act(number, What::Start { kind, version: None, key, input }).await;
    }
    process.act(4, OrderKind::Pause.of("picture/m")).await;
    let (gates, held) = ("sagas wait at gates for decisions", "saga is paused until somebody resumes it");
    let counted = |status: &Status| {
        let counts =
            [gates, held].map(|says| status.attention.iter().find(|one| one.says == says).map(|one| one.count));
        so(counts == [Some(2), Some(1)])
    };
    until("two are at their gates, and one is held", async || counted(&process.status().await)).await;
    process.sagas.shutdown().await.unwrap();
    let look = Orchestrator::on(process.stores).register::<Picture>().look().await.unwrap();
    let control = LocalControl::new(look, "memory", "in process");
    let status = control.ask(&Actor::operator("dana"), ask::WhoIsThere {}).await.unwrap();
    assert_eq!(counted(&status), Ok(()), "{:#?}", status.attention);
    assert_eq!(status.not_known, Vec::<String>::new());
}
