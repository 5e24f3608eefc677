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

/// What the door of a module is made of. A module leaves out what it does not have, and a file may have parts below it.
const API: [&str; 7] = ["commands", "dtos", "events", "fakes", "providers", "queries", "refusals"];
/// What only one module has at its door, and why.
const API_ALONE: [(&str, &str, &str); 3] = [
    ("delivery", "print", "which letters a document can show: asked by who packs, obeyed by who makes documents"),
    ("orchestration", "foreign", "what is asked of modules in other languages, which no crate owns"),
    (
        "orchestration",
        "languages",
        "the languages that content is delivered in: asked at the door, obeyed by who writes",
    ),
];

/// What is inside of every module that is asked something, beside its stories and its rules.
const INSIDE: [&str; 3] = ["handlers", "projections", "queries"];

/// Modules that are asked something and lack a room of the house.
fn room_faults(files: &[File]) -> Vec<String> {
    let there = |path: &str| files.iter().any(|file| file.path == path);
    let asked = files.iter().filter_map(|file| file.path.strip_suffix("/src/api/commands.rs"));
    let rooms = asked.flat_map(|module| INSIDE.map(|room| format!("{module}/src/internal/{room}.rs")));
    rooms.filter(|path| !there(path)).map(|path| format!("{path}: every module has it")).collect()
}

/// Files at the door of a module that have no name of the house.
fn door_faults(files: &[File]) -> Vec<String> {
    let mut faults = Vec::new();
    for file in files {
        let Some((module, file_name)) =
            file.path.strip_prefix("modules/").and_then(|path| path.split_once("/src/api/"))
        else {
            continue;
        };
        let name = file_name.split(['/', '.']).next().unwrap_or(file_name);
        if !API.contains(&name) && !API_ALONE.iter().any(|(of, alone, _)| (*of, *alone) == (module, name)) {
            faults.push(format!("{}: an api has the files {}", file.path, API.join(", ")));
        }
    }
    faults
}

fn root_manifest() -> String {
    std::fs::read_to_string(tree::root().join("Cargo.toml")).unwrap()
}

/// The methods of each port, by name.
fn ports(files: &[File]) -> Vec<(String, usize)> {
    let mut found: Vec<(String, usize)> = Vec::new();
    for line in files.iter().flat_map(|file| file.text.lines()) {
        if let Some(name) = line.strip_prefix("pub trait ") {
            let name: String = name.chars().take_while(|c| c.is_alphanumeric()).collect();
            found.push((name, 0));
        } else if let Some((_, methods)) = found.last_mut()
            && ["    fn ", "    async fn "].iter().any(|begin| line.starts_with(begin))
        {
            *methods += 1;
        }
    }
    found
}

#[test]
fn a_port_stays_small_enough_to_be_written_by_a_stranger() {
    const METHODS_MAX: usize = 8;
    let source = |path: &str| File::new(path, &std::fs::read_to_string(tree::root().join(path)).unwrap());
    let files = ["orchestrator/saga-core/src/ports.rs", "orchestrator/saga-core/src/bus.rs"].map(source);
    // Functions behind the last port of a file are counted with it, so its number may be too high, never too low.
    let found = ports(&files);
    assert!(found.iter().any(|(name, methods)| name == "EventStore" && *methods >= 4), "{found:?}");
    let large: Vec<_> = found.iter().filter(|(_, methods)| *methods > METHODS_MAX).collect();
    assert!(large.is_empty(), "{large:?}");
}

#[test]
fn every_source_file_is_tidy() {
    let files = tree::everything(".rs");
    assert!(files.len() > 50, "the walk found {} files only", files.len());
    assert_eq!(files.iter().flat_map(source_faults).collect::<Vec<_>>(), Vec::<String>::new());
}

#[test]
fn every_module_has_the_same_door() {
    let files = tree::files("modules", ".rs");
    assert_eq!(door_faults(&files), Vec::<String>::new());
    let there = |(module, name, _): &(&str, &str, &str)| {
        files.iter().any(|file| file.path == format!("modules/{module}/src/api/{name}.rs"))
    };
    assert!(API_ALONE.iter().all(there), "an exception that is gone");
    assert_eq!(room_faults(&files), Vec::<String>::new());
}

#[test]
fn a_door_of_another_shape_is_seen() {
    let faults = |path: &str| door_faults(&[File::new(path, "//! A.\n")]).len();
    let cases = [
        ("modules/qc/src/api/ports.rs", 1),
        ("modules/qc/src/api/print.rs", 1),
        ("modules/qc/src/api/rules/words.rs", 1),
        ("modules/qc/src/api/commands.rs", 0),
        ("modules/qc/src/api/dtos/form.rs", 0),
        ("modules/delivery/src/api/print.rs", 0),
        ("modules/qc/src/internal/ports.rs", 0),
    ];
    for (path, expected) in cases {
        assert_eq!(faults(path), expected, "{path}");
    }
    let files = ["api/commands", "internal/handlers", "internal/queries"];
    let files = files.map(|path| File::new(&format!("modules/qc/src/{path}.rs"), "//! A.\n"));
    assert_eq!(room_faults(&files), ["modules/qc/src/internal/projections.rs: every module has it"]);
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

/// Another prefix is set in one place, for all crates.
#[test]
fn the_default_prefix_stands_in_one_place() {
    let engine = tree::files("orchestrator", ".rs").into_iter().filter(|file| file.path.contains("/src/"));
    let says = engine.filter(says_prefix).map(|file| file.path);
    assert_eq!(says.collect::<Vec<_>>(), ["orchestrator/saga-core/src/bus.rs"]);
    let prefix = "let prefix = \"aicmo\";\n";
    assert!(says_prefix(&File::new("a/src/a.rs", prefix)));
    assert!(!says_prefix(&File::new("a/src/a.rs", &format!("#[cfg(test)]\nmod tests {{ {prefix} }}"))));
}
