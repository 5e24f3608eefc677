//! Opens the stores of a start, and only those that belong to it: one that is missing, another's or behind what is known of it
//! ends the start before anything is made or written.

use crate::health::Health;
use crate::orchestrator::{Error, JOURNAL};
use crate::tasks::Tasks;
use saga_core::identity::{self, Identity, Listed};
use saga_core::ports::{Clock, Ids, OpenError, SharedStore, Stores};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;
use uuid::Uuid;

/// One minute: what is cut off the end of a log and was there for longer is noticed.
const LIST_EVERY: Duration = Duration::from_secs(60);

/// The stores of a process, each the one that it should be.
pub(crate) struct Belonging {
    stores: BTreeMap<String, (Identity, SharedStore)>,
    /// The list as it was last written: what did not change is not written again.
    listed: Mutex<BTreeMap<String, Listed>>,
}

impl Belonging {
    /// Opens the stores of these modules. With the coordinator's among them the list of stores is known; without it only each
    /// store's own word.
    pub(crate) async fn open(
        stores: &Arc<dyn Stores>,
        modules: &[&str],
        (ids, clock): (&dyn Ids, &dyn Clock),
    ) -> Result<Self, Error> {
        let mut open = BTreeMap::new();
        let (mut installation, mut list) = (None, BTreeMap::new());
        if modules.contains(&JOURNAL) {
            if !stores.has(JOURNAL).await? {
                lost(stores, modules).await?;
            }
            let store = stores.open(JOURNAL).await?;
            let known = identity::of(&store).await?;
            identity::judge(JOURNAL, JOURNAL, known.as_ref(), None, None)?;
            let identity = match known {
                Some(known) => known,
                None => identity::adopt(&store, &fresh(JOURNAL, None, ids, clock)).await?,
            };
            installation = Some(identity.store);
            list = identity::listed(&store).await?;
            still_there(stores, &list, modules).await?;
            open.insert(JOURNAL.to_owned(), (identity, store));
        }
        for module in modules.iter().filter(|module| **module != JOURNAL) {
            let store = stores.open(module).await?;
            let (known, listed) = (identity::of(&store).await?, list.get(*module));
            identity::judge(module, module, known.as_ref(), listed, installation)?;
            if let Some(listed) = listed {
                identity::still(module, listed, &store).await?;
            }
            let identity = match known {
                Some(known) => known,
                None => identity::adopt(&store, &fresh(module, installation, ids, clock)).await?,
            };
            open.insert((*module).to_owned(), (identity, store));
        }
        let listed = Mutex::new(list);
        let belonging = Self { stores: open, listed };
        belonging.list().await?;
        Ok(belonging)
    }
    /// A store that was opened.
    pub(crate) fn store(&self, module: &str) -> Option<SharedStore> {
        self.stores.get(module).map(|(_, store)| Arc::clone(store))
    }
    /// Writes into the coordinator's store which stores there are and how far they reach, if it is open here.
    pub(crate) async fn list(&self) -> Result<(), Error> {
        let Some((_, journal)) = self.stores.get(JOURNAL) else { return Ok(()) };
        let mut list: BTreeMap<String, Listed> = BTreeMap::new();
        for (module, (identity, store)) in self.stores.iter().filter(|(module, _)| *module != JOURNAL) {
            list.insert(module.clone(), identity::reach(identity, store).await?);
        }
        let mut listed = self.listed.lock().await;
        list.retain(|module, now| listed.get(module) != Some(now));
        if !list.is_empty() {
            identity::list(journal, &list).await?;
            listed.extend(list);
        }
        Ok(())
    }
}

/// Keeps the list of stores near the truth: what was cut off a log, and was in it for longer than a minute, is missed.
pub(crate) async fn keep_list(belonging: Arc<Belonging>, clock: Arc<dyn Clock>, health: Health, tasks: Tasks) {
    loop {
        // Also at the end: whoever stops cleanly leaves the truth.
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

fn fresh(module: &str, installation: Option<Uuid>, ids: &dyn Ids, clock: &dyn Clock) -> Identity {
    let (now, store) = (clock.now(), ids.next(clock.now()));
    // The installation is called by the id of its coordinator's store.
    let installation = if module == JOURNAL { Some(store) } else { installation };
    Identity { module: module.to_owned(), store, installation, created_at: now }
}

/// No coordinator's store: the others must not belong to one.
async fn lost(stores: &Arc<dyn Stores>, modules: &[&str]) -> Result<(), Error> {
    for module in modules.iter().filter(|module| **module != JOURNAL) {
        if !stores.has(module).await? {
            continue;
        }
        let store = stores.open(module).await?;
        if let Some(Identity { installation: Some(installation), .. }) = identity::of(&store).await? {
            let why = format!("it is missing, and the store of {module} belongs to the installation {installation}");
            return Err(OpenError::Strange { place: JOURNAL.to_owned(), why }.into());
        }
    }
    Ok(())
}

/// Stores that are in the list have to be there before any is opened: opening would make an empty one.
async fn still_there(stores: &Arc<dyn Stores>, list: &BTreeMap<String, Listed>, modules: &[&str]) -> Result<(), Error> {
    for (module, listed) in list.iter().filter(|(module, _)| modules.contains(&module.as_str())) {
        if !stores.has(module).await? {
            let why =
                format!("it is missing; it was made at {} and reached position {}", listed.created_at, listed.position);
            return Err(OpenError::Strange { place: module.clone(), why }.into());
        }
    }
    Ok(())
}
