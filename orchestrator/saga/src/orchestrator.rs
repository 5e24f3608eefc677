//! Builds and starts an orchestrator: stores, bus, modules, and the coordinator of the sagas.

use crate::belonging::{Belonging, keep_list};
use crate::board::board;
use crate::control::LocalControl;
use crate::coordination::{Coordination, LEASE};
use crate::error::Error;
use crate::gauges;
use crate::groups::Groups;
use crate::host::Host;
use crate::hosting::Hosting;
use crate::limits::JOURNAL;
use crate::local_bus::LocalBus;
use crate::metered::Metered;
use crate::plans::checked;
use crate::port::Port;
use crate::relay::RELAY;
use crate::sagas::{Inner, Sagas};
use crate::shell::Locals;
use crate::system::{FreshIds, SystemClock};
use crate::tasks::Tasks;
use saga_core::bus::{Answerer, AnyBus, Line};
use saga_core::definition::Definition;
use saga_core::fact::Orchestration;
use saga_core::module::Module;
use saga_core::ports::{Clock, Ids, SharedStore, Stores};
use saga_core::public_log::public_seq_at;
use saga_core::saga::{Plan, Saga, define, define_version};
use saga_core::step::Given;
use saga_engine::catchup::{CatchUpError, catch_up};
use saga_engine::journal::{GROUPS_MAX, agree_on_groups};
use saga_engine::machine::coordinator::{COMMANDS_IN_FLIGHT_MAX, Definitions};
use saga_engine::memory::MemoryStores;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, watch};

/// 5 ms between the windows of a relay that is not behind: what happens meanwhile travels in one.
const PACE: Duration = Duration::from_millis(5);
/// What stores are opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Opening {
    /// Only those that belong here, and what they are is written into them.
    ToWork,
    /// Whatever is there.
    ToLook,
}

/// Makes the lines that are answered for a module beside its own queries.
pub type Lines = Arc<dyn Fn(&str, &SharedStore) -> Vec<(Line, Answerer)> + Send + Sync>;

/// The bus of a module.
pub type Buses = Arc<dyn Fn(&str) -> Arc<dyn AnyBus> + Send + Sync>;

/// An orchestrator being put together.
pub struct Orchestrator {
    stores: Arc<dyn Stores>,
    buses: Option<Buses>,
    lines: Option<Lines>,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn Ids>,
    definitions: Vec<Arc<Definition>>,
    modules: Vec<Module>,
    groups: u16,
    adopts_groups: bool,
    lease: Duration,
    seed: u64,
    gather: Duration,
    given: Given,
    foreign: BTreeSet<String>,
    commands: usize,
}

