//! The laws of the ports: whoever implements a port runs its suite. A law speaks by panicking.
#![expect(clippy::panic, clippy::expect_used, reason = "laws are tests that other crates run")]

pub mod store;
