//! Reads every store to its end and checks everything that can be compared. What cannot be read is a finding of its own, and
//! the rest is read all the same.

use super::agreement::Absent;
use super::models::{self, ROWS};
use super::{AGREEMENTS, Audit};
use crate::identity::Accepted;
use crate::installation::{Found, Misfit, Survey};
use crate::journal::{GROUPS, LOG_PAGE, groups_in};
use crate::machine::coordinator::Definitions;
use saga_core::batch::{InboxEntry, Mark};
use saga_core::envelope::sha256;
use saga_core::event::Owner as _;
use saga_core::export::{Ends, Part, Row};
use saga_core::fact::Orchestration;
use saga_core::id::Position;
use saga_core::module::Module;
use saga_core::ports::{ReadError, SharedStore};
use saga_core::view::Verdicts;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// 4 blobs at a time: each may have 16 MiB.
const BLOBS: usize = 4;

/// What is wrong with rows that come again.
pub(super) const NO_ORDER: &str = "its rows are in no order: the index is damaged";

/// What a check was given of a module's store.
#[derive(Clone)]
pub enum Opened {
    /// The store.
    There(SharedStore),
    /// There is none at this place. That is a finding only when another store shows that it had content.
    Missing(String),
    /// It is there, or in another process, and was not read, for this reason.
    Unread(String),
    /// It belongs to a module outside of this program, which keeps its own store.
    Foreign,
}

/// What a check knows of the system.
pub struct Known<'a> {
    /// The sagas.
    pub definitions: Arc<Definitions>,
    /// The modules: what they answer, and their read models.
    pub modules: &'a [Arc<Module>],
}

/// Reads whole stores and checks them, also while other processes write them: it reads in an order in which work under
/// way is never taken for a fault. `at_rest`: nothing is under way any more.
pub async fn audit_stores(known: &Known<'_>, stores: &[(String, Opened)], at_rest: bool) -> Verdicts {
    let mut reading = Reading { audit: Audit::new(Arc::clone(&known.definitions)), stores: BTreeMap::new() };
    for (module, opened) in stores {
        match opened {
            Opened::There(store) => drop(reading.stores.insert(module, store)),
            Opened::Missing(place) => reading.audit.without(module, Absent::Missing(place.clone())),
            Opened::Foreign => reading.audit.without(module, Absent::Foreign),
            Opened::Unread(why) => {
                reading.audit.without(module, Absent::Unread);
                reading.unread(module, why);
            }
        }
    }
    reading.belonging(stores).await;
    // Cursors before logs, which only grow; facts before inboxes, which are written first.
    let marks = reading.marks().await;
    marks.iter().for_each(|(_, marks)| reading.audit.standing(marks));
    let journal = Orchestration::MODULE;
    let others: Vec<&str> = reading.stores.keys().copied().filter(|module| *module != journal).collect();
    let mut told = reading.log(journal, Position::ZERO).await;
    reading.audit.conclude();
    for module in &others {
        reading.log(module, Position::ZERO).await;
    }
    for (module, marks) in &marks {
        reading.audit.cursors(module, marks);
        if let Some(module) = known.modules.iter().find(|known| known.name == module) {
            reading.audit.strangers(module, marks);
        }
    }
    for module in &others {
        reading.inbox(module).await;
    }
    // Commands sent during the check explain answers given during the check.
    if let Some(head) = told {
        told = reading.log(journal, head).await;
    }
    for module in known.modules {
        reading.audit.commands(module.name, module.commands.keys().map(|(name, _)| *name).collect());
    }
    let groups = marks.iter().filter(|(module, _)| *module == journal).flat_map(|(_, marks)| marks);
    // A number that is none has been named by the survey; nothing is concluded from it.
    let groups = groups.filter(|mark| mark.consumer == GROUPS).find_map(|mark| groups_in(mark.position).ok().flatten());
    reading.beside(journal, groups).await;
    reading.models(known.modules).await;
    reading.audit.judged_by_facts(told.is_some());
    if let (None, Some((_, Opened::Missing(place)))) = (told, stores.iter().find(|(module, _)| module == journal)) {
        reading.unread(
            &format!("{journal}, {place}"),
            "it is missing, and nothing else says what was asked of the others",
        );
    }
    let mut verdicts = reading.audit.finish(at_rest);
    verdicts.promises.extend(AGREEMENTS.iter().map(|id| (*id).to_owned()));
    verdicts
}

/// A check under way.
struct Reading<'a> {
    audit: Audit,
    stores: BTreeMap<&'a str, &'a SharedStore>,
}

