//! Changes over a running orchestrator: the log of the coordinators is read behind a cursor, a page at a time, in any
//! process of the installation. A reader that does not ask for the next page costs only its folded sagas, which are bounded.

use crate::control::LocalControl;
use crate::error::Error;
use crate::sagas::Sagas;
use async_trait::async_trait;
use saga_core::codes;
use saga_core::control::{Change, Changes, ControlError, Selector, Watch, WatchSaga, WatchSagas};
use saga_core::envelope::Recorded;
use saga_core::id::{Position, SagaId, StreamId, Version};
use saga_core::ports::{ReadError, SharedStore};
use saga_engine::changes::{Cursor, Follow, Took};
use saga_engine::journal::stream_of;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

/// 256 events a page: some tens of kilobytes, and told within a moment.
const PAGE: usize = 256;
/// 50 ms between two reads at the end of the log: a person does not see it, and a busy log costs each reader no more than
/// twenty reads a second.
const PACE: Duration = Duration::from_millis(50);

impl LocalControl {
    /// Follows what is asked for, from now on or behind its cursor.
    pub(crate) async fn follow(&self, what: Watch) -> Result<Following, ControlError> {
        let inner = &self.sagas.inner;
        let follow = |of| Follow::new(of, Arc::clone(&inner.definitions), inner.seed);
        match what {
            Watch::Sagas(WatchSagas { of, after }) => {
                let begin = begin(&inner.store, after.as_deref()).await?;
                Ok(Following::new(self.sagas.clone(), Source::Log, follow(of), &begin))
            }
            Watch::Saga(WatchSaga { id, after }) => {
                let saga = self.resolve(&id).await?;
                let missing = || ControlError::new(codes::SAGA_NOT_FOUND, format!("there is no saga {id:?}"));
                let stream = stream_of(saga).ok_or_else(missing)?;
                if !self.sagas.has_begun(saga).await? {
                    return Err(missing());
                }
                let begin = begin(&inner.store, after.as_deref()).await?;
                let every = Selector { all: true, ..Selector::default() };
                let source = Source::Saga { saga, stream, rev: Version::ZERO };
                let mut following = Following::new(self.sagas.clone(), source, follow(every), &begin);
                following.pass(begin.position()).await?;
                Ok(following)
            }
        }
    }
}

/// Where a reader begins: behind its cursor, if the log goes on there; or at the end.
async fn begin(store: &SharedStore, after: Option<&str>) -> Result<Cursor, ControlError> {
    let Some(text) = after else {
        let head = store.head().await.map_err(Error::from)?;
        return Ok(Cursor::behind(at(store, head).await?.as_ref()));
    };
    let cursor = Cursor::read(text)?;
    cursor.goes_on(at(store, cursor.position()).await?.as_ref())?;
    Ok(cursor)
}

async fn at(store: &SharedStore, position: Position) -> Result<Option<Recorded>, ControlError> {
    let Some(before) = position.0.checked_sub(1) else { return Ok(None) };
    let read = store.read_log(Position(before), 1).await.map_err(Error::from)?;
    Ok(read.into_iter().find(|recorded| recorded.position == position))
}

/// What is read.
enum Source {
    /// Everything.
    Log,
    /// The facts of one saga.
    Saga { saga: SagaId, stream: StreamId, rev: Version },
}

/// A reader of changes.
pub(crate) struct Following {
    sagas: Sagas,
    source: Source,
    follow: Follow,
    cursor: String,
    /// The last position that was read from the log, or, of one saga, up to which the log is known to have grown.
    seen: Position,
    /// Whether the end of the log was reached.
    is_live: bool,
    /// What was read and not taken yet: a wait that is dropped in the middle of a page goes on there.
    unread: VecDeque<Recorded>,
    /// Changes of the page that were not told yet, and the place behind what was taken of it.
    ready: Vec<Change>,
    place: Option<Cursor>,
}

