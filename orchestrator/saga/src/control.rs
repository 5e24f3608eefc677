//! Control inside the process: what people may look at and order, over a running orchestrator.

use crate::because::{self, because};
use crate::board::ending_with;
use crate::listing::who;
use crate::orchestrator::Error;
use crate::sagas::Sagas;
use crate::upkeep::said_of;
use async_trait::async_trait;
use saga_core::codes;
use saga_core::control::{
    AwaitSaga, Control, ControlError, DefinitionRow, Look, Order, PAGE_MAX, Page, Receipt, Status, View, What,
};
use saga_core::envelope::Actor;
use saga_core::event::EventSet;
use saga_core::execution::{Accepted, Execution, OrderKind, Ordered};
use saga_core::fact::{By, SagaFact};
use saga_core::id::{SagaId, Version};
use saga_core::input::sentence;
use saga_core::journal::stream_of;
use saga_core::limits;
use saga_core::ports::ReadError;
use saga_core::view::{Foreseen, HistoryRow, SagaShow, SagaState, Why};
use saga_core::why::causes;
use std::time::Duration;

/// Control over the orchestrator of this process.
#[derive(Clone)]
pub struct LocalControl {
    pub(crate) sagas: Sagas,
    store: String,
    bus: String,
}

pub(crate) fn failed(error: Error) -> ControlError {
    match error {
        Error::Refused(refusal) => {
            let answer = ControlError::new(refusal.code, refusal.message);
            match refusal.hint {
                Some(hint) => answer.hint(hint),
                None => answer,
            }
        }
        Error::Input(misfits) => {
            let refused = ControlError::new(codes::INPUT_REFUSED, sentence(&misfits));
            ControlError { misfits, ..refused }.hint("a whole input that fits: sagactl definition list -o json")
        }
        why @ Error::Nobody => ControlError::new(codes::NOBODY_RUNS, why.to_string()),
        Error::Stopped => ControlError::new(codes::UNREACHABLE, "the orchestrator is stopping"),
        why @ Error::Unowned { .. } => ControlError::new(codes::UNOWNED, why.to_string())
            .hint("a takeover takes up to the lease time; try again, or see sagactl doctor"),
        why @ Error::Unheard { .. } => ControlError::new(codes::OUTCOME_UNHEARD, why.to_string())
            .hint("send the same again: the same key, or the same request id, is carried out once")
            .hint("or look whether it is there: sagactl saga history ID"),
        why @ Error::Unanswered { .. } => ControlError::new(codes::STORE_UNAVAILABLE, why.to_string())
            .hint("send the same again: the same key, or the same request id, is one order")
            .hint("the store of orchestration may be locked or full; see sagactl doctor"),
        why @ Error::Groups { .. } => ControlError::new(codes::STORE_GROUPS, why.to_string())
            .hint("set coordinator.groups to the number that the store has"),
        Error::Read(why @ ReadError::Corrupt { .. }) => ControlError::new(codes::STORE_CORRUPT, why.to_string())
            .hint("keep a copy of the data, then restore a backup"),
        why @ Error::Unreadable(_) => ControlError::new(codes::SAGA_UNREADABLE, why.to_string())
            .hint("its facts, as far as they can be read: sagactl saga history ID"),
        Error::Read(why) => ControlError::new(codes::STORE_UNAVAILABLE, why.to_string()),
        other => ControlError::new(codes::INTERNAL, other.to_string()),
    }
}

