//! What a process counts of its sagas is what their facts say.
#![expect(clippy::unwrap_used, reason = "what tests share speaks by panicking")]

use saga::LocalControl;
use saga::core::control::{Asks, ask};
use saga::core::envelope::Actor;
use saga::core::telemetry::{Amount, Metric};
use saga::prelude::*;
use std::collections::BTreeMap;

#[derive(Serialize, Deserialize)]
struct PublishPost {
    words: u32,
}
impl Saga for PublishPost {
    const NAME: &'static str = "publish-post";
    const VERSION: u16 = 3;
    fn plan(plan: Plan) -> Definition {
        plan.step("slot", hold, free).pivot("post", post).end()
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

/// The counters and the counts of histograms, each with the values of its labels; those without any are left out.
async fn counted(control: &LocalControl) -> BTreeMap<(Metric, String), u64> {
    let page = control.ask(&Actor::system("test"), ask::Metrics {}).await.unwrap();
    let number = |amount| match amount {
        Amount::Number(number) => number,
        Amount::Spread(spread) => spread.count,
    };
    let all = page.items.into_iter().map(|sample| {
        let labels = sample.labels.into_values().collect::<Vec<_>>().join(" ");
        ((sample.metric, labels), number(sample.amount))
    });
    all.filter(|(_, number)| *number > 0).collect()
}

#[tokio::test]
async fn a_saga_that_was_taken_back_is_counted_with_every_step_of_it() {
    let sagas = Orchestrator::in_memory().register::<PublishPost>().start().await.unwrap();
    let control = LocalControl::new(sagas.clone(), "memory", "local");
    let before = counted(&control).await;
    let of_sagas = |(metric, _): &(Metric, String)| (Metric::Started..Metric::TimerLateness).contains(metric);
    assert!(!before.keys().any(of_sagas), "nothing has happened: {before:?}");
    sagas.run(PublishPost { words: 400 }).await.unwrap();
    sagas.run(PublishPost { words: 200 }).await.unwrap();
    let after = counted(&control).await;
    let found: BTreeMap<_, _> = after.into_iter().filter(|(line, _)| of_sagas(line)).collect();
    let wanted = [
        (Metric::Started, "publish-post 3", 2),
        // Labels in the order of their names.
        (Metric::Finished, "compensated publish-post 3", 1),
        (Metric::Finished, "completed publish-post 3", 1),
        (Metric::SagaTime, "compensated publish-post", 1),
        (Metric::SagaTime, "completed publish-post", 1),
        (Metric::StepAttempts, "do done publish-post", 3),
        (Metric::StepAttempts, "do refused publish-post", 1),
        (Metric::StepAttempts, "undo done publish-post", 1),
        (Metric::StepTime, "done publish-post", 3),
        (Metric::StepTime, "refused publish-post", 1),
    ];
    let wanted = wanted.map(|(metric, labels, number)| ((metric, labels.to_owned()), number));
    assert_eq!(found, BTreeMap::from(wanted));
    sagas.shutdown().await.unwrap();
}
