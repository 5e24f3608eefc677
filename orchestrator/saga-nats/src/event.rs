//! Events of a module's log as CloudEvents and back. What went in comes out, byte for byte; the position that comes out
//! is the public sequence, because nothing else of the log is seen from outside.

use crate::headers::{Attributes, DecodeError, MSG_ID, canonical, malformed, put};
use crate::subject::{Subjects, stream_of};
use async_nats::HeaderMap;
use async_nats::header::{NATS_EXPECTED_LAST_SEQUENCE, NATS_EXPECTED_STREAM, NATS_MESSAGE_ID};
use bytes::Bytes;
use saga_core::envelope::{Actor, ActorKind, Metadata, Recorded, SagaRef, unhex};
use saga_core::id::{EventId, Position, StreamId, Version};
use saga_core::json::Payload;
use uuid::Uuid;

/// 512 KiB: a larger body stays with its producer and is fetched from there; streams stay quick to read and to repair.
pub const BODY_BYTES_MAX: usize = 512 * 1024;
/// 4 KiB: metadata of other shape than ours travels in a header up to here; beyond, the event is fetched whole.
pub const META_HEADER_BYTES_MAX: usize = 4 * 1024;
/// 8 KiB for all the headers of an event, where a server's limit for the whole message leaves no more room.
const HEADERS_BYTES_ROOM: usize = 8 * 1024;

/// A message to be published.
#[derive(Debug, Clone)]
pub struct Outgoing {
    /// Where.
    pub subject: String,
    /// With which headers.
    pub headers: HeaderMap,
    /// And body.
    pub body: Bytes,
}

/// An event that was read, or where to fetch it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Incoming {
    /// Here it is.
    Event(Box<Recorded>),
    /// A claim check: its producer has it under this public sequence.
    Claim(u64),
}

/// The place of an event on the bus, or why it has none: only public events travel.
pub fn sequence(event: &Recorded) -> Option<u64> {
    event.public_seq.filter(|seq| *seq > 0)
}

/// The attributes of an event, with or without those that only an exact copy needs.
pub fn attributes(subjects: &Subjects, module: &str, event: &Recorded) -> Attributes {
    let mut attributes = Attributes::default();
    let version = event.schema_version;
    attributes.set("specversion", "1.0");
    attributes.set("id", event.id.to_string());
    attributes.set("source", subjects.source(module));
    attributes.set("type", format!("{module}.{}.v{version}", event.name));
    attributes.set("subject", event.stream.as_str());
    attributes.set("time", event.time.to_string());
    attributes.set("datacontenttype", "application/json");
    attributes.set("dataschema", format!("schemas/{module}/{}.v{version}.json", event.name));
    attributes.set("streamversion", event.version.to_string());
    attributes.set("position", event.public_seq.unwrap_or(0).to_string());
    attributes.set("recordedtime", event.recorded_at.to_string());
    attributes.set("chain", hex(&event.chain));
    // Read and written again to the same text, it is what a reader makes of the attributes.
    match event.metadata() {
        Ok(metadata) => {
            set_metadata(&mut attributes, &metadata);
            let same = serde_json::to_string(&metadata).is_ok_and(|text| text == event.meta.as_str());
            if !same || attributes.get("traceparent") != metadata.traceparent.as_deref() {
                attributes.set("meta", event.meta.as_str());
            }
        }
        Err(_) if event.meta.as_str() == "{}" => {}
        Err(_) => attributes.set("meta", event.meta.as_str()),
    }
    attributes
}

/// An event as a message: binary mode, fenced by its sequence. `bytes_max` is what the server takes in one message.
pub fn encode(subjects: &Subjects, module: &str, event: &Recorded, bytes_max: usize) -> Outgoing {
    let mut attributes = attributes(subjects, module, event);
    let seq = event.public_seq.unwrap_or(0);
    let body_max = BODY_BYTES_MAX.min(bytes_max.saturating_sub(HEADERS_BYTES_ROOM));
    let meta_fits = attributes.get("meta").is_none_or(|meta| meta.len() <= META_HEADER_BYTES_MAX);
    let fits = event.data.as_str().len() <= body_max && meta_fits;
    if !fits {
        let from = subjects.query(module, READ_LOG, READ_LOG_VERSION);
        attributes.remove("meta");
        attributes.set("dataref", format!("{from}?after={}&limit=1", seq.saturating_sub(1)));
    }
    let mut headers = attributes.headers();
    put(&mut headers, NATS_MESSAGE_ID, &event.id.to_string());
    put(&mut headers, NATS_EXPECTED_STREAM, &stream_of(module));
    put(&mut headers, NATS_EXPECTED_LAST_SEQUENCE, &seq.saturating_sub(1).to_string());
    let body = if fits { Bytes::copy_from_slice(event.data.as_str().as_bytes()) } else { Bytes::new() };
    Outgoing { subject: subjects.event(module, event), headers, body }
}

