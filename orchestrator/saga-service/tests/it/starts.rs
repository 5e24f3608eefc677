//! What starts, and what does not: over stores that are lost, another's, or older than the others know.

use crate::folder::{
    GROUPS, LOST_GROUPS, NO_GROUPS, NOBODYS, Tamper, ZERO_GROUPS, apply, behind_the_triggers, check, copy, good,
    lines as lines_of, nobody_lists, script,
};
use saga::SystemClock;
use saga_core::batch::{Batch, Commit, Mark};
use saga_core::control::{Asks, ask};
use saga_core::envelope::Actor;
use saga_core::id::Position;
use saga_core::ports::EventStore as _;
use saga_service::Service;
use saga_service::accept::Loss;
use saga_service::demo::{Demo, providers};
use saga_service::look::FolderLook;
use saga_service::recover::{of_folder, recover};
use saga_sqlite::SqliteStores;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

/// The files of a folder with their content.
fn picture(data: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let paths = fs::read_dir(data).unwrap().map(|entry| entry.unwrap().path());
    paths.filter(|path| path.is_file()).map(|path| (path.clone(), fs::read(&path).unwrap())).collect()
}
/// A start is refused with this code, and changes no byte of any file; a look says the same.
async fn refused(what: &str, data: &Path, code: &str) {
    let look = FolderLook::at(data);
    let status = look.ask(&Actor::operator("test"), ask::WhoIsThere {}).await.unwrap();
    let told = status.troubles.iter().any(|trouble| trouble.says.starts_with(code));
    assert!(told && !status.ready, "{what}: {:?}", status.troubles);
    look.close().await;
    let before = picture(data);
    let refused = Service::open(data, providers(Duration::ZERO), 7).await.err().expect(what);
    assert_eq!(refused.code, code, "{what}: {}", refused.message);
    let after = picture(data);
    let names = |picture: &BTreeMap<PathBuf, Vec<u8>>| picture.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&before), names(&after), "{what}: nothing was made, and nothing is gone");
    let written: Vec<_> =
        before.iter().filter(|(path, bytes)| after.get(*path) != Some(*bytes)).map(|(p, _)| p).collect();
    assert!(written.is_empty(), "{what}: a refused start wrote {written:?}");
}
/// The files of a process that was killed: logs lie beside them, and what SQLite makes of these for itself.
async fn killed(good: &Path) -> TempDir {
    let runs = copy(good);
    let stores = SqliteStores::new(runs.path(), Arc::new(SystemClock));
    for module in stores.modules().unwrap() {
        let store = stores.open_store(&module).await.unwrap();
        let marks = vec![Mark { consumer: "killed".to_owned(), position: Position(1) }];
        let written = store.commit(Batch { marks, ..Batch::default() }).await;
        assert!(matches!(written, Commit::Ok(_)), "{written:?}");
    }
    let killed = copy(runs.path());
    stores.close().await;
    let logs = picture(killed.path()).into_iter().filter(|(path, _)| path.to_string_lossy().ends_with(".db-wal"));
    assert_eq!(logs.filter(|(_, log)| !log.is_empty()).count(), 6, "each has a log");
    killed
}
async fn opens(data: &Path) -> Service {
    Service::open(data, providers(Duration::ZERO), 7).await.map_err(|why| why.message).unwrap()
}
#[tokio::test]
async fn nothing_starts_over_a_store_that_does_not_belong_here() {
    let ((good, early), (other, _)) = (good().await, good().await);
    let end = behind_the_triggers("DELETE FROM es_events WHERE position = (SELECT max(position) FROM es_events)");
    let table: Vec<(&str, Tamper, &str)> = vec![
        ("gone", Tamper::Gone("production"), "SG0018"),
        ("the coordinator's is gone", Tamper::Gone("orchestration"), "SG0018"),
        ("gone, and nobody lists it, but others have read it", Tamper::Unlisted("production"), "SG0018"),
        ("gone, and nobody lists it, but it was asked", Tamper::Unlisted("qc"), "SG0018"),
        ("the coordinator's is gone, and nobody lists it", Tamper::Unlisted("orchestration"), "SG0018"),
        ("emptied", Tamper::Emptied("qc"), "SG0018"),
        ("another module's", Tamper::Exchanged("strategy", "qc"), "SG0018"),
        ("another program's", Tamper::Foreign("qc"), "SG0018"),
        ("nobody's", script("qc", NOBODYS), "SG0018"),
        ("cut", Tamper::Script("delivery", end.clone()), "SG0019"),
        ("the coordinator's is cut", Tamper::Script("orchestration", end), "SG0019"),
        ("another number of its tables", script("qc", "PRAGMA user_version = -1"), "SG0005"),
        ("more groups than there can be", script("orchestration", GROUPS), "SG0005"),
        ("groups of a number that is none", script("orchestration", NO_GROUPS), "SG0005"),
        ("groups of the number 0", script("orchestration", ZERO_GROUPS), "SG0005"),
        ("the number of groups is gone", script("orchestration", LOST_GROUPS), "SG0005"),
        ("no number of its tables", script("qc", "PRAGMA user_version = 0"), "SG0005"),
    ];
    let killed = killed(good.path()).await;
    for (what, tamper, code) in table {
        let copy = copy(good.path());
        apply(&tamper, copy.path()).await;
        refused(what, copy.path(), code).await;
    }
    for module in ["orchestration", "onboarding", "strategy", "production", "qc", "delivery"] {
        // Put back from an earlier moment: the others list how far it was; and where nobody lists it, the others have asked it
        // or were asked by it since.
        for listed in [true, false] {
            let copy = copy(good.path());
            let file = format!("{module}.db");
            fs::copy(early.path().join(&file), copy.path().join(&file)).unwrap();
            if !listed {
                nobody_lists(copy.path(), module).await;
            }
            refused(&format!("an older {module}, listed: {listed}"), copy.path(), "SG0019").await;
        }
        // Beside the stores of a process that was killed, and where the locks were not copied along.
        for locked in [true, false] {
            let copy = copy(killed.path());
            for ending in ["db-wal", "db-shm"] {
                fs::remove_file(copy.path().join(format!("{module}.{ending}"))).ok();
            }
            fs::copy(early.path().join(format!("{module}.db")), copy.path().join(format!("{module}.db"))).unwrap();
            for lock in picture(copy.path())
                .into_keys()
                .filter(|path| !locked && path.extension().is_some_and(|kind| kind == "lock"))
            {
                fs::remove_file(lock).unwrap();
            }
            refused(&format!("an older {module} among killed ones, locks: {locked}"), copy.path(), "SG0019").await;
        }
    }
    // A killed one goes on.
    opens(killed.path()).await.close().await;
    let copy = copy(good.path());
    fs::copy(other.path().join("qc.db"), copy.path().join("qc.db")).unwrap();
    refused("another installation's", copy.path(), "SG0018").await;
    // The fault is mended, and the system goes on.
    fs::copy(good.path().join("qc.db"), copy.path().join("qc.db")).unwrap();
    opens(copy.path()).await.close().await;
}

