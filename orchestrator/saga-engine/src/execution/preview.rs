//! What an order would do: decided on a copy, which is thrown away.

use super::decide::Deed;
use super::{Execution, Forward, Mode, OrderRefused, Ordered, Signal};
use saga_core::event::EventSet;
use saga_core::id::Direction;
use saga_core::time::Timestamp;
use saga_core::view::Foreseen;

impl Execution {
    /// What an order would do now, or the refusal that it would get.
    pub fn preview(&self, ordered: Ordered, now: Timestamp) -> Result<Foreseen, OrderRefused> {
        let mut after = self.clone();
        let decision = after.decide(Signal::Ordered(ordered), now);
        if let Some(Err(refusal)) = decision.order {
            return Err(refusal);
        }
        let fact = |fact: &saga_core::fact::SagaFact| {
            let value: serde_json::Value = fact.encode().ok().and_then(|data| data.read().ok()).unwrap_or_default();
            value["step"].as_str().map_or_else(|| fact.name().to_owned(), |step| format!("{} {step}", fact.name()))
        };
        let sends = decision.acts.iter().map(|act| {
            let undo = if act.direction == Direction::Undo { "undo of " } else { "" };
            match &act.deed {
                Deed::Send { command, .. } | Deed::Probe { command, .. } => {
                    format!("{}.{} ({undo}{})", command.module, command.name, act.step)
                }
                Deed::Run => format!("here ({undo}{})", act.step),
            }
        });
        let back = matches!(after.mode, Mode::Backward { .. });
        let undo = if back { after.undo_plan() } else { Vec::new() };
        let stays = self.runs.iter().filter(|(path, run)| {
            let happened = match &run.forward {
                Forward::Done | Forward::Unknown { .. } => true,
                Forward::Dispatched { .. } | Forward::Probing { .. } | Forward::RetryWait { .. } => true,
                Forward::Ready | Forward::Parked { .. } => run.attempt > run.round_from,
                Forward::Waiting { .. } | Forward::Skipped | Forward::Refused { .. } => false,
            };
            happened && run.backward.is_none() && !undo.iter().any(|(undone, _)| undone == *path)
        });
        Ok(Foreseen {
            saga: self.saga,
            rev: self.rev.0,
            state: after.state(),
            facts: decision.facts.iter().map(fact).collect(),
            sends: sends.collect(),
            stays: if back || after.has_ended() {
                stays.map(|(path, _)| path.to_string()).collect()
            } else {
                Vec::new()
            },
            undo: undo.into_iter().map(|(path, undo)| format!("{undo} ({path})")).collect(),
        })
    }
}
