//! How far a project is: a tree of the things that came out of a brief, grown from the events of several modules.
//!
//! An event names only its nearest relative (a draft its strategy, a package its draft), so each thing is a node that
//! knows its parent, and the stage of a brief is the furthest stage in its tree.

use super::sagas::{self, Course};
use crate::api::dtos::ProjectStage;
use crate::api::events::{BriefCancelled, BriefNormalizationReverted, BriefValidated, IntakeCaptured};
use events::client_review::{ApprovalRevoked, ClientApproved};
use events::delivery::{Delivered, PackageCreated, PackageWithdrawn};
use events::ids::{AssetId, BriefId, DraftId, QcResultId, StrategyId};
use events::production::{
    BundleAssembled, BundleDiscarded, CreativeAssetArchived, CreativeAssetCreated, CreativeAssetDiscarded,
    DraftDiscarded, DraftReady,
};
use events::qc::{QcFailed, QcPassed, QcResultVoided, Subject, SubjectKind};
use events::strategy::{
    StrategyApprovalRevoked, StrategyApproved, StrategyDiscarded, StrategyGenerated, StrategyRejected,
    StrategySuperseded,
};
use saga_core::field;
use saga_core::module::Docs;
use saga_core::ports::ReadError;
use saga_core::projection::{Projection, ProjectionDef};
use saga_core::read_model::ReadModel;
use serde::{Deserialize, Serialize};
use std::fmt::Display;

/// Version 2: content, judgements, approvals and packages count as well.
const STAGES: ReadModel<Node> = ReadModel::new("onboarding.stage", 2, &["parent"]);
/// Brief, strategy, draft, asset, judgement: a deeper tree is a loop.
const DEPTH_MAX: usize = 6;

/// Something that came out of a brief, or the brief itself. Only events of one module write a node, because a projection
/// hears modules in any order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Node {
    parent: Option<String>,
    key: String,
    stage: ProjectStage,
}

impl Node {
    /// What is judged, approved or packed has nothing below it.
    fn is_leaf(&self) -> bool {
        self.stage >= ProjectStage::Qc
    }
}

fn brief(id: BriefId) -> String {
    format!("brief/{id}")
}
fn strategy(id: StrategyId) -> String {
    format!("strategy/{id}")
}
fn draft(id: DraftId) -> String {
    format!("draft/{id}")
}
fn asset(id: AssetId) -> String {
    format!("asset/{id}")
}
fn bundle(id: impl Display) -> String {
    format!("bundle/{id}")
}
fn verdict(id: QcResultId) -> String {
    format!("verdict/{id}")
}
fn review(id: impl Display) -> String {
    format!("review/{id}")
}
fn package(id: impl Display) -> String {
    format!("package/{id}")
}
fn moved(node: Option<Node>, stage: ProjectStage) -> Option<Node> {
    node.map(|node| Node { stage, ..node })
}

/// All nodes.
pub(super) fn nodes() -> ProjectionDef {
    let own = Projection::new(STAGES)
        .on::<IntakeCaptured>(
            |event, _| Some(brief(event.brief_id)),
            |node, event, _| {
                node.or(Some(Node { parent: None, key: brief(event.brief_id), stage: ProjectStage::Intake }))
            },
        )
        .on::<BriefValidated>(|event, _| Some(brief(event.brief_id)), |node, _, _| moved(node, ProjectStage::Strategy))
        .on::<BriefNormalizationReverted>(
            |event, _| Some(brief(event.brief_id)),
            |node, _, _| moved(node, ProjectStage::Intake),
        )
        .on::<BriefCancelled>(
            |event, _| Some(brief(event.brief_id)),
            |node, _, _| moved(node, ProjectStage::Cancelled),
        );
    of_delivery(of_review(of_qc(of_production(of_strategy(own))))).build()
}

fn of_strategy(nodes: Projection<Node>) -> Projection<Node> {
    let back = |node: Option<Node>| moved(node, ProjectStage::Strategy);
    nodes
        .on::<StrategyGenerated>(
            |event, _| Some(strategy(event.strategy_id)),
            |_, event, _| {
                let (parent, key) = (Some(brief(event.brief_id)), strategy(event.strategy_id));
                Some(Node { parent, key, stage: ProjectStage::Strategy })
            },
        )
        .on::<StrategyApproved>(
            |event, _| Some(strategy(event.strategy_id)),
            |node, _, _| moved(node, ProjectStage::StrategyApproved),
        )
        .on::<StrategyApprovalRevoked>(|event, _| Some(strategy(event.strategy_id)), move |node, _, _| back(node))
        .on::<StrategyRejected>(|event, _| Some(strategy(event.strategy_id)), move |node, _, _| back(node))
        .on::<StrategySuperseded>(|event, _| Some(strategy(event.strategy_id)), move |node, _, _| back(node))
        .on::<StrategyDiscarded>(|event, _| Some(strategy(event.strategy_id)), |_, _, _| None)
}

