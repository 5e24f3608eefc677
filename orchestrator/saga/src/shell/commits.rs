//! One decision to the store: its facts, its order, its fence, in one commit.

use super::{Shell, Stored, Storing};
use crate::meter::Counted;
use futures::FutureExt;
use saga_core::batch::{Batch, Commit, LimitBroken};
use saga_core::fact::SagaFact;
use saga_core::id::{SagaId, Version};
use saga_core::time::Timestamp;
use saga_engine::host::group_fence;
use saga_engine::journal::{self, Once, Suspect};
use std::sync::Arc;

impl Shell {
    pub(super) fn commit(
        &self,
        saga: SagaId,
        expected: Version,
        (facts, at, once): (&[SagaFact], Timestamp, Option<Once>),
        storing: &Storing,
    ) {
        // The last look before a write: whatever was decided, a saga of another group is not written here.
        if !self.coordinator.owns(saga) {
            let why = saga_core::batch::Cause(format!("saga {saga} does not belong to group {}", self.group));
            return storing.push(async move { Stored::Committed(saga, Commit::Retryable(why)) }.boxed());
        }
        let batch =
            journal::events_of(facts, &*self.ids, at).ok().zip(journal::stream_of(saga)).map(|(events, stream)| {
                let suspect = Suspect::of(&events);
                let fence = Some(group_fence(self.group, self.epoch));
                let inbox = once.map(Once::row);
                (Batch { inbox, ..journal::batch_of(stream, expected, events, fence) }, suspect)
            });
        let store = Arc::clone(&self.store);
        let Some((batch, suspect)) = batch else {
            let why = LimitBroken::Unstorable { why: "a fact cannot be written as JSON".to_owned() };
            return storing.push(async move { Stored::Rejected(saga, why, None) }.boxed());
        };
        // What was written before an answer got lost is read back, and not counted: nobody would know how often.
        let counted = self.coordinator.saga(saga).map(|exec| Counted::of(facts, exec)).unwrap_or_default();
        let meter = self.health.meter().clone();
        let stored = async move {
            match store.commit(batch).await {
                Commit::Rejected(why) => Stored::Rejected(saga, why, suspect),
                Commit::Ok(written) => {
                    meter.count(&counted);
                    Stored::Committed(saga, Commit::Ok(written))
                }
                answered
                @ (Commit::Conflict(_) | Commit::Fenced { .. } | Commit::Retryable(_) | Commit::Unknown(_)) => {
                    Stored::Committed(saga, answered)
                }
            }
        };
        storing.push(stored.boxed());
    }
}
