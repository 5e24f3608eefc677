//! A server that is killed, stopped, or that throws the appender out, while several processes write: every `Ok` is
//! there, every `Retryable` is not, and every `Unknown` is there whole or not at all.

use crate::database::{append, clock, passwords, prepare};
use saga_core::batch::{Batch, Commit, InboxEntry};
use saga_core::envelope::sha256;
use saga_core::id::{Direction, Epoch, Position, StepKey, Version};
use saga_core::json::Payload;
use saga_core::outcome::Answer;
use saga_core::ports::EventStore;
use saga_postgres::{Credentials, PostgresStore, PostgresStores};
use saga_testkit::laws::store::check_log;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use test_servers::postgres::Postgres;
use tokio::sync::watch;
use uuid::Uuid;

/// What one batch was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    Ok(Position),
    Retryable,
    Unknown,
}

/// Two events of a stream of their own, and the answer to a deed: whole or not at all.
fn batch(number: u128) -> Batch {
    let saga = Uuid::from_u128(number);
    let inbox = InboxEntry {
        saga,
        key: StepKey::derive(saga, "pay", Direction::Do),
        direction: Direction::Do,
        unless: None,
        payload_hash: sha256(b"x"),
        epoch: Epoch(1),
        answer: Answer::Done { output: Payload::null() },
    };
    Batch { inbox: Some(inbox), ..append(&number.to_string(), 0, [2 * number, 2 * number + 1]) }
}

/// Writes until it is told to stop, four batches at a time, and counts what was written.
async fn load(
    store: Arc<PostgresStore>,
    from: u128,
    stop: Arc<AtomicBool>,
    count: watch::Sender<u64>,
) -> Vec<(u128, Told)> {
    let mut told = Vec::new();
    let mut number = from;
    while !stop.load(Ordering::Relaxed) {
        let answers = futures::future::join_all((number..number + 4).map(|number| store.commit(batch(number)))).await;
        for answer in answers {
            told.push((
                number,
                match answer {
                    Commit::Ok(receipt) => Told::Ok(receipt.last),
                    Commit::Retryable(_) => Told::Retryable,
                    Commit::Unknown(_) => Told::Unknown,
                    other => panic!("{other:?}"),
                },
            ));
            number += 1;
        }
        let written = told.iter().filter(|(_, told)| matches!(told, Told::Ok(_))).count();
        count.send_replace(written as u64);
    }
    told
}

