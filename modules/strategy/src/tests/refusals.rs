//! Every code at least once, with the fields that travel beside it.

use super::{
    BRIEF, amend, ana, approve, discard, generate, mia, new_summary, reject, revoke, saga, snapshot, stage, submit,
    submitted, withdraw, written,
};
use crate::api::commands::{ApproveStrategy, GenerateStrategy, RejectStrategy};
use crate::api::dtos::{BriefSnapshot, Outline, StrategyPatch};
use crate::api::events::{Channel, Kpi, Layer};
use crate::api::fakes::FakeWriter;
use crate::api::providers::{Needs, ProviderError};
use crate::api::queries::Get;
use crate::api::refusals::{GenerateRefused, RejectRefused};
use crate::module;
use events::ids::{BriefId, StrategyId};
use saga_core::command::Common;
use saga_core::outcome::Refused;
use saga_testkit::stage::Stage;
use serde_json::{Value, json};
use std::sync::Arc;
use uuid::Uuid;

fn fields(refused: Refused) -> Value {
    refused.fields.unwrap().read().unwrap()
}
/// A stage whose writer first says this.
fn writing(said: Result<Outline, ProviderError>) -> Stage {
    Stage::new(module(Needs { writer: Arc::new(FakeWriter::new("fake", [said])), fallback: None }))
}
fn outline() -> Outline {
    FakeWriter::new("fake", []).outline(&snapshot())
}
fn one_channel(share_bp: u32) -> Vec<Channel> {
    let (platform, formats, role) = ("email".to_owned(), Vec::new(), String::new());
    vec![Channel { platform, formats, role, share_bp, budget: None }]
}
fn timeless_kpi() -> Vec<Kpi> {
    vec![Kpi { name: "leads".to_owned(), target: 1, unit: "count".to_owned(), timeframe_days: 0 }]
}

#[test]
fn a_brief_that_lacks_the_essentials_is_refused_before_anybody_writes() {
    let writer = Arc::new(FakeWriter::new("fake", []));
    let mut stage = Stage::new(module(Needs { writer: writer.clone(), fallback: None }));
    let empty: BriefSnapshot = serde_json::from_value(json!({"brief_id": BRIEF, "client_name": " "})).unwrap();
    let refused = stage.send(&GenerateStrategy { brief: empty, ..generate() }, ana()).unwrap_err();
    let missing = ["client_name", "audience", "primary_goal", "offers"];
    assert_eq!(fields(refused), json!({"code": "BRIEF_INCOMPLETE", "missing": missing}));
    let other = GenerateStrategy { brief_id: BriefId(Uuid::from_u128(9)), ..generate() };
    assert_eq!(stage.send(&other, ana()).unwrap_err().code, "INVALID_FIELD");
    let ahead = GenerateStrategy { requested_version: Some(2), ..generate() };
    assert_eq!(fields(stage.send(&ahead, ana()).unwrap_err()), json!({"code": "VERSION_CONFLICT", "actual": 0}));
    assert_eq!(writer.calls(), []);
    let right = GenerateStrategy { requested_version: Some(1), ..generate() };
    assert_eq!(stage.send(&right, ana()).unwrap().version, 1);
}

#[test]
fn what_is_not_a_strategy_is_refused() {
    let rejected = |code: &str| json!({"code": "WRITER_REJECTED", "provider_code": code});
    let layers = outline().layers.into_keys().map(|layer| (layer, "x".repeat(65_537))).collect();
    let table: Vec<(Result<Outline, ProviderError>, Value)> = vec![
        (Err(ProviderError::Rejected { code: "POLICY".to_owned() }), rejected("POLICY")),
        (Ok(Outline { channels: one_channel(9_999), ..outline() }), rejected("BAD_CHANNELS")),
        (Ok(Outline { kpis: timeless_kpi(), ..outline() }), rejected("BAD_KPIS")),
        (Ok(Outline { layers, ..outline() }), rejected("BAD_LAYERS")),
        (
            Ok(Outline { summary: "Lorem ipsum for [insert name], TBD, xxx, n/a".to_owned(), ..outline() }),
            json!({"code": "PLACEHOLDER_TEXT", "words": ["tbd", "lorem ipsum", "xxx", "[insert", "n/a"]}),
        ),
    ];
    for (said, expected) in table {
        let mut stage = writing(said);
        assert_eq!(fields(stage.send(&generate(), ana()).unwrap_err()), expected);
        assert_eq!(stage.names(), Vec::<String>::new());
    }
}

