//! Every event that was ever written can be read for ever: golden samples, the vectors of the specification, and random
//! events of every version become events of the newest version, and those are of its shape.

use crate::tree;
use events::Entry;
use proptest::prelude::any;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use saga_core::event::{DecodeError, Origin};
use saga_core::id::EventId;
use saga_core::json::Payload;
use saga_core::time::Timestamp;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::LazyLock;
use system_tests::{compat, schemas};
use uuid::Uuid;

/// Of each version of each event: enough to take every branch of every schema, and a few seconds in all.
const CASES: u32 = 256;

fn origin() -> Origin {
    Origin { id: EventId(Uuid::from_u128(7)), recorded_at: Timestamp::parse("2025-12-13T12:00:00Z").unwrap() }
}

/// The published schema of one version.
fn schema(entry: &Entry, version: u16) -> Value {
    static ALL: LazyLock<schemas::Documents> = LazyLock::new(schemas::generate);
    let path = format!("{}/{}.v{version}.json", entry.owner, entry.name);
    ALL.get(&path).cloned().unwrap_or_else(|| panic!("{path} is not generated"))
}
fn newest(entry: &Entry) -> u16 {
    entry.story.iter().find(|(name, _)| *name == entry.name).unwrap().1
}
fn validator(entry: &Entry, version: u16) -> jsonschema::Validator {
    compat::validator(&schema(entry, version)).unwrap()
}

/// One event of one version, read and brought up to date: what is wrong with the outcome.
fn read_fault(entry: &Entry, latest: &jsonschema::Validator, event: &Value) -> Option<String> {
    let told = |what: &str| Some(format!("{} v{}: {what}: {event}", entry.name, entry.version));
    match (entry.decode)(entry.version, &Payload::of(event).unwrap(), &origin()) {
        Err(why) => told(&why.to_string()),
        Ok(read) => latest.validate(&read).err().and_then(|why| told(&format!("becomes {read}: {why}"))),
    }
}

/// What is wrong with golden samples, given as texts by path.
fn sample_faults(files: &BTreeMap<String, String>, catalogue: &[Entry]) -> Vec<String> {
    let mut faults = Vec::new();
    for (path, text) in files {
        let Some(base) = path.strip_suffix(".example.json") else { continue };
        let named = |entry: &&Entry| format!("{}/{}.v{}", entry.owner, entry.name, entry.version) == base;
        let Some(entry) = catalogue.iter().find(named) else {
            faults.push(format!("{path}: nobody reads it"));
            continue;
        };
        let sample: Value = serde_json::from_str(text).unwrap();
        if !validator(entry, entry.version).is_valid(&sample) {
            faults.push(format!("{path}: is not of its own shape"));
        }
        faults.extend(read_fault(entry, &validator(entry, newest(entry)), &sample));
    }
    faults
}

/// Versions that nothing leads to from the one before, and what breaks between the two.
fn growth_faults(catalogue: &[Entry]) -> Vec<String> {
    let mut faults = Vec::new();
    for new in catalogue.iter().filter(|entry| entry.version > 1) {
        let before =
            |entry: &&Entry| (entry.owner, entry.name, entry.version + 1) == (new.owner, new.name, new.version);
        let Some(old) = catalogue.iter().find(before) else {
            faults.push(format!("{} v{} has no version before it", new.name, new.version));
            continue;
        };
        let sample = Payload::of(&(old.example)()).unwrap();
        if matches!((new.decode)(old.version, &sample, &origin()), Err(DecodeError::NoSuchVersion { .. })) {
            let found = compat::check(&schema(old, old.version), &schema(new, new.version));
            faults.extend(found.iter().map(|finding| format!("{} v{}: {finding}", new.name, new.version)));
        }
    }
    faults
}

fn entry(name: &str, version: u16) -> Entry {
    events::catalogue().into_iter().find(|entry| entry.name == name && entry.version == version).unwrap()
}

#[test]
fn every_golden_sample_is_read_for_ever() {
    let files = schemas::Published::read(&schemas::folder()).unwrap().files;
    assert_eq!(sample_faults(&files, &events::catalogue()), Vec::<String>::new());
    let samples = files.keys().filter(|path| path.ends_with(".example.json")).count();
    assert!(samples >= events::catalogue().len());
}

#[test]
fn a_sample_that_cannot_be_read_is_seen() {
    let faults = |path: &str, sample: Value| {
        let files = [(path.to_owned(), sample.to_string())].into_iter().collect();
        sample_faults(&files, &events::catalogue())
    };
    let path = "qc/QcPassed.v1.example.json";
    let mut sample = (entry("QcPassed", 1).example)();
    assert_eq!(faults(path, sample.clone()), Vec::<String>::new());
    sample["unknown"] = json!(1);
    assert_eq!(faults(path, sample.clone()), [format!("{path}: is not of its own shape")]);
    sample["score"] = json!("good");
    assert_eq!(faults(path, sample).len(), 2);
    assert_eq!(faults("qc/Sung.v1.example.json", json!({})), ["qc/Sung.v1.example.json: nobody reads it"]);
}

