//! The real clock and real chance: the ports that production hands to the machines.

use async_trait::async_trait;
use saga_core::ports::{Clock, Ids};
use saga_core::time::Timestamp;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use uuid::Uuid;

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

#[async_trait]
impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        #[expect(clippy::disallowed_methods, reason = "this is the clock that others ask")]
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
    }
    async fn sleep_until(&self, due: Timestamp) {
        // In steps of an hour at most, so that a clock that was set is noticed.
        loop {
            let left = due.since(self.now());
            if left.is_zero() {
                return;
            }
            #[expect(clippy::disallowed_methods, reason = "this is the clock that others ask")]
            tokio::time::sleep(left.min(Duration::from_secs(3_600))).await;
        }
    }
}

/// Fresh UUIDs of version 7.
#[derive(Debug, Clone, Copy, Default)]
pub struct FreshIds;

impl Ids for FreshIds {
    fn next(&self, _: Timestamp) -> Uuid {
        #[expect(clippy::disallowed_methods, reason = "this is the mint that others ask")]
        Uuid::now_v7()
    }
}
