//! A random history of batches gives the same answers, the same log and the same documents in memory and in PostgreSQL.

use crate::database::{Database, append, clock, stream};
use proptest::prelude::*;
use saga_core::batch::{Batch, Commit, DocumentWrite, Fence, InboxEntry, Mark, Snapshot, StreamWrite};
use saga_core::envelope::sha256;
use saga_core::id::{Direction, Epoch, Position, StepKey, Version};
use saga_core::json::Payload;
use saga_core::memory::MemoryStore;
use saga_core::outcome::Answer;
use saga_core::ports::{Cached, Find, Store};

use uuid::Uuid;

/// What happens in a history.
#[derive(Debug, Clone)]
enum Step {
    /// Batches that are sent at once.
    Commit(Vec<Sketch>),
    /// The batch of an earlier step again.
    Repeat(usize),
    Reopen,
}

/// A document: its key, its body (`None` removes it), its two index fields.
type Page = (u8, Option<u8>, Option<u8>, Option<u8>);

/// A batch in small numbers, so that histories collide.
#[derive(Debug, Clone)]
struct Sketch {
    writes: Vec<(u8, i8, u8)>,
    deed: Option<(u8, u8, bool, u8)>,
    fence: Option<(u8, u8)>,
    mark: Option<(u8, u8)>,
    document: Option<Page>,
    snapshot: Option<(u8, u8)>,
}

fn sketch() -> impl Strategy<Value = Sketch> {
    let writes = prop::collection::vec((0..4_u8, prop_oneof![9 => Just(0_i8), 1 => -1..=1_i8], 0..3_u8), 0..3);
    let deed = prop::option::weighted(0.4, (0..3_u8, 0..3_u8, any::<bool>(), 0..5_u8));
    let fence = prop::option::weighted(0.3, (0..2_u8, 0..6_u8));
    let mark = prop::option::weighted(0.3, (0..2_u8, 0..20_u8));
    let field = || prop::option::of(0..3_u8);
    let document = prop::option::weighted(0.5, (0..5_u8, prop::option::weighted(0.8, 0..9_u8), field(), field()));
    let snapshot = prop::option::weighted(0.2, (0..3_u8, 0..2_u8));
    (writes, deed, fence, mark, document, snapshot).prop_map(|(writes, deed, fence, mark, document, snapshot)| Sketch {
        writes,
        deed,
        fence,
        mark,
        document,
        snapshot,
    })
}
fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => prop::collection::vec(sketch(), 1..6).prop_map(Step::Commit),
        2 => any::<prop::sample::Index>().prop_map(|index| Step::Repeat(index.index(1_000))),
        1 => Just(Step::Reopen),
    ]
}

/// Makes the sketch a batch whose expected versions are right, or off by what the sketch says.
async fn batch(sketch: &Sketch, model: &dyn Store, number: &mut u128) -> Batch {
    let mut batch = Batch::default();
    for (name, off, events) in &sketch.writes {
        let name = stream(&name.to_string());
        if batch.writes.iter().any(|write| write.stream == name) {
            continue;
        }
        let actual = model.read(&name, Version::ZERO, usize::MAX).await.unwrap().len() as u64;
        let numbers = (0..*events).map(|_| {
            *number += 1;
            *number
        });
        let events = append("x", 0, numbers).writes.remove(0).events;
        let expected = Version(actual.saturating_add_signed(i64::from(*off)));
        batch.writes.push(StreamWrite { stream: name, expected, events });
    }
    batch.inbox = sketch.deed.map(|(saga, path, undo, epoch)| {
        let saga = Uuid::from_u128(u128::from(saga));
        let key = |direction| StepKey::derive(saga, &path.to_string(), direction);
        let direction = if undo { Direction::Undo } else { Direction::Do };
        *number += 1;
        InboxEntry {
            saga,
            key: key(direction),
            direction,
            unless: (!undo).then(|| key(Direction::Undo)),
            payload_hash: sha256(&number.to_be_bytes()),
            epoch: Epoch(epoch.into()),
            answer: Answer::Done { output: Payload::trusted(number.to_string()) },
        }
    });
    batch.fence =
        sketch.fence.map(|(scope, epoch)| Fence { scope: format!("group:{scope}"), epoch: Epoch(epoch.into()) });
    let mark = |(who, position): (u8, u8)| Mark { consumer: format!("c{who}"), position: Position(position.into()) };
    batch.marks = sketch.mark.map(mark).into_iter().collect();
    let text = |value: Option<u8>| value.map(|value| value.to_string());
    let document = |(key, body, first, second): Page| DocumentWrite {
        projection: "list".to_owned(),
        version: 1,
        key: format!("k{key}"),
        body: body.map(|body| Payload::trusted(body.to_string())),
        index: vec![text(first), text(second)],
    };
    batch.documents = sketch.document.map(document).into_iter().collect();
    let snapshot = |(name, digest): (u8, u8)| Snapshot {
        stream: stream(&name.to_string()),
        version: Version(u64::from(digest)),
        digest: format!("d{digest}"),
        state: Payload::trusted("{}"),
    };
    batch.snapshots = sketch.snapshot.map(snapshot).into_iter().collect();
    batch
}

