//! What onboarding is asked to do. Each request says its reply, its refusals and its undo.

use super::MODULE;
use super::dtos::{BriefMoved, CallNotes, CapturedIntake, CreatedProject, IntakeForm, NormalizedBrief};
use super::refusals::{BriefRefused, CaptureRefused, CreateProjectRefused};
use events::ids::{BriefId, ClientId, IntakeId, ProjectId};
use saga_core::command::Common;
use saga_core::id::StepKey;
use saga_core::port;
use serde::{Deserialize, Serialize};

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
port!(MODULE: CaptureIntake -> CapturedIntake, CaptureRefused, undo WithdrawIntake: |cmd, deed| {
    let first = NextForm { intake_id: ::events::onboarding::intake_of(BriefId::from(deed)), version: 1 };
    let NextForm { intake_id, version } = cmd.next_of.unwrap_or(first);
    WithdrawIntake { intake_id, version, reason: COMPENSATED.to_owned() }
});

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
port!(MODULE: NormalizeBrief -> NormalizedBrief, BriefRefused, undo RevertBriefNormalization: |cmd, deed| {
    RevertBriefNormalization { brief_id: cmd.brief_id, reason: COMPENSATED.to_owned(), deed: Some(deed) }
});

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
port!(MODULE: ValidateBrief -> BriefMoved, BriefRefused, undo RevertBriefNormalization: |cmd, deed| {
    RevertBriefNormalization { brief_id: cmd.brief_id, reason: COMPENSATED.to_owned(), deed: Some(deed) }
});

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
port!(MODULE: CreateProject -> CreatedProject, CreateProjectRefused, undo CloseProject: |_, deed| {
    CloseProject { project_id: ProjectId::from(deed), reason: COMPENSATED.to_owned() }
});

/// Closes a project. Closing twice is closing once. Refused: `NOT_FOUND`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct CloseProject {
    pub project_id: ProjectId,
    pub reason: String,
}
port!(MODULE: CloseProject -> (), Common);
