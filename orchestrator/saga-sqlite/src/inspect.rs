//! Looks at the ground of a file: its pages and indexes fit together, and its tables and triggers are those that the
//! migrations made.

use crate::migrate::MIGRATIONS;
use crate::store::SqliteStore;
use async_trait::async_trait;
use saga_core::export::{Flaw, Inspect};
use saga_core::ports::ReadError;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, SqliteConnection};
use std::collections::BTreeSet;

/// 100 flaws: more of them say no more.
const FLAWS_MAX: u8 = 100;
/// Everything that was made in a file; what SQLite keeps for itself (statistics) is nobody's.
const MADE: &str =
    "SELECT concat(type, ' ', name, ' on ', tbl_name, ': ', sql) FROM sqlite_schema WHERE name NOT LIKE 'sqlite_stat%'";
/// Where the log was once noted to end, and whether it still has that link there.
const NOTED: &str = "SELECT position, position = 0 OR coalesce(chain = (SELECT chain FROM es_events e WHERE e.position = \
                     h.position), 0) FROM es_head h WHERE id = 1";

#[async_trait]
impl Inspect for SqliteStore {
    async fn flaws(&self) -> Result<Vec<Flaw>, ReadError> {
        let failed = |error: sqlx::Error| self.failed(&error);
        let mut reader = self.readers.acquire().await.map_err(failed)?;
        // Every page, every row against every index, and what a row may hold.
        let sql = AssertSqlSafe(format!("PRAGMA integrity_check({FLAWS_MAX})"));
        let pages: Vec<String> = sqlx::query_scalar(sql).fetch_all(&mut *reader).await.map_err(failed)?;
        let pages = pages.into_iter().filter(|says| says != "ok");
        let mut flaws: Vec<Flaw> = pages.map(|says| Flaw { place: "the file".to_owned(), says }).collect();
        let found = made(&mut reader).await.map_err(failed)?;
        let mut fresh = SqliteConnectOptions::new().filename(":memory:").connect().await.map_err(failed)?;
        sqlx::raw_sql(AssertSqlSafe(MIGRATIONS.join("\n"))).execute(&mut fresh).await.map_err(failed)?;
        let wanted = made(&mut fresh).await.map_err(failed)?;
        let flaw = |line: &String, says: &str| Flaw {
            place: line.split(':').next().unwrap_or_default().to_owned(),
            says: says.to_owned(),
        };
        flaws.extend(wanted.difference(&found).map(|line| flaw(line, "is not there as the migrations made it")));
        flaws.extend(found.difference(&wanted).map(|line| flaw(line, "is there, and no migration made it so")));
        let noted: (i64, bool) = sqlx::query_as(NOTED).fetch_one(&mut *reader).await.map_err(failed)?;
        if !noted.1 {
            let says = format!("the log does not have at position {} what was noted there", noted.0);
            flaws.push(Flaw { place: "es_head".to_owned(), says });
        }
        Ok(flaws)
    }
}

async fn made(connection: &mut SqliteConnection) -> Result<BTreeSet<String>, sqlx::Error> {
    let lines: Vec<String> = sqlx::query_scalar(MADE).fetch_all(connection).await?;
    Ok(lines.into_iter().collect())
}
