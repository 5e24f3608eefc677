//! Gates: an answer decides the opening that it was given for, once, whatever happens beside it (S13).
#![expect(clippy::unwrap_used, clippy::panic, reason = "what tests share speaks by panicking")]

use crate::everything::everything;
use crate::linear::{Approval, linear};
use proptest::prelude::*;
use saga_core::control::OrderKind;
use saga_core::envelope::Actor;
use saga_core::event::EventSet;
use saga_core::fact::{By, SagaFact};
use saga_core::id::{Position, RequestId};
use saga_core::json::Payload;
use saga_core::ports::Clock;
use saga_core::uuid::Uuid;
use saga_core::view::SagaState;
use saga_engine::execution::{Accepted, Ordered};
use saga_engine::machine::coordinator::Told;
use saga_testkit::laws::saga::Case;
use saga_testkit::stage::ready;
use std::collections::BTreeMap;
use std::time::Duration;

/// One answer, and under which request it was given.
fn vote(case: &mut Case, request: u128, who: &str, yes: bool, opening: Option<&str>) -> u64 {
    let data = Payload::of(&Approval { yes }).unwrap();
    let kind = OrderKind::Signal { gate: "approval".to_owned(), data, opening: opening.map(str::to_owned) };
    let request = Some(RequestId(Uuid::from_u128(request)));
    let by = By { actor: Actor::operator(who), reason: None, request };
    case.world.order_as(case.saga, Ordered { by, kind, if_rev: None })
}
fn told(case: &mut Case, ticket: u64) -> Result<Accepted, (&'static str, String)> {
    ready(case.world.run()).unwrap();
    match case.world.told.remove(&ticket).unwrap() {
        Told::Accepted(accepted) => Ok(accepted),
        Told::Refused(refused) => Err((refused.code.id, refused.message)),
        other => panic!("{other:?}"),
    }
}
fn opening(case: &Case) -> String {
    ready(case.world.opening(case.saga, "approval")).unwrap().unwrap()
}
/// A saga that waits for the answer of its first round.
fn waiting() -> Case {
    let mut case = ready(everything());
    ready(case.world.run()).unwrap();
    assert_eq!(ready(case.world.state(case.saga)).unwrap(), SagaState::Waiting);
    case
}
fn rounds(case: &Case) -> usize {
    ready(case.world.story(case.saga)).unwrap().iter().filter(|fact| fact.starts_with("RoundEnded")).count()
}

#[test]
fn two_answers_at_once_decide_one_round() {
    for (second, named) in [(false, false), (true, false), (false, true), (true, true)] {
        let mut case = waiting();
        let first = opening(&case);
        assert!(first.starts_with("1-"), "{first}");
        let seen = named.then_some(first.as_str());
        let ann = vote(&mut case, 1, "ann", false, seen);
        let bob = vote(&mut case, 2, "bob", second, seen);
        assert_eq!(told(&mut case, ann), Ok(Accepted::Now));
        let (code, message) = told(&mut case, bob).unwrap_err();
        // Without a name it may find the first opening decided, or the second one open already.
        assert!(code == "SG0213" || (!named && code == "SG0214"), "{code} {message}");
        assert!(code != "SG0213" || message.contains("ann") && message.contains("false"), "{message}");
        assert_eq!((rounds(&case), ready(case.world.state(case.saga)).unwrap()), (1, SagaState::Waiting));
        let next = opening(&case);
        assert!(next.starts_with("2-") && next != first, "{next}");
    }
}

#[test]
fn an_answer_for_another_opening_is_refused_with_both_named() {
    let mut case = waiting();
    let first = opening(&case);
    let ticket = vote(&mut case, 1, "ann", false, Some(&first));
    assert_eq!(told(&mut case, ticket), Ok(Accepted::Now));
    let second = opening(&case);
    let decided = case.world.clock.now();
    case.world.let_pass(Duration::from_secs(90));
    let ticket = vote(&mut case, 2, "bob", true, Some(&first));
    let (code, message) = told(&mut case, ticket).unwrap_err();
    assert_eq!(code, "SG0213", "{message}");
    assert!(message.contains(&format!(" at {decided}: ")), "when it was decided, and not now: {message}");
    let ticket = vote(&mut case, 3, "bob", true, Some("2-00000000"));
    let (code, message) = told(&mut case, ticket).unwrap_err();
    assert_eq!(code, "SG0214");
    assert!(message.contains("2-00000000") && message.contains(&second), "{message}");
    let ticket = vote(&mut case, 4, "bob", true, None);
    let (code, message) = told(&mut case, ticket).unwrap_err();
    assert_eq!(code, "SG0214");
    assert!(message.contains(&second), "{message}");
    let ticket = vote(&mut case, 5, "bob", true, Some(&second));
    assert_eq!(told(&mut case, ticket), Ok(Accepted::Now));
    assert_eq!(ready(case.run()).unwrap(), SagaState::Completed);
}

