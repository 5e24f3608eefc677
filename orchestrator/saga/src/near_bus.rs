//! A bus whose way within the process is short: commands and replies for somebody who receives them in this process go
//! there directly, and everything else goes over the bus behind it.
//!
//! Nothing is lost by it that the bus behind would keep. What is on its way between two parts of a process dies with
//! both: whoever owns the group next reads from the log what is owed, and asks again at once. What nobody here takes in
//! time, because everybody is busy or gone, goes over the bus behind, where others can take it.

use crate::local_bus::LocalBus;
use async_trait::async_trait;
use futures::FutureExt;
use saga_core::bus::{
    Ailment, Answerer, AnyBus, Aside, Bus, BusError, Calls, Delivery, EventBus, Inbox, Line, Message, Settle, Tip,
    Upkeep,
};
use saga_core::envelope::Recorded;
use saga_core::json::Payload;
use saga_core::outcome::Refused;
use saga_core::ports::Clock;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

/// 256 messages wait for one receiver of this process: what it does in some milliseconds. Past that the bus behind
/// carries them, so that other processes can help.
pub const NEAR_MAX: usize = 256;
/// Nobody of this process has taken a message for 1 s: somebody elsewhere may have time for it.
pub const NEAR_WITHIN: Duration = Duration::from_secs(1);

/// The short way of one process; all its buses share it.
#[derive(Clone)]
pub struct Near(Arc<LocalBus>);

impl Near {
    /// For a process with this clock.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self(Arc::new(LocalBus::new(clock)))
    }
    /// The bus that takes the short way where there is one, and otherwise goes over `far`.
    pub fn before(&self, far: Arc<dyn AnyBus>) -> NearBus {
        NearBus { near: Arc::clone(&self.0), far }
    }
}

/// A bus behind the short way.
pub struct NearBus {
    near: Arc<LocalBus>,
    far: Arc<dyn AnyBus>,
}

/// A delivery says in the last bit of its tag which way it came.
const NEAR: u64 = 1;
fn came(near: u64, mut delivery: Delivery) -> Delivery {
    delivery.tag = delivery.tag << 1 | near;
    delivery
}

impl NearBus {
    /// Hands messages to the bus behind; all of them are tried, and the first trouble is told.
    async fn send_on(&self, messages: Vec<Message>) -> Result<(), BusError> {
        let mut told = Ok(());
        for message in messages {
            told = told.and(self.far.publish(message).await);
        }
        told
    }
    /// Puts aside on the bus behind, where it outlives this process, what was put aside here.
    async fn keep_aside(&self) -> Result<(), BusError> {
        let mut told = Ok(());
        for aside in self.near.take_aside() {
            if let Err(why) = self.far.put_aside(aside.clone()).await {
                self.near.put_aside(aside).await?;
                told = Err(why);
            }
        }
        told
    }
}

#[async_trait]
impl Bus for NearBus {
    async fn publish(&self, message: Message) -> Result<(), BusError> {
        // What comes from outside is in no log yet: it stays where it outlives this process.
        let is_owed = !matches!(message, Message::Outside(_));
        match if is_owed { self.near.offer(message, NEAR_MAX) } else { Err(message) } {
            Ok(()) => Ok(()),
            Err(message) => self.far.publish(message).await,
        }
    }
    async fn receive(&self, inbox: &Inbox, max: usize) -> Result<Vec<Delivery>, BusError> {
        let (mut far, near) = (self.far.receive(inbox, max), self.near.receive(inbox, max));
        // What came from far is first, or a busy process would never hear of it. A bus behind that is away holds up nobody.
        let (way, received) = match (&mut far).now_or_never() {
            Some(Ok(received)) => (0, Ok(received)),
            Some(Err(away)) => (NEAR, near.now_or_never().unwrap_or(Err(away))),
            None => tokio::select! {
                biased;
                received = near => (NEAR, received),
                received = far => (0, received),
            },
        };
        Ok(received?.into_iter().map(|delivery| came(way, delivery)).collect())
    }
    async fn settle(&self, inbox: &Inbox, settled: Vec<(u64, Settle)>) -> Result<(), BusError> {
        let (near, far): (Vec<_>, Vec<_>) = settled.into_iter().partition(|(tag, _)| tag & NEAR == NEAR);
        let own_tags = |settled: Vec<(u64, Settle)>| settled.into_iter().map(|(tag, how)| (tag >> 1, how)).collect();
        let mut told = Ok(());
        if !near.is_empty() {
            let parks = near.iter().any(|(_, how)| matches!(how, Settle::Park(_)));
            self.near.settle(inbox, own_tags(near)).await?;
            told = if parks { self.keep_aside().await } else { Ok(()) };
        }
        if far.is_empty() { told } else { told.and(self.far.settle(inbox, own_tags(far)).await) }
    }
    async fn leave(&self, inbox: &Inbox) -> Result<(), BusError> {
        let sent = self.send_on(self.near.vacate(inbox)).await;
        self.far.leave(inbox).await.and(sent)
    }
    async fn put_aside(&self, aside: Aside) -> Result<(), BusError> {
        self.far.put_aside(aside).await
    }
    async fn aside(&self, module: &str, limit: usize) -> Result<Vec<Aside>, BusError> {
        self.far.aside(module, limit).await
    }
    async fn lost(&self, seen: u64) -> u64 {
        self.far.lost(seen).await
    }
}

#[async_trait]
impl EventBus for NearBus {
    async fn publish_events(&self, module: &str, events: &[Recorded]) -> Result<u64, BusError> {
        self.far.publish_events(module, events).await
    }
    async fn tip(&self, module: &str) -> Result<Tip, BusError> {
        self.far.tip(module).await
    }
    async fn events(&self, module: &str, after: u64, max: usize) -> Result<Vec<Recorded>, BusError> {
        self.far.events(module, after, max).await
    }
    async fn missing(&self, module: &str, head: u64) -> Result<Vec<RangeInclusive<u64>>, BusError> {
        self.far.missing(module, head).await
    }
}

#[async_trait]
impl Calls for NearBus {
    async fn serve(&self, lines: Vec<(Line, Answerer)>) -> Result<(), BusError> {
        self.far.serve(lines).await
    }
    async fn call(
        &self,
        line: &Line,
        question: &Payload,
        patience: Duration,
    ) -> Result<Result<Payload, Refused>, BusError> {
        self.far.call(line, question, patience).await
    }
}

#[async_trait]
impl Upkeep for NearBus {
    fn ailments(&self) -> Vec<Ailment> {
        self.far.ailments()
    }
    async fn tend(&self) {
        if let Err(why) = self.send_on(self.near.take_old(NEAR_WITHIN)).await {
            tracing::warn!(%why, "what nobody here takes could not be sent on; it is asked for again");
        }
        if let Err(why) = self.keep_aside().await {
            tracing::warn!(%why, "what was put aside is kept here until the bus takes it");
        }
        self.far.tend().await;
    }
}
