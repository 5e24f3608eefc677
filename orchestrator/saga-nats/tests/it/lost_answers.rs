//! An acknowledgement that never arrives: the broker has the event, the relay does not know it.

use crate::relay::Relaying;
use crate::support::{Admin, connect, grow, on_both, options, public, read, store, until};
use saga_nats::Nats;
use test_servers::nats::{Nats as Server, Version};
use test_servers::proxy::Proxy;

async fn a_lost_acknowledgement_publishes_nothing_twice(version: Version) {
    let server = Server::start(version);
    let _streams = connect(&server).await;
    let proxy = Proxy::nats(server.port());
    let (bus, store) = (Nats::connect(options(proxy.url())).await.unwrap(), store());
    let relaying = Relaying::start(&bus, &store);
    let admin = Admin::connect(&server).await;
    let (mut to, mut cuts) = (0, 0);
    for n in [1, 2, 33, 150, 199] {
        to += 300;
        proxy.cut_after("aicmo.evt.", n);
        grow(&store, to).await;
        admin.until_stream_is_log(&store).await;
        cuts += 1;
        let cut = || async { if proxy.cuts() == cuts { Ok(()) } else { Err(format!("{} cuts", proxy.cuts())) } };
        until("the fault was injected", cut).await;
    }
    let read = read(&bus, 0, public(&store).await.len()).await;
    assert_eq!(read, public(&store).await);
    assert_eq!(relaying.found(), "[]");
}

on_both! { a_lost_acknowledgement_publishes_nothing_twice }
