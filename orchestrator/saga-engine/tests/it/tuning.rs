//! Two digests: what a definition means may not change under its version, how it is tuned may, also under open sagas.
#![expect(clippy::unwrap_used, reason = "what tests share speaks by panicking")]

use saga_core::batch::{Batch, Commit, StreamWrite};
use saga_core::control::OrderKind;
use saga_core::definition::{Definition, Fit};
use saga_core::envelope::{Actor, NewEvent};
use saga_core::fact::By;
use saga_core::id::{EventId, SagaId, Version};
use saga_core::json::Payload;
use saga_core::policy::{AtMost, Deadline, OnUnknown, Retry};
use saga_core::ports::{Clock, Stores};
use saga_core::saga::{Plan, Saga, define, define_version};
use saga_core::soundness::check;
use saga_core::step::{Gate, In, Out, Step, Undoing};
use saga_core::view::SagaState;
use saga_core::waiting::WaitReason;
use saga_engine::journal::{fact_of, stream_of};
use saga_engine::machine::coordinator::Told;
use saga_engine::memory::{MemoryStores, StillClock};
use saga_testkit::stage::{STAGE_TIME, ready};
use saga_testkit::world::World;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use uuid::Uuid;

const YES: Gate<bool> = Gate::named("yes");
const NO: Gate<bool> = Gate::named("no");

#[derive(Debug, Serialize, Deserialize)]
struct Job {
    words: u32,
}
#[derive(Serialize, Deserialize)]
struct Other;
#[derive(Serialize, Deserialize)]
struct Slot;
impl Saga for Job {
    const NAME: &'static str = "job";
    const VERSION: u16 = 1;
    fn plan(plan: Plan) -> Definition {
        plan.step("slot", hold, free).wait("approval", YES, Deadline::days(2)).pivot("post", post).end()
    }
}
async fn hold() -> Step<Slot> {
    Ok(Slot)
}
async fn free(Undoing(_): Undoing) -> Step<()> {
    Ok(())
}
async fn post() -> Step<()> {
    Ok(())
}
fn long(In(job): In<Job>) -> bool {
    job.words > 300
}
fn held(Out(_): Out<Slot>) -> bool {
    true
}
fn words() -> Vec<u32> {
    Vec::new()
}

fn job(plan: impl FnOnce(Plan) -> Definition) -> Definition {
    define_version::<Job>(1, plan)
}
/// The plan with everything tuned otherwise.
fn tuned(plan: Plan) -> Definition {
    plan.deadline(Deadline::days(30))
        .step("slot", hold, free)
        .retry(Retry::brief().tries(6))
        .undo_retry(Retry::once())
        .patience(Deadline::seconds(7))
        .deadline_of_step(Deadline::hours(9))
        .wait("approval", YES, Deadline::days(9))
        .pivot("post", post)
        .retry(Retry::provider())
        .end()
}

#[test]
fn tuning_moves_the_digest_of_the_whole_and_never_the_meaning() {
    let (plain, other) = (define::<Job>(), job(tuned));
    assert_ne!(plain.digest, other.digest);
    assert_eq!(plain.meaning, other.meaning);
    let many = |at_most| job(|plan| plan.each("each", words, AtMost(at_most), |p| p.read("a", post)).end());
    assert_eq!(many(1).meaning, many(9).meaning, "how many run side by side is no meaning");
}

