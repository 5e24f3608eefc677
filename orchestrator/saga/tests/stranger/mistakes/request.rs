//! A mistake: a request that is no command.
use saga::prelude::*;

#[derive(Serialize, Deserialize)]
struct Job;
impl Saga for Job {
    const NAME: &'static str = "job";
    const VERSION: u16 = 1;
    fn plan(plan: Plan) -> Definition {
        plan.ask("slot", work).end()
    }
}
fn work() -> u32 {
    7
}
fn main() {
    let _ = Orchestrator::in_memory().register::<Job>();
}
