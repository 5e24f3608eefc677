//! The configuration of a service: one TOML file, overridden by the environment, checked whole before anything starts.
//!
//! Order: the environment (`SAGACTL__STORE__URL`: a double underscore is the dot), then the file, then the defaults.

use crate::hidden::{Address, is_folder, without_values};
use saga_engine::journal::GROUPS_MAX;
use saga_postgres::Credentials;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;
use url::Url;

/// What the environment's names begin with.
pub const ENVIRONMENT: &str = "SAGACTL__";
/// Written in a path or user name, it stands for the module's name.
pub const MODULE: &str = "{module}";
/// A lease of less than a second is lost by every busy machine.
pub const LEASE_MS_MIN: u64 = 1_000;
/// Less than a second would deliver again what is still worked on.
pub const ACK_WAIT_MS_MIN: u64 = 1_000;
/// More than an hour would make a command of a dead process wait for an hour.
pub const ACK_WAIT_MS_MAX: u64 = 3_600_000;
/// A lease of more than five minutes is a coordinator that nobody replaces.
pub const LEASE_MS_MAX: u64 = 300_000;

/// All of it. Unknown keys are errors.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Stands in front of every subject, and in the names of database roles and schemas.
    pub prefix: String,
    /// Where events are kept.
    pub store: Store,
    /// What carries them.
    pub bus: Bus,
    /// Who runs sagas.
    pub coordinator: Coordinator,
    /// Where people ask.
    pub admin: Admin,
    /// Where modules keep files.
    pub files: Files,
}

/// Where events are kept.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Store {
    /// `sqlite:FOLDER`, or `postgres://HOST:PORT/DATABASE`.
    pub url: Address,
    /// A folder with `<role>.password` for each module's role, as `store migrate` leaves it. Empty: none is needed, or it
    /// stands in the URL.
    pub password_folder: String,
    /// Accept a PostgreSQL server that may lose what it acknowledged.
    pub accept_unsafe: bool,
}

/// What carries events, commands and replies.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Bus {
    /// `local:`, or `nats://HOST:PORT`; several servers are separated by commas.
    pub url: Address,
    /// The user; with `{module}` every module has a connection of its own.
    pub user: String,
    /// The user's password.
    pub password_file: String,
    /// A NATS credentials file.
    pub credentials_file: String,
    /// An nkey seed file.
    pub nkey_file: String,
    /// Speak TLS, also when the server does not insist.
    pub tls: bool,
    /// The certificates to trust, instead of the system's list.
    pub tls_ca_file: String,
    /// The client's certificate.
    pub tls_cert_file: String,
    /// The client's key.
    pub tls_key_file: String,
    /// A delivery that a process did not settle comes back after this long: longer than the slowest handler takes.
    pub ack_wait_ms: u64,
    /// Commands and replies whose receiver is in the same process go there directly, and not over the broker.
    pub loopback: bool,
    /// Copies of each stream: 1 or 3.
    pub replicas: u8,
    /// Change streams whose configuration differs, instead of refusing to start.
    pub repair: bool,
    /// The broker has an account for each module, as `config nats-accounts` prints them.
    pub accounts: bool,
    /// Processes take part that were built before modules had reply subjects of their own; never with `accounts`.
    pub older_processes: bool,
}

/// Who runs sagas.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Coordinator {
    /// Sagas are spread over this many groups; a store keeps the number it began with.
    pub groups: u16,
    /// How long the lease of a group holds.
    pub lease_ms: u64,
    /// How many commands of one module are under way at once for one group.
    pub commands_at_once: u16,
}

/// Where people ask.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Admin {
    /// The address of the admin API, `/livez` and `/readyz`; loopback only, port 0 takes a free one.
    pub listen: SocketAddr,
}

/// Where modules keep files.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Files {
    /// The folder.
    pub folder: PathBuf,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            prefix: saga_core::bus::PREFIX.to_owned(),
            store: Store::default(),
            bus: Bus::default(),
            coordinator: Coordinator::default(),
            admin: Admin::default(),
            files: Files::default(),
        }
    }
}
impl Default for Store {
    fn default() -> Self {
        Self { url: Address::new("sqlite:./data"), password_folder: String::new(), accept_unsafe: false }
    }
}
impl Default for Bus {
    fn default() -> Self {
        Self {
            url: Address::new("local:"),
            user: String::new(),
            password_file: String::new(),
            credentials_file: String::new(),
            nkey_file: String::new(),
            tls: false,
            tls_ca_file: String::new(),
            tls_cert_file: String::new(),
            tls_key_file: String::new(),
            ack_wait_ms: 30_000,
            loopback: true,
            replicas: 1,
            repair: false,
            accounts: false,
            older_processes: true,
        }
    }
}
impl Default for Coordinator {
    fn default() -> Self {
        Self { groups: 16, lease_ms: 10_000, commands_at_once: 256 }
    }
}
impl Default for Admin {
    fn default() -> Self {
        Self { listen: SocketAddr::from(([127, 0, 0, 1], 7_420)) }
    }
}
impl Default for Files {
    fn default() -> Self {
        Self { folder: PathBuf::from("./data") }
    }
}

