//! Commits and reads fail in every way, on either side: the end is that of the world without faults, and nothing
//! happens twice.
#![expect(clippy::unwrap_used, reason = "what tests share speaks by panicking")]

use crate::everything::everything;
use crate::ledger::{Put, TakeBack, ledger};
use crate::linear::{linear, nothing_lies_there};
use async_trait::async_trait;
use proptest::prelude::*;
use saga_core::batch::{Batch, Commit};
use saga_core::bus::Delivered;
use saga_core::control::OrderKind;
use saga_core::envelope::Actor;
use saga_core::event::EventSet;
use saga_core::fact::{By, OperatorNote, SagaFact};
use saga_core::id::{Direction, Position, RequestId, SagaId};
use saga_core::json::Payload;
use saga_core::outcome::{Answer, TOMBSTONED};
use saga_core::ports::{Ids, SharedStore};
use saga_core::time::Timestamp;
use saga_core::view::SagaState;
use saga_engine::execution::{Ordered, Signal};
use saga_engine::host::{Served, serve};
use saga_engine::machine::Machine;
use saga_engine::machine::coordinator::{Coordinator, In, Out, Told};
use saga_engine::memory::{CountedIds, MemoryStore, StillClock};
use saga_testkit::between::{Between, Passing};
use saga_testkit::fates::{Fate, Fates};
use saga_testkit::laws::saga::Case;
use saga_testkit::stage::{STAGE_TIME, ready};
use saga_testkit::world::Faults;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What is left of it in the world: the ending, each story of each module, and how often anything was put down.
type End = (SagaState, BTreeMap<String, Vec<(String, String)>>);

async fn end(mut case: Case, faults: Faults) -> Result<(End, u64), String> {
    // The start is confirmed before anything fails: nobody was promised one that is lost.
    case.world.run_for(1).await?;
    case.world.faults = faults;
    let state = case.run().await?;
    case.world.faults = Faults::default();
    case.audited().await?;
    case.world.agrees_with_its_log().await?;
    if state == SagaState::Compensated {
        nothing_lies_there(&case).await?;
    }
    let mut stories: BTreeMap<String, Vec<(String, String)>> = BTreeMap::new();
    for (module, log) in case.world.logs().iter().skip(1) {
        for event in log.read_log(Position::ZERO, usize::MAX).await.unwrap() {
            let story = stories.entry(format!("{module} {}", event.stream)).or_default();
            story.push((event.name.clone(), event.data.as_str().to_owned()));
        }
    }
    Ok(((state, stories), case.world.fates_met()))
}
async fn in_calm(make: impl AsyncFn() -> Case, faults: &Faults) -> End {
    let refused = Faults { refuse: faults.refuse.clone(), ..Faults::default() };
    end(make().await, refused).await.unwrap().0
}

/// Each commit in its turn has each fate: of the coordinator, and of the modules.
#[test]
fn any_fate_of_any_one_commit_changes_no_end() {
    for refuse in [None, Some("d".to_owned())] {
        let calm = ready(in_calm(linear, &Faults { refuse: refuse.clone(), ..Faults::default() }));
        let mut met = 0;
        for (fate, of) in Fate::ALL.into_iter().flat_map(|fate| ["facts", "late facts", "deeds"].map(|of| (fate, of))) {
            for at in 1.. {
                let faults = Faults { refuse: refuse.clone(), late: of == "late facts", ..Faults::default() };
                let once = Fates::Once(at, fate);
                let faults =
                    if of == "deeds" { Faults { deeds: once, ..faults } } else { Faults { facts: once, ..faults } };
                let (ended, fates) = ready(async { end(linear().await, faults.clone()).await }).unwrap();
                assert_eq!(ended, calm, "{faults:?}");
                met += fates;
                // Some have only a meaning for some commits; the last one that can be met lies within this.
                if fates == 0 && at > 16 {
                    break;
                }
            }
        }
        assert!(met > 80, "{met} fates were met");
    }
}

