//! A module as the engine sees it: a router of commands, queries, projections, reactors and sagas. Inert data until hosted.

use crate::aggregate::{Aggregate, LoadError, Loaded, load};
use crate::batch::{Blob, StreamWrite};
use crate::command::{Command, Query, Refusal};
use crate::definition::Definition;
use crate::envelope::{Actor, Metadata, NewEvent, Recorded, SagaRef, sha256, sha256_hex};
use crate::event::{DecodeError, Event, EventSet, Owner};
use crate::id::{Direction, StepKey};
use crate::json::Payload;
use crate::outcome::{Answer, Refused};
use crate::ports::{Cached, Document, Find, Ids, ReadError, SharedStore};
use crate::projection::{At, ProjectionDef, read_as};
use crate::time::Timestamp;
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use uuid::Uuid;

/// A boxed future, as handlers give it.
pub type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Which deed a handler is asked for: the envelope of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deed {
    /// The saga; for a reactor the event's id, for a person the request's.
    pub saga: Uuid,
    /// The step's path; `reactor:<name>` or `operator` outside of sagas.
    pub step: String,
    /// The deed's key, the same for every attempt and delivery.
    pub key: StepKey,
    /// Do or undo.
    pub direction: Direction,
    /// Which attempt this is, from 1.
    pub attempt: u32,
    /// Who.
    pub actor: Actor,
    /// What everything that belongs together shares.
    pub correlation: Uuid,
    /// The fact, event or request that led to this command.
    pub causation: Uuid,
    /// Trace context.
    pub traceparent: Option<String>,
    /// The answer is of no use after this.
    pub deadline: Option<Timestamp>,
}

/// What a handler works with. Cheap to clone; holds no way to write: a handler *returns* what to commit.
pub struct Cx<N> {
    needs: Arc<N>,
    store: SharedStore,
    ids: Arc<dyn Ids>,
    deed: Arc<Deed>,
    now: Timestamp,
}

impl<N> Clone for Cx<N> {
    fn clone(&self) -> Self {
        Self {
            needs: Arc::clone(&self.needs),
            store: Arc::clone(&self.store),
            ids: Arc::clone(&self.ids),
            deed: Arc::clone(&self.deed),
            now: self.now,
        }
    }
}

/// Why a handler stops without a deed. There is no blanket `From`: every `?` says which kind of failure it is.
#[derive(Debug)]
pub enum Halt<R> {
    /// A business no. Recorded, answered, final for this key.
    Refuse(R),
    /// Weather: nothing is recorded; the same key is asked again later.
    Retry {
        /// Not before this many milliseconds.
        after_ms: u64,
        /// What the weather is.
        reason: String,
    },
}

/// What a handler of the command `C` gives back.
pub type Handled<C> = Result<Done<<C as Command>::Reply>, Halt<<C as Command>::Refusal>>;

/// A deed that was decided: the reply and everything to commit with it.
#[derive(Debug)]
pub struct Done<T> {
    reply: T,
    writes: Vec<StreamWrite>,
    blobs: Vec<Blob>,
    fault: Option<String>,
    meta: Payload,
    minted: Minted,
}

/// A second is long enough for a module to recover from a hiccup and short enough to go unnoticed.
const RETRY_AFTER_MS: u64 = 1_000;

/// Says that a failure is weather.
pub trait OrRetry<T> {
    /// Turns the error into [`Halt::Retry`].
    fn or_retry<R>(self) -> Result<T, Halt<R>>;
}
impl<T, E: std::fmt::Display> OrRetry<T> for Result<T, E> {
    fn or_retry<R>(self) -> Result<T, Halt<R>> {
        self.map_err(|why| Halt::Retry { after_ms: RETRY_AFTER_MS, reason: why.to_string() })
    }
}
/// Says that a failure is a business no.
pub trait OrRefuse<T, E> {
    /// Turns the error into [`Halt::Refuse`].
    fn or_refuse<R: From<E>>(self) -> Result<T, Halt<R>>;
}
impl<T, E> OrRefuse<T, E> for Result<T, E> {
    fn or_refuse<R: From<E>>(self) -> Result<T, Halt<R>> {
        self.map_err(|why| Halt::Refuse(R::from(why)))
    }
}

