//! Read models: the package shelf, jobs with their history, the client's approvals, and the settings.

use crate::api::dtos::{ExecutionSettings, JobStatus, JobView, Moment, PackageStatus, PackageView};
use crate::api::events::{
    Delivered, ExecutionSet, PackageCreated, PackageWithdrawn, PublishCancelled, PublishCompleted, PublishFailed,
    PublishHeld, PublishOutcomeUnknown, PublishQueued, PublishReleased, PublishResolved, PublishRetractFailed,
    PublishRetracted, PublishRetryScheduled, PublishStarted, ResolvedOutcome,
};
use events::client_review::{ApprovalRevoked, ClientApproved};
use events::ids::{AssetId, ClientId, DraftId, PublishJobId};
use events::production::{CreativeAssetApprovalRevoked, CreativeAssetApproved};
use saga_core::event::Event;
use saga_core::projection::{At, Projection, ProjectionDef};
use saga_core::read_model::ReadModel;
use saga_core::time::Timestamp;
use serde::{Deserialize, Serialize};

pub(super) const PACKAGES: ReadModel<PackageView> =
    ReadModel::new("delivery.packages", 1, &["client_id", "status", "draft_id", "created_at"]);
pub(super) const JOBS: ReadModel<JobRow> = ReadModel::new("delivery.jobs", 1, &["campaign_id", "status", "queued_at"]);
pub(super) const APPROVALS: ReadModel<Approval> = ReadModel::new("delivery.approvals", 1, &["draft_id"]);
pub(super) const ASSETS: ReadModel<Asset> = ReadModel::new("delivery.assets", 1, &[]);
pub(super) const EXECUTION: ReadModel<ExecutionSettings> = ReadModel::new("delivery.execution", 1, &[]);
/// 200 moments: a job with every retry, question and answer has some thirty; more is noise, and the log has it all.
const MOMENTS_MAX: usize = 200;

/// An approval of the client, by review package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Approval {
    pub(super) draft_id: DraftId,
    pub(super) client_id: ClientId,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(super) revision: Option<u32>,
}

/// What was heard about an asset last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Asset {
    pub(super) asset_id: AssetId,
    pub(super) approved: bool,
}

/// A job as it is kept: searchable fields on top, the view below.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct JobRow {
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(super) campaign_id: Option<String>,
    pub(super) status: JobStatus,
    pub(super) queued_at: Timestamp,
    pub(super) view: JobView,
}

pub(super) fn packages() -> ProjectionDef {
    Projection::new(PACKAGES)
        .on::<PackageCreated>(
            |created, _| Some(created.package_id.to_string()),
            |_, created, at| {
                Some(PackageView {
                    package_id: created.package_id,
                    project_id: created.project_id,
                    client_id: created.client_id,
                    draft_id: created.draft_id,
                    status: PackageStatus::Created,
                    artifacts: created.artifacts.clone(),
                    created_at: at.time,
                    delivered_at: None,
                })
            },
        )
        .on::<Delivered>(
            |delivered, _| Some(delivered.package_id.to_string()),
            |package, _, at| {
                Some(PackageView { status: PackageStatus::Delivered, delivered_at: Some(at.time), ..package? })
            },
        )
        .on::<PackageWithdrawn>(
            |withdrawn, _| Some(withdrawn.package_id.to_string()),
            |package, _, _| Some(PackageView { status: PackageStatus::Withdrawn, ..package? }),
        )
        .build()
}

pub(super) fn jobs() -> ProjectionDef {
    let jobs = Projection::new(JOBS)
        .on::<PublishQueued>(|queued, _| Some(queued.job_id.to_string()), |_, queued, at| Some(queued_row(queued, at)));
    let jobs = moment::<PublishHeld>(jobs, |e| e.job_id, |row, e, _| row.to(JobStatus::Held, &e.reason));
    let jobs = moment::<PublishReleased>(jobs, |e| e.job_id, |row, e, _| row.to(JobStatus::Queued, &e.reason));
    let jobs = moment::<PublishCancelled>(jobs, |e| e.job_id, |row, e, _| row.to(JobStatus::Cancelled, &e.reason));
    let jobs = moment::<PublishStarted>(jobs, |e| e.job_id, started);
    let jobs = moment::<PublishCompleted>(jobs, |e| e.job_id, completed);
    let jobs = moment::<PublishFailed>(jobs, |e| e.job_id, |row, e, _| row.to(JobStatus::Failed, &e.code));
    let jobs = moment::<PublishOutcomeUnknown>(jobs, |e| e.job_id, outcome_unknown);
    let jobs = moment::<PublishResolved>(jobs, |e| e.job_id, resolved);
    let jobs = moment::<PublishRetryScheduled>(jobs, |e| e.job_id, retry_scheduled);
    let jobs = moment::<PublishRetracted>(jobs, |e| e.job_id, |row, _, _| row.to(JobStatus::Retracted, ""));
    let jobs = moment::<PublishRetractFailed>(
        jobs,
        |e| e.job_id,
        |row, e, _| {
            row.view.manual_task = Some(e.manual_task.clone());
            row.to(JobStatus::RetractFailed, &e.code)
        },
    );
    jobs.build()
}

