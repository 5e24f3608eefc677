//! The ports: what the engine needs from the world, each with at most eleven methods and a suite of laws.

use crate::batch::{Batch, Commit};
use crate::envelope::Recorded;
use crate::export::{Export, Inspect};
use crate::id::{Epoch, EventId, Position, StepKey, StreamId, Version};
use crate::json::Payload;
use crate::outcome::Answer;
use crate::time::Timestamp;
use async_trait::async_trait;
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

/// A read that did not work. Nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The store cannot be read now.
    #[error("the store cannot be read: {0}")]
    Unavailable(String),
    /// The stored bytes cannot be what was written; nothing is guessed around them.
    #[error("the store is damaged at {place}: {why}")]
    Corrupt {
        /// Table and row, file and page.
        place: String,
        /// What is wrong there.
        why: String,
    },
}

/// How far the logs of other modules reach. A module that wants to refuse because it never heard of something asks
/// first: *not known yet* is never *no*.
#[async_trait]
pub trait Heads: Send + Sync {
    /// The `public_seq` of the last public event in the log of `module`, as its owner tells at this moment; 0 when there is
    /// none. An owner that cannot be asked is weather.
    async fn head(&self, module: &str) -> Result<u64, ReadError>;
}

/// One module's log.
#[async_trait]
pub trait EventStore: Send + Sync {
    /// All of the batch, or nothing; durable when it answers `Ok`. Repeating it is safe: a batch that is already there
    /// (same event ids at the same versions) answers `Ok` with its first positions.
    async fn commit(&self, batch: Batch) -> Commit;
    /// One stream, oldest first, strictly after `after`, at most `limit`.
    async fn read(&self, stream: &StreamId, after: Version, limit: usize) -> Result<Vec<Recorded>, ReadError>;
    /// The whole module in commit order, strictly after `after`, at most `limit`; never passes an open transaction.
    async fn read_log(&self, after: Position, limit: usize) -> Result<Vec<Recorded>, ReadError>;
    /// What the inbox remembers of a deed and of its undo, and the newest epoch it has seen for the saga.
    async fn answered(&self, saga: Uuid, deed: StepKey, undo: StepKey) -> Result<Recollection, ReadError>;
}

/// What an inbox remembers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recollection {
    /// The row of the deed.
    pub deed: Option<Remembered>,
    /// The row of its undo.
    pub undo: Option<Remembered>,
    /// The newest epoch seen for this saga.
    pub epoch: Epoch,
}

/// One remembered answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remembered {
    /// sha256 of the payload it was given to.
    pub payload_hash: [u8; 32],
    /// The answer.
    pub answer: Answer,
}

/// One module's read models, checkpoints, blobs and snapshots. Written through [`EventStore::commit`] only.
#[async_trait]
pub trait Documents: Send + Sync {
    /// One document.
    async fn get(&self, projection: &str, version: u16, key: &str) -> Result<Option<Document>, ReadError>;
    /// Those of these documents that there are, in any order. A store that is asked over a network does it in one question.
    async fn get_all(&self, projection: &str, version: u16, keys: &[String]) -> Result<Vec<Document>, ReadError> {
        let mut found = Vec::new();
        for key in keys {
            found.extend(self.get(projection, version, key).await?);
        }
        Ok(found)
    }
    /// A page of documents, by index fields.
    async fn find(&self, find: &Find) -> Result<Vec<Document>, ReadError>;
    /// The first [`FIND_LIMIT_MAX`] keys of a projection that end with this text, in their order. All keys are
    /// searched: a person may wait for that, a handler should not.
    async fn keys_ending(&self, projection: &str, version: u16, ending: &str) -> Result<Vec<String>, ReadError>;
    /// How far a consumer has come; position 0 when it never came.
    async fn checkpoint(&self, consumer: &str) -> Result<Position, ReadError>;
    /// A cached thing: a blob by its hash, or the last snapshot of a stream.
    async fn cached(&self, what: &Cached) -> Result<Option<Payload>, ReadError>;
}

