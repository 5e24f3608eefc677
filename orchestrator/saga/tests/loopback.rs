//! The loopback within a process: what goes there, and how the rest is handed on.

use futures::FutureExt;
use saga::core::bus::{
    AnyBus, Bus, CommandMessage, DeadLetters, Delivery, Inbox, Message, OutsideMessage, ReplyMessage, Says, Settle,
    Upkeep,
};
use saga::core::envelope::Actor;
use saga::core::id::{Direction, StepKey};
use saga::core::json::Payload;
use saga::core::ports::Clock;
use saga::core::uuid::Uuid;
use saga::{DELIVERIES_MAX, INBOX_MAX, LOOPBACK_MAX, LOOPBACK_WITHIN, LocalBus, Loopback, LoopbackBus, SETTLE_WITHIN};
use saga_core::bus::Delivered;
use saga_engine::memory::StillClock;
use saga_testkit::stage::STAGE_TIME;
use std::sync::Arc;
use std::time::Duration;

struct Process {
    clock: Arc<StillClock>,
    far: Arc<LocalBus>,
    loopback: Loopback,
}
impl Process {
    fn new() -> Self {
        let clock = Arc::new(StillClock::at(STAGE_TIME));
        let far = Arc::new(LocalBus::new(Arc::clone(&clock) as Arc<dyn Clock>));
        let loopback = Loopback::new(Arc::clone(&clock) as Arc<dyn Clock>);
        Self { clock, far, loopback }
    }
    fn bus(&self) -> LoopbackBus {
        self.loopback.before(Arc::clone(&self.far) as Arc<dyn AnyBus>)
    }
    /// What went over the bus behind, and is taken from it.
    fn went_far(&self) -> Vec<Message> {
        [inbox(), Inbox::Replies(3)].iter().flat_map(|inbox| here(&*self.far, inbox)).map(|got| got.message).collect()
    }
}
fn inbox() -> Inbox {
    Inbox::Commands("law".to_owned())
}
fn command(number: u128) -> Message {
    let delivered = Delivered::direct("Do", 1, Payload::null(), Uuid::from_u128(number), Actor::operator("test"));
    let module = "law".to_owned();
    Message::Command(CommandMessage { module, delivered: Arc::new(delivered), reply_to: 3, probe: false })
}
fn reply() -> Message {
    let (saga, key) = (Uuid::from_u128(1), StepKey::from_uuid(Uuid::from_u128(2)));
    let (step, module, direction) = ("s".to_owned(), "law".to_owned(), Direction::Do);
    let says = Says::NothingKnown;
    Message::Reply(ReplyMessage { group: 3, saga, step, direction, attempt: 1, key, module, says })
}
fn here(bus: &dyn Bus, inbox: &Inbox) -> Vec<Delivery> {
    bus.receive(inbox, usize::MAX).now_or_never().map(Result::unwrap).unwrap_or_default()
}
fn messages(deliveries: &[Delivery]) -> Vec<Message> {
    deliveries.iter().map(|delivery| delivery.message.clone()).collect()
}

#[tokio::test]
async fn what_is_received_in_this_process_does_not_leave_it() {
    let process = Process::new();
    // Each module has a connection of its own to the bus behind; the loopback is one.
    let (coordinator, module) = (process.bus(), process.bus());
    assert!(here(&module, &inbox()).is_empty() && here(&coordinator, &Inbox::Replies(3)).is_empty());
    coordinator.publish(command(1)).await.unwrap();
    module.publish(reply()).await.unwrap();
    assert_eq!(process.went_far(), []);
    let got = here(&module, &inbox());
    assert_eq!(messages(&got), [command(1)]);
    module.settle(&inbox(), vec![(got[0].tag, Settle::Later(Duration::from_secs(1)))]).await.unwrap();
    assert!(here(&module, &inbox()).is_empty(), "later");
    process.clock.move_to(process.clock.now().plus(Duration::from_secs(1)));
    let again = here(&module, &inbox());
    assert_eq!((messages(&again), again[0].times), (vec![command(1)], 2));
    module.settle(&inbox(), vec![(again[0].tag, Settle::Done)]).await.unwrap();
    process.clock.move_to(process.clock.now().plus(SETTLE_WITHIN));
    assert!(here(&module, &inbox()).is_empty(), "settled");
    assert_eq!(messages(&here(&coordinator, &Inbox::Replies(3))), [reply()]);
}

#[tokio::test]
async fn what_nobody_receives_here_goes_over_the_bus_behind() {
    let process = Process::new();
    let bus = process.bus();
    bus.publish(command(1)).await.unwrap();
    assert_eq!(process.went_far(), [command(1)]);
    // What others send comes from there, and is settled there.
    process.far.publish(command(2)).await.unwrap();
    let got = here(&bus, &inbox());
    assert_eq!(messages(&got), [command(2)]);
    bus.settle(&inbox(), vec![(got[0].tag, Settle::Done)]).await.unwrap();
    assert_eq!(process.far.waiting(&inbox()), 1, "the first one, which this test has received and not settled");
}

/// No log brings it back.
#[tokio::test]
async fn what_comes_from_outside_stays_on_the_bus_behind() {
    let process = Process::new();
    let bus = process.bus();
    assert!(here(&bus, &Inbox::Outside).is_empty());
    let (id, source, kind) = ("1".to_owned(), "/website".to_owned(), "orchestration.StartSaga.v1".to_owned());
    bus.publish(Message::Outside(OutsideMessage { id, source, kind, data: Payload::null() })).await.unwrap();
    assert_eq!(process.far.waiting(&Inbox::Outside), 1);
    assert_eq!(here(&bus, &Inbox::Outside).len(), 1);
}

