//! The documents tell the truth: what they show is what runs, what they name exists, and nothing in them is only for us.

use crate::tree::{self, File};
use clap::Parser;
use saga_core::codes;
use sagactl::args::{Cli, rewrite};
use sagactl::print::{out::Out, style::Style};
use std::collections::BTreeSet;
use std::io::Write;
use std::process::Command;
use std::sync::{Arc, Mutex};

/// One screen of program; a longer hello is no hello.
const HELLO_LINES_MAX: usize = 30;
/// Words that say how this was made, or where, instead of what it is. Machines' paths and registries change; readers
/// have their own.
const FORBIDDEN: [&str; 20] = [
    "/tmp/",
    "/work/",
    "/root/",
    "/home/",
    "agentic",
    "ai-generated",
    "artifactory",
    "assistant",
    "chatbot",
    "chatgpt",
    "claude",
    "copilot",
    "crates.io",
    "language model",
    "npmjs.org",
    "pypi.org",
    "session",
    "sub-agent",
    "subagent",
    "transcript",
];

/// A fenced block: what stands behind the fence, and the text inside.
#[derive(Debug, PartialEq, Eq)]
struct Block {
    language: String,
    text: String,
}

/// The text of a document in three kinds: fenced blocks, lines indented like code, and prose.
struct Parts {
    blocks: Vec<Block>,
    indented: Vec<String>,
    prose: Vec<String>,
}

fn parts(text: &str) -> Parts {
    let mut found = Parts { blocks: Vec::new(), indented: Vec::new(), prose: Vec::new() };
    let mut open: Option<Block> = None;
    for line in text.lines() {
        match (line.strip_prefix("```"), open.take()) {
            (Some(language), None) => open = Some(Block { language: language.to_owned(), text: String::new() }),
            (Some(_), Some(block)) => found.blocks.push(block),
            (None, Some(mut block)) => {
                block.text.push_str(line);
                block.text.push('\n');
                open = Some(block);
            }
            (None, None) if line.starts_with("    ") => found.indented.push(line.trim().to_owned()),
            (None, None) => found.prose.push(line.to_owned()),
        }
    }
    found.blocks.extend(open);
    found
}

