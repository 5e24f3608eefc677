//! Patience: when the silence of a try counts. Knowledge beside the facts belongs to the process that sends the
//! command, not to the saga.

use super::{Act, Backward, Execution, Forward, Mode, Run};
use saga_core::id::Direction;
use saga_core::time::{Jump, Timestamp};
use std::collections::BTreeMap;
use std::time::Duration;

/// How a try stands on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stand {
    /// It waits for room beside the other commands of its module.
    Waits,
    /// It is being handed to the bus.
    Handed {
        /// How often the bus has not taken it before.
        times: u32,
    },
    /// The bus did not take it: weather of the bus, and no try of the step. It is handed over again.
    NotTaken {
        /// When.
        again: Timestamp,
        /// How often it was not taken.
        times: u32,
        /// What the bus said.
        why: String,
    },
    /// The bus has it, or a function of the saga runs.
    Taken {
        /// Its patience is counted from here.
        begins: Timestamp,
        /// Whether it is known to have left the queue of its module.
        seen: Seen,
    },
}

/// Whether a command that nobody has answered is still queued. Nobody asks before its patience ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// Nobody has asked.
    No,
    /// It was asked, and the answer is awaited.
    Asked,
    /// It has left the queue, or never stood in one.
    Left,
}

/// One try under way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Try {
    /// Which.
    pub attempt: u32,
    /// Whether it only asks what became of this attempt.
    pub probe: bool,
    /// The module that it is for; `None` for functions of the saga.
    pub module: Option<String>,
    /// How it stands.
    pub stand: Stand,
}

/// The tries of one saga that are under way, by step.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tries {
    deeds: BTreeMap<String, Try>,
    undos: BTreeMap<String, Try>,
}

impl Tries {
    /// Those of one direction.
    pub fn of(&self, direction: Direction) -> &BTreeMap<String, Try> {
        if direction == Direction::Do { &self.deeds } else { &self.undos }
    }
    /// The same, to change them.
    pub fn of_mut(&mut self, direction: Direction) -> &mut BTreeMap<String, Try> {
        if direction == Direction::Do { &mut self.deeds } else { &mut self.undos }
    }
    /// One of them, if it is this very attempt.
    pub fn get_mut(&mut self, path: &str, direction: Direction, attempt: u32) -> Option<&mut Try> {
        self.of_mut(direction).get_mut(path).filter(|known| known.attempt == attempt)
    }
    /// Their times on a clock that was set.
    pub(crate) fn move_by(&mut self, by: Jump) {
        for known in self.deeds.values_mut().chain(self.undos.values_mut()) {
            match &mut known.stand {
                Stand::NotTaken { again: at, .. } | Stand::Taken { begins: at, .. } => *at = at.moved(by),
                Stand::Waits | Stand::Handed { .. } => {}
            }
        }
    }
    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Direction, &Try)> {
        let deeds = self.deeds.iter().map(|(path, known)| (path.as_str(), Direction::Do, known));
        deeds.chain(self.undos.iter().map(|(path, known)| (path.as_str(), Direction::Undo, known)))
    }
    /// Takes out what is over, and gives the modules of it.
    pub(crate) fn take_over(&mut self, under_way: impl Fn(&str, Direction, u32) -> bool) -> Vec<Try> {
        let mut over = Vec::new();
        for direction in [Direction::Do, Direction::Undo] {
            let is_over = |path: &String, known: &mut Try| !under_way(path, direction, known.attempt);
            over.extend(self.of_mut(direction).extract_if(.., is_over).map(|(_, known)| known));
        }
        over
    }
}

/// Whether answers can be heard, and since when.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Hearing {
    /// They cannot now: patience stands still.
    pub deaf: bool,
    /// Since when they can: patience begins anew there.
    pub since: Option<Timestamp>,
}

/// What is known of a saga's tries beside its facts. By default nothing: then the facts alone count.
#[derive(Debug, Clone, Copy, Default)]
pub struct Patience<'a> {
    tries: Option<&'a Tries>,
    hearing: Hearing,
}

