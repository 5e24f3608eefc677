//! A mistake: a pivot that takes what no step can take.
use saga::prelude::*;

#[derive(Serialize, Deserialize)]
struct Job;
impl Saga for Job {
    const NAME: &'static str = "job";
    const VERSION: u16 = 1;
    fn plan(plan: Plan) -> Definition {
        plan.step("slot", undo, undo).pivot("work", work).end()
    }
}
async fn work(words: u32) -> Step<u32> {
    Ok(words)
}
async fn undo() -> Step<()> {
    Ok(())
}
fn main() {
    let _ = Orchestrator::in_memory().register::<Job>();
}
