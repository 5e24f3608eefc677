//! Several coordinators over the same stores and bus: they share the groups, follow each other, and never both write.
#![expect(clippy::unwrap_used, reason = "what tests share speaks by panicking")]

use async_trait::async_trait;
use saga::core::batch::{Batch, Commit};
use saga::core::bus::AnyBus;
use saga::core::control::{Asks, Page, Selector};
use saga::core::envelope::Actor;
use saga::core::id::SagaId;
use saga::core::json::Payload;
use saga::core::ports::{Claim, Clock, Lease, ReadError, SharedStore, Stores};
use saga::core::uuid::Uuid;
use saga::core::view::{SagaRow, SagaState};
use saga::prelude::*;
use saga::{JOURNAL, LocalBus, LocalControl, OWNER_WITHIN, SystemClock};
use saga_engine::audit::audit_logs;
use saga_engine::machine::assignment::group_scope;
use saga_engine::memory::MemoryStores;
use saga_testkit::between::{Between, between};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use test_servers::waiting::{until, until_so, within};
use tokio::sync::watch;

const LEASE: Duration = Duration::from_millis(400);
const GROUPS: u16 = 16;

#[derive(Serialize, Deserialize)]
struct Row {
    number: u32,
}
impl Saga for Row {
    const NAME: &'static str = "row";
    const VERSION: u16 = 1;
    fn plan(plan: Plan) -> Definition {
        plan.step("a", hold, free).step("b", hold_more, free).step("c", refuse_odd, free).end()
    }
}
#[derive(Serialize, Deserialize)]
struct A(StepKey);
#[derive(Serialize, Deserialize)]
struct B(StepKey);
async fn hold(key: StepKey) -> Step<A> {
    Ok(A(key))
}
async fn hold_more(key: StepKey) -> Step<B> {
    Ok(B(key))
}
async fn refuse_odd(In(row): In<Row>) -> Step<u32> {
    if row.number % 2 == 1 { Err(refuse("odd")) } else { Ok(row.number) }
}
async fn free(Undoing(_): Undoing) -> Step<()> {
    Ok(())
}

