//! What a process counts while it works: sums in memory, which say nothing of who and what.

use saga_core::fact::SagaFact;
use saga_core::telemetry::{Amount, Kind, Metric, Sample, Spread};
use saga_engine::execution::Execution;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The lines of each metric: the values of its labels, and what they amount to. They are few, so one is looked for among
/// them without a key being made for it: this is done several times for each commit.
#[derive(Debug, Default)]
struct Sums(BTreeMap<Metric, Vec<(Vec<String>, Sum)>>);

/// What a line amounts to.
#[derive(Debug)]
enum Sum {
    Number(Counter),
    Spread(Spread),
}

/// The number of one line, which its holder adds to without looking for it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Counter(Arc<AtomicU64>);
impl Counter {
    /// Counts so many more; at the end of all numbers it begins anew, as counters do.
    pub(crate) fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }
}

/// The sums of one process. Cheap to share; nothing here decides anything.
#[derive(Debug, Clone, Default)]
pub(crate) struct Meter(Arc<Mutex<Sums>>);

impl Meter {
    fn sums(&self) -> MutexGuard<'_, Sums> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
    /// Has a line for it from now on, with nothing counted: a graph shows how it begins.
    pub(crate) fn expect(&self, metric: Metric, labels: &[&str]) {
        self.sums().line(metric, labels);
    }
    /// The line of a number, for a holder that counts often.
    pub(crate) fn counter(&self, metric: Metric, labels: &[&str]) -> Counter {
        match self.sums().line(metric, labels) {
            Sum::Number(counter) => counter.clone(),
            Sum::Spread(_) => Counter::default(),
        }
    }
    /// Counts so many more.
    pub(crate) fn add(&self, metric: Metric, labels: &[&str], more: u64) {
        self.sums().add(metric, labels, more);
    }
    /// Counts a duration.
    pub(crate) fn took(&self, metric: Metric, labels: &[&str], took: Duration) {
        self.sums().took(metric, labels, took);
    }
    /// Everything that was counted, in the order of the table.
    pub(crate) fn samples(&self) -> Vec<Sample> {
        let sums = self.sums();
        let of = |(metric, lines): (&Metric, &Vec<(Vec<String>, Sum)>)| {
            let mut lines: Vec<_> = lines.iter().map(|(labels, sum)| (labels.clone(), sum.amount())).collect();
            lines.sort_by(|one, other| one.0.cmp(&other.0));
            let metric = *metric;
            lines.into_iter().map(move |(labels, amount)| Sample::new(metric, &labels, amount))
        };
        sums.0.iter().flat_map(of).collect()
    }
    /// Counts facts of a saga that were recorded; `exec` has folded them.
    pub(crate) fn facts(&self, facts: &[SagaFact], exec: &Execution) {
        let Some(started) = exec.started() else { return };
        let (kind, version) = (started.definition.as_str(), started.version.to_string());
        let mut sums = self.sums();
        facts.iter().for_each(|fact| sums.fact(fact, exec, (kind, &version)));
    }
}

impl Sums {
    /// The line of a metric with these values, with nothing counted if it is new.
    fn line(&mut self, metric: Metric, labels: &[&str]) -> &mut Sum {
        let lines = self.0.entry(metric).or_default();
        let is = |line: &(Vec<String>, Sum)| line.0.iter().map(String::as_str).eq(labels.iter().copied());
        let at = lines.iter().position(is).unwrap_or_else(|| {
            lines.push((labels.iter().map(|label| (*label).to_owned()).collect(), Sum::nothing(metric)));
            lines.len() - 1
        });
        &mut lines[at].1
    }
    fn add(&mut self, metric: Metric, labels: &[&str], more: u64) {
        if let Sum::Number(counter) = self.line(metric, labels) {
            counter.add(more);
        }
    }
    fn took(&mut self, metric: Metric, labels: &[&str], took: Duration) {
        if let Sum::Spread(spread) = self.line(metric, labels) {
            spread.add(took);
        }
    }
    fn fact(&mut self, fact: &SagaFact, exec: &Execution, (kind, version): (&str, &str)) {
        match fact {
            SagaFact::SagaStarted(_) => self.add(Metric::Started, &[kind, version], 1),
            SagaFact::StepSucceeded(fact) => self.answered(fact.step.as_str(), exec, (kind, "done")),
            SagaFact::StepFailed(fact) => self.answered(fact.step.as_str(), exec, (kind, "refused")),
            SagaFact::StepRetryScheduled(fact) => {
                self.attempt(kind, if fact.undo { "undo" } else { "do" }, "retry");
            }
            SagaFact::StepOutcomeUnknown(_) => self.attempt(kind, "do", "unknown"),
            SagaFact::StepCompensated(_) => self.attempt(kind, "undo", "done"),
            SagaFact::CompensationFailed(_) => {
                self.attempt(kind, "undo", "failed");
                self.add(Metric::UndoFailed, &[kind], 1);
            }
            SagaFact::SagaParked(_) => self.add(Metric::Parked, &[kind], 1),
            SagaFact::SagaCompleted(_) | SagaFact::SagaCompensated(_) | SagaFact::SagaCancelled(_) => {
                let outcome = exec.state().word();
                self.add(Metric::Finished, &[kind, version, outcome], 1);
                self.took(Metric::SagaTime, &[kind, outcome], exec.moved_at().since(exec.started_at()));
            }
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
            | SagaFact::LateReplyRecorded(_) => {}
        }
    }
    fn attempt(&mut self, kind: &str, direction: &str, outcome: &str) {
        self.add(Metric::StepAttempts, &[kind, direction, outcome], 1);
    }
    fn answered(&mut self, step: &str, exec: &Execution, (kind, outcome): (&str, &str)) {
        self.attempt(kind, "do", outcome);
        if let Some(took) = exec.took(step) {
            self.took(Metric::StepTime, &[kind, outcome], took);
        }
    }
}

impl Sum {
    fn nothing(metric: Metric) -> Self {
        match metric.kind() {
            Kind::Counter | Kind::Gauge => Self::Number(Counter::default()),
            Kind::Histogram => Self::Spread(Spread::default()),
        }
    }
    fn amount(&self) -> Amount {
        match self {
            Self::Number(Counter(number)) => Amount::Number(number.load(Ordering::Relaxed)),
            Self::Spread(spread) => Amount::Spread(spread.clone()),
        }
    }
}
