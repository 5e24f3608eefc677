//! `sagactl events`: the logs, checked against every promise.

use crate::args::Global;
use crate::connect;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::print::out::Out;
use crate::print::verdicts;
use clap::Subcommand;
use saga_admin::owner::{self, Found};
use saga_core::codes;
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
        /// Nothing runs: also check that no saga is left under way (S1)
        #[arg(long)]
        at_rest: bool,
    },
}

/// The process that has the stores checks them beside its work; stores that nobody has are read here.
async fn by_whoever_has_it(at_rest: bool, global: &Global, out: &mut Out) -> Result<View, Failure> {
    let served = global.url.is_some() || matches!(owner::find(&global.data, global.within()).await?, Found::Alive(..));
    if served && at_rest {
        return Err(Failure::new(codes::USAGE, "a process runs on these stores: they are not at rest")
            .hint("leave out --at-rest, or stop it first"));
    }
    match served || !super::serve::has_stores(&global.data) {
        true => connect::session(global, out).await?.look(Look::Verify).await,
        false => Ok(View::Verdicts(super::serve::verify_folder(&global.data, at_rest).await?)),
    }
}

/// Runs it.
pub async fn run(command: &EventsCommand, global: &Global, out: &mut Out) -> Result<Exit, Failure> {
    match command {
        EventsCommand::Verify { config, at_rest } => {
            let view = match config {
                Some(file) => View::Verdicts(super::serve::verify(file, *at_rest).await?),
                None => by_whoever_has_it(*at_rest, global, out).await?,
            };
            let View::Verdicts(found) = &view else { return Err(super::saga::strange(&view)) };
            out.view(&view, |style| verdicts::render(found, style))?;
            Ok(if found.findings.is_empty() { Exit::DONE } else { Exit::FINDINGS })
        }
    }
}
