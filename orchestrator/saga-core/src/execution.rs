//! The heart: the state of one saga, folded from its facts. `evolve` never fails, `decide` never waits.
//!
//! Facts in, state out (here); signals in, facts and acts out (`decide`); the way back (`undo`); what people order
//! (`orders`); what they see (`look`).

mod decide;
mod look;
mod orders;
mod undo;

pub use decide::{Act, Decision, Deed, Signal};
pub use orders::{Accepted, OrderKind, OrderRefused, Ordered};

use crate::definition::{Definition, Node, Performer, Role, StepDef, deed_keys};
use crate::fact::{By, Cause, SagaFact, SagaStarted};
use crate::id::{RequestId, SagaId, StepKey, Version};
use crate::json::Payload;
use crate::step::Scope;
use crate::time::Timestamp;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Where a step stands, as a path of places: comparing two tells which comes first in the plan and its rounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    /// In a sequence.
    Seq(u32),
    /// In a round of a repeated body.
    Round(u32),
    /// In a branch of an `all`.
    Branch(u32),
    /// In a branch of an `each`.
    Item(u32),
}

/// How a step stands, forward.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Forward {
    /// To be tried (again) as soon as it may.
    Ready,
    Dispatched {
        since: Timestamp,
        deadline: Timestamp,
    },
    RetryWait {
        since: Timestamp,
        due: Timestamp,
        reason: String,
    },
    Probing {
        since: Timestamp,
        deadline: Timestamp,
    },
    Waiting {
        gate: String,
        since: Timestamp,
        deadline: Timestamp,
    },
    Done,
    Skipped,
    Refused {
        code: String,
        message: String,
    },
    Unknown {
        reason: String,
    },
    Parked {
        since: Timestamp,
        code: String,
        message: String,
    },
}

/// How its undo stands.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Backward {
    Ready,
    Dispatched { since: Timestamp, deadline: Timestamp },
    RetryWait { since: Timestamp, due: Timestamp, reason: String },
    Undone { nothing: bool },
    Skipped,
    Failed { since: Timestamp, code: String, message: String },
}

/// One step (of one round, in one branch) that has begun.
#[derive(Debug, Clone)]
struct Run {
    def: Option<Arc<StepDef>>,
    order: Vec<Place>,
    forward: Forward,
    backward: Option<Backward>,
    /// Tries so far, and how many of them came before the last order to retry.
    attempt: u32,
    forgiven: u32,
    undo_attempt: u32,
    undo_forgiven: u32,
    /// Rounds of the key: they grow when an operator retries what has a recorded answer.
    round: u32,
    undo_round: u32,
    command: Option<Payload>,
    undo: Option<Payload>,
    output: Option<Payload>,
    began: Timestamp,
    ended: Option<Timestamp>,
    decided_by: Option<String>,
}

impl Run {
    fn new(def: Option<Arc<StepDef>>, order: Vec<Place>, began: Timestamp) -> Self {
        Run {
            def,
            order,
            forward: Forward::Ready,
            backward: None,
            attempt: 0,
            forgiven: 0,
            undo_attempt: 0,
            undo_forgiven: 0,
            round: 0,
            undo_round: 0,
            command: None,
            undo: None,
            output: None,
            began,
            ended: None,
            decided_by: None,
        }
    }
    fn patience(&self) -> Duration {
        Duration::from_millis(self.def.as_ref().map_or(30_000, |def| def.policy.patience_ms))
    }
    fn role(&self) -> Role {
        self.def.as_ref().map_or(Role::Ordinary, |def| def.role)
    }
    /// Whether going back has to take this step back: it happened, or may have.
    fn owes_undo(&self) -> bool {
        let has_undo = self.def.as_ref().is_some_and(|def| def.performer.has_undo());
        let may_have_happened = match &self.forward {
            Forward::Done | Forward::Unknown { .. } | Forward::RetryWait { .. } => true,
            Forward::Skipped | Forward::Parked { .. } | Forward::Ready => self.attempt > self.answered_no(),
            Forward::Dispatched { .. } | Forward::Probing { .. } => true,
            Forward::Waiting { .. } | Forward::Refused { .. } => false,
        };
        self.role() == Role::Ordinary && has_undo && may_have_happened
    }
    /// Tries that are known to have done nothing, because a round was refused before the next began.
    fn answered_no(&self) -> u32 {
        if self.round > 0 { self.forgiven } else { 0 }
    }
    fn in_flight(&self) -> bool {
        matches!(self.forward, Forward::Dispatched { .. } | Forward::Probing { .. })
    }
}

