//! A folder of stores: one file for each module, one writer for each file.

use crate::appender::Appender;
use crate::fault::unreadable;
use crate::lock::{self, Lock};
use crate::peek::Peek;
use crate::store::{Shared, SqliteStore};
use crate::whose::Whose;
use crate::{look, migrate, open, private};
use async_trait::async_trait;
use saga_core::appender::Ledger;
use saga_core::ports::{Clock, OpenError, SharedStore, Stores};
use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tempfile::TempDir;
use tokio::sync::{Mutex, OnceCell};

/// Opens `<folder>/<module>.db`. The same name gives the same store as long as this value lives.
pub struct SqliteStores {
    folder: PathBuf,
    clock: Arc<dyn Clock>,
    mode: Mode,
    pages_max: Option<u32>,
    open: Mutex<BTreeMap<String, Arc<SqliteStore>>>,
    /// Which file each of the open ones was, by device and number.
    files: Mutex<BTreeMap<String, (u64, u64)>>,
    /// The stores that were peeked at and not opened yet.
    peeks: Mutex<BTreeMap<String, Peek>>,
    /// The folder of the private copies, for commands that only look.
    copies: OnceCell<TempDir>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// In the folder itself.
    Write,
    /// A copy, and commits are refused.
    Read,
    /// A copy, and commits change the copy.
    Look,
}

impl SqliteStores {
    /// Stores in a folder, which is made when the first one is opened. The clock stamps what is recorded.
    pub fn new(folder: impl Into<PathBuf>, clock: Arc<dyn Clock>) -> Self {
        let (folder, mode) = (folder.into(), Mode::Write);
        let (open, files, peeks) = (Mutex::default(), Mutex::default(), Mutex::default());
        Self { folder, clock, mode, pages_max: None, open, files, peeks, copies: OnceCell::new() }
    }
    /// Stores that are only read, for verification: each is copied to a private place when it is opened, also while another
    /// process writes it or where nobody may write, and is as it was at that moment. Nothing in the folder is touched. Every
    /// commit is refused.
    pub fn read_only(folder: impl Into<PathBuf>, clock: Arc<dyn Clock>) -> Self {
        Self { mode: Mode::Read, ..Self::new(folder, clock) }
    }
    /// The same for a command that must bring read models up to date before it looks at them: commits change the copy
    /// alone, and no other process ever sees them. The end of the log is verified as at a start.
    pub fn look(folder: impl Into<PathBuf>, clock: Arc<dyn Clock>) -> Self {
        Self { mode: Mode::Look, ..Self::new(folder, clock) }
    }
    /// Whether a process has the store of a module open to write it, whether or not it answers anybody. Changes nothing; a
    /// process that opens the store in the same moment is not refused because of it.
    pub fn is_held(folder: &Path, module: &str) -> bool {
        Lock::is_held(&folder.join(format!("{module}.db")))
    }
    /// A quota: no file grows beyond this many pages of 4 KiB; then commits answer that the disk is full.
    #[must_use]
    pub fn with_pages_max(self, pages: u32) -> Self {
        Self { pages_max: Some(pages), ..self }
    }
    /// Opens, migrates and verifies the store of a module.
    pub async fn open_store(&self, module: &str) -> Result<Arc<SqliteStore>, OpenError> {
        let mut open = self.open.lock().await;
        if let Some(store) = open.get(module) {
            return Ok(Arc::clone(store));
        }
        let file = self.file(module)?;
        let store = match self.mode {
            Mode::Write => {
                Whose::of(&file).await?.refused(&place(&file))?;
                let lock = match self.peeks.lock().await.remove(module) {
                    Some(peek) => Some(peek.end().await),
                    None => None,
                };
                self.open_to_write(&file, place(&file), lock).await?
            }
            Mode::Read => self.open_to_read(&file).await?,
            Mode::Look => self.open_to_write(&self.copy(&file).await?, place(&file), None).await?,
        };
        let store = Arc::new(store);
        if let (Mode::Write, Some(which)) = (self.mode, which(&file).await) {
            self.files.lock().await.insert(module.to_owned(), which);
        }
        open.insert(module.to_owned(), Arc::clone(&store));
        Ok(store)
    }
    /// The modules that have a file in the folder, whatever is in it; in the order of their names. A folder that is not there
    /// has none.
    ///
    /// # Errors
    /// `Unavailable` when the folder cannot be read.
    pub fn modules(&self) -> Result<Vec<String>, OpenError> {
        let unavailable =
            |why: std::io::Error| OpenError::Unavailable { place: place(&self.folder), why: why.to_string() };
        let entries = match std::fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(why) if why.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(why) => return Err(unavailable(why)),
        };
        let mut modules = Vec::new();
        for entry in entries {
            let path = entry.map_err(unavailable)?.path();
            let name = path.file_stem().and_then(|name| name.to_str()).unwrap_or_default();
            if path.extension().is_some_and(|kind| kind == "db") && self.file(name).is_ok() {
                modules.push(name.to_owned());
            }
        }
        modules.sort_unstable();
        Ok(modules)
    }
    /// Closes every store: waits for what was accepted, moves the write-ahead logs into the files, lets go of the locks.
    pub async fn close(&self) {
        let open = std::mem::take(&mut *self.open.lock().await);
        for store in open.into_values() {
            store.close().await;
        }
        self.files.lock().await.clear();
        self.end_peeks().await;
    }

    async fn end_peeks(&self) {
        let peeks = std::mem::take(&mut *self.peeks.lock().await);
        for peek in peeks.into_values() {
            drop(peek.end().await);
        }
    }
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }
    pub(crate) fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.clock)
    }
    pub(crate) fn file(&self, module: &str) -> Result<PathBuf, OpenError> {
        let legal = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_-".contains(&b);
        let file = self.folder.join(format!("{module}.db"));
        if module.is_empty() || !module.bytes().all(legal) {
            let why = "a module's name has only lower-case letters, digits, _ and -".to_owned();
            return Err(OpenError::Unavailable { place: place(&file), why });
        }
        Ok(file)
    }
    /// A copy of a store that is there, with tables as this program knows them.
    async fn copy(&self, file: &Path) -> Result<PathBuf, OpenError> {
        let unavailable = |why: String| OpenError::Unavailable { place: place(file), why };
        let made = async || look::folder().map_err(|why| unavailable(format!("no folder for a copy: {why}")));
        let folder = self.copies.get_or_try_init(made).await?;
        let copy = look::copy(file, folder.path()).await?;
        open::prepared(&copy, &place(file)).await?;
        Ok(copy)
    }
    /// Under the lock that a look has left, or one that is taken now.
    async fn open_to_write(&self, file: &Path, name: String, lock: Option<Lock>) -> Result<SqliteStore, OpenError> {
        let unavailable =
            |at: &Path, why: std::io::Error| OpenError::Unavailable { place: place(at), why: why.to_string() };
        if let Some(folder) = file.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            private::folder(folder).map_err(|why| unavailable(folder, why))?;
        }
        let mut lock = match lock {
            Some(lock) => lock,
            None => Lock::take(file).await?,
        };
        for file in [&lock::path(file), file] {
            private::file(file).map_err(|why| unavailable(file, why))?;
        }
        lock.keep();
        let mut connection = open::writer(file, &name, self.pages_max).await?;
        migrate::migrate(&mut connection, &name).await?;
        let (head, fences) = open::ledger(&mut connection, &name).await.map_err(|error| unreadable(&name, error))?;
        open::verify(&mut connection, &name, &head).await?;
        let seen = open::seen(&mut connection, &name).await?;
        let shared = Arc::new(Shared::new(head.position, seen));
        let appender = Appender {
            connection,
            ledger: Some(Ledger::new(head, fences)),
            shared: Arc::clone(&shared),
            clock: Arc::clone(&self.clock),
            file: file.to_owned(),
            place: name.clone(),
            pages_max: self.pages_max,
            lock,
        };
        Ok(SqliteStore::writable(shared, open::readers(file), name, Arc::clone(&self.clock), appender))
    }
    async fn open_to_read(&self, file: &Path) -> Result<SqliteStore, OpenError> {
        let copy = self.copy(file).await?;
        Ok(SqliteStore::readable(open::readers(&copy), place(file), Arc::clone(&self.clock)))
    }
}

