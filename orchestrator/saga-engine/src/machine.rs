//! The machines: logic that depends on timing, as pure step functions that a simulator can drive.

pub mod assignment;
pub mod consumer;
pub mod coordinator;
pub mod participant;
pub mod projector;
pub mod relay;

use saga_core::time::Timestamp;

/// Inputs in, outputs out, nothing else: no waiting, no clock, no I/O. The shell performs `out` and feeds results back.
pub trait Machine {
    /// What can happen.
    type In;
    /// What to do about it.
    type Out;
    /// Handles one input completely.
    fn step(&mut self, now: Timestamp, input: Self::In, out: &mut Vec<Self::Out>);
}
