//! Receives and settles commands, replies and outside events.
//!
//! Messages are pulled on demand, as many as there is room for: each is worked on at once, so that its deliveries count
//! its tries. One open pull serves many messages. State outlives a cancelled call; a consumer that leaves gives back
//! what was handed out. Nothing ends silently: every failure is shown, and what failed is set up anew.

use crate::connect::{Account, pause_after};
use crate::dlq::{Poison, owner};
use crate::message;
use crate::pull::{Got, Place, Pull, SILENT, place};
use crate::subject::Replies;
use crate::topology::{self, Wanted};
use crate::{Inner, lock};
use bytes::Bytes;
use saga_core::bus::{BusError, CommandMessage, Delivery, Inbox, Message, Settle};
use serde_json::json;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use tokio::time::Instant;

/// A delivery neither settled nor delivered again within four times its time is another process's now.
const FORGOTTEN_AFTER: u32 = 4;
/// Old entries are removed every 1,024 deliveries: rarely enough to cost nothing.
const TIDY_EVERY: u64 = 1_024;
/// After two pulls that broke, perhaps it is a message that breaks them.
const BREAKS_MAX: u32 = 2;
/// Three pulls without a sign of life, 15 s: servers 2.9 may keep a dead consumer, whose stream was lost and made anew.
const SILENT_MAX: u32 = 3;

/// What was handed out and not settled.
struct Held {
    seq: u64,
    times: u32,
    at: Instant,
    raw: Arc<async_nats::Message>,
}
#[derive(Default)]
struct Open {
    tags: BTreeMap<u64, Held>,
    next: u64,
}

/// Old replies are received at a receiver of their own: a delivery says in the last bit of its tag from which it came.
const SHARED: u64 = 1;
/// Why a reply is put aside that nobody can have proven.
const NOT_OWN: &str = "it came on the subject that all modules share, which proves nothing: older processes are \
                       believed only with bus.older_processes = true";

/// Where the messages of one inbox are received.
pub(crate) struct Receiver {
    inbox: Inbox,
    replies: Replies,
    wanted: Wanted,
    work: tokio::sync::Mutex<Work>,
    open: Mutex<Open>,
}

/// Where a consumer stood (delivered, settled) when it did not see what is there.
pub(crate) type Starving = Option<(u64, u64)>;

/// What survives a cancelled call.
#[derive(Default)]
struct Work {
    pull: Option<Pull>,
    /// Something came since the pull was asked for.
    fed: bool,
    ready: VecDeque<Delivery>,
    /// Received, and to be put aside before anything else.
    poison: VecDeque<(Arc<async_nats::Message>, Place, String)>,
    failures: u32,
    /// How often a pull broke since the messages were last checked without the client.
    breaks: u32,
    /// How many pulls in a row had no sign of life.
    silent: u32,
    /// The last look found it missing, or blind.
    blind: bool,
    /// The consumer was there once: if it is not now, it was deleted.
    known: bool,
    starving: Starving,
}

/// The consumer of an inbox, where it is one of replies of the replies of one kind.
pub(crate) fn wanted(inner: &Inner, inbox: &Inbox, replies: Replies) -> Wanted {
    let settings = inner.options.settings();
    match inbox {
        Inbox::Commands(module) => topology::commands_of(&inner.subjects, module, &settings),
        Inbox::Replies(group) => topology::replies_of(&inner.subjects, *group, replies, &settings),
        Inbox::Outside => topology::outside(&inner.subjects, &settings),
    }
}

