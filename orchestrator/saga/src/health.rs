//! What is wrong right now, by place, and what went wrong and was repaired: for readiness, `doctor` and metrics.

use saga_core::ports::Clock;
use saga_core::time::Timestamp;
use saga_core::view::Trouble;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

#[derive(Default)]
struct State {
    troubles: BTreeMap<String, (Timestamp, String)>,
    incidents: BTreeMap<String, u64>,
}

/// The health of one process. Cheap to share; nothing here decides anything.
#[derive(Clone)]
pub struct Health {
    clock: Arc<dyn Clock>,
    state: Arc<Mutex<State>>,
}

impl Health {
    /// Nothing is wrong.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, state: Arc::default() }
    }
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
    /// Something does not work at this place. Said once in the log, until it says something else or is well again.
    pub fn trouble(&self, place: &str, says: impl Into<String>) {
        self.tell(place, says.into());
    }
    /// The same; whether it was not known yet.
    pub(crate) fn tell(&self, place: &str, says: String) -> bool {
        let mut state = self.state();
        let known = state.troubles.get(place);
        if known.is_some_and(|(_, known)| *known == says) {
            return false;
        }
        let since = known.map_or_else(|| self.clock.now(), |(since, _)| *since);
        tracing::warn!(place, says, "something does not work");
        state.troubles.insert(place.to_owned(), (since, says));
        true
    }
    /// This place works again.
    pub fn well(&self, place: &str) {
        let Some((since, _)) = self.state().troubles.remove(place) else { return };
        tracing::info!(place, after = ?self.clock.now().since(since), "works again");
    }
    /// Something happened that a person should know of, though it was repaired: counted by name.
    pub fn incident(&self, name: &str, says: &str) {
        tracing::error!(incident = name, says, "an incident");
        *self.state().incidents.entry(name.to_owned()).or_default() += 1;
    }
    /// Everything that is wrong now.
    pub fn troubles(&self) -> Vec<Trouble> {
        let trouble = |(place, (since, says)): (&String, &(Timestamp, String))| Trouble {
            place: place.clone(),
            since: *since,
            says: says.clone(),
        };
        self.state().troubles.iter().map(trouble).collect()
    }
    /// How often each kind of incident has happened since the start.
    pub fn incidents(&self) -> BTreeMap<String, u64> {
        self.state().incidents.clone()
    }
}