#[test]
fn whatever_changes_what_happens_moves_the_meaning() {
    let base = |plan: Plan| plan.step("a", hold, free).step("b", hold, free);
    let all: Vec<Definition> = vec![
        job(|plan| base(plan).end()),
        define_version::<Job>(2, |plan| base(plan).end()),
        job(|plan| plan.step("b", hold, free).step("a", hold, free).end()),
        job(|plan| plan.step("a", hold, free).step("c", hold, free).end()),
        job(|plan| plan.step("a", hold, free).end()),
        job(|plan| plan.step("a", hold, free).read("b", post).end()),
        job(|plan| plan.step("a", hold, free).pivot("b", post).end()),
        job(|plan| base(plan).on_unknown(OnUnknown::Park).end()),
        job(|plan| plan.step("a", hold, free).wait("b", YES, Deadline::days(1)).end()),
        job(|plan| plan.step("a", hold, free).wait("b", NO, Deadline::days(1)).end()),
        job(|plan| plan.step("a", hold, free).wait("b", Gate::timer(), Deadline::days(1)).end()),
        job(|plan| base(plan).when("w", long, |p| p.read("c", post)).end()),
        job(|plan| base(plan).when("w", held, |p| p.read("c", post)).end()),
        job(|plan| base(plan).repeat("w", AtMost(2), long, |p| p.read("c", post)).end()),
        job(|plan| base(plan).repeat("w", AtMost(3), long, |p| p.read("c", post)).end()),
        job(|plan| base(plan).each("w", words, AtMost(3), |p| p.read("c", post)).end()),
        job(|plan| base(plan).each("w", words, AtMost(3), |p| p.read("c", post)).may_fail(1).end()),
        job(|plan| base(plan).all("w", |all| all.branch("l", |p| p.read("c", post))).end()),
        job(|plan| base(plan).all("w", |all| all.branch("r", |p| p.read("c", post))).end()),
    ];
    for (index, one) in all.iter().enumerate() {
        for (at, other) in all.iter().enumerate().skip(index + 1) {
            assert_ne!(one.meaning, other.meaning, "{index} and {at}");
        }
    }
}

#[test]
fn the_text_of_a_meaning_is_this_for_ever() {
    let definition = job(|plan| {
        plan.step("slot", hold, free)
            .when("long", long, |p| p.read("count", post))
            .wait("approval", YES, Deadline::days(2))
            .each("each", words, AtMost(2), |p| p.read("a", post))
            .end()
    });
    assert_eq!(
        definition.meaning_text(),
        concat!(
            r#"{"name":"job","version":1,"input":"Job","steps":["#,
            r#"{"path":"slot","kind":"ordinary","performer":"here","undo":"here","terms":"on_unknown=compensate"},"#,
            r#"{"path":"long","kind":"when","performer":"here","undo":null,"terms":"reads=In<Job>"},"#,
            r#"{"path":"long/count","kind":"read","performer":"here","undo":null,"terms":"on_unknown=compensate"},"#,
            r#"{"path":"approval","kind":"wait","performer":"gate:yes","undo":null,"terms":"timer=false"},"#,
            r#"{"path":"each","kind":"each","performer":"here","undo":null,"terms":"may_fail=0 item=u32 reads="},"#,
            r#"{"path":"each/a","kind":"read","performer":"here","undo":null,"terms":"on_unknown=compensate"}],"#,
            r#""edges":[["slot","long"],["long","long/count"],["long/count","approval"],["approval","each"],["each","each/a"]]}"#,
        )
    );
}

/// What stays when one program ends and another one begins.
struct Place {
    clock: Arc<StillClock>,
    stores: Arc<dyn Stores>,
}
impl Place {
    fn new() -> Self {
        let clock = Arc::new(StillClock::at(STAGE_TIME));
        let stores = Arc::new(MemoryStores::new(Arc::clone(&clock) as Arc<dyn Clock>));
        Self { clock, stores }
    }
    /// A program with these definitions.
    fn program(&self, definitions: Vec<Definition>) -> World {
        let world = World::on(Arc::clone(&self.stores), Arc::clone(&self.clock), definitions, Vec::new());
        let mut world = ready(world).unwrap();
        ready(world.run()).unwrap();
        world
    }
    /// A saga that a program with this definition has brought to its gate.
    fn at_gate(&self, definition: Definition) -> SagaId {
        let saga = SagaId(Uuid::from_u128(7));
        let started = definition.begin("k".to_owned(), Payload::of(&Job { words: 3 }).unwrap(), None);
        let mut world = self.program(vec![definition]);
        let ticket = world.start_as(saga, started);
        ready(world.run()).unwrap();
        assert_eq!(world.told[&ticket], Told::Started { repeated: false });
        assert_eq!(state(&world, saga), SagaState::Waiting);
        saga
    }
}
fn state(world: &World, saga: SagaId) -> SagaState {
    ready(world.state(saga)).unwrap()
}
fn answer(world: &mut World, saga: SagaId) -> Told {
    let opening = ready(world.opening(saga, "yes")).unwrap();
    let data = Payload::of(&true).unwrap();
    let ticket = world.order(saga, OrderKind::Signal { gate: "yes".to_owned(), data, opening });
    ready(world.run()).unwrap();
    world.told[&ticket].clone()
}
fn why(world: &World, saga: SagaId) -> (WaitReason, String) {
    ready(world.saga(saga)).unwrap().stranded().unwrap()
}

