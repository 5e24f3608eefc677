//! Two writers and a reader, played by hand statement by statement: for our design, which must be clean, and for designs
//! that are known to be wrong, which the same checker must catch. A checker that cannot see a bug proves nothing.

use crate::database::{Database, bytes};
use saga_core::envelope::{Header, chain, sha256};
use saga_core::id::{EventId, Position, Version};
use saga_core::time::Timestamp;
use sqlx::{AssertSqlSafe, PgConnection, Row};
use std::collections::BTreeSet;
use test_servers::waiting::until;
use tokio::task::JoinHandle;
use uuid::Uuid;

/// One session, for one statement after another.
struct Session(PgConnection);

impl Session {
    async fn open(database: &Database, schema: &str) -> Self {
        let mut connection = database.admin().await;
        sqlx::raw_sql(AssertSqlSafe(format!("SET search_path = {schema}"))).execute(&mut connection).await.unwrap();
        Self(connection)
    }
    /// The first column of every row, as text.
    async fn run(&mut self, sql: &str) -> Vec<String> {
        let rows = sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).fetch_all(&mut self.0).await.unwrap();
        let text = |row: &sqlx::postgres::PgRow| {
            row.try_get::<String, _>(0).or_else(|_| row.try_get::<i64, _>(0).map(|number| number.to_string()))
        };
        rows.iter().map(|row| text(row).unwrap_or_default()).collect()
    }
    /// Starts a statement that has to wait for another session, and returns when it waits.
    async fn run_blocked(mut self, watcher: &mut Session, sql: String) -> JoinHandle<(Self, Vec<String>)> {
        let pid = self.run("SELECT pg_backend_pid()::text").await.remove(0);
        let running = tokio::spawn(async move {
            let answer = self.run(&sql).await;
            (self, answer)
        });
        let look = format!("SELECT 1::bigint FROM pg_stat_activity WHERE pid = {pid} AND wait_event_type = 'Lock'");
        let waits = async || {
            let rows = watcher.run(&look).await;
            assert!(!running.is_finished(), "the statement must wait");
            if rows.is_empty() { Err("no session waits for a lock") } else { Ok(()) }
        };
        until(&look, waits).await;
        running
    }
}

/// What happened to a reader that follows a cursor.
#[derive(Debug, Default, PartialEq, Eq)]
struct Findings {
    lost: BTreeSet<String>,
    doubled: BTreeSet<String>,
    /// Versions of the one stream that came after a later one.
    inverted: bool,
}

/// A reader that asks for what is behind its cursor and believes the answer.
struct Reader {
    session: Session,
    /// Selects `id` and the new cursor, for everything behind the cursor `$`.
    sql: &'static str,
    cursor: String,
    seen: Vec<String>,
}

impl Reader {
    async fn new(database: &Database, schema: &str, sql: &'static str, cursor: &str) -> Self {
        let session = Session::open(database, schema).await;
        Self { session, sql, cursor: cursor.to_owned(), seen: Vec::new() }
    }
    async fn read(&mut self) {
        let sql = self.sql.replace('$', &self.cursor);
        for row in sqlx::raw_sql(AssertSqlSafe(sql)).fetch_all(&mut self.session.0).await.unwrap() {
            self.seen.push(row.get(0));
            self.cursor = row.get(1);
        }
    }
    /// Compares with what the writers were told is written. Ids are named in the order of their stream.
    fn findings(&self, acknowledged: &[&str]) -> Findings {
        let unique: BTreeSet<String> = self.seen.iter().cloned().collect();
        let doubled = unique.iter().filter(|id| self.seen.iter().filter(|seen| seen == id).count() > 1);
        Findings {
            lost: acknowledged.iter().map(|id| (*id).to_owned()).filter(|id| !unique.contains(id)).collect(),
            doubled: doubled.cloned().collect(),
            inverted: !self.seen.is_sorted(),
        }
    }
}
fn lost(id: &str) -> Findings {
    Findings { lost: [id.to_owned()].into(), ..Findings::default() }
}
async fn sessions(database: &Database, schema: &str, table: &str) -> (Session, Session, Session) {
    let mut first = Session::open(database, schema).await;
    first.run(table).await;
    (first, Session::open(database, schema).await, Session::open(database, schema).await)
}

