//! A bound on every wait of a test: a thing that never comes is named with its place, instead of a run that never ends.
//!
//! The bound is kept by a thread of its own, so that it also holds where a loop that never waits has taken the runtime.

use std::fmt::Display;
use std::future::{Future, poll_fn};
use std::io::Write;
use std::panic::Location;
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

/// As long as anything may take that a test waits for, on a machine that has twenty other things to do.
pub const WAIT_MAX: Duration = Duration::from_secs(120);
/// How long the test has to fail by itself when the bound has passed; then the process ends.
pub const FAILS_WITHIN: Duration = Duration::from_secs(15);
/// How often a test looks again.
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// Waits for `work`, for at most [`WAIT_MAX`]; `what` completes "waited for …".
///
/// # Panics
/// When the bound has passed. Where not even that comes to be, the process is aborted, and says why.
#[track_caller]
pub fn within<F: Future>(what: impl Display, work: F) -> Within<F> {
    within_at_most(WAIT_MAX, what, work)
}
/// As [`within`], for what takes longer on purpose.
#[track_caller]
pub fn within_at_most<F: Future>(bound: Duration, what: impl Display, work: F) -> Within<F> {
    Within { watch: Watch::new(what.to_string(), bound, bound), work: Box::pin(work) }
}
/// Looks until `look` gives something, for at most [`WAIT_MAX`]; an error says how it is meanwhile.
///
/// # Panics
/// As [`within`], with what was said last.
#[track_caller]
pub fn until<T, E: Display>(what: impl Display, look: impl AsyncFnMut() -> Result<T, E>) -> impl Future<Output = T> {
    until_at_most(WAIT_MAX, what, look)
}
/// Looks until it holds, for at most [`WAIT_MAX`].
///
/// # Panics
/// As [`within`].
#[track_caller]
pub fn until_so(what: impl Display, mut holds: impl FnMut() -> bool) -> impl Future<Output = ()> {
    until(what, async move || if holds() { Ok(()) } else { Err("it does not hold") })
}
#[track_caller]
fn until_at_most<T, E: Display>(
    bound: Duration,
    what: impl Display,
    mut look: impl AsyncFnMut() -> Result<T, E>,
) -> impl Future<Output = T> {
    let watch = Watch::new(what.to_string(), bound, LOOK_EVERY);
    let alarm = Arc::clone(&watch.0);
    let work = Box::pin(async move {
        loop {
            match look().await {
                Ok(seen) => return seen,
                Err(why) => alarm.state().last = format!("; the last look: {why}"),
            }
            // The watch wakes this loop, which looks again.
            let mut looked = true;
            poll_fn(|_| if std::mem::take(&mut looked) { Poll::Pending } else { Poll::Ready(()) }).await;
        }
    });
    Within { watch, work }
}

/// Work that is watched. See [`within`].
#[must_use = "nothing is waited for before it is awaited"]
pub struct Within<F> {
    watch: Watch,
    work: Pin<Box<F>>,
}
impl<F: Future> Future for Within<F> {
    type Output = F::Output;
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let late = {
            let mut state = self.watch.0.state();
            state.waker = Some(context.waker().clone());
            state.late
        };
        let polled = self.work.as_mut().poll(context);
        if late && polled.is_pending() {
            panic!("{}", self.watch.0.says());
        }
        polled
    }
}

