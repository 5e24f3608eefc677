//! What a process is asked when somebody reads its metrics: how things are now, beside what was counted. What does not answer in
//! time has no line: a number that nobody knows is not 0.

use crate::attention::parked;
use crate::host::Host;
use crate::lags::{in_time, projections, reactors, within};
use crate::limits::{JOURNAL, LOOKED_WITHIN};
use crate::meter::Meter;
use crate::sagas::Sagas;
use futures::future::{join, join_all, join3};
use saga_core::control::{Page, Status};
use saga_core::definition::Definition;
use saga_core::ports::ReadError;
use saga_core::public_log::public_head;
use saga_core::telemetry::{Metric, Sample};
use saga_core::time::Timestamp;
use saga_core::view::SagaState;
use saga_core::waiting::WaitReason;
use saga_engine::machine::coordinator::Coordinator;
use std::collections::{BTreeMap, BTreeSet};

/// How a try of a step can end, and one of its undo.
const TRIES: [(&str, &[&str]); 2] =
    [("do", &["done", "refused", "retry", "unknown"]), ("undo", &["done", "retry", "failed"])];

/// Has a line for everything that may be counted of sagas with this definition.
pub(crate) fn expect(meter: &Meter, definition: &Definition) {
    let (kind, version) = (definition.name, definition.version.to_string());
    meter.expect(Metric::Started, &[kind, &version]);
    for state in SagaState::ALL.into_iter().filter(|state| state.is_end()) {
        meter.expect(Metric::Finished, &[kind, &version, state.word()]);
        meter.expect(Metric::SagaTime, &[kind, state.word()]);
    }
    for (direction, outcomes) in TRIES {
        outcomes.iter().for_each(|outcome| meter.expect(Metric::StepAttempts, &[kind, direction, outcome]));
    }
    ["done", "refused"].iter().for_each(|outcome| meter.expect(Metric::StepTime, &[kind, outcome]));
    [Metric::Parked, Metric::UndoFailed].iter().for_each(|metric| meter.expect(*metric, &[kind]));
}

/// What a process is: the same that `doctor` shows.
pub(crate) fn process(status: &Status) -> Vec<Sample> {
    let none: [&str; 0] = [];
    vec![
        Sample::number(Metric::BuildInfo, &[&status.version], 1),
        Sample::number(Metric::Ready, &none, u64::from(status.ready)),
        Sample::number(Metric::Troubles, &none, status.troubles.len() as u64),
        Sample::number(Metric::Groups, &none, status.groups.len() as u64),
    ]
}

/// How far what follows from the logs of these modules is, and what lies aside there.
pub(crate) async fn modules(modules: &BTreeMap<&'static str, Host>) -> Vec<Sample> {
    let each = modules.values().map(async |host| {
        let stored = in_time(stored(host, modules), &*host.clock, LOOKED_WITHIN);
        let (stored, carried) = join(stored, carried(host, modules)).await;
        [stored.unwrap_or_default(), carried].concat()
    });
    join_all(each).await.concat()
}

/// What the store of a module says.
async fn stored(host: &Host, modules: &BTreeMap<&'static str, Host>) -> Result<Vec<Sample>, ReadError> {
    let name = host.module.name;
    let mut samples = vec![Sample::number(Metric::DeadLetters, &[name, "event"], parked(host).await?)];
    // Where an end is not known, how far it is to there is not known either.
    let known = projections(host, modules).await?.into_iter().filter(|row| row.unknown.is_empty());
    samples.extend(known.map(|row| {
        let projection = format!("{}@{}", row.name, row.version);
        Sample::number(Metric::ProjectionLag, &[name, &projection], row.lag)
    }));
    let reactors = reactors(host, modules).await?.into_iter();
    samples.extend(
        reactors.filter_map(|(reactor, lag)| Some(Sample::number(Metric::ConsumerLag, &[name, reactor], lag?))),
    );
    Ok(samples)
}

/// What the bus says of a module, beside its log.
async fn carried(host: &Host, modules: &BTreeMap<&'static str, Host>) -> Vec<Sample> {
    let (name, clock) = (host.module.name, &*host.clock);
    // With an account for each module only the coordinators' may look at dead letters.
    let bus = &modules.get(JOURNAL).unwrap_or(host).bus;
    let head = in_time(public_head(&host.store), clock, LOOKED_WITHIN);
    let (letters, tip, head) =
        join3(within(bus.aside_count(name), clock), within(host.bus.tip(name), clock), head).await;
    let mut samples = Vec::new();
    if let Some(Ok(letters)) = letters {
        samples.push(Sample::number(Metric::DeadLetters, &[name, "message"], letters));
    }
    if let (Some(Ok(tip)), Ok(head)) = (tip, head) {
        samples.push(Sample::number(Metric::Unpublished, &[name], head.saturating_sub(tip.seq)));
    }
    samples
}

/// How many sagas are in a state, and when the one of them moved that has stood still the longest.
#[derive(Debug, Default, Clone, Copy)]
struct InState {
    count: u64,
    since: Option<Timestamp>,
}

