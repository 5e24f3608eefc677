//! The selector of a list: which sagas a caller asks for.

use crate::time::Timestamp;
use crate::view::{SagaRow, SagaState};
use serde::{Deserialize, Serialize};

/// Which sagas. Everything given must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Selector {
    /// Any of these states; empty: the open ones (or all, with `all`).
    pub states: Vec<SagaState>,
    /// This definition.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// This key; `*` stands for anything.
    pub key: Option<String>,
    /// Only those that need a person, and those that one has paused.
    pub attention: bool,
    /// Ended ones too.
    pub all: bool,
    /// Started at or after.
    pub since: Option<Timestamp>,
    /// At most this many; 0: as many as there are, up to [`PAGE_MAX`](super::PAGE_MAX) a page.
    pub limit: usize,
    /// Continue after a page: its [`Page::next`](super::Page::next), with everything else as it was but the limit.
    pub cursor: Option<String>,
}

impl Selector {
    /// Whether a saga is selected, whether or not it needs a person.
    pub fn fits(&self, state: SagaState, kind: &str, key: &str, started: Timestamp) -> bool {
        let in_state = if self.states.is_empty() { self.all || !state.is_end() } else { self.states.contains(&state) };
        in_state
            && self.kind.as_ref().is_none_or(|wanted| wanted == kind)
            && self.key.as_ref().is_none_or(|pattern| glob(pattern, key))
            && self.since.is_none_or(|since| started >= since)
    }
    /// Whether the saga of a row is selected.
    pub fn fits_row(&self, row: &SagaRow, now: Timestamp) -> bool {
        self.fits(row.state, &row.kind, &row.key, row.started_at) && (!self.attention || row.needs_attention(now))
    }
}

/// `*` stands for anything.
fn glob(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let parts: Vec<_> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return rest.is_empty() };
    for part in middle {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}
