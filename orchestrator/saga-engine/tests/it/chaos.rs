//! Random weather: any order of what is under way, any faults, crashes and orders at any moment. Once faults stop,
//! every saga ends, every promise holds, and what the coordinator has in memory is the fold of its log.

use crate::everything::everything;
use crate::linear::{linear, nothing_lies_there};
use proptest::prelude::*;
use saga_core::control::OrderKind;
use saga_core::envelope::Actor;
use saga_core::fact::By;
use saga_core::json::Payload;
use saga_core::ports::Clock;
use saga_core::view::SagaState;
use saga_core::why::causes;
use saga_engine::execution::{Ordered, Signal};
use saga_testkit::fates::{Fate, Fates};
use saga_testkit::laws::saga::Case;
use saga_testkit::stage::ready;
use saga_testkit::world::Faults;

#[derive(Debug, Clone)]
enum Weather {
    Pass { turns: u32 },
    Crash,
    Refuse(usize),
    Silence(usize, bool),
    Twice,
    Facts(Fates),
    Deeds(Fates),
    Late,
    UndoFails(usize),
    NotNow(usize, bool),
    Calm,
    Order(usize),
    Answer,
    Deadline,
}

fn weather() -> impl Strategy<Value = Weather> {
    prop_oneof![
        6 => (1_u32..30).prop_map(|turns| Weather::Pass { turns }),
        2 => Just(Weather::Crash),
        2 => (0_usize..16).prop_map(Weather::Refuse),
        2 => (0_usize..16, any::<bool>()).prop_map(|(step, happens)| Weather::Silence(step, happens)),
        1 => Just(Weather::Twice),
        2 => fates().prop_map(Weather::Facts),
        2 => fates().prop_map(Weather::Deeds),
        1 => Just(Weather::Late),
        1 => (0_usize..16).prop_map(Weather::UndoFails),
        1 => (0_usize..16, any::<bool>()).prop_map(|(step, undo)| Weather::NotNow(step, undo)),
        2 => Just(Weather::Calm),
        3 => (0_usize..7).prop_map(Weather::Order),
        2 => Just(Weather::Answer),
        1 => Just(Weather::Deadline),
    ]
}

fn fates() -> impl Strategy<Value = Fates> {
    prop_oneof![
        (2_u64..6, prop::sample::select(&Fate::ALL)).prop_map(|(every, fate)| Fates::Every(every, fate)),
        (any::<u64>(), 2_u64..8).prop_map(|(seed, one_in)| Fates::Any { seed, one_in }),
    ]
}

fn order(number: usize) -> OrderKind {
    match number {
        0 | 1 => OrderKind::Pause,
        2 | 3 => OrderKind::Resume,
        4 => OrderKind::Cancel { abandon: false },
        5 => OrderKind::Compensate,
        _ => OrderKind::Retry { step: None },
    }
}

