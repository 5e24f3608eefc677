//! Answers, and their absence: what each means for the step that was asked.

use super::binding::{Answering, same_value, words};
use super::decide::Deciding;
use super::head;
use super::{Backward, Forward, Mode};
use saga_core::definition::Role;
use saga_core::fact::{
    NO_ANSWER, PivotPassed, SagaParked, StepFailed, StepOutcomeUnknown, StepProbed, StepRetryScheduled, StepSucceeded,
};
use saga_core::id::Direction;
use saga_core::limits;
use saga_core::outcome::{Answer, KEY_REUSED, Refused};
use saga_core::path::StepPath;
use saga_core::policy::OnUnknown;
use saga_core::reason::{ParkReason, UndoFailure};
use std::time::Duration;

impl Deciding<'_> {
    /// An answer that binds ([`super::Execution::binds`]): what it means where the step stands.
    pub(super) fn answered(&mut self, of: &Answering, answer: Answer) {
        let Some((step, run)) = self.exec.step_of(of) else { return };
        let step = &step;
        let role = run.role();
        let open = match &run.forward {
            Forward::Dispatched { .. } | Forward::Probing { .. } | Forward::RetryWait { .. } => true,
            Forward::Parked { reason: ParkReason::RefusedAfterPivot, message, .. } => {
                let same = matches!(&answer, Answer::Refused(refused) if message.starts_with(&refused.code));
                return self.again_or_strange(of, &answer, same);
            }
            Forward::Parked { reason: ParkReason::KeyReused, .. } if is_reused(&answer) => return,
            // A step parked for want of an answer goes on when the answer comes.
            Forward::Parked { reason, .. } => reason.is_silence(),
            Forward::Done => {
                let known = |output| run.output.as_ref().is_some_and(|known| same_value(known, output));
                let same = matches!(&answer, Answer::Done { output } if known(output));
                return self.again_or_strange(of, &answer, same);
            }
            Forward::Refused { code, .. } => {
                let same = matches!(&answer, Answer::Refused(refused) if refused.code == *code);
                return self.again_or_strange(of, &answer, same);
            }
            Forward::Ready | Forward::Waiting { .. } | Forward::Skipped | Forward::Unknown { .. } => false,
        };
        if self.exec.has_ended() || !open {
            return match answer {
                Answer::Retry { .. } => {}
                Answer::Done { .. } | Answer::Refused(_) => self.strange(of, "too late", words(&answer)),
            };
        }
        match answer {
            Answer::Done { output } if let Err(why) = limits::body("the output", &output) => {
                // It happened, and what it gave cannot be kept: a person decides, and nothing is forgotten.
                let (code, message) = (ParkReason::TooLarge, why.to_string());
                self.emit(SagaParked { step: step.clone(), code, message });
            }
            Answer::Done { output } => {
                self.emit(StepSucceeded { step: step.clone(), output });
                if role == Role::Pivot {
                    self.emit(PivotPassed { step: step.clone() });
                }
            }
            // The barrier's words, not the business's: under this key lies an answer to something else. Whether this step
            // happened is not known, so nothing is concluded from it, and a person decides.
            Answer::Refused(Refused { code, reason, .. }) if code == KEY_REUSED && self.exec.asked(step).is_some() => {
                self.emit(SagaParked { step: step.clone(), code: ParkReason::KeyReused, message: reason });
            }
            Answer::Refused(Refused { code, reason, .. }) => self.refused(step, role, code, reason),
            Answer::Retry { after_ms, reason } => {
                let under_way = self.exec.runs.get(step).is_some_and(super::Run::in_flight);
                if under_way && self.exec.mode == Mode::Forward {
                    self.weather(step, &reason, Duration::from_millis(after_ms), false);
                } else if under_way {
                    // Nobody tries again on the way back. The bus may still deliver the try once more: the undo bars it.
                    self.exhausted(step, &reason);
                }
            }
        }
    }
    /// The first answer once more says nothing new, and weather is not an answer; any other contradicts the first.
    fn again_or_strange(&mut self, of: &Answering, answer: &Answer, same: bool) {
        if !same && !matches!(answer, Answer::Retry { .. }) {
            self.strange(of, "contradicts the first answer", words(answer));
        }
    }
    fn refused(&mut self, step: &StepPath, role: Role, code: String, message: String) {
        if role == Role::Then {
            let message = limits::cut(&format!("{code}: {message}"));
            return self.emit(SagaParked { step: step.clone(), code: ParkReason::RefusedAfterPivot, message });
        }
        let attempt = self.exec.runs.get(step).map_or(1, |run| run.attempt);
        let class = "refused".to_owned();
        self.emit(StepFailed { saga_id: None, step: step.clone(), code, class, message, attempt });
    }
    /// Nobody answered a try: the next one gets its time, or silence gets its meaning.
    pub(super) fn again(&mut self, step: &StepPath) {
        let Some(run) = self.exec.runs.get(step) else { return };
        let Some(policy) = run.def.as_ref().map(|def| def.policy) else { return };
        let backward = self.exec.mode != Mode::Forward;
        let (attempt, tries) = (run.attempt, run.tries());
        if backward || !policy.retry.allows_after(tries) {
            return self.exhausted(step, NO_ANSWER);
        }
        let due = self.now.plus(policy.retry.pause(tries, self.exec.keys(step).0, self.exec.seed));
        let (step, reason) = (step.clone(), NO_ANSWER.to_owned());
        self.emit(StepRetryScheduled { step, attempt, due, reason, undo: false });
    }
    fn exhausted(&mut self, step: &StepPath, reason: &str) {
        let Some(run) = self.exec.runs.get(step) else { return };
        let probing = matches!(run.forward, Forward::Probing { .. });
        let policy = run.def.as_ref().map_or(OnUnknown::Compensate, |def| def.policy.on_unknown);
        let message = limits::cut(&run.weather.told(run.tries(), reason));
        let park = |code| SagaParked { step: step.clone(), code, message: message.clone() };
        match (run.role(), policy) {
            (Role::Pivot, _) => self.emit(park(ParkReason::PivotUnknown)),
            (Role::Then, _) => self.emit(park(ParkReason::RetriesExhausted)),
            (Role::Ordinary | Role::Read | Role::Wait, OnUnknown::Park) if self.exec.mode == Mode::Forward => {
                self.emit(park(ParkReason::RetriesExhausted));
            }
            (Role::Ordinary | Role::Read | Role::Wait, OnUnknown::Probe) if !probing => self.probe(step),
            (Role::Ordinary | Role::Read | Role::Wait, _) => self.unknown(step, reason),
        }
    }
    fn probe(&mut self, step: &StepPath) {
        self.emit(StepProbed { step: step.clone() });
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
    pub(super) fn unknown(&mut self, step: &StepPath, reason: &str) {
        let attempt = self.exec.runs.get(step).map_or(0, |run| run.attempt);
        self.emit(StepOutcomeUnknown { step: step.clone(), attempt, reason: reason.to_owned() });
    }
    /// A bug that was told of something that was asked.
    pub(super) fn faulted(&mut self, of: &Answering, code: String, message: String) {
        let Some((step, run)) = self.exec.step_of(of) else { return };
        let open = match of.direction {
            Direction::Do => run.in_flight() || matches!(run.forward, Forward::RetryWait { .. }),
            Direction::Undo => matches!(run.backward, Some(Backward::Dispatched { .. } | Backward::RetryWait { .. })),
        };
        let late = (self.exec.has_ended() || !open).then(|| fault_words(&code, &message));
        match of.direction {
            Direction::Do => {
                let (code, message) = ParkReason::bug(code, message);
                let known = matches!(&run.forward, Forward::Parked { reason, .. } if *reason == code);
                match late {
                    None => self.emit(SagaParked { step, code, message }),
                    Some(words) if !known => self.strange(of, "too late", words),
                    Some(_) => {}
                }
            }
            Direction::Undo => {
                let (code, message) = UndoFailure::bug(code, message);
                let known = matches!(&run.backward, Some(Backward::Failed { failure, .. }) if *failure == code);
                match late {
                    None => self.undo_failed(&step, code, message),
                    Some(words) if !known => self.strange(of, "too late", words),
                    Some(_) => {}
                }
            }
        }
    }
    /// A decision about a step can never be stored: a small fact that can be stored says so, and a person decides.
    pub(super) fn unstorable(&mut self, step: StepPath, direction: Direction, why: &str) {
        if self.exec.has_ended() {
            return;
        }
        let message = limits::cut(why);
        match direction {
            Direction::Do => self.emit(SagaParked { step, code: ParkReason::Unstorable, message }),
            Direction::Undo => self.undo_failed(&step, UndoFailure::Unstorable, message),
        }
    }
    /// A module has no answer to a probe.
    pub(super) fn nothing_known(&mut self, of: &Answering) {
        let Some((step, run)) = self.exec.step_of(of) else { return };
        if matches!(run.forward, Forward::Probing { .. }) && of.direction == Direction::Do && !self.exec.has_ended() {
            self.unknown(&step, "the module knows of no answer");
        } else {
            self.strange(of, "too late", NOTHING_KNOWN.to_owned());
        }
    }
}

/// Whether a barrier says that it knows the key by another payload.
fn is_reused(answer: &Answer) -> bool {
    matches!(answer, Answer::Refused(refused) if refused.code == KEY_REUSED)
}
/// The reply of a module that remembers no answer.
pub(super) const NOTHING_KNOWN: &str = "nothing known";
/// A fault in one line.
pub(super) fn fault_words(code: &str, why: &str) -> String {
    format!("fault {}: {}", head(code), head(why))
}
