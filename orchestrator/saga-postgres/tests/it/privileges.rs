//! No module can touch another module's things, nor go around the functions of its own, whatever it says to the server.

use crate::database::{Database, MODULES, append, clock, migration, passwords, server};
use saga_core::batch::Commit;
use saga_core::export::Inspect;
use saga_core::id::Position;
use saga_core::ports::{EventStore, Tail};
use saga_postgres::{Credentials, Migration, PostgresStores, migrate, roles_sql};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection};
use std::str::FromStr;

/// A session as the role of a module, as anybody with its password could open it.
pub(crate) async fn login(database: &Database, module: &str) -> PgConnection {
    try_login(database, module).await.unwrap()
}
pub(crate) async fn try_login(database: &Database, module: &str) -> Result<PgConnection, sqlx::Error> {
    let role = format!("aicmo_{module}");
    let password = std::fs::read_to_string(passwords(&database.server).join(format!("{role}.password"))).unwrap();
    let options = PgConnectOptions::from_str(&database.server.url(&database.name)).unwrap();
    options.username(&role).password(&password).connect().await
}
async fn refused(connection: &mut PgConnection, sql: &str) {
    let outcome = sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(connection).await;
    let error = outcome.expect_err(sql);
    let code = error.as_database_error().and_then(|error| error.code()).unwrap_or_default().to_string();
    // Insufficient privilege, and nothing else: not a wrong name, not a trigger further down.
    assert_eq!(code, "42501", "{sql}: {error}");
}
/// `(name, kind)` of everything in a schema.
async fn objects(database: &Database, module: &str) -> Vec<(String, String)> {
    let sql = "SELECT c.relname::text, c.relkind::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
               WHERE n.nspname = $1 AND c.relkind IN ('r', 'S', 'v') UNION ALL \
               SELECT p.oid::regprocedure::text, 'f' FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace \
               WHERE n.nspname = $1";
    sqlx::query_as(sql).bind(format!("aicmo_{module}")).fetch_all(&mut database.admin().await).await.unwrap()
}
/// A call of a function with nothing for each argument.
fn call(signature: &str) -> String {
    let (name, arguments) = signature.split_once('(').unwrap();
    let types = arguments.trim_end_matches(')');
    let nulls: Vec<String> = types.split(',').filter(|t| !t.is_empty()).map(|t| format!("NULL::{t}")).collect();
    format!("SELECT {name}({})", nulls.join(","))
}

#[tokio::test]
async fn no_module_reaches_into_another() {
    let database = Database::new().await;
    let stores = database.stores();
    for module in MODULES {
        let answer = stores.open_store(module).await.unwrap().commit(append("a", 0, [1])).await;
        assert!(matches!(answer, Commit::Ok(_)), "{answer:?}");
    }
    let mut tried = 0;
    for module in MODULES {
        let mut session = login(&database, module).await;
        for other in MODULES.iter().filter(|other| *other != module) {
            let schema = format!("aicmo_{other}");
            for (name, kind) in objects(&database, other).await {
                let thing = format!("{schema}.{name}");
                let statements = match kind.as_str() {
                    "f" => vec![call(&name)],
                    _ => vec![
                        format!("SELECT * FROM {thing}"),
                        format!("SELECT 1 FROM {thing} FOR UPDATE"),
                        format!("INSERT INTO {thing} DEFAULT VALUES"),
                        format!("DELETE FROM {thing}"),
                        format!("TRUNCATE {thing}"),
                        format!("DROP TABLE {thing}"),
                        format!("ALTER TABLE {thing} ADD COLUMN x INT"),
                        format!("CREATE INDEX ON {thing} ((1))"),
                        format!("COPY {thing} TO STDOUT"),
                    ],
                };
                for sql in statements {
                    refused(&mut session, &sql).await;
                    tried += 1;
                }
            }
            for sql in [
                format!("CREATE TABLE {schema}.x (a INT)"),
                format!("UPDATE {schema}.es_head SET position = 0"),
                format!("UPDATE {schema}.es_events SET data = ''"),
                format!("CREATE FUNCTION {schema}.f() RETURNS INT LANGUAGE sql AS 'SELECT 1'"),
                format!("SET ROLE aicmo_{other}"),
                format!("SET ROLE aicmo_{other}_owner"),
                format!("ALTER SCHEMA {schema} RENAME TO stolen"),
                format!("GRANT ALL ON SCHEMA {schema} TO aicmo_{module}"),
            ] {
                refused(&mut session, &sql).await;
                tried += 1;
            }
        }
    }
    assert!(tried > 500, "{tried}");
    stores.close().await;
}

