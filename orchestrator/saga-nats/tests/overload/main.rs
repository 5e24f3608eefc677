//! Overload bends, on real servers: many more sagas than a slow module can serve, begun as fast as two coordinators take
//! them, which are killed in turn, and so is the module. All of them complete, each deed has one effect, and none is undone.
//!
//! `OVERLOAD_SAGAS` and `OVERLOAD_KILLS` say how many; `tests/run overload` measures 5,000 and eight.
#![expect(clippy::unwrap_used, clippy::panic, reason = "what tests share speaks by panicking")]
#![expect(clippy::print_stderr, reason = "a measurement says what it found")]

mod shop;

use saga::core::bus::AnyBus;
use saga::core::command::{Command, Common, Compensable};
use saga::core::json::Payload;
use saga::core::ports::{Clock, Stores};
use saga::core::view::SagaState;
use saga::prelude::*;
use saga::{Error, JOURNAL, SystemClock, keyed};
use saga_nats::{Nats, Options};
use saga_postgres::{Credentials, Migration, PostgresStores, migrate};
use shop::{SHOP, Shop};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use test_servers::nats::{Nats as Broker, Version};
use test_servers::postgres::Postgres;
use tokio::runtime::{Builder, Runtime};

/// What is run where nothing else is said: still many times what the shop does in the patience of a step.
const SAGAS: u64 = 300;
const KILLS: u64 = 2;
const GROUPS: u16 = 8;
const LEASE: Duration = Duration::from_secs(5);
/// So many starts are asked for at once.
const STARTERS: u64 = 32;
/// Longer than all of it takes on a slow machine; nothing waits for its end unless it fails.
const WITHIN: Duration = Duration::from_secs(1_800);
/// Longer than a start takes; it is asked for again under the same key.
const GIVES_UP: Duration = Duration::from_secs(2);
const LOOK: Duration = Duration::from_millis(20);

#[derive(Serialize, Deserialize)]
struct Job {
    number: u64,
}
#[derive(Clone, Serialize, Deserialize)]
struct Make {
    number: u64,
}
#[derive(Clone, Serialize, Deserialize)]
struct Unmake {
    deed: StepKey,
}
impl Command for Make {
    const MODULE: &'static str = SHOP;
    const NAME: &'static str = "Make";
    type Reply = u64;
    type Refusal = Common;
}
impl Command for Unmake {
    const MODULE: &'static str = SHOP;
    const NAME: &'static str = "Unmake";
    type Reply = ();
    type Refusal = Common;
}
impl Compensable for Make {
    type Undo = Unmake;
    fn undo(&self, deed: StepKey) -> Unmake {
        Unmake { deed }
    }
}
/// Two commands, three seconds of patience, eight tries.
impl Saga for Job {
    const NAME: &'static str = "job";
    const VERSION: u16 = 1;
    fn plan(plan: Plan) -> Definition {
        let tries = Retry::brief().pausing(Duration::from_millis(200), Duration::from_secs(30)).tries(8);
        let patience = Deadline::seconds(3);
        plan.ask("first", make)
            .patience(patience)
            .retry(tries)
            .ask("second", make)
            .patience(patience)
            .retry(tries)
            .end()
    }
}
fn make(In(job): In<Job>) -> Make {
    Make { number: job.number }
}

fn number(name: &str, usual: u64) -> u64 {
    std::env::var(name).map_or(usual, |text| text.parse().unwrap())
}

/// A coordinator with everything of its own; killed, it ends between two awaits, and gives nothing back.
struct Coordinator {
    runtime: Runtime,
    sagas: Sagas,
}
struct World {
    url: String,
    passwords: std::path::PathBuf,
    broker: String,
}
impl World {
    fn coordinator(&self) -> Coordinator {
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let (credentials, broker) = (Credentials::of_url(&self.url).unwrap(), self.broker.clone());
        let credentials = credentials.with_password_folder(&self.passwords);
        let (tell, told) = std::sync::mpsc::channel();
        runtime.spawn(async move {
            let stores: Arc<dyn Stores> = Arc::new(PostgresStores::new(credentials, Arc::new(SystemClock)));
            let bus = Nats::connect(options(broker)).await.unwrap();
            let bus: Arc<dyn AnyBus> = Arc::new(bus);
            let built = Orchestrator::on(stores).bus(bus).groups(GROUPS).lease(LEASE).register::<Job>();
            tell.send(built.start().await.unwrap()).unwrap();
        });
        let sagas = told.recv_timeout(WITHIN).unwrap();
        Coordinator { runtime, sagas }
    }
}
fn options(url: String) -> Options {
    Options { urls: vec![url], ack_wait: Duration::from_secs(10), ..Options::default() }
}

/// The processes that live now; the other one is being killed, or has just begun.
type Living = Arc<std::sync::Mutex<Vec<Sagas>>>;

