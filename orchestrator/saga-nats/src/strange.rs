//! Messages in a stream of events that are not its owner's: readers notice them, and they are shown until they are
//! gone.

use crate::lock;
use crate::subject::stream_of;
use saga_core::bus::Ailment;
use std::collections::BTreeMap;
use std::sync::Mutex;

/// By module: when the stream was created, and what was found in it.
#[derive(Default)]
pub(crate) struct Strange(Mutex<BTreeMap<String, (String, String)>>);

impl Strange {
    /// At `seq` of the stream of `module` stands something that `says` what it is. The words for it come back.
    pub(crate) fn note(&self, module: &str, created: String, seq: u64, says: &str) -> String {
        let stream = stream_of(module);
        let words = format!(
            "what stands at {seq} of {stream} {says}; it is not read. Find out who published it, then have the stream filled \
             again from the log: sagactl events republish {module} --config FILE (sagactl help SG0314)"
        );
        let mut all = lock(&self.0);
        // The first thing that was found is where it began.
        match all.get_mut(module) {
            Some((of, known)) if *of == created => {
                if known.starts_with(&format!("what stands at {seq} of")) {
                    known.clone_from(&words);
                }
            }
            _ => {
                tracing::error!(module, seq, says = words, "a foreign message");
                all.insert(module.to_owned(), (created, words.clone()));
            }
        }
        words
    }
    /// The stream of `module` was created then: findings in an earlier one are gone with it.
    pub(crate) fn forget(&self, module: &str, created: &str) {
        lock(&self.0).retain(|of, (then, _)| of != module || then == created);
    }
    pub(crate) fn ailments(&self) -> Vec<Ailment> {
        let all = lock(&self.0);
        all.iter().map(|(module, (_, says))| Ailment { place: stream_of(module), says: says.clone() }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_found_is_shown_until_the_stream_is_a_new_one() {
        let strange = Strange::default();
        strange.note("law", "monday".to_owned(), 3, "is not its owner's: the owner's log ends at 2");
        strange.note("law", "monday".to_owned(), 4, "is not its owner's: the owner's log ends at 2");
        let found = strange.ailments();
        assert_eq!((found.len(), found[0].place.as_str()), (1, "EVT_law"));
        assert!(found[0].says.starts_with("what stands at 3 of EVT_law is not its owner's"), "{found:?}");
        strange.forget("law", "monday");
        strange.forget("other", "tuesday");
        assert_eq!(strange.ailments(), found);
        strange.forget("law", "tuesday");
        assert_eq!(strange.ailments(), []);
    }
}
