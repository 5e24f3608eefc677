//! What production is asked to do. Each request says its reply, its refusals and its undo.

use super::MODULE;
use super::dtos::{
    AssetChanges, AssetContent, AssetMade, AssetSpec, AssetStatus, BriefEssentials, BundleMade, DraftStatus,
    DraftWritten, StrategySnapshot,
};
use super::events::{ApprovalId, Publication, RevisionId, RevisionRequest};
use super::refusals::{AssetRefused, BundleRefused, DraftRefused};
use events::ids::{AssetId, BundleId, CampaignId, DraftId, ProjectId, StrategyId};
use saga_core::command::Common;
use saga_core::port;
use serde::{Deserialize, Serialize};

/// What an undo gives as its reason.
const UNDONE: &str = "undone";

/// Writes a draft for an approved strategy. Asking twice with one key gives one draft.
///
/// Refused `STRATEGY_NOT_APPROVED` (an approval that was never heard of is waited for during five attempts),
/// `WRITER_REJECTED`, `INVALID_FIELD`. Undone by [`DiscardDraft`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct GenerateDraft {
    pub strategy_id: StrategyId,
    pub strategy: StrategySnapshot,
    pub brief: BriefEssentials,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub project_id: Option<ProjectId>,
    pub content_type: String,
    pub language: String,
}
port!(MODULE: GenerateDraft -> DraftWritten, DraftRefused, undo DiscardDraft: |_, deed| {
    DiscardDraft { draft_id: DraftId::from(deed), reason: UNDONE.to_owned() }
});

/// Writes a draft once more. Only a READY draft; each key gives one revision, and its number is never given again.
///
/// Refused `NO_REQUESTS`, `WRITER_REJECTED`, `NOT_FOUND`, `WRONG_STATE`. Undone by [`RevertRevision`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ReviseDraft {
    pub draft_id: DraftId,
    pub requests: Vec<RevisionRequest>,
}
port!(MODULE: ReviseDraft -> DraftWritten, DraftRefused,
undo RevertRevision: |cmd, deed| {
    RevertRevision { draft_id: cmd.draft_id, revision_id: RevisionId::from(deed), reason: UNDONE.to_owned() }
});

/// Takes one revision back; the newest that was not taken back counts. Nothing happens when it is gone already.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct RevertRevision {
    pub draft_id: DraftId,
    pub revision_id: RevisionId,
    pub reason: String,
}
port!(MODULE: RevertRevision -> (), Common);

/// Ends the work on a draft. Refused `WRONG_STATE` unless READY; released again is done again, without an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ReleaseDraft {
    pub draft_id: DraftId,
}
port!(MODULE: ReleaseDraft -> DraftStatus, Common);

/// Drops a draft. A person is refused `WRONG_STATE` for a RELEASED one; an undo never fails.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct DiscardDraft {
    pub draft_id: DraftId,
    pub reason: String,
}
port!(MODULE: DiscardDraft -> (), Common);

/// Ties assets of one draft together. Refused `ASSET_MISSING` for assets that do not exist, were discarded or belong
/// to another draft; `INVALID_FIELD` for none or more than twelve. Undone by [`DiscardBundle`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct AssembleBundle {
    pub draft_id: DraftId,
    pub asset_ids: Vec<AssetId>,
}
port!(MODULE: AssembleBundle -> BundleMade, BundleRefused, undo DiscardBundle: |_, deed| {
    DiscardBundle { bundle_id: BundleId::from(deed), reason: UNDONE.to_owned() }
});

/// Drops a bundle; its assets stay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct DiscardBundle {
    pub bundle_id: BundleId,
    pub reason: String,
}
port!(MODULE: DiscardBundle -> (), Common);

/// Makes a creative asset: words given or written, media rendered. At most twelve for one draft.
///
/// Refused `FORMAT_UNSUPPORTED`, `RENDER_REJECTED`, `WRITER_REJECTED`, `NOT_FOUND` (the draft), `WRONG_STATE` (the
/// draft was discarded), `INVALID_FIELD` (lengths, the thirteenth asset). Undone by [`DiscardAsset`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct CreateAsset {
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub draft_id: Option<DraftId>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub campaign_id: Option<CampaignId>,
    pub spec: AssetSpec,
    pub content: AssetContent,
}
port!(MODULE: CreateAsset -> AssetMade, AssetRefused, undo DiscardAsset: |_, deed| {
    DiscardAsset { asset_id: AssetId::from(deed), reason: UNDONE.to_owned() }
});

