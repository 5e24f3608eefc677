//! The server half: any `Control` behind an axum router on a loopback address; every answer and every error is JSON.

use crate::body::{self, BODY_BYTES_MAX};
use crate::connections::Bounds;
use crate::metrics::{self, OpenConnections};
use crate::wire::{self, ACTOR_HEADER, ErrorBody, PROCESS_HEADER, REQUEST_HEADER};
use crate::{connections, guard, query, sse};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, FromRequestParts, Path, RawQuery, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, post};
use saga_core::codes;
use saga_core::control::ask::{Addressed, Ask, Listed, Seen, Visit};
use saga_core::control::{
    Asks, AwaitSaga, Control, ControlError, Order, OrderKind, Watch, WatchSaga, WatchSagas, What, ask, words,
};
use saga_core::envelope::Actor;
use saga_core::id::RequestId;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};

/// 25 s: below the half minute after which proxies and clients commonly give up on a silent connection.
pub const POLL_MS_MAX: u64 = 25_000;
/// 30 s for a body: two megabytes from this machine take milliseconds.
pub const BODY_WITHIN: Duration = Duration::from_secs(30);
/// 10 minutes, then a reader of changes comes back with its cursor: a stream ends by itself before its connection is cut off.
const STREAM_WITHIN: Duration = Duration::from_secs(600);
const _: () =
    assert!(STREAM_WITHIN.as_secs() + 2 * sse::HEARTBEAT.as_secs() < connections::CONNECTION_WITHIN.as_secs());
/// 1.5 s for requests under way when the server is told to stop; whole processes promise to stop within two.
pub const STOP_MS_MAX: u64 = 1_500;

/// A server that is bound and not yet serving.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    bounds: Bounds,
    process: Arc<str>,
}

impl Server {
    /// Takes a loopback address; port 0 takes a free one. Any other address is refused: there is no authentication yet.
    pub async fn bind(address: SocketAddr) -> Result<Self, ControlError> {
        if !address.ip().is_loopback() {
            return Err(ControlError::new(codes::NOT_ALLOWED, format!("{address} is not a loopback address"))
                .hint("the admin API has no authentication yet; bind 127.0.0.1 and reach it through a tunnel"));
        }
        let listening = |error: std::io::Error| {
            ControlError::new(codes::UNREACHABLE, format!("cannot listen on {address}: {error}"))
                .hint("another process may use the port; port 0 takes a free one")
        };
        let listener = TcpListener::bind(address).await.map_err(listening)?;
        let address = listener.local_addr().map_err(listening)?;
        // Another one at each start, also on the same port.
        let process = uuid::Uuid::new_v7(uuid::Timestamp::from_unix(uuid::NoContext, 0, 0)).simple().to_string();
        Ok(Self { listener, address, bounds: Bounds::of_process(), process: process.into() })
    }
    /// Other bounds than those of [`Bounds::of_process`].
    #[must_use]
    pub fn bounds(self, bounds: Bounds) -> Self {
        Self { bounds, ..self }
    }
    /// The id of this server: a folder names it, and who found it there means no other one.
    pub fn process(&self) -> &str {
        &self.process
    }
    /// Where it will answer.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
    /// Serves until `stop` is ready; then long polls end at once and other requests get [`STOP_MS_MAX`].
    pub async fn run<F>(self, control: Arc<dyn Control>, stop: F) -> std::io::Result<()>
    where
        F: Future<Output = ()> + Send,
    {
        let (tell, told) = watch::channel(false);
        let open = OpenConnections::default();
        let streams = Arc::new(Semaphore::new(self.bounds.streams));
        let body_within = self.bounds.body;
        let process = Arc::clone(&self.process);
        let app = App { control, stopping: told.clone(), body_within, open: open.clone(), streams, process };
        let served = connections::serve(self.listener, (router(app.clone()), health(app)), (self.bounds, open), told);
        let mut served = std::pin::pin!(served);
        tokio::select! {
            () = &mut served => return Ok(()),
            () = stop => {}
        }
        let _ = tell.send(true);
        served.await;
        Ok(())
    }
}

#[derive(Clone)]
struct App {
    control: Arc<dyn Control>,
    stopping: watch::Receiver<bool>,
    body_within: Duration,
    open: OpenConnections,
    streams: Arc<Semaphore>,
    process: Arc<str>,
}

