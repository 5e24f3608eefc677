//! Where a step stands in the plan, and what its functions can see from there: earlier outputs, the input, its item.

use super::{Execution, Place};
use crate::definition::{Node, StepDef};
use crate::id::{SagaId, StepKey};
use crate::json::Payload;
use crate::step::{Call, Scope};
use crate::time::Timestamp;
use std::sync::Arc;

/// Finds the step that a path names, and its place.
pub(super) fn locate(nodes: &[Node], path: &str) -> Option<(Arc<StepDef>, Vec<Place>)> {
    let mut order = Vec::new();
    let mut nodes = nodes;
    let mut parts = path.split('/');
    loop {
        let part = parts.next()?;
        let name = part.split(['[', '#']).next()?;
        let number =
            |open: char, close: &str| -> Option<u32> { part.split_once(open)?.1.strip_suffix(close)?.parse().ok() };
        let at = nodes.iter().position(|node| node.name() == name)?;
        order.push(Place::Seq(u32::try_from(at).ok()?));
        nodes = match &nodes[at] {
            Node::Step(step) => return Some((Arc::clone(step), order)),
            Node::All { branches, .. } => {
                let branch = parts.next()?;
                let index = branches.iter().position(|(name, _)| *name == branch)?;
                order.push(Place::Branch(u32::try_from(index).ok()?));
                &branches[index].1
            }
            Node::Each { body, .. } => {
                order.push(Place::Item(number('[', "]")?));
                body
            }
            Node::Repeat { body, .. } => {
                order.push(Place::Round(number('#', "")?));
                body
            }
            Node::When { body, .. } => body,
        };
    }
}

/// Where the functions of a step find their arguments.
pub(super) struct View<'a> {
    pub(super) exec: &'a Execution,
    pub(super) key: StepKey,
    pub(super) order: &'a [Place],
    pub(super) path: &'a str,
    /// Of what runs here.
    pub(super) call: Option<Call<'a>>,
}

impl View<'_> {
    /// Whether a path lies in a branch that failed, seen from outside of it.
    fn is_lost(&self, path: &str) -> bool {
        let mut failed = self.exec.failed_branches.keys();
        failed.any(|branch| {
            let inside = |path: &str| path.strip_prefix(branch.as_str()).is_some_and(|rest| rest.starts_with('/'));
            inside(path) && !inside(self.path)
        })
    }
    /// Earlier outputs of a type, with the place after which their order differs from ours.
    fn earlier(&self, type_name: &str) -> Vec<(&[Place], usize, &Payload)> {
        let mut found = Vec::new();
        for (path, run) in &self.exec.runs {
            if self.is_lost(path) {
                continue;
            }
            let gives = run.def.as_ref().is_some_and(|def| def.performer.gives() == type_name);
            // What was taken back is no output any more.
            let Some(output) = run.output.as_ref().filter(|_| gives && run.backward.is_none()) else { continue };
            let Some(at) = run.order.iter().zip(self.order).position(|(theirs, ours)| theirs != ours) else { continue };
            let sequential = matches!(run.order[at], Place::Seq(_) | Place::Round(_));
            if sequential && run.order[at] < self.order[at] {
                found.push((run.order.as_slice(), at, output));
            }
        }
        found.sort();
        found
    }
}

impl PartialOrd for Payload {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Payload {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.as_str().cmp(other.as_str())
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
        let close = self.path.rfind(']')?;
        let (block, index) = self.path[..close].rsplit_once('[')?;
        self.exec.lists.get(block)?.get(index.parse::<usize>().ok()?).cloned()
    }
}
