//! Everything in a schema beside the log, page by page in the order of the keys: for checks and copies.

use crate::decode::{self, BoxError, DOCUMENT_COLUMNS, INBOX_COLUMNS};
use crate::store::PostgresStore;
use async_trait::async_trait;
use saga_core::batch::{Blob, DocumentWrite, Fence, InboxEntry, Mark, Snapshot};
use saga_core::export::{Cell, Damaged, Export, Part, Row};
use saga_core::id::{Direction, Epoch, Position, StreamId, Version};
use saga_core::json::Payload;
use saga_core::ports::ReadError;
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::{Arguments as _, AssertSqlSafe, Row as _};
use uuid::Uuid;

#[async_trait]
impl Export for PostgresStore {
    async fn rows(&self, part: Part, after: Option<&Row>, limit: usize) -> Result<Vec<Row>, ReadError> {
        let (sql, table, read) = question(part, after.is_some());
        let mut arguments = PgArguments::default();
        let bound = after.map_or(Ok(()), |row| bind(&mut arguments, row));
        let bound = bound.and_then(|()| arguments.add(i64::try_from(limit).unwrap_or(i64::MAX)));
        bound.map_err(|why| ReadError::Unavailable(format!("{}: {why}", self.place)))?;
        let rows = sqlx::query_with(AssertSqlSafe(sql), arguments).fetch_all(&self.readers).await;
        let rows = rows.map_err(|error| self.failed(&error))?;
        rows.iter()
            .map(|row| read(row).or_else(|why| decode::at(|| table.to_owned(), damaged(part, row, &why))))
            .collect()
    }
}

type Read = fn(&PgRow) -> Result<Row, BoxError>;

/// The statement for a page, the table it reads, and the reader of its rows.
fn question(part: Part, later: bool) -> (String, &'static str, Read) {
    let (columns, table, key, read): (String, _, &[&str], Read) = match part {
        Part::Inbox => (format!("{INBOX_COLUMNS}, direction, epoch"), "es_inbox", &["saga", "key"], inbox),
        Part::Marks => ("consumer, position".to_owned(), "es_checkpoints", &["consumer"], mark),
        Part::Documents => {
            let columns = format!("{DOCUMENT_COLUMNS}, projection, version");
            (columns, "es_documents", &["projection", "version", "key"], document)
        }
        Part::Blobs => ("sha256, bytes".to_owned(), "es_blobs", &["sha256"], blob),
        Part::Snapshots => ("stream, version, digest, state".to_owned(), "es_snapshots", &["stream"], snapshot),
        Part::Fences => ("scope, epoch".to_owned(), "es_fences", &["scope"], fence),
    };
    let names = key.join(", ");
    let places = (1..=key.len()).map(|place| format!("${place}")).collect::<Vec<_>>().join(", ");
    let (beyond, limit) = match later {
        true => (format!("WHERE ({names}) > ({places}) "), key.len() + 1),
        false => (String::new(), 1),
    };
    (format!("SELECT {columns} FROM {table} {beyond}ORDER BY {names} LIMIT ${limit}"), table, read)
}

/// The key of the last row of the page before.
fn bind(arguments: &mut PgArguments, row: &Row) -> Result<(), BoxError> {
    match row {
        Row::Inbox(entry) => {
            arguments.add(entry.saga)?;
            arguments.add(entry.key.uuid())
        }
        Row::Mark(mark) => arguments.add(mark.consumer.as_str()),
        Row::Document(write) => {
            arguments.add(write.projection.as_str())?;
            arguments.add(i32::from(write.version))?;
            arguments.add(write.key.as_str())
        }
        Row::Blob(blob) => arguments.add(blob.sha256.as_slice()),
        Row::Snapshot(snapshot) => arguments.add(snapshot.stream.as_str()),
        Row::Fence(fence) => arguments.add(fence.scope.as_str()),
        Row::Damaged(damaged) => damaged.key.iter().try_for_each(|cell| match cell {
            // Ids are of a type of their own here.
            Cell::Bytes(bytes) => match Uuid::from_slice(bytes) {
                Ok(id) => arguments.add(id),
                Err(_) => arguments.add(bytes.as_slice()),
            },
            Cell::Text(text) => arguments.add(text.as_str()),
            Cell::Number(number) => arguments.add(i32::try_from(*number)?),
        }),
    }
}

fn number(row: &PgRow, column: usize) -> Result<u64, BoxError> {
    Ok(u64::try_from(row.try_get::<i64, _>(column)?)?)
}
/// A row that cannot be read, by its key; an error when not even that can be.
fn damaged(part: Part, row: &PgRow, why: &BoxError) -> Result<Row, BoxError> {
    let id = |column: &str| Ok::<_, BoxError>(Cell::Bytes(row.try_get::<Uuid, _>(column)?.into_bytes().to_vec()));
    let text = |column: &str| Ok::<_, BoxError>(Cell::Text(row.try_get(column)?));
    let key = match part {
        Part::Inbox => vec![id("saga")?, id("key")?],
        Part::Marks => vec![text("consumer")?],
        Part::Documents => {
            vec![text("projection")?, Cell::Number(row.try_get::<i32, _>("version")?.into()), text("key")?]
        }
        Part::Blobs => vec![Cell::Bytes(row.try_get("sha256")?)],
        Part::Snapshots => vec![text("stream")?],
        Part::Fences => vec![text("scope")?],
    };
    Ok(Row::Damaged(Damaged { key, why: why.to_string() }))
}
fn inbox(row: &PgRow) -> Result<Row, BoxError> {
    let ((saga, key), remembered) = decode::remembered(row)?;
    let direction = match row.try_get(5)? {
        "do" => Direction::Do,
        "undo" => Direction::Undo,
        other => return Err(format!("no such direction: {other}").into()),
    };
    let (epoch, payload_hash, answer) = (Epoch(number(row, 6)?), remembered.payload_hash, remembered.answer);
    Ok(Row::Inbox(InboxEntry { saga, key, direction, unless: None, payload_hash, epoch, answer }))
}
fn mark(row: &PgRow) -> Result<Row, BoxError> {
    Ok(Row::Mark(Mark { consumer: row.try_get(0)?, position: Position(number(row, 1)?) }))
}
fn document(row: &PgRow) -> Result<Row, BoxError> {
    let document = decode::document(row)?;
    Ok(Row::Document(DocumentWrite {
        projection: row.try_get(7)?,
        version: u16::try_from(row.try_get::<i32, _>(8)?)?,
        key: document.key,
        body: Some(document.body),
        index: document.index,
    }))
}
fn blob(row: &PgRow) -> Result<Row, BoxError> {
    Ok(Row::Blob(Blob { sha256: row.try_get::<&[u8], _>(0)?.try_into()?, bytes: row.try_get(1)? }))
}
fn snapshot(row: &PgRow) -> Result<Row, BoxError> {
    Ok(Row::Snapshot(Snapshot {
        stream: StreamId::parse(row.try_get(0)?)?,
        version: Version(number(row, 1)?),
        digest: row.try_get(2)?,
        state: Payload::trusted(std::str::from_utf8(row.try_get(3)?)?),
    }))
}
fn fence(row: &PgRow) -> Result<Row, BoxError> {
    Ok(Row::Fence(Fence { scope: row.try_get(0)?, epoch: Epoch(number(row, 1)?) }))
}
