//! A plan as one script of SQL: a few inserts of many rows in one transaction.
//!
//! One script and not a statement at a time, because every statement that is submitted costs two hops between threads.
//! Row counts are rounded up and the rest is padded with rows of NULL, which the statement drops, so that a few hundred
//! texts cover every group and SQLite has nearly all of them prepared.

use saga_core::appender::WriteSet;
use saga_core::batch::{DocumentWrite, INDEX_FIELDS_MAX, InboxEntry};
use saga_core::envelope::Recorded;
use saga_core::id::{Direction, StepKey};
use saga_core::written::answer_columns;
use sqlx::Arguments as _;
use sqlx::sqlite::SqliteArguments;
use std::sync::Arc;
use uuid::Uuid;

/// 128 rows of 12 columns: beyond this a longer statement saves nothing that can be measured.
const ROWS_PER_STATEMENT_MAX: usize = 128;

/// 1,000 events: the note of the log's length is never older than what is verified at start.
const NOTED_EVERY: u64 = 1_000;

/// The event after which the length of the log is noted, if there is one.
fn noted(events: &[Recorded]) -> Option<&Recorded> {
    events.iter().rev().find(|event| event.position.0.is_multiple_of(NOTED_EVERY))
}

/// One transaction, ready to be submitted.
pub(crate) struct Script {
    pub(crate) sql: String,
    pub(crate) arguments: SqliteArguments,
    /// How many statements it has; the last one commits.
    pub(crate) statements: usize,
}

struct Insert {
    into: &'static str,
    columns: usize,
    conflict: &'static str,
}

const EVENTS: Insert = Insert {
    into: "INSERT INTO es_events (position, public_seq, stream, version, event_id, type, schema_version, data, meta, \
           time, recorded_at, chain)",
    columns: 12,
    conflict: "",
};
const INBOX: Insert = Insert {
    into: "INSERT INTO es_inbox (saga, key, direction, payload_hash, epoch, outcome, answer)",
    columns: 7,
    conflict: "",
};
const CHECKPOINTS: Insert = Insert {
    into: "INSERT INTO es_checkpoints (consumer, position)",
    columns: 2,
    conflict: " ON CONFLICT (consumer) DO UPDATE SET position = excluded.position",
};
const DOCUMENTS: Insert = Insert {
    into: "INSERT INTO es_documents (projection, version, key, fields, i0, i1, i2, i3, body)",
    columns: 9,
    conflict: " ON CONFLICT (projection, version, key) DO UPDATE SET fields = excluded.fields, i0 = excluded.i0, \
               i1 = excluded.i1, i2 = excluded.i2, i3 = excluded.i3, body = excluded.body",
};
// Doing nothing is right for blobs only: the same key is the same bytes.
const BLOBS: Insert =
    Insert { into: "INSERT INTO es_blobs (sha256, bytes)", columns: 2, conflict: " ON CONFLICT (sha256) DO NOTHING" };
const SNAPSHOTS: Insert = Insert {
    into: "INSERT INTO es_snapshots (stream, version, digest, state)",
    columns: 4,
    conflict: " ON CONFLICT (stream) DO UPDATE SET version = excluded.version, digest = excluded.digest, \
               state = excluded.state",
};
const FENCES: Insert = Insert {
    into: "INSERT INTO es_fences (scope, epoch)",
    columns: 2,
    conflict: " ON CONFLICT (scope) DO UPDATE SET epoch = excluded.epoch",
};

impl Script {
    /// Everything that a plan writes.
    pub(crate) fn of(plan: &WriteSet<'_, '_>) -> Result<Self, String> {
        let mut script = Self { sql: String::new(), arguments: SqliteArguments::default(), statements: 0 };
        script.write(plan).map_err(|why| why.to_string())?;
        Ok(script)
    }

    fn write(&mut self, plan: &WriteSet<'_, '_>) -> Result<(), sqlx::error::BoxDynError> {
        for (saga, key) in &plan.absent {
            self.statement("INSERT INTO es_guard SELECT 1 FROM es_inbox WHERE saga = ? AND key = ?");
            self.key(*saga, *key)?;
        }
        self.insert(&INBOX, plan.inbox.values(), |script, entry| script.inbox(entry))?;
        let mut last_public = plan.start().public_seq;
        let events: Vec<(&Recorded, i64)> = plan
            .events
            .iter()
            .map(|event| match event.public_seq {
                Some(seq) => {
                    last_public = seq;
                    (event, seq.cast_signed())
                }
                None => (event, -last_public.cast_signed()),
            })
            .collect();
        self.insert(&EVENTS, events.into_iter(), |script, (event, public)| script.event(event, public))?;
        self.insert(&CHECKPOINTS, plan.marks.iter(), |script, (consumer, position)| {
            script.arguments.add(*consumer)?;
            script.arguments.add(position.0.cast_signed())
        })?;
        self.documents(plan)?;
        self.insert(&BLOBS, plan.blobs.iter(), |script, (sha256, bytes)| {
            script.arguments.add(sha256.as_slice())?;
            script.arguments.add(*bytes)
        })?;
        self.insert(&SNAPSHOTS, plan.snapshots.values(), |script, snapshot| {
            script.arguments.add(snapshot.stream.to_shared())?;
            script.arguments.add(snapshot.version.0.cast_signed())?;
            script.arguments.add(snapshot.digest.as_str())?;
            script.arguments.add(snapshot.state.to_shared())
        })?;
        self.insert(&FENCES, plan.fences.iter(), |script, (scope, epoch)| {
            script.arguments.add(*scope)?;
            script.arguments.add(epoch.0.cast_signed())
        })?;
        if let Some(noted) = noted(&plan.events) {
            self.statement("UPDATE es_head SET position = ?, chain = ? WHERE id = 1");
            self.arguments.add(noted.position.0.cast_signed())?;
            self.arguments.add(noted.chain.as_slice())?;
        }
        // One statement is a transaction of its own. Leaving out the other two saves a wake of the waiting task in the
        // middle of the commit, which is a third of the time of a small one.
        if self.statements > 1 {
            self.sql.insert_str(0, "BEGIN IMMEDIATE;");
            self.statements += 1;
            self.statement("COMMIT");
        }
        Ok(())
    }

