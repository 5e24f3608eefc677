//! The tries under way: how many commands of a module are at once, which wait for room, and when the silence of one counts.

use super::window::Window;
use super::{Coordinator, Out};
use crate::execution::{Act, Deed, Seen, Signal, Stand, Tries, Try};
use crate::host::EXPIRED;
use saga_core::id::{Direction, SagaId};
use saga_core::outcome::Answer;
use saga_core::time::{Jump, Timestamp};
use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

/// 256 commands of one module under way for one group: four for each of the 64 that a module serves at once, so that it
/// never waits for the next, and few enough to be answered within the patience of most.
pub const COMMANDS_IN_FLIGHT_MAX: usize = 256;
/// 10,000 more wait for room in memory; then no further saga is started, and the caller is told why.
pub const COMMANDS_WAITING_MAX: usize = 10_000;
/// A command that has been under way for ten times the patience of its step is not begun any more. It may stand in line
/// for nine of them: its sender waits while it does.
const EXPIRES_AFTER: u32 = 10;
/// A bus that did not take a command is asked again after 200 ms, and after twice as long each further time, up to 5 s.
const HAND_AGAIN_MS: u64 = 200;
const HAND_AGAIN_MAX_MS: u64 = 5_000;
/// A command taken longer ago than 4,096 others of its module has surely left the queue.
const TAKEN_KEPT: usize = 4_096;

/// Names one try.
type Name = (SagaId, String, Direction, u32);

/// The commands of one module.
pub(super) struct Room {
    /// How many may be.
    window: Window,
    /// How many are handed over and not answered.
    out: usize,
    /// First come, first served.
    waiting: VecDeque<Name>,
    /// In the order in which the bus took them; the first may be over.
    taken: VecDeque<Name>,
    /// Whose queue is asked after.
    asking: BTreeSet<Name>,
}

impl Room {
    fn of(most: usize) -> Self {
        let (waiting, taken, asking) = (VecDeque::new(), VecDeque::new(), BTreeSet::new());
        Self { window: Window::of(most), out: 0, waiting, taken, asking }
    }
}

/// When something that the bus did not take is handed over again.
pub(super) fn next_handing(tries: &Tries) -> Option<Timestamp> {
    let again = |known: &Try| match known.stand {
        Stand::NotTaken { again, .. } => Some(again),
        Stand::Waits | Stand::Handed { .. } | Stand::Taken { .. } => None,
    };
    tries.iter().filter_map(|(_, _, known)| again(known)).min()
}

