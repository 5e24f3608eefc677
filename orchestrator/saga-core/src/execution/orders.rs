//! What people may order, and when. Each accepted order is one fact with who, why and request id.

use super::decide::{Deciding, is_step};
use super::undo::ordered;
use super::{Backward, Forward, Mode};
use crate::codes::{self, Code};
use crate::definition::{Performer, Role};
use crate::fact::{
    By, Cause, CompensationSkipped, OperatorNote, RetryOrdered, SagaCancelled, SagaPaused, SagaResumed, SignalReceived,
    StepSkipped,
};
use crate::json::Payload;
use serde::{Deserialize, Serialize};

/// An order, with who gave it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ordered {
    /// Who, why, and under which request id.
    pub by: By,
    /// What.
    pub kind: OrderKind,
}

/// What can be ordered of one saga.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum OrderKind {
    /// Answer a gate.
    Signal {
        /// The gate's name, or the step's.
        gate: String,
        /// The decision.
        data: Payload,
    },
    /// Undo and end as cancelled, or end at once.
    Cancel {
        /// Undo nothing.
        abandon: bool,
    },
    /// Undo and end as compensated.
    Compensate,
    /// Let nothing new begin.
    Pause,
    /// Go on.
    Resume,
    /// Try again now.
    Retry {
        /// Which step; every parked one when not given.
        step: Option<String>,
    },
    /// Go on without a step, or without its undo.
    Skip {
        /// Which step.
        step: String,
        /// The output in its place; `None` skips the undo.
        result: Option<Payload>,
    },
    /// Write something down.
    Note(String),
}

impl OrderKind {
    fn verb(&self) -> &'static str {
        match self {
            OrderKind::Signal { .. } => "signal",
            OrderKind::Cancel { .. } => "cancel",
            OrderKind::Compensate => "compensate",
            OrderKind::Pause => "pause",
            OrderKind::Resume => "resume",
            OrderKind::Retry { .. } => "retry",
            OrderKind::Skip { .. } => "skip",
            OrderKind::Note(_) => "note",
        }
    }
    fn needs_reason(&self) -> bool {
        matches!(self, OrderKind::Cancel { .. } | OrderKind::Compensate | OrderKind::Skip { .. })
    }
}

/// An order was accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Accepted {
    /// It is recorded.
    Now,
    /// It was, under this request id.
    Before,
}

/// An order was refused; nothing changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderRefused {
    /// Which kind of no.
    pub code: Code,
    /// For people.
    pub message: String,
    /// The next step.
    pub hint: Option<String>,
}

fn no<T>(code: Code, message: impl Into<String>) -> Result<T, OrderRefused> {
    Err(OrderRefused { code, message: message.into(), hint: None })
}

