//! The machine of consumers in a world that fails at every turn: crashes, lost answers, fences, gaps and repeated pages
//! change nothing of what was folded, what was asked for and what was parked.
#![expect(clippy::unwrap_used, clippy::panic, reason = "what tests share speaks by panicking")]

use proptest::prelude::*;
use saga_core::batch::{Batch, Cause, Commit, Fence, Receipt};
use saga_core::envelope::Recorded;
use saga_core::event::DecodeError;
use saga_core::id::{Epoch, EventId, Position, StepKey, StreamId, Version};
use saga_core::json::Payload;
use saga_core::module::{Reaction, Reactor};
use saga_core::outcome::{Answer, Refused};
use saga_core::ports::{Document, ReadError};
use saga_core::projection::{Fold, FoldError, ProjectionDef};
use saga_core::time::Timestamp;
use saga_engine::host::Served;
use saga_engine::machine::Machine;
use saga_engine::machine::consumer::{Consumer, In, Out};
use saga_engine::machine::projector::{PARKED, Parked, public_place};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

const SOURCE: &str = "far";
const SCOPE: &str = "lead";
/// Faults stop after these; a consumer that has not come to the end after 5,000 turns never will.
const FAULTS_MAX: usize = 60;
const TURNS_MAX: usize = 5_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    None,
    /// The process ends before it is done, or after: nobody hears of it.
    CrashBefore,
    CrashAfter,
    /// It is not done, and that is said.
    Fails,
    /// It is done, and nobody knows.
    Unknown,
    /// Another process took over and has done the same.
    Fenced,
    /// Only so many events of a page come, and some that were had before.
    Pieces(usize),
}
fn fault() -> impl Strategy<Value = Fault> {
    prop_oneof![
        6 => Just(Fault::None),
        2 => Just(Fault::CrashBefore),
        2 => Just(Fault::CrashAfter),
        2 => Just(Fault::Fails),
        2 => Just(Fault::Unknown),
        1 => Just(Fault::Fenced),
        3 => (1_usize..6).prop_map(Fault::Pieces),
    ]
}

/// One event of a log, as a test says it: its story, whether it is public, and whether it concerns the consumer.
#[derive(Debug, Clone, Copy)]
struct Told {
    story: u8,
    public: bool,
    name: &'static str,
}
fn told() -> impl Strategy<Value = Told> {
    let name = prop_oneof![6 => Just("Put"), 2 => Just("Other"), 1 => Just("Poison")];
    (0_u8..3, prop::bool::weighted(0.8), name).prop_map(|(story, public, name)| Told { story, public, name })
}
fn log(told: &[Told]) -> Vec<Recorded> {
    let mut seq = 0;
    let mut log = Vec::new();
    for (position, told) in (1_u64..).zip(told) {
        seq += u64::from(told.public);
        log.push(Recorded {
            position: Position(position),
            public_seq: told.public.then_some(seq),
            stream: StreamId::parse(&format!("story-{}", told.story)).unwrap(),
            version: Version(position),
            id: EventId(uuid::Uuid::from_u128(u128::from(position) << 64 | u128::from(position))),
            name: told.name.to_owned(),
            schema_version: 1,
            data: Payload::null(),
            meta: Payload::null(),
            time: Timestamp(0),
            recorded_at: Timestamp(0),
            chain: [0; 32],
        });
    }
    log
}
fn broken(recorded: &Recorded) -> Result<(), DecodeError> {
    match recorded.name.as_str() {
        "Poison" => Err(DecodeError::Malformed { of: "Poison", version: 1, why: "poison".to_owned() }),
        _ => Ok(()),
    }
}
/// A document for each story: the positions of its events, in the order in which they were folded.
fn listing() -> ProjectionDef {
    let fold = |event| Fold {
        module: SOURCE,
        event,
        begins: false,
        key: Arc::new(|recorded: &Recorded, _: &_| Ok(Some(recorded.stream.to_string()))),
        fold: Arc::new(|document: Option<Payload>, recorded: &Recorded, _: &_| {
            broken(recorded)?;
            let mut all: Vec<u64> = document.map_or_else(Vec::new, |body| body.read().unwrap());
            all.push(recorded.position.0);
            Payload::of(&all).map(Some).map_err(|why| FoldError::Document(why.to_string()))
        }),
    };
    ProjectionDef { name: "near.listing".to_owned(), version: 1, index: &[], folds: vec![fold("Put"), fold("Poison")] }
}
/// Two commands for each event.
fn echo() -> Reactor {
    let mut reactor = Reactor::new("echo");
    for event in ["Put", "Poison"] {
        reactor.reactions.push((
            SOURCE,
            event,
            Arc::new(|recorded: &Recorded, _: &_| {
                broken(recorded)?;
                let payload = Payload::of(&(recorded.stream.to_string(), recorded.position.0)).unwrap();
                Ok(["first", "second"].map(|command| Reaction { command, version: 1, payload: payload.clone() }).into())
            }),
        ));
    }
    reactor
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Folds,
    Reacts,
}
impl Kind {
    fn begin(self, epoch: u64) -> Consumer {
        let fence = Some(Fence { scope: SCOPE.to_owned(), epoch: Epoch(epoch) });
        match self {
            Kind::Folds => Consumer::folding(listing(), SOURCE, fence),
            Kind::Reacts => Consumer::reacting(echo(), "near", SOURCE, fence),
        }
    }
}

