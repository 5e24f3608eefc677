//! `serve`, `config check` and `doctor` through the real binary, without any server: what they refuse, wait for, and say.

#![expect(clippy::panic, reason = "what tests share speaks by panicking")]

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

pub(crate) fn sagactl(folder: &Path, words: &[&str]) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sagactl"));
    let Output { status, stdout, stderr } = command.args(words).current_dir(folder).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (status.code().unwrap(), text(stdout), text(stderr))
}
pub(crate) fn start(folder: &Path, words: &[&str]) -> Child {
    let log = fs::File::create(folder.join("log")).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_sagactl"));
    command.args(words).current_dir(folder).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
    command.spawn().unwrap()
}
/// Looks again until it is so, because another process does it.
pub(crate) fn until(folder: &Path, what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..6_000 {
        if holds() {
            return;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    panic!("{what}: {}", fs::read_to_string(folder.join("log")).unwrap_or_default());
}
pub(crate) fn ends_well(child: &mut Child) {
    let sent = Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
    assert!(sent.success() && child.wait().unwrap().success(), "SIGTERM ends it well");
}

#[test]
fn a_configuration_is_checked_whole_before_anything_starts() {
    let folder = tempfile::tempdir().unwrap();
    let shipped = include_str!("../../../../deploy/sagactl.toml");
    fs::write(folder.path().join("good.toml"), shipped).unwrap();
    let (exit, said, errors) = sagactl(folder.path(), &["config", "check", "--config", "good.toml"]);
    assert!(exit == 0 && said.contains("coordinator.groups            16"), "{said}{errors}");
    for (text, wanted) in [
        ("[stor]\n", "did you mean store?"),
        ("[store]\nurl = 'oracle://x'\n", "neither sqlite:FOLDER nor postgres://"),
        ("[admin]\nlisten = '0.0.0.0:80'\n", "reach it through a tunnel"),
        ("not toml at all", "line 1"),
    ] {
        fs::write(folder.path().join("bad.toml"), text).unwrap();
        for words in [["config", "check"].as_slice(), &["serve"]] {
            let (exit, said, errors) = sagactl(folder.path(), &[words, &["--config", "bad.toml"]].concat());
            assert!(exit == 6 && said.is_empty() && errors.contains("SG0306"), "{words:?} {text:?}: {said}{errors}");
            assert!(errors.contains("bad.toml") && errors.contains(wanted), "{text:?}: {errors}");
        }
    }
    let (exit, _, errors) = sagactl(folder.path(), &["serve", "--config", "nowhere.toml"]);
    assert!(exit == 6 && errors.contains("nowhere.toml") && errors.contains("deploy/sagactl.toml"), "{errors}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "nothing was made");
}

#[test]
fn roles_that_make_no_sense_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("c.toml"), "[admin]\nlisten = '127.0.0.1:0'\n").unwrap();
    for (words, wanted) in [
        (vec!["--modules", "qc"], "serves one process, which must do everything"),
        (vec!["--coordinator"], "name a NATS server as bus.url"),
    ] {
        let (exit, _, errors) = sagactl(folder.path(), &[&["serve", "--config", "c.toml"], &words[..]].concat());
        assert!(exit == 6 && errors.contains(wanted), "{words:?}: {errors}");
    }
}

#[test]
fn one_process_serves_everything_and_says_how_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    fs::write(path.join("c.toml"), "[admin]\nlisten = '127.0.0.1:0'\n").unwrap();
    let mut child = start(path, &["serve", "--config", "c.toml"]);
    until(path, "it says where it is", || path.join("data/owner.json").is_file());
    until(path, "it is ready", || sagactl(path, &["doctor", "--probe", "ready", "--data", "data"]).0 == 0);
    let (exit, said, errors) = sagactl(path, &["doctor", "--data", "data"]);
    assert!(exit == 0 && said.contains("ready, nothing is wrong"), "{said}{errors}");
    assert!(said.contains("groups  0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15"), "{said}");
    let start = ["saga", "start", "client-to-delivery", "--example", "--key", "k", "--data", "data"];
    assert_eq!(sagactl(path, &start).0, 0);
    ends_well(&mut child);
    let (exit, said, errors) = sagactl(path, &["events", "verify", "--config", "c.toml"]);
    assert!(exit == 0 && said.contains("every promise kept"), "{said}{errors}");
    // A store keeps the number of groups that it began with, and a process that has it alone takes that number from it.
    let (exit, said, errors) = sagactl(path, &["saga", "list", "--data", "data"]);
    assert!(exit == 0 && said.contains("client-to-delivery"), "{said}{errors}");
    let (exit, said, errors) =
        sagactl(path, &["saga", "note", "client-to-delivery/k", "seen", "--run", "--data", "data"]);
    assert!(exit == 0 && said.contains("noted"), "{said}{errors}");
    let mut child = self::start(path, &["dev", "--data", "data", "--listen", "127.0.0.1:0"]);
    until(path, "it is ready", || sagactl(path, &["doctor", "--probe", "ready", "--data", "data"]).0 == 0);
    let (_, said, errors) = sagactl(path, &["doctor", "--data", "data"]);
    assert!(said.contains("groups  0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15"), "{said}{errors}");
    ends_well(&mut child);
    // The other way round: one group, and a configuration that says sixteen.
    let words = ["saga", "start", "client-to-delivery", "--example", "--key", "k", "--run", "--data", "one"];
    assert_eq!(sagactl(path, &words).0, 0);
    let text = "[admin]\nlisten = '127.0.0.1:0'\n[store]\nurl = 'sqlite:one'\n[files]\nfolder = 'files'\n";
    fs::write(path.join("one.toml"), text).unwrap();
    let mut child = self::start(path, &["serve", "--config", "one.toml"]);
    until(path, "it is ready", || sagactl(path, &["doctor", "--probe", "ready", "--data", "one"]).0 == 0);
    let (_, said, errors) = sagactl(path, &["doctor", "--data", "files"]);
    assert!(said.contains("groups  0\n"), "{said}{errors}");
    ends_well(&mut child);
}

#[test]
fn servers_that_are_not_up_yet_are_waited_for_aloud() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    // Port 9 is nobody's: connections are refused at once.
    let text = "[store]\nurl = 'postgres://127.0.0.1:9/none'\n[bus]\nurl = 'nats://127.0.0.1:9'\n[admin]\nlisten = '127.0.0.1:0'\n";
    fs::write(path.join("c.toml"), text).unwrap();
    let mut child = start(path, &["serve", "--config", "c.toml"]);
    until(path, "it says that it waits", || fs::read_to_string(path.join("log")).unwrap().contains("waiting: "));
    ends_well(&mut child);
    let log = fs::read_to_string(path.join("log")).unwrap();
    assert!(log.contains("stopped before the servers that it waited for were there"), "{log}");
}