impl Orchestrator {
    /// Everything in memory: for a first look and for tests.
    pub fn in_memory() -> Self {
        Self::on(Arc::new(MemoryStores::new(Arc::new(SystemClock))))
    }
    /// On these stores.
    pub fn on(stores: Arc<dyn Stores>) -> Self {
        Orchestrator {
            stores,
            buses: None,
            lines: None,
            clock: Arc::new(SystemClock),
            ids: Arc::new(FreshIds),
            definitions: Vec::new(),
            modules: Vec::new(),
            groups: 1,
            adopts_groups: false,
            lease: LEASE,
            seed: 0,
            commands: COMMANDS_IN_FLIGHT_MAX,
            gather: Duration::from_millis(5),
            given: Given::default(),
            foreign: BTreeSet::new(),
        }
    }
    /// Knows a saga.
    #[must_use]
    pub fn register<S: Saga>(self) -> Self {
        self.definition(Arc::new(define::<S>()))
    }
    /// Knows another version of a saga with the same input type: the plan as it was, while instances of it are open.
    #[must_use]
    pub fn register_version<S: Saga>(self, version: u16, plan: impl FnOnce(Plan) -> Definition) -> Self {
        self.definition(Arc::new(define_version::<S>(version, plan)))
    }
    /// Knows a saga by its definition.
    #[must_use]
    pub fn definition(mut self, definition: Arc<Definition>) -> Self {
        self.definitions.push(definition);
        self
    }
    /// Gives something to the functions of sagas that run here: a client, a pool. A step takes it as
    /// [`Using<T>`](saga_core::step::Using); one of each type.
    #[must_use]
    pub fn using<T: std::any::Any + Send + Sync>(mut self, value: T) -> Self {
        self.given = self.given.with(value);
        self
    }
    /// Hosts a module, with the sagas that it owns.
    #[must_use]
    pub fn module(mut self, module: Module) -> Self {
        self.definitions.extend(module.sagas.iter().cloned());
        self.modules.push(module);
        self
    }
    /// Another bus than the one inside this process. Several processes may share it. Behind a [`Loopback`](crate::Loopback) it
    /// carries only what leaves this process.
    #[must_use]
    pub fn bus(self, bus: Arc<dyn AnyBus>) -> Self {
        self.buses(Arc::new(move |_| Arc::clone(&bus)))
    }
    /// A bus for each module by its name, so that each can have a connection with its own rights; the coordinator has that
    /// of [`JOURNAL`].
    #[must_use]
    pub fn buses(mut self, buses: Buses) -> Self {
        self.buses = Some(buses);
        self
    }
    /// Lines that are answered for every hosted module beside its queries.
    #[must_use]
    pub fn lines(mut self, lines: Lines) -> Self {
        self.lines = Some(lines);
        self
    }
    /// Spreads sagas over this many groups, 1 to [`GROUPS_MAX`], so that several processes can share them: 1 when nothing is
    /// said. A store keeps the number it began with.
    #[must_use]
    pub fn groups(mut self, groups: u16) -> Self {
        self.groups = groups.clamp(1, GROUPS_MAX);
        self
    }
    /// Uses the number of groups that the store began with, whatever [`groups`](Self::groups) says, which then counts for a
    /// new store only. For a process that has its stores alone: nobody else has to agree.
    #[must_use]
    pub fn groups_as_stored(mut self) -> Self {
        self.adopts_groups = true;
        self
    }
    /// How long a lease of a group or of a module's lead holds: the longest time that what a dead process owned has no
    /// owner, up to two seconds.
    #[must_use]
    pub fn lease(mut self, lease: Duration) -> Self {
        self.lease = lease;
        self
    }
    /// Modules that no program of this workspace hosts: a check says that it does not see their inboxes, and does not miss
    /// them.
    #[must_use]
    pub fn foreign(mut self, modules: BTreeSet<String>) -> Self {
        self.foreign = modules;
        self
    }
    /// Another clock.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }
    /// At most so many commands of one module are under way for one group: [`COMMANDS_IN_FLIGHT_MAX`] when nothing is
    /// said. The others wait in this process.
    #[must_use]
    pub fn commands_at_once(mut self, commands: usize) -> Self {
        self.commands = commands;
        self
    }
    /// The seed of all jitter.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }
    /// Opens the stores and hosts the modules, without coordinating any saga.
    pub async fn host(self) -> Result<Hosting, Error> {
        let stores = Arc::clone(&self.stores);
        let hosting = self.open(Opening::ToWork).await?;
        hosting.modules.values().for_each(Host::start);
        hosting.look_after(&stores);
        Ok(hosting)
    }
    async fn open(self, opening: Opening) -> Result<Hosting, Error> {
        let (tasks, health) = Tasks::with_health(&self.clock);
        let (buses, local): (Buses, _) = match self.buses {
            Some(buses) => (buses, None),
            None => {
                let local = Arc::new(LocalBus::new(Arc::clone(&self.clock)));
                let bus = Arc::clone(&local) as Arc<dyn AnyBus>;
                (Arc::new(move |_| Arc::clone(&bus)), Some(local))
            }
        };
        let mut modules = BTreeMap::new();
        let names: Vec<&str> = self.modules.iter().map(|module| module.name).collect();
        let with = (&*self.ids, &*self.clock);
        let belonging = match opening {
            Opening::ToWork => Some(Belonging::open(&self.stores, &names, &self.definitions, with).await?),
            // A look shows what is there, whichever installation it belongs to.
            Opening::ToLook => None,
        };
        for mut module in self.modules {
            let store = match belonging.as_ref().and_then(|belonging| belonging.store(module.name)) {
                Some(store) => store,
                None => self.stores.open(module.name).await?,
            };
            let store = match opening {
                Opening::ToWork => Metered::before(store, module.name, health.meter()),
                // A process that only looks commits to a copy, which nobody counts.
                Opening::ToLook => store,
            };
            if let Some(local) = &local {
                let saved = store.checkpoint(RELAY).await?;
                local.carry(module.name, Arc::clone(&store), public_seq_at(&store, saved).await?);
            }
            let name = module.name;
            let journal = name == JOURNAL;
            if journal {
                module.projections.push(board());
            }
            let host = Host {
                lines: self.lines.as_ref().map(|lines| lines(module.name, &store)).unwrap_or_default(),
                module: Arc::new(module),
                store,
                bus: Arc::new(Port::of(name, buses(name))),
                clock: Arc::clone(&self.clock),
                ids: Arc::clone(&self.ids),
                tasks: tasks.clone(),
                health: health.clone(),
                lease: self.lease,
                fence: None,
                // The board is for people and for the next start; it folds many facts at a time.
                gather: if journal { Duration::from_millis(250) } else { self.gather },
                // In one process publishing costs nothing.
                pace: if local.is_some() { Duration::ZERO } else { PACE },
            };
            modules.insert(host.module.name, host);
        }
        let bus = buses(JOURNAL);
        let (clock, ids, foreign) = (self.clock, self.ids, self.foreign);
        if let Some(belonging) = belonging {
            let (belonging, clock) = (Arc::new(belonging), Arc::clone(&clock));
            let (health, all) = (health.clone(), tasks.clone());
            tasks.keep("list of stores", move || {
                keep_list(Arc::clone(&belonging), Arc::clone(&clock), health.clone(), all.clone())
            });
        }
        Ok(Hosting { modules, bus, local, clock, ids, tasks, health, foreign })
    }
    /// Opens the stores to look only: nothing is coordinated, hosted, published, received or timed. The board is
    /// brought up to the end of the log first, which is a commit: give it stores of which a commit changes a copy.
    ///
    /// # Errors
    /// A plan is unsound, or a store cannot be opened or read. Whatever is ordered of the sagas afterwards is
    /// [`Error::Nobody`].
    pub async fn look(mut self) -> Result<Sagas, Error> {
        // Nothing runs: what functions would use is not missed.
        let (definitions, seed) = (Arc::new(checked(&self.definitions, None)?), self.seed);
        self.with_journal();
        let opened = self.open(Opening::ToLook).await?;
        let store = journal(&opened)?;
        catch_up(&board(), &store, JOURNAL, &store).await.map_err(|why| match why {
            CatchUpError::Read(why) => Error::Read(why),
            other => Error::Data(other.to_string()),
        })?;
        let (bus, clock, tasks) = (Arc::clone(&opened.bus), Arc::clone(&opened.clock), opened.tasks.clone());
        let groups = Arc::new(Groups::nobody(bus, clock, tasks));
        let (_, settled) = watch::channel(false);
        Ok(sagas(opened, Known { store, groups, definitions, seed, settled }))
    }
    /// The coordinator's own module, also when nobody named it.
    fn with_journal(&mut self) {
        if !self.modules.iter().any(|module| module.name == JOURNAL) {
            self.modules.push(Module::new::<Orchestration, ()>("1.0", ()).build());
        }
    }
    /// Checks the plans, opens the stores, takes over the groups, reads what is open and goes on with it. With one group
    /// it returns when that group is owned; with several, owners come and go, and it returns at once.
    pub async fn start(mut self) -> Result<Sagas, Error> {
        let definitions = Arc::new(checked(&self.definitions, Some(&self.given))?);
        let given = self.given.clone();
        let (asked, adopts, lease, seed) = (self.groups, self.adopts_groups, self.lease, self.seed);
        let commands = self.commands;
        self.with_journal();
        let stores = Arc::clone(&self.stores);
        let hosting = self.open(Opening::ToWork).await?;
        let store = journal(&hosting)?;
        let count = agree_on_groups(&store, asked).await?;
        if count != asked && !adopts {
            return Err(Error::Groups { found: count, asked });
        }
        hosting.look_after(&stores);
        definitions.values().for_each(|definition| gauges::expect(hosting.health.meter(), definition));
        let Hosting { bus, clock, ids, tasks, health, .. } = &hosting;
        let groups = Arc::new(Groups::new(count, Arc::clone(bus), Arc::clone(clock), tasks.clone()));
        let (settled, mut is_settled) = watch::channel(false);
        let coordination = Coordination {
            owner: ids.next(clock.now()),
            lease,
            groups: Arc::clone(&groups),
            definitions: Arc::clone(&definitions),
            store: Arc::clone(&store),
            bus: Arc::clone(bus),
            clock: Arc::clone(clock),
            ids: Arc::clone(ids),
            tasks: tasks.clone(),
            seed,
            commands,
            health: health.clone(),
            locals: Locals::new(tasks, Arc::clone(clock), given),
            settled,
            ended: Arc::new(Notify::new()),
        };
        coordination.keep(tasks);
        let sagas = sagas(hosting, Known { store, groups, definitions, seed, settled: is_settled.clone() });
        if count == 1 {
            let _ended = is_settled.wait_for(|settled| *settled).await;
        }
        sagas.inner.modules.values().for_each(Host::start);
        let control = LocalControl::new(sagas.clone(), "", "");
        let hearing = sagas.clone();
        sagas.inner.tasks.keep("events from outside", move || hearing.clone().hear_outside(control.clone()));
        Ok(sagas)
    }
}

/// What sagas need beside the modules of their process, whether they run or are only shown.
struct Known {
    store: SharedStore,
    groups: Arc<Groups>,
    definitions: Arc<Definitions>,
    seed: u64,
    settled: watch::Receiver<bool>,
}

fn sagas(hosting: Hosting, known: Known) -> Sagas {
    let Hosting { modules, bus, local, clock, ids, tasks, health, foreign } = hosting;
    let Known { store, groups, definitions, seed, settled } = known;
    let inner =
        Inner { groups, store, modules, definitions, bus, local, clock, ids, tasks, seed, health, foreign, settled };
    Sagas { inner: Arc::new(inner) }
}

/// The coordinator's own store.
fn journal(hosting: &Hosting) -> Result<SharedStore, Error> {
    hosting.modules.get(JOURNAL).map(|host| Arc::clone(&host.store)).ok_or(Error::Stopped)
}
