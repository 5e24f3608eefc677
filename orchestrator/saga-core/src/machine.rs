//! The machines: where a bug in timing would live, the logic is a pure step function that a simulator can drive.

pub mod coordinator;
pub mod participant;
pub mod projector;
pub mod relay;
pub mod seats;

use crate::time::Timestamp;

/// Inputs in, outputs out, nothing else: no waiting, no clock, no I/O. The shell performs `out` and feeds results back.
pub trait Machine {
    /// What can happen.
    type In;
    /// What to do about it.
    type Out;
    /// Handles one input completely.
    fn step(&mut self, now: Timestamp, input: Self::In, out: &mut Vec<Self::Out>);
}
