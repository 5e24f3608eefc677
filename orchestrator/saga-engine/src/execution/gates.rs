//! Gates: an answer decides the opening that it was given for, once, and no other.

use super::binding::same_value;
use super::decide::Deciding;
use super::head;
use super::orders::{Accepted, OrderRefused, no};
use super::{Execution, Forward, Mode, Run};
use saga_core::codes;
use saga_core::definition::{Definition, How, Node, Performer, Place, walk};
use saga_core::envelope::sha256_hex;
use saga_core::fact::{By, SignalReceived};
use saga_core::json::Payload;
use saga_core::path::{StepPath, Which};

/// An answer to a gate, as a person or a module gave it.
pub(super) struct GateAnswer {
    /// The gate's name, or the path of the step that waits.
    pub(super) gate: String,
    /// The decision.
    pub(super) data: Payload,
    /// The opening that it is for.
    pub(super) opening: Option<String>,
}

impl Execution {
    /// The name of an opening: its round, and a digest of the place and of everything that was given before it, which is
    /// what is judged. It follows from the facts before the opening, so it is the same for everybody and after every crash.
    pub(super) fn opening(&self, path: &StepPath) -> String {
        let own = self.runs.get(path).map_or(&[] as &[Place], |run| run.order.as_slice());
        let mut judged = format!("{}\n{path}\n", self.saga);
        for (theirs, run) in &self.runs {
            let Some(output) = run.output.as_ref().filter(|_| run.backward.is_none()) else { continue };
            let Some(at) = run.order.iter().zip(own).position(|(theirs, own)| theirs != own) else { continue };
            if matches!(own[at], Place::Seq(_) | Place::Round(_)) && run.order[at] < own[at] {
                judged.push_str(&format!("{theirs} {} {}\n", output.as_str().len(), output.as_str()));
            }
        }
        let round = path.innermost_round().unwrap_or(1);
        format!("{round}-{}", &sha256_hex(judged.as_bytes())[..DIGITS])
    }
    /// Every opening that a gate has had, with its path.
    pub(super) fn openings<'a>(&'a self, gate: &'a str) -> impl Iterator<Item = (&'a StepPath, &'a Run)> {
        self.runs.iter().filter(move |(_, run)| run.opening.is_some() && run.gate() == Some(gate))
    }
    /// Whether a gate has opened, anywhere: an answer that came early is used up then.
    pub(super) fn has_opened(&self, gate: &str) -> bool {
        self.openings(gate).next().is_some()
    }
}

/// 8 digits of a digest: a saga has a handful of versions of what is judged.
const DIGITS: usize = 8;

/// The name of the gate that an answer means, which it may tell by the path of a step.
pub(super) fn gate_named(def: &Definition, name: &str) -> Option<&'static str> {
    let written = written(name);
    def.steps().into_iter().find_map(|(path, step)| match &step.performer {
        Performer::Gate { gate, timer: false, .. } if *gate == name || written.as_ref() == Some(&path) => Some(*gate),
        Performer::Gate { .. } | Performer::Here { .. } | Performer::There { .. } => None,
    })
}

/// The path in the plan as it is written, if `name` is one.
fn written(name: &str) -> Option<StepPath> {
    name.parse().ok().map(|path: StepPath| path.as_written())
}

impl Run {
    fn gate(&self) -> Option<&'static str> {
        match &self.def.as_ref()?.performer {
            Performer::Gate { gate, timer: false, .. } => Some(gate),
            Performer::Gate { .. } | Performer::Here { .. } | Performer::There { .. } => None,
        }
    }
    fn opening_name(&self) -> &str {
        self.opening.as_deref().unwrap_or_default()
    }
}

