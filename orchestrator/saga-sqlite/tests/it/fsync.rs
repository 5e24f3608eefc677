//! A disk that takes a commit and then does not say that it keeps it: nothing is acknowledged that a loss of power could take.
//!
//! The layer below SQLite is the C library: a few lines of C stand before its `fsync` and `fdatasync`, and let as many flushes of
//! write-ahead logs fail as a file says. The C compiler is the one that SQLite itself is built with.

use crate::disk::{deed, is_what_the_file_has};
use crate::folder::{Folder, append, clock, stream};
use saga_core::batch::Commit;
use saga_core::ports::EventStore as _;
use saga_sqlite::SqliteStores;
use std::path::Path;
use std::process::Command;

/// Names the folder, and says that this process is the one whose disk keeps nothing.
const CHILD: &str = "SAGA_SQLITE_FSYNC";
/// Names the file with the number of flushes that fail.
const FAILS: &str = "FSYNC_FAILS";

#[test]
fn a_commit_whose_flush_fails_is_not_acknowledged() {
    let folder = Folder::new();
    let (source, library) = (folder.path().join("fsync.c"), folder.path().join("fsync.so"));
    std::fs::write(&source, include_str!("fsync.c")).unwrap();
    let compiler = std::env::var("CC").unwrap_or_else(|_| "cc".to_owned());
    let built = Command::new(compiler).args(["-shared", "-fPIC", "-o"]).args([&library, &source]).arg("-ldl").status();
    assert!(built.unwrap().success(), "the C compiler that SQLite is built with");
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["fsync::in_a_process_whose_disk_keeps_nothing", "--exact", "--nocapture"])
        .env(CHILD, folder.path())
        .env(FAILS, folder.path().join("fails"))
        .env("LD_PRELOAD", &library)
        .output()
        .unwrap();
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(child.status.success(), "{}{}", said(&child.stdout), said(&child.stderr));
    assert!(said(&child.stdout).contains("1 passed"), "{}", said(&child.stdout));
}

#[tokio::test]
async fn in_a_process_whose_disk_keeps_nothing() {
    let Ok(folder) = std::env::var(CHILD) else { return };
    let folder = Path::new(&folder);
    let fails = |flushes: u32| std::fs::write(folder.join("fails"), format!("{flushes} \n")).unwrap();
    let stores = SqliteStores::new(folder, clock());
    let store = stores.open_store("m").await.unwrap();
    let (mut written, mut deeds) = (0_u64, Vec::new());
    // One flush fails and the next does not; or none works until the disk is mended.
    for (number, flushes) in (1..).zip([0, 1, 2, 1_000, 1, 1_000, 0]) {
        let (batch, arrival) = deed(number, written);
        deeds.push(arrival);
        fails(flushes);
        let answer = store.commit(batch.clone()).await;
        let left: u32 = std::fs::read_to_string(folder.join("fails")).unwrap().trim().parse().unwrap();
        assert!(left < flushes || flushes == 0, "the flush of this commit was asked for");
        // Nobody else is told more while it fails.
        let second = store.commit(append("b", 0, [number * 1_000_000])).await;
        assert!(flushes < 1_000 || !matches!(second, Commit::Ok(_)), "{flushes} flushes fail: {second:?}");
        fails(0);
        let log = is_what_the_file_has(&store, folder, &deeds).await;
        let there = log.iter().filter(|event| event.stream == stream("a")).count() as u64;
        match (flushes, &answer) {
            (0, Commit::Ok(_)) => assert_eq!(there, written + 20),
            (1.., Commit::Retryable(_)) => assert_eq!(there, written, "{flushes} flushes fail: refused and there"),
            (1.., Commit::Unknown(_)) => assert!(there == written || there == written + 20, "half of it is there"),
            other => panic!("{other:?}: acknowledged what may be lost"),
        }
        // The same again, as its sender would: it is there once.
        let again = store.commit(batch).await;
        assert!(matches!(again, Commit::Ok(_)), "{flushes} flushes fail: {again:?}");
        written += 20;
        is_what_the_file_has(&store, folder, &deeds).await;
    }
    stores.close().await;
    let stores = SqliteStores::new(folder, clock());
    is_what_the_file_has(&stores.open_store("m").await.unwrap(), folder, &deeds).await;
    stores.close().await;
}
