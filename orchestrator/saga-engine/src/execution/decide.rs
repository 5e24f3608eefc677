//! Signals in, facts and acts out. The state moves with its facts; if their commit fails, the caller reads it anew.

use super::advance::Walk;
use super::answers::{NOTHING_KNOWN, fault_words};
use super::binding::{Answering, words};
use super::orders::{Accepted, OrderRefused, Ordered};
use super::patience::pause_ends;
use super::scope::View;
use super::{Backward, Execution, Forward, Mode, Patience, Run};
use saga_core::bus::Delivered;
use saga_core::definition::{CommandName, Definition, LocalFuture, Performer, locate};
use saga_core::envelope::Actor;
use saga_core::fact::{By, Cause, CompensationStarted, SagaCompleted, SagaFact, SagaParked, SagaStarted, TimerFired};
use saga_core::id::{Direction, Epoch, SagaId, StepKey};
use saga_core::json::Payload;
use saga_core::outcome::Answer;
use saga_core::path::StepPath;
use saga_core::reason::ParkReason;
use saga_core::step::{ArgError, Call, Given, Stop};
use saga_core::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Everything that can happen to a saga. Closed: a new way must be added here.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Signal {
    /// It starts.
    Begun(SagaStarted),
    /// The performer answered: a module, or a local function.
    Answered {
        /// What it answers.
        of: Answering,
        /// What.
        answer: Answer,
    },
    /// A local function or a module broke: a bug, not weather.
    Faulted {
        /// What it answers.
        of: Answering,
        /// A code.
        code: String,
        /// What it said.
        why: String,
    },
    /// A module knows of no answer.
    NothingKnown {
        /// What it answers.
        of: Answering,
    },
    /// A decision about a step can never be stored.
    Unstorable {
        /// The step's path.
        step: StepPath,
        /// Do or undo.
        direction: Direction,
        /// What the store said.
        why: String,
    },
    /// Time has passed.
    Due,
    /// A person ordered something.
    Ordered(Ordered),
}

impl Signal {
    /// The step that it is about, and which way.
    pub fn about(&self) -> Option<(&str, Direction)> {
        match self {
            Signal::Answered { of, .. } | Signal::Faulted { of, .. } | Signal::NothingKnown { of } => {
                Some((&of.step, of.direction))
            }
            Signal::Unstorable { step, direction, .. } => Some((step, *direction)),
            Signal::Begun(_) | Signal::Due | Signal::Ordered(_) => None,
        }
    }
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
    /// Nobody begins it after this: its sender asks anew by then. An undo is carried out all the same.
    pub deadline: Timestamp,
    /// What.
    pub deed: Deed,
}

impl Act {
    /// The module that it is for; `None` for a function of the saga.
    pub fn module(&self) -> Option<&str> {
        match &self.deed {
            Deed::Send { command, .. } | Deed::Probe { command, .. } => Some(&command.module),
            Deed::Run => None,
        }
    }
    /// What its module is sent, by the saga's owner with this epoch.
    pub fn delivered(&self, saga: SagaId, (command, payload): (&CommandName, &Payload), epoch: Epoch) -> Delivered {
        let key = if self.direction == Direction::Do { self.keys.0 } else { self.keys.1 };
        let deed = saga_core::module::Deed {
            saga: saga.0,
            step: self.step.clone(),
            key,
            direction: self.direction,
            attempt: self.attempt,
            actor: Actor::saga(saga),
            correlation: saga.0,
            causation: key.uuid(),
            traceparent: None,
            deadline: Some(self.deadline),
        };
        let (command, version) = (command.name.clone(), command.version);
        Delivered { command, version, payload: payload.clone(), deed, epoch, keys: self.keys }
    }
}

/// What an act asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Deed {
    /// Send this command.
    Send {
        /// The command and its module.
        command: CommandName,
        /// Its JSON.
        payload: Payload,
    },
    /// Ask what became of this command.
    Probe {
        /// The command and its module.
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
    /// Strange messages that were not kept, because they are already or because too many are.
    pub counted: u64,
    /// Whether there is more to decide than one commit holds: look again when this one is durable.
    pub more: bool,
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
    pub(super) step: StepPath,
    pub(super) code: String,
    pub(super) message: String,
}

pub(super) struct Deciding<'a> {
    pub(super) exec: &'a mut Execution,
    pub(super) patience: Patience<'a>,
    pub(super) now: Timestamp,
    pub(super) out: Decision,
    /// Bytes of commands in `out`.
    pub(super) bytes: usize,
}

/// 400 facts in one decision, and what closes it: two decisions and their ends fit into one commit.
pub(super) const FACTS_MAX: usize = 400;
/// 16 MiB of commands in one decision: a commit stays one that every store takes within a moment.
const COMMANDS_BYTES_MAX: usize = 16 * 1024 * 1024;

