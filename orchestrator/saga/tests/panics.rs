//! Functions of modules that panic: their events are parked like poison, all others go on, and people see it.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "what tests share speaks by panicking")]

use async_trait::async_trait;
use saga::core::batch::{Batch, Cause, Commit, StreamWrite};
use saga::core::command::{Command, Common};
use saga::core::control::{Asks, Attention, ask};
use saga::core::envelope::{Actor, NewEvent};
use saga::core::event::{Event, Owner};
use saga::core::id::{EventId, RequestId, StreamId, Version};
use saga::core::json::Payload;
use saga::core::module::{Cx, Handled, Module, OrRetry, Reactor};
use saga::core::ports::{Clock, SharedStore, Stores};
use saga::core::projection::Projection;
use saga::core::read_model::ReadModel;
use saga::core::uuid::Uuid;
use saga::core::view::ModuleRow;
use saga::prelude::*;
use saga::{LocalControl, Orchestrator, Sagas, SystemClock};
use saga_engine::memory::MemoryStores;
use saga_testkit::between::{Between, between};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use test_servers::waiting::until;

enum Ledger {}
impl Owner for Ledger {
    const MODULE: &'static str = "ledger";
}
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct PutDown {
    number: u32,
}
saga::story! { enum NoteEvent of Ledger in "ledger_note" { PutDown } }
#[derive(Default)]
struct Note;
impl saga::core::aggregate::Aggregate for Note {
    type Event = NoteEvent;
    fn evolve(&mut self, _: &NoteEvent) {}
}
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Put {
    number: u32,
}
impl Command for Put {
    const MODULE: &'static str = "ledger";
    const NAME: &'static str = "Put";
    type Reply = u32;
    type Refusal = Common;
}
async fn put(cx: Cx<()>, cmd: Put) -> Handled<Put> {
    assert!(cmd.number != HANDLER_BREAKS, "no ink for {}", cmd.number);
    let note = cx.load::<Note>(cx.key()).await.or_retry()?;
    Ok(cx.done(cmd.number).append(&note, [PutDown { number: cmd.number }.into()]))
}

#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    number: u32,
}
const FOLD_BREAKS: u32 = 2;
const KEY_BREAKS: u32 = 3;
const REACTOR_BREAKS: u32 = 4;
/// The handler of what the reactor makes of 5.
const HANDLER_BREAKS: u32 = 105;
const ALL: u32 = 6;

fn ledger() -> Module {
    let kept = Projection::new(ReadModel::<Kept>::new("ledger.kept", 1, &[])).on::<PutDown>(
        |event, _| {
            assert!(event.number != KEY_BREAKS, "no key for {}", event.number);
            Some(event.number.to_string())
        },
        |_, event, _| {
            assert!(event.number != FOLD_BREAKS, "no paper for {}", event.number);
            Some(Kept { number: event.number })
        },
    );
    let echo = Reactor::new("echo").on::<PutDown, Put>(|event, _| {
        assert!(event.number != REACTOR_BREAKS, "no stamp for {}", event.number);
        (event.number <= ALL).then(|| Put { number: event.number + 100 })
    });
    Module::new::<Ledger, ()>("1.0", ()).command(put).projection(kept.build()).reactor(echo).build()
}

