//! Replies: saga, step, direction, try, key and module bind; anything else is kept once, counted, and changes nothing.
#![expect(clippy::unwrap_used, reason = "what tests share speaks by panicking")]

use crate::linear::{approve, linear};
use saga_core::control::OrderKind;
use saga_core::event::EventSet;
use saga_core::fact::SagaFact;
use saga_core::id::{Direction, Position, SagaId, StepKey};
use saga_core::json::Payload;
use saga_core::outcome::{Answer, KEY_REUSED, Refused};
use saga_core::uuid::Uuid;
use saga_core::view::SagaState;
use saga_core::waiting::WaitReason;
use saga_engine::execution::{ANOMALIES_MAX, Answering, Signal};
use saga_engine::machine::Machine;
use saga_engine::machine::coordinator::{Coordinator, In, Out, Told};
use saga_testkit::laws::saga::Case;
use saga_testkit::stage::{STAGE_TIME, ready};
use saga_testkit::world::Faults;
use std::sync::Arc;

const NOTHING: [&str; 0] = [];

fn refused() -> Answer {
    Answer::Refused(Refused::new("NO", "no"))
}
fn done(text: &str) -> Answer {
    Answer::Done { output: Payload::of(text).unwrap() }
}
/// The strange messages that were kept, as their kinds.
fn kept(case: &Case) -> Vec<String> {
    let log = ready(case.world.logs()[0].1.read_log(Position::ZERO, usize::MAX)).unwrap();
    let kinds = log.iter().filter_map(|recorded| match SagaFact::of(recorded) {
        Ok(SagaFact::LateReplyRecorded(fact)) => Some(fact.kind),
        _ => None,
    });
    kinds.collect()
}
fn honest(case: &Case, step: &str, direction: Direction) -> Answering {
    ready(case.world.saga(case.saga)).unwrap().answering(step, direction)
}
fn tell(case: &mut Case, of: Answering, answer: Answer) {
    case.world.tell(case.saga, Signal::Answered { of, answer });
}
/// Goes on until a fact is there, and not a turn further.
fn until(case: &mut Case, fact: &str) {
    while !ready(case.world.story(case.saga)).unwrap().contains(&fact.to_owned()) {
        assert!(!ready(case.world.run_for(1)).unwrap(), "{fact} does not come");
    }
}
/// Step `a` is dispatched, and its honest answer comes after everything that is told now.
fn asked() -> (Case, Answering) {
    let mut case = ready(linear());
    ready(case.world.run_for(1)).unwrap();
    let of = honest(&case, "a", Direction::Do);
    assert_eq!((of.attempt, of.module.as_deref()), (1, Some("ledger")));
    (case, of)
}

#[test]
fn what_does_not_bind_is_an_anomaly_and_never_an_outcome() {
    let saga = |case: &Case| case.saga.0;
    type Forge = fn(Answering, Uuid) -> Answering;
    let forged: [(&str, Forge); 10] = [
        ("names no try", |of, _| Answering { attempt: 0, ..of }),
        ("answers a try that was never made", |of, _| Answering { attempt: 6, ..of }),
        ("answers a try that was never made", |of, _| Answering { attempt: u32::MAX, ..of }),
        ("answers another key", |of, saga| Answering { key: StepKey::derive(saga, "b", Direction::Do), ..of }),
        ("answers another key", |of, _| Answering { key: StepKey::from_uuid(Uuid::from_u128(7)), ..of }),
        ("answers another key", |of, saga| Answering { key: StepKey::derive(saga, "a", Direction::Undo), ..of }),
        ("answers another key (undo)", |of, _| Answering { direction: Direction::Undo, ..of }),
        ("comes from a module that was not asked", |of, _| Answering { module: Some("qc".to_owned()), ..of }),
        ("comes from a module that was not asked", |of, _| Answering { module: None, ..of }),
        ("no such step", |of, _| Answering { step: "zzz".to_owned(), ..of }),
    ];
    for (kind, forge) in forged {
        for answer in [refused(), done("x"), Answer::Retry { after_ms: 0, reason: "w".to_owned() }] {
            let (mut case, of) = asked();
            let of = forge(of, saga(&case));
            for _ in 0..3 {
                tell(&mut case, of.clone(), answer.clone());
            }
            ready(case.world.run()).unwrap();
            assert_eq!(kept(&case), [kind], "once, however often it comes");
            assert_eq!(ready(case.world.state(case.saga)).unwrap(), SagaState::Waiting, "{kind}");
            assert_eq!(ready(case.run()).unwrap(), SagaState::Completed);
            ready(case.audited()).unwrap();
        }
    }
}

