//! Glue: load the stories, ask the provider, let the model decide, hand over what to commit.

use crate::api::commands::{
    CancelBrief, CaptureIntake, CloseProject, CreateProject, NormalizeBrief, RevertBriefNormalization, ValidateBrief,
    WithdrawIntake,
};
use crate::api::dtos::{BriefMoved, BriefStatus, CapturedIntake, CreatedProject};
use crate::api::events::{WorkspaceCreated, intake_of};
use crate::api::providers::{Needs, ProviderError};
use crate::api::refusals::CreateProjectRefused;
use crate::internal::brief::{self, Brief};
use crate::internal::form;
use crate::internal::intake::{self, Intake};
use crate::internal::project::{self, Project};
use events::ids::{BriefId, ProjectId};
use saga_core::module::{Cx, Halt, Handled, OrRefuse, OrRetry};

/// A quarter of a minute: an unknown outcome is asked for again soon, but not in a hurry.
const UNKNOWN_RETRY_MS: u64 = 15_000;

pub(super) async fn capture_intake(cx: Cx<Needs>, cmd: CaptureIntake) -> Handled<CaptureIntake> {
    let brief_id = BriefId::from(cx.key());
    let intake_id = cmd.next_of.map_or_else(|| intake_of(brief_id), |next| next.intake_id);
    let checked = form::check(&cmd.form).or_refuse()?;
    let kept = checked.kept.clone();
    let story = cx.load::<Intake>(intake_id).await.or_retry()?;
    let captured = intake::decide_capture(&story.state, intake_id, brief_id, &cmd, checked).or_refuse()?;
    let reply = CapturedIntake { intake_id, brief_id: captured.brief_id, version: captured.form_version };
    let done = cx.done(reply).append(&story, [captured.into()]);
    Ok(kept.iter().fold(done, |done, text| done.keep(text)))
}

pub(super) async fn withdraw_intake(cx: Cx<Needs>, cmd: WithdrawIntake) -> Handled<WithdrawIntake> {
    let story = cx.load::<Intake>(cmd.intake_id).await.or_retry()?;
    let withdrawn = intake::decide_withdraw(&story.state, &cmd).or_refuse()?;
    Ok(cx.done(()).append(&story, withdrawn.map(Into::into)))
}

pub(super) async fn normalize_brief(cx: Cx<Needs>, cmd: NormalizeBrief) -> Handled<NormalizeBrief> {
    let intake = cx.load::<Intake>(intake_of(cmd.brief_id)).await.or_retry()?;
    let story = cx.load::<Brief>(cmd.brief_id).await.or_retry()?;
    let normalized =
        brief::decide_normalize(&story.state, &intake.state, cmd.brief_id, cmd.notes.as_ref(), cx.key()).or_refuse()?;
    // The intake is guarded as well: a form that comes in between is read, not overlooked.
    let done = cx.done(normalized.reply).append(&intake, []).append(&story, normalized.event.map(Into::into));
    Ok(normalized.kept.iter().fold(done, |done, text| done.keep(text)))
}

pub(super) async fn validate_brief(cx: Cx<Needs>, cmd: ValidateBrief) -> Handled<ValidateBrief> {
    let story = cx.load::<Brief>(cmd.brief_id).await.or_retry()?;
    if !story.exists() {
        known(&cx, cmd.brief_id).await?.or_refuse()?;
    }
    let validated = brief::decide_validate(&story.state, cmd.brief_id, cx.key()).or_refuse()?;
    let reply = BriefMoved { brief_id: cmd.brief_id, status: BriefStatus::Validated };
    Ok(cx.done(reply).append(&story, validated.map(Into::into)))
}

pub(super) async fn revert_brief_normalization(
    cx: Cx<Needs>,
    cmd: RevertBriefNormalization,
) -> Handled<RevertBriefNormalization> {
    let story = cx.load::<Brief>(cmd.brief_id).await.or_retry()?;
    if !story.exists() {
        known(&cx, cmd.brief_id).await?.or_refuse()?;
    }
    let reverted = brief::decide_revert(&story.state, &cmd, cx.deed().direction).or_refuse()?;
    Ok(cx.done(()).append(&story, reverted.map(Into::into)))
}

pub(super) async fn cancel_brief(cx: Cx<Needs>, cmd: CancelBrief) -> Handled<CancelBrief> {
    let story = cx.load::<Brief>(cmd.brief_id).await.or_retry()?;
    if !story.exists() {
        known(&cx, cmd.brief_id).await?.or_refuse()?;
    }
    let cancelled = brief::decide_cancel(&story.state, cmd.brief_id);
    let reply = BriefMoved { brief_id: cmd.brief_id, status: BriefStatus::Cancelled };
    Ok(cx.done(reply).append(&story, cancelled.map(Into::into)))
}

pub(super) async fn create_project(cx: Cx<Needs>, cmd: CreateProject) -> Handled<CreateProject> {
    let intake = match cmd.brief_id {
        Some(brief_id) => Some(cx.load::<Intake>(intake_of(brief_id)).await.or_retry()?.state),
        None => None,
    };
    project::check_create(&cmd, intake.as_ref()).or_refuse()?;
    let project_id = ProjectId::from(cx.key());
    let workspace_url = cx.needs().workspace.create(cx.key(), project_id).await.map_err(halt)?;
    let story = cx.load::<Project>(project_id).await.or_retry()?;
    let created =
        WorkspaceCreated { project_id, brief_id: cmd.brief_id, workspace_url, client_id: Some(cmd.client_id) };
    let created = project::decide_create(story.state, created).or_refuse()?;
    let reply = CreatedProject { project_id, workspace_url: created.workspace_url.clone() };
    Ok(cx.done(reply).append(&story, [created.into()]))
}

pub(super) async fn close_project(cx: Cx<Needs>, cmd: CloseProject) -> Handled<CloseProject> {
    let story = cx.load::<Project>(cmd.project_id).await.or_retry()?;
    let closed = project::decide_close(story.state, &cmd).or_refuse()?;
    Ok(cx.done(()).append(&story, closed.map(Into::into)))
}

/// A brief without events is captured if its intake is there, and unknown otherwise.
async fn known<R>(cx: &Cx<Needs>, brief_id: BriefId) -> Result<Result<(), saga_core::command::Common>, Halt<R>> {
    let intake = cx.load::<Intake>(intake_of(brief_id)).await.or_retry()?;
    Ok(if intake.exists() { Ok(()) } else { Err(brief::not_found(brief_id)) })
}

fn halt(failure: ProviderError) -> Halt<CreateProjectRefused> {
    failure.halt(UNKNOWN_RETRY_MS, |provider_code| CreateProjectRefused::WorkspaceRejected { provider_code })
}
