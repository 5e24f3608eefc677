//! Scripted providers for tests: they answer the same to the same script, and remember every call.

use crate::api::providers::{Needs, ProviderError, WorkspaceProvider};
use async_trait::async_trait;
use events::ids::ProjectId;
use saga_core::id::StepKey;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

/// Gives `https://workspace.example/<project_id>`, after the failures it was told to give first.
#[derive(Debug, Default)]
pub struct FakeWorkspaces {
    script: Mutex<VecDeque<ProviderError>>,
    calls: Mutex<Vec<(StepKey, ProjectId)>>,
}

impl FakeWorkspaces {
    /// Fails with each of these, in order, and works from then on.
    pub fn failing(script: impl IntoIterator<Item = ProviderError>) -> Self {
        Self { script: Mutex::new(script.into_iter().collect()), calls: Mutex::default() }
    }
    /// Every call so far.
    pub fn calls(&self) -> Vec<(StepKey, ProjectId)> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[async_trait]
impl WorkspaceProvider for FakeWorkspaces {
    async fn create(&self, key: StepKey, project_id: ProjectId) -> Result<String, ProviderError> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).push((key, project_id));
        match self.script.lock().unwrap_or_else(PoisonError::into_inner).pop_front() {
            Some(failure) => Err(failure),
            None => Ok(format!("https://workspace.example/{project_id}")),
        }
    }
}

/// Needs that always work.
pub fn needs() -> Needs {
    Needs { workspace: Arc::new(FakeWorkspaces::default()) }
}
