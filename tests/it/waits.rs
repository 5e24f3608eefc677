//! A test that waits gives up and says for what: a loop without end looks like a slow machine.

use crate::tree::{self, File};

/// What lets others go on between two looks.
const BETWEEN: [&str; 5] = ["yield_now()", ".pause(", "sleep(", "breathe()", "pass("];
/// What ends a loop that sees nothing; a function that returns from it is bounded by its caller.
const GIVES_UP: [&str; 5] = ["assert!(", "panic!(", "within", "return None", "self.now() < due"];

/// The loops of a test's file that look again and again, and never say that what they wait for does not come.
fn endless(file: &File) -> Vec<String> {
    let lines: Vec<&str> = file.text.lines().collect();
    let indent = |line: &str| line.len() - line.trim_start().len();
    let mut faults = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let head = line.trim_start();
        let opens = head.ends_with("loop {") || (head.starts_with("while ") && !head.ends_with("{}"));
        // What serves others in the background is ended with the test.
        let serves =
            at.checked_sub(6).map_or(&lines[..at], |from| &lines[from..at]).iter().any(|line| line.contains("spawn("));
        if !opens || serves {
            continue;
        }
        let body: Vec<&str> = lines[at..]
            .iter()
            .copied()
            .skip(1)
            .take_while(|next| indent(next) > indent(line) || next.is_empty())
            .collect();
        let has = |words: &[&str]| {
            std::iter::once(line).chain(&body).any(|line| words.iter().any(|word| line.contains(word)))
        };
        if has(&BETWEEN) && !has(&GIVES_UP) {
            faults.push(format!("{}:{}: waits without end; use test_servers::waiting", file.path, at + 1));
        }
    }
    faults
}

#[test]
fn no_test_waits_without_end() {
    let tests: Vec<File> = tree::everything(".rs").into_iter().filter(|file| file.path.contains("/tests/")).collect();
    assert!(tests.len() > 50, "the walk found {} files only", tests.len());
    assert_eq!(tests.iter().flat_map(endless).collect::<Vec<_>>(), Vec::<String>::new());
}

#[test]
fn a_wait_without_end_is_seen() {
    let cases = [
        ("while !holds() {\n    tokio::task::yield_now().await;\n}\n", 1),
        ("let told = loop {\n    match look() {\n        None => breathe().await,\n    }\n};\n", 1),
        ("while !holds() {\n    assert!(now() < until);\n    clock.pause(LOOK).await;\n}\n", 0),
        ("while let Some(next) = queue.pop() {\n    done.push(next);\n}\n", 0),
        (
            "let mut serving = JoinSet::new();\nserving.spawn(async move {\n    loop {\n        pass(PAUSE).await;\n    }\n});\n",
            0,
        ),
    ];
    for (text, faults) in cases {
        assert_eq!(endless(&File::new("a/tests/a.rs", text)).len(), faults, "{text}");
    }
}
