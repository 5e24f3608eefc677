//! What onboarding needs from outside. The composition root brings it.

use async_trait::async_trait;
use events::ids::ProjectId;
use saga_core::id::StepKey;
pub use saga_core::provider::ProviderError;
use std::sync::Arc;

/// What onboarding needs from the outside world. The composition root brings it.
#[derive(Clone)]
pub struct Needs {
    pub workspace: Arc<dyn WorkspaceProvider>,
}

/// Where workspaces come from.
#[async_trait]
pub trait WorkspaceProvider: Send + Sync {
    /// Makes a workspace and gives its address. Must tolerate being called again with the same `key`: the same
    /// workspace is meant, whether or not the first call came through.
    async fn create(&self, key: StepKey, project_id: ProjectId) -> Result<String, ProviderError>;
}
