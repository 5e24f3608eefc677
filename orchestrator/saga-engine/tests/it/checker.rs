//! The checker is checked: a good history is broken in one way, wherever that way fits, and exactly the promise that was
//! broken is named. A clause that falls silent turns a row of these tables red.
#![expect(clippy::unwrap_used, reason = "what tests share speaks by panicking")]

mod bus;
mod sagas;
mod stores;

use crate::everything::everything;
use crate::linear::linear;
use saga_core::envelope::{Header, Recorded, chain};
use saga_core::event::EventSet;
use saga_core::fact::{By, OperatorNote, SagaFact};
use saga_core::id::{EventId, Position, StreamId, Version};
use saga_core::json::Payload;
use saga_core::path::StepPath;
use saga_core::time::Timestamp;
use saga_core::view::{Finding, SagaState};
use saga_engine::audit::Audit;
use saga_engine::machine::coordinator::Definitions;
use saga_testkit::laws::saga::Case;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use uuid::Uuid;

/// Logs in memory, free to be broken.
#[derive(Clone)]
struct Logs {
    definitions: Arc<Definitions>,
    facts: Vec<Recorded>,
    ledger: Vec<Recorded>,
}

/// The logs of a case that has been run.
async fn logs_of(mut case: Case, ended: SagaState) -> Logs {
    assert_eq!(case.run().await.unwrap(), ended);
    let mut logs = BTreeMap::new();
    for (name, store) in case.world.logs() {
        logs.insert(name, store.read_log(Position::ZERO, usize::MAX).await.unwrap());
    }
    let facts = logs.remove("orchestration").unwrap();
    let logs = Logs { definitions: case.world.definitions().clone(), facts, ledger: logs.remove("ledger").unwrap() };
    assert_eq!(logs.findings(), [], "what happened by itself is good");
    logs
}
async fn completed() -> Vec<Logs> {
    vec![logs_of(linear().await, SagaState::Completed).await, logs_of(everything().await, SagaState::Completed).await]
}
async fn compensated() -> Vec<Logs> {
    let mut all = Vec::new();
    for (mut case, pivot) in [(linear().await, "p"), (everything().await, "commit")] {
        case.world.faults.refuse = Some(pivot.to_owned());
        all.push(logs_of(case, SagaState::Compensated).await);
    }
    all
}

impl Logs {
    fn findings(&self) -> Vec<Finding> {
        let mut audit = Audit::new(self.definitions.clone());
        audit.read("orchestration", &self.facts);
        audit.read("ledger", &self.ledger);
        audit.finish(true).findings
    }
    fn fact(&self, at: usize) -> SagaFact {
        SagaFact::of(&self.facts[at]).unwrap()
    }
    /// Where facts stand that fit.
    fn places(&self, fits: impl Fn(&SagaFact) -> bool) -> Vec<usize> {
        (0..self.facts.len()).filter(|at| fits(&self.fact(*at))).collect()
    }
    fn write(&mut self, at: usize, fact: &SagaFact) {
        self.facts[at].name = fact.name().to_owned();
        self.facts[at].schema_version = fact.version();
        self.facts[at].data = fact.encode().unwrap();
    }
    /// Puts a fact in front of the one at this place.
    fn insert(&mut self, at: usize, fact: impl Into<SagaFact>) {
        let new = Recorded { id: EventId(Uuid::from_u128(7)), ..self.facts[at.min(self.facts.len() - 1)].clone() };
        self.facts.insert(at, new);
        self.write(at, &fact.into());
    }
    fn last_step(&self) -> usize {
        self.facts.len() - 1
    }
    /// The logs again as a store would have written them: only the meaning stays broken.
    fn relinked(mut self) -> Self {
        relink(&mut self.facts);
        relink(&mut self.ledger);
        self
    }
}
fn relink(log: &mut [Recorded]) {
    let mut versions: BTreeMap<StreamId, Version> = BTreeMap::new();
    let mut public = 0;
    for (index, event) in log.iter_mut().enumerate() {
        event.position = Position(index as u64 + 1);
        let version = versions.entry(event.stream.clone()).or_default();
        *version = version.next();
        event.version = *version;
        if let Some(sequence) = &mut event.public_seq {
            public += 1;
            *sequence = public;
        }
    }
    rechain(log);
}
fn rechain(log: &mut [Recorded]) {
    let mut before = [0; 32];
    for event in log {
        event.chain = chain(&before, event.position, &event.digest());
        before = event.chain;
    }
}
fn by() -> By {
    By { actor: saga_core::envelope::Actor::operator("dana"), reason: None, request: None }
}
fn step_of(fact: &SagaFact) -> StepPath {
    let data: serde_json::Value = fact.encode().unwrap().read().unwrap();
    data["step"].as_str().unwrap_or_default().parse().unwrap()
}

/// All ways in which one kind of break fits into these logs.
type Break = fn(&Logs) -> Vec<Logs>;

/// One way for each place that fits.
fn at_each(logs: &Logs, places: Vec<usize>, change: impl Fn(&mut Logs, usize)) -> Vec<Logs> {
    places
        .into_iter()
        .map(|at| {
            let mut broken = logs.clone();
            change(&mut broken, at);
            broken
        })
        .collect()
}
fn relinked(broken: Vec<Logs>) -> Vec<Logs> {
    broken.into_iter().map(Logs::relinked).collect()
}

