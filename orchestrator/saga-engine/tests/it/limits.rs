//! Where something begins and ends, to the microsecond and to the try: one before is not yet, one after is too many.
#![expect(clippy::unwrap_used, reason = "what tests share speaks by panicking")]

use crate::everything::{Slot, everything, free, hold};
use crate::ledger::{Put, ledger};
use crate::linear::{Approval, Linear, linear};
use saga_core::control::OrderKind;
use saga_core::definition::Definition;
use saga_core::event::EventSet;
use saga_core::fact::SagaFact;
use saga_core::id::{Direction, Position, SagaId, StepKey};
use saga_core::json::Payload;
use saga_core::outcome::{Answer, Refused};
use saga_core::policy::{AtMost, Deadline, Retry};
use saga_core::saga::{Plan, Saga, define};
use saga_core::step::{Gate, In, Item, Out, Step};
use saga_core::time::Timestamp;
use saga_core::uuid::Uuid;
use saga_core::view::SagaState;
use saga_engine::execution::{Execution, Signal};
use saga_testkit::laws::saga::Case;
use saga_testkit::stage::{STAGE_TIME, ready};
use saga_testkit::world::{Faults, World};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;

fn case_of<S: Saga>(input: &S) -> Case {
    let mut world = ready(World::new(vec![define::<S>()], vec![ledger()])).unwrap();
    let saga = world.start(input).unwrap();
    Case { world, saga, answer: |_, _| {} }
}
fn story(case: &Case) -> Vec<String> {
    ready(case.world.story(case.saga)).unwrap()
}
/// The names of the facts that time alone makes at this moment.
fn due_at(exec: &Execution, now: Timestamp) -> Vec<&'static str> {
    exec.clone().decide(Signal::Due, now).facts.iter().map(EventSet::name).collect()
}
/// At this moment, and not a microsecond before, time makes this fact first.
fn falls_due(exec: &Execution, at: Timestamp, fact: &str) {
    assert_eq!(exec.next_due(), Some(at), "{fact}");
    assert_eq!(due_at(exec, Timestamp(at.0 - 1)), Vec::<&str>::new(), "before {fact}");
    assert_eq!(due_at(exec, at).first(), Some(&fact));
}

const NEVER: Gate<bool> = Gate::named("never");
/// Waits for three days at a gate, and for two as a whole.
#[derive(Debug, Serialize, Deserialize)]
struct Short {}
impl Saga for Short {
    const NAME: &'static str = "short";
    const VERSION: u16 = 1;
    fn plan(plan: Plan) -> Definition {
        plan.deadline(Deadline::days(2)).step("a", hold, free).wait("gate", NEVER, Deadline::days(3)).end()
    }
}

#[test]
fn what_falls_due_does_so_to_the_microsecond() {
    // The deadline of the whole saga, which is nearer than its gate's.
    let mut case = case_of(&Short {});
    ready(case.world.run()).unwrap();
    let exec = ready(case.world.saga(case.saga)).unwrap();
    falls_due(&exec, exec.started_at().plus(Duration::from_secs(2 * 86_400)), "CompensationStarted");
    // A gate's own, counted from its opening.
    let mut case = ready(linear());
    ready(case.world.run()).unwrap();
    let exec = ready(case.world.saga(case.saga)).unwrap();
    falls_due(&exec, exec.moved_at().plus(Duration::from_secs(2 * 86_400)), "TimerFired");
    // The patience of a try, and the pause behind it.
    let mut case = ready(linear());
    case.world.faults.silence = Some(("a".to_owned(), false));
    ready(case.world.run_for(2)).unwrap();
    let exec = ready(case.world.saga(case.saga)).unwrap();
    falls_due(&exec, exec.moved_at().plus(Duration::from_secs(30)), "StepRetryScheduled");
    let mut exec = exec;
    let decided = exec.decide(Signal::Due, STAGE_TIME.plus(Duration::from_secs(30)));
    let [SagaFact::StepRetryScheduled(fact)] = decided.facts.as_slice() else { panic!("{:?}", decided.facts) };
    falls_due(&exec, fact.due, "StepDispatched");
}