/// Lets two processes write, disturbs the server three times while they do, and compares what they were told with the log.
async fn disturbed(disturb: impl Fn(&Postgres)) {
    let server = Postgres::start();
    prepare(&server, "d").await;
    let credentials = Credentials::of_url(&server.url("d")).unwrap().with_password_folder(passwords(&server));
    let stop = Arc::new(AtomicBool::new(false));
    let (mut all, mut loads, mut counts) = (Vec::new(), Vec::new(), Vec::new());
    for process in 0..2_u128 {
        let stores = PostgresStores::new(credentials.clone(), clock());
        let store = stores.open_store("m").await.unwrap();
        let (count, counted) = watch::channel(0);
        loads.push(tokio::spawn(load(store, process * 1_000_000 + 1, Arc::clone(&stop), count)));
        counts.push(counted);
        all.push(stores);
    }
    for _ in 0..3 {
        // Both have written since the disturbance before.
        for count in &mut counts {
            let before = *count.borrow();
            let going = count.wait_for(|count| *count > before + 20);
            tokio::time::timeout(Duration::from_secs(60), going).await.expect("work goes on").unwrap();
        }
        disturb(&server);
    }
    for count in &mut counts {
        let before = *count.borrow();
        let going = count.wait_for(|count| *count > before + 20);
        tokio::time::timeout(Duration::from_secs(60), going).await.expect("work goes on").unwrap();
    }
    stop.store(true, Ordering::Relaxed);
    let mut told = Vec::new();
    for load in loads {
        told.extend(load.await.unwrap());
    }
    for stores in all {
        stores.close().await;
    }
    let stores = PostgresStores::new(credentials, clock());
    let store = stores.open_store("m").await.unwrap();
    compare(&store, &told).await;
    stores.close().await;
}
async fn compare(store: &PostgresStore, told: &[(u128, Told)]) {
    let log = store.read_log(Position::ZERO, usize::MAX).await.unwrap();
    check_log(&log);
    let mut written = 0;
    for (number, told) in told {
        let events = store.read(&crate::database::stream(&number.to_string()), Version::ZERO, 9).await.unwrap();
        let saga = Uuid::from_u128(*number);
        let key = StepKey::derive(saga, "pay", Direction::Do);
        let answered = store.answered(saga, key, key).await.unwrap().deed.is_some();
        assert!(events.len() == if answered { 2 } else { 0 }, "{number} is whole or not there: {events:?} {answered}");
        match told {
            Told::Ok(last) => assert_eq!(events.last().map(|event| event.position), Some(*last), "{number}"),
            Told::Retryable => assert!(events.is_empty(), "{number} was said not to be written"),
            Told::Unknown => {}
        }
        written += events.len();
    }
    assert_eq!(written, log.len());
    assert!(told.iter().any(|(_, told)| !matches!(told, Told::Ok(_))), "the disturbance was noticed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_server_loses_nothing_that_was_acknowledged() {
    disturbed(|server| {
        server.kill();
        server.restart();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_stopped_at_once_loses_nothing_that_was_acknowledged() {
    disturbed(|server| {
        server.stop_at_once();
        server.restart();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_appender_thrown_out_by_the_server_comes_back() {
    disturbed(|server| {
        let thrown =
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name LIKE '% append'";
        assert_eq!(server.run("d", thrown), "2");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_question_is_asked_again_when_its_connection_was_dead() {
    let server = Postgres::start();
    prepare(&server, "d").await;
    let credentials = Credentials::of_url(&server.url("d")).unwrap().with_password_folder(passwords(&server));
    let stores = PostgresStores::new(credentials, clock());
    let store = stores.open_store("m").await.unwrap();
    assert!(matches!(store.commit(batch(1)).await, Commit::Ok(_)));
    let readers = "FROM pg_stat_activity WHERE application_name LIKE '% read'";
    for _ in 0..3 {
        let (saga, key) = (Uuid::from_u128(1), |direction| StepKey::derive(Uuid::from_u128(1), "pay", direction));
        let found = store.answered(saga, key(Direction::Do), key(Direction::Undo)).await.unwrap();
        assert!(found.deed.is_some());
        let story = store.read(&saga_core::id::StreamId::new("s", 1).unwrap(), Version::ZERO, 9).await.unwrap();
        assert!(story.is_empty());
        let thrown: u32 =
            server.run("d", &format!("SELECT count(pg_terminate_backend(pid, 5000)) {readers}")).parse().unwrap();
        assert!(thrown > 0, "there were connections");
    }
    stores.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_away_is_said_to_be_and_found_again() {
    let server = Postgres::start();
    prepare(&server, "d").await;
    let credentials = Credentials::of_url(&server.url("d")).unwrap().with_password_folder(passwords(&server));
    let stores = PostgresStores::new(credentials.clone(), clock());
    let store = stores.open_store("m").await.unwrap();
    let waiting = Arc::clone(&store);
    let other = PostgresStores::new(credentials, clock());
    let waiting = tokio::spawn(async move { saga_core::ports::Tail::grown(&*waiting, Position(2)).await });
    assert!(matches!(store.commit(batch(1)).await, Commit::Ok(_)));
    server.kill();
    let within = Duration::from_secs(10);
    // The first may have been sent to the dead connection; from then on everybody is told, and in time.
    let first = tokio::time::timeout(within, store.commit(batch(2))).await.expect("an answer");
    assert!(matches!(first, Commit::Unknown(_) | Commit::Retryable(_)), "{first:?}");
    let second = tokio::time::timeout(within, store.commit(batch(3))).await.expect("an answer");
    assert!(matches!(second, Commit::Retryable(_)), "{second:?}");
    assert!(store.read_log(Position(0), usize::MAX).await.is_err());
    assert!(!waiting.is_finished());
    server.restart();
    // Another process writes, and the reader that waits here hears of it although all connections had been lost.
    let answer = other.open_store("m").await.unwrap().commit(batch(4)).await;
    assert!(matches!(answer, Commit::Ok(_)), "{answer:?}");
    let grown = tokio::time::timeout(within, waiting).await.expect("a wake").unwrap();
    assert_eq!(grown, Position(4));
    let answer = store.commit(batch(5)).await;
    assert!(matches!(answer, Commit::Ok(_)), "{answer:?}");
    stores.close().await;
    other.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_holds_the_lock_for_too_long_is_no_reason_to_wait_for_ever() {
    let server = Postgres::start();
    prepare(&server, "d").await;
    let credentials = Credentials::of_url(&server.url("d")).unwrap().with_password_folder(passwords(&server));
    let stores = PostgresStores::new(credentials, clock());
    let store = stores.open_store("m").await.unwrap();
    let mut holder = <sqlx::PgConnection as sqlx::Connection>::connect(&server.url("d")).await.unwrap();
    sqlx::raw_sql("SET search_path = aicmo_m; BEGIN; SELECT es_lock()").execute(&mut holder).await.unwrap();
    let answer = tokio::time::timeout(Duration::from_secs(10), store.commit(batch(1))).await.expect("an answer");
    assert!(matches!(answer, Commit::Retryable(_)), "{answer:?}");
    sqlx::raw_sql("ROLLBACK").execute(&mut holder).await.unwrap();
    assert!(matches!(store.commit(batch(1)).await, Commit::Ok(_)));
    stores.close().await;
}
