//! The door: an input that does not fit begins nothing and takes no key, by whatever face it comes; and what was let in
//! under older rules goes on. Nothing here sleeps.
#![expect(clippy::unwrap_used, reason = "what tests share speaks by panicking")]

use saga::core::control::{Asks, AwaitSaga, Control, ControlError, Order, OrderKind, Selector, What};
use saga::core::envelope::Actor;
use saga::core::id::RequestId;
use saga::core::json::Payload;
use saga::core::ports::Stores;
use saga::core::uuid::Uuid;
use saga::core::view::SagaState;
use saga::prelude::*;
use saga::{Error, LocalControl, SystemClock};
use saga_engine::memory::MemoryStores;
use std::sync::Arc;
use std::time::Duration;
use test_servers::waiting::within;

const YES: Gate<bool> = Gate::named("yes");
/// The rule of today.
const WORDS_MAX: u32 = 900;

fn plan_of(plan: Plan) -> Definition {
    plan.step("slot", hold, free).wait("approval", YES, Deadline::days(9)).end()
}
async fn hold(key: StepKey) -> Step<StepKey> {
    Ok(key)
}
async fn free(Undoing(_): Undoing) -> Step<()> {
    Ok(())
}

/// The definition as it was before it had rules: the same plan and the same name of what it begins with, the same digest.
mod older {
    use super::*;

    #[derive(Serialize, Deserialize)]
    pub(super) struct Letter {
        words: u32,
        channel: String,
    }
    impl Saga for Letter {
        const NAME: &'static str = "letter";
        const VERSION: u16 = 1;
        fn plan(plan: Plan) -> Definition {
            plan_of(plan)
        }
    }
}
/// As it is now.
#[derive(Serialize, Deserialize)]
struct Letter {
    words: u32,
    channel: String,
}
impl Saga for Letter {
    const NAME: &'static str = "letter";
    const VERSION: u16 = 1;
    fn plan(plan: Plan) -> Definition {
        plan_of(plan)
    }
    fn example() -> Option<Self> {
        Some(Self { words: 200, channel: "mail".to_owned() })
    }
    fn check(&self) -> Vec<Misfit> {
        let long =
            (self.words > WORDS_MAX).then(|| Misfit::at("/words", format!("expected at most {WORDS_MAX} words")));
        let nowhere = self.channel.is_empty().then(|| Misfit::at("/channel", "expected a channel"));
        long.into_iter().chain(nowhere).collect()
    }
}

fn letter(words: u32, channel: &str) -> Payload {
    Payload::of(&Letter { words, channel: channel.to_owned() }).unwrap()
}
async fn on<S: Saga>(stores: &Arc<dyn Stores>) -> Sagas {
    Orchestrator::on(Arc::clone(stores)).register::<S>().start().await.unwrap()
}
fn stores() -> Arc<dyn Stores> {
    Arc::new(MemoryStores::new(Arc::new(SystemClock)))
}
fn dana() -> Actor {
    Actor::operator("dana")
}
fn control(sagas: &Sagas) -> LocalControl {
    LocalControl::new(sagas.clone(), "memory", "in process")
}
async fn start(sagas: &Sagas, number: u128, key: Option<&str>, input: Payload) -> Result<bool, ControlError> {
    let what = What::Start { kind: "letter".to_owned(), version: None, key: key.map(str::to_owned), input };
    let order = Order { request: RequestId(Uuid::from_u128(number)), reason: None, what, if_rev: None };
    control(sagas).act(&dana(), order).await.map(|receipt| receipt.repeated)
}
async fn how_many(sagas: &Sagas) -> usize {
    let look = Selector { all: true, ..Selector::default() };
    let page = control(sagas).ask(&dana(), look).await.unwrap();
    page.items.len()
}

#[tokio::test]
async fn every_wrong_place_is_told_at_once_and_nothing_is_begun() {
    let sagas = on::<Letter>(&stores()).await;
    let refused = start(&sagas, 1, Some("k"), letter(WORDS_MAX + 1, "")).await.unwrap_err();
    assert_eq!(refused.code, "SG0102");
    assert_eq!(
        refused.message,
        "the input does not fit: /words is 901: expected at most 900 words, for example 200; \
         /channel is \"\": expected a channel, for example \"mail\""
    );
    let places: Vec<_> = refused.misfits.iter().map(|misfit| misfit.field.as_str()).collect();
    assert_eq!(places, ["/words", "/channel"]);
    let unread = start(&sagas, 2, Some("k"), Payload::trusted(r#"{"words":"many","channel":"mail"}"#)).await;
    let unread = unread.unwrap_err().misfits.remove(0);
    assert_eq!((unread.field.as_str(), unread.found.as_deref()), ("/words", Some("\"many\"")));
    let direct = sagas.start(Letter { words: 7, channel: String::new() }).await;
    assert!(matches!(direct, Err(Error::Input(misfits)) if misfits.len() == 1));
    assert_eq!(how_many(&sagas).await, 0);
    // The key and the request are free: the same ones begin a saga once the input is right.
    assert_eq!(start(&sagas, 1, Some("k"), letter(WORDS_MAX, "mail")).await, Ok(false));
    assert_eq!(how_many(&sagas).await, 1);
    sagas.shutdown().await.unwrap();
}

#[tokio::test]
async fn what_was_let_in_before_the_rule_goes_on_and_its_start_may_be_said_again() {
    let stores = stores();
    let older = on::<older::Letter>(&stores).await;
    assert_eq!(start(&older, 1, Some("k"), letter(5_000, "")).await, Ok(false));
    let waits = AwaitSaga { id: "letter/k".to_owned(), after: None };
    let shown = control(&older).outcome(&dana(), waits, Duration::from_secs(60)).await.unwrap().unwrap();
    assert_eq!(shown.row.state, SagaState::Waiting);
    older.shutdown().await.unwrap();

    let sagas = on::<Letter>(&stores).await;
    assert_eq!(start(&sagas, 1, Some("k"), letter(5_000, "")).await, Ok(true), "it is the saga that there is");
    assert_eq!(start(&sagas, 2, Some("k"), letter(6_000, "")).await.unwrap_err().code, "SG0203");
    assert_eq!(start(&sagas, 3, Some("other"), letter(5_000, "")).await.unwrap_err().code, "SG0102");
    let (gate, data) = ("yes".to_owned(), Payload::of(&true).unwrap());
    let what = OrderKind::Signal { gate, data, opening: None }.of("letter/k");
    let order = Order { request: RequestId(Uuid::from_u128(4)), reason: None, what, if_rev: None };
    control(&sagas).act(&dana(), order).await.unwrap();
    within("the end of a saga", sagas.wait(shown.row.id)).await.unwrap();
    assert_eq!(sagas.state(shown.row.id).await.unwrap(), Some(SagaState::Completed));
    sagas.shutdown().await.unwrap();
}
