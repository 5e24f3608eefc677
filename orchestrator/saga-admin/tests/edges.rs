//! The edges of the HTTP face, over raw sockets: every route against every wrong caller, and clients that are slow.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use saga_admin::connections::Bounds;
use saga_admin::server::{Server, routes};
use saga_core::control::OrderKind;
use saga_testkit::fixtures::Zoo;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use test_servers::waiting::until;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const TEN: Duration = Duration::from_secs(10);
const BOUNDS: Bounds = Bounds {
    connections: 3,
    streams: 1,
    health: 2,
    head: Duration::from_millis(300),
    body: Duration::from_millis(300),
};

async fn served<F, Fut>(bounds: Option<Bounds>, test: F)
where
    F: FnOnce(Arc<Zoo>, String) -> Fut,
    Fut: Future<Output = ()>,
{
    let fixtures = Arc::new(Zoo::default());
    let mut server = Server::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
    if let Some(bounds) = bounds {
        server = server.bounds(bounds);
    }
    let address = server.url().strip_prefix("http://").unwrap().to_owned();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let run = server.run(fixtures.clone(), async move {
        let _ = stopped.await;
    });
    let (served, ()) = tokio::join!(run, async {
        test(fixtures, address).await;
        let _ = stop.send(());
    });
    served.unwrap();
}

