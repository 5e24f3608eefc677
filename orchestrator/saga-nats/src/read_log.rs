//! `ReadLog`: a module's events out of its own log, for whoever finds the stream without them.

use crate::Inner;
use crate::event::{self, READ_LOG, READ_LOG_VERSION};
use crate::headers::Attributes;
use crate::subject::Subjects;
use saga_core::bus::{Answerer, BusError, Line};
use saga_core::catchup::place;
use saga_core::envelope::Recorded;
use saga_core::id::Position;
use saga_core::json::Payload;
use saga_core::outcome::Refused;
use saga_core::ports::{ReadError, SharedStore};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// 500 events in one answer.
const LIMIT_MAX: usize = 500;
/// 512 KiB in one answer, and one event whatever its size: it has to fit the broker's `max_payload`.
const ANSWER_BYTES_MAX: usize = 512 * 1024;

#[derive(Serialize, Deserialize)]
struct Question {
    after: u64,
    limit: usize,
}
#[derive(Deserialize)]
struct Page {
    events: Vec<Payload>,
}

/// The line on which the events of a module are asked for.
pub(crate) fn line(module: &str) -> Line {
    Line::Query { module: module.to_owned(), name: READ_LOG.to_owned(), version: READ_LOG_VERSION }
}

/// Answers `ReadLog` from a store.
pub(crate) fn answerer(subjects: Subjects, module: &str, store: SharedStore) -> Answerer {
    let module: Arc<str> = module.into();
    Arc::new(move |question| {
        let (subjects, module, store) = (subjects.clone(), Arc::clone(&module), Arc::clone(&store));
        Box::pin(async move {
            let question: Question = question
                .read()
                .map_err(|why| Refused::new("MALFORMED", format!("after and limit are asked: {why}")))?;
            let answered = answer(&subjects, &module, &store, &question).await;
            answered.map_err(|why| Refused::new("UNAVAILABLE", why.to_string()))
        })
    })
}

async fn answer(
    subjects: &Subjects,
    module: &str,
    store: &SharedStore,
    question: &Question,
) -> Result<Payload, ReadError> {
    let (limit, mut json) = (question.limit.clamp(1, LIMIT_MAX), String::from("{\"events\":["));
    let (mut at, mut count) = (place(store, question.after).await?, 0);
    'pages: loop {
        let page = store.read_log(at, LIMIT_MAX).await?;
        let Some(end) = page.last().map(|last| last.position) else { break };
        for event in page.iter().filter(|event| event::sequence(event).is_some_and(|seq| seq > question.after)) {
            let text = event::attributes(subjects, module, event).structured(&event.data);
            if count == limit || (count > 0 && json.len() + text.len() > ANSWER_BYTES_MAX) {
                break 'pages;
            }
            if count > 0 {
                json.push(',');
            }
            json.push_str(&text);
            count += 1;
        }
        at = end;
    }
    json.push_str(&format!("],\"head\":{}}}", head(store).await?));
    Ok(Payload::trusted(json))
}

/// The public sequence of the last public event: looked for from the end, in pages that grow.
async fn head(store: &SharedStore) -> Result<u64, ReadError> {
    let Position(mut end) = store.head().await?;
    let mut step = 64;
    while end > 0 {
        let from = end.saturating_sub(step);
        let count = usize::try_from(end - from).unwrap_or(LIMIT_MAX);
        let page = store.read_log(Position(from), count).await?;
        if let Some(seq) = page.iter().rev().find_map(event::sequence) {
            return Ok(seq);
        }
        end = from;
        step = (step * 2).min(8_192);
    }
    Ok(0)
}

impl Inner {
    /// Asks the producer of a module's events for those after `after`, in order and without a gap.
    pub(crate) async fn read_log(&self, module: &str, after: u64, limit: usize) -> Result<Vec<Recorded>, BusError> {
        let wrong = |why: String| BusError::Unavailable(format!("ReadLog of {module}: {why}"));
        let question = Payload::of(&Question { after, limit }).map_err(|why| wrong(why.to_string()))?;
        let answer = self.call(&line(module), &question, self.options.answer_within).await?;
        let answer = answer.map_err(|refused| wrong(format!("{}: {}", refused.code, refused.reason)))?;
        let page: Page = answer.read().map_err(|why| wrong(why.to_string()))?;
        let mut events = Vec::with_capacity(page.events.len());
        for (event, seq) in page.events.iter().zip(after + 1..) {
            let read = Attributes::of_structured(event.as_str().as_bytes());
            let read = read.and_then(|(attributes, data)| event::recorded(module, seq, &attributes, data));
            events.push(read.map_err(|why| wrong(why.to_string()))?);
        }
        Ok(events)
    }
}
