//! A bus whose way within the process is short: commands and replies for somebody who receives them in this process go
//! there directly, and everything else goes over the bus behind it.
//!
//! Nothing is lost by it that the bus behind would keep. What is on its way between two parts of a process dies with
//! both: whoever owns the group next reads from the log what is owed, and asks again at once. What nobody here takes in
//! time, because everybody is busy or gone, goes over the bus behind, where others can take it.

use crate::local_bus::LocalBus;
use async_trait::async_trait;
use futures::FutureExt;
use saga_core::bus::{AnyBus, Bus, BusError, Delivery, Inbox, Message, Onward, Settle};
use saga_core::ports::Clock;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// 256 messages wait for one receiver of this process: what it does in some milliseconds. Past that the bus behind
/// carries them, so that other processes can help.
pub const NEAR_MAX: usize = 256;
/// Nobody of this process has taken a message for 1 s: somebody elsewhere may have time for it.
pub const NEAR_WITHIN: Duration = Duration::from_secs(1);

/// The short way of one process; all its buses share it.
#[derive(Clone)]
pub struct Near(Arc<Shared>);

struct Shared {
    local: LocalBus,
    far: Mutex<Far>,
}
/// Each module may have a connection of its own, with rights of its own: what is sent on goes over its sender's, and what
/// is put aside over its receiver's.
#[derive(Default)]
struct Far {
    senders: BTreeMap<Sender, Arc<dyn AnyBus>>,
    receivers: BTreeMap<Inbox, Arc<dyn AnyBus>>,
}
/// A module that replies; `None` is whoever coordinates.
type Sender = Option<String>;
fn sender(message: &Message) -> Sender {
    match message {
        Message::Reply(reply) => Some(reply.module.clone()),
        Message::Command(_) | Message::Outside(_) => None,
    }
}

impl Near {
    /// For a process with this clock.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self(Arc::new(Shared { local: LocalBus::new(clock), far: Mutex::default() }))
    }
    /// The bus that takes the short way where there is one, and otherwise goes over `far`.
    pub fn before(&self, far: Arc<dyn AnyBus>) -> NearBus {
        NearBus { near: Arc::clone(&self.0), far }
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

/// A bus behind the short way.
pub struct NearBus {
    near: Arc<Shared>,
    far: Arc<dyn AnyBus>,
}

/// A delivery says in the last bit of its tag which way it came.
const NEAR: u64 = 1;
fn came(near: u64, mut delivery: Delivery) -> Delivery {
    delivery.tag = delivery.tag << 1 | near;
    delivery
}

#[async_trait]
impl Onward for NearBus {
    fn behind(&self) -> &dyn AnyBus {
        &*self.far
    }
    async fn publish(&self, message: Message) -> Result<(), BusError> {
        // What comes from outside is in no log yet: it stays where it outlives this process.
        if matches!(message, Message::Outside(_)) {
            return self.far.publish(message).await;
        }
        self.near.far().senders.entry(sender(&message)).or_insert_with(|| Arc::clone(&self.far));
        match self.near.local.offer(message, NEAR_MAX) {
            Ok(()) => Ok(()),
            Err(message) => self.far.publish(message).await,
        }
    }
    async fn receive(&self, inbox: &Inbox, max: usize) -> Result<Vec<Delivery>, BusError> {
        if !self.near.far().receivers.contains_key(inbox) {
            self.near.far().receivers.insert(inbox.clone(), Arc::clone(&self.far));
        }
        let (mut far, near) = (self.far.receive(inbox, max), self.near.local.receive(inbox, max));
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
            self.near.local.settle(inbox, own_tags(near)).await?;
            told = if parks { self.near.keep_aside().await } else { Ok(()) };
        }
        if far.is_empty() { told } else { told.and(self.far.settle(inbox, own_tags(far)).await) }
    }
    async fn leave(&self, inbox: &Inbox) -> Result<(), BusError> {
        // What is not taken now is asked for again by whoever owns its saga.
        let sent = self.near.send_on(self.near.local.vacate(inbox)).await;
        self.far.leave(inbox).await.and(sent.map_err(|(why, _)| why))
    }
    async fn queued(&self, inbox: &Inbox) -> Result<u64, BusError> {
        // What is away holds up nobody here: what it has in line nobody can be handed either.
        Ok(self.near.local.queued(inbox).await? + self.far.queued(inbox).await.unwrap_or(0))
    }
    async fn tend(&self) {
        if let Err((why, left)) = self.near.send_on(self.near.local.take_old(NEAR_WITHIN)).await {
            tracing::warn!(%why, "what nobody here takes waits on, because the bus does not take it either");
            for message in left {
                // There is room: it was taken from there.
                let _full = self.near.local.publish(message).await;
            }
        }
        if let Err(why) = self.near.keep_aside().await {
            tracing::warn!(%why, "what was put aside is kept here until the bus takes it");
        }
        self.far.tend().await;
    }
}
