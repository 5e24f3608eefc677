//! The stopwatch, and what the kernel knows: processor time of this process and its servers, bytes that disks have taken.

use std::time::{Duration, Instant};

/// Linux counts processor time in hundredths of a second, whatever the machine.
const TICKS_PER_SECOND: f64 = 100.0;
/// Linux counts sectors of this size, whatever the disk.
const SECTOR_BYTES: u64 = 512;

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
}

/// What it used between two looks.
#[derive(Debug, Clone, Copy)]
pub struct Spent {
    /// Time that passed.
    pub wall: Duration,
    /// Processor time, of all threads.
    pub cpu_seconds: Option<f64>,
}

impl Used {
    /// A look.
    pub fn now() -> Self {
        let stat = std::fs::read_to_string("/proc/self/stat").ok();
        Self { at: now(), cpu_seconds: stat.as_deref().and_then(cpu_seconds).map(|own| own + servers_seconds()) }
    }
    /// What was used since.
    pub fn since(self) -> Spent {
        let later = Self::now();
        Spent {
            wall: later.at - self.at,
            cpu_seconds: later.cpu_seconds.zip(self.cpu_seconds).map(|(now, then)| now - then),
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
fn servers_seconds() -> f64 {
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let stats = processes.filter_map(|process| std::fs::read_to_string(process.path().join("stat")).ok());
    let name = |stat: &str| Some(stat.split_once('(')?.1.rsplit_once(')')?.0.to_owned());
    let servers = stats.filter(|stat| matches!(name(stat).as_deref(), Some("postgres" | "nats-server")));
    servers.filter_map(|stat| with_children_seconds(&stat)).sum()
}
/// The same with the fields 16 and 17: children that have ended and were waited for.
fn with_children_seconds(stat: &str) -> Option<f64> {
    let (_, behind) = stat.rsplit_once(')')?;
    let fields = behind.split_whitespace().skip(11).take(4).map(|field| field.parse::<f64>().ok());
    fields.sum::<Option<f64>>().map(|ticks| ticks / TICKS_PER_SECOND)
}

/// Bytes that the disks of this machine have taken so far, from all processes, once everything that waits has been
/// written; `None` where the kernel does not say. What it counts for each process (`write_bytes`) would not do: since
/// files are cached in large pieces, that is the size of every piece that a byte was changed in.
pub fn disk_bytes() -> Option<u64> {
    rustix::fs::sync();
    let disks = std::fs::read_dir("/sys/block").ok()?.flatten();
    let real = disks.filter(|disk| disk.file_name().to_str().is_some_and(is_disk));
    let taken = real.filter_map(|disk| sectors(&std::fs::read_to_string(disk.path().join("stat")).ok()?));
    taken.reduce(|sum, one| sum + one).map(|sectors| sectors * SECTOR_BYTES)
}
/// Devices that stand for parts of others, or for memory, would be counted twice or flatter.
fn is_disk(name: &str) -> bool {
    !["loop", "ram", "zram", "dm-", "md"].iter().any(|virtually| name.starts_with(virtually))
}
/// The seventh number of a device: sectors written.
fn sectors(stat: &str) -> Option<u64> {
    stat.split_whitespace().nth(6)?.parse().ok()
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
        assert_eq!(sectors("  110 3 5 21 92 7 8888 67 0 1 2\n"), Some(8_888));
        assert_eq!(
            ["vda", "nvme0n1", "sda", "loop0", "dm-0", "zram0"].map(is_disk),
            [true, true, true, false, false, false]
        );
    }

    #[test]
    fn a_percentile_is_one_of_the_latencies() {
        let mut latencies: Vec<Duration> = (1..=100).rev().map(Duration::from_millis).collect();
        assert_eq!(percentile_ms(&mut latencies, 0.5), Some(51.0));
        assert_eq!(percentile_ms(&mut latencies, 0.99), Some(99.0));
        assert_eq!(percentile_ms(&mut [], 0.5), None);
    }
}
