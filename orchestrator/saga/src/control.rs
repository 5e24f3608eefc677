//! Control inside the process: what people may look at and order, over a running orchestrator.

use crate::attention::Counted;
use crate::because::{self, because};
use crate::board::ending_with;
use crate::error::Error;
use crate::groups::who;
use crate::sagas::Sagas;
use crate::upkeep::said_of;
use async_trait::async_trait;
use saga_core::codes;
use saga_core::control::{
    AwaitSaga, Changes, Control, ControlError, DefinitionRow, Look, Moment, Order, PAGE_MAX, Page, Receipt, Status,
    View, Watch, What, ask,
};
use saga_core::envelope::Actor;
use saga_core::event::EventSet;
use saga_core::fact::{By, SagaFact};
use saga_core::id::{SagaId, Version};
use saga_core::limits;
use saga_core::view::{AsOf, Foreseen, HistoryRow, SagaShow, SagaState, Why};
use saga_core::why::causes;
use saga_engine::execution::{Accepted, Execution, Ordered};
use saga_engine::journal::stream_of;
use std::time::Duration;

/// The place of pages of the coordinator's store that a look could not read. It is not the place of the file: that one heals.
const DAMAGE: &str = "pages of orchestration";

/// Control over the orchestrator of this process.
#[derive(Clone)]
pub struct LocalControl {
    pub(crate) sagas: Sagas,
    store: String,
    bus: String,
}

impl LocalControl {
    /// Over `sagas`; `store` and `bus` say where it keeps its things.
    pub fn new(sagas: Sagas, store: impl Into<String>, bus: impl Into<String>) -> Self {
        Self { sagas, store: store.into(), bus: bus.into() }
    }
    /// Finds a saga by full id, by a unique ending of six digits or more, or by `type/key`.
    pub(crate) async fn resolve(&self, text: &str) -> Result<SagaId, ControlError> {
        let missing = || ControlError::new(codes::SAGA_NOT_FOUND, format!("there is no saga {text:?}"));
        if let Ok(id) = text.parse::<SagaId>() {
            return Ok(id);
        }
        if let Some((kind, key)) = text.split_once('/') {
            // As keys are kept today, and as they were kept before they were composed and trimmed.
            for key in [limits::key(key).unwrap_or_default(), key.to_owned()] {
                let id = crate::sagas::keyed(kind, &key);
                if self.sagas.has_begun(id).await? {
                    return Ok(id);
                }
            }
            return Err(missing());
        }
        let digits = text.to_ascii_lowercase().replace('-', "");
        if digits.len() < 6 || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            let hint = "give a full id, its last six digits or more, or type/key";
            return Err(missing().hint(hint));
        }
        let (mut found, silent) = self.sagas.ending(&digits).await?;
        found.extend(ending_with(&self.sagas.inner.store, &digits).await.map_err(Error::from)?);
        found.sort_unstable();
        found.dedup();
        match found.as_slice() {
            [one] => Ok(*one),
            [] if silent.is_empty() => Err(missing()),
            // It may be one that only its owner knows yet.
            [] => Err(ControlError::new(codes::UNOWNED, format!("no saga {text:?} is known; {}", who(&silent)))
                .hint("try again when the groups have changed hands, or give the full id")),
            several => {
                let ids: Vec<_> = several.iter().map(ToString::to_string).collect();
                let message = format!("{} sagas end with {text}", several.len());
                Err(ControlError::new(codes::SAGA_AMBIGUOUS, message).hint(ids.join(" or ")))
            }
        }
    }
    async fn execution(&self, text: &str) -> Result<Execution, ControlError> {
        let id = self.resolve(text).await?;
        let found = self.sagas.saga(id).await?;
        found.ok_or_else(|| ControlError::new(codes::SAGA_NOT_FOUND, format!("there is no saga {text:?}")))
    }
    /// A saga as it was. Nothing of that can be ordered any more.
    async fn back_then(&self, text: &str, data: bool, at: Moment) -> Result<SagaShow, ControlError> {
        let id = self.resolve(text).await?;
        let told = self.sagas.saga_at(id, at).await?;
        let (exec, as_of) =
            told.ok_or_else(|| ControlError::new(codes::SAGA_NOT_FOUND, format!("there is no saga {text:?}")))?;
        let Some(exec) = exec else {
            let AsOf { at: began, facts } = as_of;
            let why = match at {
                Moment::Rev(rev) => format!("saga {id} has {facts} facts, and not {rev}"),
                Moment::Time(at) => format!("saga {id} began at {began}, and at {at} it was not there"),
            };
            return Err(
                ControlError::new(codes::USAGE, why).hint("its facts with their times: sagactl saga history ID")
            );
        };
        Ok(SagaShow { possible: Vec::new(), as_of: Some(as_of), ..exec.show(data) })
    }
    async fn history(&self, text: &str, after: u64, limit: usize) -> Result<Page<HistoryRow>, ControlError> {
        let saga = self.resolve(text).await?;
        let internal = || ControlError::new(codes::INTERNAL, "the id does not make a stream name");
        let stream = stream_of(saga).ok_or_else(internal)?;
        let limit = if limit == 0 { PAGE_MAX } else { limit.min(PAGE_MAX) };
        let read = self.sagas.inner.store.read(&stream, Version(after), limit + 1).await;
        let mut page = read.map_err(Error::from)?;
        if page.is_empty() && after == 0 {
            return Err(ControlError::new(codes::SAGA_NOT_FOUND, format!("there is no saga {text:?}")));
        }
        let truncated = page.len() > limit;
        page.truncate(limit);
        let next = truncated.then(|| page.last().map(|last| last.version.to_string())).flatten();
        let items = page.iter().map(history_row).collect();
        Ok(Page { limit, next, total: None, truncated, ..Page::whole(items) })
    }
    /// What an order would do, as the log tells it; nothing is asked of the saga's owner.
    async fn foresee(&self, by: &Actor, order: Order) -> Result<Foreseen, ControlError> {
        let by = By { actor: by.clone(), reason: order.reason, request: Some(order.request) };
        let What::Of { saga, kind } = order.what else {
            return Err(ControlError::new(codes::USAGE, "only orders of a saga that there is can be foreseen"));
        };
        let ordered = Ordered { by, kind, if_rev: order.if_rev.map(Version) };
        let exec = self.execution(&saga).await?;
        exec.preview(ordered, self.sagas.inner.clock.now()).map_err(|refusal| Error::Refused(refusal).into())
    }
    fn definitions(&self) -> Page<DefinitionRow> {
        let rows = self.sagas.offered().map(|definition| DefinitionRow {
            name: definition.name.to_owned(),
            version: definition.version,
            digest: definition.digest.clone(),
            meaning: definition.meaning.clone(),
            steps: definition.steps().len(),
            example: definition.example.clone(),
        });
        let items: Vec<_> = rows.collect();
        Page::whole(items)
    }
    /// What this process has in memory is told whatever is away: how things are is asked above all then.
    async fn status(&self) -> Status {
        let (Counted { attention, not_known }, looked) = self.sagas.attention().await;
        let troubles = [self.sagas.health().troubles(), looked].concat();
        Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            store: self.store.clone(),
            bus: said_of(&*self.sagas.inner.bus, &self.bus),
            modules: self.sagas.inner.modules.keys().map(|name| (*name).to_owned()).collect(),
            sagas: self.sagas.offered().map(|known| format!("{}@{}", known.name, known.version)).collect(),
            // What makes it not ready is what is told.
            ready: troubles.is_empty(),
            pid: std::process::id(),
            groups: self.sagas.groups(),
            attention,
            troubles,
            incidents: self.sagas.health().incidents(),
            not_compared: self.sagas.elsewhere(),
            not_known,
        }
    }
}

