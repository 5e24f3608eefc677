//! Where a measurement writes: a fresh folder on a real disk, removed afterwards, or memory.

use crate::bench::BenchError;
use crate::bench::meter::disk_bytes;
use crate::bench::report::{Row, ratio};
use saga::{Loopback, SystemClock};
use saga_core::bus::AnyBus;
use saga_core::ports::Stores;
use saga_core::written::Stats;
use saga_engine::memory::MemoryStores;
use saga_nats::{Nats, Options};
use saga_postgres::{Credentials, Migration, PostgresStores, checkpoint, migrate, remove};
use saga_sqlite::{SqliteStores, durability};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Where to measure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// Without any durability: what the engine costs by itself.
    Memory,
    /// SQLite files in a fresh folder in this one.
    Sqlite(PathBuf),
    /// Fresh schemas in the database of this URL, whose role may make them; with a NATS server, commands, replies and
    /// events travel over it.
    Postgres {
        /// The administrator's URL.
        url: String,
        /// The broker.
        bus: Option<Broker>,
    },
}

/// A NATS server to measure with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broker {
    /// Its URL.
    pub url: String,
    /// Whether commands and replies go directly from one part of this process to another, as they do in production.
    pub loopback: bool,
}

impl Place {
    /// Bytes that the disks have taken so far, with everything that waits to be written; `None` where nobody says.
    pub async fn disk_bytes(&self) -> Result<Option<u64>, BenchError> {
        match self {
            Place::Memory => return Ok(None),
            Place::Sqlite(_) => {}
            Place::Postgres { url, .. } => checkpoint(url).await.map_err(BenchError::broken)?,
        }
        tokio::task::spawn_blocking(disk_bytes).await.map_err(BenchError::broken)
    }
}

/// What the names of a measurement begin with.
const PREFIX: &str = "bench";
/// A broker that is there answers within this time.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
static FOLDERS: AtomicU64 = AtomicU64::new(0);

/// A name at the server that nobody else has.
pub(crate) fn own_name() -> String {
    format!("{PREFIX}{}_{}", std::process::id(), FOLDERS.fetch_add(1, Ordering::Relaxed))
}

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
            tracing::warn!(path = %self.0.display(), why = %error, "the measured files stay");
        }
    }
}

/// Open stores of one measurement.
pub struct Store {
    stores: Arc<dyn Stores>,
    kept: Kept,
    bus: Option<Bus>,
    modules: Vec<String>,
}
struct Bus {
    nats: Nats,
    loopback: bool,
}
enum Kept {
    Nothing,
    Files(Arc<SqliteStores>, Folder),
    Schemas { stores: Arc<PostgresStores>, url: String, prefix: String },
}