async fn module_row(sagas: &Sagas) -> ModuleRow {
    let control = LocalControl::new(sagas.clone(), "memory", "in process");
    let page = control.ask(&Actor::operator("dana"), ask::Modules {}).await.unwrap();
    page.items.into_iter().find(|row| row.name == "ledger").expect("the ledger is hosted")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_fold_or_a_reactor_breaks_on_is_parked_and_everything_else_goes_on() {
    let sagas = Orchestrator::in_memory().module(ledger()).start().await.unwrap();
    for number in 1..=ALL {
        let request = RequestId(Uuid::from_u128(u128::from(number)));
        sagas.command(&Put { number }, request, Actor::operator("dana")).await.unwrap();
    }
    // Six notes, and the reactions to those of them on which nothing breaks.
    let wanted = u64::from(ALL) + 4;
    let settled = async || {
        let row = module_row(&sagas).await;
        let is = row.head.0 == wanted && row.parked == 4 && row.projections.iter().all(|one| one.lag == 0);
        if is { Ok(()) } else { Err(format!("{row:?} {:?}", sagas.health().troubles())) }
    };
    until("the reader to have seen all", settled).await;
    assert_eq!(sagas.health().troubles(), [], "what is parked is not broken");
    let control = LocalControl::new(sagas.clone(), "memory", "in process");
    let status = control.ask(&Actor::operator("dana"), ask::WhoIsThere {}).await.unwrap();
    let [aside] = &status.attention[..] else { panic!("{status:?}") };
    assert_eq!((aside.count, aside.urgent, status.ready), (4, true, true), "the process is fit; a person is needed");
    assert!(aside.says.starts_with("events lie aside in ledger"), "{aside:?}");
    sagas.shutdown().await.unwrap();
}

/// A store that does not take what a read model folds, for as long as it is told.
struct Unfolded {
    store: SharedStore,
    refuses: Arc<AtomicBool>,
}
#[async_trait]
impl Between for Unfolded {
    fn store(&self) -> &SharedStore {
        &self.store
    }
    async fn commit(&self, batch: Batch) -> Commit {
        let folds = batch.marks.iter().any(|mark| mark.consumer.starts_with("projection:ledger."));
        if folds && self.refuses.load(Ordering::SeqCst) {
            return Commit::Retryable(Cause("the disk is full".to_owned()));
        }
        self.store.commit(batch).await
    }
}

async fn attention(sagas: &Sagas) -> Vec<Attention> {
    let control = LocalControl::new(sagas.clone(), "memory", "in process");
    let status = control.ask(&Actor::operator("dana"), ask::WhoIsThere {}).await.unwrap();
    status.attention
}

/// A read model that shows what was is told with how far it is behind, and no longer when it has caught up.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_model_that_is_far_behind_is_told_until_it_is_not() {
    let (plain, refuses) = (Arc::new(MemoryStores::new(Arc::new(SystemClock))), Arc::new(AtomicBool::new(true)));
    let event = |number: u128| NewEvent {
        id: EventId(Uuid::from_u128(number)),
        name: PutDown::NAME,
        version: 1,
        data: Payload::of(&PutDown { number: 1_000 }).unwrap(),
        meta: Payload::trusted("{}"),
        time: SystemClock.now(),
        public: true,
    };
    let stream = StreamId::new("ledger_note", "all").unwrap();
    let write = StreamWrite { stream, expected: Version::ZERO, events: (1..=1_000).map(event).collect() };
    let store = plain.open("ledger").await.unwrap();
    let written = store.commit(Batch { writes: vec![write], ..Batch::default() }).await;
    assert!(matches!(written, Commit::Ok(_)), "{written:?}");
    let told = Arc::clone(&refuses);
    let stores = between(plain as Arc<dyn Stores>, move |store| Unfolded { store, refuses: Arc::clone(&told) });
    let sagas = Orchestrator::on(stores).module(ledger()).start().await.unwrap();
    let rows = attention(&sagas).await;
    let [behind] = &rows[..] else { panic!("{rows:?}") };
    assert_eq!((behind.count, behind.urgent), (1_000, false));
    assert_eq!(behind.says, "events are not folded by ledger.kept@1 of ledger, which shows what was");
    refuses.store(false, Ordering::SeqCst);
    let caught_up = async || match attention(&sagas).await {
        rows if rows.is_empty() => Ok(()),
        rows => Err(format!("{rows:?} {:?}", sagas.health().troubles())),
    };
    until("the read model to catch up", caught_up).await;
    sagas.shutdown().await.unwrap();
}
