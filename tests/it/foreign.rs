//! Modules in other languages are contracts in files: what sagas ask of them is what their schemas take, and what they
//! answer is what we read.

use crate::tree;
use orchestration::api::foreign::{
    BookPickup, BookRefused, Booked, CancelPickup, CancelProof, PrintProof, PrintRefused, Printed, ports as foreign,
};
use saga_core::command::{Command, Common, Refusal};
use saga_core::definition::Performer;
use saga_core::id::StepKey;
use saga_core::module::Module;
use saga_core::port::Port;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use system_tests::compat::{self, Walk};
use system_tests::modules::modules;
use system_tests::ports::FOREIGN;
use system_tests::schemas;

/// The schemas of the foreign modules, by the path that each has as its `$id`.
fn theirs() -> BTreeMap<String, Value> {
    let mut found = BTreeMap::new();
    for (module, folder) in FOREIGN {
        for file in tree::files(&format!("tests/foreign/{folder}/schemas"), ".json") {
            let name = file.path.rsplit('/').next().unwrap();
            found.insert(format!("{module}/{name}"), serde_json::from_str(&file.text).unwrap());
        }
    }
    found
}

/// What breaks between what we ask and read, and what they read and answer.
fn faults(ports: &[Port], theirs: &BTreeMap<String, Value>) -> Vec<String> {
    let mut faults = Vec::new();
    for (path, ours) in ports.iter().map(schemas::of_port) {
        let Some(their) = theirs.get(&path) else {
            faults.push(format!("{path}: is asked, and the module has no schema of it"));
            continue;
        };
        let mut compare = |part: &str, walk: Walk| {
            let (ours, theirs) = (&ours["$defs"][part], &their["$defs"][part]);
            let found = compat::check(theirs, ours).into_iter().filter(|finding| finding.walk == walk);
            faults.extend(found.map(|finding| format!("{path}: {part}: at {}: {}", finding.pointer, finding.reason)));
        };
        compare("request", Walk::OldReaderNewData);
        compare("reply", Walk::NewReaderOldData);
        compare("refusal", Walk::NewReaderOldData);
        // A module may refuse what it does not know, so nothing is asked that it does not describe.
        for name in fields(&ours).difference(&fields(their)) {
            faults.push(format!("{path}: request: {name} is asked, and the module does not know it"));
        }
        if ours["x-undone-by"] != their["x-undone-by"] {
            faults.push(format!("{path}: is undone by {}, they say {}", ours["x-undone-by"], their["x-undone-by"]));
        }
    }
    faults
}
fn fields(document: &Value) -> BTreeSet<String> {
    let properties = document["$defs"]["request"]["properties"].as_object();
    properties.into_iter().flatten().map(|(name, _)| name.clone()).collect()
}

/// Commands that sagas send, and that neither a module here answers nor a port of a foreign one names.
fn unanswered(modules: &[Module], ports: &[Port]) -> Vec<String> {
    let here = modules
        .iter()
        .flat_map(|module| module.commands.keys().map(|(name, version)| format!("{}.{name}.v{version}", module.name)));
    let there = ports.iter().map(|port| format!("{}.{}.v{}", port.module, port.name, port.version));
    let answered: BTreeSet<String> = here.chain(there).collect();
    let steps = modules.iter().flat_map(|module| &module.sagas).flat_map(|saga| saga.steps());
    let mut unanswered = BTreeSet::new();
    for (_, step) in steps {
        let Performer::There { command, undo, .. } = &step.performer else { continue };
        let sent = [Some(command), undo.as_ref()].into_iter().flatten();
        unanswered.extend(sent.map(|name| format!("{}.{}.v{}", name.module, name.name, name.version)));
    }
    unanswered.into_iter().filter(|name| !answered.contains(name)).collect()
}

/// A command with one reply and one refusal of it, as they go over the wire, against the module's own schema.
fn sample<C: Command>(command: &C, reply: &C::Reply, refusal: &C::Refusal) -> Vec<String> {
    let path = format!("{}/{}.command.v{}.json", C::MODULE, C::NAME, C::VERSION);
    let schema = &theirs()[&path];
    let parts = [
        ("request", serde_json::to_value(command).unwrap()),
        ("reply", serde_json::to_value(reply).unwrap()),
        ("refusal", serde_json::to_value(refusal).unwrap()),
    ];
    assert_eq!(parts[2].1["code"], refusal.code());
    let wrong = parts.iter().filter(|(part, value)| !compat::is_valid(&schema["$defs"][part], value));
    wrong.map(|(part, value)| format!("{path}: {part}: {value} is not valid")).collect()
}

