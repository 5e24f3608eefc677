//! The world in one thread: machines, stores, modules and a bus that does what the faults say. Time jumps when all is quiet.
//!
//! It drives exactly what production runs (coordinator, barrier, host, journal); only the shell is another one.

mod look;
mod participants;
mod recorded;
mod setup;
mod writing;

use crate::effects::Effects;
use crate::fates::{Fates, Schedule};
use saga_core::control::OrderKind;
use saga_core::envelope::Actor;
use saga_core::fact::{By, SagaFact, SagaStarted};
use saga_core::id::{Direction, Epoch, Position, SagaId};
use saga_core::json::Payload;
use saga_core::module::Module;
use saga_core::outcome::Answer;
use saga_core::ports::{Claim, Clock, Ids, SharedStore, Stores};
use saga_core::saga::{Saga, define};
use saga_core::step::Given;
use saga_core::view::SagaState;
use saga_engine::execution::{Act, Answering, Deed, Execution, Ordered, Signal};
use saga_engine::journal::{self, HistoryError};
use saga_engine::machine::Machine;
use saga_engine::machine::assignment::group_scope;
use saga_engine::machine::coordinator::{Coordinator, Definitions, In, Out, Told};
use saga_engine::memory::StillClock;
pub use setup::SEED;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// Where something can go wrong. Its text names what does.
#[derive(Debug, Clone, Default)]
pub struct Faults {
    /// The performer of this step refuses its deed.
    pub refuse: Option<String>,
    /// No answer of this step's deed ever arrives; `true`: it happens all the same.
    pub silence: Option<(String, bool)>,
    /// Every command and every reply is delivered twice.
    pub twice: bool,
    /// The coordinator dies after this many commits, sends and acknowledgements.
    pub crash_at: Option<u64>,
    /// What becomes of commits of the coordinator, and of its reads.
    pub facts: Fates,
    /// The same of every module's store.
    pub deeds: Fates,
    /// Commits of the coordinator take their time: other things happen while they are under way.
    pub late: bool,
    /// The undo of this step never happens, and nobody answers it.
    pub undo_silence: Option<String>,
    /// The performer of this step, or of its undo (`true`), answers so many times that it cannot now.
    pub weather: Option<(String, bool, u64)>,
    /// The bus takes no command, and says this.
    pub bus_refuses: Option<String>,
    /// No read model hears anything: the broker is away.
    pub lags: bool,
    /// Commands stay in the queues of their modules: nobody is handed one.
    pub queued: bool,
    /// The bus cannot tell what stands in its queues: it has lost them, or does not answer.
    pub untold: bool,
    /// The performer does it, dies before the answer is recorded, and is asked again: every command and every call.
    pub forgets: bool,
    /// So many replies lie on the bus, and the coordinator has not come to them.
    pub unheard: u64,
}

enum Work {
    In(In),
    Commit(writing::Facts),
    Deliver(SagaId, Act),
    Reply(SagaId, Answering, Answer),
}

/// A world with the given sagas and modules.
pub struct World {
    /// The clock.
    pub clock: Arc<StillClock>,
    /// What goes wrong.
    pub faults: Faults,
    /// How many times a fault was reached: a test that injects one asserts that this is not zero.
    pub reached: u64,
    /// Seeds the order in which what is under way happens; `None`: first come, first served.
    pub shuffle: Option<u64>,
    /// What functions that run here may use.
    pub given: Given,
    /// The world outside, where fake providers or functions were given a clone of it.
    pub effects: Effects,
    /// What else the laws compare.
    observes: Option<look::Observer>,
    /// What people who waited were told, by ticket.
    pub told: BTreeMap<u64, Told>,
    ids: Arc<dyn Ids>,
    stores: Arc<dyn Stores>,
    modules: BTreeMap<&'static str, (Module, SharedStore)>,
    definitions: Arc<Definitions>,
    coordinator: Coordinator,
    /// Decides what comes by chance: the jitter of retries.
    seed: u64,
    /// The store itself, for looks from outside: no fate touches them.
    journal: SharedStore,
    facts: Arc<Schedule>,
    deeds: Arc<Schedule>,
    epoch: Epoch,
    work: VecDeque<Work>,
    held: Vec<(SagaId, Act)>,
    points: u64,
    tickets: u64,
    /// How often in a row something was due that had been due before.
    still: u32,
    asked: BTreeMap<u64, recorded::Asked>,
    /// The facts of each saga, as far as they were read to see whether something stands in the log.
    read: BTreeMap<SagaId, Vec<SagaFact>>,
}

