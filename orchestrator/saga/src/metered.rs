//! A store that is counted: every call goes on as it is, and what became of commits is added up.

use crate::meter::{Counter, Meter};
use async_trait::async_trait;
use saga_core::batch::{Batch, Commit, Conflict};
use saga_core::envelope::Recorded;
use saga_core::export::{Export, Flaw, Inspect, Part, Row};
use saga_core::id::{Position, StepKey, StreamId, Version};
use saga_core::json::Payload;
use saga_core::ports::{
    Cached, Claim, Document, Documents, EventStore, Find, Lease, Leases, ReadError, Recollection, SharedStore, Tail,
};
use saga_core::telemetry::Metric;
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

/// Stands before the store of a module, and counts under its name.
pub(crate) struct Metered {
    store: SharedStore,
    commits: Counter,
    appended: Counter,
    conflicts: Counter,
    unknown: Counter,
    fenced: Counter,
    inbox_hits: Counter,
}

impl Metered {
    pub(crate) fn before(store: SharedStore, module: &'static str, meter: &Meter) -> SharedStore {
        let counter = |metric| meter.counter(metric, &[module]);
        Arc::new(Self {
            store,
            commits: counter(Metric::Commits),
            appended: counter(Metric::Appended),
            conflicts: counter(Metric::Conflicts),
            unknown: counter(Metric::Unknown),
            fenced: counter(Metric::Fenced),
            inbox_hits: counter(Metric::InboxHits),
        })
    }
}