/// What is durable.
#[derive(Debug, Default, Clone, PartialEq)]
struct Durable {
    cursor: Position,
    anchored: bool,
    documents: BTreeMap<String, Payload>,
    parked: BTreeMap<String, Parked>,
    /// What the module did, each deed once, in the order of the stories.
    deeds: BTreeMap<String, Vec<(u64, String)>>,
    keys: BTreeSet<StepKey>,
}

struct World {
    log: Vec<Recorded>,
    faults: std::vec::IntoIter<Fault>,
    epoch: u64,
    durable: Durable,
}

/// What came of an output: what the consumer hears, or nothing because its process has ended.
enum Came {
    Heard(In),
    Nothing,
    Crashed,
    End,
}

impl World {
    fn fault(&mut self) -> Fault {
        self.faults.next().unwrap_or(Fault::None)
    }
    fn apply(&mut self, batch: &Batch) -> Commit {
        for write in &batch.documents {
            let body = write.body.clone();
            if write.projection == PARKED.name() {
                self.durable.parked.insert(write.key.clone(), body.unwrap().read().unwrap());
            } else {
                body.map(|body| self.durable.documents.insert(write.key.clone(), body));
            }
        }
        for mark in &batch.marks {
            if mark.consumer.starts_with("anchor:") {
                self.durable.anchored = true;
            } else {
                assert!(mark.position > self.durable.cursor, "a cursor only goes forward: {mark:?}");
                self.durable.cursor = mark.position;
            }
        }
        Commit::Ok(Receipt { last: Position::ZERO, versions: Vec::new() })
    }
    fn commit(&mut self, batch: &Batch, fault: Fault) -> Came {
        if batch.fence.as_ref().is_none_or(|fence| fence.epoch != Epoch(self.epoch)) {
            return Came::Heard(In::Committed(Commit::Fenced { current: Epoch(self.epoch) }));
        }
        match fault {
            Fault::CrashBefore => Came::Crashed,
            Fault::CrashAfter => {
                let _durable = self.apply(batch);
                Came::Crashed
            }
            Fault::Fails => Came::Heard(In::Committed(Commit::Retryable(Cause("busy".to_owned())))),
            Fault::Unknown => {
                let _durable = self.apply(batch);
                Came::Heard(In::Committed(Commit::Unknown(Cause("cut off".to_owned()))))
            }
            Fault::Fenced => {
                let _theirs = self.apply(batch);
                self.epoch += 1;
                Came::Heard(In::Committed(Commit::Fenced { current: Epoch(self.epoch) }))
            }
            Fault::None | Fault::Pieces(_) => Came::Heard(In::Committed(self.apply(batch))),
        }
    }
    fn read(&self, after: Position, max: usize, fault: Fault) -> Came {
        let mut from = after;
        let mut most = max;
        match fault {
            Fault::CrashBefore | Fault::CrashAfter => return Came::Crashed,
            Fault::Fails | Fault::Fenced => {
                return Came::Heard(In::Unheard { why: "away".to_owned(), astray: fault == Fault::Fenced });
            }
            Fault::Pieces(pieces) => (from, most) = (Position(after.0.saturating_sub(2)), pieces),
            Fault::None | Fault::Unknown => {}
        }
        let public = self.log.iter().filter(|recorded| recorded.public_seq.is_some());
        let page: Vec<_> = public.filter(|recorded| public_place(recorded) > from).take(most).cloned().collect();
        if page.is_empty() { Came::End } else { Came::Heard(In::Page(page)) }
    }
    fn serve(&mut self, delivered: &saga_core::bus::Delivered, fault: Fault) -> Came {
        if fault == Fault::CrashBefore {
            return Came::Crashed;
        }
        if fault == Fault::Fails {
            return Came::Heard(In::Served(Served::Answered(Answer::Retry { after_ms: 1, reason: "busy".to_owned() })));
        }
        let (story, position): (String, u64) = delivered.payload.read().unwrap();
        if position % 11 == 0 {
            return Came::Heard(In::Served(Served::Park(Refused::new("BUG", "the handler cannot take it"))));
        }
        if self.durable.keys.insert(delivered.deed.key) {
            self.durable.deeds.entry(story).or_default().push((position, delivered.command.clone()));
        }
        match fault {
            Fault::CrashAfter => Came::Crashed,
            _ => Came::Heard(In::Served(Served::Answered(Answer::Done { output: Payload::null() }))),
        }
    }
    fn perform(&mut self, out: Out) -> Came {
        if matches!(out, Out::Well | Out::Trouble(_) | Out::Wait(_)) {
            return Came::Nothing;
        }
        let fault = self.fault();
        match out {
            Out::Find => match fault {
                Fault::CrashBefore | Fault::CrashAfter => Came::Crashed,
                Fault::Fails => Came::Heard(In::Unheard { why: "away".to_owned(), astray: false }),
                _ => {
                    let blocked = self.durable.parked.values().map(|parked| parked.stream.clone()).collect();
                    Came::Heard(In::Stands { at: self.durable.cursor, blocked })
                }
            },
            Out::Read { after, max } => self.read(after, max, fault),
            Out::Load { keys, .. } => match fault {
                Fault::CrashBefore | Fault::CrashAfter => Came::Crashed,
                Fault::Fails => Came::Heard(In::Loaded(Err(ReadError::Unavailable("busy".to_owned())))),
                _ => {
                    let found = keys.into_iter().filter_map(|key| {
                        let body = self.durable.documents.get(&key)?.clone();
                        Some(Document { key, body, index: Vec::new() })
                    });
                    Came::Heard(In::Loaded(Ok(found.collect())))
                }
            },
            Out::Serve(delivered) => self.serve(&delivered, fault),
            Out::Commit(batch) => self.commit(&batch, fault),
            Out::Well | Out::Trouble(_) | Out::Wait(_) => Came::Nothing,
        }
    }
}

