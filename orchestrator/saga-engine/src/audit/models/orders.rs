//! Searches for an order of a document's events that gives the document. Pure.

use saga_core::envelope::Recorded;
use saga_core::json::Payload;
use saga_core::projection::{At, ProjectionDef};
use std::collections::{BTreeMap, BTreeSet};

/// 10,000 documents in between: two sources with a hundred events each. Beyond, a document is not judged.
const BETWEEN_MAX: usize = 10_000;

/// The events of one document, by source.
#[derive(Default)]
pub(super) struct Story {
    sources: BTreeMap<&'static str, SourceLog>,
}
#[derive(Default)]
struct SourceLog {
    events: Vec<Recorded>,
    /// How many of them had their effect before the document was read.
    settled: usize,
}

/// Whether a document is among those that the events can give.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Gives {
    Yes,
    No,
    TooMany,
}

impl Story {
    /// The next event of a source; `settled`: it had its effect before the document was read.
    pub(super) fn add(&mut self, source: &'static str, recorded: &Recorded, settled: bool) {
        let line = self.sources.entry(source).or_default();
        line.events.push(recorded.clone());
        line.settled += usize::from(settled);
    }
    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.sources.is_empty()
    }
    /// Whether the document that `is` recognises comes of it.
    pub(super) fn gives(&self, def: &ProjectionDef, key: &str, is: &dyn Fn(Option<&Payload>) -> bool) -> Gives {
        let lines: Vec<(&'static str, &SourceLog)> =
            self.sources.iter().map(|(source, line)| (*source, line)).collect();
        let settled = |at: &[usize]| at.iter().zip(&lines).all(|(at, (_, line))| *at >= line.settled);
        // Every place that can be come to, nearest first, with every document that can be there.
        let mut places: BTreeMap<(usize, Vec<usize>), BTreeSet<Option<String>>> = BTreeMap::new();
        places.insert((0, vec![0; lines.len()]), BTreeSet::from([None]));
        let mut seen = 0;
        while let Some(((steps, at), documents)) = places.pop_first() {
            for document in documents {
                seen += 1;
                if seen > BETWEEN_MAX {
                    return Gives::TooMany;
                }
                let body = document.map(Payload::trusted);
                if settled(&at) && is(body.as_ref()) {
                    return Gives::Yes;
                }
                for (number, (source, line)) in lines.iter().enumerate() {
                    let Some(event) = at.get(number).and_then(|at| line.events.get(*at)) else { continue };
                    let Ok(next) = step(def, key, source, event, body.clone()) else { continue };
                    let mut there = at.clone();
                    if let Some(place) = there.get_mut(number) {
                        *place += 1;
                    }
                    let next = next.map(|body| body.as_str().to_owned());
                    places.entry((steps + 1, there)).or_default().insert(next);
                }
            }
        }
        Gives::No
    }
}

/// One event into one document.
fn step(
    def: &ProjectionDef,
    key: &str,
    source: &str,
    event: &Recorded,
    mut body: Option<Payload>,
) -> Result<Option<Payload>, ()> {
    let at = At::of(source, event);
    for fold in def.folds.iter().filter(|fold| fold.module == source && fold.event == event.name) {
        if (fold.key)(event, &at).map_err(drop)?.as_deref() == Some(key) {
            body = (fold.fold)(body, event, &at).map_err(drop)?;
        }
    }
    Ok(body)
}
