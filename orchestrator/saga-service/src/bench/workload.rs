//! What the measured sagas do: nothing but what every saga does. Local steps return a small JSON; asked modules load a
//! story, append an event to it and answer.

use saga_core::aggregate::Aggregate;
use saga_core::command::{Command, Common, Compensable};
use saga_core::definition::Definition;
use saga_core::event::{DecodeError, Event, EventSet, Origin, Owner};
use saga_core::id::StepKey;
use saga_core::json::Payload;
use saga_core::module::{Cx, Halt, Handled, Module, OrRetry};
use saga_core::policy::Deadline;
use saga_core::projection::{Projection, ProjectionDef};
use saga_core::read_model::ReadModel;
use saga_core::saga::{Plan, Saga};
use saga_core::step::{Gate, In, Step, Undoing, refuse};
use serde::{Deserialize, Serialize};

/// Up to eight steps.
pub const STEPS: [&str; 8] = ["one", "two", "three", "four", "five", "six", "seven", "eight"];
/// The asked modules, each with a store of its own.
pub const MODULES: [&str; 4] = ["bench1", "bench2", "bench3", "bench4"];
const CATEGORIES: [&str; 4] = ["bench1_order", "bench2_order", "bench3_order", "bench4_order"];

/// The input of every measured saga.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Local<const STEPS_COUNT: usize> {
    /// Which one it is.
    pub number: u64,
    /// Whether the last step says no.
    pub refuse_last: bool,
}

/// What a local step gives.
#[derive(Debug, Serialize, Deserialize)]
struct Slot {
    held_by: StepKey,
    amount: u64,
}

impl<const N: usize> Saga for Local<N> {
    const NAME: &'static str = "bench-local";
    #[expect(clippy::cast_possible_truncation, reason = "there are eight at most")]
    const VERSION: u16 = N as u16;
    fn plan(plan: Plan) -> Definition {
        let last = N.saturating_sub(1);
        let plan = STEPS.iter().take(last).fold(plan, |plan, name| plan.step(name, hold, free));
        plan.step(STEPS.get(last).copied().unwrap_or("last"), hold_last::<N>, free).end()
    }
}
async fn hold(key: StepKey) -> Step<Slot> {
    Ok(Slot { held_by: key, amount: 42 })
}
async fn hold_last<const N: usize>(In(job): In<Local<N>>, key: StepKey) -> Step<Slot> {
    if job.refuse_last { Err(refuse("no slot is left")) } else { hold(key).await }
}
async fn free(Undoing(_): Undoing) -> Step<()> {
    Ok(())
}

/// The input of a saga that asks four modules.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Asking {
    /// Which one it is.
    pub number: u64,
    /// Whether the last module says no.
    pub refuse_last: bool,
}

impl Saga for Asking {
    const NAME: &'static str = "bench-asking";
    const VERSION: u16 = 1;
    fn plan(plan: Plan) -> Definition {
        plan.ask("one", book::<0>).ask("two", book::<1>).ask("three", book::<2>).ask("four", book::<3>).end()
    }
}
fn book<const M: usize>(In(job): In<Asking>) -> Book<M> {
    Book { number: job.number, amount: 42, refuse: M == 3 && job.refuse_last }
}

/// The input of a saga that stays open: one step, then a decision that never comes.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Open {
    /// Which one it is.
    pub number: u64,
}

impl Saga for Open {
    const NAME: &'static str = "bench-open";
    const VERSION: u16 = 1;
    fn plan(plan: Plan) -> Definition {
        plan.step("one", hold, free).wait("decide", Gate::<()>::named("decide"), Deadline::days(30)).end()
    }
}

/// The owner of the events of one asked module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Desk<const M: usize> {}
impl<const M: usize> Owner for Desk<M> {
    const MODULE: &'static str = MODULES[M];
}

/// It was booked. With metadata some 300 bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Booked<const M: usize> {
    /// For which saga.
    pub number: u64,
    /// How much.
    pub amount: u64,
    /// A text, as real events have one.
    pub note: String,
}
/// It was taken back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cancelled<const M: usize> {}

impl<const M: usize> Event for Booked<M> {
    type Owner = Desk<M>;
    const NAME: &'static str = "Booked";
    const VERSION: u16 = 1;
    fn older(version: u16, _: &Payload, _: &Origin) -> Result<Self, DecodeError> {
        Err(DecodeError::NoSuchVersion { version })
    }
}
impl<const M: usize> Event for Cancelled<M> {
    type Owner = Desk<M>;
    const NAME: &'static str = "Cancelled";
    const VERSION: u16 = 1;
    fn older(version: u16, _: &Payload, _: &Origin) -> Result<Self, DecodeError> {
        Err(DecodeError::NoSuchVersion { version })
    }
}

