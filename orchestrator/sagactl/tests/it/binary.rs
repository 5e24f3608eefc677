//! The binary against a served fixtures: exit codes, orders, watching, closed pipes, and how a folder leads to its owner.

use crate::served::{Served, run, sagactl};
use saga_admin::owner::OwnerFile;
use saga_core::control::{OrderKind, What};
use std::process::Stdio;

#[test]
fn each_ending_has_its_exit_code() {
    let served = Served::new();
    let table: [(&[&str], i32); 16] = [
        (&["saga", "watch", "0c51aa97", "--exit-status"], 0),
        (&["saga", "watch", "d2447be0", "--exit-status"], 20),
        (&["saga", "watch", "9f3ac2d1", "--exit-status"], 21),
        (&["saga", "watch", "40bd1c9e", "--exit-status"], 22),
        (&["saga", "watch", "d2447be0"], 0),
        (&["saga", "watch", "e8127f4d", "--for", "300ms"], 8),
        (&["saga", "watch", "e8127f4d", "-o", "json"], 2),
        (&["saga", "list", "--watch", "--for", "300ms"], 8),
        (&["saga", "list", "--watch", "-o", "json"], 2),
        (&["saga", "list", "--watch", "--cursor", "1-x"], 2),
        (&["saga", "list", "--for", "1s"], 2),
        (&["saga", "why-stuck", "c41d90e7", "--exit-status"], 6),
        (&["saga", "why-stuck", "c41d90e7"], 0),
        (&["saga", "why-stuck", "0c51aa97", "--exit-status"], 0),
        (&["saga", "show", "nothing"], 3),
        (&["events", "verify"], 6),
    ];
    for (words, expected) in table {
        let (exit, _, stderr) = run(served.sagactl(words));
        assert_eq!(exit, expected, "{words:?}: {stderr}");
    }
}

