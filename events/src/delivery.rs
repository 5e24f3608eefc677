//! What delivery tells the world: packages handed over, and every publication outside.

use crate::ids::{AssetId, CampaignId, ClientId, DeliveryPackageId, DraftId, ProjectId, PublishJobId};
use crate::values::Text;
use saga_core::envelope::Actor;
use saga_core::event::{Origin, Owner, Upcast};
use saga_core::time::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

mod examples;

/// The module.
#[derive(Debug, Clone, Copy)]
pub enum Delivery {}
impl Owner for Delivery {
    const MODULE: &'static str = "delivery";
}

story! {
    /// The story of a package.
    pub enum PackageEvent of Delivery in "delivery_package" { PackageCreated, PackageWithdrawn, Delivered }
}
story! {
    /// The story of a publish job.
    pub enum JobEvent of Delivery in "delivery_job" {
        PublishQueued, PublishHeld, PublishReleased, PublishCancelled, PublishStarted,
        PublishCompleted(PublishCompletedV1, PublishCompletedV2), PublishFailed(PublishFailedV1, PublishFailedV2),
        PublishOutcomeUnknown, PublishResolved, PublishRetryScheduled, PublishRetracted, PublishRetractFailed,
    }
}
story! {
    /// The story of the execution settings.
    pub enum ExecutionEvent of Delivery in "delivery_execution" { ExecutionSet }
}
story! {
    /// The story of what a client must have paid before delivery.
    pub enum PaymentRuleEvent of Delivery in "delivery_payment_rule" { PaymentRuleSet }
}

/// One file of a package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct Artifact {
    pub name: String,
    pub url: String,
    pub format: String,
    pub position: u32,
    pub sha256: String,
}

/// Where a publication goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct Destination {
    pub platform: String,
    pub account: String,
}

/// What kind of work a job is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum JobType {
    SocialPost,
    Email,
    CrmSync,
}

/// What is published.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct PublishPayload {
    pub text: Text,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub title: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub media_urls: Vec<String>,
}

/// One thing that is out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct Publication {
    pub platform: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub external_id: Option<String>,
    pub url: String,
}

/// Whether a failure may pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum FailureClass {
    Retryable,
    Permanent,
    Unknown,
}

/// How a person ended an unknown outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ResolvedOutcome {
    Published,
    Queued,
    Failed,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct PackageCreated {
    pub package_id: DeliveryPackageId,
    pub project_id: ProjectId,
    pub client_id: ClientId,
    pub draft_id: DraftId,
    pub artifacts: Vec<Artifact>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct PackageWithdrawn {
    pub package_id: DeliveryPackageId,
    pub reason: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct Delivered {
    pub package_id: DeliveryPackageId,
    pub artifact_count: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct PublishQueued {
    pub job_id: PublishJobId,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub asset_id: Option<AssetId>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub package_id: Option<DeliveryPackageId>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub campaign_id: Option<CampaignId>,
    pub job_type: JobType,
    pub destination: Destination,
    pub payload: PublishPayload,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub not_before: Option<Timestamp>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct PublishHeld {
    pub job_id: PublishJobId,
    pub reason: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct PublishReleased {
    pub job_id: PublishJobId,
    pub reason: String,
    pub actor: Actor,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct PublishCancelled {
    pub job_id: PublishJobId,
    pub reason: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct PublishStarted {
    pub job_id: PublishJobId,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub package_id: Option<DeliveryPackageId>,
    /// A rehearsal: nothing left the house.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub dry_run: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct PublishCompletedV1 {
    pub job_id: PublishJobId,
    pub published_urls: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct PublishCompletedV2 {
    pub job_id: PublishJobId,
    pub publications: Vec<Publication>,
    pub at: Timestamp,
    /// Named here so that the owner of the asset can react without asking.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub asset_id: Option<AssetId>,
}

impl Upcast<PublishCompletedV2> for PublishCompletedV1 {
    fn upcast(self, origin: &Origin) -> PublishCompletedV2 {
        let unknown = |url| Publication { platform: "unknown".to_owned(), external_id: None, url };
        PublishCompletedV2 {
            job_id: self.job_id,
            publications: self.published_urls.into_iter().map(unknown).collect(),
            at: origin.recorded_at,
            asset_id: None,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct PublishFailedV1 {
    pub job_id: PublishJobId,
    pub error_message: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct PublishFailedV2 {
    pub job_id: PublishJobId,
    pub code: String,
    pub class: FailureClass,
    pub message: String,
    pub tries: u32,
}

impl Upcast<PublishFailedV2> for PublishFailedV1 {
    fn upcast(self, _: &Origin) -> PublishFailedV2 {
        PublishFailedV2 {
            job_id: self.job_id,
            code: "legacy".to_owned(),
            class: FailureClass::Unknown,
            message: self.error_message,
            tries: 1,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct PublishOutcomeUnknown {
    pub job_id: PublishJobId,
    /// How often the platform was asked what became of it.
    #[serde(default)]
    pub asked: u32,
    /// When it is asked next; absent: a person decides.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub ask_at: Option<Timestamp>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct PublishResolved {
    pub job_id: PublishJobId,
    pub outcome: ResolvedOutcome,
    pub evidence: String,
    pub actor: Actor,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct PublishRetryScheduled {
    pub job_id: PublishJobId,
    pub at: Timestamp,
    /// Tries so far; 0 when a person started the count again.
    pub tries: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct PublishRetracted {
    pub job_id: PublishJobId,
    pub publications: Vec<Publication>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub asset_id: Option<AssetId>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct PublishRetractFailed {
    pub job_id: PublishJobId,
    pub code: String,
    pub manual_task: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct ExecutionSet {
    pub enabled: bool,
    pub dry_run: bool,
    pub channels: Vec<String>,
    pub actor: Actor,
    pub reason: String,
    /// The deed that set it, so that exactly this change can be taken back.
    pub change: Uuid,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct PaymentRuleSet {
    pub client_id: ClientId,
    pub payment_required: bool,
    pub reason: String,
    pub actor: Actor,
}
