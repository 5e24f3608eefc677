//! The one task of a store that writes: it gathers the waiting batches, lets the pure plan decide, submits one call,
//! and answers.
//!
//! Other processes write the same schema. So a plan is first made in the hope that the log still ends where it did, which
//! the call checks under the lock of the head; if it does not, the lock is taken first, everything is read under it and
//! decided again.

use crate::connection::{ANSWER_MAX, Connector, RESTED, Role};
use crate::decode;
use crate::facts;
use crate::fault::{Fault, said};
use crate::group::{self, Checks};
use crate::store::Shared;
use saga_core::appender::{Head, Ledger, Planned, Sight, WriteSet, Written};
use saga_core::batch::{Batch, Cause, Commit, LimitBroken};
use saga_core::id::Epoch;
use saga_core::ports::{Clock, ReadError};
use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{AssertSqlSafe, Connection as _, Row as _};
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, timeout};

/// 256 batches: beyond this the flush is no longer what a commit costs.
const GROUP_BATCHES_MAX: usize = 256;
/// 4 MiB: a group is written within some tens of milliseconds, so that nobody waits long behind a large neighbour.
const GROUP_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Pauses between attempts to reach a server that is away. Together with the attempts they take a few seconds at most:
/// then the waiting callers are told to try again later, instead of being kept waiting for ever.
const PAUSES: [Duration; 2] = [Duration::from_millis(50), Duration::from_millis(200)];

/// A batch and the caller that waits for its answer.
pub(crate) struct Request {
    pub(crate) batch: Batch,
    pub(crate) answer: oneshot::Sender<Commit>,
}

/// Owns the connection that writes.
pub(crate) struct Appender {
    pub(crate) connector: Connector,
    /// `None` after trouble, until it is needed again.
    pub(crate) connection: Option<PgConnection>,
    /// When the connection was last known to stand.
    pub(crate) used: Instant,
    /// `None` after trouble: then it is read before anything else is decided.
    pub(crate) ledger: Option<Ledger>,
    /// Whether the log was last found to be moved by another process: then hoping is a wasted round trip.
    pub(crate) contended: bool,
    pub(crate) shared: Arc<Shared>,
    /// Told after every commit; another task tells the other processes.
    pub(crate) published: watch::Sender<u64>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) place: String,
}

/// Why a group was not acknowledged.
#[derive(Debug)]
enum Failure {
    /// An assumption of a hopeful plan does not hold; certainly not written.
    Refuted,
    /// Certainly not written, and never will be as it is.
    Unstorable(String),
    /// Certainly not written.
    NotWritten(String),
    /// Perhaps written.
    Unknown(String),
}

impl Failure {
    fn answer(&self) -> Commit {
        match self {
            Failure::Refuted => {
                Commit::Retryable(Cause("what was decided did not hold when it was written".to_owned()))
            }
            Failure::Unstorable(why) => Commit::Rejected(LimitBroken::Unstorable { why: why.clone() }),
            Failure::NotWritten(why) => Commit::Retryable(Cause(why.clone())),
            Failure::Unknown(why) => Commit::Unknown(Cause(why.clone())),
        }
    }
}

/// A plan over as many of the batches as can be decided, its answers, and the epochs it relies on.
fn planned<'l, 'b>(
    ledger: &'l Ledger,
    sight: Sight<'l>,
    clock: &dyn Clock,
    batches: &'b [Batch],
) -> (WriteSet<'l, 'b>, Vec<Commit>, Checks<'b>) {
    let mut plan = WriteSet::new(ledger, sight, clock.now());
    let mut decided = Vec::with_capacity(batches.len());
    let mut checks = Checks::new();
    for batch in batches {
        match plan.take(batch) {
            Planned::Write(receipt) => {
                if let Some(fence) = &batch.fence {
                    let lowest = checks.entry(fence.scope.as_str()).or_insert(fence.epoch);
                    *lowest = (*lowest).min(fence.epoch);
                }
                decided.push(Commit::Ok(receipt));
            }
            Planned::Answer(answer) => decided.push(answer),
            Planned::Look => break,
        }
    }
    (plan, decided, checks)
}

