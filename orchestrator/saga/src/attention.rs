//! Lists what needs a person: sagas, events and messages that were put aside. It reads only when a caller asks,
//! everything at once and within [`LOOKED_WITHIN`]; a store that does not answer by then, or cannot be read, is
//! reported as not known.

use crate::board::open_ones;
use crate::error::Error;
use crate::host::Host;
use crate::lags::in_time;
use crate::lags::projections;
use crate::limits::JOURNAL;
use crate::limits::{COUNTED_WITHIN, LOOKED_WITHIN};
use crate::sagas::Sagas;
use crate::served::left_alone;
use futures::future::{join, join_all, join3};
use saga_core::bus::{BusError, Dropped, MadeAnew};
use saga_core::control::Attention;
use saga_core::ports::ReadError;
use saga_core::telemetry::Metric;
use saga_core::time::Timestamp;
use saga_core::view::{ProjectionRow, SagaState, Trouble};
use saga_core::waiting::{WaitReason, Waiting};
use saga_engine::execution::Execution;
use saga_engine::machine::coordinator::Coordinator;
use saga_engine::machine::projector::PARKED;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// The place of a trouble of the coordinator's own tasks.
const COORDINATOR: &str = "coordinator";
/// Dead letters of outside events have this name.
const OUTSIDE: &str = "in";

/// 5 different things that modules say are told by themselves; what else they say is counted.
const SAID_MAX: usize = 5;
/// A read model that is 1,000 events behind shows what was: it is told, and catches up by itself.
const BEHIND_FROM: u64 = 1_000;

/// 1,000 open sagas are read where nobody has them in memory: a second's work.
const AT_REST_MAX: usize = 1_000;

/// The name of the performer of a saga's own functions.
const HERE: &str = "here";

/// Whether a person must mend it, the module that is asked, and its words instead of an answer.
type Said = (bool, String, String);

#[derive(Debug, Default)]
struct People {
    /// Parked, or an undo failed.
    stand: u64,
    /// Nobody can read their facts here.
    unreadable: u64,
    /// What they ask is answered with what a person must mend, or with weather for longer than their policy finds usual.
    said: BTreeMap<Said, u64>,
    /// At a gate.
    decide: u64,
    /// Paused.
    held: u64,
}

impl People {
    fn of(coordinator: &Coordinator, now: Timestamp) -> Self {
        let mut people = People { unreadable: coordinator.unreadable().count() as u64, ..Self::default() };
        coordinator.sagas().for_each(|exec| people.count(exec, now));
        people
    }
    fn count(&mut self, exec: &Execution, now: Timestamp) {
        match exec.state() {
            SagaState::Parked | SagaState::UndoFailed => self.stand += 1,
            SagaState::Waiting => {
                let at_gate = exec.row().waiting.iter().any(|waiting| waiting.reason == WaitReason::WaitingSignal);
                self.decide += u64::from(at_gate);
            }
            SagaState::Retrying | SagaState::Compensating => {
                let row = exec.row();
                let overdue = |waiting: &&Waiting| waiting.mend || waiting.overdue_at.is_some_and(|at| at <= now);
                if let Some(waiting) = row.waiting.iter().find(overdue) {
                    let said = waiting.said.clone().unwrap_or_default();
                    *self.said.entry((waiting.mend, waiting.subject.clone(), said)).or_default() += 1;
                }
            }
            SagaState::Paused => self.held += 1,
            SagaState::Running | SagaState::Completed | SagaState::Compensated | SagaState::Cancelled => {}
        }
    }
    fn and(mut self, other: People) -> Self {
        for (said, count) in other.said {
            *self.said.entry(said).or_default() += count;
        }
        let (stand, unreadable) = (self.stand + other.stand, self.unreadable + other.unreadable);
        let (decide, held) = (self.decide + other.decide, self.held + other.held);
        People { stand, unreadable, said: self.said, decide, held }
    }
    /// The worst first; gates, and what a person holds on purpose, are how things go, and come last.
    fn told(self) -> (Vec<Attention>, Vec<Attention>) {
        let (list, waits) = ("sagactl saga list --attention", Some(Metric::NeedsAttention));
        let (mut all, mut gates) = (Vec::new(), Vec::new());
        let parked = ("saga is parked, or its undo failed", "sagas are parked, or their undo failed");
        some(&mut all, self.stand, parked, list, (true, waits));
        let unreadable = ("saga has a fact that cannot be read here", "sagas have facts that cannot be read here");
        some(&mut all, self.unreadable, unreadable, "sagactl help SG0107", (true, waits));
        let mut said: Vec<(Said, u64)> = self.said.into_iter().collect();
        said.sort_by_key(|((mend, ..), count)| (!mend, Reverse(*count)));
        let rest: u64 = said.iter().skip(SAID_MAX).map(|(_, count)| count).sum();
        for ((mend, subject, words), count) in said.into_iter().take(SAID_MAX) {
            let subject = if subject == HERE { "a function of its own" } else { &subject };
            let what = match mend {
                true => format!("{subject}, and a person must mend this: {words}"),
                false => format!("{subject}, which cannot answer for longer than usual: {words}"),
            };
            let next =
                if mend { "mend it, they go on by themselves; which: sagactl saga list --attention" } else { list };
            let asks = (format!("saga asks {what}"), format!("sagas ask {what}"));
            some(&mut all, count, (&asks.0, &asks.1), next, (true, waits.filter(|_| mend)));
        }
        let more = ("more saga is answered with other weather", "more sagas are answered with other weather");
        some(&mut all, rest, more, list, (true, None));
        let decide = ("saga waits at a gate for a decision", "sagas wait at gates for decisions");
        some(&mut gates, self.decide, decide, "sagactl saga list --state waiting", (false, waits));
        let held = ("saga is paused until somebody resumes it", "sagas are paused until somebody resumes them");
        some(&mut gates, self.held, held, "sagactl saga list --state paused", (false, waits));
        (all, gates)
    }
}

