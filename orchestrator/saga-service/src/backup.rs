//! Backs up an embedded installation, also while it runs: `sagactl store backup`.

use crate::config::{Config, StoreKind};
use crate::service::fault;
use crate::verify;
use saga::{Error, SystemClock};
use saga_core::codes;
use saga_core::control::ControlError;
use saga_core::view::Verdicts;
use saga_sqlite::SqliteStores;
use std::fs::{self, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;

/// Where the files of providers lie in a data folder.
const FILES: &str = "files";

/// What was backed up, and what the check of it found.
pub struct BackedUp {
    /// A line for each store, and for the files.
    pub lines: Vec<String>,
    /// The check of the copy.
    pub verdicts: Verdicts,
}

/// Copies every store of a folder as all of them were at one moment, and the files beside them, into a new folder; then checks
/// the copy. The folder appears whole or not at all, and nobody else may read it.
///
/// # Errors
/// There is something at that place, the stores are not files, or what could not be read or written.
pub async fn backup(config: &Config, to: &Path) -> Result<BackedUp, ControlError> {
    let kind = config.store_kind().map_err(|why| ControlError::new(codes::CONFIG, why))?;
    let StoreKind::Sqlite(folder) = kind else {
        let message = "the stores are in PostgreSQL, whose own backup has all of them at one moment";
        return Err(
            ControlError::new(codes::WRONG_STATE, message).hint("pg_basebackup, or pg_dump of the whole database")
        );
    };
    let failed = |why: io::Error| {
        ControlError::new(codes::STORE_UNAVAILABLE, format!("no backup in {}: {why}", to.display()))
            .hint("name a new folder on a disk with room")
    };
    let taken = ControlError::new(codes::WRONG_STATE, format!("there is something in {} already", to.display()))
        .hint("name a folder that is not there yet");
    if !is_free(to).map_err(failed)? {
        return Err(taken);
    }
    let parent = to.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(parent).map_err(failed)?;
    let private = Permissions::from_mode(0o700);
    let unfinished = tempfile::Builder::new().prefix(".backup-").permissions(private).tempdir_in(parent);
    let unfinished = unfinished.map_err(failed)?;
    let stores = SqliteStores::new(&folder, Arc::new(SystemClock));
    let copied = stores.backup(unfinished.path()).await.map_err(|why| fault(&Error::Open(why)))?;
    if copied.is_empty() {
        let message = format!("there are no stores in {}", folder.display());
        return Err(ControlError::new(codes::STORE_UNAVAILABLE, message).hint("name another folder: --data DIR"));
    }
    let mut lines: Vec<String> =
        copied.iter().map(|store| format!("{}  {} events", store.module, store.head)).collect();
    // A file is written before the event that names it, and those who are named by what was copied stay.
    let (from, beside) = (config.files.folder.join(FILES), unfinished.path().join(FILES));
    let files = tokio::task::spawn_blocking(move || copy_files(&from, &beside)).await;
    let files = files.map_err(io::Error::other).and_then(|files| files).map_err(failed)?;
    lines.push(format!("{FILES}  {files}"));
    let verdicts = verify::folder(unfinished.path(), false).await?;
    // An empty folder is replaced, one that was filled meanwhile is not.
    fs::rename(unfinished.path(), to).map_err(failed)?;
    let _moved = unfinished.keep();
    fs::File::open(parent).and_then(|parent| parent.sync_all()).map_err(failed)?;
    Ok(BackedUp { lines, verdicts })
}

/// Whether nothing is there, or an empty folder.
fn is_free(to: &Path) -> io::Result<bool> {
    match fs::read_dir(to) {
        Ok(mut entries) => Ok(entries.next().is_none()),
        Err(why) if why.kind() == ErrorKind::NotFound => Ok(true),
        Err(why) if why.kind() == ErrorKind::NotADirectory => Ok(false),
        Err(why) => Err(why),
    }
}

/// Copies a folder of plain files, flushed; links are nobody's here, and unfinished files are left. Says how many it were.
fn copy_files(from: &Path, to: &Path) -> io::Result<u64> {
    let entries = match fs::read_dir(from) {
        Ok(entries) => entries,
        Err(why) if matches!(why.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Ok(0),
        Err(why) => return Err(why),
    };
    fs::create_dir_all(to)?;
    let mut copied = 0;
    for entry in entries {
        let entry = entry?;
        let (kind, target) = (entry.file_type()?, to.join(entry.file_name()));
        if kind.is_dir() {
            copied += copy_files(&entry.path(), &target)?;
        } else if kind.is_file() && !entry.file_name().to_string_lossy().starts_with('.') {
            fs::copy(entry.path(), &target)?;
            fs::File::open(&target)?.sync_all()?;
            copied += 1;
        }
    }
    fs::File::open(to)?.sync_all()?;
    Ok(copied)
}
