//! Brings a projection up to a page of a log: load, fold (pure), commit once. Replay and rebuild run through here too.

use crate::batch::{Batch, Commit, DOCUMENTS_PER_BATCH_MAX, Fence};
use crate::bus::Standing;
use crate::envelope::Recorded;
use crate::id::{Position, StreamId};
use crate::json::Payload;
use crate::machine::projector::{PARKED, PARKED_VERSION, Parked, fold, keys, public_place};
use crate::ports::{FIND_LIMIT_MAX, Find, ReadError, SharedStore};
use crate::projection::ProjectionDef;
use std::collections::{BTreeMap, BTreeSet};

/// 2,000 events a page: what begins and ends within it is written once. What one commit cannot hold waits for the next.
pub const PROJECTION_PAGE: usize = 2_000;

/// Why a page was not folded. Nothing of it was written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CatchUpError {
    /// A store could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The documents could not be written; the same page is folded again later.
    #[error("the documents could not be written: {0}")]
    Write(String),
}

/// The streams of which this consumer has parked an event.
pub async fn blocked(own: &SharedStore, consumer: &str) -> Result<BTreeSet<StreamId>, ReadError> {
    let mut streams = BTreeSet::new();
    let mut find = Find {
        projection: PARKED.to_owned(),
        version: PARKED_VERSION,
        filters: vec![(0, consumer.to_owned())],
        order_by: None,
        descending: false,
        after: None,
        limit: FIND_LIMIT_MAX,
    };
    loop {
        let page = own.find(&find).await?;
        let parked = page.iter().filter_map(|document| document.body.read::<Parked>().ok());
        streams.extend(parked.map(|parked| parked.stream));
        match page.last() {
            Some(last) if page.len() == FIND_LIMIT_MAX => find.after = Some((None, last.key.clone())),
            Some(_) | None => return Ok(streams),
        }
    }
}

/// 8,192 events at a time, while the end of a log is looked for.
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

/// 4,096 documents in each of two generations: those that the next page is likely to touch again.
pub const DOCUMENTS_KEPT: usize = 4_096;

/// The documents that were written last, so that they are not read back. Only for projections of one source: those of
/// several are written by several loops.
#[derive(Debug, Default)]
pub struct Kept {
    now: BTreeMap<String, Option<Payload>>,
    before: BTreeMap<String, Option<Payload>>,
}

impl Kept {
    /// The document as it was written, if that is known; `Some(None)` was removed.
    fn document(&self, key: &str) -> Option<Option<Payload>> {
        self.now.get(key).or_else(|| self.before.get(key)).cloned()
    }
    fn with(mut self, def: &ProjectionDef, written: Vec<(String, Option<Payload>)>) -> Self {
        if def.sources().len() > 1 {
            return self;
        }
        if self.now.len() + written.len() > DOCUMENTS_KEPT {
            self.before = std::mem::take(&mut self.now);
        }
        self.now.extend(written);
        self
    }
}

/// Cuts a page to what one commit can hold: each folding writes one document at most. Whether something was left over,
/// or may follow.
pub fn cut(def: &ProjectionDef, module: &str, page: &mut Vec<Recorded>) -> bool {
    let mut room = DOCUMENTS_PER_BATCH_MAX;
    let fits = page.iter().take_while(|recorded| {
        let folds = def.folds.iter().filter(|fold| fold.module == module && fold.event == recorded.name).count();
        let left = room.checked_sub(folds);
        room = left.unwrap_or(room);
        left.is_some()
    });
    let fits = fits.count().max(1);
    let more = page.len() >= PROJECTION_PAGE.min(fits + 1);
    page.truncate(fits);
    more
}

/// Folds one page into the documents of `own` and moves the checkpoint with them, in one commit. With a fence, a folder
/// that was replaced by another process changes nothing.
pub async fn fold_page(
    def: &ProjectionDef,
    own: &SharedStore,
    module: &str,
    page: &[Recorded],
    (blocked, kept): (&mut BTreeSet<StreamId>, &mut Kept),
    fence: Option<Fence>,
) -> Result<(), CatchUpError> {
    let (mut documents, mut unknown) = (BTreeMap::new(), Vec::new());
    for key in keys(def, module, page) {
        match kept.document(&key) {
            Some(known) => documents.extend(known.map(|body| (key, body))),
            None => unknown.push(key),
        }
    }
    if !unknown.is_empty() {
        let found = own.get_all(&def.name, def.version, &unknown).await?;
        documents.extend(found.into_iter().map(|document| (document.key, document.body)));
    }
    let folded = fold(def, module, page, documents, blocked.clone());
    // What is known is only what is durable: it goes before the commit and comes back with its answer.
    let before = std::mem::take(kept);
    let own_documents = folded.batch.documents.iter().filter(|write| write.projection == def.name);
    let written_documents: Vec<_> = own_documents.map(|write| (write.key.clone(), write.body.clone())).collect();
    written(own.commit(Batch { fence, ..folded.batch }).await)?;
    *blocked = folded.blocked;
    *kept = before.with(def, written_documents);
    Ok(())
}

/// Whether a commit of documents and checkpoints is known to have happened. Where it is not, the checkpoint says it: it is
/// read again before anything is folded again.
pub fn written(commit: Commit) -> Result<(), CatchUpError> {
    let why = match commit {
        Commit::Ok(_) => return Ok(()),
        Commit::Conflict(conflict) => conflict.to_string(),
        Commit::Fenced { current } => format!("fenced by epoch {current}"),
        Commit::Rejected(limit) => limit.to_string(),
        Commit::Retryable(why) | Commit::Unknown(why) => why.to_string(),
    };
    Err(CatchUpError::Write(why))
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

/// Catches up with everything public in the source's log. Returns how far it came.
pub async fn catch_up(
    def: &ProjectionDef,
    own: &SharedStore,
    module: &str,
    source: &SharedStore,
) -> Result<Position, CatchUpError> {
    let consumer = def.consumer(module);
    let mut at = own.checkpoint(&consumer).await?;
    let mut streams = blocked(own, &consumer).await?;
    let mut kept = Kept::default();
    let mut position = place(source, at.0).await?;
    loop {
        let read = source.read_log(position, PROJECTION_PAGE).await?;
        let Some(end) = read.last().map(|last| last.position) else { return Ok(at) };
        let mut page: Vec<_> = read.into_iter().filter(|recorded| recorded.public_seq.is_some()).collect();
        let whole = page.len();
        cut(def, module, &mut page);
        position = match page.last() {
            Some(last) if page.len() < whole => last.position,
            Some(_) | None => end,
        };
        if let Some(last) = page.last() {
            at = public_place(last);
            fold_page(def, own, module, &page, (&mut streams, &mut kept), None).await?;
        }
    }
}
