//! Connections for short questions. They come from the pool and stay out of it: a pool asks the server after each use
//! whether the connection still stands, and that costs as much as the question.

use crate::connection::{LANES_MAX, READERS_MAX, RESTED};
use sqlx::postgres::{PgConnection, PgPool};
use sqlx::{Connection as _, Error};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;

/// The connections that rest, the last used one on top: the warmest is taken first.
pub(crate) struct Lanes {
    pool: PgPool,
    resting: Mutex<Vec<(PgConnection, Instant)>>,
    /// As many as there may be, under way and at rest.
    room: Semaphore,
}

impl Lanes {
    pub(crate) fn new(pool: PgPool) -> Self {
        Self { pool, resting: Mutex::default(), room: Semaphore::new(LANES_MAX as usize) }
    }
    fn resting(&self) -> MutexGuard<'_, Vec<(PgConnection, Instant)>> {
        self.resting.lock().unwrap_or_else(PoisonError::into_inner)
    }
    /// Room for one connection, for as long as it is used: its holder finds one at rest, or may make one.
    pub(crate) async fn room(&self) -> Result<SemaphorePermit<'_>, Error> {
        self.room.acquire().await.map_err(|_| Error::PoolClosed)
    }
    /// A connection that was used before and seems to stand. The caller gives it back when it is as it was before; one
    /// that is not given back is closed.
    pub(crate) async fn take_used(&self) -> Option<PgConnection> {
        loop {
            let (mut connection, since) = self.resting().pop()?;
            if since.elapsed() < RESTED || connection.ping().await.is_ok() {
                return Some(connection);
            }
        }
    }
    /// A connection that was just asked whether it stands, with the patience of the pool.
    pub(crate) async fn make(&self) -> Result<PgConnection, Error> {
        for _ in 0..READERS_MAX {
            // A dead connection does not go back to the pool: in the end the pool makes a new one.
            let mut connection = self.pool.acquire().await?.detach();
            if connection.ping().await.is_ok() {
                return Ok(connection);
            }
        }
        Ok(self.pool.acquire().await?.detach())
    }
    pub(crate) fn give_back(&self, connection: PgConnection) {
        if !self.pool.is_closed() {
            self.resting().push((connection, Instant::now()));
        }
    }
    /// Ends those that rest; the pool is closed before, so that no more come.
    pub(crate) async fn close(&self) {
        let resting = std::mem::take(&mut *self.resting());
        for (connection, _) in resting {
            // The server sees that it is gone, even if the last word is lost.
            let _ended = connection.close().await;
        }
    }
}
