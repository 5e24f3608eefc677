//! The reference store: the specification of a store, as short as it can be said. Durable as long as the process.

mod export;

use async_trait::async_trait;
use saga_core::batch::{Batch, Commit, Conflict, Receipt, Snapshot};
use saga_core::envelope::{Recorded, chain};
use saga_core::id::{Direction, Epoch, Position, StepKey, StreamId, Version};
use saga_core::json::Payload;
use saga_core::leases::LeaseBook;
use saga_core::ports::{
    Cached, Claim, Clock, Document, Documents, EventStore, FIND_LIMIT_MAX, Find, Lease, Leases, OpenError, ReadError,
    Recollection, Remembered, SharedStore, Stores, Tail,
};
use saga_core::time::Timestamp;
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use std::time::Duration;
use uuid::Uuid;

/// A row of the inbox.
struct Kept {
    row: Remembered,
    direction: Direction,
    epoch: Epoch,
}

#[derive(Default)]
struct State {
    log: Vec<Recorded>,
    streams: BTreeMap<StreamId, Vec<usize>>,
    public: u64,
    chain: [u8; 32],
    inbox: BTreeMap<(Uuid, StepKey), Kept>,
    marks: BTreeMap<String, Position>,
    documents: BTreeMap<(String, u16, String), Document>,
    blobs: BTreeMap<[u8; 32], Vec<u8>>,
    snapshots: BTreeMap<StreamId, Snapshot>,
    fences: BTreeMap<String, Epoch>,
    leases: LeaseBook,
    recorded_at: Timestamp,
    wakers: Vec<Waker>,
}

/// One module's store in memory.
pub struct MemoryStore {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

impl MemoryStore {
    /// An empty store.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, state: Mutex::default() }
    }
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn version(&self, stream: &StreamId) -> Version {
        Version(self.streams.get(stream).map_or(0, |events| events.len() as u64))
    }
    fn at(&self, stream: &StreamId, version: Version) -> Option<&Recorded> {
        let index = usize::try_from(version.0.checked_sub(1)?).ok()?;
        self.streams.get(stream)?.get(index).and_then(|at| self.log.get(*at))
    }
    /// A batch is a repetition when its first event stands where the batch wants to put it.
    fn repeated(&self, batch: &Batch) -> Option<Receipt> {
        let mut last = None;
        let mut versions = Vec::new();
        for write in &batch.writes {
            for (offset, event) in write.events.iter().enumerate() {
                let version = Version(write.expected.0 + 1 + offset as u64);
                let found = self.at(&write.stream, version).filter(|found| found.id == event.id)?;
                last = last.max(Some(found.position));
            }
            versions.push(Version(write.expected.0 + write.events.len() as u64));
        }
        last.map(|last| Receipt { last, versions })
    }
    fn refusal(&self, batch: &Batch) -> Option<Commit> {
        if let Err(limit) = batch.check() {
            return Some(Commit::Rejected(limit));
        }
        if let Some(fence) = &batch.fence {
            let current = self.fences.get(&fence.scope).copied().unwrap_or_default();
            if fence.epoch < current {
                return Some(Commit::Fenced { current });
            }
        }
        if let Some(receipt) = self.repeated(batch) {
            return Some(Commit::Ok(receipt));
        }
        if let Some(entry) = &batch.inbox {
            if let Some(known) = self.inbox.get(&(entry.saga, entry.key)) {
                let Remembered { answer, payload_hash } = known.row.clone();
                return Some(Commit::Conflict(Conflict::Answered { answer, payload_hash }));
            }
            if entry.unless.is_some_and(|undo| self.inbox.contains_key(&(entry.saga, undo))) {
                return Some(Commit::Conflict(Conflict::Undone));
            }
        }
        batch.writes.iter().find(|write| self.version(&write.stream) != write.expected).map(|write| {
            let actual = self.version(&write.stream);
            Commit::Conflict(Conflict::Stream { stream: write.stream.clone(), actual })
        })
    }
    fn apply(&mut self, batch: Batch, now: Timestamp) -> Receipt {
        self.recorded_at = self.recorded_at.max(now);
        let mut versions = Vec::new();
        for write in batch.writes {
            for event in write.events {
                let at = self.log.len();
                self.public += u64::from(event.public);
                let mut recorded = Recorded {
                    position: Position(at as u64 + 1),
                    public_seq: event.public.then_some(self.public),
                    stream: write.stream.clone(),
                    version: self.version(&write.stream).next(),
                    id: event.id,
                    name: event.name.to_owned(),
                    schema_version: event.version,
                    data: event.data,
                    meta: event.meta,
                    time: event.time,
                    recorded_at: self.recorded_at,
                    chain: [0; 32],
                };
                recorded.chain = chain(&self.chain, recorded.position, &recorded.digest());
                self.chain = recorded.chain;
                self.streams.entry(write.stream.clone()).or_default().push(at);
                self.log.push(recorded);
            }
            versions.push(self.version(&write.stream));
        }
        if let Some(entry) = batch.inbox {
            let row = Remembered { payload_hash: entry.payload_hash, answer: entry.answer };
            let kept = Kept { row, direction: entry.direction, epoch: entry.epoch };
            self.inbox.insert((entry.saga, entry.key), kept);
        }
        self.marks.extend(batch.marks.into_iter().map(|mark| (mark.consumer, mark.position)));
        for write in batch.documents {
            let id = (write.projection, write.version, write.key);
            match write.body {
                Some(body) => {
                    let document = Document { key: id.2.clone(), body, index: write.index };
                    self.documents.insert(id, document);
                }
                None => {
                    self.documents.remove(&id);
                }
            }
        }
        self.blobs.extend(batch.blobs.into_iter().map(|blob| (blob.sha256, blob.bytes)));
        self.snapshots.extend(batch.snapshots.into_iter().map(|snapshot| (snapshot.stream.clone(), snapshot)));
        if let Some(fence) = batch.fence {
            self.fences.insert(fence.scope, fence.epoch);
        }
        Receipt { last: Position(self.log.len() as u64), versions }
    }
}

