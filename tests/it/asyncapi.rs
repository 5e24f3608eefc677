//! `schemas/asyncapi.json` is what the code would write, an AsyncAPI document, and points to things that exist.

use serde_json::Value;
use std::collections::BTreeSet;
use std::path::Path;
use system_tests::asyncapi;
use system_tests::schemas::{folder, text};

fn meta_schema() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/asyncapi/3.0.0.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// Every pointer in a document.
fn pointers(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            if let Some(to) = fields.get("$ref").and_then(Value::as_str) {
                found.insert(to.to_owned());
            }
            fields.values().for_each(|inner| pointers(inner, found));
        }
        Value::Array(items) => items.iter().for_each(|inner| pointers(inner, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Pointers that lead nowhere.
fn lost(document: &Value, base: &Path) -> Vec<String> {
    let mut found = BTreeSet::new();
    pointers(document, &mut found);
    let leads = |to: &String| match to.split_once('#') {
        Some(("", inside)) => document.pointer(inside).is_some(),
        Some((file, inside)) => read(&base.join(file)).is_some_and(|other| other.pointer(inside).is_some()),
        None => read(&base.join(to)).is_some(),
    };
    found.into_iter().filter(|to| !leads(to)).collect()
}
fn read(path: &Path) -> Option<Value> {
    serde_json::from_str(&std::fs::read_to_string(path).ok()?).ok()
}

#[test]
fn the_file_is_what_the_code_would_write() {
    if std::env::var_os("UPDATE").is_some() {
        asyncapi::publish().unwrap();
    }
    let written = std::fs::read_to_string(folder().join(asyncapi::FILE)).unwrap_or_default();
    assert!(written == text(&asyncapi::document()), "run `cargo house asyncapi` and look at what changed");
}

#[test]
fn it_is_an_asyncapi_document() {
    let validator = jsonschema::draft7::new(&meta_schema()).unwrap();
    let document = asyncapi::document();
    let faults: Vec<_> =
        validator.iter_errors(&document).map(|why| format!("{}: {why}", why.instance_path())).collect();
    assert_eq!(faults, Vec::<String>::new());
    let mut broken = document;
    broken["operations"]["strategy.doGenerateStrategy.v1"]["action"] = "obey".into();
    assert!(!validator.is_valid(&broken));
}

#[test]
fn everything_it_points_to_exists() {
    let document = asyncapi::document();
    assert_eq!(lost(&document, &folder()), Vec::<String>::new());
    let broken = serde_json::json!({"a": {"$ref": "#/b"}, "c": [{"$ref": "./qc/Gone.v1.json"}, {"$ref": "#/a"}]});
    assert_eq!(lost(&broken, &folder()), ["#/b", "./qc/Gone.v1.json"]);
}

#[test]
fn every_shape_has_its_channel_and_every_channel_its_shape() {
    let document = asyncapi::document();
    let channels = document["channels"].as_object().unwrap();
    let events = events::catalogue();
    let ports = system_tests::ports::ports();
    for entry in &events {
        assert!(channels.contains_key(&format!("{}.{}.v{}", entry.owner, entry.name, entry.version)));
    }
    // Replies, answers, outside, dead letters and the log belong to nobody alone.
    assert_eq!(channels.len(), events.len() + ports.len() + 5);
    let newest = events.iter().filter(|entry| entry.is_newest()).count();
    assert_eq!(document["operations"].as_object().unwrap().len(), newest + ports.len() + 1);
}
