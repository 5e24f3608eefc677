//! Bounds of what enters a running orchestrator: refused at the door, or parked with the size, and never tried for ever.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "what tests share speaks by panicking")]

use saga::core::batch::Commit;
use saga::core::codes;
use saga::core::control::{Asks, AwaitSaga, Control, Order, OrderKind, Selector, What, ask};
use saga::core::envelope::{Actor, NewEvent};
use saga::core::id::{EventId, RequestId, SagaId, Version};
use saga::core::json::Payload;
use saga::core::limits::{BODY_BYTES_MAX, TEXT_BYTES_MAX};
use saga::core::ports::{Clock, Stores};
use saga::core::uuid::Uuid;
use saga::core::view::{SagaShow, SagaState};
use saga::prelude::*;
use saga::{Error, LocalControl, SystemClock};
use saga_engine::journal::{batch_of, stream_of};
use saga_engine::memory::MemoryStores;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Asks for what no JSON can hold.
const NOT_A_NUMBER: usize = 7;

/// Gives so many bytes, or what no JSON can hold.
#[derive(Serialize, Deserialize)]
struct Sized {
    gives: usize,
    padding: String,
}
impl Saga for Sized {
    const NAME: &'static str = "sized";
    const VERSION: u16 = 1;
    fn plan(plan: Plan) -> Definition {
        plan.step("give", give, take).wait("asked", Gate::<bool>::named("yes"), Deadline::days(1)).end()
    }
}
#[derive(Serialize, Deserialize)]
struct Given {
    text: String,
    share: f64,
    odd: BTreeMap<Pair, u32>,
}
#[derive(PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Pair(u32, u32);
async fn give(In(job): In<Sized>) -> Step<Given> {
    let odd = if job.gives == 0 { BTreeMap::from([(Pair(1, 2), 3)]) } else { BTreeMap::new() };
    let share = if job.gives == NOT_A_NUMBER { f64::NAN } else { 0.5 };
    Ok(Given { text: "x".repeat(job.gives), share, odd })
}
async fn take(Undoing(_): Undoing) -> Step<()> {
    Ok(())
}

async fn sagas() -> (Sagas, LocalControl) {
    let stores = Arc::new(MemoryStores::new(Arc::new(SystemClock)));
    let sagas = Orchestrator::on(stores).register::<Sized>().start().await.unwrap();
    (sagas.clone(), LocalControl::new(sagas, "memory", "in process"))
}
fn job(gives: usize, padding: usize) -> Sized {
    Sized { gives, padding: "p".repeat(padding) }
}
fn dana() -> Actor {
    Actor::operator("dana")
}
fn start(request: u128, key: Option<&str>, job: &Sized) -> Order {
    let input = Payload::of(job).unwrap();
    let what = What::Start { kind: "sized".to_owned(), version: None, key: key.map(str::to_owned), input };
    order(request, what)
}
fn order(request: u128, what: What) -> Order {
    Order { request: RequestId(Uuid::from_u128(request)), reason: Some("because".to_owned()), if_rev: None, what }
}
async fn rest(control: &LocalControl, id: impl ToString) -> SagaShow {
    let of = AwaitSaga { id: id.to_string(), after: None };
    control.outcome(&dana(), of, Duration::from_secs(60)).await.unwrap().expect("it rests within a minute")
}