#[tokio::test]
async fn a_loss_is_accepted_by_name_only_and_stays_a_finding() {
    let ((good, early), (strange, strange_early)) = (good().await, good().await);
    let accept = async |data: &Path, module: &str| {
        let config = of_folder(data);
        match Loss::of(&config, module).await {
            Ok(loss) => loss.accept(&config, "ann").await,
            Err(why) => Err(why),
        }
    };
    let older = |module: &str, data: &Path| {
        let file = format!("{module}.db");
        fs::copy(early.path().join(&file), data.join(&file)).unwrap();
    };
    for module in ["orchestration", "qc", "production"] {
        for gone in [true, false] {
            let (copy, what) = (copy(good.path()), format!("{module}, gone: {gone}"));
            match gone {
                true => apply(&Tamper::Gone(module), copy.path()).await,
                false => older(module, copy.path()),
            }
            let other = if module == "qc" { "production" } else { "qc" };
            let refused = accept(copy.path(), other).await.expect_err(&what);
            assert_eq!(
                (refused.code, refused.message.contains("nothing is lost")),
                ("SG0205".to_owned(), true),
                "{what}"
            );
            // Consumers stand where the newest copy has them, which can still be put back.
            let before = picture(copy.path());
            let why = recover(&of_folder(copy.path())).await.expect_err(&what);
            let code = if gone { "SG0018" } else { "SG0019" };
            assert!(why.code == code && why.hint.iter().any(|hint| hint.contains("store accept")), "{what}: {why:?}");
            assert!(picture(copy.path()) == before, "{what}: nothing is written");
            let lost = format!("the store of {module} (sqlite:{}) is lost: it is missing; ", copy.path().display());
            assert!(!gone || why.message.starts_with(&lost), "{what}: {}", why.message);
            let lines = accept(copy.path(), module).await.map_err(|why| why.message).expect(&what);
            assert!(lines[0].contains("accepted by ann"), "{lines:?}");
            assert!(
                !lines.iter().any(|line| line.contains("client_review")),
                "nobody has it, nobody reads it: {lines:?}"
            );
            // It starts, and sagas go on: those that were lost with the coordinator's store begin again.
            let service = opens(copy.path()).await;
            let (mut demo, _) = Demo::start(service.sagas().clone(), Duration::ZERO).await.unwrap();
            while !demo.is_over() {
                demo.look().await.unwrap();
            }
            service.close().await;
            let verdicts = check(copy.path()).await;
            assert!(verdicts.notes.iter().any(|note| note.contains("accepted by ann")), "{what}: {:?}", verdicts.notes);
            if gone || module != "orchestration" {
                assert!(lines_of(&verdicts).iter().any(|line| line.starts_with('S')), "{what}: it is missed for ever");
            }
            opens(copy.path()).await.close().await;
        }
    }
    // Another installation's coordinator's store: as it ended, and as it was when the modules here know of more.
    for strange in [&strange, &strange_early] {
        let mixed = copy(good.path());
        fs::copy(strange.path().join("orchestration.db"), mixed.path().join("orchestration.db")).unwrap();
        let refused = accept(mixed.path(), "orchestration").await.expect_err("another installation's");
        assert!(
            refused.code == "SG0018" && refused.hint.iter().any(|hint| hint.contains("somewhere else")),
            "it is the one stranger here: {refused:?}"
        );
        let refused = accept(mixed.path(), "qc").await.expect_err("nothing is lost of it");
        assert!(
            refused.code == "SG0205" && refused.hint.iter().any(|hint| hint.ends_with("the store of orchestration")),
            "{refused:?}"
        );
    }
    let copy = copy(good.path());
    apply(&Tamper::Foreign("qc"), copy.path()).await;
    let refused = accept(copy.path(), "qc").await.expect_err("another program's");
    assert_eq!(refused.code, "SG0018", "{refused:?}");
    apply(&Tamper::Exchanged("strategy", "qc"), copy.path()).await;
    let refused = recover(&of_folder(copy.path())).await.expect_err("another module's");
    assert!(refused.code == "SG0018" && refused.hint.iter().any(|hint| hint.contains("somewhere else")), "{refused:?}");
    let refused = accept(copy.path(), "qc").await.expect_err("another module's");
    assert!(refused.code == "SG0018" && refused.hint.iter().any(|hint| hint.contains("somewhere else")), "{refused:?}");
}

