//! Lists of sagas: their one order, the cursor behind a row, and how the parts of a list become a page. Pure.
//!
//! The order: first the sagas that need a person, then all others, open or ended; in both the newest first. A saga's place
//! does not change when it begins, goes on or ends, so pages concatenate while that happens. One that comes to need a
//! person after the first page was made keeps its place among the others until the list is begun anew; one that a person
//! repairs between two pages may be seen twice, and is never missed.

use crate::execution::Execution;
use saga_core::codes;
use saga_core::control::{ControlError, PAGE_MAX, Selector};
use saga_core::envelope::sha256_hex;
use saga_core::id::SagaId;
use saga_core::time::Timestamp;
use saga_core::view::SagaRow;
use serde::{Deserialize, Serialize};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// 512 KiB of rows in one part: an answer between processes holds one megabyte with all that is around it.
pub const PART_BYTES_MAX: usize = 512 * 1024;
/// 1,000 sagas whose history is still being read are named, so that the caller reads them; with more, it asks again.
pub const UNREAD_MAX: usize = 1_000;
/// What a row takes beside its texts.
const ROW_BYTES: usize = 400;
/// The first byte of every cursor; another layout gets another one.
const LAYOUT: u8 = 1;
/// Hex digits of a cursor: layout, rank, two times and an id, then sixteen digits that bind it to its question.
const CURSOR_DIGITS: usize = 2 * (1 + 1 + 8 + 16 + 8) + CHECK_DIGITS;
const CHECK_DIGITS: usize = 16;

/// Where a saga stands in a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Whether it needs no person.
    pub calm: bool,
    /// When it began.
    pub started: Timestamp,
    /// Which it is.
    pub id: SagaId,
}

impl Place {
    fn key(&self) -> (bool, Reverse<Timestamp>, Reverse<SagaId>) {
        (self.calm, Reverse(self.started), Reverse(self.id))
    }
}
impl Ord for Place {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.key().cmp(&other.key())
    }
}
impl PartialOrd for Place {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// Behind which row a page begins, and when the first page of the list was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    /// The last row before it.
    pub after: Place,
    /// When the list was begun.
    pub since: Timestamp,
}

impl Cursor {
    /// As text, bound to everything of the question but the size of the page.
    pub fn write(&self, selector: &Selector) -> String {
        let Self { after, since } = self;
        let mut bytes = vec![LAYOUT, u8::from(after.calm)];
        bytes.extend(after.started.0.to_be_bytes());
        bytes.extend(after.id.0.as_bytes());
        bytes.extend(since.0.to_be_bytes());
        let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let check = check(&digits, selector);
        digits + &check
    }
    /// Reads it back. One of another question, of another program, or none at all is refused with a code: to begin again
    /// in silence would show the first page twice.
    pub fn read(text: &str, selector: &Selector) -> Result<Self, ControlError> {
        Self::parse(text, selector).ok_or_else(|| {
            let shown: String = text.chars().take(CURSOR_DIGITS).collect();
            ControlError::new(codes::CURSOR, format!("{shown:?} does not go on with this list"))
                .hint("use page.next of the page before, with the same filters; the size of the page may change")
                .hint("or leave the cursor out to begin again")
        })
    }
    fn parse(text: &str, selector: &Selector) -> Option<Self> {
        let (digits, found) = text.split_at_checked(CURSOR_DIGITS - CHECK_DIGITS)?;
        if found != check(digits, selector) {
            return None;
        }
        let byte = |at: usize| u8::from_str_radix(digits.get(2 * at..2 * at + 2)?, 16).ok();
        let bytes: Vec<u8> = (0..digits.len() / 2).map(byte).collect::<Option<_>>()?;
        let time = |at: usize| Some(Timestamp(i64::from_be_bytes(bytes.get(at..at + 8)?.try_into().ok()?)));
        let id = SagaId(Uuid::from_slice(bytes.get(10..26)?).ok()?);
        let calm = match bytes.get(..2)? {
            [LAYOUT, 0] => false,
            [LAYOUT, 1] => true,
            _ => return None,
        };
        Some(Self { after: Place { calm, started: time(2)?, id }, since: time(26)? })
    }
}

/// Binds the digits of a cursor to the question that they belong to.
fn check(digits: &str, selector: &Selector) -> String {
    let mut states = selector.states.clone();
    states.sort_unstable();
    states.dedup();
    let shape = Selector { states, limit: 0, cursor: None, ..selector.clone() };
    let shape = serde_json::to_string(&shape).unwrap_or_default();
    let mut hash = sha256_hex(format!("saga list|{digits}|{shape}").as_bytes());
    hash.truncate(CHECK_DIGITS);
    hash
}

/// A question for a part of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// Which sagas.
    pub selector: Selector,
    /// Only those behind this place.
    pub after: Option<Place>,
    /// When the list was begun.
    pub since: Timestamp,
    /// When it is asked: what is overdue is overdue now.
    pub now: Timestamp,
    /// Rows of a page.
    pub limit: usize,
}

