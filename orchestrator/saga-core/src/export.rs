//! Exports everything of a store beside its log, page by page, for copies and for checks; and reports damage below the
//! rows, which only the store itself can see.

use crate::batch::{Blob, DocumentWrite, Fence, InboxEntry, Mark, Snapshot};
use crate::envelope::sha256;
use crate::ports::ReadError;
use async_trait::async_trait;
use std::collections::BTreeSet;
use std::fmt;

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
    /// One that is there and cannot be read. Those behind it can.
    Damaged(Damaged),
}

/// A row that nobody can have written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damaged {
    /// Its key, in the order of its columns: where the next page begins.
    pub key: Vec<Cell>,
    /// What is wrong with it.
    pub why: String,
}

/// One value of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cell {
    /// An id or a hash.
    Bytes(Vec<u8>),
    /// A name.
    Text(String),
    /// A version.
    Number(i64),
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // An id as people know it.
            Cell::Bytes(bytes) => match uuid::Uuid::from_slice(bytes) {
                Ok(id) => write!(f, "{id}"),
                Err(_) => bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}")),
            },
            Cell::Text(text) => f.write_str(text),
            Cell::Number(number) => write!(f, "{number}"),
        }
    }
}

impl fmt::Display for Damaged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<String> = self.key.iter().map(ToString::to_string).collect();
        f.write_str(&words.join(" "))
    }
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
            Row::Damaged(damaged) => {
                let bytes = |cell: &Cell| match cell {
                    Cell::Bytes(bytes) => bytes.clone(),
                    Cell::Text(text) => text.clone().into_bytes(),
                    Cell::Number(number) => number.to_be_bytes().to_vec(),
                };
                damaged.key.iter().flat_map(bytes).collect()
            }
        }
    }
}

/// The rows at the ends of pages. In a damaged index the row behind the last one may be one that was read before: then
/// there is no end, and the reader has to notice it.
#[derive(Debug, Default)]
pub struct Ends(BTreeSet<[u8; 32]>);

impl Ends {
    /// Whether a page ends with a row with which none has ended yet.
    pub fn is_new(&mut self, row: &Row) -> bool {
        self.0.insert(sha256(format!("{row:?}").as_bytes()))
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
    /// A page of a part in the order of its keys, strictly after a row of an earlier page, at most `limit`. A row that is no such
    /// row is part of the page as [`Row::Damaged`]; only where not even its key can be read, the page is an error.
    async fn rows(&self, part: Part, after: Option<&Row>, limit: usize) -> Result<Vec<Row>, ReadError>;
}
