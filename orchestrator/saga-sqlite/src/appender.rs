//! The one task that writes: it gathers the waiting batches, lets the pure plan decide, submits one transaction, and
//! answers.

use crate::facts;
use crate::fault::Fault;
use crate::lock::Lock;
use crate::open;
use crate::script::Script;
use crate::seen::Seen;
use crate::store::Shared;
use futures::StreamExt as _;
use saga_core::appender::{Facts, Ledger, Planned, Sight, WriteSet, Written};
use saga_core::batch::{Batch, Cause, Commit};
use saga_core::ports::Clock;
use sqlx::{AssertSqlSafe, Connection as _, Either, Executor as _, SqliteConnection};
use std::path::PathBuf;
use std::sync::{Arc, PoisonError};
use tokio::sync::{mpsc, oneshot};

/// 256 batches: beyond this the flush is no longer what a commit costs.
const GROUP_BATCHES_MAX: usize = 256;
/// 4 MiB: a group is written within some tens of milliseconds, so that nobody waits long behind a large neighbour.
const GROUP_BYTES_MAX: usize = 4 * 1024 * 1024;

/// A batch and the caller that waits for its answer.
pub(crate) struct Request {
    pub(crate) batch: Batch,
    pub(crate) answer: oneshot::Sender<Commit>,
}

/// Owns the connection that writes, and the lock.
pub(crate) struct Appender {
    pub(crate) connection: SqliteConnection,
    /// `None` after trouble: then it is read from the file before anything else is decided.
    pub(crate) ledger: Option<Ledger>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) file: PathBuf,
    pub(crate) place: String,
    pub(crate) pages_max: Option<u32>,
    /// Held until this task ends, never read.
    #[expect(dead_code, reason = "the lock lives as long as the appender")]
    pub(crate) lock: Lock,
}

/// Why a transaction was not acknowledged.
enum Failure {
    /// A hopeful plan was refuted by a key or guard; certainly not written.
    Refuted,
    /// Certainly not written.
    NotWritten(String),
    /// Perhaps written.
    Unknown(String),
}

impl Failure {
    fn answer(&self) -> Commit {
        match self {
            Failure::Refuted => Commit::Retryable(Cause("a key was taken that had been read as free".to_owned())),
            Failure::NotWritten(why) => Commit::Retryable(Cause(why.clone())),
            Failure::Unknown(why) => Commit::Unknown(Cause(why.clone())),
        }
    }
}

