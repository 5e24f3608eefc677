//! Reads every log of a configuration, and what the bus has of it, and checks every promise. Writes nothing to any store and
//! makes nothing on the bus: a stream that is missing is a finding with its name.

use crate::backends::{Backends, Weather};
use crate::config::Config;
use crate::modules::{Replaced, foreign, modules};
use crate::service::fault;
use saga::{Error, JOURNAL, SystemClock};
use saga_core::audit::{BUS_PROMISES, audit_bus, audit_logs, missing};
use saga_core::bus::{Ailment, Upkeep};
use saga_core::codes;
use saga_core::control::ControlError;
use saga_core::ports::{Clock, OpenError, SharedStore};
use saga_core::view::Verdicts;
use saga_nats::WHO_CREATES;
use std::sync::Arc;
use std::time::Duration;

/// Every second while events are read.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Ten looks in a row: a broker that restarts is back by then.
const LOOKS_MAX: u32 = 10;

/// Checks the logs of all modules; with `at_rest` also that no saga is left under way. With a NATS bus, each module's
/// stream is compared with its log: then nothing may be written meanwhile. In PostgreSQL it logs in as the auditor, at the
/// broker as the coordinator: no module's login may read what is another's.
///
/// # Errors
/// What could not be read, with the next step. Repeating it is harmless.
pub async fn verify(config: &Config, at_rest: bool) -> Result<Verdicts, ControlError> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let every = modules(&config.files.folder, Replaced::default());
    let mut names: Vec<&str> = every.iter().map(|module| module.name).collect();
    // Its facts say what the others should have done.
    names.sort_by_key(|name| *name != JOURNAL);
    let backends = Backends::look(config, &clock).await.map_err(|weather| match weather {
        Weather::Away(why) => ControlError::new(codes::STORE_UNAVAILABLE, why),
        Weather::Wrong(error) => error,
    })?;
    let stores = backends.stores();
    let mut logs: Vec<(String, SharedStore)> = Vec::new();
    for name in &names {
        let store = stores.open(name).await.map_err(|why| unreadable(config, why))?;
        logs.push(((*name).to_owned(), store));
    }
    let definitions = every.iter().flat_map(|module| module.sagas.iter().cloned());
    let definitions = definitions.map(|def| ((def.name.to_owned(), def.version), def)).collect();
    let verdicts = audit_logs(Arc::new(definitions), &logs, at_rest).await;
    let mut verdicts = verdicts.map_err(|why| fault(&Error::Read(why)))?;
    if let Some((buses, _)) = backends.buses(config, None) {
        for (module, store) in &logs {
            let bus = buses(module);
            // Whoever reads events waits for them, and for the broker, as long as it takes.
            let found = tokio::select! {
                found = audit_bus(module, store, &*bus) => found,
                why = gone(&*bus, &*clock) => Err(why),
            };
            verdicts.findings.extend(found.map_err(|why| ControlError::new(codes::BUS_UNAVAILABLE, why))?);
        }
        let others = foreign(&every);
        let others: Vec<&str> = others.iter().map(String::as_str).collect();
        let lost = backends.missing_streams(&others).await;
        for stream in lost.map_err(|why| ControlError::new(codes::BUS_UNAVAILABLE, why))? {
            verdicts.findings.push(missing("every module", &stream, WHO_CREATES));
        }
        verdicts.promises.extend(BUS_PROMISES.iter().map(|id| (*id).to_owned()));
    }
    backends.close().await;
    Ok(verdicts)
}

/// Returns when the bus has been ill for so long that nobody should wait for it any more, with what it has.
async fn gone(bus: &dyn Upkeep, clock: &dyn Clock) -> String {
    let mut ill = 0;
    loop {
        clock.sleep_until(clock.now().plus(LOOK_EVERY)).await;
        match bus.ailments().into_iter().next() {
            None => ill = 0,
            Some(_) if ill + 1 < LOOKS_MAX => ill += 1,
            Some(Ailment { place, says }) => return format!("{place}: {says}"),
        }
    }
}

/// A login that may not read is told which one may, and who makes it.
fn unreadable(config: &Config, why: OpenError) -> ControlError {
    let error = fault(&Error::Open(why));
    if !config.store.url.starts_with("postgres") {
        return error;
    }
    let role = saga_postgres::auditor(&config.database_prefix());
    error.hint(format!("it is read as the role {role}, which sagactl store migrate makes, with its password"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt as _;
    use saga_core::memory::StillClock;
    use saga_core::time::Timestamp;
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
