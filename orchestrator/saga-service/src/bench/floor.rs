//! The hand-written minimum under every other number: bare appends, grouped by whoever waits, on the same settings.

use crate::bench::BenchError;
use crate::bench::meter::{Used, disk_bytes, now};
use crate::bench::place::Folder;
use crate::bench::report::Row;
use saga_sqlite::{Floor, FloorRow};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

/// What one append has.
const TEXT: &str =
    r#"{"step":"one","output":{"held_by":"b1f35aab-5f8c-5c1e-9f44-2b6d6f0f8f5d","amount":42},"pad":"0123"}"#;
/// As many rows at most travel in one group.
const GROUP_MAX: usize = 256;

struct Append {
    rows: Vec<FloorRow>,
    answer: oneshot::Sender<Result<(), String>>,
}

/// Appends of `batch` rows by `at_once` writers, each to streams of its own.
pub async fn floor(within: &Path, at_once: u64, appends: u64, batch: u64) -> Result<Row, BenchError> {
    let folder = Folder::new(within)?;
    let file = Floor::create(&folder.path().join("floor.db")).await?;
    let (send, receive) = mpsc::channel(1_024);
    let mut tasks = JoinSet::new();
    let disk = disk_bytes();
    let used = Used::now();
    let each = appends.div_ceil(at_once);
    for writer in 0..at_once {
        let send = send.clone();
        tasks.spawn(async move { writes(writer, each, batch, &send).await });
    }
    drop(send);
    let flushes = serve(file, receive).await?;
    let mut latencies = Vec::new();
    while let Some(done) = tasks.join_next().await {
        latencies.extend(done.map_err(BenchError::broken)??);
    }
    let spent = used.since();
    let count = each * at_once;
    let name = if batch == 1 { "floor: append".to_owned() } else { format!("floor: append {batch} rows") };
    let row = Row::of(name, at_once, count, spent.wall, &spent).latencies(latencies);
    let mut row = row.disk(disk, disk_bytes());
    row.flushes_each.insert("floor".to_owned(), crate::bench::report::ratio(flushes, count));
    row.commits_each = Some(1.0);
    Ok(row)
}

/// One writer: the next append when the last one is durable.
async fn writes(writer: u64, each: u64, batch: u64, send: &mpsc::Sender<Append>) -> Result<Vec<Duration>, BenchError> {
    let data: Arc<str> = TEXT.into();
    let mut latencies = Vec::with_capacity(usize::try_from(each).unwrap_or(0));
    for number in 0..each {
        // In the order of time, as the ids of sagas are: neighbours in the index are written together.
        let stream: Arc<str> = format!("orchestration_saga-{number:016x}{writer:016x}").into();
        let row = |version| FloorRow { stream: Arc::clone(&stream), version, data: Arc::clone(&data) };
        let rows = (1..=batch.cast_signed()).map(row).collect();
        let (answer, answered) = oneshot::channel();
        let began = now();
        send.send(Append { rows, answer }).await.map_err(BenchError::broken)?;
        answered.await.map_err(BenchError::broken)?.map_err(BenchError::Broken)?;
        latencies.push(began.elapsed());
    }
    Ok(latencies)
}

/// Gathers what waits, writes it in one statement, answers. Returns how many flushes that took.
async fn serve(mut file: Floor, mut waiting: mpsc::Receiver<Append>) -> Result<u64, BenchError> {
    let mut flushes = 0;
    while let Some(first) = waiting.recv().await {
        let (mut rows, mut callers) = (first.rows, vec![first.answer]);
        while rows.len() < GROUP_MAX {
            let Ok(next) = waiting.try_recv() else { break };
            rows.extend(next.rows);
            callers.push(next.answer);
        }
        let done = file.append(&rows).await;
        flushes += 1;
        for caller in callers {
            // A caller who has gone away does not want to know.
            caller.send(done.clone()).ok();
        }
    }
    file.close().await.map_err(BenchError::Broken)?;
    Ok(flushes)
}
