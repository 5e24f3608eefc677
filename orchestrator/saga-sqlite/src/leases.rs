//! Leases in a file that one process writes: the file lock keeps other processes out, so leases live as long as the
//! process, and only the epochs are kept.

use crate::store::SqliteStore;
use async_trait::async_trait;
use futures::future::join_all;
use saga_core::batch::{Batch, Commit, Fence};
use saga_core::id::Epoch;
use saga_core::ports::{Claim, EventStore as _, Lease, Leases, ReadError};
use std::collections::BTreeMap;
use std::time::Duration;
use uuid::Uuid;

#[async_trait]
impl Leases for SqliteStore {
    async fn lease(&self, owner: Uuid, claim: &Claim, ttl: Duration) -> Result<Vec<Lease>, ReadError> {
        let mut book = self.leases.lock().await;
        let fences = self.fences().await?;
        let fence = |scope: &str| fences.get(scope).copied().unwrap_or_default();
        let taken = book.weigh(owner, claim, self.clock.now(), fence);
        let raised = taken.iter().filter(|(scope, epoch)| fence(scope) < **epoch);
        // The fence is raised before anybody is told: from here on the owner before cannot write.
        let commits = raised.map(|(scope, epoch)| {
            let fence = Some(Fence { scope: scope.clone(), epoch: *epoch });
            self.commit(Batch { fence, ..Batch::default() })
        });
        for answer in join_all(commits).await {
            if !matches!(answer, Commit::Ok(_)) {
                return Err(ReadError::Unavailable(format!("{}: the epoch cannot be written: {answer:?}", self.place)));
            }
        }
        let now = self.clock.now();
        book.apply(owner, claim, taken, now, ttl);
        Ok(book.list(now))
    }
}

impl SqliteStore {
    async fn fences(&self) -> Result<BTreeMap<String, Epoch>, ReadError> {
        let rows: Vec<(String, i64)> = sqlx::query_as("SELECT scope, epoch FROM es_fences")
            .fetch_all(&self.readers)
            .await
            .map_err(|error| self.failed(&error))?;
        Ok(rows.into_iter().map(|(scope, epoch)| (scope, Epoch(epoch.cast_unsigned()))).collect())
    }
}