#[tokio::test]
async fn a_module_writes_through_its_functions_only() {
    let database = Database::new().await;
    let mut session = login(&database, "m").await;
    for table in ["events", "head", "inbox", "fences", "checkpoints", "documents", "blobs", "snapshots", "meta"] {
        let table = format!("es_{table}");
        let rows = sqlx::raw_sql(AssertSqlSafe(format!("SELECT * FROM {table}"))).fetch_all(&mut session).await;
        assert!(rows.is_ok(), "{table} is its own to read");
        refused(&mut session, &format!("INSERT INTO {table} DEFAULT VALUES")).await;
        refused(&mut session, &format!("DELETE FROM {table}")).await;
        refused(&mut session, &format!("TRUNCATE {table}")).await;
        refused(&mut session, &format!("SELECT 1 FROM {table} FOR UPDATE")).await;
        refused(&mut session, &format!("ALTER TABLE {table} DISABLE TRIGGER ALL")).await;
        refused(&mut session, &format!("DROP TABLE {table}")).await;
    }
    for sql in [
        "UPDATE es_head SET position = 0",
        "UPDATE es_events SET data = ''",
        "UPDATE es_fences SET epoch = 9",
        "UPDATE es_documents SET body = ''",
        "CREATE TABLE x (a INT)",
        "CREATE TABLE public.x (a INT)",
        "CREATE SCHEMA mine",
        "CREATE ROLE friend",
        "CREATE DATABASE mine",
        "SELECT es_events_are_final()",
        "SET ROLE aicmo_m_owner",
        "SET ROLE postgres",
        "SET SESSION AUTHORIZATION postgres",
        "ALTER ROLE aicmo_m SUPERUSER",
        "SET session_replication_role = replica",
        "COPY es_head TO '/tmp/x'",
        "CREATE TEMPORARY TABLE t (a INT)",
        "SELECT lo_create(0)",
        "SELECT lo_creat(-1)",
        "SELECT lo_from_bytea(0, 'x')",
        "DO $$ BEGIN LOCK TABLE aicmo_migration.turn IN ACCESS SHARE MODE; END $$",
        "SELECT * FROM aicmo_migration.turn",
        "CREATE TABLE aicmo_migration.x (a INT)",
    ] {
        refused(&mut session, sql).await;
    }
}

#[tokio::test]
async fn the_log_defends_itself_against_its_administrator() {
    let database = Database::new().await;
    let stores = database.stores();
    let answer = stores.open_store("m").await.unwrap().commit(append("a", 0, [1, 2])).await;
    assert!(matches!(answer, Commit::Ok(_)), "{answer:?}");
    let mut admin = database.admin().await;
    for sql in ["UPDATE aicmo_m.es_events SET data = ''", "DELETE FROM aicmo_m.es_events", "TRUNCATE aicmo_m.es_events"]
    {
        let error = sqlx::raw_sql(sql).execute(&mut admin).await.expect_err(sql).to_string();
        assert!(error.contains("events are never changed"), "{sql}: {error}");
    }
    let serializable = "BEGIN ISOLATION LEVEL SERIALIZABLE; SELECT aicmo_m.es_lock()";
    let error = sqlx::raw_sql(serializable).execute(&mut admin).await.expect_err(serializable).to_string();
    assert!(error.contains("READ COMMITTED"), "{error}");
    admin.close().await.unwrap();
    stores.close().await;
}

#[tokio::test]
async fn nothing_points_from_one_schema_into_another() {
    let database = Database::new().await;
    let mut admin = database.admin().await;
    let foreign = "SELECT conname::text FROM pg_constraint c JOIN pg_class a ON a.oid = c.conrelid \
                   JOIN pg_class b ON b.oid = c.confrelid WHERE c.contype = 'f' AND a.relnamespace <> b.relnamespace";
    let found: Vec<String> = sqlx::query_scalar(foreign).fetch_all(&mut admin).await.unwrap();
    assert_eq!(found, Vec::<String>::new());
    // Nobody else has a right to anything, and no login role owns anything or belongs to another role.
    let open = "SELECT n.nspname || '.' || p.proname FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace \
                WHERE n.nspname LIKE 'aicmo%' AND has_function_privilege('public', p.oid, 'EXECUTE')";
    let found: Vec<String> = sqlx::query_scalar(open).fetch_all(&mut admin).await.unwrap();
    assert_eq!(found, Vec::<String>::new());
    let owned = "SELECT c.relname::text FROM pg_class c JOIN pg_roles r ON r.oid = c.relowner WHERE r.rolcanlogin AND \
                 r.rolname <> current_user AND c.relnamespace IN (SELECT oid FROM pg_namespace WHERE nspname LIKE 'aicmo%')";
    let found: Vec<String> = sqlx::query_scalar(owned).fetch_all(&mut admin).await.unwrap();
    assert_eq!(found, Vec::<String>::new());
    let members = "SELECT m.rolname::text FROM pg_auth_members a JOIN pg_roles m ON m.oid = a.member \
                   WHERE m.rolname LIKE 'aicmo%'";
    let found: Vec<String> = sqlx::query_scalar(members).fetch_all(&mut admin).await.unwrap();
    assert_eq!(found, Vec::<String>::new());
}