/// Plays a consumer to the end of the log, whatever fails on the way.
fn play(kind: Kind, log: &[Recorded], faults: Vec<Fault>) -> Durable {
    let faults = faults.into_iter();
    let mut world = World { log: log.to_vec(), faults, epoch: 1, durable: Durable::default() };
    let (mut epoch, mut machine, mut input) = (1, kind.begin(1), In::Begin);
    for _ in 0..TURNS_MAX {
        let mut out = Vec::new();
        machine.step(Timestamp(0), input, &mut out);
        let (mut heard, mut crashed, mut silent) = (None, false, true);
        for output in out {
            match world.perform(output) {
                Came::Heard(said) => heard = Some(said),
                Came::Nothing => {}
                Came::Crashed => crashed = true,
                // Nothing more is there; one that was replaced has nobody to tell.
                Came::End if epoch == world.epoch => return world.durable,
                Came::End => crashed = true,
            }
            silent = false;
        }
        assert!(!silent, "it stands still");
        // One that was replaced goes on for a while, and changes nothing.
        let replaced = epoch != world.epoch && world.fault() == Fault::None;
        input = match heard.filter(|_| !crashed && !replaced) {
            Some(said) => said,
            None => {
                epoch = world.epoch;
                machine = kind.begin(epoch);
                In::Begin
            }
        };
    }
    panic!("after {TURNS_MAX} turns it is not at the end of the log: {:?}", world.durable.cursor);
}

/// What must have come of a log, said without any machine.
fn expected(kind: Kind, log: &[Recorded]) -> (BTreeMap<String, Vec<u64>>, BTreeSet<u64>) {
    let (mut done, mut aside, mut blocked) = (BTreeMap::<String, Vec<u64>>::new(), BTreeSet::new(), BTreeSet::new());
    for recorded in log.iter().filter(|recorded| recorded.public_seq.is_some() && recorded.name != "Other") {
        let breaks = recorded.name == "Poison" || (kind == Kind::Reacts && recorded.position.0 % 11 == 0);
        if breaks || blocked.contains(&recorded.stream) {
            blocked.insert(recorded.stream.clone());
            aside.insert(recorded.position.0);
        } else {
            done.entry(recorded.stream.to_string()).or_default().push(recorded.position.0);
        }
    }
    (done, aside)
}

