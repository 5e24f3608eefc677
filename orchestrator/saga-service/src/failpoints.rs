//! Crash points: the process sends itself SIGKILL at the n-th commit of all its stores, before or after the commit.
//!
//! `SAGA_KILL_AT=17:before` or `17:after`. Only builds for tests have this; a release ignores the variable.

use async_trait::async_trait;
use saga_core::batch::{Batch, Commit};
use saga_core::envelope::Recorded;
use saga_core::id::{Position, StepKey, StreamId, Version};
use saga_core::json::Payload;
use saga_core::ports::{
    Cached, Claim, Document, Documents, EventStore, Find, Lease, Leases, OpenError, ReadError, Recollection,
    SharedStore, Stores, Tail,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use uuid::Uuid;

struct Point {
    at: u64,
    after: bool,
    commits: AtomicU64,
}

/// The same stores, with the crash point of the environment, if there is one.
pub(crate) fn armed(stores: Arc<dyn Stores>) -> Arc<dyn Stores> {
    let Ok(text) = std::env::var("SAGA_KILL_AT") else { return stores };
    let (at, when) = text.split_once(':').unwrap_or((text.as_str(), "before"));
    let Ok(at) = at.parse() else { return stores };
    let point = Arc::new(Point { at, after: when == "after", commits: AtomicU64::new(0) });
    Arc::new(ArmedStores { stores, point })
}

impl Point {
    fn reached(&self) -> bool {
        self.commits.fetch_add(1, Ordering::SeqCst) + 1 == self.at
    }
    fn kill(&self) {
        let own = rustix::process::getpid();
        let _dead = rustix::process::kill_process(own, rustix::process::Signal::KILL);
    }
}

struct ArmedStores {
    stores: Arc<dyn Stores>,
    point: Arc<Point>,
}
#[async_trait]
impl Stores for ArmedStores {
    async fn open(&self, module: &str) -> Result<SharedStore, OpenError> {
        let store = self.stores.open(module).await?;
        Ok(Arc::new(Armed { store, point: Arc::clone(&self.point) }))
    }
}

struct Armed {
    store: SharedStore,
    point: Arc<Point>,
}
#[async_trait]
impl EventStore for Armed {
    async fn commit(&self, batch: Batch) -> Commit {
        let reached = self.point.reached();
        if reached && !self.point.after {
            self.point.kill();
        }
        let done = self.store.commit(batch).await;
        if reached && self.point.after {
            self.point.kill();
        }
        done
    }
    async fn read(&self, stream: &StreamId, after: Version, limit: usize) -> Result<Vec<Recorded>, ReadError> {
        self.store.read(stream, after, limit).await
    }
    async fn read_log(&self, after: Position, limit: usize) -> Result<Vec<Recorded>, ReadError> {
        self.store.read_log(after, limit).await
    }
    async fn answered(&self, saga: Uuid, deed: StepKey, undo: StepKey) -> Result<Recollection, ReadError> {
        self.store.answered(saga, deed, undo).await
    }
}
#[async_trait]
impl Documents for Armed {
    async fn get(&self, projection: &str, version: u16, key: &str) -> Result<Option<Document>, ReadError> {
        self.store.get(projection, version, key).await
    }
    async fn find(&self, find: &Find) -> Result<Vec<Document>, ReadError> {
        self.store.find(find).await
    }
    async fn checkpoint(&self, consumer: &str) -> Result<Position, ReadError> {
        self.store.checkpoint(consumer).await
    }
    async fn cached(&self, what: &Cached) -> Result<Option<Payload>, ReadError> {
        self.store.cached(what).await
    }
}
#[async_trait]
impl Leases for Armed {
    async fn lease(&self, owner: Uuid, claim: &Claim, ttl: Duration) -> Result<Vec<Lease>, ReadError> {
        self.store.lease(owner, claim, ttl).await
    }
}
#[async_trait]
impl Tail for Armed {
    async fn head(&self) -> Result<Position, ReadError> {
        self.store.head().await
    }
    async fn grown(&self, after: Position) -> Position {
        self.store.grown(after).await
    }
}
