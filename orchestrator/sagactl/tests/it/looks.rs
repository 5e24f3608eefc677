//! No command that only looks changes one byte, one file or one time of a folder, whether or not a process runs it; and
//! an order to a folder that no process runs is refused.
#![expect(clippy::panic, reason = "what tests share speaks by panicking")]

use crate::serve::until;
use clap::{ArgAction, CommandFactory, Parser};
use sagactl::args::{Cli, Kind, rewrite};
use sagactl::program::Program;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

const SAGA: &str = "client-to-delivery/r1";
/// Longer than a relay is idle before it saves how far it came.
const RELAYS_REST: Duration = Duration::from_secs(8);
/// The user that owns nothing.
const NOBODY: u32 = 65_534;

#[expect(clippy::disallowed_methods, reason = "another process rests in real time")]
fn now() -> Instant {
    Instant::now()
}

/// Words for what a command cannot do without, by the name of the argument.
fn value(of: &str, place: &Place) -> Option<String> {
    let file = |name: &str| place.root.path().join(name).display().to_string();
    Some(match of {
        "id" => SAGA.to_owned(),
        "kind" => "client-to-delivery".to_owned(),
        "gate" => "strategy-approved".to_owned(),
        "text" => "seen".to_owned(),
        "data" => file("yes.json"),
        "config" => file("c.toml"),
        "admin_url" | "to" => "postgres://127.0.0.1:9/none".to_owned(),
        "from" => "sqlite:nowhere".to_owned(),
        "groups" => "4".to_owned(),
        "module" => "qc".to_owned(),
        _ => return None,
    })
}

/// More words without which a command would be refused before it does anything.
fn more(path: &str, kind: Kind, place: &Place) -> Vec<String> {
    let yes = place.root.path().join("yes.json").display().to_string();
    let mut words: Vec<&str> = match path {
        "saga start" => vec!["--example"],
        "saga skip" => vec!["--step", "create-package", "--result", &yes],
        _ => Vec::new(),
    };
    if kind == Kind::Order {
        words.extend(["--reason", "r", "--yes"]);
    }
    words.into_iter().map(str::to_owned).collect()
}

/// Every command of this kind, as the command line itself lists them, in words that are understood.
fn commands(kind: Kind, place: &Place) -> Vec<Vec<String>> {
    fn walk(command: &clap::Command, path: &[String], kind: Kind, place: &Place, found: &mut Vec<Vec<String>>) {
        for sub in command.get_subcommands() {
            let path = [path, &[sub.get_name().to_owned()]].concat();
            if sub.has_subcommands() {
                walk(sub, &path, kind, place, found);
                continue;
            }
            let mut words = path.clone();
            for argument in sub.get_arguments().filter(|argument| argument.is_required_set()) {
                let name = argument.get_id().as_str();
                let value = value(name, place);
                let value = value.unwrap_or_else(|| panic!("{path:?} needs {name}: teach this test a value for it"));
                if let Some(long) = argument.get_long() {
                    words.push(format!("--{long}"));
                }
                assert!(!matches!(argument.get_action(), ArgAction::SetTrue), "{path:?} needs a flag");
                words.push(value);
            }
            // `config check` reads a file of this name where it stands.
            let line = |kind| [words.clone(), more(&path.join(" "), kind, place)].concat();
            let parse = |words: Vec<String>| {
                let argv = std::iter::once("sagactl".to_owned()).chain(words).map(Into::into).collect();
                Cli::try_parse_from(rewrite(argv)).map(|cli| cli.command.kind())
            };
            let is = [Kind::Look, Kind::Order, Kind::Run]
                .into_iter()
                .find(|kind| parse(line(*kind)).is_ok_and(|is| is == *kind));
            let is = is.unwrap_or_else(|| panic!("{path:?} is not understood: teach this test what it needs"));
            if is == kind {
                found.push(line(kind));
            }
        }
    }
    let mut found = Vec::new();
    let mut command = Cli::command();
    command.build();
    walk(&command, &[], kind, place, &mut found);
    found
}

/// A folder for data, with others for what is not data, readable by everybody.
struct Place {
    root: tempfile::TempDir,
    data: PathBuf,
}

