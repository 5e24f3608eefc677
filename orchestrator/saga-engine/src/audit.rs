//! The checker: histories in, violations out. One function per promise; used by `events verify`, by the laws and by chaos tests.

mod agreement;
mod carried;
mod cursors;
mod models;
mod rounds;
mod stores;

pub use carried::{BUS_PROMISES, Carried, audit_bus, compare_bus, missing};
pub use cursors::RELAY;
pub use stores::{Known, Opened, audit_logs, audit_stores, named};

use crate::execution::Execution;
use crate::journal::{fact_of, saga_of};
use crate::machine::coordinator::Definitions;
use saga_core::definition::Fit;
use saga_core::envelope::{Recorded, chain};
use saga_core::event::EventSet;
use saga_core::fact::SagaFact;
use saga_core::id::{Direction, EventId, Position, SagaId, StepKey, StreamId, Version};
use saga_core::path::StepPath;
use saga_core::time::Timestamp;
use saga_core::view::{Finding, SagaState, Verdicts};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use uuid::Uuid;

/// The promises that are checked, by their id in the documentation.
pub const PROMISES: &[&str] =
    &["S1", "S2", "S3", "S4", "S5", "S6", "S7", "S8", "S10", "X1", "L1", "L2", "L3", "L7", "L8"];

/// The promises that are checked between the stores, beside [`PROMISES`].
pub const AGREEMENTS: &[&str] = &["S11", "B2", "B6", "R1", "F1", "O4"];

#[derive(Default)]
struct LogState {
    head: Position,
    public: u64,
    chain: [u8; 32],
    recorded_at: Timestamp,
    versions: BTreeMap<StreamId, Version>,
    /// Deed -> (first position, last position, saga, step).
    deeds: BTreeMap<Uuid, (Position, Position, Uuid, String)>,
}

/// Reads logs page by page and says what is wrong.
pub struct Audit {
    definitions: Arc<Definitions>,
    logs: BTreeMap<String, LogState>,
    sagas: BTreeMap<SagaId, Vec<(SagaFact, Timestamp)>>,
    findings: Vec<Finding>,
    notes: Vec<String>,
    /// How many facts of each saga were recorded before the inboxes were read; `None`: none was read.
    settled: Option<BTreeMap<SagaId, usize>>,
    owed: Vec<agreement::Owed>,
    inboxes: BTreeMap<String, BTreeMap<StepKey, agreement::Deed>>,
    /// Deeds whose row in an inbox cannot be read.
    illegible: BTreeSet<StepKey>,
    absent: BTreeMap<String, agreement::Absent>,
    commands: BTreeMap<String, BTreeSet<&'static str>>,
    /// Whether the coordinator's own log is among what was read.
    judged_by_facts: bool,
    lost: BTreeMap<(String, String), Vec<String>>,
    elsewhere: BTreeMap<String, usize>,
    /// Which events stand where cursors do, by source and public sequence, as far as they have been read.
    stood_on: BTreeMap<(String, u64), Option<EventId>>,
}

