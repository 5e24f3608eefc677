//! Whatever the broker loses, its stream becomes the log again: one to one, in order; and readers go on where they were.

use crate::relay::Relaying;
use crate::support::{Admin, DEADLINE, connect, grow, on_both, options, public, read, store, until};
use saga::Orchestrator;
use saga_core::bus::{BusError, EventBus, Tip, Upkeep};
use saga_core::id::Position;
use saga_nats::{Creates, Nats, Options};
use serde_json::Value;
use std::sync::Arc;
use test_servers::nats::{Nats as Server, Version};

async fn killed_in_the_midst_the_stream_is_the_log(version: Version) {
    let mut server = Server::start(version);
    let (bus, store) = (connect(&server).await, store());
    let relaying = Relaying::start(&bus, &store);
    let admin = Admin::connect(&server).await;
    let mut to = 0;
    for round in 1..=6_u64 {
        to += 700 + round * 37;
        grow(&store, to).await;
        // Killed while a window is in flight, at another point in each round.
        let some = to * 2 / 3 - 400 + round * 50;
        until("some of it is published", || async {
            let tip = bus.tip("law").await.map_err(|why| why.to_string())?;
            if tip.seq >= some { Ok(()) } else { Err(format!("{} of {some}", tip.seq)) }
        })
        .await;
        server.restart();
    }
    admin.until_stream_is_log(&store).await;
    assert_eq!(read(&bus, 0, 50).await, public(&store).await[..50]);
    assert!(!relaying.found().contains("Halt"), "{}", relaying.found());
}

async fn a_wiped_broker_gets_everything_again(version: Version) {
    let mut server = Server::start(version);
    let (bus, store) = (connect(&server).await, store());
    let relaying = Relaying::start(&bus, &store);
    grow(&store, 900).await;
    let admin = Admin::connect(&server).await;
    admin.until_stream_is_log(&store).await;
    assert_eq!(read(&bus, 0, 600).await, public(&store).await);
    server.wipe();
    server.restart();
    admin.until_stream_is_log(&store).await;
    until("the loss is noticed", || async { relaying.found_loss(1, 600).then_some(()).ok_or(relaying.found()) }).await;
    // A reader that has read everything goes on with what is new; one that begins anew gets everything.
    grow(&store, 903).await;
    assert_eq!(read(&bus, 600, 2).await, public(&store).await[600..]);
    assert_eq!(read(&bus, 0, 602).await, public(&store).await);
}

async fn a_broker_from_the_past_catches_up(version: Version) {
    let mut server = Server::start(version);
    let (bus, store) = (connect(&server).await, store());
    let relaying = Relaying::start(&bus, &store);
    let admin = Admin::connect(&server).await;
    grow(&store, 450).await;
    admin.until_stream_is_log(&store).await;
    let past = server.copy();
    grow(&store, 900).await;
    admin.until_stream_is_log(&store).await;
    assert_eq!(read(&bus, 590, 10).await, public(&store).await[590..]);
    server.kill();
    server.restore(&past, "");
    server.restart();
    until("the loss is noticed", || async { relaying.found_loss(301, 600).then_some(()).ok_or(relaying.found()) })
        .await;
    admin.until_stream_is_log(&store).await;
    grow(&store, 903).await;
    assert_eq!(read(&bus, 600, 2).await, public(&store).await[600..]);
    assert_eq!(read(&bus, 299, 303).await, public(&store).await[299..]);
}

async fn a_deleted_stream_is_created_and_filled_again(version: Version) {
    let server = Server::start(version);
    let (bus, store) = (connect(&server).await, store());
    let _relaying = Relaying::start(&bus, &store);
    let admin = Admin::connect(&server).await;
    grow(&store, 900).await;
    admin.until_stream_is_log(&store).await;
    assert_eq!(read(&bus, 0, 500).await, public(&store).await[..500]);
    admin.api("STREAM.DELETE.EVT_law", Value::Null).await.unwrap();
    until("the stream is created again", || admin.api("STREAM.INFO.EVT_law", Value::Null)).await;
    admin.until_stream_is_log(&store).await;
    assert_eq!(read(&bus, 500, 100).await, public(&store).await[500..]);
}

