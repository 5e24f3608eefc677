//! The laws of a bus: at least once, what is not settled comes back, order per module, poison aside, nothing invented.
//!
//! They hold for a bus behind a network too: nothing is expected at once, and "nothing comes" is shown by a later message
//! that comes first.
#![expect(clippy::panic, clippy::expect_used, reason = "a law is a test that other crates run: it speaks by panicking")]

use super::store::{append, log, ok, stream};
use saga_core::bus::{AnyBus, BusError, Delivery, Inbox, Line, Message, ReplyMessage, Says, Settle, Tip};
use saga_core::envelope::Recorded;
use saga_core::event::Owner as _;
use saga_core::fact::Orchestration;
use saga_core::id::{Direction, StepKey};
use saga_core::json::Payload;
use saga_core::outcome::{Answer, Refused};
use saga_core::ports::SharedStore;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;
use uuid::Uuid;

/// Lets time pass.
pub type Pass = Box<dyn Fn(Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>;

/// A bus to be tried, with everything around it.
pub struct BusCase {
    /// The bus.
    pub bus: Arc<dyn AnyBus>,
    /// The log of the module "law", whose events the bus carries.
    pub store: SharedStore,
    /// Lets time pass.
    pub pass: Pass,
    /// A delivery that is not settled after this long comes back.
    pub settle_within: Duration,
    /// Delivered this often without being settled, a message is put aside.
    pub deliveries_max: u32,
    /// Whatever must live as long as the bus.
    pub keep: Box<dyn std::any::Any + Send + Sync>,
}

const INBOX: Inbox = Inbox::Replies(3);
/// Longer than any answer takes on a slow machine.
const PATIENCE: Duration = Duration::from_secs(20);

fn reply_to(group: u16, number: u128) -> Message {
    Message::Reply(ReplyMessage {
        group,
        saga: Uuid::from_u128(number),
        step: "law".to_owned(),
        direction: Direction::Do,
        attempt: 1,
        key: StepKey::derive(Uuid::from_u128(number), "law", Direction::Do),
        module: "law".to_owned(),
        says: Says::Answer(Answer::Done { output: Payload::trusted(number.to_string()) }),
    })
}
fn reply(number: u128) -> Message {
    reply_to(3, number)
}
async fn publish(case: &BusCase, numbers: impl IntoIterator<Item = u128>) {
    for number in numbers {
        case.bus.publish(reply(number)).await.expect("published");
    }
}
/// Receives exactly this many, however they are cut.
async fn receive(case: &BusCase, count: usize) -> Vec<Delivery> {
    let mut got = Vec::new();
    while got.len() < count {
        let max = count - got.len();
        let more = case.bus.receive(&INBOX, max).await.expect("received");
        assert!((1..=max).contains(&more.len()), "at least one, at most {max}: {}", more.len());
        got.extend(more);
    }
    got
}
async fn settle(case: &BusCase, deliveries: &[Delivery], how: Settle) {
    let settled = deliveries.iter().map(|delivery| (delivery.tag, how.clone())).collect();
    case.bus.settle(&INBOX, settled).await.expect("settled");
}
/// Polls a few times and gives up: a cancelled wait.
async fn in_vain<F: Future>(future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    for _ in 0..3 {
        let polled = poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await;
        if let Poll::Ready(output) = polled {
            return Some(output);
        }
        super::store::breathe().await;
    }
    None
}
/// Whatever waited would come before a message that is published now.
async fn nothing_comes(case: &BusCase, marker: u128) {
    publish(case, [marker]).await;
    let got = receive(case, 1).await;
    assert_eq!(messages(&got), [reply(marker)], "nothing else must come");
    settle(case, &got, Settle::Done).await;
}
fn messages(deliveries: &[Delivery]) -> Vec<Message> {
    deliveries.iter().map(|delivery| delivery.message.clone()).collect()
}

/// Replies come, in order, to their own group and to no other.
pub async fn a_reply_finds_its_group(case: BusCase) {
    publish(&case, [1, 2, 3]).await;
    case.bus.publish(reply_to(4, 9)).await.expect("published");
    let (first, rest) = (receive(&case, 1).await, receive(&case, 2).await);
    assert_eq!(messages(&[first, rest].concat()), [reply(1), reply(2), reply(3)]);
    let other = case.bus.receive(&Inbox::Replies(4), 9).await.expect("received");
    assert_eq!(messages(&other), [reply_to(4, 9)]);
}
/// A consumer that leaves gives back what was handed out and not settled; the next one need not wait for the time
/// limit.
pub async fn who_leaves_gives_back(case: BusCase) {
    publish(&case, [1, 2, 3]).await;
    let got = receive(&case, 2).await;
    settle(&case, &got[..1], Settle::Done).await;
    // A receive is still open when its consumer leaves.
    assert!(in_vain(case.bus.receive(&Inbox::Replies(4), 9)).await.is_none());
    case.bus.leave(&INBOX).await.expect("left");
    case.bus.leave(&Inbox::Replies(4)).await.expect("left");
    case.bus.leave(&Inbox::Replies(5)).await.expect("nobody was there");
    let mut again = receive(&case, 2).await;
    again.sort_by_key(|delivery| std::cmp::Reverse(delivery.times));
    assert_eq!(messages(&again), [reply(2), reply(3)]);
    assert_eq!(again[0].times, 2, "what was tried is counted");
    settle(&case, &again, Settle::Done).await;
    case.bus.publish(reply_to(4, 9)).await.expect("published");
    let other = case.bus.receive(&Inbox::Replies(4), 9).await.expect("received");
    assert_eq!(messages(&other), [reply_to(4, 9)]);
    nothing_comes(&case, 100).await;
}
/// A delivery that is not settled comes back; one that is settled does not, however often it is settled.
pub async fn what_is_not_settled_comes_back(case: BusCase) {
    publish(&case, [1, 2]).await;
    let got = receive(&case, 2).await;
    settle(&case, &got[..1], Settle::Done).await;
    settle(&case, &got[..1], Settle::Done).await;
    nothing_comes(&case, 100).await;
    (case.pass)(case.settle_within).await;
    let again = receive(&case, 1).await;
    assert_eq!((messages(&again), again[0].times), (vec![reply(2)], 2));
    settle(&case, &again, Settle::Done).await;
    nothing_comes(&case, 101).await;
}
/// Later is later, and not for ever.
pub async fn later_waits(case: BusCase) {
    publish(&case, [1]).await;
    settle(&case, &receive(&case, 1).await, Settle::Later(case.settle_within)).await;
    nothing_comes(&case, 100).await;
    (case.pass)(case.settle_within).await;
    assert_eq!(messages(&receive(&case, 1).await), [reply(1)]);
}
/// A wait that is given up takes nothing with it.
pub async fn a_cancelled_receive_loses_nothing(case: BusCase) {
    for _ in 0..3 {
        assert!(in_vain(case.bus.receive(&INBOX, 9)).await.is_none(), "there is nothing");
    }
    publish(&case, [1]).await;
    assert_eq!(messages(&receive(&case, 1).await), [reply(1)]);
}
/// What nobody can settle goes aside, and nothing waits behind it.
pub async fn poison_blocks_nobody(case: BusCase) {
    publish(&case, [1]).await;
    for number in 0..u128::from(case.deliveries_max) {
        publish(&case, [100 + number]).await;
        let got = receive(&case, 2).await;
        let (poison, good): (Vec<_>, Vec<_>) = got.into_iter().partition(|delivery| delivery.message == reply(1));
        assert_eq!((poison.len(), messages(&good)), (1, vec![reply(100 + number)]));
        settle(&case, &good, Settle::Done).await;
        (case.pass)(case.settle_within).await;
    }
    nothing_comes(&case, 500).await;
}

/// A delivery put aside is counted and shown among the letters of its receiver, and of no other module.
pub async fn what_lies_aside_is_counted_and_shown(case: BusCase) {
    publish(&case, [1, 2]).await;
    let got = receive(&case, 2).await;
    settle(&case, &got[..1], Settle::Park("the law says so".to_owned())).await;
    settle(&case, &got[1..], Settle::Done).await;
    let letters = case.bus.aside(Orchestration::MODULE, 9).await.expect("letters");
    let shown: Vec<_> = letters.iter().map(|letter| (&letter.inbox, &letter.message, letter.reason.as_str())).collect();
    assert_eq!(shown, [(&INBOX, &got[0].message, "the law says so")]);
    assert_eq!(case.bus.aside_count(Orchestration::MODULE).await, Ok(1));
    assert_eq!((case.bus.aside("law", 9).await, case.bus.aside_count("law").await), (Ok(Vec::new()), Ok(0)));
}

/// Records `count` public events and publishes those up to `published`.
async fn recorded(case: &BusCase, count: u128, published: usize) -> Vec<Recorded> {
    // Numbers of the laws are public when they are even.
    ok(&case.store, append(&stream("bus"), 0, (1..=count).map(|number| number * 2))).await;
    let log = log(&case.store).await;
    let last = case.bus.publish_events("law", &log[..published]).await.expect("published");
    assert_eq!(last, published as u64);
    log
}
/// Reads exactly this many events, however they are cut.
async fn events(case: &BusCase, after: u64, count: usize) -> Vec<Recorded> {
    let mut got = Vec::<Recorded>::new();
    while got.len() < count {
        let after = got.last().and_then(|last| last.public_seq).unwrap_or(after);
        got.extend(case.bus.events("law", after, count - got.len()).await.expect("events"));
    }
    got
}
/// Events come in order, whole, from any cursor, and only when they are published.
pub async fn events_are_read_in_order_from_anywhere(case: BusCase) {
    let log = recorded(&case, 9, 6).await;
    for after in 0..6 {
        assert_eq!(
            events(&case, after as u64, 3.min(6 - after)).await,
            log[after..(after + 3).min(6)],
            "after {after}"
        );
    }
    for after in 0..6 {
        let got = case.bus.events("law", after, 100).await.expect("events");
        assert!(
            got.iter().all(|event| event.public_seq <= Some(6)),
            "after {after}: what is not published yet is given"
        );
    }
    assert!(in_vain(case.bus.events("law", 6, 3)).await.is_none(), "it is not published yet");
    case.bus.publish_events("law", &log[6..7]).await.expect("published");
    assert_eq!(events(&case, 6, 1).await, log[6..7]);
}
/// A gap is refused, a repetition is harmless, and what is missing is said exactly.
pub async fn a_gap_is_refused_and_what_is_missing_is_said(case: BusCase) {
    let log = recorded(&case, 4, 2).await;
    let gap = case.bus.publish_events("law", &log[3..]).await;
    assert_eq!(gap, Err(BusError::OutOfSequence { module: "law".to_owned(), last: 2, got: 4 }));
    assert_eq!(case.bus.tip("law").await, Ok(Tip { seq: 2, id: Some(log[1].id), ..Tip::default() }));
    assert_eq!(case.bus.missing("law", 4).await, Ok(vec![3..=4]));
    assert_eq!(case.bus.missing("law", 2).await, Ok(vec![]));
    // A repetition is told by what the bus then has, whatever it answers.
    let _refused_or_not = case.bus.publish_events("law", &log[1..2]).await;
    assert_eq!(case.bus.publish_events("law", &log[2..]).await, Ok(4));
    assert_eq!(events(&case, 0, 4).await, log);
}
/// A question is answered by the server of its line; refusals come back as such; without a server it is unavailable,
/// and without an answer it is unanswered.
pub async fn questions_are_answered(case: BusCase) {
    let line = Line::Query { module: "law".to_owned(), name: "Double".to_owned(), version: 1 };
    let nobody = case.bus.call(&line, &Payload::trusted("4"), Duration::from_millis(50)).await;
    assert!(matches!(nobody, Err(BusError::Unavailable(_))), "{nobody:?}");
    let answer: saga_core::bus::Answerer = Arc::new(|question: Payload| {
        Box::pin(async move {
            match question.read::<u64>() {
                Ok(number) => Ok(Payload::trusted((number * 2).to_string())),
                Err(_) => Err(Refused::new("NOT_A_NUMBER", "only numbers have doubles")),
            }
        })
    });
    let deaf = Line::Query { module: "law".to_owned(), name: "Brood".to_owned(), version: 1 };
    let broods: saga_core::bus::Answerer = Arc::new(|_| Box::pin(std::future::pending()));
    let mut serving = pin!(case.bus.serve(vec![(line.clone(), answer), (deaf.clone(), broods)]));
    let asking = async {
        // A question may be asked before the line is served: the caller may ask again.
        let doubled = loop {
            match case.bus.call(&line, &Payload::trusted("4"), PATIENCE).await {
                Ok(answer) => break answer,
                Err(BusError::Unavailable(_) | BusError::Unanswered(_)) => super::store::breathe().await,
                Err(other) => std::panic::panic_any(other.to_string()),
            }
        };
        assert_eq!(doubled, Ok(Payload::trusted("8")));
        let refused = case.bus.call(&line, &Payload::trusted("\"x\""), PATIENCE).await.expect("answered");
        assert_eq!(refused.map_err(|refused| refused.code), Err("NOT_A_NUMBER".to_owned()));
        // It was asked, so nobody says that it was not.
        let brief = Duration::from_millis(50);
        let null = Payload::null();
        let mut silence = pin!(case.bus.call(&deaf, &null, brief));
        let asked = poll_fn(|cx| Poll::Ready(silence.as_mut().poll(cx))).await;
        assert!(asked.is_pending(), "{asked:?}");
        (case.pass)(brief).await;
        let silence = silence.await;
        assert!(matches!(silence, Err(BusError::Unanswered(_))), "{silence:?}");
    };
    let mut asking = pin!(asking);
    poll_fn(|cx| {
        let served = serving.as_mut().poll(cx);
        assert!(served.is_pending(), "serving goes on: {served:?}");
        asking.as_mut().poll(cx)
    })
    .await;
}

/// Writes one test for each law of a bus. `$make` is an async function that gives a fresh
/// [`BusCase`](crate::laws::bus::BusCase); the caller needs `tokio` with `macros`.
#[macro_export]
macro_rules! bus_laws {
    ($make:path) => {
        $crate::bus_laws! { $make;
            a_reply_finds_its_group, who_leaves_gives_back, what_is_not_settled_comes_back, later_waits, a_cancelled_receive_loses_nothing,
            poison_blocks_nobody, what_lies_aside_is_counted_and_shown, events_are_read_in_order_from_anywhere, a_gap_is_refused_and_what_is_missing_is_said,
            questions_are_answered }
    };
    ($make:path; $($law:ident),+) => { $(
        #[tokio::test]
        async fn $law() {
            $crate::laws::bus::$law($make().await).await;
        }
    )+ };
}
