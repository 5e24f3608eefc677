//! The documents tell the truth: the code they show runs, the files they name exist, and nothing in them is only for
//! us.

mod commands;
mod decisions;
mod markdown;
mod names;
mod shown;

use crate::tree::{self, File};

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

/// Words that do not belong into a document, with their lines.
fn forbidden(file: &File) -> Vec<String> {
    let lines = file.text.lines().enumerate().map(|(index, line)| (index + 1, line.to_lowercase()));
    let found = lines.flat_map(|(number, line)| {
        let words = FORBIDDEN.iter().filter(move |word| line.contains(**word));
        words.map(move |word| (number, *word))
    });
    found.map(|(number, word)| format!("{}:{number}: says {word}", file.path)).collect()
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

const NONE: Vec<String> = Vec::new();

#[test]
fn no_document_says_how_it_was_made() {
    let mut files = documents();
    assert!(files.len() > 30, "{} documents", files.len());
    files.extend(["tests/run", ".ci/run", "Cargo.toml", "deny.toml"].map(|path| File::new(path, &text_of(path))));
    assert_eq!(files.iter().flat_map(forbidden).collect::<Vec<_>>(), NONE);
}

#[test]
fn forbidden_words_are_seen() {
    for word in FORBIDDEN {
        let text = format!("fine\nas {} said\n", word.to_uppercase());
        assert_eq!(forbidden(&File::new("A.md", &text)), [format!("A.md:2: says {word}")]);
    }
    assert_eq!(forbidden(&File::new("A.md", "a module, a saga, a registry of clients")), NONE);
}
