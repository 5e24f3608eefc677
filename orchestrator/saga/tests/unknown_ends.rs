//! What is not known is not 0: a log whose end nobody tells leaves no lag of 0 behind.

use saga::core::command::{Command, Common};
use saga::core::control::{Asks, ask};
use saga::core::envelope::Actor;
use saga::core::event::Owner;
use saga::core::module::{Cx, Handled, Module, Reactor};
use saga::core::ports::Stores;
use saga::core::projection::Projection;
use saga::core::read_model::ReadModel;
use saga::core::telemetry::Metric;
use saga::prelude::*;
use saga::{JOURNAL, LocalBus, LocalControl, SystemClock};
use saga_engine::memory::MemoryStores;
use std::collections::BTreeSet;
use std::sync::Arc;
use test_servers::waiting::until;

enum Press {}
impl Owner for Press {
    const MODULE: &'static str = "press";
}
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Printed {
    sheet: u32,
}
saga::story! { enum SheetEvent of Press in "press_sheet" { Printed } }

enum Ledger {}
impl Owner for Ledger {
    const MODULE: &'static str = "ledger";
}
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Note {
    sheet: u32,
}
impl Command for Note {
    const MODULE: &'static str = "ledger";
    const NAME: &'static str = "Note";
    type Reply = ();
    type Refusal = Common;
}
async fn note(cx: Cx<()>, _: Note) -> Handled<Note> {
    Ok(cx.done(()))
}
#[derive(Debug, Serialize, Deserialize)]
struct Sheet {
    sheet: u32,
}

/// It follows a module that runs elsewhere, or nowhere.
fn ledger() -> Module {
    let sheets = Projection::new(ReadModel::<Sheet>::new("ledger.sheets", 1, &[]))
        .on::<Printed>(|event, _| Some(event.sheet.to_string()), |_, event, _| Some(Sheet { sheet: event.sheet }));
    let echo = Reactor::new("echo").on::<Printed, Note>(|event, _| Some(Note { sheet: event.sheet }));
    Module::new::<Ledger, ()>("1.0", ()).command(note).projection(sheets.build()).reactor(echo).build()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_lag_behind_a_log_whose_end_is_not_known_is_not_told() {
    let stores: Arc<dyn Stores> = Arc::new(MemoryStores::new(Arc::new(SystemClock)));
    let bus = Arc::new(LocalBus::new(Arc::new(SystemClock)));
    for module in [JOURNAL, "ledger"] {
        bus.carry(module, stores.open(module).await.unwrap(), 0);
    }
    let sagas = Orchestrator::on(Arc::clone(&stores)).bus(bus.clone()).groups(1).module(ledger()).start().await;
    let sagas = sagas.unwrap();
    let control = LocalControl::new(sagas.clone(), "memory", "in process");
    let dana = Actor::operator("dana");
    let unknown = async || {
        let page = control.ask(&dana, ask::Modules {}).await.unwrap();
        let row = page.items.into_iter().find(|row| row.name == "ledger").unwrap();
        row.projections[0].unknown.clone()
    };
    let lags = async || {
        let page = control.ask(&dana, ask::Metrics {}).await.unwrap();
        let own = page.items.into_iter().filter(|sample| sample.labels.get("module").is_some_and(|of| of == "ledger"));
        let metrics = own.map(|sample| sample.metric);
        metrics.filter(|metric| matches!(metric, Metric::ProjectionLag | Metric::ConsumerLag)).collect::<BTreeSet<_>>()
    };
    assert_eq!(unknown().await, ["press"]);
    assert_eq!(lags().await, BTreeSet::new());
    // Now it is there.
    bus.carry("press", stores.open("press").await.unwrap(), 0);
    until("the end is known", async || match unknown().await {
        none if none.is_empty() => Ok(()),
        some => Err(some.join(", ")),
    })
    .await;
    assert_eq!(lags().await, BTreeSet::from([Metric::ProjectionLag, Metric::ConsumerLag]));
    sagas.shutdown().await.unwrap();
}