#[tokio::test]
async fn wrong_a_sequence_and_a_cursor_lose_events() {
    let database = Database::new().await;
    let (mut a, mut b, _) =
        sessions(&database, "public", "CREATE TABLE log (position BIGSERIAL PRIMARY KEY, id TEXT)").await;
    let sql = "SELECT id, position::text FROM log WHERE position > $ ORDER BY position";
    let mut reader = Reader::new(&database, "public", sql, "0").await;
    a.run("BEGIN; INSERT INTO log (id) VALUES ('a')").await;
    b.run("BEGIN; INSERT INTO log (id) VALUES ('b'); COMMIT").await;
    reader.read().await;
    a.run("COMMIT").await;
    reader.read().await;
    assert_eq!(reader.findings(&["a", "b"]), lost("a"));
}

#[tokio::test]
async fn wrong_a_watermark_of_transactions_and_a_cursor_by_position_lose_events() {
    let database = Database::alone();
    let table = "CREATE TABLE log (position BIGSERIAL PRIMARY KEY, xid XID8 DEFAULT pg_current_xact_id(), id TEXT); \
                 SELECT nextval('log_position_seq')";
    let (mut a, mut b, _) = sessions(&database, "public", table).await;
    let sql = "SELECT id, position::text FROM log WHERE position > $ AND xid < pg_snapshot_xmin(pg_current_snapshot()) \
               ORDER BY position";
    let mut reader = Reader::new(&database, "public", sql, "0").await;
    // A sequence is asked before the row is written, and asking gives no transaction id.
    let position = a.run("BEGIN; SELECT nextval('log_position_seq')").await.remove(0);
    assert_eq!(a.run("SELECT 1::bigint WHERE pg_current_xact_id_if_assigned() IS NULL").await.len(), 1);
    b.run("BEGIN; INSERT INTO log (id) VALUES ('b'); COMMIT").await;
    reader.read().await;
    a.run(&format!("INSERT INTO log (position, id) VALUES ({position}, 'a'); COMMIT")).await;
    reader.read().await;
    assert_eq!(reader.findings(&["a", "b"]), lost("a"));
}

#[tokio::test]
async fn wrong_the_order_of_transaction_ids_turns_a_stream_around() {
    let database = Database::alone();
    let table = "CREATE TABLE log (position BIGSERIAL PRIMARY KEY, xid XID8 DEFAULT pg_current_xact_id(), id TEXT); \
                 CREATE TABLE other (x INT)";
    let (mut a, mut b, _) = sessions(&database, "public", table).await;
    let sql = "SELECT id, '(' || xid || ',' || position || ')' FROM log WHERE (xid::text::bigint, position) > $ \
               AND xid < pg_snapshot_xmin(pg_current_snapshot()) ORDER BY xid, position";
    let mut reader = Reader::new(&database, "public", sql, "(0,0)").await;
    // Something written earlier in the transaction gives it the smaller id.
    a.run("BEGIN; INSERT INTO other VALUES (1)").await;
    b.run("BEGIN; INSERT INTO log (id) VALUES ('version 1'); COMMIT").await;
    assert_eq!(a.run("SELECT id FROM log").await, ["version 1"], "it builds on what it sees");
    a.run("INSERT INTO log (id) VALUES ('version 2'); COMMIT").await;
    reader.read().await;
    assert_eq!(reader.findings(&["version 1", "version 2"]), Findings { inverted: true, ..Findings::default() });
}

