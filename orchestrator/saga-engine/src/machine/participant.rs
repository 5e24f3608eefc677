//! The barrier: what a module does with a command, given what its inbox remembers. Pure; the host asks and obeys.
//!
//! Duplicate, null compensation and late action, as in the literature on saga barriers (dtm): one table, five rows.

use saga_core::batch::InboxEntry;
use saga_core::bus::Delivered;
use saga_core::envelope::sha256;
use saga_core::id::{Direction, Epoch, StepKey};
use saga_core::outcome::{Answer, KEY_REUSED, Refused, TOMBSTONED};
use saga_core::ports::{Recollection, Remembered};
use uuid::Uuid;

/// The identity of one delivery of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrival {
    /// The saga (or request, or event).
    pub saga: Uuid,
    /// The deed's key in the direction `do`.
    pub deed: StepKey,
    /// The deed's key in the direction `undo`.
    pub undo: StepKey,
    /// Which of the two this command is.
    pub direction: Direction,
    /// sha256 of the payload.
    pub payload_hash: [u8; 32],
    /// The sender's epoch.
    pub epoch: Epoch,
}

impl Arrival {
    /// What the barrier knows a delivery by.
    pub fn of(delivered: &Delivered) -> Self {
        Self {
            saga: delivered.deed.saga,
            deed: delivered.keys.0,
            undo: delivered.keys.1,
            direction: delivered.deed.direction,
            payload_hash: sha256(delivered.payload.as_str().as_bytes()),
            epoch: delivered.epoch,
        }
    }
    /// The key of the direction that this command has.
    pub fn key(&self) -> StepKey {
        match self.direction {
            Direction::Do => self.deed,
            Direction::Undo => self.undo,
        }
    }
}

/// What to do with a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Admission {
    /// Known: give this answer, commit nothing.
    Answer(Answer),
    /// New, but decided by the barrier alone: commit this row without events, then give its answer.
    Record(InboxEntry),
    /// New: call the handler; commit its events together with a row that has this answer's place.
    Decide,
    /// From an owner that was replaced: drop it, count it.
    Stale {
        /// The newest epoch seen.
        newest: Epoch,
    },
}

/// Judges one arrival (semantics: "a module receives a command", rules 1 to 5).
pub fn admit(arrival: &Arrival, memory: &Recollection) -> Admission {
    let known = match arrival.direction {
        Direction::Do => &memory.deed,
        Direction::Undo => &memory.undo,
    };
    if let Some(row) = known {
        return Admission::Answer(repeat(arrival, row));
    }
    if arrival.epoch < memory.epoch {
        return Admission::Stale { newest: memory.epoch };
    }
    match arrival.direction {
        Direction::Do if memory.undo.is_some() => {
            let refused = Refused::new(TOMBSTONED, "this was undone before it arrived");
            // It is recorded *because* the undo is there.
            Admission::Record(InboxEntry { unless: None, ..entry(arrival, Answer::Refused(refused)) })
        }
        Direction::Undo => match &memory.deed {
            Some(Remembered { answer: Answer::Done { .. }, .. }) => Admission::Decide,
            // The deed was refused or never seen: nothing to undo. The row is the tombstone that stops a late deed.
            Some(Remembered { answer: Answer::Refused(_) | Answer::Retry { .. }, .. }) | None => {
                Admission::Record(entry(arrival, nothing_to_undo()))
            }
        },
        Direction::Do => Admission::Decide,
    }
}

/// The first answer again, or a refusal when the same key comes with another payload.
pub fn repeat(arrival: &Arrival, row: &Remembered) -> Answer {
    if row.payload_hash == arrival.payload_hash {
        return row.answer.clone();
    }
    Answer::Refused(Refused::new(KEY_REUSED, format!("key {} was used with another payload", arrival.key())))
}

/// The row that makes an answer final.
pub fn entry(arrival: &Arrival, answer: Answer) -> InboxEntry {
    let unless = match arrival.direction {
        Direction::Do => Some(arrival.undo),
        Direction::Undo => None,
    };
    InboxEntry {
        saga: arrival.saga,
        key: arrival.key(),
        direction: arrival.direction,
        unless,
        payload_hash: arrival.payload_hash,
        epoch: arrival.epoch,
        answer,
    }
}

