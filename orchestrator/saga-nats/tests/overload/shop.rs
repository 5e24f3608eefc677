//! A module that takes 200 ms for a deed, on eight hands. What it has answered outlives its death.

use crate::{LOOK, WITHIN};
use saga::SystemClock;
use saga::core::bus::{Bus, CommandMessage, Inbox, Message, ReplyMessage, Says, Settle};
use saga::core::id::{Direction, StepKey};
use saga::core::json::Payload;
use saga::core::outcome::{Answer, Refused, TOMBSTONED};
use saga::core::ports::Clock;
use saga_engine::host::EXPIRED;
use saga_nats::Nats;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

pub(crate) const SHOP: &str = "shop";
const WORK: Duration = Duration::from_millis(200);
const HANDS: usize = 8;

/// What came of everything that was asked.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Counts {
    pub(crate) deeds: u64,
    pub(crate) undone: u64,
    /// Came when its time was over, and was not begun.
    pub(crate) late: u64,
    /// Answered from memory.
    pub(crate) repeated: u64,
}
/// The shop's store: an answer for each key, and what it was for.
#[derive(Default)]
struct Ledger {
    answers: BTreeMap<StepKey, Answer>,
    /// Commands that are being worked on: the lock of a real store lets the second one wait.
    under_way: BTreeSet<StepKey>,
    counts: Counts,
}

pub(crate) struct Shop {
    bus: Nats,
    ledger: Arc<Mutex<Ledger>>,
    working: JoinSet<()>,
}

impl Shop {
    pub(crate) async fn open(bus: Nats, groups: u16) -> Self {
        bus.ensure(&[SHOP, saga::JOURNAL], &(0..groups).collect::<Vec<_>>()).await.unwrap();
        let mut shop = Self { bus, ledger: Arc::default(), working: JoinSet::new() };
        shop.begin();
        shop
    }
    fn begin(&mut self) {
        for _ in 0..HANDS {
            let (bus, ledger) = (self.bus.clone(), Arc::clone(&self.ledger));
            self.working.spawn(async move {
                loop {
                    hand(&bus, &ledger).await;
                }
            });
        }
    }
    /// Everything under way is dropped where it stands, and comes again when its time to be settled ends.
    pub(crate) fn kill(&mut self) {
        self.working = JoinSet::new();
        self.ledger.lock().unwrap().under_way.clear();
        self.begin();
    }
    /// Waits until so much was done.
    pub(crate) fn until(&self, deeds: u64, runtime: &Runtime) {
        let end = SystemClock.passed() + WITHIN;
        while self.counts().deeds < deeds {
            assert!(SystemClock.passed() < end, "{:?}", self.counts());
            runtime.block_on(SystemClock.pause(LOOK));
        }
    }
    pub(crate) fn counts(&self) -> Counts {
        self.ledger.lock().unwrap().counts
    }
}

async fn hand(bus: &Nats, ledger: &Mutex<Ledger>) {
    let inbox = Inbox::Commands(SHOP.to_owned());
    // The broker is there for as long as the test is.
    let Ok(received) = bus.receive(&inbox, 1).await else { return };
    for delivery in received {
        let Message::Command(command) = &delivery.message else { panic!("a command") };
        let settle = match serve(command, ledger).await {
            Some(answer) => match bus.publish(reply(command, answer)).await {
                Ok(()) => Settle::Done,
                Err(_) => Settle::Later(WORK),
            },
            None => Settle::Later(WORK),
        };
        let _comes_again = bus.settle(&inbox, vec![(delivery.tag, settle)]).await;
    }
}
fn reply(command: &CommandMessage, answer: Answer) -> Message {
    let deed = &command.delivered.deed;
    Message::Reply(ReplyMessage {
        group: command.reply_to,
        saga: deed.saga,
        step: deed.step.clone(),
        direction: deed.direction,
        attempt: deed.attempt,
        key: deed.key,
        module: SHOP.to_owned(),
        says: if command.probe { Says::NothingKnown } else { Says::Answer(answer) },
    })
}

/// The barrier, and the work behind it. `None`: another handler is at it.
async fn serve(command: &CommandMessage, ledger: &Mutex<Ledger>) -> Option<Answer> {
    let (deed, (act, undo)) = (&command.delivered.deed, command.delivered.keys);
    let done = |output: &str| Answer::Done { output: Payload::trusted(output) };
    {
        let mut ledger = ledger.lock().unwrap();
        if let Some(known) = ledger.answers.get(&deed.key).cloned() {
            ledger.counts.repeated += 1;
            return Some(known);
        }
        let did = matches!(ledger.answers.get(&act), Some(Answer::Done { .. }));
        let barred = match deed.direction {
            Direction::Do if ledger.answers.contains_key(&undo) => {
                Some(Answer::Refused(Refused::new(TOMBSTONED, "it was undone")))
            }
            Direction::Undo if !did => Some(done("\"nothing_to_undo\"")),
            Direction::Do | Direction::Undo => None,
        };
        if let Some(barred) = barred {
            ledger.answers.insert(deed.key, barred.clone());
            return Some(barred);
        }
        let late = deed.direction == Direction::Do && deed.deadline.is_some_and(|end| end < SystemClock.now());
        if late {
            ledger.counts.late += 1;
            return Some(Answer::Retry { after_ms: 0, reason: EXPIRED.to_owned() });
        }
        if !ledger.under_way.insert(deed.key) {
            return None;
        }
    }
    SystemClock.pause(WORK).await;
    let mut ledger = ledger.lock().unwrap();
    ledger.under_way.remove(&deed.key);
    let answer = match deed.direction {
        Direction::Do => done("1"),
        Direction::Undo => done("null"),
    };
    match deed.direction {
        Direction::Do => ledger.counts.deeds += 1,
        Direction::Undo => ledger.counts.undone += 1,
    }
    ledger.answers.insert(deed.key, answer.clone());
    Some(answer)
}
