//! The bus as the engine sees it: at least once, in order per stream when nothing fails. Nothing relies on more.

use crate::envelope::Recorded;
use crate::host::Delivered;
use crate::id::{Direction, Position};
use crate::outcome::Answer;
use async_trait::async_trait;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

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

/// A committed public event on its way to everybody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventMessage {
    /// The module that recorded it.
    pub module: String,
    /// The event.
    pub recorded: Recorded,
}

/// Everything that travels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// To one module.
    Command(CommandMessage),
    /// To one coordinator group.
    Reply(ReplyMessage),
    /// To everybody, by the relay of its module only.
    Event(EventMessage),
}

/// Where something is received.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Inbox {
    /// The commands of one module.
    Commands(String),
    /// The replies to one coordinator group.
    Replies(u16),
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
    /// Too much is waiting: the sender slows down.
    #[error("{0} messages are waiting already")]
    Full(usize),
}

/// Commands and replies. Events have [`EventBus`].
#[async_trait]
pub trait Bus: Send + Sync {
    /// Hands over a command or a reply.
    async fn publish(&self, message: Message) -> Result<(), BusError>;
    /// Waits for at least one message and takes at most `max`. Cancelling loses nothing.
    async fn receive(&self, inbox: &Inbox, max: usize) -> Result<Vec<Delivery>, BusError>;
    /// Says what became of deliveries. Settling twice is harmless.
    async fn settle(&self, inbox: &Inbox, settled: Vec<(u64, Settle)>) -> Result<(), BusError>;
    /// Hands what was put aside to an operator, oldest first, at most `limit`.
    async fn aside(&self, module: &str, limit: usize) -> Result<Vec<Aside>, BusError>;
}

/// Events: one dense sequence per module, published by its relay alone.
#[async_trait]
pub trait EventBus: Send + Sync {
    /// Publishes the event after the last one of its module; a repeated one (same sequence, same id) is harmless.
    async fn publish_event(&self, event: EventMessage) -> Result<u64, BusError>;
    /// The last sequence of a module.
    async fn last(&self, module: &str) -> Result<u64, BusError>;
    /// Waits for events of `module` after `after` and takes at most `max`, in order. The cursor belongs to the caller.
    async fn events(&self, module: &str, after: Position, max: usize) -> Result<Vec<Recorded>, BusError>;
    /// Which sequences up to `head` the bus does not have.
    async fn missing(&self, module: &str, head: u64) -> Result<Vec<RangeInclusive<u64>>, BusError>;
}
