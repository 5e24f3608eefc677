//! Policies are plain data, every field bounded: how often, how long, and what silence means.

use crate::id::StepKey;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// 10,000 tries: a step that needs more is waiting for something, and a wait is the word for that.
pub const ATTEMPTS_MAX: u32 = 10_000;
/// Five years: longer than any contract, short enough for every clock.
pub const DEADLINE_MS_MAX: u64 = 5 * 366 * 24 * 3_600_000;
/// 500 steps in one plan: a plan is read by people.
pub const STEPS_MAX: usize = 500;
/// 1,000 items in one fan-out: one append can record them.
pub const ITEMS_MAX: usize = 1_000;
/// 100 rounds of one body.
pub const ROUNDS_MAX: u32 = 100;

/// One hour: how long a step may be answered with weather before it is shown to a person. It goes on all the same.
pub const STEP_DEADLINE_MS: u64 = 3_600_000;
/// 100 ms: the first pause after weather, also where the policy knows no pause.
const WEATHER_FIRST_MS: u64 = 100;
/// One minute: a module that answers is alive, and when its weather clears nobody waits longer than this. A module that
/// needs longer says so in its answer.
const WEATHER_CAP_MS: u64 = 60_000;

/// How a transient failure is retried: exponential backoff with full jitter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retry {
    /// Tries in all, the first included; 0 means for ever.
    pub attempts_max: u32,
    /// Upper bound of the first pause.
    pub initial_ms: u64,
    /// Each further bound is this many times the one before.
    pub factor: u32,
    /// No bound is larger.
    pub cap_ms: u64,
}

impl Retry {
    /// For steps inside the house: 5 tries, bounds 1 s, 2 s, 4 s, 8 s.
    pub const fn brief() -> Self {
        Self { attempts_max: 5, initial_ms: 1_000, factor: 2, cap_ms: 60_000 }
    }
    /// For steps that reach outside providers: 8 tries over up to half an hour each.
    pub const fn provider() -> Self {
        Self { attempts_max: 8, initial_ms: 5_000, factor: 3, cap_ms: 1_800_000 }
    }
    /// After the pivot: for ever, at most an hour apart.
    pub const fn for_ever() -> Self {
        Self { attempts_max: 0, initial_ms: 5_000, factor: 2, cap_ms: 3_600_000 }
    }
    /// For compensations: 10 tries, then a person.
    pub const fn undo() -> Self {
        Self { attempts_max: 10, initial_ms: 1_000, factor: 2, cap_ms: 3_600_000 }
    }
    /// No second try.
    pub const fn once() -> Self {
        Self { attempts_max: 1, initial_ms: 0, factor: 1, cap_ms: 0 }
    }
    /// The same with other bounds on the pause.
    #[must_use]
    pub const fn pausing(mut self, initial: Duration, cap: Duration) -> Self {
        self.initial_ms = initial.as_millis() as u64;
        self.cap_ms = cap.as_millis() as u64;
        self
    }
    /// The same with another number of tries (0: for ever).
    #[must_use]
    pub const fn tries(mut self, attempts_max: u32) -> Self {
        self.attempts_max = attempts_max;
        self
    }
    /// The same for weather: no number of tries, and pauses that grow to a minute at most.
    #[must_use]
    pub const fn weather(self) -> Self {
        let cap_ms =
            if self.cap_ms < WEATHER_FIRST_MS || self.cap_ms > WEATHER_CAP_MS { WEATHER_CAP_MS } else { self.cap_ms };
        let initial_ms = if self.initial_ms < WEATHER_FIRST_MS { WEATHER_FIRST_MS } else { self.initial_ms };
        let factor = if self.factor < 2 { 2 } else { self.factor };
        Self { attempts_max: 0, initial_ms, factor, cap_ms }
    }
    /// A pause that the performer asked for, held at the cap of this policy: the policy decides how often a step is
    /// tried, not the performer.
    pub fn at_most(&self, asked: Duration) -> Duration {
        asked.min(Duration::from_millis(self.cap_ms))
    }
    /// Whether there is a try after `attempt`.
    pub fn allows_after(&self, attempt: u32) -> bool {
        self.attempts_max == 0 || attempt < self.attempts_max
    }
    /// The pause after `attempt`: uniform between zero and the bound (AWS, "Exponential Backoff And Jitter"),
    /// decided by the seed, the deed and the attempt alone, so that a replay waits as long as the run did.
    pub fn pause(&self, attempt: u32, key: StepKey, seed: u64) -> Duration {
        let growth = u64::from(self.factor).saturating_pow(attempt.saturating_sub(1));
        let bound_us = self.initial_ms.saturating_mul(growth).min(self.cap_ms).saturating_mul(1_000);
        let (high, low) = key.uuid().as_u64_pair();
        let dice = scramble(seed ^ scramble(high ^ scramble(low ^ u64::from(attempt))));
        let share = (u128::from(dice) * (u128::from(bound_us) + 1)) >> 64;
        Duration::from_micros(u64::try_from(share).unwrap_or(bound_us))
    }
}

