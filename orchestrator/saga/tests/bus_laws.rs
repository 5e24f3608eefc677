//! The buses of this crate keep the laws of buses; time stands still until a law moves it.

use saga::core::bus::AnyBus;
use saga::core::ports::{Clock, SharedStore};
use saga::{DELIVERIES_MAX, LocalBus, Loopback, SETTLE_WITHIN};
use saga_engine::memory::{MemoryStore, StillClock};
use saga_testkit::laws::bus::BusCase;
use saga_testkit::stage::STAGE_TIME;
use std::sync::Arc;

fn case(over: impl FnOnce(Arc<LocalBus>, Arc<dyn Clock>) -> Arc<dyn AnyBus>) -> BusCase {
    let clock = Arc::new(StillClock::at(STAGE_TIME));
    let store: SharedStore = Arc::new(MemoryStore::new(Arc::clone(&clock) as Arc<dyn Clock>));
    let bus = Arc::new(LocalBus::new(Arc::clone(&clock) as Arc<dyn Clock>));
    bus.carry("law", Arc::clone(&store), 0);
    BusCase {
        bus: over(bus, Arc::clone(&clock) as Arc<dyn Clock>),
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

mod within_the_process {
    async fn local() -> super::BusCase {
        super::case(|bus, _| bus)
    }
    saga_testkit::bus_laws!(local);
}
mod behind_the_loopback {
    async fn near() -> super::BusCase {
        super::case(|bus, clock| std::sync::Arc::new(super::Loopback::new(clock).before(bus)))
    }
    saga_testkit::bus_laws!(near);
}
