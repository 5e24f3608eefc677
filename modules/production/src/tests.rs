//! Production, through its door. What every file of tests needs stands here.

mod assets;
mod drafts;
mod events;
mod laws;
mod numbers;

use crate::api::commands::{CreateAsset, EditAsset, GenerateDraft, ReviseDraft};
use crate::api::dtos::{
    AssetBasis, AssetChanges, AssetContent, AssetCopy, AssetDoc, AssetMade, AssetSpec, AssetStatus, BriefEssentials,
    DraftDoc, DraftWritten, Offer, StrategySnapshot,
};
use crate::api::events::{Publication, RevisionRequest};
use crate::api::fakes::{FakeRenderer, FakeWriter, fakes};
use crate::api::queries::{Asset, Draft, Gallery};
use ::events::ids::{AssetId, BriefId, DraftId, QcResultId, StrategyId};
use ::events::qc::{QcFailed, QcPassed, Subject, SubjectKind};
use ::events::strategy::StrategyApproved;
use saga_core::bus::Delivered;
use saga_core::command::Command;
use saga_core::envelope::Actor;
use saga_core::id::{Direction, StepKey};
use saga_core::json::Payload;
use saga_core::outcome::{Answer, Refused};
use saga_testkit::stage::{Served, Stage, ready};
use std::sync::Arc;
use uuid::Uuid;

const STRATEGY: StrategyId = StrategyId(Uuid::from_u128(0x51));

struct World {
    stage: Stage,
    writer: Arc<FakeWriter>,
    renderer: Arc<FakeRenderer>,
}

impl World {
    /// With an approved strategy.
    fn new() -> Self {
        let mut world = Self::without_strategy();
        world.approve_strategy();
        world
    }
    fn without_strategy() -> Self {
        let (writer, renderer, needs) = fakes();
        Self { stage: Stage::new(crate::module(needs)), writer, renderer }
    }
    fn approve_strategy(&mut self) {
        self.approve_strategy_unheard();
        self.stage.project().unwrap();
    }
    /// It is approved, but production has not heard of it.
    fn approve_strategy_unheard(&mut self) {
        let approved = StrategyApproved {
            strategy_id: STRATEGY,
            brief_id: BriefId(Uuid::from_u128(0xb)),
            approved_by: mia(),
            version: 1,
            note: None,
            content_hash: None,
        };
        self.stage.hear("strategy_document", "b", &approved).unwrap();
    }
    fn draft(&mut self) -> DraftWritten {
        let written = self.stage.send(&generate(), mia()).unwrap();
        self.stage.project().unwrap();
        written
    }
    fn asset(&mut self, draft_id: Option<DraftId>) -> AssetMade {
        self.stage.send(&create(draft_id), mia()).unwrap()
    }
    fn judge(&mut self, kind: SubjectKind, id: Uuid, version: u32, good: bool) -> QcResultId {
        let result_id = QcResultId(Uuid::from_u128(0x9000 + self.stage.others.len() as u128 + u128::from(version)));
        let subject = Subject { kind, id, version };
        if good {
            let passed = QcPassed { result_id, subject, ..QcPassed::example() };
            self.stage.hear("qc_result", id, &passed).unwrap();
        } else {
            let failed = QcFailed { result_id, subject, ..QcFailed::example() };
            self.stage.hear("qc_result", id, &failed).unwrap();
        }
        self.stage.project().unwrap();
        result_id
    }
    /// An approved asset of its own.
    fn approved_asset(&mut self) -> AssetId {
        let asset = self.asset(None).asset_id;
        self.judge(SubjectKind::Asset, asset.0, 1, true);
        let approve = crate::api::commands::ApproveAsset { asset_id: asset, note: None };
        self.stage.send(&approve, mia()).unwrap();
        asset
    }
    fn shown(&self, asset_id: AssetId) -> Option<AssetDoc> {
        self.stage.query(&Asset { asset_id }).unwrap()
    }
    fn status(&self, asset_id: AssetId) -> &'static str {
        self.shown(asset_id).map_or("gone", |asset| asset.status.word())
    }
    fn shown_draft(&self, draft_id: DraftId) -> Option<DraftDoc> {
        self.stage.query(&Draft { draft_id }).unwrap()
    }
    /// Everything that a query can see.
    fn business(&self, draft_id: DraftId) -> (Option<DraftDoc>, Vec<AssetDoc>) {
        (self.shown_draft(draft_id), self.stage.query(&Gallery::default()).unwrap())
    }
    /// Sends a saga's command as a given attempt.
    fn attempt<C: Command>(&mut self, command: &C, saga: u128, attempt: u32) -> Result<C::Reply, Refused> {
        let (request, actor) = (Uuid::from_u128(saga), Actor::saga(saga));
        let payload = Payload::of(command).unwrap();
        let mut delivered = Delivered::direct(C::NAME, C::VERSION, payload, request, actor);
        delivered.deed.attempt = attempt;
        match self.stage.serve_delivered(&delivered) {
            Served::Answered(Answer::Done { output }) => Ok(output.read().unwrap()),
            Served::Answered(Answer::Refused(refused)) => Err(refused),
            Served::Answered(Answer::Retry { reason, .. }) => Err(Refused::new("RETRY", reason)),
            other @ (Served::Stale { .. } | Served::Park(_)) => panic!("{other:?}"),
        }
    }
}

