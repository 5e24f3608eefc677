//! The password of a role on its way into a file and the server, so that a kill in between locks nobody out.

use super::MigrateError;
use super::scram::{SALT_BYTES, is_of, verifier};
use crate::access::password_file;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// 32 bytes: as many as the hash that the server keeps of it.
const RANDOM_BYTES: usize = 32;

/// A password that the server is about to be told.
pub(super) struct Password {
    verifier: String,
    /// Written and flushed before the server is told; becomes `file` afterwards.
    fresh: PathBuf,
    file: PathBuf,
}

/// What a server has of a role's password.
pub(super) enum Kept {
    /// There is no such role yet.
    Nothing,
    /// It does not show us.
    Unseen,
    /// This, or an empty text for none.
    Verifier(String),
}

impl Password {
    /// The password to tell the server, or `None` when it knows the one in the file. Whether it does is compared, for a role
    /// may change its own; where that cannot be seen it is told again, which harms nobody.
    pub(super) fn of(folder: &Path, role: &str, kept: &Kept) -> Result<Option<Self>, MigrateError> {
        let file = password_file(folder, role);
        let fresh = file.with_extension("password.new");
        // One that was left by a migration which was killed: whether the server has it is not known, so it is told again.
        if let Some(text) = at(&fresh, read(&fresh))? {
            return Self::told(&text, fresh, file).map(Some);
        }
        match at(&file, read(&file))? {
            Some(text) if matches!(kept, Kept::Verifier(kept) if is_of(kept, &text)) => Ok(None),
            // The role is new in this server, or has another: it gets what is known already.
            Some(text) => Self::told(&text, fresh, file).map(Some),
            None => {
                let text = at(&file, random::<RANDOM_BYTES>())?.map(|byte| format!("{byte:02x}")).concat();
                at(&fresh, write(folder, &fresh, &text))?;
                Self::told(&text, fresh, file).map(Some)
            }
        }
    }
    fn told(text: &str, fresh: PathBuf, file: PathBuf) -> Result<Self, MigrateError> {
        let salt = at(&file, random::<SALT_BYTES>())?;
        let verifier = verifier(text, &salt).ok_or_else(|| io::Error::other("no verifier can be made of the password"));
        Ok(Self { verifier: at(&file, verifier)?, fresh, file })
    }
    /// What the server is told: enough to check the password, too little to be it. Only letters, digits and `$:+/=-`.
    pub(super) fn verifier(&self) -> &str {
        &self.verifier
    }
    /// The server has it.
    pub(super) fn keep(self) -> Result<(), MigrateError> {
        // One that was there from the beginning may lie in a folder that nobody may write.
        if !at(&self.fresh, self.fresh.try_exists())? {
            return Ok(());
        }
        at(&self.file, fs::rename(&self.fresh, &self.file))
    }
}

fn at<T>(file: &Path, outcome: io::Result<T>) -> Result<T, MigrateError> {
    outcome.map_err(|source| MigrateError::Password { file: file.display().to_string(), source })
}
fn read(file: &Path) -> io::Result<Option<String>> {
    match fs::read_to_string(file) {
        Ok(text) => Ok(Some(text.trim_end().to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
fn random<const N: usize>() -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes)
}
/// Whole or not at all: a file of this name is never half a password.
fn write(folder: &Path, fresh: &Path, text: &str) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let unfinished = fresh.with_extension("unfinished");
    let mut file = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&unfinished)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&unfinished, fresh)?;
    File::open(folder)?.sync_all()
}
