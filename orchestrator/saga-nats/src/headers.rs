//! CloudEvents on NATS: attributes as `ce-` headers, percent-coded; a reader that takes binary and structured mode.
//! Pure: from attributes to headers and back, whatever Unicode they hold.

use async_nats::HeaderMap;
use async_nats::header::{HeaderName, HeaderValue};
use base64::Engine;
use saga_core::json::Payload;
use saga_core::time::Timestamp;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::str::FromStr;
use uuid::Uuid;

mod number;
pub(crate) use number::canonical;

/// The header by which JetStream recognises a repeated publish.
pub const MSG_ID: &str = "Nats-Msg-Id";
const CONTENT_TYPE: &str = "Content-Type";
pub(crate) const JSON: &str = "application/json";
const STRUCTURED: &str = "application/cloudevents";
/// The attributes that are texts, in every event.
const TEXTS: [&str; 8] = ["specversion", "id", "source", "type", "subject", "time", "datacontenttype", "dataschema"];
/// Travels under its own name, as in every other protocol.
const TRACEPARENT: &str = "traceparent";

/// Why a message is not a CloudEvent of ours. It is parked with this.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// Neither `ce-` headers nor a structured event.
    #[error("it is no CloudEvent: {0}")]
    NotACloudEvent(String),
    /// An attribute that must be there is not.
    #[error("attribute {0} is missing")]
    Missing(&'static str),
    /// An attribute with a value that cannot be.
    #[error("attribute {name} is {value:?}: {why}")]
    Malformed {
        /// Which.
        name: &'static str,
        /// What it is.
        value: String,
        /// What it should be.
        why: String,
    },
    /// The body is not what it should be.
    #[error("the body is not JSON that can be taken: {0}")]
    Body(String),
}

/// Encodes a value as the NATS binding says: space, `"`, `%` and everything outside of U+0021..U+007E.
pub fn percent_encode(value: &str) -> Cow<'_, str> {
    if value.bytes().all(|byte| matches!(byte, 0x21..=0x7e) && byte != b'"' && byte != b'%') {
        return Cow::Borrowed(value);
    }
    let mut coded = String::with_capacity(value.len());
    for byte in value.bytes() {
        match byte {
            b'"' | b'%' => push_hex(&mut coded, byte),
            0x21..=0x7e => coded.push(char::from(byte)),
            _ => push_hex(&mut coded, byte),
        }
    }
    Cow::Owned(coded)
}
fn push_hex(text: &mut String, byte: u8) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    text.push('%');
    text.push(char::from(HEX[usize::from(byte >> 4)]));
    text.push(char::from(HEX[usize::from(byte & 15)]));
}