#[test]
fn an_incomplete_version_is_not_submitted() {
    let mut layers = outline().layers;
    layers.remove(&Layer::Narrative);
    layers.insert(Layer::Measurement, " ".to_owned());
    let mut stage = writing(Ok(Outline { summary: "Too short.".to_owned(), layers, ..outline() }));
    let id = written(&mut stage);
    let refused = stage.send(&submit(id), ana()).unwrap_err();
    let layers = ["narrative", "measurement", "summary"];
    assert_eq!(fields(refused), json!({"code": "CONTRACT_INVALID", "layers": layers}));
}

#[test]
fn approvals_need_the_newest_version_and_four_eyes() {
    let mut stage = stage();
    let first = submitted(&mut stage);
    assert_eq!(
        fields(stage.send(&approve(first), ana()).unwrap_err()),
        json!({"code": "SELF_APPROVAL", "actor": "ana"})
    );
    // Not even through a saga; but a saga may approve what a saga wrote.
    let through = ApproveStrategy { approver: Some(ana()), ..approve(first) };
    assert_eq!(stage.ask(&through, saga(1), "approve").unwrap_err().code, "SELF_APPROVAL");
    let forged = ApproveStrategy { approver: Some(mia()), ..approve(first) };
    assert_eq!(stage.send(&forged, ana()).unwrap_err().code, "NOT_PERMITTED");
    let second = written(&mut stage);
    assert_eq!(fields(stage.send(&approve(first), mia()).unwrap_err()), json!({"code": "NOT_LATEST", "latest": 2}));
    stage.send(&discard(second), mia()).unwrap();
    stage.send(&approve(first), mia()).unwrap();

    let saga_wrote = stage.ask(&generate(), saga(2), "write").unwrap().strategy_id;
    stage.ask(&submit(saga_wrote), saga(2), "submit").unwrap();
    stage.ask(&approve(saga_wrote), saga(2), "approve").unwrap();
}

#[test]
fn a_no_needs_a_reason_and_its_own_name() {
    let mut stage = stage();
    let id = submitted(&mut stage);
    let silent = RejectStrategy { reason: "  ".to_owned(), ..reject(id) };
    assert_eq!(fields(stage.send(&silent, mia()).unwrap_err()), json!({"code": "REASON_REQUIRED"}));
    let forged = RejectStrategy { decider: Some(mia()), ..reject(id) };
    assert_eq!(stage.send(&forged, ana()).unwrap_err().code, "NOT_PERMITTED");
    let signed = RejectStrategy { decider: Some(mia()), ..reject(id) };
    stage.send(&signed, mia()).unwrap();
}

#[test]
fn patches_keep_the_rules() {
    let mut stage = stage();
    let id = written(&mut stage);
    let table = [
        (StrategyPatch::default(), "INVALID_FIELD", "patch"),
        (
            StrategyPatch { channels: Some(one_channel(1)), ..StrategyPatch::default() },
            "INVALID_FIELD",
            "patch.channels",
        ),
        (StrategyPatch { kpis: Some(timeless_kpi()), ..StrategyPatch::default() }, "INVALID_FIELD", "patch.kpis"),
        (StrategyPatch { summary: Some("tbd".to_owned()), ..StrategyPatch::default() }, "PLACEHOLDER_TEXT", ""),
    ];
    for (patch, code, field) in table {
        let refused = stage.send(&amend(id, patch), mia()).unwrap_err();
        assert_eq!(refused.code, code);
        assert_eq!(fields(refused)["field"].as_str().unwrap_or(""), field);
    }
}

#[test]
fn what_is_not_there_is_not_found() {
    let mut stage = stage();
    written(&mut stage);
    let id = StrategyId(Uuid::from_u128(404));
    let outcomes = [
        stage.send(&submit(id), mia()).map(drop),
        stage.send(&withdraw(id), mia()),
        stage.send(&approve(id), mia()).map(drop),
        stage.send(&revoke(id), mia()),
        stage.send(&reject(id), mia()).map(drop),
        stage.send(&amend(id, new_summary()), mia()).map(drop),
        stage.send(&discard(id), mia()),
    ];
    for outcome in outcomes {
        assert_eq!(outcome.unwrap_err().code, "NOT_FOUND");
    }
    assert!(stage.query(&Get { strategy_id: id }).is_err());
}

#[test]
fn refusals_read_back_as_what_they_were() {
    let refusals = [
        GenerateRefused::BriefIncomplete { missing: vec!["offers".to_owned()] },
        GenerateRefused::WriterRejected { provider_code: "POLICY".to_owned() },
        GenerateRefused::Common(Common::WrongState { state: "DRAFT".to_owned() }),
    ];
    for refusal in refusals {
        let text = serde_json::to_string(&refusal).unwrap();
        assert_eq!(serde_json::from_str::<GenerateRefused>(&text).unwrap(), refusal, "{text}");
    }
    let text = serde_json::to_string(&RejectRefused::ReasonRequired).unwrap();
    assert_eq!(text, r#"{"code":"REASON_REQUIRED"}"#);
}
