//! No event is ever skipped and no phantom is ever read, whatever stands in a stream and however often it is a new one.

use crate::relay::Relaying;
use crate::support::{Admin, DEADLINE, connect, grow, on_both, owner, public, read, store, until};
use async_nats::HeaderMap;
use saga_core::bus::{BusError, EventBus, Upkeep};
use saga_core::envelope::Recorded;
use saga_nats::Nats;
use serde_json::Value;
use std::sync::{Arc, Mutex};
use test_servers::nats::{Nats as Server, Version};
use tokio::task::JoinSet;
use uuid::Uuid;

const SUBJECT: &str = "aicmo.evt.law.law.Noted.v1.p00";

/// A reader that reads on and on, and keeps what it was given.
struct Reading {
    seen: Arc<Mutex<Vec<Recorded>>>,
    _running: JoinSet<()>,
}
impl Reading {
    fn start(bus: &Nats) -> Self {
        let (seen, bus, mut running) = (Arc::new(Mutex::new(Vec::<Recorded>::new())), bus.clone(), JoinSet::new());
        let kept = Arc::clone(&seen);
        running.spawn(async move {
            let mut after = 0;
            loop {
                let page = bus.events("law", after, 100).await.unwrap();
                after = page.last().and_then(|last| last.public_seq).unwrap_or(after);
                kept.lock().unwrap().extend(page);
            }
        });
        Self { seen, _running: running }
    }
    async fn has(&self, log: &[Recorded], bus: &Nats) {
        until("it has read the whole log", || async {
            let seen = self.seen.lock().unwrap().clone();
            let told = || {
                format!(
                    "{:?} of {}: {:?}",
                    seen.iter().map(|one| one.position).collect::<Vec<_>>(),
                    log.len(),
                    bus.health()
                )
            };
            if seen.len() >= log.len() { Ok(()) } else { Err(told()) }
        })
        .await;
        assert_eq!(*self.seen.lock().unwrap(), log);
    }
}
async fn until_tip(bus: &Nats, seq: u64) {
    until("it has arrived", || async {
        let tip = bus.tip("law").await.map_err(|why| why.to_string())?;
        if tip.seq == seq { Ok(()) } else { Err(format!("{tip:?}")) }
    })
    .await;
}

/// Three messages that nobody can read stand where three events of the log should; the stream is removed, as a person is
/// told to do; it is filled again, and more happens.
async fn what_waits_behind_foreign_messages_is_read_and_nothing_is_skipped(version: Version) {
    let server = Server::start(version);
    let (bus, store) = (connect(&server).await, store());
    let (_relaying, admin) = (Relaying::start(&bus, &store), Admin::connect(&server).await);
    grow(&store, 2).await;
    admin.until_stream_is_log(&store).await;
    let reading = Reading::start(&bus);
    reading.has(&public(&store).await, &bus).await;
    for _ in 0..3 {
        admin.client().publish(SUBJECT, "{".into()).await.unwrap();
    }
    until_tip(&bus, 5).await;
    // They have been seen, and are not taken for anything.
    until("they are named", || async {
        let ailing = bus.ailments();
        if ailing.iter().any(|ails| ails.place == "EVT_law") { Ok(()) } else { Err(format!("{ailing:?}")) }
    })
    .await;
    reading.has(&public(&store).await, &bus).await;
    grow(&store, 7).await;
    reading.has(&public(&store).await, &bus).await;
    let created = || async { Ok(admin.api("STREAM.INFO.EVT_law", Value::Null).await?["created"].clone()) };
    let before = until("the stream is there", created).await;
    admin.api("STREAM.DELETE.EVT_law", Value::Null).await.unwrap();
    // Servers 2.9 show a stream that is being removed for a moment, without messages.
    until("the stream is created again", || async {
        created().await.and_then(|now| if now == before { Err(now.to_string()) } else { Ok(()) })
    })
    .await;
    admin.until_stream_is_log(&store).await;
    grow(&store, 12).await;
    reading.has(&public(&store).await, &bus).await;
    until("nothing ails any more", || async {
        let ailing = bus.ailments();
        if ailing.is_empty() { Ok(()) } else { Err(format!("{ailing:?}")) }
    })
    .await;
}

/// As a module of another make would publish it, or an attacker who has read how.
fn forged(seq: u64, chain: Option<&str>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let id = Uuid::from_u128(0xf0 + u128::from(seq)).to_string();
    for (name, value) in [
        ("ce-specversion", "1.0"),
        ("ce-id", &id),
        ("Nats-Msg-Id", &id),
        ("ce-source", "/aicmo/law"),
        ("ce-type", "law.Noted.v1"),
        ("ce-subject", "law-1"),
        ("ce-time", "2026-01-01T00:00:00Z"),
        ("ce-datacontenttype", "application/json"),
        ("ce-streamversion", "7"),
        ("ce-position", &seq.to_string()),
    ] {
        headers.insert(name, value);
    }
    if let Some(chain) = chain {
        headers.insert("ce-chain", chain);
    }
    headers
}

