//! Headers that no client can read: they end the connection of their receiver, or take its client down. They are put
//! aside like any other poison, and everything goes on.

use crate::support::{Admin, DEADLINE, connect, grow, on_both, options, owner, public, read, store, until};
use saga_core::bus::{Answerer, Bus, Calls, DeadLetters, EventBus, Inbox, Line, Message, OutsideMessage, Settle};
use saga_core::json::Payload;
use saga_nats::Nats;
use serde_json::json;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use test_servers::nats::{Nats as Server, Version};

const HOSTILE: [&[u8]; 5] = [
    b"NATS/1.0\r\nce-id: a\rb",
    b"NATS/1.0\r\nce-id: \xff\xfe",
    b"NATS/1.0\r\nno colon",
    b"NATS/1.0\r\n\x01name: x",
    b"NATS/1.0 408 Request Timeout\r\na: b",
];

/// Publishes what no client would.
fn publish(server: &Server, subject: &str, header: &[u8]) {
    let mut stream = TcpStream::connect(("127.0.0.1", server.port())).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    let head = [header, b"\r\n\r\n"].concat();
    let mut words = b"CONNECT {\"headers\":true,\"verbose\":false}\r\n".to_vec();
    words.extend_from_slice(format!("HPUB {subject} {} {}\r\n", head.len(), head.len() + 2).as_bytes());
    words.extend_from_slice(&head);
    words.extend_from_slice(b"{}\r\nPING\r\n");
    stream.write_all(&words).unwrap();
    let lines = BufReader::new(stream).lines().map(Result::unwrap);
    assert!(lines.take_while(|line| !line.starts_with("-ERR")).any(|line| line == "PONG"), "it was refused");
}
fn outside(number: usize) -> Message {
    let (source, kind) = ("/shop".to_owned(), "order.Placed.v1".to_owned());
    Message::Outside(OutsideMessage { id: number.to_string(), source, kind, data: Payload::null() })
}

async fn a_message_that_ends_connections_blocks_nobody(version: Version) {
    let server = Server::start(version);
    let (bus, sender) = (connect(&server).await, Nats::connect(options(server.url())).await.unwrap());
    let (line, serving, mut serves) = (Line::Group(3), bus.clone(), tokio::task::JoinSet::new());
    serves.spawn(async move {
        serving.serve(vec![(line, Arc::new(|asked| Box::pin(std::future::ready(Ok(asked)))))]).await
    });
    for (number, header) in HOSTILE.into_iter().enumerate() {
        publish(&server, "aicmo.in.x", header);
        sender.publish(outside(number)).await.unwrap();
        let mut found = false;
        while !found {
            let got = tokio::time::timeout(DEADLINE, bus.receive(&Inbox::Outside, 9)).await;
            let got = got.unwrap_or_else(|_| panic!("{header:?}: {:?}", bus.health())).unwrap();
            found = got.iter().any(|delivery| delivery.message == outside(number));
            let settled = got.iter().map(|delivery| (delivery.tag, Settle::Done)).collect();
            bus.settle(&Inbox::Outside, settled).await.unwrap();
        }
    }
    // All of them lie aside, with the bytes that were their headers.
    let receiving = bus.clone();
    serves.spawn(async move { receiving.receive(&Inbox::Outside, 1).await.map(drop) });
    let aside = until("put aside", || async {
        let aside = sender.aside("in", 99).await.map_err(|why| why.to_string())?;
        if aside.len() == HOSTILE.len() { Ok(aside) } else { Err(format!("{aside:?}\n{:?}", bus.health())) }
    });
    assert_eq!(aside.await.len(), HOSTILE.len());
    let letter = Admin::connect(&server).await.api("STREAM.MSG.GET.DLQ", json!({ "seq": 1 })).await.unwrap();
    assert!(crate::poison::base64_text(&letter["message"]["hdrs"]).contains("dlq-headers: "), "{letter}");
    until("the service answers again", || async {
        let answer = sender.call(&Line::Group(3), &Payload::null(), DEADLINE).await;
        answer.map(drop).map_err(|why| why.to_string())
    })
    .await;
    until("health is green again", || async {
        let health = bus.health();
        if health.connected { Ok(()) } else { Err(format!("{health:?}")) }
    })
    .await;
}

async fn in_the_place_of_an_event_that_ends_connections_the_log_is_read(version: Version) {
    let server = Server::start(version);
    let (bus, store) = (connect(&server).await, store());
    grow(&store, 30).await;
    let log = public(&store).await;
    let _owner = owner(&bus, &store);
    for (index, header) in HOSTILE.into_iter().enumerate() {
        let at = index * 3;
        let last = (at + 2) as u64;
        // The connection may end in the midst of it: then the broker is asked what it has, as a relay does.
        until("published", || async {
            let why = bus.publish_events("law", &log[at..at + 2]).await;
            let tip = bus.tip("law").await.map_err(|why| why.to_string())?;
            if tip.seq == last { Ok(()) } else { Err(format!("{why:?}")) }
        })
        .await;
        publish(&server, "aicmo.evt.law.law.Noted.v1.p00", header);
        assert_eq!(read(&bus, 0, at + 3).await, log[..at + 3], "{header:?}");
    }
    // The owner gave more than the place of the first one: what stands in the places of those was never read.
    assert_eq!(bus.aside("law", 99).await.unwrap().len(), 1);
}

/// Servers deliver from a consumer to any subject that is subscribed to, from whichever client the request came.
async fn what_a_consumer_delivers_is_no_question(version: Version) {
    let server = Server::start(version);
    let (admin, bus) = (Admin::connect(&server).await, connect(&server).await);
    let (asked, mut serves) = (Arc::new(AtomicU32::new(0)), tokio::task::JoinSet::new());
    let (serving, count) = (bus.clone(), Arc::clone(&asked));
    let echo: Answerer = Arc::new(move |question| {
        count.fetch_add(1, Ordering::SeqCst);
        Box::pin(std::future::ready(Ok(question)))
    });
    serves.spawn(async move { serving.serve(vec![(Line::Group(3), echo)]).await });
    let question = Payload::trusted("7");
    let told =
        until("told", || async { bus.call(&Line::Group(3), &question, DEADLINE).await.map_err(|why| why.to_string()) });
    assert_eq!((told.await, asked.load(Ordering::SeqCst)), (Ok(question.clone()), 1));
    let config = json!({ "deliver_subject": "aicmo.ctl.g03.v1", "deliver_group": "aicmo.ctl.g03.v1",
        "deliver_policy": "all", "ack_policy": "none", "replay_policy": "instant" });
    let made = json!({ "stream_name": "DLQ", "config": config });
    admin.api("CONSUMER.CREATE.DLQ", made).await.unwrap();
    admin.client().publish("aicmo.dlq.law", "{}".into()).await.unwrap();
    until("the server has delivered it", || async {
        let list = admin.api("CONSUMER.LIST.DLQ", json!({})).await?;
        let delivered = &list["consumers"][0]["delivered"]["stream_seq"];
        if *delivered == json!(1) { Ok(()) } else { Err(list.to_string()) }
    })
    .await;
    let told = bus.call(&Line::Group(3), &question, DEADLINE).await;
    assert_eq!((told, asked.load(Ordering::SeqCst)), (Ok(Ok(question)), 2));
}

on_both! {
what_a_consumer_delivers_is_no_question, a_message_that_ends_connections_blocks_nobody, in_the_place_of_an_event_that_ends_connections_the_log_is_read }
