//! What changes, read from the log of the coordinators: the cursor of a place in it, and what each fact made of its saga. Pure.
//!
//! A saga is folded once, when its first change is met, and then fact by fact; what is kept of sagas between their facts is
//! bounded, and a saga that was put aside is folded anew. So what is told of a fact depends on the log alone, not on the reader.

use crate::execution::Execution;
use crate::journal::{fact_of, saga_of, unreadable};
use saga_core::codes;
use saga_core::control::{Change, ControlError, Selector};
use saga_core::definition::{Definitions, Fit};
use saga_core::envelope::{Recorded, sha256_hex};
use saga_core::fact::SagaFact;
use saga_core::id::{Position, SagaId, Version};
use saga_core::time::Timestamp;
use saga_core::view::{SagaRow, SagaShow, SagaState};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// The first part of every cursor; another layout gets another one.
const LAYOUT: &str = "1";
/// Sixteen hex digits bind a cursor to the event that was read there.
const CHECK_DIGITS: usize = 16;
/// More digits than any cursor has, for the sentence that refuses one.
const SHOWN_MAX: usize = 48;

/// 8 MiB of facts: what a reader keeps of the sagas that it has met, so that the next fact of each is folded alone.
pub const FOLDED_BYTES_MAX: usize = 8 * 1024 * 1024;
/// 4,096 sagas: those that are not selected take next to nothing, and are remembered so that they are not read again.
pub const FOLDED_MAX: usize = 4_096;
/// What an event takes in memory beside its text.
const EVENT_BYTES: usize = 128;

/// A place in the log of the coordinators. All groups write one log, so one number is enough; what was read there comes with
/// it, so that a log of another installation, or one that was restored to before it, does not pass for the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    position: Position,
    check: String,
}

impl Cursor {
    /// Behind an event; before the first one, without any.
    pub fn behind(read: Option<&Recorded>) -> Self {
        let Some(read) = read else { return Self { position: Position::ZERO, check: String::new() } };
        let mut check = sha256_hex(format!("change|{}|{}", read.position, read.id).as_bytes());
        check.truncate(CHECK_DIGITS);
        Self { position: read.position, check }
    }
    /// Which position was read last.
    pub fn position(&self) -> Position {
        self.position
    }
    /// Reads it back.
    ///
    /// # Errors
    /// It is none: [`codes::CURSOR`].
    pub fn read(text: &str) -> Result<Self, ControlError> {
        let parsed = || {
            let (position, check) = text.strip_prefix(LAYOUT)?.strip_prefix('-')?.split_once('-')?;
            let cursor = Self { position: Position(position.parse().ok()?), check: check.to_owned() };
            (cursor.to_string() == text).then_some(cursor)
        };
        parsed().ok_or_else(|| {
            let shown: String = text.chars().take(SHOWN_MAX).collect();
            refused(format!("{shown:?} is no cursor of changes")).hint("take the cursor of a change as it is")
        })
    }
    /// Whether a log goes on behind it: `found` is what the log has at its position.
    ///
    /// # Errors
    /// It has nothing there, or something else: [`codes::CURSOR`].
    pub fn goes_on(&self, found: Option<&Recorded>) -> Result<(), ControlError> {
        if *self == Self::behind(found) {
            return Ok(());
        }
        Err(refused(format!("position {} of the log is not what the cursor was given behind", self.position))
            .hint("it is of another installation, or the data were restored to a time before it"))
    }
}
impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{LAYOUT}-{}-{}", self.position, self.check)
    }
}

fn refused(message: String) -> ControlError {
    ControlError::new(codes::CURSOR, message).hint("or leave it out, and begin anew with a list")
}

/// What became of an event that was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Took {
    /// Nothing that is followed.
    Nothing,
    /// A change.
    Change(Box<Change>),
    /// Nothing yet: [`Follow::fold`] has to be given the facts of this saga behind this one first, up to the one before the
    /// event. Then it is taken again.
    Lacks(SagaId, Version),
}

/// The sagas that a reader follows, as the log has told them so far.
pub struct Follow {
    selector: Selector,
    definitions: Arc<Definitions>,
    seed: u64,
    known: BTreeMap<SagaId, Known>,
    bytes: usize,
    moment: u64,
    /// Bytes of facts, and sagas.
    most: (usize, usize),
}

struct Known {
    rev: Version,
    bytes: usize,
    used: u64,
    saga: Folded,
}

enum Folded {
    Read(Box<Execution>),
    /// A fact of it cannot be read.
    Unreadable(Box<SagaRow>),
    /// Not one of those that are followed, in any state.
    Stranger,
}

impl fmt::Debug for Follow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Follow").field("known", &self.known.len()).field("bytes", &self.bytes).finish_non_exhaustive()
    }
}