/// An order whose request id turns out to be another saga's is refused when it is at its commit: the try that it would have
/// begun is begun by nothing that comes later.
#[test]
fn an_order_that_is_refused_at_its_commit_leaves_no_act_behind() {
    let mut case = ready(linear());
    case.world.faults.silence = Some(("d".to_owned(), false));
    assert_eq!(ready(case.run()).unwrap(), SagaState::Parked);
    let other = case.world.start(&crate::linear::Linear { note: 8 }).unwrap();
    let order = |kind| {
        let request = Some(RequestId(saga_core::uuid::Uuid::from_u128(5)));
        Ordered { by: By { actor: Actor::operator("dana"), reason: None, request }, kind, if_rev: None }
    };
    case.world.order_as(other, order(OrderKind::Note("first".to_owned())));
    ready(case.world.run()).unwrap();
    let ticket = case.world.order_as(case.saga, order(OrderKind::Retry { step: Some("d".to_owned()) }));
    // This one comes while that is at its commit, and is what the next one holds.
    case.world.faults.late = true;
    case.world.order(case.saga, OrderKind::Note("another commit of this saga".to_owned()));
    ready(case.world.run()).unwrap();
    assert!(matches!(&case.world.told[&ticket], Told::Refused(refused) if refused.code.id == "SG0210"));
    assert_eq!(ready(case.world.state(case.saga)).unwrap(), SagaState::Parked);
}

/// A story that moves on under its handler again and again is weather, and no answer of the module.
#[test]
fn a_storm_of_conflicts_is_weather() {
    let mut case = ready(linear());
    case.world.faults.deeds = Fates::Every(1, Fate::Moved);
    ready(case.world.run_for(60)).unwrap();
    assert!(case.world.fates_met() > 30, "{} fates were met", case.world.fates_met());
    case.world.faults = Faults::default();
    assert_eq!(ready(case.run()).unwrap(), SagaState::Completed);
    ready(case.audited()).unwrap();
}

/// A coordinator that has read this case from its log, and what it says of its history.
async fn taken_over(mut case: Case) -> (Coordinator, SagaId, Vec<(SagaFact, Timestamp)>) {
    case.world.run_for(1).await.unwrap();
    let history = saga_engine::journal::history(&case.world.logs()[0].1, case.saga).await.unwrap();
    let mut coordinator = Coordinator::new(Arc::clone(case.world.definitions()), 7);
    step(&mut coordinator, In::Recover { saga: case.saga });
    step(&mut coordinator, In::Loaded { saga: case.saga, history: history.clone() });
    (coordinator, case.saga, history)
}
fn step(coordinator: &mut Coordinator, input: In) -> Vec<Out> {
    let mut out = Vec::new();
    coordinator.step(STAGE_TIME, input, &mut out);
    out
}

/// A bus that may have lost something is told again; a function that runs here has lost nothing.
#[test]
fn commands_are_sent_again_after_a_loss_and_functions_are_not_called_again() {
    for (case, again) in [(ready(linear()), 1), (ready(everything()), 0)] {
        let (mut coordinator, ..) = ready(taken_over(case));
        let out = step(&mut coordinator, In::Remind);
        assert_eq!(out.iter().filter(|out| matches!(out, Out::Perform { .. })).count(), again, "{out:?}");
    }
}