/// Where events are kept, understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreKind {
    /// One file per module in a folder; one process.
    Sqlite(PathBuf),
    /// One schema per module; many processes.
    Postgres(Address),
}

/// What carries events, understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BusKind {
    /// Inside the process.
    Local,
    /// NATS, at these addresses.
    Nats(Vec<String>),
}

/// Everything that is wrong with a configuration, with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigFault {
    /// The file, or the name of a variable.
    pub place: String,
    /// What is wrong, with the key.
    pub says: String,
    /// The next step.
    pub hint: Option<String>,
}

impl Config {
    /// Reads a file and what the environment adds. Every fault is found in one go where that is possible, and none of them
    /// repeats a password.
    pub fn load(file: &Path, environment: impl Iterator<Item = (String, String)>) -> Result<Self, Vec<ConfigFault>> {
        let place = file.display().to_string();
        let fault = |says: String, hint: Option<&str>| {
            vec![ConfigFault { place: place.clone(), says, hint: hint.map(str::to_owned) }]
        };
        let text = std::fs::read_to_string(file).map_err(|why| {
            fault(format!("cannot be read: {why}"), Some("every key with its default is in deploy/sagactl.toml"))
        })?;
        // Alone first: faults of the file are told with their line.
        toml::from_str::<Config>(&text).map_err(|why| vec![of_toml(&place, &text, &why)])?;
        let mut table: toml::Table = text.parse().map_err(|why| vec![of_toml(&place, &text, &why)])?;
        let mut names = Vec::new();
        for (name, value) in environment {
            if let Some(path) = name.strip_prefix(ENVIRONMENT) {
                overlay(&mut table, &path.to_ascii_lowercase().replace("__", "."), &value);
                names.push(name);
            }
        }
        let config = Config::deserialize(toml::Value::Table(table)).map_err(|why| {
            let mut fault = of_toml("the environment", "", &why);
            fault.place = format!("the environment ({})", names.join(", "));
            vec![fault]
        })?;
        let faults = config.faults(&place);
        if faults.is_empty() { Ok(config) } else { Err(faults) }
    }
    /// Where events are kept.
    pub fn store_kind(&self) -> Result<StoreKind, String> {
        let Store { url, .. } = &self.store;
        match url.expose().split_once(':') {
            Some(("sqlite", folder)) if is_folder(folder) => Ok(StoreKind::Sqlite(PathBuf::from(folder))),
            Some(("postgres" | "postgresql", _)) => Ok(StoreKind::Postgres(url.clone())),
            _ => Err(format!("{} is neither sqlite:FOLDER nor postgres://HOST:PORT/DATABASE", url.shown())),
        }
    }
    /// What carries events.
    pub fn bus_kind(&self) -> Result<BusKind, String> {
        let url = &self.bus.url;
        if url.expose() == "local:" {
            return Ok(BusKind::Local);
        }
        let servers = url.expose().split(',').map(|server| Url::parse(server.trim()).ok().filter(is_server));
        let servers: Option<Vec<String>> = servers.map(|server| server.map(|url| url.to_string())).collect();
        servers.map(BusKind::Nats).ok_or_else(|| {
            let wanted = "neither local: nor nats://HOST:PORT nor tls://HOST:PORT, several with commas between them";
            format!("{} is {wanted}", url.shown())
        })
    }
    /// Where events are kept, as it may be shown: without a password.
    pub fn store_place(&self) -> String {
        self.store.url.shown().to_owned()
    }
    /// What carries events, as it may be shown: without a login.
    pub fn bus_place(&self) -> String {
        self.bus.url.shown().to_owned()
    }
    /// What the names of schemas and roles begin with: the prefix, in letters that a database name has.
    pub fn database_prefix(&self) -> String {
        self.prefix.replace('.', "_")
    }
    /// How long leases hold.
    pub fn lease(&self) -> Duration {
        Duration::from_millis(self.coordinator.lease_ms)
    }
    fn faults(&self, place: &str) -> Vec<ConfigFault> {
        let mut faults = Vec::new();
        let mut fault = |key: &str, says: String, hint: Option<&str>| {
            let (place, says, hint) = (place.to_owned(), format!("{key}: {says}"), hint.map(str::to_owned));
            faults.push(ConfigFault { place, says, hint });
        };
        let (store, bus) = (self.store_kind(), self.bus_kind());
        if let Err(why) = &store {
            fault("store.url", why.clone(), None);
        }
        if let Err(why) = &bus {
            fault("bus.url", why.clone(), None);
        }
        if matches!((&store, &bus), (Ok(StoreKind::Postgres(_)), Ok(BusKind::Local))) {
            let hint = "a bus inside one process serves one process; use it with sqlite:, or name a NATS server";
            fault(
                "bus.url",
                "local: cannot connect the processes that share a PostgreSQL store".to_owned(),
                Some(hint),
            );
        }
        if let Ok(StoreKind::Postgres(url)) = &store
            && let Err(why) = Credentials::of_url(url.expose())
        {
            fault("store.url", why.to_string(), None);
        }
        for (key, says, hint) in self.bus.login_faults() {
            fault(key, says.to_owned(), hint);
        }
        if self.prefix.is_empty() || !self.prefix.split('.').all(is_word) {
            fault("prefix", format!("{:?} is not words of a-z, 0-9, _ and - joined by dots", self.prefix), None);
        }
        for (key, value, least, most) in [
            ("coordinator.groups", u64::from(self.coordinator.groups), 1, u64::from(GROUPS_MAX)),
            ("coordinator.commands_at_once", u64::from(self.coordinator.commands_at_once), 1, u64::from(u16::MAX)),
            ("coordinator.lease_ms", self.coordinator.lease_ms, LEASE_MS_MIN, LEASE_MS_MAX),
            ("bus.ack_wait_ms", self.bus.ack_wait_ms, ACK_WAIT_MS_MIN, ACK_WAIT_MS_MAX),
        ] {
            if !(least..=most).contains(&value) {
                fault(key, format!("{value} is not from {least} to {most}"), None);
            }
        }
        if ![1, 3, 5].contains(&self.bus.replicas) {
            fault("bus.replicas", format!("{} is not 1, 3 or 5", self.bus.replicas), None);
        }
        if !self.admin.listen.ip().is_loopback() {
            let hint = "the admin API has no authentication yet; listen on 127.0.0.1 and reach it through a tunnel";
            fault("admin.listen", format!("{} is not a loopback address", self.admin.listen), Some(hint));
        }
        for (key, file) in self.secrets() {
            if !file.contains(MODULE)
                && let Err(why) = std::fs::metadata(file)
            {
                fault(key, format!("{file:?} cannot be read: {why}"), None);
            }
        }
        faults
    }
    /// The files that are named, with their keys.
    fn secrets(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let files = [
            ("store.password_folder", &self.store.password_folder),
            ("bus.password_file", &self.bus.password_file),
            ("bus.credentials_file", &self.bus.credentials_file),
            ("bus.nkey_file", &self.bus.nkey_file),
            ("bus.tls_ca_file", &self.bus.tls_ca_file),
            ("bus.tls_cert_file", &self.bus.tls_cert_file),
            ("bus.tls_key_file", &self.bus.tls_key_file),
        ];
        files.into_iter().map(|(key, file)| (key, file.as_str())).filter(|(_, file)| !file.is_empty())
    }
    /// What would be used, a line for each key; secrets by their files only.
    pub fn lines(&self) -> Vec<(String, String)> {
        let text = |value: &str| if value.is_empty() { "(none)".to_owned() } else { value.to_owned() };
        let mut lines: BTreeMap<&str, String> = self.secrets().map(|(key, file)| (key, file.to_owned())).collect();
        lines.extend([
            ("prefix", text(&self.prefix)),
            ("store.url", self.store_place()),
            ("store.accept_unsafe", self.store.accept_unsafe.to_string()),
            ("bus.url", self.bus_place()),
            ("bus.user", text(&self.bus.user)),
            ("bus.tls", self.bus.tls.to_string()),
            ("bus.ack_wait_ms", self.bus.ack_wait_ms.to_string()),
            ("bus.loopback", self.bus.loopback.to_string()),
            ("bus.replicas", self.bus.replicas.to_string()),
            ("bus.repair", self.bus.repair.to_string()),
            ("bus.accounts", self.bus.accounts.to_string()),
            ("bus.older_processes", (self.bus.older_processes && !self.bus.accounts).to_string()),
            ("coordinator.groups", self.coordinator.groups.to_string()),
            ("coordinator.commands_at_once", self.coordinator.commands_at_once.to_string()),
            ("coordinator.lease_ms", self.coordinator.lease_ms.to_string()),
            ("admin.listen", self.admin.listen.to_string()),
            ("files.folder", self.files.folder.display().to_string()),
        ]);
        lines.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
    }
}

