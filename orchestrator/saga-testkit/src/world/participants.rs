//! The performers of acts: modules behind their barrier, and functions that run beside the coordinator.

use super::recorded::is_kept;
use super::{SILENCES_MAX, World};
use crate::between::{Forgets, Passing};
use crate::fates::Fates;
use saga_core::batch::{Batch, Commit, Conflict};
use saga_core::bus::Delivered;
use saga_core::id::{Direction, SagaId};
use saga_core::outcome::{Answer, Refused};
use saga_core::ports::{Clock, SharedStore};
use saga_core::step::{StepError, Stop};
use saga_engine::execution::{Act, Deed as ActDeed};
use saga_engine::host::{Served, serve_beside};
use saga_engine::machine::participant::{Arrival, entry};
use std::sync::Arc;

impl World {
    /// Performs an act as its participant would; `None` is silence.
    pub(super) async fn perform(&mut self, saga: SagaId, act: &Act) -> Result<Option<Answer>, String> {
        let forward = act.direction == Direction::Do;
        let silent = self.faults.silence.as_ref().is_some_and(|(at, happens)| *at == act.step && !happens);
        if forward && silent && self.reached < SILENCES_MAX {
            self.reached += 1;
            return Ok(None);
        }
        if !forward && self.faults.undo_silence.as_ref() == Some(&act.step) {
            self.reached += 1;
            return Ok(None);
        }
        if let Some((at, undo, left)) = &mut self.faults.weather
            && (*at == act.step && *undo != forward && *left > 0)
        {
            *left -= 1;
            self.reached += 1;
            return Ok(Some(Answer::Retry { after_ms: 1, reason: "weather".to_owned() }));
        }
        let refused = forward && self.faults.refuse.as_ref() == Some(&act.step);
        self.reached += u64::from(refused);
        match &act.deed {
            ActDeed::Run if refused => Ok(Some(Answer::Refused(Refused::new("INJECTED", "injected")))),
            ActDeed::Run => {
                if self.faults.forgets {
                    self.reached += 1;
                    let _forgotten = self.call(saga, act).await;
                }
                Ok(self.call(saga, act).await)
            }
            ActDeed::Send { command, payload } | ActDeed::Probe { command, payload } => {
                let delivered = act.delivered(saga, (command, payload), self.epoch);
                let Some((module, store)) = self.modules.get(command.module.as_str()) else {
                    return Err(format!("nobody serves {}", command.module));
                };
                if refused {
                    return Ok(refuse(store, &delivered).await);
                }
                self.project().await?;
                let heads = self.heads();
                if self.faults.forgets {
                    self.reached += 1;
                    let dies: SharedStore = Arc::new(Passing(Forgets(Arc::clone(store))));
                    let now = self.clock.now();
                    let _forgotten = serve_beside(module, &dies, (&self.ids, &heads), now, &delivered).await;
                }
                let fated = self.deeds.over(Arc::clone(store));
                match serve_beside(module, &fated, (&self.ids, &heads), self.clock.now(), &delivered).await {
                    Served::Answered(answer) => {
                        is_kept(store, (saga, act), &answer).await?;
                        Ok(Some(answer))
                    }
                    Served::Stale { .. } => Ok(None),
                    Served::Park(why) => Err(format!("{}: {}: {}", act.step, why.code, why.reason)),
                }
            }
        }
    }
    /// Folds everything recorded so far into every module's read models: here, none is behind unless the faults say so.
    pub async fn project(&self) -> Result<(), String> {
        if self.faults.lags {
            return Ok(());
        }
        let hears = self.faults.deeds == Fates::Kind;
        for (module, own) in self.modules.values() {
            for def in &module.projections {
                for source in def.sources() {
                    let Some((_, log)) = self.modules.get(source) else { continue };
                    let own = self.deeds.over(Arc::clone(own));
                    match saga_engine::catchup::catch_up(def, &own, source, log).await {
                        // A fold that a store did not keep is repeated before the next command.
                        Err(why) if hears => return Err(why.to_string()),
                        Ok(_) | Err(_) => {}
                    }
                }
            }
        }
        Ok(())
    }
    async fn call(&self, saga: SagaId, act: &Act) -> Option<Answer> {
        let work = self.coordinator.saga(saga)?.call(act, &Stop::default(), &self.given).ok()?;
        Some(match work.await {
            Ok(output) => Answer::Done { output },
            Err(StepError::Refused { code, reason }) => Answer::Refused(Refused::new(code, reason)),
            Err(StepError::Retry { reason }) => Answer::Retry { after_ms: 0, reason },
            // A broken function stays silent here until its patience ends.
            Err(StepError::Broken { .. }) => return None,
        })
    }
}

/// The module says no: recorded in its inbox, like every refusal. What it answered before it answers again, and where the
/// undo came first it is silent.
async fn refuse(store: &SharedStore, delivered: &Delivered) -> Option<Answer> {
    let answer = Answer::Refused(Refused::new("INJECTED", "injected"));
    let row = entry(&Arrival::of(delivered), answer.clone());
    match store.commit(Batch { inbox: Some(row), ..Batch::default() }).await {
        Commit::Ok(_) => Some(answer),
        Commit::Conflict(Conflict::Answered { answer, .. }) => Some(answer),
        Commit::Conflict(Conflict::Stream { .. } | Conflict::Undone)
        | Commit::Retryable(_)
        | Commit::Unknown(_)
        | Commit::Rejected(_)
        | Commit::Fenced { .. } => None,
    }
}