#[test]
fn a_list_goes_on_with_a_line_a_change_and_behind_a_cursor_with_nothing_else() {
    let served = Served::new();
    let watch = |more: &[&str]| {
        let words = [&["saga", "list", "--all", "--watch", "--for", "2s"][..], more].concat();
        let (exit, stdout, stderr) = run(served.sagactl(&words));
        assert_eq!(exit, 8, "{words:?}: {stderr}");
        stdout.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    let (_, listed, _) = run(served.sagactl(&["saga", "list", "--all"]));
    assert_eq!(watch(&[]).join("\n").trim(), listed.trim(), "nothing changes");
    let (all, rest) = (watch(&["--cursor", "0", "-o", "ndjson"]), watch(&["--cursor", "2", "-o", "ndjson"]));
    assert_eq!(all[2..], rest);
    let first: serde_json::Value = serde_json::from_str(&rest[0]).unwrap();
    assert_eq!((&first["cursor"], &first["listed"]), (&"3".into(), &true.into()));
    assert_eq!(first["id"].as_str(), watch(&["--cursor", "2", "-o", "id"]).first().map(String::as_str));
    assert_eq!(watch(&["--cursor", "2"]).len(), rest.len() + 1, "a heading, and a line a change");
}

#[test]
fn waiting_returns_what_became_of_the_saga() {
    let served = Served::new();
    let start = |kind: &str, key: &str, wait: &str| {
        let mut command = served.sagactl(&["saga", "start", kind, "--key", key, "--input", "-", wait]);
        command.write_stdin("{}");
        run(command)
    };
    let (exit, stdout, _) = start("client-to-delivery", "hooli-1", "--wait");
    assert_eq!(exit, 0);
    assert!(stdout.contains("completed in 12h30m"), "{stdout}");
    assert_eq!(start("client-to-delivery", "vandelay-3", "--wait=1m").0, 20);
    assert_eq!(start("client-to-delivery", "acme-7", "--wait=1m").0, 21);
    let (exit, stdout, stderr) = start("campaign-launch", "fall-sale", "--wait=300ms");
    assert_eq!((exit, stdout.as_str()), (8, ""));
    assert!(stderr.contains("SG0303 error: no outcome within 300ms"), "{stderr}");
    let (exit, _, _) = run(served.sagactl(&["saga", "compensate", "d2447be0", "--reason", "r", "--yes", "--wait"]));
    assert_eq!(exit, 0, "compensated is what was wished for");
}

/// A row for each state of the fixtures that does not end and does not go on: what `--wait` says, at once, and its exit code.
#[test]
fn waiting_ends_where_only_a_person_can_go_on_and_says_what_is_asked() {
    let served = Served::new();
    // What is told asks the same address.
    let told = |command: &str| format!("sagactl --url {} saga {command}", served.url);
    let decide = told("signal b3c95d08 client-decides --for 2-5c01e6b7 --data '{\"approved\":true,");
    let (resume, again) = (told("resume 77aa10b2"), told("retry 9f3ac2d1"));
    let table: [(&[&str], i32, &[&str]); 5] = [
        (
            &["retry", "b3c95d08"],
            23,
            &["waits for a decision: client-decides waits for", "\"client-decides\"", &decide],
        ),
        (&["retry", "77aa10b2"], 23, &["waits to be resumed: it was paused by", &resume]),
        (&["retry", "9f3ac2d1"], 21, &["waits for a person: assets[2]/render got no answer", &again]),
        (
            &["retry", "27be04af"],
            21,
            &["waits for a person: the undo of channels[1]/post", "saga skip 27be04af --undo"],
        ),
        (&["retry", "e8127f4d"], 8, &[]),
    ];
    for (words, expected, parts) in table {
        let wait = if expected == 8 { "--wait=300ms" } else { "--wait" };
        let (exit, stdout, stderr) = run(served.sagactl(&[&["saga"], words, &[wait]].concat()));
        assert_eq!(exit, expected, "{words:?}: {stdout}{stderr}");
        assert!(parts.iter().all(|part| stdout.contains(part)), "{words:?}: {stdout}");
    }
}

#[test]
fn every_order_says_what_it_means() {
    let served = Served::new();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("x.json");
    std::fs::write(&file, "{\"ok\":true}").unwrap();
    let at = format!("@{}", file.display());
    let table: [(&[&str], &str); 13] = [
        (&["signal", "b3c95d08", "client-decides", "--for", "2-5c01e6b7", "--data", &at], "Some(\"2-5c01e6b7\")"),
        (&["signal", "b3c95d08", "client-decides", "--for", "1-0", "--data", &at], "opening: Some(\"1-0\")"),
        (&["signal", "b3c95d08", "another-gate", "--data", &at], "opening: None"),
        (&["retry", "9f3ac2d1"], "Retry"),
        (&["retry", "9f3ac2d1", "--step", "assets[2]/render"], "Some(\"assets[2]/render\")"),
        (&["skip", "9f3ac2d1", "--step", "s", "--result", &at, "--reason", "r", "-y"], "result: Some({\"ok\":true})"),
        (&["skip", "27be04af", "--undo", "s", "--reason", "r", "-y"], "result: None"),
        (&["compensate", "9f3ac2d1", "--reason", "r", "-y"], "Compensate"),
        (&["pause", "9f3ac2d1"], "Pause"),
        (&["resume", "9f3ac2d1"], "Resume"),
        (&["cancel", "9f3ac2d1", "--reason", "r", "-y"], "abandon: false"),
        (&["cancel", "9f3ac2d1", "--reason", "r", "-y", "--abandon"], "abandon: true"),
        (&["note", "9f3ac2d1", "the quota is raised at 19:30"], "19:30"),
    ];
    for (words, part) in table {
        let (exit, stdout, stderr) = run(served.sagactl(&[&["saga"], words].concat()));
        assert_eq!(exit, 0, "{words:?}: {stderr}");
        assert!(stdout.starts_with("accepted  0193a1c7-"), "{stdout}");
        let ordered = served.fixtures.ordered();
        let (by, order) = ordered.last().unwrap();
        assert_eq!(by.id, "ann");
        assert!(format!("{order:?}").contains(part), "{order:?}");
        assert!(stderr.contains(&order.request.to_string()), "{stderr}");
        assert_eq!(stderr.contains("stays as it is: load-brief"), words.contains(&"--abandon"), "{words:?}: {stderr}");
    }
}

#[test]
fn a_gate_that_is_open_again_is_answered_by_the_name_of_its_opening() {
    let served = Served::new();
    let words = ["saga", "signal", "b3c95d08", "client-decides", "--data", "{\"ok\":true}"];
    let (exit, _, stderr) = run(served.sagactl(&words));
    assert_eq!(exit, 5, "{stderr}");
    assert!(stderr.contains("SG0214") && stderr.contains("--for 2-5c01e6b7"), "{stderr}");
    assert!(served.fixtures.ordered().is_empty(), "nobody is asked for what was not seen");
    // The repetition of an answer that has opened it again is sent: who knows it says so.
    let again = [&words[..], &["--request-id", "0193a1c7-55e2-7c1f-b0aa-41d89f3ac2d1"]].concat();
    let (exit, stdout, stderr) = run(served.sagactl(&again));
    assert!(exit == 0 && stdout.starts_with("accepted"), "{stdout}{stderr}");
    let ordered = served.fixtures.ordered();
    assert!(format!("{ordered:?}").contains("opening: None"), "{ordered:?}");
}

#[test]
fn a_request_id_is_kept_and_a_repeat_is_known() {
    let served = Served::new();
    let id = "0193a1c7-55e2-7c1f-b0aa-000000000001";
    let words = ["saga", "pause", "9f3ac2d1", "--request-id", id];
    let (_, first, stderr) = run(served.sagactl(&words));
    assert_eq!((first.contains("pausing"), stderr.as_str()), (true, ""));
    let (exit, again, _) = run(served.sagactl(&words));
    assert_eq!((exit, again.contains("known already")), (0, true));
    let (exit, _, stderr) = run(served.sagactl(&["saga", "pause", "SG0205", "--request-id", id, "-o", "json"]));
    assert_eq!(exit, 5);
    assert!(stderr.contains(&format!("\"request_id\":\"{id}\"")), "{stderr}");
}

#[test]
fn orders_that_would_ask_end_without_a_terminal() {
    let served = Served::new();
    for words in [&["compensate", "9f3ac2d1"][..], &["cancel", "9f3ac2d1"], &["skip", "9f3ac2d1", "--undo", "s"]] {
        let (exit, _, stderr) = run(served.sagactl(&[&["saga"], words].concat()));
        assert_eq!((exit, stderr.contains("SG0207 error:")), (2, true), "{stderr}");
        let mut command = served.sagactl(&[&["saga"], words, &["--reason", "r", "--no-input"]].concat());
        command.env("CI", "true");
        let (exit, _, stderr) = run(command);
        assert_eq!((exit, stderr.contains("--yes")), (2, true), "{stderr}");
    }
    assert!(
        served
            .fixtures
            .ordered()
            .iter()
            .all(|(_, order)| !matches!(order.what, What::Of { kind: OrderKind::Cancel { .. }, .. }))
    );
}

#[test]
fn a_closed_pipe_is_an_end_and_not_an_error() {
    let served = Served::new();
    for words in [&["saga", "list", "--all"][..], &["help", "codes"]] {
        let mut child = std::process::Command::new(assert_cmd::cargo::cargo_bin!("sagactl"))
            .args(words)
            .env_clear()
            .env("SAGACTL_URL", &served.url)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), &b""[..]));
    }
}

