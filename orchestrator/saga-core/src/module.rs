//! A module as the engine sees it: a router of commands, queries, projections, reactors and sagas. Inert data until hosted.
//!
//! What a handler gets and gives (`context`); how a host reaches it (`route`); how events become commands (`reactor`).

mod context;
mod reactor;
mod route;

pub use context::{Cx, Deed, Done, Halt, Handled, OrRefuse, OrRetry};
pub use reactor::{Reaction, Reactor};
pub use route::{BoxFuture, Call, CommandRoute, Docs, Handling, QueryError, QueryRoute};

use crate::command::{Command, Query};
use crate::definition::Definition;
use crate::envelope::sha256_hex;
use crate::event::Owner;
use crate::port::Port;
use crate::projection::ProjectionDef;
use std::collections::BTreeMap;
use std::sync::Arc;

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
    /// Every port that it answers: commands, then queries, each by name and version.
    pub fn ports(&self) -> impl Iterator<Item = &Port> {
        let commands = self.commands.values().map(|route| &route.port);
        commands.chain(self.queries.values().map(|route| &route.port))
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
        let route = CommandRoute::new(Arc::clone(&self.needs), handler);
        self.module.commands.insert((C::NAME, C::VERSION), route);
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
        self.module.queries.insert((Q::NAME, Q::VERSION), QueryRoute::new(handler));
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

/// sha256 of a payload as hex, for content hashes in events.
pub fn content_hash(text: &str) -> String {
    sha256_hex(text.as_bytes())
}
