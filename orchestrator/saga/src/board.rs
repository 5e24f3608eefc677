//! The board: which sagas there are, as a read model of the coordinator's log. Open ones are looked up here after a restart.

use saga_core::fact::{SagaCancelled, SagaCompensated, SagaCompleted, SagaStarted};
use saga_core::id::SagaId;
use saga_core::ports::{FIND_LIMIT_MAX, Find, ReadError, SharedStore};
use saga_core::projection::{Projection, ProjectionDef};
use saga_core::time::Timestamp;
use saga_core::view::SagaState;
use serde::{Deserialize, Serialize};

/// Name of the projection.
pub(crate) const BOARD: &str = "orchestration.board";
/// Its version.
pub(crate) const BOARD_VERSION: u16 = 2;
/// Under this name the journal's store keeps how far the board has come.
pub const BOARD_CONSUMER: &str = "projection:orchestration.board.v2@orchestration";
/// An id ends with twelve digits without a hyphen.
const LAST_GROUP: usize = 12;
/// The word of sagas that have not ended.
pub(crate) const OPEN: &str = "open";

/// One line of the board.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Line {
    /// The saga.
    pub(crate) id: SagaId,
    /// Its definition.
    #[serde(rename = "type")]
    pub(crate) kind: String,
    /// Version of its definition.
    pub(crate) version: u16,
    /// Its key.
    pub(crate) key: String,
    /// `open`, or the word of its end.
    pub(crate) state: String,
    /// When it began.
    pub(crate) started_at: Timestamp,
    /// When it ended.
    pub(crate) ended_at: Option<Timestamp>,
}

pub(crate) fn board() -> ProjectionDef {
    fn end(line: Option<Line>, state: SagaState, at: Timestamp) -> Option<Line> {
        line.map(|line| Line { state: state.word().to_owned(), ended_at: Some(at), ..line })
    }
    // No index over what is scattered, keys and the last digits of ids: every saga would have a page of its own to write, far
    // from its neighbours in time, and the more so the longer the history.
    Projection::<Line>::new(BOARD, BOARD_VERSION, &["state", "type"])
        .begin::<SagaStarted>(
            |_, at| Some(at.stream.clone()),
            |fact, at| {
                let id: SagaId = at.stream.parse().ok()?;
                Some(Line {
                    id,
                    kind: fact.definition.clone(),
                    version: fact.version,
                    key: fact.key.clone(),
                    state: OPEN.to_owned(),
                    started_at: at.time,
                    ended_at: None,
                })
            },
        )
        .on::<SagaCompleted>(|_, at| Some(at.stream.clone()), |line, _, at| end(line, SagaState::Completed, at.time))
        .on::<SagaCompensated>(
            |_, at| Some(at.stream.clone()),
            |line, _, at| end(line, SagaState::Compensated, at.time),
        )
        .on::<SagaCancelled>(|_, at| Some(at.stream.clone()), |line, _, at| end(line, SagaState::Cancelled, at.time))
        .build()
}

/// A question for lines: `(number of the index field, value)` each.
pub(crate) fn find(filters: Vec<(usize, String)>, after: Option<String>, limit: usize) -> Find {
    Find {
        projection: BOARD.to_owned(),
        version: BOARD_VERSION,
        filters,
        order_by: None,
        descending: true,
        after: after.map(|key| (None, key)),
        limit: limit.min(FIND_LIMIT_MAX),
    }
}

/// The ids of the open ones, page by page.
pub(crate) async fn open_ones(store: &SharedStore) -> Result<Vec<SagaId>, ReadError> {
    let mut question = find(vec![(0, OPEN.to_owned())], None, FIND_LIMIT_MAX);
    let mut found = Vec::new();
    loop {
        let page = store.find(&question).await?;
        found.extend(page.iter().filter_map(|document| document.key.parse::<SagaId>().ok()));
        match page.last() {
            Some(last) if page.len() == FIND_LIMIT_MAX => question.after = Some((None, last.key.clone())),
            Some(_) | None => return Ok(found),
        }
    }
}
/// The ids that end with these digits.
pub(crate) async fn ending_with(store: &SharedStore, digits: &str) -> Result<Vec<SagaId>, ReadError> {
    // Further in front an id has hyphens, which people leave out.
    let last = &digits[digits.len().saturating_sub(LAST_GROUP)..];
    let keys = store.keys_ending(BOARD, BOARD_VERSION, last).await?;
    let ids = keys.iter().filter_map(|key| key.parse::<SagaId>().ok());
    Ok(ids.filter(|id| id.0.simple().to_string().ends_with(digits)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::JOURNAL;

    #[test]
    fn the_boards_checkpoint_is_kept_under_its_name() {
        assert_eq!(board().consumer(JOURNAL), BOARD_CONSUMER);
    }
}
