//! Going forward: a walk through the plan that begins every step that may begin now. Each part is done, busy or failed.

use super::Forward;
use super::decide::{Deciding, Failure, Flow, guarded};
use super::scope::View;
use saga_core::definition::{Body, ConditionFn, How, ListFn, Node, Performer, Place, StepDef};
use saga_core::fact::{
    BranchFailed, Cause, ConditionRecorded, ListRecorded, RoundEnded, SagaParked, SignalReceived, StepDispatched,
    WaitStarted,
};
use saga_core::id::Direction;
use saga_core::json::Payload;
use saga_core::limits::{self, BODY_BYTES_MAX};
use saga_core::path::StepPath;
use saga_core::policy::ITEMS_MAX;
use saga_core::reason::ParkReason;
use saga_core::step::{ArgError, Prepared};
use std::sync::Arc;
use std::time::Duration;

impl Deciding<'_> {
    pub(super) fn advance(&mut self, nodes: &[Node], walk: &mut Walk) -> Flow {
        for (index, node) in nodes.iter().enumerate() {
            let place = Place::Seq(u32::try_from(index).unwrap_or(u32::MAX));
            let flow = walk.into(walk.path.child(node.name()), Some(place), |walk| self.advance_node(node, walk));
            match flow {
                Flow::Done => {}
                Flow::Busy | Flow::Failed(_) => return flow,
            }
        }
        Flow::Done
    }
    fn advance_node(&mut self, node: &Node, walk: &mut Walk) -> Flow {
        if !matches!(node, Node::Step(_)) {
            // A block whose own function broke waits for a person like a step does.
            match self.exec.runs.get(&walk.path).map(|run| &run.forward) {
                Some(Forward::Parked { .. }) => return Flow::Busy,
                Some(Forward::Skipped) => return Flow::Done,
                Some(_) | None => {}
            }
        }
        match node {
            Node::Step(step) => self.advance_step(step, walk),
            Node::All { .. } => {
                let mut all = Flow::Done;
                for body in node.written(&walk.path) {
                    match self.advance_body(body, walk) {
                        Flow::Done => {}
                        Flow::Busy => all = Flow::Busy,
                        failed @ Flow::Failed(_) => return failed,
                    }
                }
                all
            }
            Node::Each { list, at_most, may_fail, .. } => match self.listed(list, walk) {
                Flow::Done => self.advance_each(node, (*at_most, *may_fail), walk),
                flow @ (Flow::Busy | Flow::Failed(_)) => flow,
            },
            Node::When { condition, body, .. } => {
                let path = walk.path.clone();
                if !self.exec.conditions.contains_key(&path) {
                    if !walk.begin {
                        return Flow::Busy;
                    }
                    match self.scoped(walk, |view| guarded(|| condition(view))) {
                        Ok(taken) => self.emit(ConditionRecorded { step: path.clone(), taken }),
                        Err(why) => return self.park(walk, &why),
                    }
                }
                match self.exec.conditions.get(&path) {
                    Some(true) => self.advance(body, walk),
                    Some(false) | None => Flow::Done,
                }
            }
            Node::Repeat { until, at_most, body, .. } => self.advance_repeat(until, *at_most, body, walk),
        }
    }
    /// Makes the list of a fan-out and records it, once.
    fn listed(&mut self, list: &ListFn, walk: &Walk) -> Flow {
        if self.exec.lists.contains_key(&walk.path) {
            return Flow::Done;
        }
        if !walk.begin {
            return Flow::Busy;
        }
        match self.scoped(walk, |view| guarded(|| list(view))) {
            Ok(items) if items.len() > ITEMS_MAX => {
                let why = format!("{} items, at most {ITEMS_MAX} are allowed", items.len());
                self.park(walk, &ArgError(why))
            }
            Ok(items) => {
                let bytes: usize = items.iter().map(|item| item.as_str().len()).sum();
                if bytes > BODY_BYTES_MAX {
                    let why = format!("the items have {bytes} bytes, at most {BODY_BYTES_MAX} are allowed together");
                    return self.park(walk, &ArgError(why));
                }
                self.emit(ListRecorded { step: walk.path.clone(), items });
                Flow::Done
            }
            Err(why) => self.park(walk, &why),
        }
    }
    fn advance_repeat(&mut self, until: &ConditionFn, at_most: u32, body: &[Node], walk: &mut Walk) -> Flow {
        let path = walk.path.clone();
        loop {
            let (ended, satisfied) = self.exec.rounds.get(&path).copied().unwrap_or((0, false));
            if satisfied {
                return Flow::Done;
            }
            if ended >= at_most {
                return Flow::Failed(Failure {
                    cause: Cause::Refused,
                    step: path,
                    code: "ROUNDS_EXHAUSTED".to_owned(),
                    message: format!("not satisfied after {at_most} rounds"),
                });
            }
            let round = ended + 1;
            match walk.into(path.round(round), Some(Place::Round(round)), |walk| self.advance(body, walk)) {
                Flow::Done if walk.begin => {
                    // The condition is asked from behind the round: everything in it is earlier.
                    walk.order.push(Place::Round(round + 1));
                    let satisfied = self.scoped(walk, |view| guarded(|| until(view)));
                    walk.order.pop();
                    match satisfied {
                        Ok(satisfied) => self.emit(RoundEnded { step: path.clone(), round, satisfied }),
                        Err(why) => return self.park(walk, &why),
                    }
                }
                Flow::Done => return Flow::Busy,
                flow @ (Flow::Busy | Flow::Failed(_)) => return flow,
            }
        }
    }
    fn advance_body(&mut self, body: Body<'_>, walk: &mut Walk) -> Flow {
        walk.into(body.path, body.place, |walk| self.advance(body.nodes, walk))
    }
    fn advance_each(&mut self, node: &Node, (at_most, may_fail): (u32, u32), walk: &mut Walk) -> Flow {
        let branches = node.bodies(&walk.path, How::Times(self.exec.items(&walk.path).unwrap_or(0)));
        let failed = branches.iter().filter(|branch| self.exec.failed_branches.contains_key(&branch.path));
        let mut failed = u32::try_from(failed.count()).unwrap_or(u32::MAX);
        let (mut busy, mut all) = (0, Flow::Done);
        for branch in branches {
            let (path, body) = (branch.path.clone(), branch.nodes);
            if self.exec.failed_branches.contains_key(&path) {
                if !self.undo_branch(body, &path, walk.begin) {
                    (busy, all) = (busy + 1, Flow::Busy);
                }
                continue;
            }
            let begun = self.exec.runs_in(&path).next().is_some();
            if !begun && busy >= at_most {
                return Flow::Busy;
            }
            match self.advance_body(branch, walk) {
                Flow::Done => {}
                Flow::Busy => (busy, all) = (busy + 1, Flow::Busy),
                Flow::Failed(failure) if failed < may_fail => {
                    failed += 1;
                    (busy, all) = (busy + 1, Flow::Busy);
                    if walk.begin && self.has_room() {
                        let Failure { code, message, .. } = failure;
                        self.emit(BranchFailed { step: path.clone(), code, message });
                        if self.undo_branch(body, &path, true) {
                            busy -= 1;
                        }
                    }
                }
                failed @ Flow::Failed(_) => return failed,
            }
        }
        if busy == 0 { Flow::Done } else { all }
    }
    fn advance_step(&mut self, step: &Arc<StepDef>, walk: &mut Walk) -> Flow {
        let path = walk.path.clone();
        let failure = |cause, code: &str, message: &str| {
            Flow::Failed(Failure { cause, step: path.clone(), code: code.to_owned(), message: message.to_owned() })
        };
        match self.exec.runs.get(&path).map(|run| &run.forward) {
            Some(Forward::Done | Forward::Skipped) => Flow::Done,
            Some(
                Forward::Dispatched { .. }
                | Forward::RetryWait { .. }
                | Forward::Probing { .. }
                | Forward::Waiting { .. }
                | Forward::Parked { .. },
            ) => Flow::Busy,
            Some(Forward::Refused { code, message }) => failure(Cause::Refused, code, message),
            Some(Forward::Unknown { reason }) => failure(Cause::Unknown, "OUTCOME_UNKNOWN", reason),
            None | Some(Forward::Ready) if !walk.begin => Flow::Busy,
            None | Some(Forward::Ready) => self.begin_step(step, walk),
        }
    }
    fn begin_step(&mut self, step: &Arc<StepDef>, walk: &Walk) -> Flow {
        if !self.has_room() {
            return Flow::Busy;
        }
        let path = walk.path.clone();
        match &step.performer {
            Performer::Gate { gate, deadline_ms, .. } => {
                let early = self.exec.early.get(*gate).and_then(|kept| kept.first()).cloned();
                // An early answer counts for the first opening: its author cannot have seen a later one.
                let early = early.filter(|_| !self.exec.has_opened(gate));
                if let Some(early) = early {
                    let (data, by) = (early.data, early.by);
                    self.emit(SignalReceived { gate: (*gate).to_owned(), step: Some(path), data, by });
                    return Flow::Done;
                }
                let deadline = self.now.plus(Duration::from_millis(*deadline_ms));
                self.emit(WaitStarted { step: path, gate: (*gate).to_owned(), deadline });
            }
            Performer::Here { .. } => self.dispatch(path, None, None),
            Performer::There { request, .. } => {
                let known = self.exec.runs.get(&path).and_then(|run| run.command.clone());
                if known.is_some() {
                    self.dispatch(path, None, None);
                } else {
                    match self.scoped(walk, |view| guarded(|| request(view))) {
                        Ok(Prepared { payload, undo }) => {
                            let bytes = payload.as_str().len() + undo.as_ref().map_or(0, |undo| undo.as_str().len());
                            if bytes > BODY_BYTES_MAX {
                                let why = format!(
                                    "the command and its undo have {bytes} bytes, at most {BODY_BYTES_MAX} are allowed together"
                                );
                                return self.park(walk, &ArgError(why));
                            }
                            self.bytes += bytes;
                            self.dispatch(path, Some(payload), undo);
                        }
                        Err(why) => return self.park(walk, &why),
                    }
                }
            }
        }
        Flow::Busy
    }
    pub(super) fn dispatch_again(&mut self, path: &StepPath) {
        self.dispatch(path.clone(), None, None);
    }
    fn dispatch(&mut self, step: StepPath, command: Option<Payload>, undo: Option<Payload>) {
        let attempt = self.exec.runs.get(&step).map_or(0, |run| run.attempt) + 1;
        self.emit(StepDispatched { step: step.clone(), attempt, command, undo });
        let act = self.exec.runs.get(&step).and_then(|run| {
            let deadline = self.now.plus(run.patience());
            self.exec.act(&step, run, Direction::Do, deadline, false)
        });
        self.out.acts.extend(act);
    }
    /// A function of the saga broke: this saga waits for a person, all others go on.
    fn park(&mut self, walk: &Walk, why: &ArgError) -> Flow {
        let (code, message) = (ParkReason::Fault, limits::cut(&why.to_string()));
        self.emit(SagaParked { step: walk.path.clone(), code, message });
        Flow::Busy
    }
    fn scoped<T>(&self, walk: &Walk, call: impl FnOnce(&View<'_>) -> Result<T, ArgError>) -> Result<T, ArgError> {
        let key = self.exec.keys(&walk.path).0;
        call(&View { exec: self.exec, key, order: &walk.order, path: &walk.path, call: None })
    }
}

/// Where a walk through the plan stands, and whether it may begin steps or only looks.
pub(super) struct Walk {
    path: StepPath,
    order: Vec<Place>,
    begin: bool,
}
impl Walk {
    pub(super) fn looking() -> Self {
        Walk { path: StepPath::ROOT, order: Vec::new(), begin: false }
    }
    pub(super) fn beginning() -> Self {
        Walk { begin: true, ..Walk::looking() }
    }
    fn into<T>(&mut self, path: StepPath, place: Option<Place>, visit: impl FnOnce(&mut Walk) -> T) -> T {
        let (outside, depth) = (std::mem::replace(&mut self.path, path), self.order.len());
        self.order.extend(place);
        let out = visit(self);
        self.order.truncate(depth);
        self.path = outside;
        out
    }
}
