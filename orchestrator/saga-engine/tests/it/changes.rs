//! What is told of a fact depends on the log alone: not on what a reader keeps of the sagas that it has met, nor on where it began.
#![expect(clippy::unwrap_used, clippy::panic, reason = "what tests share speaks by panicking")]

use crate::linear::{Linear, approve, linear};
use saga_core::control::{Change, Selector};
use saga_core::envelope::Recorded;
use saga_core::id::{Position, SagaId};
use saga_core::view::SagaState;
use saga_engine::changes::{Cursor, Follow, Took};
use saga_engine::journal::saga_of;
use saga_testkit::laws::saga::Case;
use saga_testkit::stage::ready;

/// Six sagas side by side, each to its end.
fn six() -> (Case, Vec<Recorded>) {
    let mut case = ready(linear());
    let mut all = vec![case.saga];
    all.extend((0..5).map(|note| case.world.start(&Linear { note }).unwrap()));
    for turn in 0.. {
        assert!(turn < 10_000, "they never end");
        if ready(case.world.run_for(1)).unwrap() {
            let waits = |saga: &&SagaId| ready(case.world.saga(**saga)).unwrap().state() == SagaState::Waiting;
            let Some(saga) = all.iter().find(waits).copied() else { break };
            approve(&mut case.world, saga);
        }
    }
    let log = case.world.logs().remove(0).1;
    let events = ready(log.read_log(Position::ZERO, usize::MAX)).unwrap();
    (case, events)
}
fn follow(case: &Case, of: Selector) -> Follow {
    Follow::new(of, case.world.definitions().clone(), 0)
}
fn all() -> Selector {
    Selector { all: true, ..Selector::default() }
}
/// What is told of the events behind the first `behind`, and how often facts had to be read again.
fn told(mut follow: Follow, events: &[Recorded], behind: usize) -> (Vec<Change>, usize) {
    let (mut told, mut lacked) = (Vec::new(), 0);
    for (at, recorded) in events.iter().enumerate().skip(behind) {
        let mut took = follow.take(recorded);
        if let Took::Lacks(saga, after) = took {
            lacked += 1;
            let theirs = events[..at].iter().filter(|one| saga_of(&one.stream) == Some(saga) && one.version > after);
            theirs.for_each(|one| follow.fold(one));
            took = follow.take(recorded);
        }
        match took {
            Took::Change(change) => told.push(*change),
            Took::Nothing => {}
            Took::Lacks(..) => panic!("it lacks what it was given: {took:?}"),
        }
    }
    (told, lacked)
}

#[test]
fn what_is_told_of_a_fact_depends_on_the_log_alone() {
    let (case, events) = six();
    let (whole, lacked) = told(follow(&case, all()), &events, 0);
    assert_eq!((whole.len(), lacked), (events.len(), 0), "every fact is folded once");
    for change in whole.iter().rev().take(1) {
        let exec = ready(case.world.saga(change.row.id)).unwrap();
        assert_eq!((&change.row, change.rev), (&exec.row(), exec.rev().0));
    }
    for (bytes, sagas) in [(0, 1), (usize::MAX, 2), (2_000, usize::MAX)] {
        let (again, lacked) = told(follow(&case, all()).within(bytes, sagas), &events, 0);
        assert_eq!(again, whole, "{bytes} bytes of {sagas} sagas");
        assert!(lacked > 0);
    }
    for behind in 0..events.len() {
        assert_eq!(told(follow(&case, all()), &events, behind).0, whole[behind..], "behind {behind}");
        let cursor = Cursor::read(&whole[behind].cursor).unwrap();
        assert_eq!(cursor.goes_on(events.get(behind)), Ok(()));
        assert_eq!(cursor.goes_on(events.get(behind + 1)).unwrap_err().code, "SG0315");
    }
}

#[test]
fn who_is_not_followed_takes_no_room_and_is_not_told() {
    let (case, events) = six();
    for of in [
        Selector { kind: Some("other".to_owned()), ..all() },
        Selector { key: Some("nobody*".to_owned()), ..all() },
        Selector { since: events.last().map(|last| last.time.plus(std::time::Duration::from_secs(1))), ..all() },
    ] {
        let mut follow = follow(&case, of);
        assert!(events.iter().all(|recorded| follow.take(recorded) == Took::Nothing));
        assert!(format!("{follow:?}").contains("bytes: 0"), "{follow:?}");
    }
    // Each is told when it comes, and once more when it is no longer one of them.
    let waiting = Selector { states: vec![SagaState::Waiting], ..Selector::default() };
    let (told, _) = told(follow(&case, waiting), &events, 0);
    assert_eq!(told.iter().filter(|change| !change.listed).count(), 6);
    assert!(told.iter().all(|change| change.listed == (change.row.state == SagaState::Waiting)));
}

#[test]
fn a_fact_that_cannot_be_read_is_told_as_a_saga_that_needs_a_person() {
    let (case, mut events) = six();
    let broken = saga_of(&events[0].stream);
    let theirs = |recorded: &&mut Recorded| saga_of(&recorded.stream) == broken;
    events.iter_mut().filter(theirs).nth(3).unwrap().name = "FactOfTomorrow".to_owned();
    let (told, _) = told(follow(&case, all()), &events, 0);
    assert_eq!(told.len(), events.len(), "the others are told as before");
    let told: Vec<_> = told.iter().filter(|change| Some(change.row.id) == broken).collect();
    for (number, change) in told.iter().enumerate() {
        assert_eq!(change.row.state == SagaState::Parked, number >= 3, "{number}: {change:?}");
    }
    assert_eq!((told[3].row.kind.as_str(), told[3].fact.as_str()), ("linear", "FactOfTomorrow"));
}
