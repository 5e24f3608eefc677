//! How a command fails: an error with a code, and the exit code that goes with it.

use crate::exit::Exit;
use saga_admin::wire;
use saga_core::codes::{self, Code};
use saga_core::control::ControlError;
use saga_core::id::RequestId;

/// Why a command ended early.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What is printed; `None` when the reader of standard output went away, or everything was said already.
    pub error: Option<Box<ControlError>>,
    /// What the process ends with.
    pub exit: Exit,
    /// The request it concerns.
    pub request: Option<RequestId>,
}

impl Failure {
    /// A failure with a code.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        ControlError::new(code, message).into()
    }
    /// A usage error.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(codes::USAGE, message)
    }
    /// Nobody reads standard output any more: that is an end, not an error.
    pub fn closed() -> Self {
        Self { error: None, exit: Exit::DONE, request: None }
    }
    /// An end about which everything was said.
    pub fn said(exit: Exit) -> Self {
        Self { error: None, exit, request: None }
    }
    /// Adds what to do next.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        if let Some(error) = &mut self.error {
            error.hint.push(hint.into());
        }
        self
    }
    /// Names the request.
    #[must_use]
    pub fn of(mut self, request: RequestId) -> Self {
        self.request = Some(request);
        self
    }
}

impl From<ControlError> for Failure {
    fn from(error: ControlError) -> Self {
        let exit = Exit(wire::code_of(&error).exit);
        Self { error: Some(Box::new(error)), exit, request: None }
    }
}
impl From<serde_json::Error> for Failure {
    fn from(error: serde_json::Error) -> Self {
        Self::new(codes::INTERNAL, format!("an answer cannot be written: {error}"))
    }
}