impl Audit {
    /// An audit that knows these definitions.
    pub fn new(definitions: Arc<Definitions>) -> Self {
        Audit {
            definitions,
            logs: BTreeMap::new(),
            sagas: BTreeMap::new(),
            findings: Vec::new(),
            notes: Vec::new(),
            settled: None,
            owed: Vec::new(),
            inboxes: BTreeMap::new(),
            illegible: BTreeSet::new(),
            absent: BTreeMap::new(),
            commands: BTreeMap::new(),
            judged_by_facts: true,
            lost: BTreeMap::new(),
            elsewhere: BTreeMap::new(),
            stood_on: BTreeMap::new(),
        }
    }
    fn finding(&mut self, promise: &str, place: String, says: String) {
        self.findings.push(Finding { promise: promise.to_owned(), place, says });
    }
    /// Takes in the next page of a module's log.
    pub fn read(&mut self, module: &str, page: &[Recorded]) {
        self.logs.entry(module.to_owned()).or_default();
        for recorded in page {
            self.links(module, recorded);
            match saga_of(&recorded.stream) {
                Some(saga) => self.fact(module, saga, recorded),
                None => self.effect(module, recorded),
            }
        }
    }
    /// L2, L3, L7, L8: dense positions and versions, time that does not go back, a whole chain.
    fn links(&mut self, module: &str, recorded: &Recorded) {
        let Some(log) = self.logs.get_mut(module) else { return };
        let place = format!("{module}:{}", recorded.position);
        let mut wrong = Vec::new();
        if recorded.position != log.head.next() {
            wrong.push(("L7", format!("follows position {}", log.head)));
        }
        let version = log.versions.entry(recorded.stream.clone()).or_default();
        if recorded.version != version.next() {
            wrong.push(("L2", format!("{} version {} follows version {version}", recorded.stream, recorded.version)));
        }
        *version = recorded.version;
        if let Some(public) = recorded.public_seq {
            if public != log.public + 1 {
                wrong.push(("L7", format!("public sequence {public} follows {}", log.public)));
            }
            log.public = public;
        }
        if recorded.recorded_at < log.recorded_at {
            wrong.push(("L7", "was recorded before the event before it".to_owned()));
        }
        if recorded.chain != chain(&log.chain, recorded.position, &recorded.digest()) {
            wrong.push(("L8", "the hash chain breaks here: this event or its place was changed".to_owned()));
        }
        (log.head, log.chain, log.recorded_at) = (recorded.position, recorded.chain, recorded.recorded_at);
        if let Some(public) = recorded.public_seq {
            self.passes(module, public, recorded.id);
        }
        for (promise, says) in wrong {
            self.finding(promise, place.clone(), says);
        }
    }
    fn fact(&mut self, module: &str, saga: SagaId, recorded: &Recorded) {
        match fact_of(recorded) {
            Ok(fact) => self.sagas.entry(saga).or_default().push((fact, recorded.time)),
            Err(why) => self.finding("L3", format!("{module}:{}", recorded.position), why.to_string()),
        }
    }
    /// X1, L1: what one deed did stands together, once.
    fn effect(&mut self, module: &str, recorded: &Recorded) {
        let Ok(meta) = recorded.metadata() else { return };
        let Some(deed) = meta.deed else { return };
        let Some(log) = self.logs.get_mut(module) else { return };
        let (saga, step) = meta.saga.map_or((Uuid::nil(), String::new()), |saga| (saga.id, saga.step));
        let here = recorded.position;
        match log.deeds.get_mut(&deed) {
            None => {
                log.deeds.insert(deed, (here, here, saga, step));
            }
            Some((_, last, ..)) if last.next() == here => *last = here,
            Some((_, last, ..)) => {
                let says = format!("deed {deed} changed the world at position {last} already");
                self.finding("X1", format!("{module}:{here}"), says);
            }
        }
    }
    /// What is wrong. `at_rest`: nothing is under way any more, so every saga must have come to an end or to a person.
    pub fn finish(mut self, at_rest: bool) -> Verdicts {
        let sagas = std::mem::take(&mut self.sagas);
        let mut keys = BTreeMap::new();
        for (saga, facts) in &sagas {
            self.saga(*saga, facts, at_rest, &mut keys);
        }
        if self.judged_by_facts {
            self.deeds(&keys);
            self.rounds(&sagas, &keys);
        }
        self.sagas = sagas;
        self.agree(&keys);
        Verdicts {
            events: self.logs.iter().map(|(module, log)| (module.clone(), log.head.0)).collect(),
            sagas: self.sagas.len() as u64,
            // S1 speaks of sagas at rest: while some are under way it is not checked, and not claimed.
            promises: PROMISES.iter().filter(|id| at_rest || **id != "S1").map(|id| (*id).to_owned()).collect(),
            findings: self.findings,
            notes: self.notes,
        }
    }
    fn saga(
        &mut self,
        saga: SagaId,
        facts: &[(SagaFact, Timestamp)],
        at_rest: bool,
        keys: &mut BTreeMap<StepKey, (SagaId, String, Direction)>,
    ) {
        let started = facts.first().and_then(|(fact, _)| fact.as_start());
        let fit = match started.map(|started| (started, Fit::of(&self.definitions, started))) {
            // Of an older program's saga only one digest is known, which every other tuning moves: the plan is believed.
            Some((started, Fit::Other(plan))) if started.meaning.is_none() => Fit::Same(plan),
            Some((_, fit)) => fit,
            None => Fit::Missing,
        };
        let known = fit.definition().is_some();
        let mut exec = Execution::new(saga, fit, 0);
        let mut story = Story::default();
        let place = |rev: usize| format!("saga {saga} fact {rev}");
        for (index, (fact, at)) in facts.iter().enumerate() {
            for (promise, says) in story.look(&exec, fact) {
                self.finding(promise, place(index + 1), says);
            }
            exec.evolve(fact, *at);
            if self.is_settled(saga, index) {
                self.owed.extend(agreement::owed(&exec, fact, place(index + 1)));
            }
            if let SagaFact::StepDispatched(fact) = fact {
                let (deed, _) = exec.keys(&fact.step);
                keys.insert(deed, (saga, fact.step.to_string(), Direction::Do));
            }
            if let SagaFact::CompensationDispatched(fact) = fact {
                let (_, undo) = exec.keys(&fact.step);
                keys.insert(undo, (saga, fact.step.to_string(), Direction::Undo));
            }
        }
        let state = exec.state();
        for (promise, says) in story.end(&exec, state, known) {
            self.finding(promise, place(facts.len()), says);
        }
        let rests = state.is_end() || state.needs_person() || matches!(state, SagaState::Waiting | SagaState::Paused);
        if at_rest && !rests {
            self.finding("S1", place(facts.len()), format!("it is {} and nothing is under way", state.word()));
        }
    }
    /// S7, S10: no deed without its fact, no deed after its undo.
    fn deeds(&mut self, keys: &BTreeMap<StepKey, (SagaId, String, Direction)>) {
        let mut wrong = Vec::new();
        for (module, log) in &self.logs {
            let mut undone: BTreeMap<(Uuid, &str), Position> = BTreeMap::new();
            let mut in_order: Vec<_> = log.deeds.iter().collect();
            in_order.sort_by_key(|(_, (first, ..))| *first);
            for (deed, (first, _, saga, step)) in in_order {
                if saga.is_nil() {
                    continue;
                }
                let place = format!("{module}:{first}");
                match keys.get(&StepKey::from_uuid(*deed)) {
                    None => {
                        wrong.push(("S10", place, format!("{step} of saga {saga} was done without being recorded")))
                    }
                    Some((.., Direction::Undo)) => {
                        undone.insert((*saga, step), *first);
                    }
                    Some((.., Direction::Do)) => {
                        if let Some(undo) = undone.get(&(*saga, step.as_str())) {
                            wrong.push(("S7", place, format!("{step} was done after its undo at {module}:{undo}")));
                        }
                    }
                }
            }
        }
        for (promise, place, says) in wrong {
            self.finding(promise, place, says);
        }
    }
}