async fn a_foreign_publisher_stops_the_relay(version: Version) {
    let server = Server::start(version);
    let (bus, store) = (connect(&server).await, store());
    let relaying = Relaying::start(&bus, &store);
    let admin = Admin::connect(&server).await;
    grow(&store, 30).await;
    admin.until_stream_is_log(&store).await;
    admin.client().publish("aicmo.evt.law.law.Noted.v1.p00", "{}".into()).await.unwrap();
    until("the relay stops", || async { relaying.has_halted_at(21).then_some(()).ok_or(relaying.found()) }).await;
    grow(&store, 60).await;
    // It looks again and again, and publishes nothing behind what it does not know.
    let tip = bus.tip("law").await.unwrap();
    assert_eq!((tip.seq, tip.id), (21, None));
}

/// A client that asks the broker anything with the subject of an event as its reply gets the answer into the stream. It
/// is told from a foreign publisher's message, and an order sets it right while everything runs.
async fn a_stray_answer_of_the_broker_is_told_from_the_message_of_somebody_else(version: Version) {
    let subject = "aicmo.evt.law.law.Noted.v1.p00";
    let server = Server::start(version);
    let (bus, store) = (connect(&server).await, store());
    let relaying = Relaying::start(&bus, &store);
    let admin = Admin::connect(&server).await;
    let mut log = 0;
    for (asked, says) in [
        ("$JS.API.STREAM.INFO.CMD", "is by its form an answer of the broker (v1.stream_info_response) to somebody"),
        ("aicmo.in.shop", "is by its form the broker's answer to somebody who published into the stream IN"),
        ("", "is by its form the message of somebody else, published on"),
    ] {
        log += 3;
        grow(&store, log).await;
        admin.until_stream_is_log(&store).await;
        let (ours, client) = (public(&store).await.len() as u64, admin.client());
        match asked {
            "" => client.publish(subject, "{}".into()).await.unwrap(),
            asked => client.publish_with_reply(asked, subject, "".into()).await.unwrap(),
        }
        let halted = || async { relaying.has_halted_at(ours + 1).then_some(()).ok_or(relaying.found()) };
        until("the relay stops", halted).await;
        let found =
            until("it can be read", || async { bus.compared("law", &store).await.map_err(|why| why.to_string()) });
        let found = found.await.unwrap();
        assert_eq!((found.head, found.last, found.same, found.is_strange()), (ours, ours + 1, ours, true), "{found:?}");
        assert!(found.strange.starts_with(says) && found.strange.contains(subject), "{found:?}");
        assert_eq!(bus.tip("law").await.unwrap().strange, found.strange);
        assert!(relaying.found().contains(says), "{}", relaying.found());
        bus.remake_events("law").await.unwrap();
        admin.until_stream_is_log(&store).await;
        let found = bus.compared("law", &store).await.unwrap().unwrap();
        assert_eq!((found.last, found.same, found.is_strange()), (ours, ours, false), "{found:?}");
    }
}

