//! The cheap handle to a running orchestrator: start sagas, order something of them, wait for them, look at them.

use crate::error::Error;
use crate::groups::Groups;
use crate::health::Health;
use crate::host::Host;
use crate::limits::JOURNAL;
use crate::local_bus::LocalBus;
use crate::questions::Input;
use crate::questions::{Answered, Question};
use crate::report::Report;
use crate::tasks::Tasks;
use futures::future::try_join_all;
use saga_core::bus::{AnyBus, BusError, Delivered, Line};
use saga_core::codes;
use saga_core::command::{Command, Query};
use saga_core::control::{Moment, OrderKind};
use saga_core::definition::{Definition, Fit, Performer};
use saga_core::envelope::Actor;
use saga_core::fact::{By, SagaFact};
use saga_core::id::{RequestId, SagaId, Version};
use saga_core::json::{Payload, inspect};
use saga_core::limits::{self, Unfit};
use saga_core::outcome::{Answer, Refused};
use saga_core::ports::{Clock, Ids, SharedStore};
use saga_core::saga::Saga;
use saga_core::step::Gate;
use saga_core::time::Timestamp;
use saga_core::view::{AsOf, SagaRow, SagaState, Verdicts};
use saga_engine::audit::{Known, Opened, audit_stores, named};
use saga_engine::execution::{Accepted, Execution, OrderRefused, Ordered};
use saga_engine::host::{Served, serve};
use saga_engine::journal::{self, HistoryError};
use saga_engine::machine::coordinator::{Coordinator, Definitions, Told};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{oneshot, watch};
use uuid::Uuid;

/// How long a query of a module in another process may take.
pub const QUERY_WITHIN: Duration = Duration::from_secs(10);

pub(crate) struct Inner {
    pub(crate) groups: Arc<Groups>,
    pub(crate) store: SharedStore,
    pub(crate) modules: BTreeMap<&'static str, Host>,
    pub(crate) definitions: Arc<Definitions>,
    pub(crate) bus: Arc<dyn AnyBus>,
    pub(crate) local: Option<Arc<LocalBus>>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) ids: Arc<dyn Ids>,
    pub(crate) tasks: Tasks,
    pub(crate) seed: u64,
    pub(crate) health: Health,
    pub(crate) foreign: BTreeSet<String>,
    pub(crate) settled: watch::Receiver<bool>,
}

/// A saga before its first fact, and its facts.
type Facts = (Execution, Vec<(SagaFact, Timestamp)>);
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

/// The author and the reason of a start, if they and the input are within their bounds; a blank reason is none.
fn within(input: &Payload, by: Option<By>) -> Result<Option<By>, Unfit> {
    limits::body("the input", input)?;
    let Some(mut by) = by else { return Ok(None) };
    by.reason = by.reason.filter(|reason| !reason.trim().is_empty());
    if let Some(reason) = &by.reason {
        limits::text("the reason", reason)?;
    }
    limits::name("the name of who starts", &by.actor.id)?;
    Ok(Some(by))
}

/// A start that was accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Begun {
    /// The saga.
    pub saga: SagaId,
    /// Whether the same key and input had started it before.
    pub repeated: bool,
}

