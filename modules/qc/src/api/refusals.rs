//! The business "no" of each family of commands, with codes that stay for ever.

saga_core::refusals! {
    /// Why a content was not judged.
    #[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
    pub enum EvaluateRefused {
        /// As for every command.
        Common,
        /// Nothing visible.
        #[error("there is nothing to judge")]
        SubjectEmpty = "SUBJECT_EMPTY",
    }

    /// Why a result was not waived.
    #[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
    pub enum WaiveRefused {
        /// As for every command.
        Common,
        /// What blocks cannot be waived.
        #[error("the check {check} is a blocker and failed; that cannot be waived")]
        BlockerFailed {
            /// Which check.
            check: String,
        } = "BLOCKER_FAILED",
    }
}
