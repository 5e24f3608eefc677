//! The bus as the engine sees it: at least once, in order per stream when nothing fails. Nothing relies on more.

mod delivered;
mod onward;

pub use delivered::Delivered;
pub use onward::Onward;

use crate::envelope::Recorded;
use crate::id::{Direction, EventId, StepKey};
use crate::json::Payload;
use crate::outcome::{Answer, Refused};
use crate::time::Timestamp;
use async_trait::async_trait;
use std::future::Future;
use std::ops::RangeInclusive;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

/// The first word of subjects and of the names of database roles where the configuration says nothing else. Nowhere else does
/// the engine name it.
pub const PREFIX: &str = "aicmo";

/// A command on its way to a module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandMessage {
    /// The module.
    pub module: String,
    /// Everything the module's host needs.
    pub delivered: Arc<Delivered>,
    /// The coordinator group that waits for the answer.
    pub reply_to: u16,
    /// Only ask what the inbox remembers; do nothing.
    pub probe: bool,
}

/// An answer on its way to a coordinator group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplyMessage {
    /// The group.
    pub group: u16,
    /// The saga.
    pub saga: Uuid,
    /// The step's path.
    pub step: String,
    /// Do or undo.
    pub direction: Direction,
    /// Which try it answers.
    pub attempt: u32,
    /// The key of the command that it answers. It ties the two together for a reader of the wire.
    pub key: StepKey,
    /// The module that answers, as far as it is known.
    pub module: String,
    /// What.
    pub says: Says,
}

/// What a reply says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Says {
    /// An answer.
    Answer(Answer),
    /// To a probe: no answer is remembered.
    NothingKnown,
    /// The module cannot do anything with the command: a bug, parked there.
    Fault {
        /// A code.
        code: String,
        /// For people.
        reason: String,
    },
}

/// A CloudEvent that a program outside published for the sagas of this system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutsideMessage {
    /// `ce-id`: with the source, what makes a repeated one the same.
    pub id: String,
    /// `ce-source`.
    pub source: String,
    /// `ce-type`.
    pub kind: String,
    /// The JSON body.
    pub data: Payload,
}

/// Everything that travels, events apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// To one module.
    Command(CommandMessage),
    /// To one coordinator group.
    Reply(ReplyMessage),
    /// From outside, to a coordinator.
    Outside(OutsideMessage),
}

/// Where something is received.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Inbox {
    /// The commands of one module.
    Commands(String),
    /// The replies to one coordinator group.
    Replies(u16),
    /// Outside events.
    Outside,
}

impl Message {
    /// Where it is received.
    pub fn inbox(&self) -> Inbox {
        match self {
            Message::Command(command) => Inbox::Commands(command.module.clone()),
            Message::Reply(reply) => Inbox::Replies(reply.group),
            Message::Outside(_) => Inbox::Outside,
        }
    }
}

/// Something received; it comes back unless it is settled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Names it when settling.
    pub tag: u64,
    /// How often it was delivered, this time included.
    pub times: u32,
    /// What.
    pub message: Message,
}

/// What becomes of a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settle {
    /// Its effect is durable.
    Done,
    /// Deliver it again, not before this.
    Later(Duration),
    /// Put it aside with this reason.
    Park(String),
}

/// Something that was put aside, whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Aside {
    /// From where.
    pub inbox: Inbox,
    /// What.
    pub message: Message,
    /// How often it was delivered.
    pub times: u32,
    /// Why.
    pub reason: String,
}

