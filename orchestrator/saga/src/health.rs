//! What is wrong right now, by place, and what went wrong and was repaired: for readiness, `doctor` and metrics.

use crate::meter::Meter;
use saga_core::incident::Incident;
use saga_core::ports::Clock;
use saga_core::telemetry::{Metric, Sample};
use saga_core::time::Timestamp;
use saga_core::view::Trouble;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What the places of brokers begin with.
pub(crate) const BROKER: &str = "broker";

#[derive(Default)]
struct State {
    /// Whether there are some: nearly always there are none, and every commit asks.
    any: AtomicBool,
    told: Mutex<Told>,
}
#[derive(Default)]
struct Told {
    troubles: BTreeMap<String, (Timestamp, String)>,
    incidents: BTreeMap<String, u64>,
}

/// The health of one process. Cheap to share; nothing here decides anything.
#[derive(Clone)]
pub struct Health {
    clock: Arc<dyn Clock>,
    state: Arc<State>,
    meter: Meter,
}

impl Health {
    /// Nothing is wrong.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        let meter = Meter::default();
        Incident::ALL.iter().for_each(|incident| meter.expect(Metric::Incidents, &[incident.name()]));
        ["group", "lead"].iter().for_each(|scope| meter.expect(Metric::Takeovers, &[scope]));
        meter.expect(Metric::TimerLateness, &[]);
        Self { clock, state: Arc::default(), meter }
    }
    /// What is counted beside what is wrong.
    pub(crate) fn meter(&self) -> &Meter {
        &self.meter
    }
    /// Everything that was counted since the start.
    pub(crate) fn counted(&self) -> Vec<Sample> {
        self.meter.samples()
    }
    fn state(&self) -> MutexGuard<'_, Told> {
        self.state.told.lock().unwrap_or_else(PoisonError::into_inner)
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
        self.state.any.store(true, Ordering::Release);
        true
    }
    /// This place works again.
    pub fn well(&self, place: &str) {
        if !self.state.any.load(Ordering::Acquire) {
            return;
        }
        let mut state = self.state();
        let Some((since, _)) = state.troubles.remove(place) else { return };
        self.state.any.store(!state.troubles.is_empty(), Ordering::Release);
        drop(state);
        tracing::info!(place, after = ?self.clock.now().since(since), "works again");
    }
    /// Something happened that a person should know of, though it was repaired: counted by its kind.
    pub fn incident(&self, incident: Incident, says: &str) {
        let name = incident.name();
        tracing::error!(incident = name, says, "an incident");
        self.meter.add(Metric::Incidents, &[name], 1);
        *self.state().incidents.entry(name.to_owned()).or_default() += 1;
    }
    /// Everything that is wrong now; first what ails a broker, because much of the rest only follows from it.
    pub fn troubles(&self) -> Vec<Trouble> {
        let trouble = |(place, (since, says)): (&String, &(Timestamp, String))| Trouble {
            place: place.clone(),
            since: *since,
            says: says.clone(),
        };
        let mut all: Vec<Trouble> = self.state().troubles.iter().map(trouble).collect();
        all.sort_by_key(|trouble| !trouble.place.starts_with(BROKER));
        all
    }
    /// How often each kind of incident has happened since the start.
    pub fn incidents(&self) -> BTreeMap<String, u64> {
        self.state().incidents.clone()
    }
}
