//! What is special about a file: locks, versions, damage, quotas, and tables that defend themselves.

use crate::folder::{Folder, append, clock, stream};
use saga_core::batch::Commit;
use saga_core::id::{Position, Version};
use saga_core::ports::{Clock, EventStore, OpenError, ReadError, Stores, Tail};
use saga_sqlite::SqliteStores;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor, Row, SqliteConnection};
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

async fn raw(folder: &Folder, sql: &str) -> Result<Vec<String>, sqlx::Error> {
    let mut connection = connect(&folder.path().join("m.db")).await;
    let rows = sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).fetch_all(&mut connection).await?;
    connection.close().await?;
    Ok(rows.iter().map(|row| row.try_get::<String, _>(0).unwrap_or_default()).collect())
}
pub(crate) async fn connect(file: &Path) -> SqliteConnection {
    SqliteConnectOptions::new().filename(file).create_if_missing(true).connect().await.unwrap()
}
async fn filled(folder: &Folder, events: u128) {
    let stores = SqliteStores::new(folder.path(), clock());
    let store = stores.open_store("m").await.unwrap();
    let answer = store.commit(append("a", 0, 1..=events)).await;
    assert!(matches!(answer, Commit::Ok(_)), "{answer:?}");
    stores.close().await;
}
async fn refusal(folder: &Folder) -> OpenError {
    match SqliteStores::new(folder.path(), clock()).open_store("m").await {
        Err(error) => error,
        Ok(_) => panic!("must not open"),
    }
}

/// Bytes of the header of a file and of its first page.
const HEADER: usize = 108;

#[tokio::test]
async fn a_second_writer_is_refused_until_the_first_has_closed() {
    let folder = Folder::new();
    let first = SqliteStores::new(folder.path(), clock());
    let store = first.open_store("m").await.unwrap();
    assert!(matches!(refusal(&folder).await, OpenError::InUse { .. }));
    store.close().await;
    let answer = store.commit(append("a", 0, [1])).await;
    assert!(matches!(answer, Commit::Retryable(_)), "{answer:?}");
    SqliteStores::new(folder.path(), clock()).open_store("m").await.unwrap();
}

#[tokio::test]
async fn nobody_else_may_read_a_store_also_one_that_was_open_to_all() {
    let folder = Folder::new();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let open_to_all = |path: &Path, mode| std::fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    for _ in 0..2 {
        open_to_all(folder.path(), 0o755);
        let stores = SqliteStores::new(folder.path(), clock());
        let store = stores.open_store("m").await.unwrap();
        // The second time it is a repetition.
        let answer = store.commit(append("a", 0, [1])).await;
        assert!(matches!(answer, Commit::Ok(_)), "{answer:?}");
        let files: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap().path()).collect();
        assert!(files.len() >= 3, "the file, its log and its lock: {files:?}");
        assert_eq!((mode(folder.path()), files.iter().map(|file| mode(file)).max()), (0o700, Some(0o600)), "{files:?}");
        stores.close().await;
        files.iter().filter(|file| file.exists()).for_each(|file| open_to_all(file, 0o644));
    }
    // A look changes nothing.
    open_to_all(folder.path(), 0o755);
    SqliteStores::read_only(folder.path(), clock()).open_store("m").await.unwrap();
    assert_eq!((mode(folder.path()), mode(&folder.path().join("m.db"))), (0o755, 0o644));
}

#[tokio::test]
async fn one_name_is_one_store_and_two_names_are_two() {
    let folder = Folder::new();
    let stores = SqliteStores::new(folder.path(), clock());
    let (left, right) = (stores.open_store("m").await.unwrap(), stores.open_store("n").await.unwrap());
    let answer = stores.open_store("m").await.unwrap().commit(append("a", 0, [1])).await;
    assert!(matches!(answer, Commit::Ok(_)), "{answer:?}");
    assert_eq!((left.head().await, right.head().await), (Ok(Position(1)), Ok(Position(0))));
    for name in ["", "../m", "a/b", "M"] {
        assert!(matches!(stores.open_store(name).await, Err(OpenError::Unavailable { .. })), "{name:?}");
    }
}

