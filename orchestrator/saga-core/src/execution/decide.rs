//! Signals in, facts and acts out. The state moves with its facts; if their commit fails, the caller reads it anew.

use super::orders::{Accepted, OrderRefused, Ordered};
use super::{Backward, Execution, Forward, Mode, Place, Run, View, locate};
use crate::definition::{CommandName, Definition, LocalFuture, Node, Performer, Role, StepDef};
use crate::fact::{
    BranchFailed, By, Cause, CompensationStarted, ConditionRecorded, LateReplyRecorded, ListRecorded, PivotPassed,
    RoundEnded, SagaCompleted, SagaFact, SagaParked, SagaStarted, SignalReceived, StepDispatched, StepFailed,
    StepOutcomeUnknown, StepProbed, StepRetryScheduled, StepSucceeded, TimerFired, WaitStarted,
};
use crate::id::{Direction, StepKey};
use crate::json::Payload;
use crate::outcome::{Answer, Refused};
use crate::policy::{ITEMS_MAX, OnUnknown};
use crate::step::{ArgError, Prepared};
use crate::time::Timestamp;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

/// Everything that can happen to a saga. Closed: a new way must be added here.
#[derive(Debug, Clone)]
pub enum Signal {
    /// It starts.
    Begun(SagaStarted),
    /// Somebody answered: a module, or a local function.
    Answered {
        /// The step's path.
        step: String,
        /// Do or undo.
        direction: Direction,
        /// What.
        answer: Answer,
    },
    /// A local function or a module broke: a bug, not weather.
    Faulted {
        /// The step's path.
        step: String,
        /// Do or undo.
        direction: Direction,
        /// A code.
        code: String,
        /// What it said.
        why: String,
    },
    /// A module knows of no answer.
    NothingKnown {
        /// The step's path.
        step: String,
    },
    /// Time has passed.
    Due,
    /// A person ordered something.
    Ordered(Ordered),
}

/// One thing to do, after the facts beside it are durable. All of it can be recomputed from the facts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Act {
    /// The step's path.
    pub step: String,
    /// Do or undo.
    pub direction: Direction,
    /// From 1.
    pub attempt: u32,
    /// The deed's key and its undo's.
    pub keys: (StepKey, StepKey),
    /// The answer is of no use after this.
    pub deadline: Timestamp,
    /// What.
    pub deed: Deed,
}

/// What an act asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Deed {
    /// Send this command.
    Send {
        /// To whom, which.
        command: CommandName,
        /// Its JSON.
        payload: Payload,
    },
    /// Ask what became of this command.
    Probe {
        /// To whom, which.
        command: CommandName,
        /// Its JSON.
        payload: Payload,
    },
    /// Call the saga's own function ([`Execution::call`]).
    Run,
}

/// What to record, then what to do about it.
#[derive(Debug, Default)]
pub struct Decision {
    /// To be appended, in one commit.
    pub facts: Vec<SagaFact>,
    /// To be done after that.
    pub acts: Vec<Act>,
    /// What to tell the person who ordered, if the signal was an order.
    pub order: Option<Result<Accepted, OrderRefused>>,
}

/// How a part of the plan stands, going forward.
pub(super) enum Flow {
    Done,
    Busy,
    Failed(Failure),
}
/// Why going forward is over.
#[derive(Debug, Clone)]
pub(super) struct Failure {
    pub(super) cause: Cause,
    pub(super) step: String,
    pub(super) code: String,
    pub(super) message: String,
}

pub(super) struct Deciding<'a> {
    pub(super) exec: &'a mut Execution,
    pub(super) now: Timestamp,
    pub(super) out: Decision,
}