/// The bus did not do it. Nothing is assumed about what it did.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BusError {
    /// Cannot be reached, or is stopping.
    #[error("the bus cannot be reached: {0}")]
    Unavailable(String),
    /// A log that the bus takes its events from cannot be read: the store is away, whatever the bus is.
    #[error("the log behind the bus cannot be read: {0}")]
    Unread(String),
    /// An event that does not follow the last one of its module: a gap, or a second publisher.
    #[error("the bus has events of {module} up to {last}, event {got} does not follow")]
    OutOfSequence {
        /// Whose.
        module: String,
        /// The last sequence it has.
        last: u64,
        /// The one that was published.
        got: u64,
    },
    /// The bus is there, and does not take it: full, out of space, broken. In its own words. It is tried again.
    #[error("the broker refuses it: {0}")]
    Refused(String),
    /// The stream or consumer for these messages is not there, and the caller may not make it. Another process makes
    /// it, or a person.
    #[error("{what} is missing on the bus; {next}")]
    Missing {
        /// What, as the broker names it.
        what: String,
        /// Who makes it, and how that is begun.
        next: String,
    },
    /// A reader of events stands where the log of their owner does not: one of the two was set back, or exchanged. Reading
    /// on would pass real events by, so it reads nothing more until a person has decided.
    #[error(
        "it has read the events of {module} up to {cursor}, but the log of {module} {why}: one of the two was restored or \
         exchanged. Nothing more is read, so that no event is passed by; stop the process and run sagactl store recover with \
         its --data or --config (sagactl help SG0313)"
    )]
    Astray {
        /// Whose events.
        module: String,
        /// The last one that was read.
        cursor: u64,
        /// What the log has instead.
        why: String,
    },
    /// Too much is waiting: the sender slows down.
    #[error("{0} messages are waiting already")]
    Full(usize),
    /// A question was sent, and no answer came: the receiver may have acted on it, or may still do so.
    #[error("it was asked, and no answer came: {0}")]
    Unanswered(String),
}

/// Commands and replies, on their way. Events have [`EventBus`]; messages that go no further have [`DeadLetters`].
#[async_trait]
pub trait Bus: Send + Sync {
    /// Hands over a command or a reply.
    async fn publish(&self, message: Message) -> Result<(), BusError>;
    /// Waits for at least one message and takes at most `max`. Cancelling loses nothing.
    async fn receive(&self, inbox: &Inbox, max: usize) -> Result<Vec<Delivery>, BusError>;
    /// Says what became of deliveries. Settling twice is harmless.
    async fn settle(&self, inbox: &Inbox, settled: Vec<(u64, Settle)>) -> Result<(), BusError>;
    /// Says that nobody receives here any more: a delivery that was handed out and not settled goes at once to the next
    /// receiver, here or in another process. After a crash the same happens when its time to be settled ends.
    async fn leave(&self, inbox: &Inbox) -> Result<(), BusError>;
}

/// Dead letters that are gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dropped {
    /// Of which senders as many lie there as are kept of each, as the bus calls them.
    pub of: Vec<String>,
    /// How many are kept of each.
    pub kept: u64,
    /// How many there were that lie there no more, of anybody: newer ones took their place, or somebody deleted them.
    pub gone: u64,
}

/// Dead letters: messages that no receiver could settle, kept whole for a person.
#[async_trait]
pub trait DeadLetters: Send + Sync {
    /// Puts something aside that was received elsewhere; when it answers, it is kept. Putting it aside twice is harmless:
    /// an operator may see it twice.
    async fn put_aside(&self, aside: Aside) -> Result<(), BusError>;
    /// How many messages were put aside by a module, by the coordinators (replies to them), or by the listener to
    /// outside events (`in`).
    async fn aside_count(&self, module: &str) -> Result<u64, BusError>;
    /// Hands what was put aside to an operator, oldest first, at most `limit`: the same that are counted.
    async fn aside(&self, module: &str, limit: usize) -> Result<Vec<Aside>, BusError>;
    /// Which letters are gone, because somebody sent more of them than are kept. A bus that keeps all, or does not know,
    /// says nothing.
    async fn dropped(&self) -> Result<Option<Dropped>, BusError> {
        Ok(None)
    }
    /// How a person looks at the dead letters of a module (or of `in`), each with its reason: the end of a sentence,
    /// with a command that works under the account that people have.
    fn letters_at(&self, _module: &str) -> String {
        "they are in the memory of this process, and the reason of each is in its log".to_owned()
    }
}