/// The events of an order. Written out, because `story!` makes no sets with a parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OrderEvent<const M: usize> {
    /// See [`Booked`].
    Booked(Booked<M>),
    /// See [`Cancelled`].
    Cancelled(Cancelled<M>),
}
impl<const M: usize> EventSet for OrderEvent<M> {
    type Owner = Desk<M>;
    const CATEGORY: &'static str = CATEGORIES[M];
    const EVENTS: &'static [(&'static str, u16)] = &[("Booked", 1), ("Cancelled", 1)];
    fn name(&self) -> &'static str {
        match self {
            Self::Booked(_) => Booked::<M>::NAME,
            Self::Cancelled(_) => Cancelled::<M>::NAME,
        }
    }
    fn version(&self) -> u16 {
        1
    }
    fn encode(&self) -> Result<Payload, serde_json::Error> {
        match self {
            Self::Booked(event) => Payload::of(event),
            Self::Cancelled(event) => Payload::of(event),
        }
    }
    fn decode(name: &str, version: u16, data: &Payload, origin: &Origin) -> Result<Self, DecodeError> {
        match name {
            "Booked" => <Booked<M> as Event>::decode(version, data, origin).map(Self::Booked),
            "Cancelled" => <Cancelled<M> as Event>::decode(version, data, origin).map(Self::Cancelled),
            other => Err(DecodeError::Unknown { name: other.to_owned() }),
        }
    }
}

/// One order.
#[derive(Debug, Default)]
pub struct Order<const M: usize> {
    /// How much is booked now.
    pub amount: u64,
    /// How many events it has.
    pub events: u64,
}
impl<const M: usize> Aggregate for Order<M> {
    type Event = OrderEvent<M>;
    fn evolve(&mut self, event: &OrderEvent<M>) {
        self.events += 1;
        self.amount = match event {
            OrderEvent::Booked(booked) => booked.amount,
            OrderEvent::Cancelled(_) => 0,
        };
    }
}

/// Books.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Book<const M: usize> {
    number: u64,
    amount: u64,
    refuse: bool,
}
/// What booking gives.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Receipt {
    amount: u64,
}
/// Takes a booking back.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Cancel<const M: usize> {
    deed: StepKey,
}
impl<const M: usize> Command for Book<M> {
    const MODULE: &'static str = MODULES[M];
    const NAME: &'static str = "Book";
    type Reply = Receipt;
    type Refusal = Common;
}
impl<const M: usize> Command for Cancel<M> {
    const MODULE: &'static str = MODULES[M];
    const NAME: &'static str = "Cancel";
    type Reply = ();
    type Refusal = Common;
}
impl<const M: usize> Compensable for Book<M> {
    type Undo = Cancel<M>;
    fn undo(&self, deed: StepKey) -> Cancel<M> {
        Cancel { deed }
    }
}

/// An asked module.
pub fn desk<const M: usize>() -> Module {
    Module::new::<Desk<M>, ()>("1.0", ()).command(booked::<M>).command(cancelled::<M>).build()
}
/// The event of a booking.
pub fn booking<const M: usize>(number: u64, amount: u64) -> Booked<M> {
    let note = "as agreed on the telephone, to be confirmed in writing within the week".to_owned();
    Booked { number, amount, note }
}
async fn booked<const M: usize>(cx: Cx<()>, cmd: Book<M>) -> Handled<Book<M>> {
    if cmd.refuse {
        return Err(Halt::Refuse(Common::NotFound { what: "a free place".to_owned() }));
    }
    let order = cx.load::<Order<M>>(cx.key()).await.or_retry()?;
    let event = OrderEvent::Booked(booking(cmd.number, cmd.amount));
    Ok(cx.done(Receipt { amount: cmd.amount }).append(&order, [event]))
}
async fn cancelled<const M: usize>(cx: Cx<()>, cmd: Cancel<M>) -> Handled<Cancel<M>> {
    let order = cx.load::<Order<M>>(cmd.deed).await.or_retry()?;
    let event = (order.state.amount > 0).then_some(OrderEvent::Cancelled(Cancelled {}));
    Ok(cx.done(()).append(&order, event))
}

/// A line of the measured read model: one document for each stream.
#[derive(Debug, Serialize, Deserialize)]
struct Booking {
    bookings: u64,
    last_number: u64,
    amount: u64,
}

/// A read model over the bookings of the first module.
pub fn ledger() -> ProjectionDef {
    Projection::new(ReadModel::<Booking>::new("bench1.ledger", 1, &[]))
        .on::<Booked<0>>(
            |_, at| Some(at.stream.clone()),
            |line, event, _| {
                let bookings = line.map_or(0, |line| line.bookings) + 1;
                Some(Booking { bookings, last_number: event.number, amount: event.amount })
            },
        )
        .build()
}
