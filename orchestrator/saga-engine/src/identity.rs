//! A store knows whose it is: its module, its installation, when it was made. And each lists the other stores of its process,
//! and how far each was known to reach. So one that is missing, another's or younger is told from a new one.
//!
//! The identity of a store is the first deed that its inbox remembers: written once, by the process that first opens it
//! to work, with the store's own means, and never changed. The list is a read model of nobody's events: only a start
//! and a clock write it.

use saga_core::batch::{Batch, Commit, Conflict, DocumentWrite, InboxEntry};
use saga_core::envelope::sha256;
use saga_core::id::{Direction, Epoch, Position, StepKey};
use saga_core::json::Payload;
use saga_core::outcome::Answer;
use saga_core::ports::{FIND_LIMIT_MAX, Find, OpenError, ReadError, SharedStore};
use saga_core::time::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use uuid::Uuid;

/// The list of the other stores, as documents of each store.
pub const STORES: &str = "_stores";
/// Its version.
pub const STORES_VERSION: u16 = 1;

/// The losses that a person accepted, as documents of every store.
pub const ACCEPTED: &str = "_accepted";
/// Its version.
pub const ACCEPTED_VERSION: u16 = 1;

/// The key under which an inbox remembers what its store is. No saga has this id.
pub fn key() -> StepKey {
    StepKey::derive(Uuid::nil(), "store", Direction::Do)
}

/// The identity of a store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The module whose it is.
    pub module: String,
    /// Its own id.
    pub store: Uuid,
    /// The id of the coordinator's store, by which the installation is called; `None`: made by a process that did not know it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub installation: Option<Uuid>,
    /// When it was made, or first taken for its module's.
    pub created_at: Timestamp,
}

/// What the coordinator's store knows of a store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed {
    /// Which one it is.
    pub store: Uuid,
    /// When it was made.
    pub created_at: Timestamp,
    /// Its log has reached at least this far.
    pub position: Position,
    /// The link at that position, as hex.
    pub chain: String,
}

/// A loss that a person has accepted: the store goes on as it is, and what the logs say of before is no reason not to start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accepted {
    /// Who.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// Where each log of the installation ended then.
    pub heads: BTreeMap<String, Position>,
}

/// The identity that a store has; `None`: it was given none yet.
///
/// # Errors
/// It cannot be read, or what stands there is no identity.
pub async fn of(store: &SharedStore) -> Result<Option<Identity>, ReadError> {
    let memory = store.answered(Uuid::nil(), key(), key()).await?;
    memory.deed.map(|row| read(&row.answer)).transpose()
}

fn read(answer: &Answer) -> Result<Identity, ReadError> {
    let corrupt = |why: String| ReadError::Corrupt { place: "what the store is".to_owned(), why };
    match answer {
        Answer::Done { output } => output.read().map_err(|why| corrupt(why.to_string())),
        Answer::Refused(_) | Answer::Retry { .. } => Err(corrupt("it is no identity".to_owned())),
    }
}

/// Says what a store is, once: if it knows already, its first answer stands, and is given back.
///
/// # Errors
/// It cannot be written now, or what stands there is no identity.
pub async fn adopt(store: &SharedStore, identity: &Identity) -> Result<Identity, ReadError> {
    let unavailable = |why: String| ReadError::Unavailable(why);
    let output = Payload::of(identity).map_err(|why| unavailable(why.to_string()))?;
    let entry = InboxEntry {
        saga: Uuid::nil(),
        key: key(),
        direction: Direction::Do,
        unless: None,
        payload_hash: sha256(output.as_str().as_bytes()),
        epoch: Epoch::ZERO,
        answer: Answer::Done { output },
    };
    match store.commit(Batch { inbox: Some(entry), ..Batch::default() }).await {
        Commit::Ok(_) => Ok(identity.clone()),
        Commit::Conflict(Conflict::Answered { answer, .. }) => read(&answer),
        Commit::Unknown(why) => of(store).await?.ok_or_else(|| unavailable(why.to_string())),
        other @ (Commit::Conflict(_) | Commit::Fenced { .. } | Commit::Rejected(_) | Commit::Retryable(_)) => {
            Err(unavailable(format!("the store does not say what it is: {other:?}")))
        }
    }
}

/// What a store knows of the others, by module.
///
/// # Errors
/// It cannot be read.
pub async fn listed(store: &SharedStore) -> Result<BTreeMap<String, Listed>, ReadError> {
    documents(store, STORES, STORES_VERSION).await
}
/// The losses that were accepted, by the module whose store it was.
///
/// # Errors
/// It cannot be read.
pub async fn accepted(store: &SharedStore) -> Result<BTreeMap<String, Accepted>, ReadError> {
    documents(store, ACCEPTED, ACCEPTED_VERSION).await
}
async fn documents<T: DeserializeOwned>(
    store: &SharedStore,
    projection: &str,
    version: u16,
) -> Result<BTreeMap<String, T>, ReadError> {
    let find = Find {
        projection: projection.to_owned(),
        version,
        filters: Vec::new(),
        order_by: None,
        descending: false,
        after: None,
        limit: FIND_LIMIT_MAX,
    };
    let mut list = BTreeMap::new();
    for document in store.find(&find).await? {
        let corrupt = |why: serde_json::Error| ReadError::Corrupt {
            place: format!("the list of stores, {}", document.key),
            why: why.to_string(),
        };
        list.insert(document.key.clone(), document.body.read().map_err(corrupt)?);
    }
    Ok(list)
}

