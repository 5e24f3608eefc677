//! A module receives a command: barrier, handler, one commit, answer. The only async function here decides nothing.

use crate::batch::{Batch, Commit, Conflict, Fence};
use crate::definition::CommandName;
use crate::envelope::{Actor, sha256};
use crate::execution::Act;
use crate::id::{Direction, Epoch, SagaId, StepKey};
use crate::json::Payload;
use crate::machine::participant::{Arrival, Verdict, entry, judge, repeat};
use crate::module::{Call, Deed, Handling, Module};
use crate::outcome::{Answer, Refused};
use crate::ports::{Heads, Ids, ReadError, Remembered, SharedStore};
use crate::time::Timestamp;
use async_trait::async_trait;
use std::sync::Arc;
use std::time::Duration;

/// How often a handler is called again because its streams moved, before the sender is asked to come back later.
pub const CONFLICTS_MAX: u32 = 16;
/// How the reason begins of an answer to a deed that came too late to be begun.
pub const EXPIRED: &str = "EXPIRED";
/// How long a sender waits after a conflict storm or a store that is busy.
pub const BUSY_RETRY_MS: u64 = 50;

/// One delivery of a command to a module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivered {
    /// Command name.
    pub command: String,
    /// Version of the request.
    pub version: u16,
    /// Its JSON.
    pub payload: Payload,
    /// The deed's envelope.
    pub deed: Deed,
    /// The sender's epoch.
    pub epoch: Epoch,
    /// Both keys of the deed.
    pub keys: (StepKey, StepKey),
}

impl Delivered {
    /// What a saga asks of a module, as its owner with this epoch sends it.
    pub fn of_saga(saga: SagaId, act: &Act, (command, payload): (&CommandName, &Payload), epoch: Epoch) -> Self {
        let key = if act.direction == Direction::Do { act.keys.0 } else { act.keys.1 };
        let deed = Deed {
            saga: saga.0,
            step: act.step.clone(),
            key,
            direction: act.direction,
            attempt: act.attempt,
            actor: Actor::saga(saga),
            correlation: saga.0,
            causation: key.uuid(),
            traceparent: None,
            deadline: Some(act.deadline),
        };
        let (command, version) = (command.name.clone(), command.version);
        Self { command, version, payload: payload.clone(), deed, epoch, keys: act.keys }
    }
    /// Its identity at the barrier.
    pub fn arrival(&self) -> Arrival {
        Arrival {
            saga: self.deed.saga,
            deed: self.keys.0,
            undo: self.keys.1,
            direction: self.deed.direction,
            payload_hash: sha256(self.payload.as_str().as_bytes()),
            epoch: self.epoch,
        }
    }
}

/// What became of a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Served {
    /// Answer the sender; a `Done` or `Refused` is durable.
    Answered(Answer),
    /// From a replaced owner: dropped.
    Stale {
        /// The newest epoch seen for the saga.
        newest: Epoch,
    },
    /// Park it with this reason: no route, a payload that is not the command, a bug.
    Park(Refused),
}

/// Serves one delivery. Repeating it is safe at any point: the barrier answers from the row.
pub async fn serve(
    module: &Module,
    store: &SharedStore,
    ids: &Arc<dyn Ids>,
    now: Timestamp,
    delivered: &Delivered,
) -> Served {
    let nobody: Arc<dyn Heads> = Arc::new(Nobody);
    serve_beside(module, store, (ids, &nobody), now, delivered).await
}

/// A module that stands alone: nobody tells it how far others are.
struct Nobody;
#[async_trait]
impl Heads for Nobody {
    async fn head(&self, module: &str) -> Result<u64, ReadError> {
        Err(ReadError::Unavailable(format!("{module} is not to be reached from here")))
    }
}

