//! Read models of quality control.

use super::judgements::{counting, place, place_of, status_of};
use crate::api::dtos::{QcResult, ResultStatus, Waiver};
use crate::api::events::{
    CheckOutcome, CheckStatus, Issue, QcFailed, QcPassed, QcResultVoided, QcWaived, Severity, Subject, SubjectKind,
};
use events::ids::QcResultId;
use events::production::{
    CreativeAssetDiscarded, CreativeAssetEdited, DraftDiscarded, DraftRevised, DraftRevisionReverted,
};
use saga_core::projection::{At, Projection, ProjectionDef};
use saga_core::read_model::ReadModel;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// One document per subject. Version 2: a revision that is taken back makes the result of the one before it count again,
/// and a dropped asset is gone.
pub(super) const BOARD: ReadModel<Board> = ReadModel::new("qc.board", 2, &["kind", "failing"]);

/// Which subject a result belongs to.
pub(super) const PLACES: ReadModel<Subject> = ReadModel::new("qc.places", 1, &[]);

/// Everything known of one subject.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Board {
    pub(super) kind: SubjectKind,
    pub(super) id: Uuid,
    pub(super) results: Vec<QcResult>,
    /// The version that counts, as production tells it; unknown until it was changed once.
    current: Option<u32>,
    gone: bool,
    /// `yes` when the newest result that counts failed and is not stale.
    failing: String,
}

impl Board {
    fn of(kind: SubjectKind, id: Uuid) -> Self {
        Self { kind, id, results: Vec::new(), current: None, gone: false, failing: String::new() }
    }
    /// Brings what follows from the rest up to date: staleness and the mark of failure.
    fn settled(mut self) -> Self {
        let (current, gone) = (self.current, self.gone);
        for result in &mut self.results {
            result.stale = gone || current.is_some_and(|version| version != result.subject.version);
        }
        self.failing = if self.verdict_now().is_some() { "yes" } else { "no" }.to_owned();
        self
    }
    /// The failed result that counts now, if it failed.
    pub(super) fn verdict_now(&self) -> Option<&QcResult> {
        let version = match self.current {
            Some(version) => version,
            None => self.results.iter().map(|result| result.subject.version).max()?,
        };
        counting(&self.results, version, facts).filter(|result| result.status == ResultStatus::Failed && !result.stale)
    }
    fn change(mut self, id: QcResultId, change: impl FnOnce(&mut QcResult)) -> Self {
        if let Some(result) = self.results.iter_mut().find(|result| result.result_id == id) {
            change(result);
        }
        self.settled()
    }
}

pub(super) fn facts(result: &QcResult) -> (u32, ResultStatus) {
    (result.subject.version, result.status)
}

/// The board of judgements: by subject, with what is stale.
pub(super) fn board() -> ProjectionDef {
    Projection::new(BOARD)
        .on::<QcPassed>(
            |event, _| Some(place(event.subject)),
            |board, event, at| {
                let result = fresh(event.result_id, event.subject, status_of(event.verdict), event.score, at);
                let issues = super::judgements::issues(&event.checks);
                let (checks, rules_version) = (event.checks.clone(), event.rules_version.clone());
                Some(judged(board, QcResult { checks, issues, rules_version, ..result }))
            },
        )
        .on::<QcFailed>(
            |event, _| Some(place(event.subject)),
            |board, event, at| {
                let result = fresh(event.result_id, event.subject, ResultStatus::Failed, event.score, at);
                let (issues, rules_version) = (event.issues.clone(), event.rules_version.clone());
                let checks = event.issues.iter().map(failed_check).collect();
                Some(judged(board, QcResult { checks, issues, rules_version, ..result }))
            },
        )
        .on::<QcWaived>(
            |event, _| Some(place(event.subject)),
            |board, event, at| {
                let waiver = Waiver { actor: event.actor.clone(), reason: event.reason.clone(), at: at.time };
                Some(board?.change(event.result_id, |result| {
                    result.status = ResultStatus::Waived;
                    result.waiver = Some(waiver);
                }))
            },
        )
        .on::<QcResultVoided>(
            |event, _| Some(place(event.subject)),
            |board, event, _| {
                Some(board?.change(event.result_id, |result| {
                    result.status = ResultStatus::Voided;
                    result.void_reason = Some(event.reason.clone());
                }))
            },
        )
        .on::<DraftRevised>(
            |event, _| Some(place_of(SubjectKind::Draft, event.draft_id.0)),
            |board, event, _| Some(moved(board, SubjectKind::Draft, event.draft_id.0, event.revision)),
        )
        .on::<DraftRevisionReverted>(
            |event, _| Some(place_of(SubjectKind::Draft, event.draft_id.0)),
            |board, event, _| Some(moved(board, SubjectKind::Draft, event.draft_id.0, event.revision)),
        )
        .on::<CreativeAssetEdited>(
            |event, _| Some(place_of(SubjectKind::Asset, event.asset_id.0)),
            |board, event, _| Some(moved(board, SubjectKind::Asset, event.asset_id.0, event.version)),
        )
        .on::<DraftDiscarded>(
            |event, _| Some(place_of(SubjectKind::Draft, event.draft_id.0)),
            |board, event, _| Some(dropped(board, SubjectKind::Draft, event.draft_id.0)),
        )
        .on::<CreativeAssetDiscarded>(
            |event, _| Some(place_of(SubjectKind::Asset, event.asset_id.0)),
            |board, event, _| Some(dropped(board, SubjectKind::Asset, event.asset_id.0)),
        )
        .build()
}

fn fresh(result_id: QcResultId, subject: Subject, status: ResultStatus, score: u32, at: &At) -> QcResult {
    QcResult {
        result_id,
        subject,
        status,
        score,
        checks: Vec::new(),
        issues: Vec::new(),
        rules_version: String::new(),
        at: at.time,
        waiver: None,
        void_reason: None,
        stale: false,
    }
}

fn failed_check(issue: &Issue) -> CheckOutcome {
    let (check, severity, reason) = (issue.check.clone(), issue.severity, issue.reason.clone());
    let status = if severity == Severity::Warn { CheckStatus::Warn } else { CheckStatus::Fail };
    CheckOutcome { check, severity, reason, status }
}

fn judged(board: Option<Board>, result: QcResult) -> Board {
    let mut board = board.unwrap_or_else(|| Board::of(result.subject.kind, result.subject.id));
    board.results.push(result);
    board.settled()
}

fn moved(board: Option<Board>, kind: SubjectKind, id: Uuid, version: u32) -> Board {
    let board = board.unwrap_or_else(|| Board::of(kind, id));
    Board { current: Some(version), ..board }.settled()
}

fn dropped(board: Option<Board>, kind: SubjectKind, id: Uuid) -> Board {
    let board = board.unwrap_or_else(|| Board::of(kind, id));
    Board { gone: true, ..board }.settled()
}

/// From a result to its subject.
pub(super) fn places() -> ProjectionDef {
    Projection::new(PLACES)
        .on::<QcPassed>(|event, _| Some(event.result_id.to_string()), |_, event, _| Some(event.subject))
        .on::<QcFailed>(|event, _| Some(event.result_id.to_string()), |_, event, _| Some(event.subject))
        .build()
}
