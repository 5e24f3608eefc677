//! The README shows the program that runs, and the output that it prints.

use super::commands::words;
use super::markdown::parts;
use super::text_of;
use crate::tree;
use clap::Parser;
use sagactl::args::{Cli, rewrite};
use sagactl::print::{out::Out, style::Style};
use sagactl::program::Program;
use std::io::Write;
use std::process::Command;
use std::sync::{Arc, Mutex};

/// One screen of program; a longer hello is no hello.
const HELLO_LINES_MAX: usize = 30;

/// The program in the README, and what stands below it as its output.
fn hello(readme: &str) -> Option<(String, String)> {
    let blocks = parts(readme).blocks;
    let at = blocks.iter().position(|block| block.language == "rust")?;
    let output = blocks.get(at + 1).filter(|block| block.language == "text")?;
    Some((blocks[at].text.clone(), output.text.clone()))
}

/// A source file from its first `use` on.
fn from_use(source: &str) -> &str {
    source.find("\nuse ").map_or(source, |at| &source[at + 1..])
}

/// The first example in a file's own documentation.
fn doc_example(source: &str) -> String {
    let docs = source.lines().map_while(|line| line.strip_prefix("//!"));
    let text = docs.map(|line| format!("{}\n", line.strip_prefix(' ').unwrap_or(line))).collect::<String>();
    parts(&text).blocks.into_iter().next().map(|block| block.text).unwrap_or_default()
}

/// A text without what differs from run to run: ids, durations, counts, rows of signs, and the width of gaps.
fn masked(text: &str) -> String {
    let word = |word: &str| {
        let core = word.trim_matches(|c: char| !c.is_alphanumeric());
        let id = core.len() == 8 && core.chars().all(|c| c.is_ascii_hexdigit());
        let id = id || core.len() == 36 && core.chars().all(|c| c.is_ascii_hexdigit() || c == '-');
        let clock =
            core.len() >= 8 && core.contains(':') && core.chars().all(|c| c.is_ascii_digit() || ":-TZ.".contains(c));
        let number = core.trim_end_matches(['m', 's', 'h', 'µ']);
        let span = number != core && number.parse::<f64>().is_ok();
        let count = !core.is_empty() && core.chars().all(|c| c.is_ascii_digit());
        let signs = word.chars().count() > 3 && word.chars().all(|c| !c.is_ascii() && !c.is_alphanumeric());
        match (id, clock || span) {
            (true, _) => word.replace(core, "ID"),
            (_, true) => word.replace(core, "TIME"),
            _ if count => word.replace(core, "N"),
            _ if signs => "SIGNS".to_owned(),
            _ => word.to_owned(),
        }
    };
    text.lines().map(|line| line.split_whitespace().map(word).collect::<Vec<_>>().join(" ") + "\n").collect()
}

/// A picture in a document: what was run, the first and the last line of its output that are shown, and these lines.
#[derive(Debug, PartialEq, Eq)]
struct Picture {
    command: String,
    from: String,
    to: String,
    text: String,
}

impl Picture {
    /// As it stands in the document.
    fn block(&self, text: &str) -> String {
        let Picture { command, from, to, .. } = self;
        format!("<!-- run: {command}; from: {from}; to: {to} -->\n```text\n{text}```\n<!-- end -->")
    }
    /// The lines of an output that are shown.
    fn cut(&self, output: &str) -> String {
        let mut shown = String::new();
        for line in output.lines().skip_while(|line| !line.trim_start().starts_with(&self.from)) {
            shown.push_str(line);
            shown.push('\n');
            if line.trim_start().starts_with(&self.to) {
                break;
            }
        }
        shown
    }
}

/// The pictures of a document.
fn pictures(text: &str) -> Vec<Picture> {
    let starts = text.split("<!-- run: ").skip(1);
    let whole = starts.filter_map(|rest| {
        let (head, rest) = rest.split_once(" -->\n```text\n")?;
        let (text, _) = rest.split_once("```\n<!-- end -->")?;
        let (command, lines) = head.split_once("; from: ")?;
        let (from, to) = lines.split_once("; to: ")?;
        Some(Picture { command: command.to_owned(), from: from.to_owned(), to: to.to_owned(), text: text.to_owned() })
    });
    whole.collect()
}

