//! The callers that wait until something is durable, and the deliveries that are acknowledged then.

use crate::questions::Answered;
use saga_core::bus::Settle;
use saga_core::id::{SagaId, Version};
use saga_core::time::Timestamp;
use saga_engine::machine::coordinator::{Ticket, Told};
use std::collections::BTreeMap;
use tokio::sync::oneshot;

#[derive(Default)]
pub(super) struct Waiters {
    tickets: BTreeMap<Ticket, (Waiter, Option<Timestamp>)>,
    next: Ticket,
    /// When the callers give up, if they do.
    until: BTreeMap<(Timestamp, Ticket), SagaId>,
    pub(super) moves: BTreeMap<SagaId, Vec<Awaiting>>,
    /// Deliveries whose effect is durable.
    pub(super) settled: Vec<(u64, Settle)>,
    /// What callers will hear when they are woken.
    heard: Vec<(oneshot::Sender<Answered>, Answered)>,
}
/// The receiver of a ticket's answer.
pub(super) enum Waiter {
    Asker(oneshot::Sender<Answered>),
    /// A reply from the bus, by its tag: only then it is acknowledged.
    Delivery(u64),
}
/// A caller that waits for more facts than this, or for rest.
pub(super) type Awaiting = (Option<Version>, oneshot::Sender<Answered>);

impl Waiters {
    pub(super) fn ticket(&mut self, waiter: Waiter) -> Ticket {
        self.next += 1;
        self.tickets.insert(self.next, (waiter, None));
        self.next
    }
    /// The same, and the waiter gives up at `until`.
    pub(super) fn ticket_until(&mut self, saga: SagaId, until: Option<Timestamp>, waiter: Waiter) -> Ticket {
        self.next += 1;
        self.tickets.insert(self.next, (waiter, until));
        self.until.extend(until.map(|until| ((until, self.next), saga)));
        self.next
    }
    /// Lets callers hear what they were told.
    pub(super) fn wake(&mut self) {
        for (tell, what) in self.heard.drain(..) {
            let _gone = tell.send(what);
        }
    }
    /// Nobody is told anything any more.
    pub(super) fn give_up(&mut self) {
        self.tickets.clear();
        self.until.clear();
        self.settled.clear();
    }
    /// The tickets whose callers have given up and were not told yet. Their commits may be under way: each ticket comes
    /// again until it is told.
    pub(super) fn over(&mut self, now: Timestamp) -> Vec<(SagaId, Ticket)> {
        self.until.range(..(now, Ticket::MIN)).map(|((_, ticket), saga)| (*saga, *ticket)).collect()
    }
    pub(super) fn tell(&mut self, ticket: Ticket, what: Told) {
        let Some((waiter, until)) = self.tickets.remove(&ticket) else { return };
        if let Some(until) = until {
            self.until.remove(&(until, ticket));
        }
        match (waiter, what) {
            (Waiter::Asker(tell), what) => self.heard.push((tell, Answered::Told(what))),
            // What cannot be taken now is not acknowledged: it comes again.
            (Waiter::Delivery(tag), Told::Taken) => self.settled.push((tag, Settle::Done)),
            (Waiter::Delivery(_), _) => {}
        }
    }
    pub(super) fn moved(&mut self, saga: SagaId, rev: Version, rests: bool) {
        let Some(waiting) = self.moves.remove(&saga) else { return };
        let mut still = Vec::new();
        for (after, tell) in waiting {
            if rests || after.is_some_and(|after| rev > after) {
                self.heard.push((tell, Answered::Moved));
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
    use saga_engine::execution::{Accepted, OrderRefused};

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
