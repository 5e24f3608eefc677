//! Files that events name stand outside of the stores: each must still be there, with the bytes that it is named by.

use crate::config::{Config, StoreKind};
use crate::providers::files_local::LocalFiles;
use delivery::api::providers::FileStore as _;
use events::delivery::{Artifact, PackageEvent};
use saga_core::envelope::sha256_hex;
use saga_core::event::EventSet as _;
use saga_core::id::Position;
use saga_core::ports::SharedStore;
use saga_core::view::{Finding, Verdicts};
use saga_engine::audit::Opened;
use saga_engine::journal::LOG_PAGE;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

mod face;
pub(crate) use face::WithFiles;

/// O5: what an event names outside of the stores is there as it was.
const PROMISE: &str = "O5";
/// The module whose events name files.
const MODULE: &str = "delivery";
/// Where its files lie in the folder of files.
pub(crate) const FILES: &str = "files";
/// 256 MiB: no file that is delivered is larger, and nothing larger is read into memory.
const FILE_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// Looks for every file that the log of deliveries names: by its digest among the files of this configuration, or else, where
/// those may be on another machine, at its address. Reads only.
pub(crate) async fn compare(config: &Config, stores: &[(String, Opened)], verdicts: &mut Verdicts) {
    let log = stores.iter().find_map(|(name, opened)| match opened {
        Opened::There(store) if name == MODULE => Some(store),
        Opened::There(_) | Opened::Missing(_) | Opened::Unread(_) | Opened::Foreign => None,
    });
    if let Some(log) = log {
        Place::of(config).compare(log, verdicts).await;
    }
}

/// The folders that are searched for files.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    folder: PathBuf,
    /// Beside SQLite files everything is on this machine; elsewhere a folder that is not here may be on another one.
    is_local: bool,
}

impl Place {
    /// As a configuration says.
    pub(crate) fn of(config: &Config) -> Self {
        let is_local = matches!(config.store_kind(), Ok(StoreKind::Sqlite(_)));
        Self { folder: config.files.folder.join(FILES), is_local }
    }
    /// Looks for every file that a log names. Reads only.
    async fn compare(&self, log: &SharedStore, verdicts: &mut Verdicts) {
        let (files, mut seen, mut away) = (LocalFiles::new(&self.folder), BTreeSet::new(), 0_u64);
        let is_here = self.folder.is_dir() || self.is_local;
        let mut at = Position::ZERO;
        // What of the log cannot be read is told by the check of the log.
        while let Some((page, last)) = page(log, at).await {
            at = last;
            for (position, artifact) in page {
                if !seen.insert(artifact.sha256.clone()) {
                    continue;
                }
                let Some(says) = wrong(&files, &artifact, self.is_local).await else { continue };
                if !is_here {
                    away += 1;
                    continue;
                }
                let place = format!("{MODULE}:{position}, file {} {}", artifact.name, artifact.sha256);
                let says = format!("{says}; looked for in {} and at {}", self.folder.display(), artifact.url);
                verdicts.findings.push(Finding { promise: PROMISE.to_owned(), place, says });
            }
        }
        if away > 0 {
            let says = format!(
                "not compared: {away} files that events name; their folder {} is not here",
                self.folder.display()
            );
            verdicts.notes.push(says);
        }
        verdicts.promises.push(PROMISE.to_owned());
    }
}

/// The files that the next page of a log names, and where that page ends; `None` behind the last one.
async fn page(log: &SharedStore, at: Position) -> Option<(Vec<(Position, Artifact)>, Position)> {
    let page = log.read_log(at, LOG_PAGE).await.ok()?;
    let last = page.last()?.position;
    let named = page.iter().filter_map(|event| match PackageEvent::of(event) {
        Ok(PackageEvent::PackageCreated(package)) => Some((event.position, package.artifacts)),
        Ok(_) | Err(_) => None,
    });
    Some((named.flat_map(|(at, files)| files.into_iter().map(move |file| (at, file))).collect(), last))
}

/// What is wrong with a file; `None`: its bytes are there.
async fn wrong(files: &LocalFiles, artifact: &Artifact, is_local: bool) -> Option<String> {
    let kept = files.get(&artifact.sha256).await;
    if matches!(kept, Ok(Some(_))) {
        return None;
    }
    let changed = files.has_any(&artifact.sha256).await;
    match (at_address(artifact).await, kept) {
        (Ok(true), _) if is_local && changed => Some(
            "it has other bytes than those that it is named by; those at the address where it was delivered are right"
                .to_owned(),
        ),
        // A copy of the stores has the addresses of what it is a copy of, and their files are not its own.
        (Ok(true), _) if is_local => {
            Some("it is not in this folder, only at the address where it was delivered".to_owned())
        }
        (Ok(true), _) => None,
        (Ok(false), _) => Some("it has other bytes than those that it is named by".to_owned()),
        (Err(_), _) if changed => Some("it has other bytes than those that it is named by".to_owned()),
        (Err(_), Err(why)) => Some(format!("it cannot be read: {why:?}")),
        (Err(why), Ok(_)) => Some(format!("it is missing: {why}")),
    }
}

/// Whether the file at an address has the bytes that it is named by.
async fn at_address(artifact: &Artifact) -> Result<bool, String> {
    let path = artifact.url.strip_prefix("file://").ok_or("its address is of another machine")?;
    let found = tokio::fs::metadata(Path::new(path)).await.map_err(|why| why.to_string())?;
    if !found.is_file() || found.len() > FILE_BYTES_MAX {
        return Err("what lies at its address is no file that was delivered".to_owned());
    }
    let bytes = tokio::fs::read(path).await.map_err(|why| why.to_string())?;
    Ok(sha256_hex(&bytes) == artifact.sha256)
}
