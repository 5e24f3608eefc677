//! Answers that are lost: behind every write of a saga of three steps to the database, and behind every publish, the
//! connection is cut once, after it was executed and before its answer arrives. Every saga ends as it must, every deed
//! happens once, and the checker finds nothing.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says where")]

mod ledgers;
mod world;

use ledgers::{Chain, LONG_PATIENCE, MODULES, PatientChain};
use saga::SystemClock;
use saga::core::json::Payload;
use saga::core::ports::Clock;
use saga::core::view::SagaState;
use saga::prelude::*;
use std::time::Duration;
use test_servers::proxy::Proxy;
use world::{DEADLINE, World, until};

/// A run whose writes were fewer than those of the run that was counted is followed by another saga.
const SAGAS_MAX: usize = 4;
/// How often a neighbour comes between two writes of a saga is the machine's business: a busy one needs more sagas.
const DISTURBED_SAGAS_MAX: usize = 100;
/// A saga of three steps makes at least this many writes of every kind.
const WRITES_MIN: u64 = 3;
/// Leases are renewed by the clock, not by sagas: this many answers in a row are enough to meet each of their owners.
const LEASES: u64 = 10;
/// A connection that is there again at once costs less than the patience for an answer (5 s) or a heartbeat (5 s).
const RUN_MAX: Duration = Duration::from_secs(4);

/// A kind of write.
#[derive(Debug, Clone, Copy)]
struct Kind {
    prefix: &'static str,
    proxy: fn(&World) -> &Proxy,
    /// Whether another process writes the same logs meanwhile.
    disturbed: bool,
    /// Whether these writes come by themselves, whatever sagas do.
    by_the_clock: bool,
}
const fn database(prefix: &'static str) -> Kind {
    Kind { prefix, proxy: |world| &world.database, disturbed: false, by_the_clock: false }
}
const fn broker(prefix: &'static str) -> Kind {
    Kind { prefix, proxy: |world| &world.broker, disturbed: false, by_the_clock: false }
}
const APPENDS: Kind = database("append ");
const COMMITS: Kind = Kind { disturbed: true, ..database("commit ") };
const RENEWALS: Kind = Kind { by_the_clock: true, ..database("lease ") };
const EVENTS: Kind = broker("aicmo.evt.");
const COMMANDS: Kind = broker("aicmo.cmd.");
const REPLIES: Kind = broker("aicmo.reply.");

impl Kind {
    const fn sagas_max(&self) -> usize {
        if self.disturbed { DISTURBED_SAGAS_MAX } else { SAGAS_MAX }
    }
    fn done(&self, world: &World) -> u64 {
        let done = (self.proxy)(world).done();
        done.iter().filter(|(what, _)| what.starts_with(self.prefix)).map(|(_, count)| count).sum()
    }
}

#[expect(clippy::print_stderr, reason = "what a run took is shown when it fails, and on request")]
fn tell(says: &str) {
    eprintln!("{says}");
}

/// One saga from its start to its end, and what it left behind.
async fn run(world: &World, refuse: bool, when: &str) {
    let began = SystemClock.now();
    let input = Payload::of(&Chain { refuse }).unwrap();
    let story = async {
        let begun = world.sagas.start_raw(Chain::NAME, None, None, input, None).await;
        let saga = begun.unwrap_or_else(|why| panic!("{when}: not started: {why}")).saga;
        // The end of the patience shows what it was at.
        let waited = tokio::time::timeout(DEADLINE, world.sagas.wait(saga)).await;
        (saga, waited)
    };
    let (saga, waited) = tokio::time::timeout(DEADLINE * 2, story).await.unwrap_or_else(|_| panic!("{when}: no start"));
    let report = || async { world.sagas.report(saga).await.map_or_else(|why| why.to_string(), |it| it.to_string()) };
    match waited {
        Ok(Ok(())) => {}
        other => panic!("{when}: stuck for {DEADLINE:?} ({other:?}):\n{}", report().await),
    }
    let (state, left): (_, [&[&str]; 3]) = match refuse {
        false => (SagaState::Completed, [&["PutDown"]; 3]),
        true => (SagaState::Compensated, [&["PutDown", "TakenBack"], &["PutDown", "TakenBack"], &[]]),
    };
    assert_eq!(world.sagas.state(saga).await.unwrap(), Some(state), "{when}:\n{}", report().await);
    for (module, left) in MODULES.into_iter().zip(left) {
        assert_eq!(world.deeds(module, saga).await, left, "{when}: {module}\n{}", report().await);
    }
    let took = SystemClock.now().since(began);
    tell(&format!("{when}: {took:?}"));
    assert!(took < RUN_MAX, "{when}: {took:?}");
}
async fn run_beside(world: &World, kind: Kind, refuse: bool, when: &str) {
    if kind.disturbed {
        tokio::select! {
            () = run(world, refuse, when) => {}
            () = world.disturb() => {}
        }
    } else {
        run(world, refuse, when).await;
    }
}