impl<'a> Patience<'a> {
    /// Over the tries of one saga.
    pub fn new(tries: &'a Tries, hearing: Hearing) -> Self {
        Self { tries: Some(tries), hearing }
    }
    /// When the silence of a try counts; `None` while it does not. `recorded` is what the facts say.
    pub(super) fn ends(
        &self,
        (path, direction, probe): (&str, Direction, bool),
        (run, attempt): (&Run, u32),
        recorded: Timestamp,
    ) -> Option<Timestamp> {
        let known = self.tries.and_then(|tries| tries.of(direction).get(path));
        let this = |known: &&Try| known.attempt == attempt && known.probe == probe;
        let Some(known) = known.filter(this) else { return Some(recorded) };
        let Stand::Taken { begins, seen } = known.stand else { return None };
        let counted = begins.plus(run.patience());
        // Counted from when it was taken, and not from what the facts say: the clock may have been set since.
        if known.module.is_none() {
            return Some(counted);
        }
        if self.hearing.deaf || seen == Seen::Asked {
            return None;
        }
        let heard = self.hearing.since.map_or(counted, |since| since.plus(run.patience()));
        Some(counted.max(heard))
    }
}

/// When a pause between two tries ends. One that began in the future ends now: the clock was set back since, and a pause
/// is no deadline.
pub(super) fn pause_ends(since: Timestamp, due: Timestamp, now: Timestamp) -> Timestamp {
    if since > now { now } else { due }
}

impl Execution {
    /// [`Execution::next_due`], with what is known of the tries under way.
    pub fn next_due_of(&self, patience: Patience<'_>, now: Timestamp) -> Option<Timestamp> {
        if self.has_ended() || self.paused.is_some() || self.def.is_none() {
            return None;
        }
        let forward_only = self.mode == Mode::Forward;
        let runs = self.runs.iter().flat_map(|(path, run)| {
            let forward = match &run.forward {
                Forward::Dispatched { deadline, .. } => {
                    patience.ends((path, Direction::Do, false), (run, run.attempt), *deadline)
                }
                Forward::Probing { deadline, .. } => {
                    patience.ends((path, Direction::Do, true), (run, run.attempt), *deadline)
                }
                // Waits do not count on the way back: nobody is asked any more.
                Forward::Waiting { deadline, .. } => Some(*deadline).filter(|_| forward_only),
                Forward::RetryWait { since, due, .. } => Some(pause_ends(*since, *due, now)),
                Forward::Ready
                | Forward::Done
                | Forward::Skipped
                | Forward::Refused { .. }
                | Forward::Unknown { .. }
                | Forward::Parked { .. } => None,
            };
            let backward = match &run.backward {
                Some(Backward::Dispatched { deadline, .. }) => {
                    patience.ends((path, Direction::Undo, false), (run, run.undo_attempt), *deadline)
                }
                Some(Backward::RetryWait { since, due, .. }) => Some(pause_ends(*since, *due, now)),
                Some(Backward::Ready | Backward::Undone { .. } | Backward::Skipped | Backward::Failed { .. })
                | None => None,
            };
            [forward, backward]
        });
        runs.flatten().chain(self.deadline()).min()
    }
    /// Whether this try is under way, as far as the facts tell.
    pub fn is_under_way(&self, path: &str, direction: Direction, attempt: u32) -> bool {
        self.runs.get(path).is_some_and(|run| match direction {
            Direction::Do => run.in_flight() && run.attempt == attempt,
            Direction::Undo => matches!(run.backward, Some(Backward::Dispatched { .. })) && run.undo_attempt == attempt,
        })
    }
    /// How long a try of this step may be silent.
    pub fn patience_of(&self, path: &str) -> Duration {
        self.runs.get(path).map_or(Duration::ZERO, Run::patience)
    }
    /// The act of a try that is under way.
    pub fn owed(&self, path: &str, direction: Direction, attempt: u32) -> Option<Act> {
        if self.has_ended() || !self.is_under_way(path, direction, attempt) {
            return None;
        }
        let run = self.runs.get(path)?;
        let (deadline, probe) = match (direction, &run.forward, &run.backward) {
            (Direction::Do, Forward::Dispatched { deadline, .. }, _) => (*deadline, false),
            (Direction::Do, Forward::Probing { deadline, .. }, _) => (*deadline, true),
            (Direction::Undo, _, Some(Backward::Dispatched { deadline, .. })) => (*deadline, false),
            (Direction::Do | Direction::Undo, ..) => return None,
        };
        self.act(path, run, direction, deadline, probe)
    }
}
