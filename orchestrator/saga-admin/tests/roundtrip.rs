//! Every look, order, view and error survives the wire, over a real loopback socket.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use saga_admin::client::AdminClient;
use saga_admin::server::Server;
use saga_core::codes;
use saga_core::control::{
    AwaitSaga, Changes, Control, ControlError, Look, Moment, Order, OrderKind, Selector, Watch, WatchSaga, WatchSagas,
    What, ask,
};
use saga_core::envelope::Actor;
use saga_core::id::RequestId;
use saga_core::json::Payload;
use saga_core::view::SagaState;
use saga_testkit::fixtures::{NOW, Zoo};
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use uuid::Uuid;

const SECOND: Duration = Duration::from_secs(1);
const TEN: Duration = Duration::from_secs(10);

/// Runs `test` against a served fixtures, then stops the server and waits for it.
async fn served<F, Fut>(test: F)
where
    F: FnOnce(Arc<Zoo>, AdminClient) -> Fut,
    Fut: Future<Output = ()>,
{
    served_at("127.0.0.1:0", test).await;
}
async fn served_at<F, Fut>(address: &str, test: F)
where
    F: FnOnce(Arc<Zoo>, AdminClient) -> Fut,
    Fut: Future<Output = ()>,
{
    let fixtures = Arc::new(Zoo::with_findings());
    let server = Server::bind(address.parse().unwrap()).await.unwrap();
    let client = AdminClient::new(&server.url(), TEN).unwrap();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let run = server.run(fixtures.clone(), async move {
        let _ = stopped.await;
    });
    let (served, ()) = tokio::join!(run, async {
        test(fixtures, client).await;
        let _ = stop.send(());
    });
    served.unwrap();
}

fn ann() -> Actor {
    Actor::operator("Änn O'Neil")
}

fn looks() -> Vec<Look> {
    let id = || "client-to-delivery/acme-7".to_owned();
    let full = Selector {
        states: vec![SagaState::Parked, SagaState::Completed],
        kind: Some("client-to-delivery".into()),
        key: Some("ac*/me &=?%".into()),
        attention: true,
        all: true,
        since: Some(NOW),
        limit: 7,
        cursor: Some("1".into()),
    };
    vec![
        Look::Sagas(Selector::default()),
        Look::Sagas(full),
        Look::Saga(ask::Saga { id: id(), data: false, at: None }),
        Look::Saga(ask::Saga { id: "9f3ac2d1".into(), data: true, at: None }),
        Look::Saga(ask::Saga { id: id(), data: false, at: Some(Moment::Rev(7)) }),
        Look::Saga(ask::Saga { id: id(), data: true, at: Some(Moment::Time(saga_core::time::Timestamp(7_000_001))) }),
        Look::History(ask::History { id: id(), after: 30, limit: 2 }),
        Look::Why(ask::WhyStuck { id: id() }),
        Look::Modules(ask::Modules {}),
        Look::Definitions(ask::Definitions {}),
        Look::Verify(ask::Verify {}),
        Look::Preview(ask::Preview(Box::new(Order {
            request: RequestId(Uuid::from_u128(7)),
            reason: Some("client withdrew".into()),
            if_rev: Some(14),
            what: OrderKind::Cancel { abandon: false }.of(id()),
        }))),
        Look::Status(ask::WhoIsThere {}),
    ]
}

fn orders() -> Vec<What> {
    let saga = || "client-to-delivery/acme-7".to_owned();
    let input = || Payload::parse("{\"n\":9007199254740993,  \"deep\":[[{\"x\":\"\\u00e9✖\"}]]}").unwrap();
    vec![
        What::Start { kind: "client-to-delivery".into(), version: Some(4), key: Some("acme-7".into()), input: input() },
        What::Start { kind: "client-to-delivery/acme-7".into(), version: None, key: None, input: Payload::null() },
        OrderKind::Signal { gate: "client decides/ä".into(), data: input(), opening: None }.of(saga()),
        OrderKind::Signal { gate: "approved".into(), data: input(), opening: Some("2-5c01e6b7".into()) }.of(saga()),
        OrderKind::Cancel { abandon: false }.of(saga()),
        OrderKind::Cancel { abandon: true }.of(saga()),
        OrderKind::Compensate.of(saga()),
        OrderKind::Pause.of(saga()),
        OrderKind::Resume.of(saga()),
        OrderKind::Retry { step: None }.of(saga()),
        OrderKind::Retry { step: Some("assets[2]/render".into()) }.of(saga()),
        OrderKind::Skip { step: "assets[2]/render".into(), result: Some(Payload::null()) }.of(saga()),
        OrderKind::Skip { step: "assets[2]/render".into(), result: None }.of(saga()),
        OrderKind::Note("two\nlines \"quoted\"".into()).of(saga()),
    ]
}

