//! Functions of sagas that run here: one call of a step at a time, and none outlives its patience beside the next.
//!
//! A call is stopped when its patience ends, and before the next try or the undo of its step begins, which waits until it
//! has ended. Stopping drops the future at its next `await`. A call that never comes there, because it blocks its thread, cannot
//! be stopped: that is a trouble of the process until it ends, and nothing of its step begins beside it.

use super::Shell;
use crate::health::Health;
use crate::questions::Input;
use crate::run_queue::RunQueue;
use crate::tasks::{Prepared, Tasks};
use futures::FutureExt;
use saga_core::definition::LocalFuture;
use saga_core::id::{Direction, SagaId};
use saga_core::outcome::{Answer, Refused};
use saga_core::ports::Clock;
use saga_core::step::{Given, StepError, Stop};
use saga_engine::execution::{Act, Answering, Signal};
use saga_engine::machine::coordinator::In;
use std::any::Any;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// After 1 s a call that was told to stop and has not is a trouble: an `await` takes less.
const STOPS_WITHIN: Duration = Duration::from_secs(1);

/// Something that happens once. It costs something only where a task waits for it, or where it happens.
#[derive(Default)]
struct Moment(OnceLock<CancellationToken>);
impl Moment {
    fn token(&self) -> &CancellationToken {
        self.0.get_or_init(CancellationToken::new)
    }
    fn comes(&self) {
        self.token().cancel();
    }
    async fn came(&self) {
        self.token().cancelled().await;
    }
    fn has_come(&self) -> bool {
        self.0.get().is_some_and(CancellationToken::is_cancelled)
    }
}

/// One call that has not ended.
struct Call {
    number: u64,
    saga: SagaId,
    of: Answering,
    /// For the call's own future.
    stop: Moment,
    /// For what the call has begun elsewhere.
    flag: Stop,
    /// Comes only where a later call of the step stands behind.
    ended: Moment,
    /// Whether it is a trouble of the process.
    troubles: AtomicBool,
}

/// The name of a call's task, which is only written where it is told.
struct Named(Arc<Call>);
impl std::fmt::Display for Named {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.0.saga, self.0.of.step)
    }
}

impl Call {
    /// It, in a sentence.
    fn says(&self) -> String {
        let what = if self.of.direction == Direction::Undo { "the undo of " } else { "" };
        format!("try {} of {what}step {:?}", self.of.attempt, self.of.step)
    }
    /// Its place in the health of the process.
    fn place(&self) -> String {
        format!("{} of saga {}", self.says(), self.saga)
    }
}

#[derive(Default)]
struct State {
    next: u64,
    /// The calls of each saga, in the order in which they were begun: a few at once.
    calls: BTreeMap<SagaId, Vec<Arc<Call>>>,
}

/// The calls of one process, whatever group their sagas belong to.
#[derive(Clone)]
pub(crate) struct Locals(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    health: Health,
    clock: Arc<dyn Clock>,
    given: Given,
    queue: RunQueue,
}

impl Locals {
    pub(crate) fn new(tasks: &Tasks, clock: Arc<dyn Clock>, given: Given) -> Self {
        let (health, queue) = (tasks.health().clone(), RunQueue::new(Arc::clone(&clock), tasks));
        Self(Arc::new(Shared { state: Mutex::default(), health, clock, given, queue }))
    }
    /// Begins these calls.
    pub(super) fn run(&self, calls: impl IntoIterator<Item = Prepared>) {
        self.0.queue.run(calls);
    }
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
    /// Tells the call that runs for this step to stop, and takes the place behind it.
    fn begin(&self, saga: SagaId, of: Answering) -> Turn {
        let mut state = self.state();
        state.next += 1;
        let number = state.next;
        let row = state.calls.entry(saga).or_default();
        let before: Vec<_> = row.iter().filter(|call| call.of.step == of.step).cloned().collect();
        let (stop, flag, ended) = (Moment::default(), Stop::default(), Moment::default());
        let call = Arc::new(Call { number, saga, of, stop, flag, ended, troubles: AtomicBool::new(false) });
        row.push(Arc::clone(&call));
        drop(state);
        for earlier in &before {
            earlier.flag.ask();
            earlier.stop.comes();
        }
        Turn { locals: self.clone(), call, before }
    }
    /// Takes a call out of its row; says whether another of its step stands behind it.
    fn end(&self, ended: &Call) -> bool {
        let mut state = self.state();
        let Entry::Occupied(mut row) = state.calls.entry(ended.saga) else { return false };
        row.get_mut().retain(|call| call.number != ended.number);
        if row.get().is_empty() {
            row.remove();
            return false;
        }
        row.get().iter().any(|call| call.number > ended.number && call.of.step == ended.of.step)
    }
}

