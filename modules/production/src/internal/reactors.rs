//! What production does when delivery tells it that something is out, or gone.

use crate::api::commands::{MarkAssetPublished, MarkAssetRetracted};
use crate::api::events::Publication;
use events::delivery::{self, PublishCompleted, PublishRetracted};
use saga_core::module::Reactor;

/// Marks assets as published and as retracted. Publications without an asset (a package, an old event) concern nobody.
pub(super) fn publications() -> Reactor {
    Reactor::new("publications")
        .on::<PublishCompleted, MarkAssetPublished>(|event, _| {
            let publications = some(&event.publications)?;
            Some(MarkAssetPublished { asset_id: event.asset_id?, publications })
        })
        .on::<PublishRetracted, MarkAssetRetracted>(|event, _| {
            let publications = some(&event.publications)?;
            Some(MarkAssetRetracted { asset_id: event.asset_id?, publications, reason: "retracted".to_owned() })
        })
}

/// None named would mean all of them to production, which is not what delivery said.
fn some(theirs: &[delivery::Publication]) -> Option<Vec<Publication>> {
    (!theirs.is_empty()).then(|| theirs.iter().map(own).collect())
}

fn own(theirs: &delivery::Publication) -> Publication {
    let (platform, external_id) = (theirs.platform.clone(), theirs.external_id.clone());
    Publication { platform, external_id, url: theirs.url.clone() }
}
