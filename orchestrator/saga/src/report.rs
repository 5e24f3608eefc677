//! The result of a saga, as a small tree for a terminal.

use crate::error::Error;
use saga_core::step::short_name;
use saga_core::view::{SagaShow, SagaState, StepState};
use serde::de::DeserializeOwned;
use std::any::type_name;
use std::fmt;

/// A saga, whole; prints as a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report(pub SagaShow);

impl Report {
    /// How it stands.
    pub fn state(&self) -> SagaState {
        self.0.row.state
    }
    /// What a step gave, as its type; `None` where it has not happened.
    ///
    /// # Errors
    /// The saga has no such step yet that began, or what the step gave is not a `T`.
    pub fn output<T: DeserializeOwned>(&self, step: &str) -> Result<Option<T>, Error> {
        let row = self.0.steps.iter().find(|row| row.path == step).ok_or_else(|| {
            let begun: Vec<&str> = self.0.steps.iter().map(|row| row.path.as_str()).collect();
            Error::Data(format!("the saga has no step {step:?}; it has {}", begun.join(", ")))
        })?;
        let wrong = |why| Error::Data(format!("what step {step:?} gave is no {}: {why}", short_name(type_name::<T>())));
        row.output.as_ref().map(|output| output.read().map_err(wrong)).transpose()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let SagaShow { row, steps, .. } = &self.0;
        write!(f, "{}  {}  {} {}", row.kind, row.id.short(), row.state.sign(), row.state.word())?;
        if let Some(reason) = &row.reason {
            write!(f, ": {reason}")?;
        }
        let width = steps.iter().map(|step| step.path.chars().count()).max().unwrap_or(0);
        let states = steps.iter().map(|step| step.state.word().len() + 2).max().unwrap_or(0);
        for (index, step) in steps.iter().enumerate() {
            let branch = if index + 1 == steps.len() { "└─" } else { "├─" };
            let state = format!("{} {}", step.state.sign(), step.state.word());
            write!(f, "\n{branch} {:width$}  ", step.path)?;
            match step.undo {
                Some(undo) if undo != StepState::Skipped => {
                    write!(f, "{state:states$}   {} {}", undo.sign(), undo.word())?;
                }
                Some(_) | None => f.write_str(&state)?,
            }
        }
        Ok(())
    }
}
