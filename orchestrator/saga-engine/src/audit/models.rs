//! R1: every read model is the fold of its events. Documents are folded again beside the stores, and compared.
//!
//! Events of one source have an order, those of several sources have many: a document is right when some order that keeps
//! each source's own order gives it. And while a process writes the store, a document is right when it was right at
//! some moment between the two readings of its projection's cursors.

mod orders;

use super::agreement::NAMED_MAX;
use super::stores::NO_ORDER;
use crate::machine::consumer::PROJECTION_PAGE;
use crate::machine::projector::{PARKED, Page, Parked, fold};
use saga_core::envelope::Recorded;
use saga_core::export::{Damaged, Ends, Part, Row};
use saga_core::id::{Position, StreamId};
use saga_core::json::Payload;
use saga_core::ports::{ReadError, SharedStore};
use saga_core::projection::ProjectionDef;
use saga_core::view::Finding;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// 1,000 rows of a store at a time.
pub(super) const ROWS: usize = 1_000;
/// 1,000 documents of a projection are checked closely when they differ from a quick fold.
const SUSPECTS_MAX: usize = 1_000;

type Stores<'a> = BTreeMap<&'a str, &'a SharedStore>;

/// A document as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Kept {
    body: Payload,
    index: Vec<Option<String>>,
}

/// One projection of one module.
pub(super) struct Model<'a> {
    owner: &'a str,
    def: &'a ProjectionDef,
    /// How far it had come in each source when its documents were about to be read, and when they had been.
    before: BTreeMap<&'static str, u64>,
    after: BTreeMap<&'static str, u64>,
    documents: BTreeMap<String, Kept>,
    /// From which event on a source's stream is put aside.
    parked: BTreeMap<(String, StreamId), Position>,
    folded: BTreeMap<String, Payload>,
}

impl Model<'_> {
    /// Whether an event has had its effect by then.
    fn counts(&self, source: &str, recorded: &Recorded, until: &BTreeMap<&'static str, u64>) -> bool {
        let came = until.get(source).copied().unwrap_or(0);
        let aside = self.parked.get(&(source.to_owned(), recorded.stream.clone()));
        recorded.public_seq.is_some_and(|seq| seq <= came)
            && aside.is_none_or(|from| recorded.position < *from)
            && self.def.folds.iter().any(|fold| fold.module == source && fold.event == recorded.name)
    }
    /// Folds the next events of a source.
    fn feed(&mut self, source: &str, run: &[Recorded], findings: &mut Vec<Finding>) {
        let page: Vec<Recorded> =
            run.iter().filter(|recorded| self.counts(source, recorded, &self.before)).cloned().collect();
        if page.is_empty() {
            return;
        }
        let page = Page::of(self.def, source, page);
        let known = page.keys(self.def).into_iter();
        let known = known.filter_map(|key| self.folded.get(&key).cloned().map(|body| (key, body))).collect();
        for write in fold(self.def, source, &page, known, BTreeSet::new()).batch.documents {
            match write.body {
                Some(body) if write.projection == PARKED.name() => {
                    let says =
                        body.read::<Parked>().map_or_else(|_| "cannot be folded".to_owned(), |parked| parked.reason);
                    findings.push(self.finding(&write.key, &format!("{says}, and it was not put aside")));
                }
                Some(body) => drop(self.folded.insert(write.key, body)),
                None => drop(self.folded.remove(&write.key)),
            }
        }
    }
    fn finding(&self, key: &str, says: &str) -> Finding {
        let place = format!("{}, document {}@{} {key}", self.owner, self.def.name, self.def.version);
        Finding { promise: "R1".to_owned(), place, says: says.to_owned() }
    }
    /// Whether a document is this one: the same content, searched by the same values.
    fn is(&self, key: &str, body: Option<&Payload>, kept: Option<&Kept>) -> bool {
        match (body, kept) {
            (None, None) => true,
            (Some(body), Some(kept)) => {
                let value = |payload: &Payload| payload.read::<serde_json::Value>().ok();
                let same = *body == kept.body || (value(body).is_some() && value(body) == value(&kept.body));
                same && self.def.write(key, Some(body.clone())).index == kept.index
            }
            (Some(_), None) | (None, Some(_)) => false,
        }
    }
    /// Documents that are not what the quick fold gave.
    fn suspects(&self) -> Vec<String> {
        let keys: BTreeSet<&String> = self.documents.keys().chain(self.folded.keys()).collect();
        let wrong = keys.into_iter().filter(|key| !self.is(key, self.folded.get(*key), self.documents.get(*key)));
        wrong.cloned().collect()
    }
}

