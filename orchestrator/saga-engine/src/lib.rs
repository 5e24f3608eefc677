//! What decides: sagas, the machines around them, and the checker of what they did. Nothing here waits by itself.
//!
//! No runtime, no clock, no chance, no sockets, no files, no threads. Time, ids and chance are arguments; where a store or a
//! bus is asked, the function that asks decides nothing.
//!
//! Reading order: [`execution`] (one saga: `evolve` and `decide`), [`machine`] (many sagas, the barrier, the folding of events),
//! [`journal`] and [`installation`] (what is kept of them), [`host`] and [`catchup`] (a module is served and reads), [`listing`]
//! (what people look through), [`changes`] (what they follow), [`audit`] (whether every promise was kept), [`memory`] (the
//! reference store).
#![deny(clippy::wildcard_enum_match_arm)]

pub mod audit;
pub mod catchup;
pub mod changes;
pub mod execution;
pub mod host;
pub mod identity;
pub mod installation;
pub mod journal;
pub mod listing;
pub mod machine;
pub mod memory;
pub mod panics;
pub mod recover;
