//! Knows what is certainly not in the file: a filter of stream names and of sagas in the inbox, and the last deeds
//! themselves.
//!
//! Invariant: whatever may be in the file is in the filter before its commit is submitted, so "not seen" is as true as a
//! read. Most commands are the first of their saga and begin a new story; they find out here, without a question to the
//! file, that there is nothing.

use saga_core::appender::WriteSet;
use saga_core::batch::InboxEntry;
use saga_core::id::{Epoch, StepKey};
use saga_core::ports::{Recollection, Remembered};
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use uuid::Uuid;

/// 65,536 names in the first layer: 128 KiB, and a module may live with that for long.
const FIRST_LAYER: usize = 65_536;
/// 16 bits for each name and 8 of them asked: one in some 1,700 answers is a "perhaps" for nothing, and costs a read.
const BITS_EACH: usize = 16;
const PROBES: u64 = 8;
/// 4,096 sagas in each of two generations: their deeds of the last seconds, some MiB.
const SAGAS_KEPT: usize = 4_096;

/// A Bloom filter that grows by a layer of twice the size when the last one is full.
#[derive(Debug, Default)]
struct Filter {
    layers: Vec<Vec<u64>>,
    room: usize,
}

impl Filter {
    fn places(layer: &[u64], hash: (u64, u64)) -> impl Iterator<Item = (usize, u64)> {
        let bits = (layer.len() as u64) * 64;
        (0..PROBES).map(move |probe| {
            let bit = hash.0.wrapping_add(probe.wrapping_mul(hash.1)) % bits;
            (usize::try_from(bit / 64).unwrap_or(0), 1 << (bit % 64))
        })
    }
    fn hash(name: &(impl Hash + ?Sized)) -> (u64, u64) {
        let mut hasher = DefaultHasher::new();
        name.hash(&mut hasher);
        let first = hasher.finish();
        hasher.write_u8(1);
        // Odd, so that the probes do not fall together.
        (first, hasher.finish() | 1)
    }
    fn has(&self, name: &(impl Hash + ?Sized)) -> bool {
        let hash = Self::hash(name);
        let set = |layer: &Vec<u64>| {
            Self::places(layer, hash).all(|(word, bit)| layer.get(word).is_some_and(|bits| bits & bit != 0))
        };
        self.layers.iter().any(set)
    }
    fn add(&mut self, name: &(impl Hash + ?Sized)) {
        if self.room == 0 {
            let names = FIRST_LAYER << self.layers.len();
            self.layers.push(vec![0; names * BITS_EACH / 64]);
            self.room = names;
        }
        self.room -= 1;
        let hash = Self::hash(name);
        if let Some(layer) = self.layers.last_mut() {
            let places: Vec<_> = Self::places(layer, hash).collect();
            for (word, bit) in places {
                if let Some(bits) = layer.get_mut(word) {
                    *bits |= bit;
                }
            }
        }
    }
}

type Deeds = Vec<(StepKey, Epoch, Remembered)>;

/// See the top of the file.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// Whether everything that was in the file before is in the filters.
    complete: bool,
    streams: Filter,
    sagas: Filter,
    /// All deeds of some sagas: of those that were seen for the first time since the file was opened.
    deeds: BTreeMap<Uuid, Deeds>,
    deeds_before: BTreeMap<Uuid, Deeds>,
}

/// The sagas of a plan that the inbox has certainly not known before, in their order.
pub(crate) type Fresh = Vec<Uuid>;

