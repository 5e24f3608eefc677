//! A mistake: the function is not async.
use saga::prelude::*;

#[derive(Serialize, Deserialize)]
struct Job;
impl Saga for Job {
    const NAME: &'static str = "job";
    const VERSION: u16 = 1;
    fn plan(plan: Plan) -> Definition {
        plan.step("slot", work, undo).end()
    }
}
fn work() -> Step<u32> {
    Ok(7)
}
async fn undo() -> Step<()> {
    Ok(())
}
fn main() {
    let _ = Orchestrator::in_memory().register::<Job>();
}