/// An answer to its end; of a stream, which has none, up to its first message.
async fn read(socket: &mut TcpStream) -> String {
    let (mut answer, mut piece) = (Vec::new(), [0; 4096]);
    let more = async {
        while let Ok(read @ 1..) = socket.read(&mut piece).await {
            answer.extend_from_slice(&piece[..read]);
            let text = String::from_utf8_lossy(&answer);
            let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
            if head.contains("text/event-stream") && body.contains("\n\n") {
                break;
            }
        }
    };
    tokio::time::timeout(TEN, more).await.unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

async fn read_some(socket: &mut TcpStream) -> String {
    let mut piece = [0; 4096];
    let read = tokio::time::timeout(TEN, socket.read(&mut piece)).await.unwrap().unwrap();
    assert!(read > 0, "the stream has ended");
    String::from_utf8_lossy(&piece[..read]).into_owned()
}

/// A request as its lines say, with a length and a good-bye.
async fn ask(address: &str, lines: &[String], body: &str) -> String {
    let mut socket = TcpStream::connect(address).await.unwrap();
    let head = format!("{}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", lines.join("\r\n"), body.len());
    socket.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
    read(&mut socket).await
}

/// Method, path and body of one good request for every method of every route; every verb of orders is one of them.
fn requests() -> Vec<(String, String, String)> {
    let mut all = Vec::new();
    for route in routes() {
        for method in route.methods {
            let verbs: &[&str] = if route.path.contains("{verb}") { OrderKind::VERBS.as_slice() } else { &[""] };
            for verb in verbs {
                let path = route.path.replace("{id}", "9f3ac2d1").replace("{verb}", verb);
                assert!(!path.contains('{'), "{path}: the test does not know this part");
                let body = match (*method, *verb) {
                    ("GET", _) => "",
                    (_, "signal") => r#"{"gate":"yes","data":true}"#,
                    (_, "skip") => r#"{"step":"a","reason":"because"}"#,
                    (_, "note") => r#"{"text":"a note"}"#,
                    (_, "") if path == "/v1/sagas" => r#"{"type":"client-to-delivery","key":"acme-7","input":{}}"#,
                    (_, "") => "",
                    _ => r#"{"reason":"because"}"#,
                };
                all.push(((*method).to_owned(), path, body.to_owned()));
            }
        }
    }
    all
}

const ORDER: &str = "x-request-id: 0193a1c7-55e2-7c1f-b0aa-41d89f3ac2d1";
const JSON: &str = "content-type: application/json";

fn lines(request: &(String, String, String), more: &[&str]) -> Vec<String> {
    let (method, path, _) = request;
    let first = format!("{method} {path} HTTP/1.1");
    std::iter::once(first).chain([ORDER.to_owned()]).chain(more.iter().map(|line| (*line).to_owned())).collect()
}

#[tokio::test]
async fn every_route_answers_its_friends() {
    served(None, |_, address| async move {
        let host = format!("host: {address}");
        for request in requests() {
            let answer = ask(&address, &lines(&request, &[&host, JSON]), &request.2).await;
            let status: u16 = answer[9..12].parse().unwrap();
            assert!((200..300).contains(&status), "{request:?}: {answer}");
        }
    })
    .await;
}

#[tokio::test]
async fn every_route_refuses_every_wrong_caller_with_everything_else_right() {
    served(None, |fixtures, address| async move {
        let good = format!("host: {address}");
        let port = address.rsplit(':').next().unwrap().to_owned();
        let origin = format!("origin: http://{address}");
        let hosts = [
            "evil.example".to_owned(),
            format!("evil.example:{port}"),
            format!("{address}@evil.example"),
            format!("{address}.evil.example"),
            format!("[::1].evil.example:{port}"),
            String::new(),
        ];
        let mut wrong: Vec<(Vec<String>, &str)> =
            hosts.iter().map(|host| (vec![format!("host: {host}"), JSON.to_owned()], "403")).collect();
        for more in [
            vec!["origin: http://evil.example".to_owned()],
            vec!["origin: null".to_owned()],
            vec![format!("origin: https://{address}")],
            vec![format!("origin: http://{address}.evil.example")],
            vec![origin.clone(), "origin: http://evil.example".to_owned()],
            vec![format!("host: evil.example")],
            vec![good.clone()],
            vec!["sec-fetch-site: cross-site".to_owned()],
            vec!["sec-fetch-site: same-site".to_owned()],
        ] {
            wrong.push(([vec![good.clone(), JSON.to_owned()], more].concat(), "403"));
        }
        let kinds = [
            "text/plain",
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=x",
            "application/jsonevil",
            "application/json-patch+json",
            "text/plain; application/json",
            "application/json;charset=latin1",
            "application/json; charset=utf-16",
        ];
        for kind in kinds {
            wrong.push((vec![good.clone(), format!("content-type: {kind}")], "415"));
        }
        wrong.push((vec![good.clone(), JSON.to_owned(), "content-type: text/plain".to_owned()], "403"));
        wrong.push((vec![good.clone()], "415"));
        for request in requests() {
            for (more, status) in &wrong {
                let is_look = request.0 == "GET";
                let more: Vec<&str> = more.iter().map(String::as_str).collect();
                // What a look says of a body it has not is nobody's business, and an order without a body has no kind.
                let about_body = *status == "415" || more.contains(&"content-type: text/plain");
                if about_body && (is_look || (request.2.is_empty() && more.len() == 1)) {
                    continue;
                }
                let answer = ask(&address, &lines(&request, &more), &request.2).await;
                let told = answer.starts_with(&format!("HTTP/1.1 {status}"))
                    || (more[0] == "host: " && answer.starts_with("HTTP/1.1 400"));
                assert!(told, "{request:?} {more:?}: {answer}");
            }
        }
        assert!(fixtures.ordered().is_empty(), "nothing was ordered");
        assert!(fixtures.asked().is_empty(), "no look was taken");
    })
    .await;
}

#[tokio::test]
async fn every_other_method_and_path_is_told_apart() {
    served(None, |fixtures, address| async move {
        let host = format!("host: {address}");
        for route in routes() {
            let path = route.path.replace("{id}", "9f3ac2d1").replace("{verb}", "pause");
            let taken: Vec<&str> = routes()
                .iter()
                .filter(|other| other.path == route.path)
                .flat_map(|other| other.methods)
                .copied()
                .collect();
            for method in ["GET", "POST", "PUT", "PATCH", "DELETE"].iter().filter(|method| !taken.contains(*method)) {
                let request = ((*method).to_owned(), path.clone(), String::new());
                let answer = ask(&address, &lines(&request, &[&host]), "").await;
                assert!(answer.starts_with("HTTP/1.1 405") && answer.contains("SG0317"), "{request:?}: {answer}");
            }
        }
        for path in ["/", "/v1", "/v1/nothing", "/v2/sagas", "/v1/sagas/a/b/c", "/V1/sagas"] {
            let request = ("GET".to_owned(), path.to_owned(), String::new());
            let answer = ask(&address, &lines(&request, &[&host]), "").await;
            assert!(answer.starts_with("HTTP/1.1 404") && answer.contains("SG0316"), "{path}: {answer}");
        }
        for (method, path) in
            [("GET", "/v1/sagas/%ff"), ("GET", "/v1/sagas/%ff/history"), ("POST", "/v1/sagas/%ff/pause")]
        {
            let request = (method.to_owned(), path.to_owned(), String::new());
            let answer = ask(&address, &lines(&request, &[&host]), "").await;
            assert!(answer.starts_with("HTTP/1.1 400") && answer.contains("\"code\":\"SG0301\""), "{path}: {answer}");
            assert!(answer.contains("content-type: application/json"), "{path}: {answer}");
        }
        assert!(fixtures.ordered().is_empty() && fixtures.asked().is_empty());
    })
    .await;
}

/// The words that a route knows, with a value each. A route that is not here knows none.
fn known(method: &str, path: &str) -> &'static [(&'static str, &'static str)] {
    match (method, path) {
        ("GET", "/v1/sagas") => &[
            ("state", "parked"),
            ("type", "renewal"),
            ("key", "a*"),
            ("attention", "true"),
            ("all", "true"),
            ("since", "2026-11-21T18:00:00Z"),
            ("limit", "1"),
            ("cursor", "x"),
        ],
        ("GET", "/v1/changes") => &[
            ("state", "parked"),
            ("type", "renewal"),
            ("key", "a*"),
            ("attention", "true"),
            ("all", "true"),
            ("since", "2026-11-21T18:00:00Z"),
            ("after", "0"),
        ],
        ("GET", "/v1/sagas/9f3ac2d1/changes") => &[("after", "0")],
        ("GET", "/v1/sagas/9f3ac2d1") => &[("data", "true")],
        ("GET", "/v1/sagas/9f3ac2d1/history") => &[("after", "1"), ("limit", "1")],
        ("GET", "/v1/sagas/9f3ac2d1/outcome") => &[("after", "1"), ("wait_ms", "1")],
        ("POST", path) if path.starts_with("/v1/sagas/") => &[("preview", "true")],
        _ => &[],
    }
}