/// Whether the saga goes forward, backward, or has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Mode {
    Forward,
    Backward { cause: Cause, code: String, message: String, by: Option<By> },
    Ended { state: crate::view::SagaState, at: Timestamp, cause: Option<String> },
}

/// A signal that came before its gate was reached.
#[derive(Debug, Clone)]
struct Early {
    data: Payload,
    by: By,
}

/// The state of one saga.
#[derive(Debug, Clone)]
pub struct Execution {
    saga: SagaId,
    def: Option<Arc<Definition>>,
    seed: u64,
    rev: Version,
    started: Option<SagaStarted>,
    started_at: Timestamp,
    mode: Mode,
    paused: Option<(By, Timestamp)>,
    pivot_passed: bool,
    runs: BTreeMap<String, Run>,
    lists: BTreeMap<String, Vec<Payload>>,
    conditions: BTreeMap<String, bool>,
    rounds: BTreeMap<String, (u32, bool)>,
    failed_branches: BTreeMap<String, String>,
    early: BTreeMap<String, Vec<Early>>,
    requests: BTreeMap<RequestId, &'static str>,
    anomalies: u64,
    fault: Option<String>,
}

impl Execution {
    /// A saga of which nothing is known yet. `seed` decides the jitter of its retries.
    pub fn new(saga: SagaId, definition: Option<Arc<Definition>>, seed: u64) -> Self {
        Execution {
            saga,
            def: definition,
            seed,
            rev: Version::ZERO,
            started: None,
            started_at: Timestamp::default(),
            mode: Mode::Forward,
            paused: None,
            pivot_passed: false,
            runs: BTreeMap::new(),
            lists: BTreeMap::new(),
            conditions: BTreeMap::new(),
            rounds: BTreeMap::new(),
            failed_branches: BTreeMap::new(),
            early: BTreeMap::new(),
            requests: BTreeMap::new(),
            anomalies: 0,
            fault: None,
        }
    }
    /// Its id.
    pub fn saga(&self) -> SagaId {
        self.saga
    }
    /// How many facts it has.
    pub fn rev(&self) -> Version {
        self.rev
    }
    /// What it began with.
    pub fn started(&self) -> Option<&SagaStarted> {
        self.started.as_ref()
    }
    /// Whether it has ended.
    pub fn has_ended(&self) -> bool {
        matches!(self.mode, Mode::Ended { .. })
    }
    /// The next moment at which something is due by itself.
    pub fn next_due(&self) -> Option<Timestamp> {
        if self.has_ended() || self.paused.is_some() || self.def.is_none() {
            return None;
        }
        let runs = self.runs.values().flat_map(|run| {
            let forward = match &run.forward {
                Forward::Dispatched { deadline, .. }
                | Forward::Probing { deadline, .. }
                | Forward::Waiting { deadline, .. } => Some(*deadline),
                Forward::RetryWait { due, .. } => Some(*due),
                Forward::Ready
                | Forward::Done
                | Forward::Skipped
                | Forward::Refused { .. }
                | Forward::Unknown { .. }
                | Forward::Parked { .. } => None,
            };
            let backward = match &run.backward {
                Some(Backward::Dispatched { deadline, .. }) => Some(*deadline),
                Some(Backward::RetryWait { due, .. }) => Some(*due),
                Some(Backward::Ready | Backward::Undone { .. } | Backward::Skipped | Backward::Failed { .. })
                | None => None,
            };
            // Waits do not count on the way back: nobody is asked any more.
            let waits = matches!(run.forward, Forward::Waiting { .. }) && self.mode != Mode::Forward;
            [forward.filter(|_| !waits), backward]
        });
        runs.flatten().chain(self.deadline()).min()
    }
    /// When the saga as a whole has to be past its pivot.
    fn deadline(&self) -> Option<Timestamp> {
        let open = self.mode == Mode::Forward && !self.pivot_passed && !self.pivot_in_flight();
        let deadline_ms = self.def.as_ref().map(|def| def.deadline_ms)?;
        open.then(|| self.started_at.plus(Duration::from_millis(deadline_ms)))
    }
    fn pivot_in_flight(&self) -> bool {
        self.runs
            .values()
            .any(|run| run.role() == Role::Pivot && !matches!(run.forward, Forward::Refused { .. } | Forward::Ready))
    }
    /// Folds one recorded fact. Never fails: what was recorded happened. A fact that cannot be is kept as a fault.
    pub fn evolve(&mut self, fact: &SagaFact, at: Timestamp) {
        self.rev = self.rev.next();
        match fact {
            SagaFact::SagaStarted(fact) => {
                self.started_at = at;
                self.remember(fact.by.as_ref(), "start");
                self.started = Some(fact.clone());
            }
            SagaFact::StepDispatched(fact) => {
                let run = self.run(&fact.step, at);
                run.attempt = fact.attempt;
                if let Some(command) = &fact.command {
                    run.command = Some(command.clone());
                    run.undo.clone_from(&fact.undo);
                }
                run.forward = Forward::Dispatched { since: at, deadline: at.plus(run.patience()) };
            }
            SagaFact::StepSucceeded(fact) => {
                let run = self.run(&fact.step, at);
                run.output = Some(fact.output.clone());
                run.finish(Forward::Done, at);
            }
            SagaFact::StepFailed(fact) => {
                let (code, message) = (fact.code.clone(), fact.message.clone());
                self.run(&fact.step, at).finish(Forward::Refused { code, message }, at);
            }
            SagaFact::StepRetryScheduled(fact) => {
                let (due, reason) = (fact.due, fact.reason.clone());
                let run = self.run(&fact.step, at);
                if fact.undo {
                    run.backward = Some(Backward::RetryWait { since: at, due, reason });
                } else {
                    run.forward = Forward::RetryWait { since: at, due, reason };
                }
            }
            SagaFact::StepProbed(fact) => {
                let run = self.run(&fact.step, at);
                run.forward = Forward::Probing { since: at, deadline: at.plus(run.patience()) };
            }
            SagaFact::StepOutcomeUnknown(fact) => {
                let reason = fact.reason.clone();
                self.run(&fact.step, at).finish(Forward::Unknown { reason }, at);
            }
            SagaFact::ListRecorded(fact) => {
                self.lists.insert(fact.step.clone(), fact.items.clone());
            }
            SagaFact::ConditionRecorded(fact) => {
                self.conditions.insert(fact.step.clone(), fact.taken);
            }
            SagaFact::RoundEnded(fact) => {
                self.rounds.insert(fact.step.clone(), (fact.round, fact.satisfied));
            }
            SagaFact::BranchFailed(fact) => {
                self.failed_branches.insert(fact.step.clone(), fact.message.clone());
            }
            SagaFact::WaitStarted(fact) => {
                let gate = fact.gate.clone();
                self.run(&fact.step, at).forward = Forward::Waiting { gate, since: at, deadline: fact.deadline };
            }
            SagaFact::SignalReceived(fact) => {
                self.remember(Some(&fact.by), "signal");
                self.signalled(fact, at);
            }
            SagaFact::TimerFired(fact) => self.timer_fired(&fact.step, at),
            SagaFact::PivotPassed(_) => self.pivot_passed = true,
            SagaFact::CompensationStarted(fact) => {
                let verb = if fact.cause == Cause::Cancelled { "cancel" } else { "compensate" };
                self.remember(fact.by.as_ref(), verb);
                self.mode = Mode::Backward {
                    cause: fact.cause,
                    code: fact.code.clone(),
                    message: fact.message.clone(),
                    by: fact.by.clone(),
                };
            }
            SagaFact::CompensationDispatched(fact) => {
                let run = self.run(&fact.step, at);
                run.undo_attempt = fact.attempt;
                run.backward = Some(Backward::Dispatched { since: at, deadline: at.plus(run.patience()) });
            }
            SagaFact::StepCompensated(fact) => {
                self.run(&fact.step, at).backward = Some(Backward::Undone { nothing: fact.nothing });
            }
            SagaFact::CompensationFailed(fact) => {
                let (code, message) = (fact.code.clone(), fact.message.clone());
                self.run(&fact.step, at).backward = Some(Backward::Failed { since: at, code, message });
            }
            SagaFact::SagaParked(fact) => {
                let (code, message) = (fact.code.clone(), fact.message.clone());
                self.run(&fact.step, at).forward = Forward::Parked { since: at, code, message };
            }
            SagaFact::SagaPaused(fact) => {
                self.remember(Some(&fact.by), "pause");
                self.paused = Some((fact.by.clone(), at));
            }
            SagaFact::SagaResumed(fact) => {
                self.remember(Some(&fact.by), "resume");
                self.paused = None;
            }
            SagaFact::RetryOrdered(fact) => self.retried(fact, at),
            SagaFact::StepSkipped(fact) => {
                self.remember(Some(&fact.by), "skip");
                let run = self.run(&fact.step, at);
                run.output = Some(fact.output.clone());
                run.finish(Forward::Skipped, at);
            }
            SagaFact::CompensationSkipped(fact) => {
                self.remember(Some(&fact.by), "skip");
                self.run(&fact.step, at).backward = Some(Backward::Skipped);
            }
            SagaFact::OperatorNote(fact) => self.remember(Some(&fact.by), "note"),
            SagaFact::LateReplyRecorded(_) => self.anomalies += 1,
            SagaFact::SagaCompleted(_) => self.end(crate::view::SagaState::Completed, at),
            SagaFact::SagaCompensated(_) => self.end(crate::view::SagaState::Compensated, at),
            SagaFact::SagaCancelled(fact) => {
                self.remember(fact.by.as_ref(), "cancel");
                self.end(crate::view::SagaState::Cancelled, at);
            }
        }
    }
    fn end(&mut self, state: crate::view::SagaState, at: Timestamp) {
        let cause = match &self.mode {
            Mode::Backward { message, .. } => Some(message.clone()),
            Mode::Forward | Mode::Ended { .. } => None,
        };
        if self.has_ended() {
            self.fault = Some("a second terminal fact".to_owned());
        }
        self.mode = Mode::Ended { state, at, cause };
    }
    fn remember(&mut self, by: Option<&By>, verb: &'static str) {
        if let Some(request) = by.and_then(|by| by.request) {
            self.requests.insert(request, verb);
        }
    }
    fn signalled(&mut self, fact: &crate::fact::SignalReceived, at: Timestamp) {
        let who = fact.by.actor.id.clone();
        match &fact.step {
            Some(step) => {
                // Either the gate was open, or this signal had come early and is used up now.
                if let Some(kept) = self.early.get_mut(&fact.gate).filter(|kept| !kept.is_empty()) {
                    if kept[0].data == fact.data && kept[0].by == fact.by {
                        kept.remove(0);
                    }
                }
                let run = self.run(step, at);
                run.output = Some(fact.data.clone());
                run.decided_by = Some(who);
                run.finish(Forward::Done, at);
            }
            None => {
                let early = Early { data: fact.data.clone(), by: fact.by.clone() };
                self.early.entry(fact.gate.clone()).or_default().push(early);
            }
        }
    }
    fn timer_fired(&mut self, step: &str, at: Timestamp) {
        let run = self.run(step, at);
        let is_timer = run.def.as_ref().is_some_and(|def| matches!(def.performer, Performer::Gate { timer: true, .. }));
        if is_timer {
            run.output = Some(Payload::null());
            run.finish(Forward::Done, at);
        } else {
            let message = "nobody decided before the deadline".to_owned();
            run.finish(Forward::Refused { code: "DEADLINE_PASSED".to_owned(), message }, at);
        }
    }
    fn retried(&mut self, fact: &crate::fact::RetryOrdered, at: Timestamp) {
        self.remember(Some(&fact.by), "retry");
        let run = self.run(&fact.step, at);
        if fact.undo {
            run.undo_round += u32::from(fact.new_round);
            run.undo_forgiven = run.undo_attempt;
            run.backward = Some(Backward::Ready);
        } else {
            run.forgiven = run.attempt;
            if fact.new_round {
                run.round += 1;
                run.command = None;
                run.undo = None;
            }
            run.forward = Forward::Ready;
        }
    }
    fn run(&mut self, path: &str, at: Timestamp) -> &mut Run {
        let def = self.def.as_ref();
        self.runs.entry(path.to_owned()).or_insert_with(|| {
            let (step, order) =
                def.and_then(|def| locate(&def.nodes, path)).map_or((None, Vec::new()), |(s, o)| (Some(s), o));
            Run::new(step, order, at)
        })
    }
    /// The keys of a step's deed and of its undo.
    pub fn keys(&self, path: &str) -> (StepKey, StepKey) {
        let (round, undo_round) = self.runs.get(path).map_or((0, 0), |run| (run.round, run.undo_round));
        deed_keys(self.saga.0, path, round, undo_round)
    }
}

