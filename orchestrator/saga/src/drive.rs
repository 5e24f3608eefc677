//! The loop of all consumers: what happened goes into a machine, and what comes out is performed.

use crate::host::Host;
use saga_engine::machine::Machine;
use std::future::Future;

/// Performs what a machine wants done.
pub(crate) trait Performs<M: Machine> {
    /// Does it; what came of it, if the machine is to hear of that.
    fn perform(&mut self, out: M::Out) -> impl Future<Output = Option<M::In>> + Send;
}

impl Host {
    /// The loop of all consumers: what happened goes in, what comes out is performed, until nothing happens any more or
    /// everything ends. It waits for the act under way, which may be at its commit.
    pub(crate) async fn drive<M: Machine>(&self, mut machine: M, first: M::In, performer: &mut impl Performs<M>) {
        let (mut happened, mut out) = (vec![first], Vec::new());
        while !happened.is_empty() {
            for input in happened.drain(..) {
                machine.step(self.clock.now(), input, &mut out);
            }
            for output in out.drain(..) {
                if self.tasks.is_stopping() {
                    return;
                }
                happened.extend(performer.perform(output).await);
            }
        }
    }
}
