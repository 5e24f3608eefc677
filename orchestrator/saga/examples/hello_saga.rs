//! Hello saga: two steps, one of them refused, the other taken back. README.md shows it from `use` on.
#![expect(clippy::print_stdout, reason = "an example prints")]

use saga::prelude::*;

#[derive(Serialize, Deserialize)]
struct PublishPost {
    words: u32,
}
impl Saga for PublishPost {
    const NAME: &'static str = "publish-post";
    const VERSION: u16 = 1;
    fn plan(plan: Plan) -> Definition {
        plan.step("slot", hold_slot, free_slot).pivot("post", post).end()
    }
}
async fn hold_slot(key: StepKey) -> Step<StepKey> {
    Ok(key) // every attempt has the same key: what is held under it is held once
}
async fn free_slot(Undoing(key): Undoing) -> Step<()> {
    println!("slot {} is free again", key.short());
    Ok(())
}
async fn post(In(job): In<PublishPost>) -> Step<()> {
    if job.words > 300 { Err(refuse("too long for this channel")) } else { Ok(()) }
}
#[tokio::main]
async fn main() -> Result<(), saga::Error> {
    let sagas = Orchestrator::in_memory().register::<PublishPost>().start().await?;
    println!("{}", sagas.run(PublishPost { words: 400 }).await?);
    sagas.shutdown().await
}
