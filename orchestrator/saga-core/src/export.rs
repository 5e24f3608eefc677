//! Everything of a store beside its log, page by page: what a move into another kind of store takes along.

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

/// A store that can be taken apart. Each page is of one moment; that two pages are is for the caller to see to, by keeping
/// everybody from writing.
#[async_trait]
pub trait Export: Send + Sync {
    /// A page of a part in the order of its keys, strictly after a row of an earlier page, at most `limit`.
    async fn rows(&self, part: Part, after: Option<&Row>, limit: usize) -> Result<Vec<Row>, ReadError>;
}
