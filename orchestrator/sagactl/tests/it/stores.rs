//! Stores that cannot be used, through the real binary: each has its code, names its place and the next step, loses nothing.

use crate::serve::until;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

fn sagactl(data: &Path, words: &[&str]) -> (i32, String, String) {
    let Output { status, stdout, stderr } =
        Command::new(env!("CARGO_BIN_EXE_sagactl")).args(words).env("SAGACTL_DATA", data).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (status.code().unwrap(), text(stdout), text(stderr))
}
fn refused(data: &Path, words: &[&str], code: &str, exit: i32, place: &str) {
    let (got, stdout, stderr) = sagactl(data, words);
    assert!(stderr.contains(code) && stderr.contains(place), "{words:?}: {stderr}");
    assert!(stderr.contains("hint"), "{words:?} names no next step: {stderr}");
    assert_eq!((got, stdout.as_str()), (exit, ""), "{words:?}: {stderr}");
}

#[test]
fn the_demo_ends_well_and_its_data_can_be_looked_at() {
    let folder = tempfile::tempdir().unwrap();
    let (exit, stdout, stderr) = sagactl(folder.path(), &["demo", "--fast"]);
    assert_eq!(exit, 0, "{stdout}{stderr}");
    for said in ["every one kept", "↺ capture-intake", "retrying", "look closer:", "compensated  07-"] {
        assert!(stdout.contains(said), "{said:?} is not in {stdout}");
    }
    // The program is called there as it was called itself, wherever it stands.
    let program = concat!(env!("CARGO_BIN_EXE_sagactl"), " ");
    let closer: Vec<&str> = stdout.lines().filter_map(|line| line.trim().strip_prefix(program)).collect();
    assert_eq!(closer.len(), 3, "{stdout}");
    for command in closer {
        let words: Vec<&str> = command.split_whitespace().collect();
        let (exit, stdout, stderr) = sagactl(folder.path(), &words);
        assert!(exit == 0 && !stdout.is_empty(), "{command}: {stderr}");
    }
    // At rest it is read to the end: no saga is left under way.
    let (exit, said, errors) = sagactl(folder.path(), &["events", "verify", "--at-rest"]);
    assert!(exit == 0 && said.contains("S1"), "{said}{errors}");
    let (_, list, _) = sagactl(folder.path(), &["saga", "list", "--all"]);
    assert_eq!(list.lines().count(), 11, "a head and ten sagas: {list}");
    // A damaged store is named, wherever the damage is, and left as it is.
    let newer = tempfile::tempdir().unwrap();
    copy(folder.path(), newer.path());
    let store = newer.path().join("qc.db");
    let mut bytes = fs::read(&store).unwrap();
    bytes[60..64].copy_from_slice(&9_999_u32.to_be_bytes());
    fs::write(&store, &bytes).unwrap();
    refused(newer.path(), &["dev", "--listen", "127.0.0.1:0"], "SG0002", 1, "qc");
    let (exit, said, errors) = sagactl(newer.path(), &["module", "list"]);
    assert!(exit == 0 && said.contains("schema version 9999"), "the others are shown all the same: {said}{errors}");
    assert_eq!(fs::read(&store).unwrap(), bytes);
    let damaged = tempfile::tempdir().unwrap();
    copy(folder.path(), damaged.path());
    let store = damaged.path().join("orchestration.db");
    let mut bytes = fs::read(&store).unwrap();
    let (from, to) = (4_096, bytes.len());
    bytes[from..to].fill(0x5a);
    fs::write(&store, &bytes).unwrap();
    refused(damaged.path(), &["saga", "list"], "SG0005", 1, "orchestration");
}