/// A place in the row of one step's calls; dropped, the call has ended.
struct Turn {
    locals: Locals,
    call: Arc<Call>,
    before: Vec<Arc<Call>>,
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.call.flag.ask();
        // A call that waits for this one took its place in the row before.
        if self.locals.end(&self.call) {
            self.call.ended.comes();
        }
        // A later one that waited may have told of it.
        if self.call.troubles.load(Ordering::Acquire) {
            self.locals.0.health.well(&self.call.place());
        }
    }
}

impl Turn {
    /// Waits until so much time has passed, however the clock is set.
    async fn sleep(&self, until: Duration) {
        self.locals.0.clock.pause(until.saturating_sub(self.locals.0.clock.passed())).await;
    }
    /// Waits until every earlier call has ended; otherwise says which one has not, while there is time to say so.
    async fn alone(&self, deadline: Duration) -> Result<(), String> {
        let now = self.locals.0.clock.passed();
        let (told, last) = (now + STOPS_WITHIN, now + deadline.saturating_sub(now) / 2);
        for earlier in &self.before {
            tokio::select! {
                biased;
                () = earlier.ended.came() => continue,
                () = self.sleep(told.min(last)) => {}
            }
            let says = format!("does not stop (does it block its thread?); {} waits for it", self.call.says());
            let place = earlier.place();
            earlier.troubles.store(true, Ordering::Release);
            self.locals.0.health.trouble(&place, &says);
            if earlier.ended.has_come() {
                self.locals.0.health.well(&place);
            }
            tokio::select! {
                biased;
                () = earlier.ended.came() => {}
                () = self.call.stop.came() => return Err(format!("{} {says}", earlier.says())),
                () = self.sleep(last) => return Err(format!("{} {says}", earlier.says())),
            }
        }
        Ok(())
    }
    /// Runs the call when it is alone, until it ends, is stopped or has used up its patience. `None`: nothing is known of it.
    async fn perform(&self, work: LocalFuture, deadline: Duration) -> Option<Signal> {
        if let Err(reason) = self.alone(deadline).await {
            return Some(self.answered(Answer::Retry { after_ms: 0, reason }));
        }
        let done = tokio::select! {
            biased;
            done = AssertUnwindSafe(work).catch_unwind() => done,
            () = self.call.stop.came() => return None,
            () = self.sleep(deadline) => return None,
        };
        Some(match done {
            Ok(Ok(output)) => self.answered(Answer::Done { output }),
            Ok(Err(StepError::Refused { code, reason })) => self.answered(Answer::Refused(Refused::new(code, reason))),
            Ok(Err(StepError::Retry { reason })) => self.answered(Answer::Retry { after_ms: 0, reason }),
            Ok(Err(StepError::Broken { reason: why })) => self.faulted("FAULT", why),
            Err(panic) => self.faulted("PANIC", said(&*panic)),
        })
    }
    fn answered(&self, answer: Answer) -> Signal {
        Signal::Answered { of: self.call.of.clone(), answer }
    }
    fn faulted(&self, code: &str, why: String) -> Signal {
        Signal::Faulted { of: self.call.of.clone(), code: code.to_owned(), why }
    }
}

impl Shell {
    /// The call of a function of the saga: a slow or broken one holds up nobody else.
    pub(super) fn call(&self, saga: SagaId, act: &Act) -> Option<Prepared> {
        let exec = self.coordinator.saga(saga)?;
        let turn = self.locals.begin(saga, Answering::of(act));
        let work = exec.call(act, &turn.call.flag, &self.locals.0.given);
        let (back, tasks, clock) = (self.back.clone(), self.tasks.clone(), &self.locals.0.clock);
        let deadline = clock.passed() + act.deadline.since(clock.now());
        let name = Named(Arc::clone(&turn.call));
        let called = async move {
            let signal = match work {
                Ok(work) => tokio::select! {
                    biased;
                    signal = turn.perform(work, deadline) => signal,
                    () = tasks.stopping() => None,
                },
                Err(why) => Some(turn.faulted("FAULT", why.to_string())),
            };
            // The call has ended before anybody hears of it.
            drop(turn);
            if let Some(signal) = signal {
                let _gone = back.send(Input::Machine(In::Signal { saga, signal, ticket: None })).await;
            }
        };
        Some(self.tasks.prepare(name, called))
    }
}

/// What a panic said.
fn said(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    text.map_or_else(|| "the function panicked".to_owned(), |text| format!("the function panicked: {text}"))
}