impl<N> Cx<N> {
    /// What the module needs from outside.
    pub fn needs(&self) -> &N {
        &self.needs
    }
    /// The deed's key: ids that the deed creates come from it, and providers receive it.
    pub fn key(&self) -> StepKey {
        self.deed.key
    }
    /// The whole envelope.
    pub fn deed(&self) -> &Deed {
        &self.deed
    }
    /// When the handler was called.
    pub fn now(&self) -> Timestamp {
        self.now
    }
    /// Reads and folds one story of this module.
    pub async fn load<A: Aggregate>(&self, id: impl std::fmt::Display) -> Result<Loaded<A>, LoadError> {
        load(&self.store, id).await
    }
    /// Reads this module's documents.
    pub fn documents(&self) -> Docs {
        Docs { store: Arc::clone(&self.store) }
    }
    /// A deed with its reply; add what to append.
    pub fn done<T>(&self, reply: T) -> Done<T> {
        let deed = &self.deed;
        let meta = Metadata {
            correlation: deed.correlation,
            causation: deed.causation,
            actor: deed.actor.clone(),
            saga: deed.is_of_saga().then(|| SagaRef { id: deed.saga, step: deed.step.clone() }),
            deed: Some(deed.key.uuid()),
            traceparent: deed.traceparent.clone(),
        };
        let (meta, fault) = match Payload::of(&meta) {
            Ok(meta) => (meta, None),
            Err(why) => (Payload::null(), Some(why.to_string())),
        };
        let minted = Minted { ids: Arc::clone(&self.ids), now: self.now };
        Done { reply, writes: Vec::new(), blobs: Vec::new(), fault, meta, minted }
    }
}

impl Deed {
    /// Whether a saga asked (and not a person or a reactor).
    pub fn is_of_saga(&self) -> bool {
        self.actor.kind == crate::envelope::ActorKind::Saga
    }
}

struct Minted {
    ids: Arc<dyn Ids>,
    now: Timestamp,
}
impl std::fmt::Debug for Minted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Minted({})", self.now)
    }
}

impl<T> Done<T> {
    /// Appends events to a story that was loaded before. No events: the story is only guarded against having moved.
    #[must_use]
    pub fn append<A: Aggregate>(mut self, story: &Loaded<A>, events: impl IntoIterator<Item = A::Event>) -> Self {
        let mut written = Vec::new();
        for event in events {
            match event.encode() {
                Ok(data) => written.push(NewEvent {
                    id: self.minted.ids.event(self.minted.now),
                    name: event.name(),
                    version: event.version(),
                    data,
                    meta: self.meta.clone(),
                    time: self.minted.now,
                    public: true,
                }),
                Err(why) => self.fault = Some(format!("{}: {why}", event.name())),
            }
        }
        self.writes.push(StreamWrite { stream: story.stream.clone(), expected: story.version, events: written });
        self
    }
    /// Keeps a long text beside the log.
    #[must_use]
    pub fn keep(mut self, text: &str) -> Self {
        self.blobs.push(Blob { sha256: sha256(text.as_bytes()), bytes: text.as_bytes().to_vec() });
        self
    }
}

/// What became of one call of a handler, before anything is committed.
#[derive(Debug)]
pub enum Handling {
    /// Commit these writes together with this answer.
    Decided {
        /// `Done` or `Refused`, to be remembered.
        answer: Answer,
        /// Appends.
        writes: Vec<StreamWrite>,
        /// Long texts.
        blobs: Vec<Blob>,
    },
    /// Weather.
    Retry {
        /// Not before this many milliseconds.
        after_ms: u64,
        /// What.
        reason: String,
    },
    /// The payload is not the command that its name promises, or an answer could not be written: a bug, parked.
    Malformed(String),
}

/// What a handler is called with.
pub struct Call {
    /// The envelope.
    pub deed: Deed,
    /// The command's JSON.
    pub payload: Payload,
    /// The module's own store.
    pub store: SharedStore,
    /// Where new event ids come from.
    pub ids: Arc<dyn Ids>,
    /// Now.
    pub now: Timestamp,
}

type CommandFn = Arc<dyn Fn(Call) -> BoxFuture<Handling> + Send + Sync>;
type QueryFn = Arc<dyn Fn(SharedStore, Payload, Timestamp) -> BoxFuture<Result<Payload, QueryError>> + Send + Sync>;
type ReactFn = Arc<dyn Fn(&Recorded, &At) -> Result<Vec<Reaction>, DecodeError> + Send + Sync>;

/// A command that a module answers.
#[derive(Clone)]
pub struct CommandRoute {
    /// Name without the module.
    pub name: &'static str,
    /// Version of the request.
    pub version: u16,
    /// The handler.
    pub handle: CommandFn,
}
/// A query that a module answers.
#[derive(Clone)]
pub struct QueryRoute {
    /// Name without the module.
    pub name: &'static str,
    /// Version of the request.
    pub version: u16,
    /// The handler.
    pub handle: QueryFn,
}
/// A reaction to an event: commands of the reactor's own module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reaction {
    /// Command name.
    pub command: &'static str,
    /// Its version.
    pub version: u16,
    /// Its JSON.
    pub payload: Payload,
}
/// Turns events into commands of its own module. Never replayed unless asked.
#[derive(Clone)]
pub struct Reactor {
    /// Name within the module.
    pub name: &'static str,
    /// `(module, event, reaction)`.
    pub reactions: Vec<(&'static str, &'static str, ReactFn)>,
}

