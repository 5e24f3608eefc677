//! Stores that are damaged below what their rows say: the check comes to its end and names what it could not read.

use async_trait::async_trait;
use saga_core::batch::{Batch, Blob, Commit, DocumentWrite, Fence, InboxEntry, Mark, Snapshot};
use saga_core::envelope::sha256;
use saga_core::event::Owner;
use saga_core::export::{Cell, Damaged, Part, Row};
use saga_core::id::{Direction, Epoch, Position, StepKey, StreamId, Version};
use saga_core::json::Payload;
use saga_core::module::Module;
use saga_core::outcome::Answer;
use saga_core::ports::{ReadError, SharedStore};
use saga_core::time::Timestamp;
use saga_engine::audit::{Known, Opened, audit_stores};
use saga_engine::memory::{MemoryStore, StillClock};
use saga_testkit::between::{Between, Passing};
use std::sync::Arc;
use uuid::Uuid;

#[derive(Debug, Clone, Copy)]
enum Law {}
impl Owner for Law {
    const MODULE: &'static str = "law";
}

/// A store with two rows of every part that a row can stand in.
async fn filled() -> SharedStore {
    let store: SharedStore = Arc::new(MemoryStore::new(Arc::new(StillClock::at(Timestamp(0)))));
    for number in 1..=2_u8 {
        let saga = Uuid::from_u128(number.into());
        let batch = Batch {
            inbox: Some(InboxEntry {
                saga,
                key: StepKey::derive(saga, "s", Direction::Do),
                direction: Direction::Do,
                unless: None,
                payload_hash: [0; 32],
                epoch: Epoch::ZERO,
                answer: Answer::Done { output: Payload::null() },
            }),
            marks: vec![Mark { consumer: format!("c{number}"), position: Position(1) }],
            documents: vec![DocumentWrite {
                projection: "p".to_owned(),
                version: 1,
                key: number.to_string(),
                body: Some(Payload::null()),
                index: Vec::new(),
            }],
            blobs: vec![Blob { sha256: sha256(&[number]), bytes: vec![number] }],
            snapshots: vec![Snapshot {
                stream: StreamId::parse(&format!("test-{number}")).unwrap(),
                version: Version(1),
                digest: "d".to_owned(),
                state: Payload::null(),
            }],
            fence: Some(Fence { scope: format!("f{number}"), epoch: Epoch(1) }),
            ..Batch::default()
        };
        assert!(matches!(store.commit(batch).await, Commit::Ok(_)));
    }
    store
}
async fn findings(store: SharedStore) -> Vec<String> {
    let modules = [Arc::new(Module::new::<Law, ()>("1.0", ()).build())];
    let known = Known { definitions: Arc::default(), modules: &modules };
    let verdicts = audit_stores(&known, &[("law".to_owned(), Opened::There(store))], false).await;
    verdicts.findings.into_iter().map(|found| format!("{} {}: {}", found.promise, found.place, found.says)).collect()
}

/// Behind the last row of a part comes the first one again.
struct Round(SharedStore, Part);
#[async_trait]
impl Between for Round {
    fn store(&self) -> &SharedStore {
        &self.0
    }
    async fn rows(&self, part: Part, after: Option<&Row>, limit: usize) -> Result<Vec<Row>, ReadError> {
        let page = self.0.rows(part, after, limit).await?;
        if part == self.1 && page.is_empty() { self.0.rows(part, None, limit).await } else { Ok(page) }
    }
}

#[tokio::test]
async fn rows_that_come_round_and_round_are_damage_and_have_an_end() {
    for part in Part::ALL {
        let found = findings(Arc::new(Passing(Round(filled().await, part)))).await;
        assert!(found.iter().any(|line| line.contains("in no order")), "{part:?}: {found:#?}");
    }
    let found = findings(filled().await).await;
    assert!(!found.iter().any(|line| line.contains("not read")), "{found:#?}");
}

/// The first row of a part cannot be read.
struct Blot(SharedStore, Part);
#[async_trait]
impl Between for Blot {
    fn store(&self) -> &SharedStore {
        &self.0
    }
    async fn rows(&self, part: Part, after: Option<&Row>, limit: usize) -> Result<Vec<Row>, ReadError> {
        let mut page = self.0.rows(part, after, limit).await?;
        if let (true, None, Some(first)) = (part == self.1, after, page.first_mut()) {
            *first = Row::Damaged(Damaged { key: vec![Cell::Text("blot".to_owned())], why: "it is a blot".to_owned() });
        }
        Ok(page)
    }
}

#[tokio::test]
async fn a_row_that_cannot_be_read_is_named_and_hides_no_other() {
    for part in Part::ALL {
        let found = findings(Arc::new(Passing(Blot(filled().await, part)))).await;
        let blots = found.iter().filter(|line| line.starts_with("O4") && line.contains("blot: not read: it is a blot"));
        assert_eq!(blots.count(), 1, "{part:?}: {found:#?}");
        if part == Part::Marks {
            // The other cursor belongs to nobody, and is seen beside it.
            assert!(found.iter().any(|line| line.starts_with("B6") && line.contains("cursor c2")), "{found:#?}");
        }
    }
}
