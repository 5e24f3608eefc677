//! Help, codes and exit codes: everything that works offline, and the tables behind it.

use crate::pipes::out;
use crate::served::{run, sagactl};
use clap::CommandFactory;
use saga_core::codes;
use saga_testkit::fixtures::NOW;
use sagactl::args::{Cli, Format, rewrite};
use sagactl::cmd::help::{self, HelpArgs};
use sagactl::exit;
use sagactl::print::style::Style;

fn helped(path: &[&str]) -> String {
    let (mut out, data, _) = out(Format::Table, &Style::pipe(NOW));
    let about = path.iter().map(|&word| word.to_owned()).collect();
    help::run(&HelpArgs { about }, &mut out).unwrap();
    data.text()
}

/// Every path of words that leads to a command.
fn paths(command: &clap::Command, before: &[String]) -> Vec<Vec<String>> {
    let mut all = vec![before.to_vec()];
    for sub in command.get_subcommands() {
        let mut path = before.to_vec();
        path.push(sub.get_name().to_owned());
        all.extend(paths(sub, &path));
    }
    all
}

#[test]
fn every_command_explains_itself() {
    Cli::command().debug_assert();
    for path in paths(&Cli::command(), &[]) {
        let words: Vec<&str> = path.iter().map(String::as_str).collect();
        let name = if words.is_empty() { "top".to_owned() } else { words.join("-") };
        insta::assert_snapshot!(format!("help-{name}"), helped(&words));
    }
    for topic in ["exit-codes", "codes", "states", "ids", "output"] {
        insta::assert_snapshot!(format!("topic-{topic}"), helped(&[topic]));
    }
    let (mut out, data, _) = out(Format::Table, &Style::pipe(NOW));
    help::options(&mut out).unwrap();
    insta::assert_snapshot!("options", data.text());
}

#[test]
fn every_code_has_a_page_that_is_more_than_its_title() {
    for code in codes::ALL {
        let lines = code.page.lines().count();
        assert!(code.page.starts_with(&format!("# {}: {}\n", code.id, code.title)), "{}", code.id);
        assert!((6..=20).contains(&lines), "{} has {lines} lines", code.id);
        assert!(code.page.contains("What to do") && code.page.contains("Example"), "{}", code.id);
        assert!(code.page.lines().all(|line| line.chars().count() <= 100), "{}", code.id);
        let shown = helped(&[&code.id.to_lowercase()]);
        assert!(shown.contains(code.page.trim_end()) && shown.contains(&format!("exit code {}", code.exit)));
    }
}

#[test]
fn every_exit_code_is_in_the_table_and_has_a_status() {
    let known = |exit: u8| exit::TABLE.iter().any(|(code, _)| *code == exit);
    for code in codes::ALL {
        assert!(known(code.exit), "{}", code.id);
        assert!((400..600).contains(&saga_admin::wire::status_of(*code)), "{}", code.id);
    }
    for state in saga_core::view::SagaState::ALL {
        assert!(exit::Exit::of_saga(state).is_none_or(|exit| known(exit.0)));
    }
    assert!(exit::TABLE.windows(2).all(|pair| pair[0].0 < pair[1].0));
}

#[test]
fn the_data_folder_and_a_sagas_data_share_a_word() {
    let table = [
        ("sagactl --data x saga list", "sagactl --data-dir x saga list"),
        ("sagactl saga list --data=x", "sagactl saga list --data-dir=x"),
        ("sagactl --data x saga show ID --data", "sagactl --data-dir x saga show ID --data"),
        ("sagactl s signal ID gate --data @f", "sagactl s signal ID gate --data @f"),
        ("sagactl dev --data x", "sagactl dev --data-dir x"),
        ("sagactl saga note ID -- --data", "sagactl saga note ID -- --data"),
        ("sagactl saga list --database", "sagactl saga list --database"),
    ];
    for (typed, read) in table {
        let words = |text: &str| text.split(' ').map(std::ffi::OsString::from).collect::<Vec<_>>();
        assert_eq!(rewrite(words(typed)), words(read), "{typed}");
    }
}

#[test]
fn a_wrong_command_line_is_an_error_with_a_code() {
    let (exit, stdout, stderr) = run(sagactl(&["sga", "list"]));
    assert_eq!((exit, stdout.as_str()), (2, ""));
    assert!(stderr.starts_with("SG0301 error: unrecognized subcommand 'sga'"), "{stderr}");
    assert!(stderr.contains("did you mean 'saga'"), "{stderr}");
    let (exit, stdout, stderr) = run(sagactl(&["saga", "list", "--colour", "-o", "json"]));
    assert_eq!((exit, stdout.as_str()), (2, ""));
    let error: serde_json::Value = serde_json::from_str(&stderr).unwrap();
    assert_eq!(error["error"]["code"], "SG0301");
    let (exit, _, stderr) = run(sagactl(&["saga", "show", "9f3ac2d1", "--data", "folder"]));
    assert!(exit == 2 && stderr.contains("unexpected argument 'folder'") && stderr.contains("--data-dir"), "{stderr}");
    let (exit, _, stderr) = run(sagactl(&[]));
    assert_eq!(exit, 2);
    assert!(stderr.contains("Usage: sagactl"), "{stderr}");
}

#[test]
fn help_and_version_are_data() {
    for words in [&["--help"][..], &["help"], &["saga", "--help"], &["version"], &["--version"], &["options"]] {
        let (exit, stdout, stderr) = run(sagactl(words));
        assert_eq!((exit, stderr.as_str()), (0, ""), "{words:?}");
        assert!(stdout.contains("sagactl"), "{words:?}: {stdout}");
    }
}
