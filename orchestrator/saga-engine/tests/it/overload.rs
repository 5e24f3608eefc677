//! Overload bends: more sagas than a slow module can serve, and owners that die, played moment by moment. All of them end
//! well, because commands wait in line instead of being asked twice.
#![expect(clippy::unwrap_used, reason = "what tests share speaks by panicking")]

use crate::ledger::Put;
use saga_core::definition::Definition;
use saga_core::fact::SagaFact;
use saga_core::id::{Direction, SagaId, StepKey};
use saga_core::json::Payload;
use saga_core::outcome::Answer;
use saga_core::policy::{Deadline, Retry};
use saga_core::saga::{Plan, Saga, define};
use saga_core::step::In as Input;
use saga_core::time::Timestamp;
use saga_engine::execution::{Act, Answering, Signal};
use saga_engine::host::EXPIRED;
use saga_engine::machine::Machine;
use saga_engine::machine::coordinator::{
    COMMANDS_IN_FLIGHT_MAX, COMMANDS_WAITING_MAX, Coordinator, Definitions, In, Out, Told,
};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

/// Two commands, three seconds of patience, eight tries.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Proof {
    number: u64,
}
impl Saga for Proof {
    const NAME: &'static str = "proof";
    const VERSION: u16 = 1;
    fn plan(plan: Plan) -> Definition {
        let shop = Retry::brief().pausing(Duration::from_millis(200), Duration::from_secs(30)).tries(8);
        let patience = Deadline::seconds(3);
        plan.ask("print", put).patience(patience).retry(shop).ask("fetch", put).patience(patience).retry(shop).end()
    }
}
fn put(Input(proof): Input<Proof>) -> Put {
    Put::of(format!("proof {}", proof.number))
}

/// A command takes 200 ms, and eight are worked on at once: forty a second.
const WORK: Duration = Duration::from_millis(200);
const HANDS: usize = 8;
/// What was done before, or is not begun any more, is answered in a millisecond.
const SHORT: Duration = Duration::from_millis(1);

#[derive(Debug)]
enum Event {
    Start(u64),
    /// A hand has finished this; it came too late to be begun.
    Served(SagaId, Box<Act>, bool),
    /// The owner of this half of the sagas dies, and another one takes over.
    Dies(usize),
    Look,
}

struct Play {
    now: Timestamp,
    agenda: BTreeMap<(Timestamp, u64), Event>,
    number: u64,
    owners: Vec<Coordinator>,
    definitions: Arc<Definitions>,
    log: BTreeMap<SagaId, Vec<(SagaFact, Timestamp)>>,
    queue: VecDeque<(SagaId, Act)>,
    idle: usize,
    done: BTreeSet<StepKey>,
    ended: BTreeMap<&'static str, u64>,
    longest: usize,
    sent: u64,
    refused: Option<String>,
    room: usize,
    knows_queue: bool,
}

