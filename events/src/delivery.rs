//! What delivery tells the world: packages handed over, and every publication outside.

use crate::ids::{AssetId, CampaignId, ClientId, DeliveryPackageId, DraftId, ProjectId, PublishJobId};
use crate::values::Text;
use saga_core::envelope::Actor;
use saga_core::event::{DecodeError, Event, Genesis, Origin, Owner, Upcast};
use saga_core::event_set;
use saga_core::json::Payload;
use saga_core::time::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The module.
#[derive(Debug, Clone, Copy)]
pub enum Delivery {}
impl Owner for Delivery {
    const MODULE: &'static str = "delivery";
}

/// Every version of every event, alphabetical.
pub const CATALOGUE: &[(&str, u16)] = &[
    ("Delivered", 1),
    ("ExecutionSet", 1),
    ("PackageCreated", 1),
    ("PackageWithdrawn", 1),
    ("PaymentRuleSet", 1),
    ("PublishCancelled", 1),
    ("PublishCompleted", 1),
    ("PublishCompleted", 2),
    ("PublishFailed", 1),
    ("PublishFailed", 2),
    ("PublishHeld", 1),
    ("PublishOutcomeUnknown", 1),
    ("PublishQueued", 1),
    ("PublishReleased", 1),
    ("PublishResolved", 1),
    ("PublishRetractFailed", 1),
    ("PublishRetracted", 1),
    ("PublishRetryScheduled", 1),
    ("PublishStarted", 1),
];

pub type PublishCompleted = PublishCompletedV2;
pub type PublishFailed = PublishFailedV2;

event_set! {
    /// The story of a package.
    pub enum PackageEvent of Delivery { PackageCreated, PackageWithdrawn, Delivered }
}
event_set! {
    /// The story of a publish job.
    pub enum JobEvent of Delivery {
        PublishQueued, PublishHeld, PublishReleased, PublishCancelled, PublishStarted, PublishCompleted, PublishFailed,
        PublishOutcomeUnknown, PublishResolved, PublishRetryScheduled, PublishRetracted, PublishRetractFailed,
    }
}
event_set! {
    /// The story of the execution settings.
    pub enum ExecutionEvent of Delivery { ExecutionSet }
}
event_set! {
    /// The story of what a client must have paid before delivery.
    pub enum PaymentRuleEvent of Delivery { PaymentRuleSet }
}

/// Nineteen equal places: an event's name and version are its type's name and version 1, or are given.
macro_rules! event {
    ($event:ident) => {
        event!($event, stringify!($event), 1, Genesis);
    };
    ($event:ident, $name:expr, $version:literal, $previous:ty) => {
        impl Event for $event {
            type Owner = Delivery;
            const NAME: &'static str = $name;
            const VERSION: u16 = $version;
            type Previous = $previous;
        }
    };
}
event!(PackageCreated);
event!(PackageWithdrawn);
event!(Delivered);
event!(PublishQueued);
event!(PublishHeld);
event!(PublishReleased);
event!(PublishCancelled);
event!(PublishStarted);
event!(PublishCompletedV1, "PublishCompleted", 1, Genesis);
event!(PublishCompletedV2, "PublishCompleted", 2, PublishCompletedV1);
event!(PublishFailedV1, "PublishFailed", 1, Genesis);
event!(PublishFailedV2, "PublishFailed", 2, PublishFailedV1);
event!(PublishOutcomeUnknown);
event!(PublishResolved);
event!(PublishRetryScheduled);
event!(PublishRetracted);
event!(PublishRetractFailed);
event!(ExecutionSet);
event!(PaymentRuleSet);

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
    fn read(version: u16, data: &Payload, origin: &Origin) -> Result<Self, DecodeError> {
        Self::decode(version, data, origin)
    }
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
    fn read(version: u16, data: &Payload, origin: &Origin) -> Result<Self, DecodeError> {
        Self::decode(version, data, origin)
    }
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

const JOB: PublishJobId = PublishJobId(Uuid::from_u128(0x018f_3c6e_0000_7000_8000_0000_0000_0070));
const PACKAGE: DeliveryPackageId = DeliveryPackageId(Uuid::from_u128(0x018f_3c6e_0000_7000_8000_0000_0000_0071));
const ASSET: AssetId = AssetId(Uuid::from_u128(0x018f_3c6e_0000_7000_8000_0000_0000_0072));
const CLIENT: ClientId = ClientId(Uuid::from_u128(0x018f_3c6e_0000_7000_8000_0000_0000_0073));
/// 2025-12-13T12:00:00Z.
const NOON: Timestamp = Timestamp(1_765_627_200_000_000);

