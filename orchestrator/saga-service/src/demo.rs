//! The demo: real briefs through five modules at once. One is taken back because nobody approves what is written, one meets a
//! provider that does not answer and is tried again. It tells what happens; how that looks is the caller's business.

use crate::modules::Replaced;
use crate::providers::strategy_template::TemplateStrategyWriter;
use async_trait::async_trait;
use orchestration::api::dtos::StrategyDecision;
use saga::{Sagas, SystemClock, keyed};
use saga_core::control::{ControlError, OrderKind};
use saga_core::envelope::Actor;
use saga_core::fact::{By, SagaFact};
use saga_core::id::{SagaId, Version};
use saga_core::json::Payload;
use saga_core::ports::Clock;
use saga_core::view::{SagaShow, SagaState, StepState, Verdicts};
use saga_engine::execution::Ordered;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use strategy::api::dtos::{BriefSnapshot, Outline};
use strategy::api::providers::{ProviderError, StrategyWriter};

/// The saga that the demo runs.
pub const KIND: &str = "client-to-delivery";
/// The client whose strategy is rejected as often as it is written.
const REJECTED: &str = "07-";
/// The client whose writer is silent at first.
const SILENT_FOR: &str = "03-";

macro_rules! briefs {
    ($($name:literal),+ $(,)?) => {
        /// The project's own briefs: `(key, text)`.
        pub const BRIEFS: &[(&str, &str)] =
            &[$(($name, include_str!(concat!("../../../tests/data/briefs/", $name, ".json")))),+];
    };
}
briefs! {
    "01-lanternfold-tents", "02-radhaus-tannert", "03-polyarny-khleb", "04-thalassini-avli", "05-dar-alnakheel",
    "06-gyan-setu", "07-torrealta-rejected", "08-qingshan-bamboo", "09-hoshikawa-onsen", "10-narae-pottery",
}

/// A writer that does not answer the first time it is asked for one client.
struct SilentOnce {
    client: String,
    patience: Duration,
    asked: Mutex<bool>,
}

#[async_trait]
impl StrategyWriter for SilentOnce {
    async fn write(
        &self,
        key: saga_core::id::StepKey,
        brief: &BriefSnapshot,
        context: &BTreeMap<String, String>,
    ) -> Result<Outline, ProviderError> {
        let first = brief.client_name == self.client
            && !std::mem::replace(&mut *self.asked.lock().unwrap_or_else(PoisonError::into_inner), true);
        if first {
            SystemClock.pause(self.patience).await;
            return Err(ProviderError::TryLater { after_ms: 500, says: "the writer is busy".to_owned() });
        }
        TemplateStrategyWriter.write(key, brief, context).await
    }
}

/// The demo's providers: built in, but for one silence of this length.
pub fn providers(patience: Duration) -> Replaced {
    let silent = BRIEFS.iter().find(|(key, _)| key.starts_with(SILENT_FOR)).map(|(_, text)| *text).unwrap_or("{}");
    let form: serde_json::Value = serde_json::from_str(silent).unwrap_or_default();
    let client = form["client"]["name"].as_str().unwrap_or_default().to_owned();
    Replaced { strategy_writer: Some(Arc::new(SilentOnce { client, patience, asked: Mutex::default() })) }
}

/// Says that the data beside it are a demo's, and may be cleared by the next one.
const MARK: &str = "demo";

/// Whether a demo may clear the folder: there are no stores in it, or those of an earlier demo.
pub fn may_clear(data: &Path) -> std::io::Result<bool> {
    Ok(data.join(MARK).exists() || stores_in(data)?.is_empty())
}

fn stores_in(data: &Path) -> std::io::Result<Vec<PathBuf>> {
    let paths = std::fs::read_dir(data)?.map(|entry| entry.map(|entry| entry.path()));
    let paths = paths.collect::<std::io::Result<Vec<_>>>()?;
    let is_store = |path: &&std::path::PathBuf| {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        [".db", ".db-wal", ".db-shm"].iter().any(|ending| name.ends_with(ending))
    };
    Ok(paths.into_iter().filter(|path| is_store(&path)).collect())
}

/// Removes what an earlier demo left in the folder: stores and artifacts, and nothing else.
pub fn clear(data: &Path) -> std::io::Result<()> {
    let stores = stores_in(data)?;
    for store in &stores {
        std::fs::remove_file(store)?;
    }
    let files = data.join("files");
    if !stores.is_empty() && files.is_dir() {
        std::fs::remove_dir_all(files)?;
    }
    std::fs::write(data.join(MARK), "The stores in this folder are a demo's; the next demo clears them.\n")
}

