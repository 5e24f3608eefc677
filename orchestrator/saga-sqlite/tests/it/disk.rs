//! A disk that refuses in the midst of a write: whether or not that commit succeeds, nothing is lost that was
//! acknowledged, nothing is there twice, and what the store remembers is what the file has.
//!
//! The layer below SQLite is the kernel: a process's files may not grow beyond a limit (`prlimit`), and that limit is set
//! anywhere within the next commit. The signal that comes with it is ignored by the shell that begins the process.

use crate::file::connect;
use crate::folder::{Folder, append, clock, stream};
use saga_core::batch::{Batch, Commit};
use saga_core::envelope::Recorded;
use saga_core::id::{Direction, Epoch, Position, StepKey, Version};
use saga_core::json::Payload;
use saga_core::outcome::Answer;
use saga_core::ports::{EventStore, Tail};
use saga_engine::machine::participant::{Arrival, entry};
use saga_sqlite::{SqliteStore, SqliteStores};
use saga_testkit::laws::store::check_log;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use uuid::Uuid;

/// Names the folder, and says that this process is the one whose files cannot grow.
const CHILD: &str = "SAGA_SQLITE_DISK";
/// How many bytes more than it has the write-ahead log may have: nothing, into the first frame, up to its end and a byte
/// beyond, several frames, and more than a commit needs. A frame is 24 bytes and a page.
const ROOM: [u64; 14] = [0, 1, 23, 24, 25, 4_119, 4_120, 4_121, 8_239, 8_240, 12_360, 20_600, 41_200, 1_000_000];

#[test]
fn a_disk_that_says_no_anywhere_in_a_commit_loses_and_doubles_nothing() {
    let folder = Folder::new();
    let child = Command::new("sh")
        .args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\""])
        .arg(std::env::current_exe().unwrap())
        .args(["disk::in_a_process_whose_files_cannot_grow", "--exact", "--nocapture"])
        .env(CHILD, folder.path())
        .output()
        .unwrap();
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(child.status.success(), "{}{}", said(&child.stdout), said(&child.stderr));
    assert!(said(&child.stdout).contains("1 passed"), "{}", said(&child.stdout));
}

/// The files of this process may grow to so many bytes; `None`: as large as they like.
fn limit(bytes: Option<u64>) {
    let bytes = bytes.map_or_else(|| "unlimited".to_owned(), |bytes| bytes.to_string());
    let pid = std::process::id().to_string();
    let set = Command::new("prlimit").args(["--pid", &pid, &format!("--fsize={bytes}:")]).status();
    assert!(set.unwrap().success(), "prlimit (util-linux) does not work here");
}

/// A deed with its events: two streams' worth of frames and a row of the inbox.
pub(crate) fn deed(number: u128, expected: u64) -> (Batch, Arrival) {
    let saga = Uuid::from_u128(0x5a6a_0000 + number / 4);
    let key = |direction| StepKey::derive(saga, &number.to_string(), direction);
    let (deed, undo) = (key(Direction::Do), key(Direction::Undo));
    let arrival = Arrival { saga, deed, undo, direction: Direction::Do, payload_hash: [7; 32], epoch: Epoch(1) };
    let inbox = Some(entry(&arrival, Answer::Done { output: Payload::of(&number.to_string()).unwrap() }));
    (Batch { inbox, ..append("a", expected, (0..20).map(|event| number * 100 + event)) }, arrival)
}

/// What the store says from memory is what a look at the file says, from every place.
pub(crate) async fn is_what_the_file_has(store: &SqliteStore, folder: &Path, deeds: &[Arrival]) -> Vec<Recorded> {
    let looking = SqliteStores::read_only(folder, clock());
    let file = looking.open_store("m").await.unwrap();
    let log = file.read_log(Position::ZERO, usize::MAX).await.unwrap();
    check_log(&log);
    assert_eq!(store.head().await.unwrap(), Position(log.len() as u64));
    for after in (0..=log.len()).step_by(61) {
        assert_eq!(store.read_log(Position(after as u64), usize::MAX).await.unwrap(), log[after..], "after {after}");
        let rest = store.read(&stream("a"), Version(after as u64), usize::MAX).await.unwrap();
        assert_eq!(rest, file.read(&stream("a"), Version(after as u64), usize::MAX).await.unwrap(), "after {after}");
    }
    for arrival in deeds {
        let (saga, deed, undo) = (arrival.saga, arrival.deed, arrival.undo);
        assert_eq!(store.answered(saga, deed, undo).await, file.answered(saga, deed, undo).await);
    }
    looking.close().await;
    log
}

