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

/// One version of one event: pure data. [`story!`](crate::story) writes it.
pub trait Event: Serialize + DeserializeOwned + Clone + Send + Sync + 'static {
    /// Whose event it is.
    type Owner: Owner;
    /// Past tense, without the module's name.
    const NAME: &'static str;
    /// From 1.
    const VERSION: u16;
    /// Reads a version before this one, through the upcasts. Before version 1 there is none.
    fn older(version: u16, data: &Payload, origin: &Origin) -> Result<Self, DecodeError>;
    /// Reads any version up to this one.
    fn decode(version: u16, data: &Payload, origin: &Origin) -> Result<Self, DecodeError> {
        match version.cmp(&Self::VERSION) {
            Ordering::Equal => {
                data.read().map_err(|why| DecodeError::Malformed { of: Self::NAME, version, why: why.to_string() })
            }
            Ordering::Less => Self::older(version, data, origin),
            Ordering::Greater => Err(DecodeError::FromTheFuture { of: Self::NAME, version }),
        }
    }
}

/// An older shape that knows how to become the next one. Pure: the stored bytes never change.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not say how it becomes `{Newer}`",
    label = "an older version in a story",
    note = "the versions of an event are listed from the first to the newest; each but the newest has an upcast:",
    note = "`impl Upcast<{Newer}> for {Self} {{ fn upcast(self, _: &Origin) -> {Newer} {{ .. }} }}`"
)]
pub trait Upcast<Newer>: Event {
    /// What is wrong with values that have this shape and mean nothing, and so must not become the next one.
    fn check(&self) -> Result<(), String> {
        Ok(())
    }
    /// Becomes the next shape.
    fn upcast(self, origin: &Origin) -> Newer;
    /// Reads this shape or an older one, as the next one.
    fn read_as_newer(version: u16, data: &Payload, origin: &Origin) -> Result<Newer, DecodeError> {
        let old = Self::decode(version, data, origin)?;
        old.check().map_err(|why| DecodeError::Malformed { of: Self::NAME, version, why })?;
        Ok(old.upcast(origin))
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

/// The events of one story, as an enum; written by [`story!`](crate::story).
pub trait EventSet: Clone + Send + Sync + Sized + 'static {
    /// Whose story.
    type Owner: Owner;
    /// The category of its streams: the module, an underscore, and the kind of thing that it tells of.
    const CATEGORY: &'static str;
    /// Name and version of each event in the set, newest versions. Versions begin at 1 and have no gap.
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

/// Whether a category is named as the streams of a module are: the module, an underscore, and something after it.
#[doc(hidden)]
pub const fn is_category_of(module: &str, category: &str) -> bool {
    match category.as_bytes().split_at_checked(module.len()) {
        Some((owner, [b'_', _, ..])) => is_same(owner, module.as_bytes()),
        _ => false,
    }
}
/// Equality that the compiler can ask.
pub(crate) const fn is_same(mut left: &[u8], mut right: &[u8]) -> bool {
    while let ([a, left_rest @ ..], [b, right_rest @ ..]) = (left, right) {
        if *a != *b {
            return false;
        }
        (left, right) = (left_rest, right_rest);
    }
    left.len() == right.len()
}

/// Declares the events of one story: whose they are, the category of its streams, and each event by its name, with the
/// types of its versions from the first to the newest where there are more than one. The types are structs beside it:
///
/// ```
/// # use saga_core::event::{Event, Origin, Owner, Upcast};
/// # use serde::{Deserialize, Serialize};
/// # enum Shop {}
/// # impl Owner for Shop { const MODULE: &'static str = "shop"; }
/// # #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)] struct OrderPlacedV1 { pieces: u32 }
/// # #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)] struct OrderPlacedV2 { pieces: u32, urgent: bool }
/// # #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)] struct OrderSent {}
/// saga_core::story! {
///     /// The story of one order.
///     enum OrderEvent of Shop in "shop_order" { OrderPlaced(OrderPlacedV1, OrderPlacedV2), OrderSent }
/// }
/// impl Upcast<OrderPlacedV2> for OrderPlacedV1 {
///     fn upcast(self, _: &Origin) -> OrderPlacedV2 {
///         OrderPlacedV2 { pieces: self.pieces, urgent: false }
///     }
/// }
/// assert_eq!((OrderPlaced::NAME, OrderPlaced::VERSION), ("OrderPlaced", 2));
/// ```
///
/// It yields [`Event`] for each type, `OrderPlaced` as the name of the newest one, the enum, its [`EventSet`], and `From`
/// for each event. An event is in one story, and a category that is not its module's does not compile. A crate that
/// uses the macro needs no crate beside this one.
#[macro_export]
macro_rules! story {
    (@first $owner:ident $name:ident $event:ident) => {
        impl $crate::event::Event for $event {
            type Owner = $owner;
            const NAME: &'static str = stringify!($name);
            const VERSION: u16 = 1;
            fn older(
                version: u16, _: &$crate::json::Payload, _: &$crate::event::Origin,
            ) -> ::std::result::Result<Self, $crate::event::DecodeError> {
                Err($crate::event::DecodeError::NoSuchVersion { version })
            }
        }
    };
    (@later $vis:vis $owner:ident $name:ident $newest:ident) => {
        #[doc = concat!("The newest shape of `", stringify!($name), "`.")]
        $vis type $name = $newest;
    };
    (@later $vis:vis $owner:ident $name:ident $older:ident $event:ident $($later:ident)*) => {
        impl $crate::event::Event for $event {
            type Owner = $owner;
            const NAME: &'static str = stringify!($name);
            const VERSION: u16 = <$older as $crate::event::Event>::VERSION + 1;
            fn older(
                version: u16, data: &$crate::json::Payload, origin: &$crate::event::Origin,
            ) -> ::std::result::Result<Self, $crate::event::DecodeError> {
                <$older as $crate::event::Upcast<Self>>::read_as_newer(version, data, origin)
            }
        }
        $crate::story!(@later $vis $owner $name $event $($later)*);
    };
    (@versions $vis:vis $owner:ident $name:ident) => { $crate::story!(@first $owner $name $name); };
    (@versions $vis:vis $owner:ident $name:ident $first:ident $($later:ident)*) => {
        $crate::story!(@first $owner $name $first);
        $crate::story!(@later $vis $owner $name $first $($later)*);
    };
    ($(#[$meta:meta])* $vis:vis enum $set:ident of $owner:ident in $category:literal {
        $($event:ident $(($($version:ident),+ $(,)?))?),+ $(,)?
    }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq)]
        $vis enum $set { $(#[doc = concat!("See [`", stringify!($event), "`].")] $event($event)),+ }
        $($crate::story!(@versions $vis $owner $event $($($version)+)?);)+
        const _: () = assert!(
            $crate::event::is_category_of(<$owner as $crate::event::Owner>::MODULE, $category),
            concat!("the category of a story begins with its module's name and an underscore: ", $category)
        );
        impl $crate::event::EventSet for $set {
            type Owner = $owner;
            const CATEGORY: &'static str = $category;
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
