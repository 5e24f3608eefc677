//! What onboarding tells the world: intakes as they were said, briefs as they were understood, workspaces.
//!
//! Beyond the fields that the events are known by, some carry optional ones: `deed` says which deed made the thing, so
//! that an undo takes back its own work only; `client_id` and `brief_id` let listeners place an event without a look-up.

use crate::ids::{BriefId, ClientId, IntakeId, ProjectId};
use crate::values::{Money, Text};
use saga_core::event::{Origin, Owner, Upcast};
use saga_core::id::StepKey;
use saga_core::time::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use uuid::Uuid;

mod examples;

/// The owner of these events.
#[derive(Debug, Clone, Copy)]
pub enum Onboarding {}
impl Owner for Onboarding {
    const MODULE: &'static str = "onboarding";
}

story! {
    /// The story of one intake.
    pub enum IntakeEvent of Onboarding in "onboarding_intake" {
        IntakeCaptured(IntakeCapturedV1, IntakeCapturedV2), IntakeWithdrawn,
    }
}
story! {
    /// The story of one brief.
    pub enum BriefEvent of Onboarding in "onboarding_brief" {
        BriefNormalized, BriefValidated, BriefNormalizationReverted, BriefCancelled,
    }
}
story! {
    /// The story of one project.
    pub enum ProjectEvent of Onboarding in "onboarding_project" { WorkspaceCreated, ProjectClosed }
}

/// The intake of a brief: there is one per brief, and its id follows from the brief's.
pub fn intake_of(brief: BriefId) -> IntakeId {
    IntakeId(Uuid::new_v5(&brief.0, b"intake"))
}

/// A file that came with a form or a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct Attachment {
    pub name: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub sha256: Option<String>,
}

/// Which form of which intake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct IntakeRef {
    pub id: IntakeId,
    pub version: u32,
}

/// A span of weeks; both ends count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct Weeks {
    pub min: u32,
    pub max: u32,
}

/// Something the client sells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct Offer {
    pub name: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub usp: Option<String>,
}

/// So many pieces of one format for one platform in one language.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct PlannedContent {
    pub platform: String,
    pub format: String,
    pub language: String,
    pub count: u32,
}

/// What is to be made, and in which time.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct Scope {
    pub deliverables: Vec<String>,
    #[serde(default)]
    pub exclusions: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub timeline_weeks: Option<Weeks>,
    #[serde(default)]
    pub offers: Vec<Offer>,
    #[serde(default)]
    pub content_plan: Vec<PlannedContent>,
    #[serde(default)]
    pub focus_platforms: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub approval: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub review_rounds_expected: Option<u32>,
    #[serde(default)]
    pub defaults_used: Vec<String>,
}

/// A number by which success is measured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct Kpi {
    pub name: String,
    pub target: i64,
    pub unit: String,
}

/// A goal with its numbers; the first one of a brief is the primary one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct Objective {
    pub goal: String,
    #[serde(default)]
    pub kpis: Vec<Kpi>,
}

/// Whom the client wants to reach.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct Audience {
    pub primary: String,
    #[serde(default)]
    pub pain_points: Vec<String>,
}

/// Who the client is and how they want to sound.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct BrandGuidelines {
    pub client_name: String,
    pub brand_name: String,
    pub website: String,
    pub industry: String,
    pub geography: String,
    #[serde(default)]
    pub description: String,
    #[serde(default)]
    pub tone: Vec<String>,
    #[serde(default)]
    pub competitors: Vec<String>,
}

/// What a constraint asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ConstraintKind {
    MustInclude,
    MustAvoid,
    Other,
}

/// One rule the client set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct Constraint {
    pub kind: ConstraintKind,
    pub text: String,
}

/// What was said on the call after the form: notes, and answers that the form did not have.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct Call {
    pub notes: Text,
    #[serde(default)]
    pub clarifications: BTreeMap<String, String>,
    #[serde(default)]
    pub attachments: Vec<Attachment>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub date: Option<String>,
}

/// Version 1: that there was a form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct IntakeCapturedV1 {
    pub client_id: ClientId,
    pub brief_id: BriefId,
    pub form_version: u32,
}
/// Version 2: with everything that was said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct IntakeCapturedV2 {
    pub client_id: ClientId,
    pub brief_id: BriefId,
    pub form_version: u32,
    pub intake_id: IntakeId,
    pub language: String,
    pub responses: Map<String, Value>,
    pub attachments: Vec<Attachment>,
    pub submitted_at: Timestamp,
}
impl Upcast<IntakeCapturedV2> for IntakeCapturedV1 {
    fn upcast(self, origin: &Origin) -> IntakeCapturedV2 {
        IntakeCapturedV2 {
            client_id: self.client_id,
            brief_id: self.brief_id,
            form_version: self.form_version,
            intake_id: intake_of(self.brief_id),
            language: "und".to_owned(),
            responses: Map::new(),
            attachments: Vec::new(),
            submitted_at: origin.recorded_at,
        }
    }
}

/// One form of an intake counts no longer; earlier ones do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct IntakeWithdrawn {
    pub intake_id: IntakeId,
    pub version: u32,
    pub reason: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub brief_id: Option<BriefId>,
}

/// What the client said, as it was understood.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct BriefNormalized {
    pub brief_id: BriefId,
    pub client_id: ClientId,
    pub intake: IntakeRef,
    pub scope: Scope,
    pub objectives: Vec<Objective>,
    pub target_audience: Audience,
    pub brand_guidelines: BrandGuidelines,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub budget: Option<Money>,
    pub constraints: Vec<Constraint>,
    pub language: String,
    /// What the client wrote beside the questions.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub notes: Option<Text>,
    /// What was said and written down on the call.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub call: Option<Call>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub deed: Option<StepKey>,
}

/// Nothing required is missing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct BriefValidated {
    pub brief_id: BriefId,
    pub client_id: ClientId,
    pub scope_deliverables: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub deed: Option<StepKey>,
}

/// The normalised brief counts no longer; the intake stays.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct BriefNormalizationReverted {
    pub brief_id: BriefId,
    pub reason: String,
}

/// The brief is given up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct BriefCancelled {
    pub brief_id: BriefId,
}

/// A project has a place to work in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct WorkspaceCreated {
    pub project_id: ProjectId,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub brief_id: Option<BriefId>,
    pub workspace_url: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub client_id: Option<ClientId>,
}

/// The project is over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct ProjectClosed {
    pub project_id: ProjectId,
    pub reason: String,
}
