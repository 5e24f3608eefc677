//! Answers, and their absence: what each means for the step that was asked.

use super::binding::{Answering, same_value, words};
use super::decide::{Deciding, REFUSED_AFTER_PIVOT};
use super::head;
use super::{Backward, Forward, Mode};
use crate::definition::Role;
use crate::fact::{
    NO_ANSWER, PivotPassed, SagaParked, StepFailed, StepOutcomeUnknown, StepProbed, StepRetryScheduled, StepSucceeded,
};
use crate::id::Direction;
use crate::limits;
use crate::outcome::{Answer, Refused};
use crate::policy::OnUnknown;
use std::time::Duration;

/// Why a step is parked: it happened, and its output is larger than a fact can hold.
pub(super) const TOO_LARGE: &str = "TOO_LARGE";
/// Why a step is parked: no store can keep what was decided about it.
pub(super) const UNSTORABLE: &str = "UNSTORABLE";

impl Deciding<'_> {
    /// An answer that binds ([`super::Execution::binds`]): what it means where the step stands.
    pub(super) fn answered(&mut self, of: &Answering, answer: Answer) {
        let step = of.step.as_str();
        let Some(run) = self.exec.runs.get(step) else { return };
        let role = run.role();
        let open = match &run.forward {
            Forward::Dispatched { .. } | Forward::Probing { .. } | Forward::RetryWait { .. } => true,
            Forward::Parked { code, message, .. } if code == REFUSED_AFTER_PIVOT => {
                let same = matches!(&answer, Answer::Refused(refused) if message.starts_with(&refused.code));
                return self.again_or_strange(of, &answer, same);
            }
            // What is parked for want of an answer goes on when the answer comes.
            Forward::Parked { code, .. } => code == "PIVOT_UNKNOWN" || code == "RETRIES_EXHAUSTED",
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
                self.emit(SagaParked { step: step.to_owned(), code: TOO_LARGE.to_owned(), message: why.to_string() });
            }
            Answer::Done { output } => {
                self.emit(StepSucceeded { step: step.to_owned(), output });
                if role == Role::Pivot {
                    self.emit(PivotPassed { step: step.to_owned() });
                }
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
    fn refused(&mut self, step: &str, role: Role, code: String, message: String) {
        if role == Role::Then {
            let message = limits::cut(&format!("{code}: {message}"));
            return self.emit(SagaParked { step: step.to_owned(), code: REFUSED_AFTER_PIVOT.to_owned(), message });
        }
        let attempt = self.exec.runs.get(step).map_or(1, |run| run.attempt);
        let class = "refused".to_owned();
        self.emit(StepFailed { saga_id: None, step: step.to_owned(), code, class, message, attempt });
    }
    /// Nobody answered a try: the next one gets its time, or silence gets its meaning.
    pub(super) fn again(&mut self, step: &str) {
        let Some(run) = self.exec.runs.get(step) else { return };
        let Some(policy) = run.def.as_ref().map(|def| def.policy) else { return };
        let backward = self.exec.mode != Mode::Forward;
        let (attempt, tries) = (run.attempt, run.tries());
        if backward || !policy.retry.allows_after(tries) {
            return self.exhausted(step, NO_ANSWER);
        }
        let due = self.now.plus(policy.retry.pause(tries, self.exec.keys(step).0, self.exec.seed));
        let (step, reason) = (step.to_owned(), NO_ANSWER.to_owned());
        self.emit(StepRetryScheduled { step, attempt, due, reason, undo: false });
    }
    fn exhausted(&mut self, step: &str, reason: &str) {
        let Some(run) = self.exec.runs.get(step) else { return };
        let probing = matches!(run.forward, Forward::Probing { .. });
        let policy = run.def.as_ref().map_or(OnUnknown::Compensate, |def| def.policy.on_unknown);
        let message = limits::cut(&run.weather.told(run.tries(), reason));
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
    /// A bug that was told of something that was asked.
    pub(super) fn faulted(&mut self, of: &Answering, code: String, message: String) {
        let Refused { code, reason: message, .. } = Refused::new(code, message).bounded();
        let step = of.step.clone();
        let Some(run) = self.exec.runs.get(&step) else { return };
        let open = match of.direction {
            Direction::Do => run.in_flight() || matches!(run.forward, Forward::RetryWait { .. }),
            Direction::Undo => matches!(run.backward, Some(Backward::Dispatched { .. } | Backward::RetryWait { .. })),
        };
        let known = match (of.direction, &run.forward, &run.backward) {
            (Direction::Do, Forward::Parked { code: known, .. }, _)
            | (Direction::Undo, _, Some(Backward::Failed { code: known, .. })) => *known == code,
            _ => false,
        };
        match of.direction {
            _ if self.exec.has_ended() || !open => {
                if !known {
                    self.strange(of, "too late", fault_words(&code, &message));
                }
            }
            Direction::Do => self.emit(SagaParked { step, code, message }),
            Direction::Undo => self.undo_failed(&step, code, message),
        }
    }
    /// What was decided about a step can never be stored: a small fact that can be says so, and a person decides.
    pub(super) fn unstorable(&mut self, step: String, direction: Direction, why: &str) {
        if self.exec.has_ended() {
            return;
        }
        let (code, message) = (UNSTORABLE.to_owned(), limits::cut(why));
        match direction {
            Direction::Do => self.emit(SagaParked { step, code, message }),
            Direction::Undo => self.undo_failed(&step, code, message),
        }
    }
    /// A module has no answer to a probe.
    pub(super) fn nothing_known(&mut self, of: &Answering) {
        let probing = matches!(self.exec.runs.get(&of.step).map(|run| &run.forward), Some(Forward::Probing { .. }));
        if probing && of.direction == Direction::Do && !self.exec.has_ended() {
            self.unknown(&of.step, "the module knows of no answer");
        } else {
            self.strange(of, "too late", NOTHING_KNOWN.to_owned());
        }
    }
}

/// What a module says that remembers no answer.
pub(super) const NOTHING_KNOWN: &str = "nothing known";
/// A fault in one line.
pub(super) fn fault_words(code: &str, why: &str) -> String {
    format!("fault {}: {}", head(code), head(why))
}
