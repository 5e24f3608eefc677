//! The only place that spawns, so that shutdown can wait for everything that runs.

use std::future::Future;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Everything that runs, and the word that ends it.
#[derive(Debug, Clone, Default)]
pub struct Tasks {
    tracker: TaskTracker,
    stop: CancellationToken,
}

impl Tasks {
    /// Runs a future in the background until it ends by itself. It should listen to [`Tasks::stopping`].
    pub fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        #[expect(clippy::disallowed_methods, reason = "this is the one place")]
        tokio::spawn(self.tracker.track_future(work));
    }
    /// Resolves when everything should end.
    pub async fn stopping(&self) {
        self.stop.cancelled().await;
    }
    /// Whether everything should end.
    pub fn is_stopping(&self) -> bool {
        self.stop.is_cancelled()
    }
    /// Work that ends with this, and can be ended and waited for by itself. Whoever makes a scope stops it.
    #[must_use]
    pub fn scope(&self) -> Self {
        Self { tracker: TaskTracker::new(), stop: self.stop.child_token() }
    }
    /// Asks everything to end.
    pub fn end(&self) {
        self.stop.cancel();
    }
    /// Asks everything to end and waits until it has.
    pub async fn stop(&self) {
        self.end();
        self.tracker.close();
        self.tracker.wait().await;
    }
}
