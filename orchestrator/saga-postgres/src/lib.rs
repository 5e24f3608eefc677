//! One module, one PostgreSQL schema and one login role: the store that many processes write at once.
//!
//! [`migrate`] makes roles, schemas, tables and functions, once, as an administrator. [`PostgresStores`] then opens the
//! schema of a module as the role of that module and gives out [`PostgresStore`]s. Every store has one appender task; among
//! several processes the row of the head decides who writes next, and everything is decided again when it has moved.

mod access;
mod address;
mod appender;
mod connection;
mod copy;
mod decode;
mod documents;
mod export;
mod facts;
mod fault;
mod floor;
mod group;
mod inspect;
mod lanes;
mod leases;
mod migrate;
mod open;
mod questions;
mod remove;
mod ring;
mod store;
mod stores;
mod tail;

pub use access::{Credentials, auditor};
pub use connection::{CONNECTIONS_MAX, ROLE_CONNECTIONS_MAX};
pub use copy::{Copied, CopyError, copy};
pub use floor::{Floor, checkpoint};
pub use migrate::{MigrateError, Migrated, Migration, migrate, roles_sql};
pub use remove::remove;
pub use store::PostgresStore;
pub use stores::PostgresStores;

#[doc(hidden)]
pub mod testing {
    //! What the tests of this crate need to interrupt it.
    pub use crate::migrate::{migrate_as_of, migrate_killed_after};

    /// A schema as the lines that a check compares.
    pub async fn picture(store: &crate::PostgresStore) -> Result<Vec<String>, sqlx::Error> {
        let mut connection = store.readers.acquire().await?;
        Ok(crate::inspect::picture(&mut connection, &store.names).await?.into_iter().collect())
    }
    /// What is wrong with the ground of a module, as one connection sees it: a line each.
    pub async fn flaws(connection: &mut sqlx::PgConnection, module: &str) -> Result<Vec<String>, sqlx::Error> {
        let names = crate::access::Names::of(crate::access::PREFIX, module).map_err(sqlx::Error::Protocol)?;
        let flaws = crate::inspect::flaws(connection, &names).await?;
        Ok(flaws.into_iter().map(|flaw| format!("{}: {}", flaw.place, flaw.says)).collect())
    }
    /// Whether a store tells other processes that its log has grown.
    pub fn announces(store: &crate::PostgresStore) -> bool {
        store.announces()
    }
}
