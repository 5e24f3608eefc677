//! The shipped accounts (`deploy/nats/accounts.conf`) and the shipped configuration of a cluster, with a process for each
//! module: everything starts, in any order; a saga completes; and no login of a neighbour changes anything.

use crate::serve::{ends_well, sagactl, until};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;
use test_servers::nats::{Nats, Version};
use test_servers::postgres::Postgres;

const SHIPPED: &str = include_str!("../../../../deploy/nats/accounts.conf");
pub(crate) const MODULES: [&str; 6] = ["orchestration", "onboarding", "strategy", "production", "qc", "delivery"];
/// Everybody that the shipped accounts name.
const EVERYBODY: [&str; 10] = [
    "orchestration",
    "operator",
    "onboarding",
    "strategy",
    "production",
    "qc",
    "delivery",
    "client_review",
    "courier",
    "printshop",
];

/// A broker with the shipped accounts, each user with the password that `password` says.
pub(crate) fn broker(version: Version, extra: &str, password: impl Fn(&str) -> String) -> Nats {
    let variable = |user: &str| format!("NATS_PASSWORD_{}", user.to_ascii_uppercase());
    let environment: Vec<(String, String)> =
        EVERYBODY.iter().map(|user| (variable(user), format!("{:?}", password(user)))).collect();
    let environment: Vec<(&str, &str)> =
        environment.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    Nats::start_with(version, &format!("{SHIPPED}\n{extra}"), &environment)
}

#[test]
fn the_shipped_accounts_are_what_the_program_prints() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("c.toml"), include_str!("../../../../deploy/sagactl.toml")).unwrap();
    let (exit, said, errors) = sagactl(folder.path(), &["config", "nats-accounts", "--config", "c.toml"]);
    assert_eq!((exit, errors.as_str()), (0, ""));
    assert!(said == SHIPPED, "sagactl config nats-accounts > deploy/nats/accounts.conf");
    assert_eq!(SHIPPED, include_str!("../../../../deploy/kustomize/base/accounts.conf"), "kustomize has a copy");
    let others = ["config", "nats-accounts", "--publisher", "website", "--reader", "warehouse=delivery,qc"];
    let (exit, said, _) = sagactl(folder.path(), &others);
    assert!(exit == 0 && said.contains("\"aicmo.in.website.>\"") && said.contains("read.qc.warehouse"), "{said}");
    for wrong in [["--publisher", "qc"], ["--reader", "x=nobody"], ["--reader", "x"]] {
        let (exit, _, errors) = sagactl(folder.path(), &[&["config", "nats-accounts"][..], &wrong].concat());
        assert!(exit != 0 && !errors.is_empty(), "{wrong:?}");
    }
}

#[test]
fn the_shipped_roles_are_what_the_program_prints() {
    let folder = TempDir::new().unwrap();
    let (exit, said, errors) = sagactl(folder.path(), &["config", "postgres-roles"]);
    assert_eq!((exit, errors.as_str()), (0, ""));
    let shipped = include_str!("../../../../deploy/postgres/roles.sql");
    assert!(said == shipped, "sagactl config postgres-roles > deploy/postgres/roles.sql");
}

/// Every process of the system, each with its own log.
pub(crate) struct System {
    folder: TempDir,
    pub(crate) nats: Nats,
    _postgres: Postgres,
    pub(crate) processes: Vec<(String, Child)>,
    /// What is configured in another way than it is shipped.
    pub(crate) environment: Vec<(&'static str, &'static str)>,
}
impl Drop for System {
    fn drop(&mut self) {
        for (_, child) in &mut self.processes {
            // It may be gone already.
            let _gone = child.kill();
            let _reaped = child.wait();
        }
    }
}

