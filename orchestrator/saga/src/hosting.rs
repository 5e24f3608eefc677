//! Modules that run in this process, with or without a coordinator beside them, and what people may see of them.

use crate::attention::{COUNTED_WITHIN, aside, behind};
use crate::control::failed;
use crate::health::Health;
use crate::host::Host;
use crate::local_bus::LocalBus;
use crate::orchestrator::{Error, JOURNAL};
use crate::tasks::Tasks;
use crate::upkeep::{Caretaker, said_of};
use async_trait::async_trait;
use futures::future::{Either, select};
use saga_core::bus::{AnyBus, Inbox};
use saga_core::codes;
use saga_core::control::{Attention, AwaitSaga, Control, ControlError, Look, Order, Page, Receipt, Status, View};
use saga_core::envelope::Actor;
use saga_core::id::Position;
use saga_core::machine::projector::{PARKED, PARKED_VERSION};
use saga_core::ports::{Clock, FIND_LIMIT_MAX, Find, Ids, ReadError};
use saga_core::view::{ModuleRow, ProjectionRow, SagaShow, Trouble};
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
    /// Modules that somebody else wrote, who keeps their inboxes.
    pub(crate) foreign: BTreeSet<String>,
}

impl Hosting {
    /// Shows what ails the buses of this process, and lets them mend what they lost, until everything ends.
    pub(crate) fn look_after_buses(&self) {
        let each = self.modules.values().map(|host| &host.bus).chain([&self.bus]).map(Arc::clone);
        let caretaker = Caretaker::new(each, &self.clock, &self.health, &self.tasks);
        self.tasks.keep("the care of the bus", move || caretaker.clone().run());
    }
    /// What is wrong in this process.
    pub fn health(&self) -> &Health {
        &self.health
    }
    /// Ends everything that runs; what is at its commit is waited for.
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
    async fn attention(&self) -> Result<Vec<Attention>, ReadError> {
        let mut all = aside(&self.modules, None).await?;
        all.extend(behind(&self.modules).await?);
        Ok(all)
    }
}

#[async_trait]
impl Control for HostControl {
    async fn look(&self, _: &Actor, what: Look) -> Result<View, ControlError> {
        match what {
            Look::Modules => {
                let rows = module_rows(&self.modules, self.local.as_deref(), &self.health).await;
                Ok(View::ModuleList(rows.map_err(|why| failed(Error::from(why)))?))
            }
            Look::Status => Ok(View::Status(Status {
                attention: self.attention().await.map_err(|why| failed(Error::from(why)))?,
                version: env!("CARGO_PKG_VERSION").to_owned(),
                store: self.store.clone(),
                bus: self
                    .modules
                    .values()
                    .next()
                    .map_or_else(|| self.bus.clone(), |host| said_of(&*host.bus, &self.bus)),
                modules: self.modules.keys().map(|name| (*name).to_owned()).collect(),
                sagas: Vec::new(),
                ready: self.health.troubles().is_empty(),
                pid: std::process::id(),
                groups: Vec::new(),
                troubles: self.health.troubles(),
                incidents: self.health.incidents(),
                not_compared: self.not_compared(),
            })),
            Look::Sagas(_) | Look::Saga { .. } | Look::History { .. } | Look::Why { .. } | Look::Definitions => {
                Self::elsewhere()
            }
            Look::Verify | Look::Preview(_) => Self::elsewhere(),
        }
    }
    async fn act(&self, _: &Actor, _: Order) -> Result<Receipt, ControlError> {
        Self::elsewhere()
    }
    async fn outcome(&self, _: &Actor, _: AwaitSaga, _: Duration) -> Result<Option<SagaShow>, ControlError> {
        Self::elsewhere()
    }
}

/// A row for each module of this process.
pub(crate) async fn module_rows(
    modules: &BTreeMap<&'static str, Host>,
    local: Option<&LocalBus>,
    health: &Health,
) -> Result<Page<ModuleRow>, ReadError> {
    let (mut items, troubles) = (Vec::new(), health.troubles());
    for host in modules.values() {
        let row = module_row(host, modules, local).await?;
        items.push(ailing(row, &troubles));
    }
    Ok(Page::whole(items))
}

