//! What stands under `schemas/`: every published shape as JSON Schema, its golden sample, and the lock that holds them still.
//!
//! Invariant: a published file is never changed and never removed; a shape that has to change gets a new version.

use crate::compat;
use crate::ports::ports;
use orchestration::api::dtos::{ClientToDelivery, PrintedProof, StrategyDecision};
use saga_core::envelope::sha256_hex;
use saga_core::module::Module;
use saga_core::port::{Answer, Port, Shape};
use saga_core::saga::Saga;
use schemars::{JsonSchema, Schema};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

/// The file that holds the others still.
pub const LOCK: &str = "lock.json";
/// What can be looked at, as one document; not locked: in its version it only grows.
pub const OPENAPI: &str = "openapi.json";
/// For people; not locked.
pub const README: &str = "README.md";

/// Files by path, from the folder `schemas`.
pub type Documents = BTreeMap<String, Value>;

/// Where the folder is.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../schemas")
}

/// Everything that the code publishes now.
pub fn generate() -> Documents {
    let mut documents = Documents::new();
    for entry in events::catalogue() {
        let base = format!("{}/{}.v{}", entry.owner, entry.name, entry.version);
        let path = format!("{base}.json");
        let title = format!("{}.{} version {}", entry.owner, entry.name, entry.version);
        let (id, schema) = (path.clone(), closed((entry.schema)()));
        documents.insert(path, titled(schema, &id, &title));
        documents.insert(format!("{base}.example.json"), (entry.example)());
    }
    documents.extend(ports().iter().map(of_port));
    documents.extend(sagas());
    documents
}

/// The inputs of sagas and the answers to their gates, as their authors look them up.
fn sagas() -> [(String, Value); 4] {
    let document = |name: String, version: u16, schema: Schema| {
        let path = format!("orchestration/{name}.v{version}.json");
        let title = format!("{name} version {version}");
        let schema = titled(closed(schema), &path, &title);
        (path, schema)
    };
    let input = |name: &str, version, schema| document(format!("{name}.input"), version, schema);
    [
        input(ClientToDelivery::NAME, 1, onboarding::api::dtos::form::schema::first()),
        input(ClientToDelivery::NAME, 2, asked::<ClientToDelivery>()),
        input(PrintedProof::NAME, 1, asked::<PrintedProof>()),
        document("strategy-approved.decision".to_owned(), 1, asked::<StrategyDecision>()),
    ]
}

/// The document of a port, wherever it is kept.
pub fn of_port(port: &Port) -> (String, Value) {
    let path = format!("{}/{}.{}.v{}.json", port.module, port.name, port.kind(), port.version);
    let document = door(port, &path);
    (path, document)
}

/// A port: a schema document whose parts stand on their own. As a schema it is the request's.
fn door(port: &Port, path: &str) -> Value {
    let part = |name: &str, shape: Shape| {
        let title = format!("{}.{}: {name}", port.module, port.name);
        let file = path.rsplit('/').next().unwrap_or(path);
        titled(closed(known(shape)), &file.replace(".json", &format!(".{name}.json")), &title)
    };
    let mut parts = Map::new();
    parts.insert("request".to_owned(), part("request", port.request));
    let mut undone_by = Value::Null;
    match &port.answer {
        Answer::Deed { reply, refusal, undo } => {
            parts.insert("reply".to_owned(), part("reply", *reply));
            parts.insert("refusal".to_owned(), part("refusal", *refusal));
            undone_by = undo.map_or(Value::Null, |(module, name, version)| {
                json!(format!("{module}/{name}.command.v{version}.json"))
            });
        }
        Answer::Finding(answer) => {
            parts.insert("answer".to_owned(), part("answer", *answer));
        }
    }
    let mut document = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": path,
        "title": format!("{}.{} version {}", port.module, port.name, port.version),
        "$ref": "#/$defs/request",
        "$defs": parts,
    });
    if let Some(said) = known(port.request).get("description") {
        document["description"] = said.clone();
    }
    if !undone_by.is_null() {
        document["x-undone-by"] = undone_by;
    }
    document
}

/// The form of something that travels. Where none is known, anything fits: `contracts` sees it.
fn known(shape: Shape) -> Schema {
    shape.schema().unwrap_or_default()
}
fn asked<T: JsonSchema>() -> Schema {
    known(Shape::asked::<T>())
}

