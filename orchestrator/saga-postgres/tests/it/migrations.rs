//! Making schemas and opening them: repeated, interrupted, too new, not there, on an unsafe server.

use crate::database::{Database, append, clock, migration, passwords, prepare, server};
use saga_core::batch::Commit;
use saga_core::id::Position;
use saga_core::ports::{EventStore, OpenError, Tail};
use saga_postgres::testing::migrate_as_of;
use saga_postgres::{Credentials, MigrateError, Migration, PostgresStores, migrate};
use sqlx::{AssertSqlSafe, Connection, Row};
use test_servers::postgres::Postgres;

/// The version of the newest schema.
const NEWEST: i64 = 3;

async fn refusal(stores: &PostgresStores) -> OpenError {
    match stores.open_store("m").await {
        Err(error) => error,
        Ok(_) => panic!("must not open"),
    }
}
/// Everything in a schema, and every right, as text.
async fn picture(database: &Database) -> Vec<String> {
    let sql = "SELECT concat_ws(' ', c.relname, c.relkind, c.relacl, c.reloptions, pg_get_userbyid(c.relowner)) FROM pg_class c \
               WHERE c.relnamespace IN (SELECT oid FROM pg_namespace WHERE nspname LIKE 'aicmo%') UNION ALL \
               SELECT concat_ws(' ', p.oid::regprocedure, p.proacl, p.proconfig, md5(p.prosrc)) FROM pg_proc p \
               WHERE p.pronamespace IN (SELECT oid FROM pg_namespace WHERE nspname LIKE 'aicmo%') UNION ALL \
               SELECT concat_ws(' ', nspname, nspacl) FROM pg_namespace WHERE nspname LIKE 'aicmo%' UNION ALL \
               SELECT concat_ws(' ', rolname, rolpassword, rolcanlogin, rolconnlimit) FROM pg_authid WHERE rolname LIKE 'aicmo%' \
               ORDER BY 1";
    let rows = sqlx::query(sql).fetch_all(&mut database.admin().await).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

#[tokio::test]
async fn a_schema_of_every_older_program_becomes_the_newest() {
    let server = Postgres::start();
    let how = migration(&server);
    for older in 1..=NEWEST {
        let name = format!("of{older}");
        server.run("postgres", &format!("CREATE DATABASE {name}"));
        let url = server.url(&name);
        let made = migrate_as_of(&url, "m", &how, usize::try_from(older).unwrap()).await.unwrap();
        assert_eq!((made.from, made.to), (None, older));
        let done = migrate(&url, &["m"], &how).await.unwrap();
        assert_eq!((done[0].from, done[0].to), (Some(older), NEWEST));
        let stores =
            PostgresStores::new(Credentials::of_url(&url).unwrap().with_password_folder(passwords(&server)), clock());
        let store = stores.open_store("m").await.unwrap();
        assert!(matches!(store.commit(append("a", 0, [1])).await, Commit::Ok(_)));
        assert_eq!(store.head().await, Ok(Position(1)));
        stores.close().await;
    }
}

#[tokio::test]
async fn migrating_twice_changes_nothing() {
    let database = Database::new().await;
    let before = picture(&database).await;
    assert!(before.len() > 30, "{before:?}");
    let again = migrate(&database.server.url(&database.name), &["m", "n"], &migration(&database.server)).await.unwrap();
    assert_eq!(again.iter().map(|done| (done.from, done.to)).collect::<Vec<_>>(), [(Some(NEWEST), NEWEST); 2]);
    assert_eq!(picture(&database).await, before);
}

#[tokio::test]
async fn a_migration_killed_anywhere_is_simply_run_again() {
    // A server of its own: roles are of the whole server.
    let server = Postgres::start();
    server.run("postgres", "CREATE DATABASE d");
    let folder = server.folder().join("passwords");
    let how = Migration::default().with_password_folder(&folder);
    let mut killed = 0;
    for after in 0.. {
        // The administrator's session is ended when it has run this many statements.
        match saga_postgres::testing::migrate_killed_after(&server.url("d"), "m", &how, after).await {
            true => killed += 1,
            false => break,
        }
        let left = server.run("d", "SELECT count(*) FROM pg_namespace WHERE nspname = 'aicmo_m'");
        assert_eq!(left, "0", "after {after} statements there is nothing");
    }
    assert!(killed > 15, "{killed}");
    migrate(&server.url("d"), &["m"], &how).await.unwrap();
    let credentials = Credentials::of_url(&server.url("d")).unwrap().with_password_folder(&folder);
    let stores = PostgresStores::new(credentials, clock());
    let answer = stores.open_store("m").await.unwrap().commit(append("a", 0, [1])).await;
    assert!(matches!(answer, Commit::Ok(_)), "{answer:?}");
    stores.close().await;
    // Killed between the commit and the renaming of the file: the password is told to the server again.
    let file = folder.join("aicmo_m.password");
    std::fs::rename(&file, folder.join("aicmo_m.password.new")).unwrap();
    migrate(&server.url("d"), &["m"], &how).await.unwrap();
    assert!(file.exists());
    // Lost altogether: there is a new one, and it works.
    let before = std::fs::read_to_string(&file).unwrap();
    std::fs::remove_file(&file).unwrap();
    migrate(&server.url("d"), &["m"], &how).await.unwrap();
    assert_ne!(std::fs::read_to_string(&file).unwrap(), before);
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&file).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    let credentials = Credentials::of_url(&server.url("d")).unwrap().with_password_folder(&folder);
    let stores = PostgresStores::new(credentials, clock());
    assert_eq!(stores.open_store("m").await.unwrap().head().await, Ok(Position(1)));
    stores.close().await;
}

