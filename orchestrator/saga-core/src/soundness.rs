//! What is refused before anything runs: missing outputs, unbounded limits, double names, cycles, steps without undo.

use crate::codes::{self, Code};
use crate::definition::{Canonical, DIGEST_SHOWN, Definition, How, Node, Performer, Role, StepDef, walk};
use crate::path::{StepPath, is_name};
use crate::policy::{ATTEMPTS_MAX, DEADLINE_MS_MAX, OnUnknown, ROUNDS_MAX, Retry, STEPS_MAX};
use crate::step::{Need, short_name};
use std::collections::{BTreeMap, BTreeSet};

/// One thing that is wrong with a plan.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{} saga {saga:?}: {says}", code.id)]
pub struct PlanFault {
    /// Its code.
    pub code: Code,
    /// Which saga.
    pub saga: String,
    /// What, where, in one sentence.
    pub says: String,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Sure {
    /// By several branches side by side: none of them is nearer than the others.
    Twice,
    /// Only inside of fan-outs.
    Listed,
    /// On some paths.
    Maybe,
    /// On every path.
    Always,
}
type Known = BTreeMap<&'static str, Sure>;

/// Whose needs they are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Whose {
    /// Of a function that runs here.
    Here,
    /// Of its undo.
    Undo,
    /// Of a function that only computes.
    Pure,
}

struct Check<'a> {
    definition: &'a Definition,
    faults: Vec<PlanFault>,
    steps: usize,
}

/// Everything that is wrong.
pub fn check(definition: &Definition) -> Vec<PlanFault> {
    let mut check = Check { definition, faults: Vec::new(), steps: 0 };
    let kebab = |name: &str| {
        !name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_')
    };
    if !kebab(definition.name) {
        check.fault(codes::PLAN_MALFORMED, format!("the name {:?} is not kebab-case", definition.name));
    }
    for says in &definition.misplaced {
        check.fault(codes::PLAN_MALFORMED, says.clone());
    }
    for digest in &definition.continues {
        let hex = digest.len() >= DIGEST_SHOWN && digest.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if !hex {
            let says =
                format!("it continues {digest:?}, which is not a digest: {DIGEST_SHOWN} to 64 digits 0-9 and a-f");
            check.fault(codes::PLAN_MALFORMED, says);
        }
    }
    if definition.nodes.is_empty() {
        check.fault(codes::PLAN_MALFORMED, "the plan has no steps".to_owned());
    }
    if definition.deadline_ms == 0 || definition.deadline_ms > DEADLINE_MS_MAX {
        check.fault(codes::PLAN_LIMIT, format!("a deadline of {} ms is out of bounds", definition.deadline_ms));
    }
    check.body(&definition.nodes, &StepPath::ROOT, Known::new(), &[]);
    if check.steps > STEPS_MAX {
        check.fault(codes::PLAN_LIMIT, format!("{} steps, at most {STEPS_MAX} are allowed", check.steps));
    }
    // The graph is drawn by names: while one stands twice, it would show cycles that are not there.
    if check.faults.iter().all(|fault| fault.code != codes::PLAN_NAME_TWICE) {
        check.faults.extend(check_graph(&definition.canonical()));
    }
    check.faults
}