impl Deciding<'_> {
    pub(super) fn order_signal(&mut self, answer: GateAnswer, by: By) -> Result<Accepted, OrderRefused> {
        let gate = self.gate_of(&answer)?;
        if self.exec.mode != Mode::Forward {
            return no(codes::WRONG_STATE, "the saga is going back; nothing waits for this any more");
        }
        let by_path = answer.gate != gate;
        let named = answer.opening.as_deref();
        let openings = self.exec.openings(gate).filter(|(path, _)| !by_path || **path == answer.gate.as_str());
        let fits: Vec<_> = openings.filter(|(_, run)| named.is_none_or(|name| run.opening_name() == name)).collect();
        let step = match (fits.as_slice(), named) {
            ([(path, run)], _) if matches!(run.forward, Forward::Waiting { .. }) => Some((*path).clone()),
            ([(_, run)], _) if run.decided_by.is_some() && run.forward == Forward::Done => {
                return decided(gate, run, &answer.data, &by);
            }
            ([(_, run)], _) => return self.name_it(gate, Some(run.opening_name())),
            ([], None) => return self.early(gate, by_path, answer, by),
            // Without a name it is for the first opening, and only while there is no other.
            (_, named) => return self.name_it(gate, named),
        };
        self.emit(SignalReceived { gate: gate.to_owned(), step, data: answer.data, by });
        Ok(Accepted::Now)
    }
    /// The gate that is answered, if there is one and the decision has its shape.
    fn gate_of(&self, answer: &GateAnswer) -> Result<&'static str, OrderRefused> {
        let Some(def) = &self.exec.def else {
            return self.exec.nobody_knows();
        };
        let steps = def.steps();
        let gates: Vec<_> = steps
            .iter()
            .filter_map(|(path, step)| match &step.performer {
                Performer::Gate { gate, timer: false, check, .. } => Some((path, *gate, check)),
                Performer::Gate { .. } | Performer::Here { .. } | Performer::There { .. } => None,
            })
            .collect();
        let name = answer.gate.as_str();
        let written = written(name);
        let Some((_, gate, check)) =
            gates.iter().find(|(path, gate, _)| *gate == name || written.as_ref() == Some(path))
        else {
            let known: Vec<_> = gates.iter().map(|(_, gate, _)| *gate).collect();
            let name = head(name);
            return no(codes::NO_SUCH_STEP, format!("there is no gate {name:?}; gates are: {}", known.join(", ")));
        };
        if let Err(why) = check(&answer.data) {
            return no(codes::INPUT_REFUSED, format!("this does not answer the gate {gate:?}: {why}"));
        }
        Ok(gate)
    }
    /// An answer before its gate has ever opened is kept for the first opening; there can be one.
    fn early(&mut self, gate: &str, by_path: bool, answer: GateAnswer, by: By) -> Result<Accepted, OrderRefused> {
        if by_path && self.exec.def.as_ref().is_some_and(|def| in_rounds(&def.nodes, gate)) {
            // Kept for later, it would answer whichever round or branch asks first.
            let name = head(&answer.gate);
            return no(
                codes::WRONG_STATE,
                format!("{name:?} does not wait now; only the gate {gate:?} can be answered early"),
            );
        }
        match self.exec.early.get(gate).and_then(|kept| kept.first()) {
            Some(kept) if kept.by.actor == by.actor && same_value(&kept.data, &answer.data) => Ok(Accepted::Before),
            Some(kept) => {
                let (who, what) = (&kept.by.actor.id, head(kept.data.as_str()));
                no(codes::ANSWERED, format!("{who} has answered the gate {gate:?} before it opened: {what}"))
            }
            None => {
                self.emit(SignalReceived { gate: gate.to_owned(), step: None, data: answer.data, by });
                Ok(Accepted::Now)
            }
        }
    }
    /// The answer is for no opening that waits: which ones there are.
    fn name_it(&self, gate: &str, named: Option<&str>) -> Result<Accepted, OrderRefused> {
        let open = self.exec.openings(gate).filter(|(_, run)| matches!(run.forward, Forward::Waiting { .. }));
        let open: Vec<_> = open.map(|(path, run)| format!("{} ({path})", run.opening_name())).collect();
        let open = match open.as_slice() {
            [] => "none is open now".to_owned(),
            open => format!("open is {}", open.join(", ")),
        };
        let message = match named {
            Some(name) => format!("the answer is for the opening {} of the gate {gate:?}; {open}", head(name)),
            None => {
                format!("the gate {gate:?} has opened more than once, and the answer does not say for which; {open}")
            }
        };
        let hint = Some("look at what waits now: `saga show`; answer that with `--for`".to_owned());
        Err(OrderRefused { code: codes::OTHER_OPENING, message, hint })
    }
}

/// The opening has its answer: the same one by the same person is told as known, every other is refused.
fn decided(gate: &str, run: &Run, data: &Payload, by: &By) -> Result<Accepted, OrderRefused> {
    let (who, given) = (run.decided_by.as_deref().unwrap_or_default(), run.output.as_ref());
    if who == by.actor.id && given.is_some_and(|given| same_value(given, data)) {
        return Ok(Accepted::Before);
    }
    let when = run.ended.map(|at| format!(" at {at}")).unwrap_or_default();
    let what = given.map(|given| format!(": {}", head(given.as_str()))).unwrap_or_default();
    let name = run.opening_name();
    no(codes::ANSWERED, format!("{who} has decided the opening {name} of the gate {gate:?}{when}{what}"))
}

/// Whether a gate stands where it can be asked more than once: inside rounds or a fan-out.
fn in_rounds(nodes: &[Node], gate: &str) -> bool {
    let mut found = false;
    walk(nodes, &|_, _| How::Times(1), &mut |path, _, node| {
        let asks = matches!(node, Node::Step(step)
            if matches!(&step.performer, Performer::Gate { gate: theirs, .. } if *theirs == gate));
        found |= asks && path.segments().any(|segment| segment.which != Which::Only);
    });
    found
}
