//! What production needs from outside, the questions it answers, and the commands (in `commands`) it obeys.

pub use super::commands::{
    ApproveAsset, ArchiveAsset, AssembleBundle, AssetRefused, BundleRefused, CreateAsset, DiscardAsset, DiscardBundle,
    DiscardDraft, DraftRefused, EditAsset, GenerateDraft, MarkAssetPublished, MarkAssetRetracted, RegenerateAsset,
    ReleaseDraft, RevertAssetEdit, RevertRevision, ReviseDraft, RevokeAssetApproval,
};
use super::dtos::StrategySnapshot;
use super::dtos::{AssetCopy, AssetDoc, AssetSpec, AssetStatus, BriefEssentials, BundleDoc, DraftDoc, LineageDoc};
use super::events::RevisionRequest;
use async_trait::async_trait;
use events::ids::{AssetId, BundleId, CampaignId, DraftId};
use saga_core::id::StepKey;
use saga_core::port;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

const MODULE: &str = "production";

/// What production needs from outside. The composition root brings it.
#[derive(Clone)]
pub struct Needs {
    pub writer: Arc<dyn ContentWriter>,
    pub renderer: Arc<dyn MediaRenderer>,
}

/// How a provider fails.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProviderError {
    /// It will never do this.
    #[error("the provider refuses: {code}")]
    Rejected {
        /// Why, as the provider says it.
        code: String,
    },
    /// Not now.
    #[error("{says}")]
    TryLater {
        /// Not before this many milliseconds.
        after_ms: u64,
        /// What the provider said.
        says: String,
    },
    /// Not until a person mends what it says: rights, room, a quota. A person is told at once.
    #[error("{says}")]
    Mend {
        /// What the provider said.
        says: String,
    },
    /// Nobody knows whether it was done; asking again with the same key is safe.
    #[error("the provider did not answer")]
    Unknown,
}

/// What a draft is written from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DraftOrder {
    pub content_type: String,
    pub language: String,
    pub strategy: StrategySnapshot,
    pub brief: BriefEssentials,
}

/// What a revision is written from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RevisionOrder {
    pub content_type: String,
    pub language: String,
    /// The text so far.
    pub body: String,
    pub requests: Vec<RevisionRequest>,
}

/// What an asset's words are written from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopyOrder {
    pub spec: AssetSpec,
    pub strategy: StrategySnapshot,
    pub brief: BriefEssentials,
    /// The draft's text, if the asset belongs to one.
    pub draft_body: Option<String>,
}

/// What an asset's words are written anew from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RewriteOrder {
    pub spec: AssetSpec,
    pub copy: AssetCopy,
    pub reason: String,
}

/// A text with the name of its maker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written<T> {
    pub text: T,
    /// Provider or model; goes into an asset's rights.
    pub model: String,
}

/// Writes. Every method must tolerate being called again with the same key, and then gives the same text.
#[async_trait]
pub trait ContentWriter: Send + Sync {
    /// A whole draft.
    async fn draft(&self, key: StepKey, order: &DraftOrder) -> Result<Written<String>, ProviderError>;
    /// A draft once more, with wishes.
    async fn revise(&self, key: StepKey, order: &RevisionOrder) -> Result<Written<String>, ProviderError>;
    /// An asset's words.
    async fn copy(&self, key: StepKey, order: &CopyOrder) -> Result<Written<AssetCopy>, ProviderError>;
    /// An asset's words once more.
    async fn rewrite(&self, key: StepKey, order: &RewriteOrder) -> Result<Written<AssetCopy>, ProviderError>;
}

/// What is to be rendered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RenderOrder {
    pub spec: AssetSpec,
    pub copy: AssetCopy,
    /// Of the words: the same hash is the same picture.
    pub content_hash: String,
}

/// A rendered file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// `image`, `pdf` or `video`.
    pub asset_type: String,
    pub url: String,
    pub sha256: String,
}

/// Renders media. Must tolerate being called again with the same key, and then gives the same file.
#[async_trait]
pub trait MediaRenderer: Send + Sync {
    /// One file.
    async fn render(&self, key: StepKey, order: &RenderOrder) -> Result<Rendered, ProviderError>;
}

macro_rules! query {
    ($($(#[$meta:meta])* $name:ident { $($field:ident: $type:ty),+ } -> $answer:ty;)+) => {$(
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
        #[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
        #[serde(deny_unknown_fields)]
        pub struct $name { $(pub $field: $type),+ }
        port!(MODULE: $name ? $answer);
    )+};
}
query! {
    /// One draft; nothing when it was discarded.
    Draft { draft_id: DraftId } -> Option<DraftDoc>;
    /// One bundle; nothing when it was discarded.
    Bundle { bundle_id: BundleId } -> Option<BundleDoc>;
    /// One asset; nothing when it was discarded.
    Asset { asset_id: AssetId } -> Option<AssetDoc>;
    /// Where an asset comes from and where it went.
    Lineage { asset_id: AssetId } -> Option<LineageDoc>;
}

/// A page of assets by id, at most 100, after the one named.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Gallery {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub campaign: Option<CampaignId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<AssetStatus>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub platform: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<AssetId>,
}
port!(MODULE: Gallery ? Vec<AssetDoc>);
