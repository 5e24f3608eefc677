//! Looks at a folder that nobody runs: at a private copy of its stores, without a coordinator. Nothing in the folder is
//! touched, nothing is sent, no timer fires, and whatever is ordered is refused.

use crate::backends::guarded;
use crate::modules::{Replaced, modules};
use crate::recover::of_folder;
use crate::verify::{has_stores, verify};
use async_trait::async_trait;
use saga::{Error, JOURNAL, LocalControl, Orchestrator, SystemClock};
use saga_core::codes;
use saga_core::control::{
    Asks, AwaitSaga, Change, Changes, Control, ControlError, Look, Order, Receipt, Status, View, Watch, ask,
};
use saga_core::envelope::Actor;
use saga_core::id::Position;
use saga_core::module::Module;
use saga_core::ports::{Clock, SharedStore, Stores as _};
use saga_core::shell::word;
use saga_core::time::Timestamp;
use saga_core::view::{ModuleRow, SagaShow, Trouble};
use saga_engine::installation::{Found, Misfit, Survey};
use saga_sqlite::SqliteStores;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::UNIX_EPOCH;
use tokio::sync::OnceCell;

/// Which process has a folder whose admin API does not answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Owner {
    /// No process has its stores open.
    Nobody,
    /// One has, and says nothing.
    Silent,
}

/// A look at a folder. Cheap until the first question; then the stores that are needed are copied, once.
pub struct FolderLook {
    data: PathBuf,
    stores: Arc<SqliteStores>,
    owner: Owner,
    since: Option<Timestamp>,
    /// Over the coordinator's store alone: enough for sagas.
    sagas: OnceCell<LocalControl>,
}

/// Whether there is anything in a folder to look at.
pub fn has_data(data: &Path) -> bool {
    has_stores(data)
}

fn file_of(data: &Path, module: &str) -> PathBuf {
    data.join(format!("{module}.db"))
}

/// When anything in the stores of a folder was last written.
fn written(data: &Path) -> Option<Timestamp> {
    let entries = std::fs::read_dir(data).ok()?.flatten();
    let stores = entries.filter(|entry| {
        let name = entry.file_name();
        [".db", ".db-wal"].iter().any(|ending| name.to_string_lossy().ends_with(ending))
    });
    let times = stores.filter_map(|entry| entry.metadata().ok()?.modified().ok()?.duration_since(UNIX_EPOCH).ok());
    times.max().map(|since| Timestamp(0).plus(since))
}

impl FolderLook {
    /// At the folder as it is; nothing is opened yet.
    pub fn at(data: &Path) -> Self {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let owner = if SqliteStores::is_held(data, JOURNAL) { Owner::Silent } else { Owner::Nobody };
        Self {
            data: data.to_owned(),
            stores: Arc::new(SqliteStores::look(data, clock)),
            owner,
            since: written(data),
            sagas: OnceCell::new(),
        }
    }
    /// Whether no process has the stores open.
    pub fn is_idle(&self) -> bool {
        matches!(self.owner, Owner::Nobody)
    }
    /// Whether a process runs the folder, and since when none does, in a sentence.
    pub fn says(&self) -> String {
        let (data, since) = (self.data.display(), self.since.map(|since| since.to_string()));
        let since = since.as_deref().unwrap_or("an unknown time");
        match self.owner {
            Owner::Nobody => format!("nobody runs {data} since {since}: nothing in it moves"),
            Owner::Silent => format!(
                "a process has {data} open and does not answer; this is what its files say, last written {since}"
            ),
        }
    }
    /// The same behind the name of the folder and since when.
    fn stands(&self) -> String {
        match self.owner {
            Owner::Nobody => "nobody runs it, and nothing in it moves".to_owned(),
            Owner::Silent => "a process has it open and does not answer; this is what its files say".to_owned(),
        }
    }
    /// Why nothing can be ordered here.
    pub fn refusal(&self) -> ControlError {
        let data = self.data.display();
        let error = ControlError::new(codes::NOBODY_RUNS, format!("{}; nothing was recorded", self.says()));
        match self.owner {
            Owner::Nobody => error.hint(format!("run it              sagactl --data {} dev", typed(&self.data))).hint(
                "or for this order   --run: open sagas in it go on until the one that you order something of rests",
            ),
            Owner::Silent => error
                .hint(format!("its process and its address stand in {data}/owner.json"))
                .hint("if it hangs, stop it; then run it again    sagactl dev"),
        }
    }
    /// Removes the copies.
    pub async fn close(&self) {
        self.stores.close().await;
    }