impl Run {
    fn finish(&mut self, forward: Forward, at: Timestamp) {
        self.forward = forward;
        self.ended = Some(at);
    }
}

/// Finds the step that a path names, and its place.
fn locate(nodes: &[Node], path: &str) -> Option<(Arc<StepDef>, Vec<Place>)> {
    let mut order = Vec::new();
    let mut nodes = nodes;
    let mut parts = path.split('/');
    loop {
        let part = parts.next()?;
        let name = part.split(['[', '#']).next()?;
        let number =
            |open: char, close: &str| -> Option<u32> { part.split_once(open)?.1.strip_suffix(close)?.parse().ok() };
        let at = nodes.iter().position(|node| node.name() == name)?;
        order.push(Place::Seq(u32::try_from(at).ok()?));
        nodes = match &nodes[at] {
            Node::Step(step) => return Some((Arc::clone(step), order)),
            Node::All { branches, .. } => {
                let branch = parts.next()?;
                let index = branches.iter().position(|(name, _)| *name == branch)?;
                order.push(Place::Branch(u32::try_from(index).ok()?));
                &branches[index].1
            }
            Node::Each { body, .. } => {
                order.push(Place::Item(number('[', "]")?));
                body
            }
            Node::Repeat { body, .. } => {
                order.push(Place::Round(number('#', "")?));
                body
            }
            Node::When { body, .. } => body,
        };
    }
}

