//! A module receives a command: barrier, handler, one commit, answer. The only async function here decides nothing.

use crate::machine::participant::{Admission, Arrival, admit, entry, repeat};
use async_trait::async_trait;
use saga_core::batch::{Batch, Commit, Conflict, Fence};
use saga_core::bus::Delivered;
use saga_core::id::{Direction, Epoch};
use saga_core::module::{Call, Deed, Handling, Module};
use saga_core::outcome::{Answer, Refused};
use saga_core::ports::{Heads, Ids, ReadError, Remembered, SharedStore};
use saga_core::time::Timestamp;
use std::sync::Arc;
use std::time::Duration;

/// How often a handler is called again because its streams moved, before the sender is asked to come back later.
pub const CONFLICTS_MAX: u32 = 16;
/// How the reason begins of an answer to a deed that came too late to be begun.
pub const EXPIRED: &str = "EXPIRED";
/// How long a sender waits after a conflict storm or a store that is busy.
pub const BUSY_RETRY_MS: u64 = 50;

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
    let arrival = Arrival::of(delivered);
    for _ in 0..CONFLICTS_MAX {
        let memory = match store.answered(arrival.saga, arrival.deed, arrival.undo).await {
            Ok(memory) => memory,
            Err(why) => return later(why.to_string()),
        };
        let batch = match admit(&arrival, &memory) {
            Admission::Answer(answer) => return Served::Answered(answer),
            Admission::Stale { newest } => return Served::Stale { newest },
            Admission::Record(row) => Batch { inbox: Some(row), ..Batch::default() },
            Admission::Decide if is_expired(&delivered.deed, now) => return expired(&delivered.deed, now),
            Admission::Decide => {
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
        match commit(&arrival, batch, store).await {
            Some(served) => return served,
            None => {
                tracing::debug!(module = module.name, command = delivered.command, "the story moved, deciding again")
            }
        }
    }
    later(format!("{CONFLICTS_MAX} conflicts in a row"))
}

/// Commits and translates the result; `None` means: read again and decide again.
async fn commit(arrival: &Arrival, batch: Batch, store: &SharedStore) -> Option<Served> {
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

/// A fence over a coordinator group.
pub fn group_fence(group: u16, epoch: Epoch) -> Fence {
    Fence { scope: crate::machine::assignment::group_scope(group), epoch }
}
