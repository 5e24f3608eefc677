//! A stage for one module: memory store, still clock, counted ids; commands, undo, queries and projections by hand.
//!
//! Everything a module's futures wait for is ready on this stage, so it needs no runtime: tests stay plain functions.

use crate::between::{Forgets, Passing};
use crate::effects::Effects;
use async_trait::async_trait;
use saga_core::batch::Commit;
use saga_core::bus::Delivered;
use saga_core::command::{Command, Compensable, Query};
use saga_core::envelope::{Actor, Recorded};
use saga_core::event::Event;
use saga_core::id::{Direction, Epoch, Position, StepKey, Version};
use saga_core::json::Payload;
use saga_core::module::{Deed, Module};
use saga_core::outcome::{Answer, Refused};
use saga_core::ports::{Clock, Heads, Ids, ReadError, SharedStore};
use saga_core::projection::read_as;
use saga_core::public_log::public_head;
use saga_core::time::Timestamp;
use saga_engine::catchup::catch_up;
pub use saga_engine::host::Served;
use saga_engine::host::serve_beside;
use saga_engine::memory::{CountedIds, MemoryStore, StillClock};
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use uuid::Uuid;

/// One module, ready to be asked.
pub struct Stage {
    /// The module.
    pub module: Module,
    /// Its store.
    pub store: SharedStore,
    /// The logs of other modules, for projections that listen to them.
    pub others: BTreeMap<String, SharedStore>,
    /// The clock; stands at 2025-12-13T12:00:00Z until moved.
    pub clock: Arc<StillClock>,
    /// The world outside, where the module's fake providers were given a clone of it.
    pub effects: Effects,
    ids: Arc<dyn Ids>,
    requests: u128,
}

/// Polls a future that has nothing to wait for.
pub fn ready<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let mut cx = Context::from_waker(Waker::noop());
    for _ in 0..1_000_000 {
        if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
            return output;
        }
    }
    unreachable_future()
}

#[expect(clippy::panic, reason = "a test that waits for something outside of the stage must fail, not hang")]
fn unreachable_future() -> ! {
    panic!("the future waits for something outside of the stage")
}

/// 2025-12-13T12:00:00Z.
pub const STAGE_TIME: Timestamp = Timestamp(1_765_627_200_000_000);

/// The logs of other modules on this stage; one that was never heard of is empty.
pub(crate) struct Others(pub(crate) BTreeMap<String, SharedStore>);
#[async_trait]
impl Heads for Others {
    async fn head(&self, module: &str) -> Result<u64, ReadError> {
        match self.0.get(module) {
            Some(log) => public_head(log).await,
            None => Ok(0),
        }
    }
}

