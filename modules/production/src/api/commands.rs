//! The commands that production obeys, with their refusals and their undos.

use super::dtos::{
    AssetChanges, AssetContent, AssetMade, AssetSpec, AssetStatus, BriefEssentials, BundleMade, DraftStatus,
    DraftWritten, StrategySnapshot,
};
use super::events::{ApprovalId, Publication, RevisionId, RevisionRequest};
use events::ids::{AssetId, BundleId, CampaignId, DraftId, ProjectId, QcResultId, StrategyId};
use saga_core::command::{Common, Compensable, Refusal};
use saga_core::id::StepKey;
use saga_core::port;
use serde::{Deserialize, Serialize};

const MODULE: &str = "production";
/// What an undo gives as its reason.
const UNDONE: &str = "undone";

/// One command: its type, and what it answers.
macro_rules! command {
    ($($(#[$meta:meta])* $name:ident { $($(#[$of:meta])* $field:ident: $type:ty),+ $(,)? } -> $reply:ty, $refusal:ty;)+) => {$(
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
        #[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
        #[serde(deny_unknown_fields)]
        pub struct $name { $($(#[$of])* pub $field: $type),+ }
        port!(MODULE: $name -> $reply, $refusal);
    )+};
}

command! {
    /// Writes a draft for an approved strategy. Asking twice with one key gives one draft.
    ///
    /// Refused `STRATEGY_NOT_APPROVED` (an approval that was never heard of is waited for during five attempts),
    /// `WRITER_REJECTED`, `INVALID_FIELD`. Undone by [`DiscardDraft`].
    GenerateDraft {
        strategy_id: StrategyId,
        strategy: StrategySnapshot,
        brief: BriefEssentials,
        #[serde(skip_serializing_if = "Option::is_none", default)]
        project_id: Option<ProjectId>,
        content_type: String,
        language: String,
    } -> DraftWritten, DraftRefused;
    /// Writes a draft once more. Only a READY draft; each key gives one revision, and its number is never given again.
    ///
    /// Refused `NO_REQUESTS`, `WRITER_REJECTED`, `NOT_FOUND`, `WRONG_STATE`. Undone by [`RevertRevision`].
    ReviseDraft { draft_id: DraftId, requests: Vec<RevisionRequest> } -> DraftWritten, DraftRefused;
    /// Takes one revision back; the newest that was not taken back counts. Nothing happens when it is gone already.
    RevertRevision { draft_id: DraftId, revision_id: RevisionId, reason: String } -> (), Common;
    /// Ends the work on a draft. Refused `WRONG_STATE` unless READY; released again is done again, without an event.
    ReleaseDraft { draft_id: DraftId } -> DraftStatus, Common;
    /// Drops a draft. A person is refused `WRONG_STATE` for a RELEASED one; an undo never fails.
    DiscardDraft { draft_id: DraftId, reason: String } -> (), Common;
    /// Ties assets of one draft together. Refused `ASSET_MISSING` for assets that do not exist, were discarded or belong
    /// to another draft; `INVALID_FIELD` for none or more than twelve. Undone by [`DiscardBundle`].
    AssembleBundle { draft_id: DraftId, asset_ids: Vec<AssetId> } -> BundleMade, BundleRefused;
    /// Drops a bundle; its assets stay.
    DiscardBundle { bundle_id: BundleId, reason: String } -> (), Common;
    /// Makes a creative asset: words given or written, media rendered. At most twelve for one draft.
    ///
    /// Refused `FORMAT_UNSUPPORTED`, `RENDER_REJECTED`, `WRITER_REJECTED`, `NOT_FOUND` (the draft), `WRONG_STATE` (the
    /// draft was discarded), `INVALID_FIELD` (lengths, the thirteenth asset). Undone by [`DiscardAsset`].
    CreateAsset {
        #[serde(skip_serializing_if = "Option::is_none", default)]
        draft_id: Option<DraftId>,
        #[serde(skip_serializing_if = "Option::is_none", default)]
        campaign_id: Option<CampaignId>,
        spec: AssetSpec,
        content: AssetContent,
    } -> AssetMade, AssetRefused;
    /// Changes an asset's words. An approved asset loses its approval, for what was approved is not what is there now.
    ///
    /// Refused `WRONG_STATE` unless DRAFT or APPROVED, `RENDER_REJECTED`, `INVALID_FIELD`. Undone by [`RevertAssetEdit`],
    /// which gives a lost approval back.
    EditAsset { asset_id: AssetId, patch: AssetChanges } -> AssetMade, AssetRefused;
    /// Has an asset's words written anew. Otherwise as [`EditAsset`], and refused `WRITER_REJECTED`.
    RegenerateAsset { asset_id: AssetId, reason: String } -> AssetMade, AssetRefused;
    /// Takes one version of an asset back; the newest that was not taken back counts.
    RevertAssetEdit { asset_id: AssetId, revision_id: RevisionId, reason: String } -> (), Common;
    /// Approves an asset as it is. Needs a quality result of this very version that passed or was waived; version 1 may
    /// rest on the result of its draft's revision.
    ///
    /// Refused `QC_MISSING` (a saga waits five attempts for a result that was never heard of), `QC_FAILED`, `WRONG_STATE`
    /// unless DRAFT. Undone by [`RevokeAssetApproval`].
    ApproveAsset {
        asset_id: AssetId,
        #[serde(skip_serializing_if = "Option::is_none", default)]
        note: Option<String>,
    } -> AssetStatus, AssetRefused;
    /// Takes an approval back. With `approval_id` only that one; without, whichever there is. A person is refused
    /// `WRONG_STATE` for an asset that is not APPROVED; an undo finds nothing wrong in that.
    RevokeAssetApproval {
        asset_id: AssetId,
        #[serde(skip_serializing_if = "Option::is_none", default)]
        approval_id: Option<ApprovalId>,
        reason: String,
    } -> (), Common;
    /// Writes down where an asset is to be seen. Known publications are not written down twice.
    ///
    /// Refused `WRONG_STATE` unless APPROVED or PUBLISHED. Undone by [`MarkAssetRetracted`], whose status RETRACTED stays
    /// as the residue: the asset was out.
    MarkAssetPublished { asset_id: AssetId, publications: Vec<Publication> } -> AssetStatus, AssetRefused;
    /// Writes down that publications are gone; none named means all. RETRACTED once none is left.
    MarkAssetRetracted {
        asset_id: AssetId,
        #[serde(skip_serializing_if = "Vec::is_empty", default)]
        publications: Vec<Publication>,
        reason: String,
    } -> (), Common;
    /// Puts an asset away. Refused `WRONG_STATE` unless DRAFT or APPROVED.
    ArchiveAsset { asset_id: AssetId, reason: String } -> AssetStatus, AssetRefused;
    /// Drops an asset and frees its place in the draft. A person is refused `WRONG_STATE` for a PUBLISHED one (retract
    /// it first); an undo never fails.
    DiscardAsset { asset_id: AssetId, reason: String } -> (), Common;
}

impl Compensable for GenerateDraft {
    type Undo = DiscardDraft;
    fn undo(&self, deed: StepKey) -> DiscardDraft {
        DiscardDraft { draft_id: DraftId::from(deed), reason: UNDONE.to_owned() }
    }
}
impl Compensable for ReviseDraft {
    type Undo = RevertRevision;
    fn undo(&self, deed: StepKey) -> RevertRevision {
        RevertRevision { draft_id: self.draft_id, revision_id: RevisionId::from(deed), reason: UNDONE.to_owned() }
    }
}
impl Compensable for AssembleBundle {
    type Undo = DiscardBundle;
    fn undo(&self, deed: StepKey) -> DiscardBundle {
        DiscardBundle { bundle_id: BundleId::from(deed), reason: UNDONE.to_owned() }
    }
}
impl Compensable for CreateAsset {
    type Undo = DiscardAsset;
    fn undo(&self, deed: StepKey) -> DiscardAsset {
        DiscardAsset { asset_id: AssetId::from(deed), reason: UNDONE.to_owned() }
    }
}
impl Compensable for EditAsset {
    type Undo = RevertAssetEdit;
    fn undo(&self, deed: StepKey) -> RevertAssetEdit {
        RevertAssetEdit { asset_id: self.asset_id, revision_id: RevisionId::from(deed), reason: UNDONE.to_owned() }
    }
}
impl Compensable for RegenerateAsset {
    type Undo = RevertAssetEdit;
    fn undo(&self, deed: StepKey) -> RevertAssetEdit {
        RevertAssetEdit { asset_id: self.asset_id, revision_id: RevisionId::from(deed), reason: UNDONE.to_owned() }
    }
}
impl Compensable for ApproveAsset {
    type Undo = RevokeAssetApproval;
    fn undo(&self, deed: StepKey) -> RevokeAssetApproval {
        let approval_id = Some(ApprovalId::from(deed));
        RevokeAssetApproval { asset_id: self.asset_id, approval_id, reason: UNDONE.to_owned() }
    }
}
impl Compensable for MarkAssetPublished {
    type Undo = MarkAssetRetracted;
    fn undo(&self, _: StepKey) -> MarkAssetRetracted {
        let publications = self.publications.clone();
        MarkAssetRetracted { asset_id: self.asset_id, publications, reason: UNDONE.to_owned() }
    }
}

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
