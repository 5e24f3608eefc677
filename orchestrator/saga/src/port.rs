//! The bus as one module sees it: whatever it sends is its own. Where there is no subject that says who answers, this does.

use async_trait::async_trait;
use saga_core::bus::{
    Ailment, Answerer, AnyBus, Aside, Bus, BusError, Calls, Delivery, EventBus, Inbox, Line, Message, ReplyMessage,
    Settle, Standing, Tip, Upkeep,
};
use saga_core::envelope::Recorded;
use saga_core::json::Payload;
use saga_core::outcome::Refused;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

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
impl Bus for Port {
    async fn publish(&self, message: Message) -> Result<(), BusError> {
        match message {
            // Who answers is who was registered, not who is named.
            Message::Reply(reply) => {
                let module = self.module.to_owned();
                self.bus.publish(Message::Reply(ReplyMessage { module, ..reply })).await
            }
            Message::Command(_) => Err(self.not_its("commands")),
            Message::Outside(_) => Err(self.not_its("events from outside")),
        }
    }
    async fn receive(&self, inbox: &Inbox, max: usize) -> Result<Vec<Delivery>, BusError> {
        self.bus.receive(inbox, max).await
    }
    async fn settle(&self, inbox: &Inbox, settled: Vec<(u64, Settle)>) -> Result<(), BusError> {
        self.bus.settle(inbox, settled).await
    }
    async fn leave(&self, inbox: &Inbox) -> Result<(), BusError> {
        self.bus.leave(inbox).await
    }
    async fn put_aside(&self, aside: Aside) -> Result<(), BusError> {
        self.bus.put_aside(aside).await
    }
    async fn aside_count(&self, module: &str) -> Result<u64, BusError> {
        self.bus.aside_count(module).await
    }
    async fn aside(&self, module: &str, limit: usize) -> Result<Vec<Aside>, BusError> {
        self.bus.aside(module, limit).await
    }
    async fn queued(&self, inbox: &Inbox) -> Result<u64, BusError> {
        self.bus.queued(inbox).await
    }
    fn is_deaf(&self, inbox: &Inbox) -> bool {
        self.bus.is_deaf(inbox)
    }
    async fn lost(&self, seen: u64) -> u64 {
        self.bus.lost(seen).await
    }
}

#[async_trait]
impl EventBus for Port {
    async fn publish_events(&self, module: &str, events: &[Recorded]) -> Result<u64, BusError> {
        if module != self.module {
            return Err(self.not_its("events of another module"));
        }
        self.bus.publish_events(module, events).await
    }
    async fn tip(&self, module: &str) -> Result<Tip, BusError> {
        self.bus.tip(module).await
    }
    async fn events(&self, module: &str, after: u64, max: usize) -> Result<Vec<Recorded>, BusError> {
        self.bus.events(module, after, max).await
    }
    async fn owner_head(&self, module: &str) -> Result<u64, BusError> {
        self.bus.owner_head(module).await
    }
    async fn standing(&self, module: &str, seq: u64) -> Result<Standing, BusError> {
        self.bus.standing(module, seq).await
    }
    async fn missing(&self, module: &str, head: u64) -> Result<Vec<RangeInclusive<u64>>, BusError> {
        self.bus.missing(module, head).await
    }
}

#[async_trait]
impl Calls for Port {
    async fn serve(&self, lines: Vec<(Line, Answerer)>) -> Result<(), BusError> {
        self.bus.serve(lines).await
    }
    async fn call(
        &self,
        line: &Line,
        question: &Payload,
        patience: Duration,
    ) -> Result<Result<Payload, Refused>, BusError> {
        self.bus.call(line, question, patience).await
    }
}

#[async_trait]
impl Upkeep for Port {
    fn ailments(&self) -> Vec<Ailment> {
        self.bus.ailments()
    }
    async fn tend(&self) {
        self.bus.tend().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{LocalBus, SystemClock};
    use saga_core::bus::Says;
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
        port.publish(Message::Reply(reply)).await.unwrap();
        let received = bus.receive(&Inbox::Replies(0), 1).await.unwrap();
        assert!(matches!(&received[0].message, Message::Reply(reply) if reply.module == "strategy"), "{received:?}");
        assert!(port.publish_events("qc", &[]).await.is_err());
    }
}
