//! One pull at a consumer: asked for, waited for, and never silent. A pull whose heartbeats stay out is broken.

use crate::api::Api;
use async_nats::{Client, Message, StatusCode, Subscriber};
use futures::{FutureExt, StreamExt};
use serde_json::json;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// What is said of a pull that had neither a message nor a heartbeat.
pub(crate) const SILENT: &str = "the broker is silent";

/// 1 s beyond two heartbeats: a busy broker is slow, and not silent.
const SLOW: Duration = Duration::from_secs(1);

/// What a pull brings.
#[derive(Debug)]
pub(crate) enum Got {
    /// A message of the stream.
    Message(Box<Message>),
    /// Nothing yet, and the broker says that it is there.
    Alive,
    /// The pull has ended and may have brought less than it was asked for.
    Ended,
    /// Neither a message nor a heartbeat, for longer than those take.
    Silent,
    /// The consumer has to be checked: deleted, or away.
    Broken(String),
}

/// The pulls of one consumer. At most one is under way.
pub(crate) struct Pull {
    client: Client,
    subject: String,
    inbox: String,
    subscriber: Subscriber,
    number: u64,
    left: usize,
    patience: Duration,
    /// When it is broken unless something comes. It outlives a cancelled wait: a caller that waits in short turns
    /// notices too.
    silent_at: Instant,
    /// A new connection does not know what was asked on the one before.
    losses: watch::Receiver<u64>,
}

impl Pull {
    pub(crate) async fn open(api: &Api, stream: &str, consumer: &str) -> Result<Self, String> {
        let link = &api.link;
        let (client, losses) = (link.ready().await, link.losses());
        let inbox = client.new_inbox();
        let subscriber = client.subscribe(format!("{inbox}.*")).await.map_err(|why| why.to_string())?;
        let subject = format!("{}.CONSUMER.MSG.NEXT.{stream}.{consumer}", api.prefix);
        let (patience, silent_at) = (SLOW, Instant::now() + SLOW);
        Ok(Self { client, subject, inbox, subscriber, number: 0, left: 0, patience, silent_at, losses })
    }
    /// Whether a pull is under way.
    pub(crate) fn is_open(&self) -> bool {
        self.left > 0
    }
    /// Asks for what is there and what comes, at most `batch` messages, for at most `expires`.
    pub(crate) async fn ask(&mut self, batch: usize, expires: Duration, heartbeat: Duration) -> Result<(), String> {
        let nanos = |duration: Duration| u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        let body = json!({ "batch": batch, "expires": nanos(expires), "idle_heartbeat": nanos(heartbeat) });
        let patience = heartbeat * 2 + SLOW;
        let reply = format!("{}.{}", self.inbox, self.number + 1);
        let asked = self.client.publish_with_reply(self.subject.clone(), reply, body.to_string().into());
        // The client holds messages back while it is disconnected, and waits when it holds too many.
        let asked = tokio::time::timeout(patience, asked).await.map_err(|_| "no connection".to_owned())?;
        asked.map_err(|why| why.to_string())?;
        (self.number, self.left, self.patience) = (self.number + 1, batch, patience);
        self.silent_at = Instant::now() + patience;
        Ok(())
    }
    /// Asks for nothing more, and hands out what was on its way. What the broker sends in this very moment may be lost
    /// here; it comes again when its time to be settled ends.
    pub(crate) async fn stop(mut self, patience: Duration) -> Vec<Message> {
        let mut left = Vec::new();
        let heard = async {
            self.subscriber.drain().await.ok()?;
            while let Some(message) = self.subscriber.next().await {
                left.extend(Some(message).filter(|message| place(message).is_some()));
            }
            Some(())
        };
        // A broker that is away has forgotten the question by itself.
        let _: Result<Option<()>, _> = tokio::time::timeout(patience, heard).await;
        left
    }
    /// Waits for what comes next. Cancelling loses nothing.
    pub(crate) async fn next(&mut self) -> Got {
        loop {
            let next = tokio::select! {
                biased;
                next = tokio::time::timeout_at(self.silent_at, self.subscriber.next()) => next,
                Ok(()) = self.losses.changed() => return Got::Broken("the connection or the stream is a new one".to_owned()),
            };
            match next {
                Ok(Some(message)) => {
                    if let Some(got) = self.judge(message) {
                        return got;
                    }
                }
                Ok(None) => return Got::Broken("the connection has ended".to_owned()),
                Err(_) => return Got::Silent,
            }
        }
    }
    /// A message that is here already.
    pub(crate) fn here(&mut self) -> Option<Got> {
        loop {
            let message = self.subscriber.next().now_or_never()?;
            match message.map(|message| self.judge(message)) {
                Some(Some(got)) => return Some(got),
                Some(None) => {}
                None => return Some(Got::Broken("the connection has ended".to_owned())),
            }
        }
    }
    /// `None` is the end of an earlier pull.
    fn judge(&mut self, message: Message) -> Option<Got> {
        self.silent_at = Instant::now() + self.patience;
        // A publisher can put a status into the headers: what has a place in a stream is a message all the same.
        let Some(status) = message.status.filter(|_| place(&message).is_none()) else {
            self.left = self.left.saturating_sub(1);
            return Some(Got::Message(Box::new(message)));
        };
        let current = message.subject.strip_prefix(&self.inbox).and_then(|rest| rest.strip_prefix('.'));
        if current != Some(self.number.to_string().as_str()) {
            return None;
        }
        let words = message.description.as_deref().unwrap_or_default().to_ascii_lowercase();
        let full = words.contains("exceeds maxbytes") || words.contains("batch completed");
        match status {
            StatusCode::IDLE_HEARTBEAT => Some(Got::Alive),
            StatusCode::NOT_FOUND | StatusCode::TIMEOUT => Some(self.ended()),
            status if status.as_u16() == 409 && full => Some(self.ended()),
            StatusCode::NO_RESPONDERS => Some(Got::Broken("the consumer or its stream is missing".to_owned())),
            status => Some(Got::Broken(format!("{} {words}", status.as_u16()))),
        }
    }
    fn ended(&mut self) -> Got {
        self.left = 0;
        Got::Ended
    }
}

/// What the reply subject of a message out of a stream says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    /// Its sequence in the stream.
    pub(crate) seq: u64,
    /// How often it was delivered, this time included.
    pub(crate) times: u32,
}

/// Reads `$JS.ACK.<stream>.<consumer>.<times>.<seq>...`, or the longer form with domain and account before the stream.
pub(crate) fn place(message: &Message) -> Option<Place> {
    let words: Vec<&str> = message.reply.as_deref()?.strip_prefix("$JS.ACK.")?.split('.').collect();
    let at = if words.len() >= 9 { 2 } else { 0 };
    let (times, seq) = (words.get(at + 2)?.parse().ok()?, words.get(at + 3)?.parse().ok()?);
    Some(Place { seq, times })
}
