//! How a host reaches the handlers of a module: commands and queries by their JSON, whatever their types are.

use super::context::{Cx, Deed, Handled, handling};
use crate::batch::{Blob, StreamWrite};
use crate::command::{Command, Query};
use crate::envelope::unhex;
use crate::json::Payload;
use crate::limits::head;
use crate::outcome::{Answer, Refused};
use crate::port::Port;
use crate::ports::{Cached, Document, Heads, Ids, ReadError, SharedStore};
use crate::read_model::{ReadModel, Search};
use crate::text::Text;
use crate::time::Timestamp;
use serde::de::DeserializeOwned;
use std::pin::Pin;
use std::sync::Arc;

/// A boxed future, as handlers give it.
pub type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

type CommandFn = Arc<dyn Fn(Call) -> BoxFuture<Handling> + Send + Sync>;
type QueryFn = Arc<dyn Fn(SharedStore, Payload, Timestamp) -> BoxFuture<Result<Payload, QueryError>> + Send + Sync>;

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
    /// How far the logs of other modules reach.
    pub heads: Arc<dyn Heads>,
    /// Now.
    pub now: Timestamp,
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

/// A command that a module answers.
#[derive(Clone)]
pub struct CommandRoute {
    /// What it answers.
    pub port: Port,
    /// The handler.
    pub handle: CommandFn,
}
impl CommandRoute {
    /// Reads the command of a call, lets `handler` decide it with the module's needs, and puts the outcome into words.
    pub(super) fn new<C, N, F, Fut>(needs: Arc<N>, handler: F) -> Self
    where
        C: Command,
        N: Send + Sync + 'static,
        F: Fn(Cx<N>, C) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Handled<C>> + Send + 'static,
    {
        let handle: CommandFn = Arc::new(move |call: Call| {
            let command: C = match command_in(&call.payload) {
                Ok(command) => command,
                Err(why) => return Box::pin(std::future::ready(Handling::Malformed(why))),
            };
            let work = handler(Cx::new(Arc::clone(&needs), call), command);
            Box::pin(async move { handling::<C>(work.await) })
        });
        CommandRoute { port: C::port(), handle }
    }
}

/// The command of a body, which is an object: a list of the fields in their order would be read as well, and mean something
/// else to the next version of the command.
fn command_in<C: Command>(body: &Payload) -> Result<C, String> {
    if !body.as_str().trim_start().starts_with('{') {
        return Err(format!("the body of a command is a JSON object, and this is {}", head(body.as_str())));
    }
    body.read().map_err(|why| why.to_string())
}

/// A query that a module answers.
#[derive(Clone)]
pub struct QueryRoute {
    /// What it answers.
    pub port: Port,
    /// The handler.
    pub handle: QueryFn,
}
impl QueryRoute {
    /// Reads a query, lets `handler` answer it from the module's documents, and writes the answer.
    pub(super) fn new<Q, F, Fut>(handler: F) -> Self
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
            let work = handler(Docs::new(store), query);
            Box::pin(async move {
                let answer = work.await?;
                Payload::of(&answer).map_err(|why| QueryError::Malformed(why.to_string()))
            })
        });
        QueryRoute { port: Q::port(), handle }
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
    /// One document of a read model.
    pub async fn get<D: DeserializeOwned>(
        &self,
        model: ReadModel<D>,
        key: impl std::fmt::Display,
    ) -> Result<Option<D>, ReadError> {
        match self.store.get(model.name(), model.version(), &key.to_string()).await? {
            Some(document) => read_document(model.name(), &document).map(Some),
            None => Ok(None),
        }
    }
    /// A page of documents.
    pub async fn find<D: DeserializeOwned>(&self, search: &Search<D>) -> Result<Vec<D>, ReadError> {
        let find = search.as_find();
        let page = self.store.find(find).await?;
        page.iter().map(|document| read_document(&find.projection, document)).collect()
    }
    /// The whole of a text, wherever it is kept. Nothing where only its head is here: it was imported without the rest.
    pub async fn text(&self, text: &Text) -> Result<Option<String>, ReadError> {
        let Text::Ref { sha256, .. } = text else { return Ok(Some(text.head().to_owned())) };
        let corrupt = |why: &str| ReadError::Corrupt { place: format!("blob {sha256}"), why: why.to_owned() };
        let name = unhex(sha256).ok_or_else(|| corrupt("not a sha256"))?;
        let found = self.store.cached(&Cached::Blob(name)).await?;
        Ok(found.and_then(|text| text.read().ok()))
    }
    /// The whole of a text, or as far as it is known.
    pub async fn shown(&self, text: &Text) -> Result<String, ReadError> {
        Ok(self.text(text).await?.unwrap_or_else(|| text.head().to_owned()))
    }
}

fn read_document<T: DeserializeOwned>(projection: &str, document: &Document) -> Result<T, ReadError> {
    document
        .body
        .read()
        .map_err(|why| ReadError::Corrupt { place: format!("{projection}/{}", document.key), why: why.to_string() })
}