/// Writes what is known of other stores into a store.
///
/// # Errors
/// It cannot be written now. The list is as it was, and nothing hangs on it.
pub async fn list(store: &SharedStore, stores: &BTreeMap<String, Listed>) -> Result<(), ReadError> {
    let write = |(module, listed): (&String, &Listed)| document(STORES, STORES_VERSION, module, listed);
    written(store, stores.iter().map(write).collect()).await
}
/// Writes into a store that the loss of a module's store was accepted.
///
/// # Errors
/// It cannot be written now.
pub async fn accept(store: &SharedStore, module: &str, accepted: &Accepted) -> Result<(), ReadError> {
    written(store, vec![document(ACCEPTED, ACCEPTED_VERSION, module, accepted)]).await
}
fn document(projection: &str, version: u16, key: &str, body: &impl Serialize) -> DocumentWrite {
    let (projection, key) = (projection.to_owned(), key.to_owned());
    DocumentWrite { projection, version, key, body: Payload::of(body).ok(), index: Vec::new() }
}
async fn written(store: &SharedStore, documents: Vec<DocumentWrite>) -> Result<(), ReadError> {
    match store.commit(Batch { documents, ..Batch::default() }).await {
        Commit::Ok(_) => Ok(()),
        other @ (Commit::Conflict(_)
        | Commit::Fenced { .. }
        | Commit::Rejected(_)
        | Commit::Retryable(_)
        | Commit::Unknown(_)) => Err(ReadError::Unavailable(format!("the list of stores: {other:?}"))),
    }
}

/// How far a store's log reaches now, as it stands in the list.
///
/// # Errors
/// It cannot be read.
pub async fn reach(identity: &Identity, store: &SharedStore) -> Result<Listed, ReadError> {
    let head = store.head().await?;
    let last = store.read_log(Position(head.0.saturating_sub(1)), 1).await?;
    let (position, chain) = last.first().map_or((Position::ZERO, [0; 32]), |last| (last.position, last.chain));
    Ok(Listed { store: identity.store, created_at: identity.created_at, position, chain: hex(&chain) })
}

/// A link as it stands in the list.
pub fn hex(chain: &[u8; 32]) -> String {
    chain.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Whether a store is the one that belongs to a module. Pure.
///
/// # Errors
/// `Strange` with whose it is instead.
pub fn judge(
    place: &str,
    module: &str,
    found: Option<&Identity>,
    listed: Option<&Listed>,
    installation: Option<Uuid>,
) -> Result<(), OpenError> {
    let strange = |why: String| Err(OpenError::Strange { place: place.to_owned(), why });
    match (found, listed) {
        (Some(found), _) if found.module != module => {
            strange(format!("it is the store of {}, not of {module}", found.module))
        }
        (Some(Identity { installation: Some(theirs), .. }), _) if installation.is_some_and(|ours| ours != *theirs) => {
            strange(format!("it belongs to another installation, {theirs}"))
        }
        (Some(found), Some(listed)) if found.store != listed.store => strange(format!(
            "it is not the store that the coordinator knows, but one that was made at {}",
            found.created_at
        )),
        (None, Some(listed)) => strange(format!(
            "it says nothing of whose it is, and the store of {module} was made at {}",
            listed.created_at
        )),
        (Some(_) | None, _) => Ok(()),
    }
}

/// Whether a store still has what it was known to have.
///
/// # Errors
/// `Behind` when its log ends before, or goes another way; or it cannot be read.
pub async fn still(place: &str, listed: &Listed, store: &SharedStore) -> Result<(), OpenError> {
    let unreadable = |why: ReadError| OpenError::Unavailable { place: place.to_owned(), why: why.to_string() };
    let behind = |why: String| Err(OpenError::Behind { place: place.to_owned(), why });
    let Some(before) = listed.position.0.checked_sub(1) else { return Ok(()) };
    let there = store.read_log(Position(before), 1).await.map_err(unreadable)?;
    match there.first() {
        Some(event) if hex(&event.chain) == listed.chain => Ok(()),
        Some(_) => behind(format!("at position {} it has another event than it had", listed.position)),
        None => {
            let head = store.head().await.map_err(unreadable)?;
            behind(format!("its log ends at {head}, and was known to reach {}", listed.position))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whose_a_store_is_in_one_table() {
        let id = Uuid::from_u128;
        let identity = |module: &str, store, installation: Option<u128>| Identity {
            module: module.to_owned(),
            store: id(store),
            installation: installation.map(id),
            created_at: Timestamp(0),
        };
        let listed = |store| Listed {
            store: id(store),
            created_at: Timestamp(0),
            position: Position::ZERO,
            chain: String::new(),
        };
        let ours = Some(id(9));
        let table = [
            ("new", None, None, ours, true),
            ("ours", Some(identity("qc", 1, Some(9))), Some(listed(1)), ours, true),
            ("ours, and not listed yet", Some(identity("qc", 1, Some(9))), None, ours, true),
            ("made without knowing the installation", Some(identity("qc", 1, None)), Some(listed(1)), ours, true),
            ("looked at without knowing the installation", Some(identity("qc", 1, Some(9))), None, None, true),
            ("another module's", Some(identity("strategy", 1, Some(9))), None, ours, false),
            ("another installation's", Some(identity("qc", 1, Some(8))), None, ours, false),
            ("another one", Some(identity("qc", 2, Some(9))), Some(listed(1)), ours, false),
            ("an empty one in place of a known one", None, Some(listed(1)), ours, false),
        ];
        for (what, found, listed, installation, good) in table {
            let judged = judge("here", "qc", found.as_ref(), listed.as_ref(), installation);
            assert_eq!(judged.is_ok(), good, "{what}: {judged:?}");
        }
    }
}
