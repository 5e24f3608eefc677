//! One process with everything in it: SQLite stores in a folder, the in-process bus, all modules, one coordinator.

use crate::artifacts::{Place, WithFiles};
use crate::modules::{Replaced, modules};
use saga::{Error, LocalControl, Orchestrator, Sagas, SystemClock};
use saga_core::codes;
use saga_core::control::{Control, ControlError};
use saga_core::input::sentence;
use saga_core::ports::{Clock, OpenError, ReadError, Stores};
use saga_sqlite::SqliteStores;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// A started service.
pub struct Service {
    sagas: Sagas,
    stores: Arc<SqliteStores>,
    control: Arc<dyn Control>,
}

/// How long a start may take to read the histories of open sagas before it says that it is not ready.
const READY_WITHIN: Duration = Duration::from_secs(60);
/// How often readiness is looked at meanwhile.
const READY_LOOK: Duration = Duration::from_millis(5);

/// What an opening gives: the service, or why not, as people read it.
pub type Opened = Result<Service, ControlError>;

impl Service {
    /// Opens the folder, which is made if it is not there, and goes on with every open saga in it.
    pub async fn open(data: &Path, replaced: Replaced, seed: u64) -> Opened {
        std::fs::create_dir_all(data).map_err(|why| {
            let message = format!("the folder {} cannot be made: {why}", data.display());
            ControlError::new(codes::STORE_UNAVAILABLE, message).hint("name another folder: --data DIR")
        })?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let stores = Arc::new(SqliteStores::new(data, Arc::clone(&clock)));
        let opened = crate::service::guarded(Arc::clone(&stores) as Arc<dyn Stores>);
        let mut orchestrator = Orchestrator::on(opened).clock(Arc::clone(&clock)).seed(seed).groups_as_stored();
        for module in modules(data, replaced) {
            orchestrator = orchestrator.module(module);
        }
        let sagas = match orchestrator.start().await {
            Ok(sagas) => sagas,
            Err(why) => {
                stores.close().await;
                return Err(fault(&why));
            }
        };
        let patience = clock.passed() + READY_WITHIN;
        while !sagas.is_ready().await.map_err(|why| fault(&why))? && clock.passed() < patience {
            clock.pause(READY_LOOK).await;
        }
        let control = LocalControl::new(sagas.clone(), format!("sqlite:{}", data.display()), "in-process, durable");
        let control = WithFiles::around(Arc::new(control), Place::beside(data), sagas.logs());
        Ok(Self { sagas, stores, control })
    }
    /// What people may look at and order.
    pub fn control(&self) -> Arc<dyn Control> {
        Arc::clone(&self.control)
    }
    /// The running orchestrator.
    pub fn sagas(&self) -> &Sagas {
        &self.sagas
    }
    /// Ends everything and closes the stores. Open sagas go on at the next start.
    pub async fn close(self) {
        if let Err(why) = self.sagas.shutdown().await {
            tracing::warn!(%why, "the orchestrator did not end cleanly; nothing is lost");
        }
        self.stores.close().await;
    }
}

#[cfg(feature = "failpoints")]
pub(crate) fn guarded(stores: Arc<dyn Stores>) -> Arc<dyn Stores> {
    crate::failpoints::armed(stores)
}
#[cfg(not(feature = "failpoints"))]
pub(crate) fn guarded(stores: Arc<dyn Stores>) -> Arc<dyn Stores> {
    stores
}

/// An error of the engine as people read it: code, place, next step.
pub fn fault(error: &Error) -> ControlError {
    match error {
        Error::Open(why) => {
            let (code, hint) = match why {
                OpenError::InUse { .. } => (
                    codes::STORE_IN_USE,
                    "its process and its address stand in owner.json beside it; ask that one, or stop it",
                ),
                OpenError::Newer { .. } => (codes::STORE_NEWER, "use the newer sagactl, or another folder: --data DIR"),
                OpenError::Unavailable { .. } => {
                    (codes::STORE_UNAVAILABLE, "check the folder, its rights and the disk, or name another: --data DIR")
                }
                OpenError::Refused { .. } => {
                    (codes::STORE_UNAVAILABLE, "store.url in the configuration says how to connect")
                }
                OpenError::Unsafe { .. } => {
                    (codes::STORE_UNSAFE, "remove what sets it; the store never runs without it")
                }
                OpenError::Strange { .. } => (
                    codes::STORE_STRANGE,
                    "put back what belongs there, or restore all stores of one backup: sagactl help SG0018",
                ),
                OpenError::Behind { .. } => (
                    codes::STORE_BEHIND,
                    "put back the newest copy, or restore all stores of one backup: sagactl help SG0019",
                ),
                OpenError::Restless { .. } => {
                    (codes::STORE_RESTLESS, "ask the process that writes it: owner.json beside it names its address")
                }
                OpenError::Corrupt { .. } => (codes::STORE_CORRUPT, "keep a copy of the folder, then restore a backup"),
                _ => (codes::STORE_UNAVAILABLE, "name another folder: --data DIR"),
            };
            ControlError::new(code, why.to_string()).hint(hint)
        }
        Error::Plan(faults) => {
            let code = faults.first().map_or(codes::PLAN_MALFORMED, |fault| fault.code);
            ControlError::new(code, error.to_string())
        }
        Error::Groups { .. } => ControlError::new(codes::STORE_GROUPS, error.to_string())
            .hint("set coordinator.groups to the number that the store has"),
        Error::Unowned { .. } => ControlError::new(codes::UNOWNED, error.to_string()),
        Error::Unheard { .. } => ControlError::new(codes::OUTCOME_UNHEARD, error.to_string()),
        Error::Read(why @ ReadError::Corrupt { .. }) => ControlError::new(codes::STORE_CORRUPT, why.to_string())
            .hint("keep a copy of the data, then restore a backup"),
        Error::Read(why) => ControlError::new(codes::STORE_UNAVAILABLE, why.to_string()),
        Error::Refused(refusal) => ControlError::new(refusal.code, refusal.message.clone()),
        Error::Input(misfits) => ControlError::new(codes::INPUT_REFUSED, sentence(misfits)),
        other => ControlError::new(codes::INTERNAL, other.to_string()),
    }
}
