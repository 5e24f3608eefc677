//! Dead letters of every module are counted by who coordinates, also where a module may not look at them itself.

use async_trait::async_trait;
use saga::core::bus::{AnyBus, BusError, Dropped, Onward};
use saga::core::command::Common;
use saga::core::control::{Asks, ask};
use saga::core::envelope::Actor;
use saga::core::event::Owner;
use saga::core::module::{Cx, Handled, Module};
use saga::core::ports::Stores;
use saga::prelude::*;
use saga::{JOURNAL, LocalBus, LocalControl, SystemClock};
use saga_engine::memory::MemoryStores;
use std::collections::BTreeMap;
use std::sync::Arc;

const STUDIO: &str = "studio";
const COURIER: &str = "courier";
const PRINTER: &str = "printer";

/// The connection of one account.
struct Account {
    bus: Arc<LocalBus>,
    /// How many letters lie there, by module; who may not look never hears an answer.
    letters: Option<BTreeMap<&'static str, u64>>,
}
#[async_trait]
impl Onward for Account {
    fn behind(&self) -> &dyn AnyBus {
        &*self.bus
    }
    async fn aside_count(&self, module: &str) -> Result<u64, BusError> {
        match &self.letters {
            Some(letters) => Ok(letters.get(module).copied().unwrap_or(0)),
            None => std::future::pending().await,
        }
    }
    async fn dropped(&self) -> Result<Option<Dropped>, BusError> {
        let of = vec!["dlq.printer".to_owned()];
        Ok(self.letters.as_ref().map(|_| Dropped { of, kept: 7, gone: 40 }))
    }
}

enum Studio {}
impl Owner for Studio {
    const MODULE: &'static str = STUDIO;
}
#[derive(Clone, Serialize, Deserialize)]
struct Render {}
saga::core::port!(STUDIO: Render -> String, Common);
#[derive(Clone, Serialize, Deserialize)]
struct Carry {}
saga::core::port!(COURIER: Carry -> String, Common);
async fn rendered(cx: Cx<()>, _: Render) -> Handled<Render> {
    Ok(cx.done("a picture".to_owned()))
}
fn render() -> Render {
    Render {}
}
fn carry() -> Carry {
    Carry {}
}
#[derive(Serialize, Deserialize)]
struct Picture {}
impl Saga for Picture {
    const NAME: &'static str = "picture";
    const VERSION: u16 = 1;
    fn plan(plan: Plan) -> Definition {
        plan.pivot("render", render).then("carry", carry).end()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn letters_of_every_module_are_counted_by_who_coordinates() {
    let stores = Arc::new(MemoryStores::new(Arc::new(SystemClock)));
    let bus = Arc::new(LocalBus::new(Arc::new(SystemClock)));
    for module in [JOURNAL, STUDIO] {
        bus.carry(module, stores.open(module).await.unwrap(), 0);
    }
    // Of a module here, of one that is asked and runs elsewhere, of one that only publishes, and of nobody.
    let letters = [(STUDIO, 2), (COURIER, 1), (PRINTER, 7), ("in", 3), ("nobody", 9)].into();
    let coordinators = Arc::new(Account { bus: Arc::clone(&bus), letters: Some(letters) });
    let own = Arc::new(Account { bus, letters: None });
    let buses = Arc::new(move |module: &str| match module {
        JOURNAL => Arc::clone(&coordinators) as Arc<dyn AnyBus>,
        _ => Arc::clone(&own) as Arc<dyn AnyBus>,
    });
    let orchestrator = Orchestrator::on(stores).groups(1).buses(buses).foreign([PRINTER.to_owned()].into());
    let studio = Module::new::<Studio, ()>("1.0", ()).command(rendered).build();
    let sagas = orchestrator.module(studio).register::<Picture>().start().await.unwrap();
    let control = LocalControl::new(sagas.clone(), "memory", "in process");
    let dana = Actor::operator("dana");
    let status = control.ask(&dana, ask::WhoIsThere {}).await.unwrap();
    let told: Vec<(u64, &str)> = status.attention.iter().map(|one| (one.count, one.says.as_str())).collect();
    for (count, says) in [
        (2, "dead letters of studio lie aside"),
        (1, "dead letter of courier lies aside"),
        (7, "dead letters of printer lie aside"),
        (3, "dead letters of in lie aside"),
        (40, "dead letters are gone, or were deleted: as many lie in dlq.printer as are kept of one sender (7)"),
    ] {
        assert!(told.contains(&(count, says)), "{says} is not in {told:?}");
    }
    assert_eq!(told.len(), 5, "{told:?}");
    let page = control.ask(&dana, ask::Modules {}).await.unwrap();
    let parked: Vec<(&str, u64)> = page.items.iter().map(|row| (row.name.as_str(), row.parked)).collect();
    for (module, count) in [(STUDIO, 2), (COURIER, 1), (PRINTER, 7)] {
        assert!(parked.contains(&(module, count)), "{module} is not in {parked:?}");
    }
    sagas.shutdown().await.unwrap();
}