impl InState {
    fn and(self, other: Self) -> Self {
        let since = self.since.into_iter().chain(other.since).min();
        Self { count: self.count + other.count, since }
    }
}

/// How many sagas of which definition are in which state, and why they wait for a person.
#[derive(Debug, Default)]
struct Open {
    states: BTreeMap<(String, SagaState), InState>,
    people: BTreeMap<(String, WaitReason), u64>,
}

impl Open {
    fn of(coordinator: &Coordinator) -> Self {
        let mut open = Self::default();
        for exec in coordinator.sagas() {
            let (Some(started), state) = (exec.started(), exec.state()) else { continue };
            open.stands(&started.definition, state, Some(exec.moved_at()));
            // Most sagas run, and what runs waits for nobody.
            if state != SagaState::Running {
                let waits = exec.waiting().into_iter().filter(|waiting| waiting.ends_by_a_person());
                waits.for_each(|waiting| open.needs(&started.definition, waiting.reason));
            }
        }
        for row in coordinator.unreadable() {
            open.stands(&row.kind, row.state, None);
            open.needs(&row.kind, WaitReason::Unreadable);
        }
        open
    }
    /// One that stands there, since a moment that is known, or not.
    fn stands(&mut self, kind: &str, state: SagaState, since: Option<Timestamp>) {
        let of = self.states.entry((kind.to_owned(), state)).or_default();
        *of = of.and(InState { count: 1, since });
    }
    fn needs(&mut self, kind: &str, reason: WaitReason) {
        *self.people.entry((kind.to_owned(), reason)).or_default() += 1;
    }
    fn and(mut self, other: Self) -> Self {
        for (of, standing) in other.states {
            let known = self.states.entry(of).or_default();
            *known = known.and(standing);
        }
        other.people.into_iter().for_each(|(of, count)| *self.people.entry(of).or_default() += count);
        self
    }
    /// With a line for every state of every definition that is known here.
    fn samples(mut self, known: &BTreeSet<&str>, now: Timestamp) -> Vec<Sample> {
        let states = SagaState::ALL.into_iter().filter(|state| !state.is_end());
        for (kind, state) in states.flat_map(|state| known.iter().map(move |kind| (*kind, state))) {
            self.states.entry((kind.to_owned(), state)).or_default();
        }
        let states = self.states.into_iter().filter(|((_, state), _)| !state.is_end());
        let states = states.flat_map(|((kind, state), standing)| {
            let of = [kind.as_str(), state.word()];
            let still = match standing {
                // Where nothing stands, nothing has stood for any time.
                InState { count: 0, .. } => Some(0),
                InState { since, .. } => since.map(|since| now.since(since).as_secs()),
            };
            let oldest = still.map(|still| Sample::number(Metric::OldestInState, &of, still));
            oldest.into_iter().chain([Sample::number(Metric::InState, &of, standing.count)])
        });
        let people = self.people.into_iter();
        let people = people
            .map(|((kind, why), count)| Sample::number(Metric::NeedsAttention, &[kind.as_str(), why.code()], count));
        states.chain(people).collect()
    }
}

impl Sagas {
    /// Everything that this process counts, and how things are now.
    pub(crate) async fn metrics(&self, status: &Status) -> Page<Sample> {
        let open = in_time(self.look(Open::of), &*self.inner.clock, LOOKED_WITHIN);
        let (open, modules) = join(open, modules(&self.inner.modules)).await;
        let now = self.inner.clock.now();
        let known: BTreeSet<&str> = self.offered().map(|definition| definition.name).collect();
        // Groups that do not say what their sagas do are not counted as having none.
        let open = open.ok().map(|all| all.into_iter().fold(Open::default(), Open::and).samples(&known, now));
        Page::whole([process(status), self.health().counted(), open.unwrap_or_default(), modules].concat())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use saga_core::telemetry::Amount;

    #[test]
    fn the_longest_standstill_of_each_state_is_told_where_it_is_known() {
        let mut one = Open::default();
        one.stands("post", SagaState::Running, Some(Timestamp(7_000_000)));
        one.stands("post", SagaState::Parked, None);
        let mut other = Open::default();
        other.stands("post", SagaState::Running, Some(Timestamp(3_000_000)));
        let samples = one.and(other).samples(&BTreeSet::from(["post"]), Timestamp(10_900_000));
        let of = |metric, state: SagaState| {
            let found = samples.iter().find(|sample| sample.metric == metric && sample.labels["state"] == state.word());
            found.map(|sample| sample.amount.clone())
        };
        for (state, count, oldest) in
            [(SagaState::Running, 2, Some(7)), (SagaState::Parked, 1, None), (SagaState::Compensating, 0, Some(0))]
        {
            assert_eq!(of(Metric::InState, state), Some(Amount::Number(count)), "{state:?}");
            assert_eq!(of(Metric::OldestInState, state), oldest.map(Amount::Number), "{state:?}");
        }
    }
}
