//! The server half: any `Control` behind an axum router on a loopback address; every answer and every error is JSON.

use crate::body::{self, BODY_BYTES_MAX};
use crate::connections::Bounds;
use crate::wire::{self, ACTOR_HEADER, ErrorBody, REQUEST_HEADER};
use crate::{connections, guard, query};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, FromRequestParts, Path, RawQuery, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, post};
use saga_core::codes;
use saga_core::control::{AwaitSaga, Control, ControlError, Look, Order, PAGE_MAX, View, What};
use saga_core::envelope::Actor;
use saga_core::id::RequestId;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch;

/// 25 s: below the half minute after which proxies and clients commonly give up on a silent connection.
pub const POLL_MS_MAX: u64 = 25_000;
/// 30 s for a body: two megabytes from this machine take milliseconds.
pub const BODY_WITHIN: Duration = Duration::from_secs(30);
/// 1.5 s for requests under way when the server is told to stop; whole processes promise to stop within two.
pub const STOP_MS_MAX: u64 = 1_500;

/// A server that is bound and not yet serving.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    bounds: Bounds,
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
        Ok(Self { listener, address, bounds: Bounds::of_process() })
    }
    /// Other bounds than those of [`Bounds::of_process`].
    #[must_use]
    pub fn bounds(self, bounds: Bounds) -> Self {
        Self { bounds, ..self }
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
        let app = App { control, stopping: told.clone(), body_within: self.bounds.body };
        let served = connections::serve(self.listener, (router(app.clone()), health(app)), self.bounds, told);
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

/// Every address: the router is made of this table, and so are its tests.
pub const ROUTES: &[Route] = &[
    Route { path: "/v1/sagas", methods: &["GET", "POST"], serve: || get(sagas).post(start) },
    Route { path: "/v1/sagas/{id}", methods: &["GET"], serve: || get(saga) },
    Route { path: "/v1/sagas/{id}/history", methods: &["GET"], serve: || get(history) },
    Route { path: "/v1/sagas/{id}/why", methods: &["GET"], serve: || get(why) },
    Route { path: "/v1/sagas/{id}/outcome", methods: &["GET"], serve: || get(outcome) },
    Route { path: "/v1/sagas/{id}/{verb}", methods: &["POST"], serve: || post(order) },
    Route { path: "/v1/modules", methods: &["GET"], serve: || get(modules) },
    Route { path: "/v1/definitions", methods: &["GET"], serve: || get(definitions) },
    Route { path: "/v1/verify", methods: &["POST"], serve: || post(verify) },
    Route { path: "/v1/status", methods: &["GET"], serve: || get(status) },
    Route { path: "/livez", methods: &["GET"], serve: || get(livez) },
    Route { path: "/readyz", methods: &["GET"], serve: || get(readyz) },
];

fn router(app: App) -> Router {
    let routes = ROUTES.iter().fold(Router::new(), |router, route| router.route(route.path, (route.serve)()));
    layered(routes.fallback(no_route).method_not_allowed_fallback(no_method), app)
}

/// What connections beyond the bound may ask.
fn health(app: App) -> Router {
    layered(Router::new().route("/livez", get(livez)).route("/readyz", get(readyz)).fallback(too_many), app)
}

fn layered(routes: Router<App>, app: App) -> Router {
    let within = app.body_within;
    routes
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(axum::middleware::from_fn(move |request: Request, next: Next| whole(request, next, within)))
        .layer(axum::middleware::from_fn(guarded))
        .with_state(app)
}

/// Refuses what a page in a browser could send, before any handler sees it.
async fn guarded(request: Request, next: Next) -> Response {
    match guard::check(request.method(), request.uri(), request.headers()) {
        Ok(()) => next.run(request).await,
        Err(error) => failed(&error, None),
    }
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
            Some((name, _)) => Err(query::unknown(name, "no words at all").into()),
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

fn internal(error: &serde_json::Error) -> ControlError {
    ControlError::new(codes::INTERNAL, format!("an answer cannot be written: {error}"))
}

fn seen(view: &View) -> Result<Response, Failed> {
    Ok(json(200, wire::encode(view).map_err(|error| internal(&error))?))
}

async fn looked(app: &App, headers: &HeaderMap, what: Look) -> Result<Response, Failed> {
    let by = guard::actor(headers)?;
    seen(&app.control.look(&by, what).await?)
}

type Answer = Result<Response, Failed>;

async fn sagas(State(app): State<App>, headers: HeaderMap, RawQuery(query): RawQuery) -> Answer {
    let selector = query::selector(query.as_deref().unwrap_or_default())?;
    looked(&app, &headers, Look::Sagas(selector)).await
}

async fn saga(State(app): State<App>, At(id): At<String>, headers: HeaderMap, RawQuery(query): RawQuery) -> Answer {
    let mut data = false;
    for (name, value) in query::pairs(query.as_deref().unwrap_or_default())? {
        match name.as_str() {
            "data" => data = query::flag(&name, &value)?,
            _ => return Err(query::unknown(&name, "data").into()),
        }
    }
    let by = guard::actor(&headers)?;
    let view = app.control.look(&by, Look::Saga { id, data }).await?;
    let mut response = seen(&view)?;
    // What an order can be bound to with `If-Match`.
    if let View::Saga(show) = &view
        && let Ok(tag) = format!("\"{}\"", show.rev).parse()
    {
        response.headers_mut().insert(header::ETAG, tag);
    }
    Ok(response)
}

async fn history(State(app): State<App>, At(id): At<String>, headers: HeaderMap, RawQuery(query): RawQuery) -> Answer {
    let (mut after, mut limit) = (0, PAGE_MAX);
    for (name, value) in query::pairs(query.as_deref().unwrap_or_default())? {
        match name.as_str() {
            "after" => after = query::number(&name, &value)?,
            "limit" => limit = query::limit(&name, &value)?,
            _ => return Err(query::unknown(&name, "after limit").into()),
        }
    }
    looked(&app, &headers, Look::History { id, after, limit }).await
}

async fn why(State(app): State<App>, At(id): At<String>, headers: HeaderMap, _: Bare) -> Answer {
    looked(&app, &headers, Look::Why { id }).await
}

async fn modules(State(app): State<App>, headers: HeaderMap, _: Bare) -> Answer {
    looked(&app, &headers, Look::Modules).await
}

async fn definitions(State(app): State<App>, headers: HeaderMap, _: Bare) -> Answer {
    looked(&app, &headers, Look::Definitions).await
}

async fn verify(State(app): State<App>, headers: HeaderMap, _: Bare) -> Answer {
    looked(&app, &headers, Look::Verify).await
}

async fn status(State(app): State<App>, headers: HeaderMap, _: Bare) -> Answer {
    looked(&app, &headers, Look::Status).await
}

/// `204` says that nothing happened in time: ask again.
async fn outcome(State(app): State<App>, At(id): At<String>, headers: HeaderMap, RawQuery(query): RawQuery) -> Answer {
    let by = guard::actor(&headers)?;
    let (mut after, mut wait_ms) = (None, POLL_MS_MAX);
    for (name, value) in query::pairs(query.as_deref().unwrap_or_default())? {
        match name.as_str() {
            "after" => after = Some(query::number(&name, &value)?),
            "wait_ms" => wait_ms = query::number(&name, &value)?.min(POLL_MS_MAX),
            _ => return Err(query::unknown(&name, "after wait_ms").into()),
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
        Some(saga) => seen(&View::Saga(Box::new(saga))),
        None => Ok(StatusCode::NO_CONTENT.into_response()),
    }
}

type BodyIn = Result<Bytes, axum::extract::rejection::BytesRejection>;

async fn start(State(app): State<App>, headers: HeaderMap, RawQuery(query): RawQuery, bytes: BodyIn) -> Answer {
    if let Some((name, _)) = query::pairs(query.as_deref().unwrap_or_default())?.first() {
        return Err(query::unknown(name, "no words at all: a start cannot be foreseen").into());
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
            "preview" => preview = query::flag(&name, &value)?,
            _ => return Err(query::unknown(&name, "preview").into()),
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
        let foreseen = app.control.look(&by, Look::Preview(Box::new(order))).await.map_err(with_request)?;
        return seen(&foreseen);
    }
    let receipt = app.control.act(&by, order).await.map_err(with_request)?;
    let text = wire::encode_receipt(&receipt).map_err(|error| with_request(internal(&error)))?;
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
    let view = app.control.look(&Actor::system("readyz"), Look::Status).await?;
    let ready = matches!(&view, View::Status(status) if status.ready);
    let text = wire::encode(&view).map_err(|error| internal(&error))?;
    Ok(json(if ready { 200 } else { 503 }, text))
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
    let hint = format!("orders are POST /v1/sagas/{{id}}/{{{}}}; {ACTOR_HEADER} names who", body::VERBS.join("|"));
    Failed(ControlError::new(codes::NO_METHOD, message).hint(hint), None)
}
