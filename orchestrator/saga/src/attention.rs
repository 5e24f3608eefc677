//! What waits for a person: sagas, events and messages that lie aside. It is looked at when somebody asks.

use crate::host::Host;
use crate::hosting::projections;
use crate::orchestrator::{Error, JOURNAL};
use crate::sagas::Sagas;
use futures::future::{Either, join_all, select};
use saga_core::control::Attention;
use saga_core::execution::Execution;
use saga_core::machine::coordinator::Coordinator;
use saga_core::machine::projector::{PARKED, PARKED_VERSION};
use saga_core::ports::{FIND_LIMIT_MAX, Find, ReadError};
use saga_core::time::Timestamp;
use saga_core::view::{ProjectionRow, SagaState, Trouble};
use saga_core::waiting::{WaitReason, Waiting};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// One second: who asks how things are wants to know it also, and above all, while the bus is away.
pub(crate) const COUNTED_WITHIN: Duration = Duration::from_secs(1);
/// What comes from outside lies aside under this name.
const OUTSIDE: &str = "in";

/// 5 different things that modules say are told by themselves; what else they say is counted.
const SAID_MAX: usize = 5;
/// A read model that is 1,000 events behind shows what was: it is told, and catches up by itself.
const BEHIND_FROM: u64 = 1_000;

/// Who performs a function of a saga.
const HERE: &str = "here";

/// What a module is asked for, what it says instead of an answer, and whether a person must mend that.
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
            SagaState::Paused
            | SagaState::Running
            | SagaState::Completed
            | SagaState::Compensated
            | SagaState::Cancelled => {}
        }
    }
    fn and(mut self, other: People) -> Self {
        for (said, count) in other.said {
            *self.said.entry(said).or_default() += count;
        }
        let (stand, unreadable) = (self.stand + other.stand, self.unreadable + other.unreadable);
        People { stand, unreadable, said: self.said, decide: self.decide + other.decide }
    }
    /// The worst first; gates are how things go, and come last.
    fn told(self) -> (Vec<Attention>, Vec<Attention>) {
        let list = "sagactl saga list --attention";
        let (mut all, mut gates) = (Vec::new(), Vec::new());
        let parked = ("saga is parked, or its undo failed", "sagas are parked, or their undo failed");
        some(&mut all, self.stand, parked, list, true);
        let unreadable = ("saga has a fact that cannot be read here", "sagas have facts that cannot be read here");
        some(&mut all, self.unreadable, unreadable, "sagactl help SG0107", true);
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
            some(&mut all, count, (&format!("saga asks {what}"), &format!("sagas ask {what}")), next, true);
        }
        let more = ("more saga is answered with other weather", "more sagas are answered with other weather");
        some(&mut all, rest, more, list, true);
        let decide = ("saga waits at a gate for a decision", "sagas wait at gates for decisions");
        some(&mut gates, self.decide, decide, "sagactl saga list --state waiting", false);
        (all, gates)
    }
}

impl Sagas {
    /// What waits for a person in the groups and modules of this process, the worst first.
    pub(crate) async fn attention(&self) -> Result<Vec<Attention>, Error> {
        let now = self.inner.clock.now();
        let people = self.look(move |coordinator| People::of(coordinator, now)).await?;
        let (mut all, gates) = people.into_iter().fold(People::default(), People::and).told();
        all.extend(aside(&self.inner.modules, Some(&self.others())).await?);
        all.extend(gates);
        all.extend(behind(&self.inner.modules).await?);
        Ok(all)
    }
    /// The open sagas of this process's groups that stand still because their definition is not here, or means something else
    /// here: a trouble for each definition that they began with.
    pub(crate) async fn stranded(&self) -> Result<Vec<Trouble>, Error> {
        let mut all: BTreeMap<(WaitReason, String), u64> = BTreeMap::new();
        for some in self.look(Coordinator::stranded).await? {
            for (why, count) in some {
                *all.entry(why).or_default() += count;
            }
        }
        let since = self.inner.clock.now();
        let trouble = |((reason, wanted), count): ((WaitReason, String), u64)| {
            let stand = if count == 1 { "open saga stands" } else { "open sagas stand" };
            let why = match reason {
                WaitReason::DigestMismatch => {
                    format!("they began with another meaning of {wanted}: sagactl help SG0216")
                }
                _ => format!(
                    "nothing here is {wanted}, with which they began: deploy the version again, beside the new one"
                ),
            };
            Trouble { place: "definitions".to_owned(), since, says: format!("{count} {stand} still: {why}") }
        };
        Ok(all.into_iter().map(trouble).collect())
    }
    /// Why this process is not ready, where no trouble says it.
    pub(crate) async fn not_ready(&self) -> Result<Option<Trouble>, Error> {
        let unread = self.look(|coordinator| coordinator.open() - coordinator.sagas().count()).await?;
        let unread: usize = unread.into_iter().sum();
        let says = if unread > 0 {
            format!("the histories of {unread} open sagas are still being read")
        } else if !*self.inner.settled.borrow() {
            "the groups of this process are still being taken over".to_owned()
        } else {
            return Ok(None);
        };
        Ok(Some(Trouble { place: "start".to_owned(), since: self.inner.clock.now(), says }))
    }
}

