//! The checked, frozen form of a plan: data for people and digests, with the saga's functions beside it.

mod canonical;
mod walk;

pub use canonical::{Canonical, CanonicalStep, DIGEST_SHOWN, Definitions, Fit, shown};
pub use walk::{Body, How, Place, locate, walk};

use crate::command::{Command, Compensable};
use crate::fact::{By, SagaStarted};
use crate::id::{Direction, StepKey};
use crate::input::InputFn;
use crate::json::{self, Payload};
use crate::limits;
use crate::module::BoxFuture;
use crate::path::StepPath;
use crate::policy::StepPolicy;
use crate::soundness::{PlanFault, check};
use crate::step::{Action, ArgError, Function, Need, Prepared, Scope, StepError};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// What a local function comes to: its output as JSON.
pub type LocalFuture = BoxFuture<Result<Payload, StepError>>;
pub(crate) type LocalFn = Arc<dyn Fn(&dyn Scope) -> Result<LocalFuture, ArgError> + Send + Sync>;
pub(crate) type RequestFn = Arc<dyn Fn(&dyn Scope) -> Result<Prepared, ArgError> + Send + Sync>;
/// Chooses the items of a fan-out.
pub type ListFn = Arc<dyn Fn(&dyn Scope) -> Result<Vec<Payload>, ArgError> + Send + Sync>;
/// Chooses a branch.
pub type ConditionFn = Arc<dyn Fn(&dyn Scope) -> Result<bool, ArgError> + Send + Sync>;
pub(crate) type CheckFn = Arc<dyn Fn(&Payload) -> Result<(), String> + Send + Sync>;

/// Where a step stands to the point of no return.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Before the pivot, with an undo.
    Ordinary,
    /// Changes nothing.
    Read,
    /// A decision or a time.
    Wait,
    /// The point of no return.
    Pivot,
    /// After it: repeated until it succeeds.
    Then,
}

/// A command by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandName {
    /// The module that answers.
    pub module: String,
    /// Name without the module.
    pub name: String,
    /// Version of the request.
    pub version: u16,
}

impl CommandName {
    fn of<C: Command>() -> Self {
        Self { module: C::MODULE.to_owned(), name: C::NAME.to_owned(), version: C::VERSION }
    }
}

/// The performer of a step.
#[derive(Clone)]
pub enum Performer {
    /// Functions of the saga itself.
    Here {
        /// The deed.
        act: LocalFn,
        /// Its undo.
        undo: Option<LocalFn>,
        /// What the deed needs.
        needs: Vec<Need>,
        /// What the undo needs.
        undo_needs: Vec<Need>,
        /// Type of the output.
        gives: &'static str,
    },
    /// A module.
    There {
        /// The command.
        command: CommandName,
        /// The command that takes it back.
        undo: Option<CommandName>,
        /// Makes the command.
        request: RequestFn,
        /// What making it needs.
        needs: Vec<Need>,
        /// Type of the reply.
        gives: &'static str,
    },
    /// An answer decides, or a time comes.
    Gate {
        /// The gate's name.
        gate: &'static str,
        /// Whether the deadline passing is the answer.
        timer: bool,
        /// How long.
        deadline_ms: u64,
        /// Whether a decision has the right shape.
        check: CheckFn,
        /// A decision that fits, as JSON, for people; no part of the digest.
        example: Option<&'static str>,
        /// Type of the decision.
        gives: &'static str,
    },
}

