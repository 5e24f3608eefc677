//! Sagas from start to durable end, as many at once as wanted, each begun when the one before has ended.

use crate::bench::meter::{Used, now};
use crate::bench::place::written;
use crate::bench::report::Row;
use crate::bench::workload::{Asking, Local, MODULES, desk};
use crate::bench::{BenchError, Place, Store};
use saga::{BOARD_CONSUMER, JOURNAL, Orchestrator, Sagas, SystemClock};
use saga_core::json::Payload;
use saga_core::ports::{Clock as _, SharedStore};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::task::JoinSet;

/// A board that is further behind than this will not catch up by itself.
const SETTLED_WITHIN: Duration = Duration::from_secs(60);

/// What kind of saga, and how many.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// How many are measured.
    pub sagas: u64,
    /// Steps of each: 1 to 8; asking sagas have 4.
    pub steps: u64,
    /// Whether its steps ask modules, each with a store of its own.
    pub ask: bool,
    /// Whether the last step says no, so that the others are undone.
    pub refuse_last: bool,
    /// How many are under way at once.
    pub at_once: u64,
    /// How many have ended in these stores before.
    pub ended: u64,
    /// The seed of all jitter.
    pub seed: u64,
}

impl Options {
    fn name(&self) -> String {
        let kind = match (self.ask, self.refuse_last) {
            (false, false) => "W1",
            (true, false) => "W1m",
            (false, true) => "W1f",
            (true, true) => "W1mf",
        };
        let steps = if self.steps == 4 { String::new() } else { format!(", {} steps", self.steps) };
        let ended = if self.ended == 0 { String::new() } else { format!(", {} ended before", self.ended) };
        format!("{kind}{steps}{ended}")
    }
    fn definition(&self) -> Result<(&'static str, u16), BenchError> {
        match (self.ask, self.steps) {
            (true, 4) => Ok(("bench-asking", 1)),
            (true, steps) => Err(BenchError::Usage(format!("there are four modules to ask, not {steps}"))),
            (false, 1..=8) => Ok(("bench-local", u16::try_from(self.steps).unwrap_or(1))),
            (false, steps) => Err(BenchError::Usage(format!("1 to 8 steps can be measured, not {steps}"))),
        }
    }
}

/// Starts everything on these stores.
pub(crate) async fn orchestrator(store: &Store, ask: bool, seed: u64) -> Result<Sagas, BenchError> {
    let mut all = Orchestrator::on(store.stores()).seed(seed);
    if let Some(bus) = store.bus() {
        all = all.bus(bus);
    }
    let all = all.register::<Local<1>>().register::<Local<2>>().register::<Local<3>>().register::<Local<4>>();
    let all = all.register::<Local<5>>().register::<Local<6>>().register::<Local<7>>().register::<Local<8>>();
    let all = all.register::<crate::bench::workload::Open>();
    let all = if ask {
        let all = all.module(desk::<0>()).module(desk::<1>()).module(desk::<2>()).module(desk::<3>());
        all.register::<Asking>()
    } else {
        all
    };
    Ok(all.start().await?)
}

/// Measures once, on fresh stores.
pub async fn measure(place: &Place, options: &Options) -> Result<Row, BenchError> {
    let (kind, version) = options.definition()?;
    let modules: Vec<&str> = std::iter::once(JOURNAL).chain(MODULES.into_iter().filter(|_| options.ask)).collect();
    let store = Store::open(place, &modules).await?;
    let sagas = orchestrator(&store, options.ask, options.seed).await?;
    let journal = store.stores().open(JOURNAL).await?;
    if options.ended > 0 {
        run(&sagas, kind, version, options, options.ended, 256).await?;
    }
    // Statements are prepared and files have grown before the measurement begins.
    run(&sagas, kind, version, options, options.sagas.div_ceil(20).clamp(20, 1_000), options.at_once).await?;
    settled(&journal).await?;
    let before = store.stats(&modules).await?;
    let disk = place.disk_bytes().await?;
    let used = Used::now();
    let (wall, latencies) = run(&sagas, kind, version, options, options.sagas, options.at_once).await?;
    // What the sagas owe to their read model is their cost too.
    settled(&journal).await?;
    let spent = used.since();
    let count = latencies.len() as u64;
    let row = Row::of(options.name(), options.at_once, count, wall, &spent).latencies(latencies);
    let mut row = row.disk(disk, place.disk_bytes().await?);
    written(&mut row, &before, &store.stats(&modules).await?);
    sagas.shutdown().await?;
    drop(sagas);
    store.close().await?;
    Ok(row)
}

/// Runs sagas, and says how long it took until the last one's end was durable.
async fn run(
    sagas: &Sagas,
    kind: &'static str,
    version: u16,
    options: &Options,
    count: u64,
    at_once: u64,
) -> Result<(Duration, Vec<Duration>), BenchError> {
    let next = Arc::new(AtomicU64::new(0));
    let mut clients = JoinSet::new();
    let began = now();
    for _ in 0..at_once {
        let (sagas, next, refuse_last) = (sagas.clone(), Arc::clone(&next), options.refuse_last);
        clients.spawn(async move {
            let mut latencies = Vec::new();
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= count {
                    return Ok::<_, BenchError>(latencies);
                }
                let input = Payload::of(&Asking { number, refuse_last }).map_err(BenchError::broken)?;
                let began = now();
                let begun = sagas.start_raw(kind, Some(version), None, input, None).await?;
                sagas.wait(begun.saga).await?;
                latencies.push(began.elapsed());
            }
        });
    }
    let mut latencies = Vec::new();
    while let Some(client) = clients.join_next().await {
        latencies.extend(client.map_err(BenchError::broken)??);
    }
    Ok((began.elapsed(), latencies))
}

/// Waits until the board has taken in the whole log.
async fn settled(journal: &SharedStore) -> Result<(), BenchError> {
    let began = now();
    loop {
        let head = journal.head().await.map_err(BenchError::broken)?;
        if journal.checkpoint(BOARD_CONSUMER).await.map_err(BenchError::broken)? >= head {
            return Ok(());
        }
        if began.elapsed() > SETTLED_WITHIN {
            return Err(BenchError::Broken("the board does not catch up".to_owned()));
        }
        SystemClock.pause(Duration::from_millis(20)).await;
    }
}