/// What stands between backticks; a span may be broken over two lines.
fn spans(prose: &[String]) -> Vec<String> {
    let joined = prose.join("\n");
    let inside = joined.split('`').skip(1).step_by(2);
    inside.map(|span| span.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

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
fn words(line: &str) -> Vec<String> {
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

/// Whether a span looks like a path from the root, or from the folder of its chapter.
fn is_path(span: &str) -> bool {
    let plain = span.chars().all(|c| c.is_ascii_alphanumeric() || "_-./".contains(c));
    let ends = [".rs", ".toml", ".md", ".txt", ".sql", ".json"].iter().any(|end| span.ends_with(end));
    plain && !span.starts_with(['/', '-', '.']) && (span.contains('/') || ends)
}

/// The paths in a document that lead nowhere. A heading that names a folder is the base of the paths below it.
fn path_faults(file: &File, exists: &dyn Fn(&str) -> bool) -> Vec<String> {
    let mut faults = Vec::new();
    let mut base = String::new();
    for line in parts(&file.text).prose {
        let named = spans(std::slice::from_ref(&line));
        if line.starts_with('#') {
            base = named.first().filter(|span| exists(span)).cloned().unwrap_or_default();
        }
        let links = line.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next());
        let links = links.filter(|link| !link.is_empty() && !link.contains("://")).map(str::to_owned);
        for path in named.into_iter().filter(|span| is_path(span)).chain(links) {
            if !exists(&path) && !exists(&format!("{base}/{path}")) {
                faults.push(format!("{}: {path} does not exist", file.path));
            }
        }
    }
    faults
}

/// Dependencies from outside without a line of their own, and lines about nothing.
fn dependency_faults(manifest: &str, decisions: &str) -> Vec<String> {
    let inside = manifest.lines().skip_while(|line| *line != "[workspace.dependencies]").skip(1);
    let listed = inside.take_while(|line| !line.starts_with('[')).filter(|line| !line.contains("path = "));
    let used: BTreeSet<&str> = listed
        .filter_map(|line| line.split_once('='))
        .map(|(name, _)| name.trim())
        .filter(|name| !name.is_empty())
        .collect();
    let chapter = decisions.split("\n## Dependencies").nth(1).unwrap_or_default();
    let lines = chapter.lines().filter_map(|line| line.strip_prefix("- `")?.split_once("`: "));
    let explained: BTreeSet<&str> = lines.filter(|(_, why)| !why.trim().is_empty()).map(|(name, _)| name).collect();
    let unsaid = used.difference(&explained).map(|name| format!("{name} has no line in DECISIONS.md"));
    unsaid
        .chain(explained.difference(&used).map(|name| format!("{name} has a line, but nobody depends on it")))
        .collect()
}

/// Decisions count 1, 2, 3 ... and each has its five lines.
fn decision_faults(decisions: &str) -> Vec<String> {
    const LINES: [&str; 5] = ["- Context: ", "- Choice: ", "- Price: ", "- Evidence: ", "- Date: "];
    let chapters = decisions.split("\n### D").skip(1);
    let mut faults = Vec::new();
    for (index, chapter) in chapters.enumerate() {
        let chapter = chapter.split("\n## ").next().unwrap_or(chapter);
        if !chapter.starts_with(&format!("{}. ", index + 1)) {
            faults.push(format!("after D{index} comes D{}", chapter.lines().next().unwrap_or_default()));
        }
        let mut lines = chapter.lines().skip(1).filter(|line| !line.is_empty());
        if !LINES.iter().all(|start| lines.next().is_some_and(|line| line.starts_with(start))) || lines.next().is_some()
        {
            faults.push(format!("D{} is not five lines: {}", index + 1, LINES.join("")));
        }
    }
    faults
}

/// Codes without a page, and pages without a code.
fn page_faults(codes: &[&str], pages: &[&str]) -> Vec<String> {
    let (codes, pages): (BTreeSet<_>, BTreeSet<_>) = (codes.iter().collect(), pages.iter().collect());
    codes.symmetric_difference(&pages).map(|odd| format!("{odd} is a code or a page, not both")).collect()
}

/// Codes that a document names and nobody has.
fn code_faults(file: &File, codes: &[&str]) -> Vec<String> {
    let named = file.text.match_indices("SG").filter_map(|(at, _)| file.text.get(at..at + 6));
    let named = named.filter(|code| code[2..].chars().all(|c| c.is_ascii_digit()));
    named.filter(|code| !codes.contains(code)).map(|code| format!("{}: there is no {code}", file.path)).collect()
}

/// Words that do not belong into a document, with their lines.
fn forbidden(file: &File) -> Vec<String> {
    let lines = file.text.lines().enumerate().map(|(index, line)| (index + 1, line.to_lowercase()));
    let found = lines.flat_map(|(number, line)| {
        let words = FORBIDDEN.iter().filter(move |word| line.contains(**word));
        words.map(move |word| (number, *word))
    });
    found.map(|(number, word)| format!("{}:{number}: says {word}", file.path)).collect()
}

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
    };
    let sink = Sink::default();
    let mut out = Out::new(Box::new(sink.clone()), Box::new(sink.clone()), (style.clone(), style), &cli.global, false);
    let done = sagactl::run::command(&cli.command, &cli.global, &mut out).await;
    sagactl::run::finish(done, &mut out);
    String::from_utf8(std::mem::take(&mut *sink.0.lock().unwrap())).unwrap()
}

