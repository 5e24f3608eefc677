//! Bodies of orders: every field is read by name, and every refusal says where in the text it was.

use saga_core::codes;
use saga_core::control::{ControlError, Order, OrderKind, What};
use saga_core::json::{self, JsonFault, JsonFaultKind, Payload};
use serde::de::{DeserializeOwned, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::fmt;

/// 2 MiB: the largest payload and as much again for whitespace and the fields around it.
pub const BODY_BYTES_MAX: usize = 2 * 1024 * 1024;

/// The fields of one JSON object, each as raw text.
#[derive(Debug)]
pub struct Fields<'a> {
    text: &'a str,
    fields: Vec<(String, &'a RawValue)>,
}

impl<'a> Fields<'a> {
    /// Reads an object; an empty body is the empty object.
    pub fn read(bytes: &'a [u8]) -> Result<Self, ControlError> {
        let text = utf8(bytes)?;
        if text.trim().is_empty() {
            return Ok(Self { text, fields: Vec::new() });
        }
        let mut reader = serde_json::Deserializer::from_str(text);
        let read = reader.deserialize_map(Pairs).and_then(|fields| reader.end().map(|()| fields));
        match read {
            Ok(fields) => Ok(Self { text, fields }),
            Err(error) if error.is_data() => Err(refused(&error.to_string(), "", error.line(), error.column())),
            Err(error) => Err(json::inspect(text)
                .err()
                .map_or_else(|| malformed(&format!("{error}")), |fault| fault_error(&fault, "the body"))),
        }
    }
    /// Takes a field that must be there.
    pub fn must<T: DeserializeOwned>(&mut self, name: &str) -> Result<T, ControlError> {
        match self.may(name)? {
            Some(value) => Ok(value),
            None => Err(refused(&format!("the field {name:?} is missing"), &format!("/{name}"), 1, 1)),
        }
    }
    /// Takes a field that may be absent or null.
    pub fn may<T: DeserializeOwned>(&mut self, name: &str) -> Result<Option<T>, ControlError> {
        let Some(raw) = self.take(name) else { return Ok(None) };
        serde_json::from_str(raw.get()).map_err(|error| {
            let (line, column) = self.place(raw, error.line(), error.column());
            refused(&json::words(raw.get(), &error), &format!("/{name}"), line, column)
        })
    }
    /// Takes a payload, checked against every rule of payloads. `null` is a payload; only an absent field is `None`.
    pub fn payload(&mut self, name: &str) -> Result<Option<Payload>, ControlError> {
        let Some(raw) = self.take(name) else { return Ok(None) };
        Payload::parse(raw.get()).map(Some).map_err(|fault| {
            let (line, column) = self.place(raw, fault.line, fault.column);
            fault_error(&JsonFault { pointer: format!("/{name}{}", fault.pointer), line, column, ..fault }, "the body")
        })
    }
    /// Refuses what was not taken.
    pub fn end(self) -> Result<(), ControlError> {
        match self.fields.first() {
            None => Ok(()),
            Some((name, raw)) => {
                let (line, column) = self.place(raw, 1, 1);
                Err(refused(&format!("the field {name:?} is not known here"), &format!("/{name}"), line, column))
            }
        }
    }
    fn take(&mut self, name: &str) -> Option<&'a RawValue> {
        let index = self.fields.iter().position(|(field, _)| field == name)?;
        Some(self.fields.swap_remove(index).1)
    }
    /// Where a place inside `raw` is in the whole text.
    fn place(&self, raw: &RawValue, line: usize, column: usize) -> (usize, usize) {
        let start = (raw.get().as_ptr() as usize).saturating_sub(self.text.as_ptr() as usize);
        let before = self.text.get(..start).unwrap_or_default();
        let lines = before.matches('\n').count();
        let last = before.len() - before.rfind('\n').map_or(0, |at| at + 1);
        (line.max(1) + lines, if line <= 1 { column.max(1) + last } else { column })
    }
}

/// Reads an object as pairs and refuses a name that comes twice.
struct Pairs;

impl<'de> Visitor<'de> for Pairs {
    type Value = Vec<(String, &'de RawValue)>;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }
    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        let mut fields: Self::Value = Vec::new();
        while let Some((name, raw)) = entries.next_entry::<String, &'de RawValue>()? {
            if fields.iter().any(|(known, _)| *known == name) {
                return Err(serde::de::Error::custom(format!("the field {name:?} comes twice")));
            }
            fields.push((name, raw));
        }
        Ok(fields)
    }
}

/// The text of a body, or where it stops being UTF-8.
fn utf8(bytes: &[u8]) -> Result<&str, ControlError> {
    std::str::from_utf8(bytes)
        .map(json::without_mark)
        .map_err(|error| malformed(&format!("the body is not UTF-8 from byte {} on", error.valid_up_to())))
}

