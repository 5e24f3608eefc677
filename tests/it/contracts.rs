//! Every port has a handler, every deed can be taken back by its own module, and no contract changes unnoticed.

use crate::tree::{self, File};
use saga_core::module::Module;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use system_tests::modules::modules;
use system_tests::ports::{Answer, Port, foreign, ports};
use system_tests::schemas;

/// What is wrong between the ports that are declared and the routes that are built.
fn port_faults(modules: &[Module], ports: &[Port]) -> Vec<String> {
    let mut faults = Vec::new();
    let routes: BTreeSet<_> = modules.iter().flat_map(routes).collect();
    let told: BTreeSet<_> = ports.iter().map(|port| (port.module, port.kind(), port.name, port.version)).collect();
    for (module, kind, name, version) in told.difference(&routes) {
        faults.push(format!("{module}: the {kind} {name}.v{version} has no handler"));
    }
    for (module, kind, name, version) in routes.difference(&told) {
        faults.push(format!("{module}: the {kind} {name}.v{version} is not listed in tests/src/ports.rs"));
    }
    for port in ports {
        let Answer::Deed { undo: Some((module, name, version)), .. } = &port.answer else { continue };
        if *module != port.module {
            faults.push(format!("{}: {} is undone by another module, {module}", port.module, port.name));
        } else if !routes.contains(&(*module, "command", *name, *version)) {
            faults.push(format!("{module}: {} is undone by {name}.v{version}, which has no handler", port.name));
        }
    }
    faults
}

fn routes(module: &Module) -> Vec<(&'static str, &'static str, &'static str, u16)> {
    let commands = module.commands.keys().map(|(name, version)| (module.name, "command", *name, *version));
    let queries = module.queries.keys().map(|(name, version)| (module.name, "query", *name, *version));
    commands.chain(queries).collect()
}

/// The requests that a module's api declares, by the marks that all ways of declaring one have in common.
fn declared(files: &[File]) -> BTreeSet<String> {
    let marks = ["impl Command for ", "impl Query for ", "impl Compensable for "];
    let lines = files.iter().filter(|file| file.path.contains("/src/api/")).flat_map(|file| file.text.lines());
    let name = |line: &str| {
        // `port!(OWNER: Request -> …)`
        let of_macro = || line.strip_prefix("port!(")?.split_once(": ").map(|(_, rest)| rest);
        let rest = marks.iter().find_map(|mark| line.strip_prefix(mark)).or_else(of_macro)?;
        let name: String = rest.chars().take_while(char::is_ascii_alphanumeric).collect();
        (!name.is_empty()).then_some(name)
    };
    lines.filter_map(name).collect()
}

/// Requests in the sources whose type no port is made of.
fn unlisted(files: &[File], listing: &str) -> Vec<String> {
    let listed: BTreeSet<&str> = listing.split(|c: char| !c.is_ascii_alphanumeric()).collect();
    declared(files).into_iter().filter(|name| !listed.contains(name.as_str())).collect()
}

/// A module's contract version, and the digest over all that it publishes.
type Contracts = BTreeMap<String, (String, String)>;

fn contracts(modules: &[Module], documents: &schemas::Documents) -> Contracts {
    let line = |module: &Module| {
        (module.name.to_owned(), (module.contract.to_owned(), schemas::digest(documents, module.name)))
    };
    modules.iter().map(line).collect()
}

fn written(contracts: &Contracts) -> String {
    contracts.iter().fold(String::new(), |mut text, (module, (version, digest))| {
        writeln!(text, "{module} {version} {digest}").unwrap();
        text
    })
}
fn read(text: &str) -> Contracts {
    let line = |line: &str| {
        let mut words = line.split(' ').map(str::to_owned);
        Some((words.next()?, (words.next()?, words.next()?)))
    };
    text.lines().filter_map(line).collect()
}

/// Contracts that moved without their schemas, or the reverse.
fn contract_faults(before: &Contracts, now: &Contracts) -> Vec<String> {
    let mut faults = Vec::new();
    for (module, (version, digest)) in now {
        let Some((old_version, old_digest)) = before.get(module) else { continue };
        match (version == old_version, digest == old_digest) {
            (true, false) => faults.push(format!("{module}: its shapes changed, its contract is still {version}")),
            (false, true) => faults.push(format!("{module}: contract {version} has the shapes of {old_version}")),
            (true, true) | (false, false) => {}
        }
    }
    faults
}

#[test]
fn every_port_has_a_handler_and_every_deed_an_undo() {
    assert_eq!(port_faults(&modules(), &ports()), Vec::<String>::new());
}

#[test]
fn every_request_of_the_sources_is_listed() {
    let listing = std::fs::read_to_string(tree::root().join("tests/src/ports.rs")).unwrap();
    assert_eq!(unlisted(&tree::files("modules", ".rs"), &listing), Vec::<String>::new());
    let folders = tree::files("modules", "/src/api/ports.rs").len();
    assert!(
        folders <= modules().len(),
        "{folders} modules have ports, {} are in tests/src/modules.rs",
        modules().len()
    );
}

