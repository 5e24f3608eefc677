//! The real clock and real chance: the ports that production hands to the machines.

use async_trait::async_trait;
use saga_core::ports::{Clock, Ids};
use saga_core::time::{Jump, Timestamp};
use std::sync::LazyLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use uuid::Uuid;

/// 1 s: how soon a task that waits for a time notices that the clock was set.
const CLOCK_LOOK: Duration = Duration::from_secs(1);
/// From where passed time is counted.
static BEGAN: LazyLock<Instant> = LazyLock::new(now);
fn now() -> Instant {
    #[expect(clippy::disallowed_methods, reason = "this is the clock that others ask")]
    Instant::now()
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

#[async_trait]
impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        #[expect(clippy::disallowed_methods, reason = "this is the clock that others ask")]
        since_epoch(SystemTime::now())
    }
    async fn sleep_until(&self, due: Timestamp) {
        loop {
            let left = due.since(self.now());
            if left.is_zero() {
                return;
            }
            self.pause(left.min(CLOCK_LOOK)).await;
        }
    }
    fn passed(&self) -> Duration {
        BEGAN.elapsed()
    }
    async fn pause(&self, time: Duration) {
        #[expect(clippy::disallowed_methods, reason = "this is the clock that others ask")]
        tokio::time::sleep(time).await;
    }
}

/// 1 s: clocks are slewed all the time, and by less.
const JUMP_LEAST: Duration = Duration::from_secs(1);

/// Notices when a clock is set, by comparing what it shows with the time that has passed.
pub(crate) struct Watch {
    shown: Timestamp,
    passed: Duration,
}
impl Watch {
    pub(crate) fn of(clock: &dyn Clock) -> Self {
        Self { shown: clock.now(), passed: clock.passed() }
    }
    /// What the clock has done since the last look.
    pub(crate) fn look(&mut self, clock: &dyn Clock) -> Option<Jump> {
        let now = Self::of(clock);
        let passed = now.passed.saturating_sub(self.passed);
        let jump = Jump::between(self.shown, now.shown, passed, JUMP_LEAST);
        *self = now;
        jump
    }
}

/// Fresh UUIDs of version 7.
#[derive(Debug, Clone, Copy, Default)]
pub struct FreshIds;

impl Ids for FreshIds {
    fn next(&self, _: Timestamp) -> Uuid {
        #[expect(clippy::disallowed_methods, reason = "this is the mint that others ask")]
        fresh(SystemTime::now())
    }
}
/// An id for the time that a clock shows.
fn fresh(shown: SystemTime) -> Uuid {
    if shown < UNIX_EPOCH {
        // No version 7 says a time before its first; these ids say that one, and chance tells them apart.
        return Uuid::new_v7(uuid::Timestamp::from_unix(uuid::NoContext, 0, 0));
    }
    #[expect(clippy::disallowed_methods, reason = "this is the mint that others ask")]
    Uuid::now_v7()
}
/// What a clock shows, with 1970 for whatever is before.
fn since_epoch(shown: SystemTime) -> Timestamp {
    let since = shown.duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_before_1970_shows_1970_and_ids_differ_by_chance() {
        let before = UNIX_EPOCH - Duration::from_secs(400 * 86_400);
        assert_eq!(since_epoch(before), Timestamp(0));
        assert_eq!(since_epoch(UNIX_EPOCH + Duration::from_micros(7)), Timestamp(7));
        let (one, two) = (fresh(before), fresh(before));
        assert_ne!(one, two);
        for id in [one, two] {
            assert_eq!(id.get_version_num(), 7);
            assert_eq!(id.get_timestamp().map(|at| at.to_unix()), Some((0, 0)), "{id}");
        }
    }
}