impl Coordinator {
    /// Why no further saga is started now.
    pub(super) fn crowd(&self) -> Option<String> {
        let full = |room: &Room| room.waiting.len() >= COMMANDS_WAITING_MAX;
        let (module, room) = self.rooms.iter().find(|(_, room)| full(room))?;
        let (waiting, out) = (room.waiting.len(), room.out);
        Some(format!(
            "{module} is slower than sagas begin: {out} commands are with it and {waiting} wait for room; start again later"
        ))
    }
    /// Hands an act over, or lets it wait for room beside the other commands of its module.
    pub(super) fn perform(&mut self, now: Timestamp, saga: SagaId, mut act: Act, out: &mut Vec<Out>) {
        let Some(entry) = self.sagas.get_mut(&saga) else { return };
        if let Some(exec) = &entry.exec {
            // It may have waited, or its owner may be another one by now: its time begins when it leaves.
            let patiences = if act.module().is_some() { EXPIRES_AFTER } else { 1 };
            act.deadline = act.deadline.max(now.plus(exec.patience_of(&act.step) * patiences));
        }
        let (attempt, module) = (act.attempt, act.module().map(str::to_owned));
        let before = entry.tries.of(act.direction).get(&act.step);
        let held = before.is_some_and(|known| known.module.is_some() && known.stand != Stand::Waits);
        let stands_in_line = before.is_some_and(|known| known.stand == Stand::Waits && known.attempt == attempt);
        // A function of the saga begins at once, and stands in no queue; a command has to be taken by the bus first.
        let mut stand = match &module {
            None => Stand::Taken { begins: now, seen: Seen::Left },
            Some(_) => Stand::Handed { times: 0 },
        };
        if let Some(module) = &module {
            if stands_in_line {
                return;
            }
            let room = match self.rooms.get_mut(module) {
                Some(room) => room,
                None => self.rooms.entry(module.clone()).or_insert_with(|| Room::of(self.room)),
            };
            if held {
                // It goes where the one before went.
            } else if room.window.has_room(room.out) {
                room.out += 1;
            } else {
                room.waiting.push_back((saga, act.step.clone(), act.direction, attempt));
                stand = Stand::Waits;
            }
        }
        let leaves = stand != Stand::Waits;
        let probe = matches!(act.deed, Deed::Probe { .. });
        entry.tries.of_mut(act.direction).insert(act.step.clone(), Try { attempt, probe, module, stand });
        if leaves {
            out.push(Out::Perform { saga, act });
        }
    }
    /// Lets go of the tries of a saga that are over.
    pub(super) fn make_room(&mut self, now: Timestamp, saga: SagaId, out: &mut Vec<Out>) {
        let Some(entry) = self.sagas.get_mut(&saga) else { return };
        let Some(exec) = entry.exec.as_ref() else { return };
        let over = entry.tries.take_over(|path, direction, attempt| exec.is_under_way(path, direction, attempt));
        self.leave(now, over, out);
    }
    /// Forgets a saga that has ended.
    pub(super) fn forget(&mut self, now: Timestamp, saga: SagaId, out: &mut Vec<Out>) {
        let Some(mut entry) = self.sagas.remove(&saga) else { return };
        let over = entry.tries.take_over(|_, _, _| false);
        self.leave(now, over, out);
    }
    /// Gives the places of these tries to those that wait.
    pub(super) fn leave(&mut self, now: Timestamp, over: Vec<Try>, out: &mut Vec<Out>) {
        for Try { module, stand, .. } in over {
            let Some(module) = module.filter(|_| stand != Stand::Waits) else { continue };
            if let Some(room) = self.rooms.get_mut(&module) {
                room.out = room.out.saturating_sub(1);
                room.window.left();
            }
            self.let_in(now, &module, out);
        }
    }
    /// An answer that says that its command came too late to be begun makes the room of its module smaller.
    pub(super) fn notice_lateness(&mut self, saga: SagaId, signal: &Signal) {
        let Signal::Answered { of, answer: Answer::Retry { reason, .. } } = signal else { return };
        let Some(entry) = self.sagas.get(&saga).filter(|_| reason.starts_with(EXPIRED)) else { return };
        let known = entry.tries.of(of.direction).get(&of.step).filter(|known| known.attempt == of.attempt);
        let Some(module) = known.and_then(|known| known.module.as_ref()) else { return };
        if let Some(room) = self.rooms.get_mut(module) {
            room.window.expired(room.out);
        }
    }
    fn let_in(&mut self, now: Timestamp, module: &str, out: &mut Vec<Out>) {
        loop {
            let Some(room) = self.rooms.get_mut(module) else { return };
            if !room.window.has_room(room.out) {
                return;
            }
            let Some((saga, step, direction, attempt)) = room.waiting.pop_front() else { return };
            let Some(entry) = self.sagas.get_mut(&saga) else { continue };
            let waits = |known: &Try| known.stand == Stand::Waits && known.attempt == attempt;
            if !entry.tries.of(direction).get(&step).is_some_and(waits) {
                continue;
            }
            entry.tries.of_mut(direction).remove(&step);
            // A saga that is being read anew asks for room again when it is read.
            if let Some(act) = entry.exec.as_ref().and_then(|exec| exec.owed(&step, direction, attempt)) {
                self.perform(now, saga, act, out);
            }
        }
    }
    /// The bus has it: its patience begins.
    pub(super) fn taken(&mut self, now: Timestamp, saga: SagaId, (step, direction, attempt): (&str, Direction, u32)) {
        let Some(entry) = self.sagas.get_mut(&saga) else { return };
        let Some(known) = entry.tries.get_mut(step, direction, attempt) else { return };
        known.stand = Stand::Taken { begins: now, seen: Seen::No };
        let module = known.module.clone();
        let patience = entry.exec.as_ref().map_or(Duration::ZERO, |exec| exec.patience_of(step));
        self.wake(saga, now.plus(patience));
        let Some(room) = module.and_then(|module| self.rooms.get_mut(&module)) else { return };
        room.taken.push_back((saga, step.to_owned(), direction, attempt));
        if room.taken.len() > TAKEN_KEPT {
            room.taken.pop_front();
        }
    }
    /// The bus has not taken it: weather of the bus.
    pub(super) fn not_taken(
        &mut self,
        now: Timestamp,
        saga: SagaId,
        (step, direction, attempt): (&str, Direction, u32),
        why: String,
    ) {
        let Some(entry) = self.sagas.get_mut(&saga) else { return };
        let Some(known) = entry.tries.get_mut(step, direction, attempt) else { return };
        let times = match &known.stand {
            Stand::Handed { times } | Stand::NotTaken { times, .. } => times.saturating_add(1),
            Stand::Waits | Stand::Taken { .. } => 1,
        };
        let pause = HAND_AGAIN_MS.saturating_mul(1 << times.saturating_sub(1).min(16)).min(HAND_AGAIN_MAX_MS);
        let again = now.plus(Duration::from_millis(pause));
        known.stand = Stand::NotTaken { again, times, why };
        self.wake(saga, again);
    }
    /// Looks at a saga at this time at the latest.
    fn wake(&mut self, saga: SagaId, at: Timestamp) {
        let Some(entry) = self.sagas.get_mut(&saga) else { return };
        if entry.due.is_some_and(|due| due <= at) {
            return;
        }
        if let Some(due) = entry.due.replace(at) {
            self.timers.remove(&(due, saga));
        }
        self.timers.insert((at, saga));
    }
    /// Hands over again what the bus did not take.
    pub(super) fn hand_again(&mut self, now: Timestamp, saga: SagaId, out: &mut Vec<Out>) {
        let Some(entry) = self.sagas.get_mut(&saga) else { return };
        let Some(exec) = entry.exec.as_ref() else { return };
        let ripe = |known: &Try| matches!(known.stand, Stand::NotTaken { again, .. } if again <= now);
        let ripe: Vec<Act> = (entry.tries.iter())
            .filter(|(_, _, known)| ripe(known))
            .filter_map(|(step, direction, known)| exec.owed(step, direction, known.attempt))
            .collect();
        for mut act in ripe {
            act.deadline = act.deadline.max(now.plus(exec.patience_of(&act.step) * EXPIRES_AFTER));
            if let Some(known) = entry.tries.get_mut(&act.step, act.direction, act.attempt)
                && let Stand::NotTaken { times, .. } = known.stand
            {
                known.stand = Stand::Handed { times };
            }
            out.push(Out::Perform { saga, act });
        }
    }
    /// Before the silence of a command counts, the bus is asked whether it still stands in the queue.
    pub(super) fn look_at_queues(&mut self, now: Timestamp, saga: SagaId, out: &mut Vec<Out>) {
        let Some(entry) = self.sagas.get_mut(&saga) else { return };
        let Some(exec) = entry.exec.as_ref() else { return };
        let mut asked = Vec::new();
        for (step, direction, known) in entry.tries.iter() {
            let Some(module) = &known.module else { continue };
            let Stand::Taken { begins, seen: Seen::No } = known.stand else { continue };
            if !self.hearing.deaf && begins.plus(exec.patience_of(step)) <= now {
                asked.push((module.clone(), (saga, step.to_owned(), direction, known.attempt)));
            }
        }
        for (module, name) in asked {
            if let Some(known) = entry.tries.get_mut(&name.1, name.2, name.3)
                && let Stand::Taken { seen, .. } = &mut known.stand
            {
                *seen = Seen::Asked;
            }
            let Some(room) = self.rooms.get_mut(&module) else { continue };
            if room.asking.is_empty() {
                out.push(Out::AskQueue { module });
            }
            room.asking.insert(name);
        }
    }
    /// The bus says how many commands of a module nobody has been handed: the last ones that it took. Where it cannot tell,
    /// nobody is known to be silent: it is asked again after another patience. The same while replies lie there that were not
    /// heard: then this group is slow.
    pub(super) fn queued(
        &mut self,
        now: Timestamp,
        module: &str,
        (commands, unheard): (Option<u64>, u64),
        out: &mut Vec<Out>,
    ) {
        let Some(room) = self.rooms.get_mut(module) else { return };
        let asking = std::mem::take(&mut room.asking);
        let most = commands.map_or(usize::MAX, |commands| usize::try_from(commands).unwrap_or(usize::MAX));
        let standing: BTreeSet<&Name> = room.taken.iter().rev().take(most).collect();
        let (still, left): (Vec<_>, Vec<_>) =
            asking.into_iter().partition(|name| unheard > 0 || commands.is_none() || standing.contains(name));
        for (names, stays) in [(still, true), (left, false)] {
            for (saga, step, direction, attempt) in names {
                let Some(entry) = self.sagas.get_mut(&saga) else { continue };
                let Some(known) = entry.tries.get_mut(&step, direction, attempt) else { continue };
                let Stand::Taken { begins, seen } = &mut known.stand else { continue };
                (*begins, *seen) = if stays { (now, Seen::No) } else { (*begins, Seen::Left) };
                if !stays {
                    entry.queue.push((crate::execution::Signal::Due, None));
                }
                self.turn(now, saga, out);
            }
        }
    }
    /// Replies can be heard again: every patience begins anew.
    pub(super) fn heard(&mut self, now: Timestamp) {
        self.hearing = crate::execution::Hearing { deaf: false, since: Some(now) };
        for saga in self.sagas.keys().copied().collect::<Vec<_>>() {
            self.wake_by_patience(now, saga);
        }
    }
    /// The clock was set: passed time is what it was, and every saga is decided again, because its pause may be over.
    pub(super) fn jumped(&mut self, now: Timestamp, by: Jump, out: &mut Vec<Out>) {
        self.hearing.since = self.hearing.since.map(|since| since.moved(by));
        for entry in self.sagas.values_mut() {
            entry.tries.move_by(by);
        }
        for saga in self.sagas.keys().copied().collect::<Vec<_>>() {
            if let Some(entry) = self.sagas.get_mut(&saga) {
                entry.queue.push((crate::execution::Signal::Due, None));
            }
            self.turn(now, saga, out);
        }
    }
    fn wake_by_patience(&mut self, now: Timestamp, saga: SagaId) {
        let Some(entry) = self.sagas.get(&saga) else { return };
        let patience = crate::execution::Patience::new(&entry.tries, self.hearing);
        let due = entry.exec.as_ref().and_then(|exec| exec.next_due_of(patience, now));
        if let Some(due) = due {
            self.wake(saga, due);
        }
    }
}
