//! What a process tells of itself: every metric and every field of a log line, each under one name with its meaning.
//!
//! Names only. The runtime that counts, the admin API that tells and the command line that shows take them from here, so that a
//! log, a number and a finding of `doctor` have one word for one thing, and no name is without an explanation.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

mod fields;
mod label;

pub use fields::FIELDS;
pub use label::Label;

/// How a metric behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It only grows, from 0 at the start of the process.
    Counter,
    /// It is what it is now.
    Gauge,
    /// Durations, counted by the bounds that they keep: [`BOUNDS`].
    Histogram,
}

impl Kind {
    /// The word, as Prometheus has it.
    pub fn word(self) -> &'static str {
        match self {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        }
    }
}

/// What a metric is counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Things.
    Count,
    /// Seconds, kept as whole microseconds.
    Seconds,
}

impl Unit {
    /// The word.
    pub fn word(self) -> &'static str {
        match self {
            Unit::Count => "count",
            Unit::Seconds => "seconds",
        }
    }
}

/// From a millisecond, which a local step takes, to a day, for which a person may wait; about three bounds to each power of ten.
pub const BOUNDS: [Duration; 16] = [
    Duration::from_millis(1),
    Duration::from_millis(5),
    Duration::from_millis(10),
    Duration::from_millis(25),
    Duration::from_millis(50),
    Duration::from_millis(100),
    Duration::from_millis(250),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_millis(2_500),
    Duration::from_secs(5),
    Duration::from_secs(10),
    Duration::from_secs(60),
    Duration::from_secs(600),
    Duration::from_secs(3_600),
    Duration::from_secs(86_400),
];

macro_rules! metrics {
    ($($metric:ident = $name:literal, $kind:ident in $unit:ident [$($label:ident)*]: $says:literal;)+) => {
        /// A metric. What cannot be counted honestly has no line here.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        #[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
        pub enum Metric {
            $(#[doc = $says] #[serde(rename = $name)] $metric,)+
        }
        impl Metric {
            /// All of them, in the order of the table.
            pub const ALL: &[Metric] = &[$(Metric::$metric),+];
            /// Its name: base units, `_total` for counters.
            pub const fn name(self) -> &'static str {
                match self { $(Metric::$metric => $name,)+ }
            }
            /// How it behaves.
            pub const fn kind(self) -> Kind {
                match self { $(Metric::$metric => Kind::$kind,)+ }
            }
            /// What it is counted in.
            pub const fn unit(self) -> Unit {
                match self { $(Metric::$metric => Unit::$unit,)+ }
            }
            /// What it is told apart by. No label has values without end: no id, no key, no words of anybody.
            pub const fn labels(self) -> &'static [Label] {
                match self { $(Metric::$metric => &[$(Label::$label),*],)+ }
            }
            /// What it says, in a sentence.
            pub const fn says(self) -> &'static str {
                match self { $(Metric::$metric => $says,)+ }
            }
        }
    };
}

metrics! {
    BuildInfo = "saga_build_info", Gauge in Count [Version]: "1, with the version of the program.";
    Ready = "saga_ready", Gauge in Count []: "1 where the process is fit to serve, as /readyz says it, and 0 where it is not.";
    Troubles = "saga_troubles", Gauge in Count []: "Places that do not work now: the lines of doctor that say since when.";
    Incidents = "saga_incidents_total", Counter in Count [Kind]: "What went wrong and was repaired, by its kind.";
    OpenConnections = "saga_open_connections", Gauge in Count []: "Connections to the admin API that are open, this one among them.";
    Groups = "saga_groups", Gauge in Count []: "Coordinator groups that this process owns.";
    Takeovers = "saga_takeovers_total", Counter in Count [Scope]:
        "Leases that this process took: of a coordinator group, or of the lead of a module.";

    Started = "saga_started_total", Counter in Count [Type Version]: "Sagas that began here.";
    Finished = "saga_finished_total", Counter in Count [Type Version Outcome]: "Sagas that ended here, by how.";
    SagaTime = "saga_duration_seconds", Histogram in Seconds [Type Outcome]: "From a saga's first fact to its last.";
    InState = "saga_in_state", Gauge in Count [Type State]: "Sagas that are open in the groups of this process, by their state.";
    OldestInState = "saga_oldest_in_state_seconds", Gauge in Seconds [Type State]:
        "For how long the open saga of each state that has stood still the longest has not moved.";
    NeedsAttention = "saga_needs_attention", Gauge in Count [Type Reason]:
        "Waits of open sagas that only a person can end, by the code that why-stuck shows.";
    StepAttempts = "saga_step_attempts_total", Counter in Count [Type Direction Outcome]:
        "Tries of steps and of undos, by what became of each.";
    StepTime = "saga_step_duration_seconds", Histogram in Seconds [Type Outcome]:
        "From the first try of a step to its answer: forward only, waits for a next try among it.";
    Parked = "saga_parked_total", Counter in Count [Type]: "Steps that were parked, until a person decides.";
    UndoFailed = "saga_compensation_failed_total", Counter in Count [Type]:
        "Undos that will not be tried again until a person says so.";
    TimerLateness = "saga_timer_lateness_seconds", Histogram in Seconds []:
        "From the moment at which something of a saga was due to the moment at which it was looked at.";

    Commits = "saga_commits_total", Counter in Count [Module]: "Batches that a store of this process took.";
    Appended = "saga_events_appended_total", Counter in Count [Module]: "Events in them.";
    Conflicts = "saga_commit_conflicts_total", Counter in Count [Module]:
        "Batches that were decided on what had moved meanwhile, and are decided again.";
    Unknown = "saga_commit_unknown_total", Counter in Count [Module]:
        "Batches whose answer was lost: whether they were written is read back.";
    Fenced = "saga_fenced_total", Counter in Count [Module]: "Batches of an owner that was replaced, which were refused.";
    InboxHits = "saga_inbox_hits_total", Counter in Count [Module]:
        "Commands, probes and orders that an inbox answered: what was done before was not done again.";
    QueryTime = "saga_query_duration_seconds", Histogram in Seconds [Module Outcome]: "What a module's queries take.";
    Unpublished = "saga_unpublished_events", Gauge in Count [Module]:
        "Public events of a module's log that the bus does not have.";
    ProjectionLag = "saga_projection_lag_events", Gauge in Count [Module Projection]: "Events that a read model has not folded.";
    ConsumerLag = "saga_consumer_lag_events", Gauge in Count [Module Consumer]: "Events that a reactor has not seen.";
    DeadLetters = "saga_dlq_messages", Gauge in Count [Module Reason]:
        "What lies aside: messages that no receiver could take, and events that no consumer can read.";
}