#[derive(Debug, Serialize, Deserialize)]
struct Tries {
    number: u32,
}
macro_rules! tries {
    ($name:ident: $tries:expr) => {
        #[derive(Debug, Serialize, Deserialize)]
        struct $name(Tries);
        impl Saga for $name {
            const NAME: &'static str = "tries";
            const VERSION: u16 = 1;
            fn plan(plan: Plan) -> Definition {
                let retry = Retry::brief().tries($tries);
                plan.ask("a", |In(job): In<$name>| Put::of(job.0.number.to_string()))
                    .retry(retry)
                    .undo_retry(retry)
                    .ask("b", |In(job): In<$name>| Put::of(job.0.number.to_string()))
                    .end()
            }
        }
    };
}
tries!(One: 1);
tries!(Two: 2);
tries!(Seven: 7);

fn counts<S: Saga>(input: &S, wanted: usize) {
    let many = |case: &Case, fact: &str| story(case).iter().filter(|told| *told == fact).count();
    let mut case = case_of(input);
    case.world.faults.silence = Some(("a".to_owned(), false));
    assert_eq!(ready(case.run()).unwrap(), SagaState::Compensated);
    assert_eq!(many(&case, "StepDispatched a"), wanted, "{wanted} tries");
    assert_eq!(many(&case, "StepRetryScheduled a"), wanted - 1, "{wanted} tries");
    let mut case = case_of(input);
    case.world.faults =
        Faults { refuse: Some("b".to_owned()), undo_silence: Some("a".to_owned()), ..Faults::default() };
    assert_eq!(ready(case.run()).unwrap(), SagaState::UndoFailed);
    assert_eq!(many(&case, "CompensationDispatched a"), wanted, "undo, {wanted} tries");
}

#[test]
fn a_silent_step_and_a_silent_undo_are_tried_as_often_as_they_may_and_not_once_more() {
    counts(&One(Tries { number: 1 }), 1);
    counts(&Two(Tries { number: 1 }), 2);
    counts(&Seven(Tries { number: 1 }), 7);
}

/// What a replay has to wait for is what was waited for: the dice are these for ever, for this seed, key and try.
#[test]
fn jitter_follows_from_seed_key_and_try_and_from_nothing_else() {
    let key = |number: u128| StepKey::from_uuid(Uuid::from_u128(number));
    let pause = |attempt, number, seed| Retry::brief().pause(attempt, key(number), seed).as_micros();
    let known = [pause(1, 1, 1), pause(2, 1, 1), pause(1, 2, 1), pause(1, 1, 2), pause(1, 1 << 64, 1), pause(9, 1, 1)];
    assert_eq!(known, KNOWN);
    // Two coordinators with seeds of their own do not come back together.
    let due = |seed: u64| {
        let definition = Arc::new(define::<Linear>());
        let mut exec = Execution::new(SagaId(Uuid::from_u128(3)), Some(Arc::clone(&definition)), seed);
        let input = Payload::of(&Linear { note: 1 }).unwrap();
        let started = definition.begin("k".to_owned(), input, None);
        exec.decide(Signal::Begun(started), STAGE_TIME);
        let decided = exec.decide(Signal::Due, STAGE_TIME.plus(Duration::from_secs(30)));
        let [SagaFact::StepRetryScheduled(fact)] = decided.facts.as_slice() else { panic!("{:?}", decided.facts) };
        fact.due
    };
    let seeds: std::collections::BTreeSet<Timestamp> = (0..20).map(due).collect();
    assert_eq!((seeds.len(), due(3)), (20, due(3)));
}
const KNOWN: [u128; 6] = [184_366, 637_818, 318_909, 697_453, 439_785, 35_921_904];