/// Keeps the data in the folder: the next demo does not remove them.
pub fn keep(data: &Path) -> std::io::Result<()> {
    match std::fs::remove_file(data.join(MARK)) {
        Err(why) if why.kind() != std::io::ErrorKind::NotFound => Err(why),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Something worth a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// A saga began.
    Began {
        /// Its key.
        key: String,
    },
    /// A step changed its state.
    Step {
        /// The saga's key.
        key: String,
        /// The step's path.
        step: String,
        /// Its sign.
        sign: &'static str,
        /// In words.
        words: String,
    },
    /// A decision was made about a strategy.
    Decided {
        /// The saga's key.
        key: String,
        /// Whether it is approved.
        approved: bool,
    },
    /// A saga ended, or waits for a person.
    Ended {
        /// The saga, whole.
        show: Box<SagaShow>,
    },
}

/// What was told of a saga, which is told from its facts: how often somebody looks changes nothing of it.
#[derive(Default)]
struct Teller {
    /// How many facts are told.
    rev: Version,
    /// How each step stood then: forward and backward.
    seen: BTreeMap<String, (StepState, Option<StepState>)>,
}

/// A running demo.
pub struct Demo {
    sagas: Sagas,
    open: BTreeMap<SagaId, String>,
    tellers: BTreeMap<SagaId, Teller>,
    /// The openings of gates that were answered.
    decided: BTreeSet<(SagaId, String)>,
    pause: Duration,
}

/// How often the demo looks: often enough that a reader sees it move, rarely enough to cost nothing.
const LOOK_EVERY: Duration = Duration::from_millis(40);

impl Demo {
    /// Starts every brief; strategies are decided about `pause` after they are submitted.
    pub async fn start(sagas: Sagas, pause: Duration) -> Result<(Self, Vec<Told>), ControlError> {
        let mut demo = Demo { sagas, open: BTreeMap::new(), tellers: BTreeMap::new(), decided: BTreeSet::new(), pause };
        let mut told = Vec::new();
        for (key, text) in BRIEFS {
            let input = Payload::parse(text)
                .map_err(|why| ControlError::new(saga_core::codes::INPUT_MALFORMED, format!("{key}: {why}")))?;
            let begun = demo.sagas.start_raw(KIND, None, Some(key), input, None).await;
            let begun = begun?;
            debug_assert_eq!(begun.saga, keyed(KIND, key));
            demo.open.insert(begun.saga, (*key).to_owned());
            told.push(Told::Began { key: (*key).to_owned() });
        }
        Ok((demo, told))
    }
    /// Whether every saga has ended or waits for a person.
    pub fn is_over(&self) -> bool {
        self.open.is_empty()
    }
    /// Looks once: what happened since the last look. Answers the gates that are open.
    pub async fn look(&mut self) -> Result<Vec<Told>, ControlError> {
        SystemClock.pause(LOOK_EVERY).await;
        let mut told = Vec::new();
        for (saga, key) in self.open.clone() {
            let teller = self.tellers.entry(saga).or_default();
            let Some(show) = teller.look(&self.sagas, (saga, &key), &mut told).await? else { continue };
            if show.row.state.is_end() || show.row.state.needs_person() {
                self.open.remove(&saga);
                told.push(Told::Ended { show: Box::new(show) });
            } else if let Some(opening) = self.waited(&show).filter(|_| show.row.state == SagaState::Waiting)
                && self.decided.insert((saga, opening.clone()))
            {
                let approved = !key.starts_with(REJECTED);
                self.decide(saga, opening, approved).await?;
                told.push(Told::Decided { key, approved });
            }
        }
        Ok(told)
    }
    /// The opening that waits for a decision, if it has waited long enough.
    fn waited(&self, show: &SagaShow) -> Option<String> {
        let waiting = show.row.waiting.first()?;
        waiting.opening.clone().filter(|_| SystemClock.now().since(waiting.since) >= self.pause)
    }
    async fn decide(&self, saga: SagaId, opening: String, approved: bool) -> Result<(), ControlError> {
        let note = (!approved).then(|| "not how we see ourselves".to_owned());
        let decision = StrategyDecision { approved, by: Some("operator".to_owned()), note };
        let data =
            Payload::of(&decision).map_err(|why| ControlError::new(saga_core::codes::INTERNAL, why.to_string()))?;
        let by = By { actor: Actor::operator("operator"), reason: None, request: None };
        let kind = OrderKind::Signal { gate: "strategy-approved".to_owned(), data, opening: Some(opening) };
        let order = self.sagas.order(saga, Ordered { by, kind, if_rev: None }).await;
        order.map(drop).map_err(ControlError::from)
    }
    /// The undo of a saga as it was sent, first to last: `(step, undo command)`. Branches side by side answer in any order.
    pub async fn undo_of(&self, show: &SagaShow) -> Vec<(String, String)> {
        let Some((_, journal)) = self.sagas.logs().into_iter().next() else { return Vec::new() };
        let history = saga_engine::journal::history(&journal, show.row.id).await.unwrap_or_default();
        let command = |path: &str| show.steps.iter().find(|step| step.path == path)?.undo_command.clone();
        let undone = history.into_iter().filter_map(|(fact, _)| match fact {
            SagaFact::CompensationDispatched(fact) if fact.attempt == 1 => Some(fact.step),
            _ => None,
        });
        undone.map(|step| (step.to_string(), command(&step).unwrap_or_default())).collect()
    }
    /// Checks every promise on the logs of this run.
    pub async fn verdicts(&self) -> Result<Verdicts, ControlError> {
        Ok(self.sagas.audit(true).await)
    }
}

impl Teller {
    /// Tells what the saga's facts say beyond those that are told; gives the saga as it stands.
    async fn look(
        &mut self,
        sagas: &Sagas,
        (saga, key): (SagaId, &str),
        told: &mut Vec<Told>,
    ) -> Result<Option<SagaShow>, ControlError> {
        let exec = sagas.retold(saga, |fact, exec| {
            if exec.rev() > self.rev {
                self.rev = exec.rev();
                told.extend(self.news(key, fact, &exec.show(false)));
            }
        });
        Ok(exec.await?.map(|exec| exec.show(false)))
    }
    /// What the steps of a saga did with a fact.
    fn news(&mut self, key: &str, fact: &SagaFact, show: &SagaShow) -> Vec<Told> {
        // Another try of a step that is tried again already is told like the first.
        if let SagaFact::StepRetryScheduled(again) = fact {
            self.seen.remove(again.step.as_str());
        }
        let mut told = Vec::new();
        for step in &show.steps {
            let now = (step.state, step.undo);
            let before = self.seen.insert(step.path.clone(), now);
            if before == Some(now) || step.undo == Some(StepState::Undoing) {
                continue;
            }
            let (sign, words) = match step.undo {
                Some(undo) => {
                    let command = step.undo_command.clone().unwrap_or_default();
                    (undo.sign(), format!("{} {command}", undo.word()))
                }
                None if matches!(step.state, StepState::Pending | StepState::NotNeeded | StepState::Running) => {
                    continue;
                }
                None => {
                    let result = step.result.as_ref().map(|result| format!("  {result}")).unwrap_or_default();
                    (step.state.sign(), format!("{}{result}", step.state.word()))
                }
            };
            told.push(Told::Step { key: key.to_owned(), step: step.path.clone(), sign, words });
        }
        told
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Service;

    #[tokio::test]
    async fn a_look_at_the_end_tells_the_same_story_as_looks_all_the_time() {
        let folder = tempfile::tempdir().unwrap();
        let service = Service::open(folder.path(), providers(Duration::from_millis(1)), 7).await.unwrap();
        let (mut demo, _) = Demo::start(service.sagas().clone(), Duration::ZERO).await.unwrap();
        let mut heard = Vec::new();
        while !demo.is_over() {
            heard.extend(demo.look().await.unwrap());
        }
        let of = |told: &[Told], wanted: &str| {
            let mine = |one: &&Told| matches!(one, Told::Step { key, .. } if key == wanted);
            told.iter().filter(mine).cloned().collect::<Vec<_>>()
        };
        for (key, _) in BRIEFS {
            let mut late = Vec::new();
            Teller::default().look(service.sagas(), (keyed(KIND, key), key), &mut late).await.unwrap();
            assert_eq!(of(&heard, key), late);
            let shows = |wanted| late.iter().any(|one| matches!(one, Told::Step { sign, .. } if *sign == wanted));
            assert!(shows("↻") || !key.starts_with(SILENT_FOR), "{key}: {late:?}");
            assert_eq!(shows("↺"), key.starts_with(REJECTED), "{key}: {late:?}");
        }
        service.close().await;
    }
}
