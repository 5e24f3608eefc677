//! The business "no" of each family of commands, with codes that stay for ever.

use saga_core::command::{Common, Refusal};
use serde::{Deserialize, Serialize};

/// Why a package is not made, delivered or withdrawn.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(tag = "code", rename_all = "SCREAMING_SNAKE_CASE")]
#[non_exhaustive]
pub enum PackageRefused {
    /// The client has not approved this revision of this draft.
    #[error("the client has not approved draft {draft_id}")]
    NotApproved { draft_id: String },
    /// Something that an artifact is made of is not there.
    #[error("missing: {}", names.join(", "))]
    ArtifactMissing { names: Vec<String> },
    /// This client pays first.
    #[error("client {client_id} has to pay before delivery")]
    PaymentRequired { client_id: String },
    /// A file or packing provider says no for good.
    #[error("the artifact {name} cannot be made: {provider_code}")]
    ArtifactRejected { name: String, provider_code: String },
    /// One of the refusals that every command may give.
    #[error(transparent)]
    #[serde(untagged)]
    Common(Common),
}
impl Refusal for PackageRefused {
    fn code(&self) -> &'static str {
        match self {
            PackageRefused::NotApproved { .. } => "NOT_APPROVED",
            PackageRefused::ArtifactMissing { .. } => "ARTIFACT_MISSING",
            PackageRefused::PaymentRequired { .. } => "PAYMENT_REQUIRED",
            PackageRefused::ArtifactRejected { .. } => "ARTIFACT_REJECTED",
            PackageRefused::Common(common) => common.code(),
        }
    }
}
impl From<Common> for PackageRefused {
    fn from(common: Common) -> Self {
        Self::Common(common)
    }
}

/// Why a job is not queued, published, cancelled, retracted or resolved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(tag = "code", rename_all = "SCREAMING_SNAKE_CASE")]
#[non_exhaustive]
pub enum PublishRefused {
    /// The platform is not among the channels that are on.
    #[error("the channel {channel} is off")]
    ChannelOff { channel: String },
    /// Nobody enabled execution.
    #[error("execution is off")]
    ExecutionOff,
    /// A condition that held when the job was queued does not hold any more.
    #[error("not published: the check {check} does not hold")]
    Gate { check: String },
    /// What is out on this platform stays out.
    #[error("{platform} cannot take a publication back")]
    NotSupported { platform: String },
    /// One of the refusals that every command may give.
    #[error(transparent)]
    #[serde(untagged)]
    Common(Common),
}
impl Refusal for PublishRefused {
    fn code(&self) -> &'static str {
        match self {
            PublishRefused::ChannelOff { .. } => "CHANNEL_OFF",
            PublishRefused::ExecutionOff => "EXECUTION_OFF",
            PublishRefused::Gate { .. } => "GATE",
            PublishRefused::NotSupported { .. } => "NOT_SUPPORTED",
            PublishRefused::Common(common) => common.code(),
        }
    }
}
impl From<Common> for PublishRefused {
    fn from(common: Common) -> Self {
        Self::Common(common)
    }
}

/// Why a setting is not changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(untagged)]
#[non_exhaustive]
pub enum SettingsRefused {
    /// One of the refusals that every command may give.
    #[error(transparent)]
    Common(Common),
}
impl Refusal for SettingsRefused {
    fn code(&self) -> &'static str {
        match self {
            SettingsRefused::Common(common) => common.code(),
        }
    }
}
impl From<Common> for SettingsRefused {
    fn from(common: Common) -> Self {
        Self::Common(common)
    }
}
