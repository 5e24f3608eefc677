//! Opens a schema: checks the server's settings, compares the version of the tables, and verifies the end of the log
//! before it is trusted.

use crate::appender::{LEDGER, ledger_of};
use crate::connection::{CONNECTIONS_MAX, Connector, FLUSHED, Role};
use crate::decode::{self, EVENT_COLUMNS};
use crate::fault::{open_error, read_error, unreadable};
use crate::migrate::MIGRATIONS;
use saga_core::appender::{Head, Ledger};
use saga_core::envelope::Recorded;
use saga_core::id::Position;
use saga_core::ports::OpenError;
use saga_core::written::broken_link;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection as _, Row as _};

/// 1,000 events: what may have been in flight at a crash many times over, and read in a few milliseconds.
const TAIL_VERIFIED: usize = 1_000;

/// Every setting of the server that a promise hangs on, and what it must be.
const SETTINGS: &[(&str, &str)] = &[
    // Without these two a crash of the machine leaves a damaged log, whatever we do.
    ("fsync", "on"),
    ("full_page_writes", "on"),
    // Our own connections set it; an administrator who configured the server otherwise did so knowingly.
    ("synchronous_commit", "on"),
];

/// What was found at an opening.
pub(crate) struct Opened {
    pub(crate) ledger: Ledger,
    /// The role that was logged in as may take as many connections as it likes.
    pub(crate) unlimited: bool,
}

/// Looks at a schema and gives back what was found. `beside`: how many stores this process holds already.
pub(crate) async fn open(connector: &Connector, place: &str, beside: usize) -> Result<Opened, OpenError> {
    let mut connection = connector.connect(Role::Probe).await.map_err(|error| open_error(place, &error))?;
    let mut unlimited = false;
    if !connector.looks {
        unlimited = room(&mut connection, place, beside + 1).await?;
    }
    if !connector.as_the_server_likes {
        safe(&mut connection, place).await?;
    }
    version(&mut connection, place).await?;
    let ledger = ledger(&mut connection, place).await?;
    connection.close().await.ok();
    Ok(Opened { ledger, unlimited })
}

async fn safe(connection: &mut PgConnection, place: &str) -> Result<(), OpenError> {
    for (setting, wanted) in SETTINGS {
        let found: String = sqlx::query_scalar(AssertSqlSafe(format!("SHOW {setting}")))
            .fetch_one(&mut *connection)
            .await
            .map_err(|error| open_error(place, &error))?;
        if found != *wanted && !FLUSHED.contains(&found.as_str()) {
            let (setting, wanted) = ((*setting).to_owned(), (*wanted).to_owned());
            return Err(OpenError::Unsafe { place: place.to_owned(), setting, found, wanted });
        }
    }
    Ok(())
}

/// Whether the server lets in as many clients as so many stores may need, with nobody else there: without, a process would begin
/// its work and get stuck in the middle of it. Gives back whether the role has no limit of its own.
async fn room(connection: &mut PgConnection, place: &str, stores: usize) -> Result<bool, OpenError> {
    // Newer servers keep some for others as well.
    let sql = "SELECT current_setting('max_connections')::bigint, current_setting('superuser_reserved_connections')::bigint \
               + coalesce(current_setting('reserved_connections', true), '0')::bigint, \
               (SELECT rolconnlimit FROM pg_roles WHERE rolname = current_user)";
    let (most, kept, own): (i64, i64, i32) =
        sqlx::query_as(sql).fetch_one(connection).await.map_err(|error| open_error(place, &error))?;
    if u32::try_from(own).is_ok_and(|own| own < CONNECTIONS_MAX) {
        let why = format!(
            "this process may need {CONNECTIONS_MAX} connections, and its role may have {own}: ALTER ROLE ... CONNECTION LIMIT, \
             {CONNECTIONS_MAX} for each process that serves the module (sagactl help SG0322)"
        );
        return Err(OpenError::Unavailable { place: place.to_owned(), why });
    }
    let wanted = i64::try_from(stores).unwrap_or(i64::MAX).saturating_mul(i64::from(CONNECTIONS_MAX));
    if wanted <= most - kept {
        return Ok(own < 0);
    }
    let why = format!(
        "this process may need {wanted} connections, {CONNECTIONS_MAX} for each of {stores} stores, and the server lets in \
         {most}, {kept} of them kept for administrators; raise max_connections, or serve fewer modules here (sagactl help SG0322)"
    );
    Err(OpenError::Unavailable { place: place.to_owned(), why })
}

