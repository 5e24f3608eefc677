//! The builder of plans: a word for each kind of step and block. `Plan<Open>` becomes `Plan<Committed>` at the pivot,
//! so there is at most one and nothing ordinary after it.

use crate::command::Compensable;
use crate::definition::{Definition, Node, Performer, Role, StepDef, local, payload_of};
use crate::input::{self, Misfit};
use crate::json::Payload;
use crate::policy::{AtMost, Deadline, OnUnknown, Retry, StepPolicy};
use crate::step::{Action, Function, Gate, Work};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::marker::PhantomData;
use std::sync::Arc;

/// A kind of saga: its input type, its name, its version, its plan.
pub trait Saga: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// Kebab-case.
    const NAME: &'static str;
    /// From 1. Another plan is another version; an instance keeps the one it began with.
    const VERSION: u16;
    /// Writes the plan.
    fn plan(plan: Plan) -> Definition;
    /// An input that fits, for people who start it by hand.
    fn example() -> Option<Self> {
        None
    }
    /// Checks the input of a saga that is to begin: returns everything that does not fit, beyond what reading it as
    /// this type refuses. What the first steps would refuse belongs here, so that no caller is told "accepted" first.
    /// Called once, when a saga is to begin; never with the input of one that has begun.
    fn check(&self) -> Vec<Misfit> {
        Vec::new()
    }
}

/// A plan before its pivot.
pub enum Open {}
/// A plan after its pivot: it only goes forward.
pub enum Committed {}

/// A plan being written.
pub struct Plan<P = Open> {
    head: Definition,
    nodes: Vec<Node>,
    phase: PhantomData<P>,
}

/// A year: a saga that takes longer has lost its reason.
const SAGA_DEADLINE: Deadline = Deadline::days(366);

/// The definition of a saga, unchecked.
pub fn define<S: Saga>() -> Definition {
    define_version::<S>(S::VERSION, S::plan)
}

/// The definition of another version of a saga with the same input type, unchecked: the plan as it was, while instances of it
/// are open.
pub fn define_version<S: Saga>(version: u16, plan: impl FnOnce(Plan) -> Definition) -> Definition {
    let check_input = Arc::new(|payload: &Payload| match payload.read::<S>() {
        Ok(input) => input.check(),
        Err(_) => input::unreadable::<S>(payload).into_iter().collect(),
    });
    let head = Definition {
        name: S::NAME,
        version,
        digest: String::new(),
        meaning: String::new(),
        continues: Vec::new(),
        misplaced: Vec::new(),
        nodes: Vec::new(),
        deadline_ms: SAGA_DEADLINE.ms(),
        input: std::any::type_name::<S>(),
        check_input,
        example: S::example().and_then(|example| Payload::of(&example).ok()),
    };
    plan(Plan { head, nodes: Vec::new(), phase: PhantomData })
}

