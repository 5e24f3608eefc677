//! What a process counts while it works: sums in memory, which say nothing of who and what.

use saga_core::fact::SagaFact;
use saga_core::telemetry::{Amount, Kind, Metric, Sample, Spread};
use saga_engine::execution::Execution;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The lines of each metric: the values of its labels, and what they amount to. They are few, so one is looked for among
/// them without a key being made for it: this is done several times for each commit.
type Sums = BTreeMap<Metric, Vec<(Vec<String>, Amount)>>;

/// The sums of one process. Cheap to share; nothing here decides anything.
#[derive(Debug, Clone, Default)]
pub(crate) struct Meter(Arc<Mutex<Sums>>);

impl Meter {
    fn sums(&self) -> MutexGuard<'_, Sums> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
    /// Has a line for it from now on, with nothing counted: whoever watches a counter sees it begin.
    pub(crate) fn expect(&self, metric: Metric, labels: &[&str]) {
        line(&mut self.sums(), metric, labels);
    }
    /// Counts so many more.
    pub(crate) fn add(&self, metric: Metric, labels: &[&str], more: u64) {
        if let Amount::Number(sum) = line(&mut self.sums(), metric, labels) {
            *sum = sum.saturating_add(more);
        }
    }
    /// Counts a duration.
    pub(crate) fn took(&self, metric: Metric, labels: &[&str], took: Duration) {
        if let Amount::Spread(spread) = line(&mut self.sums(), metric, labels) {
            spread.add(took);
        }
    }
    /// Everything that was counted, in the order of the table.
    pub(crate) fn samples(&self) -> Vec<Sample> {
        let sums = self.sums();
        let of = |(metric, lines): (&Metric, &Vec<(Vec<String>, Amount)>)| {
            let mut lines = lines.clone();
            lines.sort_by(|one, other| one.0.cmp(&other.0));
            let metric = *metric;
            lines.into_iter().map(move |(labels, amount)| Sample::new(metric, &labels, amount))
        };
        sums.iter().flat_map(of).collect()
    }
    /// Counts what was recorded.
    pub(crate) fn count(&self, counted: &[Counted]) {
        let mut sums = self.sums();
        for Counted { metric, labels, took } in counted {
            match (line(&mut sums, *metric, labels), took) {
                (Amount::Spread(spread), Some(took)) => spread.add(*took),
                (Amount::Number(sum), None) => *sum = sum.saturating_add(1),
                // A metric is one or the other.
                (Amount::Spread(_), None) | (Amount::Number(_), Some(_)) => {}
            }
        }
    }
}

/// The line of a metric with these values, with nothing counted if it is new.
fn line<'a, S: AsRef<str>>(sums: &'a mut Sums, metric: Metric, labels: &[S]) -> &'a mut Amount {
    let lines = sums.entry(metric).or_default();
    let is = |line: &(Vec<String>, Amount)| line.0.iter().map(String::as_str).eq(labels.iter().map(AsRef::as_ref));
    let at = lines.iter().position(is).unwrap_or_else(|| {
        lines.push((labels.iter().map(|label| label.as_ref().to_owned()).collect(), nothing(metric)));
        lines.len() - 1
    });
    &mut lines[at].1
}

fn nothing(metric: Metric) -> Amount {
    match metric.kind() {
        Kind::Counter | Kind::Gauge => Amount::Number(0),
        Kind::Histogram => Amount::Spread(Spread::default()),
    }
}

/// What a fact counts as, once it is recorded: one of these, or a duration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Counted {
    metric: Metric,
    labels: Vec<String>,
    took: Option<Duration>,
}

impl Counted {
    fn one(metric: Metric, labels: &[&str]) -> Self {
        Self { metric, labels: labels.iter().map(|label| (*label).to_owned()).collect(), took: None }
    }
    fn took(metric: Metric, labels: &[&str], took: Duration) -> Self {
        Self { took: Some(took), ..Self::one(metric, labels) }
    }
    /// What these facts of a saga count as; `exec` has folded them.
    pub(crate) fn of(facts: &[SagaFact], exec: &Execution) -> Vec<Self> {
        let Some(started) = exec.started() else { return Vec::new() };
        let (kind, version) = (started.definition.as_str(), started.version.to_string());
        let attempt = |direction, outcome| Self::one(Metric::StepAttempts, &[kind, direction, outcome]);
        let answered = |step: &str, outcome| {
            let took = exec.took(step).map(|took| Self::took(Metric::StepTime, &[kind, outcome], took));
            std::iter::once(attempt("do", outcome)).chain(took).collect()
        };
        let ended = || {
            let outcome = exec.state().word();
            let took = exec.moved_at().since(exec.started_at());
            vec![
                Self::one(Metric::Finished, &[kind, &version, outcome]),
                Self::took(Metric::SagaTime, &[kind, outcome], took),
            ]
        };
        let counted = facts.iter().map(|fact| match fact {
            SagaFact::SagaStarted(_) => vec![Self::one(Metric::Started, &[kind, &version])],
            SagaFact::StepSucceeded(fact) => answered(fact.step.as_str(), "done"),
            SagaFact::StepFailed(fact) => answered(fact.step.as_str(), "refused"),
            SagaFact::StepRetryScheduled(fact) => vec![attempt(if fact.undo { "undo" } else { "do" }, "retry")],
            SagaFact::StepOutcomeUnknown(_) => vec![attempt("do", "unknown")],
            SagaFact::StepCompensated(_) => vec![attempt("undo", "done")],
            SagaFact::CompensationFailed(_) => {
                vec![attempt("undo", "failed"), Self::one(Metric::UndoFailed, &[kind])]
            }
            SagaFact::SagaParked(_) => vec![Self::one(Metric::Parked, &[kind])],
            SagaFact::SagaCompleted(_) | SagaFact::SagaCompensated(_) | SagaFact::SagaCancelled(_) => ended(),
            SagaFact::StepDispatched(_)
            | SagaFact::StepProbed(_)
            | SagaFact::ListRecorded(_)
            | SagaFact::ConditionRecorded(_)
            | SagaFact::RoundEnded(_)
            | SagaFact::BranchFailed(_)
            | SagaFact::WaitStarted(_)
            | SagaFact::SignalReceived(_)
            | SagaFact::TimerFired(_)
            | SagaFact::PivotPassed(_)
            | SagaFact::CompensationStarted(_)
            | SagaFact::CompensationDispatched(_)
            | SagaFact::SagaPaused(_)
            | SagaFact::SagaResumed(_)
            | SagaFact::RetryOrdered(_)
            | SagaFact::StepSkipped(_)
            | SagaFact::CompensationSkipped(_)
            | SagaFact::OperatorNote(_)
            | SagaFact::LateReplyRecorded(_) => Vec::new(),
        });
        counted.flatten().collect()
    }
}