/// Which file lies there: its device and number; nothing where none does.
async fn which(file: &Path) -> Option<(u64, u64)> {
    let found = tokio::fs::metadata(file).await.ok()?;
    Some((found.dev(), found.ino()))
}

#[async_trait]
impl Stores for SqliteStores {
    async fn open(&self, module: &str) -> Result<SharedStore, OpenError> {
        self.open_store(module).await.map(|store| store as SharedStore)
    }
    async fn has(&self, module: &str) -> Result<bool, OpenError> {
        let file = self.file(module)?;
        // The file of an open store is only asked for, never opened: closing it again would let go of SQLite's locks.
        if let Some(opened) = self.files.lock().await.get(module) {
            return Ok(which(&file).await.as_ref() == Some(opened));
        }
        let whose = Whose::of(&file).await?;
        // A file in which nothing was made yet is no store: opening makes one of it.
        whose.refused(&place(&file)).map(|()| whose != Whose::Nobodys)
    }
    async fn peek(&self, module: &str) -> Result<SharedStore, OpenError> {
        if self.mode != Mode::Write {
            return self.open(module).await;
        }
        if let Some(store) = self.open.lock().await.get(module) {
            return Ok(Arc::clone(store) as SharedStore);
        }
        let file = self.file(module)?;
        Whose::of(&file).await?.refused(&place(&file))?;
        let mut peeks = self.peeks.lock().await;
        // Another peek sees what is there now.
        let lock = match peeks.remove(module) {
            Some(peek) => peek.end().await,
            None => Lock::take(&file).await?,
        };
        let peek = Peek::at(&file, lock, Arc::clone(&self.clock)).await?;
        let store = Arc::clone(&peek.store);
        peeks.insert(module.to_owned(), peek);
        Ok(store)
    }
    async fn release(&self) {
        self.end_peeks().await;
    }
}

fn place(file: &Path) -> String {
    file.display().to_string()
}