impl Appender {
    /// Serves until every sender is gone, then leaves a file without a write-ahead log.
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
        if let Err(error) = open::note(&mut self.connection).await {
            tracing::warn!(place = self.place, why = %error, "the length of the log was not noted");
        }
        if let Err(error) = self.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").await {
            tracing::warn!(place = self.place, why = %error, "the write-ahead log stays beside the file");
        }
        if let Err(error) = self.connection.close().await {
            tracing::warn!(place = self.place, why = %error, "the file was not closed cleanly");
        }
    }

    /// An answer for each batch, in their order.
    async fn serve(&mut self, batches: &[Batch]) -> Vec<Commit> {
        let mut ledger = match self.ledger.take() {
            Some(ledger) => ledger,
            None => match self.reload().await {
                Ok(ledger) => ledger,
                Err(why) => return batches.iter().map(|_| Commit::Retryable(Cause(why.clone()))).collect(),
            },
        };
        let mut answers = Vec::with_capacity(batches.len());
        let failure = match self.pass(&mut ledger, None, batches, &mut answers).await {
            Ok(()) if answers.len() == batches.len() => None,
            // The rest, or all if the hope was refuted, is decided on what is read.
            Ok(()) | Err(Failure::Refuted) => self.locked(&mut ledger, batches, &mut answers).await.err(),
            Err(failure) => Some(failure),
        };
        match failure {
            None => self.ledger = Some(ledger),
            // The ledger is dropped with the failure, and read again before the next group.
            Some(failure) => self.give_up(&failure, batches.len(), &mut answers),
        }
        answers
    }
    fn give_up(&self, failure: &Failure, batches: usize, answers: &mut Vec<Commit>) {
        let answer = failure.answer();
        self.seen(Seen::forget_deeds);
        tracing::error!(place = self.place, ?answer, "a group was not committed");
        answers.resize_with(batches, || failure.answer());
    }

    async fn locked(
        &mut self,
        ledger: &mut Ledger,
        batches: &[Batch],
        answers: &mut Vec<Commit>,
    ) -> Result<(), Failure> {
        let rest = batches.get(answers.len()..).unwrap_or_default();
        let facts = facts::read(&mut self.connection, ledger, rest)
            .await
            .map_err(|error| Failure::NotWritten(error.to_string()))?;
        self.pass(ledger, Some(&facts), rest, answers).await
    }

    /// Plans as many of the batches as can be decided, writes them, and only then adds their answers.
    async fn pass(
        &mut self,
        ledger: &mut Ledger,
        facts: Option<&Facts>,
        batches: &[Batch],
        answers: &mut Vec<Commit>,
    ) -> Result<(), Failure> {
        let sight = facts.map_or(Sight::Optimistic, Sight::Locked);
        let mut plan = WriteSet::new(ledger, sight, self.clock.now());
        let mut decided = Vec::with_capacity(batches.len());
        for batch in batches {
            match plan.take(batch) {
                Planned::Write(receipt) => decided.push(Commit::Ok(receipt)),
                Planned::Answer(answer) => decided.push(answer),
                Planned::Look => break,
            }
        }
        let fresh = self.seen(|seen| seen.expect(&plan));
        // A saga that the inbox has not known before has no undo in it: nothing needs to be guarded.
        plan.absent.retain(|(saga, _)| fresh.binary_search(saga).is_err());
        if !plan.is_empty() || !plan.absent.is_empty() {
            self.flush(&plan, ledger).await?;
        }
        self.seen(|seen| seen.written(fresh, plan.inbox.values().copied()));
        let written = self.publish(plan.written());
        ledger.apply(written);
        answers.append(&mut decided);
        Ok(())
    }

    fn seen<T>(&self, change: impl FnOnce(&mut Seen) -> T) -> T {
        change(&mut self.shared.seen.write().unwrap_or_else(PoisonError::into_inner))
    }

    /// Shows what was written to the readers, before its callers hear of it.
    fn publish(&self, mut written: Written) -> Written {
        self.shared.counters.group(&written);
        let events = std::mem::take(&mut written.events);
        if !events.is_empty() {
            self.shared.ring.write().unwrap_or_else(PoisonError::into_inner).extend(events);
            self.shared.head.send_replace(written.head.position);
        }
        written
    }

    async fn flush(&mut self, plan: &WriteSet<'_, '_>, ledger: &Ledger) -> Result<(), Failure> {
        let Script { sql, arguments, statements } = Script::of(plan).map_err(Failure::NotWritten)?;
        let mut done = 0;
        let mut failed = None;
        {
            let mut steps = self.connection.fetch_many(sqlx::query_with(AssertSqlSafe(sql), arguments));
            while let Some(step) = steps.next().await {
                match step {
                    Ok(Either::Left(_)) => done += 1,
                    Ok(Either::Right(_)) => {}
                    Err(error) => failed = Some(error),
                }
            }
        }
        let Some(error) = failed else {
            self.shared.counters.transaction();
            return Ok(());
        };
        // For the gravest errors SQLite has rolled back already, and says that there is nothing to roll back.
        self.connection.execute("ROLLBACK").await.ok();
        let why = format!("{}: {error}", self.place);
        let committing = done + 1 >= statements;
        match Fault::of(&error) {
            Fault::Constraint => Err(Failure::Refuted),
            // Full or busy, the frame that commits was never written whole.
            Fault::Busy | Fault::Full => Err(Failure::NotWritten(why)),
            Fault::Corrupt | Fault::Io | Fault::Other if !committing && error.as_database_error().is_some() => {
                Err(Failure::NotWritten(why))
            }
            Fault::Corrupt | Fault::Io | Fault::Other => Err(self.settle_fate(ledger, why).await),
        }
    }
    /// A failed `COMMIT` may have left whole frames in the write-ahead log, which a crash would bring to life. Writing
    /// over them settles it; while that does not work, nobody knows.
    async fn settle_fate(&mut self, ledger: &Ledger, why: String) -> Failure {
        let touch = "UPDATE es_head SET id = 1 WHERE id = 1";
        if let Err(error) = self.connection.execute(touch).await {
            self.connection.execute("ROLLBACK").await.ok();
            return Failure::Unknown(format!("{why}; and then: {error}"));
        }
        match open::ledger(&mut self.connection, &self.place).await {
            Ok((head, _)) if head == ledger.head() => Failure::NotWritten(why),
            Ok(_) => Failure::Unknown(why),
            Err(error) => Failure::Unknown(format!("{why}; and then: {error}")),
        }
    }

    /// Reads the end of the log again, on a new connection if the old one is gone.
    async fn reload(&mut self) -> Result<Ledger, String> {
        if self.connection.ping().await.is_err() {
            let fresh = open::writer(&self.file, &self.place, self.pages_max).await;
            self.connection = fresh.map_err(|error| error.to_string())?;
        }
        let found = open::ledger(&mut self.connection, &self.place).await;
        let (head, fences) = found.map_err(|error| error.to_string())?;
        if head.position > *self.shared.head.borrow() {
            // An unknown commit was written after all. The ring would have a hole: start it anew.
            *self.shared.ring.write().unwrap_or_else(PoisonError::into_inner) = Default::default();
            self.shared.head.send_replace(head.position);
        }
        Ok(Ledger::new(head, fences))
    }
}
