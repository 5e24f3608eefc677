//! Read models: every version that is not discarded, and which briefs may be written for.

use crate::api::dtos::{StrategyDoc, StrategyStatus};
use crate::api::events::{
    StrategyApprovalRevoked, StrategyApproved, StrategyDiscarded, StrategyGenerated, StrategyRejected,
    StrategySubmissionWithdrawn, StrategySubmitted, StrategySuperseded,
};
use events::ids::{BriefId, ClientId};
use events::onboarding::{BriefNormalizationReverted, BriefValidated};
use saga_core::projection::{Projection, ProjectionDef};
use saga_core::read_model::ReadModel;
use serde::{Deserialize, Serialize};

pub(super) const VERSIONS: ReadModel<StrategyDoc> = ReadModel::new("strategy.version", 1, &["brief_id", "status"]);
pub(super) const BRIEFS: ReadModel<BriefDoc> = ReadModel::new("strategy.brief", 1, &["client_id"]);

/// What strategy knows of a brief.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct BriefDoc {
    pub(super) client_id: ClientId,
    pub(super) brief_id: BriefId,
    /// Validated, and not reverted since.
    pub(super) valid: bool,
}

/// The shelf and the approval inbox.
pub(super) fn versions() -> ProjectionDef {
    Projection::new(VERSIONS)
        .on::<StrategyGenerated>(
            |event, _| Some(event.strategy_id.to_string()),
            |_, event, _| Some(StrategyDoc::of(event, StrategyStatus::Draft)),
        )
        .on::<StrategySubmitted>(
            |event, _| Some(event.strategy_id.to_string()),
            |doc, event, _| {
                let reviewers = event.reviewers.clone();
                doc.map(|doc| StrategyDoc { status: StrategyStatus::Submitted, reviewers, ..doc })
            },
        )
        .on::<StrategySubmissionWithdrawn>(
            |event, _| Some(event.strategy_id.to_string()),
            |doc, _, _| doc.map(|doc| StrategyDoc { status: StrategyStatus::Draft, reviewers: Vec::new(), ..doc }),
        )
        .on::<StrategyApproved>(
            |event, _| Some(event.strategy_id.to_string()),
            |doc, event, _| {
                let (decided_by, note) = (Some(event.approved_by.clone()), event.note.clone());
                doc.map(|doc| StrategyDoc { status: StrategyStatus::Approved, decided_by, note, ..doc })
            },
        )
        .on::<StrategyRejected>(
            |event, _| Some(event.strategy_id.to_string()),
            |doc, event, _| {
                let (decided_by, note) = (Some(event.actor.clone()), Some(event.reason.clone()));
                doc.map(|doc| StrategyDoc { status: StrategyStatus::Rejected, decided_by, note, ..doc })
            },
        )
        .on::<StrategyApprovalRevoked>(
            |event, _| Some(event.strategy_id.to_string()),
            |doc, event, _| {
                let (decided_by, note) = (Some(event.actor.clone()), Some(event.reason.clone()));
                doc.map(|doc| StrategyDoc { status: StrategyStatus::Revoked, decided_by, note, ..doc })
            },
        )
        .on::<StrategySuperseded>(
            |event, _| Some(event.strategy_id.to_string()),
            |doc, event, _| {
                let superseded_by = Some(event.by);
                doc.map(|doc| StrategyDoc { status: StrategyStatus::Superseded, superseded_by, ..doc })
            },
        )
        .on::<StrategyDiscarded>(|event, _| Some(event.strategy_id.to_string()), |_, _, _| None)
        .build()
}

/// Briefs as onboarding tells of them.
pub(super) fn briefs() -> ProjectionDef {
    Projection::new(BRIEFS)
        .on::<BriefValidated>(
            |event, _| Some(event.brief_id.to_string()),
            |_, event, _| Some(BriefDoc { client_id: event.client_id, brief_id: event.brief_id, valid: true }),
        )
        .on::<BriefNormalizationReverted>(
            |event, _| Some(event.brief_id.to_string()),
            |doc, _, _| doc.map(|doc| BriefDoc { valid: false, ..doc }),
        )
        .build()
}
