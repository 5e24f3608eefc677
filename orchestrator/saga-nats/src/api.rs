//! The few requests to the JetStream API that a bus needs, as exact subjects: a credential can be cut to them.

use crate::link::{Link, REMADE};
use async_nats::{HeaderMap, Request, RequestErrorKind};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use saga_core::bus::BusError;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

const STREAM_NOT_FOUND: u64 = 10_059;
const CONSUMER_NOT_FOUND: u64 = 10_014;
const MESSAGE_NOT_FOUND: u64 = 10_037;

/// The server did not do it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ApiError {
    /// It did not answer. Nothing is known about what it did.
    #[error("{0}")]
    Away(String),
    /// It said no.
    #[error("{why} (error {code})")]
    Refused {
        /// JetStream's own number of the error.
        code: u64,
        /// Its words.
        why: String,
    },
}
impl From<ApiError> for BusError {
    fn from(why: ApiError) -> Self {
        BusError::Unavailable(why.to_string())
    }
}
/// A stream, consumer or message that is not there is no error here.
fn absent<T>(result: Result<T, ApiError>, not_found: &[u64]) -> Result<Option<T>, ApiError> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(ApiError::Refused { code, .. }) if not_found.contains(&code) => Ok(None),
        Err(why) => Err(why),
    }
}

/// What a stream says of itself.
#[derive(Debug, Clone)]
pub(crate) struct StreamInfo {
    pub(crate) config: Value,
    /// When it was created: another time is another stream, though it has the same name.
    pub(crate) created: String,
    pub(crate) first: u64,
    pub(crate) last: u64,
    /// How many messages it has.
    pub(crate) messages: u64,
    /// The subjects of the filter that was asked with, and how many messages have each.
    pub(crate) subjects: BTreeMap<String, u64>,
}
impl StreamInfo {
    /// How many messages have a subject of the filter that was asked with.
    pub(crate) fn matching(&self) -> u64 {
        self.subjects.values().sum()
    }
}

/// A message out of a stream.
#[derive(Debug, Clone)]
pub(crate) struct Stored {
    pub(crate) seq: u64,
    pub(crate) subject: String,
    pub(crate) headers: HeaderMap,
    /// The headers as they came: perhaps no headers at all.
    pub(crate) raw: Vec<u8>,
    pub(crate) body: Vec<u8>,
}

/// What a consumer says of itself.
#[derive(Debug, Clone)]
pub(crate) struct ConsumerInfo {
    pub(crate) config: Value,
    /// The last sequence of the stream that it has delivered.
    pub(crate) delivered: u64,
    /// Everything up to here is settled.
    pub(crate) settled: u64,
    /// How many messages it knows of that nobody has acknowledged.
    pub(crate) open: u64,
    /// How many of them it has delivered to nobody yet.
    pub(crate) queued: u64,
    /// How many pulls wait at it.
    pub(crate) pulls: Option<u64>,
}

/// Asks the JetStream API.
#[derive(Clone)]
pub(crate) struct Api {
    pub(crate) link: Arc<Link>,
    /// How long an answer may take.
    pub(crate) patience: Duration,
    /// What stands in front of every request.
    pub(crate) prefix: &'static str,
}

