//! Keeps idle readers of events until their caller's next call.

use crate::lock;
use crate::read::Reader;
use std::collections::BTreeMap;
use std::sync::Mutex;

/// 64 cursors wait for their callers; the longest unused goes first.
const IDLE_READERS_MAX: usize = 64;

/// Readers that wait for their caller's next call: by module and cursor.
#[derive(Default)]
pub(crate) struct IdleReaders(Mutex<Kept>);
#[derive(Default)]
struct Kept {
    readers: BTreeMap<(String, u64), Vec<(u64, Reader)>>,
    used: u64,
}

impl IdleReaders {
    pub(crate) fn take(&self, module: &str, after: u64) -> Option<Reader> {
        let mut kept = lock(&self.0);
        let key = (module.to_owned(), after);
        let readers = kept.readers.get_mut(&key)?;
        let reader = readers.pop().map(|(_, reader)| reader);
        if readers.is_empty() {
            kept.readers.remove(&key);
        }
        reader
    }
    pub(crate) fn put(&self, reader: Reader) {
        let mut kept = lock(&self.0);
        kept.used += 1;
        let used = kept.used;
        kept.readers.entry((reader.module.clone(), reader.cursor)).or_default().push((used, reader));
        if kept.readers.values().map(Vec::len).sum::<usize>() <= IDLE_READERS_MAX {
            return;
        }
        let oldest = kept.readers.iter().flat_map(|(key, readers)| readers.iter().map(move |(used, _)| (*used, key)));
        let Some((used, key)) = oldest.min().map(|(used, key)| (used, key.clone())) else { return };
        if let Some(readers) = kept.readers.get_mut(&key) {
            readers.retain(|(at, _)| *at != used);
            if readers.is_empty() {
                kept.readers.remove(&key);
            }
        }
    }
}
