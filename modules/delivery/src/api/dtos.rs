//! Values that cross the door, and the numbers of the business as data.

use crate::api::events::{Artifact, Destination, JobType, Publication, PublishPayload};
use events::ids::{AssetId, CampaignId, ClientId, DeliveryPackageId, DraftId, ProjectId, PublishJobId};
use saga_core::time::Timestamp;
use serde::{Deserialize, Serialize};

/// Everything that can be published to. Another name is a typing error, not a new platform.
pub const PLATFORMS: &[&str] = &[
    "crm",
    "email",
    "facebook",
    "instagram",
    "instagram-page",
    "instagram-story",
    "linkedin",
    "tiktok",
    "twitter",
    "youtube",
];
/// Platforms on which a publication can be taken back. Where it cannot, publishing is a saga's pivot.
pub const RETRACTABLE: &[&str] = &["facebook", "instagram", "instagram-page", "linkedin", "twitter"];
/// The artifacts of every package, in their order: name, format, and whether it may be empty (a plan without assets).
pub const ARTIFACTS: [(&str, &str, bool); 3] =
    [("content_pack.zip", "zip", false), ("strategy_doc.pdf", "pdf", false), ("assets_bundle.zip", "zip", true)];
/// What may stand in the place of an artifact: its name, its stand-in, and the format of that. A document with letters that the
/// fonts of every reader do not have ([`crate::api::print`]) is a page of the web, which every device shows.
pub const STAND_INS: [(&str, &str, &str); 1] = [("strategy_doc.pdf", "strategy_doc.html", "html")];
/// 256 items: a year of daily content fits, and packing one artifact stays one short piece of work.
pub const ITEMS_MAX: usize = 256;
/// Seconds to wait after the first, second and third try; then the job has failed.
pub const RETRY_AFTER_S: [u64; 3] = [60, 300, 900];
/// Seconds after which a platform is asked what became of a post; then a person decides.
pub const ASK_AFTER_S: [u64; 3] = [30, 120, 600];

/// Whether a publication on this platform can be taken back.
pub fn can_retract(platform: &str) -> bool {
    RETRACTABLE.contains(&platform)
}

/// Where a package stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum PackageStatus {
    Created,
    Delivered,
    Withdrawn,
}

/// Where a publish job stands. `PUBLISHING` and `RETRACTING` are passed through inside one commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum JobStatus {
    Held,
    Queued,
    Publishing,
    Published,
    Failed,
    OutcomeUnknown,
    Retracting,
    Retracted,
    RetractFailed,
    Cancelled,
}

impl PackageStatus {
    /// The word on the wire.
    pub fn word(self) -> &'static str {
        match self {
            PackageStatus::Created => "CREATED",
            PackageStatus::Delivered => "DELIVERED",
            PackageStatus::Withdrawn => "WITHDRAWN",
        }
    }
}

impl JobStatus {
    /// The word on the wire.
    pub fn word(self) -> &'static str {
        match self {
            JobStatus::Held => "HELD",
            JobStatus::Queued => "QUEUED",
            JobStatus::Publishing => "PUBLISHING",
            JobStatus::Published => "PUBLISHED",
            JobStatus::Failed => "FAILED",
            JobStatus::OutcomeUnknown => "OUTCOME_UNKNOWN",
            JobStatus::Retracting => "RETRACTING",
            JobStatus::Retracted => "RETRACTED",
            JobStatus::RetractFailed => "RETRACT_FAILED",
            JobStatus::Cancelled => "CANCELLED",
        }
    }
}

/// What one artifact is made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ArtifactSpec {
    /// One of [`ARTIFACTS`].
    pub name: String,
    /// Heading of a document, comment of an archive.
    #[serde(default)]
    pub title: String,
    pub items: Vec<ArtifactItem>,
}

/// One piece of an artifact: a file of an archive, a section of a document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ArtifactItem {
    /// File name or section heading; no path.
    pub name: String,
    pub content: ItemContent,
}

/// Where a piece comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ItemContent {
    /// The text itself.
    Text { text: String },
    /// A file that the file store has; if not, the package is refused `ARTIFACT_MISSING`.
    File { sha256: String },
    /// A file that stays where it is: the archive names its address (`https:`) and hash. A `data:` address brings its
    /// bytes along, and they become a file of the archive.
    Link {
        url: String,
        #[serde(skip_serializing_if = "Option::is_none", default)]
        sha256: Option<String>,
    },
}

/// Reply of `CreatePackage`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct PackageReply {
    pub package_id: DeliveryPackageId,
    pub artifacts: Vec<Artifact>,
}

/// Reply of `DeliverPackage`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct DeliveredReply {
    pub package_id: DeliveryPackageId,
    pub status: PackageStatus,
    pub artifact_count: u32,
}

/// Reply of the commands that move a job without publishing it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct JobReply {
    pub job_id: PublishJobId,
    pub status: JobStatus,
}

/// Reply of `ExecutePublish`. `QUEUED` with `again_at`: the platform was busy, execute again then.
/// `OUTCOME_UNKNOWN` with `again_at`: execute again then, which asks and does not post; without it a person decides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct ExecuteReply {
    pub job_id: PublishJobId,
    pub outcome: JobStatus,
    pub publications: Vec<Publication>,
    pub tries: u32,
    pub dry_run: bool,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub again_at: Option<Timestamp>,
    /// Why it failed, if it did.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub code: Option<String>,
}

/// What may be published. The default is nothing, and if something, then as a rehearsal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct ExecutionSettings {
    pub enabled: bool,
    pub dry_run: bool,
    pub channels: Vec<String>,
}

impl Default for ExecutionSettings {
    fn default() -> Self {
        Self { enabled: false, dry_run: true, channels: Vec::new() }
    }
}

/// A package as screens show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct PackageView {
    pub package_id: DeliveryPackageId,
    pub project_id: ProjectId,
    pub client_id: ClientId,
    pub draft_id: DraftId,
    pub status: PackageStatus,
    pub artifacts: Vec<Artifact>,
    pub created_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub delivered_at: Option<Timestamp>,
}

/// A publish job as screens show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct JobView {
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
    pub status: JobStatus,
    pub tries: u32,
    pub dry_run: bool,
    pub queued_at: Timestamp,
    /// The slot, the next try, or when the platform is asked next.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub due: Option<Timestamp>,
    #[serde(default)]
    pub publications: Vec<Publication>,
    /// What a person has to do by hand, if anything.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub manual_task: Option<String>,
    pub history: Vec<Moment>,
}

/// One line of a timeline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct Moment {
    pub at: Timestamp,
    pub job_id: PublishJobId,
    /// The event's name.
    pub what: String,
    pub note: String,
}

/// A page of jobs, oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct JobPage {
    pub jobs: Vec<JobView>,
    /// Ask with this for the next page; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub next: Option<JobCursor>,
}

/// The last job of a page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct JobCursor {
    pub queued_at: Timestamp,
    pub job_id: PublishJobId,
}
