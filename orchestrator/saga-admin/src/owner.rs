//! The owner of a data folder: `owner.json` names the process and its address while it runs, so that a client finds it.

use crate::client::{AdminClient, Within};
use saga_core::codes;
use saga_core::control::ControlError;
use serde::{Deserialize, Serialize};
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The file's name inside the data folder.
pub const OWNER_FILE: &str = "owner.json";
/// One second is long for a loopback connection; nobody is there after it.
const ALIVE_WITHIN: Duration = Duration::from_secs(1);

/// The process that runs on a data folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// The process.
    pub pid: u32,
    /// Where it answers.
    pub url: String,
    /// Its id, which it says with every answer; older programs have none.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub process: Option<String>,
    /// The folder that this stands in: in a copy of the folder it names another one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub folder: Option<String>,
}

/// 64 KiB of the file are read: it has a hundred bytes.
const BYTES_MAX: u64 = 1 << 16;

/// Which folder this is, wherever it is mounted.
fn identity(data: &Path) -> io::Result<String> {
    let found = std::fs::metadata(data)?;
    Ok(format!("{}:{}", found.dev(), found.ino()))
}

/// The file of this process; removed when dropped, if it is still ours.
#[derive(Debug)]
pub struct OwnerFile {
    path: PathBuf,
    owner: Owner,
}

impl OwnerFile {
    /// Writes the file beside and moves it into place, so that a reader sees all of it or nothing. It is a signpost and
    /// no lock: a process that opens the stores for writing takes their locks first, and then overwrites what a crash
    /// left behind.
    pub fn write(data: &Path, url: &str, process: &str) -> io::Result<Self> {
        let (process, folder) = (Some(process.to_owned()), Some(identity(data)?));
        let owner = Owner { pid: std::process::id(), url: url.to_owned(), process, folder };
        let path = data.join(OWNER_FILE);
        let draft = data.join(format!("{OWNER_FILE}.{}", owner.pid));
        std::fs::write(&draft, serde_json::to_string(&owner)?)?;
        std::fs::rename(&draft, &path)?;
        Ok(Self { path, owner })
    }
    /// Removes the file now and says whether that worked; a file that another process wrote since is left alone.
    pub fn remove(self) -> io::Result<()> {
        self.remove_if_ours()
    }
    fn remove_if_ours(&self) -> io::Result<()> {
        match read(&self.path)? {
            Some(owner) if owner == self.owner => std::fs::remove_file(&self.path),
            _ => Ok(()),
        }
    }
}

impl Drop for OwnerFile {
    fn drop(&mut self) {
        // A file that stays behind is only stale: the next reader notices that nobody answers.
        if let Err(error) = self.remove_if_ours() {
            tracing::warn!(path = %self.path.display(), why = %error, "the owner file stays behind");
        }
    }
}

/// What was found in a data folder.
#[derive(Debug)]
pub enum Found {
    /// No process says that it owns the folder.
    Nobody,
    /// The file names a process that does not answer, or that runs another folder: it died, or the folder was copied.
    Stale(Owner),
    /// A process answers.
    Alive(Owner, AdminClient),
}

/// Looks for the owner of `data`; `within` is for the requests of the client that it may return.
pub async fn find(data: &Path, within: impl Into<Within>) -> Result<Found, ControlError> {
    let path = data.join(OWNER_FILE);
    let owner = match read(&path) {
        Ok(Some(owner)) => owner,
        Ok(None) => return Ok(Found::Nobody),
        Err(error) => {
            let message = format!("{} cannot be read: {error}", path.display());
            return Err(ControlError::new(codes::STORE_UNAVAILABLE, message));
        }
    };
    let elsewhere = owner.folder.as_ref().is_some_and(|folder| identity(data).ok().as_ref() != Some(folder));
    let Ok(probe) = AdminClient::new(&owner.url, ALIVE_WITHIN) else { return Ok(Found::Stale(owner)) };
    if elsewhere || !probe.of_process(owner.process.clone()).is_alive().await {
        return Ok(Found::Stale(owner));
    }
    let client = AdminClient::new(&owner.url, within)?.of_process(owner.process.clone());
    Ok(Found::Alive(owner, client))
}

/// The text of a file; what is none, such as a pipe, is never waited for.
fn text(path: &Path) -> io::Result<String> {
    if !std::fs::metadata(path)?.is_file() {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut text = String::new();
    std::fs::File::open(path)?.take(BYTES_MAX).read_to_string(&mut text)?;
    Ok(text)
}

/// Reads the file; `None` when there is none, or when it is not whole (it then names nobody).
fn read(path: &Path) -> io::Result<Option<Owner>> {
    match text(path) {
        Ok(text) => Ok(serde_json::from_str(&text).ok()),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => Ok(None),
        Err(error) => Err(error),
    }
}
