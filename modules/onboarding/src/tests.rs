//! Onboarding, tested through its api alone.

use crate::api::commands::{CaptureIntake, NextForm};
use crate::api::dtos::{CallNotes, CapturedIntake, IntakeForm};
use crate::api::fakes;
use crate::api::queries::{GetBrief, GetIntake, Status};
use crate::module;
use events::ids::{BriefId, ClientId};
use saga_core::envelope::Actor;
use saga_core::id::StepKey;
use saga_testkit::stage::{STAGE_TIME, Stage};
use serde_json::{Map, Value};
use uuid::Uuid;

mod door;
mod forms;
mod laws;
mod machine;
mod normalizing;
mod refusals;
mod stages;
mod upcasts;
mod views;

const CLIENT: ClientId = ClientId(Uuid::from_u128(0xc11e));
const NOBODY: BriefId = BriefId(Uuid::from_u128(0xb1ef));

fn stage() -> Stage {
    Stage::new(module(fakes::needs()))
}
fn mia() -> Actor {
    Actor::operator("mia")
}
fn saga(number: u128) -> Uuid {
    Uuid::from_u128(0xa5a6_a000 + number)
}

/// Answers that lack nothing.
const COMPLETE: &str = r#"{
    "client": { "name": "Fjordlys Rederi", "website": "none", "industry": "ferries", "geography": "western Norway" },
    "brief": {
        "audience": { "primary_customer": "Couples on a long weekend", "pain_points": ["crowded", " crowded ", ""] },
        "goal": { "primary_goal": "400 evening passengers a week" },
        "product_service": { "items": [{ "name": "Evening crossing", "usp": "dinner with a view" }] }
    },
    "focus_platforms": ["Instagram", "email"]
}"#;

fn answers(json: &str) -> Map<String, Value> {
    serde_json::from_str(json).unwrap()
}
/// Complete answers with one of them changed; the place is a JSON pointer.
fn with(pointer: &str, value: Value) -> Map<String, Value> {
    let mut whole = Value::Object(answers(COMPLETE));
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    let parent = if parent.is_empty() { Some(&mut whole) } else { whole.pointer_mut(parent) };
    parent.unwrap().as_object_mut().unwrap().insert(name.to_owned(), value);
    whole.as_object().unwrap().clone()
}
fn capture(responses: Map<String, Value>) -> CaptureIntake {
    CaptureIntake {
        client_id: CLIENT,
        form: IntakeForm {
            schema_version: "2".to_owned(),
            language: None,
            responses,
            attachments: Vec::new(),
            submitted_at: STAGE_TIME,
        },
        next_of: None,
    }
}
fn next(first: &CapturedIntake, version: u32, responses: Map<String, Value>) -> CaptureIntake {
    CaptureIntake { next_of: Some(NextForm { intake_id: first.intake_id, version }), ..capture(responses) }
}
fn captured(stage: &mut Stage, responses: Map<String, Value>) -> CapturedIntake {
    stage.send(&capture(responses), mia()).unwrap()
}
fn call(clarifications: &[(&str, &str)]) -> CallNotes {
    let clarifications = clarifications.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
    CallNotes { notes: "spoke with Ida".to_owned(), clarifications: clarifications.collect(), ..CallNotes::default() }
}
/// Everything that the queries say about the one client and brief of a test.
fn seen(stage: &Stage, brief_id: BriefId) -> Value {
    let said = |answer: Result<Value, String>| answer.unwrap_or_else(Value::String);
    let intake = GetIntake { intake_id: crate::api::events::intake_of(brief_id), version: None };
    let views = [
        stage.query(&Status { client_id: CLIENT }).map(|view| serde_json::to_value(view).unwrap()),
        stage.query(&GetBrief { brief_id }).map(|view| serde_json::to_value(view).unwrap()),
        stage.query(&intake).map(|view| serde_json::to_value(view).unwrap()),
    ];
    Value::Array(views.into_iter().map(said).collect())
}
fn key(saga: Uuid, step: &str) -> StepKey {
    StepKey::derive(saga, step, saga_core::id::Direction::Do)
}
