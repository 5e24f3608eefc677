//! Commands, replies and events from outside as CloudEvents and back. Pure.

use crate::event::{Outgoing, actor, kind, set_actor, set_traceparent};
use crate::headers::{Attributes, DecodeError, JSON, MSG_ID, malformed, put};
use crate::subject::{Replies, Subjects, token};
use async_nats::HeaderMap;
use bytes::Bytes;
use saga_core::bus::{CommandMessage, Delivered, Inbox, Message, OutsideMessage, ReplyMessage, Says};
use saga_core::envelope::Actor;
use saga_core::id::{Direction, Epoch, StepKey};
use saga_core::json::Payload;
use saga_core::limits;
use saga_core::module::Deed;
use saga_core::outcome::Answer;
use saga_core::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use uuid::Uuid;

/// The coordinator, as a source.
pub const ORCHESTRATION: &str = "orchestration";
const REPLY: &str = "orchestration.Reply.v1";

/// A message as it travels; `replies` is where a command wants its reply, and where a reply goes.
pub fn encode(
    subjects: &Subjects,
    message: &Message,
    replies: Replies,
    now: Timestamp,
) -> Result<Outgoing, serde_json::Error> {
    match message {
        Message::Command(command) => Ok(encode_command(subjects, command, replies, now)),
        Message::Reply(reply) => encode_reply(subjects, reply, replies, now),
        Message::Outside(outside) => Ok(encode_outside(subjects, outside, now)),
    }
}

fn finish(subject: String, attributes: Attributes, body: &str) -> Outgoing {
    let id = attributes.get("id").unwrap_or_default().to_owned();
    let mut out = bare(subject, attributes, body);
    put(&mut out.headers, MSG_ID, &id);
    out
}
/// A message that the broker keeps as often as it comes.
fn bare(subject: String, attributes: Attributes, body: &str) -> Outgoing {
    Outgoing { subject, headers: attributes.headers(), body: Bytes::copy_from_slice(body.as_bytes()) }
}
fn common(source: String, kind: &str, id: &str, now: Timestamp) -> Attributes {
    let mut attributes = Attributes::default();
    for (name, value) in [("specversion", "1.0"), ("id", id), ("type", kind), ("datacontenttype", "application/json")] {
        attributes.set(name, value);
    }
    attributes.set("source", source);
    attributes.set("time", now.to_string());
    attributes
}
fn set_step(attributes: &mut Attributes, saga: Uuid, step: &str, key: StepKey, direction: Direction, attempt: u32) {
    attributes.set("subject", format!("orchestration_saga-{saga}"));
    attributes.set("sagaid", saga.to_string());
    attributes.set("step", step);
    attributes.set("stepkey", key.to_string());
    attributes.set("direction", direction.word());
    attributes.set("attempt", attempt.to_string());
}
/// The key of a deed's direction, and that of the other one.
fn of_direction(keys: (StepKey, StepKey), direction: Direction) -> (StepKey, StepKey) {
    match direction {
        Direction::Do => keys,
        Direction::Undo => (keys.1, keys.0),
    }
}

fn reply_subject(subjects: &Subjects, group: u16, module: &str, replies: Replies) -> String {
    match replies {
        Replies::Own => subjects.reply(group, module),
        Replies::Shared => subjects.shared_reply(group),
    }
}

fn encode_command(subjects: &Subjects, message: &CommandMessage, replies: Replies, now: Timestamp) -> Outgoing {
    let (module, delivered) = (&message.module, &message.delivered);
    let deed = &delivered.deed;
    let probe = if message.probe { ":probe" } else { "" };
    let name = format!("epoch:{}:attempt:{}{probe}", delivered.epoch, deed.attempt);
    let id = Uuid::new_v5(&deed.key.uuid(), name.as_bytes()).to_string();
    let (command, version) = (&delivered.command, delivered.version);
    let kind = format!("{module}.{command}.v{version}");
    let mut attributes = common(subjects.source(ORCHESTRATION), &kind, &id, now);
    set_step(&mut attributes, deed.saga, &deed.step, deed.key, deed.direction, deed.attempt);
    attributes.set("counterkey", of_direction(delivered.keys, deed.direction).1.to_string());
    attributes.set("dataschema", format!("schemas/{module}/{command}.command.v{version}.json"));
    attributes.set("correlationid", deed.correlation.to_string());
    attributes.set("causationid", deed.causation.to_string());
    set_actor(&mut attributes, &deed.actor);
    attributes.set("epoch", delivered.epoch.to_string());
    attributes.set("deadline", deed.deadline.map(|at| at.to_string()).unwrap_or_default());
    attributes.set("replyto", reply_subject(subjects, message.reply_to, module, replies));
    attributes.set("probe", if message.probe { "true" } else { "" });
    set_traceparent(&mut attributes, deed.traceparent.as_deref());
    finish(subjects.command(module, command, version), attributes, delivered.payload.as_str())
}

