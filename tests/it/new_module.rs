//! `cargo house new-module`: what it makes compiles and passes its laws, and a name that cannot be one changes nothing.

use crate::tree;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use system_tests::{new_module, schemas};

const NAME: &str = "lost_property";

/// The tree as it is here, in a folder that stays between runs: what did not change is not built again.
fn copied() -> PathBuf {
    let copy = Path::new(env!("CARGO_TARGET_TMPDIR")).join("new-module");
    let listed = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(tree::root())
        .output()
        .unwrap();
    let wanted: BTreeMap<String, PathBuf> = String::from_utf8(listed.stdout)
        .unwrap()
        .split_terminator('\0')
        .map(|path| (path.to_owned(), tree::root().join(path)))
        .filter(|(_, from)| from.is_file())
        .collect();
    assert!(wanted.len() > 300, "{} files only", wanted.len());
    fs::create_dir_all(&copy).unwrap();
    for path in below(&copy).into_keys().filter(|path| !wanted.contains_key(path)) {
        fs::remove_file(copy.join(path)).unwrap();
    }
    for (path, from) in wanted {
        let (to, text) = (copy.join(path), fs::read(from).unwrap());
        if fs::read(&to).ok().as_ref() != Some(&text) {
            fs::create_dir_all(to.parent().unwrap()).unwrap();
            fs::write(&to, text).unwrap();
        }
    }
    // A folder without files would be taken for a module.
    drop(fs::remove_dir_all(copy.join("modules").join(NAME)));
    copy
}

/// Every file below a folder, by its path from there.
fn below(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    fn walk(root: &Path, folder: &Path, found: &mut BTreeMap<String, Vec<u8>>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(root, &path, found);
            } else {
                let name = path.strip_prefix(root).unwrap().to_string_lossy().replace('\\', "/");
                found.insert(name, fs::read(&path).unwrap());
            }
        }
    }
    let mut found = BTreeMap::new();
    walk(folder, folder, &mut found);
    found
}

/// `cargo test` of the new module, in a target folder of its own: to cargo the crates of two copies of one workspace are the
/// same ones, so in a shared folder it would take either for the other.
fn tested(copy: &Path) -> Output {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("new-module-target");
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["test", "--offline", "--package", NAME]).current_dir(copy);
    cargo.env("CARGO_TARGET_DIR", target).env("CARGO_TERM_COLOR", "never");
    cargo.output().unwrap()
}

#[test]
fn a_new_module_compiles_and_passes_its_laws_and_a_wrong_name_makes_none() {
    let copy = copied();
    let before = below(&copy);
    for (name, why) in [
        ("Lost", "\"Lost\" is not a name in snake_case, such as client_review"),
        ("lost-property", "\"lost-property\" is not a name in snake_case, such as client_review"),
        ("lost__property", "\"lost__property\" is not a name in snake_case, such as client_review"),
        ("../lost", "\"../lost\" is not a name in snake_case, such as client_review"),
        ("2lost", "\"2lost\" is not a name in snake_case, such as client_review"),
        ("", "\"\" is not a name in snake_case, such as client_review"),
        ("property_that_nobody_has_lost_yet", "property_that_nobody_has_lost_yet is longer than 30 bytes"),
        ("qc", "qc is a word of Rust or a crate that is there"),
        ("saga_core", "saga_core is a word of Rust or a crate that is there"),
        ("loop", "loop is a word of Rust or a crate that is there"),
        ("client_review", "events/src/client_review.rs exists"),
    ] {
        assert_eq!(new_module::make(&copy, name).unwrap(), Err(why.to_owned()));
    }
    assert_eq!(below(&copy), before, "nothing is written for a name that is refused");

    let written = new_module::make(&copy, NAME).unwrap().unwrap();
    let output = tested(&copy);
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && said.contains("making::an_undo_leaves_it_as_before ... ok"), "{said}");
    assert!(!said.contains("warning"), "{said}");
    let again = format!("{NAME} is a word of Rust or a crate that is there");
    assert_eq!(new_module::make(&copy, NAME).unwrap(), Err(again));

    let after = below(&copy);
    let changed = after.iter().filter(|(path, text)| before.get(*path) != Some(*text)).map(|(path, _)| path.clone());
    // The lock is cargo's own business.
    assert_eq!(changed.filter(|path| path != "Cargo.lock").collect::<Vec<_>>(), written);
    let graph = String::from_utf8_lossy(&after["tests/it/graph.txt"]).into_owned();
    let arrows: Vec<&str> = graph.lines().filter(|line| line.contains(NAME)).collect();
    assert_eq!(
        arrows,
        [
            "lost_property -> events",
            "lost_property -> saga-core",
            "lost_property -> saga-testkit (tests)",
            "saga-service -> lost_property",
            "system-tests -> lost_property",
        ]
    );
    assert!(graph.lines().is_sorted());
}

#[test]
fn a_tree_without_a_place_for_a_module_stays_as_it_is() {
    let copy = tempfile::tempdir().unwrap();
    for path in ["Cargo.toml", "events/src/lib.rs"] {
        let to = copy.path().join(path);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::write(to, "[workspace.dependencies]\n").unwrap();
    }
    let before = below(copy.path());
    let why = "Cargo.toml is not as expected: there is no place for a module in it";
    assert_eq!(new_module::make(copy.path(), NAME).unwrap(), Err(why.to_owned()));
    assert_eq!(below(copy.path()), before);
}

#[test]
fn a_module_without_a_contract_gets_its_line_and_no_other_moves() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join(schemas::CONTRACTS);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let all = fs::read_to_string(tree::root().join(schemas::CONTRACTS)).unwrap();
    let fewer: String = all.lines().filter(|line| !line.starts_with("qc ")).map(|line| format!("{line}\n")).collect();
    let fewer = fewer.replace("strategy 1.0", "strategy 0.9");
    fs::write(&path, &fewer).unwrap();
    let documents = schemas::generate();
    let modules = system_tests::modules::modules();
    assert_eq!(schemas::enter(root.path(), &modules, &documents).unwrap(), ["qc"]);
    assert_eq!(fs::read_to_string(&path).unwrap(), all.replace("strategy 1.0", "strategy 0.9"));
    assert_eq!(schemas::enter(root.path(), &modules, &documents).unwrap(), Vec::<String>::new());
}
