//! A bus with a short way inside the process: commands and replies whose receiver is in this process go there directly,
//! and everything else goes over the bus behind it.
//!
//! It loses nothing that the bus behind would keep. A message on its way between two parts of a process dies with both:
//! the next owner of the group reads from the log what is owed, and asks again at once. A message that no receiver here
//! takes in time, because all are busy or gone, goes over the bus behind, where other processes can take it.

use crate::local_bus::LocalBus;
use async_trait::async_trait;
use futures::FutureExt;
use saga_core::bus::{AnyBus, Bus, BusError, DeadLetters, Delivery, Inbox, Message, Onward, Settle, Traffic};
use saga_core::ports::Clock;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// 256 messages wait for one receiver of this process: what it does in some milliseconds. Past that the bus behind
/// carries them, so that other processes can help.
pub const LOOPBACK_MAX: usize = 256;
/// No receiver of this process has taken a message for 1 s: another process may have time for it.
pub const LOOPBACK_WITHIN: Duration = Duration::from_secs(1);

/// The loopback of one process; all its buses share it.
#[derive(Clone)]
pub struct Loopback(Arc<Shared>);

struct Shared {
    local: LocalBus,
    far: Mutex<Far>,
}
/// Each module may have a connection of its own, with rights of its own: a message sent on goes over its sender's
/// connection, a dead letter over its receiver's.
#[derive(Default)]
struct Far {
    senders: BTreeMap<Sender, Arc<dyn AnyBus>>,
    receivers: BTreeMap<Inbox, Arc<dyn AnyBus>>,
}
/// A module that replies; `None` is the coordinator.
type Sender = Option<String>;
fn sender(message: &Message) -> Sender {
    match message {
        Message::Reply(reply) => Some(reply.module.clone()),
        Message::Command(_) | Message::Outside(_) => None,
    }
}

impl Loopback {
    /// For a process with this clock.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self(Arc::new(Shared { local: LocalBus::new(clock), far: Mutex::default() }))
    }
    /// The bus that takes the loopback where there is one, and otherwise goes over `far`.
    pub fn before(&self, far: Arc<dyn AnyBus>) -> LoopbackBus {
        LoopbackBus { loopback: Arc::clone(&self.0), far }
    }
}

impl Shared {
    fn far(&self) -> MutexGuard<'_, Far> {
        self.far.lock().unwrap_or_else(PoisonError::into_inner)
    }
    /// Hands messages to the bus behind their senders; those that it does not take come back, after the first trouble all.
    async fn send_on(&self, messages: Vec<Message>) -> Result<(), (BusError, Vec<Message>)> {
        let mut messages = messages.into_iter();
        while let Some(message) = messages.next() {
            let far = self.far().senders.get(&sender(&message)).map(Arc::clone);
            let Some(far) = far else { continue };
            if let Err(why) = far.publish(message.clone()).await {
                return Err((why, std::iter::once(message).chain(messages).collect()));
            }
        }
        Ok(())
    }
    /// Puts aside on the bus behind their receivers, where it outlives this process, what was put aside here.
    async fn keep_aside(&self) -> Result<(), BusError> {
        let mut told = Ok(());
        for aside in self.local.take_aside() {
            let far = self.far().receivers.get(&aside.inbox).map(Arc::clone);
            let Some(far) = far else { continue };
            if let Err(why) = far.put_aside(aside.clone()).await {
                self.local.put_aside(aside).await?;
                told = Err(why);
            }
        }
        told
    }
}

/// A bus behind the loopback.
pub struct LoopbackBus {
    loopback: Arc<Shared>,
    far: Arc<dyn AnyBus>,
}

/// A delivery says in the last bit of its tag which way it came.
const BY_LOOPBACK: u64 = 1;
fn came(loopback: u64, mut delivery: Delivery) -> Delivery {
    delivery.tag = delivery.tag << 1 | loopback;
    delivery
}

#[async_trait]
impl Onward for LoopbackBus {
    fn behind(&self) -> &dyn AnyBus {
        &*self.far
    }
    async fn publish(&self, message: Message) -> Result<(), BusError> {
        // An outside event is in no log yet: it stays where it outlives this process.
        if matches!(message, Message::Outside(_)) {
            return self.far.publish(message).await;
        }
        self.loopback.far().senders.entry(sender(&message)).or_insert_with(|| Arc::clone(&self.far));
        match self.loopback.local.offer(message, LOOPBACK_MAX) {
            Ok(()) => Ok(()),
            Err(message) => self.far.publish(message).await,
        }
    }
    async fn receive(&self, inbox: &Inbox, max: usize) -> Result<Vec<Delivery>, BusError> {
        if !self.loopback.far().receivers.contains_key(inbox) {
            self.loopback.far().receivers.insert(inbox.clone(), Arc::clone(&self.far));
        }
        let (mut far, loopback) = (self.far.receive(inbox, max), self.loopback.local.receive(inbox, max));
        // Messages from the bus behind come first, or a busy process would never hear of them. A bus behind that is
        // away holds up nobody.
        let (way, received) = match (&mut far).now_or_never() {
            Some(Ok(received)) => (0, Ok(received)),
            Some(Err(away)) => (BY_LOOPBACK, loopback.now_or_never().unwrap_or(Err(away))),
            None => tokio::select! {
                biased;
                received = loopback => (BY_LOOPBACK, received),
                received = far => (0, received),
            },
        };
        Ok(received?.into_iter().map(|delivery| came(way, delivery)).collect())
    }
    async fn settle(&self, inbox: &Inbox, settled: Vec<(u64, Settle)>) -> Result<(), BusError> {
        let (loopback, far): (Vec<_>, Vec<_>) =
            settled.into_iter().partition(|(tag, _)| tag & BY_LOOPBACK == BY_LOOPBACK);
        let own_tags = |settled: Vec<(u64, Settle)>| settled.into_iter().map(|(tag, how)| (tag >> 1, how)).collect();
        let mut told = Ok(());
        if !loopback.is_empty() {
            let parks = loopback.iter().any(|(_, how)| matches!(how, Settle::Park(_)));
            self.loopback.local.settle(inbox, own_tags(loopback)).await?;
            told = if parks { self.loopback.keep_aside().await } else { Ok(()) };
        }
        if far.is_empty() { told } else { told.and(self.far.settle(inbox, own_tags(far)).await) }
    }
    async fn leave(&self, inbox: &Inbox) -> Result<(), BusError> {
        // A message that is not taken now is asked for again by the owner of its saga.
        let sent = self.loopback.send_on(self.loopback.local.vacate(inbox)).await;
        self.far.leave(inbox).await.and(sent.map_err(|(why, _)| why))
    }
    async fn queued(&self, inbox: &Inbox) -> Result<u64, BusError> {
        // A bus behind that is away holds up nobody here: nobody can receive its queue either.
        Ok(self.loopback.local.queued(inbox).await? + self.far.queued(inbox).await.unwrap_or(0))
    }
    async fn tend(&self) {
        if let Err((why, left)) = self.loopback.send_on(self.loopback.local.take_old(LOOPBACK_WITHIN)).await {
            tracing::warn!(%why, "what nobody here takes waits on, because the bus does not take it either");
            for message in left {
                // There is room: it was taken from there.
                let _full = self.loopback.local.publish(message).await;
            }
        }
        if let Err(why) = self.loopback.keep_aside().await {
            tracing::warn!(%why, "what was put aside is kept here until the bus takes it");
        }
        self.far.tend().await;
    }
}
