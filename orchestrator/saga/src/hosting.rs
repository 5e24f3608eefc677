//! Modules that run in this process, with or without a coordinator beside them, and what people may see of them.

use crate::attention::{Counted, aside, behind, parked};
use crate::gauges;
use crate::health::Health;
use crate::host::Host;
use crate::lags::{in_time, projections, within};
use crate::limits::{JOURNAL, LOOKED_WITHIN};
use crate::local_bus::LocalBus;
use crate::tasks::Tasks;
use crate::upkeep::{Caretaker, said_of};
use async_trait::async_trait;
use futures::future::{join, join_all, join3, join4};
use saga_core::bus::{AnyBus, BusError, Inbox};
use saga_core::codes;
use saga_core::control::{AwaitSaga, Changes, Control, ControlError, Look, Order, Page, Receipt, Status, View, Watch};
use saga_core::envelope::Actor;
use saga_core::id::Position;
use saga_core::module::Module;
use saga_core::ports::{Clock, Ids, ReadError, Stores};
use saga_core::view::{ModuleRow, SagaShow, Trouble};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// Modules that run in this process.
pub struct Hosting {
    pub(crate) modules: BTreeMap<&'static str, Host>,
    pub(crate) bus: Arc<dyn AnyBus>,
    pub(crate) local: Option<Arc<LocalBus>>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) ids: Arc<dyn Ids>,
    pub(crate) tasks: Tasks,
    pub(crate) health: Health,
    /// Modules that run in programs of their own, with their own stores and inboxes.
    pub(crate) foreign: BTreeSet<String>,
}

impl Hosting {
    /// Shows what ails the stores and buses of this process, and lets buses mend what they lost, until everything ends.
    pub(crate) fn look_after(&self, stores: &Arc<dyn Stores>) {
        let each = self.modules.values().map(|host| &host.bus).chain([&self.bus]).map(Arc::clone);
        let modules = self.modules.keys().copied().collect();
        let caretaker = Caretaker::new(each, &self.clock, &self.health, &self.tasks).of_stores(stores, modules);
        self.tasks.keep("the care of stores and buses", move || caretaker.clone().run());
    }
    /// What is wrong in this process.
    pub fn health(&self) -> &Health {
        &self.health
    }
    /// Ends everything that runs, and waits for commits under way.
    pub async fn shutdown(&self) {
        self.tasks.stop().await;
    }
    /// What people may look at here; `store` and `bus` say where things are kept.
    pub fn control(&self, store: impl Into<String>, bus: impl Into<String>) -> HostControl {
        let (modules, health, local) = (self.modules.clone(), self.health.clone(), self.local.clone());
        HostControl { modules, health, local, store: store.into(), bus: bus.into() }
    }
}

/// Control over a process that hosts modules and coordinates no sagas.
pub struct HostControl {
    modules: BTreeMap<&'static str, Host>,
    health: Health,
    local: Option<Arc<LocalBus>>,
    store: String,
    bus: String,
}

impl HostControl {
    /// The coordinator's store, and those of modules whose events are taken in: other processes have them.
    fn not_compared(&self) -> Vec<String> {
        let projections = self.modules.values().flat_map(|host| &host.module.projections);
        let heard = projections.flat_map(|def| def.sources());
        let reactors = self.modules.values().flat_map(|host| &host.module.reactors);
        let every = heard.chain(reactors.flat_map(|reactor| reactor.sources())).chain([JOURNAL]);
        let elsewhere: BTreeSet<&str> = every.filter(|name| !self.modules.contains_key(name)).collect();
        elsewhere.into_iter().map(str::to_owned).collect()
    }
    fn elsewhere<T>() -> Result<T, ControlError> {
        Err(ControlError::new(codes::NOT_HERE, "this process hosts modules and coordinates no sagas")
            .hint("ask a coordinator: --url http://ADDRESS of a process that was started with --coordinator"))
    }
}

