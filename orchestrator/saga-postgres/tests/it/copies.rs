//! A store moves from SQLite to PostgreSQL and is the same afterwards, however often the move was interrupted.

use crate::database::{Database, append, clock, stream};
use async_trait::async_trait;
use saga_core::batch::{Batch, Blob, Commit, DocumentWrite, Fence, InboxEntry, Mark, Snapshot};
use saga_core::envelope::{Recorded, sha256};
use saga_core::export::{Export, Part, Row};
use saga_core::id::{Direction, Epoch, Position, StepKey, StreamId, Version};
use saga_core::json::Payload;
use saga_core::outcome::Answer;
use saga_core::ports::{Cached, Documents, EventStore, OpenError, ReadError, Recollection, SharedStore, Tail};
use saga_postgres::{CopyError, copy};
use saga_sqlite::{SqliteStore, SqliteStores};
use saga_testkit::laws::model::picture;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use uuid::Uuid;

static COUNT: AtomicU64 = AtomicU64::new(0);

/// A batch with something of everything in it.
fn everything(number: u128) -> Batch {
    let saga = Uuid::from_u128(number % 3);
    let path = number.to_string();
    let inbox = InboxEntry {
        saga,
        key: StepKey::derive(saga, &path, Direction::Do),
        direction: Direction::Do,
        unless: Some(StepKey::derive(saga, &path, Direction::Undo)),
        payload_hash: sha256(path.as_bytes()),
        epoch: Epoch(1),
        answer: Answer::Done { output: Payload::trusted(format!(r#"{{ "spaced": {number} }}"#)) },
    };
    let document = DocumentWrite {
        projection: "list".to_owned(),
        version: 1,
        key: format!("k{number}"),
        body: Some(Payload::trusted(path.clone())),
        index: vec![Some((number % 3).to_string()), None],
    };
    let name = (number % 4).to_string();
    let bytes = format!("text {number}").into_bytes();
    Batch {
        inbox: Some(inbox),
        marks: vec![Mark { consumer: format!("c{}", number % 2), position: Position(number as u64) }],
        documents: vec![document],
        blobs: vec![Blob { sha256: sha256(&bytes), bytes }],
        snapshots: vec![Snapshot {
            stream: stream(&name),
            version: Version(1),
            digest: "d0".to_owned(),
            state: Payload::trusted("{}"),
        }],
        fence: Some(Fence { scope: format!("group:{}", number % 2), epoch: Epoch(1 + number as u64 / 8) }),
        ..append(&name, (number as u64 - 1) / 4, [number])
    }
}
/// A file with some thousand events, closed and opened to read.
async fn source(events: u128) -> (SqliteStores, Arc<SqliteStore>) {
    let name = format!("saga-copy-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
    // Removed with the server.
    let folder: PathBuf = crate::database::server().await.folder().join(name);
    let stores = SqliteStores::new(&folder, clock());
    let store = stores.open_store("m").await.unwrap();
    for number in 1..=20 {
        // The streams are `number % 4`, and begin with 1.
        let mut batch = everything(number);
        batch.writes[0].expected = Version((number as u64 - 1) / 4);
        let answer = store.commit(batch).await;
        assert!(matches!(answer, Commit::Ok(_)), "{number}: {answer:?}");
    }
    let mut expected = 0;
    while u128::from(expected) < events {
        let numbers = (0..1_000).map(|at| 1_000 + u128::from(expected) + at);
        assert!(matches!(store.commit(append("long", expected, numbers)).await, Commit::Ok(_)));
        expected += 1_000;
    }
    stores.close().await;
    let stores = SqliteStores::read_only(&folder, clock());
    let store = stores.open_store("m").await.unwrap();
    (stores, store)
}

/// A source that breaks off after so many questions, or grows.
struct Shaky {
    store: Arc<SqliteStore>,
    questions: AtomicI64,
    growth: AtomicU64,
}

impl Shaky {
    fn ask(&self) -> Result<(), ReadError> {
        match self.questions.fetch_sub(1, Ordering::Relaxed) > 0 {
            true => Ok(()),
            false => Err(ReadError::Unavailable("broken off".to_owned())),
        }
    }
}
#[async_trait]
impl EventStore for Shaky {
    async fn commit(&self, batch: Batch) -> Commit {
        self.store.commit(batch).await
    }
    async fn read(&self, stream: &StreamId, after: Version, limit: usize) -> Result<Vec<Recorded>, ReadError> {
        self.store.read(stream, after, limit).await
    }
    async fn read_log(&self, after: Position, limit: usize) -> Result<Vec<Recorded>, ReadError> {
        self.ask()?;
        self.store.read_log(after, limit).await
    }
    async fn answered(&self, saga: Uuid, deed: StepKey, undo: StepKey) -> Result<Recollection, ReadError> {
        self.store.answered(saga, deed, undo).await
    }
}
#[async_trait]
impl Tail for Shaky {
    async fn head(&self) -> Result<Position, ReadError> {
        self.ask()?;
        let growth = self.growth.load(Ordering::Relaxed);
        self.growth.store(growth * 2, Ordering::Relaxed);
        Ok(Position(self.store.head().await?.0 + growth))
    }
    async fn grown(&self, after: Position) -> Position {
        self.store.grown(after).await
    }
}
#[async_trait]
impl Export for Shaky {
    async fn rows(&self, part: Part, after: Option<&Row>, limit: usize) -> Result<Vec<Row>, ReadError> {
        self.ask()?;
        // Small pages, so that the keys of every part are continued.
        self.store.rows(part, after, limit.min(3)).await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copied_store_is_the_same_store() {
    let (files, sqlite) = source(5_000).await;
    let database = Database::new().await;
    let url = database.server.url(&database.name);
    let (mut broken, mut questions) = (0, 0);
    let copied = loop {
        let shaky =
            Shaky { store: Arc::clone(&sqlite), questions: AtomicI64::new(questions), growth: AtomicU64::new(0) };
        match copy(&shaky, &url, "m", None).await {
            Ok(copied) => break copied,
            Err(CopyError::Source(_)) => broken += 1,
            Err(other) => panic!("{other}"),
        }
        match database.stores().open_store("m").await {
            Err(OpenError::Unavailable { why, .. }) => assert!(why.ends_with("run: sagactl store copy"), "{why}"),
            other => panic!("half a copy must not open: {:?}", other.err()),
        }
        questions += 3;
    };
    assert!(broken > 5, "{broken}");
    assert_eq!((copied.events, copied.found), (5_020, 5_020), "the last attempt had only to verify");
    let stores = database.stores();
    let postgres = stores.open_store("m").await.unwrap();
    let (ours, theirs): (SharedStore, SharedStore) = (Arc::clone(&postgres) as _, Arc::clone(&sqlite) as _);
    assert_eq!(picture(&ours).await, picture(&theirs).await);
    for number in 1..=20_u128 {
        let blob = Cached::Blob(sha256(format!("text {number}").as_bytes()));
        assert_eq!(postgres.cached(&blob).await, sqlite.cached(&blob).await);
    }
    let old = postgres
        .commit(Batch {
            fence: Some(Fence { scope: "group:0".to_owned(), epoch: Epoch(2) }),
            ..append("x", 0, [9_999_999])
        })
        .await;
    assert!(matches!(old, Commit::Fenced { current: Epoch(3) }), "{old:?}");
    let answer = postgres.commit(append("x", 0, [9_999_999])).await;
    assert!(matches!(answer, Commit::Ok(_)), "{answer:?}");
    saga_testkit::laws::store::check_log(&postgres.read_log(Position::ZERO, usize::MAX).await.unwrap());
    // It is in use now.
    assert!(matches!(copy(&*sqlite, &url, "m", None).await, Err(CopyError::InUse(_))));
    stores.close().await;
    files.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_is_not_continued_with_another_log_nor_finished_while_the_source_grows() {
    let (files, sqlite) = source(0).await;
    let (other_files, other) = source(1_000).await;
    let database = Database::new().await;
    let url = database.server.url(&database.name);
    let shaky = Shaky { store: Arc::clone(&sqlite), questions: AtomicI64::new(1_000), growth: AtomicU64::new(1) };
    assert!(matches!(copy(&shaky, &url, "m", None).await, Err(CopyError::Moved { .. })));
    // The other log begins in the same way, and then goes on differently: the longer one continues the shorter.
    copy(&*other, &url, "m", None).await.unwrap();
    let shaky = Shaky { store: Arc::clone(&other), questions: AtomicI64::new(4), growth: AtomicU64::new(0) };
    assert!(matches!(copy(&shaky, &url, "n", None).await, Err(CopyError::Source(_))));
    assert!(matches!(
        copy(&*sqlite, &url, "n", None).await,
        Err(CopyError::Different { position: Position(1_020), .. })
    ));
    assert!(matches!(copy(&*sqlite, &url, "law", Some("other")).await, Err(CopyError::NoSchema(_))));
    files.close().await;
    other_files.close().await;
}
