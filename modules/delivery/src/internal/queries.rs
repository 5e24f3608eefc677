//! Answers, read from projections and from nowhere else.

use crate::api::dtos::{ExecutionSettings, JobCursor, JobPage, JobStatus, JobView, Moment, PackageStatus, PackageView};
use crate::api::ports::{Execution, GetJob, GetPackage, Jobs, Packages, Timeline, Unresolved};
use crate::internal::execution::SETTINGS;
use crate::internal::projections::{EXECUTION, JOBS, JobRow, PACKAGES, field};
use saga_core::module::{Docs, QueryError};
use saga_core::ports::{FIND_LIMIT_MAX, Find};

/// 100 jobs: what one screen scrolls through.
const JOBS_PAGE: usize = 100;

pub(super) async fn package(docs: Docs, query: GetPackage) -> Result<Option<PackageView>, QueryError> {
    Ok(docs.get(PACKAGES, 1, query.package_id).await?)
}

pub(super) async fn packages(docs: Docs, query: Packages) -> Result<Vec<PackageView>, QueryError> {
    let filters = [
        (field::CLIENT, query.client_id.map(|id| id.to_string())),
        (field::PACKAGE_STATUS, query.status.map(|status| status.word().to_owned())),
        (field::DRAFT, query.draft_id.map(|id| id.to_string())),
    ];
    let find = find(PACKAGES, field::CREATED_AT, filters);
    let shelf: Vec<PackageView> = docs.find(&find).await?;
    let shown = |package: &PackageView| query.status.is_some() || package.status != PackageStatus::Withdrawn;
    Ok(shelf.into_iter().filter(shown).collect())
}

pub(super) async fn job(docs: Docs, query: GetJob) -> Result<Option<JobView>, QueryError> {
    let row: Option<JobRow> = docs.get(JOBS, 1, query.job_id).await?;
    Ok(row.map(|row| row.view))
}

pub(super) async fn jobs(docs: Docs, query: Jobs) -> Result<JobPage, QueryError> {
    let filters = [
        (field::CAMPAIGN, query.campaign_id.map(|id| id.to_string())),
        (field::JOB_STATUS, query.status.map(|status| status.word().to_owned())),
    ];
    let limit = query.limit.map_or(JOBS_PAGE, |limit| usize::try_from(limit).unwrap_or(FIND_LIMIT_MAX));
    let mut find = find(JOBS, field::QUEUED_AT, filters);
    find.limit = limit.clamp(1, FIND_LIMIT_MAX);
    find.after = match (&query.after, query.since) {
        (Some(cursor), _) => Some((Some(cursor.queued_at.to_string()), cursor.job_id.to_string())),
        // Keys are never empty, so this stands before every job of that moment: `since` is inclusive.
        (None, Some(since)) => Some((Some(since.to_string()), String::new())),
        (None, None) => None,
    };
    let rows: Vec<JobRow> = docs.find(&find).await?;
    let full = rows.len() == find.limit;
    let last = rows.last().filter(|_| full);
    let next = last.map(|row| JobCursor { queued_at: row.queued_at, job_id: row.view.job_id });
    Ok(JobPage { jobs: rows.into_iter().map(|row| row.view).collect(), next })
}

pub(super) async fn timeline(docs: Docs, query: Timeline) -> Result<Vec<Moment>, QueryError> {
    let find = find(JOBS, field::QUEUED_AT, [(field::CAMPAIGN, Some(query.campaign_id.to_string()))]);
    let rows: Vec<JobRow> = docs.find(&find).await?;
    let mut moments: Vec<_> = rows.into_iter().flat_map(|row| row.view.history).collect();
    // A stable sort: what happened at one moment stays in the order of its job.
    moments.sort_by_key(|moment| moment.at);
    Ok(moments)
}

pub(super) async fn unresolved(docs: Docs, _: Unresolved) -> Result<Vec<JobView>, QueryError> {
    let mut open = Vec::new();
    for status in [JobStatus::OutcomeUnknown, JobStatus::RetractFailed] {
        let find = find(JOBS, field::QUEUED_AT, [(field::JOB_STATUS, Some(status.word().to_owned()))]);
        open.extend(docs.find::<JobRow>(&find).await?.into_iter().map(|row| row.view));
    }
    Ok(open)
}

pub(super) async fn execution(docs: Docs, _: Execution) -> Result<ExecutionSettings, QueryError> {
    Ok(docs.get(EXECUTION, 1, SETTINGS).await?.unwrap_or_default())
}

/// Oldest first by the field `order_by`, with the filters that are set.
fn find<const N: usize>(projection: &str, order_by: usize, filters: [(usize, Option<String>); N]) -> Find {
    Find {
        projection: projection.to_owned(),
        version: 1,
        filters: filters.into_iter().filter_map(|(field, value)| value.map(|value| (field, value))).collect(),
        order_by: Some(order_by),
        descending: false,
        after: None,
        limit: FIND_LIMIT_MAX,
    }
}