fn history_row(recorded: &saga_core::envelope::Recorded) -> HistoryRow {
    let value: serde_json::Value = recorded.data.read().unwrap_or_default();
    let by = value["by"]["actor"]["id"].as_str().unwrap_or("coordinator").to_owned();
    HistoryRow {
        rev: recorded.version.0,
        position: recorded.position,
        at: recorded.time,
        fact: recorded.name.clone(),
        by,
        detail: SagaFact::of(recorded).map_or_else(|why| why.to_string(), |fact| detail(&fact, &value)),
        data: recorded.data.clone(),
    }
}

/// One line of words for a fact: the step first, then what else it says, without the large payloads.
fn detail(fact: &SagaFact, value: &serde_json::Value) -> String {
    let mut words: Vec<String> = value["step"].as_str().map(str::to_owned).into_iter().collect();
    if let SagaFact::SagaStarted(started) = fact {
        words.push(format!("{}@{} key {}", started.definition, started.version, started.key));
    }
    if let serde_json::Value::Object(fields) = value {
        for (name, value) in fields {
            let shown = match value {
                _ if matches!(name.as_str(), "step" | "by" | "digest" | "definition" | "version" | "key" | "input") => {
                    None
                }
                serde_json::Value::String(text) => Some(text.clone()),
                serde_json::Value::Number(number) => Some(format!("{name} {number}")),
                serde_json::Value::Bool(yes) => yes.then(|| name.clone()),
                serde_json::Value::Array(items) => Some(format!("{} {name}", items.len())),
                serde_json::Value::Object(_) | serde_json::Value::Null => None,
            };
            words.extend(shown);
        }
        words.extend(fields.get("by").and_then(|by| by["reason"].as_str()).map(|reason| format!("{reason:?}")));
    }
    words.join("  ").chars().take(200).collect()
}

