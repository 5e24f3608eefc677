//! What cannot be done now, in the words of the store or provider that refused it, and what a person must mend.
#![expect(clippy::unwrap_used, reason = "what tests share speaks by panicking")]

use async_trait::async_trait;
use saga::core::batch::{Batch, Cause, Commit};
use saga::core::control::{Ask, Asks, AwaitSaga, Control, Order, OrderKind, Selector, Status, What, ask};
use saga::core::envelope::Actor;
use saga::core::id::RequestId;
use saga::core::json::Payload;
use saga::core::ports::SharedStore;
use saga::core::uuid::Uuid;
use saga::core::view::Why;
use saga::prelude::*;
use saga::{LocalControl, SystemClock};
use saga_engine::memory::MemoryStores;
use saga_testkit::between::{Between, between};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use test_servers::waiting::until;

const FULL: &str = "database or disk is full";
const WORDS: &str = "/srv/files: Not a directory (os error 20)";

/// A store on a disk that may be full: what is there can be read.
struct OnDisk {
    store: SharedStore,
    full: Arc<AtomicBool>,
}
#[async_trait]
impl Between for OnDisk {
    fn store(&self) -> &SharedStore {
        &self.store
    }
    async fn commit(&self, batch: Batch) -> Commit {
        match self.full.load(Ordering::Acquire) {
            true => Commit::Retryable(Cause(FULL.to_owned())),
            false => self.store.commit(batch).await,
        }
    }
}

/// Needs what is in the way, or not.
#[derive(Serialize, Deserialize)]
struct Filed {
    words: u32,
}
impl Saga for Filed {
    const NAME: &'static str = "filed";
    const VERSION: u16 = 1;
    fn plan(plan: Plan) -> Definition {
        plan.wait("approval", Gate::<bool>::named("yes"), Deadline::days(9)).pivot("file", file).end()
    }
}
/// What stands in the way, until a person takes it away.
struct InTheWay(AtomicBool);
async fn file(In(job): In<Filed>, Using(way): Using<Arc<InTheWay>>) -> Step<u32> {
    if way.0.load(Ordering::Acquire) { Err(mend(WORDS)) } else { Ok(job.words) }
}

struct Place {
    full: Arc<AtomicBool>,
    way: Arc<InTheWay>,
    control: LocalControl,
    sagas: Sagas,
}
async fn place() -> Place {
    let (stores, full) = (Arc::new(MemoryStores::new(Arc::new(SystemClock))), Arc::new(AtomicBool::new(false)));
    let disk = Arc::clone(&full);
    let stores = between(stores, move |store| OnDisk { store, full: Arc::clone(&disk) });
    let way = Arc::new(InTheWay(AtomicBool::new(false)));
    let orchestrator = Orchestrator::on(stores).using(Arc::clone(&way)).register::<Filed>();
    let sagas = orchestrator.start().await.unwrap();
    Place { full, way, control: LocalControl::new(sagas.clone(), "memory", "in process"), sagas }
}
impl Place {
    async fn act(&self, number: u128, what: What) -> Result<(), saga::core::control::ControlError> {
        let order = Order { request: RequestId(Uuid::from_u128(number)), reason: None, what, if_rev: None };
        self.control.act(&dana(), order).await.map(drop)
    }
    async fn start(&self, key: &str) -> Result<(), saga::core::control::ControlError> {
        let input = Payload::of(&Filed { words: 7 }).unwrap();
        let what = What::Start { kind: "filed".into(), version: None, key: Some(key.into()), input };
        self.act(key.len() as u128, what).await
    }
    async fn look<A: Ask>(&self, what: A) -> A::View {
        self.control.ask(&dana(), what).await.unwrap()
    }
    async fn why(&self, id: &str) -> Why {
        let why = self.look(ask::WhyStuck { id: id.into() }).await;
        *why
    }
    async fn status(&self) -> Status {
        self.look(ask::WhoIsThere {}).await
    }
    async fn rest(&self, id: &str) {
        let of = AwaitSaga { id: id.to_owned(), after: None };
        self.control.outcome(&dana(), of, Duration::from_secs(60)).await.unwrap().unwrap();
    }
    async fn approve(&self, id: &str) -> Result<(), saga::core::control::ControlError> {
        let data = Payload::of(&true).unwrap();
        self.act(100, OrderKind::Signal { gate: "yes".into(), data, opening: None }.of(id)).await
    }
}
fn dana() -> Actor {
    Actor::operator("dana")
}