impl HostControl {
    async fn status(&self) -> Status {
        let (aside, behind) = join(aside(&self.modules, None), behind(&self.modules)).await;
        let (Counted { attention, not_known }, troubles) = (aside.and(behind), self.health.troubles());
        let bus = self.modules.values().next().map(|host| said_of(&*host.bus, &self.bus));
        Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            store: self.store.clone(),
            bus: bus.unwrap_or_else(|| self.bus.clone()),
            modules: self.modules.keys().map(|name| (*name).to_owned()).collect(),
            sagas: Vec::new(),
            ready: troubles.is_empty(),
            pid: std::process::id(),
            groups: Vec::new(),
            attention,
            troubles,
            incidents: self.health.incidents(),
            not_compared: self.not_compared(),
            not_known,
        }
    }
}

#[async_trait]
impl Control for HostControl {
    async fn look(&self, _: &Actor, what: Look) -> Result<View, ControlError> {
        match what {
            Look::Modules(_) => {
                Ok(View::ModuleList(module_rows(&self.modules, self.local.as_deref(), &self.health).await))
            }
            Look::Status(_) => Ok(View::Status(self.status().await)),
            Look::Metrics(_) => {
                let (status, modules) = join(self.status(), gauges::modules(&self.modules)).await;
                let counted = self.health.counted();
                Ok(View::MetricList(Page::whole([gauges::process(&status), counted, modules].concat())))
            }
            Look::Sagas(_) | Look::Saga(_) | Look::History(_) | Look::Why(_) | Look::Definitions(_) => {
                Self::elsewhere()
            }
            Look::Verify(_) | Look::Preview(_) => Self::elsewhere(),
        }
    }
    async fn act(&self, _: &Actor, _: Order) -> Result<Receipt, ControlError> {
        Self::elsewhere()
    }
    async fn outcome(&self, _: &Actor, _: AwaitSaga, _: Duration) -> Result<Option<SagaShow>, ControlError> {
        Self::elsewhere()
    }
    async fn watch(&self, _: &Actor, _: Watch) -> Result<Box<dyn Changes>, ControlError> {
        Self::elsewhere()
    }
}

/// A row for each module of this process, all read at once: one whose store is away has a row that says so.
pub(crate) async fn module_rows(
    modules: &BTreeMap<&'static str, Host>,
    local: Option<&LocalBus>,
    health: &Health,
) -> Page<ModuleRow> {
    let rows = join_all(modules.values().map(async |host| {
        let row = in_time(module_row(host, modules, local), &*host.clock, LOOKED_WITHIN).await;
        row.unwrap_or_else(|why| ModuleRow { state: format!("its store cannot be read: {why}"), ..blank(&host.module) })
    }));
    let (rows, troubles) = (rows.await, health.troubles());
    Page::whole(rows.into_iter().map(|row| ailing(row, &troubles)).collect())
}

/// The row of a module, without the parts that only its store and the bus know.
fn blank(module: &Module) -> ModuleRow {
    ModuleRow {
        name: module.name.to_owned(),
        contract: module.contract.to_owned(),
        commands: module.commands.keys().map(|(name, version)| format!("{name}@{version}")).collect(),
        queries: module.queries.keys().map(|(name, version)| format!("{name}@{version}")).collect(),
        projections: Vec::new(),
        head: Position::ZERO,
        lag: 0,
        parked: 0,
        last_seen: None,
        state: String::new(),
    }
}

/// The trouble of a module becomes its state, in the words of the trouble.
fn ailing(row: ModuleRow, troubles: &[Trouble]) -> ModuleRow {
    let own = troubles.iter().find(|trouble| trouble.names(&row.name));
    match own {
        Some(Trouble { place, says, .. }) => ModuleRow { state: format!("{}; {place}: {says}", row.state), ..row },
        None => row,
    }
}

