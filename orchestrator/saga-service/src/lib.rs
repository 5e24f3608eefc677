//! The composition root: read it top to bottom and you know what runs in one process.

pub mod bench;
pub mod demo;
#[cfg(feature = "failpoints")]
mod failpoints;
pub mod modules;
pub mod providers;
mod service;

pub use service::{Opened, Service, fault};
