//! The stopwatch, and what the kernel knows about this process: processor time and bytes handed to the disk.

use std::time::{Duration, Instant};

/// Linux counts processor time in hundredths of a second, whatever the machine.
const TICKS_PER_SECOND: f64 = 100.0;

/// The one clock of all measurements: monotonic, and of nothing else's business.
pub fn now() -> Instant {
    #[expect(clippy::disallowed_methods, reason = "a stopwatch measures the real time; nothing is decided with it")]
    Instant::now()
}

/// What the process has used so far; `None` where the kernel does not say.
#[derive(Debug, Clone, Copy)]
pub struct Used {
    at: Instant,
    cpu_seconds: Option<f64>,
    disk_bytes: Option<u64>,
}

/// What it used between two looks.
#[derive(Debug, Clone, Copy)]
pub struct Spent {
    /// Time that passed.
    pub wall: Duration,
    /// Processor time, of all threads.
    pub cpu_seconds: Option<f64>,
    /// Bytes that went towards the disk.
    pub disk_bytes: Option<u64>,
}

impl Used {
    /// A look.
    pub fn now() -> Self {
        let stat = std::fs::read_to_string("/proc/self/stat").ok();
        let io = std::fs::read_to_string("/proc/self/io").ok();
        let servers = Servers::now();
        Self {
            at: now(),
            cpu_seconds: stat.as_deref().and_then(cpu_seconds).map(|own| own + servers.seconds),
            // Where the kernel does not tell us about the servers, our own bytes alone would be a lie.
            disk_bytes: io.as_deref().and_then(disk_bytes).zip(servers.bytes).map(|(own, theirs)| own + theirs),
        }
    }
    /// What was used since.
    pub fn since(self) -> Spent {
        let later = Self::now();
        Spent {
            wall: later.at - self.at,
            cpu_seconds: later.cpu_seconds.zip(self.cpu_seconds).map(|(now, then)| now - then),
            disk_bytes: later.disk_bytes.zip(self.disk_bytes).map(|(now, then)| now.saturating_sub(then)),
        }
    }
}

/// User and system time out of `/proc/self/stat`: the fields 14 and 15, counted behind the name in brackets.
fn cpu_seconds(stat: &str) -> Option<f64> {
    let (_, behind) = stat.rsplit_once(')')?;
    let mut fields = behind.split_whitespace().skip(11);
    let (user, system): (f64, f64) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    Some((user + system) / TICKS_PER_SECOND)
}
/// What the servers of a measurement have used on this machine, with their children that have ended: they belong to its
/// price. Without servers it is nothing.
struct Servers {
    seconds: f64,
    /// `None` where the kernel keeps the bytes of other users' processes to itself.
    bytes: Option<u64>,
}
impl Servers {
    fn now() -> Self {
        let mut all = Self { seconds: 0.0, bytes: Some(0) };
        for process in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
            let Ok(stat) = std::fs::read_to_string(process.path().join("stat")) else { continue };
            let name = stat.split_once('(').and_then(|(_, rest)| rest.rsplit_once(')')).map(|(name, _)| name);
            if !matches!(name, Some("postgres" | "nats-server")) {
                continue;
            }
            all.seconds += with_children_seconds(&stat).unwrap_or(0.0);
            let io = std::fs::read_to_string(process.path().join("io")).ok();
            all.bytes = all.bytes.zip(io.as_deref().and_then(disk_bytes)).map(|(sum, bytes)| sum + bytes);
        }
        all
    }
}
/// The same with the fields 16 and 17: children that have ended and were waited for.
fn with_children_seconds(stat: &str) -> Option<f64> {
    let (_, behind) = stat.rsplit_once(')')?;
    let fields = behind.split_whitespace().skip(11).take(4).map(|field| field.parse::<f64>().ok());
    fields.sum::<Option<f64>>().map(|ticks| ticks / TICKS_PER_SECOND)
}
fn disk_bytes(io: &str) -> Option<u64> {
    io.lines().find_map(|line| line.strip_prefix("write_bytes: "))?.parse().ok()
}

/// The latency that this part of all stays under, in milliseconds. Sorts what it is given.
pub fn percentile_ms(latencies: &mut [Duration], part: f64) -> Option<f64> {
    latencies.sort_unstable();
    let last = latencies.len().checked_sub(1)?;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "an index within a list that fits the memory"
    )]
    let index = (last as f64 * part).round() as usize;
    latencies.get(index).map(|latency| latency.as_secs_f64() * 1_000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_lines_are_read() {
        let stat = "7 (a ) b) S 1 2 3 4 5 6 7 8 9 10 150 50 0 0";
        assert_eq!(cpu_seconds(stat), Some(2.0));
        assert_eq!(with_children_seconds("7 (postgres) S 1 2 3 4 5 6 7 8 9 10 150 50 100 100 0"), Some(4.0));
        assert_eq!(disk_bytes("rchar: 1\nwrite_bytes: 4096\ncancelled_write_bytes: 0\n"), Some(4096));
    }

    #[test]
    fn a_percentile_is_one_of_the_latencies() {
        let mut latencies: Vec<Duration> = (1..=100).rev().map(Duration::from_millis).collect();
        assert_eq!(percentile_ms(&mut latencies, 0.5), Some(51.0));
        assert_eq!(percentile_ms(&mut latencies, 0.99), Some(99.0));
        assert_eq!(percentile_ms(&mut [], 0.5), None);
    }
}