#[async_trait]
impl EventStore for Metered {
    async fn commit(&self, batch: Batch) -> Commit {
        let events: usize = batch.writes.iter().map(|write| write.events.len()).sum();
        let answer = self.store.commit(batch).await;
        match &answer {
            Commit::Ok(_) => {
                self.commits.add(1);
                self.appended.add(events as u64);
            }
            Commit::Conflict(Conflict::Answered { .. }) => self.inbox_hits.add(1),
            Commit::Conflict(Conflict::Stream { .. } | Conflict::Undone) => self.conflicts.add(1),
            Commit::Fenced { .. } => self.fenced.add(1),
            Commit::Unknown(_) => self.unknown.add(1),
            // Nothing was written, and what it means is told where it is a trouble.
            Commit::Rejected(_) | Commit::Retryable(_) => {}
        }
        answer
    }
    async fn read(&self, stream: &StreamId, after: Version, limit: usize) -> Result<Vec<Recorded>, ReadError> {
        self.store.read(stream, after, limit).await
    }
    async fn read_log(&self, after: Position, limit: usize) -> Result<Vec<Recorded>, ReadError> {
        self.store.read_log(after, limit).await
    }
    async fn answered(&self, saga: Uuid, deed: StepKey, undo: StepKey) -> Result<Recollection, ReadError> {
        let memory = self.store.answered(saga, deed, undo).await?;
        if memory.deed.is_some() {
            self.inbox_hits.add(1);
        }
        Ok(memory)
    }
}
#[async_trait]
impl Documents for Metered {
    async fn get(&self, projection: &str, version: u16, key: &str) -> Result<Option<Document>, ReadError> {
        self.store.get(projection, version, key).await
    }
    async fn get_all(&self, projection: &str, version: u16, keys: &[String]) -> Result<Vec<Document>, ReadError> {
        self.store.get_all(projection, version, keys).await
    }
    async fn find(&self, find: &Find) -> Result<Vec<Document>, ReadError> {
        self.store.find(find).await
    }
    async fn keys_ending(&self, projection: &str, version: u16, ending: &str) -> Result<Vec<String>, ReadError> {
        self.store.keys_ending(projection, version, ending).await
    }
    async fn checkpoint(&self, consumer: &str) -> Result<Position, ReadError> {
        self.store.checkpoint(consumer).await
    }
    async fn cached(&self, what: &Cached) -> Result<Option<Payload>, ReadError> {
        self.store.cached(what).await
    }
}
#[async_trait]
impl Tail for Metered {
    async fn head(&self) -> Result<Position, ReadError> {
        self.store.head().await
    }
    async fn grown(&self, after: Position) -> Position {
        self.store.grown(after).await
    }
}
#[async_trait]
impl Leases for Metered {
    async fn lease(&self, owner: Uuid, claim: &Claim, ttl: Duration) -> Result<Vec<Lease>, ReadError> {
        self.store.lease(owner, claim, ttl).await
    }
}
#[async_trait]
impl Export for Metered {
    async fn rows(&self, part: Part, after: Option<&Row>, limit: usize) -> Result<Vec<Row>, ReadError> {
        self.store.rows(part, after, limit).await
    }
}
#[async_trait]
impl Inspect for Metered {
    async fn flaws(&self) -> Result<Vec<Flaw>, ReadError> {
        self.store.flaws().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{FreshIds, SystemClock};
    use saga_core::batch::Fence;
    use saga_core::id::{Direction, Epoch, RequestId, SagaId};
    use saga_core::ports::{Clock, Stores};
    use saga_core::telemetry::Amount;
    use saga_engine::journal::{Once, anomaly};
    use saga_engine::memory::MemoryStores;
    use saga_testkit::fates::{Fate, Fates, Schedule};

    const COUNTED: [Metric; 6] =
        [Metric::Commits, Metric::Appended, Metric::Conflicts, Metric::Unknown, Metric::Fenced, Metric::InboxHits];

    #[tokio::test]
    async fn what_became_of_each_commit_is_counted_once() {
        let (schedule, meter) = (Arc::new(Schedule::default()), Meter::default());
        let stores = MemoryStores::new(Arc::new(SystemClock));
        let store = Metered::before(schedule.over(stores.open("qc").await.unwrap()), "qc", &meter);
        let saga = Uuid::from_u128(7);
        let request = Once { request: RequestId(saga), digest: [7; 32] }.row();
        let key = StepKey::derive(saga, "order", Direction::Do);
        let batch = |what: &str| Batch {
            fence: Some(Fence { scope: "lead".to_owned(), epoch: Epoch::ZERO }),
            ..anomaly(SagaId(saga), what, &FreshIds, SystemClock.now()).unwrap()
        };
        let counts = || {
            let number = |sample: saga_core::telemetry::Sample| {
                assert_eq!(sample.labels["module"], "qc");
                let Amount::Number(number) = sample.amount else { panic!("a counter") };
                (sample.metric, number)
            };
            let all: std::collections::BTreeMap<_, _> = meter.samples().into_iter().map(number).collect();
            COUNTED.map(|metric| all[&metric])
        };
        assert_eq!(counts(), [0; 6], "there from the start");
        let _written = store.commit(Batch { inbox: Some(request), ..batch("one") }).await;
        assert_eq!(counts(), [1, 1, 0, 0, 0, 0]);
        for (fate, counted) in [
            (Fate::Refused, [1, 1, 0, 0, 0, 0]),
            (Fate::Moved, [1, 1, 1, 0, 0, 0]),
            (Fate::Lost, [1, 1, 1, 1, 0, 0]),
            (Fate::Fenced, [1, 1, 1, 1, 1, 0]),
        ] {
            schedule.follow(Fates::Every(1, fate));
            let _fated = store.commit(batch("two")).await;
            assert_eq!(counts(), counted, "{fate:?}");
        }
        schedule.follow(Fates::Kind);
        store.answered(saga, StepKey::derive(saga, "another", Direction::Do), key).await.unwrap();
        assert_eq!(counts()[5], 0, "it remembers nothing of that");
        store.answered(saga, key, StepKey::derive(saga, "order", Direction::Undo)).await.unwrap();
        assert_eq!(counts(), [1, 1, 1, 1, 1, 1]);
    }
}
