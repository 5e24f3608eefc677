//! What delivery is asked. Each question is answered from what it has told.

use super::MODULE;
use super::dtos::{ExecutionSettings, JobCursor, JobPage, JobStatus, JobView, Moment, PackageStatus, PackageView};
use events::ids::{CampaignId, ClientId, DeliveryPackageId, DraftId, PublishJobId};
use saga_core::port;
use saga_core::time::Timestamp;
use serde::{Deserialize, Serialize};

/// One package; `None` if it never was. A withdrawn package is shown as such.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct GetPackage {
    pub package_id: DeliveryPackageId,
}
port!(MODULE: GetPackage ? Option<PackageView>);

/// The shelf: packages by client and status; withdrawn ones only when asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Packages {
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub client_id: Option<ClientId>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub draft_id: Option<DraftId>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub status: Option<PackageStatus>,
}
port!(MODULE: Packages ? Vec<PackageView>);

/// One job; `None` if it never was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct GetJob {
    pub job_id: PublishJobId,
}
port!(MODULE: GetJob ? Option<JobView>);

/// Jobs queued after `since`, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Jobs {
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub campaign_id: Option<CampaignId>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub status: Option<JobStatus>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub since: Option<Timestamp>,
    /// `next` of the page before.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub after: Option<JobCursor>,
    /// 100 when absent; at most 1,000.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub limit: Option<u32>,
}
port!(MODULE: Jobs ? JobPage);

/// Everything that happened to the jobs of a campaign, in order of time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Timeline {
    pub campaign_id: CampaignId,
}
port!(MODULE: Timeline ? Vec<Moment>);

/// Jobs that need a person: outcome unknown, or a publication that could not be taken back.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Unresolved {}
port!(MODULE: Unresolved ? Vec<JobView>);

/// What may be published now.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Execution {}
port!(MODULE: Execution ? ExecutionSettings);
