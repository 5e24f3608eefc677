//! Functions become steps: what a function takes says what it needs, what it returns says what it gives.

use crate::command::Command;
use crate::id::{SagaId, StepKey};
use crate::json::Payload;
use crate::module::BoxFuture;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::future::Future;

/// The saga's input.
#[derive(Debug, Clone)]
pub struct In<T>(pub T);
/// The output of the nearest earlier step that returns a `T`.
#[derive(Debug, Clone)]
pub struct Out<T>(pub T);
/// The same where a path may lack it: the first round of a `repeat`, a branch that was not taken.
#[derive(Debug, Clone)]
pub struct Maybe<T>(pub Option<T>);
/// The outputs of all branches of the nearest earlier fan-out, in the order of its list.
#[derive(Debug, Clone)]
pub struct Outs<T>(pub Vec<T>);
/// The item of the innermost `each` around this step.
#[derive(Debug, Clone)]
pub struct Item<T>(pub T);
/// The key of the deed that is being undone.
#[derive(Debug, Clone, Copy)]
pub struct Undoing(pub StepKey);

/// When the saga began.
#[derive(Debug, Clone, Copy)]
pub struct StartedAt(pub crate::time::Timestamp);

/// How a local step does not succeed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StepError {
    /// A business no: nothing happened.
    Refused {
        /// `UPPER_SNAKE`.
        code: String,
        /// For people.
        reason: String,
    },
    /// Weather: try again.
    Retry {
        /// What the weather is.
        reason: String,
    },
}

/// What a local step returns.
pub type Step<T> = Result<T, StepError>;

/// A refusal with the general code.
pub fn refuse(reason: impl Into<String>) -> StepError {
    StepError::Refused { code: "REFUSED".to_owned(), reason: reason.into() }
}
/// Weather.
pub fn retry(reason: impl Into<String>) -> StepError {
    StepError::Retry { reason: reason.into() }
}

