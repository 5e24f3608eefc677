//! One process with everything in it, over the stores of a folder: what `serve` composes, for a configuration that is only
//! that folder.

use crate::config::Coordinator;
use crate::modules::Replaced;
use crate::recover::of_folder;
use crate::serve::{Roles, Serving, begin};
use saga::{Sagas, SystemClock};
use saga_core::codes;
use saga_core::control::{Control, ControlError};
use saga_core::ports::Clock;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// A started service.
pub struct Service {
    serving: Serving,
    sagas: Sagas,
}

/// How long a start may take to read the histories of open sagas before it says that it is not ready.
const READY_WITHIN: Duration = Duration::from_secs(60);
/// How often readiness is checked meanwhile.
const READY_LOOK: Duration = Duration::from_millis(5);

/// What an opening gives: the service, or why not, as people read it.
pub type Opened = Result<Service, ControlError>;

impl Service {
    /// Opens the folder, which is made if it is not there, and goes on with every open saga in it.
    pub async fn open(data: &Path, replaced: Replaced, seed: u64) -> Opened {
        if data.to_str().is_none() {
            let message = format!("the name of the folder {} is not UTF-8", data.display());
            return Err(ControlError::new(codes::USAGE, message).hint("name another folder: --data DIR"));
        }
        std::fs::create_dir_all(data).map_err(|why| {
            let message = format!("the folder {} cannot be made: {why}", data.display());
            ControlError::new(codes::STORE_UNAVAILABLE, message).hint("name another folder: --data DIR")
        })?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        // A folder that has sagas keeps the number of groups that it began with.
        let coordinator = Coordinator { groups: 1, ..Coordinator::default() };
        let config = crate::config::Config { coordinator, ..of_folder(data) };
        let roles = Roles { modules: None, coordinator: true };
        let serving = begin(&config, &roles, replaced, seed, &clock).await?;
        let Some(sagas) = serving.sagas().cloned() else {
            return Err(ControlError::new(codes::INTERNAL, "a process that does everything coordinates no sagas"));
        };
        let patience = clock.passed() + READY_WITHIN;
        while !sagas.is_ready().await? && clock.passed() < patience {
            clock.pause(READY_LOOK).await;
        }
        Ok(Self { serving, sagas })
    }
    /// What people may look at and order.
    pub fn control(&self) -> Arc<dyn Control> {
        self.serving.control()
    }
    /// The running orchestrator.
    pub fn sagas(&self) -> &Sagas {
        &self.sagas
    }
    /// Ends everything and closes the stores. Open sagas go on at the next start.
    pub async fn close(self) {
        self.serving.close().await;
    }
}
