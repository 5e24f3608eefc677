//! The way back: settle what is in flight, then undo against the arrows, later steps first, branches side by side.

use super::binding::{Answering, words};
use super::decide::{Deciding, Failure};
use super::patience::pause_ends;
use super::{Backward, Execution, Forward, Mode};
use crate::definition::{Definition, Node};
use crate::fact::{
    Cause, CompensationDispatched, CompensationFailed, NO_ANSWER, SagaCancelled, SagaCompensated, StepCompensated,
    StepRetryScheduled,
};
use crate::id::Direction;
use crate::limits;
use crate::machine::participant::NOTHING_TO_UNDO;
use crate::outcome::{Answer, Refused};
use std::time::Duration;

impl Deciding<'_> {
    /// Brings the backward run as far as it can go now.
    pub(super) fn go_back(&mut self, def: &Definition) {
        if !self.settled() {
            return;
        }
        if self.undo_body(&def.nodes, "", true) {
            let cancelled = match &self.exec.mode {
                Mode::Backward { cause: Cause::Cancelled, by, .. } => Some(by.clone()),
                Mode::Backward { .. } | Mode::Forward | Mode::Ended { .. } => None,
            };
            match cancelled {
                Some(by) => {
                    // The order was recorded when the way back began; the end only names who gave it.
                    let by = by.map(|by| crate::fact::By { request: None, ..by });
                    self.emit(SagaCancelled { abandoned: false, by });
                }
                None => self.emit(SagaCompensated {}),
            }
        }
    }
    /// Whether nothing is in flight any more. A step whose next try lies ahead will not be tried: it may have happened.
    fn settled(&mut self) -> bool {
        self.give_up_retries("");
        !self.exec.runs.values().any(|run| run.in_flight() || run.next_try().is_some())
    }
    fn give_up_retries(&mut self, prefix: &str) {
        let inside = self.exec.runs.range(prefix.to_owned()..).take_while(|(path, _)| path.starts_with(prefix));
        let waiting = inside.filter_map(|(path, run)| run.next_try().map(|reason| (path.clone(), reason.to_owned())));
        for (path, reason) in waiting.collect::<Vec<_>>() {
            if !self.has_room() {
                return;
            }
            self.unknown(&path, &reason);
        }
    }
    /// Undoes a failed branch of a fan-out while the rest goes forward. True when nothing of it is left.
    pub(super) fn undo_branch(&mut self, body: &[Node], prefix: &str, begin: bool) -> bool {
        if begin {
            // What would be tried again is not: it may have happened, and is undone.
            self.give_up_retries(prefix);
        }
        let mut inside = self.exec.runs.range(prefix.to_owned()..).take_while(|(path, _)| path.starts_with(prefix));
        if inside.any(|(_, run)| run.in_flight() || matches!(run.forward, Forward::RetryWait { .. })) {
            return false;
        }
        self.undo_body(body, prefix, begin)
    }
    /// Last part first; an earlier part only when everything behind it is undone.
    fn undo_body(&mut self, nodes: &[Node], prefix: &str, begin: bool) -> bool {
        nodes.iter().rev().all(|node| self.undo_node(node, &format!("{prefix}{}", node.name()), begin))
    }
    fn undo_node(&mut self, node: &Node, path: &str, begin: bool) -> bool {
        match node {
            Node::Step(_) => self.undo_step(path, begin),
            // Side by side: every branch is visited, whatever the others say.
            Node::All { branches, .. } => branches
                .iter()
                .map(|(name, body)| self.undo_body(body, &format!("{path}/{name}/"), begin))
                .fold(true, |all, one| all & one),
            Node::Each { body, .. } => {
                let count = self.exec.lists.get(path).map_or(0, Vec::len);
                (0..count)
                    .map(|index| self.undo_body(body, &format!("{path}[{index}]/"), begin))
                    .fold(true, |all, one| all & one)
            }
            Node::When { body, .. } => match self.exec.conditions.get(path) {
                Some(true) => self.undo_body(body, &format!("{path}/"), begin),
                Some(false) | None => true,
            },
            Node::Repeat { body, .. } => {
                let begun = self.exec.rounds.get(path).map_or(0, |(round, _)| *round) + 1;
                (1..=begun).rev().all(|round| self.undo_body(body, &format!("{path}#{round}/"), begin))
            }
        }
    }
    fn undo_step(&mut self, path: &str, begin: bool) -> bool {
        let Some(run) = self.exec.runs.get(path) else { return true };
        match &run.backward {
            Some(Backward::Undone { .. } | Backward::Skipped) => true,
            Some(Backward::Dispatched { .. } | Backward::RetryWait { .. } | Backward::Failed { .. }) => false,
            None if !run.owes_undo() => true,
            None | Some(Backward::Ready) => {
                if begin && self.has_room() {
                    self.dispatch_undo(path);
                }
                false
            }
        }
    }
    fn dispatch_undo(&mut self, path: &str) {
        let attempt = self.exec.runs.get(path).map_or(0, |run| run.undo_attempt) + 1;
        self.emit(CompensationDispatched { step: path.to_owned(), attempt });
        let act = self.exec.runs.get(path).and_then(|run| {
            let deadline = self.now.plus(run.patience());
            self.exec.act(path, run, Direction::Undo, deadline, false)
        });
        match act {
            Some(act) => self.out.acts.push(act),
            None => self.undo_failed(path, "FAULT".to_owned(), "the undo was not recorded with the deed".to_owned()),
        }
    }
    /// An answer to an undo that binds ([`super::Execution::binds`]).
    pub(super) fn undo_answered(&mut self, of: &Answering, answer: Answer) {
        let step = of.step.as_str();
        let open = match self.backward(step) {
            Some(Backward::Dispatched { .. } | Backward::RetryWait { .. } | Backward::Failed { .. }) => true,
            Some(Backward::Undone { .. }) => {
                return match answer {
                    Answer::Refused(_) => self.strange(of, "contradicts the first answer", words(&answer)),
                    Answer::Done { .. } | Answer::Retry { .. } => {}
                };
            }
            Some(Backward::Skipped | Backward::Ready) | None => false,
        };
        if self.exec.has_ended() || !open {
            return match answer {
                Answer::Retry { .. } => {}
                Answer::Done { .. } | Answer::Refused(_) => self.strange(of, "too late", words(&answer)),
            };
        }
        match answer {
            Answer::Done { output } => {
                let nothing = output.as_str().trim() == NOTHING_TO_UNDO;
                self.emit(StepCompensated { step: step.to_owned(), nothing });
            }
            Answer::Refused(Refused { code, reason, .. }) => self.undo_failed(step, code, reason),
            Answer::Retry { after_ms, reason } => {
                if matches!(self.backward(step), Some(Backward::Dispatched { .. })) {
                    self.weather(step, &reason, Duration::from_millis(after_ms), true);
                }
            }
        }
    }
    fn backward(&self, step: &str) -> Option<&Backward> {
        self.exec.runs.get(step)?.backward.as_ref()
    }
    pub(super) fn undo_failed(&mut self, step: &str, code: String, message: String) {
        if !matches!(self.backward(step), Some(Backward::Failed { .. })) {
            self.emit(CompensationFailed { step: step.to_owned(), code, message });
        }
    }
    fn undo_again(&mut self, step: &str) {
        let Some(run) = self.exec.runs.get(step) else { return };
        let Some(retry) = run.def.as_ref().map(|def| def.policy.undo_retry) else { return };
        let (attempt, tries) = (run.undo_attempt, run.undo_tries());
        if !retry.allows_after(tries) {
            let message = limits::cut(&run.undo_weather.told(tries, NO_ANSWER));
            return self.undo_failed(step, "UNDO_FAILED".to_owned(), message);
        }
        let pause = retry.pause(tries, self.exec.keys(step).1, self.exec.seed);
        let (step, due, reason) = (step.to_owned(), self.now.plus(pause), NO_ANSWER.to_owned());
        self.emit(StepRetryScheduled { step, attempt, due, reason, undo: true });
    }
    pub(super) fn undo_due(&mut self, path: &str) {
        let Some(run) = self.exec.runs.get(path) else { return };
        let silent = |recorded| {
            let ends = self.patience.ends((path, Direction::Undo, false), (run, run.undo_attempt), recorded);
            ends.is_some_and(|ends| ends <= self.now)
        };
        match self.backward(path) {
            Some(Backward::Dispatched { deadline, .. }) if silent(*deadline) => {
                self.undo_again(path);
            }
            Some(Backward::RetryWait { since, due, .. }) if pause_ends(*since, *due, self.now) <= self.now => {
                self.dispatch_undo(path)
            }
            Some(
                Backward::Ready
                | Backward::Dispatched { .. }
                | Backward::RetryWait { .. }
                | Backward::Undone { .. }
                | Backward::Skipped
                | Backward::Failed { .. },
            )
            | None => {}
        }
    }
}