/// What was found, and what could not be read.
#[derive(Debug, Default)]
pub(crate) struct Counted {
    /// What needs a person, the worst first.
    pub(crate) attention: Vec<Attention>,
    /// What could not be read or counted in time, and why, a sentence each.
    pub(crate) not_known: Vec<String>,
}

impl Counted {
    pub(crate) fn and(mut self, other: Counted) -> Self {
        self.attention.extend(other.attention);
        self.not_known.extend(other.not_known);
        self
    }
}

/// What one coordinator group has in memory.
struct Seen {
    people: People,
    stranded: BTreeMap<(WaitReason, String), u64>,
    /// Open sagas whose histories are not read yet.
    unread: usize,
}

impl Seen {
    fn of(coordinator: &Coordinator, now: Timestamp) -> Self {
        let unread = coordinator.open() - coordinator.sagas().count();
        Self { people: People::of(coordinator, now), stranded: coordinator.stranded(), unread }
    }
}

impl Sagas {
    /// What needs a person in the groups and modules of this process, the worst first, and the troubles that only a
    /// look finds: open sagas that stand still because of their definition, and why this process is not ready.
    pub(crate) async fn attention(&self) -> (Counted, Vec<Trouble>) {
        let (now, clock, modules) = (self.inner.clock.now(), &*self.inner.clock, &self.inner.modules);
        let others = self.others();
        let looked = in_time(self.look(move |coordinator| Seen::of(coordinator, now)), clock, LOOKED_WITHIN);
        let alone = self.left_alone(&others);
        let lying = async { aside(modules, Some(&others)).await.and(alone.await) };
        let lying = join(lying, self.made_anew(now));
        let (looked, (aside, anew), behind) = join3(looked, lying, behind(modules)).await;
        let (mut people, resting) = self.at_rest(now).await;
        let (mut stranded, mut unread, mut troubles) = (BTreeMap::new(), 0, Vec::new());
        match looked {
            Ok(all) => {
                for seen in all {
                    people = people.and(seen.people);
                    seen.stranded.into_iter().for_each(|(why, count)| *stranded.entry(why).or_default() += count);
                    unread += seen.unread;
                }
                troubles.extend(standing(stranded, now));
                troubles.extend(self.not_ready(unread, now));
            }
            Err(why) => {
                let says = format!("its groups do not say what their sagas do, which are not counted: {why}");
                troubles.push(Trouble { place: COORDINATOR.to_owned(), since: now, says });
            }
        }
        let (worst, gates) = people.told();
        let (worst, gates) = [worst, gates].map(|attention| Counted { attention, ..Counted::default() }).into();
        (worst.and(aside).and(anew).and(gates).and(behind).and(resting), troubles)
    }
    /// What needs a person where no process coordinates: read from the logs, because no process has the sagas in
    /// memory.
    async fn at_rest(&self, now: Timestamp) -> (People, Counted) {
        let (mut people, mut found) = (People::default(), Counted::default());
        if !self.inner.groups.is_nobody() {
            return (people, found);
        }
        let open = match open_ones(&self.inner.store).await {
            Ok(open) => open,
            Err(why) => {
                found.not_known.push(format!("which sagas wait for a person: {why}"));
                return (people, found);
            }
        };
        for saga in open.iter().take(AT_REST_MAX) {
            match self.saga(*saga).await {
                Ok(exec) => exec.iter().for_each(|exec| people.count(exec, now)),
                Err(Error::Unreadable(_)) => people.unreadable += 1,
                Err(why) => {
                    found.not_known.push(format!("which sagas wait for a person: {why}"));
                    return (people, found);
                }
            }
        }
        let more = open.len().saturating_sub(AT_REST_MAX);
        if more > 0 {
            found.not_known.push(format!("which of {more} more open sagas wait for a person"));
        }
        (people, found)
    }
    /// The modules of other processes for which commands wait that no process asks for.
    async fn left_alone(&self, others: &BTreeSet<String>) -> Counted {
        let (bus, clock, mut all) = (&*self.inner.bus, &*self.inner.clock, Counted::default());
        let looks = others.iter().map(async |module| {
            let seen = in_time(left_alone(module, bus, clock, Duration::ZERO), clock, LOOKED_WITHIN).await;
            (module, seen)
        });
        for (module, seen) in join_all(looks).await {
            match seen {
                Ok(None) => {}
                Ok(Some(seen)) => {
                    let says = format!("module has nobody who serves it: {module}; {seen}");
                    let next = format!(
                        "start it: sagactl serve --modules {module}, or the program that serves it; nothing is lost"
                    );
                    all.attention.push(Attention { count: 1, says, next, urgent: true, metric: None });
                }
                Err(why) => all.not_known.push(format!("whether somebody serves {module}: {why}")),
            }
        }
        all
    }
    /// What the bus had lost that no log has.
    async fn made_anew(&self, now: Timestamp) -> Counted {
        let (bus, clock, mut all) = (&self.inner.bus, &*self.inner.clock, Counted::default());
        match in_time(bus.made_anew(), clock, COUNTED_WITHIN).await {
            Ok(found) => all.attention.extend(found.into_iter().filter(|anew| anew.is_fresh(now)).map(|anew| {
                let MadeAnew { what, at, lost, next } = anew;
                let says = format!("loss on the bus: {what} was made anew at {at}, and {lost} may be lost");
                Attention { count: 1, says, next, urgent: true, metric: None }
            })),
            Err(why) => all.not_known.push(format!("whether what the bus keeps was made anew: {why}")),
        }
        all
    }
    /// Why this process is not ready, where no trouble says it.
    fn not_ready(&self, unread: usize, since: Timestamp) -> Option<Trouble> {
        let says = if unread > 0 {
            format!("the histories of {unread} open sagas are still being read")
        } else if !*self.inner.settled.borrow() {
            "the groups of this process are still being taken over".to_owned()
        } else {
            return None;
        };
        Some(Trouble { place: "start".to_owned(), since, says })
    }
}

