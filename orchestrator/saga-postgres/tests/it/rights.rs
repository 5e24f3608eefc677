//! A module may do what its migrations gave it; every right beyond that is named, from whichever role and by whichever
//! way it came.

use crate::database::{Database, migration};
use saga_postgres::migrate;
use saga_postgres::testing::flaws;
use sqlx::AssertSqlSafe;
use sqlx::postgres::PgConnection;
use std::fmt::Write as _;

/// What there may be in a database beside schemas of modules, made by its administrator: one of every kind that has rights.
const MAKE: &str = "CREATE SCHEMA beside; CREATE TABLE public.t (a INT); CREATE VIEW public.v AS SELECT 1; \
    CREATE SEQUENCE public.s; CREATE TYPE public.y AS ENUM ('a'); SELECT lo_create(99); \
    CREATE FUNCTION public.f() RETURNS INT SECURITY DEFINER LANGUAGE sql AS 'SELECT 1'; \
    REVOKE EXECUTE ON FUNCTION public.f() FROM PUBLIC; \
    CREATE FOREIGN DATA WRAPPER w; CREATE SERVER o FOREIGN DATA WRAPPER w; \
    CREATE ROLE one; CREATE ROLE two; CREATE ROLE three LOGIN;";

/// Does something as the administrator, and asks what is wrong with a module as everybody would who checks it; then nothing of
/// it was done.
pub(crate) async fn found(admin: &mut PgConnection, deed: &str) -> Vec<String> {
    let script = format!(
        "BEGIN; {MAKE} {deed}; SET LOCAL ROLE aicmo_auditor; SET LOCAL search_path = aicmo_m; \
                          SET LOCAL jit = off"
    );
    sqlx::raw_sql(AssertSqlSafe(script)).execute(&mut *admin).await.unwrap_or_else(|why| panic!("{deed}: {why}"));
    let found = flaws(admin, "m").await.unwrap_or_else(|why| panic!("{deed}: {why}"));
    sqlx::raw_sql("ROLLBACK").execute(admin).await.unwrap();
    found
}
/// Tries all of them, and tells of all that were not seen.
async fn all_found(admin: &mut PgConnection, deeds: &[(String, String)]) {
    let mut missed = String::new();
    for (deed, wanted) in deeds {
        let flaws = found(admin, deed).await;
        if !flaws.iter().any(|flaw| flaw.contains(wanted)) {
            writeln!(missed, "{deed}\n    wanted {wanted:?}, found {flaws:?}").unwrap();
        }
    }
    assert!(missed.is_empty(), "not seen:\n{missed}");
}

#[tokio::test]
async fn a_fresh_database_gives_nobody_more_and_everything_in_it_is_looked_at() {
    let database = Database::of_its_own().await;
    let mut admin = database.admin().await;
    assert_eq!(found(&mut admin, "SELECT 1").await, Vec::<String>::new());
    // A catalogue of things that have rights, which a newer server may have more of.
    let sql = "SELECT attrelid::regclass::text FROM pg_attribute JOIN pg_class c ON c.oid = attrelid \
               WHERE atttypid = 'aclitem[]'::regtype AND relkind = 'r' AND attrelid <> 'pg_init_privs'::regclass";
    let catalogues: Vec<String> = sqlx::query_scalar(sql).fetch_all(&mut admin).await.unwrap();
    let asked = include_str!("../../src/rights.sql");
    assert!(catalogues.len() >= 13, "{catalogues:?}");
    for catalogue in catalogues {
        assert!(asked.contains(&format!("FROM {catalogue}")), "{catalogue} is not inspected");
    }
}