impl Appender {
    /// Serves until every sender is gone.
    pub(crate) async fn run(mut self, mut waiting: mpsc::Receiver<Request>) {
        while let Some(first) = waiting.recv().await {
            let mut bytes = first.batch.bytes();
            let (mut batches, mut callers) = (vec![first.batch], vec![first.answer]);
            // Batches that are here by now travel along; the appender waits for no others.
            while batches.len() < GROUP_BATCHES_MAX && bytes < GROUP_BYTES_MAX {
                let Ok(next) = waiting.try_recv() else { break };
                bytes += next.batch.bytes();
                batches.push(next.batch);
                callers.push(next.answer);
            }
            let answers = self.serve(&batches).await;
            for (caller, answer) in callers.into_iter().zip(answers) {
                // A caller that has gone away needs no answer.
                caller.send(answer).ok();
            }
        }
        if let Some(connection) = self.connection.take() {
            connection.close().await.ok();
        }
    }

    /// An answer for each batch, in their order.
    async fn serve(&mut self, batches: &[Batch]) -> Vec<Commit> {
        let mut answers = Vec::with_capacity(batches.len());
        let mut outcome = self.decide(batches, &mut answers).await;
        if let Err(Failure::Unstorable(_)) = outcome {
            // One of the group can never be stored; alone it is found, and its neighbours are not refused with it.
            outcome = Ok(());
            while let Some(batch) = batches.get(answers.len()) {
                match self.decide(std::slice::from_ref(batch), &mut answers).await {
                    Ok(()) => {}
                    Err(never @ Failure::Unstorable(_)) => answers.push(never.answer()),
                    Err(other) => {
                        answers.push(other.answer());
                        outcome = Err(Failure::NotWritten("a batch before this one could not be written".to_owned()));
                        break;
                    }
                }
            }
        }
        if let Err(failure) = outcome {
            let answer = failure.answer();
            tracing::error!(place = self.place, ?answer, "a group was not committed");
            answers.resize_with(batches.len(), || failure.answer());
        }
        answers
    }
    async fn decide(&mut self, batches: &[Batch], answers: &mut Vec<Commit>) -> Result<(), Failure> {
        let outcome = self.hope_or_lock(batches, answers).await;
        if outcome.is_err() {
            // The ledger is read again before the next group.
            self.ledger = None;
        }
        outcome
    }
    async fn hope_or_lock(&mut self, batches: &[Batch], answers: &mut Vec<Commit>) -> Result<(), Failure> {
        let (before, wanted) = (answers.len(), answers.len() + batches.len());
        let mut ledger = self.ready().await?;
        if !self.contended {
            match self.optimistic(&mut ledger, batches, answers).await {
                Ok(()) | Err(Failure::Refuted) => {}
                Err(failure) => return Err(failure),
            }
        }
        if answers.len() < wanted {
            // The rest, or all if the hope was refuted, is decided on what is read under the lock.
            let rest = batches.get(answers.len() - before..).unwrap_or_default();
            self.locked(&mut ledger, rest, answers).await?;
        }
        self.ledger = Some(ledger);
        Ok(())
    }

    /// Plans on what is known and submits it in one call, which is a transaction of its own.
    async fn optimistic(
        &mut self,
        ledger: &mut Ledger,
        batches: &[Batch],
        answers: &mut Vec<Commit>,
    ) -> Result<(), Failure> {
        let (plan, mut decided, checks) = planned(ledger, Sight::Optimistic, &*self.clock, batches);
        // Even a plan that writes nothing is submitted: a guard holds only if the log has not moved.
        if plan.batches > 0 {
            let word = self.submit(&plan, &checks, Failure::Unknown).await?;
            match word.as_str() {
                "written" => {}
                "moved" => {
                    self.contended = true;
                    return Err(Failure::Refuted);
                }
                _ => return Err(Failure::Refuted),
            }
        }
        let written = self.publish(plan.written());
        ledger.apply(written);
        answers.append(&mut decided);
        Ok(())
    }

