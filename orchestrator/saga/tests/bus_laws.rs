//! The bus inside one process keeps the laws of buses; time stands still until a law moves it.

use saga::core::laws::bus::BusCase;
use saga::core::memory::{MemoryStore, StillClock};
use saga::core::ports::{Clock, SharedStore};
use saga::core::stage::STAGE_TIME;
use saga::{DELIVERIES_MAX, LocalBus, SETTLE_WITHIN};
use std::sync::Arc;

async fn local() -> BusCase {
    let clock = Arc::new(StillClock::at(STAGE_TIME));
    let store: SharedStore = Arc::new(MemoryStore::new(Arc::clone(&clock) as Arc<dyn Clock>));
    let bus = Arc::new(LocalBus::new(Arc::clone(&clock) as Arc<dyn Clock>));
    bus.carry("law", Arc::clone(&store), 0);
    BusCase {
        bus,
        store,
        pass: Box::new(move |duration| {
            clock.move_to(clock.now().plus(duration));
            Box::pin(std::future::ready(()))
        }),
        settle_within: SETTLE_WITHIN,
        deliveries_max: DELIVERIES_MAX,
        keep: Box::new(()),
    }
}
saga::core::bus_laws!(local);
