//! The folder `schemas/` is what the code publishes, and nothing in it ever changed.

use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use system_tests::compat;
use system_tests::schemas::{self, Documents, LOCK, Published};

fn found() -> Published {
    Published::read(&schemas::folder()).unwrap()
}

/// A folder that was published from these documents.
fn published(documents: &Documents) -> Published {
    let mut files = Published::default().additions(documents);
    let lock = serde_json::from_str(&files.remove(LOCK).unwrap()).unwrap();
    Published { files, lock }
}
fn few() -> Documents {
    let mut all = schemas::generate();
    all.retain(|path, _| path.starts_with("qc/"));
    all
}
/// What is wrong after something was done to a published folder or to the code.
fn after(change: impl FnOnce(&mut Published, &mut Documents)) -> Vec<String> {
    let mut documents = few();
    let mut folder = published(&documents);
    change(&mut folder, &mut documents);
    folder.faults(&documents)
}

#[test]
fn the_folder_is_what_the_code_publishes() {
    let (found, generated) = (found(), schemas::generate());
    assert_eq!(found.faults(&generated), Vec::<String>::new());
    let new: Vec<_> = found.additions(&generated).into_keys().collect();
    assert_eq!(new, Vec::<String>::new(), "run `cargo house schemas` and look at what it adds");
}

#[test]
fn every_document_is_a_schema_of_its_own_name() {
    for (path, document) in schemas::generate().iter().filter(|(path, _)| !path.ends_with(".example.json")) {
        assert_eq!(document["$id"], json!(path));
        compat::validator(document).unwrap_or_else(|why| panic!("{path}: {why}"));
        assert!(jsonschema::meta::is_valid(document), "{path} is not of the 2020-12 dialect");
        assert!(document["title"].is_string());
    }
}

#[test]
fn a_port_can_be_referred_to_by_its_parts() {
    let document = &schemas::generate()["qc/WaiveQc.command.v1.json"];
    let id = "00000000-0000-7000-8000-000000000001";
    assert!(compat::is_valid(document, &json!({"result_id": id, "reason": "agreed"})));
    assert!(!compat::is_valid(document, &json!({"result_id": id})));
    let refusal = &document["$defs"]["refusal"];
    assert!(compat::is_valid(refusal, &json!({"code": "BLOCKER_FAILED", "check": "not_empty"})));
    assert!(compat::is_valid(refusal, &json!({"code": "NOT_FOUND", "what": "result q-1"})));
    assert!(!compat::is_valid(refusal, &json!({"code": "NOT_FOUND"})));
    assert_eq!(document["x-undone-by"], "qc/VoidQcResult.command.v1.json");
}

#[test]
fn writers_are_closed_and_readers_are_open() {
    let written = &schemas::generate()["qc/QcWaived.v1.json"];
    let mut sample = schemas::generate()["qc/QcWaived.v1.example.json"].clone();
    assert!(compat::is_valid(written, &sample));
    sample["subject"]["from_a_newer_writer"] = json!(1);
    assert!(!compat::is_valid(written, &sample));
    assert!(compat::is_valid(&compat::reader_of(written), &sample));
}

#[test]
fn a_published_folder_is_quiet_and_words_may_be_put_better() {
    assert_eq!(after(|_, _| ()), Vec::<String>::new());
    let better = after(|_, code| code.get_mut("qc/QcWaived.v1.json").unwrap()["description"] = json!("better words"));
    assert_eq!(better, Vec::<String>::new());
}

#[test]
fn whatever_happens_to_a_published_file_is_seen() {
    let path = "qc/QcWaived.v1.json";
    let red = |faults: Vec<String>, words: &str| {
        assert!(faults.len() == 1 && faults[0].starts_with(path) && faults[0].contains(words), "{words}: {faults:?}");
    };
    red(after(|folder, _| drop(folder.files.remove(path))), "is gone");
    red(after(|folder, _| folder.files.get_mut(path).unwrap().push('\n')), "make a new version");
    red(after(|_, code| drop(code.remove(path))), "no code has this shape");
    let sample = "qc/QcWaived.v1.example.json";
    let faults = after(|_, code| code.get_mut(sample).unwrap()["reason"] = json!("another"));
    assert_eq!(faults, [format!("{sample}: the sample changed; keep it, and make a new version for a new one")]);
    let faults = after(|folder, _| drop(folder.files.insert("qc/Sung.v1.json".to_owned(), "{}".to_owned())));
    assert_eq!(faults, ["qc/Sung.v1.json: no code has this shape; published shapes stay readable for ever"]);
}

