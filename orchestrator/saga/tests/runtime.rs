//! The runtime over stores in memory: reports, restarts, takeovers, orders. Nothing here sleeps.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "what tests share speaks by panicking")]

use saga::core::control::{Asks, AwaitSaga, Control, Order, OrderKind, Selector, What, ask};
use saga::core::envelope::Actor;
use saga::core::id::RequestId;
use saga::core::json::Payload;
use saga::core::ports::Stores;
use saga::core::saga::{define, define_version};
use saga::core::uuid::Uuid;
use saga::core::view::SagaState;
use saga::prelude::*;
use saga::{Error, LocalControl, SystemClock};
use saga_engine::memory::MemoryStores;
use std::sync::Arc;
use std::time::Duration;
use test_servers::waiting::within;

const YES: Gate<bool> = Gate::named("yes");

#[derive(Serialize, Deserialize)]
struct Gated {
    words: u32,
}
#[derive(Serialize, Deserialize)]
struct Slot {
    held_by: StepKey,
}
impl Saga for Gated {
    const NAME: &'static str = "gated";
    const VERSION: u16 = 1;
    fn plan(plan: Plan) -> Definition {
        plan.step("slot", hold, free).wait("approval", YES, Deadline::days(9)).pivot("post", post).end()
    }
}
#[derive(Serialize, Deserialize)]
struct Direct {
    words: u32,
}
impl Saga for Direct {
    const NAME: &'static str = "direct";
    const VERSION: u16 = 1;
    fn plan(plan: Plan) -> Definition {
        plan.step("slot", hold, free).pivot("post", direct).end()
    }
}
async fn hold(key: StepKey) -> Step<Slot> {
    Ok(Slot { held_by: key })
}
async fn free(Undoing(_): Undoing) -> Step<()> {
    Ok(())
}
async fn post(In(job): In<Gated>) -> Step<u32> {
    Ok(job.words)
}
async fn direct(In(job): In<Direct>) -> Step<u32> {
    match job.words {
        0 => panic!("a bug"),
        words if words > 300 => Err(refuse("too long for this channel")),
        words => Ok(words),
    }
}

fn stores() -> Arc<dyn Stores> {
    Arc::new(MemoryStores::new(Arc::new(SystemClock)))
}
async fn on(stores: &Arc<dyn Stores>) -> Sagas {
    Orchestrator::on(Arc::clone(stores)).register::<Gated>().register::<Direct>().start().await.unwrap()
}
fn input(words: u32) -> Payload {
    Payload::of(&Gated { words }).unwrap()
}
fn control(sagas: &Sagas) -> LocalControl {
    LocalControl::new(sagas.clone(), "memory", "in process")
}
fn dana() -> Actor {
    Actor::operator("dana")
}
fn order(number: u128, what: What) -> Order {
    Order { request: RequestId(Uuid::from_u128(number)), reason: Some("because".to_owned()), what, if_rev: None }
}
/// Waits until the saga stands at its gate, ended, or needs a person.
async fn rest(sagas: &Sagas, id: &str) -> SagaState {
    let of = AwaitSaga { id: id.to_owned(), after: None };
    let show = control(sagas).outcome(&dana(), of, Duration::from_secs(60)).await.unwrap();
    show.expect("it rests within a minute").row.state
}
fn signal(saga: &str) -> What {
    OrderKind::Signal { gate: "yes".to_owned(), data: Payload::of(&true).unwrap(), opening: None }.of(saga)
}