#[tokio::test]
async fn every_right_to_every_kind_of_thing_is_named() {
    let database = Database::of_its_own().await;
    let mut admin = database.admin().await;
    // The kinds are asked of the server, so that a right that a newer one has is tried as well.
    let mut deeds = Vec::new();
    for (kind, name, shown) in [
        ("n", "SCHEMA beside", "schema beside"),
        ("n", "SCHEMA aicmo_migration", "schema aicmo_migration"),
        ("r", "TABLE public.t", "table public.t"),
        ("r", "TABLE public.v", "view public.v"),
        ("r", "TABLE aicmo_migration.turn", "table aicmo_migration.turn"),
        ("r", "TABLE pg_authid", "table pg_catalog.pg_authid"),
        ("s", "SEQUENCE public.s", "sequence public.s"),
        ("f", "FUNCTION public.f()", "function public.f()"),
        ("f", "FUNCTION pg_read_file(text)", "function pg_catalog.pg_read_file(pg_catalog.text)"),
        ("f", "FUNCTION lo_create(oid)", "function pg_catalog.lo_create(pg_catalog.oid)"),
        ("f", "FUNCTION lo_export(oid, text)", "function pg_catalog.lo_export(pg_catalog.oid,pg_catalog.text)"),
        ("T", "TYPE public.y", "type public.y"),
        ("l", "LANGUAGE plpgsql", "language plpgsql"),
        ("F", "FOREIGN DATA WRAPPER w", "foreign-data wrapper w"),
        ("S", "FOREIGN SERVER o", "server o"),
        ("L", "LARGE OBJECT 99", "large object 99"),
        ("t", "TABLESPACE pg_default", "tablespace pg_default"),
        ("d", "DATABASE postgres", "database postgres"),
        ("p", "PARAMETER session_replication_role", "parameter ACL session_replication_role"),
    ] {
        let sql = format!("SELECT lower(privilege_type) FROM aclexplode(acldefault('{kind}', 10)) WHERE grantee = 10");
        let rights: Vec<String> = sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(&mut admin).await.unwrap();
        assert!(!rights.is_empty(), "{kind}");
        for right in rights {
            for (who, told) in [("PUBLIC", "everybody"), ("aicmo_m", "MODULE"), ("aicmo_auditor", "AUDITOR")] {
                // What everybody may in a fresh database; and to connect, which the same role may have to elsewhere.
                let fresh = matches!((kind, who), ("T" | "l" | "d", "PUBLIC")) && right != "create";
                if !(fresh || right == "connect") {
                    let wanted = format!("grant of {right} on {shown} to {told}: is there, and no migration made it");
                    deeds.push((format!("GRANT {right} ON {name} TO {who}"), wanted));
                }
            }
        }
    }
    for right in ["select", "insert", "update", "references"] {
        let deed = format!("GRANT {right} (rolpassword) ON pg_authid TO aicmo_m WITH GRANT OPTION");
        deeds.push((
            deed,
            format!("grant of {right} on table column pg_catalog.pg_authid.rolpassword to MODULE to give away"),
        ));
    }
    assert!(deeds.len() > 100, "{}", deeds.len());
    all_found(&mut admin, &deeds).await;
}

