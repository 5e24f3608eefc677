//! What the tests share: a bus on a fresh server, a log, and waiting with a deadline.

use base64::Engine;
use saga::SystemClock;
use saga_core::batch::{Batch, Commit, StreamWrite};
use saga_core::bus::{Calls, EventBus};
use saga_core::envelope::{NewEvent, Recorded};
use saga_core::id::{EventId, Position, StreamId, Version};
use saga_core::json::Payload;
use saga_core::ports::SharedStore;
use saga_core::time::Timestamp;
use saga_engine::memory::MemoryStore;
use saga_nats::{Nats, Options};
use serde_json::Value;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use test_servers::nats::Nats as Server;
use tokio::task::JoinSet;
use uuid::Uuid;

/// Longer than anything takes on a slow machine; nothing waits for its end unless it fails.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);
/// Short, so that the tests are.
pub(crate) const ACK_WAIT: Duration = Duration::from_secs(2);
pub(crate) const DELIVERIES_MAX: u32 = 3;

pub(crate) fn options(url: String) -> Options {
    Options {
        urls: vec![url],
        patience: Some(DEADLINE),
        ack_wait: ACK_WAIT,
        deliveries_max: DELIVERIES_MAX,
        look_every: Duration::from_secs(1),
        heartbeat: Duration::from_millis(200),
        answer_within: Duration::from_secs(2),
        ..Options::default()
    }
}
pub(crate) async fn connect(server: &Server) -> Nats {
    let bus = Nats::connect(options(server.url())).await.unwrap();
    bus.ensure(&["law"], &[3, 4]).await.unwrap();
    bus
}
pub(crate) fn store() -> SharedStore {
    Arc::new(MemoryStore::new(Arc::new(SystemClock)))
}
/// Asks until the answer is yes; fails with the last "no" when the deadline has passed.
pub(crate) async fn until<T, F: Future<Output = Result<T, String>>>(what: &str, mut ask: impl FnMut() -> F) -> T {
    let end = tokio::time::Instant::now() + DEADLINE;
    loop {
        match ask().await {
            Ok(answer) => return answer,
            Err(why) if tokio::time::Instant::now() > end => panic!("{what}: {why}"),
            Err(_) => pass(Duration::from_millis(20)).await,
        }
    }
}
/// Real time passes: only between two looks, or where a law asks for it.
pub(crate) async fn pass(duration: Duration) {
    let end = tokio::time::Instant::now() + duration;
    tokio::time::sleep_until(end).await;
}