impl Place {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        fs::set_permissions(root.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let data = root.path().join("data");
        fs::create_dir(&data).unwrap();
        fs::write(root.path().join("yes.json"), "{\"approved\":true}").unwrap();
        let config = format!("[store]\nurl = 'sqlite:{0}'\n[files]\nfolder = '{0}'\n", data.display());
        fs::write(root.path().join("c.toml"), &config).unwrap();
        fs::write(root.path().join("sagactl.toml"), config).unwrap();
        let temporary = root.path().join("tmp");
        fs::create_dir(&temporary).unwrap();
        fs::set_permissions(&temporary, fs::Permissions::from_mode(0o777)).unwrap();
        Self { root, data }
    }
    fn command(&self, words: &[impl AsRef<str>]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sagactl"));
        command.args(words.iter().map(AsRef::as_ref)).current_dir(self.root.path());
        command.env("SAGACTL_DATA", &self.data).env("TMPDIR", self.root.path().join("tmp")).stdin(Stdio::null());
        command
    }
    fn run(&self, words: &[impl AsRef<str>]) -> (i32, String, String) {
        said(self.command(words))
    }
    fn dev(&self) -> Child {
        let log = fs::File::create(self.root.path().join("log")).unwrap();
        let mut command = self.command(&["dev", "--listen", "127.0.0.1:0"]);
        let child = command.stdout(Stdio::null()).stderr(log).spawn().unwrap();
        until(self.root.path(), "it is ready", || self.run(&["doctor", "--probe", "ready"]).0 == 0);
        child
    }
    fn state(&self) -> String {
        let (_, shown, _) = self.run(&["saga", "show", SAGA, "-o", "json"]);
        let shown: serde_json::Value = serde_json::from_str(&shown).unwrap_or_default();
        shown["state"].as_str().unwrap_or_default().to_owned()
    }
    /// Whether no read model is behind what it reads.
    fn has_folded_all(&self) -> bool {
        let (exit, listed, _) = self.run(&["module", "list", "-o", "json"]);
        let listed: serde_json::Value = serde_json::from_str(&listed).unwrap_or_default();
        let modules = listed["items"].as_array().cloned().unwrap_or_default();
        exit == 0 && !modules.is_empty() && modules.iter().all(|module| module["lag"] == 0)
    }
    /// A saga that waits for a person, and its process.
    fn waiting(&self) -> Child {
        let owner = self.dev();
        let (exit, said, errors) = self.run(&["saga", "start", "client-to-delivery", "--example", "-k", "r1"]);
        assert_eq!(exit, 0, "{said}{errors}");
        until(self.root.path(), "it waits for a person", || self.state() == "waiting");
        owner
    }
    /// A saga that any coordinator would take over its point of no return at once, and whose process was killed.
    fn killed_on_the_way(&self) {
        let mut owner = self.waiting();
        fs::write(self.data.join("files"), "in the way").unwrap();
        let (exit, said, errors) =
            self.run(&["saga", "signal", SAGA, "strategy-approved", "--data", "{\"approved\":true}"]);
        assert_eq!(exit, 0, "{said}{errors}");
        until(self.root.path(), "it is being tried again", || self.state() == "retrying");
        owner.kill().unwrap();
        owner.wait().unwrap();
        fs::remove_file(self.data.join("files")).unwrap();
        let log = fs::metadata(self.data.join("orchestration.db-wal")).unwrap();
        assert!(log.len() > 50_000, "the write-ahead log is full: {}", log.len());
    }
    /// Everything that a folder is, but for when somebody read it last.
    fn picture(&self) -> BTreeMap<PathBuf, String> {
        let mut found = BTreeMap::new();
        draw(&self.data, &mut found);
        found
    }
    fn unchanged(&self, before: &BTreeMap<PathBuf, String>, after: &[impl AsRef<str>]) {
        let words: Vec<&str> = after.iter().map(AsRef::as_ref).collect();
        assert_eq!(*before, self.picture(), "{words:?} changed the folder");
    }
}

fn draw(path: &Path, found: &mut BTreeMap<PathBuf, String>) {
    let meta = fs::symlink_metadata(path).unwrap();
    let content = match meta.is_file() {
        true => saga_core::envelope::sha256_hex(&fs::read(path).unwrap()),
        false => String::new(),
    };
    let (size, mode, owner) = (meta.size(), meta.mode(), meta.uid());
    let times = (meta.mtime(), meta.mtime_nsec(), meta.ctime(), meta.ctime_nsec());
    found.insert(path.to_owned(), format!("{} {size} {mode:o} {owner} {times:?} {content}", meta.ino()));
    if meta.is_dir() {
        fs::read_dir(path).unwrap().for_each(|entry| draw(&entry.unwrap().path(), found));
    }
}