#[tokio::test]
async fn every_look_and_its_view_survive() {
    served(|fixtures, client| async move {
        for look in looks() {
            let direct = fixtures.look(&ann(), look.clone()).await.unwrap();
            let wired = client.look(&ann(), look.clone()).await.unwrap();
            assert_eq!(wired, direct, "{look:?}");
            assert_eq!(fixtures.asked().last(), Some(&look));
        }
    })
    .await;
}

/// The next changes of a reader, as long as they come in the time that a test has.
async fn told(changes: &mut Box<dyn Changes>, many: usize) -> Vec<saga_core::control::Change> {
    let mut told = Vec::new();
    while told.len() < many {
        told.extend(tokio::time::timeout(TEN, changes.next()).await.unwrap().unwrap());
    }
    told
}

#[tokio::test]
async fn every_change_survives_and_is_asked_for_as_it_was_meant() {
    served(|fixtures, client| async move {
        let full = Selector {
            states: vec![SagaState::Parked, SagaState::Completed],
            kind: Some("client-to-delivery".into()),
            key: Some("ac*".into()),
            attention: false,
            all: true,
            since: Some(saga_core::time::Timestamp(7)),
            limit: 0,
            cursor: None,
        };
        let after = || Some("0".to_owned());
        for watch in [
            Watch::from(WatchSagas { of: Selector { all: true, ..Selector::default() }, after: after() }),
            WatchSagas { of: Selector { attention: true, ..Selector::default() }, after: after() }.into(),
            WatchSagas { of: full, after: after() }.into(),
            WatchSaga { id: "client-to-delivery/acme-7".into(), after: after() }.into(),
        ] {
            let mut direct = fixtures.watch(&ann(), watch.clone()).await.unwrap();
            let mut wanted = Vec::new();
            while let Ok(told) = tokio::time::timeout(Duration::from_millis(20), direct.next()).await {
                wanted.extend(told.unwrap());
            }
            let mut wired = client.watch(&ann(), watch.clone()).await.unwrap();
            assert!(!wanted.is_empty(), "{watch:?}");
            assert_eq!(told(&mut wired, wanted.len()).await, wanted, "{watch:?}");
            // A reader that comes back goes on behind the last change that it has read.
            let last = wanted[0].cursor.clone();
            let mut back = client.watch(&ann(), watch.behind(last)).await.unwrap();
            assert_eq!(told(&mut back, wanted.len() - 1).await, wanted[1..]);
        }
        let mut anew = client.watch(&ann(), WatchSagas::default().into()).await.unwrap();
        assert!(anew.cursor().parse::<usize>().unwrap() > 5, "from now on: {}", anew.cursor());
        assert!(tokio::time::timeout(Duration::from_millis(20), anew.next()).await.is_err());
        for (watch, code) in [
            (Watch::from(WatchSagas { after: Some("x".into()), ..WatchSagas::default() }), "SG0315"),
            (WatchSaga { id: "nobody/at-all".into(), after: None }.into(), "SG0201"),
        ] {
            let refused = client.watch(&ann(), watch.clone()).await.map(|_| ()).unwrap_err();
            assert_eq!(refused, fixtures.watch(&ann(), watch).await.map(|_| ()).unwrap_err());
            assert_eq!(refused.code, code);
        }
    })
    .await;
}