fn mia() -> Actor {
    Actor::operator("mia")
}
fn saga(n: u128) -> Uuid {
    Uuid::from_u128(0x5a00 + n)
}
fn key(saga: Uuid, step: &str) -> StepKey {
    StepKey::derive(saga, step, Direction::Do)
}
fn code<T: std::fmt::Debug>(outcome: Result<T, Refused>) -> String {
    outcome.unwrap_err().code
}
fn brief() -> BriefEssentials {
    BriefEssentials {
        client_name: "Fjordlicht".to_owned(),
        audience: "lighting planners".to_owned(),
        offers: vec![Offer { name: "Polar lamp".to_owned(), usp: Some("repairable for twenty years".to_owned()) }],
        goal: "60 sample orders".to_owned(),
        tone: vec!["calm".to_owned()],
        must_include: vec!["free sample".to_owned()],
        must_avoid: vec!["cheap".to_owned()],
        cta_hints: vec![],
    }
}
fn generate() -> GenerateDraft {
    GenerateDraft {
        strategy_id: STRATEGY,
        strategy: StrategySnapshot { version: 1, summary: "one lamp, one story".to_owned(), ..Default::default() },
        brief: brief(),
        project_id: None,
        content_type: "content_pack".to_owned(),
        language: "en".to_owned(),
    }
}
fn revise(draft_id: DraftId, change: &str) -> ReviseDraft {
    let (section, change, priority) = ("hook".to_owned(), change.to_owned(), "must".to_owned());
    ReviseDraft { draft_id, requests: vec![RevisionRequest { section, change, priority }] }
}
fn spec(platform: &str, format: &str) -> AssetSpec {
    AssetSpec { platform: platform.to_owned(), format: format.to_owned(), language: "en".to_owned(), variant: 1 }
}
fn words(hook: &str) -> AssetCopy {
    let caption = Some("It is repaired, not replaced.".to_owned());
    AssetCopy { hook: hook.to_owned(), caption, cta: Some("Order a sample".to_owned()), tone: None }
}
fn create(draft_id: Option<DraftId>) -> CreateAsset {
    let content = AssetContent::Given(words("Light that stays"));
    CreateAsset { draft_id, campaign_id: None, spec: spec("linkedin", "post"), content }
}
fn written(draft_id: Option<DraftId>) -> CreateAsset {
    let basis = AssetBasis { strategy_id: None, strategy: StrategySnapshot::default(), brief: brief() };
    CreateAsset { content: AssetContent::Write(Box::new(basis)), ..create(draft_id) }
}
fn edit(asset_id: AssetId, hook: &str) -> EditAsset {
    EditAsset { asset_id, patch: AssetChanges { hook: Some(hook.to_owned()), ..Default::default() } }
}
fn publication(n: u32) -> Publication {
    let (platform, external_id) = ("linkedin".to_owned(), Some(format!("urn:{n}")));
    Publication { platform, external_id, url: format!("https://linkedin.example/{n}") }
}
fn status_words() -> [AssetStatus; 6] {
    use AssetStatus::*;
    [Draft, Approved, Published, Retracted, Archived, Discarded]
}
