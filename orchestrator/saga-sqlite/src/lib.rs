//! One module, one SQLite file: the embedded store, with one writer, group commit and nothing that can lose an answer.
//!
//! [`SqliteStores`] opens `<folder>/<module>.db`, holds `<folder>/<module>.lock` against a second writer, and gives out
//! [`SqliteStore`]s. Every store has one appender task, which owns the only connection that writes. Whoever only looks works on
//! a private copy, and leaves the folder as it was.

mod appender;
mod decode;
mod documents;
mod export;
mod facts;
mod fault;
mod floor;
mod leases;
mod look;
mod migrate;
mod open;
mod ring;
mod script;
mod seen;
mod store;
mod stores;

pub use floor::{Floor, durability};
pub use store::SqliteStore;
pub use stores::SqliteStores;