#[test]
fn faults_and_empty_memories_bind_as_answers_do() {
    let (mut case, of) = asked();
    let other = Answering { module: Some("qc".to_owned()), ..of };
    let fault = |of: &Answering| Signal::Faulted { of: of.clone(), code: "MALFORMED".to_owned(), why: "x".to_owned() };
    case.world.tell(case.saga, fault(&other));
    case.world.tell(case.saga, Signal::NothingKnown { of: other });
    assert_eq!(ready(case.run()).unwrap(), SagaState::Completed);
    let strange = "comes from a module that was not asked";
    assert_eq!(kept(&case), [strange, strange]);
    // After the outcome both leave a trace, and change nothing.
    let of = honest(&case, "a", Direction::Do);
    case.world.tell(case.saga, fault(&of));
    case.world.tell(case.saga, Signal::NothingKnown { of });
    ready(case.world.run()).unwrap();
    assert_eq!(kept(&case), [strange, strange, "too late", "too late"]);
    ready(case.audited()).unwrap();
}

#[test]
fn an_earlier_try_of_the_same_round_is_an_answer() {
    let mut case = ready(linear());
    case.world.faults.silence = Some(("a".to_owned(), false));
    ready(case.world.run_for(12)).unwrap();
    let of = honest(&case, "a", Direction::Do);
    assert!(of.attempt > 1, "{of:?}");
    tell(&mut case, Answering { attempt: 1, ..of }, refused());
    case.world.faults = Faults::default();
    assert_eq!(ready(case.run()).unwrap(), SagaState::Compensated);
    assert!(kept(&case).iter().all(|kind| kind.starts_with("contradicts")), "{:?}", kept(&case));
}

#[test]
fn an_answer_of_an_earlier_round_is_strange_in_both_directions() {
    let mut case = ready(linear());
    case.world.faults.refuse = Some("t".to_owned());
    assert_eq!(ready(case.run()).unwrap(), SagaState::Parked);
    let first = honest(&case, "t", Direction::Do);
    case.world.order(case.saga, OrderKind::Retry { step: Some("t".to_owned()) });
    ready(case.world.run_for(1)).unwrap();
    let second = honest(&case, "t", Direction::Do);
    assert_ne!(first.key, second.key);
    tell(&mut case, first.clone(), done("x"));
    // Nor does the try of one round with the key of another.
    tell(&mut case, Answering { attempt: first.attempt, ..second }, done("x"));
    case.world.faults = Faults::default();
    assert_eq!(ready(case.run()).unwrap(), SagaState::Completed);
    assert_eq!(kept(&case), ["answers an earlier round"], "both say the same");

    let mut case = ready(linear());
    case.world.faults.refuse = Some("d".to_owned());
    ready(case.world.run()).unwrap();
    approve(&mut case.world, case.saga);
    case.world.faults.undo_silence = Some("c".to_owned());
    until(&mut case, "CompensationDispatched c");
    let first = honest(&case, "c", Direction::Undo);
    tell(&mut case, first.clone(), refused());
    ready(case.world.run_for(2)).unwrap();
    assert_eq!(ready(case.world.state(case.saga)).unwrap(), SagaState::UndoFailed);
    case.world.order(case.saga, OrderKind::Retry { step: Some("c".to_owned()) });
    ready(case.world.run_for(2)).unwrap();
    assert_ne!(first.key, honest(&case, "c", Direction::Undo).key);
    tell(&mut case, first, done("x"));
    case.world.faults = Faults::default();
    assert_eq!(ready(case.run()).unwrap(), SagaState::Compensated);
    assert!(kept(&case).contains(&"answers an earlier round (undo)".to_owned()), "{:?}", kept(&case));
}

