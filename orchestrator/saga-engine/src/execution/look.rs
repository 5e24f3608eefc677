//! What people see of a saga: its state, its rows, what it waits for, what may be ordered now.

use super::weather::bare;
use super::{Backward, Execution, Forward, Mode, Run};
use saga_core::definition::{How, Node, Performer, Role, StepDef, shown, walk};
use saga_core::json::Payload;
use saga_core::limits::head;
use saga_core::path::StepPath;
use saga_core::reason::ParkReason;
use saga_core::view::{Possible, SagaRow, SagaShow, SagaState, StepRow, StepState};
use saga_core::waiting::{WaitReason, Waiting};
use std::fmt::Write;
use std::time::Duration;

impl Execution {
    /// Its state, derived; nothing is stored beside the log.
    pub fn state(&self) -> SagaState {
        if let Mode::Ended { state, .. } = self.mode {
            return state;
        }
        if self.runs.values().any(|run| matches!(run.backward, Some(Backward::Failed { .. }))) {
            return SagaState::UndoFailed;
        }
        if self.paused.is_some() {
            return SagaState::Paused;
        }
        if matches!(self.mode, Mode::Backward { .. }) {
            return SagaState::Compensating;
        }
        let any = |test: fn(&Run) -> bool| self.runs.values().any(test);
        if self.def.is_none() || any(|run| run.backward.is_none() && matches!(run.forward, Forward::Parked { .. })) {
            SagaState::Parked
        } else if any(Run::retries) {
            SagaState::Retrying
        } else if any(|run| matches!(run.forward, Forward::Waiting { .. })) && !any(Run::in_flight) {
            SagaState::Waiting
        } else {
            SagaState::Running
        }
    }
    /// Why nobody here can go on with it, and with which definition it began, if that is how it is.
    pub fn stranded(&self) -> Option<(WaitReason, String)> {
        if self.def.is_some() || self.has_ended() {
            return None;
        }
        let Some(started) = &self.started else { return Some((WaitReason::NoDefinition, String::new())) };
        let began = started.meaning.as_ref().unwrap_or(&started.digest);
        let mut wanted = format!("{}@{} {}", started.definition, started.version, shown(began));
        let Some(other) = &self.other else { return Some((WaitReason::NoDefinition, wanted)) };
        let here = if started.meaning.is_some() { &other.meaning } else { &other.digest };
        let _infallible = write!(wanted, ", here {}", shown(here));
        Some((WaitReason::DigestMismatch, wanted))
    }
    /// Everything it waits for, the most troublesome first.
    pub fn waiting(&self) -> Vec<Waiting> {
        let mut all = Vec::new();
        if self.has_ended() {
            return all;
        }
        let whole = |reason, subject: String, since, last| Waiting {
            last,
            ..Waiting::of(reason, subject, (String::new(), false), None, since)
        };
        if let Some((reason, wanted)) = self.stranded() {
            all.push(whole(reason, wanted, self.started_at, None));
        }
        if let Some((by, since)) = &self.paused {
            all.push(whole(WaitReason::Paused, by.actor.id.clone(), *since, by.reason.clone()));
        }
        for (path, run) in &self.runs {
            all.extend(self.waits_forward(path, run).map(|waiting| run.with_weather(waiting)));
            all.extend(self.waits_backward(path, run).map(|waiting| run.with_weather(waiting)));
        }
        all.sort_by_key(|waiting| match waiting.reason {
            WaitReason::UndoFailed => 0,
            WaitReason::PivotUnknown | WaitReason::RefusedAfterPivot | WaitReason::RetriesExhausted => 1,
            WaitReason::KeyReused
            | WaitReason::Fault
            | WaitReason::NoDefinition
            | WaitReason::DigestMismatch
            | WaitReason::Unreadable => 2,
            WaitReason::Paused => 3,
            WaitReason::Backoff => 4,
            WaitReason::NoReply => 5,
            WaitReason::WaitingSignal => 6,
            WaitReason::WaitingTimer => 7,
        });
        all
    }
    fn waits_forward(&self, path: &str, run: &Run) -> Option<Waiting> {
        if run.backward.is_some() {
            return None;
        }
        let subject = run.def.as_ref().map(|def| performer_name(def)).unwrap_or_default();
        let of = |reason, since, until| Waiting {
            until,
            attempt: run.attempt,
            ..Waiting::of(reason, subject.clone(), (path.to_owned(), false), Some(self.keys(path).0), since)
        };
        match &run.forward {
            Forward::Dispatched { since, deadline } | Forward::Probing { since, deadline } => {
                Some(of(WaitReason::NoReply, *since, Some(*deadline)))
            }
            Forward::RetryWait { since, due, reason } => {
                let last = Some(reason.clone());
                Some(Waiting { last, ..of(WaitReason::Backoff, *since, Some(*due)) })
            }
            Forward::Waiting { gate, since, deadline } if self.mode == Mode::Forward => {
                let timer =
                    matches!(run.def.as_ref().map(|def| &def.performer), Some(Performer::Gate { timer: true, .. }));
                let reason = if timer { WaitReason::WaitingTimer } else { WaitReason::WaitingSignal };
                let (subject, opening) = (gate.clone(), run.opening.clone().filter(|_| !timer));
                let first = opening.is_some() && self.openings(gate).count() == 1;
                let (example, waiting) = (gate_example(run), of(reason, *since, Some(*deadline)));
                Some(Waiting { subject, key: None, opening, example, first, ..waiting })
            }
            Forward::Parked { since, reason, message } => {
                let reason = match reason {
                    ParkReason::PivotUnknown => WaitReason::PivotUnknown,
                    ParkReason::RefusedAfterPivot => WaitReason::RefusedAfterPivot,
                    ParkReason::RetriesExhausted => WaitReason::RetriesExhausted,
                    ParkReason::KeyReused => WaitReason::KeyReused,
                    ParkReason::TooLarge | ParkReason::Unstorable | ParkReason::Fault | ParkReason::Told(_) => {
                        WaitReason::Fault
                    }
                };
                let passed = run.role() == Role::Then;
                Some(Waiting { last: Some(message.clone()), passed, ..of(reason, *since, None) })
            }
            Forward::Ready
            | Forward::Waiting { .. }
            | Forward::Done
            | Forward::Skipped
            | Forward::Refused { .. }
            | Forward::Unknown { .. } => None,
        }
    }
    fn waits_backward(&self, path: &str, run: &Run) -> Option<Waiting> {
        let subject = run.def.as_ref().and_then(|def| undo_name(def)).unwrap_or_default();
        let of = |reason, since, until, last| Waiting {
            until,
            last,
            attempt: run.undo_attempt,
            ..Waiting::of(reason, subject.clone(), (path.to_owned(), true), Some(self.keys(path).1), since)
        };
        match run.backward.as_ref()? {
            Backward::Dispatched { since, deadline } => Some(of(WaitReason::NoReply, *since, Some(*deadline), None)),
            Backward::RetryWait { since, due, reason: last } => {
                Some(of(WaitReason::Backoff, *since, Some(*due), Some(last.clone())))
            }
            Backward::Failed { since, message, .. } => {
                Some(of(WaitReason::UndoFailed, *since, None, Some(message.clone())))
            }
            Backward::Ready | Backward::Undone { .. } | Backward::Skipped => None,
        }
    }
    /// From the first try of a step to its answer, once it has one.
    pub fn took(&self, path: &str) -> Option<Duration> {
        let run = self.runs.get(path)?;
        run.ended.map(|ended| ended.since(run.began))
    }
    /// Its row in a list.
    pub fn row(&self) -> SagaRow {
        let waiting = self.waiting();
        let (kind, version, key) = self.started.as_ref().map_or_else(Default::default, |started| {
            (started.definition.clone(), started.version, started.key.clone())
        });
        let first = waiting.iter().find(|waiting| !waiting.step.is_empty());
        let attempt = first.and_then(|waiting| {
            let run = self.runs.get(waiting.step.as_str())?;
            let policy = run.def.as_ref()?.policy;
            let most = if waiting.undo { policy.undo_retry.attempts_max } else { policy.retry.attempts_max };
            let most = if waiting.overdue_at.is_some() { 0 } else { most };
            (waiting.attempt > 0).then_some((waiting.attempt, most))
        });
        let (ended_at, reason) = match &self.mode {
            Mode::Ended { at, cause, .. } => (Some(*at), cause.clone()),
            Mode::Backward { code, message, .. } => (None, Some(format!("{code}: {message}"))),
            Mode::Forward => (None, waiting.iter().find_map(|waiting| waiting.last.clone())),
        };
        SagaRow {
            id: self.saga,
            kind,
            version,
            key,
            state: self.state(),
            step: first.map(|waiting| waiting.step.clone()),
            undoing: first.is_some_and(|waiting| waiting.undo),
            attempt,
            started_at: self.started_at,
            ended_at,
            reason,
            waiting,
        }
    }
    /// Everything about it; `data` adds input and outputs.
    pub fn show(&self, data: bool) -> SagaShow {
        let mut steps = Vec::new();
        if let Some(def) = &self.def {
            walk(&def.nodes, &|node, path| self.shown(node, path), &mut |path, depth, node| {
                if let Node::Step(step) = node {
                    steps.push(self.step_row(path, step, depth, data));
                }
            });
        }
        let undo_plan = self.undo_plan().into_iter().map(|(path, undo)| format!("{undo} ({path})"));
        SagaShow {
            row: self.row(),
            rev: self.rev.0,
            digest: self.started.as_ref().map(|started| started.digest.clone()).unwrap_or_default(),
            input: self.started.as_ref().filter(|_| data).map(|started| started.input.clone()),
            undo_plan: undo_plan.collect(),
            not_undone: self.not_undone(),
            possible: self.possible(),
            anomalies: self.anomalies,
            as_of: None,
            steps,
        }
    }
    fn not_undone(&self) -> Vec<String> {
        if self.has_ended() || self.pivot_passed {
            return Vec::new();
        }
        let decided = self.runs.iter().filter(|(_, run)| run.decided_by.is_some());
        decided.map(|(path, _)| format!("{path} (a decision)")).collect()
    }
    fn possible(&self) -> Vec<Possible> {
        if self.has_ended() {
            return Vec::new();
        }
        let of = |words: &str, verb: &str, at: Option<String>, reason_needed| Possible {
            words: words.to_owned(),
            verb: verb.to_owned(),
            at,
            reason_needed,
            opening: None,
            example: None,
        };
        let mut possible = Vec::new();
        let (known, paused, forward) = (self.def.is_some(), self.paused.is_some(), self.mode == Mode::Forward);
        for waiting in self.waiting() {
            let step = Some(waiting.step.clone()).filter(|step| !step.is_empty());
            // Nothing can stand in the place of the point of no return.
            let pivot = self.runs.get(waiting.step.as_str()).is_some_and(|run| run.role() == Role::Pivot);
            match waiting.reason {
                WaitReason::WaitingSignal => {
                    let decide = of("decide", "signal", Some(waiting.subject), false);
                    possible.push(Possible { opening: waiting.opening, example: waiting.example, ..decide });
                }
                WaitReason::Backoff if (forward || waiting.undo) && !paused && known => {
                    possible.push(of("try it now", "retry", step, false));
                }
                WaitReason::UndoFailed if known => {
                    possible.extend((!paused).then(|| of("try the undo again", "retry", step.clone(), false)));
                    possible.push(of("it is undone by hand", "skip --undo", step, true));
                }
                WaitReason::RetriesExhausted
                | WaitReason::RefusedAfterPivot
                | WaitReason::KeyReused
                | WaitReason::Fault
                    if known =>
                {
                    possible.extend((!paused).then(|| of("retry the step", "retry", step.clone(), false)));
                    possible.extend((forward && !pivot).then(|| of("go on without it", "skip", step, true)));
                }
                WaitReason::PivotUnknown if !paused && known => possible.push(of("ask again", "retry", step, false)),
                WaitReason::Paused => possible.push(of("go on", "resume", None, false)),
                // For every other wait no order helps now.
                WaitReason::NoReply
                | WaitReason::WaitingTimer
                | WaitReason::NoDefinition
                | WaitReason::DigestMismatch
                | WaitReason::Unreadable
                | WaitReason::Backoff
                | WaitReason::UndoFailed
                | WaitReason::RetriesExhausted
                | WaitReason::RefusedAfterPivot
                | WaitReason::KeyReused
                | WaitReason::Fault
                | WaitReason::PivotUnknown => {}
            }
        }
        let can_go_back = known && forward && !self.pivot_passed && !self.pivot_in_flight();
        if can_go_back {
            possible.push(of("undo everything", "cancel", None, true));
        }
        if self.paused.is_none() {
            possible.push(of("let nothing new begin", "pause", None, false));
        }
        possible
    }
    /// How often the body of a block is shown: for every item of a list that is made, and every round that has begun.
    fn shown(&self, node: &Node, path: &StepPath) -> How {
        match node {
            Node::Step(_) | Node::All { .. } | Node::When { .. } => How::AsWritten,
            Node::Each { .. } => self.items(path).map_or(How::AnyItem, How::Times),
            Node::Repeat { at_most, .. } => {
                let (ended, satisfied) = self.rounds.get(path).copied().unwrap_or((0, false));
                let begun = if satisfied { ended } else { (ended + 1).min(*at_most) };
                How::Times(begun.max(1))
            }
        }
    }
    fn step_row(&self, path: &str, step: &StepDef, depth: usize, data: bool) -> StepRow {
        let run = self.runs.get(path);
        let (module, command) = match &step.performer {
            Performer::There { command, .. } => (Some(command.module.clone()), Some(command.name.clone())),
            Performer::Here { .. } | Performer::Gate { .. } => (None, None),
        };
        let over = self.has_ended() || matches!(self.mode, Mode::Backward { .. });
        StepRow {
            path: path.to_owned(),
            depth,
            module,
            command,
            state: run.map_or(if over { StepState::NotNeeded } else { StepState::Pending }, step_state),
            undo: run.and_then(|run| run.backward.as_ref()).map(|undo| match undo {
                Backward::Ready | Backward::Dispatched { .. } | Backward::RetryWait { .. } => StepState::Undoing,
                Backward::Undone { .. } => StepState::Undone,
                Backward::Skipped => StepState::Skipped,
                Backward::Failed { .. } => StepState::UndoFailed,
            }),
            undo_command: undo_name(step).filter(|_| !matches!(step.performer, Performer::Here { .. })),
            attempt: run.filter(|run| run.attempt > 0).map(|run| (run.attempt, step.policy.retry.attempts_max)),
            took_ms: run.and_then(|run| run.ended.map(|ended| ended.since(run.began).as_millis() as u64)),
            result: run.and_then(result_words),
            output: run.filter(|_| data).and_then(|run| run.output.clone()),
            pivot: step.role == Role::Pivot,
        }
    }
}

