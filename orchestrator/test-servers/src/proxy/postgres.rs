//! The calls with which a store writes, and the answers of PostgreSQL to them.

use super::{Answer, Deed, Request, Wire};
use std::collections::{BTreeMap, VecDeque};

/// Of the first message of a client that asks for TLS. It is told that there is none.
const SSL_REQUEST: u32 = 80_877_103;

/// What a statement does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Append,
    Commit,
    Lease,
}
impl Kind {
    fn of(sql: &str) -> Option<Self> {
        match sql {
            "COMMIT" => Some(Kind::Commit),
            _ if sql.contains("es_append(") => Some(Kind::Append),
            _ if sql.contains("es_lease(") => Some(Kind::Lease),
            _ => None,
        }
    }
    fn word(self) -> &'static str {
        match self {
            Kind::Append => "append",
            Kind::Commit => "commit",
            Kind::Lease => "lease",
        }
    }
}

/// One connection.
#[derive(Default)]
pub(super) struct Postgres {
    started: bool,
    /// What the client calls itself, up to the first space.
    name: String,
    count: u64,
    /// Prepared statements that write, by their names.
    prepared: BTreeMap<String, Kind>,
    /// What the messages since the last `Sync` do.
    bound: Option<Kind>,
    /// The questions that are not answered yet; the start of the connection is answered like one.
    open: VecDeque<Option<(Kind, Deed)>>,
    in_transaction: bool,
    /// What the answer that is coming in said so far.
    said: Vec<u8>,
    failed: bool,
}

fn number(bytes: Option<&[u8]>) -> Option<u32> {
    Some(u32::from_be_bytes(bytes?.try_into().ok()?))
}
/// Texts that end with a zero each.
fn texts(body: &[u8]) -> impl Iterator<Item = &str> {
    body.split(|byte| *byte == 0).map(|text| std::str::from_utf8(text).unwrap_or_default())
}
/// A message with a letter in front: the letter, the body and the length of all.
fn message(pending: &[u8]) -> Option<(u8, &[u8], usize)> {
    let length = usize::try_from(number(pending.get(1..5))?).ok()? + 1;
    Some((pending[0], pending.get(5..length)?, length))
}

impl Postgres {
    /// The messages before the connection is up have no letter.
    fn start(&mut self, pending: &[u8]) -> Option<Request> {
        let length = usize::try_from(number(pending.get(..4))?).ok()?;
        let body = pending.get(4..length)?;
        if number(body.get(..4)) == Some(SSL_REQUEST) {
            return Some(Request { length, refused: Some(b"N"), ..Request::default() });
        }
        let mut words = texts(body.get(4..).unwrap_or_default());
        let name = words.find(|word| *word == "application_name").and_then(|_| words.next());
        self.name = name.and_then(|name| name.split(' ').next()).unwrap_or_default().to_owned();
        self.started = true;
        self.open.push_back(None);
        Some(Request { length, ..Request::default() })
    }
    /// A question is complete: its answer ends with `ReadyForQuery`.
    fn asked(&mut self, kind: Option<Kind>) -> Option<Deed> {
        // Inside a transaction nothing is written before its `COMMIT`.
        let kind = kind.filter(|kind| *kind == Kind::Commit || !self.in_transaction);
        let write = kind.map(|kind| {
            self.count += 1;
            let what = format!("{} {}", kind.word(), self.name);
            (kind, Deed { number: self.count, what })
        });
        self.open.push_back(write.clone());
        write.map(|(_, deed)| deed)
    }
    /// Whether the answer that just ended says that it was done.
    fn is_done(&self, kind: Kind) -> bool {
        let says = |word: &[u8]| self.said.windows(word.len()).any(|part| part == word);
        let done = match kind {
            Kind::Append => says(b"written"),
            // A transaction that had failed is rolled back by its `COMMIT`.
            Kind::Commit => says(b"COMMIT"),
            Kind::Lease => true,
        };
        done && !self.failed
    }
}

impl Wire for Postgres {
    fn request(&mut self, pending: &[u8]) -> Option<Request> {
        if !self.started {
            return self.start(pending);
        }
        let (letter, body, length) = message(pending)?;
        let mut write = None;
        match letter {
            b'P' => {
                let mut words = texts(body);
                let (name, sql) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
                match Kind::of(sql) {
                    Some(kind) => self.prepared.insert(name.to_owned(), kind),
                    None => self.prepared.remove(name),
                };
            }
            // The portal, then the statement.
            b'B' => self.bound = texts(body).nth(1).and_then(|name| self.prepared.get(name)).copied(),
            b'S' => {
                let kind = self.bound.take();
                write = self.asked(kind);
            }
            b'Q' => write = self.asked(texts(body).next().and_then(Kind::of)),
            _ => {}
        }
        Some(Request { length, write, refused: None })
    }
    fn answer(&mut self, pending: &[u8]) -> Option<Answer> {
        let (letter, body, length) = message(pending)?;
        let mut done = None;
        match letter {
            // A row, and the end of a command.
            b'D' | b'C' => self.said.extend_from_slice(body),
            b'E' => self.failed = true,
            b'Z' => {
                self.in_transaction = body != b"I";
                let open = self.open.pop_front().flatten();
                done = open.map(|(kind, deed)| (deed, self.is_done(kind)));
                (self.said, self.failed) = (Vec::new(), false);
            }
            _ => {}
        }
        Some(Answer { length, done })
    }
}
