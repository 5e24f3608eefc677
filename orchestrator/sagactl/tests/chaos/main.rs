//! The real binaries over a real database and a real broker, and everything that can happen to them: two coordinators and
//! modules in three processes go on through kills, pauses, a wiped and a rolled back broker, and a database that stops.
//! After every fault all sagas end as they should, and the checker finds nothing.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says where")]
#![expect(clippy::print_stderr, reason = "a long test says how far it is")]

mod faults;
mod health;
mod moving;
mod world;

use faults::Fault;
use saga_core::control::{Asks, Control, Order, OrderKind, Selector, What};
use saga_core::envelope::Actor;
use saga_core::id::RequestId;
use saga_core::json::Payload;
use saga_core::view::SagaState;
use std::time::Duration;
use test_servers::nats::Version;
use uuid::Uuid;
use world::{World, breathe};

/// Sagas in flight when a fault strikes: one of them can never pass quality control, and is undone.
const SAGAS: usize = 3;
/// Longer than a takeover, a recovery of the database and a retry after silence together.
const END_WITHIN: Duration = Duration::from_secs(120);

const GOOD: &str = include_str!("../../../../tests/data/briefs/02-radhaus-tannert.json");
const REJECTED: &str = include_str!("../../../../tests/data/briefs/07-torrealta-rejected.json");

fn order(name: &str, what: What) -> Order {
    let request = RequestId(Uuid::new_v5(&Uuid::NAMESPACE_OID, name.as_bytes()));
    Order { request, reason: None, what, if_rev: None }
}

/// Starts the sagas of a round; a start whose answer was lost is asked for again, and is the same saga.
async fn start(world: &World, round: usize) {
    let by = Actor::operator("test");
    for index in 0..SAGAS {
        let key = format!("round-{round:03}-{index}");
        let input = Payload::parse(if index == 1 { REJECTED } else { GOOD }).unwrap();
        let until = world.patience(END_WITHIN);
        loop {
            let start = What::Start {
                kind: "client-to-delivery".to_owned(),
                version: None,
                key: Some(key.clone()),
                input: input.clone(),
            };
            match world.any_coordinator().await.act(&by, order(&format!("start {key}"), start)).await {
                Ok(_) => break,
                Err(why) => {
                    assert!(why.retryable && !until.is_over(), "{key} cannot be started: {why:?}\n{}", world.logs())
                }
            }
            breathe().await;
        }
    }
}

/// Answers the open gates until every saga of the round has ended, and says how.
async fn end(world: &World, round: usize) -> Vec<SagaState> {
    let by = Actor::operator("test");
    let until = world.patience(END_WITHIN);
    loop {
        let all = Selector { all: true, key: Some(format!("round-{round:03}-*")), ..Selector::default() };
        let client = world.any_coordinator().await;
        if let Ok(page) = client.ask(&by, all).await {
            for row in page.items.iter().filter(|row| row.state == SagaState::Waiting) {
                let approved = !row.key.ends_with("-1");
                let data = Payload::parse(&format!(r#"{{"approved":{approved},"by":"test","note":"seen"}}"#)).unwrap();
                let opening = row.waiting.first().and_then(|waiting| waiting.opening.clone());
                let decided = format!("decide {} {opening:?}", row.id);
                let signal =
                    OrderKind::Signal { gate: "strategy-approved".to_owned(), data, opening }.of(row.id.to_string());
                // Decided already, or its owner is away: the next turn sees.
                let _later = client.act(&by, order(&decided, signal)).await;
            }
            if page.items.len() == SAGAS && page.items.iter().all(|row| row.state.is_end()) {
                let mut rows = page.items;
                rows.sort_by(|left, right| left.key.cmp(&right.key));
                return rows.into_iter().map(|row| row.state).collect();
            }
            if until.is_over() {
                panic!("round {round} does not end: {:#?}\n{}", page.items, world.logs());
            }
        } else if until.is_over() {
            panic!("round {round}: nobody answers\n{}", world.logs());
        }
        breathe().await;
    }
}

async fn survive(world: &mut World, schedule: &[Fault]) {
    for (round, fault) in schedule.iter().enumerate() {
        start(world, round).await;
        // Somewhere in the middle of it: never the same place twice.
        for _ in 0..(round * 7) % 23 {
            breathe().await;
        }
        fault.strike(world).await;
        let ended = end(world, round).await;
        let wanted = [SagaState::Completed, SagaState::Compensated, SagaState::Completed];
        assert_eq!(ended, wanted, "after round {round}, {fault:?}\n{}", world.logs());
        world.finds_nothing(&format!("round {round}, {fault:?}")).await;
        eprintln!("round {round:2} {fault:?}: two completed, one undone, nothing found");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_goes_on_through_kills_pauses_and_servers_that_forget() {
    let mut world = World::start(Version::Newest).await;
    let schedule = Fault::schedule();
    assert!(schedule.iter().filter(|fault| matches!(fault, Fault::Kill(_))).count() >= 40);
    survive(&mut world, &schedule).await;
    let incidents = world.incidents().await;
    assert!(incidents.get("broker-loss").is_some_and(|count| *count > 0), "the lost events were named: {incidents:?}");
    world.stop_well();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_old_broker_does_as_well() {
    let mut world = World::start(Version::Debian).await;
    survive(&mut world, &[Fault::BrokerWipe, Fault::Kill(0), Fault::BrokerRollback, Fault::Kill(2)]).await;
    world.stop_well();
}