#[tokio::test]
async fn a_full_disk_is_told_by_every_face_and_a_start_does_not_wait_for_it() {
    let place = place().await;
    place.start("before").await.unwrap();
    place.rest("filed/before").await;
    place.full.store(true, Ordering::Release);
    let refused = place.start("while").await.unwrap_err();
    assert_eq!(refused.code, "SG0003");
    assert!(refused.message.contains(FULL) && refused.retryable, "{refused:?}");
    let refused = place.approve("filed/before").await.unwrap_err();
    assert!(refused.message.contains(FULL), "{refused:?}");
    let list = place.look(Selector { all: true, ..Selector::default() }).await;
    assert!(list.items.iter().any(|row| row.key == "before"), "{list:?}");
    assert!(list.notes.iter().any(|note| note.contains(FULL)), "{list:?}");
    let told = place.why("filed/before").await.causes;
    assert_eq!(told[0].code, "NOT_WRITTEN", "{told:?}");
    assert!(told.iter().all(|cause| cause.code != "LEASE"), "{told:?}");
    assert!(told[0].says.contains(FULL));
    let status = place.status().await;
    assert!(!status.ready && status.troubles.iter().any(|trouble| trouble.says.contains(FULL)), "{status:?}");
    // What was not known is known when there is room again: the same start is one saga.
    place.full.store(false, Ordering::Release);
    place.start("while").await.unwrap();
    place.approve("filed/before").await.unwrap();
    place.rest("filed/while").await;
    place.sagas.shutdown().await.unwrap();
}

#[tokio::test]
async fn what_a_person_must_mend_is_told_by_every_face_at_once_and_goes_on_when_it_is_mended() {
    let place = place().await;
    place.way.0.store(true, Ordering::Release);
    place.start("a").await.unwrap();
    place.rest("filed/a").await;
    place.approve("filed/a").await.unwrap();
    let mend = async || {
        let told = place.why("filed/a").await.causes;
        if told.first().is_some_and(|cause| cause.code == "MEND") { Ok(told) } else { Err(format!("{told:?}")) }
    };
    let told = until("the cause that a person mends", mend).await;
    assert!(told[0].says.contains(WORDS), "{told:?}");
    let attention = place.status().await.attention;
    assert_eq!(attention.len(), 1, "{attention:?}");
    assert!(attention[0].urgent && attention[0].count == 1 && attention[0].says.contains(WORDS), "{attention:?}");
    let selector = Selector { attention: true, ..Selector::default() };
    let list = place.look(selector).await;
    assert_eq!(list.items[0].reason.as_deref(), Some(WORDS));
    let show = place.look(ask::Saga { id: "filed/a".into(), data: false, at: None }).await;
    assert_eq!(show.steps[1].result.as_deref(), Some(WORDS));
    let history = place.look(ask::History { id: "filed/a".into(), after: 0, limit: 100 }).await;
    assert!(history.items.iter().any(|fact| fact.detail.contains(WORDS)), "{history:?}");
    place.way.0.store(false, Ordering::Release);
    let retry = OrderKind::Retry { step: None }.of("filed/a");
    // It may have gone on by itself.
    let _known = place.act(101, retry).await;
    place.rest("filed/a").await;
    assert_eq!(place.status().await.attention, []);
    place.sagas.shutdown().await.unwrap();
}
