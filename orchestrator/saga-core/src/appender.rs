//! The decision of the one writer of a log: which of the waiting batches are written, and what exactly they write.
//!
//! Pure. A store's appender task gathers batches, lets a [`Planned`] take them one after another, writes the plan in one
//! transaction, and only then [`Ledger::apply`]s it and gives the answers. A refused batch leaves no trace in the plan,
//! and a later batch sees what the earlier ones of its group do.

use crate::batch::{Batch, Commit, Conflict, DocumentWrite, InboxEntry, Receipt, Snapshot, StreamWrite};
use crate::envelope::{NewEvent, Recorded, chain};
use crate::id::{Epoch, EventId, Position, StepKey, StreamId, Version};
use crate::ports::Remembered;
use crate::time::Timestamp;
use std::collections::BTreeMap;
use uuid::Uuid;

/// 65,536 versions in each of two generations: about 16 MiB at the most, and far more streams than are busy at one time.
pub const VERSIONS_KEPT_MAX: usize = 65_536;

/// The end of a log: everything that the next event continues.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Head {
    /// Position of the last event.
    pub position: Position,
    /// The last place given to a public event.
    pub public_seq: u64,
    /// When the last event was recorded.
    pub recorded_at: Timestamp,
    /// The chain up to the last event.
    pub chain: [u8; 32],
}

/// What the one writer knows of its store without reading it.
#[derive(Debug, Default)]
pub struct Ledger {
    head: Head,
    fences: BTreeMap<String, Epoch>,
    versions: BTreeMap<StreamId, Version>,
    // The generation before: an entry that is neither renewed nor found in `versions` falls out with it.
    versions_before: BTreeMap<StreamId, Version>,
}

impl Ledger {
    /// What was just read from the store.
    pub fn new(head: Head, fences: BTreeMap<String, Epoch>) -> Self {
        Self { head, fences, ..Self::default() }
    }
    /// The end of the log.
    pub fn head(&self) -> Head {
        self.head
    }
    /// The version of a stream, if it is remembered.
    pub fn version(&self, stream: &StreamId) -> Option<Version> {
        self.versions.get(stream).or_else(|| self.versions_before.get(stream)).copied()
    }
    /// Remembers the version of a stream.
    pub fn learn(&mut self, stream: StreamId, version: Version) {
        if self.versions.len() >= VERSIONS_KEPT_MAX {
            self.versions_before = std::mem::take(&mut self.versions);
        }
        self.versions.insert(stream, version);
    }
    /// Takes over what was just read under the lock of the head, where other processes write the same log. Versions are
    /// kept only if nobody has appended in between; fences may have changed without an event.
    pub fn refresh(&mut self, head: Head, fences: BTreeMap<String, Epoch>) {
        if self.head == head {
            self.fences = fences;
        } else {
            *self = Self::new(head, fences);
        }
    }
    /// Takes over what a plan has written. Only after its transaction was committed.
    pub fn apply(&mut self, written: Written) {
        self.head = written.head;
        self.fences.extend(written.fences);
        for (stream, version) in written.versions {
            self.learn(stream, version);
        }
    }
}

/// What was read from the store for exactly the batches of a locked plan.
#[derive(Debug, Default)]
pub struct Facts {
    /// Versions of their streams; a stream that is missing here and in the ledger does not exist.
    pub versions: BTreeMap<StreamId, Version>,
    /// The events that already stand at the versions that the batches want to write.
    pub places: BTreeMap<(StreamId, Version), (EventId, Position)>,
    /// What the inbox has under their keys.
    pub keys: BTreeMap<(Uuid, StepKey), Remembered>,
}

/// How a plan decides what it does not know.
#[derive(Debug, Clone, Copy)]
pub enum Sight<'a> {
    /// Nothing was read: new streams and new keys are believed, and the tables' own keys and guards refute them.
    Optimistic,
    /// Everything that matters was read.
    Locked(&'a Facts),
}

/// What a plan does with a batch.
#[derive(Debug)]
pub enum Planned {
    /// It is in the plan; this is the answer once the plan is written.
    Write(Receipt),
    /// It is not written, whatever else happens.
    Answer(Commit),
    /// Cannot be told without reading: stop here, write the plan, and take this and the later batches under the lock, with everything read.
    Look,
}