impl Following {
    fn new(sagas: Sagas, source: Source, follow: Follow, begin: &Cursor) -> Self {
        let (cursor, seen) = (begin.to_string(), begin.position());
        let (unread, ready) = (VecDeque::new(), Vec::new());
        Self { sagas, source, follow, cursor, seen, is_live: false, unread, ready, place: None }
    }
    fn store(&self) -> &SharedStore {
        &self.sagas.inner.store
    }
    /// Folds the facts of the one saga up to a position, without telling them.
    async fn pass(&mut self, last: Position) -> Result<(), ControlError> {
        loop {
            let page = self.page().await?;
            let Some(end) = page.last() else { return Ok(()) };
            let more = end.position <= last;
            for recorded in page.into_iter().take_while(|recorded| recorded.position <= last) {
                self.follow.fold(&recorded);
                if let Source::Saga { rev, .. } = &mut self.source {
                    *rev = recorded.version;
                }
            }
            if !more {
                return Ok(());
            }
        }
    }
    async fn page(&self) -> Result<Vec<Recorded>, ControlError> {
        let page = match &self.source {
            Source::Log => self.store().read_log(self.seen, PAGE).await,
            Source::Saga { stream, rev, .. } => self.store().read(stream, *rev, PAGE).await,
        };
        Ok(page.map_err(Error::from)?)
    }
    /// The next page, as soon as there is one.
    async fn read(&mut self) -> Result<(), ControlError> {
        loop {
            if self.is_live {
                let clock = Arc::clone(&self.sagas.inner.clock);
                clock.pause(PACE).await;
            }
            let page = self.page().await?;
            self.is_live = page.len() < PAGE;
            if !page.is_empty() {
                self.unread = page.into();
                return Ok(());
            }
            // No process runs on these stores: there is no next page.
            if self.sagas.inner.groups.is_nobody() {
                return Err(Error::Nobody.into());
            }
            let grown = tokio::select! {
                grown = self.store().grown(self.seen) => grown,
                () = self.sagas.inner.tasks.stopping() => return Err(Error::Stopped.into()),
            };
            match &self.source {
                // What has grown is read; the place of the reader is behind what it has read.
                Source::Log => {}
                Source::Saga { .. } => self.seen = grown,
            }
        }
    }
    /// Takes what was read, event by event.
    async fn take(&mut self) -> Result<(), ControlError> {
        let mut lacked = None;
        while let Some(recorded) = self.unread.front() {
            match self.follow.take(recorded) {
                Took::Lacks(saga, after) => {
                    let until = Version(recorded.version.0.saturating_sub(1));
                    if lacked == Some((saga, after)) || after >= until {
                        let why = format!("the facts of saga {saga} behind version {after} are not there");
                        let place = "the log".to_owned();
                        return Err(Error::Read(ReadError::Corrupt { place, why }).into());
                    }
                    lacked = Some((saga, after));
                    self.fill(saga, after, until).await?;
                    continue;
                }
                Took::Change(change) => self.ready.push(*change),
                Took::Nothing => {}
            }
            lacked = None;
            self.place = Some(Cursor::behind(Some(recorded)));
            match &mut self.source {
                Source::Log => self.seen = recorded.position,
                Source::Saga { rev, .. } => *rev = recorded.version,
            }
            self.unread.pop_front();
        }
        Ok(())
    }
    /// Gives the facts of a saga behind `after`, up to `until`, to be folded.
    async fn fill(&mut self, saga: SagaId, mut after: Version, until: Version) -> Result<(), ControlError> {
        let Some(stream) = stream_of(saga) else { return Ok(()) };
        while after < until {
            let most = usize::try_from(until.0 - after.0).unwrap_or(PAGE).min(PAGE);
            let page = self.store().read(&stream, after, most).await.map_err(Error::from)?;
            let Some(last) = page.last() else { return Ok(()) };
            after = last.version;
            page.iter().for_each(|recorded| self.follow.fold(recorded));
        }
        Ok(())
    }
}

#[async_trait]
impl Changes for Following {
    fn cursor(&self) -> &str {
        &self.cursor
    }
    async fn next(&mut self) -> Result<Vec<Change>, ControlError> {
        if self.unread.is_empty() && self.place.is_none() {
            self.read().await?;
        }
        self.take().await?;
        if let Some(place) = self.place.take() {
            self.cursor = place.to_string();
        }
        let mut ready = std::mem::take(&mut self.ready);
        if let (Source::Saga { saga, .. }, Some(last)) = (&self.source, ready.last_mut()) {
            last.whole = self.follow.show(*saga).map(Box::new);
        }
        Ok(ready)
    }
}