/// What was found in the read models, and what could not be compared.
#[derive(Default)]
pub(super) struct Compared {
    pub(super) findings: Vec<Finding>,
    pub(super) notes: Vec<String>,
}

/// Folds and compares the projections of these modules, whose stores are among `stores`.
pub(super) async fn compare(
    projections: &[(&str, &[ProjectionDef])],
    stores: &Stores<'_>,
) -> Result<Compared, (String, ReadError)> {
    let mut compared = Compared::default();
    let mut groups: BTreeMap<Vec<&'static str>, Vec<Model<'_>>> = BTreeMap::new();
    for (owner, defs) in projections {
        let Some(store) = stores.get(owner) else { continue };
        let (models, illegible) = models(owner, defs, store).await.map_err(|why| ((*owner).to_owned(), why))?;
        compared.findings.extend(illegible.into_iter().map(|damaged| Finding {
            promise: "O4".to_owned(),
            place: format!("{owner}, document {damaged}"),
            says: format!("not read: {}", damaged.why),
        }));
        for mut model in models {
            // A source of which nothing was ever taken in says nothing.
            let heard = |source: &&&'static str| model.after.get(**source).is_some_and(|at| *at > 0);
            let sources = model.def.sources();
            let sources: Vec<&'static str> = sources.iter().filter(heard).copied().collect();
            if let Some(absent) = sources.iter().find(|source| !stores.contains_key(**source)) {
                let name = &model.def.name;
                compared.notes.push(format!("{owner}: {name} is not compared with {absent}, whose log was not read"));
                continue;
            }
            model.before.retain(|source, _| sources.contains(source));
            groups.entry(sources).or_default().push(model);
        }
    }
    for (sources, mut models) in groups {
        let mut log = Merged::new(&sources, stores);
        while let Some((source, run)) = log.next().await? {
            for model in &mut models {
                model.feed(source, &run, &mut compared.findings);
            }
        }
        for model in &models {
            closely(model, &sources, stores, &mut compared).await?;
        }
    }
    Ok(compared)
}

/// The projections of one store with their documents, and the documents that cannot be read.
async fn models<'a>(
    owner: &'a str,
    defs: &'a [ProjectionDef],
    store: &SharedStore,
) -> Result<(Vec<Model<'a>>, Vec<Damaged>), ReadError> {
    let (mut models, mut illegible): (Vec<Model<'a>>, Vec<Damaged>) = (Vec::new(), Vec::new());
    for def in defs {
        let before = cursors(def, store).await?;
        let (after, documents, parked) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        models.push(Model { owner, def, before, after, documents, parked, folded: BTreeMap::new() });
    }
    let (mut last, mut ends) = (None, Ends::default());
    loop {
        let page = store.rows(Part::Documents, last.as_ref(), ROWS).await?;
        if page.last().is_some_and(|row| !ends.is_new(row)) {
            return Err(ReadError::Corrupt { place: "es_documents".to_owned(), why: NO_ORDER.to_owned() });
        }
        for row in &page {
            if let Row::Damaged(damaged) = row {
                illegible.push(damaged.clone());
            }
            let Row::Document(write) = row else { continue };
            let Some(body) = write.body.clone() else { continue };
            if write.projection == PARKED.name() {
                let Ok(parked) = body.read::<Parked>() else { continue };
                for model in models.iter_mut().filter(|model| model.def.consumer(&parked.module) == parked.consumer) {
                    let from = model.parked.entry((parked.module.clone(), parked.stream.clone()));
                    let from = from.or_insert(parked.position);
                    *from = parked.position.min(*from);
                }
                continue;
            }
            let of = |model: &&mut Model<'_>| model.def.name == write.projection && model.def.version == write.version;
            if let Some(model) = models.iter_mut().find(of) {
                model.documents.insert(write.key.clone(), Kept { body, index: write.index.clone() });
            }
        }
        match page.into_iter().next_back() {
            Some(row) => last = Some(row),
            None => break,
        }
    }
    for model in &mut models {
        model.after = cursors(model.def, store).await?;
    }
    Ok((models, illegible))
}

async fn cursors(def: &ProjectionDef, store: &SharedStore) -> Result<BTreeMap<&'static str, u64>, ReadError> {
    let mut cursors = BTreeMap::new();
    for source in def.sources() {
        cursors.insert(source, store.checkpoint(&def.consumer(source)).await?.0);
    }
    Ok(cursors)
}

