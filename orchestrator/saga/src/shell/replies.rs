//! Replies from the bus: what each binds to goes to the machine; one that another group has to hear is handed on.

use super::{Sending, Sent, Shell, Waiter, Waiters};
use crate::questions::{Answered, Question};
use futures::FutureExt;
use saga_core::bus::{AnyBus, Delivery, Inbox, Message, ReplyMessage, Says, Settle};
use saga_core::id::SagaId;
use saga_core::incident::Incident;
use saga_engine::execution::{Answering, Signal};
use saga_engine::machine::Machine;
use saga_engine::machine::coordinator::{In, Out, Ticket};
use std::sync::Arc;

impl Shell {
    pub(super) fn reply(&mut self, delivery: Delivery, waiters: &mut Waiters, out: &mut Vec<Out>) {
        let Message::Reply(reply) = delivery.message else {
            return waiters.settled.push((delivery.tag, Settle::Park("not a reply".to_owned())));
        };
        let ReplyMessage { saga, step, direction, attempt, key, module, says, .. } = reply;
        let of = Answering { step, direction, attempt, key, module: Some(module) };
        let signal = match says {
            Says::Answer(answer) => Signal::Answered { of, answer },
            Says::NothingKnown => Signal::NothingKnown { of },
            Says::Fault { code, reason: why } => Signal::Faulted { of, code, why },
        };
        let ticket = Some(waiters.ticket(Waiter::Delivery(delivery.tag)));
        let input = In::Signal { saga: SagaId(saga), signal, ticket };
        self.coordinator.step(self.clock.now(), input, out);
    }
    /// Brings an answer to the group of its saga, beside this loop. It is acknowledged here when it is durable there.
    pub(super) fn hand_on(&self, saga: SagaId, group: u16, signal: Signal, ticket: Option<Ticket>, sending: &Sending) {
        tracing::warn!(%saga, group = self.group, to = group, "an answer came to the wrong group; it is handed on");
        self.health.incident(Incident::WrongGroup, &format!("saga {saga} belongs to group {group}"));
        let groups = Arc::clone(&self.groups);
        let handed = async move {
            let question = Question::Heard { saga, signal: Box::new(signal) };
            let answered = groups.ask(group, &question).await;
            if let Err(why) = &answered {
                tracing::warn!(%saga, to = group, %why, "the answer is not handed on yet; it comes again");
            }
            let told =
                answered.ok().and_then(|answered| if let Answered::Told(told) = answered { Some(told) } else { None });
            Sent::Told(ticket.zip(told))
        };
        sending.push(handed.boxed());
    }
}

/// How many commands of a module wait on the bus to be taken, and how many replies wait for this group.
pub(super) async fn queue_of(bus: Arc<dyn AnyBus>, module: String, group: u16) -> Sent {
    // In this order: an answer given between the two looks is found among the replies.
    let commands = bus.queued(&Inbox::Commands(module.clone())).await.ok();
    let unheard = bus.queued(&Inbox::Replies(group)).await.unwrap_or(0);
    Sent::Heard(In::Queued { module, commands, unheard })
}
