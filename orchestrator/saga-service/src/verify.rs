//! Reads every store of a configuration, and what the bus has of it, and checks every promise. Writes nothing to any store
//! and makes nothing on the bus: a stream that is missing is a finding with its name, and so is a store that was not read.

use crate::accept::no_stores;
use crate::artifacts;
use crate::backends::{Backends, Weather};
use crate::config::{Config, StoreKind};
use crate::hidden::Address;
use crate::modules::{foreign, with_board};
use saga::{Error, SystemClock};
use saga_core::bus::{Ailment, MadeAnew, Upkeep};
use saga_core::codes;
use saga_core::control::ControlError;
use saga_core::module::Module;
use saga_core::ports::{Clock, OpenError, SharedStore};
use saga_core::time::Timestamp;
use saga_core::view::{Finding, Verdicts};
use saga_engine::audit::{BUS_PROMISES, Carried, Known, Opened, audit_stores, compare_bus, missing, named};
use saga_nats::{Compared, WHO_CREATES};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Every second while events are read.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Ten looks in a row: a broker that restarts is back by then.
const LOOKS_MAX: u32 = 10;

/// Whether there is any store in a folder, the coordinator's or another.
pub fn has_stores(data: &Path) -> bool {
    let stores = saga_sqlite::SqliteStores::read_only(data, Arc::new(SystemClock)).modules();
    stores.is_ok_and(|modules| !modules.is_empty())
}

/// Checks the stores of a folder that nobody serves; `at_rest`: also that no saga is left under way.
///
/// # Errors
/// There is nothing that could be read, with the next step. Repeating it is harmless.
pub async fn folder(data: &Path, at_rest: bool) -> Result<Verdicts, ControlError> {
    let mut config = Config::default();
    config.store.url = Address::new(format!("sqlite:{}", data.display()));
    config.bus.url = Address::new("local:");
    config.files.folder = data.to_owned();
    verify(&config, at_rest).await
}

/// Checks the stores of all modules; with `at_rest` also that no saga is left under way. Which there are is asked of the
/// folder or database, and of the definitions. With a NATS bus, each module's stream is compared with its log: then nothing
/// may be written meanwhile. In PostgreSQL it logs in as the auditor, at the broker as the coordinator: no module's login may
/// read what is another's.
///
/// # Errors
/// Folder, server or broker cannot be reached at all, with the next step. Repeating it is harmless.
pub async fn verify(config: &Config, at_rest: bool) -> Result<Verdicts, ControlError> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let every = with_board(&config.files.folder);
    let foreign = foreign(&every);
    let definitions = every.iter().flat_map(|module| module.sagas.iter().cloned());
    let definitions = definitions.map(|def| ((def.name.to_owned(), def.version), def)).collect();
    let every: Vec<Arc<Module>> = every.into_iter().map(Arc::new).collect();
    let known = Known { definitions: Arc::new(definitions), modules: &every };
    let backends = Backends::look(config, &clock).await.map_err(|weather| match weather {
        Weather::Away(why) => ControlError::new(codes::STORE_UNAVAILABLE, why.message),
        Weather::Wrong(error) => error,
    })?;
    let stores = open(config, &backends, &known, &foreign).await?;
    let mut verdicts = audit_stores(&known, &stores, at_rest).await;
    let strange = stores
        .iter()
        .filter(|(name, opened)| matches!(opened, Opened::There(_)) && every.iter().all(|module| module.name != name));
    verdicts.notes.extend(strange.map(|(name, _)| {
        format!("{name} is no module of this program: its read models, and deeds of no saga, are not compared")
    }));
    artifacts::compare(config, &stores, &mut verdicts).await;
    compare(config, &backends, (&stores, at_rest), &foreign, &mut verdicts).await?;
    backends.close().await;
    Ok(verdicts)
}

/// Every store that there is, and those that there should be.
async fn open(
    config: &Config,
    backends: &Backends,
    known: &Known<'_>,
    foreign: &BTreeSet<String>,
) -> Result<Vec<(String, Opened)>, ControlError> {
    let there: BTreeSet<String> =
        backends.modules().await.map_err(|why| unreadable(config, why))?.into_iter().collect();
    if there.is_empty() {
        return Err(no_stores(&config.store_place()));
    }
    let opener = backends.stores();
    let names: BTreeSet<String> = named(known).into_iter().chain(there.iter().cloned()).collect();
    let mut stores = Vec::with_capacity(names.len());
    for name in names {
        let opened = if there.contains(&name) {
            match opener.open(&name).await {
                Ok(store) => Opened::There(store),
                Err(why) => {
                    let ControlError { code, message, .. } = unreadable(config, why);
                    Opened::Unread(format!("{code}: {message}"))
                }
            }
        } else if foreign.contains(&name) {
            Opened::Foreign
        } else {
            Opened::Missing(config.store_place())
        };
        stores.push((name, opened));
    }
    Ok(stores)
}

