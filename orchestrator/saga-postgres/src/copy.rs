//! Copies a whole store into an empty schema, keeping positions, public places, times, ids and the chain, so that every
//! cursor and every message out there stays valid. Run as an administrator, while nobody writes the source.
//!
//! A page is a transaction: a copy that was interrupted goes on where it was, and until it is whole nobody can open it.

mod part;

use crate::access::{Names, PREFIX, quoted};
use crate::address::options_of;
use saga_core::envelope::{Recorded, chain};
use saga_core::export::{Export, Part};
use saga_core::id::Position;
use saga_core::ports::{EventStore, ReadError, Tail};
use sqlx::postgres::{PgArguments, PgConnection};
use sqlx::{Arguments as _, AssertSqlSafe, ConnectOptions as _, Connection as _};
use uuid::Uuid;

/// 2,000 events: a page of a few megabytes at most times, and a transaction of some tens of milliseconds.
const PAGE: usize = 2_000;

/// What was copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Copied {
    /// Events that were in the schema already, from a copy that was interrupted.
    pub found: u64,
    /// Events in the schema now; all of them were read back and their chain was checked.
    pub events: u64,
    /// Rows beside the log.
    pub rows: u64,
}

/// Why a store was not copied. What was copied stays, and the next attempt goes on from there.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CopyError {
    /// The name of the module or the prefix cannot be one in a database.
    #[error("{0}")]
    Name(String),
    /// There is no schema to copy into.
    #[error("schema {0} is not there; run: sagactl store migrate")]
    NoSchema(String),
    /// The schema holds something that is no unfinished copy.
    #[error("schema {0} is in use, or a copy into it was finished")]
    InUse(String),
    /// The schema holds an unfinished copy of another log.
    #[error("schema {schema} has another event at position {position}: it is a copy of another log")]
    Different {
        /// Which schema.
        schema: String,
        /// The last position that it has.
        position: Position,
    },
    /// A process has written the source meanwhile. Stop it, and copy again.
    #[error("the source has grown from {from} to {to} while it was copied")]
    Moved {
        /// Its head at the beginning.
        from: Position,
        /// Its head at the end.
        to: Position,
    },
    /// The source cannot be read.
    #[error("the source cannot be read")]
    Source(#[from] ReadError),
    /// What was read back is not what was copied.
    #[error("the copy is damaged at position {0}")]
    Damaged(Position),
    /// The server refused, or is away.
    #[error("the server cannot be written")]
    Server(#[from] sqlx::Error),
}

/// Copies a store into the schema of a module, whose names begin with `prefix` (`None`: the usual one).
///
/// Safe to repeat and to kill at any moment. Leases are not copied: they end with the process that had them; the epochs
/// are. Once a copy is whole, another one is refused.
///
/// # Errors
/// See [`CopyError`].
pub async fn copy<S>(source: &S, admin_url: &str, module: &str, prefix: Option<&str>) -> Result<Copied, CopyError>
where
    S: EventStore + Tail + Export + ?Sized,
{
    let names = Names::of(prefix.unwrap_or(PREFIX), module).map_err(CopyError::Name)?;
    let options =
        options_of(admin_url).map_err(|why| sqlx::Error::Configuration(why.into()))?.application_name("store copy");
    let mut target = options.options([("search_path", quoted(&names.schema))]).connect().await?;
    let found = begin(&mut target, &names).await?;
    let from = source.head().await?;
    same_beginning(source, &mut target, &names, found, from).await?;
    let mut cursor = found;
    while cursor < from {
        let page = source.read_log(cursor, PAGE).await?;
        let Some(last) = page.last() else { break };
        cursor = last.position;
        write(&mut target, &page).await?;
    }
    let mut rows = 0;
    for part in Part::ALL {
        rows += part::copy(source, &mut target, part).await?;
    }
    let to = source.head().await?;
    if to != from {
        return Err(CopyError::Moved { from, to });
    }
    let events = verify(&mut target).await?;
    sqlx::raw_sql("UPDATE es_meta SET copying = false").execute(&mut target).await?;
    target.close().await.ok();
    Ok(Copied { found: found.0, events, rows })
}

/// Marks the schema as being copied into, if that is allowed, and says how far an earlier attempt came.
async fn begin(target: &mut PgConnection, names: &Names) -> Result<Position, CopyError> {
    let there: Option<i32> =
        sqlx::query_scalar("SELECT 1 FROM pg_tables WHERE schemaname = $1 AND tablename = 'es_meta'")
            .bind(&names.schema)
            .fetch_optional(&mut *target)
            .await?;
    if there.is_none() {
        return Err(CopyError::NoSchema(names.schema.clone()));
    }
    // Under the lock of the head, so that nobody begins to work with an empty schema in this moment.
    let mut transaction = target.begin().await?;
    let sql = "SELECT h.position, m.copying, EXISTS (SELECT FROM es_inbox) OR EXISTS (SELECT FROM es_checkpoints) OR \
               EXISTS (SELECT FROM es_documents) OR EXISTS (SELECT FROM es_fences) FROM es_head h, es_meta m FOR UPDATE OF h";
    let (position, copying, used): (i64, bool, bool) = sqlx::query_as(sql).fetch_one(&mut *transaction).await?;
    if !copying && (used || position > 0) {
        return Err(CopyError::InUse(names.schema.clone()));
    }
    sqlx::raw_sql("UPDATE es_meta SET copying = true").execute(&mut *transaction).await?;
    transaction.commit().await?;
    Ok(Position(position.cast_unsigned()))
}

/// Whether what is there already is the beginning of the source.
async fn same_beginning<S: EventStore + ?Sized>(
    source: &S,
    target: &mut PgConnection,
    names: &Names,
    found: Position,
    head: Position,
) -> Result<(), CopyError> {
    if found == Position::ZERO {
        return Ok(());
    }
    let link: Vec<u8> = sqlx::query_scalar("SELECT chain FROM es_head").fetch_one(target).await?;
    let before = Position(found.0 - 1);
    let same = found <= head && source.read_log(before, 1).await?.first().is_some_and(|event| event.chain == *link);
    // One link stands for everything before it: that is what a chain is for.
    same.then_some(()).ok_or_else(|| CopyError::Different { schema: names.schema.clone(), position: found })
}

const INSERT: &str = "INSERT INTO es_events (position, public_seq, stream, version, event_id, type, schema_version, data, \
                      meta, time, recorded_at, chain) SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::text[], \
                      $4::bigint[], $5::uuid[], $6::text[], $7::integer[], $8::bytea[], $9::bytea[], $10::bigint[], \
                      $11::bigint[], $12::bytea[])";
const ADVANCE: &str = "UPDATE es_head SET position = $1, public_seq = greatest(public_seq, $2), recorded_at = $3, chain = $4 \
                       WHERE position = $5";

/// One page of the log, and the head with it.
async fn write(target: &mut PgConnection, page: &[Recorded]) -> Result<(), CopyError> {
    let (Some(first), Some(last)) = (page.first(), page.last()) else { return Ok(()) };
    let public = page.iter().filter_map(|event| event.public_seq).max().unwrap_or(0);
    let mut transaction = target.begin().await?;
    let arguments = columns(page).map_err(sqlx::Error::Encode)?;
    sqlx::query_with(INSERT, arguments).execute(&mut *transaction).await?;
    let advanced = sqlx::query(ADVANCE)
        .bind(last.position.0.cast_signed())
        .bind(public.cast_signed())
        .bind(last.recorded_at.0)
        .bind(last.chain.as_slice())
        .bind(first.position.0.cast_signed() - 1)
        .execute(&mut *transaction)
        .await?;
    if advanced.rows_affected() != 1 {
        return Err(CopyError::Damaged(first.position));
    }
    transaction.commit().await?;
    Ok(())
}
fn columns(page: &[Recorded]) -> Result<PgArguments, sqlx::error::BoxDynError> {
    let mut arguments = PgArguments::default();
    let events = || page.iter();
    arguments.add(events().map(|event| event.position.0.cast_signed()).collect::<Vec<_>>())?;
    arguments.add(events().map(|event| event.public_seq.map(u64::cast_signed)).collect::<Vec<_>>())?;
    arguments.add(events().map(|event| event.stream.as_str()).collect::<Vec<_>>())?;
    arguments.add(events().map(|event| event.version.0.cast_signed()).collect::<Vec<_>>())?;
    arguments.add(events().map(|event| event.id.0).collect::<Vec<Uuid>>())?;
    arguments.add(events().map(|event| event.name.as_str()).collect::<Vec<_>>())?;
    arguments.add(events().map(|event| i32::from(event.schema_version)).collect::<Vec<_>>())?;
    arguments.add(events().map(|event| event.data.as_str().as_bytes()).collect::<Vec<_>>())?;
    arguments.add(events().map(|event| event.meta.as_str().as_bytes()).collect::<Vec<_>>())?;
    arguments.add(events().map(|event| event.time.0).collect::<Vec<_>>())?;
    arguments.add(events().map(|event| event.recorded_at.0).collect::<Vec<_>>())?;
    arguments.add(events().map(|event| event.chain.as_slice()).collect::<Vec<_>>())?;
    Ok(arguments)
}

/// Reads the copy back and follows its chain from the first event to the head.
async fn verify(target: &mut PgConnection) -> Result<u64, CopyError> {
    let sql = format!(
        "SELECT {} FROM es_events WHERE position > $1 ORDER BY position LIMIT {PAGE}",
        crate::decode::EVENT_COLUMNS
    );
    let (mut last, mut link) = (Position::ZERO, [0; 32]);
    loop {
        let page = sqlx::query(AssertSqlSafe(sql.clone())).bind(last.0.cast_signed()).fetch_all(&mut *target).await?;
        if page.is_empty() {
            break;
        }
        for row in &page {
            let event = crate::decode::recorded(row)?;
            link = chain(&link, last.next(), &event.digest());
            if event.position != last.next() || event.chain != link {
                return Err(CopyError::Damaged(last.next()));
            }
            last = event.position;
        }
    }
    let head: (i64, Vec<u8>) = sqlx::query_as("SELECT position, chain FROM es_head").fetch_one(target).await?;
    match (last.0.cast_signed(), &link[..]) == (head.0, head.1.as_slice()) {
        true => Ok(last.0),
        false => Err(CopyError::Damaged(last)),
    }
}
