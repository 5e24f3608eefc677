//! The PostgreSQL store keeps the laws of stores: alone, and while a second process has the same schema open, through
//! which every other question goes.

use crate::database::Database;
use async_trait::async_trait;
use saga_core::batch::{Batch, Commit};
use saga_core::ports::{SharedStore, Stores as _};
use saga_testkit::between::{Between, Passing};
use saga_testkit::laws::store::Reopen;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::Mutex;

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
    saga_testkit::store_laws!(super::postgres);
}

/// Two processes, as it were: each call goes through the other one than the call before.
struct Both {
    stores: [SharedStore; 2],
    calls: AtomicUsize,
}

#[async_trait]
impl Between for Both {
    fn store(&self) -> &SharedStore {
        &self.stores[self.calls.fetch_add(1, Ordering::Relaxed) % 2]
    }
    async fn commit(&self, batch: Batch) -> Commit {
        // The one law in which batches are sent at once and build on each other: an order that one process keeps for
        // its callers, and that nothing can keep for two.
        let chained = batch.writes.iter().any(|write| write.stream.id() == "chained");
        let store = if chained { &self.stores[0] } else { self.store() };
        store.commit(batch).await
    }
}

async fn both() -> (SharedStore, Reopen) {
    let database = Database::new().await;
    let open = async |database: &Database| {
        let stores = [database.stores(), database.stores()];
        let opened = [stores[0].open("law").await.unwrap(), stores[1].open("law").await.unwrap()];
        (stores, Arc::new(Passing(Both { stores: opened, calls: AtomicUsize::new(0) })) as SharedStore)
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
    saga_testkit::store_laws!(super::both);
}
