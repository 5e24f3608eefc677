//! A coordinator that does not reach the bus: it gives way to one that does, and alone it goes on.
#![expect(clippy::unwrap_used, reason = "what tests share speaks by panicking")]

use async_trait::async_trait;
use saga::core::bus::{AnyBus, Bus, BusError, Inbox, Message, Onward};
use saga::core::control::{Asks, ask};
use saga::core::envelope::Actor;
use saga::core::ports::{Clock, Stores};
use saga::prelude::*;
use saga::{JOURNAL, LocalBus, LocalControl, SystemClock};
use saga_engine::memory::MemoryStores;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use test_servers::waiting::{until_so, within};

const LEASE: Duration = Duration::from_millis(400);
const GROUPS: usize = 16;

#[derive(Serialize, Deserialize)]
struct Row {
    number: u32,
}
impl Saga for Row {
    const NAME: &'static str = "row";
    const VERSION: u16 = 1;
    fn plan(plan: Plan) -> Definition {
        plan.step("a", hold, free).end()
    }
}
async fn hold(key: StepKey) -> Step<StepKey> {
    Ok(key)
}
async fn free(Undoing(_): Undoing) -> Step<()> {
    Ok(())
}

/// The bus of one process, which can be away for it.
struct Way {
    bus: Arc<LocalBus>,
    away: AtomicBool,
}
#[async_trait]
impl Onward for Way {
    fn behind(&self) -> &dyn AnyBus {
        &*self.bus
    }
    async fn publish(&self, message: Message) -> Result<(), BusError> {
        if self.away.load(Ordering::SeqCst) {
            return Err(BusError::Unavailable("it is away".to_owned()));
        }
        self.bus.publish(message).await
    }
    fn is_deaf(&self, _: &Inbox) -> bool {
        self.away.load(Ordering::SeqCst)
    }
}

/// What the status says of the bus.
async fn bus_of(sagas: &Sagas) -> String {
    let control = LocalControl::new(sagas.clone(), "memory", "it survives everything");
    control.ask(&Actor::system("test"), ask::WhoIsThere {}).await.unwrap().bus
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_does_not_reach_the_bus_gives_way_to_who_does_and_alone_goes_on() {
    let stores: Arc<dyn Stores> = Arc::new(MemoryStores::new(Arc::new(SystemClock)));
    let bus = Arc::new(LocalBus::new(Arc::new(SystemClock)));
    bus.carry(JOURNAL, stores.open(JOURNAL).await.unwrap(), 0);
    let way = || Arc::new(Way { bus: Arc::clone(&bus), away: AtomicBool::new(false) });
    let (his, hers) = (way(), way());
    let process = |way: &Arc<Way>| {
        let (stores, bus) = (Arc::clone(&stores), Arc::clone(way) as Arc<dyn AnyBus>);
        Orchestrator::on(stores).bus(bus).groups(16).lease(LEASE).register::<Row>().start()
    };
    let (one, two) = (process(&his).await.unwrap(), process(&hers).await.unwrap());
    let shared = || one.groups().len() == GROUPS / 2 && two.groups().len() == GROUPS / 2;
    until_so("they share", shared).await;
    his.away.store(true, Ordering::SeqCst);
    let lost = SystemClock.passed();
    until_so("the other has all", || one.groups().is_empty() && two.groups().len() == GROUPS).await;
    let took = SystemClock.passed() - lost;
    assert!(took >= LEASE, "a broker that is away for a moment costs nobody a takeover: {took:?}");
    assert!(took < LEASE * 2 + Duration::from_secs(2), "{took:?}");
    // Nobody reaches it: what is held is kept, and goes on as far as it can.
    hers.away.store(true, Ordering::SeqCst);
    SystemClock.pause(LEASE * 3).await;
    assert_eq!(one.groups().len() + two.groups().len(), GROUPS, "somebody owns each");
    let saga = two.start(Row { number: 1 }).await.unwrap().saga;
    within("the end of a saga", two.wait(saga)).await.unwrap();
    assert!(bus_of(&two).await.starts_with("away: "), "what a bus promises that is away is not said of it");
    for way in [&his, &hers] {
        way.away.store(false, Ordering::SeqCst);
    }
    until_so("they share again", shared).await;
    assert_eq!(bus_of(&two).await, "it survives everything");
    one.shutdown().await.unwrap();
    two.shutdown().await.unwrap();
}
