//! Many sagas: signals in; loads, commits and acts out. One commit per saga at a time; signals that come meanwhile wait
//! their turn.
//!
//! Invariant: an act leaves only after the commit that holds its fact was answered `Ok`.

mod fit;
mod not_done;
mod once;
mod strays;
mod tries;
mod window;
mod words;

pub use tries::{COMMANDS_IN_FLIGHT_MAX, COMMANDS_WAITING_MAX};
pub use words::{In, Out, Standing, Ticket, Told, Unreadable};

use super::Machine;
use crate::execution::{Accepted, Act, Deed, Execution, Hearing, OrderRefused, Patience, Signal, Tries};
use crate::journal::{Once, group_of};
use once::{begun_again, once_of};
use saga_core::batch::EVENTS_PER_BATCH_MAX;
use saga_core::codes::{self, Code};
pub use saga_core::definition::Definitions;
use saga_core::fact::SagaFact;
use saga_core::id::{SagaId, Version};
use saga_core::time::Timestamp;
use saga_core::view::SagaRow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use strays::{count, stray};
use tries::Room;

/// 1,000,000 open sagas: some 10 GiB of state; more belong into more groups.
pub const OPEN_SAGAS_MAX: usize = 1_000_000;
/// 10,000 signals for one saga: ten for each item of its largest fan-out.
pub const SIGNALS_WAITING_MAX: usize = 10_000;
/// 1,000 messages for sagas that do not exist are kept by one owner of a group; the rest are counted.
pub const STRAYS_MAX: u32 = 1_000;

/// 500 facts: later decisions wait for the next commit, or one commit would break the limit of a store.
const FACTS_PER_COMMIT: usize = EVENTS_PER_BATCH_MAX / 2;
/// 500 sagas that stand still are named: where there are more, the store is damaged, and that is another trouble.
const UNREADABLE_MAX: usize = 500;
/// After so many commits in a row that can never be stored the saga is left alone until a caller asks for it.
const REJECTIONS_MAX: u32 = 8;

#[derive(Default)]
struct Entry {
    /// `None` while its history is being read.
    exec: Option<Execution>,
    /// What the commit in flight was decided on, to be decided again if it does not happen.
    deciding: Vec<(Signal, Option<Ticket>)>,
    in_flight: bool,
    acts: Vec<Act>,
    tries: Tries,
    answers: Vec<(Ticket, Told)>,
    /// Strange messages that the commit in flight does not keep.
    counted: u64,
    queue: Vec<(Signal, Option<Ticket>)>,
    due: Option<Timestamp>,
    /// The order in the commit in flight; the last signal of `deciding` is the one.
    once: Option<Once>,
    /// How many commits in a row could never be stored. While there are some, each signal is decided alone.
    rejections: u32,
}

/// The coordinator of one group.
pub struct Coordinator {
    definitions: Arc<Definitions>,
    seed: u64,
    /// Its group, and how many there are.
    share: (u16, u16),
    strays: u32,
    sagas: BTreeMap<SagaId, Entry>,
    timers: BTreeSet<(Timestamp, SagaId)>,
    rooms: BTreeMap<String, Room>,
    room: usize,
    hearing: Hearing,
    /// Sagas that stand still because nobody here can read or keep their facts, and why.
    unreadable: BTreeMap<SagaId, SagaRow>,
}