fn titled(mut schema: Value, id: &str, title: &str) -> Value {
    schema["$id"] = json!(id);
    schema["title"] = json!(title);
    schema
}

/// The producer's view: nothing is written that is not described.
fn closed(schema: Schema) -> Value {
    let mut schema = schema.to_value();
    close(&mut schema);
    schema
}
fn close(schema: &mut Value) {
    if let Some(object) = schema.as_object_mut() {
        let is_object = match object.get("type") {
            Some(Value::Array(kinds)) => kinds.contains(&json!("object")),
            kind => kind == Some(&json!("object")),
        };
        if is_object && !object.contains_key("additionalProperties") {
            object.insert("additionalProperties".to_owned(), Value::Bool(false));
        }
    }
    each_part(schema, &mut close);
}

/// Calls `then` with every schema directly inside a schema.
pub fn each_part(schema: &mut Value, then: &mut dyn FnMut(&mut Value)) {
    let Some(object) = schema.as_object_mut() else { return };
    for (keyword, inner) in object {
        match keyword.as_str() {
            "properties" | "patternProperties" | "$defs" => {
                inner.as_object_mut().into_iter().flatten().for_each(|(_, part)| then(part));
            }
            "anyOf" | "oneOf" | "allOf" | "prefixItems" => {
                inner.as_array_mut().into_iter().flatten().for_each(&mut *then);
            }
            "items"
            | "additionalProperties"
            | "unevaluatedProperties"
            | "propertyNames"
            | "contains"
            | "not"
            | "if"
            | "then"
            | "else" => then(inner),
            _ => {}
        }
    }
}

/// The shape without the words about it: a comment may be put better, a shape may not.
pub fn bare(schema: &Value) -> Value {
    fn strip(schema: &mut Value) {
        if let Some(object) = schema.as_object_mut() {
            object.retain(|keyword, _| !["title", "description", "$comment"].contains(&keyword.as_str()));
        }
        each_part(schema, &mut strip);
    }
    let mut bare = schema.clone();
    strip(&mut bare);
    bare
}

/// The text of a document, the same wherever and in whatever order it was put together.
pub fn text(document: &Value) -> String {
    let mut sorted = document.clone();
    sorted.sort_all_objects();
    let mut text = serde_json::to_string_pretty(&sorted).unwrap_or_default();
    text.push('\n');
    text
}

/// What one module publishes, as one line: its name in hex of sha256. Samples do not count.
pub fn digest(documents: &Documents, module: &str) -> String {
    let prefix = format!("{module}/");
    let own = documents.iter().filter(|(path, _)| path.starts_with(&prefix) && !path.ends_with(".example.json"));
    let all: String = own.map(|(path, document)| format!("{path}\n{}", text(&bare(document)))).collect();
    sha256_hex(all.as_bytes())
}

/// Where each module's contract stands with the digest of what it publishes.
pub const CONTRACTS: &str = "tests/it/contracts.txt";

/// Enters modules that have no line among the contracts yet, and gives their names. A line that is there is moved by hand.
pub fn enter(root: &Path, modules: &[Module], documents: &Documents) -> io::Result<Vec<String>> {
    let path = root.join(CONTRACTS);
    let text = std::fs::read_to_string(&path)?;
    let mut lines: BTreeSet<String> = text.lines().map(str::to_owned).collect();
    let known = |name: &str| text.lines().any(|line| line.split(' ').next() == Some(name));
    let new: Vec<&Module> = modules.iter().filter(|module| !known(module.name)).collect();
    lines.extend(
        new.iter().map(|module| format!("{} {} {}", module.name, module.contract, digest(documents, module.name))),
    );
    if !new.is_empty() {
        let lines: Vec<String> = lines.into_iter().collect();
        std::fs::write(&path, lines.join("\n") + "\n")?;
    }
    Ok(new.into_iter().map(|module| module.name.to_owned()).collect())
}

/// The folder as it was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Published {
    /// Texts by path.
    pub files: BTreeMap<String, String>,
    /// sha256 of each, by path.
    pub lock: BTreeMap<String, String>,
}