/// The open sagas that stand still because their definition is not here, or means something else here: a trouble for each
/// definition that they began with.
fn standing(stranded: BTreeMap<(WaitReason, String), u64>, since: Timestamp) -> impl Iterator<Item = Trouble> {
    stranded.into_iter().map(move |((reason, wanted), count)| {
        let stand = if count == 1 { "open saga stands" } else { "open sagas stand" };
        let why = match reason {
            WaitReason::DigestMismatch => {
                format!("they began with another meaning of {wanted}: sagactl help SG0216")
            }
            _ => {
                format!("nothing here is {wanted}, with which they began: deploy the version again, beside the new one")
            }
        };
        Trouble { place: "definitions".to_owned(), since, says: format!("{count} {stand} still: {why}") }
    })
}

/// Parked events and dead letters of these modules. A coordinator, which gives the names of the modules that run
/// elsewhere, counts also theirs and those of outside events: the dead letters of all accounts lie in one stream in its
/// account.
pub(crate) async fn aside(modules: &BTreeMap<&'static str, Host>, others: Option<&BTreeSet<String>>) -> Counted {
    let mut names: Vec<(&str, &Host)> = modules.iter().map(|(name, host)| (*name, host)).collect();
    if let Some((others, host)) = others.zip(modules.get(JOURNAL)) {
        // A module of this process may have an account that does not let it look; the coordinators' does.
        names.iter_mut().for_each(|(_, own)| *own = host);
        names.push((OUTSIDE, host));
        names.extend(others.iter().map(|name| (name.as_str(), host)));
    }
    let parked = modules.iter().map(async |(name, host)| {
        let parked = in_time(parked(host), &*host.clock, LOOKED_WITHIN).await;
        (*name, parked)
    });
    let dropped = dropped(others.and_then(|_| modules.get(JOURNAL)));
    let (parked, letters, dropped) = join3(join_all(parked), letters(names), dropped).await;
    let mut all = Counted::default();
    for (name, parked) in parked {
        let next =
            format!("deploy what can read them, then sagactl module list; the reason stands in the store of {name}");
        let one = format!("event lies aside in {name}, and later ones of its story behind it");
        let more = format!("events lie aside in {name}, and later ones of their stories behind them");
        match parked {
            Ok(parked) => some(&mut all.attention, parked, (&one, &more), &next, (true, Some(Metric::DeadLetters))),
            Err(why) => all.not_known.push(format!("how many events lie aside in {name}: {why}")),
        }
    }
    all.and(letters).and(dropped)
}

