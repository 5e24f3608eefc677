//! Bounds: no signal of any size or time makes a fact that cannot be stored and read back, and what is stored moves on.
#![expect(clippy::unwrap_used, reason = "what tests share speaks by panicking")]

use crate::everything::everything;
use crate::linear::linear;
use crate::requests::code;
use proptest::prelude::*;
use saga_core::batch::EVENTS_PER_BATCH_MAX;
use saga_core::control::OrderKind;
use saga_core::envelope::Actor;
use saga_core::event::{EventSet, Origin};
use saga_core::fact::{By, SagaFact, WaitStarted};
use saga_core::id::{Direction, EventId, SagaId, Version};
use saga_core::json::{PAYLOAD_BYTES_MAX, Payload};
use saga_core::limits::{self, AFTER_MS_MAX, BODY_BYTES_MAX, TEXT_BYTES_MAX, TIME_MAX, TIME_MIN};
use saga_core::outcome::{Answer, Refused};
use saga_core::policy::AtMost;
use saga_core::saga::{Plan, Saga, define};
use saga_core::step::{Item, Step};
use saga_core::time::Timestamp;
use saga_core::view::SagaState;
use saga_engine::execution::{Answering, Execution, Ordered, Signal};
use saga_engine::journal;
use saga_engine::memory::CountedIds;
use saga_testkit::laws::saga::Case;
use saga_testkit::stage::ready;
use saga_testkit::world::World;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use uuid::Uuid;

