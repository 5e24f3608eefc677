//! Client to delivery: from a brief to a delivered package.
//!
//! Pivot: the package. Before it everything is taken back; after it everything is carried through.

use super::packing;
use crate::api::dtos::{ClientToDelivery, STRATEGY_APPROVED, StrategyDecision};
use crate::internal::door;
use delivery::api::commands::{CreatePackage, DeliverPackage};
use delivery::api::dtos::PackageReply;
use events::ids::{ClientId, ProjectId};
use onboarding::api::commands::{CaptureIntake, NormalizeBrief, ValidateBrief};
use onboarding::api::dtos::{CapturedIntake, IntakeForm, NormalizedBrief};
use production::api::commands::{AssembleBundle, CreateAsset, GenerateDraft, ReviseDraft};
use production::api::dtos::{
    AssetBasis, AssetContent, AssetCopy, AssetMade, AssetSpec, BriefEssentials, BundleMade, DraftWritten,
    StrategySnapshot,
};
use production::api::events::RevisionRequest;
use qc::api::commands::EvaluateContent;
use qc::api::dtos::{Constraints, Evaluated};
use qc::api::events::{Subject, SubjectKind, Verdict};
use qc::api::{Piece, as_one};
use saga_core::definition::Definition;
use saga_core::envelope::Actor;
use saga_core::input::Misfit;
use saga_core::plain::is_blank;
use saga_core::policy::{AtMost, Deadline, Retry};
use saga_core::saga::{Plan, Saga};
use saga_core::step::{In, Item, Maybe, Out, Outs, StartedAt};
use saga_core::time::Timestamp;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::time::Duration;
use strategy::api::commands::{ApproveStrategy, GenerateStrategy, RejectStrategy, SubmitStrategy};
use strategy::api::dtos::{BriefSnapshot, StrategyDoc, measured};
use strategy::api::events::Layer;
use uuid::Uuid;

/// A strategy is written three times at most: the first time, and after two rejections.
const STRATEGY_VERSIONS: AtMost = AtMost(3);
/// A draft is judged three times at most: as written, and after two revisions.
const QC_ROUNDS: AtMost = AtMost(3);
/// Four renderings at once: what a content team's tools bear.
const ASSETS_AT_ONCE: AtMost = AtMost(4);
/// Twelve pieces of one draft: production refuses a thirteenth.
pub(super) const ASSETS_MAX: usize = 12;
/// What a draft is.
pub(super) const CONTENT_TYPE: &str = "content_pack";
/// 512 KiB: a draft with twelve pieces of social platforms, and far from what a command may hold.
const JUDGED_BYTES_MAX: usize = 512 * 1024;
/// Steps inside the house recover within a fraction of a second, so their first pauses are short.
const HOUSE: Retry = Retry::brief().pausing(Duration::from_millis(200), Duration::from_secs(60));
/// Providers of text and pictures need longer.
const PROVIDER: Retry = Retry::provider().pausing(Duration::from_millis(500), Duration::from_secs(1_800));

impl Saga for ClientToDelivery {
    const NAME: &'static str = "client-to-delivery";
    const VERSION: u16 = 1;
    fn plan(plan: Plan) -> Definition {
        plan.ask("capture-intake", capture_intake)
            .retry(HOUSE)
            .ask("normalize-brief", normalize_brief)
            .retry(HOUSE)
            .ask("validate-brief", validate_brief)
            .retry(HOUSE)
            .repeat("strategy", STRATEGY_VERSIONS, strategy_is_approved, |p| {
                p.ask("generate", generate_strategy)
                    .retry(PROVIDER)
                    .ask("submit", submit_strategy)
                    .retry(HOUSE)
                    .wait("decision", STRATEGY_APPROVED, Deadline::days(7))
                    .when("yes", strategy_is_approved, |p| p.ask("approve", approve_strategy).retry(HOUSE))
                    .when("no", strategy_is_rejected, |p| p.ask("reject", reject_strategy).retry(HOUSE))
            })
            .ask("generate-draft", generate_draft)
            .retry(PROVIDER)
            .each("assets", asset_specs, ASSETS_AT_ONCE, |p| p.ask("create", create_asset).retry(PROVIDER))
            .ask("assemble-bundle", assemble_bundle)
            .retry(HOUSE)
            .repeat("quality", QC_ROUNDS, quality_passed, |p| {
                p.when("again", quality_failed, |p| p.ask("revise", revise_draft).retry(PROVIDER))
                    .ask("evaluate", evaluate)
                    .retry(HOUSE)
            })
            .pivot("create-package", create_package)
            .retry(HOUSE)
            .then("deliver-package", deliver_package)
            .end()
    }
    fn example() -> Option<Self> {
        serde_json::from_str(include_str!("client_to_delivery.example.json")).ok()
    }
    fn check(&self) -> Vec<Misfit> {
        door::misfits(&self.0)
    }
}

