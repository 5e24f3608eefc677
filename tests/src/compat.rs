//! What a change of a published shape breaks: three walks over two JSON Schemas, each break with its place, its reason and
//! a document that proves it.
//!
//! The rule for events: the writer is closed (it writes nothing that its schema does not describe), the reader is open (it
//! ignores what it does not know, and what has a default may be missing). Adding an optional field breaks nobody.

use crate::schemas::each_part;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

/// Which reader reads which writer's data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Walk {
    /// A program that was not updated yet reads what an updated one wrote.
    OldReaderNewData,
    /// An updated program reads what is stored.
    NewReaderOldData,
    /// A program that was not updated yet reads new data, writes it again, and loses what it does not know.
    OldWriterNewData,
}

/// One break.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// In which walk.
    pub walk: Walk,
    /// Where in the document, as a JSON pointer; empty is the whole document.
    pub pointer: String,
    /// What is not read, and why.
    pub reason: String,
    /// A document that the writer may write and the reader does not read; `None` when none was found that proves it.
    pub counter_example: Option<Value>,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let walk = match self.walk {
            Walk::OldReaderNewData => "old reader, new data",
            Walk::NewReaderOldData => "new reader, old data",
            Walk::OldWriterNewData => "old writer, new data",
        };
        let place = if self.pointer.is_empty() { "the top" } else { &self.pointer };
        write!(f, "{walk}: at {place}: {}", self.reason)?;
        self.counter_example.as_ref().map_or(Ok(()), |document| write!(f, ", for example {document}"))
    }
}

/// Everything that breaks between two shapes of one major version, given as writers' schemas.
pub fn check(old: &Value, new: &Value) -> Vec<Finding> {
    let kept = rewritten(&Part::of(new), &Part::of(old), 0);
    let walks =
        [(Walk::OldReaderNewData, new, old), (Walk::NewReaderOldData, old, new), (Walk::OldWriterNewData, &kept, new)];
    let mut findings = Vec::new();
    for (walk, writer, reader) in walks {
        let mut breaks = Vec::new();
        unread(&Part::of(writer), &Part::of(&reader_of(reader)), "", None, &mut breaks);
        for Break { pointer, reason, document } in breaks {
            let proof = is_valid(writer, &document) && !is_valid(&reader_of(reader), &document);
            findings.push(Finding { walk, pointer, reason, counter_example: proof.then_some(document) });
        }
    }
    findings
}

/// What a reader accepts: what it does not know is ignored, what has a default may be missing.
pub fn reader_of(schema: &Value) -> Value {
    fn open(schema: &mut Value) {
        if let Some(object) = schema.as_object_mut() {
            if object.get("additionalProperties") == Some(&Value::Bool(false)) {
                object.remove("additionalProperties");
            }
            let properties = object.get("properties").cloned().unwrap_or_default();
            if let Some(required) = object.get_mut("required").and_then(Value::as_array_mut) {
                required.retain(|name| properties[name.as_str().unwrap_or_default()].get("default").is_none());
            }
            // Alternatives that were apart by being closed may overlap now.
            if let Some(alternatives) = object.remove("oneOf") {
                object.insert("anyOf".to_owned(), alternatives);
            }
        }
        each_part(schema, &mut open);
    }
    let mut opened = schema.clone();
    open(&mut opened);
    opened
}

/// Whether a document is of a shape; a schema that is none accepts nothing.
pub fn is_valid(schema: &Value, document: &Value) -> bool {
    validator(schema).is_ok_and(|validator| validator.is_valid(document))
}

/// A validator that takes formats seriously.
pub fn validator(schema: &Value) -> Result<jsonschema::Validator, String> {
    jsonschema::draft202012::options().should_validate_formats(true).build(schema).map_err(|why| why.to_string())
}

/// Further down nothing new is found: a shape that deep contains itself.
const DEPTH_MAX: usize = 24;

/// A part of a schema, with the whole that its references are looked up in.
#[derive(Clone)]
struct Part {
    whole: Arc<Value>,
    at: Value,
}

