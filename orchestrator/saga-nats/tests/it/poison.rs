//! What cannot be read is put aside once, whole, with the reason; what is too large or too old is fetched from its
//! producer.

use crate::support::{Admin, DEADLINE, connect, grow, on_both, owner, public, read, store, until};
use saga_core::batch::{Batch, Commit, StreamWrite};
use saga_core::bus::{Bus, Calls, DeadLetters, EventBus, Inbox, Message, Settle, Upkeep};
use saga_core::envelope::NewEvent;
use saga_core::id::{EventId, StreamId, Version as Place};
use saga_core::json::Payload;
use saga_core::time::Timestamp;
use saga_nats::Nats;
use serde_json::{Value, json};
use test_servers::nats::{Nats as Server, Version};
use uuid::Uuid;

async fn aside(bus: &Nats, module: &str, count: usize) -> Vec<saga_core::bus::Aside> {
    until("put aside", || async {
        let aside = bus.aside(module, 100).await.map_err(|why| why.to_string())?;
        if aside.len() >= count { Ok(aside) } else { Err(format!("{}", aside.len())) }
    })
    .await
}

async fn an_unreadable_command_is_put_aside_whole(version: Version) {
    let server = Server::start(version);
    let bus = connect(&server).await;
    let admin = Admin::connect(&server).await;
    let mut headers = async_nats::HeaderMap::new();
    headers.insert("ce-specversion", "1.0");
    headers.insert("ce-id", "no%20uuid");
    headers.insert("ce-type", "law.Do.v1");
    headers.insert("X-Mine", "is kept");
    let subject = "aicmo.cmd.law.Do.v1";
    admin.client().publish_with_headers(subject, headers, "\u{fffd}{".into()).await.unwrap();
    admin.client().publish(subject, vec![0xff, 0x00].into()).await.unwrap();
    admin.client().flush().await.unwrap();
    let waiting = bus.clone();
    let mut waits = tokio::task::JoinSet::new();
    waits.spawn(async move { waiting.receive(&Inbox::Commands("law".to_owned()), 9).await });
    let aside = aside(&bus, "law", 2).await;
    assert_eq!(aside.len(), 2);
    let Message::Outside(first) = &aside[0].message else { panic!("{aside:?}") };
    assert_eq!((first.id.as_str(), first.kind.as_str(), first.source.as_str()), ("no uuid", "unreadable", subject));
    assert!(aside[0].reason.starts_with("the body is not JSON"), "{aside:?}");
    assert_eq!(aside[0].inbox, Inbox::Commands("law".to_owned()));
    let letter = admin.api("STREAM.MSG.GET.DLQ", json!({ "seq": 1 })).await.unwrap();
    let headers = base64_text(&letter["message"]["hdrs"]);
    for line in ["X-Mine: is kept", "dlq-stream: CMD", "dlq-sequence: 1", "Nats-Msg-Id: dlq-CMD-1-cmd-law"] {
        assert!(headers.contains(line), "{line} in {headers}");
    }
    // They are gone from the queue.
    until("the queue is empty", || async {
        let info = admin.api("STREAM.INFO.CMD", Value::Null).await?;
        if info["state"]["messages"] == 0 { Ok(()) } else { Err(info["state"].to_string()) }
    })
    .await;
}
async fn a_reply_that_no_group_hears_is_put_aside(version: Version) {
    let server = Server::start(version);
    let bus = connect(&server).await;
    let admin = Admin::connect(&server).await;
    for subject in ["aicmo.reply.g99.law", "aicmo.reply.g03.law.more", "aicmo.reply.g04.law", "aicmo.reply.g04"] {
        admin.client().request(subject, "{}".into()).await.unwrap();
    }
    // Once more changes nothing.
    for _ in 0..2 {
        bus.tend().await;
        assert_eq!(bus.aside_count("orchestration").await, Ok(2));
        let info = admin.api("STREAM.INFO.RPL", Value::Null).await.unwrap();
        assert_eq!(info["state"]["messages"], 2, "what is heard stays: {info}");
    }
    for seq in 1..=2 {
        let letter = admin.api("STREAM.MSG.GET.DLQ", json!({ "seq": seq })).await.unwrap();
        let headers = base64_text(&letter["message"]["hdrs"]);
        assert!(headers.contains("dlq-reason: no%20coordinator%20group%20of%20this%20installation"), "{headers}");
    }
}
async fn a_command_without_a_name_is_put_aside(version: Version) {
    let server = Server::start(version);
    let bus = connect(&server).await;
    let admin = Admin::connect(&server).await;
    // The last one waits: its module may be there tomorrow.
    for subject in ["aicmo.cmd.law", "aicmo.cmd.nobody", "aicmo.cmd.nobody.Do.v1"] {
        admin.client().request(subject, "{}".into()).await.unwrap();
    }
    for _ in 0..2 {
        bus.tend().await;
        assert_eq!(bus.aside_count("orchestration").await, Ok(2));
        let info = admin.api("STREAM.INFO.CMD", Value::Null).await.unwrap();
        assert_eq!(info["state"]["messages"], 1, "what may be heard stays: {info}");
    }
    for seq in 1..=2 {
        let letter = admin.api("STREAM.MSG.GET.DLQ", json!({ "seq": seq })).await.unwrap();
        let headers = base64_text(&letter["message"]["hdrs"]);
        assert!(headers.contains("dlq-reason: its%20subject%20names%20a%20module%20and%20no%20command"), "{headers}");
    }
}
pub(crate) fn base64_text(value: &Value) -> String {
    use base64::Engine;
    let bytes = base64::engine::general_purpose::STANDARD.decode(value.as_str().unwrap()).unwrap();
    String::from_utf8(bytes).unwrap()
}