#[test]
fn an_open_saga_goes_on_with_another_tuning() {
    let place = Place::new();
    let saga = place.at_gate(define::<Job>());
    let mut world = place.program(vec![job(tuned)]);
    assert!(matches!(answer(&mut world, saga), Told::Accepted(_)));
    assert_eq!(state(&world, saga), SagaState::Completed);
}

#[test]
fn another_meaning_never_moves_an_open_saga_and_says_so() {
    let place = Place::new();
    let saga = place.at_gate(define::<Job>());
    let longer = || job(|plan| plan.step("slot", hold, free).wait("approval", YES, Deadline::days(2)).end());
    let mut world = place.program(vec![longer()]);
    assert_eq!(state(&world, saga), SagaState::Parked);
    let (was, is) = (define::<Job>().meaning, longer().meaning);
    let wanted = format!("job@1 {}, here {}", &was[..8], &is[..8]);
    assert_eq!(why(&world, saga), (WaitReason::DigestMismatch, wanted.clone()));
    let Told::Refused(refused) = answer(&mut world, saga) else { panic!("it must be refused") };
    assert_eq!(refused.code.id, "SG0216");
    assert!(refused.message.contains(&wanted), "{}", refused.message);
    // Beside it, under its own version, it goes on; and without the version it waits for that.
    let next = || define_version::<Job>(2, |plan| plan.read("other", post).end());
    let world = place.program(vec![next()]);
    assert_eq!(why(&world, saga), (WaitReason::NoDefinition, format!("job@1 {}", &was[..8])));
    let mut world = place.program(vec![next(), define::<Job>()]);
    assert!(matches!(answer(&mut world, saga), Told::Accepted(_)));
    assert_eq!(state(&world, saga), SagaState::Completed);
}

#[test]
fn a_plan_that_says_so_continues_another_meaning() {
    let place = Place::new();
    let saga = place.at_gate(job(|plan| {
        plan.step("slot", hold, free).wait("approval", YES, Deadline::days(2)).read("look", post).end()
    }));
    let mut world = place.program(vec![job(|plan| {
        let plan = plan.continues("d592fd4f").step("slot", hold, free);
        plan.wait("approval", YES, Deadline::days(2)).read("gaze", post).end()
    })]);
    assert!(matches!(answer(&mut world, saga), Told::Accepted(_)), "{:?}", why(&world, saga));
    assert_eq!(state(&world, saga), SagaState::Completed);
    for wrong in ["d592fd", "D592FD4F", "job@1", ""] {
        let faults = check(&job(|plan| plan.continues(wrong).read("a", post).end()));
        assert!(faults.len() == 1 && faults[0].says.contains("which is not a digest"), "{wrong}: {faults:?}");
    }
}

