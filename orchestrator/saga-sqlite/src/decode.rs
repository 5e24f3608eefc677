//! Rows back into what was written. What cannot have been written by us is damage, and named by its place.

use saga_core::envelope::Recorded;
use saga_core::id::{EventId, Position, StepKey, StreamId, Version};
use saga_core::json::Payload;
use saga_core::outcome::Answer;
use saga_core::ports::{Document, ReadError, Remembered};
use saga_core::time::Timestamp;
use serde::{Deserialize, Serialize};
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;
use uuid::Uuid;

/// The columns that [`recorded`] reads, in its order.
pub(crate) const EVENT_COLUMNS: &str = "position, public_seq, stream, version, event_id, type, schema_version, data, \
                                        meta, time, recorded_at, chain";
/// The columns that [`remembered`] reads, in its order.
pub(crate) const INBOX_COLUMNS: &str = "saga, key, payload_hash, outcome, answer";
/// The columns that [`document`] reads, in its order.
pub(crate) const DOCUMENT_COLUMNS: &str = "key, body, fields, i0, i1, i2, i3";

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Runs a decoder and names the place where it failed.
pub(crate) fn at<T>(place: impl FnOnce() -> String, decoded: Result<T, BoxError>) -> Result<T, ReadError> {
    decoded.map_err(|why| ReadError::Corrupt { place: place(), why: why.to_string() })
}

/// A row of the log.
pub(crate) fn recorded(row: &SqliteRow) -> Result<Recorded, ReadError> {
    let place = || match row.try_get::<i64, _>(0) {
        Ok(position) => format!("es_events position {position}"),
        Err(_) => "es_events".to_owned(),
    };
    at(place, event(row))
}

fn event(row: &SqliteRow) -> Result<Recorded, BoxError> {
    Ok(Recorded {
        position: Position(row.try_get::<i64, _>(0)?.cast_unsigned()),
        public_seq: row.try_get::<Option<i64>, _>(1)?.map(i64::cast_unsigned),
        stream: StreamId::parse(row.try_get(2)?)?,
        version: Version(row.try_get::<i64, _>(3)?.cast_unsigned()),
        id: EventId(Uuid::from_slice(row.try_get(4)?)?),
        name: row.try_get(5)?,
        schema_version: u16::try_from(row.try_get::<i64, _>(6)?)?,
        data: Payload::trusted(row.try_get::<&str, _>(7)?),
        meta: Payload::trusted(row.try_get::<&str, _>(8)?),
        time: Timestamp(row.try_get(9)?),
        recorded_at: Timestamp(row.try_get(10)?),
        chain: row.try_get::<&[u8], _>(11)?.try_into()?,
    })
}

/// A row of the inbox.
pub(crate) fn remembered(row: &SqliteRow) -> Result<((Uuid, StepKey), Remembered), ReadError> {
    let decode = || -> Result<_, BoxError> {
        let key = (Uuid::from_slice(row.try_get(0)?)?, StepKey::from_uuid(Uuid::from_slice(row.try_get(1)?)?));
        let payload_hash = row.try_get::<&[u8], _>(2)?.try_into()?;
        let answer = answer(row.try_get(3)?, row.try_get(4)?)?;
        Ok((key, Remembered { payload_hash, answer }))
    };
    at(|| "es_inbox".to_owned(), decode())
}

/// A row of the documents.
pub(crate) fn document(row: &SqliteRow) -> Result<Document, ReadError> {
    let decode = || -> Result<_, BoxError> {
        let fields = usize::try_from(row.try_get::<i64, _>(2)?)?;
        let index = (0..fields).map(|field| row.try_get(3 + field)).collect::<Result<_, _>>()?;
        Ok(Document { key: row.try_get(0)?, body: Payload::trusted(row.try_get::<&str, _>(1)?), index })
    };
    at(|| "es_documents".to_owned(), decode())
}

#[derive(Serialize, Deserialize)]
struct Weather {
    after_ms: u64,
    reason: String,
}

/// An answer as a word and a text. The output of a deed is kept as the bytes that it came in.
pub(crate) fn answer_columns(answer: &Answer) -> Result<(&'static str, String), serde_json::Error> {
    Ok(match answer {
        Answer::Done { output } => ("done", output.as_str().to_owned()),
        Answer::Refused(refused) => ("refused", serde_json::to_string(refused)?),
        Answer::Retry { after_ms, reason } => {
            let weather = Weather { after_ms: *after_ms, reason: reason.clone() };
            ("retry", serde_json::to_string(&weather)?)
        }
    })
}

fn answer(outcome: &str, text: &str) -> Result<Answer, BoxError> {
    Ok(match outcome {
        "done" => Answer::Done { output: Payload::trusted(text) },
        "refused" => Answer::Refused(serde_json::from_str(text)?),
        "retry" => {
            let Weather { after_ms, reason } = serde_json::from_str(text)?;
            Answer::Retry { after_ms, reason }
        }
        other => return Err(format!("no such outcome: {other}").into()),
    })
}
