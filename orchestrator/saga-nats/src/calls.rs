//! Questions and answers over plain request and reply. Queries are a NATS micro service, so that any tool finds them.

use crate::Inner;
use crate::connect::pause_after;
use crate::headers::put;
use crate::link::REMADE;
use crate::readers::{Asked, WISH_BYTES_MAX};
use async_nats::connection::State;
use async_nats::service::{Service, ServiceExt};
use async_nats::{HeaderMap, Message, Request, RequestErrorKind, Subscriber};
use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::{BoxStream, FuturesUnordered, SelectAll};
use futures::{FutureExt, StreamExt};
use saga_core::bus::{Answerer, BusError, Line};
use saga_core::json::{PAYLOAD_BYTES_MAX, Payload};
use saga_core::outcome::Refused;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

/// 256 questions are answered at once; the others wait in the client.
const AT_ONCE: usize = 256;
/// Of the services as they announce themselves; the versions of queries stand in their names.
const SERVICE_VERSION: &str = "1.0.0";
const ERROR: &str = "Nats-Service-Error";
const ERROR_CODE: &str = "Nats-Service-Error-Code";
/// A business no.
const REFUSED: &str = "422";
/// The answer broke.
const BROKEN: &str = "500";
/// The code of a question that cannot be read.
pub(crate) const MALFORMED: &str = "MALFORMED";

/// How the error begins when nobody serves a line.
const NOBODY: &str = "nobody answers";

type Asking = BoxStream<'static, (Question, Answerer)>;
enum Question {
    Query(Box<async_nats::service::Request>),
    Plain(Box<Message>),
}
impl Question {
    fn message(&self) -> &Message {
        match self {
            Question::Query(request) => &request.message,
            Question::Plain(message) => message,
        }
    }
}

/// Takes the announcements down with the server.
struct Announced(Vec<Service>);
impl Drop for Announced {
    fn drop(&mut self) {
        for service in self.0.drain(..) {
            // It waits for nothing: what it sends goes to itself.
            let _stopped = service.stop().now_or_never();
        }
    }
}

fn away(why: impl std::fmt::Display) -> BusError {
    BusError::Unavailable(why.to_string())
}