impl Part {
    fn of(schema: &Value) -> Self {
        Self { whole: Arc::new(schema.clone()), at: schema.clone() }.resolved()
    }
    fn part(&self, at: &Value) -> Self {
        Self { whole: Arc::clone(&self.whole), at: at.clone() }.resolved()
    }
    fn resolved(mut self) -> Self {
        for _ in 0..DEPTH_MAX {
            let Some(pointer) = self.at.get("$ref").and_then(Value::as_str) else { break };
            self.at = self.whole.pointer(pointer.trim_start_matches('#')).cloned().unwrap_or(Value::Bool(true));
        }
        self
    }
    fn alternatives(&self) -> Option<Vec<Self>> {
        let list = self.at.get("anyOf").or_else(|| self.at.get("oneOf"))?.as_array()?;
        Some(list.iter().map(|one| self.part(one)).collect())
    }
    /// The values, when they are listed.
    fn values(&self) -> Option<Vec<Value>> {
        if let Some(one) = self.at.get("const") {
            return Some(vec![one.clone()]);
        }
        if let Some(list) = self.at.get("enum") {
            return list.as_array().cloned();
        }
        let lists: Option<Vec<_>> = self.alternatives()?.iter().map(Self::values).collect();
        lists.map(|lists| lists.concat())
    }
    fn types(&self) -> Vec<&str> {
        match self.at.get("type") {
            Some(Value::String(one)) => vec![one],
            Some(Value::Array(list)) => list.iter().filter_map(Value::as_str).collect(),
            _ => vec!["array", "boolean", "null", "number", "object", "string"],
        }
    }
    fn is_anything(&self) -> bool {
        let says = |object: &Map<String, Value>| {
            object.keys().any(|keyword| !["default", "$schema", "$id"].contains(&keyword.as_str()))
        };
        self.at == Value::Bool(true) || self.at.as_object().is_some_and(|object| !says(object))
    }
    fn property(&self, name: &str) -> Option<Self> {
        self.at.get("properties")?.get(name).map(|part| self.part(part))
    }
    fn properties(&self) -> Vec<(String, Self)> {
        let object = self.at.get("properties").and_then(Value::as_object);
        object.into_iter().flatten().map(|(name, part)| (name.clone(), self.part(part))).collect()
    }
    fn required(&self) -> BTreeSet<String> {
        let list = self.at.get("required").and_then(Value::as_array);
        list.into_iter().flatten().filter_map(|name| name.as_str().map(str::to_owned)).collect()
    }
    /// What fields without a name of their own are, if there may be any.
    fn others(&self) -> Option<Self> {
        self.at.get("additionalProperties").filter(|part| **part != Value::Bool(false)).map(|part| self.part(part))
    }
    /// The part as a schema of its own.
    fn alone(&self) -> Value {
        let mut schema = self.at.clone();
        if let (Some(object), Some(parts)) = (schema.as_object_mut(), self.whole.get("$defs")) {
            object.insert("$defs".to_owned(), parts.clone());
        }
        schema
    }
    /// A document of this shape, as small as it may be.
    fn sample(&self, depth: usize) -> Value {
        if let Some(first) = self.values().and_then(|values| values.first().cloned()) {
            return first;
        }
        if depth > DEPTH_MAX || self.is_anything() {
            return Value::Null;
        }
        if let Some(first) = self.alternatives().and_then(|list| list.first().cloned()) {
            return first.sample(depth + 1);
        }
        let limit = |keyword: &str| self.at.get(keyword).and_then(Value::as_i64);
        match self.types().first().copied().unwrap_or("null") {
            "object" => {
                let required = self.required();
                let mut fields = Map::new();
                for (name, part) in self.properties().into_iter().filter(|(name, _)| required.contains(name)) {
                    fields.insert(name, part.sample(depth + 1));
                }
                Value::Object(fields)
            }
            "array" => {
                let item = self.at.get("items").map_or(Value::Null, |part| self.part(part).sample(depth + 1));
                json!(vec![item; usize::try_from(limit("minItems").unwrap_or(0)).unwrap_or(0)])
            }
            "string" => match self.at.get("format").and_then(Value::as_str) {
                Some("uuid") => json!("00000000-0000-7000-8000-000000000000"),
                Some("date-time") => json!("2025-12-13T12:00:00Z"),
                Some("date") => json!("2025-12-13"),
                _ => json!("x".repeat(usize::try_from(limit("minLength").unwrap_or(0)).unwrap_or(0))),
            },
            "number" if limit("maximum").is_none() => json!(limit("minimum").map_or(0.5, |least| least as f64 + 0.5)),
            "integer" | "number" => json!(limit("minimum").or(limit("maximum")).unwrap_or(0)),
            "boolean" => json!(false),
            _ => Value::Null,
        }
    }
    /// Any document with a value in one place.
    fn with(&self, name: &str, value: Value) -> Value {
        let mut whole = self.sample(0);
        whole[name] = value;
        whole
    }
}