/// What [`Documents::cached`] can be asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cached {
    /// A blob; the answer is its text as a JSON string.
    Blob([u8; 32]),
    /// The snapshot of a stream whose state type has this digest; the answer is `{"version": n, "state": …}`.
    Snapshot {
        /// Which stream.
        stream: StreamId,
        /// Digest of the state's type: another one is a miss.
        digest: String,
    },
}

/// One document of a projection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// Its key.
    pub key: String,
    /// Its content.
    pub body: Payload,
    /// The values of its index fields.
    pub index: Vec<Option<String>>,
}

/// 1,000 rows a page: what a screen, a pipe and a query reply can carry.
pub const FIND_LIMIT_MAX: usize = 1_000;

/// A question for documents: all filters must match; ordered by an index field or by key, then by key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Find {
    /// Which projection.
    pub projection: String,
    /// Which version of it.
    pub version: u16,
    /// `(number of the index field, value)`.
    pub filters: Vec<(usize, String)>,
    /// Which index field orders the page; `None` orders by key.
    pub order_by: Option<usize>,
    /// Largest first.
    pub descending: bool,
    /// Only what comes after the document with this order value and key.
    pub after: Option<(Option<String>, String)>,
    /// At most this many; held at [`FIND_LIMIT_MAX`].
    pub limit: usize,
}

/// Growth of a log.
#[async_trait]
pub trait Tail: Send + Sync {
    /// The last committed position.
    async fn head(&self) -> Result<Position, ReadError>;
    /// Returns as soon as the log has grown past `after`. A cancelled wait loses nothing.
    async fn grown(&self, after: Position) -> Position;
}

/// A lease: which process may try to own a scope, and until when. Time only decides which process tries; two owners are
/// kept apart by the epoch, which every write with a [`Fence`](crate::batch::Fence) of the scope checks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// What is owned, for example `group:7`.
    pub scope: String,
    /// Who took it last.
    pub owner: Uuid,
    /// Grows at every change of hands, and never otherwise.
    pub epoch: Epoch,
    /// How long it still holds, by the store's clock; zero when it ran out or was given back.
    pub left: Duration,
}

/// What an owner asks of the leases of a store.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Claim {
    /// Scopes to take or to keep.
    pub want: Vec<String>,
    /// Scopes to give back, so that another owner need not wait.
    pub leave: Vec<String>,
}

/// Ownership of parts of a store among several processes.
#[async_trait]
pub trait Leases: Send + Sync {
    /// In one transaction: gives back what is left (only if it is the owner's), then takes or renews for `ttl` every
    /// wanted scope that is free, has run out, or is the owner's already. Taking a scope from another owner, also from
    /// one whose lease has run out or who gave it back, raises its epoch and with it the scope's fence: from that commit
    /// on no older epoch can write. Renewing keeps the epoch. Answers with every lease of the store as it then is.
    /// Repeating it is harmless.
    async fn lease(&self, owner: Uuid, claim: &Claim, ttl: Duration) -> Result<Vec<Lease>, ReadError>;
}

/// Everything that one module's store is.
pub trait Store: EventStore + Documents + Tail + Leases + Export + Inspect {}
impl<T: EventStore + Documents + Tail + Leases + Export + Inspect> Store for T {}

/// A store, shared.
pub type SharedStore = Arc<dyn Store>;

/// Opens the store of a module by name. The same name gives the same store; two names never share one.
#[async_trait]
pub trait Stores: Send + Sync {
    /// Opens, migrates and verifies.
    async fn open(&self, module: &str) -> Result<SharedStore, OpenError>;
    /// Whether the store exists, or whether opening would make it. Makes nothing. Of an open store: whether its file is
    /// still in its place, where a store has a file that a person could take away.
    async fn has(&self, module: &str) -> Result<bool, OpenError>;
    /// An existing store, for a start that judges several of them before it opens one: verified like an opening,
    /// refused for the same reasons, and only read. Nothing in it or beside it is written. Until it is opened or
    /// released no other process begins to write it, where a store has one writer.
    async fn peek(&self, module: &str) -> Result<SharedStore, OpenError>;
    /// Lets go of stores that were peeked at and not opened, as if nobody had looked.
    async fn release(&self);
}

