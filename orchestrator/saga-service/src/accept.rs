//! Accepts on purpose that a store is lost, or older than it was: `sagactl store accept`. Its content stays lost, and
//! the check goes on to name that; but the other stores go on without it.

use crate::backends::Backends;
use crate::config::Config;
use crate::modules::{Replaced, modules};
use crate::recover::{lead, put_away_hint, recover_all};
use saga::{Error, FreshIds, JOURNAL, SystemClock};
use saga_core::batch::{Batch, Commit, Fence};
use saga_core::codes;
use saga_core::control::ControlError;
use saga_core::export::{Part, Row};
use saga_core::id::{Epoch, Position};
use saga_core::ports::{Clock, Ids, ReadError, SharedStore};
use saga_engine::identity::{self, Accepted, Identity};
use saga_engine::installation::{Fault, Found, Misfit, Survey};
use saga_engine::journal::{GROUPS_MAX, coordinated};
use saga_engine::machine::assignment::group_scope;
use saga_engine::machine::coordinator::Definitions;
use std::collections::BTreeMap;
use std::sync::Arc;

/// 1,000 rows of an inbox at a time.
const ROWS: usize = 1_000;

/// The stores of an installation that no process runs, peeked at, with what does not fit among them.
pub(crate) struct Installation {
    backends: Backends,
    pub(crate) stores: BTreeMap<String, SharedStore>,
    pub(crate) survey: Survey,
}

impl Installation {
    /// Looks at every store that is there, and writes none.
    pub(crate) async fn look(config: &Config) -> Result<Self, ControlError> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let failed = |why| ControlError::from(Error::Open(why));
        let backends = Backends::stores_only(config, &clock).map_err(failed)?;
        let opener = backends.stores();
        let (mut stores, mut absent) = (BTreeMap::new(), BTreeMap::new());
        let every = modules(&config.files.folder, Replaced::default());
        for module in &every {
            match opener.has(module.name).await.map_err(failed)? {
                true => drop(stores.insert(module.name.to_owned(), opener.peek(module.name).await.map_err(failed)?)),
                false => drop(absent.insert(module.name.to_owned(), config.store_place())),
            }
        }
        if stores.is_empty() {
            return Err(no_stores(&config.store_place()));
        }
        let definitions: Definitions = every
            .iter()
            .flat_map(|module| module.sagas.iter().cloned())
            .map(|def| ((def.name.to_owned(), def.version), def))
            .collect();
        let found = Found { stores: &stores, absent: &absent };
        let mut survey = Survey::of(found, &definitions).await.with_ends(found, &definitions).await;
        match survey.unread.pop() {
            None => Ok(Self { backends, stores, survey }),
            Some((_, _, why)) => Err(ControlError::from(Error::Read(why))),
        }
    }
    /// Opens the stores that were peeked at, to be written.
    pub(crate) async fn open(&self) -> Result<BTreeMap<String, SharedStore>, ControlError> {
        let (opener, mut stores) = (self.backends.stores(), BTreeMap::new());
        for module in self.stores.keys() {
            stores
                .insert(module.clone(), opener.open(module).await.map_err(|why| ControlError::from(Error::Open(why)))?);
        }
        Ok(stores)
    }
    /// What does not fit, as a start would say it.
    pub(crate) fn misfits(&self) -> impl Iterator<Item = (&Misfit, ControlError)> {
        self.survey.misfits.iter().map(|misfit| (misfit, ControlError::from(Error::Open(misfit.why.clone()))))
    }
    /// Closes everything.
    pub(crate) async fn close(&self) {
        self.backends.close().await;
    }
}

/// There is nothing at a place where stores were expected: most likely it is another place.
pub(crate) fn no_stores(place: &str) -> ControlError {
    ControlError::new(codes::STORE_UNAVAILABLE, format!("there are no stores in {place}"))
        .hint("name another folder: --data DIR")
}

/// A loss that can be accepted, before it is.
pub struct Loss {
    installation: Installation,
    module: String,
    fault: Fault,
    says: String,
}

impl Loss {
    /// Looks for what is lost of a module. Nothing is written yet; while a process runs the stores it is refused.
    ///
    /// # Errors
    /// Nothing is lost of it, or what lies in its place is another store, which is put away first; or the stores are in use
    /// or cannot be read.
    pub async fn of(config: &Config, module: &str) -> Result<Self, ControlError> {
        let installation = Installation::look(config).await?;
        let found = installation.misfits().find(|(misfit, _)| misfit.module == module);
        let found = found.map(|(misfit, error)| (misfit.fault, error));
        let strange = installation.survey.misfits.iter().filter(|other| other.fault == Fault::Foreign);
        let strange: Vec<&str> = strange.map(|other| other.module.as_str()).collect();
        let error = match found {
            // It is not known which of them is foreign: a store that is accepted might belong to another installation.
            Some((Fault::Lost | Fault::Behind, _)) if !strange.is_empty() => {
                let strange = strange.join(", ");
                let says = format!("stores of two installations lie here: those of {strange}, and the others");
                ControlError::new(codes::WRONG_STATE, says).hint(format!(
                    "find out which do not belong here, {module} among them, and put the right ones in their place"
                ))
            }
            Some((fault @ (Fault::Lost | Fault::Behind), error)) => {
                let says = format!("{}: {}", error.code, error.message);
                return Ok(Self { installation, module: module.to_owned(), fault, says });
            }
            Some((Fault::Foreign, error)) => error.hint(put_away_hint(module)),
            None => {
                let others: Vec<String> =
                    installation.survey.misfits.iter().map(|other| other.module.clone()).collect();
                let error =
                    ControlError::new(codes::WRONG_STATE, format!("nothing is lost of the store of {module:?}"));
                match others.is_empty() {
                    true => error.hint("the stores that are there fit together"),
                    false => error.hint(format!("what does not fit is the store of {}", others.join(", "))),
                }
            }
        };
        installation.close().await;
        Err(error)
    }
    /// What is lost, in the words of a start that was refused because of it.
    pub fn says(&self) -> &str {
        &self.says
    }
    /// Accepts it: an empty store is made where there is none, the others take it as it is, and consumers that have read what is
    /// lost are set back. Says what it did, a line each.
    ///
    /// # Errors
    /// What could not be written. Running it again goes on.
    pub async fn accept(self, config: &Config, by: &str) -> Result<Vec<String>, ControlError> {
        let accepted = self.write(config, by).await;
        self.installation.close().await;
        accepted
    }
    /// Gives the stores back as they are.
    pub async fn close(self) {
        self.installation.close().await;
    }

