//! A service that has nothing to do says by itself that its broker is away, and that it is back; and a check of a
//! broker that was wiped names what is missing and makes nothing.

use crate::world::{World, breathe, sagactl};
use crate::{END_WITHIN, end, start};
use saga_core::control::Status;
use test_servers::nats::Version;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_service_is_well_again_when_its_broker_is() {
    let mut world = World::start(Version::Newest).await;
    // Another process leads the module: this one relays nothing, and only waits for commands.
    let follower = world.join(&["--modules", "delivery"]);
    world.processes[follower].start();
    until_all(&world, "ready", |status| status.ready).await;
    world.nats.kill();
    until_all(&world, "not ready because of the broker", names_the_broker).await;
    let follower = world.url(follower).unwrap();
    let (exit, said, errors) = sagactl(&["doctor", "--url", &follower]);
    let url = world.nats.url();
    assert!(exit == Some(6) && said.contains("broker") && said.contains(&url), "{exit:?} {said}{errors}");
    let probe = sagactl(&["doctor", "--probe", "ready", "--url", &follower]);
    assert_ne!(probe.0, Some(0), "{probe:?}");
    world.nats.restart();
    until_all(&world, "ready again", |status| status.ready).await;
    // What was never published is missed by nobody.
    start(&world, 0).await;
    end(&world, 0).await;
    world.stop_well();
    // No process runs that could create them: they are named, and a second look finds the same.
    world.nats.wipe();
    world.nats.restart();
    let config = world.processes[0].config();
    for _ in 0..2 {
        let (exit, said, errors) = sagactl(&["events", "verify", "--config", config.to_str().unwrap()]);
        assert_eq!(exit, Some(6), "{said}{errors}");
        for stream in ["EVT_qc", "EVT_orchestration", "CMD", "RPL", "IN", "DLQ"] {
            assert!(said.contains(&format!("stream {stream}: missing on the bus")), "{stream}: {said}{errors}");
        }
    }
}

fn names_the_broker(status: &Status) -> bool {
    !status.ready && status.troubles.iter().any(|trouble| trouble.place == "broker")
}

/// Waits until every process is so.
async fn until_all(world: &World, what: &str, is_so: impl Fn(&Status) -> bool) {
    let until = world.patience(END_WITHIN);
    loop {
        let mut others = Vec::new();
        for number in 0..world.processes.len() {
            let status = world.status(number).await;
            if !status.as_ref().is_some_and(&is_so) {
                others.push((number, status.map(|status| (status.ready, status.troubles))));
            }
        }
        if others.is_empty() {
            return;
        }
        assert!(!until.is_over(), "not {what}: {others:?}\n{}", world.logs());
        breathe().await;
    }
}