    fn statement(&mut self, text: &str) {
        self.sql.push_str(text);
        self.sql.push(';');
        self.statements += 1;
    }

    fn insert<R>(
        &mut self,
        insert: &Insert,
        rows: impl ExactSizeIterator<Item = R>,
        bind: impl Fn(&mut Self, R) -> Result<(), sqlx::error::BoxDynError>,
    ) -> Result<(), sqlx::error::BoxDynError> {
        let (mut left, mut rows) = (rows.len(), rows);
        while left > 0 {
            let here = left.min(ROWS_PER_STATEMENT_MAX);
            let padded = here.next_power_of_two();
            self.open(insert, padded);
            for row in rows.by_ref().take(here) {
                bind(self, row)?;
            }
            for _ in 0..(padded - here) * insert.columns {
                self.arguments.add(None::<i64>)?;
            }
            left -= here;
        }
        Ok(())
    }
    fn open(&mut self, insert: &Insert, rows: usize) {
        let row = format!("({}?)", "?,".repeat(insert.columns - 1));
        let Insert { into, conflict, .. } = insert;
        if rows == 1 {
            self.statement(&format!("{into} VALUES {row}{conflict}"));
        } else {
            let values = vec![row; rows].join(",");
            self.statement(&format!("{into} SELECT * FROM (VALUES {values}) WHERE column1 IS NOT NULL{conflict}"));
        }
    }

    fn key(&mut self, saga: Uuid, key: StepKey) -> Result<(), sqlx::error::BoxDynError> {
        self.arguments.add(saga.as_bytes().as_slice())?;
        self.arguments.add(key.uuid().as_bytes().as_slice())
    }
    fn inbox(&mut self, entry: &InboxEntry) -> Result<(), sqlx::error::BoxDynError> {
        let (outcome, answer) = answer_columns(&entry.answer)?;
        self.key(entry.saga, entry.key)?;
        self.arguments.add(match entry.direction {
            Direction::Do => "do",
            Direction::Undo => "undo",
        })?;
        self.arguments.add(entry.payload_hash.as_slice())?;
        self.arguments.add(entry.epoch.0.cast_signed())?;
        self.arguments.add(outcome)?;
        self.arguments.add(answer)
    }
    fn event(&mut self, event: &Recorded, public: i64) -> Result<(), sqlx::error::BoxDynError> {
        self.arguments.add(event.position.0.cast_signed())?;
        self.arguments.add(public)?;
        self.arguments.add(event.stream.to_shared())?;
        self.arguments.add(event.version.0.cast_signed())?;
        self.arguments.add(event.id.0.as_bytes().as_slice())?;
        self.arguments.add(event.name.as_str())?;
        self.arguments.add(i64::from(event.schema_version))?;
        self.arguments.add(event.data.to_shared())?;
        self.arguments.add(event.meta.to_shared())?;
        self.arguments.add(event.time.0)?;
        self.arguments.add(event.recorded_at.0)?;
        self.arguments.add(event.chain.as_slice())
    }
    fn documents(&mut self, plan: &WriteSet<'_, '_>) -> Result<(), sqlx::error::BoxDynError> {
        let (kept, removed): (Vec<&DocumentWrite>, Vec<_>) =
            plan.documents.values().copied().partition(|write| write.body.is_some());
        for write in removed {
            self.statement("DELETE FROM es_documents WHERE projection = ? AND version = ? AND key = ?");
            self.document_key(write)?;
        }
        self.insert(&DOCUMENTS, kept.into_iter(), |script, write| {
            script.document_key(write)?;
            script.arguments.add(i64::try_from(write.index.len())?)?;
            for field in 0..INDEX_FIELDS_MAX {
                script.arguments.add(write.index.get(field).and_then(Option::as_deref))?;
            }
            script.arguments.add(write.body.as_ref().map_or_else(|| Arc::from("null"), |body| body.to_shared()))
        })
    }
    fn document_key(&mut self, write: &DocumentWrite) -> Result<(), sqlx::error::BoxDynError> {
        self.arguments.add(write.projection.as_str())?;
        self.arguments.add(i64::from(write.version))?;
        self.arguments.add(write.key.as_str())
    }
}