/// Decodes once. A `%` that begins no code stands for itself; what is not UTF-8 afterwards is refused.
pub fn percent_decode(value: &str) -> Option<String> {
    let bytes = value.as_bytes();
    if !bytes.contains(&b'%') {
        return Some(value.to_owned());
    }
    let (mut plain, mut at) = (Vec::with_capacity(bytes.len()), 0);
    while let Some(&byte) = bytes.get(at) {
        let digit = |offset: usize| bytes.get(at + offset).and_then(|&digit| char::from(digit).to_digit(16));
        match (byte, digit(1), digit(2)) {
            (b'%', Some(high), Some(low)) => {
                plain.push(u8::try_from(high * 16 + low).unwrap_or(b'%'));
                at += 3;
            }
            _ => {
                plain.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8(plain).ok()
}

/// The attributes of one CloudEvent: names in lower case without `ce-`, values in clear. Some twenty in the order of
/// their names: so few are found sooner in a row than in a tree.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Attributes(Vec<(Cow<'static, str>, String)>);

impl Attributes {
    fn place(&self, name: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|(known, _)| known.as_ref().cmp(name))
    }
    /// Sets an attribute. An empty value is none: CloudEvents has no empty attributes.
    pub fn set(&mut self, name: impl Into<Cow<'static, str>>, value: impl Into<String>) {
        let (name, value) = (name.into(), value.into());
        match self.place(&name) {
            _ if value.is_empty() => {}
            Ok(at) => self.0[at].1 = value,
            Err(at) => self.0.insert(at, (name, value)),
        }
    }
    /// An attribute.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.place(name).ok().map(|at| self.0[at].1.as_str())
    }
    /// Takes an attribute away.
    pub fn remove(&mut self, name: &str) {
        if let Ok(at) = self.place(name) {
            self.0.remove(at);
        }
    }
    /// An attribute that must be there.
    pub fn need(&self, name: &'static str) -> Result<&str, DecodeError> {
        self.get(name).ok_or(DecodeError::Missing(name))
    }
    /// An attribute, read as a type.
    pub fn read<T: FromStr<Err: std::fmt::Display>>(&self, name: &'static str) -> Result<Option<T>, DecodeError> {
        let read = |value: &str| value.parse().map_err(|why: T::Err| malformed(name, value, why.to_string()));
        self.get(name).map(read).transpose()
    }
    /// A UUID that must be there.
    pub fn need_uuid(&self, name: &'static str) -> Result<Uuid, DecodeError> {
        self.read(name)?.ok_or(DecodeError::Missing(name))
    }
    /// A time.
    pub fn time(&self, name: &'static str) -> Result<Option<Timestamp>, DecodeError> {
        let read = |value| Timestamp::parse(value).map_err(|why| malformed(name, value, why.to_string()));
        self.get(name).map(read).transpose()
    }
    /// All of them, in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_ref(), value.as_str()))
    }

    /// As headers of a message in binary mode. A trace context that no header can carry is left out.
    pub fn headers(self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in self.0 {
            if name == TRACEPARENT {
                put(&mut headers, TRACEPARENT, &value);
                continue;
            }
            let coded = match percent_encode(&value) {
                Cow::Owned(coded) => coded,
                Cow::Borrowed(_) => value,
            };
            // What is percent-coded has no line breaks.
            match known(&name) {
                Some((_, name)) => headers.insert(name, HeaderValue::from(coded)),
                None => put(&mut headers, &*format!("ce-{name}"), &coded),
            }
        }
        put(&mut headers, const { HeaderName::from_static(CONTENT_TYPE) }, JSON);
        headers
    }
    /// As JSON in structured mode, around a body whose text stays as it is.
    pub fn structured(&self, data: &Payload) -> String {
        let mut json = String::from("{");
        for (name, value) in &self.0 {
            let value = serde_json::Value::from(value.as_str());
            json.push_str(&format!("{:?}:{value},", name));
        }
        json.push_str("\"data\":");
        json.push_str(data.as_str());
        json.push('}');
        json
    }

    /// Reads a message in whichever mode it is. The body comes back as checked JSON; `null` when it is empty.
    pub fn of_message(headers: Option<&HeaderMap>, body: &[u8]) -> Result<(Self, Payload), DecodeError> {
        let mut attributes = Self::default();
        let mut content_type = None;
        for (name, values) in headers.iter().flat_map(|headers| headers.iter()) {
            let name: &str = name.as_ref();
            let value = values.last().map_or("", HeaderValue::as_str);
            let name = match name.bytes().any(|byte| byte.is_ascii_uppercase()) {
                true => Cow::Owned(name.to_ascii_lowercase()),
                false => Cow::Borrowed(name),
            };
            match name.strip_prefix("ce-") {
                Some(attribute) => {
                    let clear = percent_decode(value).ok_or_else(|| {
                        DecodeError::NotACloudEvent(format!("header {name} is not UTF-8 after decoding"))
                    })?;
                    match known(attribute) {
                        Some((attribute, _)) => attributes.set(attribute, clear),
                        None => attributes.set(attribute.to_owned(), clear),
                    }
                }
                None if name == TRACEPARENT => attributes.set(TRACEPARENT, value),
                None if name == "content-type" => content_type = Some(value.to_ascii_lowercase()),
                None => {}
            }
        }
        let structured = content_type.as_ref().is_some_and(|kind| kind.starts_with(STRUCTURED));
        if structured || attributes.get("specversion").is_none() {
            return Self::of_structured(body);
        }
        attributes.check_version()?;
        // In binary mode the type of the content is a header of the message.
        attributes.set("datacontenttype", content_type.unwrap_or_default());
        Ok((attributes, json_body(body)?))
    }
    /// Reads a structured event.
    pub fn of_structured(body: &[u8]) -> Result<(Self, Payload), DecodeError> {
        let json = json_body(body)?;
        let members: BTreeMap<String, Payload> =
            json.read().map_err(|_| DecodeError::NotACloudEvent("no `ce-specversion`, no structured event".into()))?;
        let (mut attributes, mut data) = (Self::default(), None);
        for (name, value) in members {
            let malformed = |why: &str| DecodeError::Body(format!("{name}: {why}"));
            match name.as_str() {
                "data" => data = Some(value),
                "data_base64" => {
                    let text: String = value.read().map_err(|_| malformed("not a text"))?;
                    let bytes = base64::engine::general_purpose::STANDARD.decode(text);
                    data = Some(json_body(&bytes.map_err(|_| malformed("not base64"))?)?);
                }
                _ => match value.read::<serde_json::Value>() {
                    Ok(serde_json::Value::String(text)) => attributes.set(name.clone(), text),
                    // What CloudEvents says is a text is one; only extensions may be numbers and flags.
                    Ok(_) if TEXTS.contains(&name.as_str()) => return Err(malformed("not a text")),
                    Ok(serde_json::Value::Null) | Err(_) => {}
                    Ok(other) => attributes.set(name.clone(), other.to_string()),
                },
            }
        }
        attributes.check_version()?;
        Ok((attributes, data.unwrap_or_else(Payload::null)))
    }
    fn check_version(&self) -> Result<(), DecodeError> {
        match self.get("specversion") {
            Some("1.0") => Ok(()),
            Some(other) => Err(malformed("specversion", other, "only 1.0 is read".to_owned())),
            None => Err(DecodeError::NotACloudEvent("no specversion".to_owned())),
        }
    }
}

