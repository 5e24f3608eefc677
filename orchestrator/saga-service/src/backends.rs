//! URL schemes to stores and buses.

use crate::config::{Bus, BusKind, Config, MODULE, StoreKind};
use saga::{Buses, Error, JOURNAL, Lines, Loopback};
use saga_core::bus::{AnyBus, BusError, MadeAnew, Upkeep as _};
use saga_core::codes;
use saga_core::control::ControlError;
use saga_core::ports::{Clock, OpenError, SharedStore, Stores};
use saga_engine::journal::groups_of;
use saga_nats::{Account, Compared, ConnectError, Creates, Login, Nats, Options, Sync, Tls, TopologyError};
use saga_postgres::{Credentials, PostgresStores};
use saga_sqlite::SqliteStores;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// How long one attempt to connect may take before the process says what it waits for.
const CONNECT_WITHIN: Duration = Duration::from_secs(3);

/// What a process wants of its stores and buses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wants {
    /// To work: what is missing is made, as far as it may be.
    Work,
    /// To look: nothing is made or written, and it logs in with accounts that may read everything.
    Look,
}

/// Why something could not be opened.
pub enum Weather {
    /// It is away: waiting helps.
    Away(ControlError),
    /// It is wrong: only a person helps.
    Wrong(ControlError),
}

impl Weather {
    /// Why, for a caller that does not wait.
    pub(crate) fn error(self) -> ControlError {
        match self {
            Weather::Away(why) | Weather::Wrong(why) => why,
        }
    }
}

enum Kept {
    Sqlite(Arc<SqliteStores>),
    Postgres(Arc<PostgresStores>),
}

/// The stores and buses of one process.
pub struct Backends {
    kept: Kept,
    stores: Arc<dyn Stores>,
    /// Connections by user; without a user for each module there is one.
    nats: BTreeMap<String, Nats>,
    bus_says: String,
}

