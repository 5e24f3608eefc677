//! Where a measurement writes: a fresh folder on a real disk, removed afterwards, or memory.

use crate::bench::BenchError;
use crate::bench::report::{Row, ratio};
use saga::SystemClock;
use saga_core::memory::MemoryStores;
use saga_core::ports::Stores;
use saga_sqlite::{SqliteStores, Stats, durability};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Where to measure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// Without any durability: what the engine costs by itself.
    Memory,
    /// SQLite files in a fresh folder in this one.
    Sqlite(PathBuf),
}

static FOLDERS: AtomicU64 = AtomicU64::new(0);

/// A folder of its own; it goes when this goes.
#[derive(Debug)]
pub struct Folder(PathBuf);

impl Folder {
    /// Makes one. A file system that lives in memory is refused: it would flatter every number.
    pub fn new(within: &Path) -> Result<Self, BenchError> {
        let place = within.display().to_string();
        let failed = |why: std::io::Error| BenchError::Folder { place: place.clone(), why: why.to_string() };
        let mine = FOLDERS.fetch_add(1, Ordering::Relaxed);
        let path = within.join(format!("bench-{}-{mine}", std::process::id()));
        std::fs::create_dir_all(&path).map_err(failed)?;
        let folder = Self(path.canonicalize().map_err(failed)?);
        match folder.file_system() {
            Some(kind) if kind == "tmpfs" || kind == "ramfs" => {
                let why = format!("this is a {kind}, not a disk: name another folder");
                Err(BenchError::Folder { place, why })
            }
            Some(_) | None => Ok(folder),
        }
    }
    /// Its path.
    pub fn path(&self) -> &Path {
        &self.0
    }
    /// The kind of its file system: of the longest mount point that it is under.
    pub fn file_system(&self) -> Option<String> {
        let mounts = std::fs::read_to_string("/proc/mounts").ok()?;
        let mounted = mounts.lines().filter_map(|line| {
            let mut fields = line.split(' ').skip(1);
            Some((fields.next()?, fields.next()?))
        });
        let under = mounted.filter(|(at, _)| self.0.starts_with(at));
        under.max_by_key(|(at, _)| at.len()).map(|(_, kind)| kind.to_owned())
    }
}
impl Drop for Folder {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            tracing::warn!(folder = %self.0.display(), %error, "the measured files stay");
        }
    }
}

/// Open stores of one measurement.
pub struct Store {
    stores: Arc<dyn Stores>,
    files: Option<(Arc<SqliteStores>, Folder)>,
}

impl Store {
    /// Fresh ones.
    pub fn open(place: &Place) -> Result<Self, BenchError> {
        let clock = Arc::new(SystemClock);
        Ok(match place {
            Place::Memory => Self { stores: Arc::new(MemoryStores::new(clock)), files: None },
            Place::Sqlite(within) => {
                let folder = Folder::new(within)?;
                let stores = Arc::new(SqliteStores::new(folder.path(), clock));
                Self { stores: Arc::clone(&stores) as Arc<dyn Stores>, files: Some((stores, folder)) }
            }
        })
    }
    /// The port.
    pub fn stores(&self) -> Arc<dyn Stores> {
        Arc::clone(&self.stores)
    }
    /// Closes the files and opens them again, as after a restart.
    pub async fn reopen(self) -> Self {
        let Some((stores, folder)) = self.files else { return self };
        stores.close().await;
        let stores = Arc::new(SqliteStores::new(folder.path(), Arc::new(SystemClock)));
        Self { stores: Arc::clone(&stores) as Arc<dyn Stores>, files: Some((stores, folder)) }
    }
    /// Closes the files, before they are removed.
    pub async fn close(self) {
        if let Some((stores, _folder)) = self.files {
            stores.close().await;
        }
    }
    /// What these stores have written since they were opened; nothing is counted in memory.
    pub async fn stats(&self, modules: &[&str]) -> Result<BTreeMap<String, Stats>, BenchError> {
        let mut stats = BTreeMap::new();
        if let Some((stores, _)) = &self.files {
            for module in modules {
                stats.insert((*module).to_owned(), stores.open_store(module).await?.stats());
            }
        }
        Ok(stats)
    }
    /// What the numbers hang on, as far as the place is concerned.
    pub fn settings(&self) -> BTreeMap<String, String> {
        let Some((_, folder)) = &self.files else {
            return BTreeMap::from([("store".to_owned(), "memory, nothing is durable".to_owned())]);
        };
        let mut settings = BTreeMap::from([("store".to_owned(), "sqlite".to_owned())]);
        settings.extend(folder.file_system().map(|kind| ("file system".to_owned(), kind)));
        let read_back = durability().iter().map(|(name, value)| (format!("sqlite {name}"), (*value).to_owned()));
        settings.extend(read_back);
        settings
    }
}

/// Adds what was written between two looks at the stores.
pub(crate) fn written(row: &mut Row, before: &BTreeMap<String, Stats>, after: &BTreeMap<String, Stats>) {
    let (mut commits, mut bytes) = (0, 0);
    for (name, now) in after {
        let then = before.get(name).copied().unwrap_or_default();
        commits += now.commits - then.commits;
        bytes += now.bytes - then.bytes;
        row.flushes_each.insert(name.clone(), ratio(now.transactions - then.transactions, row.count));
    }
    if !after.is_empty() {
        row.commits_each = Some(ratio(commits, row.count));
        row.log_bytes_each = Some(ratio(bytes, row.count));
    }
}
