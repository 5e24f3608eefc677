//! The ports of a bus on [`Nats`].

use crate::accounts::{API, OPERATOR};
use crate::connect::Account;
use crate::dlq::FROM_OUTSIDE;
use crate::event::id_of;
use crate::message::ORCHESTRATION;
use crate::stray::Seen;
use crate::subject::{COMMANDS, DEAD, OUTSIDE, REPLIES, Replies, stream_of};
use crate::{Nats, message, now, read_log};
use async_trait::async_trait;
use saga_core::bus::{
    Answerer, Aside, Bus, BusError, Calls, DeadLetters, Delivery, Dropped, EventBus, Inbox, Line, Message, Served,
    Settle, Standing, Tip, Traffic,
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
}

#[async_trait]
impl Traffic for Nats {
    async fn queued(&self, inbox: &Inbox) -> Result<u64, BusError> {
        let shared = self.inner.has_two_receivers(inbox).then_some(Replies::Shared);
        let mut queued = 0;
        for replies in std::iter::once(Replies::Own).chain(shared) {
            let wanted = crate::consume::wanted(&self.inner, inbox, replies);
            let Some(consumer) = wanted.consumer else { continue };
            // Where the broker has lost what it had, what stands in line is not known until it is made anew.
            let found = self.inner.api.consumer(&wanted.stream, &consumer).await?;
            let known =
                found.ok_or_else(|| BusError::Unavailable(format!("{} has no consumer {consumer}", wanted.stream)))?;
            queued += known.queued;
        }
        Ok(queued)
    }
    async fn served(&self, inbox: &Inbox) -> Result<Served, BusError> {
        let wanted = crate::consume::wanted(&self.inner, inbox, Replies::Own);
        let consumer = wanted.consumer.unwrap_or_default();
        let found = self.inner.api.consumer(&wanted.stream, &consumer).await?;
        let found =
            found.ok_or_else(|| BusError::Unavailable(format!("{} has no consumer {consumer}", wanted.stream)))?;
        Ok(Served { queued: found.queued, under_way: found.open - found.queued, takers: found.pulls })
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
}

#[async_trait]
impl DeadLetters for Nats {
    async fn put_aside(&self, aside: Aside) -> Result<(), BusError> {
        self.inner.put_aside(&aside).await
    }
    fn letters_at(&self, module: &str) -> String {
        let mut subject = self.inner.subjects.dead(module);
        if [ORCHESTRATION, FROM_OUTSIDE].contains(&module) {
            subject.push_str(".>");
        }
        match self.inner.options.account {
            Account::Shared => format!("nats stream view {DEAD} --subject {subject}"),
            // In an account of its own nobody makes a consumer that delivers: each letter is asked for.
            Account::Coordinators | Account::Own(_) => format!(
                "nats --user {OPERATOR} request {API}.STREAM.MSG.GET.{DEAD} '{{\"seq\":1,\"next_by_subj\":\"{subject}\"}}', headers and \
                 body in base64, and again with the seq of the answer and one more"
            ),
        }
    }
    async fn aside_count(&self, module: &str) -> Result<u64, BusError> {
        if let Account::Own(name) = &self.inner.options.account {
            // It would be waited for an answer that never comes.
            return Err(BusError::Refused(format!(
                "the account of {name} may not look at letters; coordinators count them"
            )));
        }
        Ok(self.inner.letters(module).await?.values().sum())
    }
    async fn dropped(&self) -> Result<Option<Dropped>, BusError> {
        match &self.inner.options.account {
            // It may not look; coordinators tell it.
            Account::Own(_) => Ok(None),
            Account::Shared | Account::Coordinators => self.inner.dropped().await,
        }
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
    /// What answers `ReadLog` for a module, and the line it belongs to: the process that relays a module serves this,
    /// so that readers get events that are too large for the stream, or too old for it.
    pub fn log_answerer(&self, module: &str, store: SharedStore) -> (Line, Answerer) {
        (read_log::line(module), read_log::answerer(self.inner.subjects.clone(), module, store))
    }
    /// Takes what is too large for a module's stream, or too old for it, out of this store, and asks no process for it:
    /// for checks of a system that does not run.
    pub fn read_itself(&self, module: &str, store: SharedStore) {
        crate::lock(&self.inner.logs).insert(module.to_owned(), store);
    }
}