impl Inner {
    fn receiver(&self, inbox: &Inbox, replies: Replies) -> Arc<Receiver> {
        let mut receivers = lock(&self.receivers);
        let key = (inbox.clone(), replies == Replies::Shared);
        if let Some(receiver) = receivers.get(&key) {
            return Arc::clone(receiver);
        }
        let receiver = Arc::new(Receiver {
            inbox: inbox.clone(),
            replies,
            wanted: wanted(self, inbox, replies),
            work: tokio::sync::Mutex::default(),
            open: Mutex::default(),
        });
        receivers.insert(key, Arc::clone(&receiver));
        receiver
    }
    pub(crate) fn has_two_receivers(&self, inbox: &Inbox) -> bool {
        matches!(inbox, Inbox::Replies(_)) && self.options.settings().shared_replies
    }
    pub(crate) async fn receive(&self, inbox: &Inbox, max: usize) -> Result<Vec<Delivery>, BusError> {
        let own = self.receiver(inbox, Replies::Own);
        let (mut got, bit) = match self.has_two_receivers(inbox) {
            false => (Box::pin(self.receive_at(&own, max)).await?, 0),
            true => {
                let shared = self.receiver(inbox, Replies::Shared);
                tokio::select! {
                    got = Box::pin(self.receive_at(&own, max)) => (got?, 0),
                    got = Box::pin(self.receive_at(&shared, max)) => (got?, SHARED),
                }
            }
        };
        got.iter_mut().for_each(|delivery| delivery.tag = delivery.tag << 1 | bit);
        Ok(got)
    }
    async fn receive_at(&self, receiver: &Arc<Receiver>, max: usize) -> Result<Vec<Delivery>, BusError> {
        let mut work = receiver.work.lock().await;
        self.progress.wants(&receiver.name());
        loop {
            if !work.ready.is_empty() {
                let count = max.max(1).min(work.ready.len());
                return Ok(work.ready.drain(..count).collect());
            }
            match receiver.turn(self, &mut work, max.max(1)).await {
                Ok(()) => {}
                Err(why) => {
                    work.pull = None;
                    work.failures += 1;
                    work.breaks += 1;
                    self.progress.trouble(&receiver.name(), &why);
                    pause_after(work.failures).await;
                }
            }
        }
    }
    pub(crate) async fn settle(&self, inbox: &Inbox, settled: Vec<(u64, Settle)>) -> Result<(), BusError> {
        for (tag, how) in settled {
            let replies = if tag & SHARED == SHARED { Replies::Shared } else { Replies::Own };
            let (receiver, tag) = (self.receiver(inbox, replies), tag >> 1);
            let Some(held) = receiver.close(tag) else { continue };
            if let Err(why) = receiver.settle(self, &held, &how).await {
                // Not settled: it can be tried again under the same tag.
                lock(&receiver.open).tags.insert(tag, held);
                return Err(why);
            }
        }
        Ok(())
    }
    pub(crate) async fn leave(&self, inbox: &Inbox) -> Result<(), BusError> {
        self.leave_receiver(&self.receiver(inbox, Replies::Own)).await?;
        if self.has_two_receivers(inbox) {
            self.leave_receiver(&self.receiver(inbox, Replies::Shared)).await?;
        }
        Ok(())
    }
    async fn leave_receiver(&self, receiver: &Receiver) -> Result<(), BusError> {
        let mut work = std::mem::take(&mut *receiver.work.lock().await);
        if let Some(pull) = work.pull.take() {
            for message in pull.stop(self.options.answer_within).await {
                receiver.give_back(self, &message).await?;
            }
        }
        let held = std::mem::take(&mut lock(&receiver.open).tags);
        for held in held.into_values() {
            receiver.give_back(self, &held.raw).await?;
        }
        for (raw, ..) in work.poison {
            receiver.give_back(self, &raw).await?;
        }
        Ok(())
    }
}

impl Inner {
    /// Compares consumer and stream, and makes the consumer anew if it is ahead of its stream (the stream was lost or
    /// restored) or does not see what is there, and has not moved since the last look found the same: between two
    /// questions messages come and go. `false` says that it did.
    pub(crate) async fn agree(&self, wanted: &Wanted, starving: &mut Starving) -> Result<bool, String> {
        let (stream, name) = (&wanted.stream, wanted.consumer.as_deref().unwrap_or_default());
        // In this order: the stream only grows, so a consumer that was asked first cannot be ahead of it by chance.
        let consumer = self.api.consumer(stream, name).await.map_err(|why| why.to_string())?;
        let Some(consumer) = consumer else { return Err("the consumer is missing".to_owned()) };
        let filter = wanted.fields.get("filter_subject").and_then(|filter| filter.as_str());
        let found = self.api.stream(stream, filter).await.map_err(|why| why.to_string())?;
        let Some(found) = found else { return Err("the stream is missing".to_owned()) };
        let (last, matching) = (found.last, found.matching());
        let ahead = consumer.delivered > last;
        let blind = (matching > consumer.open).then_some((consumer.delivered, consumer.settled));
        let starves = blind.is_some() && *starving == blind;
        *starving = blind;
        if !ahead && !starves {
            return Ok(true);
        }
        let (delivered, open) = (consumer.delivered, consumer.open);
        tracing::error!(consumer = name, delivered, last, matching, open, "consumer and stream disagree; made anew");
        *starving = None;
        self.api.delete_consumer(stream, name).await.map_err(|why| why.to_string())?;
        wanted.ensure(&self.api, self.options.repair).await.map_err(|why| why.to_string())?;
        Ok(false)
    }
    /// Remembers where a coordinator group wants the replies of a module: where it asked last.
    fn wants_reply(&self, command: &CommandMessage, replies: Replies) {
        lock(&self.wishes).insert((command.module.clone(), command.reply_to), replies);
    }
    /// Where replies are heard by everybody who may take part.
    fn asks_for(&self) -> Replies {
        if self.options.believes_older() { Replies::Shared } else { Replies::Own }
    }
    /// Where a message has its reply, or wants it.
    pub(crate) fn replies_of(&self, message: &Message) -> Replies {
        match message {
            Message::Reply(reply) => {
                // This process never asked for a reply that another coordinator hands on to its group.
                lock(&self.wishes).get(&(reply.module.clone(), reply.group)).copied().unwrap_or_else(|| self.asks_for())
            }
            Message::Command(_) => self.asks_for(),
            Message::Outside(_) => Replies::Own,
        }
    }
}

