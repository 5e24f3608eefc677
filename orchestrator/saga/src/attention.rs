//! What waits for a person: sagas, events and messages that lie aside. It is looked at when somebody asks.

use crate::host::Host;
use crate::orchestrator::{Error, JOURNAL};
use crate::sagas::Sagas;
use futures::future::{Either, join_all, select};
use saga_core::control::Attention;
use saga_core::execution::Execution;
use saga_core::machine::coordinator::Coordinator;
use saga_core::machine::projector::{PARKED, PARKED_VERSION};
use saga_core::ports::{FIND_LIMIT_MAX, Find, ReadError};
use saga_core::time::Timestamp;
use saga_core::view::{SagaState, Trouble};
use saga_core::waiting::WaitReason;
use std::collections::BTreeMap;
use std::time::Duration;

/// One second: who asks how things are wants to know it also, and above all, while the bus is away.
const COUNTED_WITHIN: Duration = Duration::from_secs(1);
/// What comes from outside lies aside under this name.
const OUTSIDE: &str = "in";

#[derive(Debug, Default, Clone, Copy)]
struct People {
    /// Parked, or an undo failed.
    stand: u64,
    /// What they ask is answered with weather for longer than their policy finds usual.
    overdue: u64,
    /// At a gate.
    decide: u64,
}

impl People {
    fn count(&mut self, exec: &Execution, now: Timestamp) {
        match exec.state() {
            SagaState::Parked | SagaState::UndoFailed => self.stand += 1,
            SagaState::Waiting => {
                let at_gate = exec.row().waiting.iter().any(|waiting| waiting.reason == WaitReason::WaitingSignal);
                self.decide += u64::from(at_gate);
            }
            SagaState::Retrying | SagaState::Compensating => {
                self.overdue += u64::from(exec.row().needs_attention(now));
            }
            SagaState::Paused
            | SagaState::Running
            | SagaState::Completed
            | SagaState::Compensated
            | SagaState::Cancelled => {}
        }
    }
}

impl Sagas {
    /// What waits for a person in the groups and modules of this process, the worst first.
    pub(crate) async fn attention(&self) -> Result<Vec<Attention>, Error> {
        let now = self.inner.clock.now();
        let count = move |coordinator: &Coordinator| {
            let mut people = People::default();
            coordinator.sagas().for_each(|exec| people.count(exec, now));
            people
        };
        let (mut stand, mut overdue, mut decide) = (0, 0, 0);
        for people in self.look(count).await? {
            (stand, overdue, decide) = (stand + people.stand, overdue + people.overdue, decide + people.decide);
        }
        let list = "sagactl saga list --attention";
        let mut all = Vec::new();
        some(
            &mut all,
            stand,
            ("saga is parked, or its undo failed", "sagas are parked, or their undo failed"),
            list,
            true,
        );
        let asked = (
            "saga asks a module that cannot answer for longer than usual",
            "sagas ask modules that cannot answer for longer than usual",
        );
        some(&mut all, overdue, asked, list, true);
        all.extend(aside(&self.inner.modules, true).await?);
        let gates = ("saga waits at a gate for a decision", "sagas wait at gates for decisions");
        some(&mut all, decide, gates, "sagactl saga list --state waiting", false);
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

/// What lies aside in and for these modules; with `outside` also what came from outside and for the coordinators.
pub(crate) async fn aside(modules: &BTreeMap<&'static str, Host>, outside: bool) -> Result<Vec<Attention>, ReadError> {
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
    names.extend(modules.get(JOURNAL).filter(|_| outside).map(|host| (OUTSIDE, host)));
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
