//! Opens the stores of a start, and only those that belong to it: one that is missing, another's or behind what is known of it
//! ends the start before anything is made or written.

use crate::error::Error;
use crate::health::Health;
use crate::limits::JOURNAL;
use crate::tasks::Tasks;
use saga_core::definition::Definition;
use saga_core::ports::{Clock, Ids, SharedStore, Stores};
use saga_engine::identity::{self, Identity, Listed};
use saga_engine::installation::{Found, Survey};
use saga_engine::machine::coordinator::Definitions;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;
use uuid::Uuid;

/// One minute: a cut of events that were in a log for longer is noticed.
const LIST_EVERY: Duration = Duration::from_secs(60);

type Lists = BTreeMap<String, BTreeMap<String, Listed>>;

/// The stores of a process, each the one that it should be.
pub(crate) struct Belonging {
    stores: BTreeMap<String, (Identity, SharedStore)>,
    /// The lists as they were last written, by the store that has them: what did not change is not written again.
    listed: Mutex<Lists>,
}

impl Belonging {
    /// Opens the stores of these modules, when those that are there fit together and none is lost. With the coordinator's
    /// among them it is known what was asked of the others; without it only what they say of themselves and of each other.
    pub(crate) async fn open(
        stores: &Arc<dyn Stores>,
        modules: &[&str],
        definitions: &[Arc<Definition>],
        (ids, clock): (&dyn Ids, &dyn Clock),
    ) -> Result<Self, Error> {
        let survey = match judged(stores, modules, definitions).await {
            Ok(survey) => survey,
            Err(why) => {
                stores.release().await;
                return Err(why);
            }
        };
        let mut there = BTreeMap::new();
        for module in modules {
            there.insert((*module).to_owned(), stores.open(module).await?);
        }
        let (mut open, mut installation) = (BTreeMap::new(), survey.installation);
        // The coordinator's first: the installation is called by the id of its store.
        let journal = there.remove(JOURNAL).map(|store| (JOURNAL.to_owned(), store));
        for (module, store) in journal.into_iter().chain(there) {
            let identity = match survey.identities.get(&module) {
                Some(known) => known.clone(),
                None => identity::adopt(&store, &fresh(&module, installation, ids, clock)).await?,
            };
            installation = installation.or((module == JOURNAL).then_some(identity.store));
            open.insert(module, (identity, store));
        }
        let belonging = Self { stores: open, listed: Mutex::new(survey.lists) };
        belonging.list().await?;
        Ok(belonging)
    }
    /// A store that was opened.
    pub(crate) fn store(&self, module: &str) -> Option<SharedStore> {
        self.stores.get(module).map(|(_, store)| Arc::clone(store))
    }
    /// Writes into each store which others there are and how far they reach.
    pub(crate) async fn list(&self) -> Result<(), Error> {
        let mut reached: BTreeMap<String, Listed> = BTreeMap::new();
        for (module, (identity, store)) in &self.stores {
            reached.insert(module.clone(), identity::reach(identity, store).await?);
        }
        let mut lists = self.listed.lock().await;
        for (holder, (_, store)) in &self.stores {
            let listed = lists.entry(holder.clone()).or_default();
            let mut fresh = reached.clone();
            fresh.retain(|module, now| module != holder && listed.get(module) != Some(now));
            if !fresh.is_empty() {
                identity::list(store, &fresh).await?;
                listed.extend(fresh);
            }
        }
        Ok(())
    }
}

/// Keeps the lists of stores current: then a cut of events that were in a log for longer than a minute is noticed.
pub(crate) async fn keep_list(belonging: Arc<Belonging>, clock: Arc<dyn Clock>, health: Health, tasks: Tasks) {
    loop {
        // Also at the end: a process that stops cleanly leaves a list that is true.
        let ends = tokio::select! {
            () = tasks.stopping() => true,
            () = clock.pause(LIST_EVERY) => false,
        };
        match belonging.list().await {
            Ok(()) => health.well("list of stores"),
            Err(why) => health.trouble("list of stores", why.to_string()),
        }
        if ends {
            return;
        }
    }
}

/// Looks at the stores of these modules before any is opened: nothing of theirs is written until all of them are found to fit.
async fn judged(stores: &Arc<dyn Stores>, modules: &[&str], definitions: &[Arc<Definition>]) -> Result<Survey, Error> {
    let (mut there, mut absent) = (BTreeMap::new(), BTreeMap::new());
    for module in modules {
        match stores.has(module).await? {
            true => drop(there.insert((*module).to_owned(), stores.peek(module).await?)),
            false => drop(absent.insert((*module).to_owned(), (*module).to_owned())),
        }
    }
    let found = Found { stores: &there, absent: &absent };
    let known = |def: &Arc<Definition>| ((def.name.to_owned(), def.version), Arc::clone(def));
    let definitions: Definitions = definitions.iter().map(known).collect();
    let mut survey = Survey::of(found, &definitions).await.with_ends(found, &definitions).await;
    survey.fits()?;
    match survey.unread.pop() {
        Some((_, _, why)) => Err(why.into()),
        None => Ok(survey),
    }
}

fn fresh(module: &str, installation: Option<Uuid>, ids: &dyn Ids, clock: &dyn Clock) -> Identity {
    let (now, store) = (clock.now(), ids.next(clock.now()));
    // The installation is called by the id of its coordinator's store.
    let installation = if module == JOURNAL { Some(store) } else { installation };
    Identity { module: module.to_owned(), store, installation, created_at: now }
}