/// Says what is wrong with an attribute.
pub(crate) fn malformed(name: &'static str, value: &str, why: impl Into<String>) -> DecodeError {
    DecodeError::Malformed { name, value: value.to_owned(), why: why.into() }
}

/// A name of a header, given as text or made before.
pub(crate) trait Name {
    fn name(self) -> Option<HeaderName>;
}
impl Name for &str {
    fn name(self) -> Option<HeaderName> {
        HeaderName::from_str(self).ok()
    }
}
impl Name for HeaderName {
    fn name(self) -> Option<HeaderName> {
        Some(self)
    }
}
/// Sets a header, unless no header can carry it: a line break would end it, and the client would take the process down.
pub(crate) fn put(headers: &mut HeaderMap, name: impl Name, value: &str) {
    if let (Some(name), Ok(value)) = (name.name(), HeaderValue::from_str(value)) {
        headers.insert(name, value);
    }
}
/// Names that are made once: making them is a third of the work of writing an event. The attribute, and its header.
fn known(attribute: &str) -> Option<(&'static str, HeaderName)> {
    macro_rules! names {
        ($($name:literal)+) => {
            match attribute {
                $($name => Some(($name, const { HeaderName::from_static(concat!("ce-", $name)) })),)+
                _ => None,
            }
        };
    }
    names! {
        "specversion" "id" "source" "type" "subject" "time" "datacontenttype" "dataschema" "streamversion" "position"
        "recordedtime" "chain" "meta" "correlationid" "causationid" "actorkind" "actorid" "sagaid" "step" "stepkey"
        "counterkey" "direction" "attempt" "epoch" "deadline" "replyto" "probe"
    }
}

fn json_body(body: &[u8]) -> Result<Payload, DecodeError> {
    let text = std::str::from_utf8(body).map_err(|why| DecodeError::Body(why.to_string()))?;
    if text.is_empty() {
        return Ok(Payload::null());
    }
    Payload::parse(text).map_err(|why| DecodeError::Body(why.to_string()))
}

/// Whether the client can read a block of raw headers. One that it cannot read ends its connection, or its life.
pub(crate) fn is_readable(block: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(block) else { return false };
    if text.is_empty() {
        return true;
    }
    let mut lines = text.lines();
    let begins = lines.next().and_then(|line| line.strip_prefix("NATS/1.0")).is_some_and(|rest| rest.trim().is_empty());
    let mut continues = false;
    begins
        && lines.filter(|line| !line.is_empty()).all(|line| {
            let continued = std::mem::replace(&mut continues, true) && line.starts_with(char::is_whitespace);
            let named = || line.split_once(':').is_some_and(|(name, _)| HeaderName::from_str(name).is_ok());
            !line.contains('\r') && (continued || named())
        })
}

