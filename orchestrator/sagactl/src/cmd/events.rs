//! `sagactl events`: the logs, checked against every promise.

use crate::args::Global;
use crate::connect;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::print::out::Out;
use crate::print::verdicts;
use clap::Subcommand;
use saga_core::control::{Look, View};
use std::path::PathBuf;

/// What can be done with the logs.
#[derive(Debug, Clone, Subcommand)]
pub enum EventsCommand {
    /// Read every log and check every promise; exit code 6 when something is wrong
    Verify {
        /// Open all stores of this configuration instead, and compare them with what its bus has
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
        /// Also check that no saga is left under way (S1)
        #[arg(long, requires = "config")]
        at_rest: bool,
    },
}

/// Runs it.
pub async fn run(command: &EventsCommand, global: &Global, out: &mut Out) -> Result<Exit, Failure> {
    match command {
        EventsCommand::Verify { config, at_rest } => {
            let view = match config {
                Some(file) => View::Verdicts(super::serve::verify(file, *at_rest).await?),
                None => connect::session(global, out).await?.look(Look::Verify).await?,
            };
            let View::Verdicts(found) = &view else { return Err(super::saga::strange(&view)) };
            out.view(&view, |style| verdicts::render(found, style))?;
            Ok(if found.findings.is_empty() { Exit::DONE } else { Exit::FINDINGS })
        }
    }
}
