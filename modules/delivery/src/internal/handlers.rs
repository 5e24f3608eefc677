//! Packages and settings: async glue that asks providers and stories, then lets the model decide.

use crate::api::commands::{
    CreatePackage, DeliverPackage, RestoreExecution, SetExecution, SetPaymentRule, WithdrawPackage,
};
use crate::api::dtos::{DeliveredReply, ExecutionSettings, ItemContent, PackageReply, PackageStatus};
use crate::api::events::Artifact;
use crate::api::providers::{Needs, Part, PartContent, ProviderError};
use crate::api::refusals::PackageRefused;
use crate::internal::execution::{self, PaymentRule, SETTINGS, Switches};
use crate::internal::links::{self, Behind};
use crate::internal::package::{self, Approved, Order, Package};
use crate::internal::projections::{APPROVALS, Approval};
use events::client_review::ClientReview;
use events::ids::DeliveryPackageId;
use saga_core::command::Common;
use saga_core::event::Owner;
use saga_core::field;
use saga_core::module::{Cx, Halt, Handled, OrRefuse, OrRetry};

/// How long a silent provider is left alone before it is asked again with the same key.
const SILENT_RETRY_MS: u64 = 1_000;
/// 100: nobody approves one draft as often.
const APPROVALS_MAX: usize = 100;

type Halted = Halt<PackageRefused>;

pub(super) async fn create_package(cx: Cx<Needs>, command: CreatePackage) -> Handled<CreatePackage> {
    gate(&cx, &command).await?;
    let orders = package::orders(&command.artifacts).or_refuse()?;
    let mut parts = Vec::new();
    let mut missing = Vec::new();
    for order in &orders {
        parts.push(gather(&cx, order, &mut missing).await?);
    }
    if !missing.is_empty() {
        return Err(Halt::Refuse(PackageRefused::ArtifactMissing { names: missing }));
    }
    let mut artifacts = Vec::new();
    for (order, parts) in orders.iter().zip(&parts) {
        artifacts.push(make(&cx, order, parts).await?);
    }
    let package_id = DeliveryPackageId::from(cx.key());
    let story = cx.load::<Package>(package_id).await.or_retry()?;
    let created = package::decide_create(&story.state, &command, package_id, artifacts).or_refuse()?;
    let reply = PackageReply { package_id, artifacts: created.artifacts.clone() };
    Ok(cx.done(reply).append(&story, [created.into()]))
}

/// The client's approval, where it is needed. One that was never heard of may be on its way: a no needs everything that
/// the review told.
async fn gate(cx: &Cx<Needs>, command: &CreatePackage) -> Result<(), Halted> {
    if !command.requires_client_approval {
        return package::gate(command, &[]).or_refuse();
    }
    if package::gate(command, &approvals(cx, command).await?).is_ok() {
        return Ok(());
    }
    let what = format!("the client's approval of draft {}", command.draft_id);
    cx.caught_up(APPROVALS, ClientReview::MODULE, &what).await?;
    package::gate(command, &approvals(cx, command).await?).or_refuse()
}

async fn approvals(cx: &Cx<Needs>, command: &CreatePackage) -> Result<Vec<Approved>, Halted> {
    let wanted = APPROVALS.all().with(field!(APPROVALS.draft_id), command.draft_id).limit(APPROVALS_MAX);
    let found = cx.documents().find(&wanted).await.or_retry()?;
    let approved = |approval: Approval| Approved { client_id: approval.client_id, revision: approval.revision };
    Ok(found.into_iter().map(approved).collect())
}