#[test]
fn drift_says_what_it_breaks() {
    let faults = after(|_, code| {
        let schema = code.get_mut("qc/QcWaived.v1.json").unwrap();
        schema["properties"]["until"] = json!({"type": "string"});
        schema["required"].as_array_mut().unwrap().push(json!("until"));
    });
    assert_eq!(faults.len(), 1);
    assert!(faults[0].starts_with("qc/QcWaived.v1.json: the code drifted from what is published; make a new version"));
    assert!(faults[0].contains("new reader, old data: at /until: is not written, the reader needs it, for example {"));
    let faults = after(|_, code| {
        let reply = &mut code.get_mut("qc/WaiveQc.command.v1.json").unwrap()["$defs"]["reply"];
        reply["enum"].as_array_mut().unwrap().push(json!("LOST"));
    });
    assert!(
        faults[0].contains("old reader, new data: at the top: the reader does not know the value \"LOST\""),
        "{faults:?}"
    );
}

#[test]
fn only_new_files_are_written_and_the_lock_only_grows() {
    let all = few();
    let mut old = all.clone();
    old.retain(|path, _| !path.starts_with("qc/QcWaived"));
    let added = published(&old).additions(&all);
    assert_eq!(added.keys().collect::<Vec<_>>(), [LOCK, "qc/QcWaived.v1.example.json", "qc/QcWaived.v1.json"]);
    let (before, after) = (published(&old).lock, published(&all).lock);
    assert!(before.iter().all(|(path, sum)| after[path] == *sum));
    assert_eq!(serde_json::from_str::<BTreeMap<String, String>>(&added[LOCK]).unwrap(), after);
    // A file that is there is never written again, not even when its text has another form.
    let mut other = published(&all);
    let compact = serde_json::from_str::<Value>(&other.files["qc/QcWaived.v1.json"]).unwrap().to_string();
    other.files.insert("qc/QcWaived.v1.json".to_owned(), compact);
    assert!(!other.additions(&all).contains_key("qc/QcWaived.v1.json"));
}

#[test]
fn publishing_adds_once_and_writes_nothing_when_something_is_wrong() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("published-schemas");
    drop(std::fs::remove_dir_all(&folder));
    let all = few();
    let mut old = all.clone();
    old.retain(|path, _| !path.starts_with("qc/QcWaived"));
    assert_eq!(schemas::publish(&folder, &old).unwrap().unwrap().len(), old.len() + 1);
    assert_eq!(schemas::publish(&folder, &old).unwrap(), Ok(vec![]));
    assert_eq!(Published::read(&folder).unwrap(), published(&old));
    let touched = folder.join("qc/QcPassed.v1.json");
    let text = std::fs::read_to_string(&touched).unwrap();
    std::fs::write(&touched, text.replace("uuid", "text")).unwrap();
    let faults = schemas::publish(&folder, &all).unwrap().unwrap_err();
    assert!(faults[0].starts_with("qc/QcPassed.v1.json: changed after it was published"), "{faults:?}");
    assert!(!folder.join("qc/QcWaived.v1.json").exists());
    std::fs::write(&touched, text).unwrap();
    let added = ["lock.json", "qc/QcWaived.v1.example.json", "qc/QcWaived.v1.json"].map(str::to_owned);
    assert_eq!(schemas::publish(&folder, &all).unwrap(), Ok(added.to_vec()));
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn an_unlocked_file_is_seen() {
    let mut folder = published(&few());
    folder.lock.remove("qc/QcWaived.v1.json");
    assert_eq!(folder.additions(&few()).into_keys().collect::<Vec<_>>(), [LOCK]);
}
