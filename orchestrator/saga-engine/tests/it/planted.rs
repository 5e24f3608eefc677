//! The laws find what strangers plant: each bug here is one that passed them once, and the law says what it is.
#![expect(clippy::unwrap_used, reason = "what tests share speaks by panicking")]

use saga_core::aggregate::Aggregate;
use saga_core::command::{Command, Common, Compensable};
use saga_core::envelope::Recorded;
use saga_core::event::Owner;
use saga_core::id::{Position, StepKey};
use saga_core::module::{Cx, Handled, Module, OrRetry};
use saga_core::saga::{Plan, Saga, define};
use saga_core::step::{Step, Undoing, Using, refuse};
use saga_testkit::effects::Effects;
use saga_testkit::laws::module as of_module;
use saga_testkit::laws::saga::{Case, completes, is_asked_twice, repeats, survives, unwinds, waits};
use saga_testkit::stage::{Stage, ready};
use saga_testkit::world::World;
use serde::{Deserialize, Serialize};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// The bug that is planted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Bugs {
    /// The handler calls its provider without a key.
    no_key: bool,
    /// The undo's handler does.
    undo_without_key: bool,
    /// The refund is 25 short.
    short: bool,
    /// The local step has no key.
    seat_without_key: bool,
    /// Its undo takes 7 for 1.
    seven_for_one: bool,
    /// The last step says no.
    refuses: bool,
}