impl Seen {
    /// Of a file that is empty.
    pub(crate) fn of_empty() -> Self {
        Self { complete: true, ..Self::default() }
    }
    /// The file was read through, from after this was made.
    pub(crate) fn complete(&mut self) {
        self.complete = true;
    }
    /// Adds what the file has.
    pub(crate) fn learn_stream(&mut self, stream: &str) {
        self.streams.add(stream);
    }
    /// Adds what the file has.
    pub(crate) fn learn_saga(&mut self, saga: Uuid) {
        self.sagas.add(&saga);
    }
    /// Whether a stream is certainly not in the file.
    pub(crate) fn lacks_stream(&self, stream: &str) -> bool {
        self.complete && !self.streams.has(stream)
    }
    /// Takes in what is about to be written, whether or not its commit succeeds.
    pub(crate) fn expect(&mut self, plan: &WriteSet<'_, '_>) -> Fresh {
        // A file that was not read through lacks nothing for certain, so there is nothing to keep up.
        if !self.complete {
            return Fresh::new();
        }
        for event in plan.events.iter().filter(|event| event.version.0 == 1) {
            self.streams.add(event.stream.as_str());
        }
        let mut fresh = Fresh::new();
        for (saga, _) in plan.inbox.keys() {
            if !self.sagas.has(saga) {
                self.sagas.add(saga);
                fresh.push(*saga);
            }
        }
        fresh
    }
    /// Remembers the deeds that were written.
    pub(crate) fn written<'a>(&mut self, fresh: Fresh, inbox: impl Iterator<Item = &'a InboxEntry>) {
        if self.deeds.len() + fresh.len() > SAGAS_KEPT {
            self.deeds_before = std::mem::take(&mut self.deeds);
        }
        self.deeds.extend(fresh.into_iter().map(|saga| (saga, Deeds::new())));
        for entry in inbox {
            let known = self.deeds.get_mut(&entry.saga).or_else(|| self.deeds_before.get_mut(&entry.saga));
            let remembered = Remembered { payload_hash: entry.payload_hash, answer: entry.answer.clone() };
            if let Some(deeds) = known {
                deeds.push((entry.key, entry.epoch, remembered));
            }
        }
    }
    /// After trouble: what may have been written without an answer is only in the file.
    pub(crate) fn forget_deeds(&mut self) {
        self.deeds.clear();
        self.deeds_before.clear();
    }
    /// What the inbox has under these keys, if that is known without reading it.
    pub(crate) fn recall(&self, saga: Uuid, deed: StepKey, undo: StepKey) -> Option<Recollection> {
        if self.complete && !self.sagas.has(&saga) {
            return Some(Recollection::default());
        }
        let deeds = self.deeds.get(&saga).or_else(|| self.deeds_before.get(&saga))?;
        let of = |wanted: StepKey| {
            let found = deeds.iter().find(|(key, ..)| *key == wanted);
            found.map(|(.., remembered)| remembered.clone())
        };
        let epoch = deeds.iter().map(|(_, epoch, _)| *epoch).max().unwrap_or_default();
        Some(Recollection { deed: of(deed), undo: of(undo), epoch })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_was_added_is_lacking() {
        let mut seen = Seen::of_empty();
        let name = |number: u32| format!("orders_order-{number}");
        (0..200_000).for_each(|number| seen.learn_stream(&name(number)));
        assert!((0..200_000).all(|number| !seen.lacks_stream(&name(number))));
        let perhaps = (200_000..300_000).filter(|number| !seen.lacks_stream(&name(*number))).count();
        assert!(perhaps < 1_000, "{perhaps} of 100,000 would be read for nothing");
    }

    #[test]
    fn before_the_file_was_read_through_nothing_is_lacking() {
        let mut seen = Seen::default();
        assert!(!seen.lacks_stream("orders_order-1"));
        let keys = [saga_core::id::Direction::Do, saga_core::id::Direction::Undo]
            .map(|direction| StepKey::derive(Uuid::from_u128(1), "one", direction));
        assert_eq!(seen.recall(Uuid::from_u128(1), keys[0], keys[1]), None);
        seen.complete();
        assert!(seen.lacks_stream("orders_order-1"));
        assert_eq!(seen.recall(Uuid::from_u128(1), keys[0], keys[1]), Some(Recollection::default()));
    }
}
