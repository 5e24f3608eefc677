//! What an answer binds to: saga, step, direction, try, key and module, all of it. Anything else is kept and changes nothing.

use super::Execution;
use super::decide::{Act, Deciding, Deed};
use super::head;
use saga_core::definition::{Performer, deed_key};
use saga_core::fact::LateReplyRecorded;
use saga_core::id::{Direction, StepKey};
use saga_core::json::Payload;
use saga_core::outcome::Answer;
use saga_core::path::StepPath;
use serde::{Deserialize, Serialize};

/// 100 strange messages of one saga are kept: enough to see a pattern, too few to hurt. The rest are counted.
pub const ANOMALIES_MAX: usize = 100;

/// What an answer says that it answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answering {
    /// The step's path.
    pub step: String,
    /// Do or undo.
    pub direction: Direction,
    /// Which try, from 1. Every try of a round has the same key, so an answer to an earlier one is an answer.
    pub attempt: u32,
    /// The key of the command, or of the call.
    pub key: StepKey,
    /// The module that answers, as the bus knows it; `None` is a function of the saga itself.
    pub module: Option<String>,
}

impl Answering {
    /// What an answer to this act says.
    pub fn of(act: &Act) -> Self {
        let key = if act.direction == Direction::Do { act.keys.0 } else { act.keys.1 };
        let module = match &act.deed {
            Deed::Send { command, .. } | Deed::Probe { command, .. } => Some(command.module.clone()),
            Deed::Run => None,
        };
        Answering { step: act.step.clone(), direction: act.direction, attempt: act.attempt, key, module }
    }
}

/// One strange message, as it is kept: step, kind and words.
pub(super) type Strange = (String, String, String);

impl Execution {
    /// What an honest answer to the newest try of a step says.
    pub fn answering(&self, step: &str, direction: Direction) -> Answering {
        let run = self.runs.get(step);
        let attempt = match direction {
            Direction::Do => run.map_or(1, |run| run.attempt),
            Direction::Undo => run.map_or(1, |run| run.undo_attempt),
        };
        let key = self.key(step, direction);
        let module = run.and_then(|run| run.asked(direction)).map(str::to_owned);
        Answering { step: step.to_owned(), direction, attempt, key, module }
    }
    /// The step that an answer names, if it has begun.
    pub(super) fn step_of(&self, of: &Answering) -> Option<(StepPath, &super::Run)> {
        self.runs.get_key_value(of.step.as_str()).map(|(step, run)| (step.clone(), run))
    }
    /// Whether an answer fits a command that was sent, and comes from the module it was sent to; otherwise what is
    /// strange about it.
    pub(super) fn binds(&self, of: &Answering) -> Result<(), &'static str> {
        let Some(run) = self.runs.get(of.step.as_str()) else { return Err("no such step") };
        let (newest, before) = match of.direction {
            Direction::Do => (run.attempt, run.round_from),
            Direction::Undo => (run.undo_attempt, run.undo_round_from),
        };
        if of.key != self.key(&of.step, of.direction) {
            return Err(self.other_key(of, run.rounds.before()));
        }
        match of.attempt {
            0 => Err("names no try"),
            attempt if attempt > newest => Err("answers a try that was never made"),
            attempt if attempt <= before => Err("answers an earlier round"),
            _ if run.asked(of.direction) != of.module.as_deref() => Err("comes from a module that was not asked"),
            _ => Ok(()),
        }
    }
    /// A person ordered a further round since, which is another deed with another key; or nobody ever asked with this key.
    fn other_key(&self, of: &Answering, (round, undo_round): (u32, u32)) -> &'static str {
        let earlier = |round, undo| of.key == deed_key(self.saga.0, &of.step, of.direction, round, undo);
        let known = (0..=round).any(|round| earlier(round, 0)) || (0..=undo_round).any(|undo| earlier(round, undo));
        if known { "answers an earlier round" } else { "answers another key" }
    }
}

impl super::Run {
    /// The module that a step asks; `None` for functions of the saga, and for gates.
    fn asked(&self, direction: Direction) -> Option<&str> {
        let Performer::There { command, undo, .. } = &self.def.as_ref()?.performer else { return None };
        match direction {
            Direction::Do => Some(&command.module),
            Direction::Undo => undo.as_ref().map(|undo| undo.module.as_str()),
        }
    }
}

impl Deciding<'_> {
    /// Keeps a message that changes nothing: once, and not more than [`ANOMALIES_MAX`] of a saga.
    pub(super) fn strange(&mut self, of: &Answering, kind: &str, says: String) {
        let undo = if of.direction == Direction::Undo { " (undo)" } else { "" };
        let kind = format!("{kind}{undo}");
        let step = head(&of.step);
        let message = (step.clone(), kind.clone(), says.clone());
        if self.exec.strange.len() >= ANOMALIES_MAX || self.exec.strange.contains(&message) {
            self.out.counted += 1;
            return;
        }
        self.emit(LateReplyRecorded { step, kind, answer: says });
    }
}

/// An answer in one line.
pub(super) fn words(answer: &Answer) -> String {
    match answer {
        Answer::Done { output } => format!("done {}", head(output.as_str())),
        Answer::Refused(refused) => format!("refused {}: {}", head(&refused.code), head(&refused.reason)),
        Answer::Retry { reason, .. } => format!("retry: {}", head(reason)),
    }
}

/// Whether two texts are the same JSON value: white space and the order of fields say nothing.
pub(super) fn same_value(left: &Payload, right: &Payload) -> bool {
    let value = |payload: &Payload| payload.read::<serde_json::Value>().ok();
    left == right || (value(left).is_some() && value(left) == value(right))
}
