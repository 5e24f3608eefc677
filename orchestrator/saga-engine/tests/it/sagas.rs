//! The heart, from outside: every word of a plan, both directions, orders, time, strangers, and the laws over them.
#![expect(clippy::unwrap_used, reason = "what tests share speaks by panicking")]

use crate::everything::{Slot, everything, free, hold};
use crate::linear::{APPROVAL, Approval, Linear, approve, linear};
use saga_core::control::OrderKind;
use saga_core::id::{Direction, SagaId};
use saga_core::json::Payload;
use saga_core::outcome::Answer;
use saga_core::policy::{AtMost, Deadline};
use saga_core::ports::Clock;
use saga_core::saga::{Plan, Saga, define};
use saga_core::step::{Item, Outs, Step, refuse};
use saga_core::view::SagaState;
use saga_engine::machine::coordinator::Told;
use saga_testkit::laws::saga::Case;
use saga_testkit::saga_laws;
use saga_testkit::stage::ready;
use saga_testkit::world::{Faults, World};
use serde::{Deserialize, Serialize};

saga_laws!(the_laws, everything);

#[test]
fn the_ledger_is_as_before_after_a_refusal() {
    let mut case = ready(everything());
    case.world.faults.refuse = Some("commit".to_owned());
    assert_eq!(ready(case.run()).unwrap(), SagaState::Compensated);
    let logs = case.world.logs();
    let log = ready(logs[1].1.read_log(saga_core::id::Position::ZERO, usize::MAX)).unwrap();
    let names = |name: &str| log.iter().filter(|event| event.name == name).count();
    assert_eq!((names("PutDown"), names("TakenBack")), (7, 7));
}

saga_laws!(linear_laws, linear);

fn undone(story: &[String]) -> Vec<&str> {
    story.iter().filter_map(|fact| fact.strip_prefix("StepCompensated ")).collect()
}

#[test]
fn a_refusal_undoes_in_reverse_order() {
    let mut case = ready(linear());
    case.world.faults.refuse = Some("d".to_owned());
    assert_eq!(ready(case.run()).unwrap(), SagaState::Compensated);
    assert_eq!(undone(&ready(case.world.story(case.saga)).unwrap()), ["c", "b", "a"]);
}

#[test]
fn silence_has_three_meanings() {
    for (step, happens, ending, undo) in [
        ("b", false, SagaState::Compensated, vec!["b", "a"]),
        ("c", false, SagaState::Compensated, vec!["c", "b", "a"]),
        ("d", true, SagaState::Parked, vec![]),
        ("p", true, SagaState::Parked, vec![]),
    ] {
        let mut case = ready(linear());
        case.world.faults.silence = Some((step.to_owned(), happens));
        assert_eq!(ready(case.run()).unwrap(), ending, "{step}");
        assert_eq!(undone(&ready(case.world.story(case.saga)).unwrap()), undo, "{step}");
    }
}

#[test]
fn a_parked_step_goes_on_when_the_weather_clears_and_a_person_retries() {
    for step in ["d", "p"] {
        let mut case = ready(linear());
        case.world.faults.silence = Some((step.to_owned(), true));
        assert_eq!(ready(case.run()).unwrap(), SagaState::Parked);
        case.world.faults = Faults::default();
        case.world.order(case.saga, OrderKind::Retry { step: None });
        assert_eq!(ready(case.run()).unwrap(), SagaState::Completed, "{step}");
    }
}

#[test]
fn a_refused_step_behind_the_pivot_gets_a_new_key_when_retried() {
    let mut case = ready(linear());
    case.world.faults.refuse = Some("t".to_owned());
    assert_eq!(ready(case.run()).unwrap(), SagaState::Parked);
    case.world.faults = Faults::default();
    case.world.order(case.saga, OrderKind::Retry { step: Some("t".to_owned()) });
    assert_eq!(ready(case.run()).unwrap(), SagaState::Completed);
}

#[test]
fn a_failing_undo_is_a_state_that_a_person_can_leave_in_two_ways() {
    for by_hand in [false, true] {
        let mut case = ready(linear());
        case.world.faults.refuse = Some("d".to_owned());
        case.world.faults.undo_silence = Some("b".to_owned());
        assert_eq!(ready(case.run()).unwrap(), SagaState::UndoFailed);
        assert_eq!(undone(&ready(case.world.story(case.saga)).unwrap()), ["c"]);
        case.world.faults = Faults::default();
        let order = if by_hand {
            OrderKind::Skip { step: "b".to_owned(), result: None }
        } else {
            OrderKind::Retry { step: Some("b".to_owned()) }
        };
        case.world.order(case.saga, order);
        assert_eq!(ready(case.run()).unwrap(), SagaState::Compensated);
    }
}

