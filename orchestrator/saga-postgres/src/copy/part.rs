//! The parts of a store beside its log: cleared, and filled again page by page. They are small beside the log, and clearing
//! them makes what an interrupted copy left, or what the source has removed since, no matter.

use super::CopyError;
use saga_core::batch::INDEX_FIELDS_MAX;
use saga_core::export::{Export, Part, Row};
use saga_core::written::answer_columns;
use sqlx::postgres::{PgArguments, PgConnection};
use sqlx::{Arguments as _, AssertSqlSafe, Connection as _};

/// 1,000 rows in one transaction.
const ROWS: usize = 1_000;
/// 4 blobs in one page: each may have 16 MiB.
const BLOBS: usize = 4;

/// Copies one part and says how many rows it has.
pub(super) async fn copy<S>(source: &S, target: &mut PgConnection, part: Part) -> Result<u64, CopyError>
where
    S: Export + ?Sized,
{
    let (table, insert) = statements(part);
    sqlx::raw_sql(AssertSqlSafe(format!("DELETE FROM {table}"))).execute(&mut *target).await?;
    let limit = if part == Part::Blobs { BLOBS } else { ROWS };
    let (mut after, mut count) = (None, 0);
    loop {
        let page = source.rows(part, after.as_ref(), limit).await?;
        let mut transaction = target.begin().await?;
        for row in &page {
            let arguments = arguments(row).map_err(sqlx::Error::Encode)?;
            sqlx::query_with(insert, arguments).execute(&mut *transaction).await?;
        }
        transaction.commit().await?;
        count += page.len() as u64;
        match page.into_iter().next_back() {
            Some(last) => after = Some(last),
            None => return Ok(count),
        }
    }
}

fn statements(part: Part) -> (&'static str, &'static str) {
    match part {
        Part::Inbox => (
            "es_inbox",
            "INSERT INTO es_inbox (saga, key, direction, payload_hash, epoch, outcome, answer) \
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
        ),
        Part::Marks => ("es_checkpoints", "INSERT INTO es_checkpoints (consumer, position) VALUES ($1, $2)"),
        Part::Documents => (
            "es_documents",
            "INSERT INTO es_documents (projection, version, key, fields, body, i0, i1, i2, i3) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        ),
        Part::Blobs => ("es_blobs", "INSERT INTO es_blobs (sha256, bytes) VALUES ($1, $2)"),
        Part::Snapshots => {
            ("es_snapshots", "INSERT INTO es_snapshots (stream, version, digest, state) VALUES ($1, $2, $3, $4)")
        }
        Part::Fences => ("es_fences", "INSERT INTO es_fences (scope, epoch) VALUES ($1, $2)"),
    }
}

fn arguments(row: &Row) -> Result<PgArguments, sqlx::error::BoxDynError> {
    let mut arguments = PgArguments::default();
    match row {
        Row::Inbox(entry) => {
            let (outcome, answer) = answer_columns(&entry.answer)?;
            arguments.add(entry.saga)?;
            arguments.add(entry.key.uuid())?;
            arguments.add(entry.direction.word())?;
            arguments.add(entry.payload_hash.as_slice())?;
            arguments.add(entry.epoch.0.cast_signed())?;
            arguments.add(outcome)?;
            arguments.add(answer.as_bytes())?;
        }
        Row::Mark(mark) => {
            arguments.add(mark.consumer.as_str())?;
            arguments.add(mark.position.0.cast_signed())?;
        }
        Row::Document(write) => {
            arguments.add(write.projection.as_str())?;
            arguments.add(i32::from(write.version))?;
            arguments.add(write.key.as_str())?;
            arguments.add(i16::try_from(write.index.len())?)?;
            arguments.add(write.body.as_ref().map_or(&b"null"[..], |body| body.as_str().as_bytes()))?;
            for field in 0..INDEX_FIELDS_MAX {
                arguments.add(write.index.get(field).and_then(Option::as_deref))?;
            }
        }
        Row::Blob(blob) => {
            arguments.add(blob.sha256.as_slice())?;
            arguments.add(blob.bytes.as_slice())?;
        }
        Row::Snapshot(snapshot) => {
            arguments.add(snapshot.stream.as_str())?;
            arguments.add(snapshot.version.0.cast_signed())?;
            arguments.add(snapshot.digest.as_str())?;
            arguments.add(snapshot.state.as_str().as_bytes())?;
        }
        Row::Fence(fence) => {
            arguments.add(fence.scope.as_str())?;
            arguments.add(fence.epoch.0.cast_signed())?;
        }
        Row::Damaged(damaged) => return Err(format!("the row {damaged} cannot be read: {}", damaged.why).into()),
    }
    Ok(arguments)
}