/// What lies aside in and for these modules. A coordinator, who gives the names of the modules that run elsewhere, tells also
/// of theirs and of what came from outside: the dead letters of all accounts lie in one stream of its own.
pub(crate) async fn aside(
    modules: &BTreeMap<&'static str, Host>,
    others: Option<&BTreeSet<String>>,
) -> Result<Vec<Attention>, ReadError> {
    let mut all = Vec::new();
    for (name, host) in modules {
        let parked = parked(host).await?;
        let next =
            format!("deploy what can read them, then sagactl module list; the reason stands in the store of {name}");
        let one = format!("event lies aside in {name}, and later ones of its story behind it");
        let more = format!("events lie aside in {name}, and later ones of their stories behind them");
        some(&mut all, parked, (&one, &more), &next, true);
    }
    let mut names: Vec<(&str, &Host)> = modules.iter().map(|(name, host)| (*name, host)).collect();
    if let Some((others, host)) = others.zip(modules.get(JOURNAL)) {
        // A module of this process may have an account that does not let it look; the coordinators' does.
        names.iter_mut().for_each(|(_, own)| *own = host);
        names.push((OUTSIDE, host));
        names.extend(others.iter().map(|name| (name.as_str(), host)));
    }
    for (name, letters) in letters(names).await {
        let next = format!("look at each with its reason: nats stream view DLQ, subject dlq.{name}");
        let one = format!("dead letter of {name} lies aside");
        let more = format!("dead letters of {name} lie aside");
        some(&mut all, letters, (&one, &more), &next, true);
    }
    Ok(all)
}

/// How many dead letters each has, as far as the bus says so in time: one that is away is a trouble of its own, and one whose
/// account may not look at them never answers.
async fn letters<'a>(names: Vec<(&'a str, &'a Host)>) -> Vec<(&'a str, u64)> {
    let count = async |(name, host): (&'a str, &'a Host)| {
        let (asked, patience) = (host.bus.aside_count(name), host.clock.pause(COUNTED_WITHIN));
        match select(asked, patience).await {
            Either::Left((counted, _)) => (name, counted.unwrap_or(0)),
            Either::Right(_) => (name, 0),
        }
    };
    join_all(names.into_iter().map(count)).await
}

/// The read models of these modules that show what was.
pub(crate) async fn behind(modules: &BTreeMap<&'static str, Host>) -> Result<Vec<Attention>, ReadError> {
    let mut all = Vec::new();
    for (name, host) in modules {
        for ProjectionRow { name: projection, version, lag } in projections(host, modules).await? {
            if lag >= BEHIND_FROM {
                let what = format!("not folded by {projection}@{version} of {name}, which shows what was");
                let (one, more) = (format!("event is {what}"), format!("events are {what}"));
                some(&mut all, lag, (&one, &more), "it catches up by itself: sagactl module list", false);
            }
        }
    }
    Ok(all)
}

async fn parked(host: &Host) -> Result<u64, ReadError> {
    let find = Find {
        projection: PARKED.to_owned(),
        version: PARKED_VERSION,
        filters: Vec::new(),
        order_by: None,
        descending: false,
        after: None,
        limit: FIND_LIMIT_MAX,
    };
    Ok(host.store.find(&find).await?.len() as u64)
}

fn some(all: &mut Vec<Attention>, count: u64, (one, more): (&str, &str), next: &str, urgent: bool) {
    if count > 0 {
        let says = if count == 1 { one } else { more };
        all.push(Attention { count, says: says.to_owned(), next: next.to_owned(), urgent });
    }
}