/// The built-in query for events themselves.
pub const READ_LOG: &str = "ReadLog";
/// Its version.
pub const READ_LOG_VERSION: u16 = 1;

/// Reads a message of a module's stream. `seq` is its sequence there: the event must say the same of itself.
pub fn decode(module: &str, seq: u64, headers: Option<&HeaderMap>, body: &[u8]) -> Result<Incoming, DecodeError> {
    let (attributes, data) = Attributes::of_message(headers, body)?;
    if attributes.get("dataref").is_some() {
        place(&attributes, seq)?;
        return Ok(Incoming::Claim(seq));
    }
    recorded(module, seq, &attributes, data).map(|event| Incoming::Event(Box::new(event)))
}

/// The event that attributes and body describe.
pub fn recorded(module: &str, seq: u64, attributes: &Attributes, data: Payload) -> Result<Recorded, DecodeError> {
    place(attributes, seq)?;
    let (name, schema_version) = kind(module, attributes)?;
    let stream = attributes.need("subject")?;
    let stream = StreamId::parse(stream).map_err(|why| malformed("subject", stream, why.to_string()))?;
    let id = EventId(attributes.need_uuid("id")?);
    let time = attributes.time("time")?.ok_or(DecodeError::Missing("time"))?;
    let recorded_at = attributes.time("recordedtime")?.unwrap_or(time);
    let chain = match attributes.get("chain") {
        Some(chain) => unhex(chain).ok_or_else(|| malformed("chain", chain, "64 hex digits are expected"))?,
        // Modules of other makers need no chain.
        None => [0; 32],
    };
    let meta = match attributes.get("meta") {
        Some(meta) => Payload::parse(meta).map_err(|why| malformed("meta", meta, why.to_string()))?,
        None => Payload::trusted(rebuilt_metadata(attributes, module, id)?),
    };
    Ok(Recorded {
        position: Position(seq),
        public_seq: Some(seq),
        stream,
        version: Version(attributes.need_number("streamversion")?),
        id,
        name,
        schema_version,
        data,
        meta,
        time,
        recorded_at,
        chain,
    })
}

/// The id of the event of ours that a message is, if it is one.
pub fn id_of(subjects: &Subjects, module: &str, seq: u64, subject: &str, headers: &HeaderMap) -> Option<EventId> {
    let (attributes, _) = Attributes::of_message(Some(headers), b"").ok()?;
    let id = attributes.need_uuid("id").ok()?;
    let same = headers.get(MSG_ID).is_some_and(|msg_id| msg_id.as_str() == id.to_string());
    let ours = attributes.get("source") == Some(subjects.source(module).as_str());
    let filter = subjects.events(module);
    let here = filter.strip_suffix('>').is_some_and(|start| subject.starts_with(start));
    (same && ours && here && place(&attributes, seq).is_ok() && kind(module, &attributes).is_ok())
        .then_some(EventId(id))
}

fn place(attributes: &Attributes, seq: u64) -> Result<(), DecodeError> {
    match attributes.number::<u64>("position")? {
        Some(position) if position != seq => {
            Err(malformed("position", &position.to_string(), format!("it stands at {seq}")))
        }
        Some(_) | None => Ok(()),
    }
}

/// Splits `<module>.<Name>.v<N>`.
pub(crate) fn kind(module: &str, attributes: &Attributes) -> Result<(String, u16), DecodeError> {
    let kind = attributes.need("type")?;
    let wrong = || malformed("type", kind, format!("`{module}.<Name>.v<N>` is expected"));
    let rest = kind.strip_prefix(module).and_then(|rest| rest.strip_prefix('.')).ok_or_else(wrong)?;
    let (name, version) = rest.rsplit_once(".v").ok_or_else(wrong)?;
    let version = canonical(version).ok_or_else(wrong)?;
    if name.is_empty() { Err(wrong()) } else { Ok((name.to_owned(), version)) }
}

