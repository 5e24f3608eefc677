//! Strategy, tested through its api alone.

use crate::api::commands::{
    AmendStrategy, ApproveStrategy, DiscardStrategy, GenerateStrategy, RejectStrategy, RevokeStrategyApproval,
    SubmitStrategy, WithdrawSubmission,
};
use crate::api::dtos::{BriefSnapshot, StrategyDoc, StrategyPatch, WantedOffer};
use crate::api::fakes;
use crate::api::queries::ListVersions;
use crate::module;
use events::ids::{BriefId, ClientId, StrategyId};
use saga_core::envelope::Actor;
use saga_core::id::{Direction, StepKey};
use saga_testkit::stage::Stage;
use serde_json::Value;
use std::collections::BTreeMap;
use uuid::Uuid;

mod laws;
mod machine;
mod numbers;
mod refusals;
mod upcasts;
mod views;
mod writers;

const BRIEF: BriefId = BriefId(Uuid::from_u128(0xb1ef));
const CLIENT: ClientId = ClientId(Uuid::from_u128(0xc11e));

fn stage() -> Stage {
    Stage::new(module(fakes::needs()))
}
fn ana() -> Actor {
    Actor::operator("ana")
}
fn mia() -> Actor {
    Actor::operator("mia")
}
fn saga(number: u128) -> Uuid {
    Uuid::from_u128(0xa5a6_a000 + number)
}
/// The version that the step of a saga wrote.
fn own(saga: Uuid, step: &str) -> StrategyId {
    StrategyId::from(StepKey::derive(saga, step, Direction::Do))
}

fn snapshot() -> BriefSnapshot {
    let json = serde_json::json!({
        "brief_id": BRIEF, "client_name": "Fjordlys Rederi", "audience": "couples on a long weekend",
        "primary_goal": "400 evening passengers a week", "language": "en", "status": "fields it does not know"
    });
    let offers = vec![WantedOffer { name: "Evening crossing".to_owned(), usp: None }];
    BriefSnapshot { offers, ..serde_json::from_value(json).unwrap() }
}
fn generate() -> GenerateStrategy {
    GenerateStrategy { brief_id: BRIEF, brief: snapshot(), context: BTreeMap::new(), requested_version: None }
}
fn submit(strategy_id: StrategyId) -> SubmitStrategy {
    SubmitStrategy { brief_id: BRIEF, strategy_id, reviewers: vec!["mia".to_owned()] }
}
fn withdraw(strategy_id: StrategyId) -> WithdrawSubmission {
    WithdrawSubmission { brief_id: BRIEF, strategy_id, reason: "not yet".to_owned(), deed: None }
}
fn approve(strategy_id: StrategyId) -> ApproveStrategy {
    ApproveStrategy { brief_id: BRIEF, strategy_id, note: Some("good".to_owned()), approver: None }
}
fn revoke(strategy_id: StrategyId) -> RevokeStrategyApproval {
    RevokeStrategyApproval { brief_id: BRIEF, strategy_id, reason: "second thoughts".to_owned() }
}
fn reject(strategy_id: StrategyId) -> RejectStrategy {
    RejectStrategy { brief_id: BRIEF, strategy_id, reason: "too many channels".to_owned(), decider: None }
}
fn discard(strategy_id: StrategyId) -> DiscardStrategy {
    DiscardStrategy { brief_id: BRIEF, strategy_id, reason: "not needed".to_owned() }
}
fn amend(strategy_id: StrategyId, patch: StrategyPatch) -> AmendStrategy {
    AmendStrategy { brief_id: BRIEF, strategy_id, patch }
}
fn new_summary() -> StrategyPatch {
    let summary = "The evening itself is the product, and the ferry is where it happens every night.".to_owned();
    StrategyPatch { summary: Some(summary), ..StrategyPatch::default() }
}

fn written(stage: &mut Stage) -> StrategyId {
    stage.send(&generate(), ana()).unwrap().strategy_id
}
fn submitted(stage: &mut Stage) -> StrategyId {
    let id = written(stage);
    stage.send(&submit(id), ana()).unwrap();
    id
}
fn approved(stage: &mut Stage) -> StrategyId {
    let id = submitted(stage);
    stage.send(&approve(id), mia()).unwrap();
    id
}
fn versions(stage: &Stage) -> Vec<StrategyDoc> {
    stage.query(&ListVersions { brief_id: BRIEF }).unwrap()
}
fn seen(stage: &Stage) -> Value {
    serde_json::to_value(versions(stage)).unwrap()
}