#[async_trait]
impl EventStore for MemoryStore {
    async fn commit(&self, batch: Batch) -> Commit {
        let now = self.clock.now();
        let mut state = self.state();
        if let Some(refusal) = state.refusal(&batch) {
            return refusal;
        }
        let receipt = state.apply(batch, now);
        let wakers = std::mem::take(&mut state.wakers);
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
        Commit::Ok(receipt)
    }
    async fn read(&self, stream: &StreamId, after: Version, limit: usize) -> Result<Vec<Recorded>, ReadError> {
        let state = self.state();
        let events = state.streams.get(stream).map_or(&[][..], Vec::as_slice);
        let from = usize::try_from(after.0).unwrap_or(usize::MAX).min(events.len());
        Ok(events[from..].iter().take(limit).filter_map(|at| state.log.get(*at)).cloned().collect())
    }
    async fn read_log(&self, after: Position, limit: usize) -> Result<Vec<Recorded>, ReadError> {
        let state = self.state();
        let from = usize::try_from(after.0).unwrap_or(usize::MAX).min(state.log.len());
        Ok(state.log[from..].iter().take(limit).cloned().collect())
    }
    async fn answered(&self, saga: Uuid, deed: StepKey, undo: StepKey) -> Result<Recollection, ReadError> {
        let state = self.state();
        let row = |key| state.inbox.get(&(saga, key)).map(|kept| kept.row.clone());
        let first = (saga, StepKey::from_uuid(Uuid::nil()));
        let rows = state.inbox.range(first..).take_while(|((of, _), _)| *of == saga);
        let epoch = rows.map(|(_, kept)| kept.epoch).max().unwrap_or_default();
        Ok(Recollection { deed: row(deed), undo: row(undo), epoch })
    }
}

#[async_trait]
impl Documents for MemoryStore {
    async fn get(&self, projection: &str, version: u16, key: &str) -> Result<Option<Document>, ReadError> {
        Ok(self.state().documents.get(&(projection.to_owned(), version, key.to_owned())).cloned())
    }
    async fn find(&self, find: &Find) -> Result<Vec<Document>, ReadError> {
        let state = self.state();
        let order = |document: &Document| {
            let value = find.order_by.and_then(|field| document.index.get(field).cloned().flatten());
            (value, document.key.clone())
        };
        let of_projection = state
            .documents
            .iter()
            .filter(|((name, version, _), _)| *name == find.projection && *version == find.version);
        let mut found: Vec<_> = of_projection
            .map(|(_, document)| document)
            .filter(|document| {
                let holds = |(field, value): &(usize, String)| document.index.get(*field) == Some(&Some(value.clone()));
                find.filters.iter().all(holds)
            })
            .map(|document| (order(document), document))
            .collect();
        found.sort_by(|(left, _), (right, _)| if find.descending { right.cmp(left) } else { left.cmp(right) });
        let beyond = |place: &(Option<String>, String)| match &find.after {
            None => true,
            Some(after) if find.descending => place < after,
            Some(after) => place > after,
        };
        let page = found.into_iter().filter(|(place, _)| beyond(place)).take(find.limit.min(FIND_LIMIT_MAX));
        Ok(page.map(|(_, document)| document.clone()).collect())
    }
    async fn keys_ending(&self, projection: &str, version: u16, ending: &str) -> Result<Vec<String>, ReadError> {
        let state = self.state();
        let keys = state.documents.keys().filter(|(name, of, _)| *name == projection && *of == version);
        let keys = keys.map(|(_, _, key)| key).filter(|key| key.ends_with(ending));
        Ok(keys.take(FIND_LIMIT_MAX).cloned().collect())
    }
    async fn checkpoint(&self, consumer: &str) -> Result<Position, ReadError> {
        Ok(self.state().marks.get(consumer).copied().unwrap_or_default())
    }
    async fn cached(&self, what: &Cached) -> Result<Option<Payload>, ReadError> {
        let state = self.state();
        let found = match what {
            Cached::Blob(sha256) => state.blobs.get(sha256).map(|bytes| Payload::of(&String::from_utf8_lossy(bytes))),
            Cached::Snapshot { stream, digest } => state
                .snapshots
                .get(stream)
                .filter(|snapshot| snapshot.digest == *digest)
                .map(|found| Payload::of(&serde_json::json!({ "version": found.version, "state": found.state }))),
        };
        found.transpose().map_err(|why| ReadError::Corrupt { place: "cache".to_owned(), why: why.to_string() })
    }
}