    fn modules(&self) -> Vec<Module> {
        modules(&self.data, Replaced::default())
    }
    async fn open(&self, wanted: impl Fn(&Module) -> bool) -> Result<LocalControl, ControlError> {
        let mut orchestrator = Orchestrator::on(guarded(Arc::clone(&self.stores) as _));
        for module in self.modules() {
            orchestrator = match wanted(&module) {
                true => orchestrator.module(module),
                // Its sagas are known all the same.
                false => module.sagas.iter().cloned().fold(orchestrator, Orchestrator::definition),
            };
        }
        let sagas = orchestrator.look().await?;
        Ok(LocalControl::new(sagas, format!("sqlite:{}", self.data.display()), "in-process, durable"))
    }
    async fn of_sagas(&self) -> Result<&LocalControl, ControlError> {
        let file = file_of(&self.data, JOURNAL);
        if !file.is_file() {
            let message = format!("the coordinator's store {} is missing, and others are there", file.display());
            return Err(ControlError::new(codes::STORE_STRANGE, message)
                .hint(format!("what is missing of it: sagactl --data {} events verify", typed(&self.data))));
        }
        self.sagas.get_or_try_init(async || self.open(|module| module.name == JOURNAL).await).await
    }
    /// Every module with a row: of its store, or why that cannot be read.
    async fn module_list(&self, by: &Actor) -> Result<View, ControlError> {
        let mut away = BTreeMap::new();
        for module in self.modules() {
            let file = file_of(&self.data, module.name);
            let state = match file.is_file() {
                false => "its store is missing".to_owned(),
                true => match self.stores.open_store(module.name).await {
                    Ok(_) => continue,
                    Err(why) => why.to_string(),
                },
            };
            away.insert(module.name, state);
        }
        let there = self.open(|module| !away.contains_key(module.name)).await?;
        let mut page = there.ask(by, ask::Modules {}).await?;
        for row in &mut page.items {
            row.state = row.state.replacen("up", "not running", 1);
        }
        page.items.extend(self.modules().iter().filter_map(|module| Some(absent(module, away.get(module.name)?))));
        page.total = Some(page.items.len() as u64);
        Ok(View::ModuleList(page))
    }
    async fn status(&self, by: &Actor) -> Result<View, ControlError> {
        let status = match self.of_sagas().await {
            Ok(sagas) => sagas.ask(by, ask::WhoIsThere {}).await?,
            // Without the coordinator's store there are no sagas to show; the fault is shown below.
            Err(error) => self.nothing(&error),
        };
        let trouble = Trouble {
            place: self.data.display().to_string(),
            since: self.since.unwrap_or_default(),
            says: self.stands(),
        };
        let there = self.modules().into_iter().filter(|module| file_of(&self.data, module.name).is_file());
        let modules = there.map(|module| module.name.to_owned()).collect();
        let troubles = [vec![trouble], self.misfits().await].concat();
        Ok(View::Status(Status { ready: false, pid: 0, troubles, modules, ..status }))
    }
    fn nothing(&self, why: &ControlError) -> Status {
        Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            store: format!("sqlite:{}", self.data.display()),
            bus: String::new(),
            modules: Vec::new(),
            sagas: Vec::new(),
            ready: false,
            pid: 0,
            groups: Vec::new(),
            attention: Vec::new(),
            troubles: Vec::new(),
            incidents: BTreeMap::new(),
            not_compared: Vec::new(),
            not_known: vec![format!("what the sagas do: {}: {}", why.code, why.message)],
        }
    }
    /// Stores that are lost, foreign, or older than is known of them: the reasons to refuse a start.
    async fn misfits(&self) -> Vec<Trouble> {
        let (mut stores, mut absent, mut troubles) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
        let trouble = |module: &str, error: ControlError| Trouble {
            place: module.to_owned(),
            since: self.since.unwrap_or_default(),
            says: format!("{}: {}", error.code, error.message),
        };
        let every = self.modules();
        for module in &every {
            let (name, file) = (module.name.to_owned(), file_of(&self.data, module.name));
            let opened = match self.stores.has(module.name).await {
                Ok(true) => self.stores.open_store(module.name).await.map(Some),
                Ok(false) => Ok(None),
                Err(why) => Err(why),
            };
            match opened {
                Ok(Some(store)) => drop(stores.insert(name, store as SharedStore)),
                Ok(None) => drop(absent.insert(name, file.display().to_string())),
                Err(why) => troubles.push(trouble(module.name, ControlError::from(Error::Open(why)))),
            }
        }
        let sagas = every.iter().flat_map(|module| module.sagas.iter().cloned());
        let definitions = sagas.map(|def| ((def.name.to_owned(), def.version), def)).collect();
        let found = Found { stores: &stores, absent: &absent };
        let survey = Survey::of(found, &definitions).await.with_ends(found, &definitions).await;
        let unread =
            survey.unread.into_iter().map(|(module, _, why)| trouble(&module, ControlError::from(Error::Read(why))));
        troubles.extend(unread);
        let misfit = |Misfit { module, why, .. }| trouble(&module, ControlError::from(Error::Open(why)));
        troubles.extend(survey.misfits.into_iter().map(misfit));
        troubles
    }
    /// The same check as of a configuration that names this folder.
    async fn verdicts(&self) -> Result<View, ControlError> {
        let config = of_folder(&self.data);
        verify(&config, false).await.map(View::Verdicts)
    }
}

