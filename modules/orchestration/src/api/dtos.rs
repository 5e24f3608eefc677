//! What sagas are started with, and the decisions that people take at their gates.

use onboarding::api::dtos::BriefForm;
use saga_core::step::Gate;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::num::NonZeroU32;

/// The input of the saga `client-to-delivery`: a client's brief, as the client filled it in.
///
/// Every field is checked at the door (`Saga::check`), and never again: what a saga began with under older rules is read.
/// The text is kept as it came; normalising it is onboarding's work.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ClientToDelivery(pub Map<String, Value>);

#[cfg(feature = "schemas")]
impl schemars::JsonSchema for ClientToDelivery {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "ClientToDelivery".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        onboarding::api::dtos::form::schema::schema()
    }
}

impl ClientToDelivery {
    /// The form as a type; answers that are not there are empty.
    pub fn form(&self) -> BriefForm {
        BriefForm::read(&self.0).unwrap_or_default()
    }
}

/// Where a person decides about a submitted strategy.
pub const STRATEGY_APPROVED: Gate<StrategyDecision> = Gate::named("strategy-approved").example(r#"{"approved":true}"#);

/// The decision: approve, or reject with a reason; a rejected strategy is written again, three times at most.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct StrategyDecision {
    /// Yes or no.
    pub approved: bool,
    /// Who decided; whoever sends the signal when it is not said.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub by: Option<String>,
    /// Why; needed for a no.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub note: Option<String>,
}

/// The input of the saga `printed-proof`: what is printed, and where it goes. An empty address is the courier's to refuse.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct PrintedProof {
    /// What stands on it.
    pub title: String,
    /// How often it is printed.
    pub copies: NonZeroU32,
    /// Where the courier brings it.
    pub address: String,
    /// In how many parcels.
    pub parcels: NonZeroU32,
}
