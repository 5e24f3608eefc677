//! The business "no" of each family of commands, with codes that stay for ever.

use events::ids::{AssetId, QcResultId, StrategyId};

saga_core::refusals! {
    /// Why a draft was not written.
    #[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
    pub enum DraftRefused {
        /// As for every command.
        Common,
        /// Content is only made for a strategy that somebody approved.
        #[error("strategy {strategy_id} is not approved: {state}")]
        StrategyNotApproved { strategy_id: StrategyId, state: String } = "STRATEGY_NOT_APPROVED",
        /// The writer will not write this.
        #[error("the writer refuses: {why}")]
        WriterRejected { why: String } = "WRITER_REJECTED",
        /// A revision needs a wish.
        #[error("nothing was asked to be changed")]
        NoRequests = "NO_REQUESTS",
    }

    /// Why a bundle was not assembled.
    #[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
    pub enum BundleRefused {
        /// As for every command.
        Common,
        /// Some assets cannot be in it.
        #[error("{} of the assets are not there", asset_ids.len())]
        AssetMissing { asset_ids: Vec<AssetId> } = "ASSET_MISSING",
    }

    /// Why an asset was not made, changed or approved.
    #[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
    pub enum AssetRefused {
        /// As for every command.
        Common,
        /// No such platform or format, or not together.
        #[error("{platform} takes no {format}")]
        FormatUnsupported { platform: String, format: String } = "FORMAT_UNSUPPORTED",
        /// The renderer will not render this.
        #[error("the renderer refuses: {why}")]
        RenderRejected { why: String } = "RENDER_REJECTED",
        /// The writer will not write this.
        #[error("the writer refuses: {why}")]
        WriterRejected { why: String } = "WRITER_REJECTED",
        /// Nobody judged this version.
        #[error("version {version} of this asset was not judged")]
        QcMissing { version: u32 } = "QC_MISSING",
        /// It was judged and failed.
        #[error("quality result {result_id} failed")]
        QcFailed { result_id: QcResultId } = "QC_FAILED",
    }
}
