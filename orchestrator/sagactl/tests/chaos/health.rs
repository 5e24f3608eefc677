//! A service that has nothing to do says that its broker is away, and that it is back, without anybody's help.

use crate::END_WITHIN;
use crate::world::{COORDINATORS, World, breathe};
use test_servers::nats::Version;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_service_is_well_again_when_its_broker_is() {
    let mut world = World::start(Version::Newest).await;
    until_ready(&world, true).await;
    world.nats.kill();
    until_ready(&world, false).await;
    world.nats.restart();
    until_ready(&world, true).await;
    world.stop_well();
}

/// Waits until the coordinators are all ready, or one of them is not: only one of them relays.
async fn until_ready(world: &World, ready: bool) {
    let until = world.patience(END_WITHIN);
    loop {
        let mut all = true;
        for number in 0..COORDINATORS {
            all &= world.status(number).await.is_some_and(|status| status.ready);
        }
        if all == ready {
            return;
        }
        assert!(!until.is_over(), "readiness does not become {ready}\n{}", world.logs());
        breathe().await;
    }
}