/// An input as JSON that can be kept.
fn of_input<S: Saga>(input: &S) -> Result<Payload, Error> {
    let input = Payload::of(input).map_err(|why| Error::Data(format!("the input is not JSON: {why}")))?;
    inspect(input.as_str()).map_err(|why| {
        let (code, message) = (codes::INPUT_LIMIT, format!("the input {}", why.kind));
        Error::Refused(OrderRefused { code, message, hint: None })
    })?;
    Ok(input)
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
        self.start_raw(S::NAME, Some(S::VERSION), None, of_input(&input)?, None).await
    }
    /// Starts a saga under a key: the same key and input give the same saga, another input is refused.
    pub async fn start_keyed<S: Saga>(&self, key: &str, input: S) -> Result<Begun, Error> {
        self.start_raw(S::NAME, Some(S::VERSION), Some(key), of_input(&input)?, None).await
    }
    /// Answers a gate. Without the name of an opening the answer is for the gate's first one; the name of the one that waits
    /// now is in what the saga [waits for](Execution::waiting). Returns when the answer is durable.
    pub async fn signal<T: Serialize>(
        &self,
        saga: SagaId,
        gate: &Gate<T>,
        opening: Option<&str>,
        decision: &T,
        actor: Actor,
    ) -> Result<Accepted, Error> {
        let data = Payload::of(decision).map_err(|why| Error::Data(format!("the decision is not JSON: {why}")))?;
        let kind = OrderKind::Signal { gate: gate.name.to_owned(), data, opening: opening.map(str::to_owned) };
        let request = Some(RequestId(self.inner.ids.next(self.inner.clock.now())));
        self.order(saga, Ordered { by: By { actor, reason: None, request }, kind, if_rev: None }).await
    }
    /// What a step of a saga gave, as its type; `None` where it has not happened.
    pub async fn output<T: DeserializeOwned>(&self, saga: SagaId, step: &str) -> Result<Option<T>, Error> {
        self.report(saga).await?.output(step)
    }
    /// Starts a saga by name. With a key, the same key and input give the same saga; another input is refused. An input
    /// that is too large or too long ([`limits`]) is refused before anything else, and one that its definition does not
    /// take ([`Saga::check`]) before anything is begun: no saga, no key.
    pub async fn start_raw(
        &self,
        kind: &str,
        version: Option<u16>,
        key: Option<&str>,
        input: Payload,
        by: Option<By>,
    ) -> Result<Begun, Error> {
        let refused = |code, message| Error::Refused(OrderRefused { code, message, hint: None });
        let key = key.map(limits::key).transpose();
        let key = key.map_err(|why| refused(codes::KEY_REFUSED, why.to_string()))?;
        let by = within(&input, by).map_err(|why| refused(codes::INPUT_LIMIT, why.to_string()))?;
        let definition = self.definition(kind, version).ok_or_else(|| {
            let versions = self.inner.definitions.keys().filter(|(name, _)| name == kind);
            let versions: Vec<_> = versions.map(|(_, version)| version.to_string()).collect();
            let known: Vec<_> = self.offered().map(|def| def.name).collect();
            let message = match version.filter(|_| !versions.is_empty()) {
                Some(version) => format!("{kind:?} has no version {version}; it has {}", versions.join(", ")),
                None => format!("there is no saga {kind:?}; known are: {}", known.join(", ")),
            };
            refused(codes::NO_DEFINITION, message)
        })?;
        let missing = self.missing(&definition);
        if !missing.is_empty() {
            let message = format!("{kind:?} asks {}, and nobody can serve that here", missing.join(" and "));
            let hint = Some("the bus ends with this process; others take part over NATS: sagactl serve".to_owned());
            return Err(Error::Refused(OrderRefused { code: saga_core::codes::NOT_HERE, message, hint }));
        }
        let saga = match &key {
            Some(key) => keyed(kind, key),
            None => SagaId(self.inner.ids.next(self.inner.clock.now())),
        };
        let misfits = definition.misfits(&input);
        // A start that is said again is of a saga that was let in, perhaps under older rules: its owner knows.
        if !misfits.is_empty() && (key.is_none() || !self.has_begun(saga).await?) {
            return Err(Error::Input(misfits));
        }
        let started = definition.begin(key.unwrap_or_else(|| saga.short()), input, by);
        match self.ask(saga, Question::Start { saga, started: Box::new(started), until: None }).await? {
            Told::Started { repeated } => Ok(Begun { saga, repeated }),
            Told::Refused(refusal) => Err(Error::Refused(refusal)),
            Told::Accepted(_) | Told::Taken => Err(Error::Stopped),
        }
    }
    /// Orders something of a saga. Returns when the order is durable.
    pub async fn order(&self, saga: SagaId, ordered: Ordered) -> Result<Accepted, Error> {
        // Here too, and not only by the owner: an order that is too large cannot be sent to another process.
        let ordered = Box::new(ordered.bounded().map_err(Error::Refused)?);
        match self.ask(saga, Question::Order { saga, ordered, until: None }).await? {
            Told::Accepted(accepted) => Ok(accepted),
            Told::Refused(refusal) => Err(Error::Refused(refusal)),
            Told::Started { .. } | Told::Taken => Err(Error::Stopped),
        }
    }
    async fn ask(&self, saga: SagaId, question: Question) -> Result<Told, Error> {
        match self.inner.groups.ask_for(saga, &question).await? {
            Answered::Told(told) => Ok(told),
            Answered::Moved | Answered::Still | Answered::Rows(_) => Err(Error::Stopped),
            Answered::Part(_) | Answered::Ids(_) | Answered::Troubles(_) => Err(Error::Stopped),
        }
    }
    /// Waits until a saga has ended or needs a person.
    pub async fn wait(&self, saga: SagaId) -> Result<(), Error> {
        self.moved(saga, None).await
    }
    /// Waits until a saga has more facts than `after`, has ended, or needs a person.
    pub async fn moved(&self, saga: SagaId, after: Option<Version>) -> Result<(), Error> {
        let question = Question::Moved { saga, after };
        while matches!(self.inner.groups.ask_for(saga, &question).await?, Answered::Still) {}
        Ok(())
    }
    /// Whether there is a saga of this id, readable or not.
    pub(crate) async fn has_begun(&self, saga: SagaId) -> Result<bool, Error> {
        let Some(stream) = journal::stream_of(saga) else { return Ok(false) };
        Ok(!self.inner.store.read(&stream, Version::ZERO, 1).await?.is_empty())
    }
    /// A saga as its durable facts tell it.
    pub async fn saga(&self, saga: SagaId) -> Result<Option<Execution>, Error> {
        self.retold(saga, |_, _| {}).await
    }
    /// The same; `each` hears every fact, with the saga as it was when that was recorded: a teller of its story misses nothing
    /// of it, however rarely they look.
    ///
    /// # Errors
    /// As for [`Sagas::saga`].
    pub async fn retold(
        &self,
        saga: SagaId,
        mut each: impl FnMut(&SagaFact, &Execution) + Send,
    ) -> Result<Option<Execution>, Error> {
        let Some((mut exec, history)) = self.told(saga).await? else { return Ok(None) };
        for (fact, at) in &history {
            exec.evolve(fact, *at);
            each(fact, &exec);
        }
        Ok(Some(exec))
    }
    /// A saga as it was at a moment of its life, and what became of it since in numbers: the fold of its facts until then, which
    /// is what everybody saw of it at that moment. `None` of a saga: it has not that many facts, or had not begun.
    ///
    /// # Errors
    /// As for [`Sagas::saga`].
    pub async fn saga_at(&self, saga: SagaId, moment: Moment) -> Result<Option<(Option<Execution>, AsOf)>, Error> {
        let Some((mut exec, history)) = self.told(saga).await? else { return Ok(None) };
        let facts = history.len() as u64;
        let began = history.first().map(|(_, at)| *at).unwrap_or_default();
        let (mut rev, mut last) = (0, began);
        for (fact, at) in history.iter().take_while(|(_, at)| {
            rev += 1;
            !moment.is_before(rev, *at)
        }) {
            exec.evolve(fact, *at);
            last = *at;
        }
        let beyond = matches!(moment, Moment::Rev(asked) if asked > facts);
        let is_there = exec.started().is_some() && !beyond;
        Ok(Some((is_there.then_some(exec), AsOf { at: last, facts })))
    }
    /// A saga before its first fact, and its facts.
    async fn told(&self, saga: SagaId) -> Result<Option<Facts>, Error> {
        let history = journal::history(&self.inner.store, saga).await.map_err(|why| match why {
            HistoryError::Read(why) => Error::Read(why),
            unreadable @ HistoryError::Decode { .. } => Error::Unreadable(unreadable),
        })?;
        let Some((SagaFact::SagaStarted(started), _)) = history.first() else { return Ok(None) };
        let exec = Execution::new(saga, Fit::of(&self.inner.definitions, started), self.inner.seed);
        Ok(Some((exec, history)))
    }
    /// A saga's row, as its durable facts tell it; of one that cannot be read, the row that says so.
    pub(crate) async fn row(&self, saga: SagaId) -> Result<Option<SagaRow>, Error> {
        match self.saga(saga).await {
            Ok(exec) => Ok(exec.map(|exec| exec.row())),
            Err(Error::Unreadable(HistoryError::Decode { stream, version, why, started })) => {
                let why = format!("{stream} version {version}: {why}");
                Ok(Some(journal::unreadable(saga, &why, started.as_deref(), self.inner.clock.now())))
            }
            Err(other) => Err(other),
        }
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
        let delivered = Delivered::direct(C::NAME, C::VERSION, payload, request.0, actor);
        let now = self.inner.clock.now();
        match serve(&host.module, &host.store, &self.inner.ids, now, &delivered).await {
            Served::Answered(Answer::Done { output }) => output.read().map_err(|why| Error::Data(why.to_string())),
            Served::Answered(Answer::Refused(refused)) | Served::Park(refused) => Err(Error::Module(refused)),
            Served::Answered(Answer::Retry { reason, .. }) => Err(Error::Module(Refused::new("RETRY", reason))),
            Served::Stale { .. } => Err(Error::Stopped),
        }
    }
    /// Asks a module, in this process or another one.
    pub async fn query<Q: Query>(&self, query: &Q) -> Result<Q::Answer, Error> {
        let data = |why: serde_json::Error| Error::Data(why.to_string());
        let payload = Payload::of(query).map_err(data)?;
        let Some(host) = self.inner.modules.get(Q::MODULE) else {
            let line = Line::Query { module: Q::MODULE.to_owned(), name: Q::NAME.to_owned(), version: Q::VERSION };
            return match self.inner.bus.call(&line, &payload, QUERY_WITHIN).await {
                Ok(Ok(answer)) => answer.read().map_err(data),
                Ok(Err(refused)) => Err(Error::Module(refused)),
                Err(BusError::Unavailable(why) | BusError::Unanswered(why)) => {
                    Err(Error::Data(format!("nobody serves {}: {why}", Q::MODULE)))
                }
                Err(other) => Err(Error::Data(other.to_string())),
            };
        };
        let route = host.module.queries.get(&(Q::NAME, Q::VERSION));
        let route = route.ok_or_else(|| Error::Data(format!("{} answers no {}", Q::MODULE, Q::NAME)))?;
        let answer = (route.handle)(Arc::clone(&host.store), payload, self.inner.clock.now()).await;
        answer.map_err(|why| Error::Data(why.to_string()))?.read().map_err(data)
    }
    /// The newest definition of a name, or the one of a version.
    pub fn definition(&self, kind: &str, version: Option<u16>) -> Option<Arc<Definition>> {
        let of_kind =
            self.inner.definitions.iter().filter(|((name, v), _)| name == kind && version.is_none_or(|w| w == *v));
        of_kind.map(|(_, definition)| Arc::clone(definition)).next_back()
    }
    /// Every store of this process, orchestration first.
    pub fn logs(&self) -> Vec<(String, SharedStore)> {
        let others = self.inner.modules.iter().filter(|(name, _)| **name != JOURNAL);
        let others = others.map(|(name, host)| ((*name).to_owned(), Arc::clone(&host.store)));
        std::iter::once((JOURNAL.to_owned(), Arc::clone(&self.inner.store))).chain(others).collect()
    }
    /// Checks every promise on the stores of this process, beside its own work. Stores of other processes are named, and not
    /// read. `at_rest`: nothing is under way any more.
    pub async fn audit(&self, at_rest: bool) -> Verdicts {
        let inner = &self.inner;
        let modules: Vec<_> = inner.modules.values().map(|host| Arc::clone(&host.module)).collect();
        let known = Known { definitions: Arc::clone(&inner.definitions), modules: &modules };
        let logs = self.logs().into_iter();
        let mut stores: Vec<(String, Opened)> = logs.map(|(module, store)| (module, Opened::There(store))).collect();
        let others = named(&known).into_iter().filter(|name| !inner.modules.contains_key(name.as_str()));
        stores.extend(others.map(|name| {
            let elsewhere =
                || Opened::Unread("another process has it; sagactl events verify --config reads it".to_owned());
            let opened = if self.is_foreign(&name) { Opened::Foreign } else { elsewhere() };
            (name, opened)
        }));
        audit_stores(&known, &stores, at_rest).await
    }
    /// The modules whose stores other processes have.
    pub(crate) fn elsewhere(&self) -> Vec<String> {
        let inner = &self.inner;
        let modules: Vec<_> = inner.modules.values().map(|host| Arc::clone(&host.module)).collect();
        let every = named(&Known { definitions: Arc::clone(&inner.definitions), modules: &modules });
        let others = every.into_iter().filter(|name| !inner.modules.contains_key(name.as_str()));
        others.filter(|name| !self.is_foreign(name)).collect()
    }
    /// On a bus inside one process there is no other process: a module that is not here is foreign, or not written yet.
    fn is_foreign(&self, module: &str) -> bool {
        self.inner.local.is_some() || self.inner.foreign.contains(module)
    }
    /// The modules that a saga asks and that nobody can serve, because the bus ends with this process.
    fn missing(&self, definition: &Definition) -> Vec<String> {
        if self.inner.local.is_none() {
            return Vec::new();
        }
        let asked = definition.steps().into_iter().filter_map(|(_, step)| match &step.performer {
            Performer::There { command, .. } => Some(command.module.clone()),
            Performer::Here { .. } | Performer::Gate { .. } => None,
        });
        let missing: BTreeSet<_> = asked.filter(|name| !self.inner.modules.contains_key(name.as_str())).collect();
        missing.into_iter().collect()
    }
    /// The definitions whose sagas can be started in this process.
    pub(crate) fn offered(&self) -> impl Iterator<Item = &Arc<Definition>> {
        self.inner.definitions.values().filter(|definition| self.missing(definition).is_empty())
    }
    /// The definitions of this process.
    pub fn definitions(&self) -> &Arc<Definitions> {
        &self.inner.definitions
    }
    /// The open sagas whose ids end with these digits; and the groups that did not answer.
    pub(crate) async fn ending(&self, digits: &str) -> Result<(Vec<SagaId>, Vec<u16>), Error> {
        let (answers, silent) = self.inner.groups.ask_all(&Question::Ending(digits.to_owned())).await?;
        let ids = answers.into_iter().filter_map(|answered| match answered {
            Answered::Ids(ids) => Some(ids),
            Answered::Told(_) | Answered::Moved | Answered::Still => None,
            Answered::Rows(_) | Answered::Part(_) | Answered::Troubles(_) => None,
        });
        Ok((ids.flatten().collect(), silent))
    }
    /// A look at the memory of every group of this process, at all of them at once.
    pub(crate) async fn look<T: Send + 'static>(
        &self,
        look: impl Fn(&Coordinator) -> T + Clone + Send + 'static,
    ) -> Result<Vec<T>, Error> {
        let looks = self.inner.groups.inputs().into_iter().map(|inputs| {
            let (look, (tell, told)) = (look.clone(), oneshot::channel());
            async move {
                let look = Box::new(move |coordinator: &Coordinator| drop(tell.send(look(coordinator))));
                inputs.send(Input::Look(look)).await.map_err(|_| Error::Stopped)?;
                told.await.map_err(|_| Error::Stopped)
            }
        });
        try_join_all(looks).await
    }
    /// How many sagas are open in the groups of this process.
    pub async fn open(&self) -> Result<usize, Error> {
        Ok(self.look(Coordinator::open).await?.into_iter().sum())
    }
    /// Whether this process has the groups that it should have, and every open saga's history has been read.
    pub async fn is_ready(&self) -> Result<bool, Error> {
        let read = self.look(|coordinator| coordinator.sagas().count() == coordinator.open()).await?;
        Ok(*self.inner.settled.borrow() && read.into_iter().all(|read| read))
    }
    /// The coordinator groups of this process.
    pub fn groups(&self) -> Vec<u16> {
        self.inner.groups.owned()
    }
    /// What is wrong in this process.
    pub fn health(&self) -> &Health {
        &self.inner.health
    }
    /// Ends everything that runs, and waits for commits under way. Open sagas go on at the next start.
    pub async fn shutdown(&self) -> Result<(), Error> {
        self.inner.tasks.stop().await;
        Ok(())
    }
}
