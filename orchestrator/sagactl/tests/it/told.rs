//! A real shell splits printed commands into the words that they mean, whatever stands in names, data and folders.

use proptest::prelude::*;
use saga_core::json::Payload;
use saga_core::shell::word;
use saga_core::view::SagaRow;
use saga_core::waiting::{WaitReason, Waiting};
use saga_core::why::causes;
use saga_testkit::fixtures;
use sagactl::program::Program;
use std::process::Command;

/// The words of a line, as a shell has them.
fn split(line: &str) -> Vec<String> {
    let script = format!("for word in {line}; do printf '%s\\0' \"$word\"; done");
    let out = Command::new("/bin/sh").arg("-c").arg(script).output().unwrap();
    assert!(out.status.success() && out.stderr.is_empty(), "{line}: {}", String::from_utf8_lossy(&out.stderr));
    let words = String::from_utf8(out.stdout).unwrap();
    words.strip_suffix('\0').map(|words| words.split('\0').map(str::to_owned).collect()).unwrap_or_default()
}

/// Texts with what a shell stumbles over.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[^\u{0}]{0,12}",
        "[ '\"\\\\$`!*?~#&|;<>(){}\\[\\]=%\t\n-]{0,8}",
        Just("it's [a] $HOME `x` \\ \"y\"\n{1,2}".to_owned()),
    ]
}

fn told(waiting: Waiting) -> (String, Vec<String>) {
    let row = SagaRow { waiting: vec![waiting], ..fixtures::rows().remove(0) };
    let (causes, _) = causes(&row, fixtures::NOW);
    (row.id.short(), split(&causes[0].remedy))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_told_line_is_split_into_what_was_meant(one in text(), two in text(), three in text()) {
        let line = [&one, &two, &three].map(|text| word(text)).join(" ");
        prop_assert_eq!(split(&line), [one.clone(), two.clone(), three.clone()]);
        let told = Program { data: Some(one.clone()), ..Program::default() }.told("saga list");
        prop_assert_eq!(split(&told), ["sagactl", "--data", one.as_str(), "saga", "list"]);
        let url = Program { url: Some(two.clone()), ..Program::default() }.told("doctor");
        prop_assert_eq!(split(&url), ["sagactl", "--url", two.as_str(), "doctor"]);
    }

    #[test]
    fn so_are_the_remedies_of_a_saga_that_waits(step in text(), gate in text(), name in text(), data in text()) {
        let example = Payload::of(&data).unwrap();
        let of = |reason| Waiting::of(reason, gate.clone(), (step.clone(), false), None, fixtures::NOW);
        let waiting = Waiting { opening: Some(name.clone()), example: Some(example.clone()), ..of(WaitReason::WaitingSignal) };
        let (saga, words) = told(waiting);
        let meant = ["sagactl", "saga", "signal", &saga, &gate, "--for", &name, "--data", example.as_str()];
        prop_assert_eq!(words, meant);
        let (saga, words) = told(of(WaitReason::Backoff));
        prop_assert_eq!(words, ["sagactl", "saga", "retry", &saga, "--step", &step]);
    }
}

#[test]
fn a_folder_whose_name_a_shell_would_take_apart_is_told_so_that_it_can_be_typed() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("my data, it's $HERE").display().to_string();
    let sagactl = |words: &[&str]| {
        let out =
            Command::new(env!("CARGO_BIN_EXE_sagactl")).args(words).env("SAGACTL_DATA", &folder).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (out.status.code().unwrap(), text(out.stdout), text(out.stderr))
    };
    let (exit, demo, errors) = sagactl(&["demo", "--fast"]);
    assert_eq!(exit, 0, "{errors}");
    let closer: Vec<_> = demo.lines().filter(|line| line.contains(" saga list --all")).map(split).collect();
    assert_eq!(closer.len(), 1, "{demo}");
    assert_eq!(closer[0][1..], ["--data", folder.as_str(), "saga", "list", "--all"]);
    // An order that nobody would carry out names the command that runs the folder.
    let (exit, _, refused) = sagactl(&["saga", "pause", "client-to-delivery/none", "--reason", "r"]);
    assert_eq!(exit, 9, "{refused}");
    let run = refused.lines().find_map(|line| line.split_once("run it ")).map(|(_, command)| split(command)).unwrap();
    assert_eq!(run[1..], ["--data", folder.as_str(), "dev"]);
}
