//! Every command that a document shows is understood by the command line of today.

use super::markdown::{Parts, parts, spans};
use super::{NONE, documents, exists, text_of};
use clap::Parser;
use sagactl::args::{Cli, rewrite};

/// The command lines that a document shows, without prompts and comments.
fn commands(text: &str) -> Vec<String> {
    let Parts { blocks, indented, prose } = parts(text);
    let shell = blocks.iter().filter(|block| ["console", "sh"].contains(&block.language.as_str()));
    let typed = shell.flat_map(|block| {
        let prompted = block.text.lines().any(|line| line.starts_with("$ "));
        block.text.lines().filter(move |line| !prompted || line.starts_with("$ "))
    });
    let lines = typed.map(str::to_owned).chain(indented).chain(spans(&prose));
    let pieces = lines.flat_map(|line| {
        let line = line.trim_start_matches("$ ").replace("   ", "|").replace("&&", "|");
        line.split('|').map(|piece| piece.trim().to_owned()).collect::<Vec<_>>()
    });
    let ours = ["sagactl", "cargo", "tests/run"];
    pieces
        .filter(|piece| piece.split(' ').next().is_some_and(|word| ours.contains(&word)) && piece != "sagactl")
        .collect()
}

/// The words of a command line, as a shell splits them; a redirection ends it.
pub(super) fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let (mut word, mut quote, mut begun) = (String::new(), None, false);
    for c in line.chars() {
        match quote {
            Some(mark) if c == mark => quote = None,
            Some(_) => word.push(c),
            None if c == '\'' || c == '"' => (quote, begun) = (Some(c), true),
            None if c.is_whitespace() => {
                if begun || !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
                begun = false;
            }
            None => word.push(c),
        }
    }
    if begun || !word.is_empty() {
        words.push(word);
    }
    let end = words.iter().position(|word| word.starts_with('>') || word.starts_with("2>"));
    words.truncate(end.unwrap_or(words.len()));
    words
}

/// What the command line itself says against it.
fn unparsed(words: &[String]) -> Option<String> {
    let argv = std::iter::once("sagactl").chain(words.iter().map(String::as_str)).map(Into::into).collect();
    match Cli::try_parse_from(rewrite(argv)) {
        Ok(_) => None,
        Err(error) if !error.use_stderr() => None,
        Err(error) => Some(error.to_string().lines().next().unwrap_or_default().to_owned()),
    }
}

/// Why a command line that a document shows would not be understood. `exists` is asked for files, `known` are the parts of
/// `tests/run`.
fn command_fault(line: &str, exists: &dyn Fn(&str) -> bool, known: &[String]) -> Option<String> {
    let words = words(line);
    let fault = match words.first()?.as_str() {
        "sagactl" => unparsed(&words[1..]),
        "tests/run" => words[1..].iter().find(|part| !known.contains(part)).map(|part| format!("no part {part}")),
        _ => {
            let cut = words.iter().position(|word| word == "--").unwrap_or(words.len());
            let after = |option: &str| words[..cut].iter().skip_while(|word| *word != option).nth(1);
            match (after("-p"), after("--example"), words.get(1).map(String::as_str)) {
                (package, Some(example), Some("run")) => {
                    let path = format!("orchestrator/{}/examples/{example}.rs", package.map_or("", String::as_str));
                    (!exists(&path)).then(|| format!("no file {path}"))
                }
                (_, None, Some("run")) => unparsed(words.get(cut + 1..).unwrap_or_default()),
                (_, _, Some("add" | "deny" | "doc" | "house" | "install" | "test")) => None,
                _ => Some("not a command that is used here".to_owned()),
            }
        }
    };
    fault.map(|fault| format!("`{line}`: {fault}"))
}

/// The parts that `tests/run --help` lists.
fn test_parts(script: &str) -> Vec<String> {
    let list = script.split("\nparts\n").nth(1).and_then(|rest| rest.split("\nHELP").next()).unwrap_or_default();
    let mut parts: Vec<_> = list
        .lines()
        .filter(|line| !line.starts_with("    "))
        .filter_map(|line| line.split_whitespace().next())
        .map(str::to_owned)
        .collect();
    parts.push("--help".to_owned());
    parts
}

#[test]
fn every_command_in_a_document_is_understood() {
    let known = test_parts(&text_of("tests/run"));
    assert!(known.len() > 5, "{known:?}");
    let mut shown = 0;
    let mut faults = Vec::new();
    // The map is made of sentences in sources: they name verbs, and are no commands to type.
    for file in documents().into_iter().filter(|file| file.path != system_tests::map::PATH) {
        let lines = commands(&file.text);
        shown += lines.len();
        let wrong = lines.iter().filter_map(|line| command_fault(line, &exists, &known));
        faults.extend(wrong.map(|fault| format!("{}: {fault}", file.path)));
    }
    assert_eq!(faults, NONE);
    assert!(shown > 40, "only {shown} commands were found");
}

#[test]
fn commands_are_found_and_wrong_ones_are_seen() {
    let text = "Ask `sagactl saga list` or `sagactl\nversion`, not `sagactld`.\n\n    jq . x | sagactl saga start a --input -\n\
        ```console\n$ sagactl dev   # keep it\nsagactl says hello\n```\n```sh\ntests/run unit && cargo run -- demo\n```\n\
        ```text\nsagactl nonsense\n```\n";
    let found = commands(text);
    let expected = ["sagactl dev", "tests/run unit", "cargo run -- demo", "sagactl saga start a --input -"];
    assert_eq!(found[..4], expected);
    assert_eq!(found[4..], ["sagactl saga list", "sagactl version"]);
    assert_eq!(words("a 'b c' \"\" d> e 2> f"), ["a", "b c", "", "d>", "e"]);
    let known = ["unit".to_owned()];
    let cases = [
        ("sagactl saga list --all --key 'acme-*'", 0),
        ("sagactl saga watch 9f3ac2d1 --exit-status 2> x", 0),
        ("sagactl --data ./x saga show ID --data", 0),
        ("sagactl help saga list", 0),
        ("sagactl --version", 0),
        ("sagactl sga list", 1),
        ("sagactl saga list --colour", 1),
        ("cargo run --release -- demo", 0),
        ("cargo run --release -- dmo", 1),
        ("cargo run -q -p saga --example hello", 0),
        ("cargo run -q -p saga --example bye", 1),
        ("cargo yodel", 1),
        ("tests/run", 0),
        ("tests/run unit", 0),
        ("tests/run everything", 1),
    ];
    for (line, expected) in cases {
        let fault = command_fault(line, &|path| path == "orchestrator/saga/examples/hello.rs", &known);
        assert_eq!(fault.iter().count(), expected, "{line}: {fault:?}");
    }
}