impl Execution {
    /// The steps that going back now would undo, first to last: `(path, undo)`.
    pub fn undo_plan(&self) -> Vec<(String, String)> {
        fn walk(exec: &Execution, nodes: &[Node], prefix: &str, out: &mut Vec<(String, String)>) {
            for node in nodes.iter().rev() {
                let path = format!("{prefix}{}", node.name());
                match node {
                    Node::Step(step) => {
                        let owed = exec.runs.get(&path).is_some_and(|run| {
                            run.owes_undo()
                                && !matches!(run.backward, Some(Backward::Undone { .. } | Backward::Skipped))
                        });
                        if owed {
                            out.push((path, super::look::undo_name(step).unwrap_or_default()));
                        }
                    }
                    Node::All { branches, .. } => {
                        branches.iter().for_each(|(name, body)| walk(exec, body, &format!("{path}/{name}/"), out))
                    }
                    Node::Each { body, .. } => {
                        let count = exec.lists.get(&path).map_or(0, Vec::len);
                        (0..count).for_each(|index| walk(exec, body, &format!("{path}[{index}]/"), out));
                    }
                    Node::When { body, .. } => walk(exec, body, &format!("{path}/"), out),
                    Node::Repeat { body, .. } => {
                        let begun = exec.rounds.get(&path).map_or(0, |(round, _)| *round) + 1;
                        (1..=begun).rev().for_each(|round| walk(exec, body, &format!("{path}#{round}/"), out));
                    }
                }
            }
        }
        let mut out = Vec::new();
        if let Some(def) = self.def.as_ref().filter(|_| !self.has_ended() && !self.pivot_passed) {
            walk(self, &def.nodes, "", &mut out);
        }
        out
    }
}