/// Who takes the messages of an inbox, as far as a bus can tell.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Served {
    /// How many messages were handed out to nobody yet.
    pub queued: u64,
    /// How many were handed out, and are not settled.
    pub under_way: u64,
    /// How many processes ask for the next one at this moment, none where all of them are busy; `None` when the bus cannot tell.
    pub takers: Option<u64>,
}

/// What a sender may know of what it sent: whether it still waits, whether it can arrive, whether it may be lost.
#[async_trait]
pub trait Traffic: Send + Sync {
    /// How many messages wait in an inbox that were handed out to nobody yet. A bus that does not know says that none does.
    async fn queued(&self, _inbox: &Inbox) -> Result<u64, BusError> {
        Ok(0)
    }
    /// Who takes the messages of an inbox. A bus that does not know says so.
    async fn served(&self, inbox: &Inbox) -> Result<Served, BusError> {
        Ok(Served { queued: self.queued(inbox).await?, ..Served::default() })
    }
    /// Whether what is sent to this inbox cannot arrive now, because the bus is away. Looks at memory only.
    fn is_deaf(&self, _inbox: &Inbox) -> bool {
        false
    }
    /// Resolves when messages may have been lost since the caller saw `seen`, with what it has seen then: a caller that
    /// waits for an answer asks again, at once instead of when its patience ends. A bus that loses nothing never
    /// resolves.
    async fn lost(&self, _seen: u64) -> u64 {
        std::future::pending().await
    }
}

/// The last event that a bus has of a module.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tip {
    /// Its sequence; 0 when there is none.
    pub seq: u64,
    /// Its id; `None` when there is no event, or when what stands there is not one of ours.
    pub id: Option<EventId>,
    /// What stands there that is not one of ours, as far as the bus can tell, as the end of a sentence; empty otherwise.
    pub strange: String,
}

/// What the log of a module has at a place.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Standing {
    /// The public sequence of its last public event; 0 when there is none.
    pub head: u64,
    /// The event at the place that was asked for; `None` when there is none.
    pub id: Option<EventId>,
    /// That event's link in the hash chain of the log; zeros where the log has no chain.
    pub chain: [u8; 32],
}

impl Standing {
    /// The error of a reader that has read up to `cursor` and knows the id of that event, or not: `None` when the log has
    /// that event there.
    pub fn astray(&self, module: &str, cursor: u64, known: impl Fn(EventId) -> bool) -> Option<BusError> {
        let why = if cursor > self.head {
            format!("ends at {}", self.head)
        } else if cursor > 0 && self.id.is_some_and(|id| !known(id)) {
            "has another event there".to_owned()
        } else {
            return None;
        };
        Some(BusError::Astray { module: module.to_owned(), cursor, why })
    }
}

/// Events: one dense sequence per module, published by its relay alone. The sequence of an event on the bus is its
/// `public_seq`.
#[async_trait]
pub trait EventBus: Send + Sync {
    /// Publishes public events of a module, which follow one another, after its last one. Many may be in flight; the
    /// answer is the last sequence, once the bus has them all. A repeated one (same sequence, same id) is harmless.
    async fn publish_events(&self, module: &str, events: &[Recorded]) -> Result<u64, BusError>;
    /// The last event of a module.
    async fn tip(&self, module: &str) -> Result<Tip, BusError>;
    /// Waits for events of `module` whose `public_seq` is larger than `after` and takes at most `max`, in order and
    /// without a gap. Only events of the log of `module` are given: an event is taken when its chain continues what was
    /// read before, or when its owner says that it is its own. For any other message the call waits until it is gone,
    /// and never gives it. The cursor belongs to the caller, and `Astray` says that it is not a place in the owner's
    /// log. Cancelling loses nothing.
    async fn events(&self, module: &str, after: u64, max: usize) -> Result<Vec<Recorded>, BusError>;
    /// The last public event in the log of a module, as its owner says now: the bus itself may be behind it.
    async fn owner_head(&self, module: &str) -> Result<u64, BusError>;
    /// What the owner's own log has at a public sequence, whatever the bus has there.
    async fn standing(&self, module: &str, seq: u64) -> Result<Standing, BusError>;
    /// Which sequences up to `head` the bus does not have at its end.
    async fn missing(&self, module: &str, head: u64) -> Result<Vec<RangeInclusive<u64>>, BusError>;
}

