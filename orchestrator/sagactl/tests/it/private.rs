//! What this program leaves on a disk is for its user alone, and what is temporary is gone.

use crate::serve::{ends_well, sagactl, until};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Every path below a folder that others may look into.
fn open_to_others(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        // A file may go while its folder is read.
        let paths = fs::read_dir(next).unwrap().filter_map(|entry| entry.ok()).map(|entry| entry.path());
        for path in paths {
            let Ok(metadata) = fs::symlink_metadata(&path) else { continue };
            if metadata.permissions().mode() & 0o077 != 0 {
                found.push(path.clone());
            }
            if metadata.is_dir() {
                folders.push(path);
            }
        }
    }
    found
}

fn dev(folder: &Path, more: &[&str]) -> std::process::Child {
    let log = fs::File::create(folder.join("log")).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_sagactl"));
    command.args(["dev", "--listen", "127.0.0.1:0"]).args(more).current_dir(folder);
    command.env("TMPDIR", folder.join("tmp")).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
    command.spawn().unwrap()
}
fn has_begun(folder: &Path) -> bool {
    fs::read_to_string(folder.join("log")).unwrap().contains("\nnext: ")
}

#[test]
fn a_temporary_folder_is_its_own_and_goes_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let tmp = folder.path().join("tmp");
    fs::create_dir(&tmp).unwrap();
    let mut dev = dev(folder.path(), &["--ephemeral"]);
    until(folder.path(), "dev has begun", || has_begun(folder.path()));
    let made: Vec<_> = fs::read_dir(&tmp).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(made.len(), 1, "{made:?}");
    let name = made[0].file_name().unwrap().to_str().unwrap().to_owned();
    assert!(!name.contains(&dev.id().to_string()), "{name}: nobody can guess it");
    assert_eq!(open_to_others(&tmp), Vec::<PathBuf>::new());
    ends_well(&mut dev);
    assert_eq!(fs::read_dir(&tmp).unwrap().count(), 0);
}

#[test]
fn a_kept_folder_is_closed_to_others_with_all_that_is_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join(".sagactl");
    fs::create_dir(&data).unwrap();
    fs::set_permissions(&data, fs::Permissions::from_mode(0o755)).unwrap();
    let mut dev = dev(folder.path(), &[]);
    until(folder.path(), "dev has begun", || has_begun(folder.path()));
    assert_eq!(fs::metadata(&data).unwrap().permissions().mode() & 0o777, 0o700);
    assert_eq!(open_to_others(&data), Vec::<PathBuf>::new());
    // A saga that asks modules that one process cannot serve is not offered.
    let (exit, said, _) = sagactl(folder.path(), &["definition", "list", "-o", "id"]);
    assert!(exit == 0 && said.contains("client-to-delivery@") && !said.contains("printed-proof"), "{said}");
    let (exit, _, errors) = sagactl(folder.path(), &["saga", "start", "client-to-delivery@99", "--example"]);
    assert!(exit == 3 && errors.contains("has no version 99; it has"), "{errors}");
    ends_well(&mut dev);
}

#[test]
fn no_secret_of_a_configuration_is_shown_by_any_command() {
    let folder = tempfile::tempdir().unwrap();
    for url in [
        "postgres://u:swordfish@127.0.0.1:1/d",
        "postgres://u:a swordfish@127.0.0.1:1/d",
        "postgres:u:swordfish@h",
        "host=127.0.0.1 password=swordfish",
        "postgres://127.0.0.1:1/d?passw%6Frd=swordfish",
        "postgres://127.0.0.1:1/d?sslpassword=swordfish",
        "postgres://127.0.0.1:1/d?sslkey=-----BEGIN%20swordfish",
        "postgres://127.0.0.1:1/d?sslkey=swordfish",
        "sqlite:postgres://u:swordfish@h",
        "sqlite:h?password=swordfish",
    ] {
        let text = format!("[store]\nurl = \"{url}\"\n[bus]\nurl = 'nats://127.0.0.1:1'\n");
        fs::write(folder.path().join("c.toml"), text).unwrap();
        for words in [
            vec!["config", "check", "--config", "c.toml"],
            vec!["config", "check", "--config", "c.toml", "-o", "json"],
            vec!["-vvv", "config", "check", "--config", "c.toml"],
            vec!["-vvv", "events", "verify", "--config", "c.toml"],
            vec!["-vvv", "store", "migrate", "--config", "c.toml", "--admin-url", url],
        ] {
            let (_, said, errors) = sagactl(folder.path(), &words);
            assert!(!said.contains("swordfish") && !errors.contains("swordfish"), "{words:?}: {said}{errors}");
        }
    }
}

