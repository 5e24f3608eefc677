//! The inputs of a coordinator, its outputs, and its answers to callers that wait.

use crate::execution::{Accepted, Act, OrderRefused, Signal};
use crate::journal::Once;
use saga_core::fact::{SagaFact, SagaStarted};
use saga_core::id::{Direction, SagaId, Version};
use saga_core::time::{Jump, Timestamp};
use serde::{Deserialize, Serialize};

/// Why a saga stands still, and how it began if that is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    /// Why.
    pub why: String,
    /// How it began.
    pub started: Option<Box<(SagaStarted, Timestamp)>>,
}

/// Names a caller that waits for an answer.
pub type Ticket = u64;

/// What can happen to a coordinator.
#[derive(Debug)]
pub enum In {
    /// Something happened to a saga; its first signal is its start.
    Signal {
        /// Which: its id follows from its key, or is fresh.
        saga: SagaId,
        /// What.
        signal: Signal,
        /// The caller that waits.
        ticket: Option<Ticket>,
    },
    /// A caller has stopped waiting for its answer: a signal that is not decided by now is not begun.
    GivenUp {
        /// Of which saga.
        saga: SagaId,
        /// Who.
        ticket: Ticket,
    },
    /// An open saga was found in the log at the start.
    Recover {
        /// Which.
        saga: SagaId,
    },
    /// The history that was asked for.
    Loaded {
        /// Whose.
        saga: SagaId,
        /// All of it.
        history: Vec<(SagaFact, Timestamp)>,
    },
    /// The history cannot be read now: ask again later.
    LoadFailed {
        /// Whose.
        saga: SagaId,
        /// An event cannot be decoded: nobody can help but a person or a newer program.
        for_good: Option<Unreadable>,
    },
    /// The commit is durable.
    Committed {
        /// Whose.
        saga: SagaId,
    },
    /// The commit did not happen, or nobody knows: read anew and decide again.
    NotCommitted {
        /// Whose.
        saga: SagaId,
    },
    /// The bus has taken a command: the patience of this try begins.
    Taken {
        /// Whose.
        saga: SagaId,
        /// The step's path.
        step: String,
        /// Do or undo.
        direction: Direction,
        /// Which try.
        attempt: u32,
    },
    /// The bus has not taken a command. It is handed over again; that is no try of the step.
    NotTaken {
        /// Whose.
        saga: SagaId,
        /// The step's path.
        step: String,
        /// Do or undo.
        direction: Direction,
        /// Which try.
        attempt: u32,
        /// What the bus said.
        why: String,
    },
    /// What [`Out::AskQueue`] asked: so many commands of the module were not handed out to anybody yet. `None`: the bus
    /// cannot tell now.
    Queued {
        /// The module.
        module: String,
        /// How many.
        commands: Option<u64>,
        /// How many replies lie on the bus that this group has not heard yet: any of them may be the one that is missing.
        unheard: u64,
    },
    /// Replies cannot be heard now: the patience of what was sent stands still.
    Deaf,
    /// They can be heard again: patience begins anew.
    Heard,
    /// The clock was set: times measured by passed time go on as if it had not been. Deadlines stay where they are.
    Jumped {
        /// By how much.
        by: Jump,
    },
    /// The commit did not happen: its order's request id is known, for the order with this digest.
    Known {
        /// Whose.
        saga: SagaId,
        /// Of the order that is known.
        digest: [u8; 32],
    },
    /// The commit can never be stored: not this one, and not the same again.
    Rejected {
        /// Whose.
        saga: SagaId,
        /// The step whose fact it is, as far as it is known ([`crate::journal::suspect()`]).
        step: Option<(String, Direction)>,
        /// Why.
        why: String,
    },
    /// Messages may have been lost: every owed command is sent again. The barrier makes that harmless.
    Remind,
    /// Time has passed.
    Tick,
}

/// What a coordinator wants done.
#[derive(Debug)]
pub enum Out {
    /// Read a saga's stream.
    Load {
        /// Whose.
        saga: SagaId,
        /// Not before this: it did not work a moment ago.
        after_failure: bool,
    },
    /// Append facts to a saga's stream.
    Commit {
        /// Whose.
        saga: SagaId,
        /// The version it must have.
        expected: Version,
        /// What.
        facts: Vec<SagaFact>,
        /// The order among them, if there is one: to be remembered with them under its request id.
        once: Option<Once>,
        /// When it was decided: the time of the facts, so that the fold of the log is the state that decided.
        at: Timestamp,
    },
    /// Do something; its fact is durable.
    Perform {
        /// For which saga.
        saga: SagaId,
        /// What.
        act: Act,
    },
    /// Ask the bus how many commands of a module nobody has been handed yet, and say [`In::Queued`]: a try is not silent
    /// while it still stands there.
    AskQueue {
        /// The module.
        module: String,
    },
    /// Answer a caller that waits.
    Tell {
        /// Who.
        ticket: Ticket,
        /// What.
        what: Told,
    },
    /// A saga has durably moved.
    Moved {
        /// Which.
        saga: SagaId,
        /// How many facts it has.
        rev: Version,
        /// Whether it ended, or needs a person.
        rests: bool,
    },
    /// An answer for a saga of another group: bring it there. Nothing of it is kept here.
    HandOn {
        /// Whose.
        saga: SagaId,
        /// Its group.
        group: u16,
        /// What.
        signal: Signal,
        /// The caller that waits until that group has it.
        ticket: Option<Ticket>,
    },
    /// Strange messages that are not kept, because they are already or because too many are: count them.
    Counted {
        /// Whose.
        saga: SagaId,
        /// How many.
        many: u64,
    },
    /// A message for a saga that does not exist: keep it.
    Stray {
        /// Which saga it named.
        saga: SagaId,
        /// What, in one line.
        what: String,
        /// The caller that waits until it is kept.
        ticket: Option<Ticket>,
    },
}

/// Where a saga durably stands, as far as the coordinator knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It is not in memory: it has ended, or never began.
    Away,
    /// It is being read or written: [`Out::Moved`] follows.
    Moving,
    /// It stands.
    At {
        /// How many facts it has.
        rev: Version,
        /// Whether it ended, or needs a person.
        rests: bool,
    },
}

/// What a waiting caller is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Told {
    /// The saga exists; whether it did before.
    Started {
        /// The same key, request or input had started it before.
        repeated: bool,
    },
    /// The answer is durable, or changes nothing: its message may be acknowledged.
    Taken,
    /// The order is recorded.
    Accepted(Accepted),
    /// No.
    Refused(OrderRefused),
}
