//! The laws of a bus, on each version of the server.

use crate::support::{ACK_WAIT, DELIVERIES_MAX, connect, owner, pass, store};
use saga_testkit::laws::bus::BusCase;
use std::sync::Arc;
use test_servers::nats::{Nats as Server, Version};

async fn case(version: Version) -> BusCase {
    let server = Server::start(version);
    let (bus, store) = (connect(&server).await, store());
    let owner = owner(&bus, &store);
    BusCase {
        bus: Arc::new(bus),
        store,
        pass: Box::new(|duration| Box::pin(pass(duration))),
        settle_within: ACK_WAIT,
        deliveries_max: DELIVERIES_MAX,
        keep: Box::new((owner, server)),
    }
}

mod on_the_server_of_debian {
    use super::{BusCase, Version, case};
    async fn make() -> BusCase {
        case(Version::Debian).await
    }
    saga_testkit::bus_laws!(make);
}
mod on_the_newest_server {
    use super::{BusCase, Version, case};
    async fn make() -> BusCase {
        case(Version::Newest).await
    }
    saga_testkit::bus_laws!(make);
}
