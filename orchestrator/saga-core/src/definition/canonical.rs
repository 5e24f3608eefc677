//! A definition as pure data, and its two digests: of the whole, and of what it means.
//!
//! Invariant: both texts stay as they are for ever, because sagas are recorded with their digests.

use super::{CommandName, Definition, Node, Performer, Role};
use crate::envelope::sha256_hex;
use crate::fact::SagaStarted;
use crate::path::StepPath;
use crate::policy::OnUnknown;
use crate::step::{Need, short_name};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The definitions of one process by name and version.
pub type Definitions = BTreeMap<(String, u16), Arc<Definition>>;

/// The canonical form of a definition: pure data, in plan order. Its JSON text is what the digest of the whole is of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Canonical {
    /// Name.
    pub name: String,
    /// Version.
    pub version: u16,
    /// Deadline of the whole.
    pub deadline_ms: u64,
    /// Every step, in plan order.
    pub steps: Vec<CanonicalStep>,
    /// `(from, to)`: `to` may begin when all its `from` are done. Blocks are steps here too.
    pub edges: Vec<(String, String)>,
}

/// One step or block of a canonical form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CanonicalStep {
    /// Path of names.
    pub path: String,
    /// `ordinary`, `read`, `wait`, `pivot`, `then`, or the kind of block.
    pub kind: String,
    /// `module.Command@version`, `gate:name`, or `here`.
    pub performer: String,
    /// The undo in the same form, if there is one.
    pub undo: Option<String>,
    /// Policies and limits, in a fixed order of words.
    pub policy: String,
}

/// What may not change under a version, in plan order. Its JSON text is what the digest of the meaning is of.
#[derive(Serialize)]
struct Meaning<'a> {
    name: &'a str,
    version: u16,
    input: String,
    steps: Vec<MeaningStep<'a>>,
    edges: &'a [(String, String)],
}

/// One step or block of a meaning: how often it is tried, how long it may take and how many run side by side is not in it.
#[derive(Serialize)]
struct MeaningStep<'a> {
    path: &'a str,
    kind: &'a str,
    performer: &'a str,
    undo: Option<&'a str>,
    terms: &'a str,
}

/// What a process knows of the definition that a saga began with.
#[derive(Debug, Clone, Default)]
pub enum Fit {
    /// It has it, perhaps tuned otherwise.
    Same(Arc<Definition>),
    /// It has nothing under that name and version.
    #[default]
    Missing,
    /// It has something under that name and version that means something else.
    Other(Arc<Definition>),
}

impl Fit {
    /// What these definitions say to a saga that began like this. An instance keeps what it began with: the same version
    /// with another meaning does not move it.
    pub fn of(definitions: &Definitions, started: &SagaStarted) -> Self {
        match definitions.get(&(started.definition.clone(), started.version)) {
            None => Fit::Missing,
            Some(known) if known.is_of(started) => Fit::Same(Arc::clone(known)),
            Some(known) => Fit::Other(Arc::clone(known)),
        }
    }
    /// The definition that it goes on with.
    pub fn definition(&self) -> Option<&Arc<Definition>> {
        match self {
            Fit::Same(definition) => Some(definition),
            Fit::Missing | Fit::Other(_) => None,
        }
    }
}
impl From<Option<Arc<Definition>>> for Fit {
    fn from(known: Option<Arc<Definition>>) -> Self {
        known.map_or(Fit::Missing, Fit::Same)
    }
}

/// 8 digits: what is shown of a digest, and the least that names one.
pub const DIGEST_SHOWN: usize = 8;

/// What is shown of a digest.
pub fn shown(digest: &str) -> &str {
    digest.get(..DIGEST_SHOWN).unwrap_or(digest)
}

impl Definition {
    /// The canonical form.
    pub fn canonical(&self) -> Canonical {
        self.written().0
    }
    /// The canonical form, and beside each of its steps the terms that its meaning has.
    fn written(&self) -> (Canonical, Vec<String>) {
        let mut canonical = Canonical {
            name: self.name.to_owned(),
            version: self.version,
            deadline_ms: self.deadline_ms,
            steps: Vec::new(),
            edges: Vec::new(),
        };
        let mut terms = Vec::new();
        describe(&self.nodes, &StepPath::ROOT, Vec::new(), (&mut canonical, &mut terms));
        (canonical, terms)
    }
    /// The text of the meaning.
    pub fn meaning_text(&self) -> String {
        let (canonical, terms) = self.written();
        let steps = canonical.steps.iter().zip(&terms).map(|(step, terms)| MeaningStep {
            path: &step.path,
            kind: &step.kind,
            performer: &step.performer,
            undo: step.undo.as_deref(),
            terms,
        });
        let input = short_name(self.input);
        let (name, version, edges) = (self.name, self.version, &canonical.edges);
        let meaning = Meaning { name, version, input, steps: steps.collect(), edges };
        serde_json::to_string(&meaning).unwrap_or_default()
    }
    /// With its digests.
    pub(crate) fn seal(mut self) -> Self {
        let text = serde_json::to_string(&self.canonical()).unwrap_or_default();
        self.digest = sha256_hex(text.as_bytes());
        self.meaning = sha256_hex(self.meaning_text().as_bytes());
        self
    }
    /// Whether a saga that began like this began with this definition, however it is tuned now.
    ///
    /// Older programs recorded one digest over everything: a saga of theirs is recognised while nothing at all has changed,
    /// or when the plan says that it [continues](crate::saga::Plan::continues) what had that digest.
    pub fn is_of(&self, started: &SagaStarted) -> bool {
        let (own, recorded) = match &started.meaning {
            Some(meaning) => (&self.meaning, meaning),
            None => (&self.digest, &started.digest),
        };
        own == recorded || self.continues.iter().any(|digest| recorded.starts_with(digest))
    }
}

