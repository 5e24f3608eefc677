//! Values that cross the door: the form as it comes in, the brief as it goes on, and the views that queries answer.

use crate::api::events::{
    Attachment, BriefNormalized, Call, Constraint, ConstraintKind, IntakeRef, Kpi, Offer, PlannedContent, Weeks,
};
use events::ids::{BriefId, ClientId, IntakeId, ProjectId};
use events::values::{Money, Text};
use saga_core::time::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

pub mod form;
pub use form::{
    AudienceAnswers, BrandAnswers, BriefAnswers, BriefForm, ClientAnswers, ConstraintAnswers, Contact, Contract,
    FormFault, GoalAnswers, KpiAnswer, OfferAnswer, OperationsAnswers, PlanAnswer, ProductAnswers, TimelineAnswer,
    VoiceAnswers,
};

/// A form as it was handed in. `responses` has the shape of [`BriefForm`]; what else it holds is kept as it came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct IntakeForm {
    /// The version of the questionnaire, `2` or `2.x`.
    pub schema_version: String,
    /// A language tag; when absent the answers' own `language` counts, then their script.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub language: Option<String>,
    pub responses: Map<String, Value>,
    #[serde(default)]
    pub attachments: Vec<Attachment>,
    pub submitted_at: Timestamp,
}

/// What was said on the call after the form.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct CallNotes {
    pub notes: String,
    /// Answers to questions the form left open, by the names that `MISSING_FIELDS` uses, and `target_audience`.
    pub clarifications: BTreeMap<String, String>,
    pub attachments: Vec<Attachment>,
    pub call_date: Option<String>,
}

/// Where a brief stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum BriefStatus {
    Captured,
    Normalized,
    Validated,
    Reverted,
    Cancelled,
}

impl BriefStatus {
    /// The word on the wire.
    pub fn word(self) -> &'static str {
        match self {
            BriefStatus::Captured => "CAPTURED",
            BriefStatus::Normalized => "NORMALIZED",
            BriefStatus::Validated => "VALIDATED",
            BriefStatus::Reverted => "REVERTED",
            BriefStatus::Cancelled => "CANCELLED",
        }
    }
}

/// Everything that later steps need to know about a client and their wishes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct NormalizedBrief {
    pub brief_id: BriefId,
    pub client_id: ClientId,
    pub intake: IntakeRef,
    pub client_name: String,
    pub brand_name: String,
    pub website: String,
    pub industry: String,
    pub geography: String,
    pub description: String,
    /// The language of the brief itself.
    pub language: String,
    /// The languages content is wanted in, each once; never empty.
    pub languages: Vec<String>,
    pub audience: String,
    pub pain_points: Vec<String>,
    pub primary_goal: String,
    /// All goals, the primary one first.
    pub goals: Vec<String>,
    pub kpis: Vec<Kpi>,
    pub tone: Vec<String>,
    pub competitors: Vec<String>,
    pub must_include: Vec<String>,
    pub must_avoid: Vec<String>,
    pub other_constraints: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub budget: Option<Money>,
    /// Never empty; the first is the primary offer.
    pub offers: Vec<Offer>,
    pub content_plan: Vec<PlannedContent>,
    pub focus_platforms: Vec<String>,
    pub deliverables: Vec<String>,
    pub exclusions: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub timeline_weeks: Option<Weeks>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub approval: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub review_rounds_expected: Option<u32>,
    /// Which of the above nobody said and the house filled in.
    pub defaults_used: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub notes: Option<Text>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub call: Option<Call>,
}

