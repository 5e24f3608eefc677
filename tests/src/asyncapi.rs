//! The AsyncAPI document: every message on the wire, generated from the catalogue and the ports, for tools and people.
//!
//! Invariant: it says nothing of its own about payloads; it points to the files under `schemas/`.

use crate::modules::modules;
use crate::ports::ports;
use crate::schemas::{folder, text};
use events::Entry;
use saga_core::module::Module;
use saga_core::port::{Answer, Port};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::io;

/// The file, beside the schemas. It is not locked: it grows with every shape that is added.
pub const FILE: &str = "asyncapi.json";
/// The dialect of the files that are pointed to.
const DIALECT: &str = "application/schema+json;version=draft-2020-12";

/// The whole document.
pub fn document() -> Value {
    let mut parts = Parts::default();
    let readers = readers(&modules());
    for entry in events::catalogue() {
        parts.event(&entry, &readers);
    }
    for port in ports() {
        parts.port(&port);
    }
    parts.common();
    json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": "AICMO: sagas over independent modules",
            "version": "1.0.0",
            "description": "Every message on the wire. How to send, receive and repeat them is in docs/wire.md.",
            "license": {"name": "MIT OR Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "servers": {"nats": {
            "host": "127.0.0.1:4222",
            "protocol": "nats",
            "description": "NATS with JetStream, 2.9 or newer; one account for each installation, one user for each module.",
        }},
        "channels": parts.channels,
        "operations": parts.operations,
        "components": {
            "messages": parts.messages,
            "schemas": headers(),
            "parameters": {
                "prefix": {"description": "What every subject begins with; may contain dots.", "default": "aicmo"},
                "partition": {"description": "First byte of sha256(stream id) modulo 64, two digits.", "examples": ["07"]},
                "module": {"description": "The name of a module.", "examples": ["strategy"]},
                "anything": {"description": "Whatever the sender likes."},
            },
        },
    })
}

/// Writes the file.
pub fn publish() -> io::Result<()> {
    std::fs::write(folder().join(FILE), text(&document()))
}

/// The modules that read an event, by its owner and name.
fn readers(modules: &[Module]) -> BTreeMap<(String, String), BTreeSet<String>> {
    let mut readers: BTreeMap<_, BTreeSet<String>> = BTreeMap::new();
    for module in modules {
        let folds = module.projections.iter().flat_map(|projection| &projection.folds);
        let folds = folds.map(|fold| (fold.module.to_string(), fold.event.to_string()));
        let reactions = module.reactors.iter().flat_map(|reactor| &reactor.reactions);
        let reactions = reactions.map(|(owner, event, _)| (owner.to_string(), event.to_string()));
        for event in folds.chain(reactions) {
            readers.entry(event).or_default().insert(module.name.to_owned());
        }
    }
    readers
}

fn pointer(path: &str) -> Value {
    json!({"$ref": path})
}
/// A key inside of a pointer. Keys here hold neither `~` nor `/`, so they stand as they are.
fn inside(kind: &str, key: &str) -> Value {
    pointer(&format!("#/{kind}/{key}"))
}
fn payload(schema: Value) -> Value {
    json!({"schemaFormat": DIALECT, "schema": schema})
}
fn parameters(names: &[&str]) -> Value {
    names.iter().map(|name| ((*name).to_owned(), inside("components/parameters", name))).collect::<Map<_, _>>().into()
}
/// The headers of one kind, with the type that this message has.
fn typed(kind: &str, of: &str) -> Value {
    json!({"allOf": [
        inside("components/schemas", kind),
        {"type": "object", "properties": {"ce-type": {"const": of}}},
    ]})
}

#[derive(Default)]
struct Parts {
    channels: Map<String, Value>,
    operations: Map<String, Value>,
    messages: Map<String, Value>,
    replies: Map<String, Value>,
    answers: Map<String, Value>,
}

