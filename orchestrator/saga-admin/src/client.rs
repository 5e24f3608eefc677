//! The client half: a `Control` that asks a server over a loopback connection.

use crate::query;
use crate::server::POLL_MS_MAX;
use crate::wire::{self, ACTOR_HEADER, ErrorBody, REQUEST_HEADER};
use crate::{body, guard};
use async_trait::async_trait;
use reqwest::{Method, RequestBuilder, StatusCode};
use saga_core::codes;
use saga_core::control::{AwaitSaga, Control, ControlError, Look, Order, Receipt, View};
use saga_core::envelope::Actor;
use saga_core::view::SagaShow;
use std::time::Duration;

/// Added to a long poll's own time before the client gives up on the connection.
const POLL_GRACE: Duration = Duration::from_secs(5);

/// 10 minutes: checking every promise reads every log.
const VERIFY_WITHIN: Duration = Duration::from_secs(600);

/// Asks a server.
#[derive(Debug, Clone)]
pub struct AdminClient {
    http: reqwest::Client,
    url: String,
    timeout: Duration,
}

impl AdminClient {
    /// A client for `url` (`http://127.0.0.1:7420`); each request may take `timeout`, a long poll its own time and more.
    /// No proxy is used, and only loopback addresses are: names and payloads would travel in the clear.
    pub fn new(url: &str, timeout: Duration) -> Result<Self, ControlError> {
        let url = url.trim_end_matches('/');
        let authority = url.strip_prefix("http://").and_then(|rest| rest.split('/').next());
        if !authority.is_some_and(guard::is_loopback) {
            return Err(ControlError::new(codes::USAGE, format!("{url:?} is not an http address on this machine"))
                .hint("for example http://127.0.0.1:7420; reach other machines through a tunnel"));
        }
        let http = reqwest::Client::builder()
            .no_proxy()
            .connect_timeout(timeout)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|error| ControlError::new(codes::INTERNAL, format!("no client for {url}: {error}")))?;
        Ok(Self { http, url: url.to_owned(), timeout })
    }
    /// Where it asks.
    pub fn url(&self) -> &str {
        &self.url
    }
    /// Whether somebody answers there at all.
    pub async fn is_alive(&self) -> bool {
        let request = self.http.get(format!("{}/livez", self.url)).timeout(self.timeout);
        matches!(request.send().await, Ok(response) if response.status() == StatusCode::OK)
    }
    async fn send(
        &self,
        by: &Actor,
        method: Method,
        path: &str,
        more: More,
    ) -> Result<(StatusCode, String), ControlError> {
        let name = query::encode(&by.id);
        let mut request: RequestBuilder =
            self.http.request(method, format!("{}{path}", self.url)).header(ACTOR_HEADER, name);
        request = match more {
            More::Nothing => request.timeout(self.timeout),
            More::Poll(wait) => request.timeout(wait + POLL_GRACE),
            More::Order { request: id, body } => request
                .timeout(self.timeout)
                .header(REQUEST_HEADER, id)
                .header("content-type", "application/json")
                .body(body),
        };
        let response = request.send().await.map_err(|error| self.unreachable(&error))?;
        let status = response.status();
        let text = response.text().await.map_err(|error| self.unreachable(&error))?;
        if status.is_success() {
            return Ok((status, text));
        }
        Err(match serde_json::from_str::<ErrorBody>(&text) {
            Ok(body) => body.into_error(),
            Err(_) => self.strange(&format!("status {status}")),
        })
    }
    fn unreachable(&self, error: &reqwest::Error) -> ControlError {
        if error.is_timeout() && !error.is_connect() {
            return ControlError::new(codes::UNREACHABLE, format!("no answer from {} in time", self.url))
                .hint("an order may have been accepted: repeat it with the same request id")
                .hint("a longer time: --timeout 30s");
        }
        let says = root(error);
        ControlError::new(codes::UNREACHABLE, format!("nobody answers at {}: {says}", self.url))
            .hint("start one            sagactl dev")
            .hint("or name another      --url http://127.0.0.1:PORT")
    }
    fn strange(&self, what: &str) -> ControlError {
        ControlError::new(codes::UNREACHABLE, format!("{} does not answer like a sagactl: {what}", self.url))
            .hint("another program may use this port")
    }
}

/// What a request carries beside its path.
enum More {
    Nothing,
    Poll(Duration),
    Order { request: String, body: String },
}

/// The innermost source: "connection refused" instead of three layers of "error sending request".
fn root(error: &reqwest::Error) -> String {
    let mut source: &dyn std::error::Error = error;
    while let Some(inner) = source.source() {
        source = inner;
    }
    source.to_string()
}

fn path_of(what: &Look) -> (Method, String) {
    let saga = |id: &str, rest: &str| (Method::GET, format!("/v1/sagas/{}{rest}", query::encode(id)));
    match what {
        Look::Sagas(selector) => {
            let query = query::of_selector(selector);
            let mark = if query.is_empty() { "" } else { "?" };
            (Method::GET, format!("/v1/sagas{mark}{query}"))
        }
        Look::Saga { id, data } => saga(id, if *data { "?data=true" } else { "" }),
        Look::History { id, after, limit } => saga(id, &format!("/history?after={after}&limit={limit}")),
        Look::Why { id } => saga(id, "/why"),
        Look::Modules => (Method::GET, "/v1/modules".to_owned()),
        Look::Definitions => (Method::GET, "/v1/definitions".to_owned()),
        Look::Verify => (Method::POST, "/v1/verify".to_owned()),
        Look::Status => (Method::GET, "/v1/status".to_owned()),
    }
}

#[async_trait]
impl Control for AdminClient {
    async fn look(&self, by: &Actor, what: Look) -> Result<View, ControlError> {
        let (method, path) = path_of(&what);
        let more = if what == Look::Verify { More::Poll(VERIFY_WITHIN) } else { More::Nothing };
        let (_, text) = self.send(by, method, &path, more).await?;
        wire::decode(&text).map_err(|error| self.strange(&error.to_string()))
    }
    async fn act(&self, by: &Actor, order: Order) -> Result<Receipt, ControlError> {
        let (path, text) = body::write(&order)
            .map_err(|error| ControlError::new(codes::INTERNAL, format!("the order cannot be written: {error}")))?;
        let more = More::Order { request: order.request.to_string(), body: text };
        let (_, text) = self.send(by, Method::POST, &path, more).await?;
        wire::decode_receipt(&text).map_err(|error| self.strange(&error.to_string()))
    }
    async fn outcome(&self, by: &Actor, of: AwaitSaga, patience: Duration) -> Result<Option<SagaShow>, ControlError> {
        let mut left_ms = u64::try_from(patience.as_millis()).unwrap_or(u64::MAX);
        loop {
            let wait_ms = left_ms.min(POLL_MS_MAX);
            let after = of.after.map(|after| format!("after={after}&")).unwrap_or_default();
            let path = format!("/v1/sagas/{}/outcome?{after}wait_ms={wait_ms}", query::encode(&of.id));
            let more = More::Poll(Duration::from_millis(wait_ms));
            let (status, text) = self.send(by, Method::GET, &path, more).await?;
            if status != StatusCode::NO_CONTENT {
                return wire::decode_saga(&text).map(Some).map_err(|error| self.strange(&error.to_string()));
            }
            left_ms -= wait_ms;
            if left_ms == 0 {
                return Ok(None);
            }
        }
    }
}
