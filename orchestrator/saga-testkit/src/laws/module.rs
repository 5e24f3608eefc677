//! The laws of a module: what is done and undone leaves its business state as before, in whatever order and how often.
#![expect(clippy::panic, reason = "a law is a test that other crates run: it speaks by panicking")]

use crate::stage::Stage;
use saga_core::command::{Command, Compensable};
use saga_core::envelope::Actor;
use saga_core::id::Direction;
use saga_core::json::Payload;
use saga_core::outcome::{Answer, KEY_REUSED, TOMBSTONED};
use saga_engine::host::Served;
use std::fmt::Debug;

const STEP: &str = "law";

fn check(holds: bool, law: &str) {
    if !holds {
        panic!("{law}");
    }
}
fn same<S: PartialEq + Debug>(left: &S, right: &S, law: &str) {
    check(left == right, &format!("{law}:\n   is      {left:?}\n   not     {right:?}"));
}
fn done<C: Command>(stage: &mut Stage, command: &C, saga: uuid::Uuid, direction: Direction) -> Payload {
    match stage.serve(command, saga, STEP, direction, Actor::saga(saga)) {
        Served::Answered(Answer::Done { output }) => output,
        other @ (Served::Answered(Answer::Refused(_) | Answer::Retry { .. })
        | Served::Stale { .. }
        | Served::Park(_)) => {
            panic!("{} must be done, but {}", C::NAME, told(&other))
        }
    }
}
fn refused_as<C: Command>(stage: &mut Stage, payload: Payload, saga: uuid::Uuid, code: &str) {
    let served = stage.serve_payload::<C>(payload, saga, STEP, Direction::Do, Actor::saga(saga));
    let right = matches!(&served, Served::Answered(Answer::Refused(refused)) if refused.code == code);
    check(right, &format!("{} must be refused as {code}, but {}", C::NAME, told(&served)));
}
/// An answer as people read it.
fn told(served: &Served) -> String {
    match served {
        Served::Answered(Answer::Done { output }) => format!("is done: {output}"),
        Served::Answered(Answer::Refused(refused)) => format!("is refused: {}: {}", refused.code, refused.reason),
        Served::Answered(Answer::Retry { reason, .. }) => format!("is asked to come again: {reason}"),
        Served::Stale { newest } => format!("comes from an owner that was replaced: epoch {newest} was seen"),
        Served::Park(why) => format!("is put aside: {}: {}", why.code, why.reason),
    }
}
fn payload<C: Command>(command: &C) -> Payload {
    Payload::of(command).unwrap_or_else(|why| panic!("{} is not JSON: {why}", C::NAME))
}
fn undo_of<C: Compensable>(command: &C, saga: uuid::Uuid) -> C::Undo {
    command.undo(saga_core::id::StepKey::derive(saga, STEP, Direction::Do))
}

/// Do, undo: as before.
pub fn an_undo_leaves_it_as_before<C: Compensable, S: PartialEq + Debug>(
    make: impl Fn() -> Stage,
    command: impl Fn(&mut Stage) -> C,
    state: impl Fn(&Stage) -> S,
) {
    let mut stage = make();
    let command = command(&mut stage);
    let (saga, _) = stage.deed(STEP);
    let (before, outside) = (state(&stage), stage.effects.to_string());
    done(&mut stage, &command, saga, Direction::Do);
    let moved = state(&stage) != before || stage.effects.to_string() != outside;
    check(moved, "the deed changes the state that is compared, or the law proves nothing");
    done(&mut stage, &undo_of(&command, saga), saga, Direction::Undo);
    same(&state(&stage), &before, "after the undo");
    same(&stage.effects.to_string(), &outside, "outside, after the undo");
}

/// The handler does the deed and dies before the answer is recorded; then the deed is asked for again, and after it the
/// undo. Its effect outside happens once, because it carried its key.
pub fn it_is_asked_twice_before_its_answer_is_recorded<C: Compensable, S: PartialEq + Debug>(
    make: impl Fn() -> Stage,
    command: impl Fn(&mut Stage) -> C,
    state: impl Fn(&Stage) -> S,
) {
    let run = |dies: bool| {
        let mut stage = make();
        let command = command(&mut stage);
        let (saga, _) = stage.deed(STEP);
        let step = |stage: &mut Stage, undo: bool| {
            let undo_command = undo_of(&command, saga);
            let direction = if undo { Direction::Undo } else { Direction::Do };
            match (dies, undo) {
                (true, true) => stage.forget(&undo_command, saga, STEP, direction),
                (true, false) => stage.forget(&command, saga, STEP, direction),
                (false, _) => {}
            }
            match undo {
                true => done(stage, &undo_command, saga, direction),
                false => done(stage, &command, saga, direction),
            };
            (state(stage), stage.effects.to_string())
        };
        (step(&mut stage, false), step(&mut stage, true))
    };
    let (once, twice) = (run(false), run(true));
    same(&twice.0, &once.0, "after a deed whose first handler died before its answer was recorded");
    same(&twice.1, &once.1, "after an undo whose first handler died before its answer was recorded");
}

