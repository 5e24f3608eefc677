//! A mistake: what it gives is not serializable.
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
struct Opaque;
async fn work() -> Step<Opaque> {
    Ok(Opaque)
}
async fn undo() -> Step<()> {
    Ok(())
}
fn main() {
    let _ = Orchestrator::in_memory().register::<Job>();
}