/// Each event changes the row and returns the note of its line in the history.
fn moment<E: Event>(
    jobs: Projection<JobRow>,
    id: fn(&E) -> PublishJobId,
    change: fn(&mut JobRow, &E, &At) -> String,
) -> Projection<JobRow> {
    jobs.on::<E>(
        move |event, _| Some(id(event).to_string()),
        move |row, event, at| {
            let mut row = row?;
            let note = change(&mut row, event, at);
            row.note(E::NAME, at, note);
            Some(row)
        },
    )
}

impl JobRow {
    fn to(&mut self, status: JobStatus, note: &str) -> String {
        self.status = status;
        self.view.status = status;
        self.view.due = None;
        note.to_owned()
    }
    fn note(&mut self, what: &str, at: &At, note: String) {
        if self.view.history.len() < MOMENTS_MAX {
            let moment = Moment { at: at.time, job_id: self.view.job_id, what: what.to_owned(), note };
            self.view.history.push(moment);
        }
    }
}

fn queued_row(queued: &PublishQueued, at: &At) -> JobRow {
    let mut row = JobRow {
        campaign_id: queued.campaign_id.map(|campaign| campaign.to_string()),
        status: JobStatus::Queued,
        queued_at: at.time,
        view: JobView {
            job_id: queued.job_id,
            asset_id: queued.asset_id,
            package_id: queued.package_id,
            campaign_id: queued.campaign_id,
            job_type: queued.job_type,
            destination: queued.destination.clone(),
            payload: queued.payload.clone(),
            status: JobStatus::Queued,
            tries: 0,
            dry_run: false,
            queued_at: at.time,
            due: queued.not_before,
            publications: Vec::new(),
            manual_task: None,
            history: Vec::new(),
        },
    };
    let note = format!("{} {}", queued.destination.platform, queued.destination.account);
    row.note(PublishQueued::NAME, at, note);
    row
}

fn started(row: &mut JobRow, started: &PublishStarted, _: &At) -> String {
    row.view.tries += 1;
    row.view.dry_run = started.dry_run;
    row.to(JobStatus::Publishing, if started.dry_run { "dry run" } else { "" })
}

fn completed(row: &mut JobRow, completed: &PublishCompleted, _: &At) -> String {
    row.view.publications = completed.publications.clone();
    let urls: Vec<_> = completed.publications.iter().map(|publication| publication.url.as_str()).collect();
    row.to(JobStatus::Published, &urls.join(" "))
}

fn outcome_unknown(row: &mut JobRow, unknown: &PublishOutcomeUnknown, _: &At) -> String {
    let note = row.to(JobStatus::OutcomeUnknown, &format!("asked {} times", unknown.asked));
    row.view.due = unknown.ask_at;
    row.view.manual_task = match unknown.ask_at {
        Some(_) => None,
        None => Some("look whether it is out, then resolve".to_owned()),
    };
    note
}

fn resolved(row: &mut JobRow, resolved: &PublishResolved, _: &At) -> String {
    row.view.manual_task = None;
    let status = match resolved.outcome {
        ResolvedOutcome::Published => JobStatus::Published,
        ResolvedOutcome::Queued => JobStatus::Queued,
        ResolvedOutcome::Failed => JobStatus::Failed,
    };
    if status == JobStatus::Queued {
        row.view.tries = 0;
    }
    row.to(status, &resolved.evidence)
}

fn retry_scheduled(row: &mut JobRow, scheduled: &PublishRetryScheduled, _: &At) -> String {
    row.view.tries = scheduled.tries;
    let note = row.to(JobStatus::Queued, &format!("after {} tries", scheduled.tries));
    row.view.due = Some(scheduled.at);
    note
}

pub(super) fn approvals() -> ProjectionDef {
    Projection::new(APPROVALS)
        .on::<ClientApproved>(
            |approved, _| Some(approved.package_id.to_string()),
            |_, approved, _| {
                let (client_id, revision) = (approved.client_id, approved.revision);
                approved.draft_id.map(|draft_id| Approval { draft_id, client_id, revision })
            },
        )
        .on::<ApprovalRevoked>(|revoked, _| Some(revoked.package_id.to_string()), |_, _, _| None)
        .build()
}

pub(super) fn assets() -> ProjectionDef {
    Projection::new(ASSETS)
        .on::<CreativeAssetApproved>(
            |approved, _| Some(approved.asset_id.to_string()),
            |_, approved, _| Some(Asset { asset_id: approved.asset_id, approved: true }),
        )
        .on::<CreativeAssetApprovalRevoked>(
            |revoked, _| Some(revoked.asset_id.to_string()),
            |_, revoked, _| Some(Asset { asset_id: revoked.asset_id, approved: false }),
        )
        .build()
}

pub(super) fn execution() -> ProjectionDef {
    Projection::new(EXECUTION)
        .on::<ExecutionSet>(
            |_, at| Some(at.stream.clone()),
            |_, set, _| {
                let channels = set.channels.clone();
                Some(ExecutionSettings { enabled: set.enabled, dry_run: set.dry_run, channels })
            },
        )
        .build()
}