impl Parts {
    fn message(&mut self, key: &str, title: &str, headers: Value, payload: Value) -> Value {
        let message = json!({
            "name": key, "title": title, "contentType": "application/json", "headers": headers, "payload": payload,
        });
        self.messages.insert(key.to_owned(), message);
        inside("components/messages", key)
    }
    fn channel(&mut self, key: &str, address: Value, names: &[&str], messages: Value, more: Value) {
        let mut channel = json!({"address": address, "messages": messages});
        if !names.is_empty() {
            channel["parameters"] = parameters(names);
        }
        if let (Some(channel), Value::Object(more)) = (channel.as_object_mut(), more) {
            channel.extend(more);
        }
        self.channels.insert(key.to_owned(), channel);
    }
    fn event(&mut self, entry: &Entry, readers: &BTreeMap<(String, String), BTreeSet<String>>) {
        let Entry { owner, category, name, version, .. } = entry;
        let key = format!("{owner}.{name}.v{version}");
        let schema = payload(pointer(&format!("./{owner}/{name}.v{version}.json")));
        let message = self.message(&key, &format!("{owner}: {name}"), typed("event", &key), schema);
        let address = format!("{{prefix}}.evt.{owner}.{category}.{name}.v{version}.p{{partition}}");
        let read_by = readers.get(&((*owner).to_owned(), (*name).to_owned())).cloned().unwrap_or_default();
        let more = json!({"x-stream": format!("EVT_{owner}"), "x-read-by": read_by});
        self.channel(&key, json!(address), &["prefix", "partition"], json!({"event": message}), more);
        if entry.is_newest() {
            // Older versions stand in streams for ever, but nobody writes them any more.
            let operation = json!({
                "action": "send",
                "channel": inside("channels", &key),
                "messages": [inside("channels", &format!("{key}/messages/event"))],
                "tags": [{"name": owner}],
            });
            self.operations.insert(format!("{owner}.publish{name}.v{version}"), operation);
        }
    }
    fn port(&mut self, port: &Port) {
        let Port { module, name, version, .. } = port;
        let key = format!("{module}.{name}.v{version}");
        let file = format!("./{module}/{name}.{}.v{version}.json", port.kind());
        let part = |part: &str| pointer(&format!("{file}#/$defs/{part}"));
        match &port.answer {
            Answer::Deed { .. } => {
                let request =
                    self.message(&key, &format!("{module}: {name}"), typed("command", &key), payload(part("request")));
                let said = format!("{key}.reply");
                let outcomes = json!({"oneOf": outcomes(part("reply"), part("refusal"))});
                let headers = typed("reply", "orchestration.Reply.v1");
                let reply = self.message(&said, &format!("{module}: reply to {name}"), headers, payload(outcomes));
                self.replies.insert(said.clone(), reply);
                let address = format!("{{prefix}}.cmd.{key}");
                self.channel(
                    &key,
                    json!(address),
                    &["prefix"],
                    json!({"command": request}),
                    json!({"x-stream": "CMD"}),
                );
                let reply = json!({
                    "address": {"location": "$message.header#/ce-replyto"},
                    "channel": inside("channels", "replies"),
                    "messages": [inside("channels", &format!("replies/messages/{said}"))],
                });
                self.receive(module, &format!("{module}.do{name}.v{version}"), (&key, "command"), Some(reply));
            }
            Answer::Finding(_) => {
                let request = self.message(
                    &key,
                    &format!("{module}: {name}"),
                    json!({"type": "object"}),
                    payload(part("request")),
                );
                let said = format!("{key}.answer");
                let answered = self.message(
                    &said,
                    &format!("{module}: answer to {name}"),
                    inside("components/schemas", "answer"),
                    payload(part("answer")),
                );
                self.answers.insert(said.clone(), answered);
                let address = format!("{{prefix}}.qry.{key}");
                self.channel(&key, json!(address), &["prefix"], json!({"query": request}), json!({}));
                let reply = json!({
                    "channel": inside("channels", "answers"),
                    "messages": [inside("channels", &format!("answers/messages/{said}"))],
                });
                self.receive(module, &format!("{module}.answer{name}.v{version}"), (&key, "query"), Some(reply));
            }
        }
    }
    fn receive(&mut self, module: &str, name: &str, (channel, message): (&str, &str), reply: Option<Value>) {
        let mut operation = json!({
            "action": "receive",
            "channel": inside("channels", channel),
            "messages": [inside("channels", &format!("{channel}/messages/{message}"))],
            "tags": [{"name": module}],
        });
        if let Some(reply) = reply {
            operation["reply"] = reply;
        }
        self.operations.insert(name.to_owned(), operation);
    }
    /// The parts that belong to no single module.
    fn common(&mut self) {
        let (replies, answers) = (std::mem::take(&mut self.replies), std::mem::take(&mut self.answers));
        let words = "{prefix}.reply.g<NN>: the subject that a command names in ce-replyto; stream RPL.";
        self.channel("replies", Value::Null, &[], replies.into(), json!({"description": words, "x-stream": "RPL"}));
        let words = "The reply subject that the client library makes for a question.";
        self.channel("answers", Value::Null, &[], answers.into(), json!({"description": words}));

        let start = json!({
            "type": "object",
            "properties": {
                "saga": {"type": "string"},
                "version": {"type": "integer", "minimum": 1},
                "key": {"type": "string"},
                "input": true,
            },
            "required": ["saga", "input"],
        });
        let of = "orchestration.StartSaga.v1";
        let message = self.message(of, "starts a saga from outside", typed("cloudevent", of), payload(start));
        let more = json!({"x-stream": "IN"});
        self.channel(
            "outside",
            json!("{prefix}.in.{anything}"),
            &["prefix", "anything"],
            json!({"start": message}),
            more,
        );
        self.receive("orchestration", "orchestration.startSaga.v1", ("outside", "start"), None);

        let letter = inside("components/schemas", "deadLetter");
        let message = self.message("deadLetter", "a message that nobody could handle", letter, payload(json!(true)));
        let more = json!({"x-stream": "DLQ"});
        self.channel(
            "deadLetters",
            json!("{prefix}.dlq.{module}"),
            &["prefix", "module"],
            json!({"letter": message}),
            more,
        );

        let range = json!({
            "type": "object",
            "properties": {"after": {"type": "integer", "minimum": 0}, "limit": {"type": "integer", "minimum": 1, "maximum": 500}},
            "required": ["after", "limit"],
        });
        let message =
            self.message("ReadLog.v1", "asks for a range of a module's log", json!({"type": "object"}), payload(range));
        let address = json!("{prefix}.qry.{module}.ReadLog.v1");
        self.channel("readLog", address, &["prefix", "module"], json!({"query": message}), json!({}));
    }
}