impl Stage {
    /// A stage for `module`.
    pub fn new(module: Module) -> Self {
        let clock = Arc::new(StillClock::at(STAGE_TIME));
        let store: SharedStore = Arc::new(MemoryStore::new(Arc::clone(&clock) as Arc<dyn Clock>));
        let (others, effects, ids) = (BTreeMap::new(), Effects::default(), Arc::new(CountedIds::default()));
        Self { module, store, others, clock, effects, ids, requests: 0 }
    }
    /// The same, with the world that the module's fake providers change.
    #[must_use]
    pub fn with_effects(mut self, effects: &Effects) -> Self {
        self.effects = effects.clone();
        self
    }
    /// A deed of a fresh saga at the step `step`.
    pub fn deed(&mut self, step: &str) -> (Uuid, StepKey) {
        self.requests += 1;
        let saga = Uuid::from_u128(0x5a6a_0000 + self.requests);
        (saga, StepKey::derive(saga, step, Direction::Do))
    }
    /// Sends a command as a person, with a fresh key.
    pub fn send<C: Command>(&mut self, command: &C, actor: Actor) -> Result<C::Reply, Refused> {
        let (saga, _) = self.deed(C::NAME);
        self.deliver(command, saga, C::NAME, Direction::Do, actor)
    }
    /// Sends a command as the step `step` of a saga: the same saga and step is the same deed.
    pub fn ask<C: Command>(&mut self, command: &C, saga: Uuid, step: &str) -> Result<C::Reply, Refused> {
        self.deliver(command, saga, step, Direction::Do, Actor::saga(saga))
    }
    /// Undoes the step `step` of a saga with the undo that the command itself names. True: something was undone;
    /// false: there was nothing to undo.
    pub fn undo<C: Compensable>(&mut self, command: &C, saga: Uuid, step: &str) -> Result<bool, Refused> {
        let undo = command.undo(StepKey::derive(saga, step, Direction::Do));
        match self.serve(&undo, saga, step, Direction::Undo, Actor::saga(saga)) {
            Served::Answered(Answer::Done { output }) => Ok(output == Payload::null()),
            Served::Answered(Answer::Refused(refused)) | Served::Park(refused) => Err(refused),
            Served::Answered(Answer::Retry { reason, .. }) => Err(Refused::new("RETRY", reason)),
            Served::Stale { newest } => Err(Refused::new("STALE", newest.to_string())),
        }
    }
    fn deliver<C: Command>(
        &mut self,
        command: &C,
        saga: Uuid,
        step: &str,
        direction: Direction,
        actor: Actor,
    ) -> Result<C::Reply, Refused> {
        match self.serve(command, saga, step, direction, actor) {
            Served::Answered(Answer::Done { output }) => {
                output.read().map_err(|why| Refused::new("BAD_REPLY", why.to_string()))
            }
            Served::Answered(Answer::Refused(refused)) | Served::Park(refused) => Err(refused),
            Served::Answered(Answer::Retry { reason, .. }) => Err(Refused::new("RETRY", reason)),
            Served::Stale { newest } => Err(Refused::new("STALE", newest.to_string())),
        }
    }
    /// Delivers a command and gives back what the host says, unread.
    pub fn serve<C: Command>(
        &mut self,
        command: &C,
        saga: Uuid,
        step: &str,
        direction: Direction,
        actor: Actor,
    ) -> Served {
        match Payload::of(command) {
            Ok(payload) => self.serve_payload::<C>(payload, saga, step, direction, actor),
            Err(why) => Served::Park(Refused::new("BAD_COMMAND", why.to_string())),
        }
    }
    /// Handles a command to its end and forgets its answer and events, as if the handler had died before the commit.
    pub fn forget<C: Command>(&mut self, command: &C, saga: Uuid, step: &str, direction: Direction) {
        let store = Arc::clone(&self.store);
        self.store = Arc::new(Passing(Forgets(Arc::clone(&store))));
        let _forgotten = self.serve(command, saga, step, direction, Actor::saga(saga));
        self.store = store;
    }
    /// Delivers the JSON of a command `C` as it is.
    pub fn serve_payload<C: Command>(
        &mut self,
        payload: Payload,
        saga: Uuid,
        step: &str,
        direction: Direction,
        actor: Actor,
    ) -> Served {
        let keys = (StepKey::derive(saga, step, Direction::Do), StepKey::derive(saga, step, Direction::Undo));
        let key = if direction == Direction::Do { keys.0 } else { keys.1 };
        let deed = Deed {
            saga,
            step: step.to_owned(),
            key,
            direction,
            attempt: 1,
            actor,
            correlation: saga,
            causation: saga,
            traceparent: None,
            deadline: None,
        };
        let delivered =
            Delivered { command: C::NAME.to_owned(), version: C::VERSION, payload, deed, epoch: Epoch(1), keys };
        self.serve_delivered(&delivered)
    }
    /// Delivers a command with the envelope that it has.
    pub fn serve_delivered(&self, delivered: &Delivered) -> Served {
        let heads: Arc<dyn Heads> = Arc::new(Others(self.others.clone()));
        ready(serve_beside(&self.module, &self.store, (&self.ids, &heads), self.clock.now(), delivered))
    }
    /// Folds everything recorded so far into the module's read models, its own log and those of others.
    pub fn project(&self) -> Result<(), String> {
        for def in &self.module.projections {
            for source in def.sources() {
                let own = source == self.module.name;
                let Some(log) = (if own { Some(&self.store) } else { self.others.get(source) }) else { continue };
                ready(catch_up(def, &self.store, source, log)).map_err(|why| why.to_string())?;
            }
        }
        Ok(())
    }
    /// Asks a query, after folding everything recorded so far.
    pub fn query<Q: Query>(&self, query: &Q) -> Result<Q::Answer, String> {
        self.project()?;
        let route = self.module.queries.get(&(Q::NAME, Q::VERSION)).ok_or_else(|| format!("no query {}", Q::NAME))?;
        let payload = Payload::of(query).map_err(|why| why.to_string())?;
        let answer = ready((route.handle)(Arc::clone(&self.store), payload, self.clock.now()));
        answer.map_err(|why| why.to_string())?.read().map_err(|why| why.to_string())
    }
    /// The whole log.
    pub fn log(&self) -> Vec<Recorded> {
        ready(self.store.read_log(Position::ZERO, usize::MAX)).unwrap_or_default()
    }
    /// Names of all events recorded so far, in order.
    pub fn names(&self) -> Vec<String> {
        self.log().into_iter().map(|recorded| recorded.name).collect()
    }
    /// All events of one type, read as its newest version.
    pub fn events<E: Event>(&self) -> Vec<E> {
        let log = self.log();
        log.iter().filter(|recorded| recorded.name == E::NAME).filter_map(|recorded| read_as(recorded).ok()).collect()
    }
    /// Puts an event of another module into that module's log, as if it had been published.
    pub fn hear<E: Event>(&mut self, category: &str, id: impl std::fmt::Display, event: &E) -> Result<(), String> {
        use saga_core::event::Owner;
        let clock = Arc::clone(&self.clock) as Arc<dyn Clock>;
        let fresh = || Arc::new(MemoryStore::new(clock)) as SharedStore;
        let log = Arc::clone(self.others.entry(E::Owner::MODULE.to_owned()).or_insert_with(fresh));
        let stream = saga_core::id::StreamId::new(category, id).map_err(|why| why.to_string())?;
        let told = ready(log.read(&stream, Version::ZERO, usize::MAX)).map_err(|why| why.to_string())?.len();
        let heard = saga_core::envelope::NewEvent {
            id: self.ids.event(self.clock.now()),
            name: E::NAME,
            version: E::VERSION,
            data: Payload::of(event).map_err(|why| why.to_string())?,
            meta: Payload::trusted("{}"),
            time: self.clock.now(),
            public: true,
        };
        let write = saga_core::batch::StreamWrite { stream, expected: Version(told as u64), events: vec![heard] };
        let batch = saga_core::batch::Batch { writes: vec![write], ..Default::default() };
        match ready(log.commit(batch)) {
            Commit::Ok(_) => Ok(()),
            refused @ (Commit::Conflict(_)
            | Commit::Fenced { .. }
            | Commit::Rejected(_)
            | Commit::Retryable(_)
            | Commit::Unknown(_)) => Err(format!("{refused:?}")),
        }
    }
}
