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
pub(crate) const BOARD_VERSION: u16 = 1;
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
    /// The last six digits of its id: what people type.
    pub(crate) tail: String,
    /// When it began.
    pub(crate) started_at: Timestamp,
    /// When it ended.
    pub(crate) ended_at: Option<Timestamp>,
}

/// The last six digits of an id.
pub(crate) fn tail(id: SagaId) -> String {
    id.0.simple().to_string()[26..].to_owned()
}

pub(crate) fn board() -> ProjectionDef {
    fn end(line: Option<Line>, state: SagaState, at: Timestamp) -> Option<Line> {
        line.map(|line| Line { state: state.word().to_owned(), ended_at: Some(at), ..line })
    }
    Projection::<Line>::new(BOARD, BOARD_VERSION, &["state", "type", "key", "tail"])
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
                    tail: tail(id),
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

/// All lines that fit, page by page.
pub(crate) async fn lines(store: &SharedStore, filters: Vec<(usize, String)>) -> Result<Vec<Line>, ReadError> {
    let mut question = find(filters, None, FIND_LIMIT_MAX);
    let mut lines = Vec::new();
    loop {
        let page = store.find(&question).await?;
        lines.extend(page.iter().filter_map(|document| document.body.read::<Line>().ok()));
        match page.last() {
            Some(last) if page.len() == FIND_LIMIT_MAX => question.after = Some((None, last.key.clone())),
            Some(_) | None => return Ok(lines),
        }
    }
}