/// A place behind a name, where it says more than the name.
fn aside(name: &str, place: &str) -> String {
    if name == place { String::new() } else { format!(" ({place})") }
}

/// Why a store was not opened. Each has an error page.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Another process writes it.
    #[error("{place} is in use by another process")]
    InUse {
        /// The store.
        place: String,
    },
    /// Written so fast that a command that only looks could take no copy of one moment.
    #[error("{place} is being written faster than it can be copied for a look")]
    Restless {
        /// The store.
        place: String,
    },
    /// Written by a newer program.
    #[error("{place} has schema version {found}, this program knows {known}")]
    Newer {
        /// The store.
        place: String,
        /// Its version.
        found: i64,
        /// Ours.
        known: i64,
    },
    /// Cannot be written: folder, rights, disk.
    #[error("{place} cannot be opened: {why}")]
    Unavailable {
        /// The store.
        place: String,
        /// What the system said.
        why: String,
    },
    /// Server and process do not agree on how to trust each other (certificates, encryption, a login of its own kind):
    /// waiting does not help, a person has to.
    #[error("{place} cannot be used as it is configured: {why}")]
    Refused {
        /// The store.
        place: String,
        /// What is wrong, and the next step. Never a secret.
        why: String,
    },
    /// A durability setting is not what was asked for.
    #[error("{place} would not keep its promises: {setting} is {found}, must be {wanted}")]
    Unsafe {
        /// The store.
        place: String,
        /// Which setting.
        setting: String,
        /// What it is.
        found: String,
        /// What it must be.
        wanted: String,
    },
    /// Missing or empty, and it was not always.
    #[error("the store of {module}{} is lost: {why}", aside(.module, .place))]
    Lost {
        /// Whose it was.
        module: String,
        /// Where it should be; the module's name where nothing more is known.
        place: String,
        /// What is known of it.
        why: String,
    },
    /// Another one than belongs there.
    #[error("the store {place} does not belong here: {why}")]
    Strange {
        /// The store.
        place: String,
        /// What it is instead.
        why: String,
    },
    /// Older than what is known of it.
    #[error("the store {place} is older than what others know of it: {why}")]
    Behind {
        /// The store.
        place: String,
        /// What is known.
        why: String,
    },
    /// Damaged.
    #[error("{place} is damaged: {why}")]
    Corrupt {
        /// The store.
        place: String,
        /// What is wrong.
        why: String,
    },
}

/// The time, and waiting for a time.
#[async_trait]
pub trait Clock: Send + Sync {
    /// Now.
    fn now(&self) -> Timestamp;
    /// Returns when `now()` is at or past `due`: for deadlines. A cancelled wait loses nothing.
    async fn sleep_until(&self, due: Timestamp);
    /// Time that only passes: no setting of the clock moves it. From any beginning.
    fn passed(&self) -> Duration {
        Duration::from_micros(u64::try_from(self.now().0).unwrap_or(0))
    }
    /// Lets time pass, however the clock is set meanwhile: for everything that is no deadline.
    async fn pause(&self, time: Duration) {
        self.sleep_until(self.now().plus(time)).await;
    }
}

/// Fresh ids. Called only by the code that writes the first fact with that id.
pub trait Ids: Send + Sync {
    /// A UUID version 7 at the given time.
    fn next(&self, now: Timestamp) -> Uuid;
    /// The same, as an event id.
    fn event(&self, now: Timestamp) -> EventId {
        EventId(self.next(now))
    }
}
