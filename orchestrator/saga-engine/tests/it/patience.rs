//! Patience begins when the bus has a command, stands still while nobody could answer, and is no matter of the facts.
#![expect(clippy::unwrap_used, reason = "what tests share speaks by panicking")]

use crate::linear::linear;
use saga_core::control::OrderKind;
use saga_core::view::SagaState;
use saga_testkit::laws::saga::Case;
use saga_testkit::stage::ready;
use saga_testkit::world::Faults;
use std::time::Duration;

/// An hour is a hundred patiences and more than all tries of an ordinary step.
const HOUR: Duration = Duration::from_secs(3_600);

fn tries(case: &Case, step: &str) -> usize {
    let story = ready(case.world.story(case.saga)).unwrap();
    story.iter().filter(|fact| **fact == format!("StepDispatched {step}")).count()
}
fn pass(case: &mut Case, time: Duration) {
    case.world.let_pass(time);
    ready(case.world.run_for(50)).unwrap();
}
fn completes(case: &mut Case) {
    assert_eq!(ready(case.run()).unwrap(), SagaState::Completed);
    for step in ["a", "b", "c", "d", "p", "t"] {
        assert_eq!(tries(case, step), 1, "{step}");
    }
    ready(case.audited()).unwrap();
}

#[test]
fn a_bus_that_takes_nothing_is_no_try_of_a_step() {
    let mut case = ready(linear());
    case.world.faults.bus_refuses = Some("insufficient storage".to_owned());
    ready(case.world.run_for(100)).unwrap();
    for _ in 0..10 {
        pass(&mut case, HOUR);
    }
    assert!(case.world.reached > 10, "it is handed over again and again");
    assert_eq!((tries(&case, "a"), ready(case.world.state(case.saga)).unwrap()), (1, SagaState::Running));
    case.world.faults = Faults::default();
    completes(&mut case);
}

#[test]
fn a_command_that_still_stands_in_line_is_not_silent() {
    let mut case = ready(linear());
    case.world.faults.queued = true;
    ready(case.world.run_for(20)).unwrap();
    for _ in 0..10 {
        pass(&mut case, HOUR);
    }
    assert_eq!((case.world.reached, tries(&case, "a")), (1, 1), "one command, and it is in line");
    case.world.hand_out();
    // It came too late to be begun: that is weather, and the next try is another one.
    ready(case.world.run()).unwrap();
    assert_eq!(tries(&case, "a"), 2);
    assert_eq!(ready(case.run()).unwrap(), SagaState::Completed);
    ready(case.audited()).unwrap();
}

#[test]
fn a_bus_that_cannot_tell_what_stands_in_line_burns_no_try() {
    let mut case = ready(linear());
    case.world.faults = Faults { queued: true, untold: true, ..Faults::default() };
    ready(case.world.run_for(20)).unwrap();
    for _ in 0..10 {
        pass(&mut case, HOUR);
    }
    assert_eq!((case.world.reached, tries(&case, "a")), (1, 1), "nobody knows that it was handed to anybody");
    // It can tell again, and nothing stands there: now the silence counts.
    case.world.faults = Faults { queued: false, untold: false, ..Faults::default() };
    pass(&mut case, HOUR);
    assert_eq!(tries(&case, "a"), 2);
    assert_eq!(ready(case.run()).unwrap(), SagaState::Completed);
    ready(case.audited()).unwrap();
}

#[test]
fn patience_stands_still_while_no_reply_can_be_heard_and_begins_anew_afterwards() {
    let mut case = ready(linear());
    case.world.faults.silence = Some(("b".to_owned(), true));
    case.world.hears(false);
    // To the silence of b, and no further: nothing but the deadline of the whole saga is due then.
    ready(case.world.run_for(6)).unwrap();
    for _ in 0..10 {
        case.world.let_pass(HOUR);
        ready(case.world.run_for(1)).unwrap();
    }
    assert_eq!(tries(&case, "b"), 1, "who hears nothing does not call the others silent");
    case.world.faults = Faults::default();
    case.world.hears(true);
    ready(case.world.run_for(1)).unwrap();
    case.world.let_pass(Duration::from_secs(29));
    ready(case.world.run_for(1)).unwrap();
    let story = ready(case.world.story(case.saga)).unwrap();
    assert_eq!(story.last().unwrap(), "StepDispatched b", "patience begins anew");
    assert_eq!(ready(case.run()).unwrap(), SagaState::Completed);
    assert_eq!(tries(&case, "b"), 2, "and ends after thirty seconds");
}

#[test]
fn nobody_is_silent_while_replies_lie_unheard() {
    let mut case = ready(linear());
    case.world.faults.silence = Some(("b".to_owned(), true));
    case.world.faults.unheard = 1;
    ready(case.world.run_for(6)).unwrap();
    for _ in 0..10 {
        case.world.let_pass(HOUR);
        ready(case.world.run_for(1)).unwrap();
    }
    assert_eq!(tries(&case, "b"), 1, "the answer may be among them");
    case.world.faults.unheard = 0;
    case.world.let_pass(HOUR);
    ready(case.world.run_for(1)).unwrap();
    case.world.faults = Faults::default();
    assert_eq!(ready(case.run()).unwrap(), SagaState::Completed);
    assert_eq!(tries(&case, "b"), 2);
}

#[test]
fn patience_begins_anew_after_a_takeover() {
    let mut case = ready(linear());
    case.world.faults.silence = Some(("b".to_owned(), true));
    ready(case.world.run_for(4)).unwrap();
    assert_eq!(tries(&case, "b"), 1);
    case.world.clock.move_to(saga_core::ports::Clock::now(&*case.world.clock).plus(HOUR));
    ready(case.world.crash()).unwrap();
    case.world.faults = Faults::default();
    completes(&mut case);
}

#[test]
fn an_undo_is_carried_out_however_late_it_comes() {
    let mut case = ready(linear());
    ready(case.world.run()).unwrap();
    case.world.faults.queued = true;
    case.world.order(case.saga, OrderKind::Cancel { abandon: false });
    ready(case.world.run_for(20)).unwrap();
    pass(&mut case, HOUR * 24);
    case.world.hand_out();
    assert_eq!(ready(case.run()).unwrap(), SagaState::Cancelled);
    let story = ready(case.world.story(case.saga)).unwrap();
    assert_eq!(story.iter().filter(|fact| fact.starts_with("CompensationDispatched")).count(), 2, "{story:?}");
}