/// Ways to more that are no rights to a thing, and what is said of each.
const WAYS: &[(&str, &str)] = &[
    (
        "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO aicmo_m",
        "grant of select on what postgres makes later anywhere (r) to MODULE",
    ),
    (
        "ALTER DEFAULT PRIVILEGES GRANT USAGE ON SCHEMAS TO PUBLIC",
        "what postgres makes later anywhere (n) to everybody",
    ),
    (
        "ALTER DEFAULT PRIVILEGES IN SCHEMA beside GRANT UPDATE ON SEQUENCES TO aicmo_m",
        "makes later in beside (S) to MODULE",
    ),
    ("GRANT one TO aicmo_m", "membership of MODULE in one"),
    (
        "GRANT one TO aicmo_m; GRANT two TO one; GRANT pg_write_server_files TO two",
        "membership of two in pg_write_server_files",
    ),
    ("GRANT pg_read_all_data TO aicmo_auditor", "membership of AUDITOR in pg_read_all_data"),
    ("GRANT aicmo_m_owner TO three", "membership of three in OWNER"),
    ("GRANT aicmo_m TO one; GRANT one TO three", "membership of three in one"),
    ("ALTER TABLE public.t OWNER TO aicmo_m", "ownership of table public.t by MODULE"),
    ("ALTER TABLE public.t OWNER TO aicmo_m_owner", "ownership of table public.t by OWNER"),
    ("ALTER SCHEMA beside OWNER TO aicmo_auditor", "ownership of schema beside by AUDITOR"),
    ("ALTER DATABASE postgres OWNER TO aicmo_m", "ownership of database postgres by MODULE"),
    ("ALTER LARGE OBJECT 99 OWNER TO aicmo_m", "ownership of large object 99 by MODULE"),
    ("CREATE USER MAPPING FOR aicmo_m SERVER o", "login at foreign server o of MODULE"),
    ("ALTER ROLE aicmo_m SET synchronous_commit = off", "setting synchronous_commit of MODULE"),
    (
        "ALTER ROLE aicmo_m IN DATABASE HERE SET session_replication_role = replica",
        "setting session_replication_role of MODULE in this",
    ),
    ("ALTER ROLE aicmo_m IN DATABASE HERE SET search_path = beside", "setting search_path of MODULE in this database"),
    ("ALTER DATABASE HERE SET synchronous_commit = off", "setting synchronous_commit of everybody in this database"),
    ("ALTER ROLE ALL SET session_replication_role = replica", "setting session_replication_role of everybody"),
    ("ALTER ROLE aicmo_m SUPERUSER", "role MODULE logs in superuser"),
    ("ALTER ROLE aicmo_m CREATEROLE", "creates roles"),
    ("ALTER ROLE aicmo_m CREATEDB", "creates databases"),
    ("ALTER ROLE aicmo_m REPLICATION", "replicates"),
    ("ALTER ROLE aicmo_auditor BYPASSRLS", "role AUDITOR logs in bypasses rows"),
    ("ALTER ROLE aicmo_m_owner LOGIN", "role OWNER logs in"),
    (
        "CREATE FUNCTION public.g() RETURNS INT SECURITY DEFINER LANGUAGE sql AS 'SELECT 1'",
        "execute on function public.g() to everybody",
    ),
    ("CREATE EXTENSION dblink", "grant of execute on what extension dblink brought to everybody"),
    ("CREATE TYPE aicmo_m.z AS ENUM ('a')", "type MODULE.z"),
    ("GRANT USAGE ON SCHEMA information_schema TO aicmo_m", "grant of usage on schema information_schema to MODULE"),
    ("GRANT SELECT ON information_schema._pg_user_mappings TO PUBLIC", "_pg_user_mappings to everybody"),
    (
        "CREATE POLICY p ON aicmo_m.es_inbox; ALTER TABLE aicmo_m.es_inbox ENABLE ROW LEVEL SECURITY",
        "with row security",
    ),
];
/// What lets nobody do more, and is nothing that anybody has to look after.
const HARMLESS: &[&str] = &[
    "CREATE FUNCTION public.g() RETURNS INT LANGUAGE sql AS 'SELECT 1'",
    "CREATE FUNCTION beside.g() RETURNS INT SECURITY DEFINER LANGUAGE sql AS 'SELECT 1'",
    "GRANT SELECT ON public.t TO three",
    "GRANT pg_monitor TO three",
    "ALTER ROLE ALL SET log_statement = 'all'; ALTER ROLE ALL SET work_mem = '8MB'",
    "CREATE ROLE boss CREATEROLE; GRANT aicmo_m_owner TO boss",
    "ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC",
    "GRANT CONNECT ON DATABASE postgres TO aicmo_m",
    "DROP SCHEMA public CASCADE; CREATE SCHEMA public; GRANT USAGE ON SCHEMA public TO PUBLIC",
];

#[tokio::test]
async fn every_other_way_to_more_is_named() {
    let database = Database::of_its_own().await;
    let mut admin = database.admin().await;
    let deeds: Vec<(String, String)> =
        WAYS.iter().map(|(deed, wanted)| (deed.replace("HERE", &database.name), (*wanted).to_owned())).collect();
    all_found(&mut admin, &deeds).await;
    for harmless in HARMLESS {
        assert_eq!(found(&mut admin, harmless).await, Vec::<String>::new(), "{harmless}");
    }
}

