//! Orders and starts under request ids and revisions, and what becomes of facts that no store keeps.
#![expect(clippy::unwrap_used, reason = "what tests share speaks by panicking")]

use crate::linear::linear;
use saga_core::codes;
use saga_core::control::OrderKind;
use saga_core::envelope::Actor;
use saga_core::event::EventSet;
use saga_core::fact::{By, SagaFact};
use saga_core::id::{Direction, RequestId, SagaId, StepKey, Version};
use saga_core::json::Payload;
use saga_core::outcome::Answer;
use saga_core::saga::define;
use saga_core::time::Timestamp;
use saga_core::view::SagaState;
use saga_engine::execution::{Accepted, Answering, Ordered, Signal};
use saga_engine::machine::Machine;
use saga_engine::machine::coordinator::{Coordinator, In, Out, Told};
use saga_testkit::stage::ready;
use saga_testkit::world::World;
use std::collections::BTreeMap;
use std::sync::Arc;
use uuid::Uuid;

/// What a caller was told, in one word.
pub(crate) fn code(told: &Told) -> &'static str {
    match told {
        Told::Refused(refusal) => refusal.code.id,
        Told::Accepted(Accepted::Now) => "now",
        Told::Accepted(Accepted::Before) => "before",
        Told::Started { repeated: true } => "again",
        Told::Started { repeated: false } => "started",
        Told::Taken => "taken",
    }
}

