//! One story as state: a pure fold over its events, loaded from a store.

use crate::event::{DecodeError, EventSet, Owner};
use crate::id::{StreamId, StreamNameError, Version};
use crate::ports::{ReadError, SharedStore};

/// How many events one read of a stream brings at most.
pub const STREAM_PAGE: usize = 500;

/// The state of one kind of story. `Default` is the state before the first event.
pub trait Aggregate: Default + Send + Sync + 'static {
    /// Its events, which name the category of its streams.
    type Event: EventSet;
    /// Folds one event. Total: an event that was recorded happened.
    fn evolve(&mut self, event: &Self::Event);
}

/// The module that an aggregate belongs to.
pub fn owner_of<A: Aggregate>() -> &'static str {
    <<A::Event as EventSet>::Owner as Owner>::MODULE
}

/// A story as it was read: decide on `state`, then append at `version`.
#[derive(Debug, Clone)]
pub struct Loaded<A> {
    /// Its stream.
    pub stream: StreamId,
    /// How many events it has.
    pub version: Version,
    /// What they add up to.
    pub state: A,
}

impl<A> Loaded<A> {
    /// Whether the story has begun.
    pub fn exists(&self) -> bool {
        self.version > Version::ZERO
    }
}

/// Why a story could not be loaded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LoadError {
    /// The store does not answer, or is damaged.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// An event cannot be read: a bug or a newer writer. The caller parks.
    #[error("{stream} version {version}: {source}")]
    Decode {
        /// Which stream.
        stream: StreamId,
        /// Which event.
        version: Version,
        /// Why.
        source: DecodeError,
    },
    /// The id does not make a stream name.
    #[error(transparent)]
    Name(#[from] StreamNameError),
}

/// Reads and folds a whole stream, page by page.
pub async fn load<A: Aggregate>(store: &SharedStore, id: impl std::fmt::Display) -> Result<Loaded<A>, LoadError> {
    let stream = StreamId::new(A::Event::CATEGORY, id)?;
    let mut loaded = Loaded { stream, version: Version::ZERO, state: A::default() };
    loop {
        let page = store.read(&loaded.stream, loaded.version, STREAM_PAGE).await?;
        for recorded in &page {
            let event = A::Event::of(recorded).map_err(|source| LoadError::Decode {
                stream: loaded.stream.clone(),
                version: recorded.version,
                source,
            })?;
            loaded.state.evolve(&event);
            loaded.version = recorded.version;
        }
        if page.len() < STREAM_PAGE {
            return Ok(loaded);
        }
    }
}