/// One address of the API.
pub struct Route {
    /// Its path, with the names of its parts in braces.
    pub path: &'static str,
    /// The methods that it takes.
    pub methods: &'static [&'static str],
    serve: fn() -> MethodRouter<App>,
}

impl std::fmt::Debug for Route {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.methods.join("|"), self.path)
    }
}

/// The addresses that are no looks of their own.
const OTHERS: [Route; 8] = [
    Route { path: WatchSagas::ADDRESS.path, methods: &["GET"], serve: || get(followed::<WatchSagas>) },
    Route { path: WatchSaga::ADDRESS.path, methods: &["GET"], serve: || get(followed::<WatchSaga>) },
    Route { path: "/v1/sagas", methods: &["POST"], serve: || post(start) },
    Route { path: "/v1/sagas/{id}/outcome", methods: &["GET"], serve: || get(outcome) },
    Route { path: "/v1/sagas/{id}/{verb}", methods: &["POST"], serve: || post(order) },
    Route { path: "/livez", methods: &["GET"], serve: || get(livez) },
    Route { path: "/readyz", methods: &["GET"], serve: || get(readyz) },
    Route { path: "/metrics", methods: &["GET"], serve: || get(measured) },
];

/// Every address: the router is made of them, and so are its tests. Two of one path have different methods.
pub fn routes() -> Vec<Route> {
    struct Looks(Vec<Route>);
    impl Visit for Looks {
        fn look<A: Ask + Addressed>(&mut self) {
            let path = A::ADDRESS.path;
            self.0.push(match A::ADDRESS.method {
                ask::Method::Get => Route { path, methods: &["GET"], serve: || get(looked::<A>) },
                ask::Method::Post => Route { path, methods: &["POST"], serve: || post(looked::<A>) },
            });
        }
    }
    let mut looks = Looks(Vec::new());
    ask::every(&mut looks);
    looks.0.extend(OTHERS);
    looks.0
}

fn router(app: App) -> Router {
    let routes = routes().into_iter().fold(Router::new(), |router, route| router.route(route.path, (route.serve)()));
    layered(routes.fallback(no_route).method_not_allowed_fallback(no_method), app)
}

/// What connections beyond the bound may ask.
fn health(app: App) -> Router {
    layered(Router::new().route("/livez", get(livez)).route("/readyz", get(readyz)).fallback(too_many), app)
}

fn layered(routes: Router<App>, app: App) -> Router {
    let (within, process) = (app.body_within, Arc::clone(&app.process));
    routes
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(axum::middleware::from_fn(move |request: Request, next: Next| whole(request, next, within)))
        .layer(axum::middleware::from_fn(move |request: Request, next: Next| {
            guarded(request, next, Arc::clone(&process))
        }))
        .with_state(app)
}

/// Refuses what a page in a browser could send, before any handler sees it.
async fn guarded(request: Request, next: Next, process: Arc<str>) -> Response {
    let checked = guard::check(request.method(), request.uri(), request.headers())
        .and_then(|()| guard::is_meant(request.headers(), &process));
    let mut response = match checked {
        Ok(()) => next.run(request).await,
        Err(error) => failed(&error, None),
    };
    if let Ok(process) = process.parse() {
        response.headers_mut().insert(PROCESS_HEADER, process);
    }
    response
}

/// Reads the body as a whole and in bounded time, before any handler waits for it.
async fn whole(request: Request, next: Next, within: Duration) -> Response {
    let (head, body) = request.into_parts();
    match tokio::time::timeout(within, axum::body::to_bytes(body, BODY_BYTES_MAX)).await {
        Ok(Ok(bytes)) => next.run(Request::from_parts(head, bytes.into())).await,
        Ok(Err(_)) => failed(&too_large(), guard::request_id(&head.headers).ok()),
        Err(_) => {
            let message = format!("the body did not come within {} s", within.as_secs());
            failed(&ControlError::new(codes::INPUT_UNREADABLE, message), guard::request_id(&head.headers).ok())
        }
    }
}

async fn too_many() -> Failed {
    let error = ControlError::new(codes::OVERLOADED, "too many connections are open");
    Failed(error.hint("close some, or try again in a moment; /livez and /readyz are answered meanwhile"), None)
}

/// The parts of a path; what cannot be read is answered like everything else.
struct At<T>(T);

