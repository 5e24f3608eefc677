//! The preview of an order: what it would do, shown before it is given.

use super::SagaState;
use crate::id::SagaId;
use serde::{Deserialize, Serialize};

/// What an order would do, if it were given now. Nothing was ordered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct Foreseen {
    /// The saga.
    pub saga: SagaId,
    /// How many facts it has: order with this revision, and nothing else happens in between.
    pub rev: u64,
    /// The state that follows at once.
    pub state: SagaState,
    /// The facts that would be recorded at once.
    pub facts: Vec<String>,
    /// What would be sent or called at once.
    pub sends: Vec<String>,
    /// What would be undone, first to last, after the steps under way have been answered.
    pub undo: Vec<String>,
    /// What happened, or may have, and would stay as it is.
    pub stays: Vec<String>,
}
