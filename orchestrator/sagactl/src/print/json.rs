//! Machine formats: the same JSON as over HTTP, a line per item, or ids; safe to look at on a terminal.

use crate::failure::Failure;
use saga_admin::wire;
use saga_core::control::Receipt;
use saga_core::control::ask::Seen;
use saga_core::plain::is_hidden;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// The whole view in its envelope, on one line.
pub fn envelope<S: Seen>(seen: &S) -> Result<String, Failure> {
    line(&wire::encode(seen)?)
}

/// The view as lines: one item each, without envelope.
pub fn lines<S: Seen>(seen: &S) -> Result<String, Failure> {
    seen.lines()?.iter().map(|item| line(item)).collect()
}

/// One id a line, for `xargs`.
pub fn ids<S: Seen>(seen: &S) -> String {
    let line = |id: &String| format!("{}\n", crate::print::style::clean(id, '\u{fffd}'));
    seen.ids().iter().map(line).collect()
}

/// The answer to an order in its envelope.
pub fn receipt(receipt: &Receipt) -> Result<String, Failure> {
    line(&wire::encode_receipt(receipt)?)
}

/// What a configuration comes to, in its envelope: each key with its value, as it may be shown.
pub fn config(values: Vec<(String, String)>) -> Result<String, Failure> {
    #[derive(Serialize)]
    struct Config {
        values: BTreeMap<String, String>,
    }
    line(&wire::one("Config", &Config { values: values.into_iter().collect() })?)
}

/// Anything as one line.
pub fn item<T: Serialize>(item: &T) -> Result<String, Failure> {
    line(&serde_json::to_string(item)?)
}

/// One JSON text on one line. Payloads are kept as they came, so a line break between their tokens becomes a space, and
/// what a terminal could act on, or what hides text, is escaped; both leave the value as it is.
fn line(text: &str) -> Result<String, Failure> {
    let mut out = String::with_capacity(text.len() + 1);
    for character in text.chars() {
        match character {
            '\n' | '\r' | '\t' => out.push(' '),
            hidden if is_hidden(hidden) => {
                // Beyond 16 bits a character is written as two. Writing into a String cannot fail.
                for unit in hidden.encode_utf16(&mut [0; 2]) {
                    let _ = write!(out, "\\u{unit:04x}");
                }
            }
            other => out.push(other),
        }
    }
    out.push('\n');
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_is_one_envelope_with_a_value_for_each_key() {
        let values = [("store.url", "sqlite:data"), ("bus.url", "two\nlines"), ("admin.listen", "")];
        let text = config(values.map(|(key, value)| (key.to_owned(), value.to_owned())).to_vec()).ok().unwrap();
        assert_eq!(text.lines().count(), 1);
        let read: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(read["kind"], "Config");
        let wanted = serde_json::json!({ "store.url": "sqlite:data", "bus.url": "two\nlines", "admin.listen": "" });
        assert_eq!(read["values"], wanted, "{read}");
    }
}
