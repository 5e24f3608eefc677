//! Backups, restores and losses through the real binary: over files, and over PostgreSQL and NATS, where rows are
//! tampered with as an administrator could.

use crate::serve::{ends_well, sagactl, start, until};
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use tempfile::TempDir;
use test_servers::nats::{Nats, Version};
use test_servers::postgres::Postgres;

fn well(path: &Path, words: &[&str]) -> String {
    let (exit, said, errors) = sagactl(path, words);
    assert_eq!(exit, 0, "{words:?}: {said}{errors}");
    said
}
fn refused(path: &Path, words: &[&str], exit: i32, part: &str) {
    let (got, said, errors) = sagactl(path, words);
    assert!(got == exit && errors.contains(part), "{words:?} is {got}: {said}{errors}");
}

#[test]
fn a_backup_is_taken_beside_the_process_that_runs_the_folder() {
    let folder = TempDir::new().unwrap();
    let path = folder.path();
    let mut owner = start(path, &["dev", "--data", "data", "--listen", "127.0.0.1:0"]);
    until(path, "it is ready", || sagactl(path, &["doctor", "--probe", "ready", "--data", "data"]).0 == 0);
    well(path, &["saga", "start", "client-to-delivery", "--example", "-k", "k", "--data", "data"]);
    let said = well(path, &["store", "backup", "copy", "--data", "data"]);
    assert!(said.contains("orchestration  ") && said.contains("every promise kept"), "{said}");
    refused(path, &["store", "backup", "copy", "--data", "data"], 5, "SG0205");
    ends_well(&mut owner);
    well(path, &["events", "verify", "--data", "copy"]);
    assert!(well(path, &["saga", "list", "--data", "copy"]).contains("client-to-delivery"));
    // A store of it is lost: told, refused, and accepted by name only.
    fs::remove_file(path.join("copy/qc.db")).unwrap();
    let (exit, said, _) = sagactl(path, &["doctor", "--data", "copy"]);
    assert!(exit == 6 && said.contains("SG0018") && said.contains("qc"), "{said}");
    refused(path, &["dev", "--data", "copy", "--listen", "127.0.0.1:0"], 1, "SG0018");
    refused(path, &["store", "recover", "--data", "copy"], 1, "store accept qc");
    refused(path, &["store", "accept", "qc", "--data", "copy"], 2, "--yes");
    refused(path, &["store", "accept", "strategy", "--yes", "--data", "copy"], 5, "nothing is lost");
    assert!(!path.join("copy/qc.db").exists(), "nothing was made by the way");
    well(path, &["store", "accept", "qc", "--yes", "--as", "ann", "--data", "copy"]);
    let mut owner = start(path, &["dev", "--data", "copy", "--listen", "127.0.0.1:0"]);
    until(path, "it is ready", || sagactl(path, &["doctor", "--probe", "ready", "--data", "copy"]).0 == 0);
    ends_well(&mut owner);
}

/// A demo's stores in PostgreSQL, served once over a broker and at rest.
struct Served {
    folder: TempDir,
    postgres: Postgres,
    nats: Nats,
}