impl Inner {
    fn subject(&self, line: &Line) -> String {
        match line {
            Line::Group(group) => self.subjects.group_line(*group),
            Line::Query { module, name, version } => self.subjects.query(module, name, *version),
            Line::Readers => self.subjects.read_lines(),
        }
    }
    /// Where older coordinators serve a line, if there may be any.
    fn older_subject(&self, line: &Line) -> Option<String> {
        match line {
            Line::Group(group) if self.options.believes_older() => Some(self.subjects.older_group_line(*group)),
            Line::Group(_) | Line::Query { .. } | Line::Readers => None,
        }
    }
    /// Goes on with every new connection.
    pub(crate) async fn serve(&self, lines: Vec<(Line, Answerer)>) -> Result<(), BusError> {
        if lines.is_empty() {
            return std::future::pending().await;
        }
        for failures in 0.. {
            let Err(why) = self.serve_once(&lines).await else { break };
            tracing::warn!(%why, "questions are not answered now; trying again");
            pause_after(failures).await;
        }
        Ok(())
    }
    async fn serve_once(&self, lines: &[(Line, Answerer)]) -> Result<(), BusError> {
        let mut announced = Announced(Vec::new());
        let mut asked = self.listen(lines.to_vec(), &mut announced).await?;
        let mut answering: FuturesUnordered<BoxFuture<'_, ()>> = FuturesUnordered::new();
        loop {
            tokio::select! {
                Some(()) = answering.next(), if !answering.is_empty() => {}
                next = asked.next(), if answering.len() < AT_ONCE => match next {
                    Some((question, answerer)) => answering.push(self.answer(question, answerer).boxed()),
                    None => return Err(away("the connection has ended")),
                },
            }
        }
    }
    async fn listen(
        &self,
        lines: Vec<(Line, Answerer)>,
        announced: &mut Announced,
    ) -> Result<SelectAll<Asking>, BusError> {
        let client = self.link.ready().await;
        let (mut asked, mut queries) = (SelectAll::new(), BTreeMap::<String, Vec<(Line, Answerer)>>::new());
        for (line, answerer) in lines {
            match &line {
                Line::Query { module, .. } => queries.entry(module.clone()).or_default().push((line, answerer)),
                Line::Group(_) | Line::Readers => {
                    for subject in std::iter::once(self.subject(&line)).chain(self.older_subject(&line)) {
                        // One owner at a time; should there be two for a moment, one of them gets each order.
                        let subscriber = client.queue_subscribe(subject.clone(), subject).await.map_err(away)?;
                        asked.push(plain(subscriber, Arc::clone(&answerer)));
                    }
                }
            }
        }
        for (module, lines) in queries {
            let name = crate::subject::token(&module).into_owned();
            let service = client.service_builder().start(name, SERVICE_VERSION).await.map_err(away)?;
            for (line, answerer) in lines {
                let Line::Query { name, version, .. } = &line else { continue };
                let name = format!("{}-v{version}", crate::subject::token(name));
                let endpoint = service.endpoint_builder().name(name).add(self.subject(&line)).await.map_err(away)?;
                let with = move |request| (Question::Query(Box::new(request)), Arc::clone(&answerer));
                asked.push(endpoint.map(with).boxed());
            }
            announced.0.push(service);
        }
        // Questions after this are heard.
        client.flush().await.map_err(away)?;
        Ok(asked)
    }
    async fn answer(&self, question: Question, answerer: Answerer) {
        let message = question.message();
        // A consumer of a stream can be made to deliver to any line; what it delivers has no inbox to answer to. The server
        // makes one (`_R_`) of an inbox in another account.
        let is_inbox = |reply: &async_nats::Subject| ["_INBOX", "_R_."].iter().any(|start| reply.starts_with(start));
        let Some(reply) = message.reply.clone().filter(is_inbox) else {
            return tracing::error!(subject = %message.subject, reply = ?message.reply, "not a question; passed over");
        };
        let (headers, body) = match self.question(&question) {
            Ok(payload) => match AssertUnwindSafe(answerer(payload)).catch_unwind().await {
                Ok(Ok(answer)) => (HeaderMap::new(), Bytes::copy_from_slice(answer.as_str().as_bytes())),
                Ok(Err(refused)) => refusal(REFUSED, &refused),
                Err(_) => refusal(BROKEN, &Refused::new("PANIC", "the answer panicked")),
            },
            Err(why) => refusal(REFUSED, &Refused::new(MALFORMED, why)),
        };
        let size = body.len();
        let sent = match &question {
            Question::Query(request) => request.respond_with_headers(Ok(body), headers).await,
            Question::Plain(_) => self.link.client().publish_with_headers(reply.clone(), headers, body).await,
        };
        if let Err(why) = sent {
            tracing::error!(%why, size, "an answer could not be sent");
            let (headers, body) = refusal(BROKEN, &Refused::new("TOO_LARGE", format!("{size} bytes: {why}")));
            let _told_or_gone = self.link.client().publish_with_headers(reply, headers, body).await;
        }
    }
    /// What is asked; a reader's wish with what its subject says of it, which the broker has checked.
    fn question(&self, question: &Question) -> Result<Payload, String> {
        let message = question.message();
        if let Some((owner, reader)) = self.subjects.of_read_line(&message.subject) {
            let wish = asked(&message.payload, WISH_BYTES_MAX)?;
            let asked = Asked { owner: owner.to_owned(), reader: reader.to_owned(), wish };
            return Payload::of(&asked).map_err(|why| why.to_string());
        }
        match question {
            Question::Query(_) => asked(&message.payload, PAYLOAD_BYTES_MAX),
            // Coordinators ask each other, in their own account: an input of the largest size stands in what they say.
            Question::Plain(_) => read(&message.payload),
        }
    }
    pub(crate) async fn call(
        &self,
        line: &Line,
        question: &Payload,
        patience: Duration,
    ) -> Result<Result<Payload, Refused>, BusError> {
        let answered = self.call_at(&self.subject(line), question, patience).await;
        match (&answered, self.older_subject(line)) {
            // The owner may be an older coordinator.
            (Err(BusError::Unavailable(why)), Some(older)) if why.starts_with(NOBODY) => {
                self.call_at(&older, question, patience).await
            }
            _ => answered,
        }
    }
    pub(crate) async fn call_at(
        &self,
        subject: &str,
        question: &Payload,
        patience: Duration,
    ) -> Result<Result<Payload, Refused>, BusError> {
        let request = Request::new().payload(Bytes::copy_from_slice(question.as_str().as_bytes()));
        let client = self.link.ready().await;
        // The client keeps requests while it has no connection: an order would be carried out when the connection is
        // back, long after its caller was told that nobody answered.
        if client.connection_state() != State::Connected {
            return Err(away("there is no connection to the broker: nothing was asked"));
        }
        let asking = client.send_request(subject.to_owned(), request.timeout(Some(patience)));
        let silence = |why: String| BusError::Unanswered(format!("{subject}: {why}"));
        let answer = self.link.answer(&client, asking).await.ok_or_else(|| silence(REMADE.to_owned()))?;
        let answer = answer.map_err(|why| match why.kind() {
            RequestErrorKind::NoResponders => away(format!("{NOBODY} {subject}")),
            RequestErrorKind::MaxPayloadExceeded => BusError::Refused(format!("{subject}: {why}")),
            RequestErrorKind::InvalidSubject => away(format!("{subject} cannot be asked: {why}")),
            RequestErrorKind::TimedOut | RequestErrorKind::Other => {
                silence(format!("nothing within {patience:?}: {why}"))
            }
        })?;
        let body = read(&answer.payload).map_err(silence)?;
        let header = |name: &str| answer.headers.as_ref().and_then(|all| all.get(name)).map(|text| text.as_str());
        let Some(code) = header(ERROR_CODE) else { return Ok(Ok(body)) };
        let refused = body.read::<Refused>().unwrap_or_else(|_| Refused::new(header(ERROR).unwrap_or(code), code));
        // Everything that is no business no is weather: the caller may ask again. The answer may have broken after the
        // deed.
        if code == REFUSED { Ok(Err(refused)) } else { Err(silence(format!("{}: {}", refused.code, refused.reason))) }
    }
}