#[tokio::test]
async fn every_order_survives_with_its_reason_request_and_actor() {
    served(|fixtures, client| async move {
        for (n, what) in orders().into_iter().enumerate() {
            let request = RequestId(Uuid::from_u128(n as u128 + 1));
            let reason = (n % 2 == 0).then(|| "client \"withdrew\"\n✖".to_owned());
            let if_rev = (n % 3 == 2).then_some(n as u64);
            let order = Order { request, reason, what, if_rev };
            let first = client.act(&ann(), order.clone()).await.unwrap();
            let again = client.act(&ann(), order.clone()).await.unwrap();
            assert_eq!((first.request, first.repeated, again.repeated), (request, false, true));
            assert_eq!(fixtures.ordered().last(), Some(&(ann(), order)));
        }
    })
    .await;
}

#[tokio::test]
async fn every_error_code_survives_on_every_path() {
    served(|_, client| async move {
        for code in codes::ALL {
            let id = code.id.to_owned();
            let expected = ControlError::new(*code, format!("scripted: {}", code.title)).hint("one").hint("two");
            let look = client.look(&ann(), Look::Saga(ask::Saga { id: id.clone(), data: false, at: None })).await;
            assert_eq!(look.unwrap_err(), expected);
            let what = OrderKind::Pause.of(id.clone());
            let act =
                client.act(&ann(), Order { request: RequestId(Uuid::nil()), reason: None, what, if_rev: None }).await;
            assert_eq!(act.unwrap_err(), expected);
            let outcome = client.outcome(&ann(), AwaitSaga { id, after: None }, SECOND).await;
            assert_eq!(outcome.unwrap_err(), expected);
        }
    })
    .await;
}

#[tokio::test]
async fn an_outcome_is_a_saga_or_nothing_yet() {
    served(|fixtures, client| async move {
        let of = |id: &str| AwaitSaga { id: id.into(), after: Some(37) };
        let ended = client.outcome(&ann(), of("0c51aa97"), SECOND).await.unwrap();
        assert_eq!(ended, fixtures.outcome(&ann(), of("0c51aa97"), SECOND).await.unwrap());
        assert_eq!(client.outcome(&ann(), of("e8127f4d"), Duration::from_secs(300)).await.unwrap(), None);
    })
    .await;
}

