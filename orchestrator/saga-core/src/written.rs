//! Shared by all kinds of stores: what they count of their writing, how they keep an answer, and how they verify the
//! end of a log.

use crate::appender::Written;
use crate::envelope::{Recorded, chain};
use crate::id::Position;
use crate::json::Payload;
use crate::outcome::Answer;
use serde::{Deserialize, Serialize};
use std::sync::atomic::{AtomicU64, Ordering};

/// What a process has written to a store since it was opened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    /// Batches.
    pub commits: u64,
    /// Transactions that wrote, each with one flush to the disk at most.
    pub transactions: u64,
    /// Events.
    pub events: u64,
    /// Bytes of their data and metadata.
    pub bytes: u64,
}

/// Counts for [`Stats`]: one task writes, anybody may look.
#[derive(Debug, Default)]
pub struct Counters {
    commits: AtomicU64,
    transactions: AtomicU64,
    events: AtomicU64,
    bytes: AtomicU64,
}

impl Counters {
    /// A group was written, with these events in it.
    pub fn group(&self, written: &Written) {
        let bytes = |event: &Recorded| event.data.as_str().len() + event.meta.as_str().len();
        let bytes: usize = written.events.iter().map(bytes).sum();
        self.commits.fetch_add(written.batches, Ordering::Relaxed);
        self.events.fetch_add(written.events.len() as u64, Ordering::Relaxed);
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }
    /// A transaction was committed.
    pub fn transaction(&self) {
        self.transactions.fetch_add(1, Ordering::Relaxed);
    }
    /// What was counted.
    pub fn stats(&self) -> Stats {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let (commits, transactions) = (count(&self.commits), count(&self.transactions));
        Stats { commits, transactions, events: count(&self.events), bytes: count(&self.bytes) }
    }
}

/// The first thing that is wrong with the end of a log, as what follows the name of its table. Pure.
pub fn broken_link(events: &[Recorded]) -> Option<String> {
    // The first one has no predecessor here, unless it is the first of the log.
    let first = events.first().filter(|event| event.position == Position(1));
    let origin = first.map(|event| (Position::ZERO, [0; 32], event));
    let pairs = events.windows(2).filter_map(|pair| match pair {
        [before, event] => Some((before.position, before.chain, event)),
        _ => None,
    });
    origin.into_iter().chain(pairs).find_map(|(position, before, event)| {
        if event.position != position.next() {
            return Some(format!("has no position {}", position.next()));
        }
        let expected = chain(&before, event.position, &event.digest());
        (expected != event.chain).then(|| format!("position {} is not what was written", event.position))
    })
}

#[derive(Serialize, Deserialize)]
struct Weather {
    after_ms: u64,
    reason: String,
}

/// An answer as a word and a text, as it stands in an inbox. The output of a deed is kept as the bytes that it came in.
pub fn answer_columns(answer: &Answer) -> Result<(&'static str, String), serde_json::Error> {
    Ok(match answer {
        Answer::Done { output } => ("done", output.as_str().to_owned()),
        Answer::Refused(refused) => ("refused", serde_json::to_string(refused)?),
        Answer::Retry { after_ms, reason } => {
            let weather = Weather { after_ms: *after_ms, reason: reason.clone() };
            ("retry", serde_json::to_string(&weather)?)
        }
    })
}

/// The answer that was kept so; the error says what cannot have been written by [`answer_columns`].
pub fn answer_of_columns(outcome: &str, text: &str) -> Result<Answer, String> {
    let damaged = |why: serde_json::Error| why.to_string();
    Ok(match outcome {
        "done" => Answer::Done { output: Payload::trusted(text) },
        "refused" => Answer::Refused(serde_json::from_str(text).map_err(damaged)?),
        "retry" => {
            let Weather { after_ms, reason } = serde_json::from_str(text).map_err(damaged)?;
            Answer::Retry { after_ms, reason }
        }
        other => return Err(format!("no such outcome: {other}")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::Refused;

    #[test]
    fn what_is_kept_comes_back_as_it_was() {
        let big = Payload::trusted(r#"{ "n" : 9007199254740993 }"#);
        for answer in [
            Answer::Done { output: big.clone() },
            Answer::Refused(Refused { fields: Some(big), ..Refused::new("NO", "größer") }),
            Answer::Retry { after_ms: 7, reason: "rain".to_owned() },
        ] {
            let (outcome, text) = answer_columns(&answer).unwrap();
            assert_eq!(answer_of_columns(outcome, &text), Ok(answer));
        }
        for (outcome, text) in [("maybe", "{}"), ("refused", "{"), ("retry", "{}")] {
            assert!(answer_of_columns(outcome, text).is_err(), "{outcome} {text}");
        }
    }
}
