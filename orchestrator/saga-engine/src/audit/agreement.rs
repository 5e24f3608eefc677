//! S11, B2, F1: the coordinator's facts, the events of the modules and their inboxes tell the same story, both ways. Pure.

use super::Audit;
use crate::execution::Execution;
use crate::journal::group_of;
use crate::machine::assignment::group_scope;
use saga_core::batch::{Fence, InboxEntry};
use saga_core::envelope::sha256;
use saga_core::export::{Cell, Damaged};
use saga_core::fact::SagaFact;
use saga_core::id::{Direction, Epoch, SagaId, StepKey};
use saga_core::outcome::Answer;
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// 2^48: a takeover in every second of nine million years. The owner of a scope since a later epoch would keep everybody out.
const EPOCH_MAX: u64 = 1 << 48;

/// 20 places are named of what fits one sentence; the rest is counted.
pub(super) const NAMED_MAX: usize = 20;

/// What an inbox remembers of one deed, as much of it as can be compared.
pub(super) struct Deed {
    saga: Uuid,
    direction: Direction,
    payload_hash: [u8; 32],
    epoch: Epoch,
    /// The digest of the output; `None` when it was refused.
    output: Option<[u8; 32]>,
}

/// A row that a module's inbox must have, as a fact of the coordinator says.
pub(super) struct Owed {
    module: String,
    key: StepKey,
    place: String,
    says: String,
    /// The digest of the command, if it is recorded.
    command: Option<[u8; 32]>,
    /// The digest of the output; an undo's is not recorded.
    output: Option<[u8; 32]>,
}

fn digest(text: &str) -> [u8; 32] {
    sha256(text.as_bytes())
}

/// The row that a fact, just folded, demands of an inbox.
pub(super) fn owed(exec: &Execution, fact: &SagaFact, place: String) -> Option<Owed> {
    if let SagaFact::StepSucceeded(fact) = fact {
        return exec.asked(&fact.step).map(|asked| Owed {
            module: asked.module.to_owned(),
            key: exec.keys(&fact.step).0,
            place,
            says: format!("{} succeeded", fact.step),
            command: asked.command.map(|command| digest(command.as_str())),
            output: Some(digest(fact.output.as_str())),
        });
    }
    let SagaFact::StepCompensated(fact) = fact else { return None };
    exec.asked(&fact.step).map(|asked| Owed {
        module: asked.undoer.to_owned(),
        key: exec.keys(&fact.step).1,
        place,
        says: format!("{} was undone", fact.step),
        command: asked.undo.map(|command| digest(command.as_str())),
        output: None,
    })
}

/// What there is of a module's store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Absent {
    /// Not read, for this reason; that is told elsewhere.
    Unread,
    /// There is none at this place.
    Missing(String),
    /// It keeps its inbox itself.
    Foreign,
}

