//! Real servers for tests: started as child processes on loopback with data of their own, killed by their process id, and
//! gone when they are dropped. A server that is not installed fails the test with the name of its package.
#![expect(clippy::panic, reason = "only tests use this: it speaks by panicking, like every assertion")]

pub mod nats;
pub mod proxy;