#[tokio::test]
async fn what_waits_too_long_or_in_too_great_number_is_sent_on() {
    let process = Process::new();
    let bus = process.bus();
    assert!(here(&bus, &inbox()).is_empty());
    for number in 0..=LOOPBACK_MAX as u128 {
        bus.publish(command(number)).await.unwrap();
    }
    assert_eq!(process.went_far(), [command(LOOPBACK_MAX as u128)], "one too many");
    bus.tend().await;
    assert_eq!(process.went_far(), [], "they have not waited yet");
    process.clock.move_to(process.clock.now().plus(LOOPBACK_WITHIN));
    bus.tend().await;
    assert_eq!(process.went_far(), (0..LOOPBACK_MAX as u128).map(command).collect::<Vec<_>>());
    assert!(here(&bus, &inbox()).is_empty());
}

#[tokio::test]
async fn who_leaves_leaves_everything_to_others() {
    let process = Process::new();
    let bus = process.bus();
    assert!(here(&bus, &inbox()).is_empty());
    for number in 1..=3 {
        bus.publish(command(number)).await.unwrap();
    }
    let got = bus.receive(&inbox(), 2).await.unwrap();
    bus.settle(&inbox(), vec![(got[0].tag, Settle::Done)]).await.unwrap();
    bus.leave(&inbox()).await.unwrap();
    assert_eq!(process.went_far(), [command(2), command(3)]);
    bus.publish(command(4)).await.unwrap();
    assert_eq!(process.went_far(), [command(4)], "nobody receives here any more");
}

#[tokio::test]
async fn what_is_put_aside_outlives_the_process() {
    let process = Process::new();
    let bus = process.bus();
    assert!(here(&bus, &inbox()).is_empty());
    bus.publish(command(1)).await.unwrap();
    let got = here(&bus, &inbox());
    bus.settle(&inbox(), vec![(got[0].tag, Settle::Park("broken".to_owned()))]).await.unwrap();
    let aside = process.far.aside("law", 9).await.unwrap();
    assert_eq!(aside, bus.aside("law", 9).await.unwrap());
    assert_eq!((&aside[0].message, aside[0].times, aside[0].reason.as_str()), (&command(1), 1, "broken"));
    bus.settle(&inbox(), vec![(got[0].tag, Settle::Park("broken".to_owned()))]).await.unwrap();
    assert_eq!(process.far.aside("law", 9).await.unwrap().len(), 1, "once");
    // Also what is delivered again and again and never settled.
    bus.publish(command(2)).await.unwrap();
    for _ in 0..DELIVERIES_MAX {
        assert_eq!(messages(&here(&bus, &inbox())), [command(2)]);
        process.clock.move_to(process.clock.now().plus(SETTLE_WITHIN));
    }
    assert!(here(&bus, &inbox()).is_empty());
    bus.tend().await;
    let aside = process.far.aside("law", 9).await.unwrap();
    assert_eq!((aside.len(), &aside[1].message, aside[1].times), (2, &command(2), DELIVERIES_MAX));
}

/// A module's credential may neither send commands nor put aside messages of another module.
#[tokio::test]
async fn what_is_handed_on_goes_over_the_connection_of_the_one_who_may() {
    let process = Process::new();
    let own = Arc::new(LocalBus::new(Arc::clone(&process.clock) as Arc<dyn Clock>));
    let (coordinator, module) = (process.bus(), process.loopback.before(Arc::clone(&own) as Arc<dyn AnyBus>));
    assert!(here(&module, &inbox()).is_empty() && here(&coordinator, &Inbox::Replies(3)).is_empty());
    for (number, tends) in [(1, &coordinator), (2, &module)] {
        coordinator.publish(command(number)).await.unwrap();
        module.publish(reply()).await.unwrap();
        process.clock.move_to(process.clock.now().plus(LOOPBACK_WITHIN));
        tends.tend().await;
        assert_eq!(messages(&here(&*process.far, &inbox())), [command(number)]);
        assert_eq!(messages(&here(&*own, &Inbox::Replies(3))), [reply()]);
        assert_eq!((process.far.waiting(&Inbox::Replies(3)), own.waiting(&inbox())), (0, 0));
    }
    coordinator.publish(command(3)).await.unwrap();
    let got = here(&module, &inbox());
    module.settle(&inbox(), vec![(got[0].tag, Settle::Park("broken".to_owned()))]).await.unwrap();
    assert_eq!(own.aside("law", 9).await.unwrap().len(), 1);
    assert_eq!(process.far.aside("law", 9).await.unwrap(), []);
    coordinator.publish(command(4)).await.unwrap();
    module.leave(&inbox()).await.unwrap();
    assert_eq!(messages(&here(&*process.far, &inbox())), [command(4)], "the module may not send it");
}

#[tokio::test]
async fn what_the_bus_behind_does_not_take_waits_on() {
    let process = Process::new();
    let bus = process.bus();
    assert!(here(&bus, &inbox()).is_empty());
    bus.publish(command(1)).await.unwrap();
    bus.publish(command(2)).await.unwrap();
    for _ in 0..INBOX_MAX {
        process.far.publish(command(0)).await.unwrap();
    }
    process.clock.move_to(process.clock.now().plus(LOOPBACK_WITHIN));
    bus.tend().await;
    assert_eq!(process.went_far().len(), INBOX_MAX);
    assert_eq!(messages(&here(&bus, &inbox())), [command(1), command(2)]);
}