impl Metric {
    /// The one of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|metric| metric.name() == name)
    }
}

/// What a metric amounts to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Amount {
    /// Of a counter or a gauge.
    Number(u64),
    /// Of a histogram.
    Spread(Spread),
}

/// Durations, by the bounds that they keep.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct Spread {
    /// How many kept each of [`BOUNDS`] and none before it.
    pub within: [u64; BOUNDS.len()],
    /// How many there were.
    pub count: u64,
    /// All of them together, in microseconds.
    pub sum_us: u64,
}

impl Spread {
    /// One more.
    pub fn add(&mut self, took: Duration) {
        if let Some(at) = BOUNDS.iter().position(|bound| took <= *bound) {
            self.within[at] += 1;
        }
        self.count += 1;
        self.sum_us = self.sum_us.saturating_add(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
    }
}

/// A metric with the values of its labels, and what it amounts to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct Sample {
    /// Which.
    pub metric: Metric,
    /// The value of each label, under the label's name.
    pub labels: BTreeMap<String, String>,
    /// How much.
    pub amount: Amount,
}

impl Sample {
    /// Of a metric, with a value for each of its labels, in their order.
    pub fn new<S: AsRef<str>>(metric: Metric, values: &[S], amount: Amount) -> Self {
        debug_assert_eq!(values.len(), metric.labels().len(), "{}", metric.name());
        let labels = metric.labels().iter().zip(values);
        let labels = labels.map(|(label, value)| (label.name().to_owned(), value.as_ref().to_owned()));
        Self { metric, labels: labels.collect(), amount }
    }
    /// A number.
    pub fn number<S: AsRef<str>>(metric: Metric, values: &[S], number: u64) -> Self {
        Self::new(metric, values, Amount::Number(number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_name_says_what_it_is() {
        for metric in Metric::ALL.iter().copied() {
            let (name, labels) = (metric.name(), metric.labels());
            assert_eq!(Metric::named(name), Some(metric));
            assert_eq!(serde_json::to_string(&metric).unwrap(), format!("{name:?}"));
            assert!(name.starts_with("saga_"), "{name}");
            assert_eq!(name.ends_with("_total"), metric.kind() == Kind::Counter, "{name}");
            assert_eq!(name.ends_with("_seconds"), metric.unit() == Unit::Seconds, "{name}");
            // What is spread over bounds is a duration; how long something has lasted until now is a number.
            assert!(metric.kind() != Kind::Histogram || metric.unit() == Unit::Seconds, "{name}");
            assert!(metric.says().ends_with('.'), "{name}");
            assert_eq!(labels.iter().collect::<BTreeSet<_>>().len(), labels.len(), "{name}");
        }
        let names: BTreeSet<&str> = Metric::ALL.iter().map(|metric| metric.name()).collect();
        assert_eq!(names.len(), Metric::ALL.len());
    }

    #[test]
    fn a_duration_is_counted_at_the_first_bound_that_it_keeps() {
        let mut spread = Spread::default();
        for took in [Duration::ZERO, BOUNDS[0], BOUNDS[0] + Duration::from_micros(1), Duration::MAX] {
            spread.add(took);
        }
        assert_eq!((spread.within[0], spread.within[1], spread.count), (2, 1, 4));
        assert_eq!(spread.within.iter().sum::<u64>(), 3, "what keeps no bound is only in the count");
        assert_eq!(spread.sum_us, u64::MAX);
        assert!(BOUNDS.is_sorted_by(|less, more| less < more));
    }
}