impl Backends {
    /// The stores alone, without a bus.
    pub fn stores_only(config: &Config, clock: &Arc<dyn Clock>) -> Result<Self, OpenError> {
        let (kept, stores) = stores_of(config, clock, Wants::Work)?;
        Ok(Self { kept, stores, nats: BTreeMap::new(), bus_says: String::new() })
    }
    /// Opens what the configuration names, for these modules of this process. The coordinator also makes the streams of
    /// every other module: their own users may not.
    pub async fn open(
        config: &Config,
        modules: &[&str],
        others: &BTreeSet<String>,
        clock: &Arc<dyn Clock>,
    ) -> Result<Self, Weather> {
        let (mut backends, urls) = Self::begin(config, clock, Wants::Work)?;
        let Some(urls) = urls else { return Ok(backends) };
        let groups_max = backends.groups(config, modules).await?;
        // The journal's user makes the streams that all share; a module's own user waits until they are there.
        let (first, rest): (Vec<&str>, Vec<&str>) = modules.iter().partition(|module| **module == JOURNAL);
        for module in first.into_iter().chain(rest) {
            let user = config.bus.user_of(module);
            let options = options_of(config, &urls, module, Wants::Work)?;
            if !backends.nats.contains_key(&user) {
                let nats = Nats::connect(options).await.map_err(refused)?;
                backends.nats.insert(user.clone(), nats);
            }
            let Some(nats) = backends.nats.get(&user) else { continue };
            let (mut ours, mut groups) = (vec![module], Vec::new());
            if module == JOURNAL {
                ours.extend(others.iter().map(String::as_str));
                groups.extend(0..groups_max);
            }
            nats.ensure(&ours, &groups).await.map_err(differs)?;
        }
        if let Some(nats) = backends.nats.values().next() {
            let says = nats.doctor(Sync::Unknown).await.map(|found| found.to_string());
            backends.bus_says = says.unwrap_or_else(|why| format!("{}: {why}", config.bus_place()));
        }
        Ok(backends)
    }
    /// How many groups the coordinator of this process has: a store that has one writer is believed, whatever the configuration
    /// says.
    async fn groups(&self, config: &Config, modules: &[&str]) -> Result<u16, Weather> {
        let asked = config.coordinator.groups;
        let wrong = |why: OpenError| Weather::Wrong(ControlError::from(Error::Open(why)));
        let alone = matches!(self.kept, Kept::Sqlite(_)) && modules.contains(&JOURNAL);
        if !alone || !self.stores.has(JOURNAL).await.map_err(wrong)? {
            return Ok(asked);
        }
        let store = self.stores.peek(JOURNAL).await.map_err(wrong)?;
        let known = groups_of(&store).await.map_err(|why| Weather::Wrong(ControlError::from(Error::Read(why))))?;
        drop(store);
        self.stores.release().await;
        Ok(known.unwrap_or(asked))
    }
    /// Opens what the configuration names to look only: in PostgreSQL as the auditor, at the broker as the coordinator,
    /// which both may read everything. Nothing is created.
    pub async fn look(config: &Config, clock: &Arc<dyn Clock>) -> Result<Self, Weather> {
        let (mut backends, urls) = Self::begin(config, clock, Wants::Look)?;
        if let Some(urls) = urls {
            let nats = Nats::connect(options_of(config, &urls, JOURNAL, Wants::Look)?).await.map_err(refused)?;
            backends.nats.insert(config.bus.user_of(JOURNAL), nats);
        }
        Ok(backends)
    }
    fn begin(config: &Config, clock: &Arc<dyn Clock>, wants: Wants) -> Result<(Self, Option<Vec<String>>), Weather> {
        let opened = stores_of(config, clock, wants);
        let (kept, stores) = opened.map_err(|why| Weather::Wrong(ControlError::from(Error::Open(why))))?;
        let backends = Self { kept, stores, nats: BTreeMap::new(), bus_says: "in-process, durable".to_owned() };
        let urls = match config.bus_kind().map_err(|why| wrong(&why))? {
            BusKind::Nats(urls) => Some(urls),
            BusKind::Local => None,
        };
        Ok((backends, urls))
    }
    /// The streams that all modules share, and those of these modules, that the broker does not have; by name.
    pub async fn missing_streams(&self, modules: &[&str]) -> Result<Vec<String>, String> {
        let mut missing = BTreeSet::new();
        for nats in self.nats.values() {
            missing.extend(nats.missing_streams(modules).await.map_err(|why| why.to_string())?);
        }
        Ok(missing.into_iter().collect())
    }
    /// What the broker had lost and has again, empty.
    pub async fn made_anew(&self) -> Result<Vec<MadeAnew>, BusError> {
        match self.nats.values().next() {
            Some(nats) => nats.made_anew().await,
            None => Ok(Vec::new()),
        }
    }
    /// How a module's stream stands to its log; `None` without one, or where the bus is the one inside the process.
    pub async fn compared(&self, module: &str, store: &SharedStore) -> Result<Option<Compared>, BusError> {
        match self.nats.values().next() {
            Some(nats) => nats.compared(module, store).await,
            None => Ok(None),
        }
    }
    /// What is wrong with the order of a module's events on the bus, with the sequence of each.
    pub async fn disorder(&self, module: &str) -> Result<Vec<(u64, String)>, BusError> {
        match self.nats.values().next() {
            Some(nats) => nats.disorder(module).await,
            None => Ok(Vec::new()),
        }
    }
    /// The broker, as the coordinator, who may make streams: nothing is made until it is ordered. `None` where the bus is the
    /// one inside the process.
    pub async fn maker(config: &Config) -> Result<Option<Nats>, Weather> {
        match config.bus_kind().map_err(|why| wrong(&why))? {
            BusKind::Nats(urls) => {
                let options = options_of(config, &urls, JOURNAL, Wants::Work)?;
                Nats::connect(options).await.map(Some).map_err(refused)
            }
            BusKind::Local => Ok(None),
        }
    }
    /// The modules that have a store here, in the order of their names.
    pub async fn modules(&self) -> Result<Vec<String>, OpenError> {
        match &self.kept {
            Kept::Sqlite(sqlite) => sqlite.modules(),
            Kept::Postgres(postgres) => postgres.modules().await,
        }
    }
    /// An event that is too large for a module's stream is read from its store, and no process is asked for it.
    pub fn read_itself(&self, module: &str, store: &SharedStore) {
        self.nats.values().for_each(|nats| nats.read_itself(module, Arc::clone(store)));
    }
    /// The stores.
    pub fn stores(&self) -> Arc<dyn Stores> {
        Arc::clone(&self.stores)
    }
    /// The bus of each module, behind the loopback if there is one, and what it answers beside its own queries; `None`
    /// when the bus is the one inside the process.
    pub fn buses(&self, config: &Config, loopback: Option<&Loopback>) -> Option<(Buses, Lines)> {
        // One handle for each connection, so that the same bus is recognised as the same.
        let shared = |(user, nats): (&String, &Nats)| {
            let far = Arc::new(nats.clone()) as Arc<dyn AnyBus>;
            let bus = loopback.map_or_else(|| Arc::clone(&far), |loopback| Arc::new(loopback.before(far.clone())));
            (user.clone(), (nats.clone(), bus))
        };
        let nats: BTreeMap<String, (Nats, Arc<dyn AnyBus>)> = self.nats.iter().map(shared).collect();
        let (any, bus) = (nats.values().next()?.clone(), config.bus.clone());
        let of = move |module: &str| nats.get(&bus.user_of(module)).unwrap_or(&any).clone();
        let logs = of.clone();
        let buses: Buses = Arc::new(move |module| of(module).1);
        let accounts = config.bus.accounts;
        let lines: Lines = Arc::new(move |module, store| {
            let nats = logs(module).0;
            let readers = (accounts && module == JOURNAL).then(|| nats.readers_answerer());
            std::iter::once(nats.log_answerer(module, Arc::clone(store))).chain(readers).collect()
        });
        Some((buses, lines))
    }
    /// What is to be said of the stores that are open beside where they are; nothing when all is well.
    pub fn stores_say(&self) -> String {
        let Kept::Postgres(stores) = &self.kept else { return String::new() };
        let unlimited = stores.unlimited().into_iter().collect::<Vec<_>>().join(", ");
        match unlimited.is_empty() {
            true => unlimited,
            false => format!(
                "; no limit of connections for {unlimited}, who may take those of all others: sagactl store migrate \
                 (sagactl help SG0322)"
            ),
        }
    }
    /// What the bus is and what it promises, in a line.
    pub fn bus_says(&self) -> String {
        self.bus_says.clone()
    }
    /// Closes everything.
    pub async fn close(&self) {
        match &self.kept {
            Kept::Sqlite(sqlite) => sqlite.close().await,
            Kept::Postgres(postgres) => postgres.close().await,
        }
    }
}

