//! The composition root: read it top to bottom and you know what runs in one process.

pub mod accept;
pub mod accounts;
mod artifacts;
pub mod backends;
pub mod backup;
pub mod bench;
pub mod config;
pub mod crowd;
pub mod demo;
#[cfg(feature = "failpoints")]
mod failpoints;
mod hidden;
pub mod look;
pub mod migrate;
pub mod modules;
pub mod providers;
pub mod recover;
pub mod refill;
pub mod serve;
mod service;
pub mod starting;
pub mod verify;

pub use service::{Opened, Service};
