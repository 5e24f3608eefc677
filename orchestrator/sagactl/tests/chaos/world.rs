//! The processes and servers of a small production, on this machine.

use saga_admin::client::AdminClient;
use saga_admin::owner::{Found, find};
use saga_core::control::{Asks, ask};
use saga_core::envelope::Actor;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use test_servers::nats::{Nats, Version};
use test_servers::postgres::Postgres;

/// The first two processes coordinate, the others host modules. The second one does both: what its sagas ask of its own
/// modules takes the short way, while others serve the same modules over the broker.
pub(crate) const COORDINATORS: usize = 2;
/// All of them.
pub(crate) const PROCESSES: usize = 5;
const ROLES: [&[&str]; PROCESSES] = [
    &["--coordinator"],
    &["--coordinator", "--modules", "production,qc,delivery"],
    &["--modules", "onboarding,strategy"],
    &["--modules", "production,qc"],
    &["--modules", "delivery"],
];
const TIMEOUT: Duration = Duration::from_secs(20);
/// Relays publish what a broker lost within seconds; a checker that runs before finds only that (L4).
const REPAIR_WITHIN: Duration = Duration::from_secs(60);

/// Lets the others go on; nothing is asserted about how long this takes.
pub(crate) async fn breathe() {
    #[expect(clippy::disallowed_methods, reason = "other processes are waited for, by looking again")]
    tokio::time::sleep(Duration::from_millis(10)).await;
}

/// A time after which waiting is a failure.
pub(crate) struct Patience(Instant);
impl Patience {
    #[expect(clippy::disallowed_methods, reason = "other processes are waited for in real time")]
    fn of(time: Duration) -> Self {
        Self(Instant::now() + time)
    }
    #[expect(clippy::disallowed_methods, reason = "other processes are waited for in real time")]
    pub(crate) fn is_over(&self) -> bool {
        Instant::now() > self.0
    }
}

pub(crate) struct Process {
    name: String,
    folder: PathBuf,
    roles: &'static [&'static str],
    child: Option<Child>,
}

impl Process {
    pub(crate) fn data(&self) -> PathBuf {
        self.folder.join(&self.name)
    }
    pub(crate) fn config(&self) -> PathBuf {
        self.folder.join(format!("{}.toml", self.name))
    }
    pub(crate) fn start(&mut self) {
        let log = File::options().create(true).append(true).open(self.folder.join(format!("{}.log", self.name)));
        let mut command = Command::new(env!("CARGO_BIN_EXE_sagactl"));
        command.arg("serve").arg("--config").arg(self.config()).args(self.roles).stdin(Stdio::null());
        command.stdout(Stdio::null()).stderr(log.unwrap());
        self.child = Some(command.spawn().unwrap());
    }
    fn id(&self) -> u32 {
        self.child.as_ref().unwrap().id()
    }
    pub(crate) fn signal(&self, signal: &str) {
        let sent = Command::new("kill").args([&format!("-{signal}"), &self.id().to_string()]).status().unwrap();
        assert!(sent.success(), "{} is not there to get SIG{signal}", self.name);
    }
    /// SIGKILL; a process that was already gone is a failure, because it ended by itself.
    pub(crate) fn kill(&mut self) {
        let mut child = self.child.take().unwrap();
        assert!(child.try_wait().unwrap().is_none(), "{} ended by itself", self.name);
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
impl Drop for Process {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            // A stopped process dies of it too.
            let _gone = child.kill();
            let _reaped = child.wait();
        }
    }
}

pub(crate) struct World {
    pub(crate) processes: Vec<Process>,
    pub(crate) nats: Nats,
    pub(crate) postgres: Postgres,
    folder: TempDir,
}

