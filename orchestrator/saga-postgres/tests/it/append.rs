//! What a module's login could write by hand, and why it cannot: the log only takes what continues it.

use crate::database::{Database, append, bytes};
use crate::privileges::login;
use saga_core::batch::{Batch, Commit, Fence};
use saga_core::envelope::{Header, chain, sha256};
use saga_core::id::{Epoch, EventId, Position, Version};
use saga_core::ports::{EventStore, Tail};
use saga_core::time::Timestamp;
use sqlx::AssertSqlSafe;
use sqlx::postgres::PgConnection;
use std::collections::BTreeMap;
use uuid::Uuid;

/// A continuation of a log with one event, and what is wrong with it.
#[derive(Clone)]
struct Forged {
    version: u64,
    public: u64,
    public_head: u64,
    time: i64,
    recorded_at: i64,
    link: Option<[u8; 32]>,
    schema: i32,
    fence: Option<i64>,
    blob: Option<([u8; 32], Vec<u8>)>,
}

const NOW: i64 = 1_700_000_000_000_000;
/// The last microsecond of the year 9999.
const LAST: i64 = 253_402_300_799_999_999;

/// What continues a log of two events, of which one is public, under epoch 5.
fn honest() -> Forged {
    let (version, public, public_head) = (3, 2, 2);
    let (time, recorded_at, link, schema) = (NOW, NOW, None, 1);
    Forged { version, public, public_head, time, recorded_at, link, schema, fence: Some(5), blob: None }
}

