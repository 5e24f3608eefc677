//! One decision of the coordinator to its store, and what it hears of it.

use super::World;
use saga_core::batch::{Batch, Commit, Conflict};
use saga_core::fact::SagaFact;
use saga_core::id::{SagaId, Version};
use saga_core::ports::Clock;
use saga_core::time::Timestamp;
use saga_engine::host::group_fence;
use saga_engine::journal::{self, Once};
use saga_engine::machine::coordinator::In;
use std::sync::Arc;

/// What was decided, and is to be appended.
pub(super) struct Facts {
    pub(super) saga: SagaId,
    pub(super) expected: Version,
    pub(super) facts: Vec<SagaFact>,
    pub(super) once: Option<Once>,
    pub(super) at: Timestamp,
}

impl World {
    /// Commits, and says what the coordinator hears; nothing when another one has taken over.
    pub(super) async fn write(&mut self, facts: Facts) -> Result<Option<In>, String> {
        let Facts { saga, expected, facts, once, at } = facts;
        let events = journal::events_of(&facts, &*self.ids, at).map_err(|why| why.to_string())?;
        let stream = journal::stream_of(saga).ok_or("no stream")?;
        let fence = Some(group_fence(0, self.epoch));
        let inbox = once.map(Once::row);
        let batch = Batch { inbox, ..journal::batch_of(stream, expected, events, fence) };
        let commit = self.facts.over(Arc::clone(&self.journal)).commit(batch).await;
        self.points += 1;
        if self.faults.crash_at == Some(self.points) {
            self.reached += 1;
            self.crash().await?;
            return Ok(None);
        }
        Ok(Some(match commit {
            Commit::Ok(_) => In::Committed { saga },
            Commit::Conflict(Conflict::Answered { payload_hash: digest, .. }) => In::Known { saga, digest },
            Commit::Rejected(why) => In::Rejected { saga, step: journal::suspect(&facts), why: why.to_string() },
            // It steps down, and another one takes over.
            Commit::Fenced { .. } => {
                self.crash().await?;
                return Ok(None);
            }
            Commit::Conflict(Conflict::Stream { .. } | Conflict::Undone)
            | Commit::Retryable(_)
            | Commit::Unknown(_) => In::NotCommitted { saga },
        }))
    }
    /// Keeps a message for a saga that does not exist; if that does not work now, it comes again.
    pub(super) async fn keep(&mut self, saga: SagaId, what: &str) {
        if let Some(batch) = journal::anomaly(saga, what, &*self.ids, self.clock.now()) {
            let _kept = self.journal.commit(batch).await;
        }
    }
}