#[async_trait]
impl Tail for MemoryStore {
    async fn head(&self) -> Result<Position, ReadError> {
        Ok(Position(self.state().log.len() as u64))
    }
    async fn grown(&self, after: Position) -> Position {
        poll_fn(|cx| {
            let mut state = self.state();
            let head = Position(state.log.len() as u64);
            if head > after {
                return Poll::Ready(head);
            }
            state.wakers.push(cx.waker().clone());
            Poll::Pending
        })
        .await
    }
}

#[async_trait]
impl Leases for MemoryStore {
    async fn lease(&self, owner: Uuid, claim: &Claim, ttl: Duration) -> Result<Vec<Lease>, ReadError> {
        let now = self.clock.now();
        let mut state = self.state();
        let state = &mut *state;
        let taken = state.leases.weigh(owner, claim, now, |scope| state.fences.get(scope).copied().unwrap_or_default());
        state.fences.extend(taken.clone());
        state.leases.apply(owner, claim, taken, now, ttl);
        Ok(state.leases.list(now))
    }
}

/// Every module's store in memory.
pub struct MemoryStores {
    clock: Arc<dyn Clock>,
    open: Mutex<BTreeMap<String, Arc<MemoryStore>>>,
}

impl MemoryStores {
    /// No stores yet.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, open: Mutex::default() }
    }
}

#[async_trait]
impl Stores for MemoryStores {
    async fn open(&self, module: &str) -> Result<SharedStore, OpenError> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = || Arc::new(MemoryStore::new(Arc::clone(&self.clock)));
        let store = open.entry(module.to_owned()).or_insert_with(fresh);
        Ok(Arc::clone(store) as SharedStore)
    }
    async fn has(&self, module: &str) -> Result<bool, OpenError> {
        Ok(self.open.lock().unwrap_or_else(PoisonError::into_inner).contains_key(module))
    }
    async fn peek(&self, module: &str) -> Result<SharedStore, OpenError> {
        // An opening writes nothing into a store that is there.
        self.open(module).await
    }
    async fn release(&self) {}
}

/// A clock that stands still until it is moved: time as tests need it.
pub struct StillClock {
    now: Mutex<(Timestamp, Vec<Waker>)>,
}

impl StillClock {
    /// Stands at `now`.
    pub fn at(now: Timestamp) -> Self {
        Self { now: Mutex::new((now, Vec::new())) }
    }
    /// Moves forward (never back) and wakes who waited for it.
    pub fn move_to(&self, now: Timestamp) {
        let mut state = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        state.0 = state.0.max(now);
        std::mem::take(&mut state.1).into_iter().for_each(Waker::wake);
    }
}

#[async_trait]
impl Clock for StillClock {
    fn now(&self) -> Timestamp {
        self.now.lock().unwrap_or_else(PoisonError::into_inner).0
    }
    async fn sleep_until(&self, due: Timestamp) {
        poll_fn(|cx| {
            let mut state = self.now.lock().unwrap_or_else(PoisonError::into_inner);
            if state.0 >= due {
                return Poll::Ready(());
            }
            state.1.push(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }
}

/// Ids that count: version 7 shape, the same run gives the same ids.
#[derive(Debug, Default)]
pub struct CountedIds {
    next: std::sync::atomic::AtomicU64,
}

impl CountedIds {
    /// Counts on from here: two that begin far from each other give other ids.
    pub fn after(count: u64) -> Self {
        Self { next: count.into() }
    }
}
impl saga_core::ports::Ids for CountedIds {
    fn next(&self, now: Timestamp) -> Uuid {
        let count = self.next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let millis = u64::try_from(now.0 / 1_000).unwrap_or(0);
        // The counter stands in the last bytes, scattered, so that short ids differ at every place.
        let mut random = [0_u8; 10];
        random[2..].copy_from_slice(&count.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_be_bytes());
        uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
    }
}
