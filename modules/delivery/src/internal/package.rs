//! A package: what happened to it, and what may happen to it. Pure.

use crate::api::commands::{CreatePackage, DeliverPackage, WithdrawPackage};
use crate::api::dtos::{ARTIFACTS, ArtifactSpec, ITEMS_MAX, ItemContent, PackageStatus, STAND_INS};
use crate::api::events::{Artifact, Delivered, PackageCreated, PackageEvent, PackageWithdrawn};
use crate::api::refusals::PackageRefused;
use crate::internal::links;
use events::ids::{ClientId, DeliveryPackageId};
use saga_core::aggregate::Aggregate;
use saga_core::command::Common;

/// The state of a package's story.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Package {
    pub(super) status: Option<PackageStatus>,
    pub(super) client_id: Option<ClientId>,
    pub(super) artifact_count: u32,
}

impl Aggregate for Package {
    type Event = PackageEvent;
    fn evolve(&mut self, event: &PackageEvent) {
        match event {
            PackageEvent::PackageCreated(created) => {
                self.status = Some(PackageStatus::Created);
                self.client_id = Some(created.client_id);
                self.artifact_count = u32::try_from(created.artifacts.len()).unwrap_or(u32::MAX);
            }
            PackageEvent::Delivered(_) => self.status = Some(PackageStatus::Delivered),
            PackageEvent::PackageWithdrawn(_) => self.status = Some(PackageStatus::Withdrawn),
        }
    }
}

/// An approval of the client, as a projection remembers it. Silence is never one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Approved {
    pub(super) client_id: ClientId,
    pub(super) revision: Option<u32>,
}

/// Whether the draft may be packed: an approval binds to its client, and to its revision where both are named.
pub(super) fn gate(command: &CreatePackage, approvals: &[Approved]) -> Result<(), PackageRefused> {
    let binds = |approved: &Approved| {
        let revisions = command.draft_revision.zip(approved.revision);
        approved.client_id == command.client_id && revisions.is_none_or(|(wanted, given)| wanted == given)
    };
    if !command.requires_client_approval || approvals.iter().any(binds) {
        return Ok(());
    }
    Err(PackageRefused::NotApproved { draft_id: command.draft_id.to_string() })
}

/// One artifact to make: the specification in its fixed place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Order<'a> {
    pub(super) spec: &'a ArtifactSpec,
    pub(super) format: &'static str,
    pub(super) position: u32,
}

/// Puts the specifications into their order, and refuses what is missing, doubled or unknown.
pub(super) fn orders(specs: &[ArtifactSpec]) -> Result<Vec<Order<'_>>, PackageRefused> {
    for (index, spec) in specs.iter().enumerate() {
        let field = || format!("artifacts[{index}]");
        let Some((place, _)) = place_of(&spec.name) else {
            return Err(invalid(field(), format!("{:?} is not an artifact of a package", spec.name)));
        };
        if specs[..index].iter().any(|earlier| is_at(earlier, place)) {
            return Err(invalid(field(), format!("{place} is named twice")));
        }
        check_items(spec, &field())?;
    }
    let mut missing = Vec::new();
    let mut orders = Vec::new();
    for (position, (name, _, may_be_empty)) in (1..).zip(ARTIFACTS) {
        let there = specs.iter().find(|spec| is_at(spec, name) && (may_be_empty || !spec.items.is_empty()));
        match there.and_then(|spec| Some((spec, place_of(&spec.name)?))) {
            Some((spec, (_, format))) => orders.push(Order { spec, format, position }),
            None => missing.push(name.to_owned()),
        }
    }
    if missing.is_empty() { Ok(orders) } else { Err(PackageRefused::ArtifactMissing { names: missing }) }
}

/// In whose place an artifact of this name stands, and its format.
fn place_of(name: &str) -> Option<(&'static str, &'static str)> {
    let own = ARTIFACTS.into_iter().find(|(own, ..)| *own == name).map(|(own, format, _)| (own, format));
    own.or_else(|| STAND_INS.into_iter().find(|(_, other, _)| *other == name).map(|(own, _, format)| (own, format)))
}

fn is_at(spec: &ArtifactSpec, place: &str) -> bool {
    place_of(&spec.name).is_some_and(|(of, _)| of == place)
}

fn check_items(spec: &ArtifactSpec, field: &str) -> Result<(), PackageRefused> {
    if spec.items.len() > ITEMS_MAX {
        return Err(invalid(format!("{field}.items"), format!("at most {ITEMS_MAX}")));
    }
    for (index, item) in spec.items.iter().enumerate() {
        let place = || format!("{field}.items[{index}].name");
        let safe = !item.name.is_empty()
            && item.name.chars().count() <= 200
            && !item.name.contains(['/', '\\', '\0'])
            && item.name != "."
            && item.name != "..";
        if !safe {
            return Err(invalid(place(), "a file name of 1 to 200 characters without a path".to_owned()));
        }
        if spec.items[..index].iter().any(|earlier| earlier.name == item.name) {
            return Err(invalid(place(), format!("{:?} is named twice", item.name)));
        }
        match &item.content {
            ItemContent::Link { url, sha256 } => {
                links::behind(url, sha256.as_deref()).map_err(|why| invalid(place(), why))?;
            }
            ItemContent::Text { .. } | ItemContent::File { .. } => {}
        }
    }
    Ok(())
}

/// The package as it stands on the shelf.
pub(super) fn decide_create(
    package: &Package,
    command: &CreatePackage,
    package_id: DeliveryPackageId,
    artifacts: Vec<Artifact>,
) -> Result<PackageCreated, PackageRefused> {
    match package.status {
        Some(_) => Err(Common::already_exists("package", package_id).into()),
        None => Ok(PackageCreated {
            package_id,
            project_id: command.project_id,
            client_id: command.client_id,
            draft_id: command.draft_id,
            artifacts,
        }),
    }
}

/// Hands it over, unless its client pays first.
pub(super) fn decide_deliver(
    package: &Package,
    command: &DeliverPackage,
    payment_required: bool,
) -> Result<Delivered, PackageRefused> {
    match (package.status, package.client_id) {
        (None, _) | (_, None) => Err(not_found(command.package_id)),
        (Some(status @ (PackageStatus::Delivered | PackageStatus::Withdrawn)), _) => {
            Err(Common::wrong_state(status.word()).into())
        }
        (Some(PackageStatus::Created), Some(client)) if payment_required => {
            Err(PackageRefused::PaymentRequired { client_id: client.to_string() })
        }
        (Some(PackageStatus::Created), Some(_)) => {
            Ok(Delivered { package_id: command.package_id, artifact_count: package.artifact_count })
        }
    }
}

/// Takes it off the shelf; once is enough.
pub(super) fn decide_withdraw(
    package: &Package,
    command: &WithdrawPackage,
) -> Result<Option<PackageWithdrawn>, PackageRefused> {
    match package.status {
        None => Err(not_found(command.package_id)),
        Some(PackageStatus::Withdrawn) => Ok(None),
        Some(PackageStatus::Created | PackageStatus::Delivered) => {
            Ok(Some(PackageWithdrawn { package_id: command.package_id, reason: command.reason.clone() }))
        }
    }
}

fn not_found(package_id: DeliveryPackageId) -> PackageRefused {
    Common::not_found("package", package_id).into()
}

fn invalid(field: String, why: String) -> PackageRefused {
    Common::invalid(field, why).into()
}
