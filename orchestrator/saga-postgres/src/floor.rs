//! What a measurement needs of a server: the hand-written minimum to compare with, and files that are written. Nothing of a
//! store or of the engine runs here.

use crate::access::quoted;
use crate::address::options_of;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _};
use std::sync::Arc;

/// A table in a schema of its own that is appended to with as little as possible: one connection, one statement for each
/// group, which is one transaction and one flush.
pub struct Floor {
    connection: PgConnection,
    schema: String,
    append: Arc<str>,
    position: i64,
}

impl Floor {
    /// Creates the schema. Its name must be nobody's: it is dropped at the end.
    ///
    /// # Errors
    /// What the server said; also when the administrator may not create schemas.
    pub async fn create(admin_url: &str, schema: &str) -> Result<Self, sqlx::Error> {
        let mut connection = administrator(admin_url).await?;
        let schema = quoted(schema);
        // The types and keys of a store's log, without everything that makes it one.
        let table = format!(
            "CREATE SCHEMA {schema}; CREATE TABLE {schema}.floor (position BIGINT PRIMARY KEY, \
             stream TEXT COLLATE \"C\" NOT NULL, version BIGINT NOT NULL, data TEXT NOT NULL, UNIQUE (stream, version)); \
             SET synchronous_commit = on"
        );
        sqlx::raw_sql(AssertSqlSafe(table)).execute(&mut connection).await?;
        let append = format!(
            "INSERT INTO {schema}.floor SELECT $1 + n, stream, version, data \
             FROM unnest($2::text[], $3::bigint[], $4::text[]) WITH ORDINALITY AS row(stream, version, data, n)"
        );
        Ok(Self { connection, schema, append: append.into(), position: 0 })
    }
    /// Appends rows of stream, version and text. The same place in a stream twice is refused by the table's key.
    ///
    /// # Errors
    /// What the server said.
    pub async fn append(&mut self, rows: &[(Arc<str>, i64, Arc<str>)]) -> Result<(), sqlx::Error> {
        sqlx::query(AssertSqlSafe(Arc::clone(&self.append)))
            .bind(self.position)
            .bind(rows.iter().map(|(stream, ..)| &**stream).collect::<Vec<_>>())
            .bind(rows.iter().map(|(_, version, _)| *version).collect::<Vec<_>>())
            .bind(rows.iter().map(|(.., data)| &**data).collect::<Vec<_>>())
            .execute(&mut self.connection)
            .await?;
        self.position += i64::try_from(rows.len()).unwrap_or(i64::MAX);
        Ok(())
    }
    /// Drops the schema.
    ///
    /// # Errors
    /// What the server said; then it is still there.
    pub async fn close(mut self) -> Result<(), sqlx::Error> {
        let drop = format!("DROP SCHEMA {} CASCADE", self.schema);
        sqlx::query(AssertSqlSafe(drop)).execute(&mut self.connection).await?;
        self.connection.close().await
    }
}

/// Lets the server write to its files everything that only its log has so far.
///
/// # Errors
/// What the server said: only an administrator may ask for it.
pub async fn checkpoint(admin_url: &str) -> Result<(), sqlx::Error> {
    let mut connection = administrator(admin_url).await?;
    sqlx::query("CHECKPOINT").execute(&mut connection).await?;
    connection.close().await
}

async fn administrator(url: &str) -> Result<PgConnection, sqlx::Error> {
    options_of(url)
        .map_err(|why| sqlx::Error::Configuration(why.into()))?
        .application_name("measurement")
        .connect()
        .await
}