#[tokio::test]
async fn a_report_is_a_small_tree() {
    let sagas = on(&stores()).await;
    let report = sagas.run(Direct { words: 400 }).await.unwrap();
    let text = report.to_string().replace(&report.0.row.id.short(), "<id>");
    assert_eq!(
        text,
        "direct  <id>  ↺ compensated: too long for this channel\n\
         ├─ slot  ✔ done      ↺ undone\n\
         └─ post  ✖ refused"
    );
    sagas.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_start_is_one_by_its_key() {
    let sagas = on(&stores()).await;
    let first = sagas.start_raw("gated", None, Some("k"), input(7), None).await.unwrap();
    let again = sagas.start_raw("gated", None, Some("k"), input(7), None).await.unwrap();
    assert_eq!((first.saga, first.repeated, again.repeated), (again.saga, false, true));
    let other = sagas.start_raw("gated", None, Some("k"), input(8), None).await;
    assert!(matches!(other, Err(Error::Refused(refusal)) if refusal.code.id == "SG0203"));
    sagas.shutdown().await.unwrap();
}

#[tokio::test]
async fn open_sagas_go_on_after_a_restart() {
    let stores = stores();
    let sagas = on(&stores).await;
    let waiting = sagas.start_raw("gated", None, Some("waits"), input(7), None).await.unwrap().saga;
    let at_once = sagas.start_raw("gated", None, Some("in flight"), input(8), None).await.unwrap().saga;
    assert_eq!(rest(&sagas, "gated/waits").await, SagaState::Waiting);
    assert_eq!(rest(&sagas, "gated/in flight").await, SagaState::Waiting);
    let status = control(&sagas).ask(&dana(), ask::WhoIsThere {}).await.unwrap();
    let told: Vec<_> = status.attention.iter().map(|one| (one.count, one.says.as_str(), one.urgent)).collect();
    assert_eq!((told, status.ready), (vec![(2, "sagas wait at gates for decisions", false)], true));
    sagas.shutdown().await.unwrap();
    assert!(matches!(within("the end of a saga", sagas.wait(waiting)).await, Err(Error::Stopped)));
    let sagas = on(&stores).await;
    for (number, saga) in [(1, waiting), (2, at_once)] {
        assert_eq!(rest(&sagas, &saga.to_string()).await, SagaState::Waiting);
        control(&sagas).act(&dana(), order(number, signal(&saga.to_string()))).await.unwrap();
        // Waiting right after the start, while the history may still be read, waits for the end all the same.
        within("the end of a saga", sagas.wait(saga)).await.unwrap();
        assert_eq!(sagas.state(saga).await.unwrap(), Some(SagaState::Completed));
    }
    sagas.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_step_that_panics_parks_its_saga_only() {
    let sagas = on(&stores()).await;
    let broken = sagas.run(Direct { words: 0 }).await.unwrap();
    assert_eq!(broken.0.row.state, SagaState::Parked);
    let id = broken.0.row.id.to_string();
    let why = control(&sagas).ask(&dana(), ask::WhyStuck { id }).await.unwrap();
    assert_eq!(why.causes[0].says, "post broke: a bug in a function of the saga: the function panicked: a bug");
    assert!(why.causes[0].evidence.iter().any(|line| line.ends_with("the function panicked: a bug")), "{why:?}");
    assert_eq!(sagas.run(Direct { words: 5 }).await.unwrap().0.row.state, SagaState::Completed);
    let verdicts = control(&sagas).ask(&dana(), ask::Verify {}).await.unwrap();
    assert_eq!(verdicts.findings, []);
    sagas.shutdown().await.unwrap();
}

#[tokio::test]
async fn control_finds_lists_explains_and_orders_once() {
    let sagas = on(&stores()).await;
    let control = control(&sagas);
    let id = sagas.start_raw("gated", None, Some("k"), input(7), None).await.unwrap().saga;
    assert_eq!(rest(&sagas, "gated/k").await, SagaState::Waiting);
    let digits = id.0.simple().to_string();
    for name in [id.to_string(), "gated/k".to_owned(), digits[24..].to_owned()] {
        let show = control.ask(&dana(), ask::Saga { id: name, data: true, at: None }).await.unwrap();
        assert_eq!(show.row.id, id);
    }
    for name in ["gated/none", "123456", "xyz"] {
        let missing = control.ask(&dana(), ask::Saga { id: name.to_owned(), data: false, at: None }).await;
        assert_eq!(missing.unwrap_err().code, "SG0201", "{name}");
    }
    let why = control.ask(&dana(), ask::WhyStuck { id: id.to_string() }).await.unwrap();
    assert_eq!(why.causes[0].code, "WAITING_SIGNAL");
    let first = control.act(&dana(), order(1, signal("gated/k"))).await.unwrap();
    within("the end of a saga", sagas.wait(id)).await.unwrap();
    let again = control.act(&dana(), order(1, signal("gated/k"))).await.unwrap();
    assert_eq!((first.repeated, again.repeated), (false, true));
    let waiting = Selector { states: vec![SagaState::Waiting], ..Selector::default() };
    let page = control.ask(&dana(), waiting).await.unwrap();
    assert!(page.items.is_empty());
    let page = control.ask(&dana(), ask::History { id: id.to_string(), after: 0, limit: 0 }).await.unwrap();
    assert_eq!(page.items.first().map(|row| row.fact.as_str()), Some("SagaStarted"));
    assert_eq!(page.items.last().map(|row| row.fact.as_str()), Some("SagaCompleted"));
    sagas.shutdown().await.unwrap();
}

#[tokio::test]
async fn what_is_not_there_is_told_by_its_name() {
    let sagas = on(&stores()).await;
    let control = control(&sagas);
    sagas.start_raw("gated", None, Some("k"), input(7), None).await.unwrap();
    assert_eq!(rest(&sagas, "gated/k").await, SagaState::Waiting);
    let retry = OrderKind::Retry { step: Some("nope".to_owned()) }.of("gated/k");
    let error = control.act(&dana(), order(1, retry)).await.unwrap_err();
    assert_eq!((error.code.as_str(), error.message.as_str()), ("SG0209", "the step \"nope\" does not exist"));
    let start = What::Start { kind: "gated".to_owned(), version: Some(9), key: None, input: input(7) };
    let error = control.act(&dana(), order(2, start)).await.unwrap_err();
    assert_eq!((error.code.as_str(), error.message.as_str()), ("SG0204", "\"gated\" has no version 9; it has 1"));
    let history = ask::History { id: "gated/k".to_owned(), after: u64::MAX, limit: 0 };
    let page = control.ask(&dana(), history).await.unwrap();
    assert_eq!((page.items.len(), page.next), (0, None), "behind everything is nothing");
    sagas.shutdown().await.unwrap();
}

/// Another plan under the version of [`Gated`].
fn other(plan: Plan) -> Definition {
    plan.step("slot", hold, free).wait("approval", YES, Deadline::days(9)).pivot("publish", post).end()
}

#[tokio::test]
async fn who_starts_with_another_meaning_says_which_open_sagas_it_strands() {
    let stores = stores();
    let sagas = on(&stores).await;
    for key in ["one", "two"] {
        sagas.start_raw("gated", None, Some(key), input(7), None).await.unwrap();
        assert_eq!(rest(&sagas, &format!("gated/{key}")).await, SagaState::Waiting);
    }
    sagas.shutdown().await.unwrap();
    let troubles = async |orchestrator: Orchestrator| {
        let sagas = orchestrator.start().await.unwrap();
        for key in ["one", "two"] {
            rest(&sagas, &format!("gated/{key}")).await;
        }
        let status = control(&sagas).ask(&dana(), ask::WhoIsThere {}).await.unwrap();
        assert_eq!(status.ready, status.troubles.is_empty());
        sagas.shutdown().await.unwrap();
        status.troubles.into_iter().map(|trouble| (trouble.place, trouble.says)).collect::<Vec<_>>()
    };
    let program = || Orchestrator::on(Arc::clone(&stores));
    let (was, is) = (define::<Gated>(), define_version::<Gated>(1, other));
    let (was, is) = (&was.meaning[..8], &is.meaning[..8]);
    let place = "definitions".to_owned();
    let says = format!(
        "2 open sagas stand still: they began with another meaning of gated@1 {was}, here {is}: sagactl help SG0216"
    );
    assert_eq!(troubles(program().register_version::<Gated>(1, other)).await, [(place.clone(), says)]);
    let says = format!(
        "2 open sagas stand still: nothing here is gated@1 {was}, with which they began: deploy the version again, beside the new one"
    );
    assert_eq!(troubles(program().register_version::<Gated>(2, other)).await, [(place, says)]);
    assert_eq!(troubles(program().register_version::<Gated>(2, other).register::<Gated>()).await, []);
}

#[tokio::test]
async fn a_start_an_answer_and_a_result_have_their_types() {
    let sagas = on(&stores()).await;
    let begun = sagas.start_keyed("typed", Gated { words: 7 }).await.unwrap();
    assert!(!begun.repeated && sagas.start_keyed("typed", Gated { words: 7 }).await.unwrap().repeated);
    assert!(matches!(sagas.start_keyed("typed", Gated { words: 8 }).await, Err(Error::Refused(_))));
    assert_eq!(rest(&sagas, "gated/typed").await, SagaState::Waiting);
    let waits = sagas.saga(begun.saga).await.unwrap().unwrap().waiting().remove(0);
    sagas.signal(begun.saga, &YES, waits.opening.as_deref(), &true, dana()).await.unwrap();
    within("the end of a saga", sagas.wait(begun.saga)).await.unwrap();
    assert_eq!(sagas.report(begun.saga).await.unwrap().state(), SagaState::Completed);
    assert_eq!(sagas.output::<u32>(begun.saga, "post").await.unwrap(), Some(7));
    assert!(sagas.output::<Slot>(begun.saga, "slot").await.unwrap().is_some());
    let told = |why: Result<Option<u32>, Error>| why.unwrap_err().to_string();
    assert_eq!(
        told(sagas.output(begun.saga, "pots").await),
        "the saga has no step \"pots\"; it has slot, approval, post"
    );
    let wrong = told(sagas.output(begun.saga, "slot").await);
    assert!(wrong.starts_with("what step \"slot\" gave is no u32: "), "{wrong}");
    sagas.shutdown().await.unwrap();
}
