//! JSON as it came: the text is checked once when it comes in, kept, and never written again in another form.

mod finite;

use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

/// 1 MiB: the largest message a broker carries by default, so that an event which fits the store also fits the bus.
pub const PAYLOAD_BYTES_MAX: usize = 1024 * 1024;
/// 64 levels: far beyond any real message, and safe for every recursive reader in every language.
pub const JSON_DEPTH_MAX: usize = 64;

/// One JSON value as text. Cheap to clone; the bytes that were hashed are the bytes that are kept.
#[derive(Clone, PartialEq, Eq)]
pub struct Payload(Arc<str>);

impl Payload {
    /// Serialises a value that this program made itself. A number that JSON does not have (NaN, an infinity) is an error: it
    /// would be kept as `null`.
    pub fn of<T: Serialize + ?Sized>(value: &T) -> Result<Self, serde_json::Error> {
        finite::is_finite(value).map_err(serde::ser::Error::custom)?;
        serde_json::to_string(value).map(|text| Self(text.into()))
    }
    /// Takes a text from outside: well-formed, no duplicate keys, not too deep, not too large, no NUL. A mark of the byte
    /// order before it is no part of it.
    pub fn parse(text: &str) -> Result<Self, JsonFault> {
        let text = without_mark(text);
        inspect(text)?;
        Ok(Self(text.into()))
    }
    /// Takes a text that was checked when it was written (out of our own store).
    pub fn trusted(text: impl Into<Arc<str>>) -> Self {
        Self(text.into())
    }
    /// JSON `null`.
    pub fn null() -> Self {
        Self("null".into())
    }
    /// Reads the text as a type.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_str(&self.0).map_err(|error| exact(&self.0, error))
    }
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
    /// The text, shared: for stores, which hand it on to another thread without a copy.
    pub fn to_shared(&self) -> Arc<str> {
        Arc::clone(&self.0)
    }
}
impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
impl fmt::Display for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
impl Serialize for Payload {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let raw: &RawValue = serde_json::from_str(&self.0).map_err(serde::ser::Error::custom)?;
        raw.serialize(serializer)
    }
}
impl<'de> Deserialize<'de> for Payload {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Asked for under this name, a JSON reader hands out the text as it stands. One that has only a buffered value
        // left (inside of tagged and flattened types) does not know the name, and the text is written anew.
        deserializer.deserialize_newtype_struct(RAW_VALUE, Text)
    }
}

/// The name under which `serde_json` hands out raw text. If it ever changes, texts are written anew: a test notices.
const RAW_VALUE: &str = "$serde_json::private::RawValue";

struct Text;
impl<'de> Visitor<'de> for Text {
    type Value = Payload;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }
    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<Payload, D::Error> {
        let value = serde_json::Value::deserialize(deserializer)?;
        Payload::of(&value).map_err(serde::de::Error::custom)
    }
    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Payload, A::Error> {
        match entries.next_key::<String>()? {
            Some(name) if name == RAW_VALUE => entries.next_value::<RawText>().map(|text| Payload(text.0.into())),
            Some(_) | None => Err(serde::de::Error::custom("not the text of a JSON value")),
        }
    }
}

/// The text itself, however the reader hands it over.
struct RawText(String);
impl<'de> Deserialize<'de> for RawText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(RawText)
    }
}

/// A text without the mark of the byte order that some editors put first: no part of JSON, and taken at every door alike.
pub fn without_mark(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

/// What a reader says of a text that it cannot read as its type, without the place, and with a number as it was written:
/// readers know large ones rounded only.
pub fn words(text: &str, error: &serde_json::Error) -> String {
    let message = error.to_string();
    let message = message.split(" at line ").next().unwrap_or_default();
    let shown = ["floating point `", "integer `"].iter().find_map(|kind| {
        let begin = message.find(kind)? + kind.len();
        Some((begin, begin + message[begin..].find('`')?))
    });
    match (shown, number_before(text, error.line(), error.column())) {
        (Some((begin, end)), Some(number)) => format!("{}{number}{}", &message[..begin], &message[end..]),
        _ => message.to_owned(),
    }
}

/// The same error with its number as it was written.
fn exact(text: &str, error: serde_json::Error) -> serde_json::Error {
    match error.is_data() && error.to_string().contains('`') {
        true => {
            let (line, column) = (error.line(), error.column());
            serde::de::Error::custom(format!("{} at line {line} column {column}", words(text, &error)))
        }
        false => error,
    }
}

/// The number that ends at a place, or stands around it.
fn number_before(text: &str, line: usize, column: usize) -> Option<&str> {
    let line = text.split('\n').nth(line.checked_sub(1)?)?;
    let part = |byte: &u8| byte.is_ascii_digit() || b"+-.eE".contains(byte);
    let bytes = line.as_bytes();
    let end = column.min(bytes.len());
    let begin = end - bytes[..end].iter().rev().take_while(|byte| part(byte)).count();
    let end = end + bytes[end..].iter().take_while(|byte| part(byte)).count();
    line.get(begin..end).filter(|number| number.bytes().any(|byte| byte.is_ascii_digit()))
}

/// For optional fields in which `null` is a value: what is there is `Some`.
pub(crate) fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Payload>, D::Error> {
    Payload::deserialize(deserializer).map(Some)
}

#[cfg(feature = "schemas")]
impl schemars::JsonSchema for Payload {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Json".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!(true)
    }
}

