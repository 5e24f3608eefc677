//! Rows back into what was written. What cannot have been written by us is damage, and named by its place.

use saga_core::envelope::Recorded;
use saga_core::id::{EventId, Position, StepKey, StreamId, Version};
use saga_core::json::Payload;
use saga_core::ports::{Document, ReadError, Remembered};
use saga_core::time::Timestamp;
use saga_core::written::answer_of_columns;
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;
use uuid::Uuid;

/// One event as a run of bytes that knows its own length. [`recorded`] reads any number of them out of one value: each
/// value that leaves SQLite is copied and handed between threads on its own, which costs more than the reading itself.
pub(crate) const EVENT: &str = "concat(position, ' ', public_seq, ' ', version, ' ', schema_version, ' ', time, ' ', \
                                recorded_at, ' ', octet_length(stream), ' ', octet_length(type), ' ', \
                                octet_length(event_id || chain), ' ', octet_length(data), ' ', octet_length(meta), ' ', \
                                stream, type, event_id, chain, data, meta)";
/// 256 events in one value: far from SQLite's limit of 1 GB even if each is as large as an event may be.
pub(crate) const EVENTS_PER_VALUE: u16 = 256;

/// The columns that [`remembered`] reads, in its order.
pub(crate) const INBOX_COLUMNS: &str = "saga, key, payload_hash, outcome, answer";
/// The columns that [`document`] reads, in its order.
pub(crate) const DOCUMENT_COLUMNS: &str = "key, body, fields, i0, i1, i2, i3";

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Runs a decoder and names the place where it failed.
pub(crate) fn at<T>(place: impl FnOnce() -> String, decoded: Result<T, BoxError>) -> Result<T, ReadError> {
    decoded.map_err(|why| ReadError::Corrupt { place: place(), why: why.to_string() })
}

/// The events in one value, which is NULL when there are none, added to those before them.
pub(crate) fn recorded(row: &SqliteRow, events: &mut Vec<Recorded>) -> Result<(), ReadError> {
    let packed: Option<&[u8]> = at(|| "es_events".to_owned(), row.try_get(0).map_err(Into::into))?;
    let mut packed = Packed(packed.unwrap_or_default());
    while !packed.0.is_empty() {
        let start = packed.0;
        let place = || match Packed(start).number() {
            Ok(position) => format!("es_events position {position}"),
            Err(_) => "es_events".to_owned(),
        };
        events.push(at(place, event(&mut packed))?);
    }
    Ok(())
}

/// What is left of a packed row.
struct Packed<'a>(&'a [u8]);

impl<'a> Packed<'a> {
    fn number(&mut self) -> Result<i64, BoxError> {
        let end = self.0.iter().position(|byte| *byte == b' ').ok_or("a number without an end")?;
        let number = self.bytes(end)?;
        self.bytes(1)?;
        Ok(std::str::from_utf8(number)?.parse()?)
    }
    fn length(&mut self) -> Result<usize, BoxError> {
        Ok(usize::try_from(self.number()?)?)
    }
    fn bytes(&mut self, count: usize) -> Result<&'a [u8], BoxError> {
        let (taken, left) = self.0.split_at_checked(count).ok_or("the row is too short")?;
        self.0 = left;
        Ok(taken)
    }
    fn text(&mut self, count: usize) -> Result<&'a str, BoxError> {
        Ok(std::str::from_utf8(self.bytes(count)?)?)
    }
}

fn event(row: &mut Packed<'_>) -> Result<Recorded, BoxError> {
    let position = Position(row.number()?.cast_unsigned());
    let public_seq = u64::try_from(row.number()?).ok().filter(|seq| *seq > 0);
    let version = Version(row.number()?.cast_unsigned());
    let schema_version = u16::try_from(row.number()?)?;
    let (time, recorded_at) = (Timestamp(row.number()?), Timestamp(row.number()?));
    let (stream, name, fixed) = (row.length()?, row.length()?, row.length()?);
    let (data, meta) = (row.length()?, row.length()?);
    if fixed != 16 + 32 {
        return Err("the id or the chain has not its length".into());
    }
    Ok(Recorded {
        position,
        public_seq,
        stream: StreamId::parse(row.text(stream)?)?,
        version,
        name: row.text(name)?.to_owned(),
        schema_version,
        id: EventId(Uuid::from_slice(row.bytes(16)?)?),
        chain: row.bytes(32)?.try_into()?,
        data: Payload::trusted(row.text(data)?),
        meta: Payload::trusted(row.text(meta)?),
        time,
        recorded_at,
    })
}

/// A row of the inbox.
pub(crate) fn remembered(row: &SqliteRow) -> Result<((Uuid, StepKey), Remembered), ReadError> {
    let decode = || -> Result<_, BoxError> {
        let key = (Uuid::from_slice(row.try_get(0)?)?, StepKey::from_uuid(Uuid::from_slice(row.try_get(1)?)?));
        let payload_hash = row.try_get::<&[u8], _>(2)?.try_into()?;
        let answer = answer_of_columns(row.try_get(3)?, row.try_get(4)?)?;
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
