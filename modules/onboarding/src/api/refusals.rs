//! The business "no" of each family of commands, with codes that stay for ever.

saga_core::refusals! {
    /// Why a form was not captured.
    #[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
    pub enum CaptureRefused {
        Common,
        /// Filled in on a questionnaire that is no longer read.
        #[error("the form has version {schema_version}, the oldest that is read is {oldest}")]
        FormTooOld { schema_version: String, oldest: String } = "FORM_TOO_OLD",
    }

    /// Why a brief was not normalised or validated.
    #[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
    pub enum BriefRefused {
        Common,
        /// Required answers that nobody gave.
        #[error("the brief lacks {}", names.join(", "))]
        MissingFields { names: Vec<String> } = "MISSING_FIELDS",
    }

    /// Why a project was not opened.
    #[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
    pub enum CreateProjectRefused {
        Common,
        /// The provider says no, for good.
        #[error("the workspace was refused: {provider_code}")]
        WorkspaceRejected { provider_code: String } = "WORKSPACE_REJECTED",
    }
}