/// The bodies that a reply can have.
fn outcomes(output: Value, refusal: Value) -> Value {
    let body = |outcome: &str, fields: Value| {
        let mut properties = json!({"outcome": {"const": outcome}});
        let mut required = vec![json!("outcome")];
        if let (Some(all), Value::Object(fields)) = (properties.as_object_mut(), fields) {
            required.extend(fields.keys().filter(|name| *name != "fields").map(|name| json!(name)));
            all.extend(fields);
        }
        json!({"type": "object", "properties": properties, "required": required})
    };
    let text = json!({"type": "string"});
    json!([
        body("done", json!({"output": output})),
        body("refused", json!({"code": text, "reason": text, "fields": refusal})),
        body("retry", json!({"after_ms": {"type": "integer", "minimum": 0}, "reason": text})),
        body("nothing_known", json!({})),
        body("fault", json!({"code": text, "reason": text})),
    ])
}

/// Every header that there is, as a value after decoding.
fn every_header() -> Vec<(&'static str, Value)> {
    let uuid = json!({"type": "string", "format": "uuid"});
    let time = json!({"type": "string", "format": "date-time"});
    let number = json!({"type": "string", "pattern": "^[0-9]+$"});
    let text = json!({"type": "string"});
    let one_of = |words: &[&str]| json!({"type": "string", "enum": words});
    vec![
        ("ce-specversion", json!({"const": "1.0"})),
        ("ce-id", text.clone()),
        ("ce-source", text.clone()),
        ("ce-type", text.clone()),
        ("ce-subject", text.clone()),
        ("ce-time", time.clone()),
        ("ce-datacontenttype", json!({"const": "application/json"})),
        ("ce-dataschema", text.clone()),
        ("ce-correlationid", uuid.clone()),
        ("ce-causationid", uuid.clone()),
        ("ce-actorkind", one_of(&["operator", "client", "saga", "system", "import"])),
        ("ce-actorid", text.clone()),
        ("ce-sagaid", uuid.clone()),
        ("ce-step", text.clone()),
        ("ce-stepkey", uuid.clone()),
        ("ce-counterkey", uuid),
        ("ce-direction", one_of(&["do", "undo"])),
        ("ce-attempt", number.clone()),
        ("ce-epoch", number.clone()),
        ("ce-deadline", time.clone()),
        ("ce-replyto", text.clone()),
        ("ce-probe", json!({"const": "true"})),
        ("ce-streamversion", number.clone()),
        ("ce-position", number.clone()),
        ("ce-recordedtime", time.clone()),
        ("ce-chain", json!({"type": "string", "pattern": "^[0-9a-f]{64}$"})),
        ("ce-meta", text.clone()),
        ("ce-dataref", text.clone()),
        ("traceparent", text.clone()),
        ("Nats-Msg-Id", text.clone()),
        ("Nats-Expected-Stream", text.clone()),
        ("Nats-Expected-Last-Sequence", number.clone()),
        ("dlq-reason", text.clone()),
        ("dlq-subject", text.clone()),
        ("dlq-stream", text.clone()),
        ("dlq-sequence", number.clone()),
        ("dlq-times", number),
        ("dlq-consumer", text.clone()),
        ("dlq-time", time),
        ("Nats-Service-Error-Code", text.clone()),
        ("Nats-Service-Error", text),
    ]
}

