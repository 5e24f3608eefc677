//! `sagactl events`: the logs, checked against every promise, and the streams that are filled from them.

use crate::args::{Global, Kind};
use crate::cmd::serve::load;
use crate::connect;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::input;
use crate::print::out::Out;
use crate::print::verdicts;
use clap::Subcommand;
use saga_admin::owner::{self, Found};
use saga_core::codes;
use saga_core::control::ask;
use saga_core::view::Verdicts;
use saga_service::refill::Refill;
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
    /// Have a module's stream on the broker filled again from its log, where it holds what the log does not have (SG0314):
    /// what is in no log is gone afterwards. It may be ordered while everything runs
    Republish {
        /// The module whose stream it is
        #[arg(value_name = "MODULE")]
        module: String,
        /// The configuration with its store and the broker
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// Only say what would be done
        #[arg(long)]
        dry_run: bool,
        /// Do not ask
        #[arg(short, long)]
        yes: bool,
    },
}

impl EventsCommand {
    /// What it does to the world.
    pub fn kind(&self) -> Kind {
        match self {
            EventsCommand::Verify { .. } => Kind::Look,
            EventsCommand::Republish { .. } => Kind::Run,
        }
    }
}

/// The process that has the stores checks them beside its work; stores that nobody has are read here.
async fn by_the_stores_owner(at_rest: bool, global: &Global, out: &mut Out) -> Result<Verdicts, Failure> {
    let served = global.url.is_some() || matches!(owner::find(&global.data, global.within()).await?, Found::Alive(..));
    if served && at_rest {
        return Err(Failure::new(codes::USAGE, "a process runs on these stores: they are not at rest")
            .hint("leave out --at-rest, or stop it first"));
    }
    match served || !super::serve::has_stores(&global.data) {
        true => connect::session(global, out).await?.ask(ask::Verify {}).await,
        false => super::serve::verify_folder(&global.data, at_rest).await,
    }
}

/// Runs it.
pub async fn run(command: &EventsCommand, global: &Global, out: &mut Out) -> Result<Exit, Failure> {
    match command {
        EventsCommand::Verify { config, at_rest } => {
            let found = match config {
                Some(file) => super::serve::verify(file, *at_rest).await?,
                None => by_the_stores_owner(*at_rest, global, out).await?,
            };
            out.view(&found, |style| verdicts::render(&found, style))?;
            Ok(if found.findings.is_empty() { Exit::DONE } else { Exit::FINDINGS })
        }
        EventsCommand::Republish { module, config, dry_run, yes } => {
            let Some(refill) = Refill::of(&load(config)?, Some(module)).await? else {
                return Err(Failure::new(
                    codes::WRONG_STATE,
                    "the bus is the one inside the process: it has no streams",
                ));
            };
            match *dry_run || !refill.is_due() {
                true => said(&refill.says(), out),
                false => republish(refill, *yes, out).await,
            }
        }
    }
}

/// Says what will be done to streams, asks unless it was said, and does it.
pub(super) async fn republish(refill: Refill, yes: bool, out: &mut Out) -> Result<Exit, Failure> {
    refill.says().iter().for_each(|line| out.note(line));
    if !yes {
        if !out.can_ask() {
            return Err(Failure::usage("what is in no log will be gone, and nobody can be asked here")
                .hint("consent with --yes; nothing was done to the streams"));
        }
        let asked = input::ask(out, "Have these streams made anew? [y/N] ");
        if !matches!(asked.as_deref(), Some("y" | "Y" | "yes")) {
            out.note("nothing was done to the streams");
            return Err(Failure::said(Exit::INTERRUPTED));
        }
    }
    said(&refill.order().await?, out)
}

fn said(lines: &[String], out: &mut Out) -> Result<Exit, Failure> {
    out.data(&lines.iter().map(|line| format!("{line}\n")).collect::<String>())?;
    Ok(Exit::DONE)
}
