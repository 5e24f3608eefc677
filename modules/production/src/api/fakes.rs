//! Providers for tests: deterministic, scripted, and with a log of every call.

use super::dtos::AssetCopy;
use super::providers::{
    ContentWriter, CopyOrder, DraftOrder, MediaRenderer, Needs, ProviderError, RenderOrder, Rendered, RevisionOrder,
    RewriteOrder, Written,
};
use async_trait::async_trait;
use saga_core::id::StepKey;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

/// A list that several hands write to.
#[derive(Debug)]
struct Shared<T>(Mutex<VecDeque<T>>);
impl<T> Default for Shared<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}
impl<T: Clone> Shared<T> {
    fn push(&self, value: T) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push_back(value);
    }
    fn next(&self) -> Option<T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }
    fn all(&self) -> Vec<T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }
}

/// One call of a provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Called {
    pub method: &'static str,
    pub key: StepKey,
}

/// Writes from what it is given, without a model; fails as it was told to, first come first served.
#[derive(Debug, Default)]
pub struct FakeWriter {
    calls: Shared<Called>,
    failures: Shared<ProviderError>,
}

impl FakeWriter {
    /// The next call fails like this.
    pub fn fail_next(&self, error: ProviderError) {
        self.failures.push(error);
    }
    /// All calls so far.
    pub fn calls(&self) -> Vec<Called> {
        self.calls.all()
    }
    fn answer<T>(&self, method: &'static str, key: StepKey, text: T) -> Result<Written<T>, ProviderError> {
        self.calls.push(Called { method, key });
        match self.failures.next() {
            Some(error) => Err(error),
            None => Ok(Written { text, model: "fake".to_owned() }),
        }
    }
}

#[async_trait]
impl ContentWriter for FakeWriter {
    async fn draft(&self, key: StepKey, order: &DraftOrder) -> Result<Written<String>, ProviderError> {
        let brief = &order.brief;
        let body = format!("{} for {}. {}", brief.client_name, brief.audience, brief.must_include.join(". "));
        self.answer("draft", key, body)
    }
    async fn revise(&self, key: StepKey, order: &RevisionOrder) -> Result<Written<String>, ProviderError> {
        let wishes: Vec<_> = order.requests.iter().map(|request| request.change.as_str()).collect();
        self.answer("revise", key, format!("{} [{}]", order.body, wishes.join("; ")))
    }
    async fn copy(&self, key: StepKey, order: &CopyOrder) -> Result<Written<AssetCopy>, ProviderError> {
        let copy = AssetCopy {
            hook: format!("{} {}", order.brief.client_name, order.spec.variant),
            caption: order.draft_body.clone(),
            cta: Some("Book a demo".to_owned()),
            tone: order.brief.tone.first().cloned(),
        };
        self.answer("copy", key, copy)
    }
    async fn rewrite(&self, key: StepKey, order: &RewriteOrder) -> Result<Written<AssetCopy>, ProviderError> {
        let copy = AssetCopy { hook: format!("{} ({})", order.copy.hook, order.reason), ..order.copy.clone() };
        self.answer("rewrite", key, copy)
    }
}

/// Renders a placeholder whose hash is the content hash. Rejects everything that says `unrenderable`.
#[derive(Debug, Default)]
pub struct FakeRenderer {
    calls: Shared<Called>,
    failures: Shared<ProviderError>,
}

impl FakeRenderer {
    /// The next call fails like this.
    pub fn fail_next(&self, error: ProviderError) {
        self.failures.push(error);
    }
    /// All calls so far.
    pub fn calls(&self) -> Vec<Called> {
        self.calls.all()
    }
}

#[async_trait]
impl MediaRenderer for FakeRenderer {
    async fn render(&self, key: StepKey, order: &RenderOrder) -> Result<Rendered, ProviderError> {
        self.calls.push(Called { method: "render", key });
        if let Some(error) = self.failures.next() {
            return Err(error);
        }
        if order.copy.hook.contains("unrenderable") {
            return Err(ProviderError::Rejected { code: "UNRENDERABLE".to_owned() });
        }
        let (sha256, url) = (order.content_hash.clone(), format!("asset://{}.svg", order.content_hash));
        Ok(Rendered { asset_type: "image".to_owned(), url, sha256 })
    }
}

/// Both fakes, and needs that use them.
pub fn fakes() -> (Arc<FakeWriter>, Arc<FakeRenderer>, Needs) {
    let (writer, renderer) = (Arc::new(FakeWriter::default()), Arc::new(FakeRenderer::default()));
    let needs = Needs { writer: Arc::clone(&writer) as _, renderer: Arc::clone(&renderer) as _ };
    (writer, renderer, needs)
}