#[test]
fn contracts_move_with_their_shapes() {
    let path = tree::root().join("tests/it/contracts.txt");
    let now = contracts(&modules(), &schemas::generate());
    let before = read(&std::fs::read_to_string(&path).unwrap_or_default());
    assert_eq!(contract_faults(&before, &now), Vec::<String>::new(), "move CONTRACT in the module's lib.rs");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, written(&now)).unwrap();
    }
    let drawn = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(drawn, written(&now), "a contract moved: run this with UPDATE=1");
}

#[test]
fn a_port_without_a_handler_is_seen() {
    let without = |name: &'static str| {
        let mut modules = modules();
        modules.iter_mut().for_each(|module| drop(module.commands.remove(&(name, 1))));
        port_faults(&modules, &ports())
    };
    assert_eq!(without("WaiveQc"), ["qc: the command WaiveQc.v1 has no handler"]);
    assert_eq!(
        without("VoidQcResult"),
        [
            "qc: the command VoidQcResult.v1 has no handler",
            "qc: EvaluateContent is undone by VoidQcResult.v1, which has no handler",
            "qc: WaiveQc is undone by VoidQcResult.v1, which has no handler",
        ]
    );
    let mut modules = modules();
    modules.iter_mut().for_each(|module| drop(module.queries.remove(&("Failing", 1))));
    assert_eq!(port_faults(&modules, &ports()), ["qc: the query Failing.v1 has no handler"]);
}

#[test]
fn a_handler_without_a_port_and_an_undo_of_a_stranger_are_seen() {
    let mut fewer = ports();
    fewer.retain(|port| port.name != "WaiveQc");
    assert_eq!(port_faults(&modules(), &fewer), ["qc: the command WaiveQc.v1 is not listed in tests/src/ports.rs"]);
    let mut strange = ports();
    for port in strange.iter_mut().filter(|port| port.name == "WaiveQc") {
        if let Answer::Deed { undo, .. } = &mut port.answer {
            *undo = Some(("strategy", "DiscardStrategy", 1));
        }
    }
    assert_eq!(port_faults(&modules(), &strange), ["qc: WaiveQc is undone by another module, strategy"]);
}

#[test]
fn the_compiler_tells_deeds_that_can_be_undone_from_others() {
    let undone = |name: &str| match ports().into_iter().find(|port| port.name == name).unwrap().answer {
        Answer::Deed { undo, .. } => undo,
        Answer::Finding(_) => None,
    };
    assert_eq!(undone("EvaluateContent"), Some(("qc", "VoidQcResult", 1)));
    assert_eq!(undone("VoidQcResult"), None);
    let own = ports().iter().filter(|port| undone(port.name).is_some()).count();
    let of_others = foreign().iter().filter(|port| matches!(port.answer, Answer::Deed { undo: Some(_), .. })).count();
    let files = tree::files("modules", ".rs");
    let impls =
        files.iter().flat_map(|file| file.text.lines()).filter(|line| line.starts_with("impl Compensable for "));
    assert_eq!(own + of_others, impls.count());
}

#[test]
fn an_unlisted_request_is_seen() {
    let file = |path: &str| {
        let text = "impl Command for Sing {\n    x\n}\nport!(MODULE: Dance ? u8);\nport!(CHOIR: Hum -> (), Common);\n        \
                    impl Query for $name {";
        File::new(path, text)
    };
    let listing = "qc { commands: Dance; queries: Result; }";
    assert_eq!(unlisted(&[file("modules/qc/src/api/ports.rs")], listing), ["Hum", "Sing"]);
    assert_eq!(unlisted(&[file("modules/qc/src/tests.rs")], listing), Vec::<String>::new());
}

#[test]
fn a_contract_that_moves_alone_is_seen() {
    let one = |version: &str, digest: &str| read(&format!("qc {version} {digest}\n"));
    let cases = [
        (one("1.0", "a"), 0),
        (one("1.1", "b"), 0),
        (one("1.0", "b"), 1),
        (one("1.1", "a"), 1),
        (read("strategy 1.0 c"), 0),
    ];
    for (now, faults) in cases {
        assert_eq!(contract_faults(&one("1.0", "a"), &now).len(), faults, "{now:?}");
    }
    let mut documents = schemas::generate();
    let before = contracts(&modules(), &documents);
    documents.get_mut("qc/QcWaived.v1.json").unwrap()["required"] = serde_json::json!([]);
    documents.get_mut("qc/QcPassed.v2.json").unwrap()["description"] = serde_json::json!("better words");
    let now = contracts(&modules(), &documents);
    assert_eq!(contract_faults(&before, &now), ["qc: its shapes changed, its contract is still 1.0"]);
}