impl Coordinator {
    /// Knows these definitions; `seed` decides jitter.
    pub fn new(definitions: Arc<Definitions>, seed: u64) -> Self {
        let (sagas, timers, rooms) = (BTreeMap::new(), BTreeSet::new(), BTreeMap::new());
        let (room, hearing) = (COMMANDS_IN_FLIGHT_MAX, Hearing::default());
        Coordinator {
            definitions,
            seed,
            share: (0, 1),
            strays: 0,
            sagas,
            timers,
            rooms,
            room,
            hearing,
            unreadable: BTreeMap::new(),
        }
    }
    /// At most so many commands of one module are under way at a time (at least one), and fewer while some of them expire;
    /// the others wait here.
    #[must_use]
    pub fn at_once(mut self, commands: usize) -> Self {
        self.room = commands.max(1);
        self
    }
    /// Takes one of several groups: messages about sagas of other groups do not make them its own.
    #[must_use]
    pub fn of_group(mut self, group: u16, groups: u16) -> Self {
        self.share = (group, groups);
        self
    }
    /// Whether a saga belongs to this group: that follows from its id alone.
    pub fn owns(&self, saga: SagaId) -> bool {
        group_of(saga, self.share.1) == self.share.0
    }
    /// When `Tick` is due next.
    pub fn next_due(&self) -> Option<Timestamp> {
        self.timers.first().map(|(due, _)| *due)
    }
    /// When a saga is decided next without a signal from outside.
    pub fn due(&self, saga: SagaId) -> Option<Timestamp> {
        self.sagas.get(&saga)?.due
    }
    /// The saga, if it is in memory and its history is read. It may be one commit ahead of the store.
    pub fn saga(&self, saga: SagaId) -> Option<&Execution> {
        self.sagas.get(&saga)?.exec.as_ref()
    }
    /// Where a saga durably stands.
    pub fn standing(&self, saga: SagaId) -> Standing {
        match self.sagas.get(&saga) {
            None => Standing::Away,
            Some(Entry { exec: Some(exec), in_flight: false, .. }) => {
                Standing::At { rev: exec.rev(), rests: rests(exec) }
            }
            Some(_) => Standing::Moving,
        }
    }
    /// All sagas in memory.
    pub fn sagas(&self) -> impl Iterator<Item = &Execution> {
        self.sagas.values().filter_map(|entry| entry.exec.as_ref())
    }
    /// The sagas whose history is being read.
    pub fn unread(&self) -> impl Iterator<Item = SagaId> {
        self.sagas.iter().filter(|(_, entry)| entry.exec.is_none()).map(|(saga, _)| *saga)
    }
    /// Sagas that stand still, a row each: nobody here can read or keep their facts.
    pub fn unreadable(&self) -> impl Iterator<Item = &SagaRow> {
        self.unreadable.values()
    }
    /// How many sagas are open.
    pub fn open(&self) -> usize {
        self.sagas.len()
    }
    /// Whether nothing is in flight: no commit, no read.
    pub fn is_quiet(&self) -> bool {
        self.sagas.values().all(|entry| !entry.in_flight && entry.exec.is_some())
    }
    /// Hands answers on to the group that has to hear them. An order to the wrong group is refused.
    fn foreign(&self, saga: SagaId, signal: Signal, ticket: Option<Ticket>, out: &mut Vec<Out>) {
        let group = group_of(saga, self.share.1);
        match signal {
            Signal::Begun(_) | Signal::Ordered(_) => {
                let message = format!("saga {saga} belongs to group {group}; this is group {}", self.share.0);
                tell(out, ticket, refused(codes::OTHER_GROUP, message));
            }
            Signal::Answered { .. } | Signal::Faulted { .. } | Signal::NothingKnown { .. } => {
                out.push(Out::HandOn { saga, group, signal, ticket });
            }
            Signal::Unstorable { .. } | Signal::Due => {}
        }
    }
    fn signal(&mut self, now: Timestamp, saga: SagaId, signal: Signal, ticket: Option<Ticket>, out: &mut Vec<Out>) {
        if !self.owns(saga) {
            return self.foreign(saga, signal, ticket, out);
        }
        let (known, signal) = (self.sagas.contains_key(&saga), self.understood(signal));
        self.notice_lateness(saga, &signal);
        if !known && matches!(signal, Signal::Begun(_)) && self.sagas.len() >= OPEN_SAGAS_MAX {
            let message = format!("{OPEN_SAGAS_MAX} sagas are open");
            return tell(out, ticket, refused(codes::OVERLOADED, message));
        }
        if let Some(crowd) = self.crowd().filter(|_| !known && matches!(signal, Signal::Begun(_))) {
            return tell(out, ticket, refused(codes::OVERLOADED, crowd));
        }
        if let Some(misfit) = self.misfit(&signal).filter(|_| !known) {
            return tell(out, ticket, refused(codes::NO_DEFINITION, misfit));
        }
        let entry = self.sagas.entry(saga).or_default();
        if entry.queue.len() >= SIGNALS_WAITING_MAX {
            return tell(out, ticket, refused(codes::OVERLOADED, "too many signals wait for this saga".to_owned()));
        }
        entry.queue.push((signal, ticket));
        if !known {
            let fresh = match &entry.queue[0].0 {
                Signal::Begun(started) => Some(started.clone()),
                Signal::Answered { .. }
                | Signal::Faulted { .. }
                | Signal::NothingKnown { .. }
                | Signal::Unstorable { .. }
                | Signal::Due
                | Signal::Ordered(_) => None,
            };
            match fresh {
                // Written as if it were new: if it is not, the commit conflicts and the history is read.
                Some(started) => {
                    let exec = Execution::new(saga, self.fit(&started), self.seed);
                    if let Some(entry) = self.sagas.get_mut(&saga) {
                        entry.exec = Some(exec);
                    }
                }
                None => out.push(Out::Load { saga, after_failure: false }),
            }
        }
        self.turn(now, saga, out);
    }
    /// Decides everything that waits for a saga, if nothing of it is in flight.
    fn turn(&mut self, now: Timestamp, saga: SagaId, out: &mut Vec<Out>) {
        let Some(entry) = self.sagas.get_mut(&saga) else { return };
        if entry.in_flight {
            return;
        }
        let Some(exec) = entry.exec.as_mut() else { return };
        let expected = exec.rev();
        let (mut facts, mut more, mut once) = (Vec::new(), false, None);
        let most = if entry.rejections > 0 { 1 } else { FACTS_PER_COMMIT };
        let mut queue = std::mem::take(&mut entry.queue).into_iter();
        while facts.len() < most && once.is_none() {
            let Some((signal, ticket)) = queue.next() else { break };
            entry.deciding.push((signal.clone(), ticket));
            if expected > Version::ZERO || exec.started().is_some() {
                if let Signal::Begun(started) = &signal {
                    let told = begun_again(exec, started);
                    entry.answers.extend(ticket.map(|ticket| (ticket, told)));
                    continue;
                }
            } else if !matches!(signal, Signal::Begun(_)) {
                entry.deciding.pop();
                stray(saga, &signal, ticket, &mut self.strays, out);
                continue;
            }
            let begins = matches!(signal, Signal::Begun(_));
            let asked = once_of(exec, &signal);
            let decision = exec.decide_with(Patience::new(&entry.tries, self.hearing), signal, now);
            if begins || matches!(decision.order, Some(Ok(Accepted::Now))) {
                once = asked;
            }
            facts.extend(decision.facts);
            entry.acts.extend(decision.acts);
            entry.counted += decision.counted;
            more |= decision.more;
            let told = match decision.order {
                Some(Ok(accepted)) => Some(Told::Accepted(accepted)),
                Some(Err(refusal)) => Some(Told::Refused(refusal)),
                None if begins => Some(Told::Started { repeated: false }),
                None => Some(Told::Taken),
            };
            entry.answers.extend(ticket.zip(told));
        }
        // Signals without room in this commit, and those that a decision left for later, come after it.
        entry.queue.extend(queue);
        entry.queue.extend(more.then_some((Signal::Due, None)));
        if facts.is_empty() {
            count(saga, &mut entry.counted, out);
            entry.deciding.clear();
            entry.rejections = 0;
            entry.acts.clear();
            let answers = std::mem::take(&mut entry.answers);
            out.extend(answers.into_iter().map(|(ticket, what)| Out::Tell { ticket, what }));
            return self.rest(now, saga, out);
        }
        (entry.in_flight, entry.once) = (true, once);
        out.push(Out::Commit { saga, expected, facts, once, at: now });
    }
    /// Sets the saga's timer, or forgets the saga when it has ended.
    fn rest(&mut self, now: Timestamp, saga: SagaId, out: &mut Vec<Out>) {
        let Some(entry) = self.sagas.get_mut(&saga) else { return };
        let Some(exec) = entry.exec.as_ref() else { return };
        if let Some(due) = entry.due.take() {
            self.timers.remove(&(due, saga));
        }
        if exec.has_ended() || exec.started().is_none() {
            return self.forget(now, saga, out);
        }
        let due = exec.next_due_of(Patience::new(&entry.tries, self.hearing), now);
        entry.due = due.into_iter().chain(tries::next_handing(&entry.tries)).min();
        self.timers.extend(entry.due.map(|due| (due, saga)));
    }
    fn committed(&mut self, now: Timestamp, saga: SagaId, out: &mut Vec<Out>) {
        let Some(entry) = self.sagas.get_mut(&saga) else { return };
        count(saga, &mut entry.counted, out);
        let Some(exec) = entry.exec.as_ref() else { return };
        let moved = Out::Moved { saga, rev: exec.rev(), rests: rests(exec) };
        entry.in_flight = false;
        entry.rejections = 0;
        entry.deciding.clear();
        let (acts, answers) = (std::mem::take(&mut entry.acts), std::mem::take(&mut entry.answers));
        let waits = !entry.queue.is_empty();
        self.make_room(now, saga, out);
        for act in acts {
            self.perform(now, saga, act, out);
        }
        out.extend(answers.into_iter().map(|(ticket, what)| Out::Tell { ticket, what }));
        out.push(moved);
        if waits { self.turn(now, saga, out) } else { self.rest(now, saga, out) }
    }
    fn loaded(&mut self, now: Timestamp, saga: SagaId, history: Vec<(SagaFact, Timestamp)>, out: &mut Vec<Out>) {
        let fit = history.iter().find_map(|(fact, _)| Some(self.fit(fact.as_start()?)));
        let entry = self.sagas.entry(saga).or_default();
        if entry.exec.is_some() {
            return;
        }
        let fresh = history.is_empty();
        let begun = entry.queue.iter().find_map(|(signal, _)| match signal {
            Signal::Begun(started) if fresh => Some(started.clone()),
            Signal::Begun(_)
            | Signal::Answered { .. }
            | Signal::Faulted { .. }
            | Signal::NothingKnown { .. }
            | Signal::Unstorable { .. }
            | Signal::Due
            | Signal::Ordered(_) => None,
        });
        let fit = fit.or_else(|| begun.map(|started| self.fit(&started))).unwrap_or_default();
        let mut exec = Execution::new(saga, fit, self.seed);
        for (fact, at) in &history {
            exec.evolve(fact, *at);
        }
        self.unreadable.remove(&saga);
        let acts = exec.resume();
        if let Some(entry) = self.sagas.get_mut(&saga) {
            out.push(Out::Moved { saga, rev: exec.rev(), rests: rests(&exec) });
            entry.exec = Some(exec);
            // Time may have passed, and a crash may have come between two facts: look once.
            if !fresh {
                entry.queue.push((Signal::Due, None));
            }
        }
        self.make_room(now, saga, out);
        for act in acts {
            self.perform(now, saga, act, out);
        }
        self.turn(now, saga, out);
    }
    /// Commands that wait for an answer, again. Functions that run here are not run twice for it.
    fn remind(&mut self, now: Timestamp, out: &mut Vec<Out>) {
        self.hearing.since = Some(now);
        let mut owed = Vec::new();
        for (saga, entry) in &self.sagas {
            let Some(exec) = entry.exec.as_ref().filter(|_| !entry.in_flight) else { continue };
            let sent = exec.resume().into_iter().filter(|act| act.deed != Deed::Run);
            owed.extend(sent.map(|act| (*saga, act)));
        }
        for (saga, act) in owed {
            self.perform(now, saga, act, out);
        }
    }
    fn tick(&mut self, now: Timestamp, out: &mut Vec<Out>) {
        // Each once, or one that is due again at once would keep the others waiting.
        for (due, saga) in self.timers.iter().take_while(|(due, _)| *due <= now).copied().collect::<Vec<_>>() {
            let still = self.timers.remove(&(due, saga));
            let Some(entry) = self.sagas.get_mut(&saga).filter(|_| still) else { continue };
            entry.due = None;
            entry.queue.push((Signal::Due, None));
            self.hand_again(now, saga, out);
            self.look_at_queues(now, saga, out);
            self.turn(now, saga, out);
        }
    }
}

