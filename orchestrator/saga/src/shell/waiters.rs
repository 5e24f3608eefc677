//! Who waits until something is durable: whoever asked, and the bus for its deliveries.

use crate::groups::Answered;
use saga_core::bus::Settle;
use saga_core::id::{SagaId, Version};
use saga_core::machine::coordinator::{Ticket, Told};
use std::collections::BTreeMap;
use tokio::sync::oneshot;

#[derive(Default)]
pub(super) struct Waiters {
    pub(super) tickets: BTreeMap<Ticket, Waiter>,
    next: Ticket,
    pub(super) moves: BTreeMap<SagaId, Vec<Awaiting>>,
    /// Deliveries whose effect is durable.
    pub(super) settled: Vec<(u64, Settle)>,
}
/// Who is told when something is durable.
pub(super) enum Waiter {
    Asker(oneshot::Sender<Answered>),
    /// A reply from the bus, by its tag: only then it is acknowledged.
    Delivery(u64),
}
/// Somebody who waits for more facts than this, or for rest.
pub(super) type Awaiting = (Option<Version>, oneshot::Sender<Answered>);

impl Waiters {
    pub(super) fn ticket(&mut self, waiter: Waiter) -> Ticket {
        self.next += 1;
        self.tickets.insert(self.next, waiter);
        self.next
    }
    pub(super) fn tell(&mut self, ticket: Ticket, what: Told) {
        match (self.tickets.remove(&ticket), what) {
            (Some(Waiter::Asker(tell)), what) => drop(tell.send(Answered::Told(what))),
            // What cannot be taken now is not acknowledged: it comes again.
            (Some(Waiter::Delivery(tag)), Told::Taken) => self.settled.push((tag, Settle::Done)),
            (Some(Waiter::Delivery(_)) | None, _) => {}
        }
    }
    pub(super) fn moved(&mut self, saga: SagaId, rev: Version, rests: bool) {
        let Some(waiting) = self.moves.remove(&saga) else { return };
        let mut still = Vec::new();
        for (after, tell) in waiting {
            if rests || after.is_some_and(|after| rev > after) {
                let _gone = tell.send(Answered::Moved);
            } else {
                still.push((after, tell));
            }
        }
        if !still.is_empty() {
            self.moves.insert(saga, still);
        }
    }
}
