//! The client half: a `Control` that asks a server over a loopback connection.

use crate::query;
use crate::server::POLL_MS_MAX;
use crate::wire::{self, ACTOR_HEADER, ErrorBody, LAST_EVENT_HEADER, PROCESS_HEADER, REQUEST_HEADER};
use crate::{body, guard};
use async_trait::async_trait;
use reqwest::{Method, RequestBuilder, StatusCode};
use saga_core::codes;
use saga_core::control::{
    AwaitSaga, Changes, Control, ControlError, Look, ORDER_ANSWERED_WITHIN, Order, Receipt, View, Watch, ask,
};
use saga_core::envelope::Actor;
use saga_core::view::SagaShow;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

/// Added to a long poll's own time before the client gives up on the connection.
const POLL_GRACE: Duration = Duration::from_secs(5);

/// 10 minutes: checking every promise reads every log.
const VERIFY_WITHIN: Duration = Duration::from_secs(600);

/// How long requests may take. The default waits for an order until the server must have answered, and half as long for
/// a look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Within {
    /// For a look.
    pub look: Duration,
    /// For an order.
    pub order: Duration,
}

impl Default for Within {
    fn default() -> Self {
        Self { look: Duration::from_secs(10), order: ORDER_ANSWERED_WITHIN + POLL_GRACE }
    }
}
impl From<Duration> for Within {
    fn from(all: Duration) -> Self {
        Self { look: all, order: all }
    }
}

/// Asks a server.
#[derive(Debug, Clone)]
pub struct AdminClient {
    http: reqwest::Client,
    url: String,
    within: Within,
    process: Option<String>,
}

