//! The arrows between crates: each is in the picture, and none is forbidden; and those between the files of a crate.

mod circles;

use crate::tree::{self, File};
use cargo_metadata::{DependencyKind, MetadataCommand};
use std::collections::BTreeSet;
use std::fmt::Write;

/// A crate as its manifest describes it.
#[derive(Debug, Clone)]
struct Crate {
    name: String,
    /// From the root, for example `modules/qc`.
    folder: String,
    /// Name, and whether it is for tests only.
    needs: Vec<(String, bool)>,
}

const CROSS_CUTTING: [&str; 3] = ["identity", "learning", "observability"];
/// Outside crates that only some of our crates may use. `sqlx` and `async-nats` hide behind ports; tokio stays out of
/// everything that decides: the core, the events and the modules.
const FENCED: [(&str, &[&str]); 3] = [
    ("sqlx", &["saga-sqlite", "saga-postgres"]),
    ("async-nats", &["saga-nats"]),
    (
        "tokio",
        &["saga", "saga-sqlite", "saga-postgres", "saga-nats", "saga-admin", "saga-service", "sagactl", "system-tests"],
    ),
];
/// The only files of `sagactl` that may name the composition root.
const HOSTS: [&str; 7] = ["cmd/bench", "cmd/demo", "cmd/dev", "cmd/events", "cmd/serve", "cmd/store", "local"];

fn crates() -> Vec<Crate> {
    let mut command = MetadataCommand::new();
    command.manifest_path(tree::root().join("Cargo.toml")).no_deps().other_options(["--offline".to_owned()]);
    let metadata = command.exec().unwrap();
    let root = metadata.workspace_root.clone();
    let package = |package: &cargo_metadata::Package| Crate {
        name: package.name.to_string(),
        folder: package.manifest_path.parent().unwrap().strip_prefix(&root).unwrap().to_string().replace('\\', "/"),
        needs: package
            .dependencies
            .iter()
            .map(|dependency| (dependency.name.clone(), dependency.kind == DependencyKind::Development))
            .collect(),
    };
    metadata.packages.iter().map(package).collect()
}

/// Every arrow between two crates of the workspace, a line each.
fn picture(crates: &[Crate]) -> String {
    let inside: BTreeSet<_> = crates.iter().map(|one| one.name.as_str()).collect();
    let mut lines = BTreeSet::new();
    for one in crates {
        for (need, for_tests) in one.needs.iter().filter(|(need, _)| inside.contains(need.as_str())) {
            lines.insert(format!("{} -> {need}{}", one.name, if *for_tests { " (tests)" } else { "" }));
        }
    }
    lines.into_iter().fold(String::new(), |mut text, line| {
        writeln!(text, "{line}").unwrap();
        text
    })
}

fn is_module(one: &Crate) -> bool {
    one.folder.starts_with("modules/")
}

/// Whether `from` may name `to`, both of this workspace.
fn legal(from: &Crate, to: &Crate, for_tests: bool) -> bool {
    if to.name == "system-tests" {
        return false;
    }
    if from.name == "system-tests" {
        return true;
    }
    if to.name == "sagactl" {
        return false;
    }
    if to.name == "saga-service" {
        return from.name == "sagactl";
    }
    if is_module(from) && is_module(to) {
        // In tests too: a module is tried without its neighbours, or it has an arrow to them.
        return from.name == "orchestration" || CROSS_CUTTING.contains(&to.name.as_str());
    }
    if is_module(from) {
        let kit = for_tests && to.name == "saga-testkit";
        return kit || ["saga-core", "events"].contains(&to.name.as_str());
    }
    if for_tests {
        return from.name != "saga-core";
    }
    match from.name.as_str() {
        "saga-core" => false,
        "saga-testkit" | "saga" => ["saga-core", "saga-engine"].contains(&to.name.as_str()),
        // The kit's store that kills its process stands behind a feature of its own.
        "saga-service" => true,
        "sagactl" => ["saga-core", "saga-admin"].contains(&to.name.as_str()),
        _ => to.name == "saga-core",
    }
}

