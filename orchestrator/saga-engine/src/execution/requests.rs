//! Which order a request id stands for. The facts that an order left say it: nothing else is recorded for this.

use super::gates::gate_named;
use super::{Execution, Ordered};
use saga_core::control::OrderKind;
use saga_core::definition::Definition;
use saga_core::fact::{By, Cause, RetryOrdered, SagaFact, SagaStarted};
use saga_core::id::SagaId;
use saga_core::json::Payload;
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;

/// The content of the order under one request id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Spoken {
    pub(super) verb: &'static str,
    /// Of everything that the order said, who and which saga apart.
    content: [u8; 32],
    /// The steps that a retry was for; an order without a step leaves a fact for each.
    steps: BTreeSet<String>,
}

impl Spoken {
    fn new(by: &By, verb: &'static str, parts: &[&str]) -> Self {
        let reason = by.reason.as_deref().unwrap_or_default();
        let content = digest([verb, reason].iter().chain(parts).map(|part| part.as_bytes()));
        Spoken { verb, content, steps: BTreeSet::new() }
    }
    /// Of an order; gates are told by their own names, however the order named them.
    pub(super) fn by_order(ordered: &Ordered, def: Option<&Definition>) -> Self {
        let Ordered { by, kind, .. } = ordered;
        match kind {
            OrderKind::Signal { gate, data, .. } => {
                let gate = def.and_then(|def| gate_named(def, gate)).unwrap_or(gate);
                Spoken::new(by, "signal", &[gate, data.as_str()])
            }
            OrderKind::Cancel { abandon } => Spoken::new(by, "cancel", &[if *abandon { "abandon" } else { "" }]),
            OrderKind::Compensate => Spoken::new(by, "compensate", &[]),
            OrderKind::Pause => Spoken::new(by, "pause", &[]),
            OrderKind::Resume => Spoken::new(by, "resume", &[]),
            OrderKind::Retry { step } => {
                Spoken { steps: step.iter().cloned().collect(), ..Spoken::new(by, "retry", &[]) }
            }
            OrderKind::Skip { step, result: Some(output) } => Spoken::new(by, "skip", &[step, "do", output.as_str()]),
            OrderKind::Skip { step, result: None } => Spoken::new(by, "skip", &[step, "undo"]),
            OrderKind::Note(text) => Spoken::new(by, "note", &[text]),
        }
    }
    /// Of a fact that an order or a start left.
    fn by_fact(fact: &SagaFact) -> Option<(&By, Self)> {
        let (by, verb, parts): (&By, &'static str, Vec<&str>) = match fact {
            SagaFact::SagaStarted(fact) => (fact.by.as_ref()?, "start", vec![&fact.definition, &fact.key]),
            SagaFact::SignalReceived(fact) => (&fact.by, "signal", vec![&fact.gate, fact.data.as_str()]),
            SagaFact::CompensationStarted(fact) if fact.cause == Cause::Cancelled => {
                (fact.by.as_ref()?, "cancel", vec![""])
            }
            SagaFact::CompensationStarted(fact) => (fact.by.as_ref()?, "compensate", vec![]),
            SagaFact::SagaCancelled(fact) => (fact.by.as_ref()?, "cancel", vec!["abandon"]),
            SagaFact::SagaPaused(fact) => (&fact.by, "pause", vec![]),
            SagaFact::SagaResumed(fact) => (&fact.by, "resume", vec![]),
            SagaFact::RetryOrdered(fact) => (&fact.by, "retry", vec![]),
            SagaFact::StepSkipped(fact) => (&fact.by, "skip", vec![&fact.step, "do", fact.output.as_str()]),
            SagaFact::CompensationSkipped(fact) => (&fact.by, "skip", vec![&fact.step, "undo"]),
            SagaFact::OperatorNote(fact) => (&fact.by, "note", vec![&fact.text]),
            SagaFact::StepDispatched(_)
            | SagaFact::StepSucceeded(_)
            | SagaFact::StepFailed(_)
            | SagaFact::StepRetryScheduled(_)
            | SagaFact::StepProbed(_)
            | SagaFact::StepOutcomeUnknown(_)
            | SagaFact::ListRecorded(_)
            | SagaFact::ConditionRecorded(_)
            | SagaFact::RoundEnded(_)
            | SagaFact::BranchFailed(_)
            | SagaFact::WaitStarted(_)
            | SagaFact::TimerFired(_)
            | SagaFact::PivotPassed(_)
            | SagaFact::CompensationDispatched(_)
            | SagaFact::StepCompensated(_)
            | SagaFact::CompensationFailed(_)
            | SagaFact::SagaParked(_)
            | SagaFact::LateReplyRecorded(_)
            | SagaFact::SagaCompleted(_)
            | SagaFact::SagaCompensated(_) => return None,
        };
        Some((by, Spoken::new(by, verb, &parts)))
    }
    /// Whether the order that is known under an id and another one are the same.
    pub(super) fn is_also(&self, other: &Spoken) -> bool {
        // A retry without a step was for all steps that were parked then.
        let steps = other.steps.is_empty() || self.steps == other.steps;
        self.verb == other.verb && self.content == other.content && steps
    }
}

impl Execution {
    /// The digest of a whole order and of its saga: what its request id stands for, over all sagas.
    pub fn digest_of(&self, ordered: &Ordered) -> [u8; 32] {
        let asked = Spoken::by_order(ordered, self.def.as_deref());
        let steps = asked.steps.iter().map(String::as_bytes);
        digest([self.saga.0.as_bytes().as_slice(), &asked.content].into_iter().chain(steps))
    }
    /// Remembers under which request id a fact was ordered.
    pub(super) fn remember(&mut self, fact: &SagaFact) {
        let Some((by, asked)) = Spoken::by_fact(fact) else { return };
        let Some(request) = by.request else { return };
        let known = self.requests.entry(request).or_insert(asked);
        if let SagaFact::RetryOrdered(RetryOrdered { step, .. }) = fact {
            known.steps.insert(step.to_string());
        }
    }
}

/// The digest of a whole start and of its saga: what its request id stands for, over all sagas. White space in the
/// input is not part of it.
pub fn start_digest(saga: SagaId, started: &SagaStarted) -> [u8; 32] {
    let reason = started.by.as_ref().and_then(|by| by.reason.as_deref()).unwrap_or_default();
    let value = |input: &Payload| input.read::<serde_json::Value>().map(|value| value.to_string()).ok();
    let input = value(&started.input).unwrap_or_else(|| started.input.to_string());
    let parts = ["start", reason, &started.definition, &started.key, &input];
    digest(std::iter::once(saga.0.as_bytes().as_slice()).chain(parts.iter().map(|part| part.as_bytes())))
}

/// sha256 over the parts, each with its length: no two lists of parts run together.
fn digest<'a>(parts: impl Iterator<Item = &'a [u8]>) -> [u8; 32] {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part);
    }
    hasher.finalize().into()
}
