//! One decision to the store: its facts, its order, its fence, in one commit.

use super::{Shell, Stored, Storing};
use futures::FutureExt;
use saga_core::batch::{Batch, Cause, Commit, LimitBroken};
use saga_core::fact::SagaFact;
use saga_core::id::{SagaId, Version};
use saga_core::time::Timestamp;
use saga_engine::host::group_fence;
use saga_engine::journal::{self, Once};
use std::sync::Arc;

impl Shell {
    pub(super) fn commit(
        &self,
        saga: SagaId,
        expected: Version,
        (facts, at, once): (Vec<SagaFact>, Timestamp, Option<Once>),
        storing: &Storing,
    ) {
        // The last look before a write: whatever was decided, a saga of another group is not written here.
        if !self.coordinator.owns(saga) {
            let why = Cause(format!("saga {saga} does not belong to group {}", self.group));
            return storing.push(async move { Stored::NotWritten(saga, Commit::Retryable(why)) }.boxed());
        }
        let events = journal::events_of(&facts, &*self.ids, at).ok();
        let Some((events, stream)) = events.zip(journal::stream_of(saga)) else {
            let why = LimitBroken::Unstorable { why: "a fact cannot be written as JSON".to_owned() };
            return storing.push(async move { Stored::Rejected(saga, why, Vec::new()) }.boxed());
        };
        let (fence, inbox) = (Some(group_fence(self.group, self.epoch)), once.map(Once::row));
        let batch = Batch { inbox, ..journal::batch_of(stream, expected, events, fence) };
        let store = Arc::clone(&self.store);
        let stored = async move {
            match store.commit(batch).await {
                Commit::Ok(_) => Stored::Written(saga, facts),
                Commit::Rejected(why) => Stored::Rejected(saga, why, facts),
                answer @ (Commit::Conflict(_) | Commit::Fenced { .. } | Commit::Retryable(_) | Commit::Unknown(_)) => {
                    Stored::NotWritten(saga, answer)
                }
            }
        };
        storing.push(stored.boxed());
    }
}
