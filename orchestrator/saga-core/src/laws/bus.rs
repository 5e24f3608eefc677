//! The laws of a bus: at least once, what is not settled comes back, order per module, poison aside, nothing invented.
#![expect(clippy::expect_used, reason = "a law is a test that other crates run: it speaks by panicking")]

use super::store::{append, breathe, log, ok, stream};
use crate::bus::{Bus, BusError, Delivery, EventBus, EventMessage, Inbox, Message, ReplyMessage, Says, Settle};
use crate::id::{Direction, Position};
use crate::json::Payload;
use crate::outcome::Answer;
use crate::ports::SharedStore;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;
use uuid::Uuid;

/// A bus to be tried, with everything around it.
pub struct BusCase {
    /// Commands and replies.
    pub bus: Arc<dyn Bus>,
    /// Events.
    pub events: Arc<dyn EventBus>,
    /// The log of the module "law", whose events the bus carries.
    pub store: SharedStore,
    /// Lets time pass.
    pub pass: Box<dyn Fn(Duration) + Send + Sync>,
    /// What is not settled after this long comes back.
    pub settle_within: Duration,
    /// Delivered this often without being settled, a message is put aside.
    pub deliveries_max: u32,
}

const INBOX: Inbox = Inbox::Replies(3);

fn reply(number: u128) -> Message {
    Message::Reply(ReplyMessage {
        group: 3,
        saga: Uuid::from_u128(number),
        step: "law".to_owned(),
        direction: Direction::Do,
        attempt: 1,
        says: Says::Answer(Answer::Done { output: Payload::trusted(number.to_string()) }),
    })
}
async fn publish(case: &BusCase, numbers: impl IntoIterator<Item = u128>) {
    for number in numbers {
        case.bus.publish(reply(number)).await.expect("published");
    }
}
async fn receive(case: &BusCase, max: usize) -> Vec<Delivery> {
    case.bus.receive(&INBOX, max).await.expect("received")
}
async fn settle(case: &BusCase, deliveries: &[Delivery], how: Settle) {
    let settled = deliveries.iter().map(|delivery| (delivery.tag, how.clone())).collect();
    case.bus.settle(&INBOX, settled).await.expect("settled");
}
/// Waits a little and gives up: a cancelled wait.
async fn in_vain<F: Future>(future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    for _ in 0..3 {
        let polled = poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await;
        if let Poll::Ready(output) = polled {
            return Some(output);
        }
        breathe().await;
    }
    None
}
async fn nothing_comes(case: &BusCase) {
    let come = in_vain(case.bus.receive(&INBOX, 9)).await;
    assert!(come.is_none(), "nothing must come, but: {come:?}");
}
fn messages(deliveries: &[Delivery]) -> Vec<Message> {
    deliveries.iter().map(|delivery| delivery.message.clone()).collect()
}

/// What was published comes, in order, to the group it is for and to nobody else.
pub async fn a_reply_finds_its_group(case: BusCase) {
    publish(&case, [1, 2, 3]).await;
    let other = in_vain(case.bus.receive(&Inbox::Replies(4), 9)).await;
    assert!(other.is_none(), "another group must not hear of it: {other:?}");
    let (first, rest) = (receive(&case, 1).await, receive(&case, 9).await);
    assert_eq!(messages(&[first, rest].concat()), [reply(1), reply(2), reply(3)]);
}
/// What is not settled comes back; what is settled does not, however often it is settled.
pub async fn what_is_not_settled_comes_back(case: BusCase) {
    publish(&case, [1, 2]).await;
    let got = receive(&case, 9).await;
    settle(&case, &got[..1], Settle::Done).await;
    settle(&case, &got[..1], Settle::Done).await;
    nothing_comes(&case).await;
    (case.pass)(case.settle_within);
    let again = receive(&case, 9).await;
    assert_eq!((messages(&again), again[0].times), (vec![reply(2)], 2));
}
/// Later is later, and not for ever.
pub async fn later_waits(case: BusCase) {
    publish(&case, [1]).await;
    settle(&case, &receive(&case, 9).await, Settle::Later(Duration::from_secs(10))).await;
    nothing_comes(&case).await;
    (case.pass)(Duration::from_secs(10));
    assert_eq!(messages(&receive(&case, 9).await), [reply(1)]);
}
/// A wait that is given up takes nothing with it.
pub async fn a_cancelled_receive_loses_nothing(case: BusCase) {
    nothing_comes(&case).await;
    publish(&case, [1]).await;
    assert_eq!(messages(&receive(&case, 9).await), [reply(1)]);
}
/// What nobody can settle goes aside, and nothing waits behind it.
pub async fn poison_blocks_nobody(case: BusCase) {
    publish(&case, [1]).await;
    for number in 0..u128::from(case.deliveries_max) {
        publish(&case, [100 + number]).await;
        let got = receive(&case, 9).await;
        let (poison, good): (Vec<_>, Vec<_>) = got.into_iter().partition(|delivery| delivery.message == reply(1));
        assert_eq!((poison.len(), messages(&good)), (1, vec![reply(100 + number)]));
        settle(&case, &good, Settle::Done).await;
        (case.pass)(case.settle_within);
    }
    nothing_comes(&case).await;
}

