//! Reading events: the cursor belongs to the caller, the consumer at the broker is only a cache that is made anew
//! whenever it does not deliver exactly the next sequence. A gap is neither waited out nor skipped.
//!
//! Nothing is given that the owner's log does not have. An event whose chain continues the one before it is the
//! owner's, because no other module can make that link; every other event is read from the owner's log instead. A
//! message where that log has nothing yet is a phantom, and the reader waits until it is gone. A cursor belongs to one
//! incarnation of the stream: in a new one reading goes on at cursor + 1, once the owner has said that the cursor is a
//! place in its log.

use crate::api::Stored;
use crate::connect::{Account, Creates, pause_after};
use crate::dlq::Poison;
use crate::event::{self, Incoming};
use crate::headers::is_readable;
use crate::idle::IdleReaders;
use crate::pull::{Got, Pull, SILENT, place};
use crate::read_log::Owned;
use crate::readers::Given;
use crate::stray::{Content, Held};
use crate::subject::stream_of;
use crate::weed::UNREADABLE_HEADERS;
use crate::{Inner, lock};
use bytes::Bytes;
use saga_core::bus::BusError;
use saga_core::envelope::{Recorded, chain};
use saga_core::id::{EventId, Position};
use std::collections::VecDeque;
use std::sync::Arc;

/// 500 events in one pull: a page, held in memory.
const PULL: usize = 500;
/// 10,000 events put aside are remembered, so that they are put aside once.
const PARKED_MAX: usize = 10_000;

/// 400 ms at most between two questions whether a coordinator is there: a pause doubles from 50 ms.
const ALONE_MAX: u32 = 3;
/// After two failures without an event between them, perhaps it is an event that makes them.
const FAILURES_MAX: u32 = 2;
/// 100 events are then read one by one.
const BY_HAND: usize = 100;

/// One place in the events of a module.
pub(crate) struct Reader {
    pub(crate) module: String,
    /// What the caller has.
    pub(crate) cursor: u64,
    /// The sequence that must come next.
    next: u64,
    /// The chain of the event before it, where that is known and has one.
    link: Option<[u8; 32]>,
    /// When the stream was created that it reads.
    of: Option<String>,
    /// The owner has said that this is a place in its log, or nothing was read yet.
    sure: bool,
    /// The stream has something here that its owner does not have, yet or ever.
    held: Option<Held>,
    ready: VecDeque<Recorded>,
    pull: Option<Pull>,
    /// Something came since the pull was asked for.
    fed: bool,
    /// The last look found events that did not come.
    blind: bool,
    /// No coordinator has given a consumer.
    alone: bool,
    failures: u32,
}

/// Why there is no event.
enum Broken {
    /// It is tried again.
    Weather(String),
    /// The cursor is not a place in the owner's log.
    Astray(BusError),
}
impl From<String> for Broken {
    fn from(why: String) -> Self {
        Broken::Weather(why)
    }
}
fn weather(why: impl std::fmt::Display) -> Broken {
    Broken::Weather(why.to_string())
}

/// The chain before the first event.
const ORIGIN: [u8; 32] = [0; 32];
/// What a chain says; zeros are none.
fn link(chain: [u8; 32]) -> Option<[u8; 32]> {
    (chain != ORIGIN).then_some(chain)
}

/// A reader that is borrowed; a cancelled call puts it back as it is.
struct Borrowed {
    idle: Arc<IdleReaders>,
    reader: Option<Reader>,
}
impl Drop for Borrowed {
    fn drop(&mut self) {
        if let Some(reader) = self.reader.take() {
            self.idle.put(reader);
        }
    }
}

impl Inner {
    pub(crate) async fn events(&self, module: &str, after: u64, max: usize) -> Result<Vec<Recorded>, BusError> {
        let reader = self.idle.take(module, after).unwrap_or_else(|| Reader::at(module, after));
        let mut borrowed = Borrowed { idle: Arc::clone(&self.idle), reader: Some(reader) };
        // It is there until it is given back.
        let Some(reader) = borrowed.reader.as_mut() else { return Ok(Vec::new()) };
        self.progress.wants(&reader.name());
        while reader.ready.is_empty() {
            let Err(broken) = reader.turn(self).await else { continue };
            reader.pull = None;
            match broken {
                Broken::Astray(why) => return Err(why),
                Broken::Weather(why) => {
                    reader.failures += 1;
                    self.progress.trouble(&reader.name(), &why);
                    // A coordinator that has just come up is asked at once, by human standards.
                    pause_after(if reader.alone { reader.failures.min(ALONE_MAX) } else { reader.failures }).await;
                }
            }
        }
        let count = max.max(1).min(reader.ready.len());
        let events: Vec<Recorded> = reader.ready.drain(..count).collect();
        reader.cursor = events.last().and_then(event::sequence).unwrap_or(reader.cursor);
        Ok(events)
    }
    /// A process that only looks wants to see what there is, and puts nothing aside.
    fn reads_as_it_is(&self) -> bool {
        self.options.creates == Creates::Nothing
    }
}

