//! What onboarding answers, and what it needs from outside.

use crate::api::dtos::{
    BriefCard, BriefMoved, BriefStatus, CallNotes, CapturedIntake, ClientStatus, CreatedProject, FunnelView,
    IntakeForm, IntakeView, NormalizedBrief, ProjectView,
};
use async_trait::async_trait;
use events::ids::{BriefId, ClientId, IntakeId, ProjectId};
use saga_core::command::{Common, Compensable, Query, Refusal};
use saga_core::id::StepKey;
use saga_core::port;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

const MODULE: &str = "onboarding";
/// What an undo gives as its reason.
const COMPENSATED: &str = "taken back by the saga";

/// Which form a capture replaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct NextForm {
    pub intake_id: IntakeId,
    /// The number this form will get: the view's `next_version`.
    pub version: u32,
}

/// Captures a form: of a new intake, or as the next version of one. Asking twice with one key gives one form.
///
/// The brief's id is the deed's key, the intake's id follows from the brief's.
/// Refused: `FORM_TOO_OLD`; `INVALID_FIELD` for a value of another kind than the question asks for, a fraction, a text
/// over its limit or a currency that is none; for a further form `NOT_FOUND`, `WRONG_STATE` when the intake was
/// withdrawn, `VERSION_CONFLICT` when the number is not the next one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct CaptureIntake {
    pub client_id: ClientId,
    pub form: IntakeForm,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub next_of: Option<NextForm>,
}
port!(MODULE: CaptureIntake -> CapturedIntake, CaptureRefused);
impl Compensable for CaptureIntake {
    type Undo = WithdrawIntake;
    fn undo(&self, deed: StepKey) -> WithdrawIntake {
        let first = NextForm { intake_id: ::events::onboarding::intake_of(BriefId::from(deed)), version: 1 };
        let NextForm { intake_id, version } = self.next_of.unwrap_or(first);
        WithdrawIntake { intake_id, version, reason: COMPENSATED.to_owned() }
    }
}

/// Takes one form of an intake out of use; earlier forms count again. Withdrawing twice is withdrawing once.
///
/// Its number is not used again. Refused: `NOT_FOUND`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct WithdrawIntake {
    pub intake_id: IntakeId,
    pub version: u32,
    pub reason: String,
}
port!(MODULE: WithdrawIntake -> (), Common);

/// Reads the newest form of a brief's intake into the normalised brief, with what was said on the call.
///
/// A brief that is normalised already from the same form is answered as it is, and then belongs to the deed that
/// normalised it: undoing this one takes nothing back.
/// Refused: `MISSING_FIELDS` with the names of required answers that nobody gave; `INVALID_FIELD` for a timeline that
/// cannot be read; `WRONG_STATE` for a cancelled brief, a withdrawn intake, or a brief that was read from another form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct NormalizeBrief {
    pub brief_id: BriefId,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub notes: Option<CallNotes>,
}
port!(MODULE: NormalizeBrief -> NormalizedBrief, BriefRefused);
impl Compensable for NormalizeBrief {
    type Undo = RevertBriefNormalization;
    fn undo(&self, deed: StepKey) -> RevertBriefNormalization {
        RevertBriefNormalization { brief_id: self.brief_id, reason: COMPENSATED.to_owned(), deed: Some(deed) }
    }
}

/// States that a normalised brief is complete. A brief that is validated already is answered as it is.
///
/// Its undo reverts the normalisation as well (residue: the brief is `REVERTED`, not `NORMALIZED`), so that undoing
/// this and [`NormalizeBrief`] comes to the same in either order.
/// Refused: `MISSING_FIELDS`, here also for an audience that nobody described; `WRONG_STATE`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ValidateBrief {
    pub brief_id: BriefId,
}
port!(MODULE: ValidateBrief -> BriefMoved, BriefRefused);
impl Compensable for ValidateBrief {
    type Undo = RevertBriefNormalization;
    fn undo(&self, deed: StepKey) -> RevertBriefNormalization {
        RevertBriefNormalization { brief_id: self.brief_id, reason: COMPENSATED.to_owned(), deed: Some(deed) }
    }
}

/// Takes the normalisation of a brief back; the intake stays. A reverted brief can be normalised again.
///
/// With a `deed` only what that deed normalised or validated is taken back, otherwise nothing happens; without one,
/// as a person sends it, whatever is there. Reverting twice is reverting once.
/// Refused (never as an undo): `NOT_FOUND`, `WRONG_STATE` when there is nothing to revert.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct RevertBriefNormalization {
    pub brief_id: BriefId,
    pub reason: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub deed: Option<StepKey>,
}
port!(MODULE: RevertBriefNormalization -> (), Common);

/// Gives a brief up, whatever its state. Cancelling twice is cancelling once. Refused: `NOT_FOUND`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct CancelBrief {
    pub brief_id: BriefId,
}
port!(MODULE: CancelBrief -> BriefMoved, Common);