impl Published {
    /// Reads the folder; one that does not exist is empty.
    pub fn read(folder: &Path) -> io::Result<Self> {
        let mut found = Self::default();
        if folder.is_dir() {
            walk(folder, folder, &mut found.files)?;
        }
        found.files.remove(README);
        // They are written anew whenever a shape is added: the one only points to the others, the other only grows.
        found.files.remove(crate::asyncapi::FILE);
        found.files.remove(OPENAPI);
        if let Some(lock) = found.files.remove(LOCK) {
            found.lock = serde_json::from_str(&lock)?;
        }
        Ok(found)
    }

    /// What is wrong with what is there. New shapes without a file are not wrong yet: see [`Published::additions`].
    pub fn faults(&self, generated: &Documents) -> Vec<String> {
        let mut faults = Vec::new();
        for (path, sum) in &self.lock {
            match self.files.get(path) {
                None => faults.push(format!("{path}: was published and is gone; put it back")),
                Some(text) if sha256_hex(text.as_bytes()) != *sum => {
                    faults.push(format!("{path}: changed after it was published; put it back and make a new version"));
                }
                Some(_) => {}
            }
        }
        for (path, text) in &self.files {
            let Ok(old) = serde_json::from_str::<Value>(text) else {
                faults.push(format!("{path}: is not JSON"));
                continue;
            };
            match generated.get(path) {
                None => faults.push(format!("{path}: no code has this shape; published shapes stay readable for ever")),
                Some(new) => faults.extend(drift(path, &old, new)),
            }
        }
        faults
    }

    /// What has to be written: new files, and the lock over all of them.
    pub fn additions(&self, generated: &Documents) -> BTreeMap<String, String> {
        let new = generated.iter().filter(|(path, _)| !self.files.contains_key(*path));
        let mut added: BTreeMap<_, _> = new.map(|(path, document)| (path.clone(), text(document))).collect();
        let mut lock = self.lock.clone();
        for (path, text) in self.files.iter().chain(&added) {
            lock.entry(path.clone()).or_insert_with(|| sha256_hex(text.as_bytes()));
        }
        if lock != self.lock {
            added.insert(LOCK.to_owned(), text(&json!(lock)));
        }
        added
    }
}

/// How a shape in the code differs from its published one, if it does.
fn drift(path: &str, old: &Value, new: &Value) -> Option<String> {
    if path.ends_with(".example.json") {
        return (old != new)
            .then(|| format!("{path}: the sample changed; keep it, and make a new version for a new one"));
    }
    let (old, new) = (bare(old), bare(new));
    if old == new {
        return None;
    }
    let breaks: Vec<String> =
        parts(&old, &new).iter().flat_map(|(old, new)| compat::check(old, new)).map(told).collect();
    Some(format!("{path}: the code drifted from what is published; make a new version{}", breaks.concat()))
}
fn told(finding: compat::Finding) -> String {
    format!("\n  {finding}")
}

/// The schemas of a document, old and new: of a port's document its parts, otherwise itself.
fn parts<'a>(old: &'a Value, new: &'a Value) -> Vec<(&'a Value, &'a Value)> {
    if old["$ref"] != "#/$defs/request" {
        return vec![(old, new)];
    }
    let named =
        ["request", "reply", "refusal", "answer"].iter().map(|name| (old["$defs"].get(name), new["$defs"].get(name)));
    named.filter_map(|(old, new)| old.zip(new)).collect()
}

fn walk(root: &Path, folder: &Path, found: &mut BTreeMap<String, String>) -> io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            walk(root, &path, found)?;
        } else {
            let name = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().replace('\\', "/");
            found.insert(name, std::fs::read_to_string(&path)?);
        }
    }
    Ok(())
}

/// Writes what is new and gives its paths, or says what is wrong and writes nothing.
pub fn publish(folder: &Path, generated: &Documents) -> io::Result<Result<Vec<String>, Vec<String>>> {
    let found = Published::read(folder)?;
    let faults = found.faults(generated);
    if !faults.is_empty() {
        return Ok(Err(faults));
    }
    let added = found.additions(generated);
    for (path, text) in &added {
        let path = folder.join(path);
        std::fs::create_dir_all(path.parent().unwrap_or(folder))?;
        std::fs::write(&path, text)?;
    }
    Ok(Ok(added.into_keys().collect()))
}
