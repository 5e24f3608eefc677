//! What strategy is asked. Each question is answered from what it has told.

use super::MODULE;
use super::dtos::{ShelfView, StrategyDiff, StrategyDoc};
use events::ids::{BriefId, ClientId, StrategyId};
use saga_core::port;
use serde::{Deserialize, Serialize};

/// One version. A discarded one is not found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Get {
    pub strategy_id: StrategyId,
}
port!(MODULE: Get ? StrategyDoc);

/// All versions of a brief that are not discarded, oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ListVersions {
    pub brief_id: BriefId,
}
port!(MODULE: ListVersions ? Vec<StrategyDoc>);

/// The approved version of a brief; otherwise the newest that waits or is being written; otherwise nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Current {
    pub brief_id: BriefId,
}
port!(MODULE: Current ? Option<StrategyDoc>);

/// What is different between two versions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Diff {
    pub a: StrategyId,
    pub b: StrategyId,
}
port!(MODULE: Diff ? StrategyDiff);

/// Everything that waits for an approval, by brief and version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct PendingApprovals {}
port!(MODULE: PendingApprovals ? Vec<StrategyDoc>);

/// All versions of a client's briefs that were validated at some time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Shelf {
    pub client_id: ClientId,
}
port!(MODULE: Shelf ? ShelfView);