/// What is wrong with a JSON text, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind} at {} (line {line}, column {column})", if pointer.is_empty() { "the top" } else { pointer })]
pub struct JsonFault {
    /// What.
    pub kind: JsonFaultKind,
    /// Where, as a JSON pointer; empty is the whole document.
    pub pointer: String,
    /// Where in the text, from 1; 0 when it concerns the whole text.
    pub line: usize,
    /// Where in the line, from 1.
    pub column: usize,
}

/// The kinds of faults that are told apart.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JsonFaultKind {
    /// Not JSON.
    #[error("malformed JSON: {0}")]
    Malformed(String),
    /// The same key twice in one object: readers disagree about which one counts.
    #[error("duplicate key {0:?}")]
    DuplicateKey(String),
    /// Nested deeper than [`JSON_DEPTH_MAX`].
    #[error("nested deeper than {JSON_DEPTH_MAX} levels")]
    TooDeep,
    /// Larger than [`PAYLOAD_BYTES_MAX`].
    #[error("{bytes} bytes, at most {PAYLOAD_BYTES_MAX} are allowed")]
    TooLarge {
        /// How large it is.
        bytes: usize,
    },
    /// A NUL character, which some stores and languages cannot keep.
    #[error("NUL character in a text")]
    Nul,
}

/// Checks a text from outside against every rule of this module, without building a tree. Where it stands is only written
/// down in a second pass, over a text that is refused.
pub fn inspect(text: &str) -> Result<(), JsonFault> {
    if text.len() > PAYLOAD_BYTES_MAX {
        let kind = JsonFaultKind::TooLarge { bytes: text.len() };
        return Err(JsonFault { kind, pointer: String::new(), line: 0, column: 0 });
    }
    if walked(text, &Notes::default()).is_ok() {
        return Ok(());
    }
    let notes = Notes { path: Some(RefCell::default()), fault: RefCell::default() };
    walked(text, &notes).map_err(|error| {
        let kind = notes.fault.take().unwrap_or_else(|| {
            let message = error.to_string();
            JsonFaultKind::Malformed(message.split(" at line ").next().unwrap_or_default().to_owned())
        });
        let path = notes.path.as_ref().map(RefCell::take).unwrap_or_default();
        let pointer: String = path.iter().map(|part| format!("/{part}")).collect();
        JsonFault { kind, pointer, line: error.line(), column: error.column() }
    })
}
fn walked(text: &str, notes: &Notes) -> Result<(), serde_json::Error> {
    let mut reader = serde_json::Deserializer::from_str(text);
    Walk { notes, depth: 0 }.deserialize(&mut reader).and_then(|()| reader.end())
}

#[derive(Default)]
struct Notes {
    /// Where the walk is, if anybody wants to know.
    path: Option<RefCell<Vec<String>>>,
    fault: RefCell<Option<JsonFaultKind>>,
}
struct Walk<'a> {
    notes: &'a Notes,
    depth: usize,
}

impl Walk<'_> {
    fn fail<E: serde::de::Error>(&self, kind: JsonFaultKind) -> E {
        self.notes.fault.replace(Some(kind));
        E::custom("refused")
    }
    fn below<E: serde::de::Error>(&self, part: impl FnOnce() -> String) -> Result<Walk<'_>, E> {
        if self.depth >= JSON_DEPTH_MAX {
            return Err(self.fail(JsonFaultKind::TooDeep));
        }
        if let Some(path) = &self.notes.path {
            path.borrow_mut().push(part());
        }
        Ok(Walk { notes: self.notes, depth: self.depth + 1 })
    }
    fn back(&self) {
        if let Some(path) = &self.notes.path {
            path.borrow_mut().pop();
        }
    }
    fn text<E: serde::de::Error>(&self, text: &str) -> Result<(), E> {
        if text.contains('\0') { Err(self.fail(JsonFaultKind::Nul)) } else { Ok(()) }
    }
}
impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}
impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }
    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }
    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }
    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }
    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }
    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<(), E> {
        self.text(text)
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        for index in 0_usize.. {
            let below = self.below(|| index.to_string())?;
            let more = items.next_element_seed(below)?.is_some();
            self.back();
            if !more {
                break;
            }
        }
        Ok(())
    }
    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        let mut seen = Seen::default();
        while let Some(Key(key)) = entries.next_key()? {
            let below = self.below(|| key.replace('~', "~0").replace('/', "~1"))?;
            self.text::<A::Error>(&key)?;
            if let Some(key) = seen.again(key) {
                return Err(self.fail(JsonFaultKind::DuplicateKey(key.into_owned())));
            }
            entries.next_value_seed(below)?;
            self.back();
        }
        Ok(())
    }
}

