//! The harness of users' tests: nothing in it comes by chance, and a test that fails says what happened instead.

use crate::ledger::{Ledger, Put, PutDown, TakenBack, ledger};
use crate::linear::{APPROVAL, Approval, Linear};
use saga_core::command::Common;
use saga_core::control::OrderKind;
use saga_core::id::{Direction, StepKey};
use saga_core::module::{Cx, Halt, Handled, Module};
use saga_core::uuid::Uuid;
use saga_core::view::SagaState;
use saga_testkit::calls::Calls;
use saga_testkit::harness::Harness;
use saga_testkit::stage::STAGE_TIME;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

fn harness() -> Harness {
    Harness::of([ledger()]).saga::<Linear>()
}
fn yes() -> Approval {
    Approval { yes: true }
}

#[test]
fn a_saga_goes_from_gate_to_end_and_time_passes_only_when_it_is_told() {
    let mut office = harness();
    let saga = office.start(&Linear { note: 7 });
    assert_eq!((office.state(saga), office.now()), (SagaState::Waiting, STAGE_TIME));
    office.by("mia").answer(saga, &APPROVAL, &yes());
    assert_eq!((office.state(saga), office.now()), (SagaState::Completed, STAGE_TIME));
    assert_eq!(office.events::<PutDown>().len(), 6);
    let gate = office.show(saga).steps.into_iter().find(|row| row.path == "gate").unwrap();
    assert_eq!(gate.result.as_deref(), Some("decided by mia"));
    office.check();

    let saga = office.start(&Linear { note: 8 });
    office.pass(Duration::from_secs(2 * 86_400 - 1));
    assert_eq!(office.state(saga), SagaState::Waiting);
    office.pass(Duration::from_secs(1));
    assert_eq!(office.state(saga), SagaState::Compensated);
    assert_eq!(office.now(), STAGE_TIME.plus(Duration::from_secs(2 * 86_400)));
    assert_eq!(office.events::<TakenBack>().len(), 2);
}

#[test]
fn two_runs_write_the_same_bytes_and_another_seed_writes_others() {
    let run = |seed| {
        let mut office = Harness::seeded(seed, [ledger()]).saga::<Linear>();
        office.world().faults.weather = Some(("b".to_owned(), false, 3));
        let saga = office.start(&Linear { note: 7 });
        office.answer(saga, &APPROVAL, &yes());
        assert_eq!(office.state(saga), SagaState::Completed);
        (office.dump(), office.now())
    };
    for seed in [7, 8, 9] {
        assert_eq!(run(seed), run(seed), "{seed}");
    }
    let ((seven, at), (eight, later)) = (run(7), run(8));
    assert_ne!(at, later, "the jitter of retries is another one");
    let ids = |dump: &str| dump.lines().map(|line| line.split(' ').nth(6).map(str::to_owned)).collect::<Vec<_>>();
    assert!(ids(&seven).iter().all(|id| !ids(&eight).contains(id)));
}

#[test]
fn what_does_not_go_as_a_test_says_fails_with_words_that_help() {
    fn says(test: impl FnOnce(&mut Harness)) -> String {
        let mut office = harness();
        let failed = catch_unwind(AssertUnwindSafe(|| test(&mut office))).unwrap_err();
        failed
            .downcast_ref::<String>()
            .cloned()
            .or_else(|| failed.downcast_ref::<&str>().map(|s| (*s).to_owned()))
            .unwrap()
    }
    async fn closed(_: Cx<()>, _: Put) -> Handled<Put> {
        Err(Halt::Refuse(Common::DeadlinePassed))
    }
    let refused = says(|office| {
        *office = Harness::of([Module::new::<Ledger, ()>("1.0", ()).command(closed).build()]);
        assert_eq!(office.refused(&Put::of("a note")).code, "DEADLINE_PASSED");
        office.send(&Put::of("a note"));
    });
    assert_eq!(refused, "Put was refused: DEADLINE_PASSED: the deadline has passed");
    let done = says(|office| drop(office.refused(&Put::of("a note"))));
    assert_eq!(done, "Put was not refused");
    let nothing = says(|office| {
        let saga = office.start(&Linear { note: 7 });
        office.output::<u32>(saga, "c");
    });
    assert!(nothing.starts_with("c gave nothing;\nthe history of the saga "), "{nothing}");
    assert!(nothing.contains("WaitStarted") && nothing.contains("gate"), "{nothing}");
    let order = says(|office| {
        let saga = office.start(&Linear { note: 7 });
        assert_eq!(office.order_refused(saga, OrderKind::Resume).message, "it is not paused");
        office.order(saga, OrderKind::Resume);
    });
    assert!(order.starts_with("the order was refused: SG0") && order.ends_with("it is not paused"), "{order}");
    let unknown = catch_unwind(|| Harness::of([]).start(&Linear { note: 7 })).is_err();
    assert!(unknown, "a saga that the harness was not given");
}

#[test]
fn a_log_of_calls_is_one_log_for_the_fake_and_the_test() {
    let (test, fake) = {
        let calls = Calls::<StepKey, &str>::default();
        (calls.clone(), calls)
    };
    let key = |step| StepKey::derive(Uuid::nil(), step, Direction::Do);
    test.fail_next("away");
    test.fail_next("busy");
    assert_eq!(fake.call(key("a")), Err("away"));
    assert_eq!(fake.call(key("a")), Err("busy"));
    assert_eq!(fake.call(key("b")), Ok(()));
    assert_eq!(test.all(), [key("a"), key("a"), key("b")], "also those that failed");
}
