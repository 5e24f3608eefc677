//! Stores that pass every call on and change one thing: tests put them between a store and its users.

use async_trait::async_trait;
use saga_core::batch::{Batch, Cause, Commit};
use saga_core::envelope::Recorded;
use saga_core::export::{Export, Flaw, Inspect, Part, Row};
use saga_core::id::{Position, StepKey, StreamId, Version};
use saga_core::json::Payload;
use saga_core::ports::{
    Cached, Claim, Document, Documents, EventStore, Find, Lease, Leases, OpenError, ReadError, Recollection,
    SharedStore, Stores, Tail,
};
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

/// Stands between a caller and a store. Writers can be changed, and what stands beside a log; other reads pass on as they are, or
/// do not work. It promises what the store behind it promises, except for what it changes.
#[async_trait]
pub trait Between: Send + Sync {
    /// The store that answers: asked for once in each call.
    fn store(&self) -> &SharedStore;
    /// Asked before each read of events, documents and the inbox: whether it works now.
    fn readable(&self) -> Result<(), ReadError> {
        Ok(())
    }
    /// As [`EventStore::commit`].
    async fn commit(&self, batch: Batch) -> Commit {
        self.store().commit(batch).await
    }
    /// As [`Export::rows`].
    async fn rows(&self, part: Part, after: Option<&Row>, limit: usize) -> Result<Vec<Row>, ReadError> {
        self.store().rows(part, after, limit).await
    }
    /// As [`Leases::lease`].
    async fn lease(&self, owner: Uuid, claim: &Claim, ttl: Duration) -> Result<Vec<Lease>, ReadError> {
        self.store().lease(owner, claim, ttl).await
    }
}

/// A store whose calls pass through a [`Between`] to the store behind it.
pub struct Passing<B>(pub B);

/// The same stores, each behind a [`Between`] of its own, which is made anew whenever a store is opened.
pub fn between<B: Between + 'static>(
    stores: Arc<dyn Stores>,
    make: impl Fn(SharedStore) -> B + Send + Sync + 'static,
) -> Arc<dyn Stores> {
    Arc::new(Each { stores, make })
}

/// A store that records nothing: the caller has done everything else when its commit is lost.
pub(crate) struct Forgets(pub(crate) SharedStore);
#[async_trait]
impl Between for Forgets {
    fn store(&self) -> &SharedStore {
        &self.0
    }
    async fn commit(&self, _: Batch) -> Commit {
        Commit::Retryable(Cause("the store forgets, as the law asks".to_owned()))
    }
}

struct Each<F> {
    stores: Arc<dyn Stores>,
    make: F,
}
#[async_trait]
impl<B: Between + 'static, F: Fn(SharedStore) -> B + Send + Sync> Stores for Each<F> {
    async fn open(&self, module: &str) -> Result<SharedStore, OpenError> {
        let store = self.stores.open(module).await?;
        Ok(Arc::new(Passing((self.make)(store))))
    }
    async fn has(&self, module: &str) -> Result<bool, OpenError> {
        self.stores.has(module).await
    }
    async fn peek(&self, module: &str) -> Result<SharedStore, OpenError> {
        let store = self.stores.peek(module).await?;
        Ok(Arc::new(Passing((self.make)(store))))
    }
    async fn release(&self) {
        self.stores.release().await;
    }
}

#[async_trait]
impl<B: Between> EventStore for Passing<B> {
    async fn commit(&self, batch: Batch) -> Commit {
        self.0.commit(batch).await
    }
    async fn read(&self, stream: &StreamId, after: Version, limit: usize) -> Result<Vec<Recorded>, ReadError> {
        self.0.readable()?;
        self.0.store().read(stream, after, limit).await
    }
    async fn read_log(&self, after: Position, limit: usize) -> Result<Vec<Recorded>, ReadError> {
        self.0.readable()?;
        self.0.store().read_log(after, limit).await
    }
    async fn answered(&self, saga: Uuid, deed: StepKey, undo: StepKey) -> Result<Recollection, ReadError> {
        self.0.readable()?;
        self.0.store().answered(saga, deed, undo).await
    }
}
#[async_trait]
impl<B: Between> Documents for Passing<B> {
    async fn get(&self, projection: &str, version: u16, key: &str) -> Result<Option<Document>, ReadError> {
        self.0.readable()?;
        self.0.store().get(projection, version, key).await
    }
    async fn get_all(&self, projection: &str, version: u16, keys: &[String]) -> Result<Vec<Document>, ReadError> {
        self.0.readable()?;
        self.0.store().get_all(projection, version, keys).await
    }
    async fn find(&self, find: &Find) -> Result<Vec<Document>, ReadError> {
        self.0.readable()?;
        self.0.store().find(find).await
    }
    async fn keys_ending(&self, projection: &str, version: u16, ending: &str) -> Result<Vec<String>, ReadError> {
        self.0.readable()?;
        self.0.store().keys_ending(projection, version, ending).await
    }
    async fn checkpoint(&self, consumer: &str) -> Result<Position, ReadError> {
        self.0.readable()?;
        self.0.store().checkpoint(consumer).await
    }
    async fn cached(&self, what: &Cached) -> Result<Option<Payload>, ReadError> {
        self.0.readable()?;
        self.0.store().cached(what).await
    }
}
#[async_trait]
impl<B: Between> Leases for Passing<B> {
    async fn lease(&self, owner: Uuid, claim: &Claim, ttl: Duration) -> Result<Vec<Lease>, ReadError> {
        self.0.lease(owner, claim, ttl).await
    }
}
#[async_trait]
impl<B: Between> Export for Passing<B> {
    async fn rows(&self, part: Part, after: Option<&Row>, limit: usize) -> Result<Vec<Row>, ReadError> {
        self.0.rows(part, after, limit).await
    }
}
#[async_trait]
impl<B: Between> Inspect for Passing<B> {
    async fn flaws(&self) -> Result<Vec<Flaw>, ReadError> {
        self.0.store().flaws().await
    }
}
#[async_trait]
impl<B: Between> Tail for Passing<B> {
    async fn head(&self) -> Result<Position, ReadError> {
        self.0.store().head().await
    }
    async fn grown(&self, after: Position) -> Position {
        self.0.store().grown(after).await
    }
}
