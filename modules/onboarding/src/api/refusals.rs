//! The business "no" of each family of commands, with codes that stay for ever.

use saga_core::command::{Common, Refusal};
use serde::{Deserialize, Serialize};

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
