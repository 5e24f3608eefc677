//! What people may order, and when. Each accepted order is one fact with who, why and request id.

use super::decide::{Deciding, FACTS_MAX, is_step};
use super::gates::GateAnswer;
use super::look::step_state;
use super::requests::Spoken;
use super::undo::ordered;
use super::{Backward, Execution, Forward, Mode, Run};
use saga_core::codes::{self, Code};
use saga_core::control::OrderKind;
use saga_core::definition::Role;
use saga_core::fact::{
    By, Cause, CompensationSkipped, OperatorNote, RetryOrdered, SagaCancelled, SagaPaused, SagaResumed, StepSkipped,
};
use saga_core::id::Version;
use saga_core::json::Payload;
use saga_core::limits;
use saga_core::path::StepPath;
use saga_core::reason::ParkReason;
use saga_core::waiting::WaitReason;
use serde::{Deserialize, Serialize};

/// An order, with who gave it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ordered {
    /// Who, why, and under which request id.
    pub by: By,
    /// What.
    pub kind: OrderKind,
    /// Only if the saga has exactly so many facts, so that the order fits what its author saw.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub if_rev: Option<Version>,
}

impl Ordered {
    /// Holds what people wrote within the bounds of [`limits`]; a reason without a word is none.
    ///
    /// # Errors
    /// Something is larger than its bound: [`codes::INPUT_LIMIT`], with the bound.
    pub fn bounded(mut self) -> Result<Self, OrderRefused> {
        self.by.reason = self.by.reason.filter(|reason| !reason.trim().is_empty());
        let fits = || {
            if let Some(reason) = &self.by.reason {
                limits::text("the reason", reason)?;
            }
            limits::name("the name of who orders", &self.by.actor.id)?;
            match &self.kind {
                OrderKind::Signal { gate, data, opening } => {
                    limits::name("the gate", gate)?;
                    limits::name("the opening", opening.as_deref().unwrap_or_default())?;
                    limits::body("the data", data)?;
                    limits::said_in(data)
                }
                OrderKind::Skip { step, result } => {
                    limits::name("the step", step)?;
                    result.as_ref().map_or(Ok(()), |result| limits::body("the result", result))
                }
                OrderKind::Retry { step } => step.as_ref().map_or(Ok(()), |step| limits::name("the step", step)),
                OrderKind::Note(text) => limits::text("the note", text),
                OrderKind::Cancel { .. } | OrderKind::Compensate | OrderKind::Pause | OrderKind::Resume => Ok(()),
            }
        };
        match fits() {
            Ok(()) => Ok(self),
            Err(why) => no(codes::INPUT_LIMIT, why.to_string()),
        }
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

pub(super) fn no<T>(code: Code, message: impl Into<String>) -> Result<T, OrderRefused> {
    Err(OrderRefused { code, message: message.into(), hint: None })
}

impl Execution {
    /// Nobody here can say what an order would mean to this saga.
    pub(super) fn nobody_knows<T>(&self) -> Result<T, OrderRefused> {
        let (reason, wanted) = self.stranded().unwrap_or((WaitReason::NoDefinition, String::new()));
        if reason == WaitReason::DigestMismatch {
            let message = format!("the saga began with another meaning of its definition: {wanted}");
            return no(codes::OTHER_MEANING, message);
        }
        no(codes::NO_DEFINITION, format!("the saga's definition is not registered here: {wanted}"))
    }
}

impl Deciding<'_> {
    pub(super) fn order(&mut self, ordered: Ordered) -> Result<Accepted, OrderRefused> {
        let ordered = ordered.bounded()?;
        if let Some(known) = ordered.by.request.and_then(|request| self.exec.requests.get(&request)) {
            if known.is_also(&Spoken::by_order(&ordered, self.exec.def.as_deref())) {
                return Ok(Accepted::Before);
            }
            let message = format!("this request id was used for another order, to {}", known.verb);
            return no(codes::REQUEST_REUSED, message);
        }
        let Ordered { by, kind, if_rev } = ordered;
        if let Some(seen) = if_rev.filter(|seen| *seen != self.exec.rev()) {
            let message = format!("the saga has moved on: it has {} facts now, and {seen} were seen", self.exec.rev());
            let hint = Some("look again, and order with what you see then".to_owned());
            return Err(OrderRefused { code: codes::REVISION_CHANGED, message, hint });
        }
        if kind.needs_reason() && by.reason.is_none() {
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
            return self.exec.nobody_knows();
        }
        match kind {
            OrderKind::Signal { gate, data, opening } => self.order_signal(GateAnswer { gate, data, opening }, by),
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
        let fits = |path: &StepPath| step.as_ref().is_none_or(|wanted| *path == wanted.as_str());
        let mut found = Vec::new();
        for (path, run) in self.exec.runs.iter().filter(|(path, _)| fits(path)) {
            match (&run.forward, &run.backward) {
                (_, Some(Backward::Failed { failure, .. })) => found.push((path.clone(), true, failure.is_answered())),
                (_, Some(Backward::RetryWait { .. })) => found.push((path.clone(), true, false)),
                (Forward::Parked { reason, .. }, None) => {
                    found.push((path.clone(), false, *reason == ParkReason::RefusedAfterPivot));
                }
                (Forward::RetryWait { .. }, None) if self.exec.mode == Mode::Forward => {
                    found.push((path.clone(), false, false))
                }
                _ => {}
            }
        }
        if let Some(wanted) = step.as_ref().filter(|wanted| !self.exec.runs.contains_key(wanted.as_str())) {
            return self.no_such(wanted);
        }
        if found.is_empty() {
            let run = step.and_then(|step| Some((self.exec.runs.get(step.as_str())?, step)));
            let what = run.map_or("nothing is parked or waiting for its next try".to_owned(), |(run, step)| {
                format!("the step {step:?} {}", how_it_stands(run))
            });
            return no(codes::WRONG_STATE, what);
        }
        for (step, undo, new_round) in found.into_iter().take(FACTS_MAX) {
            self.emit(RetryOrdered { step, undo, new_round, by: by.clone() });
        }
        Ok(Accepted::Now)
    }
    fn order_skip(&mut self, step: String, output: Payload, by: By) -> Result<Accepted, OrderRefused> {
        if self.exec.mode != Mode::Forward {
            return no(codes::WRONG_STATE, "it is going back; only an undo can be skipped");
        }
        let Some((step, run)) = self.exec.runs.get_key_value(step.as_str()) else { return self.no_such(&step) };
        let step = step.clone();
        let stands = matches!(run.forward, Forward::Parked { .. } | Forward::RetryWait { .. });
        if run.role() == Role::Pivot {
            let message = format!("{step:?} is the point of no return: nothing can stand in its place");
            let hint = Some("retry it (the same key: it happens at most once), or `saga cancel --abandon`".to_owned());
            return Err(OrderRefused { code: codes::WRONG_STATE, message, hint });
        }
        if !stands {
            return no(codes::WRONG_STATE, format!("the step {step:?} {}", how_it_stands(run)));
        }
        self.emit(StepSkipped { step, output, by });
        Ok(Accepted::Now)
    }
    fn order_skip_undo(&mut self, step: String, by: By) -> Result<Accepted, OrderRefused> {
        let Some((step, run)) = self.exec.runs.get_key_value(step.as_str()) else { return self.no_such(&step) };
        let step = step.clone();
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

/// Why a step can be neither retried nor skipped, in the words in which it is shown.
fn how_it_stands(run: &Run) -> String {
    let state = step_state(run).word();
    if run.forward.under_way().is_some() {
        return format!("is {state}: a try is under way, and its answer is awaited");
    }
    if matches!(run.forward, Forward::Parked { .. }) {
        return "is parked, and its undo is not; only what waits for a person can be ordered".to_owned();
    }
    format!("is {state}: it is neither parked nor waiting for its next try")
}
