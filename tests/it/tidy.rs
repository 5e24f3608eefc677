//! Every file opens with a sentence, none is a boulder, and every crate keeps the house's manifest rules.

use crate::tree::{self, File};
use std::collections::BTreeSet;

/// Some eight screens: what one reads from top to bottom and still knows the beginning. A longer file holds two things.
const LINES_MAX: usize = 450;

/// What is wrong with a source file.
fn source_faults(file: &File) -> Vec<String> {
    let mut faults = Vec::new();
    if !file.text.starts_with("//! ") {
        faults.push(format!("{}: opens with no `//!` sentence", file.path));
    }
    let lines = file.text.lines().count();
    if lines > LINES_MAX {
        faults.push(format!("{}: {lines} lines, at most {LINES_MAX}", file.path));
    }
    if file.path.ends_with("/mod.rs") {
        faults.push(format!("{}: the house has no mod.rs", file.path));
    }
    faults
}

/// The names under `[workspace.dependencies]`.
fn shared(root: &str) -> BTreeSet<String> {
    let inside = root.lines().skip_while(|line| *line != "[workspace.dependencies]").skip(1);
    inside.take_while(|line| !line.starts_with('[')).filter_map(|line| name_of(line).map(str::to_owned)).collect()
}

fn name_of(line: &str) -> Option<&str> {
    let (name, _) = line.split_once('=')?;
    let name = name.trim().split('.').next()?.trim_matches('"');
    (!name.is_empty() && !name.starts_with('#')).then_some(name)
}

/// What is wrong with the manifest of a crate.
fn manifest_faults(file: &File, shared: &BTreeSet<String>) -> Vec<String> {
    let mut faults = Vec::new();
    let mut section = String::new();
    let mut lints = false;
    for line in file.text.lines().map(str::trim) {
        if line.starts_with('[') {
            section = line.trim_matches(['[', ']']).to_owned();
            // `[dependencies.serde]` is the long way to write the same.
            let spelled = section.split_once("dependencies.").is_some_and(|(_, name)| shared.contains(name));
            if spelled {
                faults.push(format!("{}: {section} is spelled here", file.path));
            }
        } else if section == "lints" && line.replace(' ', "") == "workspace=true" {
            lints = true;
        } else if section.ends_with("dependencies")
            && name_of(line).is_some_and(|name| shared.contains(name))
            && !line.replace(' ', "").contains("workspace=true")
        {
            faults.push(format!("{}: {} is spelled here", file.path, name_of(line).unwrap_or(line)));
        }
    }
    if !lints {
        faults.push(format!("{}: has no `[lints] workspace = true`", file.path));
    }
    faults
}

fn root_manifest() -> String {
    std::fs::read_to_string(tree::root().join("Cargo.toml")).unwrap()
}

#[test]
fn every_source_file_is_tidy() {
    let files = tree::everything(".rs");
    assert!(files.len() > 50, "the walk found {} files only", files.len());
    assert_eq!(files.iter().flat_map(source_faults).collect::<Vec<_>>(), Vec::<String>::new());
}

#[test]
fn every_manifest_is_tidy() {
    let shared = shared(&root_manifest());
    assert!(shared.contains("serde") && shared.contains("saga-core"));
    let manifests: Vec<_> =
        tree::everything("/Cargo.toml").into_iter().filter(|file| !file.path.starts_with("tests/fuzz")).collect();
    assert!(manifests.len() >= 10);
    let faults: Vec<_> = manifests.iter().flat_map(|file| manifest_faults(file, &shared)).collect();
    assert_eq!(faults, Vec::<String>::new());
}

#[test]
fn untidy_sources_are_seen() {
    let long = format!("//! Long.\n{}", "\n".repeat(LINES_MAX));
    let cases = [
        ("a.rs", "fn main() {}\n", 1),
        ("a.rs", "//!\nfn main() {}\n", 1),
        ("a.rs", "// not an inner comment\n", 1),
        ("a.rs", long.as_str(), 1),
        ("a/mod.rs", "//! A.\n", 1),
        ("a.rs", "//! A.\n", 0),
        ("a/modern.rs", "//! A.\n", 0),
    ];
    for (path, text, faults) in cases {
        assert_eq!(source_faults(&File::new(path, text)).len(), faults, "{path} {:.30}", text);
    }
}

#[test]
fn untidy_manifests_are_seen() {
    let shared =
        shared("[workspace.dependencies]\n# x\nserde = \"1\"\nsaga-core = { path = \"x\" }\n[profile.dev]\na = 1\n");
    assert_eq!(shared.iter().map(String::as_str).collect::<Vec<_>>(), ["saga-core", "serde"]);
    let lints = "[lints]\nworkspace = true\n";
    let cases = [
        ("[dependencies]\nserde.workspace = true\n", 1),
        ("[lints]\nworkspace = false\n", 1),
        (&format!("[dependencies]\nserde = \"1\"\n{lints}"), 1),
        (&format!("[dev-dependencies]\nserde = {{ version = \"1\" }}\n{lints}"), 1),
        (&format!("[dependencies.serde]\nversion = \"1\"\n{lints}"), 1),
        (&format!("[target.'cfg(unix)'.dependencies]\nserde = \"1\"\n{lints}"), 1),
        (&format!("[dependencies]\nserde.workspace = true\n{lints}"), 0),
        (&format!("[dependencies]\nserde = {{ workspace = true, features = [] }}\n{lints}"), 0),
        (&format!("[dependencies]\nits-own = \"1\"\n{lints}"), 0),
    ];
    for (text, faults) in cases {
        assert_eq!(manifest_faults(&File::new("a/Cargo.toml", text), &shared).len(), faults, "{text}");
    }
}

/// Where a program says the default prefix itself, tests left out.
fn says_prefix(file: &File) -> bool {
    let program = file.text.split("#[cfg(test)]").next().unwrap_or(&file.text);
    !file.path.contains("/tests")
        && program.lines().any(|line| !line.trim().starts_with("//") && line.contains("\"aicmo\""))
}

/// Whoever gives another prefix changes it everywhere.
#[test]
fn the_default_prefix_stands_in_one_place() {
    let engine = tree::files("orchestrator", ".rs").into_iter().filter(|file| file.path.contains("/src/"));
    let says = engine.filter(says_prefix).map(|file| file.path);
    assert_eq!(says.collect::<Vec<_>>(), ["orchestrator/saga-core/src/bus.rs"]);
    let prefix = "let prefix = \"aicmo\";\n";
    assert!(says_prefix(&File::new("a/src/a.rs", prefix)));
    assert!(!says_prefix(&File::new("a/src/a.rs", &format!("#[cfg(test)]\nmod tests {{ {prefix} }}"))));
}
