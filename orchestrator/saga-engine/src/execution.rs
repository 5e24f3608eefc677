//! The heart: the state of one saga, folded from its facts. `evolve` never fails, `decide` never waits.
//!
//! Facts in, state out (`evolve`); signals in, facts and acts out (`decide`); what answers mean (`answers`); the way
//! forward (`advance`) and back (`undo`); what they bind to (`binding`); what functions can see (`scope`); what people order (`orders`), decide (`gates`) and see (`look`).

mod advance;
mod answers;
mod binding;
mod decide;
mod evolve;
mod gates;
mod keys;
mod look;
mod orders;
mod patience;
mod preview;
mod requests;
mod scope;
mod undo;
mod weather;

pub use binding::{ANOMALIES_MAX, Answering};
pub use decide::{Act, Decision, Deed, Signal};
use keys::Rounds;
pub use orders::{Accepted, OrderRefused, Ordered};
pub use patience::{Hearing, Patience, Seen, Stand, Tries, Try};
use requests::Spoken;
pub use requests::start_digest;
pub(crate) use saga_core::limits::head;

use saga_core::definition::{Definition, Fit, Performer, Place, Role, StepDef};
use saga_core::fact::{By, Cause, SagaStarted};
use saga_core::id::{Direction, RequestId, SagaId, StepKey, Version};
use saga_core::json::Payload;
use saga_core::path::StepPath;
use saga_core::reason::{ParkReason, UndoFailure};
use saga_core::time::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use weather::Weather;

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
        reason: ParkReason,
        message: String,
    },
}

impl Forward {
    /// The deadline of the try or the question that is out and not answered, and whether it is a question.
    fn under_way(&self) -> Option<(Timestamp, bool)> {
        match self {
            Forward::Dispatched { deadline, .. } => Some((*deadline, false)),
            Forward::Probing { deadline, .. } => Some((*deadline, true)),
            Forward::Ready
            | Forward::RetryWait { .. }
            | Forward::Waiting { .. }
            | Forward::Done
            | Forward::Skipped
            | Forward::Refused { .. }
            | Forward::Unknown { .. }
            | Forward::Parked { .. } => None,
        }
    }
}

/// How its undo stands.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Backward {
    Ready,
    Dispatched { since: Timestamp, deadline: Timestamp },
    RetryWait { since: Timestamp, due: Timestamp, reason: String },
    Undone { nothing: bool },
    Skipped,
    Failed { since: Timestamp, failure: UndoFailure, message: String },
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
    /// The weather since then, in each direction.
    weather: Weather,
    undo_weather: Weather,
    rounds: Rounds,
    /// Tries that belong to earlier rounds.
    round_from: u32,
    undo_round_from: u32,
    command: Option<Payload>,
    undo: Option<Payload>,
    output: Option<Payload>,
    began: Timestamp,
    ended: Option<Timestamp>,
    decided_by: Option<String>,
    /// Of a gate: the name of its opening.
    opening: Option<String>,
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
            weather: Weather::default(),
            undo_weather: Weather::default(),
            rounds: Rounds::default(),
            round_from: 0,
            undo_round_from: 0,
            command: None,
            undo: None,
            output: None,
            began,
            ended: None,
            decided_by: None,
            opening: None,
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
            Forward::Skipped | Forward::Parked { .. } | Forward::Ready => self.attempt > self.round_from,
            Forward::Dispatched { .. } | Forward::Probing { .. } => true,
            Forward::Waiting { .. } | Forward::Refused { .. } => false,
        };
        self.role() == Role::Ordinary && has_undo && may_have_happened
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
    Ended { state: saga_core::view::SagaState, at: Timestamp, cause: Option<String> },
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
    /// The definition that this process has under the same name and version, if it means something else.
    other: Option<Arc<Definition>>,
    seed: u64,
    rev: Version,
    started: Option<SagaStarted>,
    started_at: Timestamp,
    moved_at: Timestamp,
    mode: Mode,
    paused: Option<(By, Timestamp)>,
    pivot_passed: bool,
    runs: BTreeMap<StepPath, Run>,
    lists: BTreeMap<StepPath, Vec<Payload>>,
    conditions: BTreeMap<StepPath, bool>,
    rounds: BTreeMap<StepPath, (u32, bool)>,
    failed_branches: BTreeMap<StepPath, String>,
    early: BTreeMap<String, Vec<Early>>,
    requests: BTreeMap<RequestId, Spoken>,
    anomalies: u64,
    /// The strange messages that were kept, each once.
    strange: BTreeSet<binding::Strange>,
    fault: Option<String>,
}