/// Where the functions of a step find their arguments.
struct View<'a> {
    exec: &'a Execution,
    key: StepKey,
    order: &'a [Place],
    path: &'a str,
}

impl View<'_> {
    /// Earlier outputs of a type, with the place after which their order differs from ours.
    fn earlier(&self, type_name: &str) -> Vec<(&[Place], usize, &Payload)> {
        let mut found = Vec::new();
        for run in self.exec.runs.values() {
            let gives = run.def.as_ref().is_some_and(|def| def.performer.gives() == type_name);
            let Some(output) = run.output.as_ref().filter(|_| gives) else { continue };
            let Some(at) = run.order.iter().zip(self.order).position(|(theirs, ours)| theirs != ours) else { continue };
            let sequential = matches!(run.order[at], Place::Seq(_) | Place::Round(_));
            if sequential && run.order[at] < self.order[at] {
                found.push((run.order.as_slice(), at, output));
            }
        }
        found.sort();
        found
    }
}

impl PartialOrd for Payload {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Payload {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.as_str().cmp(other.as_str())
    }
}

impl Scope for View<'_> {
    fn saga(&self) -> SagaId {
        self.exec.saga
    }
    fn key(&self) -> StepKey {
        self.key
    }
    fn input(&self) -> Option<Payload> {
        self.exec.started.as_ref().map(|started| started.input.clone())
    }
    fn out(&self, type_name: &'static str) -> Option<Payload> {
        let single = |(order, at, _): &(&[Place], usize, &Payload)| {
            !order[*at..].iter().any(|place| matches!(place, Place::Item(_)))
        };
        self.earlier(type_name).into_iter().rfind(single).map(|(.., output)| output.clone())
    }
    fn outs(&self, type_name: &'static str) -> Vec<Payload> {
        let listed: Vec<_> = self
            .earlier(type_name)
            .into_iter()
            .filter_map(|(order, at, output)| {
                let item = order[at..].iter().position(|place| matches!(place, Place::Item(_)))?;
                Some((&order[..at + item], output))
            })
            .collect();
        // Only the latest fan-out counts: an earlier round's list is history.
        let latest = listed.last().map(|(block, _)| *block);
        listed.iter().filter(|(block, _)| Some(*block) == latest).map(|(_, output)| (*output).clone()).collect()
    }
    fn started_at(&self) -> Timestamp {
        self.exec.started_at
    }
    fn item(&self) -> Option<Payload> {
        let close = self.path.rfind(']')?;
        let (block, index) = self.path[..close].rsplit_once('[')?;
        self.exec.lists.get(block)?.get(index.parse::<usize>().ok()?).cloned()
    }
}
