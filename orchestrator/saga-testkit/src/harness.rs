//! A harness for tests of sagas and modules: one line sets everything up, and nothing in it comes by chance.
//!
//! The clock stands at 2025-12-13T12:00:00Z until a test lets time pass, ids count, the jitter of retries has a seed, and the
//! stores are in memory: the same test writes the same bytes, which [`Harness::dump`] shows. What does not go as a test says
//! it fails the test, with the history of its sagas. Faults and laws are those of the [`World`] inside.
#![expect(clippy::panic, reason = "a harness of tests speaks by panicking")]

use crate::laws::saga::Case;
use crate::stage::ready;
use crate::world::{SEED, World};
use saga_core::command::{Command, Query};
use saga_core::control::OrderKind;
use saga_core::definition::Definition;
use saga_core::envelope::Actor;
use saga_core::event::{Event, Owner};
use saga_core::fact::By;
use saga_core::id::{Position, SagaId};
use saga_core::module::Module;
use saga_core::outcome::Refused;
use saga_core::ports::Clock;
use saga_core::projection::read_as;
use saga_core::saga::{Saga, define};
use saga_core::step::Gate;
use saga_core::time::Timestamp;
use saga_core::view::{SagaShow, SagaState};
use saga_core::{id::RequestId, json::Payload};
use saga_engine::audit::audit_logs;
use saga_engine::execution::{OrderRefused, Ordered};
use saga_engine::machine::coordinator::Told;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt::Write;
use std::future::Future;
use std::time::Duration;

/// Modules and sagas under test.
pub struct Harness {
    world: World,
    sagas: Vec<SagaId>,
    person: Actor,
}

