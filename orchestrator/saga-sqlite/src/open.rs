//! Opens the file: makes settings and reads them back, and verifies the end of the log before it is trusted.

use crate::decode::{self, EVENT};
use crate::fault::{open_error, read_error, unreadable};
use crate::seen::Seen;
use crate::{look, migrate};
use saga_core::appender::Head;
use saga_core::id::{Epoch, Position};
use saga_core::ports::{OpenError, ReadError};
use saga_core::time::Timestamp;
use saga_core::written::broken_link;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqliteLockingMode, SqlitePoolOptions, SqliteRow, SqliteSynchronous,
};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Row as _, SqliteConnection, SqlitePool};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;
use uuid::Uuid;

/// 1,000 events: what may have been in flight at a crash many times over, and read in a few milliseconds.
const TAIL_VERIFIED: usize = 1_000;
/// 256 scripts: every mixture of row counts that is seen in practice; at most some 10 MiB of prepared statements.
const STATEMENTS_KEPT: usize = 256;
/// Four: two cores' worth of readers and two that wait for the disk.
const READERS_MAX: u32 = 4;
/// 512 rows between the thread of SQLite and the task that decodes: both stay busy, and neither runs far ahead.
const ROWS_BUFFERED: usize = 512;
/// 5 s: a backup or a shell may hold the file for a moment.
const BUSY: Duration = Duration::from_secs(5);

/// Every setting that a promise hangs on: its name, what is asked for, what is read back.
pub(crate) const SETTINGS: &[(&str, &str)] = &[
    ("journal_mode", "wal"),
    ("synchronous", "2"),
    ("foreign_keys", "1"),
    ("busy_timeout", "5000"),
    ("trusted_schema", "0"),
    ("cell_size_check", "1"),
    // 4,000 pages (16 MiB) between checkpoints: each page that changes often is copied once for many commits.
    ("wal_autocheckpoint", "4000"),
    // 64 MiB: the log of a burst does not stay on the disk for ever.
    ("journal_size_limit", "67108864"),
];

fn options(file: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(file)
        .foreign_keys(true)
        .busy_timeout(BUSY)
        .pragma("trusted_schema", "OFF")
        .pragma("cell_size_check", "ON")
        // 16 MiB of pages for each connection: the leaves of some thousand busy streams at once.
        .pragma("cache_size", "-16384")
        .statement_cache_capacity(STATEMENTS_KEPT)
        .row_buffer_size(ROWS_BUFFERED)
        .disable_statement_logging()
}

/// The connection that writes, with its settings read back.
pub(crate) async fn writer(file: &Path, place: &str, pages_max: Option<u32>) -> Result<SqliteConnection, OpenError> {
    let options = options(file)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .pragma("wal_autocheckpoint", "4000")
        .pragma("journal_size_limit", "67108864");
    let mut connection = options.connect().await.map_err(|error| open_error(place, &error))?;
    for (setting, wanted) in SETTINGS {
        let sql = AssertSqlSafe(format!("PRAGMA {setting}"));
        let row = sqlx::query(sql).fetch_one(&mut connection).await.map_err(|error| open_error(place, &error))?;
        let found = row.try_get::<i64, _>(0).map(|number| number.to_string());
        let found = found.or_else(|_| row.try_get::<String, _>(0)).unwrap_or_default();
        if found != *wanted {
            let (setting, wanted) = ((*setting).to_owned(), (*wanted).to_owned());
            return Err(OpenError::Unsafe { place: place.to_owned(), setting, found, wanted });
        }
    }
    if let Some(pages) = pages_max {
        let sql = AssertSqlSafe(format!("PRAGMA max_page_count = {pages}"));
        sqlx::query(sql).execute(&mut connection).await.map_err(|error| open_error(place, &error))?;
    }
    Ok(connection)
}

/// What of a file is read, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ground {
    /// Itself alone, which nobody writes: nothing is created beside it either.
    File,
    /// Together with the log beside it, as others may be writing both.
    Shared,
    /// Together with the log beside it, while nobody writes either: without locks, and with the index of the log in memory.
    FileAndLog,
}