    async fn write(&self, config: &Config, by: &str) -> Result<Vec<String>, ControlError> {
        let (module, failed) = (&self.module, |why: ReadError| ControlError::from(Error::Read(why)));
        let opener = self.installation.backends.stores();
        let mut stores = self.installation.open().await?;
        let owner = FreshIds.next(SystemClock.now());
        for (name, store) in &stores {
            lead(name, store, owner).await?;
        }
        if let Some(journal) = stores.get(JOURNAL)
            && let Some(scope) = coordinated(journal, owner).await.map_err(failed)?
        {
            return Err(ControlError::new(codes::STORE_IN_USE, format!("a coordinator has {scope}"))
                .hint("stop it first; the lease of one that was killed runs out"));
        }
        let store = opener.open(module).await.map_err(|why| ControlError::from(Error::Open(why)))?;
        stores.insert(module.clone(), Arc::clone(&store));
        let known = identity::of(&store).await.map_err(failed)?;
        let identity = match known {
            Some(known) => known,
            None => identity::adopt(&store, &self.fresh()).await.map_err(failed)?,
        };
        if module == JOURNAL {
            raise_epochs(&store, &stores).await.map_err(failed)?;
        }
        let mut heads: BTreeMap<String, Position> = BTreeMap::new();
        for (name, store) in &stores {
            heads.insert(name.clone(), store.head().await.map_err(failed)?);
        }
        let accepted = Accepted { by: by.to_owned(), at: SystemClock.now(), heads };
        let reach = identity::reach(&identity, &store).await.map_err(failed)?;
        let entry = BTreeMap::from([(module.clone(), reach)]);
        for (name, store) in &stores {
            // That it was accepted first: a kill in between leaves a store that is refused as before.
            identity::accept(store, module, &accepted).await.map_err(failed)?;
            if name != module {
                identity::list(store, &entry).await.map_err(failed)?;
            }
        }
        let what = match self.fault {
            Fault::Lost => "an empty store was made in its place",
            Fault::Behind | Fault::Foreign => "it is taken as it is",
        };
        let mut lines = vec![format!("the loss of the store of {module} is accepted by {by}: {what}")];
        lines.extend(recover_all(config, &stores, owner).await?);
        lines.push("what was in it is still missed by: sagactl events verify".to_owned());
        Ok(lines)
    }
    /// The identity of a new store. A new coordinator's store founds the installation that the others belong to.
    fn fresh(&self) -> Identity {
        let now = SystemClock.now();
        let theirs = self.installation.survey.identities.values().find_map(|known| known.installation);
        let store = match self.module == JOURNAL {
            true => theirs.unwrap_or_else(|| FreshIds.next(now)),
            false => FreshIds.next(now),
        };
        let installation = if self.module == JOURNAL { Some(store) } else { theirs };
        Identity { module: self.module.clone(), store, installation, created_at: now }
    }
}

/// Lets every group of sagas begin above the newest epoch that a module has seen: modules refuse commands of older ones.
async fn raise_epochs(journal: &SharedStore, stores: &BTreeMap<String, SharedStore>) -> Result<(), ReadError> {
    let mut newest = Epoch::ZERO;
    for store in stores.values() {
        let mut last = None;
        loop {
            let page = store.rows(Part::Inbox, last.as_ref(), ROWS).await?;
            let epochs =
                page.iter().filter_map(|row| if let Row::Inbox(entry) = row { Some(entry.epoch) } else { None });
            newest = epochs.max().unwrap_or_default().max(newest);
            match page.into_iter().next_back() {
                Some(row) => last = Some(row),
                None => break,
            }
        }
    }
    for group in 0..GROUPS_MAX {
        let fence = Some(Fence { scope: group_scope(group), epoch: newest });
        match journal.commit(Batch { fence, ..Batch::default() }).await {
            // A store that has gone on further than that is well.
            Commit::Ok(_) | Commit::Fenced { .. } => {}
            other @ (Commit::Conflict(_) | Commit::Rejected(_) | Commit::Retryable(_) | Commit::Unknown(_)) => {
                return Err(ReadError::Unavailable(format!("the epochs of the coordinator's store: {other:?}")));
            }
        }
    }
    Ok(())
}
