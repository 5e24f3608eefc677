//! An acknowledgement that never arrives: the broker has the event, the relay does not know it.

use crate::relay::Relaying;
use crate::support::{Admin, DEADLINE, connect, grow, on_both, options, public, read, store, until};
use saga_core::bus::{BusError, EventBus};
use saga_nats::{Nats, Options};
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
    for _round in 0..5 {
        to += 300;
        // Of a whole window.
        proxy.cut_after("aicmo.evt.", 1);
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

/// On a connection that lives nothing says that an acknowledgement was lost: the stream is asked what it has, long before
/// the patience for one answer ends.
async fn lost_acknowledgements_on_a_living_connection_hold_up_nobody(version: Version) {
    let server = Server::start(version);
    let _streams = connect(&server).await;
    let proxy = Proxy::nats(server.port());
    let patient = Options { answer_within: DEADLINE * 2, ..options(proxy.url()) };
    let (bus, store) = (Nats::connect(patient).await.unwrap(), store());
    let relaying = Relaying::start(&bus, &store);
    let admin = Admin::connect(&server).await;
    proxy.swallow("aicmo.evt.", 13);
    for round in 1..=13 {
        grow(&store, round * 30).await;
        let lost = || async { if proxy.swallowed() >= round { Ok(()) } else { Err(proxy.swallowed().to_string()) } };
        until("the acknowledgement is lost", lost).await;
    }
    admin.until_stream_is_log(&store).await;
    grow(&store, 420).await;
    admin.until_stream_is_log(&store).await;
    assert_eq!((proxy.swallowed(), proxy.cuts(), relaying.found().as_str()), (13, 0, "[]"));
}

/// A publisher behind a window that broke off learns of each event whether the broker has it.
async fn behind_a_broken_window_each_event_is_acknowledged(version: Version) {
    let server = Server::start(version);
    let _streams = connect(&server).await;
    let proxy = Proxy::nats(server.port());
    let (bus, store) = (Nats::connect(options(proxy.url())).await.unwrap(), store());
    grow(&store, 900).await;
    let log = public(&store).await;
    // The acknowledgement of the whole window, then those of single events.
    for (cuts, (n, has)) in (1..).zip([(1, 200), (1, 201), (33, 234), (166, 400)]) {
        let from = usize::try_from(bus.tip("law").await.unwrap().seq).unwrap();
        proxy.cut_after("aicmo.evt.", n);
        let upto = if cuts == 1 { 200 } else { 400 };
        let published = bus.publish_events("law", &log[from..upto]).await;
        assert!(matches!(published, Err(BusError::Unavailable(_))), "{published:?}");
        assert_eq!((proxy.cuts(), bus.tip("law").await.unwrap().seq), (cuts, has));
    }
    for upto in [500, 600] {
        assert_eq!(bus.publish_events("law", &log[upto - 100..upto]).await, Ok(upto as u64));
    }
    Admin::connect(&server).await.until_stream_is_log(&store).await;
}

on_both! { lost_acknowledgements_on_a_living_connection_hold_up_nobody, a_lost_acknowledgement_publishes_nothing_twice, behind_a_broken_window_each_event_is_acknowledged }
