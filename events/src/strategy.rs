//! What strategy tells the world: versions of a brief's strategy, and what was decided about them.
//!
//! Beyond the fields that the events are known by, some carry optional ones: `author` says who wrote a version, so that
//! nobody approves their own; `deed` says which deed submitted it, so that an undo takes back its own work only.

use crate::ids::{BriefId, StrategyId};
use crate::values::{Money, Text};
use saga_core::envelope::Actor;
use saga_core::event::{Origin, Owner, Upcast};
use saga_core::id::StepKey;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

mod examples;

/// The owner of these events.
#[derive(Debug, Clone, Copy)]
pub enum Strategy {}
impl Owner for Strategy {
    const MODULE: &'static str = "strategy";
}

story! {
    /// The story of all versions of one brief's strategy.
    pub enum StrategyEvent of Strategy in "strategy_document" {
        StrategyGenerated(StrategyGeneratedV1, StrategyGeneratedV2), StrategySubmitted, StrategySubmissionWithdrawn,
        StrategyApproved(StrategyApprovedV1, StrategyApprovedV2), StrategyRejected, StrategyDiscarded,
        StrategyApprovalRevoked, StrategySuperseded,
    }
}

/// A number by which success is measured, and by when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct Kpi {
    pub name: String,
    pub target: i64,
    pub unit: String,
    pub timeframe_days: u32,
}

/// A channel and its share of the budget.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct Channel {
    pub platform: String,
    #[serde(default)]
    pub formats: Vec<String>,
    #[serde(default)]
    pub role: String,
    pub share_bp: u32,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub budget: Option<Money>,
}

/// A stretch of work; both weeks count.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct Phase {
    pub name: String,
    pub week_from: u32,
    pub week_to: u32,
}

/// When what is done.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct Timeline {
    #[serde(default)]
    pub phases: Vec<Phase>,
}

/// The eight layers of a strategy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Layer {
    BusinessReality,
    MarketTruth,
    AudiencePsychology,
    ValueArchitecture,
    Narrative,
    ChannelStrategy,
    Constraints,
    Measurement,
}

impl Layer {
    /// All of them, in the order in which they are read.
    pub const ALL: [Layer; 8] = [
        Layer::BusinessReality,
        Layer::MarketTruth,
        Layer::AudiencePsychology,
        Layer::ValueArchitecture,
        Layer::Narrative,
        Layer::ChannelStrategy,
        Layer::Constraints,
        Layer::Measurement,
    ];
    /// Its word on the wire.
    pub fn word(self) -> &'static str {
        match self {
            Layer::BusinessReality => "business_reality",
            Layer::MarketTruth => "market_truth",
            Layer::AudiencePsychology => "audience_psychology",
            Layer::ValueArchitecture => "value_architecture",
            Layer::Narrative => "narrative",
            Layer::ChannelStrategy => "channel_strategy",
            Layer::Constraints => "constraints",
            Layer::Measurement => "measurement",
        }
    }
}

/// The text of each layer.
pub type Layers = BTreeMap<Layer, String>;

/// Who put the words together, and from which request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct Writer {
    pub provider: String,
    #[serde(default)]
    pub prompt_hash: String,
}

/// Version 1: that there is a strategy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct StrategyGeneratedV1 {
    pub strategy_id: StrategyId,
    pub brief_id: BriefId,
    pub version: u32,
}
/// Version 2: what it says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct StrategyGeneratedV2 {
    pub strategy_id: StrategyId,
    pub brief_id: BriefId,
    pub version: u32,
    pub kpis: Vec<Kpi>,
    pub channels: Vec<Channel>,
    pub timeline: Timeline,
    pub layers: Layers,
    pub summary: Text,
    pub writer: Writer,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub author: Option<Actor>,
    /// The version this one was amended from.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub amends: Option<StrategyId>,
}
impl Upcast<StrategyGeneratedV2> for StrategyGeneratedV1 {
    fn upcast(self, _: &Origin) -> StrategyGeneratedV2 {
        StrategyGeneratedV2 {
            strategy_id: self.strategy_id,
            brief_id: self.brief_id,
            version: self.version,
            kpis: Vec::new(),
            channels: Vec::new(),
            timeline: Timeline::default(),
            layers: Layers::new(),
            summary: Text::default(),
            writer: Writer { provider: "legacy".to_owned(), prompt_hash: String::new() },
            author: None,
            amends: None,
        }
    }
}

/// A version waits for its approval.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct StrategySubmitted {
    pub strategy_id: StrategyId,
    pub reviewers: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub deed: Option<StepKey>,
}

/// It waits no longer; it is a draft again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct StrategySubmissionWithdrawn {
    pub strategy_id: StrategyId,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<String>,
}

/// Version 1: approved by a name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct StrategyApprovedV1 {
    pub strategy_id: StrategyId,
    pub brief_id: BriefId,
    pub approved_by: String,
}
/// Version 2: approved by an actor, with what exactly was approved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct StrategyApprovedV2 {
    pub strategy_id: StrategyId,
    pub brief_id: BriefId,
    pub approved_by: Actor,
    pub version: u32,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub note: Option<String>,
    /// sha256 of the content; absent where the old log did not say.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub content_hash: Option<String>,
}
impl Upcast<StrategyApprovedV2> for StrategyApprovedV1 {
    fn upcast(self, _: &Origin) -> StrategyApprovedV2 {
        StrategyApprovedV2 {
            strategy_id: self.strategy_id,
            brief_id: self.brief_id,
            approved_by: Actor::operator(self.approved_by),
            version: 1,
            note: None,
            content_hash: None,
        }
    }
}

/// Somebody said no.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct StrategyRejected {
    pub strategy_id: StrategyId,
    pub reason: String,
    pub actor: Actor,
}

/// The version is off the shelf.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct StrategyDiscarded {
    pub strategy_id: StrategyId,
    pub reason: String,
}

/// The approval counts no longer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct StrategyApprovalRevoked {
    pub strategy_id: StrategyId,
    pub reason: String,
    pub actor: Actor,
}

/// A newer version was approved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct StrategySuperseded {
    pub strategy_id: StrategyId,
    pub by: StrategyId,
}
