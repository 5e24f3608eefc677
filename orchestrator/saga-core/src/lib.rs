//! The theory of sagas: everything that decides, and nothing that waits.
//!
//! No runtime, no clock, no randomness, no sockets, no files, no threads. Time, ids and chance are arguments.
//!
//! Reading order: [`id`], [`event`], [`envelope`], [`command`], [`outcome`], then the ports ([`batch`], [`ports`]),
//! then what a module is ([`aggregate`], [`projection`], [`module`]), then sagas ([`definition`] and on).
#![deny(clippy::wildcard_enum_match_arm)]

pub mod aggregate;
pub mod appender;
pub mod audit;
pub mod batch;
#[cfg(feature = "laws")]
pub mod between;
pub mod bus;
pub mod catchup;
pub mod codes;
pub mod command;
pub mod control;
pub mod definition;
#[cfg(feature = "laws")]
pub mod effects;
pub mod envelope;
pub mod event;
pub mod execution;
pub mod export;
pub mod fact;
#[cfg(feature = "laws")]
pub mod fates;
pub mod host;
pub mod id;
pub mod identity;
pub mod input;
pub mod installation;
pub mod journal;
pub mod json;
#[cfg(feature = "laws")]
pub mod laws;
pub mod leases;
pub mod limits;
pub mod listing;
pub mod machine;
pub mod memory;
pub mod module;
pub mod outcome;
pub mod panics;
pub mod plain;
pub mod policy;
pub mod ports;
pub mod projection;
pub mod recover;
pub mod saga;
pub mod soundness;
#[cfg(feature = "laws")]
pub mod stage;
pub mod step;
pub mod time;
pub mod view;
pub mod waiting;
pub mod why;
#[cfg(feature = "laws")]
pub mod world;
pub mod written;
#[cfg(feature = "laws")]
pub mod zoo;

// What the macros of this crate write uses these, wherever it is written.
#[cfg(feature = "schemas")]
#[doc(hidden)]
pub use schemars;
#[doc(hidden)]
pub use {serde, serde_json, uuid};