/// Sends raw bytes and reads the whole answer.
async fn raw(client: &AdminClient, head: &str, body: &[u8]) -> String {
    let address = client.url().strip_prefix("http://").unwrap().to_owned();
    let mut socket = tokio::net::TcpStream::connect(&address).await.unwrap();
    let host = if head.contains("host:") { String::new() } else { format!("host: {address}\r\n") };
    let length = body.len();
    let text = format!("{head}\r\n{host}connection: close\r\ncontent-length: {length}\r\n\r\n");
    socket.write_all(text.as_bytes()).await.unwrap();
    // A server that refuses a body early may close before it has read all of it.
    let _ = socket.write_all(body).await;
    let mut answer = Vec::new();
    let _ = socket.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

const ORDER: &str = "content-type: application/json\r\nx-request-id: 0193a1c7-55e2-7c1f-b0aa-41d89f3ac2d1";

#[tokio::test]
async fn a_bad_body_names_its_place() {
    let deep = format!("{{\"type\":\"t\",\"input\":{}1{}}}", "[".repeat(1000), "]".repeat(1000));
    let large = format!("{{\"type\":\"t\",\"input\":\"{}\"}}", "x".repeat(1024 * 1024 + 1));
    let huge = "x".repeat(2 * 1024 * 1024 + 1);
    let table: Vec<(&[u8], &str, &str)> = vec![
        (b"{\"type\":\"t\",\n \"input\": tru}", "SG0101", "/input (line 2"),
        (b"{\"type\":\"t\",\n \"input\": {\"a\":1,\"a\":2}}", "SG0101", "/input/a (line 2"),
        (b"{\"type\":\"t\",\"input\":\"a\\u0000\"}", "SG0101", "NUL"),
        (b"{\"type\":\"\xff\"}", "SG0101", "byte 9"),
        (b"{\"type\":\n7}", "SG0102", "/type (line 2, column 1)"),
        (b"{}", "SG0102", "/type"),
        (b"[]", "SG0102", "an object"),
        (b"{\"type\":\"t\",\"type\":\"t\"}", "SG0102", "comes twice"),
        (b"{\"type\":\"t\",\"inputs\":1}", "SG0102", "/inputs"),
        (deep.as_bytes(), "SG0103", "/input/0/0"),
        (large.as_bytes(), "SG0103", "1048579 bytes"),
        (huge.as_bytes(), "SG0103", "2097152"),
    ];
    served(|fixtures, client| async move {
        for (body, code, place) in table {
            let answer = raw(&client, &format!("POST /v1/sagas HTTP/1.1\r\n{ORDER}"), body).await;
            let shown = &answer[answer.len().saturating_sub(300)..];
            assert!(answer.starts_with("HTTP/1.1 400"), "{shown}");
            assert!(answer.contains(&format!("\"code\":\"{code}\"")), "{shown}");
            assert!(answer.contains(place), "{place} in {shown}");
        }
        assert!(fixtures.ordered().is_empty());
    })
    .await;
}

#[tokio::test]
async fn strangers_are_refused_and_every_answer_is_json() {
    let table = [
        ("GET /v1/status HTTP/1.1\r\nhost: evil.example:7420", "403", "SG0305"),
        ("GET /v1/status HTTP/1.1\r\norigin: http://evil.example", "403", "SG0305"),
        ("POST /v1/sagas/x/pause HTTP/1.1\r\ncontent-type: text/plain", "415", "SG0318"),
        ("POST /v1/sagas/x/pause HTTP/1.1", "400", "x-request-id"),
        (
            "POST /v1/sagas/x/explode HTTP/1.1\r\nx-request-id: 0193a1c7-55e2-7c1f-b0aa-41d89f3ac2d1",
            "404",
            "orders are",
        ),
        ("DELETE /v1/sagas HTTP/1.1", "405", "SG0317"),
        ("GET /v2/sagas HTTP/1.1", "404", "SG0316"),
        ("GET /v1/sagas?stat=x HTTP/1.1", "400", "SG0301"),
        ("GET /v1/sagas/SG0205 HTTP/1.1", "409", "SG0205"),
        ("GET /v1/sagas/nothing HTTP/1.1", "404", "SG0201"),
        ("GET /livez HTTP/1.1", "200", "live"),
        ("GET /readyz HTTP/1.1", "200", "saga/v1"),
    ];
    served(|fixtures, client| async move {
        for (head, status, part) in table {
            let answer = raw(&client, head, b"").await;
            assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{head}: {answer}");
            assert!(answer.contains("content-type: application/json") && answer.contains(part), "{head}: {answer}");
        }
        assert!(fixtures.ordered().is_empty());
    })
    .await;
}

#[tokio::test]
async fn metrics_are_text_for_collectors_and_reading_them_is_one_look() {
    served(|fixtures, client| async move {
        for (head, status, part) in [
            ("GET /metrics HTTP/1.1", "200", "\nsaga_started_total{type=\"client-to-delivery\",version=\"2\"} 7\n"),
            ("GET /metrics HTTP/1.1", "200", "\nsaga_open_connections "),
            ("GET /metrics?type=x HTTP/1.1", "400", "SG0301"),
            ("POST /metrics HTTP/1.1", "405", "SG0317"),
            ("GET /metrics HTTP/1.1\r\nhost: evil.example:7420", "403", "SG0305"),
            ("GET /metrics HTTP/1.1\r\norigin: http://evil.example", "403", "SG0305"),
        ] {
            let answer = raw(&client, head, b"").await;
            assert!(answer.starts_with(&format!("HTTP/1.1 {status}")) && answer.contains(part), "{head}: {answer}");
            let text = answer.contains("content-type: text/plain; version=0.0.4; charset=utf-8");
            assert_eq!(text, status == "200", "{head}: {answer}");
        }
        assert_eq!(fixtures.asked(), [Look::Metrics(ask::Metrics {}), Look::Metrics(ask::Metrics {})]);
        assert!(fixtures.ordered().is_empty());
    })
    .await;
}

#[tokio::test]
async fn only_loopback_addresses_are_bound_or_asked() {
    assert_eq!(Server::bind("0.0.0.0:0".parse().unwrap()).await.unwrap_err().code, "SG0305");
    assert_eq!(AdminClient::new("http://example.com", SECOND).unwrap_err().code, "SG0301");
    assert_eq!(AdminClient::new("https://127.0.0.1:1", SECOND).unwrap_err().code, "SG0301");
}

#[tokio::test]
async fn a_number_with_colons_is_bound_and_asked() {
    served_at("[::1]:0", |_, client| async move {
        assert!(client.url().starts_with("http://[::1]:"), "{}", client.url());
        assert!(client.look(&ann(), Look::Status(ask::WhoIsThere {})).await.is_ok());
        assert!(client.look(&ann(), Look::Sagas(Selector::default())).await.is_ok());
    })
    .await;
}

#[tokio::test]
async fn stopping_does_not_wait_for_a_long_poll() {
    /// Knows one saga that never changes.
    struct Silent;
    #[async_trait::async_trait]
    impl Control for Silent {
        async fn look(&self, _: &Actor, _: Look) -> Result<saga_core::control::View, ControlError> {
            Err(ControlError::new(codes::INTERNAL, "not asked"))
        }
        async fn act(&self, _: &Actor, _: Order) -> Result<saga_core::control::Receipt, ControlError> {
            Err(ControlError::new(codes::INTERNAL, "not asked"))
        }
        async fn outcome(
            &self,
            _: &Actor,
            _: AwaitSaga,
            _: Duration,
        ) -> Result<Option<saga_core::view::SagaShow>, ControlError> {
            std::future::pending().await
        }
        async fn watch(&self, _: &Actor, _: Watch) -> Result<Box<dyn Changes>, ControlError> {
            Err(ControlError::new(codes::INTERNAL, "not asked"))
        }
    }
    let server = Server::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let client = AdminClient::new(&server.url(), TEN).unwrap();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let run = server.run(Arc::new(Silent), async move {
        let _ = stopped.await;
    });
    let by = ann();
    let poll = client.outcome(&by, AwaitSaga { id: "x".into(), after: None }, TEN);
    let ask = async {
        tokio::join!(poll, async {
            assert!(client.is_alive().await);
            let _ = stop.send(());
        })
    };
    let both = tokio::time::timeout(TEN, async { tokio::join!(run, ask) }).await.unwrap();
    both.0.unwrap();
    assert_eq!(both.1.0.unwrap_err().code, "SG0302");
}

#[tokio::test]
async fn an_order_route_refuses_what_it_does_not_know_and_says_what_a_revision_is() {
    served(|fixtures, client| async move {
        let http = reqwest::Client::new();
        let orders = fixtures.ordered().len();
        let post = |path: &str, headers: Vec<(&'static str, &'static str)>, body: &'static str| {
            let request = http.post(format!("{}{path}", client.url())).header("x-request-id", Uuid::nil().to_string());
            let request = headers.into_iter().fold(request, |request, (name, value)| request.header(name, value));
            async move {
                let answer = request.header("content-type", "application/json").body(body).send().await.unwrap();
                (answer.status().as_u16(), answer.text().await.unwrap())
            }
        };
        let cancel = "/v1/sagas/9f3ac2d1/cancel";
        for (path, headers, wanted) in [
            (format!("{cancel}?previev=true"), vec![], 400),
            (format!("{cancel}?preview=perhaps"), vec![], 400),
            ("/v1/sagas?preview=true".to_owned(), vec![], 400),
            (cancel.to_owned(), vec![("if-match", "perhaps")], 400),
            (cancel.to_owned(), vec![("if-match", "\"1\", \"2\"")], 400),
            (cancel.to_owned(), vec![("if-match", "1"), ("if-match", "2")], 400),
            (format!("{cancel}?preview=true"), vec![("if-match", "\"14\"")], 200),
            ("/v1/sagas/SG0106/cancel".to_owned(), vec![], 412),
        ] {
            let (status, text) = post(&path, headers, "{\"reason\":\"why\"}").await;
            assert_eq!(status, wanted, "{path} {text}");
        }
        assert_eq!(fixtures.ordered().len(), orders, "nothing was ordered");
        let shown = http.get(format!("{}/v1/sagas/9f3ac2d1", client.url())).send().await.unwrap();
        let tag = shown.headers()["etag"].to_str().unwrap().to_owned();
        let rev = shown.text().await.unwrap();
        assert!(rev.contains(&format!("\"rev\":{}", tag.trim_matches('"'))), "{tag}");
    })
    .await;
}