/// A store was brought back from another moment than its neighbour: what the barrier says then is no business no.
#[test]
fn a_reused_key_parks_its_step_and_concludes_nothing_from_it() {
    let reused = || Answer::Refused(Refused::new(KEY_REUSED, "key k was used with another payload"));
    for step in ["a", "b", "c", "d", "p", "t"] {
        let mut case = ready(linear());
        case.world.faults.silence = Some((step.to_owned(), false));
        if !["a", "b"].contains(&step) {
            ready(case.world.run()).unwrap();
            approve(&mut case.world, case.saga);
        }
        until(&mut case, &format!("StepDispatched {step}"));
        let of = honest(&case, step, Direction::Do);
        for _ in 0..2 {
            tell(&mut case, of.clone(), reused());
        }
        ready(case.world.run()).unwrap();
        let shown = ready(case.world.saga(case.saga)).unwrap().show(false);
        assert_eq!(shown.row.state, SagaState::Parked, "{step}");
        assert_eq!(shown.row.waiting.first().map(|waiting| waiting.reason), Some(WaitReason::KeyReused), "{step}");
        assert_eq!(shown.row.reason.as_deref(), Some("key k was used with another payload"));
        assert_eq!(kept(&case), NOTHING, "{step}: the same words again are nothing strange");
        let story = ready(case.world.story(case.saga)).unwrap();
        assert!(!story.iter().any(|fact| fact.starts_with("Compensation")), "{step}: {story:?}");
        // The stores belong together again: the same key, and it happens once.
        case.world.faults = Faults::default();
        case.world.order(case.saga, OrderKind::Retry { step: Some(step.to_owned()) });
        ready(case.world.run_for(1)).unwrap();
        assert_eq!(honest(&case, step, Direction::Do).key, of.key, "{step}");
        assert_eq!(ready(case.run()).unwrap(), SagaState::Completed, "{step}");
        ready(case.audited()).unwrap();
    }
    let mut case = ready(linear());
    case.world.faults.refuse = Some("b".to_owned());
    case.world.faults.undo_silence = Some("a".to_owned());
    until(&mut case, "CompensationDispatched a");
    let of = honest(&case, "a", Direction::Undo);
    tell(&mut case, of.clone(), reused());
    ready(case.world.run_for(2)).unwrap();
    assert_eq!(ready(case.world.state(case.saga)).unwrap(), SagaState::UndoFailed);
    case.world.order(case.saga, OrderKind::Retry { step: Some("a".to_owned()) });
    ready(case.world.run_for(2)).unwrap();
    assert_eq!(honest(&case, "a", Direction::Undo).key, of.key, "under another key it would be undone twice");
    case.world.faults = Faults::default();
    assert_eq!(ready(case.run()).unwrap(), SagaState::Compensated);
    ready(case.audited()).unwrap();
}

#[test]
fn nothing_but_anomalies_stands_behind_an_abandoned_saga() {
    let (mut case, of) = asked();
    case.world.order(case.saga, OrderKind::Cancel { abandon: true });
    for answer in [done("x"), refused()] {
        tell(&mut case, of.clone(), answer);
    }
    case.world.tell(case.saga, Signal::Faulted { of: of.clone(), code: "PANIC".to_owned(), why: "x".to_owned() });
    case.world.tell(case.saga, Signal::NothingKnown { of });
    ready(case.world.run()).unwrap();
    let story = ready(case.world.story(case.saga)).unwrap();
    let end = story.iter().position(|fact| fact == "SagaCancelled").unwrap();
    assert!(story.len() > end + 4, "{story:?}");
    assert!(story[end + 1..].iter().all(|fact| fact.starts_with("LateReplyRecorded")), "{story:?}");
}

#[test]
fn nor_behind_one_that_is_abandoned_on_its_way_back() {
    let mut case = ready(linear());
    ready(case.world.run()).unwrap();
    case.world.faults.undo_silence = Some("b".to_owned());
    case.world.order(case.saga, OrderKind::Cancel { abandon: false });
    until(&mut case, "CompensationDispatched b");
    let of = honest(&case, "b", Direction::Undo);
    case.world.order(case.saga, OrderKind::Cancel { abandon: true });
    for answer in [done("x"), refused()] {
        tell(&mut case, of.clone(), answer);
    }
    ready(case.world.run()).unwrap();
    let story = ready(case.world.story(case.saga)).unwrap();
    let end = story.iter().position(|fact| fact == "SagaCancelled").unwrap();
    assert_eq!(story[end + 1..], ["LateReplyRecorded b", "LateReplyRecorded b"], "{story:?}");
}

/// Only who was asked what became of a try may say that it knows nothing of it.
#[test]
fn nothing_known_is_no_answer_to_a_command() {
    let (mut case, of) = asked();
    case.world.tell(case.saga, Signal::NothingKnown { of });
    assert_eq!(ready(case.run()).unwrap(), SagaState::Completed);
    assert_eq!(kept(&case), ["too late"]);
}

