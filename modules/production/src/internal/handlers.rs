//! Glue for the commands that ask nobody: load, decide, append.

use super::asset::{self, Asset};
use super::bundle::{self, Bundle};
use super::draft::{self, Draft};
use super::gates::{self, Judged};
use crate::api::commands::{
    ApproveAsset, ArchiveAsset, AssembleBundle, DiscardAsset, DiscardBundle, DiscardDraft, MarkAssetPublished,
    MarkAssetRetracted, ReleaseDraft, RevertAssetEdit, RevertRevision, RevokeAssetApproval,
};
use crate::api::dtos::{AssetStatus, DraftStatus};
use crate::api::events::ApprovalId;
use crate::api::providers::Needs;
use events::ids::BundleId;
use events::qc::{Subject, SubjectKind};
use saga_core::aggregate::{LoadError, Loaded};
use saga_core::module::{Cx, Handled, OrRefuse, OrRetry};

pub(super) async fn revert_revision(cx: Cx<Needs>, cmd: RevertRevision) -> Handled<RevertRevision> {
    let story = cx.load::<Draft>(cmd.draft_id).await.or_retry()?;
    let event = draft::decide_revert(&story.state, &cmd, cx.deed().direction).or_refuse()?;
    Ok(cx.done(()).append(&story, event))
}

pub(super) async fn release_draft(cx: Cx<Needs>, cmd: ReleaseDraft) -> Handled<ReleaseDraft> {
    let story = cx.load::<Draft>(cmd.draft_id).await.or_retry()?;
    let event = draft::decide_release(&story.state, &cmd).or_refuse()?;
    Ok(cx.done(DraftStatus::Released).append(&story, event))
}

pub(super) async fn discard_draft(cx: Cx<Needs>, cmd: DiscardDraft) -> Handled<DiscardDraft> {
    let story = cx.load::<Draft>(cmd.draft_id).await.or_retry()?;
    let event = draft::decide_discard(&story.state, &cmd, cx.deed().direction).or_refuse()?;
    Ok(cx.done(()).append(&story, event))
}

pub(super) async fn assemble_bundle(cx: Cx<Needs>, cmd: AssembleBundle) -> Handled<AssembleBundle> {
    let draft = cx.load::<Draft>(cmd.draft_id).await.or_retry()?;
    draft::usable(&draft.state, cmd.draft_id).or_refuse()?;
    let mut assets: Vec<Loaded<Asset>> = Vec::new();
    // One more than allowed is enough to know that there are too many.
    for id in cmd.asset_ids.iter().take(super::limits::ASSETS_PER_DRAFT_MAX + 1) {
        assets.push(cx.load(id).await.or_retry()?);
    }
    let bundle_id = BundleId::from(cx.key());
    let story = cx.load::<Bundle>(bundle_id).await.or_retry()?;
    let pairs: Vec<_> = cmd.asset_ids.iter().copied().zip(assets.iter().map(|asset| &asset.state)).collect();
    let (reply, events) = bundle::decide_assemble(&cmd, bundle_id, &pairs).or_refuse()?;
    // Nothing of what the bundle rests on may be discarded while it is being assembled.
    let done = cx.done(reply).append(&story, events).append(&draft, []);
    Ok(assets.iter().fold(done, |done, asset| done.append(asset, [])))
}

pub(super) async fn discard_bundle(cx: Cx<Needs>, cmd: DiscardBundle) -> Handled<DiscardBundle> {
    let story = cx.load::<Bundle>(cmd.bundle_id).await.or_retry()?;
    let event = bundle::decide_discard(&story.state, &cmd, cx.deed().direction).or_refuse()?;
    Ok(cx.done(()).append(&story, event))
}

pub(super) async fn revert_asset_edit(cx: Cx<Needs>, cmd: RevertAssetEdit) -> Handled<RevertAssetEdit> {
    let story = cx.load::<Asset>(cmd.asset_id).await.or_retry()?;
    let events = asset::decide_revert_edit(&story.state, &cmd, cx.deed().direction).or_refuse()?;
    Ok(cx.done(()).append(&story, events))
}