/// Both streams of a command, in the order in which they were written.
#[derive(Clone, Default)]
struct Sink(Arc<Mutex<Vec<u8>>>);

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// What a command line prints where no terminal is, in a data folder of its own.
async fn printed(line: &str) -> String {
    let argv = words(line).into_iter().map(Into::into).collect();
    let mut cli = Cli::try_parse_from(rewrite(argv)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    folder.path().clone_into(&mut cli.global.data);
    let now = sagactl::clock::now();
    let style = Style {
        terminal: false,
        colour: false,
        ascii: false,
        width: 80,
        height: 24,
        cut: true,
        wide: false,
        time: None,
        now,
        program: Program::default(),
    };
    let sink = Sink::default();
    let mut out = Out::new(Box::new(sink.clone()), Box::new(sink.clone()), (style.clone(), style), &cli.global, false);
    let done = sagactl::run::command(&cli.command, &cli.global, &mut out).await;
    sagactl::run::finish(done, &mut out);
    String::from_utf8(std::mem::take(&mut *sink.0.lock().unwrap())).unwrap()
}

#[test]
fn hello_is_the_example_and_the_doc_test() {
    let (program, _) = hello(&text_of("README.md")).unwrap();
    assert_eq!(program, from_use(&text_of("orchestrator/saga/examples/hello_saga.rs")));
    assert_eq!(program, doc_example(&text_of("orchestrator/saga/src/lib.rs")));
    assert!(program.lines().count() <= HELLO_LINES_MAX, "{} lines", program.lines().count());
}

/// The blocks of a guide that do not stand in a program, line by line and however far to the right.
fn strangers(guide: &str, program: &str) -> Vec<String> {
    let lines: Vec<&str> = program.lines().map(str::trim).collect();
    let stands = |block: &str| {
        let wanted: Vec<&str> = block.lines().map(str::trim).collect();
        lines.windows(wanted.len()).any(|found| found == wanted)
    };
    let blocks = parts(guide).blocks.into_iter().filter(|block| block.language == "rust");
    blocks.map(|block| block.text).filter(|text| !stands(text)).collect()
}

#[test]
fn each_guide_shows_its_example() {
    let guides: [(&str, &[&str]); 4] = [
        ("first-saga", &["hello_saga", "approval_gate", "parallel_steps", "fan_out"]),
        ("first-module", &["first_module"]),
        ("second-version", &["second_version"]),
        ("test", &["tested"]),
    ];
    for (name, examples) in guides {
        let guide = text_of(&format!("docs/{name}.md"));
        let program = examples.iter().map(|example| text_of(&format!("orchestrator/saga/examples/{example}.rs")));
        assert_eq!(strangers(&guide, &program.collect::<String>()), Vec::<String>::new());
        assert!(parts(&guide).blocks.len() >= 5, "{name}");
    }
    assert_eq!(strangers("```rust\na\n    b\n```\n", "  a\nb\n"), Vec::<String>::new());
    assert_eq!(strangers("```rust\na\nb\n```\n", "a\nc\nb\n"), ["a\nb\n"]);
}

#[test]
fn hello_prints_what_the_readme_says() {
    let (_, said) = hello(&text_of("README.md")).unwrap();
    let ran = Command::new(env!("CARGO_BIN_EXE_hello-saga")).output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    assert_eq!(masked(&String::from_utf8(ran.stdout).unwrap()), masked(&said));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_picture_is_what_a_run_prints() {
    let readme = text_of("README.md");
    let shown = pictures(&readme);
    assert_eq!(shown.len(), 1);
    for picture in shown {
        let output = printed(&picture.command).await;
        let now = picture.cut(&output);
        assert!(now.lines().count() > 10, "{output}");
        let same = masked(&now) == masked(&picture.text);
        if !same && std::env::var_os("UPDATE").is_some() {
            let updated = readme.replace(&picture.block(&picture.text), &picture.block(&now));
            std::fs::write(tree::root().join("README.md"), updated).unwrap();
        } else {
            let advice = format!("`{}` prints something else: run this with UPDATE=1", picture.command);
            assert_eq!(masked(&now), masked(&picture.text), "{advice}");
        }
    }
}

#[test]
fn another_hello_is_seen() {
    let readme = "```sh\nx\n```\n```rust\nuse a;\n```\nprints\n```text\nslot 9f3ac2d1 is free\n```\n";
    let (program, output) = hello(readme).unwrap();
    assert_eq!(program, from_use("//! Head.\n\nuse a;\n"));
    assert_ne!(program, from_use("//! Head.\n\nuse b;\n"));
    assert_eq!(doc_example("//! Head.\n//!\n//! ```\n//! use a;\n//! ```\nmod x;\n"), program);
    assert_eq!(masked(&output), masked("slot 00000000   is free\n"));
    assert_ne!(masked(&output), masked("slot 9f3ac2d1 is held\n"));
    assert_eq!(masked("a 3ms, (1.5s) at 18:02:11\n"), "a TIME, (TIME) at TIME\n");
    assert_eq!(hello("```rust\nuse a;\n```\n"), None);
}

#[test]
fn another_picture_is_seen() {
    let text = "x\n<!-- run: sagactl version; from: a; to: c -->\n```text\na\nb\n```\n<!-- end -->\n";
    let found = pictures(text);
    assert_eq!(found.len(), 1);
    assert!(text.contains(&found[0].block("a\nb\n")));
    assert_eq!(found[0].cut("0\na 1\nb\nc 2\nd\n"), "a 1\nb\nc 2\n");
    assert_eq!(found[0].cut("0\n1\n"), "");
    assert_eq!(masked("x ✔✔✔◔ 560 ms, 7 events\n"), masked("x  ✔↩↩✔✔✔  9 ms, 12 events\n"));
    assert_ne!(masked("x ✔✔✔◔ completed\n"), masked("x ✔✔✔◔ parked\n"));
    assert_eq!(pictures("<!-- run: sagactl version -->\nno block\n"), []);
}