fn key() -> StepKey {
    serde_json::from_value(json!("16186ba0-2898-5056-b40c-57e8b483536f")).unwrap()
}
fn gone() -> Common {
    Common::NotFound { what: "proof 16186ba0".to_owned() }
}

#[test]
fn what_is_asked_of_foreign_modules_is_what_they_take() {
    assert_eq!(faults(&foreign(), &theirs()), Vec::<String>::new());
    let named: BTreeSet<&str> = foreign().iter().map(|port| port.module).collect();
    assert_eq!(named, FOREIGN.map(|(module, _)| module).into());
    let hosted = modules().iter().any(|module| named.contains(module.name));
    assert!(!hosted, "a module is here or elsewhere, not both");
}

#[test]
fn every_schema_of_a_foreign_module_is_one_and_names_itself() {
    let found = theirs();
    assert!(found.len() >= 10, "{:?}", found.keys());
    for (path, document) in found {
        assert_eq!(document["$id"], json!(path));
        compat::validator(&document).unwrap_or_else(|why| panic!("{path}: {why}"));
    }
}

#[test]
fn samples_are_valid_on_their_side() {
    let three = 3.try_into().unwrap();
    let print = PrintProof { copies: three, title: "Café menu".to_owned() };
    let book = BookPickup { address: "Quayside 4".to_owned(), parcels: three };
    let faults = [
        sample(&print, &Printed { proof: key() }, &PrintRefused::TooMany { max: 1000 }),
        sample(&CancelProof { proof: key() }, &(), &gone()),
        sample(&book, &Booked { pickup: key() }, &BookRefused::NoAddress),
        sample(&CancelPickup { pickup: key() }, &(), &gone()),
    ];
    assert_eq!(faults.concat(), Vec::<String>::new());
    let other = sample(&print, &Printed { proof: key() }, &PrintRefused::Common(Common::DeadlinePassed));
    assert_eq!(other, [r#"printshop/PrintProof.command.v1.json: refusal: {"code":"DEADLINE_PASSED"} is not valid"#]);
}

#[test]
fn every_command_of_a_saga_is_answered_by_somebody() {
    assert_eq!(unanswered(&modules(), &foreign()), Vec::<String>::new());
}

#[test]
fn a_command_that_nobody_answers_is_seen() {
    let mut fewer = foreign();
    fewer.retain(|port| port.name != "CancelPickup");
    assert_eq!(unanswered(&modules(), &fewer), ["courier.CancelPickup.v1"]);
    let mut deaf = modules();
    deaf.iter_mut().for_each(|module| drop(module.commands.remove(&("EvaluateContent", 1))));
    assert_eq!(unanswered(&deaf, &foreign()), ["qc.EvaluateContent.v1"]);
}

#[test]
fn a_contract_that_moved_beside_a_foreign_module_is_seen() {
    let path = "printshop/PrintProof.command.v1.json";
    let after = |change: &dyn Fn(&mut Value)| {
        let mut files = theirs();
        change(files.get_mut(path).unwrap());
        faults(&foreign(), &files)
    };
    let one = |faults: Vec<String>, words: &str| {
        assert!(faults.len() == 1 && faults[0].starts_with(path) && faults[0].contains(words), "{words}: {faults:?}");
    };
    one(
        after(&|file| file["$defs"]["request"]["properties"]["title"] = json!({"type": "integer"})),
        "request: at /title",
    );
    one(
        after(&|file| file["$defs"]["request"]["required"] = json!(["copies", "title", "paper"])),
        "request: at /paper",
    );
    one(
        after(&|file| drop(file["$defs"]["request"]["properties"].as_object_mut().unwrap().remove("title"))),
        "title is asked",
    );
    one(after(&|file| file["$defs"]["reply"]["required"] = json!([])), "reply: at /proof");
    one(after(&|file| file["$defs"]["refusal"]["properties"]["code"] = json!({"const": "FULL"})), "refusal: at");
    one(after(&|file| file["x-undone-by"] = json!("printshop/Burn.command.v1.json")), "is undone by");
    let mut files = theirs();
    files.remove(path);
    assert_eq!(faults(&foreign(), &files), [format!("{path}: is asked, and the module has no schema of it")]);
}