async fn a_phantom_behind_the_end_is_never_read(version: Version) {
    let server = Server::start(version);
    let (bus, store) = (connect(&server).await, store());
    let (_relaying, admin) = (Relaying::start(&bus, &store), Admin::connect(&server).await);
    grow(&store, 2).await;
    admin.until_stream_is_log(&store).await;
    let reading = Reading::start(&bus);
    reading.has(&public(&store).await, &bus).await;
    admin.client().publish_with_headers(SUBJECT, forged(3, None), "{}".into()).await.unwrap();
    admin.client().publish_with_headers(SUBJECT, forged(4, Some(&"ab".repeat(32))), "{}".into()).await.unwrap();
    until_tip(&bus, 4).await;
    let named = until("it is named", || async {
        let ailing = bus.ailments();
        ailing.iter().find(|ails| ails.place == "EVT_law").cloned().ok_or(format!("{ailing:?}"))
    })
    .await;
    for words in [
        "what stands at 3 of EVT_law is not its owner's: the owner's log ends at 2",
        "sagactl events republish law --config FILE",
        "SG0314",
    ] {
        assert!(named.says.contains(words), "{named:?}");
    }
    reading.has(&public(&store).await, &bus).await;
    // What really happens there is read from the log, though the stream cannot carry it.
    grow(&store, 7).await;
    reading.has(&public(&store).await, &bus).await;
    assert_eq!(read(&bus, 1, 4).await, public(&store).await[1..]);
}

async fn a_place_that_the_log_does_not_have_is_said_and_nothing_is_read(version: Version) {
    let server = Server::start(version);
    let (bus, store) = (connect(&server).await, store());
    let _owner = owner(&bus, &store);
    grow(&store, 8).await;
    let log = public(&store).await;
    bus.publish_events("law", &log).await.unwrap();
    let ahead = until("the owner answers", || async {
        match tokio::time::timeout(DEADLINE, bus.events("law", 9, 5)).await.unwrap() {
            Err(BusError::Astray { cursor: 9, why, .. }) => Ok(why),
            other => Err(format!("{other:?}")),
        }
    });
    assert_eq!(ahead.await, "ends at 6");
    assert_eq!(read(&bus, 4, 2).await, log[4..]);
}

/// The owner's log is one from before, and has gone on since; the stream is made anew from it.
async fn a_reader_whose_log_was_exchanged_under_it_stops(version: Version) {
    let server = Server::start(version);
    let (bus, before, after) = (connect(&server).await, store(), store());
    let mut first = owner(&bus, &before);
    grow(&before, 5).await;
    bus.publish_events("law", &public(&before).await).await.unwrap();
    assert_eq!(read(&bus, 0, 4).await, public(&before).await);
    first.shutdown().await;
    let admin = Admin::connect(&server).await;
    admin.api("STREAM.DELETE.EVT_law", Value::Null).await.unwrap();
    crate::support::grow_as(&after, 8, 1_000).await;
    let _second = owner(&bus, &after);
    bus.publish_events("law", &public(&after).await).await.unwrap_err();
    bus.publish_events("law", &public(&after).await).await.unwrap();
    let stopped = tokio::time::timeout(DEADLINE, bus.events("law", 4, 5)).await.unwrap();
    let Err(BusError::Astray { module, cursor, why }) = stopped else { panic!("{stopped:?}") };
    assert_eq!((module.as_str(), cursor, why.as_str()), ("law", 4, "has another event there"));
}

/// The chain is what an event is known by: it continues, or its owner is asked.
async fn what_is_read_needs_no_owner_as_long_as_its_chain_continues(version: Version) {
    let server = Server::start(version);
    let (bus, store) = (connect(&server).await, store());
    // Without a private event between them.
    grow(&store, 2).await;
    let log = public(&store).await;
    bus.publish_events("law", &log).await.unwrap();
    assert_eq!(read(&bus, 0, 2).await, log);
}

on_both! {
    what_waits_behind_foreign_messages_is_read_and_nothing_is_skipped, a_phantom_behind_the_end_is_never_read,
    a_place_that_the_log_does_not_have_is_said_and_nothing_is_read, a_reader_whose_log_was_exchanged_under_it_stops,
    what_is_read_needs_no_owner_as_long_as_its_chain_continues,
}
