//! Read models, checkpoints, blobs and snapshots, read from the file.

use crate::decode::{self, DOCUMENT_COLUMNS};
use crate::store::SqliteStore;
use async_trait::async_trait;
use saga_core::batch::INDEX_FIELDS_MAX;
use saga_core::envelope::sha256;
use saga_core::id::{Position, StreamId};
use saga_core::json::Payload;
use saga_core::ports::{Cached, Document, Documents, FIND_LIMIT_MAX, Find, ReadError};
use sqlx::AssertSqlSafe;

#[async_trait]
impl Documents for SqliteStore {
    async fn get(&self, projection: &str, version: u16, key: &str) -> Result<Option<Document>, ReadError> {
        let sql =
            format!("SELECT {DOCUMENT_COLUMNS} FROM es_documents WHERE projection = ? AND version = ? AND key = ?");
        let row = sqlx::query(AssertSqlSafe(sql))
            .bind(projection)
            .bind(i64::from(version))
            .bind(key)
            .fetch_optional(&self.readers)
            .await;
        row.map_err(|error| self.failed(&error))?.as_ref().map(decode::document).transpose()
    }
    async fn find(&self, find: &Find) -> Result<Vec<Document>, ReadError> {
        let Some(Question { sql, texts }) = question(find) else { return Ok(Vec::new()) };
        let mut query = sqlx::query(AssertSqlSafe(sql)).bind(&find.projection).bind(i64::from(find.version));
        for text in texts {
            query = query.bind(text);
        }
        let limit = i64::try_from(find.limit.min(FIND_LIMIT_MAX)).unwrap_or(0);
        let rows = query.bind(limit).fetch_all(&self.readers).await.map_err(|error| self.failed(&error))?;
        rows.iter().map(decode::document).collect()
    }
    async fn keys_ending(&self, projection: &str, version: u16, ending: &str) -> Result<Vec<String>, ReadError> {
        // The index of keys has all that is asked for.
        let sql = "SELECT key FROM es_documents WHERE projection = ?1 AND version = ?2 \
                   AND substr(key, max(1, length(key) - length(?3) + 1)) = ?3 ORDER BY key LIMIT ?4";
        let query = sqlx::query_scalar(sql).bind(projection).bind(i64::from(version)).bind(ending);
        let limit = i64::try_from(FIND_LIMIT_MAX).unwrap_or(i64::MAX);
        query.bind(limit).fetch_all(&self.readers).await.map_err(|error| self.failed(&error))
    }
    async fn checkpoint(&self, consumer: &str) -> Result<Position, ReadError> {
        let found: Option<i64> = sqlx::query_scalar("SELECT position FROM es_checkpoints WHERE consumer = ?")
            .bind(consumer)
            .fetch_optional(&self.readers)
            .await
            .map_err(|error| self.failed(&error))?;
        Ok(Position(found.unwrap_or(0).cast_unsigned()))
    }
    async fn cached(&self, what: &Cached) -> Result<Option<Payload>, ReadError> {
        match what {
            Cached::Blob(hash) => self.blob(hash).await,
            Cached::Snapshot { stream, digest } => self.snapshot(stream, digest).await,
        }
    }
}

impl SqliteStore {
    async fn blob(&self, hash: &[u8; 32]) -> Result<Option<Payload>, ReadError> {
        let found: Option<Vec<u8>> = sqlx::query_scalar("SELECT bytes FROM es_blobs WHERE sha256 = ?")
            .bind(hash.as_slice())
            .fetch_optional(&self.readers)
            .await
            .map_err(|error| self.failed(&error))?;
        let Some(bytes) = found else { return Ok(None) };
        let checked = match sha256(&bytes) == *hash {
            true => Payload::of(&String::from_utf8_lossy(&bytes)).map_err(Into::into),
            false => Err("the bytes do not have the hash that they are stored under".into()),
        };
        decode::at(|| "es_blobs".to_owned(), checked.map(Some))
    }
    async fn snapshot(&self, stream: &StreamId, digest: &str) -> Result<Option<Payload>, ReadError> {
        let sql = "SELECT version, state FROM es_snapshots WHERE stream = ? AND digest = ?";
        let found: Option<(i64, String)> = sqlx::query_as(sql)
            .bind(stream.to_shared())
            .bind(digest)
            .fetch_optional(&self.readers)
            .await
            .map_err(|error| self.failed(&error))?;
        // The state goes in as the text that it is.
        let answer = |(version, state)| Payload::trusted(format!(r#"{{"version":{version},"state":{state}}}"#));
        Ok(found.map(answer))
    }
}

struct Question {
    sql: String,
    texts: Vec<String>,
}

/// A question as SQL; `None` when nothing can match. Values only ever travel as arguments.
fn question(find: &Find) -> Option<Question> {
    let mut sql = format!("SELECT {DOCUMENT_COLUMNS} FROM es_documents WHERE projection = ? AND version = ?");
    let mut texts = Vec::new();
    for (field, value) in &find.filters {
        if *field >= INDEX_FIELDS_MAX {
            return None;
        }
        // `fields > n` is what lets SQLite use the index of that field, which holds only such documents.
        sql.push_str(&format!(" AND fields > {field} AND i{field} = ?"));
        texts.push(value.clone());
    }
    let (beyond, direction) = if find.descending { ("<", " DESC") } else { (">", "") };
    match find.order_by.filter(|field| *field < INDEX_FIELDS_MAX) {
        None => {
            if let Some((_, key)) = &find.after {
                sql.push_str(&format!(" AND key {beyond} ?"));
                texts.push(key.clone());
            }
            sql.push_str(&format!(" ORDER BY key{direction} LIMIT ?"));
        }
        Some(field) => {
            sql.push_str(&format!(" AND fields > {field}"));
            if let Some((value, key)) = &find.after {
                sql.push_str(&after(field, value.is_some(), find.descending));
                texts.extend(value.clone());
                texts.push(key.clone());
            }
            sql.push_str(&format!(" ORDER BY i{field}{direction}, key{direction} LIMIT ?"));
        }
    }
    Some(Question { sql, texts })
}

/// What comes after a place in an order. No value is the smallest value, as in SQLite's own order.
fn after(field: usize, has_value: bool, descending: bool) -> String {
    match (has_value, descending) {
        (true, false) => format!(" AND (i{field}, key) > (?, ?)"),
        (true, true) => format!(" AND ((i{field}, key) < (?, ?) OR i{field} IS NULL)"),
        (false, false) => format!(" AND (i{field} IS NOT NULL OR key > ?)"),
        (false, true) => format!(" AND i{field} IS NULL AND key < ?"),
    }
}
