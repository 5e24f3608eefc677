//! Commands and queries: a port is a request type with its reply, its refusals and its undo.

use crate::envelope::Actor;
use crate::id::StepKey;
use crate::port::{Answer, Port, Shape, Undo};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::marker::PhantomData;

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
    /// The command as data. What [`port!`](crate::port!) declares also knows its undo and its forms.
    fn port() -> Port {
        let unknown = Shape::default();
        port_of::<Self>(unknown, unknown, unknown, None)
    }
}

/// A command that knows how it is undone. The undo is written into the log before the deed is asked for.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be undone, so it cannot be an ordinary step",
    note = "make it the saga's `.pivot(..)`, or say its undo in the `port!` beside the command, in the module that owns it"
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
    /// The query as data. What [`port!`](crate::port!) declares also knows its forms.
    fn port() -> Port {
        port_asked::<Self>(Shape::default(), Shape::default())
    }
}

/// Says which module answers a request, and how, and who takes a deed back: the request is named like its type, unless
/// `as` says otherwise, in version 1. A request of another version implements [`Command`](crate::command::Command) or
/// [`Query`](crate::command::Query) by hand, with [`port`](crate::command::Command::port).
///
/// ```
/// # use saga_core::{command::Common, id::StepKey, port};
/// # use serde::{Deserialize, Serialize};
/// const MODULE: &str = "printing";
///
/// #[derive(Clone, Serialize, Deserialize)]
/// struct CancelProof {
///     proof: StepKey,
/// }
/// port!(MODULE: CancelProof -> (), Common); // a command: its reply, its refusals
///
/// #[derive(Clone, Serialize, Deserialize)]
/// struct PrintProof {
///     copies: u32,
/// }
/// // The undo is made of the command and the key of the deed: it is known before the deed.
/// port!(MODULE: PrintProof -> u64, Common, undo CancelProof: |_, deed| CancelProof { proof: deed });
///
/// #[derive(Clone, Serialize, Deserialize)]
/// struct ListProofs {}
/// port!(MODULE: ListProofs as "Proofs" ? Vec<u64>); // a query: its answer
/// ```
#[macro_export]
macro_rules! port {
    (@name $request:ident) => { stringify!($request) };
    (@name $request:ident $name:literal) => { $name };
    ($module:ident: $command:ident $(as $name:literal)? -> $reply:ty, $refusal:ty
        $(, undo $undo:ty: |$done:pat_param, $deed:pat_param| $back:expr)?) => {
        impl $crate::command::Command for $command {
            const MODULE: &'static str = $module;
            const NAME: &'static str = $crate::port!(@name $command $($name)?);
            type Reply = $reply;
            type Refusal = $refusal;
            fn port() -> $crate::port::Port {
                use $crate::command::{Probe, Unable};
                let [request, reply, refusal] = [
                    Probe::<$command>::probe().asked(),
                    Probe::<$reply>::probe().answered(),
                    Probe::<$refusal>::probe().answered(),
                ];
                $crate::command::port_of::<$command>(request, reply, refusal, Probe::<$command>::probe().undo())
            }
        }
        $(impl $crate::command::Compensable for $command {
            type Undo = $undo;
            fn undo(&self, deed: $crate::id::StepKey) -> $undo {
                let ($done, $deed) = (self, deed);
                $back
            }
        })?
    };
    ($module:ident: $query:ident $(as $name:literal)? ? $answer:ty) => {
        impl $crate::command::Query for $query {
            const MODULE: &'static str = $module;
            const NAME: &'static str = $crate::port!(@name $query $($name)?);
            type Answer = $answer;
            fn port() -> $crate::port::Port {
                use $crate::command::{Probe, Unable};
                let request = Probe::<$query>::probe().asked();
                $crate::command::port_asked::<$query>(request, Probe::<$answer>::probe().answered())
            }
        }
    };
}

#[doc(hidden)]
pub fn port_of<C: Command>(request: Shape, reply: Shape, refusal: Shape, undo: Option<Undo>) -> Port {
    let answer = Answer::Deed { reply, refusal, undo };
    Port { module: C::MODULE, name: C::NAME, version: C::VERSION, request, answer }
}
#[doc(hidden)]
pub fn port_asked<Q: Query>(request: Shape, answer: Shape) -> Port {
    let answer = Answer::Finding(answer);
    Port { module: Q::MODULE, name: Q::NAME, version: Q::VERSION, request, answer }
}

