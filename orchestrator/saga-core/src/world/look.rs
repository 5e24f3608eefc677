//! What a test sees of the world: sagas as their logs tell them, and the logs themselves.

use super::World;
use crate::definition::{Definitions, Fit};
use crate::event::EventSet;
use crate::execution::Execution;
use crate::id::SagaId;
use crate::journal;
use crate::ports::SharedStore;
use crate::view::SagaState;
use std::sync::Arc;

impl World {
    /// A saga as its facts tell it.
    pub async fn saga(&self, saga: SagaId) -> Result<Execution, String> {
        let history = journal::history(&self.journal, saga).await.map_err(|why| why.to_string())?;
        let started = history.first().and_then(|(fact, _)| fact.as_start());
        let fit = started.map(|started| Fit::of(&self.definitions, started)).unwrap_or_default();
        let mut exec = Execution::new(saga, fit, 7);
        history.iter().for_each(|(fact, at)| exec.evolve(fact, *at));
        Ok(exec)
    }
    /// The name of the opening of a gate that waits now, if one does.
    pub async fn opening(&self, saga: SagaId, gate: &str) -> Result<Option<String>, String> {
        let waiting = self.saga(saga).await?.waiting();
        Ok(waiting.into_iter().find(|waiting| waiting.subject == gate).and_then(|waiting| waiting.opening))
    }
    /// Its state.
    pub async fn state(&self, saga: SagaId) -> Result<SagaState, String> {
        Ok(self.saga(saga).await?.state())
    }
    /// Names of its facts with the step they are about, in order.
    pub async fn story(&self, saga: SagaId) -> Result<Vec<String>, String> {
        let history = journal::history(&self.journal, saga).await.map_err(|why| why.to_string())?;
        Ok(history
            .iter()
            .map(|(fact, _)| {
                let value: serde_json::Value = fact.encode().ok().and_then(|data| data.read().ok()).unwrap_or_default();
                match value["step"].as_str() {
                    Some(step) => format!("{} {step}", fact.name()),
                    None => fact.name().to_owned(),
                }
            })
            .collect())
    }
    /// Every log of this world, for the audit: orchestration first.
    pub fn logs(&self) -> Vec<(String, SharedStore)> {
        let modules = self.modules.iter().map(|(name, (_, store))| ((*name).to_owned(), Arc::clone(store)));
        std::iter::once(("orchestration".to_owned(), Arc::clone(&self.journal))).chain(modules).collect()
    }
    /// How many commits and reads did not end as they would have.
    pub fn fates_met(&self) -> u64 {
        self.facts.met() + self.deeds.met()
    }
    /// The definitions of this world.
    pub fn definitions(&self) -> &Arc<Definitions> {
        &self.definitions
    }
    /// Whether what the coordinator has in memory is the fold of its log, for every open saga.
    pub async fn agrees_with_its_log(&self) -> Result<(), String> {
        if !self.coordinator.is_quiet() {
            return Ok(());
        }
        for live in self.coordinator.sagas() {
            let (live, folded) = (format!("{live:#?}"), format!("{:#?}", self.saga(live.saga()).await?));
            if live != folded {
                return Err(format!("in memory: {live}\nin the log: {folded}"));
            }
        }
        Ok(())
    }
}
