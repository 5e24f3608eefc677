//! Receiving goes on after the broker was killed, wiped or restored, and after streams or consumers were deleted.

use crate::support::{Admin, DEADLINE, connect, grow, on_both, owner, public, read, store, until};
use saga_core::bus::{Bus, CommandMessage, Delivered, Delivery, EventBus, Inbox, Message, ReplyMessage, Says, Settle};
use saga_core::envelope::Actor;
use saga_core::id::{Direction, StepKey};
use saga_core::json::Payload;
use saga_core::outcome::Answer;
use saga_nats::Nats;
use serde_json::Value;
use std::sync::Arc;
use test_servers::nats::{Nats as Server, Version};
use uuid::Uuid;

fn command(number: u128) -> Message {
    let delivered = Delivered::direct("Do", 1, Payload::null(), Uuid::from_u128(number), Actor::operator("test"));
    Message::Command(CommandMessage {
        module: "law".to_owned(),
        delivered: Arc::new(delivered),
        reply_to: 3,
        probe: false,
    })
}
fn inbox() -> Inbox {
    Inbox::Commands("law".to_owned())
}
/// Publishes until the broker takes it: a sender asks again.
async fn send(bus: &Nats, number: u128) {
    until("published", || async { bus.publish(command(number)).await.map_err(|why| why.to_string()) }).await;
}
async fn receive(bus: &Nats, max: usize) -> Vec<Delivery> {
    let received = tokio::time::timeout(DEADLINE, bus.receive(&inbox(), max)).await;
    received.unwrap_or_else(|_| panic!("nothing was received: {:?}", bus.health())).unwrap()
}
/// Receives and settles until this command came.
async fn until_received(bus: &Nats, number: u128) {
    loop {
        let got = receive(bus, 10).await;
        let found = got.iter().any(|delivery| delivery.message == command(number));
        bus.settle(&inbox(), got.iter().map(|delivery| (delivery.tag, Settle::Done)).collect()).await.unwrap();
        if found {
            return;
        }
    }
}

async fn what_is_there_comes_at_once_and_in_order(version: Version) {
    let server = Server::start(version);
    let bus = connect(&server).await;
    for number in 1..=30 {
        send(&bus, number).await;
    }
    let mut got = Vec::new();
    while got.len() < 30 {
        got.extend(receive(&bus, 100).await.into_iter().map(|delivery| (delivery.times, delivery.message)));
    }
    assert_eq!(got, (1..=30).map(|number| (1, command(number))).collect::<Vec<_>>());
    let health = bus.health();
    assert!(health.connected && health.last_error.is_none(), "{health:?}");
    assert!(health.subscriptions.iter().all(|one| one.error.is_none() && one.last_sign.is_some()), "{health:?}");
}

async fn a_deleted_consumer_is_created_again(version: Version) {
    let server = Server::start(version);
    let bus = connect(&server).await;
    let admin = Admin::connect(&server).await;
    send(&bus, 1).await;
    until_received(&bus, 1).await;
    admin.api("CONSUMER.DELETE.CMD.cmd-law", Value::Null).await.unwrap();
    send(&bus, 2).await;
    until_received(&bus, 2).await;
    // Deleted while a receiver waits.
    let waiting = bus.clone();
    let mut waits = tokio::task::JoinSet::new();
    waits.spawn(async move { until_received(&waiting, 3).await });
    until("it waits", || async {
        let info = admin.api("CONSUMER.INFO.CMD.cmd-law", Value::Null).await?;
        if info["num_waiting"].as_u64() > Some(0) { Ok(()) } else { Err("nobody waits".to_owned()) }
    })
    .await;
    admin.api("CONSUMER.DELETE.CMD.cmd-law", Value::Null).await.unwrap();
    send(&bus, 3).await;
    waits.join_next().await.unwrap().unwrap();
}

async fn every_consumer_of_events_may_be_deleted(version: Version) {
    let server = Server::start(version);
    let (bus, store) = (connect(&server).await, store());
    let admin = Admin::connect(&server).await;
    grow(&store, 90).await;
    let (log, _owner) = (public(&store).await, owner(&bus, &store));
    bus.publish_events("law", &log[..40]).await.unwrap();
    assert_eq!(read(&bus, 0, 40).await, log[..40]);
    let names = admin.api("CONSUMER.NAMES.EVT_law", Value::Null).await.unwrap();
    let names = names["consumers"].as_array().unwrap().clone();
    assert!(!names.is_empty());
    for name in names {
        admin.api(&format!("CONSUMER.DELETE.EVT_law.{}", name.as_str().unwrap()), Value::Null).await.unwrap();
    }
    bus.publish_events("law", &log[40..]).await.unwrap();
    assert_eq!(read(&bus, 40, 20).await, log[40..]);
}

async fn a_wiped_broker_delivers_again(version: Version) {
    let mut server = Server::start(version);
    let bus = connect(&server).await;
    send(&bus, 1).await;
    until_received(&bus, 1).await;
    server.wipe();
    server.restart();
    send(&bus, 2).await;
    until_received(&bus, 2).await;
}

async fn a_stream_that_was_deleted_under_a_receiver_is_created_again(version: Version) {
    let server = Server::start(version);
    let bus = connect(&server).await;
    send(&bus, 1).await;
    until_received(&bus, 1).await;
    Admin::connect(&server).await.api("STREAM.DELETE.CMD", Value::Null).await.unwrap();
    let mut waits = tokio::task::JoinSet::new();
    let waiting = bus.clone();
    waits.spawn(async move { until_received(&waiting, 2).await });
    send(&bus, 2).await;
    waits.join_next().await.unwrap().unwrap();
}