/// The two outcomes that an [`Answer`] does not have.
#[derive(Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
enum Other {
    NothingKnown,
    Fault { code: String, reason: String },
}
#[derive(Deserialize)]
struct Outcome {
    outcome: String,
}

fn encode_reply(
    subjects: &Subjects,
    reply: &ReplyMessage,
    replies: Replies,
    now: Timestamp,
) -> Result<Outgoing, serde_json::Error> {
    let (outcome, body) = match &reply.says {
        Says::Answer(answer) => {
            let outcome = match answer {
                Answer::Done { .. } => "done",
                Answer::Refused(_) => "refused",
                Answer::Retry { .. } => "retry",
            };
            (outcome, serde_json::to_string(answer)?)
        }
        Says::NothingKnown => ("nothing_known", serde_json::to_string(&Other::NothingKnown)?),
        Says::Fault { code, reason } => {
            ("fault", serde_json::to_string(&Other::Fault { code: code.clone(), reason: reason.clone() })?)
        }
    };
    let (key, source) = (reply.key, subjects.source(&reply.module));
    let id = Uuid::new_v5(&key.uuid(), format!("reply:{}:{outcome}", reply.attempt).as_bytes()).to_string();
    let mut attributes = common(source, REPLY, &id, now);
    set_step(&mut attributes, reply.saga, &reply.step, key, reply.direction, reply.attempt);
    attributes.set("correlationid", reply.saga.to_string());
    attributes.set("causationid", key.to_string());
    // The stream of replies is all modules', and so is what the broker takes for a repetition there: a neighbour that takes an
    // id before its owner does would swallow the answer. A repeated answer does no harm.
    Ok(bare(reply_subject(subjects, reply.group, &reply.module, replies), attributes, &body))
}

fn encode_outside(subjects: &Subjects, outside: &OutsideMessage, now: Timestamp) -> Outgoing {
    let mut attributes = common(outside.source.clone(), &outside.kind, &outside.id, now);
    attributes.set("id", outside.id.clone());
    let mut out = finish(subjects.outside(&outside.kind), attributes, outside.data.as_str());
    // Ids from outside are unique per source only, and need not fit a header as they are.
    let id = Uuid::new_v5(&Uuid::NAMESPACE_URL, format!("{} {}", outside.source, outside.id).as_bytes());
    put(&mut out.headers, MSG_ID, &id.to_string());
    out
}

/// Reads what was received from an inbox, and where its reply is wanted or went.
pub fn decode(
    subjects: &Subjects,
    inbox: &Inbox,
    subject: &str,
    headers: Option<&HeaderMap>,
    body: &[u8],
) -> Result<(Message, Replies), DecodeError> {
    let (attributes, data) = Attributes::of_message(headers, body)?;
    match inbox {
        Inbox::Commands(module) => {
            let (command, replies) = decode_command(subjects, module, &attributes, data)?;
            Ok((Message::Command(command), replies))
        }
        Inbox::Replies(group) => {
            let place = subjects.reply_to(subject).filter(|(of, _)| of == group);
            let (_, module) = place.ok_or_else(|| malformed("subject", subject, "no subject of this group"))?;
            let reply = decode_reply(*group, module, &attributes, &data)?;
            Ok((Message::Reply(reply), module.map_or(Replies::Shared, |_| Replies::Own)))
        }
        Inbox::Outside => Ok((Message::Outside(decode_outside(&attributes, data)?), Replies::Own)),
    }
}

/// An event from outside: what it says of itself is bounded, and what CloudEvents asks of it holds.
fn decode_outside(attributes: &Attributes, data: Payload) -> Result<OutsideMessage, DecodeError> {
    let name = |name: &'static str| {
        let text = attributes.need(name)?;
        limits::name("it", text).map_err(|why| malformed(name, &limits::head(text), why.to_string()))?;
        if text.trim().is_empty() {
            return Err(malformed(name, &limits::head(text), "it is blank"));
        }
        Ok(text.to_owned())
    };
    let (id, source, kind) = (name("id")?, name("source")?, name("type")?);
    attributes.time("time")?;
    let content = attributes.get("datacontenttype").unwrap_or(JSON);
    let bare = content.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if bare != JSON && !bare.ends_with("+json") {
        return Err(malformed("datacontenttype", &limits::head(content), "only JSON is read"));
    }
    Ok(OutsideMessage { id, source, kind, data })
}