/// A folder as it is typed.
fn typed(folder: &Path) -> String {
    word(&folder.to_string_lossy())
}

/// A module whose store is not there, or cannot be read.
fn absent(module: &Module, state: &str) -> ModuleRow {
    ModuleRow {
        name: module.name.to_owned(),
        contract: module.contract.to_owned(),
        commands: Vec::new(),
        queries: Vec::new(),
        projections: Vec::new(),
        head: Position::ZERO,
        lag: 0,
        parked: 0,
        last_seen: None,
        state: state.to_owned(),
    }
}

#[async_trait]
impl Control for FolderLook {
    async fn look(&self, by: &Actor, what: Look) -> Result<View, ControlError> {
        match what {
            Look::Modules(_) => self.module_list(by).await,
            Look::Verify(_) => self.verdicts().await,
            Look::Status(_) => self.status(by).await,
            Look::Metrics(_) => {
                Err(ControlError::new(codes::NOBODY_RUNS, format!("{}; nothing is counted", self.says())))
            }
            Look::Sagas(_)
            | Look::Saga(_)
            | Look::History(_)
            | Look::Why(_)
            | Look::Definitions(_)
            | Look::Preview(_) => self.of_sagas().await?.look(by, what).await,
        }
    }
    async fn act(&self, _: &Actor, _: Order) -> Result<Receipt, ControlError> {
        Err(self.refusal())
    }
    async fn outcome(
        &self,
        by: &Actor,
        of: AwaitSaga,
        patience: std::time::Duration,
    ) -> Result<Option<SagaShow>, ControlError> {
        // An outcome that is there already is answered; nothing happens here that could bring another one.
        let shown = self.of_sagas().await?.outcome(by, of, patience).await;
        shown.map_err(|error| if error.code == codes::NOBODY_RUNS.id { self.refusal() } else { error })
    }
    async fn watch(&self, by: &Actor, what: Watch) -> Result<Box<dyn Changes>, ControlError> {
        let changes = self.of_sagas().await?.watch(by, what).await?;
        Ok(Box::new(Still { changes, refusal: self.refusal() }))
    }
}

/// The changes that are there already; what would have to happen first is refused.
struct Still {
    changes: Box<dyn Changes>,
    refusal: ControlError,
}

#[async_trait]
impl Changes for Still {
    fn cursor(&self) -> &str {
        self.changes.cursor()
    }
    async fn next(&mut self) -> Result<Vec<Change>, ControlError> {
        let next = self.changes.next().await;
        next.map_err(|error| if error.code == codes::NOBODY_RUNS.id { self.refusal.clone() } else { error })
    }
}
