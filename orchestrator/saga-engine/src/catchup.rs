//! Brings a projection up to a log's end: the machine of a consumer decides, this reads and writes until nothing is left.

use crate::machine::Machine;
use crate::machine::consumer::{Consumer, In, Out, not_written};
use crate::machine::projector::{PARKED, Parked, public_place};
use saga_core::batch::Commit;
use saga_core::envelope::Recorded;
use saga_core::field;
use saga_core::id::{Position, StreamId};
use saga_core::ports::{FIND_LIMIT_MAX, ReadError, SharedStore};
use saga_core::projection::ProjectionDef;
use saga_core::public_log::place;
use saga_core::time::Timestamp;
use std::collections::BTreeSet;

/// Why a page was not folded. Nothing of it is known to be written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CatchUpError {
    /// A store could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The documents could not be written, and why; the same page is folded again later.
    #[error("{0}")]
    Write(String),
}

/// The streams of which this consumer has parked an event.
pub async fn blocked(own: &SharedStore, consumer: &str) -> Result<BTreeSet<StreamId>, ReadError> {
    let mut streams = BTreeSet::new();
    let mut parked_of = PARKED.all().with(field!(PARKED.consumer), consumer);
    loop {
        let page = own.find(parked_of.as_find()).await?;
        let parked = page.iter().filter_map(|document| document.body.read::<Parked>().ok());
        streams.extend(parked.map(|parked| parked.stream));
        match page.last() {
            Some(last) if page.len() == FIND_LIMIT_MAX => parked_of = parked_of.after(&last.key),
            Some(_) | None => return Ok(streams),
        }
    }
}

/// Whether a commit of documents and checkpoints is known to have happened. Where it is not, the checkpoint says it: it is
/// read again before anything is folded again.
pub fn written(commit: Commit) -> Result<(), CatchUpError> {
    not_written(&commit).map_or(Ok(()), |why| Err(CatchUpError::Write(why)))
}

/// How far a log was read: up to this position, and up to this public event.
#[derive(Debug, Default)]
pub struct Reading(Option<(Position, Position)>);

impl Reading {
    /// Where in the log reading goes on behind a public event.
    pub async fn place(&self, log: &SharedStore, after: Position) -> Result<Position, ReadError> {
        match self.0 {
            Some((position, public)) if public == after => Ok(position),
            Some(_) | None => place(log, after.0).await,
        }
    }
    /// The public events of the next page behind one; `None` at the end of the log. Cancelling loses nothing.
    pub async fn page(
        &mut self,
        log: &SharedStore,
        after: Position,
        max: usize,
    ) -> Result<Option<Vec<Recorded>>, ReadError> {
        let mut page = log.read_log(self.place(log, after).await?, max).await?;
        let Some(end) = page.last().map(|last| last.position) else { return Ok(None) };
        page.retain(|recorded| recorded.public_seq.is_some());
        // Private events behind the last public one are not read again.
        self.0 = Some((end, page.last().map_or(after, public_place)));
        Ok(Some(page))
    }
}

/// Catches up with everything public in the source's log. Returns how far it came.
pub async fn catch_up(
    def: &ProjectionDef,
    own: &SharedStore,
    module: &str,
    source: &SharedStore,
) -> Result<Position, CatchUpError> {
    let (cursor, mut reading) = (def.consumer(module), Reading::default());
    let mut consumer = Consumer::folding(def.clone(), module, None);
    let (mut input, mut out) = (Some(In::Begin), Vec::new());
    while let Some(happened) = input.take() {
        consumer.step(Timestamp(0), happened, &mut out);
        for output in out.drain(..) {
            match output {
                Out::Find => {
                    let at = own.checkpoint(&cursor).await?;
                    input = Some(In::Stands { at, blocked: blocked(own, &cursor).await? });
                }
                Out::Read { after, max } => match reading.page(source, after, max).await? {
                    Some(page) => input = Some(In::Page(page)),
                    None => return Ok(consumer.at()),
                },
                Out::Load { projection, version, keys } => {
                    let found =
                        if keys.is_empty() { Vec::new() } else { own.get_all(&projection, version, &keys).await? };
                    input = Some(In::Loaded(Ok(found)));
                }
                Out::Commit(batch) => input = Some(In::Committed(own.commit(*batch).await)),
                Out::Trouble(why) => return Err(CatchUpError::Write(why)),
                // Here nobody waits, and a projection asks for nothing to be done.
                Out::Well | Out::Wait(_) | Out::Serve(_) => {}
            }
        }
    }
    Ok(consumer.at())
}