impl Asked {
    /// The question for a page of what `selector` selects.
    pub fn page(selector: Selector, now: Timestamp) -> Result<Self, ControlError> {
        let cursor = selector.cursor.as_deref().map(|text| Cursor::read(text, &selector)).transpose()?;
        let limit = if selector.limit == 0 { PAGE_MAX } else { selector.limit.min(PAGE_MAX) };
        let since = cursor.map_or(now, |cursor| cursor.since);
        Ok(Self { after: cursor.map(|cursor| cursor.after), since, now, limit, selector })
    }
    /// The cursor that goes on behind a place.
    pub fn cursor(&self, after: Place) -> String {
        Cursor { after, since: self.since }.write(&self.selector)
    }
    /// Whether open sagas are asked for.
    pub fn wants_open(&self) -> bool {
        self.selector.states.is_empty() || self.selector.states.iter().any(|state| !state.is_end())
    }
    /// Whether ended sagas are asked for.
    pub fn wants_ended(&self) -> bool {
        let Selector { states, attention, all, .. } = &self.selector;
        !attention && if states.is_empty() { *all } else { states.iter().any(|state| state.is_end()) }
    }
    /// Where a saga stands in this list.
    pub fn place(&self, exec: &Execution) -> Place {
        let troubled = exec.state().needs_person() && exec.moved_at() <= self.since;
        Place { calm: !troubled, started: exec.started_at(), id: exec.saga() }
    }
    fn is_behind(&self, place: Place) -> bool {
        self.after.is_none_or(|after| place > after)
    }
}

/// Whether a saga is selected. What the row alone tells is only made where it is asked for.
fn fits(selector: &Selector, exec: &Execution, now: Timestamp) -> bool {
    let Some(started) = exec.started() else { return false };
    let state = exec.state();
    selector.fits(state, &started.definition, &started.key, exec.started_at())
        && (!selector.attention || state.needs_person() || exec.row().needs_attention(now))
}

/// What one source knows of a page.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Its rows behind the place that was asked for, in order.
    pub rows: Vec<(Place, SagaRow)>,
    /// It knows nothing beyond this place; `None`: the rows are all there is.
    pub end: Option<Place>,
    /// How many sagas it has that fit, on all pages.
    pub total: u64,
    /// How many of them need a person.
    pub troubled: u64,
    /// Open sagas whose history is not read yet: they may fit.
    pub unread: Vec<SagaId>,
}

impl Part {
    /// Takes in a row that fits; rows may come in any order.
    pub fn push(&mut self, place: Place, row: SagaRow) {
        self.total += 1;
        self.troubled += u64::from(row.state.needs_person());
        self.rows.push((place, row));
    }
    /// The rows of `executions` that were asked for. Of many, only those of one page are made.
    pub fn of<'a>(executions: impl Iterator<Item = &'a Execution>, asked: &Asked) -> Self {
        let (mut part, mut first) = (Self::default(), BTreeMap::new());
        for exec in executions.filter(|exec| fits(&asked.selector, exec, asked.now)) {
            part.total += 1;
            part.troubled += u64::from(exec.state().needs_person());
            let place = asked.place(exec);
            if asked.is_behind(place) {
                first.insert(place, exec);
                // One more than a page says that there is a next one.
                if first.len() > asked.limit.saturating_add(1) {
                    first.pop_last();
                }
            }
        }
        let mut bytes = 0;
        for (place, exec) in first {
            let row = exec.row();
            bytes += weight(&row);
            if bytes > PART_BYTES_MAX && !part.rows.is_empty() {
                part.end = part.rows.last().map(|(place, _)| *place);
                return part;
            }
            part.rows.push((place, row));
        }
        if part.rows.len() > asked.limit {
            part.end = part.rows.last().map(|(place, _)| *place);
        }
        part
    }
}

fn weight(row: &SagaRow) -> usize {
    let texts = row.waiting.iter().map(|waiting| {
        ROW_BYTES + waiting.step.len() + waiting.subject.len() + waiting.last.as_ref().map_or(0, String::len)
    });
    ROW_BYTES + row.kind.len() + row.key.len() + row.reason.as_ref().map_or(0, String::len) + texts.sum::<usize>()
}

/// The rows of a page out of all its parts, each saga once, and the place behind which the next page begins. A page may
/// be shorter than asked for, even empty, and still have a next one.
pub fn merge(parts: Vec<Part>, asked: &Asked) -> (Vec<SagaRow>, Option<Place>) {
    // Rows beyond the first end may be missing from that part: they belong to the next page.
    let end = parts.iter().filter_map(|part| part.end).min();
    let known = |place: &Place| asked.is_behind(*place) && end.is_none_or(|end| *place <= end);
    let mut rows: Vec<_> = parts.into_iter().flat_map(|part| part.rows).filter(|(place, _)| known(place)).collect();
    rows.sort_by_key(|(place, _)| *place);
    let mut seen = BTreeSet::new();
    rows.retain(|(_, row)| seen.insert(row.id));
    let more = rows.len() > asked.limit;
    rows.truncate(asked.limit);
    let next = if more { rows.last().map(|(place, _)| *place) } else { end };
    (rows.into_iter().map(|(_, row)| row).collect(), next)
}

#[cfg(test)]
mod tests;
