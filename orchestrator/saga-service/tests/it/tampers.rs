//! Every tamper with a store that once went unnoticed: one a row, on a copy of a good folder, and what finds it.

use crate::folder::{
    GROUPS, LOST_GROUPS, NO_GROUPS, NOBODYS, Tamper, ZERO_GROUPS, apply, behind_the_triggers, check, copy, good, lines,
    script, tamper_with,
};
use saga::SystemClock;
use saga_core::control::{Asks as _, ask};
use saga_core::envelope::Actor;
use saga_service::Service;
use saga_service::demo::providers;
use saga_sqlite::SqliteStores;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// One row of a saga's deeds, the first one; all others come behind it.
const DAMAGED: &str = "UPDATE es_inbox SET outcome = 'refused', answer = 'x' WHERE saga = (SELECT min(saga) FROM es_inbox WHERE saga > zeroblob(16))";
const REFUSED: &str =
    r#"UPDATE es_inbox SET outcome = 'refused', answer = '{"code":"NO","reason":"no"}' WHERE saga > zeroblob(16)"#;

#[tokio::test]
async fn every_tamper_is_found() {
    let (good, _) = good().await;
    assert_eq!(check(good.path()).await.findings, []);
    let cut = |module, count: u32| {
        let last = format!("DELETE FROM es_events WHERE position > (SELECT max(position) FROM es_events) - {count}");
        Tamper::Script(module, behind_the_triggers(&last))
    };
    let all = || behind_the_triggers("DELETE FROM es_events");
    // The last of all ids: whatever else is done to the first row does not meet the forged one.
    let forged = "INSERT INTO es_inbox SELECT x'fffffffffffffffffffffffffffffffe', x'fffffffffffffffffffffffffffffffe', \
                  'do', payload_hash, epoch, outcome, answer FROM es_inbox LIMIT 1";
    let table: Vec<(&str, Tamper, &str)> = vec![
        ("a store is gone", Tamper::Gone("production"), "S11 production, sqlite:"),
        ("another one is gone", Tamper::Gone("delivery"), "S11 delivery, sqlite:"),
        ("the coordinator's store is gone", Tamper::Gone("orchestration"), "O4 orchestration, sqlite:"),
        ("a file was emptied", Tamper::Emptied("qc"), "O4 qc: not read"),
        (
            "another module's file in its place",
            Tamper::Exchanged("strategy", "qc"),
            "L3 qc: the store qc does not belong",
        ),
        ("whose deeds are other deeds", Tamper::Exchanged("strategy", "qc"), "S11 saga"),
        ("a store that says nothing of whose it is", script("qc", NOBODYS), "L3 qc: the store qc does not belong here"),
        ("the end of a log that nobody else has read", cut("qc", 1), "L3 qc: the store qc is older than"),
        (
            "the log is empty",
            Tamper::Script("production", all()),
            "B6 delivery, cursor projection:delivery.assets.v1@production",
        ),
        ("the coordinator's log is empty", Tamper::Script("orchestration", all()), "S11 production, inbox"),
        ("the end of a log is cut", cut("strategy", 3), "B6"),
        ("the end of the coordinator's log is cut", cut("orchestration", 150), "S11"),
        (
            "a foreign trigger",
            script("qc", "CREATE TRIGGER t AFTER INSERT ON es_events BEGIN DELETE FROM es_inbox; END"),
            "L3 qc, trigger t on es_events",
        ),
        ("a trigger is gone", script("qc", "DROP TRIGGER es_events_no_update"), "L3 qc, trigger es_events_no_update"),
        ("an index is gone", script("qc", "DROP INDEX es_documents_i0"), "L3 qc, index es_documents_i0"),
        (
            "a row of an inbox is gone",
            script("qc", "DELETE FROM es_inbox WHERE saga = (SELECT max(saga) FROM es_inbox)"),
            "S11",
        ),
        ("an inbox is empty", script("delivery", "DELETE FROM es_inbox"), "S11"),
        (
            "an answer is another",
            script("production", "UPDATE es_inbox SET answer = '{}' WHERE saga > zeroblob(16)"),
            "S11",
        ),
        ("an answer is a refusal", script("strategy", REFUSED), "S11"),
        (
            "an answer that is none",
            script("strategy", "UPDATE es_inbox SET outcome = 'refused' WHERE saga > zeroblob(16)"),
            "O4 strategy, inbox",
        ),
        ("a deed is another command's", script("qc", "UPDATE es_inbox SET payload_hash = zeroblob(32)"), "S11"),
        ("a forged deed", script("qc", forged), "S11 qc, inbox"),
        (
            "a forged deed behind a row that cannot be read",
            script("qc", &format!("{forged}; {DAMAGED}")),
            "S11 qc, inbox",
        ),
        ("one row that cannot be read", script("qc", DAMAGED), "O4 qc, inbox 0"),
        (
            "a cursor that nobody has",
            script("qc", "INSERT INTO es_checkpoints VALUES ('projection:qc.forged.v1@strategy', 3)"),
            "B6 qc, cursor projection:qc.forged.v1@strategy",
        ),
        (
            "a cursor that no program would make",
            script("delivery", "INSERT INTO es_checkpoints VALUES ('anything', 3)"),
            "B6 delivery, cursor anything",
        ),
        (
            "more groups than there can be",
            script("orchestration", GROUPS),
            "O4 orchestration, the number of groups: not read",
        ),
        (
            "groups of a number that is none",
            script("orchestration", NO_GROUPS),
            "O4 orchestration, the number of groups",
        ),
        ("groups of the number 0", script("orchestration", ZERO_GROUPS), "O4 orchestration, the number of groups"),
        (
            "the number of groups is gone",
            script("orchestration", LOST_GROUPS),
            "O4 orchestration, the number of groups",
        ),
        ("the number of the tables is none", script("qc", "PRAGMA user_version = -1"), "O4 qc: not read: SG0005"),
        ("the number of the tables is nothing", script("qc", "PRAGMA user_version = 0"), "O4 qc: not read: SG0005"),
        ("a file of another program", Tamper::Foreign("qc"), "O4 qc: not read: SG0018"),
        ("a store is gone, and nobody lists it", Tamper::Unlisted("production"), "L3 production, sqlite:"),
        (
            "the coordinator's is gone, and nobody lists it",
            Tamper::Unlisted("orchestration"),
            "L3 orchestration, sqlite:",
        ),
        ("a document is another", script("strategy", "UPDATE es_documents SET body = '{}' WHERE i0 IS NOT NULL"), "R1"),
        ("a document is gone", script("onboarding", "DELETE FROM es_documents WHERE i0 IS NOT NULL"), "R1"),
        (
            "a document nobody wrote",
            script(
                "qc",
                "INSERT INTO es_documents SELECT projection, version, 'x', fields, i0, i1, \
          i2, i3, body FROM es_documents WHERE projection LIKE 'qc.board%' LIMIT 1",
            ),
            "R1",
        ),
        (
            "a document is found by another value",
            script("delivery", "UPDATE es_documents SET i0 = 'x' WHERE fields > 0"),
            "R1",
        ),
        ("the list of sagas is another", script("orchestration", "DELETE FROM es_documents"), "R1 orchestration"),
        ("cursors are ahead", script("production", "UPDATE es_checkpoints SET position = position + 100"), "B6"),
        (
            "cursors stand on other events",
            script("production", "UPDATE es_checkpoints SET position = position + 1 WHERE consumer LIKE 'anchor:%'"),
            "B6",
        ),
        (
            "cursors are back",
            script("production", "UPDATE es_checkpoints SET position = 0 WHERE consumer LIKE 'p%'"),
            "R1",
        ),
        ("fences are back", script("orchestration", "UPDATE es_fences SET epoch = 0"), "F1"),
        ("a fence is beyond all", script("orchestration", "UPDATE es_fences SET epoch = 4611686018427387904"), "F1"),
        ("fences are gone", script("orchestration", "DELETE FROM es_fences"), "F1"),
    ];
    for (what, tamper, expected) in table {
        let copy = copy(good.path());
        apply(&tamper, copy.path()).await;
        let found = lines(&check(copy.path()).await);
        assert!(found.iter().any(|line| line.starts_with(expected)), "{what}: {found:#?}");
    }
}
/// Everything that is in a file, without what it has unused.
async fn content(folder: &Path, name: &str) -> Vec<u8> {
    let copy = copy(folder);
    let packed = copy.path().join("packed");
    tamper_with(&copy.path().join(name), &format!("VACUUM INTO '{}'", packed.display())).await;
    fs::read(packed).unwrap()
}
#[tokio::test]
async fn all_stores_are_read_to_the_end() {
    let (good, _) = good().await;
    let copy = copy(good.path());
    for module in ["delivery", "onboarding"] {
        let file = copy.path().join(format!("{module}.db"));
        let mut bytes = fs::read(&file).unwrap();
        let from = 4_096;
        bytes[from..].fill(0x5a);
        fs::write(&file, bytes).unwrap();
    }
    tamper_with(&copy.path().join("strategy.db"), "UPDATE es_checkpoints SET position = position + 100").await;
    let found = lines(&check(copy.path()).await);
    for expected in ["O4 delivery", "O4 onboarding", "B6 strategy"] {
        assert!(found.iter().any(|line| line.starts_with(expected)), "{expected}: {found:#?}");
    }
}

