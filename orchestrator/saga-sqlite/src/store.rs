//! The store as its users see it: commits go to the appender, reads to the ring or to the file.

use crate::appender::{Appender, Request};
use crate::decode::{self, EVENT, EVENTS_PER_VALUE, INBOX_COLUMNS};
use crate::fault::read_error;
use crate::ring::Ring;
use crate::seen::Seen;
use async_trait::async_trait;
use futures::TryStreamExt as _;
use saga_core::batch::{Batch, Cause, Commit};
use saga_core::envelope::Recorded;
use saga_core::id::{Epoch, Position, StepKey, StreamId, Version};
use saga_core::leases::LeaseBook;
use saga_core::ports::{Clock, EventStore, ReadError, Recollection, Tail};
use saga_core::written::{Counters, Stats};
use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, Row as _, SqlitePool};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use uuid::Uuid;

/// 1,024 batches: four groups. A later caller waits here, which is the back pressure.
const WAITING_MAX: usize = 1_024;
/// 100 ms: how soon a reader without a writer in this process notices that another process has written.
const POLL: Duration = Duration::from_millis(100);

/// What the appender and the readers of one store share.
pub(crate) struct Shared {
    pub(crate) ring: RwLock<Ring>,
    pub(crate) seen: RwLock<Seen>,
    pub(crate) head: watch::Sender<Position>,
    pub(crate) counters: Counters,
}

impl Shared {
    pub(crate) fn new(head: Position, seen: Seen) -> Self {
        let (head, _) = watch::channel(head);
        Self { ring: RwLock::default(), seen: RwLock::new(seen), head, counters: Counters::default() }
    }
}

/// One module's store in one SQLite file.
pub struct SqliteStore {
    shared: Arc<Shared>,
    pub(crate) readers: SqlitePool,
    pub(crate) place: String,
    pub(crate) clock: Arc<dyn Clock>,
    /// Held in memory: another process cannot have one while this one has the file.
    pub(crate) leases: tokio::sync::Mutex<LeaseBook>,
    reads: Reads,
    requests: Mutex<Option<mpsc::Sender<Request>>>,
    appender: tokio::sync::Mutex<Option<JoinHandle<()>>>,
}

/// Where the head of the log is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reads {
    /// Our own appender tells, and the ring has what is near it.
    Ours,
    /// Another process writes, or nobody: only the file knows.
    Foreign,
}

impl SqliteStore {
    pub(crate) fn writable(
        shared: Arc<Shared>,
        readers: SqlitePool,
        place: String,
        clock: Arc<dyn Clock>,
        appender: Appender,
    ) -> Self {
        let (requests, waiting) = mpsc::channel(WAITING_MAX);
        #[expect(clippy::disallowed_methods, reason = "the handle is kept, and close() waits for it")]
        let appender = tokio::spawn(appender.run(waiting));
        Self {
            shared,
            readers,
            place,
            clock,
            leases: tokio::sync::Mutex::default(),
            reads: Reads::Ours,
            requests: Mutex::new(Some(requests)),
            appender: tokio::sync::Mutex::new(Some(appender)),
        }
    }
    pub(crate) fn readable(readers: SqlitePool, place: String, clock: Arc<dyn Clock>) -> Self {
        Self {
            shared: Arc::new(Shared::new(Position::ZERO, Seen::default())),
            readers,
            place,
            clock,
            leases: tokio::sync::Mutex::default(),
            reads: Reads::Foreign,
            requests: Mutex::new(None),
            appender: tokio::sync::Mutex::new(None),
        }
    }

