//! Answers of quality control, from its read models.

use super::judgements::{counting, place, place_of};
use super::projections::{BOARD, facts};
use crate::api::dtos::{FailingSubject, QcResult};
use crate::api::queries::{Failing, History, Result as ResultOf};
use saga_core::field;
use saga_core::module::{Docs, QueryError};
use saga_core::ports::FIND_LIMIT_MAX;
use saga_core::time::Timestamp;

pub(super) async fn result(docs: Docs, asked: ResultOf) -> Result<Option<QcResult>, QueryError> {
    let board = docs.get(BOARD, place(asked.subject)).await?;
    Ok(board.and_then(|board| counting(&board.results, asked.subject.version, facts).cloned()))
}

pub(super) async fn history(docs: Docs, asked: History) -> Result<Vec<QcResult>, QueryError> {
    let board = docs.get(BOARD, place_of(asked.kind, asked.id)).await?;
    Ok(board.map(|board| board.results).unwrap_or_default())
}

pub(super) async fn failing(docs: Docs, asked: Failing) -> Result<Vec<FailingSubject>, QueryError> {
    let mut search = BOARD.all().with(field!(BOARD.failing), "yes");
    let mut subjects = Vec::new();
    loop {
        let page = docs.find(&search).await?;
        let next = page.last().filter(|_| page.len() == FIND_LIMIT_MAX).map(|board| place_of(board.kind, board.id));
        subjects.extend(page.into_iter().filter_map(|board| {
            let result = board.verdict_now()?.clone();
            Some(FailingSubject { kind: board.kind, id: board.id, result })
        }));
        match next {
            Some(last) => search = search.after(last),
            None => break,
        }
    }
    subjects.retain(|subject| subject.result.at >= asked.since.unwrap_or(Timestamp(i64::MIN)));
    subjects.sort_by_key(|subject| (subject.result.at, subject.id));
    Ok(subjects)
}
