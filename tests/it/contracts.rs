//! Every port has a handler, every deed can be taken back by its own module, and no contract changes unnoticed.

use crate::tree::{self, File};
use orchestration::api::foreign;
use saga_core::command::Command;
use saga_core::module::Module;
use saga_core::port::{Answer, Port, Shape};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use system_tests::modules::modules;
use system_tests::schemas;

/// What is wrong with the ports of the modules: a request of another module, a form that nobody knows, an undo that is not
/// answered where the deed is.
fn port_faults(modules: &[Module]) -> Vec<String> {
    let mut faults = Vec::new();
    for module in modules {
        for port in module.ports() {
            let (name, kind) = (port.name, port.kind());
            if port.module != module.name {
                faults.push(format!("{}: answers {name}, a {kind} of {}", module.name, port.module));
            }
            if shapes(port).iter().any(|shape| shape.schema().is_none()) {
                faults.push(format!("{}: the {kind} {name} has no schema; `port!` declares it with one", module.name));
            }
            let Some((owner, undo, version)) = port.undo() else { continue };
            if owner != module.name {
                faults.push(format!("{}: {name} is undone by another module, {owner}", module.name));
            } else if !module.commands.contains_key(&(undo, version)) {
                faults.push(format!("{owner}: {name} is undone by {undo}.v{version}, which has no handler"));
            }
        }
    }
    faults
}
fn shapes(port: &Port) -> Vec<Shape> {
    match port.answer {
        Answer::Deed { reply, refusal, .. } => vec![port.request, reply, refusal],
        Answer::Finding(answer) => vec![port.request, answer],
    }
}

/// The requests that a module's api declares, with the name of the module's folder and the mark of the declaration.
fn declared(files: &[File]) -> BTreeSet<(String, &str)> {
    let mut found = BTreeSet::new();
    for file in files {
        let Some((module, _)) = file.path.strip_prefix("modules/").and_then(|path| path.split_once("/src/api/")) else {
            continue;
        };
        found.extend(file.text.lines().filter_map(name_declared).map(|name| (module.to_owned(), name)));
    }
    found
}
/// `port!(OWNER: Request -> …)` or `port!(OWNER: Request as "Name" ? …)`; by hand, the type.
fn name_declared(line: &str) -> Option<&str> {
    let by_hand = ["impl Command for ", "impl Query for "].iter().find_map(|mark| line.strip_prefix(mark));
    let by_macro = || line.strip_prefix("port!(")?.split_once(": ").map(|(_, rest)| rest);
    let rest = by_hand.or_else(by_macro)?;
    let mut words = rest.split(' ');
    let (name, renamed) = (words.next()?, words.next() == Some("as"));
    if renamed { words.next().map(|name| name.trim_matches('"')) } else { Some(name) }
}

/// Requests that the sources declare and no handler answers, here or elsewhere.
fn unanswered(files: &[File], modules: &[Module], elsewhere: &[Port]) -> Vec<String> {
    let answered = |module: &str, name: &str| {
        let here = modules.iter().filter(|one| one.name == module).flat_map(Module::ports);
        here.chain(elsewhere).any(|port| port.name == name)
    };
    let open = declared(files).into_iter().filter(|(module, name)| !answered(module, name));
    open.map(|(module, name)| format!("{module}: {name} is declared and has no handler")).collect()
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
fn every_port_is_of_its_module_and_every_deed_has_an_undo() {
    assert_eq!(port_faults(&modules()), Vec::<String>::new());
}

#[test]
fn every_request_of_the_sources_has_a_handler() {
    let files = tree::files("modules", ".rs");
    assert_eq!(unanswered(&files, &modules(), &foreign::ports()), Vec::<String>::new());
    let (here, elsewhere) = (modules().iter().flat_map(Module::ports).count(), foreign::ports().len());
    assert_eq!(declared(&files).len(), here + elsewhere, "a handler answers what its api does not declare");
}

#[test]
fn contracts_move_with_their_shapes() {
    let path = tree::root().join(schemas::CONTRACTS);
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
    let files = tree::files("modules/qc", ".rs");
    let without = |name: &'static str| {
        let mut modules = modules();
        for module in &mut modules {
            module.commands.remove(&(name, 1));
            module.queries.remove(&(name, 1));
        }
        [unanswered(&files, &modules, &[]), port_faults(&modules)].concat()
    };
    assert_eq!(without("WaiveQc"), ["qc: WaiveQc is declared and has no handler"]);
    assert_eq!(without("Failing"), ["qc: Failing is declared and has no handler"]);
    assert_eq!(
        without("VoidQcResult"),
        [
            "qc: VoidQcResult is declared and has no handler",
            "qc: EvaluateContent is undone by VoidQcResult.v1, which has no handler",
            "qc: WaiveQc is undone by VoidQcResult.v1, which has no handler",
        ]
    );
}

#[test]
fn a_stranger_a_missing_form_and_an_undo_elsewhere_are_seen() {
    let changed = |change: &dyn Fn(&mut Port)| {
        let mut modules = modules();
        let qc = modules.iter_mut().find(|module| module.name == "qc").unwrap();
        change(&mut qc.commands.get_mut(&("WaiveQc", 1)).unwrap().port);
        port_faults(&modules)
    };
    assert_eq!(changed(&|port| port.module = "strategy"), ["qc: answers WaiveQc, a command of strategy"]);
    let unknown = "qc: the command WaiveQc has no schema; `port!` declares it with one";
    assert_eq!(changed(&|port| port.request = Shape::default()), [unknown]);
    let elsewhere = Some(("strategy", "DiscardStrategy", 1));
    let moved = changed(&|port| {
        if let Answer::Deed { undo, .. } = &mut port.answer {
            *undo = elsewhere;
        }
    });
    assert_eq!(moved, ["qc: WaiveQc is undone by another module, strategy"]);
}

#[test]
fn a_port_knows_its_undo() {
    use qc::api::commands::{EvaluateContent, VoidQcResult};
    assert_eq!(EvaluateContent::port().undo(), Some(("qc", "VoidQcResult", 1)));
    assert_eq!(VoidQcResult::port().undo(), None);
}

#[test]
fn every_way_of_declaring_a_request_is_seen() {
    let text = "impl Command for Sing {\n    x\n}\nport!(MODULE: Dance ? u8);\nport!(CHOIR: HumNow as \"Hum\" -> (), Common);\n        \
                impl Query for $name {";
    let of = |path: &str| unanswered(&[File::new(path, text)], &modules(), &[]);
    let open = ["Dance", "Hum", "Sing"].map(|name| format!("qc: {name} is declared and has no handler"));
    assert_eq!(of("modules/qc/src/api/commands.rs"), open);
    assert_eq!(of("modules/qc/src/tests.rs"), Vec::<String>::new());
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
