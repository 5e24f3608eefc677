//! The state fixtures: a saga in every state, a step in every state, and a scripted `Control` over them, for tests of every face.

use async_trait::async_trait;
use definitions::{causes, definitions, history, modules, status, verdicts};
pub use definitions::{every_step, rows, shows};
use saga_core::codes;
use saga_core::control::{
    AwaitSaga, Change, Changes, Control, ControlError, Look, Order, Page, Receipt, Selector, View, Watch, WatchSaga,
    WatchSagas, What, ask,
};
use saga_core::envelope::Actor;
use saga_core::id::{RequestId, SagaId};
use saga_core::json::Payload;
use saga_core::telemetry::{Amount, Metric, Sample, Spread};
use saga_core::time::Timestamp;
use saga_core::view::{AsOf, Foreseen, SagaRow, SagaShow, SagaState, Why};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

mod definitions;

/// The moment at which the fixtures are read: 2026-11-21T19:06:11Z.
pub const NOW: Timestamp = Timestamp(1_795_287_971_000_000);

/// A text as an outside system may send it: escape sequences, a right-to-left override, a tab and a line break.
pub const HOSTILE: &str = "quota \u{1b}[31mexceeded\u{7}\u{202e}\t\r\nretry \u{9b}2J";

/// A `Control` over the fixtures. It keeps what it was asked and ordered; an id that is a code fails with that code.
#[derive(Debug, Default)]
pub struct Zoo {
    /// Whether [`ask::Verify`] finds something.
    pub findings: bool,
    asked: Mutex<Vec<Look>>,
    ordered: Mutex<Vec<(Actor, Order)>>,
}

impl Zoo {
    /// A fixtures whose logs break a promise.
    pub fn with_findings() -> Self {
        Self { findings: true, ..Self::default() }
    }
    /// The looks that were taken.
    pub fn asked(&self) -> Vec<Look> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
    /// The orders that were given, each with its actor.
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
        What::Of { saga, .. } => saga,
    }
}

#[async_trait]
impl Control for Zoo {
    async fn look(&self, _: &Actor, what: Look) -> Result<View, ControlError> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).push(what.clone());
        Ok(match what {
            Look::Sagas(selector) => View::SagaList(list(&selector)),
            Look::Saga(ask::Saga { id, data, at }) => {
                let mut show = find(&id)?;
                if at.is_some() {
                    show.as_of = Some(AsOf { at: show.row.started_at, facts: show.rev + 4 });
                    show.possible.clear();
                }
                show.input = data.then(|| Payload::trusted("{\"client\": \"acme\", \"n\":9007199254740993}"));
                if let Some(step) = show.steps.first_mut().filter(|_| data) {
                    step.output = Some(Payload::trusted("{\"brief\":\"71c0d2aa\"}"));
                }
                View::Saga(Box::new(show))
            }
            Look::History(ask::History { id, after, limit }) => {
                find(&id)?;
                View::History(Page::whole(history().into_iter().filter(|fact| fact.rev > after).take(limit).collect()))
            }
            Look::Why(ask::WhyStuck { id }) => {
                let saga = find(&id)?.row;
                View::Why(Box::new(Why { causes: causes(saga.state), saga, checked: 14 }))
            }
            Look::Modules(_) => View::ModuleList(Page::whole(modules())),
            Look::Definitions(_) => View::DefinitionList(Page::whole(definitions())),
            Look::Preview(ask::Preview(order)) => {
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
            Look::Verify(_) => View::Verdicts(verdicts(self.findings)),
            Look::Status(_) => View::Status(status()),
            Look::Metrics(_) => View::MetricList(Page::whole(vec![
                Sample::number(Metric::Started, &["client-to-delivery", "2"], 7),
                Sample::new(Metric::TimerLateness, &[""; 0], Amount::Spread(Spread::default())),
            ])),
        })
    }
    async fn act(&self, by: &Actor, order: Order) -> Result<Receipt, ControlError> {
        let id = match &order.what {
            What::Start { kind, key, .. } => match key {
                Some(key) => format!("{kind}/{key}"),
                None => kind.clone(),
            },
            What::Of { saga, .. } => saga.clone(),
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
    async fn watch(&self, _: &Actor, what: Watch) -> Result<Box<dyn Changes>, ControlError> {
        let (of, after, one) = match what {
            Watch::Saga(WatchSaga { id, after }) => {
                (Selector { all: true, ..Selector::default() }, after, Some(find(&id)?.row.id))
            }
            Watch::Sagas(WatchSagas { of, after }) => (of, after, None),
        };
        let every = shows();
        let place = match after {
            Some(text) => text.parse().ok().filter(|place| *place <= every.len()).ok_or_else(|| {
                ControlError::new(codes::CURSOR, format!("{text:?} is no cursor of changes")).hint("begin anew")
            })?,
            None => every.len(),
        };
        Ok(Box::new(Told { every, of, one, place, cursor: place.to_string() }))
    }
}

/// The sagas of the fixtures as changes, one after another in their order; then nothing more.
struct Told {
    every: Vec<SagaShow>,
    of: Selector,
    one: Option<SagaId>,
    place: usize,
    cursor: String,
}

#[async_trait]
impl Changes for Told {
    fn cursor(&self) -> &str {
        &self.cursor
    }
    async fn next(&mut self) -> Result<Vec<Change>, ControlError> {
        let Some(show) = self.every.get(self.place) else { return std::future::pending().await };
        self.place += 1;
        self.cursor = self.place.to_string();
        let wanted = self.one.is_none_or(|one| one == show.row.id) && self.of.fits_row(&show.row, NOW);
        let whole = self.one.map(|_| Box::new(show.clone()));
        let change = Change {
            cursor: self.cursor.clone(),
            rev: show.rev,
            at: show.row.started_at,
            fact: "StepSucceeded".to_owned(),
            listed: true,
            row: show.row.clone(),
            whole,
        };
        Ok(wanted.then_some(change).into_iter().collect())
    }
}
