//! Answers of production, from its read models.

use super::asset::Asset;
use super::bundle::Bundle;
use super::making::copy_of;
use super::projections::{ASSETS, BUNDLES, DRAFTS};
use crate::api::dtos::{ApprovalDoc, AssetDoc, AssetStatus, BundleDoc, DraftDoc, LineageDoc};
use crate::api::queries::{
    Asset as AssetQuery, Bundle as BundleQuery, Draft as DraftQuery, Gallery, Lineage as LineageQuery,
};
use events::ids::DraftId;
use saga_core::field;
use saga_core::module::{Docs, QueryError};

/// 100 assets fill a gallery screen several times over.
const PAGE_MAX: usize = 100;

pub(super) async fn draft(docs: Docs, asked: DraftQuery) -> Result<Option<DraftDoc>, QueryError> {
    let Some(draft) = docs.get(DRAFTS, asked.draft_id).await? else { return Ok(None) };
    let Some(current) = draft.current() else { return Ok(None) };
    let body = docs.shown(&current.body).await?;
    Ok(Some(DraftDoc {
        draft_id: asked.draft_id,
        status: draft.status,
        strategy_id: draft.strategy_id,
        project_id: draft.project_id,
        content_type: draft.content_type.clone(),
        language: draft.language.clone(),
        revision: current.number,
        body,
        requests: current.requests.clone(),
        revision_id: current.id,
        asset_ids: draft.asset_ids.clone(),
    }))
}

pub(super) async fn bundle(docs: Docs, asked: BundleQuery) -> Result<Option<BundleDoc>, QueryError> {
    let found = docs.get(BUNDLES, asked.bundle_id).await?;
    Ok(found.and_then(|bundle| {
        let (bundle_id, draft_id) = (asked.bundle_id, bundle.draft_id?);
        Some(BundleDoc { bundle_id, draft_id, asset_ids: bundle.asset_ids, status: bundle.status })
    }))
}

pub(super) async fn asset(docs: Docs, asked: AssetQuery) -> Result<Option<AssetDoc>, QueryError> {
    match docs.get(ASSETS, asked.asset_id).await? {
        Some(asset) => shown(&docs, asset).await,
        None => Ok(None),
    }
}

async fn shown(docs: &Docs, asset: Asset) -> Result<Option<AssetDoc>, QueryError> {
    let (Some(asset_id), Some(current), Some(rights)) = (asset.asset_id, asset.current(), asset.rights.clone()) else {
        return Ok(None);
    };
    let copy = copy_of(docs, current).await?;
    let approval = asset.approval.as_ref().map(|approval| ApprovalDoc {
        actor: approval.actor.clone(),
        qc_result_id: approval.qc_result_id,
        note: approval.note.clone(),
    });
    Ok(Some(AssetDoc {
        asset_id,
        status: asset.status,
        campaign_id: asset.campaign_id,
        draft_id: asset.draft_id,
        strategy_id: asset.strategy_id,
        spec: asset.spec(),
        version: current.number,
        copy,
        schedule: current.schedule,
        content_hash: current.content_hash.clone(),
        rights,
        media: current.media.clone(),
        approval,
        publications: asset.publications.clone(),
    }))
}

pub(super) async fn gallery(docs: Docs, asked: Gallery) -> Result<Vec<AssetDoc>, QueryError> {
    let mut page = ASSETS
        .all()
        .with_any(field!(ASSETS.campaign_id), asked.campaign)
        .with_any(field!(ASSETS.status), asked.status.map(AssetStatus::word))
        .with_any(field!(ASSETS.platform), asked.platform)
        .limit(asked.limit.unwrap_or(PAGE_MAX).clamp(1, PAGE_MAX));
    if let Some(last) = asked.after {
        page = page.after(last);
    }
    let mut answer = Vec::new();
    for asset in docs.find(&page).await? {
        answer.extend(shown(&docs, asset).await?);
    }
    Ok(answer)
}

pub(super) async fn lineage(docs: Docs, asked: LineageQuery) -> Result<Option<LineageDoc>, QueryError> {
    let Some(asset) = docs.get(ASSETS, asked.asset_id).await? else { return Ok(None) };
    let mut lineage = LineageDoc {
        asset_id: asked.asset_id,
        strategy_id: asset.strategy_id,
        draft_id: asset.draft_id,
        draft_revision: None,
        variant: asset.variant,
        versions: asset.versions.iter().filter(|version| version.live).map(|v| v.content_hash.clone()).collect(),
        siblings: Vec::new(),
        bundle_ids: Vec::new(),
        publications: asset.publications,
    };
    if let Some(draft_id) = asset.draft_id {
        relatives(&docs, draft_id, &mut lineage).await?;
    }
    Ok(Some(lineage))
}

async fn relatives(docs: &Docs, draft_id: DraftId, lineage: &mut LineageDoc) -> Result<(), QueryError> {
    let draft = docs.get(DRAFTS, draft_id).await?;
    lineage.draft_revision = draft.and_then(|draft| draft.current().map(|revision| revision.number));
    let siblings = docs.find(&ASSETS.all().with(field!(ASSETS.draft_id), draft_id).limit(PAGE_MAX)).await?;
    lineage.siblings =
        siblings.iter().filter_map(|asset| asset.asset_id).filter(|id| *id != lineage.asset_id).collect();
    let bundles = docs.find(&BUNDLES.all().with(field!(BUNDLES.draft_id), draft_id).limit(PAGE_MAX)).await?;
    let holds = |bundle: &&Bundle| bundle.asset_ids.contains(&lineage.asset_id);
    lineage.bundle_ids = bundles.iter().filter(holds).filter_map(|bundle| bundle.bundle_id).collect();
    Ok(())
}