impl AdminClient {
    /// A client for `url` (`http://127.0.0.1:7420`); each request may take its time, a long poll its own time and more.
    /// No proxy is used, and only loopback addresses are: names and payloads would travel in the clear.
    pub fn new(url: &str, within: impl Into<Within>) -> Result<Self, ControlError> {
        let within = within.into();
        let (url, address) = loopback(url)?;
        let mut http = reqwest::Client::builder()
            .no_proxy()
            .connect_timeout(within.look)
            .redirect(reqwest::redirect::Policy::none());
        if let Some(port) = address {
            // Nobody is asked where this name leads.
            let here = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
            http = http.resolve_to_addrs("localhost", &here.map(|ip| SocketAddr::new(ip, port)));
        }
        let http = http
            .build()
            .map_err(|error| ControlError::new(codes::INTERNAL, format!("no client for {url}: {error}")))?;
        Ok(Self { http, url, within, process: None })
    }
    /// Asks this process, and no other one that answers there.
    #[must_use]
    pub fn of_process(self, process: Option<String>) -> Self {
        Self { process, ..self }
    }
    fn meant(&self, request: RequestBuilder) -> RequestBuilder {
        self.process.iter().fold(request, |request, process| request.header(PROCESS_HEADER, process))
    }
    /// Where it asks.
    pub fn url(&self) -> &str {
        &self.url
    }
    /// Whether a process answers there at all. Asks for nothing else, so what the process waits for does not matter.
    pub async fn is_alive(&self) -> bool {
        self.says_ok("/livez").await
    }
    /// Whether the process there says that it is fit to serve.
    pub async fn is_ready(&self) -> bool {
        self.says_ok("/readyz").await
    }
    async fn says_ok(&self, path: &str) -> bool {
        let request = self.meant(self.http.get(format!("{}{path}", self.url))).timeout(self.within.look);
        let Ok(response) = request.send().await else { return false };
        // One that does not know what is meant does not refuse it.
        let answers = response.headers().get(PROCESS_HEADER).and_then(|process| process.to_str().ok());
        let is_meant = self.process.as_deref().is_none_or(|meant| answers == Some(meant));
        response.status() == StatusCode::OK && is_meant
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
            self.meant(self.http.request(method, format!("{}{path}", self.url))).header(ACTOR_HEADER, name);
        request = match more {
            More::Nothing => request.timeout(self.within.look),
            More::Poll(wait) => request.timeout(wait + POLL_GRACE),
            More::Order { request: id, if_rev, body } => {
                let tag = if_rev.map(|rev| format!("\"{rev}\""));
                tag.into_iter()
                    .fold(request, |request, tag| request.header("if-match", tag))
                    .timeout(self.within.order)
                    .header(REQUEST_HEADER, id)
                    .header("content-type", "application/json")
                    .body(body)
            }
        };
        let response = request.send().await.map_err(|error| self.unreachable(&error))?;
        let status = response.status();
        let text = response.text().await.map_err(|error| self.unreachable(&error))?;
        if status.is_success() {
            return Ok((status, text));
        }
        Err(self.refused(status, &text))
    }
    /// A stream of changes that is open, behind a cursor or as it is asked for.
    pub(crate) async fn stream(
        &self,
        by: &Actor,
        what: &Watch,
        after: Option<&str>,
    ) -> Result<reqwest::Response, ControlError> {
        let asked = what.written().map_err(|error| unwritten(&error))?;
        let request = self.meant(self.http.get(format!("{}{}", self.url, query::path(&asked))));
        let request = request.header(ACTOR_HEADER, query::encode(&by.id));
        let request = after.into_iter().fold(request, |request, cursor| request.header(LAST_EVENT_HEADER, cursor));
        let answered = tokio::time::timeout(self.within.look, request.send()).await;
        let response = answered.map_err(|_| self.late())?.map_err(|error| self.unreachable(&error))?;
        if response.status().is_success() {
            return Ok(response);
        }
        let status = response.status();
        let text = response.text().await.map_err(|error| self.unreachable(&error))?;
        Err(self.refused(status, &text))
    }
    pub(crate) fn within(&self) -> Within {
        self.within
    }
    fn refused(&self, status: StatusCode, text: &str) -> ControlError {
        match serde_json::from_str::<ErrorBody>(text) {
            Ok(body) => body.into_error(),
            Err(_) => self.strange(&format!("status {status}")),
        }
    }
    fn late(&self) -> ControlError {
        ControlError::new(codes::UNREACHABLE, format!("no answer from {} in time", self.url))
            .hint("an order may have been accepted: repeat it with the same request id")
            .hint("a longer time: --timeout 1m")
    }
    fn unreachable(&self, error: &reqwest::Error) -> ControlError {
        if error.is_timeout() && !error.is_connect() {
            return self.late();
        }
        let says = root(error);
        ControlError::new(codes::UNREACHABLE, format!("nobody answers at {}: {says}", self.url))
            .hint("start one            sagactl dev")
            .hint("or name another      --url http://127.0.0.1:PORT")
    }
    pub(crate) fn strange(&self, what: &str) -> ControlError {
        ControlError::new(codes::UNREACHABLE, format!("{} does not answer like a sagactl: {what}", self.url))
            .hint("another program may use this port")
    }
}

/// The address of a server on this machine, and its port where the host is a name. A login, a path or a query in it
/// would be a trick or a mistake.
fn loopback(text: &str) -> Result<(String, Option<u16>), ControlError> {
    let parsed = reqwest::Url::parse(text);
    let refused = || {
        // Only where it leads is repeated: a login stands before that, and a token behind it.
        let place = parsed.as_ref().ok().filter(|_| !text.contains('@'));
        let place = place.and_then(|url| Some(format!("{}://{}", url.scheme(), url.host_str()?)));
        let shown = place.unwrap_or_else(|| "this".to_owned());
        ControlError::new(codes::USAGE, format!("{shown} is not an http address on this machine"))
            .hint("for example http://127.0.0.1:7420, with nothing behind it; reach other machines through a tunnel")
    };
    let Ok(url) = &parsed else { return Err(refused()) };
    let bare = url.username().is_empty() && url.password().is_none() && !text.contains('@');
    let only = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
    let host = url.host_str().unwrap_or_default();
    if url.scheme() != "http" || !bare || !only || !guard::is_loopback(host) {
        return Err(refused());
    }
    let named = (host == "localhost").then(|| url.port_or_known_default()).flatten();
    Ok((url.origin().ascii_serialization(), named))
}

