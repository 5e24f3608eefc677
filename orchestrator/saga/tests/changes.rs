//! Changes as they happen: from any cursor a reader hears the rest of the story, whichever process owns the sagas, through a restart of
//! the coordinator and of the server that it asks.
#![expect(clippy::unwrap_used, clippy::panic, reason = "what tests share speaks by panicking")]

use saga::core::bus::AnyBus;
use saga::core::control::{
    Asks, Change, Changes, Control, ControlError, Order, OrderKind, Selector, Watch, WatchSaga, WatchSagas, ask,
};
use saga::core::envelope::Actor;
use saga::core::id::{RequestId, SagaId};
use saga::core::json::Payload;
use saga::core::ports::Stores;
use saga::core::uuid::Uuid;
use saga::core::view::SagaState;
use saga::prelude::*;
use saga::{JOURNAL, LocalBus, LocalControl, SystemClock};
use saga_admin::client::AdminClient;
use saga_admin::server::Server;
use saga_engine::memory::MemoryStores;
use std::sync::Arc;
use std::time::Duration;
use test_servers::waiting::{until, until_so, within};
use tokio::sync::oneshot;

const GO: Gate<bool> = Gate::named("go");

#[derive(Serialize, Deserialize)]
struct Held;
impl Saga for Held {
    const NAME: &'static str = "held";
    const VERSION: u16 = 1;
    fn plan(plan: Plan) -> Definition {
        plan.step("slot", hold, free).wait("approval", GO, Deadline::days(9)).pivot("post", post).end()
    }
}
#[derive(Serialize, Deserialize)]
struct Quick;
impl Saga for Quick {
    const NAME: &'static str = "quick";
    const VERSION: u16 = 1;
    fn plan(plan: Plan) -> Definition {
        plan.pivot("post", post).end()
    }
}
async fn hold() -> Step<u8> {
    Ok(1)
}
async fn free() -> Step<()> {
    Ok(())
}
async fn post() -> Step<()> {
    Ok(())
}

fn stores() -> Arc<dyn Stores> {
    Arc::new(MemoryStores::new(Arc::new(SystemClock)))
}
async fn on(stores: &Arc<dyn Stores>) -> Sagas {
    let on = Orchestrator::on(Arc::clone(stores)).groups(4);
    on.register::<Held>().register::<Quick>().start().await.unwrap()
}
fn control(sagas: &Sagas) -> LocalControl {
    LocalControl::new(sagas.clone(), "memory", "in process")
}
fn dana() -> Actor {
    Actor::operator("dana")
}
async fn begin(sagas: &Sagas, kind: &str, key: &str) -> SagaId {
    let saga = sagas.start_raw(kind, None, Some(key), Payload::null(), None).await.unwrap().saga;
    within("the rest of a saga", async {
        let mut show =
            control(sagas).ask(&dana(), ask::Saga { id: saga.to_string(), data: false, at: None }).await.unwrap();
        while !(show.row.state.is_end() || show.row.state == SagaState::Waiting) {
            sagas.moved(saga, Some(saga::core::id::Version(show.rev))).await.unwrap();
            show =
                control(sagas).ask(&dana(), ask::Saga { id: saga.to_string(), data: false, at: None }).await.unwrap();
        }
    })
    .await;
    saga
}
async fn go(sagas: &Sagas, saga: SagaId, number: u128) {
    let gate = OrderKind::Signal { gate: "go".to_owned(), data: Payload::trusted("true"), opening: None };
    let what = gate.of(saga.to_string());
    let order = Order { request: RequestId(Uuid::from_u128(number)), reason: None, if_rev: None, what };
    control(sagas).act(&dana(), order).await.unwrap();
    within("the end of a saga", sagas.wait(saga)).await.unwrap();
}
fn every() -> WatchSagas {
    WatchSagas { of: Selector { all: true, ..Selector::default() }, after: None }
}
/// What a reader hears, up to the change that is the last one.
async fn hear(changes: &mut Box<dyn Changes>, last: impl Fn(&Change) -> bool) -> Vec<Change> {
    let mut heard: Vec<Change> = Vec::new();
    within("the last change", async {
        while !heard.last().is_some_and(&last) {
            heard.extend(changes.next().await.unwrap());
        }
    })
    .await;
    heard
}
fn ends(saga: SagaId) -> impl Fn(&Change) -> bool {
    move |change| change.row.id == saga && change.row.state.is_end()
}
async fn refused(control: &impl Control, watch: impl Into<Watch>) -> ControlError {
    match control.watch(&dana(), watch.into()).await {
        Ok(changes) => panic!("it goes on at {}", changes.cursor()),
        Err(error) => error,
    }
}

