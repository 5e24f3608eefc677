//! What the functions of a step can see from where it stands in the plan: earlier outputs, the input, its item.

use super::Execution;
use saga_core::definition::Place;
use saga_core::id::{SagaId, StepKey};
use saga_core::json::Payload;
use saga_core::path::StepPath;
use saga_core::step::{Call, Scope};
use saga_core::time::Timestamp;

/// Where the functions of a step find their arguments.
pub(super) struct View<'a> {
    pub(super) exec: &'a Execution,
    pub(super) key: StepKey,
    pub(super) order: &'a [Place],
    pub(super) path: &'a StepPath,
    /// The call, if the step runs in this process.
    pub(super) call: Option<Call<'a>>,
}

impl View<'_> {
    /// Whether a path lies in a branch that failed, seen from outside of it.
    fn is_lost(&self, path: &StepPath) -> bool {
        let mut failed = self.exec.failed_branches.keys();
        failed.any(|branch| branch.contains(path) && !branch.contains(self.path))
    }
    /// Earlier outputs of a type, with the place after which their order differs from ours.
    fn earlier(&self, type_name: &str) -> Vec<(&[Place], usize, &Payload)> {
        let mut found = Vec::new();
        for (path, run) in &self.exec.runs {
            if self.is_lost(path) {
                continue;
            }
            let gives = run.def.as_ref().is_some_and(|def| def.performer.gives() == type_name);
            // The output of an undone step is none any more.
            let Some(output) = run.output.as_ref().filter(|_| gives && run.backward.is_none()) else { continue };
            let Some(at) = run.order.iter().zip(self.order).position(|(theirs, ours)| theirs != ours) else { continue };
            let sequential = matches!(run.order[at], Place::Seq(_) | Place::Round(_));
            if sequential && run.order[at] < self.order[at] {
                found.push((run.order.as_slice(), at, output));
            }
        }
        found.sort_by_key(|(order, ..)| *order);
        found
    }
}

impl Scope for View<'_> {
    fn saga(&self) -> SagaId {
        self.exec.saga
    }
    fn key(&self) -> StepKey {
        self.key
    }
    fn started_at(&self) -> Timestamp {
        self.exec.started_at
    }
    fn call(&self) -> Option<Call<'_>> {
        self.call
    }
    fn input(&self) -> Option<Payload> {
        self.exec.started.as_ref().map(|started| started.input.clone())
    }
    fn out(&self, type_name: &'static str) -> Option<Payload> {
        let single = |(order, at, _): &(&[Place], usize, &Payload)| {
            !order[*at..].iter().any(|place| matches!(place, Place::Item(_)))
        };
        self.earlier(type_name).into_iter().rfind(single).map(|(.., output)| output.clone())
    }
    fn outs(&self, type_name: &'static str) -> Vec<Payload> {
        let listed: Vec<_> = self
            .earlier(type_name)
            .into_iter()
            .filter_map(|(order, at, output)| {
                let item = order[at..].iter().position(|place| matches!(place, Place::Item(_)))?;
                Some((&order[..at + item], output))
            })
            .collect();
        // Only the latest fan-out counts: an earlier round's list is history.
        let latest = listed.last().map(|(block, _)| *block);
        listed.iter().filter(|(block, _)| Some(*block) == latest).map(|(_, output)| (*output).clone()).collect()
    }
    fn item(&self) -> Option<Payload> {
        let (block, index) = self.path.innermost_item()?;
        self.exec.lists.get(&block)?.get(usize::try_from(index).ok()?).cloned()
    }
}