/// The pieces of an artifact with their bytes; what the file store does not have is named in `missing`.
async fn gather(cx: &Cx<Needs>, order: &Order<'_>, missing: &mut Vec<String>) -> Result<Vec<Part>, Halted> {
    let mut parts = Vec::new();
    for item in &order.spec.items {
        let content = match &item.content {
            ItemContent::Text { text } => PartContent::Bytes(text.clone().into_bytes()),
            ItemContent::Link { url, sha256 } => match links::behind(url, sha256.as_deref()) {
                Ok(Behind::Here(bytes)) => PartContent::Bytes(bytes),
                Ok(Behind::Elsewhere) => PartContent::Link { url: url.clone(), sha256: sha256.clone() },
                Ok(Behind::Nothing) => continue,
                Err(why) => {
                    let field = format!("{}: {}", order.spec.name, item.name);
                    return Err(Halt::Refuse(Common::invalid(field, why).into()));
                }
            },
            ItemContent::File { sha256 } => match cx.needs().files.get(sha256).await {
                Ok(Some(bytes)) => PartContent::Bytes(bytes),
                Ok(None) => {
                    missing.push(item.name.clone());
                    continue;
                }
                Err(why) => return Err(halted(why, &item.name)),
            },
        };
        parts.push(Part { name: item.name.clone(), content });
    }
    Ok(parts)
}

async fn make(cx: &Cx<Needs>, order: &Order<'_>, parts: &[Part]) -> Result<Artifact, Halted> {
    let name = &order.spec.name;
    let packed = cx.needs().packer.pack(order.format, &order.spec.title, parts).await;
    let bytes = packed.map_err(|why| halted(why, name))?;
    let stored = cx.needs().files.put(cx.key().named(name), name, &bytes).await;
    let stored = stored.map_err(|why| halted(why, name))?;
    Ok(Artifact {
        name: name.clone(),
        url: stored.url,
        format: order.format.to_owned(),
        position: order.position,
        sha256: stored.sha256,
    })
}

/// A file that may have been kept is asked for again: keeping it twice is harmless.
fn halted(why: ProviderError, name: &str) -> Halted {
    let rejected = |code| PackageRefused::ArtifactRejected { name: name.to_owned(), provider_code: code };
    why.halt(SILENT_RETRY_MS, rejected).about(name)
}

pub(super) async fn deliver_package(cx: Cx<Needs>, command: DeliverPackage) -> Handled<DeliverPackage> {
    let story = cx.load::<Package>(command.package_id).await.or_retry()?;
    let payment_required = match story.state.client_id {
        Some(client) => cx.load::<PaymentRule>(client).await.or_retry()?.state.payment_required,
        None => false,
    };
    let delivered = package::decide_deliver(&story.state, &command, payment_required).or_refuse()?;
    let reply = DeliveredReply {
        package_id: command.package_id,
        status: PackageStatus::Delivered,
        artifact_count: delivered.artifact_count,
    };
    Ok(cx.done(reply).append(&story, [delivered.into()]))
}

pub(super) async fn withdraw_package(cx: Cx<Needs>, command: WithdrawPackage) -> Handled<WithdrawPackage> {
    let story = cx.load::<Package>(command.package_id).await.or_retry()?;
    let withdrawn = package::decide_withdraw(&story.state, &command).or_refuse()?;
    Ok(cx.done(()).append(&story, withdrawn.map(Into::into)))
}

pub(super) async fn set_execution(cx: Cx<Needs>, command: SetExecution) -> Handled<SetExecution> {
    let story = cx.load::<Switches>(SETTINGS).await.or_retry()?;
    let set = execution::decide_set(&command, &cx.deed().actor, cx.key().uuid()).or_refuse()?;
    let reply = ExecutionSettings { enabled: set.enabled, dry_run: set.dry_run, channels: set.channels.clone() };
    Ok(cx.done(reply).append(&story, [set.into()]))
}

pub(super) async fn restore_execution(cx: Cx<Needs>, command: RestoreExecution) -> Handled<RestoreExecution> {
    let story = cx.load::<Switches>(SETTINGS).await.or_retry()?;
    let set = execution::decide_restore(&story.state, &command, &cx.deed().actor, cx.key().uuid()).or_refuse()?;
    Ok(cx.done(()).append(&story, set.map(Into::into)))
}

pub(super) async fn set_payment_rule(cx: Cx<Needs>, command: SetPaymentRule) -> Handled<SetPaymentRule> {
    let story = cx.load::<PaymentRule>(command.client_id).await.or_retry()?;
    let set = execution::decide_payment_rule(&command, &cx.deed().actor).or_refuse()?;
    Ok(cx.done(()).append(&story, [set.into()]))
}
