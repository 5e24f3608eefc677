//! Everything of a store beside its log, page by page: what a move into another kind of store takes along, and what a check
//! compares; and what only a store itself can say of how it is kept.

use crate::batch::{Blob, DocumentWrite, Fence, InboxEntry, Mark, Snapshot};
use crate::ports::ReadError;
use async_trait::async_trait;

/// The parts of a store beside its log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The barrier's memory.
    Inbox,
    /// How far consumers have come.
    Marks,
    /// Read models.
    Documents,
    /// Long texts.
    Blobs,
    /// Cached states.
    Snapshots,
    /// Epochs.
    Fences,
}

impl Part {
    /// All of them, in the order of a move.
    pub const ALL: [Part; 6] = [Part::Inbox, Part::Marks, Part::Documents, Part::Blobs, Part::Snapshots, Part::Fences];
}

/// One row of a part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Row {
    /// Of the inbox. Its `unless` is empty: it is a condition of the commit, and not kept.
    Inbox(InboxEntry),
    /// A checkpoint.
    Mark(Mark),
    /// A document; its body is there.
    Document(DocumentWrite),
    /// A blob.
    Blob(Blob),
    /// A snapshot.
    Snapshot(Snapshot),
    /// The newest epoch of a scope.
    Fence(Fence),
}

impl Row {
    /// Its place in the order of its part: the bytes of its key.
    pub fn key(&self) -> Vec<u8> {
        let join = |parts: &[&[u8]]| parts.join(&0);
        match self {
            Row::Inbox(entry) => [*entry.saga.as_bytes(), *entry.key.uuid().as_bytes()].concat(),
            Row::Mark(mark) => mark.consumer.clone().into_bytes(),
            Row::Document(write) => {
                join(&[write.projection.as_bytes(), &write.version.to_be_bytes(), write.key.as_bytes()])
            }
            Row::Blob(blob) => blob.sha256.to_vec(),
            Row::Snapshot(snapshot) => snapshot.stream.as_str().as_bytes().to_vec(),
            Row::Fence(fence) => fence.scope.clone().into_bytes(),
        }
    }
}

/// Something about how a store is kept that is not as it was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flaw {
    /// Table, index, page, trigger, function or role.
    pub place: String,
    /// What is wrong with it.
    pub says: String,
}

/// A store that looks at its own ground.
#[async_trait]
pub trait Inspect: Send + Sync {
    /// Everything below the rows that is not as it was made: pages, indexes, tables, triggers, functions, rights. Reads the
    /// whole store and changes nothing; an empty answer says that nothing was found.
    async fn flaws(&self) -> Result<Vec<Flaw>, ReadError>;
}

/// A store that can be taken apart. Each page is of one moment; that two pages are is for the caller to see to, by keeping
/// everybody from writing.
#[async_trait]
pub trait Export: Send + Sync {
    /// A page of a part in the order of its keys, strictly after a row of an earlier page, at most `limit`.
    async fn rows(&self, part: Part, after: Option<&Row>, limit: usize) -> Result<Vec<Row>, ReadError>;
}
