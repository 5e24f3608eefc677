//! What happens again and again is said a few times a minute in the log, and counted beyond that.

use std::time::Duration;
use tokio::time::Instant;

/// 10 in a minute: more than somebody reads, and few enough to leave room in a log for everything else.
const SAID_AT_MOST: u32 = 10;
/// For so long they are counted together.
const MINUTE: Duration = Duration::from_secs(60);

/// One thing that may happen often.
#[derive(Debug, Default)]
pub(crate) struct Seldom {
    begun: Option<Instant>,
    said: u32,
    more: u64,
}

impl Seldom {
    /// It happens: whether to say it.
    pub(crate) fn happens(&mut self, now: Instant) -> bool {
        if self.more == 0 && self.is_over(now) {
            *self = Self { begun: Some(now), ..Self::default() };
        }
        let says = self.said < SAID_AT_MOST;
        if says {
            self.said += 1
        } else {
            self.more += 1
        }
        says
    }
    /// How often it happened without being said, once that minute is over.
    pub(crate) fn counted(&mut self, now: Instant) -> Option<u64> {
        let more = Some(self.more).filter(|more| *more > 0 && self.is_over(now))?;
        *self = Self::default();
        Some(more)
    }
    fn is_over(&self, now: Instant) -> bool {
        self.begun.is_none_or(|begun| now.saturating_duration_since(begun) >= MINUTE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_said_ten_times_a_minute_and_counted() {
        let (mut seldom, begin) = (Seldom::default(), Instant::now());
        let at = |secs| begin + Duration::from_secs(secs);
        let said = (0..1_000).filter(|_| seldom.happens(at(1))).count();
        assert_eq!(said, 10);
        assert_eq!(seldom.counted(at(30)), None, "the minute is not over");
        assert!(!seldom.happens(at(70)), "it is counted until somebody has told the number");
        assert_eq!((seldom.counted(at(70)), seldom.counted(at(70))), (Some(991), None));
        assert!(seldom.happens(at(71)));
        assert!((0..9).all(|_| seldom.happens(at(72))) && !seldom.happens(at(73)));
        assert!(seldom.counted(at(200)).is_some() && seldom.happens(at(200)), "what is rare is always said");
    }
}
