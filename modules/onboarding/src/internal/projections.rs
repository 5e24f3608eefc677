//! Read models of intakes, forms, briefs and projects.

use crate::api::dtos::{BriefForm, BriefStatus, ProjectStatus};
use crate::api::events::{
    BriefCancelled, BriefNormalizationReverted, BriefNormalized, BriefValidated, IntakeCaptured, IntakeWithdrawn,
    ProjectClosed, WorkspaceCreated,
};
use crate::internal::normalize::missing;
use events::ids::{BriefId, ClientId, IntakeId, ProjectId};
use saga_core::projection::{Projection, ProjectionDef};
use saga_core::read_model::ReadModel;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

pub(super) const INTAKES: ReadModel<IntakeDoc> = ReadModel::new("onboarding.intake", 1, &["client_id", "brief_id"]);
pub(super) const FORMS: ReadModel<IntakeCaptured> = ReadModel::new("onboarding.form", 1, &["intake_id"]);
pub(super) const BRIEFS: ReadModel<BriefDoc> = ReadModel::new("onboarding.brief", 1, &["client_id", "status"]);
pub(super) const PROJECTS: ReadModel<ProjectDoc> =
    ReadModel::new("onboarding.project", 1, &["client_id", "status", "brief_id"]);

/// An intake with at least one form that counts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct IntakeDoc {
    pub(super) client_id: ClientId,
    pub(super) brief_id: BriefId,
    pub(super) intake_id: IntakeId,
    pub(super) versions: BTreeSet<u32>,
    pub(super) last: u32,
}

/// A brief, from its first form on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct BriefDoc {
    pub(super) client_id: ClientId,
    pub(super) status: BriefStatus,
    pub(super) brief_id: BriefId,
    /// What each form that counts still lacks.
    pub(super) forms: BTreeMap<u32, Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(super) brief: Option<BriefNormalized>,
}

/// A project.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct ProjectDoc {
    pub(super) client_id: Option<ClientId>,
    pub(super) status: ProjectStatus,
    pub(super) project_id: ProjectId,
    pub(super) brief_id: Option<BriefId>,
    pub(super) workspace_url: String,
}

pub(super) fn form_key(intake_id: IntakeId, version: u32) -> String {
    format!("{intake_id}/{version}")
}

/// Heads of intakes. An intake whose forms are all withdrawn is not shown.
pub(super) fn intakes() -> ProjectionDef {
    Projection::new(INTAKES)
        .on::<IntakeCaptured>(
            |event, _| Some(event.intake_id.to_string()),
            |doc, event, _| {
                let mut doc = doc.unwrap_or_else(|| IntakeDoc {
                    client_id: event.client_id,
                    brief_id: event.brief_id,
                    intake_id: event.intake_id,
                    versions: BTreeSet::new(),
                    last: 0,
                });
                doc.versions.insert(event.form_version);
                doc.last = doc.last.max(event.form_version);
                Some(doc)
            },
        )
        .on::<IntakeWithdrawn>(
            |event, _| Some(event.intake_id.to_string()),
            |doc, event, _| {
                let mut doc = doc?;
                doc.versions.remove(&event.version);
                (!doc.versions.is_empty()).then_some(doc)
            },
        )
        .build()
}

/// The forms themselves, one document each, because each may be large.
pub(super) fn forms() -> ProjectionDef {
    Projection::new(FORMS)
        .on::<IntakeCaptured>(
            |event, _| Some(form_key(event.intake_id, event.form_version)),
            |_, event, _| Some(event.clone()),
        )
        .on::<IntakeWithdrawn>(|event, _| Some(form_key(event.intake_id, event.version)), |_, _, _| None)
        .build()
}

/// Briefs with what is missing: the inbox and the cards.
pub(super) fn briefs() -> ProjectionDef {
    Projection::new(BRIEFS)
        .on::<IntakeCaptured>(|event, _| Some(event.brief_id.to_string()), |doc, event, _| Some(captured(doc, event)))
        .on::<IntakeWithdrawn>(|event, _| event.brief_id.map(|id| id.to_string()), withdrawn)
        .on::<BriefNormalized>(
            |event, _| Some(event.brief_id.to_string()),
            |doc, event, _| {
                doc.map(|doc| BriefDoc { status: BriefStatus::Normalized, brief: Some(event.clone()), ..doc })
            },
        )
        .on::<BriefValidated>(
            |event, _| Some(event.brief_id.to_string()),
            |doc, _, _| doc.map(|doc| BriefDoc { status: BriefStatus::Validated, ..doc }),
        )
        .on::<BriefNormalizationReverted>(
            |event, _| Some(event.brief_id.to_string()),
            |doc, _, _| doc.map(|doc| BriefDoc { status: BriefStatus::Reverted, brief: None, ..doc }),
        )
        .on::<BriefCancelled>(
            |event, _| Some(event.brief_id.to_string()),
            |doc, _, _| doc.map(|doc| BriefDoc { status: BriefStatus::Cancelled, brief: None, ..doc }),
        )
        .build()
}

fn captured(doc: Option<BriefDoc>, event: &IntakeCaptured) -> BriefDoc {
    let mut doc = doc.unwrap_or_else(|| BriefDoc {
        client_id: event.client_id,
        status: BriefStatus::Captured,
        brief_id: event.brief_id,
        forms: BTreeMap::new(),
        brief: None,
    });
    let answers = BriefForm::read(&event.responses).unwrap_or_default();
    doc.forms.insert(event.form_version, missing(&answers, &BTreeMap::new()));
    doc
}

fn withdrawn(doc: Option<BriefDoc>, event: &IntakeWithdrawn, _: &saga_core::projection::At) -> Option<BriefDoc> {
    let mut doc = doc?;
    doc.forms.remove(&event.version);
    // What was made of the form stays visible as long as it counts itself.
    let nothing_left = doc.forms.is_empty() && doc.brief.is_none() && doc.status != BriefStatus::Cancelled;
    (!nothing_left).then_some(doc)
}

/// Projects and their workspaces.
pub(super) fn projects() -> ProjectionDef {
    Projection::new(PROJECTS)
        .on::<WorkspaceCreated>(
            |event, _| Some(event.project_id.to_string()),
            |_, event, _| {
                Some(ProjectDoc {
                    client_id: event.client_id,
                    status: ProjectStatus::Ready,
                    project_id: event.project_id,
                    brief_id: event.brief_id,
                    workspace_url: event.workspace_url.clone(),
                })
            },
        )
        .on::<ProjectClosed>(
            |event, _| Some(event.project_id.to_string()),
            |doc, _, _| doc.map(|doc| ProjectDoc { status: ProjectStatus::Closed, ..doc }),
        )
        .build()
}
