//! `ReadLog`: a module's events out of its own log, for readers that find the stream without them.

use crate::Inner;
use crate::calls::{MALFORMED, object};
use crate::event::{self, READ_LOG, READ_LOG_VERSION};
use crate::headers::Attributes;
use crate::subject::Subjects;
use saga_core::bus::{Answerer, BusError, Line, Standing};
use saga_core::envelope::Recorded;
use saga_core::json::Payload;
use saga_core::outcome::Refused;
use saga_core::ports::{ReadError, SharedStore};
use saga_core::public_log::{place, public_head};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// 500 events in one answer.
const LIMIT_MAX: usize = 500;
/// 512 KiB in one answer, and one event whatever its size: it has to fit the broker's `max_payload`.
const ANSWER_BYTES_MAX: usize = 512 * 1024;

/// No log is as long as the largest whole number that every JSON reader keeps exact.
const END_OF_EVERYTHING: u64 = 1 << 53;

#[derive(Serialize, Deserialize)]
struct Question {
    after: u64,
    limit: usize,
}
#[derive(Deserialize)]
struct Page {
    events: Vec<Payload>,
    #[serde(default)]
    head: u64,
}

/// What an owner has behind a place.
#[derive(Debug, Default)]
pub(crate) struct Owned {
    /// Its events there, in order and without a gap.
    pub(crate) events: Vec<Recorded>,
    /// The last place of its log.
    pub(crate) head: u64,
    /// Why the event behind those cannot be read, though its owner has one there.
    pub(crate) unreadable: Option<String>,
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
            let question: Question = object(&question)
                .map_err(|why| Refused::new(MALFORMED, format!("after and limit are asked: {why}")))?;
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
    json.push_str(&format!("],\"head\":{}}}", public_head(store).await?));
    Ok(Payload::trusted(json))
}

impl Inner {
    /// What the log of a module has at a place.
    pub(crate) async fn standing(&self, module: &str, seq: u64) -> Result<Standing, BusError> {
        let owned = self.read_log(module, seq.saturating_sub(1), 1).await?;
        let found = owned.events.first().filter(|event| event::sequence(event) == Some(seq));
        let chain = found.map_or([0; 32], |event| event.chain);
        Ok(Standing { head: owned.head, id: found.map(|event| event.id), chain })
    }
    /// Asks the producer of a module's events how far its log reaches.
    pub(crate) async fn log_head(&self, module: &str) -> Result<u64, BusError> {
        // One event behind the end of everything: the answer is the end alone.
        Ok(self.log_page(module, END_OF_EVERYTHING, 1).await?.head)
    }
    async fn log_page(&self, module: &str, after: u64, limit: usize) -> Result<Page, BusError> {
        let wrong = |why: String| BusError::Unavailable(format!("ReadLog of {module}: {why}"));
        let question = Payload::of(&Question { after, limit }).map_err(|why| wrong(why.to_string()))?;
        let own = crate::lock(&self.logs).get(module).cloned();
        let answer = match own {
            Some(store) => answerer(self.subjects.clone(), module, store)(question).await,
            None => self.call(&line(module), &question, self.options.answer_within).await?,
        };
        let answer = answer.map_err(|refused| wrong(format!("{}: {}", refused.code, refused.reason)))?;
        answer.read().map_err(|why| wrong(why.to_string()))
    }
    /// Asks the producer of a module's events for those after `after`, in order and without a gap.
    pub(crate) async fn read_log(&self, module: &str, after: u64, limit: usize) -> Result<Owned, BusError> {
        let page = self.log_page(module, after, limit).await?;
        let given = if page.events.is_empty() { 0 } else { after + page.events.len() as u64 };
        let mut owned = Owned { head: page.head.max(given), ..Owned::default() };
        for (event, seq) in page.events.iter().zip(after + 1..) {
            let read = Attributes::of_structured(event.as_str().as_bytes());
            let read = read.and_then(|(attributes, data)| event::recorded(module, seq, &attributes, data));
            match read {
                Ok(event) => owned.events.push(event),
                Err(why) => {
                    owned.unreadable = Some(why.to_string());
                    break;
                }
            }
        }
        Ok(owned)
    }
}
