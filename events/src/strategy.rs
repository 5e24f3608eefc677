//! The three events of strategy that production listens to.

use crate::ids::{BriefId, StrategyId};
use saga_core::envelope::{Actor, ActorKind};
use saga_core::event::{DecodeError, Event, Genesis, Origin, Owner, Upcast};
use saga_core::json::Payload;
use serde::{Deserialize, Serialize};

/// The module strategy.
#[derive(Debug, Clone, Copy)]
pub enum Strategy {}
impl Owner for Strategy {
    const MODULE: &'static str = "strategy";
}

pub type StrategyApproved = StrategyApprovedV2;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct StrategyApprovedV1 {
    pub strategy_id: StrategyId,
    pub brief_id: BriefId,
    pub approved_by: String,
}
impl Event for StrategyApprovedV1 {
    type Owner = Strategy;
    const NAME: &'static str = "StrategyApproved";
    const VERSION: u16 = 1;
    type Previous = Genesis;
}
impl Upcast<StrategyApprovedV2> for StrategyApprovedV1 {
    fn read(version: u16, data: &Payload, origin: &Origin) -> Result<Self, DecodeError> {
        Self::decode(version, data, origin)
    }
    fn upcast(self, _: &Origin) -> StrategyApprovedV2 {
        StrategyApprovedV2 {
            strategy_id: self.strategy_id,
            brief_id: self.brief_id,
            approved_by: Actor { kind: ActorKind::Operator, id: self.approved_by },
            version: 1,
            note: None,
            content_hash: None,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct StrategyApprovedV2 {
    pub strategy_id: StrategyId,
    pub brief_id: BriefId,
    pub approved_by: Actor,
    pub version: u32,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub note: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub content_hash: Option<String>,
}
impl Event for StrategyApprovedV2 {
    type Owner = Strategy;
    const NAME: &'static str = "StrategyApproved";
    const VERSION: u16 = 2;
    type Previous = StrategyApprovedV1;
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct StrategyApprovalRevoked {
    pub strategy_id: StrategyId,
    pub reason: String,
    pub actor: Actor,
}
impl Event for StrategyApprovalRevoked {
    type Owner = Strategy;
    const NAME: &'static str = "StrategyApprovalRevoked";
    const VERSION: u16 = 1;
    type Previous = Genesis;
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct StrategyDiscarded {
    pub strategy_id: StrategyId,
    pub reason: String,
}
impl Event for StrategyDiscarded {
    type Owner = Strategy;
    const NAME: &'static str = "StrategyDiscarded";
    const VERSION: u16 = 1;
    type Previous = Genesis;
}