fn set_metadata(attributes: &mut Attributes, metadata: &Metadata) {
    attributes.set("correlationid", metadata.correlation.to_string());
    attributes.set("causationid", metadata.causation.to_string());
    set_actor(attributes, &metadata.actor);
    if let Some(saga) = &metadata.saga {
        attributes.set("sagaid", saga.id.to_string());
        attributes.set("step", saga.step.clone());
    }
    if let Some(deed) = metadata.deed {
        attributes.set("stepkey", deed.to_string());
    }
    set_traceparent(attributes, metadata.traceparent.as_deref());
}
/// Sets who acted.
pub(crate) fn set_actor(attributes: &mut Attributes, actor: &Actor) {
    attributes.set("actorkind", kind_word(actor.kind));
    attributes.set("actorid", actor.id.clone());
}
/// Sets the trace context where a header can carry it as it came.
pub(crate) fn set_traceparent(attributes: &mut Attributes, traceparent: Option<&str>) {
    if let Some(trace) = traceparent.filter(|trace| trace.bytes().all(|byte| (0x21..=0x7e).contains(&byte))) {
        attributes.set("traceparent", trace);
    }
}
/// Who acted, if the attributes say it.
pub(crate) fn actor(attributes: &Attributes) -> Result<Option<Actor>, DecodeError> {
    let Some(word) = attributes.get("actorkind") else { return Ok(None) };
    let kind = kind_of(word).ok_or_else(|| malformed("actorkind", word, "no such kind of actor"))?;
    Ok(Some(Actor { kind, id: attributes.get("actorid").unwrap_or_default().to_owned() }))
}
fn kind_word(kind: ActorKind) -> &'static str {
    match kind {
        ActorKind::Operator => "operator",
        ActorKind::Client => "client",
        ActorKind::Saga => "saga",
        ActorKind::System => "system",
        ActorKind::Import => "import",
    }
}
fn kind_of(word: &str) -> Option<ActorKind> {
    let kinds = [ActorKind::Operator, ActorKind::Client, ActorKind::Saga, ActorKind::System, ActorKind::Import];
    kinds.into_iter().find(|kind| kind_word(*kind) == word)
}

/// The text of the metadata that the other attributes give; `{}` when they say nothing.
fn rebuilt_metadata(attributes: &Attributes, module: &str, id: EventId) -> Result<String, DecodeError> {
    let (correlation, causation) = (attributes.read("correlationid")?, attributes.read("causationid")?);
    let actor = actor(attributes)?;
    let (saga, deed) = (attributes.read::<Uuid>("sagaid")?, attributes.read::<Uuid>("stepkey")?);
    if correlation.is_none() && causation.is_none() && actor.is_none() && saga.is_none() && deed.is_none() {
        return Ok("{}".to_owned());
    }
    // An event that says only a part of this belongs to no other correlation: it began its own.
    let correlation = correlation.or(saga).or(causation).unwrap_or(id.0);
    let metadata = Metadata {
        correlation,
        causation: causation.unwrap_or(correlation),
        actor: actor.unwrap_or_else(|| Actor::system(module)),
        saga: saga.map(|id| SagaRef { id, step: attributes.get("step").unwrap_or_default().to_owned() }),
        deed,
        traceparent: attributes.get("traceparent").map(str::to_owned),
    };
    serde_json::to_string(&metadata).map_err(|why| DecodeError::Body(why.to_string()))
}

