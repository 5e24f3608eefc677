//! A look at a store before it is opened: it tells what is there, and leaves every file as it was.

use crate::folder::{Folder, append, clock, stream};
use saga_core::batch::Commit;
use saga_core::id::{Position, Version};
use saga_core::ports::{EventStore as _, OpenError, Stores as _, Tail as _};
use saga_sqlite::SqliteStores;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The files of a folder with their content.
fn picture(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    paths.filter(|path| path.is_file()).map(|path| (path.clone(), std::fs::read(&path).unwrap())).collect()
}
/// A store whose process was killed in the midst: ten commits are in the file, ten more in the log beside it.
async fn killed() -> Folder {
    let (runs, killed) = (Folder::new(), Folder::new());
    for round in 0..2 {
        let stores = SqliteStores::new(runs.path(), clock());
        let store = stores.open_store("m").await.unwrap();
        for number in round * 10..round * 10 + 10 {
            let answer = store.commit(append("a", number, [u128::from(number) + 1])).await;
            assert!(matches!(answer, Commit::Ok(_)), "{answer:?}");
        }
        for (path, bytes) in picture(runs.path()).into_iter().filter(|_| round == 1) {
            std::fs::write(killed.path().join(path.file_name().unwrap()), bytes).unwrap();
        }
        stores.close().await;
    }
    killed
}
/// How many events a look finds, or why not; and that all files are as they were, whichever they are.
async fn peeked(folder: &Folder, what: &str) -> Result<u64, OpenError> {
    let before = picture(folder.path());
    let stores = SqliteStores::new(folder.path(), clock());
    let mut found = Err(OpenError::Restless { place: String::new() });
    for end in [false, true] {
        found = match stores.peek("m").await {
            Ok(store) => {
                let log = store.read_log(Position::ZERO, usize::MAX).await.unwrap();
                saga_testkit::laws::store::check_log(&log);
                assert_eq!(store.read(&stream("a"), Version::ZERO, usize::MAX).await.unwrap(), log, "{what}");
                assert!(!matches!(store.commit(append("b", 0, [77])).await, Commit::Ok(_)), "{what}");
                Ok(log.len() as u64)
            }
            Err(why) => Err(why),
        };
        match end {
            true => stores.close().await,
            false => stores.release().await,
        }
        let after = picture(folder.path());
        let names = |picture: &BTreeMap<PathBuf, Vec<u8>>| picture.keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&after), names(&before), "{what}");
        assert!(after == before, "{what}: a look wrote");
    }
    found
}

#[tokio::test]
async fn a_look_before_an_opening_tells_what_is_there_whatever_is_left_of_the_log_and_changes_no_byte() {
    let killed = killed().await;
    let log = killed.path().join("m.db-wal");
    let whole = std::fs::read(&log).unwrap();
    let frame = 24 + 4096;
    let mut seen = std::collections::BTreeSet::new();
    // Into the header, the first frame, a frame in the midst and the last one; and a byte that another disk gives back.
    let cuts = [0, 1, 31, 32, 33, 32 + 24, 32 + frame - 1, 32 + frame, whole.len() / 2, whole.len() - 1, whole.len()];
    let flips = [0, 12, 20, 32, 36, 40, 50, 60, 32 + frame + 100, whole.len() / 2, whole.len() - 1];
    let cut = cuts.iter().map(|cut| (format!("cut at {cut}"), whole[..*cut].to_vec()));
    let flipped = flips.iter().map(|at| {
        let mut bytes = whole.clone();
        bytes[*at] ^= 0x10;
        (format!("another byte at {at}"), bytes)
    });
    for (what, bytes) in cut.chain(flipped) {
        for beside in [true, false] {
            let folder = Folder::new();
            std::fs::copy(killed.path().join("m.db"), folder.path().join("m.db")).unwrap();
            std::fs::write(folder.path().join("m.db-wal"), &bytes).unwrap();
            for ending in ["db-shm", "lock"].iter().filter(|_| beside) {
                let name = format!("m.{ending}");
                std::fs::copy(killed.path().join(&name), folder.path().join(&name)).unwrap();
            }
            let found = peeked(&folder, &what).await.unwrap_or_else(|why| panic!("{what}: {why}"));
            let looking = SqliteStores::read_only(folder.path(), clock());
            let copied = looking.open_store("m").await.unwrap().head().await;
            assert_eq!(copied, Ok(Position(found)), "{what}: a copy says it, too");
            // And so does an opening, which goes on from there.
            let stores = SqliteStores::new(folder.path(), clock());
            stores.peek("m").await.unwrap();
            let store = stores.open_store("m").await.unwrap();
            assert_eq!(store.head().await, Ok(Position(found)), "{what}: it opens as it was looked at");
            let answer = store.commit(append("b", 0, [77])).await;
            assert!(matches!(answer, Commit::Ok(_)), "{what}: {answer:?}");
            stores.close().await;
            seen.insert(found);
        }
    }
    assert!(seen.contains(&10) && seen.contains(&20) && seen.len() > 2, "all, a part and nothing of the log: {seen:?}");
}

#[tokio::test]
async fn what_an_opening_refuses_a_look_refuses_too_and_others_wait_for_its_end() {
    let folder = killed().await;
    let (first, second) = (SqliteStores::new(folder.path(), clock()), SqliteStores::new(folder.path(), clock()));
    let store = first.peek("m").await.unwrap();
    assert!(matches!(second.open_store("m").await.err(), Some(OpenError::InUse { .. })), "it is looked at");
    first.release().await;
    assert!(store.read_log(Position::ZERO, 1).await.is_err(), "that look is over");
    second.open_store("m").await.unwrap();
    assert!(matches!(first.peek("m").await.err(), Some(OpenError::InUse { .. })), "it is written");
    second.close().await;
    let mut bytes = std::fs::read(folder.path().join("m.db")).unwrap();
    let needle = br#""number":3,"#;
    let at = bytes.windows(needle.len()).position(|window| window == needle).unwrap();
    bytes[at + 9] ^= 1;
    std::fs::write(folder.path().join("m.db"), bytes).unwrap();
    match peeked(&folder, "another byte in the file").await {
        Err(OpenError::Corrupt { why, .. }) => assert_eq!(why, "es_events position 3 is not what was written"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_backup_of_what_was_killed_has_everything_and_leaves_it_as_it_was() {
    let (folder, copy) = (killed().await, Folder::new());
    let before = picture(folder.path());
    let copied = SqliteStores::new(folder.path(), clock()).backup(copy.path()).await.unwrap();
    assert_eq!(copied.iter().map(|copied| copied.head).collect::<Vec<_>>(), [Position(20)]);
    assert!(picture(folder.path()) == before, "the backup wrote");
    assert_eq!(peeked(&copy, "the copy").await, Ok(20));
}

#[tokio::test]
async fn what_is_no_file_is_refused_and_not_waited_for() {
    let folder = Folder::new();
    let store = folder.path().join("m.db");
    rustix::fs::mknodat(rustix::fs::CWD, &store, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    let stores = SqliteStores::new(folder.path(), clock());
    for opened in [stores.peek("m").await, stores.open("m").await] {
        assert!(matches!(opened, Err(OpenError::Unavailable { .. })));
    }
}