/// The failure that a person's order stands for.
pub(super) fn ordered(cause: Cause, message: String) -> Failure {
    let code = if cause == Cause::Cancelled { "CANCELLED" } else { "ORDERED" };
    Failure { cause, step: String::new(), code: code.to_owned(), message }
}

/// Questions of the audit.
impl Execution {
    /// Whether the step was refused (and so must not be undone).
    pub fn was_refused(&self, path: &str) -> bool {
        matches!(self.runs.get(path).map(|run| &run.forward), Some(Forward::Refused { .. }))
    }
    /// The steps behind this one whose undo is owed and not finished.
    pub fn not_undone_behind(&self, path: &str) -> Vec<String> {
        let Some(own) = self.runs.get(path).map(|run| &run.order) else { return Vec::new() };
        let behind = |theirs: &[super::Place]| {
            let at = theirs.iter().zip(own).position(|(theirs, own)| theirs != own);
            at.is_some_and(|at| {
                matches!(own[at], super::Place::Seq(_) | super::Place::Round(_)) && theirs[at] > own[at]
            })
        };
        let open = self.runs.iter().filter(|(_, run)| run.owes_undo() && !run.is_undone() && behind(&run.order));
        open.map(|(path, _)| path.clone()).collect()
    }
    /// The steps whose undo is owed and not finished.
    pub fn undo_owed(&self) -> Vec<String> {
        let open = self.runs.iter().filter(|(_, run)| run.owes_undo() && !run.is_undone());
        open.map(|(path, _)| path.clone()).collect()
    }
}
impl super::Run {
    /// What its last try said, when the next one lies ahead.
    fn next_try(&self) -> Option<&str> {
        if let Forward::RetryWait { reason, .. } = &self.forward { Some(reason) } else { None }
    }
    fn is_undone(&self) -> bool {
        matches!(self.backward, Some(Backward::Undone { .. } | Backward::Skipped))
    }
}
