//! The PostgreSQL store keeps the laws of stores: alone, and while a second process has the same schema open, through
//! which every other question goes.

use crate::database::Database;
use saga_core::laws::store::Reopen;
use saga_core::ports::SharedStore;
use std::sync::Arc;
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
    saga_core::store_laws!(super::postgres);
}
