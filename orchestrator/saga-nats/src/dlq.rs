//! Dead letters: messages that were put aside, whole, once, with the reason, in a stream of their own.

use crate::consume::wanted;
use crate::event::Outgoing;
use crate::headers::{MSG_ID, percent_decode, percent_encode, put};
use crate::message::{self, ORCHESTRATION};
use crate::subject::{COMMANDS, DEAD, OUTSIDE, REPLIES};
use crate::{Inner, lock, now};
use async_nats::HeaderMap;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use saga_core::bus::{Aside, BusError, Dropped, Inbox, Message, OutsideMessage};
use saga_core::json::{PAYLOAD_BYTES_MAX, Payload};
use saga_core::limits::TEXT_BYTES_MAX;
use std::borrow::Cow;
use std::collections::BTreeMap;
use tokio::time::Instant;

/// 1,000 messages in one look: a person reads no more, and each is one question to the broker.
const ASIDE_MAX: usize = 1_000;

/// Whose dead letters those of what comes from outside are.
pub(crate) const FROM_OUTSIDE: &str = "in";

/// 256 bytes for the first line of headers, the empty one, and the header that says that a body was cut.
const BESIDE_HEADERS: usize = 256;

/// Something to be put aside.
pub(crate) struct Poison<'a> {
    pub(crate) module: &'a str,
    pub(crate) stream: &'a str,
    pub(crate) consumer: &'a str,
    pub(crate) subject: &'a str,
    pub(crate) seq: u64,
    pub(crate) times: u32,
    pub(crate) reason: &'a str,
    pub(crate) headers: Option<&'a HeaderMap>,
    /// Headers that are none: they are kept as bytes.
    pub(crate) raw: &'a [u8],
    pub(crate) body: Bytes,
}

/// Whose dead letters those of an inbox are.
pub(crate) fn owner(inbox: &Inbox) -> &str {
    match inbox {
        Inbox::Commands(module) => module,
        Inbox::Replies(_) => ORCHESTRATION,
        Inbox::Outside => FROM_OUTSIDE,
    }
}

/// At most [`TEXT_BYTES_MAX`] bytes of a text; what was cut off is marked.
fn cut(text: &str) -> Cow<'_, str> {
    const MARK: &str = " ...";
    if text.len() <= TEXT_BYTES_MAX {
        return Cow::Borrowed(text);
    }
    let end = text.floor_char_boundary(TEXT_BYTES_MAX - MARK.len());
    Cow::Owned(format!("{}{MARK}", &text[..end]))
}

fn letter(inner: &Inner, poison: &Poison<'_>, id: &str) -> Outgoing {
    let mut headers = HeaderMap::new();
    for (name, values) in poison.headers.iter().flat_map(|headers| headers.iter()) {
        let text: &str = name.as_ref();
        if !text.to_ascii_lowercase().starts_with("nats-") {
            values.iter().for_each(|value| headers.append(name.clone(), value.clone()));
        }
    }
    for (name, value) in [
        ("dlq-reason", percent_encode(&cut(poison.reason)).into_owned()),
        ("dlq-subject", percent_encode(poison.subject).into_owned()),
        ("dlq-stream", poison.stream.to_owned()),
        ("dlq-sequence", poison.seq.to_string()),
        ("dlq-times", poison.times.to_string()),
        ("dlq-consumer", poison.consumer.to_owned()),
        ("dlq-time", now().to_string()),
        (MSG_ID, id.to_owned()),
    ] {
        put(&mut headers, name, &value);
    }
    if !poison.raw.is_empty() {
        put(&mut headers, "dlq-headers", &STANDARD.encode(poison.raw));
    }
    let body = fitting(&mut headers, &poison.body);
    let subject = match poison.module {
        ORCHESTRATION | FROM_OUTSIDE => inner.subjects.dead_of(poison.module, poison.subject),
        module => inner.subjects.dead(module),
    };
    Outgoing { subject, headers, body }
}