/// How many writes of this kind a saga makes when nothing is cut; a disturbed one, and as many after it as are needed to
/// see the fewest.
async fn counted(world: &World, kind: Kind, refuse: bool) -> u64 {
    let before = kind.done(world);
    let when = format!("{} counted, refuse {refuse}", kind.prefix);
    for _ in 0..kind.sagas_max() {
        run_beside(world, kind, refuse, &when).await;
        world.finds_nothing(&when).await;
        if !kind.disturbed || kind.done(world) - before >= WRITES_MIN {
            break;
        }
    }
    kind.done(world) - before
}

/// Cuts behind the `n`-th write, for every `n` up to `count`.
async fn cut_everywhere(world: &World, kind: Kind, refuse: bool, count: u64) {
    let proxy = (kind.proxy)(world);
    let mut more = 0;
    for n in 1..=count {
        let when = format!("cut behind {}{n} of {count}, refuse {refuse}", kind.prefix);
        let cuts = proxy.cuts();
        proxy.cut_after(kind.prefix, n);
        for sagas in 1.. {
            run_beside(world, kind, refuse, &when).await;
            if kind.by_the_clock {
                let cut = || async { if proxy.cuts() > cuts { Ok(()) } else { Err("no cut".to_owned()) } };
                until(&when, cut).await;
            }
            let ended = SystemClock.now();
            world.finds_nothing(&when).await;
            let took = SystemClock.now().since(ended);
            assert!(took < RUN_MAX, "{when}: the bus and the read models only follow after {took:?}");
            if proxy.cuts() > cuts {
                break;
            }
            assert!(sagas < kind.sagas_max(), "{when}: never reached");
            more += 1;
        }
        assert_eq!(proxy.cuts(), cuts + 1, "{when}");
    }
    tell(&format!("{}: {count} cuts, refuse {refuse}; {more} sagas more than cuts", kind.prefix));
}

async fn survives(refuse: bool) {
    let world = World::start::<Chain>().await;
    // The first one meets everything cold: statements are prepared, fences are learnt.
    counted(&world, APPENDS, refuse).await;
    for kind in [APPENDS, COMMITS, EVENTS, COMMANDS, REPLIES] {
        let count = counted(&world, kind, refuse).await;
        assert!(count >= WRITES_MIN, "{kind:?}: only {count} writes were seen");
        cut_everywhere(&world, kind, refuse, count).await;
    }
    cut_everywhere(&world, RENEWALS, refuse, LEASES).await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forward_a_saga_survives_the_loss_of_every_answer() {
    survives(false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn backward_a_saga_survives_the_loss_of_every_answer() {
    survives(true).await;
}

/// What its sagas ask of its own modules needs no broker; what others shall hear follows when there is one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_goes_on_while_its_broker_is_away() {
    let mut world = World::start_near::<Chain>().await;
    run(&world, false, "with a broker").await;
    assert!([COMMANDS, REPLIES].iter().all(|kind| kind.done(&world) == 0), "the short way is taken");
    world.server.kill();
    for refuse in [false, true] {
        run(&world, refuse, &format!("without a broker, refuse {refuse}")).await;
    }
    world.server.restart();
    world.finds_nothing("the broker is back").await;
    world.stop().await;
}

/// A command on the bus is in no log of its receiver: only the coordinator can bring it back, and it does as soon as
/// the bus may have lost it, long before its patience ends.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_that_the_broker_loses_is_sent_again_before_the_patience_for_it_ends() {
    let mut world = World::start::<PatientChain>().await;
    world.broker.cut_after_and_stay_down(COMMANDS.prefix, 2);
    let saga = world.sagas.start(PatientChain {}).await.unwrap().saga;
    until("the second command is on the bus and nobody has it", || async {
        if world.broker.cuts() == 1 { Ok(()) } else { Err("no cut".to_owned()) }
    })
    .await;
    world.server.wipe();
    world.server.restart();
    let back = SystemClock.now();
    world.broker.up();
    let waited = tokio::time::timeout(DEADLINE, world.sagas.wait(saga)).await;
    assert!(matches!(waited, Ok(Ok(()))), "{waited:?}: {}", world.sagas.report(saga).await.unwrap());
    let took = SystemClock.now().since(back);
    tell(&format!("after a broker that lost a command: {took:?}, patience {:?}", LONG_PATIENCE.0));
    assert_eq!(world.sagas.state(saga).await.unwrap(), Some(SagaState::Completed));
    assert!(took < LONG_PATIENCE.0 / 2, "{took:?}");
    for module in MODULES {
        assert_eq!(world.deeds(module, saga).await, ["PutDown"], "{module}");
    }
    world.finds_nothing("after the loss").await;
    world.stop().await;
}
