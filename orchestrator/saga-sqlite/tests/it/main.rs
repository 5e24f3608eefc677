//! The SQLite store at its boundary: the laws of stores, and what is special about a file.
#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests are tests")]

mod disk;
mod file;
mod folder;
mod fsync;
mod laws;
mod model;
mod peek;