/// Client ids come from their names until a client register exists; the same name is the same client.
fn client_id(name: &str) -> ClientId {
    const CLIENTS: Uuid = Uuid::from_u128(0x8031_522a_abcd_5e4a_a3b2_c000_6b92_66ba);
    ClientId(Uuid::new_v5(&CLIENTS, format!("client:{}", name.trim().to_lowercase()).as_bytes()))
}

fn capture_intake(
    In(ClientToDelivery(responses)): In<ClientToDelivery>,
    StartedAt(submitted_at): StartedAt,
) -> CaptureIntake {
    let name = responses.get("client").and_then(|client| client["name"].as_str()).unwrap_or_default();
    let client_id = client_id(name);
    CaptureIntake { client_id, form: form_of(responses, submitted_at), next_of: None }
}

/// A blank answer is silence here as everywhere.
pub(super) fn form_of(responses: Map<String, Value>, submitted_at: Timestamp) -> IntakeForm {
    let said = |field: &str| responses.get(field).and_then(Value::as_str).filter(|text| !text.trim().is_empty());
    let schema_version = said("schema_version").unwrap_or("2").trim().to_owned();
    let language = said("language").map(str::to_owned);
    IntakeForm { schema_version, language, responses, attachments: Vec::new(), submitted_at }
}

fn normalize_brief(Out(intake): Out<CapturedIntake>) -> NormalizeBrief {
    NormalizeBrief { brief_id: intake.brief_id, notes: None }
}

fn validate_brief(Out(intake): Out<CapturedIntake>) -> ValidateBrief {
    ValidateBrief { brief_id: intake.brief_id }
}

fn generate_strategy(Out(brief): Out<NormalizedBrief>, Maybe(last): Maybe<StrategyDecision>) -> GenerateStrategy {
    let rejected = last.and_then(|decision| decision.note).map(|note| ("rejected_because".to_owned(), note));
    let context: BTreeMap<String, String> = rejected.into_iter().collect();
    GenerateStrategy { brief_id: brief.brief_id, brief: snapshot_of(&brief), context, requested_version: None }
}

fn submit_strategy(Out(strategy): Out<StrategyDoc>) -> SubmitStrategy {
    let StrategyDoc { brief_id, strategy_id, .. } = strategy;
    SubmitStrategy { brief_id, strategy_id, reviewers: Vec::new() }
}

fn strategy_is_approved(Out(decision): Out<StrategyDecision>) -> bool {
    decision.approved
}

fn strategy_is_rejected(Out(decision): Out<StrategyDecision>) -> bool {
    !decision.approved
}

fn approve_strategy(Out(strategy): Out<StrategyDoc>, Out(decision): Out<StrategyDecision>) -> ApproveStrategy {
    let StrategyDoc { brief_id, strategy_id, .. } = strategy;
    ApproveStrategy { brief_id, strategy_id, note: decision.note, approver: decision.by.map(Actor::operator) }
}

fn reject_strategy(Out(strategy): Out<StrategyDoc>, Out(decision): Out<StrategyDecision>) -> RejectStrategy {
    let StrategyDoc { brief_id, strategy_id, .. } = strategy;
    let said = decision.note.filter(|note| !is_blank(note));
    let reason = said.unwrap_or_else(|| "rejected without a reason".to_owned());
    RejectStrategy { brief_id, strategy_id, reason, decider: decision.by.map(Actor::operator) }
}

