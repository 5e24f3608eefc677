//! Forward-only migrations, run at start in one transaction; `PRAGMA user_version` counts them.

use crate::fault::open_error;
use saga_core::ports::OpenError;
use sqlx::{AssertSqlSafe, SqliteConnection};

/// In order; one is only ever added at the end.
pub(crate) const MIGRATIONS: &[&str] = &[include_str!("../migrations/0001_first.sql")];

/// Brings the tables to the newest version, and refuses a file that a newer program has written.
pub(crate) async fn migrate(connection: &mut SqliteConnection, place: &str) -> Result<(), OpenError> {
    let found = user_version(connection, place).await?;
    let pending = usize::try_from(found).ok().and_then(|done| MIGRATIONS.get(done..)).unwrap_or_default();
    if pending.is_empty() {
        return Ok(());
    }
    let known = MIGRATIONS.len();
    let script = format!("BEGIN IMMEDIATE;\n{}\nPRAGMA user_version = {known};\nCOMMIT;", pending.join("\n"));
    let outcome = sqlx::raw_sql(AssertSqlSafe(script)).execute(&mut *connection).await;
    if let Err(error) = outcome {
        // There may be nothing to roll back: SQLite does it itself for the gravest errors.
        sqlx::raw_sql("ROLLBACK").execute(connection).await.ok();
        return Err(open_error(place, &error));
    }
    Ok(())
}

/// The version of the tables, refused when it is newer than this program.
pub(crate) async fn user_version(connection: &mut SqliteConnection, place: &str) -> Result<i64, OpenError> {
    let known = i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX);
    let found: i64 = sqlx::query_scalar("PRAGMA user_version")
        .fetch_one(connection)
        .await
        .map_err(|error| open_error(place, &error))?;
    if found > known {
        return Err(OpenError::Newer { place: place.to_owned(), found, known });
    }
    Ok(found)
}
