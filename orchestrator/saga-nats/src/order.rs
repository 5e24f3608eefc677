//! Whether the events of a foreign module stand in order: each says its own place, and each story counts 1, 2, 3
//! without a gap. Readers fold them in that order, and no process here has the log that they come from.

use crate::Nats;
use crate::headers::{Attributes, DecodeError};
use crate::subject::stream_of;
use async_nats::HeaderMap;
use saga_core::bus::BusError;
use std::collections::BTreeMap;

/// 100 flaws of one stream are reported; after mending them its author checks again.
const FLAWS_MAX: usize = 100;

/// What was seen of a stream so far.
#[derive(Debug, Default)]
struct Order {
    /// By story, the number of its last event.
    stories: BTreeMap<String, u64>,
    /// Events that a limit of the stream removed may have begun any story.
    begun: bool,
}

impl Order {
    fn behind(first: u64) -> Self {
        Self { stories: BTreeMap::new(), begun: first > 1 }
    }
    /// What is wrong with the next event.
    fn next(&mut self, seq: u64, headers: &HeaderMap, body: &[u8]) -> Option<String> {
        self.read(seq, headers, body).unwrap_or_else(|why| Some(why.to_string()))
    }
    fn read(&mut self, seq: u64, headers: &HeaderMap, body: &[u8]) -> Result<Option<String>, DecodeError> {
        let (attributes, _) = Attributes::of_message(Some(headers), body)?;
        let position: u64 = attributes.need_number("position")?;
        let (story, version): (_, u64) = (attributes.need("subject")?, attributes.need_number("streamversion")?);
        let known = self.stories.insert(story.to_owned(), version);
        let due = known.map_or(1, |last| last.saturating_add(1));
        Ok(if position != seq {
            Some(format!("its ce-position is {position}"))
        } else if version != due && (known.is_some() || !self.begun) {
            Some(format!("its ce-streamversion is {version}, and {due} is the next of {story:?}"))
        } else {
            None
        })
    }
}

impl Nats {
    /// What is wrong with the order of a module's events, with the sequence of each: its first hundred flaws. None where there
    /// is no stream. Changes nothing.
    ///
    /// # Errors
    /// The broker does not answer.
    pub async fn disorder(&self, module: &str) -> Result<Vec<(u64, String)>, BusError> {
        let (api, stream) = (&self.inner.api, stream_of(module));
        let Some(info) = api.stream(&stream, None).await? else { return Ok(Vec::new()) };
        let (mut order, mut flaws) = (Order::behind(info.first), Vec::new());
        for seq in info.first.max(1)..=info.last {
            if flaws.len() == FLAWS_MAX {
                break;
            }
            let flaw = match api.message(&stream, seq).await? {
                Some(stored) => order.next(seq, &stored.headers, &stored.body),
                None => Some("it is gone from the stream, or was not found for a moment".to_owned()),
            };
            flaws.extend(flaw.map(|says| (seq, says)));
        }
        Ok(flaws)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(position: &str, story: &str, version: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in [("ce-position", position), ("ce-subject", story), ("ce-streamversion", version)] {
            headers.insert(name, value);
        }
        headers.insert("ce-specversion", "1.0");
        headers
    }

    /// The first place, the events by position, story and version, and what is said of each.
    type Row<'a> = (u64, &'a [(&'a str, &'a str, &'a str)], &'a [&'a str]);

    #[test]
    fn places_and_numbers_of_events_go_one_by_one() {
        let table: &[Row<'_>] = &[
            (1, &[("1", "a-1", "1"), ("2", "a-2", "1"), ("3", "a-1", "2")], &["", "", ""]),
            (1, &[("1", "a-1", "1"), ("3", "a-1", "2")], &["", "its ce-position is 3"]),
            (1, &[("1", "a-1", "2")], &["its ce-streamversion is 2, and 1 is the next of \"a-1\""]),
            (1, &[("1", "a-1", "1"), ("2", "a-1", "1")], &["", "its ce-streamversion is 1, and 2 is"]),
            (1, &[("1", "a-1", "1"), ("2", "a-1", "3"), ("3", "a-1", "4")], &["", "its ce-streamversion is 3", ""]),
            (1, &[("", "a-1", "1")], &["attribute position is missing"]),
            (1, &[("1", "a-1", "first")], &["attribute streamversion is \"first\""]),
            // Events that a limit removed are not missed; later ones are.
            (5, &[("5", "a-1", "3"), ("6", "a-1", "4"), ("7", "a-1", "6")], &["", "", "its ce-streamversion is 6"]),
        ];
        for (first, events, flaws) in table {
            let mut order = Order::behind(*first);
            for ((seq, (position, story, version)), flaw) in (*first..).zip(*events).zip(*flaws) {
                let said = order.next(seq, &headers(position, story, version), b"{}").unwrap_or_default();
                assert!(said.starts_with(flaw) && said.is_empty() == flaw.is_empty(), "{seq} of {events:?}: {said:?}");
            }
        }
    }
}
