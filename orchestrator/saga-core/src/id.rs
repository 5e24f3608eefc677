//! Newtypes for everything that names something: an id of one kind can never be passed for another.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use uuid::Uuid;

/// Writes an id newtype over a UUID: parsing, printing, `short()`, serde and, with the feature `schemas`, JSON Schema.
/// A crate that uses the macro needs no crate beside this one.
#[macro_export]
macro_rules! uuid_newtype {
    ($($(#[doc = $doc:literal])* $name:ident),+ $(,)?) => {$(
        $(#[doc = $doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub $crate::uuid::Uuid);
        impl $name {
            /// The last eight hex digits: what people see. (The front of a version 7 UUID is the clock.)
            pub fn short(&self) -> ::std::string::String {
                let text = self.0.simple().to_string();
                ::std::string::String::from(&text[24..])
            }
        }
        impl ::std::fmt::Display for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                ::std::fmt::Display::fmt(&self.0, f)
            }
        }
        impl ::std::str::FromStr for $name {
            type Err = $crate::uuid::Error;
            fn from_str(text: &str) -> ::std::result::Result<Self, Self::Err> {
                $crate::uuid::Uuid::parse_str(text).map(Self)
            }
        }
        impl ::std::convert::From<$crate::id::StepKey> for $name {
            /// An id that a step creates is the step's key: derivable before the reply exists.
            fn from(key: $crate::id::StepKey) -> Self {
                Self(key.uuid())
            }
        }
        impl $crate::serde::Serialize for $name {
            fn serialize<S: $crate::serde::Serializer>(&self, to: S) -> ::std::result::Result<S::Ok, S::Error> {
                $crate::serde::Serialize::serialize(&self.0, to)
            }
        }
        impl<'de> $crate::serde::Deserialize<'de> for $name {
            fn deserialize<D: $crate::serde::Deserializer<'de>>(from: D) -> ::std::result::Result<Self, D::Error> {
                $crate::serde::Deserialize::deserialize(from).map(Self)
            }
        }
        $crate::__uuid_schema! { $name, concat!($($doc, "\n"),*) }
    )+};
}

/// The JSON Schema of an id. Whether there is one is decided by this crate's feature, not by the crate that defines the
/// id.
#[cfg(feature = "schemas")]
#[doc(hidden)]
#[macro_export]
macro_rules! __uuid_schema {
    ($name:ident, $doc:expr) => {
        impl $crate::schemars::JsonSchema for $name {
            /// An id of which nothing is said is shown where it stands, as the UUID that it is.
            fn inline_schema() -> bool {
                $doc.is_empty()
            }
            fn schema_name() -> ::std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }
            fn schema_id() -> ::std::borrow::Cow<'static, str> {
                concat!(module_path!(), "::", stringify!($name)).into()
            }
            fn json_schema(generator: &mut $crate::schemars::SchemaGenerator) -> $crate::schemars::Schema {
                let schema = <$crate::uuid::Uuid as $crate::schemars::JsonSchema>::json_schema(generator);
                $crate::id::described(schema, $doc)
            }
        }
    };
}
#[cfg(not(feature = "schemas"))]
#[doc(hidden)]
#[macro_export]
macro_rules! __uuid_schema {
    ($name:ident, $doc:expr) => {};
}

/// A schema with what its documentation says of it.
#[cfg(feature = "schemas")]
#[doc(hidden)]
pub fn described(mut schema: schemars::Schema, doc: &str) -> schemars::Schema {
    let lines: Vec<&str> = doc.lines().map(str::trim).collect();
    let text = lines.join("\n").trim().to_owned();
    if !text.is_empty() {
        schema.insert("description".to_owned(), text.into());
    }
    schema
}

uuid_newtype! {
    /// One run of a definition.
    SagaId,
    /// One event or fact. Minted once, through `Ids`.
    EventId,
    /// One request of a person or client: the same request id twice is one effect.
    RequestId,
}

/// What a step is called to the world: the same for every attempt and delivery of one deed in one direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct StepKey(Uuid);

/// Which way a deed goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// The deed itself.
    Do,
    /// The command that takes it back.
    Undo,
}

impl Direction {
    /// The word on the wire.
    pub fn word(self) -> &'static str {
        match self {
            Direction::Do => "do",
            Direction::Undo => "undo",
        }
    }
}

impl StepKey {
    /// UUIDv5 of the saga, the step's path and the direction (semantics of the barrier: see `machine::participant`).
    pub fn derive(saga: Uuid, path: &str, direction: Direction) -> Self {
        Self(Uuid::new_v5(&saga, format!("{path}:{}", direction.word()).as_bytes()))
    }
    /// A key that came over the wire or out of a store.
    pub fn from_uuid(uuid: Uuid) -> Self {
        Self(uuid)
    }
    /// The bare UUID.
    pub fn uuid(self) -> Uuid {
        self.0
    }
    /// A further id for a deed that creates more than one thing; always the same for the same key and name.
    pub fn named(self, name: &str) -> StepKey {
        Self(Uuid::new_v5(&self.0, name.as_bytes()))
    }
    /// The last eight hex digits.
    pub fn short(self) -> String {
        self.0.simple().to_string()[24..].to_owned()
    }
}

