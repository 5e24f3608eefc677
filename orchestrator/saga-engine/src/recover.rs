//! After one of several stores was restored: consumers that stand where their source's log does not are set back, and
//! their read models folded anew, in place. For a module that nobody runs.

use crate::catchup::{CatchUpError, catch_up, written};
use crate::machine::projector::{PARKED, anchor, anchor_of};
use saga_core::batch::{Batch, DocumentWrite, Fence, Mark};
use saga_core::field;
use saga_core::id::Position;
use saga_core::module::Module;
use saga_core::ports::{FIND_LIMIT_MAX, Find, ReadError, SharedStore};
use saga_core::projection::ProjectionDef;
use saga_core::public_log::{public_head, standing};
use std::collections::BTreeMap;

/// The result of a recovery of one module's consumers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recovered {
    /// How many places of consumers were compared with their source's log.
    pub compared: usize,
    /// What was changed, a sentence each; nothing when all of them stood right.
    pub changed: Vec<String>,
    /// Sources whose log is not at hand, and of which something was read: consumers of theirs were not compared.
    pub unseen: Vec<String>,
}

/// Compares every consumer of `module`, whose store is `own`, with the logs of its sources. A projection that stands where
/// a log does not is emptied and folded anew from all logs that are at hand (the others are read when the module runs); a
/// reactor is set back to the end of the log, or to its beginning when the log has gone on since: what it has reacted to
/// is answered from the inbox, and changes nothing. With a fence, nothing is written once another process leads the
/// module.
///
/// # Errors
/// What could not be read or written. A crash or an error in the midst leaves the consumer where it was, or at the
/// beginning; running it again goes on.
pub async fn recover(
    module: &Module,
    own: &SharedStore,
    logs: &BTreeMap<String, SharedStore>,
    fence: Option<&Fence>,
) -> Result<Recovered, CatchUpError> {
    let mut found = Recovered::default();
    for def in &module.projections {
        let mut astray = Vec::new();
        for source in def.sources() {
            let consumer = def.consumer(source);
            let Some(log) = log_of((module, own), (source, &consumer), logs, &mut found).await? else { continue };
            astray.extend(place(own, log, &consumer, source == module.name).await?);
        }
        if !astray.is_empty() {
            empty(def, own, fence).await?;
            let mut events = 0;
            for source in def.sources() {
                let log = if source == module.name { Some(own) } else { logs.get(source) };
                if let Some(log) = log {
                    events += catch_up(def, own, source, log).await?.0;
                }
            }
            found
                .changed
                .push(format!("{}; {def:?} was emptied and folded anew from {events} events", astray.join("; ")));
        }
    }
    for reactor in &module.reactors {
        for source in reactor.sources() {
            let consumer = reactor.consumer(module.name, source);
            let Some(log) = log_of((module, own), (source, &consumer), logs, &mut found).await? else { continue };
            if let Some(says) = place(own, log, &consumer, source == module.name).await? {
                let (at, head) = (own.checkpoint(&consumer).await?.0, public_head(log).await?);
                let to = if at > head { Position(head) } else { Position::ZERO };
                write(own, Batch { marks: marks(&consumer, to), ..Batch::default() }, fence).await?;
                found.changed.push(format!("{says}; it goes on from {to}"));
            }
        }
    }
    Ok(found)
}

/// What [`recover`] would find: consumers that stand where a log does not, a sentence each. Writes nothing.
///
/// # Errors
/// What could not be read.
pub async fn astray(
    module: &Module,
    own: &SharedStore,
    logs: &BTreeMap<String, SharedStore>,
) -> Result<Recovered, ReadError> {
    let mut found = Recovered::default();
    let projections = module
        .projections
        .iter()
        .flat_map(|def| def.sources().into_iter().map(|source| (source, def.consumer(source))).collect::<Vec<_>>());
    let reactors = module.reactors.iter().flat_map(|reactor| {
        let consumer = |source| (source, reactor.consumer(module.name, source));
        reactor.sources().into_iter().map(consumer).collect::<Vec<_>>()
    });
    for (source, consumer) in projections.chain(reactors) {
        let Some(log) = log_of((module, own), (source, &consumer), logs, &mut found).await? else { continue };
        found.changed.extend(place(own, log, &consumer, source == module.name).await?);
    }
    Ok(found)
}

/// The log that a consumer reads, if it is at hand. Where the consumer has read nothing yet, nothing can be missed.
async fn log_of<'a>(
    (module, own): (&Module, &'a SharedStore),
    (source, consumer): (&str, &str),
    logs: &'a BTreeMap<String, SharedStore>,
    found: &mut Recovered,
) -> Result<Option<&'a SharedStore>, ReadError> {
    let log = if source == module.name { Some(own) } else { logs.get(source) };
    if log.is_some() {
        found.compared += 1;
    } else if !found.unseen.iter().any(|known| known == source) && own.checkpoint(consumer).await? > Position::ZERO {
        found.unseen.push(source.to_owned());
    }
    Ok(log)
}

/// The flaw in a consumer's place, if there is one.
async fn place(
    own: &SharedStore,
    log: &SharedStore,
    consumer: &str,
    of_own: bool,
) -> Result<Option<String>, ReadError> {
    let at = own.checkpoint(consumer).await?;
    let known = if of_own { Position::ZERO } else { own.checkpoint(&anchor_of(consumer)).await? };
    let theirs = standing(log, at.0).await?;
    let says = match theirs.id {
        _ if at.0 > theirs.head => format!("ends at {}", theirs.head),
        Some(id) if known != Position::ZERO && known != anchor(id) => "has another event there".to_owned(),
        Some(_) | None => return Ok(None),
    };
    Ok(Some(format!("{consumer} stood at {at}, and that log {says}")))
}

fn marks(consumer: &str, to: Position) -> Vec<Mark> {
    let names = [consumer.to_owned(), anchor_of(consumer)];
    let [place, anchored] = names;
    vec![Mark { consumer: place, position: to }, Mark { consumer: anchored, position: Position::ZERO }]
}

/// Removes the documents of a projection and what it has parked; its places go with the last of them, so that a crash
/// before leaves what will be found again.
async fn empty(def: &ProjectionDef, own: &SharedStore, fence: Option<&Fence>) -> Result<(), CatchUpError> {
    let consumers: Vec<String> = def.sources().iter().map(|source| def.consumer(source)).collect();
    let parked = consumers.iter().map(|consumer| PARKED.all().with(field!(PARKED.consumer), consumer));
    let folded = Find {
        projection: def.name.clone(),
        version: def.version,
        filters: Vec::new(),
        order_by: None,
        descending: false,
        after: None,
        limit: FIND_LIMIT_MAX,
    };
    for find in parked.map(|search| search.as_find().clone()).chain([folded]) {
        loop {
            let page = own.find(&find).await?;
            if page.is_empty() {
                break;
            }
            let documents = page.into_iter().map(|document| DocumentWrite {
                projection: find.projection.clone(),
                version: find.version,
                key: document.key,
                body: None,
                index: Vec::new(),
            });
            write(own, Batch { documents: documents.collect(), ..Batch::default() }, fence).await?;
        }
    }
    let marks = consumers.iter().flat_map(|consumer| marks(consumer, Position::ZERO)).collect();
    write(own, Batch { marks, ..Batch::default() }, fence).await
}

async fn write(own: &SharedStore, batch: Batch, fence: Option<&Fence>) -> Result<(), CatchUpError> {
    written(own.commit(Batch { fence: fence.cloned(), ..batch }).await)
}