/// A key, what is wrong with it, and perhaps the next step.
type LoginFault = (&'static str, &'static str, Option<&'static str>);

impl Bus {
    fn login_faults(&self) -> Vec<LoginFault> {
        let mut faults = Vec::new();
        if self.url.expose().contains('@') {
            let hint = "name the user as bus.user, and a file with the password as bus.password_file";
            faults.push(("bus.url", "a login in it is not used, and would be shown", Some(hint)));
        }
        if !self.user.is_empty() && self.password_file.is_empty() {
            faults.push(("bus.user", "there is no password for it", Some("name its file as bus.password_file")));
        }
        let ways = [&self.user, &self.credentials_file, &self.nkey_file];
        if ways.iter().filter(|way| !way.is_empty()).count() > 1 {
            let says = "user, credentials_file and nkey_file are three ways to log in; choose one";
            faults.push(("bus", says, None));
        }
        let own = [&self.user, &self.credentials_file, &self.nkey_file].iter().any(|text| text.contains(MODULE));
        if self.accounts && !own {
            let hint = "name the user as bus.user = \"{module}\"; a process has a connection for each of its modules";
            faults.push(("bus.accounts", "each module needs a login of its own", Some(hint)));
        }
        if self.tls_cert_file.is_empty() != self.tls_key_file.is_empty() {
            faults.push(("bus", "tls_cert_file and tls_key_file belong together", None));
        }
        faults
    }
}

/// A server of NATS: an address, and nothing that could be a login.
fn is_server(url: &Url) -> bool {
    let bare =
        url.username().is_empty() && url.password().is_none() && url.query().is_none() && url.fragment().is_none();
    let host = url.host_str().is_some_and(|host| !host.is_empty());
    matches!(url.scheme(), "nats" | "tls") && host && bare && matches!(url.path(), "" | "/")
}

pub(crate) fn is_word(word: &str) -> bool {
    !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'_' | b'-'))
}

