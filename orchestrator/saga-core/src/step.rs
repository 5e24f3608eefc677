//! Functions become steps: what a function takes says what it needs, what it returns says what it gives.

use crate::command::Command;
use crate::id::{SagaId, StepKey};
use crate::json::Payload;
use crate::module::BoxFuture;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::any::{Any, TypeId};
use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

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

/// When the saga stops waiting for this call of a step that runs here: an `await` that goes on then is dropped.
///
/// The next try, or the undo, begins when the call has ended. What the call has begun elsewhere (a thread, a process, a
/// request that the other side has) is not stopped by that: take a [`Stop`] too, or a key that makes a repeated effect one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Until(pub crate::time::Timestamp);

/// Whether this call of a step that runs here should stop: for work that it has begun elsewhere, which checks it now
/// and then. It says so when the patience of the call has ended, when the next try or the undo wants to begin, and
/// always once the call has ended.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<AtomicBool>);
impl Stop {
    /// Whether it should stop.
    pub fn is_asked(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
    /// Asks it to. Nobody takes that back.
    pub fn ask(&self) {
        self.0.store(true, Ordering::Release);
    }
}

/// What was given to the functions that run here when they were registered: clients, pools, one of each type.
#[derive(Clone, Default)]
pub struct Given(BTreeMap<TypeId, (&'static str, Arc<dyn Any + Send + Sync>)>);
impl Given {
    /// Gives one more; another value of the same type takes its place.
    #[must_use]
    pub fn with<T: Any + Send + Sync>(mut self, value: T) -> Self {
        self.0.insert(TypeId::of::<T>(), (std::any::type_name::<T>(), Arc::new(value)));
        self
    }
    /// Whether something of a type with this name was given.
    pub fn has(&self, type_name: &str) -> bool {
        self.0.values().any(|(name, _)| *name == type_name)
    }
    fn get<T: Any + Send + Sync>(&self) -> Option<Arc<T>> {
        Arc::clone(&self.0.get(&TypeId::of::<T>())?.1).downcast().ok()
    }
}

/// What was given for functions that run here, as this type: a client, a pool. It is in no fact and no digest; it is
/// given where the saga is registered, and a start without it is refused.
#[derive(Debug)]
pub struct Using<T>(pub Arc<T>);

/// One call of a function that runs here.
#[derive(Clone, Copy)]
pub struct Call<'a> {
    /// Until when it may last.
    pub until: crate::time::Timestamp,
    /// Whether it should stop.
    pub stop: &'a Stop,
    /// What it may use.
    pub given: &'a Given,
}

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
    /// A bug: trying again would change nothing. The step waits for a person.
    Broken {
        /// What is broken.
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

/// Weather that does not pass by itself: a person mends what it names, and is told at once.
pub fn mend(reason: impl AsRef<str>) -> StepError {
    StepError::Retry { reason: crate::outcome::mend(reason.as_ref()) }
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
    /// Something of the call itself, which only a step that runs here has.
    Call,
    /// Something that was given at registration, as this type.
    Given(&'static str),
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
    /// The call that is made; `None` where nothing runs.
    fn call(&self) -> Option<Call<'_>>;
}

/// Why a function could not be called: the definition was checked, so this is a changed type or a bug. The step parks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ArgError(pub String);

/// A value that a function may take.
#[diagnostic::on_unimplemented(
    message = "a step cannot take `{Self}`",
    note = "take the input as `In<T>`, an earlier output as `Out<T>`, `Maybe<T>` or `Outs<T>`, the item of an `each` as `Item<T>`, the key of the deed as `StepKey` (in an undo: `Undoing`), and what was given with `using(..)` as `Using<T>`",
    note = "the `T` of `In`, `Out`, `Maybe`, `Outs` and `Item` is read from JSON: `#[derive(Deserialize)]`, and it is `Send`"
)]
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
        // `{{closure}}` and its like are parts of a path as well.
        if c.is_alphanumeric() || "_{}#".contains(c) {
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
fn of_call(scope: &dyn Scope) -> Result<Call<'_>, ArgError> {
    scope.call().ok_or_else(|| ArgError("nothing runs here".to_owned()))
}
impl Argument for Until {
    fn need() -> Option<Need> {
        Some(Need::Call)
    }
    fn take(scope: &dyn Scope) -> Result<Self, ArgError> {
        of_call(scope).map(|call| Until(call.until))
    }
}
impl Argument for Stop {
    fn need() -> Option<Need> {
        Some(Need::Call)
    }
    fn take(scope: &dyn Scope) -> Result<Self, ArgError> {
        of_call(scope).map(|call| call.stop.clone())
    }
}
impl<T: Any + Send + Sync> Argument for Using<T> {
    fn need() -> Option<Need> {
        Some(Need::Given(std::any::type_name::<T>()))
    }
    fn take(scope: &dyn Scope) -> Result<Self, ArgError> {
        let missing = || ArgError(format!("no {} was given", short_name(std::any::type_name::<T>())));
        of_call(scope)?.given.get().map(Using).ok_or_else(missing)
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
#[diagnostic::on_unimplemented(
    message = "this function cannot perform a step here",
    label = "not `async fn(..) -> Step<T>`",
    note = "1. each argument is one of `In<T>`, `Out<T>`, `Maybe<T>`, `Outs<T>`, `Item<T>`, `StepKey`, `Undoing`, `SagaId`, `StartedAt`, `Until`, `Stop`, `Using<T>`, and there are at most six",
    note = "2. the `T` of `Step<T>` is kept as JSON: `#[derive(Serialize)]`",
    note = "3. what lives across an `.await` is `Send`: no `Rc`, no borrowed `RefCell`, no guard of a `std::sync::Mutex`",
    note = "4. it is an `async fn`",
    note = "5. it returns `Step<T>`, so every `?` says what kind of failure it is: `.map_err(|why| retry(why.to_string()))?` for weather, `refuse(..)` for a no"
)]
pub trait Action<Args>: Send + Sync + 'static {
    /// What it gives.
    type Output: Serialize + Send + 'static;
    /// What it needs.
    fn needs() -> Vec<Need>;
    /// Takes its arguments and starts.
    fn call(&self, scope: &dyn Scope) -> Result<BoxFuture<Step<Self::Output>>, ArgError>;
}
/// A pure function of up to six arguments: a command to send, a condition, a list.
#[diagnostic::on_unimplemented(
    message = "this function cannot be used in a plan",
    note = "a request, a condition or a list is computed at once: no `async`, at most six arguments, each one of `In<T>`, `Out<T>`, `Maybe<T>`, `Outs<T>`, `Item<T>`, `StepKey`, `SagaId`, `StartedAt`"
)]
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
    /// A decision that fits, as JSON, for people.
    pub example: Option<&'static str>,
    answer: std::marker::PhantomData<fn() -> T>,
}
impl<T: DeserializeOwned> Gate<T> {
    /// A gate that an answer decides.
    pub const fn named(name: &'static str) -> Self {
        Self { name, timer: false, example: None, answer: std::marker::PhantomData }
    }
    /// A decision that fits, as JSON: people get it with the command that decides. Registration refuses one that does not.
    #[must_use]
    pub const fn example(mut self, json: &'static str) -> Self {
        self.example = Some(json);
        self
    }
    /// Whether a decision has the right shape.
    pub fn check(payload: &Payload) -> Result<(), String> {
        payload.read::<T>().map(drop).map_err(|why| crate::input::plain(&why.to_string()))
    }
}
impl Gate<()> {
    /// A wait that nobody can answer: it is over when its deadline passes.
    pub const fn timer() -> Self {
        Self { name: "timer", timer: true, example: None, answer: std::marker::PhantomData }
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
#[diagnostic::on_unimplemented(
    message = "this function is no work for a step",
    label = "neither `async fn(..) -> Step<T>` nor `fn(..) -> impl Command`",
    note = "1. each argument is one of `In<T>`, `Out<T>`, `Maybe<T>`, `Outs<T>`, `Item<T>`, `StepKey`, `SagaId`, `StartedAt` (and, performed here, `Until`, `Stop`, `Using<T>`), and there are at most six",
    note = "2. the `T` of `Step<T>` is kept as JSON: `#[derive(Serialize)]`",
    note = "3. what lives across an `.await` is `Send`: no `Rc`, no borrowed `RefCell`, no guard of a `std::sync::Mutex`",
    note = "4. performed here it is an `async fn`; a function that is not returns a command",
    note = "5. it returns `Step<T>`, so every `?` says what kind of failure it is: `.map_err(|why| retry(why.to_string()))?` for weather, `refuse(..)` for a no"
)]
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