/// Every form in which a login is typed, with the secret where it stands in none of the parts that are shown.
fn forms(secret: &str) -> Vec<String> {
    [
        "u:SECRET@h:1",
        "postgres:u:SECRET@h",
        "postgres:SECRET",
        "postgres://u:SECRET@127.0.0.1:1/d",
        "postgres://SECRET@127.0.0.1:1/d",
        "postgres://127.0.0.1:1/d?SECRET",
        "postgres://127.0.0.1:1/d?SECRET=1",
        "postgres://127.0.0.1:1/d?sslcert=SECRET",
        "postgres://127.0.0.1:1/d?sslrootcert=SECRET",
        "postgres://127.0.0.1:1/d?sslkey=SECRET",
        "postgres://127.0.0.1:1/d?sslmode=SECRET",
        "postgres://127.0.0.1:1/d?sslcert=/SECRET",
        "postgres://127.0.0.1:1/d?port=SECRET",
        "postgres://127.0.0.1:1/d#SECRET",
        "host=h password=SECRET",
        "nats://u:SECRET@h:1",
        "http://u:SECRET@127.0.0.1:1",
        "sqlite://u:SECRET@h",
    ]
    .map(|form| form.replace("SECRET", secret))
    .to_vec()
}

/// Every option and argument of every command that can be typed, as words up to its value.
fn places() -> Vec<Vec<String>> {
    fn walk(command: &clap::Command, words: &[String], places: &mut Vec<Vec<String>>) {
        for arg in command.get_arguments().filter(|arg| arg.get_action().takes_values()) {
            let named = arg.get_long().map(|long| format!("--{long}"));
            places.push(words.iter().cloned().chain(named).collect());
        }
        for next in command.get_subcommands() {
            let name = next.get_name().to_owned();
            // A story that is told for a minute, and measurements: what they take is tried below.
            if !["demo", "bench"].contains(&&*name) {
                walk(next, &[words, &[name]].concat(), places);
            }
        }
    }
    let mut places = Vec::new();
    walk(&<sagactl::args::Cli as clap::CommandFactory>::command(), &[], &mut places);
    places
}

