//! Metrics as Prometheus reads them: one text, in which the table of telemetry says what each is.

use saga_core::telemetry::{Amount, BOUNDS, Metric, Sample, Spread};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The type of the text.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// How many connections are open.
#[derive(Debug, Clone, Default)]
pub(crate) struct OpenConnections(Arc<AtomicU64>);

impl OpenConnections {
    /// One more, until it is dropped.
    pub(crate) fn one(&self) -> OpenConnection {
        self.0.fetch_add(1, Ordering::Relaxed);
        OpenConnection(Self(Arc::clone(&self.0)))
    }
    pub(crate) fn sample(&self) -> Sample {
        let none: [&str; 0] = [];
        Sample::number(Metric::OpenConnections, &none, self.0.load(Ordering::Relaxed))
    }
}

/// A connection that is open.
#[derive(Debug)]
pub(crate) struct OpenConnection(OpenConnections);
impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The text of these samples, each metric with its sentence and its kind. What has no sample is left out.
pub fn text(samples: &[Sample]) -> String {
    let mut all = String::new();
    for metric in Metric::ALL.iter().copied() {
        let lines: String = samples.iter().filter(|sample| sample.metric == metric).map(lines).collect();
        if !lines.is_empty() {
            let (name, says, kind) = (metric.name(), metric.says(), metric.kind().word());
            let _infallible = write!(all, "# HELP {name} {says}\n# TYPE {name} {kind}\n{lines}");
        }
    }
    all
}

fn lines(Sample { metric, labels, amount }: &Sample) -> String {
    match amount {
        Amount::Number(number) => format!("{}{} {number}\n", metric.name(), braces(labels, None)),
        Amount::Spread(spread) => spread_lines(metric.name(), labels, spread),
    }
}

/// A histogram: how many were within each bound and all before it, their sum, and how many there were.
fn spread_lines(name: &str, labels: &BTreeMap<String, String>, spread: &Spread) -> String {
    let (mut text, mut sum) = (String::new(), 0);
    for (bound, within) in BOUNDS.iter().zip(spread.within) {
        sum += within;
        let bound = seconds(*bound);
        let _infallible = writeln!(text, "{name}_bucket{} {sum}", braces(labels, Some(&bound)));
    }
    let _infallible = writeln!(text, "{name}_bucket{} {}", braces(labels, Some("+Inf")), spread.count);
    let (labels, took) = (braces(labels, None), seconds(Duration::from_micros(spread.sum_us)));
    let _infallible = writeln!(text, "{name}_sum{labels} {took}\n{name}_count{labels} {}", spread.count);
    text
}

/// Seconds as a decimal number, to the microsecond, without a rounding in between.
fn seconds(time: Duration) -> String {
    let text = format!("{}.{:06}", time.as_secs(), time.subsec_micros());
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn braces(labels: &BTreeMap<String, String>, bound: Option<&str>) -> String {
    let bound = bound.map(|bound| ("le", bound));
    let pairs = labels.iter().map(|(name, value)| (name.as_str(), value.as_str())).chain(bound);
    let pairs: Vec<String> = pairs.map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
    if pairs.is_empty() { String::new() } else { format!("{{{}}}", pairs.join(",")) }
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_and_a_histogram_are_written_as_prometheus_reads_them() {
        let mut spread = Spread::default();
        [1_500, 700, 100_000_000_001].map(Duration::from_micros).iter().for_each(|took| spread.add(*took));
        let samples = [
            Sample::new(Metric::TimerLateness, &[""; 0], Amount::Spread(spread)),
            Sample::number(Metric::Parked, &["a \"b\" \\ c\nd"], 3),
            Sample::number(Metric::Parked, &["x"], 0),
        ];
        let text = text(&samples);
        let (numbers, histogram) = text.split_once("# HELP saga_timer").unwrap();
        assert_eq!(
            numbers,
            "# HELP saga_parked_total Steps that were parked, until a person decides.\n\
             # TYPE saga_parked_total counter\n\
             saga_parked_total{type=\"a \\\"b\\\" \\\\ c\\nd\"} 3\n\
             saga_parked_total{type=\"x\"} 0\n"
        );
        for line in [
            "# TYPE saga_timer_lateness_seconds histogram",
            "saga_timer_lateness_seconds_bucket{le=\"0.001\"} 1",
            "saga_timer_lateness_seconds_bucket{le=\"0.005\"} 2",
            "saga_timer_lateness_seconds_bucket{le=\"86400\"} 2",
            "saga_timer_lateness_seconds_bucket{le=\"+Inf\"} 3",
            "saga_timer_lateness_seconds_sum 100000.002201",
            "saga_timer_lateness_seconds_count 3",
        ] {
            assert!(histogram.lines().any(|found| found == line), "{line} is not in {text}");
        }
    }

    #[test]
    fn connections_are_counted_while_they_are_open() {
        let open = OpenConnections::default();
        let (one, two) = (open.one(), open.clone().one());
        let count = |of: &OpenConnections| of.sample().amount;
        assert_eq!(count(&open), Amount::Number(2));
        drop(two);
        assert_eq!(count(&open), Amount::Number(1));
        drop(one);
        assert_eq!(count(&open), Amount::Number(0));
    }
}