#[tokio::test]
async fn a_file_of_a_newer_program_is_refused() {
    let folder = Folder::new();
    filled(&folder, 1).await;
    raw(&folder, "PRAGMA user_version = 99").await.unwrap();
    assert!(matches!(refusal(&folder).await, OpenError::Newer { found: 99, known: 1, .. }));
}

#[tokio::test]
async fn a_number_of_tables_that_no_program_has_written_is_damage() {
    for number in ["-1", "0"] {
        let folder = Folder::new();
        filled(&folder, 1).await;
        raw(&folder, &format!("PRAGMA user_version = {number}")).await.unwrap();
        let refusal = refusal(&folder).await;
        assert!(
            matches!(&refusal, OpenError::Corrupt { why, .. } if why.contains(" is ") && why.contains(number)),
            "{refusal:?}"
        );
    }
}

#[tokio::test]
async fn a_file_of_another_program_is_refused_as_it_is_also_when_all_of_it_is_in_its_log() {
    for mode in ["DELETE", "WAL"] {
        let folder = Folder::new();
        let mut theirs = connect(&folder.path().join("m.db")).await;
        let script = format!(
            "PRAGMA journal_mode = {mode}; CREATE TABLE accounts (name TEXT); CREATE TABLE es_head (id TEXT); PRAGMA user_version = 1"
        );
        theirs.execute(AssertSqlSafe(script)).await.unwrap();
        let picture = || {
            let paths = std::fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap().path());
            let files = paths.filter(|path| !path.to_string_lossy().ends_with("-shm"));
            files
                .map(|path| (path.clone(), std::fs::read(&path).unwrap()))
                .collect::<std::collections::BTreeMap<_, _>>()
        };
        let before = picture();
        let stores = SqliteStores::new(folder.path(), clock());
        assert!(matches!(stores.has("m").await, Err(OpenError::Strange { .. })), "{mode}");
        let refusal = refusal(&folder).await;
        assert!(matches!(&refusal, OpenError::Strange { why, .. } if why.contains("accounts")), "{mode}: {refusal:?}");
        assert!(before == picture(), "{mode}: nothing in it or beside it was changed");
        theirs.close().await.unwrap();
    }
    // An empty file is nobody's, and what lies nowhere is not there.
    let folder = Folder::new();
    std::fs::write(folder.path().join("m.db"), "").unwrap();
    let stores = SqliteStores::new(folder.path(), clock());
    assert_eq!((stores.has("m").await, stores.has("n").await), (Ok(false), Ok(false)));
    stores.open_store("m").await.unwrap();
    // Also while all of it is in the log.
    assert_eq!(stores.has("m").await, Ok(true));
}

#[tokio::test]
async fn an_open_file_that_was_moved_removed_or_exchanged_is_missed() {
    let folder = Folder::new();
    let (file, aside) = (folder.path().join("m.db"), folder.path().join("aside"));
    let stores = SqliteStores::new(folder.path(), clock());
    stores.open_store("m").await.unwrap();
    std::fs::rename(&file, &aside).unwrap();
    assert_eq!(stores.has("m").await, Ok(false), "moved");
    std::fs::copy(&aside, &file).unwrap();
    assert_eq!(stores.has("m").await, Ok(false), "another one with the same bytes");
    std::fs::rename(&aside, &file).unwrap();
    assert_eq!(stores.has("m").await, Ok(true), "put back");
    std::fs::remove_file(&file).unwrap();
    assert_eq!(stores.has("m").await, Ok(false), "removed");
    // Its locks were not touched by looking.
    let second = SqliteStores::new(folder.path(), clock());
    assert!(second.open_store("m").await.is_err(), "the place is still held");
}

#[tokio::test]
async fn events_are_not_changed_and_not_deleted() {
    let folder = Folder::new();
    filled(&folder, 3).await;
    for sql in [
        "UPDATE es_events SET data = '{}' WHERE position = 2",
        "DELETE FROM es_events WHERE position = 3",
        "INSERT INTO es_guard VALUES (1)",
        "INSERT INTO es_guard VALUES (NULL)",
    ] {
        assert!(raw(&folder, sql).await.is_err(), "{sql}");
    }
}

