//! Owns coordinator groups: asks for leases, runs a shell for every group that it owns, and steps down where it lost
//! the lease.

use crate::board::{board, open_ones};
use crate::groups::Groups;
use crate::health::Health;
use crate::limits::{INPUTS_MAX, JOURNAL};
use crate::questions::Input;
use crate::shell::{Locals, Shell};
use crate::system::Watch;
use crate::tasks::Tasks;
use saga_core::bus::{AnyBus, Inbox, Line};
use saga_core::id::{Epoch, Position, SagaId};
use saga_core::ports::{Claim, Clock, Ids, Lease, ReadError, SharedStore};
use saga_core::telemetry::Metric;
use saga_engine::journal::{self, group_of};
use saga_engine::machine::assignment::{Assignment, Member, group_scope};
use saga_engine::machine::coordinator::{Coordinator, Definitions};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, mpsc, watch};
use uuid::Uuid;

/// How long a lease holds when nothing else is said: longer than a pause of a busy machine, short enough for a takeover
/// that people do not have to wait for.
pub const LEASE: Duration = Duration::from_secs(10);
/// Rounds without a pause, while slots and groups are being taken; a fifth means that another process is as eager.
const EAGER_ROUNDS: u32 = 4;
/// After a round that did not get what it asked for, or could not ask.
const ROUND_PAUSE: Duration = Duration::from_millis(50);
/// After a group broke in a way that its code does not know: 1 s, so that it does not do so a thousand times a second.
const BROKEN_PAUSE: Duration = Duration::from_secs(1);
/// The place of this in the health of the process.
const PLACE: &str = "coordinator";

/// Everything that groups of this process are run with.
#[derive(Clone)]
pub(crate) struct Coordination {
    pub(crate) owner: Uuid,
    pub(crate) lease: Duration,
    pub(crate) groups: Arc<Groups>,
    pub(crate) definitions: Arc<Definitions>,
    pub(crate) store: SharedStore,
    pub(crate) bus: Arc<dyn AnyBus>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) ids: Arc<dyn Ids>,
    pub(crate) tasks: Tasks,
    pub(crate) seed: u64,
    /// How many commands of a module are under way at once for a group.
    pub(crate) commands: usize,
    pub(crate) health: Health,
    /// The functions of sagas that run in this process.
    pub(crate) locals: Locals,
    /// Whether this process has all the groups that it should have.
    pub(crate) settled: watch::Sender<bool>,
    /// A group of this process has ended by itself.
    pub(crate) ended: Arc<Notify>,
}

struct Runner {
    epoch: Epoch,
    tasks: Tasks,
}