impl Execution {
    /// A saga of which nothing is known yet. `seed` decides the jitter of its retries.
    pub fn new(saga: SagaId, definition: impl Into<Fit>, seed: u64) -> Self {
        let (def, other) = match definition.into() {
            Fit::Same(definition) => (Some(definition), None),
            Fit::Other(other) => (None, Some(other)),
            Fit::Missing => (None, None),
        };
        Execution {
            saga,
            def,
            other,
            seed,
            rev: Version::ZERO,
            started: None,
            started_at: Timestamp::default(),
            moved_at: Timestamp::default(),
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
            strange: BTreeSet::new(),
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
    /// When it began.
    pub fn started_at(&self) -> Timestamp {
        self.started_at
    }
    /// When its last fact was recorded.
    pub fn moved_at(&self) -> Timestamp {
        self.moved_at
    }
    /// Whether it has ended.
    pub fn has_ended(&self) -> bool {
        matches!(self.mode, Mode::Ended { .. })
    }
    /// The next moment at which something is due by itself.
    pub fn next_due(&self) -> Option<Timestamp> {
        self.next_due_of(Patience::default(), Timestamp(i64::MAX))
    }
    /// When the saga as a whole has to be past its pivot.
    fn deadline(&self) -> Option<Timestamp> {
        let open = self.mode == Mode::Forward && !self.pivot_passed && !self.pivot_in_flight();
        let tuned = self.def.as_ref().map(|def| def.deadline_ms)?;
        // Another tuning may give an open saga more time. It never takes away what it began with.
        let deadline_ms = self.started.as_ref().and_then(|started| started.deadline_ms).unwrap_or(0).max(tuned);
        open.then(|| self.started_at.plus(Duration::from_millis(deadline_ms)))
    }
    fn pivot_in_flight(&self) -> bool {
        self.runs
            .values()
            .any(|run| run.role() == Role::Pivot && !matches!(run.forward, Forward::Refused { .. } | Forward::Ready))
    }
    /// The keys of a step's deed and of its undo.
    pub fn keys(&self, path: &str) -> (StepKey, StepKey) {
        let known = self.runs.get(path).map(|run| run.rounds.keys(self.saga, path));
        known.unwrap_or_else(|| Rounds::default().keys(self.saga, path))
    }
    /// One of them.
    pub(crate) fn key(&self, path: &str, direction: Direction) -> StepKey {
        let (deed, undo) = self.keys(path);
        if direction == Direction::Do { deed } else { undo }
    }
    /// What a step asks of a module, if it asks one: the module for the deed, the module for its undo, and both
    /// commands as they are recorded.
    pub fn asked(&self, path: &str) -> Option<Asked<'_>> {
        let run = self.runs.get(path)?;
        match &run.def.as_ref()?.performer {
            Performer::There { command, undo, .. } => Some(Asked {
                module: &command.module,
                command: run.command.as_ref(),
                undoer: undo.as_ref().map_or(&command.module, |undo| &undo.module),
                undo: run.undo.as_ref(),
            }),
            Performer::Here { .. } | Performer::Gate { .. } => None,
        }
    }
}

/// What a step asks of modules.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The module that does it.
    pub module: &'a str,
    /// The command, once it was dispatched.
    pub command: Option<&'a Payload>,
    /// The module that takes it back.
    pub undoer: &'a str,
    /// The command that takes it back, once the deed was dispatched.
    pub undo: Option<&'a Payload>,
}