impl<P> Plan<P> {
    fn with(mut self, node: Node) -> Self {
        self.nodes.push(node);
        self
    }
    fn step_of(self, name: &'static str, role: Role, performer: Performer) -> Self {
        let policy = if role == Role::Then { StepPolicy::forward() } else { StepPolicy::ordinary() };
        self.with(Node::Step(Arc::new(StepDef { name, role, policy, performer })))
    }
    fn inside(&self) -> Plan<P> {
        let head = Definition { misplaced: Vec::new(), ..self.head.clone() };
        Plan { head, nodes: Vec::new(), phase: PhantomData }
    }
    /// The nodes of a block's body, with the words that were misplaced there.
    fn take(&mut self, body: Plan<P>) -> Vec<Node> {
        self.head.misplaced.extend(body.head.misplaced);
        let whole = [
            ("deadline", body.head.deadline_ms != self.head.deadline_ms),
            ("continues", body.head.continues != self.head.continues),
        ];
        for (word, _) in whole.into_iter().filter(|(_, inside)| *inside) {
            let says = format!("`.{word}` stands inside of a block; it is about the whole plan, and belongs outside");
            self.head.misplaced.push(says);
        }
        body.nodes
    }
    fn last_policy(mut self, word: &str, change: impl FnOnce(&mut StepPolicy)) -> Self {
        match self.nodes.last_mut() {
            Some(Node::Step(step)) if step.role != Role::Wait => change(&mut Arc::make_mut(step).policy),
            other => {
                let behind = other.map_or("before any step".to_owned(), |node| {
                    format!("behind {:?}, which is {}", node.name(), node.kind())
                });
                let says = format!("`.{word}` stands {behind}; write it behind the step that it is about");
                self.head.misplaced.push(says);
            }
        }
        self
    }
    /// Changes nothing and needs no undo; may run more than once.
    #[must_use]
    pub fn read<K>(self, name: &'static str, work: impl Work<K>) -> Self {
        self.step_of(name, Role::Read, work.into_work())
    }
    /// An answer decides, or the deadline does: a passed deadline is a refusal, for a timer it is the answer.
    #[must_use]
    pub fn wait<T: DeserializeOwned + 'static>(self, name: &'static str, gate: Gate<T>, deadline: Deadline) -> Self {
        let performer = Performer::Gate {
            gate: gate.name,
            timer: gate.timer,
            deadline_ms: deadline.ms(),
            check: Arc::new(Gate::<T>::check),
            example: gate.example,
            gives: std::any::type_name::<T>(),
        };
        self.step_of(name, Role::Wait, performer)
    }
    /// Branches side by side, each with a name.
    #[must_use]
    pub fn all(mut self, name: &'static str, write: impl FnOnce(Branches<P>) -> Branches<P>) -> Self {
        let Branches { plan, branches } = write(Branches { plan: self.inside(), branches: Vec::new() });
        self.take(plan);
        self.with(Node::All { name, branches })
    }
    /// The same body for each item of a list that is made and recorded once; at most `at_most` side by side.
    #[must_use]
    pub fn each<F, Args, T>(
        mut self,
        name: &'static str,
        list: F,
        at_most: AtMost,
        body: impl FnOnce(Plan<P>) -> Plan<P>,
    ) -> Self
    where
        F: Function<Args, Output = Vec<T>>,
        T: Serialize + 'static,
    {
        let body = body(self.inside());
        let body = self.take(body);
        let needs = F::needs();
        let list = Arc::new(move |scope: &dyn crate::step::Scope| list.call(scope)?.iter().map(payload_of).collect());
        let item = std::any::type_name::<T>();
        self.with(Node::Each { name, list, needs, at_most: at_most.0, may_fail: 0, item, body })
    }
    /// How many branches of the `each` just written may fail; a failed branch is undone by itself.
    #[must_use]
    pub fn may_fail(mut self, branches: u32) -> Self {
        match self.nodes.last_mut() {
            Some(Node::Each { may_fail, .. }) => *may_fail = branches,
            _ => self
                .head
                .misplaced
                .push("`.may_fail` stands behind no `each`; write it behind the one it is about".to_owned()),
        }
        self
    }
    /// A body that is taken or not; the answer is recorded and never asked again.
    #[must_use]
    pub fn when<F, Args>(mut self, name: &'static str, condition: F, body: impl FnOnce(Plan<P>) -> Plan<P>) -> Self
    where
        F: Function<Args, Output = bool>,
    {
        let body = body(self.inside());
        let body = self.take(body);
        let needs = F::needs();
        let condition = Arc::new(move |scope: &dyn crate::step::Scope| condition.call(scope));
        self.with(Node::When { name, condition, needs, body })
    }
    /// A body in rounds until the condition holds after one; `AtMost` rounds without that is a refusal.
    #[must_use]
    pub fn repeat<F, Args>(
        mut self,
        name: &'static str,
        at_most: AtMost,
        until: F,
        body: impl FnOnce(Plan<P>) -> Plan<P>,
    ) -> Self
    where
        F: Function<Args, Output = bool>,
    {
        let body = body(self.inside());
        let body = self.take(body);
        let needs = F::needs();
        let until = Arc::new(move |scope: &dyn crate::step::Scope| until.call(scope));
        self.with(Node::Repeat { name, until, needs, at_most: at_most.0, body })
    }
    /// How the step just written is retried.
    #[must_use]
    pub fn retry(self, retry: Retry) -> Self {
        self.last_policy("retry", |policy| policy.retry = retry)
    }
    /// How the undo of the step just written is retried.
    #[must_use]
    pub fn undo_retry(self, retry: Retry) -> Self {
        self.last_policy("undo_retry", |policy| policy.undo_retry = retry)
    }
    /// How long one try of the step just written may take.
    #[must_use]
    pub fn patience(self, patience: Deadline) -> Self {
        self.last_policy("patience", |policy| policy.patience_ms = patience.ms())
    }
    /// What silence to the end means for the step just written.
    #[must_use]
    pub fn on_unknown(self, on_unknown: OnUnknown) -> Self {
        self.last_policy("on_unknown", |policy| policy.on_unknown = on_unknown)
    }
    /// How long the module of the last step may answer with weather before a person is told; nothing ends by it.
    pub fn deadline_of_step(self, deadline: Deadline) -> Self {
        self.last_policy("deadline_of_step", |policy| policy.deadline_ms = deadline.ms())
    }
    /// After this long without the pivot, everything is undone (default: a year).
    #[must_use]
    pub fn deadline(mut self, deadline: Deadline) -> Self {
        self.head.deadline_ms = deadline.ms();
        self
    }
    /// Declares that this plan means the same as one that was recorded with this digest, of which eight digits are enough: a
    /// type was renamed, or the tuning was changed while older programs ran that recorded one digest over everything. Open
    /// sagas that began under it go on with this plan; nothing checks that they can.
    #[must_use]
    pub fn continues(mut self, digest: &'static str) -> Self {
        self.head.continues.push(digest);
        self
    }
    /// The plan is written.
    pub fn end(self) -> Definition {
        Definition { nodes: self.nodes, ..self.head }.seal()
    }
}

