//! Sets right where consumers stand after a store was restored, while nobody runs the modules: `sagactl store recover`.

use crate::accept::Installation;
use crate::config::{Config, Files, Store};
use crate::hidden::Address;
use crate::modules::{Replaced, modules};
use crate::service::fault;
use saga::{Error, FreshIds, SystemClock};
use saga_core::batch::Fence;
use saga_core::catchup::CatchUpError;
use saga_core::codes;
use saga_core::control::ControlError;
use saga_core::installation::{Fault, Misfit};
use saga_core::module::Module;
use saga_core::ports::{Claim, Clock, Ids, SharedStore};
use saga_core::recover::{astray, recover as recover_module};
use std::collections::BTreeMap;
use std::path::Path;
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

/// What was set right, and what no setting of consumers puts right.
pub struct Recovered {
    /// What was done, a line each.
    pub lines: Vec<String>,
    /// Stores that still do not fit: a start is refused because of them.
    pub left: Vec<String>,
}

/// Compares every consumer of every module with the logs of its sources; what stands where a log does not is set back and
/// folded anew. Where all is well, no file is touched. Stores stay what they are: one that is older than it was is named, and still has to be put back or accepted.
///
/// # Errors
/// There is no store at all, or one that is lost, another's or cannot be opened, a module that somebody runs, or what could not be written. Running it
/// again goes on.
pub async fn recover(config: &Config) -> Result<Recovered, ControlError> {
    let installation = Installation::look(config).await?;
    let recovered = match installation.misfits().find(|(misfit, _)| misfit.fault != Fault::Behind) {
        // Nothing is made in its place by the way.
        Some((Misfit { module, .. }, error)) => Err(error.hint(accept_hint(module))),
        None => what_is_astray(config, &installation).await.map(|lines| {
            let says = |(misfit, error): (&Misfit, ControlError)| {
                format!(
                    "{}: {}; put the newest copy back, or {}",
                    error.code,
                    error.message,
                    accept_hint(&misfit.module)
                )
            };
            Recovered { lines, left: installation.misfits().map(says).collect() }
        }),
    };
    installation.close().await;
    recovered
}

/// Sets right what a look finds astray; where all is well, nothing is opened to be written.
async fn what_is_astray(config: &Config, installation: &Installation) -> Result<Vec<String>, ControlError> {
    let every = modules(&config.files.folder, Replaced::default());
    let (mut lines, mut compared) = (Vec::new(), 0);
    for module in &every {
        let Some(own) = installation.stores.get(module.name) else { continue };
        let found = astray(module, own, &installation.stores).await;
        let found = found.map_err(|why| failed(module.name, &why.into()))?;
        if !found.changed.is_empty() {
            return recover_all(config, &installation.open().await?, FreshIds.next(SystemClock.now())).await;
        }
        compared += found.compared;
        lines.extend(unseen(module, found.unseen));
    }
    lines.push(format!("nothing to recover: {}", counted(compared, 0)));
    Ok(lines)
}

fn unseen(module: &Module, sources: Vec<String>) -> impl Iterator<Item = String> {
    let name = module.name;
    sources
        .into_iter()
        .map(move |source| format!("{name}: the log of {source} is not here, so what follows it was not compared"))
}
fn counted(compared: usize, changed: usize) -> String {
    format!("{compared} places of consumers were compared with their sources' logs, {changed} of them set right")
}

fn accept_hint(module: &str) -> String {
    format!("accept on purpose what is lost    sagactl store accept {module}")
}

/// Sets right the consumers of these stores' modules, whose leads this owner takes and gives back.
pub(crate) async fn recover_all(
    config: &Config,
    logs: &BTreeMap<String, SharedStore>,
    owner: Uuid,
) -> Result<Vec<String>, ControlError> {
    let every = modules(&config.files.folder, Replaced::default());
    let (mut lines, mut compared, mut not_compared) = (Vec::new(), 0, Vec::new());
    for module in &every {
        let Some(own) = logs.get(module.name) else { continue };
        let fence = lead(module.name, own, owner).await?;
        let recovered = recover_module(module, own, logs, Some(&fence)).await;
        let given = Claim { want: Vec::new(), leave: vec![LEAD.to_owned()] };
        let _given_back_or_runs_out = own.lease(owner, &given, LEAD_FOR).await;
        let found = recovered.map_err(|why| failed(module.name, &why))?;
        lines.extend(found.changed.iter().map(|says| format!("{}: {says}", module.name)));
        compared += found.compared;
        not_compared.extend(unseen(module, found.unseen));
    }
    let changed = lines.len();
    lines.extend(not_compared);
    lines.push(counted(compared, changed));
    Ok(lines)
}

/// Takes the lead of a module, so that nobody else folds or reacts meanwhile.
pub(crate) async fn lead(module: &str, store: &SharedStore, owner: Uuid) -> Result<Fence, ControlError> {
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
