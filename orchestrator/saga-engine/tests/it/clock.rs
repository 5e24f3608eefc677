//! A clock that is set: deadlines move with it, and nothing else does.
#![expect(clippy::unwrap_used, reason = "what tests share speaks by panicking")]

use crate::ledger::Put;
use saga_core::definition::Definition;
use saga_core::fact::SagaFact;
use saga_core::id::SagaId;
use saga_core::json::Payload;
use saga_core::outcome::Answer;
use saga_core::policy::Deadline;
use saga_core::saga::{Plan, Saga, define};
use saga_core::time::{Jump, Timestamp};
use saga_engine::execution::{Act, Answering, Signal};
use saga_engine::machine::Machine;
use saga_engine::machine::coordinator::{Coordinator, Definitions, In, Out};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

#[derive(Debug, Clone, Serialize, Deserialize)]
struct One;
impl Saga for One {
    const NAME: &'static str = "one";
    const VERSION: u16 = 1;
    fn plan(plan: Plan) -> Definition {
        plan.ask("put", || Put::of("a note")).patience(Deadline::seconds(3)).end()
    }
}

const BEGIN: Timestamp = Timestamp(1_765_627_200_000_000);
const SAGA: SagaId = SagaId(Uuid::from_u128(7));
const HOURS: Duration = Duration::from_secs(7_200);

/// A coordinator with one saga, whose commands are taken at once.
struct Alone {
    coordinator: Coordinator,
    log: Vec<(SagaFact, Timestamp)>,
    now: Timestamp,
}

impl Alone {
    fn started() -> (Self, Act) {
        let definition = define::<One>();
        let started = definition.begin("k".to_owned(), Payload::of(&One).unwrap(), None);
        let name = (definition.name.to_owned(), definition.version);
        let known: Definitions = BTreeMap::from([(name, Arc::new(definition))]);
        let mut alone = Self { coordinator: Coordinator::new(Arc::new(known), 3), log: Vec::new(), now: BEGIN };
        let first = alone.feed(In::Signal { saga: SAGA, signal: Signal::Begun(started), ticket: None });
        (alone, first.into_iter().next().unwrap())
    }
    fn feed(&mut self, input: In) -> Vec<Act> {
        let (mut inputs, mut acts) = (VecDeque::from([input]), Vec::new());
        while let Some(input) = inputs.pop_front() {
            let mut out = Vec::new();
            self.coordinator.step(self.now, input, &mut out);
            for output in out {
                match output {
                    Out::Commit { saga, facts, at, .. } => {
                        self.log.extend(facts.into_iter().map(|fact| (fact, at)));
                        inputs.push_back(In::Committed { saga });
                    }
                    Out::Load { saga, .. } => inputs.push_back(In::Loaded { saga, history: self.log.clone() }),
                    Out::Perform { saga, act } => {
                        let (step, direction, attempt) = (act.step.clone(), act.direction, act.attempt);
                        inputs.push_back(In::Taken { saga, step, direction, attempt });
                        acts.push(act);
                    }
                    Out::AskQueue { module } => inputs.push_back(In::Queued { module, commands: Some(0), unheard: 0 }),
                    Out::Tell { .. }
                    | Out::Moved { .. }
                    | Out::Stray { .. }
                    | Out::HandOn { .. }
                    | Out::Counted { .. } => {}
                }
            }
        }
        acts
    }
    fn not_now(&mut self, act: &Act) {
        let answer = Answer::Retry { after_ms: 60_000, reason: "rain".to_owned() };
        let signal = Signal::Answered { of: Answering::of(act), answer };
        assert_eq!(self.feed(In::Signal { saga: SAGA, signal, ticket: None }), []);
    }
    fn is_set(&mut self, by: Jump) -> Vec<Act> {
        self.now = self.now.moved(by);
        self.feed(In::Jumped { by })
    }
}

#[test]
fn a_clock_that_is_set_back_freezes_no_pause() {
    let (mut alone, first) = Alone::started();
    alone.not_now(&first);
    assert!(alone.coordinator.next_due().unwrap() >= BEGIN.plus(Duration::from_secs(60)));
    let again = alone.is_set(Jump::Back(HOURS));
    assert_eq!(
        again.iter().map(|act| act.attempt).collect::<Vec<_>>(),
        [2],
        "a pause that began in the future is over"
    );
}

#[test]
fn a_clock_that_is_set_makes_nobody_silent_and_keeps_nobody_waiting() {
    for by in [Jump::Back(HOURS), Jump::Forward(HOURS)] {
        let (mut alone, _) = Alone::started();
        alone.now = alone.now.plus(Duration::from_secs(1));
        assert_eq!(alone.is_set(by), [], "{by:?}");
        let tries = |alone: &Alone| {
            alone.log.iter().filter(|(fact, _)| matches!(fact, SagaFact::StepRetryScheduled(_))).count()
        };
        assert_eq!(tries(&alone), 0, "{by:?}: a second has passed, not two hours");
        let left = alone.coordinator.next_due().unwrap().since(alone.now);
        assert!(left <= Duration::from_secs(2), "{by:?}: {left:?}");
        alone.now = alone.now.plus(Duration::from_secs(2));
        alone.feed(In::Tick);
        assert_eq!(tries(&alone), 1, "{by:?}: three seconds have passed");
    }
}

#[test]
fn a_jump_is_what_passed_time_does_not_explain() {
    let (second, hour) = (Duration::from_secs(1), Duration::from_secs(3_600));
    for (shown, passed, jump) in [
        (BEGIN.plus(hour), hour, None),
        (BEGIN.plus(hour + second / 2), hour, None),
        (BEGIN.plus(hour), hour + second / 2, None),
        (BEGIN.plus(hour), second, Some(Jump::Forward(hour - second))),
        (BEGIN, hour, Some(Jump::Back(hour))),
    ] {
        assert_eq!(Jump::between(BEGIN, shown, passed, second), jump, "{shown} after {passed:?}");
        if let Some(jump) = jump {
            assert_eq!(BEGIN.plus(passed).moved(jump), shown);
        }
    }
}
