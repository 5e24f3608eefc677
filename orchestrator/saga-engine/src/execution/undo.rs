//! The way back: wait for what is in flight, then undo against the arrows, later steps first, branches side by side.

use super::binding::{Answering, words};
use super::decide::{Deciding, Failure};
use super::patience::pause_ends;
use super::{Backward, Execution, Forward, Mode};
use crate::machine::participant::NOTHING_TO_UNDO;
use saga_core::definition::{Body, Definition, How, Node, Place};
use saga_core::fact::{
    Cause, CompensationDispatched, CompensationFailed, NO_ANSWER, SagaCancelled, SagaCompensated, StepCompensated,
    StepRetryScheduled,
};
use saga_core::id::Direction;
use saga_core::limits;
use saga_core::outcome::Answer;
use saga_core::path::StepPath;
use saga_core::reason::UndoFailure;
use std::time::Duration;

impl Deciding<'_> {
    /// Brings the backward run as far as it can go now.
    pub(super) fn go_back(&mut self, def: &Definition) {
        if !self.settled() {
            return;
        }
        if self.undo_body(&def.nodes, &StepPath::ROOT, true) {
            let cancelled = match &self.exec.mode {
                Mode::Backward { cause: Cause::Cancelled, by, .. } => Some(by.clone()),
                Mode::Backward { .. } | Mode::Forward | Mode::Ended { .. } => None,
            };
            match cancelled {
                Some(by) => {
                    // The order was recorded when the way back began; the end only names who gave it.
                    let by = by.map(|by| saga_core::fact::By { request: None, ..by });
                    self.emit(SagaCancelled { abandoned: false, by });
                }
                None => self.emit(SagaCompensated {}),
            }
        }
    }
    /// Whether nothing is in flight any more. A step whose next try lies ahead will not be tried: it may have happened.
    fn settled(&mut self) -> bool {
        self.give_up_retries(&StepPath::ROOT);
        !self.exec.runs.values().any(|run| run.in_flight() || run.next_try().is_some())
    }
    fn give_up_retries(&mut self, branch: &StepPath) {
        let inside = self.exec.runs_in(branch);
        let waiting = inside.filter_map(|(path, run)| run.next_try().map(|reason| (path.clone(), reason.to_owned())));
        for (path, reason) in waiting.collect::<Vec<_>>() {
            if !self.has_room() {
                return;
            }
            self.unknown(&path, &reason);
        }
    }
    /// Undoes a failed branch of a fan-out while the rest goes forward. True when nothing of it is left.
    pub(super) fn undo_branch(&mut self, body: &[Node], branch: &StepPath, begin: bool) -> bool {
        if begin {
            // What would be tried again is not: it may have happened, and is undone.
            self.give_up_retries(branch);
        }
        let open = |run: &super::Run| run.in_flight() || matches!(run.forward, Forward::RetryWait { .. });
        if self.exec.runs_in(branch).any(|(_, run)| open(run)) {
            return false;
        }
        self.undo_body(body, branch, begin)
    }
    /// Last part first; an earlier part only when everything behind it is undone.
    fn undo_body(&mut self, nodes: &[Node], at: &StepPath, begin: bool) -> bool {
        nodes.iter().rev().all(|node| self.undo_node(node, &at.child(node.name()), begin))
    }
    fn undo_node(&mut self, node: &Node, path: &StepPath, begin: bool) -> bool {
        let bodies = self.exec.bodies_back(node, path);
        match node {
            Node::Step(_) => self.undo_step(path, begin),
            // Side by side: every branch is visited, whatever the others say.
            Node::All { .. } | Node::Each { .. } => {
                bodies.iter().map(|body| self.undo_body(body.nodes, &body.path, begin)).fold(true, |all, one| all & one)
            }
            Node::When { .. } | Node::Repeat { .. } => {
                bodies.iter().all(|body| self.undo_body(body.nodes, &body.path, begin))
            }
        }
    }
    fn undo_step(&mut self, path: &StepPath, begin: bool) -> bool {
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
    fn dispatch_undo(&mut self, path: &StepPath) {
        let attempt = self.exec.runs.get(path).map_or(0, |run| run.undo_attempt) + 1;
        self.emit(CompensationDispatched { step: path.clone(), attempt });
        let act = self.exec.runs.get(path).and_then(|run| {
            let deadline = self.now.plus(run.patience());
            self.exec.act(path, run, Direction::Undo, deadline, false)
        });
        match act {
            Some(act) => self.out.acts.push(act),
            None => self.undo_failed(path, UndoFailure::Fault, "the undo was not recorded with the deed".to_owned()),
        }
    }
    /// An answer to an undo that binds ([`super::Execution::binds`]).
    pub(super) fn undo_answered(&mut self, of: &Answering, answer: Answer) {
        let Some((step, _)) = self.exec.step_of(of) else { return };
        let step = &step;
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
                self.emit(StepCompensated { step: step.clone(), nothing });
            }
            Answer::Refused(refused) => {
                let (failure, reason) = UndoFailure::refused(refused);
                self.undo_failed(step, failure, reason);
            }
            Answer::Retry { after_ms, reason } => {
                if matches!(self.backward(step), Some(Backward::Dispatched { .. })) {
                    self.weather(step, &reason, Duration::from_millis(after_ms), true);
                }
            }
        }
    }
    fn backward(&self, step: &StepPath) -> Option<&Backward> {
        self.exec.runs.get(step)?.backward.as_ref()
    }
    pub(super) fn undo_failed(&mut self, step: &StepPath, failure: UndoFailure, message: String) {
        if !matches!(self.backward(step), Some(Backward::Failed { .. })) {
            self.emit(CompensationFailed { step: step.clone(), code: failure, message });
        }
    }
    fn undo_again(&mut self, step: &StepPath) {
        let Some(run) = self.exec.runs.get(step) else { return };
        let Some(retry) = run.def.as_ref().map(|def| def.policy.undo_retry) else { return };
        let (attempt, tries) = (run.undo_attempt, run.undo_tries());
        if !retry.allows_after(tries) {
            let message = limits::cut(&run.undo_weather.told(tries, NO_ANSWER));
            return self.undo_failed(step, UndoFailure::Exhausted, message);
        }
        let pause = retry.pause(tries, self.exec.keys(step).1, self.exec.seed);
        let (step, due, reason) = (step.clone(), self.now.plus(pause), NO_ANSWER.to_owned());
        self.emit(StepRetryScheduled { step, attempt, due, reason, undo: true });
    }
    pub(super) fn undo_due(&mut self, path: &StepPath) {
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
    pub fn undo_plan(&self) -> Vec<(StepPath, String)> {
        fn walk(exec: &Execution, nodes: &[Node], at: &StepPath, out: &mut Vec<(StepPath, String)>) {
            for node in nodes.iter().rev() {
                let path = at.child(node.name());
                exec.bodies_back(node, &path).iter().for_each(|body| walk(exec, body.nodes, &body.path, out));
                let Node::Step(step) = node else { continue };
                if exec.runs.get(&path).is_some_and(|run| run.owes_undo() && !run.is_undone()) {
                    out.push((path, super::look::undo_name(step).unwrap_or_default()));
                }
            }
        }
        let mut out = Vec::new();
        if let Some(def) = self.def.as_ref().filter(|_| !self.has_ended() && !self.pivot_passed) {
            walk(self, &def.nodes, &StepPath::ROOT, &mut out);
        }
        out
    }
    /// The bodies of a block that have begun, in the order in which the way back goes through them: later rounds first.
    fn bodies_back<'a>(&self, node: &'a Node, path: &StepPath) -> Vec<Body<'a>> {
        let times = match node {
            Node::Step(_) | Node::All { .. } => 1,
            Node::Each { .. } => self.items(path).unwrap_or(0),
            Node::When { .. } => u32::from(self.conditions.get(path) == Some(&true)),
            Node::Repeat { .. } => self.rounds.get(path).map_or(0, |(round, _)| *round) + 1,
        };
        let mut bodies = node.bodies(path, How::Times(times));
        if matches!(node, Node::Repeat { .. }) {
            bodies.reverse();
        }
        bodies
    }
    /// How many items the list of a fan-out has, once it is made.
    pub(super) fn items(&self, path: &StepPath) -> Option<u32> {
        self.lists.get(path).map(|list| u32::try_from(list.len()).unwrap_or(u32::MAX))
    }
    /// The steps that have begun inside a body.
    pub(super) fn runs_in<'a>(&'a self, body: &'a StepPath) -> impl Iterator<Item = (&'a StepPath, &'a super::Run)> {
        // The paths inside stand side by side, and what comes before all of them is the body itself with no name behind it.
        let from = if body.is_root() { StepPath::ROOT } else { body.child("") };
        self.runs.range(from..).take_while(|(path, _)| body.contains(path))
    }
}