/// Where a question is answered.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Line {
    /// The owner of a coordinator group.
    Group(u16),
    /// A query of a module.
    Query {
        /// The module.
        module: String,
        /// Name of the query.
        name: String,
        /// Its version.
        version: u16,
    },
    /// A reader of events that may not make its own consumer asks the coordinators here for one; a question names the
    /// reader and the module of the events, as the bus knows them. Only where the bus has such readers.
    Readers,
}

/// Answers the questions of a line.
pub type Answerer =
    Arc<dyn Fn(Payload) -> Pin<Box<dyn Future<Output = Result<Payload, Refused>> + Send>> + Send + Sync>;

/// Questions and answers: nothing of them is kept, and the caller may ask again.
#[async_trait]
pub trait Calls: Send + Sync {
    /// Answers questions until it is dropped; ends only when the bus does. Several may serve one line: one of them
    /// gets each question.
    async fn serve(&self, lines: Vec<(Line, Answerer)>) -> Result<(), BusError>;
    /// Asks once. `Unavailable`: it reached nobody, because nobody serves the line or the bus is away. `Unanswered`: it may
    /// have reached somebody, and no answer came within `patience`, or can come any more.
    async fn call(
        &self,
        line: &Line,
        question: &Payload,
        patience: Duration,
    ) -> Result<Result<Payload, Refused>, BusError>;
}

/// Something of a bus that does not work now.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ailment {
    /// What it is: the same place is the same trouble.
    pub place: String,
    /// What is wrong with it, and what helps.
    pub says: String,
}

/// Something that a bus had lost and has again, empty: no log has what lay in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MadeAnew {
    /// What it is: `stream IN`.
    pub what: String,
    /// When it was made.
    pub at: Timestamp,
    /// What may be lost with the one before, as the beginning of a sentence.
    pub lost: String,
    /// What a person does first.
    pub next: String,
}

/// 7 days: for so long a loss is a finding for a person, and then only a note.
const LOSS_FRESH_FOR: Duration = Duration::from_secs(7 * 24 * 3_600);

impl MadeAnew {
    /// Whether a person should still look after it.
    pub fn is_fresh(&self, now: Timestamp) -> bool {
        now.since(self.at) <= LOSS_FRESH_FOR
    }
}

/// What a bus reports of itself, and mends by itself. A bus inside the process has nothing to report or mend.
#[async_trait]
pub trait Upkeep: Send + Sync {
    /// What an acknowledgement means now, in a sentence; nothing where it is what was said of it at the start. Looks at memory only.
    fn promises(&self) -> Option<String> {
        None
    }
    /// What does not work at this moment; nothing when all is well. Looks at memory only, and asks nobody.
    fn ailments(&self) -> Vec<Ailment> {
        Vec::new()
    }
    /// Makes anew what the bus has lost of its own furniture, as far as this side may; what cannot be done is an ailment
    /// until it can. Repeating it is harmless, and a crash in the midst leaves the rest for the next look.
    async fn tend(&self) {}
    /// Streams that were lost, made anew by any process, and not filled again, because no log has their messages.
    async fn made_anew(&self) -> Result<Vec<MadeAnew>, BusError> {
        Ok(Vec::new())
    }
}

/// Everything that a bus is.
pub trait AnyBus: Bus + DeadLetters + Traffic + EventBus + Calls + Upkeep {}
impl<T: Bus + DeadLetters + Traffic + EventBus + Calls + Upkeep> AnyBus for T {}
