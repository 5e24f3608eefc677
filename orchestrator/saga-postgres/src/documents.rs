//! Read models, checkpoints, blobs and snapshots, read from the server.

use crate::decode::{self, DOCUMENT_COLUMNS};
use crate::store::PostgresStore;
use async_trait::async_trait;
use saga_core::batch::INDEX_FIELDS_MAX;
use saga_core::envelope::sha256;
use saga_core::id::{Position, StreamId};
use saga_core::json::Payload;
use saga_core::ports::{Cached, Document, Documents, FIND_LIMIT_MAX, Find, ReadError};
use sqlx::AssertSqlSafe;

#[async_trait]
impl Documents for PostgresStore {
    async fn get(&self, projection: &str, version: u16, key: &str) -> Result<Option<Document>, ReadError> {
        let sql =
            format!("SELECT {DOCUMENT_COLUMNS} FROM es_documents WHERE projection = $1 AND version = $2 AND key = $3");
        let row = sqlx::query(AssertSqlSafe(sql))
            .bind(projection)
            .bind(i32::from(version))
            .bind(key)
            .fetch_optional(&self.readers)
            .await;
        row.map_err(|error| self.failed(&error))?.as_ref().map(decode::document).transpose()
    }
    async fn get_all(&self, projection: &str, version: u16, keys: &[String]) -> Result<Vec<Document>, ReadError> {
        let sql = format!(
            "SELECT {DOCUMENT_COLUMNS} FROM es_documents WHERE projection = $1 AND version = $2 AND key = ANY($3)"
        );
        let query = sqlx::query(AssertSqlSafe(sql)).bind(projection).bind(i32::from(version)).bind(keys);
        let rows = query.fetch_all(&self.readers).await.map_err(|error| self.failed(&error))?;
        rows.iter().map(decode::document).collect()
    }
    async fn find(&self, find: &Find) -> Result<Vec<Document>, ReadError> {
        let Some(Question { sql, texts }) = question(find) else { return Ok(Vec::new()) };
        let mut query = sqlx::query(AssertSqlSafe(sql)).bind(find.projection.clone()).bind(i32::from(find.version));
        for text in texts {
            query = query.bind(text);
        }
        let limit = i64::try_from(find.limit.min(FIND_LIMIT_MAX)).unwrap_or(0);
        let rows = query.bind(limit).fetch_all(&self.readers).await.map_err(|error| self.failed(&error))?;
        rows.iter().map(decode::document).collect()
    }
    async fn keys_ending(&self, projection: &str, version: u16, ending: &str) -> Result<Vec<String>, ReadError> {
        let sql = "SELECT key FROM es_documents WHERE projection = $1 AND version = $2 \
                   AND right(key, length($3)) = $3 ORDER BY key LIMIT $4";
        let query = sqlx::query_scalar(sql).bind(projection).bind(i32::from(version)).bind(ending);
        let limit = i64::try_from(FIND_LIMIT_MAX).unwrap_or(i64::MAX);
        query.bind(limit).fetch_all(&self.readers).await.map_err(|error| self.failed(&error))
    }
    async fn checkpoint(&self, consumer: &str) -> Result<Position, ReadError> {
        let found: Option<i64> = sqlx::query_scalar("SELECT position FROM es_checkpoints WHERE consumer = $1")
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

impl PostgresStore {
    async fn blob(&self, hash: &[u8; 32]) -> Result<Option<Payload>, ReadError> {
        let found: Option<Vec<u8>> = sqlx::query_scalar("SELECT bytes FROM es_blobs WHERE sha256 = $1")
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
        let sql = "SELECT version, state FROM es_snapshots WHERE stream = $1 AND digest = $2";
        let found: Option<(i64, Vec<u8>)> = sqlx::query_as(sql)
            .bind(stream.as_str())
            .bind(digest)
            .fetch_optional(&self.readers)
            .await
            .map_err(|error| self.failed(&error))?;
        let Some((version, state)) = found else { return Ok(None) };
        // The state goes in as the text that it is.
        let answer = |state| Some(Payload::trusted(format!(r#"{{"version":{version},"state":{state}}}"#)));
        decode::at(|| format!("es_snapshots {stream}"), String::from_utf8(state).map(answer).map_err(Into::into))
    }
}

struct Question {
    sql: String,
    texts: Vec<String>,
}

impl Question {
    /// Keeps a value, and gives the place in the statement that stands for it.
    fn place(&mut self, text: &str) -> String {
        self.texts.push(text.to_owned());
        // The projection and its version come first.
        format!("${}", self.texts.len() + 2)
    }
}

/// A question as SQL; `None` when nothing can match. Values only ever travel as arguments.
fn question(find: &Find) -> Option<Question> {
    let sql = format!("SELECT {DOCUMENT_COLUMNS} FROM es_documents WHERE projection = $1 AND version = $2");
    let mut question = Question { sql, texts: Vec::new() };
    for (field, value) in &find.filters {
        if *field >= INDEX_FIELDS_MAX {
            return None;
        }
        let value = question.place(value);
        // `fields > n` is what lets the server use the index of that field, which holds only such documents.
        question.sql.push_str(&format!(" AND fields > {field} AND i{field} = {value}"));
    }
    // No value is the smallest value, which is not PostgreSQL's own order.
    let (beyond, direction, nulls) =
        if find.descending { ("<", " DESC", " NULLS LAST") } else { (">", "", " NULLS FIRST") };
    let order = match find.order_by.filter(|field| *field < INDEX_FIELDS_MAX) {
        None => {
            if let Some((_, key)) = &find.after {
                let key = question.place(key);
                question.sql.push_str(&format!(" AND key {beyond} {key}"));
            }
            format!(" ORDER BY key{direction}")
        }
        Some(field) => {
            question.sql.push_str(&format!(" AND fields > {field}"));
            if let Some((value, key)) = &find.after {
                let value = value.as_ref().map(|value| question.place(value));
                let key = question.place(key);
                question.sql.push_str(&after(field, value.as_deref(), &key, find.descending));
            }
            format!(" ORDER BY i{field}{direction}{nulls}, key{direction}")
        }
    };
    let limit = question.texts.len() + 3;
    question.sql.push_str(&format!("{order} LIMIT ${limit}"));
    Some(question)
}

/// What comes after a place in an order.
fn after(field: usize, value: Option<&str>, key: &str, descending: bool) -> String {
    match (value, descending) {
        (Some(value), false) => format!(" AND (i{field}, key) > ({value}, {key})"),
        (Some(value), true) => format!(" AND ((i{field}, key) < ({value}, {key}) OR i{field} IS NULL)"),
        (None, false) => format!(" AND (i{field} IS NOT NULL OR key > {key})"),
        (None, true) => format!(" AND i{field} IS NULL AND key < {key}"),
    }
}
