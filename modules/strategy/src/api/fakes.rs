//! Scripted writers for tests: they answer the same to the same script, and remember every call.

use crate::api::dtos::{BriefSnapshot, Outline};
use crate::api::events::{Channel, Kpi, Layer, Phase, Timeline, Writer};
use crate::api::providers::{Needs, ProviderError, StrategyWriter};
use async_trait::async_trait;
use saga_core::id::StepKey;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

/// Writes a short strategy that names the client, unless its script says something else for this call.
#[derive(Debug)]
pub struct FakeWriter {
    name: String,
    script: Mutex<VecDeque<Result<Outline, ProviderError>>>,
    calls: Mutex<Vec<(StepKey, BTreeMap<String, String>)>>,
}

impl FakeWriter {
    /// A writer of this name that answers from the script first and writes from then on.
    pub fn new(name: &str, script: impl IntoIterator<Item = Result<Outline, ProviderError>>) -> Self {
        Self { name: name.to_owned(), script: Mutex::new(script.into_iter().collect()), calls: Mutex::default() }
    }
    /// Every call so far, with its context.
    pub fn calls(&self) -> Vec<(StepKey, BTreeMap<String, String>)> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
    /// What this writer writes for a brief.
    pub fn outline(&self, brief: &BriefSnapshot) -> Outline {
        let channel = |platform: &str, share_bp| Channel {
            platform: platform.to_owned(),
            formats: vec!["post".to_owned()],
            role: "carries the message".to_owned(),
            share_bp,
            budget: None,
        };
        let client = &brief.client_name;
        Outline {
            summary: format!("{client} reaches {} with one clear message and two channels.", brief.audience),
            kpis: vec![Kpi { name: "leads".to_owned(), target: 40, unit: "count".to_owned(), timeframe_days: 56 }],
            channels: vec![channel("linkedin", 6_000), channel("email", 4_000)],
            timeline: Timeline { phases: vec![Phase { name: "launch".to_owned(), week_from: 1, week_to: 8 }] },
            layers: Layer::ALL.into_iter().map(|layer| (layer, format!("{} of {client}", layer.word()))).collect(),
            writer: Writer { provider: self.name.clone(), prompt_hash: "0".repeat(64) },
        }
    }
}

#[async_trait]
impl StrategyWriter for FakeWriter {
    async fn write(
        &self,
        key: StepKey,
        brief: &BriefSnapshot,
        context: &BTreeMap<String, String>,
    ) -> Result<Outline, ProviderError> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).push((key, context.clone()));
        let scripted = self.script.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        scripted.unwrap_or_else(|| Ok(self.outline(brief)))
    }
}

/// Needs with one writer that always works.
pub fn needs() -> Needs {
    Needs { writer: Arc::new(FakeWriter::new("fake", [])), fallback: None }
}
