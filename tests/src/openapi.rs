//! The OpenAPI document: every look with its address, its words and the schema of its answer, and the streams of changes,
//! generated from the one table of looks.
//!
//! Invariant: nothing is said here of a look that the table does not say.

use crate::schemas::{OPENAPI, folder, text};
use saga_core::control::ask::{Addressed, Ask, Method, Seen, Visit, every};
use saga_core::control::words::Form;
use saga_core::control::{Change, PAGE_MAX, Receipt, WatchSaga, WatchSagas};
use saga_core::view::{Foreseen, SagaState};
use schemars::{JsonSchema, SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value, json};
use std::io;

/// The whole document.
pub fn document() -> Value {
    let mut settings = SchemaSettings::draft2020_12().for_serialize();
    settings.definitions_path = "/components/schemas".into();
    settings.meta_schema = None;
    let mut looks = Looks { schemas: settings.into_generator(), paths: Map::new(), kinds: Map::new() };
    every(&mut looks);
    looks.stream::<WatchSagas>("watchSagas", "What changes of the sagas of a list, as it happens.");
    looks.stream::<WatchSaga>("watchSaga", "What changes of one saga, as it happens.");
    // What the orders of a saga answer, and a preview of one.
    looks.kind::<Receipt>("Receipt");
    looks.kind::<Foreseen>(<Box<Foreseen> as Seen>::KIND);
    let Looks { mut schemas, paths, kinds } = looks;
    let mut parts = schemas.take_definitions(true);
    parts.extend(kinds);
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "AICMO: looks",
            "version": "saga/v1",
            "description": "What a process shows on its loopback address, and how changes are followed. Shapes only grow: ignore \
                what you do not know. Orders are in docs/operate.md.",
            "license": {"name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0"},
        },
        "servers": [{"url": "http://127.0.0.1:7420"}],
        "paths": paths,
        "components": {"schemas": parts},
    })
}

/// Writes the file.
///
/// # Errors
/// The file cannot be written.
pub fn publish() -> io::Result<()> {
    std::fs::write(folder().join(OPENAPI), text(&document()))
}

struct Looks {
    schemas: SchemaGenerator,
    paths: Map<String, Value>,
    kinds: Map<String, Value>,
}

impl Visit for Looks {
    fn look<A: Ask + Addressed>(&mut self) {
        let kind = <A::View as Seen>::KIND;
        let schema = self.kind::<A::View>(kind);
        let answer = json!({"application/json": {"schema": schema}});
        self.path::<A>(&format!("see{kind}"), A::SAYS, answer);
    }
}

impl Looks {
    /// The schema of an answer of this kind: its envelope, and its own fields beside it.
    fn kind<T: JsonSchema>(&mut self, kind: &str) -> Value {
        let schema = self.schemas.subschema_for::<T>();
        let envelope = json!({
            "type": "object",
            "properties": {"apiVersion": {"const": "saga/v1"}, "kind": {"const": kind}},
            "required": ["apiVersion", "kind"],
        });
        let name = format!("kind.{kind}");
        self.kinds.insert(name.clone(), json!({"allOf": [envelope, schema]}));
        json!({"$ref": format!("#/components/schemas/{name}")})
    }
    fn stream<W: Addressed>(&mut self, name: &str, says: &str) {
        let change = self.kind::<Change>("Change");
        let answer = json!({"text/event-stream": {
            "schema": {"type": "string"},
            "x-id": "the cursor of the change: Last-Event-ID, or the word after, goes on behind it",
            "x-data": change,
        }});
        self.path::<W>(name, says, answer);
    }
    fn path<A: Addressed>(&mut self, name: &str, says: &str, answer: Value) {
        let address = A::ADDRESS;
        let names = address.path.split('{').skip(1).filter_map(|rest| rest.split_once('}'));
        let parts = names.map(|(name, _)| {
            json!({"name": name, "in": "path", "required": true, "schema": {"type": "string", "minLength": 1}})
        });
        let words = address.words.iter().map(|(name, form)| {
            let mut word = json!({"name": name, "in": "query", "schema": shape(*form)});
            if *form == Form::States {
                word["style"] = "form".into();
                word["explode"] = false.into();
            }
            word
        });
        let parameters: Vec<Value> = parts.chain(words).collect();
        let operation = json!({
            "operationId": name,
            "description": says,
            "parameters": parameters,
            "responses": {"200": {"description": "what there is", "content": answer}},
        });
        let method = match address.method {
            Method::Get => "get",
            Method::Post => "post",
        };
        self.paths.entry(address.path).or_insert_with(|| json!({}))[method] = operation;
    }
}

/// What may stand behind a word.
fn shape(form: Form) -> Value {
    match form {
        Form::Text => json!({"type": "string", "minLength": 1}),
        Form::Number => json!({"type": "integer", "minimum": 0}),
        Form::Rows => json!({"type": "integer", "minimum": 1, "maximum": PAGE_MAX}),
        Form::Flag => json!({"type": "boolean"}),
        Form::States => {
            let states: Vec<&str> = SagaState::ALL.iter().map(|state| state.word()).collect();
            json!({"type": "array", "items": {"enum": states}})
        }
        Form::Time => json!({"type": "string", "format": "date-time"}),
        Form::Moment => json!({"type": "string", "pattern": "^([1-9][0-9]*|[0-9]{4}-.*)$"}),
    }
}
