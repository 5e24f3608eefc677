//! The coordinator's own log: facts to events and back, and which sagas are still open.

use crate::machine::assignment::group_scope;
use saga_core::aggregate::STREAM_PAGE;
use saga_core::batch::{Batch, Commit, Fence, InboxEntry, Mark, StreamWrite};
use saga_core::envelope::{NewEvent, Recorded};
use saga_core::event::{DecodeError, EventSet};
use saga_core::fact::{ANOMALY_CATEGORY, SAGA_CATEGORY, SagaFact, SagaStarted};
use saga_core::id::{Direction, Epoch, Position, RequestId, SagaId, StepKey, StreamId, Version};
use saga_core::json::Payload;
use saga_core::outcome::Answer;
use saga_core::ports::{Claim, Ids, Lease, ReadError, SharedStore};
use saga_core::time::Timestamp;
use saga_core::view::{SagaRow, SagaState};
use saga_core::waiting::{WaitReason, Waiting};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::time::Duration;
use uuid::Uuid;

/// 2,000 events a page: one read is some hundred kilobytes and a few milliseconds.
pub const LOG_PAGE: usize = 2_000;

/// The stream of a saga.
pub fn stream_of(saga: SagaId) -> Option<StreamId> {
    StreamId::new(SAGA_CATEGORY, saga).ok()
}
/// The saga of a stream.
pub fn saga_of(stream: &StreamId) -> Option<SagaId> {
    (stream.category() == SAGA_CATEGORY).then(|| stream.id().parse().ok()).flatten()
}

/// What the first event of a saga says in its metadata, beside a fact whose shape is published: readers that do not know it
/// pass it by.
#[derive(Default, Serialize, Deserialize)]
struct BeganWith {
    #[serde(skip_serializing_if = "Option::is_none", default)]
    meaning: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    deadline_ms: Option<u64>,
}

/// Facts as events. Their metadata is empty but for what a saga began with: the stream is the correlation, the
/// facts name who ordered what.
pub fn events_of(facts: &[SagaFact], ids: &dyn Ids, now: Timestamp) -> Result<Vec<NewEvent>, serde_json::Error> {
    facts
        .iter()
        .map(|fact| {
            let (data, meta) = if let Some(started) = fact.as_start() {
                let mut told = started.clone();
                let began = BeganWith { meaning: told.meaning.take(), deadline_ms: told.deadline_ms.take() };
                (Payload::of(&told)?, Payload::of(&began)?)
            } else {
                (fact.encode()?, Payload::trusted("{}"))
            };
            Ok(NewEvent {
                id: ids.event(now),
                name: fact.name(),
                version: fact.version(),
                data,
                meta,
                time: now,
                public: true,
            })
        })
        .collect()
}

/// The commit of a decision.
pub fn batch_of(stream: StreamId, expected: Version, events: Vec<NewEvent>, fence: Option<Fence>) -> Batch {
    Batch { writes: vec![StreamWrite { stream, expected, events }], fence, ..Batch::default() }
}

/// The step that a store most likely means when it says that it can never keep these facts, and which way: that of the
/// largest one.
pub fn suspect(facts: &[SagaFact]) -> Option<(String, Direction)> {
    let written = facts.iter().filter_map(|fact| Some((fact.name(), fact.encode().ok()?)));
    let (name, data) = written.max_by_key(|(_, data)| data.as_str().len())?;
    let fact: serde_json::Value = data.read().ok()?;
    let step = fact["step"].as_str()?.to_owned();
    let back = name.contains("Compensat") || fact["undo"].as_bool() == Some(true);
    Some((step, if back { Direction::Undo } else { Direction::Do }))
}

/// An order, as the store remembers it over all sagas: under its request id, with the digest of the whole of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Once {
    /// The request id.
    pub request: RequestId,
    /// The digest of the whole order and of its saga.
    pub digest: [u8; 32],
}

impl Once {
    /// The row that keeps another order from using the same id. It goes with the order's facts, or not at all.
    pub fn row(self) -> InboxEntry {
        InboxEntry {
            saga: self.request.0,
            key: StepKey::derive(self.request.0, "order", Direction::Do),
            direction: Direction::Do,
            unless: None,
            payload_hash: self.digest,
            epoch: Epoch::ZERO,
            answer: Answer::Done { output: Payload::null() },
        }
    }
}

/// A message that belongs to no saga: kept where it can be queried, once however often it comes (a repeated one is a
/// conflict of its stream).
pub fn anomaly(saga: SagaId, what: &str, ids: &dyn Ids, now: Timestamp) -> Option<Batch> {
    let id = Uuid::new_v5(&saga.0, what.as_bytes());
    let stream = StreamId::new(ANOMALY_CATEGORY, id).ok()?;
    let fact = SagaFact::LateReplyRecorded(saga_core::fact::LateReplyRecorded {
        step: format!("saga {saga}"),
        kind: "no such saga".to_owned(),
        answer: saga_core::limits::cut(what),
    });
    let events = events_of(&[fact], ids, now).ok()?;
    Some(batch_of(stream, Version::ZERO, events, None))
}

