//! What a test sees of the world: sagas as their logs tell them, and the logs themselves.

use super::{Faults, World};
use crate::effects::Effects;
use crate::fates::Fates;
use crate::stage::Others;
use saga_core::bus::Delivered;
use saga_core::command::{Command, Query};
use saga_core::definition::{Definitions, Fit};
use saga_core::envelope::Actor;
use saga_core::event::EventSet;
use saga_core::fact::SagaFact;
use saga_core::id::SagaId;
use saga_core::json::Payload;
use saga_core::outcome::{Answer, Refused};
use saga_core::ports::{Clock, Heads, SharedStore};
use saga_core::time::Timestamp;
use saga_core::view::SagaState;
use saga_engine::catchup::catch_up;
use saga_engine::execution::Execution;
use saga_engine::host::{Served, serve_beside};
use saga_engine::journal;
use std::fmt::{self, Debug};
use std::sync::Arc;

/// Something more that the laws compare.
pub(super) type Observer = Arc<dyn Fn(&World) -> String + Send + Sync>;

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let way = |undo: bool| if undo { "the undo of " } else { "" };
        let words = [
            self.refuse.as_ref().map(|step| format!("{step} is refused")),
            self.silence.as_ref().map(|(step, happens)| {
                format!("{step} is never answered, and {}", if *happens { "happens" } else { "does not happen" })
            }),
            self.twice.then(|| "everything is delivered twice".to_owned()),
            self.forgets.then(|| "the performer dies before the answer is recorded, and is asked again".to_owned()),
            self.crash_at.map(|point| format!("the coordinator dies at point {point}")),
            (self.facts != Fates::Kind).then(|| format!("commits of facts: {:?}", self.facts)),
            (self.deeds != Fates::Kind).then(|| format!("commits of modules: {:?}", self.deeds)),
            self.late.then(|| "commits of facts take their time".to_owned()),
            self.undo_silence.as_ref().map(|step| format!("the undo of {step} is never answered")),
            self.weather.as_ref().map(|(step, undo, _)| format!("weather at {}{step}", way(*undo))),
            self.bus_refuses.as_ref().map(|why| format!("the bus takes nothing: {why}")),
            self.lags.then(|| "no read model hears anything".to_owned()),
            self.queued.then(|| "commands stay in their queues".to_owned()),
            self.untold.then(|| "the bus cannot tell what stands in its queues".to_owned()),
        ];
        let words: Vec<String> = words.into_iter().flatten().collect();
        f.write_str(&if words.is_empty() { "no fault".to_owned() } else { words.join("; ") })
    }
}