/// What a module in another language has published is checked message by message; nobody has its log.
async fn events_out_of_order_are_found_without_their_log(version: Version) {
    let server = Server::start(version);
    let (bus, store) = (connect(&server).await, store());
    let admin = Admin::connect(&server).await;
    grow(&store, 3).await;
    bus.publish_events("law", &public(&store).await).await.unwrap();
    assert_eq!(bus.disorder("law").await, Ok(Vec::new()));
    assert_eq!(bus.disorder("elsewhere").await, Ok(Vec::new()));
    for (position, version) in [("3", "7"), ("9", "8"), ("5", "9")] {
        let mut headers = async_nats::HeaderMap::new();
        let attributes =
            [("position", position), ("subject", "law-1"), ("streamversion", version), ("specversion", "1.0")];
        attributes.iter().for_each(|(name, value)| headers.insert(format!("ce-{name}"), *value));
        admin.client().publish_with_headers("aicmo.evt.law.law.Noted.v1.p00", headers, "{}".into()).await.unwrap();
    }
    admin.client().publish("aicmo.evt.law.law.Noted.v1.p00", "{}".into()).await.unwrap();
    let flaws = until("all are seen", || async {
        let flaws = bus.disorder("law").await.map_err(|why| why.to_string())?;
        if flaws.iter().any(|(seq, _)| *seq == 6) { Ok(flaws) } else { Err(format!("{flaws:?}")) }
    })
    .await;
    let places: Vec<u64> = flaws.iter().map(|(seq, _)| *seq).collect();
    assert_eq!(places, [3, 4, 6], "{flaws:?}");
    assert!(flaws[0].1.contains("its ce-streamversion is 7, and 3 is the next of \"law-1\""), "{flaws:?}");
    assert!(flaws[1].1.contains("its ce-position is 9"), "{flaws:?}");
}

async fn what_is_private_stays_at_home(version: Version) {
    let server = Server::start(version);
    let (bus, store) = (connect(&server).await, store());
    // The last one of these is private, as is every third.
    grow(&store, 30).await;
    let log = store.read_log(Position::ZERO, 30).await.unwrap();
    assert_eq!(log.iter().filter(|event| event.public_seq.is_none()).count(), 10);
    assert_eq!(bus.publish_events("law", &log).await, Ok(20));
    Admin::connect(&server).await.until_stream_is_log(&store).await;
}

/// The events behind it would follow by their number alone.
async fn a_foreign_message_in_the_place_of_one_event_of_a_window_is_noticed(version: Version) {
    let server = Server::start(version);
    let (bus, store) = (connect(&server).await, store());
    let admin = Admin::connect(&server).await;
    grow(&store, 30).await;
    let log = public(&store).await;
    assert_eq!(bus.publish_events("law", &log[..5]).await, Ok(5));
    let foreign = admin.client().request("aicmo.evt.law.law.Noted.v1.p00", "{}".into()).await.unwrap();
    let ack: Value = serde_json::from_slice(&foreign.payload).unwrap();
    assert_eq!(ack["seq"], 6);
    for careful in [false, true] {
        let refused = bus.publish_events("law", &log[5..]).await;
        let last = if careful { 6 } else { 20 };
        assert_eq!(refused, Err(BusError::OutOfSequence { module: "law".to_owned(), last: 6, got: last }));
    }
    let strange = "is by its form the message of somebody else, published on aicmo.evt.law.law.Noted.v1.p00".to_owned();
    assert_eq!(bus.tip("law").await, Ok(Tip { seq: 6, id: None, strange }));
}

async fn of_two_relays_the_broker_takes_each_event_once(version: Version) {
    let server = Server::start(version);
    let (one, other, store) = (connect(&server).await, connect(&server).await, store());
    let relays = [Relaying::start(&one, &store), Relaying::start(&other, &store)];
    for to in [600, 1_200, 1_800] {
        grow(&store, to).await;
        Admin::connect(&server).await.until_stream_is_log(&store).await;
    }
    for relaying in &relays {
        assert!(!relaying.found().contains("Halt"), "{}", relaying.found());
    }
}

async fn streams_of_others_return_while_somebody_runs_who_may_create_them(version: Version) {
    let mut server = Server::start(version);
    let bus = connect(&server).await;
    bus.ensure(&["law", "elsewhere"], &[3]).await.unwrap();
    // Nobody here publishes or receives anything of `elsewhere`.
    let running = Orchestrator::in_memory().bus(Arc::new(bus)).host().await.unwrap();
    let admin = Admin::connect(&server).await;
    server.wipe();
    server.restart();
    for thing in ["STREAM.INFO.EVT_elsewhere", "STREAM.INFO.DLQ", "CONSUMER.INFO.CMD.cmd-elsewhere"] {
        until(thing, || admin.api(thing, Value::Null)).await;
    }
    // Without the help of a new connection.
    admin.api("STREAM.DELETE.EVT_elsewhere", Value::Null).await.unwrap();
    until("the stream is created again", || admin.api("STREAM.INFO.EVT_elsewhere", Value::Null)).await;
    running.shutdown().await;
}

