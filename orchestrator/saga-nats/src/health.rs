//! How the connection and the subscriptions are, as a service shows it.

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

#[derive(Debug, Default)]
struct State {
    last_sign: Option<Instant>,
    error: Option<String>,
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
        *state = State { last_sign: Some(Instant::now()), error: None };
    }
    /// Logs what is new: the same trouble again is said once.
    pub(crate) fn trouble(&self, name: &str, why: &str) {
        let mut states = lock(&self.0);
        let state = states.entry(name.to_owned()).or_default();
        if state.error.as_deref() != Some(why) {
            tracing::warn!(subscription = name, why, "nothing can be received now; it is set up anew");
        }
        state.error = Some(why.to_owned());
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
