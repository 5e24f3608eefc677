//! Reads every log of a configuration, and what the bus has of it, and checks every promise. Writes nothing to any store and
//! makes nothing on the bus: a stream that is missing is a finding with its name.

use crate::backends::{Backends, Weather};
use crate::config::Config;
use crate::modules::{Replaced, foreign, modules};
use crate::service::fault;
use saga::{Error, JOURNAL, SystemClock};
use saga_core::audit::{BUS_PROMISES, audit_bus, audit_logs, missing};
use saga_core::codes;
use saga_core::control::ControlError;
use saga_core::ports::{Clock, OpenError, SharedStore};
use saga_core::view::Verdicts;
use saga_nats::WHO_CREATES;
use std::sync::Arc;

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
    if let Some((buses, _)) = backends.buses(config) {
        for (module, store) in &logs {
            let found = audit_bus(module, store, &*buses(module)).await;
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

/// A login that may not read is told which one may, and who makes it.
fn unreadable(config: &Config, why: OpenError) -> ControlError {
    let error = fault(&Error::Open(why));
    if !config.store.url.starts_with("postgres") {
        return error;
    }
    let role = saga_postgres::auditor(&config.database_prefix());
    error.hint(format!("it is read as the role {role}, which sagactl store migrate makes, with its password"))
}