/// Each forbidden arrow, as a sentence.
fn violations(crates: &[Crate]) -> Vec<String> {
    let mut found = Vec::new();
    for from in crates {
        for (need, for_tests) in &from.needs {
            let to = crates.iter().find(|one| one.name == *need);
            if to.is_some_and(|to| to.name != from.name && !legal(from, to, *for_tests)) {
                found.push(format!("{} must not name {need}", from.name));
            }
            let fence = FENCED.iter().find(|(outside, _)| outside == need);
            // The contract and the engine are tried on a runtime too; a module's tests need none.
            let law = *for_tests && ["saga-core", "saga-engine"].contains(&from.name.as_str()) && need == "tokio";
            if !law && fence.is_some_and(|(_, inside)| !inside.contains(&from.name.as_str())) {
                found.push(format!("{} must not name {need}", from.name));
            }
        }
    }
    found
}

/// Files of `sagactl` that name the composition root without being one of its hosts.
fn strangers(files: &[File]) -> Vec<String> {
    let host = |path: &str| HOSTS.iter().any(|host| path == format!("orchestrator/sagactl/src/{host}.rs"));
    let names = |file: &&File| file.path.starts_with("orchestrator/sagactl/src/") && file.text.contains("saga_service");
    files.iter().filter(names).filter(|file| !host(&file.path)).map(|file| file.path.clone()).collect()
}

#[test]
fn every_arrow_is_in_the_picture() {
    let path = tree::root().join("tests/it/graph.txt");
    let now = picture(&crates());
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &now).unwrap();
    }
    let drawn = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(drawn, now, "an arrow is new or gone: say why in DECISIONS.md, then run this with UPDATE=1");
}

#[test]
fn no_arrow_is_forbidden() {
    assert_eq!(violations(&crates()), Vec::<String>::new());
    assert_eq!(strangers(&tree::files("orchestrator/sagactl", ".rs")), Vec::<String>::new());
}

#[test]
fn a_forbidden_arrow_is_seen() {
    let one = |name: &str, folder: &str, needs: &[(&str, bool)]| Crate {
        name: name.to_owned(),
        folder: folder.to_owned(),
        needs: needs.iter().map(|(need, tests)| ((*need).to_owned(), *tests)).collect(),
    };
    let world = |bad: Crate| {
        let names = [
            ("saga-core", "orchestrator/saga-core"),
            ("saga-engine", "orchestrator/saga-engine"),
            ("saga-testkit", "orchestrator/saga-testkit"),
            ("saga", "orchestrator/saga"),
            ("saga-sqlite", "orchestrator/saga-sqlite"),
            ("saga-service", "orchestrator/saga-service"),
            ("saga-admin", "orchestrator/saga-admin"),
            ("sagactl", "orchestrator/sagactl"),
            ("events", "events"),
            ("qc", "modules/qc"),
            ("strategy", "modules/strategy"),
            ("identity", "modules/identity"),
            ("orchestration", "modules/orchestration"),
            ("system-tests", "tests"),
        ];
        let others = names.iter().filter(|(name, _)| *name != bad.name);
        let mut crates: Vec<_> = others.map(|(name, folder)| one(name, folder, &[])).collect();
        crates.push(bad);
        violations(&crates)
    };
    let red = [
        ("qc", "modules/qc", "strategy", false),
        ("qc", "modules/qc", "strategy", true),
        ("qc", "modules/qc", "orchestration", false),
        ("qc", "modules/qc", "saga", false),
        ("qc", "modules/qc", "tokio", true),
        ("qc", "modules/qc", "saga-engine", false),
        ("qc", "modules/qc", "saga-engine", true),
        ("qc", "modules/qc", "saga-testkit", false),
        ("qc", "modules/qc", "sqlx", false),
        ("orchestration", "modules/orchestration", "saga", false),
        ("orchestration", "modules/orchestration", "tokio", false),
        ("saga-core", "orchestrator/saga-core", "events", false),
        ("saga-core", "orchestrator/saga-core", "tokio", false),
        ("saga-core", "orchestrator/saga-core", "saga-engine", false),
        ("saga-engine", "orchestrator/saga-engine", "tokio", false),
        ("saga-engine", "orchestrator/saga-engine", "saga-testkit", false),
        ("saga-admin", "orchestrator/saga-admin", "saga-engine", false),
        ("saga-sqlite", "orchestrator/saga-sqlite", "saga-engine", false),
        ("saga-nats", "orchestrator/saga-nats", "saga-testkit", false),
        ("sagactl", "orchestrator/sagactl", "saga-engine", false),
        ("saga", "orchestrator/saga", "sqlx", false),
        ("saga-sqlite", "orchestrator/saga-sqlite", "async-nats", false),
        ("saga-sqlite", "orchestrator/saga-sqlite", "saga", false),
        ("saga-admin", "orchestrator/saga-admin", "saga-service", true),
        ("saga-service", "orchestrator/saga-service", "sagactl", false),
        ("sagactl", "orchestrator/sagactl", "qc", false),
        ("sagactl", "orchestrator/sagactl", "saga-sqlite", false),
        ("events", "events", "qc", false),
        ("saga", "orchestrator/saga", "system-tests", true),
    ];
    for (name, folder, need, tests) in red {
        let found = world(one(name, folder, &[(need, tests)]));
        assert_eq!(found, [format!("{name} must not name {need}")]);
    }
    let green = [
        ("qc", "modules/qc", "identity"),
        ("qc", "modules/qc", "events"),
        ("orchestration", "modules/orchestration", "qc"),
        ("saga-service", "orchestrator/saga-service", "qc"),
        ("sagactl", "orchestrator/sagactl", "saga-service"),
        ("system-tests", "tests", "saga-service"),
        ("system-tests", "tests", "sagactl"),
        ("saga-sqlite", "orchestrator/saga-sqlite", "sqlx"),
    ];
    for (name, folder, need) in green {
        assert_eq!(world(one(name, folder, &[(need, false)])), Vec::<String>::new(), "{name} -> {need}");
    }
}

