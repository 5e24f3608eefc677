//! The saga with its five real modules, on fakes: the four laws, and its story told by its events.

use crate::api::dtos::{ClientToDelivery, PrintedProof, STRATEGY_APPROVED, StrategyDecision};
use crate::api::foreign::{
    BookPickup, BookRefused, Booked, CancelPickup, CancelProof, PrintProof, PrintRefused, Printed,
};
use saga_core::control::OrderKind;
use saga_core::event::Owner;
use saga_core::id::SagaId;
use saga_core::json::Payload;
use saga_core::module::{Cx, Halt, Handled, Module};
use saga_core::ports::Clock;
use saga_core::saga::{Saga, define};
use saga_core::view::SagaState;
use saga_testkit::harness::Harness;
use saga_testkit::laws::saga::Case;
use saga_testkit::saga_laws;
use saga_testkit::stage::ready;
use saga_testkit::world::World;

mod door;
mod numbers;

/// The five modules, on fakes.
fn modules() -> Vec<Module> {
    vec![
        onboarding::module(onboarding::api::fakes::needs()),
        strategy::module(strategy::api::fakes::needs()),
        production::module(production::api::fakes::fakes().2),
        qc::module(qc::api::fakes::harness()),
        delivery::module(delivery::api::fakes::Fakes::default().needs()),
    ]
}
fn harness() -> Harness {
    Harness::of(modules()).saga::<ClientToDelivery>()
}
fn brief(change: impl FnOnce(&mut serde_json::Value)) -> ClientToDelivery {
    let example = ClientToDelivery::example().unwrap();
    let mut brief = serde_json::to_value(example).unwrap();
    brief["content_plan"] =
        serde_json::json!([{ "platform": "linkedin", "format": "post", "language": "en", "count": 2 }]);
    change(&mut brief);
    serde_json::from_value(brief).unwrap()
}
async fn one_brief() -> Case {
    harness().case(&brief(|_| {}), approve)
}
fn decision(approved: bool) -> StrategyDecision {
    StrategyDecision { approved, by: Some("dana".to_owned()), note: Some("noted".to_owned()) }
}
/// One that a client approves at once.
fn approved(input: &ClientToDelivery) -> (Harness, SagaId) {
    let mut agency = harness();
    let saga = agency.start(input);
    agency.answer(saga, &STRATEGY_APPROVED, &decision(true));
    (agency, saga)
}
fn approve(world: &mut World, saga: SagaId) {
    let data = Payload::of(&decision(true)).unwrap();
    let opening = ready(world.opening(saga, STRATEGY_APPROVED.name)).unwrap();
    world.order(saga, OrderKind::Signal { gate: STRATEGY_APPROVED.name.to_owned(), data, opening });
}

saga_laws!(the_laws, one_brief);

#[test]
fn the_plan_is_sound() {
    define::<ClientToDelivery>().check().unwrap();
    assert!(ClientToDelivery::example().is_some());
}

#[test]
fn a_rejected_strategy_is_written_again() {
    let mut agency = harness();
    let saga = agency.start(&brief(|_| {}));
    agency.answer(saga, &STRATEGY_APPROVED, &decision(false));
    agency.answer(saga, &STRATEGY_APPROVED, &decision(true));
    assert_eq!(agency.state(saga), SagaState::Completed);
    assert!(agency.story(saga).contains(&"StepSucceeded strategy#2/yes/approve".to_owned()));
}

#[test]
fn two_runs_over_five_modules_write_the_same_bytes_and_another_seed_writes_others() {
    let run = |seed| {
        let mut agency = Harness::seeded(seed, modules()).saga::<ClientToDelivery>();
        let saga = agency.start(&brief(|_| {}));
        agency.answer(saga, &STRATEGY_APPROVED, &decision(true));
        assert_eq!(agency.state(saga), SagaState::Completed);
        agency.check();
        agency.dump()
    };
    let first = run(1);
    for module in ["orchestration", "onboarding", "strategy", "production", "qc", "delivery"] {
        assert!(first.lines().any(|line| line.starts_with(module)), "{module} wrote nothing");
    }
    assert_eq!(run(1), first);
    assert_ne!(run(2), first);
}