pub(super) async fn approve_asset(cx: Cx<Needs>, cmd: ApproveAsset) -> Handled<ApproveAsset> {
    let story = cx.load::<Asset>(cmd.asset_id).await.or_retry()?;
    asset::check_approve(&story.state, cmd.asset_id).or_refuse()?;
    let mut judged = judgement(&cx, &story).await.or_retry()?;
    if judged.is_none_or(|judged| !judged.good) {
        // A result, or a waiver, may be on its way: a no needs everything that quality control told.
        gates::all_of_quality(&cx, cmd.asset_id).await?;
        judged = judgement(&cx, &story).await.or_retry()?;
    }
    let id = ApprovalId::from(cx.key());
    let event = asset::decide_approve(&story.state, &cmd, judged, id, &cx.deed().actor).or_refuse()?;
    Ok(cx.done(AssetStatus::Approved).append(&story, [event]))
}

/// How the asset's version was judged; a first version may rest on the revision of its draft that counts.
async fn judgement(cx: &Cx<Needs>, story: &Loaded<Asset>) -> Result<Option<Judged>, LoadError> {
    let (Some(asset_id), Some(current)) = (story.state.asset_id, story.state.current()) else { return Ok(None) };
    let own = Subject { kind: SubjectKind::Asset, id: asset_id.0, version: current.number };
    if let Some(judged) = gates::judged(cx, own).await? {
        return Ok(Some(judged));
    }
    let (Some(draft_id), 1) = (story.state.draft_id, current.number) else { return Ok(None) };
    let draft = cx.load::<Draft>(draft_id).await?.state;
    let Some(revision) = draft.current() else { return Ok(None) };
    let of_draft = Subject { kind: SubjectKind::Draft, id: draft_id.0, version: revision.number };
    Ok(gates::judged(cx, of_draft).await?)
}

pub(super) async fn revoke_asset_approval(cx: Cx<Needs>, cmd: RevokeAssetApproval) -> Handled<RevokeAssetApproval> {
    let story = cx.load::<Asset>(cmd.asset_id).await.or_retry()?;
    let event = asset::decide_revoke(&story.state, &cmd, cx.deed().direction).or_refuse()?;
    Ok(cx.done(()).append(&story, event))
}

pub(super) async fn mark_published(cx: Cx<Needs>, cmd: MarkAssetPublished) -> Handled<MarkAssetPublished> {
    let story = cx.load::<Asset>(cmd.asset_id).await.or_retry()?;
    let event = asset::decide_published(&story.state, &cmd).or_refuse()?;
    Ok(cx.done(AssetStatus::Published).append(&story, event))
}

pub(super) async fn mark_retracted(cx: Cx<Needs>, cmd: MarkAssetRetracted) -> Handled<MarkAssetRetracted> {
    let story = cx.load::<Asset>(cmd.asset_id).await.or_retry()?;
    let event = asset::decide_retracted(&story.state, &cmd, cx.deed().direction).or_refuse()?;
    Ok(cx.done(()).append(&story, event))
}

pub(super) async fn archive_asset(cx: Cx<Needs>, cmd: ArchiveAsset) -> Handled<ArchiveAsset> {
    let story = cx.load::<Asset>(cmd.asset_id).await.or_retry()?;
    let event = asset::decide_archive(&story.state, &cmd).or_refuse()?;
    Ok(cx.done(AssetStatus::Archived).append(&story, event))
}

pub(super) async fn discard_asset(cx: Cx<Needs>, cmd: DiscardAsset) -> Handled<DiscardAsset> {
    let story = cx.load::<Asset>(cmd.asset_id).await.or_retry()?;
    let event = asset::decide_discard(&story.state, &cmd, cx.deed().direction).or_refuse()?;
    let mut done = cx.done(()).append(&story, event);
    if let Some(draft_id) = story.state.draft_id {
        let draft = cx.load::<Draft>(draft_id).await.or_retry()?;
        done = done.append(&draft, draft::decide_remove_asset(&draft.state, draft_id, cmd.asset_id));
    }
    Ok(done)
}