fn check(kind: Kind, log: &[Recorded], faults: Vec<Fault>) {
    let durable = play(kind, log, faults);
    let (done, aside) = expected(kind, log);
    let parked: BTreeSet<_> = durable.parked.values().map(|parked| parked.position.0).collect();
    assert_eq!(parked, aside, "parked");
    match kind {
        Kind::Folds => {
            let folded: BTreeMap<_, Vec<u64>> =
                durable.documents.iter().map(|(key, body)| (key.clone(), body.read().unwrap())).collect();
            assert_eq!(folded, done, "each event once, in order");
        }
        Kind::Reacts => {
            let twice = |(story, all): (&String, &Vec<u64>)| {
                let both = all.iter().flat_map(|at| ["first", "second"].map(|command| (*at, command.to_owned())));
                (story.clone(), both.collect::<Vec<_>>())
            };
            assert_eq!(durable.deeds, done.iter().map(twice).collect(), "each deed once, in order");
        }
    }
    // Events that do not concern it may wait for the next one that does.
    let concerns = |recorded: &&Recorded| recorded.public_seq.is_some() && recorded.name != "Other";
    let last = log.iter().rev().find(concerns).map_or(Position::ZERO, public_place);
    assert!(durable.cursor >= last && durable.anchored == (durable.cursor > Position::ZERO), "{:?}", durable.cursor);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]
    #[test]
    fn whatever_fails_each_event_is_folded_and_reacted_to_once_and_in_order(
        told in prop::collection::vec(told(), 0..40),
        faults in prop::collection::vec(fault(), 0..FAULTS_MAX),
        folds in any::<bool>(),
    ) {
        check(if folds { Kind::Folds } else { Kind::Reacts }, &log(&told), faults);
    }
}

#[test]
fn a_page_of_reactions_is_one_commit() {
    let told = [Told { story: 1, public: true, name: "Put" }; 10];
    let log = log(&told);
    let (mut machine, mut out) = (Kind::Reacts.begin(1), Vec::new());
    let begin = In::Stands { at: Position::ZERO, blocked: BTreeSet::new() };
    for input in [In::Begin, begin, In::Page(log.clone())] {
        out.clear();
        machine.step(Timestamp(0), input, &mut out);
    }
    let mut served = 0;
    while matches!(out.as_slice(), [Out::Serve(_)]) {
        served += 1;
        out.clear();
        let done = Served::Answered(Answer::Done { output: Payload::null() });
        machine.step(Timestamp(0), In::Served(done), &mut out);
    }
    let [Out::Commit(batch)] = out.as_slice() else { panic!("{out:?}") };
    let mark = batch.marks.last().unwrap();
    assert_eq!((served, mark.position), (20, public_place(log.last().unwrap())));
}

#[test]
fn weather_in_the_middle_of_a_page_keeps_what_is_done_of_it() {
    let log = log(&[Told { story: 1, public: true, name: "Put" }; 3]);
    let (mut machine, mut out) = (Kind::Reacts.begin(1), Vec::new());
    let begin = In::Stands { at: Position::ZERO, blocked: BTreeSet::new() };
    let done = || In::Served(Served::Answered(Answer::Done { output: Payload::null() }));
    let busy = In::Served(Served::Answered(Answer::Retry { after_ms: 1, reason: "busy".to_owned() }));
    for input in [In::Begin, begin, In::Page(log), done(), done(), busy] {
        out.clear();
        machine.step(Timestamp(0), input, &mut out);
    }
    let [Out::Commit(batch)] = out.as_slice() else { panic!("{out:?}") };
    assert_eq!(batch.marks.last().unwrap().position, Position(1));
    out.clear();
    machine.step(
        Timestamp(0),
        In::Committed(Commit::Ok(Receipt { last: Position(9), versions: Vec::new() })),
        &mut out,
    );
    assert!(matches!(out.as_slice(), [Out::Trouble(why), Out::Wait(_), Out::Find] if why == "busy"), "{out:?}");
}