impl Check<'_> {
    fn fault(&mut self, code: Code, says: String) {
        self.faults.push(PlanFault { code, saga: self.definition.name.to_owned(), says });
    }
    /// Walks a sequence; returns what is known after it.
    fn body(&mut self, nodes: &[Node], at: &StepPath, mut known: Known, items: &[&'static str]) -> Known {
        let mut names = BTreeSet::new();
        for node in nodes {
            let path = at.child(node.name());
            self.name(&mut names, node.name(), &path);
            known = self.node(node, &path, known, items);
        }
        known
    }
    /// A path names one step: the names beside each other differ and hold none of the signs that paths are made of.
    fn name(&mut self, names: &mut BTreeSet<&'static str>, name: &'static str, path: &str) {
        if !names.insert(name) {
            self.fault(codes::PLAN_NAME_TWICE, format!("the name {path:?} stands twice"));
        }
        if !is_name(name) {
            self.fault(codes::PLAN_MALFORMED, format!("{path:?} is not a name: `/ # [ ~` belong to paths"));
        }
    }
    fn node(&mut self, node: &Node, path: &StepPath, mut known: Known, items: &[&'static str]) -> Known {
        match node {
            Node::Step(step) => {
                self.steps += 1;
                self.step(step, path, &known, items);
                known.insert(step.performer.gives(), Sure::Always);
                known
            }
            Node::All { branches, .. } => {
                let mut after = known.clone();
                let mut names = BTreeSet::new();
                let mut given = BTreeSet::new();
                let mut twice = Vec::new();
                for (name, body) in branches {
                    let at = path.child(name);
                    twice.extend(gives(body).into_iter().filter(|output| !given.insert(*output)));
                    self.name(&mut names, name, &at);
                    let inside = self.body(body, &at, known.clone(), items);
                    merge(&mut after, inside, |sure| sure);
                }
                after.extend(twice.into_iter().map(|output| (output, Sure::Twice)));
                after
            }
            Node::Each { needs, at_most, item, body, .. } => {
                self.needs(path, needs, &known, items, Whose::Pure);
                self.bound(path, "branches at once", u64::from(*at_most), 1, crate::policy::ITEMS_MAX as u64);
                let inner: Vec<_> = items.iter().copied().chain([*item]).collect();
                let inside = self.body(body, path, known.clone(), &inner);
                merge(&mut known, inside, |_| Sure::Listed);
                known
            }
            Node::When { needs, body, .. } => {
                self.needs(path, needs, &known, items, Whose::Pure);
                let inside = self.body(body, path, known.clone(), items);
                merge(&mut known, inside, |sure| sure.min(Sure::Maybe));
                known
            }
            Node::Repeat { needs, at_most, body, .. } => {
                self.bound(path, "rounds", u64::from(*at_most), 1, u64::from(ROUNDS_MAX));
                let inside = self.body(body, path, known, items);
                self.needs(path, needs, &inside, items, Whose::Pure);
                inside
            }
        }
    }
    fn step(&mut self, step: &StepDef, path: &str, known: &Known, items: &[&'static str]) {
        let here = matches!(step.performer, Performer::Here { .. });
        let whose = if here { Whose::Here } else { Whose::Pure };
        self.needs(path, step.performer.needs(), known, items, whose);
        match &step.performer {
            Performer::Here { undo_needs, .. } => {
                self.needs(path, undo_needs, known, items, Whose::Undo);
                if step.policy.on_unknown == OnUnknown::Probe {
                    let says = format!("step {path:?} runs here and keeps no answers that could be probed");
                    self.fault(codes::PLAN_LIMIT, says);
                }
            }
            Performer::Gate { deadline_ms, gate, check, example, .. } => {
                self.bound(path, "milliseconds of deadline", *deadline_ms, 1, DEADLINE_MS_MAX);
                let fits = |json: &str| {
                    let payload = crate::json::Payload::parse(json).map_err(|why| why.to_string())?;
                    check(&payload)
                };
                if let Some(Err(why)) = example.map(fits) {
                    let says = format!("the example of the gate {gate:?} does not answer it: {why}");
                    self.fault(codes::PLAN_MALFORMED, says);
                }
            }
            Performer::There { .. } => {}
        }
        self.bound(path, "milliseconds of patience", step.policy.patience_ms, 1, DEADLINE_MS_MAX);
        for Retry { attempts_max, cap_ms, factor, .. } in [step.policy.retry, step.policy.undo_retry] {
            self.bound(path, "tries", u64::from(attempts_max), 0, u64::from(ATTEMPTS_MAX));
            self.bound(path, "milliseconds between tries", cap_ms, 0, DEADLINE_MS_MAX);
            self.bound(path, "times longer each pause", u64::from(factor), 1, 100);
        }
        let for_ever = step.policy.retry.attempts_max == 0;
        if for_ever && step.role != Role::Then {
            self.fault(codes::PLAN_LIMIT, format!("step {path:?} is retried for ever before the pivot"));
        }
    }
    fn bound(&mut self, path: &str, what: &str, value: u64, least: u64, most: u64) {
        if value < least || value > most {
            self.fault(codes::PLAN_LIMIT, format!("{path:?} has {value} {what}, allowed are {least} to {most}"));
        }
    }
    fn needs(&mut self, path: &str, needs: &[Need], known: &Known, items: &[&'static str], whose: Whose) {
        let (undo, here) = (whose == Whose::Undo, matches!(whose, Whose::Undo | Whose::Here));
        let whose = if undo { "the undo of step" } else { "step" };
        for need in needs {
            match need {
                Need::Input(wanted) if *wanted != self.definition.input => {
                    let (wanted, input) = (short_name(wanted), short_name(self.definition.input));
                    let says = format!("{whose} {path:?} needs In<{wanted}>, but the input is {input}");
                    self.fault(codes::PLAN_MISSING_OUTPUT, says);
                }
                Need::Outs(wanted) | Need::Maybe(wanted) | Need::Out(wanted)
                    if known.get(wanted) == Some(&Sure::Twice) =>
                {
                    let wanted = short_name(wanted);
                    let says = format!(
                        "{whose} {path:?} needs {wanted}, which several branches give side by side; give each a type of its own"
                    );
                    self.fault(codes::PLAN_MISSING_OUTPUT, says);
                }
                Need::Out(wanted) => self.out(path, whose, wanted, known),
                Need::Item(wanted) if items.last() != Some(wanted) => {
                    let says = format!(
                        "{whose} {path:?} needs Item<{}>, but the innermost `each` around it gives {}",
                        short_name(wanted),
                        items.last().map_or("nothing".to_owned(), |item| short_name(item)),
                    );
                    self.fault(codes::PLAN_MISSING_OUTPUT, says);
                }
                Need::Outs(wanted) if !known.contains_key(wanted) => {
                    let says = format!(
                        "{whose} {path:?} needs Outs<{0}>, but no earlier step returns {0}",
                        short_name(wanted)
                    );
                    self.fault(codes::PLAN_MISSING_OUTPUT, says);
                }
                Need::Undoing if !undo => {
                    let says = format!("step {path:?} takes Undoing, which only an undo can");
                    self.fault(codes::PLAN_MISSING_OUTPUT, says);
                }
                Need::Call | Need::Given(_) if !here => {
                    let says = format!("{path:?} takes Until, Stop or Using, which only a step that runs here can");
                    self.fault(codes::PLAN_MISSING_OUTPUT, says);
                }
                Need::Input(_) | Need::Item(_) | Need::Outs(_) | Need::Undoing | Need::Maybe(_) => {}
                // The registration of the saga compares what was given.
                Need::Call | Need::Given(_) => {}
            }
        }
    }
    fn out(&mut self, path: &str, whose: &str, wanted: &str, known: &Known) {
        let name = short_name(wanted);
        match known.get(wanted) {
            Some(Sure::Always) => {}
            Some(Sure::Maybe) => {
                let says = format!("{whose} {path:?} needs Out<{name}>, which a path may lack; take Maybe<{name}>");
                self.fault(codes::PLAN_MAYBE_OUTPUT, says);
            }
            Some(Sure::Listed | Sure::Twice) => {
                let says = format!("{whose} {path:?} needs Out<{name}>, but a fan-out gives many; take Outs<{name}>");
                self.fault(codes::PLAN_MISSING_OUTPUT, says);
            }
            None => {
                let says = format!("{whose} {path:?} needs Out<{name}>, but no earlier step returns {name}");
                self.fault(codes::PLAN_MISSING_OUTPUT, says);
            }
        }
    }
}

fn merge(known: &mut Known, inside: Known, how: impl Fn(Sure) -> Sure) {
    for (name, sure) in inside {
        if sure == Sure::Twice {
            known.insert(name, sure);
        } else {
            known.entry(name).or_insert_with(|| how(sure));
        }
    }
}

/// What the steps of a body give, each type once.
fn gives(nodes: &[Node]) -> BTreeSet<&'static str> {
    let mut all = BTreeSet::new();
    walk(nodes, &|_, _| How::AsWritten, &mut |_, _, node| {
        if let Node::Step(step) = node {
            all.insert(step.performer.gives());
        }
    });
    all
}

/// What can be wrong with a definition that came as data: an edge to nowhere, a cycle, an ordinary step without undo,
/// a second pivot or an ordinary step behind one.
pub fn check_graph(canonical: &Canonical) -> Vec<PlanFault> {
    let mut faults = Vec::new();
    let mut fault = |code, says| faults.push(PlanFault { code, saga: canonical.name.clone(), says });
    let paths: BTreeSet<&str> = canonical.steps.iter().map(|step| step.path.as_str()).collect();
    for (from, to) in &canonical.edges {
        for end in [from, to] {
            if !paths.contains(end.as_str()) {
                fault(codes::PLAN_MALFORMED, format!("an edge names {end:?}, which is not a step"));
            }
        }
    }
    for step in canonical.steps.iter().filter(|step| step.kind == "ordinary" && step.undo.is_none()) {
        fault(codes::PLAN_NO_UNDO, format!("step {:?} is before the pivot and has no undo", step.path));
    }
    let Some(order) = topological(canonical) else {
        let says = format!("the steps form a cycle: {}", cycle(canonical).join(" -> "));
        fault(codes::PLAN_CYCLE, says);
        return faults;
    };
    let kind: BTreeMap<&str, &str> =
        canonical.steps.iter().map(|step| (step.path.as_str(), step.kind.as_str())).collect();
    let mut behind = BTreeSet::new();
    for path in order {
        let before = canonical.edges.iter().filter(|(_, to)| to == path).map(|(from, _)| from.as_str());
        let passed = before.clone().any(|from| behind.contains(from) || kind.get(from) == Some(&"pivot"));
        if passed {
            behind.insert(path);
        }
        match kind.get(path) {
            Some(&"pivot") if passed => fault(codes::PLAN_PIVOT, format!("{path:?} is a second pivot on one path")),
            Some(&"ordinary") if passed => {
                fault(codes::PLAN_PIVOT, format!("{path:?} can be undone but stands after the pivot"));
            }
            Some(&"then") if !passed => {
                fault(codes::PLAN_PIVOT, format!("{path:?} is repeated for ever but stands before the pivot"));
            }
            Some(_) | None => {}
        }
    }
    faults
}

fn topological(canonical: &Canonical) -> Option<Vec<&str>> {
    let mut open: BTreeMap<&str, usize> = canonical.steps.iter().map(|step| (step.path.as_str(), 0)).collect();
    for (_, to) in &canonical.edges {
        *open.entry(to).or_default() += 1;
    }
    let mut order = Vec::new();
    while let Some(path) = open.iter().find(|(_, before)| **before == 0).map(|(path, _)| *path) {
        open.remove(path);
        order.push(path);
        for (_, to) in canonical.edges.iter().filter(|(from, _)| from == path) {
            if let Some(before) = open.get_mut(to.as_str()) {
                *before -= 1;
            }
        }
    }
    open.is_empty().then_some(order)
}

fn cycle(canonical: &Canonical) -> Vec<&str> {
    for start in &canonical.steps {
        let mut way = vec![start.path.as_str()];
        while let Some((_, to)) = canonical.edges.iter().find(|(from, _)| Some(from.as_str()) == way.last().copied()) {
            if let Some(at) = way.iter().position(|path| path == to) {
                way.push(to);
                return way.split_off(at);
            }
            way.push(to);
        }
    }
    Vec::new()
}