/// Everybody who logs in may say what others may do with what he makes later, also who makes nothing.
#[tokio::test]
async fn what_a_modules_role_gives_of_later_things_by_itself_is_found_and_taken_back_by_a_migration() {
    let database = Database::of_its_own().await;
    let mut admin = database.admin().await;
    let url = database.server.url(&database.name);
    let by_itself = "SET SESSION AUTHORIZATION aicmo_m; \
        ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC, aicmo_auditor; \
        ALTER DEFAULT PRIVILEGES GRANT USAGE ON SCHEMAS TO PUBLIC; RESET SESSION AUTHORIZATION";
    // By a superuser, and by the creator of the roles, who is none.
    let maker = "CREATE ROLE boss LOGIN CREATEROLE PASSWORD 'secret'; GRANT aicmo_m_owner, aicmo_n_owner TO boss; \
        ALTER DATABASE d OWNER TO boss; ALTER SCHEMA aicmo_migration OWNER TO boss; ALTER TABLE aicmo_migration.turn OWNER TO boss";
    sqlx::raw_sql(maker).execute(&mut admin).await.unwrap();
    let version: i32 =
        sqlx::query_scalar("SELECT current_setting('server_version_num')::int").fetch_one(&mut admin).await.unwrap();
    if version >= 160_000 {
        let rights = "GRANT aicmo_m, aicmo_n, aicmo_auditor TO boss WITH ADMIN TRUE, INHERIT FALSE, SET FALSE";
        sqlx::raw_sql(rights).execute(&mut admin).await.unwrap();
    }
    for login in ["postgres@", "boss:secret@"] {
        sqlx::raw_sql(by_itself).execute(&mut admin).await.unwrap();
        let before = flaws(&mut admin, "m").await.unwrap();
        assert!(before.iter().any(|flaw| flaw.contains("grant of select on what MODULE makes later")), "{before:?}");
        let done = migrate(&url.replace("postgres@", login), &["m", "n"], &migration(&database.server)).await.unwrap();
        let left: Vec<_> = done.iter().flat_map(|done| &done.left).collect();
        assert!(left.is_empty(), "{login} {left:?}");
        assert_eq!(flaws(&mut admin, "m").await.unwrap(), Vec::<String>::new(), "{login}");
    }
    let sql = "SELECT count(*) FROM pg_auth_members JOIN pg_roles r ON r.oid = roleid JOIN pg_roles m ON m.oid = member \
               WHERE r.rolname = 'aicmo_m' AND m.rolname = 'boss'";
    let memberships: i64 = sqlx::query_scalar(sql).fetch_one(&mut admin).await.unwrap();
    assert_eq!(memberships, i64::from(version >= 160_000), "nobody stays a member for it");
}

