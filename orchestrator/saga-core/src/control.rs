//! Control: everything a person may look at or order. One interface for the command line, the admin API and later faces.

use crate::envelope::Actor;
use crate::id::{RequestId, SagaId};
use crate::input::Misfit;
use crate::json::Payload;
use crate::time::Timestamp;
use crate::view::{Foreseen, HistoryRow, ModuleRow, SagaRow, SagaShow, SagaState, Trouble, Verdicts, Why};
use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

/// 1,000 rows a page.
pub const PAGE_MAX: usize = 1_000;

/// 20 s: whoever is asked for an order answers within this time, if only that what became of it is not known (SG0220). Whoever
/// asks waits longer than that, or never hears it.
pub const ORDER_ANSWERED_WITHIN: Duration = Duration::from_secs(20);

/// One interface for every face; closed enums, so that a new verb is a new variant and the compiler lists who must learn it.
#[async_trait]
pub trait Control: Send + Sync {
    /// Reads. Changes nothing.
    async fn look(&self, by: &Actor, what: Look) -> Result<View, ControlError>;
    /// Orders. Idempotent by request id; answers "accepted" with a receipt, never with a promise of success.
    async fn act(&self, by: &Actor, order: Order) -> Result<Receipt, ControlError>;
    /// Waits until a saga ends, needs a person, waits for a signal, or has more than `after` facts; `None` when `patience` ran out.
    async fn outcome(&self, by: &Actor, of: AwaitSaga, patience: Duration) -> Result<Option<SagaShow>, ControlError>;
}

/// What can be looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "look", rename_all = "kebab-case")]
pub enum Look {
    /// A page of sagas.
    Sagas(Selector),
    /// One saga. `id` is a full id, a unique ending of at least six digits, or `type/key`.
    Saga {
        /// Which.
        id: String,
        /// Also input and outputs.
        data: bool,
    },
    /// The facts of one saga.
    History {
        /// Which.
        id: String,
        /// Only facts after this one.
        after: u64,
        /// At most this many.
        limit: usize,
    },
    /// Why one saga waits.
    Why {
        /// Which.
        id: String,
    },
    /// The modules.
    Modules,
    /// The registered definitions.
    Definitions,
    /// The logs, checked against every promise.
    Verify,
    /// What an order would do, without ordering it. A start cannot be foreseen.
    Preview(Box<Order>),
    /// Who is there.
    Status,
}

/// Which sagas. Everything given must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Selector {
    /// Any of these states; empty: the open ones (or all, with `all`).
    pub states: Vec<SagaState>,
    /// This definition.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// This key; `*` stands for anything.
    pub key: Option<String>,
    /// Only those that need a person.
    pub attention: bool,
    /// Ended ones too.
    pub all: bool,
    /// Started at or after.
    pub since: Option<Timestamp>,
    /// At most this many; 0: as many as there are, up to [`PAGE_MAX`] a page.
    pub limit: usize,
    /// Continue after a page: its [`Page::next`], with everything else as it was but the limit.
    pub cursor: Option<String>,
}

/// What was seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind")]
pub enum View {
    /// A page of sagas.
    SagaList(Page<SagaRow>),
    /// One saga.
    Saga(Box<SagaShow>),
    /// Facts.
    History(Page<HistoryRow>),
    /// Causes.
    Why(Box<Why>),
    /// Modules.
    ModuleList(Page<ModuleRow>),
    /// Definitions.
    DefinitionList(Page<DefinitionRow>),
    /// Checked promises.
    Verdicts(Verdicts),
    /// What an order would do.
    Preview(Box<Foreseen>),
    /// Who is there.
    Status(Status),
}

/// A page of something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page<T> {
    /// The rows.
    pub items: Vec<T>,
    /// At most this many rows were asked for; 0: a page as large as pages are.
    #[serde(default)]
    pub limit: usize,
    /// Where the next page begins, if there is one. A page that is short, even empty, may have a next one.
    pub next: Option<String>,
    /// How many there are in all, when that is known.
    pub total: Option<u64>,
    /// How many of all need a person, when that is known.
    #[serde(default)]
    pub troubled: Option<u64>,
    /// Whether rows were left out.
    pub truncated: bool,
    /// What a person should know of it: who did not answer, and what may be missing because of that.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

impl<T> Page<T> {
    /// Everything there is, on one page.
    pub fn whole(items: Vec<T>) -> Self {
        let total = u64::try_from(items.len()).ok();
        Self { items, limit: 0, next: None, total, troubled: None, truncated: false, notes: Vec::new() }
    }
}

/// One registered definition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DefinitionRow {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: u16,
    /// Its digest: of meaning and tuning.
    pub digest: String,
    /// The digest of its meaning, which an open saga keeps.
    #[serde(default)]
    pub meaning: String,
    /// How many steps it has.
    pub steps: usize,
    /// An input that fits, if the definition names one.
    pub example: Option<Payload>,
}