impl System {
    pub(crate) fn prepare(version: Version) -> Self {
        let (folder, postgres) = (TempDir::new().unwrap(), Postgres::start());
        let nats = broker(version, "", |user| format!("the word of {user}"));
        let path = folder.path();
        fs::create_dir_all(path.join("run/bus")).unwrap();
        fs::create_dir_all(path.join("run/store")).unwrap();
        for module in MODULES {
            fs::write(path.join("run/bus").join(module), format!("the word of {module}\n")).unwrap();
        }
        let config = include_str!("../../../../deploy/kustomize/base/sagactl.toml")
            .replace("postgres://postgres:5432/aicmo", &postgres.url("postgres"))
            .replace("nats://nats:4222", &nats.url())
            .replace("/run/secrets/aicmo", &path.join("run").to_string_lossy())
            .replace("127.0.0.1:7420", "127.0.0.1:0")
            .replace("/var/lib/aicmo", &path.join("data").to_string_lossy());
        fs::write(path.join("c.toml"), config).unwrap();
        let migrate = ["store", "migrate", "--admin-url", &postgres.url("postgres"), "--password-folder", "run/store"];
        let (exit, said, errors) = sagactl(path, &[&migrate[..], &["--config", "c.toml"]].concat());
        assert_eq!(exit, 0, "{said}{errors}");
        Self { folder, nats, _postgres: postgres, processes: Vec::new(), environment: Vec::new() }
    }
    fn path(&self) -> &Path {
        self.folder.path()
    }
    /// Starts a process, and gives its address.
    pub(crate) fn start(&mut self, name: &str, words: &[&str]) -> String {
        // Another process may take it in between; the process would say so and end.
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let log = fs::File::create(self.path().join(format!("{name}.log"))).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_sagactl"));
        command.args(["serve", "--config", "c.toml"]).args(words).current_dir(self.path()).stdin(Stdio::null());
        command.env("SAGACTL__ADMIN__LISTEN", format!("127.0.0.1:{port}")).envs(self.environment.iter().copied());
        let child = command.stdout(Stdio::null()).stderr(log).spawn().unwrap();
        self.processes.push((name.to_owned(), child));
        format!("http://127.0.0.1:{port}")
    }
    pub(crate) fn until(&self, what: &str, holds: impl Fn() -> bool) {
        let logs = || {
            let end = |(name, _): &(String, Child)| {
                let text = fs::read_to_string(self.path().join(format!("{name}.log"))).unwrap_or_default();
                let lines: Vec<&str> = text.lines().collect();
                format!("== {name}\n{}\n", lines[lines.len().saturating_sub(20)..].join("\n"))
            };
            self.processes.iter().map(end).collect::<String>()
        };
        fs::write(self.path().join("log"), "").unwrap();
        until(self.path(), what, || {
            let so = holds();
            if !so {
                fs::write(self.path().join("log"), logs()).unwrap();
            }
            so
        });
    }
    pub(crate) fn sagactl(&self, words: &[&str]) -> (i32, String, String) {
        sagactl(self.path(), words)
    }
}

/// Speaks the protocol itself, so that nothing is added to what is tried.
pub(crate) struct Login(BufReader<TcpStream>);
impl Login {
    pub(crate) fn of(nats: &Nats, user: &str) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", nats.port())).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let mut login = Self(BufReader::new(stream));
        let said = login.say(&format!(
            "CONNECT {{\"user\":\"{user}\",\"pass\":\"the word of {user}\",\"verbose\":false,\"headers\":true}}\r\n"
        ));
        assert!(!said.contains("-ERR"), "{user} is let in: {said}");
        login
    }
    /// Everything up to the next sign of life.
    fn say(&mut self, words: &str) -> String {
        self.0.get_mut().write_all(format!("{words}PING\r\n").as_bytes()).unwrap();
        let mut said = String::new();
        while !said.ends_with("PONG\r\n") {
            assert!(self.0.read_line(&mut said).unwrap() > 0, "the server hung up: {said}");
        }
        said
    }
    pub(crate) fn publish(&mut self, subject: &str, reply: &str, body: &str) {
        let said = self.say(&format!("PUB {subject} {reply} {}\r\n{body}\r\n", body.len()));
        // The broker's API is not even to be named; everything else may be said, and reaches nobody.
        let denied = subject.starts_with("$JS.API.") && said.contains("Permissions Violation for Publish");
        assert!(denied || !said.contains("-ERR"), "{said}");
    }
}

