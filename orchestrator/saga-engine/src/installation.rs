//! Whether stores belong to one installation and fit together: checked at every start before anything is made or
//! written, by every command that looks at a folder, and by `events verify`. A store that is lost, foreign, or older
//! than the others know it is named.
//!
//! Every store of a process keeps a list of the other ones. Where the lists are lost, too, cursors on a store's log and
//! answers from its module still show that it was there; and the ends of the logs show the deeds done since the lists
//! were written.

mod story;
mod vote;

use self::story::{Story, Told, definition};
use self::vote::elected;
use crate::identity::{self, Accepted, Identity, Listed};
use crate::journal::{LOG_PAGE, groups_of, known_groups, saga_of};
use crate::machine::coordinator::Definitions;
use crate::machine::projector::is_anchor;
use saga_core::batch::Mark;
use saga_core::definition::Definition;
use saga_core::envelope::Recorded;
use saga_core::event::{EventSet as _, Owner as _};
use saga_core::export::{Part, Row};
use saga_core::fact::{Orchestration, SagaFact};
use saga_core::id::{Position, SagaId, StepKey, Version};
use saga_core::ports::{OpenError, ReadError, SharedStore};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// 1,000 events at the end of each log are compared with the other stores at a start: what a minute without a list may hold.
const TAIL: usize = 1_000;
/// 64 sagas of each such end: their histories are read in some tenths of a second.
const SAGAS_MAX: usize = 64;
/// 1,000 cursors a page.
const MARKS: usize = 1_000;
const JOURNAL: &str = Orchestration::MODULE;

/// How a store does not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It is not there, or empty, and was not always.
    Lost,
    /// It is another one.
    Foreign,
    /// Others know more of it than it has itself.
    Behind,
}

/// A store that does not fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misfit {
    /// Whose it should be.
    pub module: String,
    /// In which way.
    pub fault: Fault,
    /// The same for people.
    pub why: OpenError,
}

/// What was found of the stores of an installation.
#[derive(Debug, Default)]
pub struct Survey {
    /// The installation that most of the stores say they belong to, if any of them says so.
    pub installation: Option<Uuid>,
    /// What each store says it is.
    pub identities: BTreeMap<String, Identity>,
    /// The lists, by the module whose store has them.
    pub lists: BTreeMap<String, BTreeMap<String, Listed>>,
    /// Up to where each log is taken as it is, because a person accepted a loss.
    pub accepted: BTreeMap<String, Position>,
    /// The losses that were accepted, by module.
    pub losses: BTreeMap<String, Accepted>,
    /// What does not fit, the gravest of each store.
    pub misfits: Vec<Misfit>,
    /// What could not be read: of which module, what, and why.
    pub unread: Vec<(String, &'static str, ReadError)>,
}

/// Stores that are there, and modules without one, each with the place where it would be.
#[derive(Clone, Copy)]
pub struct Found<'a> {
    /// Opened, and whatever is in them.
    pub stores: &'a BTreeMap<String, SharedStore>,
    /// Not there.
    pub absent: &'a BTreeMap<String, String>,
}

/// Describes a store that is not there.
fn missing(Listed { created_at, position, .. }: &Listed) -> String {
    match *position {
        Position::ZERO => format!("it is missing; it was made at {created_at}, and nothing was known to be in it"),
        reached => format!("it is missing; it was made at {created_at} and reached position {reached}"),
    }
}

impl Survey {
    /// Looks at every store, and at what they say of each other. Writes nothing.
    pub async fn of(found: Found<'_>, definitions: &Definitions) -> Self {
        let (mut survey, mut accepted) = (Survey::default(), Vec::new());
        for (module, store) in found.stores {
            accepted.extend(survey.ask(module, store).await.map(|losses| (module, losses)));
        }
        survey.elect();
        for module in found.stores.keys() {
            let judged = identity::judge(module, module, survey.identities.get(module), None, survey.installation);
            survey.judged(module, Fault::Foreign, judged);
        }
        // Losses accepted by another installation say nothing of this one.
        for (_, losses) in accepted.into_iter().filter(|(module, _)| !survey.is_foreign(module)).collect::<Vec<_>>() {
            survey.accept(losses);
        }
        survey.listed(found).await;
        survey.evidence(found, definitions).await;
        survey
    }
    /// Compares the ends of the logs as well: what modules did lately was asked for, and what was answered is remembered.
    pub async fn with_ends(mut self, found: Found<'_>, definitions: &Definitions) -> Self {
        let ended = self.ends(found, definitions).await;
        if let Err(why) = ended {
            self.unread.push((JOURNAL.to_owned(), "the ends of the logs", why));
        }
        self
    }
    /// The first thing that forbids a start.
    ///
    /// # Errors
    /// A store that does not fit, with what is wrong.
    pub fn fits(&self) -> Result<(), OpenError> {
        self.misfits.first().map_or(Ok(()), |misfit| Err(misfit.why.clone()))
    }

