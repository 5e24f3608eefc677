//! What strategy needs from outside. The composition root brings it.

use super::dtos::{BriefSnapshot, Outline};
use async_trait::async_trait;
use saga_core::id::StepKey;
pub use saga_core::provider::ProviderError;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What strategy needs from the outside world. The composition root brings it.
#[derive(Clone)]
pub struct Needs {
    /// Asked first, as long as it is healthy.
    pub writer: Arc<dyn StrategyWriter>,
    /// Asked when the first one fails or is not healthy.
    pub fallback: Option<Arc<dyn StrategyWriter>>,
}

/// Who writes strategies.
#[async_trait]
pub trait StrategyWriter: Send + Sync {
    /// Writes for a brief, in the brief's language. Must tolerate being called again with the same `key`, and answers
    /// within 60 seconds, with `Unknown` if need be.
    async fn write(
        &self,
        key: StepKey,
        brief: &BriefSnapshot,
        context: &BTreeMap<String, String>,
    ) -> Result<Outline, ProviderError>;
}
