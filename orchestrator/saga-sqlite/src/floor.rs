//! The hand-written minimum, to compare with: one table, one writer, one insert for each group, and a store's own
//! durability settings. Nothing of a store or of the engine runs here.

use crate::open;
use saga_core::ports::OpenError;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, SqliteConnection};
use std::path::Path;
use std::sync::Arc;

/// A file that is appended to with as little as possible.
pub struct Floor {
    connection: SqliteConnection,
}

impl Floor {
    /// Creates the file, with the settings of a store.
    pub async fn create(file: &Path) -> Result<Self, OpenError> {
        let place = file.display().to_string();
        let mut connection = open::writer(file, &place, None).await?;
        let table = "CREATE TABLE floor (position INTEGER PRIMARY KEY, stream TEXT NOT NULL, version INTEGER NOT NULL, \
                     data TEXT NOT NULL, UNIQUE (stream, version)) STRICT";
        let made = connection.execute(table).await;
        made.map_err(|error| OpenError::Unavailable { place, why: error.to_string() })?;
        Ok(Self { connection })
    }
    /// Appends rows of stream, version and text in one statement, which is one transaction and one flush. The same place
    /// in a stream twice is refused by the table's key.
    pub async fn append(&mut self, rows: &[(Arc<str>, i64, Arc<str>)]) -> Result<(), String> {
        if rows.is_empty() {
            return Ok(());
        }
        let sql = format!("INSERT INTO floor (stream, version, data) VALUES {}", vec!["(?,?,?)"; rows.len()].join(","));
        let mut query = sqlx::query(AssertSqlSafe(sql));
        for (stream, version, data) in rows {
            query = query.bind(Arc::clone(stream)).bind(version).bind(Arc::clone(data));
        }
        query.execute(&mut self.connection).await.map(drop).map_err(|error| error.to_string())
    }
    /// Closes the file.
    pub async fn close(self) -> Result<(), String> {
        self.connection.close().await.map_err(|error| error.to_string())
    }
}

/// The settings that every writing connection asks for and reads back: a file that answers otherwise is not opened.
pub fn durability() -> &'static [(&'static str, &'static str)] {
    open::SETTINGS
}
