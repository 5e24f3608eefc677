//! The two events of delivery that production listens to.

use crate::ids::{AssetId, PublishJobId};
use saga_core::event::{DecodeError, Event, Genesis, Origin, Owner, Upcast};
use saga_core::json::Payload;
use saga_core::time::Timestamp;
use serde::{Deserialize, Serialize};

/// The module delivery.
#[derive(Debug, Clone, Copy)]
pub enum Delivery {}
impl Owner for Delivery {
    const MODULE: &'static str = "delivery";
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct Publication {
    pub platform: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub external_id: Option<String>,
    pub url: String,
}

pub type PublishCompleted = PublishCompletedV2;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct PublishCompletedV1 {
    pub job_id: PublishJobId,
    pub published_urls: Vec<String>,
}
impl Event for PublishCompletedV1 {
    type Owner = Delivery;
    const NAME: &'static str = "PublishCompleted";
    const VERSION: u16 = 1;
    type Previous = Genesis;
}
impl Upcast<PublishCompletedV2> for PublishCompletedV1 {
    fn read(version: u16, data: &Payload, origin: &Origin) -> Result<Self, DecodeError> {
        Self::decode(version, data, origin)
    }
    fn upcast(self, origin: &Origin) -> PublishCompletedV2 {
        let publication = |url| Publication { platform: "unknown".to_owned(), external_id: None, url };
        let publications = self.published_urls.into_iter().map(publication).collect();
        PublishCompletedV2 { job_id: self.job_id, publications, at: origin.recorded_at, asset_id: None }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct PublishCompletedV2 {
    pub job_id: PublishJobId,
    pub publications: Vec<Publication>,
    pub at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub asset_id: Option<AssetId>,
}
impl Event for PublishCompletedV2 {
    type Owner = Delivery;
    const NAME: &'static str = "PublishCompleted";
    const VERSION: u16 = 2;
    type Previous = PublishCompletedV1;
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct PublishRetracted {
    pub job_id: PublishJobId,
    pub publications: Vec<Publication>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub asset_id: Option<AssetId>,
}
impl Event for PublishRetracted {
    type Owner = Delivery;
    const NAME: &'static str = "PublishRetracted";
    const VERSION: u16 = 1;
    type Previous = Genesis;
}
