//! Reading events: the cursor belongs to the caller, the consumer at the broker is only a cache that is made anew
//! whenever it does not deliver exactly the next sequence. A gap is neither waited out nor skipped.

use crate::api::Stored;
use crate::connect::{Account, pause_after};
use crate::consume::UNREADABLE_HEADERS;
use crate::dlq::Poison;
use crate::event::{self, Incoming};
use crate::headers::is_readable;
use crate::pull::{Got, Pull, place};
use crate::readers::Given;
use crate::subject::stream_of;
use crate::{Inner, lock};
use async_nats::HeaderMap;
use bytes::Bytes;
use saga_core::bus::BusError;
use saga_core::envelope::Recorded;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};

/// 500 events in one pull: a page, held in memory.
const PULL: usize = 500;
/// 64 cursors wait for their callers; the longest unused goes first.
const SHELF_MAX: usize = 64;
/// 10,000 events put aside are remembered, so that they are put aside once.
const PARKED_MAX: usize = 10_000;

/// After two failures without an event between them, perhaps it is an event that makes them.
const FAILURES_MAX: u32 = 2;
/// 100 events are then read one by one.
const BY_HAND: usize = 100;

/// Readers that wait for their caller's next call: by module and cursor.
#[derive(Default)]
pub(crate) struct Shelf(Mutex<Kept>);
#[derive(Default)]
struct Kept {
    readers: BTreeMap<(String, u64), Vec<(u64, Reader)>>,
    used: u64,
}

impl Shelf {
    fn take(&self, module: &str, after: u64) -> Option<Reader> {
        let mut kept = lock(&self.0);
        let key = (module.to_owned(), after);
        let readers = kept.readers.get_mut(&key)?;
        let reader = readers.pop().map(|(_, reader)| reader);
        if readers.is_empty() {
            kept.readers.remove(&key);
        }
        reader
    }
    fn put(&self, reader: Reader) {
        let mut kept = lock(&self.0);
        kept.used += 1;
        let used = kept.used;
        kept.readers.entry((reader.module.clone(), reader.cursor)).or_default().push((used, reader));
        if kept.readers.values().map(Vec::len).sum::<usize>() <= SHELF_MAX {
            return;
        }
        let oldest = kept.readers.iter().flat_map(|(key, readers)| readers.iter().map(move |(used, _)| (*used, key)));
        let Some((used, key)) = oldest.min().map(|(used, key)| (used, key.clone())) else { return };
        if let Some(readers) = kept.readers.get_mut(&key) {
            readers.retain(|(at, _)| *at != used);
            if readers.is_empty() {
                kept.readers.remove(&key);
            }
        }
    }
}

/// One place in the events of a module.
struct Reader {
    module: String,
    /// What the caller has.
    cursor: u64,
    /// The sequence that must come next. Larger than `cursor + 1` when something was put aside between them.
    next: u64,
    ready: VecDeque<Recorded>,
    pull: Option<Pull>,
    /// Something came since the pull was asked for.
    fed: bool,
    /// The sequence before which the stream itself has a gap.
    gap: Option<u64>,
    failures: u32,
}

/// A message of the stream, however it came.
struct Content<'a> {
    subject: &'a str,
    headers: Option<&'a HeaderMap>,
    /// Headers that are none.
    raw: &'a [u8],
    body: &'a Bytes,
}

/// A reader on loan; a cancelled call puts it back as it is.
struct Loan {
    shelf: Arc<Shelf>,
    reader: Option<Reader>,
}
impl Drop for Loan {
    fn drop(&mut self) {
        if let Some(reader) = self.reader.take() {
            self.shelf.put(reader);
        }
    }
}

impl Inner {
    pub(crate) async fn events(&self, module: &str, after: u64, max: usize) -> Result<Vec<Recorded>, BusError> {
        let reader = self.shelf.take(module, after).unwrap_or_else(|| Reader::at(module, after));
        let mut loan = Loan { shelf: Arc::clone(&self.shelf), reader: Some(reader) };
        // It is there until the loan ends.
        let Some(reader) = loan.reader.as_mut() else { return Ok(Vec::new()) };
        while reader.ready.is_empty() {
            if let Err(why) = reader.turn(self).await {
                reader.pull = None;
                reader.failures += 1;
                self.progress.trouble(&reader.name(), &why);
                pause_after(reader.failures).await;
            }
        }
        let count = max.max(1).min(reader.ready.len());
        let events: Vec<Recorded> = reader.ready.drain(..count).collect();
        reader.cursor = events.last().and_then(event::sequence).unwrap_or(reader.cursor);
        Ok(events)
    }
}