impl Api {
    pub(crate) async fn call(&self, subject: &str, body: &Value) -> Result<Value, ApiError> {
        let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        let request = Request::new().payload(body.into()).timeout(Some(self.patience));
        let client = self.link.ready().await;
        let answer = client.send_request(format!("{}.{subject}", self.prefix), request);
        let Some(answer) = self.link.answer(&client, answer).await else {
            return Err(ApiError::Away(format!("{subject}: {REMADE}")));
        };
        let answer = answer.map_err(|why| {
            ApiError::Away(match why.kind() {
                RequestErrorKind::NoResponders => format!("nobody answers {subject}: JetStream is off or starting"),
                RequestErrorKind::TimedOut => format!("{subject} was not answered: away, or not permitted"),
                _ => format!("{subject}: {why}"),
            })
        })?;
        let mut answer: Value =
            serde_json::from_slice(&answer.payload).map_err(|why| ApiError::Away(format!("{subject}: {why}")))?;
        match answer.get_mut("error").map(Value::take) {
            None => Ok(answer),
            Some(error) => Err(ApiError::Refused {
                code: error["err_code"].as_u64().or(error["code"].as_u64()).unwrap_or(0),
                why: format!("{subject}: {}", error["description"].as_str().unwrap_or("refused")),
            }),
        }
    }
    /// `None` when there is no such stream.
    pub(crate) async fn stream(&self, name: &str, filter: Option<&str>) -> Result<Option<StreamInfo>, ApiError> {
        let body = filter.map_or(Value::Null, |filter| json!({ "subjects_filter": filter }));
        let found = absent(self.call(&format!("STREAM.INFO.{name}"), &body).await, &[STREAM_NOT_FOUND])?;
        Ok(found.map(|mut info| {
            let state = &info["state"];
            let number = |name: &str| state[name].as_u64().unwrap_or(0);
            let counts = state["subjects"].as_object().into_iter().flatten();
            let subjects = counts.filter_map(|(subject, count)| Some((subject.clone(), count.as_u64()?))).collect();
            let (first, last, messages) = (number("first_seq"), number("last_seq"), number("messages"));
            let created = info["created"].as_str().unwrap_or_default().to_owned();
            StreamInfo { config: info["config"].take(), created, first, last, messages, subjects }
        }))
    }
    pub(crate) async fn create_stream(&self, name: &str, config: &Value) -> Result<(), ApiError> {
        self.call(&format!("STREAM.CREATE.{name}"), config).await.map(drop)
    }
    pub(crate) async fn delete_stream(&self, name: &str) -> Result<(), ApiError> {
        self.call(&format!("STREAM.DELETE.{name}"), &json!({})).await.map(drop)
    }
    pub(crate) async fn update_stream(&self, name: &str, config: &Value) -> Result<(), ApiError> {
        self.call(&format!("STREAM.UPDATE.{name}"), config).await.map(drop)
    }
    /// One message; `None` when it is not there.
    pub(crate) async fn message(&self, stream: &str, seq: u64) -> Result<Option<Stored>, ApiError> {
        self.get(stream, &json!({ "seq": seq })).await
    }
    /// The first message with this subject at or behind a sequence.
    pub(crate) async fn next(&self, stream: &str, seq: u64, subject: &str) -> Result<Option<Stored>, ApiError> {
        self.get(stream, &json!({ "seq": seq, "next_by_subj": subject })).await
    }
    async fn get(&self, stream: &str, which: &Value) -> Result<Option<Stored>, ApiError> {
        let got = self.call(&format!("STREAM.MSG.GET.{stream}"), which).await;
        let Some(got) = absent(got, &[MESSAGE_NOT_FOUND])? else { return Ok(None) };
        let message = &got["message"];
        let bytes = |name: &str| {
            let decoded = STANDARD.decode(message[name].as_str().unwrap_or_default());
            decoded.map_err(|why| ApiError::Away(format!("{stream}: {name} of a message: {why}")))
        };
        let raw = bytes("hdrs")?;
        Ok(Some(Stored {
            seq: message["seq"].as_u64().unwrap_or(0),
            subject: message["subject"].as_str().unwrap_or_default().to_owned(),
            headers: crate::headers::of_raw(&raw),
            raw,
            body: bytes("data")?,
        }))
    }
    /// Takes one message out of a stream.
    pub(crate) async fn delete_message(&self, stream: &str, seq: u64) -> Result<(), ApiError> {
        let which = json!({ "seq": seq, "no_erase": true });
        let gone = self.call(&format!("STREAM.MSG.DELETE.{stream}"), &which).await;
        absent(gone, &[MESSAGE_NOT_FOUND]).map(drop)
    }
    /// `None` when there is no such consumer, or no such stream.
    pub(crate) async fn consumer(&self, stream: &str, name: &str) -> Result<Option<ConsumerInfo>, ApiError> {
        let found = self.call(&format!("CONSUMER.INFO.{stream}.{name}"), &Value::Null).await;
        let found = absent(found, &[CONSUMER_NOT_FOUND, STREAM_NOT_FOUND])?;
        Ok(found.map(|mut info| ConsumerInfo {
            delivered: info["delivered"]["stream_seq"].as_u64().unwrap_or(0),
            settled: info["ack_floor"]["stream_seq"].as_u64().unwrap_or(0),
            open: info["num_pending"].as_u64().unwrap_or(0) + info["num_ack_pending"].as_u64().unwrap_or(0),
            queued: info["num_pending"].as_u64().unwrap_or(0),
            pulls: info["num_waiting"].as_u64(),
            config: info["config"].take(),
        }))
    }
    /// Creates or updates a durable consumer. Its name and filter stand in the subject, where permissions see them.
    pub(crate) async fn put_consumer(&self, stream: &str, config: &Value) -> Result<(), ApiError> {
        let text = |name: &str| config[name].as_str().unwrap_or_default().to_owned();
        let (name, filter) = (text("durable_name"), text("filter_subject"));
        let body = json!({ "stream_name": stream, "config": config });
        let filter = if filter.is_empty() { filter } else { format!(".{filter}") };
        self.call(&format!("CONSUMER.CREATE.{stream}.{name}{filter}"), &body).await.map(drop)
    }
    /// Creates a consumer that goes away by itself; the answer is its name.
    pub(crate) async fn passing_consumer(&self, stream: &str, config: &Value) -> Result<String, ApiError> {
        let body = json!({ "stream_name": stream, "config": config });
        let made = self.call(&format!("CONSUMER.CREATE.{stream}"), &body).await?;
        let name = made["name"].as_str().map(str::to_owned);
        name.ok_or_else(|| ApiError::Away(format!("{stream}: the new consumer has no name")))
    }
    pub(crate) async fn delete_consumer(&self, stream: &str, name: &str) -> Result<(), ApiError> {
        let gone = self.call(&format!("CONSUMER.DELETE.{stream}.{name}"), &Value::Null).await;
        absent(gone, &[CONSUMER_NOT_FOUND, STREAM_NOT_FOUND]).map(drop)
    }
}