/// What a function needs to be called, for the check before anything runs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Need {
    /// The saga's input, as this type.
    Input(&'static str),
    /// An output that must be there.
    Out(&'static str),
    /// An output that may be there.
    Maybe(&'static str),
    /// A list of outputs.
    Outs(&'static str),
    /// The item of a fan-out.
    Item(&'static str),
    /// The key of the deed being undone.
    Undoing,
}

/// Where a function's arguments come from.
pub trait Scope {
    /// The saga.
    fn saga(&self) -> SagaId;
    /// The deed's key (when undoing: of the deed that is undone).
    fn key(&self) -> StepKey;
    /// The input.
    fn input(&self) -> Option<Payload>;
    /// The nearest earlier output of this type.
    fn out(&self, type_name: &'static str) -> Option<Payload>;
    /// The outputs of the nearest earlier fan-out.
    fn outs(&self, type_name: &'static str) -> Vec<Payload>;
    /// The item of the innermost fan-out.
    fn item(&self) -> Option<Payload>;
    /// When the saga began.
    fn started_at(&self) -> crate::time::Timestamp;
}

/// Why a function could not be called: the definition was checked, so this is a changed type or a bug. The step parks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ArgError(pub String);

/// A value that a function may take.
pub trait Argument: Sized + Send + 'static {
    /// What it asks of the plan.
    fn need() -> Option<Need>;
    /// Takes it.
    fn take(scope: &dyn Scope) -> Result<Self, ArgError>;
}

fn read<T: DeserializeOwned>(what: &str, payload: Option<Payload>) -> Result<T, ArgError> {
    let name = short_name(std::any::type_name::<T>());
    let payload = payload.ok_or_else(|| ArgError(format!("{what} {name} is not there")))?;
    payload.read().map_err(|why| ArgError(format!("{what} {name} cannot be read: {why}")))
}

/// The type's name as people write it: the last part of each path in it.
pub fn short_name(full: &str) -> String {
    let mut out = String::new();
    let mut word = String::new();
    for c in full.chars() {
        if c.is_alphanumeric() || c == '_' {
            word.push(c);
        } else if c == ':' {
            word.clear();
        } else {
            out.push_str(&word);
            word.clear();
            out.push(c);
        }
    }
    out + &word
}

macro_rules! argument {
    ($name:ident, $need:expr, |$scope:ident| $take:expr) => {
        impl<T: DeserializeOwned + Send + 'static> Argument for $name<T> {
            fn need() -> Option<Need> {
                let make: fn(&'static str) -> Need = $need;
                Some(make(std::any::type_name::<T>()))
            }
            fn take($scope: &dyn Scope) -> Result<Self, ArgError> {
                $take.map($name)
            }
        }
    };
}
argument!(In, Need::Input, |scope| read("the input", scope.input()));
argument!(Out, Need::Out, |scope| read("output", scope.out(std::any::type_name::<T>())));
argument!(Item, Need::Item, |scope| read("the item", scope.item()));
argument!(Maybe, Need::Maybe, |scope| {
    scope.out(std::any::type_name::<T>()).map(|payload| read("output", Some(payload))).transpose()
});
argument!(Outs, Need::Outs, |scope| {
    scope
        .outs(std::any::type_name::<T>())
        .into_iter()
        .map(|payload| read("output", Some(payload)))
        .collect::<Result<Vec<T>, ArgError>>()
});
impl Argument for StepKey {
    fn need() -> Option<Need> {
        None
    }
    fn take(scope: &dyn Scope) -> Result<Self, ArgError> {
        Ok(scope.key())
    }
}
impl Argument for SagaId {
    fn need() -> Option<Need> {
        None
    }
    fn take(scope: &dyn Scope) -> Result<Self, ArgError> {
        Ok(scope.saga())
    }
}
impl Argument for StartedAt {
    fn need() -> Option<Need> {
        None
    }
    fn take(scope: &dyn Scope) -> Result<Self, ArgError> {
        Ok(StartedAt(scope.started_at()))
    }
}
impl Argument for Undoing {
    fn need() -> Option<Need> {
        Some(Need::Undoing)
    }
    fn take(scope: &dyn Scope) -> Result<Self, ArgError> {
        Ok(Undoing(scope.key()))
    }
}

/// An async function of up to six arguments that performs a step here.
pub trait Action<Args>: Send + Sync + 'static {
    /// What it gives.
    type Output: Serialize + Send + 'static;
    /// What it needs.
    fn needs() -> Vec<Need>;
    /// Takes its arguments and starts.
    fn call(&self, scope: &dyn Scope) -> Result<BoxFuture<Step<Self::Output>>, ArgError>;
}
/// A pure function of up to six arguments: a command to send, a condition, a list.
pub trait Function<Args>: Send + Sync + 'static {
    /// What it returns.
    type Output;
    /// What it needs.
    fn needs() -> Vec<Need>;
    /// Takes its arguments and computes.
    fn call(&self, scope: &dyn Scope) -> Result<Self::Output, ArgError>;
}

macro_rules! functions {
    ($(($($arg:ident),*))+) => {$(
        impl<F, Fut, T, $($arg: Argument),*> Action<($($arg,)*)> for F
        where
            F: Fn($($arg),*) -> Fut + Send + Sync + 'static,
            Fut: Future<Output = Step<T>> + Send + 'static,
            T: Serialize + Send + 'static,
        {
            type Output = T;
            fn needs() -> Vec<Need> {
                [$($arg::need()),*].into_iter().collect::<Vec<Option<Need>>>().into_iter().flatten().collect()
            }
            fn call(&self, _scope: &dyn Scope) -> Result<BoxFuture<Step<T>>, ArgError> {
                Ok(Box::pin(self($($arg::take(_scope)?),*)))
            }
        }
        impl<F, R, $($arg: Argument),*> Function<($($arg,)*)> for F
        where
            F: Fn($($arg),*) -> R + Send + Sync + 'static,
        {
            type Output = R;
            fn needs() -> Vec<Need> {
                [$($arg::need()),*].into_iter().collect::<Vec<Option<Need>>>().into_iter().flatten().collect()
            }
            fn call(&self, _scope: &dyn Scope) -> Result<R, ArgError> {
                Ok(self($($arg::take(_scope)?),*))
            }
        }
    )+};
}
functions! { () (A1) (A1, A2) (A1, A2, A3) (A1, A2, A3, A4) (A1, A2, A3, A4, A5) (A1, A2, A3, A4, A5, A6) }

/// A prepared command, ready to be recorded and sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prepared {
    /// The command's JSON.
    pub payload: Payload,
    /// The JSON of its undo, if it has one.
    pub undo: Option<Payload>,
}

/// A gate: a question that a person, a client or another part of the system answers with a `T`.
#[derive(Debug, Clone, Copy)]
pub struct Gate<T> {
    /// Its name: what signals say.
    pub name: &'static str,
    /// Whether the deadline passing is the answer.
    pub timer: bool,
    answer: std::marker::PhantomData<fn() -> T>,
}
impl<T: DeserializeOwned> Gate<T> {
    /// A gate that somebody decides.
    pub const fn named(name: &'static str) -> Self {
        Self { name, timer: false, answer: std::marker::PhantomData }
    }
    /// Whether a decision has the right shape.
    pub fn check(payload: &Payload) -> Result<(), String> {
        payload.read::<T>().map(drop).map_err(|why| why.to_string())
    }
}
impl Gate<()> {
    /// A wait that nobody can answer: it is over when its deadline passes.
    pub const fn timer() -> Self {
        Self { name: "timer", timer: true, answer: std::marker::PhantomData }
    }
}

/// Marks a local function in [`Work`].
pub enum Here<Args> {
    #[doc(hidden)]
    Never(std::convert::Infallible, std::marker::PhantomData<Args>),
}
/// Marks a command-making function in [`Work`].
pub enum There<Args> {
    #[doc(hidden)]
    Never(std::convert::Infallible, std::marker::PhantomData<Args>),
}

/// Either kind of function: an action performed here, or a command for a module. `K` tells them apart for the compiler.
pub trait Work<K>: Send + Sync + 'static {
    /// As part of a definition.
    fn into_work(self) -> crate::definition::Performer;
}
impl<F: Action<Args>, Args: 'static> Work<Here<Args>> for F {
    fn into_work(self) -> crate::definition::Performer {
        crate::definition::Performer::here(self, None)
    }
}
impl<F, Args: 'static, C: Command> Work<There<Args>> for F
where
    F: Function<Args, Output = C>,
{
    fn into_work(self) -> crate::definition::Performer {
        crate::definition::Performer::there::<F, Args, C>(self)
    }
}
