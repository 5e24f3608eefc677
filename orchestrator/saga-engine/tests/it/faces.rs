//! What faces say of a saga: the performer's own words, in every place, and no order that would be refused.
#![expect(clippy::unwrap_used, clippy::panic, reason = "what tests share speaks by panicking")]

use crate::everything::everything;
use crate::linear::linear;
use saga_core::control::OrderKind;
use saga_core::envelope::Actor;
use saga_core::fact::By;
use saga_core::id::{Direction, Version};
use saga_core::json::Payload;
use saga_core::outcome::Answer;
use saga_core::ports::Clock;
use saga_core::view::{Possible, SagaRow, SagaState, StepState};
use saga_core::waiting::{WaitReason, Waiting};
use saga_core::why::causes;
use saga_engine::execution::{Execution, Ordered, Signal};
use saga_testkit::fixtures;
use saga_testkit::laws::saga::Case;
use saga_testkit::stage::ready;
use saga_testkit::world::Faults;

const WORDS: &str = "files: Not a directory (os error 20)";

fn exec(case: &Case) -> Execution {
    ready(case.world.saga(case.saga)).unwrap()
}
/// Goes on until a fact is there, and not a turn further.
fn until(case: &mut Case, fact: &str) {
    while !ready(case.world.story(case.saga)).unwrap().contains(&fact.to_owned()) {
        if ready(case.world.run_for(1)).unwrap() {
            (case.answer)(&mut case.world, case.saga);
        }
    }
}
/// The performer of the step says that it cannot do it now, and why.
fn weather(case: &mut Case, step: &str, reason: &str) {
    let of = exec(case).answering(step, Direction::Do);
    let answer = Answer::Retry { after_ms: 0, reason: reason.to_owned() };
    case.world.tell(case.saga, Signal::Answered { of, answer });
}

#[test]
fn what_a_person_must_mend_needs_one_at_once_and_is_told_in_its_own_words() {
    for (reason, mend) in [(WORDS.to_owned(), false), (format!("MEND: {WORDS}"), true)] {
        let mut case = ready(linear());
        until(&mut case, "StepDispatched p");
        weather(&mut case, "p", &reason);
        until(&mut case, "StepRetryScheduled p");
        let (now, seen) = (case.world.clock.now(), exec(&case));
        let row = seen.row();
        assert_eq!(row.reason.as_deref(), Some(WORDS), "{row:?}");
        assert_eq!(row.needs_attention(now), mend, "{row:?}");
        let (told, _) = causes(&row, now);
        assert_eq!(told[0].code, if mend { "MEND" } else { "BACKOFF" }, "{told:?}");
        assert!(told[0].says.contains(WORDS) && !told[0].says.contains("MEND:"), "{told:?}");
        let step = seen.show(false).steps.into_iter().find(|step| step.path == "p").unwrap();
        assert_eq!(step.result.as_deref(), Some(WORDS), "{step:?}");
    }
}

