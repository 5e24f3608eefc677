//! The business "no" of each family of commands, with codes that stay for ever.

saga_core::refusals! {
    /// Why nothing was written.
    #[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
    pub enum GenerateRefused {
        Common,
        /// The snapshot lacks what no strategy can do without.
        #[error("the brief lacks {}", missing.join(", "))]
        BriefIncomplete { missing: Vec<String> } = "BRIEF_INCOMPLETE",
        /// The writer says no for good, or wrote what is not a strategy.
        #[error("the writer was of no use: {provider_code}")]
        WriterRejected { provider_code: String } = "WRITER_REJECTED",
        /// Words that stand for a text nobody wrote.
        #[error("placeholder words: {}", words.join(", "))]
        PlaceholderText { words: Vec<String> } = "PLACEHOLDER_TEXT",
    }

    /// Why a version was not submitted.
    #[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
    pub enum SubmitRefused {
        Common,
        /// What is absent or wrong.
        #[error("incomplete: {}", layers.join(", "))]
        ContractInvalid { layers: Vec<String> } = "CONTRACT_INVALID",
    }

    /// Why a version was not approved.
    #[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
    pub enum ApproveRefused {
        Common,
        /// A newer version is in play.
        #[error("version {latest} is newer")]
        NotLatest { latest: u32 } = "NOT_LATEST",
        /// Four eyes are needed.
        #[error("{actor} wrote it")]
        SelfApproval { actor: String } = "SELF_APPROVAL",
    }

    /// Why a version was not rejected.
    #[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
    pub enum RejectRefused {
        Common,
        /// Without a reason the writer cannot do better.
        #[error("a reason is required")]
        ReasonRequired = "REASON_REQUIRED",
    }

    /// Why a version was not amended.
    #[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
    pub enum AmendRefused {
        Common,
        /// Words that stand for a text nobody wrote.
        #[error("placeholder words: {}", words.join(", "))]
        PlaceholderText { words: Vec<String> } = "PLACEHOLDER_TEXT",
    }
}