impl Execution {
    /// Decides what a signal means here, and moves the state as if the facts were folded already.
    ///
    /// Pure and total: the time is an argument; a stale signal becomes a recorded anomaly, never a panic.
    pub fn decide(&mut self, signal: Signal, now: Timestamp) -> Decision {
        self.decide_with(Patience::default(), signal, now)
    }
    /// The same, with what is known of the tries under way: the silence of one that nobody could answer does not count.
    pub fn decide_with(&mut self, patience: Patience<'_>, signal: Signal, now: Timestamp) -> Decision {
        let mut deciding = Deciding { exec: self, patience, now, out: Decision::default(), bytes: 0 };
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
            if let Some((deadline, probe)) = run.forward.under_way() {
                acts.extend(self.act(path, run, Direction::Do, deadline, probe));
            }
            if let Some(Backward::Dispatched { deadline, .. }) = &run.backward {
                acts.extend(self.act(path, run, Direction::Undo, *deadline, false));
            }
        }
        acts
    }
    /// Calls the local function of an act. The call itself is pure; its future does the work. The task that polls the
    /// future calls [`Stop::ask`] and drops the future before another call of this step begins, and at the deadline of
    /// the act.
    pub fn call(&self, act: &Act, stop: &Stop, given: &Given) -> Result<LocalFuture, ArgError> {
        let found = self.runs.get_key_value(act.step.as_str());
        let (path, run) = found.ok_or_else(|| ArgError(format!("no step {}", act.step)))?;
        let def = run.def.as_ref().ok_or_else(|| ArgError(format!("no definition of {}", act.step)))?;
        let Performer::Here { act: forward, undo, .. } = &def.performer else {
            return Err(ArgError(format!("{} is not performed here", act.step)));
        };
        let function = match act.direction {
            Direction::Do => forward,
            Direction::Undo => undo.as_ref().ok_or_else(|| ArgError(format!("{} has no undo", act.step)))?,
        };
        let call = Call { until: act.deadline, stop, given };
        let view = View { exec: self, key: act.keys.0, order: &run.order, path, call: Some(call) };
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
pub(super) fn guarded<T>(call: impl FnOnce() -> Result<T, ArgError>) -> Result<T, ArgError> {
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
    /// Whether one more step fits into this decision; if not, the rest is decided after its commit.
    pub(super) fn has_room(&mut self) -> bool {
        let room = self.out.facts.len() < FACTS_MAX && self.bytes < COMMANDS_BYTES_MAX;
        self.out.more |= !room;
        room
    }
    fn signal(&mut self, signal: Signal) {
        if self.exec.def.is_none() && !matches!(signal, Signal::Begun(_) | Signal::Ordered(_)) {
            // What an answer means is not known without the definition: it is asked for again when there is one.
            return;
        }
        match signal {
            Signal::Begun(started) => {
                if self.exec.started.is_none() {
                    self.emit(started);
                }
            }
            Signal::Answered { of, answer } => match (self.exec.binds(&of), of.direction) {
                (Err(kind), _) => self.strange(&of, kind, words(&answer.bounded())),
                (Ok(()), Direction::Do) => self.answered(&of, answer.bounded()),
                (Ok(()), Direction::Undo) => self.undo_answered(&of, answer.bounded()),
            },
            Signal::Faulted { of, code, why } => match self.exec.binds(&of) {
                Err(kind) => self.strange(&of, kind, fault_words(&code, &why)),
                Ok(()) => self.faulted(&of, code, why),
            },
            Signal::NothingKnown { of } => match self.exec.binds(&of) {
                Err(kind) => self.strange(&of, kind, NOTHING_KNOWN.to_owned()),
                Ok(()) => self.nothing_known(&of),
            },
            Signal::Unstorable { step, direction, why } => self.unstorable(step, direction, &why),
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
            self.go_forward(&def);
        }
        if matches!(self.exec.mode, Mode::Backward { .. }) {
            self.go_back(&def);
        }
    }
    fn go_forward(&mut self, def: &Definition) {
        loop {
            // First look without beginning anything: when one branch has failed, no other may start a step.
            let flow = match self.advance(&def.nodes, &mut Walk::looking()) {
                Flow::Done | Flow::Busy => self.advance(&def.nodes, &mut Walk::beginning()),
                failed @ Flow::Failed(_) => failed,
            };
            match flow {
                Flow::Done => return self.emit(SagaCompleted {}),
                Flow::Busy => return,
                // Behind the pivot nothing is undone: what failed waits for a person, and the rest goes on.
                Flow::Failed(Failure { step, code, message, .. }) if self.exec.pivot_passed => {
                    let (code, message) = (ParkReason::RefusedAfterPivot, format!("{code}: {message}"));
                    self.emit(SagaParked { step, code, message });
                }
                Flow::Failed(failure) => return self.turn_back(failure, None),
            }
        }
    }
    pub(super) fn turn_back(&mut self, failure: Failure, by: Option<By>) {
        let Failure { cause, step, code, message } = failure;
        let step = Some(step).filter(|step| !step.is_root());
        self.emit(CompensationStarted { cause, step, code, message, by });
    }

    fn due(&mut self) {
        if self.exec.has_ended() || self.exec.paused.is_some() {
            return;
        }
        if self.exec.deadline().is_some_and(|deadline| deadline <= self.now) {
            let (code, message) = ("SAGA_DEADLINE".to_owned(), "the saga's deadline passed".to_owned());
            self.turn_back(Failure { cause: Cause::Deadline, step: StepPath::ROOT, code, message }, None);
        }
        let paths: Vec<StepPath> = self.exec.runs.keys().cloned().collect();
        for path in paths {
            if !self.has_room() {
                return;
            }
            let Some(run) = self.exec.runs.get(&path) else { continue };
            let silent = |recorded, probe| {
                let ends = self.patience.ends((&path, Direction::Do, probe), (run, run.attempt), recorded);
                ends.is_some_and(|ends| ends <= self.now)
            };
            match &run.forward {
                Forward::Dispatched { deadline, .. } if silent(*deadline, false) => {
                    self.again(&path);
                }
                Forward::Probing { deadline, .. } if silent(*deadline, true) => {
                    self.unknown(&path, "no answer to the probe");
                }
                Forward::RetryWait { since, due, .. }
                    if pause_ends(*since, *due, self.now) <= self.now && self.exec.mode == Mode::Forward =>
                {
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
}

/// Whether a path names a step of this definition.
pub(super) fn is_step(def: &Definition, path: &str) -> bool {
    path.parse().is_ok_and(|path| locate(&def.nodes, &path).is_some())
}
