//! The store as its users see it: commits go to the appender, reads to the server, or to the ring close behind the head.

use crate::access::Names;
use crate::appender::{Appender, Request};
use crate::connection::Connector;
use crate::decode::{self, EVENT_COLUMNS};
use crate::fault::read_error;
use crate::lanes::Lanes;
use crate::questions::{Asker, Recall, Story};
use crate::ring::{RING_EVENTS_MAX, Ring};
use crate::{group, tail};
use async_trait::async_trait;
use futures::TryStreamExt as _;
use saga_core::batch::{Batch, Cause, Commit};
use saga_core::envelope::Recorded;
use saga_core::id::{Position, StepKey, StreamId, Version};
use saga_core::ports::{EventStore, ReadError, Recollection, Tail};
use saga_core::written::{Counters, Stats};
use sqlx::{AssertSqlSafe, PgPool};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use uuid::Uuid;

/// 1,024 batches: four groups. A later caller waits here, which is the back pressure.
const WAITING_MAX: usize = 1_024;
/// 4,096 events: a first guess of a page, so that a long one is not moved too often while it grows.
const PAGE_GUESS: usize = 4_096;

/// What the tasks and the readers of one store share.
pub(crate) struct Shared {
    pub(crate) ring: RwLock<Ring>,
    /// The furthest that the log is known to reach; the server may know more.
    head: watch::Sender<Position>,
    pub(crate) counters: Counters,
    pub(crate) audience: tail::Audience,
    /// The text of the call that writes: one allocation for the life of the store.
    pub(crate) call: Arc<str>,
}

impl Shared {
    pub(crate) fn new(head: Position) -> Self {
        let (head, _) = watch::channel(head);
        Self {
            ring: RwLock::default(),
            head,
            counters: Counters::default(),
            audience: tail::Audience::new(),
            call: group::call().into(),
        }
    }
    /// The log reaches at least this far.
    pub(crate) fn seen(&self, position: Position) {
        self.head.send_if_modified(|head| {
            let grown = position > *head;
            *head = position.max(*head);
            grown
        });
    }
    /// Whether a position is news.
    pub(crate) fn lacks(&self, position: Position) -> bool {
        position > *self.head.borrow()
    }
    /// Whether anybody waits for growth.
    pub(crate) fn awaited(&self) -> bool {
        self.head.receiver_count() > 0
    }
}

/// One module's store in one PostgreSQL schema.
pub struct PostgresStore {
    shared: Arc<Shared>,
    pub(crate) readers: PgPool,
    /// For the short calls that write beside the appender: leases.
    pub(crate) writers: PgPool,
    pub(crate) place: String,
    pub(crate) names: Names,
    lanes: Arc<Lanes>,
    recalls: Asker<Recall>,
    stories: Asker<Story>,
    requests: Mutex<Option<mpsc::Sender<Request>>>,
    appender: tokio::sync::Mutex<Option<JoinHandle<()>>>,
    helpers: Vec<JoinHandle<()>>,
}