macro_rules! crowd {
    ($name:ident: $at_most:expr, $may_fail:expr) => {
        #[derive(Debug, Serialize, Deserialize)]
        struct $name {}
        impl Saga for $name {
            const NAME: &'static str = "crowd";
            const VERSION: u16 = 1;
            fn plan(plan: Plan) -> Definition {
                plan.each("items", five, AtMost($at_most), |p| {
                    p.ask("put", |Item(item): Item<u32>| Put::of(item.to_string()))
                })
                .may_fail($may_fail)
                .end()
            }
        }
    };
}
fn five() -> Vec<u32> {
    vec![0, 1, 2, 3, 4]
}
crowd!(Alone: 1, 0);
crowd!(Pair: 2, 0);
crowd!(Four: 4, 0);
crowd!(Five: 5, 0);
crowd!(Many: 9, 0);
crowd!(PairOfWhichOneMayFail: 2, 1);
crowd!(PairOfWhichTwoMayFail: 2, 2);

/// How many branches were under way at once, at the most.
fn side_by_side<S: Saga>(input: &S) -> usize {
    let mut most = 0;
    for seed in 0..8 {
        let mut case = case_of(input);
        case.world.shuffle = Some(seed);
        assert_eq!(ready(case.run()).unwrap(), SagaState::Completed);
        let mut now = 0_usize;
        for fact in story(&case) {
            now += usize::from(fact.starts_with("StepDispatched"));
            now -= usize::from(fact.starts_with("StepSucceeded"));
            most = most.max(now);
        }
    }
    most
}

#[test]
fn as_many_branches_as_may_run_side_by_side_do_and_not_one_more() {
    let most = [side_by_side(&Alone {}), side_by_side(&Pair {}), side_by_side(&Four {}), side_by_side(&Five {})];
    assert_eq!((most, side_by_side(&Many {})), ([1, 2, 4, 5], 5));
}

#[test]
fn as_many_branches_as_may_fail_fail_and_not_one_more() {
    fn ends<S: Saga>(input: &S, refused: &[u32]) -> SagaState {
        let mut case = case_of(input);
        for _ in 0..50 {
            ready(case.world.run_for(1)).unwrap();
            for item in refused {
                let path = format!("items[{item}]/put");
                let exec = ready(case.world.saga(case.saga)).unwrap();
                if exec.is_under_way(&path, Direction::Do, 1) {
                    // It is asked and the module's own answer has not come yet, or comes too late.
                    let of = exec.answering(&path, Direction::Do);
                    let answer = Answer::Refused(Refused::new("NO", "no"));
                    case.world.tell(case.saga, Signal::Answered { of, answer });
                }
            }
        }
        ready(case.run()).unwrap()
    }
    assert_eq!(ends(&Pair {}, &[]), SagaState::Completed);
    assert_eq!(ends(&PairOfWhichOneMayFail {}, &[3]), SagaState::Completed);
    assert_eq!(ends(&PairOfWhichOneMayFail {}, &[1, 3]), SagaState::Compensated);
    assert_eq!(ends(&PairOfWhichTwoMayFail {}, &[1, 3]), SagaState::Completed);
    assert_eq!(ends(&PairOfWhichTwoMayFail {}, &[1, 2, 3]), SagaState::Compensated);
    assert_eq!(ends(&Pair {}, &[4]), SagaState::Compensated);
}

#[derive(Debug, Serialize, Deserialize)]
struct Both {}
impl Saga for Both {
    const NAME: &'static str = "both";
    const VERSION: u16 = 1;
    fn plan(plan: Plan) -> Definition {
        plan.all("both", |all| {
            all.branch("left", |p| p.ask("left-1", || Put::of("l1")).step("left-2", hold, free))
                .branch("right", |p| p.step("right-1", hold_right, free).ask("right-2", || Put::of("r2")))
        })
        .end()
    }
}
#[derive(Debug, Serialize, Deserialize)]
struct Right(StepKey);
async fn hold_right(key: StepKey) -> Step<Right> {
    Ok(Right(key))
}