#[tokio::test]
async fn wrong_a_lock_taken_in_the_statement_that_looks_gives_a_position_twice() {
    let database = Database::new().await;
    let (mut a, b, mut watcher) = sessions(&database, "public", "CREATE TABLE log (position BIGINT, id TEXT)").await;
    let insert = |id: &str| {
        format!(
            "WITH l AS MATERIALIZED (SELECT pg_advisory_xact_lock(1)) INSERT INTO log \
             SELECT (SELECT coalesce(max(position), 0) + 1 FROM log), '{id}' FROM l"
        )
    };
    let mut reader = Reader::new(
        &database,
        "public",
        "SELECT id, position::text FROM log WHERE position > $ ORDER BY position",
        "0",
    )
    .await;
    a.run(&format!("BEGIN; {}", insert("a"))).await;
    let waiting = b.run_blocked(&mut watcher, format!("BEGIN; {}", insert("b"))).await;
    a.run("COMMIT").await;
    let (mut b, _) = waiting.await.unwrap();
    // The second one has its position and is not committed yet: now the reader passes it.
    reader.read().await;
    b.run("COMMIT").await;
    reader.read().await;
    assert_eq!(reader.findings(&["a", "b"]), lost("b"));
}

#[tokio::test]
async fn wrong_doing_nothing_on_conflict_acknowledges_what_is_not_there() {
    let database = Database::new().await;
    let table = "CREATE TABLE log (position BIGSERIAL PRIMARY KEY, stream TEXT, version INT, id TEXT, UNIQUE (stream, version))";
    let (mut a, mut b, _) = sessions(&database, "public", table).await;
    let mut reader = Reader::new(
        &database,
        "public",
        "SELECT id, position::text FROM log WHERE position > $ ORDER BY position",
        "0",
    )
    .await;
    for (session, id) in [(&mut a, "a"), (&mut b, "b")] {
        // It says that it went well.
        let sql = format!("INSERT INTO log (stream, version, id) VALUES ('s', 1, '{id}') ON CONFLICT DO NOTHING");
        session.run(&sql).await;
    }
    reader.read().await;
    assert_eq!(reader.findings(&["a", "b"]), lost("b"));
}

/// Our own call, as a process that has read a log makes it: `before` are the events of that log, all of the stream
/// `test-s`, and `next` is what comes behind them, perhaps under a fence.
fn ours(before: &[&str], next: &str, fence: Option<u64>) -> String {
    let (seen, link) = (linked(before), linked(&[before, &[next]].concat()));
    let (scope, epoch) =
        fence.map_or(("{}".to_owned(), "{}".to_owned()), |e| ("{group:1}".to_owned(), format!("{{{e}}}")));
    let event = format!(
        "'{{0}}', '{{test-s}}', '{{{version}}}', ARRAY['{id}'::uuid], '{{{next}}}', '{{1}}', ARRAY['x'::bytea], \
         ARRAY['x'::bytea], '{{1}}', ARRAY[{link}]",
        version = before.len() + 1,
        id = id_of(next),
        link = bytes(&link),
    );
    let nothing = vec!["'{}'"; 29].join(", ");
    format!(
        "SELECT es_append({position}, {seen}, 0, 1, '{scope}', '{epoch}', '{{}}', '{{}}', {event}, {nothing})",
        position = before.len(),
        seen = bytes(&seen),
    )
}
/// The id of an event is made of its name, so that the event behind it can compute its link again.
fn id_of(name: &str) -> Uuid {
    let hash = sha256(name.as_bytes());
    Uuid::from_bytes(std::array::from_fn(|at| hash[at]))
}
/// The link at the end of a log of the stream `test-s`.
fn linked(log: &[&str]) -> [u8; 32] {
    let (at, schema_version, public_seq) = (Timestamp(1), 1, None);
    (1..).zip(log).fold([0; 32], |before, (place, name)| {
        let (version, id) = (Version(place), EventId(id_of(name)));
        let header =
            Header { stream: "test-s", version, id, name, schema_version, public_seq, time: at, recorded_at: at };
        chain(&before, Position(place), &header.digest("x", "x"))
    })
}
const OURS: &str = "SELECT type, position::text FROM es_events WHERE position > $ ORDER BY position";

