//! What production is asked. Each question is answered from what it has told.

use super::MODULE;
use super::dtos::{AssetDoc, AssetStatus, BundleDoc, DraftDoc, LineageDoc};
use events::ids::{AssetId, BundleId, CampaignId, DraftId};
use saga_core::port;
use serde::{Deserialize, Serialize};

/// One draft; nothing when it was discarded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Draft {
    pub draft_id: DraftId,
}
port!(MODULE: Draft ? Option<DraftDoc>);

/// One bundle; nothing when it was discarded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Bundle {
    pub bundle_id: BundleId,
}
port!(MODULE: Bundle ? Option<BundleDoc>);

/// One asset; nothing when it was discarded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Asset {
    pub asset_id: AssetId,
}
port!(MODULE: Asset ? Option<AssetDoc>);

/// Where an asset comes from and where it went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Lineage {
    pub asset_id: AssetId,
}
port!(MODULE: Lineage ? Option<LineageDoc>);

/// A page of assets by id, at most 100, after the one named.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Gallery {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub campaign: Option<CampaignId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<AssetStatus>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub platform: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<AssetId>,
}
port!(MODULE: Gallery ? Vec<AssetDoc>);
