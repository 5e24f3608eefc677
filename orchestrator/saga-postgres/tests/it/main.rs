//! The PostgreSQL store at its boundary: the laws of stores, and what is special about a server that many share.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests are tests")]
#![expect(clippy::disallowed_methods, reason = "tests wait for the tasks that they start")]

mod append;
mod clients;
mod copies;
mod crashes;
mod crowd;
mod database;
mod inspect;
mod interleavings;
mod laws;
mod logins;
mod migrations;
mod model;
mod privileges;
mod rights;