fn said(mut command: Command) -> (i32, String, String) {
    let Output { status, stdout, stderr } = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (status.code().unwrap_or(-1), text(stdout), text(stderr))
}

/// Every command that looks, and the checks of whole stores, which look at other places too.
fn looks(place: &Place) -> Vec<Vec<String>> {
    let mut looks = commands(Kind::Look, place);
    let config = place.root.path().join("c.toml").display().to_string();
    looks.push(["events", "verify", "--config", &config].map(str::to_owned).to_vec());
    let lists = ["saga list --all -o json", "saga list --all --watch --cursor 1-0- -o ndjson --for 200ms"];
    looks.extend(lists.map(|words| words.split(' ').map(str::to_owned).collect::<Vec<_>>()));
    let told: Vec<String> = looks.iter().map(|words| words.join(" ")).collect();
    for known in
        ["saga list", "saga watch", "module list", "definition list", "events verify", "doctor", "config check"]
    {
        assert!(told.iter().any(|words| words.starts_with(known)), "{known} is a look: {told:?}");
    }
    looks
}

#[test]
fn no_look_changes_a_folder_whose_process_was_killed_on_the_way() {
    let place = Place::new();
    place.killed_on_the_way();
    let before = place.picture();
    for words in looks(&place) {
        let (exit, said, errors) = place.run(&words);
        place.unchanged(&before, &words);
        assert!([0, 6, 9].contains(&exit), "{words:?} is {exit}: {said}{errors}");
    }
    for (words, part) in [
        (["saga", "list"], "retrying"),
        (["saga", "show"], "saga retry --run "),
        (["saga", "history"], "SagaStarted"),
        (["saga", "why-stuck"], "saga retry --run "),
    ] {
        let words: Vec<&str> = words.into_iter().chain((words[1] != "list").then_some(SAGA)).collect();
        let (exit, said, errors) = place.run(&words);
        assert!(exit == 0 && said.contains(part), "{words:?}: {said}{errors}");
        assert!(errors.contains("nobody runs ") && errors.contains(" since 20"), "{words:?}: {errors}");
    }
    let (_, said, _) = place.run(&["saga", "list", "-o", "json"]);
    assert!(said.contains("nobody runs ") && said.contains("\"total\":1"), "{said}");
    let (exit, _, errors) = place.run(&["saga", "watch", SAGA]);
    assert!(exit == 9 && errors.contains("SG0310"), "nothing will ever move: {errors}");
    let (exit, said, errors) = place.run(&["doctor"]);
    let once = [said.as_str(), &errors].concat().matches("nobody runs").count() == 1;
    assert!(exit == 6 && said.contains("nobody runs it") && once, "{said}{errors}");
    // Six at once, and nothing is left of what they copied.
    let crowd: Vec<Child> = (0..6)
        .map(|_| {
            place.command(&["saga", "list", "-o", "id"]).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap()
        })
        .collect();
    let (_, id, _) = place.run(&["saga", "list", "-o", "id"]);
    for reader in crowd {
        let output = reader.wait_with_output().unwrap();
        assert_eq!((output.status.code(), String::from_utf8(output.stdout).unwrap()), (Some(0), id.clone()));
    }
    place.unchanged(&before, &["six readers"]);
    assert_eq!(fs::read_dir(place.root.path().join("tmp")).unwrap().count(), 0, "copies stay behind");
}

