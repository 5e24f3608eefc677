//! A backup is one moment, whenever it is taken; and copies of files that are not are found.

use crate::folder::{check, good, lines};
use saga::SystemClock;
use saga_service::Service;
use saga_service::backup::backup;
use saga_service::demo::{Demo, providers};
use saga_service::recover::of_folder;
use saga_sqlite::SqliteStores;
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

/// Twelve moments of a run are restored and continued: each takes as long as a run.
const RESTORES_MAX: usize = 12;

async fn opens(data: &Path) -> Service {
    Service::open(data, providers(Duration::from_millis(1)), 7).await.map_err(|why| why.message).unwrap()
}
/// Goes on with whatever is open, until nothing is.
async fn ends(service: Service) {
    let (mut demo, _) = Demo::start(service.sagas().clone(), Duration::ZERO).await.unwrap();
    while !demo.is_over() {
        demo.look().await.unwrap();
    }
    service.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_backup_keeps_every_promise_and_goes_on() {
    let (data, backups) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let service = opens(data.path()).await;
    let (mut demo, _) = Demo::start(service.sagas().clone(), Duration::ZERO).await.unwrap();
    // One after another, as fast as they can be taken: before anything was approved, and on until nothing is open.
    let (over, mut is_over) = tokio::sync::watch::channel(false);
    let (from, to) = (data.path().to_owned(), backups.path().to_owned());
    let mut taking = tokio::task::JoinSet::new();
    taking.spawn(async move {
        let mut taken = Vec::new();
        loop {
            let last = *is_over.borrow_and_update();
            let folder = to.join(taken.len().to_string());
            fs::create_dir(&folder).unwrap();
            fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).unwrap();
            SqliteStores::new(&from, Arc::new(SystemClock)).backup(&folder).await.unwrap();
            taken.push(folder);
            if last {
                return taken;
            }
        }
    });
    let first = backups.path().join("first");
    let backed_up = backup(&of_folder(data.path()), &first).await.map_err(|why| why.message).unwrap();
    assert_eq!(lines(&backed_up.verdicts), Vec::<String>::new());
    while !demo.is_over() {
        demo.look().await.unwrap();
    }
    over.send(true).unwrap();
    let mut taken = taking.join_next().await.unwrap().unwrap();
    service.close().await;
    taken.push(first);
    let every = taken.len();
    // The restores of some of them, from the first to the last.
    taken = taken.into_iter().step_by(every.div_ceil(RESTORES_MAX)).collect();
    // A folder that is taken is left as it is; so is one that cannot be made.
    for taken in [taken[0].as_path(), &taken[0].join("qc.db")] {
        let refused = backup(&of_folder(data.path()), taken).await.err().unwrap();
        assert_eq!(refused.code, "SG0205", "{}", refused.message);
    }
    let left: Vec<_> = fs::read_dir(backups.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left.len(), every, "nothing unfinished is left: {left:?}");
    for (number, restored) in taken.iter().enumerate() {
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(restored), mode(&restored.join("qc.db"))), (0o700, 0o600));
        // Some are of the stores alone; the operator who restores them puts the files beside them, which are never
        // fewer later.
        if !restored.join("files").exists() {
            let alone = lines(&saga_service::verify::folder(restored, false).await.unwrap());
            assert!(alone.iter().all(|line| line.starts_with("O5 ")), "backup {number}: {alone:?}");
            let copied =
                Command::new("cp").arg("-r").args([data.path().join("files"), restored.join("files")]).status();
            assert!(copied.unwrap().success());
        }
        let found = lines(&saga_service::verify::folder(restored, false).await.unwrap());
        assert_eq!(found, Vec::<String>::new(), "backup {number}");
        ends(opens(restored).await).await;
        assert_eq!(lines(&check(restored).await), Vec::<String>::new(), "restore {number}");
    }
    // Also of a folder that nobody runs.
    let idle = backups.path().join("idle");
    backup(&of_folder(data.path()), &idle).await.map_err(|why| why.message).unwrap();
    assert_eq!(lines(&check(&idle).await), Vec::<String>::new());
    let files = |data: &Path| fs::read_dir(data.join("files")).unwrap().count();
    assert!(files(&idle) > 0 && files(&idle) == files(data.path()), "the files go with the stores");
}

#[tokio::test]
async fn files_that_were_copied_one_after_another_are_found_and_do_not_start() {
    let (good, early) = good().await;
    let modules = SqliteStores::new(good.path(), Arc::new(SystemClock)).modules().unwrap();
    // Whichever was copied first, and all others later; and whichever was copied last.
    for module in &modules {
        for (most, one) in [(&good, &early), (&early, &good)] {
            let folder = tempfile::tempdir().unwrap();
            for name in &modules {
                let from = if name == module { one } else { most };
                fs::copy(from.path().join(format!("{name}.db")), folder.path().join(format!("{name}.db"))).unwrap();
            }
            let found = lines(&saga_service::verify::folder(folder.path(), false).await.unwrap());
            assert_ne!(found, Vec::<String>::new(), "{module}");
            let refused = Service::open(folder.path(), providers(Duration::ZERO), 7).await.err();
            assert_eq!(refused.map(|why| why.code), Some("SG0019".to_owned()), "{module}: {found:?}");
        }
    }
}

#[tokio::test]
async fn a_backup_lies_outside_of_what_it_is_a_copy_of_and_is_a_folder() {
    let (data, _) = good().await;
    let (place, name) = (data.path(), data.path().file_name().unwrap());
    std::os::unix::fs::symlink(place, place.with_extension("link")).unwrap();
    let table = [
        place.to_owned(),
        place.join("backup"),
        place.join("not/there/yet"),
        place.join("files/backup"),
        place.join("..").join(name).join("backup"),
        place.join("nowhere/../backup"),
        place.with_extension("link").join("backup"),
        "postgres://ann:secret@127.0.0.1/stores".into(),
        "postgresql://127.0.0.1/stores".into(),
        "sqlite:stores".into(),
    ];
    let content =
        |folder: &Path| fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect::<BTreeSet<_>>();
    let before = (content(place), content(Path::new(".")));
    for to in table {
        let refused =
            backup(&of_folder(place), &to).await.err().unwrap_or_else(|| panic!("{} was taken", to.display()));
        assert!(refused.code == "SG0319" && !refused.hint.is_empty(), "{}: {refused:?}", to.display());
        let is_address = to.to_string_lossy().contains(':');
        assert!(!is_address || refused.hint.iter().any(|hint| hint.contains("pg_dump")), "{refused:?}");
        assert!(!format!("{refused:?}").contains("secret"), "{refused:?}");
        assert_eq!((content(place), content(Path::new("."))), before, "{}", to.display());
    }
    fs::remove_file(place.with_extension("link")).unwrap();
    // Beside it is well, whatever it is called.
    let beside = tempfile::tempdir().unwrap();
    for to in ["a:b", "copy"] {
        let taken = backup(&of_folder(place), &beside.path().join(to)).await.map_err(|why| why.message).unwrap();
        assert_eq!(lines(&taken.verdicts), Vec::<String>::new());
    }
}
