//! The verbs, one file each; only `demo`, `dev`, `serve`, `store` and `bench` may name the composition root.

pub mod bench;
mod consent;
pub mod demo;
pub mod dev;
pub mod doctor;
pub mod events;
pub mod help;
pub mod list;
pub mod live;
pub mod module;
pub mod order;
pub mod saga;
pub mod serve;
pub mod start;
pub mod store;
pub mod watch;