    /// Takes nothing more, waits until everything that was accepted is answered, moves the write-ahead log into the
    /// file and lets go of the lock. Afterwards commits answer `Retryable`.
    pub async fn close(&self) {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).take();
        self.readers.close().await;
        let appender = self.appender.lock().await.take();
        if let Some(appender) = appender
            && let Err(error) = appender.await
        {
            tracing::error!(place = self.place, why = %error, "the appender did not end by itself");
        }
    }
    /// What was written since the store was opened.
    pub fn stats(&self) -> Stats {
        self.shared.counters.stats()
    }

    pub(crate) fn failed(&self, error: &sqlx::Error) -> ReadError {
        read_error(&self.place, error)
    }
    fn seen<T>(&self, look: impl FnOnce(&Seen) -> T) -> T {
        look(&self.shared.seen.read().unwrap_or_else(PoisonError::into_inner))
    }
    fn near_head<T>(&self, look: impl FnOnce(&Ring) -> Option<T>) -> Option<T> {
        look(&self.shared.ring.read().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A limit as SQL takes it; a larger one than it can say is no limit.
fn limit_of(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}
/// A place as the database counts. One beyond its numbers is behind everything, and not before it.
fn number_of(place: u64) -> i64 {
    i64::try_from(place).unwrap_or(i64::MAX)
}

#[async_trait]
impl EventStore for SqliteStore {
    async fn commit(&self, batch: Batch) -> Commit {
        if let Err(limit) = batch.check() {
            return Commit::Rejected(limit);
        }
        let requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Some(requests) = requests else {
            return Commit::Retryable(Cause(format!("{} is closed or was opened to read only", self.place)));
        };
        let (answer, answered) = oneshot::channel();
        if requests.send(Request { batch, answer }).await.is_err() {
            return Commit::Retryable(Cause(format!("{} has stopped writing", self.place)));
        }
        // Accepted and then not answered: the appender has died with it, perhaps after writing it.
        let lost = |_| Commit::Unknown(Cause(format!("{} stopped while it was writing", self.place)));
        answered.await.unwrap_or_else(lost)
    }
    async fn read(&self, stream: &StreamId, after: Version, limit: usize) -> Result<Vec<Recorded>, ReadError> {
        if let Some(events) = self.near_head(|ring| ring.stream(stream, after, limit)) {
            return Ok(events);
        }
        if self.seen(|seen| seen.lacks_stream(stream.as_str())) {
            return Ok(Vec::new());
        }
        let sql = format!(
            "SELECT CAST(group_concat(event, '') AS BLOB) FROM (SELECT {EVENT} AS event FROM es_events \
             WHERE stream = ? AND version > ? ORDER BY version LIMIT ?)"
        );
        let mut events = Vec::new();
        while events.len() < limit {
            let (before, wanted) = (events.len(), (limit - events.len()).min(EVENTS_PER_VALUE.into()));
            let row = sqlx::query(AssertSqlSafe(sql.clone()))
                .bind(stream.to_shared())
                .bind(number_of(after.0.saturating_add(before as u64)))
                .bind(limit_of(wanted))
                .fetch_one(&self.readers)
                .await;
            decode::recorded(&row.map_err(|error| self.failed(&error))?, &mut events)?;
            if events.len() < before + wanted {
                break;
            }
        }
        Ok(events)
    }
    async fn read_log(&self, after: Position, limit: usize) -> Result<Vec<Recorded>, ReadError> {
        if self.reads == Reads::Ours && after >= *self.shared.head.borrow() {
            return Ok(Vec::new());
        }
        if let Some(events) = self.near_head(|ring| ring.log(after, limit)) {
            return Ok(events);
        }
        // Positions have no gap, so the page is cut into runs of positions, and each run travels as one value.
        let sql = format!(
            "WITH RECURSIVE page(after, last) AS (SELECT ?1, min(?2, (SELECT max(position) FROM es_events)) UNION ALL \
             SELECT after + {EVENTS_PER_VALUE}, last FROM page WHERE after + {EVENTS_PER_VALUE} < last) \
             SELECT (SELECT CAST(group_concat(event, '') AS BLOB) FROM (SELECT {EVENT} AS event FROM es_events WHERE \
             position > after AND position <= min(last, after + {EVENTS_PER_VALUE}) ORDER BY position)) FROM page"
        );
        let last = after.0.saturating_add(limit as u64).min(i64::MAX.cast_unsigned());
        let mut rows =
            sqlx::query(AssertSqlSafe(sql)).bind(number_of(after.0)).bind(last.cast_signed()).fetch(&self.readers);
        let mut events = Vec::new();
        while let Some(row) = rows.try_next().await.map_err(|error| self.failed(&error))? {
            decode::recorded(&row, &mut events)?;
        }
        // Nobody skips what is missing: a hole is damage, and named. The events are asked first, for behind the last number
        // there is none to count on to.
        match events.iter().zip(after.next().0..).find(|(event, position)| event.position.0 != *position) {
            None => Ok(events),
            Some((_, position)) => Err(ReadError::Corrupt {
                place: format!("{}: es_events position {position}", self.place),
                why: "it is missing".to_owned(),
            }),
        }
    }
    async fn answered(&self, saga: Uuid, deed: StepKey, undo: StepKey) -> Result<Recollection, ReadError> {
        if let Some(recollection) = self.seen(|seen| seen.recall(saga, deed, undo)) {
            return Ok(recollection);
        }
        // One statement, so that the three answers are of one moment.
        let sql = format!(
            "SELECT {INBOX_COLUMNS}, (SELECT max(epoch) FROM es_inbox WHERE saga = ?1) FROM (SELECT 1) \
             LEFT JOIN es_inbox ON saga = ?1 AND key IN (?2, ?3)"
        );
        let rows: Vec<SqliteRow> = sqlx::query(AssertSqlSafe(sql))
            .bind(saga.as_bytes().to_vec())
            .bind(deed.uuid().as_bytes().to_vec())
            .bind(undo.uuid().as_bytes().to_vec())
            .fetch_all(&self.readers)
            .await
            .map_err(|error| self.failed(&error))?;
        let mut recollection = Recollection::default();
        for row in &rows {
            let epoch: Option<i64> = row.try_get(5).map_err(|error| self.failed(&error))?;
            recollection.epoch = Epoch(epoch.unwrap_or(0).cast_unsigned());
            let found: Option<&[u8]> = row.try_get(1).map_err(|error| self.failed(&error))?;
            if found.is_none() {
                continue;
            }
            let ((_, key), remembered) = decode::remembered(row)?;
            if key == deed {
                recollection.deed = Some(remembered.clone());
            }
            if key == undo {
                recollection.undo = Some(remembered);
            }
        }
        Ok(recollection)
    }
}

#[async_trait]
impl Tail for SqliteStore {
    async fn head(&self) -> Result<Position, ReadError> {
        if self.reads == Reads::Ours {
            return Ok(*self.shared.head.borrow());
        }
        let head: i64 = sqlx::query_scalar("SELECT coalesce(max(position), 0) FROM es_events")
            .fetch_one(&self.readers)
            .await
            .map_err(|error| self.failed(&error))?;
        Ok(Position(head.cast_unsigned()))
    }
    async fn grown(&self, after: Position) -> Position {
        if self.reads == Reads::Ours {
            let mut head = self.shared.head.subscribe();
            if let Ok(grown) = head.wait_for(|head| *head > after).await {
                return *grown;
            }
        }
        loop {
            if let Ok(head) = self.head().await
                && head > after
            {
                return head;
            }
            self.clock.pause(POLL).await;
        }
    }
}