#[test]
fn the_same_answer_of_the_same_person_is_told_as_known() {
    let mut case = waiting();
    let first = opening(&case);
    let ticket = vote(&mut case, 1, "ann", false, Some(&first));
    assert_eq!(told(&mut case, ticket), Ok(Accepted::Now));
    let rev = ready(case.world.saga(case.saga)).unwrap().rev();
    let ticket = vote(&mut case, 2, "ann", false, Some(&first));
    assert_eq!(told(&mut case, ticket), Ok(Accepted::Before));
    assert_eq!(ready(case.world.saga(case.saga)).unwrap().rev(), rev);
    let ticket = vote(&mut case, 3, "bob", false, Some(&first));
    assert_eq!(told(&mut case, ticket).unwrap_err().0, "SG0213");
}

#[test]
fn an_early_answer_counts_for_the_first_opening_only() {
    let mut case = ready(everything());
    ready(case.world.run_for(1)).unwrap();
    let ann = vote(&mut case, 1, "ann", false, None);
    let again = vote(&mut case, 2, "ann", false, None);
    let bob = vote(&mut case, 3, "bob", true, None);
    let cleo = vote(&mut case, 4, "cleo", true, Some("1-00000000"));
    ready(case.world.run_for(4)).unwrap();
    assert_eq!(told(&mut case, ann), Ok(Accepted::Now));
    assert_eq!(told(&mut case, again), Ok(Accepted::Before));
    let (code, message) = told(&mut case, bob).unwrap_err();
    assert_eq!(code, "SG0213");
    assert!(message.contains("ann"), "{message}");
    assert_eq!(told(&mut case, cleo).unwrap_err().0, "SG0214");
    assert_eq!((rounds(&case), ready(case.world.state(case.saga)).unwrap()), (1, SagaState::Waiting));
    assert!(opening(&case).starts_with("2-"));
}

#[test]
fn an_answer_while_paused_decides_what_was_open_and_nothing_later() {
    let mut case = waiting();
    case.world.order(case.saga, OrderKind::Pause);
    let ann = vote(&mut case, 1, "ann", false, None);
    let bob = vote(&mut case, 2, "bob", true, None);
    assert_eq!(told(&mut case, ann), Ok(Accepted::Now));
    assert_eq!(told(&mut case, bob).unwrap_err().0, "SG0213");
    case.world.order(case.saga, OrderKind::Resume);
    ready(case.world.run()).unwrap();
    assert_eq!((rounds(&case), ready(case.world.state(case.saga)).unwrap()), (1, SagaState::Waiting));
}