#[tokio::test]
async fn an_output_that_cannot_be_kept_parks_its_step_and_is_not_tried_for_ever() {
    let (sagas, control) = sagas().await;
    for (gives, says) in [
        (2 * 1024 * 1024, "at most 983040 are allowed"),
        (0, "it is not JSON: key must be a string"),
        (NOT_A_NUMBER, "it is not JSON: the number NaN does not exist in JSON"),
    ] {
        let saga = sagas.start(job(gives, 0)).await.unwrap().saga;
        let show = rest(&control, saga).await;
        assert_eq!(show.row.state, SagaState::Parked, "{gives}");
        assert_eq!(show.row.attempt.map(|(attempt, _)| attempt), Some(1), "once is enough to know");
        let reason = show.row.reason.unwrap();
        assert!(reason.contains("the output cannot be kept") && reason.contains(says), "{reason}");
    }
    sagas.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_start_beyond_the_bounds_is_refused_at_once() {
    let (sagas, control) = sagas().await;
    let Err(Error::Refused(refusal)) = sagas.start(job(1, 2 * 1024 * 1024)).await else { panic!("it was taken") };
    assert_eq!(refusal.code, codes::INPUT_LIMIT);
    let overhead = Payload::of(&job(1, 0)).unwrap().as_str().len();
    let edge = BODY_BYTES_MAX - overhead;
    control.act(&dana(), start(1, Some("edge"), &job(1, edge))).await.unwrap();
    assert_eq!(rest(&control, "sized/edge").await.row.state, SagaState::Waiting);
    let code = |order: Order| {
        let control = control.clone();
        async move { control.act(&dana(), order).await.unwrap_err().code }
    };
    assert_eq!(code(start(2, Some("beyond"), &job(1, edge + 1))).await, "SG0103");
    for key in ["", " ", "a\nb", &"k".repeat(201)] {
        assert_eq!(code(start(3, Some(key), &job(1, 0))).await, "SG0105", "{key:?}");
    }
    let long = Order { reason: Some("r".repeat(TEXT_BYTES_MAX + 1)), ..start(4, Some("reason"), &job(1, 0)) };
    assert_eq!(code(long).await, "SG0103");
    sagas.shutdown().await.unwrap();
}

#[tokio::test]
async fn keys_that_look_alike_are_alike_and_a_start_without_one_has_its_whole_request_id() {
    let (sagas, control) = sagas().await;
    let one = control.act(&dana(), start(1, Some(" caf\u{e9}"), &job(1, 0))).await.unwrap();
    let two = control.act(&dana(), start(2, Some("cafe\u{301} "), &job(1, 0))).await.unwrap();
    assert_eq!((one.saga, two.repeated), (two.saga, true));
    let show = control.ask(&dana(), ask::Saga { id: "sized/cafe\u{301}".into(), data: false, at: None }).await.unwrap();
    assert_eq!(show.row.key, "caf\u{e9}");
    // The last eight digits of the two ids are the same; nothing else is.
    let (left, right) = (0x01a2_2b9c_0000_7000_8000_1234_dead_beef, 0x01a2_2b9d_1111_7111_9111_5678_dead_beef);
    let first = control.act(&dana(), start(left, None, &job(1, 0))).await.unwrap();
    let second = control.act(&dana(), start(right, None, &job(1, 0))).await.unwrap();
    assert_ne!(first.saga, second.saga);
    assert_eq!((first.repeated, second.repeated), (false, false));
    assert!(control.act(&dana(), start(left, None, &job(1, 0))).await.unwrap().repeated);
    sagas.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_request_id_is_one_order_of_one_saga() {
    let (sagas, control) = sagas().await;
    control.act(&dana(), start(1, Some("a"), &job(1, 0))).await.unwrap();
    control.act(&dana(), start(2, Some("b"), &job(1, 0))).await.unwrap();
    let note = |saga: &str, text: &str| OrderKind::Note(text.to_owned()).of(format!("sized/{saga}"));
    let act = |number, what| {
        let control = control.clone();
        async move { control.act(&dana(), order(number, what)).await }
    };
    assert!(!act(9, note("a", "approve only after legal")).await.unwrap().repeated);
    assert!(act(9, note("a", "approve only after legal")).await.unwrap().repeated);
    assert_eq!(act(9, note("a", "do not approve")).await.unwrap_err().code, "SG0210");
    assert_eq!(act(9, note("b", "approve only after legal")).await.unwrap_err().code, "SG0210");
    assert_eq!(act(1, note("a", "x")).await.unwrap_err().code, "SG0210", "it started the saga");
    assert_eq!(control.act(&dana(), start(1, Some("c"), &job(1, 0))).await.unwrap_err().code, "SG0210");
    sagas.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_preview_tells_and_does_nothing_and_a_revision_guards() {
    let (sagas, control) = sagas().await;
    control.act(&dana(), start(1, Some("a"), &job(1, 0))).await.unwrap();
    let seen = rest(&control, "sized/a").await;
    let cancel = || OrderKind::Cancel { abandon: false }.of("sized/a");
    let foreseen = control.ask(&dana(), ask::Preview(Box::new(order(2, cancel())))).await.unwrap();
    assert_eq!((foreseen.rev, foreseen.undo.as_slice()), (seen.rev, ["undo of give (give)".to_owned()].as_slice()));
    assert!(foreseen.sends.iter().any(|sent| sent.contains("give")), "{:?}", foreseen.sends);
    let abandon = order(2, OrderKind::Cancel { abandon: true }.of("sized/a"));
    let foreseen = control.ask(&dana(), ask::Preview(Box::new(abandon))).await.unwrap();
    assert_eq!((foreseen.undo.len(), foreseen.stays.as_slice()), (0, ["give".to_owned()].as_slice()));
    let refused = ask::Preview(Box::new(order(2, OrderKind::Resume.of("sized/a"))));
    assert_eq!(control.ask(&dana(), refused).await.unwrap_err().code, "SG0205", "what would be refused says so");
    assert_eq!(rest(&control, "sized/a").await.rev, seen.rev, "nothing was ordered");
    let stale = Order { if_rev: Some(seen.rev - 1), ..order(3, cancel()) };
    assert_eq!(control.act(&dana(), stale).await.unwrap_err().code, "SG0106");
    control.act(&dana(), Order { if_rev: Some(seen.rev), ..order(4, cancel()) }).await.unwrap();
    sagas.shutdown().await.unwrap();
}

/// A fact that this program cannot read stands in the middle of a saga.
async fn damage(stores: &Arc<dyn Stores>, saga: SagaId) {
    let journal = stores.open("orchestration").await.unwrap();
    let stream = stream_of(saga).unwrap();
    let have = journal.read(&stream, Version::ZERO, 1_000).await.unwrap().len() as u64;
    let event = NewEvent {
        id: EventId(Uuid::from_u128(77)),
        name: "SagaTeleported",
        version: 1,
        data: Payload::trusted("{}"),
        meta: Payload::trusted("{}"),
        time: SystemClock.now(),
        public: true,
    };
    let Commit::Ok(_) = journal.commit(batch_of(stream, Version(have), vec![event], None)).await else { panic!() };
}

#[tokio::test]
async fn a_saga_that_cannot_be_read_is_one_row_and_the_rest_goes_on() {
    let stores: Arc<dyn Stores> = Arc::new(MemoryStores::new(Arc::new(SystemClock)));
    let on = || async { Orchestrator::on(Arc::clone(&stores)).register::<Sized>().start().await.unwrap() };
    let first = on().await;
    let control = LocalControl::new(first.clone(), "memory", "in process");
    for (number, key) in [(1, "bad"), (2, "good")] {
        control.act(&dana(), start(number, Some(key), &job(1, 0))).await.unwrap();
        rest(&control, format!("sized/{key}")).await;
    }
    first.shutdown().await.unwrap();
    let bad = saga::keyed("sized", "bad");
    damage(&stores, bad).await;
    let sagas = on().await;
    let control = LocalControl::new(sagas.clone(), "memory", "in process");
    let unreadable =
        control.ask(&dana(), ask::Saga { id: "sized/bad".into(), data: false, at: None }).await.unwrap_err();
    assert_eq!(unreadable.code, "SG0107");
    for all in [false, true] {
        let page = control.ask(&dana(), Selector { all, ..Selector::default() }).await.unwrap();
        let mut rows: Vec<_> = page.items.iter().map(|row| (row.key.as_str(), row.state)).collect();
        rows.sort();
        assert_eq!(rows, [("bad", SagaState::Parked), ("good", SagaState::Waiting)], "{all}");
        let reason = page.items.iter().find(|row| row.id == bad).and_then(|row| row.reason.clone()).unwrap();
        assert!(reason.starts_with("UNREADABLE: orchestration_saga-") && reason.contains("SagaTeleported"), "{reason}");
    }
    let status = control.ask(&dana(), ask::WhoIsThere {}).await.unwrap();
    let told: Vec<_> = status.attention.iter().map(|row| (row.count, row.urgent, row.says.as_str())).collect();
    let wanted =
        [(1, true, "saga has a fact that cannot be read here"), (1, false, "saga waits at a gate for a decision")];
    assert_eq!(told, wanted);
    assert_eq!(status.attention[0].next, "sagactl help SG0107");
    let why = control.ask(&dana(), ask::WhyStuck { id: "sized/bad".into() }).await.unwrap();
    assert_eq!(why.causes[0].code, "UNREADABLE");
    let history = ask::History { id: "sized/bad".into(), after: 0, limit: 100 };
    let facts = control.ask(&dana(), history).await.unwrap();
    assert_eq!(facts.items.last().map(|row| row.fact.as_str()), Some("SagaTeleported"));
    let note = |key: &str| OrderKind::Note("seen".to_owned()).of(format!("sized/{key}"));
    let refused = control.act(&dana(), order(7, note("bad"))).await.unwrap_err();
    assert!(refused.code == "SG0107" && refused.message.contains("SagaTeleported"), "{refused}");
    control.act(&dana(), order(8, note("good"))).await.unwrap();
    sagas.shutdown().await.unwrap();
}
