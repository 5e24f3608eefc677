//! The one write call: a batch is written whole or not at all, and has exactly one of six answers.

use crate::envelope::NewEvent;
use crate::id::{Direction, Epoch, Position, StepKey, StreamId, Version};
use crate::json::{PAYLOAD_BYTES_MAX, Payload};
use crate::outcome::Answer;
use std::fmt;
use uuid::Uuid;

/// 1,000 events: one transaction stays short, and one broker batch can carry what one append wrote.
pub const EVENTS_PER_BATCH_MAX: usize = 1_000;
/// 1,000 documents: the largest page of a projection, so that a rebuild never holds the writer for long.
pub const DOCUMENTS_PER_BATCH_MAX: usize = 1_000;
/// 16 MiB: a blob is a text that is too long for an event, not a video.
pub const BLOB_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Everything that one commit writes.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    /// Appends.
    pub writes: Vec<StreamWrite>,
    /// The barrier's memory of one deed, if this commit answers one.
    pub inbox: Option<InboxEntry>,
    /// Checkpoints that move with this commit.
    pub marks: Vec<Mark>,
    /// Documents that change with this commit.
    pub documents: Vec<DocumentWrite>,
    /// Long texts, stored under their sha256.
    pub blobs: Vec<Blob>,
    /// State of streams, as a cache.
    pub snapshots: Vec<Snapshot>,
    /// Checked in the write itself.
    pub fence: Option<Fence>,
}

impl Batch {
    /// Bytes of everything that it writes: events with their metadata, documents, blobs.
    pub fn bytes(&self) -> usize {
        let events = self.writes.iter().flat_map(|write| &write.events);
        let events: usize = events.map(|event| event.data.as_str().len() + event.meta.as_str().len()).sum();
        let bodies = self.documents.iter().filter_map(|write| write.body.as_ref());
        let bodies: usize = bodies.map(|body| body.as_str().len()).sum();
        events + bodies + self.blobs.iter().map(|blob| blob.bytes.len()).sum::<usize>()
    }
}

/// An append to one stream.
#[derive(Debug, Clone)]
pub struct StreamWrite {
    /// Which stream.
    pub stream: StreamId,
    /// The version it must have; 0 means that it must not exist.
    pub expected: Version,
    /// What to append; may be empty to only guard the version.
    pub events: Vec<NewEvent>,
}

/// What a module remembers of one deed: the row that makes it answer once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InboxEntry {
    /// The saga; for a reactor the event's id, for a person the request's.
    pub saga: Uuid,
    /// The deed.
    pub key: StepKey,
    /// Do or undo.
    pub direction: Direction,
    /// Must not be in the inbox: a deed names its undo, so that a late deed cannot slip past its undo.
    pub unless: Option<StepKey>,
    /// sha256 of the command's payload.
    pub payload_hash: [u8; 32],
    /// The coordinator's epoch that the command carried.
    pub epoch: Epoch,
    /// The answer, given for ever.
    pub answer: Answer,
}

/// How far a consumer has come in one source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// `<consumer>@<source module>`.
    pub consumer: String,
    /// Everything up to here has had its effect. A consumer of events counts in the public sequence of its source, which
    /// is the same on every bus; only a module's relay, which reads its own log, counts in positions.
    pub position: Position,
}

/// How many fields of a document can be searched by.
pub const INDEX_FIELDS_MAX: usize = 4;

/// A change of one document of a projection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentWrite {
    /// Which projection, for example `strategy.shelf`.
    pub projection: String,
    /// Which version of it.
    pub version: u16,
    /// Which document.
    pub key: String,
    /// The new content; `None` removes it.
    pub body: Option<Payload>,
    /// Values of the declared index fields, in their order; at most [`INDEX_FIELDS_MAX`].
    pub index: Vec<Option<String>>,
}

/// A long text, kept beside the log under its own hash: writing it twice is harmless.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blob {
    /// sha256 of the bytes.
    pub sha256: [u8; 32],
    /// The bytes.
    pub bytes: Vec<u8>,
}

/// The folded state of a stream at a version: a cache, thrown away when the type that folded it changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// Which stream.
    pub stream: StreamId,
    /// After which event.
    pub version: Version,
    /// Names the type and shape of the state.
    pub digest: String,
    /// The state.
    pub state: Payload,
}

/// Proof of ownership, checked by the store in the same statement as the write. A higher epoch than known is learnt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fence {
    /// What is owned, for example `group:0`.
    pub scope: String,
    /// The owner's epoch.
    pub epoch: Epoch,
}