#[test]
fn a_request_id_stands_for_one_whole_order() {
    let mut case = ready(linear());
    ready(case.world.run()).unwrap();
    let note = |text: &str| OrderKind::Note(text.to_owned());
    let signal =
        |data: &str| OrderKind::Signal { gate: "approval".to_owned(), data: Payload::trusted(data), opening: None };
    let orders = [
        (1, note("approve only after legal"), "r", "now"),
        (1, note("approve only after legal"), "r", "before"),
        (1, note("do not approve"), "r", "SG0210"),
        (1, note("approve only after legal"), "another reason", "SG0210"),
        (1, OrderKind::Pause, "r", "SG0210"),
        (2, OrderKind::Pause, "r", "now"),
        (3, OrderKind::Resume, "r", "now"),
        (2, OrderKind::Pause, "r", "before"),
        (4, signal(r#"{"yes":true}"#), "r", "now"),
        (4, signal(r#"{"yes":true}"#), "r", "before"),
        (4, signal(r#"{"yes":false}"#), "r", "SG0210"),
    ];
    for crash in [false, true] {
        for (number, (id, kind, reason, wanted)) in orders.iter().enumerate() {
            let request = Some(RequestId(Uuid::from_u128(*id)));
            let by = By { actor: Actor::operator("dana"), reason: Some((*reason).to_owned()), request };
            if crash {
                // Another coordinator knows it from the log alone.
                ready(case.world.crash()).unwrap();
            }
            let ticket = case.world.order_as(case.saga, Ordered { by, kind: kind.clone(), if_rev: None });
            ready(case.world.run()).unwrap();
            let wanted = if crash && *wanted == "now" { "before" } else { wanted };
            assert_eq!(code(&case.world.told[&ticket]), wanted, "order {number}");
        }
    }
}

#[test]
fn a_request_id_that_another_saga_has_is_refused() {
    let mut case = ready(linear());
    let other = case.world.start(&crate::linear::Linear { note: 8 }).unwrap();
    ready(case.world.run()).unwrap();
    let note = |text: &str| {
        let by = By { actor: Actor::operator("dana"), reason: None, request: Some(RequestId(Uuid::from_u128(9))) };
        Ordered { by, kind: OrderKind::Note(text.to_owned()), if_rev: None }
    };
    for (saga, text, wanted) in
        [(case.saga, "one", "now"), (other, "one", "SG0210"), (other, "two", "SG0210"), (case.saga, "one", "before")]
    {
        let ticket = case.world.order_as(saga, note(text));
        ready(case.world.run()).unwrap();
        assert_eq!(code(&case.world.told[&ticket]), wanted, "{saga} {text}");
    }
    assert!(!ready(case.world.story(other)).unwrap().contains(&"OperatorNote".to_owned()));
}

#[test]
fn a_start_under_the_request_id_of_another_start_is_refused() {
    let mut world = ready(World::new(vec![define::<crate::linear::Linear>()], vec![crate::ledger::ledger()])).unwrap();
    let started = |key: &str, note: u32| {
        let by = By { actor: Actor::operator("dana"), reason: None, request: Some(RequestId(Uuid::from_u128(5))) };
        let definition = define::<crate::linear::Linear>();
        let input = Payload::of(&crate::linear::Linear { note }).unwrap();
        definition.begin(key.to_owned(), input, Some(by))
    };
    let (one, two) = (SagaId(Uuid::from_u128(0x51)), SagaId(Uuid::from_u128(0x52)));
    for (saga, key, note, wanted) in
        [(one, "a", 1, "started"), (two, "b", 1, "SG0210"), (one, "a", 1, "again"), (one, "a", 2, "SG0203")]
    {
        let ticket = world.start_as(saga, started(key, note));
        ready(world.run()).unwrap();
        assert_eq!(code(&world.told[&ticket]), wanted, "{key} {note}");
    }
    assert!(ready(world.story(two)).unwrap().is_empty());
}

#[test]
fn an_order_for_a_saga_that_moved_on_is_refused() {
    let mut case = ready(linear());
    ready(case.world.run()).unwrap();
    let rev = ready(case.world.saga(case.saga)).unwrap().rev();
    let mut order = |request: u128, if_rev: Version| {
        let by =
            By { actor: Actor::operator("dana"), reason: None, request: Some(RequestId(Uuid::from_u128(request))) };
        let ordered = Ordered { by, kind: OrderKind::Note("seen".to_owned()), if_rev: Some(if_rev) };
        let ticket = case.world.order_as(case.saga, ordered);
        ready(case.world.run()).unwrap();
        case.world.told.remove(&ticket).unwrap()
    };
    assert_eq!(code(&order(1, Version(rev.0 - 1))), "SG0106");
    assert_eq!(code(&order(2, rev)), "now");
    assert_eq!(code(&order(3, rev)), "SG0106");
    // A caller that repeats a recorded order hears that it was recorded, whatever has happened since.
    assert_eq!(code(&order(2, rev)), "before");
    let Told::Refused(refusal) = order(4, rev) else { panic!("refused") };
    assert!(refusal.message.contains(&format!("it has {} facts now", rev.0 + 1)), "{}", refusal.message);
    assert_eq!(refusal.code, codes::REVISION_CHANGED);
}

/// A coordinator alone, with a store that says what the test says.
struct Alone {
    coordinator: Coordinator,
    saga: SagaId,
    log: Vec<(SagaFact, Timestamp)>,
}
impl Alone {
    fn new() -> Self {
        let definition = define::<crate::linear::Linear>();
        let known = BTreeMap::from([((definition.name.to_owned(), definition.version), Arc::new(definition))]);
        Alone { coordinator: Coordinator::new(Arc::new(known), 7), saga: SagaId(Uuid::from_u128(7)), log: Vec::new() }
    }
    /// Feeds an input; commits are refused for good while `refuses` says so of their facts.
    fn feed(&mut self, input: In, refuses: impl Fn(&SagaFact) -> bool) -> Vec<(u64, Told)> {
        let (mut inputs, mut told) = (vec![input], Vec::new());
        let now = Timestamp(1_700_000_000_000_000);
        for turn in 0.. {
            assert!(turn < 100, "it goes round and round");
            let Some(input) = inputs.pop() else { break };
            let mut out = Vec::new();
            self.coordinator.step(now, input, &mut out);
            for output in out {
                match output {
                    Out::Commit { saga, facts, at, .. } => match facts.iter().find(|fact| refuses(fact)) {
                        Some(_) => inputs.push(In::Rejected { saga, step: None, why: "never".to_owned() }),
                        None => {
                            self.log.extend(facts.into_iter().map(|fact| (fact, at)));
                            inputs.push(In::Committed { saga });
                        }
                    },
                    Out::Load { saga, .. } => inputs.push(In::Loaded { saga, history: self.log.clone() }),
                    Out::Tell { ticket, what } => told.push((ticket, what)),
                    Out::Perform { .. }
                    | Out::Moved { .. }
                    | Out::Stray { .. }
                    | Out::HandOn { .. }
                    | Out::AskQueue { .. }
                    | Out::Counted { .. } => {}
                }
            }
        }
        told
    }
    fn start(&mut self, refuses: impl Fn(&SagaFact) -> bool) -> Vec<(u64, Told)> {
        let definition = define::<crate::linear::Linear>();
        let started = definition.begin("k".to_owned(), Payload::of(&crate::linear::Linear { note: 1 }).unwrap(), None);
        let saga = self.saga;
        self.feed(In::Signal { saga, signal: Signal::Begun(started), ticket: Some(1) }, refuses)
    }
    fn signal(&mut self, signal: Signal, ticket: u64, refuses: impl Fn(&SagaFact) -> bool) -> Vec<(u64, Told)> {
        let saga = self.saga;
        self.feed(In::Signal { saga, signal, ticket: Some(ticket) }, refuses)
    }
    fn done(&mut self, step: &str, refuses: impl Fn(&SagaFact) -> bool) -> Vec<(u64, Told)> {
        let answer = Answer::Done { output: Payload::null() };
        // The saga may not be in memory any more.
        let key = StepKey::derive(self.saga.0, step, Direction::Do);
        let module = Some("ledger".to_owned());
        let of = Answering { step: step.to_owned(), direction: Direction::Do, attempt: 1, key, module };
        let signal = Signal::Answered { of, answer };
        self.signal(signal, 2, refuses)
    }
    fn names(&self) -> Vec<&'static str> {
        self.log.iter().map(|(fact, _)| fact.name()).collect()
    }
}

#[test]
fn a_fact_that_no_store_keeps_parks_its_step_and_orders_are_still_answered() {
    let mut alone = Alone::new();
    assert_eq!(code(&alone.start(|_| false)[0].1), "started");
    let told = alone.done("a", |fact| matches!(fact, SagaFact::StepSucceeded(_)));
    assert_eq!(code(&told[0].1), "taken", "a reply is acknowledged, or it comes for ever");
    assert_eq!(alone.names(), ["SagaStarted", "StepDispatched", "SagaParked"]);
    let exec = alone.coordinator.saga(alone.saga).unwrap();
    assert_eq!((exec.state(), exec.row().waiting[0].last.as_deref()), (SagaState::Parked, Some("never")));
    let by = || By { actor: Actor::operator("dana"), reason: Some("why".to_owned()), request: None };
    let order = |kind| Signal::Ordered(Ordered { by: by(), kind, if_rev: None });
    let told = alone.signal(order(OrderKind::Note("n".to_owned())), 3, |_| false);
    assert_eq!(code(&told[0].1), "now");
    let told =
        alone.signal(order(OrderKind::Note("n".to_owned())), 4, |fact| matches!(fact, SagaFact::OperatorNote(_)));
    assert_eq!(code(&told[0].1), "SG0103", "an order that cannot be kept is refused, and parks nothing");
    let told = alone.signal(order(OrderKind::Cancel { abandon: false }), 5, |_| false);
    assert_eq!(code(&told[0].1), "now");
}

#[test]
fn a_start_that_no_store_keeps_is_refused_and_a_store_that_keeps_nothing_is_left_alone() {
    let mut alone = Alone::new();
    assert_eq!(code(&alone.start(|_| true)[0].1), "SG0103");
    assert_eq!(code(&alone.start(|_| false)[0].1), "started");
    // Not even the small fact: nothing goes round for ever, and the waiting caller is told.
    let told = alone.done("a", |_| true);
    assert_eq!(told.len(), 1);
    assert_eq!(code(&alone.done("a", |_| false)[0].1), "taken");
}

/// The caller has stopped waiting. An order that had to wait for the history, or for a commit that then did not happen,
/// is not begun; an order that was committed meanwhile is done, and says so.
#[test]
fn an_order_that_nobody_waits_for_any_more_is_not_begun() {
    let order = |ticket| {
        let kind = OrderKind::Note("n".to_owned());
        let by = By { actor: Actor::operator("dana"), reason: None, request: None };
        let signal = Signal::Ordered(Ordered { by, kind, if_rev: None });
        In::Signal { saga: SagaId(Uuid::from_u128(7)), signal, ticket: Some(ticket) }
    };
    let told = |out: &[Out]| -> Vec<(u64, &'static str)> {
        let told = out.iter().filter_map(|out| match out {
            Out::Tell { ticket, what } => Some((*ticket, code(what))),
            _ => None,
        });
        told.collect()
    };
    let commits = |out: &[Out]| out.iter().filter(|out| matches!(out, Out::Commit { .. })).count();
    for fails in [false, true] {
        let mut alone = Alone::new();
        alone.start(|_| false);
        let (saga, mut now) = (alone.saga, Timestamp(1_700_000_000_000_000));
        let mut step = |input: In| {
            now.0 += 1;
            let mut out = Vec::new();
            alone.coordinator.step(now, input, &mut out);
            out
        };
        assert_eq!(commits(&step(order(3))), 1, "it is at its commit");
        assert!(told(&step(order(4))).is_empty(), "and this one waits its turn");
        assert_eq!(told(&step(In::GivenUp { saga, ticket: 4 })), [(4, "SG0221")]);
        assert!(step(In::GivenUp { saga, ticket: 3 }).is_empty(), "nobody knows yet");
        if fails {
            step(In::NotCommitted { saga });
            assert_eq!(told(&step(In::GivenUp { saga, ticket: 3 })), [(3, "SG0221")]);
            let out = step(In::Loaded { saga, history: alone.log.clone() });
            assert_eq!((commits(&out), told(&out)), (0, vec![]));
        } else {
            let out = step(In::Committed { saga });
            assert_eq!((commits(&out), told(&out)), (0, vec![(3, "now")]));
        }
    }
}