#[tokio::test]
async fn in_a_process_whose_files_cannot_grow() {
    let Ok(folder) = std::env::var(CHILD) else { return };
    let folder = Path::new(&folder);
    let stores = SqliteStores::new(folder, clock());
    let store: Arc<SqliteStore> = stores.open_store("m").await.unwrap();
    let (mut written, mut deeds, mut refused, mut unknown) = (0_u64, Vec::new(), 0, 0);
    for (number, room) in (1..).zip(ROOM) {
        let wal = std::fs::metadata(folder.join("m.db-wal")).unwrap().len();
        limit(Some(wal + room));
        let (batch, arrival) = deed(number, written);
        deeds.push(arrival);
        let answer = store.commit(batch.clone()).await;
        // The next caller, while the disk still refuses, hears the same, or that its batch fits.
        let second = store.commit(append("b", 0, [number * 1_000_000])).await;
        limit(None);
        match &answer {
            Commit::Ok(_) => {}
            Commit::Retryable(_) => refused += 1,
            Commit::Unknown(_) => unknown += 1,
            other => panic!("{room} bytes: {other:?}"),
        }
        assert!(!matches!(&second, Commit::Rejected(_) | Commit::Fenced { .. }), "{room} bytes: {second:?}");
        let log = is_what_the_file_has(&store, folder, &deeds).await;
        let there = log.iter().filter(|event| event.stream == stream("a")).count() as u64;
        match &answer {
            Commit::Ok(_) => assert_eq!(there, written + 20, "{room} bytes: acknowledged and not there"),
            Commit::Retryable(_) => assert_eq!(there, written, "{room} bytes: refused and there"),
            _ => assert!(there == written || there == written + 20, "{room} bytes: half of it is there"),
        }
        // The same again, as its sender would: it is there once.
        let again = store.commit(batch).await;
        assert!(matches!(again, Commit::Ok(_)), "{room} bytes: {again:?}");
        written += 20;
        let log = is_what_the_file_has(&store, folder, &deeds).await;
        assert_eq!(log.iter().filter(|event| event.stream == stream("a")).count() as u64, written, "{room} bytes");
    }
    assert!(refused > 3 && unknown > 3, "the disk said yes: {refused} refused, {unknown} unknown");
    written_after_all(&store, folder, written, &mut deeds).await;
    stores.close().await;
    let stores = SqliteStores::new(folder, clock());
    let store = stores.open_store("m").await.unwrap();
    is_what_the_file_has(&store, folder, &deeds).await;
    stores.close().await;
}

/// A commit of which nobody knows, and which was written: its rows come from a copy of the file that has had it. The deed is
/// of a saga that the store remembers, and the events are the next ones of what it keeps in memory.
async fn written_after_all(store: &SqliteStore, folder: &Path, written: u64, deeds: &mut Vec<Arrival>) {
    // Two deeds of one saga: the first is remembered.
    let (batch, arrival) = deed(16, written);
    deeds.push(arrival);
    let answer = store.commit(batch).await;
    assert!(matches!(answer, Commit::Ok(_)), "{answer:?}");
    let copy = folder.join("copy");
    std::fs::create_dir(&copy).unwrap();
    for name in ["m.db", "m.db-wal"] {
        std::fs::copy(folder.join(name), copy.join(name)).unwrap();
    }
    let (batch, arrival) = deed(17, written + 20);
    deeds.push(arrival);
    let copies = SqliteStores::new(&copy, clock());
    let answer = copies.open_store("m").await.unwrap().commit(batch.clone()).await;
    assert!(matches!(answer, Commit::Ok(_)), "{answer:?}");
    copies.close().await;
    limit(Some(std::fs::metadata(folder.join("m.db-wal")).unwrap().len()));
    let answer = store.commit(batch.clone()).await;
    limit(None);
    assert!(matches!(answer, Commit::Unknown(_)), "{answer:?}");
    let mut file = connect(&folder.join("m.db")).await;
    let other = copy.join("m.db");
    let sql = format!(
        "ATTACH '{}' AS other; INSERT INTO es_events SELECT * FROM other.es_events WHERE position > (SELECT max(position) \
         FROM main.es_events); INSERT OR IGNORE INTO es_inbox SELECT * FROM other.es_inbox",
        other.display()
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut file).await.unwrap();
    sqlx::Connection::close(file).await.unwrap();
    // Before a reader finds it in memory: the caller that was answered `Unknown` asks again, and another caller comes
    // too.
    let next = store.commit(append("c", 0, [77_000_000])).await;
    assert!(matches!(next, Commit::Ok(_)), "{next:?}");
    is_what_the_file_has(store, folder, deeds).await;
    let again = store.commit(batch).await;
    assert!(matches!(again, Commit::Ok(_)), "{again:?}");
    is_what_the_file_has(store, folder, deeds).await;
}