impl Performer {
    pub(crate) fn here<F: Action<Args>, Args>(act: F, undo: Option<(LocalFn, Vec<Need>)>) -> Self {
        let (undo, undo_needs) = undo.map_or((None, Vec::new()), |(undo, needs)| (Some(undo), needs));
        Performer::Here {
            act: local(act),
            undo,
            needs: F::needs(),
            undo_needs,
            gives: std::any::type_name::<F::Output>(),
        }
    }
    pub(crate) fn there<F, Args, C>(request: F) -> Self
    where
        F: Function<Args, Output = C>,
        C: Command,
    {
        let make: RequestFn = Arc::new(move |scope| {
            let payload = payload_of(&request.call(scope)?)?;
            Ok(Prepared { payload, undo: None })
        });
        let gives = std::any::type_name::<C::Reply>();
        Performer::There { command: CommandName::of::<C>(), undo: None, request: make, needs: F::needs(), gives }
    }
    pub(crate) fn asked<F, Args, C>(request: F) -> Self
    where
        F: Function<Args, Output = C>,
        C: Compensable,
    {
        let make: RequestFn = Arc::new(move |scope| {
            let command = request.call(scope)?;
            let undo = payload_of(&command.undo(scope.key()))?;
            Ok(Prepared { payload: payload_of(&command)?, undo: Some(undo) })
        });
        Performer::There {
            command: CommandName::of::<C>(),
            undo: Some(CommandName::of::<C::Undo>()),
            request: make,
            needs: F::needs(),
            gives: std::any::type_name::<C::Reply>(),
        }
    }
    /// Type of what the step gives.
    pub fn gives(&self) -> &'static str {
        match self {
            Performer::Here { gives, .. } | Performer::There { gives, .. } | Performer::Gate { gives, .. } => gives,
        }
    }
    /// What the step needs.
    pub fn needs(&self) -> &[Need] {
        match self {
            Performer::Here { needs, .. } | Performer::There { needs, .. } => needs,
            Performer::Gate { .. } => &[],
        }
    }
    /// The module that is asked, if one is.
    pub fn module(&self) -> Option<&str> {
        match self {
            Performer::There { command, .. } => Some(&command.module),
            Performer::Here { .. } | Performer::Gate { .. } => None,
        }
    }
    /// Whether it can be taken back.
    pub fn has_undo(&self) -> bool {
        match self {
            Performer::Here { undo, .. } => undo.is_some(),
            Performer::There { undo, .. } => undo.is_some(),
            Performer::Gate { .. } => false,
        }
    }
}

pub(crate) fn local<F: Action<Args>, Args>(act: F) -> LocalFn {
    Arc::new(move |scope| {
        let work = act.call(scope)?;
        Ok(Box::pin(async move {
            let output = work.await?;
            // The same output would come again: no weather, but a bug, and a person looks at it.
            let broken = |why: String| StepError::Broken { reason: format!("the output cannot be kept: {why}") };
            let output = Payload::of(&output).map_err(|why| broken(format!("it is not JSON: {why}")))?;
            limits::body("it", &output).map_err(|why| broken(why.to_string()))?;
            json::inspect(output.as_str()).map_err(|why| broken(why.to_string()))?;
            Ok(output)
        }))
    })
}

pub(crate) fn payload_of<T: Serialize>(value: &T) -> Result<Payload, ArgError> {
    Payload::of(value).map_err(|why| ArgError(why.to_string()))
}

/// One step.
#[derive(Clone)]
pub struct StepDef {
    /// Its name; unique in its block.
    pub name: &'static str,
    /// Where it stands to the pivot.
    pub role: Role,
    /// How often, how long, and what silence means.
    pub policy: StepPolicy,
    /// Its performer.
    pub performer: Performer,
}

impl std::fmt::Debug for StepDef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.name)
    }
}

/// A part of a plan: a step or a block of steps. A plan is a series-parallel graph, so a cycle cannot be written.
#[derive(Clone)]
pub enum Node {
    /// One step.
    Step(Arc<StepDef>),
    /// Branches side by side: `(name, body)`.
    All {
        /// Its name.
        name: &'static str,
        /// The branches.
        branches: Vec<(&'static str, Vec<Node>)>,
    },
    /// The same body for each item of a list.
    Each {
        /// Its name.
        name: &'static str,
        /// Makes the list, once.
        list: ListFn,
        /// What making it needs.
        needs: Vec<Need>,
        /// How many at once.
        at_most: u32,
        /// How many branches may fail before the saga does.
        may_fail: u32,
        /// Type of an item.
        item: &'static str,
        /// The body.
        body: Vec<Node>,
    },
    /// A body that is taken or not.
    When {
        /// Its name.
        name: &'static str,
        /// Decides, once.
        condition: ConditionFn,
        /// What deciding needs.
        needs: Vec<Need>,
        /// The body.
        body: Vec<Node>,
    },
    /// A body in rounds, until a condition holds after a round; refused when it never does.
    Repeat {
        /// Its name.
        name: &'static str,
        /// Decides after each round.
        until: ConditionFn,
        /// What deciding needs.
        needs: Vec<Need>,
        /// How many rounds at most.
        at_most: u32,
        /// The body.
        body: Vec<Node>,
    },
}

impl Node {
    /// What it is, for people.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Node::Step(step) if step.role == Role::Wait => "a wait",
            Node::Step(_) => "a step",
            Node::All { .. } => "an `all`",
            Node::Each { .. } => "an `each`",
            Node::When { .. } => "a `when`",
            Node::Repeat { .. } => "a `repeat`",
        }
    }
    /// Its name.
    pub fn name(&self) -> &'static str {
        match self {
            Node::Step(step) => step.name,
            Node::All { name, .. } | Node::Each { name, .. } | Node::When { name, .. } | Node::Repeat { name, .. } => {
                name
            }
        }
    }
}

