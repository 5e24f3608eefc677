//! The business "no" of each family of commands, with codes that stay for ever.

use saga_core::command::{Common, Refusal};
use serde::{Deserialize, Serialize};

/// Why a content was not judged.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(tag = "code", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum EvaluateRefused {
    /// Nothing visible.
    #[error("there is nothing to judge")]
    SubjectEmpty,
    /// As for every command.
    #[error(transparent)]
    #[serde(untagged)]
    Common(#[from] Common),
}
impl Refusal for EvaluateRefused {
    fn code(&self) -> &'static str {
        match self {
            EvaluateRefused::SubjectEmpty => "SUBJECT_EMPTY",
            EvaluateRefused::Common(common) => common.code(),
        }
    }
}

/// Why a result was not waived.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(tag = "code", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum WaiveRefused {
    /// What blocks cannot be waived.
    #[error("the check {check} is a blocker and failed; that cannot be waived")]
    BlockerFailed {
        /// Which check.
        check: String,
    },
    /// As for every command.
    #[error(transparent)]
    #[serde(untagged)]
    Common(#[from] Common),
}
impl Refusal for WaiveRefused {
    fn code(&self) -> &'static str {
        match self {
            WaiveRefused::BlockerFailed { .. } => "BLOCKER_FAILED",
            WaiveRefused::Common(common) => common.code(),
        }
    }
}