impl LocalControl {
    /// Over `sagas`; `store` and `bus` say where it keeps its things.
    pub fn new(sagas: Sagas, store: impl Into<String>, bus: impl Into<String>) -> Self {
        Self { sagas, store: store.into(), bus: bus.into() }
    }
    /// Finds a saga by full id, by a unique ending of six digits or more, or by `type/key`.
    async fn resolve(&self, text: &str) -> Result<SagaId, ControlError> {
        let missing = || ControlError::new(codes::SAGA_NOT_FOUND, format!("there is no saga {text:?}"));
        if let Ok(id) = text.parse::<SagaId>() {
            return Ok(id);
        }
        if let Some((kind, key)) = text.split_once('/') {
            // As keys are kept today, and as they were kept before they were composed and trimmed.
            for key in [limits::key(key).unwrap_or_default(), key.to_owned()] {
                let id = crate::sagas::keyed(kind, &key);
                if self.sagas.has_begun(id).await.map_err(failed)? {
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
        let (mut found, silent) = self.sagas.ending(&digits).await.map_err(failed)?;
        found.extend(ending_with(&self.sagas.inner.store, &digits).await.map_err(|why| failed(why.into()))?);
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
        let found = self.sagas.saga(id).await.map_err(failed)?;
        found.ok_or_else(|| ControlError::new(codes::SAGA_NOT_FOUND, format!("there is no saga {text:?}")))
    }
    async fn history(&self, text: &str, after: u64, limit: usize) -> Result<Page<HistoryRow>, ControlError> {
        let saga = self.resolve(text).await?;
        let internal = || ControlError::new(codes::INTERNAL, "the id does not make a stream name");
        let stream = stream_of(saga).ok_or_else(internal)?;
        let limit = if limit == 0 { PAGE_MAX } else { limit.min(PAGE_MAX) };
        let read = self.sagas.inner.store.read(&stream, Version(after), limit + 1).await;
        let mut page = read.map_err(|why| failed(why.into()))?;
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
        let (saga, kind) = of_saga(order.what)?;
        let ordered = Ordered { by, kind, if_rev: order.if_rev.map(Version) };
        let exec = self.execution(&saga).await?;
        exec.preview(ordered, self.sagas.inner.clock.now()).map_err(|refusal| failed(Error::Refused(refusal)))
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
    async fn status(&self) -> Result<Status, ControlError> {
        let (mut troubles, attention) = (self.sagas.health().troubles(), self.sagas.attention().await.map_err(failed)?);
        troubles.extend(self.sagas.stranded().await.map_err(failed)?);
        troubles.extend(self.sagas.not_ready().await.map_err(failed)?);
        Ok(Status {
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
        })
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

/// The saga that an order is for, and what is ordered of it.
fn of_saga(what: What) -> Result<(String, OrderKind), ControlError> {
    Ok(match what {
        What::Start { .. } => {
            return Err(ControlError::new(codes::USAGE, "only orders of a saga that there is can be foreseen"));
        }
        What::Signal { saga, gate, data, opening } => (saga, OrderKind::Signal { gate, data, opening }),
        What::Cancel { saga, abandon } => (saga, OrderKind::Cancel { abandon }),
        What::Compensate { saga } => (saga, OrderKind::Compensate),
        What::Pause { saga } => (saga, OrderKind::Pause),
        What::Resume { saga } => (saga, OrderKind::Resume),
        What::Retry { saga, step } => (saga, OrderKind::Retry { step }),
        What::Skip { saga, step, result } => (saga, OrderKind::Skip { step, result }),
        What::Note { saga, text } => (saga, OrderKind::Note(text)),
    })
}

#[async_trait]
impl Control for LocalControl {
    async fn look(&self, by: &Actor, what: Look) -> Result<View, ControlError> {
        Ok(match what {
            Look::Sagas(selector) => View::SagaList(self.list(selector).await?),
            Look::Saga { id, data } => View::Saga(Box::new(self.execution(&id).await?.show(data))),
            Look::History { id, after, limit } => View::History(self.history(&id, after, limit).await?),
            Look::Why { id } => {
                let found = self.resolve(&id).await?;
                let row = self.sagas.row(found).await.map_err(failed)?;
                let row =
                    row.ok_or_else(|| ControlError::new(codes::SAGA_NOT_FOUND, format!("there is no saga {id:?}")))?;
                let (causes, checked) = causes(&row, self.sagas.inner.clock.now());
                let evidence = self.evidence(&row).await;
                let causes = because(&row, &self.sagas.health().troubles(), &evidence, causes);
                View::Why(Box::new(Why { saga: row, causes, checked: checked + because::CAUSES }))
            }
            Look::Modules => View::ModuleList(self.modules().await?),
            Look::Definitions => View::DefinitionList(self.definitions()),
            Look::Verify => View::Verdicts(self.sagas.audit(false).await),
            Look::Preview(order) => View::Preview(Box::new(self.foresee(by, *order).await?)),
            Look::Status => View::Status(self.status().await?),
        })
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
                let begun = self.sagas.start_raw(&kind, version, Some(&key), input, Some(by)).await.map_err(failed)?;
                return Ok(Receipt { request, saga: begun.saga, repeated: begun.repeated });
            }
            other => of_saga(other)?,
        };
        let saga = self.resolve(&saga).await?;
        let accepted = self.sagas.order(saga, Ordered { by, kind, if_rev }).await.map_err(failed)?;
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
                moved = self.sagas.moved(exec.saga(), Some(exec.rev())) => moved.map_err(failed)?,
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
}