impl Forged {
    async fn call(&self, session: &mut PgConnection) -> Result<String, String> {
        let (position, before): (i64, Vec<u8>) =
            sqlx::query_as("SELECT position, chain FROM es_head").fetch_one(&mut *session).await.unwrap();
        let id = Uuid::from_u128(77);
        let header = Header {
            stream: "test-a",
            version: Version(self.version),
            id: EventId(id),
            name: "Noted",
            schema_version: u16::try_from(self.schema).unwrap_or(1),
            public_seq: Some(self.public).filter(|seq| *seq > 0),
            time: Timestamp(self.time),
            recorded_at: Timestamp(self.recorded_at),
        };
        let before: [u8; 32] = before.try_into().unwrap();
        let link = self.link.unwrap_or_else(|| {
            chain(&before, Position(position.cast_unsigned() + 1), &header.digest(r#"{"n":1}"#, "{}"))
        });
        let mut given = BTreeMap::from([
            ("p_position", position.to_string()),
            ("p_chain", bytes(&before)),
            ("p_public", self.public_head.to_string()),
            ("p_recorded_at", self.recorded_at.to_string()),
            ("e_public", format!("ARRAY[{}]", self.public)),
            ("e_stream", "ARRAY['test-a']".to_owned()),
            ("e_version", format!("ARRAY[{}]", self.version)),
            ("e_id", format!("ARRAY['{id}'::uuid]")),
            ("e_type", "ARRAY['Noted']".to_owned()),
            ("e_schema", format!("ARRAY[{}]", self.schema)),
            ("e_data", format!("ARRAY[{}]", bytes(br#"{"n":1}"#))),
            ("e_meta", format!("ARRAY[{}]", bytes(b"{}"))),
            ("e_time", format!("ARRAY[{}]", self.time)),
            ("e_chain", format!("ARRAY[{}]", bytes(&link))),
        ]);
        if let Some(epoch) = self.fence {
            given.insert("f_scope", "ARRAY['group:0']".to_owned());
            given.insert("f_epoch", format!("ARRAY[{epoch}]"));
        }
        if let Some((hash, content)) = &self.blob {
            given.insert("b_hash", format!("ARRAY[{}]", bytes(hash)));
            given.insert("b_bytes", format!("ARRAY[{}]", bytes(content)));
        }
        let sql = "SELECT pg_get_function_identity_arguments('es_append'::regproc)";
        let signature: String = sqlx::query_scalar(sql).fetch_one(&mut *session).await.unwrap();
        let arguments = signature.split(", ").map(|argument| {
            let (name, kind) = argument.split_once(' ').unwrap();
            let value = given.get(name).map_or("NULL", String::as_str);
            format!("{name} => ({value})::{kind}")
        });
        let sql = format!("SELECT es_append({})", arguments.collect::<Vec<_>>().join(", "));
        let answer = sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(session).await;
        answer.map_err(|error| match error.as_database_error() {
            Some(error) if error.code().as_deref() == Some("23514") => error.message().to_owned(),
            _ => panic!("{error}"),
        })
    }
}

#[tokio::test]
async fn the_log_takes_only_what_continues_it() {
    let database = Database::new().await;
    let stores = database.stores();
    let store = stores.open_store("m").await.unwrap();
    let fence = Some(Fence { scope: "group:0".to_owned(), epoch: Epoch(5) });
    let answer = store.commit(Batch { fence, ..append("a", 0, [1, 2]) }).await;
    assert!(matches!(answer, Commit::Ok(_)), "{answer:?}");
    let mut session = login(&database, "m").await;
    let table: &[(&str, Forged, &str)] = &[
        ("an invented link", Forged { link: Some([7; 32]), ..honest() }, "another hash"),
        ("a gap of versions", Forged { version: 4, ..honest() }, "does not follow"),
        ("a version that is none", Forged { version: 0, ..honest() }, "es_events_version_check"),
        ("a far public place", Forged { public: 99, public_head: 99, ..honest() }, "has public place 99, not 2"),
        ("a far public head", Forged { public_head: 99, ..honest() }, "would be 99, not 2"),
        ("a public head that goes back", Forged { public: 0, public_head: 0, ..honest() }, "would be 0, not 1"),
        ("before 1970", Forged { time: -1, ..honest() }, "outside its bounds"),
        ("after 9999", Forged { time: LAST + 1, ..honest() }, "outside its bounds"),
        ("recorded before the last one", Forged { recorded_at: NOW - 1, ..honest() }, "outside its bounds"),
        ("recorded after 9999", Forged { recorded_at: LAST + 1, ..honest() }, "outside its bounds"),
        ("a shape of version 0", Forged { schema: 0, ..honest() }, "outside its bounds"),
        ("a lowered fence", Forged { fence: Some(4), ..honest() }, "never lowered"),
        ("bytes under another hash", Forged { blob: Some(([7; 32], b"text".to_vec())), ..honest() }, "its hash"),
    ];
    for (what, forged, says) in table {
        let refused = forged.call(&mut session).await.expect_err(what);
        assert!(refused.contains(says), "{what}: {refused}");
        assert_eq!(store.head().await, Ok(Position(2)), "{what}");
    }
    let blob = Some((sha256(b"text"), b"text".to_vec()));
    assert_eq!(Forged { blob, ..honest() }.call(&mut session).await.as_deref(), Ok("written"));
    // The program goes on behind what was written by hand: it is a log like any other.
    let answer = store.commit(append("a", 3, [8])).await;
    assert!(matches!(answer, Commit::Ok(_)), "{answer:?}");
    stores.close().await;
}

/// Settings that another session gave a role or a database do not change what our commits do.
#[tokio::test]
async fn a_commit_is_flushed_whatever_the_role_is_told() {
    let database = Database::of_its_own().await;
    let stores = database.stores();
    let store = stores.open_store("m").await.unwrap();
    // The connection that appends is made for the first commit.
    let script = "CREATE TABLE public.seen (how TEXT); \
                  CREATE FUNCTION public.see() RETURNS trigger SECURITY DEFINER LANGUAGE plpgsql AS \
                  'BEGIN INSERT INTO public.seen VALUES (current_setting(''synchronous_commit'')); RETURN NULL; END'; \
                  CREATE TRIGGER see AFTER INSERT ON aicmo_m.es_events FOR EACH ROW EXECUTE FUNCTION public.see(); \
                  ALTER ROLE aicmo_m SET synchronous_commit = off; ALTER DATABASE d SET synchronous_commit = off";
    database.server.run("d", script);
    let answer = store.commit(append("a", 0, [1])).await;
    assert!(matches!(answer, Commit::Ok(_)), "{answer:?}");
    assert_eq!(database.server.run("d", "SELECT how FROM public.seen"), "on");
    stores.close().await;
    // The next start does not trust what it finds, and a check names it.
    let refused = database.stores().open_store("m").await.err().map(|why| why.to_string()).unwrap_or_default();
    assert!(refused.contains("synchronous_commit"), "{refused}");
    let flaws = saga_postgres::testing::flaws(&mut database.admin().await, "m").await.unwrap();
    for whose in ["MODULE", "everybody in this database"] {
        let setting = format!("setting synchronous_commit of {whose}");
        assert!(flaws.iter().any(|flaw| flaw.starts_with(&setting)), "{flaws:?}");
    }
}