fn stores_of(config: &Config, clock: &Arc<dyn Clock>, wants: Wants) -> Result<(Kept, Arc<dyn Stores>), OpenError> {
    let unusable = |why: String| OpenError::Unavailable { place: config.store_place(), why };
    let (kept, stores) = match config.store_kind().map_err(unusable)? {
        StoreKind::Sqlite(folder) => {
            let sqlite = match wants {
                Wants::Work => SqliteStores::new(folder, Arc::clone(clock)),
                // Another process may have the files: they are only read.
                Wants::Look => SqliteStores::read_only(folder, Arc::clone(clock)),
            };
            let sqlite = Arc::new(sqlite);
            (Kept::Sqlite(Arc::clone(&sqlite)), sqlite as Arc<dyn Stores>)
        }
        StoreKind::Postgres(url) => {
            let mut credentials = Credentials::of_url(url.expose())?.with_prefix(config.database_prefix());
            if !config.store.password_folder.is_empty() {
                credentials = credentials.with_password_folder(&config.store.password_folder);
            }
            if wants == Wants::Look {
                credentials = credentials.as_auditor();
            }
            let postgres = PostgresStores::new(credentials, Arc::clone(clock));
            let postgres = if config.store.accept_unsafe { postgres.accept_unsafe() } else { postgres };
            let postgres = Arc::new(postgres);
            (Kept::Postgres(Arc::clone(&postgres)), postgres as Arc<dyn Stores>)
        }
    };
    Ok((kept, guarded(stores)))
}

