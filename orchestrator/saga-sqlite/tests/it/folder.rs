//! A folder of its own for each test, removed afterwards.

use saga_core::batch::{Batch, StreamWrite};
use saga_core::envelope::NewEvent;
use saga_core::id::{EventId, StreamId, Version};
use saga_core::json::Payload;
use saga_core::time::Timestamp;
use saga_engine::memory::StillClock;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use uuid::Uuid;

static COUNT: AtomicU64 = AtomicU64::new(0);

pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        let name = format!("saga-sqlite-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}

pub(crate) fn clock() -> Arc<StillClock> {
    Arc::new(StillClock::at(Timestamp(1_700_000_000_000_000)))
}

pub(crate) fn stream(name: &str) -> StreamId {
    StreamId::parse(&format!("test-{name}")).unwrap()
}

pub(crate) fn append(name: &str, expected: u64, numbers: impl IntoIterator<Item = u128>) -> Batch {
    let event = |number: u128| NewEvent {
        id: EventId(Uuid::from_u128(number)),
        name: "Noted",
        version: 1,
        data: Payload::trusted(format!(r#"{{"number":{number},"text":"{}"}}"#, "needle ".repeat(10))),
        meta: Payload::trusted("{}"),
        time: Timestamp(1),
        public: number.is_multiple_of(2),
    };
    let events = numbers.into_iter().map(event).collect();
    let write = StreamWrite { stream: stream(name), expected: Version(expected), events };
    Batch { writes: vec![write], ..Batch::default() }
}