#[test]
fn every_version_grows_out_of_the_one_before() {
    assert_eq!(growth_faults(&events::catalogue()), Vec::<String>::new());
}

#[test]
fn a_version_without_an_upcast_is_seen() {
    let orphan = Entry { decode: |version, _, _| Err(DecodeError::NoSuchVersion { version }), ..entry("QcPassed", 2) };
    let faults = growth_faults(&[entry("QcPassed", 1), orphan]);
    assert!(faults.iter().any(|fault| fault.contains("new reader, old data: at /subject")), "{faults:?}");
    assert!(faults.iter().any(|fault| fault.contains("old reader, new data: at /draft_id")), "{faults:?}");
    assert_eq!(growth_faults(&[entry("QcPassed", 2)]), ["QcPassed v2 has no version before it"]);
}

/// The specification writes ids as `a-1`; ours are UUIDs. The same short id becomes the same UUID everywhere.
fn with_ids(value: &Value) -> Value {
    match value {
        Value::String(text) => match text.split_once('-') {
            Some((kind, number)) if kind.len() == 1 && number.bytes().all(|byte| byte.is_ascii_digit()) => {
                json!(Uuid::new_v5(&Uuid::NAMESPACE_OID, text.as_bytes()))
            }
            _ => value.clone(),
        },
        Value::Array(items) => items.iter().map(with_ids).collect(),
        Value::Object(fields) => fields.iter().map(|(name, inner)| (name.clone(), with_ids(inner))).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
    }
}

#[test]
fn the_vectors_of_the_specification_hold() {
    let vectors = std::fs::read_to_string(tree::root().join("tests/data/upcasts.json")).unwrap();
    let vectors: Value = serde_json::from_str(&vectors).unwrap();
    let mut held = 0;
    for case in vectors["cases"].as_array().unwrap() {
        let event = case["event"].as_str().unwrap();
        let from = u16::try_from(case["from"].as_u64().unwrap()).unwrap();
        let named = |entry: &&Entry| format!("{}.{}", entry.owner, entry.name) == event && entry.version == from;
        let Some(entry) = events::catalogue().iter().find(named).copied() else { continue };
        let old = Payload::of(&with_ids(&case["v1"])).unwrap();
        let new = (entry.decode)(from, &old, &origin()).unwrap();
        assert_eq!(new, with_ids(&case["v2"]), "{}", case["id"]);
        assert_eq!(u64::from(newest(&entry)), case["to"].as_u64().unwrap());
        held += 1;
    }
    let known = |case: &&Value| {
        let owner = case["event"].as_str().unwrap().split('.').next().unwrap().to_owned();
        events::catalogue().iter().any(|entry| entry.owner == owner)
    };
    assert_eq!(held, vectors["cases"].as_array().unwrap().iter().filter(known).count());
    assert!(held >= 8);
}

/// Chance as data, so that a failure shrinks: each choice takes the next number.
struct Tape<'a>(std::slice::Iter<'a, u32>);

impl Tape<'_> {
    fn next(&mut self) -> u32 {
        self.0.next().copied().unwrap_or(0)
    }
    fn below(&mut self, count: usize) -> usize {
        self.next() as usize % count.max(1)
    }
}

const TEXTS: [&str; 7] = ["", "x", "月曜日を取り戻す", "zwei\nZeilen", "\u{202e}rtl \"quoted\" \\", "0.5", "🧵👩‍👩‍👧"];
const SCORES: [&str; 5] = ["0", "1.00", "0.845", "0.", "0.000000000000000000000000000001"];

