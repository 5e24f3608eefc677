//! B6: no cursor stands above the head of its log, where the next events would be skipped, nor on another event than
//! the one that was read there; and each belongs to a known consumer. Pure.

use super::{Audit, LogState};
use crate::journal::GROUPS;
use crate::machine::projector::{anchor, anchor_of, is_anchor};
use saga_core::batch::Mark;
use saga_core::event::Owner as _;
use saga_core::fact::Orchestration;
use saga_core::id::{EventId, Position};
use saga_core::module::Module;
use std::collections::{BTreeMap, BTreeSet};

impl Audit {
    /// Takes in where the cursors of a module stand, before the logs are read: which events are there is seen as they go by.
    pub(super) fn standing(&mut self, marks: &[Mark]) {
        for mark in marks.iter().filter(|mark| !is_anchor(mark)) {
            if let Some((_, source)) = mark.consumer.rsplit_once('@') {
                self.stood_on.insert((source.to_owned(), mark.position.0), None);
            }
        }
    }
    /// An event went by.
    pub(super) fn passes(&mut self, module: &str, public: u64, id: EventId) {
        if let Some(there) = self.stood_on.get_mut(&(module.to_owned(), public)) {
            *there = Some(id);
        }
    }
    /// Judges the cursors of a module, when the logs were read. They were read before the logs, which only grow.
    pub(super) fn cursors(&mut self, module: &str, marks: &[Mark]) {
        let places = marks.iter().filter(|mark| !is_anchor(mark));
        let wrong: Vec<(String, String)> = places
            .filter_map(|mark| self.beyond(module, mark).or_else(|| self.elsewhere(module, mark, marks)))
            .collect();
        for (place, says) in wrong {
            self.finding("B6", place, says);
        }
    }
    /// Cursors of consumers that the module does not have. One of an older version of a projection was left by an older program.
    pub(super) fn strangers(&mut self, module: &Module, marks: &[Mark]) {
        let projections =
            module.projections.iter().flat_map(|def| def.sources().into_iter().map(|from| def.consumer(from)));
        let reactors = module.reactors.iter();
        let reactors = reactors.flat_map(|def| def.sources().into_iter().map(|from| def.consumer(module.name, from)));
        let known: BTreeSet<String> =
            projections.chain(reactors).chain([RELAY.to_owned()]).flat_map(|name| [anchor_of(&name), name]).collect();
        let versions: BTreeMap<&str, u16> =
            module.projections.iter().map(|def| (def.name.as_str(), def.version)).collect();
        for mark in marks.iter().filter(|mark| !known.contains(&mark.consumer)) {
            let journals = module.name == Orchestration::MODULE && mark.consumer == GROUPS;
            if !journals && !is_older(&mark.consumer, &versions) {
                let says = "belongs to no consumer that this module has, or had".to_owned();
                self.finding("B6", format!("{}, cursor {}", module.name, mark.consumer), says);
            }
        }
    }
    fn beyond(&self, module: &str, mark: &Mark) -> Option<(String, String)> {
        let at = mark.position.0;
        let (source, head) = match mark.consumer.rsplit_once('@') {
            // A consumer of events counts in the public places of its source.
            Some((_, source)) => (source, self.logs.get(source).map(|log: &LogState| log.public)?),
            // A relay counts in the positions of its own log.
            None if mark.consumer == RELAY => (module, self.logs.get(module)?.head.0),
            None => return None,
        };
        let says =
            format!("stands at {at} of {source}, whose log ends at {head}: what comes there next would be skipped");
        (at > head).then(|| (format!("{module}, cursor {}", mark.consumer), says))
    }
    /// The number fits, and another event stands there: one of the two stores was restored from an older copy.
    fn elsewhere(&self, module: &str, mark: &Mark, marks: &[Mark]) -> Option<(String, String)> {
        let (_, source) = mark.consumer.rsplit_once('@')?;
        let there = self.stood_on.get(&(source.to_owned(), mark.position.0)).copied().flatten()?;
        let kept = marks.iter().find(|kept| kept.consumer == anchor_of(&mark.consumer))?.position;
        let says =
            format!("stands on another event of {source} at {} than the one that it has read there", mark.position);
        (kept != Position::ZERO && kept != anchor(there)).then(|| (format!("{module}, cursor {}", mark.consumer), says))
    }
}

/// Whether a cursor is of an earlier version of a projection that there is: `projection:<name>.v<version>@<source>`.
fn is_older(consumer: &str, versions: &BTreeMap<&str, u16>) -> bool {
    let consumer = consumer.strip_prefix("anchor:").unwrap_or(consumer);
    let of = || {
        let (name, _) = consumer.strip_prefix("projection:")?.rsplit_once('@')?;
        let (name, version) = name.rsplit_once(".v")?;
        Some(version.parse::<u16>().ok()? < *versions.get(name)?)
    };
    of().unwrap_or(false)
}

/// The consumer name of a module's relay.
pub const RELAY: &str = "relay";
