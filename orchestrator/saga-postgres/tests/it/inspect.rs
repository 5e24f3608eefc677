//! An inspection finds every change to a schema by an administrator, or by a role that became one.

use crate::database::Database;
use crate::rights::found;
use saga_core::export::Inspect;
use saga_postgres::PostgresStores;

async fn flaws(database: &Database) -> Vec<String> {
    let audits = PostgresStores::new(database.credentials().as_auditor(), crate::database::clock());
    let store = audits.open_store("m").await.unwrap();
    let flaws = store.flaws().await.unwrap();
    audits.close().await;
    flaws.into_iter().map(|flaw| format!("{}: {}", flaw.place, flaw.says)).collect()
}

#[tokio::test]
async fn a_schema_is_what_its_migrations_made() {
    let database = Database::new().await;
    let store = database.stores().open_store("m").await.unwrap();
    let picture = saga_postgres::testing::picture(&store).await.unwrap();
    let kept: Vec<&str> = include_str!("../../src/picture.txt").lines().collect();
    assert_eq!(picture, kept, "src/picture.txt should be:\n{}\n", picture.join("\n"));
    assert_eq!(flaws(&database).await, Vec::<String>::new());
}

#[tokio::test]
async fn every_tamper_with_a_schema_is_a_flaw() {
    let table: &[(&str, &str)] = &[
        ("DROP TRIGGER es_events_no_change ON aicmo_m.es_events", "trigger es_events"),
        ("ALTER TABLE aicmo_m.es_events DISABLE TRIGGER es_events_no_change", "enabled O"),
        (
            "CREATE FUNCTION aicmo_m.f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'; \
             CREATE TRIGGER t BEFORE INSERT ON aicmo_m.es_events FOR EACH ROW EXECUTE FUNCTION aicmo_m.f()",
            "trigger es_events t",
        ),
        ("GRANT SELECT ON aicmo_m.es_events TO aicmo_n", "grant of select on es_events to aicmo_n"),
        ("GRANT UPDATE ON aicmo_m.es_inbox TO aicmo_m", "grant of update on es_inbox to MODULE"),
        ("GRANT UPDATE (position) ON aicmo_m.es_head TO aicmo_m", "grant of update on es_head.position to MODULE"),
        ("GRANT USAGE ON SCHEMA aicmo_m TO PUBLIC", "grant of usage on the schema to everybody"),
        ("GRANT aicmo_m TO aicmo_n", "membership of aicmo_n in MODULE"),
        ("REVOKE EXECUTE ON FUNCTION aicmo_m.es_append FROM aicmo_m", "grant of execute on es_append() to MODULE"),
        (
            "CREATE OR REPLACE FUNCTION aicmo_m.es_events_are_final() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN \
             NULL; END'",
            "function es_events_are_final",
        ),
        ("ALTER TABLE aicmo_m.es_events DROP CONSTRAINT es_events_stream_version_key", "constraint es_events"),
        ("DROP INDEX aicmo_m.es_documents_i0", "es_documents_i0"),
        ("CREATE TABLE aicmo_m.x (a INT)", "relation x"),
        ("CREATE RULE r AS ON INSERT TO aicmo_m.es_inbox DO INSTEAD NOTHING", "rule es_inbox r"),
        ("ALTER TABLE aicmo_m.es_events OWNER TO aicmo_n", "relation es_events of kind r of aicmo_n"),
        ("ALTER TABLE aicmo_m.es_inbox ALTER COLUMN epoch DROP NOT NULL", "column es_inbox.epoch"),
        (
            "ALTER DEFAULT PRIVILEGES FOR ROLE aicmo_m_owner IN SCHEMA aicmo_m GRANT SELECT ON TABLES TO aicmo_n",
            "grant of select on what is made later (r) to aicmo_n",
        ),
        (
            "ALTER DEFAULT PRIVILEGES FOR ROLE aicmo_m_owner GRANT SELECT ON TABLES TO aicmo_n",
            "grant of select on what is made later anywhere (r) to aicmo_n",
        ),
        (
            "DO $$ BEGIN EXECUTE format('GRANT TEMPORARY ON DATABASE %I TO PUBLIC', current_database()); END $$",
            "grant of temporary on the database to everybody",
        ),
        (
            "DO $$ BEGIN EXECUTE format('GRANT CREATE ON DATABASE %I TO aicmo_m', current_database()); END $$",
            "grant of create on the database to MODULE",
        ),
        (
            "DO $$ BEGIN EXECUTE format('REVOKE CONNECT ON DATABASE %I FROM aicmo_auditor, aicmo_m', current_database()); \
             EXECUTE format('GRANT CONNECT ON DATABASE %I TO PUBLIC', current_database()); END $$",
            "grant of connect on the database to AUDITOR",
        ),
    ];
    let database = Database::new().await;
    let mut admin = database.admin().await;
    for (tamper, wanted) in table {
        let flaws = found(&mut admin, tamper).await;
        assert!(flaws.iter().any(|flaw| flaw.contains(wanted)), "{tamper}: {flaws:#?}");
    }
}
