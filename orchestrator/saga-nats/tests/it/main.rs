//! The bus on real servers of both versions: its laws, and what becomes of it when a server loses something.
#![expect(clippy::unwrap_used, clippy::panic, reason = "what tests share speaks by panicking")]

mod accounts;
mod attack;
mod hostile;
mod incarnations;
mod laws;
mod letters;
mod logins;
mod lost_answers;
mod older;
mod poison;
mod questions;
mod relay;
mod repair;
mod subscriptions;
mod support;
mod tokens;
mod topology;
