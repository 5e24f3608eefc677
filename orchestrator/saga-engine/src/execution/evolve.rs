//! Facts in, state out. Never fails: what was recorded happened.

use super::{ANOMALIES_MAX, Backward, Early, Execution, Forward, Mode, Run, Weather};
use saga_core::definition::{Performer, locate};
use saga_core::fact::{
    CompensationStarted, RetryOrdered, SagaFact, SagaStarted, SignalReceived, StepDispatched, StepRetryScheduled,
    StepSkipped,
};
use saga_core::id::Direction;
use saga_core::json::Payload;
use saga_core::path::StepPath;
use saga_core::time::Timestamp;
use saga_core::view::SagaState;

impl Execution {
    /// Folds one recorded fact. A fact that cannot be (a second end) is kept as a fault and changes nothing else.
    pub fn evolve(&mut self, fact: &SagaFact, at: Timestamp) {
        self.rev = self.rev.next();
        self.moved_at = at;
        self.remember(fact);
        match fact {
            SagaFact::SagaStarted(fact) => self.begun(fact, at),
            SagaFact::StepDispatched(fact) => self.dispatched(fact, at),
            SagaFact::StepSucceeded(fact) => self.finish(&fact.step, Forward::Done, Some(&fact.output), at),
            SagaFact::StepFailed(fact) => {
                let (code, message) = (fact.code.clone(), fact.message.clone());
                self.finish(&fact.step, Forward::Refused { code, message }, None, at);
            }
            SagaFact::StepRetryScheduled(fact) => self.retry_scheduled(fact, at),
            SagaFact::StepProbed(fact) => {
                let run = self.run(&fact.step, at);
                run.forward = Forward::Probing { since: at, deadline: at.plus(run.patience()) };
            }
            SagaFact::StepOutcomeUnknown(fact) => {
                self.finish(&fact.step, Forward::Unknown { reason: fact.reason.clone() }, None, at);
            }
            SagaFact::ListRecorded(fact) => drop(self.lists.insert(fact.step.clone(), fact.items.clone())),
            SagaFact::ConditionRecorded(fact) => drop(self.conditions.insert(fact.step.clone(), fact.taken)),
            SagaFact::RoundEnded(fact) => drop(self.rounds.insert(fact.step.clone(), (fact.round, fact.satisfied))),
            SagaFact::BranchFailed(fact) => {
                drop(self.failed_branches.insert(fact.step.clone(), fact.message.clone()));
            }
            SagaFact::WaitStarted(fact) => {
                let gate = fact.gate.clone();
                self.opened(&fact.step, at).forward = Forward::Waiting { gate, since: at, deadline: fact.deadline };
            }
            SagaFact::SignalReceived(fact) => self.signalled(fact, at),
            SagaFact::TimerFired(fact) => self.timer_fired(&fact.step, at),
            SagaFact::PivotPassed(_) => self.pivot_passed = true,
            SagaFact::CompensationStarted(fact) => self.turned_back(fact),
            SagaFact::CompensationDispatched(fact) => {
                let run = self.run(&fact.step, at);
                run.undo_attempt = fact.attempt;
                run.backward = Some(Backward::Dispatched { since: at, deadline: at.plus(run.patience()) });
            }
            SagaFact::StepCompensated(fact) => {
                self.run(&fact.step, at).backward = Some(Backward::Undone { nothing: fact.nothing });
            }
            SagaFact::CompensationFailed(fact) => {
                let (failure, message) = (fact.code.clone(), fact.message.clone());
                self.run(&fact.step, at).backward = Some(Backward::Failed { since: at, failure, message });
            }
            SagaFact::SagaParked(fact) => {
                let (reason, message) = (fact.code.clone(), fact.message.clone());
                self.run(&fact.step, at).forward = Forward::Parked { since: at, reason, message };
            }
            SagaFact::SagaPaused(fact) => {
                self.paused = Some((fact.by.clone(), at));
            }
            SagaFact::SagaResumed(_) => self.paused = None,
            SagaFact::RetryOrdered(fact) => self.retried(fact, at),
            SagaFact::StepSkipped(fact) => self.skipped(fact, at),
            SagaFact::CompensationSkipped(fact) => {
                self.run(&fact.step, at).backward = Some(Backward::Skipped);
            }
            SagaFact::OperatorNote(_) => {}
            SagaFact::LateReplyRecorded(fact) => {
                self.anomalies += 1;
                if self.strange.len() < ANOMALIES_MAX {
                    self.strange.insert((fact.step.clone(), fact.kind.clone(), fact.answer.clone()));
                }
            }
            SagaFact::SagaCompleted(_) => self.end(SagaState::Completed, at),
            SagaFact::SagaCompensated(_) => self.end(SagaState::Compensated, at),
            SagaFact::SagaCancelled(_) => self.end(SagaState::Cancelled, at),
        }
    }
    fn begun(&mut self, fact: &SagaStarted, at: Timestamp) {
        self.started_at = at;
        self.started = Some(fact.clone());
    }
    fn dispatched(&mut self, fact: &StepDispatched, at: Timestamp) {
        let run = self.run(&fact.step, at);
        run.attempt = fact.attempt;
        if let Some(command) = &fact.command {
            run.command = Some(command.clone());
            run.undo.clone_from(&fact.undo);
        }
        run.forward = Forward::Dispatched { since: at, deadline: at.plus(run.patience()) };
    }
    fn finish(&mut self, step: &StepPath, forward: Forward, output: Option<&Payload>, at: Timestamp) {
        let run = self.run(step, at);
        if let Some(output) = output {
            run.output = Some(output.clone());
        }
        run.forward = forward;
        run.ended = Some(at);
    }
    fn retry_scheduled(&mut self, fact: &StepRetryScheduled, at: Timestamp) {
        let (due, reason) = (fact.due, fact.reason.clone());
        let run = self.run(&fact.step, at);
        if fact.undo {
            run.undo_weather.heard(&reason, at);
            run.backward = Some(Backward::RetryWait { since: at, due, reason });
        } else {
            run.weather.heard(&reason, at);
            run.forward = Forward::RetryWait { since: at, due, reason };
        }
    }
    fn turned_back(&mut self, fact: &CompensationStarted) {
        let (cause, by) = (fact.cause, fact.by.clone());
        self.mode = Mode::Backward { cause, code: fact.code.clone(), message: fact.message.clone(), by };
    }
    fn skipped(&mut self, fact: &StepSkipped, at: Timestamp) {
        self.finish(&fact.step, Forward::Skipped, Some(&fact.output), at);
    }
    fn end(&mut self, state: SagaState, at: Timestamp) {
        let cause = match &self.mode {
            Mode::Backward { message, .. } => Some(message.clone()),
            Mode::Forward | Mode::Ended { .. } => None,
        };
        if self.has_ended() {
            self.fault = Some("a second terminal fact".to_owned());
        }
        self.mode = Mode::Ended { state, at, cause };
    }
    fn signalled(&mut self, fact: &SignalReceived, at: Timestamp) {
        let Some(step) = &fact.step else {
            let early = Early { data: fact.data.clone(), by: fact.by.clone() };
            return self.early.entry(fact.gate.clone()).or_default().push(early);
        };
        // Either the gate was open, or this signal had come early and is used up now.
        let same = |early: &Early| early.data == fact.data && early.by == fact.by;
        if let Some(kept) = self.early.get_mut(&fact.gate).filter(|kept| kept.first().is_some_and(same)) {
            kept.remove(0);
        }
        self.opened(step, at).decided_by = Some(fact.by.actor.id.clone());
        self.finish(step, Forward::Done, Some(&fact.data), at);
    }
    /// A gate that opens gets the name of its opening, once.
    fn opened(&mut self, step: &StepPath, at: Timestamp) -> &mut Run {
        if self.run(step, at).opening.is_none() {
            let opening = self.opening(step);
            self.run(step, at).opening = Some(opening);
        }
        self.run(step, at)
    }
    fn timer_fired(&mut self, step: &StepPath, at: Timestamp) {
        let def = self.run(step, at).def.as_ref();
        if def.is_some_and(|def| matches!(def.performer, Performer::Gate { timer: true, .. })) {
            return self.finish(step, Forward::Done, Some(&Payload::null()), at);
        }
        let (code, message) = ("DEADLINE_PASSED".to_owned(), "nobody decided before the deadline".to_owned());
        self.finish(step, Forward::Refused { code, message }, None, at);
    }
    fn retried(&mut self, fact: &RetryOrdered, at: Timestamp) {
        let run = self.run(&fact.step, at);
        if fact.undo {
            if fact.new_round {
                run.rounds.next(Direction::Undo);
                run.undo_round_from = run.undo_attempt;
            }
            run.undo_forgiven = run.undo_attempt;
            run.undo_weather = Weather::default();
            run.backward = Some(Backward::Ready);
        } else {
            run.forgiven = run.attempt;
            run.weather = Weather::default();
            if fact.new_round {
                run.rounds.next(Direction::Do);
                run.round_from = run.attempt;
                run.command = None;
                run.undo = None;
            }
            run.forward = Forward::Ready;
        }
    }
    fn run(&mut self, path: &StepPath, at: Timestamp) -> &mut Run {
        let def = self.def.as_ref();
        self.runs.entry(path.clone()).or_insert_with(|| {
            let found = def.and_then(|def| locate(&def.nodes, path));
            let (step, order) = found.map_or((None, Vec::new()), |(step, order)| (Some(step), order));
            Run::new(step, order, at)
        })
    }
}