/// A frozen definition.
#[derive(Clone)]
pub struct Definition {
    /// Kebab-case.
    pub name: &'static str,
    /// From 1.
    pub version: u16,
    /// sha256 of the canonical form: meaning and tuning.
    pub digest: String,
    /// sha256 of what may not change under this version. Retries, patience and deadlines may.
    pub meaning: String,
    /// Digests of what this plan is declared to continue, beside its own.
    pub continues: Vec<&'static str>,
    /// Words of the plan that stand where they say nothing.
    pub misplaced: Vec<String>,
    /// The plan.
    pub nodes: Vec<Node>,
    /// After this long without the pivot, everything is undone.
    pub deadline_ms: u64,
    /// Type of the input.
    pub input: &'static str,
    /// What does not fit of an input.
    pub check_input: InputFn,
    /// An input that fits, for people.
    pub example: Option<Payload>,
}

impl std::fmt::Debug for Definition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}@{} {}", self.name, self.version, shown(&self.digest))
    }
}

impl Definition {
    /// The first fact of a saga that begins with this definition.
    pub fn begin(&self, key: String, input: Payload, by: Option<By>) -> SagaStarted {
        SagaStarted {
            definition: self.name.to_owned(),
            version: self.version,
            digest: self.digest.clone(),
            meaning: Some(self.meaning.clone()),
            deadline_ms: Some(self.deadline_ms),
            key,
            input,
            by,
        }
    }
    /// Everything that is wrong with it; a definition with faults is never registered.
    pub fn check(&self) -> Result<(), Vec<PlanFault>> {
        let faults = check(self);
        if faults.is_empty() { Ok(()) } else { Err(faults) }
    }
    /// Every step, in plan order, with the path of names (without rounds and items).
    pub fn steps(&self) -> Vec<(StepPath, Arc<StepDef>)> {
        let mut out = Vec::new();
        walk(&self.nodes, &|_, _| How::AsWritten, &mut |path, _, node| {
            if let Node::Step(step) = node {
                out.push((path.clone(), Arc::clone(step)));
            }
        });
        out
    }
    /// Whether some step waits at this gate.
    pub fn has_gate(&self, name: &str) -> bool {
        self.steps().iter().any(|(path, step)| {
            matches!(&step.performer, Performer::Gate { gate, timer: false, .. } if *gate == name || path == name)
        })
    }
}

/// The keys of a step's deed and of its undo. A further round (after an operator's retry of a refusal) has other keys.
pub fn deed_keys(saga: uuid::Uuid, path: &str, round: u32, undo_round: u32) -> (StepKey, StepKey) {
    let of = |direction| deed_key(saga, path, direction, round, undo_round);
    (of(Direction::Do), of(Direction::Undo))
}

/// One of them.
pub fn deed_key(saga: uuid::Uuid, path: &str, direction: Direction, round: u32, undo_round: u32) -> StepKey {
    let name = match direction {
        Direction::Undo if undo_round > 0 => round * 1_000 + undo_round,
        Direction::Do | Direction::Undo => round,
    };
    if name == 0 {
        StepKey::derive(saga, path, direction)
    } else {
        StepKey::derive(saga, &format!("{path}~{name}"), direction)
    }
}
