//! What production tells: drafts and their revisions, bundles, and the creative assets with their versions.

use crate::ids::{AssetId, BundleId, CampaignId, DraftId, ProjectId, QcResultId, StrategyId};
use crate::values::Text;
use saga_core::envelope::{Actor, sha256_hex};
use saga_core::event::{Origin, Owner, Upcast};
use saga_core::time::Timestamp;
use serde::{Deserialize, Serialize};

mod examples;

/// The module production.
#[derive(Debug, Clone, Copy)]
pub enum Production {}
impl Owner for Production {
    const MODULE: &'static str = "production";
}

saga_core::uuid_newtype! {
    /// One approval of an asset; made by the deed that gave it.
    ApprovalId,
    /// One revision of a draft, or one version of an asset; made by the deed that wrote it.
    RevisionId,
}

story! {
    /// The story of one draft.
    pub enum DraftEvent of Production in "production_draft" {
        DraftReady(DraftReadyV1, DraftReadyV2), DraftRevised, DraftRevisionReverted, DraftDiscarded, DraftReleased,
        DraftAssetAdded, DraftAssetRemoved,
    }
}
story! {
    /// The story of one bundle.
    pub enum BundleEvent of Production in "production_bundle" { BundleAssembled, AssetGenerated, BundleDiscarded }
}
story! {
    /// The story of one creative asset.
    pub enum AssetEvent of Production in "production_asset" {
        CreativeAssetCreated(CreativeAssetCreatedV1, CreativeAssetCreatedV2), CreativeAssetEdited,
        CreativeAssetApproved, CreativeAssetApprovalRevoked, CreativeAssetPublished, CreativeAssetRetracted,
        CreativeAssetArchived, CreativeAssetDiscarded,
    }
}

/// One wish for a change of a draft.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct RevisionRequest {
    pub section: String,
    pub change: String,
    /// For example `must`, `should`.
    pub priority: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct DraftReadyV1 {
    pub draft_id: DraftId,
    pub content_type: String,
}
impl Upcast<DraftReadyV2> for DraftReadyV1 {
    fn upcast(self, _: &Origin) -> DraftReadyV2 {
        DraftReadyV2 {
            draft_id: self.draft_id,
            content_type: self.content_type,
            strategy_id: None,
            project_id: None,
            body: Text::default(),
            revision: 1,
            language: "und".to_owned(),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct DraftReadyV2 {
    pub draft_id: DraftId,
    pub content_type: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub strategy_id: Option<StrategyId>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub project_id: Option<ProjectId>,
    pub body: Text,
    pub revision: u32,
    pub language: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct DraftRevised {
    pub draft_id: DraftId,
    /// Counts up for ever: a number that was reverted is not given again.
    pub revision: u32,
    pub requests: Vec<RevisionRequest>,
    pub body: Text,
    pub revision_id: RevisionId,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct DraftRevisionReverted {
    pub draft_id: DraftId,
    pub revision_id: RevisionId,
    /// The revision that counts now.
    pub revision: u32,
    pub reason: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct DraftDiscarded {
    pub draft_id: DraftId,
    pub reason: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct DraftReleased {
    pub draft_id: DraftId,
}

/// An asset took one of the draft's places.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct DraftAssetAdded {
    pub draft_id: DraftId,
    pub asset_id: AssetId,
}

/// A discarded asset gave its place back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct DraftAssetRemoved {
    pub draft_id: DraftId,
    pub asset_id: AssetId,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct BundleAssembled {
    pub bundle_id: BundleId,
    pub draft_id: DraftId,
    pub asset_ids: Vec<AssetId>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct BundleDiscarded {
    pub bundle_id: BundleId,
    pub reason: String,
}

/// A rendered media file of a bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct AssetGenerated {
    pub asset_id: AssetId,
    /// `image`, `pdf` or `video`.
    pub asset_type: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub sha256: Option<String>,
}

/// Where an asset's content comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct Rights {
    pub source: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub model: Option<String>,
}

/// A rendered file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct Media {
    /// `image`, `pdf` or `video`.
    pub asset_type: String,
    pub url: String,
    pub sha256: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct CreativeAssetCreatedV1 {
    pub asset_id: AssetId,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub campaign_id: Option<CampaignId>,
    pub platform: String,
    pub format: String,
    pub hook: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub caption: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub cta: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub tone: Option<String>,
}
impl Upcast<CreativeAssetCreatedV2> for CreativeAssetCreatedV1 {
    fn upcast(self, _: &Origin) -> CreativeAssetCreatedV2 {
        let content_hash = asset_content_hash(
            &self.platform,
            &self.format,
            &self.hook,
            self.caption.as_deref().unwrap_or_default(),
            self.cta.as_deref().unwrap_or_default(),
        );
        CreativeAssetCreatedV2 {
            asset_id: self.asset_id,
            campaign_id: self.campaign_id,
            platform: self.platform,
            format: self.format,
            hook: self.hook,
            caption: self.caption.map(Text::Inline),
            cta: self.cta,
            tone: self.tone,
            draft_id: None,
            strategy_id: None,
            variant: 1,
            language: "und".to_owned(),
            content_hash,
            rights: Rights { source: "legacy".to_owned(), model: None },
            media: None,
        }
    }
}

/// sha256 of `platform|format|hook|caption|cta`; what is absent is empty.
pub fn asset_content_hash(platform: &str, format: &str, hook: &str, caption: &str, cta: &str) -> String {
    sha256_hex([platform, format, hook, caption, cta].join("|").as_bytes())
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct CreativeAssetCreatedV2 {
    pub asset_id: AssetId,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub campaign_id: Option<CampaignId>,
    pub platform: String,
    pub format: String,
    pub hook: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub caption: Option<Text>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub cta: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub tone: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub draft_id: Option<DraftId>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub strategy_id: Option<StrategyId>,
    pub variant: u32,
    pub language: String,
    pub content_hash: String,
    pub rights: Rights,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub media: Option<Media>,
}

/// What changes in an asset: absent stays as it is, an empty text clears.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct AssetPatch {
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub hook: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub caption: Option<Text>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub cta: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub tone: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub schedule: Option<Timestamp>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct CreativeAssetEdited {
    pub asset_id: AssetId,
    pub patch: AssetPatch,
    /// The version that counts now: the new one, or after a revert the one before.
    pub version: u32,
    pub content_hash: String,
    /// The version that was written, or that is taken back.
    pub revision_id: RevisionId,
    /// Whether `revision_id` is taken back by this edit.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub reverted: bool,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub media: Option<Media>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct CreativeAssetApproved {
    pub asset_id: AssetId,
    pub actor: Actor,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub qc_result_id: Option<QcResultId>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub note: Option<String>,
    /// So that an undo takes back this approval and no other.
    pub approval_id: ApprovalId,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct CreativeAssetApprovalRevoked {
    pub asset_id: AssetId,
    pub reason: String,
}

/// Where an asset is to be seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct Publication {
    pub platform: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub external_id: Option<String>,
    pub url: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct CreativeAssetPublished {
    pub asset_id: AssetId,
    pub publications: Vec<Publication>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct CreativeAssetRetracted {
    pub asset_id: AssetId,
    pub reason: String,
    /// What is gone; empty means all of it.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub publications: Vec<Publication>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct CreativeAssetArchived {
    pub asset_id: AssetId,
    pub reason: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct CreativeAssetDiscarded {
    pub asset_id: AssetId,
    pub reason: String,
}
