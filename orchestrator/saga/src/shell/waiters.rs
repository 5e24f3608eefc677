//! Who waits until something is durable: whoever asked, and the bus for its deliveries.

use crate::groups::Answered;
use saga_core::bus::Settle;
use saga_core::id::{SagaId, Version};
use saga_core::machine::coordinator::{Ticket, Told};
use saga_core::time::Timestamp;
use std::collections::BTreeMap;
use tokio::sync::oneshot;

#[derive(Default)]
pub(super) struct Waiters {
    pub(super) tickets: BTreeMap<Ticket, Waiter>,
    next: Ticket,
    /// When whoever waits gives up. Those that were told meanwhile go when their time comes.
    until: BTreeMap<(Timestamp, Ticket), SagaId>,
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
    /// The same, and whoever waits gives up at a time.
    pub(super) fn ticket_until(&mut self, saga: SagaId, until: Option<Timestamp>, waiter: Waiter) -> Ticket {
        let ticket = self.ticket(waiter);
        self.until.extend(until.map(|until| ((until, ticket), saga)));
        ticket
    }
    /// Those who have given up and were not told yet. What they asked may be at its commit: they come again until they are
    /// told.
    pub(super) fn over(&mut self, now: Timestamp) -> Vec<(SagaId, Ticket)> {
        let later = self.until.split_off(&(now, Ticket::MIN));
        let mut over = std::mem::replace(&mut self.until, later);
        over.retain(|(_, ticket), _| self.tickets.contains_key(ticket));
        let all = over.iter().map(|((_, ticket), saga)| (*saga, *ticket)).collect();
        self.until.append(&mut over);
        all
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

#[cfg(test)]
mod tests {
    use super::*;
    use saga_core::codes;
    use saga_core::execution::{Accepted, OrderRefused};

    #[test]
    fn a_delivery_is_settled_when_it_is_taken_and_by_nothing_else() {
        let refused = OrderRefused { code: codes::OVERLOADED, message: "later".to_owned(), hint: None };
        let others = [
            Told::Refused(refused),
            Told::Accepted(Accepted::Now),
            Told::Started { repeated: false },
            Told::Started { repeated: true },
        ];
        let mut waiters = Waiters::default();
        for told in others {
            let ticket = waiters.ticket(Waiter::Delivery(7));
            waiters.tell(ticket, told);
            assert_eq!(waiters.settled, [], "it comes again");
        }
        let ticket = waiters.ticket(Waiter::Delivery(8));
        waiters.tell(ticket, Told::Taken);
        assert_eq!(waiters.settled, [(8, Settle::Done)]);
    }
}