impl Coordination {
    /// Runs until everything ends. Should it break, everything that it had begun ends first, and is begun anew from the
    /// leases and the log.
    pub(crate) fn keep(self, tasks: &Tasks) {
        let before = Mutex::new(self.tasks.scope());
        tasks.keep(PLACE, move || {
            let scope = self.tasks.scope();
            let mut held = before.lock().unwrap_or_else(PoisonError::into_inner);
            let (before, fresh) = (std::mem::replace(&mut *held, scope.clone()), Self { tasks: scope, ..self.clone() });
            async move {
                before.stop().await;
                fresh.run().await;
            }
        });
    }
    /// Until everything ends; then everything is given back, so that nobody has to wait for it.
    async fn run(self) {
        let member = Member::new(self.owner, self.groups.count);
        let mut runners = BTreeMap::new();
        let (mut claim, mut eager) = (Claim::default(), 0);
        let mut reached = self.clock.passed();
        while !self.tasks.is_stopping() {
            let pause = match self.store.lease(self.owner, &claim, self.lease).await {
                Ok(leases) => {
                    if !self.bus.is_deaf(&Inbox::Outside) {
                        reached = self.clock.passed();
                    }
                    // A broker that is away for a moment costs nobody a takeover.
                    let reaches = self.clock.passed().saturating_sub(reached) < self.lease;
                    let assigned = member.look(&leases, reaches);
                    eager = if assigned.wants_more { eager + 1 } else { 0 };
                    let started = self.follow(&assigned, &mut runners).await;
                    claim = assigned.claim.clone();
                    claim.leave.extend(assigned.surplus.iter().copied().map(group_scope));
                    let busy = assigned.wants_more || !claim.leave.is_empty();
                    self.report(started, busy, &assigned);
                    match (busy, started) {
                        (true, _) if eager <= EAGER_ROUNDS => Duration::ZERO,
                        (true, _) | (_, false) => ROUND_PAUSE,
                        (false, true) => assigned.patience.map_or(self.lease / 3, |left| left.min(self.lease / 3)),
                    }
                }
                Err(why) => {
                    self.health.trouble(PLACE, why.to_string());
                    ROUND_PAUSE * 4
                }
            };
            tokio::select! {
                () = self.tasks.stopping() => {}
                () = self.ended.notified() => {}
                () = self.clock.pause(pause) => {}
            }
        }
        self.give_back(runners).await;
    }
    fn report(&self, started: bool, busy: bool, assigned: &Assignment) {
        if started {
            self.health.well(PLACE);
        }
        let settled = started && !busy;
        self.settled.send_if_modified(|known| std::mem::replace(known, settled) != settled);
        if settled {
            tracing::debug!(groups = ?assigned.owned.keys().collect::<Vec<_>>(), "these groups are coordinated here");
        }
    }
    /// Ends what is lost or surplus, begins what is new. Whether everything that is owned runs.
    async fn follow(&self, assigned: &Assignment, runners: &mut BTreeMap<u16, Runner>) -> bool {
        let keeps = |group: &u16, runner: &Runner| {
            assigned.owned.get(group) == Some(&runner.epoch)
                && !assigned.surplus.contains(group)
                && !runner.tasks.is_stopping()
        };
        let lost: Vec<u16> =
            runners.iter().filter(|(group, runner)| !keeps(group, runner)).map(|(group, _)| *group).collect();
        for group in lost {
            if let Some(runner) = runners.remove(&group) {
                runner.tasks.stop().await;
                tracing::info!(group, epoch = %runner.epoch, "this group is not coordinated here any more");
            }
        }
        let fresh = |(group, _): &(&u16, &Epoch)| !runners.contains_key(group) && !assigned.surplus.contains(group);
        let fresh: Vec<(u16, Epoch)> =
            assigned.owned.iter().filter(fresh).map(|(group, epoch)| (*group, *epoch)).collect();
        if fresh.is_empty() {
            return true;
        }
        // The fences were raised with the leases: nobody else writes to these sagas from here on, so what is read now
        // is all there is.
        match open_sagas(&self.store).await {
            Ok(open) => {
                for (group, epoch) in fresh {
                    let open =
                        open.iter().copied().filter(|saga| group_of(*saga, self.groups.count) == group).collect();
                    runners.insert(group, self.begin(group, epoch, open));
                }
                true
            }
            Err(why) => {
                self.health.trouble(PLACE, why.to_string());
                false
            }
        }
    }
    fn begin(&self, group: u16, epoch: Epoch, open: Vec<SagaId>) -> Runner {
        tracing::info!(group, %epoch, open = open.len(), "coordinating this group");
        self.health.meter().add(Metric::Takeovers, &["group"], 1);
        let tasks = self.tasks.scope();
        let (inputs, receiver) = mpsc::channel::<Input>(INPUTS_MAX);
        let (back, own) = mpsc::channel(INPUTS_MAX);
        let shell = Shell {
            coordinator: Coordinator::new(Arc::clone(&self.definitions), self.seed)
                .of_group(group, self.groups.count)
                .at_once(self.commands),
            store: Arc::clone(&self.store),
            bus: Arc::clone(&self.bus),
            clock: Arc::clone(&self.clock),
            ids: Arc::clone(&self.ids),
            tasks: tasks.clone(),
            health: self.health.clone(),
            groups: Arc::clone(&self.groups),
            locals: self.locals.clone(),
            group,
            epoch,
            back,
            fenced: false,
            deaf: false,
            watch: Watch::of(&*self.clock),
        };
        self.groups.arrive(group, inputs.clone());
        let (groups, bus, ended, health) =
            (Arc::clone(&self.groups), Arc::clone(&self.bus), Arc::clone(&self.ended), self.health.clone());
        let (line, answerer, own_tasks) = (Line::Group(group), groups.answerer(inputs), tasks.clone());
        let clock = Arc::clone(&self.clock);
        tasks.spawn(format!("group {group}"), async move {
            let place = format!("questions to group {group}");
            let name = format!("group {group}");
            let serving = async {
                loop {
                    if let Err(why) = bus.serve(vec![(line.clone(), Arc::clone(&answerer))]).await {
                        health.trouble(&place, why.to_string());
                    }
                    clock.pause(ROUND_PAUSE * 4).await;
                }
            };
            tokio::select! {
                // It ends when it is fenced, and then everything of the group does.
                ended = own_tasks.watched(&name, shell.run(open, receiver, own)) => if ended.is_some() {
                    groups.depart(group);
                    clock.pause(BROKEN_PAUSE).await;
                },
                () = serving => {}
            }
            health.well(&place);
            groups.depart(group);
            own_tasks.end();
            ended.notify_one();
        });
        Runner { epoch, tasks }
    }
    async fn give_back(&self, runners: BTreeMap<u16, Runner>) {
        for runner in runners.values() {
            runner.tasks.end();
        }
        for runner in runners.values() {
            runner.tasks.stop().await;
        }
        // The next owner need not wait for leases that this process will not use.
        let Ok(leases) = self.store.lease(self.owner, &Claim::default(), self.lease).await else { return };
        let mine = |lease: &Lease| lease.owner == self.owner && !lease.left.is_zero();
        let leave = leases.into_iter().filter(mine).map(|lease| lease.scope).collect();
        let _given = self.store.lease(self.owner, &Claim { want: Vec::new(), leave }, self.lease).await;
    }
}

/// The sagas that are open: those on the board, and whatever the log has after the board's checkpoint, to its end.
async fn open_sagas(store: &SharedStore) -> Result<Vec<SagaId>, ReadError> {
    let def = board();
    let from = store.checkpoint(&def.consumer(JOURNAL)).await?;
    let known = if from == Position::ZERO { Vec::new() } else { open_ones(store).await? };
    let from = saga_core::public_log::place(store, from.0).await?;
    let found = journal::recover(store, known.into_iter().collect(), from).await?;
    tracing::info!(open = found.open.len(), read = found.events, head = %found.head, "recovered");
    Ok(found.open.into_iter().collect())
}