/// The owner of the log answers for it, until this is dropped.
pub(crate) fn owner(bus: &Nats, store: &SharedStore) -> JoinSet<()> {
    let (bus, line, mut serving) = (bus.clone(), bus.log_answerer("law", Arc::clone(store)), JoinSet::new());
    serving.spawn(async move {
        loop {
            let _ended = bus.serve(vec![line.clone()]).await;
        }
    });
    serving
}
/// Appends events to the log until it has this many; every third is private.
pub(crate) async fn grow(store: &SharedStore, to: u64) {
    grow_as(store, to, 0).await;
}
/// The same, with ids that count from another number.
pub(crate) async fn grow_as(store: &SharedStore, to: u64, ids: u128) {
    let from = store.head().await.unwrap().0;
    for chunk in (from + 1..=to).collect::<Vec<_>>().chunks(100) {
        let events = chunk.iter().map(|number| NewEvent {
            id: EventId(Uuid::from_u128(ids + u128::from(*number))),
            name: "Noted",
            version: 1,
            data: Payload::trusted(format!(r#"{{ "number" : {number}, "text" : "ä 𝄞" }}"#)),
            meta: Payload::trusted(r#"{ "spaces" : "are kept" }"#),
            time: Timestamp(1_700_000_000_000_000),
            public: !number.is_multiple_of(3),
        });
        let expected = Version(chunk[0] - 1);
        let write = StreamWrite { stream: StreamId::parse("law-1").unwrap(), expected, events: events.collect() };
        let committed = store.commit(Batch { writes: vec![write], ..Batch::default() }).await;
        assert!(matches!(committed, Commit::Ok(_)), "{committed:?}");
    }
}
/// The public events of the log, as a reader sees them: their position is their public sequence.
pub(crate) async fn public(store: &SharedStore) -> Vec<Recorded> {
    let log = store.read_log(Position::ZERO, usize::MAX).await.unwrap();
    let seen = log.into_iter().filter_map(|event| {
        let seq = event.public_seq?;
        Some(Recorded { position: Position(seq), ..event })
    });
    seen.collect()
}
/// Reads exactly this many events.
pub(crate) async fn read(bus: &Nats, after: u64, count: usize) -> Vec<Recorded> {
    let mut got = Vec::<Recorded>::new();
    while got.len() < count {
        let after = got.last().and_then(|last| last.public_seq).unwrap_or(after);
        let next = tokio::time::timeout(DEADLINE, bus.events("law", after, count - got.len())).await;
        got.extend(next.unwrap_or_else(|_| panic!("nothing came after {after}: {:?}", bus.health())).unwrap());
    }
    got
}

/// A client that may do anything: what tests do to a broker behind our back.
pub(crate) struct Admin(async_nats::Client);
impl Admin {
    pub(crate) async fn connect(server: &Server) -> Self {
        Self(
            until("connecting", || async { async_nats::connect(server.url()).await.map_err(|why| why.to_string()) })
                .await,
        )
    }
    pub(crate) const fn of(client: async_nats::Client) -> Self {
        Self(client)
    }
    pub(crate) fn client(&self) -> &async_nats::Client {
        &self.0
    }
    /// The headers of a message that the API gave, as they stand there.
    pub(crate) fn headers(got: &Value) -> String {
        let headers = got["message"]["hdrs"].as_str().unwrap_or_default();
        String::from_utf8(base64::engine::general_purpose::STANDARD.decode(headers).unwrap()).unwrap()
    }
    /// A request to the JetStream API.
    pub(crate) async fn api(&self, subject: &str, body: Value) -> Result<Value, String> {
        let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        let answer = self.0.request(format!("$JS.API.{subject}"), body.into()).await.map_err(|why| why.to_string())?;
        let answer: Value = serde_json::from_slice(&answer.payload).map_err(|why| why.to_string())?;
        if answer["error"].is_null() { Ok(answer) } else { Err(answer["error"].to_string()) }
    }
    /// Waits until the stream is the public log, one to one, in order, with nothing behind it.
    pub(crate) async fn until_stream_is_log(&self, store: &SharedStore) {
        let log = public(store).await;
        let all = log.len() as u64;
        until("the stream has everything", || async {
            let info = self.api("STREAM.INFO.EVT_law", Value::Null).await?;
            let last = info["state"]["last_seq"].as_u64();
            if last >= Some(all) { Ok(()) } else { Err(format!("{last:?} of {all}")) }
        })
        .await;
        let info = self.api("STREAM.INFO.EVT_law", Value::Null).await.unwrap();
        let state = &info["state"];
        let number = |name: &str| state[name].as_u64().unwrap();
        assert_eq!((number("first_seq"), number("last_seq"), number("messages")), (1, all, all));
        for (seq, event) in (1..).zip(&log) {
            // A 2.9 server that is busy may not find for a moment what it has just stored and counts already.
            let get = || self.api("STREAM.MSG.GET.EVT_law", serde_json::json!({ "seq": seq }));
            let stored = until("the message can be read", get).await;
            let headers = Self::headers(&stored);
            assert!(headers.contains(&format!("Nats-Msg-Id: {}\r\n", event.id)), "{seq}: {headers}");
        }
    }
}

/// Writes each test once for each version of the server.
macro_rules! on_both {
    ($($test:ident),+ $(,)?) => {
        mod on_the_server_of_debian { $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() { super::$test(test_servers::nats::Version::Debian).await; }
        )+ }
        mod on_the_newest_server { $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() { super::$test(test_servers::nats::Version::Newest).await; }
        )+ }
    };
}
pub(crate) use on_both;
