//! The map of all files, out of the first sentence of each: what a newcomer reads to find the place.

use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};

/// Where it is kept, from the root.
pub const PATH: &str = "docs/map.md";
/// The folders that hold crates, in reading order; a name with a `*` stands for all of its folders.
const FOLDERS: [&str; 19] = [
    "orchestrator/saga-core",
    "orchestrator/saga-engine",
    "orchestrator/saga-testkit",
    "orchestrator/saga",
    "orchestrator/saga-sqlite",
    "orchestrator/saga-postgres",
    "orchestrator/saga-nats",
    "orchestrator/test-servers",
    "orchestrator/saga-admin",
    "orchestrator/saga-service",
    "orchestrator/sagactl",
    "events",
    "modules/orchestration",
    "modules/onboarding",
    "modules/strategy",
    "modules/production",
    "modules/qc",
    "modules/delivery",
    "tests",
];
const HEAD: &str =
    "# Map\n\nEvery source file with its first sentence. `cargo house map` writes this page anew; nobody edits it.\n";

/// The map of the tree below `root`. An error names the folder or file that cannot be read.
pub fn map(root: &Path) -> io::Result<String> {
    let mut text = HEAD.to_owned();
    for folder in folders(root)? {
        let mut files = Vec::new();
        collect(&root.join(&folder), &mut files)?;
        files.sort_by_key(|path| key(path));
        let _ = write!(text, "\n## `{folder}`\n\n| File | What it holds |\n|---|---|\n");
        for path in files {
            let says = sentence(&std::fs::read_to_string(&path)?).replace('|', "\\|");
            let below = path.strip_prefix(root.join(&folder)).unwrap_or(&path);
            let _ = writeln!(text, "| `{}` | {says} |", below.display());
        }
    }
    Ok(text)
}

/// The folders of all crates: the known ones in reading order, then those that nobody has given a place yet.
fn folders(root: &Path) -> io::Result<Vec<String>> {
    let mut all: Vec<String> = FOLDERS.iter().map(|folder| (*folder).to_owned()).collect();
    for parent in ["orchestrator", "modules"] {
        let mut further = Vec::new();
        for entry in std::fs::read_dir(root.join(parent))? {
            let entry = entry?;
            let folder = format!("{parent}/{}", entry.file_name().to_string_lossy());
            if entry.path().join("Cargo.toml").is_file() && !all.contains(&folder) {
                further.push(folder);
            }
        }
        further.sort();
        all.extend(further);
    }
    all.retain(|folder| root.join(folder).join("Cargo.toml").is_file());
    Ok(all)
}

/// `a.rs` before what is below `a/`, and `src` before `tests` and `examples`.
fn key(path: &Path) -> (bool, String) {
    let text = path.to_string_lossy().replace(".rs", "");
    (!text.contains("/src/"), text.replace("/lib", "/\u{1}lib").replace("/main", "/\u{1}main"))
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if !["target", "foreign", "data", "mistakes"].contains(&name) {
                collect(&path, files)?;
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    Ok(())
}

/// The first sentence of a file's own documentation.
fn sentence(source: &str) -> String {
    let lines = source.lines().take_while(|line| line.starts_with("//!"));
    let words: Vec<&str> =
        lines.map(|line| line.trim_start_matches("//!").trim()).take_while(|line| !line.is_empty()).collect();
    let text = words.join(" ");
    let end = text.match_indices(". ").map(|(at, _)| at).find(|at| !text[..*at].ends_with("e.g"));
    let first = end.map_or(text.as_str(), |at| &text[..at]);
    // Links of rustdoc lead nowhere outside of it.
    first.trim_end_matches('.').replace("[`", "`").replace("`]", "`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_sentence_is_taken_and_nothing_of_the_rest() {
        let cases = [
            ("//! One. Two.\n", "One"),
            ("//! A sentence\n//! over two lines: yes. More.\n\nuse x;", "A sentence over two lines: yes"),
            ("//! See [`Plan`].\n//!\n//! More.", "See `Plan`"),
            ("use x;\n//! Late.", ""),
            ("//! Version 2.9 and on. More.", "Version 2.9 and on"),
        ];
        for (source, expected) in cases {
            assert_eq!(sentence(source), expected);
        }
    }
    #[test]
    fn a_file_stands_before_what_is_below_it() {
        let mut paths =
            ["a/tests/it/main.rs", "a/src/b/c.rs", "a/src/b.rs", "a/src/lib.rs", "a/src/ab.rs"].map(PathBuf::from);
        paths.sort_by_key(|path| key(path));
        let sorted: Vec<_> = paths.iter().map(|path| path.to_str().unwrap_or_default()).collect();
        assert_eq!(sorted, ["a/src/lib.rs", "a/src/ab.rs", "a/src/b.rs", "a/src/b/c.rs", "a/tests/it/main.rs"]);
    }
}
