//! The run queue: small pieces of work, most of which end when they are polled for the first time, are polled one after
//! another in one task. A task for each would wake a sleeping thread for each, which costs more than the work itself.
//!
//! What does not end at once gets a task of its own. What takes long in its first poll holds up nobody that comes later
//! for longer than 0.2 s, even where it blocks its thread for ever.

use crate::tasks::{Prepared, Tasks};
use saga_core::ports::Clock;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// 1 ms: a first poll that takes longer computes, and what stands behind it may compute elsewhere.
const SLOW: Duration = Duration::from_millis(1);
/// 100 ms between two looks whether the queue moves.
const LOOK_EVERY: Duration = Duration::from_millis(100);

#[derive(Default)]
struct State {
    waiting: VecDeque<Prepared>,
    /// The runner that takes from the queue; one that was replaced takes nothing more.
    runner: Option<u64>,
    runners: u64,
    /// How many were taken out.
    taken: u64,
}

/// The work of one process that waits for its first poll.
#[derive(Clone)]
pub(crate) struct RunQueue {
    state: Arc<Mutex<State>>,
    clock: Arc<dyn Clock>,
    tasks: Tasks,
}

impl RunQueue {
    /// Nothing waits. Its runners are tasks of `tasks`, and so is the look whether they move.
    pub(crate) fn new(clock: Arc<dyn Clock>, tasks: &Tasks) -> Self {
        let queue = Self { state: Arc::default(), clock, tasks: tasks.clone() };
        let watched = queue.clone();
        tasks.keep("run queue", move || watched.clone().watch());
        queue
    }
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
    /// Runs these, soon.
    pub(crate) fn run(&self, works: impl IntoIterator<Item = Prepared>) {
        let mut state = self.state();
        state.waiting.extend(works);
        if state.runner.is_none() && !state.waiting.is_empty() {
            self.begin(&mut state);
        }
    }
    /// A runner that replaces the one before it.
    fn begin(&self, state: &mut State) {
        state.runners += 1;
        state.runner = Some(state.runners);
        let (queue, number) = (self.clone(), state.runners);
        self.tasks.spawn("run queue", async move { queue.runner(number).await });
    }
    async fn runner(self, number: u64) {
        let mut began = self.clock.passed();
        while let Some(work) = self.next(number) {
            work.first_poll().await;
            let now = self.clock.passed();
            if now.saturating_sub(began) > SLOW {
                std::mem::take(&mut self.state().waiting).into_iter().for_each(Prepared::spawn);
            }
            began = now;
            tokio::task::coop::consume_budget().await;
        }
    }
    fn next(&self, number: u64) -> Option<Prepared> {
        let mut state = self.state();
        if state.runner != Some(number) {
            return None;
        }
        let work = state.waiting.pop_front();
        match work {
            Some(_) => state.taken += 1,
            None => state.runner = None,
        }
        work
    }
    /// Replaces a runner that stands still before work that waits: what it polls blocks its thread.
    async fn watch(self) {
        let mut seen = 0;
        loop {
            tokio::select! {
                () = self.tasks.stopping() => return,
                () = self.clock.pause(LOOK_EVERY) => {}
            }
            let mut state = self.state();
            if state.runner.is_some() && !state.waiting.is_empty() && state.taken == seen {
                self.begin(&mut state);
            }
            seen = state.taken;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use saga_core::incident::Incident;
    use saga_core::time::Timestamp;
    use saga_engine::memory::StillClock;
    use std::sync::mpsc;
    use tokio::sync::oneshot;

    fn queue() -> (RunQueue, Tasks, Arc<StillClock>) {
        let clock = Arc::new(StillClock::at(Timestamp(0)));
        let (tasks, _) = Tasks::with_health(&(clock.clone() as Arc<dyn Clock>));
        (RunQueue::new(clock.clone(), &tasks), tasks, clock)
    }

    #[tokio::test]
    async fn what_ends_at_once_runs_in_order_and_what_does_not_gets_a_task() {
        let (queue, tasks, _) = queue();
        let (said, heard) = mpsc::channel();
        let (go, gone) = oneshot::channel::<()>();
        let (end, ended) = oneshot::channel::<()>();
        let (first, second, third) = (said.clone(), said.clone(), said);
        queue.run([
            tasks.prepare("first", async move { first.send(1).unwrap() }),
            tasks.prepare("second", async move {
                gone.await.unwrap();
                second.send(2).unwrap();
                end.send(()).unwrap();
            }),
            tasks.prepare("third", async move {
                third.send(3).unwrap();
                go.send(()).unwrap();
            }),
        ]);
        ended.await.unwrap();
        assert_eq!(heard.try_iter().collect::<Vec<_>>(), [1, 3, 2]);
        tasks.stop().await;
    }

    #[tokio::test]
    async fn a_panic_ends_only_what_panics() {
        let (queue, tasks, _) = queue();
        let (end, ended) = oneshot::channel::<()>();
        queue.run([
            tasks.prepare("one", async { panic!("no ink") }),
            tasks.prepare("the other", async move { end.send(()).unwrap() }),
        ]);
        ended.await.unwrap();
        assert_eq!(tasks.health().incidents()[Incident::TaskEnded.name()], 1);
        tasks.stop().await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 3)]
    async fn what_blocks_its_thread_holds_up_nobody() {
        let (queue, tasks, clock) = queue();
        let (begun, blocks) = oneshot::channel::<()>();
        let (open, opened) = mpsc::channel::<()>();
        let (end, mut ended) = oneshot::channel::<()>();
        queue.run([
            tasks.prepare("blocks", async move {
                begun.send(()).unwrap();
                opened.recv().unwrap();
            }),
            tasks.prepare("waits behind it", async move { end.send(()).unwrap() }),
        ]);
        blocks.await.unwrap();
        assert!(ended.try_recv().is_err(), "there is one runner");
        // Two looks, whenever the first is.
        while ended.try_recv().is_err() {
            clock.move_to(clock.now().plus(LOOK_EVERY));
            tokio::task::yield_now().await;
        }
        open.send(()).unwrap();
        tasks.stop().await;
    }

    #[tokio::test]
    async fn what_has_not_begun_is_waited_for() {
        let (queue, tasks, _) = queue();
        let scope = tasks.scope();
        let (said, heard) = mpsc::channel();
        queue.run([scope.prepare("late", async move { said.send(()).unwrap() })]);
        scope.stop().await;
        assert_eq!(heard.try_recv(), Ok(()));
        tasks.stop().await;
    }
}
