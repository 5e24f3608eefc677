//! Lists over a running orchestrator: what is open as its coordinators have it, what has ended as the board has it, and
//! what the board does not have yet as the log tells it, merged into one order.

use crate::board::{Line, OPEN, Tail, newest_first, open_ones, tail};
use crate::control::{LocalControl, failed};
use crate::groups::LIST_WITHIN;
use crate::orchestrator::Error;
use crate::shell::FACTS;
use saga_core::control::{ControlError, Page, Selector};
use saga_core::execution::Execution;
use saga_core::id::SagaId;
use saga_core::journal::{self, HistoryError, group_of};
use saga_core::listing::{Asked, Part, Place, merge};
use saga_core::ports::FIND_LIMIT_MAX;
use saga_core::view::{SagaRow, SagaState};

/// 20,000 lines are looked through for one page: a filter that few sagas fit gives a short page and a cursor instead of
/// a long silence.
const SCAN_MAX: usize = 20_000;
/// 64 lines at least in one read: filters leave some out.
const SCAN_PAGE_MIN: usize = 64;
/// 1,000 sagas of groups that do not answer are read for one page.
const UNHEARD_MAX: usize = 1_000;

impl LocalControl {
    /// A page of sagas, in the order of lists.
    pub(crate) async fn list(&self, selector: Selector) -> Result<Page<SagaRow>, ControlError> {
        let inner = &self.sagas.inner;
        let asked = Asked::page(selector, inner.clock.now())?;
        let (mut parts, mut silent, mut notes) = (Vec::new(), Vec::new(), Vec::new());
        if asked.wants_open() {
            // Before the log: what ends meanwhile is there, then.
            (parts, silent) = inner.groups.ask_parts(&asked).await.map_err(failed)?;
            let unread: Vec<SagaId> = match inner.groups.is_nobody() {
                false => parts.iter_mut().flat_map(|part| std::mem::take(&mut part.unread)).collect(),
                // Nobody has them in memory, and nothing moves: the board was brought up to the end of the log.
                true => open_ones(&inner.store).await.map_err(|why| failed(why.into()))?,
            };
            parts.push(self.read(&unread, &asked).await);
        }
        let open = (parts.iter().map(|part| part.total).sum(), parts.iter().map(|part| part.troubled).sum());
        if asked.wants_ended() || !silent.is_empty() {
            let tail = tail(&inner.store).await.map_err(|why| failed(why.into()))?;
            if tail.behind > 0 {
                let told = "what has begun or ended last may be missing";
                notes.push(format!("the board is {} events behind: {told}", tail.behind));
            }
            if !silent.is_empty() {
                let told =
                    "their sagas are shown as their logs tell, and the newest may be missing; see sagactl doctor";
                notes.push(format!("{}: {told}", who(&silent)));
                parts.push(self.unheard(&silent, &tail, &asked).await?);
            }
            if asked.wants_ended() {
                // In front: what has ended since it was asked for as open is shown as ended.
                parts.insert(0, self.ended(&tail, &asked).await?);
            }
        }
        let (items, next) = merge(parts, &asked);
        let all = notes.is_empty() && asked.after.is_none() && next.is_none();
        let total = match asked.wants_ended() {
            false => notes.is_empty().then_some(open.0),
            true => all.then_some(items.len() as u64),
        };
        let truncated = next.is_some() || !notes.is_empty();
        let troubled = silent.is_empty().then_some(open.1);
        let next = next.map(|place| asked.cursor(place));
        // It hides no row, and whoever looks for what they have just ordered should know.
        let unwritten = inner.health.troubles().into_iter().find(|trouble| trouble.place == FACTS);
        notes.extend(unwritten.map(|trouble| format!("nothing of any saga can be recorded now: {}", trouble.says)));
        Ok(Page { items, limit: asked.limit, next, total, troubled, truncated, notes })
    }
    /// Sagas whose history no coordinator has read yet.
    async fn read(&self, sagas: &[SagaId], asked: &Asked) -> Part {
        let mut part = Part::default();
        for saga in sagas {
            match self.sagas.saga(*saga).await {
                Ok(Some(exec)) => self.take(&exec, asked, &mut part),
                Ok(None) => {}
                Err(why) => {
                    let (place, row) = unreadable(*saga, None, &why, asked);
                    if asked.selector.fits_row(&row, asked.now) {
                        part.push(place, row);
                    }
                }
            }
        }
        part
    }
    fn take(&self, exec: &Execution, asked: &Asked, part: &mut Part) {
        let row = exec.row();
        if asked.selector.fits_row(&row, asked.now) {
            part.push(asked.place(exec), row);
        }
    }
    /// The open sagas of groups that did not answer, as their facts tell them.
    async fn unheard(&self, silent: &[u16], tail: &Tail, asked: &Asked) -> Result<Part, ControlError> {
        let inner = &self.sagas.inner;
        let behind = asked.after.filter(|place| place.calm);
        let theirs = |line: &&Line| line.state == OPEN && silent.contains(&group_of(line.id, inner.groups.count));
        let mut lines: Vec<Line> = tail.lines.values().filter(theirs).cloned().collect();
        lines.retain(|line| behind.is_none_or(|behind| line_place(line) > behind));
        let mut question = newest_first(true, behind, FIND_LIMIT_MAX);
        let mut end = None;
        loop {
            let page = inner.store.find(&question).await.map_err(|why| failed(why.into()))?;
            let known = page.iter().filter_map(|document| document.body.read::<Line>().ok()).collect::<Vec<_>>();
            let fresh = known.iter().filter(|line| !tail.lines.contains_key(&line.id));
            lines.extend(fresh.filter(theirs).cloned());
            let Some(last) = known.last().map(line_place).filter(|_| page.len() == FIND_LIMIT_MAX) else { break };
            if lines.len() > UNHEARD_MAX {
                end = Some(last);
                break;
            }
            question = newest_first(true, Some(last), FIND_LIMIT_MAX);
        }
        lines.sort_by_key(line_place);
        if lines.len() > UNHEARD_MAX {
            lines.truncate(UNHEARD_MAX);
            end = lines.last().map(line_place);
        }
        let mut part = Part { end, ..Part::default() };
        for line in lines {
            let (place, row) = match self.sagas.saga(line.id).await {
                Ok(Some(exec)) => (asked.place(&exec), exec.row()),
                Ok(None) => continue,
                Err(why) => unreadable(line.id, Some(&line), &why, asked),
            };
            // Not all of them were read for the pages of those that need a person: here none is left out.
            let place = Place { calm: place.calm || behind.is_some(), ..place };
            if asked.selector.fits_row(&row, asked.now) {
                part.push(place, row);
            }
        }
        part.rows.sort_by_key(|(place, _)| *place);
        Ok(part)
    }
    /// The ended sagas, as the board and the log behind it tell them.
    async fn ended(&self, tail: &Tail, asked: &Asked) -> Result<Part, ControlError> {
        let behind = asked.after.filter(|place| place.calm);
        let fits = |line: &Line| {
            let state = SagaState::parse(&line.state).filter(|state| state.is_end());
            state.is_some_and(|state| asked.selector.fits(state, &line.kind, &line.key, line.started_at))
        };
        let mut part = Part::default();
        for line in tail.lines.values().filter(|line| fits(line)) {
            part.push(line_place(line), row_of(line));
        }
        let limit = asked.limit.saturating_add(1).clamp(SCAN_PAGE_MIN, FIND_LIMIT_MAX);
        let mut question = newest_first(false, behind, limit);
        let (mut found, mut looked) = (0, 0);
        loop {
            let page = self.sagas.inner.store.find(&question).await.map_err(|why| failed(why.into()))?;
            let mut last = None;
            for line in page.iter().filter_map(|document| document.body.read::<Line>().ok()) {
                last = Some(line_place(&line));
                if !tail.lines.contains_key(&line.id) && fits(&line) {
                    part.push(line_place(&line), row_of(&line));
                    found += 1;
                }
            }
            looked += page.len();
            let Some(last) = last.filter(|_| page.len() == limit) else { return Ok(part) };
            let over = asked.selector.since.is_some_and(|since| last.started < since);
            if over {
                return Ok(part);
            }
            if found > asked.limit || looked >= SCAN_MAX {
                part.end = Some(last);
                return Ok(part);
            }
            question = newest_first(false, Some(last), limit);
        }
    }
}