/// The documents of the repository.
fn documents() -> Vec<File> {
    let root = std::fs::read_dir(tree::root()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = root.filter(|name| name.ends_with(".md")).collect();
    names.sort();
    let read = |name: String| File { text: text_of(&name), path: name };
    let mut files: Vec<_> = names.into_iter().map(read).collect();
    for folder in ["docs", "schemas"].iter().filter(|folder| exists(folder)) {
        files.extend(tree::files(folder, ".md"));
    }
    files.extend(tree::everything(".md"));
    files
}

fn text_of(path: &str) -> String {
    std::fs::read_to_string(tree::root().join(path)).unwrap()
}

fn exists(path: &str) -> bool {
    tree::root().join(path).exists()
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

const NONE: Vec<String> = Vec::new();

#[test]
fn hello_is_the_example_and_the_doc_test() {
    let (program, _) = hello(&text_of("README.md")).unwrap();
    assert_eq!(program, from_use(&text_of("orchestrator/saga/examples/hello_saga.rs")));
    assert_eq!(program, doc_example(&text_of("orchestrator/saga/src/lib.rs")));
    assert!(program.lines().count() <= HELLO_LINES_MAX, "{} lines", program.lines().count());
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
fn every_command_in_a_document_is_understood() {
    let known = test_parts(&text_of("tests/run"));
    assert!(known.len() > 5, "{known:?}");
    let mut shown = 0;
    let mut faults = Vec::new();
    for file in documents() {
        let lines = commands(&file.text);
        shown += lines.len();
        let wrong = lines.iter().filter_map(|line| command_fault(line, &exists, &known));
        faults.extend(wrong.map(|fault| format!("{}: {fault}", file.path)));
    }
    assert_eq!(faults, NONE);
    assert!(shown > 40, "only {shown} commands were found");
}

#[test]
fn every_path_in_the_map_exists() {
    for path in ["README.md", "ARCHITECTURE.md"] {
        let file = File::new(path, &text_of(path));
        assert_eq!(path_faults(&file, &exists), NONE);
    }
    let map = spans(&parts(&text_of("ARCHITECTURE.md")).prose);
    assert!(map.iter().filter(|span| is_path(span)).count() > 80);
}

#[test]
fn every_dependency_and_every_decision_is_explained() {
    let decisions = text_of("DECISIONS.md");
    assert_eq!(dependency_faults(&text_of("Cargo.toml"), &decisions), NONE);
    assert_eq!(decision_faults(&decisions), NONE);
    assert!(decisions.matches("\n### D").count() > 20);
}

#[test]
fn every_code_has_its_page_and_every_named_code_exists() {
    let known: Vec<&str> = codes::ALL.iter().map(|code| code.id).collect();
    let files = tree::files("orchestrator/saga-core/errors", ".md");
    let stems = files.iter().filter_map(|file| file.path.rsplit('/').next()?.strip_suffix(".md"));
    assert_eq!(page_faults(&known, &stems.collect::<Vec<_>>()), NONE);
    assert_eq!(documents().iter().flat_map(|file| code_faults(file, &known)).collect::<Vec<_>>(), NONE);
}

#[test]
fn no_document_says_how_it_was_made() {
    let mut files = documents();
    assert!(files.len() > 30, "{} documents", files.len());
    files.extend(["tests/run", ".ci/run", "Cargo.toml", "deny.toml"].map(|path| File::new(path, &text_of(path))));
    assert_eq!(files.iter().flat_map(forbidden).collect::<Vec<_>>(), NONE);
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

#[test]
fn paths_that_lead_nowhere_are_seen() {
    let exists = |path: &str| ["a/b.rs", "a", "c/d", "c/d/e.rs", "x.toml"].contains(&path);
    let cases = [
        ("see `a/b.rs`, [x](x.toml), [web](https://example.org) and `Plan::step`", 0),
        ("`tests/run` is there not", 1),
        ("see [that](gone.md)", 1),
        ("### `c/d`\n`e.rs` is here", 0),
        ("### `c/d`\n`e.rs` is here\n### Else\n`e.rs` is not", 1),
        ("`/v1/sagas`, `cargo run -- demo`, `serde`", 0),
    ];
    for (text, expected) in cases {
        assert_eq!(path_faults(&File::new("A.md", text), &exists).len(), expected, "{text}");
    }
}

#[test]
fn unexplained_dependencies_and_short_decisions_are_seen() {
    let manifest = "[workspace.dependencies]\nown = { path = \"own\" }\n# x\nserde = \"1\"\nuuid = { version = \"1\" }\n[other]\na = 1\n";
    let lines = |list: &str| dependency_faults(manifest, &format!("x\n## Dependencies\n\n{list}"));
    assert_eq!(lines("- `serde`: data\n- `uuid`: ids\n"), NONE);
    assert_eq!(lines("- `serde`: data\n- `uuid`: \n"), ["uuid has no line in DECISIONS.md"]);
    assert_eq!(lines("- `serde`: data\n- `uuid`: ids\n- `rand`: x\n").len(), 1);
    let five = "- Context: a\n- Choice: b\n- Price: c\n- Evidence: d\n- Date: e\n";
    let cases = [
        (format!("\n### D1. One\n\n{five}\n### D2. Two\n\n{five}\n## Dependencies\n\n- more\n"), 0),
        (format!("\n### D1. One\n\n{five}\n### D3. Two\n\n{five}"), 1),
        (format!("\n### D1. One\n\n{five}- And: more\n"), 1),
        ("\n### D1. One\n\n- Context: a\n- Choice: b\n".to_owned(), 1),
    ];
    for (text, expected) in cases {
        assert_eq!(decision_faults(&text).len(), expected, "{text}");
    }
}

#[test]
fn missing_pages_and_unknown_codes_are_seen() {
    assert_eq!(page_faults(&["SG0001"], &["SG0001"]), NONE);
    assert_eq!(page_faults(&["SG0001", "SG0002"], &["SG0001"]).len(), 1);
    assert_eq!(page_faults(&["SG0001"], &["SG0001", "SG0009"]).len(), 1);
    let file = File::new("A.md", "SG0001, SGxxxx and SG0009");
    assert_eq!(code_faults(&file, &["SG0001"]), ["A.md: there is no SG0009"]);
}

#[test]
fn forbidden_words_are_seen() {
    for word in FORBIDDEN {
        let text = format!("fine\nas {} said\n", word.to_uppercase());
        assert_eq!(forbidden(&File::new("A.md", &text)), [format!("A.md:2: says {word}")]);
    }
    assert_eq!(forbidden(&File::new("A.md", "a module, a saga, a registry of clients")), NONE);
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