impl Run {
    /// Whether it is tried again, now or soon.
    fn retries(&self) -> bool {
        matches!(self.forward, Forward::RetryWait { .. }) || (self.in_flight() && self.attempt > self.forgiven + 1)
    }
}

pub(super) fn step_state(run: &Run) -> StepState {
    match &run.forward {
        Forward::Ready => StepState::Pending,
        Forward::Dispatched { .. } if run.attempt > run.forgiven + 1 => StepState::Retrying,
        Forward::Dispatched { .. } | Forward::Probing { .. } => StepState::Running,
        Forward::RetryWait { .. } => StepState::Retrying,
        Forward::Waiting { .. } => StepState::Waiting,
        Forward::Done if run.decided_by.is_some() => StepState::Decided,
        Forward::Done => StepState::Done,
        Forward::Skipped => StepState::Skipped,
        Forward::Refused { .. } => StepState::Refused,
        Forward::Unknown { .. } => StepState::Unknown,
        Forward::Parked { .. } => StepState::Parked,
    }
}

fn result_words(run: &Run) -> Option<String> {
    if let Some(Backward::Failed { failure, message, .. }) = &run.backward {
        return Some(format!("undo failed: {failure}: {message}"));
    }
    if let (Some(Backward::Dispatched { .. } | Backward::RetryWait { .. }), Some(said)) =
        (&run.backward, run.undo_weather.said())
    {
        return Some(said.to_owned());
    }
    match &run.forward {
        Forward::Refused { code, message } if code == "REFUSED" => Some(message.clone()),
        Forward::Refused { code, message } => Some(format!("{code}: {message}")),
        Forward::Parked { reason, message, .. } => Some(format!("{reason}: {message}")),
        Forward::Unknown { reason } | Forward::RetryWait { reason, .. } => Some(bare(reason).to_owned()),
        Forward::Dispatched { .. } | Forward::Probing { .. } => run.weather.said().map(str::to_owned),
        Forward::Done if run.decided_by.is_some() => run.decided_by.as_ref().map(|who| format!("decided by {who}")),
        Forward::Done => run.output.as_ref().and_then(output_words),
        Forward::Ready | Forward::Waiting { .. } | Forward::Skipped => None,
    }
}