#[test]
fn a_broker_that_is_away_after_the_approval_turns_no_saga_back() {
    let mut case = ready(one_brief());
    ready(case.world.run()).unwrap();
    // Strategy hears the decision and answers; what it tells the others stays with it.
    case.world.faults.lags = true;
    approve(&mut case.world, case.saga);
    let since = case.world.clock.now();
    ready(case.world.run_for(400)).unwrap();
    assert!(case.world.clock.now().since(since) > std::time::Duration::from_secs(600), "ten minutes and more");
    let row = ready(case.world.saga(case.saga)).unwrap().row();
    assert_eq!((row.state, row.step.as_deref()), (SagaState::Retrying, Some("generate-draft")), "{row:?}");
    let why = row.reason.unwrap();
    assert!(why.contains("was not heard of yet: strategy is read up to event"), "{why}");
    assert!(row.attempt.unwrap().0 > 6, "more answers than there were tries: {:?}", row.attempt);
    case.world.faults.lags = false;
    assert_eq!(ready(case.run()).unwrap(), SagaState::Completed);
    ready(case.audited()).unwrap();
}

#[test]
fn a_forbidden_word_that_stands_in_a_piece_alone_is_not_delivered() {
    // The writer of the fakes ends every piece with these words, and no draft.
    let forbidden = |words: &'static str| {
        let avoided = brief(|brief| brief["brief"]["constraints"]["must_avoid"] = serde_json::json!([words]));
        let (agency, saga) = approved(&avoided);
        (agency.state(saga), agency.show(saga).row.reason.unwrap_or_default())
    };
    assert_eq!(forbidden("Book a call").0, SagaState::Completed);
    let (state, why) = forbidden("Book a demo");
    assert_eq!((state, why.as_str()), (SagaState::Compensated, "not satisfied after 3 rounds"));
}

#[test]
fn three_rejections_undo_everything() {
    let mut agency = harness();
    let saga = agency.start(&brief(|_| {}));
    (0..3).for_each(|_| agency.answer(saga, &STRATEGY_APPROVED, &decision(false)));
    assert_eq!(agency.state(saga), SagaState::Compensated);
    assert!(agency.show(saga).row.reason.unwrap().contains("3 rounds"));
}

struct Printshop;
impl Owner for Printshop {
    const MODULE: &'static str = "printshop";
}
struct Courier;
impl Owner for Courier {
    const MODULE: &'static str = "courier";
}

/// The two modules of other languages, as far as this saga can see them.
fn shops() -> Vec<Module> {
    async fn print(cx: Cx<()>, job: PrintProof) -> Handled<PrintProof> {
        match job.copies.get() {
            ..=1000 => Ok(cx.done(Printed { proof: cx.key() })),
            _ => Err(Halt::Refuse(PrintRefused::TooMany { max: 1000 })),
        }
    }
    async fn unprint(cx: Cx<()>, _: CancelProof) -> Handled<CancelProof> {
        Ok(cx.done(()))
    }
    async fn book(cx: Cx<()>, job: BookPickup) -> Handled<BookPickup> {
        match job.address.as_str() {
            "" => Err(Halt::Refuse(BookRefused::NoAddress)),
            _ => Ok(cx.done(Booked { pickup: cx.key() })),
        }
    }
    async fn unbook(cx: Cx<()>, _: CancelPickup) -> Handled<CancelPickup> {
        Ok(cx.done(()))
    }
    vec![
        Module::new::<Printshop, ()>("1.0", ()).command(print).command(unprint).build(),
        Module::new::<Courier, ()>("1.0", ()).command(book).command(unbook).build(),
    ]
}
fn printers() -> Harness {
    Harness::of(shops()).saga::<PrintedProof>()
}
async fn a_proof() -> Case {
    printers().case(&PrintedProof::example().unwrap(), |_, _| {})
}

saga_laws!(the_laws_of_a_printed_proof, a_proof);

#[test]
fn a_proof_without_an_address_is_taken_back_and_too_many_copies_leave_nothing_to_take_back() {
    let undone = |change: fn(&mut PrintedProof)| {
        let mut input = PrintedProof::example().unwrap();
        change(&mut input);
        let mut printers = printers();
        let saga = printers.start(&input);
        assert_eq!(printers.state(saga), SagaState::Compensated);
        printers.story(saga).iter().filter(|line| line.starts_with("StepCompensated")).cloned().collect::<Vec<_>>()
    };
    assert_eq!(undone(|input| input.address.clear()), ["StepCompensated print-proof"]);
    assert_eq!(undone(|input| input.copies = 1001.try_into().unwrap()), Vec::<String>::new());
}

#[test]
fn no_copies_are_not_an_input() {
    let input = r#"{"title":"Menu","copies":0,"address":"Quayside 4","parcels":1}"#;
    let misfits = define::<PrintedProof>().misfits(&Payload::parse(input).unwrap());
    let told: Vec<_> = misfits.iter().map(ToString::to_string).collect();
    assert_eq!(told, ["/copies is 0: expected a whole number from 1 to 4294967295, for example 1"]);
}