impl Reader {
    fn at(module: &str, cursor: u64) -> Self {
        let (module, next) = (module.to_owned(), cursor + 1);
        Self { module, cursor, next, ready: VecDeque::new(), pull: None, fed: false, gap: None, failures: 0 }
    }
    fn name(&self) -> String {
        format!("events of {}", self.module)
    }
    /// One step towards an event.
    async fn turn(&mut self, inner: &Inner) -> Result<(), String> {
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
    async fn take(&mut self, inner: &Inner, got: Got) -> Result<(), String> {
        match got {
            Got::Broken(why) => return Err(why),
            Got::Ended if self.fed => {}
            Got::Ended => self.look(inner).await?,
            Got::Message(message) => {
                let Some(place) = place(&message) else { return Err("a message without a place".to_owned()) };
                // A consumer that begins behind the end of its stream begins at the end on some servers.
                if place.seq < self.next {
                    return Ok(());
                }
                if place.seq > self.next {
                    return self.gap(place.seq);
                }
                self.fed = true;
                self.one(inner, &message, place.seq).await?;
            }
        }
        self.failures = 0;
        inner.progress.sign(&self.name());
        Ok(())
    }
    /// A gap may be one of the delivery: the consumer is made anew. If it is still there, it is one of the stream.
    fn gap(&mut self, seq: u64) -> Result<(), String> {
        let next = self.next;
        self.gap = Some(seq);
        Err(format!("{seq} came where {next} was expected"))
    }
    async fn one(&mut self, inner: &Inner, message: &async_nats::Message, seq: u64) -> Result<(), String> {
        let (headers, body) = (message.headers.as_ref(), &message.payload);
        let subject = message.subject.as_str();
        self.content(inner, Content { subject, headers, raw: &[], body }, seq).await
    }
    async fn content(&mut self, inner: &Inner, content: Content<'_>, seq: u64) -> Result<(), String> {
        let decoded = match content.raw.is_empty() {
            true => event::decode(&self.module, seq, content.headers, content.body).map_err(|why| why.to_string()),
            false => Err(UNREADABLE_HEADERS.to_owned()),
        };
        match decoded {
            Ok(Incoming::Event(event)) => self.ready.push_back(*event),
            Ok(Incoming::Claim(seq)) => return self.fetch(inner, seq).await,
            Err(why) => self.park(inner, &content, seq, &why).await?,
        }
        self.next = seq + 1;
        Ok(())
    }
    /// Reads a few events without a consumer: among them may be one that ends the connection of whoever receives it.
    async fn by_hand(&mut self, inner: &Inner, stream: &str) -> Result<(), String> {
        for _ in 0..BY_HAND {
            let stored = inner.api.message(stream, self.next).await.map_err(|why| why.to_string())?;
            let Some(Stored { seq, subject, headers, raw, body }) = stored else { return Ok(()) };
            let raw = if is_readable(&raw) { &[][..] } else { &raw };
            let content = Content { subject: &subject, headers: Some(&headers), raw, body: &Bytes::from(body) };
            self.content(inner, content, seq).await?;
            self.failures = 0;
        }
        Ok(())
    }
    async fn park(&self, inner: &Inner, content: &Content<'_>, seq: u64, reason: &str) -> Result<(), String> {
        let key = (self.module.clone(), seq);
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
        inner.park(&poison).await.map_err(|why| why.to_string())?;
        let mut parked = lock(&inner.parked);
        parked.insert(key);
        if parked.len() > PARKED_MAX {
            parked.pop_first();
        }
        Ok(())
    }
    /// Gets the events up to `upto` from their producer, as many as it gives at once.
    async fn fetch(&mut self, inner: &Inner, upto: u64) -> Result<(), String> {
        let wanted = usize::try_from((upto + 1).saturating_sub(self.next)).unwrap_or(PULL);
        let events = inner.read_log(&self.module, self.next - 1, wanted.min(PULL)).await;
        let events = events.map_err(|why| format!("{} to {upto} from the producer: {why}", self.next))?;
        if events.is_empty() {
            return Err(format!("the producer does not have {} either", self.next));
        }
        self.next += events.len() as u64;
        self.ready.extend(events);
        Ok(())
    }
    /// Makes a consumer that begins where this reader goes on; what the stream does not have any more is fetched first.
    async fn set_up(&mut self, inner: &Inner) -> Result<(), String> {
        let stream = stream_of(&self.module);
        let info = inner.api.stream(&stream, None).await.map_err(|why| why.to_string())?;
        let Some(info) = info else { return Err(format!("stream {stream} is missing")) };
        if info.first > self.next && info.last >= self.next {
            return self.fetch(inner, info.first - 1).await;
        }
        if let Some(seq) = self.gap.take() {
            let first = inner.api.message(&stream, self.next).await.map_err(|why| why.to_string())?;
            if first.is_none() && seq > self.next {
                return self.fetch(inner, seq - 1).await;
            }
        }
        if self.failures >= FAILURES_MAX {
            self.by_hand(inner, &stream).await?;
            if !self.ready.is_empty() {
                return Ok(());
            }
        }
        match inner.consumer_from(&self.module, self.next).await? {
            Given::Consumer(consumer) => self.pull = Some(Pull::open(&inner.api, &stream, &consumer).await?),
            // What is there already comes out of its owner's log meanwhile.
            Given::Nobody(_) if info.last >= self.next => self.fetch(inner, info.last).await?,
            Given::Nobody(why) => return Err(format!("no coordinator gives a consumer: {why}")),
        }
        Ok(())
    }
    /// After a wait that brought nothing: is there really nothing?
    async fn look(&mut self, inner: &Inner) -> Result<(), String> {
        let info = inner.api.stream(&stream_of(&self.module), None).await.map_err(|why| why.to_string())?;
        match info {
            Some(info) if info.last < self.next => Ok(()),
            Some(info) => Err(format!("nothing came, and the stream has events up to {}", info.last)),
            None => Err("the stream is missing".to_owned()),
        }
    }
}
