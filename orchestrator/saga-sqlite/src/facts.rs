//! What a locked plan needs to know, read in three questions however many batches there are.
//!
//! Only the appender writes, so what is read here stays true until it writes.

use crate::decode::{self, INBOX_COLUMNS};
use crate::fault::read_error;
use saga_core::appender::{Facts, Ledger};
use saga_core::batch::{Batch, InboxEntry, StreamWrite};
use saga_core::id::{EventId, Position, StepKey, StreamId, Version};
use saga_core::ports::ReadError;
use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, Row as _, SqliteConnection};
use std::collections::BTreeSet;
use uuid::Uuid;

type Decoded<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Everything that decides about these batches and is not in the ledger.
pub(crate) async fn read(
    connection: &mut SqliteConnection,
    ledger: &Ledger,
    batches: &[Batch],
) -> Result<Facts, ReadError> {
    let mut facts = Facts::default();
    let writes = || batches.iter().flat_map(|batch| &batch.writes);

    let unknown: BTreeSet<&str> = writes()
        .map(|write| &write.stream)
        .filter(|stream| ledger.version(stream).is_none())
        .map(StreamId::as_str)
        .collect();
    if !unknown.is_empty() {
        for row in ask(connection, VERSIONS, serde_json::json!(unknown)).await? {
            let (stream, version) = decode::at(|| "es_events".to_owned(), version(&row))?;
            facts.versions.insert(stream, version);
        }
    }

    let actual = |facts: &Facts, stream: &StreamId| {
        ledger.version(stream).or_else(|| facts.versions.get(stream).copied()).unwrap_or_default()
    };
    let wanted: Vec<(&str, u64, u64)> = writes()
        .filter(|write| !write.events.is_empty() && actual(&facts, &write.stream) > write.expected)
        .map(|write: &StreamWrite| {
            (write.stream.as_str(), write.expected.0, write.expected.0 + write.events.len() as u64)
        })
        .collect();
    if !wanted.is_empty() {
        for row in ask(connection, PLACES, serde_json::json!(wanted)).await? {
            let (place, occupant) = decode::at(|| "es_events".to_owned(), occupant(&row))?;
            facts.places.insert(place, occupant);
        }
    }

    let entries = batches.iter().filter_map(|batch| batch.inbox.as_ref());
    let keys: BTreeSet<(String, String)> = entries.flat_map(keys_of).collect();
    if !keys.is_empty() {
        let sql = format!("SELECT {INBOX_COLUMNS} {KEYS}");
        for row in ask(connection, &sql, serde_json::json!(keys)).await? {
            let (key, remembered) = decode::remembered(&row)?;
            facts.keys.insert(key, remembered);
        }
    }
    Ok(facts)
}

// The list is renamed first: json_each has columns of its own named `key` and `type`.
const VERSIONS: &str = "SELECT value, (SELECT max(version) FROM es_events WHERE stream = value) FROM json_each(?)";
const PLACES: &str = "SELECT stream, version, event_id, position FROM (SELECT value AS wanted FROM json_each(?)) \
                      CROSS JOIN es_events \
                      ON stream = wanted ->> 0 AND version > wanted ->> 1 AND version <= wanted ->> 2";
const KEYS: &str = "FROM (SELECT value AS wanted FROM json_each(?)) CROSS JOIN es_inbox \
                    ON saga = unhex(wanted ->> 0) AND key = unhex(wanted ->> 1)";

async fn ask(
    connection: &mut SqliteConnection,
    sql: &str,
    list: serde_json::Value,
) -> Result<Vec<SqliteRow>, ReadError> {
    let rows = sqlx::query(AssertSqlSafe(sql.to_owned())).bind(list.to_string()).fetch_all(connection).await;
    rows.map_err(|error| read_error("what the appender looks up", &error))
}

fn hex(uuid: Uuid) -> String {
    uuid.simple().to_string()
}
fn keys_of(entry: &InboxEntry) -> impl Iterator<Item = (String, String)> {
    let keys: [Option<StepKey>; 2] = [Some(entry.key), entry.unless];
    let saga = hex(entry.saga);
    keys.into_iter().flatten().map(move |key| (saga.clone(), hex(key.uuid())))
}
fn version(row: &SqliteRow) -> Decoded<(StreamId, Version)> {
    let version: Option<i64> = row.try_get(1)?;
    Ok((StreamId::parse(row.try_get(0)?)?, Version(version.unwrap_or(0).cast_unsigned())))
}
fn occupant(row: &SqliteRow) -> Decoded<((StreamId, Version), (EventId, Position))> {
    let place = (StreamId::parse(row.try_get(0)?)?, Version(row.try_get::<i64, _>(1)?.cast_unsigned()));
    let id = EventId(Uuid::from_slice(row.try_get(2)?)?);
    Ok((place, (id, Position(row.try_get::<i64, _>(3)?.cast_unsigned()))))
}