/// Records `count` public events and publishes those up to `published`.
async fn recorded(case: &BusCase, count: u128, published: usize) -> Vec<crate::envelope::Recorded> {
    // Numbers of the laws are public when they are even.
    ok(&case.store, append(&stream("bus"), 0, (1..=count).map(|number| number * 2))).await;
    let log = log(&case.store).await;
    for recorded in &log[..published] {
        publish_event(case, recorded).await.expect("published");
    }
    log
}
async fn publish_event(case: &BusCase, recorded: &crate::envelope::Recorded) -> Result<u64, BusError> {
    case.events.publish_event(EventMessage { module: "law".to_owned(), recorded: recorded.clone() }).await
}
/// Events come in order, from any cursor, and only when they are published.
pub async fn events_are_read_in_order_from_anywhere(case: BusCase) {
    let log = recorded(&case, 9, 6).await;
    for after in 0..6 {
        let got = case.events.events("law", Position(after), 3).await.expect("events");
        let from = usize::try_from(after).expect("small");
        assert_eq!(got, log[from..(from + 3).min(6)], "after {after}");
    }
    assert!(in_vain(case.events.events("law", Position(6), 3)).await.is_none(), "it is not published yet");
    publish_event(&case, &log[6]).await.expect("published");
    assert_eq!(case.events.events("law", Position(6), 3).await.expect("events"), log[6..7]);
}
/// A gap is refused, a repetition is harmless, and what is missing is said exactly.
pub async fn a_gap_is_refused_and_what_is_missing_is_said(case: BusCase) {
    let log = recorded(&case, 4, 2).await;
    let gap = publish_event(&case, &log[3]).await;
    assert_eq!(gap, Err(BusError::OutOfSequence { module: "law".to_owned(), last: 2, got: 4 }));
    assert_eq!(publish_event(&case, &log[1]).await, Ok(2));
    assert_eq!(case.events.last("law").await, Ok(2));
    assert_eq!(case.events.missing("law", 4).await, Ok(vec![3..=4]));
    assert_eq!(case.events.missing("law", 2).await, Ok(vec![]));
}

/// Writes one test for each law of a bus. `$make` is an async function that gives a fresh
/// [`BusCase`](crate::laws::bus::BusCase); the caller needs `tokio` with `macros`.
#[macro_export]
macro_rules! bus_laws {
    ($make:path) => {
        $crate::bus_laws! { $make;
            a_reply_finds_its_group, what_is_not_settled_comes_back, later_waits, a_cancelled_receive_loses_nothing,
            poison_blocks_nobody, events_are_read_in_order_from_anywhere, a_gap_is_refused_and_what_is_missing_is_said }
    };
    ($make:path; $($law:ident),+) => { $(
        #[tokio::test]
        async fn $law() {
            $crate::laws::bus::$law($make().await).await;
        }
    )+ };
}
