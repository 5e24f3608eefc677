//! Serves what a configuration says: modules, a coordinator, or both, over embedded or shared stores and buses. Read it
//! top to bottom and you know the system.

use crate::artifacts::{Place, WithFiles};
use crate::backends::{Backends, Weather};
use crate::config::{BusKind, Config, StoreKind};
use crate::modules::{Replaced, foreign, modules};
use saga::{Error, Hosting, JOURNAL, LocalControl, Loopback, Orchestrator, Sagas, SystemClock};
use saga_core::codes;
use saga_core::control::{Control, ControlError};
use saga_core::module::Module;
use saga_core::ports::{Clock, OpenError, ReadError};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// After a server was away, before it is tried again.
const AGAIN: Duration = Duration::from_millis(500);

/// What one process does.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Roles {
    /// These modules; `None`: all of them.
    pub modules: Option<Vec<String>>,
    /// Runs sagas.
    pub coordinator: bool,
}

/// A running process.
pub struct Serving {
    running: Running,
    backends: Backends,
    control: Arc<dyn Control>,
}
enum Running {
    Coordinating(Sagas),
    Hosting(Hosting),
}

impl Serving {
    /// What people may look at and order here.
    pub fn control(&self) -> Arc<dyn Control> {
        Arc::clone(&self.control)
    }
    /// The handle to the sagas, if this process coordinates.
    pub fn sagas(&self) -> Option<&Sagas> {
        match &self.running {
            Running::Coordinating(sagas) => Some(sagas),
            Running::Hosting(_) => None,
        }
    }
    /// Finishes what is at its commit, gives every lease back, and closes stores and connections.
    pub async fn close(self) {
        match &self.running {
            Running::Coordinating(sagas) => {
                if let Err(why) = sagas.shutdown().await {
                    tracing::warn!(%why, "the orchestrator did not end cleanly; nothing is lost");
                }
            }
            Running::Hosting(hosting) => hosting.shutdown().await,
        }
        self.backends.close().await;
    }
}

/// Starts. Waits for servers that are not up yet and says so with `say`, once for each reason; everything else that is
/// wrong is an error at once.
pub async fn serve(
    config: &Config,
    roles: &Roles,
    seed: u64,
    say: &(dyn Fn(&str) + Sync),
) -> Result<Serving, ControlError> {
    check_roles(config, roles)?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let mut told = String::new();
    loop {
        let weather = match attempt(config, roles, Replaced::default(), seed, &clock).await {
            Ok(serving) => return Ok(serving),
            Err(Weather::Wrong(error)) => return Err(error),
            Err(Weather::Away(why)) => why.message,
        };
        if told != weather {
            say(&format!("waiting: {weather}"));
            told = weather;
        }
        clock.pause(AGAIN).await;
    }
}

/// Starts once: a server that is away is an error, too.
pub(crate) async fn begin(
    config: &Config,
    roles: &Roles,
    replaced: Replaced,
    seed: u64,
    clock: &Arc<dyn Clock>,
) -> Result<Serving, ControlError> {
    attempt(config, roles, replaced, seed, clock).await.map_err(Weather::error)
}

async fn attempt(
    config: &Config,
    roles: &Roles,
    replaced: Replaced,
    seed: u64,
    clock: &Arc<dyn Clock>,
) -> Result<Serving, Weather> {
    let every = modules(&config.files.folder, replaced);
    let foreign = foreign(&every);
    let mut others = foreign.clone();
    others.extend(every.iter().map(|module| module.name.to_owned()).filter(|name| name != JOURNAL));
    let hosted = hosted(every, roles)?;
    let names: Vec<&str> = hosted.iter().map(|module| module.name).collect();
    let backends = Backends::open(config, &names, &others, clock).await?;
    let mut orchestrator = Orchestrator::on(backends.stores()).clock(Arc::clone(clock)).seed(seed).foreign(foreign);
    let loopback = config.bus.loopback.then(|| Loopback::new(Arc::clone(clock)));
    if let Some((buses, lines)) = backends.buses(config, loopback.as_ref()) {
        orchestrator = orchestrator.buses(buses).lines(lines);
    }
    orchestrator = orchestrator.groups(config.coordinator.groups).lease(config.lease());
    orchestrator = orchestrator.commands_at_once(usize::from(config.coordinator.commands_at_once));
    if is_alone(config) {
        // Nobody else can have the sagas, so nobody else has to agree.
        orchestrator = orchestrator.groups_as_stored();
    }
    for module in hosted {
        orchestrator = orchestrator.module(module);
    }
    let (place, bus) = (config.store_place(), backends.bus_says());
    let started = if roles.coordinator {
        orchestrator.start().await.map(|sagas| {
            let store = format!("{place}{}", backends.stores_say());
            let control = Arc::new(LocalControl::new(sagas.clone(), store, bus));
            let control = WithFiles::around(control, Place::of(config), sagas.logs());
            (Running::Coordinating(sagas), control)
        })
    } else {
        orchestrator.host().await.map(|hosting| {
            let store = format!("{place}{}", backends.stores_say());
            let control: Arc<dyn Control> = Arc::new(hosting.control(store, bus));
            (Running::Hosting(hosting), control)
        })
    };
    match started {
        Ok((running, control)) => Ok(Serving { running, backends, control }),
        Err(why) => {
            backends.close().await;
            let away =
                matches!(why, Error::Open(OpenError::Unavailable { .. }) | Error::Read(ReadError::Unavailable(_)));
            Err(if away { Weather::Away(why.into()) } else { Weather::Wrong(why.into()) })
        }
    }
}

/// Whether one process has all sagas: nobody else can have the files, or is on the bus.
fn is_alone(config: &Config) -> bool {
    matches!(config.store_kind(), Ok(StoreKind::Sqlite(_))) || matches!(config.bus_kind(), Ok(BusKind::Local))
}

/// The modules of this process. The coordinator's own module comes with the coordinator, and only with it.
fn hosted(every: Vec<Module>, roles: &Roles) -> Result<Vec<Module>, Weather> {
    let known: BTreeSet<&str> = every.iter().map(|module| module.name).filter(|name| *name != JOURNAL).collect();
    if let Some(unknown) = roles.modules.iter().flatten().find(|name| !known.contains(name.as_str())) {
        let message = format!("there is no module {unknown:?}");
        let known = known.into_iter().collect::<Vec<_>>().join(", ");
        return Err(Weather::Wrong(ControlError::new(codes::CONFIG, message).hint(format!("known are: {known}"))));
    }
    let wanted = |name: &str| match &roles.modules {
        _ if name == JOURNAL => roles.coordinator,
        Some(names) => names.iter().any(|wanted| wanted == name),
        None => true,
    };
    Ok(every.into_iter().filter(|module| wanted(module.name)).collect())
}

/// A bus inside this process connects nobody else.
fn check_roles(config: &Config, roles: &Roles) -> Result<(), ControlError> {
    let alone = matches!(config.bus_kind(), Ok(BusKind::Local));
    if alone && !(roles.coordinator && roles.modules.is_none()) {
        let message = "bus.url local: serves one process, which must do everything";
        return Err(ControlError::new(codes::CONFIG, message)
            .hint("leave out --modules and --coordinator, or name a NATS server as bus.url"));
    }
    if alone && matches!(config.store_kind(), Ok(StoreKind::Sqlite(_))) && config.coordinator.groups > 1 {
        tracing::info!("one process owns all groups");
    }
    Ok(())
}
