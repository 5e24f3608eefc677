//! Folds a page of a log into documents. Pure: what to load, then what to write; poison is parked with its place.

use crate::panics::caught;
use saga_core::batch::{Batch, DocumentWrite, Mark};
use saga_core::envelope::Recorded;
use saga_core::id::{EventId, Position, StreamId};
use saga_core::json::Payload;
use saga_core::projection::{At, Fold, FoldError, ProjectionDef};
use saga_core::read_model::ReadModel;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// What could not be consumed.
pub const PARKED: ReadModel<Parked> = ReadModel::new("_parked", 1, &["consumer", "stream"]);

/// Why later events of a story are parked: they wait behind the one that broke, in order.
pub const BEHIND: &str = "an earlier event of this stream is parked";

/// Something that was put aside once, with its place and reason. It is a pointer: the bytes stay in the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parked {
    /// Who could not consume it.
    pub consumer: String,
    /// Whose log it stands in.
    pub module: String,
    /// Where.
    pub position: Position,
    /// Which story: its later events park behind it, in order.
    pub stream: StreamId,
    /// The event's name and version.
    pub event: String,
    /// Why.
    pub reason: String,
}

impl Parked {
    /// An event of a module's log, and why a consumer could not take it.
    pub fn of(consumer: String, module: &str, recorded: &Recorded, reason: String) -> Self {
        Self {
            consumer,
            module: module.to_owned(),
            position: recorded.position,
            stream: recorded.stream.clone(),
            event: format!("{}@{}", recorded.name, recorded.schema_version),
            reason,
        }
    }
    /// The document that keeps it.
    pub fn write(&self) -> DocumentWrite {
        DocumentWrite {
            projection: PARKED.name().to_owned(),
            version: PARKED.version(),
            key: format!("{}:{:020}", self.consumer, self.position.0),
            body: Payload::of(self).ok(),
            index: vec![Some(self.consumer.clone()), Some(self.stream.to_string())],
        }
    }
}

/// A page of a log, with the documents that its events change. Each of them is asked for its key once.
#[derive(Debug, Clone, Default)]
pub struct Page {
    events: Vec<Recorded>,
    concerned: Vec<Concerned>,
}

/// An event that a projection folds.
#[derive(Debug, Clone)]
struct Concerned {
    /// Its index in the page.
    event: usize,
    at: At,
    /// The index of each fold, and the key of its document; otherwise why the event is parked.
    keys: Vec<(usize, Result<Option<String>, String>)>,
}

impl Page {
    /// Of events of `module`, in the order of its log.
    pub fn of(def: &ProjectionDef, module: &str, events: Vec<Recorded>) -> Self {
        let concerned = events.iter().enumerate().filter_map(|(event, recorded)| {
            let folds = || def.folds.iter().enumerate().filter(|(_, fold)| listens(fold, module, recorded));
            folds().next()?;
            let at = At::of(module, recorded);
            let keys = folds().map(|(fold, of)| (fold, key_of(of, recorded, &at))).collect();
            Some(Concerned { event, at, keys })
        });
        let concerned = concerned.collect();
        Self { events, concerned }
    }
    /// The last event.
    pub fn last(&self) -> Option<&Recorded> {
        self.events.last()
    }
    /// The documents that folding it will read.
    pub fn keys(&self, def: &ProjectionDef) -> BTreeSet<String> {
        let (mut keys, mut begun) = (BTreeSet::new(), BTreeSet::new());
        let known = self.concerned.iter().flat_map(|concerned| &concerned.keys);
        for (fold, key) in known.filter_map(|(fold, key)| def.folds.get(*fold).zip(key.as_ref().ok()?.as_ref())) {
            if fold.begins && !keys.contains(key) {
                begun.insert(key);
            } else if !begun.contains(key) {
                keys.insert(key);
            }
        }
        keys.into_iter().cloned().collect()
    }
}

fn listens(fold: &Fold, module: &str, recorded: &Recorded) -> bool {
    fold.module == module && fold.event == recorded.name
}

/// The document that an event changes. A fold that panics is a bug like one that errs: its event is parked.
fn key_of(fold: &Fold, recorded: &Recorded, at: &At) -> Result<Option<String>, String> {
    caught(|| (fold.key)(recorded, at)).map_err(panicked)?.map_err(|why| why.to_string())
}
fn panicked(words: String) -> String {
    format!("the fold panicked: {words}")
}

/// Where a consumer of events stands after this one.
pub fn public_place(recorded: &Recorded) -> Position {
    // Only public events reach a consumer.
    recorded.public_seq.map_or(recorded.position, Position)
}

const ANCHOR: &str = "anchor:";
/// Under this name a store keeps which event of another module a consumer's checkpoint stands on.
pub fn anchor_of(consumer: &str) -> String {
    format!("{ANCHOR}{consumer}")
}
/// Whether a mark is such an anchor, and no place.
pub fn is_anchor(mark: &Mark) -> bool {
    mark.consumer.starts_with(ANCHOR)
}
/// An event as a number that another event at the same place does not have: 63 bits of its id, never 0.
pub fn anchor(id: EventId) -> Position {
    let [.., a, b, c, d, e, f, g, h] = id.0.into_bytes();
    Position((u64::from_be_bytes([a, b, c, d, e, f, g, h]) >> 1).max(1))
}
/// The marks of a consumer that has had this event of `source`. Of another module's it also keeps which one it was:
/// after one of the two stores was restored, the number alone would fit.
pub fn marks(consumer: String, own: bool, last: &Recorded) -> Vec<Mark> {
    let anchored = (!own).then(|| Mark { consumer: anchor_of(&consumer), position: anchor(last.id) });
    anchored.into_iter().chain([Mark { consumer, position: public_place(last) }]).collect()
}

/// What folding a page comes to.
#[derive(Debug, Clone)]
pub struct Folded {
    /// Each changed document once, parked events, and the checkpoint: one commit.
    pub batch: Batch,
    /// Streams that are blocked from now on.
    pub blocked: BTreeSet<StreamId>,
}

/// Folds the page over the loaded documents. Streams in `blocked` have a parked event already.
pub fn fold(
    def: &ProjectionDef,
    module: &str,
    page: &Page,
    mut documents: BTreeMap<String, Payload>,
    mut blocked: BTreeSet<StreamId>,
) -> Folded {
    let consumer = def.consumer(module);
    let mut changed = BTreeSet::new();
    let mut batch = Batch::default();
    for Concerned { event, at, keys } in &page.concerned {
        let Some(recorded) = page.events.get(*event) else { continue };
        let outcome = if blocked.contains(&recorded.stream) {
            Err(BEHIND.to_owned())
        } else {
            keys.iter().try_for_each(|(fold, key)| -> Result<(), String> {
                let (Some(fold), Some(key)) = (def.folds.get(*fold), key.clone()?) else { return Ok(()) };
                let document = documents.get(&key).cloned();
                let folded = caught(|| (fold.fold)(document, recorded, at)).map_err(panicked)?;
                match folded.map_err(|why: FoldError| why.to_string())? {
                    Some(document) => documents.insert(key.clone(), document),
                    None => documents.remove(&key),
                };
                changed.insert(key);
                Ok(())
            })
        };
        if let Err(reason) = outcome {
            blocked.insert(recorded.stream.clone());
            batch.documents.push(Parked::of(consumer.clone(), module, recorded, reason).write());
        }
    }
    batch.documents.extend(changed.iter().map(|key| def.write(key, documents.get(key).cloned())));
    if let Some(last) = page.last() {
        batch.marks = marks(consumer, def.owner() == module, last);
    }
    Folded { batch, blocked }
}
