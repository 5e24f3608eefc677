//! A folder in which ten sagas ended, and what is done to copies of it.

use saga::SystemClock;
use saga_core::view::Verdicts;
use saga_service::Service;
use saga_service::demo::{Demo, providers};
use saga_service::verify::folder;
use saga_sqlite::SqliteStores;
use saga_sqlite::testing::tamper;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

/// A folder in which ten sagas ended, some well and some taken back, and that nobody has open; and its stores as they were when
/// all of this had just begun.
pub(crate) async fn good() -> (TempDir, TempDir) {
    let (data, early) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let service = Service::open(data.path(), providers(Duration::from_millis(1)), 7).await.unwrap();
    let (mut demo, _) = Demo::start(service.sagas().clone(), Duration::ZERO).await.unwrap();
    let stores = SqliteStores::new(data.path(), Arc::new(SystemClock));
    stores.backup(early.path()).await.unwrap();
    while !demo.is_over() {
        demo.look().await.unwrap();
    }
    let verdicts = demo.verdicts().await.unwrap();
    assert_eq!(verdicts.findings, [], "beside its own work");
    service.close().await;
    (data, early)
}
pub(crate) fn copy(from: &Path) -> TempDir {
    let to = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            fs::copy(&path, to.path().join(path.file_name().unwrap())).unwrap();
        }
    }
    to
}
pub(crate) async fn check(data: &Path) -> Verdicts {
    folder(data, true).await.unwrap()
}
pub(crate) fn lines(verdicts: &Verdicts) -> Vec<String> {
    verdicts.findings.iter().map(|found| format!("{} {}: {}", found.promise, found.place, found.says)).collect()
}

/// The triggers as they were, so that nobody sees that they were away.
const TRIGGERS: &str = "
CREATE TRIGGER es_events_no_update BEFORE UPDATE ON es_events
BEGIN SELECT RAISE(ABORT, 'events are never changed'); END;
CREATE TRIGGER es_events_no_delete BEFORE DELETE ON es_events
BEGIN SELECT RAISE(ABORT, 'events are never deleted'); END;";

/// What is done to the log while its triggers are away, with the note of its length put right afterwards.
pub(crate) fn behind_the_triggers(script: &str) -> String {
    format!(
        "DROP TRIGGER es_events_no_update; DROP TRIGGER es_events_no_delete; {script}; {TRIGGERS}
         UPDATE es_head SET position = coalesce((SELECT max(position) FROM es_events), 0),
           chain = coalesce((SELECT chain FROM es_events ORDER BY position DESC LIMIT 1), zeroblob(32));"
    )
}

/// A store says nothing of whose it is.
pub(crate) const NOBODYS: &str = "DELETE FROM es_inbox WHERE saga = zeroblob(16)";

/// The coordinator's store says that its sagas are spread over more groups than there can be.
pub(crate) const GROUPS: &str = "UPDATE es_checkpoints SET position = 65 WHERE consumer = 'groups'";
/// Or over a number that is none.
pub(crate) const NO_GROUPS: &str = "UPDATE es_checkpoints SET position = -1 WHERE consumer = 'groups'";

/// Or over none, or nobody knows over how many.
pub(crate) const ZERO_GROUPS: &str = "UPDATE es_checkpoints SET position = 0 WHERE consumer = 'groups'";
pub(crate) const LOST_GROUPS: &str = "DELETE FROM es_checkpoints WHERE consumer = 'groups'";

/// What is done to a folder.
pub(crate) enum Tamper {
    Gone(&'static str),
    Emptied(&'static str),
    Exchanged(&'static str, &'static str),
    Script(&'static str, String),
    /// A file of another program in the place of a store.
    Foreign(&'static str),
    /// Gone, with every row that lists it.
    Unlisted(&'static str),
}

pub(crate) fn script(module: &'static str, script: &str) -> Tamper {
    Tamper::Script(module, script.to_owned())
}

pub(crate) async fn apply(tamper: &Tamper, data: &Path) {
    let file = |module: &str| data.join(format!("{module}.db"));
    match tamper {
        Tamper::Gone(module) => fs::remove_file(file(module)).unwrap(),
        Tamper::Emptied(module) => fs::write(file(module), "").unwrap(),
        Tamper::Exchanged(from, to) => drop(fs::copy(file(from), file(to)).unwrap()),
        Tamper::Script(module, script) => tamper_with(&file(module), script).await,
        Tamper::Foreign(module) => {
            fs::remove_file(file(module)).unwrap();
            fs::write(file(module), "").unwrap();
            tamper_with(&file(module), "CREATE TABLE accounts (name TEXT); PRAGMA user_version = 1").await;
        }
        Tamper::Unlisted(module) => {
            fs::remove_file(file(module)).unwrap();
            nobody_lists(data, module).await;
        }
    }
}
pub(crate) async fn tamper_with(file: &Path, script: &str) {
    tamper(file, script).await.expect(script);
}

/// Removes what the stores of a folder say of one of them to each other.
pub(crate) async fn nobody_lists(data: &Path, module: &str) {
    for entry in fs::read_dir(data).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|kind| kind == "db") {
            let sql = format!("DELETE FROM es_documents WHERE projection = '_stores' AND key = '{module}'");
            tamper_with(&path, &sql).await;
        }
    }
}