#[test]
fn the_same_value_in_another_text_is_the_same_answer() {
    let mut case = ready(linear());
    assert_eq!(ready(case.run()).unwrap(), SagaState::Completed);
    let exec = ready(case.world.saga(case.saga)).unwrap();
    let row = exec.show(true).steps.into_iter().find(|step| step.path == "a").unwrap();
    let spaced = row.output.unwrap().as_str().replace(':', " :  ").replace('}', " }");
    let of = honest(&case, "a", Direction::Do);
    tell(&mut case, of.clone(), Answer::Done { output: Payload::parse(&spaced).unwrap() });
    tell(&mut case, of, Answer::Retry { after_ms: 1, reason: "a late word of weather".to_owned() });
    ready(case.world.run()).unwrap();
    assert_eq!(kept(&case), Vec::<String>::new());
}

#[test]
fn a_flood_of_contradictions_is_kept_up_to_a_bound() {
    let (mut case, of) = asked();
    ready(case.world.run()).unwrap();
    for number in 0..ANOMALIES_MAX + 50 {
        tell(&mut case, of.clone(), done(&format!("another {number}")));
    }
    ready(case.world.run()).unwrap();
    assert_eq!(kept(&case).len(), ANOMALIES_MAX);
}

#[test]
fn a_saga_cannot_be_turned_back_while_its_point_of_no_return_is_under_way() {
    let mut case = ready(linear());
    ready(case.world.run()).unwrap();
    approve(&mut case.world, case.saga);
    until(&mut case, "StepDispatched p");
    let orders = [OrderKind::Cancel { abandon: false }, OrderKind::Compensate];
    let tickets = orders.map(|kind| case.world.order(case.saga, kind));
    assert_eq!(ready(case.run()).unwrap(), SagaState::Completed);
    for ticket in tickets {
        assert!(matches!(&case.world.told[&ticket], Told::Refused(refused) if refused.code.id == "SG0206"));
    }
}

#[test]
fn timers_of_a_paused_saga_stand_still_after_a_crash_too() {
    let mut case = ready(linear());
    case.world.faults.silence = Some(("a".to_owned(), false));
    ready(case.world.run_for(2)).unwrap();
    case.world.order(case.saga, OrderKind::Pause);
    ready(case.world.run_for(2)).unwrap();
    ready(case.world.crash()).unwrap();
    ready(case.world.run()).unwrap();
    let exec = ready(case.world.saga(case.saga)).unwrap();
    assert_eq!((exec.state(), exec.next_due()), (SagaState::Paused, None));
    // Even a timer that fires all the same finds a paused saga.
    case.world.clock.move_to(STAGE_TIME.plus(std::time::Duration::from_secs(400 * 86_400)));
    case.world.tell(case.saga, Signal::Due);
    ready(case.world.run()).unwrap();
    assert_eq!(ready(case.world.saga(case.saga)).unwrap().rev(), exec.rev());
}

#[test]
fn a_group_hands_on_answers_of_anothers_saga_and_refuses_orders_for_it() {
    let (case, of) = asked();
    let own = saga_engine::journal::group_of(case.saga, 16);
    let mut other = Coordinator::new(Arc::clone(case.world.definitions()), 7).of_group((own + 1) % 16, 16);
    let saga = case.saga;
    let mut step = |input| {
        let mut out = Vec::new();
        other.step(STAGE_TIME, input, &mut out);
        out
    };
    let signals = [
        Signal::Answered { of: of.clone(), answer: refused() },
        Signal::Faulted { of: of.clone(), code: "X".to_owned(), why: "x".to_owned() },
        Signal::NothingKnown { of },
    ];
    for signal in signals {
        let out = step(In::Signal { saga, signal, ticket: Some(3) });
        assert!(matches!(out.as_slice(), [Out::HandOn { group, ticket: Some(3), .. }] if *group == own), "{out:?}");
    }
    let by = saga_core::fact::By { actor: saga_core::envelope::Actor::operator("eve"), reason: None, request: None };
    let signal = Signal::Ordered(saga_engine::execution::Ordered { by, kind: OrderKind::Pause, if_rev: None });
    let out = step(In::Signal { saga, signal, ticket: Some(4) });
    let [Out::Tell { ticket: 4, what: Told::Refused(refused) }] = out.as_slice() else { panic!("{out:?}") };
    assert_eq!(refused.code.id, "SG0215");
    assert!(step(In::Recover { saga }).is_empty());
    let started = ready(case.world.saga(saga)).unwrap().started().unwrap().clone();
    let out = step(In::Signal { saga, signal: Signal::Begun(started), ticket: Some(5) });
    assert!(matches!(out.as_slice(), [Out::Tell { ticket: 5, what: Told::Refused(_) }]), "{out:?}");
}

