//! Read models: pure folds from events to documents, written by a builder so that what is consumed is known as data.

use crate::batch::DocumentWrite;
use crate::envelope::Recorded;
use crate::event::{DecodeError, Event, EventSet, Origin, Owner};
use crate::id::{EventId, Position, Version};
use crate::json::Payload;
use crate::read_model::ReadModel;
use crate::time::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Where an event stands, for folds that show times and links.
#[derive(Debug, Clone)]
pub struct At {
    /// The module that recorded it.
    pub module: String,
    /// Its id.
    pub id: EventId,
    /// Its stream's id part.
    pub stream: String,
    /// Its place in the stream.
    pub version: Version,
    /// Its place in the log.
    pub position: Position,
    /// When it happened.
    pub time: Timestamp,
    /// When it was committed.
    pub recorded_at: Timestamp,
}

impl At {
    /// Of an event of `module`.
    pub fn of(module: &str, recorded: &Recorded) -> Self {
        Self {
            module: module.to_owned(),
            id: recorded.id,
            stream: recorded.stream.id().to_owned(),
            version: recorded.version,
            position: recorded.position,
            time: recorded.time,
            recorded_at: recorded.recorded_at,
        }
    }
}

type KeyFn = Arc<dyn Fn(&Recorded, &At) -> Result<Option<String>, DecodeError> + Send + Sync>;
type FoldFn = Arc<dyn Fn(Option<Payload>, &Recorded, &At) -> Result<Option<Payload>, FoldError> + Send + Sync>;

/// Why a fold did not work: the event is parked, the document stays as it was.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FoldError {
    /// The event cannot be read.
    #[error(transparent)]
    Event(#[from] DecodeError),
    /// The document cannot be read: its shape changed without a new version of the projection.
    #[error("the document cannot be read: {0}")]
    Document(String),
}

/// What a projection does with one kind of event.
#[derive(Clone)]
pub struct Fold {
    /// The module whose event it is.
    pub module: &'static str,
    /// The event's name.
    pub event: &'static str,
    /// Whether the document begins with this event: an older one under its key does not count, and is not read.
    pub begins: bool,
    /// Which document it changes; `None` when it does not concern this projection.
    pub key: KeyFn,
    /// The new document.
    pub fold: FoldFn,
}

/// A read model of one module, fed by its own and by others' events. Its version grows when its fold or shape changes.
#[derive(Clone)]
pub struct ProjectionDef {
    /// `<module>.<noun>`.
    pub name: String,
    /// From 1.
    pub version: u16,
    /// Names of the top-level fields that can be searched by.
    pub index: &'static [&'static str],
    /// What it consumes.
    pub folds: Vec<Fold>,
}

impl std::fmt::Debug for ProjectionDef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}@{}", self.name, self.version)
    }
}

/// Builds a [`ProjectionDef`] over documents of type `Doc`.
pub struct Projection<Doc> {
    def: ProjectionDef,
    document: std::marker::PhantomData<fn() -> Doc>,
}