impl Store {
    /// Fresh ones, for these modules.
    pub async fn open(place: &Place, modules: &[&str]) -> Result<Self, BenchError> {
        let clock = Arc::new(SystemClock);
        let names = modules.iter().map(|name| (*name).to_owned()).collect();
        Ok(match place {
            Place::Memory => {
                Self { stores: Arc::new(MemoryStores::new(clock)), kept: Kept::Nothing, bus: None, modules: names }
            }
            Place::Sqlite(within) => {
                let folder = Folder::new(within)?;
                let stores = Arc::new(SqliteStores::new(folder.path(), clock));
                let shared = Arc::clone(&stores) as Arc<dyn Stores>;
                Self { stores: shared, kept: Kept::Files(stores, folder), bus: None, modules: names }
            }
            Place::Postgres { url, bus } => {
                let prefix = own_name();
                let how = Migration::default().with_prefix(&prefix);
                migrate(url, modules, &how).await.map_err(BenchError::broken)?;
                let (stores, shared) = schemas(url, &prefix)?;
                let bus = match bus {
                    Some(Broker { url, loopback }) => {
                        Some(Bus { nats: broker(url, &prefix, modules).await?, loopback: *loopback })
                    }
                    None => None,
                };
                Self { stores: shared, kept: Kept::Schemas { stores, url: url.clone(), prefix }, bus, modules: names }
            }
        })
    }
    /// The port.
    pub fn stores(&self) -> Arc<dyn Stores> {
        Arc::clone(&self.stores)
    }
    /// The broker, when there is one.
    pub fn bus(&self) -> Option<Arc<dyn AnyBus>> {
        let bus = self.bus.as_ref()?;
        let far = Arc::new(bus.nats.clone()) as Arc<dyn AnyBus>;
        Some(if bus.loopback { Arc::new(Loopback::new(Arc::new(SystemClock)).before(far)) } else { far })
    }
    /// Closes the stores and opens them again, as after a restart.
    pub async fn reopen(self) -> Result<Self, BenchError> {
        Ok(match self.kept {
            Kept::Nothing => self,
            Kept::Files(stores, folder) => {
                stores.close().await;
                let stores = Arc::new(SqliteStores::new(folder.path(), Arc::new(SystemClock)));
                let shared = Arc::clone(&stores) as Arc<dyn Stores>;
                Self { stores: shared, kept: Kept::Files(stores, folder), ..self }
            }
            Kept::Schemas { stores, url, prefix } => {
                stores.close().await;
                let (stores, shared) = schemas(&url, &prefix)?;
                Self { stores: shared, kept: Kept::Schemas { stores, url, prefix }, ..self }
            }
        })
    }
    /// Closes what is open; files are removed, schemas are dropped.
    pub async fn close(self) -> Result<(), BenchError> {
        let modules: Vec<&str> = self.modules.iter().map(String::as_str).collect();
        match self.kept {
            Kept::Nothing => {}
            Kept::Files(stores, _folder) => stores.close().await,
            Kept::Schemas { stores, url, prefix } => {
                stores.close().await;
                remove(&url, &prefix, &modules).await.map_err(BenchError::broken)?;
            }
        }
        if let Some(Bus { nats, .. }) = &self.bus {
            nats.remove_streams(&modules, PREFIX).await.map_err(BenchError::broken)?;
        }
        Ok(())
    }
    /// What these stores have written since they were opened; nothing is counted in memory.
    pub async fn stats(&self, modules: &[&str]) -> Result<BTreeMap<String, Stats>, BenchError> {
        let mut stats = BTreeMap::new();
        for module in modules {
            let one = match &self.kept {
                Kept::Nothing => continue,
                Kept::Files(stores, _) => stores.open_store(module).await?.stats(),
                Kept::Schemas { stores, .. } => stores.open_store(module).await?.stats(),
            };
            stats.insert((*module).to_owned(), one);
        }
        Ok(stats)
    }
    /// What the numbers hang on, as far as the place is concerned.
    pub fn settings(&self) -> BTreeMap<String, String> {
        let named = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        match &self.kept {
            Kept::Nothing => BTreeMap::from([named("store", "memory, nothing is durable")]),
            Kept::Files(_, folder) => {
                let mut settings = BTreeMap::from([named("store", "sqlite")]);
                settings.extend(folder.file_system().map(|kind| ("file system".to_owned(), kind)));
                settings.extend(durability().iter().map(|(name, value)| named(&format!("sqlite {name}"), value)));
                settings
            }
            Kept::Schemas { .. } => {
                let bus = match &self.bus {
                    Some(Bus { loopback: true, .. }) => {
                        "nats jetstream, sync as the server is configured; commands and replies within the process directly"
                    }
                    Some(Bus { loopback: false, .. }) => {
                        "nats jetstream, sync as the server is configured, for everything"
                    }
                    None => "in process",
                };
                BTreeMap::from([named("store", "postgresql, synchronous_commit on"), named("bus", bus)])
            }
        }
    }
}

fn schemas(url: &str, prefix: &str) -> Result<(Arc<PostgresStores>, Arc<dyn Stores>), BenchError> {
    let credentials = Credentials::of_url(url)?.with_prefix(prefix);
    let stores = Arc::new(PostgresStores::new(credentials, Arc::new(SystemClock)));
    Ok((Arc::clone(&stores), stores as Arc<dyn Stores>))
}

/// Every measurement has subjects of its own, and streams that are made anew.
async fn broker(url: &str, prefix: &str, modules: &[&str]) -> Result<Nats, BenchError> {
    let options = Options {
        urls: vec![url.to_owned()],
        prefix: prefix.to_owned(),
        patience: Some(CONNECT_WITHIN),
        repair: true,
        ..Options::default()
    };
    let nats = Nats::connect(options).await.map_err(BenchError::broken)?;
    // The names of streams are the same for everybody: an earlier measurement may have left its own.
    nats.remove_streams(modules, PREFIX).await.map_err(BenchError::broken)?;
    nats.ensure(modules, &[0]).await.map_err(BenchError::broken)?;
    Ok(nats)
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
