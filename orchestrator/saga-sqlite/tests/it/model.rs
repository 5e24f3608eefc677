//! A random history of batches gives the same answers, the same log and the same documents in memory and in SQLite.

use crate::folder::{Folder, clock};
use async_trait::async_trait;
use proptest::prelude::*;
use saga_core::ports::{SharedStore, Stores as _};
use saga_engine::memory::MemoryStore;
use saga_sqlite::SqliteStores;
use saga_testkit::laws::model::{Subject, same_story};
use std::sync::Arc;

/// A folder of its own.
struct OnSqlite {
    folder: Folder,
    open: Option<SqliteStores>,
}
#[async_trait]
impl Subject for OnSqlite {
    async fn reopen(&mut self) -> SharedStore {
        if let Some(stores) = self.open.take() {
            stores.close().await;
        }
        self.open.insert(SqliteStores::new(self.folder.path(), clock())).open("m").await.unwrap()
    }
}

async fn play(bytes: Vec<u8>) {
    let memory: SharedStore = Arc::new(MemoryStore::new(clock()));
    let mut subject = OnSqlite { folder: Folder::new(), open: None };
    same_story(&bytes, &memory, &mut subject).await;
    if let Some(stores) = subject.open {
        stores.close().await;
    }
}

proptest! {
    // 48 histories: some seconds on a laptop, each with two or more opens and dozens of flushes.
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn memory_and_sqlite_tell_the_same_story(bytes in prop::collection::vec(any::<u8>(), 1..700)) {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(play(bytes));
    }
}