/// splitmix64's finaliser: every bit of the input moves every bit of the output.
fn scramble(mut x: u64) -> u64 {
    x = x.wrapping_add(0x9E37_79B9_7F4A_7C15);
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

/// What is done about a step whose answer never came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnUnknown {
    /// Ask the module for the recorded answer; compensate when it knows none.
    Probe,
    /// Undo it like a done step: the barrier makes that safe.
    Compensate,
    /// A person decides.
    Park,
}

/// Everything that can be set for one step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepPolicy {
    /// Forward.
    pub retry: Retry,
    /// Backward.
    pub undo_retry: Retry,
    /// How long one try may take before it counts as silence.
    pub patience_ms: u64,
    /// What silence to the end means.
    pub on_unknown: OnUnknown,
    /// The step's deadline: weather that lasts longer is shown to a person. It ends nothing. Not told where it is
    /// [`STEP_DEADLINE_MS`], so that definitions keep their digests.
    #[serde(default = "step_deadline", skip_serializing_if = "is_step_deadline")]
    pub deadline_ms: u64,
}
const fn step_deadline() -> u64 {
    STEP_DEADLINE_MS
}
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks by reference")]
const fn is_step_deadline(deadline_ms: &u64) -> bool {
    *deadline_ms == STEP_DEADLINE_MS
}

impl StepPolicy {
    /// For ordinary steps: 30 s a try, five tries, then undone.
    pub const fn ordinary() -> Self {
        Self {
            retry: Retry::brief(),
            undo_retry: Retry::undo(),
            patience_ms: 30_000,
            on_unknown: OnUnknown::Compensate,
            deadline_ms: STEP_DEADLINE_MS,
        }
    }
    /// For steps after the pivot.
    pub const fn forward() -> Self {
        Self { retry: Retry::for_ever(), ..Self::ordinary() }
    }
}

/// How long something may be waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadline(pub Duration);

impl Deadline {
    /// So many days.
    pub const fn days(days: u64) -> Self {
        Self(Duration::from_secs(days * 86_400))
    }
    /// So many hours.
    pub const fn hours(hours: u64) -> Self {
        Self(Duration::from_secs(hours * 3_600))
    }
    /// So many seconds.
    pub const fn seconds(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }
    /// So many milliseconds.
    pub const fn millis(millis: u64) -> Self {
        Self(Duration::from_millis(millis))
    }
    /// In milliseconds.
    pub fn ms(self) -> u64 {
        u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX)
    }
}

/// How many branches of a fan-out run side by side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AtMost(pub u32);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use uuid::Uuid;

    proptest! {
        #[test]
        fn a_pause_is_within_its_bound_and_the_same_again(attempt in 1_u32..40, key: u128, seed: u64) {
            let retry = Retry::brief();
            let key = StepKey::from_uuid(Uuid::from_u128(key));
            let pause = retry.pause(attempt, key, seed);
            let bound = 1_000_u64.saturating_mul(2_u64.saturating_pow(attempt - 1)).min(60_000);
            prop_assert!(pause <= Duration::from_millis(bound));
            prop_assert_eq!(pause, retry.pause(attempt, key, seed));
        }
    }

    #[test]
    fn jitter_is_full() {
        let retry = Retry::brief();
        let pauses: Vec<_> =
            (0..1_000_u128).map(|n| retry.pause(1, StepKey::from_uuid(Uuid::from_u128(n)), 7).as_millis()).collect();
        let below = |limit: u128| pauses.iter().filter(|pause| **pause < limit).count();
        assert!((150..350).contains(&below(250)), "{}", below(250));
        assert!((400..600).contains(&below(500)), "{}", below(500));
    }
}