/// What one transaction writes.
#[derive(Debug)]
pub struct WriteSet<'l, 'b> {
    ledger: &'l Ledger,
    sight: Sight<'l>,
    now: Timestamp,
    head: Head,
    versions: BTreeMap<StreamId, Version>,
    /// How many batches it holds.
    pub batches: u64,
    /// Events, in the order of their positions.
    pub events: Vec<Recorded>,
    /// New rows of the inbox.
    pub inbox: BTreeMap<(Uuid, StepKey), &'b InboxEntry>,
    /// Keys that must not be in the inbox; the transaction fails if one is.
    pub absent: Vec<(Uuid, StepKey)>,
    /// Checkpoints; the last word on each.
    pub marks: BTreeMap<&'b str, Position>,
    /// Documents; the last word on each.
    pub documents: BTreeMap<(&'b str, u16, &'b str), &'b DocumentWrite>,
    /// Blobs.
    pub blobs: BTreeMap<[u8; 32], &'b [u8]>,
    /// Snapshots; the last of each stream.
    pub snapshots: BTreeMap<&'b StreamId, &'b Snapshot>,
    /// Epochs that were learnt.
    pub fences: BTreeMap<&'b str, Epoch>,
}

/// What a written plan changes in the ledger.
#[derive(Debug)]
pub struct Written {
    /// The new end of the log.
    pub head: Head,
    /// The new events, for readers near the end.
    pub events: Vec<Recorded>,
    /// How many batches were written.
    pub batches: u64,
    versions: BTreeMap<StreamId, Version>,
    fences: BTreeMap<String, Epoch>,
}

