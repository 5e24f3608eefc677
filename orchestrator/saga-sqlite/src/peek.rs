//! An existing store, read in its place before a start decides to write it, and left as it is to the byte.
//!
//! A start judges all of its stores first, and opens none of them when one does not fit. It cannot copy them for that: they may
//! be large. A file without a log beside it is read alone. One with a log is read together with it by a connection that has no
//! locks, keeps the index of the log in its own memory, and may not write the file; the lock of the store is held meanwhile,
//! so nobody writes. What is neither of both is copied: a log that does not certainly hold a commit, a journal of a file that
//! was just being made, tables of an older program.

use crate::fault::{open_error, unreadable};
use crate::lock::Lock;
use crate::migrate::{self, MIGRATIONS};
use crate::open::{self, Ground};
use crate::store::SqliteStore;
use crate::{look, wal};
use saga_core::ports::{Clock, OpenError};
use sqlx::SqlitePool;
use std::path::Path;
use std::sync::Arc;
use tempfile::TempDir;

/// A store that was peeked at, and its lock.
pub(crate) struct Peek {
    pub(crate) store: Arc<SqliteStore>,
    lock: Lock,
    /// Where the copy is, if there had to be one.
    _copy: Option<TempDir>,
}

impl Peek {
    /// Looks at the store in `file` under its lock. What an opening would refuse is refused.
    pub(crate) async fn at(file: &Path, lock: Lock, clock: Arc<dyn Clock>) -> Result<Self, OpenError> {
        let place = file.display().to_string();
        let unavailable = |why: std::io::Error| OpenError::Unavailable { place: place.clone(), why: why.to_string() };
        let own = |readers| SqliteStore::readable(readers, place.clone(), Arc::clone(&clock));
        if let Some(ground) = ground(file).map_err(unavailable)? {
            let readers = open::readers_on(file, ground);
            let known = verified(&readers, &place).await;
            if matches!(known, Ok(true)) {
                return Ok(Self { store: Arc::new(own(readers)), lock, _copy: None });
            }
            // Before anything else has the file: with its last handle all locks of this process on a file are gone.
            readers.close().await;
            known?;
        }
        let folder = look::folder().map_err(unavailable)?;
        let copy = look::copy(file, folder.path()).await?;
        open::prepared(&copy, &place).await?;
        let readers = open::readers(&copy);
        verified(&readers, &place).await?;
        Ok(Self { store: Arc::new(own(readers)), lock, _copy: Some(folder) })
    }
    /// Ends the look, and gives back the lock.
    pub(crate) async fn end(self) -> Lock {
        self.store.close().await;
        self.lock
    }
}

/// How a file can be read in its place; `None`: only a copy of it can be read.
fn ground(file: &Path) -> std::io::Result<Option<Ground>> {
    let log = look::beside(file, look::LOG);
    let is_filled = |path: &Path| path.metadata().is_ok_and(|found| found.len() > 0);
    Ok(match (is_filled(&look::beside(file, look::JOURNAL)), is_filled(&log)) {
        (false, false) => Some(Ground::File),
        // Of a file without a page SQLite removes the log.
        (false, true) if is_filled(file) && wal::has_commit(&log)? => Some(Ground::FileAndLog),
        (false, true) | (true, _) => None,
    })
}

/// Verifies what an opening verifies. `false`: it is well, and its tables are older than this program's.
async fn verified(readers: &SqlitePool, place: &str) -> Result<bool, OpenError> {
    let mut reader = readers.acquire().await.map_err(|error| open_error(place, &error))?;
    if migrate::applied(&mut reader, place).await? < MIGRATIONS.len() {
        return Ok(false);
    }
    let (head, _) = open::ledger(&mut reader, place).await.map_err(|error| unreadable(place, error))?;
    open::verify(&mut reader, place, &head).await?;
    Ok(true)
}
