//! Forward-only migrations, run at start in one transaction; `PRAGMA user_version` counts them.

use crate::fault::open_error;
use crate::whose::{self, Whose};
use saga_core::ports::OpenError;
use sqlx::{AssertSqlSafe, SqliteConnection};

/// In order; one is only ever added at the end.
pub(crate) const MIGRATIONS: &[&str] = &[include_str!("../migrations/0001_first.sql")];

/// Brings the tables to the newest version, and refuses a file that a newer program has written.
pub(crate) async fn migrate(connection: &mut SqliteConnection, place: &str) -> Result<(), OpenError> {
    let done = applied(connection, place).await?;
    let pending = MIGRATIONS.get(done..).unwrap_or_default();
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

/// How many migrations a file has seen. A number that does not go with its tables is damage, and a file with tables of another
/// program is not ours.
pub(crate) async fn applied(connection: &mut SqliteConnection, place: &str) -> Result<usize, OpenError> {
    let failed = |error: sqlx::Error| open_error(place, &error);
    let known = i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX);
    let tables = whose::tables_in(connection).await.map_err(failed)?;
    let found: i64 = sqlx::query_scalar("PRAGMA user_version").fetch_one(connection).await.map_err(failed)?;
    let whose = Whose::by(tables);
    whose.refused(place)?;
    let corrupt = |why: String| Err(OpenError::Corrupt { place: place.to_owned(), why });
    match (usize::try_from(found), whose) {
        (Ok(_), _) if found > known => Err(OpenError::Newer { place: place.to_owned(), found, known }),
        (Ok(0), Whose::Nobodys) => Ok(0),
        (Ok(0), _) => corrupt(format!(
            "its tables are there, and the number that says which they are (PRAGMA user_version) is 0 instead of 1 to {known}: \
             it was changed by something else"
        )),
        (Ok(_), Whose::Nobodys) => corrupt(format!("its version is {found}, and the tables of a store are not in it")),
        (Ok(done), _) => Ok(done),
        (Err(_), _) => corrupt(format!(
            "the number that says which tables it has (PRAGMA user_version) is {found}, which no program has written"
        )),
    }
}