#[tokio::test]
async fn a_migration_takes_back_what_is_ours_and_names_the_rest() {
    let database = Database::of_its_own().await;
    let mut admin = database.admin().await;
    let url = database.server.url(&database.name);
    let rest = [
        "CREATE VIEW public.v AS SELECT 1; GRANT SELECT ON public.v TO PUBLIC",
        "GRANT SET ON PARAMETER session_replication_role TO aicmo_m",
        "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO aicmo_m",
        "CREATE TABLE aicmo_m.x (a INT)",
    ];
    let ours = [
        "CREATE ROLE one; CREATE ROLE two; GRANT one TO aicmo_m; GRANT two TO aicmo_m_owner; GRANT aicmo_m TO two",
        "GRANT USAGE ON SCHEMA aicmo_migration TO aicmo_m, PUBLIC; GRANT ALL ON aicmo_migration.turn TO one WITH GRANT OPTION",
        "GRANT ALL ON SCHEMA aicmo_m TO one WITH GRANT OPTION; SET ROLE one; GRANT ALL ON SCHEMA aicmo_m TO two; RESET ROLE",
        "GRANT ALL ON ALL TABLES IN SCHEMA aicmo_m TO PUBLIC, aicmo_n; GRANT UPDATE (position) ON aicmo_m.es_head TO aicmo_m",
        "GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA aicmo_m TO aicmo_auditor, aicmo_n; GRANT USAGE ON TYPE aicmo_m.es_head TO one",
        "ALTER TABLE aicmo_m.es_inbox OWNER TO aicmo_n; ALTER FUNCTION aicmo_m.es_lock OWNER TO one",
        "ALTER DEFAULT PRIVILEGES FOR ROLE aicmo_m_owner GRANT ALL ON TABLES TO one",
        "ALTER DEFAULT PRIVILEGES FOR ROLE aicmo_m_owner IN SCHEMA aicmo_m GRANT ALL ON FUNCTIONS TO PUBLIC",
        "ALTER DEFAULT PRIVILEGES FOR ROLE aicmo_m GRANT ALL ON TABLES TO PUBLIC, aicmo_auditor; \
         ALTER DEFAULT PRIVILEGES FOR ROLE aicmo_m GRANT USAGE ON SCHEMAS TO PUBLIC; \
         ALTER DEFAULT PRIVILEGES FOR ROLE aicmo_m GRANT EXECUTE ON FUNCTIONS TO aicmo_auditor; \
         ALTER DEFAULT PRIVILEGES FOR ROLE aicmo_m IN SCHEMA public GRANT ALL ON SEQUENCES TO aicmo_auditor; \
         ALTER DEFAULT PRIVILEGES FOR ROLE aicmo_n GRANT SELECT ON TABLES TO aicmo_m; \
         ALTER DEFAULT PRIVILEGES FOR ROLE aicmo_auditor GRANT SELECT ON TABLES TO aicmo_m, PUBLIC",
        "ALTER ROLE aicmo_m SUPERUSER CREATEDB CREATEROLE REPLICATION BYPASSRLS; ALTER ROLE aicmo_m_owner LOGIN",
        "ALTER ROLE aicmo_m SET synchronous_commit = off; ALTER ROLE aicmo_auditor SET role = 'aicmo_m'; \
         ALTER ROLE aicmo_m IN DATABASE d SET session_replication_role = replica; ALTER ROLE aicmo_m IN DATABASE d RESET search_path",
        "GRANT ALL ON DATABASE d TO PUBLIC, aicmo_m; GRANT CREATE ON SCHEMA public TO PUBLIC; GRANT EXECUTE ON FUNCTION lo_create TO PUBLIC",
    ];
    for deed in ours.iter().chain(&rest) {
        sqlx::raw_sql(AssertSqlSafe((*deed).to_owned()))
            .execute(&mut admin)
            .await
            .unwrap_or_else(|why| panic!("{deed}: {why}"));
    }
    let before = flaws(&mut admin, "m").await.unwrap();
    assert!(before.len() > 60, "{before:#?}");
    let done = migrate(&url, &["m", "n"], &migration(&database.server)).await.unwrap();
    let left: Vec<&str> = done[0].left.iter().map(|flaw| flaw.place.as_str()).collect();
    let wanted = [
        "column x.a integer",
        "grant of select on view public.v to everybody",
        "grant of select on what postgres makes later anywhere (r) to MODULE",
        "grant of select on x to MODULE",
        "grant of set on parameter ACL session_replication_role to MODULE",
        "relation x of kind r of postgres",
    ];
    assert_eq!(left, wanted);
    assert_eq!(flaws(&mut admin, "m").await.unwrap().len(), wanted.len());
    // What only a superuser may take is no reason not to work, and is named.
    let script = "CREATE ROLE boss LOGIN CREATEROLE PASSWORD 'secret'; GRANT aicmo_m_owner, aicmo_n_owner TO boss; \
                  ALTER DATABASE d OWNER TO boss; ALTER SCHEMA aicmo_migration OWNER TO boss; ALTER TABLE aicmo_migration.turn OWNER TO boss; \
                  DROP TABLE aicmo_m.x; DROP VIEW public.v";
    sqlx::raw_sql(script).execute(&mut admin).await.unwrap();
    let done =
        migrate(&url.replace("postgres@", "boss:secret@"), &["m", "n"], &migration(&database.server)).await.unwrap();
    let left: Vec<&str> = done.iter().flat_map(|done| &done.left).map(|flaw| flaw.place.as_str()).collect();
    assert_eq!(left, [wanted[2], wanted[4]]);
}