/// The answer of an undo that found nothing: done, with the mark that nothing was there.
pub fn nothing_to_undo() -> Answer {
    Answer::Done { output: saga_core::json::Payload::trusted(NOTHING_TO_UNDO) }
}

/// The reply of an undo for a deed that never happened.
pub const NOTHING_TO_UNDO: &str = r#""nothing_to_undo""#;

#[cfg(test)]
mod tests {
    use super::*;
    use saga_core::json::Payload;

    fn arrival(direction: Direction) -> Arrival {
        let saga = Uuid::from_u128(1);
        Arrival {
            saga,
            deed: StepKey::derive(saga, "render", Direction::Do),
            undo: StepKey::derive(saga, "render", Direction::Undo),
            direction,
            payload_hash: [7; 32],
            epoch: Epoch(3),
        }
    }
    fn row(answer: Answer) -> Option<Remembered> {
        Some(Remembered { payload_hash: [7; 32], answer })
    }
    fn done() -> Answer {
        Answer::Done { output: Payload::null() }
    }

    #[test]
    fn the_barrier_in_one_table() {
        let refused = || Answer::Refused(Refused::new("NO", "no"));
        let memory = |deed, undo, epoch| Recollection { deed, undo, epoch: Epoch(epoch) };
        let (act, undo) = (arrival(Direction::Do), arrival(Direction::Undo));
        let answer_of = |verdict| match verdict {
            Admission::Record(entry) => entry.answer,
            other @ (Admission::Answer(_) | Admission::Decide | Admission::Stale { .. }) => panic!("{other:?}"),
        };
        // 1 a duplicate gets the first answer, whatever the epoch
        assert_eq!(admit(&act, &memory(row(done()), None, 9)), Admission::Answer(done()));
        assert_eq!(admit(&undo, &memory(None, row(done()), 9)), Admission::Answer(done()));
        // 2 a late deed meets its undo
        let late = answer_of(admit(&act, &memory(None, row(done()), 0)));
        assert!(matches!(late, Answer::Refused(refused) if refused.code == TOMBSTONED));
        // 3 an undo without a deed leaves a tombstone and is done
        assert_eq!(answer_of(admit(&undo, &memory(None, None, 0))), nothing_to_undo());
        assert_eq!(answer_of(admit(&undo, &memory(row(refused()), None, 0))), nothing_to_undo());
        // 4 an old epoch is dropped
        assert_eq!(admit(&act, &memory(None, None, 4)), Admission::Stale { newest: Epoch(4) });
        // 5 otherwise the handler decides
        assert_eq!(admit(&act, &memory(None, None, 3)), Admission::Decide);
        assert_eq!(admit(&undo, &memory(row(done()), None, 3)), Admission::Decide);
    }

    #[test]
    fn a_refusal_of_the_modules_own_is_recorded_only_while_nothing_was_undone_whatever_it_is_called() {
        let act = arrival(Direction::Do);
        for code in ["NO", TOMBSTONED, KEY_REUSED] {
            let row = entry(&act, Answer::Refused(Refused::new(code, "no")));
            assert_eq!(row.unless, Some(act.undo), "{code}");
        }
        let undone = Recollection { deed: None, undo: row(done()), epoch: Epoch(0) };
        let Admission::Record(tombstone) = admit(&act, &undone) else { panic!() };
        assert_eq!(tombstone.unless, None, "it is recorded because the undo is there");
    }

    #[test]
    fn another_payload_under_a_known_key_is_refused() {
        let mut other = arrival(Direction::Do);
        other.payload_hash = [8; 32];
        let memory = Recollection { deed: row(done()), undo: None, epoch: Epoch(0) };
        assert!(matches!(admit(&other, &memory),
            Admission::Answer(Answer::Refused(refused)) if refused.code == KEY_REUSED));
    }
}
