//! The business "no" of each family of commands, with codes that stay for ever.

use events::ids::{AssetId, QcResultId, StrategyId};
use saga_core::command::{Common, Refusal};
use serde::{Deserialize, Serialize};

/// Why a draft was not written.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(tag = "code", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum DraftRefused {
    /// Content is only made for a strategy that somebody approved.
    #[error("strategy {strategy_id} is not approved: {state}")]
    StrategyNotApproved { strategy_id: StrategyId, state: String },
    /// The writer will not write this.
    #[error("the writer refuses: {why}")]
    WriterRejected { why: String },
    /// A revision needs a wish.
    #[error("nothing was asked to be changed")]
    NoRequests,
    /// As for every command.
    #[error(transparent)]
    #[serde(untagged)]
    Common(#[from] Common),
}
impl Refusal for DraftRefused {
    fn code(&self) -> &'static str {
        match self {
            DraftRefused::StrategyNotApproved { .. } => "STRATEGY_NOT_APPROVED",
            DraftRefused::WriterRejected { .. } => "WRITER_REJECTED",
            DraftRefused::NoRequests => "NO_REQUESTS",
            DraftRefused::Common(common) => common.code(),
        }
    }
}

/// Why a bundle was not assembled.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(tag = "code", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum BundleRefused {
    /// Some assets cannot be in it.
    #[error("{} of the assets are not there", asset_ids.len())]
    AssetMissing { asset_ids: Vec<AssetId> },
    /// As for every command.
    #[error(transparent)]
    #[serde(untagged)]
    Common(#[from] Common),
}
impl Refusal for BundleRefused {
    fn code(&self) -> &'static str {
        match self {
            BundleRefused::AssetMissing { .. } => "ASSET_MISSING",
            BundleRefused::Common(common) => common.code(),
        }
    }
}

/// Why an asset was not made, changed or approved.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(tag = "code", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum AssetRefused {
    /// No such platform or format, or not together.
    #[error("{platform} takes no {format}")]
    FormatUnsupported { platform: String, format: String },
    /// The renderer will not render this.
    #[error("the renderer refuses: {why}")]
    RenderRejected { why: String },
    /// The writer will not write this.
    #[error("the writer refuses: {why}")]
    WriterRejected { why: String },
    /// Nobody judged this version.
    #[error("version {version} of this asset was not judged")]
    QcMissing { version: u32 },
    /// It was judged and failed.
    #[error("quality result {result_id} failed")]
    QcFailed { result_id: QcResultId },
    /// As for every command.
    #[error(transparent)]
    #[serde(untagged)]
    Common(#[from] Common),
}
impl Refusal for AssetRefused {
    fn code(&self) -> &'static str {
        match self {
            AssetRefused::FormatUnsupported { .. } => "FORMAT_UNSUPPORTED",
            AssetRefused::RenderRejected { .. } => "RENDER_REJECTED",
            AssetRefused::WriterRejected { .. } => "WRITER_REJECTED",
            AssetRefused::QcMissing { .. } => "QC_MISSING",
            AssetRefused::QcFailed { .. } => "QC_FAILED",
            AssetRefused::Common(common) => common.code(),
        }
    }
}
