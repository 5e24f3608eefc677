//! Answers, read from projections and from nowhere else.

use crate::api::dtos::{ExecutionSettings, JobCursor, JobPage, JobStatus, JobView, Moment, PackageStatus, PackageView};
use crate::api::queries::{Execution, GetJob, GetPackage, Jobs, Packages, Timeline, Unresolved};
use crate::internal::execution::SETTINGS;
use crate::internal::projections::{EXECUTION, JOBS, JobRow, PACKAGES};
use saga_core::field;
use saga_core::module::{Docs, QueryError};
use saga_core::ports::FIND_LIMIT_MAX;
use saga_core::read_model::Search;

/// 100 jobs: what one screen scrolls through.
const JOBS_PAGE: usize = 100;

pub(super) async fn package(docs: Docs, query: GetPackage) -> Result<Option<PackageView>, QueryError> {
    Ok(docs.get(PACKAGES, query.package_id).await?)
}

pub(super) async fn packages(docs: Docs, query: Packages) -> Result<Vec<PackageView>, QueryError> {
    let wanted = PACKAGES
        .all()
        .with_any(field!(PACKAGES.client_id), query.client_id)
        .with_any(field!(PACKAGES.status), query.status.map(PackageStatus::word))
        .with_any(field!(PACKAGES.draft_id), query.draft_id);
    let shelf = docs.find(&wanted.by(field!(PACKAGES.created_at))).await?;
    let shown = |package: &PackageView| query.status.is_some() || package.status != PackageStatus::Withdrawn;
    Ok(shelf.into_iter().filter(shown).collect())
}

pub(super) async fn job(docs: Docs, query: GetJob) -> Result<Option<JobView>, QueryError> {
    let row = docs.get(JOBS, query.job_id).await?;
    Ok(row.map(|row| row.view))
}

pub(super) async fn jobs(docs: Docs, query: Jobs) -> Result<JobPage, QueryError> {
    let limit = query.limit.map_or(JOBS_PAGE, |limit| usize::try_from(limit).unwrap_or(FIND_LIMIT_MAX));
    let limit = limit.clamp(1, FIND_LIMIT_MAX);
    let wanted = oldest_first()
        .with_any(field!(JOBS.campaign_id), query.campaign_id)
        .with_any(field!(JOBS.status), query.status.map(JobStatus::word))
        .limit(limit);
    let wanted = match (&query.after, query.since) {
        (Some(cursor), _) => wanted.after_value(cursor.queued_at, cursor.job_id),
        // Keys are never empty, so this stands before every job of that moment: `since` is inclusive.
        (None, Some(since)) => wanted.after_value(since, ""),
        (None, None) => wanted,
    };
    let rows = docs.find(&wanted).await?;
    let full = rows.len() == limit;
    let last = rows.last().filter(|_| full);
    let next = last.map(|row| JobCursor { queued_at: row.queued_at, job_id: row.view.job_id });
    Ok(JobPage { jobs: rows.into_iter().map(|row| row.view).collect(), next })
}

pub(super) async fn timeline(docs: Docs, query: Timeline) -> Result<Vec<Moment>, QueryError> {
    let rows = docs.find(&oldest_first().with(field!(JOBS.campaign_id), query.campaign_id)).await?;
    let mut moments: Vec<_> = rows.into_iter().flat_map(|row| row.view.history).collect();
    // A stable sort: what happened at one moment stays in the order of its job.
    moments.sort_by_key(|moment| moment.at);
    Ok(moments)
}

pub(super) async fn unresolved(docs: Docs, _: Unresolved) -> Result<Vec<JobView>, QueryError> {
    let mut open = Vec::new();
    for status in [JobStatus::OutcomeUnknown, JobStatus::RetractFailed] {
        let found = docs.find(&oldest_first().with(field!(JOBS.status), status.word())).await?;
        open.extend(found.into_iter().map(|row| row.view));
    }
    Ok(open)
}

pub(super) async fn execution(docs: Docs, _: Execution) -> Result<ExecutionSettings, QueryError> {
    Ok(docs.get(EXECUTION, SETTINGS).await?.unwrap_or_default())
}

fn oldest_first() -> Search<JobRow> {
    JOBS.all().by(field!(JOBS.queued_at))
}