#[test]
fn a_stranger_in_the_binary_is_seen() {
    let file = |name: &str| File::new(&format!("orchestrator/sagactl/src/{name}.rs"), "use saga_service::serve;");
    let files = [file("cmd/demo"), file("cmd/serve"), file("cmd/saga"), file("main")];
    assert_eq!(strangers(&files), ["orchestrator/sagactl/src/cmd/saga.rs", "orchestrator/sagactl/src/main.rs"]);
}

#[test]
fn a_new_arrow_changes_the_picture() {
    let mut crates = crates();
    let before = picture(&crates);
    let qc = crates.iter_mut().find(|one| one.name == "qc").unwrap();
    qc.needs.push(("strategy".to_owned(), false));
    assert_eq!(picture(&crates).lines().filter(|line| !before.contains(line)).collect::<Vec<_>>(), ["qc -> strategy"]);
}

/// Outside crates that bring chance, clocks, threads or sockets.
const IMPURE: [&str; 8] = ["fastrand", "getrandom", "iana-time-zone", "mio", "rand", "rand_core", "rustix", "tokio"];

/// The names of everything that a crate is built from, tests apart.
fn tree_of(name: &str) -> BTreeSet<String> {
    let mut cargo = std::process::Command::new(env!("CARGO"));
    cargo.current_dir(tree::root()).args([
        "tree",
        "--offline",
        "--edges",
        "normal",
        "--prefix",
        "none",
        "--package",
        name,
    ]);
    // A crate's own tree is asked for, whatever the caller has set about the workspace.
    let out = cargo.env_remove("CARGO_RESOLVER_FEATURE_UNIFICATION").output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let text = String::from_utf8(out.stdout).unwrap();
    text.lines().filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect()
}

#[test]
fn what_decides_is_built_from_nothing_that_draws_waits_or_connects() {
    let crates = crates();
    let pure = |one: &&Crate| is_module(one) || ["events", "saga-core", "saga-engine"].contains(&one.name.as_str());
    for one in crates.iter().filter(pure) {
        let tree = tree_of(&one.name);
        assert!(tree.contains("serde"), "{}: {tree:?}", one.name);
        let found: Vec<_> = IMPURE.iter().filter(|name| tree.contains(**name)).collect();
        assert!(found.is_empty(), "{} reaches {found:?}", one.name);
    }
    // The test can see one: the shell draws ids.
    assert!(tree_of("saga").contains("rand"));
}
