//! Numbers, and everything that they hang on.

use crate::bench::meter::{Spent, percentile_ms};
use serde::Serialize;
use std::collections::BTreeMap;
use std::time::Duration;

/// What was measured.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// `saga`, `append` and so on.
    pub bench: String,
    /// One for each way it was measured.
    pub rows: Vec<Row>,
    /// Machine, durability, seed, versions.
    pub settings: BTreeMap<String, String>,
}

/// One measurement. Rates and costs are for one of the things that are counted (a saga, an append, an event).
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Row {
    /// What was done.
    pub workload: String,
    /// How many were under way at once.
    pub at_once: u64,
    /// How many were done.
    pub count: u64,
    /// How long that took.
    pub seconds: f64,
    /// How many in a second.
    pub per_second: f64,
    /// Half of them took at most this long.
    pub p50_ms: Option<f64>,
    /// 99 of 100 took at most this long.
    pub p99_ms: Option<f64>,
    /// Processor time for a thousand.
    pub cpu_s_per_1000: Option<f64>,
    /// Transactions for each one, by store.
    pub flushes_each: BTreeMap<String, f64>,
    /// Commits for each one, over all stores: more than one can share a flush.
    pub commits_each: Option<f64>,
    /// Bytes that the disks of this machine took for each one, from all processes.
    pub disk_bytes_each: Option<f64>,
    /// Bytes of event data and metadata for each one.
    pub log_bytes_each: Option<f64>,
    /// Commits in a second against the appends in a second of the hand-written minimum, as many at once, in this run.
    pub of_floor: Option<f64>,
}

/// Counters of this size are exact as floating point numbers.
#[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
pub(crate) fn ratio(part: u64, whole: u64) -> f64 {
    part as f64 / whole.max(1) as f64
}

impl Row {
    /// From the time until the last one was done, and what was used until all its consequences were written.
    pub fn of(workload: impl Into<String>, at_once: u64, count: u64, wall: Duration, spent: &Spent) -> Self {
        let seconds = wall.as_secs_f64();
        let each = ratio(1, count);
        Row {
            workload: workload.into(),
            at_once,
            count,
            seconds,
            per_second: ratio(count, 1) / seconds,
            cpu_s_per_1000: spent.cpu_seconds.map(|cpu| cpu * each * 1_000.0),
            ..Row::default()
        }
    }
    /// With the bytes that disks took between two looks.
    #[must_use]
    pub fn disk(mut self, before: Option<u64>, after: Option<u64>) -> Self {
        let taken = after.zip(before).map(|(after, before)| after.saturating_sub(before));
        self.disk_bytes_each = taken.map(|bytes| ratio(bytes, self.count));
        self
    }
    /// With these latencies.
    #[must_use]
    pub fn latencies(mut self, mut latencies: Vec<Duration>) -> Self {
        self.p50_ms = percentile_ms(&mut latencies, 0.5);
        self.p99_ms = percentile_ms(&mut latencies, 0.99);
        self
    }
    /// Each number as the median of its own over several runs: one slow flush of the disk does not decide.
    pub fn median(runs: &[Row]) -> Option<Row> {
        let first = runs.first()?;
        let of = |number: fn(&Row) -> f64| middle(runs.iter().map(number).collect()).unwrap_or_default();
        let maybe = |number: fn(&Row) -> Option<f64>| middle(runs.iter().filter_map(number).collect());
        let flushes = first.flushes_each.keys().map(|store| {
            let each = runs.iter().filter_map(|row| row.flushes_each.get(store).copied()).collect();
            (store.clone(), middle(each).unwrap_or_default())
        });
        Some(Row {
            workload: first.workload.clone(),
            at_once: first.at_once,
            count: first.count,
            seconds: of(|row| row.seconds),
            per_second: of(|row| row.per_second),
            p50_ms: maybe(|row| row.p50_ms),
            p99_ms: maybe(|row| row.p99_ms),
            cpu_s_per_1000: maybe(|row| row.cpu_s_per_1000),
            flushes_each: flushes.collect(),
            commits_each: maybe(|row| row.commits_each),
            disk_bytes_each: maybe(|row| row.disk_bytes_each),
            log_bytes_each: maybe(|row| row.log_bytes_each),
            of_floor: maybe(|row| row.of_floor),
        })
    }
    /// Against the hand-written minimum of the same run: appends in a second there, commits in a second here.
    pub fn against(&mut self, floor_per_second: f64) {
        let commits = self.commits_each.unwrap_or(1.0) * self.per_second;
        self.of_floor = (floor_per_second > 0.0).then(|| commits / floor_per_second);
    }
}

fn middle(mut numbers: Vec<f64>) -> Option<f64> {
    numbers.sort_by(f64::total_cmp);
    numbers.get(numbers.len() / 2).copied()
}

/// The settings that every report has.
pub fn settings(seed: u64, runs: u64) -> BTreeMap<String, String> {
    let read = |path: &str| std::fs::read_to_string(path).ok();
    let cpu = read("/proc/cpuinfo").and_then(|text| {
        let line = text.lines().find(|line| line.starts_with("model name"))?.to_owned();
        Some(line.split_once(':')?.1.trim().to_owned())
    });
    let mut settings = BTreeMap::from([
        ("cores".to_owned(), std::thread::available_parallelism().map_or(0, usize::from).to_string()),
        ("seed".to_owned(), seed.to_string()),
        ("runs".to_owned(), format!("{runs} (medians)")),
        ("version".to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
        (
            "build".to_owned(),
            if cfg!(debug_assertions) { "debug: these numbers mean nothing" } else { "release" }.to_owned(),
        ),
    ]);
    settings.extend(cpu.map(|cpu| ("cpu".to_owned(), cpu)));
    settings.extend(read("/proc/sys/kernel/osrelease").map(|text| ("kernel".to_owned(), text.trim().to_owned())));
    settings
}