    /// Takes the lock of the head, reads what matters, plans, writes, and commits.
    async fn locked(
        &mut self,
        ledger: &mut Ledger,
        batches: &[Batch],
        answers: &mut Vec<Commit>,
    ) -> Result<(), Failure> {
        let outcome = self.under_lock(ledger, batches, answers).await;
        if outcome.is_err()
            && let Some(connection) = &mut self.connection
        {
            // A transaction that cannot be ended ends with its connection.
            let ended = timeout(ANSWER_MAX, sqlx::raw_sql("ROLLBACK").execute(connection)).await;
            if !matches!(ended, Ok(Ok(_))) {
                self.connection = None;
            }
        }
        outcome
    }
    async fn under_lock(
        &mut self,
        ledger: &mut Ledger,
        batches: &[Batch],
        answers: &mut Vec<Commit>,
    ) -> Result<(), Failure> {
        let (head, fences) = self.lock().await?;
        self.contended = ledger.head() != head;
        self.follow(&head);
        ledger.refresh(head, fences);
        let connection = self.connection.as_mut().ok_or(Failure::Refuted)?;
        let facts = match timeout(ANSWER_MAX, facts::read(connection, ledger, batches)).await {
            Ok(read) => read.map_err(|error| Failure::NotWritten(error.to_string()))?,
            Err(late) => return Err(Failure::NotWritten(format!("{}: {late}", self.place))),
        };
        let (plan, mut decided, checks) = planned(ledger, Sight::Locked(&facts), &*self.clock, batches);
        if plan.batches == 0 {
            self.end("ROLLBACK", Failure::NotWritten).await?;
        } else {
            let word = self.submit(&plan, &checks, Failure::NotWritten).await?;
            if word != "written" {
                return Err(Failure::NotWritten(format!("{}: {word} under the lock", self.place)));
            }
            self.end("COMMIT", Failure::Unknown).await?;
        }
        let written = self.publish(plan.written());
        ledger.apply(written);
        answers.append(&mut decided);
        Ok(())
    }
    /// Begins a transaction, takes the lock, and reads the end of the log and all fences: one round trip.
    async fn lock(&mut self) -> Result<(Head, BTreeMap<String, Epoch>), Failure> {
        let sql = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; \
                   SELECT position, public_seq, recorded_at, chain FROM es_lock(); SELECT scope, epoch FROM es_fences";
        let rows = answered(sqlx::raw_sql(sql).fetch_all(self.standing()?)).await;
        let rows = rows.map_err(|why| self.failed(why, Failure::NotWritten))?;
        let (first, fences) = rows.split_first().ok_or_else(|| Failure::NotWritten("no head".to_owned()))?;
        let head = decode::head(first).map_err(|error| Failure::NotWritten(error.to_string()))?;
        Ok((head, fences_of(fences).map_err(|error| Failure::NotWritten(error.to_string()))?))
    }
    async fn end(&mut self, sql: &'static str, lost: fn(String) -> Failure) -> Result<(), Failure> {
        let ended = answered(sqlx::raw_sql(sql).execute(self.standing()?)).await;
        ended.map(drop).map_err(|why| self.failed(why, lost))
    }
    /// The one call that writes a group. `lost` says what a missing answer means.
    async fn submit(
        &mut self,
        plan: &WriteSet<'_, '_>,
        checks: &Checks<'_>,
        lost: fn(String) -> Failure,
    ) -> Result<String, Failure> {
        let arguments = group::arguments(plan, checks).map_err(|why| Failure::Unstorable(why.to_string()))?;
        let call = sqlx::query_scalar_with(AssertSqlSafe(Arc::clone(&self.shared.call)), arguments);
        let answer: Result<String, _> = answered(call.fetch_one(self.standing()?)).await;
        self.used = Instant::now();
        let word = answer.map_err(|why| self.failed(why, lost))?;
        if word == "written" {
            self.shared.counters.transaction();
        }
        Ok(word)
    }

    fn standing(&mut self) -> Result<&mut PgConnection, Failure> {
        self.connection.as_mut().ok_or_else(|| Failure::NotWritten("the connection is gone".to_owned()))
    }
    /// What an error means for what was sent. `lost` says what it means when nobody knows.
    fn failed(&mut self, error: sqlx::Error, lost: fn(String) -> Failure) -> Failure {
        let why = format!("{}: {error}", self.place);
        match Fault::of(&error) {
            Fault::Taken => Failure::Refuted,
            Fault::Unstorable => Failure::Unstorable(why),
            Fault::Corrupt | Fault::Refused => Failure::NotWritten(why),
            Fault::Lost => {
                self.connection = None;
                lost(why)
            }
        }
    }

