//! How long a process takes until every open saga is in memory again.

use crate::bench::meter::{Used, now};
use crate::bench::report::Row;
use crate::bench::sagas::orchestrator;
use crate::bench::workload::Open;
use crate::bench::{BenchError, Place, Store};
use saga::{JOURNAL, SystemClock};
use saga_core::ports::Clock as _;
use std::time::Duration;
use tokio::task::JoinSet;

/// Leaves this many sagas at a decision, closes everything, and starts again.
pub async fn restart(place: &Place, open: u64, seed: u64) -> Result<Row, BenchError> {
    let store = Store::open(place, &[JOURNAL]).await?;
    let sagas = orchestrator(&store, false, seed).await?;
    let mut clients = JoinSet::new();
    for client in 0..open.min(256) {
        let sagas = sagas.clone();
        clients.spawn(async move {
            for number in (client..open).step_by(256) {
                sagas.start(Open { number }).await?;
            }
            Ok::<_, BenchError>(())
        });
    }
    while let Some(client) = clients.join_next().await {
        client.map_err(BenchError::broken)??;
    }
    sagas.shutdown().await?;
    drop(sagas);
    let store = store.reopen().await?;
    let used = Used::now();
    let began = now();
    let sagas = orchestrator(&store, false, seed).await?;
    while !(sagas.is_ready().await?) {
        SystemClock.pause(Duration::from_millis(1)).await;
    }
    let wall = began.elapsed();
    let spent = used.since();
    let found = sagas.open().await? as u64;
    sagas.shutdown().await?;
    drop(sagas);
    store.close().await?;
    if found != open {
        return Err(BenchError::Broken(format!("{found} of {open} open sagas were found again")));
    }
    Ok(Row::of("restart until ready", 1, open, wall, &spent).latencies(vec![wall]))
}