/// Puts a value from the environment into the table; a value that is not TOML is a text.
fn overlay(table: &mut toml::Table, path: &str, value: &str) {
    let parsed = format!("v = {value}").parse::<toml::Table>().ok().and_then(|mut table| table.remove("v"));
    let value = (parsed.filter(|value| value.is_integer() || value.is_bool()))
        .unwrap_or_else(|| toml::Value::String(value.to_owned()));
    match path.split_once('.') {
        None => drop(table.insert(path.to_owned(), value)),
        Some((section, key)) => {
            let section = table.entry(section).or_insert_with(|| toml::Value::Table(toml::Table::new()));
            if let Some(section) = section.as_table_mut() {
                section.insert(key.to_owned(), value);
            }
        }
    }
}

/// The parser's words without the line that it quotes, and for an unknown key the one that was probably meant.
fn of_toml(place: &str, text: &str, error: &toml::de::Error) -> ConfigFault {
    let message = error.message();
    let quoted: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
    let meant = message.starts_with("unknown field").then(|| {
        let (unknown, known) = quoted.split_first()?;
        let near = known.iter().map(|known| (strsim::jaro_winkler(unknown, known), *known));
        near.filter(|(alike, _)| *alike > 0.75).max_by(|left, right| left.0.total_cmp(&right.0)).map(|(_, known)| known)
    });
    let hint = meant.flatten().map(|known| format!("did you mean {known}?"));
    let before = error.span().and_then(|span| text.get(..span.start));
    let at = before.filter(|_| !text.is_empty()).map(|before| {
        let column = before.rsplit('\n').next().map_or(0, |line| line.chars().count());
        format!("line {}, column {}: ", before.matches('\n').count() + 1, column + 1)
    });
    let says = format!("{}{}", at.unwrap_or_default(), without_values(message.trim_end()));
    ConfigFault { place: place.to_owned(), says, hint }
}

#[cfg(test)]
mod tests;