#[test]
fn no_secret_of_a_command_line_is_repeated_by_any_command() {
    let folder = tempfile::tempdir().unwrap();
    let secrets = ["swordfish", "Zx9-Qw.7_kLm", "correct-horse"];
    let mut repeated = Vec::new();
    let mut tried = |words: &[String], secret: &str| {
        let words: Vec<&str> = ["-vvv", "--no-input"].into_iter().chain(words.iter().map(String::as_str)).collect();
        let (_, said, errors) = sagactl(folder.path(), &words);
        if said.contains(secret) || errors.contains(secret) {
            repeated.push(format!("{words:?}: {said}{errors}"));
        }
    };
    // Wherever an address belongs, every form; elsewhere one, by turns.
    let addressed = [
        vec!["dev", "--listen"],
        vec!["saga", "list", "--data"],
        vec!["dev", "--data"],
        vec!["saga", "list", "--url"],
        vec!["store", "migrate", "--admin-url"],
        vec!["store", "copy", "--from", "sqlite:x", "--to"],
        vec!["store", "copy", "--to", "postgres://h/d", "--from"],
        vec!["bench", "saga", "--bus", "nats://127.0.0.1:1", "--store"],
        vec!["events", "verify", "--config"],
    ];
    for (number, place) in addressed.iter().enumerate() {
        let secret = secrets[number % secrets.len()];
        for form in
            forms(secret).into_iter().chain([secret.to_owned()].into_iter().filter(|_| place.contains(&"--listen")))
        {
            let words: Vec<String> = place.iter().map(|word| (*word).to_owned()).chain([form]).collect();
            tried(&words, secret);
        }
    }
    let places = places();
    assert!(places.len() > 60, "{}", places.len());
    for (number, place) in places.into_iter().enumerate() {
        let secret = secrets[number % secrets.len()];
        let form = forms(secret).swap_remove(number % forms(secret).len());
        let words: Vec<String> = place.into_iter().chain([form]).collect();
        tried(&words, secret);
    }
    assert!(repeated.is_empty(), "{}", repeated.join("\n"));
}

#[test]
fn a_log_that_nobody_reads_ends_nothing() {
    for words in [["dev", "-v"], ["dev", "-vvv"], ["serve", "-vvv"]] {
        let folder = tempfile::tempdir().unwrap();
        let config = "[admin]\nlisten = '127.0.0.1:0'\n[store]\nurl = 'sqlite:.sagactl'\n";
        fs::write(folder.path().join("sagactl.toml"), config).unwrap();
        let (nobody, dead) = std::io::pipe().unwrap();
        drop(nobody);
        let mut command = Command::new(env!("CARGO_BIN_EXE_sagactl"));
        command.args(words).current_dir(folder.path());
        if words[0] == "dev" {
            command.args(["--listen", "127.0.0.1:0"]);
        }
        command.stdin(Stdio::null()).stdout(dead.try_clone().unwrap()).stderr(dead);
        let mut owner = command.spawn().unwrap();
        until(folder.path(), &format!("{words:?} has begun"), || folder.path().join(".sagactl/owner.json").is_file());
        let (exit, said, errors) = sagactl(folder.path(), &["definition", "list", "-o", "id"]);
        assert!(exit == 0 && said.contains("client-to-delivery@"), "{said}{errors}");
        ends_well(&mut owner);
    }
}

#[test]
fn nobody_orders_without_a_name_and_an_address_is_no_folder() {
    let folder = tempfile::tempdir().unwrap();
    for words in [
        vec!["--as", "", "--url", "http://127.0.0.1:9", "saga", "note", "9f3ac2d1", "a"],
        vec!["--as", " ", "--url", "http://127.0.0.1:9", "saga", "list"],
        vec!["--as", "coordinator", "--url", "http://127.0.0.1:9", "saga", "list"],
        vec!["--as", "a\u{202e}b", "--url", "http://127.0.0.1:9", "saga", "list"],
    ] {
        let (exit, _, errors) = sagactl(folder.path(), &words);
        assert!(exit == 2 && errors.contains("--as"), "{words:?}: {exit} {errors}");
    }
    for words in [
        vec!["--data", "postgres://u:swordfish@127.0.0.1:9/d", "saga", "list"],
        vec!["--data", "sqlite://u:swordfish@h", "events", "verify"],
        vec!["--data", "sqlite://u:swordfish@h", "dev"],
        vec!["--url", "http://u:swordfish@127.0.0.1:9", "saga", "list"],
        vec!["--url", "http://127.0.0.1:9/?token=swordfish", "doctor"],
    ] {
        let (exit, said, errors) = sagactl(folder.path(), &words);
        assert!(exit == 2 || exit == 4, "{words:?}: {exit} {errors}");
        assert!(!said.contains("swordfish") && !errors.contains("swordfish"), "{words:?}: {errors}");
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is made");
}
