//! The reference store keeps the laws of stores.

use saga_core::ports::SharedStore;
use saga_core::time::Timestamp;
use saga_engine::memory::{MemoryStore, StillClock};
use saga_testkit::laws::store::Reopen;
use std::sync::Arc;

async fn memory() -> (SharedStore, Reopen) {
    let clock = Arc::new(StillClock::at(Timestamp(1_700_000_000_000_000)));
    let store: SharedStore = Arc::new(MemoryStore::new(clock));
    let again = Arc::clone(&store);
    (store, Box::new(move || Box::pin(std::future::ready(Arc::clone(&again)))))
}

saga_testkit::store_laws!(memory);
