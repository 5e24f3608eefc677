//! X1 by step instead of by key: one effect for each step and round, under whichever key.

use super::Audit;
use saga_core::fact::SagaFact;
use saga_core::id::{Direction, SagaId, StepKey};
use saga_core::time::Timestamp;
use std::collections::BTreeMap;

/// Which deed of which saga a key is of.
pub(super) type Keys = BTreeMap<StepKey, (SagaId, String, Direction)>;
/// The facts of every saga.
pub(super) type Stories = BTreeMap<SagaId, Vec<(SagaFact, Timestamp)>>;

impl Audit {
    /// A key that changed with the attempt would let every try do its deed once more, and no key would come twice.
    pub(super) fn rounds(&mut self, sagas: &Stories, keys: &Keys) {
        let mut effects: BTreeMap<(SagaId, &str, Direction), Vec<String>> = BTreeMap::new();
        for (module, log) in &self.logs {
            for (deed, (first, ..)) in &log.deeds {
                let Some((saga, step, direction)) = keys.get(&StepKey::from_uuid(*deed)) else { continue };
                effects.entry((*saga, step, *direction)).or_default().push(format!("{module}:{first}"));
            }
        }
        let mut wrong = Vec::new();
        for ((saga, step, direction), places) in effects {
            let facts = sagas.get(&saga).map_or(&[] as &[(SagaFact, Timestamp)], Vec::as_slice);
            // A further round of a deed has a further undo too.
            let further = |fact: &SagaFact| {
                matches!(fact, SagaFact::RetryOrdered(fact)
                    if fact.new_round && fact.step == step && (!fact.undo || direction == Direction::Undo))
            };
            let rounds = 1 + facts.iter().filter(|(fact, _)| further(fact)).count();
            if places.len() > rounds {
                let what = if direction == Direction::Undo { "the undo of " } else { "" };
                let (many, places) = (places.len(), places.join(", "));
                let says = format!("{what}{step} changed the world {many} times in {rounds} rounds: {places}");
                wrong.push((format!("saga {saga}"), says));
            }
        }
        for (place, says) in wrong {
            self.finding("X1", place, says);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use saga_core::envelope::Actor;
    use saga_core::fact::{By, RetryOrdered};
    use saga_core::id::Position;
    use std::sync::Arc;
    use uuid::Uuid;

    #[test]
    fn a_deed_under_two_keys_is_two_effects_unless_a_person_ordered_a_further_round() {
        let saga = SagaId(Uuid::from_u128(1));
        let by = By { actor: Actor::operator("dana"), reason: None, request: None };
        let retry = |new_round, undo| {
            let fact = RetryOrdered { step: "a".parse().unwrap(), undo, new_round, by: by.clone() };
            (SagaFact::RetryOrdered(fact), Timestamp::default())
        };
        let found = |direction, story: Vec<(SagaFact, Timestamp)>| {
            let mut audit = Audit::new(Arc::default());
            let mut keys = Keys::new();
            for (number, at) in [(7, 1), (8, 3)] {
                let deed = Uuid::from_u128(number);
                let log = audit.logs.entry("ledger".to_owned()).or_default();
                log.deeds.insert(deed, (Position(at), Position(at), saga.0, "a".to_owned()));
                keys.insert(StepKey::from_uuid(deed), (saga, "a".to_owned(), direction));
            }
            audit.rounds(&BTreeMap::from([(saga, story)]), &keys);
            audit.findings.iter().map(|finding| finding.promise.clone()).collect::<Vec<_>>()
        };
        for direction in [Direction::Do, Direction::Undo] {
            assert_eq!(found(direction, vec![]), ["X1"]);
            assert_eq!(found(direction, vec![retry(false, false)]), ["X1"], "the same round, tried again");
            assert!(found(direction, vec![retry(true, false)]).is_empty());
        }
        assert_eq!(found(Direction::Do, vec![retry(true, true)]), ["X1"], "a further round of the undo alone");
        assert!(found(Direction::Undo, vec![retry(true, true)]).is_empty());
    }
}
