//! Documents that a projection wrote last, so that the next page need not read them back.

use saga_core::json::Payload;
use std::collections::BTreeMap;

/// 4,096 documents in each of two generations: those that the next page is likely to touch again.
pub const DOCUMENTS_KEPT: usize = 4_096;

/// The documents of one projection as they are durable. `None` is a document that was removed.
#[derive(Debug, Default)]
pub(super) struct Kept {
    now: BTreeMap<String, Option<Payload>>,
    before: BTreeMap<String, Option<Payload>>,
}

impl Kept {
    /// The document as it was written, if that is known; `Some(None)` was removed.
    pub(super) fn document(&self, key: &str) -> Option<Option<Payload>> {
        self.now.get(key).or_else(|| self.before.get(key)).cloned()
    }
    /// These are durable now.
    pub(super) fn written(&mut self, documents: Vec<(String, Option<Payload>)>) {
        if self.now.len() + documents.len() > DOCUMENTS_KEPT {
            self.before = std::mem::take(&mut self.now);
        }
        self.now.extend(documents);
    }
    /// Nothing is known any more.
    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }
}
