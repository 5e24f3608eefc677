//! The ledger keeps the laws of modules.
#![expect(clippy::unwrap_used, reason = "what tests share speaks by panicking")]

use crate::ledger::{Put, ledger};
use saga_testkit::stage::Stage;

/// How many notes lie there now.
fn notes(stage: &Stage) -> usize {
    let names = stage.names();
    names.iter().filter(|name| *name == "PutDown").count() - names.iter().filter(|name| *name == "TakenBack").count()
}
fn ledger_with_a_note() -> Stage {
    let mut stage = Stage::new(ledger());
    let (saga, _) = stage.deed("before");
    stage.ask(&Put::of("was there before"), saga, "before").unwrap();
    stage
}
saga_testkit::module_laws!(putting_down, ledger_with_a_note, |_: &mut Stage| Put::of("a note"), notes);