#[tokio::test]
async fn from_every_cursor_the_rest_is_told_the_same_and_nothing_is_missed() {
    let stores = stores();
    let sagas = on(&stores).await;
    let face = control(&sagas);
    begin(&sagas, "held", "before").await;
    let mut changes = face.watch(&dana(), every().into()).await.unwrap();
    let first = changes.cursor().to_owned();
    let mut began = Vec::new();
    for number in 0..3 {
        began.push(begin(&sagas, "held", &format!("k{number}")).await);
    }
    began.push(begin(&sagas, "quick", "q").await);
    for (number, saga) in (1..).zip(&began[..3]) {
        go(&sagas, *saga, number).await;
    }
    let all = hear(&mut changes, ends(began[2])).await;
    for saga in &began {
        let asked = ask::History { id: saga.to_string(), after: 0, limit: 0 };
        let facts = face.ask(&dana(), asked).await.unwrap().items;
        let told: Vec<_> = all.iter().filter(|change| change.row.id == *saga).collect();
        let told: Vec<_> = told.iter().map(|change| (change.rev, change.fact.clone(), change.at)).collect();
        assert_eq!(told, facts.into_iter().map(|fact| (fact.rev, fact.fact, fact.at)).collect::<Vec<_>>());
    }
    assert!(all.iter().all(|change| change.listed && change.whole.is_none()));
    // Another process, which has folded nothing yet, tells the same behind every one of them.
    sagas.shutdown().await.unwrap();
    let sagas = on(&stores).await;
    let face = control(&sagas);
    let cursors = std::iter::once(first).chain(all.iter().map(|change| change.cursor.clone()));
    for (number, cursor) in cursors.enumerate().take(all.len()) {
        let mut back = face.watch(&dana(), Watch::from(every()).behind(cursor)).await.unwrap();
        assert_eq!(hear(&mut back, ends(began[2])).await, all[number..], "behind {number} changes");
    }
    sagas.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_list_is_told_who_ceases_to_be_one_of_its_sagas_and_nothing_of_the_others() {
    let sagas = on(&stores()).await;
    let face = control(&sagas);
    let of = Selector { kind: Some("held".to_owned()), states: vec![SagaState::Waiting], ..Selector::default() };
    let mut waiting = face.watch(&dana(), WatchSagas { of, after: None }.into()).await.unwrap();
    let saga = begin(&sagas, "held", "k").await;
    begin(&sagas, "quick", "other").await;
    go(&sagas, saga, 1).await;
    let told = hear(&mut waiting, |change| !change.listed).await;
    let told: Vec<_> = told.iter().map(|one| (one.row.id, one.fact.as_str(), one.listed)).collect();
    assert_eq!(told, [(saga, "WaitStarted", true), (saga, "SignalReceived", false)]);
    // What is not told is passed by all the same: a reader that comes back does not read it again.
    begin(&sagas, "quick", "another").await;
    let before = waiting.cursor().to_owned();
    while waiting.cursor() == before {
        assert_eq!(within("a place", waiting.next()).await.unwrap(), []);
    }
    sagas.shutdown().await.unwrap();
}

#[tokio::test]
async fn one_saga_is_told_whole() {
    let sagas = on(&stores()).await;
    let face = control(&sagas);
    let saga = begin(&sagas, "held", "k").await;
    let mut one = face.watch(&dana(), WatchSaga { id: "held/k".to_owned(), after: None }.into()).await.unwrap();
    let first = one.cursor().to_owned();
    begin(&sagas, "quick", "other").await;
    go(&sagas, saga, 1).await;
    let told = hear(&mut one, ends(saga)).await;
    assert!(told.iter().all(|change| change.row.id == saga));
    assert_eq!(told.first().map(|change| change.fact.as_str()), Some("SignalReceived"));
    let whole = told.last().and_then(|change| change.whole.clone()).unwrap();
    assert_eq!(whole, face.ask(&dana(), ask::Saga { id: saga.to_string(), data: false, at: None }).await.unwrap());
    for after in std::iter::once(first).chain(told.iter().map(|change| change.cursor.clone())).take(told.len()) {
        let back = WatchSaga { id: saga.to_string(), after: Some(after) };
        let mut back = face.watch(&dana(), back.into()).await.unwrap();
        let rest = hear(&mut back, ends(saga)).await;
        let bare = |change: &Change| Change { whole: None, ..change.clone() };
        let (rest, all): (Vec<_>, Vec<_>) = (rest.iter().map(bare).collect(), told.iter().map(bare).collect());
        assert!(!rest.is_empty() && all.ends_with(&rest), "{rest:?}");
    }
    sagas.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_cursor_of_another_log_is_refused_and_so_is_none_at_all() {
    let (one, other) = (on(&stores()).await, on(&stores()).await);
    let (face, elsewhere) = (control(&one), control(&other));
    begin(&one, "quick", "a").await;
    let cursor = face.watch(&dana(), every().into()).await.unwrap().cursor().to_owned();
    let behind = |cursor: &str| Watch::from(every()).behind(cursor.to_owned());
    assert_eq!(refused(&elsewhere, behind(&cursor)).await.code, "SG0315", "a log that is shorter");
    begin(&other, "quick", "a").await;
    begin(&other, "quick", "b").await;
    let error = refused(&elsewhere, behind(&cursor)).await;
    assert_eq!((error.code.as_str(), error.hint.len()), ("SG0315", 2), "the same position of another log");
    for bad in ["", "1", "1-", "1-2", "2-0-", "1-x-y", "1-00-", "1-18446744073709551616-", &"1".repeat(10_000)] {
        let error = refused(&face, behind(bad)).await;
        assert!(error.code == "SG0315" && error.message.len() < 100, "{bad:.20}: {error}");
    }
    let missing = refused(&face, WatchSaga { id: "held/nobody".to_owned(), after: None }).await;
    assert_eq!(missing.code, "SG0201");
    // Before the first event there is nothing that could be another's.
    assert!(face.watch(&dana(), behind("1-0-")).await.is_ok());
    one.shutdown().await.unwrap();
    other.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_reader_ends_with_its_process_and_waits_where_nothing_moves() {
    let sagas = on(&stores()).await;
    let mut changes = control(&sagas).watch(&dana(), every().into()).await.unwrap();
    let (ended, ()) = tokio::join!(within("the end of a reader", changes.next()), async {
        sagas.shutdown().await.unwrap();
    });
    assert!(ended.is_err_and(|error| error.retryable), "another process may go on with it");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_hears_of_the_sagas_of_every_owner_and_of_those_that_are_taken_over() {
    let stores = stores();
    let bus = Arc::new(LocalBus::new(Arc::new(SystemClock)));
    bus.carry(JOURNAL, stores.open(JOURNAL).await.unwrap(), 0);
    let process = async || {
        let on = Orchestrator::on(Arc::clone(&stores)).bus(Arc::clone(&bus) as Arc<dyn AnyBus>);
        on.groups(8).lease(Duration::from_millis(400)).register::<Held>().start().await.unwrap()
    };
    let (one, two) = (process().await, process().await);
    until_so("both have half of the groups", || one.groups().len() == 4 && two.groups().len() == 4).await;
    let mut changes = control(&one).watch(&dana(), every().into()).await.unwrap();
    let mut begun = Vec::new();
    for number in 0..6 {
        begun.push(begin(&one, "held", &format!("k{number}")).await);
    }
    two.shutdown().await.unwrap();
    for (number, saga) in (1..).zip(&begun) {
        go(&one, *saga, number).await;
    }
    let told = hear(&mut changes, ends(begun[5])).await;
    for saga in &begun {
        let revs: Vec<u64> = told.iter().filter(|change| change.row.id == *saga).map(|change| change.rev).collect();
        assert!(!revs.is_empty() && revs.iter().copied().eq(1..=revs.len() as u64), "{revs:?}");
        assert!(told.iter().any(ends(*saga)));
    }
    one.shutdown().await.unwrap();
}

/// A server at an address, until it is told to stop.
async fn served(address: &str, face: LocalControl, stopped: oneshot::Receiver<()>, url: oneshot::Sender<String>) {
    let server = until("the address to be free", async || Server::bind(address.parse().unwrap()).await).await;
    url.send(server.url()).unwrap();
    server.run(Arc::new(face), async move { drop(stopped.await) }).await.unwrap();
}

#[tokio::test]
async fn a_client_goes_on_after_its_server_and_its_coordinator_were_replaced() {
    let stores = stores();
    let (first, (stop, stopped), (tell, told)) = (on(&stores).await, oneshot::channel(), oneshot::channel());
    let serve = served("127.0.0.1:0", control(&first), stopped, tell);
    let read = async {
        let url: String = told.await.unwrap();
        let client = AdminClient::new(&url, Duration::from_secs(10)).unwrap();
        let mut changes = client.watch(&dana(), every().into()).await.unwrap();
        let saga = begin(&first, "held", "k").await;
        let before = hear(&mut changes, |change| change.row.state == SagaState::Waiting).await;
        stop.send(()).unwrap();
        (url, changes, saga, before)
    };
    let ((), (url, mut changes, saga, before)) = tokio::join!(serve, read);
    first.shutdown().await.unwrap();
    let second = on(&stores).await;
    // No server runs while this happens.
    go(&second, saga, 1).await;
    let (address, (stop, stopped), (tell, told)) =
        (url.strip_prefix("http://").unwrap().to_owned(), oneshot::channel(), oneshot::channel());
    let serve = served(&address, control(&second), stopped, tell);
    let read = async {
        let after = hear(&mut changes, ends(saga)).await;
        let revs: Vec<u64> = before.iter().chain(&after).map(|change| change.rev).collect();
        assert_eq!(revs, (1..=revs.len() as u64).collect::<Vec<_>>(), "each once, in order");
        stop.send(()).unwrap();
    };
    let ((), (), url) = tokio::join!(serve, read, told);
    assert!(url.is_ok());
    second.shutdown().await.unwrap();
}
