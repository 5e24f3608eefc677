//! `schemas/openapi.json` is what the code would write, and what a face shows is of the shape that it says.

use saga_admin::wire;
use saga_core::control::ask::{self, Ask, Seen};
use saga_core::control::{Asks, Control, Selector, WatchSaga};
use saga_core::envelope::Actor;
use saga_testkit::fixtures::Zoo;
use serde_json::{Value, json};
use system_tests::openapi;
use system_tests::schemas::{OPENAPI, folder, text};

#[test]
fn the_file_is_what_the_code_would_write() {
    if std::env::var_os("UPDATE").is_some() {
        openapi::publish().unwrap();
    }
    let written = std::fs::read_to_string(folder().join(OPENAPI)).unwrap_or_default();
    assert!(written == text(&openapi::document()), "run `cargo house openapi` and look at what changed");
}

/// What is wrong with an answer of a kind.
fn faults(kind: &str, answer: &str) -> Vec<String> {
    let document = openapi::document();
    let mut schema = json!({"$ref": format!("#/components/schemas/kind.{kind}")});
    schema["components"] = document["components"].clone();
    let validator = jsonschema::draft202012::new(&schema).unwrap();
    let answer: Value = serde_json::from_str(answer).unwrap();
    validator.iter_errors(&answer).map(|why| format!("{kind}{}: {why}", why.instance_path())).collect()
}
async fn shown<A: Ask>(zoo: &Zoo, asked: A) {
    let seen = zoo.ask(&Actor::operator("ann"), asked).await.unwrap();
    let kind = <A::View as Seen>::KIND;
    assert_eq!(faults(kind, &wire::encode(&seen).unwrap()), Vec::<String>::new());
    assert!(!faults(kind, r#"{"apiVersion":"saga/v1","kind":"Other"}"#).is_empty(), "{kind} takes anything");
}

#[tokio::test]
async fn what_is_shown_is_of_its_schema() {
    let zoo = Zoo::with_findings();
    let id = || "client-to-delivery/acme-7".to_owned();
    shown(&zoo, Selector { all: true, ..Selector::default() }).await;
    shown(&zoo, ask::Saga { id: id(), data: true, at: None }).await;
    shown(&zoo, ask::History { id: id(), after: 0, limit: 100 }).await;
    shown(&zoo, ask::WhyStuck { id: id() }).await;
    shown(&zoo, ask::Modules {}).await;
    shown(&zoo, ask::Definitions {}).await;
    shown(&zoo, ask::Verify {}).await;
    shown(&zoo, ask::WhoIsThere {}).await;
    let watch = WatchSaga { id: id(), after: Some("0".to_owned()) };
    let mut changes = zoo.watch(&Actor::operator("ann"), watch.into()).await.unwrap();
    let mut told = Vec::new();
    while told.is_empty() {
        told = changes.next().await.unwrap();
    }
    assert_eq!(faults("Change", &wire::encode_change(&told[0]).unwrap()), Vec::<String>::new());
}