/// A role may change its own password, which nobody can forbid: then it is told the one in its file again.
#[tokio::test]
async fn one_run_heals_a_password_that_a_role_has_changed() {
    let server = Postgres::start();
    server.run("postgres", "CREATE ROLE boss LOGIN CREATEROLE PASSWORD 'secret'; ");
    server.run("postgres", "CREATE DATABASE d OWNER boss");
    let how = migration(&server);
    let url = server.url("d").replace("postgres@", "boss:secret@");
    migrate(&url, &["m"], &how).await.unwrap();
    let credentials = Credentials::of_url(&url).unwrap().with_password_folder(passwords(&server));
    for admin in [&url, &server.url("d")] {
        for (role, credentials) in
            [("aicmo_m", credentials.clone()), ("aicmo_auditor", credentials.clone().as_auditor())]
        {
            server.run("d", &format!("SET SESSION AUTHORIZATION {role}; ALTER ROLE CURRENT_USER PASSWORD 'mine'"));
            let locked_out = refusal(&PostgresStores::new(credentials.clone(), clock())).await.to_string();
            assert!(locked_out.contains("password authentication failed"), "{locked_out}");
            migrate(admin, &["m"], &how).await.unwrap();
            let stores = PostgresStores::new(credentials, clock());
            assert_eq!(stores.open_store("m").await.unwrap().head().await, Ok(Position::ZERO), "{role}");
            stores.close().await;
        }
    }
}

#[tokio::test]
async fn two_administrators_at_once_do_no_harm() {
    let server = server().await;
    server.run("postgres", "CREATE DATABASE twice");
    let (url, how) = (server.url("twice"), migration(server));
    let (left, right) = tokio::join!(migrate(&url, &["m", "n"], &how), migrate(&url, &["m", "n"], &how));
    left.unwrap();
    right.unwrap();
}

#[tokio::test]
async fn an_administrator_need_not_be_a_superuser() {
    let server = Postgres::start();
    server.run("postgres", "CREATE ROLE boss LOGIN CREATEROLE PASSWORD 'secret'");
    server.run("postgres", "CREATE DATABASE d OWNER boss");
    let folder = server.folder().join("passwords");
    let url = server.url("d").replace("postgres@", "boss:secret@");
    for from in [None, Some(NEWEST)] {
        let how = Migration::default().with_password_folder(&folder).with_connections_max(9);
        let done = migrate(&url, &["m"], &how).await.unwrap();
        assert_eq!(done[0].from, from);
    }
    let credentials = Credentials::of_url(&server.url("d")).unwrap().with_password_folder(&folder);
    let stores = PostgresStores::new(credentials, clock());
    let answer = stores.open_store("m").await.unwrap().commit(append("a", 0, [1])).await;
    assert!(matches!(answer, Commit::Ok(_)), "{answer:?}");
    stores.close().await;
    // Nobody else may even connect.
    server.run("postgres", "CREATE ROLE stranger LOGIN PASSWORD 'x'");
    let stranger = server.url("d").replace("postgres@", "stranger:x@");
    let refused = sqlx::PgConnection::connect(&stranger).await.unwrap_err().to_string();
    assert!(refused.contains("permission denied for database"), "{refused}");
}