#[test]
fn a_demo_clears_only_what_a_demo_left() {
    let folder = tempfile::tempdir().unwrap();
    let demo = ["demo", "--fast"];
    assert_eq!(sagactl(folder.path(), &demo).0, 0);
    assert_eq!(sagactl(folder.path(), &demo).0, 0, "a second demo starts afresh");
    fs::remove_file(folder.path().join("demo")).unwrap();
    let before = fs::read(folder.path().join("qc.db")).unwrap();
    refused(folder.path(), &demo, "SG0205", 5, "not a demo's");
    assert_eq!(fs::read(folder.path().join("qc.db")).unwrap(), before);
}

fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            fs::copy(&path, to.join(path.file_name().unwrap())).unwrap();
        }
    }
}

#[test]
fn a_file_where_the_folder_should_be_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("data");
    fs::write(&file, "not a folder").unwrap();
    for words in [&["demo", "--fast"][..], &["dev", "--listen", "127.0.0.1:0"]] {
        refused(&file, words, "SG0003", 9, "data");
    }
    assert_eq!(fs::read_to_string(&file).unwrap(), "not a folder");
}

#[test]
fn a_folder_that_somebody_owns_is_not_taken() {
    let folder = tempfile::tempdir().unwrap();
    let mut owner = Command::new(env!("CARGO_BIN_EXE_sagactl"))
        .args(["dev", "--listen", "127.0.0.1:0", "--data"])
        .arg(folder.path())
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    until(folder.path(), "dev to say where it is", || {
        assert!(owner.try_wait().unwrap().is_none(), "dev ended early");
        folder.path().join("owner.json").exists()
    });
    refused(folder.path(), &["demo", "--fast"], "SG0001", 5, "in use");
    let (exit, said, errors) = sagactl(folder.path(), &["events", "verify", "--at-rest"]);
    assert!(exit == 2 && said.is_empty() && errors.contains("they are not at rest"), "{exit} {said}{errors}");
    let (exit, _, stderr) = sagactl(folder.path(), &["saga", "list"]);
    assert_eq!(exit, 0, "others talk to the owner: {stderr}");
    owner.kill().unwrap();
    owner.wait().unwrap();
    let (exit, _, stderr) = sagactl(folder.path(), &["saga", "list"]);
    assert_eq!(exit, 0, "a dead owner is noticed: {stderr}");
}

#[test]
fn the_address_of_a_process_does_not_say_which_stores_are_meant() {
    const URL: &str = "http://127.0.0.1:9";
    let place = tempfile::tempdir().unwrap();
    let said = |words: &[&str], by_variable: bool| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sagactl"));
        command.env_remove("SAGACTL_DATA").env_remove("SAGACTL_URL").current_dir(place.path()).args(words);
        if by_variable {
            command.env("SAGACTL_URL", URL)
        } else {
            command.args(["--url", URL])
        };
        let Output { status, stdout, stderr } = command.output().unwrap();
        assert_eq!(stdout, b"", "{words:?}");
        (status.code().unwrap(), String::from_utf8(stderr).unwrap())
    };
    let (folder, file) = (place.path().join("d").display().to_string(), place.path().join("c.toml"));
    fs::write(&file, format!("[store]\nurl = \"sqlite:{folder}\"\n")).unwrap();
    for verb in [&["store", "backup", "copy"][..], &["store", "recover", "--yes"], &["store", "accept", "qc", "--yes"]]
    {
        for by_variable in [false, true] {
            let (exit, why) = said(verb, by_variable);
            assert!(exit == 2 && why.contains("SG0301") && why.contains("which stores are meant"), "{verb:?}: {why}");
            // A command that says which stores are meant is understood: here there are none.
            for named in [["--data", folder.as_str()], ["--config", file.to_str().unwrap()]] {
                let (exit, why) = said(&[verb, &named[..]].concat(), by_variable);
                assert!(exit != 2 && !why.contains("which stores"), "{verb:?} {named:?}: {exit} {why}");
            }
        }
    }
    assert_eq!(fs::read_dir(place.path()).unwrap().count(), 1, "nothing was made but the configuration of the test");
}
