//! The seam to the composition root: with the commands that run everything, the only file that may name it.

use saga_core::control::{Control, ControlError};
use saga_service::Service;
use saga_service::modules::Replaced;
use std::path::Path;
use std::sync::Arc;

/// Opens the stores under `data` in this process, for looking and ordering when nobody runs on them.
///
/// For as long as the command runs, this process is the coordinator: open sagas go on meanwhile, as they would in `dev`.
pub async fn open(data: &Path) -> Result<Arc<dyn Control>, ControlError> {
    if !data.is_dir() {
        let message = format!("there is no data in {}", data.display());
        return Err(ControlError::new(saga_core::codes::UNREACHABLE, message)
            .hint("see something first   sagactl demo")
            .hint("start one             sagactl dev")
            .hint("or name another one   --url http://127.0.0.1:PORT, or --data DIR"));
    }
    let service = Service::open(data, Replaced::default(), 0).await?;
    // The stores are closed by the end of the process: every commit is durable when it is answered.
    Ok(service.control())
}

/// What a command says that is not in this build yet.
pub fn not_wired(what: &str) -> crate::failure::Failure {
    crate::failure::Failure::new(saga_core::codes::INTERNAL, format!("{what} is not wired yet"))
}