impl Deciding<'_> {
    pub(super) fn order(&mut self, ordered: Ordered) -> Result<Accepted, OrderRefused> {
        let Ordered { by, kind } = ordered;
        if let Some(known) = by.request.and_then(|request| self.exec.requests.get(&request)) {
            if *known == kind.verb() {
                return Ok(Accepted::Before);
            }
            return no(codes::REQUEST_REUSED, format!("this request id was used to {known}"));
        }
        if kind.needs_reason() && by.reason.as_ref().is_none_or(|reason| reason.trim().is_empty()) {
            return no(codes::REASON_NEEDED, format!("to {} a reason is needed", kind.verb()));
        }
        if let OrderKind::Note(text) = kind {
            self.emit(OperatorNote { text, by });
            return Ok(Accepted::Now);
        }
        if self.exec.has_ended() {
            return no(codes::WRONG_STATE, format!("the saga has ended: {}", self.exec.state().word()));
        }
        let blind = matches!(kind, OrderKind::Pause | OrderKind::Resume | OrderKind::Cancel { abandon: true });
        if self.exec.def.is_none() && !blind {
            return no(codes::NO_DEFINITION, "the saga's definition is not registered here");
        }
        match kind {
            OrderKind::Signal { gate, data } => self.order_signal(&gate, data, by),
            OrderKind::Cancel { abandon: true } => {
                self.emit(SagaCancelled { abandoned: true, by: Some(by) });
                Ok(Accepted::Now)
            }
            OrderKind::Cancel { abandon: false } => self.order_back(Cause::Cancelled, by),
            OrderKind::Compensate => self.order_back(Cause::Ordered, by),
            OrderKind::Pause if self.exec.paused.is_some() => no(codes::WRONG_STATE, "it is paused already"),
            OrderKind::Pause => {
                self.emit(SagaPaused { by });
                Ok(Accepted::Now)
            }
            OrderKind::Resume if self.exec.paused.is_none() => no(codes::WRONG_STATE, "it is not paused"),
            OrderKind::Resume => {
                self.emit(SagaResumed { by });
                Ok(Accepted::Now)
            }
            OrderKind::Retry { step } => self.order_retry(step, by),
            OrderKind::Skip { step, result: Some(output) } => self.order_skip(step, output, by),
            OrderKind::Skip { step, result: None } => self.order_skip_undo(step, by),
            OrderKind::Note(_) => Ok(Accepted::Now),
        }
    }
    fn order_signal(&mut self, name: &str, data: Payload, by: By) -> Result<Accepted, OrderRefused> {
        let Some(def) = self.exec.def.clone() else {
            return no(codes::NO_DEFINITION, "the saga's definition is not registered here");
        };
        let gates = def.steps().into_iter().filter_map(|(path, step)| match &step.performer {
            Performer::Gate { gate, timer: false, check, .. } => Some((path, *gate, check.clone())),
            Performer::Gate { .. } | Performer::Here { .. } | Performer::There { .. } => None,
        });
        let gates: Vec<_> = gates.collect();
        let bare = |path: &str| {
            path.split('/').map(|part| part.split(['[', '#']).next().unwrap_or(part)).collect::<Vec<_>>().join("/")
        };
        let Some((_, gate, check)) = gates.iter().find(|(path, gate, _)| *gate == name || *path == bare(name)) else {
            let known: Vec<_> = gates.iter().map(|(_, gate, _)| *gate).collect();
            return no(codes::NO_SUCH_STEP, format!("there is no gate {name:?}; gates are: {}", known.join(", ")));
        };
        if let Err(why) = check(&data) {
            return no(codes::INPUT_REFUSED, format!("this does not answer the gate {gate:?}: {why}"));
        }
        if self.exec.mode != Mode::Forward {
            return no(codes::WRONG_STATE, "the saga is going back; nothing waits for this any more");
        }
        let open = self.exec.runs.iter().find(|(path, run)| {
            matches!(&run.forward, Forward::Waiting { gate: open, .. } if open == gate && (name == *gate || *path == name))
        });
        let step = open.map(|(path, _)| path.clone());
        let decided = self.exec.runs.values().any(|run| {
            run.decided_by.is_some()
                && run
                    .def
                    .as_ref()
                    .is_some_and(|def| matches!(&def.performer, Performer::Gate { gate: theirs, .. } if theirs == gate))
        });
        let many = in_rounds(&def.nodes, gate);
        if step.is_none() && many && name != *gate {
            // Kept for later, it would answer whichever round or branch asks first.
            return no(
                codes::WRONG_STATE,
                format!("{name:?} does not wait now; only the gate {gate:?} can be answered early"),
            );
        }
        let again = step.is_none() && decided && !many;
        if again {
            return no(codes::WRONG_STATE, format!("the gate {gate:?} was decided already"));
        }
        self.emit(SignalReceived { gate: (*gate).to_owned(), step, data, by });
        Ok(Accepted::Now)
    }
    fn order_back(&mut self, cause: Cause, by: By) -> Result<Accepted, OrderRefused> {
        if self.exec.pivot_passed {
            return no(codes::PAST_PIVOT, "the point of no return was passed: it only goes forward");
        }
        if self.exec.pivot_in_flight() {
            let message = "the point of no return is under way: whether it was passed is not known yet";
            let hint = Some("wait for its answer, or `saga cancel --abandon`".to_owned());
            return Err(OrderRefused { code: codes::PAST_PIVOT, message: message.to_owned(), hint });
        }
        if matches!(self.exec.mode, Mode::Backward { .. }) {
            return no(codes::WRONG_STATE, "it is going back already");
        }
        let message = by.reason.clone().unwrap_or_else(|| "ordered".to_owned());
        self.turn_back(ordered(cause, message), Some(by));
        Ok(Accepted::Now)
    }
    fn order_retry(&mut self, step: Option<String>, by: By) -> Result<Accepted, OrderRefused> {
        if let Some((paused, _)) = &self.exec.paused {
            let message = format!("cannot be retried: paused by {}", paused.actor.id);
            let hint = Some("resume first: `saga resume`".to_owned());
            return Err(OrderRefused { code: codes::WRONG_STATE, message, hint });
        }
        let fits = |path: &String| step.as_ref().is_none_or(|wanted| wanted == path);
        let mut found = Vec::new();
        for (path, run) in self.exec.runs.iter().filter(|(path, _)| fits(path)) {
            match (&run.forward, &run.backward) {
                (_, Some(Backward::Failed { code, .. })) => {
                    found.push((path.clone(), true, code != "UNDO_FAILED" && code != "FAULT"))
                }
                (_, Some(Backward::RetryWait { .. })) => found.push((path.clone(), true, false)),
                (Forward::Parked { code, .. }, None) => {
                    found.push((path.clone(), false, code == "REFUSED_AFTER_PIVOT"))
                }
                (Forward::RetryWait { .. }, None) if self.exec.mode == Mode::Forward => {
                    found.push((path.clone(), false, false))
                }
                _ => {}
            }
        }
        if found.is_empty() {
            let what = step.map_or("nothing is parked or waiting for its next try".to_owned(), |step| {
                format!("the step {step:?} is neither parked nor waiting for its next try")
            });
            return no(codes::WRONG_STATE, what);
        }
        for (step, undo, new_round) in found {
            self.emit(RetryOrdered { step, undo, new_round, by: by.clone() });
        }
        Ok(Accepted::Now)
    }
    fn order_skip(&mut self, step: String, output: Payload, by: By) -> Result<Accepted, OrderRefused> {
        if self.exec.mode != Mode::Forward {
            return no(codes::WRONG_STATE, "it is going back; only an undo can be skipped");
        }
        let Some(run) = self.exec.runs.get(&step) else { return self.no_such(&step) };
        let stands = matches!(run.forward, Forward::Parked { .. } | Forward::RetryWait { .. });
        if !stands || run.role() == Role::Pivot {
            let message = format!("the step {step:?} is neither parked nor waiting for its next try");
            return no(codes::WRONG_STATE, message);
        }
        self.emit(StepSkipped { step, output, by });
        Ok(Accepted::Now)
    }
    fn order_skip_undo(&mut self, step: String, by: By) -> Result<Accepted, OrderRefused> {
        let Some(run) = self.exec.runs.get(&step) else { return self.no_such(&step) };
        if !matches!(run.backward, Some(Backward::Failed { .. } | Backward::RetryWait { .. })) {
            return no(codes::WRONG_STATE, format!("the undo of {step:?} has not failed"));
        }
        self.emit(CompensationSkipped { step, by });
        Ok(Accepted::Now)
    }
    fn no_such(&self, step: &str) -> Result<Accepted, OrderRefused> {
        let known = self.exec.def.as_ref().is_some_and(|def| is_step(def, step));
        let what = if known { "has not begun" } else { "does not exist" };
        no(codes::NO_SUCH_STEP, format!("the step {step:?} {what}"))
    }
}

/// Whether a gate stands where it can be asked more than once: inside rounds or a fan-out.
fn in_rounds(nodes: &[crate::definition::Node], gate: &str) -> bool {
    use crate::definition::Node;
    fn has(nodes: &[Node], gate: &str) -> bool {
        nodes.iter().any(|node| match node {
            Node::Step(step) => matches!(&step.performer, Performer::Gate { gate: theirs, .. } if *theirs == gate),
            Node::All { branches, .. } => branches.iter().any(|(_, body)| has(body, gate)),
            Node::Each { body, .. } | Node::When { body, .. } | Node::Repeat { body, .. } => has(body, gate),
        })
    }
    nodes.iter().any(|node| match node {
        Node::Step(_) => false,
        Node::All { branches, .. } => branches.iter().any(|(_, body)| in_rounds(body, gate)),
        Node::When { body, .. } => in_rounds(body, gate),
        Node::Each { body, .. } | Node::Repeat { body, .. } => has(body, gate),
    })
}