/// The pairs that are being compared, innermost first: a pair inside itself was answered already.
struct Trail<'a> {
    pair: (&'a Value, &'a Value),
    up: Option<&'a Trail<'a>>,
}

impl Trail<'_> {
    fn repeats(&self) -> bool {
        std::iter::successors(self.up, |trail| trail.up).any(|above| above.pair == self.pair)
    }
}

struct Break {
    pointer: String,
    reason: String,
    /// A document of the writer's part.
    document: Value,
}

/// Collects what `writer` may write and `reader` does not read. Careful rather than clever: what it cannot follow is a break.
fn unread(writer: &Part, reader: &Part, pointer: &str, up: Option<&Trail<'_>>, breaks: &mut Vec<Break>) {
    let mut found =
        |reason: String, document: Value| breaks.push(Break { pointer: pointer.to_owned(), reason, document });
    let trail = Trail { pair: (&writer.at, &reader.at), up };
    if trail.repeats() || reader.is_anything() || writer.at == Value::Bool(false) {
        return;
    }
    let trail = Some(&trail);
    if let Some(values) = writer.values() {
        let Ok(reads) = validator(&reader.alone()) else {
            return found("the reader's schema is none".to_owned(), Value::Null);
        };
        let unknown = values.into_iter().filter(|value| !reads.is_valid(value));
        return unknown.for_each(|value| found(format!("the reader does not know the value {value}"), value));
    }
    if writer.is_anything() {
        let types = reader.types();
        let other = [json!({}), json!("x"), json!(false), json!([]), Value::Null];
        let other = other.into_iter().find(|value| !is_valid(&reader.alone(), value)).unwrap_or(Value::Null);
        return found(format!("anything may be written, the reader wants {}", types.join(" or ")), other);
    }
    if let Some(alternatives) = writer.alternatives() {
        return alternatives.iter().for_each(|one| unread(one, reader, pointer, trail, breaks));
    }
    if writer.types().len() > 1 {
        let one_of = |kind: &str| {
            let mut at = writer.at.clone();
            at["type"] = json!(kind);
            writer.part(&at)
        };
        let kinds: Vec<_> = writer.types().into_iter().map(one_of).collect();
        return kinds.iter().for_each(|one| unread(one, reader, pointer, trail, breaks));
    }
    if let Some(values) = reader.values() {
        return found(format!("the reader knows {} values only", values.len()), writer.sample(0));
    }
    if let Some(alternatives) = reader.alternatives() {
        return unread_by_any(writer, &alternatives, pointer, trail, breaks);
    }
    let (written, read) = (writer.types(), reader.types());
    let kind = written.first().copied().unwrap_or("null");
    let is_read = read.contains(&kind) || kind == "integer" && read.contains(&"number");
    if !is_read {
        return found(format!("{kind} is written, the reader wants {}", read.join(" or ")), writer.sample(0));
    }
    match kind {
        "object" => unread_fields(writer, reader, pointer, trail, breaks),
        "array" => {
            limits(writer, reader, &[("minItems", true), ("maxItems", false)], &[], &mut found);
            let anything = Value::Bool(true);
            let items = |part: &Part| part.part(part.at.get("items").unwrap_or(&anything));
            let mut inside = Vec::new();
            unread(&items(writer), &items(reader), &format!("{pointer}/0"), trail, &mut inside);
            breaks.extend(inside.into_iter().map(|one| Break { document: json!([one.document]), ..one }));
        }
        "string" => {
            limits(writer, reader, &[("minLength", true), ("maxLength", false)], &["format", "pattern"], &mut found);
        }
        "integer" | "number" => {
            let bounds =
                [("minimum", true), ("maximum", false), ("exclusiveMinimum", true), ("exclusiveMaximum", false)];
            limits(writer, reader, &bounds, &["multipleOf"], &mut found);
        }
        _ => {}
    }
}

/// A reader of alternatives reads what one of them reads; otherwise the nearest one says what it lacks.
fn unread_by_any(writer: &Part, alternatives: &[Part], pointer: &str, up: Option<&Trail<'_>>, breaks: &mut Vec<Break>) {
    let attempt = |one: &Part| {
        let mut lacks = Vec::new();
        unread(writer, one, pointer, up, &mut lacks);
        lacks
    };
    let attempts: Vec<_> = alternatives.iter().map(attempt).collect();
    if attempts.iter().any(Vec::is_empty) {
        return;
    }
    // The alternative that fails deepest was meant: the others fail at once, by their type or their tag.
    let nearest = attempts.into_iter().max_by_key(|lacks| lacks.iter().map(|lack| lack.pointer.len()).min());
    breaks.extend(
        nearest
            .into_iter()
            .flatten()
            .map(|lack| Break { reason: format!("no alternative reads this: {}", lack.reason), ..lack }),
    );
}