/// Everything that can be asked.
pub(crate) async fn picture(store: &dyn Store) -> String {
    let mut lines = vec![format!("{:?}", store.read_log(Position::ZERO, usize::MAX).await.unwrap())];
    for name in 0..4_u8 {
        let name = stream(&name.to_string());
        lines.push(format!("{:?}", store.read(&name, Version(1), 3).await.unwrap()));
        for digest in 0..2 {
            let what = Cached::Snapshot { stream: name.clone(), digest: format!("d{digest}") };
            let found = store.cached(&what).await.unwrap();
            lines.push(format!("{:?}", found.map(|found| found.read::<serde_json::Value>().unwrap())));
        }
    }
    for saga in (0..3_u128).map(Uuid::from_u128) {
        for path in 0..3_u8 {
            let [deed, undo] =
                [Direction::Do, Direction::Undo].map(|way| StepKey::derive(saga, &path.to_string(), way));
            lines.push(format!("{:?}", store.answered(saga, deed, undo).await.unwrap()));
        }
    }
    for who in 0..2 {
        lines.push(format!("{:?}", store.checkpoint(&format!("c{who}")).await.unwrap()));
    }
    for (order_by, descending) in [(None, false), (Some(0), true), (Some(1), false)] {
        for after in [None, Some((order_by.map(|_| "1".to_owned()), "k2".to_owned())), Some((None, "k2".to_owned()))] {
            let filters = if descending { vec![(1, "1".to_owned())] } else { Vec::new() };
            let find =
                Find { projection: "list".to_owned(), version: 1, filters, order_by, descending, after, limit: 4 };
            lines.push(format!("{:?}", store.find(&find).await.unwrap()));
        }
    }
    lines.push(format!("{:?}", store.head().await.unwrap()));
    lines.join("\n")
}

async fn same_story(steps: Vec<Step>) {
    let database = Database::new().await;
    let mut stores = database.stores();
    let mut store = stores.open_store("m").await.unwrap();
    let memory = MemoryStore::new(clock());
    let (mut number, mut sent) = (0, Vec::<Batch>::new());
    for step in steps {
        let batches = match step {
            Step::Commit(sketches) => {
                let mut batches = Vec::new();
                for sketch in &sketches {
                    batches.push(batch(sketch, &memory, &mut number).await);
                }
                batches
            }
            Step::Repeat(at) if !sent.is_empty() => vec![sent[at % sent.len()].clone()],
            Step::Repeat(_) => continue,
            Step::Reopen => {
                stores.close().await;
                stores = database.stores();
                store = stores.open_store("m").await.unwrap();
                continue;
            }
        };
        sent.extend(batches.iter().cloned());
        // Sent at once and taken in this order, so that PostgreSQL decides them as groups.
        let commits = batches.iter().map(|batch| saga_core::ports::EventStore::commit(&*store, batch.clone()));
        let found: Vec<Commit> = futures::future::join_all(commits).await;
        for (batch, found) in batches.into_iter().zip(found) {
            let shown = format!("{batch:?}");
            let expected = saga_core::ports::EventStore::commit(&memory, batch).await;
            assert_eq!(format!("{found:?}"), format!("{expected:?}"), "{shown}");
        }
        assert_eq!(picture(&*store).await, picture(&memory).await);
    }
    stores.close().await;
    let stores = database.stores();
    assert_eq!(picture(&*stores.open_store("m").await.unwrap()).await, picture(&memory).await);
    stores.close().await;
}

proptest! {
    // 16 histories: some seconds on a laptop, each in a database of its own with two or more opens and dozens of flushes.
    #![proptest_config(ProptestConfig { cases: 16, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn memory_and_postgres_tell_the_same_story(steps in prop::collection::vec(step(), 1..25)) {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(same_story(steps));
    }
}
