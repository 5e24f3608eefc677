//! B6: no cursor stands above the head of what it reads: whatever came there next would be skipped. Pure.

use super::{Audit, LogState};
use crate::batch::Mark;
use crate::machine::projector::is_anchor;

impl Audit {
    /// Takes in the cursors of a module. They were read before the logs, which only grow.
    pub(super) fn cursors(&mut self, module: &str, marks: &[Mark]) {
        // Which event a cursor stands on is no place.
        let places = marks.iter().filter(|mark| !is_anchor(mark));
        let wrong: Vec<(String, String)> = places.filter_map(|mark| self.beyond(module, mark)).collect();
        for (place, says) in wrong {
            self.finding("B6", place, says);
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
}

/// The consumer name of a module's relay.
pub const RELAY: &str = "relay";