/// What a request carries beside its path.
enum More {
    Nothing,
    Poll(Duration),
    Order { request: String, if_rev: Option<u64>, body: String },
}

/// The innermost source: "connection refused" instead of three layers of "error sending request".
fn root(error: &reqwest::Error) -> String {
    let mut source: &dyn std::error::Error = error;
    while let Some(inner) = source.source() {
        source = inner;
    }
    source.to_string()
}

fn unwritten(error: &serde_json::Error) -> ControlError {
    ControlError::new(codes::INTERNAL, format!("a look cannot be written: {error}"))
}

/// Where an order goes, and what goes with it.
fn written(order: &Order) -> Result<(String, More), ControlError> {
    let (path, body) = body::write(order)
        .map_err(|error| ControlError::new(codes::INTERNAL, format!("the order cannot be written: {error}")))?;
    Ok((path, More::Order { request: order.request.to_string(), if_rev: order.if_rev, body }))
}

#[async_trait]
impl Control for AdminClient {
    async fn look(&self, by: &Actor, what: Look) -> Result<View, ControlError> {
        let (method, path, more) = match &what {
            Look::Preview(ask::Preview(order)) => {
                let (path, more) = written(order)?;
                (Method::POST, format!("{path}?preview=true"), more)
            }
            other => {
                let Some(asked) = other.written().map_err(|error| unwritten(&error))? else {
                    return Err(ControlError::new(codes::NO_ROUTE, "this look has no address"));
                };
                match asked.method {
                    ask::Method::Get => (Method::GET, query::path(&asked), More::Nothing),
                    ask::Method::Post => (Method::POST, query::path(&asked), More::Poll(VERIFY_WITHIN)),
                }
            }
        };
        let (_, text) = self.send(by, method, &path, more).await?;
        wire::decode(&text).map_err(|error| self.strange(&error.to_string()))
    }
    async fn act(&self, by: &Actor, order: Order) -> Result<Receipt, ControlError> {
        let (path, more) = written(&order)?;
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
    async fn watch(&self, by: &Actor, what: Watch) -> Result<Box<dyn Changes>, ControlError> {
        self.follow(by, what).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_is_waited_for_until_the_server_must_have_answered() {
        assert!(Within::default().order > ORDER_ANSWERED_WITHIN, "or nobody hears that the outcome is not known");
        let asked = Duration::from_secs(3);
        assert_eq!(Within::from(asked), Within { look: asked, order: asked }, "a time that was given is kept");
    }

    #[test]
    fn an_address_is_parsed_and_not_looked_at() {
        for (text, wanted) in [
            ("http://127.0.0.1:7420", "http://127.0.0.1:7420"),
            ("http://127.0.0.1:7420/", "http://127.0.0.1:7420"),
            ("http://[::1]:7420", "http://[::1]:7420"),
            ("http://localhost:1", "http://localhost:1"),
            ("HTTP://LocalHost:1", "http://localhost:1"),
        ] {
            assert_eq!(loopback(text).map(|(url, _)| url), Ok(wanted.to_owned()));
        }
        for text in [
            "http://127.0.0.1:1@192.0.2.2:26200",
            "http://127.0.0.1@192.0.2.2",
            "http://@127.0.0.1:1",
            "http://u:p@127.0.0.1:1",
            "http://127.0.0.1:1\\@192.0.2.2",
            "http:\\\\192.0.2.2",
            "http://192.0.2.2#@127.0.0.1",
            "http://192.0.2.2?x=127.0.0.1",
            "http://127.0.0.1.evil.example:1",
            "http://[::1].evil.example",
            "http://localhost.evil.example",
            "http://127.0.0.1:1/v1",
            "http://127.0.0.1:1/?x",
            "https://127.0.0.1:1",
            "ftp://127.0.0.1:1",
            "127.0.0.1:1",
            "",
        ] {
            assert_eq!(loopback(text).map_err(|error| error.code), Err("SG0301".to_owned()), "{text}");
        }
    }
}
