//! A definition that changes while sagas of it are open, and tests in which days pass at once.
#![expect(clippy::print_stdout, reason = "an example prints")]

use saga::core::control::{Asks, ask};
use saga::core::envelope::Actor;
use saga::core::json::Payload;
use saga::core::ports::{Clock, Stores};
use saga::prelude::*;
use saga::{Error, LocalControl, Sagas};
use saga_engine::memory::MemoryStores;
use std::sync::Arc;
use std::time::Duration;

const YES: Gate<bool> = Gate::named("yes");

#[derive(Clone, Serialize, Deserialize)]
struct Order {
    pieces: u32,
}
impl Saga for Order {
    const NAME: &'static str = "order";
    const VERSION: u16 = 2;
    fn plan(plan: Plan) -> Definition {
        plan.step("reserve", reserve, release)
            .step("weigh", weigh, unload)
            .wait("approval", YES, Deadline::days(2))
            .pivot("send", send)
            .end()
    }
}
/// Version 1, word for word, for as long as a saga of it is open.
fn before_weighing(plan: Plan) -> Definition {
    plan.step("reserve", reserve, release).wait("approval", YES, Deadline::days(2)).pivot("send", send).end()
}
async fn reserve(In(order): In<Order>) -> Step<u32> {
    Ok(order.pieces)
}
async fn release(Undoing(_): Undoing) -> Step<()> {
    Ok(())
}
async fn weigh(In(order): In<Order>) -> Step<u32> {
    Ok(order.pieces * 400)
}
async fn unload(Undoing(_): Undoing) -> Step<()> {
    Ok(())
}
async fn send(Out(approved): Out<bool>) -> Step<()> {
    if approved { Ok(()) } else { Err(refuse("the client said no")) }
}

/// Which sagas stand still because nobody here knows what they began with: what a roll-out looks at.
async fn stranded(sagas: &Sagas) -> Vec<String> {
    let control = LocalControl::new(sagas.clone(), "memory", "in process");
    let status = control.ask(&Actor::system("roll-out"), ask::WhoIsThere {}).await;
    let troubles = status.map(|status| status.troubles).unwrap_or_default();
    troubles.into_iter().map(|trouble| trouble.says).collect()
}
/// Waits until a saga asks for its answer, and gives it.
async fn approve(sagas: &Sagas, saga: SagaId) -> Result<(), Error> {
    let clock = saga::SystemClock;
    let asks = loop {
        let waiting = sagas.saga(saga).await?.map(|saga| saga.waiting()).unwrap_or_default();
        match waiting.into_iter().find_map(|one| one.opening) {
            Some(opening) => break opening,
            None => clock.pause(Duration::from_millis(5)).await,
        }
    };
    sagas.signal(saga, &YES, Some(&asks), &true, Actor::operator("dana")).await?;
    sagas.wait(saga).await
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let stores = Arc::new(MemoryStores::new(Arc::new(saga::SystemClock)));
    let program = || Orchestrator::on(Arc::clone(&stores) as Arc<dyn Stores>);
    // The program of yesterday: one version.
    let sagas = program().register_version::<Order>(1, before_weighing).start().await?;
    let order = Payload::of(&Order { pieces: 4 })?;
    let old = sagas.start_raw("order", Some(1), Some("begun yesterday"), order, None).await?.saga;
    sagas.shutdown().await?;

    // Without the old plan nothing is lost, and nothing goes on.
    let sagas = program().register::<Order>().start().await?;
    println!("{:?}\n", stranded(&sagas).await);
    sagas.shutdown().await?;

    // With it each saga goes on with the plan that it began with.
    let sagas = program().register::<Order>().register_version::<Order>(1, before_weighing).start().await?;
    println!("{:?}\n", stranded(&sagas).await);
    let new = sagas.start_keyed("begun today", Order { pieces: 4 }).await?.saga;
    for saga in [old, new] {
        approve(&sagas, saga).await?;
        println!("{}\n", sagas.report(saga).await?);
    }
    Ok(sagas.shutdown().await?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use saga::core::view::SagaState;
    use saga_testkit::harness::Harness;

    const DAY: Duration = Duration::from_secs(86_400);

    #[test]
    fn who_hears_nothing_for_two_days_takes_everything_back() {
        let mut shop = Harness::of([]).saga::<Order>();
        let order = shop.start(&Order { pieces: 4 });
        assert_eq!(shop.state(order), SagaState::Waiting);
        shop.pass(2 * DAY - Duration::from_secs(1));
        assert_eq!(shop.state(order), SagaState::Waiting);
        shop.pass(Duration::from_secs(1));
        assert_eq!(shop.state(order), SagaState::Compensated);
    }

    #[test]
    fn it_runs() {
        main().unwrap();
    }
}