/// Sizes around every limit, and far beyond.
fn size() -> impl Strategy<Value = usize> {
    let edges = [0, 1, 63, 64, 65, 200, 201, 1_000, 1_001, TEXT_BYTES_MAX, TEXT_BYTES_MAX + 1, BODY_BYTES_MAX];
    let far = [BODY_BYTES_MAX + 1, PAYLOAD_BYTES_MAX - 27, PAYLOAD_BYTES_MAX, PAYLOAD_BYTES_MAX + 1, 2_097_152];
    prop::sample::select(edges.into_iter().chain(far).collect::<Vec<_>>())
}
/// Texts of any size, of letters that JSON writes with one, two, three and six bytes.
fn text() -> impl Strategy<Value = String> {
    (size(), prop::sample::select(vec!['x', '"', 'ß', '日', '\u{1}', '\n', '\0'])).prop_map(|(bytes, letter)| {
        let letters = bytes / letter.len_utf8();
        std::iter::repeat_n(letter, letters).collect()
    })
}
fn payload() -> impl Strategy<Value = Payload> {
    prop_oneof![
        size().prop_map(|bytes| Payload::trusted(format!("\"{}\"", "x".repeat(bytes.saturating_sub(2))))),
        Just(Payload::trusted(r#"{"approved":true}"#)),
        Just(Payload::null()),
    ]
}
fn answer() -> impl Strategy<Value = Answer> {
    prop_oneof![
        payload().prop_map(|output| Answer::Done { output }),
        (text(), text()).prop_map(|(code, reason)| Answer::Refused(Refused::new(code, reason))),
        (any::<u64>(), text()).prop_map(|(after_ms, reason)| Answer::Retry { after_ms, reason }),
        (prop::sample::select(vec![251_600_000_000_000, 300_000_000_000_000, u64::MAX]), text())
            .prop_map(|(after_ms, reason)| Answer::Retry { after_ms, reason }),
    ]
}
fn order() -> impl Strategy<Value = OrderKind> {
    prop_oneof![
        text().prop_map(OrderKind::Note),
        (text(), payload()).prop_map(|(gate, data)| OrderKind::Signal { gate, data, opening: None }),
        payload().prop_map(|data| OrderKind::Signal { gate: "approval".to_owned(), data, opening: None }),
        text().prop_map(|step| OrderKind::Retry { step: Some(step) }),
        (text(), proptest::option::of(payload())).prop_map(|(step, result)| OrderKind::Skip { step, result }),
        any::<bool>().prop_map(|abandon| OrderKind::Cancel { abandon }),
        Just(OrderKind::Compensate),
        Just(OrderKind::Pause),
        Just(OrderKind::Resume),
        Just(OrderKind::Retry { step: None }),
    ]
}
/// A signal for a step that is under way, or for one that nobody knows.
#[derive(Debug, Clone)]
enum Said {
    Answer(usize, Answer),
    Broke(usize, String, String),
    Stray(String, Answer),
    Order(OrderKind, String, String),
    Later(u64),
}
fn said() -> impl Strategy<Value = Said> {
    prop_oneof![
        6 => (any::<usize>(), answer()).prop_map(|(step, answer)| Said::Answer(step, answer)),
        1 => (any::<usize>(), text(), text()).prop_map(|(step, code, why)| Said::Broke(step, code, why)),
        1 => (text(), answer()).prop_map(|(step, answer)| Said::Stray(step, answer)),
        4 => (order(), text(), text()).prop_map(|(kind, reason, actor)| Said::Order(kind, reason, actor)),
        3 => any::<u64>().prop_map(Said::Later),
    ]
}

fn read_back(fact: &SagaFact) -> SagaFact {
    let origin = Origin { id: EventId(Uuid::from_u128(1)), recorded_at: TIME_MIN };
    SagaFact::decode(fact.name(), fact.version(), &fact.encode().unwrap(), &origin).unwrap()
}

/// What follows from a signal is stored in one batch and read back as it was.
fn stored(exec: &mut Execution, saga: SagaId, signal: Signal, now: Timestamp) -> Vec<Answering> {
    let decision = exec.decide(signal, now);
    let events = journal::events_of(&decision.facts, &CountedIds::default(), now).unwrap();
    let batch = journal::batch_of(journal::stream_of(saga).unwrap(), Version::ZERO, events, None);
    batch.check().unwrap();
    for event in &batch.writes[0].events {
        assert!(!event.data.as_str().contains("\\u0000"), "{}", event.name);
        saga_core::json::inspect(event.data.as_str()).unwrap();
    }
    decision.facts.iter().for_each(|fact| assert_eq!(read_back(fact), *fact));
    decision.acts.iter().map(Answering::of).collect()
}

fn play(case: &mut Case, said: &[Said]) {
    let (saga, mut now) = (case.saga, Timestamp(1_700_000_000_000_000));
    ready(case.world.run_for(1)).unwrap();
    let mut exec = ready(case.world.saga(saga)).unwrap();
    let mut open: Vec<_> = exec.resume().iter().map(Answering::of).collect();
    for said in said {
        let at = |number: usize| open.get(number % open.len().max(1)).cloned();
        let signal = match said.clone() {
            Said::Answer(number, answer) => match at(number) {
                Some(of) => Signal::Answered { of, answer },
                None => Signal::Due,
            },
            Said::Broke(number, code, why) => match at(number) {
                Some(of) => Signal::Faulted { of, code, why },
                None => Signal::Due,
            },
            Said::Stray(step, answer) => {
                Signal::Answered { of: Answering { step, ..exec.answering("a", Direction::Do) }, answer }
            }
            Said::Order(kind, reason, actor) => {
                let by = By { actor: Actor::operator(actor), reason: Some(reason), request: None };
                Signal::Ordered(Ordered { by, kind, if_rev: None })
            }
            Said::Later(ms) => {
                now = now.plus(Duration::from_millis(ms));
                Signal::Due
            }
        };
        open.extend(stored(&mut exec, saga, signal, now));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn no_signal_makes_a_fact_that_cannot_be_stored_and_read_back(
        linearly in any::<bool>(), said in prop::collection::vec(said(), 1..24),
    ) {
        let mut case = if linearly { ready(linear()) } else { ready(everything()) };
        play(&mut case, &said);
    }

    #[test]
    fn every_time_of_a_fact_is_read_back(micros in any::<i64>()) {
        let at = Timestamp(micros);
        let fact: SagaFact =
            WaitStarted { step: "s".parse().unwrap(), gate: "g".to_owned(), deadline: at }.into();
        let held: SagaFact =
            WaitStarted { step: "s".parse().unwrap(), gate: "g".to_owned(), deadline: at.clamp(TIME_MIN, TIME_MAX) }.into();
        prop_assert_eq!(read_back(&fact), held);
    }
}

fn body(bytes: usize) -> Payload {
    Payload::trusted(format!("\"{}\"", "x".repeat(bytes - 2)))
}
/// Runs until the step `a` has its command under way, without an answer, then answers as a module would.
fn answered(answer: Answer) -> Case {
    let mut case = ready(linear());
    ready(case.world.run_for(1)).unwrap();
    ready(case.world.reply(case.saga, "a", Direction::Do, answer)).unwrap();
    case
}
#[test]
fn weather_far_away_is_held_and_the_saga_can_be_read() {
    for after_ms in [AFTER_MS_MAX + 1, 251_600_000_000_000, 300_000_000_000_000, u64::MAX] {
        let mut case = ready(linear());
        ready(case.world.run_for(1)).unwrap();
        let mut exec = ready(case.world.saga(case.saga)).unwrap();
        let answer = Answer::Retry { after_ms, reason: "busy".to_owned() };
        let signal = Signal::Answered { of: exec.answering("a", Direction::Do), answer };
        let now = Timestamp(1_800_000_000_000_000);
        stored(&mut exec, case.saga, signal, now);
        assert!(
            exec.next_due().unwrap() <= now.plus(Duration::from_secs(60)),
            "{after_ms}: not even the step's own cap"
        );
    }
}

#[test]
fn an_output_that_no_fact_can_hold_parks_its_step_with_its_size() {
    let case = {
        let mut case = ready(linear());
        ready(case.world.run_for(1)).unwrap();
        case
    };
    let mut exec = ready(case.world.saga(case.saga)).unwrap();
    let signal = Signal::Answered {
        of: exec.answering("a", Direction::Do),
        answer: Answer::Done { output: body(BODY_BYTES_MAX + 1) },
    };
    stored(&mut exec, case.saga, signal, Timestamp(1_800_000_000_000_000));
    assert_eq!(exec.state(), SagaState::Parked);
    let last = exec.row().waiting[0].last.clone().unwrap();
    assert_eq!(last, "the output has 983041 bytes, at most 983040 are allowed");
}

#[test]
fn a_long_refusal_turns_the_saga_back_with_what_can_be_kept_of_it() {
    let mut case = answered(Answer::Refused(Refused::new("no stock", "r".repeat(PAYLOAD_BYTES_MAX - 25))));
    assert_eq!(ready(case.run()).unwrap(), SagaState::Compensated);
    let reason = ready(case.world.saga(case.saga)).unwrap().row().reason.unwrap();
    assert!(reason.starts_with("no stock: rrr") && reason.ends_with("bytes in all)"), "{}", reason.len());
    assert!(reason.len() <= TEXT_BYTES_MAX);
}

#[test]
fn what_people_write_is_refused_when_it_is_too_long_or_nothing() {
    let mut case = ready(linear());
    ready(case.world.run()).unwrap();
    let long = "n".repeat(TEXT_BYTES_MAX + 1);
    let signal = |data| OrderKind::Signal { gate: "approval".to_owned(), data, opening: None };
    for (kind, reason, wanted) in [
        (OrderKind::Note(long.clone()), None, "SG0103"),
        (OrderKind::Note(" \n".to_owned()), None, "SG0103"),
        (OrderKind::Pause, Some(long), "SG0103"),
        (OrderKind::Compensate, Some(" ".to_owned()), "SG0207"),
        (signal(body(BODY_BYTES_MAX + 1)), None, "SG0103"),
        (OrderKind::Retry { step: Some("s".repeat(limits::NAME_BYTES_MAX + 1)) }, None, "SG0103"),
        (OrderKind::Note("n".repeat(TEXT_BYTES_MAX)), Some("r".repeat(TEXT_BYTES_MAX)), "now"),
        (OrderKind::Pause, Some(String::new()), "now"),
    ] {
        let by = By { actor: Actor::operator("dana"), reason, request: None };
        let ticket = case.world.order_as(case.saga, Ordered { by, kind, if_rev: None });
        ready(case.world.run()).unwrap();
        assert_eq!(code(&case.world.told[&ticket]), wanted);
    }
}

#[test]
fn strange_messages_are_kept_once_and_not_for_ever() {
    let mut case = ready(linear());
    ready(case.world.run()).unwrap();
    for number in 0..1_000 {
        ready(case.world.reply(case.saga, "a", Direction::Do, Answer::Done { output: Payload::of(&number).unwrap() }))
            .unwrap();
        ready(case.world.reply(case.saga, "a", Direction::Do, Answer::Done { output: Payload::of(&0).unwrap() }))
            .unwrap();
        ready(case.world.reply(
            case.saga,
            "a",
            Direction::Do,
            Answer::Retry { after_ms: 1, reason: number.to_string() },
        ))
        .unwrap();
    }
    ready(case.world.run()).unwrap();
    assert_eq!(ready(case.world.saga(case.saga)).unwrap().show(false).anomalies, 100);
    let stranger = SagaId(Uuid::from_u128(0xdead));
    let of = ready(case.world.saga(case.saga)).unwrap().answering("a", Direction::Do);
    for number in 0..2_000_u32 {
        for step in [format!("s{number}"), "again".to_owned()] {
            case.world.reply_as(stranger, Answering { step, ..of.clone() }, Answer::Done { output: Payload::null() });
        }
    }
    ready(case.world.run()).unwrap();
    let log = ready(case.world.logs()[0].1.read_log(saga_core::id::Position::ZERO, usize::MAX)).unwrap();
    assert!(log.iter().filter(|event| event.stream.category() == "orchestration_anomaly").count() <= 1_000);
}

#[test]
fn the_same_answer_in_other_words_is_no_contradiction() {
    let mut case = answered(Answer::Done { output: Payload::trusted(r#"{"a":1,"b":[2]}"#) });
    ready(case.world.run_for(1)).unwrap();
    let mut exec = ready(case.world.saga(case.saga)).unwrap();
    let output = Payload::trusted("{ \"b\" : [2],\n \"a\" : 1 }");
    let signal = Signal::Answered { of: exec.answering("a", Direction::Do), answer: Answer::Done { output } };
    stored(&mut exec, case.saga, signal, Timestamp(1_800_000_000_000_000));
    assert_eq!(exec.show(false).anomalies, 0);
}

/// More branches at once than one commit may hold.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Wide;
impl Saga for Wide {
    const NAME: &'static str = "wide";
    const VERSION: u16 = 1;
    fn plan(plan: Plan) -> saga_core::definition::Definition {
        plan.each("each", thousand, AtMost(1_000), |p| p.step("hold", hold, free)).step("last", last, free).end()
    }
}
fn thousand() -> Vec<u32> {
    (0..1_000).collect()
}
async fn hold(Item(number): Item<u32>) -> Step<u32> {
    Ok(number)
}
async fn free() -> Step<()> {
    Ok(())
}
async fn last() -> Step<()> {
    Ok(())
}

#[test]
fn what_does_not_fit_into_one_commit_is_decided_in_several() {
    let mut world = ready(World::new(vec![define::<Wide>()], vec![])).unwrap();
    world.faults.refuse = Some("last".to_owned());
    let saga = world.start(&Wide).unwrap();
    ready(world.run()).unwrap();
    assert_eq!(ready(world.state(saga)).unwrap(), SagaState::Compensated);
    let story = ready(world.story(saga)).unwrap();
    assert_eq!(story.iter().filter(|fact| fact.starts_with("StepCompensated")).count(), 1_000);
    assert!(story.len() > EVENTS_PER_BATCH_MAX);
}
