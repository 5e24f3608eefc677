//! Answers from the read models.

use crate::api::dtos::{
    BriefCard, BriefStatus, ClientStatus, FunnelView, IntakeView, NormalizedBrief, OnboardingStage, ProjectStage,
    ProjectStatus, ProjectView,
};
use crate::api::queries::{Funnel, GetBrief, GetIntake, GetProject, ListBriefs, Status};
use crate::internal::projections::{BRIEFS, BriefDoc, FORMS, INTAKES, PROJECTS, form_key};
use crate::internal::stages::stage_of;
use saga_core::field;
use saga_core::module::{Docs, QueryError};
use saga_core::ports::{FIND_LIMIT_MAX, ReadError};

/// A screen and a half.
const PAGE_DEFAULT: usize = 100;

pub(super) async fn status(docs: Docs, query: Status) -> Result<ClientStatus, QueryError> {
    let briefs = docs.find(&BRIEFS.all().with(field!(BRIEFS.client_id), query.client_id)).await?;
    let projects = docs.find(&PROJECTS.all().with(field!(PROJECTS.client_id), query.client_id)).await?;
    let any = |status| briefs.iter().any(|brief| brief.status == status);
    let intake_complete = briefs.iter().any(|brief| brief.forms.values().any(Vec::is_empty));
    let brief_validated = any(BriefStatus::Validated);
    let workspace_created = projects.iter().any(|project| project.status == ProjectStatus::Ready);
    let live = briefs.iter().any(|brief| brief.status != BriefStatus::Cancelled);
    let stage = match (live, brief_validated, workspace_created) {
        (_, true, true) => OnboardingStage::Complete,
        (_, true, false) => OnboardingStage::WorkspaceSetup,
        (_, false, _) if any(BriefStatus::Normalized) => OnboardingStage::BriefReview,
        (true, false, _) => OnboardingStage::Discovery,
        (false, false, _) => OnboardingStage::Intake,
    };
    Ok(ClientStatus { stage, intake_complete, brief_validated, workspace_created })
}

pub(super) async fn brief(docs: Docs, query: GetBrief) -> Result<BriefCard, QueryError> {
    let found = docs.get(BRIEFS, query.brief_id).await?;
    let doc = found.ok_or_else(|| QueryError::NotFound(format!("brief {}", query.brief_id)))?;
    Ok(card(&docs, doc).await?)
}

pub(super) async fn intake(docs: Docs, query: GetIntake) -> Result<IntakeView, QueryError> {
    let missing = || QueryError::NotFound(format!("intake {}", query.intake_id));
    let head = docs.get(INTAKES, query.intake_id).await?.ok_or_else(missing)?;
    let version = query.version.or_else(|| head.versions.last().copied()).ok_or_else(missing)?;
    let form = docs.get(FORMS, form_key(head.intake_id, version)).await?;
    let form = form.ok_or_else(|| QueryError::NotFound(format!("form {version} of intake {}", query.intake_id)))?;
    Ok(IntakeView {
        intake_id: head.intake_id,
        brief_id: head.brief_id,
        client_id: head.client_id,
        version,
        versions: head.versions.into_iter().collect(),
        next_version: head.last + 1,
        language: form.language,
        responses: form.responses,
        attachments: form.attachments,
        submitted_at: form.submitted_at,
    })
}

pub(super) async fn project(docs: Docs, query: GetProject) -> Result<ProjectView, QueryError> {
    let found = docs.get(PROJECTS, query.project_id).await?;
    let doc = found.ok_or_else(|| QueryError::NotFound(format!("project {}", query.project_id)))?;
    let stage = match doc.brief_id {
        Some(brief_id) => stage_of(&docs, brief_id).await?,
        None => ProjectStage::Intake,
    };
    Ok(ProjectView {
        project_id: doc.project_id,
        client_id: doc.client_id,
        brief_id: doc.brief_id,
        workspace_url: doc.workspace_url,
        status: doc.status,
        stage,
    })
}

pub(super) async fn list(docs: Docs, query: ListBriefs) -> Result<Vec<BriefCard>, QueryError> {
    let limit = if query.limit == 0 { PAGE_DEFAULT } else { usize::try_from(query.limit).unwrap_or(FIND_LIMIT_MAX) };
    let mut search = BRIEFS.all().with_any(field!(BRIEFS.client_id), query.client_id).limit(limit);
    search = search.with_any(field!(BRIEFS.status), query.status.map(BriefStatus::word));
    if let Some(last) = query.after {
        search = search.after(last);
    }
    let mut cards = Vec::new();
    for doc in docs.find(&search).await? {
        cards.push(card(&docs, doc).await?);
    }
    Ok(cards)
}

pub(super) async fn funnel(docs: Docs, _: Funnel) -> Result<FunnelView, QueryError> {
    let mut funnel = FunnelView::default();
    let mut search = BRIEFS.all();
    loop {
        let found = docs.find(&search).await?;
        for doc in &found {
            let count = match doc.status {
                BriefStatus::Captured => &mut funnel.captured,
                BriefStatus::Normalized => &mut funnel.normalized,
                BriefStatus::Validated => &mut funnel.validated,
                BriefStatus::Reverted => &mut funnel.reverted,
                BriefStatus::Cancelled => &mut funnel.cancelled,
            };
            *count += 1;
        }
        match found.last() {
            Some(last) if found.len() == FIND_LIMIT_MAX => search = search.after(last.brief_id),
            Some(_) | None => return Ok(funnel),
        }
    }
}

async fn card(docs: &Docs, doc: BriefDoc) -> Result<BriefCard, ReadError> {
    let stage = stage_of(docs, doc.brief_id).await?;
    let missing = if doc.brief.is_some() { None } else { doc.forms.last_key_value().map(|(_, names)| names.clone()) };
    Ok(BriefCard {
        brief_id: doc.brief_id,
        client_id: doc.client_id,
        status: doc.status,
        stage,
        missing: missing.unwrap_or_default(),
        brief: doc.brief.as_ref().map(NormalizedBrief::from),
    })
}
