//! Query strings and path parts, both ways: text from an address becomes a `Selector` or a refusal that names the word.

use saga_core::codes;
use saga_core::control::{ControlError, PAGE_MAX, Selector};
use saga_core::time::Timestamp;
use saga_core::view::SagaState;

/// Percent-encodes everything but letters, digits and `-._~`.
pub fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// Undoes [`encode`]; `+` is a space. `None` when it is not well-formed or not UTF-8.
pub fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'%' => {
                let (high, low) = (rest.next()?, rest.next()?);
                let digit = |b: u8| char::from(b).to_digit(16).and_then(|d| u8::try_from(d).ok());
                bytes.push(digit(high)? * 16 + digit(low)?);
            }
            b'+' => bytes.push(b' '),
            other => bytes.push(other),
        }
    }
    String::from_utf8(bytes).ok()
}

/// The pairs of a query string. A name that comes twice is refused: of two values, each reader believes another one. So is
/// one with nothing behind its `=`: it would read like a condition and be none. A name alone is a flag that is set.
pub fn pairs(query: &str) -> Result<Vec<(String, String)>, ControlError> {
    let mut out: Vec<(String, String)> = Vec::new();
    for part in query.split('&').filter(|part| !part.is_empty()) {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        match (decode(name), decode(value)) {
            (Some(name), Some(_)) if out.iter().any(|(known, _)| *known == name) => {
                return Err(refused(format!("{name:?} comes twice in the query string")).hint("say it once"));
            }
            (Some(name), Some(value)) if value.trim().is_empty() && part.contains('=') => {
                return Err(refused(format!("{name:?} has no value in the query string")).hint("leave it out"));
            }
            (Some(name), Some(value)) => out.push((name, value)),
            _ => return Err(refused(format!("{part:?} in the query string is not percent-encoded UTF-8"))),
        }
    }
    Ok(out)
}

/// A selector as a query string, without `?`; empty for the default.
pub fn of_selector(selector: &Selector) -> String {
    let Selector { states, kind, key, attention, all, since, limit, cursor } = selector;
    let mut out = Vec::new();
    let mut put = |name: &str, value: &str| out.push(format!("{name}={}", encode(value)));
    if !states.is_empty() {
        put("state", &states.iter().map(|state| state.word()).collect::<Vec<_>>().join(","));
    }
    for (name, value) in [("type", kind), ("key", key), ("cursor", cursor)] {
        if let Some(value) = value {
            put(name, value);
        }
    }
    for (name, set) in [("attention", attention), ("all", all)] {
        if *set {
            put(name, "true");
        }
    }
    if let Some(since) = since {
        put("since", &since.to_string());
    }
    if *limit > 0 {
        put("limit", &limit.to_string());
    }
    out.join("&")
}

/// Reads a selector. `state` may hold several words with commas between them; a limit is capped at [`PAGE_MAX`].
pub fn selector(query: &str) -> Result<Selector, ControlError> {
    let mut selector = Selector::default();
    for (name, value) in pairs(query)? {
        match name.as_str() {
            "state" => selector.states = states(&given(&name, value)?)?,
            "type" => selector.kind = Some(given(&name, value)?),
            "key" => selector.key = Some(given(&name, value)?),
            "cursor" => selector.cursor = Some(given(&name, value)?),
            "attention" => selector.attention = flag(&name, &value)?,
            "all" => selector.all = flag(&name, &value)?,
            "since" => {
                selector.since = Some(Timestamp::parse(&value).map_err(|_| {
                    refused(format!("since={value:?} is not an RFC 3339 time")).hint("for example 2026-11-21T18:00:00Z")
                })?);
            }
            "limit" => selector.limit = limit(&name, &value)?,
            _ => return Err(unknown(&name, "state type key attention all since limit cursor")),
        }
    }
    Ok(selector)
}

/// A value that has to be there.
fn given(name: &str, value: String) -> Result<String, ControlError> {
    if value.is_empty() { Err(refused(format!("{name:?} needs a value")).hint("or leave it out")) } else { Ok(value) }
}

/// Reads how many rows are wanted, capped at [`PAGE_MAX`]. None at all is not a question, and is not "all" either.
pub fn limit(name: &str, value: &str) -> Result<usize, ControlError> {
    match number(name, value)? {
        0 => Err(refused(format!("{name}=0 asks for nothing"))
            .hint(format!("1 to {PAGE_MAX}, or leave it out for a whole page"))),
        rows => Ok(usize::try_from(rows).unwrap_or(PAGE_MAX).min(PAGE_MAX)),
    }
}

/// The states named in `text`, with commas between them.
pub fn states(text: &str) -> Result<Vec<SagaState>, ControlError> {
    let words = text.split(',').map(str::trim);
    words
        .map(|word| {
            SagaState::parse(word).ok_or_else(|| {
                let known: Vec<&str> = SagaState::ALL.iter().map(|state| state.word()).collect();
                refused(format!("{word:?} is not a state")).hint(format!("states are {}", known.join(" ")))
            })
        })
        .collect()
}

/// Reads a flag: `true`, `false`, `1`, `0`, or nothing for true.
pub fn flag(name: &str, value: &str) -> Result<bool, ControlError> {
    match value {
        "" | "true" | "1" => Ok(true),
        "false" | "0" => Ok(false),
        _ => Err(refused(format!("{name}={value:?} is neither true nor false"))),
    }
}

/// Reads a whole number.
pub fn number(name: &str, value: &str) -> Result<u64, ControlError> {
    value.parse().map_err(|_| refused(format!("{name}={value:?} is not a whole number")))
}

/// Refuses a name that a route does not know; nothing is ignored, or a typo would look like an answer.
pub fn unknown(name: &str, known: &str) -> ControlError {
    refused(format!("{name:?} is not understood in the query string")).hint(format!("known are {known}"))
}

fn refused(message: String) -> ControlError {
    ControlError::new(codes::USAGE, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_text_survives_a_path_or_query() {
        for text in ["client-to-delivery/acme-7", "a b+c%&=?#", "ümlaut ✖", ""] {
            assert_eq!(decode(&encode(text)).as_deref(), Some(text));
        }
        for bad in ["%", "%4", "%zz", "%ff"] {
            assert_eq!(decode(bad), None, "{bad}");
        }
    }

    #[test]
    fn an_unknown_word_is_refused_by_name() {
        for (query, part) in [
            ("stat=parked", "stat"),
            ("state=stuck", "stuck"),
            ("limit=x", "limit"),
            ("all=2", "all"),
            ("limit=1&limit=2", "limit"),
            ("all=true&al%6c=true", "all"),
            ("state=parked&state=running", "state"),
            ("state=parked,,running", "\"\""),
            ("state=", "state"),
            ("state", "state"),
            ("type=", "type"),
            ("key=%20", "key"),
            ("cursor=", "cursor"),
            ("all=", "all"),
            ("limit=0", "limit"),
            ("since", "since"),
        ] {
            let error = selector(query).unwrap_err();
            assert_eq!(error.code, "SG0301");
            assert!(error.message.contains(part), "{}", error.message);
        }
        assert_eq!(selector("limit=999999").unwrap().limit, PAGE_MAX);
        assert_eq!(selector("state=parked,running&all").unwrap().states.len(), 2);
    }
}