/// The rows that people see, at every moment of a saga that meets weather, with the moment of each.
fn rows_in_weather(faults: Faults) -> Vec<(saga_core::time::Timestamp, saga_core::view::SagaRow)> {
    let mut case = ready(linear());
    case.world.faults = faults;
    let mut rows = Vec::new();
    for _ in 0..20_000 {
        let rests = ready(case.world.run_for(1)).unwrap();
        let row = ready(case.world.saga(case.saga)).unwrap().row();
        let ended = row.state.is_end();
        let waits = row.state == SagaState::Waiting;
        rows.push((case.world.clock.now(), row));
        if ended {
            break;
        }
        if rests && waits {
            approve(&mut case.world, case.saga);
        }
    }
    assert!(rows.last().is_some_and(|(_, row)| row.state.is_end()), "it does not end: {:?}", rows.last());
    rows
}

#[test]
fn weather_is_shown_from_the_first_answer_in_the_words_of_the_module_and_needs_a_look_after_the_steps_deadline() {
    let rows = rows_in_weather(Faults { weather: Some(("b".to_owned(), false, 400)), ..Faults::default() });
    assert_eq!(rows.last().unwrap().1.state, SagaState::Completed);
    let first = rows.iter().position(|(_, row)| row.reason.as_deref() == Some("weather")).unwrap();
    let (since, _) = rows[first];
    let overdue = since.plus(std::time::Duration::from_millis(saga_core::policy::STEP_DEADLINE_MS));
    let in_weather = rows[first..].iter().take_while(|(_, row)| row.step.as_deref() == Some("b"));
    let (mut longest, mut looked) = (0, false);
    for (now, row) in in_weather {
        assert_eq!(row.state, SagaState::Retrying, "{row:?}");
        assert_eq!(row.reason.as_deref(), Some("weather"), "{row:?}");
        assert_eq!(row.attempt.unwrap().1, 0, "weather has no number of tries");
        assert_eq!(row.needs_attention(*now), *now >= overdue, "{row:?}");
        looked |= row.needs_attention(*now);
        let pause = row.waiting[0].until.unwrap().since(row.waiting[0].since);
        longest = longest.max(pause.as_millis());
    }
    assert!(looked && (30_000..=60_000).contains(&longest), "{longest}");
}

#[test]
fn silence_is_counted_without_the_weather_between() {
    let tries_of_b = |case: &Case| {
        let story = ready(case.world.story(case.saga)).unwrap();
        story.iter().filter(|fact| *fact == "StepDispatched b").count()
    };
    let silence = || Faults { silence: Some(("b".to_owned(), false)), ..Faults::default() };
    let mut case = ready(linear());
    case.world.faults = silence();
    assert_eq!(ready(case.run()).unwrap(), SagaState::Compensated);
    assert_eq!(tries_of_b(&case), 5);
    case = ready(linear());
    case.world.faults.weather = Some(("b".to_owned(), false, 30));
    ready(case.world.run_for(40)).unwrap();
    let in_weather = tries_of_b(&case);
    assert!(in_weather > 5, "more weather than there are tries: {in_weather}");
    case.world.faults = silence();
    assert_eq!(ready(case.run()).unwrap(), SagaState::Compensated);
    // The last of them may have been under way when the silence began.
    assert!((4..=5).contains(&(tries_of_b(&case) - in_weather)), "{in_weather}, then {}", tries_of_b(&case));
}

#[test]
fn a_gate_that_nobody_answers_turns_the_saga_back_at_its_deadline() {
    let mut case = ready(linear());
    ready(case.world.run()).unwrap();
    assert_eq!(ready(case.world.state(case.saga)).unwrap(), SagaState::Waiting);
    ready(case.world.let_deadline_pass()).unwrap();
    assert_eq!(ready(case.world.state(case.saga)).unwrap(), SagaState::Compensated);
    let shown = ready(case.world.saga(case.saga)).unwrap().row();
    assert!(shown.reason.unwrap().contains("nobody decided"));
}

#[test]
fn a_signal_before_its_gate_is_kept_and_used_once() {
    let mut case = ready(linear());
    approve(&mut case.world, case.saga);
    ready(case.world.run()).unwrap();
    assert_eq!(ready(case.world.state(case.saga)).unwrap(), SagaState::Completed);
    let story = ready(case.world.story(case.saga)).unwrap();
    assert_eq!(
        story.iter().filter(|fact| fact.starts_with("SignalReceived")).count(),
        2,
        "kept, then used: {story:#?}"
    );
    assert!(!story.iter().any(|fact| fact.starts_with("WaitStarted")));
}

