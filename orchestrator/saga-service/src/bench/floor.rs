//! The hand-written minimum under every other number: bare appends, grouped while they wait, on the same settings.

use crate::bench::BenchError;
use crate::bench::Place;
use crate::bench::meter::{Used, now};
use crate::bench::place::{Folder, own_name};
use crate::bench::report::Row;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

/// What one append has.
const TEXT: &str =
    r#"{"step":"one","output":{"held_by":"b1f35aab-5f8c-5c1e-9f44-2b6d6f0f8f5d","amount":42},"pad":"0123"}"#;
/// As many rows at most travel in one group.
const GROUP_MAX: usize = 256;

/// Stream, version, text.
type Bare = (Arc<str>, i64, Arc<str>);

/// What is appended to.
enum Ground {
    File(saga_sqlite::Floor, Folder),
    Server(saga_postgres::Floor),
}
impl Ground {
    /// A fresh one; `None` in memory, where there is nothing to compare with.
    async fn of(place: &Place) -> Result<Option<Self>, BenchError> {
        Ok(match place {
            Place::Memory => None,
            Place::Sqlite(within) => {
                let folder = Folder::new(within)?;
                let file = saga_sqlite::Floor::create(&folder.path().join("floor.db")).await?;
                Some(Self::File(file, folder))
            }
            Place::Postgres { url, .. } => {
                let floor = saga_postgres::Floor::create(url, &own_name()).await;
                Some(Self::Server(floor.map_err(BenchError::broken)?))
            }
        })
    }
    async fn append(&mut self, rows: &[Bare]) -> Result<(), String> {
        match self {
            Self::File(floor, _) => floor.append(rows).await,
            Self::Server(floor) => floor.append(rows).await.map_err(|error| error.to_string()),
        }
    }
    async fn close(self) -> Result<(), BenchError> {
        match self {
            Self::File(floor, _folder) => floor.close().await.map_err(BenchError::Broken),
            Self::Server(floor) => floor.close().await.map_err(BenchError::broken),
        }
    }
}

struct Append {
    rows: Vec<Bare>,
    answer: oneshot::Sender<Result<(), String>>,
}

/// Appends of `batch` rows by `at_once` writers, each to streams of its own; `None` in memory.
pub async fn floor(place: &Place, at_once: u64, batch: u64) -> Result<Option<Row>, BenchError> {
    let Some(ground) = Ground::of(place).await? else { return Ok(None) };
    let appends = if at_once == 1 { 4_000 } else { 40_000 } / batch.min(20);
    let (send, receive) = mpsc::channel(1_024);
    let mut tasks = JoinSet::new();
    let disk = place.disk_bytes().await?;
    let used = Used::now();
    let each = appends.div_ceil(at_once);
    for writer in 0..at_once {
        let send = send.clone();
        tasks.spawn(async move { writes(writer, each, batch, &send).await });
    }
    drop(send);
    let (ground, flushes) = serve(ground, receive).await?;
    let mut latencies = Vec::new();
    while let Some(done) = tasks.join_next().await {
        latencies.extend(done.map_err(BenchError::broken)??);
    }
    let spent = used.since();
    let count = each * at_once;
    let name = if batch == 1 { "floor: append".to_owned() } else { format!("floor: append {batch} rows") };
    let row = Row::of(name, at_once, count, spent.wall, &spent).latencies(latencies);
    let mut row = row.disk(disk, place.disk_bytes().await?);
    row.flushes_each.insert("floor".to_owned(), crate::bench::report::ratio(flushes, count));
    row.commits_each = Some(1.0);
    ground.close().await?;
    Ok(Some(row))
}

/// One writer: the next append when the last one is durable.
async fn writes(writer: u64, each: u64, batch: u64, send: &mpsc::Sender<Append>) -> Result<Vec<Duration>, BenchError> {
    let data: Arc<str> = TEXT.into();
    let mut latencies = Vec::with_capacity(usize::try_from(each).unwrap_or(0));
    for number in 0..each {
        // In the order of time, as the ids of sagas are: neighbours in the index are written together.
        let stream: Arc<str> = format!("orchestration_saga-{number:016x}{writer:016x}").into();
        let row = |version| (Arc::clone(&stream), version, Arc::clone(&data));
        let rows = (1..=batch.cast_signed()).map(row).collect();
        let (answer, answered) = oneshot::channel();
        let began = now();
        send.send(Append { rows, answer }).await.map_err(BenchError::broken)?;
        answered.await.map_err(BenchError::broken)?.map_err(BenchError::Broken)?;
        latencies.push(began.elapsed());
    }
    Ok(latencies)
}

/// Gathers the waiting appends, writes them in one statement, answers. Says how many flushes that took.
async fn serve(mut ground: Ground, mut waiting: mpsc::Receiver<Append>) -> Result<(Ground, u64), BenchError> {
    let mut flushes = 0;
    while let Some(first) = waiting.recv().await {
        let (mut rows, mut callers) = (first.rows, vec![first.answer]);
        while rows.len() < GROUP_MAX {
            let Ok(next) = waiting.try_recv() else { break };
            rows.extend(next.rows);
            callers.push(next.answer);
        }
        let done = ground.append(&rows).await;
        flushes += 1;
        for caller in callers {
            // A caller that has gone away needs no answer.
            caller.send(done.clone()).ok();
        }
    }
    Ok((ground, flushes))
}