impl Follow {
    /// What `selector` selects, folded as these definitions say; `seed` decides the jitter of retries.
    pub fn new(selector: Selector, definitions: Arc<Definitions>, seed: u64) -> Self {
        let most = (FOLDED_BYTES_MAX, FOLDED_MAX);
        Self { selector, definitions, seed, known: BTreeMap::new(), bytes: 0, moment: 0, most }
    }
    /// Keeps less: so many bytes of facts, of so many sagas, and always the one that was met last.
    #[must_use]
    pub fn within(self, bytes: usize, sagas: usize) -> Self {
        Self { most: (bytes, sagas), ..self }
    }
    /// Takes the next event of the log.
    pub fn take(&mut self, recorded: &Recorded) -> Took {
        let Some(saga) = saga_of(&recorded.stream) else { return Took::Nothing };
        let before = Version(recorded.version.0.saturating_sub(1));
        match self.known.get(&saga).map_or(Version::ZERO, |known| known.rev) {
            rev if rev == before => {}
            rev if rev < before => return Took::Lacks(saga, rev),
            // It was read on already, by a page that was not told to its end.
            _ => {
                self.forget(saga);
                if before > Version::ZERO {
                    return Took::Lacks(saga, Version::ZERO);
                }
            }
        }
        let was = self.row(saga).is_some_and(|row| self.selector.fits_row(&row, recorded.time));
        self.fold(recorded);
        let Some(row) = self.row(saga) else { return Took::Nothing };
        let listed = self.selector.fits_row(&row, recorded.time);
        if !was && !listed {
            return Took::Nothing;
        }
        Took::Change(Box::new(Change {
            cursor: Cursor::behind(Some(recorded)).to_string(),
            rev: recorded.version.0,
            at: recorded.time,
            fact: recorded.name.clone(),
            listed,
            row,
            whole: None,
        }))
    }
    /// Takes in a fact without telling it: the next one of its saga.
    pub fn fold(&mut self, recorded: &Recorded) {
        let Some(saga) = saga_of(&recorded.stream) else { return };
        self.moment += 1;
        let known = self.known.remove(&saga);
        let (bytes, before) = known.map_or((0, None), |known| (known.bytes, Some(known.saga)));
        let saga_now = self.folded(saga, before, recorded);
        let more = match saga_now {
            Folded::Read(_) => recorded.data.as_str().len() + EVENT_BYTES,
            Folded::Unreadable(_) | Folded::Stranger => 0,
        };
        self.bytes += more;
        let known = Known { rev: recorded.version, bytes: bytes + more, used: self.moment, saga: saga_now };
        self.known.insert(saga, known);
        self.put_aside(saga);
    }
    /// All of a saga that was met.
    pub fn show(&self, saga: SagaId) -> Option<SagaShow> {
        match &self.known.get(&saga)?.saga {
            Folded::Read(exec) => Some(exec.show(false)),
            Folded::Unreadable(_) | Folded::Stranger => None,
        }
    }
    fn folded(&self, saga: SagaId, before: Option<Folded>, recorded: &Recorded) -> Folded {
        let mut exec = match before {
            Some(Folded::Read(exec)) => exec,
            Some(other @ (Folded::Unreadable(_) | Folded::Stranger)) => return other,
            None => match fact_of(recorded) {
                Ok(SagaFact::SagaStarted(started))
                    if !self.may_fit(&started.definition, &started.key, recorded.time) =>
                {
                    return Folded::Stranger;
                }
                Ok(SagaFact::SagaStarted(started)) => {
                    Box::new(Execution::new(saga, Fit::of(&self.definitions, &started), self.seed))
                }
                Ok(_) | Err(_) => Box::new(Execution::new(saga, Fit::Missing, self.seed)),
            },
        };
        match fact_of(recorded) {
            Ok(fact) => {
                exec.evolve(&fact, recorded.time);
                Folded::Read(exec)
            }
            Err(why) => {
                let why = format!("{} version {}: {why}", recorded.stream, recorded.version);
                let started = exec.started().map(|started| (started.clone(), exec.started_at()));
                Folded::Unreadable(Box::new(unreadable(saga, &why, started.as_ref(), recorded.time)))
            }
        }
    }
    /// Whether a saga that began like this can ever be selected.
    fn may_fit(&self, kind: &str, key: &str, started: Timestamp) -> bool {
        let whatever = Selector { states: Vec::new(), all: true, ..self.selector.clone() };
        whatever.fits(SagaState::Running, kind, key, started)
    }
    fn row(&self, saga: SagaId) -> Option<SagaRow> {
        match &self.known.get(&saga)?.saga {
            Folded::Read(exec) => Some(exec.row()),
            Folded::Unreadable(row) => Some((**row).clone()),
            Folded::Stranger => None,
        }
    }
    fn forget(&mut self, saga: SagaId) {
        if let Some(known) = self.known.remove(&saga) {
            self.bytes -= known.bytes;
        }
    }
    /// Forgets the sagas that were met longest ago, until the others are within their bounds; never the one that is being read.
    fn put_aside(&mut self, but: SagaId) {
        let (bytes, sagas) = self.most;
        while self.bytes > bytes || self.known.len() > sagas {
            let others = self.known.iter().filter(|(saga, _)| **saga != but);
            let Some((oldest, _)) = others.min_by_key(|(_, known)| known.used) else { return };
            self.forget(*oldest);
        }
    }
}
