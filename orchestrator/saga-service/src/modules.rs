//! The modules of this process, a line each, with the providers that they get.

use crate::providers::artifacts::FilePacker;
use crate::providers::content_template::TemplateContentWriter;
use crate::providers::files_local::LocalFiles;
use crate::providers::renderer_svg::SvgRenderer;
use crate::providers::social_dry_run::DryRunPublisher;
use crate::providers::strategy_template::TemplateStrategyWriter;
use crate::providers::workspace_local::LocalWorkspaces;
use saga::{JOURNAL, board};
use saga_core::definition::Performer;
use saga_core::module::Module;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use strategy::api::providers::StrategyWriter;

/// Providers that a caller replaces; the rest is built in.
#[derive(Default)]
pub struct Replaced {
    /// Writes strategies.
    pub strategy_writer: Option<Arc<dyn StrategyWriter>>,
}

/// Every module there is, with files below `data`.
pub fn modules(data: &Path, replaced: Replaced) -> Vec<Module> {
    let writer = replaced.strategy_writer.unwrap_or_else(|| Arc::new(TemplateStrategyWriter));
    let publisher = Arc::new(DryRunPublisher::default());
    vec![
        onboarding::module(onboarding::api::providers::Needs {
            workspace: Arc::new(LocalWorkspaces::new("https://workspace.example")),
        }),
        strategy::module(strategy::api::providers::Needs { writer, fallback: None }),
        production::module(production::api::providers::Needs {
            writer: Arc::new(TemplateContentWriter),
            renderer: Arc::new(SvgRenderer),
        }),
        qc::module(qc::api::providers::Needs { forcing: qc::api::providers::Forcing::Forbidden }),
        delivery::module(delivery::api::providers::Needs {
            publisher: publisher.clone(),
            rehearsal: publisher,
            files: Arc::new(LocalFiles::new(data.join("files"))),
            packer: Arc::new(FilePacker),
        }),
        orchestration::module(Some(Arc::new(TemplateContentWriter))),
    ]
}

/// Every module as it is run: the coordinator keeps the list of sagas beside its own read models.
pub(crate) fn with_board(data: &Path) -> Vec<Module> {
    let mut every = modules(data, Replaced::default());
    every.iter_mut().filter(|module| module.name == JOURNAL).for_each(|module| module.projections.push(board()));
    every
}

/// Modules that sagas ask, or whose events are listened to, and that no process of this program hosts: they are written in
/// other languages, or not yet.
pub(crate) fn foreign(every: &[Module]) -> BTreeSet<String> {
    let steps = every.iter().flat_map(|module| &module.sagas).flat_map(|saga| saga.steps());
    let asked = steps.filter_map(|(_, step)| match &step.performer {
        Performer::There { command, .. } => Some(command.module.clone()),
        Performer::Here { .. } | Performer::Gate { .. } => None,
    });
    let folded = every.iter().flat_map(|module| &module.projections).flat_map(|projection| projection.sources());
    let followed = every.iter().flat_map(|module| &module.reactors).flat_map(|reactor| reactor.sources());
    let heard = folded.chain(followed).map(str::to_owned);
    asked.chain(heard).filter(|name| every.iter().all(|module| module.name != name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_that_nobody_hosts_are_those_that_are_asked_or_heard() {
        let mut every = modules(std::path::Path::new("nowhere"), Replaced::default());
        assert_eq!(foreign(&every), ["client_review", "courier", "printshop"].map(str::to_owned).into());
        every.retain(|module| module.name != "qc");
        assert!(foreign(&every).contains("qc"));
    }
}