/// The error of a fault in `whole`, by the code of its kind.
pub fn fault_error(fault: &JsonFault, whole: &str) -> ControlError {
    let code = match fault.kind {
        JsonFaultKind::TooDeep | JsonFaultKind::TooLarge { .. } => codes::INPUT_LIMIT,
        _ => codes::INPUT_MALFORMED,
    };
    let place = match (fault.line, fault.pointer.as_str()) {
        (0, _) => String::new(),
        (line, "") => format!(" (line {line}, column {})", fault.column),
        (line, pointer) => format!(" at {pointer} (line {line}, column {})", fault.column),
    };
    ControlError::new(code, format!("{whole}: {}{place}", fault.kind))
}

fn malformed(message: &str) -> ControlError {
    ControlError::new(codes::INPUT_MALFORMED, message)
}

fn refused(says: &str, pointer: &str, line: usize, column: usize) -> ControlError {
    let at = if pointer.is_empty() { "the top" } else { pointer };
    ControlError::new(codes::INPUT_REFUSED, format!("the body: {says} at {at} (line {line}, column {column})"))
}

/// Reads the body of `POST /v1/sagas`.
pub fn start(bytes: &[u8]) -> Result<(Option<String>, What), ControlError> {
    let mut fields = Fields::read(bytes)?;
    let what = What::Start {
        kind: fields.must("type")?,
        version: fields.may("version")?,
        key: fields.may("key")?,
        input: fields.payload("input")?.unwrap_or_else(Payload::null),
    };
    let reason = fields.may("reason")?;
    fields.end()?;
    Ok((reason, what))
}

/// Reads the body of `POST /v1/sagas/{id}/{verb}`.
pub fn order(saga: String, verb: &str, bytes: &[u8]) -> Result<(Option<String>, What), ControlError> {
    let mut fields = Fields::read(bytes)?;
    let kind = match verb {
        "signal" => {
            let gate = fields.must("gate")?;
            let data = fields.payload("data")?.unwrap_or_else(Payload::null);
            OrderKind::Signal { gate, data, opening: fields.may("for")? }
        }
        "retry" => OrderKind::Retry { step: fields.may("step")? },
        "skip" => OrderKind::Skip { step: fields.must("step")?, result: fields.payload("result")? },
        "compensate" => OrderKind::Compensate,
        "pause" => OrderKind::Pause,
        "resume" => OrderKind::Resume,
        "cancel" => OrderKind::Cancel { abandon: fields.may("abandon")?.unwrap_or(false) },
        "note" => OrderKind::Note(fields.must("text")?),
        _ => {
            let message = format!("{verb:?} is not an order");
            let hint = format!("orders are {}", OrderKind::VERBS.join(" "));
            return Err(ControlError::new(codes::NO_ROUTE, message).hint(hint));
        }
    };
    let reason = fields.may("reason")?;
    fields.end()?;
    Ok((reason, kind.of(saga)))
}

/// The path and body of an order: the other direction of [`start`] and [`order`].
pub fn write(order: &Order) -> Result<(String, String), serde_json::Error> {
    let mut parts: Vec<String> = Vec::new();
    let mut put = |name: &str, value: String| parts.push(format!("\"{name}\":{value}"));
    if let Some(reason) = &order.reason {
        put("reason", serde_json::to_string(reason)?);
    }
    let path = match &order.what {
        What::Start { kind, version, key, input } => {
            put("type", serde_json::to_string(kind)?);
            put("version", serde_json::to_string(version)?);
            put("key", serde_json::to_string(key)?);
            put("input", input.to_string());
            "/v1/sagas".to_owned()
        }
        What::Of { saga, kind } => {
            match kind {
                OrderKind::Signal { gate, data, opening } => {
                    put("gate", serde_json::to_string(gate)?);
                    put("data", data.to_string());
                    if let Some(opening) = opening {
                        put("for", serde_json::to_string(opening)?);
                    }
                }
                OrderKind::Cancel { abandon } => put("abandon", abandon.to_string()),
                OrderKind::Retry { step } => put("step", serde_json::to_string(step)?),
                OrderKind::Skip { step, result } => {
                    put("step", serde_json::to_string(step)?);
                    if let Some(result) = result {
                        put("result", result.to_string());
                    }
                }
                OrderKind::Note(text) => put("text", serde_json::to_string(text)?),
                OrderKind::Compensate | OrderKind::Pause | OrderKind::Resume => {}
            }
            format!("/v1/sagas/{}/{}", crate::query::encode(saga), kind.verb())
        }
    };
    Ok((path, format!("{{{}}}", parts.join(","))))
}
