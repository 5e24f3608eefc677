//! A mistake: what lives across an await is not Send.
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
async fn work() -> Step<u32> {
    let count = std::rc::Rc::new(7);
    undo().await?;
    Ok(*count)
}
async fn undo() -> Step<()> {
    Ok(())
}
fn main() {
    let _ = Orchestrator::in_memory().register::<Job>();
}