/// The refusal of one branch and the answer of the other come in one decision, in either order, or one after the other.
#[test]
fn nothing_begins_after_a_branch_has_failed() {
    for seed in 0..64 {
        for refuse in ["both/left/left-1", "both/right/right-1", "both/right/right-2", "both/left/left-2"] {
            for late in [false, true] {
                let mut case = case_of(&Both {});
                case.world.shuffle = Some(seed);
                case.world.faults = Faults { refuse: Some(refuse.to_owned()), late, ..Faults::default() };
                assert_eq!(ready(case.run()).unwrap(), SagaState::Compensated);
                let story = story(&case);
                let failed = story.iter().position(|fact| fact.starts_with("StepFailed")).unwrap();
                let begun = story[failed..].iter().find(|fact| fact.starts_with("StepDispatched"));
                assert_eq!(begun, None, "{refuse}, seed {seed}: {story:#?}");
                ready(case.audited()).unwrap();
            }
        }
    }
}

#[test]
fn a_body_is_repeated_as_often_as_it_may_and_not_once_more() {
    let mut case = ready(everything());
    case.answer = |world, saga| {
        let opening = ready(world.opening(saga, "approval")).unwrap();
        let data = Payload::of(&Approval { yes: false }).unwrap();
        world.order(saga, OrderKind::Signal { gate: "approval".to_owned(), data, opening });
    };
    assert_eq!(ready(case.run()).unwrap(), SagaState::Compensated);
    let story = story(&case);
    assert_eq!(story.iter().filter(|fact| fact.starts_with("RoundEnded")).count(), 3, "{story:#?}");
    let tries = story.iter().filter(|fact| fact.starts_with("StepDispatched rounds#")).count();
    assert_eq!(tries, 3, "{story:#?}");
}

/// While a saga is paused both branches are answered; what goes on afterwards sees the failure before it begins anything.
#[test]
fn a_pause_hides_no_failed_branch() {
    for refuse in ["both/left/left-1", "both/right/right-1"] {
        let mut case = case_of(&Both {});
        ready(case.world.run_for(1)).unwrap();
        case.world.faults.refuse = Some(refuse.to_owned());
        case.world.order(case.saga, OrderKind::Pause);
        ready(case.world.run()).unwrap();
        assert_eq!(ready(case.world.state(case.saga)).unwrap(), SagaState::Paused);
        let answered = story(&case);
        assert_eq!(answered.iter().filter(|fact| fact.starts_with("StepSucceeded")).count(), 1, "{answered:?}");
        case.world.order(case.saga, OrderKind::Resume);
        assert_eq!(ready(case.run()).unwrap(), SagaState::Compensated);
        let begun = story(&case).iter().filter(|fact| fact.starts_with("StepDispatched")).count();
        assert_eq!(begun, 2, "{refuse}: {:#?}", story(&case));
    }
}

#[test]
fn several_tries_have_one_key_and_one_effect() {
    let mut case = case_of(&Keys {});
    case.world.faults.silence = Some(("note".to_owned(), true));
    while story(&case).iter().filter(|fact| *fact == "StepDispatched note").count() < 3 {
        assert!(!ready(case.world.run_for(1)).unwrap(), "it is tried again");
    }
    case.world.faults = Faults::default();
    assert_eq!(ready(case.run()).unwrap(), SagaState::Completed);
    let log = ready(case.world.logs()[1].1.read_log(Position::ZERO, usize::MAX)).unwrap();
    assert_eq!(log.len(), 1, "{:?}", story(&case));
    ready(case.audited()).unwrap();
}
#[derive(Debug, Serialize, Deserialize)]
struct Keys {}
impl Saga for Keys {
    const NAME: &'static str = "keys";
    const VERSION: u16 = 1;
    fn plan(plan: Plan) -> Definition {
        plan.step("slot", hold, free).ask("note", |Out(_): Out<Slot>| Put::of("once")).end()
    }
}
