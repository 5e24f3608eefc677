//! The PostgreSQL store keeps the laws of stores: alone, and while a second process has the same schema open, through
//! which every other question goes.

use crate::database::Database;
use async_trait::async_trait;
use saga_core::batch::{Batch, Commit};
use saga_core::envelope::Recorded;
use saga_core::id::{Position, StepKey, StreamId, Version};
use saga_core::json::Payload;
use saga_core::laws::store::Reopen;
use saga_core::ports::{
    Cached, Claim, Document, Documents, EventStore, Find, Lease, Leases, ReadError, Recollection, SharedStore,
    Stores as _, Tail,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::Mutex;
use uuid::Uuid;

async fn postgres() -> (SharedStore, Reopen) {
    let database = Database::new().await;
    let stores = database.stores();
    let store: SharedStore = stores.open_store("law").await.unwrap();
    let current = Arc::new(Mutex::new(stores));
    let reopen = move || {
        let (database, current) = (database.clone(), Arc::clone(&current));
        Box::pin(async move {
            let mut stores = current.lock().await;
            stores.close().await;
            *stores = database.stores();
            stores.open_store("law").await.unwrap() as SharedStore
        }) as std::pin::Pin<Box<dyn Future<Output = SharedStore> + Send>>
    };
    (store, Box::new(reopen))
}

mod alone {
    saga_core::store_laws!(super::postgres);
}

/// Two processes, as it were: each call goes through the other one than the call before.
struct Both {
    stores: [SharedStore; 2],
    calls: AtomicUsize,
}

impl Both {
    fn next(&self) -> &SharedStore {
        &self.stores[self.calls.fetch_add(1, Ordering::Relaxed) % 2]
    }
}

#[async_trait]
impl EventStore for Both {
    async fn commit(&self, batch: Batch) -> Commit {
        // The one law in which batches are sent at once and build on each other: an order that one process keeps for
        // those who share it, and that nobody can keep for two.
        let chained = batch.writes.iter().any(|write| write.stream.id() == "chained");
        let store = if chained { &self.stores[0] } else { self.next() };
        store.commit(batch).await
    }
    async fn read(&self, stream: &StreamId, after: Version, limit: usize) -> Result<Vec<Recorded>, ReadError> {
        self.next().read(stream, after, limit).await
    }
    async fn read_log(&self, after: Position, limit: usize) -> Result<Vec<Recorded>, ReadError> {
        self.next().read_log(after, limit).await
    }
    async fn answered(&self, saga: Uuid, deed: StepKey, undo: StepKey) -> Result<Recollection, ReadError> {
        self.next().answered(saga, deed, undo).await
    }
}
#[async_trait]
impl Documents for Both {
    async fn get(&self, projection: &str, version: u16, key: &str) -> Result<Option<Document>, ReadError> {
        self.next().get(projection, version, key).await
    }
    async fn find(&self, find: &Find) -> Result<Vec<Document>, ReadError> {
        self.next().find(find).await
    }
    async fn checkpoint(&self, consumer: &str) -> Result<Position, ReadError> {
        self.next().checkpoint(consumer).await
    }
    async fn cached(&self, what: &Cached) -> Result<Option<Payload>, ReadError> {
        self.next().cached(what).await
    }
}
#[async_trait]
impl Tail for Both {
    async fn head(&self) -> Result<Position, ReadError> {
        self.next().head().await
    }
    async fn grown(&self, after: Position) -> Position {
        self.next().grown(after).await
    }
}
#[async_trait]
impl Leases for Both {
    async fn lease(&self, owner: Uuid, claim: &Claim, ttl: Duration) -> Result<Vec<Lease>, ReadError> {
        self.next().lease(owner, claim, ttl).await
    }
}

async fn both() -> (SharedStore, Reopen) {
    let database = Database::new().await;
    let open = async |database: &Database| {
        let stores = [database.stores(), database.stores()];
        let opened = [stores[0].open("law").await.unwrap(), stores[1].open("law").await.unwrap()];
        (stores, Arc::new(Both { stores: opened, calls: AtomicUsize::new(0) }) as SharedStore)
    };
    let (stores, store) = open(&database).await;
    let current = Arc::new(Mutex::new(stores));
    let reopen = move || {
        let (database, current) = (database.clone(), Arc::clone(&current));
        Box::pin(async move {
            let mut stores = current.lock().await;
            for stores in &*stores {
                stores.close().await;
            }
            let store;
            (*stores, store) = open(&database).await;
            store
        }) as std::pin::Pin<Box<dyn Future<Output = SharedStore> + Send>>
    };
    (store, Box::new(reopen))
}

mod among_two {
    saga_core::store_laws!(super::both);
}