#[tokio::test]
async fn what_is_missing_names_the_command_that_makes_it() {
    let server = server().await;
    server.run("postgres", "CREATE DATABASE bare");
    let open = |url: String| {
        let credentials = Credentials::of_url(&url).unwrap().with_password_folder(passwords(server));
        PostgresStores::new(credentials, clock())
    };
    for url in [server.url("bare"), server.url("nowhere")] {
        match refusal(&open(url)).await {
            OpenError::Unavailable { why, .. } => assert!(why.ends_with("run: sagactl store migrate"), "{why}"),
            other => panic!("{other}"),
        }
    }
    // A module without a password file, and one with a wrong password.
    let database = Database::new().await;
    let url = server.url(&database.name).replace("postgres@", "x:wrong@");
    for stores in [
        PostgresStores::new(database.credentials().with_password_folder("/nonexistent"), clock()),
        PostgresStores::connect(&url, clock()).unwrap(),
    ] {
        match refusal(&stores).await {
            OpenError::Unavailable { why, .. } => {
                assert!(why.ends_with("run: sagactl store migrate") && !why.contains("wrong@"), "{why}");
            }
            other => panic!("{other}"),
        }
    }
    for name in ["", "../m", "M", "m\""] {
        assert!(matches!(open(url.clone()).open_store(name).await, Err(OpenError::Unavailable { .. })), "{name:?}");
    }
}

#[tokio::test]
async fn a_schema_of_a_newer_program_is_refused() {
    let database = Database::new().await;
    let mut admin = database.admin().await;
    sqlx::raw_sql("UPDATE aicmo_m.es_meta SET schema_version = 99").execute(&mut admin).await.unwrap();
    assert!(matches!(refusal(&database.stores()).await, OpenError::Newer { found: 99, known: NEWEST, .. }));
    let url = database.server.url(&database.name);
    let outcome = migrate(&url, &["m"], &migration(&database.server)).await;
    assert!(matches!(outcome, Err(MigrateError::Newer { found: 99, known: NEWEST, .. })), "{outcome:?}");
    sqlx::raw_sql("UPDATE aicmo_m.es_meta SET schema_version = 0").execute(&mut admin).await.unwrap();
    match refusal(&database.stores()).await {
        OpenError::Unavailable { why, .. } => assert!(why.ends_with("run: sagactl store migrate"), "{why}"),
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn an_unsafe_server_is_refused_unless_it_is_accepted() {
    for setting in ["fsync", "full_page_writes", "synchronous_commit"] {
        let server = Postgres::with_settings(&[(setting, "off")]);
        prepare(&server, "d").await;
        let open = || {
            let credentials = Credentials::of_url(&server.url("d")).unwrap().with_password_folder(passwords(&server));
            PostgresStores::new(credentials, clock())
        };
        match refusal(&open()).await {
            OpenError::Unsafe { setting: found, .. } => assert_eq!(found, setting),
            other => panic!("{other}"),
        }
        let stores = open().accept_unsafe();
        let answer = stores.open_store("m").await.unwrap().commit(append("a", 0, [1])).await;
        assert!(matches!(answer, Commit::Ok(_)), "{answer:?}");
        stores.close().await;
    }
}

#[tokio::test]
async fn damage_at_the_end_of_the_log_is_named_at_start() {
    for (damage, expected) in [
        (
            "UPDATE aicmo_m.es_events SET data = '{}' WHERE position = 23",
            "es_events position 23 is not what was written",
        ),
        ("DELETE FROM aicmo_m.es_events WHERE position = 23", "es_events has no position 23"),
        (
            "DELETE FROM aicmo_m.es_events WHERE position = 40",
            "the log was 40 events long, and now ends at position 39",
        ),
        (
            "UPDATE aicmo_m.es_head SET chain = decode(repeat('00', 32), 'hex')",
            "es_events position 40 is not what it was when it was noted",
        ),
    ] {
        let database = Database::new().await;
        let stores = database.stores();
        let answer = stores.open_store("m").await.unwrap().commit(append("a", 0, 1..=40)).await;
        assert!(matches!(answer, Commit::Ok(_)), "{answer:?}");
        stores.close().await;
        let mut admin = database.admin().await;
        let script = format!("SET session_replication_role = replica; {damage}");
        sqlx::raw_sql(AssertSqlSafe(script)).execute(&mut admin).await.unwrap();
        admin.close().await.unwrap();
        match refusal(&database.stores()).await {
            OpenError::Corrupt { why, .. } => assert_eq!(why, expected),
            other => panic!("{other}"),
        }
    }
}