impl Receiver {
    async fn give_back(&self, inner: &Inner, raw: &async_nats::Message) -> Result<(), BusError> {
        self.say(inner, raw, Bytes::from_static(b"-NAK")).await
    }
    fn name(&self) -> String {
        self.wanted.consumer.clone().unwrap_or_default()
    }
    /// One step towards a message: put poison aside, set up, ask, or wait.
    async fn turn(&self, inner: &Inner, work: &mut Work, max: usize) -> Result<(), String> {
        while let Some((raw, place, reason)) = work.poison.front().cloned() {
            self.park(inner, &raw, place, &reason).await.map_err(|why| why.to_string())?;
            work.poison.pop_front();
        }
        let Some(pull) = work.pull.as_mut() else {
            self.set_up(inner, work).await?;
            let consumer = self.name();
            work.pull = Some(Pull::open(&inner.api, &self.wanted.stream, &consumer).await?);
            inner.progress.begins(&consumer);
            return Ok(());
        };
        if !pull.is_open() {
            work.fed = false;
            pull.ask(max, inner.options.look_every, inner.options.heartbeat).await?;
        }
        let got = pull.next().await;
        let ended = matches!(got, Got::Ended);
        self.take(inner, work, got)?;
        // Whatever came with it is taken in one go.
        while let Some(got) = work.pull.as_mut().filter(|pull| pull.is_open()).and_then(Pull::here) {
            self.take(inner, work, got)?;
        }
        if ended && !work.fed {
            work.blind = true;
            self.look(inner, work).await?;
            work.blind = false;
            inner.progress.sign(&self.name());
        }
        Ok(())
    }
    fn take(&self, inner: &Inner, work: &mut Work, got: Got) -> Result<(), String> {
        let silent = std::mem::take(&mut work.silent);
        match got {
            Got::Broken(why) => return Err(why),
            Got::Silent => {
                work.silent = silent + 1;
                return Err(SILENT.to_owned());
            }
            // A consumer that was found to see nothing is well when it sees something.
            Got::Alive | Got::Ended if work.blind => return Ok(()),
            Got::Alive | Got::Ended => {}
            Got::Message(message) => {
                let Some(place) = place(&message) else { return Err("a message without a place".to_owned()) };
                (work.fed, work.blind) = (true, false);
                self.sort(inner, work, *message, place);
            }
        }
        work.failures = 0;
        inner.progress.sign(&self.name());
        Ok(())
    }
    /// Hands a message out, or puts it with the poison.
    fn sort(&self, inner: &Inner, work: &mut Work, raw: async_nats::Message, place: Place) {
        let raw = Arc::new(raw);
        let most = inner.options.deliveries_max;
        if place.times > most {
            let reason = format!("delivered {most} times and never settled");
            return work.poison.push_back((raw, Place { times: most, ..place }, reason));
        }
        let read =
            message::decode(&inner.subjects, &self.inbox, raw.subject.as_str(), raw.headers.as_ref(), &raw.payload);
        match read {
            Ok(_) if self.replies == Replies::Shared && !inner.options.believes_older() => {
                work.poison.push_back((raw, place, NOT_OWN.to_owned()));
            }
            Ok((message, replies)) => {
                if let Message::Command(command) = &message {
                    inner.wants_reply(command, replies);
                }
                let tag = self.open(inner, raw, place);
                work.ready.push_back(Delivery { tag, times: place.times, message });
            }
            Err(why) => work.poison.push_back((raw, place, why.to_string())),
        }
    }
    fn open(&self, inner: &Inner, raw: Arc<async_nats::Message>, place: Place) -> u64 {
        let mut open = lock(&self.open);
        open.next += 1;
        let tag = open.next;
        let (seq, times) = (place.seq, place.times);
        open.tags.insert(tag, Held { seq, times, at: Instant::now(), raw });
        if tag.is_multiple_of(TIDY_EVERY) {
            let old = inner.options.ack_wait * FORGOTTEN_AFTER;
            open.tags.retain(|_, held| held.at.elapsed() < old);
        }
        tag
    }
    /// Takes a tag, and with it those of earlier deliveries of the same message.
    fn close(&self, tag: u64) -> Option<Held> {
        let mut open = lock(&self.open);
        let held = open.tags.remove(&tag)?;
        open.tags.retain(|_, other| other.seq != held.seq);
        Some(held)
    }
    async fn settle(&self, inner: &Inner, held: &Held, how: &Settle) -> Result<(), BusError> {
        match how {
            Settle::Done => self.say(inner, &held.raw, Bytes::from_static(b"+ACK")).await,
            Settle::Later(pause) => {
                let delay = u64::try_from(pause.as_nanos()).unwrap_or(u64::MAX);
                self.say(inner, &held.raw, format!("-NAK {}", json!({ "delay": delay })).into()).await
            }
            Settle::Park(reason) => {
                self.park(inner, &held.raw, Place { seq: held.seq, times: held.times }, reason).await
            }
        }
    }
    async fn park(&self, inner: &Inner, raw: &async_nats::Message, place: Place, reason: &str) -> Result<(), BusError> {
        let poison = Poison {
            module: owner(&self.inbox),
            stream: &self.wanted.stream,
            consumer: &self.name(),
            subject: raw.subject.as_str(),
            seq: place.seq,
            times: place.times,
            reason,
            headers: raw.headers.as_ref(),
            raw: &[],
            body: raw.payload.clone(),
        };
        inner.park(&poison).await?;
        self.say(inner, raw, Bytes::from_static(b"+TERM")).await
    }
    async fn say(&self, inner: &Inner, raw: &async_nats::Message, word: Bytes) -> Result<(), BusError> {
        let Some(reply) = raw.reply.clone() else { return Ok(()) };
        let said = tokio::time::timeout(inner.options.answer_within, inner.link.client().publish(reply, word)).await;
        let said = said.map_err(|_| BusError::Unavailable("no connection to the broker".to_owned()))?;
        said.map_err(|why| BusError::Unavailable(why.to_string()))
    }
    /// Makes sure that stream and consumer are there and agree with each other.
    async fn set_up(&self, inner: &Inner, work: &mut Work) -> Result<(), String> {
        if matches!(inner.options.account, Account::Own(_)) {
            return self.wanted.look(&inner.api).await.map_err(|why| why.to_string());
        }
        if work.silent >= SILENT_MAX {
            tracing::error!("{} gives no sign of life; what it has not settled comes again", self.wanted.name());
            inner.api.delete_consumer(&self.wanted.stream, &self.name()).await.map_err(|why| why.to_string())?;
            work.silent = 0;
        }
        let ensured = match self.wanted.ensure(&inner.api, inner.options.repair).await {
            Err(topology::TopologyError::Unavailable(why)) => {
                if inner.api.stream(&self.wanted.stream, None).await.map_err(|why| why.to_string())?.is_some() {
                    return Err(why);
                }
                inner.recreate(&self.wanted.stream).await.map_err(|why| why.to_string())?;
                self.wanted.ensure(&inner.api, inner.options.repair).await
            }
            ensured => ensured,
        };
        if ensured.map_err(|why| why.to_string())? && work.known {
            tracing::error!("{} was missing and was created anew", self.wanted.name());
            inner.link.lost();
        }
        work.known = true;
        if work.breaks >= BREAKS_MAX {
            work.breaks = 0;
            if let Err(why) = inner.weed(&self.wanted, owner(&self.inbox)).await {
                // Modules have commands from coordinators only, and may not look: it goes on as before.
                tracing::warn!(consumer = self.name(), %why, "messages cannot be looked at now");
            }
        }
        self.agree(inner, work).await.map(drop)
    }
    /// After a wait that brought nothing: is there really nothing?
    async fn look(&self, inner: &Inner, work: &mut Work) -> Result<(), String> {
        if matches!(inner.options.account, Account::Own(_)) {
            return self.wanted.look(&inner.api).await.map_err(|why| why.to_string());
        }
        match self.agree(inner, work).await? {
            true => Ok(()),
            false => Err("the consumer was set up anew".to_owned()),
        }
    }
    async fn agree(&self, inner: &Inner, work: &mut Work) -> Result<bool, String> {
        inner.agree(&self.wanted, &mut work.starving).await
    }
}
