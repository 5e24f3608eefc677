//! The bus as one module sees it: it sends only the module's own messages. Where no subject proves the sender, this
//! does.

use async_trait::async_trait;
use saga_core::bus::{AnyBus, BusError, Message, Onward, ReplyMessage};
use saga_core::envelope::Recorded;
use std::sync::Arc;

/// The bus of one registered module.
pub(crate) struct Port {
    module: &'static str,
    bus: Arc<dyn AnyBus>,
}

impl Port {
    pub(crate) fn of(module: &'static str, bus: Arc<dyn AnyBus>) -> Self {
        Self { module, bus }
    }
    fn not_its(&self, what: &str) -> BusError {
        BusError::Unavailable(format!("{} does not send {what}", self.module))
    }
}

#[async_trait]
impl Onward for Port {
    fn behind(&self) -> &dyn AnyBus {
        &*self.bus
    }
    async fn publish(&self, message: Message) -> Result<(), BusError> {
        match message {
            // The sender of a reply is the registered module, not the one that the reply names.
            Message::Reply(reply) => {
                let module = self.module.to_owned();
                self.bus.publish(Message::Reply(ReplyMessage { module, ..reply })).await
            }
            Message::Command(_) => Err(self.not_its("commands")),
            Message::Outside(_) => Err(self.not_its("events from outside")),
        }
    }
    async fn publish_events(&self, module: &str, events: &[Recorded]) -> Result<u64, BusError> {
        if module != self.module {
            return Err(self.not_its("events of another module"));
        }
        self.bus.publish_events(module, events).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{LocalBus, SystemClock};
    use saga_core::bus::{Bus, EventBus, Inbox, Says};
    use saga_core::id::{Direction, StepKey};
    use uuid::Uuid;

    #[tokio::test]
    async fn a_module_answers_in_its_own_name_whatever_it_claims() {
        let bus = Arc::new(LocalBus::new(Arc::new(SystemClock)));
        let port = Port::of("strategy", bus.clone());
        let saga = Uuid::from_u128(7);
        let (step, key) = ("evaluate".to_owned(), StepKey::derive(saga, "evaluate", Direction::Do));
        let (module, says) = ("qc".to_owned(), Says::NothingKnown);
        let reply = ReplyMessage { group: 0, saga, step, direction: Direction::Do, attempt: 1, key, module, says };
        Bus::publish(&port, Message::Reply(reply)).await.unwrap();
        let received = bus.receive(&Inbox::Replies(0), 1).await.unwrap();
        assert!(matches!(&received[0].message, Message::Reply(reply) if reply.module == "strategy"), "{received:?}");
        assert!(EventBus::publish_events(&port, "qc", &[]).await.is_err());
    }
}