impl Reader {
    fn at(module: &str, cursor: u64) -> Self {
        let (link, sure) = ((cursor == 0).then_some(ORIGIN), cursor == 0);
        Self {
            module: module.to_owned(),
            cursor,
            next: cursor + 1,
            link,
            of: None,
            sure,
            held: None,
            ready: VecDeque::new(),
            pull: None,
            fed: false,
            blind: false,
            alone: false,
            failures: 0,
        }
    }
    fn name(&self) -> String {
        format!("events of {}", self.module)
    }
    /// One step towards an event.
    async fn turn(&mut self, inner: &Inner) -> Result<(), Broken> {
        if let Some(held) = self.held.clone() {
            return self.hold(inner, &held).await;
        }
        let Some(pull) = self.pull.as_mut() else { return self.set_up(inner).await };
        if !pull.is_open() {
            self.fed = false;
            pull.ask(PULL, inner.options.look_every, inner.options.heartbeat).await?;
        }
        let got = pull.next().await;
        self.take(inner, got).await?;
        while let Some(got) = self.pull.as_mut().filter(|pull| pull.is_open()).and_then(Pull::here) {
            self.take(inner, got).await?;
        }
        Ok(())
    }
    async fn take(&mut self, inner: &Inner, got: Got) -> Result<(), Broken> {
        match got {
            Got::Broken(why) => return Err(weather(why)),
            Got::Silent => return Err(weather(SILENT)),
            // A consumer that was found to see nothing is well when it sees something.
            Got::Alive if self.blind => return Ok(()),
            Got::Alive => {}
            Got::Ended if self.fed => {}
            Got::Ended => {
                self.blind = true;
                self.look(inner).await?;
                self.blind = false;
            }
            Got::Message(message) => {
                let Some(place) = place(&message) else { return Err(weather("a message without a place")) };
                // A consumer that begins behind the end of its stream begins at the end on some servers.
                if place.seq < self.next {
                    return Ok(());
                }
                if place.seq > self.next && !self.close(inner, place.seq).await? {
                    return Ok(());
                }
                (self.fed, self.blind) = (true, false);
                if place.seq == self.next {
                    self.one(inner, &message, place.seq).await?;
                }
            }
        }
        self.failures = 0;
        inner.progress.sign(&self.name());
        Ok(())
    }
    /// A gap before `seq`, of the delivery or of the stream: the owner has what is missing. While the owner is away,
    /// the consumer is made anew, which helps if the gap was one of the delivery. Returns whether the gap is closed.
    async fn close(&mut self, inner: &Inner, seq: u64) -> Result<bool, Broken> {
        if inner.reads_as_it_is() {
            self.next = seq;
            return Ok(true);
        }
        let from = self.next;
        self.fetch(inner, seq - from).await?;
        if self.next == from {
            return Err(weather(format!("{seq} came where {from} was expected, and its owner does not have that")));
        }
        if self.next < seq {
            self.pull = None;
        }
        Ok(self.next >= seq)
    }
    async fn one(&mut self, inner: &Inner, message: &async_nats::Message, seq: u64) -> Result<(), Broken> {
        let (headers, body) = (message.headers.as_ref(), &message.payload);
        let subject = message.subject.as_str();
        self.content(inner, Content { subject, headers, raw: &[], body }, seq).await
    }
    async fn content(&mut self, inner: &Inner, content: Content<'_>, seq: u64) -> Result<(), Broken> {
        let decoded = match content.raw.is_empty() {
            true => event::decode(&self.module, seq, content.headers, content.body).map_err(|why| why.to_string()),
            false => Err(UNREADABLE_HEADERS.to_owned()),
        };
        let as_it_is = inner.reads_as_it_is();
        let (found, why) = match decoded {
            Ok(Incoming::Event(event)) if as_it_is || self.continues(seq, &event) => {
                self.give(*event);
                return Ok(());
            }
            Ok(Incoming::Event(event)) => (Some(event.id), None),
            Ok(Incoming::Claim(_)) => (None, None),
            Err(_) if as_it_is => {
                self.next = seq + 1;
                return Ok(());
            }
            Err(why) => (None, Some(why)),
        };
        if let Some(why) = &why {
            self.park(inner, &content, seq, why).await?;
        }
        let owned = self.fetch(inner, PULL as u64).await?;
        match (owned.first, owned.unreadable) {
            (Some(first), _) => {
                if why.is_some() || found.is_some_and(|found| found != first) {
                    let of = self.of.clone().unwrap_or_default();
                    let says = format!("is not what its owner's log has there; it {}", content.says(found));
                    inner.strange.note(&self.module, of, seq, &says);
                }
            }
            // The owner says that the event is its own, and it cannot be read: poison, which blocks nobody.
            (None, Some(unreadable)) => {
                if why.is_none() {
                    self.park(inner, &content, seq, &unreadable).await?;
                }
                (self.next, self.link) = (seq + 1, None);
            }
            (None, None) => {
                let held = Held { seq, says: content.says(found) };
                let phantom = self.phantom(inner, &held, owned.head);
                self.held = Some(held);
                return Err(phantom);
            }
        }
        Ok(())
    }
    /// Whether this is the next event of the log that was read so far. The chain counts in positions of the log, which are
    /// its public sequences as long as nothing of it is private; where something is, its owner is asked.
    fn continues(&self, seq: u64, event: &Recorded) -> bool {
        self.link.is_some_and(|link| chain(&link, Position(seq), &event.digest()) == event.chain)
    }
    fn give(&mut self, event: Recorded) {
        (self.next, self.link) = (event.position.0 + 1, link(event.chain));
        self.ready.push_back(event);
    }
    /// The stream has something that its owner does not have: nothing is read before the owner has an event there, or
    /// the stream is a new one.
    async fn hold(&mut self, inner: &Inner, held: &Held) -> Result<(), Broken> {
        let info = inner.api.stream(&stream_of(&self.module), None).await.map_err(weather)?;
        if info.is_none_or(|info| Some(info.created) != self.of) {
            self.held = None;
            return Ok(());
        }
        let owned = self.fetch(inner, PULL as u64).await?;
        if owned.first.is_none() {
            return Err(self.phantom(inner, held, owned.head));
        }
        self.held = None;
        Ok(())
    }
    fn phantom(&self, inner: &Inner, Held { seq, says }: &Held, head: u64) -> Broken {
        let (seq, says) = (*seq, format!("is not its owner's: the owner's log ends at {head}; it {says}"));
        weather(inner.strange.note(&self.module, self.of.clone().unwrap_or_default(), seq, &says))
    }
    /// Reads a few events without a consumer: among them may be one that ends the connection of its receiver.
    async fn by_hand(&mut self, inner: &Inner, stream: &str) -> Result<(), Broken> {
        for _ in 0..BY_HAND {
            let stored = inner.api.message(stream, self.next).await.map_err(weather)?;
            let Some(Stored { seq, subject, headers, raw, body }) = stored else { return Ok(()) };
            let raw = if is_readable(&raw) { &[][..] } else { &raw };
            let content = Content { subject: &subject, headers: Some(&headers), raw, body: &Bytes::from(body) };
            self.content(inner, content, seq).await?;
            self.failures = 0;
        }
        Ok(())
    }
    async fn park(&self, inner: &Inner, content: &Content<'_>, seq: u64, reason: &str) -> Result<(), Broken> {
        // A new stream counts from one again: the message there is another one.
        let key = (format!("{} {}", self.module, self.of.as_deref().unwrap_or_default()), seq);
        if lock(&inner.parked).contains(&key) {
            return Ok(());
        }
        let poison = Poison {
            // Nobody writes among the dead letters of another account.
            module: match &inner.options.account {
                Account::Own(reader) => reader,
                Account::Shared | Account::Coordinators => &self.module,
            },
            stream: &stream_of(&self.module),
            // One letter, however many readers of ours find it.
            consumer: "events",
            subject: content.subject,
            seq,
            times: 1,
            reason,
            headers: content.headers.filter(|_| content.raw.is_empty()),
            raw: content.raw,
            body: content.body.clone(),
        };
        inner.park(&poison).await.map_err(weather)?;
        let mut parked = lock(&inner.parked);
        parked.insert(key);
        if parked.len() > PARKED_MAX {
            parked.pop_first();
        }
        Ok(())
    }
    /// Gets the next events from their owner, as many as it gives at once.
    async fn fetch(&mut self, inner: &Inner, wanted: u64) -> Result<Fetched, Broken> {
        let owned =
            inner.read_log(&self.module, self.next - 1, usize::try_from(wanted).unwrap_or(PULL).min(PULL)).await;
        let Owned { events, head, unreadable } =
            owned.map_err(|why| weather(format!("{} from its owner: {why}", self.next)))?;
        let first = events.first().map(|event| event.id);
        events.into_iter().for_each(|event| self.give(event));
        Ok(Fetched { first, head, unreadable })
    }
    /// Makes a consumer that begins where this reader goes on; what the stream does not have any more is fetched first.
    async fn set_up(&mut self, inner: &Inner) -> Result<(), Broken> {
        let stream = stream_of(&self.module);
        let info = inner.api.stream(&stream, None).await.map_err(weather)?;
        let Some(info) = info else { return Err(weather(format!("stream {stream} is missing"))) };
        self.is_of(&info.created);
        inner.strange.forget(&self.module, &info.created);
        if !self.sure && !inner.reads_as_it_is() {
            self.stands(inner).await?;
        }
        if info.first > self.next && info.last >= self.next {
            let wanted = info.first - self.next;
            return self.close(inner, self.next + wanted).await.map(drop);
        }
        if self.failures >= FAILURES_MAX {
            self.by_hand(inner, &stream).await?;
            if !self.ready.is_empty() {
                return Ok(());
            }
        }
        match inner.consumer_from(&self.module, self.next).await? {
            Given::Consumer(consumer) => {
                self.pull = Some(Pull::open(&inner.api, &stream, &consumer).await?);
                if std::mem::take(&mut self.alone) {
                    self.failures = 0;
                    inner.progress.sign(&self.name());
                }
                inner.progress.begins(&self.name());
            }
            // Events that are there already come out of the owner's log meanwhile.
            Given::Nobody(_) if info.last >= self.next => {
                let last = info.last + 1;
                self.close(inner, last).await?;
            }
            Given::Nobody(why) => {
                self.alone = true;
                return Err(weather(format!("no coordinator gives a consumer: {why}")));
            }
        }
        Ok(())
    }
    /// The stream was created at this time. In a new one reading goes on behind what the caller has, whatever was passed by
    /// in the one before.
    fn is_of(&mut self, created: &str) {
        if self.of.as_deref().is_some_and(|of| of != created) {
            if self.next != self.cursor + 1 {
                self.link = None;
            }
            self.ready.clear();
            self.next = self.cursor + 1;
            self.sure = self.cursor == 0;
            if self.sure {
                self.link = Some(ORIGIN);
            }
        }
        self.of = Some(created.to_owned());
    }
    /// Asks the owner whether its log has the event that was read last.
    async fn stands(&mut self, inner: &Inner) -> Result<(), Broken> {
        let standing = inner.standing(&self.module, self.cursor).await.map_err(weather)?;
        let theirs = link(standing.chain);
        let same = self.link.zip(theirs).is_none_or(|(ours, theirs)| ours == theirs);
        if let Some(astray) = standing.astray(&self.module, self.cursor, |_| same) {
            return Err(Broken::Astray(astray));
        }
        (self.link, self.sure) = (theirs, true);
        Ok(())
    }
    /// After a wait that brought nothing: is there really nothing?
    async fn look(&mut self, inner: &Inner) -> Result<(), Broken> {
        let info = inner.api.stream(&stream_of(&self.module), None).await.map_err(weather)?;
        match info {
            Some(info) if Some(&info.created) != self.of.as_ref() => Err(weather("the stream is a new one")),
            Some(info) if info.last < self.next => Ok(()),
            Some(info) => Err(weather(format!("nothing came, and the stream has events up to {}", info.last))),
            None => Err(weather("the stream is missing")),
        }
    }
}

/// What an owner gave.
struct Fetched {
    first: Option<EventId>,
    head: u64,
    unreadable: Option<String>,
}