    fn misfits(&self, module: &str) -> bool {
        self.misfits.iter().any(|misfit| misfit.module == module)
    }
    fn judged(&mut self, module: &str, fault: Fault, judged: Result<(), OpenError>) {
        if let Err(why) = judged
            && !self.misfits(module)
        {
            self.misfits.push(Misfit { module: module.to_owned(), fault, why });
        }
    }
    fn lost(&mut self, module: &str, place: &str, why: String) {
        let (module, place) = (module.to_owned(), place.to_owned());
        self.judged(&module.clone(), Fault::Lost, Err(OpenError::Lost { module, place, why }));
    }
    fn behind(&mut self, module: &str, why: String) {
        self.judged(module, Fault::Behind, Err(OpenError::Behind { place: module.to_owned(), why }));
    }
    /// Finds out whose the stores are, and tells a coordinator's store that is not.
    fn elect(&mut self) {
        let own = self.identities.get(JOURNAL).map(|own| own.store);
        let others = self.identities.iter().filter(|(module, _)| *module != JOURNAL);
        let theirs = others.filter_map(|(module, known)| Some((module.as_str(), known.installation?)));
        self.installation = elected(own, theirs.clone().map(|(_, theirs)| theirs));
        if let (Some(own), Some(elected)) = (own, self.installation)
            && own != elected
        {
            let of_it = theirs.filter(|(_, theirs)| *theirs == elected).map(|(module, _)| module);
            let of_it = of_it.collect::<Vec<_>>().join(", ");
            let why = format!("it is of the installation {own}, and those of {of_it} are of {elected}");
            self.judged(JOURNAL, Fault::Foreign, Err(OpenError::Strange { place: JOURNAL.to_owned(), why }));
        }
    }
    fn is_foreign(&self, module: &str) -> bool {
        self.misfits.iter().any(|misfit| misfit.module == module && misfit.fault == Fault::Foreign)
    }
    fn accept(&mut self, losses: BTreeMap<String, Accepted>) {
        for (module, position) in losses.values().flat_map(|Accepted { heads, .. }| heads) {
            let known = self.accepted.entry(module.clone()).or_default();
            *known = (*position).max(*known);
        }
        self.losses.extend(losses);
    }
    /// What a store says of itself and of others; given back: the losses that were accepted, as it says them.
    async fn ask(&mut self, module: &str, store: &SharedStore) -> Option<BTreeMap<String, Accepted>> {
        match identity::of(store).await {
            Ok(known) => self.identities.extend(known.map(|known| (module.to_owned(), known))),
            Err(why) => self.unread.push((module.to_owned(), "what the store is", why)),
        }
        if module == JOURNAL {
            // A store that says whose it is was begun by a program, which notes the number before the first saga.
            let groups = match self.identities.contains_key(module) {
                true => groups_of(store).await,
                false => known_groups(store).await,
            };
            if let Err(why) = groups {
                self.unread.push((module.to_owned(), "the number of groups", why));
            }
        }
        match (identity::listed(store).await, identity::accepted(store).await) {
            (Ok(list), Ok(accepted)) => {
                self.lists.insert(module.to_owned(), list);
                Some(accepted)
            }
            (Err(why), _) | (_, Err(why)) => {
                self.unread.push((module.to_owned(), "the list of stores", why));
                None
            }
        }
    }
    /// What the lists say. A store that is another's has another's list.
    async fn listed(&mut self, found: Found<'_>) {
        let holders = self.lists.iter().filter(|(holder, _)| !self.misfits(holder));
        // The coordinator's list first: it is the one that people know of.
        let mut says: Vec<(bool, String, Listed)> = holders
            .flat_map(|(holder, list)| {
                list.iter().map(move |(module, listed)| (holder != JOURNAL, module.clone(), listed.clone()))
            })
            .collect();
        says.sort_by(|one, other| (one.0, &one.1).cmp(&(other.0, &other.1)));
        for (_, module, listed) in says {
            if let Some(place) = found.absent.get(&module) {
                self.lost(&module, place, missing(&listed));
                continue;
            }
            let Some(store) = found.stores.get(&module) else { continue };
            let known = self.identities.get(&module);
            let fault = if known.is_none() { Fault::Lost } else { Fault::Foreign };
            let judged = identity::judge(&module, &module, known, Some(&listed), self.installation);
            self.judged(&module, fault, judged);
            match identity::still(&module, &listed, store).await {
                Err(OpenError::Unavailable { why, .. }) => {
                    self.unread.push((module, "the end of its log", ReadError::Unavailable(why)));
                }
                judged => self.judged(&module, Fault::Behind, judged),
            }
        }
    }
    /// Stores that are not there, or know nothing of themselves and hold nothing, although others have read or asked them.
    async fn evidence(&mut self, found: Found<'_>, definitions: &Definitions) {
        let mut empty: BTreeMap<&str, (&str, &str)> =
            found.absent.iter().map(|(module, place)| (module.as_str(), (place.as_str(), "missing"))).collect();
        for (module, store) in found.stores.iter().filter(|(module, _)| !self.identities.contains_key(*module)) {
            if matches!(is_blank(store).await, Ok(true)) {
                empty.insert(module, (module, "empty"));
            }
        }
        empty.retain(|module, _| !self.misfits(module));
        if empty.is_empty() {
            return;
        }
        if let Some((place, what)) = empty.remove(JOURNAL) {
            let others = found.stores.iter().filter(|(module, _)| *module != JOURNAL && !self.is_foreign(module));
            for (module, store) in others.collect::<Vec<_>>() {
                let belongs = self.identities.get(module).and_then(|known| known.installation);
                let why = match (belongs, asked_by_a_saga(store).await) {
                    (Some(theirs), _) => format!("the store of {module} belongs to the installation {theirs}"),
                    (None, Ok(true)) => format!("the store of {module} remembers what sagas asked of it"),
                    (None, Ok(false) | Err(_)) => continue,
                };
                self.lost(JOURNAL, place, format!("it is {what}, and {why}"));
            }
        }
        for (holder, store) in found.stores {
            if self.is_foreign(holder) {
                continue;
            }
            let Ok(marks) = marks(store).await else { continue };
            for Mark { consumer, position } in marks {
                let source = consumer.rsplit_once('@').map(|(_, source)| source.to_owned()).unwrap_or_default();
                let Some((place, what)) = empty.get(source.as_str()) else { continue };
                self.lost(
                    &source,
                    place,
                    format!("it is {what}, and {holder} has read {position} of its events ({consumer})"),
                );
            }
        }
        let left: BTreeSet<&str> = empty.keys().copied().filter(|module| !self.misfits(module)).collect();
        let Some(journal) = found.stores.get(JOURNAL).filter(|_| !left.is_empty()) else { return };
        match answered(journal, definitions, &left).await {
            Ok(deeds) => deeds.into_iter().for_each(|(module, says)| {
                if let Some((place, what)) = empty.get(module.as_str()) {
                    self.lost(&module, place, format!("it is {what}, and the coordinator's log says that {says}"));
                }
            }),
            Err(why) => self.unread.push((JOURNAL.to_owned(), "its log", why)),
        }
    }
    async fn ends(&mut self, found: Found<'_>, definitions: &Definitions) -> Result<(), ReadError> {
        let Some(journal) = found.stores.get(JOURNAL).filter(|_| !self.misfits(JOURNAL)) else { return Ok(()) };
        // Deeds before facts, and facts before inboxes: others may be writing, and each is written before what is read next.
        let mut sagas: BTreeMap<SagaId, Vec<Done>> = BTreeMap::new();
        // Deeds for another installation's sagas are unknown to this one's log, and no fault of it.
        for (module, store) in found.stores.iter().filter(|(module, _)| *module != JOURNAL && !self.is_foreign(module))
        {
            self.lately(module, store, &mut sagas).await?;
        }
        let mut answered = BTreeSet::new();
        for event in self.tail(JOURNAL, journal).await?.iter().rev() {
            let answers = matches!(event.name.as_str(), "StepSucceeded" | "StepCompensated");
            answered.extend(saga_of(&event.stream).filter(|_| answers && answered.len() < SAGAS_MAX));
        }
        for saga in answered {
            sagas.entry(saga).or_default();
        }
        for (saga, deeds) in sagas {
            let Some(story) = Story::of(journal, saga, definitions).await? else { continue };
            if let Some(Done { module, step, at, .. }) = deeds.iter().find(|done| !story.dispatched.contains(&done.key))
            {
                let head = journal.head().await?;
                self.behind(JOURNAL, format!(
                    "it ends at {head} and knows nothing of {step} of saga {saga}, which {module} did at its position {at}"
                ));
                return Ok(());
            }
            self.remembered(found, saga, story).await?;
        }
        Ok(())
    }
    /// The last deeds of a module, by saga.
    async fn lately(
        &self,
        module: &str,
        store: &SharedStore,
        sagas: &mut BTreeMap<SagaId, Vec<Done>>,
    ) -> Result<(), ReadError> {
        let mut its = BTreeSet::new();
        for event in self.tail(module, store).await?.iter().rev() {
            let Ok(meta) = event.metadata() else { continue };
            let (Some(saga), Some(deed)) = (meta.saga, meta.deed) else { continue };
            let id = SagaId(saga.id);
            if its.len() < SAGAS_MAX || its.contains(&id) {
                its.insert(id);
                let (key, module) = (StepKey::from_uuid(deed), module.to_owned());
                sagas.entry(id).or_default().push(Done { module, key, step: saga.step, at: event.position });
            }
        }
        Ok(())
    }
    /// Every answer that a saga has must stand in an inbox.
    async fn remembered(&mut self, found: Found<'_>, saga: SagaId, story: Story) -> Result<(), ReadError> {
        let from = self.accepted.get(JOURNAL).copied().unwrap_or_default();
        for Told { module, key, at, says } in story.told.into_iter().filter(|told| told.at > from) {
            let Some(store) = found.stores.get(&module).filter(|_| !self.misfits(&module)) else { continue };
            if store.answered(saga.0, key, key).await?.deed.is_none() {
                self.behind(&module, format!(
                    "the coordinator's log says at {at} that {says} of saga {saga}, and its inbox does not remember it"
                ));
            }
        }
        Ok(())
    }
    /// The last events of a log, behind what a person accepted.
    async fn tail(&self, module: &str, store: &SharedStore) -> Result<Vec<Recorded>, ReadError> {
        let from = store.head().await?.0.saturating_sub(TAIL as u64);
        let accepted = self.accepted.get(module).copied().unwrap_or_default();
        store.read_log(Position(from).max(accepted), TAIL).await
    }
}