#[test]
fn orders_are_refused_with_a_reason_when_they_make_no_sense() {
    let told = |case: &mut Case, kind: OrderKind| {
        let ticket = case.world.order(case.saga, kind);
        ready(case.world.run()).unwrap();
        case.world.told.remove(&ticket).unwrap()
    };
    let code = |told: Told| match told {
        Told::Refused(refused) => refused.code.id,
        other => panic!("{other:?}"),
    };
    let mut case = ready(linear());
    ready(case.world.run()).unwrap();
    let signal = |gate: &str, data: &str| OrderKind::Signal {
        gate: gate.to_owned(),
        data: Payload::parse(data).unwrap(),
        opening: None,
    };
    assert_eq!(code(told(&mut case, signal("nonsense", "{}"))), "SG0209");
    assert_eq!(code(told(&mut case, signal("approval", r#"{"yes":"perhaps"}"#))), "SG0102");
    assert_eq!(code(told(&mut case, OrderKind::Retry { step: None })), "SG0205");
    assert_eq!(code(told(&mut case, OrderKind::Resume)), "SG0205");
    assert_eq!(code(told(&mut case, OrderKind::Skip { step: "zzz".to_owned(), result: None })), "SG0209");
    approve(&mut case.world, case.saga);
    ready(case.world.run()).unwrap();
    assert_eq!(code(told(&mut case, OrderKind::Cancel { abandon: false })), "SG0205");
}

#[test]
fn pause_wins_against_work_in_flight_and_resume_goes_on() {
    let mut case = ready(linear());
    case.world.order(case.saga, OrderKind::Pause);
    ready(case.world.run()).unwrap();
    assert_eq!(ready(case.world.state(case.saga)).unwrap(), SagaState::Paused);
    let story = ready(case.world.story(case.saga)).unwrap();
    assert!(!story.contains(&"StepDispatched b".to_owned()), "{story:?}");
    case.world.order(case.saga, OrderKind::Resume);
    assert_eq!(ready(case.run()).unwrap(), SagaState::Completed);
}

#[test]
fn cancel_undoes_and_ends_as_cancelled_and_abandon_undoes_nothing() {
    for abandon in [false, true] {
        let mut case = ready(linear());
        ready(case.world.run()).unwrap();
        case.world.order(case.saga, OrderKind::Cancel { abandon });
        assert_eq!(ready(case.run()).unwrap(), SagaState::Cancelled);
        let story = ready(case.world.story(case.saga)).unwrap();
        assert_eq!(undone(&story), if abandon { vec![] } else { vec!["b", "a"] });
    }
}

#[test]
fn the_same_start_is_one_saga_and_another_input_is_refused() {
    let mut case = ready(linear());
    assert_eq!(ready(case.run()).unwrap(), SagaState::Completed);
    let again = case.world.start_keyed(case.saga, &Linear { note: 7 }, &case.saga.short()).unwrap();
    let other = case.world.start_keyed(case.saga, &Linear { note: 8 }, &case.saga.short()).unwrap();
    ready(case.world.run()).unwrap();
    assert_eq!(case.world.told[&again], Told::Started { repeated: true });
    assert!(matches!(&case.world.told[&other], Told::Refused(refused) if refused.code.id == "SG0203"));
}

#[test]
fn strange_messages_are_kept_and_change_nothing() {
    let mut case = ready(linear());
    assert_eq!(ready(case.run()).unwrap(), SagaState::Completed);
    let rev = ready(case.world.saga(case.saga)).unwrap().rev();
    let done = || Answer::Done { output: Payload::of("something else").unwrap() };
    ready(case.world.reply(case.saga, "a", Direction::Do, done())).unwrap();
    ready(case.world.reply(case.saga, "zzz", Direction::Do, done())).unwrap();
    ready(case.world.reply(SagaId(saga_core::uuid::Uuid::from_u128(99)), "a", Direction::Do, done())).unwrap();
    ready(case.world.run()).unwrap();
    let exec = ready(case.world.saga(case.saga)).unwrap();
    assert_eq!((exec.state(), exec.rev().0), (SagaState::Completed, rev.0 + 2));
    assert_eq!(exec.show(false).anomalies, 2);
    let log = ready(case.world.logs()[0].1.read_log(saga_core::id::Position::ZERO, usize::MAX)).unwrap();
    assert!(log.iter().any(|event| event.stream.category() == "orchestration_anomaly"));
}

/// A fan-out of which one branch may fail.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Tolerant;
impl Saga for Tolerant {
    const NAME: &'static str = "tolerant";
    const VERSION: u16 = 1;
    fn plan(plan: Plan) -> saga_core::definition::Definition {
        plan.each("each", three, AtMost(3), |p| p.step("hold", hold, free).step("work", work, free))
            .may_fail(1)
            .pivot("end", count)
            .end()
    }
}
fn three() -> Vec<u32> {
    vec![0, 1, 2]
}
async fn work(Item(item): Item<u32>) -> Step<u32> {
    if item == 1 { Err(refuse("one is too many")) } else { Ok(item) }
}
async fn count(Outs(items): Outs<u32>) -> Step<usize> {
    Ok(items.len())
}
async fn tolerant() -> Case {
    let mut world = World::new(vec![define::<Tolerant>()], vec![]).await.unwrap();
    let saga = world.start(&Tolerant).unwrap();
    Case { world, saga, answer: |_, _| {} }
}

#[test]
fn a_branch_that_may_fail_is_undone_alone() {
    let mut case = ready(tolerant());
    assert_eq!(ready(case.run()).unwrap(), SagaState::Completed);
    let story = ready(case.world.story(case.saga)).unwrap();
    assert_eq!(undone(&story), ["each[1]/hold"]);
    case = ready(tolerant());
    case.world.faults.refuse = Some("each[2]/hold".to_owned());
    assert_eq!(ready(case.run()).unwrap(), SagaState::Compensated);
}

#[test]
fn a_function_that_panics_parks_its_saga_and_nothing_else() {
    #[derive(Debug, Clone, Serialize, Deserialize)]
    struct Broken;
    impl Saga for Broken {
        const NAME: &'static str = "broken";
        const VERSION: u16 = 1;
        fn plan(plan: Plan) -> saga_core::definition::Definition {
            plan.when("sure", || -> bool { panic!("a bug") }, |p| p.step("x", hold, free)).pivot("end", hold).end()
        }
    }
    let mut world = ready(World::new(vec![define::<Broken>(), define::<Tolerant>()], vec![])).unwrap();
    let broken = world.start(&Broken).unwrap();
    let fine = world.start(&Tolerant).unwrap();
    ready(world.run()).unwrap();
    assert_eq!(ready(world.state(broken)).unwrap(), SagaState::Parked);
    assert_eq!(ready(world.state(fine)).unwrap(), SagaState::Completed);
    world.order(broken, OrderKind::Skip { step: "sure".to_owned(), result: Some(Payload::null()) });
    ready(world.run()).unwrap();
    assert_eq!(ready(world.state(broken)).unwrap(), SagaState::Completed);
}

#[test]
fn the_fold_of_the_log_is_the_state_that_decided() {
    let mut case = ready(everything());
    ready(case.run()).unwrap();
    let exec = ready(case.world.saga(case.saga)).unwrap();
    assert_eq!(exec.state(), SagaState::Completed);
    assert!(exec.show(true).steps.iter().all(|step| step.output.is_some()), "{:#?}", exec.show(true).steps);
}

/// Behind the point of no return a person still decides.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct DecidedLate;
impl Saga for DecidedLate {
    const NAME: &'static str = "decided-late";
    const VERSION: u16 = 1;
    fn plan(plan: Plan) -> saga_core::definition::Definition {
        plan.step("hold", hold, free)
            .pivot("end", hold)
            .wait("gate", APPROVAL, Deadline::days(1))
            .then("tell", hold)
            .end()
    }
}

#[test]
fn a_deadline_behind_the_pivot_waits_for_a_person_and_undoes_nothing() {
    for skip in [false, true] {
        let mut world = ready(World::new(vec![define::<DecidedLate>()], vec![])).unwrap();
        let saga = world.start(&DecidedLate).unwrap();
        ready(world.run()).unwrap();
        ready(world.let_deadline_pass()).unwrap();
        assert_eq!(ready(world.state(saga)).unwrap(), SagaState::Parked);
        assert!(undone(&ready(world.story(saga)).unwrap()).is_empty());
        if skip {
            let result = Some(Payload::of(&Approval { yes: true }).unwrap());
            world.order(saga, OrderKind::Skip { step: "gate".to_owned(), result });
        } else {
            world.order(saga, OrderKind::Retry { step: None });
            ready(world.run()).unwrap();
            approve(&mut world, saga);
        }
        ready(world.run()).unwrap();
        assert_eq!(ready(world.state(saga)).unwrap(), SagaState::Completed);
    }
}

/// What a failed branch did before it failed is no output.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Counted;
impl Saga for Counted {
    const NAME: &'static str = "counted";
    const VERSION: u16 = 1;
    fn plan(plan: Plan) -> saga_core::definition::Definition {
        plan.each("each", three, AtMost(3), |p| p.step("hold", hold, free).step("work", work, free))
            .may_fail(1)
            .pivot("end", count_slots)
            .end()
    }
}
async fn count_slots(Outs(slots): Outs<Slot>) -> Step<usize> {
    Ok(slots.len())
}

#[test]
fn a_branch_that_was_taken_back_gives_nothing() {
    let mut world = ready(World::new(vec![define::<Counted>()], vec![])).unwrap();
    let saga = world.start(&Counted).unwrap();
    ready(world.run()).unwrap();
    let shown = ready(world.saga(saga)).unwrap().show(true);
    assert_eq!(shown.steps.last().unwrap().output, Some(Payload::of(&2).unwrap()));
}
