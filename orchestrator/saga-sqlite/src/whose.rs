//! Whether a file is a store at all: checked before anything in it or beside it is written.

use crate::look;
use saga_core::ports::OpenError;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _, SqliteConnection};
use std::io::ErrorKind;
use std::path::Path;

/// The table without which a file is no store.
const LOG: &str = "es_events";
/// How many tables the message about a foreign file names.
const NAMED_MAX: usize = 3;
const TABLES: &str =
    "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite!_%' ESCAPE '!' ORDER BY name";

/// The kind of file in the place of a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Whose {
    /// Nothing, or a file in which nobody has made anything.
    Nobodys,
    /// A store; or something that only opening it can tell.
    Ours,
    /// A foreign file, with these tables.
    Anothers(Vec<String>),
}

impl Whose {
    /// Looks at a file, and changes neither it nor anything beside it.
    pub(crate) async fn of(file: &Path) -> Result<Self, OpenError> {
        let unavailable = |why: std::io::Error| OpenError::Unavailable { place: place(file), why: why.to_string() };
        let has_log = look::beside(file, look::LOG).metadata().is_ok_and(|log| log.len() > 0);
        match std::fs::metadata(file) {
            Ok(found) if found.len() == 0 && !has_log => return Ok(Whose::Nobodys),
            Ok(found) if found.is_file() => {}
            // A pipe would be waited for, for ever.
            Ok(_) => return Err(unavailable(ErrorKind::InvalidInput.into())),
            Err(why) if why.kind() == ErrorKind::NotFound => return Ok(Whose::Nobodys),
            Err(why) => return Err(unavailable(why)),
        }
        // The file itself is nearly always enough, and this reads it without the log beside it.
        let there = SqliteConnectOptions::new().filename(file).read_only(true).immutable(true);
        match read(there).await {
            Some(tables) if tables.is_empty() && has_log => {
                // A file that was just made: its tables may still be in the log alone.
                let folder = look::folder().map_err(unavailable)?;
                let copy = look::copy(file, folder.path()).await?;
                Ok(read(SqliteConnectOptions::new().filename(copy)).await.map_or(Whose::Ours, Whose::by))
            }
            Some(tables) => Ok(Whose::by(tables)),
            None => Ok(Whose::Ours),
        }
    }
    /// By the tables of a file.
    pub(crate) fn by(tables: Vec<String>) -> Self {
        match tables {
            tables if tables.is_empty() => Whose::Nobodys,
            tables if tables.iter().any(|table| table == LOG) => Whose::Ours,
            tables => Whose::Anothers(tables),
        }
    }
    /// Refuses what is another's.
    pub(crate) fn refused(&self, place: &str) -> Result<(), OpenError> {
        let Whose::Anothers(tables) = self else { return Ok(()) };
        let named = tables.iter().take(NAMED_MAX).cloned().collect::<Vec<_>>().join(", ");
        let more = tables.len().saturating_sub(NAMED_MAX);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let why = format!("it is a file of another program, with the tables {named}{more}; nothing in it was changed");
        Err(OpenError::Strange { place: place.to_owned(), why })
    }
}

/// The tables of an open file.
pub(crate) async fn tables_in(connection: &mut SqliteConnection) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar(TABLES).fetch_all(connection).await
}

async fn read(options: SqliteConnectOptions) -> Option<Vec<String>> {
    let mut connection = options.connect().await.ok()?;
    let tables = tables_in(&mut connection).await.ok();
    connection.close().await.ok();
    tables
}
fn place(file: &Path) -> String {
    file.display().to_string()
}
