//! Builds, starts and stops an orchestrator; [`Sagas`] is the cheap handle to a running one.

use crate::board::{BOARD, BOARD_VERSION, OPEN, board, lines};
use crate::host::Host;
use crate::local_bus::LocalBus;
use crate::relay::{RELAY, public_seq_at};
use crate::report::Report;
use crate::shell::{Input, Shell};
use crate::system::{FreshIds, SystemClock};
use crate::tasks::Tasks;
use saga_core::bus::AnyBus;
use saga_core::command::{Command, Query};
use saga_core::definition::Definition;
use saga_core::envelope::Actor;
use saga_core::execution::{Execution, OrderRefused, Ordered, Signal};
use saga_core::fact::{By, Orchestration, SagaFact, SagaStarted};
use saga_core::host::{Served, direct, serve};
use saga_core::id::{Position, RequestId, SagaId, Version};
use saga_core::journal;
use saga_core::json::Payload;
use saga_core::machine::coordinator::{Coordinator, Definitions, In, Ticket, Told};
use saga_core::memory::MemoryStores;
use saga_core::module::Module;
use saga_core::outcome::{Answer, Refused};
use saga_core::ports::{Clock, Ids, OpenError, ReadError, SharedStore, Stores};
use saga_core::saga::{Saga, define};
use saga_core::soundness::PlanFault;
use saga_core::view::SagaState;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

/// 100,000 inputs wait for the coordinator at most; past that, callers wait.
pub const INPUTS_MAX: usize = 100_000;
/// The module whose store holds the coordinator's facts.
pub const JOURNAL: &str = "orchestration";

/// Why an orchestrator does not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A plan is unsound: nothing of it ever runs.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Plan(Vec<PlanFault>),
    /// A store cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A store cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The start or order was refused; nothing changed.
    #[error("{} {}", .0.code.id, .0.message)]
    Refused(OrderRefused),
    /// A value is not JSON, or a history cannot be understood.
    #[error("{0}")]
    Data(String),
    /// A module refused a command or could not serve it.
    #[error("{}: {}", .0.code, .0.reason)]
    Module(Refused),
    /// The orchestrator is stopping, or was replaced by another one.
    #[error("the orchestrator has stopped")]
    Stopped,
}

/// An orchestrator being put together.
pub struct Orchestrator {
    stores: Arc<dyn Stores>,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn Ids>,
    definitions: Vec<Arc<Definition>>,
    modules: Vec<Module>,
    seed: u64,
    gather: Duration,
}

impl Orchestrator {
    /// Everything in memory: for a first look and for tests.
    pub fn in_memory() -> Self {
        Self::on(Arc::new(MemoryStores::new(Arc::new(SystemClock))))
    }
    /// On these stores.
    pub fn on(stores: Arc<dyn Stores>) -> Self {
        Orchestrator {
            stores,
            clock: Arc::new(SystemClock),
            ids: Arc::new(FreshIds),
            definitions: Vec::new(),
            modules: Vec::new(),
            seed: 0,
            gather: Duration::from_millis(5),
        }
    }
    /// Knows a saga.
    #[must_use]
    pub fn register<S: Saga>(mut self) -> Self {
        self.definitions.push(Arc::new(define::<S>()));
        self
    }
    /// Hosts a module, with the sagas that it owns.
    #[must_use]
    pub fn module(mut self, module: Module) -> Self {
        self.definitions.extend(module.sagas.iter().cloned());
        self.modules.push(module);
        self
    }
    /// Another clock.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }
    /// The seed of all jitter.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }
    /// Checks the plans, opens the stores, takes over the group, reads what is open and goes on with it.
    pub async fn start(self) -> Result<Sagas, Error> {
        let definitions = Arc::new(checked(&self.definitions)?);
        let tasks = Tasks::default();
        let bus = Arc::new(LocalBus::new(Arc::clone(&self.clock)));
        let mut modules = BTreeMap::new();
        let mut hosted = self.modules;
        if !hosted.iter().any(|module| module.name == JOURNAL) {
            hosted.push(Module::new::<Orchestration, ()>("1.0", ()).build());
        }
        for mut module in hosted {
            let store = self.stores.open(module.name).await?;
            let saved = store.checkpoint(RELAY).await?;
            bus.carry(module.name, Arc::clone(&store), public_seq_at(&store, saved).await?);
            let journal = module.name == JOURNAL;
            if journal {
                module.projections.push(board());
            }
            let host = Host {
                module: Arc::new(module),
                store: Arc::clone(&store),
                bus: Arc::clone(&bus) as Arc<dyn AnyBus>,
                clock: Arc::clone(&self.clock),
                ids: Arc::clone(&self.ids),
                tasks: tasks.clone(),
                // The board is for people and for the next start; it folds many facts at a time.
                gather: if journal { Duration::from_millis(250) } else { self.gather },
            };
            modules.insert(host.module.name, host);
        }
        let store = modules.get(JOURNAL).map(|host| Arc::clone(&host.store)).ok_or(Error::Stopped)?;
        let epoch = journal::take_over(&store, 0).await.map_err(Error::Data)?;
        let open = open_sagas(&store).await?;
        let (inputs, receiver) = mpsc::channel(INPUTS_MAX);
        let (back, own) = mpsc::channel(INPUTS_MAX);
        let shell = Shell {
            coordinator: Coordinator::new(Arc::clone(&definitions), self.seed),
            store: Arc::clone(&store),
            bus: Arc::clone(&bus) as Arc<dyn AnyBus>,
            clock: Arc::clone(&self.clock),
            ids: Arc::clone(&self.ids),
            tasks: tasks.clone(),
            group: 0,
            epoch,
            back,
            fenced: false,
        };
        tasks.spawn(shell.run(open, receiver, own));
        modules.values().for_each(Host::start);
        let inner = Inner {
            inputs,
            store,
            modules,
            definitions,
            bus,
            clock: self.clock,
            ids: self.ids,
            tasks,
            seed: self.seed,
        };
        Ok(Sagas { inner: Arc::new(inner) })
    }
}