#[test]
fn the_words_stay_while_the_next_try_is_under_way_and_silence_does_not_wash_them_away() {
    let mut case = ready(linear());
    until(&mut case, "StepDispatched p");
    weather(&mut case, "p", WORDS);
    until(&mut case, "StepRetryScheduled p");
    case.world.faults.silence = Some(("p".to_owned(), false));
    let (mut under_way, mut parked) = (0, 0);
    for _ in 0..2_000 {
        ready(case.world.run_for(1)).unwrap();
        let seen = exec(&case).show(false);
        let step = seen.steps.iter().find(|step| step.path == "p").unwrap();
        let (told, _) = causes(&seen.row, case.world.clock.now());
        match step.state {
            StepState::Running | StepState::Retrying => {
                under_way += 1;
                assert!(format!("{told:?}").contains(WORDS), "{told:?}");
            }
            StepState::Parked => {
                parked += 1;
                assert_eq!(told[0].code, "PIVOT_UNKNOWN", "{told:?}");
                assert!(told[0].says.contains(WORDS) && !told[0].says.contains("never answered"), "{told:?}");
                break;
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(under_way > 2 && parked == 1, "{under_way} {parked}");
}

#[test]
fn a_pivot_that_nobody_ever_answered_is_said_to_be_silent() {
    let mut case = ready(linear());
    case.world.faults.silence = Some(("p".to_owned(), true));
    assert!(ready(case.run()).unwrap().needs_person());
    let (told, _) = causes(&exec(&case).row(), case.world.clock.now());
    assert!(told[0].says.contains("never answered"), "{told:?}");
}

/// The order of something that is offered, as a face sends it.
fn ordered(possible: &Possible) -> Ordered {
    let at = possible.at.clone();
    let kind = match possible.verb.as_str() {
        "signal" => OrderKind::Signal {
            gate: at.unwrap(),
            data: possible.example.clone().unwrap_or_else(Payload::null),
            opening: possible.opening.clone(),
        },
        "retry" => OrderKind::Retry { step: at },
        "skip" => OrderKind::Skip { step: at.unwrap(), result: Some(Payload::null()) },
        "skip --undo" => OrderKind::Skip { step: at.unwrap(), result: None },
        "cancel" => OrderKind::Cancel { abandon: false },
        "pause" => OrderKind::Pause,
        "resume" => OrderKind::Resume,
        other => panic!("nobody knows how to order {other}"),
    };
    let reason = possible.reason_needed.then(|| "because".to_owned());
    Ordered { by: By { actor: Actor::operator("ann"), reason, request: None }, kind, if_rev: None }
}

/// Whatever is offered would be accepted, and whatever would be accepted of going back, retrying and skipping is offered.
fn as_offered(case: &Case, seen: &Execution) -> usize {
    let (now, shown) = (case.world.clock.now(), seen.show(false));
    for possible in &shown.possible {
        let foreseen = seen.preview(Ordered { if_rev: Some(Version(shown.rev)), ..ordered(possible) }, now);
        assert!(foreseen.is_ok(), "{possible:?} of {:?}: {foreseen:?}", shown.row);
    }
    let offers = |verb: &str, at: Option<&str>| {
        shown.possible.iter().any(|possible| possible.verb == verb && (at.is_none() || possible.at.as_deref() == at))
    };
    let accepts = |verb: &str, at: Option<&str>| {
        let (words, at) = (String::new(), at.map(str::to_owned));
        let possible = Possible { words, verb: verb.to_owned(), at, reason_needed: true, opening: None, example: None };
        seen.preview(ordered(&possible), now).is_ok()
    };
    for verb in ["cancel", "pause", "resume"] {
        assert_eq!(accepts(verb, None), offers(verb, None), "{verb} of {:?}", shown.row);
    }
    for step in &shown.steps {
        let at = Some(step.path.as_str());
        assert_eq!(accepts("retry", at), offers("retry", at), "retry {step:?} of {:?}", shown.row);
    }
    shown.possible.len()
}

#[test]
fn what_is_offered_is_accepted_and_what_helps_is_offered_at_every_moment() {
    let some = |step: &str| Some(step.to_owned());
    let mut all = vec![Faults::default()];
    for step in ["a", "b", "c", "d", "p", "t", "commit", "after"] {
        all.push(Faults { refuse: some(step), ..Faults::default() });
        all.push(Faults { silence: Some((step.to_owned(), false)), ..Faults::default() });
        all.push(Faults { refuse: some("d"), undo_silence: some(step), ..Faults::default() });
        all.push(Faults { refuse: some("commit"), undo_silence: some(step), ..Faults::default() });
        all.push(Faults { weather: Some((step.to_owned(), false, 3)), ..Faults::default() });
        all.push(Faults { refuse: some("d"), weather: Some((step.to_owned(), true, 3)), ..Faults::default() });
    }
    let mut offered = 0;
    for (number, faults) in all.into_iter().enumerate() {
        for pauses in [false, true] {
            let every_word = number % 4 == 0 && !pauses;
            for mut case in [Some(ready(linear())), every_word.then(|| ready(everything()))].into_iter().flatten() {
                case.world.faults = faults.clone();
                let (mut rested, mut rev) = (0, Version::ZERO);
                while rested < 3 {
                    let rests = ready(case.world.run_for(1)).unwrap();
                    let seen = exec(&case);
                    // What can be ordered follows from the facts.
                    if std::mem::replace(&mut rev, seen.rev()) != seen.rev() {
                        offered += as_offered(&case, &seen);
                    }
                    if seen.has_ended() {
                        break;
                    }
                    if rests {
                        rested += 1;
                        (case.answer)(&mut case.world, case.saga);
                        if pauses {
                            case.world.order(case.saga, OrderKind::Pause);
                        }
                    }
                }
            }
        }
    }
    assert!(offered > 1_000, "{offered}");
}

/// Every reason of waiting, alone: what of it ends only by a person, and in which state.
#[test]
fn what_waits_for_a_person_is_told_from_what_goes_on_by_itself() {
    let reasons = [
        (WaitReason::NoReply, SagaState::Running, false),
        (WaitReason::Backoff, SagaState::Retrying, false),
        (WaitReason::WaitingTimer, SagaState::Waiting, false),
        (WaitReason::WaitingSignal, SagaState::Waiting, true),
        (WaitReason::Paused, SagaState::Paused, true),
        (WaitReason::RetriesExhausted, SagaState::Parked, true),
        (WaitReason::RefusedAfterPivot, SagaState::Parked, true),
        (WaitReason::PivotUnknown, SagaState::Parked, true),
        (WaitReason::UndoFailed, SagaState::UndoFailed, true),
        (WaitReason::KeyReused, SagaState::Parked, true),
        (WaitReason::Fault, SagaState::Parked, true),
        (WaitReason::NoDefinition, SagaState::Parked, true),
        (WaitReason::Unreadable, SagaState::Parked, true),
        (WaitReason::DigestMismatch, SagaState::Parked, true),
    ];
    let any = fixtures::rows().remove(0);
    let row = |state, waiting: &[Waiting]| SagaRow { state, waiting: waiting.to_vec(), ..any.clone() };
    let of = |reason| Waiting::of(reason, "x".to_owned(), ("s".to_owned(), false), None, fixtures::NOW);
    let under_way = of(WaitReason::NoReply);
    for (reason, state, person) in reasons {
        let waiting = of(reason);
        let alone = row(state, std::slice::from_ref(&waiting));
        assert_eq!(alone.for_a_person().is_some(), person, "{reason:?}");
        // Beside a step that is under way a decision is not yet all that is left; what holds the saga holds it all the same.
        let held = person && state != SagaState::Waiting;
        let beside = row(state, &[under_way.clone(), waiting.clone()]);
        assert_eq!(beside.for_a_person().is_some(), held, "{reason:?} beside a step under way");
        let timed = row(state, &[of(WaitReason::WaitingTimer), waiting.clone()]);
        assert_eq!(timed.for_a_person().is_some(), person, "{reason:?} beside a timer");
        let mend = row(SagaState::Retrying, &[Waiting { mend: true, ..waiting }]);
        let mendable = person || matches!(reason, WaitReason::NoReply | WaitReason::Backoff);
        assert_eq!(mend.for_a_person().is_some(), mendable, "{reason:?} that a person mends");
    }
}
