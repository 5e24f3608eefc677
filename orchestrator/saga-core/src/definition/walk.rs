//! The one walk over a plan: which bodies a block has, where each of them stands, and which step a path names.

use super::{Node, StepDef};
use crate::path::{StepPath, Which};
use std::sync::Arc;

/// Where a step stands, as a list of places from the outside in: comparing two lists tells which comes first in the plan and
/// its rounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// In a sequence.
    Seq(u32),
    /// In a round of a repeated body.
    Round(u32),
    /// In a branch of an `all`.
    Branch(u32),
    /// In a branch of an `each`.
    Item(u32),
}

/// How often the body of a block is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// Once, as the plan has it: without items and rounds.
    AsWritten,
    /// For so many items, or so many rounds; a `when` is taken unless it is 0.
    Times(u32),
    /// For any item of a list that is not made yet.
    AnyItem,
}

/// One body of a block. The branches of an `all` are always there.
pub struct Body<'a> {
    /// Its own path: the nodes in it stand below this.
    pub path: StepPath,
    /// Its place in the block, if the block has several.
    pub place: Option<Place>,
    /// The nodes in it.
    pub nodes: &'a [Node],
}

impl Node {
    /// The bodies of this block, which stands at `path`, in the order of the plan. A step has none.
    pub fn bodies(&self, path: &StepPath, how: How) -> Vec<Body<'_>> {
        fn one(path: StepPath, place: Option<Place>, nodes: &[Node]) -> Body<'_> {
            Body { path, place, nodes }
        }
        match (self, how) {
            (Node::Step(_), _) => Vec::new(),
            (Node::All { branches, .. }, _) => {
                let branches = (0..).zip(branches);
                branches
                    .map(|(index, (name, nodes))| one(path.child(name), Some(Place::Branch(index)), nodes))
                    .collect()
            }
            (Node::When { body, .. }, How::Times(times)) => {
                (times > 0).then(|| one(path.clone(), None, body)).into_iter().collect()
            }
            (Node::Each { body, .. }, How::Times(items)) => {
                (0..items).map(|index| one(path.item(index), Some(Place::Item(index)), body)).collect()
            }
            (Node::Each { body, .. }, How::AnyItem) => vec![one(path.any_item(), None, body)],
            (Node::Repeat { body, .. }, How::Times(rounds)) => {
                (1..=rounds).map(|round| one(path.round(round), Some(Place::Round(round)), body)).collect()
            }
            (Node::Each { body, .. } | Node::When { body, .. } | Node::Repeat { body, .. }, _) => {
                vec![one(path.clone(), None, body)]
            }
        }
    }
    /// The bodies as the plan has them.
    pub fn written(&self, path: &StepPath) -> Vec<Body<'_>> {
        self.bodies(path, How::AsWritten)
    }
}

/// Visits every node of a plan in its order: its path, how many blocks are around it, and the node.
pub fn walk<'a>(
    nodes: &'a [Node],
    how: &impl Fn(&Node, &StepPath) -> How,
    visit: &mut impl FnMut(&StepPath, usize, &'a Node),
) {
    walk_in(nodes, (&StepPath::ROOT, 0), how, visit);
}
fn walk_in<'a>(
    nodes: &'a [Node],
    (at, depth): (&StepPath, usize),
    how: &impl Fn(&Node, &StepPath) -> How,
    visit: &mut impl FnMut(&StepPath, usize, &'a Node),
) {
    for node in nodes {
        let path = at.child(node.name());
        visit(&path, depth, node);
        for body in node.bodies(&path, how(node, &path)) {
            walk_in(body.nodes, (&body.path, depth + 1), how, visit);
        }
    }
}

/// The step that a path of a run names, with its places.
pub fn locate(nodes: &[Node], path: &StepPath) -> Option<(Arc<StepDef>, Vec<Place>)> {
    let (mut nodes, mut places) = (nodes, Vec::new());
    let mut segments = path.segments();
    loop {
        let segment = segments.next()?;
        let at = nodes.iter().position(|node| node.name() == segment.name)?;
        places.push(Place::Seq(u32::try_from(at).ok()?));
        nodes = match (&nodes[at], segment.which) {
            (Node::Step(step), Which::Only) => {
                return segments.next().is_none().then(|| (Arc::clone(step), places));
            }
            (Node::All { branches, .. }, Which::Only) => {
                let branch = segments.next().filter(|branch| branch.which == Which::Only)?;
                let index = branches.iter().position(|(name, _)| *name == branch.name)?;
                places.push(Place::Branch(u32::try_from(index).ok()?));
                &branches[index].1
            }
            (Node::Each { body, .. }, Which::Item(index)) => {
                places.push(Place::Item(index));
                body
            }
            (Node::Repeat { body, .. }, Which::Round(round)) => {
                places.push(Place::Round(round));
                body
            }
            (Node::When { body, .. }, Which::Only) => body,
            (
                Node::Step(_) | Node::All { .. } | Node::Each { .. } | Node::Repeat { .. } | Node::When { .. },
                Which::Only | Which::Item(_) | Which::AnyItem | Which::Round(_),
            ) => return None,
        };
    }
}