impl Bus {
    /// Who a module is on the bus.
    fn user_of(&self, module: &str) -> String {
        [&self.user, &self.credentials_file, &self.nkey_file].map(|text| text.replace(MODULE, module)).join(" ")
    }
    /// Whether modules have users of their own, which may do less than everything.
    fn has_users(&self) -> bool {
        [&self.user, &self.credentials_file, &self.nkey_file].iter().any(|text| text.contains(MODULE))
    }
}

fn options_of(config: &Config, urls: &[String], module: &str, wants: Wants) -> Result<Options, Weather> {
    let bus = &config.bus;
    let file = |text: &str| PathBuf::from(text.replace(MODULE, module));
    let login = match (bus.user.as_str(), bus.credentials_file.as_str(), bus.nkey_file.as_str()) {
        ("", "", "") => Login::None,
        ("", "", nkey) => Login::Nkey(file(nkey)),
        ("", credentials, _) => Login::Credentials(file(credentials)),
        (user, ..) => Login::Password { user: user.replace(MODULE, module), file: file(&bus.password_file) },
    };
    let authority = (!bus.tls_ca_file.is_empty()).then(|| file(&bus.tls_ca_file));
    let certificate = (!bus.tls_cert_file.is_empty()).then(|| (file(&bus.tls_cert_file), file(&bus.tls_key_file)));
    let tls = (bus.tls || authority.is_some() || certificate.is_some()).then_some(Tls { authority, certificate });
    Ok(Options {
        urls: urls.to_vec(),
        prefix: config.prefix.clone(),
        name: if bus.has_users() { module.to_owned() } else { format!("sagactl-{}", std::process::id()) },
        login,
        tls,
        patience: Some(CONNECT_WITHIN),
        ack_wait: Duration::from_millis(bus.ack_wait_ms),
        replicas: usize::from(bus.replicas),
        repair: bus.repair,
        account: match bus.accounts {
            false => Account::Shared,
            true if module == JOURNAL => Account::Coordinators,
            true => Account::Own(module.to_owned()),
        },
        older_processes: bus.older_processes,
        creates: match wants {
            Wants::Look => Creates::Nothing,
            Wants::Work if bus.has_users() && module != JOURNAL => Creates::OwnEvents,
            Wants::Work => Creates::Everything,
        },
        ..Options::default()
    })
}

fn wrong(why: &str) -> Weather {
    Weather::Wrong(ControlError::new(codes::BUS_UNAVAILABLE, why))
}
fn refused(why: ConnectError) -> Weather {
    match why {
        ConnectError::Unreachable { .. } => Weather::Away(ControlError::new(codes::BUS_UNAVAILABLE, why.to_string())),
        ConnectError::Refused { urls, why, next } => {
            let error = ControlError::new(codes::BUS_UNAVAILABLE, format!("no connection to {urls}: {why}"));
            // The same configuration will be refused again.
            Weather::Wrong(ControlError { retryable: false, ..error.hint(next) })
        }
        other => wrong(&other.to_string()),
    }
}
fn differs(why: TopologyError) -> Weather {
    match why {
        TopologyError::Unavailable(why) => Weather::Away(ControlError::new(codes::BUS_UNAVAILABLE, why)),
        other => Weather::Wrong(
            ControlError::new(codes::BUS_UNAVAILABLE, other.to_string())
                .hint("start once with bus.repair = true to change what differs"),
        ),
    }
}

#[cfg(feature = "failpoints")]
pub(crate) fn guarded(stores: Arc<dyn Stores>) -> Arc<dyn Stores> {
    crate::failpoints::armed(stores)
}
#[cfg(not(feature = "failpoints"))]
pub(crate) fn guarded(stores: Arc<dyn Stores>) -> Arc<dyn Stores> {
    stores
}
