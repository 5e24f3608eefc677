//! The story of one subject's judgements, the score, and what is decided about them. Pure.

use super::checks::{self, CHECKS, RULES_VERSION};
use super::parts::parts_of;
use super::text::visible;
use crate::api::commands::{EvaluateContent, VoidQcResult, WaiveQc};
use crate::api::dtos::{Evaluated, Force, ResultStatus};
use crate::api::events::{
    CheckOutcome, CheckStatus, Issue, QcEvent, QcFailed, QcPassed, QcResultVoided, QcWaived, Severity, Subject,
    SubjectKind, Verdict,
};
use crate::api::providers::Forcing;
use crate::api::refusals::{EvaluateRefused, WaiveRefused};
use events::ids::QcResultId;
use saga_core::aggregate::Aggregate;
use saga_core::command::Common;
use saga_core::envelope::{Actor, ActorKind};
use saga_core::id::Direction;
use uuid::Uuid;

/// All judgements of one subject, oldest first.
#[derive(Debug, Clone, Default)]
pub(super) struct Judgements {
    pub(super) results: Vec<Judgement>,
}

/// One judgement.
#[derive(Debug, Clone)]
pub(super) struct Judgement {
    pub(super) id: QcResultId,
    pub(super) subject: Subject,
    pub(super) status: ResultStatus,
    /// The first failed blocker, if one failed.
    pub(super) blocker: Option<String>,
}

impl Judgements {
    pub(super) fn find(&self, id: QcResultId) -> Option<&Judgement> {
        self.results.iter().find(|result| result.id == id)
    }
    fn set(&mut self, id: QcResultId, status: ResultStatus) {
        if let Some(result) = self.results.iter_mut().find(|result| result.id == id) {
            result.status = status;
        }
    }
}

impl Aggregate for Judgements {
    type Event = QcEvent;
    fn evolve(&mut self, event: &QcEvent) {
        match event {
            QcEvent::QcPassed(passed) => self.results.push(Judgement {
                id: passed.result_id,
                subject: passed.subject,
                status: status_of(passed.verdict),
                blocker: None,
            }),
            QcEvent::QcFailed(failed) => self.results.push(Judgement {
                id: failed.result_id,
                subject: failed.subject,
                status: ResultStatus::Failed,
                blocker: blocker(&failed.issues),
            }),
            QcEvent::QcWaived(waived) => self.set(waived.result_id, ResultStatus::Waived),
            QcEvent::QcResultVoided(voided) => self.set(voided.result_id, ResultStatus::Voided),
        }
    }
}

/// What a verdict makes of a result.
pub(super) fn status_of(verdict: Verdict) -> ResultStatus {
    match verdict {
        Verdict::Pass => ResultStatus::Passed,
        Verdict::Warn => ResultStatus::Warned,
        Verdict::Fail => ResultStatus::Failed,
    }
}

fn blocker(issues: &[Issue]) -> Option<String> {
    issues.iter().find(|issue| issue.severity == Severity::Blocker).map(|issue| issue.check.clone())
}

/// The id of a subject's story: kind and id, whatever the version.
pub(super) fn place(subject: Subject) -> String {
    place_of(subject.kind, subject.id)
}

/// The same, for who knows no version.
pub(super) fn place_of(kind: SubjectKind, id: Uuid) -> String {
    let kind = match kind {
        SubjectKind::Draft => "draft",
        SubjectKind::Asset => "asset",
        SubjectKind::Strategy => "strategy",
    };
    format!("{kind}:{id}")
}

/// The result that counts for one version: the newest that was not voided.
pub(super) fn counting<T>(results: &[T], version: u32, of: impl Fn(&T) -> (u32, ResultStatus)) -> Option<&T> {
    results.iter().rev().find(|result| {
        let (its_version, status) = of(result);
        its_version == version && status != ResultStatus::Voided
    })
}

/// Starts at 100 and never ends below 0.
pub(super) fn score(outcomes: &[CheckOutcome]) -> (u32, Verdict) {
    let lost = |outcome: &CheckOutcome| match (outcome.status, outcome.severity) {
        (CheckStatus::Pass, _) => 0,
        (CheckStatus::Warn, _) | (CheckStatus::Fail, Severity::Warn) => 5,
        (CheckStatus::Crash, _) | (CheckStatus::Fail, Severity::Blocker) => 30,
        (CheckStatus::Fail, Severity::Major) => 10,
        (CheckStatus::Fail, Severity::Minor) => 3,
    };
    let blocks = |outcome: &CheckOutcome| match outcome.status {
        CheckStatus::Crash => true,
        CheckStatus::Fail => outcome.severity == Severity::Blocker,
        CheckStatus::Pass | CheckStatus::Warn => false,
    };
    let score = 100_u32.saturating_sub(outcomes.iter().map(lost).sum());
    let verdict = if outcomes.iter().any(blocks) || score < 70 {
        Verdict::Fail
    } else if outcomes.iter().any(|outcome| outcome.status != CheckStatus::Pass) {
        Verdict::Warn
    } else {
        Verdict::Pass
    };
    (score, verdict)
}

/// What is wrong, for people: every check that did not pass.
pub(super) fn issues(outcomes: &[CheckOutcome]) -> Vec<Issue> {
    let issue = |outcome: &CheckOutcome| Issue {
        check: outcome.check.clone(),
        severity: outcome.severity,
        section: checks::section_of(&outcome.check).to_owned(),
        reason: outcome.reason.clone(),
        fixable: outcome.status != CheckStatus::Crash,
    };
    outcomes.iter().filter(|outcome| outcome.status != CheckStatus::Pass).map(issue).collect()
}