impl World {
    pub(crate) async fn start(version: Version) -> Self {
        let mut world = Self::prepare(version);
        world.launch().await;
        world
    }
    /// Starts every process, and waits until the coordinators share the groups.
    pub(crate) async fn launch(&mut self) {
        self.processes.iter_mut().for_each(Process::start);
        self.until_groups(0, 8).await;
        self.until_groups(1, 8).await;
    }
    /// Servers that run, a database that is prepared, and processes that are not started.
    pub(crate) fn prepare(version: Version) -> Self {
        let (postgres, nats, folder) = (Postgres::start(), Nats::start(version), TempDir::new().unwrap());
        let passwords = folder.path().join("passwords");
        let migrated = sagactl(&[
            "store",
            "migrate",
            "--admin-url",
            &postgres.url("postgres"),
            "--password-folder",
            passwords.to_str().unwrap(),
        ]);
        assert_eq!(migrated.0, Some(0), "{}", migrated.2);
        let mut world = Self { processes: Vec::new(), nats, postgres, folder };
        for roles in ROLES {
            world.join(roles);
        }
        world
    }
    /// One more process, which is not started; its number.
    pub(crate) fn join(&mut self, roles: &'static [&'static str]) -> usize {
        let number = self.processes.len();
        let process =
            Process { name: format!("process-{number}"), folder: self.folder.path().to_owned(), roles, child: None };
        let passwords = self.folder.path().join("passwords");
        fs::write(process.config(), config(&self.postgres, &self.nats, &passwords, &process.data())).unwrap();
        self.processes.push(process);
        number
    }
    /// A folder that lives as long as this.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }
    pub(crate) fn patience(&self, time: Duration) -> Patience {
        Patience::of(time)
    }
    async fn coordinator(&self, number: usize) -> Option<AdminClient> {
        let process = &self.processes[number];
        match find(&process.data(), TIMEOUT).await {
            Ok(Found::Alive(owner, client)) if owner.pid == process.id() => Some(client),
            Ok(Found::Alive(..) | Found::Stale(_) | Found::Nobody) | Err(_) => None,
        }
    }
    /// Where a process answers, as it has said in its log; only coordinators leave a file for their clients.
    pub(crate) fn url(&self, number: usize) -> Option<String> {
        let text = fs::read_to_string(self.log_files().nth(number)?).ok()?;
        let line = text.lines().rev().find_map(|line| line.strip_prefix("  api      "))?;
        Some(line.trim_end_matches("/v1").to_owned())
    }
    /// Whichever coordinator answers.
    pub(crate) async fn any_coordinator(&self) -> AdminClient {
        let until = Patience::of(TIMEOUT * 3);
        loop {
            for number in 0..COORDINATORS {
                if let Some(client) = self.coordinator(number).await {
                    return client;
                }
            }
            assert!(!until.is_over(), "no coordinator answers\n{}", self.logs());
            breathe().await;
        }
    }
    pub(crate) async fn status(&self, number: usize) -> Option<saga_core::control::Status> {
        let client = AdminClient::new(&self.url(number)?, TIMEOUT).ok()?;
        client.ask(&Actor::system("test"), ask::WhoIsThere {}).await.ok()
    }
    /// Waits until a coordinator owns so many groups.
    pub(crate) async fn until_groups(&self, number: usize, count: usize) {
        let until = Patience::of(TIMEOUT * 3);
        while self.status(number).await.is_none_or(|status| status.groups.len() != count) {
            assert!(!until.is_over(), "coordinator {number} does not get {count} groups\n{}", self.logs());
            breathe().await;
        }
    }
    /// What the coordinators that live now counted, by name.
    pub(crate) async fn incidents(&self) -> BTreeMap<String, u64> {
        let mut all = BTreeMap::new();
        for log in self.log_files() {
            for line in fs::read_to_string(log).unwrap_or_default().lines() {
                for name in ["broker-loss", "fenced", "phantom"] {
                    if line.contains(&format!("incident=\"{name}\"")) {
                        *all.entry(name.to_owned()).or_default() += 1;
                    }
                }
            }
        }
        all
    }
    /// The checker, over all stores and the bus. Only what relays have still to publish may take a moment.
    pub(crate) async fn finds_nothing(&self, when: &str) {
        let until = Patience::of(REPAIR_WITHIN);
        let config = self.processes[0].config();
        let verify = ["events", "verify", "--at-rest", "-o", "json", "--config", config.to_str().unwrap()];
        loop {
            let (exit, said, errors) = sagactl(&verify);
            let clean = exit == Some(0);
            if clean {
                for promise in ["S1", "S4", "X1", "L4", "L5", "L6", "L8"] {
                    assert!(said.contains(promise), "{promise} was not checked: {said}");
                }
                return;
            }
            let found: serde_json::Value = serde_json::from_str(&said).unwrap_or_default();
            let findings = found["findings"].as_array().cloned().unwrap_or_default();
            let only_late = !findings.is_empty() && findings.iter().all(|finding| finding["promise"] == "L4");
            let away = exit == Some(9);
            assert!((only_late || away) && !until.is_over(), "{when}: {said}{errors}\n{}", self.logs());
            breathe().await;
        }
    }
    /// SIGTERM ends every process by itself, with success.
    pub(crate) fn stop_well(&mut self) {
        for process in &mut self.processes {
            process.signal("TERM");
        }
        for process in &mut self.processes {
            let ended = process.child.take().unwrap().wait().unwrap();
            assert!(ended.success(), "{} ended with {ended}", process.name);
        }
    }
    fn log_files(&self) -> impl Iterator<Item = PathBuf> {
        self.processes.iter().map(|process| self.folder.path().join(format!("{}.log", process.name)))
    }
    /// The end of every log, for a failure.
    pub(crate) fn logs(&self) -> String {
        let end = |log: PathBuf| {
            let text = fs::read_to_string(&log).unwrap_or_default();
            let lines: Vec<&str> = text.lines().collect();
            format!("== {}\n{}\n", log.display(), lines[lines.len().saturating_sub(25)..].join("\n"))
        };
        self.log_files().map(end).collect()
    }
}

fn config(postgres: &Postgres, nats: &Nats, passwords: &Path, data: &Path) -> String {
    format!(
        "[store]\nurl = {:?}\npassword_folder = {:?}\n[bus]\nurl = {:?}\nack_wait_ms = 3000\n[coordinator]\nlease_ms = 1500\n\
         [admin]\nlisten = \"127.0.0.1:0\"\n[files]\nfolder = {:?}\n",
        postgres.url("postgres"),
        passwords,
        nats.url(),
        data
    )
}

pub(crate) fn sagactl(words: &[&str]) -> (Option<i32>, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_sagactl")).args(words).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    (output.status.code(), text(output.stdout), text(output.stderr))
}
