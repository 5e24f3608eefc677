//! A random history of batches gives the same answers, the same log and the same documents in memory and in PostgreSQL.

use crate::database::{Database, clock};
use async_trait::async_trait;
use proptest::prelude::*;
use saga_core::ports::{SharedStore, Stores as _};
use saga_engine::memory::MemoryStore;
use saga_postgres::PostgresStores;
use saga_testkit::laws::model::{Subject, same_story};
use std::sync::Arc;

/// A database of its own.
struct OnPostgres {
    database: Database,
    open: Option<PostgresStores>,
}
#[async_trait]
impl Subject for OnPostgres {
    async fn reopen(&mut self) -> SharedStore {
        if let Some(stores) = self.open.take() {
            stores.close().await;
        }
        self.open.insert(self.database.stores()).open("m").await.unwrap()
    }
}

async fn play(bytes: Vec<u8>) {
    let memory: SharedStore = Arc::new(MemoryStore::new(clock()));
    let mut subject = OnPostgres { database: Database::new().await, open: None };
    same_story(&bytes, &memory, &mut subject).await;
    if let Some(stores) = subject.open {
        stores.close().await;
    }
}

proptest! {
    // 16 histories: some seconds on a laptop, each in a database of its own with two or more opens and dozens of flushes.
    #![proptest_config(ProptestConfig { cases: 16, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn memory_and_postgres_tell_the_same_story(bytes in prop::collection::vec(any::<u8>(), 1..700)) {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(play(bytes));
    }
}
