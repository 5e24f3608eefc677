//! The server half: any `Control` behind an axum router on a loopback address; every answer and every error is JSON.

use crate::body::{self, BODY_BYTES_MAX};
use crate::wire::{self, ACTOR_HEADER, ErrorBody, REQUEST_HEADER};
use crate::{guard, query};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, RawQuery, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
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
/// 1.5 s for requests under way when the server is told to stop; whole processes promise to stop within two.
pub const STOP_MS_MAX: u64 = 1_500;

/// A server that is bound and not yet serving.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
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
        Ok(Self { listener, address })
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
        let mut graceful = told.clone();
        let served = axum::serve(self.listener, router(control, told))
            .with_graceful_shutdown(async move {
                // An error means that the sender is gone, which is also the end.
                let _ = graceful.wait_for(|stopping| *stopping).await;
            })
            .into_future();
        let mut served = std::pin::pin!(served);
        tokio::select! {
            ended = &mut served => return ended,
            () = stop => {}
        }
        let _ = tell.send(true);
        tokio::time::timeout(Duration::from_millis(STOP_MS_MAX), served).await.unwrap_or(Ok(()))
    }
}

#[derive(Clone)]
struct App {
    control: Arc<dyn Control>,
    stopping: watch::Receiver<bool>,
}

/// The routes. `stopping` turning true ends long polls.
pub fn router(control: Arc<dyn Control>, stopping: watch::Receiver<bool>) -> Router {
    Router::new()
        .route("/v1/sagas", get(sagas).post(start))
        .route("/v1/sagas/{id}", get(saga))
        .route("/v1/sagas/{id}/history", get(history))
        .route("/v1/sagas/{id}/why", get(why))
        .route("/v1/sagas/{id}/outcome", get(outcome))
        .route("/v1/sagas/{id}/{verb}", post(order))
        .route("/v1/modules", get(modules))
        .route("/v1/definitions", get(definitions))
        .route("/v1/verify", post(verify))
        .route("/v1/status", get(status))
        .route("/livez", get(livez))
        .route("/readyz", get(readyz))
        .fallback(no_route)
        .method_not_allowed_fallback(no_method)
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(axum::middleware::from_fn(guarded))
        .with_state(App { control, stopping })
}

/// Refuses what a page in a browser could send, before any handler sees it.
async fn guarded(request: Request, next: Next) -> Response {
    match guard::check(request.method(), request.headers()) {
        Ok(()) => next.run(request).await,
        Err(error) => failed(&error, None),
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
    json(wire::status_of(code.exit), body)
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

async fn saga(State(app): State<App>, Path(id): Path<String>, headers: HeaderMap, RawQuery(query): RawQuery) -> Answer {
    let mut data = false;
    for (name, value) in query::pairs(query.as_deref().unwrap_or_default())? {
        match name.as_str() {
            "data" => data = query::flag(&name, &value)?,
            _ => return Err(query::unknown(&name, "data").into()),
        }
    }
    looked(&app, &headers, Look::Saga { id, data }).await
}

async fn history(
    State(app): State<App>,
    Path(id): Path<String>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Answer {
    let (mut after, mut limit) = (0, PAGE_MAX);
    for (name, value) in query::pairs(query.as_deref().unwrap_or_default())? {
        let number = || query::number(&name, &value);
        match name.as_str() {
            "after" => after = number()?,
            "limit" => limit = usize::try_from(number()?).unwrap_or(PAGE_MAX).min(PAGE_MAX),
            _ => return Err(query::unknown(&name, "after limit").into()),
        }
    }
    looked(&app, &headers, Look::History { id, after, limit }).await
}

async fn why(State(app): State<App>, Path(id): Path<String>, headers: HeaderMap) -> Answer {
    looked(&app, &headers, Look::Why { id }).await
}

async fn modules(State(app): State<App>, headers: HeaderMap) -> Answer {
    looked(&app, &headers, Look::Modules).await
}

async fn definitions(State(app): State<App>, headers: HeaderMap) -> Answer {
    looked(&app, &headers, Look::Definitions).await
}

async fn verify(State(app): State<App>, headers: HeaderMap) -> Answer {
    looked(&app, &headers, Look::Verify).await
}

async fn status(State(app): State<App>, headers: HeaderMap) -> Answer {
    looked(&app, &headers, Look::Status).await
}

/// `204` says that nothing happened in time: ask again.
async fn outcome(
    State(app): State<App>,
    Path(id): Path<String>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Answer {
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

async fn start(State(app): State<App>, headers: HeaderMap, bytes: BodyIn) -> Answer {
    ordered(&app, &headers, bytes, body::start).await
}

async fn order(
    State(app): State<App>,
    Path((id, verb)): Path<(String, String)>,
    headers: HeaderMap,
    bytes: BodyIn,
) -> Answer {
    ordered(&app, &headers, bytes, |bytes| body::order(id, &verb, bytes)).await
}

async fn ordered<R>(app: &App, headers: &HeaderMap, bytes: BodyIn, read: R) -> Answer
where
    R: FnOnce(&[u8]) -> Result<(Option<String>, What), ControlError>,
{
    let request = guard::request_id(headers)?;
    let with_request = |error: ControlError| Failed(error, Some(request));
    let by: Actor = guard::actor(headers).map_err(with_request)?;
    let bytes = bytes.map_err(|_| with_request(too_large()))?;
    let (reason, what) = read(&bytes).map_err(with_request)?;
    let receipt = app.control.act(&by, Order { request, reason, what }).await.map_err(with_request)?;
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

async fn livez() -> Response {
    json(200, "{\"live\":true}".to_owned())
}

async fn readyz(State(app): State<App>) -> Answer {
    let view = app.control.look(&Actor::system("readyz"), Look::Status).await?;
    let ready = matches!(&view, View::Status(status) if status.ready);
    let text = wire::encode(&view).map_err(|error| internal(&error))?;
    Ok(json(if ready { 200 } else { 503 }, text))
}

async fn no_route(request: Request) -> Failed {
    let message = format!("there is nothing at {}", request.uri().path());
    Failed(ControlError::new(codes::USAGE, message).hint("GET /v1/sagas /v1/modules /v1/definitions /v1/status"), None)
}

async fn no_method(request: Request) -> Failed {
    let message = format!("{} is not for {}", request.method(), request.uri().path());
    Failed(
        ControlError::new(codes::USAGE, message)
            .hint(format!("orders are POST /v1/sagas/{{id}}/{{{}}}; {ACTOR_HEADER} names who", body::VERBS.join("|"))),
        None,
    )
}