/// Undo first: a tombstone, and the deed that comes after it is refused.
pub fn a_deed_after_its_undo_is_refused<C: Compensable, S: PartialEq + Debug>(
    make: impl Fn() -> Stage,
    command: impl Fn(&mut Stage) -> C,
    state: impl Fn(&Stage) -> S,
) {
    let mut stage = make();
    let command = command(&mut stage);
    let (saga, _) = stage.deed(STEP);
    let before = state(&stage);
    done(&mut stage, &undo_of(&command, saga), saga, Direction::Undo);
    refused_as::<C>(&mut stage, payload(&command), saga, TOMBSTONED);
    same(&state(&stage), &before, "after an undo and its late deed");
}

/// The same deed twice is once, with one answer.
pub fn a_deed_happens_once<C: Compensable, S: PartialEq + Debug>(
    make: impl Fn() -> Stage,
    command: impl Fn(&mut Stage) -> C,
    state: impl Fn(&Stage) -> S,
) {
    let mut stage = make();
    let command = command(&mut stage);
    let (saga, _) = stage.deed(STEP);
    let first = done(&mut stage, &command, saga, Direction::Do);
    let (after, log) = (state(&stage), stage.names());
    same(&done(&mut stage, &command, saga, Direction::Do), &first, "the answer of the second delivery");
    same(&state(&stage), &after, "after the second delivery");
    same(&stage.names(), &log, "the log after the second delivery");
}

/// The same undo twice is once.
pub fn an_undo_happens_once<C: Compensable, S: PartialEq + Debug>(
    make: impl Fn() -> Stage,
    command: impl Fn(&mut Stage) -> C,
    state: impl Fn(&Stage) -> S,
) {
    let mut stage = make();
    let command = command(&mut stage);
    let (saga, _) = stage.deed(STEP);
    let before = state(&stage);
    done(&mut stage, &command, saga, Direction::Do);
    let undo = undo_of(&command, saga);
    done(&mut stage, &undo, saga, Direction::Undo);
    let log = stage.names();
    done(&mut stage, &undo, saga, Direction::Undo);
    same(&state(&stage), &before, "after the second undo");
    same(&stage.names(), &log, "the log after the second undo");
}

/// A known key with another payload is refused and changes nothing.
pub fn another_payload_under_a_known_key_is_refused<C: Compensable, S: PartialEq + Debug>(
    make: impl Fn() -> Stage,
    command: impl Fn(&mut Stage) -> C,
    state: impl Fn(&Stage) -> S,
) {
    let mut stage = make();
    let command = command(&mut stage);
    let (saga, _) = stage.deed(STEP);
    done(&mut stage, &command, saga, Direction::Do);
    let (after, log) = (state(&stage), stage.names());
    // The barrier compares bytes: a space more is another payload.
    let other = Payload::trusted(format!("{} ", payload(&command)));
    refused_as::<C>(&mut stage, other, saga, KEY_REUSED);
    same(&state(&stage), &after, "after another payload");
    same(&stage.names(), &log, "the log after another payload");
}

/// A value that is no object is no command, also where it has the same fields in their order: it is put aside, and
/// changes nothing.
pub fn a_list_is_no_command<C: Compensable, S: PartialEq + Debug>(
    make: impl Fn() -> Stage,
    command: impl Fn(&mut Stage) -> C,
    state: impl Fn(&Stage) -> S,
) {
    let mut stage = make();
    let command = command(&mut stage);
    let (saga, _) = stage.deed(STEP);
    let (before, log) = (state(&stage), stage.names());
    let fields: serde_json::Map<String, serde_json::Value> =
        payload(&command).read().unwrap_or_else(|why| panic!("the body of {} is no object: {why}", C::NAME));
    let list = Payload::of(&fields.values().collect::<Vec<_>>());
    let list = list.unwrap_or_else(|why| panic!("{} is not JSON: {why}", C::NAME));
    for body in [list, Payload::trusted("[]"), Payload::null(), Payload::trusted("\"x\"")] {
        let served = stage.serve_payload::<C>(body.clone(), saga, STEP, Direction::Do, Actor::saga(saga));
        let right =
            matches!(&served, Served::Park(why) if why.code == "MALFORMED" && why.reason.contains("JSON object"));
        check(right, &format!("{} must be put aside with the body {body}, but {}", C::NAME, told(&served)));
    }
    same(&state(&stage), &before, "after bodies that are no command");
    same(&stage.names(), &log, "the log after bodies that are no command");
}

/// Writes the law tests of one compensable command: `$stage` prepares a [`Stage`](crate::stage::Stage), `$command` makes
/// the command on it, `$state` gives the business state that an undo brings back (without the declared residue).
#[macro_export]
macro_rules! module_laws {
    ($name:ident, $stage:expr, $command:expr, $state:expr) => {
        $crate::module_laws! { $name, $stage, $command, $state;
            an_undo_leaves_it_as_before, a_deed_after_its_undo_is_refused, a_deed_happens_once, an_undo_happens_once,
            another_payload_under_a_known_key_is_refused, it_is_asked_twice_before_its_answer_is_recorded,
            a_list_is_no_command }
    };
    ($name:ident, $stage:expr, $command:expr, $state:expr; $($law:ident),+) => {
        mod $name {
            use super::*;
            $(#[test]
            fn $law() {
                $crate::laws::module::$law($stage, $command, $state);
            })+
        }
    };
}
