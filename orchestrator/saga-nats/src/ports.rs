//! The three ports of a bus on [`Nats`].

use crate::event::id_of;
use crate::stray::Seen;
use crate::subject::{COMMANDS, DEAD, OUTSIDE, REPLIES, Replies, stream_of};
use crate::{Nats, message, now, read_log};
use async_trait::async_trait;
use saga_core::bus::{
    Answerer, Aside, Bus, BusError, Calls, Delivery, EventBus, Inbox, Line, Message, Settle, Standing, Tip,
};
use saga_core::envelope::Recorded;
use saga_core::json::Payload;
use saga_core::outcome::Refused;
use saga_core::ports::SharedStore;
use std::ops::RangeInclusive;
use std::time::Duration;

#[async_trait]
impl Bus for Nats {
    async fn publish(&self, message: Message) -> Result<(), BusError> {
        let inner = &self.inner;
        let stream = match &message {
            Message::Command(_) => COMMANDS,
            Message::Outside(_) => OUTSIDE,
            Message::Reply(_) => REPLIES,
        };
        let out = message::encode(&inner.subjects, &message, inner.replies_of(&message), now());
        let out = out.map_err(|why| BusError::Unavailable(format!("cannot be written: {why}")))?;
        inner.publish_one(stream, &out).await.map(drop)
    }
    async fn receive(&self, inbox: &Inbox, max: usize) -> Result<Vec<Delivery>, BusError> {
        self.inner.receive(inbox, max).await
    }
    async fn settle(&self, inbox: &Inbox, settled: Vec<(u64, Settle)>) -> Result<(), BusError> {
        self.inner.settle(inbox, settled).await
    }
    async fn leave(&self, inbox: &Inbox) -> Result<(), BusError> {
        self.inner.leave(inbox).await
    }
    async fn queued(&self, inbox: &Inbox) -> Result<u64, BusError> {
        let shared = self.inner.has_two_desks(inbox).then_some(Replies::Shared);
        let mut queued = 0;
        for replies in std::iter::once(Replies::Own).chain(shared) {
            let wanted = crate::consume::wanted(&self.inner, inbox, replies);
            let Some(consumer) = wanted.consumer else { continue };
            queued += self.inner.api.consumer(&wanted.stream, &consumer).await?.map_or(0, |info| info.queued);
        }
        Ok(queued)
    }
    fn is_deaf(&self, _: &Inbox) -> bool {
        !self.inner.link.is_up()
    }
    async fn lost(&self, seen: u64) -> u64 {
        let mut losses = self.inner.link.losses();
        let times = losses.wait_for(|times| *times > seen).await.map(|times| *times);
        match times {
            Ok(times) => times,
            // The connection has ended with its last clone; nobody can be waiting then.
            Err(_) => std::future::pending().await,
        }
    }
    async fn put_aside(&self, aside: Aside) -> Result<(), BusError> {
        self.inner.put_aside(&aside).await
    }
    async fn aside_count(&self, module: &str) -> Result<u64, BusError> {
        let subject = self.inner.subjects.dead(module);
        Ok(self.inner.api.stream(DEAD, Some(&subject)).await?.map_or(0, |info| info.matching))
    }
    async fn aside(&self, module: &str, limit: usize) -> Result<Vec<Aside>, BusError> {
        self.inner.aside(module, limit).await
    }
}

#[async_trait]
impl EventBus for Nats {
    async fn publish_events(&self, module: &str, events: &[Recorded]) -> Result<u64, BusError> {
        self.inner.publish_events(module, events).await
    }
    async fn tip(&self, module: &str) -> Result<Tip, BusError> {
        let (inner, stream) = (&self.inner, stream_of(module));
        let Some(info) = inner.api.stream(&stream, None).await? else {
            inner.recreate(&stream).await?;
            return Ok(Tip::default());
        };
        if info.last == 0 {
            return Ok(Tip::default());
        }
        let Some(last) = inner.api.message(&stream, info.last).await? else {
            // Servers 2.9 may not find for a moment what they have just stored. Where limits took the last event too,
            // nothing says that it was ours; either way nobody knows, and nothing is concluded from it.
            let why = format!("the last event of {module}, sequence {}, cannot be read", info.last);
            return Err(BusError::Unavailable(why));
        };
        let id = id_of(&inner.subjects, module, info.last, &last.subject, &last.headers);
        let strange = if id.is_none() { Seen::stored(&last).says() } else { String::new() };
        Ok(Tip { seq: info.last, id, strange })
    }
    async fn events(&self, module: &str, after: u64, max: usize) -> Result<Vec<Recorded>, BusError> {
        self.inner.events(module, after, max).await
    }
    async fn owner_head(&self, module: &str) -> Result<u64, BusError> {
        self.inner.log_head(module).await
    }
    async fn standing(&self, module: &str, seq: u64) -> Result<Standing, BusError> {
        self.inner.standing(module, seq).await
    }
    async fn missing(&self, module: &str, head: u64) -> Result<Vec<RangeInclusive<u64>>, BusError> {
        let last = self.inner.api.stream(&stream_of(module), None).await?.map_or(0, |info| info.last);
        Ok(if last < head { vec![last + 1..=head] } else { Vec::new() })
    }
}

#[async_trait]
impl Calls for Nats {
    async fn serve(&self, lines: Vec<(Line, Answerer)>) -> Result<(), BusError> {
        self.inner.serve(lines).await
    }
    async fn call(
        &self,
        line: &Line,
        question: &Payload,
        patience: Duration,
    ) -> Result<Result<Payload, Refused>, BusError> {
        self.inner.call(line, question, patience).await
    }
}

impl Nats {
    /// What answers `ReadLog` for a module, and the line it belongs to: whoever relays a module serves this, so that
    /// readers get what is too large for the stream, or too old for it.
    pub fn log_answerer(&self, module: &str, store: SharedStore) -> (Line, Answerer) {
        (read_log::line(module), read_log::answerer(self.inner.subjects.clone(), module, store))
    }
    /// Takes what is too large for a module's stream, or too old for it, out of this store, and asks nobody for it: for
    /// whoever checks a system that does not run.
    pub fn read_itself(&self, module: &str, store: SharedStore) {
        crate::lock(&self.inner.logs).insert(module.to_owned(), store);
    }
}