/// As much of a body as goes with these headers into one message. A message that was as large as a broker takes has no
/// room for the reason: its end is left out and counted, or it would never be put aside at all.
fn fitting(headers: &mut HeaderMap, body: &Bytes) -> Bytes {
    let line = |name: &str, value: &str| name.len() + value.len() + 4;
    let lines = headers.iter().flat_map(|(name, values)| values.iter().map(move |value| (name, value)));
    let taken: usize = lines.map(|(name, value)| line(name.as_ref(), value.as_str())).sum();
    let room = PAYLOAD_BYTES_MAX.saturating_sub(taken + BESIDE_HEADERS);
    if body.len() <= room {
        return body.clone();
    }
    put(headers, "dlq-cut", &body.len().to_string());
    body.slice(..room)
}

impl Inner {
    /// Puts a message aside; when it answers, it is there. The same message of the same consumer stands there once,
    /// within the broker's window for repeated messages.
    pub(crate) async fn park(&self, poison: &Poison<'_>) -> Result<(), BusError> {
        let Poison { stream, seq, consumer, module, reason, times, .. } = poison;
        let id = format!("dlq-{stream}-{seq}-{consumer}");
        let ack = self.publish_one(DEAD, &letter(self, poison, &id)).await?;
        // A stream that was created anew counts from one again: the same id may then be another message.
        if ack.duplicate && !self.is_same(ack.seq, poison).await {
            self.publish_one(DEAD, &letter(self, poison, &format!("{id}-{}", now()))).await?;
        }
        if self.says_aside(module) {
            tracing::error!(module, stream, seq, consumer, reason, times, "put aside");
        }
        Ok(())
    }
    /// An account that may not look cannot know: a second letter is better than none.
    async fn is_same(&self, seq: u64, poison: &Poison<'_>) -> bool {
        let there = self.api.message(DEAD, seq).await.ok().flatten();
        let id =
            |headers: Option<&HeaderMap>| headers.and_then(|all| all.get("ce-id")).map(|id| id.as_str().to_owned());
        there.is_some_and(|there| there.body == poison.body && id(Some(&there.headers)) == id(poison.headers))
    }
    /// Puts a message aside that never was in a stream here: its reader sees what would have travelled, with the
    /// sequence 0.
    pub(crate) async fn put_aside(&self, aside: &Aside) -> Result<(), BusError> {
        let unwritable = |why: serde_json::Error| BusError::Unavailable(format!("cannot be written: {why}"));
        let replies = self.replies_of(&aside.message);
        let out = message::encode(&self.subjects, &aside.message, replies, now()).map_err(unwritable)?;
        let wanted = wanted(self, &aside.inbox, replies);
        let (stream, consumer) = (wanted.stream.as_str(), wanted.consumer.unwrap_or_default());
        let module = owner(&aside.inbox);
        let poison = Poison {
            module,
            stream,
            consumer: &consumer,
            subject: &out.subject,
            seq: 0,
            times: aside.times,
            reason: &aside.reason,
            headers: Some(&out.headers),
            raw: &[],
            body: out.body.clone(),
        };
        let id = out.headers.get(MSG_ID).or_else(|| out.headers.get("ce-id")).map_or("", |id| id.as_str());
        self.publish_one(DEAD, &letter(self, &poison, &format!("dlq-{id}"))).await?;
        if self.says_aside(module) {
            tracing::error!(module, stream, reason = aside.reason, times = aside.times, "put aside");
        }
        Ok(())
    }
    /// Whether the log says of one more message of a module that it was put aside.
    fn says_aside(&self, module: &str) -> bool {
        self.tell_asides();
        lock(&self.put_aside).entry(module.to_owned()).or_default().happens(Instant::now())
    }
    /// Says how many messages were put aside beyond those that were said.
    pub(crate) fn tell_asides(&self) {
        for (module, seldom) in lock(&self.put_aside).iter_mut() {
            if let Some(more) = seldom.counted(Instant::now()) {
                tracing::error!(module, "{more} more were put aside in the last minute");
            }
        }
    }
    pub(crate) async fn aside(&self, module: &str, limit: usize) -> Result<Vec<Aside>, BusError> {
        let (mut found, limit) = (Vec::new(), limit.min(ASIDE_MAX));
        for subject in self.letters(module).await?.into_keys() {
            let mut seq = 1;
            for _ in 0..limit {
                let Some(stored) = self.api.next(DEAD, seq, &subject).await? else { break };
                seq = stored.seq + 1;
                found.push((stored.seq, self.read_letter(module, &stored.headers, &stored.body)));
            }
        }
        found.sort_by_key(|(seq, _)| *seq);
        Ok(found.into_iter().take(limit).map(|(_, letter)| letter).collect())
    }
    /// Under which subjects the dead letters of a module lie, and how many under each.
    pub(crate) async fn letters(&self, module: &str) -> Result<BTreeMap<String, u64>, BusError> {
        let (own, all) = (self.subjects.dead(module), self.subjects.all("dlq"));
        let found = self.api.stream(DEAD, Some(&all)).await?.map_or_else(BTreeMap::new, |info| info.subjects);
        let is_own =
            |subject: &String| subject.strip_prefix(&own).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
        Ok(found.into_iter().filter(|(subject, _)| is_own(subject)).collect())
    }
    /// Whose letters are as many as are kept of each sender, where letters are gone.
    pub(crate) async fn dropped(&self) -> Result<Option<Dropped>, BusError> {
        let Some(found) = self.api.stream(DEAD, Some(&self.subjects.all("dlq"))).await? else { return Ok(None) };
        let (kept, gone) = (found.config["max_msgs_per_subject"].as_u64(), found.last.saturating_sub(found.messages));
        let Some(kept) = kept.filter(|kept| gone > 0 && *kept > 0) else { return Ok(None) };
        let full = found.subjects.into_iter().filter(|(_, count)| *count >= kept).map(|(subject, _)| subject);
        let of: Vec<String> = full.collect();
        Ok((!of.is_empty()).then_some(Dropped { of, kept, gone }))
    }
    /// What cannot be read as what it should have been is shown as it is: an outside message of the kind `unreadable`.
    fn read_letter(&self, module: &str, headers: &HeaderMap, body: &[u8]) -> Aside {
        let header = |name: &str| headers.get(name).map_or("", |value| value.as_str());
        let clear = |name: &str| percent_decode(header(name)).unwrap_or_default();
        let subject = clear("dlq-subject");
        let inbox = match header("dlq-stream") {
            COMMANDS => Inbox::Commands(module.to_owned()),
            REPLIES => Inbox::Replies(self.subjects.reply_to(&subject).map_or(0, |(group, _)| group)),
            OUTSIDE => Inbox::Outside,
            _ => Inbox::Commands(module.to_owned()),
        };
        let read = message::decode(&self.subjects, &inbox, &subject, Some(headers), body);
        let message = read.map(|(message, _)| message).unwrap_or_else(|_| {
            let text = String::from_utf8_lossy(body);
            let data = Payload::of(text.as_ref()).unwrap_or_else(|_| Payload::null());
            let id = percent_decode(header("ce-id")).unwrap_or_default();
            Message::Outside(OutsideMessage { id, source: subject, kind: "unreadable".to_owned(), data })
        });
        let times = header("dlq-times").parse().unwrap_or(1);
        Aside { inbox, message, times, reason: clear("dlq-reason") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn reasons_of_any_length_fit_and_begin_as_they_were(text in "\\PC{0,40}", times in 1_usize..1_000) {
            let text = text.repeat(times);
            let short = cut(&text);
            prop_assert!(short.len() <= TEXT_BYTES_MAX);
            prop_assert!(short == text || text.starts_with(short.strip_suffix(" ...").unwrap()));
        }
    }

    #[test]
    fn a_letter_never_outgrows_a_message() {
        for (bytes, cut) in [(10, false), (PAYLOAD_BYTES_MAX - 2_000, false), (PAYLOAD_BYTES_MAX, true)] {
            let mut headers = HeaderMap::new();
            put(&mut headers, "dlq-reason", &"r".repeat(1_000));
            let body = fitting(&mut headers, &Bytes::from(vec![b'x'; bytes]));
            assert!(body.len() + 1_000 < PAYLOAD_BYTES_MAX);
            assert_eq!(headers.get("dlq-cut").map(|value| value.as_str().to_owned()), cut.then(|| bytes.to_string()));
        }
    }
}
