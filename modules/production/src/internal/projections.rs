//! Read models of production: the same folds as the stories, without what was discarded.

use super::asset::Asset;
use super::bundle::Bundle;
use super::draft::Draft;
use crate::api::dtos::{AssetStatus, BundleStatus, DraftStatus};
use crate::api::events::{AssetEvent, BundleEvent, DraftEvent};
use saga_core::aggregate::Aggregate;
use saga_core::projection::{Projection, ProjectionDef};
use saga_core::read_model::ReadModel;

pub(super) const DRAFTS: ReadModel<Draft> = ReadModel::new("production.drafts", 1, &["strategy_id", "status"]);

pub(super) const BUNDLES: ReadModel<Bundle> = ReadModel::new("production.bundles", 1, &["draft_id"]);

pub(super) const ASSETS: ReadModel<Asset> =
    ReadModel::new("production.assets", 1, &["campaign_id", "status", "platform", "draft_id"]);

/// One more event of a story whose document is its state.
fn folded<A: Aggregate>(document: Option<A>, event: &A::Event, shown: impl Fn(&A) -> bool) -> Option<A> {
    let mut state = document.unwrap_or_default();
    state.evolve(event);
    shown(&state).then_some(state)
}

/// Drafts by id: the draft workbench.
pub(super) fn drafts() -> ProjectionDef {
    let shown = |draft: &Draft| !matches!(draft.status, DraftStatus::Absent | DraftStatus::Discarded);
    Projection::new(DRAFTS).story::<DraftEvent>(move |draft, event, _| folded(draft, &event, shown)).build()
}

/// Bundles by id.
pub(super) fn bundles() -> ProjectionDef {
    let shown = |bundle: &Bundle| bundle.status == BundleStatus::Assembled;
    Projection::new(BUNDLES).story::<BundleEvent>(move |bundle, event, _| folded(bundle, &event, shown)).build()
}

/// Assets by id: the gallery.
pub(super) fn assets() -> ProjectionDef {
    let shown = |asset: &Asset| !matches!(asset.status, AssetStatus::Absent | AssetStatus::Discarded);
    Projection::new(ASSETS).story::<AssetEvent>(move |asset, event, _| folded(asset, &event, shown)).build()
}