/// The connections that read. They cannot write, whatever they are told.
pub(crate) fn readers(file: &Path) -> SqlitePool {
    // A file that was closed cleanly has no log beside it; a check of a backup may have no right to write there.
    let has_log = look::beside(file, look::LOG).exists();
    readers_on(file, if has_log { Ground::Shared } else { Ground::File })
}
/// The same, for a caller that knows how the file can be read.
pub(crate) fn readers_on(file: &Path, ground: Ground) -> SqlitePool {
    let options = options(file).read_only(true).immutable(ground == Ground::File).pragma("query_only", "ON");
    let options = match ground {
        Ground::File | Ground::Shared => options,
        // Exclusive is what keeps the index in memory, and without locks nothing is excluded.
        Ground::FileAndLog => options.vfs("unix-none").locking_mode(SqliteLockingMode::Exclusive),
    };
    // Connections are neither tested before use nor replaced with age: there is no network in between.
    SqlitePoolOptions::new()
        .max_connections(READERS_MAX)
        .test_before_acquire(false)
        .idle_timeout(None)
        .max_lifetime(None)
        .connect_lazy_with(options)
}

/// Brings a private copy of a store to the tables that this program knows, and leaves no log beside it.
pub(crate) async fn prepared(copy: &Path, place: &str) -> Result<(), OpenError> {
    let mut connection = writer(copy, place, None).await?;
    if migrate::applied(&mut connection, place).await? == 0 {
        return Err(OpenError::Unavailable { place: place.to_owned(), why: "it holds no store".to_owned() });
    }
    migrate::migrate(&mut connection, place).await?;
    connection.close().await.map_err(|error| open_error(place, &error))
}

/// The end of the log and the fences, as the file has them.
pub(crate) async fn ledger(
    connection: &mut SqliteConnection,
    place: &str,
) -> Result<(Head, BTreeMap<String, Epoch>), ReadError> {
    let sql = "SELECT position, abs(public_seq), recorded_at, chain FROM es_events ORDER BY position DESC LIMIT 1";
    let row = sqlx::query(sql).fetch_optional(&mut *connection).await.map_err(|error| read_error(place, &error))?;
    let decode = |row: SqliteRow| -> Result<Head, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Head {
            position: Position(row.try_get::<i64, _>(0)?.cast_unsigned()),
            public_seq: row.try_get::<i64, _>(1)?.cast_unsigned(),
            recorded_at: Timestamp(row.try_get(2)?),
            chain: row.try_get::<&[u8], _>(3)?.try_into()?,
        })
    };
    let head = match row {
        Some(row) => decode::at(|| "the last row of es_events".to_owned(), decode(row))?,
        None => Head::default(),
    };
    let fences: Vec<(String, i64)> = sqlx::query_as("SELECT scope, epoch FROM es_fences")
        .fetch_all(connection)
        .await
        .map_err(|error| read_error(place, &error))?;
    Ok((head, fences.into_iter().map(|(scope, epoch)| (scope, Epoch(epoch.cast_unsigned()))).collect()))
}

/// Up to 1,000,000 entries are read through at a start, within some tenths of a second; in a larger file nothing is
/// certainly missing, and every question is answered from the file.
const READ_THROUGH_MAX: i64 = 1_000_000;

/// What streams and sagas the file has: read through once, before anybody writes.
pub(crate) async fn seen(connection: &mut SqliteConnection, place: &str) -> Result<Seen, OpenError> {
    let failed = |error: sqlx::Error| unreadable(place, read_error("es_events", &error));
    let head: Option<i64> =
        sqlx::query_scalar("SELECT max(position) FROM es_events").fetch_one(&mut *connection).await.map_err(failed)?;
    // What the store itself is stands first, and is no deed of anybody's.
    let deeds: Option<i64> = sqlx::query_scalar("SELECT 1 FROM es_inbox WHERE saga > zeroblob(16) LIMIT 1")
        .fetch_optional(&mut *connection)
        .await
        .map_err(failed)?;
    // A file without deeds belongs to nobody who is asked for one: the coordinator's log, which is also the longest.
    match (head, deeds) {
        (None, None) => {
            let mut seen = Seen::of_empty();
            seen.learn_saga(Uuid::nil());
            return Ok(seen);
        }
        (_, None) => return Ok(Seen::default()),
        (Some(head), _) if head > READ_THROUGH_MAX => return Ok(Seen::default()),
        _ => {}
    }
    let mut seen = Seen::default();
    let names = "SELECT max(stream), group_concat(stream, ' ') FROM (SELECT stream FROM es_events WHERE stream > ? AND version = 1 \
                 ORDER BY stream LIMIT 1000)";
    let mut last = String::new();
    loop {
        let page: (Option<String>, Option<String>) =
            sqlx::query_as(names).bind(&last).fetch_one(&mut *connection).await.map_err(failed)?;
        let (Some(end), Some(page)) = page else { break };
        page.split(' ').for_each(|stream| seen.learn_stream(stream));
        last = end;
    }
    let sagas = "SELECT DISTINCT saga FROM es_inbox WHERE saga > ? ORDER BY saga LIMIT 1000";
    let mut last = Vec::new();
    loop {
        let page: Vec<Vec<u8>> =
            sqlx::query_scalar(sagas).bind(last).fetch_all(&mut *connection).await.map_err(failed)?;
        page.iter().filter_map(|saga| Uuid::from_slice(saga).ok()).for_each(|saga| seen.learn_saga(saga));
        match page.into_iter().next_back() {
            Some(end) => last = end,
            None => break,
        }
    }
    seen.complete();
    Ok(seen)
}