async fn version(connection: &mut PgConnection, place: &str) -> Result<(), OpenError> {
    let known = i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX);
    let (found, copying): (i64, bool) = sqlx::query_as("SELECT schema_version, copying FROM es_meta WHERE id = 1")
        .fetch_one(connection)
        .await
        .map_err(|error| open_error(place, &error))?;
    match found.cmp(&known) {
        std::cmp::Ordering::Equal if copying => Err(OpenError::Unavailable {
            place: place.to_owned(),
            why: "a copy into it was begun and not finished; run: sagactl store copy".to_owned(),
        }),
        std::cmp::Ordering::Equal => Ok(()),
        std::cmp::Ordering::Greater => Err(OpenError::Newer { place: place.to_owned(), found, known }),
        std::cmp::Ordering::Less => Err(OpenError::Unavailable {
            place: place.to_owned(),
            why: format!("its tables have version {found}, this program needs {known}; run: sagactl store migrate"),
        }),
    }
}

async fn ledger(connection: &mut PgConnection, place: &str) -> Result<Ledger, OpenError> {
    // One statement, so that the head and the tail are of one moment.
    let sql = format!(
        "SELECT {EVENT_COLUMNS}, h_position, h_public, h_recorded, h_chain FROM (SELECT position AS h_position, public_seq AS \
         h_public, recorded_at AS h_recorded, chain AS h_chain FROM es_head WHERE id = 1) h LEFT JOIN LATERAL \
         (SELECT * FROM es_events ORDER BY position DESC LIMIT {}) e ON true ORDER BY position",
        TAIL_VERIFIED + 1
    );
    let corrupt = |why| OpenError::Corrupt { place: place.to_owned(), why };
    let failed = |error: sqlx::Error| unreadable(place, read_error("es_events", &error));
    let rows = sqlx::query(AssertSqlSafe(sql)).fetch_all(&mut *connection).await.map_err(failed)?;
    let first = rows.first().ok_or_else(|| corrupt("es_head has no row".to_owned()))?;
    let empty = first.try_get::<Option<i64>, _>(0).map_err(failed)?.is_none();
    let mut events = Vec::with_capacity(rows.len());
    for row in rows.iter().filter(|_| !empty) {
        events.push(decode::recorded(row).map_err(|error| unreadable(place, error))?);
    }
    let noted = (first.try_get::<i64, _>(12).map_err(failed)?, first.try_get::<Vec<u8>, _>(15).map_err(failed)?);
    if let Some(why) =
        broken_link(&events).map(|why| format!("es_events {why}")).or_else(|| cut(&events, noted.0, &noted.1))
    {
        return Err(corrupt(why));
    }
    let rows = sqlx::query(LEDGER).fetch_all(connection).await.map_err(failed)?;
    let (head, fences): (Head, _) = ledger_of(&rows).map_err(|error| unreadable(place, error))?;
    Ok(Ledger::new(head, fences))
}

/// Whether the log ends where the head says. Pure.
fn cut(events: &[Recorded], position: i64, chain: &[u8]) -> Option<String> {
    let (last, link) = events.last().map_or((Position::ZERO, [0; 32]), |event| (event.position, event.chain));
    if last.0.cast_signed() != position {
        return Some(format!("the log was {position} events long, and now ends at position {last}"));
    }
    (link != chain).then(|| format!("es_events position {last} is not what it was when it was noted"))
}