impl Served {
    fn new(version: Version) -> Self {
        let (folder, postgres, nats) = (TempDir::new().unwrap(), Postgres::start(), Nats::start(version));
        let (path, admin) = (folder.path(), postgres.url("postgres"));
        well(path, &["demo", "--fast", "--data", "data"]);
        well(path, &["store", "migrate", "--admin-url", &admin, "--password-folder", "secrets"]);
        well(path, &["store", "copy", "--from", "sqlite:data", "--to", &admin]);
        let served = Self { folder, postgres, nats };
        served.configure("postgres");
        served.serve();
        served
    }
    fn path(&self) -> &Path {
        self.folder.path()
    }
    fn configure(&self, database: &str) {
        let (port, bus) = (self.postgres.port(), self.nats.url());
        let text = format!(
            "[store]\nurl = 'postgres://127.0.0.1:{port}/{database}'\npassword_folder = 'secrets'\n[bus]\nurl = '{bus}'\n\
             [coordinator]\ngroups = 1\n[files]\nfolder = 'files'\n[admin]\nlisten = '127.0.0.1:0'\n"
        );
        fs::write(self.path().join("c.toml"), text).unwrap();
    }
    /// Runs everything until it is well, and everything has reached the broker.
    fn serve(&self) {
        let mut child = start(self.path(), &["serve", "--config", "c.toml"]);
        let doctor = || sagactl(self.path(), &["doctor", "--data", "files"]);
        until(self.path(), "it is well", || doctor().1.contains("ready, nothing is wrong"));
        until(self.path(), "every promise is kept", || sagactl(self.path(), VERIFY).0 == 0);
        ends_well(&mut child);
    }
    /// So many changes behind a cursor, while it is served.
    fn followed(&self, after: &str, many: usize) -> Vec<serde_json::Value> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sagactl"));
        command.args(["saga", "list", "--all", "--watch", "--cursor", after, "-o", "ndjson", "--data", "files"]);
        let mut child = command.current_dir(self.path()).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let told = lines.take(many).map(|line| serde_json::from_str(&line.unwrap()).unwrap()).collect();
        child.kill().unwrap();
        child.wait().unwrap();
        told
    }
    /// A database with everything that this one has, tampered with.
    fn tampered(&self, name: &str, sql: &str) {
        self.postgres.run("postgres", &format!("CREATE DATABASE {name} TEMPLATE \"good\""));
        self.postgres.run(name, &fs::read_to_string(self.path().join("roles.sql")).unwrap());
        self.postgres.run(name, &format!("SET session_replication_role = replica; {sql}"));
        self.configure(name);
    }
}

const VERIFY: &[&str] = &["events", "verify", "--at-rest", "--config", "c.toml"];
const FACTS: &str = "aicmo_orchestration.es_events WHERE stream LIKE 'orchestration_saga-%'";
const DEEDS: &str = "saga <> '00000000-0000-0000-0000-000000000000'";

#[test]
fn tampers_with_rows_are_found_in_postgresql_as_in_files() {
    let served = Served::new(Version::Debian);
    let path = served.path();
    fs::write(path.join("roles.sql"), well(path, &["config", "postgres-roles"])).unwrap();
    served.postgres.run("template1", "CREATE DATABASE good TEMPLATE postgres");
    let forged = "INSERT INTO aicmo_qc.es_inbox SELECT gen_random_uuid(), gen_random_uuid(), direction, payload_hash, epoch, outcome, \
                  answer FROM aicmo_qc.es_inbox LIMIT 1";
    let blot = format!(
        "UPDATE aicmo_qc.es_inbox SET outcome = 'refused', answer = 'x' WHERE key = (SELECT key FROM aicmo_qc.es_inbox WHERE {DEEDS} ORDER BY saga, key \
         LIMIT 1)"
    );
    let cut = |module: &str, beyond: &str| {
        format!(
            "DELETE FROM {module}.es_events WHERE position > {beyond}; UPDATE {module}.es_head SET (position, public_seq, chain) = \
             (SELECT coalesce(max(position), 0), coalesce(max(public_seq), 0), coalesce((SELECT chain FROM {module}.es_events ORDER \
             BY position DESC LIMIT 1), decode(repeat('00', 32), 'hex')) FROM {module}.es_events)"
        )
    };
    let table: &[(&str, String, &[&str])] = &[
        ("nothing", "SELECT 1".to_owned(), &["every promise kept"]),
        ("rows of an inbox are gone", format!("DELETE FROM aicmo_qc.es_inbox WHERE {DEEDS}"), &["S11 broken"]),
        (
            "a forged row behind one that cannot be read",
            format!("{forged}; {blot}"),
            &["qc, inbox", "not read", "nobody is known to have"],
        ),
        (
            "an answer is another",
            format!("UPDATE aicmo_production.es_inbox SET answer = '{{}}' WHERE {DEEDS}"),
            &["S11 broken"],
        ),
        (
            "documents are others",
            "UPDATE aicmo_strategy.es_documents SET body = '{}' WHERE i0 IS NOT NULL".to_owned(),
            &["R1 broken"],
        ),
        (
            "cursors are ahead",
            "UPDATE aicmo_production.es_checkpoints SET position = position + 100".to_owned(),
            &["B6 broken"],
        ),
        (
            "a cursor of nobody",
            "INSERT INTO aicmo_qc.es_checkpoints VALUES ('nobody', 1)".to_owned(),
            &["qc, cursor nobody"],
        ),
        (
            "more groups than there can be",
            "UPDATE aicmo_orchestration.es_checkpoints SET position = 65 WHERE consumer = 'groups'".to_owned(),
            &["orchestration, the number of groups: not read", "there are at most 64"],
        ),
        ("fences are gone", "DELETE FROM aicmo_orchestration.es_fences".to_owned(), &["F1 broken"]),
        ("the end of a log is cut", cut("aicmo_strategy", "3"), &["B6 broken", "L3 broken"]),
        ("a log is empty", cut("aicmo_delivery", "0"), &["L3 broken"]),
        ("nobody says whose it is", format!("DELETE FROM aicmo_qc.es_inbox WHERE NOT {DEEDS}"), &["L3 broken"]),
        ("a schema is gone", "DROP SCHEMA aicmo_production CASCADE".to_owned(), &["production", "missing"]),
        (
            "everybody may make temporary tables",
            "DO $$ BEGIN EXECUTE format('GRANT TEMPORARY ON DATABASE %I TO PUBLIC', current_database()); END $$"
                .to_owned(),
            &["grant of temporary on the database to everybody"],
        ),
    ];
    for (number, (what, sql, parts)) in table.iter().enumerate() {
        served.tampered(&format!("t{number}"), sql);
        let (exit, said, errors) = sagactl(path, VERIFY);
        assert_eq!(exit, if number == 0 { 0 } else { 6 }, "{what}: {said}{errors}");
        for part in *parts {
            assert!(said.contains(part), "{what}: {part} is not in {said}{errors}");
        }
    }
}

