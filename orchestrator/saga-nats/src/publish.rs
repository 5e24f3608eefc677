//! Publishing: events in a window with their sequences expected, everything else one by one. Nothing is taken as
//! published before the broker says so.

use crate::api::ApiError;
use crate::event::{self, Outgoing};
use crate::link::REMADE;
use crate::subject::stream_of;
use crate::{Inner, lock};
use async_nats::{Client, Message, Request, RequestErrorKind, StatusCode, Subscriber};
use futures::{FutureExt, StreamExt};
use saga_core::bus::BusError;
use saga_core::envelope::Recorded;
use serde::Deserialize;
use std::sync::Arc;
use tokio::sync::watch;

/// 512 publishes in flight: enough to hide a network, few enough that acknowledgements do not starve the connection.
pub const WINDOW: u64 = 512;
/// The broker's number for "that sequence does not follow".
const WRONG_LAST_SEQUENCE: u64 = 10_071;

/// The acknowledgement of a publish.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct PubAck {
    pub(crate) seq: u64,
    #[serde(default)]
    pub(crate) duplicate: bool,
}
#[derive(Deserialize)]
struct Answer {
    error: Option<Fault>,
    seq: Option<u64>,
    #[serde(default)]
    duplicate: bool,
}
#[derive(Deserialize)]
struct Fault {
    #[serde(default)]
    err_code: u64,
    #[serde(default)]
    description: String,
}

/// What the broker said to a publish.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Said {
    Stored(PubAck),
    NoStream,
    OutOfSequence,
    Refused(String),
}
fn read(message: &Message) -> Said {
    if message.status == Some(StatusCode::NO_RESPONDERS) {
        return Said::NoStream;
    }
    match serde_json::from_slice::<Answer>(&message.payload) {
        Ok(Answer { error: Some(fault), .. }) if fault.err_code == WRONG_LAST_SEQUENCE => Said::OutOfSequence,
        Ok(Answer { error: Some(fault), .. }) => Said::Refused(format!("{} ({})", fault.description, fault.err_code)),
        Ok(Answer { seq: Some(seq), duplicate, .. }) => Said::Stored(PubAck { seq, duplicate }),
        Ok(_) => Said::Refused("an answer without a sequence".to_owned()),
        Err(why) => Said::Refused(why.to_string()),
    }
}

/// Publishes the events of one module; one call at a time.
pub(crate) struct Publisher {
    inbox: String,
    answers: Option<Subscriber>,
    /// Which client has subscribed to them.
    client: u64,
    calls: u64,
}

/// Why a window broke off.
enum Broken {
    /// The first event that the broker did not take because of its sequence.
    Sequence(u64),
    NoStream,
    Other(String),
}

impl Publisher {
    fn new(client: &Client) -> Self {
        Self { inbox: client.new_inbox(), answers: None, client: 0, calls: 0 }
    }
    /// Publishes all events, [`WINDOW`] of them in flight, and waits for every answer. Answers to an earlier call, which
    /// was given up, are told by its number and passed over.
    async fn publish(&mut self, inner: &Inner, module: &str, events: &[Recorded]) -> Result<(), Broken> {
        let away = |why: &dyn std::fmt::Display| Broken::Other(why.to_string());
        let client = inner.link.ready().await;
        let of = inner.link.replaced();
        let answers = match self.answers.take().filter(|_| self.client == of) {
            Some(answers) => answers,
            None => client.subscribe(format!("{}.>", self.inbox)).await.map_err(|why| away(&why))?,
        };
        let answers = self.answers.insert(answers);
        self.client = of;
        self.calls += 1;
        let (prefix, losses) = (format!("{}.{}.", self.inbox, self.calls), inner.link.losses());
        let mut window = Window { prefix, answers, losses, open: 0, broken: None };
        let bytes_max = client.max_payload();
        for event in events {
            let Some(seq) = event::sequence(event) else { continue };
            while window.open >= WINDOW {
                window.answer(inner).await;
            }
            window.take_what_is_here();
            if window.broken.is_some() {
                break;
            }
            let out = event::encode(&inner.subjects, module, event, bytes_max);
            let reply = format!("{}{seq}", window.prefix);
            let sent = client.publish_with_reply_and_headers(out.subject, reply, out.headers, out.body);
            match tokio::time::timeout(inner.options.answer_within, sent).await {
                Ok(Ok(())) => window.open += 1,
                Ok(Err(why)) => window.breaks(away(&why)),
                Err(_) => window.breaks(Broken::Other("no connection to the broker".to_owned())),
            }
        }
        while window.open > 0 {
            window.answer(inner).await;
        }
        let broken = window.broken.take();
        if matches!(broken, Some(Broken::Other(_))) {
            // Perhaps a dead connection's.
            self.answers = None;
        }
        broken.map_or(Ok(()), Err)
    }
}

