//! Leases that several processes hold in one schema, by the clock of the database.
//!
//! The table of leases is the table of fences, and every change of it stands behind the lock of the head: once a scope
//! has changed hands, nothing that carries the older epoch is committed any more.

use crate::store::PostgresStore;
use async_trait::async_trait;
use saga_core::id::Epoch;
use saga_core::ports::{Claim, Lease, Leases, ReadError};
use std::time::Duration;
use uuid::Uuid;

#[async_trait]
impl Leases for PostgresStore {
    async fn lease(&self, owner: Uuid, claim: &Claim, ttl: Duration) -> Result<Vec<Lease>, ReadError> {
        let ttl_us = i64::try_from(ttl.as_micros()).unwrap_or(i64::MAX);
        let rows: Vec<(String, Uuid, i64, i64)> = sqlx::query_as("SELECT * FROM es_lease($1, $2, $3, $4)")
            .bind(owner)
            .bind(&claim.want)
            .bind(&claim.leave)
            .bind(ttl_us)
            .fetch_all(&self.writers)
            .await
            .map_err(|error| self.failed(&error))?;
        let lease = |(scope, owner, epoch, left): (String, Uuid, i64, i64)| Lease {
            scope,
            owner,
            epoch: Epoch(epoch.cast_unsigned()),
            left: Duration::from_micros(u64::try_from(left).unwrap_or(0)),
        };
        Ok(rows.into_iter().map(lease).collect())
    }
}