/// A value of a schema: some fields as in the sample, the others by chance.
fn varied(whole: &Value, schema: &Value, sample: Option<&Value>, tape: &mut Tape<'_>) -> Value {
    if let Some(pointer) = schema.get("$ref").and_then(Value::as_str) {
        return varied(whole, whole.pointer(pointer.trim_start_matches('#')).unwrap(), sample, tape);
    }
    if let Some(value) = schema.get("const") {
        return value.clone();
    }
    if let Some(values) = schema.get("enum").and_then(Value::as_array) {
        return values[tape.below(values.len())].clone();
    }
    if let Some(list) = schema.get("anyOf").or_else(|| schema.get("oneOf")).and_then(Value::as_array) {
        return varied(whole, &list[tape.below(list.len())], None, tape);
    }
    let kind = match &schema["type"] {
        Value::Array(kinds) => kinds[tape.below(kinds.len())].as_str().unwrap(),
        kind => kind.as_str().unwrap_or("anything"),
    };
    if let Some(sample) = sample
        && !["object", "array"].contains(&kind)
        && tape.below(2) == 0
    {
        return sample.clone();
    }
    match kind {
        "object" => varied_fields(whole, schema, sample, tape),
        "array" => {
            let count = tape.below(4);
            let of = |index: usize| sample.and_then(|sample| sample.get(index));
            (0..count).map(|index| varied(whole, &schema["items"], of(index), tape)).collect()
        }
        "string" => varied_text(schema, tape),
        "integer" => {
            let widest = match schema["format"].as_str() {
                Some("uint8") => u64::from(u8::MAX),
                Some("uint16") => u64::from(u16::MAX),
                Some("uint32") => u64::from(u32::MAX),
                _ => i64::MAX as u64,
            };
            let at_edges = [0, 1, 999, widest - 1, widest];
            json!(at_edges[tape.below(at_edges.len())])
        }
        "boolean" => json!(tape.below(2) == 1),
        "anything" => json!({"kept": [tape.next(), null_or(tape)]}),
        _ => Value::Null,
    }
}
fn null_or(tape: &mut Tape<'_>) -> Value {
    if tape.below(2) == 0 { Value::Null } else { json!(TEXTS[tape.below(TEXTS.len())]) }
}
fn varied_fields(whole: &Value, schema: &Value, sample: Option<&Value>, tape: &mut Tape<'_>) -> Value {
    let required: Vec<_> = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let mut fields = Map::new();
    for (name, part) in schema["properties"].as_object().into_iter().flatten() {
        if required.contains(&name.as_str()) || tape.below(2) == 1 {
            let sample = sample.and_then(|sample| sample.get(name));
            fields.insert(name.clone(), varied(whole, part, sample, tape));
        }
    }
    let others = schema.get("additionalProperties").filter(|others| **others != json!(false));
    for name in TEXTS.iter().take(others.map_or(0, |_| tape.below(3))) {
        fields.insert((*name).to_owned(), varied(whole, others.unwrap(), None, tape));
    }
    Value::Object(fields)
}
fn varied_text(schema: &Value, tape: &mut Tape<'_>) -> Value {
    let number = tape.next();
    match schema["format"].as_str() {
        Some("uuid") => json!(Uuid::from_u128(u128::from(number) << 64)),
        Some("date-time") => json!(Timestamp(i64::from(number) * 1_000_003)),
        _ if schema.get("pattern").is_some() => json!(SCORES[tape.below(SCORES.len())]),
        _ => json!(TEXTS[tape.below(TEXTS.len())]),
    }
}

/// Runs random events of one version through the upcasts.
fn survive(entry: &Entry) -> Result<(), String> {
    let own = schema(entry, entry.version);
    let (mine, latest) = (validator(entry, entry.version), validator(entry, newest(entry)));
    let sample = (entry.example)();
    let mut runner = TestRunner::new(Config { cases: CASES, failure_persistence: None, ..Config::default() });
    let tapes = proptest::collection::vec(any::<u32>(), 0..96);
    let outcome = runner.run(&tapes, |tape| {
        let event = varied(&own, &own, Some(&sample), &mut Tape(tape.iter()));
        if let Err(why) = mine.validate(&event) {
            return Err(TestCaseError::fail(format!("not of its own shape: {event}: {why}")));
        }
        read_fault(entry, &latest, &event).map_or(Ok(()), |fault| Err(TestCaseError::fail(fault)))
    });
    outcome.map_err(|why| why.to_string())
}

#[test]
fn random_events_of_every_version_become_events_of_the_newest() {
    let faults: Vec<_> = events::catalogue().iter().filter_map(|entry| survive(entry).err()).collect();
    assert_eq!(faults, Vec::<String>::new());
}

#[test]
fn an_upcast_that_makes_another_shape_is_seen() {
    let wrong = Entry { decode: |_, _, _| Ok(json!({"score": "many"})), ..entry("QcPassed", 1) };
    assert!(survive(&wrong).unwrap_err().contains("QcPassed v1: becomes"));
    // This one is wrong for some events only: the tape has to find them.
    let sometimes = Entry {
        decode: |version, data, origin| {
            let read: Value = data.read().unwrap();
            match read["score"].as_str() {
                Some("0.845") => Err(DecodeError::NoSuchVersion { version }),
                _ => (entry("QcPassed", 1).decode)(version, data, origin),
            }
        },
        ..entry("QcPassed", 1)
    };
    assert!(survive(&sometimes).unwrap_err().contains("0.845"));
}