fn generate_draft(Out(brief): Out<NormalizedBrief>, Out(strategy): Out<StrategyDoc>) -> GenerateDraft {
    GenerateDraft {
        strategy_id: strategy.strategy_id,
        strategy: strategy_snapshot(&strategy),
        brief: essentials(&brief),
        project_id: Some(project_of(&brief)),
        content_type: CONTENT_TYPE.to_owned(),
        language: brief.language,
    }
}

/// One piece for each platform, format, language and number that the content plan asks for. Items that ask for the same go
/// on counting: two pieces with one number would have the same first line and the same name.
fn asset_specs(Out(brief): Out<NormalizedBrief>) -> Vec<AssetSpec> {
    pieces(&brief)
}

pub(super) fn pieces(brief: &NormalizedBrief) -> Vec<AssetSpec> {
    let mut counted: BTreeMap<(&str, &str, &str), u32> = BTreeMap::new();
    let wanted = brief.content_plan.iter().flat_map(|item| (0..item.count).map(move |_| item));
    let pieces = wanted.take(ASSETS_MAX).map(|item| {
        let variant = counted.entry((&item.platform, &item.format, &item.language)).or_default();
        *variant += 1;
        AssetSpec {
            platform: item.platform.clone(),
            format: item.format.clone(),
            language: item.language.clone(),
            variant: *variant,
        }
    });
    pieces.collect()
}

fn create_asset(
    Item(spec): Item<AssetSpec>,
    Out(draft): Out<DraftWritten>,
    Out(brief): Out<NormalizedBrief>,
    Out(strategy): Out<StrategyDoc>,
) -> CreateAsset {
    let basis = AssetBasis {
        strategy_id: Some(strategy.strategy_id),
        strategy: strategy_snapshot(&strategy),
        brief: essentials(&brief),
    };
    let content = AssetContent::Write(Box::new(basis));
    CreateAsset { draft_id: Some(draft.draft_id), campaign_id: None, spec, content }
}

fn assemble_bundle(Out(draft): Out<DraftWritten>, Outs(assets): Outs<AssetMade>) -> AssembleBundle {
    AssembleBundle { draft_id: draft.draft_id, asset_ids: assets.iter().map(|asset| asset.asset_id).collect() }
}

fn evaluate(
    Out(draft): Out<DraftWritten>,
    Out(brief): Out<NormalizedBrief>,
    Outs(assets): Outs<AssetMade>,
) -> EvaluateContent {
    let subject = Subject { kind: SubjectKind::Draft, id: draft.draft_id.0, version: draft.revision };
    let made = assets.iter().map(|asset| (&asset.spec, &asset.copy));
    judgement_of(subject, draft.body, draft.language, brief, made)
}

/// Quality control judges what the client gets: the draft, and each piece by itself and in its own language.
pub(super) fn judgement_of<'a>(
    subject: Subject,
    body: String,
    language: String,
    brief: NormalizedBrief,
    made: impl Iterator<Item = (&'a AssetSpec, &'a AssetCopy)>,
) -> EvaluateContent {
    EvaluateContent {
        subject,
        content: judged(&body, made),
        language,
        platform: None,
        constraints: Constraints {
            must_include: brief.must_include,
            must_avoid: brief.must_avoid,
            competitors: brief.competitors,
            cta_hints: Vec::new(),
            proof_references: Vec::new(),
        },
        benchmarks: brief.other_constraints,
        content_hash: None,
        live_hooks: Vec::new(),
        force: None,
    }
}

/// The draft and the words of each piece, as quality control takes them.
pub(super) fn judged<'a>(draft: &str, made: impl Iterator<Item = (&'a AssetSpec, &'a AssetCopy)>) -> String {
    let pieces = made.map(|(spec, copy)| Piece {
        name: packing::name_of(spec),
        language: spec.language.clone(),
        text: [Some(&copy.hook), copy.caption.as_ref(), copy.cta.as_ref()]
            .into_iter()
            .flatten()
            .cloned()
            .collect::<Vec<_>>()
            .join("\n\n"),
    });
    as_one(draft, pieces, JUDGED_BYTES_MAX)
}

fn quality_passed(Out(result): Out<Evaluated>) -> bool {
    result.verdict != Verdict::Fail
}

fn quality_failed(Maybe(result): Maybe<Evaluated>) -> bool {
    result.is_some_and(|result| result.verdict == Verdict::Fail)
}