/// A deed of a module for a saga.
struct Done {
    module: String,
    key: StepKey,
    step: String,
    at: Position,
}
/// Whether a store holds nothing that anybody did.
async fn is_blank(store: &SharedStore) -> Result<bool, ReadError> {
    Ok(store.head().await? == Position::ZERO && store.rows(Part::Inbox, None, 1).await?.is_empty())
}
/// Whether an inbox remembers a deed. What the store is stands first, and is none.
async fn asked_by_a_saga(store: &SharedStore) -> Result<bool, ReadError> {
    let rows = store.rows(Part::Inbox, None, 2).await?;
    Ok(rows.iter().any(|row| matches!(row, Row::Inbox(entry) if !entry.saga.is_nil())))
}
/// How far the consumers of a store have come.
async fn marks(store: &SharedStore) -> Result<Vec<Mark>, ReadError> {
    let (mut all, mut last) = (Vec::new(), None);
    loop {
        let page = store.rows(Part::Marks, last.as_ref(), MARKS).await?;
        let full = page.len() == MARKS;
        last = page.last().cloned();
        all.extend(page.into_iter().filter_map(|row| match row {
            Row::Mark(mark) => (!is_anchor(&mark) && mark.position > Position::ZERO).then_some(mark),
            Row::Inbox(_) | Row::Document(_) | Row::Blob(_) | Row::Snapshot(_) | Row::Fence(_) | Row::Damaged(_) => {
                None
            }
        }));
        if !full {
            return Ok(all);
        }
    }
}
/// The first answer of each of these modules that the coordinator's log has. Reads all of it when there is none.
async fn answered(
    journal: &SharedStore,
    definitions: &Definitions,
    modules: &BTreeSet<&str>,
) -> Result<BTreeMap<String, String>, ReadError> {
    let (mut found, mut at) = (BTreeMap::new(), Position::ZERO);
    let asks = |definition: &Definition| {
        let steps = definition.steps();
        steps.iter().any(|(_, step)| step.performer.module().is_some_and(|module| modules.contains(module)))
    };
    while found.len() < modules.len() {
        let page = journal.read_log(at, LOG_PAGE).await?;
        let Some(last) = page.last() else { break };
        at = last.position;
        for event in page.iter().filter(|event| event.version == Version(1)) {
            let (Some(saga), Ok(first)) = (saga_of(&event.stream), SagaFact::of(event)) else { continue };
            if !definition(definitions, &first).is_some_and(|definition| asks(&definition)) {
                continue;
            }
            let Some(story) = Story::of(journal, saga, definitions).await? else { continue };
            for told in story.told.into_iter().filter(|told| modules.contains(told.module.as_str())) {
                let Told { module, at, says, .. } = told;
                found.entry(module).or_insert_with(|| format!("at position {at} {says} there, for saga {saga}"));
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use saga_core::time::Timestamp;

    #[test]
    fn a_place_is_told_only_of_a_store_that_had_reached_one() {
        let says = |position| {
            let (store, created_at, chain) = (Uuid::from_u128(7), Timestamp(0), String::new());
            missing(&Listed { store, created_at, position: Position(position), chain })
        };
        assert_eq!(
            says(0),
            "it is missing; it was made at 1970-01-01T00:00:00.000000Z, and nothing was known to be in it"
        );
        assert_eq!(says(7), "it is missing; it was made at 1970-01-01T00:00:00.000000Z and reached position 7");
    }
}
