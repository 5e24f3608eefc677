//! A coordinator with its servers, and two modules that are programs in other languages.

use serde_json::{Value, json};
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use test_servers::nats::{Nats, Version};
use test_servers::postgres::Postgres;

/// Longer than eight tries of three seconds with their pauses on a busy machine.
const WITHIN: Duration = Duration::from_secs(120);
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Looks until something is there.
#[expect(clippy::disallowed_methods, reason = "other processes are waited for in real time, by looking again")]
pub(crate) fn until<T>(what: &str, shop: &Shop, mut look: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + WITHIN;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < end, "{what}: not within {WITHIN:?}\n{}", shop.logs());
        thread::sleep(LOOK_EVERY);
    }
}

fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/foreign")
}
/// What `tests/foreign/run` has installed.
fn installed(path: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target");
    let file = std::env::var_os("CARGO_TARGET_DIR").map_or(root, PathBuf::from).join("foreign").join(path);
    assert!(file.exists(), "{} is not there: run tests/foreign/run --install first", file.display());
    file
}
fn python() -> Command {
    let mut command = Command::new(installed("venv/bin/python"));
    command.env("PYTHONDONTWRITEBYTECODE", "1");
    command
}

const PASSWORD: &str = "secret";
/// The accounts that the program prints, with one for a shop that starts sagas.
fn accounts() -> (String, Vec<String>) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sagactl"));
    let printed = command.args(["config", "nats-accounts", "--publisher", "shop"]).output().unwrap();
    assert!(printed.status.success(), "{}", String::from_utf8_lossy(&printed.stderr));
    let text = String::from_utf8(printed.stdout).unwrap();
    let variables = text.split('$').filter_map(|rest| {
        let end = rest.find(|letter: char| !letter.is_ascii_uppercase() && !letter.is_ascii_digit() && letter != '_');
        let name = &rest[..end.unwrap_or(rest.len())];
        name.starts_with("NATS_PASSWORD_").then(|| name.to_owned())
    });
    let variables = variables.collect();
    (text, variables)
}

/// A child that does not outlive us.
pub(crate) struct Kept(Child);
impl Drop for Kept {
    fn drop(&mut self) {
        // It may be gone already.
        let _gone = self.0.kill();
        let _reaped = self.0.wait();
    }
}

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Name {
    Printshop,
    Courier,
}
pub(crate) const BOTH: [Name; 2] = [Name::Printshop, Name::Courier];

impl Name {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Name::Printshop => "printshop",
            Name::Courier => "courier",
        }
    }
}

pub(crate) struct Shop {
    modules: [Option<Kept>; 2],
    coordinator: Option<Kept>,
    nats: Nats,
    // Dropped after its clients.
    _postgres: Postgres,
    folder: TempDir,
}

