//! Crash points: the process sends itself SIGKILL at the n-th commit of all its stores, before or after the commit.
//!
//! `SAGA_KILL_AT=17:before` or `17:after`. Only builds for tests have this; a release ignores the variable.

use async_trait::async_trait;
use saga_core::batch::{Batch, Commit};
use saga_core::ports::{SharedStore, Stores};
use saga_testkit::between::{Between, between};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

struct Point {
    at: u64,
    after: bool,
    commits: AtomicU64,
}

/// The same stores, with the crash point of the environment, if there is one.
pub(crate) fn armed(stores: Arc<dyn Stores>) -> Arc<dyn Stores> {
    let Ok(text) = std::env::var("SAGA_KILL_AT") else { return stores };
    let (at, when) = text.split_once(':').unwrap_or((text.as_str(), "before"));
    let Ok(at) = at.parse() else { return stores };
    let point = Arc::new(Point { at, after: when == "after", commits: AtomicU64::new(0) });
    between(stores, move |store| Armed { store, point: Arc::clone(&point) })
}

impl Point {
    fn reached(&self) -> bool {
        self.commits.fetch_add(1, Ordering::SeqCst) + 1 == self.at
    }
    fn kill(&self) {
        let own = rustix::process::getpid();
        let _dead = rustix::process::kill_process(own, rustix::process::Signal::KILL);
    }
}

struct Armed {
    store: SharedStore,
    point: Arc<Point>,
}
#[async_trait]
impl Between for Armed {
    fn store(&self) -> &SharedStore {
        &self.store
    }
    async fn commit(&self, batch: Batch) -> Commit {
        let reached = self.point.reached();
        if reached && !self.point.after {
            self.point.kill();
        }
        let done = self.store.commit(batch).await;
        if reached && self.point.after {
            self.point.kill();
        }
        done
    }
}