impl World {
    /// A saga as its facts tell it.
    pub async fn saga(&self, saga: SagaId) -> Result<Execution, String> {
        let history = journal::history(&self.journal, saga).await.map_err(|why| why.to_string())?;
        let started = history.first().and_then(|(fact, _)| fact.as_start());
        let fit = started.map(|started| Fit::of(&self.definitions, started)).unwrap_or_default();
        let mut exec = Execution::new(saga, fit, self.seed);
        history.iter().for_each(|(fact, at)| exec.evolve(fact, *at));
        Ok(exec)
    }
    /// The name of the opening of a gate that waits now, if one does.
    pub async fn opening(&self, saga: SagaId, gate: &str) -> Result<Option<String>, String> {
        let waiting = self.saga(saga).await?.waiting();
        Ok(waiting.into_iter().find(|waiting| waiting.subject == gate).and_then(|waiting| waiting.opening))
    }
    /// Gives the functions of its sagas the world outside as [`Using<Effects>`](saga_core::step::Using), and lets the laws look at
    /// it. Fake providers of modules are given a clone of it when the modules are made.
    #[must_use]
    pub fn with_effects(mut self, effects: &Effects) -> Self {
        self.given = std::mem::take(&mut self.given).with(effects.clone());
        self.effects = effects.clone();
        self
    }
    /// Lets the laws compare something more: after everything was taken back it is as before, and whatever is repeated changes
    /// it once. What an undo leaves behind on purpose is left out by `state`.
    pub fn observe<S: Debug>(&mut self, state: impl Fn(&World) -> S + Send + Sync + 'static) {
        self.observes = Some(Arc::new(move |world| format!("{:?}", state(world))));
    }
    /// What the laws compare, as text.
    pub fn observed(&self) -> String {
        match &self.observes {
            Some(state) => format!("{}; {}", self.effects, state(self)),
            None => self.effects.to_string(),
        }
    }
    /// A command of a person to a module, for what must exist before the saga begins.
    pub async fn command<C: Command>(&mut self, command: &C) -> Result<C::Reply, String> {
        let answered = self.command_as(command, Actor::operator("dana")).await?;
        answered.map_err(|refused| format!("{}: {refused:?}", C::NAME))
    }
    /// The same as another person, with the refusal as data.
    pub async fn command_as<C: Command>(
        &mut self,
        command: &C,
        actor: Actor,
    ) -> Result<Result<C::Reply, Refused>, String> {
        self.project().await?;
        let (module, store) = self.modules.get(C::MODULE).ok_or_else(|| format!("nobody serves {}", C::MODULE))?;
        let payload = Payload::of(command).map_err(|why| why.to_string())?;
        let delivered = Delivered::direct(C::NAME, C::VERSION, payload, self.fresh_id(), actor);
        let heads = self.heads();
        match serve_beside(module, store, (&self.ids, &heads), self.clock.now(), &delivered).await {
            Served::Answered(Answer::Done { output }) => output.read().map(Ok).map_err(|why| why.to_string()),
            Served::Answered(Answer::Refused(refused)) => Ok(Err(refused)),
            other @ (Served::Answered(Answer::Retry { .. }) | Served::Stale { .. } | Served::Park(_)) => {
                Err(format!("{}: {other:?}", C::NAME))
            }
        }
    }
    /// The head of every module's log, as the log itself says.
    pub(super) fn heads(&self) -> Arc<dyn Heads> {
        let logs = self.modules.iter().map(|(name, (_, log))| ((*name).to_owned(), Arc::clone(log)));
        Arc::new(Others(logs.collect()))
    }
    /// Asks a query of a module, after everything recorded so far was folded: no fate touches a look from outside.
    pub async fn query<Q: Query>(&self, query: &Q) -> Result<Q::Answer, String> {
        for (module, own) in self.modules.values() {
            for def in &module.projections {
                for source in def.sources() {
                    let Some((_, log)) = self.modules.get(source) else { continue };
                    catch_up(def, own, source, log).await.map_err(|why| why.to_string())?;
                }
            }
        }
        let (module, store) = self.modules.get(Q::MODULE).ok_or_else(|| format!("nobody serves {}", Q::MODULE))?;
        let route = module.queries.get(&(Q::NAME, Q::VERSION)).ok_or_else(|| format!("no query {}", Q::NAME))?;
        let payload = Payload::of(query).map_err(|why| why.to_string())?;
        let answer = (route.handle)(Arc::clone(store), payload, self.clock.now()).await;
        answer.map_err(|why| why.to_string())?.read().map_err(|why| why.to_string())
    }
    /// Its history, a line for each fact, for people who read why a law does not hold.
    pub async fn told_story(&self, saga: SagaId) -> Result<String, String> {
        let history = journal::history(&self.journal, saga).await.map_err(|why| why.to_string())?;
        let line = |(at, (fact, _)): (usize, &(SagaFact, Timestamp))| {
            let value: serde_json::Value = fact.encode().ok().and_then(|data| data.read().ok()).unwrap_or_default();
            let says = ["step", "code", "message", "reason", "kind", "answer", "round", "attempt"].map(|field| {
                let told = match &value[field] {
                    serde_json::Value::String(text) => text.clone(),
                    serde_json::Value::Number(number) => format!("{field} {number}"),
                    serde_json::Value::Null
                    | serde_json::Value::Bool(_)
                    | serde_json::Value::Array(_)
                    | serde_json::Value::Object(_) => return String::new(),
                };
                format!("  {told}")
            });
            format!("{:>5}  {:<24}{}", at + 1, fact.name(), says.concat()).trim_end().to_owned()
        };
        Ok(history.iter().enumerate().map(line).collect::<Vec<_>>().join("\n"))
    }
    /// Its state.
    pub async fn state(&self, saga: SagaId) -> Result<SagaState, String> {
        Ok(self.saga(saga).await?.state())
    }
    /// Names of its facts with the step they are about, in order.
    pub async fn story(&self, saga: SagaId) -> Result<Vec<String>, String> {
        let history = journal::history(&self.journal, saga).await.map_err(|why| why.to_string())?;
        Ok(history
            .iter()
            .map(|(fact, _)| {
                let value: serde_json::Value = fact.encode().ok().and_then(|data| data.read().ok()).unwrap_or_default();
                match value["step"].as_str() {
                    Some(step) => format!("{} {step}", fact.name()),
                    None => fact.name().to_owned(),
                }
            })
            .collect())
    }
    /// Every log of this world, for the audit: orchestration first.
    pub fn logs(&self) -> Vec<(String, SharedStore)> {
        let modules = self.modules.iter().map(|(name, (_, store))| ((*name).to_owned(), Arc::clone(store)));
        std::iter::once(("orchestration".to_owned(), Arc::clone(&self.journal))).chain(modules).collect()
    }
    /// How many commits and reads did not end as they would have.
    pub fn fates_met(&self) -> u64 {
        self.facts.met() + self.deeds.met()
    }
    /// The definitions of this world.
    pub fn definitions(&self) -> &Arc<Definitions> {
        &self.definitions
    }
    /// Whether what the coordinator has in memory is the fold of its log, for every open saga.
    pub async fn agrees_with_its_log(&self) -> Result<(), String> {
        if !self.coordinator.is_quiet() {
            return Ok(());
        }
        for live in self.coordinator.sagas() {
            let (live, folded) = (format!("{live:#?}"), format!("{:#?}", self.saga(live.saga()).await?));
            if live != folded {
                return Err(format!("in memory: {live}\nin the log: {folded}"));
            }
        }
        Ok(())
    }
}