fn hex(bytes: &[u8; 32]) -> String {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    bytes.iter().flat_map(|byte| [HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]).map(char::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use saga_core::time::Timestamp;

    const SERVER_MAX: usize = 1024 * 1024;
    fn subjects() -> Subjects {
        Subjects::new("aicmo").unwrap()
    }
    fn round_trip(event: &Recorded) -> Incoming {
        let out = encode(&subjects(), "law", event, SERVER_MAX);
        decode("law", event.public_seq.unwrap(), Some(&out.headers), &out.body).unwrap()
    }
    fn event(seq: u64, name: &str, meta: &str, data: &str) -> Recorded {
        Recorded {
            position: Position(seq),
            public_seq: Some(seq),
            stream: StreamId::parse("law-a.b:1").unwrap(),
            version: Version(3),
            id: EventId(Uuid::from_u128(7)),
            name: name.to_owned(),
            schema_version: 2,
            data: Payload::trusted(data),
            meta: Payload::trusted(meta),
            time: Timestamp(1_700_000_000_000_001),
            recorded_at: Timestamp(1_700_000_000_000_002),
            chain: [0xa5; 32],
        }
    }

    #[test]
    fn metadata_of_our_shape_needs_no_header_of_its_own() {
        let metadata = Metadata {
            correlation: Uuid::from_u128(1),
            causation: Uuid::from_u128(2),
            actor: Actor::operator("Åsa \"the boss\" 100%"),
            saga: Some(SagaRef { id: Uuid::from_u128(1), step: "assets[2]/render".to_owned() }),
            deed: Some(Uuid::from_u128(3)),
            traceparent: Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".to_owned()),
        };
        let plain = event(1, "Noted", &serde_json::to_string(&metadata).unwrap(), "[1.10]");
        let out = encode(&subjects(), "law", &plain, SERVER_MAX);
        assert!(out.headers.get("ce-meta").is_none());
        assert_eq!(out.subject, format!("aicmo.evt.law.law.Noted.v2.p{:02}", crate::subject::partition("law-a.b:1")));
        assert_eq!(out.headers.get("ce-type").map(|value| value.as_str()), Some("law.Noted.v2"));
        assert_eq!(round_trip(&plain), Incoming::Event(Box::new(plain)));
        for meta in ["{}", r#"{ "spaces" : "are kept" }"#, "null", r#"{"correlation":1}"#] {
            let odd = event(1, "Noted", meta, "{}");
            let has = encode(&subjects(), "law", &odd, SERVER_MAX).headers.get("ce-meta").is_some();
            assert_eq!(has, meta != "{}", "{meta}");
            assert_eq!(round_trip(&odd), Incoming::Event(Box::new(odd)));
        }
    }

    #[test]
    fn what_is_too_large_is_a_claim_check() {
        let body = format!("\"{}\"", "x".repeat(BODY_BYTES_MAX));
        let meta = format!("\"{}\"", "x".repeat(META_HEADER_BYTES_MAX));
        for large in [event(9, "Noted", "{}", &body), event(9, "Noted", &meta, "{}")] {
            let out = encode(&subjects(), "law", &large, SERVER_MAX);
            assert!(out.body.is_empty());
            assert_eq!(round_trip(&large), Incoming::Claim(9));
        }
    }

    #[test]
    fn what_says_another_place_or_module_is_refused() {
        let out = encode(&subjects(), "law", &event(9, "Noted", "{}", "{}"), SERVER_MAX);
        let why = decode("law", 8, Some(&out.headers), &out.body).unwrap_err();
        assert_eq!(why.to_string(), "attribute position is \"9\": it stands at 8");
        assert!(decode("order", 9, Some(&out.headers), &out.body).is_err());
        let ours = |module, seq, subject: &str| id_of(&subjects(), module, seq, subject, &out.headers);
        assert_eq!(ours("law", 9, &out.subject), Some(EventId(Uuid::from_u128(7))));
        assert_eq!((ours("law", 8, &out.subject), ours("law", 9, "aicmo.evt.x.y")), (None, None));
    }

    fn any_metadata() -> impl Strategy<Value = String> {
        let ours =
            (any::<u128>(), any::<u128>(), any::<String>(), any::<Option<(u128, String)>>(), any::<Option<u128>>());
        let ours = (ours, any::<Option<String>>()).prop_map(|((a, b, actor, saga, deed), traceparent)| {
            let saga = saga.map(|(id, step)| SagaRef { id: Uuid::from_u128(id), step });
            let (correlation, causation, deed) = (Uuid::from_u128(a), Uuid::from_u128(b), deed.map(Uuid::from_u128));
            serde_json::to_string(&Metadata {
                correlation,
                causation,
                actor: Actor::operator(actor),
                saga,
                deed,
                traceparent,
            })
        });
        let odd = any::<String>().prop_map(|text| serde_json::to_string(&text));
        prop_oneof![ours, odd].prop_map(|json| json.unwrap())
    }

    proptest! {
        #[test]
        fn what_goes_in_comes_out(
            seq in 1_u64..u64::MAX, version in any::<u64>(), id in any::<u128>(), name in "\\PC{1,30}",
            schema_version in any::<u16>(), meta in any_metadata(), data in any::<String>(),
            time in 0..4_000_000_000_000_000_i64, recorded_at in 0..4_000_000_000_000_000_i64, chain in any::<[u8; 32]>(),
        ) {
            // A NUL is refused at every door of a store.
            prop_assume!(!meta.contains("\\u0000") && !data.contains('\0'));
            let event = Recorded {
                version: Version(version),
                id: EventId(Uuid::from_u128(id)),
                schema_version,
                time: Timestamp(time),
                recorded_at: Timestamp(recorded_at),
                chain,
                ..event(seq, &name, &meta, &serde_json::to_string(&data).unwrap())
            };
            prop_assert_eq!(round_trip(&event), Incoming::Event(Box::new(event.clone())));
            let json = attributes(&subjects(), "law", &event).structured(&event.data);
            let (read, data) = Attributes::of_structured(json.as_bytes()).unwrap();
            prop_assert_eq!(recorded("law", seq, &read, data).unwrap(), event);
        }
    }
}