impl<T, S> FromRequestParts<S> for At<T>
where
    T: serde::de::DeserializeOwned + Send,
    S: Send + Sync,
{
    type Rejection = Failed;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failed> {
        let read = Path::<T>::from_request_parts(parts, state).await;
        read.map(|Path(value)| Self(value)).map_err(|_| {
            Failed(ControlError::new(codes::USAGE, "a part of the path is not percent-encoded UTF-8"), None)
        })
    }
}

/// An address that takes no words behind a question mark: one that is ignored would look like an answer to it. That holds for
/// the health routes too: a probe that asks for what they do not tell is seen at its first answer.
struct Bare;

impl<S: Send + Sync> FromRequestParts<S> for Bare {
    type Rejection = Failed;
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failed> {
        match query::pairs(parts.uri.query().unwrap_or_default())?.first() {
            Some((name, _)) => Err(words::unknown(name, "no words at all").into()),
            None => Ok(Self),
        }
    }
}

/// A failure on its way out, with the request it answers.
struct Failed(ControlError, Option<RequestId>);

impl From<ControlError> for Failed {
    fn from(error: ControlError) -> Self {
        Self(error, None)
    }
}
impl IntoResponse for Failed {
    fn into_response(self) -> Response {
        failed(&self.0, self.1)
    }
}

fn failed(error: &ControlError, request: Option<RequestId>) -> Response {
    let code = wire::code_of(error);
    let body = serde_json::to_string(&ErrorBody::of(error, code.exit, request)).unwrap_or_default();
    json(wire::status_of(code), body)
}

fn json(status: u16, body: String) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")];
    (status, headers, body).into_response()
}

fn seen<S: Seen>(view: &S) -> Result<Response, Failed> {
    Ok(json(200, wire::encode(view).map_err(|error| wire::internal(&error))?))
}

type Answer = Result<Response, Failed>;

