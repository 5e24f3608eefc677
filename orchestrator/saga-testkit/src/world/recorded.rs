//! The first law of every decider: recorded, then done. Each output is looked up in the log at the moment when it
//! leaves.

use super::World;
use saga_core::event::EventSet;
use saga_core::fact::SagaFact;
use saga_core::id::{Direction, RequestId, SagaId, Version};
use saga_core::outcome::Answer;
use saga_core::ports::{Remembered, SharedStore};
use saga_engine::execution::{Accepted, Act, Deed};
use saga_engine::journal;
use saga_engine::machine::coordinator::{Out, Told};

/// The start or the order whose answer a ticket waits for.
pub(super) struct Asked {
    pub(super) saga: SagaId,
    /// Of an order.
    pub(super) request: Option<RequestId>,
}

impl World {
    /// Whether what the coordinator lets out is durable: the fact of an act, the answer to a caller, the progress of a
    /// saga.
    pub(super) async fn stands_in_the_log(&mut self, output: &Out) -> Result<(), String> {
        let saga = match output {
            Out::Perform { saga, .. } | Out::Moved { saga, .. } => *saga,
            Out::Tell { ticket, what: Told::Started { .. } | Told::Accepted(Accepted::Now) } => {
                let Some(asked) = self.asked.get(ticket) else { return Ok(()) };
                asked.saga
            }
            // A person's answer that another person gave before needs no fact of its own; a refusal neither.
            Out::Tell { .. }
            | Out::Load { .. }
            | Out::Commit { .. }
            | Out::AskQueue { .. }
            | Out::HandOn { .. }
            | Out::Counted { .. }
            | Out::Stray { .. } => return Ok(()),
        };
        self.read_on(saga).await?;
        let facts = self.read.get(&saga).map_or(&[] as &[SagaFact], Vec::as_slice);
        let stands = match output {
            Out::Perform { act, .. } => facts.iter().any(|fact| is_of(act, fact)),
            Out::Moved { rev, .. } => Version(facts.len() as u64) >= *rev,
            Out::Tell { ticket, .. } => match self.asked.get(ticket).and_then(|asked| asked.request) {
                Some(request) => facts.iter().any(|fact| asked(fact) == Some(request)),
                None => !facts.is_empty(),
            },
            Out::Load { .. }
            | Out::Commit { .. }
            | Out::AskQueue { .. }
            | Out::HandOn { .. }
            | Out::Counted { .. }
            | Out::Stray { .. } => true,
        };
        if stands { Ok(()) } else { Err(format!("S10: it leaves before it is in the log: {output:?}")) }
    }
    /// Reads what was appended to a saga since it was read last.
    async fn read_on(&mut self, saga: SagaId) -> Result<(), String> {
        let Some(stream) = journal::stream_of(saga) else { return Ok(()) };
        let facts = self.read.entry(saga).or_default();
        let known = Version(facts.len() as u64);
        let new = self.journal.read(&stream, known, usize::MAX).await.map_err(|why| why.to_string())?;
        for recorded in &new {
            facts.push(SagaFact::of(recorded).map_err(|why| why.to_string())?);
        }
        Ok(())
    }
}

/// Whether the inbox of a module has the answer that it gives. Weather is not kept, and a key that came with another
/// payload keeps its own.
pub(super) async fn is_kept(store: &SharedStore, (saga, act): (SagaId, &Act), answer: &Answer) -> Result<(), String> {
    let kept = store.answered(saga.0, act.keys.0, act.keys.1).await.map_err(|why| why.to_string())?;
    let row = if act.direction == Direction::Do { kept.deed } else { kept.undo };
    let kept = row.map(|Remembered { answer, .. }| answer);
    match answer {
        Answer::Done { .. } | Answer::Refused(_) if kept.as_ref() != Some(answer) => {
            Err(format!("B1: {} is answered before it is in the inbox: {answer:?}", act.step))
        }
        Answer::Done { .. } | Answer::Refused(_) | Answer::Retry { .. } => Ok(()),
    }
}

fn is_of(act: &Act, fact: &SagaFact) -> bool {
    let probe = matches!(act.deed, Deed::Probe { .. });
    match (fact, act.direction) {
        (SagaFact::StepDispatched(fact), Direction::Do) => {
            !probe && fact.step == act.step && fact.attempt == act.attempt
        }
        (SagaFact::StepProbed(fact), Direction::Do) => probe && fact.step == act.step,
        (SagaFact::CompensationDispatched(fact), Direction::Undo) => {
            fact.step == act.step && fact.attempt == act.attempt
        }
        _ => false,
    }
}
/// The request id of a fact that records an order.
fn asked(fact: &SagaFact) -> Option<RequestId> {
    let data: serde_json::Value = saga_core::event::EventSet::encode(fact).ok()?.read().ok()?;
    let request = data.get("by")?.get("request")?;
    serde_json::from_value(request.clone()).ok()
}
