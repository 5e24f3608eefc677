//! How a host reaches the handlers of a module: commands and queries by their JSON, whatever their types are.

use super::context::{Cx, Deed, Handled, settle};
use crate::batch::{Blob, StreamWrite};
use crate::command::{Command, Query};
use crate::json::Payload;
use crate::outcome::{Answer, Refused};
use crate::ports::{Cached, Document, Find, Heads, Ids, ReadError, SharedStore};
use crate::time::Timestamp;
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
    /// Name without the module.
    pub name: &'static str,
    /// Version of the request.
    pub version: u16,
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
            let command: C = match call.payload.read() {
                Ok(command) => command,
                Err(why) => return Box::pin(std::future::ready(Handling::Malformed(why.to_string()))),
            };
            let work = handler(Cx::new(Arc::clone(&needs), call), command);
            Box::pin(async move { settle::<C>(work.await) })
        });
        CommandRoute { name: C::NAME, version: C::VERSION, handle }
    }
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
        QueryRoute { name: Q::NAME, version: Q::VERSION, handle }
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