/// Changes an asset's words. An approved asset loses its approval, for what was approved is not what is there now.
///
/// Refused `WRONG_STATE` unless DRAFT or APPROVED, `RENDER_REJECTED`, `INVALID_FIELD`. Undone by [`RevertAssetEdit`],
/// which gives a lost approval back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct EditAsset {
    pub asset_id: AssetId,
    pub patch: AssetChanges,
}
port!(MODULE: EditAsset -> AssetMade, AssetRefused, undo RevertAssetEdit: |cmd, deed| {
    RevertAssetEdit { asset_id: cmd.asset_id, revision_id: RevisionId::from(deed), reason: UNDONE.to_owned() }
});

/// Has an asset's words written anew. Otherwise as [`EditAsset`], and refused `WRITER_REJECTED`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct RegenerateAsset {
    pub asset_id: AssetId,
    pub reason: String,
}
port!(MODULE: RegenerateAsset -> AssetMade, AssetRefused, undo RevertAssetEdit: |cmd, deed| {
    RevertAssetEdit { asset_id: cmd.asset_id, revision_id: RevisionId::from(deed), reason: UNDONE.to_owned() }
});

/// Takes one version of an asset back; the newest that was not taken back counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct RevertAssetEdit {
    pub asset_id: AssetId,
    pub revision_id: RevisionId,
    pub reason: String,
}
port!(MODULE: RevertAssetEdit -> (), Common);

/// Approves an asset as it is. Needs a quality result of this very version that passed or was waived; version 1 may
/// rest on the result of its draft's revision.
///
/// Refused `QC_MISSING` (a saga waits five attempts for a result that was never heard of), `QC_FAILED`, `WRONG_STATE`
/// unless DRAFT. Undone by [`RevokeAssetApproval`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ApproveAsset {
    pub asset_id: AssetId,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub note: Option<String>,
}
port!(MODULE: ApproveAsset -> AssetStatus, AssetRefused, undo RevokeAssetApproval: |cmd, deed| {
    let approval_id = Some(ApprovalId::from(deed));
    RevokeAssetApproval { asset_id: cmd.asset_id, approval_id, reason: UNDONE.to_owned() }
});

/// Takes an approval back. With `approval_id` only that one; without, whichever there is. A person is refused
/// `WRONG_STATE` for an asset that is not APPROVED; an undo finds nothing wrong in that.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct RevokeAssetApproval {
    pub asset_id: AssetId,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub approval_id: Option<ApprovalId>,
    pub reason: String,
}
port!(MODULE: RevokeAssetApproval -> (), Common);

/// Writes down where an asset is to be seen. Known publications are not written down twice.
///
/// Refused `WRONG_STATE` unless APPROVED or PUBLISHED. Undone by [`MarkAssetRetracted`], whose status RETRACTED stays
/// as the residue: the asset was out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct MarkAssetPublished {
    pub asset_id: AssetId,
    pub publications: Vec<Publication>,
}
port!(MODULE: MarkAssetPublished -> AssetStatus, AssetRefused,
undo MarkAssetRetracted: |cmd, _| {
    let publications = cmd.publications.clone();
    MarkAssetRetracted { asset_id: cmd.asset_id, publications, reason: UNDONE.to_owned() }
});

/// Writes down that publications are gone; none named means all. RETRACTED once none is left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct MarkAssetRetracted {
    pub asset_id: AssetId,
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub publications: Vec<Publication>,
    pub reason: String,
}
port!(MODULE: MarkAssetRetracted -> (), Common);

/// Puts an asset away. Refused `WRONG_STATE` unless DRAFT or APPROVED.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ArchiveAsset {
    pub asset_id: AssetId,
    pub reason: String,
}
port!(MODULE: ArchiveAsset -> AssetStatus, AssetRefused);

/// Drops an asset and frees its place in the draft. A person is refused `WRONG_STATE` for a PUBLISHED one (retract
/// it first); an undo never fails.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct DiscardAsset {
    pub asset_id: AssetId,
    pub reason: String,
}
port!(MODULE: DiscardAsset -> (), Common);