/// What was found by attacking: an order in a person's name, an answer in another's name, a stream that copies into
/// another, and answers of the broker into foreign streams.
fn attack(nats: &Nats, saga: &str) {
    let order = format!(
        r#"{{"Order":{{"saga":"{saga}","ordered":{{"order":{{"Cancel":{{"abandon":false}}}},"by":{{"actor":{{"kind":"operator","id":"boss"}}}}}}}}}}"#
    );
    for user in ["printshop", "qc", "strategy", "courier"] {
        let mut login = Login::of(nats, user);
        for group in 0..16 {
            for line in [format!("aicmo.ctl.g{group:02}.v1"), format!("aicmo.qry.orchestration.group.g{group:02}")] {
                login.publish(&line, "_INBOX.x", &order);
            }
            let refusal = r#"{"outcome":"refused","code":"NO","reason":"no"}"#;
            login.publish(&format!("aicmo.reply.g{group:02}"), "_INBOX.x", refusal);
            login.publish(&format!("aicmo.reply.g{group:02}.production"), "_INBOX.x", refusal);
        }
        for api in ["$JS.API", "JS.bus.API"] {
            let evil = format!(
                r#"{{"name":"EVT_{user}","subjects":["aicmo.evt.{user}.>"],"republish":{{"src":"aicmo.evt.{user}.>","dest":"aicmo.cmd.delivery.>"}}}}"#
            );
            login.publish(&format!("{api}.STREAM.CREATE.EVT_{user}"), "_INBOX.x", &evil);
            login.publish(&format!("{api}.STREAM.UPDATE.EVT_{user}"), "_INBOX.x", &evil);
            for target in ["evt.delivery.x.Y.v1.p00", "evt.orchestration.x.Y.v1.p00", "cmd.delivery.SetExecution.v1"] {
                login.publish(&format!("{api}.STREAM.INFO.EVT_{user}"), &format!("aicmo.{target}"), "");
                login.publish(&format!("aicmo.{target}"), "_INBOX.x", "{}");
            }
        }
    }
}

fn every_process_starts_and_no_neighbour_can(version: Version) {
    let mut system = System::prepare(version);
    // A module that comes first: it lives, and says that it waits.
    let alone = system.start("qc", &["--modules", "qc"]);
    let probe = |system: &System, what: &str, url: &str| system.sagactl(&["doctor", "--probe", what, "--url", url]).0;
    system.until("the module lives", || probe(&system, "live", &alone) == 0);
    system.until("it says for what it waits", || {
        let (exit, said, errors) = system.sagactl(&["doctor", "--url", &alone]);
        exit != 0 && format!("{said}{errors}").contains("is missing")
    });
    let mut each = vec![alone];
    for module in MODULES.iter().skip(1).filter(|module| **module != "qc") {
        each.push(system.start(module, &["--modules", module]));
    }
    let coordinator = system.start("coordinator", &["--coordinator"]);
    each.push(coordinator.clone());
    for url in &each {
        system.until(&format!("{url} is ready"), || probe(&system, "ready", url) == 0);
    }
    // A process that began before its coordinator is ready when it has been given what it asked for, and not before.
    for url in &each {
        let (exit, said, errors) = system.sagactl(&["doctor", "--url", url]);
        assert!(exit == 0 && !said.contains("one account"), "{said}{errors}");
    }
    let begin = ["saga", "start", "client-to-delivery", "--example", "--key", "k", "-o", "id", "--url", &coordinator];
    let (exit, id, errors) = system.sagactl(&begin);
    assert_eq!(exit, 0, "{errors}");
    let id = id.trim();
    attack(&system.nats, id);
    fs::write(system.path().join("approved.json"), r#"{"approved":true,"by":"test"}"#).unwrap();
    let approve = ["saga", "signal", id, "strategy-approved", "--data", "approved.json", "--url", &coordinator];
    system.until("the gate is open", || system.sagactl(&approve).0 == 0);
    attack(&system.nats, id);
    let list = ["saga", "list", "--all", "--url", &coordinator];
    system.until("the saga completes", || system.sagactl(&list).1.contains("completed"));
    attack(&system.nats, id);
    let (exit, history, errors) = system.sagactl(&["saga", "history", id, "--url", &coordinator]);
    assert!(exit == 0 && !history.contains("boss"), "{history}{errors}");
    for url in &each {
        let (exit, said, errors) = system.sagactl(&["doctor", "--url", url]);
        assert!(exit == 0 && said.contains("ready, nothing is wrong"), "{said}{errors}");
    }
    for (_, mut child) in std::mem::take(&mut system.processes) {
        ends_well(&mut child);
    }
    let (exit, said, errors) = system.sagactl(&["events", "verify", "--at-rest", "--config", "c.toml"]);
    assert!(exit == 0 && said.contains("every promise kept"), "{said}{errors}");
}

#[test]
fn every_process_starts_over_the_shipped_accounts_on_the_server_of_debian() {
    every_process_starts_and_no_neighbour_can(Version::Debian);
}
#[test]
fn every_process_starts_over_the_shipped_accounts_on_the_newest_server() {
    every_process_starts_and_no_neighbour_can(Version::Newest);
}