impl Shop {
    pub(crate) fn start(version: Version) -> Self {
        let (accounts, variables) = accounts();
        let passwords: Vec<(&str, &str)> = variables.iter().map(|name| (name.as_str(), PASSWORD)).collect();
        let nats = Nats::start_with(version, &accounts, &passwords);
        let (postgres, folder) = (Postgres::start(), TempDir::new().unwrap());
        let at = folder.path();
        // Node looks for packages beside a program and above it.
        symlink(installed("node_modules"), at.join("node_modules")).unwrap();
        for file in fs::read_dir(sources().join("javascript")).unwrap().map(Result::unwrap) {
            if file.path().extension().is_some_and(|ending| ending == "mjs") {
                fs::copy(file.path(), at.join(file.file_name())).unwrap();
            }
        }
        let passwords = at.join("passwords");
        let config = format!(
            "[store]\nurl = {:?}\npassword_folder = {passwords:?}\n[bus]\nurl = {:?}\nuser = \"{{module}}\"\n\
             accounts = true\npassword_file = {:?}\n[admin]\nlisten = \"127.0.0.1:0\"\n[files]\nfolder = {:?}\n",
            postgres.url("postgres"),
            nats.url(),
            at.join("bus.password"),
            at.join("data")
        );
        fs::write(at.join("bus.password"), PASSWORD).unwrap();
        fs::write(at.join("sagactl.toml"), config).unwrap();
        let url = postgres.url("postgres");
        let mut shop = Self { modules: [None, None], coordinator: None, nats, _postgres: postgres, folder };
        let folder = passwords.to_str().unwrap();
        let (exit, _, errors) = shop.sagactl(&["store", "migrate", "--admin-url", &url, "--password-folder", folder]);
        assert_eq!(exit, Some(0), "{errors}");
        let mut serve = Command::new(env!("CARGO_BIN_EXE_sagactl"));
        serve.args(["serve", "--coordinator", "--config"]).arg(shop.config());
        shop.coordinator = Some(shop.keep(serve, "coordinator"));
        for name in BOTH {
            shop.begin(name, &[]);
        }
        until("a coordinator that is ready, by the probe that deploy/ uses", &shop, || {
            let owner = fs::read_to_string(shop.path("data/owner.json")).ok()?;
            let owner: Value = serde_json::from_str(&owner).unwrap();
            let probe = ["doctor", "--probe", "ready", "--url", owner["url"].as_str()?];
            (shop.sagactl(&probe).0 == Some(0)).then_some(())
        });
        shop
    }
    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
    fn config(&self) -> PathBuf {
        self.path("sagactl.toml")
    }
    fn keep(&self, mut command: Command, log: &str) -> Kept {
        let log = File::options().create(true).append(true).open(self.path(&format!("{log}.log"))).unwrap();
        Kept(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().unwrap())
    }
    /// Starts a module, with the faults that it has to play.
    pub(crate) fn begin(&mut self, name: Name, faults: &[(&str, &str)]) {
        let mut command = match name {
            Name::Printshop => {
                let mut command = python();
                command.arg(sources().join("python/printshop.py"));
                command
            }
            Name::Courier => {
                let mut command = Command::new("node");
                command.arg(self.path("courier.mjs"));
                command
            }
        };
        let ledger = self.path(&format!("{}.ledger", name.word()));
        command.env("NATS_URL", self.nats.url()).env("NATS_USER", name.word()).env("NATS_PASSWORD", PASSWORD);
        command.env("LEDGER", ledger).env("JS_API", "JS.bus.API").envs(faults.iter().copied());
        let kept = self.keep(command, name.word());
        self.modules[name as usize] = Some(kept);
    }
    /// SIGKILL; a module that was already gone ended by itself, which is a failure.
    pub(crate) fn kill(&mut self, name: Name) {
        let mut kept = self.modules[name as usize].take().unwrap();
        assert!(kept.0.try_wait().unwrap().is_none(), "{name:?} ended by itself\n{}", self.logs());
    }
    /// Starts a module anew, with the faults that it has to play.
    pub(crate) fn anew(&mut self, name: Name, faults: &[(&str, &str)]) {
        self.kill(name);
        self.begin(name, faults);
    }
    /// Waits until a module ends by itself.
    pub(crate) fn ended(&mut self, name: Name) -> ExitStatus {
        let mut kept = self.modules[name as usize].take().unwrap();
        until("the end of a module", self, || kept.0.try_wait().unwrap())
    }

    pub(crate) fn sagactl(&self, words: &[&str]) -> (Option<i32>, String, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sagactl"));
        let output = command.args(words).env("SAGACTL_DATA", self.path("data")).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        (output.status.code(), text(output.stdout), text(output.stderr))
    }
    /// Starts a saga by the binary and gives its id.
    pub(crate) fn order(&self, key: &str, input: &Value) -> String {
        let file = self.path(&format!("{key}.json"));
        fs::write(&file, input.to_string()).unwrap();
        let words = ["saga", "start", "printed-proof", "--key", key, "--input", file.to_str().unwrap(), "-o", "id"];
        let (exit, said, errors) = self.sagactl(&words);
        assert_eq!(exit, Some(0), "{key}: {errors}\n{}", self.logs());
        said.trim().to_owned()
    }
    /// What is known of a saga; nothing while there is none.
    pub(crate) fn saga(&self, saga: &str) -> Option<Value> {
        let (exit, said, _) = self.sagactl(&["saga", "show", saga, "-o", "ndjson"]);
        (exit == Some(0)).then(|| serde_json::from_str(&said).unwrap())
    }
    /// Waits for the end of a saga, and gives its state and its id.
    pub(crate) fn end(&self, saga: &str) -> (String, String) {
        let text = |found: &Value, name: &str| found[name].as_str().unwrap_or_default().to_owned();
        until(&format!("the end of {saga}"), self, || {
            let found = self.saga(saga)?;
            let state = text(&found, "state");
            assert!(!["parked", "undo-failed"].contains(&state.as_str()), "{saga}: {found:#}\n{}", self.logs());
            ["completed", "compensated", "cancelled"].contains(&state.as_str()).then(|| (state, text(&found, "id")))
        })
    }

