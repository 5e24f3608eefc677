//! Publishing: events in windows with their sequences expected, everything else one by one. Nothing is taken as
//! published before the broker says so.
//!
//! Only the last event of a window asks for an acknowledgement. It speaks for those before it, because each expects the
//! one before it: the sequence by its number, and the event by its id, so that nobody else's message can have taken a
//! place between them. An event that is refused has all behind it refused, the last one too.

use crate::api::ApiError;
use crate::connect::pause_for;
use crate::event::{self, Outgoing};
use crate::headers::put;
use crate::link::REMADE;
use crate::subject::stream_of;
use crate::{Inner, lock};
use async_nats::header::NATS_EXPECTED_LAST_MESSAGE_ID;
use async_nats::{Client, Message, Request, RequestErrorKind, StatusCode, Subscriber};
use futures::StreamExt;
use saga_core::bus::BusError;
use saga_core::envelope::Recorded;
use saga_core::id::EventId;
use serde::Deserialize;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// 512 publishes in flight: enough to hide a network, few enough that a broker takes them all at once (it drops what it
/// has no room for, from 10,000 on).
pub const WINDOW: usize = 512;
/// 500 ms without an acknowledgement, and the stream is asked whether it has what was published: brokers that flush each
/// message are faster than that, and one question costs a slower one nothing.
const LOOK_AFTER: Duration = Duration::from_millis(500);
/// The broker's number for "that sequence does not follow".
const WRONG_LAST_SEQUENCE: u64 = 10_071;
/// And for "that event does not follow".
const WRONG_LAST_ID: u64 = 10_070;
const DOES_NOT_FOLLOW: [u64; 2] = [WRONG_LAST_SEQUENCE, WRONG_LAST_ID];

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

/// The server has no room, or its disk took nothing: JetStream's own numbers.
const NO_ROOM: [u64; 2] = [10_023, 10_077];
/// What a person does then.
const AFTER_NO_ROOM: &str = "; make room on the broker's disk, and restart the broker if it still takes nothing then";

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
        Ok(Answer { error: Some(fault), .. }) if DOES_NOT_FOLLOW.contains(&fault.err_code) => Said::OutOfSequence,
        Ok(Answer { error: Some(fault), .. }) => {
            let next = if NO_ROOM.contains(&fault.err_code) { AFTER_NO_ROOM } else { "" };
            Said::Refused(format!("{} ({}){next}", fault.description, fault.err_code))
        }
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
    /// Windows that asked for an acknowledgement: an answer to an earlier one, which was given up, is passed over.
    windows: u64,
    /// The last window broke off: each event of the next one asks, so that the reason is told of the one it concerns.
    careful: bool,
}

/// Why a window broke off.
enum Broken {
    /// An event that the broker did not take because of what stands before it.
    Sequence(u64),
    NoStream,
    Refused(String),
    Other(String),
}