/// Opens a project with a workspace. The project's id is the deed's key; asking twice opens one.
///
/// Refused: `WORKSPACE_REJECTED` with the provider's code; `NOT_FOUND` for a brief that is not there,
/// `INVALID_FIELD` for a brief of another client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct CreateProject {
    pub client_id: ClientId,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub brief_id: Option<BriefId>,
}
port!(MODULE: CreateProject -> CreatedProject, CreateProjectRefused);
impl Compensable for CreateProject {
    type Undo = CloseProject;
    fn undo(&self, deed: StepKey) -> CloseProject {
        CloseProject { project_id: ProjectId::from(deed), reason: COMPENSATED.to_owned() }
    }
}

/// Closes a project. Closing twice is closing once. Refused: `NOT_FOUND`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct CloseProject {
    pub project_id: ProjectId,
    pub reason: String,
}
port!(MODULE: CloseProject -> (), Common);

/// Why a form was not captured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(tag = "code", rename_all = "SCREAMING_SNAKE_CASE")]
#[non_exhaustive]
pub enum CaptureRefused {
    /// Filled in on a questionnaire that is no longer read.
    #[error("the form has version {schema_version}, the oldest that is read is {oldest}")]
    FormTooOld { schema_version: String, oldest: String },
    #[error(transparent)]
    #[serde(untagged)]
    Common(#[from] Common),
}
impl Refusal for CaptureRefused {
    fn code(&self) -> &'static str {
        match self {
            CaptureRefused::FormTooOld { .. } => "FORM_TOO_OLD",
            CaptureRefused::Common(common) => common.code(),
        }
    }
}

/// Why a brief was not normalised or validated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(tag = "code", rename_all = "SCREAMING_SNAKE_CASE")]
#[non_exhaustive]
pub enum BriefRefused {
    /// Required answers that nobody gave.
    #[error("the brief lacks {}", names.join(", "))]
    MissingFields { names: Vec<String> },
    #[error(transparent)]
    #[serde(untagged)]
    Common(#[from] Common),
}
impl Refusal for BriefRefused {
    fn code(&self) -> &'static str {
        match self {
            BriefRefused::MissingFields { .. } => "MISSING_FIELDS",
            BriefRefused::Common(common) => common.code(),
        }
    }
}

/// Why a project was not opened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(tag = "code", rename_all = "SCREAMING_SNAKE_CASE")]
#[non_exhaustive]
pub enum CreateProjectRefused {
    /// The provider says no, for good.
    #[error("the workspace was refused: {provider_code}")]
    WorkspaceRejected { provider_code: String },
    #[error(transparent)]
    #[serde(untagged)]
    Common(#[from] Common),
}
impl Refusal for CreateProjectRefused {
    fn code(&self) -> &'static str {
        match self {
            CreateProjectRefused::WorkspaceRejected { .. } => "WORKSPACE_REJECTED",
            CreateProjectRefused::Common(common) => common.code(),
        }
    }
}

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
impl Query for GetBrief {
    const MODULE: &'static str = MODULE;
    const NAME: &'static str = "Brief";
    type Answer = BriefCard;
}

/// One form of an intake: the newest that counts, or the one with this number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct GetIntake {
    pub intake_id: IntakeId,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub version: Option<u32>,
}
impl Query for GetIntake {
    const MODULE: &'static str = MODULE;
    const NAME: &'static str = "Intake";
    type Answer = IntakeView;
}

/// One project with its workspace and its stage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct GetProject {
    pub project_id: ProjectId,
}
impl Query for GetProject {
    const MODULE: &'static str = MODULE;
    const NAME: &'static str = "Project";
    type Answer = ProjectView;
}

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
impl Query for ListBriefs {
    const MODULE: &'static str = MODULE;
    const NAME: &'static str = "List";
    type Answer = Vec<BriefCard>;
}

/// How many briefs stand where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Funnel {}
port!(MODULE: Funnel ? FunnelView);

/// What onboarding needs from the outside world. The composition root brings it.
#[derive(Clone)]
pub struct Needs {
    pub workspace: Arc<dyn WorkspaceProvider>,
}

/// Where workspaces come from.
#[async_trait]
pub trait WorkspaceProvider: Send + Sync {
    /// Makes a workspace and gives its address. Must tolerate being called again with the same `key`: the same
    /// workspace is meant, whether or not the first call came through.
    async fn create(&self, key: StepKey, project_id: ProjectId) -> Result<String, ProviderError>;
}

/// How a provider fails.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProviderError {
    /// A final no.
    #[error("rejected: {code}")]
    Rejected { code: String },
    /// Not now.
    #[error("{says}")]
    TryLater { after_ms: u64, says: String },
    /// Not until a person mends what it says: rights, room, a quota. A person is told at once.
    #[error("{says}")]
    Mend { says: String },
    /// It may have happened. Ask again with the same key.
    #[error("the outcome is unknown")]
    Unknown,
}