fn rests(exec: &Execution) -> bool {
    exec.started().is_none() || exec.has_ended() || exec.state().needs_person()
}
fn refused(code: Code, message: String) -> Told {
    Told::Refused(OrderRefused { code, message, hint: None })
}
fn tell(out: &mut Vec<Out>, ticket: Option<Ticket>, what: Told) {
    out.extend(ticket.map(|ticket| Out::Tell { ticket, what }));
}
impl Machine for Coordinator {
    type In = In;
    type Out = Out;
    fn step(&mut self, now: Timestamp, input: In, out: &mut Vec<Out>) {
        match input {
            In::Signal { saga, signal, ticket } => self.signal(now, saga, signal, ticket, out),
            In::GivenUp { saga, ticket } => self.given_up(saga, ticket, out),
            In::Recover { saga } if !self.owns(saga) => {}
            In::Recover { saga } => {
                self.sagas.entry(saga).or_default();
                out.push(Out::Load { saga, after_failure: false });
            }
            In::Loaded { saga, history } => self.loaded(now, saga, history, out),
            In::LoadFailed { saga, for_good } => self.load_failed(now, saga, for_good, out),
            In::Committed { saga } => self.committed(now, saga, out),
            In::NotCommitted { saga } => self.not_committed(saga, out),
            In::Known { saga, digest } => self.known(saga, digest, out),
            In::Rejected { saga, step, why } => self.rejected(now, saga, step, &why, out),
            In::Remind => self.remind(now, out),
            In::Taken { saga, step, direction, attempt } => self.taken(now, saga, (&step, direction, attempt)),
            In::NotTaken { saga, step, direction, attempt, why } => {
                self.not_taken(now, saga, (&step, direction, attempt), why);
            }
            In::Queued { module, commands, unheard } => self.queued(now, &module, (commands, unheard), out),
            In::Jumped { by } => self.jumped(now, by, out),
            In::Deaf => self.hearing.deaf = true,
            In::Heard => self.heard(now),
            In::Tick => self.tick(now, out),
        }
    }
}