/// Something that works as it should, and waits for a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attention {
    /// How many there are.
    pub count: u64,
    /// What: the rest of a sentence that begins with the number.
    pub says: String,
    /// What a person does first.
    pub next: String,
    /// Nothing but a person ends it, and it is not how things go: a check has findings because of it. A gate that waits
    /// for its decision is not.
    pub urgent: bool,
}

/// Who answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// The program's version.
    pub version: String,
    /// Where the stores are.
    pub store: String,
    /// What the bus is.
    pub bus: String,
    /// Module names.
    pub modules: Vec<String>,
    /// `name@version` of the definitions.
    pub sagas: Vec<String>,
    /// Whether everything is fit to serve.
    pub ready: bool,
    /// The process id.
    pub pid: u32,
    /// The coordinator groups that this process owns.
    #[serde(default)]
    pub groups: Vec<u16>,
    /// What waits for a person, the worst first. It says nothing about the process, which may be ready all the same.
    #[serde(default)]
    pub attention: Vec<Attention>,
    /// What does not work at the moment; there is something whenever it is not ready.
    #[serde(default)]
    pub troubles: Vec<Trouble>,
    /// What went wrong since the start and was repaired, by kind.
    #[serde(default)]
    pub incidents: BTreeMap<String, u64>,
    /// Modules whose stores other processes have: at its start this one compared only its own with each other.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_compared: Vec<String>,
}

/// An order, with who is accountable for it beside it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// The same request id twice is one effect.
    pub request: RequestId,
    /// Why; some orders need it.
    pub reason: Option<String>,
    /// Only if the saga has exactly so many facts (its `rev`): what was seen is what is ordered. Checked in the decision
    /// of the order itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub if_rev: Option<u64>,
    /// What.
    #[serde(flatten)]
    pub what: What,
}

/// What can be ordered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "order", rename_all = "kebab-case")]
pub enum What {
    /// Start a saga: the same key and input give the same saga, another input is refused.
    Start {
        /// Name of the definition.
        #[serde(rename = "type")]
        kind: String,
        /// Version of it; the newest when not given.
        version: Option<u16>,
        /// The business key; a fresh one when not given.
        key: Option<String>,
        /// The input.
        input: Payload,
    },
    /// Answer a gate.
    Signal {
        /// Which saga.
        saga: String,
        /// Which gate.
        gate: String,
        /// The decision.
        data: Payload,
        /// The opening that it is for, by its name ([`Waiting::opening`](crate::waiting::Waiting::opening)); without it,
        /// the first one.
        #[serde(rename = "for", default, skip_serializing_if = "Option::is_none")]
        opening: Option<String>,
    },
    /// Undo what was done and end as cancelled; `abandon` undoes nothing.
    Cancel {
        /// Which saga.
        saga: String,
        /// Leave everything as it is.
        abandon: bool,
    },
    /// Undo what was done and end as compensated.
    Compensate {
        /// Which saga.
        saga: String,
    },
    /// Let nothing new begin.
    Pause {
        /// Which saga.
        saga: String,
    },
    /// Go on.
    Resume {
        /// Which saga.
        saga: String,
    },
    /// Try a parked or waiting step again now.
    Retry {
        /// Which saga.
        saga: String,
        /// Which step; the parked ones when not given.
        step: Option<String>,
    },
    /// Go on without a step, or accept an undo as done by hand.
    Skip {
        /// Which saga.
        saga: String,
        /// Which step.
        step: String,
        /// The output to go on with, which may be `null`; without it the step's undo is skipped.
        #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "crate::json::present")]
        result: Option<Payload>,
    },
    /// Write something into the history.
    Note {
        /// Which saga.
        saga: String,
        /// What.
        text: String,
    },
}

/// An order was accepted (which is not that it succeeded).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// The request.
    pub request: RequestId,
    /// The saga it concerns.
    pub saga: SagaId,
    /// Whether this request (or, for a start, this key) was known before: nothing new happened.
    pub repeated: bool,
}

/// What to wait for with [`Control::outcome`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AwaitSaga {
    /// Which saga, in any form of an id.
    pub id: String,
    /// Return when it has more facts than this; `None`: when it ended or needs a person.
    pub after: Option<u64>,
}

/// An error for people and programs: what, where, why, and the next step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{code} {message}")]
pub struct ControlError {
    /// `SG` and four digits; each has a page.
    pub code: String,
    /// One sentence.
    pub message: String,
    /// What to do next, as commands or words.
    pub hint: Vec<String>,
    /// Whether trying again is sensible.
    pub retryable: bool,
    /// Every place of an input that does not fit, for programs; the message says the same.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub misfits: Vec<Misfit>,
}

impl ControlError {
    /// An error with a code of [`crate::codes`].
    pub fn new(code: crate::codes::Code, message: impl Into<String>) -> Self {
        Self {
            code: code.id.to_owned(),
            message: message.into(),
            hint: Vec::new(),
            retryable: code.retryable,
            misfits: Vec::new(),
        }
    }
    /// Adds what to do next.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint.push(hint.into());
        self
    }
}