impl Harness {
    /// With these modules.
    #[track_caller]
    pub fn of(modules: impl IntoIterator<Item = Module>) -> Self {
        Self::seeded(SEED, modules)
    }
    /// The same with other ids, another jitter, and another order of what is under way at once, for each seed.
    #[track_caller]
    pub fn seeded(seed: u64, modules: impl IntoIterator<Item = Module>) -> Self {
        let world = ready(World::seeded(seed, Vec::new(), modules.into_iter().collect()));
        let mut world = world.unwrap_or_else(|why| panic!("{why}"));
        world.shuffle = (seed != SEED).then_some(seed);
        Harness { world, sagas: Vec::new(), person: Actor::operator("dana") }
    }
    /// And this saga.
    #[must_use]
    #[track_caller]
    pub fn saga<S: Saga>(self) -> Self {
        self.definition(define::<S>())
    }
    /// And this version of a saga.
    #[must_use]
    #[track_caller]
    pub fn definition(mut self, definition: Definition) -> Self {
        if let Err(why) = self.world.learn(definition) {
            panic!("{why}");
        }
        self
    }
    /// Gives the functions of its sagas something that they take as [`Using<T>`](saga_core::step::Using): a fake, a counter.
    #[must_use]
    pub fn using<T: Send + Sync + 'static>(mut self, value: T) -> Self {
        self.world.given = std::mem::take(&mut self.world.given).with(value);
        self
    }
    /// The person who gives the commands and orders from here on; "dana" by default.
    pub fn by(&mut self, person: &str) -> &mut Self {
        self.person = Actor::operator(person);
        self
    }
    /// The world inside: faults, crashes, time by the microsecond.
    pub fn world(&mut self) -> &mut World {
        &mut self.world
    }
    /// For the laws of a saga: a start of it that has not run yet, and how people answer its gates.
    #[track_caller]
    pub fn case<S: Saga>(mut self, input: &S, answer: fn(&mut World, SagaId)) -> Case {
        let saga = self.world.start(input).unwrap_or_else(|why| panic!("{why}"));
        Case { world: self.world, saga, answer }
    }

    /// The time on its clock.
    pub fn now(&self) -> Timestamp {
        self.world.clock.now()
    }
    /// Lets time pass, and whatever is due by then happen.
    #[track_caller]
    pub fn pass(&mut self, time: Duration) {
        let until = self.now().plus(time);
        while let Some(due) = self.world.next_due().filter(|due| self.now() < *due && *due < until) {
            self.rests_at(due);
        }
        self.rests_at(until);
    }
    #[track_caller]
    fn rests_at(&mut self, at: Timestamp) {
        self.world.let_pass(at.since(self.now()));
        self.rests();
    }

    /// Sends a command as a person, and gives its reply; a refusal fails the test.
    #[track_caller]
    pub fn send<C: Command>(&mut self, command: &C) -> C::Reply {
        let answered = self.deliver(command);
        answered.unwrap_or_else(|no| panic!("{} was refused: {}: {}", C::NAME, no.code, no.reason))
    }
    /// Sends a command as a person, and gives its refusal; a reply fails the test.
    #[track_caller]
    pub fn refused<C: Command>(&mut self, command: &C) -> Refused {
        match self.deliver(command) {
            Err(refused) => refused,
            Ok(_) => panic!("{} was not refused", C::NAME),
        }
    }
    #[track_caller]
    fn deliver<C: Command>(&mut self, command: &C) -> Result<C::Reply, Refused> {
        let person = self.person.clone();
        ready(self.world.command_as(command, person)).unwrap_or_else(|why| panic!("{why}"))
    }
    /// Asks a query, after everything recorded so far was folded; that it has no answer fails the test.
    #[track_caller]
    pub fn query<Q: Query>(&self, query: &Q) -> Q::Answer {
        self.told(self.world.query(query))
    }

    /// Starts a saga, and lets it go as far as it goes by itself: to its end, to a gate, or to a person.
    #[track_caller]
    pub fn start<S: Saga>(&mut self, input: &S) -> SagaId {
        let known = self.world.definitions().contains_key(&(S::NAME.to_owned(), S::VERSION));
        assert!(known, "the harness was not given the saga {}: add `.saga::<..>()`", S::NAME);
        let saga = self.world.start(input).unwrap_or_else(|why| panic!("{why}"));
        self.sagas.push(saga);
        self.rests();
        saga
    }
    /// Answers a gate that is open now, or the first opening of one that was not open yet, and lets the saga go on.
    #[track_caller]
    pub fn answer<T: Serialize + DeserializeOwned>(&mut self, saga: SagaId, gate: &Gate<T>, decision: &T) {
        let data = Payload::of(decision).unwrap_or_else(|why| panic!("the decision is not JSON: {why}"));
        let opening = self.told(self.world.opening(saga, gate.name));
        self.order(saga, OrderKind::Signal { gate: gate.name.to_owned(), data, opening });
    }
    /// Orders something as a person with the reason "because", and lets the saga go on; a refusal fails the test.
    #[track_caller]
    pub fn order(&mut self, saga: SagaId, kind: OrderKind) {
        if let Err(no) = self.try_order(saga, kind) {
            panic!("the order was refused: {} {}", no.code.id, no.message);
        }
    }
    /// The same for an order that is refused; that it is not fails the test.
    #[track_caller]
    pub fn order_refused(&mut self, saga: SagaId, kind: OrderKind) -> OrderRefused {
        self.try_order(saga, kind).err().unwrap_or_else(|| panic!("the order was not refused"))
    }
    #[track_caller]
    fn try_order(&mut self, saga: SagaId, kind: OrderKind) -> Result<(), OrderRefused> {
        let request = Some(RequestId(self.world.fresh_id()));
        let by = By { actor: self.person.clone(), reason: Some("because".to_owned()), request };
        let ticket = self.world.order_as(saga, Ordered { by, kind, if_rev: None });
        self.rests();
        match self.world.told.get(&ticket) {
            Some(Told::Refused(no)) => Err(no.clone()),
            Some(Told::Accepted(_) | Told::Started { .. } | Told::Taken) | None => Ok(()),
        }
    }

    /// Its state.
    #[track_caller]
    pub fn state(&self, saga: SagaId) -> SagaState {
        self.told(self.world.state(saga))
    }
    /// Everything that people see of it, with input and outputs.
    #[track_caller]
    pub fn show(&self, saga: SagaId) -> SagaShow {
        self.told(self.world.saga(saga)).show(true)
    }
    /// What a step of it gave; that it gave nothing of this type fails the test.
    #[track_caller]
    pub fn output<T: DeserializeOwned>(&self, saga: SagaId, step: &str) -> T {
        let steps = self.show(saga).steps;
        let output = steps.into_iter().find(|row| row.path == step).and_then(|row| row.output);
        let output = output.unwrap_or_else(|| panic!("{step} gave nothing;{}", self.histories()));
        output.read().unwrap_or_else(|why| panic!("{step} gave {output}: {why}"))
    }
    /// Names of its facts with the step they are about, in order.
    #[track_caller]
    pub fn story(&self, saga: SagaId) -> Vec<String> {
        self.told(self.world.story(saga))
    }
    /// Every event of one type, in order, read as its newest version.
    #[track_caller]
    pub fn events<E: Event>(&self) -> Vec<E> {
        let mut found = Vec::new();
        for (module, store) in self.world.logs() {
            let log = ready(store.read_log(Position::ZERO, usize::MAX)).unwrap_or_else(|why| panic!("{why}"));
            let own = log.iter().filter(|recorded| module == E::Owner::MODULE && recorded.name == E::NAME);
            found.extend(own.map(|recorded| read_as(recorded).unwrap_or_else(|why| panic!("{}: {why}", E::NAME))));
        }
        found
    }
    /// Every event of every store, a line each, to the last byte: two runs of one test give one text.
    #[track_caller]
    pub fn dump(&self) -> String {
        let mut text = String::new();
        for (module, store) in self.world.logs() {
            let log = ready(store.read_log(Position::ZERO, usize::MAX)).unwrap_or_else(|why| panic!("{why}"));
            for event in log {
                let (at, stream, version) = (event.position, &event.stream, event.version);
                let (name, shape, time, id) = (&event.name, event.schema_version, event.time, event.id);
                let _infallible = writeln!(
                    text,
                    "{module} {at} {stream} {version} {name}.v{shape} {time} {id} {} {}",
                    event.data, event.meta
                );
            }
        }
        text
    }
    /// Holds everything that was recorded to the engine's promises; a broken one fails the test.
    #[track_caller]
    pub fn check(&self) {
        let found = ready(audit_logs(self.world.definitions().clone(), &self.world.logs(), true));
        let verdicts = found.unwrap_or_else(|why| panic!("{why}"));
        let broken = verdicts.findings.iter().map(|found| format!("{} {}: {}", found.promise, found.place, found.says));
        let broken: Vec<String> = broken.collect();
        assert!(broken.is_empty(), "{}{}", broken.join("\n"), self.histories());
    }

    #[track_caller]
    fn rests(&mut self) {
        if let Err(why) = ready(self.world.run()) {
            panic!("{why}{}", self.histories());
        }
    }
    #[track_caller]
    fn told<T>(&self, answer: impl Future<Output = Result<T, String>>) -> T {
        ready(answer).unwrap_or_else(|why| panic!("{why}{}", self.histories()))
    }
    /// The histories of its sagas, for the message of a failing test.
    fn histories(&self) -> String {
        let history = |saga: &SagaId| {
            let told = ready(self.world.told_story(*saga)).unwrap_or_else(|why| why);
            format!("\nthe history of the saga {saga}:\n{told}")
        };
        self.sagas.iter().map(history).collect()
    }
}
