//! Values that cross the door of production.

use super::events::{Media, Publication, RevisionId, RevisionRequest, Rights};
use events::ids::{AssetId, BundleId, CampaignId, DraftId, ProjectId, QcResultId, StrategyId};
use saga_core::envelope::Actor;
use saga_core::time::Timestamp;
use serde::{Deserialize, Serialize};

/// What a writer has to know of the strategy.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct StrategySnapshot {
    pub version: u32,
    pub summary: String,
    pub narrative: String,
    pub channels: Vec<String>,
    pub kpis: Vec<String>,
}

/// One thing that the client sells.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct Offer {
    pub name: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub usp: Option<String>,
}

/// What a writer has to know of the brief.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct BriefEssentials {
    pub client_name: String,
    pub audience: String,
    pub offers: Vec<Offer>,
    pub goal: String,
    pub tone: Vec<String>,
    pub must_include: Vec<String>,
    pub must_avoid: Vec<String>,
    pub cta_hints: Vec<String>,
}

/// What an asset is made for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct AssetSpec {
    pub platform: String,
    pub format: String,
    pub language: String,
    /// From 1; two variants of one spec have different hooks.
    pub variant: u32,
}

/// What an asset says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct AssetCopy {
    pub hook: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub caption: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub cta: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub tone: Option<String>,
}

/// Where the content of a new asset comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum AssetContent {
    /// It is here.
    Given(AssetCopy),
    /// The writer makes it, from the draft (if one is named), the strategy and the brief.
    Write(Box<AssetBasis>),
}

/// What the writer works from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct AssetBasis {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strategy_id: Option<StrategyId>,
    pub strategy: StrategySnapshot,
    pub brief: BriefEssentials,
}

/// What an edit changes: absent stays as it is, an empty text clears.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct AssetChanges {
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub hook: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub caption: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub cta: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub tone: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub schedule: Option<Timestamp>,
}

/// Where a draft stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum DraftStatus {
    /// Not written.
    #[default]
    Absent,
    Ready,
    Released,
    Discarded,
}
impl DraftStatus {
    /// The word on the wire.
    pub fn word(self) -> &'static str {
        match self {
            DraftStatus::Absent => "ABSENT",
            DraftStatus::Ready => "READY",
            DraftStatus::Released => "RELEASED",
            DraftStatus::Discarded => "DISCARDED",
        }
    }
}

/// Where a bundle stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum BundleStatus {
    /// Not assembled.
    #[default]
    Absent,
    Assembled,
    Discarded,
}

/// Where an asset stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum AssetStatus {
    /// Not made.
    #[default]
    Absent,
    Draft,
    Approved,
    Published,
    Retracted,
    Archived,
    Discarded,
}
impl AssetStatus {
    /// The word on the wire.
    pub fn word(self) -> &'static str {
        match self {
            AssetStatus::Absent => "ABSENT",
            AssetStatus::Draft => "DRAFT",
            AssetStatus::Approved => "APPROVED",
            AssetStatus::Published => "PUBLISHED",
            AssetStatus::Retracted => "RETRACTED",
            AssetStatus::Archived => "ARCHIVED",
            AssetStatus::Discarded => "DISCARDED",
        }
    }
}

/// The answer to writing or revising a draft: enough to judge it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct DraftWritten {
    pub draft_id: DraftId,
    pub revision: u32,
    pub content_type: String,
    pub language: String,
    /// The whole text.
    pub body: String,
}

/// The answer to assembling.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct BundleMade {
    pub bundle_id: BundleId,
    pub draft_id: DraftId,
    pub asset_ids: Vec<AssetId>,
    /// The rendered files, for a delivery's artifacts.
    pub media: Vec<Media>,
}

/// The answer to making or changing an asset: enough to judge and to publish it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct AssetMade {
    pub asset_id: AssetId,
    pub version: u32,
    pub spec: AssetSpec,
    pub copy: AssetCopy,
    pub content_hash: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub media: Option<Media>,
}

/// A draft as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct DraftDoc {
    pub draft_id: DraftId,
    pub status: DraftStatus,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub strategy_id: Option<StrategyId>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub project_id: Option<ProjectId>,
    pub content_type: String,
    pub language: String,
    pub revision: u32,
    /// The whole text of the revision that counts.
    pub body: String,
    /// What the revision that counts was asked for.
    pub requests: Vec<RevisionRequest>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub revision_id: Option<RevisionId>,
    pub asset_ids: Vec<AssetId>,
}

/// A bundle as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct BundleDoc {
    pub bundle_id: BundleId,
    pub draft_id: DraftId,
    pub asset_ids: Vec<AssetId>,
    pub status: BundleStatus,
}

/// An approval as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct ApprovalDoc {
    pub actor: Actor,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub qc_result_id: Option<QcResultId>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub note: Option<String>,
}

/// An asset as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct AssetDoc {
    pub asset_id: AssetId,
    pub status: AssetStatus,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub campaign_id: Option<CampaignId>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub draft_id: Option<DraftId>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub strategy_id: Option<StrategyId>,
    pub spec: AssetSpec,
    pub version: u32,
    pub copy: AssetCopy,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub schedule: Option<Timestamp>,
    pub content_hash: String,
    pub rights: Rights,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub media: Option<Media>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub approval: Option<ApprovalDoc>,
    pub publications: Vec<Publication>,
}

/// Where an asset comes from and where it went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct LineageDoc {
    pub asset_id: AssetId,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub strategy_id: Option<StrategyId>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub draft_id: Option<DraftId>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub draft_revision: Option<u32>,
    pub variant: u32,
    /// Content hashes of the versions that were not taken back, oldest first.
    pub versions: Vec<String>,
    /// Other assets of the same draft.
    pub siblings: Vec<AssetId>,
    pub bundle_ids: Vec<BundleId>,
    pub publications: Vec<Publication>,
}
