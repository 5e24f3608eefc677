//! Real servers for tests: started by the test itself, in a folder of their own, and gone with it; and a bound on waiting.
//!
//! Not for production: whatever goes wrong here ends in a panic that says what to do.
#![expect(
    clippy::panic,
    clippy::expect_used,
    reason = "a test that has no server fails, with a sentence that says why"
)]

pub mod certificates;
pub mod nats;
pub mod postgres;
pub mod proxy;
pub mod waiting;
