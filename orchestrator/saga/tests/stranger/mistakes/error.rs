//! A mistake: the error is another one.
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
async fn work() -> Result<u32, std::num::ParseIntError> {
    "7".parse::<u32>()
}
async fn undo() -> Step<()> {
    Ok(())
}
fn main() {
    let _ = Orchestrator::in_memory().register::<Job>();
}