fn checked(definitions: &[Arc<Definition>]) -> Result<Definitions, Error> {
    let mut known = Definitions::new();
    let mut faults = Vec::new();
    for definition in definitions {
        faults.extend(definition.check().err().unwrap_or_default());
        let name = (definition.name.to_owned(), definition.version);
        if known.insert(name, Arc::clone(definition)).is_some_and(|other| other.digest != definition.digest) {
            let says = format!("version {} is registered twice with different content", definition.version);
            let (code, saga) = (saga_core::codes::PLAN_DIGEST, definition.name.to_owned());
            faults.push(PlanFault { code, saga, says });
        }
    }
    if faults.is_empty() { Ok(known) } else { Err(Error::Plan(faults)) }
}

/// The sagas that are open: those on the board, and whatever the log has after the board's checkpoint, to its end.
async fn open_sagas(store: &SharedStore) -> Result<Vec<SagaId>, Error> {
    let def = board();
    debug_assert_eq!((def.name.as_str(), def.version), (BOARD, BOARD_VERSION));
    let from = store.checkpoint(&def.consumer(JOURNAL)).await?;
    let known = if from == Position::ZERO { Vec::new() } else { lines(store, vec![(0, OPEN.to_owned())]).await? };
    let known = known.into_iter().map(|line| line.id).collect();
    let found = journal::recover(store, known, from).await?;
    tracing::info!(open = found.open.len(), read = found.events, head = %found.head, "recovered");
    Ok(found.open.into_iter().collect())
}

pub(crate) struct Inner {
    pub(crate) inputs: mpsc::Sender<Input>,
    pub(crate) store: SharedStore,
    pub(crate) modules: BTreeMap<&'static str, Host>,
    pub(crate) definitions: Arc<Definitions>,
    pub(crate) bus: Arc<LocalBus>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) ids: Arc<dyn Ids>,
    tasks: Tasks,
    pub(crate) seed: u64,
}

/// A running orchestrator. Cheap to clone.
#[derive(Clone)]
pub struct Sagas {
    pub(crate) inner: Arc<Inner>,
}

/// The namespace of saga ids that come from keys.
const SAGA_NAMESPACE: Uuid = Uuid::from_u128(0x5a6a_0000_7c1f_5b0a_9a41_d89f_3ac2_d101);

/// The id of the saga of a type with a key: the same key is the same saga, without any look-up.
pub fn keyed(kind: &str, key: &str) -> SagaId {
    SagaId(Uuid::new_v5(&SAGA_NAMESPACE, format!("{kind}/{key}").as_bytes()))
}

/// A start that was accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Begun {
    /// The saga.
    pub saga: SagaId,
    /// Whether the same key and input had started it before.
    pub repeated: bool,
}

