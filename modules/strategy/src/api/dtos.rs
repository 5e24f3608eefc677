//! Values that cross the door: the brief as strategy needs it, what a writer writes, and a version as people see it.

use crate::api::events::{Channel, Kpi, Layers, StrategyGenerated, Timeline, Writer};
use events::ids::{BriefId, ClientId, StrategyId};
use events::values::{Money, Text};
use saga_core::envelope::Actor;
use serde::{Deserialize, Serialize};

mod measured;
mod placeholders;
pub use measured::measured;
pub use placeholders::placeholders;

/// What a strategy is written from. Its fields are called like those of the normalised brief, and what it does not
/// know it ignores, so that one can be read as the other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct BriefSnapshot {
    pub brief_id: BriefId,
    pub client_name: String,
    #[serde(default)]
    pub industry: String,
    #[serde(default)]
    pub geography: String,
    #[serde(default)]
    pub description: String,
    #[serde(default)]
    pub language: String,
    #[serde(default)]
    pub audience: String,
    #[serde(default)]
    pub pain_points: Vec<String>,
    #[serde(default)]
    pub primary_goal: String,
    /// All goals, the primary one first.
    #[serde(default)]
    pub goals: Vec<String>,
    #[serde(default)]
    pub kpis: Vec<WantedKpi>,
    #[serde(default)]
    pub tone: Vec<String>,
    #[serde(default)]
    pub competitors: Vec<String>,
    #[serde(default)]
    pub must_include: Vec<String>,
    #[serde(default)]
    pub must_avoid: Vec<String>,
    #[serde(default)]
    pub other_constraints: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub budget: Option<Money>,
    #[serde(default)]
    pub offers: Vec<WantedOffer>,
    #[serde(default)]
    pub content_plan: Vec<WantedContent>,
    #[serde(default)]
    pub focus_platforms: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub timeline_weeks: Option<WeekSpan>,
}

/// A number the client wants to reach.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct WantedKpi {
    pub name: String,
    pub target: i64,
    pub unit: String,
}

/// Something the client sells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct WantedOffer {
    pub name: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub usp: Option<String>,
}

/// So many pieces for one platform.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct WantedContent {
    pub platform: String,
    pub format: String,
    pub language: String,
    pub count: u32,
}

/// A span of weeks; both ends count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct WeekSpan {
    pub min: u32,
    pub max: u32,
}

/// What a writer writes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct Outline {
    pub summary: String,
    pub kpis: Vec<Kpi>,
    /// Their shares add up to 10,000.
    pub channels: Vec<Channel>,
    pub timeline: Timeline,
    pub layers: Layers,
    pub writer: Writer,
}

/// What is to be different in the next version; whatever is absent stays.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct StrategyPatch {
    pub summary: Option<String>,
    pub kpis: Option<Vec<Kpi>>,
    pub channels: Option<Vec<Channel>>,
    pub timeline: Option<Timeline>,
    /// Each named layer is replaced.
    pub layers: Layers,
}

/// Where a version stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum StrategyStatus {
    Draft,
    Submitted,
    Approved,
    Rejected,
    Discarded,
    Superseded,
    Revoked,
}

impl StrategyStatus {
    /// The word on the wire.
    pub fn word(self) -> &'static str {
        match self {
            StrategyStatus::Draft => "DRAFT",
            StrategyStatus::Submitted => "SUBMITTED",
            StrategyStatus::Approved => "APPROVED",
            StrategyStatus::Rejected => "REJECTED",
            StrategyStatus::Discarded => "DISCARDED",
            StrategyStatus::Superseded => "SUPERSEDED",
            StrategyStatus::Revoked => "REVOKED",
        }
    }
}

/// One version of a brief's strategy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct StrategyDoc {
    pub strategy_id: StrategyId,
    pub brief_id: BriefId,
    pub version: u32,
    pub status: StrategyStatus,
    pub summary: Text,
    pub channels: Vec<Channel>,
    pub kpis: Vec<Kpi>,
    pub layers: Layers,
    pub timeline: Timeline,
    pub writer: Writer,
    /// sha256 of everything that was written.
    pub content_hash: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub author: Option<Actor>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub amends: Option<StrategyId>,
    #[serde(default)]
    pub reviewers: Vec<String>,
    /// Who approved, rejected or revoked it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub decided_by: Option<Actor>,
    /// The note of an approval, or the reason of a rejection or revocation.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub note: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub superseded_by: Option<StrategyId>,
    /// The brief it was written from was reverted.
    #[serde(default)]
    pub stale: bool,
}

impl StrategyDoc {
    /// A version as it was written, in this state.
    pub fn of(event: &StrategyGenerated, status: StrategyStatus) -> Self {
        Self {
            strategy_id: event.strategy_id,
            brief_id: event.brief_id,
            version: event.version,
            status,
            summary: event.summary.clone(),
            channels: event.channels.clone(),
            kpis: event.kpis.clone(),
            layers: event.layers.clone(),
            timeline: event.timeline.clone(),
            writer: event.writer.clone(),
            content_hash: content_hash(event),
            author: event.author.clone(),
            amends: event.amends,
            reviewers: Vec::new(),
            decided_by: None,
            note: None,
            superseded_by: None,
            stale: false,
        }
    }
}

/// sha256 of everything that a version says: what an approval is an approval of.
pub fn content_hash(event: &StrategyGenerated) -> String {
    let said = (&event.summary, &event.kpis, &event.channels, &event.timeline, &event.layers);
    // Plain data with text keys always has a JSON form; the empty text stands for the case that cannot be.
    saga_core::module::content_hash(&serde_json::to_string(&said).unwrap_or_default())
}

/// The answer of a command that only moves a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct StrategyMoved {
    pub strategy_id: StrategyId,
    pub brief_id: BriefId,
    pub version: u32,
    pub status: StrategyStatus,
}

/// What is different between two versions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct StrategyDiff {
    pub a: StrategyId,
    pub b: StrategyId,
    pub changes: Vec<Change>,
}

/// One difference; a side is absent where the version has no such thing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct Change {
    /// `summary`, `timeline`, `kpis/<name>`, `channels/<platform>`, `layers/<layer>`.
    pub field: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub from: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub to: Option<String>,
}

/// All strategies of a client's briefs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct ShelfView {
    pub client_id: ClientId,
    /// By brief and version.
    pub versions: Vec<StrategyDoc>,
}