impl<'l, 'b> WriteSet<'l, 'b> {
    /// An empty plan. `now` is held at the time of the last event if the clock went back.
    pub fn new(ledger: &'l Ledger, sight: Sight<'l>, now: Timestamp) -> Self {
        Self {
            ledger,
            sight,
            now: now.max(ledger.head.recorded_at),
            head: ledger.head,
            versions: BTreeMap::new(),
            batches: 0,
            events: Vec::new(),
            inbox: BTreeMap::new(),
            absent: Vec::new(),
            marks: BTreeMap::new(),
            documents: BTreeMap::new(),
            blobs: BTreeMap::new(),
            snapshots: BTreeMap::new(),
            fences: BTreeMap::new(),
        }
    }
    /// The end of the log before this plan.
    pub fn start(&self) -> Head {
        self.ledger.head
    }
    /// The end of the log when this plan is written.
    pub fn head(&self) -> Head {
        self.head
    }
    /// Whether there is nothing to write: a batch that only guards versions needs no transaction.
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
            && self.inbox.is_empty()
            && self.marks.is_empty()
            && self.documents.is_empty()
            && self.blobs.is_empty()
            && self.snapshots.is_empty()
            && self.fences.is_empty()
    }
    /// What the ledger needs to know, and what readers near the end want to see.
    pub fn written(self) -> Written {
        let fences = self.fences.into_iter().map(|(scope, epoch)| (scope.to_owned(), epoch)).collect();
        Written { head: self.head, events: self.events, batches: self.batches, versions: self.versions, fences }
    }

    /// Takes a batch that is within its limits, or says why not.
    pub fn take(&mut self, batch: &'b Batch) -> Planned {
        if let Some(fence) = &batch.fence {
            let known = self.fences.get(fence.scope.as_str()).or_else(|| self.ledger.fences.get(&fence.scope));
            if let Some(current) = known.copied().filter(|current| *current > fence.epoch) {
                return Planned::Answer(Commit::Fenced { current });
            }
        }
        match self.sight {
            Sight::Optimistic if self.doubtful(batch) => Planned::Look,
            Sight::Optimistic => {
                let undo = batch.inbox.as_ref().and_then(|entry| Some((entry.saga, entry.unless?)));
                self.absent.extend(undo);
                Planned::Write(self.write(batch))
            }
            Sight::Locked(facts) => match self.repeated(batch, facts) {
                Some(receipt) => Planned::Answer(Commit::Ok(receipt)),
                None => match self.conflict(batch, facts) {
                    Some(conflict) => Planned::Answer(Commit::Conflict(conflict)),
                    None => Planned::Write(self.write(batch)),
                },
            },
        }
    }

    fn doubtful(&self, batch: &Batch) -> bool {
        let moved = |write: &StreamWrite| match self.known(&write.stream) {
            Some(actual) => actual != write.expected,
            // A new stream is believed: the key of (stream, version) refutes it. A gap would be refuted by nothing, and
            // neither would a guard that writes nothing.
            None => write.expected != Version::ZERO || write.events.is_empty(),
        };
        let pending = |entry: &InboxEntry| {
            let has = |key| self.inbox.contains_key(&(entry.saga, key));
            has(entry.key) || entry.unless.is_some_and(has)
        };
        batch.writes.iter().any(moved) || batch.inbox.as_ref().is_some_and(pending)
    }
    fn known(&self, stream: &StreamId) -> Option<Version> {
        self.versions.get(stream).copied().or_else(|| self.ledger.version(stream))
    }
    /// A batch is a repetition when each of its events stands where the batch wants to put it.
    fn repeated(&self, batch: &Batch, facts: &Facts) -> Option<Receipt> {
        let mut last = None;
        for write in &batch.writes {
            let mut version = write.expected;
            for event in &write.events {
                version = version.next();
                let (id, position) = self.place(&write.stream, version, facts)?;
                if id != event.id {
                    return None;
                }
                last = last.max(Some(position));
            }
        }
        let end = |write: &StreamWrite| Version(write.expected.0 + write.events.len() as u64);
        Some(Receipt { last: last?, versions: batch.writes.iter().map(end).collect() })
    }
    fn place(&self, stream: &StreamId, version: Version, facts: &Facts) -> Option<(EventId, Position)> {
        let stored = facts.places.get(&(stream.clone(), version)).copied();
        // A walk over the group is cheap enough for the rare case of a repetition within it.
        let here = |event: &&Recorded| event.version == version && event.stream == *stream;
        stored.or_else(|| self.events.iter().find(here).map(|event| (event.id, event.position)))
    }
    fn conflict(&self, batch: &Batch, facts: &Facts) -> Option<Conflict> {
        if let Some(entry) = &batch.inbox {
            let pending = |key| {
                let found: &&InboxEntry = self.inbox.get(&(entry.saga, key))?;
                Some(Remembered { payload_hash: found.payload_hash, answer: found.answer.clone() })
            };
            let remembered = |key| facts.keys.get(&(entry.saga, key)).cloned().or_else(|| pending(key));
            if let Some(Remembered { payload_hash, answer }) = remembered(entry.key) {
                return Some(Conflict::Answered { answer, payload_hash });
            }
            if entry.unless.and_then(remembered).is_some() {
                return Some(Conflict::Undone);
            }
        }
        batch.writes.iter().find_map(|write| {
            let stored = || facts.versions.get(&write.stream).copied().unwrap_or_default();
            let actual = self.known(&write.stream).unwrap_or_else(stored);
            (actual != write.expected).then(|| Conflict::Stream { stream: write.stream.clone(), actual })
        })
    }

    fn write(&mut self, batch: &'b Batch) -> Receipt {
        let mut versions = Vec::with_capacity(batch.writes.len());
        for write in &batch.writes {
            let mut version = write.expected;
            for event in &write.events {
                version = version.next();
                self.append(&write.stream, version, event);
            }
            self.versions.insert(write.stream.clone(), version);
            versions.push(version);
        }
        self.inbox.extend(batch.inbox.as_ref().map(|entry| ((entry.saga, entry.key), entry)));
        self.marks.extend(batch.marks.iter().map(|mark| (mark.consumer.as_str(), mark.position)));
        for write in &batch.documents {
            self.documents.insert((write.projection.as_str(), write.version, write.key.as_str()), write);
        }
        self.blobs.extend(batch.blobs.iter().map(|blob| (blob.sha256, blob.bytes.as_slice())));
        self.snapshots.extend(batch.snapshots.iter().map(|snapshot| (&snapshot.stream, snapshot)));
        if let Some(fence) = &batch.fence {
            let known = self.ledger.fences.get(&fence.scope);
            if known.is_none_or(|known| *known < fence.epoch) {
                self.fences.insert(fence.scope.as_str(), fence.epoch);
            }
        }
        self.batches += 1;
        Receipt { last: self.head.position, versions }
    }
    fn append(&mut self, stream: &StreamId, version: Version, event: &NewEvent) {
        let position = self.head.position.next();
        self.head.public_seq += u64::from(event.public);
        let mut recorded = Recorded {
            position,
            public_seq: event.public.then_some(self.head.public_seq),
            stream: stream.clone(),
            version,
            id: event.id,
            name: event.name.to_owned(),
            schema_version: event.version,
            data: event.data.clone(),
            meta: event.meta.clone(),
            time: event.time,
            recorded_at: self.now,
            chain: self.head.chain,
        };
        recorded.chain = chain(&self.head.chain, position, &recorded.digest());
        self.head = Head { position, recorded_at: self.now, chain: recorded.chain, ..self.head };
        self.events.push(recorded);
    }
}
