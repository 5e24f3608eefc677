//! One module, one SQLite file: the embedded store, with one writer, group commit and nothing that can lose an answer.
//!
//! [`SqliteStores`] opens `<folder>/<module>.db`, holds `<folder>/<module>.lock` against a second writer, and gives out
//! [`SqliteStore`]s. Every store has one appender task, which owns the only connection that writes. A command that only
//! looks works on a private copy, and leaves the folder as it was.

mod appender;
mod backup;
mod decode;
mod documents;
mod export;
mod facts;
mod fault;
mod floor;
mod inspect;
mod leases;
mod lock;
mod look;
mod migrate;
mod open;
mod peek;
mod private;
mod ring;
mod script;
mod seen;
mod store;
mod stores;
mod wal;
mod whose;

pub use backup::Copied;
pub use floor::{Floor, durability};
pub use store::SqliteStore;
pub use stores::SqliteStores;

#[doc(hidden)]
pub mod testing {
    //! What tests of checks need to do to a file behind the back of its store.
    use sqlx::sqlite::SqliteConnectOptions;
    use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _};

    /// Runs a script against a file that no store has open.
    ///
    /// # Errors
    /// What SQLite said.
    pub async fn tamper(file: &std::path::Path, script: &str) -> Result<(), String> {
        let text = |error: sqlx::Error| error.to_string();
        let mut connection = SqliteConnectOptions::new().filename(file).connect().await.map_err(text)?;
        sqlx::raw_sql(AssertSqlSafe(script.to_owned())).execute(&mut connection).await.map_err(text)?;
        connection.close().await.map_err(text)
    }
}
