//! The business "no" of each family of commands, with codes that stay for ever.

use saga_core::command::{Common, Refusal};
use serde::{Deserialize, Serialize};

saga_core::refusals! {
    /// Why a package is not made, delivered or withdrawn.
    #[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
    pub enum PackageRefused {
        /// One of the refusals that every command may give.
        Common,
        /// The client has not approved this revision of this draft.
        #[error("the client has not approved draft {draft_id}")]
        NotApproved { draft_id: String } = "NOT_APPROVED",
        /// Something that an artifact is made of is not there.
        #[error("missing: {}", names.join(", "))]
        ArtifactMissing { names: Vec<String> } = "ARTIFACT_MISSING",
        /// This client pays first.
        #[error("client {client_id} has to pay before delivery")]
        PaymentRequired { client_id: String } = "PAYMENT_REQUIRED",
        /// A file or packing provider says no for good.
        #[error("the artifact {name} cannot be made: {provider_code}")]
        ArtifactRejected { name: String, provider_code: String } = "ARTIFACT_REJECTED",
    }

    /// Why a job is not queued, published, cancelled, retracted or resolved.
    #[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
    pub enum PublishRefused {
        /// One of the refusals that every command may give.
        Common,
        /// The platform is not among the channels that are on.
        #[error("the channel {channel} is off")]
        ChannelOff { channel: String } = "CHANNEL_OFF",
        /// Nobody enabled execution.
        #[error("execution is off")]
        ExecutionOff = "EXECUTION_OFF",
        /// A condition that held when the job was queued does not hold any more.
        #[error("not published: the check {check} does not hold")]
        Gate { check: String } = "GATE",
        /// What is out on this platform stays out.
        #[error("{platform} cannot take a publication back")]
        NotSupported { platform: String } = "NOT_SUPPORTED",
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
