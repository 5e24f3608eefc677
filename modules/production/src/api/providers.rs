//! What production needs from outside. The composition root brings it.

use super::dtos::{AssetCopy, AssetSpec, BriefEssentials, StrategySnapshot};
use super::events::RevisionRequest;
use async_trait::async_trait;
use saga_core::id::StepKey;
pub use saga_core::provider::ProviderError;
use std::sync::Arc;

/// What production needs from outside. The composition root brings it.
#[derive(Clone)]
pub struct Needs {
    pub writer: Arc<dyn ContentWriter>,
    pub renderer: Arc<dyn MediaRenderer>,
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
    /// The language that the words of the brief are in, which is the draft's, if the asset belongs to one. A piece in another
    /// language says none of them but names and what is demanded.
    pub brief_language: Option<String>,
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
