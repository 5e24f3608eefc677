//! The lock that keeps a second writer out of a store: a file beside it, of which the system lets go when the process ends,
//! however it ends.

use crate::{look, private};
use saga_core::ports::OpenError;
use std::fs::{File, TryLockError};
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Ten tries within a tenth of a second: a process that asks whether a store is in use has its lock for a moment, and
/// is no second writer.
const TRIES_MAX: u32 = 10;
/// Between two tries.
const AGAIN: Duration = Duration::from_millis(10);

/// The lock of a store. A file that was made for it goes away with it, unless the store was opened: then it is kept.
pub(crate) struct Lock {
    /// Held until it is closed, never read.
    _file: File,
    made: Option<PathBuf>,
}

impl Lock {
    /// Takes the lock of the store at `file`, in a folder that is there. Changes nothing but for a file that may be made.
    pub(crate) async fn take(file: &Path) -> Result<Self, OpenError> {
        let path = path(file);
        let unavailable = |why: io::Error| unavailable(&path, &why);
        for tries in 1.. {
            let (lock, made) = open(&path).map_err(unavailable)?;
            match lock.try_lock() {
                // One that was removed before it was had is nobody's: others have the one that took its place.
                Ok(()) if is_at(&lock, &path).map_err(unavailable)? => {
                    return Ok(Self { _file: lock, made: made.then_some(path) });
                }
                Ok(()) | Err(TryLockError::WouldBlock) if tries < TRIES_MAX => look::pause(AGAIN).await,
                Ok(()) | Err(TryLockError::WouldBlock) => break,
                Err(TryLockError::Error(why)) => return Err(unavailable(why)),
            }
        }
        Err(OpenError::InUse { place: file.display().to_string() })
    }
    /// The store is opened to be written: later processes find its lock.
    pub(crate) fn keep(&mut self) {
        self.made = None;
    }
    /// Whether a process has the lock of the store at `file`. Changes nothing.
    pub(crate) fn is_held(file: &Path) -> bool {
        File::open(path(file)).is_ok_and(|lock| matches!(lock.try_lock_shared(), Err(TryLockError::WouldBlock)))
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // While it is still held. If it cannot be removed, an empty file stays, and hinders nobody.
        if let Some(made) = self.made.take() {
            std::fs::remove_file(made).ok();
        }
    }
}

/// Where the lock of a store is.
pub(crate) fn path(file: &Path) -> PathBuf {
    file.with_extension("lock")
}

/// The lock file, and whether it had to be made.
fn open(path: &Path) -> io::Result<(File, bool)> {
    match File::open(path) {
        Err(why) if why.kind() == ErrorKind::NotFound => {
            private::file(path).and_then(|()| Ok((File::open(path)?, true)))
        }
        found => found.map(|file| (file, false)),
    }
}

fn is_at(lock: &File, path: &Path) -> io::Result<bool> {
    let ours = lock.metadata()?;
    match std::fs::metadata(path) {
        Ok(there) => Ok((ours.dev(), ours.ino()) == (there.dev(), there.ino())),
        Err(why) if why.kind() == ErrorKind::NotFound => Ok(false),
        Err(why) => Err(why),
    }
}

fn unavailable(path: &Path, why: &io::Error) -> OpenError {
    OpenError::Unavailable { place: path.display().to_string(), why: why.to_string() }
}
