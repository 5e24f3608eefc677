//! Functions that run here: stopped before the next try or the undo begins; known when they cannot be. Nothing here sleeps.
#![expect(clippy::unwrap_used, reason = "what tests share speaks by panicking")]

use saga::Error;
use saga::core::control::{AwaitSaga, Control};
use saga::core::envelope::Actor;
use saga::core::view::SagaState;
use saga::prelude::*;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;
use test_servers::waiting::{until, until_so};

/// What the functions of a test share.
#[derive(Default)]
struct Desk {
    begun: AtomicU32,
    ended: AtomicU32,
    undone: AtomicU32,
    overlaps: AtomicU32,
    /// Whether a blocking call may go on.
    open: Mutex<bool>,
    opened: Condvar,
    told: Mutex<Option<std::sync::mpsc::Sender<()>>>,
}
impl Desk {
    /// A call begins: every earlier one has to have ended.
    fn begin(self: &Arc<Self>) -> Booked {
        let before = self.begun.fetch_add(1, Ordering::SeqCst);
        if self.ended.load(Ordering::SeqCst) != before {
            self.overlaps.fetch_add(1, Ordering::SeqCst);
        }
        Booked(Arc::clone(self))
    }
    fn counts(&self) -> [u32; 4] {
        [&self.begun, &self.ended, &self.undone, &self.overlaps].map(|count| count.load(Ordering::SeqCst))
    }
}
/// A call that is under way; however it ends, it is counted.
struct Booked(Arc<Desk>);
impl Drop for Booked {
    fn drop(&mut self) {
        self.0.ended.fetch_add(1, Ordering::SeqCst);
    }
}
#[derive(Clone)]
struct Door(Arc<Desk>);

macro_rules! saga {
    ($name:ident, $kind:literal, $book:ident, $patience:expr) => {
        #[derive(Serialize, Deserialize)]
        struct $name;
        impl Saga for $name {
            const NAME: &'static str = $kind;
            const VERSION: u16 = 1;
            fn plan(plan: Plan) -> Definition {
                plan.step("book", $book, cancel)
                    .patience($patience)
                    .retry(Retry::brief().tries(2).pausing(Duration::from_millis(1), Duration::from_millis(1)))
                    .undo_retry(Retry::for_ever().pausing(Duration::from_millis(1), Duration::from_millis(5)))
                    .pivot("end", end)
                    .end()
            }
        }
    };
}
saga!(Slow, "slow", book_slowly, Deadline::millis(60));
saga!(Blocking, "blocking", book_blocking, Deadline::millis(80));
saga!(Elsewhere, "elsewhere", book_elsewhere, Deadline::millis(60));

async fn book_slowly(key: StepKey, door: Using<Door>) -> Step<StepKey> {
    let _booked = door.0.0.begin();
    std::future::pending::<()>().await;
    Ok(key)
}
async fn book_blocking(key: StepKey, door: Using<Door>) -> Step<StepKey> {
    let _booked = door.0.0.begin();
    let open = door.0.0.open.lock().unwrap();
    // Its thread waits: nobody can stop that.
    drop(door.0.0.opened.wait_while(open, |open| !*open).unwrap());
    std::future::pending::<()>().await;
    Ok(key)
}
async fn book_elsewhere(Until(until): Until, stop: Stop, door: Using<Door>) -> Step<()> {
    let desk = Arc::clone(&door.0.0);
    let booked = desk.begin();
    assert!(until > saga::core::time::Timestamp(0) && !stop.is_asked());
    let (tell, told) = std::sync::mpsc::channel();
    *desk.told.lock().unwrap() = Some(tell);
    std::thread::spawn(move || {
        while !stop.is_asked() {
            std::thread::yield_now();
        }
        drop(booked);
        drop(told);
    });
    std::future::pending().await
}
async fn cancel(Undoing(_): Undoing, door: Using<Door>) -> Step<()> {
    let desk = &door.0.0;
    desk.undone.fetch_add(1, Ordering::SeqCst);
    if desk.begun.load(Ordering::SeqCst) != desk.ended.load(Ordering::SeqCst) {
        desk.overlaps.fetch_add(1, Ordering::SeqCst);
    }
    Ok(())
}
async fn end() -> Step<()> {
    Ok(())
}

async fn ended(sagas: &Sagas, id: SagaId) -> SagaState {
    let control = saga::LocalControl::new(sagas.clone(), "memory", "in process");
    let of = AwaitSaga { id: id.to_string(), after: None };
    control.outcome(&Actor::operator("dana"), of, Duration::from_secs(60)).await.unwrap().unwrap().row.state
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_outlives_its_patience_is_stopped_before_the_next_try_and_the_undo() {
    let desk = Arc::new(Desk::default());
    let sagas = Orchestrator::in_memory().using(Door(Arc::clone(&desk))).register::<Slow>().start().await.unwrap();
    let saga = sagas.start(Slow).await.unwrap().saga;
    assert_eq!(ended(&sagas, saga).await, SagaState::Compensated);
    assert_eq!(desk.counts(), [2, 2, 1, 0], "two tries, both stopped, one undo, none beside another");
    assert!(sagas.health().troubles().is_empty());
    sagas.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_call_that_blocks_is_a_trouble_and_its_undo_waits() {
    let desk = Arc::new(Desk::default());
    let orchestrator = Orchestrator::in_memory().using(Door(Arc::clone(&desk))).register::<Blocking>();
    let sagas = orchestrator.start().await.unwrap();
    let saga = sagas.start(Blocking).await.unwrap().saga;
    let trouble = async || sagas.health().troubles().pop().ok_or("there is none");
    let trouble = until("the trouble of a call that does not stop", trouble).await;
    assert!(trouble.place.contains("try 1 of step \"book\""), "{trouble:?}");
    assert!(trouble.says.contains("does not stop"), "{trouble:?}");
    assert_eq!(desk.counts(), [1, 0, 0, 0], "nothing of the step begins beside it");
    *desk.open.lock().unwrap() = true;
    desk.opened.notify_all();
    assert_eq!(ended(&sagas, saga).await, SagaState::Compensated);
    let [begun, ended, undone, overlaps] = desk.counts();
    assert_eq!((begun, undone, overlaps), (ended, 1, 0));
    assert!(sagas.health().troubles().is_empty(), "it is over when the call has ended");
    sagas.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn work_elsewhere_hears_that_it_should_stop() {
    let desk = Arc::new(Desk::default());
    let orchestrator = Orchestrator::in_memory().using(Door(Arc::clone(&desk))).register::<Elsewhere>();
    let sagas = orchestrator.start().await.unwrap();
    let saga = sagas.start(Elsewhere).await.unwrap().saga;
    assert_eq!(ended(&sagas, saga).await, SagaState::Compensated);
    let [begun, _, undone, _] = desk.counts();
    until_so("the end of every call", || desk.ended.load(Ordering::SeqCst) >= begun).await;
    assert_eq!((begun, undone), (2, 1));
    sagas.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_start_without_what_a_step_uses_is_refused() {
    let Err(Error::Plan(faults)) = Orchestrator::in_memory().register::<Slow>().start().await else {
        panic!("it started")
    };
    let says: Vec<_> = faults.iter().map(|fact| fact.says.as_str()).collect();
    assert_eq!(says.len(), 2, "the step and its undo: {says:?}");
    assert!(says[0].contains("Using<Door>") && says[0].contains("Orchestrator::using"), "{says:?}");
}