impl Play {
    fn new(owners: usize, room: usize, knows_queue: bool) -> Self {
        let definition = Arc::new(define::<Proof>());
        let definitions: Arc<Definitions> =
            Arc::new(BTreeMap::from([((definition.name.to_owned(), definition.version), definition)]));
        let fresh = |seed| Coordinator::new(Arc::clone(&definitions), seed).at_once(room);
        Self {
            now: Timestamp(1_765_627_200_000_000),
            agenda: BTreeMap::new(),
            number: 0,
            owners: (0..owners as u64).map(fresh).collect(),
            log: BTreeMap::new(),
            queue: VecDeque::new(),
            idle: HANDS,
            done: BTreeSet::new(),
            ended: BTreeMap::new(),
            longest: 0,
            sent: 0,
            refused: None,
            room,
            knows_queue,
            definitions: Arc::clone(&definitions),
        }
    }
    fn plan(&mut self, after: Duration, event: Event) {
        self.number += 1;
        self.agenda.insert((self.now.plus(after), self.number), event);
    }
    fn owner(&self, saga: SagaId) -> usize {
        usize::try_from(saga.0.as_u128() % self.owners.len() as u128).unwrap()
    }
    fn feed(&mut self, owner: usize, input: In) {
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            let mut out = Vec::new();
            self.owners[owner].step(self.now, input, &mut out);
            for output in out {
                match output {
                    Out::Commit { saga, facts, at, .. } => {
                        if let Some(last) = facts.iter().find(|fact| fact.is_terminal()) {
                            *self.ended.entry(saga_core::event::EventSet::name(last)).or_default() += 1;
                        }
                        self.log.entry(saga).or_default().extend(facts.into_iter().map(|fact| (fact, at)));
                        inputs.push_back(In::Committed { saga });
                    }
                    Out::Load { saga, .. } => {
                        let history = self.log.get(&saga).cloned().unwrap_or_default();
                        inputs.push_back(In::Loaded { saga, history });
                    }
                    Out::Perform { saga, act } => {
                        let (step, direction, attempt) = (act.step.clone(), act.direction, act.attempt);
                        self.queue.push_back((saga, act));
                        self.sent += 1;
                        self.longest = self.longest.max(self.queue.len());
                        inputs.push_back(In::Taken { saga, step, direction, attempt });
                    }
                    Out::AskQueue { module } => {
                        let commands = if self.knows_queue { self.queue.len() as u64 } else { 0 };
                        inputs.push_back(In::Queued { module, commands: Some(commands), unheard: 0 });
                    }
                    Out::Tell { what: Told::Refused(why), .. } => {
                        self.refused = Some(format!("{} {}", why.code.id, why.message));
                    }
                    Out::Tell { .. }
                    | Out::Moved { .. }
                    | Out::Stray { .. }
                    | Out::HandOn { .. }
                    | Out::Counted { .. } => {}
                }
            }
        }
        self.work();
    }
    /// An idle worker takes the next command.
    fn work(&mut self) {
        while self.idle > 0
            && let Some((saga, act)) = self.queue.pop_front()
        {
            self.idle -= 1;
            let known = self.done.contains(&key(&act));
            let late = !known && act.direction == Direction::Do && act.deadline < self.now;
            self.plan(if known || late { SHORT } else { WORK }, Event::Served(saga, Box::new(act), late));
        }
    }
    fn happens(&mut self, event: Event) {
        match event {
            Event::Start(number) => {
                let saga = SagaId(Uuid::from_u128(u128::from(number)));
                let definition = define::<Proof>();
                let started = definition.begin(number.to_string(), Payload::of(&Proof { number }).unwrap(), None);
                self.feed(self.owner(saga), In::Signal { saga, signal: Signal::Begun(started), ticket: Some(number) });
            }
            Event::Served(saga, act, late) => {
                self.idle += 1;
                let answer = if late {
                    Answer::Retry { after_ms: 0, reason: EXPIRED.to_owned() }
                } else {
                    self.done.insert(key(&act));
                    Answer::Done { output: Payload::parse(r#"{"what":"done"}"#).unwrap() }
                };
                let signal = Signal::Answered { of: Answering::of(&act), answer };
                self.feed(self.owner(saga), In::Signal { saga, signal, ticket: None });
            }
            Event::Dies(owner) => {
                self.owners[owner] = Coordinator::new(Arc::clone(&self.definitions), 9).at_once(self.room);
                let open = |facts: &Vec<(SagaFact, Timestamp)>| !facts.iter().any(|(fact, _)| fact.is_terminal());
                let open: Vec<SagaId> = self.log.iter().filter(|(_, facts)| open(facts)).map(|(id, _)| *id).collect();
                for saga in open {
                    if self.owner(saga) == owner {
                        self.feed(owner, In::Recover { saga });
                    }
                }
            }
            Event::Look => (0..self.owners.len()).for_each(|owner| self.feed(owner, In::Tick)),
        }
    }
    /// Until nothing moves any more.
    fn run(mut self, sagas: u64, within: Duration, deaths: u32) -> Self {
        let pace = within / u32::try_from(sagas).unwrap().max(1);
        for number in 0..sagas {
            self.plan(pace * u32::try_from(number).unwrap(), Event::Start(number));
        }
        for death in 1..=deaths {
            self.plan(Duration::from_secs(4) * death, Event::Dies(death as usize % self.owners.len()));
        }
        loop {
            let due = self.owners.iter().filter_map(Coordinator::next_due).min();
            match (self.agenda.first_key_value().map(|((at, _), _)| *at), due) {
                (Some(at), Some(due)) if due < at => {
                    self.now = self.now.max(due);
                    self.happens(Event::Look);
                }
                (Some(_), _) => {
                    let Some(((at, _), event)) = self.agenda.pop_first() else { break };
                    self.now = self.now.max(at);
                    self.happens(event);
                }
                (None, Some(due)) => {
                    self.now = self.now.max(due);
                    self.happens(Event::Look);
                }
                (None, None) => break,
            }
        }
        self
    }
}

fn key(act: &Act) -> StepKey {
    if act.direction == Direction::Do { act.keys.0 } else { act.keys.1 }
}

/// A thousand sagas in five seconds are two thousand commands for a module that serves forty a second.
const SAGAS: u64 = 1_000;
const PACED: Duration = Duration::from_secs(5);

#[test]
fn all_sagas_complete_under_more_load_than_a_module_bears_however_many_coordinators_die() {
    for (owners, within, deaths) in [(1, PACED, 0), (1, Duration::ZERO, 8), (2, PACED, 8), (2, Duration::ZERO, 0)] {
        let Play { ended, longest, sent, .. } =
            Play::new(owners, COMMANDS_IN_FLIGHT_MAX, true).run(SAGAS, within, deaths);
        let at = format!("{owners} coordinators, {within:?}, {deaths} deaths: {ended:?}, line {longest}, sent {sent}");
        assert_eq!(ended, BTreeMap::from([("SagaCompleted", SAGAS)]), "{at}");
        // What a dead coordinator has sent stays in line, and its successor sends it once more. Nothing else comes twice.
        let again = COMMANDS_IN_FLIGHT_MAX as u64 * u64::from(deaths);
        assert!(sent >= 2 * SAGAS && sent <= 2 * SAGAS + again, "{at}");
        assert!(longest <= COMMANDS_IN_FLIGHT_MAX * (owners + deaths as usize), "{at}");
    }
}

/// Sixteen groups know nothing of each other: together they may send a module many times what it serves before it expires.
/// A command that expires is not lost, but its messages and facts are for nothing.
#[test]
fn however_many_groups_send_little_expires_and_everything_completes() {
    for (owners, within, deaths) in [(16, Duration::ZERO, 0), (64, PACED, 4)] {
        let mut play = Play::new(owners, COMMANDS_IN_FLIGHT_MAX, true);
        // Five a second: what is not begun within thirty seconds expires.
        play.idle = 1;
        let Play { ended, sent, .. } = play.run(CROWD, within, deaths);
        let at = format!("{owners} coordinators, {within:?}, {deaths} deaths: {ended:?}, sent {sent}");
        assert_eq!(ended, BTreeMap::from([("SagaCompleted", CROWD)]), "{at}");
        // What each sends at first, and a successor again, is sent before anything can be known of the line.
        assert!(sent <= 2 * CROWD + CROWD * 3 / 2, "{at}");
    }
}
/// Four times what is begun before it expires.
const CROWD: u64 = 600;

#[test]
fn without_a_bound_and_without_a_look_at_the_line_the_same_load_is_asked_for_again_and_again() {
    let Play { longest, sent, .. } = Play::new(1, usize::MAX, false).run(SAGAS, PACED, 0);
    assert!(sent > 3 * SAGAS && longest > COMMANDS_IN_FLIGHT_MAX, "the load is no load: sent {sent}, line {longest}");
}

#[test]
fn a_crowd_that_waits_for_a_module_stops_further_starts_and_says_why() {
    let mut play = Play::new(1, 1, true);
    play.idle = 0;
    let crowd = COMMANDS_WAITING_MAX as u64;
    for number in 0..=crowd {
        play.happens(Event::Start(number));
    }
    assert_eq!(play.refused, None);
    play.happens(Event::Start(crowd + 1));
    let why = play.refused.clone().unwrap();
    assert!(
        why.starts_with("SG0211 ledger is slower than sagas begin: 1 commands are with it and 10000 wait"),
        "{why}"
    );
    assert_eq!(play.owners[0].open() as u64, crowd + 1);
    play.idle = HANDS;
    play.work();
    play = play.run(0, Duration::ZERO, 0);
    assert_eq!(play.ended, BTreeMap::from([("SagaCompleted", crowd + 1)]));
}