/// What the bus said of a module within its time.
struct Counts {
    queued: Option<Result<u64, BusError>>,
    aside: Option<Result<u64, BusError>>,
}
impl Counts {
    const fn known(answer: &Option<Result<u64, BusError>>) -> Option<u64> {
        match answer {
            Some(Ok(count)) => Some(*count),
            Some(Err(_)) | None => None,
        }
    }
    /// The commands that wait, as far as that is known.
    fn queued(&self) -> u64 {
        Self::known(&self.queued).unwrap_or(0)
    }
    /// The messages that lie aside, as far as that is known.
    fn aside(&self) -> u64 {
        Self::known(&self.aside).unwrap_or(0)
    }
    /// A count that is not known is not 0, and is said to be not known.
    fn and_what_it_did_not_say(&self, state: String) -> String {
        match (Self::known(&self.queued), Self::known(&self.aside)) {
            (Some(_), Some(_)) => state,
            (None, Some(_)) => format!("{state} (how many commands wait is not known)"),
            (Some(_), None) => format!("{state} (how many messages lie aside is not known)"),
            (None, None) => format!("{state} (how many commands wait and how many messages lie aside is not known)"),
        }
    }
}

/// A row for a module that sagas ask and that runs elsewhere, as far as the bus of this process tells: in another process,
/// in another language, or nowhere.
pub(crate) async fn elsewhere(module: &str, bus: &dyn AnyBus, clock: &dyn Clock, troubles: &[Trouble]) -> ModuleRow {
    let inbox = Inbox::Commands(module.to_owned());
    // All at once: while the bus is away, each answer would be waited for as long.
    let (tip, queued, aside, owner) = join4(
        within(bus.tip(module), clock),
        within(bus.queued(&inbox), clock),
        within(bus.aside_count(module), clock),
        within(bus.owner_head(module), clock),
    )
    .await;
    let head = tip.and_then(Result::ok).map_or(0, |tip| tip.seq);
    let bus = Counts { queued, aside };
    let (waiting, parked) = (bus.queued(), bus.aside());
    let state = match (owner, waiting, parked) {
        (Some(Ok(_)), _, 0) => "elsewhere, and answers".to_owned(),
        (Some(Ok(_)), _, parked) => format!("elsewhere, and answers, {parked} parked"),
        (_, 0, _) => "elsewhere; nobody says how it is".to_owned(),
        (_, waiting, _) => format!("elsewhere; nobody says how it is, and {waiting} commands wait for it"),
    };
    let row = ModuleRow {
        name: module.to_owned(),
        contract: "-".to_owned(),
        commands: Vec::new(),
        queries: Vec::new(),
        projections: Vec::new(),
        head: Position(head),
        lag: waiting,
        parked,
        last_seen: None,
        state: bus.and_what_it_did_not_say(state),
    };
    ailing(row, troubles)
}

async fn module_row(
    host: &Host,
    modules: &BTreeMap<&'static str, Host>,
    local: Option<&LocalBus>,
) -> Result<ModuleRow, ReadError> {
    let module = &host.module;
    let head = host.store.head().await?;
    // The last deed of a module is the last event in its log.
    let last = host.store.read_log(Position(head.0.saturating_sub(1)), 1).await?;
    // With an account for each module only the coordinators' may look at dead letters.
    let bus = &modules.get(JOURNAL).unwrap_or(host).bus;
    let inbox = Inbox::Commands(module.name.to_owned());
    let aside = within(bus.aside_count(module.name), &*host.clock);
    let queued = within(bus.queued(&inbox), &*host.clock);
    let (projections, aside, queued) = join3(projections(host, modules), aside, queued).await;
    // What runs here is counted here, with what is under way; the bus says the same of what it alone holds.
    let local = local.map_or(0, |local| local.waiting(&inbox)) as u64;
    let (projections, bus) = (projections?, Counts { queued, aside });
    let parked = bus.aside() + parked(host).await?;
    let state = if parked == 0 { "up".to_owned() } else { format!("up, {parked} parked") };
    Ok(ModuleRow {
        projections,
        head,
        lag: local.max(bus.queued()),
        parked,
        last_seen: last.first().map(|recorded| recorded.recorded_at),
        state: bus.and_what_it_did_not_say(state),
        ..blank(module)
    })
}
