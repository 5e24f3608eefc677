//! Questions to the owner of a group and their answers, in this process or from another one, and its loop's other
//! inputs.

use saga_core::control::Selector;
use saga_core::fact::SagaStarted;
use saga_core::id::{SagaId, Version};
use saga_core::time::Timestamp;
use saga_core::view::{SagaRow, Trouble};
use saga_engine::execution::{Ordered, Signal};
use saga_engine::listing::{Asked, Part};
use saga_engine::machine::coordinator::{Coordinator, In, Told};
use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot};

/// What the owner of a group can be asked.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Question {
    /// Begin a saga. The caller gives up at `until`, by the owner's clock, and then it is not begun; older programs do
    /// not say it.
    Start {
        saga: SagaId,
        started: Box<SagaStarted>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Timestamp>,
    },
    /// Do something to a saga, with the same bound.
    Order {
        saga: SagaId,
        ordered: Box<Ordered>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Timestamp>,
    },
    /// An answer for a saga that reached the coordinator of another group.
    Heard { saga: SagaId, signal: Box<Signal> },
    /// Answer when a saga rests, or has more facts than this.
    Moved { saga: SagaId, after: Option<Version> },
    /// The open sagas that fit, all of them: asked by programs that do not know of pages yet.
    Rows(Selector),
    /// A page of the open sagas that fit.
    Part(Box<Asked>),
    /// The open sagas whose ids end with these digits.
    Ending(String),
    /// What does not work in the process that owns the group.
    Troubles,
}

impl Question {
    /// When the caller gives up, if it says so.
    pub(crate) fn until(&self) -> Option<Timestamp> {
        match self {
            Question::Start { until, .. } | Question::Order { until, .. } => *until,
            Question::Heard { .. }
            | Question::Moved { .. }
            | Question::Rows(_)
            | Question::Part(_)
            | Question::Ending(_)
            | Question::Troubles => None,
        }
    }
    /// The same, not to be begun after this.
    pub(crate) fn not_after(&self, end: Timestamp) -> Self {
        let mut question = self.clone();
        if let Question::Start { until, .. } | Question::Order { until, .. } = &mut question {
            *until = Some(end);
        }
        question
    }
    /// Whether something is done, so that one without an answer leaves open what became of it.
    pub(crate) fn changes(&self) -> bool {
        matches!(self, Question::Start { .. } | Question::Order { .. } | Question::Heard { .. })
    }
}

/// What the owner answers.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Answered {
    Told(Told),
    Moved,
    /// Nothing has moved yet: ask again.
    Still,
    Rows(Vec<SagaRow>),
    Part(Box<Part>),
    Ids(Vec<SagaId>),
    Troubles(Vec<Trouble>),
}

/// What reaches the loop.
pub(crate) enum Input {
    /// For the machine.
    Machine(In),
    /// A question of a caller that waits; when it gets no answer, the group is not owned here any more.
    Asked(Question, oneshot::Sender<Answered>),
    /// A look at what is in memory.
    Look(Box<dyn FnOnce(&Coordinator) + Send>),
}

/// Lets those go on that were woken together with the one who asks here, and takes what they ask too: one decision, one
/// commit and one waking for all of them.
pub(crate) async fn others(from: &mut mpsc::Receiver<Input>, taken: &mut Vec<Input>, most: usize) {
    tokio::task::yield_now().await;
    while taken.len() < most
        && let Ok(input) = from.try_recv()
    {
        taken.push(input);
    }
}
