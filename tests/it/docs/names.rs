//! Every path and every code that a document names exists.

use super::markdown::{parts, spans};
use super::{NONE, documents, exists, text_of};
use crate::tree::{self, File};
use saga_core::codes;
use std::collections::BTreeSet;

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
fn the_map_is_that_of_this_tree_and_every_file_has_its_sentence() {
    let now = system_tests::map::map(&tree::root()).unwrap();
    assert_eq!(text_of(system_tests::map::PATH), now, "run `cargo house map`");
    let silent = now.lines().filter(|line| line.ends_with("|  |")).map(str::to_owned);
    assert_eq!(silent.collect::<Vec<_>>(), NONE);
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
fn missing_pages_and_unknown_codes_are_seen() {
    assert_eq!(page_faults(&["SG0001"], &["SG0001"]), NONE);
    assert_eq!(page_faults(&["SG0001", "SG0002"], &["SG0001"]).len(), 1);
    assert_eq!(page_faults(&["SG0001"], &["SG0001", "SG0009"]).len(), 1);
    let file = File::new("A.md", "SG0001, SGxxxx and SG0009");
    assert_eq!(code_faults(&file, &["SG0001"]), ["A.md: there is no SG0009"]);
}
