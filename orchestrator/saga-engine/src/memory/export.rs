//! The reference store taken apart; its ground is memory, where nothing but rows can be wrong.

use super::{Kept, MemoryStore, State};
use async_trait::async_trait;
use saga_core::batch::{Blob, DocumentWrite, Fence, InboxEntry, Mark};
use saga_core::export::{Export, Flaw, Inspect, Part, Row};
use saga_core::ports::ReadError;

#[async_trait]
impl Export for MemoryStore {
    async fn rows(&self, part: Part, after: Option<&Row>, limit: usize) -> Result<Vec<Row>, ReadError> {
        let after = after.map(Row::key);
        let rows = rows(&self.state(), part).into_iter();
        let beyond = |row: &Row| after.as_ref().is_none_or(|after| row.key() > *after);
        Ok(rows.filter(beyond).take(limit).collect())
    }
}

#[async_trait]
impl Inspect for MemoryStore {
    async fn flaws(&self) -> Result<Vec<Flaw>, ReadError> {
        Ok(Vec::new())
    }
}

fn rows(state: &State, part: Part) -> Vec<Row> {
    match part {
        Part::Inbox => {
            let entry = |((saga, key), kept): (&(uuid::Uuid, saga_core::id::StepKey), &Kept)| InboxEntry {
                saga: *saga,
                key: *key,
                direction: kept.direction,
                unless: None,
                payload_hash: kept.row.payload_hash,
                epoch: kept.epoch,
                answer: kept.row.answer.clone(),
            };
            state.inbox.iter().map(|row| Row::Inbox(entry(row))).collect()
        }
        Part::Marks => {
            let marks = state.marks.iter();
            marks.map(|(consumer, at)| Row::Mark(Mark { consumer: consumer.clone(), position: *at })).collect()
        }
        Part::Documents => {
            let documents = state.documents.iter().map(|((projection, version, key), document)| DocumentWrite {
                projection: projection.clone(),
                version: *version,
                key: key.clone(),
                body: Some(document.body.clone()),
                index: document.index.clone(),
            });
            documents.map(Row::Document).collect()
        }
        Part::Blobs => {
            let blobs = state.blobs.iter();
            blobs.map(|(sha256, bytes)| Row::Blob(Blob { sha256: *sha256, bytes: bytes.clone() })).collect()
        }
        Part::Snapshots => state.snapshots.values().cloned().map(Row::Snapshot).collect(),
        Part::Fences => {
            let fences = state.fences.iter();
            fences.map(|(scope, epoch)| Row::Fence(Fence { scope: scope.clone(), epoch: *epoch })).collect()
        }
    }
}