impl Reactor {
    /// A reactor that listens to nothing yet.
    pub fn new(name: &'static str) -> Self {
        Self { name, reactions: Vec::new() }
    }
    /// For each event `E`: which command follows, if any. The deed's key is derived from event, reactor and command.
    #[must_use]
    pub fn on<E: Event, C: Command>(mut self, react: impl Fn(&E, &At) -> Option<C> + Send + Sync + 'static) -> Self {
        let wrapped: ReactFn = Arc::new(move |recorded, at| {
            let event = read_as::<E>(recorded)?;
            let Some(command) = react(&event, at) else { return Ok(Vec::new()) };
            let payload = Payload::of(&command).map_err(|why| DecodeError::Malformed {
                of: E::NAME,
                version: E::VERSION,
                why: why.to_string(),
            })?;
            Ok(vec![Reaction { command: C::NAME, version: C::VERSION, payload }])
        });
        self.reactions.push((E::Owner::MODULE, E::NAME, wrapped));
        self
    }
    /// The consumer name of its checkpoint for one source.
    pub fn consumer(&self, module: &str, source: &str) -> String {
        format!("reactor:{module}.{}@{source}", self.name)
    }
    /// The modules it listens to, each once.
    pub fn sources(&self) -> Vec<&'static str> {
        let mut sources: Vec<_> = self.reactions.iter().map(|(module, ..)| *module).collect();
        sources.sort_unstable();
        sources.dedup();
        sources
    }
}

/// Why a query has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum QueryError {
    /// The question's JSON is not what its name promises.
    #[error("the query cannot be read: {0}")]
    Malformed(String),
    /// There is no such thing.
    #[error("{0} does not exist")]
    NotFound(String),
    /// The store.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// Nobody answers this query.
    #[error("no module answers {0}")]
    NoRoute(String),
}

impl QueryError {
    /// As it travels.
    pub fn as_refusal(&self) -> Refused {
        let code = match self {
            QueryError::Malformed(_) => "MALFORMED",
            QueryError::NotFound(_) => "NOT_FOUND",
            QueryError::Read(_) => "UNAVAILABLE",
            QueryError::NoRoute(_) => "NO_ROUTE",
        };
        Refused::new(code, self.to_string())
    }
}

/// What a query handler works with: the module's documents, nothing else.
#[derive(Clone)]
pub struct Docs {
    store: SharedStore,
}

impl Docs {
    /// Over a module's store.
    pub fn new(store: SharedStore) -> Self {
        Self { store }
    }
    /// One document of a projection, by its name and version.
    pub async fn get<T: serde::de::DeserializeOwned>(
        &self,
        projection: &str,
        version: u16,
        key: impl std::fmt::Display,
    ) -> Result<Option<T>, ReadError> {
        match self.store.get(projection, version, &key.to_string()).await? {
            Some(document) => read_document(projection, &document).map(Some),
            None => Ok(None),
        }
    }
    /// A page of documents.
    pub async fn find<T: serde::de::DeserializeOwned>(&self, find: &Find) -> Result<Vec<T>, ReadError> {
        let page = self.store.find(find).await?;
        page.iter().map(|document| read_document(&find.projection, document)).collect()
    }
    /// A long text that was kept beside the log.
    pub async fn text(&self, sha256: [u8; 32]) -> Result<Option<String>, ReadError> {
        let found = self.store.cached(&Cached::Blob(sha256)).await?;
        Ok(found.and_then(|text| text.read().ok()))
    }
}

fn read_document<T: serde::de::DeserializeOwned>(projection: &str, document: &Document) -> Result<T, ReadError> {
    document
        .body
        .read()
        .map_err(|why| ReadError::Corrupt { place: format!("{projection}/{}", document.key), why: why.to_string() })
}

