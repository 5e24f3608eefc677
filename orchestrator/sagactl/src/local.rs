//! The seam to the composition root: with the three commands that run everything, the only file that may name it.

use crate::failure::Failure;
use saga_core::codes;
use saga_core::control::{Control, ControlError};
use std::path::Path;
use std::sync::Arc;

/// Opens the stores under `data` in this process, for looking and ordering when nobody runs on them.
pub async fn open(data: &Path) -> Result<Arc<dyn Control>, ControlError> {
    Err(ControlError::new(codes::UNREACHABLE, format!("nobody runs on {}", data.display()))
        .hint("start one             sagactl dev")
        .hint("or name another one   --url http://127.0.0.1:PORT, or --data DIR"))
}

/// What a command that needs the composition root says until it is there.
pub fn not_wired(what: &str) -> Failure {
    Failure::new(codes::INTERNAL, format!("{what} is not wired yet: this build has no orchestrator inside"))
        .hint("commands that talk to a running one work: --url http://127.0.0.1:PORT")
}
