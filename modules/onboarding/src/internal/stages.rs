//! How far a project is: a tree of the things that came out of a brief, grown from the events of several modules.
//!
//! An event names only its nearest relative (a draft its strategy, a package its draft), so each thing is a node that
//! knows its parent, and the stage of a brief is the furthest stage in its tree.

use crate::api::dtos::ProjectStage;
use crate::api::events::{BriefCancelled, BriefNormalizationReverted, BriefValidated, IntakeCaptured};
use events::ids::BriefId;
use events::strategy::{
    StrategyApprovalRevoked, StrategyApproved, StrategyDiscarded, StrategyGenerated, StrategyRejected,
    StrategySuperseded,
};
use saga_core::module::Docs;
use saga_core::ports::{FIND_LIMIT_MAX, Find, ReadError};
use saga_core::projection::{Projection, ProjectionDef};
use serde::{Deserialize, Serialize};

const STAGES: &str = "onboarding.stage";
const VERSION: u16 = 1;
const BY_PARENT: usize = 0;
/// Brief, strategy, draft, package: a deeper tree is a loop.
const DEPTH_MAX: usize = 6;

/// Something that came out of a brief, or the brief itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Node {
    parent: Option<String>,
    key: String,
    stage: ProjectStage,
}

fn brief(id: BriefId) -> String {
    format!("brief/{id}")
}
fn strategy(id: events::ids::StrategyId) -> String {
    format!("strategy/{id}")
}
fn moved(node: Option<Node>, stage: ProjectStage) -> Option<Node> {
    node.map(|node| Node { stage, ..node })
}

/// All nodes.
pub(super) fn nodes() -> ProjectionDef {
    let own = Projection::<Node>::new(STAGES, VERSION, &["parent"])
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
    of_strategy(own).build()
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

/// The furthest stage in the tree of a brief.
pub(super) async fn stage_of(docs: &Docs, brief_id: BriefId) -> Result<ProjectStage, ReadError> {
    let Some(root) = docs.get::<Node>(STAGES, VERSION, brief(brief_id)).await? else {
        return Ok(ProjectStage::Intake);
    };
    let mut furthest = root.stage;
    let mut layer = vec![root.key];
    for _ in 0..DEPTH_MAX {
        let mut below = Vec::new();
        for parent in layer {
            for node in docs.find::<Node>(&children_of(parent)).await? {
                furthest = furthest.max(node.stage);
                below.push(node.key);
            }
        }
        layer = below;
    }
    Ok(furthest)
}

fn children_of(parent: String) -> Find {
    Find {
        projection: STAGES.to_owned(),
        version: VERSION,
        filters: vec![(BY_PARENT, parent)],
        order_by: None,
        descending: false,
        after: None,
        limit: FIND_LIMIT_MAX,
    }
}
