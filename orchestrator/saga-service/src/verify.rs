//! Reads every log of a configuration, and what the bus has of it, and checks every promise. Writes nothing to any store; a
//! stream that is missing on the bus is made, empty, and then found wanting.

use crate::backends::{Backends, Weather};
use crate::config::{Config, StoreKind};
use crate::modules::{Replaced, modules};
use crate::service::fault;
use saga::{Error, JOURNAL, SystemClock};
use saga_core::audit::{BUS_PROMISES, audit_bus, audit_logs};
use saga_core::codes;
use saga_core::control::ControlError;
use saga_core::ports::{Clock, SharedStore, Stores};
use saga_core::view::Verdicts;
use saga_sqlite::SqliteStores;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Checks the logs of all modules; with `at_rest` also that no saga is left under way. With a NATS bus, each module's
/// stream is compared with its log: then nothing may be written meanwhile.
pub async fn verify(config: &Config, at_rest: bool) -> Result<Verdicts, ControlError> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let every = modules(&config.files.folder, Replaced::default());
    let mut names: Vec<&str> = every.iter().map(|module| module.name).collect();
    // Its facts say what the others should have done.
    names.sort_by_key(|name| *name != JOURNAL);
    let backends = Backends::open(config, &names, &BTreeSet::new(), &clock).await.map_err(|weather| match weather {
        Weather::Away(why) => ControlError::new(codes::STORE_UNAVAILABLE, why),
        Weather::Wrong(error) => error,
    })?;
    let stores: Arc<dyn Stores> = match config.store_kind() {
        // Another process may have the files: they are only read.
        Ok(StoreKind::Sqlite(folder)) => Arc::new(SqliteStores::read_only(folder, Arc::clone(&clock))),
        Ok(StoreKind::Postgres(_)) | Err(_) => backends.stores(),
    };
    let mut logs: Vec<(String, SharedStore)> = Vec::new();
    for name in &names {
        let store = stores.open(name).await.map_err(|why| fault(&Error::Open(why)))?;
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
        verdicts.promises.extend(BUS_PROMISES.iter().map(|id| (*id).to_owned()));
    }
    backends.close().await;
    Ok(verdicts)
}