#[test]
fn messages_for_sagas_that_do_not_exist_are_kept_once() {
    let (mut case, of) = asked();
    let nobody = SagaId(Uuid::from_u128(99));
    for _ in 0..5 {
        case.world.tell(nobody, Signal::Answered { of: of.clone(), answer: refused() });
        ready(case.world.run()).unwrap();
    }
    assert_eq!(kept(&case), ["no such saga"]);
}

#[test]
fn a_reply_is_acknowledged_when_its_effect_is_durable_and_no_act_leaves_before() {
    let (case, of) = asked();
    let history = ready(saga_engine::journal::history(&case.world.logs()[0].1, case.saga)).unwrap();
    let mut coordinator = Coordinator::new(Arc::clone(case.world.definitions()), 7);
    let saga = case.saga;
    let mut step = |input| {
        let mut out = Vec::new();
        coordinator.step(STAGE_TIME, input, &mut out);
        out
    };
    step(In::Recover { saga });
    step(In::Loaded { saga, history: history.clone() });
    let output = Payload::trusted(r#"{"what":"note 7"}"#);
    let answer = Answer::Done { output };
    let signal = Signal::Answered { of: of.clone(), answer: answer.clone() };
    let out = step(In::Signal { saga, signal: signal.clone(), ticket: Some(1) });
    assert!(matches!(out.as_slice(), [Out::Commit { .. }]), "the commit alone: {out:?}");
    // The same reply once more, while the first is not durable: neither is acknowledged.
    assert!(step(In::Signal { saga, signal, ticket: Some(2) }).is_empty());
    // The commit did not happen: it is decided again, and still nothing is acknowledged.
    let out = step(In::NotCommitted { saga });
    assert!(matches!(out.as_slice(), [Out::Load { .. }]), "{out:?}");
    let out = step(In::Loaded { saga, history });
    assert!(!out.iter().any(|out| matches!(out, Out::Tell { .. })), "{out:?}");
    assert!(!out.iter().any(|out| matches!(out, Out::Perform { act, .. } if act.step == "b")), "{out:?}");
    let out = step(In::Committed { saga });
    let tickets: Vec<_> =
        out.iter().filter_map(|out| if let Out::Tell { ticket, .. } = out { Some(*ticket) } else { None }).collect();
    assert_eq!(tickets, [1, 2]);
    assert!(out.iter().any(|out| matches!(out, Out::Perform { act, .. } if act.step == "b")), "{out:?}");
}

#[test]
fn a_bug_under_a_code_of_the_engine_is_a_bug_and_waits_for_no_answer() {
    for code in ["RETRIES_EXHAUSTED", "PIVOT_UNKNOWN", "REFUSED_AFTER_PIVOT"] {
        let (mut case, of) = asked();
        let why = "cannot read this".to_owned();
        case.world.tell(case.saga, Signal::Faulted { of: of.clone(), code: code.to_owned(), why });
        until(&mut case, "SagaParked a");
        let row = ready(case.world.saga(case.saga)).unwrap().row();
        let waits = &row.waiting[0];
        assert_eq!((row.state, waits.reason), (SagaState::Parked, WaitReason::Fault), "{code}");
        assert_eq!(waits.last.as_deref(), Some(format!("{code}: cannot read this").as_str()));
        tell(&mut case, of, done("late"));
        ready(case.world.run_for(1)).unwrap();
        assert!(kept(&case).contains(&"too late".to_owned()), "{code}: nothing waits for an answer");
    }
}

#[test]
fn an_undo_that_is_refused_under_a_code_of_the_engine_is_tried_again_as_another_deed() {
    for code in ["UNDO_FAILED", "FAULT", "WRONG_STATE"] {
        let (mut case, _) = asked();
        until(&mut case, "StepSucceeded a");
        case.world.order(case.saga, OrderKind::Cancel { abandon: false });
        until(&mut case, "CompensationDispatched a");
        let of = honest(&case, "a", Direction::Undo);
        tell(&mut case, of.clone(), Answer::Refused(Refused::new(code, "not now")));
        case.world.order(case.saga, OrderKind::Retry { step: Some("a".to_owned()) });
        until(&mut case, "CompensationFailed a");
        let show = ready(case.world.saga(case.saga)).unwrap();
        assert!(show.row().waiting[0].last.as_ref().is_some_and(|last| last.ends_with("not now")), "{code}");
        until(&mut case, "RetryOrdered a");
        assert_ne!(honest(&case, "a", Direction::Undo).key, of.key, "{code}: its key has its answer");
    }
}