/// A module: what it serves, what it consumes, and the sagas it owns.
#[derive(Clone)]
pub struct Module {
    /// Its name.
    pub name: &'static str,
    /// `major.minor` of its api.
    pub contract: &'static str,
    /// Commands by name and version.
    pub commands: BTreeMap<(&'static str, u16), CommandRoute>,
    /// Queries by name and version.
    pub queries: BTreeMap<(&'static str, u16), QueryRoute>,
    /// Read models.
    pub projections: Vec<ProjectionDef>,
    /// Reactors.
    pub reactors: Vec<Reactor>,
    /// Sagas (only orchestration has them).
    pub sagas: Vec<Arc<Definition>>,
}

/// Builds a [`Module`] around what it needs from outside.
pub struct ModuleBuilder<N> {
    module: Module,
    needs: Arc<N>,
}

impl Module {
    /// A module of owner `O` with its contract version and needs.
    #[expect(
        clippy::new_ret_no_self,
        reason = "the builder carries the type of the needs, which a hosted module forgets"
    )]
    pub fn new<O: Owner, N: Send + Sync + 'static>(contract: &'static str, needs: N) -> ModuleBuilder<N> {
        let module = Module {
            name: O::MODULE,
            contract,
            commands: BTreeMap::new(),
            queries: BTreeMap::new(),
            projections: Vec::new(),
            reactors: Vec::new(),
            sagas: Vec::new(),
        };
        ModuleBuilder { module, needs: Arc::new(needs) }
    }
}

impl<N: Send + Sync + 'static> ModuleBuilder<N> {
    /// Answers the command `C` with an async function `(Cx<N>, C) -> Handled<C>`.
    #[must_use]
    pub fn command<C, F, Fut>(mut self, handler: F) -> Self
    where
        C: Command,
        F: Fn(Cx<N>, C) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Handled<C>> + Send + 'static,
    {
        let needs = Arc::clone(&self.needs);
        let handle: CommandFn = Arc::new(move |call: Call| {
            let command: C = match call.payload.read() {
                Ok(command) => command,
                Err(why) => return Box::pin(std::future::ready(Handling::Malformed(why.to_string()))),
            };
            let cx = Cx {
                needs: Arc::clone(&needs),
                store: call.store,
                ids: call.ids,
                deed: Arc::new(call.deed),
                now: call.now,
            };
            let work = handler(cx, command);
            Box::pin(async move { settle::<C>(work.await) })
        });
        self.module.commands.insert((C::NAME, C::VERSION), CommandRoute { name: C::NAME, version: C::VERSION, handle });
        self
    }
    /// Answers the query `Q` with an async function `(Docs, Q) -> Result<Q::Answer, QueryError>`.
    #[must_use]
    pub fn query<Q, F, Fut>(mut self, handler: F) -> Self
    where
        Q: Query,
        F: Fn(Docs, Q) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Q::Answer, QueryError>> + Send + 'static,
    {
        let handle: QueryFn = Arc::new(move |store, payload, _now| {
            let query: Q = match payload.read() {
                Ok(query) => query,
                Err(why) => return Box::pin(std::future::ready(Err(QueryError::Malformed(why.to_string())))),
            };
            let work = handler(Docs { store }, query);
            Box::pin(async move {
                let answer = work.await?;
                Payload::of(&answer).map_err(|why| QueryError::Malformed(why.to_string()))
            })
        });
        self.module.queries.insert((Q::NAME, Q::VERSION), QueryRoute { name: Q::NAME, version: Q::VERSION, handle });
        self
    }
    /// Keeps a read model.
    #[must_use]
    pub fn projection(mut self, projection: ProjectionDef) -> Self {
        self.module.projections.push(projection);
        self
    }
    /// Reacts to events with commands of its own.
    #[must_use]
    pub fn reactor(mut self, reactor: Reactor) -> Self {
        self.module.reactors.push(reactor);
        self
    }
    /// Owns a saga.
    #[must_use]
    pub fn saga(mut self, definition: Definition) -> Self {
        self.module.sagas.push(Arc::new(definition));
        self
    }
    /// The module as data.
    pub fn build(self) -> Module {
        self.module
    }
}

fn settle<C: Command>(handled: Handled<C>) -> Handling {
    match handled {
        Ok(Done { fault: Some(fault), .. }) => Handling::Malformed(fault),
        Ok(Done { reply, writes, blobs, fault: None, .. }) => match Payload::of(&reply) {
            Ok(output) => Handling::Decided { answer: Answer::Done { output }, writes, blobs },
            Err(why) => Handling::Malformed(why.to_string()),
        },
        Err(Halt::Refuse(refusal)) => {
            let refused = Refused {
                code: refusal.code().to_owned(),
                reason: refusal.to_string(),
                fields: Payload::of(&refusal).ok(),
            };
            Handling::Decided { answer: Answer::Refused(refused), writes: Vec::new(), blobs: Vec::new() }
        }
        Err(Halt::Retry { after_ms, reason }) => Handling::Retry { after_ms, reason },
    }
}

/// sha256 of a payload as hex, for content hashes in events.
pub fn content_hash(text: &str) -> String {
    sha256_hex(text.as_bytes())
}
