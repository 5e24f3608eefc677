//! The one error of every face: a code, a sentence, and what to do next.

use crate::codes::Code;
use crate::input::Misfit;
use serde::{Deserialize, Serialize};

/// An error for people and programs: what, where, why, and the next step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{code} {message}")]
pub struct ControlError {
    /// `SG` and four digits; each has a page.
    pub code: String,
    /// One sentence.
    pub message: String,
    /// What to do next, as commands or words.
    pub hint: Vec<String>,
    /// Whether trying again is sensible.
    pub retryable: bool,
    /// Every place of an input that does not fit, for programs; the message says the same.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub misfits: Vec<Misfit>,
}

impl ControlError {
    /// An error with a code of [`crate::codes`].
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code: code.id.to_owned(),
            message: message.into(),
            hint: Vec::new(),
            retryable: code.retryable,
            misfits: Vec::new(),
        }
    }
    /// Adds what to do next.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint.push(hint.into());
        self
    }
}
