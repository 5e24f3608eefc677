//! Copies all stores of a folder as they were at one moment, while other processes write them.
//!
//! Why it is one moment. A writer of a store needs its write lock. The backup takes all of these locks, and while it
//! holds them nothing is committed anywhere; then a reader of each store begins to read, and the locks are given back.
//! A reader sees its store as it was when it began, however long it reads and whatever is written meanwhile. So the
//! copies have no answer without its deed, and no deed without its command, as files copied one after another can have.
//!
//! Where no process runs the stores, the files are copied as they lie, and the copies are read: a last reader of a store
//! would take its log into it, and a backup changes nothing. The files themselves show whether one of them was written
//! meanwhile. Where nothing may be written and a process runs the stores, no lock can be had, and there is no backup.

use crate::fault::open_error;
use crate::lock::Lock;
use crate::migrate::{self, MIGRATIONS};
use crate::whose::Whose;
use crate::{SqliteStores, look, private};
use rustix::fs::{Access, access};
use saga_core::id::Position;
use saga_core::ports::OpenError;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, SqliteConnection};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// One second: a writer of a store has committed by then, and no other writer waits longer for the stores that are
/// held.
const BUSY: Duration = Duration::from_secs(1);
/// 60 tries to have the locks of all stores at once.
const TRIES_MAX: u32 = 60;
/// Between two tries the writers go on.
const PAUSE: Duration = Duration::from_millis(200);
const TABLES: &str = "SELECT name FROM copy.sqlite_schema WHERE type = 'table' ORDER BY name";

/// A store that was copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copied {
    /// Whose.
    pub module: String,
    /// Where its log ended at that moment.
    pub head: Position,
}

/// One store on its way.
struct Source {
    module: String,
    place: String,
    /// Holds the write lock while it has a transaction.
    writer: SqliteConnection,
    /// Reads, and has the copy attached.
    reader: SqliteConnection,
}

impl SqliteStores {
    /// Copies every store of this folder into another one, as all of them were at one moment; a process may be writing them,
    /// unless nothing may be written here. Each is a file of its own there, whole and flushed, without a log beside it.
    /// A file that is no store is left out.
    ///
    /// # Errors
    /// `Unavailable` when a file cannot be read or the copy cannot be written, `Newer` and `Corrupt` as at an opening, `Restless`
    /// when the locks of all stores were never free together, `InUse` when another process runs stores that may not be
    /// written from here. The copy is not whole then: throw it away.
    pub async fn backup(&self, to: &Path) -> Result<Vec<Copied>, OpenError> {
        let files = self.own_files().await?;
        let unavailable = |why: String| OpenError::Unavailable { place: self.folder().display().to_string(), why };
        let here = look::folder().map_err(|why| unavailable(format!("no folder for copies: {why}")))?;
        for tries in 1.. {
            if let Some((_, file)) = files.iter().find(|(_, file)| Lock::is_held(file)) {
                if may_write(self.folder(), &files) {
                    return self.copied_beside_writers(to).await;
                }
                return Err(OpenError::InUse { place: file.display().to_string() });
            }
            let before = stand(&files);
            for (_, file) in &files {
                look::copy(file, here.path()).await?;
            }
            if before == stand(&files) {
                break;
            }
            if tries == TRIES_MAX {
                return Err(OpenError::Restless { place: self.folder().display().to_string() });
            }
        }
        SqliteStores::new(here.path(), self.clock()).copied_beside_writers(to).await
    }
    /// The files here that are stores, by module.
    async fn own_files(&self) -> Result<Vec<(String, PathBuf)>, OpenError> {
        let mut files = Vec::new();
        for module in self.modules()? {
            let file = self.file(&module)?;
            if Whose::of(&file).await? == Whose::Ours {
                files.push((module, file));
            }
        }
        Ok(files)
    }
    /// Copies while others may be writing.
    async fn copied_beside_writers(&self, to: &Path) -> Result<Vec<Copied>, OpenError> {
        let mut sources = Vec::new();
        for (module, file) in self.own_files().await? {
            sources.push(Source::open(&module, &file, &to.join(format!("{module}.db"))).await?);
        }
        for tries in 1.. {
            match begin(&mut sources).await {
                Ok(true) => break,
                Ok(false) if tries < TRIES_MAX => look::pause(PAUSE).await,
                Ok(false) => return Err(OpenError::Restless { place: self.folder().display().to_string() }),
                Err(why) => return Err(why),
            }
        }
        let mut copied = Vec::with_capacity(sources.len());
        for source in sources {
            copied.push(source.copy().await?);
        }
        std::fs::File::open(to)
            .and_then(|folder| folder.sync_all())
            .map_err(|why| OpenError::Unavailable { place: to.display().to_string(), why: why.to_string() })?;
        Ok(copied)
    }
}

