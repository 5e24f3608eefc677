//! Answers from the read models.

use crate::api::dtos::{Change, ShelfView, StrategyDiff, StrategyDoc, StrategyStatus};
use crate::api::queries::{Current, Diff, Get, ListVersions, PendingApprovals, Shelf};
use crate::internal::projections::{BRIEFS, VERSIONS};
use events::ids::{BriefId, StrategyId};
use saga_core::field;
use saga_core::module::{Docs, QueryError};
use saga_core::ports::ReadError;
use saga_core::read_model::Search;
use serde::Serialize;
use std::collections::BTreeMap;

pub(super) async fn get(docs: Docs, query: Get) -> Result<StrategyDoc, QueryError> {
    one(&docs, query.strategy_id).await
}

pub(super) async fn list_versions(docs: Docs, query: ListVersions) -> Result<Vec<StrategyDoc>, QueryError> {
    Ok(of_brief(&docs, query.brief_id).await?)
}

pub(super) async fn current(docs: Docs, query: Current) -> Result<Option<StrategyDoc>, QueryError> {
    let versions = of_brief(&docs, query.brief_id).await?;
    let approved = versions.iter().find(|doc| doc.status == StrategyStatus::Approved);
    let in_work = || {
        let waiting = |doc: &&StrategyDoc| matches!(doc.status, StrategyStatus::Draft | StrategyStatus::Submitted);
        versions.iter().rev().find(waiting)
    };
    Ok(approved.or_else(in_work).cloned())
}

pub(super) async fn diff(docs: Docs, query: Diff) -> Result<StrategyDiff, QueryError> {
    let (from, to) = (parts(&one(&docs, query.a).await?), parts(&one(&docs, query.b).await?));
    let mut fields: Vec<&String> = from.keys().chain(to.keys()).collect();
    fields.sort();
    fields.dedup();
    let change = |field: &&String| Change {
        field: (*field).clone(),
        from: from.get(*field).cloned(),
        to: to.get(*field).cloned(),
    };
    let changes = fields.iter().map(change).filter(|change| change.from != change.to).collect();
    Ok(StrategyDiff { a: query.a, b: query.b, changes })
}

pub(super) async fn pending_approvals(docs: Docs, _: PendingApprovals) -> Result<Vec<StrategyDoc>, QueryError> {
    let submitted = StrategyStatus::Submitted.word();
    Ok(find(&docs, VERSIONS.all().with(field!(VERSIONS.status), submitted)).await?)
}

pub(super) async fn shelf(docs: Docs, query: Shelf) -> Result<ShelfView, QueryError> {
    let briefs = docs.find(&BRIEFS.all().with(field!(BRIEFS.client_id), query.client_id)).await?;
    let mut versions = Vec::new();
    for brief in briefs {
        versions.extend(of_brief(&docs, brief.brief_id).await?);
    }
    Ok(ShelfView { client_id: query.client_id, versions })
}

async fn one(docs: &Docs, id: StrategyId) -> Result<StrategyDoc, QueryError> {
    let found = docs.get(VERSIONS, id).await?;
    let doc = found.ok_or_else(|| QueryError::NotFound(format!("strategy {id}")))?;
    Ok(with_freshness(docs, doc).await?)
}

async fn of_brief(docs: &Docs, brief_id: BriefId) -> Result<Vec<StrategyDoc>, ReadError> {
    find(docs, VERSIONS.all().with(field!(VERSIONS.brief_id), brief_id)).await
}

async fn find(docs: &Docs, search: Search<StrategyDoc>) -> Result<Vec<StrategyDoc>, ReadError> {
    let mut found = Vec::new();
    for doc in docs.find(&search).await? {
        found.push(with_freshness(docs, doc).await?);
    }
    found.sort_by_key(|doc| (doc.brief_id, doc.version));
    Ok(found)
}

async fn with_freshness(docs: &Docs, doc: StrategyDoc) -> Result<StrategyDoc, ReadError> {
    let brief = docs.get(BRIEFS, doc.brief_id).await?;
    Ok(StrategyDoc { stale: brief.is_some_and(|brief| !brief.valid), ..doc })
}

/// A version taken apart, so that two can be laid side by side.
fn parts(doc: &StrategyDoc) -> BTreeMap<String, String> {
    let mut parts = BTreeMap::new();
    parts.insert("summary".to_owned(), doc.summary.head().to_owned());
    parts.insert("timeline".to_owned(), as_text(&doc.timeline));
    parts.extend(doc.kpis.iter().map(|kpi| (format!("kpis/{}", kpi.name), as_text(kpi))));
    parts.extend(doc.channels.iter().map(|channel| (format!("channels/{}", channel.platform), as_text(channel))));
    parts.extend(doc.layers.iter().map(|(layer, text)| (format!("layers/{}", layer.word()), text.clone())));
    parts
}

fn as_text(part: &impl Serialize) -> String {
    serde_json::to_string(part).unwrap_or_default()
}