/// What has to be remembered of one saga while its facts go by.
#[derive(Default)]
struct Story {
    ended: bool,
    pivot_passed: bool,
    dispatched: BTreeSet<StepPath>,
    done: BTreeSet<StepPath>,
    unknown: BTreeSet<StepPath>,
    passed_over: BTreeSet<StepPath>,
    undone: BTreeMap<StepPath, u32>,
    failed_branches: Vec<StepPath>,
}

impl Story {
    /// S2, S5, S6, S8 at one fact, before it is folded.
    fn look(&mut self, exec: &Execution, fact: &SagaFact) -> Vec<(&'static str, String)> {
        let mut wrong = Vec::new();
        let note = matches!(fact, SagaFact::OperatorNote(_) | SagaFact::LateReplyRecorded(_));
        if self.ended && !note {
            wrong.push(("S2", format!("{} follows the end", fact.name())));
        }
        self.ended |= fact.is_terminal();
        match fact {
            SagaFact::StepDispatched(fact) => {
                self.dispatched.insert(fact.step.clone());
            }
            SagaFact::StepSucceeded(fact) => {
                self.done.insert(fact.step.clone());
                if !self.dispatched.contains(&fact.step) {
                    wrong.push(("S10", format!("{} succeeded without having been dispatched", fact.step)));
                }
            }
            SagaFact::StepOutcomeUnknown(fact) => {
                self.unknown.insert(fact.step.clone());
            }
            SagaFact::StepSkipped(fact) => {
                self.passed_over.insert(fact.step.clone());
            }
            SagaFact::BranchFailed(fact) => self.failed_branches.push(fact.step.clone()),
            SagaFact::PivotPassed(_) => self.pivot_passed = true,
            SagaFact::CompensationDispatched(fact) => {
                if !self.dispatched.contains(&fact.step) {
                    wrong.push(("S5", format!("{} is undone without having been dispatched", fact.step)));
                }
                if exec.was_refused(&fact.step) {
                    wrong.push(("S5", format!("{} is undone although it was refused", fact.step)));
                }
                let own_branch = self.failed_branches.iter().any(|branch| branch.contains(&fact.step));
                if self.pivot_passed && !own_branch {
                    wrong.push(("S8", format!("{} is undone behind a passed pivot", fact.step)));
                }
                let too_early = exec.not_undone_behind(&fact.step);
                if !too_early.is_empty() {
                    let behind: Vec<&str> = too_early.iter().map(StepPath::as_str).collect();
                    let says = format!("the undo of {} is sent before that of {}", fact.step, behind.join(", "));
                    wrong.push(("S6", says));
                }
            }
            SagaFact::StepCompensated(fact) => *self.undone.entry(fact.step.clone()).or_default() += 1,
            SagaFact::CompensationSkipped(fact) => *self.undone.entry(fact.step.clone()).or_default() += 1,
            SagaFact::SagaStarted(_)
            | SagaFact::StepFailed(_)
            | SagaFact::StepRetryScheduled(_)
            | SagaFact::StepProbed(_)
            | SagaFact::ListRecorded(_)
            | SagaFact::ConditionRecorded(_)
            | SagaFact::RoundEnded(_)
            | SagaFact::WaitStarted(_)
            | SagaFact::SignalReceived(_)
            | SagaFact::TimerFired(_)
            | SagaFact::CompensationStarted(_)
            | SagaFact::CompensationFailed(_)
            | SagaFact::SagaParked(_)
            | SagaFact::SagaPaused(_)
            | SagaFact::SagaResumed(_)
            | SagaFact::RetryOrdered(_)
            | SagaFact::OperatorNote(_)
            | SagaFact::LateReplyRecorded(_)
            | SagaFact::SagaCompleted(_)
            | SagaFact::SagaCompensated(_)
            | SagaFact::SagaCancelled(_) => {}
        }
        wrong
    }
    /// S3, S4 at the end.
    fn end(&self, exec: &Execution, state: SagaState, known: bool) -> Vec<(&'static str, String)> {
        let mut wrong = Vec::new();
        for (step, times) in self.undone.iter().filter(|(_, times)| **times > 1) {
            wrong.push(("S4", format!("{step} was undone {times} times")));
        }
        if !known {
            return wrong;
        }
        match state {
            SagaState::Completed => {
                let open = self.dispatched.iter().filter(|step| {
                    !self.done.contains(*step)
                        && !self.passed_over.contains(*step)
                        && !self.failed_branches.iter().any(|branch| branch.contains(step))
                });
                wrong.extend(open.map(|step| ("S3", format!("completed, but {step} did not happen"))));
                let taken_back =
                    self.undone.keys().filter(|step| !self.failed_branches.iter().any(|branch| branch.contains(step)));
                wrong.extend(taken_back.map(|step| ("S3", format!("completed, but {step} was undone"))));
            }
            SagaState::Compensated => {
                let owed = exec.undo_owed();
                wrong.extend(owed.into_iter().map(|step| ("S4", format!("compensated, but {step} is not undone"))));
            }
            SagaState::UndoFailed
            | SagaState::Parked
            | SagaState::Retrying
            | SagaState::Compensating
            | SagaState::Paused
            | SagaState::Running
            | SagaState::Waiting
            | SagaState::Cancelled => {}
        }
        wrong
    }
}