impl Publisher {
    fn new(client: &Client) -> Self {
        Self { inbox: client.new_inbox(), answers: None, client: 0, windows: 0, careful: false }
    }
    /// Publishes all public events, window by window.
    async fn publish(&mut self, inner: &Inner, module: &str, events: &[Recorded]) -> Result<(), Broken> {
        let mut before = None;
        let size = if self.careful { 1 } else { WINDOW };
        let public: Vec<&Recorded> = events.iter().filter(|event| event::sequence(event).is_some()).collect();
        for window in public.chunks(size) {
            let published = self.window(inner, module, window, before).await;
            self.careful = published.is_err();
            published?;
            before = window.last().map(|event| event.id);
        }
        Ok(())
    }
    /// Publishes a window of events and waits for the answer to the last one. `before` is the event before the window,
    /// where it was published just now.
    async fn window(
        &mut self,
        inner: &Inner,
        module: &str,
        events: &[&Recorded],
        mut before: Option<EventId>,
    ) -> Result<(), Broken> {
        let Some(last) = events.last().and_then(|event| event::sequence(event)) else { return Ok(()) };
        let client = inner.link.ready().await;
        let losses = inner.link.losses();
        let reply = self.listen(&client, inner.link.replaced()).await?;
        let bytes_max = client.max_payload();
        let sending = async {
            for event in events {
                let mut out = event::encode(&inner.subjects, module, event, bytes_max);
                if let Some(before) = before.replace(event.id) {
                    put(&mut out.headers, NATS_EXPECTED_LAST_MESSAGE_ID, &before.to_string());
                }
                if event::sequence(event) == Some(last) {
                    client.publish_with_reply_and_headers(out.subject, reply.clone(), out.headers, out.body).await?;
                } else {
                    client.publish_with_headers(out.subject, out.headers, out.body).await?;
                }
            }
            Ok::<(), async_nats::PublishError>(())
        };
        // The client holds messages back while it is disconnected, and waits when it holds too many.
        match tokio::time::timeout(inner.options.answer_within, sending).await {
            Ok(Ok(())) => self.answer(inner, (&stream_of(module), last), &reply, losses).await,
            Ok(Err(why)) => Err(Broken::Other(why.to_string())),
            Err(_) => Err(Broken::Other("no connection to the broker".to_owned())),
        }
    }
    /// Where the answer to the next window will come. A window that broke off may have died with its connection: after it,
    /// and after a client that was replaced, the answers are subscribed to anew.
    async fn listen(&mut self, client: &Client, of: u64) -> Result<String, Broken> {
        if self.answers.is_none() || self.client != of || self.careful {
            let fresh = client.subscribe(format!("{}.*", self.inbox)).await;
            self.answers = Some(fresh.map_err(|why| Broken::Other(why.to_string()))?);
            self.client = of;
        }
        self.windows += 1;
        Ok(format!("{}.{}", self.inbox, self.windows))
    }
    /// Waits for the answer to the window that ends with `last` in the stream.
    async fn answer(
        &mut self,
        inner: &Inner,
        (stream, last): (&str, u64),
        reply: &str,
        mut losses: watch::Receiver<u64>,
    ) -> Result<(), Broken> {
        let Some(answers) = self.answers.as_mut() else { return Err(Broken::Other("nobody listens".to_owned())) };
        let broken = |why: &str| Err(Broken::Other(why.to_owned()));
        let answer = async {
            loop {
                let message = tokio::select! {
                    biased;
                    message = answers.next() => message,
                    // The answer never comes on the next connection.
                    Ok(()) = losses.changed() => return broken(REMADE),
                };
                match message {
                    None => return broken("the connection has ended"),
                    Some(message) if message.subject.as_str() == reply => return judge(&message, last),
                    Some(_) => {}
                }
            }
        };
        // An acknowledgement may be lost on a connection that lives: the stream says sooner what it has.
        tokio::select! {
            biased;
            answer = answer => answer,
            () = stored(inner, stream, last) => broken("the stream has the last event, and its acknowledgement did not come"),
            () = pause_for(inner.options.answer_within) => broken("the broker did not acknowledge in time"),
        }
    }
}
/// Asks what a stream has until that is this sequence.
async fn stored(inner: &Inner, stream: &str, last: u64) {
    loop {
        pause_for(LOOK_AFTER).await;
        if inner.api.stream(stream, None).await.is_ok_and(|info| info.is_some_and(|info| info.last >= last)) {
            // Events under way when the question was asked come first.
            return pause_for(LOOK_AFTER).await;
        }
    }
}
/// What the answer to a window says that ends with `last`.
fn judge(answer: &Message, last: u64) -> Result<(), Broken> {
    match read(answer) {
        Said::Stored(ack) if ack.seq == last => Ok(()),
        Said::Stored(_) | Said::OutOfSequence => Err(Broken::Sequence(last)),
        Said::NoStream => Err(Broken::NoStream),
        Said::Refused(why) => Err(Broken::Refused(why)),
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
            Err(Broken::Refused(why)) => Err(BusError::Refused(format!("{}: {why}", stream_of(module)))),
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
            Said::Refused(why) => return Err(BusError::Refused(format!("{stream}: {why}"))),
        }
        match self.try_publish(out).await? {
            Said::Stored(ack) => Ok(ack),
            Said::Refused(why) => Err(BusError::Refused(format!("{stream}: {why}"))),
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