/// A stream that takes nothing more says so in the broker's words; its messages are not taken for published.
async fn what_the_broker_refuses_is_told_in_its_words(version: Version) {
    let server = Server::start(version);
    let (bus, store) = (connect(&server).await, store());
    let admin = Admin::connect(&server).await;
    grow(&store, 5).await;
    let log = public(&store).await;
    bus.publish_events("law", &log[..2]).await.unwrap();
    let mut config = admin.api("STREAM.INFO.EVT_law", Value::Null).await.unwrap()["config"].clone();
    (config["max_msgs"], config["discard"]) = (2.into(), "new".into());
    admin.api("STREAM.UPDATE.EVT_law", config).await.unwrap();
    // The last of a window only follows the one that was refused; the next ones are asked about one by one.
    let unexplained = Err(BusError::OutOfSequence { module: "law".to_owned(), last: 2, got: 4 });
    assert_eq!(bus.publish_events("law", &log[2..]).await, unexplained);
    let refused = bus.publish_events("law", &log[2..]).await;
    let Err(BusError::Refused(why)) = refused else { panic!("{refused:?}") };
    assert!(why.contains("EVT_law") && why.contains("maximum messages exceeded"), "{why}");
    assert_eq!(bus.tip("law").await.map(|tip| tip.seq), Ok(2));
}

async fn a_broker_that_is_away_ails_and_is_well_again(version: Version) {
    let mut server = Server::start(version);
    let bus = connect(&server).await;
    assert_eq!(bus.ailments(), []);
    server.kill();
    let url = server.url();
    until("it ails", || async {
        let ailing = bus.ailments();
        let named = ailing.len() == 1 && ailing[0].place == "broker" && ailing[0].says.contains(&url);
        if named { Ok(()) } else { Err(format!("{ailing:?}")) }
    })
    .await;
    server.restart();
    until("it is well", || async {
        let ailing = bus.ailments();
        if ailing.is_empty() { Ok(()) } else { Err(format!("{ailing:?}")) }
    })
    .await;
    // A stream that is away is named for as long as a receiver wants it.
    let looking = Nats::connect(Options { creates: Creates::Nothing, ..options(server.url()) }).await.unwrap();
    let wanting = tokio::time::timeout(DEADLINE, looking.events("nobody", 0, 1));
    let ails = until("the reader ails", || async {
        let ailing = looking.ailments();
        let named = ailing.iter().any(|ailment| ailment.says.contains("stream EVT_nobody is missing"));
        if named { Ok(ailing) } else { Err(format!("{ailing:?}")) }
    });
    tokio::select! {
        got = wanting => panic!("{got:?}"),
        ailing = ails => {
            assert!(ailing.len() == 1 && ailing[0].place == "broker, events of nobody", "{ailing:?}");
        }
    }
}

on_both! {
    what_the_broker_refuses_is_told_in_its_words,
    streams_of_others_return_while_somebody_runs_who_may_create_them,
    a_broker_that_is_away_ails_and_is_well_again,
    killed_in_the_midst_the_stream_is_the_log, a_wiped_broker_gets_everything_again,
    a_broker_from_the_past_catches_up, a_deleted_stream_is_created_and_filled_again,
    events_out_of_order_are_found_without_their_log,
    what_is_private_stays_at_home, a_foreign_publisher_stops_the_relay,
    a_stray_answer_of_the_broker_is_told_from_the_message_of_somebody_else,
    a_foreign_message_in_the_place_of_one_event_of_a_window_is_noticed,
    of_two_relays_the_broker_takes_each_event_once,
}
