//! `sagactl module` and `sagactl definition`: which process serves which module, and which plans are registered.

use crate::args::Global;
use crate::connect;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::print::module;
use crate::print::out::Out;
use clap::Subcommand;
use saga_core::control::ask;

/// What can be done with modules.
#[derive(Debug, Clone, Subcommand)]
pub enum ModuleCommand {
    /// Every module with its lag and state
    #[command(visible_alias = "ls")]
    List,
}

/// What can be done with definitions.
#[derive(Debug, Clone, Subcommand)]
pub enum DefinitionCommand {
    /// Every registered definition, with an input that fits
    #[command(visible_alias = "ls")]
    List,
}

/// Runs it.
pub async fn run(command: &ModuleCommand, global: &Global, out: &mut Out) -> Result<Exit, Failure> {
    match command {
        ModuleCommand::List => {
            let page = connect::session(global, out).await?.ask(ask::Modules {}).await?;
            let mut dropped = Vec::new();
            out.view(&page, |style| {
                let rendered = module::render(&page, style);
                dropped = rendered.dropped;
                rendered.text
            })?;
            left_out(&dropped, out);
            Ok(Exit::DONE)
        }
    }
}

/// Runs it.
pub async fn definitions(command: &DefinitionCommand, global: &Global, out: &mut Out) -> Result<Exit, Failure> {
    match command {
        DefinitionCommand::List => {
            let page = connect::session(global, out).await?.ask(ask::Definitions {}).await?;
            let mut dropped = Vec::new();
            out.view(&page, |style| {
                let rendered = module::definitions(&page, style);
                dropped = rendered.dropped;
                rendered.text
            })?;
            left_out(&dropped, out);
            Ok(Exit::DONE)
        }
    }
}

/// Nothing is left out silently.
pub fn left_out(dropped: &[&str], out: &mut Out) {
    if !dropped.is_empty() {
        out.footer(&format!("left out: {} (-o wide)", dropped.join(" ")));
    }
}
