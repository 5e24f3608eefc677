//! The results of commits and reads, as a test chooses them: refused, lost, unknown, moved on, fenced. It stands
//! between any store and its users.

use crate::between::{Between, Passing};
use async_trait::async_trait;
use saga_core::batch::{Batch, Cause, Commit, Conflict};
use saga_core::ports::{ReadError, SharedStore};
use std::sync::{Arc, Mutex, PoisonError};

/// What becomes of one commit that would have been written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Certainly not written: busy, or full.
    Refused,
    /// Not written, and nobody knows.
    Lost,
    /// Written, and nobody knows.
    Unsure,
    /// Not written: a stream moved on. A batch without streams is written.
    Moved,
    /// Not written: another process holds the scope by now. A batch without a fence is written.
    Fenced,
}

impl Fate {
    /// All of them.
    pub const ALL: [Fate; 5] = [Fate::Refused, Fate::Lost, Fate::Unsure, Fate::Moved, Fate::Fenced];

    fn can_befall(self, batch: &Batch) -> bool {
        match self {
            Fate::Refused | Fate::Lost | Fate::Unsure => true,
            Fate::Moved => !batch.writes.is_empty(),
            Fate::Fenced => batch.fence.is_some(),
        }
    }
}

/// Which commits have another fate than to be written, and which reads do not work.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Fates {
    /// None.
    #[default]
    Kind,
    /// Every so many of the commits that it can befall: this.
    Every(u64, Fate),
    /// Only the commit with this number, from 1, of those that it can befall: this.
    Once(u64, Fate),
    /// One in so many, whichever they are: any of them. The same for reads.
    Any {
        /// Decides which.
        seed: u64,
        /// At least 2, or nothing would ever be written.
        one_in: u64,
    },
}

/// Fates that several stores share, and how many were met.
#[derive(Debug, Default)]
pub struct Schedule(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    fates: Fates,
    commits: u64,
    reads: u64,
    met: u64,
}

impl Schedule {
    /// From now on these; commits are counted from here when they are others than before.
    pub fn follow(&self, fates: Fates) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if state.fates != fates {
            *state = State { fates, met: state.met, ..State::default() };
        }
    }
    /// How many commits and reads did not end as they would have.
    pub fn met(&self) -> u64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).met
    }
    /// This store under these fates.
    pub fn over(self: &Arc<Self>, store: SharedStore) -> SharedStore {
        Arc::new(Passing(Fated { store, schedule: Arc::clone(self) }))
    }
    fn of_commit(&self, batch: &Batch) -> Option<Fate> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // What cannot be met is not counted: how many others there are between two of a kind is for the scheduler to say.
        if let Fates::Every(_, fate) | Fates::Once(_, fate) = state.fates
            && !fate.can_befall(batch)
        {
            return None;
        }
        state.commits += 1;
        let number = state.commits;
        let fate = match state.fates {
            Fates::Kind => None,
            Fates::Every(every, fate) => number.is_multiple_of(every.max(1)).then_some(fate),
            Fates::Once(at, fate) => (number == at).then_some(fate),
            Fates::Any { seed, one_in } => {
                let dice = scramble(seed, number);
                let fate = Fate::ALL.get(usize::try_from(dice >> 32).unwrap_or(0) % Fate::ALL.len()).copied();
                fate.filter(|fate| dice.is_multiple_of(one_in.max(2)) && fate.can_befall(batch))
            }
        };
        state.met += u64::from(fate.is_some());
        fate
    }
    fn of_read(&self) -> Result<(), ReadError> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.reads += 1;
        let Fates::Any { seed, one_in } = state.fates else { return Ok(()) };
        if !scramble(!seed, state.reads).is_multiple_of(one_in.max(2)) {
            return Ok(());
        }
        state.met += 1;
        Err(ReadError::Unavailable("so it was to be".to_owned()))
    }
}

/// splitmix64: numbers in a row become numbers without any order.
fn scramble(seed: u64, number: u64) -> u64 {
    let mut x = seed.wrapping_add(number.wrapping_mul(0x9E37_79B9_7F4A_7C15));
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

struct Fated {
    store: SharedStore,
    schedule: Arc<Schedule>,
}
#[async_trait]
impl Between for Fated {
    fn store(&self) -> &SharedStore {
        &self.store
    }
    fn readable(&self) -> Result<(), ReadError> {
        self.schedule.of_read()
    }
    async fn commit(&self, batch: Batch) -> Commit {
        let said = || Cause("so it was to be".to_owned());
        match self.schedule.of_commit(&batch) {
            None => self.store.commit(batch).await,
            Some(Fate::Refused) => Commit::Retryable(said()),
            Some(Fate::Lost) => Commit::Unknown(said()),
            Some(Fate::Unsure) => match self.store.commit(batch).await {
                Commit::Ok(_) => Commit::Unknown(said()),
                other @ (Commit::Conflict(_)
                | Commit::Fenced { .. }
                | Commit::Rejected(_)
                | Commit::Retryable(_)
                | Commit::Unknown(_)) => other,
            },
            Some(Fate::Moved) => match batch.writes.into_iter().next() {
                Some(write) => {
                    let (stream, actual) = (write.stream, write.expected.next());
                    Commit::Conflict(Conflict::Stream { stream, actual })
                }
                None => Commit::Retryable(said()),
            },
            Some(Fate::Fenced) => {
                let current = batch.fence.map(|fence| fence.epoch).unwrap_or_default();
                Commit::Fenced { current: saga_core::id::Epoch(current.0 + 1) }
            }
        }
    }
}