/// What a face offers is an order that would be accepted in that moment.
async fn offers_only_what_is_accepted(case: &Case) -> Result<(), String> {
    let exec = case.world.saga(case.saga).await?;
    let show = exec.show(false);
    for cause in causes(&show.row, case.world.clock.now()).0 {
        for advised in cause.remedy.split("sagactl saga ").skip(1) {
            let verb = advised.split(' ').next().unwrap_or_default();
            let flag = if advised.contains("--undo") { " --undo" } else { "" };
            let (verb, looks) = (format!("{verb}{flag}"), ["history", "show", "watch"].contains(&verb));
            if !looks && !show.possible.iter().any(|possible| possible.verb == verb) {
                return Err(format!("{cause:?} advises {verb:?}, and what is possible is {:?}", show.possible));
            }
        }
    }
    for possible in show.possible {
        let step = || possible.at.clone().unwrap_or_default();
        let result = || Some(Payload::trusted(r#"{"yes":true}"#));
        let kind = match possible.verb.as_str() {
            "signal" => {
                let data = possible.example.clone().unwrap_or_else(Payload::null);
                OrderKind::Signal { gate: step(), data, opening: possible.opening.clone() }
            }
            "retry" => OrderKind::Retry { step: possible.at.clone() },
            "skip" => OrderKind::Skip { step: step(), result: result() },
            "skip --undo" => OrderKind::Skip { step: step(), result: None },
            "cancel" => OrderKind::Cancel { abandon: false },
            "pause" => OrderKind::Pause,
            "resume" => OrderKind::Resume,
            other => return Err(format!("{other:?} is no verb")),
        };
        let by = By { actor: Actor::operator("dana"), reason: Some("because".to_owned()), request: None };
        let ordered = Signal::Ordered(Ordered { by, kind, if_rev: None });
        let decision = exec.clone().decide(ordered, case.world.clock.now());
        if let Some(Err(refused)) = decision.order {
            return Err(format!("{possible:?} is offered and refused: {refused:?}"));
        }
    }
    Ok(())
}

async fn play(mut case: Case, steps: &[&str], seed: u64, days: &[Weather]) -> Result<SagaState, String> {
    // A start that nobody has confirmed may be lost with its coordinator; this one is confirmed.
    case.world.run_for(1).await?;
    case.world.shuffle = Some(seed);
    let step = |number: usize| steps[number % steps.len()].to_owned();
    for day in days {
        match day {
            Weather::Pass { turns } => drop(case.world.run_for(*turns).await?),
            Weather::Crash => case.world.crash().await?,
            Weather::Refuse(number) => case.world.faults.refuse = Some(step(*number)),
            Weather::Silence(number, happens) => case.world.faults.silence = Some((step(*number), *happens)),
            Weather::Twice => case.world.faults.twice = true,
            Weather::Facts(fates) => case.world.faults.facts = *fates,
            Weather::Deeds(fates) => case.world.faults.deeds = *fates,
            Weather::Late => case.world.faults.late = true,
            Weather::UndoFails(number) => case.world.faults.undo_silence = Some(step(*number)),
            Weather::NotNow(number, undo) => case.world.faults.weather = Some((step(*number), *undo, 12)),
            Weather::Calm => case.world.faults = Faults::default(),
            Weather::Order(number) => drop(case.world.order(case.saga, order(*number))),
            Weather::Answer => (case.answer)(&mut case.world, case.saga),
            Weather::Deadline => case.world.let_deadline_pass().await?,
        }
        case.world.agrees_with_its_log().await?;
        offers_only_what_is_accepted(&case).await?;
    }
    case.world.faults = Faults::default();
    for _ in 0..100 {
        case.world.order(case.saga, OrderKind::Resume);
        case.world.run().await?;
        case.world.agrees_with_its_log().await?;
        let state = case.world.state(case.saga).await?;
        if state.is_end() {
            case.audited().await?;
            if matches!(state, SagaState::Compensated | SagaState::Cancelled) {
                nothing_lies_there(&case).await?;
            }
            return Ok(state);
        }
        if state.needs_person() {
            case.world.order(case.saga, OrderKind::Retry { step: None });
        } else {
            (case.answer)(&mut case.world, case.saga);
        }
    }
    let (state, story) = (case.world.state(case.saga).await?, case.world.story(case.saga).await?);
    Err(format!("S1: still {}: {story:#?}", state.word()))
}

const LINEAR: &[&str] = &["a", "b", "c", "d", "p", "t"];
const EVERYTHING: &[&str] = &[
    "slot",
    "look",
    "both/left/put-left",
    "both/left/put-more",
    "both/right/hold-right",
    "rounds#1/try",
    "rounds#2/try",
    "has-items/items[0]/put",
    "has-items/items[2]/put",
    "commit",
    "tell",
];

/// A deed that was done and whose answer was lost is not refused when it is asked for again: the module remembers it.
#[test]
fn what_was_done_before_is_not_refused_afterwards() {
    let days = [
        vec![Weather::Late, Weather::Pass { turns: 4 }, Weather::Crash, Weather::Refuse(1), Weather::Pass { turns: 2 }],
        vec![Weather::Silence(0, true), Weather::Pass { turns: 4 }, Weather::Refuse(0), Weather::Pass { turns: 4 }],
    ];
    for days in days {
        for seed in 0..16 {
            let ended = ready(async { play(linear().await, LINEAR, seed, &days).await });
            assert!(ended.is_ok(), "{days:?}, seed {seed}: {ended:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn a_row_of_commands_ends_in_any_weather(seed: u64, days in prop::collection::vec(weather(), 0..24)) {
        let ended = ready(async { play(linear().await, LINEAR, seed, &days).await });
        prop_assert!(ended.is_ok(), "{}", ended.unwrap_err());
    }
    #[test]
    fn every_word_of_a_plan_ends_in_any_weather(seed: u64, days in prop::collection::vec(weather(), 0..24)) {
        let ended = ready(async { play(everything().await, EVERYTHING, seed, &days).await });
        prop_assert!(ended.is_ok(), "{}", ended.unwrap_err());
    }
}
