//! The public events of a log: where its last one is, and where the one with a given number stands.

use crate::bus::Standing;
use crate::id::Position;
use crate::ports::{ReadError, SharedStore};

/// 8,192 events at a time, in the search for the end of a log.
const HEAD_PAGE: u64 = 8_192;

/// The `public_seq` of the last public event of a log; 0 when there is none. Looked for from the end, in pages that grow.
pub async fn public_head(log: &SharedStore) -> Result<u64, ReadError> {
    let Position(mut end) = log.head().await?;
    let mut step = 64;
    while end > 0 {
        let from = end.saturating_sub(step);
        let page = log.read_log(Position(from), usize::try_from(end - from).unwrap_or(usize::MAX)).await?;
        if let Some(seq) = page.iter().rev().find_map(|recorded| recorded.public_seq) {
            return Ok(seq);
        }
        (end, step) = (from, (step * 2).min(HEAD_PAGE));
    }
    Ok(0)
}

/// The position of the event with this public sequence; of the end of the log if it has fewer. One read where everything
/// is public, few otherwise.
pub async fn place(log: &SharedStore, public: u64) -> Result<Position, ReadError> {
    let Some(before) = public.checked_sub(1) else { return Ok(Position::ZERO) };
    // A sequence is never larger than the position of its event, so the search never begins past it.
    let (mut after, mut limit) = (Position(before), 1);
    loop {
        let page = log.read_log(after, limit).await?;
        if let Some(found) = page.iter().find(|recorded| recorded.public_seq == Some(public)) {
            return Ok(found.position);
        }
        let Some(last) = page.last() else {
            return log.head().await;
        };
        // What is missing still takes at least that many positions.
        let missing = page.iter().rev().find_map(|recorded| recorded.public_seq).map_or(1, |seq| public - seq);
        (after, limit) = (Position(last.position.0 + missing - 1), PLACE_PAGE);
    }
}

/// The public sequence of the last public event at or before a position; 0 when there is none: the inverse of [`place`].
pub async fn public_seq_at(log: &SharedStore, position: Position) -> Result<u64, ReadError> {
    let mut at = position;
    while let Some(before) = at.0.checked_sub(1) {
        let page = log.read_log(Position(before), 1).await?;
        match page.first() {
            Some(recorded) if recorded.public_seq.is_none() => at = Position(before),
            Some(recorded) => return Ok(recorded.public_seq.unwrap_or(0)),
            None => at = log.head().await?.min(Position(before)),
        }
    }
    Ok(0)
}

/// What a log has at a public sequence.
pub async fn standing(log: &SharedStore, seq: u64) -> Result<Standing, ReadError> {
    let head = public_head(log).await?;
    let Position(at) = place(log, seq).await?;
    let page = log.read_log(Position(at.saturating_sub(1)), 1).await?;
    let found = page.first().filter(|recorded| seq > 0 && recorded.public_seq == Some(seq));
    Ok(Standing { head, id: found.map(|event| event.id), chain: found.map_or([0; 32], |event| event.chain) })
}

/// Where one looks first is nearly always right; then a short page does.
const PLACE_PAGE: usize = 64;
