//! A coordinator that does not reach the bus: it gives way to one that does, and alone it goes on.

use async_trait::async_trait;
use saga::core::bus::{
    Answerer, AnyBus, Aside, Bus, BusError, Calls, Delivery, EventBus, Inbox, Line, Message, Settle, Standing, Tip,
    Upkeep,
};
use saga::core::envelope::Recorded;
use saga::core::json::Payload;
use saga::core::memory::MemoryStores;
use saga::core::outcome::Refused;
use saga::core::ports::{Clock, Stores};
use saga::prelude::*;
use saga::{JOURNAL, LocalBus, SystemClock};
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

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
impl Bus for Way {
    async fn publish(&self, message: Message) -> Result<(), BusError> {
        if self.away.load(Ordering::SeqCst) {
            return Err(BusError::Unavailable("it is away".to_owned()));
        }
        self.bus.publish(message).await
    }
    async fn receive(&self, inbox: &Inbox, max: usize) -> Result<Vec<Delivery>, BusError> {
        self.bus.receive(inbox, max).await
    }
    async fn settle(&self, inbox: &Inbox, settled: Vec<(u64, Settle)>) -> Result<(), BusError> {
        self.bus.settle(inbox, settled).await
    }
    async fn leave(&self, inbox: &Inbox) -> Result<(), BusError> {
        self.bus.leave(inbox).await
    }
    async fn put_aside(&self, aside: Aside) -> Result<(), BusError> {
        self.bus.put_aside(aside).await
    }
    async fn aside_count(&self, module: &str) -> Result<u64, BusError> {
        self.bus.aside_count(module).await
    }
    async fn aside(&self, module: &str, limit: usize) -> Result<Vec<Aside>, BusError> {
        self.bus.aside(module, limit).await
    }
    fn is_deaf(&self, _: &Inbox) -> bool {
        self.away.load(Ordering::SeqCst)
    }
}
#[async_trait]
impl EventBus for Way {
    async fn publish_events(&self, module: &str, events: &[Recorded]) -> Result<u64, BusError> {
        self.bus.publish_events(module, events).await
    }
    async fn tip(&self, module: &str) -> Result<Tip, BusError> {
        self.bus.tip(module).await
    }
    async fn events(&self, module: &str, after: u64, max: usize) -> Result<Vec<Recorded>, BusError> {
        self.bus.events(module, after, max).await
    }
    async fn owner_head(&self, module: &str) -> Result<u64, BusError> {
        self.bus.owner_head(module).await
    }
    async fn standing(&self, module: &str, seq: u64) -> Result<Standing, BusError> {
        self.bus.standing(module, seq).await
    }
    async fn missing(&self, module: &str, head: u64) -> Result<Vec<RangeInclusive<u64>>, BusError> {
        self.bus.missing(module, head).await
    }
}
#[async_trait]
impl Calls for Way {
    async fn serve(&self, lines: Vec<(Line, Answerer)>) -> Result<(), BusError> {
        self.bus.serve(lines).await
    }
    async fn call(
        &self,
        line: &Line,
        question: &Payload,
        patience: Duration,
    ) -> Result<Result<Payload, Refused>, BusError> {
        self.bus.call(line, question, patience).await
    }
}
impl Upkeep for Way {}

async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let until = SystemClock.passed() + Duration::from_secs(30);
    while !holds() {
        assert!(SystemClock.passed() < until, "{what} within half a minute");
        SystemClock.pause(Duration::from_millis(5)).await;
    }
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
    eventually("they share", shared).await;
    his.away.store(true, Ordering::SeqCst);
    let lost = SystemClock.passed();
    eventually("the other has all", || one.groups().is_empty() && two.groups().len() == GROUPS).await;
    let took = SystemClock.passed() - lost;
    assert!(took >= LEASE, "a broker that is away for a moment costs nobody a takeover: {took:?}");
    assert!(took < LEASE * 2 + Duration::from_secs(2), "{took:?}");
    // Nobody reaches it: what is held is kept, and goes on as far as it can.
    hers.away.store(true, Ordering::SeqCst);
    SystemClock.pause(LEASE * 3).await;
    assert_eq!(one.groups().len() + two.groups().len(), GROUPS, "somebody owns each");
    let saga = two.start(Row { number: 1 }).await.unwrap().saga;
    two.wait(saga).await.unwrap();
    for way in [&his, &hers] {
        way.away.store(false, Ordering::SeqCst);
    }
    eventually("they share again", shared).await;
    one.shutdown().await.unwrap();
    two.shutdown().await.unwrap();
}
