//! The health of the connection and of the subscriptions, as a service shows it.

use crate::lock;
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;
use tokio::time::Instant;

/// The state of a bus at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// Whether there is a connection now.
    pub connected: bool,
    /// What the connection last complained about, since the process began.
    pub last_error: Option<String>,
    /// What is received, by name.
    pub subscriptions: Vec<Subscription>,
}

/// One subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// The consumer, or `events of <module>`.
    pub name: String,
    /// How long ago the broker last gave a sign of life on it: a message, or the word that there is none.
    pub last_sign: Option<Duration>,
    /// Why it does not work now; `None` when it does.
    pub error: Option<String>,
}

/// One failure is ordinary: the subscription is then set up anew. A second one in a row is a trouble.
const FAILURES_ORDINARY: u32 = 1;
/// 30 s: a receiver that still tries fails again within a few answers of the broker (5 s each) and a pause of 2 s. One
/// that has not failed for so long has stopped trying: a reader that has ended, a module that another process leads.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(30);

/// The reason for a subscription that has received nothing yet.
const NOT_SET_UP: &str = "it is being set up";

#[derive(Debug, Default)]
struct State {
    last_sign: Option<Instant>,
    error: Option<String>,
    /// How often it has failed since the last sign, and when it last did.
    failures: u32,
    failed: Option<Instant>,
}
/// What is known of every subscription.
#[derive(Debug, Default)]
pub(crate) struct Progress(Mutex<BTreeMap<String, State>>);

impl Progress {
    pub(crate) fn sign(&self, name: &str) {
        let mut states = lock(&self.0);
        let state = match states.get_mut(name) {
            Some(state) => state,
            None => states.entry(name.to_owned()).or_default(),
        };
        *state = State { last_sign: Some(Instant::now()), ..State::default() };
    }
    /// A receiver wants it: until it is set up for the first time, it counts as missing.
    pub(crate) fn wants(&self, name: &str) {
        let mut states = lock(&self.0);
        if !states.contains_key(name) {
            let (error, failed) = (Some(NOT_SET_UP.to_owned()), Some(Instant::now()));
            let state = State { error, failed, failures: FAILURES_ORDINARY + 1, ..State::default() };
            states.insert(name.to_owned(), state);
        }
    }
    /// It is set up. That is a sign the first time; a trouble that comes back after each time needs a better one.
    pub(crate) fn begins(&self, name: &str) {
        if lock(&self.0).get(name).is_none_or(|state| state.last_sign.is_none()) {
            self.sign(name);
        }
    }
    /// Logs what is new: the same trouble again is said once.
    pub(crate) fn trouble(&self, name: &str, why: &str) {
        let mut states = lock(&self.0);
        let state = states.entry(name.to_owned()).or_default();
        if state.error.as_deref() != Some(why) {
            tracing::warn!(consumer = name, why, "nothing can be received now; it is set up anew");
        }
        state.error = Some(why.to_owned());
        state.failures = state.failures.saturating_add(1);
        state.failed = Some(Instant::now());
    }
    /// What a receiver wants and cannot get, again and again: by name, with the last reason.
    pub(crate) fn ailing(&self, now: Instant) -> Vec<(String, String)> {
        let ails = |state: &State| {
            let wanted = state.failed.is_some_and(|at| now.saturating_duration_since(at) < FORGOTTEN_AFTER);
            state.error.clone().filter(|_| wanted && state.failures > FAILURES_ORDINARY)
        };
        let states = lock(&self.0);
        states.iter().filter_map(|(name, state)| Some((name.clone(), ails(state)?))).collect()
    }
    pub(crate) fn subscriptions(&self) -> Vec<Subscription> {
        let age = |state: &State| state.last_sign.map(|at| at.elapsed());
        let states = lock(&self.0);
        let one = |(name, state): (&String, &State)| Subscription {
            name: name.clone(),
            last_sign: age(state),
            error: state.error.clone(),
        };
        states.iter().map(one).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fails_again_and_again_ails_until_a_sign_or_until_nobody_wants_it() {
        let (progress, now) = (Progress::default(), Instant::now());
        let names = |at| progress.ailing(at).into_iter().map(|(name, _)| name).collect::<Vec<_>>();
        progress.trouble("a", "a gap");
        assert_eq!(names(now), [""; 0]);
        progress.trouble("a", "the stream is missing");
        progress.trouble("b", "the stream is missing");
        progress.trouble("b", "the stream is missing");
        assert_eq!(names(now), ["a", "b"]);
        progress.sign("a");
        assert_eq!(names(now), ["b"]);
        assert_eq!(names(Instant::now() + FORGOTTEN_AFTER), [""; 0]);
    }

    #[test]
    fn what_is_wanted_ails_until_it_is_set_up_and_setting_it_up_again_heals_nothing() {
        let (progress, now) = (Progress::default(), Instant::now());
        let ails = || !progress.ailing(now).is_empty();
        progress.wants("a");
        assert!(ails());
        progress.begins("a");
        assert!(!ails());
        for _ in 0..2 {
            progress.wants("a");
            progress.begins("a");
            progress.trouble("a", "it breaks whenever it is set up");
        }
        assert!(ails());
        progress.sign("a");
        assert!(!ails());
    }
}