fn unread_fields(writer: &Part, reader: &Part, pointer: &str, up: Option<&Trail<'_>>, breaks: &mut Vec<Break>) {
    let escape = |name: &str| name.replace('~', "~0").replace('/', "~1");
    for name in reader.required().difference(&writer.required()) {
        let known = writer.property(name).is_some();
        let reason = if known { "may be missing, the reader needs it" } else { "is not written, the reader needs it" };
        let mut document = writer.sample(0);
        document.as_object_mut().and_then(|fields| fields.remove(name));
        breaks.push(Break { pointer: format!("{pointer}/{}", escape(name)), reason: reason.to_owned(), document });
    }
    let mut below = |name: &str, written: &Part, read: &Part| {
        let mut inside = Vec::new();
        unread(written, read, &format!("{pointer}/{}", escape(name)), up, &mut inside);
        breaks.extend(inside.into_iter().map(|one| Break { document: writer.with(name, one.document), ..one }));
    };
    for (name, written) in writer.properties() {
        if let Some(read) = reader.property(&name).or_else(|| reader.others()) {
            below(&name, &written, &read);
        }
    }
    if let Some(written) = writer.others() {
        let named = reader.properties().into_iter().filter(|(name, _)| writer.property(name).is_none());
        named.for_each(|(name, read)| below(&name, &written, &read));
        if let Some(read) = reader.others() {
            below("any", &written, &read);
        }
    }
}

/// Bounds that the reader draws tighter (`true`: from below), and words about form that only the reader demands.
fn limits(writer: &Part, reader: &Part, bounds: &[(&str, bool)], forms: &[&str], found: &mut dyn FnMut(String, Value)) {
    for (keyword, from_below) in bounds {
        let of = |part: &Part| part.at.get(*keyword).and_then(Value::as_f64);
        let Some(read) = of(reader) else { continue };
        if of(writer).is_none_or(|written| if *from_below { written < read } else { written > read }) {
            let beyond = if *from_below { read - 1.0 } else { read + 1.0 };
            let document = beyond_the_bound(writer, keyword, beyond);
            found(format!("the reader wants {keyword} {read}"), document);
        }
    }
    for keyword in forms {
        let Some(read) = reader.at.get(*keyword) else { continue };
        if writer.at.get(*keyword) != Some(read) {
            found(format!("the reader wants {keyword} {read}"), writer.sample(0));
        }
    }
}

/// 1,000: longer samples prove nothing more.
const SAMPLE_MAX: usize = 1_000;

fn beyond_the_bound(writer: &Part, keyword: &str, beyond: f64) -> Value {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a sample; one that does not fit proves nothing and is dropped"
    )]
    let whole = beyond as i64;
    let count = usize::try_from(whole).unwrap_or(0).min(SAMPLE_MAX);
    match keyword {
        "minItems" | "maxItems" => {
            json!(vec![writer.at.get("items").map_or(Value::Null, |part| writer.part(part).sample(0)); count])
        }
        "minLength" | "maxLength" => json!("x".repeat(count)),
        _ => json!(whole),
    }
}

/// The shape of new data after an old program read it and wrote it again: without the fields that the old one ignores.
fn rewritten(new: &Part, old: &Part, depth: usize) -> Value {
    if depth > DEPTH_MAX || old.is_anything() {
        return new.alone();
    }
    let mut kept = new.alone();
    if old.others().is_none() && new.at.get("properties").is_some() && old.types().contains(&"object") {
        let mut fields = Map::new();
        for (name, part) in new.properties() {
            if let Some(known) = old.property(&name) {
                fields.insert(name, rewritten(&part, &known, depth + 1));
            }
        }
        let required: Vec<_> = new.required().into_iter().filter(|name| fields.contains_key(name)).collect();
        kept["properties"] = Value::Object(fields);
        kept["required"] = json!(required);
    } else if let (Some(items), Some(known)) = (new.at.get("items"), old.at.get("items")) {
        kept["items"] = rewritten(&new.part(items), &old.part(known), depth + 1);
    }
    kept
}
