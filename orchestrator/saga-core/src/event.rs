//! Typed events: an owner, a version, an upcast from the version before, and sets of events that make up one story.
//!
//! Invariant: an [`EventSet`] has one owner, and a module is handed streams of its own owner only.

use crate::envelope::Recorded;
use crate::id::EventId;
use crate::json::Payload;
use crate::time::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::cmp::Ordering;

/// A module, as a type.
pub trait Owner: Send + Sync + 'static {
    /// The module's name, as in file names and subjects.
    const MODULE: &'static str;
}

/// Where an event came from, for upcasts that need it (a time that the old shape did not carry, an id derived from it).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin {
    /// The event's id.
    pub id: EventId,
    /// When it was committed.
    pub recorded_at: Timestamp,
}

/// One version of one event: pure data.
pub trait Event: Serialize + DeserializeOwned + Clone + Send + Sync + 'static {
    /// Whose event it is.
    type Owner: Owner;
    /// Past tense, without the module's name.
    const NAME: &'static str;
    /// From 1.
    const VERSION: u16;
    /// The shape before this one; [`Genesis`] for version 1.
    type Previous: Upcast<Self>;
    /// Reads any version up to this one.
    fn decode(version: u16, data: &Payload, origin: &Origin) -> Result<Self, DecodeError> {
        match version.cmp(&Self::VERSION) {
            Ordering::Equal => {
                data.read().map_err(|why| DecodeError::Malformed { of: Self::NAME, version, why: why.to_string() })
            }
            Ordering::Less => Self::Previous::read(version, data, origin).map(|old| old.upcast(origin)),
            Ordering::Greater => Err(DecodeError::FromTheFuture { of: Self::NAME, version }),
        }
    }
}

/// An older shape that knows how to become the next one. Pure: the stored bytes never change.
pub trait Upcast<Newer>: Sized {
    /// Reads this shape or an older one.
    fn read(version: u16, data: &Payload, origin: &Origin) -> Result<Self, DecodeError>;
    /// Becomes the next shape.
    fn upcast(self, origin: &Origin) -> Newer;
}

/// There was nothing before version 1.
#[derive(Debug, Clone, Copy)]
pub enum Genesis {}
impl<E> Upcast<E> for Genesis {
    fn read(version: u16, _: &Payload, _: &Origin) -> Result<Self, DecodeError> {
        Err(DecodeError::NoSuchVersion { version })
    }
    fn upcast(self, _: &Origin) -> E {
        match self {}
    }
}

/// Why stored or received bytes are not an event. All of them park; none is dropped.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// Written by a newer program.
    #[error("{of} version {version} is newer than this program")]
    FromTheFuture {
        /// Event name.
        of: &'static str,
        /// Stored version.
        version: u16,
    },
    /// Version 0, or older than the oldest.
    #[error("there is no version {version}")]
    NoSuchVersion {
        /// Stored version.
        version: u16,
    },
    /// Not the shape that its version promises.
    #[error("{of} version {version} cannot be read: {why}")]
    Malformed {
        /// Event name.
        of: &'static str,
        /// Stored version.
        version: u16,
        /// What the reader said, with the place.
        why: String,
    },
    /// No such event in this story.
    #[error("unknown event {name}")]
    Unknown {
        /// Stored name.
        name: String,
    },
}

/// The events of one story, as an enum; written by [`event_set!`](crate::event_set).
pub trait EventSet: Clone + Send + Sync + Sized + 'static {
    /// Whose story.
    type Owner: Owner;
    /// Name and version of each event in the set, newest versions.
    const EVENTS: &'static [(&'static str, u16)];
    /// This event's name.
    fn name(&self) -> &'static str;
    /// This event's version.
    fn version(&self) -> u16;
    /// Its JSON.
    fn encode(&self) -> Result<Payload, serde_json::Error>;
    /// Reads by name, through the upcasts.
    fn decode(name: &str, version: u16, data: &Payload, origin: &Origin) -> Result<Self, DecodeError>;
    /// Reads a stored event.
    fn of(recorded: &Recorded) -> Result<Self, DecodeError> {
        let origin = Origin { id: recorded.id, recorded_at: recorded.recorded_at };
        Self::decode(&recorded.name, recorded.schema_version, &recorded.data, &origin)
    }
}

/// Writes the enum over a story's events, its [`EventSet`], `From` for each event, and a check that all have one owner.
/// Whoever uses it needs no crate beside this one.
#[macro_export]
macro_rules! event_set {
    ($(#[$meta:meta])* $vis:vis enum $set:ident of $owner:ty { $($event:ident),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq)]
        $vis enum $set { $(#[doc = concat!("See [`", stringify!($event), "`].")] $event($event)),+ }
        const _: () = {
            const fn same_owner<E: $crate::event::Event<Owner = $owner>>() {}
            $(same_owner::<$event>();)+
        };
        impl $crate::event::EventSet for $set {
            type Owner = $owner;
            const EVENTS: &'static [(&'static str, u16)] = &[$((
                <$event as $crate::event::Event>::NAME, <$event as $crate::event::Event>::VERSION)),+];
            fn name(&self) -> &'static str {
                match self { $(Self::$event(_) => <$event as $crate::event::Event>::NAME),+ }
            }
            fn version(&self) -> u16 {
                match self { $(Self::$event(_) => <$event as $crate::event::Event>::VERSION),+ }
            }
            fn encode(&self) -> ::std::result::Result<$crate::json::Payload, $crate::serde_json::Error> {
                match self { $(Self::$event(event) => $crate::json::Payload::of(event)),+ }
            }
            fn decode(
                name: &str, version: u16, data: &$crate::json::Payload, origin: &$crate::event::Origin,
            ) -> ::std::result::Result<Self, $crate::event::DecodeError> {
                $(if name == <$event as $crate::event::Event>::NAME {
                    return <$event as $crate::event::Event>::decode(version, data, origin).map(Self::$event);
                })+
                Err($crate::event::DecodeError::Unknown { name: ::std::string::String::from(name) })
            }
        }
        $(impl ::std::convert::From<$event> for $set {
            fn from(event: $event) -> Self { Self::$event(event) }
        })+
    };
}
