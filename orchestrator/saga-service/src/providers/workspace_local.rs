//! Workspaces as folders of one configured place: the address follows from the project, and nothing is called.

use async_trait::async_trait;
use events::ids::ProjectId;
use onboarding::api::providers::{ProviderError, WorkspaceProvider};
use saga_core::id::StepKey;

/// 2,048 characters: what browsers and mail programs pass on.
const URL_CHARS_MAX: usize = 2_048;

/// Gives `<base>/<project_id>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalWorkspaces {
    base: String,
}

impl LocalWorkspaces {
    /// Below this address; a slash at its end counts as none.
    pub fn new(base: &str) -> Self {
        Self { base: base.trim().trim_end_matches('/').to_owned() }
    }
}

#[async_trait]
impl WorkspaceProvider for LocalWorkspaces {
    async fn create(&self, _: StepKey, project_id: ProjectId) -> Result<String, ProviderError> {
        let url = format!("{}/{project_id}", self.base);
        let legal = self.base.contains("://") && url.chars().count() <= URL_CHARS_MAX;
        if legal { Ok(url) } else { Err(ProviderError::Rejected { code: "BAD_BASE_URL".to_owned() }) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use saga_core::id::Direction;
    use std::future::Future;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};
    use uuid::Uuid;

    fn url(base: &str) -> Result<String, ProviderError> {
        let key = StepKey::derive(Uuid::from_u128(1), "project", Direction::Do);
        let workspaces = LocalWorkspaces::new(base);
        match pin!(workspaces.create(key, ProjectId(Uuid::nil()))).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(answer) => answer,
            Poll::Pending => panic!("nothing to wait for"),
        }
    }

    #[test]
    fn the_address_follows_from_the_project() {
        let expected = "https://work.example/p/00000000-0000-0000-0000-000000000000";
        for base in ["https://work.example/p", " https://work.example/p/ "] {
            assert_eq!(url(base), Ok(expected.to_owned()));
        }
        for base in ["", "work", &format!("https://{}", "x".repeat(2_048))] {
            assert_eq!(url(base), Err(ProviderError::Rejected { code: "BAD_BASE_URL".to_owned() }), "{base}");
        }
    }
}