/// When a command or a reply was sent. Nothing is decided by it, but what says it in a wrong way is read no further.
fn sent(attributes: &Attributes) -> Result<(), DecodeError> {
    attributes.time("time").map(drop)
}

fn direction(attributes: &Attributes) -> Result<Direction, DecodeError> {
    match attributes.need("direction")? {
        "do" => Ok(Direction::Do),
        "undo" => Ok(Direction::Undo),
        other => Err(malformed("direction", other, "`do` or `undo` is expected")),
    }
}

fn decode_command(
    subjects: &Subjects,
    module: &str,
    attributes: &Attributes,
    payload: Payload,
) -> Result<(CommandMessage, Replies), DecodeError> {
    let (command, version) = kind(module, attributes)?;
    sent(attributes)?;
    let saga = attributes.need_uuid("sagaid")?;
    let step = attributes.need("step")?.to_owned();
    let direction = direction(attributes)?;
    let (reply_to, replies) = reply_place(subjects, module, attributes.need("replyto")?)?;
    // Without its key and attempt no answer would bind: it is put aside, and nothing is done for nobody.
    let key = StepKey::from_uuid(attributes.need_uuid("stepkey")?);
    let computed = (StepKey::derive(saga, &step, Direction::Do), StepKey::derive(saga, &step, Direction::Undo));
    let (_, other) = of_direction(computed, direction);
    let key_of_other = attributes.read("counterkey")?.map_or(other, StepKey::from_uuid);
    let correlation = attributes.read("correlationid")?.unwrap_or(saga);
    let deed = Deed {
        saga,
        step,
        key,
        direction,
        attempt: attributes.need_number("attempt")?,
        actor: actor(attributes)?.unwrap_or_else(|| Actor::saga(saga)),
        correlation,
        causation: attributes.read("causationid")?.unwrap_or(key.uuid()),
        traceparent: attributes.get("traceparent").map(str::to_owned),
        deadline: attributes.time("deadline")?,
    };
    let epoch = Epoch(attributes.number("epoch")?.unwrap_or(0));
    let keys = of_direction((key, key_of_other), direction);
    let delivered = Arc::new(Delivered { command, version, payload, deed, epoch, keys });
    let probe = attributes.get("probe") == Some("true");
    Ok((CommandMessage { module: module.to_owned(), delivered, reply_to, probe }, replies))
}

/// Where a command of this module wants its reply.
fn reply_place(subjects: &Subjects, module: &str, reply_to: &str) -> Result<(u16, Replies), DecodeError> {
    match subjects.reply_to(reply_to) {
        Some((group, None)) => Ok((group, Replies::Shared)),
        Some((group, Some(own))) if own == token(module) => Ok((group, Replies::Own)),
        Some(_) => Err(malformed("replyto", reply_to, "the subject of another module")),
        None => Err(malformed("replyto", reply_to, "no subject of a group")),
    }
}

/// `proven` is the module whose own subject it is: it stands above what the reply claims.
fn decode_reply(
    group: u16,
    proven: Option<&str>,
    attributes: &Attributes,
    body: &Payload,
) -> Result<ReplyMessage, DecodeError> {
    let kind = attributes.need("type")?;
    if kind != REPLY {
        return Err(malformed("type", kind, "`orchestration.Reply.v1` is expected"));
    }
    sent(attributes)?;
    let wrong = |why: serde_json::Error| DecodeError::Body(why.to_string());
    let outcome: Outcome = body.read().map_err(wrong)?;
    let says = match outcome.outcome.as_str() {
        "nothing_known" | "fault" => match body.read::<Other>().map_err(wrong)? {
            Other::NothingKnown => Says::NothingKnown,
            Other::Fault { code, reason } => Says::Fault { code, reason },
        },
        _ => Says::Answer(body.read::<Answer>().map_err(wrong)?),
    };
    let (saga, step, direction) = (attributes.need_uuid("sagaid")?, attributes.need("step")?, direction(attributes)?);
    // After a further round of a step its key cannot be computed from the path: nobody guesses what was answered.
    let key = StepKey::from_uuid(attributes.need_uuid("stepkey")?);
    let claimed = || attributes.get("source").and_then(|source| source.rsplit('/').next());
    let module = proven.or_else(claimed).unwrap_or_default().to_owned();
    let (step, attempt) = (step.to_owned(), attributes.need_number("attempt")?);
    Ok(ReplyMessage { group, saga, step, direction, attempt, key, module, says })
}

#[cfg(test)]
mod tests;