    fn outside(&self, words: &[&str]) -> Command {
        let mut command = python();
        command.arg(sources().join("outside.py")).args(words).env("NATS_URL", self.nats.url());
        // One account starts sagas, one looks; and only a coordinator's account can repeat what others say.
        let (user, api) = match words[0] {
            "start" => ("shop", "JS.bus.API"),
            "twice" => ("orchestration", "$JS.API"),
            _ => ("operator", "JS.bus.API"),
        };
        command.env("NATS_USER", user).env("NATS_PASSWORD", PASSWORD).env("JS_API", api);
        command
    }
    fn outside_says(&self, words: &[&str]) -> Result<String, String> {
        let output = self.outside(words).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        if output.status.success() { Ok(text(output.stdout)) } else { Err(text(output.stderr)) }
    }
    /// Publishes a CloudEvent from Python.
    pub(crate) fn publish(&self, mode: &str, event: &Value) {
        self.outside_says(&["start", mode, &event.to_string()]).unwrap();
    }
    /// Waits until everything that came from outside was taken.
    pub(crate) fn all_taken(&self) {
        until("that the stream IN is empty", self, || {
            (self.outside_says(&["left", "IN"]).unwrap().trim() == "0").then_some(())
        });
    }
    /// What lies at `dlq.in`.
    pub(crate) fn dead(&self) -> Vec<Value> {
        let said = self.outside_says(&["dead"]).unwrap();
        said.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
    /// Asks a module, and waits for one that starts.
    pub(crate) fn ask(&self, subject: &str, body: &Value) -> Value {
        let asking = || self.outside_says(&["ask", subject, &body.to_string()]).ok();
        serde_json::from_str(&until(&format!("an answer to {subject}"), self, asking)).unwrap()
    }
    /// The events that a saga caused in the ledgers of both modules, in their order.
    pub(crate) fn effects(&self, saga: &str) -> Vec<String> {
        let mut effects = Vec::new();
        for name in BOTH {
            let log = self.ask(&format!("{}.ReadLog.v1", name.word()), &json!({"after": 0, "limit": 500}));
            let events = log["events"].as_array().unwrap();
            assert_eq!(log["head"], events.len(), "the page is the whole log");
            let own = events.iter().filter(|event| event["sagaid"] == saga);
            effects.extend(own.map(|event| event["type"].as_str().unwrap().to_owned()));
        }
        effects
    }
    /// Begins to publish every command and every reply twice.
    pub(crate) fn twice(&self) -> Twice {
        let log = File::create(self.path("twice.log")).unwrap();
        let mut child = Kept(self.outside(&["twice"]).stdout(Stdio::piped()).stderr(log).spawn().unwrap());
        let mut said = BufReader::new(child.0.stdout.take().unwrap());
        let mut line = String::new();
        said.read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n", "{}", fs::read_to_string(self.path("twice.log")).unwrap());
        Twice { child, said }
    }

    /// The end of every log, for a failure.
    pub(crate) fn logs(&self) -> String {
        let end = |name: &str| {
            let text = fs::read_to_string(self.path(&format!("{name}.log"))).unwrap_or_default();
            let lines: Vec<&str> = text.lines().collect();
            format!("== {name}\n{}\n", lines[lines.len().saturating_sub(25)..].join("\n"))
        };
        ["coordinator", "printshop", "courier"].map(end).concat()
    }
    /// The checker, over the coordinator's store and the bus, after every saga has ended.
    pub(crate) fn finds_nothing(&self) {
        let config = self.config();
        let words = ["events", "verify", "--at-rest", "--config", config.to_str().unwrap()];
        let (exit, said, errors) = self.sagactl(&words);
        assert_eq!(exit, Some(0), "{said}{errors}\n{}", self.logs());
    }
    /// SIGTERM ends everybody by themselves.
    pub(crate) fn stop_well(&mut self) {
        let all = self.modules.iter_mut().chain([&mut self.coordinator]);
        for mut kept in all.filter_map(Option::take) {
            let pid = kept.0.id().to_string();
            assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
            let ended = kept.0.wait().unwrap();
            assert!(ended.success(), "{ended}");
        }
    }
}

/// A client that repeats every command and every reply.
pub(crate) struct Twice {
    child: Kept,
    said: BufReader<ChildStdout>,
}
impl Twice {
    /// Ends it, and gives the subjects that were repeated.
    pub(crate) fn stop(self) -> Vec<String> {
        drop(self.child);
        self.said.lines().map(Result::unwrap).collect()
    }
}