/// Compares each module's stream with its log.
async fn compare(
    config: &Config,
    backends: &Backends,
    (stores, at_rest): (&[(String, Opened)], bool),
    foreign: &BTreeSet<String>,
    verdicts: &mut Verdicts,
) -> Result<(), ControlError> {
    let Some((buses, _)) = backends.buses(config, None) else { return Ok(()) };
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let store = |(name, opened): &(String, Opened)| match opened {
        Opened::There(store) => Some((name.clone(), Arc::clone(store))),
        Opened::Missing(_) | Opened::Unread(_) | Opened::Foreign => None,
    };
    let logs: Vec<(String, SharedStore)> = stores.iter().filter_map(store).collect();
    // Nobody has to run for what is too large for a stream.
    logs.iter().for_each(|(module, store)| backends.read_itself(module, store));
    for (module, store) in &logs {
        if let Ok(Some(compared)) = backends.compared(module, store).await
            && compared.is_strange()
        {
            // Event by event it would be waited for what cannot be read.
            verdicts.findings.push(strange(module, &compared));
            continue;
        }
        let bus = buses(module);
        // Reading events waits for them, and for the broker, as long as it takes.
        let found = tokio::select! {
            found = compare_bus(module, store, &*bus, at_rest) => found,
            why = gone(&*bus, &*clock) => Err(why),
        };
        let Carried { findings, under_way } = found.unwrap_or_else(|why| {
            let (promise, place) = ("O4".to_owned(), format!("{module}, the bus"));
            Carried { findings: vec![Finding { promise, place, says: format!("not read: {why}") }], under_way: None }
        });
        verdicts.findings.extend(findings);
        verdicts.notes.extend(under_way);
    }
    for module in foreign {
        verdicts.findings.extend(disorder(backends, module).await);
    }
    let others: Vec<&str> = foreign.iter().map(String::as_str).collect();
    let lost = backends.missing_streams(&others).await;
    for stream in lost.map_err(|why| ControlError::new(codes::BUS_UNAVAILABLE, why))? {
        verdicts.findings.push(missing("every module", &stream, WHO_CREATES));
    }
    anew(backends, clock.now(), verdicts).await;
    verdicts.promises.extend(BUS_PROMISES.iter().map(|id| (*id).to_owned()));
    Ok(())
}

/// What was lost with streams that were removed and made anew (B1): a finding while a person can still look after it.
async fn anew(backends: &Backends, now: Timestamp, verdicts: &mut Verdicts) {
    let finding = |promise: &str, place: String, says| Finding { promise: promise.to_owned(), place, says };
    match backends.made_anew().await {
        Ok(found) => {
            for anew in found {
                let fresh = anew.is_fresh(now);
                let MadeAnew { what, at, lost, next } = anew;
                let says = format!("it was made anew at {at}: {lost} may be lost; {next}");
                match fresh {
                    true => verdicts.findings.push(finding("B1", what, says)),
                    false => verdicts.notes.push(format!("{what}: {says}")),
                }
            }
        }
        Err(why) => verdicts.findings.push(finding("O4", "the age of streams".to_owned(), format!("not read: {why}"))),
    }
}

/// A message in a stream that is in no log (L5), with the order that mends it.
fn strange(module: &str, Compared { head, last, same, strange, .. }: &Compared) -> Finding {
    let (from, place) = (same + 1, format!("{module} sequence {}", same + 1));
    let upto = if from == *last { String::new() } else { format!(" up to {last}") };
    let says = format!(
        "what stands there{upto} is not in the log, which ends at {head}: it {strange}; sagactl events republish {module} \
         --config FILE has the stream filled again"
    );
    Finding { promise: "L5".to_owned(), place, says }
}

/// What is wrong with the order of events whose log nobody here can read (L6): the module's author has to mend it.
async fn disorder(backends: &Backends, module: &str) -> Vec<Finding> {
    let finding = |place: String, says: String| Finding { promise: "L6".to_owned(), place, says };
    match backends.disorder(module).await {
        Ok(flaws) => flaws.into_iter().map(|(seq, says)| finding(format!("{module} sequence {seq}"), says)).collect(),
        Err(why) => vec![finding(format!("{module}, the bus"), format!("not read: {why}"))],
    }
}

/// Returns when the bus has been ill for so long that nobody should wait for it any more, with what it has.
async fn gone(bus: &dyn Upkeep, clock: &dyn Clock) -> String {
    let mut ill = 0;
    loop {
        clock.pause(LOOK_EVERY).await;
        match bus.ailments().into_iter().next() {
            None => ill = 0,
            Some(_) if ill + 1 < LOOKS_MAX => ill += 1,
            Some(Ailment { place, says }) => return format!("{place}: {says}"),
        }
    }
}

/// A login that may not read is told which one may, and who makes it.
fn unreadable(config: &Config, why: OpenError) -> ControlError {
    let error = ControlError::from(Error::Open(why));
    if !matches!(config.store_kind(), Ok(StoreKind::Postgres(_))) {
        return error;
    }
    let role = saga_postgres::auditor(&config.database_prefix());
    error.hint(format!("it is read as the role {role}, which sagactl store migrate makes, with its password"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt as _;
    use saga_core::time::Timestamp;
    use saga_engine::memory::StillClock;
    use std::sync::atomic::{AtomicU32, Ordering};

    /// Ill at every look but one.
    struct Sickly {
        looks: AtomicU32,
        well_at: u32,
    }
    impl Upkeep for Sickly {
        fn ailments(&self) -> Vec<Ailment> {
            let look = self.looks.fetch_add(1, Ordering::Relaxed) + 1;
            let ailment = Ailment { place: "the broker".to_owned(), says: "it is away".to_owned() };
            if look == self.well_at { Vec::new() } else { vec![ailment] }
        }
    }

    #[test]
    fn a_bus_is_given_up_after_ten_bad_looks_in_a_row() {
        for (well_at, seconds) in [(0, 10), (4, 14), (10, 20)] {
            let (bus, clock) = (Sickly { looks: AtomicU32::new(0), well_at }, StillClock::at(Timestamp(0)));
            let mut waiting = Box::pin(gone(&bus, &clock));
            let mut given_up = (1..).filter_map(|second| {
                assert!((&mut waiting).now_or_never().is_none());
                clock.move_to(Timestamp(second * 1_000_000));
                Some((second, (&mut waiting).now_or_never()?))
            });
            assert_eq!(given_up.next(), Some((seconds, "the broker: it is away".to_owned())));
        }
    }
}
