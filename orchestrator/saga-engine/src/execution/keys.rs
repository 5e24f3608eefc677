//! The keys of a step's deed and of its undo, which hang on its rounds.

use saga_core::definition::deed_keys;
use saga_core::id::{Direction, SagaId, StepKey};
use std::fmt;
use std::sync::OnceLock;

/// The rounds of one step: they grow when an operator retries what has a recorded answer.
#[derive(Clone, Default)]
pub(super) struct Rounds {
    deed: u32,
    undo: u32,
    /// The keys of these rounds: an act and each answer to it ask for them, and they take a digest each.
    keys: OnceLock<(StepKey, StepKey)>,
}

/// Without the keys, which say nothing more: whether one was asked for is no part of a state.
impl fmt::Debug for Rounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.deed, self.undo)
    }
}

impl Rounds {
    /// How many rounds came before the one of the deed, and of the undo.
    pub(super) fn before(&self) -> (u32, u32) {
        (self.deed, self.undo)
    }
    /// Another deed, or undo, with another key.
    pub(super) fn next(&mut self, direction: Direction) {
        let (deed, undo) = match direction {
            Direction::Do => (self.deed + 1, self.undo),
            Direction::Undo => (self.deed, self.undo + 1),
        };
        *self = Self { deed, undo, keys: OnceLock::new() };
    }
    pub(super) fn keys(&self, saga: SagaId, path: &str) -> (StepKey, StepKey) {
        *self.keys.get_or_init(|| deed_keys(saga.0, path, self.deed, self.undo))
    }
}
