//! What one saga asked of the modules, and what it was answered, as the coordinator's log has it.

use crate::execution::Execution;
use crate::journal::stream_of;
use crate::machine::coordinator::Definitions;
use saga_core::aggregate::STREAM_PAGE;
use saga_core::definition::Definition;
use saga_core::event::EventSet as _;
use saga_core::fact::SagaFact;
use saga_core::id::{Position, SagaId, StepKey, Version};
use saga_core::ports::{ReadError, SharedStore};
use std::collections::BTreeSet;
use std::sync::Arc;

/// An answer that the coordinator has recorded.
pub(super) struct Told {
    pub(super) module: String,
    pub(super) key: StepKey,
    pub(super) at: Position,
    pub(super) says: String,
}
/// What one saga asked, and what it was answered.
#[derive(Default)]
pub(super) struct Story {
    pub(super) dispatched: BTreeSet<StepKey>,
    pub(super) told: Vec<Told>,
}

impl Story {
    /// Folds a saga's facts; `None` when one of them cannot be read, which is told elsewhere.
    pub(super) async fn of(
        journal: &SharedStore,
        saga: SagaId,
        definitions: &Definitions,
    ) -> Result<Option<Self>, ReadError> {
        let (mut story, mut at) = (Story::default(), Version::ZERO);
        let Some(stream) = stream_of(saga) else { return Ok(None) };
        let mut exec = None;
        loop {
            let page = journal.read(&stream, at, STREAM_PAGE).await?;
            for recorded in &page {
                let Ok(fact) = SagaFact::of(recorded) else { return Ok(None) };
                let exec = exec.get_or_insert_with(|| Execution::new(saga, definition(definitions, &fact), 0));
                exec.evolve(&fact, recorded.time);
                story.take(exec, &fact, recorded.position);
                at = recorded.version;
            }
            if page.len() < STREAM_PAGE {
                return Ok(Some(story));
            }
        }
    }
    fn take(&mut self, exec: &Execution, fact: &SagaFact, at: Position) {
        if let SagaFact::StepDispatched(fact) = fact {
            self.dispatched.insert(exec.keys(&fact.step).0);
        }
        if let SagaFact::CompensationDispatched(fact) = fact {
            self.dispatched.insert(exec.keys(&fact.step).1);
        }
        if let SagaFact::StepSucceeded(fact) = fact {
            self.told.extend(exec.asked(&fact.step).map(|asked| {
                let (module, key) = (asked.module.to_owned(), exec.keys(&fact.step).0);
                Told { module, key, at, says: format!("{} succeeded", fact.step) }
            }));
        }
        if let SagaFact::StepCompensated(fact) = fact {
            self.told.extend(exec.asked(&fact.step).map(|asked| {
                let (module, key) = (asked.undoer.to_owned(), exec.keys(&fact.step).1);
                Told { module, key, at, says: format!("{} was undone", fact.step) }
            }));
        }
    }
}

pub(super) fn definition(definitions: &Definitions, first: &SagaFact) -> Option<Arc<Definition>> {
    let started = first.as_start()?;
    definitions.get(&(started.definition.clone(), started.version)).cloned()
}