#[tokio::test]
async fn the_schema_is_the_sum_of_the_migrations() {
    let tables = async |script: &str| {
        let folder = Folder::new();
        raw(&folder, script).await.unwrap();
        raw(&folder, "SELECT type || ' ' || name || ': ' || coalesce(sql, '') FROM sqlite_schema ORDER BY 1")
            .await
            .unwrap()
    };
    let folder = Folder::new();
    filled(&folder, 1).await;
    let migrated =
        raw(&folder, "SELECT type || ' ' || name || ': ' || coalesce(sql, '') FROM sqlite_schema ORDER BY 1").await;
    let canonical = tables(include_str!("../../schema.sql")).await;
    assert_eq!(migrated.unwrap(), canonical);
    assert!(canonical.len() > 10);
}

#[tokio::test]
async fn a_flipped_byte_near_the_end_is_named_at_start() {
    let folder = Folder::new();
    filled(&folder, 40).await;
    let file = folder.path().join("m.db");
    let mut bytes = std::fs::read(&file).unwrap();
    let needle = br#""number":23,"#;
    let at = bytes.windows(needle.len()).position(|window| window == needle).unwrap();
    bytes[at + 10] ^= 1;
    std::fs::write(&file, bytes).unwrap();
    match refusal(&folder).await {
        OpenError::Corrupt { why, .. } => assert_eq!(why, "es_events position 23 is not what was written"),
        other => panic!("{other}"),
    }
}

/// The header of the file and that of its first page: some bytes mean nothing to us, and one that does is damage, not weather
/// that passes when it is tried again.
#[tokio::test]
async fn no_flipped_byte_of_a_files_header_is_weather() {
    let folder = Folder::new();
    filled(&folder, 3).await;
    let good = std::fs::read(folder.path().join("m.db")).unwrap();
    let mut named = 0;
    for (at, mask) in (0..HEADER).flat_map(|at| [(at, 0x01), (at, 0xff)]) {
        let folder = Folder::new();
        let mut bytes = good.clone();
        bytes[at] ^= mask;
        std::fs::write(folder.path().join("m.db"), bytes).unwrap();
        for stores in [SqliteStores::look(folder.path(), clock()), SqliteStores::new(folder.path(), clock())] {
            match stores.open_store("m").await {
                Ok(store) => match store.read_log(Position::ZERO, 10).await {
                    Ok(_) => {}
                    Err(ReadError::Corrupt { .. }) => named += 1,
                    Err(other) => panic!("byte {at}, {mask:#x}: {other}"),
                },
                Err(OpenError::Unavailable { why, .. }) => panic!("byte {at}, {mask:#x}: {why}"),
                Err(_) => named += 1,
            }
            stores.close().await;
        }
    }
    assert!(named > HEADER, "{named} were named");
}

#[tokio::test]
async fn a_torn_page_is_named_at_start() {
    let folder = Folder::new();
    filled(&folder, 40).await;
    let file = folder.path().join("m.db");
    let mut bytes = std::fs::read(&file).unwrap();
    let needle = br#""number":23,"#;
    let at = bytes.windows(needle.len()).position(|window| window == needle).unwrap();
    let page = at / 4096 * 4096;
    bytes[page..page + 16].fill(0xff);
    std::fs::write(&file, bytes).unwrap();
    assert!(matches!(refusal(&folder).await, OpenError::Corrupt { .. }));
}

#[tokio::test]
async fn a_cut_tail_and_a_foreign_file_are_named_at_start() {
    let folder = Folder::new();
    filled(&folder, 5).await;
    raw(&folder, "DROP TRIGGER es_events_no_delete; DELETE FROM es_events WHERE position = 5").await.unwrap();
    match refusal(&folder).await {
        OpenError::Corrupt { why, .. } => {
            assert_eq!(why, "the log was 5 events long, and now ends at position 4");
        }
        other => panic!("{other}"),
    }
    let folder = Folder::new();
    std::fs::write(folder.path().join("m.db"), "this is a letter, not a database ".repeat(200)).unwrap();
    assert!(matches!(refusal(&folder).await, OpenError::Corrupt { .. }));
}