    /// A connection that stands, and what is known of the log. Nothing has been sent when this fails.
    async fn ready(&mut self) -> Result<Ledger, Failure> {
        if self.used.elapsed() > RESTED
            && let Some(connection) = &mut self.connection
            && answered(connection.ping()).await.is_err()
        {
            self.connection = None;
        }
        let mut pauses = PAUSES.into_iter();
        while self.connection.is_none() {
            match self.connector.connect(Role::Appender).await {
                Ok(connection) => self.connection = Some(connection),
                Err(error) => match pauses.next() {
                    Some(pause) => rest(pause).await,
                    None => return Err(Failure::NotWritten(format!("{}: {}", self.place, said(&error)))),
                },
            }
        }
        self.used = Instant::now();
        match self.ledger.take() {
            Some(ledger) => Ok(ledger),
            None => self.reload().await,
        }
    }
    /// Reads the end of the log, without the lock: it is compared when it is used.
    async fn reload(&mut self) -> Result<Ledger, Failure> {
        let rows = answered(sqlx::query(LEDGER).fetch_all(self.standing()?)).await;
        let rows = rows.map_err(|why| self.failed(why, Failure::NotWritten))?;
        let (head, fences) = ledger_of(&rows).map_err(|error| Failure::NotWritten(error.to_string()))?;
        self.follow(&head);
        Ok(Ledger::new(head, fences))
    }

    /// Shows what was written to the readers, before its callers hear of it.
    fn publish(&self, mut written: Written) -> Written {
        self.shared.counters.group(&written);
        let events = std::mem::take(&mut written.events);
        if !events.is_empty() {
            self.shared.ring.write().unwrap_or_else(PoisonError::into_inner).extend(events);
            self.shared.seen(written.head.position);
            self.published.send_replace(written.head.position.0);
        }
        written
    }
    /// Takes note of an end of the log that others have written.
    fn follow(&self, head: &Head) {
        self.shared.seen(head.position);
    }
}

/// The end of the log beside every fence, of one moment; without a fence one row with the end of the log alone.
pub(crate) const LEDGER: &str = "SELECT h.position, h.public_seq, h.recorded_at, h.chain, f.scope, f.epoch \
                                 FROM es_head h LEFT JOIN es_fences f ON true WHERE h.id = 1";

/// Reads the rows of [`LEDGER`].
pub(crate) fn ledger_of(rows: &[PgRow]) -> Result<(Head, BTreeMap<String, Epoch>), ReadError> {
    let corrupt = |why: String| ReadError::Corrupt { place: "es_head".to_owned(), why };
    let head = decode::head(rows.first().ok_or_else(|| corrupt("it has no row".to_owned()))?)?;
    let mut fences = BTreeMap::new();
    for row in rows {
        let fence = (row.try_get::<Option<String>, _>(4), row.try_get::<Option<i64>, _>(5));
        match fence {
            (Ok(Some(scope)), Ok(Some(epoch))) => {
                fences.insert(scope, Epoch(epoch.cast_unsigned()));
            }
            (Ok(None), Ok(None)) => {}
            (scope, epoch) => return Err(corrupt(format!("{scope:?} {epoch:?}"))),
        }
    }
    Ok((head, fences))
}

fn fences_of(rows: &[PgRow]) -> Result<BTreeMap<String, Epoch>, sqlx::Error> {
    let fence = |row: &PgRow| Ok((row.try_get(0)?, Epoch(row.try_get::<i64, _>(1)?.cast_unsigned())));
    rows.iter().map(fence).collect()
}

/// Waits for an answer of the server, but not for ever.
async fn answered<T>(question: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, sqlx::Error> {
    match timeout(ANSWER_MAX, question).await {
        Ok(answer) => answer,
        Err(late) => Err(sqlx::Error::Io(std::io::Error::new(std::io::ErrorKind::TimedOut, late))),
    }
}

#[expect(clippy::disallowed_methods, reason = "a wait for the network, not for a deadline of the business")]
async fn rest(pause: Duration) {
    tokio::time::sleep(pause).await;
}