/// Takes a block of raw headers apart, as the API of the server hands it out.
pub(crate) fn of_raw(block: &[u8]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in String::from_utf8_lossy(block).split("\r\n").skip(1) {
        if let Some((name, value)) = line.split_once(':') {
            put(&mut headers, name, value.trim());
        }
    }
    headers
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn values_are_coded_as_the_binding_says() {
        for (clear, coded) in [
            ("Euro € 😀", "Euro%20%E2%82%AC%20%F0%9F%98%80"),
            ("a\"b%c", "a%22b%25c"),
            ("plain/!~", "plain/!~"),
            ("\u{7f}\r\n", "%7F%0D%0A"),
        ] {
            assert_eq!(percent_encode(clear), coded);
            assert_eq!(percent_decode(coded).as_deref(), Some(clear));
        }
        assert_eq!(percent_decode("100%").as_deref(), Some("100%"));
        assert_eq!(percent_decode("%zz%2").as_deref(), Some("%zz%2"));
        assert_eq!(percent_decode("%e2%82%ac").as_deref(), Some("€"));
        assert_eq!(percent_decode("%2520").as_deref(), Some("%20"), "once");
        assert_eq!(percent_decode("%FF"), None);
    }

    #[test]
    fn structured_events_are_read_with_or_without_their_content_type() {
        let body = br#"{"specversion":"1.0","id":"7","source":"/x","type":"t","number":3,"data":{ "a" : 1.10 }}"#;
        let mut typed = HeaderMap::new();
        typed.insert("content-type", "application/cloudevents+json; charset=utf-8");
        for headers in [None, Some(&typed)] {
            let (attributes, data) = Attributes::of_message(headers, body).unwrap();
            assert_eq!((attributes.get("id"), attributes.get("number")), (Some("7"), Some("3")));
            assert_eq!(data.as_str(), r#"{ "a" : 1.10 }"#);
        }
        let coded = br#"{"specversion":"1.0","data_base64":"eyJhIjoxfQ=="}"#;
        assert_eq!(Attributes::of_structured(coded).unwrap().1.as_str(), r#"{"a":1}"#);
        for poison in [&b"\xff\xfe"[..], b"{", b"7", b"{}", br#"{"specversion":"0.3"}"#, b"", br#"{"a":1,"a":2}"#] {
            assert!(Attributes::of_message(None, poison).is_err(), "{poison:?}");
        }
    }

    #[test]
    fn in_binary_mode_the_header_of_the_message_is_the_type_of_the_content() {
        for (header, attribute, read) in [
            (Some("text/plain"), None, Some("text/plain")),
            (Some("Application/JSON"), Some("text/plain"), Some("application/json")),
            (None, Some("text/plain"), Some("text/plain")),
            (Some(""), Some("text/plain"), Some("text/plain")),
            (None, None, None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert("ce-specversion", "1.0");
            for (name, value) in [(CONTENT_TYPE, header), ("ce-datacontenttype", attribute)] {
                value.into_iter().for_each(|value| put(&mut headers, name, value));
            }
            let (attributes, _) = Attributes::of_message(Some(&headers), b"7").unwrap();
            assert_eq!(attributes.get("datacontenttype"), read, "{header:?} {attribute:?}");
        }
    }

    #[test]
    fn header_names_are_read_without_regard_to_case() {
        let mut headers = HeaderMap::new();
        headers.insert("CE-SpecVersion", "1.0");
        headers.insert("Ce-Id", "a%20b");
        let (attributes, _) = Attributes::of_message(Some(&headers), b"null").unwrap();
        assert_eq!(attributes.get("id"), Some("a b"));
    }

    #[test]
    fn headers_that_kill_a_client_are_known() {
        for good in [&b""[..], b"NATS/1.0\r\n\r\n", b"NATS/1.0\r\na: b\r\n more\r\nc:\r\n\r\n"] {
            assert!(is_readable(good), "{good:?}");
        }
        for bad in [
            &b"NATS/1.0\r\na: b\rc\r\n\r\n"[..],
            b"NATS/1.0\r\na: \xff\r\n\r\n",
            b"NATS/1.0\r\nno colon\r\n\r\n",
            b"NATS/1.0\r\n\x01: x\r\n\r\n",
            b"NATS/1.0 408\r\na: b\r\n\r\n",
            b"NATS/2.0\r\n\r\n",
        ] {
            assert!(!is_readable(bad), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_survives_both_modes(value in any::<String>(), name in "[a-z][a-z0-9]{0,19}") {
            prop_assume!(!["data", "traceparent", "specversion"].contains(&name.as_str()));
            prop_assert_eq!(percent_decode(&percent_encode(&value)), Some(value.clone()));
            let mut attributes = Attributes::default();
            attributes.set("specversion", "1.0");
            attributes.set(name, value.clone());
            let headers = attributes.clone().headers();
            let (binary, _) = Attributes::of_message(Some(&headers), b"7").unwrap();
            // In binary mode the header of the message says what the content is; structured mode adds nothing.
            let mut typed = attributes.clone();
            typed.set("datacontenttype", JSON);
            prop_assert_eq!(&binary, &typed);
            // A NUL cannot be in a JSON text that we take.
            if !value.contains('\0') {
                let json = attributes.structured(&Payload::trusted("[ 1 ]"));
                let (structured, data) = Attributes::of_structured(json.as_bytes()).unwrap();
                prop_assert_eq!((&structured, data.as_str()), (&attributes, "[ 1 ]"));
            }
        }
        #[test]
        fn no_bytes_take_the_reader_down(body in any::<Vec<u8>>(), value in "[ -~]{0,40}") {
            let mut headers = HeaderMap::new();
            headers.insert("ce-specversion", "1.0");
            headers.insert("ce-id", value.as_str());
            let _read_or_refused = Attributes::of_message(Some(&headers), &body);
            let _read_or_refused = Attributes::of_message(None, &body);
        }
    }
}