impl<Doc: Serialize + DeserializeOwned + Send + Sync + 'static> Projection<Doc> {
    /// The projection that keeps a read model.
    pub fn new(model: ReadModel<Doc>) -> Self {
        let (name, version, index) = (model.name().to_owned(), model.version(), model.index());
        let def = ProjectionDef { name, version, index, folds: Vec::new() };
        Self { def, document: std::marker::PhantomData }
    }
    /// For each event `E`: which document, and what becomes of it. The same event may be folded more than once.
    #[must_use]
    pub fn on<E: Event>(
        mut self,
        key: impl Fn(&E, &At) -> Option<String> + Send + Sync + 'static,
        fold: impl Fn(Option<Doc>, &E, &At) -> Option<Doc> + Send + Sync + 'static,
    ) -> Self {
        self.def.folds.push(Fold {
            module: E::Owner::MODULE,
            event: E::NAME,
            begins: false,
            key: Arc::new(move |recorded, at| Ok(key(&decode::<E>(recorded)?, at))),
            fold: Arc::new(move |document, recorded, at| {
                let folded = fold(read(document)?, &decode::<E>(recorded)?, at);
                folded.map(|document| Payload::of(&document)).transpose().map_err(unreadable)
            }),
        });
        self
    }
    /// For an event `E` that a document begins with: nothing before it, in this stream or another, has changed that one.
    #[must_use]
    pub fn begin<E: Event>(
        mut self,
        key: impl Fn(&E, &At) -> Option<String> + Send + Sync + 'static,
        fold: impl Fn(&E, &At) -> Option<Doc> + Send + Sync + 'static,
    ) -> Self {
        self = self.on::<E>(key, move |_, event, at| fold(event, at));
        if let Some(fold) = self.def.folds.last_mut() {
            fold.begins = true;
        }
        self
    }
    /// For every event of the story `S`: the document has the story's own key, and the fold says what becomes of it. No event
    /// of the story is forgotten, for the fold is given all of them.
    #[must_use]
    pub fn story<S: EventSet>(
        mut self,
        fold: impl Fn(Option<Doc>, S, &At) -> Option<Doc> + Send + Sync + 'static,
    ) -> Self {
        let fold: FoldFn = Arc::new(move |document, recorded, at| {
            let folded = fold(read(document)?, S::of(recorded)?, at);
            folded.map(|document| Payload::of(&document)).transpose().map_err(unreadable)
        });
        let key: KeyFn = Arc::new(|_, at| Ok(Some(at.stream.clone())));
        self.def.folds.extend(S::EVENTS.iter().map(|&(event, _)| Fold {
            module: S::Owner::MODULE,
            event,
            begins: false,
            key: Arc::clone(&key),
            fold: Arc::clone(&fold),
        }));
        self
    }
    /// The projection as data.
    pub fn build(self) -> ProjectionDef {
        self.def
    }
}

fn read<Doc: DeserializeOwned>(document: Option<Payload>) -> Result<Option<Doc>, FoldError> {
    document.map(|body| body.read()).transpose().map_err(unreadable)
}
fn unreadable(why: serde_json::Error) -> FoldError {
    FoldError::Document(why.to_string())
}

fn decode<E: Event>(recorded: &Recorded) -> Result<E, DecodeError> {
    let origin = Origin { id: recorded.id, recorded_at: recorded.recorded_at };
    E::decode(recorded.schema_version, &recorded.data, &origin)
}

/// Reads a recorded event as `E`, from any module's log.
pub fn read_as<E: Event>(recorded: &Recorded) -> Result<E, DecodeError> {
    decode(recorded)
}

/// The name under which a projection's place in one source is kept.
pub(crate) fn consumer_of(name: &str, version: u16, source: &str) -> String {
    format!("projection:{name}.v{version}@{source}")
}

impl ProjectionDef {
    /// The modules it listens to, each once.
    pub fn sources(&self) -> Vec<&'static str> {
        let mut sources: Vec<_> = self.folds.iter().map(|fold| fold.module).collect();
        sources.sort_unstable();
        sources.dedup();
        sources
    }
    /// The module that keeps it.
    pub fn owner(&self) -> &str {
        self.name.split('.').next().unwrap_or_default()
    }
    /// The consumer name of its checkpoint for one source.
    pub fn consumer(&self, source: &str) -> String {
        consumer_of(&self.name, self.version, source)
    }
    /// A document as the store writes it, with its index fields read from the body.
    pub fn write(&self, key: &str, body: Option<Payload>) -> DocumentWrite {
        let index = body.as_ref().map(|body| index_of(self.index, body)).unwrap_or_default();
        DocumentWrite { projection: self.name.clone(), version: self.version, key: key.to_owned(), body, index }
    }
}

/// The values of these fields of a document, as texts; nothing else of it is built.
fn index_of(names: &[&'static str], body: &Payload) -> Vec<Option<String>> {
    let fields: BTreeMap<&str, &RawValue> = serde_json::from_str(body.as_str()).unwrap_or_default();
    let text = |name: &&str| {
        let written = fields.get(name)?.get();
        match written {
            "null" => None,
            text if text.starts_with('"') => serde_json::from_str(text).ok(),
            other => serde_json::from_str(other).ok().map(|value: serde_json::Value| value.to_string()),
        }
    };
    names.iter().map(text).collect()
}