impl LocalControl {
    /// What was asked for.
    async fn see(&self, by: &Actor, what: Look) -> Result<View, ControlError> {
        Ok(match what {
            Look::Sagas(selector) => View::SagaList(self.list(selector).await?),
            Look::Saga(ask::Saga { id, data, at: None }) => View::Saga(Box::new(self.execution(&id).await?.show(data))),
            Look::Saga(ask::Saga { id, data, at: Some(at) }) => {
                View::Saga(Box::new(self.back_then(&id, data, at).await?))
            }
            Look::History(ask::History { id, after, limit }) => View::History(self.history(&id, after, limit).await?),
            Look::Why(ask::WhyStuck { id }) => {
                let found = self.resolve(&id).await?;
                let row = self.sagas.row(found).await?;
                let row =
                    row.ok_or_else(|| ControlError::new(codes::SAGA_NOT_FOUND, format!("there is no saga {id:?}")))?;
                let (causes, checked) = causes(&row, self.sagas.inner.clock.now());
                let evidence = self.evidence(&row).await;
                let causes = because(&row, &evidence, causes);
                View::Why(Box::new(Why { saga: row, causes, checked: checked + because::CAUSES }))
            }
            Look::Modules(_) => View::ModuleList(self.modules().await),
            Look::Definitions(_) => View::DefinitionList(self.definitions()),
            Look::Verify(_) => View::Verdicts(self.sagas.audit(false).await),
            Look::Preview(ask::Preview(order)) => View::Preview(Box::new(self.foresee(by, *order).await?)),
            Look::Status(_) => View::Status(self.status().await),
            Look::Metrics(_) => View::MetricList(self.sagas.metrics(&self.status().await).await),
        })
    }
}

#[async_trait]
impl Control for LocalControl {
    async fn look(&self, by: &Actor, what: Look) -> Result<View, ControlError> {
        let seen = self.see(by, what).await;
        // A page that cannot be read stays so: the next caller that asks for the status has to hear it.
        if let Err(why) = seen.as_ref()
            && why.code == codes::STORE_CORRUPT.id
        {
            self.sagas
                .health()
                .trouble(DAMAGE, format!("{}; keep a copy of the data, then restore a backup", why.message));
        }
        seen
    }
    async fn act(&self, by: &Actor, order: Order) -> Result<Receipt, ControlError> {
        let request = order.request;
        let by = By { actor: by.clone(), reason: order.reason, request: Some(request) };
        let if_rev = order.if_rev.map(Version);
        let (saga, kind) = match order.what {
            What::Start { .. } if if_rev.is_some() => {
                return Err(ControlError::new(codes::USAGE, "a start has no revision yet that it could be bound to"));
            }
            What::Start { kind, version, key, input } => {
                // Without a key of its own, a start is named by its request: asking twice starts one saga.
                let key = key.unwrap_or_else(|| request.to_string());
                let begun = self.sagas.start_raw(&kind, version, Some(&key), input, Some(by)).await?;
                return Ok(Receipt { request, saga: begun.saga, repeated: begun.repeated });
            }
            What::Of { saga, kind } => (saga, kind),
        };
        let saga = self.resolve(&saga).await?;
        let accepted = self.sagas.order(saga, Ordered { by, kind, if_rev }).await?;
        Ok(Receipt { request, saga, repeated: accepted == Accepted::Before })
    }
    async fn outcome(&self, _: &Actor, of: AwaitSaga, patience: Duration) -> Result<Option<SagaShow>, ControlError> {
        let done = |exec: &Execution| {
            let state = exec.state();
            let rests = state.is_end() || state.needs_person() || state == SagaState::Waiting;
            of.after.map_or(rests, |after| state.is_end() || exec.rev().0 > after)
        };
        let mut exec = self.execution(&of.id).await?;
        let clock = &self.sagas.inner.clock;
        let until = clock.now().plus(patience);
        while !done(&exec) {
            tokio::select! {
                moved = self.sagas.moved(exec.saga(), Some(exec.rev())) => moved?,
                () = clock.sleep_until(until) => return Ok(None),
            }
            let rev = exec.rev();
            exec = self.execution(&exec.saga().to_string()).await?;
            if exec.rev() == rev {
                break;
            }
        }
        Ok(Some(exec.show(false)))
    }
    async fn watch(&self, _: &Actor, what: Watch) -> Result<Box<dyn Changes>, ControlError> {
        Ok(Box::new(self.follow(what).await?))
    }
}