/// Whether the locks of these stores can be taken: in the files, and in those that SQLite keeps beside them.
fn may_write(folder: &Path, files: &[(String, PathBuf)]) -> bool {
    let of_files = files.iter().map(|(_, file)| file.as_path());
    std::iter::once(folder).chain(of_files).all(|path| access(path, Access::WRITE_OK).is_ok())
}
/// The marks of the files and of their logs: every write changes one.
fn stand(files: &[(String, PathBuf)]) -> Vec<Option<look::Mark>> {
    let each = files.iter().flat_map(|(_, file)| [file.clone(), look::beside(file, look::LOG)]);
    each.map(|path| std::fs::metadata(path).ok().map(|found| look::Mark::of(&found))).collect()
}

/// Takes the write locks of all stores, lets a reader of each begin, and gives the locks back; `false` when one was not to be
/// had.
async fn begin(sources: &mut [Source]) -> Result<bool, OpenError> {
    let mut held = true;
    for source in sources.iter_mut() {
        held = held && source.run_writer("BEGIN IMMEDIATE").await.is_ok();
    }
    let mut began = Ok(());
    for source in sources.iter_mut().filter(|_| held) {
        // The first look is the moment that is read.
        let first = sqlx::raw_sql("BEGIN; SELECT count(*) FROM main.es_head").execute(&mut source.reader).await;
        began = began.and(first.map(drop).map_err(|error| open_error(&source.place, &error)));
    }
    for source in sources.iter_mut() {
        // Where there was no lock there is nothing to give back.
        source.run_writer("ROLLBACK").await.ok();
    }
    began.map(|()| held)
}

impl Source {
    async fn open(module: &str, file: &Path, copy: &Path) -> Result<Self, OpenError> {
        let place = file.display().to_string();
        let failed = |error: sqlx::Error| open_error(&place, &error);
        let unwritten = |why: String| OpenError::Unavailable { place: copy.display().to_string(), why };
        let open = || SqliteConnectOptions::new().filename(file).busy_timeout(BUSY).disable_statement_logging();
        let (writer, mut reader) = (open().connect().await.map_err(failed)?, open().connect().await.map_err(failed)?);
        let applied = migrate::applied(&mut reader, &place).await?;
        private::file(copy).map_err(|why| unwritten(why.to_string()))?;
        // The same tables as the source has, which another version of the program may have made.
        let script = MIGRATIONS.get(..applied).unwrap_or_default().join("\n");
        let script = format!("BEGIN;\n{script}\nDELETE FROM es_head;\nPRAGMA user_version = {applied};\nCOMMIT;");
        let mut made =
            SqliteConnectOptions::new().filename(copy).connect().await.map_err(|error| unwritten(error.to_string()))?;
        sqlx::raw_sql(AssertSqlSafe(script)).execute(&mut made).await.map_err(|error| unwritten(error.to_string()))?;
        made.close().await.map_err(|error| unwritten(error.to_string()))?;
        let attached = sqlx::query("ATTACH DATABASE ? AS copy").bind(copy.display().to_string());
        attached.execute(&mut reader).await.map_err(|error| unwritten(error.to_string()))?;
        Ok(Self { module: module.to_owned(), place, writer, reader })
    }
    async fn run_writer(&mut self, sql: &'static str) -> Result<(), sqlx::Error> {
        sqlx::raw_sql(sql).execute(&mut self.writer).await.map(drop)
    }
    /// Reads everything of the moment at which the reader began.
    async fn copy(mut self) -> Result<Copied, OpenError> {
        let place = self.place;
        let failed = |error: sqlx::Error| open_error(&place, &error);
        let tables: Vec<String> = sqlx::query_scalar(TABLES).fetch_all(&mut self.reader).await.map_err(failed)?;
        for table in tables {
            let sql = AssertSqlSafe(format!("INSERT INTO copy.{table} SELECT * FROM main.{table}"));
            sqlx::query(sql).execute(&mut self.reader).await.map_err(failed)?;
        }
        let head: i64 = sqlx::query_scalar("SELECT coalesce(max(position), 0) FROM copy.es_events")
            .fetch_one(&mut self.reader)
            .await
            .map_err(failed)?;
        sqlx::raw_sql("COMMIT; DETACH DATABASE copy").execute(&mut self.reader).await.map_err(failed)?;
        self.reader.close().await.map_err(failed)?;
        self.writer.close().await.map_err(failed)?;
        Ok(Copied { module: self.module, head: Position(head.cast_unsigned()) })
    }
}
