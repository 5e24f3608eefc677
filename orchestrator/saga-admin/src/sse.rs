//! Changes on the wire: server-sent events, whose ids are cursors. The server's half writes them and the client's reads them.
//!
//! A message with an id and nothing else says only how far the log was read; a comment says that the server is there. What ends
//! a stream with an error is a message `failed` with the error in it.

use crate::wire::{self, ErrorBody};
use axum::body::Body;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use futures::Stream;
use futures::stream::unfold;
use saga_core::control::{Change, Changes, ControlError};
use std::collections::VecDeque;
use std::convert::Infallible;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::{Instant, timeout};

/// 15 s: proxies and clients give up on a silent connection after half a minute, and a reader that went away without a word is
/// noticed when it is written to.
pub const HEARTBEAT: Duration = Duration::from_secs(15);
/// A second before a browser comes back.
const RETRY: &str = "retry: 1000\n";
/// 16 MiB: a saga of thousands of steps takes one or two.
const MESSAGE_BYTES_MAX: usize = 16 * 1024 * 1024;
/// The name of a message that ends a stream.
const FAILED: &str = "failed";

/// An answer that goes on with what changes for so long. The place is given back when the reader goes away.
pub(crate) fn response(
    changes: Box<dyn Changes>,
    within: Duration,
    place: OwnedSemaphorePermit,
    stopping: watch::Receiver<bool>,
) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/event-stream"),
        (header::CACHE_CONTROL, "no-store"),
        // Proxies that would hold it back until it ends.
        (header::HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    (headers, Body::from_stream(messages(changes, within, place, stopping))).into_response()
}

fn messages(
    changes: Box<dyn Changes>,
    within: Duration,
    place: OwnedSemaphorePermit,
    stopping: watch::Receiver<bool>,
) -> impl Stream<Item = Result<String, Infallible>> {
    let first = format!("{RETRY}id: {}\n\n", changes.cursor());
    let state = (changes, place, stopping, Some(first), Instant::now() + within);
    unfold(state, |(mut changes, place, mut stopping, first, end)| async move {
        if let Some(first) = first {
            return Some((Ok(first), (changes, place, stopping, None, end)));
        }
        if Instant::now() >= end {
            return None;
        }
        let next = tokio::select! {
            next = timeout(HEARTBEAT, changes.next()) => next,
            _ = stopping.wait_for(|stopping| *stopping) => return None,
        };
        let (text, end) = match next {
            Err(_) => (": still here\n\n".to_owned(), end),
            Ok(Ok(told)) => match told.iter().map(change).collect::<Result<String, _>>() {
                // The place of the last one, or of what was read without any.
                Ok(text) => (format!("{text}id: {}\n\n", changes.cursor()), end),
                Err(error) => (failed(&wire::internal(&error)), Instant::now()),
            },
            Ok(Err(error)) => (failed(&error), Instant::now()),
        };
        Some((Ok(text), (changes, place, stopping, None, end)))
    })
}

/// A change as a message.
fn change(change: &Change) -> Result<String, serde_json::Error> {
    Ok(format!("id: {}\n{}\n", change.cursor, data(&wire::encode_change(change)?)))
}

fn failed(error: &ControlError) -> String {
    let body = ErrorBody::of(error, wire::code_of(error).exit, None);
    let body = serde_json::to_string(&body).unwrap_or_default();
    format!("event: {FAILED}\n{}\n", data(&body))
}

/// A payload is kept as it came, so there may be line breaks between its tokens; a reader puts them together again.
fn data(text: &str) -> String {
    text.split(['\n', '\r']).map(|line| format!("data: {line}\n")).collect()
}

/// What a message says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// Something changed.
    Change(Box<Change>),
    /// The log was read up to this cursor.
    Place(String),
    /// The stream ends with this.
    Failed(ControlError),
}

/// Reads the messages of a stream out of its pieces, however it was cut.
#[derive(Debug, Default)]
pub struct Reader {
    buffer: Vec<u8>,
    /// Up to here there is no line break.
    looked: usize,
    name: String,
    id: Option<String>,
    data: Vec<String>,
    held: usize,
    heard: VecDeque<Heard>,
}

