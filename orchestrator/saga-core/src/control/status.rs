//! The status of a process, and the modules and definitions that are registered in it.

use crate::json::Payload;
use crate::view::Trouble;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One registered definition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct DefinitionRow {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: u16,
    /// Its digest: of meaning and tuning.
    pub digest: String,
    /// The digest of its meaning, which an open saga keeps.
    #[serde(default)]
    pub meaning: String,
    /// How many steps it has.
    pub steps: usize,
    /// An input that fits, if the definition names one.
    pub example: Option<Payload>,
}

/// Something that works as it should, and waits for a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct Attention {
    /// How many there are.
    pub count: u64,
    /// What: the rest of a sentence that begins with the number.
    pub says: String,
    /// What a person does first.
    pub next: String,
    /// Nothing but a person ends it, and it is not how things go: a check has findings because of it. A gate that waits
    /// for its decision is not.
    pub urgent: bool,
    /// The name of the metric that counts it, if one does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metric: Option<String>,
}

/// Who answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct Status {
    /// The program's version.
    pub version: String,
    /// Where the stores are.
    pub store: String,
    /// What the bus is.
    pub bus: String,
    /// Module names.
    pub modules: Vec<String>,
    /// `name@version` of the definitions.
    pub sagas: Vec<String>,
    /// Whether everything is fit to serve.
    pub ready: bool,
    /// The process id.
    pub pid: u32,
    /// The coordinator groups that this process owns.
    #[serde(default)]
    pub groups: Vec<u16>,
    /// Everything that waits for a person, the worst first. It says nothing about the process, which may be ready all
    /// the same.
    #[serde(default)]
    pub attention: Vec<Attention>,
    /// What does not work at the moment; there is something whenever it is not ready.
    #[serde(default)]
    pub troubles: Vec<Trouble>,
    /// What went wrong since the start and was repaired, by kind.
    #[serde(default)]
    pub incidents: BTreeMap<String, u64>,
    /// Modules whose stores other processes have: at its start this one compared only its own with each other.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_compared: Vec<String>,
    /// What could not be read or counted now, and why, a line each: nothing is said of it above.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_known: Vec<String>,
}
