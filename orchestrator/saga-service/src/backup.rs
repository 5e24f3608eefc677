//! Backs up an embedded installation, also while it runs: `sagactl store backup`.

use crate::accept::no_stores;
use crate::artifacts::FILES;
use crate::config::{Config, StoreKind};
use crate::verify;
use saga::{Error, SystemClock};
use saga_core::codes;
use saga_core::control::ControlError;
use saga_core::ports::OpenError;
use saga_core::view::Verdicts;
use saga_sqlite::SqliteStores;
use std::fs::{self, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

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
/// There is something at that place, it is within what is backed up or no folder at all, the stores are not files, or what could not be read or written.
pub async fn backup(config: &Config, to: &Path) -> Result<BackedUp, ControlError> {
    is_no_address(to)?;
    let kind = config.store_kind().map_err(|why| ControlError::new(codes::CONFIG, why))?;
    let StoreKind::Sqlite(folder) = kind else {
        let message = "the stores are in PostgreSQL, whose own backup has all of them at one moment";
        return Err(
            ControlError::new(codes::WRONG_STATE, message).hint("pg_basebackup, or pg_dump of the whole database")
        );
    };
    is_a_folder_elsewhere(to, [&folder, &config.files.folder.join(FILES)])?;
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
    let copied = stores.backup(unfinished.path()).await.map_err(|why| match why {
        why @ OpenError::InUse { .. } => ControlError::from(Error::Open(why)).hint(
            "nothing may be written there from here, so its process cannot be held for a moment: back up as its user",
        ),
        why => ControlError::from(Error::Open(why)),
    })?;
    if copied.is_empty() {
        return Err(no_stores(&folder.display().to_string()));
    }
    let mut lines: Vec<String> =
        copied.iter().map(|store| format!("{}  {} events", store.module, store.head)).collect();
    // A file is written before the event that names it, so every file that a copied event names is there.
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

/// Refuses what is written like an address: it would become a folder of that name.
fn is_no_address(to: &Path) -> Result<(), ControlError> {
    let text = to.to_string_lossy();
    let Some((scheme, _)) = text.split_once(':') else { return Ok(()) };
    if scheme.len() < 2 || !scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+.-".contains(&byte)) {
        return Ok(());
    }
    // The address may hold a password.
    let message = format!("a backup is a folder, and {scheme}:… is an address");
    Err(ControlError::new(codes::BACKUP_PLACE, message)
        .hint("name a folder that is not there yet           sagactl store backup DIR")
        .hint("stores in PostgreSQL have backups of its own  pg_basebackup, or pg_dump of the whole database")
        .hint("to move stores into PostgreSQL                sagactl store copy --from sqlite:DIR --to postgres://…")
        .hint(format!("for a folder of that name                     ./{scheme}:…")))
}

/// Refuses a place within what is backed up, whichever way it is written: a copy there would be part of itself, and be lost with
/// what it is a copy of.
fn is_a_folder_elsewhere(to: &Path, sources: [&Path; 2]) -> Result<(), ControlError> {
    let place = real(to);
    let within = sources.into_iter().map(real).find(|source| place.starts_with(source));
    within.map_or(Ok(()), |source| {
        let message = format!("{} lies within what is backed up, {}", to.display(), source.display());
        Err(ControlError::new(codes::BACKUP_PLACE, message).hint("name a new folder beside it, or on another disk"))
    })
}

/// The place that a path leads to, also when its end is not there yet.
fn real(path: &Path) -> PathBuf {
    let whole = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let (mut there, mut rest) = (whole.as_path(), Vec::new());
    loop {
        match (fs::canonicalize(there), there.parent(), there.components().next_back()) {
            (Ok(found), ..) => return rest.into_iter().rev().fold(found, into),
            (Err(_), Some(parent), Some(last)) => {
                rest.push(last);
                there = parent;
            }
            (Err(_), ..) => return whole,
        }
    }
}
fn into(place: PathBuf, name: Component<'_>) -> PathBuf {
    match name {
        Component::ParentDir => place.parent().map(Path::to_owned).unwrap_or(place),
        name => place.join(name),
    }
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