type Out<'a> = (&'a mut Canonical, &'a mut Vec<String>);

fn describe(nodes: &[Node], at: &StepPath, mut from: Vec<StepPath>, (out, terms): Out<'_>) -> Vec<StepPath> {
    for node in nodes {
        let path = at.child(node.name());
        out.edges.extend(from.iter().map(|before| (before.to_string(), path.to_string())));
        let (kind, performer, undo, policy) = words(node);
        out.steps.push(CanonicalStep { path: path.to_string(), kind, performer, undo, policy });
        terms.push(terms_of(node));
        from = match node {
            Node::Step(_) => vec![path],
            Node::All { .. } | Node::Each { .. } | Node::When { .. } | Node::Repeat { .. } => node
                .written(&path)
                .iter()
                .flat_map(|body| describe(body.nodes, &body.path, vec![path.clone()], (&mut *out, &mut *terms)))
                .collect(),
        };
    }
    from
}

fn words(node: &Node) -> (String, String, Option<String>, String) {
    let block = |kind: &str, policy: String| (kind.to_owned(), "here".to_owned(), None, policy);
    let named = |command: &CommandName| format!("{}.{}@{}", command.module, command.name, command.version);
    match node {
        Node::Step(step) => {
            let kind = match step.role {
                Role::Ordinary => "ordinary",
                Role::Read => "read",
                Role::Wait => "wait",
                Role::Pivot => "pivot",
                Role::Then => "then",
            };
            let (performer, undo, extra) = match &step.performer {
                Performer::Here { undo, .. } => ("here".to_owned(), undo.as_ref().map(|_| "here".to_owned()), None),
                Performer::There { command, undo, .. } => (named(command), undo.as_ref().map(named), None),
                Performer::Gate { gate, timer, deadline_ms, .. } => {
                    (format!("gate:{gate}"), None, Some(format!("timer={timer} deadline_ms={deadline_ms}")))
                }
            };
            let policy = extra.unwrap_or_else(|| serde_json::to_string(&step.policy).unwrap_or_default());
            (kind.to_owned(), performer, undo, policy)
        }
        Node::All { .. } => block("all", String::new()),
        Node::Each { at_most, may_fail, .. } => block("each", format!("at_most={at_most} may_fail={may_fail}")),
        Node::When { .. } => block("when", String::new()),
        Node::Repeat { at_most, .. } => block("repeat", format!("at_most={at_most}")),
    }
}

/// What of a step's policy, a block's bounds and a condition belongs to the meaning: what silence means, how many branches may
/// fail, how many rounds there are, and which values decide.
fn terms_of(node: &Node) -> String {
    let reads = |needs: &[Need]| {
        let words: Vec<String> = needs.iter().filter_map(word_of).collect();
        format!("reads={}", words.join(","))
    };
    match node {
        Node::Step(step) => match &step.performer {
            Performer::Gate { timer, .. } => format!("timer={timer}"),
            Performer::Here { .. } | Performer::There { .. } => match step.policy.on_unknown {
                OnUnknown::Probe => "on_unknown=probe".to_owned(),
                OnUnknown::Compensate => "on_unknown=compensate".to_owned(),
                OnUnknown::Park => "on_unknown=park".to_owned(),
            },
        },
        Node::All { .. } => String::new(),
        Node::Each { needs, may_fail, item, .. } => {
            format!("may_fail={may_fail} item={} {}", short_name(item), reads(needs))
        }
        Node::When { needs, .. } => reads(needs),
        Node::Repeat { needs, at_most, .. } => format!("at_most={at_most} {}", reads(needs)),
    }
}

fn word_of(need: &Need) -> Option<String> {
    let (word, of) = match need {
        Need::Input(of) => ("In", of),
        Need::Out(of) => ("Out", of),
        Need::Maybe(of) => ("Maybe", of),
        Need::Outs(of) => ("Outs", of),
        Need::Item(of) => ("Item", of),
        Need::Undoing | Need::Call | Need::Given(_) => return None,
    };
    Some(format!("{word}<{}>", short_name(of)))
}