/// Starts every `STARTERS`-th saga, each until it is accepted: a starter that is told to slow down, or hears nothing,
/// asks again.
async fn start(living: Living, from: u64, to: u64, slowed: Arc<AtomicU64>) {
    for number in (from..to).step_by(usize::try_from(STARTERS).unwrap()) {
        for turn in number.. {
            let sagas = {
                let living = living.lock().unwrap();
                living[usize::try_from(turn).unwrap() % living.len()].clone()
            };
            let input = Payload::of(&Job { number }).unwrap();
            let key = number.to_string();
            let begun = tokio::select! {
                begun = sagas.start_raw("job", None, Some(&key), input, None) => begun,
                // A client of a process that was killed is told so by its connection.
                () = SystemClock.pause(GIVES_UP) => Err(Error::Stopped),
            };
            match begun {
                Ok(_) => break,
                Err(Error::Refused(refused)) if refused.code == saga::core::codes::OVERLOADED => {
                    slowed.fetch_add(1, Ordering::Relaxed);
                }
                Err(Error::Stopped | Error::Unheard { .. } | Error::Unowned { .. } | Error::Unanswered { .. }) => {}
                Err(other) => panic!("{number}: {other}"),
            }
            SystemClock.pause(LOOK).await;
        }
    }
}

fn overload(version: Version) {
    let (sagas, kills) = (number("OVERLOAD_SAGAS", SAGAS), number("OVERLOAD_KILLS", KILLS));
    let (postgres, server) = (Postgres::start(), Broker::start(version));
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    postgres.run("postgres", "CREATE DATABASE overload");
    let passwords = postgres.folder().join("passwords");
    let world = World { url: postgres.url("overload"), passwords: passwords.clone(), broker: server.url() };
    let mut shop = runtime.block_on(async {
        let how = Migration::default().with_password_folder(&passwords);
        migrate(&world.url, &[JOURNAL], &how).await.unwrap();
        Shop::open(Nats::connect(options(server.url())).await.unwrap(), GROUPS).await
    });
    let mut coordinators = vec![world.coordinator(), world.coordinator()];
    let handles = |coordinators: &[Coordinator]| coordinators.iter().map(|each| each.sagas.clone()).collect::<Vec<_>>();
    let living: Living = Arc::new(std::sync::Mutex::new(handles(&coordinators)));
    let (began, slowed) = (SystemClock.passed(), Arc::new(AtomicU64::new(0)));
    let starting: Vec<_> =
        (0..STARTERS).map(|from| runtime.spawn(start(Arc::clone(&living), from, sagas, Arc::clone(&slowed)))).collect();
    for kill in 1..=kills {
        // Evenly over the deeds, and the coordinators and the shop in turn.
        shop.until(kill * sagas * 2 / (kills + 1), &runtime);
        if kill.is_multiple_of(3) {
            runtime.block_on(async { shop.kill() });
            continue;
        }
        let at = usize::try_from(kill % 2).unwrap();
        let killed = coordinators.remove(at);
        *living.lock().unwrap() = handles(&coordinators);
        killed.runtime.shutdown_background();
        coordinators.insert(at, world.coordinator());
        *living.lock().unwrap() = handles(&coordinators);
    }
    for starter in starting {
        runtime.block_on(starter).unwrap();
    }
    let started = SystemClock.passed() - began;
    let mut ended = Vec::new();
    for number in 0..sagas {
        let id = keyed("job", &number.to_string());
        let last = coordinators[0].sagas.clone();
        let state = runtime.block_on(async {
            let end = SystemClock.passed() + WITHIN;
            loop {
                match last.state(id).await.unwrap() {
                    Some(state) if state.is_end() || state.needs_person() => return state,
                    other => assert!(SystemClock.passed() < end, "{number} is {other:?}"),
                }
                SystemClock.pause(LOOK).await;
            }
        });
        ended.push(state);
    }
    let took = SystemClock.passed() - began;
    let completed = ended.iter().filter(|state| **state == SagaState::Completed).count() as u64;
    let counts = shop.counts();
    eprintln!(
        "{completed} of {sagas} completed with {kills} kills in {took:.1?}; started within {started:.1?}, slowed {} times; {counts:?}",
        slowed.load(Ordering::Relaxed)
    );
    assert_eq!(completed, sagas, "{ended:?}");
    assert_eq!((counts.deeds, counts.undone), (sagas * 2, 0), "{counts:?}");
    for coordinator in coordinators {
        runtime.block_on(coordinator.sagas.shutdown()).unwrap();
        coordinator.runtime.shutdown_background();
    }
}

#[test]
fn whatever_is_asked_of_a_slow_module_is_done_once_on_the_server_of_debian() {
    overload(Version::Debian);
}
#[test]
fn whatever_is_asked_of_a_slow_module_is_done_once_on_the_newest_server() {
    overload(Version::Newest);
}
