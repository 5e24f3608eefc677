//! What production remembers of strategy and of quality control, so that it need not ask them.

use crate::api::providers::Needs;
use events::ids::{AssetId, QcResultId, StrategyId};
use events::qc::{Qc, QcFailed, QcPassed, QcResultVoided, QcWaived, Subject, SubjectKind};
use events::strategy::{StrategyApprovalRevoked, StrategyApproved, StrategyDiscarded};
use saga_core::event::Owner;
use saga_core::module::{Cx, Halt};
use saga_core::ports::ReadError;
use saga_core::projection::{Projection, ProjectionDef};
use saga_core::read_model::ReadModel;
use serde::{Deserialize, Serialize};

const STRATEGIES: ReadModel<Strategy> = ReadModel::new("production.strategies", 1, &[]);
const QUALITY: ReadModel<Results> = ReadModel::new("production.quality", 1, &[]);

/// Where a strategy stands, as far as it was heard of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(super) enum Strategy {
    Approved,
    Revoked,
    Discarded,
}

impl Strategy {
    pub(super) fn word(self) -> &'static str {
        match self {
            Strategy::Approved => "APPROVED",
            Strategy::Revoked => "REVOKED",
            Strategy::Discarded => "DISCARDED",
        }
    }
}

/// Which strategies are approved.
pub(super) fn strategies() -> ProjectionDef {
    Projection::new(STRATEGIES)
        .on::<StrategyApproved>(|event, _| Some(event.strategy_id.to_string()), |_, _, _| Some(Strategy::Approved))
        .on::<StrategyApprovalRevoked>(
            |event, _| Some(event.strategy_id.to_string()),
            |known, _, _| match known {
                Some(Strategy::Discarded) => Some(Strategy::Discarded),
                Some(Strategy::Approved | Strategy::Revoked) | None => Some(Strategy::Revoked),
            },
        )
        .on::<StrategyDiscarded>(|event, _| Some(event.strategy_id.to_string()), |_, _, _| Some(Strategy::Discarded))
        .build()
}

/// Before an approval that was never heard of becomes a no.
pub(super) async fn all_of_strategy<R>(cx: &Cx<Needs>, id: StrategyId) -> Result<(), Halt<R>> {
    let owner = <events::strategy::Strategy as Owner>::MODULE;
    cx.caught_up(STRATEGIES, owner, &format!("an approval of strategy {id}")).await
}

pub(super) async fn strategy(cx: &Cx<Needs>, id: StrategyId) -> Result<Option<Strategy>, ReadError> {
    cx.documents().get(STRATEGIES, id).await
}

/// The result that counts for one version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Judged {
    pub(super) result_id: QcResultId,
    /// Passed, warned or waived.
    pub(super) good: bool,
}

/// All results of one version, oldest first.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Results {
    results: Vec<Entry>,
}
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Entry {
    result_id: QcResultId,
    good: bool,
    voided: bool,
}

impl Results {
    fn with(known: Option<Self>, result_id: QcResultId, good: bool) -> Option<Self> {
        let mut results = known.unwrap_or_default();
        results.results.push(Entry { result_id, good, voided: false });
        Some(results)
    }
    fn changed(known: Option<Self>, id: QcResultId, change: impl Fn(&mut Entry)) -> Option<Self> {
        let mut results = known?;
        results.results.iter_mut().filter(|entry| entry.result_id == id).for_each(change);
        Some(results)
    }
}

fn key(subject: Subject) -> Option<String> {
    let kind = match subject.kind {
        SubjectKind::Draft => "draft",
        SubjectKind::Asset => "asset",
        SubjectKind::Strategy => return None,
    };
    Some(format!("{kind}:{}:{}", subject.id, subject.version))
}

/// How drafts and assets were judged.
pub(super) fn quality() -> ProjectionDef {
    Projection::new(QUALITY)
        .on::<QcPassed>(|event, _| key(event.subject), |known, event, _| Results::with(known, event.result_id, true))
        .on::<QcFailed>(|event, _| key(event.subject), |known, event, _| Results::with(known, event.result_id, false))
        .on::<QcWaived>(
            |event, _| key(event.subject),
            |known, event, _| Results::changed(known, event.result_id, |entry| entry.good = true),
        )
        .on::<QcResultVoided>(
            |event, _| key(event.subject),
            |known, event, _| Results::changed(known, event.result_id, |entry| entry.voided = true),
        )
        .build()
}

/// Before a good result that was never heard of becomes a no.
pub(super) async fn all_of_quality<R>(cx: &Cx<Needs>, id: AssetId) -> Result<(), Halt<R>> {
    cx.caught_up(QUALITY, Qc::MODULE, &format!("a good quality result of asset {id}")).await
}

/// The newest result of this very version that was not voided.
pub(super) async fn judged(cx: &Cx<Needs>, subject: Subject) -> Result<Option<Judged>, ReadError> {
    let Some(key) = key(subject) else { return Ok(None) };
    let known = cx.documents().get(QUALITY, key).await?;
    let counting = known.and_then(|known| known.results.into_iter().rev().find(|entry| !entry.voided));
    Ok(counting.map(|entry| Judged { result_id: entry.result_id, good: entry.good }))
}
