//! Classifies a message in a stream of events that the owner did not publish, by its form: an answer of the broker to a
//! client that asked with the subject of an event as its reply, or a foreign publisher's message. Pure.

use crate::api::Stored;
use async_nats::HeaderMap;
use bytes::Bytes;
use saga_core::id::EventId;
use serde::Deserialize;
use serde_json::Value;

/// The kinds of answers of the JetStream API begin with this.
const API_KIND: &str = "io.nats.jetstream.api.";
/// 200 characters of a name from outside are shown.
const SHOWN_MAX: usize = 200;

/// A message as it stands in a stream.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seen<'a> {
    pub(crate) subject: &'a str,
    /// It has no headers at all: the broker's own answers have none, and every event has some.
    pub(crate) bare: bool,
    pub(crate) body: &'a [u8],
}

/// The author by its form: any client that may publish there can imitate each.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    /// An answer of the JetStream API: of this kind, without what all kinds begin with.
    Answer(String),
    /// The acknowledgement of a message that was published into this stream, or refused there.
    Acknowledgement(String),
    /// It has not the form of an answer of the broker.
    Foreign,
}

/// The fields that an acknowledgement may have; whatever has another one is none.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Acknowledgement {
    stream: String,
    #[serde(rename = "seq")]
    _seq: u64,
    #[serde(default, rename = "duplicate")]
    _duplicate: bool,
    #[serde(default, rename = "domain")]
    _domain: String,
    #[serde(default, rename = "error")]
    _error: Value,
    #[serde(default, rename = "val")]
    _value: String,
    #[serde(default, rename = "batch")]
    _batch: String,
    #[serde(default, rename = "count")]
    _count: u64,
}
#[derive(Deserialize)]
struct Answer {
    #[serde(rename = "type")]
    kind: String,
}

/// A message of a stream on its way to a reader, however it came.
pub(crate) struct Content<'a> {
    pub(crate) subject: &'a str,
    pub(crate) headers: Option<&'a HeaderMap>,
    /// Headers that are none.
    pub(crate) raw: &'a [u8],
    pub(crate) body: &'a Bytes,
}

impl Content<'_> {
    /// What it is, as the end of a sentence. A message in the form of an event of its module has an id.
    pub(crate) fn says(&self, found: Option<EventId>) -> String {
        let bare = self.raw.is_empty() && self.headers.is_none_or(HeaderMap::is_empty);
        match found {
            Some(id) => format!("is an event {id} by its form"),
            None => Seen { subject: self.subject, bare, body: self.body }.says(),
        }
    }
}

/// A message of a stream in a place where its owner's log has nothing.
#[derive(Clone)]
pub(crate) struct Held {
    pub(crate) seq: u64,
    /// What it is, as the end of a sentence.
    pub(crate) says: String,
}

impl<'a> Seen<'a> {
    /// As the API gives it.
    pub(crate) fn stored(stored: &'a Stored) -> Self {
        Self { subject: &stored.subject, bare: stored.raw.is_empty(), body: &stored.body }
    }
    /// What it is by its form, as the end of a sentence: who wrote it, nothing in it proves.
    pub(crate) fn says(&self) -> String {
        let subject = shown(self.subject);
        match self.kind() {
            Kind::Answer(kind) => {
                format!(
                    "is by its form an answer of the broker ({kind}) to somebody who asked with the reply subject {subject}"
                )
            }
            Kind::Acknowledgement(stream) => format!(
                "is by its form the broker's answer to somebody who published into the stream {} with the reply subject {subject}",
                shown(&stream)
            ),
            Kind::Foreign => format!("is by its form the message of somebody else, published on {subject}"),
        }
    }
    fn kind(&self) -> Kind {
        if !self.bare {
            return Kind::Foreign;
        }
        if let Ok(Answer { kind }) = serde_json::from_slice(self.body) {
            let word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'.');
            return match kind.strip_prefix(API_KIND) {
                Some(rest) if !rest.is_empty() && rest.len() <= SHOWN_MAX && rest.bytes().all(word) => {
                    Kind::Answer(rest.to_owned())
                }
                Some(_) | None => Kind::Foreign,
            };
        }
        match serde_json::from_slice::<Acknowledgement>(self.body) {
            Ok(acknowledgement) if !acknowledgement.stream.is_empty() => Kind::Acknowledgement(acknowledgement.stream),
            Ok(_) | Err(_) => Kind::Foreign,
        }
    }
}

/// A name from outside: what a terminal would obey is written out, and it is not longer than people read.
fn shown(text: &str) -> String {
    let mut shown: String = text.chars().take(SHOWN_MAX).flat_map(char::escape_debug).collect();
    if text.chars().nth(SHOWN_MAX).is_some() {
        shown.push_str("...");
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_broker_says_is_told_from_what_others_say() {
        let answer = |kind: &str| Kind::Answer(kind.to_owned());
        let acknowledgement = |stream: &str| Kind::Acknowledgement(stream.to_owned());
        for (body, kind) in [
            (
                r#"{"type":"io.nats.jetstream.api.v1.stream_info_response","error":{"code":404}}"#,
                answer("v1.stream_info_response"),
            ),
            (
                r#"{"total":1,"type":"io.nats.jetstream.api.v1.stream_names_response"}"#,
                answer("v1.stream_names_response"),
            ),
            (r#"{"stream":"IN","seq":3}"#, acknowledgement("IN")),
            (r#"{"stream":"IN","domain":"hub","seq":3,"duplicate":true}"#, acknowledgement("IN")),
            (
                r#"{"error":{"code":400,"err_code":10071,"description":"wrong last sequence: 4"},"stream":"EVT_qc","seq":0}"#,
                acknowledgement("EVT_qc"),
            ),
            // These have not the form of the broker's.
            (r#"{"type":"io.nats.jetstream.api."}"#, Kind::Foreign),
            ("{\"type\":\"io.nats.jetstream.api.v1.\\u001b[2J\"}", Kind::Foreign),
            (r#"{"type":"io.nats.server.advisory.v1"}"#, Kind::Foreign),
            (r#"{"type":7,"stream":"IN","seq":3}"#, Kind::Foreign),
            (r#"{"stream":"IN","seq":3,"data":"x"}"#, Kind::Foreign),
            (r#"{"stream":"","seq":3}"#, Kind::Foreign),
            (r#"{"stream":"IN","seq":-3}"#, Kind::Foreign),
            (r#"{"seq":3}"#, Kind::Foreign),
            ("{}", Kind::Foreign),
            ("", Kind::Foreign),
            ("[1", Kind::Foreign),
        ] {
            let seen = Seen { subject: "aicmo.evt.law.law.Noted.v1.p00", bare: true, body: body.as_bytes() };
            assert_eq!(seen.kind(), kind, "{body}");
            assert_eq!(Seen { bare: false, ..seen }.kind(), Kind::Foreign, "with headers it is somebody's: {body}");
        }
    }

    #[test]
    fn what_others_named_is_shown_without_what_a_terminal_would_obey() {
        let subject = format!("aicmo.\u{1b}[2J.{}", "ä".repeat(300));
        let says = Seen { subject: &subject, bare: false, body: b"" }.says();
        assert!(says.contains(r"aicmo.\u{1b}[2J.ä") && says.ends_with("ä..."), "{says}");
        assert!(says.chars().count() < 300 && !says.contains('\u{1b}'), "{says}");
    }
}
