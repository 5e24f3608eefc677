//! One project as a story: it gets a workspace, and it closes. Pure.

use crate::api::commands::{CloseProject, CreateProject};
use crate::api::events::{ProjectClosed, ProjectEvent, WorkspaceCreated};
use crate::api::refusals::CreateProjectRefused;
use crate::internal::intake::Intake;
use saga_core::aggregate::Aggregate;
use saga_core::command::Common;

/// Before its workspace is there a project is only requested.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) enum Project {
    #[default]
    Requested,
    Ready,
    Closed,
}

impl Aggregate for Project {
    type Event = ProjectEvent;
    fn evolve(&mut self, event: &ProjectEvent) {
        *self = match event {
            ProjectEvent::WorkspaceCreated(_) => Project::Ready,
            ProjectEvent::ProjectClosed(_) => Project::Closed,
        };
    }
}

/// Whether a workspace may be asked for: the brief must be there and belong to the client.
pub(super) fn check_create(cmd: &CreateProject, intake: Option<&Intake>) -> Result<(), CreateProjectRefused> {
    match (cmd.brief_id, intake.and_then(Intake::client)) {
        (None, _) => Ok(()),
        (Some(brief_id), None) => Err(Common::not_found("brief", brief_id).into()),
        (Some(_), Some(client)) if client != cmd.client_id => {
            let why = "the brief belongs to another client".to_owned();
            Err(Common::invalid("brief_id", why).into())
        }
        (Some(_), Some(_)) => Ok(()),
    }
}

/// The project with its workspace.
pub(super) fn decide_create(
    project: Project,
    created: WorkspaceCreated,
) -> Result<WorkspaceCreated, CreateProjectRefused> {
    match project {
        Project::Requested => Ok(created),
        Project::Ready | Project::Closed => Err(Common::already_exists("project", created.project_id).into()),
    }
}

/// Closing what is closed changes nothing.
pub(super) fn decide_close(project: Project, cmd: &CloseProject) -> Result<Option<ProjectClosed>, Common> {
    match project {
        Project::Requested => Err(Common::not_found("project", cmd.project_id)),
        Project::Ready => Ok(Some(ProjectClosed { project_id: cmd.project_id, reason: cmd.reason.clone() })),
        Project::Closed => Ok(None),
    }
}