/// Notes the length of the log, at a close.
pub(crate) async fn note(connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    let sql = "UPDATE es_head SET (position, chain) = (SELECT position, chain FROM es_events ORDER BY position DESC \
               LIMIT 1) WHERE EXISTS (SELECT 1 FROM es_events)";
    sqlx::query(sql).execute(connection).await.map(drop)
}

/// Whether the log is as long as it was once noted to be, and its end is without a gap and chained.
pub(crate) async fn verify(connection: &mut SqliteConnection, place: &str, head: &Head) -> Result<(), OpenError> {
    let sql = "SELECT position, chain, (SELECT chain FROM es_events WHERE es_events.position = es_head.position) \
               FROM es_head WHERE id = 1";
    let noted: (i64, Vec<u8>, Option<Vec<u8>>) = sqlx::query_as(sql)
        .fetch_one(&mut *connection)
        .await
        .map_err(|error| unreadable(place, read_error("es_head", &error)))?;
    let corrupt = |why| OpenError::Corrupt { place: place.to_owned(), why };
    match (noted.0.cast_unsigned(), noted.1, noted.2) {
        (0, ..) => {}
        (length, ..) if length > head.position.0 => {
            let last = head.position;
            return Err(corrupt(format!("the log was {length} events long, and now ends at position {last}")));
        }
        (length, then, now) if Some(&then) != now.as_ref() => {
            return Err(corrupt(format!("es_events position {length} is not what it was when it was noted")));
        }
        _ => {}
    }
    let sql = format!("SELECT CAST({EVENT} AS BLOB) FROM es_events ORDER BY position DESC LIMIT {}", TAIL_VERIFIED + 1);
    let rows = sqlx::query(AssertSqlSafe(sql))
        .fetch_all(connection)
        .await
        .map_err(|error| unreadable(place, read_error("es_events", &error)))?;
    let mut events = Vec::with_capacity(rows.len());
    for row in rows.iter().rev() {
        decode::recorded(row, &mut events).map_err(|error| unreadable(place, error))?;
    }
    broken_link(&events).map_or(Ok(()), |why| Err(corrupt(format!("es_events {why}"))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use sqlx::Executor as _;

    async fn ask(connection: &mut SqliteConnection, setting: &str) -> String {
        let row = connection.fetch_one(AssertSqlSafe(format!("PRAGMA {setting}"))).await.unwrap();
        row.try_get::<i64, _>(0).map(|number| number.to_string()).unwrap_or_else(|_| row.get(0))
    }

    /// The values stand here once more, so that changing what is asked for changes nothing about what is promised.
    #[tokio::test]
    async fn who_writes_flushes_every_commit_and_who_reads_cannot_write() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("m.db");
        let mut connection = writer(&file, "m", None).await.unwrap();
        let promised =
            "journal_mode=wal synchronous=2 foreign_keys=1 busy_timeout=5000 trusted_schema=0 cell_size_check=1";
        for (setting, wanted) in promised.split(' ').filter_map(|promise| promise.split_once('=')) {
            assert_eq!(ask(&mut connection, setting).await, wanted, "{setting}");
            assert!(SETTINGS.contains(&(setting, wanted)), "{setting} is not read back");
        }
        connection.execute("CREATE TABLE t (a)").await.unwrap();
        let refused = readers(&file).execute("INSERT INTO t VALUES (1)").await.unwrap_err();
        assert!(refused.to_string().contains("readonly"), "{refused}");
    }

    /// A file that cannot have a write-ahead log is no store, whatever else works.
    #[tokio::test]
    async fn a_setting_that_did_not_take_is_refused() {
        match writer(Path::new(":memory:"), "m", None).await {
            Err(OpenError::Unsafe { setting, found, wanted, .. }) => {
                assert_eq!((setting.as_str(), found.as_str(), wanted.as_str()), ("journal_mode", "memory", "wal"));
            }
            other => panic!("{other:?}"),
        }
    }
}