async fn what_a_handler_parks_is_there_for_a_person(version: Version) {
    let server = Server::start(version);
    let bus = connect(&server).await;
    let outside = saga_core::bus::OutsideMessage {
        id: "größe 1".to_owned(),
        source: "/shop".to_owned(),
        kind: "order.Placed.v1".to_owned(),
        data: Payload::trusted(r#"{ "n" : 1.10 }"#),
    };
    let message = Message::Outside(outside);
    bus.publish(message.clone()).await.unwrap();
    let got = tokio::time::timeout(DEADLINE, bus.receive(&Inbox::Outside, 1)).await.unwrap().unwrap();
    assert_eq!(got[0].message, message);
    let reason = "kein Auftrag: \"größe\"\n100%".to_owned();
    bus.settle(&Inbox::Outside, vec![(got[0].tag, Settle::Park(reason.clone()))]).await.unwrap();
    let aside = aside(&bus, "in", 1).await;
    assert_eq!((&aside[0].message, &aside[0].reason, aside[0].times), (&message, &reason, 1));
    assert_eq!(aside[0].inbox, Inbox::Outside);
}

async fn a_foreign_event_is_put_aside_once_and_the_log_is_read_in_its_place(version: Version) {
    let server = Server::start(version);
    let (bus, store) = (connect(&server).await, store());
    let admin = Admin::connect(&server).await;
    grow(&store, 9).await;
    let log = public(&store).await;
    bus.publish_events("law", &log[..2]).await.unwrap();
    admin.client().publish("aicmo.evt.law.law.Noted.v1.p00", "{".into()).await.unwrap();
    admin.client().flush().await.unwrap();
    // The log's own event with this place cannot be published; those behind it can, by their numbers.
    until("it has arrived", || async {
        let tip = bus.tip("law").await.map_err(|why| why.to_string())?;
        if tip.seq == 3 { Ok(()) } else { Err(format!("{tip:?}")) }
    })
    .await;
    bus.publish_events("law", &log[3..5]).await.unwrap();
    let _owner = owner(&bus, &store);
    let (seen, again) = (read(&bus, 0, 5).await, read(&bus, 0, 5).await);
    assert_eq!((&seen[..], &again), (&log[..5], &seen));
    assert_eq!(read(&bus, 2, 2).await, log[2..4]);
    let aside = aside(&bus, "law", 1).await;
    assert_eq!(aside.len(), 1, "{aside:?}");
}

async fn what_is_too_large_or_gone_is_fetched_from_the_producer(version: Version) {
    let server = Server::start(version);
    let (bus, store) = (connect(&server).await, store());
    let admin = Admin::connect(&server).await;
    grow(&store, 30).await;
    let large = NewEvent {
        id: EventId(Uuid::from_u128(1_000)),
        name: "Large",
        version: 1,
        data: Payload::of(&"x".repeat(700_000)).unwrap(),
        meta: Payload::trusted("{}"),
        time: Timestamp(1_700_000_000_000_000),
        public: true,
    };
    let stream = StreamId::parse("law-2").unwrap();
    let write = StreamWrite { stream, expected: Place(0), events: vec![large] };
    assert!(matches!(store.commit(Batch { writes: vec![write], ..Batch::default() }).await, Commit::Ok(_)));
    grow_more(&store).await;
    let log = public(&store).await;
    bus.publish_events("law", &log).await.unwrap();
    // Limits take the first ten; that nobody may purge is one of our own rules, so the stream is limited by number.
    let info = admin.api("STREAM.INFO.EVT_law", Value::Null).await.unwrap();
    let mut config = info["config"].clone();
    config["max_msgs"] = json!(log.len() - 10);
    admin.api("STREAM.UPDATE.EVT_law", config).await.unwrap();
    let (serving, answerer) = (bus.clone(), bus.log_answerer("law", store.clone()));
    let mut serves = tokio::task::JoinSet::new();
    serves.spawn(async move { serving.serve(vec![answerer]).await });
    assert_eq!(read(&bus, 0, log.len()).await, log);
    assert_eq!(read(&bus, 7, 5).await, log[7..12]);
    // Where no process serves any more, a process that has the store reads it itself: a check of a system that is
    // stopped.
    serves.shutdown().await;
    let alone = connect(&server).await;
    alone.read_itself("law", store);
    assert_eq!(read(&alone, 0, log.len()).await, log);
}
async fn grow_more(store: &saga_core::ports::SharedStore) {
    let event = NewEvent {
        id: EventId(Uuid::from_u128(2_000)),
        name: "Noted",
        version: 1,
        data: Payload::null(),
        meta: Payload::trusted("{}"),
        time: Timestamp(1_700_000_000_000_000),
        public: true,
    };
    let stream = StreamId::parse("law-3").unwrap();
    let write = StreamWrite { stream, expected: Place(0), events: vec![event] };
    assert!(matches!(store.commit(Batch { writes: vec![write], ..Batch::default() }).await, Commit::Ok(_)));
}

on_both! { a_reply_that_no_group_hears_is_put_aside, a_command_without_a_name_is_put_aside,
    an_unreadable_command_is_put_aside_whole, what_a_handler_parks_is_there_for_a_person,
    a_foreign_event_is_put_aside_once_and_the_log_is_read_in_its_place, what_is_too_large_or_gone_is_fetched_from_the_producer,
}