/// The messages of a stream are from the past, its consumer is not: it is ahead of everything that comes.
async fn a_consumer_ahead_of_its_stream_starves_nobody(version: Version) {
    let mut server = Server::start(version);
    let bus = connect(&server).await;
    send(&bus, 1).await;
    until_received(&bus, 1).await;
    let past = server.copy();
    for number in 2..=40 {
        send(&bus, number).await;
        until_received(&bus, number).await;
    }
    server.stop();
    server.restore(&past, "jetstream/$G/streams/CMD/msgs");
    server.restart();
    send(&bus, 41).await;
    until_received(&bus, 41).await;
}

/// The pull of a consumer lives, and its heartbeats come: only a look at the stream tells that it sees nothing of what is there.
async fn a_consumer_that_sees_nothing_of_what_is_there_is_made_anew(version: Version) {
    let server = Server::start(version);
    let (bus, admin) = (connect(&server).await, Admin::connect(&server).await);
    send(&bus, 1).await;
    until_received(&bus, 1).await;
    let mut config = admin.api("CONSUMER.INFO.CMD.cmd-law", Value::Null).await.unwrap()["config"].take();
    let filter = config["filter_subject"].clone();
    config["filter_subject"] = "aicmo.cmd.law.Nothing.v1".into();
    let blind = serde_json::json!({ "stream_name": "CMD", "config": config });
    let blind = admin.api("CONSUMER.DURABLE.CREATE.CMD.cmd-law", blind).await.unwrap();
    assert_ne!(blind["config"]["filter_subject"], filter);
    send(&bus, 2).await;
    until_received(&bus, 2).await;
    let now = admin.api("CONSUMER.INFO.CMD.cmd-law", Value::Null).await.unwrap();
    assert_eq!(now["config"]["filter_subject"], filter);
}

/// The same of a consumer of events, which nobody keeps.
async fn a_reader_that_sees_nothing_of_what_is_there_reads_on(version: Version) {
    let server = Server::start(version);
    let (bus, store) = (connect(&server).await, store());
    let admin = Admin::connect(&server).await;
    grow(&store, 30).await;
    let (log, _owner) = (public(&store).await, owner(&bus, &store));
    bus.publish_events("law", &log[..10]).await.unwrap();
    assert_eq!(read(&bus, 0, 10).await, log[..10]);
    let names = admin.api("CONSUMER.NAMES.EVT_law", Value::Null).await.unwrap();
    for name in names["consumers"].as_array().unwrap() {
        let name = name.as_str().unwrap();
        let info = admin.api(&format!("CONSUMER.INFO.EVT_law.{name}"), Value::Null).await.unwrap();
        let mut config = info["config"].clone();
        (config["name"], config["filter_subject"]) = (name.into(), "aicmo.evt.law.nothing".into());
        let blind = serde_json::json!({ "stream_name": "EVT_law", "config": config });
        let subject = format!("CONSUMER.CREATE.EVT_law.{name}.aicmo.evt.law.nothing");
        let blind = admin.api(&subject, blind).await.unwrap();
        assert_eq!(blind["config"]["filter_subject"], "aicmo.evt.law.nothing");
    }
    bus.publish_events("law", &log[10..]).await.unwrap();
    assert_eq!(read(&bus, 10, 10).await, log[10..]);
}

async fn what_is_later_or_unsettled_survives_a_killed_broker(version: Version) {
    let mut server = Server::start(version);
    let bus = connect(&server).await;
    send(&bus, 1).await;
    send(&bus, 2).await;
    let got = receive(&bus, 1).await;
    bus.settle(&inbox(), vec![(got[0].tag, Settle::Later(std::time::Duration::from_millis(500)))]).await.unwrap();
    server.restart();
    let mut left = vec![command(1), command(2)];
    while !left.is_empty() {
        let got = receive(&bus, 10).await;
        left.retain(|message| got.iter().all(|delivery| delivery.message != *message));
        bus.settle(&inbox(), got.iter().map(|delivery| (delivery.tag, Settle::Done)).collect()).await.unwrap();
    }
}

/// A reply that is sent again after a crash has the id of the first: no window may swallow it for long.
async fn the_same_reply_can_be_sent_again(version: Version) {
    let server = Server::start(version);
    let bus = connect(&server).await;
    let says = Says::Answer(Answer::Done { output: Payload::null() });
    let (saga, step) = (Uuid::from_u128(1), "s".to_owned());
    let (key, module, direction) = (StepKey::from_uuid(Uuid::from_u128(1)), "law".to_owned(), Direction::Do);
    let reply = ReplyMessage { group: 3, saga, step, direction, attempt: 1, key, module, says };
    let reply = Message::Reply(reply);
    for _ in 0..2 {
        // As often as needed: within the shortest window that servers allow, a repeated one is dropped.
        let got = until("it comes", || async {
            bus.publish(reply.clone()).await.map_err(|why| why.to_string())?;
            let wait = bus.receive(&Inbox::Replies(3), 1);
            tokio::time::timeout(std::time::Duration::from_millis(100), wait).await.map_err(|_| "swallowed".to_owned())
        })
        .await
        .unwrap();
        assert_eq!(got[0].message, reply);
        bus.settle(&Inbox::Replies(3), vec![(got[0].tag, Settle::Done)]).await.unwrap();
    }
}

on_both! {
    a_consumer_that_sees_nothing_of_what_is_there_is_made_anew,
    a_reader_that_sees_nothing_of_what_is_there_reads_on,
    what_is_there_comes_at_once_and_in_order, a_deleted_consumer_is_created_again,
    every_consumer_of_events_may_be_deleted, a_wiped_broker_delivers_again,
    a_stream_that_was_deleted_under_a_receiver_is_created_again, a_consumer_ahead_of_its_stream_starves_nobody,
    what_is_later_or_unsettled_survives_a_killed_broker, the_same_reply_can_be_sent_again,
}
