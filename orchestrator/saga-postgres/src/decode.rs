//! Rows back into what was written. What cannot have been written by us is damage, and named by its place.

use saga_core::appender::Head;
use saga_core::envelope::Recorded;
use saga_core::id::{EventId, Position, StepKey, StreamId, Version};
use saga_core::json::Payload;
use saga_core::ports::{Document, ReadError, Remembered};
use saga_core::time::Timestamp;
use saga_core::written::answer_of_columns;
use sqlx::Row as _;
use sqlx::postgres::PgRow;
use uuid::Uuid;

/// The columns that [`recorded`] reads, in its order.
pub(crate) const EVENT_COLUMNS: &str =
    "position, public_seq, stream, version, event_id, type, schema_version, data, meta, time, recorded_at, chain";
/// The columns that [`remembered`] reads, in its order.
pub(crate) const INBOX_COLUMNS: &str = "saga, key, payload_hash, outcome, answer";
/// The columns that [`document`] reads, in its order.
pub(crate) const DOCUMENT_COLUMNS: &str = "key, body, fields, i0, i1, i2, i3";

pub(crate) type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Runs a decoder and names the place where it failed.
pub(crate) fn at<T>(place: impl FnOnce() -> String, decoded: Result<T, BoxError>) -> Result<T, ReadError> {
    decoded.map_err(|why| ReadError::Corrupt { place: place(), why: why.to_string() })
}

fn unsigned(row: &PgRow, column: usize) -> Result<u64, BoxError> {
    Ok(u64::try_from(row.try_get_unchecked::<i64, _>(column)?)?)
}
fn text(row: &PgRow, column: usize) -> Result<&str, BoxError> {
    Ok(std::str::from_utf8(row.try_get_unchecked::<&[u8], _>(column)?)?)
}
fn hash(row: &PgRow, column: usize) -> Result<[u8; 32], BoxError> {
    Ok(row.try_get_unchecked::<&[u8], _>(column)?.try_into()?)
}

/// One event. The types of the columns are not compared for each value: they are ours, and checked at the start.
pub(crate) fn recorded(row: &PgRow) -> Result<Recorded, ReadError> {
    let place = || match unsigned(row, 0) {
        Ok(position) => format!("es_events position {position}"),
        Err(_) => "es_events".to_owned(),
    };
    at(place, event(row))
}
fn event(row: &PgRow) -> Result<Recorded, BoxError> {
    let public_seq: Option<i64> = row.try_get_unchecked(1)?;
    Ok(Recorded {
        position: Position(unsigned(row, 0)?),
        public_seq: public_seq.map(u64::try_from).transpose()?,
        stream: StreamId::parse(text(row, 2)?)?,
        version: Version(unsigned(row, 3)?),
        id: EventId(row.try_get_unchecked(4)?),
        name: text(row, 5)?.to_owned(),
        schema_version: u16::try_from(row.try_get_unchecked::<i32, _>(6)?)?,
        data: Payload::trusted(text(row, 7)?),
        meta: Payload::trusted(text(row, 8)?),
        time: Timestamp(row.try_get_unchecked(9)?),
        recorded_at: Timestamp(row.try_get_unchecked(10)?),
        chain: hash(row, 11)?,
    })
}

/// The end of the log: position, public_seq, recorded_at, chain.
pub(crate) fn head(row: &PgRow) -> Result<Head, ReadError> {
    let decode = || -> Result<Head, BoxError> {
        Ok(Head {
            position: Position(u64::try_from(row.try_get::<i64, _>(0)?)?),
            public_seq: u64::try_from(row.try_get::<i64, _>(1)?)?,
            recorded_at: Timestamp(row.try_get(2)?),
            // Owned: this row also comes in text form, from a script.
            chain: row.try_get::<Vec<u8>, _>(3)?.as_slice().try_into()?,
        })
    };
    at(|| "es_head".to_owned(), decode())
}

/// A row of the inbox.
pub(crate) fn remembered(row: &PgRow) -> Result<((Uuid, StepKey), Remembered), ReadError> {
    let decode = || -> Result<_, BoxError> {
        let key = (row.try_get(0)?, StepKey::from_uuid(row.try_get(1)?));
        let answer = answer_of_columns(row.try_get(3)?, text(row, 4)?)?;
        Ok((key, Remembered { payload_hash: hash(row, 2)?, answer }))
    };
    at(|| "es_inbox".to_owned(), decode())
}

/// A row of the documents.
pub(crate) fn document(row: &PgRow) -> Result<Document, ReadError> {
    let decode = || -> Result<_, BoxError> {
        let fields = usize::try_from(row.try_get::<i16, _>(2)?)?;
        let index = (0..fields).map(|field| row.try_get(3 + field)).collect::<Result<_, _>>()?;
        Ok(Document { key: row.try_get(0)?, body: Payload::trusted(text(row, 1)?), index })
    };
    at(|| "es_documents".to_owned(), decode())
}
