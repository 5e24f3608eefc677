//! Read models of production: the same folds as the stories, without what was discarded; and the queries on them.

use super::asset::Asset;
use super::bundle::Bundle;
use super::draft::Draft;
use super::limits::whole;
use super::making::copy_of;
use crate::api::dtos::{
    ApprovalDoc, AssetDoc, AssetStatus, BundleDoc, BundleStatus, DraftDoc, DraftStatus, LineageDoc,
};
use crate::api::events::*;
use crate::api::ports::{
    Asset as AssetQuery, Bundle as BundleQuery, Draft as DraftQuery, Gallery, Lineage as LineageQuery,
};
use events::ids::DraftId;
use saga_core::aggregate::Aggregate;
use saga_core::module::{Docs, QueryError};
use saga_core::ports::Find;
use saga_core::projection::{Projection, ProjectionDef};

const DRAFTS: &str = "production.drafts";
const BUNDLES: &str = "production.bundles";
const ASSETS: &str = "production.assets";
/// 100 assets fill a gallery screen several times over.
const PAGE_MAX: usize = 100;

/// One more event of a story whose document is its state.
fn folded<A: Aggregate>(document: Option<A>, event: impl Into<A::Event>, shown: impl Fn(&A) -> bool) -> Option<A> {
    let mut state = document.unwrap_or_default();
    state.evolve(&event.into());
    shown(&state).then_some(state)
}

macro_rules! story {
    ($name:expr, $doc:ty, $index:expr, $id:ident, $shown:expr, [$($event:ty),+]) => {
        Projection::<$doc>::new($name, 1, $index)
            $(.on::<$event>(|event, _| Some(event.$id.to_string()), move |doc, event, _| folded(doc, event.clone(), $shown)))+
            .build()
    };
}

/// Drafts by id: the draft workbench.
pub(super) fn drafts() -> ProjectionDef {
    let shown = |draft: &Draft| !matches!(draft.status, DraftStatus::Absent | DraftStatus::Discarded);
    story!(
        DRAFTS,
        Draft,
        &["strategy_id", "status"],
        draft_id,
        shown,
        [
            DraftReady,
            DraftRevised,
            DraftRevisionReverted,
            DraftDiscarded,
            DraftReleased,
            DraftAssetAdded,
            DraftAssetRemoved
        ]
    )
}

/// Bundles by id.
pub(super) fn bundles() -> ProjectionDef {
    let shown = |bundle: &Bundle| bundle.status == BundleStatus::Assembled;
    story!(BUNDLES, Bundle, &["draft_id"], bundle_id, shown, [BundleAssembled, BundleDiscarded])
}

/// Assets by id: the gallery.
pub(super) fn assets() -> ProjectionDef {
    let shown = |asset: &Asset| !matches!(asset.status, AssetStatus::Absent | AssetStatus::Discarded);
    story!(
        ASSETS,
        Asset,
        &["campaign_id", "status", "platform", "draft_id"],
        asset_id,
        shown,
        [
            CreativeAssetCreated,
            CreativeAssetEdited,
            CreativeAssetApproved,
            CreativeAssetApprovalRevoked,
            CreativeAssetPublished,
            CreativeAssetRetracted,
            CreativeAssetArchived,
            CreativeAssetDiscarded
        ]
    )
}

fn find(projection: &str, filters: Vec<(usize, String)>, limit: usize) -> Find {
    let (projection, version) = (projection.to_owned(), 1);
    Find { projection, version, filters, order_by: None, descending: false, after: None, limit }
}

pub(super) async fn draft(docs: Docs, asked: DraftQuery) -> Result<Option<DraftDoc>, QueryError> {
    let Some(draft) = docs.get::<Draft>(DRAFTS, 1, asked.draft_id).await? else { return Ok(None) };
    let Some(current) = draft.current() else { return Ok(None) };
    let body = whole(&docs, &current.body).await?;
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
    let found: Option<Bundle> = docs.get(BUNDLES, 1, asked.bundle_id).await?;
    Ok(found.and_then(|bundle| {
        let (bundle_id, draft_id) = (asked.bundle_id, bundle.draft_id?);
        Some(BundleDoc { bundle_id, draft_id, asset_ids: bundle.asset_ids, status: bundle.status })
    }))
}

pub(super) async fn asset(docs: Docs, asked: AssetQuery) -> Result<Option<AssetDoc>, QueryError> {
    match docs.get::<Asset>(ASSETS, 1, asked.asset_id).await? {
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
    let wanted = [
        asked.campaign.map(|campaign| (0, campaign.to_string())),
        asked.status.map(|status| (1, status.word().to_owned())),
        asked.platform.map(|platform| (2, platform)),
    ];
    let filters = wanted.into_iter().flatten().collect();
    let mut page = find(ASSETS, filters, asked.limit.unwrap_or(PAGE_MAX).clamp(1, PAGE_MAX));
    page.after = asked.after.map(|after| (None, after.to_string()));
    let mut answer = Vec::new();
    for asset in docs.find::<Asset>(&page).await? {
        answer.extend(shown(&docs, asset).await?);
    }
    Ok(answer)
}

pub(super) async fn lineage(docs: Docs, asked: LineageQuery) -> Result<Option<LineageDoc>, QueryError> {
    let Some(asset) = docs.get::<Asset>(ASSETS, 1, asked.asset_id).await? else { return Ok(None) };
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
    let draft: Option<Draft> = docs.get(DRAFTS, 1, draft_id).await?;
    lineage.draft_revision = draft.and_then(|draft| draft.current().map(|revision| revision.number));
    let siblings: Vec<Asset> = docs.find(&find(ASSETS, vec![(3, draft_id.to_string())], PAGE_MAX)).await?;
    lineage.siblings =
        siblings.iter().filter_map(|asset| asset.asset_id).filter(|id| *id != lineage.asset_id).collect();
    let bundles: Vec<Bundle> = docs.find(&find(BUNDLES, vec![(0, draft_id.to_string())], PAGE_MAX)).await?;
    let holds = |bundle: &&Bundle| bundle.asset_ids.contains(&lineage.asset_id);
    lineage.bundle_ids = bundles.iter().filter(holds).filter_map(|bundle| bundle.bundle_id).collect();
    Ok(())
}