/// Why a saga's history cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HistoryError {
    /// The store cannot be read now.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A fact of the future, or damaged: this saga waits, the others go on.
    #[error("{stream} version {version}: {why}")]
    Decode {
        /// Whose.
        stream: StreamId,
        /// Which fact.
        version: Version,
        /// Why.
        why: String,
        /// How it began, if that can be read.
        started: Option<Box<(SagaStarted, Timestamp)>>,
    },
}

/// A saga of which a fact cannot be read, as lists show it: one row, in need of a person.
pub fn unreadable(saga: SagaId, why: &str, started: Option<&(SagaStarted, Timestamp)>, now: Timestamp) -> SagaRow {
    let since = started.map_or(now, |(_, at)| *at);
    let (kind, version, key) = started.map_or_else(
        || ("?".to_owned(), 0, "?".to_owned()),
        |(started, _)| (started.definition.clone(), started.version, started.key.clone()),
    );
    let of_it = (String::new(), false);
    let waiting = Waiting {
        last: Some(why.to_owned()),
        ..Waiting::of(WaitReason::Unreadable, why.to_owned(), of_it, None, since)
    };
    SagaRow {
        id: saga,
        kind,
        version,
        key,
        state: SagaState::Parked,
        step: None,
        undoing: false,
        attempt: None,
        started_at: since,
        ended_at: None,
        reason: Some(format!("{}: {why}", WaitReason::Unreadable.code())),
        waiting: vec![waiting],
    }
}

/// A recorded fact, with what the first one has in its metadata.
pub fn fact_of(recorded: &Recorded) -> Result<SagaFact, DecodeError> {
    let mut fact = SagaFact::of(recorded)?;
    if let SagaFact::SagaStarted(started) = &mut fact {
        // An older program wrote nothing there.
        let began: BeganWith = recorded.meta.read().unwrap_or_default();
        (started.meaning, started.deadline_ms) = (began.meaning, began.deadline_ms);
    }
    Ok(fact)
}

/// A saga's whole history.
pub async fn history(store: &SharedStore, saga: SagaId) -> Result<Vec<(SagaFact, Timestamp)>, HistoryError> {
    let mut facts = Vec::new();
    let Some(stream) = stream_of(saga) else { return Ok(facts) };
    loop {
        let after = Version(facts.len() as u64);
        let page = store.read(&stream, after, STREAM_PAGE).await?;
        for recorded in &page {
            let fact = fact_of(recorded).map_err(|why| HistoryError::Decode {
                stream: stream.clone(),
                version: recorded.version,
                why: why.to_string(),
                started: facts.first().and_then(|(fact, at): &(SagaFact, Timestamp)| {
                    fact.as_start().map(|started| Box::new((started.clone(), *at)))
                }),
            })?;
            facts.push((fact, recorded.time));
        }
        if page.len() < STREAM_PAGE {
            return Ok(facts);
        }
    }
}

/// What recovery found, and the proof that it read everything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recovered {
    /// Sagas without a terminal fact.
    pub open: BTreeSet<SagaId>,
    /// How many events were read.
    pub events: u64,
    /// The last position read.
    pub head: Position,
}