fn plain(subscriber: Subscriber, answerer: Answerer) -> Asking {
    subscriber.map(move |message| (Question::Plain(Box::new(message)), Arc::clone(&answerer))).boxed()
}
fn read(body: &[u8]) -> Result<Payload, String> {
    let text = std::str::from_utf8(body).map_err(|why| why.to_string())?;
    if text.is_empty() {
        return Ok(Payload::null());
    }
    // Pages of events are larger than one event: the size is the broker's business here.
    let _checked: serde_json::Value = serde_json::from_str(text).map_err(|why| why.to_string())?;
    Ok(Payload::trusted(text))
}
/// A question from outside of this program, by the rules of every door: JSON, no member twice, not too deep, of this size at most.
fn asked(body: &[u8], bytes_max: usize) -> Result<Payload, String> {
    if body.len() > bytes_max {
        return Err(format!("it has {} bytes, and at most {bytes_max} are taken", body.len()));
    }
    let text = std::str::from_utf8(body).map_err(|why| why.to_string())?;
    if text.is_empty() { Ok(Payload::null()) } else { Payload::parse(text).map_err(|why| why.to_string()) }
}
/// Reads a question that is an object. A derived reader would take a list as well, by the order of its members, which is
/// nobody's promise.
pub(crate) fn object<T: DeserializeOwned>(asked: &Payload) -> Result<T, String> {
    match asked.as_str().trim_start().starts_with('{') {
        true => asked.read().map_err(|why| why.to_string()),
        false => Err("an object is expected".to_owned()),
    }
}
fn refusal(code: &str, refused: &Refused) -> (HeaderMap, Bytes) {
    let mut headers = HeaderMap::new();
    put(&mut headers, ERROR_CODE, code);
    put(&mut headers, ERROR, &refused.code);
    (headers, serde_json::to_vec(refused).unwrap_or_default().into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, PartialEq, Deserialize)]
    struct Place {
        after: u64,
    }

    #[test]
    fn a_question_is_read_by_the_rules_of_every_door() {
        let read = |body: &[u8]| asked(body, 64).and_then(|asked| object::<Place>(&asked)).ok();
        for fits in ["{\"after\":7}", " { \"after\" : 7 } ", "\u{feff}{\"after\":7}", "{\"after\":7,\"more\":[1]}"] {
            assert_eq!(read(fits.as_bytes()), Some(Place { after: 7 }), "{fits}");
        }
        let (long, deep) = (format!("{{\"after\":7{}}}", " ".repeat(64)), "[".repeat(64));
        for refused in
            ["", "7", "[7]", "after", "{\"after\":7", "{\"after\":7,\"after\":7}", "{\"after\":\"7\"}", &long, &deep]
        {
            assert_eq!(read(refused.as_bytes()), None, "{refused}");
        }
        assert_eq!(read(&[b'{', 0xff, b'}']), None);
    }
}
