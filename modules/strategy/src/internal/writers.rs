//! The first writer and its fallback: the health of the first decides which one is asked. That health is kept in memory
//! and may be forgotten at any time; no decision depends on it.

use crate::api::dtos::{BriefSnapshot, Outline};
use crate::api::providers::{Needs, ProviderError};
use crate::api::refusals::GenerateRefused;
use saga_core::id::StepKey;
use saga_core::module::Halt;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// Three failures in a row are no accident.
const FAILURES_UNTIL_UNHEALTHY: u32 = 3;
/// Five successes in a row are a recovery.
const SUCCESSES_UNTIL_HEALTHY: u32 = 5;
/// Every fourth request still goes to an unhealthy writer, so that its recovery is noticed.
const PROBE_EVERY: u32 = 4;
/// A quarter of a minute: an unknown outcome is asked for again soon, but not in a hurry.
const UNKNOWN_RETRY_MS: u64 = 15_000;

/// Whether the first writer works.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Health {
    unhealthy: bool,
    failures: u32,
    successes: u32,
    since_probe: u32,
}

impl Health {
    /// Whether to ask the first writer now.
    fn ask_first(&mut self) -> bool {
        if !self.unhealthy {
            return true;
        }
        self.since_probe = (self.since_probe + 1) % PROBE_EVERY;
        self.since_probe == 0
    }
    fn worked(&mut self) {
        self.failures = 0;
        self.successes += 1;
        if self.unhealthy && self.successes >= SUCCESSES_UNTIL_HEALTHY {
            *self = Self::default();
        }
    }
    fn failed(&mut self) {
        self.successes = 0;
        self.failures += 1;
        self.unhealthy |= self.failures >= FAILURES_UNTIL_UNHEALTHY;
    }
}

/// The module's needs, with the health of the first writer.
pub(super) struct Writers {
    needs: Needs,
    health: Mutex<Health>,
}

impl Writers {
    pub(super) fn new(needs: Needs) -> Self {
        Self { needs, health: Mutex::default() }
    }
    /// Writes with the first writer while it is healthy, otherwise with the fallback.
    pub(super) async fn write(
        &self,
        key: StepKey,
        brief: &BriefSnapshot,
        context: &BTreeMap<String, String>,
    ) -> Result<Outline, Halt<GenerateRefused>> {
        let fallback = self.needs.fallback.as_ref();
        let first = fallback.is_none() || self.note(Health::ask_first);
        let mut failure = ProviderError::Unknown;
        if first {
            match self.needs.writer.write(key, brief, context).await {
                Ok(outline) => {
                    self.note(Health::worked);
                    return Ok(outline);
                }
                // A final no is an answer: the writer works.
                Err(rejected @ ProviderError::Rejected { .. }) => {
                    self.note(Health::worked);
                    return Err(halt(rejected));
                }
                Err(weather) => {
                    self.note(Health::failed);
                    failure = weather;
                }
            }
        }
        match fallback {
            Some(fallback) => fallback.write(key, brief, context).await.map_err(halt),
            None => Err(halt(failure)),
        }
    }
    fn note<T>(&self, change: impl FnOnce(&mut Health) -> T) -> T {
        change(&mut self.health.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn halt(failure: ProviderError) -> Halt<GenerateRefused> {
    failure.halt(UNKNOWN_RETRY_MS, |provider_code| GenerateRefused::WriterRejected { provider_code })
}

#[cfg(test)]
mod tests {
    use super::Health;

    #[test]
    fn three_failures_make_ill_and_five_successes_make_well() {
        let mut health = Health::default();
        health.failed();
        health.failed();
        health.worked();
        health.failed();
        health.failed();
        assert!(!health.unhealthy, "not in a row");
        health.failed();
        assert!(health.unhealthy);
        let asked: Vec<_> = (0..8).map(|_| health.ask_first()).collect();
        assert_eq!(asked, [false, false, false, true, false, false, false, true]);
        for round in 1..=5 {
            assert!(health.unhealthy, "round {round}");
            health.worked();
        }
        assert_eq!(health, Health::default());
    }
}