/// The keys of one object so far. Most objects have a few, which need no room of their own.
#[derive(Default)]
struct Seen<'a> {
    few: [Option<Cow<'a, str>>; 8],
    many: BTreeSet<Cow<'a, str>>,
}
impl<'a> Seen<'a> {
    /// Remembers a key; one that was seen before comes back.
    fn again(&mut self, key: Cow<'a, str>) -> Option<Cow<'a, str>> {
        for known in &mut self.few {
            match known {
                Some(known) if *known == key => return Some(key),
                Some(_) => {}
                None => {
                    *known = Some(key);
                    return None;
                }
            }
        }
        if self.many.contains(&key) {
            return Some(key);
        }
        self.many.insert(key);
        None
    }
}

/// A key as it stands in the text, copied only where it has escapes.
#[derive(Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(text: &str) -> (JsonFaultKind, String) {
        let fault = inspect(text).unwrap_err();
        (fault.kind, fault.pointer)
    }

    #[test]
    fn every_fault_names_its_place() {
        assert_eq!(fault(r#"{"a":{"b":1,"b":2}}"#), (JsonFaultKind::DuplicateKey("b".into()), "/a/b".into()));
        assert_eq!(fault(r#"{"a":[1,"x\u0000"]}"#), (JsonFaultKind::Nul, "/a/1".into()));
        assert_eq!(fault(&"[".repeat(1000)).0, JsonFaultKind::TooDeep);
        assert_eq!(
            fault(&" ".repeat(PAYLOAD_BYTES_MAX + 1)).0,
            JsonFaultKind::TooLarge { bytes: PAYLOAD_BYTES_MAX + 1 }
        );
        assert!(matches!(fault(r#"{"a":tru}"#), (JsonFaultKind::Malformed(_), place) if place == "/a"));
        assert!(matches!(fault("1 2").0, JsonFaultKind::Malformed(_)));
    }

    #[test]
    fn a_key_is_known_again_however_many_stand_between() {
        for keys in 1..40 {
            let all: Vec<String> = (0..keys).map(|key| format!(r#""k{key}":{{}}"#)).collect();
            assert_eq!(inspect(&format!("{{{}}}", all.join(","))), Ok(()));
            for again in 0..keys {
                let text = format!(r#"{{{},"k{again}":1}}"#, all.join(","));
                assert_eq!(fault(&text), (JsonFaultKind::DuplicateKey(format!("k{again}")), format!("/k{again}")));
            }
        }
    }

    #[test]
    fn the_limit_of_depth_is_exact() {
        let nested = |depth: usize| format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
        assert!(inspect(&nested(JSON_DEPTH_MAX)).is_ok());
        assert!(inspect(&nested(JSON_DEPTH_MAX + 1)).is_err());
    }

    #[test]
    fn a_number_that_does_not_fit_is_told_as_it_was_written() {
        #[derive(Debug, serde::Deserialize)]
        struct One {
            #[expect(dead_code, reason = "only read")]
            a: u32,
        }
        for number in ["18446744073709551616", "4294967296", "-1", "1.50", "1e3", "123456789012345678901234567890"] {
            for text in [
                format!("{{\"a\":{number}}}"),
                format!("{{ \"a\" :\n {number} ,\"b\":2}}"),
                format!("{{\"b\":7,\"a\":{number}}}"),
            ] {
                let error = serde_json::from_str::<One>(&text).unwrap_err();
                let told = words(&text, &error);
                assert!(told.contains(&format!("`{number}`")) && !told.contains(" at line "), "{text}: {told}");
            }
        }
        let error = serde_json::from_str::<One>("{}").unwrap_err();
        assert_eq!(words("{}", &error), "missing field `a`");
        assert_eq!(Payload::parse("\u{feff}{\"a\":1}").unwrap().as_str(), "{\"a\":1}");
        assert!(Payload::parse("\u{feff}\u{feff}1").is_err());
    }

    #[test]
    fn large_integers_stay_exact() {
        let text = r#"{"n":9007199254740993,"huge":123456789012345678901234567890}"#;
        let payload = Payload::parse(text).unwrap();
        assert_eq!(payload.as_str(), text);
        assert_eq!(serde_json::to_string(&payload).unwrap(), text);
    }
}