impl From<&BriefNormalized> for NormalizedBrief {
    fn from(event: &BriefNormalized) -> Self {
        let (brand, scope) = (&event.brand_guidelines, &event.scope);
        let of_kind = |kind| {
            let texts = event.constraints.iter().filter(|constraint| constraint.kind == kind);
            texts.map(|Constraint { text, .. }| text.clone()).collect()
        };
        let mut languages: Vec<String> = Vec::new();
        for item in &scope.content_plan {
            if !languages.contains(&item.language) {
                languages.push(item.language.clone());
            }
        }
        if languages.is_empty() {
            languages.push(event.language.clone());
        }
        Self {
            brief_id: event.brief_id,
            client_id: event.client_id,
            intake: event.intake,
            client_name: brand.client_name.clone(),
            brand_name: brand.brand_name.clone(),
            website: brand.website.clone(),
            industry: brand.industry.clone(),
            geography: brand.geography.clone(),
            description: brand.description.clone(),
            language: event.language.clone(),
            languages,
            audience: event.target_audience.primary.clone(),
            pain_points: event.target_audience.pain_points.clone(),
            primary_goal: event.objectives.first().map(|first| first.goal.clone()).unwrap_or_default(),
            goals: event.objectives.iter().map(|objective| objective.goal.clone()).collect(),
            kpis: event.objectives.iter().flat_map(|objective| objective.kpis.clone()).collect(),
            tone: brand.tone.clone(),
            competitors: brand.competitors.clone(),
            must_include: of_kind(ConstraintKind::MustInclude),
            must_avoid: of_kind(ConstraintKind::MustAvoid),
            other_constraints: of_kind(ConstraintKind::Other),
            budget: event.budget.clone(),
            offers: scope.offers.clone(),
            content_plan: scope.content_plan.clone(),
            focus_platforms: scope.focus_platforms.clone(),
            deliverables: scope.deliverables.clone(),
            exclusions: scope.exclusions.clone(),
            timeline_weeks: scope.timeline_weeks,
            approval: scope.approval.clone(),
            review_rounds_expected: scope.review_rounds_expected,
            defaults_used: scope.defaults_used.clone(),
            notes: event.notes.clone(),
            call: event.call.clone(),
        }
    }
}

/// The answer to a captured form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct CapturedIntake {
    pub intake_id: IntakeId,
    pub brief_id: BriefId,
    pub version: u32,
}

/// The answer of a command that only moves a brief.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct BriefMoved {
    pub brief_id: BriefId,
    pub status: BriefStatus,
}

/// The answer to a created project.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct CreatedProject {
    pub project_id: ProjectId,
    pub workspace_url: String,
}

/// One form of an intake, with the versions there are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct IntakeView {
    pub intake_id: IntakeId,
    pub brief_id: BriefId,
    pub client_id: ClientId,
    pub version: u32,
    /// All versions that count, oldest first.
    pub versions: Vec<u32>,
    /// The number the next form will get.
    pub next_version: u32,
    pub language: String,
    pub responses: Map<String, Value>,
    pub attachments: Vec<Attachment>,
    pub submitted_at: Timestamp,
}

/// A brief with what is still missing and how far its project is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct BriefCard {
    pub brief_id: BriefId,
    pub client_id: ClientId,
    pub status: BriefStatus,
    pub stage: ProjectStage,
    /// Required answers that nobody gave yet; empty once the brief is normalised.
    pub missing: Vec<String>,
    /// Present while the brief is normalised or validated.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub brief: Option<NormalizedBrief>,
}

/// Where a project stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ProjectStatus {
    Ready,
    Closed,
}

/// A project with its workspace and its stage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct ProjectView {
    pub project_id: ProjectId,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub client_id: Option<ClientId>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub brief_id: Option<BriefId>,
    pub workspace_url: String,
    pub status: ProjectStatus,
    pub stage: ProjectStage,
}

/// How far the work for a project is. Nobody sets it: it follows from the events of all modules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ProjectStage {
    Intake,
    Strategy,
    StrategyApproved,
    Creative,
    Qc,
    Review,
    Delivery,
    Delivered,
    OnHold,
    Cancelled,
}

/// How far the onboarding of a client is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum OnboardingStage {
    Intake,
    Discovery,
    BriefReview,
    WorkspaceSetup,
    Complete,
}

/// The answer to [`super::queries::Status`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct ClientStatus {
    pub stage: OnboardingStage,
    pub intake_complete: bool,
    pub brief_validated: bool,
    pub workspace_created: bool,
}

/// How many briefs stand where.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct FunnelView {
    pub captured: u64,
    pub normalized: u64,
    pub validated: u64,
    pub reverted: u64,
    pub cancelled: u64,
}