impl Recovered {
    /// Takes in a page of the log that follows what was read so far. A gap is an error, never skipped.
    pub fn read(&mut self, page: &[Recorded]) -> Result<(), ReadError> {
        for recorded in page {
            if recorded.position != self.head.next() {
                let why = format!("position {} follows {}", recorded.position, self.head);
                return Err(ReadError::Corrupt { place: "the log".to_owned(), why });
            }
            self.head = recorded.position;
            self.events += 1;
            let Some(saga) = saga_of(&recorded.stream) else { continue };
            match recorded.name.as_str() {
                "SagaStarted" => {
                    self.open.insert(saga);
                }
                "SagaCompleted" | "SagaCompensated" | "SagaCancelled" => {
                    self.open.remove(&saga);
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// Which sagas are open: everything known up to `from`, and the whole log after it, to its head.
pub async fn recover(store: &SharedStore, known: BTreeSet<SagaId>, from: Position) -> Result<Recovered, ReadError> {
    let mut found = Recovered { open: known, events: 0, head: from };
    loop {
        let page = store.read_log(found.head, LOG_PAGE).await?;
        if page.is_empty() {
            return Ok(found);
        }
        found.read(&page)?;
    }
}

/// The consumer name under which a store remembers how many groups its sagas are spread over.
pub(crate) const GROUPS: &str = "groups";
/// 64 groups: more would only be more leases.
pub const GROUPS_MAX: u16 = 64;

/// The number of groups that a store remembers; `None`: nobody has said one yet.
///
/// # Errors
/// `Corrupt`: no program writes a number beyond [`GROUPS_MAX`], and a process that believed it would look for sagas
/// under other groups.
pub(crate) fn groups_in(mark: Position) -> Result<Option<u16>, ReadError> {
    match u16::try_from(mark.0) {
        Ok(0) => Ok(None),
        Ok(groups) if groups <= GROUPS_MAX => Ok(Some(groups)),
        Ok(_) | Err(_) => Err(ReadError::Corrupt {
            place: "the number of coordinator groups".to_owned(),
            why: format!("it says {}, and there are at most {GROUPS_MAX}", mark.0.cast_signed()),
        }),
    }
}
/// The same, read.
pub(crate) async fn known_groups(store: &SharedStore) -> Result<Option<u16>, ReadError> {
    groups_in(store.checkpoint(GROUPS).await?)
}

/// The number of groups that a store of sagas remembers; `None`: it is new.
///
/// # Errors
/// As [`agree_on_groups`].
pub async fn groups_of(store: &SharedStore) -> Result<Option<u16>, ReadError> {
    match known_groups(store).await? {
        None if store.head().await? > Position::ZERO => Err(ReadError::Corrupt {
            place: "the number of coordinator groups".to_owned(),
            why: "it is lost or zero, and the log has sagas that are spread over some number of groups".to_owned(),
        }),
        known => Ok(known),
    }
}

/// Which group a saga belongs to. The last bits of an id are random, however it was made.
pub fn group_of(saga: SagaId, groups: u16) -> u16 {
    u16::try_from(saga.0.as_u128() % u128::from(groups.max(1))).unwrap_or(0)
}

/// Remembers how many groups the sagas of a store are spread over, or says how many others have said before. A saga
/// that changed its group would meet epochs of another group's fence.
///
/// # Errors
/// The store; or what it remembers is no number of groups, also where it has sagas and remembers none: the number stands there
/// before the first of them.
pub async fn agree_on_groups(store: &SharedStore, groups: u16) -> Result<u16, ReadError> {
    if let Some(known) = groups_of(store).await? {
        return Ok(known);
    }
    let marks = vec![Mark { consumer: GROUPS.to_owned(), position: Position(groups.into()) }];
    write(store, Batch { marks, ..Batch::default() }).await?;
    Ok(groups)
}

/// Why the groups of a store were not changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RegroupError {
    /// A coordinator runs, or died so short a time ago that nobody knows.
    #[error("a coordinator has {0}: stop all of them, and wait for their leases to run out")]
    InUse(String),
    /// The store.
    #[error(transparent)]
    Store(#[from] ReadError),
}

/// A seat or group that a coordinator holds, or may hold until its lease runs out; `None`: no process coordinates.
///
/// # Errors
/// The store.
pub async fn coordinated(store: &SharedStore, owner: Uuid) -> Result<Option<String>, ReadError> {
    let leases = store.lease(owner, &Claim::default(), Duration::ZERO).await?;
    let live = |lease: &Lease| {
        !lease.left.is_zero() && (lease.scope.starts_with("seat:") || lease.scope.starts_with("group:"))
    };
    Ok(leases.into_iter().find(live).map(|lease| lease.scope))
}

/// Spreads the sagas of a store over another number of groups. No coordinator may run. Every new group begins above the
/// newest epoch that any group has had, because modules refuse a saga's command with an epoch older than they have seen.
/// Repeating it is harmless; when it breaks off, the number is the old one and epochs have only grown.
pub async fn regroup(store: &SharedStore, owner: Uuid, groups: u16) -> Result<u16, RegroupError> {
    let before = agree_on_groups(store, groups).await?;
    if let Some(scope) = coordinated(store, owner).await? {
        return Err(RegroupError::InUse(scope));
    }
    let want: Vec<String> = (0..before.max(groups)).map(group_scope).collect();
    let taken = store.lease(owner, &Claim { want: want.clone(), leave: Vec::new() }, Duration::ZERO).await?;
    let newest = taken.iter().filter(|lease| want.contains(&lease.scope)).map(|lease| lease.epoch).max();
    let epoch = newest.unwrap_or_default().next();
    let position = Position(groups.into());
    for scope in want {
        let fence = Some(Fence { scope, epoch });
        write(store, Batch { fence, ..Batch::default() }).await?;
    }
    let marks = vec![Mark { consumer: GROUPS.to_owned(), position }];
    write(store, Batch { marks, ..Batch::default() }).await?;
    Ok(before)
}

async fn write(store: &SharedStore, batch: Batch) -> Result<(), ReadError> {
    match store.commit(batch).await {
        Commit::Ok(_) => Ok(()),
        other @ (Commit::Conflict(_)
        | Commit::Fenced { .. }
        | Commit::Rejected(_)
        | Commit::Retryable(_)
        | Commit::Unknown(_)) => Err(ReadError::Unavailable(format!("{other:?}"))),
    }
}