impl Sagas {
    /// Starts a saga and waits until it ends or needs a person.
    pub async fn run<S: Saga>(&self, input: S) -> Result<Report, Error> {
        let begun = self.start(input).await?;
        self.wait(begun.saga).await?;
        self.report(begun.saga).await
    }
    /// Starts a saga with a fresh key. Returns when its first fact is durable.
    pub async fn start<S: Saga>(&self, input: S) -> Result<Begun, Error> {
        let input = Payload::of(&input).map_err(|why| Error::Data(why.to_string()))?;
        self.start_raw(S::NAME, Some(S::VERSION), None, input, None).await
    }
    /// Starts a saga by name. With a key, the same key and input give the same saga; another input is refused.
    pub async fn start_raw(
        &self,
        kind: &str,
        version: Option<u16>,
        key: Option<&str>,
        input: Payload,
        by: Option<By>,
    ) -> Result<Begun, Error> {
        let refused = |code, message| Error::Refused(OrderRefused { code, message, hint: None });
        let definition = self.definition(kind, version).ok_or_else(|| {
            let known: Vec<_> = self.inner.definitions.values().map(|def| def.name).collect();
            let message = format!("there is no saga {kind:?}; known are: {}", known.join(", "));
            refused(saga_core::codes::NO_DEFINITION, message)
        })?;
        (definition.check_input)(&input)
            .map_err(|why| refused(saga_core::codes::INPUT_REFUSED, format!("the input does not fit: {why}")))?;
        let saga = match key {
            Some(key) => keyed(kind, key),
            None => SagaId(self.inner.ids.next(self.inner.clock.now())),
        };
        let started = SagaStarted {
            definition: definition.name.to_owned(),
            version: definition.version,
            digest: definition.digest.clone(),
            key: key.map_or_else(|| saga.short(), str::to_owned),
            input,
            by,
        };
        let told = self.ask(move |ticket| In::Start { saga, started, ticket: Some(ticket) }).await?;
        match told {
            Told::Started { repeated } => Ok(Begun { saga, repeated }),
            Told::Refused(refusal) => Err(Error::Refused(refusal)),
            Told::Accepted(_) => Err(Error::Stopped),
        }
    }
    /// Orders something of a saga. Returns when the order is durable.
    pub async fn order(&self, saga: SagaId, ordered: Ordered) -> Result<saga_core::execution::Accepted, Error> {
        let signal = Signal::Ordered(ordered);
        match self.ask(move |ticket| In::Signal { saga, signal, ticket: Some(ticket) }).await? {
            Told::Accepted(accepted) => Ok(accepted),
            Told::Refused(refusal) => Err(Error::Refused(refusal)),
            Told::Started { .. } => Err(Error::Stopped),
        }
    }
    async fn ask(&self, make: impl FnOnce(Ticket) -> In + Send + 'static) -> Result<Told, Error> {
        let (tell, told) = oneshot::channel();
        self.inner.inputs.send(Input::Asked(Box::new(make), tell)).await.map_err(|_| Error::Stopped)?;
        told.await.map_err(|_| Error::Stopped)
    }
    /// Waits until a saga has ended or needs a person.
    pub async fn wait(&self, saga: SagaId) -> Result<(), Error> {
        self.moved(saga, None).await
    }
    /// Waits until a saga has more facts than `after`, has ended, or needs a person.
    pub async fn moved(&self, saga: SagaId, after: Option<Version>) -> Result<(), Error> {
        let (tell, told) = oneshot::channel();
        self.inner.inputs.send(Input::Await(saga, after, tell)).await.map_err(|_| Error::Stopped)?;
        told.await.map_err(|_| Error::Stopped)
    }
    /// A saga as its durable facts tell it.
    pub async fn saga(&self, saga: SagaId) -> Result<Option<Execution>, Error> {
        let history = journal::history(&self.inner.store, saga).await.map_err(|why| Error::Data(why.to_string()))?;
        let Some((SagaFact::SagaStarted(started), _)) = history.first() else { return Ok(None) };
        let definition = self.inner.definitions.get(&(started.definition.clone(), started.version));
        let definition = definition.filter(|known| known.digest == started.digest).cloned();
        let mut exec = Execution::new(saga, definition, self.inner.seed);
        history.iter().for_each(|(fact, at)| exec.evolve(fact, *at));
        Ok(Some(exec))
    }
    /// What became of a saga, for people.
    pub async fn report(&self, saga: SagaId) -> Result<Report, Error> {
        let exec = self.saga(saga).await?;
        exec.map(|exec| Report(exec.show(true))).ok_or_else(|| Error::Data(format!("there is no saga {saga}")))
    }
    /// Its state.
    pub async fn state(&self, saga: SagaId) -> Result<Option<SagaState>, Error> {
        Ok(self.saga(saga).await?.map(|exec| exec.state()))
    }
    /// Sends a command to a module of this process without a saga. The same request id is one deed.
    pub async fn command<C: Command>(&self, command: &C, request: RequestId, actor: Actor) -> Result<C::Reply, Error> {
        let host =
            self.inner.modules.get(C::MODULE).ok_or_else(|| Error::Data(format!("nobody serves {}", C::MODULE)))?;
        let payload = Payload::of(command).map_err(|why| Error::Data(why.to_string()))?;
        let delivered = direct(C::NAME, C::VERSION, payload, request.0, actor);
        let now = self.inner.clock.now();
        match serve(&host.module, &host.store, &self.inner.ids, now, &delivered).await {
            Served::Answered(Answer::Done { output }) => output.read().map_err(|why| Error::Data(why.to_string())),
            Served::Answered(Answer::Refused(refused)) | Served::Park(refused) => Err(Error::Module(refused)),
            Served::Answered(Answer::Retry { reason, .. }) => Err(Error::Module(Refused::new("RETRY", reason))),
            Served::Stale { .. } => Err(Error::Stopped),
        }
    }
    /// Asks a module of this process.
    pub async fn query<Q: Query>(&self, query: &Q) -> Result<Q::Answer, Error> {
        let host =
            self.inner.modules.get(Q::MODULE).ok_or_else(|| Error::Data(format!("nobody serves {}", Q::MODULE)))?;
        let route = host.module.queries.get(&(Q::NAME, Q::VERSION));
        let route = route.ok_or_else(|| Error::Data(format!("{} answers no {}", Q::MODULE, Q::NAME)))?;
        let payload = Payload::of(query).map_err(|why| Error::Data(why.to_string()))?;
        let answer = (route.handle)(Arc::clone(&host.store), payload, self.inner.clock.now()).await;
        answer.map_err(|why| Error::Data(why.to_string()))?.read().map_err(|why| Error::Data(why.to_string()))
    }
    /// The newest definition of a name, or the one of a version.
    pub fn definition(&self, kind: &str, version: Option<u16>) -> Option<Arc<Definition>> {
        let of_kind =
            self.inner.definitions.iter().filter(|((name, v), _)| name == kind && version.is_none_or(|w| w == *v));
        of_kind.map(|(_, definition)| Arc::clone(definition)).next_back()
    }
    /// Every log of this process, orchestration first: for the audit.
    pub fn logs(&self) -> Vec<(String, SharedStore)> {
        let others = self.inner.modules.iter().filter(|(name, _)| **name != JOURNAL);
        let others = others.map(|(name, host)| ((*name).to_owned(), Arc::clone(&host.store)));
        std::iter::once((JOURNAL.to_owned(), Arc::clone(&self.inner.store))).chain(others).collect()
    }
    /// The definitions of this process.
    pub fn definitions(&self) -> &Arc<Definitions> {
        &self.inner.definitions
    }
    /// A look at the coordinator's memory.
    pub(crate) async fn look<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Coordinator) -> T + Send + 'static,
    ) -> Result<T, Error> {
        let (tell, told) = oneshot::channel();
        let look = Box::new(move |coordinator: &Coordinator| drop(tell.send(look(coordinator))));
        self.inner.inputs.send(Input::Look(look)).await.map_err(|_| Error::Stopped)?;
        told.await.map_err(|_| Error::Stopped)
    }
    /// How many sagas are open.
    pub async fn open(&self) -> Result<usize, Error> {
        self.look(Coordinator::open).await
    }
    /// Whether every open saga's history has been read after the start.
    pub async fn is_ready(&self) -> Result<bool, Error> {
        self.look(|coordinator| coordinator.sagas().count() == coordinator.open()).await
    }
    /// Ends everything that runs; what is at its commit is waited for. Open sagas go on at the next start.
    pub async fn shutdown(&self) -> Result<(), Error> {
        self.inner.tasks.stop().await;
        Ok(())
    }
}
