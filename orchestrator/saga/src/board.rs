//! The board: which sagas there are, as a read model of the coordinator's log. Open ones are looked up here after a restart.

use crate::limits::JOURNAL;
use saga_core::fact::{CompensationStarted, SagaCancelled, SagaCompensated, SagaCompleted, SagaStarted};
use saga_core::field;
use saga_core::id::SagaId;
use saga_core::ports::{FIND_LIMIT_MAX, ReadError, SharedStore};
use saga_core::projection::{Projection, ProjectionDef};
use saga_core::public_log::place;
use saga_core::read_model::{ReadModel, Search};
use saga_core::time::Timestamp;
use saga_core::view::SagaState;
use saga_engine::journal::LOG_PAGE;
use saga_engine::listing::Place;
use saga_engine::machine::projector::{Page, fold};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// No index over what is scattered, keys and the last digits of ids: every saga would have a page of its own to write, far from
/// its neighbours in time, and the more so the longer the history. Times of starts are neighbours.
const BOARD: ReadModel<BoardRow> = ReadModel::new("orchestration.board", 3, &["state", "started_at"]);
/// Under this name the journal's store keeps how far the board has come.
pub const BOARD_CONSUMER: &str = "projection:orchestration.board.v3@orchestration";
/// An id ends with twelve digits without a hyphen.
const LAST_GROUP: usize = 12;
/// The word of sagas that have not ended.
pub(crate) const OPEN: &str = "open";

/// One line of the board.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct BoardRow {
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
    /// Why it turned back, in the first words of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
}

/// 200 characters tell why; the history has all of them.
const REASON_CHARS: usize = 200;

fn because(line: BoardRow, why: Option<&str>) -> BoardRow {
    let why = why.filter(|why| !why.is_empty()).map(|why| why.chars().take(REASON_CHARS).collect());
    BoardRow { reason: line.reason.or(why), ..line }
}

/// The list of sagas as a read model of the coordinator's store.
pub fn board() -> ProjectionDef {
    fn end(line: Option<BoardRow>, state: SagaState, at: Timestamp) -> Option<BoardRow> {
        line.map(|line| BoardRow { state: state.word().to_owned(), ended_at: Some(at), ..line })
    }
    Projection::new(BOARD)
        .begin::<SagaStarted>(
            |_, at| Some(at.stream.clone()),
            |fact, at| {
                let id: SagaId = at.stream.parse().ok()?;
                Some(BoardRow {
                    id,
                    kind: fact.definition.clone(),
                    version: fact.version,
                    key: fact.key.clone(),
                    state: OPEN.to_owned(),
                    started_at: at.time,
                    ended_at: None,
                    reason: None,
                })
            },
        )
        .on::<SagaCompleted>(|_, at| Some(at.stream.clone()), |line, _, at| end(line, SagaState::Completed, at.time))
        .on::<SagaCompensated>(
            |_, at| Some(at.stream.clone()),
            |line, _, at| end(line, SagaState::Compensated, at.time),
        )
        .on::<CompensationStarted>(
            |_, at| Some(at.stream.clone()),
            |line, fact, _| line.map(|line| because(line, Some(&fact.message))),
        )
        .on::<SagaCancelled>(
            |_, at| Some(at.stream.clone()),
            |line, fact, at| {
                let why = fact.by.as_ref().and_then(|by| by.reason.as_deref());
                end(line.map(|line| because(line, why)), SagaState::Cancelled, at.time)
            },
        )
        .build()
}

/// A question for lines in the order of lists, the newest first; those of open sagas only, if wanted.
pub(crate) fn newest_first(open: bool, behind: Option<Place>, limit: usize) -> Search<BoardRow> {
    let wanted = BOARD.all().with_any(field!(BOARD.state), open.then_some(OPEN));
    let wanted = wanted.down(field!(BOARD.started_at)).limit(limit);
    match behind {
        Some(place) => wanted.after_value(place.started, place.id),
        None => wanted,
    }
}

/// The ids of the open ones, page by page.
pub(crate) async fn open_ones(store: &SharedStore) -> Result<Vec<SagaId>, ReadError> {
    let mut open = BOARD.all().with(field!(BOARD.state), OPEN);
    let mut found = Vec::new();
    loop {
        let page = store.find(open.as_find()).await?;
        found.extend(page.iter().filter_map(|document| document.key.parse::<SagaId>().ok()));
        match page.last() {
            Some(last) if page.len() == FIND_LIMIT_MAX => open = open.after(&last.key),
            Some(_) | None => return Ok(found),
        }
    }
}

/// What the log says that the board does not have yet.
#[derive(Debug, Default)]
pub(crate) struct Tail {
    /// Lines as they will be, by saga.
    pub(crate) lines: BTreeMap<SagaId, BoardRow>,
    /// How many events were left unread: what they say is missing from lists.
    pub(crate) behind: u64,
}

/// 20,000 events: more than a busy second, and read in a tenth of one. A board that is further behind is being made anew.
const TAIL_MAX: usize = 20_000;

/// Folds what the board has not folded, in memory: a list never misses what has just begun or ended.
pub(crate) async fn tail(store: &SharedStore) -> Result<Tail, ReadError> {
    let def = board();
    let mut position = place(store, store.checkpoint(BOARD_CONSUMER).await?.0).await?;
    let (mut documents, mut blocked) = (BTreeMap::new(), BTreeSet::new());
    let (mut tail, mut read) = (Tail::default(), 0);
    loop {
        let page = store.read_log(position, LOG_PAGE).await?;
        let Some(last) = page.last() else { return Ok(tail) };
        position = last.position;
        read += page.len();
        let page = Page::of(&def, JOURNAL, page);
        let needed: Vec<_> = page.keys(&def).into_iter().filter(|key| !documents.contains_key(key)).collect();
        let known = store.get_all(BOARD.name(), BOARD.version(), &needed).await?;
        documents.extend(known.into_iter().map(|document| (document.key, document.body)));
        let folded = fold(&def, JOURNAL, &page, documents.clone(), blocked);
        blocked = folded.blocked;
        for write in folded.batch.documents.into_iter().filter(|write| write.projection == BOARD.name()) {
            let Some(body) = write.body else { continue };
            if let Ok(line) = body.read::<BoardRow>() {
                tail.lines.insert(line.id, line);
            }
            documents.insert(write.key, body);
        }
        if read >= TAIL_MAX {
            tail.behind = store.head().await?.0.saturating_sub(position.0);
            return Ok(tail);
        }
    }
}

/// The ids that end with these digits.
pub(crate) async fn ending_with(store: &SharedStore, digits: &str) -> Result<Vec<SagaId>, ReadError> {
    // Further in front an id has hyphens, which people leave out.
    let last = &digits[digits.len().saturating_sub(LAST_GROUP)..];
    let keys = store.keys_ending(BOARD.name(), BOARD.version(), last).await?;
    let ids = keys.iter().filter_map(|key| key.parse::<SagaId>().ok());
    Ok(ids.filter(|id| id.0.simple().to_string().ends_with(digits)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_boards_checkpoint_is_kept_under_its_name() {
        assert_eq!(board().consumer(JOURNAL), BOARD_CONSUMER);
    }
}
