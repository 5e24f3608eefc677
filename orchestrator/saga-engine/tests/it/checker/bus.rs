//! The comparison of a log with the bus is checked: a bus that has lost, changed, turned or invented something, each in every
//! place, and exactly the promise that was broken is named.
#![expect(clippy::unwrap_used, clippy::panic, reason = "what tests share speaks by panicking")]

use async_trait::async_trait;
use saga_core::batch::{Batch, Commit, Mark, StreamWrite};
use saga_core::bus::{BusError, EventBus, Standing, Tip};
use saga_core::envelope::{NewEvent, Recorded};
use saga_core::id::{EventId, Position, StreamId, Version};
use saga_core::json::Payload;
use saga_core::ports::SharedStore;
use saga_core::time::Timestamp;
use saga_engine::audit::{RELAY, audit_bus, compare_bus, missing};
use saga_engine::memory::{MemoryStore, StillClock};
use std::ops::RangeInclusive;
use std::sync::Arc;
use uuid::Uuid;

/// A bus that has just this; `None`: nothing that carries the module's events.
struct Carried(Option<Vec<Recorded>>);

#[async_trait]
impl EventBus for Carried {
    async fn publish_events(&self, _: &str, _: &[Recorded]) -> Result<u64, BusError> {
        panic!("who compares publishes nothing")
    }
    async fn tip(&self, module: &str) -> Result<Tip, BusError> {
        match &self.0 {
            Some(events) => {
                Ok(Tip { seq: events.len() as u64, id: events.last().map(|event| event.id), ..Tip::default() })
            }
            None => Err(BusError::Missing { what: format!("EVT_{module}"), next: "start it".to_owned() }),
        }
    }
    async fn events(&self, _: &str, after: u64, max: usize) -> Result<Vec<Recorded>, BusError> {
        let events = self.0.iter().flatten().skip(usize::try_from(after).unwrap()).take(max);
        Ok(events.cloned().collect())
    }
    async fn owner_head(&self, _: &str) -> Result<u64, BusError> {
        panic!("who compares has the log itself")
    }
    async fn standing(&self, _: &str, _: u64) -> Result<Standing, BusError> {
        panic!("who compares has the log itself")
    }
    async fn missing(&self, _: &str, _: u64) -> Result<Vec<RangeInclusive<u64>>, BusError> {
        panic!("the comparison looks for itself")
    }
}

/// A log of so many events, every third of them private, and the public ones of it.
async fn log(events: u64) -> (SharedStore, Vec<Recorded>) {
    let store: SharedStore = Arc::new(MemoryStore::new(Arc::new(StillClock::at(Timestamp(1)))));
    let event = |number: u64| NewEvent {
        id: EventId(Uuid::from_u128(number.into())),
        name: "Noted",
        version: 1,
        data: Payload::trusted(number.to_string()),
        meta: Payload::trusted("{}"),
        time: Timestamp(1),
        public: !number.is_multiple_of(3),
    };
    let stream = StreamId::parse("test-a").unwrap();
    let numbers: Vec<u64> = (1..=events).collect();
    for some in numbers.chunks(500) {
        let (stream, expected) = (stream.clone(), Version(some[0] - 1));
        let write = StreamWrite { stream, expected, events: some.iter().copied().map(event).collect() };
        let written = store.commit(Batch { writes: vec![write], ..Batch::default() }).await;
        assert!(matches!(written, Commit::Ok(_)), "{written:?}");
    }
    let all = store.read_log(Position::ZERO, usize::MAX).await.unwrap();
    (store, all.into_iter().filter(|event| event.public_seq.is_some()).collect())
}
async fn compared(store: &SharedStore, bus: Option<Vec<Recorded>>) -> Vec<(String, String)> {
    let findings = audit_bus("test", store, &Carried(bus)).await.unwrap();
    findings.into_iter().map(|finding| (finding.promise, finding.place)).collect()
}
fn named(promise: &str, seq: usize) -> Vec<(String, String)> {
    vec![(promise.to_owned(), format!("test sequence {seq}"))]
}

/// More events than are asked of a bus at a time.
const EVENTS: u64 = 1_600;

#[tokio::test]
async fn a_bus_that_has_it_all_is_good() {
    let (store, public) = log(EVENTS).await;
    assert_eq!(compared(&store, Some(public)).await, []);
    let (empty, _) = log(0).await;
    assert_eq!(compared(&empty, None).await, [], "a module that never published has nothing to carry");
}

#[tokio::test]
async fn a_bus_that_ends_early_or_late_is_found() {
    let (store, public) = log(EVENTS).await;
    for kept in [0, 1, 499, 500, 501, public.len() - 1] {
        assert_eq!(compared(&store, Some(public[..kept].to_vec())).await, named("L4", kept + 1));
    }
    let absent = missing("test", "EVT_test", "start it");
    assert_eq!(compared(&store, None).await, [(absent.promise, absent.place)]);
    let mut longer = public.clone();
    longer.push(Recorded { id: EventId(Uuid::from_u128(9_999)), ..public[0].clone() });
    assert_eq!(compared(&store, Some(longer)).await, named("L5", public.len() + 1));
}

/// The log is the outbox: what its relay was never told to be on the bus is under way. What it was told is lost.
#[tokio::test]
async fn what_is_under_way_is_told_and_what_was_acknowledged_is_missed() {
    for (acknowledged, kept, at_rest, lost) in [
        (0, 0, false, false),
        (0, 12, false, false),
        (12, 12, false, false),
        (12, 19, false, false),
        (13, 12, false, true),
        (20, 19, false, true),
        (12, 12, true, true),
        (20, 20, true, false),
    ] {
        // Twenty of these are public.
        let (store, public) = log(30).await;
        let last = public.iter().take(acknowledged).next_back();
        let marks = last.map(|event| Mark { consumer: RELAY.to_owned(), position: event.position });
        let written = store.commit(Batch { marks: marks.into_iter().collect(), ..Batch::default() }).await;
        assert!(matches!(written, Commit::Ok(_)), "{written:?}");
        let found = compare_bus("test", &store, &Carried(Some(public[..kept].to_vec())), at_rest).await.unwrap();
        let place = format!("{acknowledged} acknowledged, {kept} there, at rest {at_rest}: {found:?}");
        assert_eq!(found.findings.len(), usize::from(lost), "{place}");
        assert!(found.findings.iter().all(|finding| finding.promise == "L4"), "{place}");
        assert_eq!(found.under_way.is_some(), kept < 20 && !lost, "{place}");
        let words = "test is not at rest";
        assert!(found.under_way.is_none_or(|says| says.starts_with(words)), "{place}");
    }
}

#[tokio::test]
async fn a_bus_that_changed_an_event_is_found() {
    let (store, public) = log(EVENTS).await;
    for at in [0, 498, 499, 500, public.len() - 1] {
        for touch in [(|event: &mut Recorded| event.data = Payload::trusted("0")) as fn(&mut Recorded), |event| {
            event.chain[31] ^= 1
        }] {
            let mut changed = public.clone();
            touch(&mut changed[at]);
            assert_eq!(compared(&store, Some(changed)).await, named("L5", at + 1));
        }
        let mut other = public.clone();
        other[at].id = EventId(Uuid::from_u128(9_999));
        assert_eq!(compared(&store, Some(other)).await, named("L6", at + 1));
    }
    let mut turned = public.clone();
    turned.swap(3, 4);
    assert_eq!(compared(&store, Some(turned)).await, [named("L6", 4), named("L6", 5)].concat());
}
