//! Why an orchestrator does not do what it was asked: what nobody may do, what waits, and what is not known.

use crate::groups::OWNER_WITHIN;
use saga_core::codes;
use saga_core::execution::OrderRefused;
use saga_core::input::{Misfit, sentence};
use saga_core::outcome::Refused;
use saga_core::ports::{OpenError, ReadError};
use saga_core::soundness::PlanFault;

/// Why an orchestrator does not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A plan is unsound: nothing of it ever runs.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Plan(Vec<PlanFault>),
    /// A store cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A store cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The start or order was refused; nothing changed.
    #[error("{} {}", .0.code.id, .0.message)]
    Refused(OrderRefused),
    /// The input does not fit its definition: every place, with what would. Nothing was begun.
    #[error("{} {}", codes::INPUT_REFUSED.id, sentence(.0))]
    Input(Vec<Misfit>),
    /// A fact of the saga cannot be read here. It stands still; the others go on.
    #[error("{0}")]
    Unreadable(saga_core::journal::HistoryError),
    /// A value is not JSON.
    #[error("{0}")]
    Data(String),
    /// A module refused a command or could not serve it.
    #[error("{}: {}", .0.code, .0.reason)]
    Module(Refused),
    /// Nobody owns the saga's group, for longer than a takeover takes. Ask again later.
    #[error("no owner of coordinator group {group} could be asked for {} s: it changes hands, or its owner is not to be reached. Nothing was done", OWNER_WITHIN.as_secs())]
    Unowned {
        /// The group.
        group: u16,
    },
    /// The owner has not said in time that it is written, because its store does not take it now. What was not at its commit
    /// by then is not begun any more: send the same again.
    #[error("coordinator group {group} has not written it{why}; whether it did is not known")]
    Unanswered {
        /// The group.
        group: u16,
        /// Within which time, or what its store says.
        why: String,
    },
    /// It was handed to the owner in another process, and what became of it was not heard. It is done, or will not be begun
    /// any more: send the same again, or look.
    #[error("coordinator group {group} was asked, and no answer was heard: whether it was carried out is not known")]
    Unheard {
        /// The group.
        group: u16,
    },
    /// The store's sagas are spread over another number of groups.
    #[error("the sagas of this store are spread over {found} groups, this process is told to use {asked}")]
    Groups {
        /// What the store says.
        found: u16,
        /// What this process was told.
        asked: u16,
    },
    /// The sagas are only looked at: nobody coordinates them, so nothing can be ordered or awaited.
    #[error("nobody runs these sagas: they can be looked at, and nothing moves")]
    Nobody,
    /// The orchestrator is stopping, or was replaced by another one.
    #[error("the orchestrator has stopped")]
    Stopped,
}