/// Judges a content.
pub(super) fn decide_evaluate(
    asked: &EvaluateContent,
    id: QcResultId,
    forcing: Forcing,
) -> Result<(Evaluated, QcEvent), EvaluateRefused> {
    let invalid = |field: &str, why: &str| Common::invalid(field, why);
    if asked.subject.version == 0 {
        return Err(invalid("subject.version", "versions count from 1").into());
    }
    if asked.language.trim().is_empty() {
        return Err(invalid("language", "a language tag, or `und`").into());
    }
    if asked.force.is_some() && forcing == Forcing::Forbidden {
        return Err(invalid("force", "only a harness may force a verdict").into());
    }
    if parts_of(&asked.content, &asked.language).iter().all(|part| visible(part.text) == 0) {
        return Err(EvaluateRefused::SubjectEmpty);
    }
    let (outcomes, (score, verdict)) = match asked.force {
        None => {
            let outcomes = checks::run(&CHECKS, asked);
            let scored = score(&outcomes);
            (outcomes, scored)
        }
        Some(Force::Pass) => (Vec::new(), (100, Verdict::Pass)),
        Some(Force::Fail) => (vec![forced()], (0, Verdict::Fail)),
    };
    let issues = issues(&outcomes);
    let (subject, rules_version) = (asked.subject, RULES_VERSION.to_owned());
    let event = match verdict {
        Verdict::Pass | Verdict::Warn => {
            QcPassed { result_id: id, subject, score, verdict, checks: outcomes, rules_version }.into()
        }
        Verdict::Fail => QcFailed { result_id: id, subject, score, issues: issues.clone(), rules_version }.into(),
    };
    Ok((Evaluated { result_id: id, verdict, score, issues }, event))
}

fn forced() -> CheckOutcome {
    CheckOutcome {
        check: "forced".to_owned(),
        status: CheckStatus::Fail,
        severity: Severity::Major,
        reason: "the harness asked for it".to_owned(),
    }
}

pub(super) fn not_found(id: QcResultId) -> Common {
    Common::not_found("quality result", id)
}

/// Lets a failed result pass.
pub(super) fn decide_waive(state: &Judgements, asked: &WaiveQc, actor: &Actor) -> Result<QcEvent, WaiveRefused> {
    if actor.kind == ActorKind::Client {
        let why = "clients do not waive quality control".to_owned();
        return Err(Common::not_permitted(actor, why).into());
    }
    let reason = asked.reason.trim().to_owned();
    if reason.is_empty() {
        let why = "say why this may pass".to_owned();
        return Err(Common::invalid("reason", why).into());
    }
    let result = state.find(asked.result_id).ok_or_else(|| not_found(asked.result_id))?;
    if result.status != ResultStatus::Failed {
        return Err(Common::wrong_state(result.status.word()).into());
    }
    if let Some(check) = &result.blocker {
        return Err(WaiveRefused::BlockerFailed { check: check.clone() });
    }
    Ok(QcWaived { result_id: result.id, subject: result.subject, actor: actor.clone(), reason }.into())
}

/// Takes a result out of the count. An undo finds nothing wrong in a result that is gone or was never there.
pub(super) fn decide_void(
    state: &Judgements,
    asked: &VoidQcResult,
    direction: Direction,
) -> Result<Option<QcEvent>, Common> {
    match (state.find(asked.result_id), direction) {
        (None, Direction::Undo) => Ok(None),
        (None, Direction::Do) => Err(not_found(asked.result_id)),
        (Some(result), _) if result.status == ResultStatus::Voided => Ok(None),
        (Some(result), _) => Ok(Some(
            QcResultVoided { result_id: result.id, subject: result.subject, reason: asked.reason.clone() }.into(),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::dtos::Constraints;
    use crate::internal::checks::{Check, run};
    use serde::Deserialize;

    #[derive(Deserialize)]
    struct Vectors {
        cases: Vec<Case>,
    }
    #[derive(Deserialize)]
    struct Case {
        id: String,
        input: Vec<Input>,
        expected: Expected,
    }
    #[derive(Deserialize)]
    struct Input {
        status: CheckStatus,
        severity: Severity,
    }
    #[derive(Deserialize)]
    struct Expected {
        score: u32,
        verdict: Verdict,
    }

    #[test]
    fn scores_are_those_of_the_table() {
        let vectors: Vectors = serde_json::from_str(include_str!("../tests-data/scoring.json")).unwrap();
        assert!(vectors.cases.len() >= 12);
        for case in vectors.cases {
            let outcome = |input: &Input| CheckOutcome {
                check: "x".to_owned(),
                status: input.status,
                severity: input.severity,
                reason: String::new(),
            };
            let outcomes: Vec<_> = case.input.iter().map(outcome).collect();
            assert_eq!(score(&outcomes), (case.expected.score, case.expected.verdict), "{}", case.id);
        }
    }

    #[test]
    fn a_check_that_breaks_is_a_failed_blocker_and_the_others_still_run() {
        let broken = Check { name: "broken", severity: Severity::Minor, section: "body", look: |_| panic!("planted") };
        let fine = Check { name: "fine", severity: Severity::Minor, section: "body", look: |_| None };
        let asked = EvaluateContent {
            subject: Subject { kind: SubjectKind::Draft, id: Uuid::from_u128(1), version: 1 },
            content: "x".to_owned(),
            language: "en".to_owned(),
            platform: None,
            constraints: Constraints::default(),
            benchmarks: vec![],
            content_hash: None,
            live_hooks: vec![],
            force: None,
        };
        let outcomes = run(&[broken, fine], &asked);
        assert_eq!(outcomes[0].status, CheckStatus::Crash);
        assert_eq!(outcomes[1].status, CheckStatus::Pass);
        assert_eq!(score(&outcomes), (70, Verdict::Fail));
        assert_eq!(blocker(&issues(&outcomes)), Some("broken".to_owned()));
    }
}