struct Window<'a> {
    prefix: String,
    answers: &'a mut Subscriber,
    losses: watch::Receiver<u64>,
    open: u64,
    /// The first reason counts: those behind it only follow.
    broken: Option<Broken>,
}
impl Window<'_> {
    fn breaks(&mut self, why: Broken) {
        let earlier = match (&self.broken, &why) {
            // Answers come in order, but a refused one may overtake a stored one.
            (Some(Broken::Sequence(known)), Broken::Sequence(new)) => new < known,
            (Some(_), _) => false,
            (None, _) => true,
        };
        if earlier {
            self.broken = Some(why);
        }
    }
    /// Waits for one answer; without any, nothing that is open can be known.
    async fn answer(&mut self, inner: &Inner) {
        let next = tokio::time::timeout(inner.options.answer_within, self.answers.next());
        let next = tokio::select! {
            biased;
            next = next => next,
            Ok(()) = self.losses.changed() => return self.give_up(REMADE),
        };
        match next {
            Ok(Some(message)) => self.take(&message),
            Ok(None) => self.give_up("the connection has ended"),
            Err(_) => self.give_up("the broker did not acknowledge in time"),
        }
    }
    fn take_what_is_here(&mut self) {
        while let Some(Some(message)) = self.answers.next().now_or_never() {
            self.take(&message);
        }
    }
    fn give_up(&mut self, why: &str) {
        self.open = 0;
        self.breaks(Broken::Other(why.to_owned()));
    }
    fn take(&mut self, message: &Message) {
        let seq = message.subject.strip_prefix(&self.prefix).and_then(|seq| seq.parse::<u64>().ok());
        let Some(seq) = seq else { return };
        self.open = self.open.saturating_sub(1);
        match read(message) {
            Said::Stored(ack) if ack.seq == seq => {}
            Said::Stored(_) | Said::OutOfSequence => self.breaks(Broken::Sequence(seq)),
            Said::NoStream => self.breaks(Broken::NoStream),
            Said::Refused(why) => self.breaks(Broken::Other(why)),
        }
    }
}

impl Inner {
    pub(crate) async fn publish_events(&self, module: &str, events: &[Recorded]) -> Result<u64, BusError> {
        let Some(last) = events.iter().rev().find_map(event::sequence) else {
            return Ok(self.stream_tip(module).await?);
        };
        let publisher = {
            let mut publishers = lock(&self.publishers);
            let fresh = || Arc::new(tokio::sync::Mutex::new(Publisher::new(&self.link.client())));
            Arc::clone(publishers.entry(module.to_owned()).or_insert_with(fresh))
        };
        let published = publisher.lock().await.publish(self, module, events).await;
        match published {
            Ok(()) => Ok(last),
            Err(Broken::Sequence(got)) => {
                let last = self.stream_tip(module).await?;
                Err(BusError::OutOfSequence { module: module.to_owned(), last, got })
            }
            Err(Broken::NoStream) => {
                self.recreate(&stream_of(module)).await?;
                Err(BusError::Unavailable(format!("the stream of {module} was missing; it is empty now")))
            }
            Err(Broken::Other(why)) => Err(BusError::Unavailable(why)),
        }
    }
    async fn stream_tip(&self, module: &str) -> Result<u64, ApiError> {
        Ok(self.api.stream(&stream_of(module), None).await?.map_or(0, |info| info.last))
    }
    /// Publishes one message and waits for its acknowledgement. A stream that is missing is created once.
    pub(crate) async fn publish_one(&self, stream: &str, out: &Outgoing) -> Result<PubAck, BusError> {
        match self.try_publish(out).await? {
            Said::Stored(ack) => return Ok(ack),
            Said::NoStream => self.recreate(stream).await?,
            Said::OutOfSequence => return Err(BusError::Unavailable("out of sequence".to_owned())),
            Said::Refused(why) => return Err(BusError::Unavailable(why)),
        }
        match self.try_publish(out).await? {
            Said::Stored(ack) => Ok(ack),
            other => Err(BusError::Unavailable(format!("{stream}: {other:?}"))),
        }
    }
    async fn try_publish(&self, out: &Outgoing) -> Result<Said, BusError> {
        let request = Request::new().payload(out.body.clone()).headers(out.headers.clone());
        let request = request.timeout(Some(self.options.answer_within));
        let client = self.link.ready().await;
        let sent = client.send_request(out.subject.clone(), request);
        let Some(sent) = self.link.answer(&client, sent).await else {
            return Err(BusError::Unavailable(format!("{}: {REMADE}", out.subject)));
        };
        match sent {
            Ok(message) => Ok(read(&message)),
            Err(why) if why.kind() == RequestErrorKind::NoResponders => Ok(Said::NoStream),
            Err(why) => Err(BusError::Unavailable(format!("{}: {why}", out.subject))),
        }
    }
}