impl Publication {
    pub fn example() -> Self {
        Self {
            platform: "linkedin".to_owned(),
            external_id: Some("urn:li:share:7012".to_owned()),
            url: "https://www.linkedin.com/feed/update/7012".to_owned(),
        }
    }
}
impl PackageCreated {
    pub fn example() -> Self {
        let files = [("content_pack.zip", "zip"), ("strategy_doc.pdf", "pdf"), ("assets_bundle.zip", "zip")];
        let artifact = |(position, (name, format)): (u32, (&str, &str))| Artifact {
            name: name.to_owned(),
            url: format!("file:///packages/{name}"),
            format: format.to_owned(),
            position,
            sha256: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08".to_owned(),
        };
        Self {
            package_id: PACKAGE,
            project_id: ProjectId(Uuid::from_u128(0x018f_3c6e_0000_7000_8000_0000_0000_0074)),
            client_id: CLIENT,
            draft_id: DraftId(Uuid::from_u128(0x018f_3c6e_0000_7000_8000_0000_0000_0075)),
            artifacts: (1..).zip(files).map(artifact).collect(),
        }
    }
}
impl PackageWithdrawn {
    pub fn example() -> Self {
        Self { package_id: PACKAGE, reason: "the client changed the brief".to_owned() }
    }
}
impl Delivered {
    pub fn example() -> Self {
        Self { package_id: PACKAGE, artifact_count: 3 }
    }
}
impl PublishQueued {
    pub fn example() -> Self {
        let text = Text::Inline("Stop losing Fridays. 月曜日を取り戻す".to_owned());
        Self {
            job_id: JOB,
            asset_id: Some(ASSET),
            package_id: Some(PACKAGE),
            campaign_id: Some(CampaignId(Uuid::from_u128(0x018f_3c6e_0000_7000_8000_0000_0000_0076))),
            job_type: JobType::SocialPost,
            destination: Destination { platform: "linkedin".to_owned(), account: "nordlys".to_owned() },
            payload: PublishPayload { text, title: None, media_urls: vec!["https://media.example/a.svg".to_owned()] },
            not_before: Some(NOON),
        }
    }
}
impl PublishHeld {
    pub fn example() -> Self {
        Self { job_id: JOB, reason: "imported".to_owned() }
    }
}
impl PublishReleased {
    pub fn example() -> Self {
        Self { job_id: JOB, reason: "checked by hand".to_owned(), actor: Actor::operator("mia") }
    }
}
impl PublishCancelled {
    pub fn example() -> Self {
        Self { job_id: JOB, reason: "the offer has ended".to_owned() }
    }
}
impl PublishStarted {
    pub fn example() -> Self {
        Self { job_id: JOB, package_id: Some(PACKAGE), dry_run: true }
    }
}
impl PublishCompletedV1 {
    pub fn example() -> Self {
        Self { job_id: JOB, published_urls: vec!["https://x.example/1".to_owned()] }
    }
}
impl PublishCompletedV2 {
    pub fn example() -> Self {
        Self { job_id: JOB, publications: vec![Publication::example()], at: NOON, asset_id: Some(ASSET) }
    }
}
impl PublishFailedV1 {
    pub fn example() -> Self {
        Self { job_id: JOB, error_message: "rate limited".to_owned() }
    }
}
impl PublishFailedV2 {
    pub fn example() -> Self {
        Self {
            job_id: JOB,
            code: "RATE_LIMITED".to_owned(),
            class: FailureClass::Retryable,
            message: "rate limited".to_owned(),
            tries: 2,
        }
    }
}
impl PublishOutcomeUnknown {
    pub fn example() -> Self {
        Self { job_id: JOB, asked: 1, ask_at: Some(NOON) }
    }
}
impl PublishResolved {
    pub fn example() -> Self {
        Self {
            job_id: JOB,
            outcome: ResolvedOutcome::Published,
            evidence: "seen on the company page".to_owned(),
            actor: Actor::operator("mia"),
        }
    }
}
impl PublishRetryScheduled {
    pub fn example() -> Self {
        Self { job_id: JOB, at: NOON, tries: 1 }
    }
}
impl PublishRetracted {
    pub fn example() -> Self {
        Self { job_id: JOB, publications: vec![Publication::example()], asset_id: Some(ASSET) }
    }
}
impl PublishRetractFailed {
    pub fn example() -> Self {
        Self {
            job_id: JOB,
            code: "GONE".to_owned(),
            manual_task: "remove https://www.linkedin.com/feed/update/7012 by hand".to_owned(),
        }
    }
}
impl ExecutionSet {
    pub fn example() -> Self {
        Self {
            enabled: true,
            dry_run: true,
            channels: vec!["linkedin".to_owned()],
            actor: Actor::operator("mia"),
            reason: "rehearsal before the launch".to_owned(),
            change: Uuid::from_u128(0x018f_3c6e_0000_5000_8000_0000_0000_0077),
        }
    }
}
impl PaymentRuleSet {
    pub fn example() -> Self {
        Self {
            client_id: CLIENT,
            payment_required: true,
            reason: "first engagement".to_owned(),
            actor: Actor::operator("mia"),
        }
    }
}