impl Plan<Open> {
    /// Done here by async functions; can be undone.
    ///
    /// A call that outlives its patience is stopped at its next `await`, and the next try or the undo begins when it has
    /// ended. What a local step is *not* protected from: a call that blocks its thread cannot be stopped (it is told by
    /// `doctor`, and its undo waits); what it has begun elsewhere, in a thread, a process or a request that the other side
    /// has, goes on unless it looks at its [`Stop`](crate::step::Stop); no barrier remembers its answer, so after a crash,
    /// or when another process takes over, it is called again, perhaps beside a call that still blocks in the old one.
    /// Let the effect carry the [`StepKey`](crate::id::StepKey), which is the same for every try, or ask a module.
    #[must_use]
    pub fn step<A, U, Args, UndoArgs>(self, name: &'static str, act: A, undo: U) -> Self
    where
        A: Action<Args>,
        U: Action<UndoArgs>,
    {
        let undo = (local(undo), U::needs());
        self.step_of(name, Role::Ordinary, Performer::here(act, Some(undo)))
    }
    /// Done by a module: a pure function returns the command, and the command knows how it is undone.
    #[must_use]
    pub fn ask<F, Args, C>(self, name: &'static str, request: F) -> Self
    where
        F: Function<Args, Output = C>,
        C: Compensable,
    {
        self.step_of(name, Role::Ordinary, Performer::asked(request))
    }
    /// The point of no return: before it everything is taken back, after it everything is carried through.
    #[must_use]
    pub fn pivot<K>(self, name: &'static str, work: impl Work<K>) -> Plan<Committed> {
        let plan = self.step_of(name, Role::Pivot, work.into_work());
        Plan { head: plan.head, nodes: plan.nodes, phase: PhantomData }
    }
}

impl Plan<Committed> {
    /// After the pivot: repeated until it succeeds.
    #[must_use]
    pub fn then<K>(self, name: &'static str, work: impl Work<K>) -> Self {
        self.step_of(name, Role::Then, work.into_work())
    }
}

/// The branches of an `all`.
pub struct Branches<P> {
    plan: Plan<P>,
    branches: Vec<(&'static str, Vec<Node>)>,
}
impl<P> Branches<P> {
    /// One branch.
    #[must_use]
    pub fn branch(mut self, name: &'static str, body: impl FnOnce(Plan<P>) -> Plan<P>) -> Self {
        let body = body(self.plan.inside());
        let body = self.plan.take(body);
        self.branches.push((name, body));
        self
    }
}
