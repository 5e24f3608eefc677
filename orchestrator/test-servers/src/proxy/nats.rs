//! What NATS clients publish with a reply subject, and the acknowledgements that come back on it.

use super::{Answer, Deed, Request, Wire};
use std::collections::BTreeMap;

/// One connection.
#[derive(Default)]
pub(super) struct Nats {
    count: u64,
    /// Publishes without an answer, by their reply subjects.
    open: BTreeMap<String, Deed>,
}

/// The first line and what follows it, if both are there as a whole: its words, and the length of all.
fn message<'a>(pending: &'a [u8], with_body: &[&str]) -> Option<(Vec<&'a str>, usize, &'a [u8])> {
    let line = pending.windows(2).position(|pair| pair == b"\r\n")? + 2;
    let words: Vec<&str> = std::str::from_utf8(&pending[..line]).unwrap_or_default().split_ascii_whitespace().collect();
    let has_body = words.first().is_some_and(|verb| with_body.contains(verb));
    let size = if has_body { words.last().and_then(|size| size.parse::<usize>().ok())? + 2 } else { 0 };
    let body = pending.get(line..line + size)?;
    Some((words, line + size, body))
}

impl Wire for Nats {
    fn request(&mut self, pending: &[u8]) -> Option<Request> {
        let (words, length, _) = message(pending, &["PUB", "HPUB"])?;
        // `PUB subject reply size`, `HPUB subject reply size-of-headers size`. The API is asked, not written.
        let place = match words.as_slice() {
            ["PUB", subject, reply, _] | ["HPUB", subject, reply, _, _] => Some((*subject, *reply)),
            _ => None,
        };
        let write = place.filter(|(subject, _)| !subject.starts_with('$')).map(|(subject, reply)| {
            self.count += 1;
            let deed = Deed { number: self.count, what: subject.to_owned() };
            self.open.insert(reply.to_owned(), deed.clone());
            deed
        });
        Some(Request { length, write, refused: None })
    }
    fn answer(&mut self, pending: &[u8]) -> Option<Answer> {
        let (words, length, body) = message(pending, &["MSG", "HMSG"])?;
        let deed = match words.as_slice() {
            ["MSG" | "HMSG", subject, ..] => self.open.remove(*subject),
            _ => None,
        };
        let acknowledged = |deed| (deed, is_acknowledged(body));
        Some(Answer { length, done: deed.map(acknowledged) })
    }
}

/// `{"stream":"EVT_law","seq":7}`; a refusal has an `error`, and a missing stream answers with headers alone.
fn is_acknowledged(body: &[u8]) -> bool {
    let text = String::from_utf8_lossy(body);
    text.contains("\"stream\":") && text.contains("\"seq\":") && !text.contains("\"error\":")
}