/// What a program of before wrote for [`Job`]: one digest over everything, and nothing in the metadata.
const OF_BEFORE: [(&str, &str); 4] = [
    ("SagaStarted", r#"{"definition":"job","version":1,"digest":"DIGEST","key":"k","input":{"words":3}}"#),
    ("StepDispatched", r#"{"step":"slot","attempt":1}"#),
    ("StepSucceeded", r#"{"step":"slot","output":null}"#),
    ("WaitStarted", r#"{"step":"approval","gate":"yes","deadline":"2025-12-15T12:00:00Z"}"#),
];
/// sha256 of the canonical form of [`Job`], as the program of before computed it.
const DIGEST_OF_BEFORE: &str = "cab73279400122d14a40129181eaa33256e5465ee02a586e088c8d35f64ed6fc";

fn written_before(place: &Place) -> SagaId {
    let saga = SagaId(Uuid::from_u128(8));
    let event = |(at, (name, data)): (usize, &(&'static str, &str))| NewEvent {
        id: EventId(Uuid::from_u128(900 + at as u128)),
        name,
        version: 1,
        data: Payload::trusted(data.replace("DIGEST", DIGEST_OF_BEFORE)),
        meta: Payload::trusted("{}"),
        time: STAGE_TIME,
        public: true,
    };
    let events = OF_BEFORE.iter().enumerate().map(event).collect();
    let write = StreamWrite { stream: stream_of(saga).unwrap(), expected: Version::ZERO, events };
    let store = ready(place.stores.open("orchestration")).unwrap();
    assert!(matches!(ready(store.commit(Batch { writes: vec![write], ..Batch::default() })), Commit::Ok(_)));
    saga
}

#[test]
fn a_saga_of_an_older_program_is_recognised_while_nothing_has_changed() {
    let place = Place::new();
    let saga = written_before(&place);
    // Which of its two digests moved cannot be told from the one that it kept: it stands still, and says so.
    let world = place.program(vec![job(tuned)]);
    let is = job(tuned).digest;
    let wanted = format!("job@1 {}, here {}", &DIGEST_OF_BEFORE[..8], &is[..8]);
    assert_eq!(why(&world, saga), (WaitReason::DigestMismatch, wanted));
    let mut world = place.program(vec![define::<Job>()]);
    assert!(matches!(answer(&mut world, saga), Told::Accepted(_)));
    assert_eq!(state(&world, saga), SagaState::Completed);
    // An author who knows that only the tuning has changed can say so.
    let place = Place::new();
    let saga = written_before(&place);
    let digest: &'static str = &DIGEST_OF_BEFORE[..8];
    let mut world = place.program(vec![job(|plan| tuned(plan.continues(digest)))]);
    assert!(matches!(answer(&mut world, saga), Told::Accepted(_)));
    assert_eq!(state(&world, saga), SagaState::Completed);
}

#[test]
fn what_an_older_program_reads_of_a_start_is_as_it_was() {
    let place = Place::new();
    let saga = place.at_gate(define::<Job>());
    let store = ready(place.stores.open("orchestration")).unwrap();
    let first = ready(store.read(&stream_of(saga).unwrap(), Version::ZERO, 1)).unwrap().remove(0);
    let written = OF_BEFORE[0].1.replace("DIGEST", DIGEST_OF_BEFORE);
    assert_eq!(first.data.as_str(), written, "the shape that is published, and the digest that it recorded");
    assert_eq!(
        first.meta.as_str(),
        format!(r#"{{"meaning":"{}","deadline_ms":31622400000}}"#, define::<Job>().meaning)
    );
    let started = fact_of(&first).unwrap();
    assert!(define::<Job>().is_of(started.as_start().unwrap()));
}

#[test]
fn nothing_begins_where_its_definition_means_something_else() {
    let place = Place::new();
    let mut world = place.program(vec![define::<Job>()]);
    let saga = SagaId(Uuid::from_u128(9));
    let other = job(|plan| plan.read("other", post).end());
    let by = Some(By { actor: Actor::operator("dana"), reason: None, request: None });
    let ticket = world.start_as(saga, other.begin("k".to_owned(), Payload::of(&Job { words: 1 }).unwrap(), by));
    ready(world.run()).unwrap();
    let Told::Refused(refused) = &world.told[&ticket] else { panic!("{:?}", world.told[&ticket]) };
    assert_eq!(refused.code.id, "SG0204");
    assert!(ready(world.story(saga)).unwrap().is_empty(), "nothing is recorded");
    // A start from an older program says nothing of meanings: the saga gets the meaning that the owner of its group
    // has.
    let older = SagaId(Uuid::from_u128(10));
    let mut started = define::<Job>().begin("old".to_owned(), Payload::of(&Job { words: 1 }).unwrap(), None);
    (started.meaning, started.deadline_ms) = (None, None);
    world.start_as(older, started);
    ready(world.run()).unwrap();
    let told = ready(world.saga(older)).unwrap();
    assert_eq!(told.started().unwrap().meaning, Some(define::<Job>().meaning));
    // Another tuning of the same meaning begins: two processes may differ in it while one is being replaced.
    let ticket = world.start_as(saga, job(tuned).begin("k".to_owned(), Payload::of(&Job { words: 1 }).unwrap(), None));
    ready(world.run()).unwrap();
    assert_eq!(world.told[&ticket], Told::Started { repeated: false });
    assert_eq!(state(&world, saga), SagaState::Waiting);
}

#[test]
fn another_tuning_gives_an_open_saga_more_time_and_never_takes_it_away() {
    let within = |days| {
        move |plan: Plan| {
            let plan = plan.deadline(Deadline::days(days)).step("slot", hold, free);
            plan.wait("approval", YES, Deadline::days(90)).end()
        }
    };
    for (began, now, ends) in [(10, 2, 10), (10, 20, 20), (10, 10, 10)] {
        let place = Place::new();
        let saga = place.at_gate(job(within(began)));
        let mut world = place.program(vec![job(within(now))]);
        for (day, open) in [(ends - 1, true), (ends, false)] {
            place.clock.move_to(STAGE_TIME.plus(Deadline::days(day).0));
            world.let_pass(std::time::Duration::ZERO);
            ready(world.run()).unwrap();
            assert_eq!(state(&world, saga) == SagaState::Waiting, open, "{began} {now}: day {day}");
        }
    }
}

#[test]
fn versions_of_one_saga_share_an_input_type() {
    let first = define_version::<Job>(1, |plan| plan.read("a", post).end());
    let second = define_version::<Job>(2, |plan| plan.when("long", long, |p| p.read("a", post)).end());
    assert!(first.check().is_ok() && second.check().is_ok());
    assert_eq!((first.version, second.version, first.input), (1, 2, second.input));
    let started = first.begin("k".to_owned(), Payload::null(), None);
    assert!(first.is_of(&started) && !second.is_of(&started));
    assert!(matches!(Fit::default(), Fit::Missing));
}

#[test]
fn a_word_that_says_nothing_where_it_stands_is_refused() {
    let both = |plan: Plan| plan.all("both", |all| all.branch("l", |p| p.read("a", post)));
    let behind = "write it behind the step that it is about";
    let cases: Vec<(Definition, String)> = vec![
        (
            job(|plan| plan.retry(Retry::once()).read("a", post).end()),
            format!("`.retry` stands before any step; {behind}"),
        ),
        (
            job(|plan| both(plan).retry(Retry::once()).end()),
            format!("`.retry` stands behind \"both\", which is an `all`; {behind}"),
        ),
        (
            job(|plan| both(plan).undo_retry(Retry::once()).end()),
            format!("`.undo_retry` stands behind \"both\", which is an `all`; {behind}"),
        ),
        (
            job(|plan| plan.wait("w", YES, Deadline::days(1)).patience(Deadline::days(1)).end()),
            format!("`.patience` stands behind \"w\", which is a wait; {behind}"),
        ),
        (
            job(|plan| plan.each("e", words, AtMost(1), |p| p.on_unknown(OnUnknown::Park).read("a", post)).end()),
            format!("`.on_unknown` stands before any step; {behind}"),
        ),
        (
            job(|plan| {
                let inner = |p: Plan| p.when("w", long, |p| p.read("a", post)).deadline_of_step(Deadline::days(1));
                plan.all("both", |all| all.branch("l", inner)).end()
            }),
            format!("`.deadline_of_step` stands behind \"w\", which is a `when`; {behind}"),
        ),
        (
            job(|plan| plan.read("a", post).may_fail(1).end()),
            "`.may_fail` stands behind no `each`; write it behind the one it is about".to_owned(),
        ),
        (
            job(|plan| plan.repeat("r", AtMost(1), long, |p| p.deadline(Deadline::days(1)).read("a", post)).end()),
            "`.deadline` stands inside of a block; it is about the whole plan, and belongs outside".to_owned(),
        ),
    ];
    for (definition, says) in cases {
        let faults: Vec<String> = check(&definition).iter().map(ToString::to_string).collect();
        assert_eq!(faults, [format!("SG0014 saga \"job\": {says}")]);
    }
    assert!(check(&define::<Job>()).is_empty());
    let _unused: (Option<In<Other>>,) = (None,);
}