#[test]
fn an_answer_that_an_older_program_kept_for_later_decides_no_later_round() {
    use saga_engine::execution::{Execution, Signal};
    let case = waiting();
    let first = opening(&case);
    let mut exec = ready(case.world.saga(case.saga)).unwrap();
    // An older program kept a second answer beside the first, and a newer one reads that history.
    let by = By { actor: Actor::operator("bob"), reason: None, request: None };
    let data = Payload::of(&Approval { yes: true }).unwrap();
    let now = saga_testkit::stage::STAGE_TIME;
    let kept = SagaFact::SignalReceived(saga_core::fact::SignalReceived {
        gate: "approval".to_owned(),
        step: None,
        data: data.clone(),
        by: by.clone(),
    });
    exec.evolve(&kept, now);
    let no = Payload::of(&Approval { yes: false }).unwrap();
    let kind = OrderKind::Signal { gate: "approval".to_owned(), data: no, opening: Some(first) };
    let decision = exec
        .decide(Signal::Ordered(Ordered { by: By { actor: Actor::operator("ann"), ..by }, kind, if_rev: None }), now);
    assert_eq!(decision.order, Some(Ok(Accepted::Now)));
    // The second round begins with its command; when it opens, the kept answer does not decide it.
    let acts = decision.acts;
    let answer = |exec: &mut Execution| {
        let of = exec.answering("rounds#2/try", saga_core::id::Direction::Do);
        let output = Payload::trusted(r#"{"what":"again"}"#);
        exec.decide(Signal::Answered { of, answer: saga_core::outcome::Answer::Done { output } }, now)
    };
    assert_eq!(acts.len(), 1, "{acts:?}");
    let names: Vec<_> = answer(&mut exec).facts.iter().map(|fact| fact.name().to_owned()).collect();
    assert_eq!(names, ["StepSucceeded", "WaitStarted"]);
}

#[test]
fn a_waiting_gate_says_how_it_is_decided() {
    let mut case = ready(linear());
    ready(case.world.run()).unwrap();
    let show = ready(case.world.saga(case.saga)).unwrap().show(false);
    let decide = show.possible.iter().find(|possible| possible.verb == "signal").unwrap();
    assert_eq!(decide.opening, show.row.waiting[0].opening);
    assert_eq!(decide.example.as_ref().map(Payload::as_str), Some(r#"{"yes":true}"#));
    let (causes, _) = saga_core::why::causes(&show.row, show.row.started_at);
    let wanted = format!(
        r#"sagactl saga signal {} approval --for {} --data '{{"yes":true}}'"#,
        case.saga.short(),
        opening(&case)
    );
    assert_eq!(causes[0].remedy, wanted);
}

/// What can happen beside an answer.
#[derive(Debug, Clone)]
enum Beside {
    Pass(u32),
    Crash,
    Look,
    Vote { who: u8, yes: bool, named: bool },
    Pause,
    Resume,
}
fn beside() -> impl Strategy<Value = Beside> {
    prop_oneof![
        4 => (1_u32..12).prop_map(Beside::Pass),
        1 => Just(Beside::Crash),
        3 => Just(Beside::Look),
        5 => (0_u8..3, any::<bool>(), any::<bool>()).prop_map(|(who, yes, named)| Beside::Vote { who, yes, named }),
        1 => Just(Beside::Pause),
        1 => Just(Beside::Resume),
    ]
}

/// S13: every recorded decision was given for its own opening, and every opening has one decision at most.
fn binds(case: &Case, given: &BTreeMap<u128, Option<String>>) -> Result<(), String> {
    let log = ready(case.world.logs()[0].1.read_log(Position::ZERO, usize::MAX)).map_err(|why| why.to_string())?;
    let mut decided = BTreeMap::new();
    for recorded in &log {
        let Ok(SagaFact::SignalReceived(fact)) = SagaFact::of(recorded) else { continue };
        let Some(step) = fact.step else { continue };
        let request = fact.by.request.ok_or("no request")?.0.as_u128();
        if let Some(other) = decided.insert(step.clone(), request) {
            return Err(format!("{step} was decided by {other} and by {request}"));
        }
        let round = step.split('#').nth(1).and_then(|rest| rest.split('/').next()).ok_or("no round")?;
        match &given[&request] {
            Some(name) if name.split('-').next() == Some(round) => {}
            None if round == "1" => {}
            other => return Err(format!("{step} was decided by an answer for {other:?}")),
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn an_answer_decides_only_the_opening_it_names(seed: u64, days in prop::collection::vec(beside(), 0..40)) {
        let mut case = ready(everything());
        ready(case.world.run_for(1)).unwrap();
        case.world.shuffle = Some(seed);
        let (mut given, mut seen) = (BTreeMap::new(), None);
        for (number, day) in days.iter().enumerate() {
            match day {
                Beside::Pass(turns) => drop(ready(case.world.run_for(*turns)).unwrap()),
                Beside::Crash => ready(case.world.crash()).unwrap(),
                Beside::Look => seen = ready(case.world.opening(case.saga, "approval")).unwrap().or(seen),
                Beside::Vote { who, yes, named } => {
                    let request = number as u128 + 1;
                    let name: Option<String> = seen.clone().filter(|_| *named);
                    vote(&mut case, request, ["ann", "bob", "cleo"][usize::from(*who)], *yes, name.as_deref());
                    given.insert(request, name);
                }
                Beside::Pause => drop(case.world.order(case.saga, OrderKind::Pause)),
                Beside::Resume => drop(case.world.order(case.saga, OrderKind::Resume)),
            }
            ready(case.world.agrees_with_its_log()).unwrap();
        }
        ready(case.world.run()).unwrap();
        let bound = binds(&case, &given);
        prop_assert!(bound.is_ok(), "{}", bound.unwrap_err());
    }
}