impl Reader {
    /// The next message that is whole.
    pub fn heard(&mut self) -> Option<Heard> {
        self.heard.pop_front()
    }
    /// Takes a piece.
    ///
    /// # Errors
    /// In words, if it is no stream of changes, or a message is larger than any.
    pub fn push(&mut self, piece: &[u8]) -> Result<(), String> {
        self.buffer.extend_from_slice(piece);
        while let Some(at) = self.buffer[self.looked..].iter().position(|byte| *byte == b'\n') {
            let rest = self.buffer.split_off(self.looked + at + 1);
            let line = std::mem::replace(&mut self.buffer, rest);
            self.looked = 0;
            let line = std::str::from_utf8(&line).map_err(|_| "a line that is not UTF-8".to_owned())?;
            self.line(line.trim_end_matches(['\n', '\r']))?;
        }
        self.looked = self.buffer.len();
        if self.buffer.len() + self.held > MESSAGE_BYTES_MAX {
            return Err(format!("a message of more than {MESSAGE_BYTES_MAX} bytes"));
        }
        Ok(())
    }
    fn line(&mut self, line: &str) -> Result<(), String> {
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match name {
            "" if line.is_empty() => return self.whole(),
            "id" => self.id = Some(value.to_owned()),
            "event" => value.clone_into(&mut self.name),
            "data" => {
                self.held += value.len();
                self.data.push(value.to_owned());
            }
            // Comments, and what a later server may say.
            _ => {}
        }
        Ok(())
    }
    /// A message has come to its end.
    fn whole(&mut self) -> Result<(), String> {
        let (name, id) = (std::mem::take(&mut self.name), self.id.take());
        let text = std::mem::take(&mut self.data).join("\n");
        self.held = 0;
        let unreadable = |why: serde_json::Error| format!("a message that cannot be read: {why}");
        match (name.as_str(), text.is_empty()) {
            (_, true) => self.heard.extend(id.map(Heard::Place)),
            (FAILED, false) => {
                let body: ErrorBody = serde_json::from_str(&text).map_err(unreadable)?;
                self.heard.push_back(Heard::Failed(body.into_error()));
            }
            ("", false) => {
                let change = wire::decode_change(&text).map_err(unreadable)?;
                self.heard.push_back(Heard::Change(Box::new(change)));
            }
            _ => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use saga_core::codes;
    use saga_core::json::Payload;
    use saga_testkit::fixtures::shows;

    fn changes() -> Vec<Change> {
        let numbered = shows().into_iter().enumerate();
        let changes = numbered.map(|(number, mut show)| {
            // As a person may have written it.
            if let Some(step) = show.steps.first_mut() {
                step.output = Some(Payload::trusted("{\n\"a\":\r\n 1}"));
            }
            Change {
                cursor: format!("1-{number}-ab"),
                rev: show.rev,
                at: show.row.started_at,
                fact: "StepSucceeded".to_owned(),
                listed: number % 2 == 0,
                row: show.row.clone(),
                whole: Some(Box::new(show)),
            }
        });
        changes.collect()
    }

    #[test]
    fn what_is_written_is_read_however_it_is_cut() {
        let error = ControlError::new(codes::STORE_UNAVAILABLE, "the disk went away").hint("wait");
        let mut text = format!("{RETRY}id: 1-0-\n\n: still here\n\n");
        let mut wanted = vec![Heard::Place("1-0-".to_owned())];
        for one in changes() {
            text += &change(&one).unwrap();
            let mut read = one.clone();
            // Between tokens a line break is as good as a space: the value is the same, and the text is read as one line break.
            if let Some(step) = read.whole.as_mut().and_then(|whole| whole.steps.first_mut()) {
                step.output = Some(Payload::trusted("{\n\"a\":\n\n 1}"));
            }
            wanted.push(Heard::Change(Box::new(read)));
        }
        text += &failed(&error);
        wanted.push(Heard::Failed(error));
        for size in [1, 2, 7, 100, text.len()] {
            let mut reader = Reader::default();
            let mut heard = Vec::new();
            for piece in text.as_bytes().chunks(size) {
                reader.push(piece).unwrap();
                heard.extend(std::iter::from_fn(|| reader.heard()));
            }
            assert_eq!(heard, wanted, "in pieces of {size}");
        }
    }

    #[test]
    fn what_is_no_stream_of_changes_is_told_and_not_kept() {
        for (text, part) in [
            (&b"data: {}\n\n"[..], "cannot be read"),
            (b"data: <html>\n\n", "cannot be read"),
            (b"event: failed\ndata: oops\n\n", "cannot be read"),
            (b"\xff\n", "UTF-8"),
        ] {
            let why = Reader::default().push(text).unwrap_err();
            assert!(why.contains(part), "{why}");
        }
        let mut reader = Reader::default();
        let piece = vec![b'x'; MESSAGE_BYTES_MAX / 4];
        let refused = (0..5).find_map(|_| reader.push(&piece).err());
        assert!(refused.is_some_and(|why| why.contains("more than")), "a line without end is not kept");
    }
}