/// Looks at the documents that the quick fold did not give: all their events, in every order that can have been.
async fn closely(
    model: &Model<'_>,
    sources: &[&'static str],
    stores: &Stores<'_>,
    compared: &mut Compared,
) -> Result<(), (String, ReadError)> {
    let suspects = model.suspects();
    if suspects.is_empty() {
        return Ok(());
    }
    let closely: BTreeSet<&String> = suspects.iter().take(SUSPECTS_MAX).collect();
    let mut stories: BTreeMap<&String, orders::Story> = BTreeMap::new();
    let mut log = Merged::new(sources, stores);
    while let Some((source, run)) = log.next().await? {
        for recorded in run.iter().filter(|recorded| model.counts(source, recorded, &model.after)) {
            let settled = model.counts(source, recorded, &model.before);
            for key in keys_of(model.def, source, recorded) {
                if let Some(key) = closely.get(&key) {
                    stories.entry(key).or_default().add(source, recorded, settled);
                }
            }
        }
    }
    let nothing = orders::Story::default();
    let (mut named, mut more) = (0, suspects.len() - closely.len());
    for key in &closely {
        let (kept, story) = (model.documents.get(*key), stories.get(key).unwrap_or(&nothing));
        let is = |body: Option<&Payload>| model.is(key, body, kept);
        match story.gives(model.def, key, &is) {
            orders::Gives::Yes => {}
            orders::Gives::TooMany => compared.notes.push(model.finding(key, "has too many orders to compare").place),
            orders::Gives::No if named == NAMED_MAX => more += 1,
            orders::Gives::No => {
                named += 1;
                let says = match kept {
                    Some(_) if story.is_empty() => "there are no events of it",
                    Some(_) => "it is not what its events make of it",
                    None => "it is missing",
                };
                compared.findings.push(model.finding(key, says));
            }
        }
    }
    if more > 0 {
        compared.findings.push(model.finding("", &format!("and {more} more are not what their events make of them")));
    }
    Ok(())
}

/// The documents that one event changes.
fn keys_of(def: &ProjectionDef, source: &str, recorded: &Recorded) -> BTreeSet<String> {
    let at = saga_core::projection::At::of(source, recorded);
    let folds = def.folds.iter().filter(|fold| fold.module == source && fold.event == recorded.name);
    folds.filter_map(|fold| (fold.key)(recorded, &at).ok().flatten()).collect()
}

/// Logs of several sources as one: by the time of their recording, each in its own order.
struct Merged<'a> {
    sources: Vec<Source<'a>>,
}
struct Source<'a> {
    name: &'static str,
    store: &'a SharedStore,
    at: Position,
    page: VecDeque<Recorded>,
    ended: bool,
}

impl<'a> Merged<'a> {
    fn new(sources: &[&'static str], stores: &Stores<'a>) -> Self {
        let source = |name: &&'static str| {
            let store = stores.get(*name)?;
            Some(Source { name, store, at: Position::ZERO, page: VecDeque::new(), ended: false })
        };
        Self { sources: sources.iter().filter_map(source).collect() }
    }
    /// The next run of events of one source; `None` at the end of all.
    async fn next(&mut self) -> Result<Option<(&'static str, Vec<Recorded>)>, (String, ReadError)> {
        for source in self.sources.iter_mut().filter(|source| source.page.is_empty() && !source.ended) {
            let page = source.store.read_log(source.at, PROJECTION_PAGE).await;
            source.page = page.map_err(|why| (source.name.to_owned(), why))?.into();
            match source.page.back() {
                Some(last) => source.at = last.position,
                None => source.ended = true,
            }
        }
        let front = |source: &Source<'_>| source.page.front().map(|recorded| recorded.recorded_at);
        let Some(first) = self.sources.iter().filter_map(front).min() else { return Ok(None) };
        let Some(at) = self.sources.iter().position(|source| front(source) == Some(first)) else { return Ok(None) };
        let others = self.sources.iter().enumerate().filter(|(other, _)| *other != at);
        let until = others.filter_map(|(_, source)| front(source)).min();
        let Some(source) = self.sources.get_mut(at) else { return Ok(None) };
        let mut run = Vec::new();
        while let Some(next) = source.page.front() {
            if until.is_some_and(|until| next.recorded_at > until) {
                break;
            }
            run.extend(source.page.pop_front());
        }
        Ok(Some((source.name, run)))
    }
}