fn line_place(line: &Line) -> Place {
    Place { calm: true, started: line.started_at, id: line.id }
}

/// Which groups did not answer in time, as the beginning of a sentence.
pub(crate) fn who(silent: &[u16]) -> String {
    let names = silent.iter().map(u16::to_string).collect::<Vec<_>>().join(", ");
    let groups = if silent.len() == 1 { "group" } else { "groups" };
    format!("{groups} {names} did not answer within {} s", LIST_WITHIN.as_secs())
}

fn row_of(line: &Line) -> SagaRow {
    SagaRow {
        id: line.id,
        kind: line.kind.clone(),
        version: line.version,
        key: line.key.clone(),
        state: SagaState::parse(&line.state).unwrap_or(SagaState::Running),
        step: None,
        undoing: false,
        attempt: None,
        started_at: line.started_at,
        ended_at: line.ended_at,
        reason: line.reason.clone(),
        waiting: Vec::new(),
    }
}

/// A saga whose history cannot be read is a row that says so: it must not hide itself or the others.
fn unreadable(saga: SagaId, line: Option<&Line>, why: &Error, asked: &Asked) -> (Place, SagaRow) {
    let started = match why {
        Error::Unreadable(HistoryError::Decode { started, .. }) => started.as_deref(),
        _ => None,
    };
    let row = journal::unreadable(saga, &why.to_string(), started, asked.since);
    let row = match line {
        Some(line) => SagaRow {
            kind: line.kind.clone(),
            version: line.version,
            key: line.key.clone(),
            started_at: line.started_at,
            ..row
        },
        None => row,
    };
    (Place { calm: false, started: row.started_at, id: saga }, row)
}
