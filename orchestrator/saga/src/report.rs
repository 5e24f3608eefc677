//! What became of a saga, as a small tree for a terminal.

use saga_core::view::{SagaShow, StepState};
use std::fmt;

/// A saga, whole; prints as a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report(pub SagaShow);

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
