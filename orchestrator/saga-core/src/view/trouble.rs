//! A trouble: what does not work at the moment, where and since when.

use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

/// Something that does not work at the moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct Trouble {
    /// Where: a store, a relay, the bus.
    pub place: String,
    /// Since when.
    pub since: Timestamp,
    /// What.
    pub says: String,
}

impl Trouble {
    /// Whether it is about a module. What stands behind an `@` is the log that a consumer reads: it is well.
    pub fn names(&self, module: &str) -> bool {
        let mut words = self.place.split([' ', ',']).filter_map(|word| word.split('@').next());
        words.any(|word| word.split([':', '.']).any(|part| part == module))
    }
}