/// An asset that belongs to no draft comes from its strategy; one that names neither is nobody's.
fn of_production(nodes: Projection<Node>) -> Projection<Node> {
    let stage = ProjectStage::Creative;
    nodes
        .on::<DraftReady>(
            |event, _| Some(draft(event.draft_id)),
            move |_, event, _| {
                Some(Node { parent: event.strategy_id.map(strategy), key: draft(event.draft_id), stage })
            },
        )
        .on::<DraftDiscarded>(|event, _| Some(draft(event.draft_id)), |_, _, _| None)
        .on::<BundleAssembled>(
            |event, _| Some(bundle(event.bundle_id)),
            move |_, event, _| Some(Node { parent: Some(draft(event.draft_id)), key: bundle(event.bundle_id), stage }),
        )
        .on::<BundleDiscarded>(|event, _| Some(bundle(event.bundle_id)), |_, _, _| None)
        .on::<CreativeAssetCreated>(
            |event, _| Some(asset(event.asset_id)),
            move |_, event, _| {
                let parent = event.draft_id.map(draft).or_else(|| event.strategy_id.map(strategy));
                Some(Node { parent, key: asset(event.asset_id), stage })
            },
        )
        .on::<CreativeAssetArchived>(|event, _| Some(asset(event.asset_id)), |_, _, _| None)
        .on::<CreativeAssetDiscarded>(|event, _| Some(asset(event.asset_id)), |_, _, _| None)
}

/// A failed judgement counts as well: the work is in quality control until the judgement is void.
fn of_qc(nodes: Projection<Node>) -> Projection<Node> {
    nodes
        .on::<QcPassed>(
            |event, _| Some(verdict(event.result_id)),
            |_, event, _| judged(event.result_id, &event.subject),
        )
        .on::<QcFailed>(
            |event, _| Some(verdict(event.result_id)),
            |_, event, _| judged(event.result_id, &event.subject),
        )
        .on::<QcResultVoided>(|event, _| Some(verdict(event.result_id)), |_, _, _| None)
}

fn judged(result: QcResultId, subject: &Subject) -> Option<Node> {
    let parent = match subject.kind {
        SubjectKind::Draft => draft(DraftId(subject.id)),
        SubjectKind::Asset => asset(AssetId(subject.id)),
        // A strategy that was judged has no content yet.
        SubjectKind::Strategy => return None,
    };
    Some(Node { parent: Some(parent), key: verdict(result), stage: ProjectStage::Qc })
}

fn of_review(nodes: Projection<Node>) -> Projection<Node> {
    nodes
        .on::<ClientApproved>(
            |event, _| Some(review(event.package_id)),
            |_, event, _| {
                let (parent, key) = (event.draft_id.map(draft), review(event.package_id));
                Some(Node { parent, key, stage: ProjectStage::Review })
            },
        )
        .on::<ApprovalRevoked>(|event, _| Some(review(event.package_id)), |_, _, _| None)
}

fn of_delivery(nodes: Projection<Node>) -> Projection<Node> {
    nodes
        .on::<PackageCreated>(
            |event, _| Some(package(event.package_id)),
            |_, event, _| {
                let (parent, key) = (Some(draft(event.draft_id)), package(event.package_id));
                Some(Node { parent, key, stage: ProjectStage::Delivery })
            },
        )
        .on::<Delivered>(|event, _| Some(package(event.package_id)), |node, _, _| moved(node, ProjectStage::Delivered))
        .on::<PackageWithdrawn>(|event, _| Some(package(event.package_id)), |_, _, _| None)
}

/// The stage of a brief: what its sagas say about all of it, otherwise the furthest stage in its tree.
pub(super) async fn stage_of(docs: &Docs, brief_id: BriefId) -> Result<ProjectStage, ReadError> {
    let Some(root) = docs.get(STAGES, brief(brief_id)).await? else {
        return Ok(ProjectStage::Intake);
    };
    if root.stage == ProjectStage::Cancelled {
        return Ok(ProjectStage::Cancelled);
    }
    match sagas::course_of(docs, brief_id).await? {
        Course::Paused => Ok(ProjectStage::OnHold),
        Course::TakenBack => Ok(ProjectStage::Cancelled),
        Course::Running => furthest(docs, root).await,
    }
}

async fn furthest(docs: &Docs, root: Node) -> Result<ProjectStage, ReadError> {
    let mut furthest = root.stage;
    let mut layer = vec![root.key];
    for _ in 0..DEPTH_MAX {
        let mut below = Vec::new();
        for parent in layer {
            for node in docs.find(&STAGES.all().with(field!(STAGES.parent), parent)).await? {
                furthest = furthest.max(node.stage);
                if !node.is_leaf() {
                    below.push(node.key);
                }
            }
        }
        layer = below;
    }
    Ok(furthest)
}
