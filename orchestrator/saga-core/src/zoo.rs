//! The state zoo: a saga in every state, a step in every state, and a scripted `Control` over them, for tests of every face.

use crate::codes;
use crate::control::{AwaitSaga, Control, ControlError, Look, Order, Page, Receipt, Selector, View, What};
use crate::envelope::Actor;
use crate::id::RequestId;
use crate::json::Payload;
use crate::time::Timestamp;
use crate::view::{Foreseen, SagaRow, SagaShow, SagaState, Why};
use animals::{causes, definitions, history, modules, status, verdicts};
pub use animals::{every_step, rows, shows};
use async_trait::async_trait;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

mod animals;

/// The moment at which the zoo is looked at: 2026-11-21T19:06:11Z.
pub const NOW: Timestamp = Timestamp(1_795_287_971_000_000);

/// A text as an outside system may send it: escape sequences, a right-to-left override, a tab and a line break.
pub const HOSTILE: &str = "quota \u{1b}[31mexceeded\u{7}\u{202e}\t\r\nretry \u{9b}2J";

/// A `Control` over the zoo. It keeps what it was asked and ordered; an id that is a code fails with that code.
#[derive(Debug, Default)]
pub struct Zoo {
    /// Whether `Look::Verify` finds something.
    pub findings: bool,
    asked: Mutex<Vec<Look>>,
    ordered: Mutex<Vec<(Actor, Order)>>,
}

impl Zoo {
    /// A zoo whose logs break a promise.
    pub fn with_findings() -> Self {
        Self { findings: true, ..Self::default() }
    }
    /// What was looked at.
    pub fn asked(&self) -> Vec<Look> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
    /// What was ordered, and by whom.
    pub fn ordered(&self) -> Vec<(Actor, Order)> {
        self.ordered.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The saga that an id in any form means.
fn find(id: &str) -> Result<SagaShow, ControlError> {
    if let Some(code) = codes::find(id) {
        return Err(ControlError::new(code, format!("scripted: {}", code.title)).hint("one").hint("two"));
    }
    let fits = |show: &SagaShow| {
        let row = &show.row;
        let simple = row.id.0.simple().to_string();
        let ending = id.len() >= 6 && simple.ends_with(&id.replace('-', ""));
        ending || format!("{}/{}", row.kind, row.key) == id
    };
    shows().into_iter().find(fits).ok_or_else(|| {
        ControlError::new(codes::SAGA_NOT_FOUND, format!("no saga is called {id:?}"))
            .hint("the list           sagactl saga list --all")
    })
}

fn list(selector: &Selector) -> Page<SagaRow> {
    let fits = |row: &SagaRow| {
        let state = match selector.states.as_slice() {
            [] => selector.all || !row.state.is_end(),
            states => states.contains(&row.state),
        };
        let kind = selector.kind.as_ref().is_none_or(|kind| *kind == row.kind);
        state && kind && (!selector.attention || row.needs_attention(NOW))
    };
    let all: Vec<SagaRow> = rows().into_iter().filter(fits).collect();
    let from: usize = selector.cursor.as_ref().and_then(|cursor| cursor.parse().ok()).unwrap_or(0);
    let limit = if selector.limit == 0 { all.len() } else { selector.limit };
    let total = all.len();
    let troubled = all.iter().filter(|row| row.state.needs_person()).count();
    let items: Vec<SagaRow> = all.into_iter().skip(from).take(limit).collect();
    let end = from + items.len();
    Page {
        items,
        limit,
        troubled: u64::try_from(troubled).ok(),
        next: (end < total).then(|| end.to_string()),
        total: u64::try_from(total).ok(),
        truncated: end < total,
        notes: Vec::new(),
    }
}

/// The saga that an order names; the type, for a start.
fn saga_named(what: &What) -> &str {
    match what {
        What::Start { kind, .. } => kind,
        What::Signal { saga, .. }
        | What::Cancel { saga, .. }
        | What::Compensate { saga }
        | What::Pause { saga }
        | What::Resume { saga }
        | What::Retry { saga, .. }
        | What::Skip { saga, .. }
        | What::Note { saga, .. } => saga,
    }
}

#[async_trait]
impl Control for Zoo {
    async fn look(&self, _: &Actor, what: Look) -> Result<View, ControlError> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).push(what.clone());
        Ok(match what {
            Look::Sagas(selector) => View::SagaList(list(&selector)),
            Look::Saga { id, data } => {
                let mut show = find(&id)?;
                show.input = data.then(|| Payload::trusted("{\"client\": \"acme\", \"n\":9007199254740993}"));
                if let Some(step) = show.steps.first_mut().filter(|_| data) {
                    step.output = Some(Payload::trusted("{\"brief\":\"71c0d2aa\"}"));
                }
                View::Saga(Box::new(show))
            }
            Look::History { id, after, limit } => {
                find(&id)?;
                View::History(Page::whole(history().into_iter().filter(|fact| fact.rev > after).take(limit).collect()))
            }
            Look::Why { id } => {
                let saga = find(&id)?.row;
                View::Why(Box::new(Why { causes: causes(saga.state), saga, checked: 14 }))
            }
            Look::Modules => View::ModuleList(Page::whole(modules())),
            Look::Definitions => View::DefinitionList(Page::whole(definitions())),
            Look::Preview(order) => {
                let row = find(saga_named(&order.what))?.row;
                View::Preview(Box::new(Foreseen {
                    saga: row.id,
                    rev: 7,
                    state: row.state,
                    facts: vec!["CompensationStarted".to_owned()],
                    sends: Vec::new(),
                    undo: vec!["delivery.AbortPackage (create-package)".to_owned()],
                    stays: vec!["load-brief".to_owned()],
                }))
            }
            Look::Verify => View::Verdicts(verdicts(self.findings)),
            Look::Status => View::Status(status()),
        })
    }
    async fn act(&self, by: &Actor, order: Order) -> Result<Receipt, ControlError> {
        let id = match &order.what {
            What::Start { kind, key, .. } => match key {
                Some(key) => format!("{kind}/{key}"),
                None => kind.clone(),
            },
            other @ (What::Signal { .. }
            | What::Cancel { .. }
            | What::Compensate { .. }
            | What::Pause { .. }
            | What::Resume { .. }
            | What::Retry { .. }
            | What::Skip { .. }
            | What::Note { .. }) => saga_named(other).to_owned(),
        };
        let saga = find(&id)?.row.id;
        let request: RequestId = order.request;
        let mut ordered = self.ordered.lock().unwrap_or_else(PoisonError::into_inner);
        let repeated = ordered.iter().any(|(_, known)| known.request == request);
        ordered.push((by.clone(), order));
        Ok(Receipt { request, saga, repeated })
    }
    async fn outcome(&self, _: &Actor, of: AwaitSaga, _: Duration) -> Result<Option<SagaShow>, ControlError> {
        let show = find(&of.id)?;
        let state = show.row.state;
        let rests = state.is_end() || state.needs_person() || state == SagaState::Waiting;
        Ok(of.after.map_or(rests, |after| state.is_end() || show.rev > after).then_some(show))
    }
}
