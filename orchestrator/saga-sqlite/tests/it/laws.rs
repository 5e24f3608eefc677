//! The SQLite store keeps the laws of stores; reopening is a real close and a real open of the same file.

use crate::folder::{Folder, clock};
use saga_core::ports::SharedStore;
use saga_sqlite::SqliteStores;
use saga_testkit::laws::store::Reopen;
use std::sync::Arc;
use tokio::sync::Mutex;

async fn sqlite() -> (SharedStore, Reopen) {
    let folder = Arc::new(Folder::new());
    let stores = SqliteStores::new(folder.path(), clock());
    let store: SharedStore = stores.open_store("law").await.unwrap();
    let current = Arc::new(Mutex::new(stores));
    let reopen = move || {
        let (folder, current) = (Arc::clone(&folder), Arc::clone(&current));
        Box::pin(async move {
            let mut stores = current.lock().await;
            stores.close().await;
            *stores = SqliteStores::new(folder.path(), clock());
            stores.open_store("law").await.unwrap() as SharedStore
        }) as std::pin::Pin<Box<dyn Future<Output = SharedStore> + Send>>
    };
    (store, Box::new(reopen))
}

saga_testkit::store_laws!(sqlite);