impl Audit {
    /// Everything up to here was recorded before any inbox is read: what it says must stand there. Later facts only explain
    /// what is found in the inboxes.
    pub(super) fn conclude(&mut self) {
        self.settled = Some(self.sagas.iter().map(|(saga, facts)| (*saga, facts.len())).collect());
    }
    /// Whether a fact was recorded before the inboxes were read.
    pub(super) fn is_settled(&self, saga: SagaId, index: usize) -> bool {
        self.settled.as_ref().is_none_or(|settled| index < settled.get(&saga).copied().unwrap_or(0))
    }
    /// Takes in a page of a module's inbox.
    pub(super) fn remember(&mut self, module: &str, page: &[InboxEntry]) {
        let inbox = self.inboxes.entry(module.to_owned()).or_default();
        inbox.extend(page.iter().map(|entry| {
            let output = match &entry.answer {
                Answer::Done { output } => Some(digest(output.as_str())),
                Answer::Refused(_) | Answer::Retry { .. } => None,
            };
            let (saga, direction, payload_hash) = (entry.saga, entry.direction, entry.payload_hash);
            (entry.key, Deed { saga, direction, payload_hash, epoch: entry.epoch, output })
        }));
    }
    /// A row that is there and cannot be read: whether it fits is not known, and that is told already.
    pub(super) fn illegible(&mut self, row: &Damaged) {
        if let [_, Cell::Bytes(key)] = row.key.as_slice() {
            self.illegible.extend(Uuid::from_slice(key).ok().map(StepKey::from_uuid));
        }
    }
    /// The module's inbox was not read to its end.
    pub(super) fn forget(&mut self, module: &str) {
        self.inboxes.remove(module);
    }
    /// Whether the coordinator's log was read: without it nothing says what was asked for.
    pub(super) fn judged_by_facts(&mut self, read: bool) {
        self.judged_by_facts = read;
    }
    /// There is no inbox to compare with.
    pub(super) fn without(&mut self, module: &str, absent: Absent) {
        self.absent.insert(module.to_owned(), absent);
    }
    /// The commands of a module, by which deeds that no saga asked for are recognised.
    pub(super) fn commands(&mut self, module: &str, commands: BTreeSet<&'static str>) {
        self.commands.insert(module.to_owned(), commands);
    }
    /// Compares everything. `keys` has every deed that the coordinator ever recorded.
    pub(super) fn agree(&mut self, keys: &BTreeMap<StepKey, (SagaId, String, Direction)>) {
        for owed in std::mem::take(&mut self.owed) {
            let says = match (self.inboxes.get(&owed.module), self.absent.get(&owed.module)) {
                (Some(_), _) if self.illegible.contains(&owed.key) => continue,
                (Some(inbox), _) => differs(&owed, inbox.get(&owed.key)),
                (None, Some(Absent::Missing(place))) => {
                    self.lost.entry((owed.module, place.clone())).or_default().push(owed.place);
                    continue;
                }
                (None, Some(Absent::Foreign)) => {
                    *self.elsewhere.entry(owed.module).or_default() += 1;
                    continue;
                }
                (None, Some(Absent::Unread) | None) => continue,
            };
            if let Some(says) = says {
                self.finding("S11", owed.place, says);
            }
        }
        for ((module, place), deeds) in std::mem::take(&mut self.lost) {
            let (count, first) = (deeds.len(), deeds.first().cloned().unwrap_or_default());
            let says = format!("the store is missing; {count} deeds were answered from it, the first is {first}");
            self.finding("S11", format!("{module}, {place}"), says);
        }
        let mut wrong = self.deeds_without_row();
        if self.judged_by_facts {
            wrong.extend(self.rows_without_fact(keys));
        }
        for (promise, place, says) in wrong {
            self.finding(promise, place, says);
        }
        for (module, deeds) in std::mem::take(&mut self.elsewhere) {
            self.notes.push(format!("{deeds} deeds of {module} are not compared: it keeps its inbox itself"));
        }
    }
    /// B2: the events of a deed and its row were written together.
    fn deeds_without_row(&self) -> Vec<(&'static str, String, String)> {
        let mut wrong = Vec::new();
        for (module, log) in &self.logs {
            let Some(inbox) = self.inboxes.get(module) else { continue };
            let remembers = |key: &StepKey| inbox.contains_key(key) || self.illegible.contains(key);
            let missing = log.deeds.iter().filter(|(deed, _)| !remembers(&StepKey::from_uuid(**deed)));
            for (deed, (first, ..)) in missing.take(NAMED_MAX) {
                let says = format!("the deed {deed} wrote this, and the inbox does not remember it");
                wrong.push(("B2", format!("{module}:{first}"), says));
            }
        }
        wrong
    }
    /// S11, the other way: every deed that an inbox remembers was asked for.
    fn rows_without_fact(
        &self,
        keys: &BTreeMap<StepKey, (SagaId, String, Direction)>,
    ) -> Vec<(&'static str, String, String)> {
        let mut wrong = Vec::new();
        for (module, inbox) in &self.inboxes {
            let Some(commands) = self.commands.get(module) else { continue };
            let asked = |key: &StepKey, deed: &Deed| match keys.get(key) {
                // What the store itself is.
                None if *key == crate::identity::key() => true,
                Some((saga, _, direction)) => saga.0 == deed.saga && *direction == deed.direction,
                // A person's command, or one that followed from an event.
                None => commands
                    .iter()
                    .any(|command| *key == StepKey::derive(deed.saga, &format!("request:{command}"), deed.direction)),
            };
            for (key, deed) in inbox.iter().filter(|(key, deed)| !asked(key, deed)).take(NAMED_MAX) {
                let (word, saga) = (deed.direction.word(), deed.saga);
                let says = format!("the inbox remembers a {word} of {saga} that nobody is known to have asked for");
                wrong.push(("S11", format!("{module}, inbox {}", key.uuid()), says));
            }
        }
        wrong
    }
    /// F1: nobody has written under an epoch that the coordinator's fence does not know, and no scope is back at nothing.
    pub(super) fn fences(&mut self, module: &str, fences: &[Fence], groups: Option<u16>) {
        for fence in fences.iter().filter(|fence| fence.epoch == Epoch::ZERO) {
            let says = format!("the scope {} is owned since epoch 0, which no owner ever had", fence.scope);
            self.finding("F1", format!("{module}, fences"), says);
        }
        for Fence { scope, epoch } in fences.iter().filter(|fence| fence.epoch.0 > EPOCH_MAX) {
            let says = format!(
                "the scope {scope} is owned since epoch {epoch}, which no number of takeovers has ever come to"
            );
            self.finding("F1", format!("{module}, fences"), says);
        }
        let Some(groups) = groups else { return };
        let mut newest: BTreeMap<String, (Epoch, String)> = BTreeMap::new();
        for (other, inbox) in &self.inboxes {
            for deed in inbox.values().filter(|deed| self.sagas.contains_key(&SagaId(deed.saga))) {
                let scope = group_scope(group_of(SagaId(deed.saga), groups));
                let known = newest.entry(scope).or_default();
                if deed.epoch > known.0 {
                    *known = (deed.epoch, other.clone());
                }
            }
        }
        for (scope, (epoch, other)) in newest {
            let fence = fences.iter().find(|fence| fence.scope == scope).map_or(Epoch::ZERO, |fence| fence.epoch);
            if fence < epoch {
                let says = format!("{scope} is at epoch {fence}, and {other} was written to under epoch {epoch}");
                self.finding("F1", format!("{module}, fences"), says);
            }
        }
    }
}

/// How the row of an inbox is not what the coordinator was told.
fn differs(owed: &Owed, row: Option<&Deed>) -> Option<String> {
    let (module, says) = (&owed.module, &owed.says);
    let Some(row) = row else {
        return Some(format!("{says}, and the inbox of {module} does not remember it"));
    };
    let command = owed.command.is_some_and(|command| command != row.payload_hash);
    match (&owed.output, &row.output) {
        (_, None) => Some(format!("{says}, and {module} remembers a refusal")),
        (Some(ours), Some(theirs)) if ours != theirs => Some(format!("{says}, and {module} remembers another answer")),
        _ if command => Some(format!("{says}, and {module} remembers another command")),
        (Some(_) | None, Some(_)) => None,
    }
}
