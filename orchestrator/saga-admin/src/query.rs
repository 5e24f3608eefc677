//! Query strings and path parts, both ways: text from an address becomes words or a refusal that names the word.

use saga_core::codes;
use saga_core::control::ControlError;
use saga_core::control::ask::Written;

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

/// The path and the query string of a look.
pub fn path(asked: &Written) -> String {
    let named = |path: String, (name, part): &(String, String)| path.replace(&format!("{{{name}}}"), &encode(part));
    let path = asked.parts.iter().fold(asked.path.to_owned(), named);
    let words = asked.words.iter().map(|(name, text)| format!("{name}={}", encode(text)));
    let words = words.collect::<Vec<_>>().join("&");
    if words.is_empty() { path } else { format!("{path}?{words}") }
}

fn refused(message: String) -> ControlError {
    ControlError::new(codes::USAGE, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use saga_core::control::ask::Addressed;
    use saga_core::control::{PAGE_MAX, Selector};

    #[test]
    fn any_text_survives_a_path_or_query() {
        for text in ["client-to-delivery/acme-7", "a b+c%&=?#", "ümlaut ✖", ""] {
            assert_eq!(decode(&encode(text)).as_deref(), Some(text));
        }
        for bad in ["%", "%4", "%zz", "%ff"] {
            assert_eq!(decode(bad), None, "{bad}");
        }
    }

    fn selector(query: &str) -> Result<Selector, ControlError> {
        Selector::ADDRESS.read(Vec::new(), pairs(query)?)
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