impl Execution {
    /// Decides what a signal means here, and moves the state as if the facts were folded already.
    ///
    /// Pure and total: the time is an argument; a stale signal becomes a recorded anomaly, never a panic.
    pub fn decide(&mut self, signal: Signal, now: Timestamp) -> Decision {
        let mut deciding = Deciding { exec: self, now, out: Decision::default() };
        deciding.signal(signal);
        deciding.go_on();
        deciding.out
    }
    /// After a crash or a takeover: the acts still owed, from state alone.
    pub fn resume(&self) -> Vec<Act> {
        if self.has_ended() || self.def.is_none() {
            return Vec::new();
        }
        let mut acts = Vec::new();
        for (path, run) in &self.runs {
            match &run.forward {
                Forward::Dispatched { deadline, .. } => {
                    acts.extend(self.act(path, run, Direction::Do, *deadline, false))
                }
                Forward::Probing { deadline, .. } => acts.extend(self.act(path, run, Direction::Do, *deadline, true)),
                Forward::Ready
                | Forward::RetryWait { .. }
                | Forward::Waiting { .. }
                | Forward::Done
                | Forward::Skipped
                | Forward::Refused { .. }
                | Forward::Unknown { .. }
                | Forward::Parked { .. } => {}
            }
            if let Some(Backward::Dispatched { deadline, .. }) = &run.backward {
                acts.extend(self.act(path, run, Direction::Undo, *deadline, false));
            }
        }
        acts
    }
    /// Calls the local function of an act. The call itself is pure; its future does the work.
    pub fn call(&self, act: &Act) -> Result<LocalFuture, ArgError> {
        let run = self.runs.get(&act.step).ok_or_else(|| ArgError(format!("no step {}", act.step)))?;
        let def = run.def.as_ref().ok_or_else(|| ArgError(format!("no definition of {}", act.step)))?;
        let Performer::Here { act: forward, undo, .. } = &def.performer else {
            return Err(ArgError(format!("{} is not performed here", act.step)));
        };
        let function = match act.direction {
            Direction::Do => forward,
            Direction::Undo => undo.as_ref().ok_or_else(|| ArgError(format!("{} has no undo", act.step)))?,
        };
        let view = View { exec: self, key: act.keys.0, order: &run.order, path: &act.step };
        guarded(|| function(&view))
    }
    pub(super) fn act(
        &self,
        path: &str,
        run: &Run,
        direction: Direction,
        deadline: Timestamp,
        probe: bool,
    ) -> Option<Act> {
        let keys = self.keys(path);
        let deed = match (&run.def.as_ref()?.performer, direction) {
            (Performer::Here { .. }, _) => Deed::Run,
            (Performer::There { command, .. }, Direction::Do) => {
                let (command, payload) = (command.clone(), run.command.clone()?);
                if probe { Deed::Probe { command, payload } } else { Deed::Send { command, payload } }
            }
            (Performer::There { undo, .. }, Direction::Undo) => {
                Deed::Send { command: undo.clone()?, payload: run.undo.clone()? }
            }
            (Performer::Gate { .. }, _) => return None,
        };
        let attempt = match direction {
            Direction::Do => run.attempt,
            Direction::Undo => run.undo_attempt,
        };
        Some(Act { step: path.to_owned(), direction, attempt, keys, deadline, deed })
    }
}

/// Runs a function of the saga's author; a panic is a fault of this saga and of nothing else.
fn guarded<T>(call: impl FnOnce() -> Result<T, ArgError>) -> Result<T, ArgError> {
    catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
        let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
        Err(ArgError(format!("panicked: {}", text.unwrap_or_default())))
    })
}

