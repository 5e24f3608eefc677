//! The only place that spawns: shutdown can wait for everything that runs, and nothing ends unseen.

use crate::health::Health;
use futures::FutureExt;
use futures::future::BoxFuture;
use saga_core::incident::Incident;
use saga_core::ports::Clock;
use saga_engine::panics::words;
use std::fmt::Display;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// 200 ms before what ended is begun anew, and twice as long each time that it ends again,
const PAUSE: Duration = Duration::from_millis(200);
/// up to 10 s: an operator who mends the reason sees it work within that time.
const PAUSE_MAX: Duration = Duration::from_secs(10);
/// A task that runs for 15 s is well again: that is longer than the longest pause.
const WELL_AFTER: Duration = Duration::from_secs(15);

/// Everything that runs, and the word that ends it.
#[derive(Clone)]
pub struct Tasks {
    tracker: TaskTracker,
    stop: CancellationToken,
    clock: Arc<dyn Clock>,
    health: Health,
}

/// Work that waits for its first poll.
pub(crate) struct Prepared(BoxFuture<'static, ()>);

impl Prepared {
    /// Polls it once here, and gives it a task of its own where that did not end it.
    pub(crate) async fn first_poll(mut self) {
        if futures::poll!(&mut self.0).is_pending() {
            self.spawn();
        }
    }
    /// Gives it a task of its own.
    pub(crate) fn spawn(self) {
        spawn(self.0);
    }
}

fn spawn(work: impl Future<Output = ()> + Send + 'static) {
    #[expect(clippy::disallowed_methods, reason = "this is the one place")]
    tokio::spawn(work);
}

impl Tasks {
    /// Nothing runs. What ends though it should not is told to `health`.
    pub fn new(clock: Arc<dyn Clock>, health: Health) -> Self {
        Self { tracker: TaskTracker::new(), stop: CancellationToken::new(), clock, health }
    }
    /// Nothing runs, and nothing is wrong.
    pub(crate) fn with_health(clock: &Arc<dyn Clock>) -> (Self, Health) {
        let health = Health::new(Arc::clone(clock));
        (Self::new(Arc::clone(clock), health.clone()), health)
    }
    /// Runs something in the background that ends by itself; it should listen to [`Tasks::stopping`]. A panic in it is an
    /// incident with its words, and ends nothing else.
    pub fn spawn(&self, name: impl Display + Send + 'static, work: impl Future<Output = ()> + Send + 'static) {
        self.track(self.caught(name, work));
    }
    /// The same, not begun yet: these tasks have not ended before it has, or was dropped.
    pub(crate) fn prepare(
        &self,
        name: impl Display + Send + 'static,
        work: impl Future<Output = ()> + Send + 'static,
    ) -> Prepared {
        Prepared(self.tracker.track_future(self.caught(name, work)).boxed())
    }
    fn caught(
        &self,
        name: impl Display + Send + 'static,
        work: impl Future<Output = ()> + Send + 'static,
    ) -> impl Future<Output = ()> + Send + 'static {
        let health = self.health.clone();
        // No block around it: that would keep the work twice, once before its first poll and once after.
        AssertUnwindSafe(work).catch_unwind().map(move |ended| {
            if let Err(panic) = ended {
                health.incident(Incident::TaskEnded, &format!("{name} panicked: {}", words(&*panic)));
            }
        })
    }
    /// Runs something in the background that should go on until everything ends. Where it ends or panics before, that is
    /// an incident and a trouble by its name, and it is begun anew after a pause, as often as it takes; it has to begin
    /// from what is durable.
    pub fn keep<F>(&self, name: impl Into<String>, begin: impl Fn() -> F + Send + 'static)
    where
        F: Future<Output = ()> + Send,
    {
        let (name, tasks) = (name.into(), self.clone());
        self.track(async move {
            let mut pause = PAUSE;
            loop {
                let ran = tasks.watched(&name, begin()).await;
                if ran.is_none() || tasks.is_stopping() {
                    return;
                }
                pause = if ran.is_some_and(|ran| ran >= WELL_AFTER) { PAUSE } else { (pause * 2).min(PAUSE_MAX) };
                tokio::select! {
                    () = tasks.stopping() => return,
                    () = tasks.clock.pause(pause) => {}
                }
            }
        });
    }
    /// Runs something that should not end before everything does; says so where it does, and how long it ran. `None` when
    /// it ended because everything ends.
    pub(crate) async fn watched(&self, name: &str, work: impl Future<Output = ()>) -> Option<Duration> {
        let (place, began) = (format!("task {name}"), self.clock.passed());
        let mut work = std::pin::pin!(AssertUnwindSafe(work).catch_unwind());
        let ended = tokio::select! {
            ended = &mut work => ended,
            () = self.clock.pause(WELL_AFTER) => {
                self.health.well(&place);
                work.as_mut().await
            }
        };
        let says = match ended {
            Ok(()) if self.is_stopping() => {
                self.health.well(&place);
                return None;
            }
            Ok(()) => "it ended by itself; it is begun anew".to_owned(),
            Err(panic) => format!("it panicked: {}; it is begun anew", words(&*panic)),
        };
        self.health.incident(Incident::TaskEnded, &format!("{name}: {says}"));
        self.health.trouble(&place, says);
        Some(self.clock.passed().saturating_sub(began))
    }
    /// The health of what runs.
    pub(crate) fn health(&self) -> &Health {
        &self.health
    }
    fn track(&self, work: impl Future<Output = ()> + Send + 'static) {
        spawn(self.tracker.track_future(work));
    }
    /// Resolves when everything should end.
    pub async fn stopping(&self) {
        self.stop.cancelled().await;
    }
    /// Whether everything should end.
    pub fn is_stopping(&self) -> bool {
        self.stop.is_cancelled()
    }
    /// Work that ends with this, and can be ended and waited for by itself. The caller that makes a scope stops it.
    #[must_use]
    pub fn scope(&self) -> Self {
        Self { tracker: TaskTracker::new(), stop: self.stop.child_token(), ..self.clone() }
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

#[cfg(test)]
mod tests {
    use super::*;
    use saga_core::time::Timestamp;
    use saga_engine::memory::StillClock;
    use std::sync::atomic::{AtomicU32, Ordering};

    /// Lets what is ready run; no time passes.
    async fn breathe() {
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn what_ends_though_it_should_not_is_a_trouble_and_is_begun_anew() {
        let clock = Arc::new(StillClock::at(Timestamp(0)));
        let health = Health::new(clock.clone());
        let tasks = Tasks::new(clock.clone(), health.clone());
        let times = Arc::new(AtomicU32::new(0));
        let (counted, stop) = (Arc::clone(&times), tasks.clone());
        tasks.keep("the fold", move || {
            let (time, stop) = (counted.fetch_add(1, Ordering::Relaxed), stop.clone());
            async move {
                match time {
                    0 => panic!("no {}", "paper"),
                    1 => {}
                    _ => stop.stopping().await,
                }
            }
        });
        let says = || health.troubles().iter().map(|t| format!("{}: {}", t.place, t.says)).collect::<Vec<_>>();
        for (at, says_then, begun) in [
            (0, vec!["task the fold: it panicked: no paper; it is begun anew"], 1),
            (1, vec!["task the fold: it ended by itself; it is begun anew"], 2),
            (2, vec!["task the fold: it ended by itself; it is begun anew"], 3),
            (30, vec![], 3),
        ] {
            clock.move_to(Timestamp(at * 1_000_000));
            breathe().await;
            assert_eq!(
                (says(), times.load(Ordering::Relaxed)),
                (says_then.iter().map(|s| (*s).to_owned()).collect(), begun)
            );
        }
        tasks.spawn("one call", async { panic!("no ink") });
        breathe().await;
        assert_eq!(health.incidents()[Incident::TaskEnded.name()], 3);
        tasks.stop().await;
        assert_eq!(health.troubles(), []);
    }
}
