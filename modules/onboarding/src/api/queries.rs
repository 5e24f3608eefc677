//! What onboarding is asked. Each question is answered from what it has told.

use super::MODULE;
use super::dtos::{BriefCard, BriefStatus, ClientStatus, FunnelView, IntakeView, ProjectView};
use events::ids::{BriefId, ClientId, IntakeId, ProjectId};
use saga_core::port;
use serde::{Deserialize, Serialize};

/// How far a client's onboarding is. A client nobody has heard of is at its beginning.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Status {
    pub client_id: ClientId,
}
port!(MODULE: Status ? ClientStatus);

/// One brief, with what is missing and the stage of its project.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct GetBrief {
    pub brief_id: BriefId,
}
port!(MODULE: GetBrief as "Brief" ? BriefCard);

/// One form of an intake: the newest that counts, or the one with this number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct GetIntake {
    pub intake_id: IntakeId,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub version: Option<u32>,
}
port!(MODULE: GetIntake as "Intake" ? IntakeView);

/// One project with its workspace and its stage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct GetProject {
    pub project_id: ProjectId,
}
port!(MODULE: GetProject as "Project" ? ProjectView);

/// A page of briefs in the order of their ids: the intake inbox is this with the status `CAPTURED`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ListBriefs {
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub client_id: Option<ClientId>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub status: Option<BriefStatus>,
    /// Only what comes after this brief.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub after: Option<BriefId>,
    /// At most this many, held at 1,000; 0 means 100.
    #[serde(default)]
    pub limit: u32,
}
port!(MODULE: ListBriefs as "List" ? Vec<BriefCard>);

/// How many briefs stand where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Funnel {}
port!(MODULE: Funnel ? FunnelView);