/// What ails a module is its state, in the words of whoever found it.
fn ailing(row: ModuleRow, troubles: &[Trouble]) -> ModuleRow {
    let own = troubles.iter().find(|trouble| trouble.names(&row.name));
    match own {
        Some(Trouble { place, says, .. }) => ModuleRow { state: format!("{}; {place}: {says}", row.state), ..row },
        None => row,
    }
}

/// A row for a module that sagas ask and that runs elsewhere, as far as the bus of this process tells: in another process,
/// in another language, or nowhere.
pub(crate) async fn elsewhere(module: &str, bus: &dyn AnyBus, clock: &dyn Clock, troubles: &[Trouble]) -> ModuleRow {
    let head = within(bus.tip(module), clock).await.and_then(Result::ok).map_or(0, |tip| tip.seq);
    let inbox = Inbox::Commands(module.to_owned());
    let waiting = within(bus.queued(&inbox), clock).await.and_then(Result::ok).unwrap_or(0);
    let parked = within(bus.aside_count(module), clock).await.and_then(Result::ok).unwrap_or(0);
    let owner = within(bus.owner_head(module), clock).await;
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
        state,
    };
    ailing(row, troubles)
}

/// An answer of the bus, if there is one within a second.
pub(crate) async fn within<T>(asked: impl Future<Output = T>, clock: &dyn Clock) -> Option<T> {
    let (asked, patience) = (std::pin::pin!(asked), clock.pause(COUNTED_WITHIN));
    match select(asked, patience).await {
        Either::Left((answer, _)) => Some(answer),
        Either::Right(_) => None,
    }
}

/// The read models of a module, and how far each is behind.
pub(crate) async fn projections(
    host: &Host,
    modules: &BTreeMap<&'static str, Host>,
) -> Result<Vec<ProjectionRow>, ReadError> {
    let mut projections = Vec::new();
    for def in &host.module.projections {
        let mut lag = 0;
        for source in def.sources() {
            // The end of a log in another process is on the bus; what is not known now counts as caught up.
            let end = match modules.get(source) {
                Some(theirs) => theirs.store.head().await?.0,
                None => within(host.bus.tip(source), &*host.clock).await.and_then(Result::ok).map_or(0, |tip| tip.seq),
            };
            let at = host.store.checkpoint(&def.consumer(source)).await?;
            lag += end.saturating_sub(at.0);
        }
        projections.push(ProjectionRow { name: def.name.clone(), version: def.version, lag });
    }
    Ok(projections)
}

async fn module_row(
    host: &Host,
    modules: &BTreeMap<&'static str, Host>,
    local: Option<&LocalBus>,
) -> Result<ModuleRow, ReadError> {
    let module = &host.module;
    let head = host.store.head().await?;
    // What a module last did is the last thing in its log.
    let last = host.store.read_log(Position(head.0.saturating_sub(1)), 1).await?;
    let projections = projections(host, modules).await?;
    // With an account for each module only the coordinators' may look at dead letters.
    let bus = &modules.get(JOURNAL).unwrap_or(host).bus;
    let aside = within(bus.aside_count(module.name), &*host.clock).await.and_then(Result::ok).unwrap_or(0);
    let parked = Find {
        projection: PARKED.to_owned(),
        version: PARKED_VERSION,
        filters: Vec::new(),
        order_by: None,
        descending: false,
        after: None,
        limit: FIND_LIMIT_MAX,
    };
    let parked = host.store.find(&parked).await?.len() as u64;
    let inbox = Inbox::Commands(module.name.to_owned());
    Ok(ModuleRow {
        name: module.name.to_owned(),
        contract: module.contract.to_owned(),
        commands: module.commands.keys().map(|(name, version)| format!("{name}@{version}")).collect(),
        queries: module.queries.keys().map(|(name, version)| format!("{name}@{version}")).collect(),
        projections,
        head,
        lag: local.map_or(0, |local| local.waiting(&inbox)) as u64,
        parked: aside + parked,
        last_seen: last.first().map(|recorded| recorded.recorded_at),
        state: if aside + parked == 0 { "up".to_owned() } else { format!("up, {} parked", aside + parked) },
    })
}