#[tokio::test]
async fn damage_found_while_reading_is_named() {
    let folder = Folder::new();
    filled(&folder, 3).await;
    let stores = SqliteStores::new(folder.path(), clock());
    let store = stores.open_store("m").await.unwrap();
    raw(&folder, "DROP TRIGGER es_events_no_update; UPDATE es_events SET event_id = x'00' WHERE position = 2")
        .await
        .unwrap();
    match store.read_log(Position::ZERO, 10).await {
        Err(ReadError::Corrupt { place, .. }) => assert_eq!(place, "es_events position 2"),
        other => panic!("{other:?}"),
    }
    raw(&folder, "DROP TRIGGER es_events_no_delete; DELETE FROM es_events WHERE position = 2").await.unwrap();
    match store.read_log(Position::ZERO, 10).await {
        Err(ReadError::Corrupt { place, why }) => {
            assert!(place.ends_with("m.db: es_events position 2") && why == "it is missing", "{place} {why}");
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_full_disk_is_retryable_and_leaves_nothing_half_written() {
    let folder = Folder::new();
    let stores = SqliteStores::new(folder.path(), clock()).with_pages_max(60);
    let store = stores.open_store("m").await.unwrap();
    let mut written = 0;
    let refused = loop {
        let numbers = (0..50).map(|at| u128::from(written) + at + 1);
        match store.commit(append("a", written, numbers)).await {
            Commit::Ok(_) => written += 50,
            Commit::Retryable(cause) => break cause,
            other => panic!("{other:?}"),
        }
        assert!(written < 10_000, "the quota holds");
    };
    assert!(refused.0.contains("m.db") && refused.0.contains("full"), "{refused}");
    // Small things may still fit, and the count goes on where it was.
    assert_eq!(store.head().await, Ok(Position(written)));
    stores.close().await;
    let stores = SqliteStores::new(folder.path(), clock());
    let store = stores.open_store("m").await.unwrap();
    let answer = store.commit(append("a", written, [1_000_000])).await;
    assert!(matches!(answer, Commit::Ok(_)), "{answer:?}");
    let log = store.read_log(Position::ZERO, usize::MAX).await.unwrap();
    assert_eq!(log.len() as u64, written + 1);
    saga_testkit::laws::store::check_log(&log);
}

#[tokio::test]
async fn a_folder_that_is_a_file_is_named() {
    let folder = Folder::new();
    let path = folder.path().join("not-a-folder");
    std::fs::write(&path, "").unwrap();
    match SqliteStores::new(&path, clock()).open_store("m").await {
        Err(OpenError::Unavailable { place, .. }) => assert!(place.contains("not-a-folder"), "{place}"),
        other => panic!("{:?}", other.err()),
    }
}

#[tokio::test]
async fn a_reader_can_look_while_another_process_writes_and_after_it_closed() {
    let folder = Folder::new();
    let writing = SqliteStores::new(folder.path(), clock());
    let store = writing.open_store("m").await.unwrap();
    let answer = store.commit(append("a", 0, [1, 2])).await;
    assert!(matches!(answer, Commit::Ok(_)), "{answer:?}");
    let check = async |expected: u64| {
        let reading = SqliteStores::read_only(folder.path(), clock());
        let reader = reading.open_store("m").await.unwrap();
        assert_eq!(reader.head().await, Ok(Position(expected)));
        assert_eq!(reader.read_log(Position::ZERO, 10).await.unwrap().len() as u64, expected);
        assert_eq!(reader.read(&stream("a"), Version(1), 10).await.unwrap().len(), 1);
        for beyond in [expected, i64::MAX.cast_unsigned(), u64::MAX] {
            assert_eq!(reader.read_log(Position(beyond), 10).await, Ok(Vec::new()), "after {beyond}");
            assert_eq!(reader.read(&stream("a"), Version(beyond), 10).await, Ok(Vec::new()), "after {beyond}");
        }
        let answer = reader.commit(append("b", 0, [9])).await;
        assert!(matches!(answer, Commit::Retryable(_)), "{answer:?}");
        reading.close().await;
    };
    check(2).await;
    let answer = store.commit(append("b", 0, [3])).await;
    assert!(matches!(answer, Commit::Ok(_)), "{answer:?}");
    check(3).await;
    writing.close().await;
    check(3).await;
    assert!(!folder.path().join("m.db-wal").exists(), "closing moves the log into the file");
    let nobody = SqliteStores::read_only(folder.path(), clock()).open_store("none").await;
    assert!(matches!(nobody, Err(OpenError::Unavailable { .. })));
}

#[tokio::test]
async fn a_backward_clock_does_not_turn_back_what_is_recorded() {
    let folder = Folder::new();
    let moved = clock();
    moved.move_to(moved.now().plus(std::time::Duration::from_secs(60)));
    for (clock, expected, number) in [(moved.clone(), 0, 1), (clock(), 1, 2)] {
        let stores = SqliteStores::new(folder.path(), clock);
        let store = stores.open_store("m").await.unwrap();
        let answer = store.commit(append("a", expected, [number])).await;
        assert!(matches!(answer, Commit::Ok(_)), "{answer:?}");
        stores.close().await;
    }
    let stores = SqliteStores::new(folder.path(), clock());
    let log = stores.open_store("m").await.unwrap().read_log(Position::ZERO, 9).await.unwrap();
    assert_eq!(log.iter().map(|event| event.recorded_at).collect::<Vec<_>>(), [moved.now(); 2]);
}

#[tokio::test]
async fn what_was_accepted_is_answered_when_the_store_closes() {
    let folder = Folder::new();
    let stores = SqliteStores::new(folder.path(), clock());
    let store = stores.open_store("m").await.unwrap();
    let commits = (0..200_u128).map(|at| store.commit(append(&format!("s{at}"), 0, [at + 1])));
    let close = async {
        tokio::task::yield_now().await;
        store.close().await;
    };
    let (answers, ()) = tokio::join!(futures::future::join_all(commits), close);
    let written = answers.iter().filter(|answer| matches!(answer, Commit::Ok(_))).count();
    assert!(answers.iter().all(|answer| matches!(answer, Commit::Ok(_) | Commit::Retryable(_))), "{answers:?}");
    let stores = SqliteStores::new(folder.path(), clock());
    assert_eq!(stores.open_store("m").await.unwrap().head().await, Ok(Position(written as u64)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn waiting_batches_share_a_transaction() {
    let folder = Folder::new();
    let stores = SqliteStores::new(folder.path(), clock());
    let store = stores.open_store("m").await.unwrap();
    let commits = (0..200_u128).map(|at| store.commit(append(&format!("s{at}"), 0, [at + 1])));
    let answers = futures::future::join_all(commits).await;
    assert!(answers.iter().all(|answer| matches!(answer, Commit::Ok(_))), "{answers:?}");
    let stats = store.stats();
    assert_eq!((stats.commits, stats.events), (200, 200));
    assert!(stats.transactions < 100, "{stats:?}");
}

#[tokio::test]
async fn the_write_ahead_log_of_a_killed_process_is_read() {
    // The files as they are at some moment, without a close: what a crash leaves behind.
    let (folder, copy) = (Folder::new(), Folder::new());
    let stores = SqliteStores::new(folder.path(), clock());
    let store = stores.open_store("m").await.unwrap();
    let answer = store.commit(append("a", 0, [1, 2, 3])).await;
    assert!(matches!(answer, Commit::Ok(_)), "{answer:?}");
    for name in ["m.db", "m.db-wal"] {
        std::fs::copy(folder.path().join(name), copy.path().join(name)).unwrap();
    }
    let stores = SqliteStores::new(copy.path(), clock());
    let store = stores.open_store("m").await.unwrap();
    assert_eq!(store.head().await, Ok(Position(3)));
    let mut connection = connect(&copy.path().join("m.db")).await;
    connection.execute("PRAGMA integrity_check").await.unwrap();
    connection.close().await.unwrap();
}
