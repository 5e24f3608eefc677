//! The business "no" of each family of commands, with codes that stay for ever.

use saga_core::command::{Common, Refusal};
use serde::{Deserialize, Serialize};

/// Why nothing was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(tag = "code", rename_all = "SCREAMING_SNAKE_CASE")]
#[non_exhaustive]
pub enum GenerateRefused {
    /// The snapshot lacks what no strategy can do without.
    #[error("the brief lacks {}", missing.join(", "))]
    BriefIncomplete { missing: Vec<String> },
    /// The writer says no for good, or wrote what is not a strategy.
    #[error("the writer was of no use: {provider_code}")]
    WriterRejected { provider_code: String },
    /// Words that stand for a text nobody wrote.
    #[error("placeholder words: {}", words.join(", "))]
    PlaceholderText { words: Vec<String> },
    #[error(transparent)]
    #[serde(untagged)]
    Common(#[from] Common),
}
impl Refusal for GenerateRefused {
    fn code(&self) -> &'static str {
        match self {
            GenerateRefused::BriefIncomplete { .. } => "BRIEF_INCOMPLETE",
            GenerateRefused::WriterRejected { .. } => "WRITER_REJECTED",
            GenerateRefused::PlaceholderText { .. } => "PLACEHOLDER_TEXT",
            GenerateRefused::Common(common) => common.code(),
        }
    }
}

/// Why a version was not submitted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(tag = "code", rename_all = "SCREAMING_SNAKE_CASE")]
#[non_exhaustive]
pub enum SubmitRefused {
    /// What is absent or wrong.
    #[error("incomplete: {}", layers.join(", "))]
    ContractInvalid { layers: Vec<String> },
    #[error(transparent)]
    #[serde(untagged)]
    Common(#[from] Common),
}
impl Refusal for SubmitRefused {
    fn code(&self) -> &'static str {
        match self {
            SubmitRefused::ContractInvalid { .. } => "CONTRACT_INVALID",
            SubmitRefused::Common(common) => common.code(),
        }
    }
}

/// Why a version was not approved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(tag = "code", rename_all = "SCREAMING_SNAKE_CASE")]
#[non_exhaustive]
pub enum ApproveRefused {
    /// A newer version is in play.
    #[error("version {latest} is newer")]
    NotLatest { latest: u32 },
    /// Four eyes are needed.
    #[error("{actor} wrote it")]
    SelfApproval { actor: String },
    #[error(transparent)]
    #[serde(untagged)]
    Common(#[from] Common),
}
impl Refusal for ApproveRefused {
    fn code(&self) -> &'static str {
        match self {
            ApproveRefused::NotLatest { .. } => "NOT_LATEST",
            ApproveRefused::SelfApproval { .. } => "SELF_APPROVAL",
            ApproveRefused::Common(common) => common.code(),
        }
    }
}

/// Why a version was not rejected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(tag = "code", rename_all = "SCREAMING_SNAKE_CASE")]
#[non_exhaustive]
pub enum RejectRefused {
    /// Without a reason the writer cannot do better.
    #[error("a reason is required")]
    ReasonRequired,
    #[error(transparent)]
    #[serde(untagged)]
    Common(#[from] Common),
}
impl Refusal for RejectRefused {
    fn code(&self) -> &'static str {
        match self {
            RejectRefused::ReasonRequired => "REASON_REQUIRED",
            RejectRefused::Common(common) => common.code(),
        }
    }
}

/// Why a version was not amended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(tag = "code", rename_all = "SCREAMING_SNAKE_CASE")]
#[non_exhaustive]
pub enum AmendRefused {
    /// Words that stand for a text nobody wrote.
    #[error("placeholder words: {}", words.join(", "))]
    PlaceholderText { words: Vec<String> },
    #[error(transparent)]
    #[serde(untagged)]
    Common(#[from] Common),
}
impl Refusal for AmendRefused {
    fn code(&self) -> &'static str {
        match self {
            AmendRefused::PlaceholderText { .. } => "PLACEHOLDER_TEXT",
            AmendRefused::Common(common) => common.code(),
        }
    }
}