/// [`serve`] beside other modules, whose logs a handler may ask after.
pub async fn serve_beside(
    module: &Module,
    store: &SharedStore,
    (ids, heads): (&Arc<dyn Ids>, &Arc<dyn Heads>),
    now: Timestamp,
    delivered: &Delivered,
) -> Served {
    let name = (delivered.command.as_str(), delivered.version);
    let route = module.commands.iter().find(|((command, version), _)| (*command, *version) == name);
    let Some((_, route)) = route else {
        let versions = module.commands.keys().filter(|(command, _)| *command == delivered.command);
        let known = versions.map(|(_, version)| version.to_string()).collect::<Vec<_>>().join(", ");
        return Served::Park(no_route(module, delivered, &known));
    };
    let arrival = delivered.arrival();
    for _ in 0..CONFLICTS_MAX {
        let memory = match store.answered(arrival.saga, arrival.deed, arrival.undo).await {
            Ok(memory) => memory,
            Err(why) => return later(why.to_string()),
        };
        let batch = match judge(&arrival, &memory) {
            Verdict::Answer(answer) => return Served::Answered(answer),
            Verdict::Stale { newest } => return Served::Stale { newest },
            Verdict::Record(row) => Batch { inbox: Some(row), ..Batch::default() },
            Verdict::Decide if is_expired(&delivered.deed, now) => return expired(&delivered.deed, now),
            Verdict::Decide => {
                let call = Call {
                    deed: delivered.deed.clone(),
                    payload: delivered.payload.clone(),
                    store: Arc::clone(store),
                    ids: Arc::clone(ids),
                    heads: Arc::clone(heads),
                    now,
                };
                match (route.handle)(call).await {
                    Handling::Decided { answer, writes, blobs } => {
                        Batch { writes, blobs, inbox: Some(entry(&arrival, answer)), ..Batch::default() }
                    }
                    Handling::Retry { after_ms, reason } => {
                        return Served::Answered(Answer::Retry { after_ms, reason });
                    }
                    Handling::Malformed(why) => return Served::Park(Refused::new("MALFORMED", why)),
                }
            }
        };
        match settle(&arrival, batch, store).await {
            Some(served) => return served,
            None => {
                tracing::debug!(module = module.name, command = delivered.command, "the story moved, deciding again")
            }
        }
    }
    later(format!("{CONFLICTS_MAX} conflicts in a row"))
}

/// Commits and translates the result; `None` means: read again and decide again.
async fn settle(arrival: &Arrival, batch: Batch, store: &SharedStore) -> Option<Served> {
    let answer = batch.inbox.as_ref().map(|row| row.answer.clone())?;
    match store.commit(batch).await {
        Commit::Ok(_) => Some(Served::Answered(answer)),
        Commit::Conflict(Conflict::Answered { answer, payload_hash }) => {
            Some(Served::Answered(repeat(arrival, &Remembered { answer, payload_hash })))
        }
        Commit::Conflict(Conflict::Stream { .. } | Conflict::Undone) => None,
        Commit::Fenced { current } => Some(Served::Stale { newest: current }),
        Commit::Rejected(limit) => Some(Served::Park(Refused::new("LIMIT", limit.to_string()))),
        Commit::Retryable(why) => Some(later(why.to_string())),
        // The next turn reads the inbox: if the commit happened, the row is there and answers.
        Commit::Unknown(_) => None,
    }
}

/// Whether nobody waits for this deed any more. An undo is always waited for.
fn is_expired(deed: &Deed, now: Timestamp) -> bool {
    deed.direction == Direction::Do && deed.deadline.is_some_and(|deadline| deadline < now)
}
/// Nothing happened, and nothing will: the sender asks anew. What it has asked before, the barrier has answered by here.
fn expired(deed: &Deed, now: Timestamp) -> Served {
    let late = deed.deadline.map_or(Duration::ZERO, |deadline| now.since(deadline));
    let reason = format!("{EXPIRED}: it came {} ms after its deadline", late.as_millis());
    Served::Answered(Answer::Retry { after_ms: 0, reason })
}

fn later(reason: String) -> Served {
    Served::Answered(Answer::Retry { after_ms: BUSY_RETRY_MS, reason })
}

fn no_route(module: &Module, delivered: &Delivered, known: &str) -> Refused {
    let asked = format!("{}.{} version {}", module.name, delivered.command, delivered.version);
    let reason = if known.is_empty() {
        format!("{asked} is answered by nobody")
    } else {
        format!("{asked} is answered by nobody; versions that are: {known}")
    };
    Refused::new("NO_ROUTE", reason)
}

/// The envelope of a command that a person or program sends without a saga: the request id makes it happen once.
pub fn direct(
    command: &str,
    version: u16,
    payload: Payload,
    request: uuid::Uuid,
    actor: crate::envelope::Actor,
) -> Delivered {
    let path = format!("request:{command}");
    let keys = (StepKey::derive(request, &path, Direction::Do), StepKey::derive(request, &path, Direction::Undo));
    let deed = Deed {
        saga: request,
        step: path,
        key: keys.0,
        direction: Direction::Do,
        attempt: 1,
        actor,
        correlation: request,
        causation: request,
        traceparent: None,
        deadline: None,
    };
    Delivered { command: command.to_owned(), version, payload, deed, epoch: Epoch::ZERO, keys }
}

/// A fence over a coordinator group.
pub fn group_fence(group: u16, epoch: Epoch) -> Fence {
    Fence { scope: crate::machine::seats::group_scope(group), epoch }
}
