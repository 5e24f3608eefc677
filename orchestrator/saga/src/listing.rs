//! Lists over a running orchestrator: open sagas from its coordinators, ended ones from the board, and those that the
//! board does not have yet from the log, merged into one order.

use crate::board::{BoardRow, OPEN, Tail, newest_first, open_ones, tail};
use crate::control::LocalControl;
use crate::error::Error;
use crate::groups::who;
use crate::limits::FACTS;
use saga_core::codes;
use saga_core::control::{ControlError, Page, Selector};
use saga_core::id::SagaId;
use saga_core::ports::FIND_LIMIT_MAX;
use saga_core::view::{SagaRow, SagaState};
use saga_engine::execution::Execution;
use saga_engine::journal::{self, HistoryError, group_of};
use saga_engine::listing::{Asked, Part, Place, merge};

/// 20,000 lines are searched for one page: a filter that few sagas fit gives a short page and a cursor instead of a
/// long silence.
const SCAN_MAX: usize = 20_000;
/// 64 lines at least in one read: filters leave some out.
const SCAN_PAGE_MIN: usize = 64;
/// 1,000 sagas of groups that do not answer are read for one page.
const UNHEARD_MAX: usize = 1_000;

/// What the board and the log behind it tell of what no coordinator has in memory, or says.
#[derive(Default)]
struct Boarded {
    ended: Option<Part>,
    /// The open sagas of groups that did not answer.
    unheard: Option<Part>,
    /// What may be missing.
    told: Vec<String>,
}

impl LocalControl {
    /// A page of sagas, in the order of lists.
    pub(crate) async fn list(&self, selector: Selector) -> Result<Page<SagaRow>, ControlError> {
        let inner = &self.sagas.inner;
        let asked = Asked::page(selector, inner.clock.now())?;
        let (mut parts, mut silent, mut notes) = (Vec::new(), Vec::new(), Vec::new());
        if asked.wants_open() {
            // Before the log: what ends meanwhile is there, then.
            (parts, silent) = inner.groups.ask_parts(&asked).await?;
            let unread: Vec<SagaId> = match inner.groups.is_nobody() {
                false => parts.iter_mut().flat_map(|part| std::mem::take(&mut part.unread)).collect(),
                // Nobody has them in memory, and nothing moves: the board was brought up to the end of the log.
                true => open_ones(&inner.store).await.map_err(Error::from)?,
            };
            parts.push(self.read(&unread, &asked).await);
        }
        let open = (parts.iter().map(|part| part.total).sum(), parts.iter().map(|part| part.troubled).sum());
        if asked.wants_ended() || !silent.is_empty() {
            match self.boarded(&silent, &asked).await {
                // In front: a saga that has ended since the coordinators were asked is shown as ended.
                Ok(Boarded { ended, unheard, told }) => {
                    parts = ended.into_iter().chain(parts).chain(unheard).collect();
                    notes.extend(told);
                }
                // What is in memory is shown also while the store is away.
                Err(why) if asked.wants_open() && why.code == codes::STORE_UNAVAILABLE.id => {
                    let told = "only open sagas of groups that answered are shown; see sagactl doctor";
                    notes.push(format!("{}: {told}", why.message));
                }
                Err(why) => return Err(why),
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
        // It hides no row, but an operator who looks for a saga just started should know.
        let unwritten = inner.health.troubles().into_iter().find(|trouble| trouble.place == FACTS);
        notes.extend(unwritten.map(|trouble| format!("nothing of any saga can be recorded now: {}", trouble.says)));
        Ok(Page { items, limit: asked.limit, next, total, troubled, truncated, notes })
    }
    /// What the board and the log behind it tell.
    async fn boarded(&self, silent: &[u16], asked: &Asked) -> Result<Boarded, ControlError> {
        let tail = tail(&self.sagas.inner.store).await.map_err(Error::from)?;
        let mut boarded = Boarded::default();
        if tail.behind > 0 {
            let told = "what has begun or ended last may be missing";
            boarded.told.push(format!("the board is {} events behind: {told}", tail.behind));
        }
        if asked.wants_ended() {
            boarded.ended = Some(self.ended(&tail, asked).await?);
        }
        if !silent.is_empty() {
            let told = "their sagas are shown as their logs tell, and the newest may be missing; see sagactl doctor";
            boarded.told.push(format!("{}: {told}", who(silent)));
            boarded.unheard = Some(self.unheard(silent, &tail, asked).await?);
        }
        Ok(boarded)
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
        let theirs = |line: &&BoardRow| line.state == OPEN && silent.contains(&group_of(line.id, inner.groups.count));
        let mut lines: Vec<BoardRow> = tail.lines.values().filter(theirs).cloned().collect();
        lines.retain(|line| behind.is_none_or(|behind| line_place(line) > behind));
        let mut question = newest_first(true, behind, FIND_LIMIT_MAX);
        let mut end = None;
        loop {
            let page = inner.store.find(question.as_find()).await.map_err(Error::from)?;
            let known = page.iter().filter_map(|document| document.body.read::<BoardRow>().ok()).collect::<Vec<_>>();
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
        let fits = |line: &BoardRow| {
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
            let page = self.sagas.inner.store.find(question.as_find()).await.map_err(Error::from)?;
            let mut last = None;
            for line in page.iter().filter_map(|document| document.body.read::<BoardRow>().ok()) {
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

fn line_place(line: &BoardRow) -> Place {
    Place { calm: true, started: line.started_at, id: line.id }
}

fn row_of(line: &BoardRow) -> SagaRow {
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
fn unreadable(saga: SagaId, line: Option<&BoardRow>, why: &Error, asked: &Asked) -> (Place, SagaRow) {
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