/// Asks a type what it can. The compiler prefers a type's own method to a trait's, so that a type which can answers by its
/// own, and every other one by [`Unable`]. It tells them apart where the type is named: in a macro, never in a function
/// that has it as a parameter.
#[doc(hidden)]
#[derive(Debug)]
pub struct Probe<T>(PhantomData<T>);

/// What a [`Probe`] says of a type that cannot.
#[doc(hidden)]
pub trait Unable: Sized {
    fn probe() -> Self;
    fn undo(&self) -> Option<Undo> {
        None
    }
    fn asked(&self) -> Shape {
        Shape::default()
    }
    fn answered(&self) -> Shape {
        Shape::default()
    }
}
impl<T> Unable for Probe<T> {
    fn probe() -> Self {
        Probe(PhantomData)
    }
}
impl<C: Compensable> Probe<C> {
    pub fn undo(&self) -> Option<Undo> {
        Some((C::Undo::MODULE, C::Undo::NAME, C::Undo::VERSION))
    }
}
#[cfg(feature = "schemas")]
impl<T: schemars::JsonSchema> Probe<T> {
    pub fn asked(&self) -> Shape {
        Shape::asked::<T>()
    }
    pub fn answered(&self) -> Shape {
        Shape::answered::<T>()
    }
}

/// A typed business "no". It promises that nothing happened.
///
/// Serialised as an object; its fields travel in the answer beside code and reason.
pub trait Refusal: Serialize + DeserializeOwned + std::fmt::Display + std::fmt::Debug + Send + Sync + 'static {
    /// `UPPER_SNAKE`, stable for ever: sagas branch on it.
    fn code(&self) -> &'static str;
}

/// Declares the business "no" of families of commands. Each refusal has its words (`#[error(..)]`) and the code that it keeps for
/// ever; those that every command may give come with it. The calling crate names `serde` and `thiserror`. A derive of its own
/// (`schemars::JsonSchema`) stands before the enum.
///
/// ```
/// saga_core::refusals! {
///     /// Why no room was reserved.
///     pub enum ReserveRefused {
///         /// As for every command.
///         Common,
///         /// Somebody was faster.
///         #[error("room {room} is taken")]
///         Taken { room: u32 } = "TAKEN",
///     }
/// }
/// use saga_core::command::Refusal;
/// let refused = ReserveRefused::Taken { room: 7 };
/// assert_eq!((refused.code(), refused.to_string().as_str()), ("TAKEN", "room 7 is taken"));
/// ```
#[macro_export]
macro_rules! refusals {
    ($(
        $(#[$meta:meta])*
        $vis:vis enum $name:ident {
            $(#[$common:meta])*
            Common,
            $( $(#[$of:meta])* $variant:ident $({ $($fields:tt)* })? = $code:literal ),+ $(,)?
        }
    )+) => {$(
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq, ::serde::Serialize, ::serde::Deserialize, ::thiserror::Error)]
        #[serde(tag = "code")]
        #[non_exhaustive]
        $vis enum $name {
            $( $(#[$of])* #[serde(rename = $code)] $variant $({ $($fields)* })?, )+
            $(#[$common])*
            #[error(transparent)]
            #[serde(untagged)]
            Common(#[from] $crate::command::Common),
        }
        impl $crate::command::Refusal for $name {
            fn code(&self) -> &'static str {
                match self {
                    $( Self::$variant { .. } => $code, )+
                    Self::Common(common) => common.code(),
                }
            }
        }
    )+};
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

impl Common {
    /// There is no `what` with this id.
    pub fn not_found(what: &str, id: impl std::fmt::Display) -> Self {
        Common::NotFound { what: format!("{what} {id}") }
    }
    /// There is a `what` with this id already.
    pub fn already_exists(what: &str, id: impl std::fmt::Display) -> Self {
        Common::AlreadyExists { what: format!("{what} {id}") }
    }
    /// Not in this state, by the word that people see.
    pub fn wrong_state(state: &str) -> Self {
        Common::WrongState { state: state.to_owned() }
    }
    /// A field, by its path, and what was expected.
    pub fn invalid(field: impl Into<String>, why: impl Into<String>) -> Self {
        Common::InvalidField { field: field.into(), why: why.into() }
    }
    /// Not this actor, and which rule says so.
    pub fn not_permitted(actor: &Actor, why: impl Into<String>) -> Self {
        Common::NotPermitted { actor: actor.id.clone(), why: why.into() }
    }
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