/// An output in a few words: its scalar fields, ids shortened.
fn output_words(output: &Payload) -> Option<String> {
    let value: serde_json::Value = output.read().ok()?;
    let short = |text: &str| match uuid::Uuid::parse_str(text) {
        Ok(id) => id.simple().to_string()[24..].to_owned(),
        Err(_) => text.chars().take(32).collect(),
    };
    // Prose and hashes are for `--data`; here stand ids, states and numbers.
    let brief = |text: &str| text.chars().count() <= 24 && !text.chars().any(char::is_control);
    let words = |value: &serde_json::Value| match value {
        serde_json::Value::String(text) => Some(short(text)).filter(|text| brief(text)),
        serde_json::Value::Number(number) => Some(number.to_string()),
        serde_json::Value::Bool(yes) => Some(yes.to_string()),
        serde_json::Value::Null | serde_json::Value::Array(_) | serde_json::Value::Object(_) => None,
    };
    match &value {
        serde_json::Value::Object(fields) => {
            let parts: Vec<_> =
                fields.iter().filter_map(|(name, value)| Some(format!("{name} {}", words(value)?))).take(2).collect();
            Some(head(&parts.join(", "))).filter(|text| !text.is_empty())
        }
        other @ (serde_json::Value::Null
        | serde_json::Value::Bool(_)
        | serde_json::Value::Number(_)
        | serde_json::Value::String(_)
        | serde_json::Value::Array(_)) => words(other),
    }
}

/// A decision that fits the gate, for people.
fn gate_example(run: &Run) -> Option<Payload> {
    match &run.def.as_ref()?.performer {
        Performer::Gate { example, .. } => Payload::parse((*example)?).ok(),
        Performer::Here { .. } | Performer::There { .. } => None,
    }
}

fn performer_name(step: &StepDef) -> String {
    match &step.performer {
        Performer::Here { .. } => "here".to_owned(),
        Performer::There { command, .. } => format!("{}.{}", command.module, command.name),
        Performer::Gate { gate, .. } => format!("gate {gate}"),
    }
}

/// The undo of a step, as people read it.
pub(super) fn undo_name(step: &StepDef) -> Option<String> {
    match &step.performer {
        Performer::Here { undo, .. } => undo.as_ref().map(|_| format!("undo of {}", step.name)),
        Performer::There { undo, .. } => undo.as_ref().map(|undo| format!("{}.{}", undo.module, undo.name)),
        Performer::Gate { .. } => None,
    }
}