/// What was decided together and cannot be stored is decided one by one, until it is known what it was.
#[test]
fn what_cannot_be_stored_is_decided_alone() {
    let (mut coordinator, saga, mut history) = ready(taken_over(ready(linear())));
    let by = || By { actor: Actor::operator("dana"), reason: None, request: None };
    let note = |text: &str| Signal::Ordered(Ordered { by: by(), kind: OrderKind::Note(text.to_owned()), if_rev: None });
    let of = coordinator.saga(saga).unwrap().answering("a", Direction::Do);
    let answer = Answer::Done { output: Payload::trusted(r#"{"what":"note 7"}"#) };
    let facts = |out: &[Out]| -> Vec<&'static str> {
        let commits = out.iter().filter_map(|out| if let Out::Commit { facts, .. } = out { Some(facts) } else { None });
        commits.flatten().map(EventSet::name).collect()
    };
    let out = step(&mut coordinator, In::Signal { saga, signal: note("first"), ticket: Some(1) });
    assert_eq!(facts(&out), ["OperatorNote"]);
    step(&mut coordinator, In::Signal { saga, signal: note("second"), ticket: Some(2) });
    step(&mut coordinator, In::Signal { saga, signal: Signal::Answered { of, answer }, ticket: Some(3) });
    let out = step(&mut coordinator, In::Committed { saga });
    assert_eq!(facts(&out), ["OperatorNote", "StepSucceeded", "StepDispatched"], "together");
    history.push((SagaFact::from(OperatorNote { text: "first".to_owned(), by: by() }), STAGE_TIME));
    let why = "it has a NUL".to_owned();
    step(&mut coordinator, In::Rejected { saga, step: None, why: why.clone() });
    let out = step(&mut coordinator, In::Loaded { saga, history: history.clone() });
    assert_eq!(facts(&out), ["OperatorNote"], "alone");
    // It was this one: its caller is told so, and the answer behind it is decided after all.
    let out = step(&mut coordinator, In::Rejected { saga, step: None, why });
    assert!(out.iter().any(|out| matches!(out, Out::Tell { ticket: 2, what: Told::Refused(_) })), "{out:?}");
    let out = step(&mut coordinator, In::Loaded { saga, history });
    assert_eq!(facts(&out), ["StepSucceeded", "StepDispatched"]);
    let out = step(&mut coordinator, In::Committed { saga });
    assert!(out.iter().any(|out| matches!(out, Out::Tell { ticket: 3, what: Told::Taken })), "{out:?}");
}

/// The undo overtakes its deed while the deed's handler runs: it is committed first, and the deed does nothing.
struct Overtaken {
    store: SharedStore,
    undo: Delivered,
}
#[async_trait]
impl Between for Overtaken {
    fn store(&self) -> &SharedStore {
        &self.store
    }
    async fn commit(&self, batch: Batch) -> Commit {
        let ids: Arc<dyn Ids> = Arc::new(CountedIds::default());
        serve(&ledger(), &self.store, &ids, STAGE_TIME, &self.undo).await;
        self.store.commit(batch).await
    }
}

#[test]
fn a_deed_that_is_undone_while_its_handler_runs_does_nothing() {
    let clock = Arc::new(StillClock::at(STAGE_TIME));
    let store: SharedStore = Arc::new(MemoryStore::new(clock));
    let put = Payload::of(&Put::of("too late")).unwrap();
    let deed = Delivered::direct("Put", 1, put, saga_core::uuid::Uuid::from_u128(7), Actor::operator("dana"));
    let back = Payload::of(&TakeBack { deed: deed.keys.0 }).unwrap();
    let mut undo = Delivered { command: "TakeBack".to_owned(), payload: back, ..deed.clone() };
    (undo.deed.direction, undo.deed.key) = (Direction::Undo, deed.keys.1);
    let between: SharedStore = Arc::new(Passing(Overtaken { store: Arc::clone(&store), undo }));
    let ids: Arc<dyn Ids> = Arc::new(CountedIds::default());
    let served = ready(serve(&ledger(), &between, &ids, STAGE_TIME, &deed));
    let Served::Answered(Answer::Refused(refused)) = &served else { panic!("{served:?}") };
    assert_eq!(refused.code, TOMBSTONED);
    assert_eq!(ready(store.read_log(Position::ZERO, 9)).unwrap(), []);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]
    #[test]
    fn stores_that_fail_now_and_then_change_no_end(seed: u64, one_in in 2_u64..6, late: bool, refuses in 0_usize..3) {
        let any = |salt: u64| Fates::Any { seed: seed ^ salt, one_in };
        let faults = Faults { facts: any(0), deeds: any(1), late, ..Faults::default() };
        let refuse = |steps: [Option<&str>; 3]| steps[refuses].map(str::to_owned);
        let faults = Faults { refuse: refuse([None, Some("c"), Some("p")]), ..faults };
        let (ended, _) = ready(async { end(linear().await, faults.clone()).await }).unwrap();
        prop_assert_eq!(ended, ready(in_calm(linear, &faults)));
        let faults = Faults { refuse: refuse([None, Some("both/left/put-more"), Some("commit")]), ..faults };
        let (ended, _) = ready(async { end(everything().await, faults.clone()).await }).unwrap();
        prop_assert_eq!(ended, ready(in_calm(everything, &faults)));
    }
}