/// The failure that a person's order stands for.
pub(super) fn ordered(cause: Cause, message: String) -> Failure {
    let code = if cause == Cause::Cancelled { "CANCELLED" } else { "ORDERED" };
    Failure { cause, step: StepPath::ROOT, code: code.to_owned(), message }
}

/// Questions of the audit.
impl Execution {
    /// Whether the step was refused (and so must not be undone).
    pub fn was_refused(&self, path: &str) -> bool {
        matches!(self.runs.get(path).map(|run| &run.forward), Some(Forward::Refused { .. }))
    }
    /// The steps behind this one whose undo is owed and not finished.
    pub fn not_undone_behind(&self, path: &str) -> Vec<StepPath> {
        let Some(own) = self.runs.get(path).map(|run| &run.order) else { return Vec::new() };
        let behind = |theirs: &[Place]| {
            let at = theirs.iter().zip(own).position(|(theirs, own)| theirs != own);
            at.is_some_and(|at| matches!(own[at], Place::Seq(_) | Place::Round(_)) && theirs[at] > own[at])
        };
        let open = self.runs.iter().filter(|(_, run)| run.owes_undo() && !run.is_undone() && behind(&run.order));
        open.map(|(path, _)| path.clone()).collect()
    }
    /// The steps whose undo is owed and not finished.
    pub fn undo_owed(&self) -> Vec<StepPath> {
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
