//! Machine formats: the same JSON as over HTTP, a line per item, or ids; safe to look at on a terminal.

use crate::failure::Failure;
use saga_admin::wire;
use saga_core::control::{Receipt, View};
use saga_core::plain::is_hidden;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// The whole view in its envelope, on one line.
pub fn envelope(view: &View) -> Result<String, Failure> {
    line(&wire::encode(view)?)
}

/// The view as lines: one item each, without envelope.
pub fn lines(view: &View) -> Result<String, Failure> {
    match view {
        View::SagaList(page) => each(&page.items),
        View::History(page) => each(&page.items),
        View::ModuleList(page) => each(&page.items),
        View::DefinitionList(page) => each(&page.items),
        View::Saga(saga) => each(std::slice::from_ref(saga)),
        View::Why(why) => each(&why.causes),
        View::Verdicts(verdicts) => each(&verdicts.findings),
        View::Preview(foreseen) => each(std::slice::from_ref(foreseen)),
        View::Status(status) => each(std::slice::from_ref(status)),
    }
}

/// One id a line, for `xargs`.
pub fn ids(view: &View) -> String {
    let ids: Vec<String> = match view {
        View::SagaList(page) => page.items.iter().map(|row| row.id.to_string()).collect(),
        View::Saga(saga) => vec![saga.row.id.to_string()],
        View::History(page) => page.items.iter().map(|row| row.rev.to_string()).collect(),
        View::Why(why) => why.causes.iter().map(|cause| cause.code.clone()).collect(),
        View::ModuleList(page) => page.items.iter().map(|row| row.name.clone()).collect(),
        View::DefinitionList(page) => page.items.iter().map(|row| format!("{}@{}", row.name, row.version)).collect(),
        View::Verdicts(verdicts) => verdicts.findings.iter().map(|finding| finding.place.clone()).collect(),
        View::Preview(foreseen) => vec![foreseen.saga.to_string()],
        View::Status(status) => vec![status.pid.to_string()],
    };
    let line = |id: &String| format!("{}\n", crate::print::style::clean(id, '\u{fffd}'));
    ids.iter().map(line).collect()
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

fn each<T: Serialize>(items: &[T]) -> Result<String, Failure> {
    items.iter().map(item).collect()
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