/// Watches the time while a test waits, and no longer.
struct Watch(Arc<Alarm>);
struct Alarm {
    what: String,
    place: &'static Location<'static>,
    bound: Duration,
    state: Mutex<State>,
    changed: Condvar,
}
#[derive(Default)]
struct State {
    over: bool,
    late: bool,
    last: String,
    waker: Option<Waker>,
}
impl Alarm {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
    fn says(&self) -> String {
        let (place, what, bound) = (self.place, &self.what, self.bound);
        format!("{place}: waited {bound:?} for {what}{}", self.state().last)
    }
    /// Wakes the waiting test, every now and then and at the bound.
    #[expect(clippy::disallowed_methods, reason = "a test is bounded in real time, whatever its own clock says")]
    fn keep(&self, test: &str, every: Duration) {
        let begun = Instant::now();
        let mut state = self.state();
        while !state.over {
            let left = self.bound.saturating_sub(begun.elapsed());
            let tick = if state.late { FAILS_WITHIN } else { every.min(left) };
            state = self.changed.wait_timeout(state, tick).unwrap_or_else(PoisonError::into_inner).0;
            let passed = begun.elapsed();
            if !state.over && state.late && passed >= self.bound + FAILS_WITHIN {
                drop(state);
                // Not by a macro: the output of a test is kept until it ends, and this one does not end.
                let says = format!("\n{test}: {}; it is stuck, so the process ends\n", self.says());
                let _unsaid = std::io::stderr().write_all(says.as_bytes());
                std::process::abort();
            }
            state.late |= passed >= self.bound;
            if let Some(waker) = state.waker.take() {
                waker.wake();
            }
        }
    }
}
impl Watch {
    #[track_caller]
    fn new(what: String, bound: Duration, every: Duration) -> Self {
        let (place, state, changed) = (Location::caller(), Mutex::default(), Condvar::new());
        let alarm = Arc::new(Alarm { what, place, bound, state, changed });
        let (kept, test) = (Arc::clone(&alarm), thread::current().name().unwrap_or("a test").to_owned());
        thread::spawn(move || kept.keep(&test, every));
        Self(alarm)
    }
}
impl Drop for Watch {
    fn drop(&mut self) {
        self.0.state().over = true;
        self.0.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;
    use std::task::Wake;

    struct Unparks(thread::Thread);
    impl Wake for Unparks {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    fn block_on<T>(work: impl Future<Output = T>) -> T {
        let (mut work, waker) = (Box::pin(work), Waker::from(Arc::new(Unparks(thread::current()))));
        loop {
            match work.as_mut().poll(&mut Context::from_waker(&waker)) {
                Poll::Ready(done) => return done,
                Poll::Pending => thread::park(),
            }
        }
    }
    fn panics(work: impl Future<Output = ()>) -> String {
        let says = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| block_on(work))).unwrap_err();
        says.downcast_ref::<String>().unwrap().clone()
    }

    #[test]
    fn what_comes_is_given_and_looked_for_again_until_then() {
        let mut looks = 0;
        let seen = until("the third look", async || {
            looks += 1;
            if looks == 3 { Ok(looks) } else { Err(looks) }
        });
        assert_eq!(block_on(seen), 3);
        assert_eq!(block_on(within("what is there", async { 7 })), 7);
    }

    #[test]
    fn what_never_comes_is_named_with_its_place_and_how_it_was() {
        let line = line!() + 1;
        let never = until_at_most(LOOK_EVERY, "the post", async || Err::<(), _>("the box is empty"));
        let place = format!("{}:{line}:", file!());
        let says = panics(never);
        assert!(says.starts_with(&place) && says.ends_with("waited 2ms for the post; the last look: the box is empty"));
    }

    /// Runs itself once more, because a whole process is aborted.
    #[test]
    fn who_is_stuck_ends_with_the_name_of_the_test_and_the_place() {
        const STUCK: &str = "TEST_SERVERS_STUCK";
        if std::env::var_os(STUCK).is_some() {
            return block_on(until_at_most(LOOK_EVERY, "nothing", async || -> Result<(), &str> {
                loop {
                    thread::park();
                }
            }));
        }
        let test = "waiting::tests::who_is_stuck_ends_with_the_name_of_the_test_and_the_place";
        let ran = Command::new(std::env::current_exe().unwrap()).args(["--exact", test]).env(STUCK, "1").output();
        let ran = ran.unwrap();
        let says = String::from_utf8(ran.stderr).unwrap();
        assert!(!ran.status.success());
        assert!(says.contains(test) && says.contains(file!()) && says.contains("for nothing; it is stuck"), "{says}");
    }
}
