//! Several processes write and read one schema at the same time: nothing is lost, doubled or out of order.

use crate::database::{Database, append, stream};
use saga_core::batch::{Batch, Commit, Conflict, Fence, InboxEntry};
use saga_core::envelope::{Recorded, sha256};
use saga_core::id::{Direction, Epoch, Position, StepKey, Version};
use saga_core::json::Payload;
use saga_core::outcome::Answer;
use saga_core::ports::{Claim, EventStore, Leases, Tail};
use saga_postgres::testing::announces;
use saga_postgres::{PostgresStore, PostgresStores};
use saga_testkit::laws::store::check_log;
use std::sync::Arc;
use std::time::Duration;
use test_servers::waiting::{until_so, within};
use uuid::Uuid;

const WRITERS: u128 = 3;
const BATCHES: u128 = 60;

/// Commits until it is written, following the stream when another writer was faster. Gives the position.
async fn insist(store: &PostgresStore, name: &str, number: u128) -> Position {
    let mut expected = 0;
    loop {
        match store.commit(append(name, expected, [number])).await {
            Commit::Ok(receipt) => return receipt.last,
            Commit::Conflict(Conflict::Stream { actual, .. }) => expected = actual.0,
            other => panic!("{other:?}"),
        }
    }
}
/// Follows the log by its cursor, in pages, until it has seen so many events.
async fn follow(store: &PostgresStore, events: u64, page: usize) -> Vec<Recorded> {
    let mut seen = Vec::new();
    let mut cursor = Position::ZERO;
    while cursor.0 < events {
        assert!(store.grown(cursor).await > cursor);
        for event in store.read_log(cursor, page).await.unwrap() {
            assert_eq!(event.position, cursor.next(), "a cursor never passes a position");
            cursor = event.position;
            seen.push(event);
        }
    }
    seen
}
async fn processes(database: &Database, count: u128) -> (Vec<PostgresStores>, Vec<Arc<PostgresStore>>) {
    let (mut all, mut opened) = (Vec::new(), Vec::new());
    for _ in 0..count {
        let stores = database.stores();
        opened.push(stores.open_store("m").await.unwrap());
        all.push(stores);
    }
    (all, opened)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writers_and_readers_in_several_processes_agree() {
    let database = Database::new().await;
    let (all, opened) = processes(&database, WRITERS).await;
    let total = (WRITERS * BATCHES) as u64;
    let readers: Vec<_> = opened
        .iter()
        .zip([1, 7, 1_000])
        .map(|(store, page)| {
            tokio::spawn({
                let store = Arc::clone(store);
                async move { follow(&store, total, page).await }
            })
        })
        .collect();
    let writers: Vec<_> = opened
        .iter()
        .zip(0..)
        .map(|(store, writer)| {
            tokio::spawn({
                let store = Arc::clone(store);
                async move {
                    let mut positions = Vec::new();
                    for batch in 0..BATCHES {
                        // Some streams are a writer's own, some are fought for.
                        let name = if batch % 3 == 0 { "shared".to_owned() } else { format!("own{writer}") };
                        positions.push((
                            writer * BATCHES + batch,
                            insist(&store, &name, 1 + writer * BATCHES + batch).await,
                        ));
                    }
                    positions
                }
            })
        })
        .collect();
    let mut told = Vec::new();
    for writer in writers {
        told.extend(writer.await.unwrap());
    }
    let mut logs = Vec::new();
    for reader in readers {
        logs.push(reader.await.unwrap());
    }
    check_log(&logs[0]);
    assert!(logs.iter().all(|log| *log == logs[0]), "every reader has seen the same log");
    assert_eq!(logs[0].len() as u64, total);
    for (number, position) in told {
        let event = &logs[0][usize::try_from(position.0).unwrap() - 1];
        assert_eq!(event.id.0.as_u128(), number + 1, "what was answered stands where it was said");
    }
    let shared = opened[0].read(&stream("shared"), Version::ZERO, usize::MAX).await.unwrap();
    assert_eq!(shared.len() as u128, WRITERS * BATCHES.div_ceil(3));
    for stores in all {
        stores.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deed_is_done_once_however_many_processes_try() {
    let database = Database::new().await;
    let (all, opened) = processes(&database, WRITERS).await;
    for saga in 0..20_u128 {
        let deed = |racer: u128| {
            let saga = Uuid::from_u128(saga);
            let key = |way| StepKey::derive(saga, "pay", way);
            // The last one is the undo: it comes before or after, and then decides who wins.
            let way = if racer + 1 == WRITERS { Direction::Undo } else { Direction::Do };
            let inbox = InboxEntry {
                saga,
                key: key(way),
                direction: way,
                unless: (way == Direction::Do).then(|| key(Direction::Undo)),
                payload_hash: sha256(b"same"),
                epoch: Epoch(1),
                answer: Answer::Done { output: Payload::trusted(racer.to_string()) },
            };
            // Without an event the head does not move: only the key and the lock are between them.
            Batch { inbox: Some(inbox), ..Batch::default() }
        };
        let tries = opened.iter().zip(0..).map(|(store, racer)| store.commit(deed(racer)));
        let answers = futures::future::join_all(tries).await;
        let done = answers.iter().take(2).filter(|answer| matches!(answer, Commit::Ok(_))).count();
        let undone =
            answers.iter().take(2).filter(|answer| matches!(answer, Commit::Conflict(Conflict::Undone))).count();
        assert!(done == 1 || (done == 0 && undone == 2), "{answers:?}");
    }
    for stores in all {
        stores.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lease_taken_over_fences_the_process_before() {
    let database = Database::new().await;
    let (all, opened) = processes(&database, 2).await;
    let claim = Claim { want: vec!["group:1".to_owned()], leave: Vec::new() };
    let write = |epoch, number| {
        let fence = Some(Fence { scope: "group:1".to_owned(), epoch });
        Batch { fence, ..append(&format!("x{number}"), 0, [number]) }
    };
    let (ada, bob) = (Uuid::from_u128(1), Uuid::from_u128(2));
    let old = opened[0].lease(ada, &claim, Duration::ZERO).await.unwrap()[0].epoch;
    assert!(matches!(opened[0].commit(write(old, 1)).await, Commit::Ok(_)));
    let taken = opened[1].lease(bob, &claim, Duration::from_secs(60)).await.unwrap();
    assert_eq!((taken[0].owner, taken[0].epoch), (bob, old.next()));
    assert!(taken[0].left > Duration::from_secs(50) && taken[0].left <= Duration::from_secs(60));
    // The first process has not heard of it and hopes: the hope is refuted in the write itself.
    let late = opened[0].commit(write(old, 2)).await;
    assert!(matches!(late, Commit::Fenced { current } if current == old.next()), "{late:?}");
    assert!(matches!(opened[1].commit(write(old.next(), 3)).await, Commit::Ok(_)));
    // It does not get it back while the lease holds, and a neighbour without a fence goes on.
    let still = opened[0].lease(ada, &claim, Duration::from_secs(60)).await.unwrap();
    assert_eq!(still[0].owner, bob);
    assert!(matches!(opened[0].commit(append("free", 0, [9])).await, Commit::Ok(_)));
    for stores in all {
        stores.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_can_never_be_stored_is_refused_alone() {
    let database = Database::new().await;
    let (all, opened) = processes(&database, 1).await;
    let document = |key: String| saga_core::batch::DocumentWrite {
        projection: "p".to_owned(),
        version: 1,
        key,
        body: Some(Payload::trusted("1")),
        index: Vec::new(),
    };
    let batches = [
        Batch { documents: vec![document("a".to_owned())], ..append("a", 0, [1]) },
        Batch { documents: vec![document("a\0b".to_owned())], ..append("b", 0, [2]) },
        Batch { documents: vec![document("x".repeat(100_000))], ..append("c", 0, [3]) },
        append("d", 0, [4]),
    ];
    let answers = futures::future::join_all(batches.map(|batch| opened[0].commit(batch))).await;
    let shown = answers.iter().map(|answer| match answer {
        Commit::Ok(receipt) => receipt.last.0,
        Commit::Rejected(_) => 0,
        other => panic!("{other:?}"),
    });
    // 100,000 equal letters are compressed into an index entry: that they fit is as good.
    let shown: Vec<u64> = shown.collect();
    assert_eq!((shown[0], shown[1]), (1, 0), "{answers:?}");
    assert!(shown[3] > 1, "{answers:?}");
    check_log(&opened[0].read_log(Position::ZERO, usize::MAX).await.unwrap());
    for stores in all {
        stores.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn waiting_batches_share_a_transaction() {
    let database = Database::new().await;
    let (all, opened) = processes(&database, 1).await;
    let commits = (0..200_u128).map(|at| opened[0].commit(append(&format!("s{at}"), 0, [at + 1])));
    let answers = futures::future::join_all(commits).await;
    assert!(answers.iter().all(|answer| matches!(answer, Commit::Ok(_))), "{answers:?}");
    let stats = opened[0].stats();
    assert_eq!((stats.commits, stats.events), (200, 200));
    assert!(stats.transactions < 100, "{stats:?}");
    opened[0].close().await;
    let answer = opened[0].commit(append("late", 0, [900])).await;
    assert!(matches!(answer, Commit::Retryable(_)), "{answer:?}");
    drop(all);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn growth_is_announced_to_the_other_processes() {
    let database = Database::new().await;
    let (all, opened) = processes(&database, 2).await;
    let url = database.server.url(&database.name);
    let mut ear = sqlx::postgres::PgListener::connect(&url).await.unwrap();
    ear.listen("es_aicmo_m").await.unwrap();
    assert!(matches!(opened[0].commit(append("a", 0, [1, 2])).await, Commit::Ok(_)));
    // Before it, perhaps, the two processes greet each other.
    within("the announcement", async { while ear.recv().await.unwrap().payload() != "2" {} }).await;
    // What another module shouts on the channel is a hint, and never believed.
    sqlx::query("SELECT pg_notify('es_aicmo_m', '900')").execute(&mut database.admin().await).await.unwrap();
    ear.recv().await.unwrap();
    assert_eq!(opened[0].head().await, Ok(Position(2)));
    for stores in all {
        stores.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_has_a_module_alone_announces_nothing() {
    let database = Database::new().await;
    let (first, alone) = processes(&database, 1).await;
    let mut commits = 0;
    let mut quiet = async |store: &PostgresStore| {
        while announces(store) {
            commits += 1;
            assert!(matches!(store.commit(append(&format!("s{commits}"), 0, [commits])).await, Commit::Ok(_)));
        }
    };
    within("silence", quiet(&alone[0])).await;
    // A process that comes is known at once, before anything is written; when it has gone, the next commits find out.
    let (second, company) = processes(&database, 1).await;
    until_so("the other process to be known", || announces(&alone[0])).await;
    for stores in second {
        stores.close().await;
    }
    drop(company);
    within("silence", quiet(&alone[0])).await;
    for stores in first {
        stores.close().await;
    }
}