#[test]
fn no_escape_byte_reaches_a_pipe_from_any_command() {
    let served = Served::new();
    let commands: [&[&str]; 10] = [
        &["saga", "list", "--all", "-o", "wide"],
        &["saga", "list", "--all", "--color", "always"],
        &["saga", "show", "9f3ac2d1"],
        &["saga", "history", "9f3ac2d1"],
        &["saga", "why-stuck", "9f3ac2d1"],
        &["saga", "watch", "40bd1c9e"],
        &["module", "list"],
        &["events", "verify"],
        &["saga", "show", "nothing\u{1b}[31m"],
        &["\u{1b}[31m"],
    ];
    for words in commands {
        for term in ["xterm-256color", "dumb"] {
            let mut command = served.sagactl(words);
            command.env("TERM", term).env("FORCE_COLOR", "1").env("CLICOLOR_FORCE", "1");
            let (_, stdout, stderr) = run(command);
            assert!(!stdout.contains('\u{1b}') && !stderr.contains('\u{1b}'), "{words:?}: {stdout}{stderr}");
        }
    }
}

#[test]
fn a_data_folder_leads_to_its_owner() {
    let served = Served::new();
    let folder = tempfile::tempdir().unwrap();
    let _file = OwnerFile::write(folder.path(), &served.url, &served.process).unwrap();
    let data = folder.path().to_str().unwrap();
    for words in [&["saga", "list", "--data", data][..], &["--data", data, "saga", "show", "9f3ac2d1", "--data"]] {
        let (exit, stdout, stderr) = run(sagactl(words));
        assert_eq!((exit, stderr.as_str()), (0, ""), "{words:?}");
        assert!(stdout.contains("acme-7"), "{stdout}");
    }
    // In a copy of the folder, and where another process has the address by now, the file leads to nobody.
    let (copy, later) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    std::fs::copy(folder.path().join("owner.json"), copy.path().join("owner.json")).unwrap();
    let _other = OwnerFile::write(later.path(), &served.url, "another").unwrap();
    for place in [copy.path(), later.path()] {
        let (exit, stdout, stderr) = run(sagactl(&["saga", "list", "--data", place.to_str().unwrap()]));
        assert!(exit != 0 && !stdout.contains("acme-7"), "{exit}: {stdout}");
        assert!(stderr.contains("runs another folder: ignored"), "{stderr}");
    }
}

#[test]
fn quiet_is_ids_or_nothing() {
    let served = Served::new();
    let (_, stdout, stderr) = run(served.sagactl(&["-q", "saga", "list", "--limit", "2"]));
    let lines: Vec<&str> = stdout.lines().collect();
    assert_eq!((lines.len(), stderr.as_str()), (2, ""));
    assert!(lines.iter().all(|line| line.len() == 36), "{stdout}");
}