#[test]
fn what_changes_is_followed_over_postgresql_and_behind_any_cursor_comes_the_rest() {
    let served = Served::new(Version::Debian);
    let path = served.path();
    let mut child = start(path, &["serve", "--config", "c.toml"]);
    until(path, "it is ready", || sagactl(path, &["doctor", "--probe", "ready", "--data", "files"]).0 == 0);
    let facts: usize = served.postgres.run("postgres", &format!("SELECT count(*) FROM {FACTS}")).parse().unwrap();
    assert!(facts > 100, "{facts} facts");
    // One more than there are: it comes with the saga that begins now.
    let begin = ["saga", "start", "client-to-delivery", "--example", "-k", "new", "--data", "files"];
    well(path, &begin);
    let all = served.followed("1-0-", facts + 1);
    let fresh = &all[facts];
    assert_eq!((&fresh["fact"], &fresh["key"]), (&"SagaStarted".into(), &"new".into()), "{fresh}");
    assert!(all[..facts].iter().all(|change| change["key"] != "new"), "each fact is told once, in order");
    for place in [0, facts / 2, facts - 1] {
        let cursor = all[place]["cursor"].as_str().unwrap();
        assert_eq!(served.followed(cursor, facts - place), all[place + 1..], "behind {cursor}");
    }
    ends_well(&mut child);
}

#[test]
fn what_a_restore_left_is_set_right_over_postgresql_and_nats_and_over_files() {
    let served = Served::new(Version::Debian);
    let path = served.path();
    let recover = ["store", "recover", "--config", "c.toml"];
    assert!(well(path, &recover).contains(", 0 of them set right"));
    let ahead = "position + 100 WHERE consumer LIKE 'projection:%'";
    served.postgres.run("postgres", &format!("UPDATE aicmo_production.es_checkpoints SET position = {ahead}"));
    let (exit, said, _) = sagactl(path, VERIFY);
    assert!(exit == 6 && said.contains("B6 broken"), "{said}");
    let said = well(path, &recover);
    assert!(said.contains("emptied and folded anew") && !said.contains(", 0 of them set right"), "{said}");
    assert!(well(path, VERIFY).contains("every promise kept"));
    served.serve();
    // A schema was lost, and made anew by a migration: it starts only when that is accepted.
    served.postgres.run("postgres", "DROP SCHEMA aicmo_qc CASCADE");
    let admin = served.postgres.url("postgres");
    well(path, &["store", "migrate", "--admin-url", &admin, "--password-folder", "secrets"]);
    refused(path, &["serve", "--config", "c.toml"], 1, "SG0018");
    refused(path, &recover, 1, "store accept qc");
    let said = well(path, &["store", "accept", "qc", "--yes", "--as", "ann", "--config", "c.toml"]);
    assert!(said.contains("accepted by ann"), "{said}");
    // Over files, the same verbs.
    let copy = path.join("files.db");
    fs::create_dir(&copy).unwrap();
    for entry in fs::read_dir(path.join("data")).unwrap() {
        let file = entry.unwrap().path();
        if file.is_file() {
            fs::copy(&file, copy.join(file.file_name().unwrap())).unwrap();
        }
    }
    assert!(well(path, &["store", "recover", "--data", "files.db"]).contains(", 0 of them set right"));
    fs::remove_file(copy.join("production.db")).unwrap();
    refused(path, &["store", "recover", "--data", "files.db"], 1, "store accept production");
}