#[tokio::test]
async fn every_route_refuses_words_that_it_does_not_know_that_come_twice_or_say_nothing() {
    served(None, |fixtures, address| async move {
        let host = format!("host: {address}");
        for (method, path, body) in requests() {
            let mut refused: Vec<String> =
                ["nonsense=1", "nonsense", "nonsense=", "%6eonsense=1"].map(str::to_owned).into();
            for (word, value) in known(&method, &path) {
                refused.push(format!("{word}={value}&{word}={value}"));
                refused.push(format!("{word}="));
                refused.push(format!("{word}=&{word}="));
                refused.push(format!("{word}=%20"));
                refused.push(format!("{word}={value}&nonsense=1"));
                // A flag may stand alone; everything else needs a value.
                refused.extend((*value != "true").then(|| (*word).to_owned()));
                refused.extend((*word == "limit").then(|| "limit=0".to_owned()));
            }
            for words in refused {
                let request = (method.clone(), format!("{path}?{words}"), body.clone());
                let answer = ask(&address, &lines(&request, &[&host, JSON]), &body).await;
                assert!(answer.starts_with("HTTP/1.1 400") && answer.contains("SG0301"), "{request:?}: {answer}");
            }
        }
        assert!(fixtures.ordered().is_empty() && fixtures.asked().is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_mark_before_the_json_is_no_part_of_it_and_a_number_is_refused_as_it_was_written() {
    served(None, |fixtures, address| async move {
        let host = format!("host: {address}");
        let note = ("POST".to_owned(), "/v1/sagas/9f3ac2d1/note".to_owned(), String::new());
        let marked = "\u{feff}{\"text\":\"a\"}";
        let answer = ask(&address, &lines(&note, &[&host, JSON]), marked).await;
        assert!(answer.starts_with("HTTP/1.1 202"), "{answer}");
        assert_eq!(fixtures.ordered().len(), 1);
        let start = ("POST".to_owned(), "/v1/sagas".to_owned(), String::new());
        for number in ["18446744073709551616", "-1", "65536", "1.5", "1e3", "9007199254740993.5"] {
            let body = format!("{{\"type\":\"client-to-delivery\", \"version\": {number} ,\"input\":{{}}}}");
            let answer = ask(&address, &lines(&start, &[&host, JSON]), &body).await;
            assert!(
                answer.starts_with("HTTP/1.1 400") && answer.contains(&format!("`{number}`")),
                "{number}: {answer}"
            );
        }
    })
    .await;
}

#[tokio::test]
async fn nobody_orders_unseen_or_in_the_programs_name() {
    served(None, |fixtures, address| async move {
        let host = format!("host: {address}");
        let request = ("POST".to_owned(), "/v1/sagas/9f3ac2d1/note".to_owned(), r#"{"text":"a"}"#.to_owned());
        for actor in
            ["a%E2%80%AEb", "a%E2%80%8Bb", "a%0Ab", "a%1B[31m", "coordinator", "System", "outside:x", "", "%ff", "%"]
        {
            let actor = format!("x-actor: {actor}");
            let answer = ask(&address, &lines(&request, &[&host, JSON, &actor]), &request.2).await;
            assert!(answer.starts_with("HTTP/1.1 400") && answer.contains("x-actor"), "{actor}: {answer}");
        }
        let twice = ["x-actor: ann", "x-actor: bob"];
        let answer = ask(&address, &lines(&request, &[&host, JSON, twice[0], twice[1]]), &request.2).await;
        assert!(answer.starts_with("HTTP/1.1 403"), "{answer}");
        assert!(fixtures.ordered().is_empty());
    })
    .await;
}

#[tokio::test]
async fn slow_and_idle_clients_are_let_go() {
    served(Some(BOUNDS), |_, address| async move {
        // Nothing at all, half a head, a head without its body, and a connection that was used once.
        let beginnings = [
            String::new(),
            "GET /v1/sta".to_owned(),
            format!("POST /v1/sagas HTTP/1.1\r\nhost: {address}\r\n{ORDER}\r\n{JSON}\r\ncontent-length: 9\r\n\r\n{{"),
        ];
        for beginning in beginnings {
            let mut socket = TcpStream::connect(&address).await.unwrap();
            socket.write_all(beginning.as_bytes()).await.unwrap();
            let answer = read(&mut socket).await;
            assert!(!answer.contains("HTTP/1.1 2"), "{beginning:?}: {answer}");
        }
        let mut socket = TcpStream::connect(&address).await.unwrap();
        socket.write_all(format!("GET /livez HTTP/1.1\r\nhost: {address}\r\n\r\n").as_bytes()).await.unwrap();
        assert!(read(&mut socket).await.starts_with("HTTP/1.1 200"), "answered, and closed after the silence");
    })
    .await;
}

/// A stream of changes that is open, with its first messages.
async fn stream(address: &str, more: &str) -> (TcpStream, String) {
    let mut socket = TcpStream::connect(address).await.unwrap();
    let head = format!("GET /v1/changes?all&after=0 HTTP/1.1\r\nhost: {address}\r\n{more}\r\n");
    socket.write_all(head.as_bytes()).await.unwrap();
    let first = read(&mut socket).await;
    (socket, first)
}

#[tokio::test]
async fn streams_of_changes_are_bounded_and_go_on_behind_the_last_event_that_a_browser_names() {
    served(Some(BOUNDS), |_, address| async move {
        let (open, first) = stream(&address, "").await;
        assert!(first.starts_with("HTTP/1.1 200") && first.contains("retry: 1000\nid: 0\n\n"), "{first}");
        let (_, refused) = stream(&address, "connection: close\r\n").await;
        assert!(refused.starts_with("HTTP/1.1 503") && refused.contains("streams of changes"), "{refused}");
        drop(open);
        // The place is free when the server has noticed that the reader went away.
        let (mut back, first) = until("a place", async || {
            let (socket, first) = stream(&address, "last-event-id: 2\r\n").await;
            if first.starts_with("HTTP/1.1 200") { Ok((socket, first)) } else { Err(first) }
        })
        .await;
        assert!(first.contains("id: 2\n\n"), "the header is later than the address: {first}");
        let mut text = first;
        while !text.contains("id: 3\ndata: {\"apiVersion\":\"saga/v1\",\"kind\":\"Change\"") {
            text += &read_some(&mut back).await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_server_that_stops_ends_its_streams_at_once() {
    let (tell, told) = tokio::sync::oneshot::channel();
    served(None, |_, address| async move {
        let (socket, _) = stream(&address, "").await;
        let _ = tell.send(socket);
    })
    .await;
    // It has stopped, and within the time for requests under way: the stream has an end, not a break.
    let mut socket = told.await.unwrap();
    let mut rest = Vec::new();
    tokio::time::timeout(TEN, socket.read_to_end(&mut rest)).await.unwrap().unwrap();
    assert!(rest.ends_with(b"0\r\n\r\n"), "{:?}", String::from_utf8_lossy(&rest));
}

#[tokio::test]
async fn a_crowd_does_not_shut_out_those_who_ask_whether_it_is_alive() {
    let bounds = Bounds { head: TEN * 6, ..BOUNDS };
    served(Some(bounds), |_, address| async move {
        let mut crowd = Vec::new();
        for _ in 0..bounds.connections {
            // A first answer shows that the connection has its place.
            let mut socket = TcpStream::connect(&address).await.unwrap();
            socket.write_all(format!("GET /livez HTTP/1.1\r\nhost: {address}\r\n\r\n").as_bytes()).await.unwrap();
            let mut first = [0; 12];
            socket.read_exact(&mut first).await.unwrap();
            assert_eq!(&first, b"HTTP/1.1 200");
            crowd.push(socket);
        }
        // More than there are places of any kind, which ask nothing.
        for _ in 0..bounds.health + 5 {
            crowd.push(TcpStream::connect(&address).await.unwrap());
        }
        let host = format!("host: {address}");
        let get = |path: &str| lines(&("GET".to_owned(), path.to_owned(), String::new()), &[&host]);
        assert!(ask(&address, &get("/livez"), "").await.starts_with("HTTP/1.1 200"));
        assert!(ask(&address, &get("/readyz"), "").await.starts_with("HTTP/1.1 "));
        let answer = ask(&address, &get("/v1/sagas"), "").await;
        assert!(answer.starts_with("HTTP/1.1 503") && answer.contains("SG0211"), "{answer}");
        drop(crowd);
        // Places are free again as soon as the server has seen that they left.
        let is_free = async || {
            let answer = ask(&address, &get("/v1/sagas"), "").await;
            if answer.starts_with("HTTP/1.1 200") { Ok(()) } else { Err(answer) }
        };
        until("a place that is free again", is_free).await;
    })
    .await;
}