/// Breaks every history in every place and expects this promise, with these words, and no other.
fn expect(histories: &[Logs], promise: &str, says: &str, ways: Break) {
    let broken: Vec<Logs> = histories.iter().flat_map(ways).collect();
    assert!(!broken.is_empty(), "{promise} {says}: it fits nowhere, so nothing is tried");
    for logs in broken {
        let findings = logs.findings();
        let named: BTreeSet<&str> = findings.iter().map(|finding| finding.promise.as_str()).collect();
        assert_eq!(named, BTreeSet::from([promise]), "{says}: {findings:#?}");
        assert!(findings.iter().any(|finding| finding.says.contains(says)), "{promise} {says}: {findings:#?}");
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_log_is_found_in_every_history() {
    let all: Vec<Logs> = completed().await.into_iter().chain(compensated().await).collect();
    // Each is the last one, so that what follows it has nothing to be wrong about.
    expect(&all, "L7", "follows position", |logs| {
        at_each(logs, vec![logs.last_step()], |broken, at| {
            broken.facts[at].position = broken.facts[at].position.next();
            rechain(&mut broken.facts);
        })
    });
    expect(&all, "L7", "public sequence", |logs| {
        at_each(logs, vec![logs.last_step()], |broken, at| {
            broken.facts[at].public_seq = Some(9_999);
            rechain(&mut broken.facts);
        })
    });
    expect(&all, "L7", "before the event before it", |logs| {
        at_each(logs, (1..logs.facts.len()).collect(), |broken, at| {
            let before = broken.facts[at - 1].recorded_at;
            broken.facts[at].recorded_at = Timestamp(before.0 - 1);
            rechain(&mut broken.facts);
        })
    });
    expect(&all, "L2", "follows version", |logs| {
        at_each(logs, vec![logs.last_step()], |broken, at| {
            broken.facts[at].version = broken.facts[at].version.next();
            rechain(&mut broken.facts);
        })
    });
    expect(&all, "L3", "", |logs| {
        relinked(at_each(logs, (1..logs.last_step()).collect(), |broken, at| {
            broken.insert(at, OperatorNote { text: String::new(), by: by() });
            broken.facts[at].data = Payload::trusted("{}");
        }))
    });
    expect(&all, "L3", "Nonsense", |logs| {
        relinked(at_each(logs, (1..logs.last_step()).collect(), |broken, at| {
            broken.insert(at, OperatorNote { text: String::new(), by: by() });
            broken.facts[at].name = "Nonsense".to_owned();
        }))
    });
}

/// One field of one event is changed and nothing else: the chain names that event, whichever it is.
#[tokio::test]
async fn the_chain_names_the_event_that_was_touched() {
    type Touch = fn(&mut Recorded);
    let touches: [(&str, Touch); 11] = [
        ("position", |event| event.position = event.position.next()),
        ("public sequence", |event| event.public_seq = event.public_seq.map_or(Some(1), |seq| Some(seq + 1))),
        ("stream", |event| event.stream = StreamId::parse("other-1").unwrap()),
        ("version", |event| event.version = event.version.next()),
        ("id", |event| event.id = EventId(Uuid::from_u128(1))),
        ("name", |event| event.name.push('x')),
        ("schema version", |event| event.schema_version += 1),
        ("data", |event| event.data = Payload::trusted(format!("{} ", event.data.as_str()))),
        ("meta", |event| event.meta = Payload::trusted(format!("{} ", event.meta.as_str()))),
        ("time", |event| event.time = Timestamp(event.time.0 + 1)),
        ("recorded at", |event| event.recorded_at = Timestamp(event.recorded_at.0 + 1)),
    ];
    for logs in completed().await {
        for at in 0..logs.facts.len() {
            for (field, touch) in touches {
                let mut broken = logs.clone();
                touch(&mut broken.facts[at]);
                let place = format!("orchestration:{}", broken.facts[at].position);
                let findings = broken.findings();
                let named = findings.iter().any(|finding| finding.promise == "L8" && finding.place == place);
                assert!(named, "{field} of event {at}: {findings:#?}");
            }
        }
        for at in 0..logs.facts.len() - 1 {
            let mut broken = logs.clone();
            broken.facts.swap(at, at + 1);
            assert!(broken.findings().iter().any(|finding| finding.promise == "L8"), "{at} and the next are swapped");
            let mut cut = logs.clone();
            cut.facts.remove(at);
            assert!(cut.findings().iter().any(|finding| finding.promise == "L8"), "{at} is cut out");
        }
    }
}

/// What is hashed, and how, never changes: what was written once must verify for ever.
#[test]
fn digest_and_chain_are_as_they_ever_were() {
    let header = |public_seq| Header {
        stream: "category-1",
        version: Version(2),
        id: EventId(Uuid::from_u128(3)),
        name: "Name",
        schema_version: 4,
        public_seq,
        time: Timestamp(5),
        recorded_at: Timestamp(6),
    };
    let hex = |bytes: [u8; 32]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let digest = header(Some(7)).digest(r#"{"a":1}"#, "{}");
    assert_eq!(hex(digest), "68e87c66afa878b9451fd826fa629d086b236d8439a22d5b36229a5c907ff620");
    assert_eq!(
        hex(header(None).digest(r#"{"a":1}"#, "{}")),
        "0687662525c1af2d185534bd274d3904b28f53b160c2d41d762eba01a06dee66"
    );
    assert_eq!(
        hex(chain(&[8; 32], Position(9), &digest)),
        "56a7bf809c1f1769b47e66085aeed65a5115d35e0006cfd0454f5ed2aa68fa59"
    );
    // No two events share their bytes by moving a letter from one field into the next.
    let moved = Header { stream: "category-", ..header(Some(7)) };
    assert_ne!(moved.digest(r#"1{"a":1}"#, "{}"), digest);
    assert_ne!(header(Some(7)).digest(r#"{"a":1}{"#, "}"), digest);
}
