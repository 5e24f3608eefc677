//! Control over HTTP on loopback: what any face may see or order, as one small JSON API.
//!
//! [`server::Server`] serves any [`saga_core::control::Control`]; [`client::AdminClient`] is one that asks a server;
//! [`owner`] says which process owns a data folder, so that a client finds it without being told.
//!
//! Trust in this stage: a client that can open a loopback connection is trusted, and its header `x-actor` is believed.
//! Pages in a browser are not: requests under a foreign host name or from a foreign origin are refused.

pub mod body;
pub mod client;
pub mod connections;
mod follow;
pub mod guard;
pub mod metrics;
pub mod owner;
pub mod query;
pub mod server;
pub mod sse;
pub mod wire;