impl PostgresStore {
    /// Starts the tasks of a store whose head was just read.
    #[expect(
        clippy::disallowed_methods,
        reason = "the handles are kept; close() waits for the appender, drop ends the rest"
    )]
    pub(crate) fn start(
        connector: &Connector,
        place: String,
        head: Position,
        appender: impl FnOnce(Parts) -> Appender,
    ) -> Self {
        let shared = Arc::new(Shared::new(head));
        let (readers, writers) = (connector.readers(), connector.writers());
        let (requests, waiting) = mpsc::channel(WAITING_MAX);
        let (published, announced) = watch::channel(0);
        let appender = appender(Parts { shared: Arc::clone(&shared), published });
        let lanes = Arc::new(Lanes::new(readers.clone()));
        let (recalls, recalling) = Asker::new(Arc::clone(&lanes), place.clone());
        let (stories, telling) = Asker::new(Arc::clone(&lanes), place.clone());
        let mut helpers = vec![tokio::spawn(recalling), tokio::spawn(telling)];
        if !connector.looks {
            helpers.extend([
                tokio::spawn(tail::announce(readers.clone(), connector.names.clone(), Arc::clone(&shared), announced)),
                tokio::spawn(tail::follow(connector.clone(), readers.clone(), Arc::clone(&shared), place.clone())),
            ]);
        }
        let appender = tokio::spawn(appender.run(waiting));
        Self {
            shared,
            readers,
            writers,
            place,
            names: connector.names.clone(),
            lanes,
            recalls,
            stories,
            requests: Mutex::new(Some(requests)),
            appender: tokio::sync::Mutex::new(Some(appender)),
            helpers,
        }
    }

    /// Takes nothing more, waits until everything that was accepted is answered, and ends the connections. Afterwards
    /// commits answer `Retryable`.
    pub async fn close(&self) {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).take();
        let appender = self.appender.lock().await.take();
        if let Some(appender) = appender
            && let Err(error) = appender.await
        {
            tracing::error!(place = self.place, why = %error, "the appender did not end by itself");
        }
        self.helpers.iter().for_each(JoinHandle::abort);
        self.readers.close().await;
        self.lanes.close().await;
        self.writers.close().await;
    }
    /// What this process has written since the store was opened.
    pub fn stats(&self) -> Stats {
        self.shared.counters.stats()
    }
    pub(crate) fn announces(&self) -> bool {
        self.shared.audience.is_there()
    }

    pub(crate) fn failed(&self, error: &sqlx::Error) -> ReadError {
        read_error(&self.place, error)
    }
    async fn events(
        &self,
        sql: String,
        bind: impl FnOnce(Query) -> Query,
        limit: usize,
    ) -> Result<Vec<Recorded>, ReadError> {
        let query = bind(sqlx::query(AssertSqlSafe(sql))).bind(i64::try_from(limit).unwrap_or(i64::MAX));
        let mut rows = query.fetch(&self.readers);
        let mut events = Vec::with_capacity(limit.min(PAGE_GUESS));
        while let Some(row) = rows.try_next().await.map_err(|error| self.failed(&error))? {
            events.push(decode::recorded(&row)?);
        }
        Ok(events)
    }
}

type Query = sqlx::query::Query<'static, sqlx::Postgres, sqlx::postgres::PgArguments>;

/// What an appender shares with the store that it writes.
pub(crate) struct Parts {
    pub(crate) shared: Arc<Shared>,
    pub(crate) published: watch::Sender<u64>,
}

impl Drop for PostgresStore {
    fn drop(&mut self) {
        // The appender ends by itself when nobody can ask it for anything; these would wait for ever.
        self.helpers.iter().for_each(JoinHandle::abort);
    }
}

#[async_trait]
impl EventStore for PostgresStore {
    async fn commit(&self, batch: Batch) -> Commit {
        if let Err(limit) = batch.check() {
            return Commit::Rejected(limit);
        }
        let requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Some(requests) = requests else {
            return Commit::Retryable(Cause(format!("{} is closed", self.place)));
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
        self.stories.ask(Story { stream: stream.clone(), after, limit }).await
    }
    /// A page may end before events that another process has committed in this very moment. A reader that follows the
    /// log to an empty page misses nothing, and a reader that asks for more than a tail is answered by the server.
    async fn read_log(&self, after: Position, limit: usize) -> Result<Vec<Recorded>, ReadError> {
        if limit <= RING_EVENTS_MAX
            && let Some(events) = self.shared.ring.read().unwrap_or_else(PoisonError::into_inner).log(after, limit)
        {
            return Ok(events);
        }
        let sql = format!("SELECT {EVENT_COLUMNS} FROM es_events WHERE position > $1 ORDER BY position LIMIT $2");
        let from = i64::try_from(after.0).unwrap_or(i64::MAX);
        let events = self.events(sql, |query| query.bind(from), limit).await?;
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
        self.recalls.ask(Recall { saga, deed, undo }).await
    }
}

#[async_trait]
impl Tail for PostgresStore {
    async fn head(&self) -> Result<Position, ReadError> {
        let head = tail::head(&self.readers, &self.place).await?;
        self.shared.seen(head);
        Ok(head)
    }
    async fn grown(&self, after: Position) -> Position {
        let mut head = self.shared.head.subscribe();
        let grown = head.wait_for(|head| *head > after).await.map(|grown| *grown);
        match grown {
            Ok(grown) => grown,
            // Cannot be: the sender lives as long as this store. If it were, nothing would ever grow.
            Err(_) => std::future::pending().await,
        }
    }
}
