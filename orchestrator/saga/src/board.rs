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
    /// The last digits of its id.
    pub(crate) ending: String,
    /// When it began.
    pub(crate) started_at: Timestamp,
    /// When it ended.
    pub(crate) ended_at: Option<Timestamp>,
}

/// Two digits: lines are added behind the newest of 256 places, however many there are. With all that people type, each
/// saga would have a place of its own to write, far from its neighbours in time, and the more so the longer the history.
/// Who looks for an ending reads a few thousand lines among a million.
const ENDING: usize = 2;

/// What lines are filed under, of the last digits of an id: at least two.
pub(crate) fn ending(digits: &str) -> String {
    digits[digits.len().saturating_sub(ENDING)..].to_owned()
}

pub(crate) fn board() -> ProjectionDef {
    fn end(line: Option<Line>, state: SagaState, at: Timestamp) -> Option<Line> {
        line.map(|line| Line { state: state.word().to_owned(), ended_at: Some(at), ..line })
    }
    Projection::<Line>::new(BOARD, BOARD_VERSION, &["state", "type", "ending"])
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
                    ending: ending(&id.short()),
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

/// The ids of the open ones.
pub(crate) async fn open_ones(store: &SharedStore) -> Result<Vec<SagaId>, ReadError> {
    ids(store, vec![(0, OPEN.to_owned())], |_| true).await
}
/// The ids that end with these digits, of which there are at least two.
pub(crate) async fn ending_with(store: &SharedStore, digits: &str) -> Result<Vec<SagaId>, ReadError> {
    ids(store, vec![(2, ending(digits))], |id| id.0.simple().to_string().ends_with(digits)).await
}
/// The ids of all lines that fit, page by page.
async fn ids(
    store: &SharedStore,
    filters: Vec<(usize, String)>,
    fits: impl Fn(SagaId) -> bool,
) -> Result<Vec<SagaId>, ReadError> {
    let mut question = find(filters, None, FIND_LIMIT_MAX);
    let mut found = Vec::new();
    loop {
        let page = store.find(&question).await?;
        let lines = page.iter().filter_map(|document| document.body.read::<Line>().ok());
        found.extend(lines.map(|line| line.id).filter(|id| fits(*id)));
        match page.last() {
            Some(last) if page.len() == FIND_LIMIT_MAX => question.after = Some((None, last.key.clone())),
            Some(_) | None => return Ok(found),
        }
    }
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
