//! How fast events are published and read, and commands go round: `cargo run --release -p saga-nats --example rates`.
#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "an example that measures talks to a terminal")]

use futures::StreamExt;
use saga_core::bus::{Bus, CommandMessage, EventBus, Inbox, Message, Settle};
use saga_core::envelope::{Actor, Metadata, Recorded};
use saga_core::host::direct;
use saga_core::id::{EventId, Position, StreamId, Version};
use saga_core::json::Payload;
use saga_core::time::Timestamp;
use saga_nats::{Nats, Options, WINDOW};
use std::sync::Arc;
use test_servers::nats::{Nats as Server, Version as Of};
use tokio::time::Instant;
use uuid::Uuid;

/// Enough for a few seconds.
const EVENTS: u64 = 200_000;
const COMMANDS: u64 = 5_000;
/// The body of an event.
const BYTES: usize = 300;

fn event(seq: u64) -> Recorded {
    let id = Uuid::from_u128(u128::from(seq));
    let metadata = Metadata {
        correlation: id,
        causation: id,
        actor: Actor::saga(id),
        saga: None,
        deed: Some(id),
        traceparent: None,
    };
    Recorded {
        position: Position(seq),
        public_seq: Some(seq),
        stream: StreamId::new("law", seq % 1_000).unwrap(),
        version: Version(seq),
        id: EventId(id),
        name: "Noted".to_owned(),
        schema_version: 1,
        data: Payload::of(&"x".repeat(BYTES - 2)).unwrap(),
        meta: Payload::of(&metadata).unwrap(),
        time: Timestamp(1_700_000_000_000_000),
        recorded_at: Timestamp(1_700_000_000_000_000),
        chain: [7; 32],
    }
}

/// What the broker and the client can do at all: bodies without headers, a window at a time, acknowledgements counted.
async fn floor(url: &str) -> f64 {
    let client = async_nats::connect(url).await.unwrap();
    let config = r#"{"name":"FLOOR","subjects":["floor"],"storage":"file"}"#;
    client.request("$JS.API.STREAM.CREATE.FLOOR", config.into()).await.unwrap();
    let inbox = client.new_inbox();
    let mut answers = client.subscribe(inbox.clone()).await.unwrap();
    let body = bytes::Bytes::from("x".repeat(BYTES));
    let start = Instant::now();
    for _ in 0..EVENTS / WINDOW as u64 {
        for _ in 0..WINDOW {
            client.publish_with_reply("floor", inbox.clone(), body.clone()).await.unwrap();
        }
        for _ in 0..WINDOW {
            let answer = answers.next().await.unwrap();
            assert!(answer.payload.starts_with(br#"{"stream":"FLOOR""#), "{:?}", answer.payload);
        }
    }
    (EVENTS / WINDOW as u64 * WINDOW as u64) as f64 / start.elapsed().as_secs_f64()
}

async fn measure(version: Of) {
    let server = Server::start(version);
    let floor = floor(&server.url()).await;
    let bus = Nats::connect(Options { urls: vec![server.url()], ..Options::default() }).await.unwrap();
    bus.ensure(&["law"], &[1]).await.unwrap();
    let events: Vec<Recorded> = (1..=EVENTS).map(event).collect();
    let rate = |count: u64, since: Instant| count as f64 / since.elapsed().as_secs_f64();
    let start = Instant::now();
    // As a relay does: one window after the other, each acknowledged before the next.
    for window in events.chunks(WINDOW) {
        bus.publish_events("law", window).await.unwrap();
    }
    let windows = rate(EVENTS, start);
    let (start, mut after) = (Instant::now(), 0);
    while after < EVENTS {
        after = bus.events("law", after, 2_000).await.unwrap().last().and_then(|last| last.public_seq).unwrap();
    }
    let read = rate(EVENTS, start);
    bus.ensure(&["one"], &[]).await.unwrap();
    let start = Instant::now();
    bus.publish_events("one", &events).await.unwrap();
    let whole = rate(EVENTS, start);
    let start = Instant::now();
    let inbox = Inbox::Commands("law".to_owned());
    for number in 0..COMMANDS {
        let id = Uuid::from_u128(u128::from(number));
        let delivered = Arc::new(direct("Do", 1, Payload::null(), id, Actor::operator("rates")));
        let command = CommandMessage { module: "law".to_owned(), delivered, reply_to: 1, probe: false };
        bus.publish(Message::Command(command)).await.unwrap();
    }
    let sent = rate(COMMANDS, start);
    let (start, mut received) = (Instant::now(), 0);
    while received < COMMANDS {
        let got = bus.receive(&inbox, 64).await.unwrap();
        received += got.len() as u64;
        bus.settle(&inbox, got.iter().map(|one| (one.tag, Settle::Done)).collect()).await.unwrap();
    }
    let received = rate(COMMANDS, start);
    println!(
        "{version:?}: bare messages {floor:.0}/s; events of {BYTES} bytes published in windows of {WINDOW} {windows:.0}/s, in one call {whole:.0}/s, \
         read {read:.0}/s; commands published one by one {sent:.0}/s, received {received:.0}/s"
    );
}

#[tokio::main]
async fn main() {
    measure(Of::Debian).await;
    measure(Of::Newest).await;
}