/// The dead letters that are gone because somebody sent more than are kept, as far as the bus says so in time.
async fn dropped(host: Option<&Host>) -> Counted {
    let mut all = Counted::default();
    let Some(host) = host else { return all };
    match in_time(host.bus.dropped(), &*host.clock, COUNTED_WITHIN).await {
        Ok(None) => {}
        Ok(Some(Dropped { of, kept, gone })) => {
            let full = format!("as many lie in {} as are kept of one sender ({kept})", of.join(", "));
            let one = format!("dead letter is gone, or was deleted: {full}");
            let more = format!("dead letters are gone, or were deleted: {full}");
            let next = "find out what its sender does, whose older letters are lost; those of others stay";
            some(&mut all.attention, gone, (&one, &more), next, (true, None));
        }
        Err(why) => all.not_known.push(format!("whether dead letters are gone: {why}")),
    }
    all
}

/// How many dead letters each has, as far as the bus says so in time. Where a module's account may not look, the
/// coordinator counts them.
async fn letters(names: Vec<(&str, &Host)>) -> Counted {
    let counted = join_all(names.into_iter().map(async |(name, host)| {
        let count = async {
            match host.bus.aside_count(name).await {
                Err(BusError::Refused(_)) => Ok(0),
                counted => counted,
            }
        };
        (name, host, in_time(count, &*host.clock, COUNTED_WITHIN).await)
    }));
    let (mut all, mut silent) = (Counted::default(), BTreeMap::<String, Vec<&str>>::new());
    for (name, host, counted) in counted.await {
        let next = format!("look at each with its reason: {}", host.bus.letters_at(name));
        let one = format!("dead letter of {name} lies aside");
        let more = format!("dead letters of {name} lie aside");
        match counted {
            Ok(letters) => some(&mut all.attention, letters, (&one, &more), &next, (true, Some(Metric::DeadLetters))),
            Err(why) => silent.entry(why).or_default().push(name),
        }
    }
    // One bus has them all: what it says once is told once.
    let not_known =
        |(why, of): (String, Vec<&str>)| format!("how many dead letters of {} lie aside: {why}", of.join(", "));
    all.not_known.extend(silent.into_iter().map(not_known));
    all
}

/// The read models of these modules that show what was.
pub(crate) async fn behind(modules: &BTreeMap<&'static str, Host>) -> Counted {
    let lags = modules.iter().map(async |(name, host)| {
        let projections = in_time(projections(host, modules), &*host.clock, LOOKED_WITHIN).await;
        (*name, projections)
    });
    let mut all = Counted::default();
    for (name, projections) in join_all(lags).await {
        let rows = projections.unwrap_or_else(|why| {
            all.not_known.push(format!("how far the read models of {name} are: {why}"));
            Vec::new()
        });
        for ProjectionRow { name: projection, version, lag, .. } in rows {
            if lag >= BEHIND_FROM {
                let what = format!("not folded by {projection}@{version} of {name}, which shows what was");
                let (one, more) = (format!("event is {what}"), format!("events are {what}"));
                let next = "it catches up by itself: sagactl module list";
                some(&mut all.attention, lag, (&one, &more), next, (false, Some(Metric::ProjectionLag)));
            }
        }
    }
    all
}

pub(crate) async fn parked(host: &Host) -> Result<u64, ReadError> {
    Ok(host.store.find(PARKED.all().as_find()).await?.len() as u64)
}

fn some(
    all: &mut Vec<Attention>,
    count: u64,
    (one, more): (&str, &str),
    next: &str,
    (urgent, metric): (bool, Option<Metric>),
) {
    if count > 0 {
        let (says, metric) = (if count == 1 { one } else { more }, metric.map(|metric| metric.name().to_owned()));
        all.push(Attention { count, says: says.to_owned(), next: next.to_owned(), urgent, metric });
    }
}
