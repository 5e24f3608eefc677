//! Weather: answers that say "nothing happened, ask again". Judged by time, never by tries, and never the end of a saga.

use super::Run;
use super::decide::Deciding;
use saga_core::fact::{NO_ANSWER, StepRetryScheduled};
use saga_core::id::StepKey;
use saga_core::outcome::must_mend;
use saga_core::path::StepPath;
use saga_core::policy::{Retry, STEP_DEADLINE_MS};
use saga_core::time::Timestamp;
use saga_core::waiting::{WaitReason, Waiting};
use std::time::Duration;

/// The weather of a deed: the reasons heard instead of an answer, since it was first sent or a person ordered it anew.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Weather {
    /// Tries that were answered with weather: they count for nothing.
    tries: u32,
    /// How many of them one after another: the pauses grow with it.
    in_a_row: u32,
    /// Since when nothing but weather is heard.
    since: Option<Timestamp>,
    /// The last reason, in the words of its author.
    last: Option<String>,
    /// The last of that which was not silence.
    said: Option<String>,
}

impl Weather {
    /// A try did not work: silence ends a row of weather, weather makes it longer.
    pub(super) fn heard(&mut self, reason: &str, at: Timestamp) {
        self.last = Some(reason.to_owned());
        if reason == NO_ANSWER {
            (self.in_a_row, self.since) = (0, None);
        } else {
            self.tries = self.tries.saturating_add(1);
            self.in_a_row = self.in_a_row.saturating_add(1);
            self.since.get_or_insert(at);
            self.said = Some(reason.to_owned());
        }
    }
    /// The last words instead of an answer, if there were any, without the mark of what a person must mend.
    pub(super) fn said(&self) -> Option<&str> {
        self.said.as_deref().map(bare)
    }
    /// What became of the tries, in words.
    pub(super) fn told(&self, tries: u32, reason: &str) -> String {
        match self.said() {
            Some(said) => format!("{tries} tries: {reason}; {} more were answered, the last with: {said}", self.tries),
            None => format!("{tries} tries: {reason}"),
        }
    }
    fn pause(&self, retry: Retry, key: StepKey, seed: u64) -> Duration {
        retry.weather().pause(self.in_a_row.saturating_add(1), key, seed)
    }
}

impl Run {
    /// What a person sees of the weather: since when, what was said, and when it is too long.
    pub(super) fn with_weather(&self, mut waiting: Waiting) -> Waiting {
        let weather = if waiting.undo { &self.undo_weather } else { &self.weather };
        let parked = [WaitReason::PivotUnknown, WaitReason::RetriesExhausted, WaitReason::UndoFailed];
        if parked.contains(&waiting.reason) {
            waiting.said = weather.said().map(str::to_owned);
        }
        if matches!(waiting.reason, WaitReason::NoReply | WaitReason::Backoff) {
            waiting.said = weather.said().map(str::to_owned);
            waiting.mend = weather.last.as_deref().is_some_and(|last| must_mend(last).is_some());
            let deadline_ms = self.def.as_ref().map_or(STEP_DEADLINE_MS, |def| def.policy.deadline_ms);
            waiting.overdue_at = weather.since.map(|since| since.plus(Duration::from_millis(deadline_ms)));
            waiting.last = waiting.last.or_else(|| weather.last.clone()).map(|last| bare(&last).to_owned());
        }
        waiting
    }
    /// Tries that count: those that nobody answered, and the one under way.
    pub(super) fn tries(&self) -> u32 {
        self.attempt.saturating_sub(self.forgiven).saturating_sub(self.weather.tries)
    }
    /// The same for the undo.
    pub(super) fn undo_tries(&self) -> u32 {
        self.undo_attempt.saturating_sub(self.undo_forgiven).saturating_sub(self.undo_weather.tries)
    }
}

/// A reason without the mark of what a person must mend.
pub(super) fn bare(reason: &str) -> &str {
    must_mend(reason).unwrap_or(reason)
}

/// What weather is called in the facts: never like silence, so that the two are told apart for ever.
fn words(reason: &str) -> String {
    if reason == NO_ANSWER { format!("it says: {reason}") } else { reason.to_owned() }
}

impl Deciding<'_> {
    /// The module says that nothing happened: it is asked again, as long as it takes.
    pub(super) fn weather(&mut self, step: &StepPath, reason: &str, at_least: Duration, undo: bool) {
        let Some(run) = self.exec.runs.get(step) else { return };
        let Some(policy) = run.def.as_ref().map(|def| def.policy) else { return };
        let keys = self.exec.keys(step);
        let (attempt, retry, pause) = if undo {
            (run.undo_attempt, policy.undo_retry, run.undo_weather.pause(policy.undo_retry, keys.1, self.exec.seed))
        } else {
            (run.attempt, policy.retry, run.weather.pause(policy.retry, keys.0, self.exec.seed))
        };
        // The performer may ask for a longer pause, within the cap of the step's policy.
        let due = self.now.plus(pause.max(retry.weather().at_most(at_least)));
        self.emit(StepRetryScheduled { step: step.clone(), attempt, due, reason: words(reason), undo });
    }
}
