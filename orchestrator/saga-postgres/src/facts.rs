//! What a locked plan needs to know, read in three questions however many batches there are.
//!
//! Read under the lock of the head, so that what is read stays true until it is written.

use crate::decode::{self, BoxError, INBOX_COLUMNS};
use crate::fault::read_error;
use saga_core::appender::{Facts, Ledger};
use saga_core::batch::{Batch, StreamWrite};
use saga_core::id::{EventId, Position, StreamId, Version};
use saga_core::ports::ReadError;
use sqlx::postgres::{PgArguments, PgConnection, PgRow};
use sqlx::{Arguments as _, AssertSqlSafe, Row as _};
use std::collections::BTreeSet;
use uuid::Uuid;

const VERSIONS: &str = "SELECT wanted, (SELECT e.version FROM es_events e WHERE e.stream = wanted \
                        ORDER BY e.version DESC LIMIT 1) FROM unnest($1) wanted";
const PLACES: &str = "SELECT e.stream, e.version, e.event_id, e.position \
                      FROM unnest($1, $2, $3) wanted(stream, after, upto) CROSS JOIN LATERAL (SELECT * FROM es_events i \
                      WHERE i.stream = wanted.stream AND i.version > wanted.after AND i.version <= wanted.upto OFFSET 0) e";
const KEYS: &str = "FROM unnest($1, $2) wanted(of, it) JOIN es_inbox ON saga = wanted.of AND key = wanted.it";

/// Everything that decides about these batches and is not in the ledger.
pub(crate) async fn read(
    connection: &mut PgConnection,
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
        let streams: Vec<&str> = unknown.into_iter().collect();
        for row in ask(connection, VERSIONS, |arguments| arguments.add(streams)).await? {
            let (stream, version) = decode::at(|| "es_events".to_owned(), version(&row))?;
            facts.versions.insert(stream, version);
        }
    }

    let actual = |facts: &Facts, stream: &StreamId| {
        ledger.version(stream).or_else(|| facts.versions.get(stream).copied()).unwrap_or_default()
    };
    let wanted: Vec<&StreamWrite> =
        writes().filter(|write| !write.events.is_empty() && actual(&facts, &write.stream) > write.expected).collect();
    if !wanted.is_empty() {
        let bind = |arguments: &mut PgArguments| {
            let upto = |write: &&StreamWrite| (write.expected.0 + write.events.len() as u64).cast_signed();
            arguments.add(wanted.iter().map(|write| write.stream.as_str()).collect::<Vec<_>>())?;
            arguments.add(wanted.iter().map(|write| write.expected.0.cast_signed()).collect::<Vec<_>>())?;
            arguments.add(wanted.iter().map(upto).collect::<Vec<_>>())
        };
        for row in ask(connection, PLACES, bind).await? {
            let (place, occupant) = decode::at(|| "es_events".to_owned(), occupant(&row))?;
            facts.places.insert(place, occupant);
        }
    }

    let keys: BTreeSet<(Uuid, Uuid)> = batches
        .iter()
        .filter_map(|batch| batch.inbox.as_ref())
        .flat_map(|entry| [Some(entry.key), entry.unless].into_iter().flatten().map(|key| (entry.saga, key.uuid())))
        .collect();
    if !keys.is_empty() {
        let (sagas, keys): (Vec<Uuid>, Vec<Uuid>) = keys.into_iter().unzip();
        let bind = |arguments: &mut PgArguments| arguments.add(sagas).and_then(|()| arguments.add(keys));
        for row in ask(connection, &format!("SELECT {INBOX_COLUMNS} {KEYS}"), bind).await? {
            let (key, remembered) = decode::remembered(&row)?;
            facts.keys.insert(key, remembered);
        }
    }
    Ok(facts)
}

async fn ask(
    connection: &mut PgConnection,
    sql: &str,
    bind: impl FnOnce(&mut PgArguments) -> Result<(), BoxError>,
) -> Result<Vec<PgRow>, ReadError> {
    let mut arguments = PgArguments::default();
    let place = "what the appender looks up";
    bind(&mut arguments).map_err(|why| ReadError::Unavailable(format!("{place}: {why}")))?;
    let rows = sqlx::query_with(AssertSqlSafe(sql.to_owned()), arguments).fetch_all(connection).await;
    rows.map_err(|error| read_error(place, &error))
}

fn version(row: &PgRow) -> Result<(StreamId, Version), BoxError> {
    let version: Option<i64> = row.try_get(1)?;
    Ok((StreamId::parse(row.try_get(0)?)?, Version(u64::try_from(version.unwrap_or(0))?)))
}
/// A place in a stream, and who stands there.
type Occupant = ((StreamId, Version), (EventId, Position));

fn occupant(row: &PgRow) -> Result<Occupant, BoxError> {
    let place = (StreamId::parse(row.try_get(0)?)?, Version(u64::try_from(row.try_get::<i64, _>(1)?)?));
    Ok((place, (EventId(row.try_get(2)?), Position(u64::try_from(row.try_get::<i64, _>(3)?)?))))
}
