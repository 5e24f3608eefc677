//! Sets right where consumers stand after a store was restored, while nobody runs the modules: `sagactl store recover`.

use crate::backends::Backends;
use crate::config::{Config, Files, Store};
use crate::hidden::Address;
use crate::modules::{Replaced, modules};
use crate::service::fault;
use saga::{Error, FreshIds, SystemClock};
use saga_core::batch::Fence;
use saga_core::catchup::CatchUpError;
use saga_core::codes;
use saga_core::control::ControlError;
use saga_core::ports::{Claim, Clock, Ids, SharedStore, Stores};
use saga_core::recover::recover as recover_module;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

/// The scope of a module's leader.
const LEAD: &str = "lead";
/// How long the lead is held for one module: far longer than a refold takes that a person waits for. It is given back.
const LEAD_FOR: Duration = Duration::from_secs(600);

/// The configuration of a folder as `dev` and commands on a folder use it: SQLite files beside the files of providers.
pub fn of_folder(data: &Path) -> Config {
    let store = Store { url: Address::new(format!("sqlite:{}", data.display())), ..Store::default() };
    Config { store, files: Files { folder: data.to_owned() }, ..Config::default() }
}

/// Compares every consumer of every module with the logs of its sources; what stands where a log does not is set back and
/// folded anew. Says what it did, a line each.
///
/// # Errors
/// A store that cannot be opened, a module that somebody runs, or what could not be written. Running it again goes on.
pub async fn recover(config: &Config) -> Result<Vec<String>, ControlError> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let backends = Backends::stores_only(config, &clock).map_err(|why| fault(&Error::Open(why)))?;
    let recovered = recover_all(config, &*backends.stores()).await;
    backends.close().await;
    recovered
}

async fn recover_all(config: &Config, stores: &dyn Stores) -> Result<Vec<String>, ControlError> {
    let every = modules(&config.files.folder, Replaced::default());
    let mut logs: BTreeMap<String, SharedStore> = BTreeMap::new();
    for module in &every {
        let store = stores.open(module.name).await.map_err(|why| fault(&Error::Open(why)))?;
        logs.insert(module.name.to_owned(), store);
    }
    let (mut lines, mut compared, mut unseen) = (Vec::new(), 0, Vec::new());
    let owner = FreshIds.next(SystemClock.now());
    for module in &every {
        let Some(own) = logs.get(module.name) else { continue };
        let fence = lead(module.name, own, owner).await?;
        let recovered = recover_module(module, own, &logs, Some(&fence)).await;
        let given = Claim { want: Vec::new(), leave: vec![LEAD.to_owned()] };
        let _given_back_or_runs_out = own.lease(owner, &given, LEAD_FOR).await;
        let found = recovered.map_err(|why| failed(module.name, &why))?;
        lines.extend(found.changed.iter().map(|says| format!("{}: {says}", module.name)));
        compared += found.compared;
        unseen.extend(found.unseen.into_iter().map(|source| {
            format!("{}: the log of {source} is not here, so what follows it was not compared", module.name)
        }));
    }
    let changed = lines.len();
    lines.extend(unseen);
    lines.push(format!(
        "{compared} places of consumers were compared with their sources' logs, {changed} of them set right"
    ));
    Ok(lines)
}

/// Takes the lead of a module, so that nobody else folds or reacts meanwhile.
async fn lead(module: &str, store: &SharedStore, owner: Uuid) -> Result<Fence, ControlError> {
    let claim = Claim { want: vec![LEAD.to_owned()], leave: Vec::new() };
    let leases = store.lease(owner, &claim, LEAD_FOR).await.map_err(|why| fault(&Error::Read(why)))?;
    let lease = leases.into_iter().find(|lease| lease.scope == LEAD && lease.owner == owner);
    let lease = lease.ok_or_else(|| {
        ControlError::new(codes::STORE_IN_USE, format!("a process runs the module {module}"))
            .hint("stop it first; the lead of one that was killed runs out within its lease")
    })?;
    Ok(Fence { scope: LEAD.to_owned(), epoch: lease.epoch })
}

fn failed(module: &str, why: &CatchUpError) -> ControlError {
    ControlError::new(codes::STORE_UNAVAILABLE, format!("{module}: {why}"))
        .hint("run it again: it goes on where it stopped")
}
