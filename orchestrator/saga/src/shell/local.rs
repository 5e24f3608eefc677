//! Functions of sagas that run here: one call of a step at a time, and none outlives its patience beside the next.
//!
//! A call is stopped when its patience ends, and before the next try or the undo of its step begins, which waits until it
//! has ended. Stopping drops the future at its next `await`. A call that never comes there, because it blocks its thread, cannot
//! be stopped: that is a trouble of the process until it ends, and nothing of its step begins beside it.

use super::{Input, Shell};
use crate::health::Health;
use futures::FutureExt;
use saga_core::execution::{Act, Answering, Execution, Signal};
use saga_core::id::{Direction, SagaId};
use saga_core::machine::coordinator::In;
use saga_core::outcome::{Answer, Refused};
use saga_core::ports::Clock;
use saga_core::step::{Given, Step, StepError, Stop};
use std::any::Any;
use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// After 1 s a call that was told to stop and has not is a trouble: an `await` takes less.
const STOPS_WITHIN: Duration = Duration::from_secs(1);

/// One call that has not ended.
#[derive(Clone)]
struct Call {
    number: u64,
    says: String,
    /// For the call's own future.
    stop: CancellationToken,
    /// For what the call has begun elsewhere.
    flag: Stop,
    ended: CancellationToken,
}

impl Call {
    /// Its place in the health of the process.
    fn place(&self, saga: SagaId) -> String {
        format!("{} of saga {saga}", self.says)
    }
}

#[derive(Default)]
struct State {
    next: u64,
    calls: BTreeMap<(SagaId, String), Vec<Call>>,
}

/// The calls of one process, whatever group their sagas belong to.
#[derive(Clone)]
pub(crate) struct Locals {
    state: Arc<Mutex<State>>,
    health: Health,
    clock: Arc<dyn Clock>,
    given: Given,
}

impl Locals {
    pub(crate) fn new(health: Health, clock: Arc<dyn Clock>, given: Given) -> Self {
        Self { state: Arc::default(), health, clock, given }
    }
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
    /// Tells what runs for this step to stop, and takes the place behind it.
    fn begin(&self, saga: SagaId, of: &Answering) -> Turn {
        let mut state = self.state();
        state.next += 1;
        let what = if of.direction == Direction::Undo { "the undo of " } else { "" };
        let call = Call {
            number: state.next,
            says: format!("try {} of {what}step {:?}", of.attempt, of.step),
            stop: CancellationToken::new(),
            flag: Stop::default(),
            ended: CancellationToken::new(),
        };
        let place = (saga, of.step.clone());
        let calls = state.calls.entry(place.clone()).or_default();
        let before = calls.clone();
        calls.push(call.clone());
        drop(state);
        for earlier in &before {
            earlier.flag.ask();
            earlier.stop.cancel();
        }
        Turn { locals: self.clone(), place, call, before }
    }
}

/// A place in the row of one step's calls; dropped, the call has ended.
struct Turn {
    locals: Locals,
    place: (SagaId, String),
    call: Call,
    before: Vec<Call>,
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.call.flag.ask();
        self.call.ended.cancel();
        // Whoever waited may have told of it.
        self.locals.health.well(&self.call.place(self.place.0));
        let mut state = self.locals.state();
        if let Some(calls) = state.calls.get_mut(&self.place) {
            calls.retain(|call| call.number != self.call.number);
            if calls.is_empty() {
                state.calls.remove(&self.place);
            }
        }
    }
}

impl Turn {
    /// Waits until so much time has passed, whatever becomes of the clock.
    async fn sleep(&self, until: Duration) {
        self.locals.clock.pause(until.saturating_sub(self.locals.clock.passed())).await;
    }
    /// Waits until every earlier call has ended; otherwise says which one has not, while there is time to say so.
    async fn alone(&self, deadline: Duration) -> Result<(), String> {
        let now = self.locals.clock.passed();
        let (told, last) = (now + STOPS_WITHIN, now + deadline.saturating_sub(now) / 2);
        for earlier in &self.before {
            let place = earlier.place(self.place.0);
            tokio::select! {
                biased;
                () = earlier.ended.cancelled() => continue,
                () = self.sleep(told.min(last)) => {}
            }
            let says = format!("does not stop (does it block its thread?); {} waits for it", self.call.says);
            self.locals.health.trouble(&place, &says);
            if earlier.ended.is_cancelled() {
                self.locals.health.well(&place);
            }
            tokio::select! {
                biased;
                () = earlier.ended.cancelled() => {}
                () = self.call.stop.cancelled() => return Err(format!("{} {says}", earlier.says)),
                () = self.sleep(last) => return Err(format!("{} {says}", earlier.says)),
            }
        }
        Ok(())
    }
}

impl Shell {
    /// Calls a function of the saga in a task of its own: a slow or broken one holds up nobody else.
    pub(super) fn call(&self, saga: SagaId, act: &Act) {
        let of = Answering::of(act);
        let turn = self.locals.begin(saga, &of);
        let called = |exec: &Execution| exec.call(act, &turn.call.flag, &self.locals.given);
        let work = match self.coordinator.saga(saga).map(called) {
            Some(Ok(work)) => work,
            Some(Err(why)) => {
                let signal = Signal::Faulted { of, code: "FAULT".to_owned(), why: why.to_string() };
                // Not sent from here: this loop is the one that empties the queue.
                let back = self.back.clone();
                return self.tasks.spawn(format!("{saga} {}", act.step), async move {
                    let _gone = back.send(Input::Machine(In::Signal { saga, signal, ticket: None })).await;
                });
            }
            None => return,
        };
        let (back, tasks, clock) = (self.back.clone(), self.tasks.clone(), &self.locals.clock);
        let deadline = clock.passed() + act.deadline.since(clock.now());
        self.tasks.spawn(format!("{saga} {}", act.step), async move {
            let signal = tokio::select! {
                signal = perform(turn, work, of, deadline) => signal,
                () = tasks.stopping() => None,
            };
            if let Some(signal) = signal {
                let _gone = back.send(Input::Machine(In::Signal { saga, signal, ticket: None })).await;
            }
        });
    }
}

/// Runs one call when it is alone, until it ends, is stopped or has used up its patience. `None`: nothing is known of it.
async fn perform(
    turn: Turn,
    work: impl Future<Output = Step<saga_core::json::Payload>>,
    of: Answering,
    deadline: Duration,
) -> Option<Signal> {
    if let Err(reason) = turn.alone(deadline).await {
        return Some(Signal::Answered { of, answer: Answer::Retry { after_ms: 0, reason } });
    }
    let done = tokio::select! {
        biased;
        done = AssertUnwindSafe(work).catch_unwind() => done,
        () = turn.call.stop.cancelled() => return None,
        () = turn.sleep(deadline) => return None,
    };
    Some(match done {
        Ok(Ok(output)) => Signal::Answered { of, answer: Answer::Done { output } },
        Ok(Err(StepError::Refused { code, reason })) => {
            Signal::Answered { of, answer: Answer::Refused(Refused::new(code, reason)) }
        }
        Ok(Err(StepError::Retry { reason })) => Signal::Answered { of, answer: Answer::Retry { after_ms: 0, reason } },
        Ok(Err(StepError::Broken { reason: why })) => Signal::Faulted { of, code: "FAULT".to_owned(), why },
        Err(panic) => Signal::Faulted { of, code: "PANIC".to_owned(), why: said(&*panic) },
    })
}

/// What a panic said.
fn said(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    text.map_or_else(|| "the function panicked".to_owned(), |text| format!("the function panicked: {text}"))
}