#[tokio::test]
async fn ours_the_second_writer_waits_and_decides_again() {
    let database = Database::new().await;
    let (mut a, b, mut watcher) = sessions(&database, "aicmo_m", "SELECT 1::bigint").await;
    let mut reader = Reader::new(&database, "aicmo_m", OURS, "0").await;
    assert_eq!(a.run(&format!("BEGIN; {}", ours(&[], "a", None))).await, ["written"]);
    let waiting = b.run_blocked(&mut watcher, ours(&[], "b", None)).await;
    reader.read().await;
    assert_eq!(reader.seen, Vec::<String>::new(), "nothing is visible that is not committed");
    a.run("COMMIT").await;
    reader.read().await;
    let (mut b, answer) = waiting.await.unwrap();
    assert_eq!(answer, ["moved"]);
    // The way through the lock: what is read under it stays true.
    assert_eq!(b.run("BEGIN; SELECT position FROM es_lock()").await, ["1"]);
    let waiting = a.run_blocked(&mut watcher, ours(&["a"], "c", None)).await;
    assert_eq!(b.run(&ours(&["a"], "b", None)).await, ["written"]);
    reader.read().await;
    b.run("COMMIT").await;
    assert_eq!(waiting.await.unwrap().1, ["moved"]);
    reader.read().await;
    assert_eq!(reader.findings(&["a", "b"]), Findings::default());
    assert_eq!(reader.cursor, "2", "positions have no gap");
}

#[tokio::test]
async fn ours_what_is_rolled_back_leaves_no_gap() {
    let database = Database::new().await;
    let (mut a, b, mut watcher) = sessions(&database, "aicmo_m", "SELECT 1::bigint").await;
    let mut reader = Reader::new(&database, "aicmo_m", OURS, "0").await;
    assert_eq!(a.run(&format!("BEGIN; {}", ours(&[], "a", None))).await, ["written"]);
    let waiting = b.run_blocked(&mut watcher, ours(&[], "b", None)).await;
    a.run("ROLLBACK").await;
    assert_eq!(waiting.await.unwrap().1, ["written"]);
    reader.read().await;
    assert_eq!((reader.findings(&["b"]), reader.cursor.as_str()), (Findings::default(), "1"));
}

#[tokio::test]
async fn ours_an_earlier_write_in_the_transaction_changes_nothing() {
    let database = Database::new().await;
    let (mut a, mut b, _) = sessions(&database, "aicmo_m", "CREATE TABLE public.other (x INT)").await;
    let mut reader = Reader::new(&database, "aicmo_m", OURS, "0").await;
    a.run("BEGIN; INSERT INTO public.other VALUES (1)").await;
    assert_eq!(b.run(&ours(&[], "version 1", None)).await, ["written"]);
    reader.read().await;
    assert_eq!(a.run(&ours(&[], "too late", None)).await, ["moved"]);
    assert_eq!(a.run(&ours(&["version 1"], "version 2", None)).await, ["written"]);
    reader.read().await;
    a.run("COMMIT").await;
    reader.read().await;
    assert_eq!(reader.findings(&["version 1", "version 2"]), Findings::default());
}

#[tokio::test]
async fn ours_a_lease_changes_hands_between_two_appends_and_never_within_one() {
    let database = Database::new().await;
    let (mut a, b, mut watcher) = sessions(&database, "aicmo_m", "SELECT 1::bigint").await;
    let lease = |owner: u8, ttl: u32| {
        format!(
            "SELECT epoch FROM es_lease('00000000-0000-0000-0000-00000000000{owner}', '{{group:1}}', '{{}}', {ttl})"
        )
    };
    assert_eq!(a.run(&lease(1, 0)).await, ["1"]);
    assert_eq!(a.run(&format!("BEGIN; {}", ours(&[], "a", Some(1)))).await, ["written"]);
    let waiting = b.run_blocked(&mut watcher, lease(2, 60_000_000)).await;
    a.run("COMMIT").await;
    assert_eq!(waiting.await.unwrap().1, ["2"]);
    assert_eq!(a.run(&ours(&["a"], "b", Some(1))).await, ["fenced"]);
    assert_eq!(a.run(&ours(&["a"], "b", Some(2))).await, ["written"]);
}