enum Shop {}
impl Owner for Shop {
    const MODULE: &'static str = "shop";
}
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Charged {
    cents: i64,
}
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Refunded {
    cents: i64,
}
saga_core::story! { enum Payment of Shop in "shop_account" { Charged, Refunded } }
#[derive(Default)]
struct Account {
    cents: i64,
}
impl Aggregate for Account {
    type Event = Payment;
    fn evolve(&mut self, event: &Payment) {
        self.cents += match event {
            Payment::Charged(event) => event.cents,
            Payment::Refunded(event) => -event.cents,
        };
    }
}
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Charge {
    cents: i64,
}
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Refund {
    deed: StepKey,
    cents: i64,
}
impl Command for Charge {
    const MODULE: &'static str = "shop";
    const NAME: &'static str = "Charge";
    type Reply = ();
    type Refusal = Common;
}
impl Command for Refund {
    const MODULE: &'static str = "shop";
    const NAME: &'static str = "Refund";
    type Reply = ();
    type Refusal = Common;
}
impl Compensable for Charge {
    type Undo = Refund;
    fn undo(&self, deed: StepKey) -> Refund {
        Refund { deed, cents: self.cents }
    }
}
struct Needs {
    bank: Effects,
    bugs: Bugs,
}
async fn charge(cx: Cx<Needs>, cmd: Charge) -> Handled<Charge> {
    let Needs { bank, bugs } = cx.needs();
    match bugs.no_key {
        true => bank.each_time("cents", cmd.cents),
        false => bank.once(cx.key(), "cents", cmd.cents),
    }
    let account = cx.load::<Account>(cx.key()).await.or_retry()?;
    Ok(cx.done(()).append(&account, [Charged { cents: cmd.cents }.into()]))
}
async fn refund(cx: Cx<Needs>, cmd: Refund) -> Handled<Refund> {
    let Needs { bank, bugs } = cx.needs();
    let account = cx.load::<Account>(cmd.deed).await.or_retry()?;
    if account.state.cents == 0 {
        return Ok(cx.done(()));
    }
    match bugs.undo_without_key {
        true => bank.each_time("cents", -cmd.cents),
        false => bank.once(cx.key(), "cents", -cmd.cents),
    }
    let cents = if bugs.short { cmd.cents - 25 } else { cmd.cents };
    Ok(cx.done(()).append(&account, [Refunded { cents }.into()]))
}
fn shop(bank: &Effects, bugs: Bugs) -> Module {
    let needs = Needs { bank: bank.clone(), bugs };
    Module::new::<Shop, _>("1.0", needs).command(charge).command(refund).build()
}
fn stage(bugs: Bugs) -> Stage {
    let bank = Effects::default();
    Stage::new(shop(&bank, bugs)).with_effects(&bank)
}
fn cents(log: &[Recorded]) -> i64 {
    let of = |event: &Recorded| match event.name.as_str() {
        "Charged" => event.data.read::<Charged>().unwrap().cents,
        _ => -event.data.read::<Refunded>().unwrap().cents,
    };
    log.iter().map(of).sum()
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Order;
impl Saga for Order {
    const NAME: &'static str = "order";
    const VERSION: u16 = 1;
    fn plan(plan: Plan) -> saga_core::definition::Definition {
        plan.step("seat", take_seat, free_seat).ask("charge", || Charge { cents: 100 }).pivot("print", print).end()
    }
}
async fn take_seat(key: StepKey, Using(seats): Using<Effects>, Using(bugs): Using<Bugs>) -> Step<()> {
    match bugs.seat_without_key {
        true => seats.each_time("seats", 1),
        false => seats.once(key, "seats", 1),
    }
    Ok(())
}
async fn free_seat(Undoing(key): Undoing, Using(seats): Using<Effects>, Using(bugs): Using<Bugs>) -> Step<()> {
    let taken = seats.sum("seats") > 0;
    match (bugs.seven_for_one, bugs.seat_without_key) {
        (true, _) if taken => seats.once(format!("undo {key}"), "seats", -7),
        (_, true) if taken => seats.each_time("seats", -1),
        _ => seats.take_back(key, "seats"),
    }
    Ok(())
}
async fn print(Using(bugs): Using<Bugs>) -> Step<()> {
    if bugs.refuses { Err(refuse("no paper")) } else { Ok(()) }
}
async fn case(bugs: Bugs) -> Case {
    let outside = Effects::default();
    let world = World::new(vec![define::<Order>()], vec![shop(&outside, bugs)]).await.unwrap();
    let mut world = world.with_effects(&outside);
    world.given = std::mem::take(&mut world.given).with(bugs);
    world.observe(|world| {
        let logs = world.logs();
        cents(&ready(logs[1].1.read_log(Position::ZERO, usize::MAX)).unwrap())
    });
    let saga = world.start(&Order).unwrap();
    Case { world, saga, answer: |_, _| {} }
}

/// What the first law of sagas says that does not hold.
fn found(bugs: Bugs) -> Option<(&'static str, String)> {
    let make = || case(bugs);
    let laws = [
        ("completes", ready(completes(make))),
        ("unwinds", ready(unwinds(make))),
        ("waits", ready(waits(make))),
        ("repeats", ready(repeats(make))),
        ("is asked twice", ready(is_asked_twice(make))),
        ("survives", ready(survives(make))),
    ];
    laws.into_iter().find_map(|(law, held)| held.err().map(|why| (law, why)))
}
/// What the laws of modules say that do not hold.
fn found_in_module(bugs: Bugs) -> Vec<String> {
    let make = || stage(bugs);
    let command = |_: &mut Stage| Charge { cents: 100 };
    let state = |stage: &Stage| cents(&stage.log());
    let laws: [&dyn Fn(); 7] = [
        &|| of_module::an_undo_leaves_it_as_before(make, command, state),
        &|| of_module::a_deed_after_its_undo_is_refused(make, command, state),
        &|| of_module::a_deed_happens_once(make, command, state),
        &|| of_module::an_undo_happens_once(make, command, state),
        &|| of_module::another_payload_under_a_known_key_is_refused(make, command, state),
        &|| of_module::it_is_asked_twice_before_its_answer_is_recorded(make, command, state),
        &|| of_module::a_list_is_no_command(make, command, state),
    ];
    let broken = laws.iter().filter_map(|law| catch_unwind(AssertUnwindSafe(law)).err());
    broken.map(|said| said.downcast_ref::<String>().unwrap().clone()).collect()
}

#[test]
fn what_is_right_keeps_every_law() {
    assert_eq!(found(Bugs::default()), None);
    assert_eq!(found_in_module(Bugs::default()), Vec::<String>::new());
}

const HISTORY: &str =
    "\nthe history of the saga:\n    1  SagaStarted\n    2  StepDispatched            seat  attempt 1\n";

#[test]
fn the_laws_of_sagas_find_every_planted_bug_and_say_what_it_is() {
    let none = Bugs::default();
    let cases = [
        (
            Bugs { no_key: true, ..none },
            "is asked twice",
            "the performer dies before the answer is recorded, and is asked again:\nwhat happened once has to stay once:\n   without  cents 100, seats 1; 100\n   with     cents 200, seats 1; 100",
        ),
        (
            Bugs { undo_without_key: true, ..none },
            "is asked twice",
            "print is refused; the performer dies before the answer is recorded, and is asked again:\neverything was taken back, and it is not as before:\n   before  nothing outside; 0\n   now     cents -100; 0",
        ),
        (
            Bugs { short: true, ..none },
            "unwinds",
            "charge is never answered, and happens:\neverything was taken back, and it is not as before:\n   before  nothing outside; 0\n   now     nothing outside; 25",
        ),
        (
            Bugs { seat_without_key: true, ..none },
            "unwinds",
            "seat is never answered, and happens:\neverything was taken back, and it is not as before:\n   before  nothing outside; 0\n   now     seats 4; 0",
        ),
        (
            Bugs { seven_for_one: true, ..none },
            "unwinds",
            "seat is never answered, and happens:\neverything was taken back, and it is not as before:\n   before  nothing outside; 0\n   now     seats -6; 0",
        ),
        (Bugs { refuses: true, ..none }, "completes", "no fault:\nended compensated"),
    ];
    for (bugs, wanted, says) in cases {
        let (law, said) = found(bugs).unwrap_or_else(|| panic!("{bugs:?} passes"));
        assert_eq!(law, wanted, "{bugs:?}: {said}");
        assert!(said.starts_with(&format!("{says}{HISTORY}")), "{bugs:?}: {said}");
        assert!(!said.contains("\\n") && !said.contains('{'), "a person reads it: {said}");
        if law == "completes" {
            assert!(said.contains("StepFailed                print  REFUSED  no paper"), "the refusal is told: {said}");
        }
    }
}

#[test]
fn the_laws_of_modules_find_every_planted_bug_and_say_what_it_is() {
    let none = Bugs::default();
    let cases = [
        (
            Bugs { no_key: true, ..none },
            vec![
                "after a deed whose first handler died before its answer was recorded:\n   is      (100, \"cents 200\")\n   not     (100, \"cents 100\")",
            ],
        ),
        (
            Bugs { undo_without_key: true, ..none },
            vec![
                "after an undo whose first handler died before its answer was recorded:\n   is      (0, \"cents -100\")\n   not     (0, \"nothing outside\")",
            ],
        ),
        (
            Bugs { short: true, ..none },
            vec!["after the undo:\n   is      25\n   not     0", "after the second undo:\n   is      25\n   not     0"],
        ),
    ];
    for (bugs, says) in cases {
        assert_eq!(found_in_module(bugs), says, "{bugs:?}");
    }
}

#[test]
fn a_world_can_have_a_past() {
    let bank = Effects::default();
    let world = World::new(vec![define::<Order>()], vec![shop(&bank, Bugs::default())]);
    let mut world = ready(world).unwrap().with_effects(&bank);
    ready(world.command(&Charge { cents: 7 })).unwrap();
    assert_eq!((world.observed(), bank.sum("cents")), ("cents 7".to_owned(), 7));
    assert!(ready(world.command(&Unknown {})).unwrap_err().contains("NO_ROUTE"));
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Unknown {}
impl Command for Unknown {
    const MODULE: &'static str = "shop";
    const NAME: &'static str = "Unknown";
    type Reply = ();
    type Refusal = Common;
}

mod in_one_line {
    use super::*;
    async fn right() -> Case {
        case(Bugs::default()).await
    }
    fn shop_stage() -> Stage {
        stage(Bugs::default())
    }
    saga_testkit::saga_laws!(an_order, right, |world: &World| world.effects.sum("cents"));
    saga_testkit::module_laws!(charging, shop_stage, |_: &mut Stage| Charge { cents: 1 }, |stage: &Stage| cents(
        &stage.log()
    ));
}