#[tokio::test]
async fn a_flipped_byte_of_any_page_is_found() {
    let (good, _) = good().await;
    let mut missed = Vec::new();
    for module in ["strategy", "orchestration"] {
        let name = format!("{module}.db");
        let bytes = fs::read(good.path().join(&name)).unwrap();
        // Each of a module's, and of the coordinator's as many.
        let pages = bytes.len() / 4_096;
        for page in (1..=pages).step_by(pages.div_ceil(50)) {
            let copy = copy(good.path());
            let mut flipped = bytes.clone();
            // Rows are laid down from the end of a page: its last byte belongs to the first of them.
            let at = page * 4_096 - 1;
            flipped[at] ^= 1;
            fs::write(copy.path().join(&name), flipped).unwrap();
            let found = lines(&check(copy.path()).await);
            if found.is_empty() && content(copy.path(), &name).await != content(good.path(), &name).await {
                missed.push(format!("{name} page {page}"));
            }
        }
    }
    assert_eq!(missed, Vec::<String>::new());
}

/// The files below a folder, in the order of their names.
fn files_below(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files.extend(files_below(&path)) } else { files.push(path) }
    }
    files.sort();
    files
}
#[tokio::test]
async fn files_that_events_name_are_missed_by_their_digests() {
    let (good, _) = good().await;
    let verdicts = check(good.path()).await;
    assert!(verdicts.promises.iter().any(|promise| promise == "O5") && verdicts.findings.is_empty());
    let files = files_below(&good.path().join("files"));
    let digest = |path: &Path| path.parent().unwrap().file_name().unwrap().to_string_lossy().into_owned();
    let (missing, changed) = (&files[0], &files[files.len() / 2]);
    // In a copy of the folder, a file that is there with other bytes is told from those that lie at their addresses alone.
    let other = copy(good.path());
    let here = other.path().join(changed.strip_prefix(good.path()).unwrap());
    fs::create_dir_all(here.parent().unwrap()).unwrap();
    fs::write(&here, "something else").unwrap();
    let found = lines(&check(other.path()).await);
    assert_eq!(found.len(), files.len(), "{found:#?}");
    for line in found {
        let says = if line.contains(&digest(changed)) { "it has other bytes" } else { "only at the address" };
        assert!(line.contains(says), "{line}");
    }
    fs::remove_file(missing).unwrap();
    fs::write(changed, "something else").unwrap();
    let found = lines(&check(good.path()).await);
    assert_eq!(found.len(), 2, "{found:#?}");
    for (path, says) in [(missing, "it is missing"), (changed, "other bytes")] {
        let told =
            |line: &&String| line.starts_with("O5 delivery:") && line.contains(&digest(path)) && line.contains(says);
        assert!(found.iter().any(|line| told(&line)), "{}: {found:#?}", path.display());
    }
    fs::remove_dir_all(good.path().join("files")).unwrap();
    let found = lines(&check(good.path()).await);
    assert!(found.len() == files.len() && found.iter().all(|line| line.starts_with("O5 ")), "all of them: {found:#?}");
    // The process that runs the folder says the same.
    let service = Service::open(good.path(), providers(Duration::from_millis(1)), 7).await.unwrap();
    let verdicts = service.control().ask(&Actor::operator("ann"), ask::Verify {}).await.unwrap();
    assert_eq!(lines(&verdicts), found);
    service.close().await;
}

#[tokio::test]
async fn stores_that_may_be_elsewhere_are_said_not_to_be_compared() {
    let data = tempfile::tempdir().unwrap();
    let stores = SqliteStores::new(data.path(), Arc::new(SystemClock));
    stores.open_store("qc").await.unwrap();
    stores.close().await;
    let notes = check(data.path()).await.notes;
    for module in ["onboarding", "strategy", "production", "delivery"] {
        let told =
            notes.iter().any(|note| note.starts_with(&format!("not compared: {module}, whose store is not here")));
        assert!(told, "{module}: {notes:#?}");
    }
    assert!(notes.iter().all(|note| !note.starts_with("not compared: qc")), "{notes:#?}");
}
