//! A person decides: the saga waits at a gate, for days if need be, and goes on with the answer.
#![expect(clippy::print_stdout, reason = "an example prints")]

use saga::LocalControl;
use saga::core::control::{AwaitSaga, Control, Order, OrderKind};
use saga::core::envelope::Actor;
use saga::core::id::RequestId;
use saga::core::json::Payload;
use saga::core::ports::{Clock, Ids};
use saga::prelude::*;
use std::time::Duration;

const DECISION: Gate<Decision> = Gate::named("decision");

#[derive(Serialize, Deserialize)]
struct Decision {
    approved: bool,
}
#[derive(Serialize, Deserialize)]
struct Publish {
    text: String,
}
impl Saga for Publish {
    const NAME: &'static str = "publish";
    const VERSION: u16 = 1;
    fn plan(plan: Plan) -> Definition {
        plan.step("draft", write, discard).wait("approval", DECISION, Deadline::days(7)).pivot("publish", publish).end()
    }
}
async fn write(In(job): In<Publish>) -> Step<usize> {
    Ok(job.text.len())
}
async fn discard(Undoing(_): Undoing) -> Step<()> {
    Ok(())
}
async fn publish(Out(decision): Out<Decision>) -> Step<bool> {
    if decision.approved { Ok(true) } else { Err(refuse("the client said no")) }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let sagas = Orchestrator::in_memory().register::<Publish>().start().await?;
    let control = LocalControl::new(sagas.clone(), "memory", "in process");
    let (dana, patience) = (Actor::operator("dana"), Duration::from_secs(60));
    let id = sagas.start(Publish { text: "Buy bread".to_owned() }).await?.saga;
    control.outcome(&dana, AwaitSaga { id: id.to_string(), after: None }, patience).await?;
    println!("{}\n", sagas.report(id).await?);
    let data = Payload::of(&Decision { approved: true })?;
    let what = OrderKind::Signal { gate: "decision".to_owned(), data, opening: None }.of(id.to_string());
    let request = RequestId(saga::FreshIds.next(saga::SystemClock.now()));
    control.act(&dana, Order { request, reason: None, what, if_rev: None }).await?;
    sagas.wait(id).await?;
    println!("{}", sagas.report(id).await?);
    Ok(sagas.shutdown().await?)
}
