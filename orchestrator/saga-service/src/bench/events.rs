//! The store by itself: appends with an expected version, reading the whole log, loading one story.

use crate::bench::meter::{Used, now};
use crate::bench::place::written;
use crate::bench::report::Row;
use crate::bench::workload::{MODULES, Order, OrderEvent, booking, ledger};
use crate::bench::{BenchError, Place, Store};
use saga::{FreshIds, SystemClock};
use saga_core::aggregate::load;
use saga_core::batch::{Batch, Commit, StreamWrite};
use saga_core::envelope::{Actor, Metadata, NewEvent};
use saga_core::event::EventSet;
use saga_core::id::{Position, StreamId, Version};
use saga_core::json::Payload;
use saga_core::ports::{Clock as _, Ids as _, SharedStore};
use saga_engine::catchup::catch_up;
use saga_engine::journal::LOG_PAGE;
use std::time::Duration;
use tokio::task::JoinSet;
use uuid::Uuid;

/// The events go to this many stories.
const STREAMS: u64 = 1_000;
/// So many events has a story that is loaded.
const STORY: u64 = 100;
/// So many stories are loaded.
const LOADS: u64 = 1_000;

/// One event of about 300 bytes with its metadata.
fn event(number: u64) -> Result<NewEvent, BenchError> {
    let decided = OrderEvent::<0>::Booked(booking(number, 42));
    let meta = Metadata {
        correlation: Uuid::from_u128(u128::from(number)),
        causation: Uuid::from_u128(1),
        actor: Actor::system("bench"),
        saga: None,
        deed: None,
        traceparent: None,
    };
    let now = SystemClock.now();
    Ok(NewEvent {
        id: FreshIds.event(now),
        name: decided.name(),
        version: decided.version(),
        data: decided.encode().map_err(BenchError::broken)?,
        meta: Payload::of(&meta).map_err(BenchError::broken)?,
        time: now,
        public: true,
    })
}

/// One writer appends to its own streams in turn, each time with the version that it knows.
async fn writer(store: SharedStore, streams: Vec<u64>, appends: u64, batch: u64) -> Result<Vec<Duration>, BenchError> {
    let names = streams.iter().map(|stream| StreamId::new(OrderEvent::<0>::CATEGORY, format!("{stream:08}")));
    let names = names.collect::<Result<Vec<_>, _>>().map_err(BenchError::broken)?;
    let mut versions = vec![Version::ZERO; names.len()];
    let mut latencies = Vec::new();
    for number in 0..appends {
        let at = usize::try_from(number).unwrap_or(0) % names.len();
        let (Some(name), Some(version)) = (names.get(at), versions.get_mut(at)) else { continue };
        let events = (0..batch).map(|of| event(number * batch + of)).collect::<Result<Vec<_>, _>>()?;
        let began = now();
        let write = StreamWrite { stream: name.clone(), expected: *version, events };
        match store.commit(Batch { writes: vec![write], ..Batch::default() }).await {
            Commit::Ok(_) => version.0 += batch,
            other => return Err(BenchError::Broken(format!("an append was answered {other:?}"))),
        }
        latencies.push(began.elapsed());
    }
    Ok(latencies)
}

async fn fill(store: &SharedStore, at_once: u64, appends: u64, batch: u64) -> Result<Vec<Duration>, BenchError> {
    let mut writers = JoinSet::new();
    for one in 0..at_once {
        let streams = (one..STREAMS.max(at_once)).step_by(usize::try_from(at_once).unwrap_or(1)).collect();
        writers.spawn(writer(store.clone(), streams, appends.div_ceil(at_once), batch));
    }
    let mut latencies = Vec::new();
    while let Some(done) = writers.join_next().await {
        latencies.extend(done.map_err(BenchError::broken)??);
    }
    Ok(latencies)
}

/// E1: appends of `batch` events by `at_once` writers. Counts events.
pub async fn append(place: &Place, at_once: u64, events: u64, batch: u64) -> Result<Row, BenchError> {
    let store = Store::open(place, &MODULES[..1]).await?;
    let opened = store.stores().open(MODULES[0]).await?;
    let before = store.stats(&MODULES[..1]).await?;
    let disk = place.disk_bytes().await?;
    let used = Used::now();
    let latencies = fill(&opened, at_once, events.div_ceil(batch), batch).await?;
    let spent = used.since();
    let count = latencies.len() as u64 * batch;
    let name = if batch == 1 { "E1 append".to_owned() } else { format!("E1 append, batches of {batch}") };
    let row = Row::of(name, at_once, count, spent.wall, &spent).latencies(latencies);
    let mut row = row.disk(disk, place.disk_bytes().await?);
    written(&mut row, &before, &store.stats(&MODULES[..1]).await?);
    drop(opened);
    store.close().await?;
    Ok(row)
}

/// E2: the whole log, read and decoded, and a read model rebuilt from it, after a restart.
pub async fn replay(place: &Place, events: u64) -> Result<Vec<Row>, BenchError> {
    let store = Store::open(place, &MODULES[..1]).await?;
    let opened = store.stores().open(MODULES[0]).await?;
    fill(&opened, 16, events.div_ceil(100), 100).await?;
    drop(opened);
    let store = store.reopen().await?;
    let opened = store.stores().open(MODULES[0]).await?;
    let used = Used::now();
    let (mut at, mut read) = (Position::ZERO, 0_u64);
    loop {
        let page = opened.read_log(at, LOG_PAGE).await.map_err(BenchError::broken)?;
        let Some(last) = page.last() else { break };
        at = last.position;
        for recorded in &page {
            std::hint::black_box(OrderEvent::<0>::of(recorded).map_err(BenchError::broken)?);
            read += 1;
        }
    }
    let spent = used.since();
    let decoded = Row::of("E2 read and decode", 1, read, spent.wall, &spent);
    let used = Used::now();
    let end = catch_up(&ledger(), &opened, MODULES[0], &opened).await.map_err(BenchError::broken)?;
    let spent = used.since();
    let rebuilt = Row::of("E2 rebuild of a document projection", 1, end.0, spent.wall, &spent);
    drop(opened);
    store.close().await?;
    Ok(vec![decoded, rebuilt])
}

/// E3: one story of 100 events after another, after a restart.
pub async fn loads(place: &Place) -> Result<Row, BenchError> {
    let store = Store::open(place, &MODULES[..1]).await?;
    let opened = store.stores().open(MODULES[0]).await?;
    // Ten rounds over all stories, so that no story lies in one place.
    fill(&opened, 1, LOADS * STORY / 10, 10).await?;
    drop(opened);
    let store = store.reopen().await?;
    let opened = store.stores().open(MODULES[0]).await?;
    let mut latencies = Vec::new();
    let used = Used::now();
    for story in 0..LOADS {
        let began = now();
        let order = load::<Order<0>>(&opened, format!("{story:08}")).await.map_err(BenchError::broken)?;
        latencies.push(began.elapsed());
        if order.state.events != STORY {
            return Err(BenchError::Broken(format!("a story has {} events", order.state.events)));
        }
    }
    let spent = used.since();
    drop(opened);
    store.close().await?;
    Ok(Row::of(format!("E3 load of {STORY} events"), 1, LOADS, spent.wall, &spent).latencies(latencies))
}