#[test]
fn no_order_is_done_in_a_folder_that_nobody_runs_unless_it_says_so() {
    let place = Place::new();
    place.killed_on_the_way();
    let before = place.picture();
    let orders = commands(Kind::Order, &place);
    assert!(orders.len() >= 9, "{orders:?}");
    let idle = Program { idle: true, ..Program::default() };
    for words in &orders {
        assert!(idle.told(&words.join(" ")).contains(" --run"), "{words:?}");
        let (exit, said, errors) = place.run(words);
        assert!(exit == 9 && said.is_empty(), "{words:?} is {exit}: {said}{errors}");
        assert!(
            errors.contains("SG0310") && errors.contains("--run") && errors.contains(" dev"),
            "{words:?}: {errors}"
        );
        place.unchanged(&before, words);
    }
    let (exit, said, errors) = place.run(&["saga", "note", SAGA, "now", "--run"]);
    assert_eq!(exit, 0, "{said}{errors}");
    until(place.root.path(), "it went on while the folder was run", || place.state() != "retrying");
    let (_, said, _) = place.run(&["saga", "history", SAGA]);
    assert!(said.contains("now"), "{said}");
}

#[test]
fn a_look_needs_no_right_to_write() {
    let place = Place::new();
    place.killed_on_the_way();
    // As on read-only media: a command that looks may not write here. Root may write everywhere, so it looks as another
    // user.
    let program = place.root.path().join("sagactl");
    fs::copy(env!("CARGO_BIN_EXE_sagactl"), &program).unwrap();
    for path in place.picture().keys() {
        let mode = if path.is_dir() { 0o555 } else { 0o444 };
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }
    let is_root = fs::metadata(place.root.path()).unwrap().uid() == 0;
    let before = place.picture();
    let by_nobody = |words: &[String]| {
        let mut command = Command::new(&program);
        command.args(words).current_dir(place.root.path()).env("SAGACTL_DATA", &place.data).stdin(Stdio::null());
        command.env("TMPDIR", place.root.path().join("tmp"));
        if is_root {
            command.uid(NOBODY).gid(NOBODY);
        }
        said(command)
    };
    for words in looks(&place) {
        let (exit, said, errors) = by_nobody(&words);
        place.unchanged(&before, &words);
        assert!(!errors.contains("SG0003") && [0, 6, 9].contains(&exit), "{words:?} is {exit}: {said}{errors}");
        if words.starts_with(&["saga".to_owned(), "list".to_owned()]) {
            assert!([0, 9].contains(&exit) && said.contains("retrying"), "{words:?}: {said}{errors}");
        }
    }
    // A backup only reads what it copies; but who may not write cannot hold a process still for a moment.
    let copy = place.root.path().join("tmp/copy");
    let words = ["store", "backup", copy.to_str().unwrap()].map(str::to_owned);
    let lock = fs::File::open(place.data.join("qc.lock")).unwrap();
    lock.lock().unwrap();
    let (exit, said, errors) = by_nobody(&words);
    assert!(exit == 5 && errors.contains("SG0001") && errors.contains("as its user"), "{exit}: {said}{errors}");
    drop(lock);
    let (exit, said, errors) = by_nobody(&words);
    assert!(exit == 0 && said.contains("every promise kept"), "{exit}: {said}{errors}");
    place.unchanged(&before, &words);
    assert!(copy.join("orchestration.db").is_file());
    fs::set_permissions(&place.data, fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn no_look_changes_a_folder_beside_the_process_that_runs_it() {
    let place = Place::new();
    let mut owner = place.waiting();
    // What the process still has to do by itself comes to rest first: it has folded all that there is, and its relays have
    // saved how far they came, which they do when they have had nothing to publish for a while.
    let quiet = RefCell::new((place.picture(), now()));
    until(place.root.path(), "the process rests", || {
        let (mut quiet, seen) = (quiet.borrow_mut(), place.picture());
        let since = if seen == quiet.0 { quiet.1 } else { now() };
        *quiet = (seen, since);
        since.elapsed() > RELAYS_REST && place.has_folded_all()
    });
    let before = place.picture();
    // The index beside a log is the memory of the process that runs the folder: its own readers leave marks there.
    let without_marks = |picture: &BTreeMap<PathBuf, String>| {
        let mut picture = picture.clone();
        picture.retain(|path, _| !path.to_string_lossy().ends_with("-shm"));
        // As root, SQLite says whose a log is each time that it opens one, which is a change of the file's record and of nothing
        // in it.
        for (_, seen) in picture.iter_mut().filter(|(path, _)| path.to_string_lossy().ends_with("-wal")) {
            let (file, hash) = seen.rsplit_once(')').unwrap();
            let record = file.match_indices(", ").nth(1).unwrap().0;
            *seen = format!("{}){hash}", &file[..record]);
        }
        picture
    };
    for words in looks(&place) {
        let words = match words.starts_with(&["saga".to_owned(), "watch".to_owned()]) {
            true => [words, vec!["--for".to_owned(), "200ms".to_owned()]].concat(),
            false => words,
        };
        let at_once = place.picture();
        let (exit, said, errors) = place.run(&words);
        assert_eq!(without_marks(&before), without_marks(&place.picture()), "{words:?} changed the folder");
        if words.contains(&"--config".to_owned()) {
            // This one asks nobody.
            place.unchanged(&at_once, &words);
        }
        assert!([0, 8].contains(&exit), "{words:?} is {exit}: {said}{errors}");
    }
    owner.kill().unwrap();
    owner.wait().unwrap();
}

#[test]
fn a_folder_that_lacks_stores_is_looked_at_and_gets_none() {
    let place = Place::new();
    let mut owner = place.waiting();
    owner.kill().unwrap();
    owner.wait().unwrap();
    for entry in fs::read_dir(&place.data).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() && !path.file_name().unwrap().to_string_lossy().starts_with("orchestration.db") {
            fs::remove_file(path).unwrap();
        }
    }
    let before = place.picture();
    for words in looks(&place) {
        let (exit, said, errors) = place.run(&words);
        place.unchanged(&before, &words);
        match words.join(" ").as_str() {
            "saga list" => assert!(exit == 0 && said.contains("waiting"), "{said}{errors}"),
            "module list" => assert_eq!(said.matches("missing").count(), 5, "{said}{errors}"),
            _ => {}
        }
    }
}

#[test]
fn who_runs_elsewhere_is_found_where_it_says_that_it_is() {
    let place = Place::new();
    let text = "[admin]\nlisten = '127.0.0.1:0'\n[store]\nurl = 'sqlite:stores'\n[files]\nfolder = 'files'\n";
    fs::write(place.root.path().join("sagactl.toml"), text).unwrap();
    let without = |words: &[&str]| {
        let mut command = place.command(words);
        command.env_remove("SAGACTL_DATA");
        command
    };
    let log = fs::File::create(place.root.path().join("log")).unwrap();
    let mut owner = without(&["serve"]).stdout(Stdio::null()).stderr(log).spawn().unwrap();
    until(place.root.path(), "it is found without a word", || said(without(&["doctor", "--probe", "ready"])).0 == 0);
    for words in [&["saga", "list"][..], &["saga", "list", "--data", "stores"], &["saga", "list", "--data", "files"]] {
        let (exit, _, errors) = said(without(words));
        assert!(exit == 0 && !errors.contains("nobody runs"), "{words:?}: {errors}");
    }
    // What it said itself is a command that works.
    let log = fs::read_to_string(place.root.path().join("log")).unwrap();
    let next: Vec<&str> = log.lines().find_map(|line| line.strip_prefix("look: ")).unwrap().split(' ').collect();
    assert_eq!((next[0], said(without(&next[1..])).0), (env!("CARGO_BIN_EXE_sagactl"), 0), "{next:?}");
    owner.kill().unwrap();
    owner.wait().unwrap();
}

#[test]
fn a_process_that_keeps_nothing_names_commands_that_work() {
    let place = Place::new();
    let log = fs::File::create(place.root.path().join("log")).unwrap();
    let words = ["dev", "--ephemeral", "--listen", "127.0.0.1:0"];
    let mut owner = place.command(&words).stdout(Stdio::null()).stderr(log).spawn().unwrap();
    let log = || fs::read_to_string(place.root.path().join("log")).unwrap();
    until(place.root.path(), "it says what comes next", || log().contains("saga list"));
    let log = log();
    let line = log.lines().find_map(|line| line.trim().strip_prefix("next: ")).unwrap();
    // The program is called there as it was called itself.
    let program = concat!(env!("CARGO_BIN_EXE_sagactl"), " ");
    let next: Vec<&str> = line.split(program).map(str::trim).filter(|command| !command.is_empty()).collect();
    assert_eq!(next.len(), 2, "{line}");
    for command in next {
        let (exit, said, errors) = place.run(&command.split(' ').collect::<Vec<_>>());
        assert_eq!(exit, 0, "{command}: {said}{errors}");
    }
    owner.kill().unwrap();
    owner.wait().unwrap();
}
