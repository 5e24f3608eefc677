//! A clock that is set back: what only waits for time to pass waits no longer.
#![expect(clippy::unwrap_used, reason = "what tests share speaks by panicking")]

use async_trait::async_trait;
use saga::core::bus::{Bus, Inbox, Message, ReplyMessage, Says, Settle};
use saga::core::id::{Direction, StepKey};
use saga::core::outcome::Answer;
use saga::core::ports::Clock;
use saga::core::time::Timestamp;
use saga::prelude::*;
use saga::{LocalBus, SystemClock};
use saga_engine::memory::MemoryStores;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use test_servers::waiting::within;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

const HOUR: Duration = Duration::from_secs(3600);
const PATIENCE: Deadline = Deadline(Duration::from_millis(100));

/// Shows an hour less from the moment on when it is set back; time passes as ever.
#[derive(Default)]
struct SetBack(AtomicBool);
#[async_trait]
impl Clock for SetBack {
    fn now(&self) -> Timestamp {
        let back = if self.0.load(Ordering::SeqCst) { HOUR } else { Duration::ZERO };
        Timestamp(SystemClock.now().0 - i64::try_from(back.as_micros()).unwrap())
    }
    async fn sleep_until(&self, due: Timestamp) {
        while self.now() < due {
            self.pause(Duration::from_millis(5)).await;
        }
    }
    fn passed(&self) -> Duration {
        SystemClock.passed()
    }
    async fn pause(&self, time: Duration) {
        SystemClock.pause(time).await;
    }
}

#[tokio::test]
async fn what_was_put_off_on_the_bus_comes_back() {
    let clock = Arc::new(SetBack::default());
    let bus = LocalBus::new(Arc::clone(&clock) as Arc<dyn Clock>);
    let (group, saga) = (0, uuid::Uuid::nil());
    let key = StepKey::derive(saga, "frame", Direction::Do);
    bus.publish(Message::Reply(ReplyMessage {
        group,
        saga,
        step: "frame".to_owned(),
        direction: Direction::Do,
        attempt: 1,
        key,
        module: "studio".to_owned(),
        says: Says::Answer(Answer::Retry { after_ms: 0, reason: "later".to_owned() }),
    }))
    .await
    .unwrap();
    let inbox = Inbox::Replies(group);
    let first = bus.receive(&inbox, 1).await.unwrap().remove(0);
    bus.settle(&inbox, vec![(first.tag, Settle::Later(Duration::from_millis(50)))]).await.unwrap();
    clock.0.store(true, Ordering::SeqCst);
    // It would come after an hour.
    let again = within("what was put off", bus.receive(&inbox, 1)).await;
    assert_eq!(again.unwrap().remove(0).message, first.message);
}

struct Ended(UnboundedSender<()>);
impl Drop for Ended {
    fn drop(&mut self) {
        self.0.send(()).unwrap();
    }
}
struct Studio {
    clock: Arc<SetBack>,
    ended: UnboundedSender<()>,
}
#[derive(Serialize, Deserialize)]
struct Picture {}
impl Saga for Picture {
    const NAME: &'static str = "picture";
    const VERSION: u16 = 1;
    fn plan(plan: Plan) -> Definition {
        plan.step("frame", frame, unframe).patience(PATIENCE).pivot("hang", hang).end()
    }
}
async fn frame(studio: Using<Studio>) -> Step<()> {
    let _ended = Ended(studio.0.ended.clone());
    studio.0.clock.0.store(true, Ordering::SeqCst);
    std::future::pending().await
}
async fn hang() -> Step<()> {
    Ok(())
}
async fn unframe() -> Step<()> {
    Ok(())
}

#[tokio::test]
async fn a_call_is_stopped_when_its_patience_is_over() {
    let (clock, (ended, mut stopped)) = (Arc::new(SetBack::default()), unbounded_channel());
    let stores = Arc::new(MemoryStores::new(Arc::clone(&clock) as Arc<dyn Clock>));
    let orchestrator = Orchestrator::on(stores).clock(Arc::clone(&clock) as Arc<dyn Clock>).register::<Picture>();
    let sagas = orchestrator.using(Studio { clock, ended }).start().await.unwrap();
    sagas.start(Picture {}).await.unwrap();
    // It would be stopped after an hour.
    within("the end of the call", stopped.recv()).await.unwrap();
    sagas.shutdown().await.unwrap();
}