impl Deciding<'_> {
    pub(super) fn emit(&mut self, fact: impl Into<SagaFact>) {
        let fact = fact.into();
        self.exec.evolve(&fact, self.now);
        self.out.facts.push(fact);
    }
    fn signal(&mut self, signal: Signal) {
        match signal {
            Signal::Begun(started) => {
                if self.exec.started.is_none() {
                    self.emit(started);
                }
            }
            Signal::Answered { step, direction: Direction::Do, answer } => self.answered(&step, answer),
            Signal::Answered { step, direction: Direction::Undo, answer } => self.undo_answered(&step, answer),
            Signal::Faulted { step, direction, code, why } => self.faulted(step, direction, code, why),
            Signal::NothingKnown { step } => {
                if matches!(self.exec.runs.get(&step).map(|run| &run.forward), Some(Forward::Probing { .. })) {
                    self.unknown(&step, "the module knows of no answer");
                }
            }
            Signal::Due => self.due(),
            Signal::Ordered(ordered) => {
                let answer = self.order(ordered);
                self.out.order = Some(answer);
            }
        }
    }
    /// Brings the saga as far as it can go now.
    fn go_on(&mut self) {
        let Some(def) = self.exec.def.clone() else { return };
        if self.exec.started.is_none() || self.exec.has_ended() || self.exec.paused.is_some() {
            return;
        }
        if self.exec.mode == Mode::Forward {
            // First look without beginning anything: when one branch has failed, no other may start a step.
            match self.advance(&def.nodes, &mut Walk::looking()) {
                Flow::Failed(failure) => self.turn_back(failure, None),
                Flow::Done | Flow::Busy => match self.advance(&def.nodes, &mut Walk::beginning()) {
                    Flow::Failed(failure) => self.turn_back(failure, None),
                    Flow::Done => self.emit(SagaCompleted {}),
                    Flow::Busy => {}
                },
            }
        }
        if matches!(self.exec.mode, Mode::Backward { .. }) {
            self.go_back(&def);
        }
    }
    pub(super) fn turn_back(&mut self, failure: Failure, by: Option<By>) {
        let Failure { cause, step, code, message } = failure;
        let step = Some(step).filter(|step| !step.is_empty());
        self.emit(CompensationStarted { cause, step, code, message, by });
    }

    // ----- answers -----

    fn answered(&mut self, step: &str, answer: Answer) {
        let Some(run) = self.exec.runs.get(step) else { return self.strange(step, "no such step", &answer) };
        let role = run.role();
        let open = match &run.forward {
            Forward::Dispatched { .. } | Forward::Probing { .. } | Forward::RetryWait { .. } => true,
            // What is parked for want of an answer goes on when the answer comes.
            Forward::Parked { code, .. } => code == "PIVOT_UNKNOWN" || code == "RETRIES_EXHAUSTED",
            Forward::Done => {
                let same = matches!(&answer, Answer::Done { output } if Some(output) == run.output.as_ref());
                return if same {
                } else {
                    self.strange(step, "contradicts the first answer", &answer)
                };
            }
            Forward::Refused { code, .. } => {
                let same = matches!(&answer, Answer::Refused(refused) if refused.code == *code);
                return if same {
                } else {
                    self.strange(step, "contradicts the first answer", &answer)
                };
            }
            Forward::Ready | Forward::Waiting { .. } | Forward::Skipped | Forward::Unknown { .. } => false,
        };
        if self.exec.has_ended() || !open {
            return match answer {
                Answer::Retry { .. } => {}
                Answer::Done { .. } | Answer::Refused(_) => self.strange(step, "too late", &answer),
            };
        }
        match answer {
            Answer::Done { output } => {
                self.emit(StepSucceeded { step: step.to_owned(), output });
                if role == Role::Pivot {
                    self.emit(PivotPassed { step: step.to_owned() });
                }
            }
            Answer::Refused(Refused { code, reason, .. }) => self.refused(step, role, code, reason),
            Answer::Retry { after_ms, reason } => {
                if matches!(self.exec.runs.get(step).map(|run| &run.forward), Some(Forward::Dispatched { .. })) {
                    self.again(step, &reason, Duration::from_millis(after_ms));
                }
            }
        }
    }
    fn refused(&mut self, step: &str, role: Role, code: String, message: String) {
        if role == Role::Then {
            let message = format!("{code}: {message}");
            return self.emit(SagaParked { step: step.to_owned(), code: "REFUSED_AFTER_PIVOT".to_owned(), message });
        }
        let attempt = self.exec.runs.get(step).map_or(1, |run| run.attempt);
        let class = "refused".to_owned();
        self.emit(StepFailed { saga_id: None, step: step.to_owned(), code, class, message, attempt });
    }
    /// A try did not work: the next one gets its time, or silence gets its meaning.
    fn again(&mut self, step: &str, reason: &str, at_least: Duration) {
        let Some(run) = self.exec.runs.get(step) else { return };
        let Some(policy) = run.def.as_ref().map(|def| def.policy) else { return };
        let backward = self.exec.mode != Mode::Forward;
        let (attempt, tries) = (run.attempt, run.attempt.saturating_sub(run.forgiven));
        if backward || !policy.retry.allows_after(tries) {
            return self.exhausted(step, reason);
        }
        let pause = policy.retry.pause(tries, self.exec.keys(step).0, self.exec.seed).max(at_least);
        let due = self.now.plus(pause);
        self.emit(StepRetryScheduled { step: step.to_owned(), attempt, due, reason: reason.to_owned(), undo: false });
    }
    fn exhausted(&mut self, step: &str, reason: &str) {
        let Some(run) = self.exec.runs.get(step) else { return };
        let probing = matches!(run.forward, Forward::Probing { .. });
        let policy = run.def.as_ref().map_or(OnUnknown::Compensate, |def| def.policy.on_unknown);
        let message = format!("{} tries: {reason}", run.attempt);
        let park = |code: &str| SagaParked { step: step.to_owned(), code: code.to_owned(), message: message.clone() };
        match (run.role(), policy) {
            (Role::Pivot, _) => self.emit(park("PIVOT_UNKNOWN")),
            (Role::Then, _) => self.emit(park("RETRIES_EXHAUSTED")),
            (Role::Ordinary | Role::Read | Role::Wait, OnUnknown::Park) if self.exec.mode == Mode::Forward => {
                self.emit(park("RETRIES_EXHAUSTED"));
            }
            (Role::Ordinary | Role::Read | Role::Wait, OnUnknown::Probe) if !probing => self.probe(step),
            (Role::Ordinary | Role::Read | Role::Wait, _) => self.unknown(step, reason),
        }
    }
    fn probe(&mut self, step: &str) {
        self.emit(StepProbed { step: step.to_owned() });
        let act = self.exec.runs.get(step).and_then(|run| match &run.forward {
            Forward::Probing { deadline, .. } => self.exec.act(step, run, Direction::Do, *deadline, true),
            Forward::Ready
            | Forward::Dispatched { .. }
            | Forward::RetryWait { .. }
            | Forward::Waiting { .. }
            | Forward::Done
            | Forward::Skipped
            | Forward::Refused { .. }
            | Forward::Unknown { .. }
            | Forward::Parked { .. } => None,
        });
        self.out.acts.extend(act);
    }
    pub(super) fn unknown(&mut self, step: &str, reason: &str) {
        let attempt = self.exec.runs.get(step).map_or(0, |run| run.attempt);
        self.emit(StepOutcomeUnknown { step: step.to_owned(), attempt, reason: reason.to_owned() });
    }
    fn faulted(&mut self, step: String, direction: Direction, code: String, message: String) {
        let Some(run) = self.exec.runs.get(&step) else { return };
        if self.exec.has_ended() {
            return;
        }
        match direction {
            Direction::Do if run.in_flight() => self.emit(SagaParked { step, code, message }),
            Direction::Undo => self.undo_failed(&step, code, message),
            Direction::Do => {}
        }
    }
    pub(super) fn strange(&mut self, step: &str, kind: &str, answer: &Answer) {
        let answer = match answer {
            Answer::Done { output } => format!("done {}", head(output.as_str())),
            Answer::Refused(refused) => format!("refused {}: {}", refused.code, head(&refused.reason)),
            Answer::Retry { reason, .. } => format!("retry: {}", head(reason)),
        };
        self.emit(LateReplyRecorded { step: step.to_owned(), kind: kind.to_owned(), answer });
    }

    // ----- time -----

    fn due(&mut self) {
        if self.exec.has_ended() || self.exec.paused.is_some() {
            return;
        }
        if self.exec.deadline().is_some_and(|deadline| deadline <= self.now) {
            let (code, message) = ("SAGA_DEADLINE".to_owned(), "the saga's deadline passed".to_owned());
            self.turn_back(Failure { cause: Cause::Deadline, step: String::new(), code, message }, None);
        }
        let paths: Vec<String> = self.exec.runs.keys().cloned().collect();
        for path in paths {
            let Some(run) = self.exec.runs.get(&path) else { continue };
            match &run.forward {
                Forward::Dispatched { deadline, .. } if *deadline <= self.now => {
                    self.again(&path, "no answer", Duration::ZERO);
                }
                Forward::Probing { deadline, .. } if *deadline <= self.now => {
                    self.unknown(&path, "no answer to the probe");
                }
                Forward::RetryWait { due, .. } if *due <= self.now && self.exec.mode == Mode::Forward => {
                    self.dispatch_again(&path);
                }
                Forward::Waiting { deadline, .. } if *deadline <= self.now && self.exec.mode == Mode::Forward => {
                    self.emit(TimerFired { step: path.clone() });
                }
                Forward::Ready
                | Forward::Dispatched { .. }
                | Forward::RetryWait { .. }
                | Forward::Probing { .. }
                | Forward::Waiting { .. }
                | Forward::Done
                | Forward::Skipped
                | Forward::Refused { .. }
                | Forward::Unknown { .. }
                | Forward::Parked { .. } => {}
            }
            self.undo_due(&path);
        }
    }

    // ----- going forward -----

    fn advance(&mut self, nodes: &[Node], walk: &mut Walk) -> Flow {
        for (index, node) in nodes.iter().enumerate() {
            walk.order.push(Place::Seq(u32::try_from(index).unwrap_or(u32::MAX)));
            let mark = walk.path.len();
            walk.path.push_str(node.name());
            let flow = self.advance_node(node, walk);
            walk.path.truncate(mark);
            walk.order.pop();
            match flow {
                Flow::Done => {}
                Flow::Busy | Flow::Failed(_) => return flow,
            }
        }
        Flow::Done
    }
    fn advance_node(&mut self, node: &Node, walk: &mut Walk) -> Flow {
        if !matches!(node, Node::Step(_)) {
            // A block whose own function broke waits for a person like a step does.
            match self.exec.runs.get(&walk.path).map(|run| &run.forward) {
                Some(Forward::Parked { .. }) => return Flow::Busy,
                Some(Forward::Skipped) => return Flow::Done,
                Some(_) | None => {}
            }
        }
        match node {
            Node::Step(step) => self.advance_step(step, walk),
            Node::All { branches, .. } => {
                let mut all = Flow::Done;
                for (index, (name, body)) in branches.iter().enumerate() {
                    let place = Place::Branch(u32::try_from(index).unwrap_or(u32::MAX));
                    match walk.into(&format!("/{name}/"), place, |walk| self.advance(body, walk)) {
                        Flow::Done => {}
                        Flow::Busy => all = Flow::Busy,
                        failed @ Flow::Failed(_) => return failed,
                    }
                }
                all
            }
            Node::Each { list, at_most, may_fail, body, .. } => {
                let path = walk.path.clone();
                if !self.exec.lists.contains_key(&path) {
                    if !walk.begin {
                        return Flow::Busy;
                    }
                    let items = self.scoped(walk, |view| guarded(|| list(view)));
                    match items {
                        Ok(items) if items.len() <= ITEMS_MAX => self.emit(ListRecorded { step: path, items }),
                        Ok(items) => {
                            let why = format!("{} items, at most {ITEMS_MAX} are allowed", items.len());
                            return self.park(walk, &ArgError(why));
                        }
                        Err(why) => return self.park(walk, &why),
                    }
                }
                self.advance_each(*at_most, *may_fail, body, walk)
            }
            Node::When { condition, body, .. } => {
                let path = walk.path.clone();
                if !self.exec.conditions.contains_key(&path) {
                    if !walk.begin {
                        return Flow::Busy;
                    }
                    match self.scoped(walk, |view| guarded(|| condition(view))) {
                        Ok(taken) => self.emit(ConditionRecorded { step: path.clone(), taken }),
                        Err(why) => return self.park(walk, &why),
                    }
                }
                match self.exec.conditions.get(&path) {
                    Some(true) => walk.within("/", |walk| self.advance(body, walk)),
                    Some(false) | None => Flow::Done,
                }
            }
            Node::Repeat { until, at_most, body, .. } => self.advance_repeat(until, *at_most, body, walk),
        }
    }
    fn advance_repeat(
        &mut self,
        until: &crate::definition::ConditionFn,
        at_most: u32,
        body: &[Node],
        walk: &mut Walk,
    ) -> Flow {
        let path = walk.path.clone();
        loop {
            let (ended, satisfied) = self.exec.rounds.get(&path).copied().unwrap_or((0, false));
            if satisfied {
                return Flow::Done;
            }
            if ended >= at_most {
                return Flow::Failed(Failure {
                    cause: Cause::Refused,
                    step: path,
                    code: "ROUNDS_EXHAUSTED".to_owned(),
                    message: format!("{at_most} rounds did not bring it about"),
                });
            }
            let round = ended + 1;
            match walk.into(&format!("#{round}/"), Place::Round(round), |walk| self.advance(body, walk)) {
                Flow::Done if walk.begin => {
                    // The condition is asked from behind the round: everything in it is earlier.
                    walk.order.push(Place::Round(round + 1));
                    let satisfied = self.scoped(walk, |view| guarded(|| until(view)));
                    walk.order.pop();
                    match satisfied {
                        Ok(satisfied) => self.emit(RoundEnded { step: path.clone(), round, satisfied }),
                        Err(why) => return self.park(walk, &why),
                    }
                }
                Flow::Done => return Flow::Busy,
                flow @ (Flow::Busy | Flow::Failed(_)) => return flow,
            }
        }
    }
    fn advance_each(&mut self, at_most: u32, may_fail: u32, body: &[Node], walk: &mut Walk) -> Flow {
        let path = walk.path.clone();
        let count = self.exec.lists.get(&path).map_or(0, Vec::len);
        let failed = (0..count).filter(|index| self.exec.failed_branches.contains_key(&format!("{path}[{index}]")));
        let mut failed = u32::try_from(failed.count()).unwrap_or(u32::MAX);
        let (mut busy, mut all) = (0, Flow::Done);
        for index in 0..count {
            let branch = format!("{path}[{index}]");
            let place = Place::Item(u32::try_from(index).unwrap_or(u32::MAX));
            if self.exec.failed_branches.contains_key(&branch) {
                if !self.undo_branch(body, &format!("{branch}/"), walk.begin) {
                    (busy, all) = (busy + 1, Flow::Busy);
                }
                continue;
            }
            let begun = self.exec.runs.range(format!("{branch}/")..).next();
            let begun = begun.is_some_and(|(path, _)| path.starts_with(&branch));
            if !begun && busy >= at_most {
                return Flow::Busy;
            }
            match walk.into(&format!("[{index}]/"), place, |walk| self.advance(body, walk)) {
                Flow::Done => {}
                Flow::Busy => (busy, all) = (busy + 1, Flow::Busy),
                Flow::Failed(failure) if failed < may_fail => {
                    failed += 1;
                    (busy, all) = (busy + 1, Flow::Busy);
                    if walk.begin {
                        let Failure { code, message, .. } = failure;
                        self.emit(BranchFailed { step: branch.clone(), code, message });
                        if self.undo_branch(body, &format!("{branch}/"), true) {
                            busy -= 1;
                        }
                    }
                }
                failed @ Flow::Failed(_) => return failed,
            }
        }
        if busy == 0 { Flow::Done } else { all }
    }
    fn advance_step(&mut self, step: &Arc<StepDef>, walk: &mut Walk) -> Flow {
        let path = walk.path.clone();
        let failure = |cause, code: &str, message: &str| {
            Flow::Failed(Failure { cause, step: path.clone(), code: code.to_owned(), message: message.to_owned() })
        };
        match self.exec.runs.get(&path).map(|run| &run.forward) {
            Some(Forward::Done | Forward::Skipped) => Flow::Done,
            Some(
                Forward::Dispatched { .. }
                | Forward::RetryWait { .. }
                | Forward::Probing { .. }
                | Forward::Waiting { .. }
                | Forward::Parked { .. },
            ) => Flow::Busy,
            Some(Forward::Refused { code, message }) => failure(Cause::Refused, code, message),
            Some(Forward::Unknown { reason }) => failure(Cause::Unknown, "OUTCOME_UNKNOWN", reason),
            None | Some(Forward::Ready) if !walk.begin => Flow::Busy,
            None | Some(Forward::Ready) => self.begin_step(step, walk),
        }
    }
    fn begin_step(&mut self, step: &Arc<StepDef>, walk: &Walk) -> Flow {
        let path = walk.path.clone();
        match &step.performer {
            Performer::Gate { gate, deadline_ms, .. } => {
                let early = self.exec.early.get(*gate).and_then(|kept| kept.first()).cloned();
                if let Some(early) = early {
                    let (data, by) = (early.data, early.by);
                    self.emit(SignalReceived { gate: (*gate).to_owned(), step: Some(path), data, by });
                    return Flow::Done;
                }
                let deadline = self.now.plus(Duration::from_millis(*deadline_ms));
                self.emit(WaitStarted { step: path, gate: (*gate).to_owned(), deadline });
            }
            Performer::Here { .. } => self.dispatch(path, None, None),
            Performer::There { request, .. } => {
                let known = self.exec.runs.get(&path).and_then(|run| run.command.clone());
                if known.is_some() {
                    self.dispatch(path, None, None);
                } else {
                    match self.scoped(walk, |view| guarded(|| request(view))) {
                        Ok(Prepared { payload, undo }) => self.dispatch(path, Some(payload), undo),
                        Err(why) => return self.park(walk, &why),
                    }
                }
            }
        }
        Flow::Busy
    }
    fn dispatch_again(&mut self, path: &str) {
        self.dispatch(path.to_owned(), None, None);
    }
    fn dispatch(&mut self, step: String, command: Option<Payload>, undo: Option<Payload>) {
        let attempt = self.exec.runs.get(&step).map_or(0, |run| run.attempt) + 1;
        self.emit(StepDispatched { step: step.clone(), attempt, command, undo });
        let act = self.exec.runs.get(&step).and_then(|run| {
            let deadline = self.now.plus(run.patience());
            self.exec.act(&step, run, Direction::Do, deadline, false)
        });
        self.out.acts.extend(act);
    }
    /// A function of the saga broke: this saga waits for a person, all others go on.
    fn park(&mut self, walk: &Walk, why: &ArgError) -> Flow {
        let (code, message) = ("FAULT".to_owned(), why.to_string());
        self.emit(SagaParked { step: walk.path.clone(), code, message });
        Flow::Busy
    }
    fn scoped<T>(&self, walk: &Walk, call: impl FnOnce(&View<'_>) -> Result<T, ArgError>) -> Result<T, ArgError> {
        let key = self.exec.keys(&walk.path).0;
        call(&View { exec: self.exec, key, order: &walk.order, path: &walk.path })
    }
}

/// Where a walk through the plan stands, and whether it may begin steps or only looks.
pub(super) struct Walk {
    path: String,
    order: Vec<Place>,
    begin: bool,
}
impl Walk {
    fn looking() -> Self {
        Walk { path: String::new(), order: Vec::new(), begin: false }
    }
    fn beginning() -> Self {
        Walk { begin: true, ..Walk::looking() }
    }
    fn within<T>(&mut self, suffix: &str, visit: impl FnOnce(&mut Walk) -> T) -> T {
        let mark = self.path.len();
        self.path.push_str(suffix);
        let out = visit(self);
        self.path.truncate(mark);
        out
    }
    fn into<T>(&mut self, suffix: &str, place: Place, visit: impl FnOnce(&mut Walk) -> T) -> T {
        self.order.push(place);
        let out = self.within(suffix, visit);
        self.order.pop();
        out
    }
}

/// The first 200 characters: enough to recognise it, too few to hurt.
pub(super) fn head(text: &str) -> String {
    text.chars().take(200).collect()
}

/// Whether a path names a step of this definition.
pub(super) fn is_step(def: &Definition, path: &str) -> bool {
    locate(&def.nodes, path).is_some()
}