impl Reading<'_> {
    /// O4: names a place that was not read.
    fn unread(&mut self, place: &str, why: &str) {
        self.audit.finding("O4", place.to_owned(), format!("not read: {why}"));
    }
    fn failed(&mut self, module: &str, what: &str, why: &ReadError) {
        self.unread(&format!("{module}, {what}"), &why.to_string());
    }
    /// All rows of one part of a store, as far as they can be read.
    async fn rows(&mut self, module: &str, part: Part, what: &str, mut take: impl FnMut(&mut Audit, Vec<Row>)) -> bool {
        let Some(store) = self.stores.get(module).copied() else { return false };
        let limit = if part == Part::Blobs { BLOBS } else { ROWS };
        let mut last = None;
        let mut ends = Ends::default();
        loop {
            match store.rows(part, last.as_ref(), limit).await {
                Ok(page) => {
                    let Some(row) = page.last().cloned() else { return true };
                    if !ends.is_new(&row) {
                        self.unread(&format!("{module}, {what}"), NO_ORDER);
                        return false;
                    }
                    last = Some(row);
                    self.damaged(module, what, &page);
                    take(&mut self.audit, page);
                }
                Err(why) => {
                    self.failed(module, what, &why);
                    return false;
                }
            }
        }
    }
    /// Rows that cannot be read have a name each; those beside them are compared all the same.
    fn damaged(&mut self, module: &str, what: &str, page: &[Row]) {
        for row in page {
            let Row::Damaged(damaged) = row else { continue };
            self.audit.illegible(damaged);
            self.unread(&format!("{module}, {what} {damaged}"), &damaged.why);
        }
    }
    /// L3: each store is the one that belongs here, and has what it was known to have.
    async fn belonging(&mut self, stores: &[(String, Opened)]) {
        let place = |(module, opened): &(String, Opened)| match opened {
            Opened::Missing(place) => Some((module.clone(), place.clone())),
            Opened::There(_) | Opened::Unread(_) | Opened::Foreign => None,
        };
        let absent: BTreeMap<String, String> = stores.iter().filter_map(place).collect();
        let there = self.stores.iter().map(|(module, store)| ((*module).to_owned(), Arc::clone(store))).collect();
        let found = Found { stores: &there, absent: &absent };
        let definitions = Arc::clone(&self.audit.definitions);
        let survey = Survey::of(found, &definitions).await;
        for (module, what, why) in &survey.unread {
            self.failed(module, what, why);
        }
        // Of a store that nobody lists either, only this check would know.
        let known = survey.lists.values().flat_map(BTreeMap::keys).filter(|module| !there.contains_key(*module));
        let known: BTreeSet<String> = known.filter(|module| !absent.contains_key(*module)).cloned().collect();
        for module in known.into_iter().filter(|module| stores.iter().all(|(name, _)| name != module)) {
            self.audit.finding("L3", module, "the store is missing".to_owned());
        }
        let listed: BTreeSet<&String> = survey.lists.values().flat_map(BTreeMap::keys).collect();
        let misfits: BTreeSet<&String> = survey.misfits.iter().map(|misfit| &misfit.module).collect();
        let unknown = absent.keys().filter(|module| !listed.contains(module) && !misfits.contains(module));
        self.audit.notes.extend(unknown.map(|module| {
            format!(
                "not compared: {module}, whose store is not here and that no other store knows of; a process elsewhere may have it"
            )
        }));
        for Misfit { module, why, .. } in survey.misfits {
            let place = absent.get(&module).map(|place| format!("{module}, {place}"));
            self.audit.finding("L3", place.unwrap_or(module), why.to_string());
        }
        self.audit.notes.extend(survey.losses.iter().map(|(module, accepted)| {
            let Accepted { by, at, .. } = accepted;
            format!("the loss of the store of {module} was accepted by {by} at {at}: what was in it is still missed")
        }));
    }
    async fn marks(&mut self) -> Vec<(String, Vec<Mark>)> {
        let modules: Vec<String> = self.stores.keys().map(|module| (*module).to_owned()).collect();
        let mut all = Vec::with_capacity(modules.len());
        for module in modules {
            let mut marks = Vec::new();
            self.rows(&module, Part::Marks, "cursors", |_, page| {
                marks.extend(
                    page.into_iter().filter_map(|row| if let Row::Mark(mark) = row { Some(mark) } else { None }),
                );
            })
            .await;
            all.push((module, marks));
        }
        all
    }
    /// Reads a log from a position on to its end, and says how far it came; `None` when there is no such store.
    async fn log(&mut self, module: &str, mut at: Position) -> Option<Position> {
        let store = self.stores.get(module).copied()?;
        self.audit.read(module, &[]);
        // A log that grows as fast as it is read has an end all the same: where it was when reading began.
        let end = match store.head().await {
            Ok(end) => end,
            Err(why) => {
                self.failed(module, "log", &why);
                return Some(at);
            }
        };
        while at < end {
            match store.read_log(at, LOG_PAGE).await {
                Ok(page) => {
                    let Some(last) = page.last() else { break };
                    at = last.position;
                    self.audit.read(module, &page);
                }
                Err(why) => {
                    self.failed(module, &format!("log after position {at}"), &why);
                    break;
                }
            }
        }
        Some(at)
    }
    async fn inbox(&mut self, module: &str) {
        self.audit.remember(module, &[]);
        let whole = self
            .rows(module, Part::Inbox, "inbox", |audit, page| {
                let entry = |row| if let Row::Inbox(entry) = row { Some(entry) } else { None };
                let page: Vec<InboxEntry> = page.into_iter().filter_map(entry).collect();
                audit.remember(module, &page);
            })
            .await;
        if !whole {
            // A deed that is missing may stand in the part that could not be read.
            self.audit.forget(module);
            self.audit.without(module, Absent::Unread);
        }
    }
    /// Checks the parts of each store beside its log and inbox: long texts, epochs, and its ground.
    async fn beside(&mut self, journal: &str, groups: Option<u16>) {
        let modules: Vec<String> = self.stores.keys().map(|module| (*module).to_owned()).collect();
        for module in modules {
            self.rows(&module, Part::Blobs, "blobs", |audit, page| {
                for row in page {
                    let Row::Blob(blob) = row else { continue };
                    if sha256(&blob.bytes) != blob.sha256 {
                        let says = "the bytes do not have the hash that they are kept under".to_owned();
                        audit.finding("L3", format!("{module}, blob {}", hex(&blob.sha256)), says);
                    }
                }
            })
            .await;
            let mut fences = Vec::new();
            let whole = self
                .rows(&module, Part::Fences, "fences", |_, page| {
                    let fence = |row| if let Row::Fence(fence) = row { Some(fence) } else { None };
                    fences.extend(page.into_iter().filter_map(fence));
                })
                .await;
            if whole {
                self.audit.fences(&module, &fences, groups.filter(|_| module == journal));
            }
            // Snapshots are a cache: that they can be read is all that is asked of them.
            self.rows(&module, Part::Snapshots, "snapshots", |_, _| {}).await;
            let Some(store) = self.stores.get(module.as_str()).copied() else { continue };
            match store.flaws().await {
                Ok(flaws) => flaws.into_iter().for_each(|flaw| {
                    self.audit.finding("L3", format!("{module}, {}", flaw.place), flaw.says);
                }),
                Err(why) => self.failed(&module, "tables and rights", &why),
            }
        }
    }
    async fn models(&mut self, modules: &[Arc<Module>]) {
        for module in modules {
            if !self.stores.contains_key(module.name) {
                continue;
            }
            let projections = [(module.name, module.projections.as_slice())];
            match models::compare(&projections, &self.stores).await {
                Ok(compared) => {
                    self.audit.findings.extend(compared.findings);
                    self.audit.notes.extend(compared.notes);
                }
                Err((source, why)) => self.failed(module.name, &format!("documents, from {source}"), &why),
            }
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Reads whole stores through and checks them, with nothing known of their read models.
///
/// # Errors
/// None any more: what cannot be read is a finding.
pub async fn audit_logs(
    definitions: Arc<Definitions>,
    logs: &[(String, SharedStore)],
    at_rest: bool,
) -> Result<Verdicts, ReadError> {
    let stores: Vec<(String, Opened)> =
        logs.iter().map(|(module, store)| (module.clone(), Opened::There(Arc::clone(store)))).collect();
    Ok(audit_stores(&Known { definitions, modules: &[] }, &stores, at_rest).await)
}

/// The modules that anything of the system names: those that are known, those that sagas ask, and those whose events are
/// taken in.
pub fn named(known: &Known<'_>) -> BTreeSet<String> {
    let asked = known.definitions.values().flat_map(|definition| definition.steps());
    let asked = asked.filter_map(|(_, step)| step.performer.module().map(str::to_owned));
    let projections = known.modules.iter().flat_map(|module| &module.projections);
    let heard = projections.flat_map(|def| def.sources()).map(str::to_owned);
    let reactors = known.modules.iter().flat_map(|module| &module.reactors);
    let followed = reactors.flat_map(|reactor| reactor.sources()).map(str::to_owned);
    let known = known.modules.iter().map(|module| module.name.to_owned());
    asked.chain(heard).chain(followed).chain(known).collect()
}