const DATA: [&str; 2] = ["--data-dir", "files"];

impl Served {
    /// One more saga, whose gate is open.
    fn begin(&self, key: &str) -> String {
        let path = self.path();
        let id =
            well(path, &["saga", "start", "client-to-delivery", "--example", "-k", key, "-o", "id", "--data", "files"]);
        let id = id.trim().to_owned();
        until(path, "its gate is open", || self.show(&id).contains("strategy-approved"));
        id
    }
    fn show(&self, id: &str) -> String {
        sagactl(self.path(), &[&["saga", "show", id][..], &DATA].concat()).1
    }
    /// Approves it, and waits for its end.
    fn finish(&self, id: &str) {
        let path = self.path();
        fs::write(path.join("approved.json"), r#"{"approved":true,"by":"test"}"#).unwrap();
        let approve = [&["saga", "signal", id, "strategy-approved", "--data", "approved.json"][..], &DATA].concat();
        until(path, "it is approved", || sagactl(path, &approve).0 == 0);
        until(path, "it has ended", || self.ended(id).is_some());
        assert_eq!(self.ended(id).as_deref(), Some("completed"), "{}", self.show(id));
    }
    fn ended(&self, id: &str) -> Option<String> {
        let (exit, said, _) = sagactl(self.path(), &[&["saga", "show", id, "-o", "json"][..], &DATA].concat());
        let said: serde_json::Value = serde_json::from_str(&said).ok().filter(|_| exit == 0)?;
        let state = said["state"].as_str()?.to_owned();
        ["completed", "compensated", "undo-failed", "parked"].contains(&state.as_str()).then_some(state)
    }
}

/// All stores are from before what the broker has: it is told, everything stops, and one verb sets it right.
fn a_restore_under_a_newer_broker(version: Version) {
    let served = Served::new(version);
    let (path, ready) = (served.path(), ["doctor", "--probe", "ready", "--data", "files"]);
    let is_ready = || sagactl(path, &ready).0 == 0;
    let mut child = start(path, &["serve", "--config", "c.toml"]);
    until(path, "it is ready", is_ready);
    let early = served.begin("early");
    ends_well(&mut child);
    fs::write(path.join("roles.sql"), well(path, &["config", "postgres-roles"])).unwrap();
    served.postgres.run("template1", "CREATE DATABASE old TEMPLATE postgres");
    // Another story takes the same places: on the broker stands what no restored log has.
    let mut child = start(path, &["serve", "--config", "c.toml"]);
    until(path, "it is ready", is_ready);
    let lost = served.begin("lost");
    served.finish(&lost);
    served.finish(&early);
    until(path, "every promise is kept", || sagactl(path, VERIFY).0 == 0);
    ends_well(&mut child);
    served.configure("old");
    // Some module has also read what is in no log.
    served.postgres.run("old", &fs::read_to_string(path.join("roles.sql")).unwrap());
    let ahead = "UPDATE aicmo_production.es_checkpoints SET position = position + 5 WHERE consumer LIKE 'projection:%'";
    served.postgres.run("old", ahead);
    let (exit, said, errors) = sagactl(path, VERIFY);
    assert!(exit == 6 && said.contains("events republish strategy"), "{said}{errors}");
    let mut child = start(path, &["serve", "--config", "c.toml"]);
    let told = || {
        let (exit, said, errors) = sagactl(path, &["doctor", "--data", "files"]);
        exit != 0 && said.contains("events republish") && said.contains("SG0314") && !errors.contains("panic")
    };
    until(path, "it is told, and how it is mended", told);
    assert!(!is_ready());
    ends_well(&mut child);
    let strategy = ["events", "republish", "strategy", "--config", "c.toml"];
    let said = well(path, &[&strategy[..], &["--dry-run"]].concat());
    assert!(said.contains("EVT_strategy: ") && said.contains("will be gone"), "{said}");
    refused(path, &strategy, 2, "--yes");
    refused(path, &["store", "recover", "--config", "c.toml"], 2, "--yes");
    assert!(well(path, &[&strategy[..], &["--dry-run"]].concat()).contains("will be gone"), "nothing was done");
    let said = well(path, &["store", "recover", "--yes", "--config", "c.toml"]);
    assert!(said.contains("EVT_strategy: made anew") && said.contains("EVT_orchestration: made anew"), "{said}");
    assert!(well(path, &[&strategy[..], &["--dry-run"]].concat()).contains("is on its way"), "{said}");
    let mut child = start(path, &["serve", "--config", "c.toml"]);
    until(path, "it is ready", is_ready);
    // What had been approved once is asked again, and its approval is passed by for nobody.
    served.finish(&early);
    let again = served.begin("again");
    served.finish(&again);
    until(path, "every promise is kept", || sagactl(path, VERIFY).0 == 0);
    assert!(well(path, &strategy).contains("nothing is to be done"));
    ends_well(&mut child);
}
#[test]
fn a_restore_under_a_newer_broker_is_told_and_set_right_by_one_verb_on_the_server_of_debian() {
    a_restore_under_a_newer_broker(Version::Debian);
}
#[test]
fn a_restore_under_a_newer_broker_is_told_and_set_right_by_one_verb_on_the_newest_server() {
    a_restore_under_a_newer_broker(Version::Newest);
}

impl Served {
    /// How often the step of a saga that was asked for most was asked for.
    fn asked(&self, id: &str) -> usize {
        let (_, said, _) = sagactl(self.path(), &[&["saga", "history", id, "-o", "json"][..], &DATA].concat());
        let said: serde_json::Value = serde_json::from_str(&said).unwrap_or_default();
        let rows = said["items"].as_array().cloned().unwrap_or_default();
        let mut times = std::collections::BTreeMap::<String, usize>::new();
        for row in rows.iter().filter(|row| row["fact"] == "StepDispatched") {
            let detail = row["detail"].as_str().unwrap_or_default();
            *times.entry(detail.split(' ').next().unwrap_or_default().to_owned()).or_default() += 1;
        }
        times.into_values().max().unwrap_or(0)
    }
}

/// An approval given while the broker is away is not known where its event has not arrived yet: the step waits for it,
/// as often as it takes, and no saga is undone.
#[test]
fn an_outage_of_the_broker_after_the_approval_undoes_no_saga() {
    let mut served = Served::new(Version::Debian);
    let mut child = start(served.path(), &["serve", "--config", "c.toml"]);
    until(served.path(), "it is ready", || {
        sagactl(served.path(), &["doctor", "--probe", "ready", "--data", "files"]).0 == 0
    });
    let ids = ["one", "two"].map(|key| served.begin(key));
    served.nats.kill();
    for id in &ids {
        fs::write(served.path().join("approved.json"), r#"{"approved":true,"by":"test"}"#).unwrap();
        let approve = [&["saga", "signal", id, "strategy-approved", "--data", "approved.json"][..], &DATA].concat();
        until(served.path(), "it is approved", || sagactl(served.path(), &approve).0 == 0);
    }
    // Five tries were once taken for the truth.
    let asked = || ids.iter().any(|id| served.asked(id) > 5 || served.ended(id).is_some());
    until(served.path(), "it is asked for again and again", asked);
    for id in &ids {
        assert_eq!(served.ended(id), None, "{}", served.show(id));
    }
    served.nats.restart();
    for id in &ids {
        until(served.path(), "it has ended", || served.ended(id).is_some());
        assert_eq!(served.ended(id).as_deref(), Some("completed"), "{}", served.show(id));
    }
    until(served.path(), "every promise is kept", || sagactl(served.path(), VERIFY).0 == 0);
    ends_well(&mut child);
}
