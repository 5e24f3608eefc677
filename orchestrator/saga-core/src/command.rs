//! Commands and queries: a port is a request type with its reply, its refusals and its undo.

use crate::id::StepKey;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// A request to one module, answered by exactly one reply or one refusal.
pub trait Command: Serialize + DeserializeOwned + Clone + Send + Sync + 'static {
    /// The module that answers.
    const MODULE: &'static str;
    /// Imperative, without the module's name.
    const NAME: &'static str;
    /// From 1.
    const VERSION: u16 = 1;
    /// The success answer.
    type Reply: Serialize + DeserializeOwned + Send + Sync + 'static;
    /// The business "no".
    type Refusal: Refusal;
}

/// A command that knows how it is undone. The undo is written into the log before the deed is asked for.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be undone, so it cannot be an ordinary step",
    note = "make it the saga's `.pivot(..)`, or implement `Compensable` beside the command, in the module that owns it"
)]
pub trait Compensable: Command {
    /// The command that takes it back.
    type Undo: Command<Reply = ()>;
    /// Must be right even if the answer never comes: built from the command and the deed's key, never from the reply.
    fn undo(&self, deed: StepKey) -> Self::Undo;
}

/// A question to one module; answered from a projection, changes nothing.
pub trait Query: Serialize + DeserializeOwned + Clone + Send + Sync + 'static {
    /// The module that answers.
    const MODULE: &'static str;
    /// A noun or a question, without the module's name.
    const NAME: &'static str;
    /// From 1.
    const VERSION: u16 = 1;
    /// The answer.
    type Answer: Serialize + DeserializeOwned + Send + Sync + 'static;
}

/// Says which module answers a request, and how: the request is named like its type, in version 1.
/// What has another name or version implements [`Command`](crate::command::Command) or
/// [`Query`](crate::command::Query) by hand.
///
/// ```
/// # use saga_core::{command::Common, port};
/// # use serde::{Deserialize, Serialize};
/// const MODULE: &str = "printing";
///
/// #[derive(Clone, Serialize, Deserialize)]
/// struct PrintProof {
///     copies: u32,
/// }
/// port!(MODULE: PrintProof -> u64, Common); // a command: its reply, its refusals
///
/// #[derive(Clone, Serialize, Deserialize)]
/// struct Proofs {}
/// port!(MODULE: Proofs ? Vec<u64>); // a query: its answer
/// ```
#[macro_export]
macro_rules! port {
    ($module:ident: $command:ident -> $reply:ty, $refusal:ty) => {
        impl $crate::command::Command for $command {
            const MODULE: &'static str = $module;
            const NAME: &'static str = stringify!($command);
            type Reply = $reply;
            type Refusal = $refusal;
        }
    };
    ($module:ident: $query:ident ? $answer:ty) => {
        impl $crate::command::Query for $query {
            const MODULE: &'static str = $module;
            const NAME: &'static str = stringify!($query);
            type Answer = $answer;
        }
    };
}

/// A typed business "no". It promises that nothing happened.
///
/// Serialised as an object; its fields travel in the answer beside code and reason.
pub trait Refusal: Serialize + DeserializeOwned + std::fmt::Display + std::fmt::Debug + Send + Sync + 'static {
    /// `UPPER_SNAKE`, stable for ever: sagas branch on it.
    fn code(&self) -> &'static str;
}

/// The refusals that every command may give.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(tag = "code", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Common {
    /// There is no such thing.
    #[error("{what} does not exist")]
    NotFound {
        /// Kind and id.
        what: String,
    },
    /// There is one already.
    #[error("{what} exists already")]
    AlreadyExists {
        /// Kind and id.
        what: String,
    },
    /// The thing is in a state in which this is not possible.
    #[error("not possible in state {state}")]
    WrongState {
        /// The state it is in.
        state: String,
    },
    /// A field has a value that cannot be.
    #[error("{field}: {why}")]
    InvalidField {
        /// The field's path.
        field: String,
        /// What was expected.
        why: String,
    },
    /// The thing moved on since the sender looked.
    #[error("version is {actual}")]
    VersionConflict {
        /// The version now.
        actual: u64,
    },
    /// The actor may not do this.
    #[error("{actor} may not do this: {why}")]
    NotPermitted {
        /// Who asked.
        actor: String,
        /// Which rule says no.
        why: String,
    },
    /// Too late by the command's own deadline.
    #[error("the deadline has passed")]
    DeadlinePassed,
    /// The deed was taken back before it arrived.
    #[error("this was undone before it arrived")]
    Tombstoned,
}

impl Refusal for Common {
    fn code(&self) -> &'static str {
        match self {
            Common::NotFound { .. } => "NOT_FOUND",
            Common::AlreadyExists { .. } => "ALREADY_EXISTS",
            Common::WrongState { .. } => "WRONG_STATE",
            Common::InvalidField { .. } => "INVALID_FIELD",
            Common::VersionConflict { .. } => "VERSION_CONFLICT",
            Common::NotPermitted { .. } => "NOT_PERMITTED",
            Common::DeadlinePassed => "DEADLINE_PASSED",
            Common::Tombstoned => "TOMBSTONED",
        }
    }
}
