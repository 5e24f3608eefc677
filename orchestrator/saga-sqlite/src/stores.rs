//! A folder of stores: one file for each module, one writer for each file.

use crate::appender::Appender;
use crate::fault::unreadable;
use crate::store::{Shared, SqliteStore};
use crate::{migrate, open};
use async_trait::async_trait;
use saga_core::appender::Ledger;
use saga_core::ports::{Clock, OpenError, SharedStore, Stores};
use std::collections::BTreeMap;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::sync::Mutex;

/// Opens `<folder>/<module>.db`. The same name gives the same store as long as this value lives.
pub struct SqliteStores {
    folder: PathBuf,
    clock: Arc<dyn Clock>,
    mode: Mode,
    pages_max: Option<u32>,
    open: Mutex<BTreeMap<String, Arc<SqliteStore>>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Write,
    Read,
}

impl SqliteStores {
    /// Stores in a folder, which is made when the first one is opened. The clock stamps what is recorded.
    pub fn new(folder: impl Into<PathBuf>, clock: Arc<dyn Clock>) -> Self {
        Self { folder: folder.into(), clock, mode: Mode::Write, pages_max: None, open: Mutex::default() }
    }
    /// Stores that are only read: for verification, also while another process writes them. Every commit is refused.
    pub fn read_only(folder: impl Into<PathBuf>, clock: Arc<dyn Clock>) -> Self {
        Self { mode: Mode::Read, ..Self::new(folder, clock) }
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
            Mode::Write => self.open_to_write(&file).await?,
            Mode::Read => self.open_to_read(&file).await?,
        };
        let store = Arc::new(store);
        open.insert(module.to_owned(), Arc::clone(&store));
        Ok(store)
    }
    /// Closes every store: waits for what was accepted, moves the write-ahead logs into the files, lets go of the locks.
    pub async fn close(&self) {
        let open = std::mem::take(&mut *self.open.lock().await);
        for store in open.into_values() {
            store.close().await;
        }
    }

    fn file(&self, module: &str) -> Result<PathBuf, OpenError> {
        let legal = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_-".contains(&b);
        let file = self.folder.join(format!("{module}.db"));
        if module.is_empty() || !module.bytes().all(legal) {
            let why = "a module's name has only lower-case letters, digits, _ and -".to_owned();
            return Err(OpenError::Unavailable { place: place(&file), why });
        }
        Ok(file)
    }
    async fn open_to_write(&self, file: &Path) -> Result<SqliteStore, OpenError> {
        let name = place(file);
        let lock = lock(file)?;
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
        let name = place(file);
        let unavailable = |why: String| OpenError::Unavailable { place: name.clone(), why };
        if !file.is_file() {
            return Err(unavailable("there is no such file".to_owned()));
        }
        let readers = open::readers(file);
        let mut connection = readers.acquire().await.map_err(|error| crate::fault::open_error(&name, &error))?;
        if migrate::user_version(&mut connection, &name).await? == 0 {
            return Err(unavailable("it holds no store".to_owned()));
        }
        drop(connection);
        Ok(SqliteStore::readable(readers, name, Arc::clone(&self.clock)))
    }
}

#[async_trait]
impl Stores for SqliteStores {
    async fn open(&self, module: &str) -> Result<SharedStore, OpenError> {
        self.open_store(module).await.map(|store| store as SharedStore)
    }
}

fn place(file: &Path) -> String {
    file.display().to_string()
}

/// Takes the lock that keeps a second writer out. The system lets go of it when the process ends, however it ends.
fn lock(file: &Path) -> Result<File, OpenError> {
    let unavailable =
        |at: &Path, why: std::io::Error| OpenError::Unavailable { place: place(at), why: why.to_string() };
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder).map_err(|why| unavailable(folder, why))?;
    }
    let path = file.with_extension("lock");
    let lock = File::options().create(true).append(true).open(&path).map_err(|why| unavailable(&path, why))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse { place: place(file) }),
        Err(TryLockError::Error(why)) => Err(unavailable(&path, why)),
    }
}
