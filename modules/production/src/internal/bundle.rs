//! The story of one bundle, and what is decided about it. Pure.

use super::asset::Asset;
use super::limits::ASSETS_PER_DRAFT_MAX;
use crate::api::commands::{AssembleBundle, DiscardBundle};
use crate::api::dtos::{AssetStatus, BundleMade, BundleStatus};
use crate::api::events::{AssetGenerated, BundleAssembled, BundleDiscarded, BundleEvent};
use crate::api::refusals::BundleRefused;
use events::ids::{AssetId, BundleId, DraftId};
use saga_core::aggregate::Aggregate;
use saga_core::command::Common;
use saga_core::id::Direction;
use serde::{Deserialize, Serialize};

/// A bundle; also the document of its read model.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Bundle {
    pub(super) bundle_id: Option<BundleId>,
    pub(super) draft_id: Option<DraftId>,
    pub(super) asset_ids: Vec<AssetId>,
    pub(super) status: BundleStatus,
}

impl Aggregate for Bundle {
    type Event = BundleEvent;
    fn evolve(&mut self, event: &BundleEvent) {
        match event {
            BundleEvent::BundleAssembled(made) => {
                self.bundle_id = Some(made.bundle_id);
                self.draft_id = Some(made.draft_id);
                self.asset_ids = made.asset_ids.clone();
                self.status = BundleStatus::Assembled;
            }
            // What was rendered is known from the asset itself; the event is for modules that listen to bundles.
            BundleEvent::AssetGenerated(_) => {}
            BundleEvent::BundleDiscarded(_) => self.status = BundleStatus::Discarded,
        }
    }
}

/// Ties assets together. `assets` are the stories of the assets that were asked for, in their order.
pub(super) fn decide_assemble(
    asked: &AssembleBundle,
    bundle_id: BundleId,
    assets: &[(AssetId, &Asset)],
) -> Result<(BundleMade, Vec<BundleEvent>), BundleRefused> {
    let distinct: std::collections::BTreeSet<_> = asked.asset_ids.iter().collect();
    if asked.asset_ids.is_empty() || asked.asset_ids.len() > ASSETS_PER_DRAFT_MAX {
        return Err(Common::invalid("asset_ids", format!("between 1 and {ASSETS_PER_DRAFT_MAX} assets")).into());
    }
    if distinct.len() != asked.asset_ids.len() {
        return Err(Common::invalid("asset_ids", "an asset is named twice").into());
    }
    let there = |asset: &Asset| {
        asset.draft_id == Some(asked.draft_id)
            && match asset.status {
                AssetStatus::Draft | AssetStatus::Approved | AssetStatus::Published | AssetStatus::Retracted => true,
                AssetStatus::Absent | AssetStatus::Archived | AssetStatus::Discarded => false,
            }
    };
    let missing: Vec<_> = assets.iter().filter(|(_, asset)| !there(asset)).map(|(id, _)| *id).collect();
    if !missing.is_empty() {
        return Err(BundleRefused::AssetMissing { asset_ids: missing });
    }
    let rendered = |(id, asset): &(AssetId, &Asset)| Some((*id, asset.current()?.media.clone()?));
    let media: Vec<_> = assets.iter().filter_map(rendered).collect();
    let (draft_id, asset_ids) = (asked.draft_id, asked.asset_ids.clone());
    let mut events: Vec<BundleEvent> =
        vec![BundleAssembled { bundle_id, draft_id, asset_ids: asset_ids.clone() }.into()];
    events.extend(media.iter().map(|(asset_id, media)| {
        let (url, sha256) = (Some(media.url.clone()), Some(media.sha256.clone()));
        AssetGenerated { asset_id: *asset_id, asset_type: media.asset_type.clone(), url, sha256 }.into()
    }));
    let media = media.into_iter().map(|(_, media)| media).collect();
    Ok((BundleMade { bundle_id, draft_id, asset_ids, media }, events))
}

/// A bundle is dropped; its assets stay.
pub(super) fn decide_discard(
    state: &Bundle,
    asked: &DiscardBundle,
    direction: Direction,
) -> Result<Option<BundleEvent>, Common> {
    match (state.status, direction) {
        (BundleStatus::Discarded, _) | (BundleStatus::Absent, Direction::Undo) => Ok(None),
        (BundleStatus::Absent, Direction::Do) => Err(Common::not_found("bundle", asked.bundle_id)),
        (BundleStatus::Assembled, _) => {
            Ok(Some(BundleDiscarded { bundle_id: asked.bundle_id, reason: asked.reason.clone() }.into()))
        }
    }
}