#[tokio::test]
async fn one_stranger_is_told_as_one_and_before_all_that_follows_from_it() {
    let ((good, _), (other, other_early)) = (good().await, good().await);
    for (stranger, from) in
        [("orchestration", &other), ("orchestration", &other_early), ("qc", &other), ("qc", &other_early)]
    {
        let copy = copy(good.path());
        let file = format!("{stranger}.db");
        fs::copy(from.path().join(&file), copy.path().join(&file)).unwrap();
        let look = FolderLook::at(copy.path());
        let status = look.ask(&Actor::operator("test"), ask::WhoIsThere {}).await.unwrap();
        look.close().await;
        let told: Vec<_> = status.troubles.iter().filter(|trouble| trouble.says.starts_with("SG00")).collect();
        assert!(
            matches!(&*told, [trouble] if trouble.place == stranger && trouble.says.starts_with("SG0018")),
            "{stranger}: {told:#?}"
        );
        refused(&format!("another installation's {stranger}"), copy.path(), "SG0018").await;
        let verdicts = check(copy.path()).await;
        let cause = &verdicts.findings[0];
        assert!(cause.promise == "L3" && cause.place == stranger, "{stranger}: {:#?}", lines_of(&verdicts));
        let strangers = verdicts.findings.iter().filter(|found| found.says.contains("another installation"));
        assert!(strangers.chain([cause]).all(|found| found.place == stranger), "{:#?}", lines_of(&verdicts));
    }
}

#[tokio::test]
async fn where_all_is_well_nothing_is_recovered_and_where_nothing_is_that_is_no_well() {
    let (good, _) = good().await;
    for data in [copy(good.path()), killed(good.path()).await] {
        let before = picture(data.path());
        let recovered = recover(&of_folder(data.path())).await.map_err(|why| why.message).unwrap();
        // Of logs that nobody here has, and nobody here has read, there is nothing to say.
        assert!(recovered.len() == 1 && recovered[0].starts_with("nothing to recover: "), "{recovered:?}");
        assert!(before == picture(data.path()), "a folder that is well was written");
    }
    // The coordinator's list of sagas is a consumer like every other.
    let data = copy(good.path());
    let beyond =
        "UPDATE es_checkpoints SET position = position + 500 WHERE consumer LIKE 'projection:orchestration.board%'";
    apply(&script("orchestration", beyond), data.path()).await;
    // The files of a copy lie with the original.
    let faults = async || {
        lines_of(&check(data.path()).await).into_iter().filter(|line| !line.starts_with("O5")).collect::<Vec<_>>()
    };
    assert!(!faults().await.is_empty());
    let recovered = recover(&of_folder(data.path())).await.map_err(|why| why.message).unwrap();
    assert!(recovered.iter().any(|line| line.contains("orchestration.board")), "{recovered:?}");
    assert_eq!(faults().await, Vec::<String>::new());
    let empty = tempfile::tempdir().unwrap();
    for data in [empty.path().to_owned(), empty.path().join("nowhere")] {
        let refused = recover(&of_folder(&data)).await.expect_err("there is nothing");
        assert!(refused.code == "SG0003" && refused.message.contains("no stores in"), "{refused:?}");
        let refused = Loss::of(&of_folder(&data), "qc").await.err().expect("there is nothing");
        assert!(refused.code == "SG0003" && refused.message.contains("no stores in"), "{refused:?}");
    }
    assert_eq!(fs::read_dir(empty.path()).unwrap().count(), 0, "nothing was made");
}
