//! What travels with an event: who, why, when, and its place in its stream and its module's log.

use crate::id::{EventId, Position, StreamId, Version};
use crate::json::Payload;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// Who acted. Every command, order and event carries one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct Actor {
    /// What kind of somebody.
    pub kind: ActorKind,
    /// Who: a user name, a client id, a saga id, a part of the system.
    pub id: String,
}

/// The kinds of actors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ActorKind {
    /// A person who runs the business.
    Operator,
    /// A person who is served by it.
    Client,
    /// A saga, by its step.
    Saga,
    /// The system itself, by a reactor or a timer.
    System,
    /// An import of old data.
    Import,
}

impl Actor {
    /// An operator by name.
    pub fn operator(id: impl Into<String>) -> Self {
        Self { kind: ActorKind::Operator, id: id.into() }
    }
    /// A saga by its id.
    pub fn saga(id: impl ToString) -> Self {
        Self { kind: ActorKind::Saga, id: id.to_string() }
    }
    /// A part of the system by name.
    pub fn system(id: impl Into<String>) -> Self {
        Self { kind: ActorKind::System, id: id.into() }
    }
}

/// Which saga, and which of its steps, led to an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SagaRef {
    /// The saga.
    pub id: Uuid,
    /// The step's path, for example `assets[2]/render`.
    pub step: String,
}

/// The part of an event that is the same whatever happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metadata {
    /// Everything that belongs to one undertaking shares this id: the saga's, or the first request's.
    pub correlation: Uuid,
    /// The command, event or fact that directly led here.
    pub causation: Uuid,
    /// Who.
    pub actor: Actor,
    /// Through which saga and step, if any.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub saga: Option<SagaRef>,
    /// The deed's key, for commands from sagas, reactors and people alike: which deed made this event.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub deed: Option<Uuid>,
    /// W3C trace context, copied as it came.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub traceparent: Option<String>,
}

/// An event on its way into a store. Its id is minted before the commit, so that a repeated commit is recognised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEvent {
    /// Minted once.
    pub id: EventId,
    /// Type name, for example `StrategyGenerated`.
    pub name: &'static str,
    /// Version of the type.
    pub version: u16,
    /// The JSON text, serialised once.
    pub data: Payload,
    /// The JSON text of a [`Metadata`], or `{}` where the stream itself says it all.
    pub meta: Payload,
    /// When it happened, as its writer sees it.
    pub time: Timestamp,
    /// Whether other modules may see it (it then has a `public_seq`).
    pub public: bool,
}

/// An event as a store gives it back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// Place in the module's log, without a gap.
    pub position: Position,
    /// Place among the module's public events, without a gap; `None` for private ones.
    pub public_seq: Option<u64>,
    /// Which story.
    pub stream: StreamId,
    /// Place in the story, from 1 without a gap.
    pub version: Version,
    /// Its id.
    pub id: EventId,
    /// Type name.
    pub name: String,
    /// Version of the type as stored; reading goes through the upcasts.
    pub schema_version: u16,
    /// The bytes exactly as they were hashed.
    pub data: Payload,
    /// The bytes of the metadata exactly as they were hashed.
    pub meta: Payload,
    /// When it happened, as its writer saw it.
    pub time: Timestamp,
    /// When it was committed; never goes back within one log.
    pub recorded_at: Timestamp,
    /// `sha256(previous chain ‖ position ‖ digest)`.
    pub chain: [u8; 32],
}

impl Recorded {
    /// The metadata, read.
    pub fn metadata(&self) -> Result<Metadata, serde_json::Error> {
        self.meta.read()
    }
    /// The digest of everything that must never change.
    pub fn digest(&self) -> [u8; 32] {
        let header = Header {
            stream: self.stream.as_str(),
            version: self.version,
            id: self.id,
            name: &self.name,
            schema_version: self.schema_version,
            public_seq: self.public_seq,
            time: self.time,
            recorded_at: self.recorded_at,
        };
        header.digest(self.data.as_str(), self.meta.as_str())
    }
}

/// What is hashed of an event beside its two texts.
#[derive(Debug, Clone, Copy)]
pub struct Header<'a> {
    /// Stream name.
    pub stream: &'a str,
    /// Version in the stream.
    pub version: Version,
    /// Event id.
    pub id: EventId,
    /// Type name.
    pub name: &'a str,
    /// Version of the type.
    pub schema_version: u16,
    /// Public place, if any.
    pub public_seq: Option<u64>,
    /// When it happened.
    pub time: Timestamp,
    /// When it was committed.
    pub recorded_at: Timestamp,
}

impl Header<'_> {
    /// sha256 over length-prefixed fields, so that no two different events have the same bytes.
    pub fn digest(&self, data: &str, meta: &str) -> [u8; 32] {
        let mut hash = Sha256::new();
        let mut field = |bytes: &[u8]| {
            hash.update((bytes.len() as u64).to_be_bytes());
            hash.update(bytes);
        };
        field(self.stream.as_bytes());
        field(&self.version.0.to_be_bytes());
        field(self.id.0.as_bytes());
        field(self.name.as_bytes());
        field(&self.schema_version.to_be_bytes());
        field(&self.public_seq.unwrap_or(0).to_be_bytes());
        field(&self.time.0.to_be_bytes());
        field(&self.recorded_at.0.to_be_bytes());
        field(data.as_bytes());
        field(meta.as_bytes());
        hash.finalize().into()
    }
}

/// The next link of the chain.
pub fn chain(previous: &[u8; 32], position: Position, digest: &[u8; 32]) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(previous);
    hash.update(position.0.to_be_bytes());
    hash.update(digest);
    hash.finalize().into()
}

/// sha256 of a text, as hex: content hashes, payload hashes, blob names.
pub fn sha256_hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
/// 64 hex digits as the bytes of a digest; nothing for any other text.
pub fn unhex(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (byte, at) in bytes.iter_mut().zip((0..64).step_by(2)) {
        *byte = u8::from_str_radix(&text[at..at + 2], 16).ok()?;
    }
    Some(bytes)
}

/// sha256 of a text, raw.
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}
