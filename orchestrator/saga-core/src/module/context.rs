//! What a handler is given, and what it gives back: a deed that was decided, or why there is none.

use super::{Call, Docs, Handling};
use crate::aggregate::{Aggregate, LoadError, Loaded, load};
use crate::batch::{Blob, StreamWrite};
use crate::command::{Command, Refusal};
use crate::envelope::{Actor, ActorKind, Metadata, NewEvent, SagaRef, sha256};
use crate::event::EventSet;
use crate::id::{Direction, StepKey};
use crate::json::{self, Payload};
use crate::limits;
use crate::outcome::{self, Answer, Refused};
use crate::ports::{Heads, Ids, SharedStore};
use crate::public_log::public_head;
use crate::read_model::ReadModel;
use crate::time::Timestamp;
use std::sync::Arc;
use uuid::Uuid;

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

impl Deed {
    /// Whether a saga asked (and not a person or a reactor).
    pub fn is_of_saga(&self) -> bool {
        self.actor.kind == ActorKind::Saga
    }
}

/// What a handler works with. Cheap to clone; holds no way to write: a handler *returns* what to commit.
pub struct Cx<N> {
    needs: Arc<N>,
    store: SharedStore,
    ids: Arc<dyn Ids>,
    heads: Arc<dyn Heads>,
    deed: Arc<Deed>,
    now: Timestamp,
}

impl<N> Clone for Cx<N> {
    fn clone(&self) -> Self {
        Self {
            needs: Arc::clone(&self.needs),
            store: Arc::clone(&self.store),
            ids: Arc::clone(&self.ids),
            heads: Arc::clone(&self.heads),
            deed: Arc::clone(&self.deed),
            now: self.now,
        }
    }
}

impl<N> Cx<N> {
    /// For one call, over what the module needs.
    pub(super) fn new(needs: Arc<N>, call: Call) -> Self {
        Cx { needs, store: call.store, ids: call.ids, heads: call.heads, deed: Arc::new(call.deed), now: call.now }
    }
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
    /// Whether the deed takes another one back.
    pub fn undoing(&self) -> bool {
        self.deed.direction == Direction::Undo
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
        Docs::new(Arc::clone(&self.store))
    }
    /// Whether this module's read model has heard everything that `source` has in its log by now. Ask this
    /// before an absence becomes a no, and read the model again afterwards. Behind, or nobody to ask: weather, for as long
    /// as it takes; `what` is what the handler looks for, in words.
    pub async fn caught_up<D, R>(&self, model: ReadModel<D>, source: &str, what: &str) -> Result<(), Halt<R>> {
        let head = self.heads.head(source).await.map_err(|why| {
            let reason = format!("{what} was not heard of yet, and {source} cannot be asked: {why}");
            Halt::Retry { after_ms: LAG_MS, reason }
        })?;
        self.read_up_to(&model.consumer(source), (source, head), what).await
    }
    /// The same for a read model of this module's own events; `own` is its name. Its log is at hand, and nobody is asked.
    pub async fn caught_up_with_itself<D, R>(&self, model: ReadModel<D>, own: &str, what: &str) -> Result<(), Halt<R>> {
        let head = public_head(&self.store).await.or_retry()?;
        self.read_up_to(&model.consumer(own), (own, head), what).await
    }
    async fn read_up_to<R>(&self, consumer: &str, (source, head): (&str, u64), what: &str) -> Result<(), Halt<R>> {
        let at = self.store.checkpoint(consumer).await.or_retry()?;
        if at.0 >= head {
            return Ok(());
        }
        let reason = format!("{what} was not heard of yet: {source} is read up to event {at} of {head}");
        Err(Halt::Retry { after_ms: LAG_MS, reason })
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

/// What a handler of the command `C` gives back.
pub type Handled<C> = Result<Done<<C as Command>::Reply>, Halt<<C as Command>::Refusal>>;

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
    /// The same, and it does not pass by itself: a person mends what it names. Nothing is recorded; the same key is asked
    /// again and again, and a person is told at once.
    Mend {
        /// What has to be mended, in the handler's words.
        reason: String,
    },
}

impl<R> Halt<R> {
    /// The same weather, said of `what`.
    #[must_use]
    pub fn about(self, what: &str) -> Self {
        let said = |reason: String| format!("{what}: {reason}");
        match self {
            Halt::Refuse(refusal) => Halt::Refuse(refusal),
            Halt::Retry { after_ms, reason } => Halt::Retry { after_ms, reason: said(reason) },
            Halt::Mend { reason } => Halt::Mend { reason: said(reason) },
        }
    }
}

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

/// 50 ms: a read model is seldom further behind.
const LAG_MS: u64 = 50;

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

/// A reply as everybody can keep it, or why nobody can.
fn kept<T: serde::Serialize>(reply: &T) -> Result<Payload, String> {
    let payload = Payload::of(reply).map_err(|why| why.to_string())?;
    limits::body("it", &payload).map_err(|why| why.to_string())?;
    json::inspect(payload.as_str()).map_err(|why| why.to_string())?;
    Ok(payload)
}

/// What a handler gave back, as its host takes it.
pub(super) fn handling<C: Command>(handled: Handled<C>) -> Handling {
    match handled {
        Ok(Done { fault: Some(fault), .. }) => Handling::Malformed(fault),
        Ok(Done { reply, writes, blobs, fault: None, .. }) => match kept(&reply) {
            Ok(output) => Handling::Decided { answer: Answer::Done { output }, writes, blobs },
            Err(why) => Handling::Malformed(format!("the reply cannot be sent: {why}")),
        },
        Err(Halt::Refuse(refusal)) => {
            let refused =
                Refused { code: refusal.code().to_owned(), reason: refusal.to_string(), fields: kept(&refusal).ok() }
                    .bounded();
            Handling::Decided { answer: Answer::Refused(refused), writes: Vec::new(), blobs: Vec::new() }
        }
        Err(Halt::Retry { after_ms, reason }) => {
            Handling::Retry { after_ms: after_ms.min(limits::AFTER_MS_MAX), reason: limits::cut(&reason) }
        }
        Err(Halt::Mend { reason }) => {
            Handling::Retry { after_ms: RETRY_AFTER_MS, reason: limits::cut(&outcome::mend(&reason)) }
        }
    }
}