#[tokio::test]
async fn the_auditor_reads_every_schema_and_writes_nothing() {
    let database = Database::new().await;
    let stores = database.stores();
    for module in MODULES {
        let answer = stores.open_store(module).await.unwrap().commit(append("a", 0, [1, 2])).await;
        assert!(matches!(answer, Commit::Ok(_)), "{answer:?}");
    }
    let audits = PostgresStores::new(database.credentials().as_auditor(), clock());
    for module in MODULES {
        let log = audits.open_store(module).await.unwrap();
        assert_eq!(log.read_log(Position::ZERO, 10).await.unwrap().len(), 2, "{module}");
        let refused = log.commit(append("b", 0, [3])).await;
        assert!(matches!(refused, Commit::Retryable(_)), "{module}: {refused:?}");
        assert_eq!(log.head().await, Ok(Position(2)), "{module}");
    }
    let mut session = login(&database, "auditor").await;
    let mut tried = 0;
    for module in MODULES {
        let schema = format!("aicmo_{module}");
        for (name, kind) in objects(&database, module).await {
            let thing = format!("{schema}.{name}");
            let statements = match kind.as_str() {
                "f" => vec![call(&name)],
                _ => vec![
                    format!("INSERT INTO {thing} DEFAULT VALUES"),
                    format!("SELECT 1 FROM {thing} FOR UPDATE"),
                    format!("DELETE FROM {thing}"),
                    format!("TRUNCATE {thing}"),
                    format!("DROP TABLE {thing}"),
                    format!("CREATE INDEX ON {thing} ((1))"),
                ],
            };
            for sql in statements {
                refused(&mut session, &sql).await;
                tried += 1;
            }
        }
        // A role that may use a schema may try to give it away; the server warns, and nothing is given.
        let grant = format!("GRANT ALL ON SCHEMA {schema} TO aicmo_auditor");
        sqlx::raw_sql(AssertSqlSafe(grant)).execute(&mut session).await.unwrap();
        for sql in [
            format!("UPDATE {schema}.es_events SET data = ''"),
            format!("CREATE TABLE {schema}.x (a INT)"),
            format!("SET ROLE {schema}"),
            format!("SET ROLE {schema}_owner"),
            "CREATE TABLE public.x (a INT)".to_owned(),
        ] {
            refused(&mut session, &sql).await;
        }
    }
    assert!(tried > 150, "{tried}");
    audits.close().await;
    stores.close().await;
}

#[tokio::test]
async fn no_module_can_keep_a_migration_waiting() {
    let database = Database::new().await;
    let mut session = login(&database, "m").await;
    // The lock that migrations of before took, which everybody who logs in may hold.
    sqlx::raw_sql("SELECT pg_advisory_lock(7381240152)").execute(&mut session).await.unwrap();
    let done = migrate(&database.server.url(&database.name), &["m", "n"], &migration(&database.server)).await.unwrap();
    assert!(done.len() == 2 && done.iter().all(|done| done.from == Some(done.to)), "{done:?}");
    session.close().await.unwrap();
}

#[tokio::test]
async fn a_role_that_announces_what_is_not_there_only_makes_others_look() {
    // A server has no right by which announcing could be forbidden.
    let database = Database::new().await;
    let stores = database.stores();
    let store = stores.open_store("n").await.unwrap();
    let grown = store.grown(Position::ZERO);
    let mut session = login(&database, "m").await;
    sqlx::raw_sql("NOTIFY es_aicmo_n, '99'").execute(&mut session).await.unwrap();
    let answer = store.commit(append("a", 0, [1])).await;
    assert!(matches!(answer, Commit::Ok(_)), "{answer:?}");
    assert_eq!(grown.await, Position(1), "it comes when there is something");
    stores.close().await;
}

#[tokio::test]
async fn the_roles_that_are_printed_are_those_that_are_made() {
    let server = server().await;
    let how = Migration::default().with_prefix("told").with_password_folder(passwords(server));
    server.run("postgres", "CREATE DATABASE told");
    let script = roles_sql(&["m", "n"], &how).unwrap();
    // By hand first, and again afterwards: a migration between finds everything, and nothing is changed by the second time.
    server.run("told", &script);
    let done = migrate(&server.url("told"), &["m", "n"], &how).await.unwrap();
    assert!(done.iter().all(|done| done.from.is_none()), "{done:?}");
    let flaws = async || {
        let credentials = Credentials::of_url(&server.url("told")).unwrap().with_prefix("told");
        let credentials = credentials.with_password_folder(passwords(server)).as_auditor();
        let stores = PostgresStores::new(credentials, clock());
        let flaws = stores.open_store("m").await.unwrap().flaws().await.unwrap();
        stores.close().await;
        flaws
    };
    assert_eq!(flaws().await, Vec::new());
    server.run("told", &script);
    assert_eq!(flaws().await, Vec::new());
}