impl fmt::Display for StepKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// 256 bytes: room for a category, a UUID and a tenant, and short enough for every broker header and index page.
pub const STREAM_NAME_BYTES_MAX: usize = 256;

/// The name of one story: `category-id`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct StreamId(Arc<str>);

/// Why a text is not a stream name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StreamNameError {
    /// Longer than [`STREAM_NAME_BYTES_MAX`].
    #[error("stream name has {bytes} bytes, at most {STREAM_NAME_BYTES_MAX} are allowed")]
    TooLong {
        /// How long it is.
        bytes: usize,
    },
    /// Not `category-id`, or with a character that a subject or path could not carry.
    #[error("stream name {name:?} is not `category-id` (letters, digits and `_.:/@+` around one or more `-`)")]
    Malformed {
        /// The offending name.
        name: String,
    },
}

/// Whether a byte may stand in the name of a stream: a table, because each commit names one.
const STREAM_NAME_BYTES: [bool; 256] = {
    let (mut legal, mut byte) = ([false; 256], 0_u8);
    loop {
        legal[byte as usize] =
            byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b':' | b'/' | b'@' | b'+' | b'-');
        if byte == u8::MAX {
            break legal;
        }
        byte += 1;
    }
};

impl StreamId {
    /// Joins category and id and checks the result.
    pub fn new(category: &str, id: impl fmt::Display) -> Result<Self, StreamNameError> {
        Self::parse(&format!("{category}-{id}"))
    }
    /// Checks a whole name.
    pub fn parse(name: &str) -> Result<Self, StreamNameError> {
        if name.len() > STREAM_NAME_BYTES_MAX {
            return Err(StreamNameError::TooLong { bytes: name.len() });
        }
        let legal = |byte| STREAM_NAME_BYTES[usize::from(byte)];
        match name.split_once('-') {
            Some((category, id)) if !category.is_empty() && !id.is_empty() && name.bytes().all(legal) => {
                Ok(Self(name.into()))
            }
            Some(_) | None => Err(StreamNameError::Malformed { name: name.to_owned() }),
        }
    }
    /// The part before the first `-`.
    pub fn category(&self) -> &str {
        self.0.split_once('-').map_or(&self.0, |(category, _)| category)
    }
    /// The part after the first `-`.
    pub fn id(&self) -> &str {
        self.0.split_once('-').map_or("", |(_, id)| id)
    }
    /// The whole name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
    /// The whole name, shared: for stores, which hand it on to another thread without a copy.
    pub fn to_shared(&self) -> Arc<str> {
        Arc::clone(&self.0)
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
impl FromStr for StreamId {
    type Err = StreamNameError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}
impl TryFrom<String> for StreamId {
    type Error = StreamNameError;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}
impl From<StreamId> for String {
    fn from(stream: StreamId) -> String {
        stream.0.as_ref().to_owned()
    }
}

macro_rules! counter {
    ($($(#[$meta:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
        #[serde(transparent)]
        pub struct $name(pub u64);
        impl $name {
            /// Before the first.
            pub const ZERO: $name = $name(0);
            /// The one after this, held at the end of the numbers: after the last one is nothing, and not the beginning.
            pub fn next(self) -> Self {
                Self(self.0.saturating_add(1))
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }
    )+};
}
counter! {
    /// Place of an event in its stream: 1, 2, 3 ... without a gap; 0 is the empty stream.
    Version,
    /// Place of an event in its module's log, the order of commit: 1, 2, 3 ... without a gap; 0 is before the first.
    Position,
    /// Grows at every change of hands of a coordinator group.
    Epoch,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_key_depends_on_saga_path_and_direction_only() {
        let saga = Uuid::from_u128(7);
        let key = StepKey::derive(saga, "assets[2]/render", Direction::Do);
        assert_eq!(key, StepKey::derive(saga, "assets[2]/render", Direction::Do));
        assert_ne!(key, StepKey::derive(saga, "assets[2]/render", Direction::Undo));
        assert_ne!(key, StepKey::derive(saga, "assets[1]/render", Direction::Do));
        assert_ne!(key, StepKey::derive(Uuid::from_u128(8), "assets[2]/render", Direction::Do));
    }

    #[test]
    fn stream_names_are_checked() {
        let good = StreamId::parse("strategy_document-018f-a").unwrap();
        assert_eq!((good.category(), good.id()), ("strategy_document", "018f-a"));
        for bad in ["", "nodash", "-x", "x-", "a-b c", "a-\u{0}", "a-é", "a-*"] {
            assert!(StreamId::parse(bad).is_err(), "{bad:?}");
        }
        let long = format!("a-{}", "x".repeat(STREAM_NAME_BYTES_MAX));
        assert_eq!(StreamId::parse(&long), Err(StreamNameError::TooLong { bytes: long.len() }));
    }
}
