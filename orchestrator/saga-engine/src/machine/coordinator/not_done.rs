//! Decisions whose commit failed: they are decided again, one signal at a time, or handed to a person.

use super::{Coordinator, Out, REJECTIONS_MAX, Ticket, UNREADABLE_MAX, Unreadable, refused, tell};
use crate::execution::Signal;
use crate::journal::unreadable;
use saga_core::codes;
use saga_core::id::{Direction, SagaId, Version};
use saga_core::time::Timestamp;

impl Coordinator {
    /// A signal that waits its turn is not begun any more. One whose commit is under way may be done, and is never
    /// taken back here; if that commit fails, this comes again before the signal is decided anew.
    pub(super) fn given_up(&mut self, saga: SagaId, ticket: Ticket, out: &mut Vec<Out>) {
        let Some(entry) = self.sagas.get_mut(&saga) else { return };
        let waited = entry.queue.len();
        entry.queue.retain(|(_, waits)| *waits != Some(ticket));
        if entry.queue.len() < waited {
            let message = "the caller gave up before the order was begun; nothing was done".to_owned();
            tell(out, Some(ticket), refused(codes::TOO_LATE, message));
        }
    }
    pub(super) fn not_committed(&mut self, saga: SagaId, out: &mut Vec<Out>) {
        let Some(entry) = self.sagas.get_mut(&saga) else { return };
        entry.exec = None;
        entry.in_flight = false;
        entry.acts.clear();
        entry.answers.clear();
        entry.counted = 0;
        // The signals are decided again on the history as it is; repeated orders and answers are recognised there.
        let mut again = std::mem::take(&mut entry.deciding);
        again.append(&mut entry.queue);
        entry.queue = again;
        out.push(Out::Load { saga, after_failure: true });
    }
    /// The request id of the order in flight is known. For the same order the history says so when it is read; another
    /// one is refused.
    pub(super) fn known(&mut self, saga: SagaId, digest: [u8; 32], out: &mut Vec<Out>) {
        let Some(entry) = self.sagas.get_mut(&saga) else { return };
        if entry.once.is_some_and(|once| once.digest != digest)
            && let Some((_, ticket)) = entry.deciding.pop()
        {
            let message = "this request id was used for another order".to_owned();
            tell(out, ticket, refused(codes::REQUEST_REUSED, message));
        }
        self.not_committed(saga, out);
    }
    /// A decision can never be stored. Its signals are decided again on the history as it is, one at a time, until the
    /// one is found that causes it: an order is refused, and a signal without a waiting caller parks its step.
    pub(super) fn rejected(
        &mut self,
        now: Timestamp,
        saga: SagaId,
        step: Option<(String, Direction)>,
        why: &str,
        out: &mut Vec<Out>,
    ) {
        let Some(entry) = self.sagas.get_mut(&saga) else { return };
        entry.rejections += 1;
        if entry.rejections >= REJECTIONS_MAX {
            let started = entry.exec.as_ref().and_then(|exec| exec.started().map(|started| (started.clone(), now)));
            let why = format!("what was decided cannot be stored: {why}");
            return self.load_failed(now, saga, Some(Unreadable { why, started: started.map(Box::new) }), out);
        }
        if entry.deciding.len() == 1
            && let Some((signal, ticket)) = entry.deciding.pop()
        {
            let refused = refused(codes::INPUT_LIMIT, format!("this cannot be stored: {why}"));
            match signal {
                Signal::Begun(_) | Signal::Ordered(_) => {
                    out.extend(ticket.map(|ticket| Out::Tell { ticket, what: refused }));
                }
                Signal::Answered { .. }
                | Signal::Faulted { .. }
                | Signal::NothingKnown { .. }
                | Signal::Unstorable { .. }
                | Signal::Due => {
                    let about = signal.about().map(|(step, way)| (step.to_owned(), way));
                    let culprit = step.or_else(|| about.clone()).unwrap_or((String::new(), Direction::Do));
                    // The step whose fact it is stands first; who only led there is decided once more behind it.
                    let own = about.as_ref() == Some(&culprit);
                    let (step, direction) = culprit;
                    // A path that is no step of the plan means the whole saga.
                    let (step, why) = (step.parse().unwrap_or_default(), why.to_owned());
                    let parked = Signal::Unstorable { step, direction, why };
                    entry.deciding.push((parked, ticket.filter(|_| own)));
                    entry.deciding.extend((!own).then_some((signal, ticket)));
                }
            }
        }
        self.not_committed(saga, out);
    }
    pub(super) fn load_failed(
        &mut self,
        now: Timestamp,
        saga: SagaId,
        for_good: Option<Unreadable>,
        out: &mut Vec<Out>,
    ) {
        let Some(Unreadable { why, started }) = for_good else {
            return out.push(Out::Load { saga, after_failure: true });
        };
        let Some(mut entry) = self.sagas.remove(&saga) else { return };
        let over = entry.tries.take_over(|_, _, _| false);
        self.leave(now, over, out);
        let row = unreadable(saga, &why, started.as_deref(), now);
        if self.unreadable.len() < UNREADABLE_MAX || self.unreadable.contains_key(&saga) {
            self.unreadable.insert(saga, row);
        }
        out.push(Out::Moved { saga, rev: Version::ZERO, rests: true });
        let waiting = entry.queue.into_iter().chain(entry.deciding).filter_map(|(_, ticket)| ticket);
        for ticket in waiting {
            tell(out, Some(ticket), refused(codes::SAGA_UNREADABLE, why.clone()));
        }
    }
}