/// The headers of each kind of message. Required are those without which nobody can read it.
fn headers() -> Value {
    let all = every_header();
    let shape = |required: &str, optional: &str| {
        let (required, optional): (Vec<_>, Vec<_>) = (required.split(' ').collect(), optional.split(' ').collect());
        let wanted = |name: &str| required.contains(&name) || optional.contains(&name);
        let properties = all.iter().filter(|(name, _)| wanted(name)).cloned();
        let properties: Map<_, _> = properties.map(|(name, shape)| (name.to_owned(), shape)).collect();
        let required: Vec<_> = required.into_iter().filter(|name| !name.is_empty()).collect();
        json!({"type": "object", "properties": properties, "required": required})
    };
    let common = "ce-specversion ce-id ce-source ce-type";
    let ours = format!("{common} ce-subject ce-time ce-datacontenttype Nats-Msg-Id");
    let cause = "ce-correlationid ce-causationid ce-actorkind ce-actorid traceparent";
    let deed = "ce-sagaid ce-step ce-stepkey ce-direction ce-attempt";
    json!({
        "cloudevent": shape(common, "ce-subject ce-time ce-datacontenttype traceparent Nats-Msg-Id"),
        "event": shape(
            &format!("{ours} ce-dataschema ce-streamversion ce-position ce-recordedtime Nats-Expected-Stream Nats-Expected-Last-Sequence"),
            &format!("{cause} ce-sagaid ce-step ce-stepkey ce-chain ce-meta ce-dataref"),
        ),
        "command": shape(
            &format!("{ours} {deed} ce-dataschema ce-correlationid ce-causationid ce-actorkind ce-actorid ce-epoch ce-replyto"),
            "ce-counterkey ce-deadline ce-probe traceparent",
        ),
        "reply": shape(&format!("{ours} {deed} ce-correlationid ce-causationid"), "ce-actorkind ce-actorid traceparent"),
        "answer": shape("", "Nats-Service-Error-Code Nats-Service-Error"),
        "deadLetter": shape(
            "dlq-reason dlq-subject dlq-stream dlq-sequence dlq-times dlq-consumer dlq-time Nats-Msg-Id",
            &format!("{ours} {deed} {cause}"),
        ),
    })
}
