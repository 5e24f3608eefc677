//! A folder of stores: one file for each module, one writer for each file.

use crate::appender::Appender;
use crate::fault::unreadable;
use crate::store::{Shared, SqliteStore};
use crate::whose::Whose;
use crate::{look, migrate, open, private};
use async_trait::async_trait;
use saga_core::appender::Ledger;
use saga_core::ports::{Clock, OpenError, SharedStore, Stores};
use sqlx::Connection as _;
use std::collections::BTreeMap;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::sync::{Mutex, OnceCell};

/// Ten tries within a tenth of a second: whoever asks whether a store is in use has its lock for a moment, and is no second
/// writer.
const LOCK_TRIES_MAX: u32 = 10;
/// Between two tries.
const LOCK_AGAIN: Duration = Duration::from_millis(10);

/// Opens `<folder>/<module>.db`. The same name gives the same store as long as this value lives.
pub struct SqliteStores {
    folder: PathBuf,
    clock: Arc<dyn Clock>,
    mode: Mode,
    pages_max: Option<u32>,
    open: Mutex<BTreeMap<String, Arc<SqliteStore>>>,
    /// Where the copies are, for whoever only looks.
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
        Self { folder, clock, mode, pages_max: None, open: Mutex::default(), copies: OnceCell::new() }
    }
    /// Stores that are only read, for verification: each is copied to a private place when it is opened, also while another
    /// process writes it or where nobody may write, and is as it was at that moment. Nothing in the folder is touched. Every
    /// commit is refused.
    pub fn read_only(folder: impl Into<PathBuf>, clock: Arc<dyn Clock>) -> Self {
        Self { mode: Mode::Read, ..Self::new(folder, clock) }
    }
    /// The same for whoever must bring read models up to date before looking at them: commits change the copy alone, and
    /// nobody ever sees them. The end of the log is verified as at a start.
    pub fn look(folder: impl Into<PathBuf>, clock: Arc<dyn Clock>) -> Self {
        Self { mode: Mode::Look, ..Self::new(folder, clock) }
    }
    /// Whether a process has the store of a module open to write it, whether or not it answers anybody. Changes nothing; a
    /// process that opens the store in the same moment is not refused because of it.
    pub fn is_held(folder: &Path, module: &str) -> bool {
        let lock = File::open(folder.join(format!("{module}.lock")));
        lock.is_ok_and(|lock| matches!(lock.try_lock_shared(), Err(TryLockError::WouldBlock)))
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
                self.open_to_write(&file, place(&file)).await?
            }
            Mode::Read => self.open_to_read(&file).await?,
            Mode::Look => self.open_to_write(&self.copy(&file).await?, place(&file)).await?,
        };
        let store = Arc::new(store);
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
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
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
        let mut connection = open::writer(&copy, &place(file), None).await?;
        if migrate::applied(&mut connection, &place(file)).await? == 0 {
            return Err(unavailable("it holds no store".to_owned()));
        }
        migrate::migrate(&mut connection, &place(file)).await?;
        connection.close().await.map_err(|error| crate::fault::open_error(&place(file), &error))?;
        Ok(copy)
    }
    async fn open_to_write(&self, file: &Path, name: String) -> Result<SqliteStore, OpenError> {
        let lock = lock(file).await?;
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

#[async_trait]
impl Stores for SqliteStores {
    async fn open(&self, module: &str) -> Result<SharedStore, OpenError> {
        self.open_store(module).await.map(|store| store as SharedStore)
    }
    async fn has(&self, module: &str) -> Result<bool, OpenError> {
        let file = self.file(module)?;
        let whose = Whose::of(&file).await?;
        // A file in which nothing was made yet is no store: opening makes one of it.
        whose.refused(&place(&file)).map(|()| whose != Whose::Nobodys)
    }
}

fn place(file: &Path) -> String {
    file.display().to_string()
}

/// Takes the lock that keeps a second writer out. The system lets go of it when the process ends, however it ends.
async fn lock(file: &Path) -> Result<File, OpenError> {
    let unavailable =
        |at: &Path, why: std::io::Error| OpenError::Unavailable { place: place(at), why: why.to_string() };
    if let Some(folder) = file.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        private::folder(folder).map_err(|why| unavailable(folder, why))?;
    }
    let path = file.with_extension("lock");
    private::file(&path).map_err(|why| unavailable(&path, why))?;
    let lock = File::options().append(true).open(&path).map_err(|why| unavailable(&path, why))?;
    for _ in 1..LOCK_TRIES_MAX {
        match lock.try_lock() {
            Err(TryLockError::WouldBlock) => look::pause(LOCK_AGAIN).await,
            Ok(()) | Err(TryLockError::Error(_)) => break,
        }
    }
    match lock.try_lock() {
        Ok(()) => private::file(file).map(|()| lock).map_err(|why| unavailable(file, why)),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse { place: place(file) }),
        Err(TryLockError::Error(why)) => Err(unavailable(&path, why)),
    }
}