/// What became of a commit. Not a `Result`: six answers need six arms, and `?` would hide most of them.
#[must_use]
#[derive(Debug)]
pub enum Commit {
    /// Written, durable, whole. Also the answer to a repeated batch (same event ids): with the first positions.
    Ok(Receipt),
    /// Not written: another writer was faster.
    Conflict(Conflict),
    /// Not written: a newer owner has this scope. Stop, acknowledge nothing.
    Fenced {
        /// The epoch that owns it now.
        current: Epoch,
    },
    /// Not written, and never will be: the batch breaks a limit.
    Rejected(LimitBroken),
    /// Certainly not written: busy, disk full, shutting down. Try again later.
    Retryable(Cause),
    /// May have been written. Read back by event id and inbox key before deciding anything.
    Unknown(Cause),
}

/// Why a commit conflicted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Conflict {
    /// A stream moved on.
    Stream {
        /// Which.
        stream: StreamId,
        /// The version it has.
        actual: Version,
    },
    /// The deed has an answer already: this one, for the payload with this hash.
    Answered {
        /// The answer, given before.
        answer: Answer,
        /// sha256 of the payload it was given to.
        payload_hash: [u8; 32],
    },
    /// The deed's undo is in the inbox already.
    Undone,
}

/// Where a batch went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// The position of the last event, or the head when the batch had none.
    pub last: Position,
    /// The new version of each written stream, in the order of the batch.
    pub versions: Vec<Version>,
}

/// An error from below, as text: stores differ, callers only print it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Cause(pub String);

/// A named limit, and by how much it was broken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LimitBroken {
    /// An event's payload.
    #[error("payload of {name} has {bytes} bytes, at most {PAYLOAD_BYTES_MAX} are allowed")]
    Payload {
        /// Event name.
        name: String,
        /// Its size.
        bytes: usize,
    },
    /// Events in one batch.
    #[error("{events} events in one append, at most {EVENTS_PER_BATCH_MAX} are allowed")]
    Events {
        /// How many.
        events: usize,
    },
    /// Documents in one batch.
    #[error("{documents} documents in one commit, at most {DOCUMENTS_PER_BATCH_MAX} are allowed")]
    Documents {
        /// How many.
        documents: usize,
    },
    /// Index fields of one document.
    #[error("{fields} index fields, at most {INDEX_FIELDS_MAX} are allowed")]
    IndexFields {
        /// How many.
        fields: usize,
    },
    /// A blob.
    #[error("blob has {bytes} bytes, at most {BLOB_BYTES_MAX} are allowed")]
    Blob {
        /// Its size.
        bytes: usize,
    },
    /// The same stream twice in one batch: its expected versions could not both be meant.
    #[error("stream {stream} stands twice in one batch")]
    StreamTwice {
        /// Which.
        stream: StreamId,
    },
    /// Something that this kind of store can never keep, such as a NUL in a key or a key longer than an index page.
    #[error("the store can never keep this: {why}")]
    Unstorable {
        /// What the store said.
        why: String,
    },
}

impl Batch {
    /// Checks every named limit. Stores call this first, so that a batch is refused whole.
    pub fn check(&self) -> Result<(), LimitBroken> {
        let events: usize = self.writes.iter().map(|write| write.events.len()).sum();
        if events > EVENTS_PER_BATCH_MAX {
            return Err(LimitBroken::Events { events });
        }
        if self.documents.len() > DOCUMENTS_PER_BATCH_MAX {
            return Err(LimitBroken::Documents { documents: self.documents.len() });
        }
        for event in self.writes.iter().flat_map(|write| &write.events) {
            let bytes = event.data.as_str().len();
            if bytes > PAYLOAD_BYTES_MAX {
                return Err(LimitBroken::Payload { name: event.name.to_owned(), bytes });
            }
        }
        if let Some(fields) = self.documents.iter().map(|doc| doc.index.len()).find(|n| *n > INDEX_FIELDS_MAX) {
            return Err(LimitBroken::IndexFields { fields });
        }
        if let Some(bytes) = self.blobs.iter().map(|blob| blob.bytes.len()).find(|n| *n > BLOB_BYTES_MAX) {
            return Err(LimitBroken::Blob { bytes });
        }
        for (at, write) in self.writes.iter().enumerate() {
            if self.writes[..at].iter().any(|earlier| earlier.stream == write.stream) {
                return Err(LimitBroken::StreamTwice { stream: write.stream.clone() });
            }
        }
        Ok(())
    }
    /// How many events it holds.
    pub fn event_count(&self) -> usize {
        self.writes.iter().map(|write| write.events.len()).sum()
    }
}

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Conflict::Stream { stream, actual } => write!(f, "stream {stream} is at version {actual}"),
            Conflict::Answered { .. } => f.write_str("the deed has an answer already"),
            Conflict::Undone => f.write_str("the deed was undone before it arrived"),
        }
    }
}
