//! How fast events are published and read, and commands go round: `cargo run --release -p saga-nats --example rates`.
#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "an example that measures talks to a terminal")]

use futures::StreamExt;
use saga_core::bus::{Bus, Calls, CommandMessage, Delivered, EventBus, Inbox, Message, Settle};
use saga_core::envelope::{Actor, Metadata, Recorded, chain};
use saga_core::id::{EventId, Position, StreamId, Version};
use saga_core::json::Payload;
use saga_core::time::Timestamp;
use saga_nats::accounts::{COORDINATORS, Member, Members, OPERATOR, accounts_config, password_variable};
use saga_nats::subject::Subjects;
use saga_nats::{Account, Login, Nats, Options, WINDOW};
use std::path::Path;
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
        chain: [0; 32],
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

/// Whose connection does what; in one account they are the same.
struct Connections {
    coordinator: Nats,
    law: Nats,
    one: Nats,
    reader: Nats,
}

impl Connections {
    /// One account for everybody.
    async fn shared(server: &Server) -> Self {
        let bus = Nats::connect(Options { urls: vec![server.url()], ..Options::default() }).await.unwrap();
        Self { coordinator: bus.clone(), law: bus.clone(), one: bus.clone(), reader: bus }
    }
    /// An account for each, as they are generated.
    async fn accounts(server: &Server, passwords: &Path) -> Self {
        let connect = async |name: &str, account: Account| {
            let login = Login::Password { user: name.to_owned(), file: passwords.to_owned() };
            Nats::connect(Options { urls: vec![server.url()], login, account, ..Options::default() }).await.unwrap()
        };
        let own = |name: &str| Account::Own(name.to_owned());
        Self {
            coordinator: connect(COORDINATORS, Account::Coordinators).await,
            law: connect("law", own("law")).await,
            one: connect("one", own("one")).await,
            reader: connect("reader", own("reader")).await,
        }
    }
}

/// The same over one account and over an account for each module.
async fn measure(version: Of) {
    let server = Server::start(version);
    println!("{version:?}: bare messages {:.0}/s", floor(&server.url()).await);
    println!("{version:?}, one account: {}", rates(Connections::shared(&server).await).await);
    drop(server);
    let member = |name: &str| Member { name: name.to_owned(), ..Member::default() };
    let reader = Member { reads: vec!["law".to_owned()], ..member("reader") };
    let members = Members { modules: vec![member("law"), member("one")], readers: vec![reader], ..Members::default() };
    let config = accounts_config(&Subjects::new("aicmo").unwrap(), &members);
    let names = [COORDINATORS, OPERATOR, "law", "one", "reader"].map(password_variable);
    let environment: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "secret")).collect();
    let (server, folder) = (Server::start_with(version, &config, &environment), tempfile::tempdir().unwrap());
    let passwords = folder.path().join("password");
    std::fs::write(&passwords, "secret").unwrap();
    let connections = Connections::accounts(&server, &passwords).await;
    println!("{version:?}, an account for each module: {}", rates(connections).await);
}

async fn rates(Connections { coordinator, law, one, reader }: Connections) -> String {
    coordinator.ensure(&["law", "one"], &[1]).await.unwrap();
    let (serving, mut serves) = (coordinator.clone(), tokio::task::JoinSet::new());
    serves.spawn(async move { serving.serve(vec![serving.readers_answerer()]).await });
    let mut last = [0; 32];
    let chained = |seq| {
        let event = event(seq);
        last = chain(&last, event.position, &event.digest());
        Recorded { chain: last, ..event }
    };
    let events: Vec<Recorded> = (1..=EVENTS).map(chained).collect();
    let rate = |count: u64, since: Instant| count as f64 / since.elapsed().as_secs_f64();
    let start = Instant::now();
    // As a relay does: one window after the other, each acknowledged before the next.
    for window in events.chunks(WINDOW) {
        law.publish_events("law", window).await.unwrap();
    }
    let windows = rate(EVENTS, start);
    let (start, mut after) = (Instant::now(), 0);
    while after < EVENTS {
        after = reader.events("law", after, 2_000).await.unwrap().last().and_then(|last| last.public_seq).unwrap();
    }
    let read = rate(EVENTS, start);
    let start = Instant::now();
    one.publish_events("one", &events).await.unwrap();
    let whole = rate(EVENTS, start);
    let start = Instant::now();
    let inbox = Inbox::Commands("law".to_owned());
    for number in 0..COMMANDS {
        let id = Uuid::from_u128(u128::from(number));
        let delivered = Arc::new(Delivered::direct("Do", 1, Payload::null(), id, Actor::operator("rates")));
        let command = CommandMessage { module: "law".to_owned(), delivered, reply_to: 1, probe: false };
        coordinator.publish(Message::Command(command)).await.unwrap();
    }
    let sent = rate(COMMANDS, start);
    let (start, mut received) = (Instant::now(), 0);
    while received < COMMANDS {
        let got = law.receive(&inbox, 64).await.unwrap();
        received += got.len() as u64;
        law.settle(&inbox, got.iter().map(|one| (one.tag, Settle::Done)).collect()).await.unwrap();
    }
    let received = rate(COMMANDS, start);
    format!(
        "events of {BYTES} bytes published in windows of {WINDOW} {windows:.0}/s, in one call {whole:.0}/s, read {read:.0}/s; \
         commands published one by one {sent:.0}/s, received {received:.0}/s"
    )
}

#[tokio::main]
async fn main() {
    measure(Of::Debian).await;
    measure(Of::Newest).await;
}
