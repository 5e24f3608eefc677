//! What modules and sagas are made of, and what every part of the engine agrees on: the contract.
//!
//! No runtime, no clock, no chance, no sockets, no files, no threads. Time, ids and chance are arguments.
//!
//! Reading order: [`id`], [`event`], [`envelope`], [`command`], [`port`](mod@port), [`outcome`], then what a module is
//! ([`aggregate`], [`projection`], [`module`]), then sagas ([`saga`], [`step`], [`definition`], [`path`] and on) and
//! what the engine records of them ([`fact`]), then the ports ([`batch`], [`ports`], [`bus`]) with what authors of a
//! store share ([`appender`], [`written`], [`leases`], [`export`]), and at last what people ask and see ([`control`],
//! [`view`], [`codes`], [`why`], [`telemetry`]).
//!
//! What decides is in `saga-engine`; the laws of the ports are in `saga-testkit`.
#![deny(clippy::wildcard_enum_match_arm)]

pub mod aggregate;
pub mod appender;
pub mod batch;
pub mod bus;
pub mod codes;
pub mod command;
pub mod control;
pub mod definition;
pub mod envelope;
pub mod event;
pub mod export;
pub mod fact;
pub mod id;
pub mod incident;
pub mod input;
pub mod json;
pub mod leases;
pub mod limits;
pub mod module;
pub mod outcome;
pub mod path;
pub mod plain;
pub mod policy;
pub mod port;
pub mod ports;
pub mod projection;
pub mod provider;
pub mod public_log;
pub mod read_model;
pub mod reason;
pub mod saga;
pub mod shell;
pub mod soundness;
pub mod step;
pub mod telemetry;
pub mod text;
pub mod time;
pub mod view;
pub mod waiting;
pub mod why;
pub mod written;

// What the macros of this crate write uses these, wherever it is written.
#[cfg(feature = "schemas")]
#[doc(hidden)]
pub use schemars;
#[doc(hidden)]
pub use {serde, serde_json, uuid};
