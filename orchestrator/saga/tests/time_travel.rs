//! A saga as it was: after each of its facts, and at each of their times, it is shown as it was shown then.
#![expect(clippy::unwrap_used, reason = "what tests share speaks by panicking")]

use saga::LocalControl;
use saga::core::codes;
use saga::core::control::{Asks, Control, Moment, Order, OrderKind, What, ask};
use saga::core::envelope::Actor;
use saga::core::id::{RequestId, SagaId};
use saga::core::json::Payload;
use saga::core::time::Timestamp;
use saga::core::uuid::Uuid;
use saga::core::view::{AsOf, SagaShow, SagaState};
use saga::prelude::*;
use test_servers::waiting::until;

const GO: Gate<bool> = Gate::named("go");

#[derive(Serialize, Deserialize)]
struct PublishPost {
    words: u32,
}
impl Saga for PublishPost {
    const NAME: &'static str = "publish-post";
    const VERSION: u16 = 1;
    fn plan(plan: Plan) -> Definition {
        plan.step("slot", hold, free).wait("approval", GO, Deadline::days(9)).pivot("post", post).end()
    }
}
async fn hold(key: StepKey) -> Step<StepKey> {
    Ok(key)
}
async fn free(Undoing(_): Undoing) -> Step<()> {
    Ok(())
}
async fn post(In(job): In<PublishPost>) -> Step<()> {
    if job.words > 300 { Err(refuse("too long")) } else { Ok(()) }
}

fn dana() -> Actor {
    Actor::operator("dana")
}
async fn act(control: &LocalControl, number: u128, saga: SagaId, kind: OrderKind) {
    let what = What::Of { saga: saga.to_string(), kind };
    let request = RequestId(Uuid::from_u128(number));
    control.act(&dana(), Order { request, reason: Some("a test".to_owned()), what, if_rev: None }).await.unwrap();
}

#[tokio::test]
async fn after_each_fact_and_at_each_time_a_saga_is_shown_as_it_was() {
    let sagas = Orchestrator::in_memory().register::<PublishPost>().start().await.unwrap();
    let control = LocalControl::new(sagas.clone(), "memory", "local");
    for (number, words) in [(10, 200), (20, 400)] {
        let saga = sagas.start(PublishPost { words }).await.unwrap().saga;
        until("it waits at its gate", async || match sagas.state(saga).await.unwrap() {
            Some(SagaState::Waiting) => Ok(()),
            other => Err(format!("{other:?}")),
        })
        .await;
        act(&control, number, saga, OrderKind::Note("looked at".to_owned())).await;
        let gate = "approval".to_owned();
        let signal = OrderKind::Signal { gate, data: Payload::trusted("true"), opening: None };
        act(&control, number + 1, saga, signal).await;
        sagas.wait(saga).await.unwrap();

        let (mut then, mut times) = (Vec::<SagaShow>::new(), Vec::new());
        sagas.retold(saga, |_, exec| then.push(exec.show(true))).await.unwrap();
        sagas.retold(saga, |_, exec| times.push(exec.moved_at())).await.unwrap();
        let facts = then.len() as u64;
        assert!(facts > 6, "there is a story to go back in: {facts}");
        let show = async |at| control.ask(&dana(), ask::Saga { id: saga.to_string(), data: true, at: Some(at) }).await;
        for (index, was) in then.iter().enumerate() {
            let wanted = |index: usize| SagaShow {
                possible: Vec::new(),
                as_of: Some(AsOf { at: times[index], facts }),
                ..then[index].clone()
            };
            assert_eq!(*show(Moment::Rev(was.rev)).await.unwrap(), wanted(index));
            let last = times.iter().rposition(|at| *at == times[index]).unwrap();
            assert_eq!(*show(Moment::Time(times[index])).await.unwrap(), wanted(last));
        }
        // Whatever comes later, this is how it is now.
        let now = show(Moment::Time(Timestamp(times[0].0 + 9_000_000_000))).await.unwrap();
        assert_eq!(now.rev, facts);
        for (at, says) in [
            (Moment::Rev(facts + 1), format!("has {facts} facts, and not {}", facts + 1)),
            (Moment::Time(Timestamp(times[0].0 - 1)), "it was not there".to_owned()),
        ] {
            let why = show(at).await.unwrap_err();
            assert_eq!(why.code, codes::USAGE.id);
            assert!(why.message.contains(&says), "{}", why.message);
        }
    }
    let nobody = ask::Saga { id: SagaId(Uuid::from_u128(7)).to_string(), data: false, at: Some(Moment::Rev(1)) };
    assert_eq!(control.ask(&dana(), nobody).await.unwrap_err().code, codes::SAGA_NOT_FOUND.id);
    sagas.shutdown().await.unwrap();
}