fn revise_draft(Out(draft): Out<DraftWritten>, Maybe(result): Maybe<Evaluated>) -> ReviseDraft {
    let issues = result.map(|result| result.issues).unwrap_or_default();
    let requests = issues.into_iter().map(|issue| RevisionRequest {
        section: issue.section,
        change: format!("{}: {}", issue.check, issue.reason),
        priority: "must".to_owned(),
    });
    ReviseDraft { draft_id: draft.draft_id, requests: requests.collect() }
}

fn create_package(
    Out(brief): Out<NormalizedBrief>,
    Out(strategy): Out<StrategyDoc>,
    Out(draft): Out<DraftWritten>,
    Out(bundle): Out<BundleMade>,
    Outs(assets): Outs<AssetMade>,
) -> CreatePackage {
    CreatePackage {
        project_id: project_of(&brief),
        client_id: brief.client_id,
        draft_id: draft.draft_id,
        draft_revision: Some(draft.revision),
        requires_client_approval: false,
        artifacts: packing::artifacts(&brief, &strategy, draft, &bundle, &assets),
    }
}

fn deliver_package(Out(package): Out<PackageReply>) -> DeliverPackage {
    DeliverPackage { package_id: package.package_id }
}

fn project_of(brief: &NormalizedBrief) -> ProjectId {
    ProjectId(Uuid::new_v5(&brief.brief_id.0, b"project"))
}

/// Strategy reads what it needs of a normalised brief by name; the field names are the same on both sides.
fn snapshot_of(brief: &NormalizedBrief) -> BriefSnapshot {
    use strategy::api::dtos::{WantedContent, WantedKpi, WantedOffer, WeekSpan};
    BriefSnapshot {
        brief_id: brief.brief_id,
        client_name: brief.client_name.clone(),
        industry: brief.industry.clone(),
        geography: brief.geography.clone(),
        description: brief.description.clone(),
        language: brief.language.clone(),
        audience: brief.audience.clone(),
        pain_points: brief.pain_points.clone(),
        primary_goal: brief.primary_goal.clone(),
        goals: brief.goals.clone(),
        kpis: brief
            .kpis
            .iter()
            .map(|kpi| WantedKpi { name: kpi.name.clone(), target: kpi.target, unit: kpi.unit.clone() })
            .collect(),
        tone: brief.tone.clone(),
        competitors: brief.competitors.clone(),
        must_include: brief.must_include.clone(),
        must_avoid: brief.must_avoid.clone(),
        other_constraints: brief.other_constraints.clone(),
        budget: brief.budget.clone(),
        offers: brief
            .offers
            .iter()
            .map(|offer| WantedOffer { name: offer.name.clone(), usp: offer.usp.clone() })
            .collect(),
        content_plan: brief
            .content_plan
            .iter()
            .map(|item| WantedContent {
                platform: item.platform.clone(),
                format: item.format.clone(),
                language: item.language.clone(),
                count: item.count,
            })
            .collect(),
        focus_platforms: brief.focus_platforms.clone(),
        timeline_weeks: brief.timeline_weeks.map(|weeks| WeekSpan { min: weeks.min, max: weeks.max }),
    }
}

fn strategy_snapshot(strategy: &StrategyDoc) -> StrategySnapshot {
    StrategySnapshot {
        version: strategy.version,
        summary: strategy.summary.head().to_owned(),
        narrative: strategy.layers.get(&Layer::Narrative).cloned().unwrap_or_default(),
        channels: strategy.channels.iter().map(|channel| channel.platform.clone()).collect(),
        kpis: strategy.kpis.iter().map(|kpi| measured(&kpi.name, kpi.target, &kpi.unit)).collect(),
    }
}

pub(super) fn essentials(brief: &NormalizedBrief) -> BriefEssentials {
    BriefEssentials {
        client_name: brief.client_name.clone(),
        audience: brief.audience.clone(),
        offers: brief
            .offers
            .iter()
            .map(|offer| production::api::dtos::Offer { name: offer.name.clone(), usp: offer.usp.clone() })
            .collect(),
        goal: brief.primary_goal.clone(),
        tone: brief.tone.clone(),
        must_include: brief.must_include.clone(),
        must_avoid: brief.must_avoid.clone(),
        cta_hints: Vec::new(),
    }
}
