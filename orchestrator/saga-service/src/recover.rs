//! Sets right where consumers stand after a store was restored, while nobody runs the modules: `sagactl store recover`.

use crate::accept::Installation;
use crate::config::{Config, Files, Store};
use crate::hidden::Address;
use crate::modules::with_board;
use saga::{Error, FreshIds, SystemClock};
use saga_core::batch::Fence;
use saga_core::codes;
use saga_core::control::ControlError;
use saga_core::module::Module;
use saga_core::ports::{Claim, Clock, Ids, SharedStore};
use saga_engine::catchup::CatchUpError;
use saga_engine::installation::Fault;
use saga_engine::recover::{astray, recover as recover_module};
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

/// Compares every consumer of every module with the logs of its sources; a consumer that stands where a log does not is
/// set back and folded anew, and told, a line each. Where all is well, no file is touched.
///
/// # Errors
/// There is no store at all, or one that is lost, another's, older than it was or cannot be opened, a module that
/// another process runs, or what could not be written. Where a store does not fit, no consumer is touched: those that
/// have read what it lost stand where its newest copy has them, and that copy can still be put back. Running it again
/// goes on.
pub async fn recover(config: &Config) -> Result<Vec<String>, ControlError> {
    let installation = Installation::look(config).await?;
    let misfit = installation.misfits().next().map(|(misfit, error)| (misfit.module.clone(), misfit.fault, error));
    let recovered = match misfit {
        // Nothing is made in its place by the way.
        Some((module, Fault::Lost, error)) => Err(error.hint(accept_hint(&module))),
        Some((module, Fault::Foreign, error)) => Err(error.hint(put_away_hint(&module))),
        Some((module, Fault::Behind, error)) => Err(error
            .hint("put the newest copy of it back, with its -wal file; no consumer was touched")
            .hint(format!("{}; it sets the consumers right as well", accept_hint(&module)))),
        None => what_is_astray(config, &installation).await,
    };
    installation.close().await;
    recovered
}

/// Sets right what a look finds astray; where all is well, nothing is opened to be written.
async fn what_is_astray(config: &Config, installation: &Installation) -> Result<Vec<String>, ControlError> {
    let every = with_board(&config.files.folder);
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

/// The step before a loss can be accepted: the file in the place of a store belongs to another program or installation.
pub(crate) fn put_away_hint(module: &str) -> String {
    format!("move what lies in its place somewhere else; then the loss can be accepted: sagactl store accept {module}")
}

/// Sets right the consumers of these stores' modules, whose leads this owner takes and gives back.
pub(crate) async fn recover_all(
    config: &Config,
    logs: &BTreeMap<String, SharedStore>,
    owner: Uuid,
) -> Result<Vec<String>, ControlError> {
    let every = with_board(&config.files.folder);
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
    let leases = store.lease(owner, &claim, LEAD_FOR).await.map_err(|why| ControlError::from(Error::Read(why)))?;
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