/// Silence ends at last: a step that is repeated for ever behind the pivot has to come through when the weather clears.
const SILENCES_MAX: u64 = 40;

/// One saga and a thousand steps later something is wrong with the law, not with the saga.
const TURNS_MAX: u32 = 200_000;
/// A due act is done when time comes to it; one that is still due a hundred looks later stays due for ever.
const STILL_MAX: u32 = 100;
/// So many inputs follow from one another without anything from outside: a coordinator that turns in a circle is named, and
/// does not hang its test.
const INPUTS_MAX: u32 = 10_000;

impl World {
    /// Starts a saga with a fresh key.
    pub fn start<S: Saga>(&mut self, input: &S) -> Result<SagaId, String> {
        let saga = SagaId(self.ids.next(self.clock.now()));
        self.start_keyed(saga, input, &saga.short()).map(|_| saga)
    }
    /// Starts a saga by id and key; gives the ticket under which it will be told.
    pub fn start_keyed<S: Saga>(&mut self, saga: SagaId, input: &S, key: &str) -> Result<u64, String> {
        let definition = define::<S>();
        let input = Payload::of(input).map_err(|why| why.to_string())?;
        Ok(self.start_as(saga, definition.begin(key.to_owned(), input, None)))
    }
    /// Starts a saga with its whole first fact.
    pub fn start_as(&mut self, saga: SagaId, started: SagaStarted) -> u64 {
        self.tickets += 1;
        self.asked.insert(self.tickets, recorded::Asked { saga, request: None });
        self.work.push_back(Work::In(In::Signal { saga, signal: Signal::Begun(started), ticket: Some(self.tickets) }));
        self.tickets
    }
    /// Orders something as the operator "dana".
    pub fn order(&mut self, saga: SagaId, kind: OrderKind) -> u64 {
        let request = Some(saga_core::id::RequestId(self.ids.next(self.clock.now())));
        let by = By { actor: Actor::operator("dana"), reason: Some("because".to_owned()), request };
        self.order_as(saga, Ordered { by, kind, if_rev: None })
    }
    /// Orders something with its own accountability.
    pub fn order_as(&mut self, saga: SagaId, ordered: Ordered) -> u64 {
        self.tickets += 1;
        self.asked.insert(self.tickets, recorded::Asked { saga, request: ordered.by.request });
        let signal = Signal::Ordered(ordered);
        self.work.push_back(Work::In(In::Signal { saga, signal, ticket: Some(self.tickets) }));
        self.tickets
    }
    /// Hands out at last what stood in the queues.
    pub fn hand_out(&mut self) {
        self.faults.queued = false;
        self.work.extend(std::mem::take(&mut self.held).into_iter().map(|(saga, act)| Work::Deliver(saga, act)));
    }
    /// Lets the coordinator hear of replies, or not.
    pub fn hears(&mut self, hears: bool) {
        self.work.push_back(Work::In(if hears { In::Heard } else { In::Deaf }));
    }
    /// Lets time pass, whatever is due.
    pub fn let_pass(&mut self, time: Duration) {
        self.clock.move_to(self.clock.now().plus(time));
        self.work.push_back(Work::In(In::Tick));
    }
    /// Puts a reply on its way, as if the module that was asked last had sent it.
    pub async fn reply(
        &mut self,
        saga: SagaId,
        step: &str,
        direction: Direction,
        answer: Answer,
    ) -> Result<(), String> {
        let of = self.saga(saga).await?.answering(step, direction);
        self.reply_as(saga, of, answer);
        Ok(())
    }
    /// Puts any reply on its way.
    pub fn reply_as(&mut self, saga: SagaId, of: Answering, answer: Answer) {
        self.work.push_back(Work::Reply(saga, of, answer));
    }
    /// Tells the coordinator anything that it can hear.
    pub fn tell(&mut self, saga: SagaId, signal: Signal) {
        self.work.push_back(Work::In(In::Signal { saga, signal, ticket: None }));
    }
    /// Runs until nothing moves any more: every saga ended, waits for a person, or waits for a signal.
    pub async fn run(&mut self) -> Result<(), String> {
        if self.run_for(TURNS_MAX).await? {
            return Ok(());
        }
        let sagas = self.coordinator.sagas().map(|exec| format!("{}: {:#?}", exec.saga(), exec.waiting()));
        let sagas: Vec<String> = sagas.collect();
        Err(format!("the world does not come to rest after {TURNS_MAX} turns; what its sagas wait for: {sagas:#?}"))
    }
    /// Runs for so many turns, or until nothing moves any more: then it is true.
    pub async fn run_for(&mut self, turns: u32) -> Result<bool, String> {
        for _ in 0..turns {
            match self.next_work() {
                Some(work) => self.turn(work).await?,
                None => match self.next_due_without_gates() {
                    Some(due) => {
                        self.still = if due > self.clock.now() { 0 } else { self.still + 1 };
                        if self.still > STILL_MAX {
                            let sagas: Vec<String> =
                                self.coordinator.sagas().map(|exec| format!("{exec:#?}")).collect();
                            return Err(format!("time stands still: something is due at {due} for ever: {sagas:#?}"));
                        }
                        self.clock.move_to(due);
                        self.work.push_back(Work::In(In::Tick));
                    }
                    None => return Ok(true),
                },
            }
        }
        Ok(self.work.is_empty() && self.next_due_without_gates().is_none())
    }
    /// The next piece of work: the oldest, or any at all when the order is shuffled.
    fn next_work(&mut self) -> Option<Work> {
        let Some(dice) = &mut self.shuffle else { return self.work.pop_front() };
        // An odd step through all 64-bit numbers, and their upper half: even enough to try every order.
        *dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let waiting = u64::try_from(self.work.len()).unwrap_or(u64::MAX).max(1);
        self.work.remove(usize::try_from((*dice >> 32) % waiting).unwrap_or(0))
    }
    /// Lets the next deadline pass, whatever it is.
    pub async fn let_deadline_pass(&mut self) -> Result<(), String> {
        if let Some(due) = self.coordinator.next_due() {
            self.clock.move_to(due);
            self.work.push_back(Work::In(In::Tick));
        }
        self.run().await
    }
    /// When the next thing is due by itself, gates included.
    pub fn next_due(&self) -> Option<saga_core::time::Timestamp> {
        self.coordinator.next_due()
    }
    /// An id that nothing else has.
    pub fn fresh_id(&self) -> uuid::Uuid {
        self.ids.next(self.clock.now())
    }
    /// Gates have deadlines of days: a test that wants one to pass says so.
    fn next_due_without_gates(&self) -> Option<saga_core::time::Timestamp> {
        let gates_only =
            |exec: &Execution| matches!(exec.state(), SagaState::Waiting | SagaState::Parked | SagaState::UndoFailed);
        let moving = self.coordinator.sagas().filter(|exec| !gates_only(exec));
        moving.filter_map(|exec| self.coordinator.due(exec.saga())).min()
    }
    async fn turn(&mut self, work: Work) -> Result<(), String> {
        self.facts.follow(self.faults.facts);
        self.deeds.follow(self.faults.deeds);
        let met = self.facts.met() + self.deeds.met();
        let done = self.work_on(work).await;
        self.reached += self.facts.met() + self.deeds.met() - met;
        done
    }
    async fn work_on(&mut self, work: Work) -> Result<(), String> {
        match work {
            Work::In(input) => self.feed(input).await,
            Work::Commit(facts) => match self.write(facts).await? {
                Some(input) => self.feed(input).await,
                None => Ok(()),
            },
            Work::Deliver(saga, act) if self.faults.queued && act.module().is_some() => {
                self.reached += 1;
                self.held.push((saga, act));
                Ok(())
            }
            Work::Deliver(saga, act) => {
                let served = self.perform(saga, &act).await?;
                if self.faults.twice {
                    self.reached += 1;
                    let again = self.perform(saga, &act).await?;
                    // Functions remember nothing, and weather may have passed meanwhile.
                    let weather = |answer: &Option<Answer>| matches!(answer, Some(Answer::Retry { .. }));
                    let loose = act.deed == Deed::Run || weather(&served) || weather(&again);
                    if !loose && served.is_some() && again.is_some() && again != served {
                        return Err(format!("{}: answered {served:?}, then {again:?}", act.step));
                    }
                }
                if let Some(answer) = served {
                    self.work.push_back(Work::Reply(saga, Answering::of(&act), answer));
                }
                self.point().await
            }
            Work::Reply(saga, of, answer) => {
                let silent = self.faults.silence.as_ref().is_some_and(|(at, _)| *at == of.step);
                if silent && self.reached < SILENCES_MAX && of.direction == Direction::Do {
                    self.reached += 1;
                    return Ok(());
                }
                for _ in 0..=u8::from(self.faults.twice) {
                    let signal = Signal::Answered { of: of.clone(), answer: answer.clone() };
                    self.feed(In::Signal { saga, signal, ticket: None }).await?;
                }
                self.point().await
            }
        }
    }
    /// A point at which a coordinator may die.
    async fn point(&mut self) -> Result<(), String> {
        self.points += 1;
        if self.faults.crash_at == Some(self.points) {
            self.reached += 1;
            self.crash().await?;
        }
        Ok(())
    }
    async fn load(&self, saga: SagaId) -> Result<In, String> {
        match journal::history(&self.facts.over(Arc::clone(&self.journal)), saga).await {
            Ok(history) => Ok(In::Loaded { saga, history }),
            Err(HistoryError::Read(_)) => Ok(In::LoadFailed { saga, for_good: None }),
            Err(why @ HistoryError::Decode { .. }) => Err(why.to_string()),
        }
    }
    /// The coordinator dies with everything it had in memory; another one takes over from the log.
    pub async fn crash(&mut self) -> Result<(), String> {
        self.work.clear();
        self.coordinator = Coordinator::new(Arc::clone(&self.definitions), self.seed);
        self.journal = self.stores.open("orchestration").await.map_err(|why| why.to_string())?;
        self.recover().await
    }
    async fn recover(&mut self) -> Result<(), String> {
        // The process that had the group before is dead, and a lease of no time keeps nobody waiting.
        let scope = group_scope(0);
        let claim = Claim { want: vec![scope.clone()], leave: Vec::new() };
        let owner = self.ids.next(self.clock.now());
        let leases = self.journal.lease(owner, &claim, Duration::ZERO).await.map_err(|why| why.to_string())?;
        let taken = leases.into_iter().find(|lease| lease.scope == scope && lease.owner == owner);
        self.epoch = taken.ok_or("the group was not taken over")?.epoch;
        let found = journal::recover(&self.journal, Default::default(), Position::ZERO).await;
        for saga in found.map_err(|why| why.to_string())?.open {
            self.work.push_back(Work::In(In::Recover { saga }));
        }
        Ok(())
    }
    async fn feed(&mut self, input: In) -> Result<(), String> {
        let (mut inputs, mut fed) = (VecDeque::from([input]), 0);
        while let Some(input) = inputs.pop_front() {
            fed += 1;
            if fed > INPUTS_MAX {
                return Err(format!("the coordinator turns in a circle; {fed} inputs later it hears {input:?}"));
            }
            let mut out = Vec::new();
            self.coordinator.step(self.clock.now(), input, &mut out);
            for output in out {
                self.stands_in_the_log(&output).await?;
                match output {
                    Out::Commit { saga, expected, facts, once, at } => {
                        let facts = writing::Facts { saga, expected, facts, once, at };
                        if self.faults.late {
                            self.reached += 1;
                            self.work.push_back(Work::Commit(facts));
                            continue;
                        }
                        match self.write(facts).await? {
                            Some(answered) => inputs.push_back(answered),
                            // What it would have done next is done by another one, from the log.
                            None => return Ok(()),
                        }
                    }
                    Out::Load { saga, .. } => inputs.push_back(self.load(saga).await?),
                    // A function of the saga is called by its owner: no bus is asked.
                    Out::Perform { saga, act } if act.module().is_none() => {
                        self.work.push_back(Work::Deliver(saga, act))
                    }
                    Out::Perform { saga, act } => {
                        let (step, direction, attempt) = (act.step.clone(), act.direction, act.attempt);
                        inputs.push_back(match self.faults.bus_refuses.clone() {
                            Some(why) => {
                                self.reached += 1;
                                In::NotTaken { saga, step, direction, attempt, why }
                            }
                            None => {
                                self.work.push_back(Work::Deliver(saga, act));
                                In::Taken { saga, step, direction, attempt }
                            }
                        });
                    }
                    // What the faults hold back still stands in the queue; everything else is delivered at once.
                    Out::AskQueue { module } => {
                        let commands = if self.faults.queued { u64::MAX } else { 0 };
                        let commands = (!self.faults.untold).then_some(commands);
                        inputs.push_back(In::Queued { module, commands, unheard: self.faults.unheard });
                    }
                    Out::Tell { ticket, what } => {
                        self.told.insert(ticket, what);
                    }
                    // There is one group, and nobody counts.
                    Out::Moved { .. } | Out::HandOn { .. } | Out::Counted { .. } => {}
                    Out::Stray { saga, what, ticket: _ } => self.keep(saga, &what).await,
                }
            }
        }
        Ok(())
    }
}