/// What processes share: the database and the broker.
struct World {
    stores: Arc<dyn Stores>,
    bus: Arc<LocalBus>,
}
impl World {
    async fn new() -> Self {
        let stores: Arc<dyn Stores> = Arc::new(MemoryStores::new(Arc::new(SystemClock)));
        let bus = Arc::new(LocalBus::new(Arc::new(SystemClock)));
        bus.carry(JOURNAL, stores.open(JOURNAL).await.unwrap(), 0);
        Self { stores, bus }
    }
    async fn process(&self) -> Sagas {
        self.process_on(Arc::clone(&self.stores)).await
    }
    async fn process_on(&self, stores: Arc<dyn Stores>) -> Sagas {
        let bus = Arc::clone(&self.bus) as Arc<dyn AnyBus>;
        let built = Orchestrator::on(stores).bus(bus).groups(GROUPS).lease(LEASE).register::<Row>().register::<Gated>();
        built.start().await.unwrap()
    }
    async fn finds_nothing(&self, sagas: &Sagas) {
        let verdicts = audit_logs(Arc::clone(sagas.definitions()), &sagas.logs(), true).await.unwrap();
        assert!(verdicts.findings.is_empty(), "{:?}", verdicts.findings);
    }
}
async fn start(sagas: &Sagas, numbers: std::ops::Range<u32>) -> Vec<(u32, SagaId)> {
    let mut begun = Vec::new();
    for number in numbers {
        begun.push((number, sagas.start(Row { number }).await.unwrap().saga));
    }
    begun
}
async fn all_end(sagas: &Sagas, begun: &[(u32, SagaId)]) {
    for (number, saga) in begun {
        within("the end of a saga", sagas.wait(*saga)).await.unwrap();
        let wanted = if number % 2 == 1 { SagaState::Compensated } else { SagaState::Completed };
        assert_eq!(sagas.state(*saga).await.unwrap(), Some(wanted), "{number}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_coordinators_share_the_groups_and_serve_each_others_callers() {
    let world = World::new().await;
    let (one, two) = (world.process().await, world.process().await);
    until_so("both have half of the groups", || one.groups().len() == 8 && two.groups().len() == 8).await;
    // Whichever process is asked, the owner acts: half of these belong to the other process.
    let begun = start(&one, 0..40).await;
    all_end(&two, &begun).await;
    let again = two.start_raw("row", None, Some("k"), Payload::of(&Row { number: 2 }).unwrap(), None).await.unwrap();
    let same = one.start_raw("row", None, Some("k"), Payload::of(&Row { number: 2 }).unwrap(), None).await.unwrap();
    assert_eq!((again.saga, same.repeated), (same.saga, true));
    all_end(&one, &[(2, same.saga)]).await;
    world.finds_nothing(&one).await;
    one.shutdown().await.unwrap();
    until_so("what was given back is taken", || two.groups().len() == usize::from(GROUPS)).await;
    two.shutdown().await.unwrap();
}

#[test]
fn a_dead_coordinator_is_replaced_within_its_lease() {
    let survivor = tokio::runtime::Runtime::new().unwrap();
    let victim = tokio::runtime::Runtime::new().unwrap();
    let world = survivor.block_on(World::new());
    let dying = victim.block_on(world.process());
    let begun = victim.block_on(async {
        until_so("it has everything", || dying.groups().len() == usize::from(GROUPS)).await;
        start(&dying, 0..40).await
    });
    // Killed in the middle of whatever it does: nothing is given back, nothing is finished.
    victim.shutdown_background();
    survivor.block_on(async {
        let clock = SystemClock;
        let killed = clock.now();
        let heir = world.process().await;
        until_so("the heir has everything", || heir.groups().len() == usize::from(GROUPS)).await;
        let took = clock.now().since(killed);
        assert!(took < LEASE + Duration::from_secs(2), "F4: {took:?}");
        all_end(&heir, &begun).await;
        world.finds_nothing(&heir).await;
        heir.shutdown().await.unwrap();
    });
}

/// A store whose writers can be held: what a stopped process looks like to the others.
struct Held {
    store: SharedStore,
    gate: watch::Receiver<Gates>,
}
/// What may pass.
#[derive(Clone, Copy)]
struct Gates {
    commits: bool,
    leases: bool,
}
impl Held {
    async fn pass(&self, what: fn(&Gates) -> bool) {
        let mut gate = self.gate.clone();
        let _open = gate.wait_for(what).await;
    }
}
#[async_trait]
impl Between for Held {
    fn store(&self) -> &SharedStore {
        &self.store
    }
    async fn commit(&self, batch: Batch) -> Commit {
        self.pass(|gates| gates.commits).await;
        self.store.commit(batch).await
    }
    async fn lease(&self, owner: Uuid, claim: &Claim, ttl: Duration) -> Result<Vec<Lease>, ReadError> {
        self.pass(|gates| gates.leases).await;
        self.store.lease(owner, claim, ttl).await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_paused_and_woken_coordinator_is_fenced_and_steps_down() {
    let world = World::new().await;
    let (gate, open) = watch::channel(Gates { commits: true, leases: true });
    let held = between(Arc::clone(&world.stores), move |store| Held { store, gate: open.clone() });
    let paused = world.process_on(held).await;
    until_so("it has everything", || paused.groups().len() == usize::from(GROUPS)).await;
    gate.send_replace(Gates { commits: false, leases: false });
    // These commits are under way when it stops: their starts are not durable, and nobody was told that they are.
    #[expect(clippy::disallowed_methods, reason = "the handle is kept, and awaited below")]
    let under_way = tokio::spawn({
        let paused = paused.clone();
        async move { paused.start_raw("row", None, Some("late"), Payload::of(&Row { number: 2 }).unwrap(), None).await }
    });
    let heir = world.process().await;
    until_so("the heir has everything", || heir.groups().len() == usize::from(GROUPS)).await;
    let begun = start(&heir, 0..20).await;
    // It wakes at its commit: the clock says nothing to it, the fence does.
    gate.send_replace(Gates { commits: true, leases: false });
    until_so("it is fenced", || paused.health().incidents().get("fenced") == Some(&1)).await;
    gate.send_replace(Gates { commits: true, leases: true });
    // The late commit is refused; its caller is then served by the new owner, or by this one when it has a share again.
    let late = under_way.await.unwrap().unwrap().saga;
    all_end(&heir, &begun).await;
    all_end(&heir, &[(2, late)]).await;
    until_so("they share again", || paused.groups().len() == 8 && heir.groups().len() == 8).await;
    // What went wrong with what only a leader does is the next leader's to say.
    until_so("and nothing is wrong with it any more", || paused.health().troubles().is_empty()).await;
    world.finds_nothing(&heir).await;
    heir.shutdown().await.unwrap();
    paused.shutdown().await.unwrap();
}

const APPROVED: Gate<bool> = Gate::named("approved");
#[derive(Serialize, Deserialize)]
struct Gated {
    number: u32,
}
impl Saga for Gated {
    const NAME: &'static str = "gated";
    const VERSION: u16 = 1;
    fn plan(plan: Plan) -> Definition {
        plan.step("a", hold, free).wait("approval", APPROVED, Deadline::days(9)).end()
    }
}

/// A list is bounded while groups change hands: what their logs tell is shown, and the process that did not answer is
/// named.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_shows_what_is_known_of_groups_that_do_not_answer() {
    let world = World::new().await;
    let first = world.process().await;
    let mut begun = BTreeSet::new();
    for number in 0..40 {
        begun.insert(first.start(Gated { number }).await.unwrap().saga);
    }
    // Where they wait, they stay: their next owner has nothing to do for them.
    let at_the_gate = |page: &Page<SagaRow>| page.items.iter().all(|row| row.state == SagaState::Waiting);
    let control = LocalControl::new(first.clone(), "", "");
    let rows = async || {
        let page = listed(&control).await.unwrap();
        if at_the_gate(&page) { Ok(()) } else { Err(format!("{:?}", page.items)) }
    };
    until("all to come to the gate", rows).await;
    first.shutdown().await.unwrap();
    // A process holds two groups and does not answer: it is paused, or was killed a moment ago.
    let store = world.stores.open(JOURNAL).await.unwrap();
    let claim = Claim { want: vec![group_scope(3), group_scope(7)], leave: Vec::new() };
    store.lease(Uuid::from_u128(1), &claim, Duration::from_secs(600)).await.unwrap();
    let second = world.process().await;
    until_so("it has the others", || second.groups().len() == usize::from(GROUPS) - 2).await;
    let control = LocalControl::new(second.clone(), "", "");
    let clock = SystemClock;
    let shows_all = async || {
        let asked = clock.now();
        let page = listed(&control).await.unwrap();
        assert!(clock.now().since(asked) < OWNER_WITHIN / 2, "it waits for the owners");
        assert!(page.notes.len() == 1 && page.notes[0].starts_with("groups 3, 7 did not answer"), "{:?}", page.notes);
        assert_eq!((page.truncated, page.total), (true, None));
        // The board hears of the last ones a moment later.
        let shown: BTreeSet<SagaId> = page.items.iter().map(|row| row.id).collect();
        if shown != begun {
            return Err(format!("{} of {}", shown.len(), begun.len()));
        }
        assert!(at_the_gate(&page), "{:?}", page.items);
        Ok(())
    };
    until("a list of all", shows_all).await;
    second.shutdown().await.unwrap();
}
async fn listed(control: &LocalControl) -> Option<Page<SagaRow>> {
    control.ask(&Actor::system("test"), Selector::default()).await.ok()
}