/// Any look: the parts of its path and the words behind it are its fields.
async fn looked<A: Ask + Addressed>(
    State(app): State<App>,
    At(parts): At<Vec<(String, String)>>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Answer {
    let asked: A = A::ADDRESS.read(parts, query::pairs(query.as_deref().unwrap_or_default())?)?;
    let by = guard::actor(&headers)?;
    let view = app.control.ask(&by, asked).await?;
    let mut response = seen(&view)?;
    // What an order can be bound to with `If-Match`.
    if let Some(rev) = view.rev()
        && let Ok(tag) = format!("\"{rev}\"").parse()
    {
        response.headers_mut().insert(header::ETAG, tag);
    }
    Ok(response)
}

/// Changes as they happen, until the reader goes away, the server stops, or the stream has lasted as long as one may. The
/// cursor of a header is that of a reader who comes back, and later than the one in its address.
async fn followed<W: Addressed + Into<Watch>>(
    State(app): State<App>,
    At(parts): At<Vec<(String, String)>>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Answer {
    let asked: W = W::ADDRESS.read(parts, query::pairs(query.as_deref().unwrap_or_default())?)?;
    let (by, last) = (guard::actor(&headers)?, guard::last_event(&headers)?);
    let asked = last.into_iter().fold(asked.into(), Watch::behind);
    let place = Arc::clone(&app.streams).try_acquire_owned().map_err(|_| {
        ControlError::new(codes::OVERLOADED, "too many streams of changes are open")
            .hint("close some, or ask for lists instead")
    })?;
    let changes = app.control.watch(&by, asked).await?;
    Ok(sse::response(changes, STREAM_WITHIN, place, app.stopping))
}

/// `204` says that nothing happened in time: ask again.
async fn outcome(State(app): State<App>, At(id): At<String>, headers: HeaderMap, RawQuery(query): RawQuery) -> Answer {
    let by = guard::actor(&headers)?;
    let (mut after, mut wait_ms) = (None, POLL_MS_MAX);
    for (name, value) in query::pairs(query.as_deref().unwrap_or_default())? {
        match name.as_str() {
            "after" => after = Some(words::number(&name, &value)?),
            "wait_ms" => wait_ms = words::number(&name, &value)?.min(POLL_MS_MAX),
            _ => return Err(words::unknown(&name, "after wait_ms").into()),
        }
    }
    let mut stopping = app.stopping.clone();
    let patience = Duration::from_millis(wait_ms);
    let found = tokio::select! {
        found = app.control.outcome(&by, AwaitSaga { id, after }, patience) => found?,
        _ = stopping.wait_for(|stopping| *stopping) => {
            return Err(ControlError::new(codes::UNREACHABLE, "the server is stopping").into());
        }
    };
    match found {
        Some(saga) => seen(&Box::new(saga)),
        None => Ok(StatusCode::NO_CONTENT.into_response()),
    }
}

type BodyIn = Result<Bytes, axum::extract::rejection::BytesRejection>;

async fn start(State(app): State<App>, headers: HeaderMap, RawQuery(query): RawQuery, bytes: BodyIn) -> Answer {
    if let Some((name, _)) = query::pairs(query.as_deref().unwrap_or_default())?.first() {
        return Err(words::unknown(name, "no words at all: a start cannot be foreseen").into());
    }
    ordered(&app, &headers, bytes, false, body::start).await
}

async fn order(
    State(app): State<App>,
    At((id, verb)): At<(String, String)>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
    bytes: BodyIn,
) -> Answer {
    let mut preview = false;
    for (name, value) in query::pairs(query.as_deref().unwrap_or_default())? {
        match name.as_str() {
            "preview" => preview = words::flag(&name, &value)?,
            _ => return Err(words::unknown(&name, "preview").into()),
        }
    }
    ordered(&app, &headers, bytes, preview, |bytes| body::order(id, &verb, bytes)).await
}

async fn ordered<R>(app: &App, headers: &HeaderMap, bytes: BodyIn, preview: bool, read: R) -> Answer
where
    R: FnOnce(&[u8]) -> Result<(Option<String>, What), ControlError>,
{
    let request = guard::request_id(headers)?;
    let with_request = |error: ControlError| Failed(error, Some(request));
    let by: Actor = guard::actor(headers).map_err(with_request)?;
    let if_rev = guard::if_match(headers).map_err(with_request)?;
    let bytes = bytes.map_err(|_| with_request(too_large()))?;
    let (reason, what) = read(&bytes).map_err(with_request)?;
    let order = Order { request, reason, if_rev, what };
    if preview {
        let foreseen = app.control.ask(&by, ask::Preview(Box::new(order))).await.map_err(with_request)?;
        return seen(&foreseen);
    }
    let receipt = app.control.act(&by, order).await.map_err(with_request)?;
    let text = wire::encode_receipt(&receipt).map_err(|error| with_request(wire::internal(&error)))?;
    let mut response = json(202, text);
    if let Ok(value) = request.to_string().parse() {
        response.headers_mut().insert(REQUEST_HEADER, value);
    }
    Ok(response)
}

fn too_large() -> ControlError {
    ControlError::new(codes::INPUT_LIMIT, format!("the body is larger than {BODY_BYTES_MAX} bytes, or broke off"))
        .hint("put large content into a file and send where it is")
}

async fn livez(_: Bare) -> Response {
    json(200, "{\"live\":true}".to_owned())
}

async fn readyz(State(app): State<App>, _: Bare) -> Answer {
    let status = app.control.ask(&Actor::system("readyz"), ask::WhoIsThere {}).await?;
    let text = wire::encode(&status).map_err(|error| wire::internal(&error))?;
    Ok(json(if status.ready { 200 } else { 503 }, text))
}

/// What the process counts, as text: a collector of numbers reads it every few seconds, and asks nothing else.
async fn measured(State(app): State<App>, _: Bare) -> Answer {
    let mut samples = app.control.ask(&Actor::system("metrics"), ask::Metrics {}).await?.items;
    samples.push(app.open.sample());
    let headers = [(header::CONTENT_TYPE, metrics::CONTENT_TYPE), (header::CACHE_CONTROL, "no-store")];
    Ok((StatusCode::OK, headers, metrics::text(&samples)).into_response())
}

async fn no_route(request: Request) -> Failed {
    let message = format!("there is nothing at {}", request.uri().path());
    Failed(
        ControlError::new(codes::NO_ROUTE, message).hint("GET /v1/sagas /v1/modules /v1/definitions /v1/status"),
        None,
    )
}

async fn no_method(request: Request) -> Failed {
    let message = format!("{} is not for {}", request.method(), request.uri().path());
    let hint = format!("orders are POST /v1/sagas/{{id}}/{{{}}}; {ACTOR_HEADER} names who", OrderKind::VERBS.join("|"));
    Failed(ControlError::new(codes::NO_METHOD, message).hint(hint), None)
}
